//! The driver with real sockets and in-memory pipes; the rules are tested in `core`.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::*;
use crate::protocol::Protocol::{self, V3_1_1, V5};
use crate::protocol::QoS;
use crate::protocol::property::{Properties, PropertyBlock};
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{self, Connect, LARGEST_PACKET_BYTES, Packet, PacketType, Publish, Subscription};

/// A client that writes raw packets and reads complete ones.
struct Peer<S> {
    stream: S,
    protocol: Protocol,
    buffer: BytesMut,
}

fn connect_bytes(protocol: Protocol, client_identifier: &str, clean_start: bool) -> BytesMut {
    let mut out = BytesMut::new();
    let connect = Connect {
        protocol,
        clean_start,
        keep_alive: 0,
        properties: Properties::NONE,
        client_identifier,
        will: None,
        user_name: None,
        password: None,
    };
    wire::connect(&mut out, &connect);
    out
}

fn publish_bytes(protocol: Protocol, qos: QoS, packet_identifier: u16, payload: &[u8]) -> BytesMut {
    let mut out = BytesMut::new();
    let properties = Properties::NONE;
    let (dup, retain, topic) = (false, false, &b"t"[..]);
    let publish = Publish { dup, qos, retain, packet_identifier, topic, properties, payload };
    wire::put_publish(&mut out, protocol, &publish);
    out
}

impl Peer<TcpStream> {
    async fn connect(broker: &Broker, protocol: Protocol, name: &str) -> Self {
        let stream = TcpStream::connect(broker.address().unwrap()).await.unwrap();
        Self::join(stream, protocol, name, true).await
    }
}

impl<S: ByteStream> Peer<S> {
    async fn join(stream: S, protocol: Protocol, name: &str, clean_start: bool) -> Self {
        let mut peer = Self { stream, protocol, buffer: BytesMut::new() };
        peer.send(&connect_bytes(protocol, name, clean_start)).await;
        let connack = peer.packet().await.expect("CONNACK");
        assert!(matches!(
            wire::decode(protocol, &connack),
            Ok(Packet::ConnAck { reason: ReasonCode::SUCCESS, .. })
        ));
        peer
    }

    async fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).await.unwrap();
    }

    /// The next packet, or `None` at the end of the stream.
    async fn packet(&mut self) -> Option<BytesMut> {
        loop {
            if let Some(length) = wire::frame(&self.buffer, LARGEST_PACKET_BYTES).unwrap() {
                return Some(self.buffer.split_to(length));
            }
            let read = timeout(Duration::from_secs(20), self.stream.read_buf(&mut self.buffer));
            match read.await.expect("something within 20 s") {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    async fn subscribe(&mut self, qos: QoS) {
        let mut out = BytesMut::new();
        let (no_local, retain_as_published, retain_handling) = (false, false, 0);
        let subscription = Subscription { filter: "t", qos, no_local, retain_as_published, retain_handling };
        wire::subscribe(&mut out, self.protocol, 1, &[subscription], &PropertyBlock::default());
        self.send(&out).await;
        assert_eq!(self.packet().await.unwrap()[0], 0x90);
    }

    /// The payload of the next message, which is acknowledged.
    async fn message(&mut self) -> Vec<u8> {
        let packet = self.packet().await.expect("a message");
        let Ok(Packet::Publish(publish)) = wire::decode(self.protocol, &packet) else { panic!("{packet:?}") };
        let mut out = BytesMut::new();
        if publish.qos == QoS::AtLeastOnce {
            let (identifier, reason) = (publish.packet_identifier, ReasonCode::SUCCESS);
            wire::ack(&mut out, self.protocol, PacketType::PubAck, identifier, reason);
            self.send(&out).await;
        }
        publish.payload.to_vec()
    }
}

/// Thousands of connections at once wait in the backlog until they are accepted.
#[tokio::test]
async fn many_connections_may_wait() {
    let most = std::fs::read_to_string("/proc/sys/net/core/somaxconn").ok();
    let most: usize = most.and_then(|most| most.trim().parse().ok()).unwrap_or(128);
    let broker = Broker::start(Options::default()).unwrap();
    // No connection is accepted meanwhile: this is the only task, and it does not wait.
    let limit = std::time::Duration::from_secs(30);
    let connect = || std::net::TcpStream::connect_timeout(&broker.address().unwrap(), limit).unwrap();
    let waiting: Vec<_> = std::iter::repeat_with(connect).take(most.min(200)).collect();
    drop(waiting);
}

#[tokio::test]
async fn several_brokers_run_in_one_process() {
    let one = Broker::start(Options::default()).unwrap();
    let two = Broker::start(Options::default()).unwrap();
    assert_ne!(one.address().unwrap(), two.address().unwrap());
    let mut reader = Peer::connect(&one, V5, "c").await;
    reader.subscribe(QoS::AtLeastOnce).await;
    let mut elsewhere = Peer::connect(&two, V5, "c").await;
    elsewhere.send(&publish_bytes(V5, QoS::AtLeastOnce, 1, b"unheard")).await;
    assert_eq!(elsewhere.packet().await.unwrap()[..], [0x40, 3, 0, 1, 0x10]);
    let mut writer = Peer::connect(&one, V3_1_1, "writer").await;
    writer.send(&publish_bytes(V3_1_1, QoS::AtLeastOnce, 1, b"heard")).await;
    assert_eq!(writer.packet().await.unwrap()[..], [0x40, 2, 0, 1]);
    assert_eq!(reader.message().await, b"heard");
    assert_eq!(one.statistics().connections, 2);
    let address = one.address().unwrap();
    let ending = tokio::spawn(one.shutdown());
    // In MQTT 5 "Server shutting down" before the end of the stream; in 3.x only the end.
    assert_eq!(reader.packet().await.unwrap()[..], [0xE0, 1, 0x8B]);
    assert_eq!(reader.packet().await, None);
    assert_eq!(writer.packet().await, None);
    drop((reader, writer));
    ending.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
    // The address can be used again.
    let again =
        Broker::start(Options { listeners: vec![Listener::tcp(address)], ..Options::default() }).unwrap();
    again.shutdown().await;
    two.shutdown().await;
}

#[tokio::test]
async fn an_address_in_use_is_an_error() {
    let broker = Broker::start(Options::default()).unwrap();
    let second = Broker::start(Options { listeners: broker.listeners().to_vec(), ..Options::default() });
    let text = second.err().unwrap().to_string();
    assert!(text.contains("cannot listen on 127.0.0.1:"), "{text}");
}

/// Many messages at once, read only afterwards: batches, partial packets and back-pressure lose nothing.
#[tokio::test]
async fn flood_of_messages_arrives_complete() {
    for (qos, granted) in [(QoS::AtMostOnce, QoS::AtMostOnce), (QoS::AtLeastOnce, QoS::AtLeastOnce)] {
        let broker = Broker::start(Options::default()).unwrap();
        let mut reader = Peer::connect(&broker, V3_1_1, "reader").await;
        reader.subscribe(granted).await;
        let writer = Peer::connect(&broker, V5, "writer").await;
        let (mut from, mut to) = tokio::io::split(writer.stream);
        let count = 10_000_u32;
        let writing = tokio::spawn(async move {
            for start in (0..count).step_by(1000) {
                let mut out = BytesMut::new();
                for number in start..start + 1000 {
                    let identifier = u16::try_from(number % 65_535 + 1).unwrap();
                    out.extend_from_slice(&publish_bytes(
                        V5,
                        qos,
                        identifier,
                        &[number.to_le_bytes()[0]; 1000],
                    ));
                }
                to.write_all(&out).await.unwrap();
            }
            to
        });
        let acknowledged = tokio::spawn(async move {
            let mut bytes = 0;
            let mut buffer = [0; 4096];
            let expected = if qos == QoS::AtMostOnce { 0 } else { count as usize * 4 };
            while bytes < expected {
                bytes += from.read(&mut buffer).await.unwrap();
            }
            (from, bytes == expected)
        });
        for number in 0..count {
            assert_eq!(reader.message().await, [number.to_le_bytes()[0]; 1000]);
        }
        let (from, whole) = acknowledged.await.unwrap();
        assert!(whole);
        drop((reader, from, writing.await.unwrap()));
        assert_eq!(broker.statistics().messages_dropped, 0);
        broker.shutdown().await;
    }
}

/// The Reason Code is readable even if many bytes after the invalid packet are unread.
#[tokio::test]
async fn last_disconnect_arrives() {
    let broker = Broker::start(Options::default()).unwrap();
    let peer = Peer::connect(&broker, V5, "c").await;
    let mut bytes = vec![0x00; 2];
    bytes.resize(500_000, 0xFF);
    let (mut from, mut to) = tokio::io::split(peer.stream);
    let writing = tokio::spawn(async move {
        let _ = to.write_all(&bytes).await;
        to
    });
    let mut answer = Vec::new();
    from.read_to_end(&mut answer).await.unwrap();
    assert_eq!(answer[..1], [0xE0]);
    assert_eq!(answer[2], 0x82);
    drop((from, writing.await.unwrap()));
    broker.shutdown().await;
}

/// A pipe of a few bytes: every packet is split, in both directions.
#[tokio::test]
async fn any_stream_is_accepted() {
    let broker = Broker::start(Options::default()).unwrap();
    for (size, payload) in [(1, 2000), (7, 20_000), (1 << 20, 200_000)] {
        let (stream, other) = tokio::io::duplex(size);
        broker.attach(other);
        let mut peer = Peer::join(stream, V5, "c", true).await;
        peer.subscribe(QoS::AtLeastOnce).await;
        let payload = vec![7; payload];
        let bytes = publish_bytes(V5, QoS::AtLeastOnce, 1, &payload);
        let (mut from, mut to) = tokio::io::split(peer.stream);
        let writing = tokio::spawn(async move {
            to.write_all(&bytes).await.unwrap();
            to
        });
        let mut answer = vec![0; bytes_of_answer(payload.len())];
        from.read_exact(&mut answer).await.unwrap();
        drop((from, writing.await.unwrap()));
    }
    broker.shutdown().await;
}

/// The length of the PUBLISH to the client and its PUBACK.
fn bytes_of_answer(payload: usize) -> usize {
    publish_bytes(V5, QoS::AtLeastOnce, 1, &vec![0; payload]).len() + 4
}

/// A packet that uses the work of a turn up, and nothing after it: the client is read from again.
#[tokio::test]
async fn client_is_read_after_a_packet_that_ends_the_turn() {
    let broker = Broker::start(Options::default()).unwrap();
    let (own, other) = tokio::io::duplex(64 << 10);
    broker.attach(other);
    let mut client = Peer::join(own, V3_1_1, "c", true).await;
    client.send(&publish_bytes(V3_1_1, QoS::AtMostOnce, 0, &vec![b'x'; 9 << 20])).await;
    let published = async {
        while broker.statistics().messages_received == 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(20), published).await.expect("the message within 20 s");
    client.send(&[0xC0, 0]).await;
    assert_eq!(client.packet().await.unwrap()[..], [0xD0, 0]);
    broker.shutdown().await;
}

#[tokio::test]
async fn single_bytes() {
    let faults = Faults { single_byte_writes: true, ..Faults::default() };
    let broker = Broker::start(Options { faults, ..Options::default() }).unwrap();
    let (stream, other) = tokio::io::duplex(1 << 20);
    broker.attach(other);
    let mut peer = Peer { stream, protocol: V3_1_1, buffer: BytesMut::new() };
    peer.send(&connect_bytes(V3_1_1, "c", true)).await;
    let mut buffer = [0; 100];
    assert_eq!(peer.stream.read(&mut buffer).await.unwrap(), 1);
    assert_eq!(peer.stream.read(&mut buffer).await.unwrap(), 1);
    drop(peer);
    broker.shutdown().await;
}

/// Sessions survive a network failure, but not the end of the broker.
#[tokio::test]
async fn cut_connections_and_crashes() {
    let broker = Broker::start(Options::default()).unwrap();
    let stream = TcpStream::connect(broker.address().unwrap()).await.unwrap();
    let mut peer = Peer::join(stream, V3_1_1, "c", false).await;
    peer.subscribe(QoS::AtLeastOnce).await;
    broker.cut_connections();
    assert_eq!(peer.packet().await, None);
    let mut writer = Peer::connect(&broker, V3_1_1, "writer").await;
    writer.send(&publish_bytes(V3_1_1, QoS::AtLeastOnce, 1, b"meanwhile")).await;
    writer.packet().await.unwrap();
    let stream = TcpStream::connect(broker.address().unwrap()).await.unwrap();
    let mut peer = Peer::join(stream, V3_1_1, "c", false).await;
    assert_eq!(peer.message().await, b"meanwhile");
    drop(broker);
    assert_eq!(peer.packet().await, None);
    assert_eq!(writer.packet().await, None);
}

/// The loss of a client is detected, even while it is not read.
#[tokio::test]
async fn lost_clients_are_noticed() {
    let broker = Broker::start(Options::default()).unwrap();
    let peer = Peer::connect(&broker, V5, "c").await;
    assert_eq!(broker.statistics().sessions, 1);
    drop(peer);
    // Answers to the next client may arrive before the loss is handled.
    while broker.statistics().sessions > 0 {
        tokio::task::yield_now().await;
    }
    broker.shutdown().await;
}

/// Nothing happens except the passage of time.
#[tokio::test(start_paused = true)]
async fn deadlines_come_without_traffic() {
    let broker = Broker::start(Options::default()).unwrap();
    // Connect timeout.
    let (mut silent, other) = tokio::io::duplex(100);
    broker.attach(other);
    let begin = tokio::time::Instant::now();
    assert_eq!(silent.read(&mut [0; 9]).await.unwrap(), 0);
    assert_eq!(begin.elapsed().as_secs(), 10);
    // Keep-alive.
    let (stream, other) = tokio::io::duplex(100);
    broker.attach(other);
    let mut peer = Peer { stream, protocol: V5, buffer: BytesMut::new() };
    let mut connect = connect_bytes(V5, "c", true);
    connect[11] = 4;
    peer.send(&connect).await;
    assert_eq!(peer.packet().await.unwrap()[0], 0x20);
    let begin = tokio::time::Instant::now();
    assert_eq!(peer.packet().await.unwrap()[..3], [0xE0, 1, 0x8D]);
    assert_eq!(begin.elapsed().as_secs(), 6);
    broker.shutdown().await;
}

/// A shutdown does not wait forever for a client that keeps its side open.
#[tokio::test(start_paused = true)]
async fn shutdown_ends_with_a_client_that_stays_open() {
    let broker = Broker::start(Options::default()).unwrap();
    let (stream, other) = tokio::io::duplex(100);
    broker.attach(other);
    let peer = Peer::join(stream, V5, "c", true).await;
    let begin = tokio::time::Instant::now();
    broker.shutdown().await;
    assert!(begin.elapsed() <= Duration::from_secs(2));
    drop(peer);
}

/// Also on a multi-threaded runtime.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_threads() {
    let broker = Broker::start(Options::default()).unwrap();
    let mut reader = Peer::connect(&broker, V3_1_1, "reader").await;
    reader.subscribe(QoS::AtMostOnce).await;
    let mut writers = Vec::new();
    for writer in 0..4_u8 {
        let mut peer = Peer::connect(&broker, V3_1_1, &format!("writer{writer}")).await;
        writers.push(tokio::spawn(async move {
            for _ in 0..1000 {
                peer.send(&publish_bytes(V3_1_1, QoS::AtMostOnce, 0, &[writer])).await;
            }
            peer
        }));
    }
    let mut counts = [0; 4];
    for _ in 0..4000 {
        counts[usize::from(reader.message().await[0])] += 1;
    }
    assert_eq!(counts, [1000; 4]);
    drop(reader);
    for writer in writers {
        drop(writer.await.unwrap());
    }
    broker.shutdown().await;
}

/// The most turns of a flooding client between another client's PINGREQ and its answer: the system reports the
/// input after one of them, and the answer goes out after another.
const MOST_TURNS: u64 = 8;

/// A client that always has more to send, and takes everything: the broker never waits for it. Its turns are
/// counted.
struct Flood {
    connect: BytesMut,
    packets: Vec<u8>,
    /// The number of bytes sent of the packets.
    sent: usize,
    turns: Arc<AtomicU64>,
}

impl AsyncRead for Flood {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let this = &mut *self;
        if !this.connect.is_empty() {
            buffer.put_slice(&this.connect.split());
            return Poll::Ready(Ok(()));
        }
        while buffer.remaining() > 0 {
            let rest = &this.packets[this.sent % this.packets.len()..];
            let count = rest.len().min(buffer.remaining());
            buffer.put_slice(&rest[..count]);
            this.sent += count;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Flood {
    fn poll_write(self: Pin<&mut Self>, _cx: &mut Context<'_>, bytes: &[u8]) -> Poll<std::io::Result<usize>> {
        Poll::Ready(Ok(bytes.len()))
    }

    /// The broker flushes once in each turn.
    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        self.turns.fetch_add(1, Ordering::Relaxed);
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Subscriptions with many wildcards, over retained messages that none of them matches.
fn subscribe_flood() -> Vec<u8> {
    let names: Vec<String> = (0..400).map(|number| format!("+/+/none{number}")).collect();
    let (qos, no_local, retain_as_published, retain_handling) = (QoS::AtMostOnce, false, false, 0);
    let filters: Vec<Subscription<'_>> = names
        .iter()
        .map(|filter| Subscription { filter, qos, no_local, retain_as_published, retain_handling })
        .collect();
    let mut out = BytesMut::new();
    wire::subscribe(&mut out, V5, 1, &filters, &PropertyBlock::default());
    out.to_vec()
}

/// One client sends large packets without a pause; another one's PINGREQ arrives over a socket, which the runtime
/// has to look at.
#[tokio::test]
async fn flooding_client_leaves_others_their_turn() {
    let floods = [
        ("SUBSCRIBE", subscribe_flood()),
        ("PUBLISH", publish_bytes(V5, QoS::AtMostOnce, 0, &vec![b'x'; 200_000]).to_vec()),
        ("small PUBLISH", publish_bytes(V5, QoS::AtLeastOnce, 1, b"x").to_vec()),
    ];
    for (name, packets) in floods {
        let broker = Broker::start(Options::default()).unwrap();
        let (ours, theirs) = tokio::net::UnixStream::pair().unwrap();
        broker.attach(theirs);
        let mut other = Peer::join(ours, V5, "other", true).await;
        let retained = |number: u32| {
            let mut out = BytesMut::new();
            let topic = format!("a/{number}/value");
            let publish = Publish {
                dup: false,
                qos: QoS::AtMostOnce,
                retain: true,
                packet_identifier: 0,
                topic: topic.as_bytes(),
                properties: Properties::NONE,
                payload: b"x",
            };
            wire::put_publish(&mut out, V5, &publish);
            out
        };
        for number in 0..2000 {
            other.send(&retained(number)).await;
        }
        let turns = Arc::new(AtomicU64::new(0));
        let connect = connect_bytes(V5, "flood", true);
        broker.attach(Flood { connect, packets, sent: 0, turns: Arc::clone(&turns) });
        let count = || turns.load(Ordering::Relaxed);
        while count() < 20 {
            tokio::task::yield_now().await;
        }
        let mut most = 0;
        for _ in 0..50 {
            let before = count();
            other.send(&[0xC0, 0]).await;
            assert_eq!(other.packet().await.unwrap()[..], [0xD0, 0]);
            most = most.max(count() - before);
        }
        assert!((1..=MOST_TURNS).contains(&most), "{name}: {most} turns");
        let before = count();
        while count() < before + 20 {
            tokio::task::yield_now().await; // it was not disconnected
        }
    }
}
