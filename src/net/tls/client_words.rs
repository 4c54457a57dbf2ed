//! Failed handshakes of clients in words, for the log of the embedded broker.

use std::io;

use tokio_rustls::rustls::{CertificateError, Error as TlsError, InvalidMessage, OtherError};

use super::verify::UnfitIssuer;
use super::words::{is_about_our_certificate, numbered, plain};
use crate::clock;

/// The error with a text of ours, if it is an error of TLS.
pub(super) fn of(error: io::Error) -> io::Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<TlsError>()) {
        Some(cause) => io::Error::new(error.kind(), words(cause)),
        None => error,
    }
}

fn words(error: &TlsError) -> String {
    match error {
        TlsError::AlertReceived(alert) if is_about_our_certificate(*alert) => {
            format!("the client refused the broker's certificate: {}", plain(alert))
        }
        TlsError::AlertReceived(alert) => {
            format!("the client sent the alert {}", numbered(*alert))
        }
        TlsError::InvalidMessage(
            InvalidMessage::InvalidContentType | InvalidMessage::UnknownProtocolVersion,
        ) => "the client does not use TLS".into(),
        TlsError::InvalidMessage(what) => format!("the client's message is not valid TLS: {}", plain(what)),
        TlsError::PeerIncompatible(what) => format!("the client's TLS is not compatible: {}", plain(what)),
        TlsError::PeerMisbehaved(what) => format!("the client broke the TLS protocol: {}", plain(what)),
        TlsError::NoCertificatesPresented => {
            "the client sent no certificate, which --client-ca requires".into()
        }
        TlsError::InvalidCertificate(cause) => format!("the client's certificate {}", of_certificate(cause)),
        TlsError::DecryptError => "a record of the client could not be decrypted".into(),
        TlsError::PeerSentOversizedRecord => "the client sent a record longer than TLS allows".into(),
        TlsError::FailedToGetCurrentTime => clock::before_1970(),
        other => format!("TLS failed: {}", plain(other)),
    }
}

fn of_certificate(cause: &CertificateError) -> String {
    match cause {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => "has expired".into(),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "is not valid yet".into()
        }
        CertificateError::UnknownIssuer => "was not issued by an authority of --client-ca".into(),
        CertificateError::InvalidPurposeContext { .. } => {
            "is not made for clients: its extended key usage has no clientAuth".into()
        }
        CertificateError::InvalidPurpose => {
            "is not made for TLS: its key usage has no digitalSignature".into()
        }
        CertificateError::Other(OtherError(cause)) if cause.is::<UnfitIssuer>() => UnfitIssuer.to_string(),
        CertificateError::BadSignature => "has a signature that does not match".into(),
        CertificateError::BadEncoding => "is damaged: it is not valid X.509".into(),
        other => format!("cannot be used: {}", plain(other)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustls_pki_types::UnixTime;
    use tokio_rustls::rustls::AlertDescription;

    use super::*;

    #[test]
    fn errors_have_no_data_of_the_library() {
        let time = |seconds| UnixTime::since_unix_epoch(Duration::from_secs(seconds));
        let expired = CertificateError::ExpiredContext { time: time(2), not_after: time(1) };
        for (error, text) in [
            (TlsError::InvalidCertificate(expired), "the client's certificate has expired"),
            (TlsError::InvalidMessage(InvalidMessage::InvalidContentType), "the client does not use TLS"),
            (
                TlsError::AlertReceived(AlertDescription::UnknownCA),
                "the client refused the broker's certificate: unknown ca",
            ),
            (
                TlsError::InvalidCertificate(CertificateError::Other(OtherError(std::sync::Arc::new(
                    io::Error::other("[1, 2, 3]"),
                )))),
                "the client's certificate cannot be used: other",
            ),
        ] {
            let error = of(io::Error::new(io::ErrorKind::InvalidData, error));
            assert_eq!(error.to_string(), text);
        }
        let closed = of(io::ErrorKind::UnexpectedEof.into());
        assert_eq!(closed.kind(), io::ErrorKind::UnexpectedEof);
    }
}
