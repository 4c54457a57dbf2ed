//! `cargo bench --bench paced`: messages at a rate.
//!
//! The first rows are the delay of `mqtt pub --timing recorded` at the receiver, compared with a loop that sends
//! prepared packets by the clock. The last one is the CPU time of the live view of `mqtt sub -w`, compared with
//! `mqtt sub -v` into a pipe. Both sides run alternately, and figures are medians; compare the ratios. No value
//! fails the benchmark.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark, run by hand")]

mod measure;

use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use measure::{MQTT, ROUNDS, median, run, seconds, words};
use mqtt::protocol::wire::frame;
use nix::pty::{Winsize, openpty};
use nix::sys::resource::{UsageWho, getrusage};

const SECONDS: u32 = 5;
/// The rate of the recording.
const RATE: u32 = 20_000;
/// The rate of the messages for the view, and their topics.
const VIEW_RATE: u32 = 10_000;
const VIEW_TOPICS: u32 = 5_000;

/// A PUBLISH packet of QoS 0.
fn publish(topic: &str) -> Vec<u8> {
    let length = u8::try_from(topic.len()).unwrap();
    let mut packet = vec![0x30, length + 18, 0, length];
    packet.extend_from_slice(topic.as_bytes());
    packet.extend_from_slice(&[b'x'; 16]);
    packet
}

/// Waits until message `number` of a schedule is due.
fn wait_for(start: Instant, number: u32, rate: u32) {
    if let Some(early) = (Duration::from_secs(1) * number / rate).checked_sub(start.elapsed()) {
        thread::sleep(early);
    }
}

/// The delays of the messages of one client.
struct Delays(Vec<Duration>);

impl Delays {
    /// Receives the messages of a client until it leaves.
    fn of_client(listener: &TcpListener) -> Self {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_nodelay(true).unwrap();
        let mut buffer = vec![0; 1 << 16];
        let (mut filled, mut number, mut shifts) = (0, 0, Vec::new());
        let start = Instant::now();
        loop {
            let count = stream.read(&mut buffer[filled..]).unwrap();
            let arrived = start.elapsed();
            if count == 0 {
                break;
            }
            filled += count;
            let (mut at, mut answers) = (0, Vec::new());
            while let Ok(Some(length)) = frame(&buffer[at..filled], 1 << 16) {
                match buffer[at] >> 4 {
                    1 => answers.extend_from_slice(&[0x20, 2, 0, 0]),
                    3 => {
                        shifts.push(arrived.saturating_sub(Duration::from_secs(1) * number / RATE));
                        number += 1;
                    }
                    12 => answers.extend_from_slice(&[0xD0, 0]),
                    _ => {}
                }
                at += length;
            }
            buffer.copy_within(at..filled, 0);
            filled -= at;
            // A client that has sent everything may be gone.
            let _ = stream.write_all(&answers);
        }
        assert_eq!(number, RATE * SECONDS);
        // The schedule begins with the message that had the least delay among the first ones.
        let origin = shifts.iter().take(1000).min().copied().unwrap();
        let mut delays: Vec<Duration> = shifts.iter().map(|shift| shift.saturating_sub(origin)).collect();
        delays.sort();
        Self(delays)
    }

    /// In microseconds.
    fn percentile(&self, percent: usize) -> f64 {
        self.0[(self.0.len() - 1) * percent / 100].as_secs_f64() * 1e6
    }
}

/// A replay of the recording.
fn replayed(listener: &TcpListener, recording: &Path) -> Delays {
    let port = listener.local_addr().unwrap().port();
    let line = format!("pub -V 311 -h 127.0.0.1 -p {port} --json --timing recorded");
    let mut child =
        Command::new(MQTT).args(words(&line)).stdin(File::open(recording).unwrap()).spawn().unwrap();
    let delays = Delays::of_client(listener);
    assert!(child.wait().unwrap().success());
    delays
}

/// The same messages from a loop in this process.
fn sent_by_clock(listener: &TcpListener) -> Delays {
    let address = listener.local_addr().unwrap();
    let sender = thread::spawn(move || {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.write_all(b"\x10\x0d\0\x04MQTT\x04\x02\0\x3c\0\x01a").unwrap();
        stream.read_exact(&mut [0; 4]).unwrap();
        let packet = publish("home/t");
        let start = Instant::now();
        for number in 0..RATE * SECONDS {
            wait_for(start, number, RATE);
            stream.write_all(&packet).unwrap();
        }
    });
    let delays = Delays::of_client(listener);
    sender.join().unwrap();
    delays
}

/// Sends the messages for the view to each client that subscribes; returns the port.
fn serve() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // The client leaves when it has its number of messages.
            let _ = send_paced(stream);
        }
    });
    port
}

fn send_paced(mut stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = [0; 1024];
    let _ = stream.read(&mut buffer)?;
    stream.write_all(&[0x20, 2, 0, 0])?;
    let _ = stream.read(&mut buffer)?;
    stream.write_all(&[0x90, 3, buffer[2], buffer[3], 0])?;
    let packets: Vec<Vec<u8>> =
        (0..VIEW_TOPICS).map(|number| publish(&format!("site/7/device/{number}"))).collect();
    let start = Instant::now();
    for (number, packet) in (0..VIEW_RATE * SECONDS).zip(packets.iter().cycle()) {
        wait_for(start, number, VIEW_RATE);
        stream.write_all(packet)?;
    }
    Ok(())
}

/// The percentage of a core that a subscriber takes into a pipe.
fn piped_share(line: &str) -> f64 {
    let cost = run(MQTT, &words(line), None);
    cost.cpu / cost.wall * 100.0
}

/// The same on a terminal, whose bytes are discarded.
fn view_share(line: &str) -> f64 {
    let used = || seconds(&getrusage(UsageWho::RUSAGE_CHILDREN).unwrap());
    let size = Winsize { ws_col: 120, ws_row: 40, ws_xpixel: 0, ws_ypixel: 0 };
    let terminal = openpty(Some(&size), None).unwrap();
    let (before, start) = (used(), Instant::now());
    let mut command = Command::new(MQTT);
    command.args(words(line)).env("TERM", "xterm").stderr(Stdio::null());
    command.stdin(terminal.slave.try_clone().unwrap()).stdout(terminal.slave);
    let mut child = command.spawn().unwrap();
    // The terminal ends when only the child has its other side.
    drop(command);
    let mut screen = File::from(terminal.master);
    let mut sink = vec![0; 1 << 16];
    while screen.read(&mut sink).is_ok_and(|count| count > 0) {}
    assert!(child.wait().unwrap().success());
    (used() - before) / start.elapsed().as_secs_f64() * 100.0
}

fn print(name: &str, unit: &str, ours: f64, least: f64) {
    println!("{name:<32} {unit:>9} {ours:>9.2} {least:>9.2} {:>8.3}", ours / least);
}

fn main() {
    let mut recording = String::new();
    for number in 0..RATE * SECONDS {
        let time = Duration::from_secs(1) * number / RATE;
        let (whole, part) = (time.as_secs(), time.subsec_micros());
        writeln!(
            recording,
            "{{\"tst\":\"2026-11-20T10:00:{whole:02}.{part:06}Z\",\"topic\":\"home/t\",\"payload\":\"{number:016}\"}}"
        )
        .unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("day.jsonl");
    std::fs::write(&file, recording).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (mut ours, mut least) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(replayed(&listener, &file));
        least.push(sent_by_clock(&listener));
    }
    println!("{:<32} {:>9} {:>9} {:>9} {:>8}", "", "", "mqtt", "least", "ratio");
    for percent in [50, 99] {
        let of = |delays: &[Delays]| median(delays.iter().map(|one| one.percentile(percent)).collect());
        print(&format!("replay, {RATE}/s, late (p{percent})"), "µs", of(&ours), of(&least));
    }
    let to = format!("sub -V 311 -h 127.0.0.1 -p {} -t # -C {}", serve(), VIEW_RATE * SECONDS);
    let (mut ours, mut least) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        ours.push(view_share(&format!("{to} -w")));
        least.push(piped_share(&format!("{to} -v")));
    }
    print(&format!("view, {VIEW_RATE}/s, {VIEW_TOPICS} topics"), "% of core", median(ours), median(least));
}
