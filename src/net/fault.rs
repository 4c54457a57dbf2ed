//! System errors in words, and what breaks an open [`Stream`](super::Stream).

use std::io;

use tokio_rustls::rustls;

use super::tls;
use crate::error::{Error, Layer};

/// What an I/O error means, in lower-case words without the system's error number.
pub(super) fn words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".into(),
        io::ErrorKind::ConnectionReset => "connection reset by the other side".into(),
        io::ErrorKind::ConnectionAborted => "connection aborted".into(),
        io::ErrorKind::TimedOut => "no answer (timed out)".into(),
        io::ErrorKind::HostUnreachable => "host unreachable".into(),
        io::ErrorKind::NetworkUnreachable => "network unreachable".into(),
        io::ErrorKind::NetworkDown => "network down".into(),
        io::ErrorKind::AddrNotAvailable => "address not available".into(),
        io::ErrorKind::AddrInUse => "address in use".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        io::ErrorKind::NotFound => "no such file".into(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => {
            "the other side has closed the connection".into()
        }
        _ => {
            let text = error.to_string();
            match text.find(" (os error ") {
                Some(end) => text[..end].to_lowercase(),
                None => text,
            }
        }
    }
}

/// What an error of an open stream means, in one line: TLS alerts and failures in words, system
/// errors without their number. The layer is not part of it; [`broken`] adds that.
#[must_use]
pub fn explain(error: &io::Error) -> String {
    match rustls_cause(error) {
        Some(cause) => tls::explain::words(cause),
        None => words(error),
    }
}

/// The error of an open stream as the program's own: the layer it came from, the cause in words,
/// and a hint where one helps. A TLS 1.3 server that rejects a client certificate says so only
/// here, at the first read: the handshake is over by then.
#[must_use]
pub fn broken(error: &io::Error) -> Error {
    match rustls_cause(error) {
        Some(cause) => tls::explain::error(cause),
        None => Error::link(Layer::Connect, words(error)),
    }
}

/// The TLS failure inside an I/O error, if that is what it is.
fn rustls_cause(error: &io::Error) -> Option<&rustls::Error> {
    error.get_ref()?.downcast_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn system_errors_lose_their_number() {
        let refused = io::Error::from_raw_os_error(rustix::io::Errno::CONNREFUSED.raw_os_error());
        assert_eq!(explain(&refused), "connection refused");
        let odd = io::Error::from_raw_os_error(rustix::io::Errno::PROTONOSUPPORT.raw_os_error());
        assert_eq!(explain(&odd), "protocol not supported");
    }

    #[test]
    fn tls_errors_inside_io_errors_are_named_by_layer() {
        let alert = rustls::Error::AlertReceived(rustls::AlertDescription::CertificateRequired);
        let inside = io::Error::new(io::ErrorKind::InvalidData, alert);
        let text = broken(&inside).to_string();
        assert!(text.starts_with("TLS: "), "{text}");
        assert!(text.contains("client certificate"), "{text}");
        assert_eq!(format!("TLS: {}", explain(&inside)), text);
    }
}
