//! Compressed input: zstd and gzip, detected by their first bytes. No record begins with these bytes.
//!
//! An input may be several files in a row, each compressed or not: of a recording, the last file is not
//! compressed. So the format is detected again after a compressed part, and at the start of a line.

use std::io::{self, BufRead as _, BufReader, Read};
use std::mem;

use flate2::bufread::GzDecoder;
use zstd::stream::read::Decoder as ZstdDecoder;

/// The compression of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::command) enum Compression {
    Zstd,
    Gzip,
}

/// The format of an input by its first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::command) enum FirstBytes {
    Plain,
    Compressed(Compression),
    /// More bytes are needed.
    Open,
}

/// The magic numbers; zstd also has sixteen for skippable frames.
const GZIP: [u8; 2] = [0x1f, 0x8b];
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
const SKIPPABLE: [u8; 3] = [0x2a, 0x4d, 0x18];

impl FirstBytes {
    /// The format of an input that begins with these bytes.
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

/// The decompressed content of an input.
pub(super) struct Decompressed<R: Read> {
    part: InputPart<R>,
}

type Input<R> = BufReader<Pushed<R>>;

/// The format of the next bytes.
enum InputPart<R: Read> {
    /// Not yet detected.
    Open(Input<R>),
    /// Text; whether the next byte begins a line.
    Plain(Input<R>, bool),
    Gzip(GzDecoder<Input<R>>),
    Zstd(ZstdDecoder<'static, Input<R>>),
    /// The end, or an unreadable input.
    Over,
}

/// An input with bytes that were read ahead.
struct Pushed<R> {
    first: Vec<u8>,
    input: R,
}

impl<R: Read> Read for Pushed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.first.is_empty() {
            return self.input.read(buffer);
        }
        let count = buffer.len().min(self.first.len());
        buffer[..count].copy_from_slice(&self.first[..count]);
        self.first.drain(..count);
        Ok(count)
    }
}

/// The first bytes of compressed data; no record begins with them.
const SIGNS: [u8; 2] = [GZIP[0], ZSTD[0]];

/// The number of bytes of plain text before a place where compressed data may begin.
fn plain_bytes(bytes: &[u8], begins_line: bool) -> usize {
    if begins_line && bytes.first().is_some_and(|first| SIGNS.contains(first)) {
        return 0;
    }
    let places = SIGNS.map(|sign| memchr::memmem::find(bytes, &[b'\n', sign]));
    places.into_iter().flatten().min().map_or(bytes.len(), |line_feed| line_feed + 1)
}

impl<R: Read> Decompressed<R> {
    pub(super) fn new(input: R) -> Self {
        let input = BufReader::with_capacity(BUFFER_BYTES, Pushed { first: Vec::new(), input });
        Self { part: InputPart::Open(input) }
    }

    /// Waits for input and detects the format of the next part. `None` at the end.
    fn next_part(mut input: Input<R>) -> io::Result<Option<InputPart<R>>> {
        let mut first = Vec::new();
        loop {
            let known = FirstBytes::of(&first);
            if known != FirstBytes::Open {
                // The detected bytes precede the content of the buffer.
                let rest = input.buffer().to_vec();
                first.extend_from_slice(&rest);
                let mut pushed = input.into_inner();
                first.append(&mut pushed.first);
                pushed.first = first;
                let input = BufReader::with_capacity(BUFFER_BYTES, pushed);
                return Ok(Some(match known {
                    FirstBytes::Compressed(Compression::Gzip) => InputPart::Gzip(GzDecoder::new(input)),
                    FirstBytes::Compressed(Compression::Zstd) => {
                        InputPart::Zstd(ZstdDecoder::with_buffer(input)?.single_frame())
                    }
                    FirstBytes::Plain | FirstBytes::Open => InputPart::Plain(input, false),
                }));
            }
            match input.fill_buf() {
                Ok([]) if first.is_empty() => return Ok(None),
                // Too short for compressed data.
                Ok([]) => {
                    let mut pushed = input.into_inner();
                    pushed.first = first;
                    return Ok(Some(InputPart::Plain(BufReader::with_capacity(BUFFER_BYTES, pushed), false)));
                }
                Ok(bytes) => {
                    first.push(bytes[0]);
                    input.consume(1);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

const BUFFER_BYTES: usize = 64 * 1024;

impl<R: Read> Read for Decompressed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match mem::replace(&mut self.part, InputPart::Over) {
                InputPart::Over => return Ok(0),
                InputPart::Open(input) => match Self::next_part(input)? {
                    Some(part) => self.part = part,
                    None => return Ok(0),
                },
                InputPart::Plain(mut input, begins_line) => {
                    let bytes = match input.fill_buf() {
                        Ok(bytes) => bytes,
                        Err(error) => {
                            self.part = InputPart::Plain(input, begins_line);
                            return Err(error);
                        }
                    };
                    if bytes.is_empty() {
                        return Ok(0);
                    }
                    let plain = plain_bytes(bytes, begins_line);
                    if plain == 0 {
                        self.part = InputPart::Open(input);
                        continue;
                    }
                    let count = plain.min(buffer.len());
                    buffer[..count].copy_from_slice(&bytes[..count]);
                    let ends_line = bytes[count - 1] == b'\n';
                    input.consume(count);
                    self.part = InputPart::Plain(input, ends_line);
                    return Ok(count);
                }
                InputPart::Gzip(mut decoder) => match decoder.read(buffer) {
                    Ok(0) if !buffer.is_empty() => self.part = InputPart::Open(decoder.into_inner()),
                    read => {
                        self.part = InputPart::Gzip(decoder);
                        return read;
                    }
                },
                InputPart::Zstd(mut decoder) => match decoder.read(buffer) {
                    Ok(0) if !buffer.is_empty() => self.part = InputPart::Open(decoder.finish()),
                    read => {
                        self.part = InputPart::Zstd(decoder);
                        return read;
                    }
                },
            }
        }
    }
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
        Decompressed::new(input).read_to_end(&mut content).map(|_| content)
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
            // As in joined files.
            [gzip(&content[..70]), gzip(&content[70..])].concat(),
            [zstd(&content[..70]), zstd(&content[70..])].concat(),
        ] {
            assert!(read(&input).unwrap() == content, "{:?}", &input[..20]);
        }
        for short in [&b""[..], b"{", b"(", b"\x1f", b"(\xb5/"] {
            assert_eq!(read(short).unwrap(), short);
        }
    }

    /// A reader that returns at most this number of bytes at once.
    struct Slow<'a>(&'a [u8], usize);

    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(buffer.len()).min(self.0.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    /// The output of `cat day.jsonl.*.zst day.jsonl`, in any order and with reads of any size.
    #[test]
    fn files_of_several_forms_are_read_in_a_row() {
        type Form = fn(&[u8]) -> Vec<u8>;
        let part = |name: &str| {
            format!("{{\"topic\":\"{name}\",\"payload\":\"(\\u001f\"}}\n").repeat(500).into_bytes()
        };
        let (a, b, c, d) = (part("a"), part("b"), part("c"), part("d"));
        let expected = [&a[..], &b, &c, &d].concat();
        let forms: [Form; 3] = [gzip, zstd, <[u8]>::to_vec];
        for first in forms {
            for second in forms {
                for third in forms {
                    let input = [first(&a), second(&b), third(&c), first(&d)].concat();
                    for bytes in [1, 7, 4096, usize::MAX] {
                        let mut content = Vec::new();
                        Decompressed::new(Slow(&input, bytes)).read_to_end(&mut content).unwrap();
                        assert!(content == expected);
                    }
                }
            }
        }
        // Text that only resembles compressed data is unchanged.
        for text in [&b"{}\n(no\n\x1f\n"[..], b"(", b"{}\n(", b"\n\x1f"] {
            assert_eq!(read(text).unwrap(), text);
        }
    }

    #[test]
    fn cut_file_ends_early_and_damaged_one_is_invalid() {
        let content: Vec<u8> = (0..200_000_u32).flat_map(|n| format!("{n}\n").into_bytes()).collect();
        for whole in [gzip(&content), zstd(&content)] {
            let mut read = Vec::new();
            let cut = Decompressed::new(&whole[..whole.len() / 2]).read_to_end(&mut read);
            assert_eq!(cut.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
            assert!(!read.is_empty() && content.starts_with(&read));
        }
        // The checksum detects the damage.
        let mut damaged = gzip(&content);
        let half = damaged.len() / 2;
        damaged[half..half + 64].fill(0xff);
        let error = read(&damaged).unwrap_err();
        assert_ne!(error.kind(), io::ErrorKind::UnexpectedEof);
    }
}
