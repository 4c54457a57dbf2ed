//! `cargo bench --bench load`: the cost of `mqtt bench`, compared with a minimal client: loops over plain
//! sockets with prepared packets, without sessions, schedules or stamps.
//!
//! Both run alternately against the same server, which discards everything. Figures are medians of the
//! client's CPU time, and of the delay of its messages; compare the ratios. Memory has no reference value,
//! because a plain socket needs none. No value fails the benchmark.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark, run by hand")]

mod measure;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use hdrhistogram::Histogram;
use measure::{MQTT, ROUNDS, median, run, words};
use mqtt::broker::Sink;
use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage, setrlimit};
use serde_json::Value;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

const CLIENTS: usize = 100;
const MANY_CLIENTS: usize = 1_000;
const CONNECTIONS: usize = 5_000;
/// The rate of the run whose delay is measured.
const RATE: u32 = 50_000;
const RATE_SECONDS: u32 = 5;
const PAYLOAD: usize = 64;
/// Messages of the loads with fields.
const FIELD_MESSAGES: f64 = 2e6;
/// The end of the topic in a packet: fixed header of two bytes, length, `t`.
const TOPIC_END: usize = 5;

/// The CPU seconds of this thread for some work.
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

/// Sends messages on all connections in turn, with `per_write` messages per write.
fn flood(streams: &mut [TcpStream], messages: usize, per_write: usize) {
    let block = publish(0).repeat(per_write);
    for turn in 0..messages / per_write {
        let place = turn % streams.len();
        streams[place].write_all(&block).unwrap();
    }
}

/// Sends a window of messages on each connection in turn; the next window follows when all are acknowledged.
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

/// Sends messages on a schedule on all connections in turn; returns the p99 delay in microseconds.
fn schedule(streams: &mut [TcpStream]) -> f64 {
    let packet = publish(0);
    let mut late = Histogram::<u64>::new(3).unwrap();
    let start = Instant::now();
    for number in 0..RATE * RATE_SECONDS {
        let due = Duration::from_secs(1) * number / RATE;
        if let Some(early) = due.checked_sub(start.elapsed()) {
            thread::sleep(early);
        }
        let lateness = start.elapsed().checked_sub(due).unwrap();
        late.record(u64::try_from(lateness.as_nanos()).unwrap()).unwrap();
        let place = number as usize % streams.len();
        streams[place].write_all(&packet).unwrap();
    }
    Duration::from_nanos(late.value_at_quantile(0.99)).as_secs_f64() * 1e6
}

/// The nanoseconds for a histogram entry, with a realistic distribution of latencies: most are close
/// together, some far away.
fn entry() -> f64 {
    const ENTRIES: u32 = 1 << 24;
    let mut random = fastrand::Rng::with_seed(1);
    let values: Vec<u64> = (0..1 << 16)
        .map(|_| Duration::from_micros(100).mul_f64(1.0 - random.f64().ln()).as_nanos())
        .map(|nanoseconds| u64::try_from(nanoseconds).unwrap())
        .collect();
    let mut histogram = Histogram::<u64>::new(3).unwrap();
    let seconds = cost(|| {
        for value in values.iter().cycle().take(ENTRIES as usize) {
            histogram.record(*value).unwrap();
        }
    });
    seconds * 1e9 / f64::from(ENTRIES)
}

/// A server with TLS that answers CONNECT and then only reads; returns its port and the file of its
/// certificate.
fn serve_tls(folder: &Path) -> (u16, String) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let file = folder.join("server.pem");
    std::fs::write(&file, made.cert.pem()).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let session = ServerConnection::new(Arc::clone(&config)).unwrap();
            let mut stream = StreamOwned::new(session, stream);
            let converse = move || -> std::io::Result<()> {
                let _ = stream.read(&mut [0; 1 << 10])?;
                stream.write_all(&[0x20, 2, 0, 0])?;
                while stream.read(&mut [0; 1 << 10])? > 0 {}
                Ok(())
            };
            thread::Builder::new().stack_size(1 << 18).spawn(converse).unwrap();
        }
    });
    (port, file.display().to_string())
}

/// The report of a run.
fn report(line: &str) -> Value {
    let output = Command::new(MQTT).args(words(line)).stderr(Stdio::inherit()).output().unwrap();
    serde_json::from_slice(&output.stdout).unwrap()
}

fn figure(line: &str, place: &str) -> f64 {
    report(line).pointer(place).unwrap().as_f64().unwrap()
}

/// Prints one line of the table: the medians of our program (with its total time) and of the minimal client,
/// run alternately. Returns our median.
fn compare(
    name: &str,
    unit: &str,
    mut ours: impl FnMut() -> (f64, f64),
    mut least: impl FnMut() -> f64,
) -> f64 {
    let (mut our, mut walls, mut their) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (value, wall) = ours();
        our.push(value);
        walls.push(wall);
        their.push(least());
    }
    let (ours, theirs, wall) = (median(our), median(their), median(walls));
    println!("{name:<32} {unit:>9} {ours:>11.3} {theirs:>9.3} {:>8.3} {wall:>8.2}", ours / theirs);
    ours
}

/// The same for CPU time. `per` is the amount of work of both.
fn compare_cpu(name: &str, unit: &str, per: f64, line: &str, mut least: impl FnMut()) -> f64 {
    let ours = || {
        let cost = run(MQTT, &words(line), None);
        (cost.cpu / per, cost.wall)
    };
    compare(name, unit, ours, || cost(&mut least) / per)
}

/// Prints one line for a value without a reference.
fn alone(name: &str, unit: &str, ours: f64) {
    println!("{name:<32} {unit:>9} {ours:>11.3}");
}

/// Nanoseconds of CPU time that each message of a load takes.
fn message_ns(line: &str) -> f64 {
    median((0..ROUNDS).map(|_| run(MQTT, &words(line), None).cpu * 1e9 / FIELD_MESSAGES).collect())
}

/// The memory of a process in KiB, as the median of several runs.
fn memory(line: &str) -> f64 {
    median((0..ROUNDS).map(|_| figure(line, "/generator/memory_bytes") / 1024.0).collect())
}

/// Each row of the table takes some seconds.
fn main() {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
    let sink = Sink::start().unwrap();
    let address = sink.address();
    let common = "-V 311 --threads 1 --quiet --json --allow-saturated";
    let plain = format!("-h 127.0.0.1 -p {} {common}", address.port());
    let conn = |to: &str, clients: usize| format!("bench conn {to} --clients {clients} --hold 100ms");
    let publishing = |clients: usize| format!("bench pub {plain} --publishers {clients} --rate max");
    println!("{:<32} {:>9} {:>11} {:>9} {:>8} {:>8}", "", "", "mqtt bench", "least", "ratio", "wall, s");

    let connections = f64::from(u32::try_from(CONNECTIONS).unwrap());
    compare_cpu("conn, 5,000 connections", "µs each", connections / 1e6, &conn(&plain, CONNECTIONS), || {
        let streams: Vec<_> = (0..CONNECTIONS).map(|number| connect(address, number)).collect();
        drop(streams);
    });

    let mut streams: Vec<_> = (0..MANY_CLIENTS).map(|number| connect(address, number)).collect();
    let line = format!("{} --count 500000 --per-write 1", publishing(CLIENTS));
    let few = &mut streams[..CLIENTS];
    compare_cpu("pub, QoS 0, a write each", "CPU-s/M", 0.5, &line, || flood(few, 500_000, 1));
    for clients in [CLIENTS, MANY_CLIENTS] {
        let name = format!("pub, QoS 0, {clients} clients");
        let line = format!("{} --count 5000000", publishing(clients));
        let streams = &mut streams[..clients];
        compare_cpu(&name, "CPU-s/M", 5.0, &line, || flood(streams, 5_000_000, 800));
    }
    let mut message_us = 0.0;
    for window in [100, 10] {
        let name = format!("pub, QoS 1, window {window}");
        let line = format!("{} --count 5000000 --qos 1 --inflight {window}", publishing(CLIENTS));
        let few = &mut streams[..CLIENTS];
        message_us = compare_cpu(&name, "CPU-s/M", 5.0, &line, || windows(few, 5_000_000, window));
    }
    // Two latencies are recorded for each message: from its due time, and from its send time.
    let share = 2.0 * median((0..ROUNDS).map(|_| entry()).collect()) / (message_us * 1e3);
    alone("  keeping its latencies", "%", share * 100.0);
    // What a numeric field takes of each message, beside the same load without it. Messages that differ by their stamps only
    // go out in runs, and two topics in turn make each one go out by itself.
    let load = format!("{} --count {FIELD_MESSAGES} --qos 1", publishing(CLIENTS));
    let without = message_ns(&format!("{load} --topics 2 --topic t/{{topic}}/7 --payload 1234567"));
    alone("  a message by itself", "ns", without);
    for (name, options) in [
        (
            "  numeric field in the payload",
            "--topics 2 --topic t/{topic}/7 --template --payload {rand:1..9999999}",
        ),
        ("  numeric field in the topic", "--topics 2 --topic t/{topic}/{rand:1..9} --payload 1234567"),
        ("  both", "--topics 2 --topic t/{topic}/{rand:1..9} --template --payload {rand:1..9999999}"),
    ] {
        alone(name, "ns more", message_ns(&format!("{load} {options}")) - without);
    }
    let line =
        format!("bench pub {plain} --publishers {MANY_CLIENTS} --rate {RATE}/s --duration {RATE_SECONDS}s");
    let late = || (figure(&line, "/generator/schedule_lag_p99_us"), f64::from(RATE_SECONDS));
    compare("late (p99), 50,000/s by 1,000", "µs", late, || schedule(&mut streams));
    drop(streams);

    alone("memory, alone", "MiB", memory(&conn(&plain, 1)) / 1024.0);
    let line = format!("{} --count 5000000", publishing(MANY_CLIENTS));
    alone("memory, 1,000 clients publishing", "MiB", memory(&line) / 1024.0);
    // The memory per additional connection, without what all connections share.
    let further = |to: &str, few: usize, many: usize| {
        let added = memory(&conn(to, many)) - memory(&conn(to, few));
        added / f64::from(u32::try_from(many - few).unwrap())
    };
    alone("memory, idle client", "KiB", further(&plain, 1_000, CONNECTIONS));
    let folder = tempfile::tempdir().unwrap();
    let (port, certificate) = serve_tls(folder.path());
    let tls = format!("-h 127.0.0.1 -p {port} --cafile {certificate} {common}");
    alone("memory, idle client with TLS", "KiB", further(&tls, 100, 1_100));
}
