//! `mqtt retain-clear --restore`: the contents and sources of a backup, and the report on sent messages.

use rustix::process::Signal;

use crate::retain_clear::{fates, file, retain_clear};
use crate::support::Service as _;
use crate::support::broker::Broker;
use crate::support::mqtt::Mqtt;
use crate::support::report;
use crate::support::server::Server;

/// A record that is not a retained message is named before anything is sent: no server listens on port 1.
#[test]
fn broken_backup_restores_nothing() {
    let folder = tempfile::tempdir().unwrap();
    for (record, why) in [
        ("{\"topic\":\"a/#\"}", "topic: it contains a wildcard"),
        (
            "{\"topic\":\"a\",\"retain\":true}",
            "it has no payload: publishing it would delete the retained message of its topic",
        ),
        ("{\"topic\":\"a\",\"payload\":\"\"}", "it has no payload"),
        ("{\"topic\":\"a\",\"payload\":\"1\",\"retain\":false}", "the message was not retained"),
        ("{\"topic\":\"a\",\"payload\":\"1\",\"retain\":2}", "retain: it must be true or false"),
        (
            "{\"topic\":\"a\",\"payload\":\"1\",\"properties\":{\"message-expiry-interval\":-5}}",
            "message-expiry-interval: it must be 0 to 4294967295",
        ),
        (
            "{\"topic\":\"a\",\"payload\":\"1\",\"properties\":{\"message-expiry-interval\":4294967296}}",
            "message-expiry-interval: it must be 0 to 4294967295",
        ),
        (
            "{\"topic\":\"a\",\"payload\":\"1\",\"properties\":{\"message-expiry-interval\":\"5\"}}",
            "message-expiry-interval: it must be a number",
        ),
        ("{\"topic\":\"$SYS/a\",\"payload\":\"1\"}", "topics that begin with $ are the broker's own"),
    ] {
        let text = format!("{{\"topic\":\"a\",\"payload\":\"1\"}}\n\n{record}\n");
        let path = file(&folder, "backup.jsonl", &text);
        retain_clear(1, &["--restore", &path]).run().fails(2, &format!("line 3: {why}"));
    }
}

/// Recordings of `mqtt sub --json` are not retained messages: the error names the command for them.
#[test]
fn recording_of_live_messages_is_told_from_a_backup() {
    let broker = Broker::start();
    let sub = broker.subscribe().args(["-t", "a", "--json", "-C", "1", "-d"]).spawn();
    sub.wait_until_subscribed();
    broker.publish().args(["-t", "a", "-m", "1"]).run().exits(0);
    let recording = sub.finish().exits(0).stdout;
    let run = retain_clear(broker.port(), &["--restore", "-"]).stdin(recording).run();
    let run = run.fails(2, "line 1: the message was not retained");
    run.mentions("`mqtt pub --json < FILE` publishes all its messages again").mentions("nothing was sent");
}

/// A pipe may be slow or endless, and nothing is sent before its end: the run ends with the reader of standard
/// output. No server listens on port 1.
#[test]
fn reader_leaves_while_a_backup_comes_from_a_pipe() {
    const RECORD: &[u8] = b"{\"topic\":\"a\",\"payload\":\"1\",\"retain\":true}\n";
    let folder = tempfile::tempdir().unwrap();
    let fifo = folder.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for (more, content) in [(&[][..], &b""[..]), (&["--json"], b""), (&[], RECORD)] {
        for is_socket in [false, true] {
            let run = retain_clear(1, &["--restore", fifo.to_str().unwrap()]).args(more);
            let mut run = if is_socket { run.hold_stdout_socket() } else { run.hold_stdout() }.spawn();
            // Opening it for writing waits for its reader.
            let mut writer = std::fs::File::options().write(true).open(&fifo).unwrap();
            std::io::Write::write_all(&mut writer, content).unwrap();
            run.close_stdout();
            run.wait_for_end().exits(1).mentions("nothing was restored");
            drop(writer);
            let run = retain_clear(1, &["--restore", "-"]).args(more).open_stdin();
            let mut run = if is_socket { run.hold_stdout_socket() } else { run.hold_stdout() }.spawn();
            run.write(content).close_stdout();
            run.wait_for_end().exits(1).mentions("nothing was restored");
        }
    }
}

/// What a file holds is restored whether somebody reads the output or not.
#[test]
fn reader_that_is_gone_does_not_end_a_restore_from_a_file() {
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let backup = file(&folder, "backup.jsonl", "{\"topic\":\"a\",\"payload\":\"1\",\"retain\":true}\n");
    let run = retain_clear(broker.port(), &["--restore", &backup]).hold_stdout();
    let mut run = run.behind("read go").open_stdin().spawn();
    run.close_stdout().write("go\n");
    run.wait_for_end().exits(0).mentions("1 of 1 restored");
}

/// All input has a limit; a report says that the run failed.
#[test]
fn endless_input_is_refused() {
    let restored = retain_clear(1, &["--restore", "/dev/zero"]).behind(LIMIT).run();
    restored.fails(1, "a pipe may bring at most 256 MiB");
    for command in ["pub", "rr"] {
        let line = [command, "-h", "127.0.0.1", "-p", "1", "-t", "a", "-e", "b", "-f", "/dev/zero"];
        let line: Vec<&str> =
            line.into_iter().filter(|part| command == "rr" || !["-e", "b"].contains(part)).collect();
        let run = Mqtt::new(line).behind(LIMIT).run();
        run.fails(149, "/dev/zero is larger than the largest packet of MQTT, 268435460 bytes");
    }
    let run = Mqtt::new(["pub", "-h", "127.0.0.1", "-p", "1", "-t", "a", "-s"]).stdin_file("/dev/zero");
    run.behind(LIMIT).run().fails(149, "standard input is larger than the largest packet");
    let folder = tempfile::tempdir().unwrap();
    let sparse = folder.path().join("sparse");
    std::fs::File::create(&sparse).unwrap().set_len(1 << 40).unwrap();
    let sparse = sparse.to_str().unwrap();
    Mqtt::new(["pub", "-h", "127.0.0.1", "-p", "1", "-t", "a", "-f", sparse])
        .behind("ulimit -v 400000")
        .run()
        .fails(149, "is larger than the largest packet");
}

/// In KiB.
const LIMIT: &str = "ulimit -v 900000";

#[test]
fn a_run_that_cannot_be_made_has_a_report() {
    for line in [&["a", "--dry-run"][..], &["a", "--yes"]] {
        let run = retain_clear(1, &[line, &["--json"]].concat()).run();
        let run = run.exits(1).mentions("connection refused");
        let report = report("retain-clear", &run.stdout);
        assert!(report["error"].as_str().unwrap().contains("connection refused"), "{report:#}");
    }
}

/// A file that is not a backup has a report; standard input is named as such, and the line is counted once.
#[test]
fn restore_of_what_is_no_backup_has_a_report() {
    for (file, text, status, words) in [
        ("-", "{\n", 2, "standard input, line 1: not valid JSON: EOF while parsing an object (column 1)"),
        ("-", "\n[1]\n", 2, "standard input, line 2: not a JSON object"),
        ("/nowhere/b", "", 1, "cannot read the backup /nowhere/b: No such file or directory"),
    ] {
        let run = retain_clear(1, &["--restore", file, "--json"]).stdin(text).run();
        let run = run.exits(status).mentions(words);
        // Usage errors have no report, as in every command.
        if status == 2 {
            run.prints("");
            continue;
        }
        let report = report("retain-clear", &run.stdout);
        assert!(report["error"].as_str().unwrap().contains(words), "{report:#}");
    }
}

/// A pipe cannot be read twice.
#[test]
fn a_backup_comes_through_a_pipe() {
    for source in ["-", "/dev/stdin"] {
        let broker = Broker::start();
        let text = "{\"topic\":\"a\",\"payload\":\"1\",\"qos\":1,\"retain\":1}\n{\"topic\":\"b\",\"payload\":\"2\",\"qos\":1}\n";
        let run = retain_clear(broker.port(), &["--restore", source]).stdin(text).run();
        run.exits(0).mentions("2 of 2 restored").does_not_mention("warning");
        let sub = broker.subscribe().args(["-t", "#", "-v", "--retained-only"]).run().exits(0);
        assert_eq!(sub.lines(), ["a 1", "b 2"]);
    }
}

/// At QoS 0, and in MQTT 3.x, a broker cannot report refusals.
#[test]
fn unconfirmed_restore_is_reported() {
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let text =
        "{\"topic\":\"a\",\"payload\":\"1\",\"qos\":0}\n{\"topic\":\"b\",\"payload\":\"1\",\"qos\":1}\n";
    let path = file(&folder, "backup.jsonl", text);
    let run = |version| retain_clear(broker.port(), &["--restore", &path, "-V", version]).run().exits(0);
    run("5").mentions("1 message sent at QoS 0 or over MQTT 3.x, where a broker cannot report a refusal");
    run("311").mentions("2 messages sent at QoS 0 or over MQTT 3.x");
}

/// Interrupted before there was a list.
#[test]
fn an_interruption_while_listing() {
    let server = Server::start(|server| {
        let mut peer = server.accept_session(mqtt::protocol::Protocol::V5);
        peer.packet();
        peer.rest();
    });
    let running = retain_clear(server.port(), &["a", "--yes", "--json", "-d"]).spawn();
    running.wait_for_stderr("sending SUBSCRIBE").signal(Signal::INT);
    let outcome = running.wait_for_end().dies_of(Signal::INT);
    let outcome = outcome.mentions("ended while listing: nothing was cleared");
    let report = report("retain-clear", &outcome.stdout);
    assert_eq!((&report["interrupted"], fates(&report)), (&true.into(), vec![]));
    server.finish();
}

/// A server that never answers the subscription has not shown that there are no messages.
#[test]
fn a_subscription_without_an_answer() {
    for limit in ["-W", "--connect-timeout"] {
        let server = Server::start(|server| {
            let mut peer = server.accept_session(mqtt::protocol::Protocol::V5);
            peer.packet();
            peer.rest();
        });
        let run = retain_clear(server.port(), &["a", "--dry-run", limit, "200ms"]).run();
        run.exits(1).mentions("the broker has not answered the subscription within 200ms");
        server.finish();
    }
}

/// Properties that the connection cannot carry are not dropped silently.
#[test]
fn a_restore_over_3_1_1_says_what_it_cannot() {
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let text = "{\"topic\":\"a\",\"payload\":\"1\"}\n\
                {\"topic\":\"b\",\"payload\":\"1\",\"properties\":{\"content-type\":\"x\"}}\n";
    let path = file(&folder, "backup.jsonl", text);
    let outcome = retain_clear(broker.port(), &["--restore", &path, "-V", "311", "--json"]).run().exits(3);
    let report = report("retain-clear", &outcome.stdout);
    assert_eq!(fates(&report), [("a", "restored"), ("b", "needs-mqtt-5")]);
}
