//! Property tests of a connection with arbitrary behaviour of the command, broker, stream and clock.

mod world;

use std::time::Duration;

use proptest::prelude::*;

use self::world::{BARRIER_LIMIT, KEEP_ALIVE, LARGEST_PUBLISH, World};
use super::{CLOSE_LIMIT, EndedBy, LINGER_LIMIT};
use crate::net::LAST_LOOK;
use crate::protocol::{Protocol, QoS};

/// The limit from the last packet to the end of the connection.
const CLOSED_WITHIN: Duration =
    CLOSE_LIMIT.saturating_add(LINGER_LIMIT).saturating_add(LAST_LOOK).saturating_add(LAST_LOOK);

fn protocols() -> impl Strategy<Value = Protocol> {
    prop_oneof![Just(Protocol::V3_1_1), Just(Protocol::V5)]
}

fn qos() -> impl Strategy<Value = QoS> {
    prop_oneof![Just(QoS::AtMostOnce), Just(QoS::AtLeastOnce), Just(QoS::ExactlyOnce)]
}

fn sizes() -> impl Strategy<Value = usize> {
    prop_oneof![6 => 0..100_usize, 2 => 0..5000_usize, 1 => 30_000..70_000_usize, 1 => 0..250_000_usize]
}

fn millis(most: u64) -> impl Strategy<Value = Duration> {
    (1..most).prop_map(Duration::from_millis)
}

/// An event of a connection.
#[derive(Debug, Clone)]
enum Happening {
    Message(QoS, usize),
    Answer(Option<Duration>),
    Bytes(Vec<u8>),
    Publish(usize),
    Room(usize),
    Piece(usize),
    Block(bool),
    Wait(Duration),
    Stop(Duration),
    HalfClose,
    Break,
    Leave,
}

fn happenings() -> impl Strategy<Value = Happening> {
    let room = prop_oneof![Just(0), 1..100_usize, 1..100_000_usize, Just(usize::MAX)];
    let publish = prop_oneof![4 => 0..1000_usize, 1 => 0..LARGEST_PUBLISH];
    prop_oneof![
        8 => (qos(), sizes()).prop_map(|(qos, size)| Happening::Message(qos, size)),
        2 => proptest::option::of(millis(20_000)).prop_map(Happening::Answer),
        1 => proptest::collection::vec(any::<u8>(), 1..20).prop_map(Happening::Bytes),
        3 => publish.prop_map(Happening::Publish),
        3 => room.prop_map(Happening::Room),
        1 => prop_oneof![1..100_usize, Just(usize::MAX)].prop_map(Happening::Piece),
        3 => any::<bool>().prop_map(Happening::Block),
        4 => millis(30_000).prop_map(Happening::Wait),
        1 => millis(100_000).prop_map(Happening::Stop),
        1 => Just(Happening::HalfClose),
        1 => Just(Happening::Break),
        1 => Just(Happening::Leave),
    ]
}

impl World {
    fn happen(&mut self, happenings: Vec<Happening>) {
        for happening in happenings {
            self.happens(happening);
        }
    }

    fn happens(&mut self, happening: Happening) {
        match happening {
            Happening::Message(qos, size) => self.send(qos, size),
            Happening::Answer(after) => self.answers_after = after,
            Happening::Bytes(bytes) => self.arriving.extend(bytes),
            Happening::Publish(size) => self.handler.to_publish.push_back(size),
            Happening::Room(room) => self.room = room,
            Happening::Piece(piece) => self.piece = piece,
            Happening::Block(is_blocked) => self.handler.is_blocked = is_blocked,
            Happening::Wait(time) => return self.wait(time),
            Happening::Stop(time) => return self.stop(time),
            Happening::HalfClose => self.is_half_closed = true,
            Happening::Break => self.is_broken = true,
            Happening::Leave => self.handler.leaves = true,
        }
        self.wake_up();
    }
}

/// Acknowledgements do not accumulate for a broker that sends and does not read.
#[test]
fn a_broker_that_does_not_read_is_not_read_from() {
    let mut world = World::new(Protocol::V5);
    world.room = 0;
    for _ in 0..400_000 {
        world.send(QoS::AtLeastOnce, 0);
    }
    world.wake_up();
    assert!(world.handler.delivered.len() > 200_000 && !world.arriving.is_empty());
    world.room = usize::MAX;
    world.wake_up();
    assert_eq!(world.acknowledged, 400_000);
}

/// The broker does not close its side. Packets it sent before our close are read, as unread bytes would cause
/// a reset.
#[test]
fn a_satisfied_command_does_not_wait_for_the_close() {
    for (is_satisfied, limit) in [(true, Duration::ZERO), (false, LINGER_LIMIT)] {
        let mut world = World::new(Protocol::V5);
        world.handler.is_satisfied = is_satisfied;
        world.send(QoS::AtLeastOnce, 100);
        world.wake_up();
        world.handler.leaves = true;
        world.piece = 10;
        world.send(QoS::AtLeastOnce, 1000);
        let before = world.now;
        world.wait(CLOSED_WITHIN);
        let Some((end, Ok(()))) = world.outcome else { panic!("{:?}", world.outcome) };
        assert_eq!(end - before, limit + LAST_LOOK);
        assert!(world.arriving.is_empty());
        assert_eq!(world.packets.last().map(|(_, kind)| *kind), Some("DISCONNECT"));
    }
}

/// The broker sends an endless series of QoS 2 messages, one a second, and releases none.
#[test]
fn a_flood_does_not_hold_up_the_release_of_messages_for_long() {
    for (is_kept, limit) in [(false, Duration::from_secs(2)), (true, BARRIER_LIMIT)] {
        let mut world = World::new(Protocol::V5);
        if is_kept {
            world.connection.keeps_session();
        }
        world.send(QoS::ExactlyOnce, 10);
        world.wake_up();
        world.handler.leaves = true;
        world.wake_up();
        let before = world.now;
        while world.count("DISCONNECT") == 0 {
            world.send(QoS::ExactlyOnce, 10);
            world.wait(Duration::from_secs(1));
        }
        let (at, _) = world.packets.last().unwrap();
        assert!(*at - before <= limit + LAST_LOOK, "{is_kept}: {:?}", *at - before);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Packets, acknowledgements, memory and timers are checked at each step, and the end comes in time.
    #[test]
    fn an_interrupt_ends_a_connection_in_any_state_within_the_limits(
        protocol in protocols(),
        happenings in proptest::collection::vec(happenings(), 0..40),
        afterwards in proptest::collection::vec(happenings(), 0..10),
    ) {
        let mut world = World::new(protocol);
        let start = world.now;
        world.happen(happenings);
        world.handler.is_interrupted = true;
        let (interrupted, stopped) = (world.now, world.stopped);
        world.happen(afterwards);
        world.wait(CLOSED_WITHIN);
        prop_assert!(world.is_over());
        let (end, _) = world.outcome.as_ref().unwrap();
        let looks = Duration::from_millis(10); // one last read after each stop
        let limit = CLOSED_WITHIN + world.stopped.saturating_sub(stopped) + looks;
        prop_assert!(end.saturating_duration_since(interrupted) <= limit);
        let intervals = (world.now - start).as_secs() / KEEP_ALIVE.as_secs();
        prop_assert!(u64::from(world.timer_wake_ups) <= 20 + 8 * intervals, "{}", world.timer_wake_ups);
    }

    /// Whatever happened before, a broker that does not respond does not delay a client that leaves.
    #[test]
    fn leaving_a_dead_broker_ends_within_the_limits(
        protocol in protocols(),
        happenings in proptest::collection::vec(happenings(), 0..40),
        room in prop_oneof![Just(0), Just(10), Just(usize::MAX)],
    ) {
        let mut world = World::new(protocol);
        world.happen(happenings);
        world.handler.leaves = true;
        world.handler.is_blocked = false;
        world.wait(Duration::ZERO);
        (world.answers_after, world.room) = (None, room);
        world.answers.clear();
        world.wait(KEEP_ALIVE * 2 + BARRIER_LIMIT + CLOSED_WITHIN + 2 * LAST_LOOK);
        prop_assert!(world.is_over());
    }

    #[test]
    fn messages_are_received_in_order_however_the_input_is_split(
        protocol in protocols(),
        messages in proptest::collection::vec((qos(), sizes()), 1..30),
        pieces in proptest::collection::vec((prop_oneof![1..200_usize, 1..100_000_usize], any::<bool>()), 1..10),
        leftover in prop_oneof![Just(0), 0..100_usize, 0..300_000_usize],
    ) {
        let mut world = World::new(protocol);
        let mut bytes: Vec<u8> = messages.iter().flat_map(|(qos, size)| world.message(*qos, *size)).collect();
        let leftover: Vec<u8> = bytes.drain(..leftover.min(bytes.len())).collect();
        world = World { number: world.number, ..World::with_leftover(protocol, leftover) };
        let (mut rest, mut pieces) = (&bytes[..], pieces.into_iter().cycle());
        world.wake_up();
        while !rest.is_empty() {
            let (size, is_blocked) = pieces.next().unwrap();
            let (piece, others) = rest.split_at(size.min(rest.len()));
            world.arriving.extend(piece);
            rest = others;
            world.handler.is_blocked = is_blocked;
            world.wake_up();
        }
        world.handler.is_blocked = false;
        world.wake_up();
        prop_assert_eq!(&world.handler.delivered, &(0..world.number).collect::<Vec<_>>());
        let to_acknowledge = messages.iter().filter(|(qos, _)| *qos != QoS::AtMostOnce).count();
        prop_assert_eq!(world.acknowledged, to_acknowledge);
    }

    /// Messages are received while large packets are still being written.
    #[test]
    fn messages_are_received_while_the_stream_is_full(
        protocol in protocols(),
        publishes in proptest::collection::vec(1..LARGEST_PUBLISH, 1..4),
        messages in proptest::collection::vec((qos(), 0..2000_usize), 1..40),
        room in 0..100_usize,
    ) {
        let mut world = World::new(protocol);
        let count = publishes.len();
        world.handler.to_publish = publishes.into();
        world.room = 0;
        world.wake_up();
        for (qos, size) in messages {
            world.send(qos, size);
            world.room += room;
            world.wake_up();
        }
        prop_assert_eq!(&world.handler.delivered, &(0..world.number).collect::<Vec<_>>());
        world.room = usize::MAX;
        world.wake_up();
        prop_assert_eq!(world.count("PUBLISH"), count);
        prop_assert_eq!(world.acknowledged, world.handler.to_acknowledge.len());
    }

    /// Neither traffic nor a blocked standard output nor a stopped process makes a responding broker look
    /// dead.
    #[test]
    fn a_broker_that_answers_is_never_given_up(
        protocol in protocols(),
        answers_after in (0..4900_u64).prop_map(Duration::from_millis),
        steps in proptest::collection::vec(
            prop_oneof![
                3 => millis(30_000).prop_map(Happening::Wait),
                2 => millis(200_000).prop_map(Happening::Stop),
                1 => (qos(), 0..2000_usize).prop_map(|(qos, size)| Happening::Message(qos, size)),
                1 => (0..2000_usize).prop_map(Happening::Publish),
                1 => any::<bool>().prop_map(Happening::Block),
            ],
            1..40,
        ),
    ) {
        let mut world = World::new(protocol);
        world.answers_after = Some(answers_after);
        for step in steps {
            world.happens(step);
            prop_assert!(!world.is_over(), "{:?}", world.outcome);
        }
    }

    /// [MQTT-3.1.2-22]: the client never lets more than one interval pass between two packets, and notices
    /// silence within one and a half.
    #[test]
    fn silence_is_noticed_in_time(
        protocol in protocols(),
        steps in proptest::collection::vec(
            prop_oneof![
                3 => millis(20_000).prop_map(Happening::Wait),
                1 => (qos(), 0..2000_usize).prop_map(|(qos, size)| Happening::Message(qos, size)),
                1 => (0..2000_usize).prop_map(Happening::Publish),
            ],
            1..30,
        ),
    ) {
        let mut world = World::new(protocol);
        let mut last = world.now;
        world.answers_after = Some(Duration::from_secs(1));
        for step in steps {
            world.happens(step);
            prop_assert!(!world.is_over());
        }
        for (at, _) in &world.packets {
            prop_assert!(*at - last <= KEEP_ALIVE, "{:?}", *at - last);
            last = *at;
        }
        world.answers_after = None;
        let silent_since = world.answers.back().copied().unwrap_or(world.now);
        world.wait(KEEP_ALIVE * 10);
        prop_assert!(world.error().contains("silent"));
        prop_assert_eq!(world.connection.ended_by(), Some(EndedBy::KeepAlive));
        let (end, _) = world.outcome.as_ref().unwrap();
        prop_assert!(*end <= silent_since + KEEP_ALIVE * 3 / 2 + LAST_LOOK);
        let (asked, _) = world.packets.iter().rev().find(|(_, kind)| *kind == "PINGREQ").unwrap();
        prop_assert!(*end >= *asked + KEEP_ALIVE / 2);
    }

    /// Everything sent before the broker ended the connection is received: messages, and the reason.
    #[test]
    fn what_was_sent_before_the_end_is_received(
        protocol in protocols(),
        messages in proptest::collection::vec((qos(), sizes()), 0..10),
        piece in prop_oneof![1000..100_000_usize, Just(usize::MAX)],
        is_broken: bool,
        is_blocked: bool,
    ) {
        let mut world = World::new(protocol);
        let says_why = protocol == Protocol::V5;
        // On an intact stream the connection waits for a blocked command.
        world.handler.is_blocked = is_blocked && is_broken;
        (world.is_broken, world.is_half_closed, world.piece) = (is_broken, true, piece);
        world.handler.to_publish.push_back(10);
        for (qos, size) in messages {
            world.send(qos, size);
        }
        if says_why {
            world.arriving.extend([0xE0, 1, 0x8E]);
        }
        world.wake_up();
        prop_assert_eq!(&world.handler.delivered, &(0..world.number).collect::<Vec<_>>());
        let Some((_, Err(error))) = &world.outcome else { panic!("{:?}", world.outcome) };
        prop_assert_eq!(world.connection.ended_by(), Some(EndedBy::OtherSide));
        match (says_why, is_broken) {
            (true, _) => prop_assert_eq!(error.exit().code(), 0x8E),
            (false, true) => prop_assert!(error.to_string().contains("other side"), "{}", error),
            (false, false) => prop_assert!(error.to_string().contains("closed the connection"), "{}", error),
        }
    }

    /// A process that is stopped while it waits for the answer to its last PINGREQ reads the answer when it
    /// continues.
    #[test]
    fn a_late_look_finds_the_answer_to_the_barrier(stopped in millis(1_000_000), answer in millis(1000)) {
        let mut world = World::new(Protocol::V5);
        world.handler.to_publish.push_back(10);
        world.handler.leaves = true;
        world.answers_after = Some(answer);
        world.wake_up();
        world.stop(stopped.max(answer));
        world.wait(Duration::from_secs(1));
        prop_assert!(matches!(world.outcome, Some((_, Ok(())))), "{:?}", world.outcome);
        prop_assert_eq!(world.handler.unconfirmed, 0);
        prop_assert_eq!(world.packets.iter().map(|(_, kind)| *kind).collect::<Vec<_>>(), ["PUBLISH", "PINGREQ", "DISCONNECT"]);
    }
}
