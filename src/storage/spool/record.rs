//! The spool file's bytes.
//!
//! | bytes | of the file |
//! |---|---|
//! | 8 | `mqttspl1` |
//! | 4 | CRC-32 of the client identifier that QoS 2 messages under way belong to |
//! | 4 | zero |
//!
//! and then messages, one behind the other:
//!
//! | bytes | of a message |
//! |---|---|
//! | 4 | marker |
//! | 1 | stage: 0 waiting, 1 sent, 2 received by the server (PUBREC), 3 done |
//! | 1 | zero |
//! | 2 | packet identifier, for stages 1 and 2 |
//! | 4 | length of the body |
//! | 4 | CRC-32 of that length and the body |
//! | … | body: QoS and RETAIN, topic name, properties, payload |
//!
//! Numbers are little-endian. Stage and packet identifier are written in place, four bytes at a
//! time, and are not covered by the checksum; the rest never changes.

use crate::protocol::QoS;
use crate::protocol::property::{Place, PropertyBlock};
use crate::protocol::wire::{LARGEST_PACKET_BYTES, PacketType};

pub(super) const MAGIC: [u8; 8] = *b"mqttspl1";
/// Bytes of the file before the first message.
pub(super) const FILE_HEADER_LENGTH: usize = 16;
pub(super) const FILE_HEADER_BYTES: u64 = FILE_HEADER_LENGTH as u64;
/// Bytes of a message before its body.
pub(super) const HEADER_BYTES: usize = 16;
/// Where the changing bytes of a message begin.
pub(super) const STAGE_OFFSET: u64 = 4;

const MARKER: [u8; 4] = [0xF5, b'M', b'S', 0xF6];

/// How far a message has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    Waiting,
    /// At QoS 2: sent with this packet identifier.
    Sent(u16),
    /// PUBREC was received for this packet identifier.
    Received(u16),
    Done,
}

impl Stage {
    pub(super) fn encode(self) -> [u8; 4] {
        let (stage, identifier) = match self {
            Self::Waiting => (0, 0),
            Self::Sent(identifier) => (1, identifier),
            Self::Received(identifier) => (2, identifier),
            Self::Done => (3, 0),
        };
        let [low, high] = identifier.to_le_bytes();
        [stage, 0, low, high]
    }

    /// What makes no sense is a message that waits: to send it once more is better than to lose it.
    fn decode(bytes: [u8; 4]) -> Self {
        let identifier = u16::from_le_bytes([bytes[2], bytes[3]]);
        match (bytes[0], identifier) {
            (1, 1..) => Self::Sent(identifier),
            (2, 1..) => Self::Received(identifier),
            (3, 0) => Self::Done,
            _ => Self::Waiting,
        }
    }
}

/// The header of a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub(super) stage: Stage,
    pub(super) body_bytes: usize,
    checksum: u32,
}

impl Header {
    /// The header these bytes are, if they can be one.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let (marker, rest) = bytes.split_first_chunk::<4>()?;
        let (stage, rest) = rest.split_first_chunk::<4>()?;
        let (length, rest) = rest.split_first_chunk::<4>()?;
        let (checksum, _) = rest.split_first_chunk::<4>()?;
        let length = u32::from_le_bytes(*length);
        let possible = *marker == MARKER && length <= LARGEST_PACKET_BYTES;
        possible.then_some(Self {
            stage: Stage::decode(*stage),
            body_bytes: length as usize,
            checksum: u32::from_le_bytes(*checksum),
        })
    }

    pub(super) fn record_bytes(&self) -> u64 {
        (HEADER_BYTES + self.body_bytes) as u64
    }

    /// A sum to be updated with the body and compared by [`Header::matches`].
    pub(super) fn sum(&self) -> crc32fast::Hasher {
        let mut sum = crc32fast::Hasher::new();
        sum.update(&u32::try_from(self.body_bytes).unwrap_or(u32::MAX).to_le_bytes());
        sum
    }

    pub(super) fn matches(&self, sum: crc32fast::Hasher) -> bool {
        sum.finalize() == self.checksum
    }
}

/// Where the next message may begin: the first marker at or behind `from`.
pub(super) fn find_marker(bytes: &[u8], from: usize) -> Option<usize> {
    memchr::memmem::find(bytes.get(from..)?, &MARKER).map(|found| from + found)
}

/// A message without its payload: what stays the same from one to the next of a publisher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// 1 or 2.
    pub qos: QoS,
    /// RETAIN.
    pub retain: bool,
    /// A checked topic name.
    pub topic: String,
    /// PUBLISH properties, checked.
    pub properties: PropertyBlock,
}

impl Envelope {
    /// The body of a record up to the payload.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![self.qos as u8 | u8::from(self.retain) << 2];
        for part in [self.topic.as_bytes(), self.properties.bytes()] {
            bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
            bytes.extend_from_slice(part);
        }
        bytes
    }

    /// How many bytes of a body come before its payload.
    pub(super) fn measure(body: &[u8]) -> Option<usize> {
        let (_, rest) = Self::parts(body)?;
        Some(body.len() - rest.len())
    }

    /// The envelope of a body.
    pub(super) fn decode(body: &[u8]) -> Option<Self> {
        let ([flags, topic, properties], _) = Self::parts(body)?;
        let flags = *flags.first()?;
        let qos = match flags & 3 {
            1 => QoS::AtLeastOnce,
            2 => QoS::ExactlyOnce,
            _ => return None,
        };
        let topic = std::str::from_utf8(topic).ok()?.to_owned();
        let properties = PropertyBlock::decode(properties, Place::Packet(PacketType::Publish)).ok()?;
        Some(Self { qos, retain: flags & 4 != 0, topic, properties })
    }

    /// Flags, topic and properties, and what is behind them.
    fn parts(body: &[u8]) -> Option<([&[u8]; 3], &[u8])> {
        let (flags, rest) = body.split_at_checked(1)?;
        let (topic, rest) = counted(rest)?;
        let (properties, rest) = counted(rest)?;
        Some(([flags, topic, properties], rest))
    }
}

fn counted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}

/// Appends one message, waiting. `envelope` is [`Envelope::encode`]d.
pub(super) fn put(out: &mut Vec<u8>, envelope: &[u8], payload: &[u8]) {
    let length = u32::try_from(envelope.len() + payload.len()).unwrap_or(u32::MAX).to_le_bytes();
    let mut sum = crc32fast::Hasher::new();
    for part in [&length[..], envelope, payload] {
        sum.update(part);
    }
    out.extend_from_slice(&MARKER);
    out.extend_from_slice(&Stage::Waiting.encode());
    out.extend_from_slice(&length);
    out.extend_from_slice(&sum.finalize().to_le_bytes());
    out.extend_from_slice(envelope);
    out.extend_from_slice(payload);
}

/// The first bytes of a file.
pub(super) fn file_header(client_identifier: &str) -> [u8; FILE_HEADER_LENGTH] {
    let mut header = [0; FILE_HEADER_LENGTH];
    header[..8].copy_from_slice(&MAGIC);
    header[8..12].copy_from_slice(&crc32fast::hash(client_identifier.as_bytes()).to_le_bytes());
    header
}
