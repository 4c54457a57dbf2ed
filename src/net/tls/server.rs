//! The server's side of TLS, for the embedded broker: its certificate, and optionally the authorities of
//! clients.

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    IsCa, KeyPair, KeyUsagePurpose,
};
use rustls_pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;
use tokio_rustls::rustls::server::{NoClientAuth, WebPkiClientVerifier};
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::server::TlsStream;

use super::authorities::{Authorities, ignored};
use super::certificate::CertificateFacts;
use super::config::{Clock, certificate_and_key};
use super::options::TlsOptions;
use super::verify::TrustedClients;
use super::{client_words, files, provider};
use crate::clock;
use crate::error::{Error, Layer};

/// The certificate and the client authorities of each handshake.
#[derive(Clone)]
pub struct ServerTls {
    config: Arc<ServerConfig>,
    /// Its own certificate, if it can be read.
    certificate: Option<CertificateFacts>,
    warnings: Vec<String>,
}

/// A certificate made for one run, and the authority that issued it.
pub struct ThrowAway {
    /// The server's side.
    pub server: ServerTls,
    /// The authority's certificate, in PEM. Its key has been discarded.
    pub authority: String,
}

impl ServerTls {
    /// Reads a certificate with its private key, and the authorities that must have issued each client's
    /// certificate, if there are any.
    ///
    /// # Errors
    /// A file that cannot be read or has unexpected content; the error names it.
    pub fn load(certificate: &Path, key: &Path, client_authorities: Option<&Path>) -> Result<Self, Error> {
        let provider = Arc::new(provider::with_all_algorithms());
        let options = TlsOptions {
            certificate: Some(certificate.to_owned()),
            key: Some(key.to_owned()),
            ..TlsOptions::default()
        };
        let Some(pair) =
            certificate_and_key(&options, &provider, files::Presenter::Broker, files::of_option)?
        else {
            return Err(Error::usage("TLS needs --cert and --key"));
        };
        Self::new(provider, pair, client_authorities)
    }

    /// Makes an authority and a certificate issued by it for this machine's names and `addresses`.
    ///
    /// # Errors
    /// The files of `client_authorities`; or the system gives no random numbers.
    pub fn throw_away(
        addresses: &[IpAddr],
        host: Option<&str>,
        client_authorities: Option<&Path>,
    ) -> Result<ThrowAway, Error> {
        let failed = |error: rcgen::Error| {
            Error::fatal(Layer::Tls, format!("cannot make a certificate for this run: {error}"))
        };
        let mut params = CertificateParams::default();
        params.distinguished_name = named("mqtt broker, throw-away authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority =
            CertifiedIssuer::self_signed(params, KeyPair::generate().map_err(failed)?).map_err(failed)?;
        let loopback = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        let mut names: Vec<String> = loopback.into();
        names.extend(host.map(str::to_owned));
        names.extend(addresses.iter().map(ToString::to_string));
        names.dedup();
        let mut params = CertificateParams::new(names).map_err(failed)?;
        params.distinguished_name = named("mqtt broker");
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let key = KeyPair::generate().map_err(failed)?;
        let certificate = params.signed_by(&key, &authority).map_err(failed)?;
        let provider = Arc::new(provider::with_all_algorithms());
        let signer = provider
            .key_provider
            .load_private_key(PrivateKeyDer::Pkcs8(key.serialize_der().into()))
            .map_err(|error| {
                Error::fatal(Layer::Tls, format!("cannot use a key made for this run: {error}"))
            })?;
        let pair = CertifiedKey::new(vec![certificate.der().clone()], signer);
        let server = Self::new(provider, pair, client_authorities)?;
        Ok(ThrowAway { server, authority: authority.pem() })
    }

    fn new(
        provider: Arc<CryptoProvider>,
        pair: CertifiedKey,
        client_authorities: Option<&Path>,
    ) -> Result<Self, Error> {
        let (verifier, warnings) = match client_authorities {
            None => (Arc::new(NoClientAuth) as Arc<dyn ClientCertVerifier>, Vec::new()),
            Some(path) => client_verifier(path, &provider)?,
        };
        let unusable = |error: tokio_rustls::rustls::Error| {
            Error::fatal(Layer::Tls, format!("this certificate cannot be used: {error}"))
        };
        let certificate = pair.cert.first().and_then(CertificateFacts::read);
        // Dates are checked only in certificates of clients.
        let clock = Clock::new(client_authorities.is_some());
        let config = ServerConfig::builder_with_details(provider, Arc::new(clock))
            .with_safe_default_protocol_versions()
            .map_err(unusable)?
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(Arc::new(SingleCertAndKey::from(pair)));
        Ok(Self { config: Arc::new(config), certificate, warnings })
    }

    /// Why clients refuse the certificate because of its dates, if they do: a phrase after its name.
    #[must_use]
    pub fn out_of_date(&self, now: SystemTime) -> Option<String> {
        // Without a clock nothing can be said.
        clock::since_1970(now)?;
        let certificate = self.certificate.as_ref()?;
        let dated = |what, at, span| format!("{what} on {}, {span}", clock::rfc3339_seconds(at));
        if let Ok(since) = now.duration_since(certificate.not_after) {
            return Some(dated("expired", certificate.not_after, format!("{} ago", clock::rough(since))));
        }
        let until = certificate.not_before.duration_since(now).ok()?;
        Some(dated("becomes valid", certificate.not_before, format!("in {}", clock::rough(until))))
    }

    /// Warnings about the files: authorities that are left out.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Performs the handshake with a client.
    ///
    /// # Errors
    /// The client's fault in TLS in words, or the system's error.
    pub async fn accept<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: S) -> io::Result<TlsStream<S>> {
        TlsAcceptor::from(Arc::clone(&self.config)).accept(stream).await.map_err(client_words::of)
    }
}

fn named(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

/// The verifier of clients, and warnings about the file.
fn client_verifier(
    path: &Path,
    provider: &Arc<CryptoProvider>,
) -> Result<(Arc<dyn ClientCertVerifier>, Vec<String>), Error> {
    let Authorities { roots, unusable, place, .. } = Authorities::of_clients(path, "--client-ca")?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|error| files::unusable(path, &format!("cannot verify clients with it: {error}")))?;
    Ok((Arc::new(TrustedClients(verifier)), ignored(unusable, &place)))
}

/// Does not show the key.
impl fmt::Debug for ServerTls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerTls").finish_non_exhaustive()
    }
}
