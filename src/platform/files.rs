//! Files: who may read them, what tells them apart, and reading and writing at a place.

use std::fs::{Metadata, OpenOptions};

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
