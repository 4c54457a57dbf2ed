//! `cargo bench`: what `mqtt pub` and `mqtt sub` cost beside mosquitto's clients.
//!
//! The two programs take turns against a server in this process that does the least a server can:
//! it answers, acknowledges and throws away, or sends the same message again and again. Figures are
//! medians; what counts is the ratio, and CPU time rather than rates, because on a small machine a
//! rate measures the server too. Nothing here passes or fails.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a benchmark, run by hand")]

mod measure;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;

use measure::{Cost, MQTT, ROUNDS, median, run, words};

/// What the server sends once a client has subscribed.
#[derive(Clone)]
struct Blast {
    packets: Vec<u8>,
    repeat: usize,
}

/// A server for clients of both versions, one thread a connection; returns its port.
fn serve(blast: Option<Blast>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let blast = blast.clone();
            thread::spawn(move || drop(converse(stream, blast.as_ref())));
        }
    });
    port
}

/// Takes packets apart just enough to answer them.
fn converse(mut stream: TcpStream, blast: Option<&Blast>) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 1 << 18];
    let (mut filled, mut v5) = (0, false);
    let mut answers = Vec::new();
    loop {
        let count = stream.read(&mut buffer[filled..])?;
        if count == 0 {
            return Ok(());
        }
        filled += count;
        let mut at = 0;
        let mut subscribed = false;
        while let Ok(Some(length)) = mqtt::protocol::wire::frame(&buffer[at..filled], 1 << 18) {
            let packet = &buffer[at..at + length];
            at += length;
            match packet[0] >> 4 {
                1 => {
                    v5 = packet[8] == 5;
                    answers.extend_from_slice(if v5 { &[0x20, 3, 0, 0, 0] } else { &[0x20, 2, 0, 0] });
                }
                3 if packet[0] & 6 != 0 => {
                    let topic = 2 + usize::from(packet[3]); // the topics here are short
                    let identifier = &packet[2 + topic..4 + topic];
                    answers.push(if packet[0] & 6 == 2 { 0x40 } else { 0x50 });
                    answers.extend_from_slice(&[2, identifier[0], identifier[1]]);
                }
                6 => answers.extend_from_slice(&[0x70, 2, packet[2], packet[3]]),
                8 if v5 => answers.extend_from_slice(&[0x90, 4, packet[2], packet[3], 0, 0]),
                8 => answers.extend_from_slice(&[0x90, 3, packet[2], packet[3], 0]),
                12 => answers.extend_from_slice(&[0xD0, 0]),
                14 => return Ok(()),
                _ => {}
            }
            subscribed |= packet[0] >> 4 == 8;
        }
        buffer.copy_within(at..filled, 0);
        filled -= at;
        stream.write_all(&answers)?;
        answers.clear();
        if let (true, Some(blast)) = (subscribed, blast) {
            for _ in 0..blast.repeat {
                stream.write_all(&blast.packets)?;
            }
        }
    }
}

/// One shape of work for both programs. Mosquitto's client may get less of it, where it would lose
/// messages or take minutes; figures are per million.
struct Shape {
    name: &'static str,
    unit: &'static str,
    peer: &'static str,
    ours: (Vec<String>, Option<Vec<u8>>, f64),
    theirs: (Vec<String>, Option<Vec<u8>>, f64),
    wall: bool,
}

fn lines(count: usize) -> Vec<u8> {
    (0..count).flat_map(|number| format!("{number:016}\n").into_bytes()).collect()
}

fn measure(shape: &Shape) {
    let installed = Command::new(shape.peer).arg("--version").stdout(Stdio::null()).status().is_ok();
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let rounds = if shape.wall { ROUNDS * 20 } else { ROUNDS };
    for _ in 0..rounds {
        let figure = |cost: Cost, per: f64| if shape.wall { cost.wall } else { cost.cpu } / per;
        let (arguments, input, per) = &shape.ours;
        ours.push(figure(run(MQTT, arguments, input.as_deref()), *per));
        if installed {
            let (arguments, input, per) = &shape.theirs;
            theirs.push(figure(run(shape.peer, arguments, input.as_deref()), *per));
        }
    }
    let ours = median(ours);
    let peer = if installed {
        let theirs = median(theirs);
        format!("{theirs:>10.3} {:>8.3}", ours / theirs)
    } else {
        format!("SKIPPED: {} is not installed", shape.peer)
    };
    println!("{:<28} {:>10} {ours:>10.3} {peer}", shape.name, shape.unit);
}

fn main() {
    let sink = serve(None);
    println!("{:<28} {:>10} {:>10} {:>10} {:>8}", "", "", "mqtt", "mosquitto", "ratio");
    let one_shot = |program: &str| words(&format!("{program}-h 127.0.0.1 -p {sink} -t a -m 23.4"));
    measure(&Shape {
        name: "pub -m, one message",
        unit: "ms wall",
        peer: "mosquitto_pub",
        ours: (one_shot("pub "), None, 0.001),
        theirs: (one_shot(""), None, 0.001),
        wall: true,
    });
    for qos in 0..3 {
        let arguments = |program: &str| words(&format!("{program}-h 127.0.0.1 -p {sink} -t a -l -q {qos}"));
        measure(&Shape {
            name: ["pub -l -q 0, 16 bytes", "pub -l -q 1, 16 bytes", "pub -l -q 2, 16 bytes"][qos],
            unit: "CPU-s/M",
            peer: "mosquitto_pub",
            ours: (arguments("pub "), Some(lines(500_000)), 0.5),
            // It loses messages beyond the 65,535 packet identifiers.
            theirs: (arguments(""), Some(lines(60_000)), 0.06),
            wall: false,
        });
    }
    let subscriptions =
        [("sub, 16 bytes", 16, ""), ("sub, JSON, 16 bytes", 16, "j"), ("sub, JSON, 1 KiB", 1024, "j")];
    for (name, size, format) in subscriptions {
        let mut packet = vec![0x30];
        let mut remaining = 3 + size;
        while remaining > 127 {
            packet.push(u8::try_from(remaining % 128).unwrap() | 0x80);
            remaining /= 128;
        }
        packet.push(u8::try_from(remaining).unwrap());
        packet.extend_from_slice(&[0, 1, b'a']);
        packet.resize(packet.len() + size, b'x');
        let per_write = 65_536 / packet.len();
        let repeat = 1_500_000 / per_write;
        let port = serve(Some(Blast { packets: packet.repeat(per_write), repeat }));
        let (ours, theirs) = (if size > 100 { 200_000 } else { 1_000_000 }, 50_000);
        let common = |count: usize| format!("-V 311 -h 127.0.0.1 -p {port} -t # -C {count}");
        let (json, format) = if format.is_empty() { ("", "") } else { (" --json", " -F %j") };
        measure(&Shape {
            name,
            unit: "CPU-s/M",
            peer: "mosquitto_sub",
            ours: (words(&format!("sub {}{json}", common(ours))), None, per_million(ours)),
            theirs: (words(&format!("{}{format}", common(theirs))), None, per_million(theirs)),
            wall: false,
        });
    }
}

fn per_million(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap()) / 1e6
}
