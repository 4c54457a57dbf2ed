//! Memory for data whose size others determine: a message, a packet, a line of a file. If a limit of the
//! process (`ulimit -v`) or of the system leaves no memory for it, that is an error of this item only; most
//! allocations would abort the process.

use std::hint::black_box;
use std::io::{self, ErrorKind};

/// Smaller amounts are assumed to be available.
pub const LARGE_BYTES: usize = 1 << 20;

/// Checks that this number of bytes can be allocated now.
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
    // The compiler could otherwise remove the unused allocation.
    black_box(&probe);
    Ok(())
}

/// A vector of this number of zeros.
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
    fn impossible_allocation_is_an_error() {
        spare(0).unwrap();
        spare(LARGE_BYTES).unwrap();
        assert_eq!(spare(1 << 60).unwrap_err().kind(), ErrorKind::OutOfMemory);
        assert_eq!(zeros(1 << 60).unwrap_err().kind(), ErrorKind::OutOfMemory);
        assert_eq!(zeros(3).unwrap(), [0; 3]);
    }
}
