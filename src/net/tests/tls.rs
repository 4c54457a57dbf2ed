//! TLS: accepted and refused certificates, and the texts of the errors.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::rustls::version::{TLS12, TLS13};

use super::pki::{Authority, Files, Identity, between, params};
use super::server::{self, TlsServer};
use super::{assert_says, error_of, round_trip};
use crate::error::{Error, Layer, Retry};
use crate::net::tls::looks_like_tls;
use crate::net::{
    Endpoint, Step, Stream, TlsConfig, TlsOptions, TlsVersion, dial, dial_observed, speaks_tls,
};

/// Dials `localhost` at this port.
pub(super) async fn dial_tls(address: SocketAddr, options: &TlsOptions) -> Result<Stream, Error> {
    dial_as("localhost", address, options).await
}

async fn dial_as(host: &str, address: SocketAddr, options: &TlsOptions) -> Result<Stream, Error> {
    let config = TlsConfig::load(options)?;
    dial(&Endpoint::tls(host, address.port(), Arc::new(config))).await
}

/// The error of the TLS layer; it must be one line.
#[track_caller]
fn tls_error(outcome: Result<Stream, Error>) -> Error {
    error_of(Layer::Tls, outcome)
}

/// An authority, its file, and options that trust it.
pub(super) struct World {
    pub(super) authority: Authority,
    files: Files,
    pub(super) options: TlsOptions,
}

impl World {
    pub(super) fn new() -> Self {
        let authority = Authority::root("Test CA");
        let files = Files::new();
        let options =
            TlsOptions { ca_files: vec![files.write("ca.pem", authority.pem())], ..TlsOptions::default() };
        Self { authority, files, options }
    }

    /// A server whose certificate is valid for `localhost`.
    pub(super) fn good_server(&self) -> TlsServer {
        TlsServer::new(self.authority.issue(&params("broker", &["localhost"])))
    }

    /// The same options with a client certificate.
    pub(super) fn with_certificate(&self, identity: &Identity) -> TlsOptions {
        TlsOptions {
            certificate: Some(self.files.write("client.pem", identity.chain_pem())),
            key: Some(self.files.write("client.key", identity.key.serialize_pem())),
            ..self.options.clone()
        }
    }
}

#[tokio::test]
async fn both_versions_carry_bytes_and_tell_their_facts() {
    for (version, name) in [(&TLS12, "TLS 1.2"), (&TLS13, "TLS 1.3")] {
        let world = World::new();
        let address = world.good_server().with_version(version).start().await;
        let mut stream = dial_tls(address, &world.options).await.unwrap();
        round_trip(&mut stream).await.unwrap();
        let facts = stream.tls().unwrap();
        assert_eq!(facts.version, name);
        assert!(facts.cipher_suite.starts_with("TLS_"), "{facts:?}");
        assert_eq!(facts.alpn, None);
        assert_eq!(facts.certificates[0].subject, "CN=broker");
        assert_eq!(facts.certificates[0].issuer, "CN=Test CA");
        assert_eq!(stream.peer(), address.to_string());
    }
}

#[tokio::test]
async fn the_handshake_is_an_observed_step() {
    let world = World::new();
    let address = world.good_server().start().await;
    let config = Arc::new(TlsConfig::load(&world.options).unwrap());
    let endpoint = Endpoint::tls("localhost", address.port(), config);
    let mut last = None;
    dial_observed(&endpoint, &mut |step| last = Some(step)).await.unwrap();
    let Some(Step::Encrypted { facts, .. }) = last else {
        panic!("{last:?}");
    };
    assert_eq!(facts.version, "TLS 1.3");
}

#[tokio::test]
async fn socket_closed_without_close_notify_ends_the_stream() {
    let world = World::new();
    let acceptor = world.good_server().acceptor();
    let address = server::spawn(move |stream| {
        let acceptor = acceptor.clone();
        async move {
            let mut stream = acceptor.accept(stream).await.unwrap();
            stream.write_all(b"last words").await.unwrap();
            stream.flush().await.unwrap();
            drop(stream.into_inner().0);
        }
    })
    .await;
    let mut stream = dial_tls(address, &world.options).await.unwrap();
    let mut received = Vec::new();
    stream.read_to_end(&mut received).await.unwrap();
    assert_eq!(received, b"last words");
}

#[tokio::test]
async fn a_second_connection_resumes_the_session() {
    let world = World::new();
    let address = world.good_server().start().await;
    let config = Arc::new(TlsConfig::load(&world.options).unwrap());
    let endpoint = Endpoint::tls("localhost", address.port(), config);
    let mut first = dial(&endpoint).await.unwrap();
    round_trip(&mut first).await.unwrap();
    let mut second = dial(&endpoint).await.unwrap();
    round_trip(&mut second).await.unwrap();
    assert!(!first.tls().unwrap().resumed);
    assert!(second.tls().unwrap().resumed);
}

/// With `with_certificate` or `without_resumption` every handshake is a full one, as if each connection were
/// another client.
#[tokio::test]
async fn many_clients_in_one_process_share_no_session() {
    for version in [&TLS12, &TLS13] {
        let world = World::new();
        let client = world.authority.issue(&params("client", &[]));
        let address =
            world.good_server().with_client_authority(&world.authority).with_version(version).start().await;
        let certificate = world.files.write("one.pem", client.chain_pem());
        let key = world.files.write("one.key", client.key.serialize_pem());
        let config = TlsConfig::load(&world.options).unwrap().with_certificate(certificate, key).unwrap();
        let endpoint = Endpoint::tls("localhost", address.port(), Arc::new(config));
        for _ in 0..2 {
            let mut stream = dial(&endpoint).await.unwrap();
            round_trip(&mut stream).await.unwrap();
            assert!(!stream.tls().unwrap().resumed);
        }
    }
    let world = World::new();
    let address = world.good_server().start().await;
    let config = Arc::new(TlsConfig::load(&world.options).unwrap().without_resumption());
    let endpoint = Endpoint::tls("localhost", address.port(), config);
    for _ in 0..2 {
        let mut stream = dial(&endpoint).await.unwrap();
        round_trip(&mut stream).await.unwrap();
        assert!(!stream.tls().unwrap().resumed);
    }
}

#[tokio::test]
async fn an_ip_address_is_checked_as_one() {
    let world = World::new();
    let identity = world.authority.issue(&params("broker", &["127.0.0.1"]));
    let address = TlsServer::new(identity).start().await;
    dial_as("127.0.0.1", address, &world.options).await.unwrap();
    let error = tls_error(dial_tls(address, &world.options).await);
    assert_says(&error, &["'127.0.0.1', not for 'localhost'"]);
}

#[tokio::test]
async fn the_name_to_ask_for_can_be_given() {
    let world = World::new();
    let identity = world.authority.issue(&params("broker", &["broker.example"]));
    let address = TlsServer::new(identity).start().await;
    let options = TlsOptions { server_name: Some("broker.example".into()), ..world.options.clone() };
    dial_tls(address, &options).await.unwrap();
}

#[tokio::test]
async fn a_wrong_name_lists_the_right_ones() {
    let world = World::new();
    let names = ["broker.example", "*.iot.example", "192.0.2.1"];
    let identity = world.authority.issue(&params("broker", &names));
    let address = TlsServer::new(identity).start().await;
    let error = tls_error(dial_tls(address, &world.options).await);
    assert_says(
        &error,
        &["CN=broker", "is for 'broker.example', '*.iot.example', '192.0.2.1', not for 'localhost'"],
    );
    assert!(error.hint().unwrap().contains("--tls-server-name"));
    assert_eq!(error.retry(), Retry::Never);
}

#[tokio::test]
async fn a_certificate_without_names_says_so() {
    let world = World::new();
    let address = TlsServer::new(world.authority.issue(&params("localhost", &[]))).start().await;
    let error = tls_error(dial_tls(address, &world.options).await);
    assert_says(&error, &["CN=localhost", "no subject alternative name"]);
}

#[tokio::test]
async fn an_expired_certificate_says_since_when() {
    let world = World::new();
    let expired = between(2019, 2020, params("broker", &["localhost"]));
    let address = TlsServer::new(world.authority.issue(&expired)).start().await;
    let error = tls_error(dial_tls(address, &world.options).await);
    assert_says(
        &error,
        &[
            "the broker's certificate (CN=broker, issued by CN=Test CA) \
             expired on 2020-01-01T00:00:00Z, ",
            "years",
            " ago",
        ],
    );
}

#[tokio::test]
async fn an_expired_intermediate_is_named_itself() {
    let world = World::new();
    let expired = between(2019, 2020, Authority::params("Old Intermediate"));
    let intermediate = world.authority.intermediate(expired);
    let mut identity = intermediate.issue(&params("broker", &["localhost"]));
    identity.chain.push(intermediate.der().clone());
    let address = TlsServer::new(identity).start().await;
    let error = tls_error(dial_tls(address, &world.options).await);
    assert_says(
        &error,
        &["certificate 2 of the broker's chain", "CN=Old Intermediate", "expired on 2020-01-01"],
    );
}

#[tokio::test]
async fn certificate_of_the_future_hints_at_the_clock() {
    let world = World::new();
    let future = between(2199, 2200, params("broker", &["localhost"]));
    let address = TlsServer::new(world.authority.issue(&future)).start().await;
    let error = tls_error(dial_tls(address, &world.options).await);
    assert_says(&error, &["CN=broker", "not valid before 2199-01-01T00:00:00Z"]);
    assert!(error.hint().unwrap().contains("clock"));
}

#[tokio::test]
async fn an_unknown_authority_is_named_with_the_file_it_is_not_in() {
    let world = World::new();
    let other = Authority::root("Other CA");
    let address = TlsServer::new(other.issue(&params("broker", &["localhost"]))).start().await;
    let error = tls_error(dial_tls(address, &world.options).await);
    assert_says(&error, &["CN=broker", "issued by CN=Other CA", "ca.pem"]);
    assert!(error.hint().unwrap().contains("--cafile"));
}

#[tokio::test]
async fn authority_with_a_new_key_is_recognised_by_its_name() {
    let world = World::new();
    let anew = Authority::root("Test CA");
    let address = TlsServer::new(anew.issue(&params("broker", &["localhost"]))).start().await;
    let error = tls_error(dial_tls(address, &world.options).await);
    assert_says(&error, &["not by the one of that name in"]);
}

#[tokio::test]
async fn a_missing_intermediate_is_named() {
    let world = World::new();
    let intermediate = world.authority.intermediate(Authority::params("Test Intermediate"));
    let identity = intermediate.issue(&params("broker", &["localhost"]));
    let chain = identity.chain.clone();
    let address = TlsServer::new(identity).start().await;
    let error = tls_error(dial_tls(address, &world.options).await);
    assert_says(&error, &["issued by CN=Test Intermediate, which is unknown"]);
    assert!(error.hint().unwrap().contains("the broker should send it"));

    // With the intermediate certificate the chain is accepted.
    let mut identity = intermediate.issue(&params("broker", &["localhost"]));
    assert_ne!(identity.chain, chain);
    identity.chain.push(intermediate.der().clone());
    let address = TlsServer::new(identity).start().await;
    dial_tls(address, &world.options).await.unwrap();
}

/// A certificate as `openssl req -x509` makes it: an authority's certificate that the server itself uses.
fn like_openssl_req(hosts: &[&str]) -> rcgen::CertificateParams {
    let mut params = params("localhost", hosts);
    params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    params
}

#[tokio::test]
async fn a_self_signed_certificate_given_as_authority_is_accepted() {
    // What it may be used for does not matter: the user has named it.
    let mut for_signatures = like_openssl_req(&["localhost"]);
    for_signatures.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
    for_signatures.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
    for params in [like_openssl_req(&["localhost"]), params("localhost", &["localhost"]), for_signatures] {
        let files = Files::new();
        let identity = Identity::self_signed(&params);
        let options = TlsOptions {
            ca_files: vec![files.write("server.pem", identity.chain_pem())],
            ..TlsOptions::default()
        };
        let address = TlsServer::new(identity).start().await;
        let mut stream = dial_tls(address, &options).await.unwrap();
        round_trip(&mut stream).await.unwrap();

        // Its name is still checked …
        let error = tls_error(dial_as("127.0.0.1", address, &options).await);
        assert_says(&error, &["is for 'localhost', not for '127.0.0.1'"]);
    }
    // … and so are its dates.
    for (from, to, says) in [(2019, 2020, "expired on 2020"), (2199, 2200, "before 2199")] {
        let files = Files::new();
        let params = between(from, to, like_openssl_req(&["localhost"]));
        let identity = Identity::self_signed(&params);
        let options = TlsOptions {
            ca_files: vec![files.write("server.pem", identity.chain_pem())],
            ..TlsOptions::default()
        };
        let address = TlsServer::new(identity).start().await;
        let error = tls_error(dial_tls(address, &options).await);
        assert_says(&error, &[says]);
    }
}

#[tokio::test]
async fn a_self_signed_certificate_that_was_not_given_is_refused() {
    let world = World::new();
    for params in [like_openssl_req(&["localhost"]), params("localhost", &["localhost"])] {
        let address = TlsServer::new(Identity::self_signed(&params)).start().await;
        let error = tls_error(dial_tls(address, &world.options).await);
        let text = error.to_string();
        assert!(text.contains("self-signed") || text.contains("CA:TRUE"), "{text}");
        assert!(error.hint().unwrap().contains("--cafile"));
    }
}

#[tokio::test]
async fn operating_systems_authorities_are_the_default() {
    let address = TlsServer::new(Identity::self_signed(&params("localhost", &["localhost"]))).start().await;
    // With an empty system store the error is another one, and names that.
    let error = tls_error(dial_tls(address, &TlsOptions::default()).await);
    assert_says(&error, &["the operating system's trust store"]);
}

#[tokio::test]
async fn a_tls_server_met_without_tls_can_be_recognised() {
    let world = World::new();
    let address = world.good_server().start().await;
    let mut stream = dial(&Endpoint::plain("localhost", address.port())).await.unwrap();
    stream.write_all(b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00").await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(looks_like_tls(&answer), "{answer:?}");
    assert!(!looks_like_tls(b"\x20\x02\x00\x00"));
    assert!(!looks_like_tls(b""));
}

/// Most servers close the connection without an answer, so that only a probe can tell.
#[tokio::test]
async fn a_server_is_asked_whether_it_speaks_tls() {
    let world = World::new();
    let picky = world.good_server().with_client_authority(&world.authority).with_alpn(&["other"]);
    for server in [world.good_server(), world.good_server().with_version(&TLS12), picky] {
        let address = server.start().await;
        assert!(speaks_tls(&Endpoint::plain("localhost", address.port())).await);
        assert!(speaks_tls(&Endpoint::plain("127.0.0.1", address.port())).await);
    }
    let asked = |answer: &'static [u8], hangs_up: bool| async move {
        let address = server::spawn(move |mut stream| async move {
            stream.read_u8().await.unwrap();
            stream.write_all(answer).await.unwrap();
            if !hangs_up {
                let _ = stream.read_to_end(&mut Vec::new()).await;
            }
        })
        .await;
        let endpoint = Endpoint::plain("localhost", address.port());
        speaks_tls(&Endpoint { connect_timeout: Duration::from_millis(200), ..endpoint }).await
    };
    for answer in
        [&b""[..], b"\x15", b"\x20\x03\x00\x81\x00", b"\xe0\x02\x81\x00", b"\x15\x02\x00", b"HTTP/1.1"]
    {
        assert!(!asked(answer, true).await && !asked(answer, false).await, "{answer:?}");
    }
    assert!(asked(b"\x15\x03\x01\x00\x02\x02\x28", true).await);
    assert!(!speaks_tls(&Endpoint::plain("localhost", 1)).await);
}

#[tokio::test]
async fn insecure_accepts_every_certificate() {
    let expired = between(2019, 2020, like_openssl_req(&["elsewhere.example"]));
    for version in [&TLS12, &TLS13] {
        let address = TlsServer::new(Identity::self_signed(&expired)).with_version(version).start().await;
        let options = TlsOptions { insecure: true, ..TlsOptions::default() };
        assert!(TlsConfig::load(&options).unwrap().is_insecure());
        let mut stream = dial_tls(address, &options).await.unwrap();
        round_trip(&mut stream).await.unwrap();
    }
}

#[tokio::test]
async fn application_protocols_are_agreed_on_or_the_mismatch_is_named() {
    let world = World::new();
    let address = world.good_server().with_alpn(&["mqtt"]).start().await;
    let offering = |protocols: &[&str]| TlsOptions {
        alpn: protocols.iter().map(ToString::to_string).collect(),
        ..world.options.clone()
    };
    let stream = dial_tls(address, &offering(&["other", "mqtt"])).await.unwrap();
    assert_eq!(stream.tls().unwrap().alpn.as_deref(), Some("mqtt"));
    let error = tls_error(dial_tls(address, &offering(&["x-amzn-mqtt-ca"])).await);
    assert_says(&error, &["none of the application protocols", "'x-amzn-mqtt-ca'"]);
    assert!(error.hint().unwrap().contains("--tls-alpn"));
}

#[tokio::test]
async fn a_version_the_server_does_not_speak_is_named() {
    let world = World::new();
    let address = world.good_server().with_version(&TLS12).start().await;
    let options = TlsOptions { min_version: Some(TlsVersion::Tls13), ..world.options.clone() };
    let error = tls_error(dial_tls(address, &options).await);
    assert_says(&error, &["TLS version"]);
    let options = TlsOptions { max_version: Some(TlsVersion::Tls12), ..world.options.clone() };
    let address = world.good_server().with_version(&TLS13).start().await;
    let error = tls_error(dial_tls(address, &options).await);
    assert_says(&error, &["TLS version"]);
}

#[tokio::test]
async fn a_plain_server_is_recognised() {
    let world = World::new();
    let talking = server::spawn(|mut stream| async move {
        // An HTTP server's answer to a TLS greeting.
        let mut greeting = [0; 16];
        stream.read_exact(&mut greeting).await.unwrap();
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    })
    .await;
    let error = tls_error(dial_tls(talking, &world.options).await);
    assert_says(&error, &["the broker's answer is not TLS"]);
    assert!(error.hint().unwrap().contains("port without TLS"));

    let closing = server::spawn(|mut stream| async move {
        // A broker reads the TLS greeting and closes the connection.
        let mut greeting = [0; 4096];
        let _ = stream.read(&mut greeting).await;
    })
    .await;
    let error = tls_error(dial_tls(closing, &world.options).await);
    assert_says(&error, &["closed", "during the handshake"]);
    assert!(error.hint().unwrap().contains("port without TLS"));
}

#[tokio::test]
async fn a_silent_server_is_given_up_within_the_limit() {
    let world = World::new();
    let address = server::spawn(|mut stream| async move {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    })
    .await;
    let config = Arc::new(TlsConfig::load(&world.options).unwrap());
    let mut endpoint = Endpoint::tls("127.0.0.1", address.port(), config);
    endpoint.connect_timeout = Duration::from_millis(100);
    let error = tls_error(dial(&endpoint).await);
    assert_says(&error, &["the handshake timed out after 100ms"]);
}

#[test]
fn files_are_checked_before_any_socket() {
    let world = World::new();
    let load = |options: &TlsOptions| TlsConfig::load(options).map(|_| ()).unwrap_err();
    let missing = TlsOptions { ca_files: vec![world.files.path("nosuch.pem")], ..TlsOptions::default() };
    assert_says(&load(&missing), &["nosuch.pem"]);
    let empty = TlsOptions {
        ca_files: vec![world.files.write("empty.pem", "nothing here\n")],
        ..TlsOptions::default()
    };
    assert_says(&load(&empty), &["empty.pem: no certificate in this file"]);
    let der = TlsOptions {
        ca_files: vec![world.files.write("ca.der", world.authority.der())],
        ..TlsOptions::default()
    };
    assert!(load(&der).hint().unwrap().contains("DER"));
    let directory = TlsOptions { ca_paths: vec![world.files.path("nosuch")], ..TlsOptions::default() };
    assert_says(&load(&directory), &["CA directory", "nosuch"]);

    let client = world.authority.issue(&params("client", &[]));
    let both = world.with_certificate(&client);
    assert!(TlsConfig::load(&both).is_ok());
    let alone = TlsOptions { key: None, ..both.clone() };
    assert!(matches!(load(&alone), Error::Usage { .. }));
    let alone = TlsOptions { certificate: None, ..both.clone() };
    assert!(matches!(load(&alone), Error::Usage { .. }));
    let swapped = TlsOptions { certificate: both.key.clone(), key: both.certificate.clone(), ..both.clone() };
    let error = load(&swapped);
    assert_says(&error, &["client.key: no certificate in this file"]);
    assert!(error.hint().unwrap().contains("--key"));
    let reversed = world.files.write("reversed.pem", world.authority.pem() + &client.chain_pem());
    let error = load(&TlsOptions { certificate: Some(reversed), ..both.clone() });
    assert_says(&error, &["certificate 2 of", "reversed.pem is the one of", "client.key, and not the first"]);
    assert!(error.hint().unwrap().contains("certificate of this key first"));
    let other = world.authority.issue(&params("other", &[]));
    let mismatched =
        TlsOptions { key: Some(world.files.write("other.key", other.key.serialize_pem())), ..both };
    assert_says(
        &load(&mismatched),
        &["other.key is not the private key of the certificate in", "client.pem"],
    );
}

#[tokio::test]
async fn authorities_can_be_in_a_directory() {
    let world = World::new();
    let directory = world.files.path("authorities");
    std::fs::create_dir(&directory).unwrap();
    let empty = TlsOptions { ca_paths: vec![directory.clone()], ..TlsOptions::default() };
    let error = TlsConfig::load(&empty).map(|_| ()).unwrap_err();
    assert_says(&error, &["authorities: no certificate in this directory"]);
    std::fs::write(directory.join("0a1b2c3d.0"), world.authority.pem()).unwrap();
    std::fs::write(directory.join("README"), "not a certificate").unwrap();
    let address = world.good_server().start().await;
    dial_tls(address, &empty).await.unwrap();
}

#[test]
fn a_name_that_no_certificate_can_hold_is_refused_early() {
    let world = World::new();
    let options = TlsOptions { server_name: Some("no such name".into()), ..world.options.clone() };
    let error = TlsConfig::load(&options).map(|_| ()).unwrap_err();
    assert_says(&error, &["'no such name' is not a name"]);
}
