//! The payload of a load's messages: the stamp and the rest.

use std::path::Path;
use std::sync::Arc;

use bytes::BytesMut;

use super::super::client_values::ClientValues;
use super::super::config::Payload;
use super::super::stamp::{self, Stamp};
use super::super::topic::message_seed;
use crate::command::input::{FieldValues, MoreFields, TextTemplate};
use crate::error::Error;
use crate::file::{mark, read_at_most};
use crate::memory;
use crate::protocol::wire::LARGEST_PACKET_BYTES;

/// Maximum size of a file with payload lines: all of it is kept in memory.
const MOST_LINES_BYTES: u64 = 64 << 20;

/// The bytes of a message; only the stamp differs between messages.
#[derive(Debug, Clone, Default)]
pub(crate) struct StampedMessage {
    pub(crate) bytes: Vec<u8>,
    /// The hash of the bytes after the stamp.
    pub(crate) rest_hash: u64,
    /// The position of the stamp, if it is text and not at the start.
    pub(crate) stamp_at: Option<usize>,
    varying: Option<Varying>,
}

/// The part after the stamp, if it differs between messages.
#[derive(Debug, Clone)]
enum Varying {
    /// A text with the placeholders `{client}` and `{sequence}`.
    Numbers(Vec<u8>),
    Fields(Box<Fields>),
    /// One of these lines.
    Lines {
        content: Arc<[u8]>,
        ends: Arc<[usize]>,
        seed: u64,
    },
}

/// A text with fields.
#[derive(Debug, Clone)]
struct Fields {
    template: TextTemplate,
    clients: Arc<ClientValues>,
    values: FieldValues,
    filled: BytesMut,
    seed: u64,
}

impl StampedMessage {
    /// Reads the payload and fills it.
    ///
    /// # Errors
    /// A file that cannot be read or has invalid content, or no memory for the payload.
    pub(crate) fn new(payload: &Payload, rows: Option<&Arc<ClientValues>>, seed: u64) -> Result<Self, Error> {
        let mut random = fastrand::Rng::with_seed(seed);
        let head = [0; stamp::LONG_BYTES];
        let (bytes, varying) = match payload {
            Payload::Size(size) => {
                // Letters, which do not compress to almost nothing and do not disturb a terminal.
                let letters = std::iter::repeat_with(|| random.lowercase() as u8);
                let failed = |error| Error::file(format!("messages of {size} bytes"), error);
                let mut bytes = memory::zeros(*size).map_err(failed)?;
                bytes.iter_mut().zip(letters).for_each(|(byte, letter)| *byte = letter);
                (bytes, None)
            }
            Payload::Template(text) => {
                let varies = text.windows(8).any(|part| part == b"{client}")
                    || text.windows(10).any(|part| part == b"{sequence}");
                ([&head[..], text].concat(), varies.then(|| Varying::Numbers(text.clone())))
            }
            Payload::File(path) => ([&head[..], &content(path, LARGEST_PACKET_BYTES.into())?].concat(), None),
            Payload::Fields(text) => {
                (head.to_vec(), Some(Varying::Fields(Box::new(Fields::new(text, rows, seed)?))))
            }
            Payload::Lines(path) => {
                let mut content = content(path, MOST_LINES_BYTES)?;
                let mark = mark(&content).map_err(|error| unread(path, error))?;
                content.drain(..mark);
                let mut ends: Vec<usize> = memchr::memchr_iter(b'\n', &content).collect();
                if content.last().is_some_and(|last| *last != b'\n') {
                    ends.push(content.len());
                }
                if ends.is_empty() {
                    return Err(Error::usage(format!("{}: no line", path.display())));
                }
                (head.to_vec(), Some(Varying::Lines { content: content.into(), ends: ends.into(), seed }))
            }
        };
        let rest_hash = stamp::hash(&bytes[stamp::bytes_in(bytes.len())..]);
        let mut message = Self { bytes, rest_hash, stamp_at: None, varying };
        if !matches!(message.varying, Some(Varying::Numbers(_))) {
            message.fill(0, 0)?;
        }
        Ok(message)
    }

    /// Whether messages differ in more than their stamps.
    pub(crate) fn varies(&self) -> bool {
        self.varying.is_some()
    }

    /// Writes a stamp at its position in the payload.
    pub(crate) fn write_stamp(stamp: &Stamp, stamp_at: Option<usize>, payload: &mut [u8], rest_hash: u64) {
        match stamp_at {
            None => stamp.write(payload, rest_hash),
            Some(at) => {
                stamp.write_text(payload.get_mut(at..at + stamp::TEXT_BYTES).unwrap_or_default(), rest_hash);
            }
        }
    }

    /// Fills the part after the stamp for a message.
    ///
    /// # Errors
    /// The text with its fields exceeds the maximum size of a packet.
    #[inline]
    pub(crate) fn fill(&mut self, publisher: u32, sequence: u64) -> Result<(), Error> {
        if self.varying.is_some() { self.fill_varying(publisher, sequence) } else { Ok(()) }
    }

    #[inline(never)]
    fn fill_varying(&mut self, publisher: u32, sequence: u64) -> Result<(), Error> {
        let Some(varying) = &mut self.varying else { return Ok(()) };
        self.bytes.truncate(stamp::LONG_BYTES);
        match varying {
            Varying::Numbers(text) => put_numbers(text, publisher, sequence, &mut self.bytes),
            Varying::Fields(fields) => {
                let (filled, stamp_at) = fields.filled(publisher, sequence)?;
                if let Some(at) = stamp_at {
                    self.bytes.clear();
                    self.bytes.extend_from_slice(filled);
                    let (before, after) = (&self.bytes[..at], &self.bytes[at + stamp::TEXT_BYTES..]);
                    (self.rest_hash, self.stamp_at) = (stamp::hash_around(before, after), stamp_at);
                    return Ok(());
                }
                self.bytes.extend_from_slice(filled);
            }
            Varying::Lines { content, ends, seed } => {
                let place =
                    fastrand::Rng::with_seed(message_seed(*seed, publisher, sequence)).usize(..ends.len());
                let start = place.checked_sub(1).map_or(0, |before| ends[before] + 1);
                let line = &content[start..ends[place]];
                self.bytes.extend_from_slice(line.strip_suffix(b"\r").unwrap_or(line));
            }
        }
        self.rest_hash = stamp::hash(&self.bytes[stamp::LONG_BYTES..]);
        Ok(())
    }
}

fn content(path: &Path, most_bytes: u64) -> Result<Vec<u8>, Error> {
    read_at_most(path, most_bytes).map_err(|error| unread(path, error))
}

fn unread(path: &Path, error: std::io::Error) -> Error {
    Error::file(format!("cannot read {}", path.display()), error)
}

fn put_numbers(text: &[u8], publisher: u32, sequence: u64, out: &mut Vec<u8>) {
    let mut rest = text;
    while let Some(open) = memchr::memchr(b'{', rest) {
        out.extend_from_slice(&rest[..open]);
        rest = &rest[open..];
        let mut number = itoa::Buffer::new();
        let (digits, length) = if rest.starts_with(b"{client}") {
            (number.format(publisher), 8)
        } else if rest.starts_with(b"{sequence}") {
            (number.format(sequence), 10)
        } else {
            ("{", 1)
        };
        out.extend_from_slice(digits.as_bytes());
        rest = &rest[length..];
    }
    out.extend_from_slice(rest);
}

impl Fields {
    /// # Errors
    /// An unknown field, for example of a column that the file does not have.
    fn new(text: &[u8], clients: Option<&Arc<ClientValues>>, seed: u64) -> Result<Self, Error> {
        let clients = clients.cloned().unwrap_or_default();
        let place = |name: &str| clients.column(name);
        let stamp_bytes = Some(stamp::TEXT_BYTES);
        let more = MoreFields { columns: Some(&place), stamp_bytes, ..MoreFields::default() };
        let template =
            TextTemplate::parse_with(text, more).map_err(|why| Error::usage(format!("--payload: {why}")))?;
        let values = FieldValues::new(Some(seed));
        Ok(Self { template, clients, values, filled: BytesMut::new(), seed })
    }

    fn filled(&mut self, publisher: u32, sequence: u64) -> Result<(&[u8], Option<usize>), Error> {
        let random = message_seed(self.seed, publisher, sequence);
        self.values.start_of_client(publisher, self.clients.row(publisher), sequence + 1, random);
        self.filled.clear();
        self.template
            .fill(&mut self.values, &mut self.filled)
            .map_err(|why| Error::usage(format!("--payload: {why}")))?;
        Ok((&self.filled, self.values.stamp_at()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(payload: &Payload, rows: Option<&Arc<ClientValues>>, seed: u64) -> Vec<String> {
        let mut message = StampedMessage::new(payload, rows, seed).unwrap();
        let mut text = |publisher, sequence| {
            message.fill(publisher, sequence).unwrap();
            assert_eq!(message.rest_hash, stamp::hash(&message.bytes[stamp::LONG_BYTES..]));
            String::from_utf8(message.bytes[stamp::LONG_BYTES..].to_vec()).unwrap()
        };
        vec![text(0, 0), text(0, 1), text(1, 0), text(2, 7)]
    }

    #[test]
    fn fields_differ_between_messages_and_repeat_with_the_seed() {
        let folder = tempfile::tempdir().unwrap();
        let csv = folder.path().join("devices.csv");
        std::fs::write(&csv, "room,serial\nkitchen,A1\nhall,B2\n").unwrap();
        let text = br#"{{"n":{seq},"c":{client},"room":"{csv:room}","t":{rand:18.0..24.0:1}}}"#.to_vec();
        let payload = Payload::Fields(text);
        let rows = Arc::new(ClientValues::read(&csv, 3).unwrap());
        let texts = |seed| texts(&payload, Some(&rows), seed);
        let first = texts(1);
        assert!(first[0].starts_with(r#"{"n":1,"c":0,"room":"kitchen","t":"#), "{first:?}");
        assert!(first[2].starts_with(r#"{"n":1,"c":1,"room":"hall","t":"#), "{first:?}");
        assert!(first[3].starts_with(r#"{"n":8,"c":2,"room":"kitchen","t":"#), "{first:?}");
        assert_eq!(texts(1), first);
        assert_ne!(texts(2), first);
        for text in &first {
            serde_json::from_str::<serde_json::Value>(text).unwrap();
        }
    }

    #[test]
    fn a_text_with_a_stamp_stays_valid_json() {
        let text = br#"{{"n":{seq},"stamp":"{stamp}","t":{rand:1..1000000}}}"#.to_vec();
        let mut message = StampedMessage::new(&Payload::Fields(text), None, 1).unwrap();
        for sequence in [0, 9, 10_000] {
            message.fill(2, sequence).unwrap();
            let stamp = Stamp {
                run: 7,
                phase: stamp::Phase::Measure,
                publisher: 2,
                sequence,
                intended: 1,
                sent: Some(2),
            };
            let mut payload = message.bytes.clone();
            StampedMessage::write_stamp(&stamp, message.stamp_at, &mut payload, message.rest_hash);
            let json: serde_json::Value = serde_json::from_slice(&payload).unwrap();
            assert_eq!(json["n"], sequence + 1);
            assert!(json["stamp"].as_str().unwrap().starts_with("mqtt-bench-"), "{json}");
            assert_eq!(Stamp::find(&payload, Some(7)), stamp::Recognised::Whole(stamp));
        }
    }

    #[test]
    fn unknown_columns_are_refused() {
        let payload = Payload::Fields(b"{csv:room}".to_vec());
        let error = StampedMessage::new(&payload, None, 1).unwrap_err().to_string();
        assert!(error.contains("{csv:room}: there is no such column"), "{error}");
    }

    #[test]
    fn payload_lines_are_complete() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lines");
        std::fs::write(&path, "\u{feff}one\r\n\ntwo").unwrap();
        let mut message = StampedMessage::new(&Payload::Lines(path), None, 1).unwrap();
        let mut seen = std::collections::BTreeSet::new();
        for sequence in 0..100 {
            message.fill(0, sequence).unwrap();
            seen.insert(message.bytes[stamp::LONG_BYTES..].to_vec());
        }
        assert_eq!(seen.into_iter().collect::<Vec<_>>(), [&b""[..], b"one", b"two"]);
    }
}
