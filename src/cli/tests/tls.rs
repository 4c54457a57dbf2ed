use std::path::PathBuf;

use super::{all_wrong, client, client_from_environment, from_environment, wrong};
use crate::exit::Exit;
use crate::net::Transport;

/// A certificate authority, a client certificate and its key, as files.
struct Files {
    folder: tempfile::TempDir,
}

impl Files {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pair = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
        std::fs::write(folder.path().join("cert.pem"), pair.cert.pem()).unwrap();
        std::fs::write(folder.path().join("key.pem"), pair.signing_key.serialize_pem()).unwrap();
        Self { folder }
    }

    fn path(&self, name: &str) -> String {
        let path: PathBuf = self.folder.path().join(name);
        path.to_str().unwrap().into()
    }
}

#[test]
fn what_turns_tls_on() {
    let files = Files::new();
    let (cert, key) = (files.path("cert.pem"), files.path("key.pem"));
    for line in [
        &["--cafile", &cert][..],
        &["--cert", &cert, "--key", &key, "--cafile", &cert],
        &["-L", "mqtts://localhost", "--cafile", &cert],
        &["-L", "mqtt://localhost", "--cafile", &cert],
        &["-p", "8883", "--cafile", &cert],
        &["-p", "8883", "--insecure"],
        &["-L", "mqtts://localhost", "--insecure"],
        &["--cafile", &cert, "--insecure", "--tls-alpn", "mqtt,x-amzn-mqtt-ca", "--tls-version", "tlsv1.3"],
    ] {
        let endpoint = client(line).endpoint;
        assert_eq!(endpoint.transport, Transport::Tls, "{line:?}");
        assert_eq!(endpoint.address.to_string(), "localhost:8883", "{line:?}");
        assert!(endpoint.tls.is_some());
    }
    let elsewhere = client(&["--cafile", &cert, "-p", "1884"]).endpoint;
    assert_eq!(
        (elsewhere.transport, elsewhere.address.to_string().as_str()),
        (Transport::Tls, "localhost:1884")
    );
}

#[test]
fn what_turns_tls_off() {
    for (line, address) in [
        (&["-p", "8883", "--no-tls"][..], "localhost:8883"),
        (&["--cafile", "/nowhere", "--no-tls"], "localhost:1883"),
        (&["--insecure", "--key", "/nowhere", "--no-tls"], "localhost:1883"),
        (&["-L", "mqtt://h:8883", "--no-tls"], "h:8883"),
    ] {
        let endpoint = client(line).endpoint;
        assert_eq!(endpoint.transport, Transport::Plain, "{line:?}");
        assert_eq!(endpoint.address.to_string(), address);
    }
    assert!(wrong(&["pub", "-n", "-L", "mqtts://h/t", "--no-tls"]).contains("--no-tls refuses it"));
}

#[test]
fn flags_beat_the_environment() {
    let transport = |line: &[&str], ids: &[&str]| client_from_environment(line, ids).endpoint.transport;
    assert_eq!(transport(&["-L", "mqtts://h", "--no-tls"], &["url"]), Transport::Plain);
    assert_eq!(transport(&["-L", "mqtts://h", "--no-tls", "--insecure"], &["no_tls"]), Transport::Tls);
    assert_eq!(transport(&["-p", "8883", "--no-tls", "--insecure"], &["no_tls"]), Transport::Tls);
    // MQTT_PORT does not apply to the broker of a typed URL.
    assert_eq!(transport(&["-L", "mqtt://h", "-p", "8883"], &["port"]), Transport::Plain);
    // A variable does not turn TLS on for a URL without TLS, and its file is not read.
    for url in ["mqtt://h", "ws://h"] {
        for option in ["cafile", "capath"] {
            let line = ["-L", url, &format!("--{option}"), "/nowhere"];
            let endpoint = client_from_environment(&line, &[option]).endpoint;
            assert!(endpoint.tls.is_none(), "{url} {option}");
        }
    }
}

/// An option that has an effect only with TLS must not be ignored silently.
#[test]
fn idle_options() {
    all_wrong(&[
        (&["pub", "-n", "-t", "a", "--insecure"], "--insecure has no effect: the connection is without TLS"),
        (&["pub", "-n", "-t", "a", "--key", "k"], "--key has no effect"),
        (&["pub", "-n", "-t", "a", "--tls-alpn", "mqtt"], "--tls-alpn has no effect"),
        (&["pub", "-n", "-t", "a", "--tls-version", "tlsv1.3"], "--tls-version has no effect"),
        (&["pub", "-n", "-t", "a", "--tls-server-name", "x"], "--tls-server-name has no effect"),
    ]);
}

#[test]
fn pairs_and_contradictions() {
    all_wrong(&[
        (&["pub", "-n", "-t", "a", "--cert", "c"], "--cert needs its private key"),
        (&["pub", "-n", "-t", "a", "--key", "k", "-p", "8883"], "--key needs its certificate"),
        (&["pub", "-n", "-t", "a", "--cafile", "c", "--tls-use-os-certs"], "cannot be combined"),
        (&["pub", "-n", "-t", "a", "--cafile", "c", "--tls-alpn", "a,,b"], "1 to 255 bytes"),
        (&["pub", "-n", "-t", "a", "--cafile", "c", "--insecure", "--crl", "r"], "--crl has no effect with"),
        (&["pub", "-n", "-t", "a", "--cafile", "c", "--tls-version", "tlsv1.1"], "obsolete"),
    ]);
}

/// A missing file is not a usage error: the exit status is 1, and the error names the file.
#[test]
fn files_that_cannot_be_used() {
    let error = from_environment(&["pub", "-n", "-t", "a", "--cafile", "/no/such.pem"], &[]).unwrap_err();
    assert_eq!(error.exit(), Exit::Failure);
    assert!(error.to_string().contains("/no/such.pem"), "{error}");
}
