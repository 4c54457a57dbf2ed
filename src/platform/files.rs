//! Files: who may read them, their kinds and locks, what tells them apart, and reading and writing at a place.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::path::Path;

/// Reading and writing at a place of a file. Elsewhere than on Unix this also moves the place of the next read or write,
/// which must not be relied upon.
#[cfg(unix)]
pub(crate) use std::os::unix::fs::FileExt as PositionedFile;

#[cfg(windows)]
pub(crate) use self::windows::PositionedFile;

/// Has a new file readable and writable by its owner only. Elsewhere than on Unix its folder decides.
pub(crate) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    options
}

/// What tells a file from all others of this machine, whatever its name is. Elsewhere than on Unix it is not known.
#[cfg_attr(unix, allow(clippy::unnecessary_wraps, reason = "elsewhere there is none"))]
pub(crate) fn identity(file: &Metadata) -> Option<(u64, u64)> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        Some((file.dev(), file.ino()))
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        None
    }
}

/// The permissions and the owner of a file. Elsewhere than on Unix there are none that can be compared.
#[cfg_attr(unix, allow(clippy::unnecessary_wraps, reason = "elsewhere there are none"))]
pub(crate) fn mode_and_owner(file: &Metadata) -> Option<(u32, u32)> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        Some((file.mode(), file.uid()))
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        None
    }
}

/// Has opening a pipe or a device not wait for the other end. Elsewhere than on Unix it never does.
pub(crate) fn without_waiting(options: &mut OpenOptions) -> &mut OpenOptions {
    #[cfg(unix)]
    {
        let flags = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
        std::os::unix::fs::OpenOptionsExt::custom_flags(options, flags);
    }
    options
}

/// Whether it is a named pipe. Elsewhere than on Unix none is a file.
pub(crate) fn is_pipe(file: &Metadata) -> bool {
    #[cfg(unix)]
    {
        std::os::unix::fs::FileTypeExt::is_fifo(&file.file_type())
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        false
    }
}

/// Whether it is a terminal or another character device. Elsewhere than on Unix none is a file.
pub(crate) fn is_character_device(file: &Metadata) -> bool {
    #[cfg(unix)]
    {
        std::os::unix::fs::FileTypeExt::is_char_device(&file.file_type())
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        false
    }
}

/// Whether this process may read a file. Elsewhere than on Unix it is opened to see that.
///
/// # Errors
/// The system's error, if it may not.
pub(crate) fn check_readable(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        Ok(rustix::fs::access(path, rustix::fs::Access::READ_OK)?)
    }
    #[cfg(not(unix))]
    {
        File::open(path).map(drop)
    }
}

/// Whether this process may execute a file. Elsewhere than on Unix it need only be there.
///
/// # Errors
/// The system's error, if it may not.
pub(crate) fn check_executable(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        Ok(rustix::fs::access(path, rustix::fs::Access::EXEC_OK)?)
    }
    #[cfg(not(unix))]
    {
        std::fs::metadata(path).map(drop)
    }
}

/// Whether standard input was closed when this process started: the standard library has then opened the null device in
/// its place, for reading and writing. A user who wants the null device opens it for reading only. Elsewhere than on
/// Unix this is not known, and closed input is empty.
///
/// # Errors
/// The system's error.
#[cfg_attr(not(unix), allow(clippy::unnecessary_wraps, reason = "as on Unix"))]
pub(crate) fn stdin_was_closed() -> io::Result<bool> {
    #[cfg(unix)]
    {
        use rustix::fs::{OFlags, fcntl_getfl, fstat, stat};
        let stdin = rustix::stdio::stdin();
        if fcntl_getfl(stdin)? & OFlags::RWMODE != OFlags::RDWR {
            return Ok(false);
        }
        let (input, null) = (fstat(stdin)?, stat("/dev/null"));
        Ok(null.is_ok_and(|null| (null.st_dev, null.st_ino) == (input.st_dev, input.st_ino)))
    }
    #[cfg(not(unix))]
    {
        Ok(false)
    }
}

/// Makes a symbolic link. On Windows the user needs the right to make links to files.
///
/// # Errors
/// The system's error.
pub(crate) fn link(target: &Path, link: &Path) -> io::Result<()> {
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink(target, link)
    }
    #[cfg(windows)]
    {
        std::os::windows::fs::symlink_file(target, link)
    }
}

/// Locks an open file, unless another process has a lock on it that excludes this one. The lock ends with the file, or
/// with the process. On Unix other programs may ignore it; on Windows they cannot read or write the file.
///
/// # Errors
/// [`io::ErrorKind::WouldBlock`]: another process holds the lock. The system's error, if it has no locks for this file.
pub(crate) fn try_lock(file: &File, is_shared: bool) -> io::Result<()> {
    #[cfg(unix)]
    {
        use rustix::fs::{FlockOperation, flock};
        let exclusive = FlockOperation::NonBlockingLockExclusive;
        let operation = if is_shared { FlockOperation::NonBlockingLockShared } else { exclusive };
        Ok(flock(file, operation)?)
    }
    #[cfg(not(unix))]
    {
        // From Rust 1.89 on.
        let locked = if is_shared { file.try_lock_shared() } else { file.try_lock() };
        locked.map_err(io::Error::from)
    }
}

#[cfg(windows)]
mod windows {
    use std::fs::File;
    use std::io::{self, ErrorKind};
    use std::os::windows::fs::FileExt as _;

    /// Reading and writing at a place of a file.
    pub(crate) trait PositionedFile {
        fn read_at(&self, bytes: &mut [u8], place: u64) -> io::Result<usize>;
        fn read_exact_at(&self, bytes: &mut [u8], place: u64) -> io::Result<()>;
        fn write_all_at(&self, bytes: &[u8], place: u64) -> io::Result<()>;
    }

    impl PositionedFile for File {
        fn read_at(&self, bytes: &mut [u8], place: u64) -> io::Result<usize> {
            self.seek_read(bytes, place)
        }

        fn read_exact_at(&self, mut bytes: &mut [u8], mut place: u64) -> io::Result<()> {
            while !bytes.is_empty() {
                match self.seek_read(bytes, place) {
                    Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                    Ok(count) => {
                        bytes = &mut bytes[count..];
                        place += count as u64;
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        }

        fn write_all_at(&self, mut bytes: &[u8], mut place: u64) -> io::Result<()> {
            while !bytes.is_empty() {
                match self.seek_write(bytes, place) {
                    Ok(0) => return Err(ErrorKind::WriteZero.into()),
                    Ok(count) => {
                        bytes = &bytes[count..];
                        place += count as u64;
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(())
        }
    }
}
