//! `mqtt bench` does not show a broker as better than it is, and reports nothing that it does not know.

use std::time::Duration;

use ::mqtt::protocol::Protocol;
use rustix::process::Signal;
use serde_json::Value;

use crate::bench::{
    accept_pair, acknowledgement_of, bench, count, expect_probe, is_not_made, number, report, watched,
};
use crate::support::Service as _;
use crate::support::broker::Broker;
use crate::support::mosquitto::{Mosquitto, Setup};
use crate::support::mqtt::Mqtt;
use crate::support::packets;
use crate::support::server::Server;

const LOAD: [&str; 8] = ["--publishers", "2", "--rate", "200", "--duration", "2s", "--drain", "1s"];

/// A broker that stalls until after the end of the run: no limit on a latency is met, however high, and
/// percentiles include the waiting messages.
#[test]
fn hung_broker_breaks_every_latency_limit() {
    for (mode, qos) in [("e2e", "0"), ("e2e", "1"), ("rr", "0"), ("pub", "1")] {
        let Some(broker) = Mosquitto::start(&Setup::new()) else { return };
        let folder = tempfile::tempdir().unwrap();
        let junit = folder.path().join("a.xml");
        let line = [&[mode, "--qos", qos, "--inflight", "10"], &LOAD[..]].concat();
        let running = watched(broker.port(), &line)
            .args(["--fail-if", "p99 > 20ms", "--fail-if", "p99 > 1h", "--junit", junit.to_str().unwrap()])
            .spawn();
        running.wait_for_stderr(" measure ");
        broker.signal(Signal::STOP);
        let report = report(&running.finish().exits(3));
        broker.signal(Signal::CONT);
        for threshold in report["thresholds"].as_array().unwrap() {
            assert_eq!(threshold["broken"], true, "{mode} {qos}: {threshold}");
            assert!(threshold["text"].as_str().unwrap().contains("never came"), "{threshold}");
            assert!(threshold["value"].is_null() && threshold["unit"] == "us", "{threshold}");
        }
        let xml = std::fs::read_to_string(junit).unwrap();
        assert_eq!(xml.matches("<failure message=\"it was beyond any limit").count(), 2, "{xml}");
        if qos == "1" {
            let acknowledge = &report["latency_us"]["acknowledge"];
            assert_eq!(
                acknowledge["unanswered"],
                count(&report, "unacknowledged") + count(&report, "not_sent")
            );
            assert_eq!(acknowledge["count"], 400, "every message counts");
            assert!(number(&report, "/latency_us/acknowledge/p95") > 1e6, "it waited for the drain as well");
            assert!(report["notes"].to_string().contains("the time they had waited"));
            let last = report["series"].as_array().unwrap().iter().rfind(|row| row["phase"] == "measure");
            let last = last.unwrap();
            assert!(last["overdue"].as_u64().unwrap() > 0, "{last}");
            assert!(last["in_flight"].as_u64().unwrap() <= 20, "the window: {last}");
        } else {
            assert!(count(&report, "lost") > 0);
        }
    }
}

/// The closed loop waits with a broker that hangs: only messages in flight are unanswered.
#[test]
fn closed_loop_with_a_hung_broker_is_not_valid() {
    for qos in ["0", "1"] {
        let Some(broker) = Mosquitto::start(&Setup::new().quiet()) else { return };
        let line = ["pub", "--qos", qos, "--rate", "max", "--duration", "2s", "--drain", "1s"];
        let running = watched(broker.port(), &line).spawn();
        running.wait_for_stderr(" measure ");
        broker.signal(Signal::STOP);
        let report = report(&running.finish().exits(3));
        broker.signal(Signal::CONT);
        let problems = report["problems"].to_string();
        assert!(problems.contains("the broker had unanswered messages"), "{problems}");
        let codes = report["problem_codes"].as_array().unwrap();
        assert!(codes.contains(&"unanswered".into()), "{codes:?}");
    }
}

/// Each acknowledgement brings the next message: the kernel of a broker that does not set `TCP_NODELAY` sends
/// further acknowledgements only when it hears from the client.
#[test]
fn closed_loop_sends_after_one_acknowledgement() {
    let server = Server::start(|listener| {
        expect_probe(listener);
        let mut publisher = listener.accept_session(Protocol::V3_1_1);
        let mut answers: Vec<_> = (0..20).map(|_| acknowledgement_of(&publisher.packet())).collect();
        for place in 0..3 {
            publisher.send(&answers[place]);
            answers.push(acknowledgement_of(&publisher.packet()));
        }
        publisher.send(&answers[3..].concat());
        publisher.expect(Protocol::V3_1_1, &packets::pingreq());
        publisher.send(&packets::pingresp());
        publisher.expect_disconnect(Protocol::V3_1_1);
    });
    let line = ["pub", "-V", "311", "--publishers", "1", "--qos", "1", "--count", "23", "--rate", "max"];
    let report = report(&bench(server.port(), &line).run().exits(0));
    assert_eq!(count(&report, "acknowledged"), 23);
    server.finish();
}

/// Percentiles include a SUBSCRIBE without an answer, with its waiting time.
#[test]
fn unanswered_subscribe_is_in_the_percentiles() {
    let server = Server::start(|listener| {
        listener.accept_session(Protocol::V5).expect_disconnect(Protocol::V5);
        let mut subscriber = listener.accept_session(Protocol::V5);
        subscriber.expect_subscribe(Protocol::V5);
        subscriber.expect_disconnect(Protocol::V5);
    });
    let limits = ["--connect-timeout", "0.3", "--duration", "0.1", "--fail-if", "suback p99 > 250ms"];
    let outcome = bench(server.port(), &[&["sub", "--subscribers", "1"], &limits[..]].concat()).run();
    let report = report(&outcome.exits(3));
    assert_eq!(report["thresholds"][0]["broken"], true);
    assert_eq!(report["latency_us"]["suback"]["unanswered"], 1);
    assert!(report["problems"].to_string().contains("did not answer every SUBSCRIBE in time"));
    server.finish();
}

/// Publishing at QoS 0 shows nothing about a broker that has not read the messages.
#[test]
fn unconfirmed_messages_are_not_a_rate() {
    let Some(broker) = Mosquitto::start(&Setup::new()) else { return };
    let line = [&["pub", "--fail-if", "rate < 1"], &LOAD[..]].concat();
    let running = watched(broker.port(), &line).spawn();
    running.wait_for_stderr(" measure ");
    broker.signal(Signal::STOP);
    let report = report(&running.finish().exits(3));
    broker.signal(Signal::CONT);
    assert!(report["throughput"]["taken_per_s"].is_null());
    assert_eq!(report["thresholds"][0]["broken"], true);
    let problems = report["problems"].to_string();
    assert!(problems.contains("the broker had unanswered messages"), "{problems}");
}

/// A run with a number of messages that are not all answered ends like one with a duration: after the drain.
#[test]
fn unanswered_count_ends_after_the_drain() {
    for (rate, exit) in [("500", 0), ("max", 3)] {
        let server = Server::start(|listener| {
            expect_probe(listener);
            let mut publisher = listener.accept_session(Protocol::V3_1_1);
            let mut unanswered = 7; // this message gets no answer
            while let Some(packet) = publisher.next() {
                let identifier = 4 + usize::from(packet.get(3).copied().unwrap_or(0));
                match packet[0] >> 4 {
                    3 if unanswered == 0 => unanswered = u32::MAX,
                    3 => {
                        unanswered -= 1;
                        publisher.send(&[0x40, 2, packet[identifier], packet[identifier + 1]]);
                    }
                    12 => publisher.send(&packets::pingresp()),
                    _ => break,
                }
            }
        });
        let line = ["pub", "-V", "311", "--publishers", "1", "--qos", "1", "--count", "100"];
        let report =
            report(&bench(server.port(), &line).args(["--rate", rate, "--drain", "1s"]).run().exits(exit));
        assert_eq!((count(&report, "sent"), count(&report, "acknowledged")), (100, 99), "{rate}");
        assert_eq!(count(&report, "unacknowledged"), 1);
        server.finish();
    }
}

/// A stalled broker delivers nothing, so a longer drain is not suggested.
#[test]
fn unanswered_count_is_not_reported_as_still_arriving() {
    let Some(broker) = Mosquitto::start(&Setup::new()) else { return };
    let line = ["e2e", "--qos", "1", "--rate", "1k", "--count", "2000", "--drain", "1s"];
    let running = watched(broker.port(), &line).spawn();
    running.wait_for_stderr(" measure ");
    broker.signal(Signal::STOP);
    let report = report(&running.finish());
    broker.signal(Signal::CONT);
    assert!(count(&report, "lost") > 0);
    assert!(!report["notes"].to_string().contains("still arriving"), "{}", report["notes"]);
}

/// A requester in a closed loop waits for responses, and not for acknowledgements.
#[test]
fn unanswered_requests_are_limited_in_the_closed_loop() {
    let server = Server::start(|listener| {
        expect_probe(listener);
        let (mut requester, mut responder) = accept_pair(listener);
        requester.grant_subscription(Protocol::V3_1_1);
        let mut requests = 0;
        loop {
            match requester.packet()[0] >> 4 {
                3 => requests += 1,
                12 => break,
                other => panic!("a packet of type {other}"),
            }
        }
        requester.send(&packets::pingresp());
        assert_eq!(requests, 2);
        requester.expect_disconnect(Protocol::V3_1_1);
        responder.expect_disconnect(Protocol::V3_1_1);
    });
    let clients = ["rr", "-V", "311", "--publishers", "1", "--subscribers", "1", "--inflight", "2"];
    let course = ["--rate", "max", "--duration", "0.2", "--drain", "0.2"];
    let outcome = bench(server.port(), &[&clients[..], &course].concat()).run().exits(3);
    let report = report(&outcome);
    assert_eq!(count(&report, "sent"), 2);
    assert!(report["problems"].to_string().contains("no request of 2 had its response"));
    server.finish();
}

/// With --reconnect a request may be lost with the connection of the responder, which the requester does not see: it is
/// given up after a while, and another is sent.
#[test]
fn requests_that_are_lost_do_not_stop_the_closed_loop() {
    let server = Server::start(|listener| {
        expect_probe(listener);
        let (mut requester, mut responder) = accept_pair(listener);
        requester.grant_subscription(Protocol::V3_1_1);
        let requests = std::iter::from_fn(|| Some(requester.packet()[0] >> 4)).take_while(|kind| *kind == 3);
        assert!(requests.count() >= 4);
        requester.send(&packets::pingresp());
        requester.expect_disconnect(Protocol::V3_1_1);
        responder.expect_disconnect(Protocol::V3_1_1);
    });
    let clients = ["rr", "-V", "311", "--publishers", "1", "--subscribers", "1", "--inflight", "2"];
    let course = ["--rate", "max", "--duration", "3.5", "--drain", "0.5", "--reconnect", "always"];
    let report = report(&bench(server.port(), &[&clients[..], &course].concat()).run().exits(3));
    assert!(count(&report, "sent") >= 4, "{report}");
    server.finish();
}

/// A subscriber without messages has measured nothing; the JSON object says so too.
#[test]
fn a_subscriber_without_a_message_has_measured_nothing() {
    let broker = Broker::start();
    let outcome = watched(broker.port(), &["sub", "--duration", "0.2"]).run().exits(3);
    assert!(report(&outcome)["problems"].to_string().contains("no message arrived"));
    let said = "mqtt: not valid: nothing was measured: no message arrived; was one published, does the topic \
                filter match it, and may this user read it?\n";
    assert!(outcome.stderr.contains(said), "{}", outcome.stderr);
}

/// Messages of a lost publisher are not sent, and no other client waits for them.
#[test]
fn count_ends_without_messages_of_a_lost_publisher() {
    let server = Server::start(|listener| {
        expect_probe(listener);
        let lost = listener.accept_session(Protocol::V3_1_1);
        let mut other = listener.accept_session(Protocol::V3_1_1);
        lost.close();
        while let Some(packet) = other.next() {
            match packet[0] >> 4 {
                12 => other.send(&packets::pingresp()),
                14 => break,
                _ => {}
            }
        }
    });
    let line =
        ["pub", "-V", "311", "--publishers", "2", "--threads", "2", "--rate", "max", "--count", "1000"];
    let report = report(&bench(server.port(), &line).run().exits(3));
    assert_eq!(count(&report, "sent") + count(&report, "not_sent"), 1000);
    assert!(count(&report, "not_sent") > 0);
    server.finish();
}

/// A server that accepts a hundred messages per second of a thousand that are due.
#[test]
fn measurement_filled_by_the_warm_up_is_not_valid() {
    let server = Server::start(|listener| {
        expect_probe(listener);
        let mut publisher = listener.accept_session(Protocol::V3_1_1);
        loop {
            let packet = publisher.packet();
            match packet[0] >> 4 {
                3 => {
                    let identifier = 4 + usize::from(packet[3]);
                    std::thread::sleep(Duration::from_millis(10));
                    publisher.send(&[0x40, 2, packet[identifier], packet[identifier + 1]]);
                }
                12 => publisher.send(&packets::pingresp()),
                _ => break,
            }
        }
    });
    let line = ["pub", "-V", "311", "--publishers", "1", "--qos", "1", "--inflight", "1", "--rate", "1k"];
    let course = ["--warmup", "0.5", "--duration", "0.5", "--drain", "0.1"];
    let report = report(&bench(server.port(), &[&line[..], &course].concat()).run().exits(3));
    assert_eq!((count(&report, "sent"), count(&report, "not_sent")), (0, 500));
    assert_eq!(report["valid"], false);
    let why = report["problems"][0].as_str().unwrap();
    assert!(why.starts_with("nothing was measured: messages of the warm-up"), "{why}");
    server.finish();
}

#[test]
fn load_that_the_broker_refuses_is_not_valid() {
    let server = Server::start(|listener| {
        listener.accept_session(Protocol::V5).expect_disconnect(Protocol::V5);
        let mut publisher = listener.accept_session(Protocol::V5);
        for _ in 0..20 {
            let packet = publisher.packet();
            let identifier = 4 + usize::from(packet[3]);
            publisher.send(&[0x40, 3, packet[identifier], packet[identifier + 1], 0x87]);
        }
        publisher.expect(Protocol::V5, &packets::pingreq());
        publisher.send(&packets::pingresp());
        publisher.expect_disconnect(Protocol::V5);
    });
    let line = ["pub", "-V", "5", "--publishers", "1", "--qos", "1", "--rate", "100", "--count", "20"];
    let report = report(&bench(server.port(), &line).run().exits(3));
    assert_eq!((count(&report, "refused"), count(&report, "acknowledged")), (20, 0));
    assert_eq!(report["problems"][0], "nothing was measured: the broker refused all messages (20)");
    server.finish();
}

/// The latency of a connection ends when it can be used.
#[test]
fn conn_latency_covers_the_whole_connection() {
    let broker = Broker::start();
    let line = ["conn", "--clients", "3", "--ramp", "10", "--hold", "0.1"];
    let report = report(&bench(broker.port(), &line).run().exits(0));
    assert_eq!(report["main_latency"], "connect_to_connack");
    let min = |name: &str| number(&report, &format!("/latency_us/{name}/min"));
    assert!(min("connect_to_connack") >= min("connect") + min("connack") - 1.0, "{}", report["latency_us"]);
    // At 10 per second, the last of 3 connections starts after 0.2 s, not 0.3 s.
    assert!(number(&report, "/connections/connected_per_s") <= 10.0);
}

/// At 2 per second, the first of 2 messages is sent at once, the second after half a second.
#[test]
fn rate_covers_the_interval_of_the_last_message() {
    let broker = Broker::start();
    let report = report(&bench(broker.port(), &["e2e", "--rate", "2", "--count", "2"]).run().exits(0));
    for figure in ["window_s", "sent_per_s", "delivered_per_s"] {
        let expected = if figure == "window_s" { 1.0 } else { 2.0 };
        assert_eq!(number(&report, &format!("/throughput/{figure}")), expected, "{figure}");
    }
    for share in report["generator"]["thread_cpu_share"].as_array().unwrap() {
        assert!(share.as_f64().unwrap() < 0.2, "2 messages are no work: {share}");
    }
}

/// Each row belongs to one phase and has its length; those of the measurement contain its messages.
#[test]
fn rows_of_the_series_belong_to_one_phase() {
    let broker = Broker::start();
    let line = ["e2e", "--ramp", "50", "--rate", "100", "--warmup", "0.5", "--duration", "1.3"];
    let report = report(&bench(broker.port(), &line).run().exits(0));
    let series = report["series"].as_array().unwrap();
    let of = |phase: &str| -> Vec<&Value> { series.iter().filter(|row| row["phase"] == phase).collect() };
    let sum = |rows: &[&Value], what: &str| rows.iter().map(|row| row[what].as_f64().unwrap()).sum::<f64>();
    for (phase, length, sent) in
        [("connect", None, 0.0), ("warmup", Some(0.5), 50.0), ("measure", Some(1.3), 130.0)]
    {
        let rows = of(phase);
        assert!(!rows.is_empty(), "{phase}: {series:?}");
        assert!(rows.iter().all(|row| row["length_s"].as_f64().unwrap() <= 1.0), "{rows:?}");
        if let Some(length) = length {
            assert!((sum(&rows, "length_s") - length).abs() < 0.01, "{rows:?}");
        }
        // A message may be sent shortly after the end of its phase.
        assert!((sum(&rows, "sent") - sent).abs() <= 10.0, "{phase}: {rows:?}");
    }
    assert_eq!(sum(&series.iter().collect::<Vec<_>>(), "sent"), 180.0);
    assert!(of("warmup").iter().all(|row| row["overdue"].as_u64().unwrap() <= 10), "{series:?}");
    let begins: Vec<f64> = series.iter().map(|row| row["second"].as_f64().unwrap()).collect();
    assert!(begins.is_sorted() && begins[0] == 0.0, "{begins:?}");
}

/// A port without a listener: an attempt to connect to it fails.
fn closed_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn file_that_cannot_be_written_is_reported_before_the_run() {
    let port = closed_port();
    let folder = tempfile::tempdir().unwrap();
    let (nowhere, fresh) = (folder.path().join("no/x"), folder.path().join("fresh"));
    for option in ["--csv", "--html", "--junit", "--calibration"] {
        let line = ["pub", "--count", "1", option, nowhere.to_str().unwrap()];
        is_not_made(watched(port, &line), "No such file");
    }
    let line = ["pub", "--csv", folder.path().to_str().unwrap()];
    is_not_made(watched(port, &line), "cannot write ");
    let line = ["pub", "--csv", fresh.to_str().unwrap(), "--html", nowhere.to_str().unwrap()];
    is_not_made(watched(port, &line), "No such file");
    assert!(!fresh.exists(), "a run without a report leaves no empty file");
    let line = ["pub", "--junit", fresh.to_str().unwrap()];
    let outcome = bench(port, &line).run().exits(1);
    let failed = report(&outcome);
    assert_eq!((&failed["valid"], &failed["mode"]), (&false.into(), &"pub".into()), "{failed:#}");
    assert!(failed["error"].as_str().unwrap().contains("refused"), "{failed:#}");
    let kept =
        crate::support::write(folder.path(), "failed.json", &String::from_utf8(outcome.stdout).unwrap());
    Mqtt::new(["bench", "compare", &kept, &kept]).run().fails(1, "that run failed: ");
    let xml = std::fs::read_to_string(&fresh).unwrap();
    assert!(xml.contains("failures=\"1\"") && xml.contains("refused"), "a test that failed: {xml}");
    let broker = Broker::start();
    let line = ["pub", "--count", "1", "--csv", "/dev/full", "--junit", fresh.to_str().unwrap()];
    let outcome = bench(broker.port(), &line).run().exits(1);
    assert_eq!(count(&report(&outcome), "sent"), 1, "the report is there");
    assert!(fresh.exists(), "and so is the other file");
}

#[test]
fn clients_do_not_share_an_identifier() {
    let port = closed_port();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("clients.csv");
    std::fs::write(&file, "client_id\na\nb\nc\n").unwrap();
    let line = ["e2e", "--count", "10", "--credentials", file.to_str().unwrap()];
    bench(port, &line).run().fails(2, "3 lines for 20 clients");
    std::fs::write(&file, "client_id,username\na,u\na,v\n").unwrap();
    let line = ["conn", "--clients", "2", "--credentials", file.to_str().unwrap()];
    bench(port, &line).run().fails(2, "client_id 'a' is in line 2 and in line 3");
}

/// Ctrl-C before the measurement: the report has nothing on what was not measured.
#[test]
fn interrupted_run_has_a_report() {
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let junit = folder.path().join("a.xml");
    let port = broker.port().to_string();
    let line =
        ["bench", "-h", "127.0.0.1", "-p", &port, "--warmup", "1m", "--junit", junit.to_str().unwrap()];
    let running = Mqtt::new(line).spawn();
    running.wait_for_stderr(" warm-up ");
    running.signal(Signal::INT);
    let table = running.finish().exits(0).lines();
    assert!(table.iter().any(|line| line.starts_with("interrupted")), "{table:?}");
    assert!(table.iter().all(|line| !line.starts_with("held back") && !line.contains("CPU  ")), "{table:?}");
    let xml = std::fs::read_to_string(junit).unwrap();
    assert!(xml.contains("failures=\"0\" errors=\"0\" skipped=\"1\""), "as the exit status says: {xml}");
    assert!(xml.contains("name=\"the run was completed\"><skipped message=\"it was interrupted"), "{xml}");
}

/// At QoS 0 there is no window.
#[test]
fn report_names_the_actual_load() {
    let broker = Broker::start();
    let port = broker.port().to_string();
    for (qos, expected) in [("0", "closed loop, QoS 0"), ("1", "closed loop, window 7, QoS 1")] {
        let line = ["bench", "pub", "-h", "127.0.0.1", "-p", &port, "--quiet", "--allow-saturated"];
        let load = ["--rate", "max", "--count", "10", "--inflight", "7", "--qos", qos];
        let table = Mqtt::new(line).args(load).run().exits(0).lines();
        assert!(table.iter().any(|line| line.starts_with("load ") && line.contains(expected)), "{table:?}");
    }
    for (shape, expected) in [
        (["--pattern", "all"], "1 publisher, 2 subscribers, all to all, 10/s"),
        (["--shared-groups", "2"], "2 subscribers, 2 shared groups, 10/s"),
    ] {
        let line = ["bench", "e2e", "-h", "127.0.0.1", "-p", &port, "--quiet", "--allow-saturated"];
        let load = ["--publishers", "1", "--subscribers", "2", "--rate", "10", "--count", "1"];
        let table = Mqtt::new(line).args(load).args(shape).run().exits(0).lines();
        assert!(table.iter().any(|line| line.starts_with("load ") && line.contains(expected)), "{table:?}");
    }
}

/// A threshold on a figure without a value is not passed.
#[test]
fn unmeasured_figure_fails_its_threshold() {
    let broker = Broker::start();
    let run = |mode: &str, figure: &str| {
        let line = [mode, "--publishers", "1", "--rate", "10", "--count", "1", "--fail-if", figure];
        bench(broker.port(), &line).run()
    };
    for (mode, figure) in [("pub", "loss > 0"), ("pub", "duplicates > 0"), ("e2e", "refused > 0%")] {
        let report = report(&run(mode, figure).exits(3));
        assert_eq!(report["thresholds"][0]["text"], "not measured", "{mode} {figure}");
    }
    run("e2e", "loss > 0").exits(0);
}

/// A refused responder explains why requests have no response.
#[test]
fn a_responder_may_be_refused() {
    let Some(broker) = Mosquitto::start(&Setup::new().access("topic readwrite bench/#")) else { return };
    let line =
        ["rr", "--publishers", "1", "--subscribers", "1", "--rate", "10", "--count", "2", "--qos", "1"];
    let report = report(&bench(broker.port(), &line).args(["-V", "5", "--drain", "200ms"]).run().exits(3));
    let causes = report["errors"].as_array().unwrap();
    let refused = |cause: &Value| cause["cause"] == "response refused: Not authorized (0x87)";
    assert!(causes.iter().any(refused), "{causes:?}");
}
