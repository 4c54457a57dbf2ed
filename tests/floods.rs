//! Endless input without progress: a program still does its other work.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{self, TryRecvError};

use ::mqtt::protocol::{Protocol, QoS, wire};
use rstest::rstest;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use crate::support::Service as _;
use crate::support::broker::Broker;
use crate::support::mqtt::Mqtt;
use crate::support::packets::Message;

/// Accepts WebSocket clients, answers their CONNECT, and then sends `start` once and `flood` forever.
fn serve(start: &'static [u8], flood: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || flood_client(stream.unwrap(), start, flood));
        }
    });
    port
}

fn flood_client(mut stream: TcpStream, start: &[u8], flood: &[u8]) {
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
}

/// Reads the answers, so that they do not block a flood of pings.
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

/// The clients of a load share a thread: floods on all of them do not keep it from its clock.
#[test]
fn a_flood_on_a_websocket_does_not_stop_a_load() {
    let port = serve(b"", b"\x89\0").to_string();
    let line = ["-V", "3.1.1", "--ws", "-h", "127.0.0.1", "-p", &port, "--clients", "3", "--threads", "1"];
    let run = Mqtt::new(["bench", "conn"]).args(line).args(["--hold", "100ms", "--json", "--quiet"]).run();
    let report: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
    assert_eq!(report["connections"]["connected"], 3, "{}", run.stderr);
}

/// Lines that are no messages: the timeout ends the run all the same.
#[rstest]
#[case(&["--json"], false)]
#[case(&["-l", "--topic-from-line", "="], false)]
#[case(&["--json"], true)]
fn flood_of_bad_lines_does_not_stop_the_clock(#[case] options: &[&str], #[case] has_spool: bool) {
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let (reader, mut writer) = std::io::pipe().unwrap();
    std::thread::spawn(move || {
        let block = b"bad\n".repeat(16_384);
        while writer.write_all(&block).is_ok() {}
    });
    let run = broker.publish().args(options).args(["-q", "1", "-W", "1", "--quiet"]).stdin_pipe(reader);
    let run = if has_spool { run.arg_path("--spool", &folder.path().join("spool")) } else { run };
    run.run().exits(27);
}

/// Forwards packets to a broker and back. From a SUBACK on, the client also gets these bytes between packets,
/// endlessly.
fn flood_subscribers(broker: u16, block: Vec<u8>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        while let Ok((mut client, _)) = listener.accept() {
            client.set_nodelay(true).unwrap();
            let mut server = TcpStream::connect(("127.0.0.1", broker)).unwrap();
            let (mut from, mut to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
            std::thread::spawn(move || {
                let _ = std::io::copy(&mut from, &mut to);
                let _ = to.shutdown(std::net::Shutdown::Both);
            });
            let (sender, packets) = mpsc::channel::<Vec<u8>>();
            std::thread::spawn(move || {
                let (mut received, mut buffer) = (Vec::new(), [0; 4096]);
                while let Ok(count @ 1..) = server.read(&mut buffer) {
                    received.extend_from_slice(&buffer[..count]);
                    while let Ok(Some(length)) = wire::frame(&received, wire::LARGEST_PACKET_BYTES) {
                        let rest = received.split_off(length);
                        let _ = sender.send(std::mem::replace(&mut received, rest));
                    }
                }
            });
            let block = block.clone();
            std::thread::spawn(move || {
                while let Ok(packet) = packets.recv() {
                    client.write_all(&packet)?;
                    if packet[0] == 0x90 {
                        break;
                    }
                }
                loop {
                    match packets.try_recv() {
                        Ok(packet) => client.write_all(&packet)?,
                        Err(TryRecvError::Empty) => client.write_all(&block)?,
                        Err(TryRecvError::Disconnected) => return std::io::Result::Ok(()),
                    }
                }
            });
        }
    });
    port
}

/// Messages on other topics are not the will, and hide neither the will nor the end.
#[test]
fn a_flood_on_another_topic_is_not_the_will() {
    let broker = Broker::start();
    let block = Message::new("r/1", &[b'x'; 1000]).bytes(Protocol::V3_1_1).repeat(1000);
    let port = flood_subscribers(broker.port(), block).to_string();
    let line =
        ["will-test", "-h", "127.0.0.1", "-p", &port, "-V", "311", "--case", "close", "--case", "disconnect"];
    Mqtt::new(line).run().exits(0).mentions("2 passed");
    // With another timeout, because retained messages are requested.
    let line = ["will-test", "-h", "127.0.0.1", "-p", &port, "-V", "311", "--will-topic", "w"];
    Mqtt::new(line).run().exits(0).mentions("1 passed");
}

/// Messages without a request, at each QoS: a response among them is found, and without one the run times
/// out.
#[test]
fn a_flood_of_unrelated_messages_hides_no_answer_and_no_end() {
    let broker = Broker::start();
    for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
        let block = Message::new("r/1", &[b'x'; 1000]).at(qos, 7).bytes(Protocol::V5).repeat(1000);
        let port = flood_subscribers(broker.port(), block).to_string();
        let run = |words: &[&str]| Mqtt::new(words).args(["-h", "127.0.0.1", "-p", &port, "-V", "5"]).run();
        let ping = run(&["ping", "--publish", "t"]).exits(0);
        assert!(ping.lines().iter().any(|line| line.starts_with("message 1")), "{:?}", ping.lines());
        let unanswered = ["rr", "-t", "a", "-e", "b", "-m", "x", "-W", "1"];
        run(&unanswered).fails(27, "timed out after 1s: no response came on 'b'");
        run(&["sub", "-t", "a", "-T", "r/1", "-W", "1"]).exits(27);
        let bench = run(&["bench", "sub", "--topic", "t", "--duration", "1s"]);
        assert!(bench.lines().iter().any(|line| line.starts_with("generator")), "{:?}", bench.lines());
    }
}

/// A broker that no longer reads does not accept DISCONNECT either: nothing is owed to it, and the load ends
/// soon.
#[test]
fn a_load_leaves_a_broker_that_does_not_read() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    std::thread::spawn(move || {
        while let Ok((mut client, _)) = listener.accept() {
            std::thread::spawn(move || {
                let (mut received, mut buffer) = (Vec::new(), [0; 4096]);
                while let Ok(count @ 1..) = client.read(&mut buffer) {
                    received.extend_from_slice(&buffer[..count]);
                    while let Ok(Some(length)) = wire::frame(&received, wire::LARGEST_PACKET_BYTES) {
                        match received[0] >> 4 {
                            1 => client.write_all(&[0x20, 2, 0, 0]).unwrap(),
                            8 => {
                                client.write_all(&[0x90, 3, received[2], received[3], 1]).unwrap();
                                let message = Message::new("t", b"x").at(QoS::AtLeastOnce, 1);
                                let block = message.bytes(Protocol::V3_1_1).repeat(1000);
                                while client.write_all(&block).is_ok() {}
                                return;
                            }
                            _ => {}
                        }
                        received.drain(..length);
                    }
                }
            });
        }
    });
    let line = ["bench", "sub", "--topic", "t", "--qos", "1", "--subscribers", "1", "--duration", "1s"];
    let began = std::time::Instant::now();
    Mqtt::new(line).args(["-V", "311", "-h", "127.0.0.1", "-p", &port]).run();
    // It took 8 s, of which 7 s were the end.
    assert!(began.elapsed().as_secs() < 7, "{:?}", began.elapsed());
}

/// Answers CONNECT and SUBSCRIBE, then sends messages of QoS 2 endlessly, but neither PUBREL nor PINGRESP.
/// The client's last packets may be lost when it closes a socket with unread messages.
fn flood_of_qos_2() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        while let Ok((mut client, _)) = listener.accept() {
            std::thread::spawn(move || {
                let (mut received, mut buffer) = (Vec::new(), [0; 4096]);
                while let Ok(count @ 1..) = client.read(&mut buffer) {
                    received.extend_from_slice(&buffer[..count]);
                    let mut used = 0;
                    while let Ok(Some(length)) = wire::frame(&received[used..], wire::LARGEST_PACKET_BYTES) {
                        let packet = &received[used..used + length];
                        used += length;
                        match packet[0] >> 4 {
                            1 => client.write_all(&[0x20, 2, 0, 0]).unwrap(),
                            8 => {
                                client.write_all(&[0x90, 3, packet[2], packet[3], 2]).unwrap();
                                let messages = (1..=1000).flat_map(|identifier| {
                                    Message::new("t", b"x")
                                        .at(QoS::ExactlyOnce, identifier)
                                        .bytes(Protocol::V3_1_1)
                                });
                                let (block, mut flooded) =
                                    (messages.collect::<Vec<u8>>(), client.try_clone().unwrap());
                                std::thread::spawn(move || while flooded.write_all(&block).is_ok() {});
                            }
                            _ => {}
                        }
                    }
                    received.drain(..used);
                }
            });
        }
    });
    port
}

/// When disconnecting, a client waits briefly for PUBREL, and not for `--connect-timeout`.
#[test]
fn a_flood_of_qos_2_does_not_hold_a_client_that_leaves() {
    for words in [
        &["sub", "-t", "t", "-q", "2", "-C", "1"][..],
        &["bench", "sub", "--topic", "t", "--qos", "2", "--duration", "200ms"],
    ] {
        let port = flood_of_qos_2();
        let line = ["-h", "127.0.0.1", "-p", &port.to_string(), "-V", "311", "--connect-timeout", "1h"];
        let outcome = Mqtt::new(words).args(line).run();
        assert!([Some(0), Some(3)].contains(&outcome.status.code()), "{words:?}: {}", outcome.stderr);
    }
}
