//! Waiting until descriptors can be read or written. Elsewhere than on Unix all of them count as ready, and the read or
//! write that follows blocks: a port gives each a thread, as standard input has one.

use std::io;
use std::time::Duration;

use super::descriptors::AsDescriptor;

/// A descriptor that is waited for.
#[cfg(unix)]
pub(crate) use rustix::event::PollFd as WatchedDescriptor;

/// A descriptor that is waited for.
#[cfg(not(unix))]
#[derive(Debug)]
pub(crate) struct WatchedDescriptor<'a>(std::marker::PhantomData<&'a ()>);

/// Waits for bytes in this descriptor, or for its end.
#[cfg(unix)]
pub(crate) fn to_read(descriptor: &impl AsDescriptor) -> WatchedDescriptor<'_> {
    WatchedDescriptor::new(descriptor, rustix::event::PollFlags::IN)
}

/// Waits until this descriptor accepts bytes, or until it is broken.
#[cfg(unix)]
pub(crate) fn to_write(descriptor: &impl AsDescriptor) -> WatchedDescriptor<'_> {
    WatchedDescriptor::new(descriptor, rustix::event::PollFlags::OUT)
}

#[cfg(not(unix))]
pub(crate) fn to_read(_: &impl AsDescriptor) -> WatchedDescriptor<'_> {
    WatchedDescriptor(std::marker::PhantomData)
}

#[cfg(not(unix))]
pub(crate) use self::to_read as to_write;

/// Whether the last [`wait`] found this descriptor ready.
pub(crate) fn is_ready(watched: &WatchedDescriptor<'_>) -> bool {
    #[cfg(unix)]
    {
        !watched.revents().is_empty()
    }
    #[cfg(not(unix))]
    {
        let _ = watched;
        true
    }
}

/// Waits until one of these is ready, at most for this time. Returns whether one is: none may be although time is left,
/// if a signal arrives.
///
/// # Errors
/// The system's error.
#[cfg_attr(not(unix), allow(clippy::unnecessary_wraps, reason = "as on Unix"))]
pub(crate) fn wait(watched: &mut [WatchedDescriptor<'_>], limit: Option<Duration>) -> io::Result<bool> {
    #[cfg(unix)]
    {
        use rustix::event::{Timespec, poll};
        // A time that the system cannot express is longer than any run.
        let limit = limit.and_then(|limit| Timespec::try_from(limit).ok());
        loop {
            match poll(watched, limit.as_ref()) {
                Ok(count) => return Ok(count > 0),
                Err(rustix::io::Errno::INTR) if limit.is_none() => {}
                Err(rustix::io::Errno::INTR) => return Ok(false),
                Err(error) => return Err(error.into()),
            }
        }
    }
    #[cfg(not(unix))]
    {
        let _ = (watched, limit);
        Ok(true)
    }
}

/// Has reads and writes of an open file fail with [`io::ErrorKind::WouldBlock`] instead of waiting, for all that share
/// it. Elsewhere than on Unix they wait.
///
/// # Errors
/// The system's error.
#[cfg_attr(not(unix), allow(clippy::unnecessary_wraps, reason = "as on Unix"))]
pub(crate) fn set_nonblocking(descriptor: &impl AsDescriptor) -> io::Result<()> {
    #[cfg(unix)]
    rustix::io::ioctl_fionbio(descriptor, true)?;
    #[cfg(not(unix))]
    let _ = descriptor;
    Ok(())
}

/// The end of a run, for a thread that waits for input meanwhile.
#[derive(Debug)]
pub(crate) struct RunEnd {
    #[cfg(unix)]
    end: io::PipeReader,
    #[cfg(not(unix))]
    end: std::sync::mpsc::Receiver<std::convert::Infallible>,
}

/// The run: it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct RunGuard {
    #[cfg(unix)]
    _end: io::PipeWriter,
    #[cfg(not(unix))]
    _end: std::sync::mpsc::Sender<std::convert::Infallible>,
}

impl RunEnd {
    /// A run, and its end.
    ///
    /// # Errors
    /// There are too many open files.
    #[cfg_attr(not(unix), allow(clippy::unnecessary_wraps, reason = "as on Unix"))]
    pub(crate) fn of_new_run() -> io::Result<(Self, RunGuard)> {
        #[cfg(unix)]
        let (end, running) = io::pipe()?;
        #[cfg(not(unix))]
        let (running, end) = std::sync::mpsc::channel();
        Ok((Self { end }, RunGuard { _end: running }))
    }

    /// Waits for the end, at most for this time. Returns whether it has come: it may not have although time is left, if
    /// a signal arrives.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) fn is_within(&self, limit: Duration) -> io::Result<bool> {
        #[cfg(unix)]
        {
            wait(&mut [to_read(&self.end)], Some(limit))
        }
        #[cfg(not(unix))]
        {
            use std::sync::mpsc::RecvTimeoutError;
            Ok(self.end.recv_timeout(limit) == Err(RecvTimeoutError::Disconnected))
        }
    }

    /// Waits for the end, or for input. Returns whether there is input, which comes first. Elsewhere than on Unix it
    /// does not wait: the end is noticed only after more input.
    ///
    /// # Errors
    /// The system's error.
    pub(crate) fn or_input(&self, input: &impl AsDescriptor) -> io::Result<bool> {
        #[cfg(unix)]
        {
            let mut both = [to_read(input), to_read(&self.end)];
            wait(&mut both, None)?;
            Ok(is_ready(&both[0]))
        }
        #[cfg(not(unix))]
        {
            let _ = input;
            self.is_within(Duration::ZERO).map(|is_over| !is_over)
        }
    }
}
