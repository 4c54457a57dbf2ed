//! Retries: on every kind of connection, for any fault of the network or of a gateway; and the failures that
//! are final.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};

use mqtt::protocol::reason::{ReasonCode, Retry};

use crate::support::Service as _;
use crate::support::broker::Broker;
use crate::support::mqtt::Mqtt;
use crate::support::pki::Authority;
use crate::ways::{Gate, World};

/// The fate of a connection.
#[derive(Debug, Clone, Copy)]
enum Turn {
    /// Forward it to this port.
    Pass(u16),
    /// The same, after a TLS alert that is a warning.
    Warn(u16),
    /// Close it at once.
    Cut,
    /// Read something, send this answer, and close it.
    Answer(&'static [u8]),
}

/// Listens before a gate; each connection takes the next turn, and the last turn repeats.
fn front(turns: impl IntoIterator<Item = Turn>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut turns: Vec<Turn> = turns.into_iter().collect();
    turns.reverse();
    std::thread::spawn(move || {
        while let Ok((mut client, _)) = listener.accept() {
            let turn = if turns.len() > 1 { turns.pop() } else { turns.last().copied() };
            match turn.unwrap() {
                Turn::Pass(port) => pass(client, port),
                Turn::Warn(port) => {
                    let _ = client.write_all(&WARNING);
                    pass(client, port);
                }
                Turn::Cut => {}
                Turn::Answer(bytes) => {
                    let _ = client.read(&mut [0; 4096]);
                    let _ = client.write_all(bytes);
                    // A reset must not overtake the answer.
                    let _ = client.shutdown(Shutdown::Write);
                    let _ = client.read_to_end(&mut Vec::new());
                }
            }
        }
    });
    port
}

fn pass(client: TcpStream, port: u16) {
    let server = TcpStream::connect(("127.0.0.1", port)).unwrap();
    for (mut from, mut to) in [(client.try_clone().unwrap(), server.try_clone().unwrap()), (server, client)] {
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut from, &mut to);
            let _ = to.shutdown(Shutdown::Both);
            let _ = from.shutdown(Shutdown::Both);
        });
    }
}

const SOON: [&str; 2] = ["--reconnect-max-delay", "20ms"];

/// A subscriber loses its connection, meets all these obstacles, and reconnects.
#[track_caller]
fn survives(world: &World, gate: Gate, obstacles: &[Turn]) {
    let port = world.open(gate, &world.good_identity());
    let pass = Turn::Pass(port);
    let front = front([&[pass], obstacles, &[pass]].concat());
    let args = ["sub", "-t", "a", "-C", "1", "-d"];
    let subscriber = Mqtt::new(args).args(world.options(gate, front)).args(SOON).spawn();
    subscriber.wait_until_subscribed();
    world.broker.embedded().cut_connections();
    subscriber.wait_for_stderr_times("Subscribed (mid: ", 2);
    world.broker.publish().args(["-t", "a", "-m", "x"]).run().succeeds();
    subscriber.wait_for_end().exits(0).prints("x\n");
}

/// The same obstacles before the first connection.
#[track_caller]
fn waits(world: &World, gate: Gate, obstacles: &[Turn]) {
    let port = world.open(gate, &world.good_identity());
    for command in [&["pub", "-t", "a", "-m", "x", "-q", "1"][..], &["will-test", "--case", "take-over"]] {
        let front = front([obstacles, &[Turn::Pass(port)]].concat());
        let line = Mqtt::new(command).args(["--wait-for-server", "60"]).args(world.options(gate, front));
        line.args(SOON).run().exits(0).mentions("no connection yet: ");
    }
}

/// Alerts that any host can send before the handshake ends: `handshake_failure`, and those on certificates. The
/// last ones are warnings: `close_notify`, `user_canceled` and `unrecognized_name`.
const ALERTS: [&[u8]; 7] = [
    &[21, 3, 3, 0, 2, 2, 40],
    &[21, 3, 3, 0, 2, 2, 42],
    &[21, 3, 3, 0, 2, 2, 48],
    &[21, 3, 3, 0, 2, 2, 80],
    &[21, 3, 3, 0, 2, 1, 0],
    &[21, 3, 3, 0, 2, 1, 90],
    &WARNING,
];
const WARNING: [u8; 7] = [21, 3, 3, 0, 2, 1, 112];
static MANY_WARNINGS: [[u8; 7]; 100] = [WARNING; 100];

fn obstacles_of_tls() -> Vec<Turn> {
    let alerts = ALERTS.into_iter().chain([MANY_WARNINGS.as_flattened()]).map(Turn::Answer);
    alerts.chain([Turn::Cut, Turn::Answer(b""), Turn::Answer(b"no TLS at all, but something else")]).collect()
}

const HTTP: [&[u8]; 9] = [
    b"",
    b"HTTP/1.1 ",
    b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 429 Too Many Requests\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    b"HTTP/1.0 503 Service Unavailable\r\n\r\nlater",
    b"SSH-2.0-something\r\n",
];

fn obstacles_of_http() -> Vec<Turn> {
    HTTP.into_iter().map(Turn::Answer).chain([Turn::Cut]).collect()
}

#[test]
fn tls_obstacles_are_tried_again() {
    let world = World::new();
    survives(&world, Gate::Tls, &obstacles_of_tls());
    waits(&world, Gate::Tls, &obstacles_of_tls());
}

/// In TLS 1.2 the handshake goes on after a warning, and in TLS 1.3 before the version is known.
#[test]
fn handshake_goes_on_after_a_warning() {
    let world = World::new();
    let port = world.open(Gate::Tls, &world.good_identity());
    for version in ["1.2", "1.3"] {
        let args = ["pub", "-t", "a", "-m", "x", "-q", "1", "--tls-version", version];
        let front = front([Turn::Warn(port)]);
        Mqtt::new(args).args(world.options(Gate::Tls, front)).run().succeeds();
    }
}

#[test]
fn websocket_obstacles_are_tried_again() {
    let world = World::new();
    survives(&world, Gate::WebSocket, &obstacles_of_http());
    waits(&world, Gate::WebSocket, &obstacles_of_http());
    survives(&world, Gate::SecureWebSocket, &obstacles_of_tls());
}

#[test]
fn proxy_obstacles_are_tried_again() {
    let world = World::new();
    let mut obstacles = obstacles_of_http();
    obstacles.retain(|turn| !matches!(turn, Turn::Answer(bytes) if bytes.starts_with(b"HTTP/1.1 200")));
    survives(&world, Gate::HttpConnect, &obstacles);
    waits(&world, Gate::HttpConnect, &obstacles);
    // Not SOCKS, general failure, host unreachable, half an answer.
    let obstacles =
        [Turn::Cut, Turn::Answer(b""), Turn::Answer(b"HTTP/1.1 400 Bad Request\r\n\r\n"), Turn::Answer(&[5])];
    survives(&world, Gate::Socks5, &obstacles);
    waits(&world, Gate::Socks5, &obstacles);
}

#[test]
fn plain_obstacles_are_tried_again() {
    let world = World::new();
    let obstacles = [
        Turn::Cut,
        Turn::Answer(b""),
        Turn::Answer(b"HTTP/1.1 503 Service Unavailable\r\n\r\n"),
        Turn::Answer(&[21, 3, 3, 0, 2, 2, 40]),
        // Server unavailable.
        Turn::Answer(&[0x20, 3, 0, 0x88, 0]),
        // Use another server.
        Turn::Answer(&[0x20, 3, 0, 0x9C, 0]),
    ];
    survives(&world, Gate::Plain, &obstacles);
    waits(&world, Gate::Plain, &obstacles[2..]);
}

/// An answer that may come from a gateway during its setup is final the second time.
#[test]
fn http_refusal_counts_the_second_time() {
    let world = World::new();
    let refusals: [&[u8]; 3] = [
        b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    ];
    let port = world.open(Gate::WebSocket, &world.good_identity());
    for refusal in refusals {
        let refusal = Turn::Answer(refusal);
        survives(&world, Gate::WebSocket, &[refusal, Turn::Cut, refusal]);
        let front = front([Turn::Pass(port), refusal, refusal, Turn::Pass(port)]);
        let options = world.options(Gate::WebSocket, front);
        let subscriber = Mqtt::new(["sub", "-t", "a", "-d"]).args(options).args(SOON).spawn();
        subscriber.wait_until_subscribed();
        world.broker.embedded().cut_connections();
        subscriber.wait_for_end().exits(1).mentions("to the upgrade of");
    }
}

/// A server with the wrong certificate is not tried again, because the password would be sent.
#[test]
fn certificate_that_is_not_trusted_is_final() {
    let world = World::new();
    let good = world.open(Gate::Tls, &world.good_identity());
    let strange = world.open(Gate::Tls, &Authority::new("Stranger").issue("x", &["localhost"]));
    let front = front([Turn::Pass(good), Turn::Pass(strange), Turn::Pass(good)]);
    let options = world.options(Gate::Tls, front);
    let subscriber = Mqtt::new(["sub", "-t", "a", "-d"]).args(options).args(SOON).spawn();
    subscriber.wait_until_subscribed();
    world.broker.embedded().cut_connections();
    subscriber.wait_for_end().exits(1).mentions("CN=Stranger");
}

/// Without an option, nothing is retried before the first connection.
#[test]
fn first_connection_fails_at_once() {
    let broker = Broker::start();
    let pass = Turn::Pass(broker.port());
    for (scheme, turn) in [
        ("mqtt", Turn::Answer(b"HTTP/1.1 503 Service Unavailable\r\n\r\n")),
        ("ws", Turn::Answer(b"HTTP/1.1 429 Too Many Requests\r\n\r\n")),
        ("ws", Turn::Cut),
    ] {
        let front = front([turn, turn, pass]);
        let url = format!("{scheme}://127.0.0.1:{front}");
        let run = Mqtt::new(["sub", "-L", &url, "-t", "a", "-W", "60"]).run().exits(1);
        run.does_not_mention("trying again");
    }
}

/// Every command waits for the first of several brokers that is available.
#[test]
fn wait_for_several_brokers() {
    let broker = Broker::start();
    for command in [
        &["will-test", "--case", "take-over"][..],
        &["retain-clear", "a", "--dry-run"],
        &["sub", "-t", "a", "-E"],
        &["pub", "-t", "a", "-n", "-q", "1"],
    ] {
        let [nowhere, late] = [0; 2].map(|_| {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            listener.local_addr().unwrap().port()
        });
        let hosts = format!("127.0.0.1:{nowhere},127.0.0.1:{late}");
        let run = Mqtt::new(command).args(["-h", &hosts, "--wait-for-server", "60"]).args(SOON).spawn();
        run.wait_for_stderr("no connection yet: ");
        let listener = TcpListener::bind(("127.0.0.1", late)).unwrap();
        let port = broker.port();
        std::thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                pass(client, port);
            }
        });
        run.wait_for_end().exits(0).mentions("connected");
    }
}

/// The table of docs/reliability.md has each Reason Code in the row of its consequence.
#[test]
fn reason_codes_are_documented_with_their_consequences() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/reliability.md");
    let document = std::fs::read_to_string(path).unwrap();
    let row = |consequence: &str| {
        let end = format!(" | {consequence} |");
        document.lines().find_map(|line| line.strip_suffix(&end)).unwrap_or_else(|| panic!("{end}"))
    };
    let failures = || (0x80..=u8::MAX).map(ReasonCode).filter(|code| code.name().is_some());
    for (retry, consequence) in [
        (Retry::Never, "final"),
        (Retry::Once, "final if it comes twice in a row"),
        (Retry::Later, "tried again"),
    ] {
        let named = failures().filter(|code| code.retry() == retry);
        let mut codes: Vec<String> =
            named.map(|code| format!("0x{:02X} {}", code.0, code.name().unwrap_or_default())).collect();
        if retry == Retry::Never {
            codes.push("and any number that the standard does not define".into());
            assert_eq!(ReasonCode(0xFF).retry(), retry);
        }
        assert_eq!(row(consequence), format!("| {}", codes.join(", ")));
    }
}
