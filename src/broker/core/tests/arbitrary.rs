//! Arbitrary bytes from a client cause no panic and no invalid output, and leave no session and no memory in
//! use.

use proptest::prelude::*;

use super::*;
use crate::broker::options::Limits;

/// A possible next action of a client, the network or the clock.
#[derive(Debug, Clone)]
enum Step {
    Connect {
        protocol: Protocol,
        name: u8,
        clean_start: bool,
        expiry: u32,
        will_delay: Option<u32>,
        keep_alive: u16,
    },
    Publish {
        topic: u8,
        qos: u8,
        packet_identifier: u16,
        retain: bool,
        dup: bool,
        payload: usize,
        alias: u8,
        expiry: u8,
    },
    Subscribe {
        filter: u8,
        qos: u8,
        options: u8,
        identifier: u8,
    },
    Unsubscribe {
        filter: u8,
    },
    Ack {
        kind: u8,
        packet_identifier: u16,
        reason: u8,
    },
    Ping,
    Disconnect {
        reason: u8,
    },
    Bytes(Vec<u8>),
    Lose,
    Take,
    Wait(u32),
}

const TOPICS: [&str; 6] = ["a", "a/b", "a/b/c", "b", "$x/y", "/"];
const FILTERS: [&str; 8] = ["#", "a", "a/#", "+/b", "a/+/c", "$share/g/a/#", "$share/h/+", "$x/#"];

fn steps() -> impl Strategy<Value = Step> {
    let protocol = prop_oneof![Just(V3_1), Just(V3_1_1), Just(V5)];
    let connect = (protocol, 0..4_u8, any::<bool>(), 0..40_u32, proptest::option::of(0..40_u32), 0..30_u16);
    let publish = (0..6_u8, 0..3_u8, 1..6_u16, any::<(bool, bool)>(), 0..3000_usize, 0..4_u8, 0..30_u8);
    prop_oneof![
        3 => connect.prop_map(|(protocol, name, clean_start, expiry, will_delay, keep_alive)| {
            Step::Connect { protocol, name, clean_start, expiry, will_delay, keep_alive }
        }),
        10 => publish.prop_map(|(topic, qos, packet_identifier, (retain, dup), payload, alias, expiry)| {
            Step::Publish { topic, qos, packet_identifier, retain, dup, payload, alias, expiry }
        }),
        4 => (0..8_u8, 0..3_u8, any::<u8>(), 0..3_u8)
            .prop_map(|(filter, qos, options, identifier)| Step::Subscribe { filter, qos, options, identifier }),
        1 => (0..8_u8).prop_map(|filter| Step::Unsubscribe { filter }),
        8 => (0..4_u8, 1..8_u16, prop_oneof![4 => Just(0), 1 => any::<u8>()])
            .prop_map(|(kind, packet_identifier, reason)| Step::Ack { kind, packet_identifier, reason }),
        1 => Just(Step::Ping),
        1 => prop_oneof![Just(0), Just(4), any::<u8>()].prop_map(|reason| Step::Disconnect { reason }),
        1 => proptest::collection::vec(any::<u8>(), 1..40).prop_map(Step::Bytes),
        1 => Just(Step::Lose),
        4 => Just(Step::Take),
        2 => (0..60_000_u32).prop_map(Step::Wait),
    ]
}

fn bytes_of(protocol: Protocol, step: &Step) -> BytesMut {
    let mut out = BytesMut::new();
    match step {
        Step::Publish { topic, qos, packet_identifier, retain, dup, payload, alias, expiry } => {
            let mut block = PropertyBlock::default();
            if *alias > 0 {
                block.push(PropertyId::TopicAlias, Value::Number(u32::from(*alias)));
            }
            if *expiry > 0 {
                block.push(PropertyId::MessageExpiryInterval, Value::Number(u32::from(*expiry)));
            }
            let payload = "x".repeat(*payload);
            let message = message(TOPICS[usize::from(*topic)], *qos, *packet_identifier, &payload);
            let properties = if protocol == V5 { block.view() } else { Properties::NONE };
            let dup = *dup && *qos > 0;
            wire::put_publish(&mut out, protocol, &Publish { retain: *retain, dup, properties, ..message });
        }
        Step::Subscribe { filter: index, qos, options, identifier } => {
            let subscription = Subscription {
                no_local: options & 1 != 0 && !FILTERS[usize::from(*index)].starts_with("$share"),
                retain_as_published: options & 2 != 0,
                retain_handling: (options >> 2) % 3,
                ..filter(FILTERS[usize::from(*index)], *qos)
            };
            let mut block = PropertyBlock::default();
            if *identifier > 0 {
                block.push(PropertyId::SubscriptionIdentifier, Value::Number(u32::from(*identifier)));
            }
            wire::subscribe(&mut out, protocol, 9, &[subscription], &block);
        }
        Step::Unsubscribe { filter } => {
            wire::unsubscribe(
                &mut out,
                protocol,
                9,
                &[FILTERS[usize::from(*filter)]],
                &PropertyBlock::default(),
            );
        }
        Step::Ack { kind, packet_identifier, reason } => {
            let kinds = [PacketType::PubAck, PacketType::PubRec, PacketType::PubRel, PacketType::PubComp];
            wire::ack(&mut out, protocol, kinds[usize::from(*kind)], *packet_identifier, ReasonCode(*reason));
        }
        Step::Ping => wire::ping_request(&mut out),
        Step::Disconnect { reason } => {
            wire::disconnect(&mut out, protocol, ReasonCode(*reason), &PropertyBlock::default());
        }
        Step::Bytes(bytes) => out.extend_from_slice(bytes),
        Step::Connect { .. } | Step::Lose | Step::Take | Step::Wait(_) => {}
    }
    out
}

/// Runs a script with several connections and checks all invariants.
fn play(script: &[(u8, Step)], limits: Limits) {
    let mut world = World::with(Options { limits, ..Options::default() });
    let mut clients: [Option<Client>; 3] = [None; 3];
    let mut tails: [Vec<u8>; 3] = Default::default();
    for (who, step) in script {
        let who = usize::from(*who);
        match (step, clients[who]) {
            (Step::Wait(milliseconds), _) => world.wait(Duration::from_millis(u64::from(*milliseconds))),
            (Step::Connect { protocol, name, clean_start, expiry, will_delay, keep_alive }, previous) => {
                if let Some(client) = previous {
                    world.lose(client);
                }
                let name = format!("client{name}");
                let expiry =
                    numbers(&[(PropertyId::SessionExpiryInterval, *expiry), (PropertyId::ReceiveMaximum, 3)]);
                let delay = numbers(&[(PropertyId::WillDelayInterval, will_delay.unwrap_or(0))]);
                let v5 = *protocol == V5;
                let pick =
                    |block: &'_ PropertyBlock| if v5 { block.clone() } else { PropertyBlock::default() };
                let (expiry, delay) = (pick(&expiry), pick(&delay));
                let connect = Connect {
                    clean_start: *clean_start,
                    keep_alive: *keep_alive,
                    properties: expiry.view(),
                    will: will_delay.map(|_| Will {
                        qos: QoS::ExactlyOnce,
                        retain: true,
                        properties: delay.view(),
                        ..will("a/b", "will")
                    }),
                    ..hello(*protocol, &name)
                };
                tails[who] = connect_bytes(&connect).to_vec();
                clients[who] = Some(world.open(*protocol));
            }
            (_, None) => {}
            (Step::Lose, Some(client)) => {
                world.lose(client);
                clients[who] = None;
                tails[who].clear();
            }
            (Step::Take, Some(client)) => {
                world.take(client);
            }
            (step, Some(client)) => tails[who].extend_from_slice(&bytes_of(client.protocol, step)),
        }
        if let Some(client) = clients[who] {
            let taken = world.core.receive(client.id, &tails[who], world.now);
            tails[who].drain(..taken);
        }
        while world.core.take_changed().is_some() {}
    }
    for client in clients.into_iter().flatten() {
        world.take(client);
        world.lose(client);
    }
    // Wills create retained messages, and sessions end within 40 seconds; sessions of 3.x stay.
    world.wait_seconds(1000);
    let statistics = world.core.statistics();
    assert_eq!(statistics.connections, 0);
    assert!(statistics.sessions <= 4);
    assert_eq!(world.core.next_deadline(), None);
    for name in 0..4 {
        let (client, _) = world.try_connect(&hello(V3_1_1, &format!("client{name}")));
        world.lose(client);
    }
    let statistics = world.core.statistics();
    assert_eq!((statistics.sessions, statistics.subscriptions, statistics.queued), (0, 0, 0));
    assert_eq!(world.core.held_bytes, 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_sequence_of_legal_packets(script in proptest::collection::vec((0..3_u8, steps()), 1..120)) {
        play(&script, Limits::default());
    }

    /// The same with very low limits.
    #[test]
    fn any_sequence_under_tight_limits(script in proptest::collection::vec((0..3_u8, steps()), 1..120)) {
        play(&script, Limits {
            in_flight: 1, queue_messages: 3, session_bytes: 6000, retained_messages: 2, subscriptions: 2, sessions: 3,
            ..Limits::default()
        });
    }

    /// Arbitrary bytes before and after CONNECT, in arbitrary pieces.
    #[test]
    fn arbitrary_bytes(
        connected: bool, protocol in prop_oneof![Just(V3_1), Just(V3_1_1), Just(V5)],
        pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..60), 1..10),
    ) {
        let mut world = World::new();
        let client = if connected { world.connect(protocol, "c") } else { world.open(protocol) };
        let mut tail = Vec::new();
        for piece in &pieces {
            tail.extend_from_slice(piece);
            let taken = world.core.receive(client.id, &tail, world.now);
            prop_assert!(taken <= tail.len());
            tail.drain(..taken);
        }
        if connected {
            world.take(client);
        }
    }

    /// A valid packet with some bytes changed.
    #[test]
    fn damaged_packets(
        protocol in prop_oneof![Just(V3_1), Just(V3_1_1), Just(V5)], step in steps(),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut world = World::new();
        let client = world.connect(protocol, "c");
        world.subscribe(client, &[filter("#", 2)]);
        let mut bytes = bytes_of(protocol, &step);
        for (at, byte) in &damage {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = *byte;
            }
        }
        world.core.receive(client.id, &bytes, world.now);
        world.take(client);
    }
}
