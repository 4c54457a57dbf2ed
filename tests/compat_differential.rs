//! The same command lines with mosquitto's real clients, if installed, and with this program under their
//! names, against a scripted server: packets, both outputs and the exit status must be equal. Deliberate
//! differences are declared at the command line by their name in `mqtt::cli::DIFFERENCES`, or in `OLDER` if
//! the installed clients are older than 2.1.2. An undeclared difference fails, and so does a declared one
//! that does not occur.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use mqtt::cli::DIFFERENCES;

use crate::compat::{MISUSE, PUB};
use crate::compat_cases::{Case, cases};
use crate::support::mqtt::{Mqtt, Outcome};
use crate::support::packets;
use crate::support::pki::{Authority, Identity};
use crate::support::server::Server;
use crate::support::skip;
use crate::ways::{Gate, open};

/// Changes between the clients of 2.0 and 2.1.2; this program follows 2.1.2.
const OLDER: &[(&str, &str)] = &[
    (
        "2.1 options",
        "2.1.2 has -o, -w, -S, --message-rate, --latency, --no-tls, --retain-handling, --tls-keylog, --ws",
    ),
    ("2.1 json", "2.1.2: retain is a boolean, the time has no stray Z, user properties are an array"),
    ("2.1 format", "2.1.2 has %d, %f and separators, and %x has its width in bytes"),
    ("2.1 rr", "2.1.2 reads -f and -s for requests, and sends the options of -R and --retain-as-published"),
    ("2.1 expiry", "2.1.2: -x asks for MQTT 5"),
    ("2.1 topics", "2.1.2 refuses empty topics and topics of more than 201 levels"),
    ("2.1 plain", "2.1.2 ends with status 7 where a server speaks TLS"),
    ("2.1 texts", "2.1.2 names unreadable files, invalid ports and silent brokers by other texts"),
];

/// Lines of `MISUSE` that the clients of 2.0 handle differently.
const OLDER_MISUSE: &[&str] = &[
    "-D no content-type x",
    "-D publish no x",
    "-L http://h/t",
    "-o",
    "-o x -o y",
    "--proxy socks5h://u:p:q@h",
    "--proxy socks5h://[::1]:1[::2]",
    "--retain-handling",
    "--retain-handling x",
    "--tls-keylog",
    "-x -1",
    "",
];

/// Differences that a script cannot show; other tests check them.
const ELSEWHERE: &[&str] = &[
    "bulk",           // `publish_lines`
    "waiting",        // `limits`
    "random-filter",  // chance
    "reader",         // `output_closed`
    "watch",          // a terminal
    "terminal",       // a terminal
    "pipe",           // `compat_practice`
    "reconnect",      // time
    "first-answer",   // time
    "tls",            // `certificates`
    "secrets",        // `secrets`
    "cipher-classes", // `value` in `cli::compat`
    // `compat_differences`
    "float-length",
    "same-identifier",
    "key-password",
    "full-output",
    "refused-later",
    "second-look",
];

/// The number of attempts before a difference counts: on a busy machine a connection may come from a test
/// that expects none.
const TRIES: usize = 3;

/// The observed behaviour of a run, without declared differences.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Observed {
    status: Option<i32>,
    stdout: Vec<String>,
    stderr: Vec<String>,
    packets: Vec<Vec<u8>>,
}

/// The authorities of the runs: the broker's, and another one.
struct Authorities {
    good: Authority,
    stranger: Authority,
    identity: Identity,
}

impl Authorities {
    fn new() -> Self {
        let good = Authority::new("Test CA");
        let identity = good.issue("broker", &["localhost", "127.0.0.1"]);
        Self { good, stranger: Authority::new("Another CA"), identity }
    }
}

const PUBREL: u8 = 0x62;

fn is_of_a_message(packet: &[u8]) -> bool {
    packet.first().is_some_and(|first| *first == PUBREL || first >> 4 == 3)
}

impl Observed {
    fn of(case: &Case, real: Option<PathBuf>, authorities: &Authorities) -> Self {
        let home = tempfile::tempdir().unwrap();
        let collected = Arc::new(Mutex::new(Vec::new()));
        let (script, packets) = (case.script.clone(), Arc::clone(&collected));
        let server = Server::start(move |listener| script.serve(&mut listener.accept(), &packets));
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let (gate, target) = (case.gate, server.port());
        let port = match gate {
            Gate::Plain => target,
            _ => open(&runtime, gate, &authorities.identity, target, &home.path().join("socket")),
        };
        std::fs::copy(authorities.good.file(), home.path().join("ca.pem")).unwrap();
        std::fs::create_dir(home.path().join("authorities")).unwrap();
        std::fs::copy(authorities.good.file(), home.path().join("authorities/ca.pem")).unwrap();
        std::fs::copy(authorities.stranger.file(), home.path().join("stranger.pem")).unwrap();
        let outcome = run_behind(case, real, home.path(), port, target);
        server.finish_or_refuse();
        runtime.shutdown_background();
        let mut packets = std::mem::take(&mut *collected.lock().unwrap());
        for packet in packets.iter_mut().filter(|packet| packet.starts_with(&[0x10])) {
            hide_random_identifier(packet);
        }
        // The order of the next message and the PUBREL of the last one depends on timing.
        for run in packets.chunk_by_mut(|one, next| [one, next].iter().all(|packet| is_of_a_message(packet)))
        {
            run.sort_by_key(|packet| packet.starts_with(&[PUBREL]));
        }
        let hidden = |text: &str| text.replace(&home.path().display().to_string(), "HOME");
        let stdout = String::from_utf8_lossy(&outcome.stdout).replace("Client (null)", "Client null");
        let stdout = hidden(&stdout).split_inclusive('\n').map(without_time).collect();
        // 2.0 ends its texts with a full stop, 2.1.2 does not.
        let line = |line: &str| line.replace(".).", ")").trim_end_matches('.').to_owned();
        let stderr = hidden(&outcome.stderr).replace(&port.to_string(), "PORT").lines().map(line).collect();
        Self { status: outcome.status.code(), stdout, stderr, packets }
    }

    /// The same without the aspects that the difference affects.
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
            "json-binary" | "json-numbers" | "2.1 json" | "usage" | "padding" => self.stdout.clear(),
            "json-invalid" => {
                self.stdout.clear();
                self.stderr.clear();
            }
            "timeout" => {
                self.status = None;
                self.stderr.clear();
            }
            // The first line is mosquitto's; the cause follows.
            "errors" => self.stderr.truncate(1),
            "connect" | "identifier" | "letters" | "psk" | "rr-return-code" | "2.1 texts" => {
                self.stderr.clear();
            }
            "rr-ended" | "proxy" | "not-mqtt" | "version-properties" | "2.1 plain" => {
                self.status = None;
                self.stderr.clear();
                self.packets.retain(|packet| !packet.starts_with(&[0xe0]));
            }
            "retained-only" | "nul" | "unsubscribe" | "remove-retained" => self.packets.clear(),
            "rr-retained" | "rr-refused" | "properties" | "topic-alias" | "options-file" | "long"
            | "width" | "tls-failure" | "time-digit" | "shared" | "expiry" | "return-code"
            | "broken-packets" | "scram" | "capath" | "2.1 options" | "2.1 format" | "2.1 expiry"
            | "2.1 topics" | "2.1 rr" => {
                self.packets.clear();
                self.stdout.clear();
                self.stderr.clear();
                self.status = None;
            }
            other => panic!("what is left equal by '{other}' is not said"),
        }
        self
    }
}

/// MQTT 3.1 has a generated client identifier with one prefix, and a prefix option has another.
fn hide_random_identifier(connect: &mut Vec<u8>) {
    if let Some(at) = connect.windows(5).position(|window| window == b"mosq-") {
        connect[at + 5..].fill(b'x');
    }
    if let Some(at) = connect.windows(4).position(|window| window == b"pid-") {
        connect.truncate(at);
        connect[1] = 0;
        connect.pop();
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

/// Runs a command line with a broker on this port.
pub(crate) fn run(case: &Case, real: Option<PathBuf>, home: &Path, port: u16) -> Outcome {
    run_behind(case, real, home, port, port)
}

/// Runs a command line with this port, which forwards to a broker on another port.
fn run_behind(case: &Case, real: Option<PathBuf>, home: &Path, port: u16, broker: u16) -> Outcome {
    std::fs::write(home.join("two"), "line1\nline2\n").unwrap();
    std::fs::write(home.join("empty"), "").unwrap();
    // One byte longer than a message may be; a sparse file.
    std::fs::File::create(home.join("large")).unwrap().set_len(268_435_456).unwrap();
    let (port, folder) = (port.to_string(), home.display().to_string());
    let word = |word: &str| {
        let word = match word {
            "\"\"" => String::new(),
            "LONG" => "x".repeat(65_536),
            "DEEP" => vec!["a"; 202].join("/"),
            word => word
                .replace("PORT", &port)
                .replace("BROKER", &broker.to_string())
                .replace("HOME", &folder)
                .replace("SOCKET", &format!("{folder}/socket"))
                .replace("STRANGER", &format!("{folder}/stranger.pem"))
                .replace('␣', " "),
        };
        let word = if word == "CA" { format!("{folder}/ca.pem") } else { word };
        let bytes = word.split('�').map(str::as_bytes).collect::<Vec<_>>().join(&b"\xff"[..]);
        OsString::from_vec(bytes)
    };
    let line = &case.line;
    let mqtt = Mqtt::new(line.split(' ').map(word)).called(case.program).stdin(case.stdin);
    let names_port = line.contains("PORT") || line.contains("SOCKET") || line.contains(" -p ");
    let mqtt = if names_port { mqtt } else { mqtt.args(["-p", &port]) };
    if let Some(options) = case.options {
        std::fs::create_dir(home.join(".config")).unwrap();
        std::fs::write(home.join(".config").join(case.program), options).unwrap();
    }
    let mqtt = if case.homeless { mqtt } else { mqtt.env("HOME", home) };
    match real {
        Some(program) => mqtt.instead(program).run(),
        None => mqtt.run(),
    }
}

/// The real clients, and whether they are 2.0.
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

/// The result of the comparison of one command line.
fn compared(case: &Case, folder: &Path, is_older: bool, authorities: &Authorities) -> Option<String> {
    let theirs = Observed::of(case, Some(folder.join(case.program)), authorities);
    let ours = Observed::of(case, None, authorities);
    let is_of_age = |name: &&&str| is_older || !name.starts_with("2.1");
    let mut failures = String::new();
    let (mut left, mut right) = (theirs.clone(), ours.clone());
    for name in case.differs.iter().filter(is_of_age) {
        if left == right {
            failures += &format!("{} {}: '{name}' does not occur\n", case.program, case.line);
        }
        (left, right) = (left.without(name), right.without(name));
    }
    if left != right {
        failures += &format!("{} {}\n  theirs: {theirs:?}\n  ours:   {ours:?}\n", case.program, case.line);
    }
    (!failures.is_empty()).then_some(failures)
}

#[test]
fn command_lines_do_what_they_do_with_the_real_clients() {
    let Some((folder, is_older)) = installed() else { return };
    let (cases, authorities) = (cases(), Authorities::new());
    let (next, failures) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    // Runs mostly wait, so several are started at once.
    std::thread::scope(|scope| {
        for _ in 0..6 {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    // The first attempt without a difference ends them.
                    let mut tries = (0..TRIES).map(|_| compared(case, &folder, is_older, &authorities));
                    let found = tries.try_fold(String::new(), |_, differs| differs);
                    failures.lock().unwrap().extend(found);
                }
            });
        }
    });
    let mut failures = failures.into_inner().unwrap();
    let mut occurred: Vec<&str> = ELSEWHERE.to_vec();
    occurred.extend(cases.iter().flat_map(|case| case.differs));
    let named =
        DIFFERENCES.iter().map(|difference| difference.name).chain(OLDER.iter().map(|(name, _)| *name));
    for name in named.filter(|name| !occurred.contains(name)) {
        failures.push(format!("no command line shows '{name}'\n"));
    }
    assert!(failures.is_empty(), "{}", failures.concat());
}

/// How a proxy's tunnel fails, with its answers to the greeting and to the request.
#[test]
fn failing_proxies_end_runs_as_with_the_real_clients() {
    let Some((folder, _)) = installed() else { return };
    for answer in [
        &[5, 255][..],
        &[4, 0],
        &[],
        &[5, 0, 5, 1],
        &[5, 0, 5, 2],
        &[5, 0, 5, 3],
        &[5, 0, 5, 5],
        &[5, 0, 5, 7],
    ] {
        let run = |real: Option<PathBuf>| {
            let server = Server::start(move |listener| {
                let mut peer = listener.accept();
                peer.expect_beginning();
                peer.send(answer);
                peer.send(&[0, 1, 0, 0, 0, 0, 0, 0]);
                if answer.len() > 2 {
                    peer.drain();
                }
            });
            let proxy = format!("socks5h://127.0.0.1:{}", server.port());
            let line = ["-h", "broker.test", "-t", "a", "-m", "x", "--proxy", &proxy];
            let mqtt = Mqtt::new(line).called(PUB).env("HOME", "/nonexistent");
            let outcome = match real {
                Some(program) => mqtt.instead(program).run(),
                None => mqtt.run(),
            };
            server.finish();
            let first = outcome.stderr.lines().next().unwrap_or_default().trim_end_matches('.').to_owned();
            (outcome.status.code(), first)
        };
        assert_eq!(run(None), run(Some(folder.join(PUB))), "{answer:?}");
    }
}

/// No difference is listed twice or in two tables.
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
