//! The spool as intake and sender use it, killed and damaged at every point.

use std::collections::VecDeque;

use proptest::prelude::*;
use tempfile::TempDir;

use super::record::FILE_HEADER_LENGTH;
use super::*;
use crate::protocol::QoS;
use crate::protocol::property::{PropertyBlock, PropertyId, Value};

const MOST_BYTES: u64 = 1 << 30;

fn envelope(topic: &str, qos: QoS) -> Envelope {
    let mut properties = PropertyBlock::default();
    properties.push(PropertyId::ContentType, Value::Text("text/plain"));
    Envelope { qos, retain: topic == "retained", topic: topic.into(), properties }
}

/// No flipped bit marks a message as done, or gives it another packet identifier: it waits, and is sent
/// again.
#[test]
fn flipped_bit_of_a_stage_loses_no_message() {
    use super::record::SpoolStage;
    for stage in [
        SpoolStage::Waiting,
        SpoolStage::Sent(1),
        SpoolStage::Sent(0x1234),
        SpoolStage::Received(7),
        SpoolStage::Received(u16::MAX),
        SpoolStage::Done,
    ] {
        let bytes = stage.encode();
        assert_eq!(SpoolStage::decode(bytes), stage);
        for bit in 0..32 {
            let flipped = (u32::from_le_bytes(bytes) ^ 1 << bit).to_le_bytes();
            assert_eq!(SpoolStage::decode(flipped), SpoolStage::Waiting, "{stage:?}, bit {bit}");
        }
    }
}

struct Folder(TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> PathBuf {
        self.0.path().join("spool")
    }

    fn open(&self) -> (Spool, Left) {
        Spool::open(&self.path(), "me").unwrap()
    }

    fn length(&self) -> u64 {
        std::fs::metadata(self.path()).unwrap().len()
    }
}

fn take_in(spool: &Spool, payloads: &[&str]) {
    let mut intake = spool.intake(&envelope("t", QoS::ExactlyOnce), MOST_BYTES);
    for payload in payloads {
        intake.add(payload.as_bytes());
    }
    intake.take_in().unwrap();
}

fn text(message: &SpooledMessage) -> String {
    String::from_utf8(message.payload.to_vec()).unwrap()
}

fn rest(spool: &mut Spool) -> Vec<String> {
    std::iter::from_fn(|| spool.next_message().unwrap()).map(|message| text(&message)).collect()
}

#[test]
fn messages_are_read_as_they_were_written() {
    let folder = Folder::new();
    let (mut spool, left) = folder.open();
    assert_eq!(left, Left::default());
    let large = "x".repeat(200_000);
    for (topic, qos, payload) in [
        ("retained", QoS::AtLeastOnce, "one"),
        ("retained", QoS::AtLeastOnce, ""),
        ("other", QoS::ExactlyOnce, &large),
        ("retained", QoS::AtLeastOnce, "four"),
    ] {
        let mut intake = spool.intake(&envelope(topic, qos), MOST_BYTES);
        intake.add(payload.as_bytes());
        intake.take_in().unwrap();
    }
    let messages: Vec<SpooledMessage> = std::iter::from_fn(|| spool.next_message().unwrap()).collect();
    assert_eq!(messages.iter().map(text).collect::<Vec<_>>(), ["one", "", &large, "four"]);
    assert_eq!(*messages[0].envelope, envelope("retained", QoS::AtLeastOnce));
    assert_eq!(*messages[2].envelope, envelope("other", QoS::ExactlyOnce));
    assert!(Arc::ptr_eq(&messages[0].envelope, &messages[1].envelope), "equal ones are one");
    for message in &messages {
        spool.done(message.place);
    }
    assert_eq!(spool.close().unwrap(), 0);
    assert_eq!(folder.length(), FILE_HEADER_BYTES);
}

/// The spool of a killed program: dropped without [`Spool::close`].
#[test]
fn next_run_continues_after_a_kill() {
    let folder = Folder::new();
    let (mut spool, _) = folder.open();
    take_in(&spool, &["done", "sent", "received", "renewed", "waiting", "unsent"]);
    let places: Vec<u64> = (0..5).map(|_| spool.next_message().unwrap().unwrap().place).collect();
    spool.sent(places[0], 1);
    spool.sent(places[1], 2);
    spool.sent(places[2], 3);
    spool.sent(places[3], 4);
    spool.received(places[2]);
    spool.received(places[0]);
    spool.done(places[0]);
    spool.sent(places[3], 9);
    spool.write().unwrap();
    spool.sent(places[4], 5); // never written, so never sent
    drop(spool);

    let (mut spool, left) = folder.open();
    let sent = |place, packet_identifier, received| SentMessage { place, packet_identifier, received };
    let expected = [sent(places[1], 2, false), sent(places[2], 3, true), sent(places[3], 9, false)];
    assert_eq!((left.messages, &left.sent_messages[..]), (5, &expected[..]));
    assert_eq!(text(&spool.take_up(places[1]).unwrap()), "sent");
    assert_eq!(text(&spool.take_up(places[2]).unwrap()), "received");
    assert_eq!(text(&spool.take_up(places[3]).unwrap()), "renewed");
    assert_eq!(rest(&mut spool), ["waiting", "unsent"]);
    drop(spool);

    // The broker has lost the session.
    let (mut spool, _) = folder.open();
    spool.forget_sent();
    spool.write().unwrap();
    assert_eq!(rest(&mut spool), ["sent", "received", "renewed", "waiting", "unsent"]);
    drop(spool);
    assert!(folder.open().1.sent_messages.is_empty());
}

#[test]
fn messages_in_flight_belong_to_one_client_identifier() {
    let folder = Folder::new();
    let (mut spool, _) = folder.open();
    take_in(&spool, &["a"]);
    let place = spool.next_message().unwrap().unwrap().place;
    spool.sent(place, 1);
    spool.write().unwrap();
    drop(spool);
    let (spool, left) = Spool::open(&folder.path(), "you").unwrap();
    assert!(left.of_another_client && left.messages == 1);
    drop(spool);
    assert!(!Spool::open(&folder.path(), "you").unwrap().1.of_another_client);
}

#[test]
fn one_process_at_a_time_and_only_spools() {
    let folder = Folder::new();
    let held = folder.open();
    let error = Spool::open(&folder.path(), "me").unwrap_err().to_string();
    assert!(error.ends_with("another process is using it"), "{error}");
    drop(held);
    for other in [&b"precious"[..], b"mqttspl2 is how it begins", &[0; 100]] {
        std::fs::write(folder.path(), other).unwrap();
        let error = Spool::open(&folder.path(), "me").unwrap_err().to_string();
        assert!(error.contains("it is not a spool, or is damaged"), "{error}");
        assert_eq!(std::fs::read(folder.path()).unwrap(), other);
    }
}

/// Truncated at every byte: every message before the cut is intact, and the other bytes are reported.
#[test]
fn torn_tail_loses_only_its_own_message() {
    let folder = Folder::new();
    let (spool, _) = folder.open();
    take_in(&spool, &["one", "two", "three"]);
    drop(spool);
    let whole = std::fs::read(folder.path()).unwrap();
    let one = (whole.len() - FILE_HEADER_LENGTH - 2) / 3;
    for cut in FILE_HEADER_LENGTH..=whole.len() {
        for zeros in [0, 100] {
            let torn = [&whole[..cut], &vec![0; zeros]].concat();
            std::fs::write(folder.path(), torn).unwrap();
            let (mut spool, left) = folder.open();
            let inside = cut - FILE_HEADER_LENGTH;
            let expected = if cut == whole.len() { 3 } else { (inside / one).min(2) };
            assert_eq!(rest(&mut spool), ["one", "two", "three"][..expected], "cut at {cut}");
            assert_eq!(left.messages, expected as u64);
            let at_a_border = cut == whole.len() || inside == expected * one;
            assert_eq!(left.damaged_bytes > 0, zeros > 0 || !at_a_border);
            // New messages are appended after them.
            take_in(&spool, &["new"]);
            assert_eq!(rest(&mut spool), ["new"]);
        }
    }
}

/// Only a part of the header is left: the loss is reported.
#[test]
fn spool_truncated_in_its_header_reports_the_loss() {
    let folder = Folder::new();
    let (spool, _) = folder.open();
    drop(spool);
    let header = std::fs::read(folder.path()).unwrap();
    assert_eq!(header.len(), FILE_HEADER_LENGTH);
    for cut in 0..header.len() {
        std::fs::write(folder.path(), &header[..cut]).unwrap();
        let (_, left) = folder.open();
        assert_eq!(left, Left { damaged_bytes: cut as u64, ..Left::default() });
    }
}

/// A damaged block in the middle: the intact messages before and after it are used.
#[test]
fn damage_in_the_middle_is_skipped() {
    let folder = Folder::new();
    let (spool, _) = folder.open();
    let large = "y".repeat(150_000);
    take_in(&spool, &["one", &large, "three", "four"]);
    drop(spool);
    let whole = std::fs::read(folder.path()).unwrap();
    let second = FILE_HEADER_LENGTH + (whole.len() - FILE_HEADER_LENGTH - 150_000 - 5 - 4 - 3) / 4 + 3;
    let expected = ["one", "three", "four"];
    // In the key, the length, the two checksums, and the body.
    for at in [0, 13, 17, 22, 70_000].map(|offset| second + offset) {
        let mut damaged = whole.clone();
        damaged[at] ^= 0xFF;
        std::fs::write(folder.path(), damaged).unwrap();
        let (mut spool, left) = folder.open();
        assert_eq!(left.messages, 3);
        assert!(left.damaged_bytes > 150_000);
        let found: Vec<SpooledMessage> = std::iter::from_fn(|| spool.next_message().unwrap()).collect();
        assert_eq!(found.iter().map(text).collect::<Vec<_>>(), expected);
        for message in &found {
            spool.done(message.place);
        }
        assert_eq!(spool.close().unwrap(), 0);
        assert_eq!(folder.length(), FILE_HEADER_BYTES);
    }
}

/// A payload that looks like records, even of this very file, is never taken for records, whatever is damaged
/// around it; and the time does not grow with the square of its length.
#[test]
fn forged_records_in_a_damaged_file_stay_payload() {
    let folder = Folder::new();
    let (spool, _) = folder.open();
    take_in(&spool, &["forged"; 1000]);
    drop(spool);
    let own = std::fs::read(folder.path()).unwrap();
    let other_file = {
        let other = Folder::new();
        take_in(&other.open().0, &["forged"; 1000]);
        std::fs::read(other.path()).unwrap()
    };
    let keys = own[8..16].repeat(1 << 20);
    for payload in [own.clone(), own[FILE_HEADER_LENGTH..].to_vec(), other_file, keys] {
        std::fs::write(folder.path(), &own[..FILE_HEADER_LENGTH]).unwrap();
        let (spool, _) = folder.open();
        take_in(&spool, &["before"]);
        let begin = usize::try_from(folder.length()).unwrap();
        let mut intake = spool.intake(&envelope("t", QoS::AtLeastOnce), MOST_BYTES);
        intake.add(&payload);
        intake.take_in().unwrap();
        take_in(&spool, &["behind"]);
        drop((spool, intake));
        let whole = std::fs::read(folder.path()).unwrap();
        // In the key, the length and the body; and truncated in the body.
        for offset in [0, 12, 15, HEADER_BYTES + 100] {
            let mut damaged = whole.clone();
            damaged[begin + offset] ^= 1;
            std::fs::write(folder.path(), damaged).unwrap();
            let (mut spool, left) = folder.open();
            assert_eq!(rest(&mut spool), ["before", "behind"], "damaged at {offset}");
            assert!(left.damaged_bytes > payload.len() as u64);
        }
        std::fs::write(folder.path(), &whole[..begin + payload.len()]).unwrap();
        assert_eq!(rest(&mut folder.open().0), ["before"]);
    }
}

/// Room for input: never more than would fit if each byte were a message of its own.
#[test]
fn input_is_read_only_if_it_has_room() {
    let folder = Folder::new();
    let (spool, _) = folder.open();
    for most in [100, 1_000, 10_000_u64] {
        let mut intake = spool.intake(&envelope("t", QoS::AtLeastOnce), most);
        for begun in [0, 50, 500] {
            let Some(bytes) = intake.wait_for_room(begun).filter(|bytes| *bytes > 1) else { continue };
            if bytes == usize::MAX {
                assert!(
                    begun as u64 + FILE_HEADER_BYTES >= most,
                    "only where a line is longer than the limit"
                );
                continue;
            }
            intake.add(&vec![b'x'; begun]);
            (1..bytes).for_each(|_| intake.add(b""));
            assert!(FILE_HEADER_BYTES + intake.batch.len() as u64 <= most, "{bytes} of {most}");
            (intake.batch, intake.ends) = (Vec::new(), Vec::new());
        }
    }
}

/// The file does not grow with the total number of messages, and at the limit intake waits until it is
/// truncated.
#[test]
fn the_file_stays_short_and_within_its_limit() {
    // The smaller limits are below the size that is worth truncating, or below the size of one batch.
    for limit in [1_000, LEFT_BYTES / 2, LEFT_BYTES, 2 * LEFT_BYTES, 200_000] {
        let longest = longest_with(limit);
        assert!(longest <= limit + AT_ONCE_BYTES, "{longest} for {limit}");
    }
}

/// More than the size of ten messages of 100 bytes.
const AT_ONCE_BYTES: u64 = 2_000;

/// The maximum length of the file for 20,000 messages in batches of ten, with at most twenty in flight.
fn longest_with(limit: u64) -> u64 {
    let folder = Folder::new();
    let (mut spool, _) = folder.open();
    let mut intake = spool.intake(&envelope("t", QoS::AtLeastOnce), limit);
    let writer = std::thread::spawn(move || {
        for number in 0..20_000 {
            intake.add(format!("{number:0100}").as_bytes());
            while number % 10 == 9 && intake.waiting() > 0 {
                intake.take_in().unwrap();
            }
        }
    });
    let (mut received, mut sent_messages, mut longest) = (0_u64, VecDeque::new(), 0);
    while received < 20_000 {
        while sent_messages.len() < 20
            && let Some(message) = spool.next_message().unwrap()
        {
            assert_eq!(text(&message), format!("{received:0100}"));
            received += 1;
            sent_messages.push_back(message.place);
        }
        longest = longest.max(folder.length());
        if let Some(place) = sent_messages.pop_front() {
            spool.done(place);
        }
        spool.write().unwrap();
        std::thread::yield_now();
    }
    writer.join().unwrap();
    for place in sent_messages {
        spool.done(place);
    }
    assert_eq!(spool.close().unwrap(), 0);
    assert_eq!(folder.length(), FILE_HEADER_BYTES);
    longest
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    /// Truncated and with flipped bits, a file never yields a message that was not added, keeps the order,
    /// and yields all messages before the damage.
    #[test]
    fn damage_creates_no_messages(
        payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..60), 1..30),
        own in any::<bool>(),
        flips in proptest::collection::vec((any::<prop::sample::Index>(), 0..8_u8), 0..4),
        cut in proptest::option::of(any::<prop::sample::Index>()),
    ) {
        let folder = Folder::new();
        let (mut spool, _) = folder.open();
        let mut payloads = payloads;
        let mut ends = Vec::new();
        for (number, payload) in payloads.iter_mut().enumerate() {
            if own && number % 3 == 1 {
                *payload = std::fs::read(folder.path()).unwrap();
            }
            let mut intake = spool.intake(&envelope("t", QoS::AtLeastOnce), MOST_BYTES);
            intake.add(payload);
            intake.take_in().unwrap();
            ends.push(folder.length());
        }
        let written: Vec<Bytes> =
            std::iter::from_fn(|| spool.next_message().unwrap()).map(|message| message.payload).collect();
        drop(spool);
        let mut bytes = std::fs::read(folder.path()).unwrap();
        let mut first = bytes.len();
        for (index, bit) in flips {
            // The file's header is checked as a whole, and a file with a damaged header is refused.
            let at = FILE_HEADER_LENGTH + index.index(bytes.len() - FILE_HEADER_LENGTH);
            bytes[at] ^= 1 << bit;
            first = first.min(at);
        }
        if let Some(cut) = cut {
            let cut = FILE_HEADER_LENGTH + cut.index(bytes.len() - FILE_HEADER_LENGTH);
            bytes.truncate(cut);
            first = first.min(cut);
        }
        std::fs::write(folder.path(), &bytes).unwrap();
        let (mut spool, left) = folder.open();
        let found: Vec<Bytes> =
            std::iter::from_fn(|| spool.next_message().unwrap()).map(|message| message.payload).collect();
        prop_assert_eq!(left.messages, found.len() as u64);
        let mut rest = written.iter();
        for payload in &found {
            prop_assert!(rest.any(|other| other == payload), "not one of those written, or out of order");
        }
        let untouched = ends.iter().filter(|end| **end <= first as u64).count();
        prop_assert!(found.starts_with(&written[..untouched]));
    }

    /// Whatever happens between two kills: unfinished messages come again, in order, finished ones do not,
    /// and sent ones have their identifier.
    #[test]
    fn no_message_is_lost_and_no_finished_one_is_repeated(
        steps in proptest::collection::vec((0..7_u8, any::<prop::sample::Index>()), 1..120)
    ) {
        let folder = Folder::new();
        let (mut spool, _) = folder.open();
        // The expected content: number and, if sent, identifier and whether PUBREC was received.
        let mut model: Vec<(u64, Option<(u16, bool)>)> = Vec::new();
        let mut sent_messages: Vec<(u64, u64)> = Vec::new();
        let (mut taken, mut sent) = (0_u64, 0_u16);
        for (step, index) in steps {
            match step {
                0 | 1 => {
                    take_in(&spool, &[&taken.to_string()]);
                    model.push((taken, None));
                    taken += 1;
                }
                2 | 3 => if let Some(message) = spool.next_message().unwrap() {
                    let number: u64 = text(&message).parse().unwrap();
                    let next = model.iter().find(|(other, _)| sent_messages.iter().all(|(n, _)| n != other));
                    prop_assert_eq!(next.map(|(number, _)| *number), Some(number));
                    sent += 1;
                    spool.sent(message.place, sent);
                    model.iter_mut().find(|(other, _)| *other == number).unwrap().1 = Some((sent, false));
                    sent_messages.push((number, message.place));
                },
                4 if !sent_messages.is_empty() => {
                    let (number, place) = sent_messages[index.index(sent_messages.len())];
                    spool.received(place);
                    let entry = model.iter_mut().find(|(other, _)| *other == number).unwrap();
                    entry.1 = entry.1.map(|(identifier, _)| (identifier, true));
                }
                5 if !sent_messages.is_empty() => {
                    let (number, place) = sent_messages.remove(index.index(sent_messages.len()));
                    spool.done(place);
                    model.retain(|(other, _)| *other != number);
                }
                _ => {
                    spool.write().unwrap();
                    drop(spool);
                    let (opened, left) = folder.open();
                    spool = opened;
                    prop_assert_eq!(left.messages, model.len() as u64);
                    let expected: Vec<(u16, bool)> = model.iter().filter_map(|(_, sent)| *sent).collect();
                    let found: Vec<(u16, bool)> =
                        left.sent_messages.iter().map(|one| (one.packet_identifier, one.received)).collect();
                    prop_assert_eq!(found, expected);
                    sent_messages.clear();
                    for one in &left.sent_messages {
                        let number: u64 = text(&spool.take_up(one.place).unwrap()).parse().unwrap();
                        sent_messages.push((number, one.place));
                    }
                }
            }
        }
    }
}

/// A message from an older version: it is reported and kept, and the file is read on after it.
#[test]
fn record_that_must_not_be_sent_has_its_fault() {
    let folder = Folder::new();
    let (mut spool, _) = folder.open();
    let good = envelope("t", QoS::AtLeastOnce);
    let with = |edit: fn(&mut Vec<u8>)| {
        let mut bytes = good.encode();
        edit(&mut bytes);
        bytes
    };
    let records = [
        (envelope("a/+", QoS::AtLeastOnce).encode(), "topic: it contains a wildcard"),
        (envelope("a\u{1}", QoS::ExactlyOnce).encode(), "topic: it contains a control character"),
        (envelope("", QoS::ExactlyOnce).encode(), "topic: "),
        (with(|bytes| bytes[0] = 0), "its QoS is neither 1 nor 2"),
        (with(|bytes| bytes[5] = 0xff), "topic: "),
        (with(|bytes| bytes[10] = 0x7f), "its properties cannot be read: "),
        (with(|bytes| bytes.truncate(3)), "its QoS is neither 1 nor 2"),
    ];
    let mut intake = spool.intake(&good, MOST_BYTES);
    for (record, _) in &records {
        intake.envelope.clone_from(record);
        intake.add(b"payload");
    }
    intake.envelope = good.encode();
    intake.add(b"good");
    intake.take_in().unwrap();
    for (_, fault) in &records {
        let message = spool.next_message().unwrap().unwrap();
        let found = message.fault.as_deref().unwrap();
        assert!(found.starts_with(fault), "{found}: {fault}");
        assert!(message.payload.ends_with(b"payload"));
        assert!(spool.find(message.place).unwrap().is_some());
        spool.set_aside(message.place);
    }
    let message = spool.next_message().unwrap().unwrap();
    assert_eq!((message.fault, &message.payload[..]), (None, &b"good"[..]));
    spool.write().unwrap();
    assert_eq!(spool.messages(), 1);
}

/// Only messages that can expire have it, and none in a file of an earlier version.
#[test]
fn time_of_intake_is_kept() {
    let folder = Folder::new();
    let (mut spool, _) = folder.open();
    let plain = envelope("t", QoS::AtLeastOnce);
    let mut expiring = plain.clone();
    expiring.properties.push(PropertyId::MessageExpiryInterval, Value::Number(60));
    let mut earlier = expiring.encode();
    earlier.drain(1..9);
    earlier[0] &= 7;
    let mut intake = spool.intake(&expiring, MOST_BYTES);
    let before = SystemTime::now() - Duration::from_millis(1);
    intake.envelope[1..9].fill(0);
    intake.add(b"expiring");
    assert!(intake.add_as(&expiring, b"expiring"));
    assert!(intake.add_as(&plain, b"plain"));
    intake.envelope = earlier;
    intake.add(b"earlier");
    intake.take_in().unwrap();
    for (payload, expected) in
        [("expiring", &expiring), ("expiring", &expiring), ("plain", &plain), ("earlier", &expiring)]
    {
        let message = spool.next_message().unwrap().unwrap();
        assert_eq!((&*message.envelope, &*text(&message)), (expected, payload));
        let is_known = message.taken_in.is_some_and(|time| (before..=SystemTime::now()).contains(&time));
        assert_eq!(is_known, payload == "expiring", "{:?}", message.taken_in);
        assert!(message.taken_in.is_none() || is_known);
    }
}

/// Only messages that are not done have a number.
#[test]
fn message_is_found_by_its_number() {
    let folder = Folder::new();
    let (spool, _) = folder.open();
    take_in(&spool, &["one", "two", "three"]);
    drop(spool);
    let (mut spool, _) = folder.open();
    let found: Vec<u64> =
        (0..folder.length() + 100).filter(|place| spool.find(*place).unwrap().is_some()).collect();
    assert_eq!((found.len(), found[0]), (3, FILE_HEADER_BYTES));
    assert!(spool.find(u64::MAX).unwrap().is_none());
    spool.set_aside(found[1]);
    spool.write().unwrap();
    assert!(spool.find(found[1]).unwrap().is_none());
    assert_eq!(rest(&mut spool), ["one", "three"]);
    drop(spool);
    let (mut spool, left) = folder.open();
    assert_eq!((left.messages, rest(&mut spool)), (2, vec!["one".to_owned(), "three".to_owned()]));
}

/// The same damage is kept once, however often it is found.
#[test]
fn damaged_bytes_are_kept_in_a_file() {
    let folder = Folder::new();
    let (spool, _) = folder.open();
    take_in(&spool, &["one", "two", "three", "four"]);
    drop(spool);
    let mut bytes = std::fs::read(folder.path()).unwrap();
    let at = bytes.windows(3).position(|part| part == b"two").unwrap();
    bytes[at] = b'T';
    std::fs::write(folder.path(), &bytes[..bytes.len() - 1]).unwrap();
    let mut names = Vec::new();
    for _ in 0..2 {
        let (_, left) = folder.open();
        names.push(left.kept_damage.map(Result::unwrap));
    }
    let first = names[0].as_ref().unwrap();
    let kept = std::fs::read(first).unwrap();
    assert!(kept.windows(3).any(|part| part == b"Two") && kept.ends_with(b"fou"));
    // The torn end has been removed by then.
    let second = std::fs::read(names[1].as_ref().unwrap()).unwrap();
    assert!(kept.starts_with(&second) && kept.len() > second.len());
    let (_, left) = folder.open();
    assert_eq!(left.kept_damage.map(Result::unwrap), names[1]);
    assert_eq!(std::fs::read_dir(folder.0.path()).unwrap().count(), 3);
}
