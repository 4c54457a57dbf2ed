//! Whether the server is who it should be.
//!
//! `rustls` takes only an error code from a verifier and hands it on without the certificates it
//! is about. What the user needs to know about them is therefore written down while they are at
//! hand, in notes that belong to the one handshake being polled ([`with_notes`]).

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, ServerName, UnixTime};
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::client::{
    ResolvesClientCert, VerifierBuilderError, WebPkiServerVerifier, verify_server_name,
};
use tokio_rustls::rustls::crypto::CryptoProvider;
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, Error as TlsError, RootCertStore, SignatureScheme,
};

use super::certificate::CertificateFacts;
use super::explain::{self, Rejection};
use super::options::TlsOptions;
use super::pin::Pin;
use super::{files, insecure};
use crate::error::{Error, Layer};

tokio::task_local! {
    /// The notes of the handshake that is being polled.
    static NOTES: RefCell<Notes>;
}

/// What was learned during one handshake.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Why we turned the server's certificate down.
    pub(super) rejection: Option<Rejection>,
    /// The server asked for a certificate and we had none.
    pub(super) certificate_wanted: bool,
}

/// Runs a handshake and hands back what was noted during it.
pub(super) async fn with_notes<F: Future>(handshake: F) -> (F::Output, Notes) {
    let noted = async {
        let outcome = handshake.await;
        (outcome, NOTES.with(RefCell::take))
    };
    NOTES.scope(RefCell::default(), noted).await
}

fn note(write: impl FnOnce(&mut Notes)) {
    // Outside `with_notes` nobody wants to know.
    let _ = NOTES.try_with(|notes| write(&mut notes.borrow_mut()));
}

/// The verifier that `options` ask for.
pub(super) fn verifier(
    options: &TlsOptions,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, Error> {
    let given = given_authorities(options)?;
    let lists = Lists::read(&options.crl_files)?;
    if options.insecure {
        return Ok(insecure::verifier(options.pins.clone(), provider));
    }
    let mut roots = RootCertStore::empty();
    let (authorities, place) = if let Some(Authorities { found, place }) = given {
        for (path, certificate) in &found {
            roots.add(certificate.clone()).map_err(|error| {
                let why = format!("holds a certificate that cannot be read: {error}");
                files::unusable(path, &why)
            })?;
        }
        let certificates = found.into_iter().map(|(_, certificate)| certificate);
        (certificates.collect(), place)
    } else {
        let system = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(system.certs);
        (Vec::new(), "the operating system's trust store".to_owned())
    };
    if roots.is_empty() {
        return Err(Error::fatal(Layer::Tls, format!("{place} holds no certificate"))
            .with_hint("give the certificate authority's certificate with --cafile"));
    }
    let roots = Arc::new(roots);
    let builder = || WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(provider));
    let unusable = |error| match error {
        VerifierBuilderError::InvalidCrl(error) => Error::fatal(
            Layer::Tls,
            format!("{}: a revocation list cannot be used: {}", lists.place, explain::list_words(&error)),
        ),
        other => Error::fatal(Layer::Tls, other.to_string()),
    };
    // Two rules make two verifiers: the server's own certificate has to be covered by a list (as
    // with OpenSSL's CRL check), and what a list revokes further up is refused as well.
    let mut own_revocation = Vec::new();
    if !lists.found.is_empty() {
        let strict = builder().with_crls(lists.found.clone()).only_check_end_entity_revocation();
        own_revocation.push(strict.enforce_revocation_expiration().build().map_err(unusable)?);
    }
    let lenient = |lists: Vec<CertificateRevocationListDer<'static>>| {
        builder().with_crls(lists).allow_unknown_revocation_status().enforce_revocation_expiration()
    };
    let chain = lenient(lists.found.clone()).build().map_err(unusable)?;
    // Of several lists of one issuer a verifier heeds only the first, so that each list gets
    // verifiers of its own as well.
    let mut chain_revocation = Vec::new();
    if lists.found.len() > 1 {
        for list in &lists.found {
            let alone = || lenient(vec![list.clone()]);
            own_revocation.push(alone().only_check_end_entity_revocation().build().map_err(unusable)?);
            chain_revocation.push(alone().build().map_err(unusable)?);
        }
    }
    let lists_place = lists.place;
    let pins = options.pins.clone();
    Ok(Arc::new(TrustedServer {
        own_revocation,
        chain,
        chain_revocation,
        authorities,
        place,
        lists_place,
        pins,
    }))
}

/// The revocation lists given.
struct Lists {
    found: Vec<CertificateRevocationListDer<'static>>,
    /// All files, for messages.
    place: String,
}

impl Lists {
    fn read(paths: &[PathBuf]) -> Result<Self, Error> {
        let mut found = Vec::new();
        for path in paths {
            found.extend(files::revocation_lists(path)?);
        }
        let places: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        Ok(Self { found, place: places.join(" or ") })
    }
}

/// The certificates given as authorities, each with the file or directory it is from.
struct Authorities<'a> {
    found: Vec<(&'a Path, CertificateDer<'static>)>,
    /// All files and directories, for messages.
    place: String,
}

fn given_authorities(options: &TlsOptions) -> Result<Option<Authorities<'_>>, Error> {
    if options.ca_files.is_empty() && options.ca_paths.is_empty() {
        return Ok(None);
    }
    let mut found = Vec::new();
    let mut places = Vec::new();
    for path in &options.ca_files {
        let certificates = files::certificates(path)?;
        found.extend(certificates.into_iter().map(|one| (path.as_path(), one)));
        places.push(path.display().to_string());
    }
    for path in &options.ca_paths {
        let certificates = files::certificates_in_directory(path)?;
        found.extend(certificates.into_iter().map(|one| (path.as_path(), one)));
        places.push(path.display().to_string());
    }
    Ok(Some(Authorities { found, place: places.join(" or ") }))
}

/// Checks the chain, the dates and the name, as the Web does, with one addition: a server whose
/// own certificate is, byte for byte, one of those given as authorities is accepted, if its dates
/// and names are right. `rustls` alone refuses what `openssl req -x509` makes (`CA:TRUE`, used by
/// a server); OpenSSL's clients accept it, and many test brokers run on just that.
#[derive(Debug)]
struct TrustedServer {
    /// Refuse a server's own certificate that no revocation list covers, or one revokes.
    own_revocation: Vec<Arc<WebPkiServerVerifier>>,
    /// Checks everything else.
    chain: Arc<WebPkiServerVerifier>,
    /// Refuse a chain with a certificate that one of several revocation lists revokes.
    chain_revocation: Vec<Arc<WebPkiServerVerifier>>,
    /// The certificates given as authorities; empty with the operating system's.
    authorities: Vec<CertificateDer<'static>>,
    /// Where the authorities are from, for messages.
    place: String,
    /// Where the revocation lists are from, for messages.
    lists_place: String,
    pins: Vec<Pin>,
}

impl ServerCertVerifier for TrustedServer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let mut own_is_revoked = false;
        let outcome = if self.authorities.contains(end_entity) {
            verify_dates_and_name(end_entity, server_name, now)
        } else {
            let check = |verifier: &WebPkiServerVerifier| {
                verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
            };
            let own = self.own_revocation.iter().try_for_each(|verifier| check(verifier).map(|_| ()));
            own_is_revoked = own.is_err();
            let rest = || self.chain_revocation.iter().try_for_each(|verifier| check(verifier).map(|_| ()));
            own.and_then(|()| rest()).and_then(|()| check(&self.chain))
        };
        let verified = outcome.inspect_err(|error| {
            let presented = explain::Presented {
                end_entity,
                intermediates,
                name: server_name,
                authorities: &self.authorities,
                place: &self.place,
                lists_place: &self.lists_place,
                own_is_revoked,
            };
            note(|notes| notes.rejection = Some(explain::rejection(error, &presented)));
        })?;
        verify_pin(&self.pins, end_entity)?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.chain.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.chain.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

/// Whether the certificate's key is one of those pinned, if any are.
pub(super) fn verify_pin(pins: &[Pin], certificate: &CertificateDer<'_>) -> Result<(), TlsError> {
    let found = Pin::of(certificate);
    if pins.is_empty() || found.is_some_and(|found| pins.contains(&found)) {
        return Ok(());
    }
    note(|notes| notes.rejection = Some(explain::wrong_key(found)));
    Err(CertificateError::ApplicationVerificationFailure.into())
}

/// The checks that remain for a certificate trusted in itself.
fn verify_dates_and_name(
    certificate: &CertificateDer<'_>,
    name: &ServerName<'_>,
    now: UnixTime,
) -> Result<ServerCertVerified, TlsError> {
    let facts = CertificateFacts::read(certificate).ok_or(CertificateError::BadEncoding)?;
    let moment = SystemTime::UNIX_EPOCH + Duration::from_secs(now.as_secs());
    if moment < facts.not_before {
        return Err(CertificateError::NotValidYetContext {
            time: now,
            not_before: unix_time(facts.not_before),
        }
        .into());
    }
    if moment > facts.not_after {
        return Err(
            CertificateError::ExpiredContext { time: now, not_after: unix_time(facts.not_after) }.into()
        );
    }
    verify_server_name(&ParsedCertificate::try_from(certificate)?, name)?;
    Ok(ServerCertVerified::assertion())
}

fn unix_time(moment: SystemTime) -> UnixTime {
    // X.509 dates of before 1970 are not read in the first place.
    let since = moment.duration_since(SystemTime::UNIX_EPOCH);
    UnixTime::since_unix_epoch(since.unwrap_or_default())
}

/// Has no certificate to show, and notes that one was asked for.
#[derive(Debug)]
pub(super) struct NoClientCertificate;

impl ResolvesClientCert for NoClientCertificate {
    fn resolve(
        &self,
        _acceptable_issuers: &[&[u8]],
        _schemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        note(|notes| notes.certificate_wanted = true);
        None
    }

    fn has_certs(&self) -> bool {
        false
    }
}
