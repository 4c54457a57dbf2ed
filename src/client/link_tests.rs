//! The driver over in-memory streams: what is written when, and how a link ends.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::time::Instant;

use super::handler::{Change, Flow, Handler};
use super::limits::ServerLimits;
use super::link::Link;
use super::scratch::OUTPUT_BYTES;
use super::session::{Event, Session};
use crate::error::Error;
use crate::protocol::property::PropertyBlock;
use crate::protocol::wire::{self, Packet, PublishTemplate};
use crate::protocol::{Protocol, QoS};

/// A handler that records its calls.
#[derive(Default)]
struct Recorder {
    log: Vec<String>,
    /// Payloads to publish at QoS 0 before it leaves.
    to_publish: Vec<&'static str>,
    leave: bool,
    stop_at: Option<usize>,
    /// `poll_flush` is pending while this is set.
    blocked: bool,
    broken_output: bool,
    messages: usize,
    changes: usize,
}

impl Handler for Recorder {
    fn poll_fill(
        &mut self,
        _cx: &mut Context<'_>,
        session: &mut Session,
        out: &mut BytesMut,
    ) -> Poll<Result<(), Error>> {
        for payload in self.to_publish.drain(..) {
            let template = PublishTemplate::new(
                session.protocol(),
                b"t",
                QoS::AtMostOnce,
                false,
                &PropertyBlock::default(),
            );
            session.publish(out, &Arc::new(template), payload.as_bytes(), || None, 0)?;
        }
        if self.leave { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn on_event(&mut self, event: Event<'_>) -> Result<Flow, Error> {
        if let Event::Message(publish) = &event {
            self.messages += 1;
            self.log.push(String::from_utf8_lossy(publish.payload).into_owned());
        }
        let stop = self.stop_at.is_some_and(|count| self.messages >= count);
        Ok(if stop { Flow::Stop } else { Flow::Continue })
    }

    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.broken_output {
            return Poll::Ready(Err(Error::OutputClosed));
        }
        if self.blocked { Poll::Pending } else { Poll::Ready(Ok(())) }
    }

    fn on_change(&mut self, _change: Change<'_>) {
        self.changes += 1;
    }
}

struct Bench {
    link: Link<DuplexStream>,
    session: Session,
    handler: Recorder,
    server: DuplexStream,
    protocol: Protocol,
}

impl Bench {
    fn new(protocol: Protocol, keep_alive: u16, handler: Recorder) -> Self {
        Self::with_leftover(protocol, keep_alive, handler, Vec::new())
    }

    fn with_leftover(protocol: Protocol, keep_alive: u16, handler: Recorder, leftover: Vec<u8>) -> Self {
        let (client, server) = duplex(1 << 20);
        let mut session = Session::new(protocol, 20, &PropertyBlock::default());
        session.connected(protocol, false, ServerLimits::default());
        let nothing = PropertyBlock::default();
        let link = Link::new(client, protocol, keep_alive, BARRIER_LIMIT, 10_000_000, leftover, nothing);
        Self { link, session, handler, server, protocol }
    }

    fn poll_once(&mut self) -> Poll<Result<(), Error>> {
        self.link.poll(&mut Context::from_waker(Waker::noop()), &mut self.session, &mut self.handler)
    }

    async fn run(&mut self) -> Result<(), Error> {
        poll_fn(|cx| self.link.poll(cx, &mut self.session, &mut self.handler)).await
    }

    /// The packets the broker has received so far, by name.
    async fn received(&mut self) -> Vec<&'static str> {
        let mut bytes = BytesMut::new();
        let mut names = Vec::new();
        let everything = self.server.read_buf(&mut bytes);
        if tokio::time::timeout(Duration::ZERO, everything).await.is_err() {
            return names;
        }
        let mut rest = &bytes[..];
        while let Ok(Some(length)) = wire::frame(rest, wire::LARGEST_PACKET_BYTES) {
            names.push(match wire::decode(self.protocol, &rest[..length]).unwrap() {
                Packet::Publish(_) => "PUBLISH",
                Packet::PubAck(_) => "PUBACK",
                Packet::PubRec(_) => "PUBREC",
                Packet::PubComp(_) => "PUBCOMP",
                Packet::PingReq => "PINGREQ",
                Packet::Disconnect { .. } => "DISCONNECT",
                other => panic!("{other:?}"),
            });
            rest = &rest[length..];
        }
        names
    }
}

pub(super) fn message(protocol: Protocol, qos: QoS, identifier: u16, payload: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    PublishTemplate::new(protocol, b"in", qos, false, &PropertyBlock::default())
        .put(&mut out, identifier, false, payload);
    out
}

pub(super) const BARRIER_LIMIT: Duration = Duration::from_secs(30);
pub(super) const BOTH: [Protocol; 2] = [Protocol::V3_1_1, Protocol::V5];

#[tokio::test]
async fn leaving_after_qos_0_waits_for_the_barrier() {
    for protocol in BOTH {
        let handler = Recorder { to_publish: vec!["a", "b"], leave: true, ..Recorder::default() };
        let mut bench = Bench::new(protocol, 60, handler);
        assert!(bench.poll_once().is_pending());
        assert_eq!(bench.received().await, ["PUBLISH", "PUBLISH", "PINGREQ"]);
        bench.server.write_all(&[0xD0, 0]).await.unwrap();
        bench.run().await.unwrap();
        assert_eq!(bench.received().await, ["DISCONNECT"]);
        assert!(!bench.session.has_unconfirmed());
    }
}

#[tokio::test(start_paused = true)]
async fn a_barrier_without_answer_is_given_up_and_reported() {
    let handler = Recorder { to_publish: vec!["a"], leave: true, ..Recorder::default() };
    let mut bench = Bench::new(Protocol::V5, 60, handler);
    let began = Instant::now();
    bench.run().await.unwrap();
    assert_eq!(began.elapsed().as_secs(), BARRIER_LIMIT.as_secs());
    assert_eq!(bench.handler.changes, 1);
    assert!(bench.session.has_unconfirmed());
    assert_eq!(bench.received().await, ["PUBLISH", "PINGREQ", "DISCONNECT"]);
}

/// The answer to an earlier keep-alive PINGREQ does not confirm later publishes.
#[tokio::test(start_paused = true)]
async fn an_earlier_answer_does_not_pass_the_barrier() {
    let mut bench = Bench::new(Protocol::V5, 10, Recorder::default());
    assert!(tokio::time::timeout(Duration::from_secs(11), bench.run()).await.is_err());
    assert_eq!(bench.received().await, ["PINGREQ"]);
    bench.handler.to_publish.push("a");
    bench.handler.leave = true;
    assert!(bench.poll_once().is_pending());
    assert_eq!(bench.received().await, ["PUBLISH", "PINGREQ"]);
    bench.server.write_all(&[0xD0, 0]).await.unwrap();
    assert!(bench.poll_once().is_pending());
    assert!(bench.session.has_unconfirmed());
    assert!(bench.received().await.is_empty(), "the answer to the first PINGREQ is not that to the second");
    bench.server.write_all(&[0xD0, 0]).await.unwrap();
    bench.run().await.unwrap();
    assert_eq!(bench.received().await, ["DISCONNECT"]);
}

/// A PINGRESP that nothing asked for: with CONNACK, also cut in two, or before the first PINGREQ.
#[tokio::test]
async fn unsolicited_answer_does_not_pass_the_barrier() {
    const PONG: [u8; 2] = [0xD0, 0];
    for (leftover, rest) in [(&PONG[..], &[][..]), (&PONG[..1], &PONG[1..]), (&[0xD0, 0, 0xD0, 0], &[])] {
        let handler = Recorder { to_publish: vec!["a"], leave: true, ..Recorder::default() };
        let mut bench = Bench::with_leftover(Protocol::V5, 60, handler, leftover.to_vec());
        bench.server.write_all(rest).await.unwrap();
        assert!(bench.poll_once().is_pending(), "{leftover:?}");
        assert_eq!(bench.received().await, ["PUBLISH", "PINGREQ"]);
        assert!(bench.poll_once().is_pending());
        assert!(bench.session.has_unconfirmed());
        bench.server.write_all(&PONG).await.unwrap();
        bench.run().await.unwrap();
        assert_eq!(bench.received().await, ["DISCONNECT"]);
        assert!(!bench.session.has_unconfirmed());
    }
    let mut bench = Bench::new(Protocol::V5, 60, Recorder::default());
    bench.server.write_all(&PONG).await.unwrap();
    assert!(bench.poll_once().is_pending());
    bench.handler.to_publish.push("a");
    bench.handler.leave = true;
    assert!(bench.poll_once().is_pending());
    assert_eq!(bench.received().await, ["PUBLISH", "PINGREQ"]);
    assert!(bench.poll_once().is_pending(), "the earlier PINGRESP was no answer");
}

/// For a received QoS 2 message the barrier lasts only until its exchange is complete; if the broker neither
/// completes it nor answers, no messages are reported as possibly lost.
#[tokio::test(start_paused = true)]
async fn leaving_after_qos_2_waits_for_the_release_only() {
    for protocol in BOTH {
        for answers in [0, 1, 2] {
            let mut bench = Bench::new(protocol, 60, Recorder { stop_at: Some(2), ..Recorder::default() });
            for identifier in [1, 2] {
                let message = message(protocol, QoS::ExactlyOnce, identifier, b"m");
                bench.server.write_all(&message).await.unwrap();
            }
            assert!(bench.poll_once().is_pending());
            assert_eq!(bench.received().await, ["PUBREC", "PUBREC", "PINGREQ"]);
            let began = Instant::now();
            for identifier in 1..=answers {
                bench.server.write_all(&[0x62, 2, 0, identifier]).await.unwrap();
            }
            // Packets received after the end are not answered.
            bench.server.write_all(&[0x62, 2, 0, 9]).await.unwrap();
            assert!(tokio::time::timeout(Duration::ZERO, bench.run()).await.is_err());
            let left = bench.received().await;
            if answers == 2 {
                assert_eq!(left, ["PUBCOMP", "PUBCOMP", "DISCONNECT"]);
            } else {
                assert_eq!(left.len(), usize::from(answers) + 1, "{left:?}");
            }
            bench.run().await.unwrap();
            assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
            assert_eq!(bench.handler.changes, 0);
        }
    }
}

/// Other packets are not the answer, however many arrive: the user's limit applies.
#[tokio::test(start_paused = true)]
async fn a_barrier_has_the_same_limit_while_the_broker_sends_something_else() {
    for between in [BARRIER_LIMIT * 2 / 3, Duration::from_millis(10)] {
        let handler = Recorder { to_publish: vec!["a"], leave: true, ..Recorder::default() };
        let mut bench = Bench::new(Protocol::V5, 60, handler);
        let began = Instant::now();
        assert!(bench.poll_once().is_pending());
        loop {
            bench.server.write_all(&message(Protocol::V5, QoS::AtMostOnce, 0, b"late")).await.unwrap();
            if let Ok(ended) = tokio::time::timeout(between, bench.run()).await {
                break ended.unwrap();
            }
        }
        assert_eq!(began.elapsed().as_secs(), BARRIER_LIMIT.as_secs(), "{between:?}");
        assert_eq!(bench.handler.changes, 1);
        assert!(bench.session.has_unconfirmed());
    }
}

#[tokio::test]
async fn a_barrier_lost_with_the_connection_is_an_error() {
    let handler = Recorder { to_publish: vec!["a"], leave: true, ..Recorder::default() };
    let mut bench = Bench::new(Protocol::V5, 60, handler);
    assert!(bench.poll_once().is_pending());
    bench.server.shutdown().await.unwrap();
    let error = bench.run().await.unwrap_err();
    assert!(error.to_string().contains("closed the connection"), "{error}");
}

#[tokio::test]
async fn acknowledgements_wait_for_the_output() {
    for protocol in BOTH {
        let mut bench = Bench::new(protocol, 60, Recorder { blocked: true, ..Recorder::default() });
        let one = message(protocol, QoS::AtLeastOnce, 1, b"one");
        let two = message(protocol, QoS::ExactlyOnce, 2, b"two");
        bench.server.write_all(&[one, two].concat()).await.unwrap();
        assert!(bench.poll_once().is_pending());
        assert_eq!(bench.handler.log, ["one", "two"]);
        assert!(bench.received().await.is_empty(), "nothing is acknowledged yet");
        bench.handler.blocked = false;
        assert!(bench.poll_once().is_pending());
        assert_eq!(bench.received().await, ["PUBACK", "PUBREC"]);
    }
}

#[tokio::test]
async fn an_output_that_breaks_acknowledges_nothing() {
    for protocol in BOTH {
        let mut bench = Bench::new(protocol, 60, Recorder { broken_output: true, ..Recorder::default() });
        bench.server.write_all(&message(protocol, QoS::AtLeastOnce, 1, b"one")).await.unwrap();
        bench.server.shutdown().await.unwrap();
        assert!(matches!(bench.run().await, Err(Error::OutputClosed)));
        assert_eq!(bench.received().await, ["DISCONNECT"]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_blocked_output_does_not_stop_the_pings() {
    let mut bench = Bench::new(Protocol::V3_1_1, 10, Recorder { blocked: true, ..Recorder::default() });
    bench.server.write_all(&message(Protocol::V3_1_1, QoS::AtLeastOnce, 1, b"one")).await.unwrap();
    let waited = tokio::time::timeout(Duration::from_secs(65), bench.run()).await;
    assert!(waited.is_err(), "the link must outlive the blocked output");
    let pings = bench.received().await;
    assert!(pings.len() >= 5 && pings.iter().all(|name| *name == "PINGREQ"), "{pings:?}");
}

#[tokio::test]
async fn messages_after_the_last_wanted_one_are_not_acknowledged() {
    for protocol in BOTH {
        let mut bench = Bench::new(protocol, 60, Recorder { stop_at: Some(1), ..Recorder::default() });
        let packets: Vec<_> = (1..=3).map(|id| message(protocol, QoS::AtLeastOnce, id, b"m")).collect();
        bench.server.write_all(&packets.concat()).await.unwrap();
        bench.server.shutdown().await.unwrap();
        bench.run().await.unwrap();
        assert_eq!(bench.handler.log, ["m"]);
        assert_eq!(bench.received().await, ["PUBACK", "DISCONNECT"]);
    }
}

#[tokio::test]
async fn packets_after_connack_are_not_lost() {
    let protocol = Protocol::V5;
    let mut leftover = message(protocol, QoS::AtMostOnce, 0, b"early").to_vec();
    let late = message(protocol, QoS::AtMostOnce, 0, b"late");
    leftover.extend_from_slice(&late[..3]);
    let mut bench = Bench::with_leftover(protocol, 60, Recorder::default(), leftover);
    assert!(bench.poll_once().is_pending());
    assert_eq!(bench.handler.log, ["early"]);
    bench.server.write_all(&late[3..]).await.unwrap();
    assert!(bench.poll_once().is_pending());
    assert_eq!(bench.handler.log, ["early", "late"]);
}

/// CONNACK and more than the scratch buffer arrived in one read: this once panicked.
#[tokio::test]
async fn many_packets_after_connack_are_received() {
    for bytes in [65_000, 65_536, 65_537, 200_000, 1_000_000] {
        for protocol in BOTH {
            let large = message(protocol, QoS::AtMostOnce, 0, &vec![b'x'; bytes]);
            let small = message(protocol, QoS::AtMostOnce, 0, b"small");
            let mut bench =
                Bench::with_leftover(protocol, 60, Recorder::default(), [&large[..], &small].concat());
            assert!(bench.poll_once().is_pending());
            let lengths: Vec<usize> = bench.handler.log.iter().map(String::len).collect();
            assert_eq!(lengths, [bytes, 5]);

            let mut bench = Bench::with_leftover(protocol, 60, Recorder::default(), large[..bytes].to_vec());
            bench.server.write_all(&large[bytes..]).await.unwrap();
            assert!(bench.poll_once().is_pending());
            assert_eq!(bench.handler.messages, 1);
        }
    }
}

/// Packets of sizes up to, at and far beyond the scratch buffer, cut at every position.
#[tokio::test]
async fn packets_arrive_whole_however_they_are_cut() {
    for sizes in [vec![0, 1, 100, 65_530, 65_536, 70_000, 3], vec![300_000, 1, 32_000, 40_000, 33_000]] {
        for cut in [1_usize, 7, 4096, 65_536] {
            if cut == 1 && sizes[0] > 0 {
                continue; // slow, and tests nothing more
            }
            let protocol = Protocol::V3_1_1;
            let payloads: Vec<Vec<u8>> = sizes
                .iter()
                .enumerate()
                .map(|(n, size)| vec![b'a' + u8::try_from(n).unwrap(); *size])
                .collect();
            let bytes: Vec<u8> =
                payloads.iter().flat_map(|payload| message(protocol, QoS::AtMostOnce, 0, payload)).collect();
            let mut bench = Bench::new(protocol, 60, Recorder::default());
            for piece in bytes.chunks(cut) {
                bench.server.write_all(piece).await.unwrap();
                assert!(bench.poll_once().is_pending());
            }
            let lengths: Vec<usize> = bench.handler.log.iter().map(String::len).collect();
            assert_eq!(lengths, sizes, "cut into {cut}");
        }
    }
}

#[tokio::test]
async fn messages_before_an_error_are_delivered_and_the_broker_gets_its_reason() {
    let mut bench = Bench::new(Protocol::V5, 60, Recorder::default());
    let mut bytes = message(Protocol::V5, QoS::AtLeastOnce, 1, b"good");
    bytes.extend_from_slice(&[0x36, 3, 0, 1, b'a']); // QoS 3
    bench.server.write_all(&bytes).await.unwrap();
    let error = bench.run().await.unwrap_err();
    assert_eq!(error.to_string(), "protocol error: PUBLISH: QoS 3");
    assert_eq!(bench.handler.log, ["good"]);
    assert_eq!(bench.received().await, ["PUBACK", "DISCONNECT"]);

    let mut bench = Bench::new(Protocol::V3_1_1, 60, Recorder::default());
    bench.server.write_all(&[0x36, 3, 0, 1, b'a']).await.unwrap();
    assert!(bench.run().await.is_err());
    assert!(bench.received().await.is_empty(), "3.1.1 has no word for it and must not send the clean one");
}

#[tokio::test]
async fn the_servers_disconnect_is_the_error() {
    let mut bench = Bench::new(Protocol::V5, 60, Recorder::default());
    bench.server.write_all(&[0xE0, 1, 0x8E]).await.unwrap();
    let error = bench.run().await.unwrap_err();
    assert_eq!(error.exit().code(), 0x8E);
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_is_noticed_within_one_and_a_half_intervals() {
    let mut bench = Bench::new(Protocol::V5, 10, Recorder::default());
    let start = tokio::time::Instant::now();
    let error = bench.run().await.unwrap_err();
    assert!(error.to_string().contains("silent"), "{error}");
    assert_eq!(start.elapsed().as_millis() / 100, 150);
}

/// A process that was stopped, with Ctrl-Z for example, finds the timeout expired and the answer in the
/// socket.
#[tokio::test(start_paused = true)]
async fn packet_that_arrived_in_time_is_read_late() {
    let mut bench = Bench::new(Protocol::V5, 10, Recorder::default());
    assert!(tokio::time::timeout(Duration::from_secs(11), bench.run()).await.is_err());
    assert_eq!(bench.received().await, ["PINGREQ"]);
    bench.server.write_all(&[0xd0, 0]).await.unwrap();
    tokio::time::advance(Duration::from_secs(60)).await;
    let late = tokio::time::Instant::now();
    let error = bench.run().await.unwrap_err();
    assert!(error.to_string().contains("silent"), "{error}");
    assert_eq!(late.elapsed().as_millis() / 100, 50, "the server is asked anew, and at once");
    assert_eq!(bench.received().await, ["PINGREQ"]);
}

/// Single bytes of a packet that never completes are not a sign of life.
#[tokio::test(start_paused = true)]
async fn packet_byte_by_byte_counts_as_silence() {
    let mut bench = Bench::new(Protocol::V5, 10, Recorder::default());
    let packet = message(Protocol::V5, QoS::AtMostOnce, 0, &[0; 1000]);
    let start = tokio::time::Instant::now();
    for byte in packet {
        bench.server.write_all(&[byte]).await.unwrap();
        if let Ok(end) = tokio::time::timeout(Duration::from_secs(1), bench.run()).await {
            let error = end.unwrap_err();
            assert!(error.to_string().contains("silent"), "{error}");
            assert_eq!(start.elapsed().as_millis() / 100, 150);
            return;
        }
    }
    panic!("the drip has kept the link alive");
}

#[tokio::test]
async fn connection_closed_inside_a_packet_is_reported() {
    let mut bench = Bench::new(Protocol::V5, 60, Recorder::default());
    bench.server.write_all(&[0x30, 50, 0]).await.unwrap();
    bench.server.shutdown().await.unwrap();
    let error = bench.run().await.unwrap_err();
    assert!(error.to_string().contains("in the middle of a packet"), "{error}");
}

/// Publishes at QoS 0 at full speed, in portions larger than the stream takes in one write.
struct Flood {
    left: usize,
}

impl Handler for Flood {
    fn poll_fill(
        &mut self,
        _cx: &mut Context<'_>,
        session: &mut Session,
        out: &mut BytesMut,
    ) -> Poll<Result<(), Error>> {
        let nothing = PropertyBlock::default();
        let template = PublishTemplate::new(session.protocol(), b"t", QoS::AtMostOnce, false, &nothing);
        let template = Arc::new(template);
        while self.left > 0 {
            if out.len() >= OUTPUT_BYTES {
                return Poll::Pending; // called again once this is written
            }
            self.left -= 1;
            session.publish(out, &template, &[b'x'; 200], || None, 0)?;
        }
        Poll::Ready(Ok(()))
    }

    fn on_event(&mut self, _event: Event<'_>) -> Result<Flow, Error> {
        Ok(Flow::Continue)
    }
}

/// Once a full stream has taken everything, the handler is asked for more even if nothing was received
/// meanwhile: a long `pub -l` at QoS 0 stalled here.
#[tokio::test(start_paused = true)]
async fn a_full_stream_that_drains_is_filled_again() {
    let (client, mut server) = duplex(10_000);
    let mut session = Session::new(Protocol::V5, 20, &PropertyBlock::default());
    session.connected(Protocol::V5, false, ServerLimits::default());
    let nothing = PropertyBlock::default();
    let mut link = Link::new(client, Protocol::V5, 0, BARRIER_LIMIT, 10_000_000, Vec::new(), nothing);
    let mut flood = Flood { left: 2000 };
    let reader = tokio::spawn(async move {
        let mut buffer = vec![0; 4096];
        while server.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
    });
    let run = poll_fn(|cx| link.poll(cx, &mut session, &mut flood));
    tokio::time::timeout(Duration::from_secs(60), run).await.expect("it does not halt").unwrap();
    assert_eq!(flood.left, 0);
    drop(link);
    reader.await.unwrap();
}
