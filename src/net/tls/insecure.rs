//! The verifiers of [`TlsOptions::insecure`](super::TlsOptions::insecure), used for nothing else.

use std::sync::Arc;

use rustls_pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use tokio_rustls::rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use tokio_rustls::rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, verify_tls13_signature_with_raw_key,
};
use tokio_rustls::rustls::{CertificateError, DigitallySignedStruct, Error as TlsError, SignatureScheme};
use webpki::RawPublicKeyEntity;

use super::pin::Pin;
use super::{certificate, verify};

/// A verifier that checks only the pins, or nothing without pins.
pub(super) fn verifier(pins: Vec<Pin>, provider: &CryptoProvider) -> Arc<dyn ServerCertVerifier> {
    Arc::new(InsecureServer { pins, algorithms: provider.signature_verification_algorithms })
}

/// Accepts every certificate with a pinned key, whatever else it contains. Without pins, every peer is
/// accepted.
#[derive(Debug)]
struct InsecureServer {
    pins: Vec<Pin>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl InsecureServer {
    /// Whether signatures are checked. A signature by the key of an unverified certificate proves nothing,
    /// and checking it would refuse certificates that rustls cannot read, such as version 1. With pins, the
    /// signature proves that the server has the private key and not only the certificate.
    fn checks_signatures(&self) -> bool {
        !self.pins.is_empty()
    }

    /// Verifies a TLS 1.2 signature by the key alone: rustls would parse the whole certificate, which fails
    /// for version 1.
    fn verify_by_key(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let key = SubjectPublicKeyInfoDer::from(public_key(certificate)?);
        let key = RawPublicKeyEntity::try_from(&key).map_err(|_| CertificateError::BadEncoding)?;
        let of_scheme = self.algorithms.mapping.iter().find(|(scheme, _)| *scheme == signature.scheme);
        let mut algorithms = of_scheme.map(|(_, algorithms)| *algorithms).unwrap_or_default().iter();
        let is_valid =
            algorithms.any(|one| key.verify_signature(*one, message, signature.signature()).is_ok());
        if is_valid {
            Ok(HandshakeSignatureValid::assertion())
        } else {
            Err(CertificateError::BadSignature.into())
        }
    }
}

/// The public key of a certificate, in DER.
fn public_key(certificate: &CertificateDer<'_>) -> Result<Vec<u8>, TlsError> {
    certificate::public_key(certificate).ok_or_else(|| CertificateError::BadEncoding.into())
}

impl ServerCertVerifier for InsecureServer {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        verify::verify_pin(&self.pins, end_entity)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        if self.checks_signatures() {
            let outcome = self.verify_by_key(message, certificate, signature);
            outcome.inspect_err(|_| verify::note_key(certificate))
        } else {
            Ok(HandshakeSignatureValid::assertion())
        }
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        if !self.checks_signatures() {
            return Ok(HandshakeSignatureValid::assertion());
        }
        let key = SubjectPublicKeyInfoDer::from(public_key(certificate)?);
        let outcome = verify_tls13_signature_with_raw_key(message, &key, signature, &self.algorithms);
        outcome.inspect_err(|_| verify::note_key(certificate))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
