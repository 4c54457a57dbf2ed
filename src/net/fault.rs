//! System errors in words, and what breaks an open [`Stream`](super::Stream).

use std::io;

use tokio_rustls::rustls;

use super::secrets::Secrets;
use super::tls;
use super::websocket::WebSocketFault;
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
    if let Some(cause) = rustls_cause(error) {
        return tls::explain::error(cause);
    }
    let web_socket = error.get_ref().and_then(|inner| inner.downcast_ref::<WebSocketFault>());
    let layer = if web_socket.is_some() { Layer::WebSocket } else { Layer::Connect };
    Error::link(layer, words(error))
}

/// The first line of a stranger's text that says anything, for use in a message: short, and
/// with control characters made visible and without our own secrets. Of HTML the tags are left out.
pub(super) fn first_line(text: &[u8], secrets: &Secrets) -> Option<String> {
    const LONGEST: usize = 120;
    // Before it is shortened: half a secret would not be found.
    let text = secrets.masked(&String::from_utf8_lossy(text));
    text.lines().map(without_tags).find(|line| !line.is_empty()).map(|line| {
        let shown: String = line.chars().take(LONGEST).flat_map(char::escape_debug).collect();
        if line.chars().count() > LONGEST { shown + "…" } else { shown }
    })
}

fn without_tags(line: &str) -> String {
    let mut text = String::new();
    for (number, part) in line.split('<').enumerate() {
        let kept = if number == 0 { part } else { part.split_once('>').map_or("", |(_, kept)| kept) };
        text += kept;
    }
    text.trim().to_owned()
}

/// Whether it is a failure of TLS.
pub(super) fn is_tls(error: &io::Error) -> bool {
    rustls_cause(error).is_some()
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
    fn the_first_line_is_short_and_harmless() {
        let first_line = |text: &[u8]| first_line(text, &Secrets::default());
        assert_eq!(first_line(b"\r\n  Not here\r\nmore"), Some("Not here".into()));
        assert_eq!(first_line(b"<html>\n<title>404 Not Found</title>"), Some("404 Not Found".into()));
        assert_eq!(first_line(b"a\x1b[2J"), Some("a\\u{1b}[2J".into()));
        assert_eq!(first_line(b" \n"), None);
        assert_eq!(first_line(&[b'x'; 200]).map(|line| line.chars().count()), Some(121));
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
