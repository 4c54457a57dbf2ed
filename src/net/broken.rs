//! The errors that end an open [`Stream`](super::Stream).

use std::fmt;
use std::io;

use super::fault::{rustls_cause, words};
use super::tls;
use crate::error::{Error, Layer};

/// The meaning of an error of an open stream, in one line: TLS alerts and failures in words, system errors
/// without their number. [`broken`] adds the layer.
#[must_use]
pub fn explain(error: &io::Error) -> String {
    match rustls_cause(error) {
        Some(cause) => tls::words::words(cause),
        None => words(error),
    }
}

/// Turns an error of an open stream into an [`Error`]: the layer it came from, the cause in words, and a hint
/// where one helps. A TLS 1.3 server reports a rejected client certificate only at the first read, after the
/// handshake.
#[must_use]
pub fn broken(error: &io::Error) -> Error {
    if let Some(cause) = rustls_cause(error) {
        return tls::explain::error(cause);
    }
    let web_socket = error.get_ref().and_then(|inner| inner.downcast_ref::<WebSocketFault>());
    let layer = if web_socket.is_some() { Layer::WebSocket } else { Layer::Stream };
    Error::link(layer, words(error))
}

/// A failure of the WebSocket itself. [`broken`] distinguishes it from a failure of the socket.
#[derive(Debug)]
pub(super) struct WebSocketFault(pub(super) String);

impl fmt::Display for WebSocketFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for WebSocketFault {}

#[cfg(test)]
mod tests {
    use tokio_rustls::rustls;

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
