//! Certificates, case by case: which are accepted, and with which text and exit status the others are
//! refused. Servers are mosquitto if installed, because most servers send OpenSSL's alerts.

use std::ffi::OsString;

use crate::support::Service as _;
use crate::support::mosquitto::{Mosquitto, Setup};
use crate::support::mqtt::{Mqtt, Outcome};
use crate::support::pki::{Authority, Identity};

/// `mqtt pub` to `localhost`.
fn publish(port: u16, options: &[OsString]) -> Outcome {
    Mqtt::new(["pub", "-h", "localhost", "-p", &port.to_string(), "-t", "a", "-m", "x", "-q", "1"])
        .args(options)
        .run()
}

fn trusting(authority: &Authority) -> Vec<OsString> {
    vec!["--cafile".into(), authority.file().into()]
}

/// A server's certificate, the client's trust, and the result: words of the error and of its hint; none for
/// success.
struct Case {
    what: &'static str,
    shown: Identity,
    options: Vec<OsString>,
    words: Vec<String>,
}

#[allow(clippy::too_many_lines, reason = "a table, to be read from top to bottom")]
#[test]
fn certificates_of_servers() {
    let root = Authority::new("Test CA");
    let intermediate = root.intermediate("Intermediate CA");
    let below = |name: &str| intermediate.issue(name, &["localhost"]);
    let stranger = Authority::new("Stranger CA");
    let namesake = Authority::new("Test CA");
    let homonym = Authority::new("Homonym");
    let own = Authority::self_signed("own", &["localhost"]);
    let misnamed = Authority::self_signed("misnamed", &["broker.example"]);
    let (revoked, list) = root.issue_revoked("revoked", &["localhost"]);
    let with_list = |mut options: Vec<OsString>| {
        options.extend(["--crl".into(), list.clone().into()]);
        options
    };
    let trust = || trusting(&root);
    let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
    let files = |authority: &Authority| authority.file().display().to_string();
    let cases = [
        Case { what: "good", shown: root.issue("good", &["localhost"]), options: trust(), words: vec![] },
        Case {
            what: "with its chain",
            shown: below("whole").with_chain(&intermediate),
            options: trust(),
            words: vec![],
        },
        Case {
            what: "expired",
            shown: root.issue_expired("old", &["localhost"]),
            options: trust(),
            words: words(&[
                "the broker's certificate (CN=old, issued by CN=Test CA) expired on 2021-01-01T00:00:00Z, ",
                " ago",
            ]),
        },
        Case {
            what: "not yet valid",
            shown: root.issue_early("early", &["localhost"]),
            options: trust(),
            words: words(&[
                "CN=early",
                "is not valid before 2100-01-01T00:00:00Z",
                "hint: this machine's clock says",
            ]),
        },
        Case {
            what: "wrong name",
            shown: root.issue("elsewhere", &["broker.example", "192.0.2.1"]),
            options: trust(),
            words: words(&[
                "(CN=elsewhere) is for 'broker.example', '192.0.2.1', not for 'localhost'",
                "hint: connect by a name it is for, or give that name with --tls-server-name",
            ]),
        },
        Case {
            what: "name with a dot at its end",
            shown: root.issue("dot", &["localhost."]),
            options: trust(),
            words: words(&[
                "(CN=dot) is for 'localhost.', but a DNS name in a certificate must not end in a dot",
                "hint: make one with subjectAltName=DNS:localhost",
            ]),
        },
        Case {
            what: "wrong authority",
            shown: stranger.issue("strange", &["localhost"]),
            options: trust(),
            words: vec![
                format!("was issued by CN=Stranger CA, which is unknown: it is not in {}", files(&root)),
                "hint: give that authority's certificate with --cafile".into(),
            ],
        },
        Case {
            what: "an authority of the same name",
            shown: namesake.issue("anew", &["localhost"]),
            options: trust(),
            words: words(&[
                "an authority CN=Test CA, but not by the one of that name",
                "hint: that authority may have a new key",
            ]),
        },
        Case {
            what: "an authority of the broker's name",
            shown: homonym.issue("Homonym", &["localhost"]),
            options: trust(),
            words: vec![
                format!(
                    "(CN=Homonym) was issued by an authority of the same name, which is not in {}",
                    files(&root)
                ),
                "hint: give that authority's certificate with --cafile".into(),
            ],
        },
        Case {
            what: "a changed signature",
            shown: root.issue_damaged("damaged", &["localhost"]),
            options: trust(),
            words: words(&[
                "the signature of the broker's certificate (CN=damaged) is not valid, although the one of that name",
                "hint: the certificate is damaged or forged",
            ]),
        },
        Case {
            what: "missing intermediate",
            shown: below("below"),
            options: trust(),
            words: words(&[
                "(CN=below) was issued by CN=Intermediate CA, which is unknown",
                "if it is an intermediate, the broker should send it",
            ]),
        },
        Case {
            what: "self-signed, given as authority",
            shown: own.identity(),
            options: trusting(&own),
            words: vec![],
        },
        Case {
            what: "self-signed, not given",
            shown: own.identity(),
            options: trust(),
            words: vec![
                format!("(CN=own) is self-signed and not in {}", files(&root)),
                "hint: if it is the one you expect, give its file with --cafile".into(),
            ],
        },
        Case {
            what: "self-signed, given, with another name",
            shown: misnamed.identity(),
            options: trusting(&misnamed),
            words: words(&["(CN=misnamed) is for 'broker.example', not for 'localhost'"]),
        },
        Case {
            what: "revoked",
            shown: revoked.clone(),
            options: with_list(trust()),
            words: vec![format!(
                "CN=revoked, issued by CN=Test CA) has been revoked according to {}",
                list.display()
            )],
        },
        Case { what: "revoked, and nobody asks", shown: revoked, options: trust(), words: vec![] },
        Case {
            what: "on no list",
            shown: below("unlisted").with_chain(&intermediate),
            options: with_list(trust()),
            words: words(&["has been revoked is unknown", "holds no list of that issuer"]),
        },
        Case {
            what: "another key than the one pinned",
            shown: root.issue("unpinned", &["localhost"]),
            options: [
                trust(),
                vec!["--tls-pin".into(), "sha256:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=".into()],
            ]
            .concat(),
            words: words(&["the broker's public key is sha256:", "which is not pinned"]),
        },
    ];
    for Case { what, shown, options, words } in cases {
        let Some(broker) = Mosquitto::start(&Setup::new().tls(&shown)) else { return };
        let outcome = publish(broker.port(), &options);
        if words.is_empty() {
            outcome.succeeds();
            continue;
        }
        let said = outcome.fails(1, "mqtt: TLS: ").stderr;
        for word in words {
            assert!(said.contains(&word), "{what}: no {word:?} in\n{said}");
        }
    }
}

/// A correct key is accepted by the pin that `ping` and errors name.
#[test]
fn the_pin_of_an_error_is_the_one_to_give() {
    let root = Authority::new("Test CA");
    let setup = Setup::new().tls(&root.issue("broker", &["localhost"]));
    let Some(broker) = Mosquitto::start(&setup) else { return };
    let pinned = |pin: &str| [trusting(&root), vec!["--tls-pin".into(), pin.into()]].concat();
    let wrong = publish(broker.port(), &pinned(&format!("sha256:{}", "00".repeat(32))));
    let said = wrong.fails(1, "public key is sha256:").stderr;
    let pin = said
        .split_whitespace()
        .map(|word| word.trim_end_matches(','))
        .find(|word| word.starts_with("sha256:"));
    publish(broker.port(), &pinned(pin.unwrap())).succeeds();
    // The pin is checked even if all other checks are off.
    let insecure =
        |pin: &str| vec!["--insecure".into(), "--tls-use-os-certs".into(), "--tls-pin".into(), pin.into()];
    publish(broker.port(), &insecure(pin.unwrap())).exits(0);
    publish(broker.port(), &insecure(&format!("sha256:{}", "00".repeat(32))))
        .exits(1)
        .mentions("which is not pinned");
}

/// The command line in an error can be used without changes, including its shell quoting.
#[test]
fn the_line_of_an_error_reaches_the_broker() {
    let root = Authority::new("Test CA");
    let nameless = root.issue("localhost", &[]);
    let stranger = Authority::new("Stranger CA");
    for identity in [nameless, stranger.issue("localhost", &["localhost"])] {
        let Some(broker) = Mosquitto::start(&Setup::new().tls(&identity)) else { return };
        let port = broker.port().to_string();
        let cafile = root.file().display().to_string();
        let line = ["-h", "localhost", "-p", &port, "--cafile", &cafile, "-t", "a b", "-m", "b c", "-q", "1"];
        let own_name = Mqtt::new(["pub"]).args(line).args(["-u", "me", "-P", "hunter2"]).run();
        let old_name = Mqtt::new(line).called("mosquitto_pub").run();
        for outcome in [own_name, old_name] {
            let said = outcome.exits(1).does_not_mention("hunter2").stderr;
            let (_, ready) = said.split_once("accepts its key and no other: ").expect(&said);
            let words = crate::support::words(ready.lines().next().unwrap()).unwrap();
            assert_eq!(words[..3], ["mqtt", "pub", "--insecure"], "{ready}");
            assert!(words.contains(&"a b".to_owned()) && words.contains(&"b c".to_owned()), "{ready}");
            Mqtt::new(&words[1..]).run().succeeds();
        }
    }
}

#[test]
fn certificates_of_clients() {
    let root = Authority::new("Test CA");
    let stranger = Authority::new("Stranger CA");
    let setup = Setup::new().tls(&root.issue("broker", &["localhost"])).client_certificates(&root);
    let Some(broker) = Mosquitto::start(&setup) else { return };
    let refused = "mqtt: TLS: the broker refused the client certificate: ";
    let advice = "hint: check that --cert is the certificate issued for this broker";
    let cases = [
        ("good", Some(root.issue("client", &[])), None),
        (
            "missing",
            None,
            Some(("mqtt: TLS: the broker asks for a client certificate and got none", "hint: give one")),
        ),
        ("expired", Some(root.issue_expired("old", &[])), Some((refused, advice))),
        ("not yet valid", Some(root.issue_early("early", &[])), Some((refused, advice))),
        ("wrong authority", Some(stranger.issue("client", &[])), Some((refused, advice))),
    ];
    for (what, shown, expected) in cases {
        for version in ["tlsv1.2", "tlsv1.3"] {
            let mut options = trusting(&root);
            options.extend(["--tls-version".into(), version.into()]);
            options.extend(shown.iter().flat_map(Identity::options));
            let outcome = publish(broker.port(), &options);
            match expected {
                None => drop(outcome.succeeds()),
                Some((words, hint)) => {
                    let said = outcome.fails(1, words).stderr;
                    assert!(said.contains(hint), "{what}, {version}: {said}");
                }
            }
        }
    }
    // A key that does not match its certificate is detected before any question.
    let (one, other) = (root.issue("one", &[]), root.issue("other", &[]));
    let pair = Identity { certificate: one.certificate, key: other.key };
    let options = [trusting(&root), pair.options().to_vec()].concat();
    publish(1, &options).fails(1, "is not the private key of the certificate in");
}

/// OpenSSL's server shows a P-521 certificate in TLS 1.2 only to a client that offers P-521 key exchange.
#[test]
fn p521_keys_of_both_sides_are_accepted_in_both_versions() {
    let root = Authority::with_keys_of("P-521 CA", &rcgen::PKCS_ECDSA_P521_SHA512);
    let setup = Setup::new().tls(&root.issue("broker", &["localhost"])).client_certificates(&root);
    let Some(broker) = Mosquitto::start(&setup) else { return };
    for version in ["tlsv1.2", "tlsv1.3"] {
        let mut options = trusting(&root);
        options.extend(["--tls-version".into(), version.into()]);
        options.extend(root.issue("client", &[]).options());
        publish(broker.port(), &options).succeeds();
    }
}
