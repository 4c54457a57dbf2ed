//! Reading what a user names, within a limit: a device, or a pipe, may have no end.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// How much is asked for at first where nobody knows how much there is.
const FIRST_BYTES: usize = 64 * 1024;

/// The content of a file of at most so many bytes.
///
/// # Errors
/// Those of the file, and its length.
pub fn read_at_most(path: &Path, most_bytes: u64) -> io::Result<Vec<u8>> {
    let most = usize::try_from(most_bytes).unwrap_or(usize::MAX);
    read_all(File::open(path)?, most, 0)?
        .ok_or_else(|| io::Error::other(format!("it is longer than {} KiB", most_bytes / 1024)))
}

/// Everything up to the end; `None` if that is more than so many bytes. `expected`: about how many it
/// will be. Memory grows with what is there, and not beyond the limit.
///
/// # Errors
/// Those of the input, and that there is no memory.
pub fn read_all(mut input: impl Read, most_bytes: usize, expected: usize) -> io::Result<Option<Vec<u8>>> {
    let limit = most_bytes.saturating_add(1);
    let mut content = Vec::new();
    loop {
        if content.len() == limit {
            return Ok(None);
        }
        let more = content.len().max(expected.saturating_add(1)).max(FIRST_BYTES);
        let room = more.min(limit - content.len());
        content.try_reserve_exact(room).map_err(|_| io::ErrorKind::OutOfMemory)?;
        let read = input.by_ref().take(room as u64).read_to_end(&mut content)?;
        if read < room {
            return Ok(Some(content));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_has_a_limit() {
        let input = vec![b'x'; 300_000];
        for (most, expected) in [(300_000, 0), (300_000, 300_000), (usize::MAX, 7), (300_001, 1_000_000)] {
            let content = read_all(&input[..], most, expected).unwrap();
            assert_eq!(content.as_deref(), Some(&input[..]), "{most} {expected}");
        }
        for most in [0, 1, 64 * 1024, 299_999] {
            assert_eq!(read_all(&input[..], most, 0).unwrap(), None, "{most}");
        }
        assert_eq!(read_all(&b""[..], 0, 0).unwrap(), Some(Vec::new()));
        assert_eq!(read_all(io::repeat(0), 1_000_000, 0).unwrap(), None);
    }
}
