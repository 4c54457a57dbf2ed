//! TCP, TLS, WebSockets and Unix sockets, several at once.

use std::io::{Read as _, Write as _};

use rustix::process::Signal;

use super::{Served, mosquitto};
use crate::support::mqtt::Mqtt;
use crate::support::pki::Authority;
use crate::support::{faketime, write};

/// A message goes from each listener to each other one.
#[test]
fn all_listeners_serve_one_broker() {
    let folder = tempfile::tempdir().unwrap();
    let (socket, ca) = (folder.path().join("socket"), folder.path().join("ca.pem"));
    let unix = format!("unix://{}", socket.display());
    let ca = ca.to_str().unwrap();
    let urls = ["127.0.0.1:0", "mqtts://127.0.0.1:0", "ws://127.0.0.1:0", "wss://[::1]:0/", &unix];
    let line = urls.iter().flat_map(|url| ["--listen", url]);
    let broker = Mqtt::new(["broker"]).args(line).args(["--tls-self-signed", ca]);
    let broker = Served::spawn(broker, urls.len());
    let secure = format!("for example: mqtt sub -L {} --cafile {ca} -t '#' -v", broker.places[1]);
    broker.running.wait_for_stderr(&secure);
    let ways: Vec<Vec<String>> = broker
        .places
        .iter()
        .map(|place| match (place.split_once("://"), place.strip_prefix("unix:")) {
            (_, Some(path)) => vec!["--unix".into(), path.into()],
            (Some(("mqtts" | "wss", _)), _) => vec!["-L".into(), place.clone(), "--cafile".into(), ca.into()],
            (Some(_), _) => vec!["-L".into(), place.clone()],
            _ => vec!["-L".into(), format!("mqtt://{place}")],
        })
        .collect();
    let large = "x".repeat(300_000);
    for (number, way) in ways.iter().enumerate() {
        let topic = format!("from/{number}");
        Mqtt::new(["pub"])
            .args(way)
            .args(["-t", &topic, "-q", "1", "-r", "-s"])
            .stdin(large.clone())
            .run()
            .succeeds();
    }
    for way in &ways {
        let sub =
            Mqtt::new(["sub"]).args(way).args(["-t", "from/+", "-C", "5", "-F", "%t %l", "-W", "30"]).run();
        let expected: String = (0..ways.len()).map(|number| format!("from/{number} 300000\n")).collect();
        sub.succeeds().prints(expected);
    }
    let port = broker.port(1).to_string();
    let arguments =
        ["-h", "localhost", "-p", &port, "--cafile", ca, "-t", "from/1", "-C", "1", "-F", "%l", "-W", "30"];
    if let Some(run) = mosquitto("mosquitto_sub", &arguments) {
        assert_eq!((run.0, run.1.as_str()), (0, "300000\n"), "{}", run.2);
    }
    broker.running.signal(Signal::TERM);
    broker.running.wait_for_end().exits(0);
    assert!(!socket.exists());
}

#[test]
fn clients_without_a_certificate_of_the_authority_are_refused() {
    let (authority, other) = (Authority::new("Test CA"), Authority::new("Other CA"));
    let server = authority.issue("broker", &["127.0.0.1"]);
    let (own, foreign) = (authority.issue("client", &[]), other.issue("client", &[]));
    let ca = authority.file();
    let broker = Mqtt::new(["broker", "--listen", "mqtts://127.0.0.1:0"])
        .arg_path("--cert", &server.certificate)
        .arg_path("--key", &server.key)
        .arg_path("--client-ca", &ca)
        .args(["--log"]);
    let broker = Served::spawn(broker, 1);
    let client =
        || Mqtt::new(["pub", "-L", &broker.places[0], "-t", "a", "-m", "1"]).arg_path("--cafile", &ca);
    client().arg_path("--cert", &own.certificate).arg_path("--key", &own.key).run().succeeds();
    client().args(["--reconnect", "never"]).run().exits(1).mentions("certificate");
    broker.running.wait_for_stderr("the client sent no certificate, which --client-ca requires");
    let expired = authority.issue_expired("old", &[]);
    for (identity, reason) in [
        (&foreign, "the client's certificate was not issued by an authority of --client-ca"),
        (&expired, "the client's certificate has expired"),
    ] {
        let refused = client().arg_path("--cert", &identity.certificate).arg_path("--key", &identity.key);
        refused.args(["--reconnect", "never"]).run().exits(1);
        broker.running.wait_for_stderr(reason);
    }
}

/// The broker serves, as a test may need such a certificate, and says what clients will say.
#[test]
fn certificate_that_has_expired_is_warned_of_at_the_start() {
    let authority = Authority::new("Test CA");
    for (identity, is_expired) in [
        (authority.issue_expired("old", &["127.0.0.1"]), true),
        (authority.issue("new", &["127.0.0.1"]), false),
    ] {
        let broker = Mqtt::new(["broker", "--listen", "mqtts://127.0.0.1:0"])
            .arg_path("--cert", &identity.certificate)
            .arg_path("--key", &identity.key);
        let broker = Served::spawn(broker, 1);
        broker.running.signal(Signal::TERM);
        let end = broker.running.wait_for_end().exits(0);
        if is_expired {
            end.mentions("mqtt: warning: the certificate of --cert expired on ")
                .mentions("ago: clients refuse it");
        } else {
            end.says("");
        }
    }
}

/// Dates of clients' certificates cannot be checked then; without --client-ca there are none to check.
#[test]
fn a_broker_with_a_clock_before_1970_serves_tls_or_says_why_not() {
    let Some(library) = faketime() else { return };
    let authority = Authority::new("Test CA");
    let (server, own) = (authority.issue("broker", &["127.0.0.1"]), authority.issue("client", &[]));
    let ca = authority.file();
    let broker = || {
        Mqtt::new(["broker", "--listen", "mqtts://127.0.0.1:0", "--log"])
            .arg_path("--cert", &server.certificate)
            .arg_path("--key", &server.key)
            .env("LD_PRELOAD", &library)
            .env("FAKETIME", "@1969-06-01 00:00:00")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
    };
    let client = |broker: &Served| {
        Mqtt::new(["pub", "-L", &broker.places[0], "-t", "a", "-m", "1", "--reconnect", "never"])
            .arg_path("--cafile", &ca)
            .arg_path("--cert", &own.certificate)
            .arg_path("--key", &own.key)
    };
    client(&Served::spawn(broker(), 1)).run().succeeds();
    let checking = Served::spawn(broker().arg_path("--client-ca", &ca), 1);
    client(&checking).run().exits(1);
    checking.running.wait_for_stderr("this machine's clock is at 1969-0");
}

/// A certificate that does not match its key, a missing file, a file that must not be replaced.
#[test]
fn wrong_files_are_named_before_anything_listens() {
    let authority = Authority::new("Test CA");
    let (one, two) = (authority.issue("one", &["127.0.0.1"]), authority.issue("two", &["127.0.0.1"]));
    let broker = || Mqtt::new(["broker", "--listen", "mqtts://127.0.0.1:0"]);
    let run = broker().arg_path("--cert", &one.certificate).arg_path("--key", &two.key).run();
    run.exits(1).mentions("is not the private key of the certificate in");
    // Hints name only options that this command has.
    let run = broker().arg_path("--cert", &authority.file()).arg_path("--key", &two.key).run();
    run.exits(1).mentions("--cert takes the certificate of the broker itself").does_not_mention("--cafile");
    let encrypted = concat!(env!("CARGO_MANIFEST_DIR"), "/src/net/tests/keys/ec-pkcs8-aes256.key");
    let run = broker().arg_path("--cert", &one.certificate).args(["--key", encrypted]).run();
    let run = run.exits(1).mentions("this private key is encrypted").mentions("`openssl pkey -in ");
    run.does_not_mention("--key-password-file");
    let run = broker().args(["--cert", "/nonexistent", "--key", "/nonexistent"]).run();
    run.exits(1).mentions("--cert: certificate /nonexistent");
    let folder = tempfile::tempdir().unwrap();
    let mine = write(folder.path(), "mine", "something\n");
    let run = broker().args(["--tls-self-signed", &mine]).run().exits(1);
    run.mentions("the file holds something else than a certificate");
    assert_eq!(std::fs::read_to_string(&mine).unwrap(), "something\n");
}

/// The variables tell the command how to reach a listener of any kind.
#[test]
fn a_command_finds_a_listener_of_any_kind() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let unix = format!("unix:{}", path("socket"));
    for (listener, more) in [
        ("127.0.0.1:0", vec![]),
        ("ws://127.0.0.1:0", vec![]),
        ("wss://127.0.0.1:0", vec!["--tls-self-signed".to_owned(), path("ca.pem")]),
        ("mqtts://[::]:0", vec!["--open".into(), "--tls-self-signed".to_owned(), path("ca2.pem")]),
        (&unix, vec![]),
    ] {
        let broker = Mqtt::new(["broker", "--listen", listener]).args(&more);
        let run =
            broker.args(["--", "/bin/sh", "-c", "mqtt pub -r -t a -m 1 && mqtt sub -t a -C 1 -W 30"]).run();
        run.succeeds().prints("1\n");
    }
}

/// A browser, or a client that uses plain MQTT.
#[test]
fn request_without_websocket_is_answered_in_http() {
    let broker = Served::start(&["--listen", "ws://127.0.0.1:0"]);
    let ask = |request: &[u8]| {
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", broker.port(0))).unwrap();
        stream.write_all(request).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    };
    let page = ask(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert!(page.starts_with("HTTP/1.1 426 ") && page.contains("this is an MQTT broker"), "{page}");
    let other = ask(b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00");
    assert!(other.starts_with("HTTP/1.1 400 "), "{other}");
}

/// As with `--cafile`.
#[test]
fn bad_certificate_of_a_client_authority_is_named_and_the_others_are_used() {
    let authority = Authority::new("Test CA");
    let server = authority.issue("broker", &["127.0.0.1"]);
    let own = authority.issue("client", &[]);
    let ca = authority.file();
    let folder = tempfile::tempdir().unwrap();
    let bundle = folder.path().join("bundle.pem");
    let good = std::fs::read_to_string(&ca).unwrap();
    let bad = good.replacen("MII", "M*I", 1);
    let broker = |path: &std::path::Path| {
        Mqtt::new(["broker", "--listen", "mqtts://127.0.0.1:0"])
            .arg_path("--cert", &server.certificate)
            .arg_path("--key", &server.key)
            .arg_path("--client-ca", path)
    };
    std::fs::write(&bundle, &bad).unwrap();
    broker(&bundle)
        .run()
        .exits(1)
        .mentions("bundle.pem: no usable certificate: block 1 (CERTIFICATE, line 1): ");
    std::fs::write(&bundle, format!("{bad}{good}")).unwrap();
    let broker = Served::spawn(broker(&bundle), 1);
    broker.running.wait_for_stderr("warning: ignored as a certificate authority: ");
    let client = Mqtt::new(["pub", "-L", &broker.places[0], "-t", "a", "-m", "1"]).arg_path("--cafile", &ca);
    client.arg_path("--cert", &own.certificate).arg_path("--key", &own.key).run().succeeds();
}
