//! The same command lines through the real clients of mosquitto, where they are installed, and through this
//! program under their names, against a server that follows a script: the packets, standard output and the
//! exit status are the same. What is deliberately different is named at the command line by its name in
//! `mqtt::cli::DIFFERENCES`, or by one of `OLDER` where the installed clients are older than those that are
//! followed. A difference that is not named fails, and so does a named one that does not occur.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use mqtt::cli::DIFFERENCES;
use tempfile::TempDir;

use crate::compat::{MISUSE, PUB};
use crate::compat_cases::{Case, cases};
use crate::support::mqtt::{Mqtt, Outcome};
use crate::support::packets;
use crate::support::server::Server;
use crate::support::skip;

/// What changed between the clients of 2.0 and 2.1.2, which are followed.
const OLDER: &[(&str, &str)] = &[
    ("2.1 options", "-o, -w, --message-rate, --latency, --retain-handling, --ws and others are new"),
    ("2.1 json", "retain is a boolean, the time has no stray Z, user properties are an array"),
    ("2.1 format", "%d, %f and separators in %x are new"),
    ("2.1 rr", "-f and -s sent an empty request"),
    ("2.1 expiry", "-x asks for MQTT 5"),
];

/// Lines of `MISUSE` that the clients of 2.0 treat otherwise.
const OLDER_MISUSE: &[&str] = &[
    "-D no content-type x",
    "-D publish no x",
    "-L http://h/t",
    "-o",
    "-o x -o y",
    "--retain-handling",
    "--retain-handling x",
    "--tls-keylog",
    "-x -1",
    "",
];

/// Differences that need more than a script shows; other tests hold them.
const ELSEWHERE: &[&str] = &[
    "bulk",          // `publish_lines`
    "waiting",       // `limits`
    "retained-only", // `selection`
    "random-filter", // chance
    "reader",        // `output_closed`
    "watch",         // a terminal
    "terminal",      // a terminal
    "errors",        // standard error
    "tls",           // `certificates`
    "psk",           // `tls_options`
    "secrets",       // `compat`
    "proxy",         // `ways`
];

/// What of two runs a difference leaves equal.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Observed {
    status: Option<i32>,
    stdout: Vec<String>,
    packets: Vec<Vec<u8>>,
}

impl Observed {
    fn of(case: &Case, real: Option<PathBuf>) -> (Self, String) {
        let home = tempfile::tempdir().unwrap();
        let collected = Arc::new(Mutex::new(Vec::new()));
        let (script, packets) = (case.script.clone(), Arc::clone(&collected));
        let server = Server::start(move |listener| script.serve(&mut listener.accept(), &packets));
        let outcome = run(case, real, &home, server.port());
        server.finish_or_refuse();
        let mut packets = std::mem::take(&mut *collected.lock().unwrap());
        for packet in packets.iter_mut().filter(|packet| packet.starts_with(&[0x10])) {
            hide_random_identifier(packet);
        }
        let stdout = String::from_utf8_lossy(&outcome.stdout).replace("Client (null)", "Client null");
        let stdout = stdout.split_inclusive('\n').map(without_time).collect();
        (Self { status: outcome.status.code(), stdout, packets }, outcome.stderr)
    }

    /// The same without what the difference is about.
    fn without(mut self, difference: &str) -> Self {
        match difference {
            "barrier" => {
                self.packets.retain(|packet| *packet != packets::pingreq());
                self.stdout
                    .retain(|line| !line.contains("sending PINGREQ") && !line.contains("received PINGRESP"));
            }
            "rr-disconnect" => {
                self.packets.retain(|packet| !packet.starts_with(&[0xe0]));
                self.stdout.retain(|line| !line.contains("sending DISCONNECT"));
            }
            "refused" => self.stdout.retain(|line| !line.contains("sending DISCONNECT")),
            "acknowledgement" => self.stdout.sort(),
            "json-binary" | "json-numbers" | "json-invalid" | "2.1 json" => self.stdout.clear(),
            "timeout" => self.status = None,
            "nul" | "unsubscribe" | "remove-retained" | "2.1 rr" => self.packets.clear(),
            "rr-retained" | "properties" | "topic-alias" | "options-file" | "2.1 options" | "2.1 format"
            | "2.1 expiry" => {
                self.packets.clear();
                self.stdout.clear();
                self.status = None;
            }
            other => panic!("what is left equal by '{other}' is not said"),
        }
        self
    }
}

/// MQTT 3.1 has a made-up client identifier of this beginning.
fn hide_random_identifier(connect: &mut [u8]) {
    if let Some(at) = connect.windows(5).position(|window| window == b"mosq-") {
        connect[at + 5..].fill(b'x');
    }
}

/// A line without the time of a JSON record.
fn without_time(line: &str) -> String {
    match line.split_once("\"tst\":") {
        None => line.to_owned(),
        Some((before, rest)) => {
            let after = rest.split_once(',').map_or("", |(_, after)| after);
            format!("{before}\"tst\":…,{after}")
        }
    }
}

fn run(case: &Case, real: Option<PathBuf>, home: &TempDir, port: u16) -> Outcome {
    let port = port.to_string();
    let words = case.line.split(' ').map(|word| match word {
        "\"\"" => String::new(),
        word => word.replace("PORT", &port),
    });
    let mqtt = Mqtt::new(words).called(case.program).stdin(case.stdin);
    let mqtt = if case.line.contains("PORT") { mqtt } else { mqtt.args(["-p", &port]) };
    if let Some(options) = case.options {
        let folder = home.path().join(".config");
        std::fs::create_dir(&folder).unwrap();
        std::fs::write(folder.join(case.program), options).unwrap();
    }
    let mqtt = if case.homeless { mqtt } else { mqtt.env("HOME", home.path()) };
    match real {
        Some(program) => mqtt.instead(program).run(),
        None => mqtt.run(),
    }
}

/// The real clients, and whether they are of 2.0.
fn installed() -> Option<(PathBuf, bool)> {
    let folder = PathBuf::from("/usr/bin");
    if !folder.join(PUB).exists() {
        skip("the clients of mosquitto are not installed");
        return None;
    }
    let version = Mqtt::new(["--version"]).instead(folder.join(PUB)).env("HOME", "/").run();
    let is_older = String::from_utf8_lossy(&version.stdout).contains(" version 2.0.");
    Some((folder, is_older))
}

#[test]
fn misuse_is_refused_as_by_the_real_clients() {
    let Some((folder, is_older)) = installed() else { return };
    let home = tempfile::tempdir().unwrap();
    for (programs, line, text) in MISUSE {
        for name in *programs {
            let words = line.split(' ').filter(|word| !word.is_empty());
            let outcome = Mqtt::new(words).instead(folder.join(name)).env("HOME", home.path()).run();
            let expected = format!("Error: {text}\n\nUse '{name} --help' to see usage.\n");
            let is_same = outcome.stderr == expected && outcome.status.code() == Some(1);
            let is_listed = OLDER_MISUSE.contains(line);
            assert!(is_same || is_listed && is_older, "{name} {line}: {}", outcome.stderr);
            assert!(!(is_same && is_listed && is_older), "{name} {line} does not differ");
        }
    }
}

#[test]
fn command_lines_do_what_they_do_with_the_real_clients() {
    let Some((folder, is_older)) = installed() else { return };
    let mut occurred: Vec<&str> = ELSEWHERE.to_vec();
    let mut failures = String::new();
    for case in cases() {
        let (theirs, their_errors) = Observed::of(&case, Some(folder.join(case.program)));
        let (ours, our_errors) = Observed::of(&case, None);
        let is_of_age = |name: &&&str| is_older || !name.starts_with("2.1");
        let differs: Vec<&str> = case.differs.iter().filter(is_of_age).copied().collect();
        let (mut left, mut right) = (theirs.clone(), ours.clone());
        for name in &differs {
            if left == right {
                failures += &format!("{} {}: '{name}' does not occur\n", case.program, case.line);
            }
            (left, right) = (left.without(name), right.without(name));
        }
        if left != right {
            failures += &format!(
                "{} {}\n  theirs: {theirs:?} {their_errors:?}\n  ours:   {ours:?} {our_errors:?}\n",
                case.program, case.line
            );
        }
        occurred.extend(case.differs);
    }
    let named =
        DIFFERENCES.iter().map(|difference| difference.name).chain(OLDER.iter().map(|(name, _)| *name));
    for name in named.filter(|name| !occurred.contains(name)) {
        failures += &format!("no command line shows '{name}'\n");
    }
    assert!(failures.is_empty(), "{failures}");
}

/// Nothing is listed twice, and nothing by two tables.
#[test]
fn every_difference_has_one_name() {
    let mut names: Vec<&str> = DIFFERENCES.iter().map(|difference| difference.name).collect();
    names.extend(OLDER.iter().map(|(name, _)| *name));
    let count = names.len();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), count);
    assert!(ELSEWHERE.iter().all(|name| names.contains(name)));
}
