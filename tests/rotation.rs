//! `mqtt sub --output FILE`: rotated, compressed and synchronised, and read again by `mqtt pub --json`.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rstest::rstest;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::support::Service as _;
use crate::support::broker::Broker;
use crate::support::mqtt::{Mqtt, Running};
use crate::support::{can_trace, wait_until};

/// A subscriber that writes a file in a folder, and the messages for it.
struct Recorder {
    broker: Broker,
    folder: TempDir,
    subscriber: Running,
    sent: usize,
}

impl Recorder {
    fn start(folder: TempDir, args: &[&str]) -> Self {
        let broker = Broker::start();
        let subscriber = Mqtt::subscribe(broker.port())
            .args(["-q", "1", "-t", "#", "--json", "-d"])
            .arg_path("--output", &folder.path().join("day.jsonl"))
            .args(args)
            .spawn();
        subscriber.wait_until_subscribed();
        Self { broker, folder, subscriber, sent: 0 }
    }

    /// Sends a message, and waits until it is in the file.
    fn send(&mut self, bytes: usize) {
        let payload = format!("{} {}", self.sent, "x".repeat(bytes));
        let args = ["-t", "a", "-q", "1", "-m", &payload];
        Mqtt::publish(self.broker.port()).args(args).run().succeeds();
        self.sent += 1;
        self.subscriber.wait_for_stderr_times("sending PUBACK", self.sent);
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("day.jsonl")
    }

    fn stop(self) -> (Broker, TempDir, usize) {
        self.subscriber.signal(Signal::TERM);
        let outcome = self.subscriber.wait_for_end().exits(0);
        assert!(!outcome.stderr.contains("warning"), "{}", outcome.stderr);
        (self.broker, self.folder, self.sent)
    }
}

/// The rotated files, oldest first, and the file itself.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    // In the order of a shell, except for the file itself.
    found.sort_by_key(|path| (path.file_name().unwrap() == "day.jsonl", path.clone()));
    found
}

fn content(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap();
    let is_compressed = path.extension().unwrap() == "zst";
    String::from_utf8(if is_compressed { zstd::stream::decode_all(&bytes[..]).unwrap() } else { bytes })
        .unwrap()
}

/// The numbers of the messages in a text.
fn numbers(text: &str) -> Vec<usize> {
    let number = |line: &str| line.split("\"payload\":\"").nth(1)?.split(' ').next()?.parse().ok();
    text.lines().map(|line| number(line).unwrap_or_else(|| panic!("{line}"))).collect()
}

#[rstest]
fn file_is_rotated_by_size(#[values(false, true)] compress: bool) {
    let args = ["--rotate", "1KiB", "--compress"];
    let mut recorder =
        Recorder::start(tempfile::tempdir().unwrap(), if compress { &args } else { &args[..2] });
    for _ in 0..10 {
        recorder.send(300);
    }
    let (broker, folder, sent) = recorder.stop();
    let files = files(folder.path());
    // Two messages in each.
    assert_eq!(files.len(), 5, "{files:?}");
    let (last, rotated) = files.split_last().unwrap();
    let ending = if compress { "zst" } else { "Z" };
    for file in rotated {
        let name = file.to_str().unwrap();
        assert!(content(file).len() <= 1024 && (name.ends_with(ending) || !compress), "{name}");
    }
    assert!(last.ends_with("day.jsonl"));
    let all: String = files.iter().map(|file| content(file)).collect();
    assert_eq!(numbers(&all), (0..sent).collect::<Vec<_>>());
    // All files together are a recording, whatever their compression.
    let receiver = Mqtt::subscribe(broker.port()).args(["-t", "a", "-C", "10", "-d", "--json"]).spawn();
    receiver.wait_until_subscribed();
    let joined: Vec<u8> = if compress {
        // Plain text does not follow compressed data.
        let all =
            files.iter().flat_map(|file| zstd::stream::encode_all(content(file).as_bytes(), 0).unwrap());
        all.collect()
    } else {
        all.into_bytes()
    };
    Mqtt::publish(broker.port()).args(["--json", "-q", "1"]).stdin(joined).run().succeeds();
    let received = receiver.finish().exits(0);
    assert_eq!(numbers(std::str::from_utf8(&received.stdout).unwrap()), (0..sent).collect::<Vec<_>>());
}

#[test]
fn oldest_files_are_removed() {
    let args = ["--rotate", "500B", "--keep", "2", "--compress"];
    let mut recorder = Recorder::start(tempfile::tempdir().unwrap(), &args);
    for _ in 0..6 {
        recorder.send(300);
    }
    let (_broker, folder, _) = recorder.stop();
    let all: String = files(folder.path()).iter().map(|file| content(file)).collect();
    assert_eq!(numbers(&all), [3, 4, 5]);
}

/// The time of a file left by another run is that of its last write.
#[test]
fn file_is_rotated_by_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("day.jsonl");
    std::fs::write(&path, "{\"payload\":\"7 \"}\n").unwrap();
    let yesterday = SystemTime::now() - Duration::from_secs(86_400);
    File::options().append(true).open(&path).unwrap().set_modified(yesterday).unwrap();
    let mut recorder = Recorder::start(folder, &["--rotate", "1d"]);
    assert_eq!(files(recorder.folder.path()).len(), 1, "a new one begins with a message");
    recorder.send(1);
    let now = files(recorder.folder.path());
    assert_eq!(now.len(), 2, "{now:?}");
    assert_eq!((numbers(&content(&now[0])), numbers(&content(&now[1]))), (vec![7], vec![0]));
    // A moved file is not replaced without a write; but at SIGHUP the file is opened again.
    std::fs::rename(recorder.path(), recorder.folder.path().join("day.jsonl.20000101T000000Z")).unwrap();
    recorder.subscriber.signal(Signal::HUP);
    recorder.send(1);
    let (_broker, folder, _) = recorder.stop();
    let all = files(folder.path());
    let all: Vec<_> = all.iter().map(|file| numbers(&content(file))).collect();
    assert!(all.contains(&vec![7]) && all.contains(&vec![0]) && all.len() >= 2, "{all:?}");
}

/// Another run would write to a file that the first one renames, compresses and removes.
#[test]
fn file_that_is_rotated_has_one_recorder() {
    const ROTATES: [&str; 2] = ["--rotate", "1KiB"];
    let mut recorder = Recorder::start(tempfile::tempdir().unwrap(), &ROTATES);
    let second = |recorder: &Recorder, args: &[&str]| {
        let run = Mqtt::subscribe(recorder.broker.port()).args(["-t", "#", "--json", "-C", "1", "-W", "30"]);
        run.arg_path("--output", &recorder.path()).args(args.iter().copied()).run()
    };
    let refused = |recorder: &Recorder| {
        second(recorder, &ROTATES).fails(1, "day.jsonl: another process writes to it");
        second(recorder, &[]).fails(1, "day.jsonl: another process rotates it (--rotate)");
    };
    refused(&recorder);
    // It is another file by then.
    for _ in 0..5 {
        recorder.send(300);
    }
    refused(&recorder);
    // The same one, and a new one.
    recorder.subscriber.signal(Signal::HUP);
    recorder.send(300);
    refused(&recorder);
    std::fs::rename(recorder.path(), recorder.folder.path().join("day.jsonl.20000101T000000Z")).unwrap();
    recorder.subscriber.signal(Signal::HUP);
    wait_until(|| recorder.path().exists());
    recorder.send(300);
    refused(&recorder);
    let (_broker, folder, sent) = recorder.stop();
    let mut all: Vec<usize> = files(folder.path()).iter().flat_map(|file| numbers(&content(file))).collect();
    all.sort_unstable();
    assert_eq!(all, (0..sent).collect::<Vec<_>>());
}

/// A program that moved or removed the file need not send SIGHUP.
#[test]
fn file_that_was_moved_or_removed_does_not_end_a_rotation() {
    let mut recorder = Recorder::start(tempfile::tempdir().unwrap(), &["--rotate", "1KiB"]);
    recorder.send(700);
    std::fs::rename(recorder.path(), recorder.folder.path().join("day.jsonl.moved")).unwrap();
    recorder.send(700); // in a new file
    recorder.send(700);
    std::fs::remove_file(recorder.path()).unwrap();
    recorder.send(700);
    let (_broker, folder, _) = recorder.stop();
    let all: Vec<_> = files(folder.path()).iter().map(|file| numbers(&content(file))).collect();
    // The names of the rotated file, of the moved one and of the last one sort in this order.
    assert_eq!(all, [vec![1], vec![0], vec![3]]);
}

/// Without rotation nothing is lost.
#[test]
fn several_runs_may_append_to_a_file() {
    let mut recorder = Recorder::start(tempfile::tempdir().unwrap(), &[]);
    let second = Mqtt::subscribe(recorder.broker.port())
        .args(["-q", "1", "-t", "#", "--json", "-d"])
        .arg_path("--output", &recorder.path())
        .spawn();
    second.wait_until_subscribed();
    let rotating = Mqtt::subscribe(recorder.broker.port()).args(["-t", "#", "--rotate", "1d"]);
    rotating
        .arg_path("--output", &recorder.path())
        .run()
        .fails(1, "another process writes to it, and only one may with --rotate");
    recorder.send(10);
    second.wait_for_stderr_times("sending PUBACK", 1).signal(Signal::TERM);
    second.wait_for_end().exits(0);
    let (_broker, folder, _) = recorder.stop();
    assert_eq!(numbers(&content(&folder.path().join("day.jsonl"))), [0, 0]);
}

/// A partial line of a killed run does not spoil the first line of the next.
#[test]
fn torn_line_is_ended() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("day.jsonl"), "{\"payload\":\"0 \"}\n{\"tst").unwrap();
    let mut recorder = Recorder::start(folder, &[]);
    recorder.send(1);
    let (_broker, folder, _) = recorder.stop();
    let lines = content(&folder.path().join("day.jsonl"));
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines[..2], ["{\"payload\":\"0 \"}", "{\"tst"]);
    assert_eq!((lines.len(), numbers(lines[2])), (3, vec![0]));
}

/// Each acknowledgement follows a synchronisation, and none is made without the option.
#[rstest]
#[case("always", 3)]
#[case("never", 0)]
fn file_is_synchronised_before_messages_are_acknowledged(#[case] policy: &str, #[case] least: usize) {
    if !can_trace() {
        return;
    }
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let trace = folder.path().join("trace");
    let file = folder.path().join("day.jsonl");
    let mut arguments: Vec<std::ffi::OsString> =
        ["-f", "-e", "trace=fsync,fdatasync", "-o"].map(Into::into).to_vec();
    arguments.extend([trace.clone().into(), env!("CARGO_BIN_EXE_mqtt").into()]);
    let subscriber = Mqtt::new(arguments)
        .instead("strace")
        .args([
            "sub",
            "-h",
            "127.0.0.1",
            "-p",
            &broker.port().to_string(),
            "-q",
            "1",
            "-t",
            "a",
            "-C",
            "3",
            "-d",
        ])
        .args(["--fsync", policy])
        .arg_path("--output", &file)
        .spawn();
    subscriber.wait_until_subscribed();
    for number in 1..=3 {
        Mqtt::publish(broker.port()).args(["-t", "a", "-q", "1", "-m", "x"]).run().succeeds();
        subscriber.wait_for_stderr_times("sending PUBACK", number);
    }
    subscriber.finish().exits(0);
    let trace = std::fs::read_to_string(trace).unwrap();
    let count = trace.lines().filter(|line| line.contains("sync(")).count();
    assert!(if least == 0 { count == 0 } else { count >= least }, "{policy}:\n{trace}");
}

#[rstest]
#[case(&["--rotate", "1d"], "--output")]
#[case(&["--output", "-", "--rotate", "1d"], "--rotate needs a file: --output FILE")]
#[case(&["--output", "-", "--fsync", "always"], "--fsync needs a file: --output FILE")]
#[case(&["--output", "f", "--keep", "2"], "--rotate")]
#[case(&["--output", "f", "--rotate", "100"], "use a size or a time with its unit")]
#[case(&["--output", "f", "--rotate", "30m"], "is it a size or a time?")]
#[case(&["--output", "f", "--rotate", "10ms"], "it must be at least 1s")]
#[case(&["--output", "f", "--fsync", "sometimes"], "use never, rotate, always or a time")]
#[case(&["--output", "/dev/null", "--rotate", "1d"], "/dev/null is no regular file")]
fn unusable_options_are_refused(#[case] args: &[&str], #[case] text: &str) {
    Mqtt::new(["sub", "-t", "a", "-h", "127.0.0.1", "-p", "1"]).args(args).run().fails(2, text);
}
