//! The algorithms that a broker's keys, signatures and key exchange may use.

use std::sync::Arc;

use rcgen::{
    KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ECDSA_P521_SHA256, PKCS_ECDSA_P521_SHA384,
    PKCS_ECDSA_P521_SHA512, PKCS_ED25519, SignatureAlgorithm,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio_rustls::rustls::NamedGroup;
use tokio_rustls::rustls::crypto::SupportedKxGroup;
use tokio_rustls::rustls::version::{TLS12, TLS13};

use super::pki::{Authority, Files, Identity, key_file, params};
use super::round_trip;
use super::server::{self, TlsServer};
use crate::net::{Endpoint, TlsConfig, TlsOptions, dial};

fn key(algorithm: &'static SignatureAlgorithm) -> KeyPair {
    KeyPair::generate_for(algorithm).unwrap()
}

async fn is_accepted(what: &str, ca: String, identity: impl Fn() -> Identity) {
    let files = Files::new();
    let options = TlsOptions { ca_files: vec![files.write("ca.pem", ca)], ..TlsOptions::default() };
    let config = Arc::new(TlsConfig::load(&options).unwrap());
    for version in [&TLS12, &TLS13] {
        let address = TlsServer::new(identity()).with_version(version).start().await;
        let endpoint = Endpoint::tls("localhost", address.port(), Arc::clone(&config));
        let mut stream = dial(&endpoint).await.unwrap_or_else(|error| panic!("{what}: {error}"));
        round_trip(&mut stream).await.unwrap();
    }
}

#[tokio::test]
async fn keys_of_every_curve_are_accepted_anywhere_in_a_chain() {
    const P521: [&SignatureAlgorithm; 3] =
        [&PKCS_ECDSA_P521_SHA256, &PKCS_ECDSA_P521_SHA384, &PKCS_ECDSA_P521_SHA512];
    const OTHERS: [&SignatureAlgorithm; 3] =
        [&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384, &PKCS_ED25519];
    for algorithm in P521.into_iter().chain(OTHERS) {
        let usual = &PKCS_ECDSA_P256_SHA256;
        let root = Authority::root_of("Test CA", key(algorithm));
        let what = format!("root with {algorithm:?}");
        is_accepted(&what, root.pem(), || root.issue_for(&params("broker", &["localhost"]), key(usual)))
            .await;

        let root = Authority::root("Test CA");
        let middle = root.intermediate_of(Authority::params("Test Intermediate"), key(algorithm));
        let below = || {
            let mut identity = middle.issue_for(&params("broker", &["localhost"]), key(usual));
            identity.chain.push(middle.der().clone());
            identity
        };
        is_accepted(&format!("intermediate with {algorithm:?}"), root.pem(), below).await;
    }
    for algorithm in [&PKCS_ECDSA_P521_SHA512, &PKCS_ECDSA_P384_SHA384, &PKCS_ED25519] {
        let root = Authority::root("Test CA");
        let own = || root.issue_for(&params("broker", &["localhost"]), key(algorithm));
        is_accepted(&format!("broker with {algorithm:?}"), root.pem(), own).await;
    }
}

/// Made by `openssl x509 -req -sha512`, which rcgen does not offer for this curve.
#[tokio::test]
async fn p256_signatures_with_sha512_are_accepted() {
    let ca = std::fs::read_to_string(key_file("ec-sha512-ca.crt")).unwrap();
    let identity = || Identity {
        chain: vec![CertificateDer::from_pem_file(key_file("ec-sha512.crt")).unwrap()],
        key: KeyPair::from_pem(&std::fs::read_to_string(key_file("ec-pkcs8.key")).unwrap()).unwrap(),
    };
    is_accepted("P-256 with SHA-512", ca, identity).await;
}

#[tokio::test]
async fn key_exchange_is_post_quantum_where_the_broker_has_it() {
    for (versions, group) in [(&TLS13, NamedGroup::X25519MLKEM768), (&TLS12, NamedGroup::X25519)] {
        let (groups, mut agreed) = tokio::sync::mpsc::unbounded_channel();
        let identity = Identity::self_signed(&params("localhost", &["localhost"]));
        let acceptor = TlsServer::new(identity).with_version(versions).acceptor();
        let address = server::spawn(move |stream| {
            let (acceptor, groups) = (acceptor.clone(), groups.clone());
            async move {
                let stream = acceptor.accept(stream).await.unwrap();
                let group = stream.get_ref().1.negotiated_key_exchange_group().map(SupportedKxGroup::name);
                groups.send(group).unwrap();
            }
        })
        .await;
        let options = TlsOptions { insecure: true, ..TlsOptions::default() };
        let config = Arc::new(TlsConfig::load(&options).unwrap());
        dial(&Endpoint::tls("localhost", address.port(), config)).await.unwrap();
        assert_eq!(agreed.recv().await, Some(Some(group)));
    }
}
