//! Less common uses of TLS: keys in every form, versions and ciphers, pins, revocation, key log.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{KeyPair, SerialNumber};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio_rustls::rustls::version::{TLS12, TLS13};

use super::pki::{Authority, Files, Identity, key_file, params};
use super::server::TlsServer;
use super::{assert_says, error_of, round_trip};
use crate::error::{Error, Layer};
use crate::net::{Endpoint, KeyPassword, Pin, Stream, TlsConfig, TlsOptions, TlsVersion, dial};

async fn dial_tls(address: SocketAddr, options: &TlsOptions) -> Result<Stream, Error> {
    let config = TlsConfig::load(options)?;
    dial(&Endpoint::tls("localhost", address.port(), Arc::new(config))).await
}

fn load_error(options: &TlsOptions) -> Error {
    let error = TlsConfig::load(options).unwrap_err();
    assert!(!error.to_string().contains('\n'), "{error}");
    error
}

/// Options that trust `authority`.
fn trusting(files: &Files, authority: &Authority) -> TlsOptions {
    TlsOptions { ca_files: vec![files.write("ca.pem", authority.pem())], ..TlsOptions::default() }
}

/// Options with one of the tests' keys and a certificate for it.
fn with_key(files: &Files, authority: &Authority, key: &str, plain_key: &str) -> TlsOptions {
    let plain = std::fs::read_to_string(key_file(plain_key)).unwrap();
    let chain = authority.issue_for(&params("client", &[]), KeyPair::from_pem(&plain).unwrap());
    TlsOptions {
        certificate: Some(files.write("client.pem", chain.chain_pem())),
        key: Some(key_file(key)),
        ..trusting(files, authority)
    }
}

#[tokio::test]
async fn keys_are_read_in_every_form() {
    let files = Files::new();
    let authority = Authority::root("Test CA");
    let server = authority.issue(&params("broker", &["localhost"]));
    let address = TlsServer::new(server).with_client_authority(&authority).start().await;
    for (key, plain_key) in [
        ("rsa-pkcs1.key", "rsa-pkcs8.key"),
        ("rsa-pkcs8.key", "rsa-pkcs8.key"),
        ("ec-sec1.key", "ec-pkcs8.key"),
        ("ec-pkcs8.key", "ec-pkcs8.key"),
        ("ec-pkcs8-aes256.key", "ec-pkcs8.key"),
        ("ec-pkcs8-3des-sha1.key", "ec-pkcs8.key"),
        ("ec-pkcs8-scrypt.key", "ec-pkcs8.key"),
    ] {
        let options = TlsOptions {
            key_password: Some(KeyPassword::new("secret")),
            ..with_key(&files, &authority, key, plain_key)
        };
        let mut stream = dial_tls(address, &options).await.unwrap();
        round_trip(&mut stream).await.unwrap_or_else(|error| panic!("{key}: {error}"));
    }
}

/// A certificate of X.509 version 1, as old recipes for `openssl x509 -req` make it.
fn version_1() -> Identity {
    let key = std::fs::read_to_string(key_file("ec-pkcs8.key")).unwrap();
    let certificate = CertificateDer::from_pem_file(key_file("ec-version-1.crt")).unwrap();
    Identity { chain: vec![certificate], key: KeyPair::from_pem(&key).unwrap() }
}

#[tokio::test]
async fn a_version_1_certificate_is_explained_and_accepted_only_unchecked() {
    for version in [&TLS12, &TLS13] {
        let address = TlsServer::new(version_1()).with_version(version).start().await;
        let given = TlsOptions { ca_files: vec![key_file("ec-version-1.crt")], ..TlsOptions::default() };
        let error = error_of(Layer::Tls, dial_tls(address, &given).await);
        assert_says(&error, &["CN=localhost", "X.509 version 1"]);
        // The hint contains the pin that accepts this server.
        let hint = error.advice(|_| None).unwrap();
        let pin = hint.split_whitespace().find(|word| word.starts_with("sha256:")).unwrap();
        assert!(hint.contains(&format!("--insecure --tls-pin {pin} ")), "{hint}");
        assert!(
            error
                .advice(|pin| Some(format!("the line {pin}")))
                .unwrap()
                .ends_with(&format!(": the line {pin}"))
        );
        let pinned = TlsOptions { insecure: true, pins: vec![pin.parse().unwrap()], ..TlsOptions::default() };
        let mut stream = dial_tls(address, &pinned).await.unwrap();
        round_trip(&mut stream).await.unwrap();
        let insecure = TlsOptions { insecure: true, ..TlsOptions::default() };
        let mut stream = dial_tls(address, &insecure).await.unwrap();
        round_trip(&mut stream).await.unwrap();
    }
}

#[test]
fn a_version_1_certificate_can_be_the_clients() {
    let options = TlsOptions {
        insecure: true,
        certificate: Some(key_file("ec-version-1.crt")),
        key: Some(key_file("ec-sec1.key")),
        ..TlsOptions::default()
    };
    TlsConfig::load(&options).unwrap();
    let other = TlsOptions { key: Some(key_file("rsa-pkcs1.key")), ..options };
    assert_says(&load_error(&other), &["rsa-pkcs1.key is not the private key of the certificate in"]);
}

#[test]
fn a_curve_without_a_name_is_the_reason() {
    let options = TlsOptions {
        insecure: true,
        certificate: Some(key_file("ec-explicit.crt")),
        key: Some(key_file("ec-explicit.key")),
        ..TlsOptions::default()
    };
    let error = load_error(&options);
    assert_says(&error, &["ec-explicit.crt: its key describes its curve by parameters and not by name"]);
    assert!(error.hint().unwrap().contains("openssl ecparam"));
}

#[test]
fn encrypted_keys_that_do_not_open_say_why() {
    let files = Files::new();
    let authority = Authority::root("Test CA");
    let load = |key: &str, password: Option<&str>| {
        load_error(&TlsOptions {
            key_password: password.map(KeyPassword::new),
            ..with_key(&files, &authority, key, "ec-pkcs8.key")
        })
    };
    let error = load("ec-pkcs8-aes256.key", None);
    assert_says(&error, &["ec-pkcs8-aes256.key: this private key is encrypted"]);
    assert!(error.hint().unwrap().contains("--key-password-file"));
    let error = load("ec-pkcs8-aes256.key", Some("hush"));
    assert_says(&error, &["the given password does not decrypt this private key"]);
    assert!(!error.to_string().contains("hush") && error.hint().is_none());
    // As PowerShell writes it.
    let password = KeyPassword::new(b"\xff\xfes\0e\0".to_vec());
    let error = load_error(&TlsOptions {
        key_password: Some(password),
        ..with_key(&files, &authority, "ec-pkcs8-aes256.key", "ec-pkcs8.key")
    });
    assert_eq!(error.hint(), Some("the file with the password is UTF-16; save it as UTF-8"));
    for old in ["ec-pkcs8-pkcs12.key", "ec-openssl-legacy.key"] {
        let error = load(old, Some("secret"));
        assert_says(&error, &[old, "encrypted"]);
        assert!(!error.to_string().contains("ASN"), "{error}");
        assert!(error.hint().unwrap().contains("openssl pkcs8 -topk8"), "{error}");
    }
}

#[tokio::test]
async fn versions_and_ciphers_are_respected() {
    let files = Files::new();
    let authority = Authority::root("Test CA");
    let address = TlsServer::new(authority.issue(&params("broker", &["localhost"]))).start().await;
    for (version, name) in [(TlsVersion::Tls12, "TLS 1.2"), (TlsVersion::Tls13, "TLS 1.3")] {
        let options = TlsOptions {
            min_version: Some(version),
            max_version: Some(version),
            ..trusting(&files, &authority)
        };
        assert_eq!(dial_tls(address, &options).await.unwrap().tls().unwrap().version, name);
    }
    for (ciphers, version, suite) in [
        ("ECDHE-ECDSA-AES128-GCM-SHA256", "TLS 1.2", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256"),
        ("TLS_CHACHA20_POLY1305_SHA256", "TLS 1.3", "TLS_CHACHA20_POLY1305_SHA256"),
    ] {
        let options = TlsOptions { ciphers: Some(ciphers.into()), ..trusting(&files, &authority) };
        let facts = dial_tls(address, &options).await.unwrap().tls().unwrap();
        assert_eq!((facts.version.as_str(), facts.cipher_suite.as_str()), (version, suite));
    }
    // A suite for RSA certificates does not fit this server's certificate.
    let options =
        TlsOptions { ciphers: Some("ECDHE-RSA-AES128-GCM-SHA256".into()), ..trusting(&files, &authority) };
    let error = error_of(Layer::Tls, dial_tls(address, &options).await);
    assert_says(&error, &["no set of parameters that both sides accept"]);
    // A suite that only one version has, with the other version required.
    let options = TlsOptions {
        ciphers: Some("TLS_AES_128_GCM_SHA256".into()),
        max_version: Some(TlsVersion::Tls12),
        ..trusting(&files, &authority)
    };
    assert!(matches!(load_error(&options), Error::Usage { .. }));
}

#[tokio::test]
async fn a_pinned_key_is_accepted_and_another_refused() {
    for version in [&TLS12, &TLS13] {
        let files = Files::new();
        let authority = Authority::root("Test CA");
        let server = authority.issue(&params("broker", &["localhost"]));
        let right = Pin::of(&server.chain[0]).unwrap();
        let wrong = Pin::of(authority.der()).unwrap();
        let address = TlsServer::new(server).with_version(version).start().await;
        let pinning = |pins: &[Pin]| TlsOptions { pins: pins.to_vec(), ..trusting(&files, &authority) };
        let mut stream = dial_tls(address, &pinning(&[wrong, right])).await.unwrap();
        round_trip(&mut stream).await.unwrap();
        let error = error_of(Layer::Tls, dial_tls(address, &pinning(&[wrong])).await);
        assert_says(&error, &[&format!("the broker's public key is {right}, which is not pinned")]);
        // A pin does not replace the other checks …
        let strangers = TlsOptions { pins: vec![right], ..trusting(&files, &Authority::root("Other CA")) };
        let error = error_of(Layer::Tls, dial_tls(address, &strangers).await);
        assert_says(&error, &["issued by CN=Test CA"]);
        // … unless they are disabled; then the pin is the only check.
        let insecure = |pin| TlsOptions { insecure: true, pins: vec![pin], ..TlsOptions::default() };
        let mut stream = dial_tls(address, &insecure(right)).await.unwrap();
        round_trip(&mut stream).await.unwrap();
        let error = error_of(Layer::Tls, dial_tls(address, &insecure(wrong)).await);
        assert_says(&error, &["which is not pinned"]);
    }
}

/// A server with an intermediate authority, and the serial numbers of both certificates.
struct Chain {
    root: Authority,
    intermediate: Authority,
    address: SocketAddr,
}

const OWN: u64 = 4711;
const INTERMEDIATE: u64 = 42;

async fn chain() -> Chain {
    let root = Authority::root("Test CA");
    let mut intermediate = Authority::params("Test Intermediate");
    intermediate.serial_number = Some(INTERMEDIATE.into());
    let intermediate = root.intermediate(intermediate);
    let mut own = params("broker", &["localhost"]);
    own.serial_number = Some(OWN.into());
    let mut identity: Identity = intermediate.issue(&own);
    identity.chain.push(intermediate.der().clone());
    let address = TlsServer::new(identity).start().await;
    Chain { root, intermediate, address }
}

#[tokio::test]
async fn revocation_lists_are_applied() {
    let Chain { root, intermediate, address } = chain().await;
    let files = Files::new();
    let with_lists = |lists: &[String]| TlsOptions {
        crl_files: vec![files.write("lists.pem", lists.concat())],
        ..trusting(&files, &root)
    };
    let nobody = intermediate.revocation_list(&[&SerialNumber::from(1_u64)], true);
    let own = intermediate.revocation_list(&[&SerialNumber::from(OWN)], true);
    let above = root.revocation_list(&[&SerialNumber::from(INTERMEDIATE)], true);
    let stale = intermediate.revocation_list(&[], false);

    dial_tls(address, &with_lists(std::slice::from_ref(&nobody))).await.unwrap();
    for (lists, says) in [
        (vec![own], "(CN=broker, issued by CN=Test Intermediate) has been revoked according to "),
        (
            vec![nobody, above.clone()],
            "an authority above the broker's certificate (CN=broker) has been revoked",
        ),
        (vec![above], "holds no list of that issuer"),
        (vec![stale], "is out of date since 2021-01-01T00:00:00Z"),
    ] {
        let error = error_of(Layer::Tls, dial_tls(address, &with_lists(&lists)).await);
        assert_says(&error, &[says, "lists.pem"]);
    }
}

#[tokio::test]
async fn every_list_of_one_issuer_is_applied() {
    let Chain { root, intermediate, address } = chain().await;
    let files = Files::new();
    let other = SerialNumber::from(1_u64);
    let mut number = 0;
    let mut file = |list: String| {
        number += 1;
        files.write(&format!("list-{number}.pem"), list)
    };
    let nobody = file(intermediate.revocation_list(&[&other], true));
    let own = file(intermediate.revocation_list(&[&OWN.into()], true));
    let nobody_above = file(root.revocation_list(&[&other], true));
    let above = file(root.revocation_list(&[&INTERMEDIATE.into()], true));
    let stale = file(intermediate.revocation_list(&[], false));
    let with_lists = |lists: &[&PathBuf]| TlsOptions {
        crl_files: lists.iter().copied().cloned().collect(),
        ..trusting(&files, &root)
    };
    dial_tls(address, &with_lists(&[&nobody, &nobody, &nobody_above])).await.unwrap();
    let own_revoked = "(CN=broker, issued by CN=Test Intermediate) has been revoked according to ";
    let above_revoked = "an authority above the broker's certificate (CN=broker) has been revoked";
    for (lists, says) in [
        ([&nobody, &own, &nobody_above], own_revoked),
        ([&own, &nobody, &nobody_above], own_revoked),
        ([&nobody, &nobody_above, &above], above_revoked),
        ([&nobody, &above, &nobody_above], above_revoked),
        ([&nobody, &nobody_above, &stale], "is out of date since 2021-01-01T00:00:00Z"),
    ] {
        let error = error_of(Layer::Tls, dial_tls(address, &with_lists(&lists)).await);
        assert_says(&error, &[says]);
    }
}

/// As for OpenSSL, which refuses it, its date is a sign of a wrong clock or a wrong file; as RFC 5280 says, it
/// does not matter for what the list revokes.
#[tokio::test]
async fn revocation_list_of_the_future_is_used_with_a_warning() {
    let Chain { root, intermediate, address } = chain().await;
    let files = Files::new();
    let load = |revoked: u64, year: i32| {
        let list = intermediate.dated_revocation_list(&[&revoked.into()], [year, 2199]);
        let crl_files = vec![files.write("lists.pem", list)];
        TlsConfig::load(&TlsOptions { crl_files, ..trusting(&files, &root) }).unwrap()
    };
    for year in [2049, 2150] {
        let config = load(1, year);
        let [warning] = config.warnings() else { panic!("{:?}", config.warnings()) };
        let dated = format!(
            "lists.pem: the revocation list is dated {year}-01-01T00:00:00Z, and this machine's clock"
        );
        assert!(warning.contains(&dated), "{warning}");
        dial(&Endpoint::tls("localhost", address.port(), Arc::new(config))).await.unwrap();
        let config = load(OWN, year);
        let endpoint = Endpoint::tls("localhost", address.port(), Arc::new(config));
        assert_says(&error_of(Layer::Tls, dial(&endpoint).await), &["has been revoked according to "]);
    }
    assert!(load(1, 2020).warnings().is_empty());
}

#[tokio::test]
async fn forged_revocation_list_is_refused() {
    let Chain { root, address, .. } = chain().await;
    let files = Files::new();
    let forger = Authority::root("Test Intermediate");
    let options = TlsOptions {
        crl_files: vec![files.write("lists.pem", forger.revocation_list(&[], true))],
        ..trusting(&files, &root)
    };
    let error = error_of(Layer::Tls, dial_tls(address, &options).await);
    assert_says(&error, &["the revocation list (", "its signature is not the issuer's"]);
}

#[test]
fn a_file_without_revocation_lists_says_so() {
    let files = Files::new();
    let authority = Authority::root("Test CA");
    let options = TlsOptions {
        crl_files: vec![files.write("wrong.pem", authority.pem())],
        ..trusting(&files, &authority)
    };
    assert_says(&load_error(&options), &["wrong.pem: no certificate revocation list in this file"]);
    for (garbage, says) in [
        ("MAMCAQU=", "garbage.pem: a revocation list cannot be used"),
        ("AAAA", "garbage.pem: block 1 (X509 CRL, line 1): it does not hold DER"),
    ] {
        let garbage = format!("-----BEGIN X509 CRL-----\n{garbage}\n-----END X509 CRL-----\n");
        let options = TlsOptions {
            crl_files: vec![files.write("garbage.pem", garbage)],
            ..trusting(&files, &authority)
        };
        assert_says(&load_error(&options), &[says]);
    }
}

#[tokio::test]
async fn session_keys_are_logged_on_request() {
    let files = Files::new();
    let authority = Authority::root("Test CA");
    let address = TlsServer::new(authority.issue(&params("broker", &["localhost"]))).start().await;
    let path = files.path("keys.log");
    let options = TlsOptions { key_log: Some(path.clone()), ..trusting(&files, &authority) };
    dial_tls(address, &options).await.unwrap();
    let log = std::fs::read_to_string(&path).unwrap();
    let line = log.lines().find(|line| line.starts_with("CLIENT_TRAFFIC_SECRET_0 ")).unwrap();
    let fields: Vec<&str> = line.split(' ').collect();
    assert_eq!(fields.len(), 3, "{line}");
    assert_eq!(fields[1].len(), 64);
    assert!(fields[1..].iter().all(|field| field.chars().all(|digit| digit.is_ascii_hexdigit())));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let nowhere = TlsOptions { key_log: Some(files.path("no/such/place")), ..options };
    assert_says(&load_error(&nowhere), &["TLS key log", "no/such/place"]);
}
