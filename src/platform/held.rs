//! Input that stays in its pipe until it is released.
//!
//! `tee(2)` copies the content of a pipe and leaves it there. A writer that checks whether the pipe is empty,
//! as `mqtt sub` does before it acknowledges, then learns when its output is stored and not when it was read.
//! Only Linux can copy a pipe; elsewhere input leaves its pipe when it is read.

use std::io;

use super::descriptors::AsDescriptor;

/// An input and, if it is a pipe, the pipe it is copied into.
pub(crate) struct HeldInput<F> {
    input: F,
    #[cfg(target_os = "linux")]
    copy: Option<linux::Copy>,
}

/// The state of a pipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct PipeState {
    /// The number of bytes in it.
    pub(crate) bytes: u64,
    /// Whether there was no writer before the bytes were counted: no more will follow.
    pub(crate) is_last: bool,
}

#[cfg(target_os = "linux")]
impl<F: AsDescriptor> HeldInput<F> {
    pub(crate) fn new(input: F) -> io::Result<Self> {
        let copy = linux::Copy::of(input.as_fd())?;
        Ok(Self { input, copy })
    }

    /// Whether the input stays in its pipe until it is released.
    pub(crate) fn is_held(&self) -> bool {
        self.copy.is_some()
    }

    /// Reads the available input, or waits for it; 0 at the end.
    pub(crate) fn look(&self, block: &mut [u8]) -> io::Result<usize> {
        match &self.copy {
            Some(copy) => Ok(copy.look(self.input.as_fd(), block)?),
            None => read(&self.input, block),
        }
    }

    /// Removes the last input from the pipe; it is written into `block` again.
    pub(crate) fn release(&self, block: &mut [u8]) -> io::Result<()> {
        if self.copy.is_some() { Ok(linux::read_all(&self.input, block)?) } else { Ok(()) }
    }

    /// The state of a pipe that holds its input.
    pub(crate) fn state(&self) -> io::Result<PipeState> {
        Ok(linux::state(self.input.as_fd())?)
    }
}

/// Other systems cannot copy a pipe.
#[cfg(not(target_os = "linux"))]
#[allow(clippy::unused_self, clippy::unnecessary_wraps, reason = "as on Linux")]
impl<F: AsDescriptor> HeldInput<F> {
    pub(crate) fn new(input: F) -> io::Result<Self> {
        Ok(Self { input })
    }

    pub(crate) fn is_held(&self) -> bool {
        false
    }

    pub(crate) fn look(&self, block: &mut [u8]) -> io::Result<usize> {
        read(&self.input, block)
    }

    pub(crate) fn release(&self, _block: &mut [u8]) -> io::Result<()> {
        Ok(())
    }

    /// No pipe holds its input.
    pub(crate) fn state(&self) -> io::Result<PipeState> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

impl<F: AsDescriptor> HeldInput<F> {
    /// The first bytes of the input, as many as fit, without reading them. Elsewhere than on Unix there are none.
    pub(crate) fn first_bytes<'a>(&self, block: &'a mut [u8]) -> io::Result<&'a [u8]> {
        #[cfg(unix)]
        let count = match rustix::fs::seek(&self.input, rustix::fs::SeekFrom::Current(0)) {
            Ok(position) => rustix::io::pread(&self.input, &mut *block, position)?,
            // Any other input than a file or a pipe would lose them.
            Err(_) if self.is_held() => self.look(block)?,
            Err(_) => 0,
        };
        #[cfg(not(unix))]
        let count = 0;
        Ok(&block[..count])
    }

    /// The input itself.
    pub(crate) fn input(&self) -> &F {
        &self.input
    }
}

/// Bypasses the standard library's buffer, which would read ahead.
fn read(input: &impl AsDescriptor, block: &mut [u8]) -> io::Result<usize> {
    #[cfg(unix)]
    {
        Ok(rustix::io::read(input, block)?)
    }
    #[cfg(not(unix))]
    {
        io::Read::read(&mut super::descriptors::duplicate(input)?, block)
    }
}

#[cfg(target_os = "linux")]
mod linux {
    use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

    use rustix::event::{PollFd, PollFlags, Timespec, poll};
    use rustix::fs::{FileType, fstat};
    use rustix::io::{Errno, ioctl_fionread, read};
    use rustix::pipe::{PipeFlags, SpliceFlags, pipe_with, tee};

    use super::PipeState;

    /// A pipe for the copies; it is empty between two calls.
    pub(super) struct Copy {
        reader: OwnedFd,
        writer: OwnedFd,
    }

    impl Copy {
        /// `None` if the input is not a pipe.
        pub(super) fn of(input: BorrowedFd<'_>) -> Result<Option<Self>, Errno> {
            if FileType::from_raw_mode(fstat(input)?.st_mode) != FileType::Fifo {
                return Ok(None);
            }
            let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
            Ok(Some(Self { reader, writer }))
        }

        pub(super) fn look(&self, input: BorrowedFd<'_>, block: &mut [u8]) -> Result<usize, Errno> {
            let count = tee(input, &self.writer, block.len(), SpliceFlags::empty())?;
            read_all(&self.reader, &mut block[..count])?;
            Ok(count)
        }
    }

    pub(super) fn state(pipe: BorrowedFd<'_>) -> Result<PipeState, Errno> {
        let mut watched = [PollFd::from_borrowed_fd(pipe, PollFlags::IN)];
        poll(&mut watched, Some(&Timespec::default()))?;
        // A writer that is known to be gone writes no more before the bytes are counted.
        let is_last = watched[0].revents().contains(PollFlags::HUP);
        Ok(PipeState { bytes: ioctl_fionread(pipe)?, is_last })
    }

    /// Reads bytes that are known to be available.
    pub(super) fn read_all(pipe: impl AsFd, block: &mut [u8]) -> Result<(), Errno> {
        let mut count = 0;
        while count < block.len() {
            match read(&pipe, &mut block[count..]) {
                // Another program reads from the same pipe.
                Ok(0) => return Err(Errno::PIPE),
                Ok(more) => count += more,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => {
                    poll(&mut [PollFd::new(&pipe, PollFlags::IN)], None)?;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use rustix::io::ioctl_fionread;
    use std::io::{Seek as _, Write as _};

    #[test]
    fn what_is_read_stays_in_the_pipe_until_it_is_released() {
        let (reader, mut writer) = std::io::pipe().unwrap();
        let input = HeldInput::new(reader).unwrap();
        let mut block = [0; 4];
        for (text, read) in [(&b"abcdef"[..], &b"abcd"[..]), (b"gh", b"efgh")] {
            writer.write_all(text).unwrap();
            let before = ioctl_fionread(&writer).unwrap();
            for _ in 0..2 {
                assert_eq!(input.look(&mut block).unwrap(), 4);
                assert_eq!((&block[..], ioctl_fionread(&writer)), (read, Ok(before)));
            }
            input.release(&mut block).unwrap();
            assert_eq!((&block[..], ioctl_fionread(&writer)), (read, Ok(before - 4)));
        }
        writer.write_all(b"i").unwrap();
        assert_eq!(input.first_bytes(&mut block).unwrap(), b"i");
        input.release(&mut block[..1]).unwrap();
        drop(writer);
        assert_eq!(input.look(&mut block).unwrap(), 0);
    }

    #[test]
    fn a_file_is_read_as_it_is() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(b"abcdef").unwrap();
        file.rewind().unwrap();
        let input = HeldInput::new(file).unwrap();
        let mut block = [0; 4];
        for read in [&b"abcd"[..], b"ef", b""] {
            assert_eq!(input.first_bytes(&mut block).unwrap(), read);
            let count = input.look(&mut block).unwrap();
            assert_eq!(&block[..count], read);
            input.release(&mut block[..count]).unwrap();
        }
    }
}
