//! Explains TLS failures: what happened in the handshake, and what to do.

use std::io;

use rustls_pki_types::ServerName;
use tokio_rustls::rustls::{AlertDescription, Error as TlsError};

use super::notes::Notes;
use super::rejection::Rejection;
use super::words::{alert_words, is_about_our_certificate, plain, words};
use crate::clock;
use crate::error::{Error, Layer, Sign};
use crate::net::fault;
use crate::quotation;

/// A failed handshake.
pub(super) struct FailedHandshake<'a> {
    /// The requested name.
    pub(super) name: &'a ServerName<'static>,
    /// The application protocols offered.
    pub(super) protocols: &'a [Vec<u8>],
    /// Whether there was a client certificate to present.
    pub(super) has_certificate: bool,
    /// The notes taken during the handshake.
    pub(super) notes: Notes,
}

const SHOW_CERTIFICATE: &str = "give one that the broker accepts with --cert and --key";
const VERSIONS: &str =
    "TLS 1.2 and 1.3 are offered, or only the one of --tls-version; older ones are obsolete (RFC 8996)";
const PLAIN_PORT: &str = "is this a port without TLS? MQTT over TLS mostly has port 8883";

/// The error of a failed handshake.
pub(super) fn handshake_error(error: &io::Error, attempt: &FailedHandshake<'_>) -> Error {
    if let Some(Rejection { words, hint, key }) = attempt.notes.rejection.clone() {
        let sign = key.map_or(Sign::None, |key| Sign::Untrusted(key.digest()));
        return with_optional_hint(Error::fatal(Layer::Tls, words), hint.as_deref()).signed(sign);
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
fn cut_off(error: &io::Error, attempt: &FailedHandshake<'_>) -> Error {
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
fn refused(alert: AlertDescription, attempt: &FailedHandshake<'_>) -> Error {
    // Until the handshake is complete, the alert may come from any host on the path.
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
        AlertDescription::NoApplicationProtocol if attempt.protocols.is_empty() => {
            refusal("the broker wants an application protocol (ALPN), and none was offered".into())
                .with_hint("--tls-alpn chooses what to offer, such as mqtt")
        }
        AlertDescription::NoApplicationProtocol => {
            let offered: Vec<String> = attempt
                .protocols
                .iter()
                .map(|protocol| String::from_utf8_lossy(protocol).into_owned())
                .collect();
            refusal(format!(
                "the broker supports none of the application protocols offered (ALPN: {})",
                quoted(&offered)
            ))
            .with_hint("--tls-alpn chooses what to offer")
        }
        AlertDescription::UnrecognisedName => {
            refusal(format!("the broker has no certificate for '{}'", attempt.name.to_str()))
                .with_hint("--tls-server-name chooses the name to ask for")
        }
        // The server has not requested a certificate at this point, so a missing client certificate is not
        // the cause.
        AlertDescription::HandshakeFailure => self::error(&TlsError::AlertReceived(alert))
            .with_hint("it may offer only old cipher suites or key exchange (X448, finite fields), or have a key of a kind \
             (DSA, Ed448, RSA-PSS) or on a curve (brainpool, secp256k1, P-224) that is not supported here; TLS 1.2 here is \
             ECDHE with AES-GCM or ChaCha20, and key exchange is on X25519, P-256, P-384 or P-521"),
        _ => self::error(&TlsError::AlertReceived(alert)),
    }
}

/// The text for an alert about a client certificate if none was given: the usual text would be false.
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

/// The error of an open TLS stream, or of a handshake without a special cause.
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
            error.with_hint("check that --cert is the certificate issued for this broker")
        }
        _ => error,
    }
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
