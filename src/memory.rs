//! Memory for what others make large: a message, a packet, a line of a file. Where a limit of the process (`ulimit -v`)
//! or of the system leaves no room for it, that is an error of this one thing; most ways to ask for memory would end
//! the process.

use std::hint::black_box;
use std::io::{self, ErrorKind};

/// What is smaller is there, or nothing works any more.
pub const LARGE_BYTES: usize = 1 << 20;

/// Whether there is memory for so many more bytes now.
///
/// # Errors
/// [`ErrorKind::OutOfMemory`].
#[inline]
pub fn spare(bytes: usize) -> io::Result<()> {
    if bytes < LARGE_BYTES { Ok(()) } else { try_to_get(bytes) }
}

#[cold]
fn try_to_get(bytes: usize) -> io::Result<()> {
    let mut probe = Vec::<u8>::new();
    probe.try_reserve_exact(bytes).map_err(|_| ErrorKind::OutOfMemory)?;
    // What nobody looks at need not be asked for.
    black_box(&probe);
    Ok(())
}

/// So many bytes, all of them 0.
///
/// # Errors
/// [`ErrorKind::OutOfMemory`].
pub fn zeros(count: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(count).map_err(|_| ErrorKind::OutOfMemory)?;
    bytes.resize(count, 0);
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_there_can_be_is_an_error() {
        spare(0).unwrap();
        spare(LARGE_BYTES).unwrap();
        assert_eq!(spare(1 << 60).unwrap_err().kind(), ErrorKind::OutOfMemory);
        assert_eq!(zeros(1 << 60).unwrap_err().kind(), ErrorKind::OutOfMemory);
        assert_eq!(zeros(3).unwrap(), [0; 3]);
    }
}
