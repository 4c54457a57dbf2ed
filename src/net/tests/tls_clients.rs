//! Client certificates: presented, requested, and refused.

use std::net::SocketAddr;

#[cfg(feature = "broker")]
use rcgen::KeyUsagePurpose;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::rustls::version::{TLS12, TLS13};

use super::pki::{Authority, Files, between, params};
use super::tls::{World, dial_tls};
use super::{assert_says, round_trip, server};
use crate::error::Error;
#[cfg(feature = "broker")]
use crate::net::ServerTls;
use crate::net::{TlsConfig, TlsOptions};

#[tokio::test]
async fn a_client_certificate_is_shown() {
    for version in [&TLS12, &TLS13] {
        let world = World::new();
        let client = world.authority.issue(&params("client", &[]));
        let address =
            world.good_server().with_client_authority(&world.authority).with_version(version).start().await;
        let options = world.with_certificate(&client);
        let mut stream = dial_tls(address, &options).await.unwrap();
        round_trip(&mut stream).await.unwrap();
    }
}

/// The error of a server that refuses the client: at the handshake in TLS 1.2, and at the first read in TLS
/// 1.3, where the client finishes before the server checks the client's certificate.
async fn refusal(address: SocketAddr, options: &TlsOptions) -> Error {
    match dial_tls(address, options).await {
        Err(error) => error,
        Ok(mut stream) => {
            let error = stream.read_u8().await.unwrap_err();
            let broken = crate::net::broken(&error);
            assert_eq!(broken.to_string(), format!("TLS: {}", crate::net::explain(&error)));
            broken
        }
    }
}

#[tokio::test]
async fn a_missing_client_certificate_is_asked_for() {
    for version in [&TLS12, &TLS13] {
        let world = World::new();
        let address =
            world.good_server().with_client_authority(&world.authority).with_version(version).start().await;
        let error = refusal(address, &world.options).await;
        assert_says(&error, &["TLS: the broker asks for a client certificate and got none"]);
        assert!(error.hint().unwrap().contains("--cert"));
    }
}

/// The embedded broker checks the key usage in a client's chain by the same rules as a client that in a broker's.
#[cfg(feature = "broker")]
#[tokio::test]
async fn the_embedded_broker_checks_key_usage_in_the_chain_of_a_client() {
    let below = |middle: Vec<KeyUsagePurpose>, own: Vec<KeyUsagePurpose>, root: &Authority| {
        let mut of_middle = Authority::params("Middle CA");
        of_middle.key_usages = middle;
        let middle = root.intermediate(of_middle);
        let mut of_client = params("client", &[]);
        of_client.key_usages = own;
        let mut identity = middle.issue(&of_client);
        identity.chain.push(middle.der().clone());
        identity
    };
    let (signs, other) = (vec![KeyUsagePurpose::KeyCertSign], vec![KeyUsagePurpose::CrlSign]);
    for (middle, own, refused) in [
        (signs.clone(), vec![], None),
        (vec![], vec![KeyUsagePurpose::DigitalSignature], None),
        (other.clone(), vec![], Some("was issued by an authority whose key usage has no keyCertSign")),
        (signs, other, Some("is not made for TLS: its key usage has no digitalSignature")),
    ] {
        let world = World::new();
        let files = Files::new();
        let own_identity = world.authority.issue(&params("broker", &["localhost"]));
        let certificate = files.write("broker.pem", own_identity.chain_pem());
        let key = files.write("broker.key", own_identity.key.serialize_pem());
        let authorities = files.write("client-ca.pem", world.authority.pem());
        let tls = ServerTls::load(&certificate, &key, Some(&authorities)).unwrap();
        let (sender, mut outcomes) = tokio::sync::mpsc::unbounded_channel();
        let address = server::spawn(move |stream| {
            let (tls, sender) = (tls.clone(), sender.clone());
            async move {
                let outcome = tls.accept(stream).await.map(drop).map_err(|error| error.to_string());
                sender.send(outcome).unwrap();
            }
        })
        .await;
        let client = below(middle, own, &world.authority);
        let _ = dial_tls(address, &world.with_certificate(&client)).await;
        let outcome = outcomes.recv().await.unwrap();
        assert_eq!(outcome.err(), refused.map(|why| format!("the client's certificate {why}")));
    }
}

/// Without a client certificate, an alert about a certificate does not blame ours.
#[tokio::test]
async fn an_alert_about_a_certificate_that_was_not_given() {
    let world = World::new();
    let client = world.authority.issue(&params("client", &[]));
    for (alert, name) in [(48, "unknown ca"), (42, "bad certificate"), (45, "certificate expired")] {
        let address = server::spawn(move |mut stream| async move {
            stream.read_u8().await.unwrap();
            stream.write_all(&[21, 3, 3, 0, 2, 2, alert]).await.unwrap();
            while matches!(stream.read(&mut [0; 4096]).await, Ok(1..)) {}
        })
        .await;
        let error = refusal(address, &world.options).await;
        let expected = format!("with alert {alert} ({name}), and no client certificate was given");
        assert_says(&error, &[&expected]);
        let error = refusal(address, &world.with_certificate(&client)).await;
        assert_says(&error, &["the broker refused the client certificate: "]);
    }
}

#[tokio::test]
async fn a_client_certificate_of_the_wrong_authority_is_refused_in_words() {
    for version in [&TLS12, &TLS13] {
        let world = World::new();
        let stranger = Authority::root("Other CA").issue(&params("client", &[]));
        let address =
            world.good_server().with_client_authority(&world.authority).with_version(version).start().await;
        let error = refusal(address, &world.with_certificate(&stranger)).await;
        assert_says(
            &error,
            &["the broker refused the client certificate: its issuer is not one the broker trusts"],
        );
    }
}

/// The certificates of the client and of the authority are swapped.
#[tokio::test]
async fn exchanged_certificates_are_named() {
    let world = World::new();
    let client = world.authority.issue(&params("client", &[]));
    let good = world.with_certificate(&client);
    let files = Files::new();
    let authority = files.write("ca.pem", world.authority.pem().into_bytes());
    let error = TlsConfig::load(&TlsOptions { certificate: Some(authority), ..good.clone() }).unwrap_err();
    assert_says(&error, &["is not the private key of the certificate in"]);
    assert!(error.hint().unwrap().contains("holds the certificate of an authority"), "{error:?}");
    assert!(error.hint().unwrap().ends_with("that goes after --cafile"), "{error:?}");
    let address = world.good_server().start().await;
    let ca_files = vec![good.certificate.clone().unwrap()];
    let error = dial_tls(address, &TlsOptions { ca_files, ..TlsOptions::default() }).await.unwrap_err();
    let hint = error.hint().unwrap();
    assert!(hint.contains("holds no authority, but the certificate of CN=client"), "{error:?}");
    assert!(hint.ends_with("that of a client goes after --cert"), "{error:?}");
}

#[tokio::test]
async fn an_expired_client_certificate_is_refused_in_words() {
    let world = World::new();
    let expired = between(2019, 2020, params("client", &[]));
    let client = world.authority.issue(&expired);
    let address = world.good_server().with_client_authority(&world.authority).start().await;
    let error = refusal(address, &world.with_certificate(&client)).await;
    assert_says(&error, &["refused the client certificate", "expired"]);
}
