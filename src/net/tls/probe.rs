//! Tests whether a port that was used without TLS expects TLS.

use std::io;
use std::sync::Arc;

use rustls_pki_types::ServerName;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::rustls::{ClientConnection, ContentType};

use super::{TlsConfig, TlsOptions};
use crate::error::Error;

/// Sends a TLS greeting and tests how the answer begins. The handshake is not completed, so nothing is
/// verified and no data is sent.
pub(in crate::net) async fn answers_with_tls(mut stream: TcpStream, name: ServerName<'static>) -> bool {
    let Ok(hello) = client_hello(name) else { return false };
    let answer = async {
        stream.write_all(&hello).await?;
        let mut start = [0; 3];
        stream.read_exact(&mut start).await?;
        Ok::<_, io::Error>(start)
    };
    answer.await.is_ok_and(|start| is_record(&start, &[ContentType::Handshake, ContentType::Alert]))
}

/// Whether bytes begin a TLS record of one of these kinds (RFC 8446, section 5.1). As MQTT they would be a
/// CONNECT, which no server sends.
fn is_record(bytes: &[u8], kinds: &[ContentType]) -> bool {
    const MAJOR_VERSION: u8 = 3;
    matches!(bytes, [kind, MAJOR_VERSION, minor, ..] if *minor <= 4 && kinds.contains(&ContentType::from(*kind)))
}

/// Whether a server's first bytes are a TLS alert where MQTT was expected: the server expects TLS on this
/// port.
#[must_use]
pub fn looks_like_tls(first_bytes: &[u8]) -> bool {
    is_record(first_bytes, &[ContentType::Alert])
}

/// The record that opens a handshake.
fn client_hello(name: ServerName<'static>) -> Result<Vec<u8>, Error> {
    let options = TlsOptions { insecure: true, ..TlsOptions::default() };
    let config = TlsConfig::load(&options)?;
    let failed = |error| Error::file("cannot make a ClientHello", error);
    let mut connection = ClientConnection::new(Arc::clone(&config.client), name)
        .map_err(|error| failed(io::Error::other(error)))?;
    let mut hello = Vec::new();
    while connection.wants_write() {
        connection.write_tls(&mut hello).map_err(failed)?;
    }
    Ok(hello)
}
