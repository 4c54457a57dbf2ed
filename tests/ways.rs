//! Every kind of connection to a broker, for every subcommand: each gate below leads to one embedded broker,
//! and a table has the options for it. Then the errors of blocked connections.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::{SinkExt as _, StreamExt as _};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::runtime::Runtime;
use tokio_rustls::{TlsAcceptor, rustls};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

use crate::support::broker::Broker;
use crate::support::mosquitto::{Mosquitto, Setup};
use crate::support::mqtt::{Mqtt, Outcome};
use crate::support::pki::{Authority, Identity};
use crate::support::server::Server;
use crate::support::{CONNECTING, Service as _};

/// The connection between the program and the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Gate {
    Plain,
    Tls,
    WebSocket,
    SecureWebSocket,
    Unix,
    Socks5,
    HttpConnect,
}

/// A broker behind all gates.
pub(crate) struct World {
    pub(crate) broker: Broker,
    pub(crate) authority: Authority,
    folder: tempfile::TempDir,
    runtime: Runtime,
}

impl World {
    pub(crate) fn new() -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        Self { broker: Broker::start(), authority: Authority::new("Test CA"), folder, runtime }
    }

    pub(crate) fn good_identity(&self) -> Identity {
        self.authority.issue("broker", &["localhost", "127.0.0.1"])
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("broker.sock")
    }

    /// Opens a gate and returns its port.
    pub(crate) fn open(&self, gate: Gate, identity: &Identity) -> u16 {
        open(&self.runtime, gate, identity, self.broker.port(), &self.socket())
    }

    /// The options for an open gate.
    pub(crate) fn options(&self, gate: Gate, port: u16) -> Vec<String> {
        let ca = self.authority.file().display().to_string();
        let broker = self.broker.port().to_string();
        let proxied = |scheme: &str| {
            vec![
                "-h".into(),
                "127.0.0.1".into(),
                "-p".into(),
                broker.clone(),
                "--proxy".into(),
                format!("{scheme}://127.0.0.1:{port}"),
            ]
        };
        let url = |scheme: &str, path: &str| vec!["-L".into(), format!("{scheme}://localhost:{port}{path}")];
        match gate {
            Gate::Plain => url("mqtt", ""),
            Gate::Tls => [url("mqtts", ""), vec!["--cafile".into(), ca]].concat(),
            Gate::WebSocket => url("ws", "/mqtt?a=b"),
            Gate::SecureWebSocket => [url("wss", ""), vec!["--cafile".into(), ca]].concat(),
            Gate::Unix => vec!["--unix".into(), self.socket().display().to_string()],
            Gate::Socks5 => proxied("socks5h"),
            Gate::HttpConnect => proxied("http"),
        }
    }
}

/// Opens a gate to a port of 127.0.0.1; returns its own port, or it is a socket with this path.
pub(crate) fn open(runtime: &Runtime, gate: Gate, identity: &Identity, target: u16, socket: &Path) -> u16 {
    if gate == Gate::Unix {
        let _inside = runtime.enter();
        let listener = UnixListener::bind(socket).unwrap();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(bridge(stream, target));
            }
        });
        return 0;
    }
    let acceptor = acceptor(identity);
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let port = listener.local_addr().unwrap().port();
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(pass(gate, stream, acceptor.clone(), target));
        }
    });
    port
}

fn acceptor(identity: &Identity) -> TlsAcceptor {
    let chain = CertificateDer::pem_file_iter(&identity.certificate).unwrap().map(Result::unwrap).collect();
    let key = PrivateKeyDer::from_pem_file(&identity.key).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

async fn pass(gate: Gate, mut stream: TcpStream, acceptor: TlsAcceptor, target: u16) {
    match gate {
        Gate::Plain | Gate::Unix => bridge(stream, target).await,
        Gate::Tls => {
            if let Ok(stream) = acceptor.accept(stream).await {
                bridge(stream, target).await;
            }
        }
        Gate::WebSocket => web_socket(stream, target).await,
        Gate::SecureWebSocket => {
            if let Ok(stream) = acceptor.accept(stream).await {
                web_socket(stream, target).await;
            }
        }
        Gate::Socks5 => {
            // A client may abandon the connection.
            if socks5(&mut stream).await.is_err() {
                return;
            }
            bridge(stream, target).await;
        }
        Gate::HttpConnect => {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            assert!(head.starts_with(format!("CONNECT 127.0.0.1:{target} HTTP/1.1\r\n").as_bytes()));
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
            bridge(stream, target).await;
        }
    }
}

/// The answers of a SOCKS5 proxy that accepts every user and target (RFC 1928, RFC 1929).
async fn socks5(stream: &mut TcpStream) -> std::io::Result<()> {
    let mut greeting = [0; 2];
    stream.read_exact(&mut greeting).await?;
    let mut methods = vec![0; greeting[1].into()];
    stream.read_exact(&mut methods).await?;
    if methods.contains(&2) {
        stream.write_all(&[5, 2]).await?;
        stream.read_u8().await?;
        for _ in 0..2 {
            let length = stream.read_u8().await?;
            stream.read_exact(&mut vec![0; length.into()]).await?;
        }
        stream.write_all(&[1, 0]).await?;
    } else {
        stream.write_all(&[5, 0]).await?;
    }
    // To an IPv4 address, or to a name of this length.
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    let rest = if head[3] == 3 { usize::from(stream.read_u8().await?) + 2 } else { 6 };
    stream.read_exact(&mut vec![0; rest]).await?;
    stream.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await
}

async fn bridge(mut stream: impl AsyncRead + AsyncWrite + Unpin, target: u16) {
    let mut broker = TcpStream::connect(("127.0.0.1", target)).await.unwrap();
    let _ = tokio::io::copy_bidirectional(&mut stream, &mut broker).await;
}

#[allow(clippy::result_large_err, reason = "the signature is tungstenite's")]
async fn web_socket(stream: impl AsyncRead + AsyncWrite + Unpin, target: u16) {
    let answer = |_: &Request, mut response: Response| {
        response.headers_mut().insert("Sec-WebSocket-Protocol", "mqtt".parse().unwrap());
        Ok(response)
    };
    let Ok(socket) = tokio_tungstenite::accept_hdr_async(stream, answer).await else { return };
    let (mut sink, mut messages) = socket.split();
    let (mut from_broker, mut to_broker) =
        TcpStream::connect(("127.0.0.1", target)).await.unwrap().into_split();
    let mut buffer = vec![0; 4096];
    loop {
        tokio::select! {
            message = messages.next() => match message {
                Some(Ok(Message::Binary(bytes))) => to_broker.write_all(&bytes).await.unwrap(),
                Some(Ok(_)) => {}
                _ => return,
            },
            count = from_broker.read(&mut buffer) => match count {
                Ok(count) if count > 0 => {
                    let _ = sink.send(Message::Binary(buffer[..count].to_vec().into())).await;
                }
                _ => return drop(sink.close().await),
            },
        }
    }
}

const GATES: [Gate; 7] = [
    Gate::Plain,
    Gate::Tls,
    Gate::WebSocket,
    Gate::SecureWebSocket,
    Gate::Unix,
    Gate::Socks5,
    Gate::HttpConnect,
];

#[test]
fn every_subcommand_goes_every_way() {
    let world = World::new();
    let identity = world.good_identity();
    for gate in GATES {
        let port = world.open(gate, &identity);
        for subcommand in CONNECTING {
            Mqtt::new(subcommand).args(world.options(gate, port)).run().exits(0);
        }
    }
}

/// The runs above cover all subcommands that connect.
#[test]
fn every_subcommand_that_connects_is_tried() {
    let command = mqtt::cli::command();
    let has_host = |of: &&clap::Command| of.get_arguments().any(|arg| arg.get_id() == "host");
    let connecting = command.get_subcommands().filter(has_host).map(clap::Command::get_name);
    let connecting: BTreeSet<&str> = connecting.collect();
    let tried = CONNECTING.iter().map(|line| line[0]);
    // `rr` and `respond` need each other, and have their own tests.
    assert_eq!(connecting, tried.chain(["rr", "respond"]).collect());
}

/// `-A` selects the local address; an unusable one is reported.
#[cfg(target_os = "linux")]
#[test]
fn the_local_address_can_be_chosen() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let run = Mqtt::publish(port).args(["-t", "a", "-n", "-A", "127.0.0.77"]).spawn();
    let (peer, address) = listener.accept().unwrap();
    assert_eq!(address.ip().to_string(), "127.0.0.77");
    drop((peer, listener));
    run.finish().exits(1);
    let from = |address: &str| Mqtt::publish(port).args(["-t", "a", "-n", "-A", address]).run();
    from("192.0.2.1").fails(1, "this machine has no address 192.0.2.1 to connect from");
    from("::1").fails(1, "127.0.0.1 has no IPv6 address to reach from ::1");
    from("eth0").fails(2, "it must be an IP address");
}

/// The proxy of the environment is used only on request.
#[test]
fn the_environments_proxy_is_taken_on_request() {
    let broker = Broker::start();
    // A port without a proxy.
    let publish = |options: &[&str]| {
        let mqtt = broker.publish().args(["-t", "a", "-n"]).args(options);
        mqtt.env("ALL_PROXY", "http://127.0.0.1:1").env("all_proxy", "http://127.0.0.1:1")
    };
    publish(&[]).run().succeeds();
    publish(&["--proxy", "env"]).run().fails(1, "mqtt: proxy: connection: 127.0.0.1:1: connection refused");
    publish(&["--proxy", "env"]).env("NO_PROXY", "example.com, 127.0.0.0/8").run().succeeds();
    publish(&["--proxy", "env"]).env("NO_PROXY", "example.com").run().exits(1);
}

/// The WebSockets of another server implementation, plain and with TLS.
#[test]
fn mosquittos_web_sockets() {
    let authority = Authority::new("Test CA");
    let identity = authority.issue("broker", &["localhost"]);
    let ca = authority.file().display().to_string();
    for (scheme, setup) in [("ws", Setup::new()), ("wss", Setup::new().tls(&identity))] {
        let Some(broker) = Mosquitto::start(&setup.web_sockets()) else { return };
        let url = format!("{scheme}://localhost:{}/any?path=works", broker.port());
        let trust = if scheme == "wss" { vec!["--cafile", &ca] } else { vec![] };
        for subcommand in CONNECTING {
            Mqtt::new(subcommand).args(["-L", &url]).args(&trust).run().exits(0);
        }
        // Long enough for several WebSocket messages in each direction.
        let line = "x".repeat(1000) + "\n";
        let subscriber =
            Mqtt::new(["sub", "-L", &url, "-t", "bulk", "-q", "1", "-C", "500", "-d"]).args(&trust).spawn();
        subscriber.wait_until_subscribed();
        Mqtt::new(["pub", "-L", &url, "-t", "bulk", "-q", "1", "-l"])
            .args(&trust)
            .stdin(line.repeat(500))
            .run()
            .succeeds();
        subscriber.finish().exits(0).prints(line.repeat(500));
    }
    // MQTT without a WebSocket, to such a port.
    let Some(broker) = Mosquitto::start(&Setup::new().web_sockets()) else { return };
    broker
        .publish()
        .args(["-t", "a", "-n"])
        .run()
        .fails(1, "mqtt: the broker")
        .mentions("hint: ")
        .mentions("ws://");
}

/// A web server mistaken for a broker. Its answer is not MQTT, whatever length MQTT's framing would read from
/// it.
#[test]
fn web_server_is_recognised() {
    for body in ["", "<h1>Bad Request</h1>\n", &"x".repeat(100_000)] {
        let answer = format!("HTTP/1.1 400 Bad Request\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let server = Server::start(move |listener| {
            let mut peer = listener.accept();
            peer.packet();
            peer.send(answer.as_bytes());
            peer.close();
        });
        Mqtt::publish(server.port())
            .args(["-t", "a", "-n"])
            .run()
            .fails(1, "mqtt: the broker's answer is not MQTT: it begins 'HTTP/1.1 400 Bad Request")
            .mentions("hint: this is a web server; a WebSocket needs a ws:// URL or --ws");
        server.finish();
    }
}

fn report(outcome: &Outcome) -> serde_json::Value {
    let report: serde_json::Value = serde_json::from_str(&outcome.lines()[0]).unwrap();
    let schema: serde_json::Value = serde_json::from_str(include_str!("schema/ping.schema.json")).unwrap();
    let schema = jsonschema::validator_for(&schema).unwrap();
    assert!(schema.validate(&report).is_ok(), "{:?}: {report}", schema.validate(&report));
    report
}

#[test]
fn ping_reports_every_step() {
    let world = World::new();
    let identity = world.good_identity();
    let port = world.open(Gate::SecureWebSocket, &identity);
    let ping = |options: &[&str]| {
        Mqtt::new(["ping", "--json", "-C", "3", "--interval", "0"])
            .args(world.options(Gate::SecureWebSocket, port))
            .args(options)
            .run()
    };
    let good = report(&ping(&["--publish", "ping/me"]).exits(0));
    let steps: Vec<&str> =
        good["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["resolve", "connect", "tls", "upgrade", "connack"]);
    assert_eq!(good["steps"][2]["tls_version"], "TLS 1.3");
    assert_eq!(good["steps"][2]["certificates"][0]["subject"], "CN=broker");
    assert_eq!((good["ok"].as_bool(), good["pings"]["count"].as_u64()), (Some(true), Some(3)));
    assert_eq!(good["messages"]["count"], 3);
    // A certificate that expires too soon is a failure.
    let soon = report(&ping(&["--warn-expiry", "1000000d"]).exits(3).mentions("certificate CN=broker"));
    assert_eq!(soon["ok"], false);
    let certificate = &good["steps"][2]["certificates"][0];
    let (start, end) = (&certificate["not_before_unix_s"], &certificate["not_after_unix_s"]);
    assert_eq!((start.as_i64(), end.as_i64()), (Some(157_766_400), Some(67_090_118_400)), "{certificate}");
    assert!((700_000..760_000).contains(&certificate["days_left"].as_i64().unwrap()), "{certificate}");
    let failed = report(&Mqtt::new(["ping", "--json", "-h", "127.0.0.1", "-p", "1"]).run().exits(1));
    assert!(failed["error"]["message"].as_str().unwrap().contains("connection refused"));
}

/// A client's own certificate may expire unnoticed, until the broker refuses it.
#[test]
fn ping_warns_of_the_clients_own_certificate() {
    let world = World::new();
    let authority = Authority::new("Client CA");
    let identity = world.good_identity();
    let port = world.open(Gate::Tls, &identity);
    let ping = |shown: &Identity, options: &[&str]| {
        Mqtt::new(["ping", "-C", "1"])
            .args(world.options(Gate::Tls, port))
            .args(shown.options())
            .args(["--warn-expiry", "30d"])
            .args(options)
            .run()
    };
    let old = authority.issue_expired("old", &[]);
    let outcome = ping(&old, &[]).exits(3);
    outcome
        .mentions("warning: client certificate CN=old by CN=Client CA expired ")
        .mentions(" days ago (2021-01-01T00:00:00Z)");
    let reported = report(&ping(&old, &["--json"]).exits(3));
    assert_eq!(reported["ok"], false);
    assert_eq!(reported["client_certificates"][0]["subject"], "CN=old");
    assert!(reported["client_certificates"][0]["days_left"].as_i64().unwrap() < 0);
    let good = report(&ping(&authority.issue("good", &[]), &["--json"]).exits(0));
    assert_eq!(good["client_certificates"][0]["subject"], "CN=good");
}

#[test]
fn ping_fits_a_health_check() {
    let world = World::new();
    let port = world.broker.port().to_string();
    Mqtt::new(["ping", "--quiet", "--timeout", "60", "-h", "127.0.0.1", "-p", &port])
        .run()
        .succeeds()
        .prints("");
    Mqtt::new(["ping", "--quiet", "-h", "127.0.0.1", "-p", "1"]).run().exits(1).prints("").says("");
    // The run does not wait forever for a silent peer.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port().to_string();
    Mqtt::new(["ping", "--timeout", "300ms", "-h", "127.0.0.1", "-p", &port]).run().exits(27);
}

#[test]
fn several_brokers_are_tried_in_turn() {
    let world = World::new();
    let port = world.broker.port();
    let hosts = format!("127.0.0.1:1,127.0.0.1:{port}");
    Mqtt::new(["pub", "-t", "a", "-m", "x", "-h", &hosts]).run().exits(0).mentions("trying the next broker");
}

/// The failed layer, the cause as text, and a hint.
#[test]
fn blocked_connections_are_explained() {
    let world = World::new();
    let good = world.open(Gate::Tls, &world.good_identity());
    let expired = world.open(Gate::Tls, &world.authority.issue_expired("old", &["localhost"]));
    let misnamed = world.open(Gate::Tls, &world.authority.issue("other", &["other.example"]));
    let stranger = Authority::new("Stranger");
    let strange = world.open(Gate::Tls, &stranger.issue("x", &["localhost"]));
    let plain = world.broker.port();
    let web_socket = world.open(Gate::WebSocket, &world.good_identity());
    let ca = world.authority.file().display().to_string();
    let tls = ["--cafile", ca.as_str()];
    for (port, options, words) in [
        (expired, &tls[..], &["mqtt: TLS: ", "expired", "2021-01-01"][..]),
        (misnamed, &tls, &["mqtt: TLS: ", "other.example", "localhost"]),
        (strange, &tls, &["mqtt: TLS: ", "CN=Stranger"]),
        (plain, &tls, &["mqtt: TLS: "]),
        (good, &[], &["mqtt: the broker expects TLS on this port", "hint: use mqtts://"]),
        (plain, &["--ws"], &["mqtt: WebSocket: "]),
        (web_socket, &[], &["hint: "]),
    ] {
        let outcome = Mqtt::new(["pub", "-t", "a", "-n", "-h", "localhost", "-p", &port.to_string()])
            .args(options)
            .run();
        let mut outcome = outcome.exits(1);
        for word in words {
            outcome = outcome.mentions(word);
        }
    }
    // The same server with a client that does not verify certificates.
    Mqtt::new([
        "pub",
        "-t",
        "a",
        "-n",
        "-h",
        "localhost",
        "-p",
        &expired.to_string(),
        "--insecure",
        "--tls-use-os-certs",
    ])
    .run()
    .exits(0)
    .mentions("is not verified");
}

/// The first byte of the line is that of a CONNACK, except for the flags.
#[test]
fn answer_of_a_text_protocol_is_shown() {
    let server = Server::start(|listener| {
        let mut peer = listener.accept();
        peer.expect_beginning();
        peer.send(b"-ERR unknown command\r\n");
    });
    let run = Mqtt::publish(server.port()).args(["-V", "5", "-t", "a", "-n"]).run().exits(1);
    run.mentions("the broker's answer is not MQTT: it begins '-ERR unknown command");
    server.finish();
}

/// A packet that comes too early is named, and is no reason to doubt the protocol.
#[test]
fn packet_before_connack_is_named() {
    let server = Server::start(|listener| {
        let mut peer = listener.accept();
        peer.expect_beginning();
        peer.send(b"\x30\x04\0\x01ax");
    });
    let run = Mqtt::publish(server.port()).args(["-V", "5", "-t", "a", "-n"]).run().exits(1);
    run.mentions("the broker sent PUBLISH before CONNACK").mentions("hint: CONNACK must be the first packet");
    server.finish();
}

/// A port that answers in MQTT expects no TLS.
#[test]
fn connack_that_is_cut_off_is_named() {
    let server = Server::start(|listener| {
        let mut peer = listener.accept();
        peer.expect_beginning();
        peer.send(b"\x20\x03\0");
    });
    let run = Mqtt::publish(server.port()).args(["-V", "5", "-t", "a", "-n"]).run().exits(1);
    run.mentions("in the middle of its answer to CONNECT").mentions("hint: 3 bytes of it arrived");
    server.finish();
}

/// A broker of MQTT 3.1 closes the connection at MQTT 5 and refuses 3.1.1: it expects no TLS either.
#[test]
fn broker_of_3_1_does_not_have_mqtt_5() {
    for (args, hint) in [
        (&["--content-type", "x"][..], "the broker does not support MQTT 5, which --content-type needs"),
        (&["-V", "5"], "it refuses MQTT 3.1.1; -V 31 uses MQTT 3.1"),
    ] {
        let server = Server::start(|listener| {
            for _ in 0..2 {
                listener.accept().expect_beginning();
            }
            let mut peer = listener.accept();
            peer.expect_beginning();
            peer.send(b"\x20\x02\0\x01");
        });
        let run = Mqtt::publish(server.port()).args(["-t", "a", "-n"]).args(args).run().exits(1);
        run.mentions("closed the connection without answering CONNECT").mentions(&format!("hint: {hint}"));
        server.finish();
    }
}
