//! Reading files that a user names.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

/// The content of a file of at most so many bytes: a device, or a pipe, may have no end.
///
/// # Errors
/// Those of the file, and its length.
pub fn read_at_most(path: &Path, most_bytes: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    let length = File::open(path)?.take(most_bytes + 1).read_to_end(&mut content)?;
    if length as u64 > most_bytes {
        return Err(io::Error::other(format!("it is longer than {} KiB", most_bytes / 1024)));
    }
    Ok(content)
}
