//! Verification of certificates: of the broker's by the client, and of the client's by the embedded broker.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, ServerName, UnixTime};
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::client::{
    ResolvesClientCert, VerifierBuilderError, WebPkiServerVerifier, verify_server_name,
};
use tokio_rustls::rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use tokio_rustls::rustls::server::ParsedCertificate;
use tokio_rustls::rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use tokio_rustls::rustls::sign::CertifiedKey;
use tokio_rustls::rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error as TlsError, OtherError,
    SignatureScheme,
};

use super::authorities::{Authorities, ignored};
use super::certificate::{CertificateFacts, Details};
use super::insecure;
use super::notes::note;
use super::options::TlsOptions;
use super::pin::Pin;
use super::rejection::{Presented, rejection, unusable_key, wrong_key};
use super::revocation::Lists;
use super::words::list_words;
use crate::error::{Error, Layer};

/// How the server is checked.
pub(super) struct Verification {
    pub(super) verifier: Arc<dyn ServerCertVerifier>,
    /// Warnings: given authorities that cannot be used, and revocation lists of the future.
    pub(super) warnings: Vec<String>,
    /// Details: authorities of the operating system that cannot be used. Users can seldom repair those.
    pub(super) details: Vec<String>,
}

/// The checks that `options` ask for.
pub(super) fn verification(
    options: &TlsOptions,
    provider: &Arc<CryptoProvider>,
) -> Result<Verification, Error> {
    // Unreadable files are an error even with --insecure.
    let lists = Lists::read(&options.crl_files)?;
    if options.insecure {
        Authorities::given(options)?;
        let verifier = insecure::verifier(options.pins.clone(), provider);
        return Ok(Verification { verifier, warnings: Vec::new(), details: Vec::new() });
    }
    let Authorities { roots, certificates, unusable: left_out, place, are_the_systems, .. } =
        Authorities::load(options)?;
    let roots = Arc::new(roots);
    let builder = || WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), Arc::clone(provider));
    let unusable = |error| match error {
        VerifierBuilderError::InvalidCrl(error) => Error::fatal(
            Layer::Tls,
            format!("{}: a revocation list cannot be used: {}", lists.place, list_words(&error)),
        ),
        other => Error::fatal(Layer::Tls, other.to_string()),
    };
    // Two rules need two verifiers: a list has to cover the server's own certificate (as with OpenSSL's CRL
    // check), and certificates further up the chain must not be revoked by any list.
    let mut own_revocation = Vec::new();
    if !lists.found.is_empty() {
        let strict = builder().with_crls(lists.found.clone()).only_check_end_entity_revocation();
        own_revocation.push(strict.enforce_revocation_expiration().build().map_err(unusable)?);
    }
    let lenient = |lists: Vec<CertificateRevocationListDer<'static>>| {
        builder().with_crls(lists).allow_unknown_revocation_status().enforce_revocation_expiration()
    };
    let chain = lenient(lists.found.clone()).build().map_err(unusable)?;
    // A verifier uses only the first of several lists of one issuer, so each list gets its own verifiers.
    let mut chain_revocation = Vec::new();
    if lists.found.len() > 1 {
        for list in &lists.found {
            let alone = || lenient(vec![list.clone()]);
            own_revocation.push(alone().only_check_end_entity_revocation().build().map_err(unusable)?);
            chain_revocation.push(alone().build().map_err(unusable)?);
        }
    }
    let lists_place = lists.place;
    let place_of_others = place.clone();
    let pins = options.pins.clone();
    let verifier = Arc::new(TrustedServer {
        own_revocation,
        chain,
        chain_revocation,
        authorities: certificates,
        place,
        lists_place,
        any_name: options.any_name,
        pins,
        algorithms: provider.signature_verification_algorithms,
    });
    let left_out = ignored(left_out, &place_of_others);
    let mut warnings = lists.warnings;
    Ok(if are_the_systems {
        Verification { verifier, warnings, details: left_out }
    } else {
        warnings.extend(left_out);
        Verification { verifier, warnings, details: Vec::new() }
    })
}

/// Checks the chain, the dates and the name as Web browsers do, with one addition: a server whose own
/// certificate is byte for byte one of the given authorities is accepted if its dates and names are valid.
/// `rustls` alone refuses certificates from `openssl req -x509` (`CA:TRUE`, used by a server); OpenSSL's
/// clients accept them, and many test brokers use one.
#[derive(Debug)]
struct TrustedServer {
    /// Refuse a server's own certificate that is revoked or that no revocation list covers.
    own_revocation: Vec<Arc<WebPkiServerVerifier>>,
    /// Checks everything except revocation.
    chain: Arc<WebPkiServerVerifier>,
    /// Refuse a chain with a certificate that one of several revocation lists revokes.
    chain_revocation: Vec<Arc<WebPkiServerVerifier>>,
    /// The certificates given as authorities; empty with the operating system's.
    authorities: HashSet<CertificateDer<'static>>,
    /// Where the authorities are from, for messages.
    place: String,
    /// Where the revocation lists are from, for messages.
    lists_place: String,
    /// Whether names are not checked.
    any_name: bool,
    pins: Vec<Pin>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl TrustedServer {
    /// The outcome, with the name ignored if `any_name` is set. The name is checked last, after everything
    /// else.
    fn of_any_name(
        &self,
        outcome: Result<ServerCertVerified, TlsError>,
    ) -> Result<ServerCertVerified, TlsError> {
        match outcome {
            Err(TlsError::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if self.any_name => Ok(ServerCertVerified::assertion()),
            outcome => outcome,
        }
    }
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
            self.of_any_name(verify_dates_and_name(end_entity, server_name, now))
        } else {
            let issuers = issuers(intermediates);
            let check = |verifier: &WebPkiServerVerifier| {
                let outcome =
                    verifier.verify_server_cert(end_entity, &issuers, server_name, ocsp_response, now);
                self.of_any_name(outcome)
            };
            let own = self.own_revocation.iter().try_for_each(|verifier| check(verifier).map(|_| ()));
            own_is_revoked = own.is_err();
            let rest = || self.chain_revocation.iter().try_for_each(|verifier| check(verifier).map(|_| ()));
            own.and_then(|()| rest())
                .and_then(|()| check(&self.chain))
                .and_then(|verified| check_key_usage(end_entity).map(|()| verified))
        };
        let verified = outcome.inspect_err(|error| {
            let presented = Presented {
                end_entity,
                intermediates,
                name: server_name,
                authorities: &self.authorities,
                place: &self.place,
                lists_place: &self.lists_place,
                own_is_revoked,
                now,
                algorithms: self.algorithms.all,
            };
            note(|notes| {
                notes.rejection = Some(rejection(error, &presented));
                notes.refused = chain(end_entity, intermediates);
            });
        })?;
        verify_pin(&self.pins, end_entity)
            .inspect_err(|_| note(|notes| notes.refused = chain(end_entity, intermediates)))?;
        Ok(verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let outcome = self.chain.verify_tls12_signature(message, certificate, signature);
        outcome.inspect_err(|_| note_key(certificate))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let outcome = self.chain.verify_tls13_signature(message, certificate, signature);
        outcome.inspect_err(|_| note_key(certificate))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chain.supported_verify_schemes()
    }
}

/// Checks the certificates of clients by the rules for brokers: webpki's, and key usage.
#[derive(Debug)]
pub(super) struct TrustedClients(pub(super) Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for TrustedClients {
    fn offer_client_auth(&self) -> bool {
        self.0.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.0.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, TlsError> {
        let issuers = issuers(intermediates);
        let verified = self.0.verify_client_cert(end_entity, &issuers, now).map_err(|error| match error {
            TlsError::InvalidCertificate(CertificateError::UnknownIssuer)
                if issuers.len() < intermediates.len() =>
            {
                CertificateError::Other(OtherError(Arc::new(UnfitIssuer))).into()
            }
            error => error,
        })?;
        check_key_usage(end_entity).map(|()| verified)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.0.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        self.0.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// A client's chain has no issuer but those whose key usage has no keyCertSign.
#[derive(Debug)]
pub(super) struct UnfitIssuer;

impl fmt::Display for UnfitIssuer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("was issued by an authority whose key usage has no keyCertSign")
    }
}

impl std::error::Error for UnfitIssuer {}

/// Checks that a certificate's own key usage allows a handshake; webpki ignores key usage.
fn check_key_usage(end_entity: &CertificateDer<'_>) -> Result<(), TlsError> {
    let may_act = Details::read(end_entity).is_none_or(|details| details.may_act_in_handshake());
    may_act.then_some(()).ok_or(CertificateError::InvalidPurpose.into())
}

/// Notes why the broker's key makes its signature unverifiable, if that is known.
pub(super) fn note_key(certificate: &CertificateDer<'_>) {
    if let Some(rejection) = unusable_key(certificate) {
        note(|notes| notes.rejection = Some(rejection));
    }
}

/// The certificates of a chain that may issue others [RFC 5280, section 6.1.4 (n)]; webpki ignores key usage.
/// A trusted authority is not part of the chain: only its name and key count [RFC 5280, section 6.1.1 (d)],
/// not its dates or key usage.
fn issuers<'a, 'b>(intermediates: &'a [CertificateDer<'b>]) -> Cow<'a, [CertificateDer<'b>]> {
    let may_issue =
        |one: &&CertificateDer<'_>| Details::read(one).is_none_or(|details| details.may_sign_certificates());
    if intermediates.iter().all(|one| may_issue(&one)) {
        Cow::Borrowed(intermediates)
    } else {
        Cow::Owned(intermediates.iter().filter(may_issue).cloned().collect())
    }
}

/// The readable certificates that a server presented.
fn chain(end_entity: &CertificateDer<'_>, intermediates: &[CertificateDer<'_>]) -> Vec<CertificateFacts> {
    std::iter::once(end_entity).chain(intermediates).filter_map(CertificateFacts::read).collect()
}

/// Checks that the certificate's key is one of the pins, if there are any.
pub(super) fn verify_pin(pins: &[Pin], certificate: &CertificateDer<'_>) -> Result<(), TlsError> {
    let found = Pin::of(certificate);
    if pins.is_empty() || found.is_some_and(|found| pins.contains(&found)) {
        return Ok(());
    }
    note(|notes| notes.rejection = Some(wrong_key(found)));
    Err(CertificateError::ApplicationVerificationFailure.into())
}

/// The checks of dates and name for a directly trusted certificate.
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
    // Earlier X.509 dates are never decoded.
    let since = moment.duration_since(SystemTime::UNIX_EPOCH);
    UnixTime::since_unix_epoch(since.unwrap_or_default())
}

/// Presents no certificate, and notes that the server requested one.
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
