//! Signals that ask the program to end: the first asks, the second ends it immediately. A run that does not
//! end by itself after the first is ended a while later ([`Signals::force`]), as it may be blocked in a
//! system call.
//!
//! Tokio's own signal driver is not used: it costs every run of the program a socket pair, and a one-shot
//! `pub` catches no signals.

use std::io::Read as _;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock, Mutex, Once, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use signal_hook::SigId;
use signal_hook::consts::{SIGCONT, SIGHUP, SIGINT, SIGTERM, SIGTSTP, SIGUSR1, SIGXFSZ};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::UnixStream;

use crate::error::Error;
use crate::thread::start_with_stack;

/// SIGINT and SIGTERM, caught from now on.
#[derive(Debug)]
pub struct Signals {
    /// A stream per signal number, with a byte for each signal received.
    caught: [(i32, UnixStream); 2],
}

impl Signals {
    /// Starts to catch. The first signal is reported; the next one ends the process as if it were not caught.
    ///
    /// # Errors
    /// The system's error, if it refuses a handler.
    pub fn catch() -> Result<Self, Error> {
        Self::catch_with(catch_one)
    }

    /// Starts to catch, and reports every signal: for runs that have to end other programs first.
    ///
    /// # Errors
    /// The system's error, if it refuses a handler.
    pub fn catch_all() -> Result<Self, Error> {
        Self::catch_with(catch_each)
    }

    fn catch_with(catch: fn(i32) -> std::io::Result<UnixStream>) -> Result<Self, Error> {
        let failed = |error| Error::file("cannot catch signals", error);
        let one = |number| catch(number).map_err(failed);
        outlive_file_limit();
        Ok(Self { caught: [(SIGINT, one(SIGINT)?), (SIGTERM, one(SIGTERM)?)] })
    }

    /// From now on the first signal ends the process after [`END_LIMIT`] at the latest, whatever the run is
    /// blocked in: unread standard error, a pipe for a report, a file on an unreachable server. A separate
    /// thread waits for it, because a run blocked in a system call cannot check.
    ///
    /// # Errors
    /// The system's error, if it refuses a handler or a thread.
    pub fn force(&self) -> Result<(), Error> {
        force().map_err(|error| Error::file("cannot catch signals", error))
    }

    /// Ready with the number of a received signal.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<i32> {
        for (number, stream) in &mut self.caught {
            if poll_one(stream, cx).is_ready() {
                INTERRUPTED.fetch_or(*number == SIGINT, Ordering::Relaxed);
                return Poll::Ready(*number);
            }
        }
        Poll::Pending
    }
}

/// From now on a file that would exceed its size limit (`ulimit -f`) makes the write fail instead of ending
/// the process. Call it before writing to a file; if the system refuses it, the limit still ends the process.
pub fn outlive_file_limit() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let _ = signal_hook::flag::register(SIGXFSZ, Arc::default());
    });
}

/// Whether a SIGINT was reported, so that the terminal shows `^C` on the next line.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Whether a SIGINT was reported since the last call.
#[must_use]
pub fn take_interrupt() -> bool {
    INTERRUPTED.load(Ordering::Relaxed) && INTERRUPTED.swap(false, Ordering::Relaxed)
}

/// The time a run has to end by itself after the first signal. `sub --remove-retained` waits five seconds for
/// its clears, and output has two seconds to be written; containers are killed after ten.
pub const END_LIMIT: Duration = Duration::from_secs(9);

/// The thread only makes system calls.
const STACK_BYTES: usize = 64 * 1024;

/// The number of the latest SIGINT or SIGTERM, for runs that are ended by force after it; 0 before.
static LATEST: LazyLock<Arc<AtomicUsize>> = LazyLock::new(Arc::default);

/// The caught signal, for waits in system calls that nothing else ends.
#[must_use]
pub fn caught() -> Option<i32> {
    i32::try_from(LATEST.load(Ordering::SeqCst)).ok().filter(|number| *number > 0)
}

fn force() -> std::io::Result<()> {
    let (mut ours, theirs) = StdUnixStream::pair()?;
    for number in [SIGINT, SIGTERM] {
        let value = usize::try_from(number).unwrap_or_default();
        signal_hook::flag::register_usize(number, Arc::clone(&LATEST), value)?;
        signal_hook::low_level::pipe::register(number, theirs.try_clone()?)?;
    }
    let watch = move || {
        if ours.read_exact(&mut [0]).is_ok() {
            std::thread::sleep(END_LIMIT);
            raise(caught().unwrap_or(SIGTERM));
        }
    };
    start_with_stack("signals", STACK_BYTES, watch)?;
    Ok(())
}

/// SIGHUP, which asks a logger to reopen its file, and which also reports that the terminal was closed.
#[derive(Debug)]
pub struct HangUps {
    stream: UnixStream,
    /// Whether there is a terminal that may be closed.
    on_terminal: bool,
}

/// The reason for a SIGHUP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HangUp {
    /// The terminal that the run was started from was closed.
    TerminalClosed,
    /// Another program requested it.
    Asked,
}

impl HangUps {
    /// Starts to catch, any number of signals.
    ///
    /// # Errors
    /// The system's error, if it refuses a handler.
    pub fn catch() -> Result<Self, Error> {
        // A program started with SIGHUP ignored (`nohup`) has to outlive its terminal.
        let on_terminal = !hang_up_is_ignored() && has_terminal();
        let failed = |error| Error::file("cannot catch signals", error);
        let (stream, theirs) = UnixStream::pair().map_err(failed)?;
        let theirs = theirs.into_std().map_err(failed)?;
        forget_interruptions(SIGHUP);
        signal_hook::low_level::pipe::register(SIGHUP, theirs).map_err(failed)?;
        Ok(Self { stream, on_terminal })
    }

    /// Ready when a signal was received.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<HangUp> {
        std::task::ready!(poll_one(&mut self.stream, cx));
        let closed = self.on_terminal && !has_terminal();
        Poll::Ready(if closed { HangUp::TerminalClosed } else { HangUp::Asked })
    }
}

/// Whether [`outlast_hang_ups`] was called.
static OUTLASTS: AtomicBool = AtomicBool::new(false);

/// From now on SIGHUP does not end the process, until [`HangUps::catch`]: another program may send it to a
/// logger that is still starting, before its file is opened. If the process has a terminal and the terminal
/// is closed, the process gets SIGTERM.
///
/// # Errors
/// The system's error, if it refuses a handler or a thread.
pub fn outlast_hang_ups() -> Result<(), Error> {
    if OUTLASTS.swap(true, Ordering::SeqCst) || hang_up_is_ignored() {
        return Ok(());
    }
    let outlast = || -> std::io::Result<()> {
        let action = if has_terminal() {
            let (mut ours, theirs) = StdUnixStream::pair()?;
            let action = signal_hook::low_level::pipe::register(SIGHUP, theirs)?;
            let watch = move || {
                while ours.read_exact(&mut [0]).is_ok() {
                    if !has_terminal() {
                        let _ = signal_hook::low_level::raise(SIGTERM);
                    }
                }
            };
            start_with_stack("hang-ups", STACK_BYTES, watch)?;
            action
        } else {
            signal_hook::flag::register(SIGHUP, Arc::default())?
        };
        OVER.lock().unwrap_or_else(PoisonError::into_inner).push((SIGHUP, action));
        Ok(())
    };
    outlast().map_err(|error| Error::file("cannot catch signals", error))
}

/// SIGUSR1, which requests a report.
#[derive(Debug)]
pub struct ReportRequests {
    stream: UnixStream,
}

impl ReportRequests {
    /// Starts to catch, any number of signals.
    ///
    /// # Errors
    /// The system's error, if it refuses a handler.
    pub fn catch() -> Result<Self, Error> {
        let failed = |error| Error::file("cannot catch signals", error);
        Ok(Self { stream: to_stream(SIGUSR1).map_err(failed)? })
    }

    /// Ready when a signal was received.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        poll_one(&mut self.stream, cx)
    }
}

/// SIGTSTP (Ctrl-Z), for a run that restores the terminal before it stops itself.
#[derive(Debug)]
pub struct Stops {
    stream: UnixStream,
}

impl Stops {
    /// Starts to catch, any number of signals.
    ///
    /// # Errors
    /// The system's error, if it refuses a handler.
    pub fn catch() -> Result<Self, Error> {
        let failed = |error| Error::file("cannot catch signals", error);
        Ok(Self { stream: to_stream(SIGTSTP).map_err(failed)? })
    }

    /// Ready when a signal was received.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        poll_one(&mut self.stream, cx)
    }
}

/// Whether this process has a controlling terminal; the system removes it when it is closed.
fn has_terminal() -> bool {
    std::fs::File::open("/dev/tty").is_ok()
}

/// Whether this process was started with SIGHUP ignored; false if the system cannot tell.
#[must_use]
pub fn hang_up_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    ignored
        .and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
        .is_some_and(|mask| mask & (1 << (SIGHUP - 1)) != 0)
}

/// Ready when a signal's byte can be read.
fn poll_one(stream: &mut UnixStream, cx: &mut Context<'_>) -> Poll<()> {
    let mut byte = [0];
    let mut buffer = ReadBuf::new(&mut byte);
    std::pin::Pin::new(stream).poll_read(cx, &mut buffer).map(drop)
}

fn catch_one(number: i32) -> std::io::Result<UnixStream> {
    forget_interruptions(number);
    // Handlers run in the order of registration. The first signal arms this one, and at the second it takes
    // the default action.
    let armed = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register_conditional_default(number, Arc::clone(&armed))?;
    signal_hook::flag::register(number, armed)?;
    to_stream(number)
}

fn catch_each(number: i32) -> std::io::Result<UnixStream> {
    forget_interruptions(number);
    to_stream(number)
}

/// A stream with a byte for each signal of this number.
fn to_stream(number: i32) -> std::io::Result<UnixStream> {
    let (ours, theirs) = UnixStream::pair()?;
    signal_hook::low_level::pipe::register(number, theirs.into_std()?)?;
    Ok(ours)
}

/// SIGINT, SIGTERM and SIGHUP, caught while something runs that has to be ended first. Afterwards they end
/// the process again, until [`Signals::catch`].
#[derive(Debug)]
pub struct Interruption {
    number: Arc<AtomicUsize>,
    /// Whether signals take their default action.
    is_over: Arc<AtomicBool>,
    /// Becomes readable when a signal is received.
    stream: StdUnixStream,
}

/// The handlers of past interruptions and of [`outlast_hang_ups`], by signal: they are removed when the run
/// itself catches the signal.
static OVER: Mutex<Vec<(i32, SigId)>> = Mutex::new(Vec::new());

/// Removes the handlers that were registered for this signal while the run started.
fn forget_interruptions(number: i32) {
    let mut over = OVER.lock().unwrap_or_else(PoisonError::into_inner);
    for (_, action) in over.extract_if(.., |(other, _)| *other == number) {
        signal_hook::low_level::unregister(action);
    }
}

impl Interruption {
    /// Starts to catch.
    ///
    /// # Errors
    /// The system's error, if it refuses a handler.
    pub fn catch() -> std::io::Result<Self> {
        let (stream, theirs) = StdUnixStream::pair()?;
        let this = Self { number: Arc::default(), is_over: Arc::default(), stream };
        let outlasts = OUTLASTS.load(Ordering::SeqCst) || hang_up_is_ignored();
        let hang_up = (!outlasts).then_some(SIGHUP);
        for number in [SIGINT, SIGTERM].into_iter().chain(hang_up) {
            let default = signal_hook::flag::register_conditional_default(number, Arc::clone(&this.is_over))?;
            OVER.lock().unwrap_or_else(PoisonError::into_inner).push((number, default));
            let value = usize::try_from(number).unwrap_or_default();
            signal_hook::flag::register_usize(number, Arc::clone(&this.number), value)?;
            signal_hook::low_level::pipe::register(number, theirs.try_clone()?)?;
        }
        Ok(this)
    }

    /// The received signal.
    #[must_use]
    pub fn signal(&self) -> Option<i32> {
        i32::try_from(self.number.load(Ordering::SeqCst)).ok().filter(|number| *number != 0)
    }

    /// A stream that becomes readable when a signal is received.
    #[must_use]
    pub fn stream(&self) -> &StdUnixStream {
        &self.stream
    }
}

impl Drop for Interruption {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::SeqCst);
    }
}

/// Detects SIGCONT while it exists: the process was stopped, and continues.
#[derive(Debug)]
pub struct Continuation {
    action: SigId,
    /// Becomes readable when the process continues.
    stream: StdUnixStream,
}

impl Continuation {
    /// Starts to catch.
    ///
    /// # Errors
    /// The system's error, if it refuses a handler.
    pub fn catch() -> std::io::Result<Self> {
        let (stream, theirs) = StdUnixStream::pair()?;
        stream.set_nonblocking(true)?;
        let action = signal_hook::low_level::pipe::register(SIGCONT, theirs)?;
        Ok(Self { action, stream })
    }

    /// Whether the process continued since the last call.
    pub fn happened(&mut self) -> bool {
        self.stream.read(&mut [0; 64]).is_ok_and(|count| count > 0)
    }

    /// A stream that becomes readable when the process continues.
    #[must_use]
    pub fn stream(&self) -> &StdUnixStream {
        &self.stream
    }
}

impl Drop for Continuation {
    fn drop(&mut self) {
        signal_hook::low_level::unregister(self.action);
    }
}

/// Ends the process by a caught signal, so that the caller sees how it ended. Returns only if the system
/// refuses.
pub fn raise(number: i32) {
    let _ = signal_hook::low_level::emulate_default_handler(number);
}

/// Ends the process as the end of its terminal does. Returns only if the system refuses.
pub fn raise_hang_up() {
    raise(signal_hook::consts::SIGHUP);
}
