//! A bad network between a client and a good server: each connection gets the next fault of a schedule; after
//! the last one the network is good.

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use ::mqtt::protocol::Protocol;
use ::mqtt::protocol::wire::{self, Packet};
use bytes::BytesMut;

/// The fault of a connection, after this number of bytes in both directions together.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// Close both ends, perhaps in the middle of a packet.
    Cut(u64),
    /// The same with a reset for the client.
    Reset(u64),
    /// Forward nothing more, without notice.
    BlackHole(u64),
    /// Another client connects with the same client identifier, and disconnects. The server's notice (in MQTT
    /// 5, where it would end the client) is lost with the connection.
    TakeOver(u64),
    /// Delay each piece by this time.
    Delay(Duration),
    /// The server is down for this number of attempts.
    Down(u32),
}

impl Fault {
    /// A random fault, except those that last.
    pub(crate) fn draw(random: &mut fastrand::Rng) -> Self {
        // Most faults are early, in the middle of a handshake or a retransmission; some are late.
        let bytes = if random.bool() { random.u64(0..400) } else { random.u64(0..60_000) };
        match random.u32(0..12) {
            0..=3 => Self::Cut(bytes),
            4..=6 => Self::Reset(bytes),
            7 => Self::Delay(Duration::from_millis(random.u64(1..5))),
            8 => Self::Down(random.u32(1..4)),
            9 => Self::BlackHole(bytes),
            _ => Self::TakeOver(bytes),
        }
    }
}

/// Listens on a free port of 127.0.0.1, which is returned. Its threads end with their connections; the
/// listening one with the test.
pub(crate) fn start(server: u16, schedule: impl IntoIterator<Item = Fault>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut schedule: VecDeque<Fault> = schedule.into_iter().collect();
    thread::spawn(move || {
        while let Ok((client, _)) = listener.accept() {
            match schedule.pop_front() {
                Some(Fault::Down(attempts)) => {
                    reset(&client);
                    if attempts > 1 {
                        schedule.push_front(Fault::Down(attempts - 1));
                    }
                }
                fault => carry(client, server, fault),
            }
        }
    });
    port
}

/// The common state of both directions of a connection.
struct Connection {
    fault: Option<Fault>,
    passed: AtomicU64,
    over: AtomicBool,
    /// The CONNECT, for a takeover.
    connect: Mutex<Vec<u8>>,
    server: u16,
}

fn reset(stream: &TcpStream) {
    let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

fn carry(client: TcpStream, server: u16, fault: Option<Fault>) {
    let upstream = TcpStream::connect(("127.0.0.1", server)).unwrap();
    client.set_nodelay(true).unwrap();
    upstream.set_nodelay(true).unwrap();
    let connection = Arc::new(Connection {
        fault,
        passed: AtomicU64::new(0),
        over: AtomicBool::new(false),
        connect: Mutex::default(),
        server,
    });
    let ends = [client.try_clone().unwrap(), upstream.try_clone().unwrap()];
    let shared = Arc::clone(&connection);
    thread::spawn(move || shared.pass_on(ends[0].try_clone().unwrap(), &ends[1], true));
    thread::spawn(move || connection.pass_on(upstream, &client, false));
}

impl Connection {
    /// Forwards bytes until either side ends or the fault happens, and then ends both.
    fn pass_on(&self, mut from: TcpStream, mut to: &TcpStream, is_client: bool) {
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            let bytes = &buffer[..count];
            if is_client {
                let mut connect = self.connect.lock().unwrap();
                if connect.len() < 1000 {
                    connect.extend_from_slice(bytes);
                }
            }
            let before = self.passed.fetch_add(count as u64, Ordering::SeqCst);
            let left = |limit: u64| usize::try_from(limit.saturating_sub(before)).unwrap().min(count);
            let (pass, fault) = match self.fault {
                Some(Fault::Cut(limit) | Fault::Reset(limit) | Fault::BlackHole(limit)) => {
                    (left(limit), before + count as u64 > limit)
                }
                Some(Fault::TakeOver(limit)) => (count, before + count as u64 > limit),
                Some(Fault::Delay(time)) => {
                    thread::sleep(time); // the fault itself, and no wait for anything
                    (count, false)
                }
                Some(Fault::Down(_)) | None => (count, false),
            };
            let taken_over =
                matches!(self.fault, Some(Fault::TakeOver(_))) && self.over.load(Ordering::SeqCst);
            if taken_over || to.write_all(&bytes[..pass]).is_err() {
                break;
            }
            if fault && !self.over.swap(true, Ordering::SeqCst) {
                match self.fault {
                    Some(Fault::TakeOver(_)) => self.take_over(),
                    Some(Fault::Reset(_)) => {
                        reset(if is_client { &from } else { to });
                        break;
                    }
                    Some(Fault::BlackHole(_)) => {}
                    _ => break,
                }
            }
            if self.over.load(Ordering::SeqCst) && matches!(self.fault, Some(Fault::BlackHole(_))) {
                // The client will give up; its further bytes are discarded.
                while matches!(from.read(&mut buffer), Ok(1..)) {}
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
        let _ = from.shutdown(Shutdown::Both);
    }

    /// The server ends the client's connection because of another with the same identifier, which keeps the
    /// session.
    fn take_over(&self) {
        let bytes = self.connect.lock().unwrap().clone();
        let Ok(Some(length)) = wire::frame(&bytes, 10_000) else { return };
        let Ok(Packet::Connect(mut connect)) = wire::decode(Protocol::V3_1_1, &bytes[..length]) else {
            return;
        };
        connect.clean_start = false; // and the properties as they are, or the session would end with this
        let mut out = BytesMut::new();
        wire::connect(&mut out, &connect);
        let mut other = TcpStream::connect(("127.0.0.1", self.server)).unwrap();
        other.set_read_timeout(Some(super::LIMIT)).unwrap();
        let _ = other.write_all(&out);
        let _ = other.read(&mut [0; 4]);
        let _ = other.write_all(&[0xE0, 0]);
    }
}
