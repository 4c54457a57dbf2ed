//! A scripted server: exact packets in and out, cuts, silence and invalid bytes.
//!
//! The script is a closure in a separate thread, with blocking sockets that all have timeouts. When the
//! server is dropped, the test waits for the script's end, and fails if the script did; a test that has
//! failed does not wait.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread::JoinHandle;
use std::time::Duration;

use ::mqtt::protocol::wire::{self, Packet};
use ::mqtt::protocol::{Protocol, QoS};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::packets;

/// Maximum time that the script waits for any single step.
const LIMIT: Duration = Duration::from_secs(60);

/// A client that accepts no bytes for this time counts as stopped. If it was only slow, the test checks less
/// than it could, but does not fail.
const STANDSTILL: Duration = Duration::from_secs(1);

/// A running script.
pub(crate) struct Server {
    port: u16,
    script: Option<JoinHandle<()>>,
}

impl Server {
    /// Listens on a free port of 127.0.0.1 and starts the script.
    pub(crate) fn start(script: impl FnOnce(&mut Listener) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let script = std::thread::spawn(move || script(&mut Listener { listener: Some(listener), port }));
        Self { port, script: Some(script) }
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Waits for the end of the script, and fails if it did.
    pub(crate) fn finish(mut self) {
        self.join();
    }

    /// Waits for the end of a script that needs one connection or none; makes the connection if the program
    /// did not.
    pub(crate) fn finish_or_refuse(self) {
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        self.finish();
    }

    fn join(&mut self) {
        if let Some(Err(panic)) = self.script.take().map(JoinHandle::join) {
            std::panic::resume_unwind(panic);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // A script may wait for a test that has failed.
        if !std::thread::panicking() {
            self.join();
        }
    }
}

/// The listening socket of the script.
pub(crate) struct Listener {
    listener: Option<TcpListener>,
    port: u16,
}

impl Listener {
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// The next connection.
    pub(crate) fn accept(&mut self) -> Peer {
        let listener = self.listener.as_ref().unwrap();
        assert!(is_readable(listener, LIMIT), "no connection within {LIMIT:?}");
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.set_write_timeout(Some(LIMIT)).unwrap();
        stream.set_nodelay(true).unwrap();
        Peer { stream, received: Vec::new() }
    }

    /// The next connection, after CONNECT and CONNACK.
    pub(crate) fn accept_session(&mut self, protocol: Protocol) -> Peer {
        let mut peer = self.accept();
        peer.expect_connect(protocol);
        peer.send(&packets::connack(protocol, false, 0));
        peer
    }

    /// The next connection of a client whose session was kept.
    pub(crate) fn accept_kept_session(&mut self, protocol: Protocol) -> Peer {
        let mut peer = self.accept();
        peer.expect_connect(protocol);
        peer.send(&packets::connack(protocol, true, 0));
        peer
    }

    /// Stops listening: connections are refused until [`Listener::listen_again`].
    pub(crate) fn close(&mut self) {
        self.listener = None;
    }

    /// Listens on the same port again.
    pub(crate) fn listen_again(&mut self) {
        self.listener = Some(TcpListener::bind(("127.0.0.1", self.port)).unwrap());
    }

    /// Checks that no client has connected yet.
    pub(crate) fn expect_no_connection(&self) {
        let listener = self.listener.as_ref().unwrap();
        assert!(!is_readable(listener, Duration::ZERO), "an unexpected connection");
    }
}

fn is_readable(fd: &impl std::os::fd::AsFd, limit: Duration) -> bool {
    let limit = Timespec { tv_sec: limit.as_secs().try_into().unwrap(), tv_nsec: 0 };
    poll(&mut [PollFd::new(fd, PollFlags::IN)], Some(&limit)).unwrap() > 0
}

/// One connection of the tested client.
pub(crate) struct Peer {
    stream: TcpStream,
    /// Bytes that were read but not processed.
    received: Vec<u8>,
}

impl Peer {
    /// The address it connected from.
    pub(crate) fn source(&self) -> std::net::IpAddr {
        self.stream.peer_addr().unwrap().ip()
    }

    /// The next packet, complete and raw; `None` if the client has closed its side.
    pub(crate) fn next(&mut self) -> Option<Vec<u8>> {
        loop {
            if let Some(length) = wire::frame(&self.received, wire::LARGEST_PACKET_BYTES).unwrap() {
                let rest = self.received.split_off(length);
                return Some(std::mem::replace(&mut self.received, rest));
            }
            if !self.read_more() {
                assert!(self.received.is_empty(), "the end came in the middle of a packet");
                return None;
            }
        }
    }

    /// The next packet, if it arrives within this time and the client has not closed its side.
    pub(crate) fn next_within(&mut self, limit: Duration) -> Option<Vec<u8>> {
        if wire::frame(&self.received, wire::LARGEST_PACKET_BYTES).unwrap().is_none() {
            self.stream.set_read_timeout(Some(limit)).unwrap();
            let mut buffer = [0; 4096];
            if let Ok(count) = self.stream.read(&mut buffer) {
                self.received.extend_from_slice(&buffer[..count]);
            }
            self.stream.set_read_timeout(Some(LIMIT)).unwrap();
        }
        let length = wire::frame(&self.received, wire::LARGEST_PACKET_BYTES).unwrap()?;
        let rest = self.received.split_off(length);
        Some(std::mem::replace(&mut self.received, rest))
    }

    /// Reads until the client closes its side.
    pub(crate) fn drain(&mut self) {
        while self.read_more() {}
    }

    fn read_more(&mut self) -> bool {
        let mut buffer = [0; 4096];
        match self.stream.read(&mut buffer) {
            Ok(0) => false,
            Ok(count) => {
                self.received.extend_from_slice(&buffer[..count]);
                true
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => false,
            // A signal to the tests, such as SIGCHLD.
            Err(error) if error.kind() == ErrorKind::Interrupted => self.read_more(),
            Err(error) => panic!("reading from the client: {error}"),
        }
    }

    /// Waits for the first bytes of the client's next packet.
    #[track_caller]
    pub(crate) fn expect_beginning(&mut self) {
        assert!(!self.received.is_empty() || self.read_more(), "the client has closed its side");
    }

    /// All packets until the client's end.
    pub(crate) fn rest(&mut self) -> Vec<Vec<u8>> {
        std::iter::from_fn(|| self.next()).collect()
    }

    /// The next packet, complete and raw.
    #[track_caller]
    pub(crate) fn packet(&mut self) -> Vec<u8> {
        self.next().expect("a packet was expected, and the client closed the connection")
    }

    /// Checks that the next packet is exactly this one.
    #[track_caller]
    pub(crate) fn expect(&mut self, protocol: Protocol, packet: &[u8]) {
        let received = self.packet();
        assert!(
            received == packet,
            "expected {}\n received {}",
            packets::shown(protocol, packet),
            packets::shown(protocol, &received)
        );
    }

    /// Checks that the next packet is a CONNECT of this version, and returns it.
    #[track_caller]
    pub(crate) fn expect_connect(&mut self, protocol: Protocol) -> Vec<u8> {
        let bytes = self.packet();
        match wire::decode(protocol, &bytes) {
            Ok(Packet::Connect(connect)) => assert_eq!(connect.protocol, protocol, "the version of CONNECT"),
            other => panic!("expected CONNECT, received {other:?}"),
        }
        bytes
    }

    /// Checks that the client starts a TLS handshake.
    #[track_caller]
    pub(crate) fn expect_client_hello(&mut self) {
        while self.received.len() < 6 && self.read_more() {}
        // A handshake record with a ClientHello (RFC 8446, sections 5.1 and 4).
        let is_hello = matches!(self.received[..], [22, 3, _, _, _, 1, ..]);
        assert!(is_hello, "expected a ClientHello, received {:?}", self.received);
    }

    /// Expects a SUBSCRIBE, and grants it as requested. Returns its packet identifier.
    #[track_caller]
    pub(crate) fn grant_subscription(&mut self, protocol: Protocol) -> u16 {
        let (identifier, asked) = self.expect_subscribe(protocol);
        self.send(&packets::suback(protocol, identifier, &asked));
        identifier
    }

    /// Expects a SUBSCRIBE; returns its packet identifier and the QoS of each filter.
    #[track_caller]
    pub(crate) fn expect_subscribe(&mut self, protocol: Protocol) -> (u16, Vec<u8>) {
        let bytes = self.packet();
        match wire::decode(protocol, &bytes) {
            Ok(Packet::Subscribe { packet_identifier, filters, .. }) => {
                (packet_identifier, filters.iter().map(|filter| filter.qos as u8).collect())
            }
            other => panic!("expected SUBSCRIBE, received {other:?}"),
        }
    }

    /// Expects a PUBLISH with this QoS and payload; returns packet identifier and DUP.
    #[track_caller]
    pub(crate) fn expect_publish(&mut self, protocol: Protocol, qos: QoS, payload: &[u8]) -> (u16, bool) {
        let bytes = self.packet();
        match wire::decode(protocol, &bytes) {
            Ok(Packet::Publish(publish)) => {
                assert_eq!((publish.qos, publish.payload), (qos, payload), "the PUBLISH");
                (publish.packet_identifier, publish.dup)
            }
            other => panic!("expected PUBLISH, received {other:?}"),
        }
    }

    /// Expects DISCONNECT and the end of the stream.
    #[track_caller]
    pub(crate) fn expect_disconnect(&mut self, protocol: Protocol) {
        self.expect(protocol, &packets::disconnect(protocol, 0));
        self.expect_end();
    }

    /// Expects and answers the client's barrier, then expects DISCONNECT and the end of the stream.
    #[track_caller]
    pub(crate) fn expect_barrier_and_disconnect(&mut self, protocol: Protocol) {
        self.expect(protocol, &packets::pingreq());
        self.send(&packets::pingresp());
        self.expect_disconnect(protocol);
    }

    /// Expects the end of the stream without another byte.
    #[track_caller]
    pub(crate) fn expect_end(&mut self) {
        let next = self.next();
        assert!(next.is_none(), "the end was expected, not {next:?}");
    }

    /// Checks that no unprocessed bytes have arrived. This is only certain after a later packet was received,
    /// for example the answer to a PINGREQ.
    #[track_caller]
    pub(crate) fn expect_silence(&self) {
        assert!(self.received.is_empty(), "unexpected: {:?}", self.received);
    }

    /// Sends bytes; the end of the client is not detected here.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        let _ = self.stream.write_all(bytes);
    }

    /// Sends bytes; returns whether the client is still connected.
    pub(crate) fn send_if_there(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Sends these bytes repeatedly, without reading, until the client has disconnected.
    pub(crate) fn flood(&mut self, bytes: &[u8]) {
        while self.stream.write_all(bytes).is_ok() {}
    }

    /// Sends these bytes repeatedly, without reading, until the client stops reading, has disconnected, or
    /// has accepted `most` bytes. Returns the number of accepted bytes.
    pub(crate) fn flood_up_to(&mut self, bytes: &[u8], most: usize) -> usize {
        self.stream.set_write_timeout(Some(STANDSTILL)).unwrap();
        let (mut taken, mut rest) = (0, bytes);
        while taken < most {
            let Ok(count @ 1..) = self.stream.write(rest) else { break };
            taken += count;
            rest = if count < rest.len() { &rest[count..] } else { bytes };
        }
        taken
    }

    /// Sends each byte separately.
    pub(crate) fn send_bytewise(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.send(std::slice::from_ref(byte));
        }
    }

    /// Closes the connection regularly.
    #[allow(clippy::unused_self, reason = "it is closed by being dropped")]
    pub(crate) fn close(self) {}

    /// Aborts the connection with a reset.
    pub(crate) fn reset(self) {
        socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
    }
}
