//! `mqtt rr`: several responses (`-C`, `--all`, `--idle`) and several requests (`--repeat`).

use mqtt::protocol::Protocol::V5;
use mqtt::protocol::property::{PropertyId, Value};
use rstest::rstest;
use rustix::process::Signal;

use crate::request::{Request, asked, request, rr};
use crate::support::packets::Message;
use crate::support::server::{Peer, Server};
use crate::support::{Kind, report};

fn respond(peer: &mut Peer, to: &Request, payload: &[u8]) {
    let data = (PropertyId::CorrelationData, Value::Binary(&to.correlation_data));
    peer.send(&Message::new(&to.response_topic, payload).with(&[data]).bytes(V5));
}

/// A server that answers one request with these responses.
fn responses(payloads: &'static [&'static str]) -> Server {
    Server::start(move |listener| {
        let (mut peer, _, asked) = asked(listener);
        for payload in payloads {
            respond(&mut peer, &asked, payload.as_bytes());
        }
        peer.expect_disconnect(V5);
    })
}

#[test]
fn several_responses() {
    let run =
        |server: &Server, options: &[&str]| rr(server.port()).args(["-t", "s", "-n"]).args(options).run();
    run(&responses(&["1", "2", "3"]), &["-C", "3"]).succeeds().prints("1\n2\n3\n");
    run(&responses(&["1", "2"]), &["--idle", "300ms"]).succeeds().prints("1\n2\n");
    run(&responses(&["1", "2"]), &["--all", "-W", "500ms"]).succeeds().prints("1\n2\n");
    run(&responses(&["1", "2"]), &["-C", "3", "-W", "500ms"])
        .exits(27)
        .mentions("2 of 3 responses came on")
        .prints("1\n2\n");
    let none = run(&responses(&[]), &["--idle", "300ms"]).exits(27).prints("");
    let reasons = none.stderr.matches("no response came on").count();
    assert!(none.stderr.contains("after 300ms: no response came on") && reasons == 1, "{}", none.stderr);
    run(&responses(&[]), &["--all", "-W", "300ms"]).exits(27).prints("");
}

/// Each request has its own correlation data: a late response to the first is not that of the second.
#[test]
fn late_response_is_not_that_of_the_next_request() {
    let server = Server::start(|listener| {
        let (mut peer, _, first) = asked(listener);
        let second = request(&mut peer);
        assert_ne!(first.correlation_data, second.correlation_data);
        respond(&mut peer, &first, b"late");
        respond(&mut peer, &second, b"second");
        let third = request(&mut peer);
        respond(&mut peer, &third, b"third");
        peer.expect_disconnect(V5);
    });
    let args = ["-t", "s", "-n", "--repeat", "3", "--idle", "300ms", "--json"];
    let lines =
        rr(server.port()).args(args).run().exits(27).mentions("1 of 3 requests had no response").lines();
    let payloads: Vec<String> = lines[..2]
        .iter()
        .map(|line| {
            let record: serde_json::Value = serde_json::from_str(line).unwrap();
            record["payload"].as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(payloads, ["second", "third"]);
    let report = report("round-trips", lines[2].as_bytes());
    assert_eq!(
        (&report["requests"], &report["answered"], &report["responses"]),
        (&3.into(), &2.into(), &2.into())
    );
    assert!(report["p50_us"].as_f64().unwrap() <= report["max_us"].as_f64().unwrap());
    server.finish();
}

/// A request that was in flight when the connection was lost is sent again, and counts once.
#[test]
fn lost_connection_repeats_a_request() {
    let server = Server::start(|listener| {
        let (mut peer, _, first) = asked(listener);
        respond(&mut peer, &first, b"1");
        let _lost = request(&mut peer);
        peer.close();
        let (mut peer, _, again) = asked(listener);
        respond(&mut peer, &again, b"2");
        peer.expect_disconnect(V5);
    });
    let args = ["-t", "s", "-n", "--repeat", "2", "--reconnect", "5"];
    let run = rr(server.port()).args(args).run().exits(0).prints("1\n2\n");
    run.mentions("the request is sent again")
        .mentions("2 requests, 2 answered, 2 responses; round trip min ");
    server.finish();
}

/// With `mqtt respond`, over one connection; a signal ends the run with the summary.
#[rstest]
fn requests_are_repeated_until_a_signal(#[values(Kind::Embedded, Kind::Mosquitto)] kind: Kind) {
    let Some(broker) = kind.start() else { return };
    let broker = broker.as_ref();
    let port = broker.port().to_string();
    let place = ["-h", "127.0.0.1", "-p", &port];
    let responder =
        crate::support::mqtt::Mqtt::new(["respond", "-t", "s", "--echo", "-d"]).args(place).spawn();
    responder.wait_until_subscribed();
    let args = ["-t", "s", "-m", "x", "--repeat", "forever", "--interval", "10ms"];
    let run = rr(broker.port()).args(args).spawn();
    run.wait_for_lines(10).signal(Signal::INT);
    let outcome = run.wait_for_end().dies_of(Signal::INT).mentions("round trip min ");
    assert!(outcome.lines().iter().all(|line| line == "x"), "{:?}", outcome.lines());
}

/// A format that does not fit one response usually fits none.
#[rstest]
#[case("%J", "requested JSON, but the payload is not JSON; it is shown as a string")]
#[case("%f", "requested float printing, but the payload has 1 byte ")]
fn misfit_is_reported_once_a_run(#[case] format: &str, #[case] what: &str) {
    let server = Server::start(|listener| {
        let (mut peer, _, first) = asked(listener);
        respond(&mut peer, &first, b"x");
        for _ in 0..3 {
            let next = request(&mut peer);
            respond(&mut peer, &next, b"x");
        }
        peer.expect_disconnect(V5);
    });
    let run = rr(server.port()).args(["-t", "s", "-n", "--repeat", "4", "-F", format]).run().exits(0);
    let said: Vec<&str> = run.stderr.lines().filter(|line| line.contains(what)).collect();
    assert!(matches!(said[..], [line] if line.ends_with("(shown only once)")), "{}", run.stderr);
    server.finish();
}
