//! Trust, credentials and versions, read and checked before any socket is opened.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::sign::{CertifiedKey, SingleCertAndKey};
use tokio_rustls::rustls::time_provider::TimeProvider;
use tokio_rustls::rustls::{self, ClientConfig};

use super::certificate::{self, CertificateFacts, Details};
use super::files::Presenter;
use super::key_log::KeyLog;
use super::options::TlsOptions;
use super::verify::{NoClientCertificate, Verification, verification};
use super::{ciphers, files, provider};
use crate::clock;
use crate::error::{Error, Layer};
use crate::quotation;

/// Trust, credentials and versions, read and checked. All handshakes share it, session resumption included.
pub struct TlsConfig {
    pub(super) client: Arc<ClientConfig>,
    key_log: Option<Arc<KeyLog>>,
    /// The name to request and check instead of the host.
    server_name: Option<ServerName<'static>>,
    /// Whether there is a certificate to present when the server requests one.
    pub(super) has_certificate: bool,
    /// Whether [`TlsOptions::insecure`] disabled all checks.
    insecure: bool,
    /// Whether the server's key has to be one of a list of pins.
    pinned: bool,
    own_certificates: Vec<CertificateFacts>,
    /// Warnings for the user.
    warnings: Vec<String>,
    /// Details that help to find a fault.
    details: Vec<String>,
}

impl TlsConfig {
    /// Reads every file that `options` name and checks its content. The operating system's trust store is
    /// loaded only if no CA file or directory is given.
    ///
    /// # Errors
    ///
    /// [`Error::Usage`] for options that exclude each other, [`Error::File`] for a file that cannot be read,
    /// and [`Layer::Tls`] for a file with unexpected content; every error names its file.
    pub fn load(options: &TlsOptions) -> Result<Self, Error> {
        let mut provider = provider::with_all_algorithms();
        if let Some(list) = &options.ciphers {
            provider.cipher_suites = ciphers::chosen(list, &provider.cipher_suites)?;
        }
        let provider = Arc::new(provider);
        let versions = options.protocol_versions()?;
        let clock = Clock::new(!options.insecure);
        let server_name = options.server_name.as_deref().map(checkable_name).transpose()?;
        let certificate = certificate_and_key(options, &provider, Presenter::Client, files::of_option)?;
        let has_certificate = certificate.is_some();
        let shown = certificate.iter().flat_map(|pair| &pair.cert);
        let own_certificates = shown.filter_map(CertificateFacts::read).collect();
        let Verification { verifier, warnings, details } = verification(options, &provider)?;
        let builder = ClientConfig::builder_with_details(provider, Arc::new(clock))
            .with_protocol_versions(&versions)
            .map_err(|_| {
                Error::usage("--ciphers: none of the suites belongs to a TLS version that is asked for")
            })?
            .dangerous()
            .with_custom_certificate_verifier(verifier);
        let mut client = match certificate {
            Some(pair) => builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(pair))),
            None => builder.with_client_cert_resolver(Arc::new(NoClientCertificate)),
        };
        client.alpn_protocols = options.alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
        let key_log = options.key_log.as_deref().map(KeyLog::open).transpose()?.map(Arc::new);
        if let Some(key_log) = &key_log {
            client.key_log = Arc::clone(key_log) as Arc<dyn rustls::KeyLog>;
        }
        Ok(Self {
            client: Arc::new(client),
            key_log,
            server_name,
            has_certificate,
            insecure: options.insecure,
            pinned: !options.pins.is_empty(),
            own_certificates,
            warnings,
            details,
        })
    }

    /// The same configuration without session resumption: every handshake is a full one. For a load that
    /// simulates many clients, which would not share sessions.
    #[must_use]
    pub fn without_resumption(&self) -> Self {
        let mut client = ClientConfig::clone(&self.client);
        client.resumption = rustls::client::Resumption::disabled();
        self.with_client(client, self.has_certificate)
    }

    /// The same configuration with this client certificate, without session resumption: a session of another
    /// certificate must not be resumed.
    ///
    /// # Errors
    ///
    /// Like [`TlsConfig::load`], for the two files.
    pub fn with_certificate(&self, certificate: PathBuf, key: PathBuf) -> Result<Self, Error> {
        let options = TlsOptions { certificate: Some(certificate), key: Some(key), ..TlsOptions::default() };
        let mut client = ClientConfig::clone(&self.client);
        client.resumption = rustls::client::Resumption::disabled();
        let pair =
            certificate_and_key(&options, client.crypto_provider(), Presenter::Client, |error, _| error)?;
        if let Some(pair) = pair {
            client.client_auth_cert_resolver = Arc::new(SingleCertAndKey::from(pair));
        }
        Ok(self.with_client(client, true))
    }

    /// The same configuration with another `client`. Warnings and details are dropped, as they were reported
    /// before.
    fn with_client(&self, client: ClientConfig, has_certificate: bool) -> Self {
        Self {
            client: Arc::new(client),
            key_log: self.key_log.clone(),
            server_name: self.server_name.clone(),
            has_certificate,
            insecure: self.insecure,
            pinned: self.pinned,
            own_certificates: Vec::new(),
            warnings: Vec::new(),
            details: Vec::new(),
        }
    }

    /// The same configuration with another clock.
    #[cfg(test)]
    pub(in crate::net) fn at(&self, now: fn() -> SystemTime) -> Self {
        let mut client = ClientConfig::clone(&self.client);
        client.time_provider = Arc::new(Clock { now, dates_matter: !self.insecure });
        self.with_client(client, self.has_certificate)
    }

    /// The client's certificates, its own first.
    #[must_use]
    pub fn own_certificates(&self) -> &[CertificateFacts] {
        &self.own_certificates
    }

    /// A warning for the end of the run: session keys are missing in the key log.
    #[must_use]
    pub fn key_log_failure(&self) -> Option<String> {
        self.key_log.as_ref().and_then(|key_log| key_log.failure())
    }

    /// Warnings for the user: given authorities that cannot be used, and revocation lists of the future.
    #[must_use]
    pub fn warnings(&self) -> &[String] {
        &self.warnings
    }

    /// Details that help to find a fault: authorities of the operating system that cannot be used.
    #[must_use]
    pub fn details(&self) -> &[String] {
        &self.details
    }

    /// Whether the broker is not verified at all, not even by its key. The caller has to print a warning.
    #[must_use]
    pub fn is_insecure(&self) -> bool {
        self.insecure && !self.pinned
    }

    /// The name that the server's certificate must contain: the one set in the options, or else `host`.
    ///
    /// # Errors
    ///
    /// [`Layer::Tls`] when no certificate can contain `host`.
    pub(in crate::net) fn name_for(&self, host: &str) -> Result<ServerName<'static>, Error> {
        match &self.server_name {
            Some(name) => Ok(name.clone()),
            None => checkable_name(host),
        }
    }
}

/// The clock for rustls, whose own clock panics before 1970.
#[derive(Debug)]
pub(super) struct Clock {
    now: fn() -> SystemTime,
    /// If dates are not checked, an invalid time is not an error.
    dates_matter: bool,
}

impl Clock {
    /// This machine's clock.
    pub(super) fn new(dates_matter: bool) -> Self {
        Self { now: SystemTime::now, dates_matter }
    }
}

impl TimeProvider for Clock {
    fn current_time(&self) -> Option<UnixTime> {
        let since = clock::since_1970((self.now)());
        let since = if self.dates_matter { since } else { Some(since.unwrap_or_default()) };
        since.map(UnixTime::since_unix_epoch)
    }
}

/// Shows no keys and certificates.
impl fmt::Debug for TlsConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConfig")
            .field("server_name", &self.server_name)
            .field("has_certificate", &self.has_certificate)
            .field("insecure", &self.insecure)
            .finish_non_exhaustive()
    }
}

/// A host name or IP literal in rustls's type.
pub(in crate::net) fn checkable_name(host: &str) -> Result<ServerName<'static>, Error> {
    // An IPv6 zone has a meaning only on this machine and is in no certificate.
    let bare = host.split('%').next().unwrap_or(host);
    ServerName::try_from(bare.to_owned()).map_err(|_| {
        Error::fatal(
            Layer::Tls,
            format!("'{}' is not a name that a certificate can hold", quotation::shown(host)),
        )
        .with_hint("give the name in the broker's certificate with --tls-server-name")
    })
}

/// The error for a private key that does not belong to the first certificate of a chain.
fn mismatch(
    (chain_file, key_file): (&Path, &Path),
    chain: &[CertificateDer<'_>],
    ours: &[u8],
    presenter: Presenter,
) -> Error {
    let (chain_name, key_name) = (chain_file.display(), key_file.display());
    let is_ours = |der: &CertificateDer<'_>| certificate::public_key(der).is_some_and(|key| key == ours);
    if let Some(place) = chain.iter().position(is_ours) {
        let number = place + 1;
        let why = format!("certificate {number} of {chain_name} is the one of {key_name}, and not the first");
        return Error::fatal(Layer::Tls, why)
            .with_hint("put the certificate of this key first, and those of its authorities after it");
    }
    if chain.first().is_some_and(|der| certificate::has_explicit_curve(der)) {
        let why = "its key describes its curve by parameters and not by name, which is not allowed";
        return files::unusable(chain_file, &format!("{why} (RFC 5480, section 2.1.1)")).with_hint(
            "make the key again with `openssl ecparam -genkey -name prime256v1`, and the certificate",
        );
    }
    let why = format!("{key_name} is not the private key of the certificate in {chain_name}");
    let error = Error::fatal(Layer::Tls, why);
    match chain.first().and_then(Details::read).filter(Details::is_authority) {
        Some(Details { facts, .. }) => error.with_hint(format!(
            "{chain_name} holds the certificate of an authority ({facts}): {}",
            match presenter {
                Presenter::Client => "that goes after --cafile",
                Presenter::Broker =>
                    "--cert takes the certificate of the broker itself, and --key its private key",
            }
        )),
        None => error,
    }
}

/// The certificate to present, with its key. `of_option` tells which option names a file.
pub(super) fn certificate_and_key(
    options: &TlsOptions,
    provider: &CryptoProvider,
    presenter: Presenter,
    of_option: fn(Error, &str) -> Error,
) -> Result<Option<CertifiedKey>, Error> {
    let (chain_file, key_file) = match (&options.certificate, &options.key) {
        (None, None) => return Ok(None),
        (Some(chain), Some(key)) => (chain, key),
        (Some(_), None) => return Err(Error::usage("--cert needs its private key: --key FILE")),
        (None, Some(_)) => return Err(Error::usage("--key needs its certificate: --cert FILE")),
    };
    let chain = files::certificates(chain_file).map_err(|error| of_option(error, "--cert"))?;
    let key = files::private_key(key_file, options.key_password.as_ref(), presenter)
        .map_err(|error| of_option(error, "--key"))?;
    let kind = certificate::private_key_type(&key);
    let signer = provider.key_provider.load_private_key(key).map_err(|_| {
        let found = match kind {
            Some(kind) => format!("this private key ({kind}) is damaged, or of a kind that is not supported"),
            None => "this private key is damaged, or of a kind that is not supported".into(),
        };
        files::unusable(key_file, &found).with_hint(files::SUPPORTED_KEYS)
    })?;
    // rustls could compare the two, but reads only version 3 certificates, and old instructions for client
    // certificates make version 1.
    let certified = chain.first().and_then(certificate::public_key);
    if let (Some(certified), Some(ours)) = (certified, signer.public_key())
        && certified != ours.as_ref()
    {
        return Err(mismatch((chain_file, key_file), &chain, ours.as_ref(), presenter));
    }
    Ok(Some(CertifiedKey::new(chain, signer)))
}
