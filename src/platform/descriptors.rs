//! Descriptors of files, pipes and terminals that are open. On Windows they are handles.

use std::fs::File;
use std::io;

#[cfg(unix)]
pub(crate) use std::os::fd::{AsFd as AsDescriptor, BorrowedFd as BorrowedDescriptor};
#[cfg(windows)]
pub(crate) use std::os::windows::io::{AsHandle as AsDescriptor, BorrowedHandle as BorrowedDescriptor};

/// What a descriptor belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum DescriptorKind {
    File,
    Pipe,
    Socket,
    CharacterDevice,
    Other,
}

/// What this descriptor belongs to. Elsewhere than on Unix only files are told from the rest.
///
/// # Errors
/// The system's error.
pub(crate) fn kind(descriptor: &impl AsDescriptor) -> io::Result<DescriptorKind> {
    #[cfg(unix)]
    {
        use rustix::fs::FileType;
        Ok(match FileType::from_raw_mode(rustix::fs::fstat(descriptor)?.st_mode) {
            FileType::RegularFile => DescriptorKind::File,
            FileType::Fifo => DescriptorKind::Pipe,
            FileType::Socket => DescriptorKind::Socket,
            FileType::CharacterDevice => DescriptorKind::CharacterDevice,
            _ => DescriptorKind::Other,
        })
    }
    #[cfg(not(unix))]
    {
        let is_file = duplicate(descriptor)?.metadata()?.is_file();
        Ok(if is_file { DescriptorKind::File } else { DescriptorKind::Other })
    }
}

/// Another descriptor of the same open file, to be closed by itself.
///
/// # Errors
/// The descriptor is closed, or there are too many open files.
pub(crate) fn duplicate(descriptor: &impl AsDescriptor) -> io::Result<File> {
    #[cfg(unix)]
    let borrowed = descriptor.as_fd();
    #[cfg(not(unix))]
    let borrowed = descriptor.as_handle();
    borrowed.try_clone_to_owned().map(File::from)
}

/// The descriptor of standard output, without the buffer of the standard library.
#[cfg(unix)]
pub(crate) fn stdout() -> BorrowedDescriptor<'static> {
    rustix::stdio::stdout()
}

/// The handle of standard output, without the buffer of the standard library.
#[cfg(not(unix))]
pub(crate) fn stdout() -> BorrowedDescriptor<'static> {
    static STDOUT: std::sync::LazyLock<io::Stdout> = std::sync::LazyLock::new(io::stdout);
    STDOUT.as_handle()
}
