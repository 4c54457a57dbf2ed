//! Compressed input, read as what it is: zstd and gzip, known by their first bytes. No record begins with these.

use std::io::{self, BufReader, Cursor, Read};

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::command) enum Compression {
    Zstd,
    Gzip,
}

/// What is known of an input after its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::command) enum FirstBytes {
    Plain,
    Compressed(Compression),
    /// More bytes are needed to tell.
    Open,
}

/// The magic numbers; zstd also has frames to be skipped, sixteen numbers.
const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const SKIPPABLE: [u8; 3] = [0x2a, 0x4d, 0x18];

impl FirstBytes {
    /// Of an input that begins with these bytes.
    pub(in crate::command) fn of(bytes: &[u8]) -> Self {
        let is_zstd = |bytes: &[u8]| bytes.iter().zip(ZSTD).all(|(byte, magic)| *byte == magic);
        let is_skippable = |bytes: &[u8]| {
            bytes.iter().zip([0x50].iter().chain(&SKIPPABLE)).enumerate().all(|(at, (byte, magic))| {
                let byte = if at == 0 { byte & 0xf0 } else { *byte };
                byte == *magic
            })
        };
        let is_gzip = |bytes: &[u8]| bytes.iter().zip(GZIP).all(|(byte, magic)| *byte == magic);
        match bytes {
            [] => Self::Open,
            _ if is_zstd(bytes) || is_skippable(bytes) => {
                if bytes.len() < ZSTD.len() {
                    Self::Open
                } else {
                    Self::Compressed(Compression::Zstd)
                }
            }
            _ if is_gzip(bytes) => {
                if bytes.len() < GZIP.len() {
                    Self::Open
                } else {
                    Self::Compressed(Compression::Gzip)
                }
            }
            _ => Self::Plain,
        }
    }
}

/// The content of an input, compressed or not. Waits for its first bytes.
///
/// # Errors
/// It cannot be read.
pub(super) fn decompressed<'a>(mut input: impl Read + Send + 'a) -> io::Result<Box<dyn Read + Send + 'a>> {
    let mut first = Vec::new();
    let compression = loop {
        match FirstBytes::of(&first) {
            FirstBytes::Compressed(compression) => break Some(compression),
            FirstBytes::Plain => break None,
            FirstBytes::Open => {}
        }
        let mut byte = [0];
        match input.read(&mut byte) {
            Ok(0) => break None,
            Ok(_) => first.extend_from_slice(&byte),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    };
    let whole = Cursor::new(first).chain(input);
    Ok(match compression {
        None => Box::new(whole),
        Some(Compression::Gzip) => Box::new(flate2::bufread::MultiGzDecoder::new(BufReader::new(whole))),
        Some(Compression::Zstd) => Box::new(zstd::stream::read::Decoder::new(whole)?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn zstd(content: &[u8]) -> Vec<u8> {
        zstd::stream::encode_all(content, 0).unwrap()
    }

    fn read(input: &[u8]) -> io::Result<Vec<u8>> {
        let mut content = Vec::new();
        decompressed(input)?.read_to_end(&mut content).map(|_| content)
    }

    #[test]
    fn every_form_is_read() {
        let content = b"{\"topic\":\"a\"}\n".repeat(1000);
        let skippable = [0x5a, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 7, 7];
        for input in [
            content.clone(),
            gzip(&content),
            zstd(&content),
            [&skippable[..], &zstd(&content)].concat(),
            // As they are when files are joined.
            [gzip(&content[..70]), gzip(&content[70..])].concat(),
            [zstd(&content[..70]), zstd(&content[70..])].concat(),
        ] {
            assert!(read(&input).unwrap() == content, "{:?}", &input[..20]);
        }
        for short in [&b""[..], b"{", b"(", b"\x1f", b"(\xb5/"] {
            assert_eq!(read(short).unwrap(), short);
        }
    }

    #[test]
    fn cut_file_ends_early_and_damaged_one_is_invalid() {
        let content: Vec<u8> = (0..200_000_u32).flat_map(|n| format!("{n}\n").into_bytes()).collect();
        for whole in [gzip(&content), zstd(&content)] {
            let mut read = Vec::new();
            let cut = decompressed(&whole[..whole.len() / 2]).unwrap().read_to_end(&mut read);
            assert_eq!(cut.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
            assert!(!read.is_empty() && content.starts_with(&read));
        }
        // Its checksum tells.
        let mut damaged = gzip(&content);
        let half = damaged.len() / 2;
        damaged[half..half + 64].fill(0xff);
        let error = read(&damaged).unwrap_err();
        assert_ne!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
