//! Explains TLS failures: what happened in the handshake, and what to do.

use std::io;

use rustls_pki_types::ServerName;
use tokio_rustls::rustls::{
    AlertDescription, Error as TlsError, InvalidMessage, PeerIncompatible, PeerMisbehaved,
};

use super::rejection::{self, Rejection};
use super::verify::Notes;
use crate::clock;
use crate::error::{Error, Layer};
use crate::net::fault;
use crate::quotation;

/// The handshake that failed.
pub(super) struct Attempt<'a> {
    /// The name asked for.
    pub(super) name: &'a ServerName<'static>,
    /// The application protocols offered.
    pub(super) protocols: &'a [Vec<u8>],
    /// There was a client certificate to show.
    pub(super) has_certificate: bool,
    /// What was noted during it.
    pub(super) notes: Notes,
}

const SHOW_CERTIFICATE: &str = "give one that the broker accepts with --cert and --key";
const VERSIONS: &str =
    "TLS 1.2 and 1.3 are offered, or only the one of --tls-version; older ones are obsolete (RFC 8996)";
const PLAIN_PORT: &str = "is this a port without TLS? MQTT over TLS mostly has port 8883";

/// A handshake that failed, as the program's own error.
pub(super) fn handshake_error(error: &io::Error, attempt: &Attempt<'_>) -> Error {
    if let Some(Rejection { words, hint }) = attempt.notes.rejection.clone() {
        return with_optional_hint(Error::fatal(Layer::Tls, words), hint.as_deref());
    }
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>());
    let Some(cause) = cause else {
        return cut_off(error, attempt);
    };
    match cause {
        TlsError::AlertReceived(alert) => refused(*alert, attempt),
        _ => self::error(cause),
    }
}

/// The connection broke during the handshake.
fn cut_off(error: &io::Error, attempt: &Attempt<'_>) -> Error {
    let how = match error.kind() {
        io::ErrorKind::UnexpectedEof => "the broker closed the connection".to_owned(),
        _ => fault::words(error),
    };
    if attempt.notes.certificate_wanted {
        return Error::link(
            Layer::Tls,
            format!("{how} after it had asked for a client certificate and got none"),
        )
        .with_hint(SHOW_CERTIFICATE);
    }
    Error::link(Layer::Tls, format!("{how} during the handshake")).with_hint(PLAIN_PORT)
}

/// The server ended the handshake with an alert.
fn refused(alert: AlertDescription, attempt: &Attempt<'_>) -> Error {
    // Before the handshake is over anyone in between can have sent it.
    let refusal = |what: String| Error::link(Layer::Tls, what);
    if attempt.notes.certificate_wanted && alert != AlertDescription::ProtocolVersion {
        return refusal(format!(
            "the broker asks for a client certificate and got none ({})",
            alert_words(alert)
        ))
        .with_hint(SHOW_CERTIFICATE);
    }
    if !attempt.has_certificate
        && let Some(words) = without_certificate(&TlsError::AlertReceived(alert))
    {
        return refusal(words).with_hint(SHOW_CERTIFICATE);
    }
    match alert {
        AlertDescription::NoApplicationProtocol => {
            let offered: Vec<String> = attempt
                .protocols
                .iter()
                .map(|protocol| String::from_utf8_lossy(protocol).into_owned())
                .collect();
            refusal(format!(
                "the broker speaks none of the application protocols offered (ALPN: {})",
                quoted(&offered)
            ))
            .with_hint("--tls-alpn chooses what to offer")
        }
        AlertDescription::UnrecognisedName => {
            refusal(format!("the broker has no certificate for '{}'", attempt.name.to_str()))
                .with_hint("--tls-server-name chooses the name to ask for")
        }
        // The server has not asked for a certificate at this point, so it is none it misses.
        AlertDescription::HandshakeFailure => self::error(&TlsError::AlertReceived(alert))
            .with_hint("it may offer only old cipher suites, or have a key of a kind that is not supported here (DSA, Ed448); \
             TLS 1.2 here is ECDHE with AES-GCM or ChaCha20"),
        _ => self::error(&TlsError::AlertReceived(alert)),
    }
}

/// An alert about a client certificate, where none was given: the words that go with one would be false.
pub(super) fn without_certificate(error: &TlsError) -> Option<String> {
    match error {
        TlsError::AlertReceived(alert) if is_about_our_certificate(*alert) => Some(format!(
            "the broker refused the connection with alert {} ({}), and no client certificate was given",
            u8::from(*alert),
            plain(alert)
        )),
        _ => None,
    }
}

/// A failure of an open TLS stream, or of a handshake with nothing special about it.
pub(in crate::net) fn error(cause: &TlsError) -> Error {
    let error = match cause {
        TlsError::InvalidCertificate(_) => Error::fatal(Layer::Tls, words(cause)),
        _ => Error::link(Layer::Tls, words(cause)),
    };
    match cause {
        TlsError::FailedToGetCurrentTime => error.with_hint(clock::SET_IT),
        TlsError::AlertReceived(AlertDescription::ProtocolVersion) => error.with_hint(VERSIONS),
        TlsError::InvalidMessage(_) => error.with_hint(PLAIN_PORT),
        TlsError::AlertReceived(AlertDescription::CertificateRequired) => error.with_hint(SHOW_CERTIFICATE),
        TlsError::AlertReceived(alert) if is_about_our_certificate(*alert) => {
            error.with_hint("is it the certificate (--cert) that this broker's operator gave out?")
        }
        _ => error,
    }
}

/// A TLS failure in words.
pub(in crate::net) fn words(error: &TlsError) -> String {
    match error {
        TlsError::AlertReceived(alert) if is_about_our_certificate(*alert) => {
            format!("the broker refused our client certificate: {}", alert_words(*alert))
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
        ) => "the broker speaks no TLS version that is allowed here".into(),
        TlsError::PeerIncompatible(PeerIncompatible::NoCipherSuitesInCommon) => {
            "the broker chose no cipher suite that is allowed here".into()
        }
        TlsError::PeerIncompatible(PeerIncompatible::ExtendedMasterSecretExtensionRequired) => {
            "the broker does not have the Extended Master Secret of RFC 7627, which is required here".into()
        }
        TlsError::PeerIncompatible(what) => {
            format!("the broker lacks something that TLS here needs: {}", plain(what))
        }
        TlsError::PeerMisbehaved(PeerMisbehaved::TooManyRenegotiationRequests) => {
            "the broker asks to negotiate again and again, which is not supported here".into()
        }
        TlsError::PeerMisbehaved(what) => format!("the broker broke the TLS protocol: {}", plain(what)),
        TlsError::InappropriateMessage { got_type, .. } => {
            format!("the broker broke the TLS protocol: unexpected message {}", plain(got_type))
        }
        TlsError::InappropriateHandshakeMessage { got_type, .. } => {
            format!("the broker broke the TLS protocol: unexpected handshake message {}", plain(got_type))
        }
        TlsError::InvalidCertificate(what) => rejection::of_unknown_certificate(what),
        TlsError::InvalidCertRevocationList(what) => {
            format!("a revocation list cannot be used: {}", rejection::list_words(what))
        }
        TlsError::NoCertificatesPresented => "the broker showed no certificate".into(),
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

/// The name that the library gives a fault, as words: `SelectedUnofferedKxGroup` is "selected unoffered
/// kx group". What a fault carries beside its name stays out: it may be bytes.
fn plain(fault: &impl std::fmt::Debug) -> String {
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

/// Alerts by which a server turns down the certificate that we showed.
fn is_about_our_certificate(alert: AlertDescription) -> bool {
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

/// An alert in words (RFC 8446, section 6.2, and its predecessors).
fn alert_words(alert: AlertDescription) -> String {
    let words = match alert {
        AlertDescription::HandshakeFailure => {
            "it found no set of parameters that both sides accept (handshake_failure)"
        }
        AlertDescription::BadCertificate => "it is not sound (bad_certificate)",
        AlertDescription::UnsupportedCertificate => {
            "it is of a kind the broker does not take (unsupported_certificate)"
        }
        AlertDescription::CertificateRevoked => "it has been revoked (certificate_revoked)",
        AlertDescription::CertificateExpired => "it has expired or is not valid yet (certificate_expired)",
        AlertDescription::CertificateUnknown => "it is not acceptable (certificate_unknown)",
        AlertDescription::UnknownCA => "its issuer is not one the broker trusts (unknown_ca)",
        AlertDescription::NoCertificate => "there was none (no_certificate)",
        AlertDescription::AccessDenied => "the certificate is valid, but has no access (access_denied)",
        AlertDescription::ProtocolVersion => "it does not speak the TLS versions offered (protocol_version)",
        AlertDescription::InsufficientSecurity => {
            "it wants stronger ciphers than those offered (insufficient_security)"
        }
        AlertDescription::InternalError => "it has an error of its own (internal_error)",
        AlertDescription::UnrecognisedName => {
            "it has no certificate for the name asked for (unrecognized_name)"
        }
        AlertDescription::CertificateRequired => "certificate_required",
        AlertDescription::NoApplicationProtocol => {
            "it speaks none of the application protocols offered (no_application_protocol)"
        }
        AlertDescription::UnknownPSKIdentity => "it wants a pre-shared key (unknown_psk_identity)",
        AlertDescription::DecryptError => "it could not verify our handshake (decrypt_error)",
        AlertDescription::CloseNotify => "it closed the connection (close_notify)",
        other => return format!("it sent the alert {} ({})", u8::from(other), plain(&other)),
    };
    words.into()
}

fn with_optional_hint(error: Error, hint: Option<&str>) -> Error {
    match hint {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}

fn quoted(names: &[String]) -> String {
    quotation::list(names)
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
        }
    }
}
