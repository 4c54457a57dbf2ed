//! Secrets that a server repeats in escaped form, in Reason Strings and in answers that are not MQTT: all texts of
//! servers go through one masking.

use std::io::{Read as _, Write as _};

use mqtt::protocol::Protocol::V5;
use mqtt::protocol::property::{PropertyId, Value};
use mqtt::protocol::reason::ReasonCode;
use mqtt::protocol::wire;

use crate::support::mqtt::Mqtt;
use crate::support::packets;
use crate::support::server::Server;

const SECRET: &str = "hun@ter/2<x>";

/// The secret in every notation, with each character escaped.
fn notations() -> Vec<String> {
    let each = |escape: fn(u8) -> String| -> String { SECRET.bytes().map(escape).collect() };
    vec![
        each(|byte| format!("\\x{byte:02x}")),
        each(|byte| format!("\\u{byte:04x}")),
        each(|byte| format!("\\u{{{byte:x}}}")),
        each(|byte| format!("\\{byte:03o}")),
        each(|byte| format!("%{byte:02x}")),
        each(|byte| format!("%25{byte:02X}")),
        each(|byte| format!("&#{byte};")),
        each(|byte| format!("&#x{byte:X};")),
        each(|byte| format!("&amp;#{byte};")),
        each(|byte| format!("{byte:02x}")),
        "hun%40ter%2F2%3Cx%3E".into(),
        "hun&commat;ter&sol;2&lt;x&gt;".into(),
        r"hun@ter\/2\u003cx\u003e".into(),
    ]
}

#[track_caller]
fn is_masked(printed: &str, text: &str, what: &str) {
    assert!(printed.contains("tried \u{2026} here"), "{what} {text}\n{printed}");
    // No escaped letter of it is left.
    let start: String = text.chars().take(12).collect();
    assert!(!printed.contains(&start), "{what} {text}\n{printed}");
}

#[test]
fn escaped_secrets_in_reason_strings_are_masked() {
    for text in notations() {
        for subcommand in
            [&["pub", "-t", "a", "-n", "-d"][..], &["sub", "-t", "a", "--json-events"], &["ping", "--json"]]
        {
            let answer = format!("tried {text} here");
            let server = Server::start(move |server| {
                let mut peer = server.accept();
                peer.expect_connect(V5);
                let mut out = bytes::BytesMut::new();
                let properties = packets::properties(&[(PropertyId::ReasonString, Value::Text(&answer))]);
                wire::connack(&mut out, V5, false, ReasonCode(0x86), &properties);
                peer.send(&out);
            });
            let port = server.port().to_string();
            let line = ["-V", "5", "-h", "127.0.0.1", "-p", &port, "-u", "me", "-P", SECRET];
            let outcome = Mqtt::new(subcommand).args(line).run();
            is_masked(
                &(String::from_utf8_lossy(&outcome.stdout).into_owned() + &outcome.stderr),
                &text,
                "MQTT",
            );
            server.finish();
        }
    }
}

/// A web server in the place of the broker, and a line of another protocol.
#[test]
fn escaped_secrets_in_other_answers_are_masked() {
    for text in notations() {
        let page = format!("HTTP/1.1 403 No\r\nContent-Length: 999\r\n\r\n<p>tried {text} here</p>");
        let line = format!("-ERR tried {text} here\r\n");
        for (option, answer) in [("--ws", page), ("--quiet", line)] {
            is_masked(&answered(answer, option == "--ws", SECRET), &text, option);
        }
    }
}

/// What the program prints where a server that does not speak MQTT gives this answer.
fn answered(answer: String, is_web: bool, password: &str) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let server = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]).unwrap();
        stream.write_all(answer.as_bytes()).unwrap();
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let run = Mqtt::publish(port).args(["-V", "5", "-t", "a", "-n", "-u", "me", "-P", password]);
    let run = if is_web { run.args(["--ws"]) } else { run }.run().exits(1);
    server.join().unwrap();
    run.stderr
}

/// A page shows the parts of a secret side by side.
#[test]
fn secrets_that_markup_splits_are_masked() {
    for text in [
        "hun<script>if (1 > 2) { }</script>ter2-5ecret",
        "hunter<i a=\">\">2-5ecret",
        "hun<style>b > i { }</style>ter<b title='>'>2-5ec</b>ret",
        "hunter2&shy;-5ecret",
    ] {
        let page = format!("HTTP/1.1 403 No\r\nContent-Length: 999\r\n\r\n<p>tried {text} here</p>");
        for (answer, is_web) in [(page, true), (format!("-ERR tried {text} here\r\n"), false)] {
            let printed = answered(answer, is_web, "hunter2-5ecret");
            assert!(printed.contains("tried \u{2026}") && !printed.contains("5ec"), "{text}\n{printed}");
        }
    }
}
