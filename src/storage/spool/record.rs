//! The format of the spool file.
//!
//! | bytes | of the file |
//! |---|---|
//! | 8 | `mqttspl2` |
//! | 8 | key: drawn at random for this file |
//! | 4 | CRC-32 of the client identifier that QoS 2 messages in flight belong to |
//! | 4 | CRC-32 of the 20 bytes before |
//!
//! and then records, one after the other:
//!
//! | bytes | of a record |
//! |---|---|
//! | 8 | key of the file |
//! | 4 | stage: 0 waiting, 1 sent, 2 received by the broker (PUBREC), 3 done; exclusive or of the two bytes after it; packet identifier, for stages 1 and 2 |
//! | 4 | length of the body |
//! | 4 | CRC-32 of the body |
//! | 4 | CRC-32 of the key, the record's offset in the file, and the two fields before |
//! | … | body: QoS, RETAIN and whether a time follows; that time; topic name, properties, payload |
//!
//! The time is that of intake, in milliseconds since 1970, in 8 bytes. Only messages with a Message Expiry
//! Interval have it, as the interval counts down in the spool; files of earlier versions do not have it at all.
//!
//! Numbers are little-endian. Stage and packet identifier are written in place, four bytes at a time, and the
//! header's checksum does not cover them; the rest never changes. A flipped bit in these four bytes gives an
//! invalid stage: the message then counts as waiting, and is sent once more rather than lost. That is not
//! reported.
//!
//! After damage the next record is found by its key. A payload cannot imitate a record: its author does not
//! know the key, and a copy of a record with its key (in a spool that is itself published through a spool)
//! has another offset. The header's own checksum makes the length trustworthy before the body is read, so
//! each byte of a file is read at most twice, whatever the content. (A checksum that covers the record
//! before, instead of offset and key, would do as well, but one damaged record would leave the records after
//! it unproven.)

use std::hash::{BuildHasher as _, RandomState};
use std::time::{Duration, SystemTime};

use crate::protocol::property::{Place, PropertyBlock, PropertyId};
use crate::protocol::wire::{LARGEST_PACKET_BYTES, PacketType, PublishTemplate};
use crate::protocol::{Protocol, QoS, topic};

/// The first bytes of every spool of this version.
pub(super) const MAGIC: [u8; 8] = *b"mqttspl2";
/// Size of the file's header, in bytes.
pub(super) const FILE_HEADER_LENGTH: usize = 24;
pub(super) const FILE_HEADER_BYTES: u64 = FILE_HEADER_LENGTH as u64;
/// Size of a record's header, in bytes.
pub(super) const HEADER_BYTES: usize = 24;
/// Offset of the bytes that change in a record.
pub(super) const STAGE_OFFSET: u64 = 8;
/// Offset of the bytes that never change in a record, and of their checksum.
const LENGTH_OFFSET: usize = 12;
const HEADER_SUM_OFFSET: usize = 20;

/// In the first byte of a body: the time follows.
const HAS_TIME: u8 = 8;
const TIME_BYTES: usize = 8;

/// The mark of the records of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Key([u8; 8]);

impl Key {
    pub(super) const BYTES: usize = 8;

    /// A key that cannot be guessed: the standard library seeds its hash maps from the system's random
    /// numbers.
    pub(super) fn random() -> Self {
        Self(RandomState::new().hash_one(MAGIC).to_le_bytes())
    }

    /// The position of its first occurrence.
    pub(super) fn find(self, bytes: &[u8]) -> Option<usize> {
        memchr::memmem::find(bytes, &self.0)
    }
}

/// The stage of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SpoolStage {
    Waiting,
    /// At QoS 2: sent with this packet identifier.
    Sent(u16),
    /// PUBREC was received for this packet identifier.
    Received(u16),
    Done,
}

impl SpoolStage {
    pub(super) fn encode(self) -> [u8; 4] {
        let (stage, identifier) = match self {
            Self::Waiting => (0, 0),
            Self::Sent(identifier) => (1, identifier),
            Self::Received(identifier) => (2, identifier),
            Self::Done => (3, 0),
        };
        let [low, high] = identifier.to_le_bytes();
        [stage, low ^ high, low, high]
    }

    /// An invalid stage counts as waiting: sending the message again is better than losing it.
    pub(super) fn decode(bytes: [u8; 4]) -> Self {
        let identifier = u16::from_le_bytes([bytes[2], bytes[3]]);
        if bytes[1] != bytes[2] ^ bytes[3] {
            return Self::Waiting;
        }
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
pub(super) struct RecordHeader {
    pub(super) stage: SpoolStage,
    pub(super) body_bytes: usize,
    body_sum: u32,
}

impl RecordHeader {
    /// The record header in these bytes, at this offset of the file with this key; `None` if there is none.
    pub(super) fn read(bytes: &[u8], key: Key, offset: u64) -> Option<Self> {
        let header: &[u8; HEADER_BYTES] = bytes.first_chunk()?;
        let (marker, rest) = header.split_first_chunk()?;
        let (stage, rest) = rest.split_first_chunk()?;
        let (length, rest) = rest.split_first_chunk()?;
        let (body_sum, header_sum) = rest.split_first_chunk()?;
        let length = u32::from_le_bytes(*length);
        let is_one = Key(*marker) == key
            && length <= LARGEST_PACKET_BYTES
            && header_sum == header_checksum(key, offset, header);
        is_one.then(|| Self {
            stage: SpoolStage::decode(*stage),
            body_bytes: length as usize,
            body_sum: u32::from_le_bytes(*body_sum),
        })
    }

    pub(super) fn record_bytes(&self) -> u64 {
        (HEADER_BYTES + self.body_bytes) as u64
    }

    /// Whether the body's checksum is the one in the header.
    pub(super) fn matches(&self, body: crc32fast::Hasher) -> bool {
        body.finalize() == self.body_sum
    }
}

/// The checksum of the header's constant fields and of its offset.
fn header_checksum(key: Key, offset: u64, header: &[u8; HEADER_BYTES]) -> [u8; 4] {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&key.0);
    sum.update(&offset.to_le_bytes());
    sum.update(&header[LENGTH_OFFSET..HEADER_SUM_OFFSET]);
    sum.finalize().to_le_bytes()
}

/// A message without its payload: the part that a publisher's messages share.
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
    /// Used to compute the maximum packet size: that of MQTT 5.
    pub(super) fn template(&self) -> PublishTemplate {
        let Self { qos, retain, topic, properties } = self;
        PublishTemplate::new(Protocol::V5, topic.as_bytes(), *qos, *retain, properties)
    }

    /// The size of the largest packet of a message with such a payload.
    #[must_use]
    pub fn packet_bytes(&self, payload_bytes: usize) -> usize {
        self.template().packet_bytes(payload_bytes)
    }

    /// The body of a record up to the payload, taken in now.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![self.qos as u8 | u8::from(self.retain) << 2];
        if self.properties.view().number(PropertyId::MessageExpiryInterval).is_some() {
            bytes[0] |= HAS_TIME;
            bytes.extend_from_slice(&[0; TIME_BYTES]);
            Self::take_in_now(&mut bytes);
        }
        for part in [self.topic.as_bytes(), self.properties.bytes()] {
            bytes.extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_le_bytes());
            bytes.extend_from_slice(part);
        }
        bytes
    }

    /// Sets the time of intake of an encoded envelope that has one.
    pub(super) fn take_in_now(encoded: &mut [u8]) {
        if let Some((flags, rest)) = encoded.split_first_mut()
            && *flags & HAS_TIME != 0
            && let Some(time) = rest.first_chunk_mut::<TIME_BYTES>()
        {
            let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
            *time = u64::try_from(now.as_millis()).unwrap_or(u64::MAX).to_le_bytes();
        }
    }

    /// The time of intake in a body, if it has one.
    pub(super) fn taken_in(body: &[u8]) -> Option<SystemTime> {
        let ([_, time, ..], _) = Self::parts(body)?;
        let milliseconds = u64::from_le_bytes(*time.first_chunk()?);
        SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(milliseconds))
    }

    /// The number of bytes of a body before its payload; 0 if it cannot be decoded.
    pub(super) fn measure(body: &[u8]) -> usize {
        Self::parts(body).map_or(0, |(_, rest)| body.len() - rest.len())
    }

    /// The envelope of a body, and why it must not be sent. An invalid body is decoded as far as possible.
    pub(super) fn decode(body: &[u8]) -> (Self, Option<String>) {
        let ([flags, _, topic, properties], _) = Self::parts(body).unwrap_or_default();
        let mut fault = None;
        let flags = flags.first().copied().unwrap_or_default();
        let qos = match flags & 3 {
            1 => QoS::AtLeastOnce,
            2 => QoS::ExactlyOnce,
            _ => {
                fault.get_or_insert_with(|| "its QoS is neither 1 nor 2".to_owned());
                QoS::AtLeastOnce
            }
        };
        match topic::check_name(topic) {
            Err(why) => {
                fault.get_or_insert_with(|| format!("topic: {why}"));
            }
            Ok(name) => {
                let why = topic::unwelcome(name).map(|why| format!("topic: {why}"));
                fault = fault.or(why);
            }
        }
        let place = Place::Packet(PacketType::Publish);
        let properties = PropertyBlock::decode(properties, place).unwrap_or_else(|_| {
            fault.get_or_insert_with(|| {
                format!("its properties cannot be read: {}", properties.escape_ascii())
            });
            PropertyBlock::default()
        });
        let why = properties.unwelcome().map(|(id, why)| format!("{}: {why}", id.name()));
        let response_topic = properties.view().text(PropertyId::ResponseTopic);
        let why = why.or_else(|| {
            Some(format!("response-topic: {}", topic::check_name(response_topic?.as_bytes()).err()?))
        });
        let topic = String::from_utf8_lossy(topic).into_owned();
        (Self { qos, retain: flags & 4 != 0, topic, properties }, fault.or(why))
    }

    /// Flags, time, topic and properties, and the bytes after them.
    fn parts(body: &[u8]) -> Option<([&[u8]; 4], &[u8])> {
        let (flags, rest) = body.split_at_checked(1)?;
        let (time, rest) = rest.split_at_checked(if flags[0] & HAS_TIME == 0 { 0 } else { TIME_BYTES })?;
        let (topic, rest) = counted(rest)?;
        let (properties, rest) = counted(rest)?;
        Some(([flags, time, topic, properties], rest))
    }
}

fn counted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_le_bytes(*length) as usize)
}

/// Appends one waiting message. `envelope` is [`Envelope::encode`]d. The record still has to be [`seal`]ed.
pub(super) fn put(out: &mut Vec<u8>, key: Key, envelope: &[u8], payload: &[u8]) {
    let length = u32::try_from(envelope.len() + payload.len()).unwrap_or(u32::MAX);
    let mut sum = crc32fast::Hasher::new();
    sum.update(envelope);
    sum.update(payload);
    out.extend_from_slice(&key.0);
    out.extend_from_slice(&SpoolStage::Waiting.encode());
    out.extend_from_slice(&length.to_le_bytes());
    out.extend_from_slice(&sum.finalize().to_le_bytes());
    out.extend_from_slice(&[0; HEADER_BYTES - HEADER_SUM_OFFSET]);
    out.extend_from_slice(envelope);
    out.extend_from_slice(payload);
}

/// Makes a record valid for the offset at which it will be written.
pub(super) fn seal(record: &mut [u8], key: Key, offset: u64) {
    if let Some(header) = record.first_chunk_mut::<HEADER_BYTES>() {
        let sum = header_checksum(key, offset, header);
        header[HEADER_SUM_OFFSET..].copy_from_slice(&sum);
    }
}

/// The first bytes of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileHeader {
    pub(super) key: Key,
    client: [u8; 4],
}

/// The kind of a file's first bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beginning {
    Whole(FileHeader),
    /// Only a part of a header, of this number of bytes.
    CutOff(usize),
    Foreign,
}

impl FileHeader {
    pub(super) fn new(key: Key, client_identifier: &str) -> Self {
        Self { key, client: crc32fast::hash(client_identifier.as_bytes()).to_le_bytes() }
    }

    /// Classifies the first [`FILE_HEADER_LENGTH`] bytes of a file, or fewer if it is shorter.
    pub(super) fn read(bytes: &[u8]) -> Beginning {
        let Some(bytes) = bytes.first_chunk::<FILE_HEADER_LENGTH>() else {
            let is_ours = MAGIC.starts_with(&bytes[..bytes.len().min(MAGIC.len())]);
            return if is_ours { Beginning::CutOff(bytes.len()) } else { Beginning::Foreign };
        };
        let (mut key, mut client) = ([0; 8], [0; 4]);
        key.copy_from_slice(&bytes[8..16]);
        client.copy_from_slice(&bytes[16..20]);
        let header = Self { key: Key(key), client };
        if header.encode() == *bytes { Beginning::Whole(header) } else { Beginning::Foreign }
    }

    pub(super) fn encode(&self) -> [u8; FILE_HEADER_LENGTH] {
        let mut header = [0; FILE_HEADER_LENGTH];
        header[..8].copy_from_slice(&MAGIC);
        header[8..16].copy_from_slice(&self.key.0);
        header[16..20].copy_from_slice(&self.client);
        let sum = crc32fast::hash(&header[..20]);
        header[20..].copy_from_slice(&sum.to_le_bytes());
        header
    }
}
