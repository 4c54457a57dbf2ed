//! Enhanced authentication with a server of the tests: a second implementation of SCRAM from RFC 5802, and
//! all faults that a server can make.

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;
use mqtt::protocol::Protocol::V5;
use mqtt::protocol::QoS;
use mqtt::protocol::property::{PropertyId as Id, Value};
use mqtt::protocol::reason::ReasonCode;
use mqtt::protocol::wire::PacketType::PubAck;
use mqtt::protocol::wire::{self, Packet};

use crate::support::mqtt::{Mqtt, Outcome};
use crate::support::packets::{self, properties};
use crate::support::server::{Peer, Server};

const MECHANISMS: [&str; 3] = ["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"];
const CONTINUE: ReasonCode = ReasonCode(0x18);

/// The server's side of SCRAM.
struct Scram {
    mechanism: &'static str,
    password: &'static str,
    client_first_bare: String,
    server_first: String,
}

impl Scram {
    fn algorithms(&self) -> (pbkdf2::Algorithm, hmac::Algorithm, &'static digest::Algorithm) {
        match self.mechanism {
            "SCRAM-SHA-1" => (
                pbkdf2::PBKDF2_HMAC_SHA1,
                hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
                &digest::SHA1_FOR_LEGACY_USE_ONLY,
            ),
            "SCRAM-SHA-256" => (pbkdf2::PBKDF2_HMAC_SHA256, hmac::HMAC_SHA256, &digest::SHA256),
            _ => (pbkdf2::PBKDF2_HMAC_SHA512, hmac::HMAC_SHA512, &digest::SHA512),
        }
    }

    /// The client's first message; the user name "me,=" is escaped.
    fn begin(mechanism: &'static str, password: &'static str, client_first: &[u8]) -> Self {
        let text = std::str::from_utf8(client_first).unwrap();
        let bare = text.strip_prefix("n,,").expect("no channel binding, no other identity");
        let nonce = bare.strip_prefix("n=me=2C=3D,r=").expect("the user name, escaped");
        assert!(nonce.len() >= 16, "{nonce}");
        let salt = STANDARD.encode(b"a little salt");
        let server_first = format!("r={nonce}SERVER,s={salt},i=4096");
        Self { mechanism, password, client_first_bare: bare.to_owned(), server_first }
    }

    /// The server's proof for a correct client message.
    fn finish(&self, client_final: &[u8]) -> String {
        let (derivation, mac, hash) = self.algorithms();
        let text = std::str::from_utf8(client_final).unwrap();
        let (without_proof, proof) = text.rsplit_once(",p=").unwrap();
        let mut salted = vec![0; hash.output_len()];
        let rounds = 4096.try_into().unwrap();
        pbkdf2::derive(derivation, rounds, b"a little salt", self.password.as_bytes(), &mut salted);
        let sign = |key: &[u8], text: &[u8]| hmac::sign(&hmac::Key::new(mac, key), text).as_ref().to_vec();
        let client_key = sign(&salted, b"Client Key");
        let stored_key = digest::digest(hash, &client_key);
        let message = format!("{},{},{without_proof}", self.client_first_bare, self.server_first);
        let signature = sign(stored_key.as_ref(), message.as_bytes());
        let expected: Vec<u8> = client_key.iter().zip(signature).map(|(key, sign)| key ^ sign).collect();
        assert_eq!(STANDARD.decode(proof).unwrap(), expected, "the client's proof");
        let server_key = sign(&salted, b"Server Key");
        format!("v={}", STANDARD.encode(sign(&server_key, message.as_bytes())))
    }
}

fn auth(reason: ReasonCode, method: Option<&str>, data: Option<&[u8]>) -> Vec<u8> {
    let mut list = Vec::new();
    list.extend(method.map(|method| (Id::AuthenticationMethod, Value::Text(method))));
    list.extend(data.map(|data| (Id::AuthenticationData, Value::Binary(data))));
    let mut out = BytesMut::new();
    wire::auth(&mut out, reason, &properties(&list));
    out.to_vec()
}

fn connack(method: Option<&str>, data: Option<&[u8]>) -> Vec<u8> {
    let mut list = Vec::new();
    list.extend(method.map(|method| (Id::AuthenticationMethod, Value::Text(method))));
    list.extend(data.map(|data| (Id::AuthenticationData, Value::Binary(data))));
    packets::connack_with(&list)
}

/// The authentication data of a CONNECT with this method and without a password.
#[track_caller]
fn expect_connect(peer: &mut Peer, method: &str) -> Vec<u8> {
    let bytes = peer.expect_connect(V5);
    let Ok(Packet::Connect(connect)) = wire::decode(V5, &bytes) else { unreachable!() };
    assert_eq!(connect.properties.text(Id::AuthenticationMethod), Some(method));
    assert_eq!(connect.password, None);
    connect.properties.binary(Id::AuthenticationData).unwrap_or_default().to_vec()
}

/// The authentication data of an AUTH with this Reason Code and method.
#[track_caller]
fn expect_auth(peer: &mut Peer, expected: ReasonCode, method: &str) -> Option<Vec<u8>> {
    let bytes = peer.packet();
    let Ok(Packet::Auth { reason, properties }) = wire::decode(V5, &bytes) else {
        panic!("expected AUTH, received {}", packets::shown(V5, &bytes))
    };
    assert_eq!(reason, expected);
    assert_eq!(properties.text(Id::AuthenticationMethod), Some(method));
    properties.binary(Id::AuthenticationData).map(<[u8]>::to_vec)
}

fn publish(server: &Server, method: &str) -> Mqtt {
    Mqtt::publish(server.port()).args([
        "-t",
        "a",
        "-n",
        "-q",
        "1",
        "--auth-method",
        method,
        "-u",
        "me,=",
        "-P",
        "pencil",
    ])
}

fn expect_publish_and_end(peer: &mut Peer) {
    let (identifier, _) = peer.expect_publish(V5, QoS::AtLeastOnce, b"");
    peer.send(&packets::ack(PubAck, identifier));
    peer.expect_disconnect(V5);
}

/// The password is neither sent nor shown.
#[test]
fn scram_with_each_hash() {
    for mechanism in MECHANISMS {
        // The server's proof may be in CONNACK or in an AUTH before it.
        for in_connack in [true, false] {
            let server = Server::start(move |server| {
                let mut peer = server.accept();
                let scram = Scram::begin(mechanism, "pencil", &expect_connect(&mut peer, mechanism));
                peer.send(&auth(CONTINUE, Some(mechanism), Some(scram.server_first.as_bytes())));
                let client_final = expect_auth(&mut peer, CONTINUE, mechanism).unwrap();
                let proof = scram.finish(&client_final);
                if in_connack {
                    peer.send(&connack(Some(mechanism), Some(proof.as_bytes())));
                } else {
                    peer.send(&auth(CONTINUE, Some(mechanism), Some(proof.as_bytes())));
                    assert_eq!(expect_auth(&mut peer, CONTINUE, mechanism), None);
                    peer.send(&connack(Some(mechanism), None));
                }
                expect_publish_and_end(&mut peer);
            });
            let outcome = publish(&server, mechanism).args(["-d"]).run().exits(0);
            assert!(outcome.stderr.contains("sending AUTH (rc24)"), "{}", outcome.stderr);
            assert!(outcome.stderr.contains("authentication-data: ... ("), "{}", outcome.stderr);
            for secret in ["pencil", "r=", "p="] {
                assert!(!outcome.stderr.contains(secret), "{}", outcome.stderr);
            }
        }
    }
}

/// Two spellings of a password are equal after preparation (RFC 4013).
#[test]
fn a_password_is_prepared() {
    let server = Server::start(|server| {
        let mut peer = server.accept();
        let scram = Scram::begin("SCRAM-SHA-256", "IX", &expect_connect(&mut peer, "SCRAM-SHA-256"));
        peer.send(&auth(CONTINUE, Some("SCRAM-SHA-256"), Some(scram.server_first.as_bytes())));
        let client_final = expect_auth(&mut peer, CONTINUE, "SCRAM-SHA-256").unwrap();
        let proof = scram.finish(&client_final);
        peer.send(&connack(Some("SCRAM-SHA-256"), Some(proof.as_bytes())));
        expect_publish_and_end(&mut peer);
    });
    publish(&server, "SCRAM-SHA-256").args(["-P", "I\u{ad}X"]).run().succeeds();
}

#[test]
fn a_refused_password() {
    let server = Server::start(|server| {
        let mut peer = server.accept();
        let scram = Scram::begin("SCRAM-SHA-256", "other", &expect_connect(&mut peer, "SCRAM-SHA-256"));
        peer.send(&auth(CONTINUE, Some("SCRAM-SHA-256"), Some(scram.server_first.as_bytes())));
        expect_auth(&mut peer, CONTINUE, "SCRAM-SHA-256").unwrap();
        peer.send(&packets::connack(V5, false, 0x86));
        peer.expect_end();
    });
    publish(&server, "SCRAM-SHA-256")
        .run()
        .fails(134, "connection refused: Bad User Name or Password (0x86)");
}

/// A server that answers CONNECT with data derived from the client's nonce. In each case the client reports
/// the reason, publishes nothing and disconnects.
#[track_caller]
fn attacked(attack: impl FnOnce(&str) -> Vec<u8> + Send + 'static) -> Outcome {
    let server = Server::start(move |server| {
        let mut peer = server.accept();
        let client_first = expect_connect(&mut peer, "SCRAM-SHA-256");
        let nonce = String::from_utf8(client_first).unwrap();
        let nonce = nonce.rsplit_once("r=").unwrap().1;
        peer.send(&attack(nonce));
        expect_flight(&mut peer);
    });
    publish(&server, "SCRAM-SHA-256").run()
}

/// At most a DISCONNECT with a failure, then the end.
#[track_caller]
fn expect_flight(peer: &mut Peer) {
    while let Some(bytes) = peer.next() {
        match wire::decode(V5, &bytes) {
            Ok(Packet::Disconnect { reason, .. }) => assert!(reason.is_failure(), "{reason}"),
            other => panic!("{other:?}"),
        }
    }
}

fn challenge(text: impl AsRef<str>) -> Vec<u8> {
    let text = text.as_ref();
    auth(CONTINUE, Some("SCRAM-SHA-256"), Some(text.as_bytes()))
}

#[test]
fn invalid_challenges_are_refused() {
    let good = |nonce: &str| format!("r={nonce}SERVER,s=c2FsdA==,i=4096");
    attacked(|_| challenge("r=another-nonce-of-its-own,s=c2FsdA==,i=4096")).fails(1, "authentication: ");
    attacked(|nonce| challenge(format!("r={nonce},s=c2FsdA==,i=4096"))).fails(1, "authentication: ");
    attacked(|nonce| challenge(format!("r={nonce}x,s=***,i=4096"))).fails(1, "authentication: ");
    attacked(|nonce| challenge(format!("r={nonce}x,s=c2FsdA=="))).fails(1, "authentication: ");
    attacked(|nonce| challenge(format!("m=extension,r={nonce}x,s=c2FsdA==,i=4096")))
        .fails(1, "authentication: ");
    attacked(|_| challenge("")).fails(1, "authentication: ");
    attacked(|_| challenge("\u{0}\u{1}")).fails(1, "authentication: ");
    attacked(|_| challenge("e=other-error")).fails(1, "authentication: ");
    for rounds in ["4294967295", "2000001", "99999999999999999"] {
        attacked(move |nonce| challenge(format!("r={nonce}x,s=c2FsdA==,i={rounds}")))
            .fails(1, &format!("SCRAM: the broker asks for {rounds} iterations"));
    }
    for rounds in ["0", "-1", "", "x", "99999999999999999999999999"] {
        attacked(move |nonce| challenge(format!("r={nonce}x,s=c2FsdA==,i={rounds}")))
            .fails(1, "authentication: ");
    }
    attacked(move |nonce| auth(CONTINUE, None, Some(good(nonce).as_bytes())))
        .fails(1, "protocol error: AUTH: no authentication method");
    attacked(move |nonce| auth(CONTINUE, Some("SCRAM-SHA-1"), Some(good(nonce).as_bytes())))
        .fails(1, "protocol error: AUTH: authentication method 'SCRAM-SHA-1' instead of 'SCRAM-SHA-256'");
    attacked(move |nonce| auth(ReasonCode(0x19), Some("SCRAM-SHA-256"), Some(good(nonce).as_bytes())))
        .fails(1, "protocol error: AUTH: Re-authenticate (0x19)");
    attacked(move |nonce| auth(ReasonCode(0), Some("SCRAM-SHA-256"), Some(good(nonce).as_bytes())))
        .fails(1, "protocol error: AUTH: Success (0x00)");
}

/// Each fault of a broker has its own text, and the broker's texts are shown.
#[test]
fn invalid_challenge_is_described() {
    let says = |attack: fn(&str) -> String, cause: &str, hint: &str| {
        let run = attacked(move |nonce| challenge(attack(nonce))).fails(1, cause).mentions(hint);
        for word in ["mechanism error", "parse", "byte 0x", "SCRAM protocol"] {
            assert!(!run.stderr.contains(word), "{}", run.stderr);
        }
    };
    let (credentials, method) =
        ("check the user name (-u) and the password (-P)", "check the method (--auth-method)");
    says(|_| "e=unknown-user".into(), "authentication: the broker refuses it: 'unknown-user'", credentials);
    says(|_| "e=no-resources".into(), "authentication: the broker refuses it: 'no-resources'", method);
    says(|_| "e=pencil".into(), "authentication: the broker refuses it: '\u{2026}'", method);
    says(|_| "e=\u{1b}[31mred".into(), "authentication: the broker refuses it: '", method);
    says(|_| String::new(), "authentication: the broker's answer has no SCRAM message", method);
    let unexpected = "authentication: the broker's answer is not the SCRAM message that is expected: '";
    says(|_| "hello".into(), &format!("{unexpected}hello'"), method);
    says(|_| "v=AAAA".into(), &format!("{unexpected}v=AAAA'"), method);
    says(|nonce| format!("s=c2FsdA==,r={nonce}x,i=4096"), unexpected, method);
    says(|nonce| format!("r={nonce}x,s=c2FsdA=="), unexpected, method);
    let nonce = "authentication: the broker's nonce does not continue the client's";
    says(|_| "r=other,s=c2FsdA==,i=4096".into(), nonce, "the answer to another client");
    says(|nonce| format!("r={nonce},s=c2FsdA==,i=4096"), nonce, "the answer to another client");
    let salt = "authentication: the broker's salt is invalid base64: '@@'";
    says(|nonce| format!("r={nonce}x,s=@@,i=4096"), salt, method);
    let iterations = "authentication: the broker's number of SCRAM iterations is invalid: '0'";
    says(|nonce| format!("r={nonce}x,s=c2FsdA==,i=0"), iterations, method);
    let extension = "authentication: the broker asks for an extension of SCRAM that is not supported: 'm=x";
    says(|nonce| format!("m=x,r={nonce}x,s=c2FsdA==,i=4096"), extension, "another --auth-method");
}

const NOT_PROVED: &str = "SCRAM: the broker did not prove that it knows the password";

/// A broker that accepts every client has not proved that it knows the password.
#[test]
fn skipped_challenge_is_refused() {
    attacked(|_| connack(Some("SCRAM-SHA-256"), None)).fails(1, NOT_PROVED);
    attacked(|_| connack(Some("SCRAM-SHA-256"), Some(b"v=AAAA"))).fails(1, "authentication: ");
    attacked(|nonce| {
        connack(Some("SCRAM-SHA-256"), Some(format!("r={nonce}x,s=c2FsdA==,i=4096").as_bytes()))
    })
    .fails(1, NOT_PROVED);
    attacked(|_| connack(None, None)).fails(1, "protocol error: CONNACK: no authentication method");
    attacked(|_| connack(Some("other"), None))
        .fails(1, "protocol error: CONNACK: authentication method 'other'");
}

#[test]
fn wrong_signature_of_the_broker_is_refused() {
    for in_connack in [true, false] {
        for (signature, text) in [
            ("v=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", NOT_PROVED),
            ("v=", NOT_PROVED),
            ("v=*", "authentication: "),
            ("e=invalid-proof", if in_connack { NOT_PROVED } else { "authentication: " }),
        ] {
            let server = Server::start(move |server| {
                let mut peer = server.accept();
                let scram =
                    Scram::begin("SCRAM-SHA-256", "pencil", &expect_connect(&mut peer, "SCRAM-SHA-256"));
                peer.send(&auth(CONTINUE, Some("SCRAM-SHA-256"), Some(scram.server_first.as_bytes())));
                expect_auth(&mut peer, CONTINUE, "SCRAM-SHA-256").unwrap();
                peer.send(&if in_connack {
                    connack(Some("SCRAM-SHA-256"), Some(signature.as_bytes()))
                } else {
                    auth(CONTINUE, Some("SCRAM-SHA-256"), Some(signature.as_bytes()))
                });
                expect_flight(&mut peer);
            });
            publish(&server, "SCRAM-SHA-256").run().fails(1, text);
        }
    }
}

/// AUTH belongs to an exchange started by the client ([MQTT-4.12.0-6]).
#[test]
fn auth_at_the_wrong_moment() {
    for reason in [0x00, 0x18, 0x19] {
        let server = Server::start(move |server| {
            let mut peer = server.accept();
            peer.expect_connect(V5);
            peer.send(&auth(ReasonCode(reason), Some("X"), None));
            expect_flight(&mut peer);
        });
        let args = ["-V", "5", "-t", "a", "-n", "-q", "1"];
        Mqtt::publish(server.port())
            .args(args)
            .run()
            .fails(1, "protocol error: AUTH: the broker wants enhanced");
        for method in [&[][..], &["--auth-method", "X"]] {
            let server = Server::start(move |server| {
                let mut peer = server.accept();
                let bytes = peer.expect_connect(V5);
                let Ok(Packet::Connect(connect)) = wire::decode(V5, &bytes) else { unreachable!() };
                peer.send(&connack(connect.properties.text(Id::AuthenticationMethod), None));
                peer.send(&auth(ReasonCode(reason), Some("X"), None));
                peer.expect_publish(V5, QoS::AtLeastOnce, b"");
                peer.expect(V5, &packets::disconnect(V5, 0x82));
                peer.expect_end();
            });
            let outcome = Mqtt::publish(server.port()).args(args).args(method).run();
            outcome.fails(1, "but no authentication is in progress");
        }
    }
}

#[test]
fn data_of_another_method_is_sent() {
    let serve = |answers: usize| {
        Server::start(move |server| {
            let mut peer = server.accept();
            assert_eq!(expect_connect(&mut peer, "X-OWN"), b"one");
            for expected in [&[0, 2][..], b"text:3"].iter().take(answers) {
                peer.send(&auth(CONTINUE, Some("X-OWN"), Some(b"and?")));
                assert_eq!(expect_auth(&mut peer, CONTINUE, "X-OWN").as_deref(), Some(*expected));
            }
            if answers > 2 {
                peer.send(&auth(CONTINUE, Some("X-OWN"), None));
                return expect_flight(&mut peer);
            }
            peer.send(&connack(Some("X-OWN"), Some(b"welcome")));
            expect_publish_and_end(&mut peer);
        })
    };
    let args = ["-t", "a", "-n", "-q", "1", "--auth-method", "X-OWN", "--auth-data", "one"];
    let more = ["--auth-data", "hex:0002", "--auth-data", "text:text:3"];
    Mqtt::publish(serve(0).port()).args(args).run().succeeds();
    Mqtt::publish(serve(2).port()).args(args).args(more).run().succeeds();
    Mqtt::publish(serve(3).port()).args(args).args(more).run().fails(1, "more authentication data (X-OWN)");
    let words = "-D connect authentication-method X-OWN -D connect authentication-data one";
    let args = ["-t", "a", "-n", "-q", "1"].into_iter().chain(words.split(' '));
    Mqtt::publish(serve(0).port()).args(args).run().succeeds();
}

/// Re-authentication on an established connection.
#[track_caller]
fn reauthenticate(peer: &mut Peer, signature: Option<&str>) {
    let mechanism = "SCRAM-SHA-512";
    let client_first = expect_auth(peer, ReasonCode(0x19), mechanism).unwrap();
    let scram = Scram::begin(mechanism, "pencil", &client_first);
    peer.send(&auth(CONTINUE, Some(mechanism), Some(scram.server_first.as_bytes())));
    let client_final = expect_auth(peer, CONTINUE, mechanism).unwrap();
    let proof = scram.finish(&client_final);
    peer.send(&auth(ReasonCode(0), Some(mechanism), Some(signature.unwrap_or(&proof).as_bytes())));
}

fn accept_with_scram(server: &mut crate::support::server::Listener) -> Peer {
    let mechanism = "SCRAM-SHA-512";
    let mut peer = server.accept();
    let scram = Scram::begin(mechanism, "pencil", &expect_connect(&mut peer, mechanism));
    peer.send(&auth(CONTINUE, Some(mechanism), Some(scram.server_first.as_bytes())));
    let proof = scram.finish(&expect_auth(&mut peer, CONTINUE, mechanism).unwrap());
    peer.send(&connack(Some(mechanism), Some(proof.as_bytes())));
    peer
}

fn subscribe_with_scram(server: &Server) -> Mqtt {
    Mqtt::subscribe(server.port())
        .args(["-t", "a", "--auth-method", "SCRAM-SHA-512", "-u", "me,=", "-P", "pencil"])
        .args(["--reauthenticate", "2s", "-C", "1"])
}

#[test]
fn re_authentication() {
    let server = Server::start(|server| {
        let mut peer = accept_with_scram(server);
        peer.grant_subscription(V5);
        reauthenticate(&mut peer, None);
        reauthenticate(&mut peer, None);
        peer.send(&packets::Message::new("a", b"x").bytes(V5));
        peer.expect_disconnect(V5);
    });
    subscribe_with_scram(&server).run().succeeds().prints("x\n");
}

#[test]
fn re_authentication_of_another_server() {
    let server = Server::start(|server| {
        let mut peer = accept_with_scram(server);
        peer.grant_subscription(V5);
        reauthenticate(&mut peer, Some("v=AAAA"));
        peer.expect_disconnect(V5);
    });
    subscribe_with_scram(&server).run().fails(1, NOT_PROVED);
}

#[test]
fn wrong_usage() {
    let cases: &[(&[&str], &str)] = &[
        (&["--auth-method", "SCRAM-SHA-256"], "SCRAM-SHA-256 needs a user name (-u) and a password"),
        (
            &["--auth-method", "SCRAM-SHA-256", "-u", "me"],
            "SCRAM-SHA-256 needs a user name (-u) and a password",
        ),
        (&["--auth-method", "SCRAM-SHA-1", "-u", "me", "-P", ""], "password for SCRAM-SHA-1: it is empty"),
        (&["--auth-method", "SCRAM-SHA-1", "-u", "a\u{7}", "-P", "x"], "user name for SCRAM-SHA-1: SASLprep"),
        (&["--auth-method", "SCRAM-SHA-3"], "--auth-method 'SCRAM-SHA-3': unknown SCRAM mechanism"),
        (&["--auth-method", "X", "-V", "311"], "--auth-method needs MQTT 5"),
        (&["--auth-data", "x"], "--auth-data needs --auth-method"),
        (&["--reauthenticate", "5m"], "--reauthenticate needs --auth-method"),
        (
            &["--auth-method", "X", "--auth-data", "hex:0"],
            "--auth-data: hex: takes pairs of hexadecimal digits",
        ),
    ];
    for (line, text) in cases {
        Mqtt::publish(1).args(["-t", "a", "-n"]).args(*line).run().fails(2, text);
    }
}
