//! The stamp at the start of every payload: run, publisher, sequence number, send time, and a check over the whole
//! payload.
//!
//! The long form has 32 bytes, four little-endian words:
//!
//! | word | bits 0–… |
//! |---|---|
//! | 0 | run 32, phase 8, check 24 |
//! | 1 | publisher 24, sequence 40 |
//! | 2 | intended send time, ns of the monotonic clock |
//! | 3 | actual send time, ns of the monotonic clock |
//!
//! The short form is for payloads without room for the long form. It has 16 bytes and no actual send time:
//!
//! | word | bits 0–… |
//! |---|---|
//! | 0 | run 8, intended send time 40 (the lowest bits of its count of 256 ns), check 16 |
//! | 1 | publisher 24, phase 1, sequence 39 |
//!
//! The text form is for payloads that must stay text, such as JSON: the mark `mqtt-bench-` and the 32 bytes of the
//! long form in base64 (RFC 4648, URL-safe and without padding), at the position of `{stamp}` in the payload.
//!
//! The check detects a damaged message; one of 16 million is undetected, in the short form one of 65,536. A message
//! of another run is mistaken for one of this run if check and run match by accident: one of 16 million in the short
//! form.
//!
//! The second part of this module decides whether a message of a flow is new, late or a duplicate. A flow is the
//! messages, numbered from 0, of one publisher on one topic to one subscriber or one group of subscribers.
//!
//! Memory is constant: one bit for each of the latest messages. An older message counts as stale, neither as new nor
//! as a duplicate, and the report has the number of stale messages.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;

/// Length of a stamp in its long form, in bytes.
pub const LONG_BYTES: usize = 32;
/// Length of a stamp as text, in bytes.
pub const TEXT_BYTES: usize = MARK.len() + 43;
/// The start of a stamp as text.
const MARK: &[u8; 11] = b"mqtt-bench-";
/// Length of a stamp in its short form, in bytes. Shorter payloads have no stamp and are only counted.
pub const SHORT_BYTES: usize = 16;
/// Maximum number of publishers that stamps can distinguish.
pub const MOST_CLIENTS: u32 = 1 << 24;

const SEQUENCE_BITS: u32 = 40;
const CHECK_SHIFT: u32 = 40;
const SHORT_SEQUENCE_BITS: u32 = 39;
const SHORT_RUN_BITS: u32 = 8;
const SHORT_TIME_BITS: u32 = 40;
const SHORT_CHECK_SHIFT: u32 = SHORT_RUN_BITS + SHORT_TIME_BITS;
/// The time unit of the short form is 2 to the power of this, in nanoseconds.
const SHORT_TIME_UNIT: u32 = 8;
/// The maximum time in flight of a message whose run is unknown, in nanoseconds: an hour. Without the run,
/// longer times distinguish the short form from other payloads of 16 bytes or more.
const LONGEST_IN_FLIGHT: u64 = 3_600_000_000_000;

/// The phase in which a message was to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Warmup = 0,
    Measure = 1,
}

/// The timeline of a run, in nanoseconds of the monotonic clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Timeline {
    /// When the first message is due.
    pub(super) start: u64,
    /// When the first message of the measurement is due.
    pub(super) measure: u64,
    /// No message is due from here on; `u64::MAX` until the end is known.
    pub(super) end: u64,
}

impl Timeline {
    /// Of a load that did not start.
    pub(super) const NONE: Self = Self { start: 0, measure: 0, end: 0 };
    /// Before the start of the run.
    pub(super) const NEVER: Self = Self { start: u64::MAX, measure: u64::MAX, end: u64::MAX };

    pub(super) fn phase(&self, intended: u64) -> Phase {
        if intended < self.measure { Phase::Warmup } else { Phase::Measure }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) run: u32,
    pub(super) phase: Phase,
    pub(super) publisher: u32,
    pub(super) sequence: u64,
    /// Nanoseconds of the monotonic clock.
    pub(super) intended: u64,
    /// Nanoseconds of the monotonic clock; absent in the short form.
    pub(super) sent: Option<u64>,
}

/// The length of the stamp in a payload of this length.
pub(super) const fn bytes_in(payload_bytes: usize) -> usize {
    match payload_bytes {
        LONG_BYTES.. => LONG_BYTES,
        SHORT_BYTES.. => SHORT_BYTES,
        _ => 0,
    }
}

/// The result of checking a received payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recognised {
    /// Undamaged.
    Whole(Stamp),
    /// A stamp of this run, but a damaged message.
    Corrupt,
    /// Not of this run, or without a stamp.
    Foreign,
}

/// A hash of bytes, eight at a time; it detects accidental damage only.
pub(super) fn hash(bytes: &[u8]) -> u64 {
    let mut state = 0x9E37_79B9_7F4A_7C15 ^ bytes.len() as u64;
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        state = mix(state ^ u64::from_le_bytes(*word));
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    mix(state ^ u64::from_le_bytes(last))
}

/// The hash of the bytes around a stamp as text.
pub(super) fn hash_around(before: &[u8], after: &[u8]) -> u64 {
    hash(before).rotate_left(17) ^ hash(after)
}

fn mix(value: u64) -> u64 {
    multiply(value, 0xA076_1D64_78BD_642F)
}

/// Both halves of the product, folded.
fn multiply(one: u64, other: u64) -> u64 {
    let product = u128::from(one) * u128::from(other);
    let [low, high] = [product & u128::from(u64::MAX), product >> 64];
    u64::try_from(low ^ high).unwrap_or(0)
}

/// Two products that do not depend on each other, because this is computed for every message.
fn check([a, b, c, d]: [u64; 4], rest: u64) -> u64 {
    let head = multiply(a ^ 0xE703_7ED1_A0B4_28DB, b ^ 0x8EBC_6AF0_9C88_C6E3);
    let times = multiply(c ^ 0x5899_65CC_7537_4CC3, d.rotate_left(32) ^ 0x1D8E_4E27_C47D_124F);
    mix(head ^ times.rotate_left(23) ^ rest) >> CHECK_SHIFT
}

fn short_check([a, b]: [u64; 2], rest: u64) -> u64 {
    let head = multiply(a ^ 0xE703_7ED1_A0B4_28DB, b ^ 0x8EBC_6AF0_9C88_C6E3);
    mix(head ^ rest) >> SHORT_CHECK_SHIFT
}

const fn lowest(bits: u32) -> u64 {
    (1 << bits) - 1
}

impl Stamp {
    /// Writes the stamp, if the payload has room for one; `rest` is the [`hash`] of the payload after it.
    #[allow(
        clippy::inline_always,
        reason = "it is done for every message, and a call takes a third of its time"
    )]
    #[inline(always)]
    pub(super) fn write(&self, payload: &mut [u8], rest: u64) {
        let Some(payload) = payload.first_chunk_mut::<LONG_BYTES>() else {
            return self.write_short(payload, rest);
        };
        let mut words = [
            u64::from(self.run) | (self.phase as u64) << 32,
            u64::from(self.publisher) << SEQUENCE_BITS | self.sequence & lowest(SEQUENCE_BITS),
            self.intended,
            self.sent.unwrap_or(self.intended),
        ];
        words[0] |= check(words, rest) << CHECK_SHIFT;
        for (place, word) in payload.as_chunks_mut::<8>().0.iter_mut().zip(words) {
            *place = word.to_le_bytes();
        }
    }

    /// Writes the stamp as text; `rest` is the [`hash_around`] of the payload.
    pub(super) fn write_text(&self, place: &mut [u8], rest: u64) {
        let Some((mark, text)) = place.split_at_mut_checked(MARK.len()) else { return };
        let mut bytes = [0; LONG_BYTES];
        self.write(&mut bytes, rest);
        mark.copy_from_slice(MARK);
        let _ = BASE64.encode_slice(bytes, text); // `text` has the 43 bytes
    }

    /// Searches a payload for a stamp as text.
    pub(super) fn find(payload: &[u8], run: Option<u32>) -> Recognised {
        let found = memchr::memmem::find(payload, MARK).and_then(|at| {
            let (before, text) = payload.split_at_checked(at)?;
            let (text, after) = text.split_at_checked(TEXT_BYTES)?;
            Some((before, &text[MARK.len()..], after))
        });
        let Some((before, text, after)) = found else { return Recognised::Foreign };
        let mut bytes = [0; LONG_BYTES + 4];
        let damaged = if run.is_some() { Recognised::Corrupt } else { Recognised::Foreign };
        match BASE64.decode_slice(text, &mut bytes) {
            Ok(LONG_BYTES) => Self::read_long(&bytes[..LONG_BYTES], run, || hash_around(before, after)),
            _ => damaged,
        }
    }

    #[inline(never)]
    fn write_short(&self, payload: &mut [u8], rest: u64) {
        let Some(payload) = payload.first_chunk_mut::<SHORT_BYTES>() else { return };
        let time = self.intended >> SHORT_TIME_UNIT & lowest(SHORT_TIME_BITS);
        let mut words = [
            u64::from(self.run) & lowest(SHORT_RUN_BITS) | time << SHORT_RUN_BITS,
            u64::from(self.publisher) << SEQUENCE_BITS
                | (self.phase as u64) << SHORT_SEQUENCE_BITS
                | self.sequence & lowest(SHORT_SEQUENCE_BITS),
        ];
        words[0] |= short_check(words, rest) << SHORT_CHECK_SHIFT;
        for (place, word) in payload.as_chunks_mut::<8>().0.iter_mut().zip(words) {
            *place = word.to_le_bytes();
        }
    }

    /// Reads a payload, at this time of the monotonic clock, as a message of `run`, or of any run if that is
    /// `None`.
    pub(super) fn read(payload: &[u8], run: Option<u32>, now: u64) -> Recognised {
        let Some((head, rest)) = payload.split_at_checked(LONG_BYTES) else {
            return Self::read_short(payload, run, now);
        };
        Self::read_long(head, run, || hash(rest))
    }

    /// Reads the long form; `rest` is the hash of the other bytes.
    #[inline]
    fn read_long(head: &[u8], run: Option<u32>, rest: impl FnOnce() -> u64) -> Recognised {
        let mut words = [0; 4];
        for (word, bytes) in words.iter_mut().zip(head.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        let found = words[0] >> CHECK_SHIFT;
        words[0] &= lowest(CHECK_SHIFT);
        let stamped = words[0] & u64::from(u32::MAX);
        let phase = match words[0] >> 32 {
            0 => Some(Phase::Warmup),
            1 => Some(Phase::Measure),
            _ => None,
        };
        let ours = run.is_none_or(|run| u64::from(run) == stamped);
        match phase {
            Some(phase) if check(words, rest()) == found => {
                let stamp = Self {
                    run: u32::try_from(stamped).unwrap_or(0),
                    phase,
                    publisher: u32::try_from(words[1] >> SEQUENCE_BITS).unwrap_or(0),
                    sequence: words[1] & lowest(SEQUENCE_BITS),
                    intended: words[2],
                    sent: Some(words[3]),
                };
                if ours { Recognised::Whole(stamp) } else { Recognised::Foreign }
            }
            _ if ours && run.is_some() => Recognised::Corrupt,
            _ => Recognised::Foreign,
        }
    }

    fn read_short(payload: &[u8], run: Option<u32>, now: u64) -> Recognised {
        let Some((head, rest)) = payload.split_at_checked(SHORT_BYTES) else { return Recognised::Foreign };
        let mut words = [0; 2];
        for (word, bytes) in words.iter_mut().zip(head.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        let found = words[0] >> SHORT_CHECK_SHIFT;
        words[0] &= lowest(SHORT_CHECK_SHIFT);
        let stamped = words[0] & lowest(SHORT_RUN_BITS);
        if run.is_some_and(|run| u64::from(run) & lowest(SHORT_RUN_BITS) != stamped) {
            return Recognised::Foreign;
        }
        // The counter of units wraps after three days; the message belongs to the latest cycle.
        let units =
            (now >> SHORT_TIME_UNIT).wrapping_sub(words[0] >> SHORT_RUN_BITS) & lowest(SHORT_TIME_BITS);
        let in_flight = units << SHORT_TIME_UNIT;
        if short_check(words, hash(rest)) != found || (run.is_none() && in_flight > LONGEST_IN_FLIGHT) {
            return if run.is_some() { Recognised::Corrupt } else { Recognised::Foreign };
        }
        let is_measured = words[1] >> SHORT_SEQUENCE_BITS & 1 == 1;
        Recognised::Whole(Self {
            run: run.unwrap_or_else(|| u32::try_from(stamped).unwrap_or(0)),
            phase: if is_measured { Phase::Measure } else { Phase::Warmup },
            publisher: u32::try_from(words[1] >> SEQUENCE_BITS).unwrap_or(0),
            sequence: words[1] & lowest(SHORT_SEQUENCE_BITS),
            intended: now.saturating_sub(in_flight),
            sent: None,
        })
    }
}

/// How a message relates to its flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// The next message, or one after a gap.
    InOrder,
    /// A first arrival, but after a message that was sent later (RFC 4737).
    Reordered,
    /// A repeated arrival.
    Duplicate,
    /// Too old to decide.
    Stale,
}

/// Words of memory for a flow with one message.
pub(super) const ONE_WORD: usize = 1;
/// Words of memory for a flow with one receiver.
pub(super) const PLAIN_WORDS: usize = 8;
/// Words of memory for a group, whose members may be thousands of messages apart.
pub(super) const SHARED_WORDS: usize = 1024;

/// The flows of one thread.
#[derive(Debug)]
pub(super) struct Flows {
    /// The lowest sequence number after all arrived ones.
    next: Vec<u64>,
    /// Zeroed by the system and not written before use, so that a flow without messages takes no memory.
    bits: Vec<u64>,
    words: usize,
}

impl Flows {
    pub(super) fn new(flows: usize, words: usize) -> Self {
        Self { next: vec![0; flows], bits: vec![0; flows * words], words }
    }

    /// Bytes of memory for this number of flows when all of them are in use.
    pub(super) fn bytes(flows: usize, words: usize) -> u64 {
        flows.saturating_mul((words + 1) * 8) as u64
    }

    /// Records a message; `None` if there is no such flow.
    pub(super) fn observe(&mut self, flow: usize, sequence: u64) -> Option<Arrival> {
        let next = self.next.get_mut(flow)?;
        let window = &mut self.bits[flow * self.words..][..self.words];
        let bits = window.len() as u64 * 64;
        let place = |sequence: u64| {
            let bit = sequence % bits;
            (usize::try_from(bit / 64).unwrap_or(0), 1_u64 << (bit % 64))
        };
        let (word, mask) = place(sequence);
        if sequence >= *next {
            if sequence - *next >= bits {
                window.fill(0);
            } else {
                for skipped in *next..sequence {
                    let (word, mask) = place(skipped);
                    window[word] &= !mask;
                }
            }
            window[word] |= mask;
            *next = sequence + 1;
            return Some(Arrival::InOrder);
        }
        if *next - sequence > bits {
            return Some(Arrival::Stale);
        }
        if window[word] & mask != 0 {
            return Some(Arrival::Duplicate);
        }
        window[word] |= mask;
        Some(Arrival::Reordered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    const NOW: u64 = 400_000_000_000_000;

    fn stamp(run: u32, publisher: u32, sequence: u64) -> Stamp {
        let publisher = publisher % MOST_CLIENTS;
        let sequence = sequence % (1 << SEQUENCE_BITS);
        Stamp { run, phase: Phase::Measure, publisher, sequence, intended: 17, sent: Some(u64::MAX) }
    }

    fn payload_with(head: usize, stamp: Stamp, rest: &[u8]) -> Vec<u8> {
        let mut payload = vec![0; head];
        stamp.write(&mut payload, hash(rest));
        [&payload[..], rest].concat()
    }

    fn payload(stamp: Stamp, rest: &[u8]) -> Vec<u8> {
        payload_with(LONG_BYTES, stamp, rest)
    }

    /// Possible bytes after a short stamp.
    fn short_rest() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(any::<u8>(), 0..LONG_BYTES - SHORT_BYTES)
    }

    proptest! {
        #[test]
        fn stamp_round_trip(run: u32, publisher: u32, sequence: u64, rest: Vec<u8>) {
            let stamp = stamp(run, publisher, sequence);
            prop_assert_eq!(Stamp::read(&payload(stamp, &rest), Some(run), NOW), Recognised::Whole(stamp));
            prop_assert_eq!(Stamp::read(&payload(stamp, &rest), None, NOW), Recognised::Whole(stamp));
            prop_assert_eq!(Stamp::read(&payload(stamp, &rest), Some(!run), NOW), Recognised::Foreign);
        }

        #[test]
        fn short_stamp_round_trip(
            run: u32,
            publisher: u32,
            sequence: u64,
            measured: bool,
            took in 0..LONGEST_IN_FLIGHT,
            rest in short_rest(),
        ) {
            let sent = Stamp {
                sequence: sequence & lowest(SHORT_SEQUENCE_BITS),
                phase: if measured { Phase::Measure } else { Phase::Warmup },
                intended: NOW - took,
                sent: None,
                ..stamp(run, publisher, 0)
            };
            let bytes = payload_with(SHORT_BYTES, sent, &rest);
            let Recognised::Whole(read) = Stamp::read(&bytes, Some(run), NOW) else { panic!("a stamp") };
            let unit = 1 << SHORT_TIME_UNIT;
            prop_assert!(read.intended.abs_diff(sent.intended) <= unit, "{} and {}", read.intended, sent.intended);
            prop_assert_eq!(Stamp { intended: sent.intended, ..read }, sent);
            prop_assert!(matches!(Stamp::read(&bytes, None, NOW), Recognised::Whole(_)));
            prop_assert_eq!(Stamp::read(&bytes, Some(!run), NOW), Recognised::Foreign);
            let later = NOW + LONGEST_IN_FLIGHT + unit;
            prop_assert_eq!(Stamp::read(&bytes, None, later), Recognised::Foreign);
        }

        #[test]
        fn text_stamp_round_trip(run: u32, publisher: u32, sequence: u64, before in "[a-z{]*", after in "[a-z}]*") {
            let stamp = stamp(run, publisher, sequence);
            let mut payload = [before.as_bytes(), &[b'0'; TEXT_BYTES], after.as_bytes()].concat();
            let place = before.len()..before.len() + TEXT_BYTES;
            stamp.write_text(&mut payload[place.clone()], hash_around(before.as_bytes(), after.as_bytes()));
            let text = std::str::from_utf8(&payload[place]).unwrap();
            prop_assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)));
            prop_assert_eq!(Stamp::find(&payload, Some(run)), Recognised::Whole(stamp));
            prop_assert_eq!(Stamp::find(&payload, None), Recognised::Whole(stamp));
            prop_assert_eq!(Stamp::find(&payload, Some(!run)), Recognised::Foreign);
            payload.push(b'!');
            prop_assert_eq!(Stamp::find(&payload, Some(run)), Recognised::Corrupt);
            prop_assert_eq!(Stamp::find(&payload[..payload.len() / 2], Some(run)) == Recognised::Whole(stamp), false);
        }

        /// Any changed bit is detected; a changed run number makes the message one of another run.
        #[test]
        fn damage_is_noticed(bit: proptest::sample::Index, rest: Vec<u8>) {
            let mut bytes = payload(stamp(5, 6, 7), &rest);
            let bit = bit.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            let expected = if bit < 32 { Recognised::Foreign } else { Recognised::Corrupt };
            prop_assert_eq!(Stamp::read(&bytes, Some(5), NOW), expected);
        }
    }

    /// One of 65,536 changes may be undetected, so no random ones are tried.
    #[test]
    fn damage_of_a_short_stamp_is_noticed() {
        let whole = payload_with(SHORT_BYTES, stamp(5, 6, 7), b"abc");
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let expected = if bit < 8 { Recognised::Foreign } else { Recognised::Corrupt };
            assert_eq!(Stamp::read(&bytes, Some(5), NOW), expected, "bit {bit}");
        }
    }

    #[test]
    fn payload_of_another_length_is_corrupt_or_foreign() {
        let mut bytes = payload(stamp(5, 6, 7), b"abcdef");
        bytes.push(0);
        assert_eq!(Stamp::read(&bytes, Some(5), NOW), Recognised::Corrupt);
        assert_eq!(Stamp::read(&bytes[..LONG_BYTES + 3], Some(5), NOW), Recognised::Corrupt);
        assert_eq!(Stamp::read(&bytes[..LONG_BYTES - 1], Some(5), NOW), Recognised::Corrupt);
        assert_eq!(Stamp::read(&bytes[..SHORT_BYTES - 1], Some(5), NOW), Recognised::Foreign);
        assert_eq!(Stamp::read(b"", Some(5), NOW), Recognised::Foreign);
    }

    proptest! {
        /// Compared with a set of all numbers.
        #[test]
        fn counts_are_exact_within_the_window(
            start in 0_u64..2000,
            steps in proptest::collection::vec((0_u64..40, 0_u64..200), 1..2000),
        ) {
            let mut flows = Flows::new(3, PLAIN_WORDS);
            let mut seen = HashSet::new();
            let (mut position, mut next) = (start, 0);
            for (forward, back) in steps {
                position += forward;
                let sequence = position.saturating_sub(back);
                let expected = if !seen.insert(sequence) {
                    Arrival::Duplicate
                } else if sequence >= next {
                    Arrival::InOrder
                } else {
                    Arrival::Reordered
                };
                let expected = if next > sequence + 512 { Arrival::Stale } else { expected };
                next = next.max(sequence + 1);
                prop_assert_eq!(flows.observe(1, sequence), Some(expected));
            }
            prop_assert_eq!(flows.observe(0, 0), Some(Arrival::InOrder));
        }
    }

    #[test]
    fn a_long_gap_forgets_the_window() {
        let mut flows = Flows::new(1, PLAIN_WORDS);
        assert_eq!(flows.observe(0, 0), Some(Arrival::InOrder));
        assert_eq!(flows.observe(0, 512), Some(Arrival::InOrder));
        assert_eq!(flows.observe(0, 1), Some(Arrival::Reordered));
        assert_eq!(flows.observe(0, 0), Some(Arrival::Stale));
        assert_eq!(flows.observe(0, 100_000), Some(Arrival::InOrder));
        assert_eq!(flows.observe(0, 99_999), Some(Arrival::Reordered));
        assert_eq!(flows.observe(0, 99_999), Some(Arrival::Duplicate));
        assert_eq!(flows.observe(1, 0), None);
    }
}
