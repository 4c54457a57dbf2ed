//! TLS as the commands use it, with a real server of another implementation: trust, admission, and errors.
//! The transport itself is tested next to its code.

use std::ffi::OsString;
use std::path::PathBuf;

use mqtt::protocol::Protocol::{self, V3_1_1, V5};
use mqtt::protocol::QoS;
use mqtt::protocol::wire::PacketType;
use rstest::rstest;

use crate::support::mosquitto::{Mosquitto, Setup};
use crate::support::mqtt::Mqtt;
use crate::support::pki::Authority;
use crate::support::server::{Listener, Server};
use crate::support::{CONNECTING, Service, faketime, packets, report, version};

/// Enough for many TLS records.
const LINES: usize = 20_000;

/// `mqtt pub` to `localhost`, for which certificates are made.
fn publish(port: u16) -> Mqtt {
    Mqtt::new(["pub", "-h", "localhost", "-p", &port.to_string(), "-t", "a", "-m", "x", "-q", "1"])
}

/// A message there and back, on a connection with certificates on both sides.
#[rstest]
fn both_sides_show_a_certificate(#[values(V3_1_1, V5)] protocol: Protocol) {
    let authority = Authority::new("Test CA");
    let setup = Setup::new().tls(&authority.issue("broker", &["localhost"])).client_certificates(&authority);
    let Some(broker) = Mosquitto::start(&setup) else { return };
    let client = authority.issue("client", &[]);
    let files = [authority.file(), client.certificate, client.key].map(PathBuf::into_os_string);
    let args: Vec<OsString> = ["--cafile", "--cert", "--key"]
        .into_iter()
        .zip(files)
        .flat_map(|(flag, file)| [flag.into(), file])
        .collect();
    let port = broker.port().to_string();
    let session = ["-h", "localhost", "-p", &port, "-V", version(protocol), "-t", "a", "-q", "1"];
    let reader = ["-c", "-i", "reader"];
    let subscribe = || Mqtt::new(["sub"]).args(session).args(reader).args(&args);
    subscribe().args(["-E"]).run().succeeds();
    let count = LINES.to_string();
    let subscriber = subscribe().args(["-C", &count]).spawn();
    let input: String = (0..LINES).map(|number| format!("{number}\n")).collect();
    Mqtt::new(["pub"]).args(session).args(&args).args(["-l"]).stdin(input.clone()).run().succeeds();
    subscriber.finish().succeeds().prints(input);
}

#[test]
fn no_client_certificate() {
    let authority = Authority::new("Test CA");
    let setup = Setup::new().tls(&authority.issue("broker", &["localhost"])).client_certificates(&authority);
    let Some(broker) = Mosquitto::start(&setup) else { return };
    let cafile = ["--cafile".into(), authority.file().into_os_string()];
    for version in ["tlsv1.2", "tlsv1.3"] {
        let run = publish(broker.port()).args(&cafile).args(["--tls-version", version]).run();
        run.fails(1, "TLS: ").mentions("client certificate");
    }
    // A certificate of another authority.
    let other = Authority::new("Other CA");
    let stranger = other.issue("client", &[]);
    let (certificate, key) = (stranger.certificate.into_os_string(), stranger.key.into_os_string());
    let own = ["--cert".into(), certificate, "--key".into(), key];
    let run = publish(broker.port()).args(&cafile).args(&own).run();
    run.fails(1, "TLS: the broker refused the client certificate");
}

/// Each certificate is refused, with the reason.
#[test]
fn certificates_that_are_refused() {
    let authority = Authority::new("Test CA");
    let other = Authority::new("Other CA");
    let cases = [
        (other.issue("broker", &["localhost"]), "was issued by CN=Other CA, which is unknown"),
        (authority.issue_expired("old", &["localhost"]), "expired on 2021-01-01T00:00:00Z"),
        (authority.issue("elsewhere", &["broker.example"]), "is for 'broker.example', not for 'localhost'"),
    ];
    for (identity, text) in cases {
        let Some(broker) = Mosquitto::start(&Setup::new().tls(&identity)) else { return };
        let cafile = ["--cafile".into(), authority.file().into_os_string()];
        publish(broker.port()).args(&cafile).run().fails(1, text);
        // The server's certificate is shown nevertheless.
        let port = broker.port().to_string();
        let ping = Mqtt::new(["ping", "-h", "localhost", "-p", &port]).args(&cafile);
        let lines = ping.run().exits(1).lines().join("\n");
        assert!(lines.contains(" ms  refused; the broker presented\n"), "{lines}");
        assert!(lines.contains("certificate CN=") && lines.contains(" by CN="), "{lines}");
        let ping = Mqtt::new(["ping", "--json", "-h", "localhost", "-p", &port]).args(&cafile);
        let last =
            report("ping", &ping.run().exits(1).stdout)["steps"].as_array().unwrap().last().unwrap().clone();
        assert_eq!(last["step"], "refused");
        assert!(last["certificates"][0]["subject"].as_str().unwrap().starts_with("CN="), "{last}");
        // Only an explicit option skips the verification, with a warning.
        let run = publish(broker.port()).args(&cafile).args(["--insecure"]).run();
        run.exits(0).says("mqtt: warning: --insecure: the certificate of the broker is not verified\n");
    }
}

/// The name in the certificate can be given if it differs from the host.
#[test]
fn a_name_that_is_not_the_host() {
    let authority = Authority::new("Test CA");
    let Some(broker) = Mosquitto::start(&Setup::new().tls(&authority.issue("b", &["broker.example"]))) else {
        return;
    };
    let cafile = ["--cafile".into(), authority.file().into_os_string()];
    publish(broker.port()).args(&cafile).args(["--tls-server-name", "broker.example"]).run().succeeds();
}

/// Authorities from a folder, from a variable, and from the system's store.
#[test]
fn where_authorities_come_from() {
    let authority = Authority::new("Test CA");
    let Some(broker) = Mosquitto::start(&Setup::new().tls(&authority.issue("broker", &["localhost"]))) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(authority.file(), folder.path().join("some.pem")).unwrap();
    publish(broker.port()).args(["--capath".as_ref(), folder.path().as_os_str()]).run().succeeds();
    publish(broker.port()).env("MQTT_CAFILE", authority.file()).run().succeeds();
    let store = |mqtt: Mqtt| mqtt.env("SSL_CERT_FILE", authority.file());
    store(publish(broker.port())).args(["--tls-use-os-certs"]).run().succeeds();
    let url = format!("mqtts://localhost:{}/a", broker.port());
    store(Mqtt::new(["pub", "-L", &url, "-m", "x", "-q", "1"])).run().succeeds();
    // And from no other source.
    Mqtt::new(["pub", "-L", &url, "-m", "x"])
        .env("SSL_CERT_FILE", Authority::new("Other CA").file())
        .run()
        .fails(1, "TLS: the broker's certificate");
}

/// The system's store is large, and read only if no other authorities are trusted: here it is a pipe without
/// a writer, which would block the program.
#[test]
fn the_systems_store_is_read_only_when_it_is_needed() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    assert!(std::process::Command::new("mkfifo").arg(&store).status().unwrap().success());
    let authority = Authority::new("Test CA");
    let identity = authority.issue("broker", &["localhost"]);
    let Some(broker) = Mosquitto::start(&Setup::new().tls(&identity)) else { return };
    let publish = || publish(broker.port()).env("SSL_CERT_FILE", &store);
    publish().args(["--cafile".into(), authority.file().into_os_string()]).run().succeeds();
    publish().args(["--insecure", "--tls-use-os-certs"]).run().exits(0);
    let Some(plain) = Mosquitto::start(&Setup::new()) else { return };
    plain.publish().args(["-t", "a", "-n"]).env("SSL_CERT_FILE", &store).run().succeeds();
}

/// TLS to a server without TLS, and the reverse.
#[test]
fn one_side_without_tls() {
    let authority = Authority::new("Test CA");
    let cafile = ["--cafile".into(), authority.file().into_os_string()];
    let server = Server::start(|server| {
        let mut peer = server.accept();
        // A plain server's reaction to a ClientHello.
        peer.send(&packets::connack(V5, false, 0x81));
        peer.close();
    });
    publish(server.port()).args(&cafile).run().fails(1, "TLS: the broker's answer is not TLS");
}

/// A broker that expects TLS may close a connection without TLS silently. Then it is probed for TLS.
#[test]
fn a_tls_port_met_without_tls_is_recognised() {
    let authority = Authority::new("Test CA");
    let identity = authority.issue("broker", &["localhost"]);
    let words = "the broker expects TLS on this port";
    for setup in [Setup::new(), Setup::new().web_sockets()] {
        let Some(broker) = Mosquitto::start(&setup.tls(&identity).client_certificates(&authority)) else {
            return;
        };
        let port = broker.port().to_string();
        for subcommand in CONNECTING {
            let run = Mqtt::new(subcommand).args(["-h", "localhost", "-p", &port]).run();
            run.exits(1).mentions(words).mentions("\nhint: use mqtts://");
        }
        publish(broker.port()).args(["--ws"]).run().exits(1).mentions("expects TLS on this port");
        let run = Mqtt::new(["ping", "--json", "-h", "localhost", "-p", &port]).run().exits(1);
        let report = report("ping", &run.stdout);
        assert!(report["error"]["message"].as_str().unwrap().contains(words), "{report}");
        let steps: Vec<&str> =
            report["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
        assert_eq!(steps, ["resolve", "connect"]);
    }
}

/// Probed once, and only if there was never a connection.
#[test]
fn broker_that_closes_is_tested_for_tls_once() {
    let hang_up = |server: &mut Listener| server.accept().expect_connect(V5);
    // At first contact the broker may be starting: it is probed again.
    let hang_up_twice = move |server: &mut Listener| (0..2).for_each(|_| drop(hang_up(server)));
    // The option requires MQTT 5, so the client first tests whether the broker supports 3.1.1.
    let explain = |server: &mut Listener| {
        server.accept().expect_connect(V3_1_1);
        server.accept().expect_client_hello();
    };
    let server = Server::start(move |server| {
        hang_up_twice(server);
        explain(server);
        for _ in 0..3 {
            hang_up(server);
        }
        server.accept_session(V5).close();
        for _ in 0..3 {
            hang_up(server);
        }
        let mut peer = server.accept_session(V5);
        let (identifier, _) = peer.expect_publish(V5, QoS::AtLeastOnce, b"x");
        peer.send(&packets::ack(PacketType::PubAck, identifier));
        peer.expect_disconnect(V5);
    });
    let patience =
        ["-V", "5", "--wait-for-server", "60", "--reconnect", "always", "--reconnect-max-delay", "1ms"];
    publish(server.port()).args(patience).run().exits(0).mentions("no connection yet").mentions("lost");
    server.finish();
    let server = Server::start(move |server| {
        hang_up_twice(server);
        explain(server);
    });
    let run = publish(server.port()).args(["-V", "5"]).run();
    run.fails(1, "closed the connection without answering CONNECT")
        .mentions("hint: if this port expects TLS");
    server.finish();
}

#[test]
fn invalid_files_are_refused() {
    let missing = ["--cafile", "/nonexistent/ca.pem"];
    publish(1).args(missing).run().fails(1, "--cafile: certificates /nonexistent/ca.pem: No such file");
    let missing = ["--cert", "/nonexistent/c.pem", "--key", "/nonexistent/k.pem"];
    publish(1).args(missing).run().fails(1, "--cert: certificate /nonexistent/c.pem: No such file");
    let missing = ["--capath", "/nonexistent/ca"];
    publish(1).args(missing).run().fails(1, "--capath: CA directory /nonexistent/ca: No such file");
    let missing = ["--tls-use-os-certs", "--crl", "/nonexistent/crl.pem"];
    publish(1)
        .args(missing)
        .run()
        .fails(1, "--crl: certificate revocation list /nonexistent/crl.pem: No such file");
    let folder = tempfile::tempdir().unwrap();
    let empty = folder.path().join("empty.pem");
    std::fs::write(&empty, "").unwrap();
    let run = publish(1).args(["--cafile".as_ref(), empty.as_os_str()]).run();
    run.fails(1, "no certificate in this file (PEM)");
}

/// With any clock, a run ends with a result or an error text.
#[test]
fn any_clock_is_accepted_without_a_panic() {
    let Some(library) = faketime() else { return };
    let authority = Authority::new("Test CA");
    let Some(broker) = Mosquitto::start(&Setup::new().tls(&authority.issue("broker", &["localhost"]))) else {
        return;
    };
    let port = broker.port().to_string();
    let at = |time: &str, arguments: &[&str]| {
        Mqtt::new(arguments)
            .args(["-h", "localhost", "-p", &port, "--cafile"])
            .args([authority.file()])
            .env("LD_PRELOAD", &library)
            .env("FAKETIME", format!("@{time}"))
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .run()
    };
    let publish = ["pub", "-t", "a", "-m", "x", "-q", "1"];
    let bench = ["bench", "conn", "--clients", "1"];
    let subscribe = ["sub", "-t", "a", "-E", "--json-events"];
    let ping = ["ping", "-C", "1", "--json", "--warn-expiry", "10000d"];
    for command in [&publish[..], &bench, &subscribe, &ping] {
        let early = at("1969-12-31 12:00:00", command).exits(1);
        assert!(early.stderr.contains("this machine's clock is at 1969-12-31T"), "{}", early.stderr);
        assert!(early.stderr.contains("set the clock: certificates are dated"), "{}", early.stderr);
        at("1970-01-01 12:00:00", command).exits(1).mentions("is not valid before 1975-01-01T00:00:00Z");
        at("9999-12-31 12:00:00", command).exits(1).mentions("expired on 4096-01-01T00:00:00Z");
    }
    for time in ["2038-01-20 00:00:00", "2106-02-08 00:00:00", "2262-04-12 00:00:00"] {
        for command in [&publish[..], &subscribe, &ping] {
            at(time, command).exits(0);
        }
    }
    let unchecked = [&publish[..], &["--insecure"]].concat();
    at("1969-12-31 12:00:00", &unchecked).exits(0);
}

/// A broker with an unsupported kind of key can only send this alert. Starts a server that answers the
/// `ClientHello` with this alert (RFC 8446, section 6).
fn refusing_with_alert(alert: u8) -> Server {
    Server::start(move |listener| {
        let mut peer = listener.accept();
        peer.expect_client_hello();
        peer.send(&[21, 3, 3, 0, 2, 2, alert]);
        peer.drain();
    })
}

#[test]
fn handshake_failure_names_what_may_not_be_supported() {
    let server = refusing_with_alert(40);
    let run = Mqtt::publish(server.port())
        .args(["--tls-use-os-certs", "--insecure", "-t", "a", "-m", "x"])
        .run()
        .exits(1);
    run.mentions("handshake_failure")
        .mentions("(DSA, Ed448, RSA-PSS) or on a curve (brainpool, secp256k1, P-224)")
        .mentions("TLS 1.2 here is ECDHE")
        .mentions("key exchange is on X25519, P-256, P-384 or P-521");
    server.finish();
}

#[test]
fn application_protocol_that_is_missing_is_told_from_one_that_is_refused() {
    const NO_APPLICATION_PROTOCOL: u8 = 120;
    for (options, says) in [
        (&[][..], "the broker wants an application protocol (ALPN), and none was offered"),
        (&["--tls-alpn", "mqtt"], "supports none of the application protocols offered (ALPN: 'mqtt')"),
    ] {
        let server = refusing_with_alert(NO_APPLICATION_PROTOCOL);
        let run = Mqtt::publish(server.port())
            .args(["--tls-use-os-certs", "--insecure", "-t", "a", "-m", "x"])
            .args(options)
            .run()
            .exits(1);
        run.mentions(says).mentions("hint: --tls-alpn chooses what to offer");
        server.finish();
    }
}
