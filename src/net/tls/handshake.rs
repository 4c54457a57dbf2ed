//! The TLS handshake.

use std::sync::Arc;

use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{CertificateFacts, Encrypted, TlsConfig, explain, notes};
use crate::error::Error;

/// Performs a TLS handshake with the server of this name. If the server's certificates are refused, they are
/// stored in `refused`.
///
/// # Errors
///
/// [`Layer::Tls`](crate::error::Layer::Tls), with the cause in words; see [`explain`].
pub(in crate::net) async fn handshake(
    config: &TlsConfig,
    name: ServerName<'static>,
    stream: TcpStream,
    refused: &mut Vec<CertificateFacts>,
) -> Result<Encrypted, Error> {
    let connector = TlsConnector::from(Arc::clone(&config.client));
    let (outcome, mut notes) = notes::with_notes(connector.connect(name.clone(), stream)).await;
    *refused = std::mem::take(&mut notes.refused);
    let has_certificate = config.has_certificate;
    outcome.map(|stream| Encrypted::new(stream, has_certificate)).map_err(|error| {
        let protocols = &config.client.alpn_protocols;
        let attempt = explain::FailedHandshake { name: &name, protocols, has_certificate, notes };
        explain::handshake_error(&error, &attempt)
    })
}
