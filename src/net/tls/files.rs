//! Certificates and keys off the disk. Every error names the file.

use std::path::Path;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::error::{Error, Layer};

/// The first byte of anything in DER that could be meant here: a SEQUENCE.
const DER_SEQUENCE: u8 = 0x30;

/// All certificates of a PEM file, in their order; at least one.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let content = read(path, "certificates")?;
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&content).collect();
    match found {
        Ok(certificates) if certificates.is_empty() => Err(missing(path, "certificate", &content)),
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(unusable(path, &format!("not a sound PEM file: {error}"))),
    }
}

/// All certificates of a directory's files. Files that hold none are passed over: such
/// directories also carry hash links, CRLs and notes.
pub(super) fn certificates_in_directory(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    std::fs::read_dir(path)
        .map_err(|error| Error::file(format!("CA directory {}", path.display()), error))?;
    let found = rustls_native_certs::load_certs_from_paths(None, Some(path)).certs;
    if found.is_empty() {
        return Err(unusable(path, "no certificate in this directory (PEM)"));
    }
    Ok(found)
}

/// The private key of a PEM file.
pub(super) fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, Error> {
    let content = read(path, "private key")?;
    if let Ok(key) = PrivateKeyDer::from_pem_slice(&content) {
        return Ok(key);
    }
    Err(missing(path, "private key", &content))
}

fn read(path: &Path, what: &str) -> Result<Vec<u8>, Error> {
    std::fs::read(path).map_err(|error| Error::file(format!("{what} {}", path.display()), error))
}

/// A file that does not hold what it should, and what it seems to hold instead.
fn missing(path: &Path, what: &str, content: &[u8]) -> Error {
    let error = unusable(path, &format!("no {what} in this file (PEM)"));
    let holds = |label: &str| memchr::memmem::find(content, label.as_bytes()).is_some();
    if content.first() == Some(&DER_SEQUENCE) {
        error.with_hint("it looks like DER: `openssl x509 -inform der` (or `openssl pkey`) makes PEM of it")
    } else if holds("PRIVATE KEY-----") {
        error.with_hint("it holds a private key: that goes after --key")
    } else if holds("BEGIN CERTIFICATE-----") {
        error.with_hint("it holds a certificate: that goes after --cert or --cafile")
    } else {
        error
    }
}

/// What is wrong with the content of a file.
pub(super) fn unusable(path: &Path, why: &str) -> Error {
    Error::fatal(Layer::Tls, format!("{}: {why}", path.display()))
}
