//! TLS failures in words: what happened, to which certificate, and what to do about it.

use std::io;
use std::time::{Duration, SystemTime};

use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::{
    AlertDescription, CertRevocationListError, CertificateError, Error as TlsError, InvalidMessage,
    PeerIncompatible,
};

use super::certificate::CertificateFacts;
use super::pin::Pin;
use super::verify::Notes;
use crate::error::{Error, Layer};
use crate::net::fault;

/// Why a server's certificate was turned down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rejection {
    words: String,
    hint: Option<String>,
}

impl Rejection {
    fn new(words: impl Into<String>, hint: impl Into<Option<String>>) -> Self {
        Self { words: words.into(), hint: hint.into() }
    }
}

/// What the server presented, and what it was held against.
pub(super) struct Presented<'a> {
    pub(super) end_entity: &'a CertificateDer<'a>,
    pub(super) intermediates: &'a [CertificateDer<'a>],
    /// The name asked for.
    pub(super) name: &'a ServerName<'a>,
    /// The certificates given as authorities.
    pub(super) authorities: &'a [CertificateDer<'static>],
    /// Where the authorities are from.
    pub(super) place: &'a str,
    /// Where the revocation lists are from.
    pub(super) lists_place: &'a str,
    /// A revocation is the server's own certificate's, not an authority's above it.
    pub(super) own_is_revoked: bool,
}

/// The handshake that failed.
pub(super) struct Attempt<'a> {
    /// The name asked for.
    pub(super) name: &'a ServerName<'static>,
    /// The application protocols offered.
    pub(super) protocols: &'a [Vec<u8>],
    /// What was noted during it.
    pub(super) notes: Notes,
}

const SHOW_CERTIFICATE: &str = "give one that the server accepts with --cert and --key";
const PLAIN_PORT: &str = "is this a port without TLS? MQTT over TLS mostly has port 8883";

/// How the verifier spells that an authority's certificate was presented as a server's.
const CA_AS_SERVER: &str = "CaUsedAsEndEntity";

/// Why a certificate is turned down, with the certificate in question.
pub(super) fn rejection(error: &TlsError, presented: &Presented<'_>) -> Rejection {
    let lists = presented.lists_place;
    if let TlsError::InvalidCertRevocationList(cause) = error {
        return Rejection::new(
            format!("the revocation list ({lists}) cannot be used: {}", list_words(cause)),
            None,
        );
    }
    let TlsError::InvalidCertificate(cause) = error else {
        return Rejection::new(words(error), None);
    };
    let chain: Vec<CertificateFacts> = std::iter::once(presented.end_entity)
        .chain(presented.intermediates)
        .filter_map(CertificateFacts::read)
        .collect();
    let Some(own) = chain.first() else {
        return Rejection::new(words(error), None);
    };
    let described = which(&chain, |_| true);
    match cause {
        CertificateError::ExpiredContext { not_after, .. } => {
            let end = system_time(*not_after);
            let which = which(&chain, |facts| facts.not_after == end);
            expired(&which, end)
        }
        CertificateError::NotValidYetContext { not_before, .. } => {
            let start = system_time(*not_before);
            let which = which(&chain, |facts| facts.not_before == start);
            not_yet_valid(&which, start)
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            wrong_name(own, &presented.name.to_str())
        }
        // What another key signed than that of the authority of that name comes out as a bad
        // signature, or as one that does not suit the authority's kind of key.
        CertificateError::UnknownIssuer
        | CertificateError::BadSignature
        | CertificateError::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            unknown_issuer(&chain, presented)
        }
        CertificateError::InvalidPurpose | CertificateError::InvalidPurposeContext { .. } => {
            Rejection::new(format!("the server's certificate ({own}) is not made for servers: {cause}"), None)
        }
        CertificateError::Revoked if presented.own_is_revoked => {
            Rejection::new(format!("{described} has been revoked, says {lists}"), None)
        }
        CertificateError::Revoked => Rejection::new(
            format!("an authority above the server's certificate ({own}) has been revoked, says {lists}"),
            None,
        ),
        CertificateError::UnknownRevocationStatus => Rejection::new(
            format!("whether {described} has been revoked is unknown: {lists} holds no list of that issuer"),
            None,
        ),
        CertificateError::ExpiredRevocationListContext { next_update, .. } => Rejection::new(
            format!(
                "the revocation list ({lists}) is out of date since {}",
                humantime::format_rfc3339_seconds(system_time(*next_update))
            ),
            "fetch the current one from the authority".to_owned(),
        ),
        CertificateError::UnsupportedSignatureAlgorithmContext { .. } => Rejection::new(
            format!("{described} is signed in a way that is not supported here"),
            "ECDSA on P-256 or P-384, Ed25519, and RSA from 2048 bits with SHA-2 are".to_owned(),
        ),
        CertificateError::Other(other) if other.to_string() == CA_AS_SERVER => {
            if own.is_self_issued() {
                unknown_issuer(&chain, presented)
            } else {
                unusual(CA_AS_SERVER, &described)
            }
        }
        CertificateError::Other(other) => unusual(&other.to_string(), &described),
        other => unusual(&other.to_string(), &described),
    }
}

/// The certificate of the chain that a condition is about, in words.
fn which(chain: &[CertificateFacts], about: impl Fn(&CertificateFacts) -> bool) -> String {
    match chain.iter().position(about) {
        Some(0) | None => match chain.first() {
            Some(own) => format!("the server's certificate ({own}, issued by {})", own.issuer),
            None => "the server's certificate".into(),
        },
        Some(position) => {
            format!("certificate {} of the server's chain, the authority {},", position + 1, chain[position])
        }
    }
}

/// A server whose key is not one of those pinned.
pub(super) fn wrong_key(found: Option<Pin>) -> Rejection {
    match found {
        Some(found) => Rejection::new(
            format!("the server's public key is {found}, which is not a pinned one"),
            "if the server has a new key that you trust, pin that".to_owned(),
        ),
        None => Rejection::new("the server's certificate cannot be read, so its key matches no pin", None),
    }
}

/// What is wrong with a revocation list.
pub(super) fn list_words(error: &CertRevocationListError) -> String {
    match error {
        CertRevocationListError::BadSignature => "its signature is not the issuer's".into(),
        CertRevocationListError::IssuerInvalidForCrl => {
            "its issuer's certificate may not sign lists (no cRLSign key usage)".into()
        }
        CertRevocationListError::ParseError => "it cannot be read".into(),
        CertRevocationListError::UnsupportedCrlVersion => "it is not of version 2".into(),
        CertRevocationListError::UnsupportedDeltaCrl => {
            "it is a delta list, and those are not supported".into()
        }
        CertRevocationListError::UnsupportedIndirectCrl => {
            "it is an indirect list, and those are not supported".into()
        }
        other => format!("{other:?}"),
    }
}

fn expired(which: &str, end: SystemTime) -> Rejection {
    let ago = SystemTime::now().duration_since(end).unwrap_or_default();
    let words = format!("{which} expired on {}, {} ago", humantime::format_rfc3339_seconds(end), rough(ago));
    Rejection::new(words, None)
}

fn not_yet_valid(which: &str, start: SystemTime) -> Rejection {
    let now = SystemTime::now();
    let ahead = start.duration_since(now).unwrap_or_default();
    let words = format!(
        "{which} is not valid before {}, {} from now",
        humantime::format_rfc3339_seconds(start),
        rough(ahead)
    );
    let hint = format!("this machine's clock says {}: is it right?", humantime::format_rfc3339_seconds(now));
    Rejection::new(words, hint)
}

fn wrong_name(own: &CertificateFacts, asked: &str) -> Rejection {
    if own.names.is_empty() {
        return Rejection::new(
            format!(
                "the server's certificate ({own}) names no host (it has no subject alternative \
                 name), so it is not for '{asked}'"
            ),
            format!("make one that does, for example with subjectAltName=DNS:{asked}"),
        );
    }
    Rejection::new(
        format!("the server's certificate ({own}) is for {}, not for '{asked}'", quoted(&own.names)),
        "connect by a name it is for, or give that name with --tls-server-name".to_owned(),
    )
}

fn unknown_issuer(chain: &[CertificateFacts], presented: &Presented<'_>) -> Rejection {
    let own = &chain[0];
    let place = presented.place;
    if own.is_self_issued() {
        return Rejection::new(
            format!("the server's certificate ({own}) is self-signed and not in {place}"),
            "if it is the one you expect, give its file with --cafile".to_owned(),
        );
    }
    let last = end_of_chain(chain);
    let issuer = &last.issuer;
    let whose = if last == own {
        format!("the server's certificate ({own})")
    } else {
        format!("the server's certificate ({own}), through {last},")
    };
    let namesake = presented
        .authorities
        .iter()
        .filter_map(CertificateFacts::read)
        .any(|authority| authority.subject == *issuer);
    if namesake {
        return Rejection::new(
            format!(
                "{whose} was issued by an authority {issuer}, but not by the one of that name in \
                 {place}"
            ),
            "was the authority made anew? its certificate and the server's have to be a pair".to_owned(),
        );
    }
    Rejection::new(
        format!("{whose} was issued by {issuer}, which is unknown: it is not in {place}"),
        "give that authority's certificate with --cafile; if it is an intermediate, the server \
         should send it"
            .to_owned(),
    )
}

/// The last certificate reached by going from each to its issuer.
fn end_of_chain(chain: &[CertificateFacts]) -> &CertificateFacts {
    let mut last = &chain[0];
    for _ in chain {
        let next = chain.iter().find(|facts| facts.subject == last.issuer && *facts != last);
        match next {
            Some(next) if !next.is_self_issued() => last = next,
            _ => break,
        }
    }
    last
}

/// The rarer causes, some of which the verifier names only by text.
fn unusual(cause: &str, which: &str) -> Rejection {
    match cause {
        CA_AS_SERVER => Rejection::new(
            format!("{which} is a certificate authority's own, not a server's (CA:TRUE)"),
            "if it is the one you expect, give its file with --cafile".to_owned(),
        ),
        "UnsupportedCertVersion" => Rejection::new(
            format!("{which} is of X.509 version 1, which names no hosts and cannot be checked"),
            "make it anew with a subjectAltName extension, which makes it version 3".to_owned(),
        ),
        "UnhandledCriticalExtension" => {
            Rejection::new(format!("{which} has a critical extension that is not understood here"), None)
        }
        other => Rejection::new(format!("{which} cannot be used: {other}"), None),
    }
}

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
        io::ErrorKind::UnexpectedEof => "the server closed the connection".to_owned(),
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
            "the server asks for a client certificate and got none ({})",
            alert_words(alert)
        ))
        .with_hint(SHOW_CERTIFICATE);
    }
    match alert {
        AlertDescription::NoApplicationProtocol => {
            let offered: Vec<String> = attempt
                .protocols
                .iter()
                .map(|protocol| String::from_utf8_lossy(protocol).into_owned())
                .collect();
            refusal(format!(
                "the server speaks none of the application protocols offered (ALPN: {})",
                quoted(&offered)
            ))
            .with_hint("--tls-alpn chooses what to offer")
        }
        AlertDescription::UnrecognisedName => {
            refusal(format!("the server has no certificate for '{}'", attempt.name.to_str()))
                .with_hint("--tls-server-name chooses the name to ask for")
        }
        // The server has not asked for a certificate at this point, so it is none it misses.
        AlertDescription::HandshakeFailure => self::error(&TlsError::AlertReceived(alert))
            .with_hint("it may offer only old cipher suites; TLS 1.2 here is ECDHE with AES-GCM or ChaCha20"),
        _ => self::error(&TlsError::AlertReceived(alert)),
    }
}

/// A failure of an open TLS stream, or of a handshake with nothing special about it.
pub(in crate::net) fn error(cause: &TlsError) -> Error {
    let error = match cause {
        TlsError::InvalidCertificate(_) => Error::fatal(Layer::Tls, words(cause)),
        _ => Error::link(Layer::Tls, words(cause)),
    };
    match cause {
        TlsError::InvalidMessage(_) => error.with_hint(PLAIN_PORT),
        TlsError::AlertReceived(AlertDescription::CertificateRequired) => error.with_hint(SHOW_CERTIFICATE),
        TlsError::AlertReceived(alert) if is_about_our_certificate(*alert) => {
            error.with_hint("is it the certificate (--cert) that this server's operator gave out?")
        }
        _ => error,
    }
}

/// A TLS failure in words.
pub(in crate::net) fn words(error: &TlsError) -> String {
    match error {
        TlsError::AlertReceived(alert) if is_about_our_certificate(*alert) => {
            format!("the server refused our client certificate: {}", alert_words(*alert))
        }
        TlsError::AlertReceived(AlertDescription::CertificateRequired) => {
            "the server asks for a client certificate and got none".into()
        }
        TlsError::AlertReceived(alert) => {
            format!("the server refused the connection: {}", alert_words(*alert))
        }
        TlsError::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => "the server's answer is not TLS".into(),
        TlsError::InvalidMessage(what) => {
            format!("the server's answer is not sound TLS ({what:?})")
        }
        TlsError::PeerIncompatible(
            PeerIncompatible::ServerDoesNotSupportTls12Or13
            | PeerIncompatible::ServerTlsVersionIsDisabledByOurConfig,
        ) => "the server speaks no TLS version that is allowed here".into(),
        TlsError::PeerIncompatible(what) => {
            format!("the server and this program have nothing in common to speak ({what:?})")
        }
        TlsError::PeerMisbehaved(what) => format!("the server broke the TLS protocol ({what:?})"),
        TlsError::InvalidCertificate(what) => {
            format!("the server's certificate cannot be used: {what}")
        }
        TlsError::DecryptError => "a record from the server could not be decrypted".into(),
        other => other.to_string(),
    }
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
            "it is of a kind the server does not take (unsupported_certificate)"
        }
        AlertDescription::CertificateRevoked => "it has been revoked (certificate_revoked)",
        AlertDescription::CertificateExpired => "it has expired or is not valid yet (certificate_expired)",
        AlertDescription::CertificateUnknown => "it is not acceptable (certificate_unknown)",
        AlertDescription::UnknownCA => "its issuer is not one the server trusts (unknown_ca)",
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
        other => return format!("alert {other:?}"),
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
    let quoted: Vec<String> = names.iter().map(|name| format!("'{name}'")).collect();
    quoted.join(", ")
}

fn system_time(moment: UnixTime) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(moment.as_secs())
}

/// A span in whole days, or in minutes if it is shorter than one.
fn rough(span: Duration) -> String {
    const MINUTE: u64 = 60;
    const DAY: u64 = 24 * 60 * MINUTE;
    let seconds = span.as_secs();
    if seconds < MINUTE {
        return "less than a minute".into();
    }
    let unit = if seconds >= DAY { DAY } else { MINUTE };
    let whole = Duration::from_secs(seconds - seconds % unit);
    humantime::format_duration(whole).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alert_has_words_and_no_two_layers() {
        for code in 0..=255_u8 {
            let text = words(&TlsError::AlertReceived(AlertDescription::from(code)));
            assert!(text.starts_with("the server "), "{text}");
            assert!(!text.contains("TLS:"), "{text}");
        }
    }

    #[test]
    fn spans_are_rough() {
        assert_eq!(rough(Duration::from_secs(59)), "less than a minute");
        assert_eq!(rough(Duration::from_secs(3_725)), "1h 2m");
        assert_eq!(rough(Duration::from_secs(86_400 * 12 + 5)), "12days");
    }

    #[test]
    fn causes_known_only_by_text_are_still_spelled_so() {
        // The verifier's error type is not ours to name; these are its spellings.
        let words = unusual("CaUsedAsEndEntity", "the server's certificate").words;
        assert!(words.contains("CA:TRUE"), "{words}");
        let words = unusual("SomethingNew", "the server's certificate").words;
        assert!(words.contains("SomethingNew"), "{words}");
    }
}
