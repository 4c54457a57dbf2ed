//! TLS failures in words.

use tokio_rustls::rustls::{
    AlertDescription, CertRevocationListError, CertificateError, Error as TlsError, InvalidMessage,
    OtherError, PeerIncompatible, PeerMisbehaved,
};
use webpki::Error as PathError;

use crate::clock;

pub(in crate::net) fn words(error: &TlsError) -> String {
    match error {
        TlsError::AlertReceived(alert) if is_about_our_certificate(*alert) => {
            format!("the broker refused the client certificate: {}", alert_words(*alert))
        }
        TlsError::AlertReceived(AlertDescription::CertificateRequired) => {
            "the broker asks for a client certificate and got none".into()
        }
        TlsError::AlertReceived(alert) => {
            format!("the broker refused the connection: {}", alert_words(*alert))
        }
        TlsError::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => "the broker's answer is not TLS".into(),
        TlsError::InvalidMessage(what) => {
            format!("the broker's answer is not valid TLS: {}", plain(what))
        }
        TlsError::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => "the broker supports no TLS version that is allowed here".into(),
        TlsError::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon) => {
            "the broker chose no cipher suite that is allowed here".into()
        }
        TlsError::PeerIncompatible(PeerIncompatible::ExtendedMasterSecretExtensionRequired) => {
            "the broker does not support the Extended Master Secret (RFC 7627), which is required here".into()
        }
        TlsError::PeerIncompatible(what) => {
            format!("the broker's TLS is not compatible: {}", plain(what))
        }
        TlsError::PeerMisbehaved(PeerMisbehaved::TooManyRenegotiationRequests) => {
            "the broker renegotiates TLS repeatedly, which is not supported here".into()
        }
        TlsError::PeerMisbehaved(what) => format!("the broker broke the TLS protocol: {}", plain(what)),
        TlsError::InappropriateMessage { got_type, .. } => {
            format!("the broker broke the TLS protocol: unexpected message {}", plain(got_type))
        }
        TlsError::InappropriateHandshakeMessage { got_type, .. } => {
            format!("the broker broke the TLS protocol: unexpected handshake message {}", plain(got_type))
        }
        TlsError::InvalidCertificate(what) => of_unknown_certificate(what),
        TlsError::InvalidCertRevocationList(what) => {
            format!("a revocation list cannot be used: {}", list_words(what))
        }
        TlsError::NoCertificatesPresented => "the broker sent no certificate".into(),
        TlsError::UnsupportedNameType => "the name asked for is not one that a certificate can hold".into(),
        TlsError::DecryptError => "a record from the broker could not be decrypted".into(),
        TlsError::PeerSentOversizedRecord => "the broker sent a record longer than TLS allows".into(),
        TlsError::NoApplicationProtocol => "no application protocol (ALPN) in common".into(),
        TlsError::FailedToGetCurrentTime => clock::before_1970(),
        TlsError::FailedToGetRandomBytes => "the operating system gave no random numbers".into(),
        TlsError::HandshakeNotComplete => "the handshake is not complete".into(),
        TlsError::General(what) => what.clone(),
        other => format!("TLS failed: {}", plain(other)),
    }
}

/// The library's name for a fault, as words: `SelectedUnofferedKxGroup` is "selected unoffered kx group". The
/// fault's data is omitted: it may be bytes.
pub(super) fn plain(fault: &impl std::fmt::Debug) -> String {
    let debug = format!("{fault:?}");
    let name = debug.split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
    let mut words = String::new();
    for character in name.chars() {
        if character.is_ascii_uppercase() && words.ends_with(|last: char| !last.is_ascii_uppercase()) {
            words.push(' ');
        }
        words.push(character);
    }
    words.to_ascii_lowercase()
}

/// Whether a server uses the alert to refuse our certificate.
pub(super) fn is_about_our_certificate(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::NoCertificate
    )
}

/// The number of an alert, with its name if TLS has one for it.
pub(super) fn numbered(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::Unknown(number) => format!("{number}, which TLS does not define"),
        known => format!("{} ({})", u8::from(known), plain(&known)),
    }
}

/// An alert in words (RFC 8446, section 6.2, and its predecessors).
pub(super) fn alert_words(alert: AlertDescription) -> String {
    let words = match alert {
        AlertDescription::HandshakeFailure => {
            "it found no set of parameters that both sides accept (handshake_failure)"
        }
        AlertDescription::BadCertificate => "it is damaged or not valid (bad_certificate)",
        AlertDescription::UnsupportedCertificate => {
            "the broker does not support its kind (unsupported_certificate)"
        }
        AlertDescription::CertificateRevoked => "it has been revoked (certificate_revoked)",
        AlertDescription::CertificateExpired => "it has expired or is not valid yet (certificate_expired)",
        AlertDescription::CertificateUnknown => "it is not acceptable (certificate_unknown)",
        AlertDescription::UnknownCA => "its issuer is not one the broker trusts (unknown_ca)",
        AlertDescription::NoCertificate => "there was none (no_certificate)",
        AlertDescription::AccessDenied => "the certificate is valid, but has no access (access_denied)",
        AlertDescription::ProtocolVersion => {
            "it does not support the TLS versions offered (protocol_version)"
        }
        AlertDescription::InsufficientSecurity => {
            "it wants stronger ciphers than those offered (insufficient_security)"
        }
        AlertDescription::InternalError => "it has an error of its own (internal_error)",
        AlertDescription::UnrecognisedName => {
            "it has no certificate for the name asked for (unrecognized_name)"
        }
        AlertDescription::CertificateRequired => "certificate_required",
        AlertDescription::NoApplicationProtocol => {
            "it supports none of the application protocols offered (no_application_protocol)"
        }
        AlertDescription::UnknownPSKIdentity => "it wants a pre-shared key (unknown_psk_identity)",
        AlertDescription::DecryptError => "it could not verify the client's handshake (decrypt_error)",
        AlertDescription::CloseNotify => "it closed the connection (close_notify)",
        other => return format!("it sent the alert {}", numbered(other)),
    };
    words.into()
}

/// The text for a refused certificate without further details.
fn of_unknown_certificate(cause: &CertificateError) -> String {
    match cause {
        CertificateError::BadSignature => {
            "the broker's handshake signature does not match the key of its certificate".into()
        }
        CertificateError::UnsupportedSignatureAlgorithmContext { .. }
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "the broker signed the handshake with an algorithm that the key of its certificate does not allow"
                .into()
        }
        CertificateError::BadEncoding => "the broker's certificate is damaged: it is not valid X.509".into(),
        _ => "the broker's certificate cannot be used".into(),
    }
}

/// The text for an unusable revocation list.
pub(super) fn list_words(error: &CertRevocationListError) -> String {
    use CertRevocationListError as Cause;
    let words = match error {
        Cause::BadSignature => "its signature is not the issuer's",
        Cause::UnsupportedSignatureAlgorithmContext { .. }
        | Cause::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            "it is signed with an algorithm that is not supported, or not with the issuer's kind of key"
        }
        Cause::IssuerInvalidForCrl => "its issuer's certificate may not sign lists (no cRLSign key usage)",
        Cause::InvalidCrlNumber => "its number is not valid",
        Cause::InvalidRevokedCertSerialNumber => "the serial number of a revoked certificate is not valid",
        Cause::ParseError => {
            "it cannot be read: it is of version 1, damaged, or without the extensions that RFC 5280 asks for \
             (`crl_extensions = crl_ext` in openssl.cnf)"
        }
        Cause::UnsupportedCrlVersion => "it is not of version 2",
        Cause::UnsupportedCriticalExtension => "it has a critical extension that is not supported",
        Cause::UnsupportedDeltaCrl => "it is a delta list, and those are not supported",
        Cause::UnsupportedIndirectCrl => "it is an indirect list, and those are not supported",
        Cause::UnsupportedRevocationReason => "it has a reason of revocation that is not supported",
        Cause::Other(OtherError(other)) => match other.downcast_ref::<PathError>() {
            Some(PathError::UnsupportedCrlIssuingDistributionPoint) => {
                "its issuing distribution point is not supported"
            }
            Some(PathError::UnsupportedRevocationReasonsPartitioning) => {
                "it is for some reasons of revocation only, and such lists are not supported"
            }
            _ => "it is not valid",
        },
        _ => "it is not valid",
    };
    words.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alert_has_words_and_no_two_layers() {
        for code in 0..=255_u8 {
            let text = words(&TlsError::AlertReceived(AlertDescription::from(code)));
            assert!(text.starts_with("the broker "), "{text}");
            assert!(!text.contains("TLS:"), "{text}");
            assert!(!text.contains("alert description"), "{text}");
        }
        for code in [7, 99, 255] {
            let text = words(&TlsError::AlertReceived(AlertDescription::from(code)));
            let expected = format!(
                "the broker refused the connection: it sent the alert {code}, which TLS does not define"
            );
            assert_eq!(text, expected);
        }
    }
}
