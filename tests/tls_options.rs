//! The options of TLS and their effects: keys in every form, versions and ciphers, the log of session keys,
//! and unsupported features.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::support::mosquitto::{Mosquitto, Setup};
use crate::support::mqtt::Mqtt;
use crate::support::pki::Authority;
use crate::support::{Service as _, report, write};

/// A key of the tests.
fn key(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/net/tests/keys");
    fs::read_to_string(folder.join(name)).unwrap()
}

/// A mosquitto with TLS, and its clients' options.
struct World {
    authority: Authority,
    broker: Mosquitto,
    folder: TempDir,
}

impl World {
    fn new(setup: impl FnOnce(Setup, &Authority) -> Setup) -> Option<Self> {
        let authority = Authority::new("Test CA");
        let setup = setup(Setup::new().tls(&authority.issue("broker", &["localhost"])), &authority);
        let broker = Mosquitto::start(&setup)?;
        Some(Self { authority, broker, folder: tempfile::tempdir().unwrap() })
    }

    fn mqtt(&self, subcommand: &[&str]) -> Mqtt {
        let port = self.broker.port().to_string();
        Mqtt::new(subcommand)
            .args(["-h", "localhost", "-p", &port])
            .args(["--cafile".into(), self.authority.file().into_os_string()])
    }

    fn publish(&self) -> Mqtt {
        self.mqtt(&["pub", "-t", "a", "-m", "x", "-q", "1"])
    }

    fn file(&self, name: &str, text: &str) -> String {
        write(self.folder.path(), name, text)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// The server accepts only clients that show a certificate and sign with its key.
#[test]
fn private_keys_in_every_form() {
    let Some(world) = World::new(Setup::client_certificates) else { return };
    let password = world.file("password", "secret\n");
    for (name, plain, is_encrypted) in [
        ("rsa-pkcs1.key", "rsa-pkcs8.key", false),
        ("rsa-pkcs8.key", "rsa-pkcs8.key", false),
        ("ec-sec1.key", "ec-pkcs8.key", false),
        ("ec-pkcs8.key", "ec-pkcs8.key", false),
        ("ec-pkcs8-aes256.key", "ec-pkcs8.key", true),
    ] {
        let certificate = world.authority.certify("client", &key(plain));
        let file = world.file(name, &key(name));
        let publish =
            || world.publish().args(["--cert".as_ref(), certificate.as_os_str()]).args(["--key", &file]);
        if !is_encrypted {
            publish().run().succeeds();
        }
        publish().args(["--key-password-file", &password]).run().succeeds();
        if is_encrypted {
            publish()
                .run()
                .fails(1, "this private key is encrypted")
                .mentions("\nhint: give its password with --key-password-file");
            let wrong = world.file("wrong", "hush\n");
            publish()
                .args(["--key-password-file", &wrong])
                .run()
                .fails(1, "the given password does not decrypt this private key")
                .does_not_mention("hush");
            let missing = world.path("missing").display().to_string();
            publish().args(["--key-password-file", &missing]).run().fails(1, &missing);
        }
    }
}

/// The requested version and cipher suite are those in use.
#[test]
fn versions_and_ciphers() {
    let Some(world) = World::new(|setup, _| setup) else { return };
    let agreed = |options: &[&str]| {
        let run = world.mqtt(&["ping", "--json"]).args(options).run().succeeds();
        let report = report("ping", &run.stdout);
        let steps = report["steps"].as_array().unwrap();
        let tls = steps.iter().find(|step| step["step"] == "tls").unwrap().clone();
        let text = |key: &str| tls[key].as_str().unwrap().to_owned();
        (text("tls_version"), text("cipher_suite"))
    };
    assert_eq!(agreed(&["--tls-version", "tlsv1.2"]).0, "TLS 1.2");
    assert_eq!(agreed(&["--tls-version", "tlsv1.3"]).0, "TLS 1.3");
    let (older, newer) = ("TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_CHACHA20_POLY1305_SHA256");
    for older_by_name in [older, "ECDHE-ECDSA-AES128-GCM-SHA256"] {
        assert_eq!(agreed(&["--ciphers", older_by_name]), ("TLS 1.2".into(), older.into()));
    }
    assert_eq!(agreed(&["--ciphers", &format!("{older}:{newer}")]), ("TLS 1.3".into(), newer.into()));
    world.publish().args(["--tls-version", "tlsv1.1"]).run().fails(2, "tlsv1.1").mentions("tlsv1.2");
    let mut unknown = world
        .publish()
        .args(["--ciphers", "ECDHE-RSA-AES128-SHA"])
        .run()
        .fails(2, "unknown cipher suite 'ECDHE-RSA-AES128-SHA'");
    for known in [older, newer, "TLS_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"] {
        unknown = unknown.mentions(known);
    }
}

/// Session keys are logged only on request; the variable of other programs is not a request.
#[test]
fn session_keys_are_logged_only_on_request() {
    let Some(world) = World::new(|setup, _| setup) else { return };
    let log = world.path("keys");
    world.publish().env("SSLKEYLOGFILE", &log).run().succeeds();
    assert!(!log.exists());
    let is_log = || {
        let text = fs::read_to_string(&log).unwrap();
        fs::remove_file(&log).unwrap();
        text.lines().any(|line| line.starts_with("CLIENT_TRAFFIC_SECRET_0 "))
    };
    world.publish().args(["--tls-keylog".as_ref(), log.as_os_str()]).run().succeeds();
    assert!(is_log());
    world.publish().args(["--tls-keylog", "env"]).env("SSLKEYLOGFILE", &log).run().succeeds();
    assert!(is_log());
}

/// A full disk does not end the connection, but causes a warning.
#[cfg(target_os = "linux")]
#[test]
fn keys_that_cannot_be_written_are_a_warning() {
    let Some(world) = World::new(|setup, _| setup) else { return };
    let run = world.publish().args(["--tls-keylog", "/dev/full"]).run().exits(0);
    run.says(
        "mqtt: warning: TLS key log /dev/full: keys are missing: No space left on device (os error 28)\n",
    );
}

/// Features of OpenSSL that this program does not have are refused with an alternative, for every source of
/// options.
#[test]
fn unsupported_features_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let options_file = write(folder.path(), "o", "--psk 00ff\n");
    let (keys, engines) = ("has no pre-shared keys", "has no engines");
    for (options, words) in [
        (&["--psk", "00ff", "--psk-identity", "me"][..], keys),
        (&["--psk-identity", "me"], keys),
        (&["-o", &options_file], keys),
        (&["--tls-engine", "pkcs11"], engines),
        (&["--tls-engine-kpass-sha1", "00"], engines),
        (&["--keyform", "engine"], engines),
    ] {
        for subcommand in [&["pub", "-t", "a", "-n"][..], &["sub", "-t", "a"], &["ping"]] {
            let run = Mqtt::new(subcommand).args(["-p", "1"]).args(options).run();
            run.fails(2, words)
                .mentions("the TLS library here (rustls)")
                .mentions("\nhint: ")
                .mentions("(stunnel)");
        }
    }
}
