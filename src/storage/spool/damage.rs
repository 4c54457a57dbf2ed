//! Keeps the bytes that are skipped in a damaged spool: a person may recover more from them than the next
//! run.

use std::fs::File;
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use super::super::private;
use super::BLOCK_BYTES;
use crate::platform::files::PositionedFile as _;

/// Copies ranges of a spool to a file next to it, named by their checksum: damage that the next run finds
/// again is kept once.
pub(super) fn keep(path: &Path, file: &File, ranges: &[(u64, u64)]) -> io::Result<PathBuf> {
    let mut sum = crc32fast::Hasher::new();
    read(file, ranges, |block| {
        sum.update(block);
        Ok(())
    })?;
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".damaged-{:08x}", sum.finalize()));
    let name = PathBuf::from(name);
    let mut kept = match private().create_new(true).open(&name) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(name),
        kept => kept?,
    };
    let written = read(file, ranges, |block| kept.write_all(block)).and_then(|()| kept.sync_all());
    if let Err(error) = written {
        // A partial copy must not pass for a complete one.
        let _ = std::fs::remove_file(&name);
        return Err(error);
    }
    Ok(name)
}

fn read(file: &File, ranges: &[(u64, u64)], mut each: impl FnMut(&[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut block = vec![0; BLOCK_BYTES];
    for (mut from, to) in ranges.iter().copied() {
        while from < to {
            let count = usize::try_from(to - from).unwrap_or(usize::MAX).min(BLOCK_BYTES);
            file.read_exact_at(&mut block[..count], from)?;
            each(&block[..count])?;
            from += count as u64;
        }
    }
    Ok(())
}
