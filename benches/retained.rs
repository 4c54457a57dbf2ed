//! `cargo bench --bench retained`: the time of `mqtt retain-clear` for 100,000 retained messages on a
//! mosquitto, compared with a client that only requests and counts as fast as the server answers.
//!
//! Both run alternately. Figures are medians of the wall time; compare the ratios. The time of the program
//! includes its other work: it sorts and writes the list, waits for further messages, and checks the result
//! after clearing. No value fails the benchmark.
#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark, run by hand")]

mod measure;

use std::fmt::Write as _;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use measure::{MQTT, ROUNDS, median, run, words};

const TOPICS: usize = 100_000;
/// Mosquitto's limit on messages in flight per client.
const WINDOW: usize = 20;

/// A mosquitto on its own port. It ends when this value is dropped.
struct Server {
    child: Child,
    port: u16,
}

impl Server {
    /// `None` if it is not installed.
    fn start(folder: &Path) -> Option<Self> {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let configuration = folder.join("mosquitto.conf");
        // Without this setting it drops retained messages that exceed its queue.
        let text = format!(
            "listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nlog_type none\n"
        );
        std::fs::write(&configuration, text).unwrap();
        let start =
            |program| Command::new(program).arg("-c").arg(&configuration).stderr(Stdio::null()).spawn().ok();
        let child = start("mosquitto").or_else(|| start("/usr/sbin/mosquitto"))?;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::yield_now();
        }
        Some(Self { child, port })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A minimal client over a plain socket, for MQTT 3.1.1.
struct Least {
    stream: TcpStream,
    received: Vec<u8>,
}

impl Least {
    fn connect(port: u16) -> Self {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.write_all(b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x00\x00\x00").unwrap();
        stream.read_exact(&mut [0; 4]).unwrap();
        Self { stream, received: Vec::new() }
    }

    /// Reads once, and counts the packets of this type.
    fn count(&mut self, packet_type: u8) -> usize {
        let mut buffer = vec![0; 1 << 16];
        let read = self.stream.read(&mut buffer).unwrap();
        assert!(read > 0, "the server has gone");
        self.received.extend_from_slice(&buffer[..read]);
        let (mut at, mut count) = (0, 0);
        while let Ok(Some(length)) = mqtt::protocol::wire::frame(&self.received[at..], 1 << 20) {
            count += usize::from(self.received[at] >> 4 == packet_type);
            at += length;
        }
        self.received.drain(..at);
        count
    }

    /// Subscribes to all topics at QoS 0 and reads this number of messages.
    fn list(&mut self, mut topics: usize) {
        self.stream.write_all(b"\x82\x06\x00\x01\x00\x01#\x00").unwrap();
        while topics > 0 {
            topics -= self.count(3);
        }
    }

    /// Publishes an empty retained message to every topic at QoS 1, within the window.
    fn clear(&mut self) {
        let (mut sent, mut answered) = (0, 0);
        while answered < TOPICS {
            let mut packets = Vec::new();
            while sent < TOPICS && sent - answered < WINDOW {
                let topic = topic(sent);
                let remaining = u8::try_from(topic.len() + 4).unwrap();
                packets.extend_from_slice(&[0x33, remaining, 0, remaining - 4]);
                packets.extend_from_slice(topic.as_bytes());
                packets.extend_from_slice(&u16::try_from(sent % WINDOW + 1).unwrap().to_be_bytes());
                sent += 1;
            }
            self.stream.write_all(&packets).unwrap();
            answered += self.count(4);
        }
    }
}

fn topic(index: usize) -> String {
    format!("some/plant/line/{}/{index:06}", index % 100)
}

fn main() {
    let folder = tempfile::tempdir().unwrap();
    let Some(server) = Server::start(folder.path()) else {
        println!("SKIPPED: mosquitto is not installed");
        return;
    };
    let mut records = String::new();
    for index in 0..TOPICS {
        writeln!(records, r#"{{"topic":"{}","qos":1,"payload":"23.4"}}"#, topic(index)).unwrap();
    }
    let source = folder.path().join("source.jsonl");
    std::fs::write(&source, records).unwrap();
    let port = server.port;
    let line = |options: &str| words(&format!("retain-clear -h 127.0.0.1 -p {port} {options}"));
    let restore = || run(MQTT, &line(&format!("--restore {}", source.display())), None);
    let wall = |work: &dyn Fn()| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64()
    };
    let (mut lists, mut clears) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
    restore();
    for _ in 0..ROUNDS {
        lists.0.push(run(MQTT, &line("# --dry-run"), None));
        lists.1.push(wall(&|| Least::connect(port).list(TOPICS)));
        clears.0.push(run(MQTT, &line("# --yes"), None));
        restore();
        clears.1.push(wall(&|| {
            Least::connect(port).list(TOPICS);
            Least::connect(port).clear();
        }));
        restore();
    }
    println!(
        "{:<26} {:>10} {:>10} {:>8} {:>10}",
        "100,000 retained messages", "mqtt, s", "least, s", "ratio", "CPU, s"
    );
    for (name, (ours, least)) in [("list (--dry-run)", lists), ("list, clear and verify", clears)] {
        let cpu = median(ours.iter().map(|cost| cost.cpu).collect());
        let (ours, least) = (median(ours.iter().map(|cost| cost.wall).collect()), median(least));
        println!("{name:<26} {ours:>10.3} {least:>10.3} {:>8.3} {cpu:>10.3}", ours / least);
    }
}
