//! `cargo bench --bench load`: what `mqtt bench` costs beside the least a client can do: loops over
//! plain sockets with packets made beforehand, which know nothing of sessions, schedules or stamps.
//!
//! Both take turns against the same server, which throws everything away. Figures are medians of the
//! CPU time of the client alone; what counts is the ratio. Nothing here passes or fails.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark, run by hand")]

mod measure;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use measure::{MQTT, ROUNDS, median, run, words};
use mqtt::broker::Sink;
use nix::sys::resource::{UsageWho, getrusage};

const CLIENTS: usize = 100;
const PAYLOAD: usize = 64;
/// Where a packet's topic ends: fixed header of two bytes, length, `t`.
const TOPIC_END: usize = 5;

/// CPU seconds of this thread for a piece of work.
fn cost(work: impl FnOnce()) -> f64 {
    let used = || measure::seconds(&getrusage(UsageWho::RUSAGE_THREAD).unwrap());
    let before = used();
    work();
    used() - before
}

fn connect(address: SocketAddr, number: usize) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_nodelay(true).unwrap();
    let identifier = format!("least-{number}");
    let length = u8::try_from(identifier.len()).unwrap();
    let mut packet = vec![0x10, 12 + length, 0, 4, b'M', b'Q', b'T', b'T', 4, 2, 0, 60, 0, length];
    packet.extend_from_slice(identifier.as_bytes());
    stream.write_all(&packet).unwrap();
    stream.read_exact(&mut [0; 4]).unwrap();
    stream
}

fn publish(qos: u8) -> Vec<u8> {
    let identifier = if qos > 0 { 2 } else { 0 };
    let remaining = u8::try_from(3 + identifier + PAYLOAD).unwrap();
    let mut packet = vec![0x30 | qos << 1, remaining, 0, 1, b't'];
    packet.resize(TOPIC_END + identifier, 0);
    packet.resize(TOPIC_END + identifier + PAYLOAD, b'x');
    packet
}

/// Messages by turns on all connections, so many in a write.
fn flood(streams: &mut [TcpStream], messages: usize, per_write: usize) {
    let block = publish(0).repeat(per_write);
    for turn in 0..messages / per_write {
        let place = turn % streams.len();
        streams[place].write_all(&block).unwrap();
    }
}

/// A window of messages on each connection in turn, refilled once all of it is acknowledged.
fn windows(streams: &mut [TcpStream], messages: usize, window: usize) {
    let one = publish(1);
    let mut block = one.repeat(window);
    for (number, packet) in block.chunks_mut(one.len()).enumerate() {
        let identifier = u16::try_from(number + 1).unwrap().to_be_bytes();
        packet[TOPIC_END..][..2].copy_from_slice(&identifier);
    }
    let mut answers = vec![0; window * 4];
    let rounds = messages / window / streams.len();
    for round in 0..=rounds {
        for stream in &mut *streams {
            if round > 0 {
                stream.read_exact(&mut answers).unwrap();
            }
            if round < rounds {
                stream.write_all(&block).unwrap();
            }
        }
    }
}

/// One line of the table. `per` is how many of the unit both did.
fn row(name: &str, unit: &str, per: f64, line: &str, mut least: impl FnMut() -> f64) {
    let (mut ours, mut walls, mut theirs) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let cost = run(MQTT, &words(line), None);
        ours.push(cost.cpu / per);
        walls.push(cost.wall);
        theirs.push(least() / per);
    }
    let (ours, theirs, wall) = (median(ours), median(theirs), median(walls));
    println!("{name:<28} {unit:>9} {ours:>10.3} {theirs:>10.3} {:>8.3} {wall:>8.2}", ours / theirs);
}

fn main() {
    let sink = Sink::start().unwrap();
    let address = sink.address();
    let port = address.port();
    let common = format!("-h 127.0.0.1 -p {port} -V 311 --threads 1 --quiet --json --allow-saturated");
    println!("{:<28} {:>9} {:>10} {:>10} {:>8} {:>8}", "", "", "mqtt bench", "least", "ratio", "wall, s");
    let line = format!("bench conn {common} --clients 2000 --hold 10ms");
    row("conn, 2,000 connections", "µs each", 2000.0 / 1e6, &line, || {
        let mut streams = Vec::new();
        cost(|| streams.extend((0..2000).map(|number| connect(address, number))))
    });
    let mut streams: Vec<_> = (0..CLIENTS).map(|number| connect(address, number)).collect();
    let publish = format!("bench pub {common} --publishers {CLIENTS} --rate max");
    let line = format!("{publish} --count 500000 --per-write 1");
    row("pub, QoS 0, a write each", "CPU-s/M", 0.5, &line, || cost(|| flood(&mut streams, 500_000, 1)));
    let line = format!("{publish} --count 5000000");
    row("pub, QoS 0, as many as fit", "CPU-s/M", 5.0, &line, || cost(|| flood(&mut streams, 5_000_000, 800)));
    for (name, window) in [("pub, QoS 1, window 10", 10), ("pub, QoS 1, window 100", 100)] {
        let line = format!("{publish} --count 1000000 --qos 1 --inflight {window}");
        row(name, "CPU-s/M", 1.0, &line, || cost(|| windows(&mut streams, 1_000_000, window)));
    }
}
