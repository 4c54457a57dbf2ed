//! Arbitrary bytes from a broker, at any moment and in pieces of any size, cause no panic, no output that is
//! invalid MQTT, and no more memory than was received.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};

use super::handler::{Flow, Handler};
use super::limits::ServerLimits;
use super::link::Link;
use super::session::{Event, Session};
use crate::error::Error;
use crate::protocol::property::{PropertyBlock, PropertyId, Value};
use crate::protocol::wire::{self, PublishTemplate, Subscription, corpus};
use crate::protocol::{Protocol, QoS};

/// Publishes and subscribes continuously.
struct Busy {
    events: usize,
    token: u64,
}

impl Handler for Busy {
    fn poll_fill(
        &mut self,
        _cx: &mut Context<'_>,
        session: &mut Session,
        out: &mut BytesMut,
    ) -> Poll<Result<(), Error>> {
        let nothing = PropertyBlock::default();
        for qos in [QoS::AtLeastOnce, QoS::ExactlyOnce] {
            if session.can_publish(qos) {
                self.token += 1;
                let template = PublishTemplate::new(session.protocol(), b"t", qos, false, &nothing);
                session.publish(
                    out,
                    &Arc::new(template),
                    b"x",
                    || Some(Bytes::from_static(b"x")),
                    self.token,
                )?;
            }
        }
        if session.is_idle() || self.token == 2 {
            let filter = Subscription {
                filter: "a",
                qos: QoS::ExactlyOnce,
                no_local: false,
                retain_as_published: false,
                retain_handling: 0,
            };
            session.subscribe(out, &[filter], &nothing, 0);
        }
        Poll::Pending
    }

    fn on_event(&mut self, _event: Event<'_>) -> Result<Flow, Error> {
        self.events += 1;
        Ok(Flow::Continue)
    }
}

/// A packet of the corpus, unchanged or with a few bytes changed.
fn packets() -> impl Strategy<Value = Vec<u8>> {
    let damage = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3);
    (any::<prop::sample::Index>(), damage, proptest::option::weighted(0.1, any::<prop::sample::Index>()))
        .prop_map(|(which, damage, cut)| {
            let mut packet = which.get(&corpus::packets()).clone();
            for (at, byte) in damage {
                let at = at.index(packet.len());
                packet[at] = byte;
            }
            if let Some(cut) = cut {
                packet.truncate(cut.index(packet.len()));
            }
            packet
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]
    #[test]
    fn arbitrary_input_causes_no_panic(
        protocol in prop_oneof![Just(Protocol::V3_1_1), Just(Protocol::V5)],
        sent in proptest::collection::vec(packets(), 1..40),
        pieces in proptest::collection::vec(1..200_usize, 1..20),
        behind_connack in 0..300_usize,
        session_present: bool,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            let mut properties = PropertyBlock::default();
            properties.push(PropertyId::TopicAliasMaximum, Value::Number(5));
            properties.push(PropertyId::ReceiveMaximum, Value::Number(50));
            let mut session = Session::new(protocol, 20, &properties);
            session.connected(protocol, session_present, ServerLimits::default());
            let mut bytes = sent.concat();
            let leftover: Vec<u8> = bytes.drain(..behind_connack.min(bytes.len())).collect();
            let (client, mut server) = duplex(1 << 20);
            let limit = std::time::Duration::from_secs(30);
            let mut link = Link::new(client, protocol, 60, limit, 100_000, leftover, PropertyBlock::default());
            let mut handler = Busy { events: 0, token: 0 };
            let mut cx = Context::from_waker(Waker::noop());
            let (mut rest, mut pieces) = (&bytes[..], pieces.iter().cycle());
            let mut ended = link.poll(&mut cx, &mut session, &mut handler).is_ready();
            while !ended && !rest.is_empty() {
                let (piece, others) = rest.split_at(rest.len().min(*pieces.next().unwrap()));
                server.write_all(piece).await.unwrap();
                rest = others;
                ended = link.poll(&mut cx, &mut session, &mut handler).is_ready();
            }
            drop(link);
            let mut out = Vec::new();
            server.read_to_end(&mut out).await.unwrap();
            let mut rest = &out[..];
            while let Some(length) = wire::frame(rest, wire::LARGEST_PACKET_BYTES).unwrap() {
                wire::decode(protocol, &rest[..length]).unwrap();
                rest = &rest[length..];
            }
            assert!(rest.is_empty(), "a part of a packet was left behind: {rest:x?}");
            // Each received packet causes at most one answer, and each answered one at most one new packet.
            assert!(out.len() <= 100 * (sent.len() * 20 + 30), "{} bytes for {}", out.len(), bytes.len());
        });
    }
}
