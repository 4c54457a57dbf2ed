//! What a finished handshake agreed on.

use tokio_rustls::rustls;

use super::certificate::CertificateFacts;
use super::{ciphers, options};

/// What a finished handshake agreed on.
#[derive(Debug, Clone)]
pub struct TlsFacts {
    /// For example `TLS 1.3`.
    pub version: String,
    /// The cipher suite's IANA name.
    pub cipher_suite: String,
    /// The application protocol (ALPN), if one was agreed on.
    pub alpn: Option<String>,
    /// Whether an earlier session was resumed instead of a full handshake.
    pub resumed: bool,
    /// The server's certificates, its own first. Unreadable certificates are omitted.
    pub certificates: Vec<CertificateFacts>,
}

impl TlsFacts {
    /// Reads the facts from a connection.
    pub(in crate::net) fn of(connection: &rustls::ClientConnection) -> Self {
        let unknown = || "unknown".to_owned();
        Self {
            version: connection.protocol_version().map_or_else(unknown, options::version_name),
            cipher_suite: connection
                .negotiated_cipher_suite()
                .map_or_else(unknown, |suite| ciphers::iana_name(suite.suite())),
            alpn: connection.alpn_protocol().map(|protocol| String::from_utf8_lossy(protocol).into_owned()),
            resumed: connection.handshake_kind() == Some(rustls::HandshakeKind::Resumed),
            certificates: connection
                .peer_certificates()
                .unwrap_or_default()
                .iter()
                .filter_map(CertificateFacts::read)
                .collect(),
        }
    }
}
