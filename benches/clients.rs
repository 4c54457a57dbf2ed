//! `cargo bench`: the cost of `mqtt pub` and `mqtt sub`, compared with mosquitto's clients.
//!
//! The two programs run alternately against a minimal server in this process: it answers, acknowledges and
//! discards, or sends the same message repeatedly. Figures are medians. Compare the ratios, and CPU time
//! rather than rates, because on a small machine a rate also measures the server. No value fails the
//! benchmark.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stdout, reason = "a benchmark, run by hand")]

mod measure;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread;

use measure::{MQTT, ROUNDS, median, run, words};

/// The messages that the server sends to a client after its SUBSCRIBE.
#[derive(Clone)]
struct Blast {
    packets: Vec<u8>,
    repeat: usize,
}

/// A server for clients of MQTT 3.1.1 and 5, with one thread per connection; returns its port.
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

/// Decodes packets only as far as needed to answer them.
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

/// The same work for both programs. Mosquitto's client may get a smaller number of messages if it would
/// otherwise lose some or take minutes; figures are per million.
struct Shape {
    name: &'static str,
    unit: &'static str,
    ours: Side,
    theirs: Side,
    wall: bool,
}

/// The work of one of the two programs.
struct Side {
    program: String,
    arguments: Vec<String>,
    input: Option<Vec<u8>>,
    /// The number of messages in millions.
    millions: f64,
}

impl Side {
    fn new(program: &str, arguments: &str, messages: usize) -> Self {
        let millions = f64::from(u32::try_from(messages).unwrap()) / 1e6;
        Self { program: program.to_owned(), arguments: words(arguments), input: None, millions }
    }

    /// A pipeline of programs.
    fn pipeline(command: String, messages: usize) -> Self {
        Self { arguments: vec!["-c".to_owned(), command], ..Self::new("sh", "", messages) }
    }

    /// Sets the standard input.
    fn reads(self, input: Vec<u8>) -> Self {
        Self { input: Some(input), ..self }
    }

    fn run(&self, wall: bool) -> f64 {
        let cost = run(&self.program, &self.arguments, self.input.as_deref());
        (if wall { cost.wall } else { cost.cpu }) / self.millions
    }
}

fn lines(count: usize) -> Vec<u8> {
    (0..count).flat_map(|number| format!("{number:016}\n").into_bytes()).collect()
}

/// Records of `pub --json` with a payload of 16 bytes.
fn records(count: usize, qos: usize) -> Vec<u8> {
    let record = |number| format!("{{\"topic\":\"a\",\"payload\":\"{number:016}\",\"qos\":{qos}}}\n");
    (0..count).flat_map(|number| record(number).into_bytes()).collect()
}

fn measure(shape: &Shape) {
    let needed = ["mosquitto_pub", "mosquitto_sub"];
    let missing = needed
        .iter()
        .find(|peer| Command::new(peer).arg("--version").stdout(Stdio::null()).status().is_err());
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    let rounds = if shape.wall { ROUNDS * 20 } else { ROUNDS };
    for _ in 0..rounds {
        ours.push(shape.ours.run(shape.wall));
        if missing.is_none() {
            theirs.push(shape.theirs.run(shape.wall));
        }
    }
    let ours = median(ours);
    let peer = if let Some(missing) = missing {
        format!("SKIPPED: {missing} is not installed")
    } else {
        let theirs = median(theirs);
        format!("{theirs:>10.3} {:>8.3}", ours / theirs)
    };
    println!("{:<28} {:>10} {ours:>10.3} {peer}", shape.name, shape.unit);
}

fn main() {
    let sink = serve(None);
    println!("{:<28} {:>10} {:>10} {:>10} {:>8}", "", "", "mqtt", "mosquitto", "ratio");
    let to = format!("-h 127.0.0.1 -p {sink} -t a");
    measure(&Shape {
        name: "pub -m, one message",
        unit: "ms wall",
        // 1,000 runs, shown in milliseconds.
        ours: Side::new(MQTT, &format!("pub {to} -m 23.4"), 1_000),
        theirs: Side::new("mosquitto_pub", &format!("{to} -m 23.4"), 1_000),
        wall: true,
    });
    // mosquitto_pub loses messages beyond the 65,535 packet identifiers.
    let (more, less) = (500_000, 60_000);
    for qos in 0..3 {
        measure(&Shape {
            name: ["pub -l -q 0, 16 bytes", "pub -l -q 1, 16 bytes", "pub -l -q 2, 16 bytes"][qos],
            unit: "CPU-s/M",
            ours: Side::new(MQTT, &format!("pub {to} -l -q {qos}"), more).reads(lines(more)),
            theirs: Side::new("mosquitto_pub", &format!("{to} -l -q {qos}"), less).reads(lines(less)),
            wall: false,
        });
    }
    for qos in 0..2 {
        measure(&Shape {
            name: ["pub --json, QoS 0, 16 bytes", "pub --json, QoS 1, 16 bytes"][qos],
            unit: "CPU-s/M",
            ours: Side::new(MQTT, &format!("pub {to} --json"), more).reads(records(more, qos)),
            theirs: Side::new("mosquitto_pub", &format!("{to} -l -q {qos}"), less).reads(lines(less)),
            wall: false,
        });
    }
    for (name, size, ours, theirs) in [
        ("sub, 16 bytes", 16, "", ""),
        ("sub, JSON, 16 bytes", 16, "--json", "-F %j"),
        ("sub, JSON, 1 KiB", 1024, "--json", "-F %j"),
        ("sub, JSON, --where .qos", 16, "--json --where .qos==0", "-F %j"),
    ] {
        let port = serve(Some(blast(size)));
        let (more, less) = (if size > 100 { 200_000 } else { 1_000_000 }, 50_000);
        let common = |count: usize| format!("-V 311 -h 127.0.0.1 -p {port} -t # -C {count}");
        measure(&Shape {
            name,
            unit: "CPU-s/M",
            ours: Side::new(MQTT, format!("sub {} {ours}", common(more)).trim_end(), more),
            theirs: Side::new("mosquitto_sub", format!("{} {theirs}", common(less)).trim_end(), less),
            wall: false,
        });
    }
    let port = serve(Some(blast(16)));
    let from = |count: usize| format!("-V 311 -h 127.0.0.1 -p {port} -t '#' -C {count}");
    measure(&Shape {
        name: "relay, QoS 0, 16 bytes",
        unit: "CPU-s/M",
        ours: Side::pipeline(
            format!("{MQTT} sub {} --json | {MQTT} pub {to} --json", from(1_000_000)),
            1_000_000,
        ),
        // Mosquitto's clients pass on text payloads only, without topics.
        theirs: Side::pipeline(format!("mosquitto_sub {} | mosquitto_pub {to} -l", from(50_000)), 50_000),
        wall: false,
    });
}

/// The same message with this payload length, 1.5 million times.
fn blast(size: usize) -> Blast {
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
    Blast { packets: packet.repeat(per_write), repeat: 1_500_000 / per_write }
}
