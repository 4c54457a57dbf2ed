//! Endless input that is no progress: what else a program has to do is still done.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};

use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::support::mqtt::Mqtt;

/// Takes one client to a WebSocket, answers its CONNECT, and then sends `start` once and `flood` for ever.
fn serve(start: &'static [u8], flood: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut byte = [0];
        while !request.ends_with(b"\r\n\r\n") {
            stream.read_exact(&mut byte).unwrap();
            request.push(byte[0]);
        }
        let request = String::from_utf8(request).unwrap();
        let key = request
            .lines()
            .find_map(|line| {
                let (name, value) = line.split_once(": ")?;
                name.eq_ignore_ascii_case("sec-websocket-key").then_some(value)
            })
            .unwrap();
        let accept = derive_accept_key(key.as_bytes());
        write!(
            stream,
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Protocol: mqtt\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
        )
        .unwrap();
        drain(stream.try_clone().unwrap());
        stream.write_all(&[0x82, 4, 0x20, 2, 0, 0]).unwrap(); // CONNACK
        stream.write_all(start).unwrap();
        let block = flood.repeat(32_768);
        while stream.write_all(&block).is_ok() {}
    });
    port
}

/// Reads the answers, so that a flood of pings is not held back by them.
fn drain(mut stream: TcpStream) {
    std::thread::spawn(move || {
        let mut block = vec![0; 1 << 16];
        while stream.read(&mut block).is_ok_and(|count| count > 0) {}
    });
}

/// Pings, pongs, empty messages and a message of empty fragments.
#[test]
fn a_flood_on_a_websocket_does_not_stop_the_clock() {
    for (start, flood) in [
        (&b""[..], &b"\x89\0"[..]),
        (b"", b"\x8A\0"),
        (b"", b"\x82\0"),
        (b"\x02\0", b"\0\0"),
        (b"\x02\0", b"\0\0\x89\0"), // pings between fragments
    ] {
        let port = serve(start, flood);
        let args = ["-V", "3.1.1", "--ws", "-t", "a", "-W", "1"];
        Mqtt::subscribe(port).args(args).run().exits(27);
    }
}
