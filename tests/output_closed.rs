//! The reader of standard output closes it while there is no output: the run ends, in any state. And the
//! first signal ends it, regardless of the two outputs.

use std::sync::mpsc;

use mqtt::protocol::Protocol::V5;
use rustix::process::Signal;

use crate::support::Service as _;
use crate::support::broker::Broker;
use crate::support::mqtt::{Mqtt, Running};
use crate::support::packets;
use crate::support::server::Server;
use crate::support::wait_until;

/// Every command that writes to standard output and may wait, with its exit status: an incomplete test is not
/// a success.
const WAITING: &[(&[&str], i32)] = &[
    (&["sub", "-t", "a"], 0),
    (&["sub", "-t", "a", "-v", "--json", "-C", "5"], 0),
    (&["sub", "-t", "a", "--retained-only"], 0),
    (&["sub", "-t", "a", "--message-rate"], 0),
    (&["sub", "-t", "a", "--output", "-"], 0),
    (&["sub", "-t", "a", "--output", "/dev/stdout"], 0),
    (&["rr", "-t", "a", "-m", "x"], 0),
    (&["ping"], 0),
    (&["ping", "--json"], 0),
    (&["bench", "--duration", "1h"], 0),
    (&["bench", "--json", "--duration", "1h"], 0),
    (&["retain-clear", "#", "--dry-run"], 0),
    (&["retain-clear", "#", "--export", "-"], 0),
    (&["retain-clear", "#", "--export", "/dev/stdout"], 0),
    (&["will-test", "--case", "close"], 1),
];

fn command(words: &[&str], port: u16) -> Mqtt {
    Mqtt::new(words).args(["-h", "127.0.0.1", "-p", &port.to_string(), "-V", "5", "--connect-timeout", "1h"])
}

/// The reader leaves while the server has not sent CONNACK.
fn leaves_before_connack(hold: fn(Mqtt) -> Mqtt, leave: fn(&mut Running)) {
    for (words, status) in WAITING {
        let (tell, connecting) = mpsc::channel();
        let server = Server::start(move |listener| {
            let mut peer = listener.accept();
            peer.expect_connect(V5);
            tell.send(()).unwrap();
            peer.drain();
        });
        let mut run = hold(command(words, server.port())).spawn();
        connecting.recv().unwrap();
        leave(&mut run);
        run.wait_for_end().exits(*status);
        server.finish();
    }
}

#[test]
fn reader_leaves_before_connack() {
    leaves_before_connack(Mqtt::hold_stdout, |run| _ = run.close_stdout());
    leaves_before_connack(Mqtt::hold_stdout_socket, |run| _ = run.close_stdout());
}

/// The reader's end of a socket stays open, but it has said that it reads no more.
#[test]
fn socket_that_is_not_read_any_more_ends_the_run() {
    leaves_before_connack(Mqtt::hold_stdout_socket, |run| {
        rustix::net::shutdown(run.held_stdout(), rustix::net::Shutdown::Read).unwrap();
    });
}

/// The reader of `| true` may be gone before there is any output.
#[test]
fn reader_is_gone_from_the_start() {
    for (words, status) in WAITING {
        let server = Server::start(|listener| {
            let mut peer = listener.accept();
            peer.drain();
        });
        let mut run = command(words, server.port()).hold_stdout().behind("read go").open_stdin().spawn();
        run.close_stdout().write("go\n");
        run.wait_for_end().exits(*status);
        server.finish_or_refuse();
    }
}

/// There is no server, and the next attempt is far away.
#[test]
fn reader_leaves_during_the_pause_between_two_attempts() {
    for words in [&["sub", "-t", "a"][..], &["rr", "-t", "a", "-n"]] {
        let (tell, refused) = mpsc::channel();
        let server = Server::start(move |listener| {
            listener.close();
            tell.send(()).unwrap();
        });
        refused.recv().unwrap();
        let run = command(words, server.port()).args(["--wait-for-server", "1h"]);
        let mut run = run.hold_stdout().spawn();
        run.wait_for_stderr("no connection yet");
        run.close_stdout();
        run.wait_for_end().exits(0);
    }
}

/// Nothing was ever written, the connection is idle, and no Keep Alive would wake it.
#[test]
fn idle_subscriber_leaves_with_disconnect() {
    for is_socket in [false, true] {
        let (tell, subscribed) = mpsc::channel();
        let server = Server::start(move |listener| {
            let mut peer = listener.accept_session(V5);
            peer.grant_subscription(V5);
            tell.send(()).unwrap();
            peer.expect_disconnect(V5);
        });
        let run = command(&["sub", "-t", "a", "-k", "0"], server.port());
        let mut run = if is_socket { run.hold_stdout_socket() } else { run.hold_stdout() }.spawn();
        subscribed.recv().unwrap();
        run.close_stdout();
        run.wait_for_end().succeeds();
        server.finish();
    }
}

/// The output is not the purpose of these commands.
#[test]
fn work_that_is_not_for_the_reader_goes_on() {
    let server = Server::start(|listener| {
        let mut peer = listener.accept_session(V5);
        peer.grant_subscription(V5);
        peer.expect_disconnect(V5);
        let mut peer = listener.accept_session(V5);
        while peer.next() == Some(packets::pingreq()) {
            peer.send(&packets::pingresp());
        }
    });
    for words in [&["sub", "-t", "a", "-E"][..], &["ping", "--quiet"]] {
        let mut run = command(words, server.port()).hold_stdout().behind("read go").open_stdin().spawn();
        run.close_stdout().write("go\n");
        run.wait_for_end().exits(0);
    }
    server.finish();
}

/// The run ends with its reader, and the password command ends with the run.
#[test]
fn reader_leaves_while_the_password_is_awaited() {
    for (words, status) in WAITING.iter().filter(|(words, _)| words[0] != "will-test") {
        for closes in ["", "exec >&-; "] {
            let line = format!("{closes}echo asked >&2; exec sleep 1000");
            let run = command(words, 1).args(["-u", "me", "--password-command", &line]);
            let mut run = run.hold_stdout().spawn();
            run.wait_for_stderr("asked");
            run.close_stdout();
            run.wait_for_end().exits(*status);
        }
    }
    // Its messages are for other clients.
    let (broker, folder) = (Broker::start(), tempfile::tempdir().unwrap());
    let go = pipe(&folder, "go");
    let line = format!("echo asked >&2; cat {}; echo secret", go.display());
    let run = broker.publish().args(["-t", "a", "-m", "x", "-u", "me", "--password-command", &line]);
    let mut run = run.hold_stdout().spawn();
    run.wait_for_stderr("asked");
    run.close_stdout();
    std::fs::write(&go, "").unwrap();
    run.wait_for_end().exits(0);
}

fn pipe(folder: &tempfile::TempDir, name: &str) -> std::path::PathBuf {
    let path = folder.path().join(name);
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

/// The payload or the list of clients comes from a pipe without a writer.
#[test]
fn reader_leaves_while_a_load_waits_for_a_file() {
    let folder = tempfile::tempdir().unwrap();
    for option in ["--payload-file", "--credentials"] {
        let path = pipe(&folder, option.trim_start_matches('-'));
        for signal in [None, Some(Signal::TERM)] {
            let run = command(&["bench", "pub", "--quiet"], 1).arg_path(option, &path);
            let mut run = run.hold_stdout().spawn();
            // Opening it for writing needs a reader, which is there then.
            let writer = std::fs::File::options().write(true).open(&path).unwrap();
            if let Some(signal) = signal {
                run.signal(signal);
                run.wait_for_end().dies_of(signal);
            } else {
                run.close_stdout();
                run.wait_for_end().exits(0);
            }
            drop(writer);
        }
    }
}

/// Every load: the run ends at once, and not at its scheduled end.
const LOADS: [&[&str]; 9] = [
    &["bench", "pub", "--rate", "50", "--duration", "1h"],
    &["bench", "sub", "--topic", "a/#", "--duration", "1h"],
    &["bench", "e2e", "--json", "--rate", "50", "--duration", "1h"],
    &["bench", "rr", "--rate", "50", "--duration", "1h"],
    &["bench", "conn", "--hold", "1h"],
    &["bench", "churn", "--clients", "2", "--duration", "1h"],
    &["bench", "wills", "--rate", "0.01"],
    &["bench", "retained", "--messages", "10", "--rate", "0.01"],
    &["bench", "calibrate", "--duration", "1h"],
];

/// The line that a load writes every second.
const MEASURING: &str = "s measure ";

fn load(words: &[&str], broker: &Broker) -> Mqtt {
    let port = broker.port().to_string();
    // `calibrate` has its own sink. A generator saturated by other work on this machine does not fail the
    // run.
    let target = ["-h", "127.0.0.1", "-p", &port, "--allow-saturated"];
    let target: &[&str] = if words.contains(&"calibrate") { &[] } else { &target };
    Mqtt::new(words).args(target)
}

#[test]
fn reader_leaves_while_a_load_is_measured() {
    let broker = Broker::start();
    for words in LOADS {
        for is_socket in [false, true] {
            let run = load(words, &broker);
            let mut run = if is_socket { run.hold_stdout_socket() } else { run.hold_stdout() }.spawn();
            run.wait_for_stderr(MEASURING);
            run.close_stdout();
            run.wait_for_end().exits(0);
        }
    }
}

/// After the first of several loads, no other is started.
#[test]
fn reader_leaves_while_several_loads_are_measured() {
    let broker = Broker::start();
    for words in [
        &[
            "bench",
            "find-limit",
            "pub",
            "-q",
            "1",
            "--from",
            "50",
            "--step-duration",
            "1h",
            "--slo",
            "p99 < 10s",
        ][..],
        &["bench", "pub", "--rate", "50", "--duration", "1h", "--repeat", "2"],
    ] {
        let mut run = load(words, &broker).hold_stdout().spawn();
        run.wait_for_stderr(MEASURING);
        run.close_stdout();
        run.wait_for_end().exits(0).does_not_mention("run 2");
    }
}

/// A broken threshold fails the run even if its report has no reader.
#[test]
fn broken_threshold_shows_in_the_exit_status_without_a_reader() {
    let broker = Broker::start();
    let words = ["bench", "pub", "--rate", "50", "--duration", "1h", "--fail-if", "connect p50 > 0ms"];
    let mut run = load(&words, &broker).hold_stdout().spawn();
    run.wait_for_stderr(MEASURING);
    run.close_stdout();
    run.wait_for_end().exits(3);
}

/// With a normal reader, with one that stops reading, and with one that never reads standard error.
#[test]
fn first_signal_ends_a_load_whatever_its_outputs_are() {
    let broker = Broker::start();
    for words in LOADS {
        let interrupted = words.contains(&"calibrate");
        let run = load(words, &broker).spawn();
        run.wait_for_stderr(MEASURING).signal(Signal::TERM);
        let outcome = run.wait_for_end();
        if interrupted {
            outcome.dies_of(Signal::TERM)
        } else {
            outcome.exits(0)
        };
        let run = load(words, &broker).full_stdout().spawn();
        run.wait_for_stderr(MEASURING).signal(Signal::INT);
        let outcome = run.wait_for_end().dies_of(Signal::INT);
        if !interrupted {
            outcome.mentions("bytes are not written: standard output has no reader");
        }
    }
    // Progress messages on standard error do not block the run.
    let subscriber = broker.subscribe().args(["-t", "bench/#", "-d"]).spawn();
    subscriber.wait_until_subscribed();
    let run = load(LOADS[0], &broker).full_stderr().spawn();
    subscriber.wait_for_stderr("received PUBLISH");
    run.signal(Signal::TERM);
    let report = run.wait_for_end().exits(0).stdout;
    assert!(String::from_utf8(report).unwrap().contains("the figures cover the time until then"));
}

/// The run is blocked in a write to standard error.
#[cfg(target_os = "linux")]
#[test]
fn first_signal_ends_a_run_inside_a_system_call() {
    let server = Server::start(|listener| {
        let mut peer = listener.accept();
        peer.drain();
    });
    let run = command(&["sub", "-t", "a", "-d"], server.port()).full_stderr().spawn();
    wait_until(|| run.is_in_a_call_for(2));
    run.signal(Signal::TERM);
    run.wait_for_end().dies_of(Signal::TERM);
    server.finish_or_refuse();
}

/// A file that was asked for has all results, also if the reader of standard output has gone.
#[test]
fn will_test_with_a_file_goes_on_without_its_reader() {
    let (broker, folder) = (Broker::start(), tempfile::tempdir().unwrap());
    let file = folder.path().join("junit.xml");
    let cases = ["will-test", "--case", "close", "--case", "disconnect", "--case", "reset"];
    for form in [&[][..], &["--json"]] {
        let run = command(&cases, broker.port()).args(form).arg_path("--junit", &file);
        let mut run = run.hold_stdout().behind("read go").open_stdin().spawn();
        run.close_stdout().write("go\n");
        run.wait_for_end().exits(0).mentions("3 passed, 0 failed, 0 skipped, 0 inconclusive");
        let xml = std::fs::read_to_string(&file).unwrap();
        assert!(xml.contains("tests=\"3\"") && xml.contains("errors=\"0\""), "{xml}");
    }
}
