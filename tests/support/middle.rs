//! A relay between a client and a good server that makes it a bad one: every packet in both directions goes
//! through a function that may change, drop, delay or repeat it.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use ::mqtt::protocol::wire;

/// The fate of one packet.
pub(crate) enum Fate {
    Pass,
    /// Send these bytes instead; empty to drop the packet.
    Instead(Vec<u8>),
    /// Close the connection to the server as if the client had gone.
    Close,
}

/// The treatment of packets, complete and raw.
pub(crate) trait Mischief: Send + Sync + 'static {
    fn to_server(&self, _packet: &[u8]) -> Fate {
        Fate::Pass
    }

    fn to_client(&self, _packet: &[u8]) -> Fate {
        Fate::Pass
    }
}

/// Listens on a free port of 127.0.0.1, which is returned, and forwards to `server`. Its threads end with
/// their connections; the listening one with the test.
pub(crate) fn start(server: u16, mischief: impl Mischief) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mischief = Arc::new(mischief);
    thread::spawn(move || {
        while let Ok((client, _)) = listener.accept() {
            let server = TcpStream::connect(("127.0.0.1", server)).unwrap();
            client.set_nodelay(true).unwrap();
            server.set_nodelay(true).unwrap();
            let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            let outward = Arc::clone(&mischief);
            thread::spawn(move || pass_on(from, to, |packet| outward.to_server(packet)));
            let inward = Arc::clone(&mischief);
            thread::spawn(move || pass_on(server, client, |packet| inward.to_client(packet)));
        }
    });
    port
}

/// Forwards packets until either side ends, and then ends the other.
fn pass_on(mut from: TcpStream, mut to: TcpStream, fate: impl Fn(&[u8]) -> Fate) {
    let mut received = Vec::new();
    let mut buffer = [0; 4096];
    'reading: while let Ok(count @ 1..) = from.read(&mut buffer) {
        received.extend_from_slice(&buffer[..count]);
        // Invalid packets are forwarded unchanged: the server must judge them.
        while let Ok(Some(length)) = wire::frame(&received, wire::LARGEST_PACKET_BYTES) {
            let rest = received.split_off(length);
            let packet = std::mem::replace(&mut received, rest);
            let written = match fate(&packet) {
                Fate::Pass => to.write_all(&packet),
                Fate::Instead(bytes) => to.write_all(&bytes),
                Fate::Close => break 'reading,
            };
            if written.is_err() {
                break 'reading;
            }
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = from.shutdown(Shutdown::Both);
}
