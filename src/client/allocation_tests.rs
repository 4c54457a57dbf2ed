//! In steady state the driver allocates no memory per message, sent or received.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::handler::{Flow, Handler};
use super::limits::ServerLimits;
use super::link::Link;
use super::link_tests::{BARRIER_LIMIT, BOTH, message};
use super::scratch::OUTPUT_BYTES;
use super::session::{Event, Session};
use crate::error::Error;
use crate::net::Stream;
use crate::protocol::property::PropertyBlock;
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{self, Packet, PacketType, PublishTemplate, TopicAlias};
use crate::protocol::{Protocol, QoS};

/// A stream that repeats the same packets endlessly and discards what is written.
struct Endless {
    input: Vec<u8>,
    reads: usize,
}

impl AsyncRead for Endless {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.reads == 0 {
            return Poll::Pending;
        }
        self.reads -= 1;
        buffer.put_slice(&self.input);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Endless {
    fn poll_write(self: Pin<&mut Self>, _cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Counts events, and publishes as long as the window is open.
struct Busy {
    template: Arc<PublishTemplate>,
    payload: Bytes,
    publishes: bool,
    events: u64,
}

impl Handler for Busy {
    fn poll_fill(
        &mut self,
        _cx: &mut Context<'_>,
        session: &mut Session,
        out: &mut BytesMut,
    ) -> Poll<Result<(), Error>> {
        while self.publishes && out.len() < OUTPUT_BYTES && session.can_publish(self.template.qos()) {
            session.publish(out, &self.template, &self.payload, || Some(self.payload.clone()), 0)?;
        }
        Poll::Pending
    }

    fn on_event(&mut self, _event: Event<'_>) -> Result<Flow, Error> {
        self.events += 1;
        Ok(Flow::Continue)
    }
}

/// The number of allocations for `reads` reads of `input` after a warm-up, and the number of events.
fn allocations(protocol: Protocol, qos: QoS, publishes: bool, input: Vec<u8>) -> (u64, u64) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let _inside = runtime.enter();
    let template = PublishTemplate::new(protocol, b"t", qos, false, &PropertyBlock::default());
    let mut handler = Busy {
        template: Arc::new(template),
        payload: Bytes::from_static(b"0123456789abcdef"),
        publishes,
        events: 0,
    };
    let mut session = Session::new(protocol, 100, &PropertyBlock::default());
    session.connected(protocol, false, ServerLimits::default());
    let stream = Endless { input, reads: 100 };
    let mut link =
        Link::new(stream, protocol, 60, BARRIER_LIMIT, 1 << 20, Vec::new(), PropertyBlock::default());
    let mut turn = |link: &mut Link<Endless>| {
        // A busy link yields to others now and then, and has to be polled again.
        while link.stream_mut().reads > 0 {
            let mut cx = Context::from_waker(Waker::noop());
            assert!(link.poll(&mut cx, &mut session, &mut handler).is_pending());
        }
    };
    turn(&mut link);
    link.stream_mut().reads = 1000;
    let measured = allocation_counter::measure(|| turn(&mut link));
    (measured.count_total, handler.events)
}

#[test]
fn nothing_is_allocated_per_message_in_steady_state() {
    for protocol in BOTH {
        for qos in [QoS::AtMostOnce, QoS::AtLeastOnce] {
            let input: Vec<u8> =
                (1..=100).flat_map(|id| message(protocol, qos, id, b"0123456789abcdef")).collect();
            let (count, events) = allocations(protocol, qos, false, input);
            assert_eq!((count, events), (0, 110_000), "receiving, {protocol} {qos}");
        }
        // QoS 2 in both directions: PUBLISH and PUBREL, with the same identifiers again and again.
        let mut input = BytesMut::new();
        for id in 1..=50 {
            input.extend_from_slice(&message(protocol, QoS::ExactlyOnce, id, b"0123456789abcdef"));
        }
        for id in 1..=50 {
            wire::ack(&mut input, protocol, PacketType::PubRel, id, ReasonCode::SUCCESS);
        }
        let (count, events) = allocations(protocol, QoS::ExactlyOnce, false, input.to_vec());
        assert_eq!((count, events), (0, 110_000), "receiving, {protocol} 2");
    }
}

/// The packet identifiers wrap, so the broker's responses are built in advance for all of them.
#[test]
fn nothing_is_allocated_per_publish_in_steady_state() {
    let protocol = Protocol::V5;
    let mut session = Session::new(protocol, 100, &PropertyBlock::default());
    session.connected(protocol, false, ServerLimits { topic_alias_maximum: 1, ..ServerLimits::default() });
    let qualities = [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce];
    for (qos, alias) in qualities
        .into_iter()
        .flat_map(|qos| [TopicAlias::None, TopicAlias::Auto, TopicAlias::Fixed(1)].map(|alias| (qos, alias)))
    {
        let template = PublishTemplate::new(protocol, b"t", qos, false, &PropertyBlock::default());
        let template = Arc::new(template.with_topic_alias(alias));
        let payload = Bytes::from_static(b"0123456789abcdef");
        let mut out = BytesMut::with_capacity(1 << 20);
        let mut answers = BytesMut::with_capacity(1 << 20);
        let mut round = |out: &mut BytesMut| {
            for token in 0..100 {
                session.publish(out, &template, &payload, || Some(payload.clone()), token).unwrap();
            }
            let sent = out.len();
            let mut at = 0;
            while qos != QoS::AtMostOnce && at < sent {
                let length = wire::frame(&out[at..], 1 << 20).unwrap().unwrap();
                let Packet::Publish(publish) = wire::decode(protocol, &out[at..at + length]).unwrap() else {
                    panic!()
                };
                let ack = wire::Ack {
                    packet_identifier: publish.packet_identifier,
                    reason: ReasonCode::SUCCESS,
                    properties: crate::protocol::property::Properties::NONE,
                };
                at += length;
                if qos == QoS::AtLeastOnce {
                    session.receive(&Packet::PubAck(ack), &mut answers).unwrap();
                } else {
                    session.receive(&Packet::PubRec(ack), &mut answers).unwrap();
                    session.receive(&Packet::PubComp(ack), &mut answers).unwrap();
                }
            }
            out.clear();
            answers.clear();
        };
        round(&mut out);
        let measured = allocation_counter::measure(|| {
            for _ in 0..100 {
                round(&mut out);
            }
        });
        assert_eq!(measured.count_total, 0, "QoS {qos}, {alias:?}");
    }
}

/// A load of ten thousand connections holds ten thousand links.
#[test]
fn a_link_stays_small() {
    assert!(size_of::<Link<Stream>>() <= 328, "{}", size_of::<Link<Stream>>());
}
