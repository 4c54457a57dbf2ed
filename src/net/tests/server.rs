//! Servers for one test, each on a loopback port of its own.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};

use super::pki::{Authority, Identity};

/// Serves each connection with `serve` until the test's runtime ends.
pub(super) async fn spawn<F, T>(serve: F) -> SocketAddr
where
    F: Fn(TcpStream) -> T + Send + 'static,
    T: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    address
}

/// Sends received bytes back until the peer has finished.
pub(super) async fn echo(mut stream: impl AsyncRead + AsyncWrite + Unpin) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => break,
            Ok(length) => {
                if stream.write_all(&buffer[..length]).await.is_err() {
                    return;
                }
                let _ = stream.flush().await;
            }
        }
    }
    let _ = stream.shutdown().await;
}

/// A TLS echo server.
pub(super) struct TlsServer {
    identity: Identity,
    client_authority: Option<RootCertStore>,
    versions: Vec<&'static SupportedProtocolVersion>,
    alpn: Vec<Vec<u8>>,
}

impl TlsServer {
    pub(super) fn new(identity: Identity) -> Self {
        Self {
            identity,
            client_authority: None,
            versions: tokio_rustls::rustls::ALL_VERSIONS.to_vec(),
            alpn: Vec::new(),
        }
    }

    /// Requires a client certificate issued by `authority`.
    pub(super) fn with_client_authority(mut self, authority: &Authority) -> Self {
        let mut roots = RootCertStore::empty();
        roots.add(authority.der().clone()).unwrap();
        self.client_authority = Some(roots);
        self
    }

    pub(super) fn with_version(mut self, version: &'static SupportedProtocolVersion) -> Self {
        self.versions = vec![version];
        self
    }

    pub(super) fn with_alpn(mut self, protocols: &[&str]) -> Self {
        self.alpn = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        self
    }

    pub(super) fn acceptor(self) -> TlsAcceptor {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_protocol_versions(&self.versions)
            .unwrap();
        let builder = match self.client_authority {
            None => builder.with_no_client_auth(),
            Some(roots) => builder.with_client_cert_verifier(
                WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap(),
            ),
        };
        // `with_single_cert` refuses certificates that rustls cannot read; some servers present such
        // certificates.
        let key = aws_lc_rs::sign::any_supported_type(&self.identity.key_der()).unwrap();
        let shown = SingleCertAndKey::from(CertifiedKey::new(self.identity.chain, key));
        let mut config = builder.with_cert_resolver(Arc::new(shown));
        config.alpn_protocols = self.alpn;
        TlsAcceptor::from(Arc::new(config))
    }

    pub(super) async fn start(self) -> SocketAddr {
        let acceptor = self.acceptor();
        spawn(move |stream| {
            let acceptor = acceptor.clone();
            async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    echo(stream).await;
                }
            }
        })
        .await
    }
}
