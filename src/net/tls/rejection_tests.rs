//! The text of each cause, including those that no certificate can cause.

use rustls_pki_types::pem::PemObject as _;
use tokio_rustls::rustls::{
    ContentType, ExtendedKeyPurpose, HandshakeType, InvalidMessage, PeerIncompatible, PeerMisbehaved,
};

use super::wrong_name::is_too_short_a_wildcard;
use super::*;

/// No library's type names and no dumped bytes.
fn assert_plain(text: &str) {
    const NAMES: &[&str] =
        &["serverAuth", "digitalSignature", "basicConstraints", "pathLenConstraint", "keyUsage"];
    const MORE: &[&str] = &["extendedKeyUsage", "subjectAltName", "cRLSign", "CA:TRUE", "sha256:"];
    assert!(!text.is_empty() && !text.contains(['[', ']', '{', '}', '\n']), "{text}");
    for word in text.split_whitespace().filter(|word| !word.contains('/')) {
        let is_known = NAMES.iter().chain(MORE).any(|name| word.contains(name));
        let mut pairs = word.chars().zip(word.chars().skip(1));
        let is_camel = pairs.any(|(a, b)| a.is_ascii_lowercase() && b.is_ascii_uppercase());
        assert!(is_known || !is_camel, "{word} in {text}");
    }
}

fn rejected_for(cause: CertificateError) -> Rejection {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/net/tests/keys/ec-sha512.crt");
    let certificate = CertificateDer::from_pem_file(path).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let presented = Presented {
        end_entity: &certificate,
        intermediates: &[],
        name: &name,
        now: UnixTime::since_unix_epoch(Duration::from_secs(1)),
        authorities: &HashSet::new(),
        place: "ca.pem",
        lists_place: "list.crl",
        own_is_revoked: false,
        algorithms: &[],
    };
    rejection(&TlsError::InvalidCertificate(cause), &presented)
}

fn of_library(cause: PathError) -> CertificateError {
    CertificateError::Other(OtherError(std::sync::Arc::new(cause)))
}

#[test]
fn every_cause_of_a_rejection_has_words() {
    use CertificateError as Cause;
    let (time, moment) = (UnixTime::now(), UnixTime::since_unix_epoch(Duration::ZERO));
    let causes = vec![
        Cause::BadEncoding,
        Cause::Expired,
        Cause::ExpiredContext { time, not_after: moment },
        Cause::NotValidYet,
        Cause::NotValidYetContext { time, not_before: moment },
        Cause::Revoked,
        Cause::UnhandledCriticalExtension,
        Cause::UnknownIssuer,
        Cause::UnknownRevocationStatus,
        Cause::ExpiredRevocationList,
        Cause::ExpiredRevocationListContext { time, next_update: moment },
        Cause::BadSignature,
        Cause::UnsupportedSignatureAlgorithmContext {
            signature_algorithm_id: vec![1; 9],
            supported_algorithms: vec![],
        },
        Cause::UnsupportedSignatureAlgorithmForPublicKeyContext {
            signature_algorithm_id: vec![1; 9],
            public_key_algorithm_id: vec![1; 9],
        },
        Cause::NotValidForName,
        Cause::InvalidPurpose,
        Cause::InvalidPurposeContext { required: ExtendedKeyPurpose::ServerAuth, presented: vec![] },
        Cause::InvalidOcspResponse,
        Cause::ApplicationVerificationFailure,
        Cause::Other(OtherError(std::sync::Arc::new(std::io::Error::other("[1, 2, 3]")))),
    ];
    let library = [
        PathError::BadDer,
        PathError::CaUsedAsEndEntity,
        PathError::CertDistrusted,
        PathError::EmptyEkuExtension,
        PathError::EndEntityUsedAsCa,
        PathError::ExtensionValueInvalid,
        PathError::InvalidNetworkMaskConstraint,
        PathError::InvalidSerialNumber,
        PathError::MalformedDnsIdentifier,
        PathError::MalformedExtensions,
        PathError::MalformedNameConstraint,
        PathError::MaximumNameConstraintComparisonsExceeded,
        PathError::MaximumPathBuildCallsExceeded,
        PathError::MaximumPathDepthExceeded,
        PathError::MaximumSignatureChecksExceeded,
        PathError::NameConstraintViolation,
        PathError::PathLenConstraintViolated,
        PathError::SignatureAlgorithmMismatch,
        PathError::UnsupportedCertVersion,
        PathError::UnsupportedCriticalExtension,
        PathError::UnsupportedNameType,
    ];
    for cause in causes.into_iter().chain(library.map(of_library)) {
        let unspecified = words(&TlsError::InvalidCertificate(cause.clone()));
        let Rejection { words, hint, .. } = rejected_for(cause);
        for text in [&unspecified, &words, hint.as_ref().unwrap_or(&words)] {
            assert_plain(text);
        }
    }
}

#[test]
fn a_key_of_the_brokers_that_is_too_short_is_named() {
    let certificate = |name: &str| {
        let path = format!("{}/src/net/tests/keys/{name}.crt", env!("CARGO_MANIFEST_DIR"));
        CertificateDer::from_pem_file(path).unwrap()
    };
    let Rejection { words, hint, .. } = unusable_key(&certificate("rsa-1024-ca")).unwrap();
    assert!(words.contains("; RSA, 1024 bits) is of a length that is not supported"), "{words}");
    assert!(hint.unwrap().contains("RSA from 2048"));
    assert_eq!(unusable_key(&certificate("rsa-sha1-ca")), None);
    assert_eq!(unusable_key(&certificate("ec-sha512")), None);
}

#[test]
fn a_wildcard_over_one_label_covers_nothing() {
    for (name, host, is_too_short) in [
        ("*.localhost", "broker.localhost", true),
        ("*.LOCALHOST", "broker.localhost.", true),
        ("*.localhost", "localhost", false),
        ("*.localhost", "a.b.localhost", false),
        ("*.example.org", "a.example.org", false),
        ("*.0.0.1", "127.0.0.1", false),
        ("*", "localhost", false),
    ] {
        assert_eq!(is_too_short_a_wildcard(name, host), is_too_short, "{name} {host}");
    }
}

#[test]
fn every_cause_of_an_unusable_list_has_words() {
    use tokio_rustls::rustls::CertRevocationListError as Cause;
    let other = |cause| Cause::Other(OtherError(std::sync::Arc::new(cause)));
    for cause in [
        Cause::BadSignature,
        Cause::UnsupportedSignatureAlgorithmContext {
            signature_algorithm_id: vec![1; 9],
            supported_algorithms: vec![],
        },
        Cause::InvalidCrlNumber,
        Cause::InvalidRevokedCertSerialNumber,
        Cause::IssuerInvalidForCrl,
        Cause::ParseError,
        Cause::UnsupportedCrlVersion,
        Cause::UnsupportedCriticalExtension,
        Cause::UnsupportedDeltaCrl,
        Cause::UnsupportedIndirectCrl,
        Cause::UnsupportedRevocationReason,
        other(PathError::UnsupportedCrlIssuingDistributionPoint),
        other(PathError::UnsupportedRevocationReasonsPartitioning),
        other(PathError::BadDer),
    ] {
        assert_plain(&list_words(&cause));
    }
}

#[test]
fn every_other_failure_has_words() {
    for error in [
        TlsError::InappropriateMessage {
            expect_types: vec![ContentType::Alert],
            got_type: ContentType::Handshake,
        },
        TlsError::InappropriateHandshakeMessage {
            expect_types: vec![HandshakeType::Finished],
            got_type: HandshakeType::HelloRequest,
        },
        TlsError::InvalidMessage(InvalidMessage::MissingData("ServerHello")),
        TlsError::InvalidMessage(InvalidMessage::DuplicateExtension(3)),
        TlsError::InvalidMessage(InvalidMessage::InvalidContentType),
        TlsError::NoCertificatesPresented,
        TlsError::UnsupportedNameType,
        TlsError::DecryptError,
        TlsError::EncryptError,
        TlsError::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon),
        TlsError::PeerIncompatible(PeerIncompatible::NoKxGroupsInCommon),
        TlsError::PeerIncompatible(PeerIncompatible::ServerRejectedEncryptedClientHello(Some(vec![]))),
        TlsError::PeerMisbehaved(PeerMisbehaved::SelectedUnofferedKxGroup),
        TlsError::PeerMisbehaved(PeerMisbehaved::TooManyRenegotiationRequests),
        TlsError::FailedToGetCurrentTime,
        TlsError::FailedToGetRandomBytes,
        TlsError::HandshakeNotComplete,
        TlsError::PeerSentOversizedRecord,
        TlsError::NoApplicationProtocol,
        TlsError::BadMaxFragmentSize,
        TlsError::Other(OtherError(std::sync::Arc::new(std::io::Error::other("[1, 2, 3]")))),
    ] {
        assert_plain(&words(&error));
    }
    let misbehaved = words(&TlsError::PeerMisbehaved(PeerMisbehaved::SelectedUnofferedKxGroup));
    assert_eq!(misbehaved, "the broker broke the TLS protocol: selected unoffered kx group");
}
