//! Certificates and keys off the disk. Every error names the file.

use std::path::Path;

use pkcs8::{EncryptedPrivateKeyInfoOwned, Error as Pkcs8Error, SecretDocument, pkcs5};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::options::KeyPassword;
use crate::error::{Error, Layer};
use crate::file::read_at_most;

/// The first byte of anything in DER that could be meant here: a SEQUENCE.
const DER_SEQUENCE: u8 = 0x30;

/// The longest file taken: the revocation lists of large authorities are the longest.
const LONGEST_FILE_BYTES: u64 = 64 << 20;

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

/// All revocation lists of a PEM file; at least one.
pub(super) fn revocation_lists(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, Error> {
    let content = read(path, "certificate revocation list")?;
    let found: Result<Vec<_>, _> = CertificateRevocationListDer::pem_slice_iter(&content).collect();
    match found {
        Ok(lists) if lists.is_empty() => Err(missing(path, "certificate revocation list", &content)),
        Ok(lists) => Ok(lists),
        Err(error) => Err(unusable(path, &format!("not a sound PEM file: {error}"))),
    }
}

/// The private key of a PEM file, decrypted with `password` if it is encrypted.
pub(super) fn private_key(
    path: &Path,
    password: Option<&KeyPassword>,
) -> Result<PrivateKeyDer<'static>, Error> {
    let content = read(path, "private key")?;
    if let Some(encrypted) = section(&content, "ENCRYPTED PRIVATE KEY") {
        return decrypted(path, encrypted, password);
    }
    if contains(&content, "Proc-Type: 4,ENCRYPTED") {
        return Err(unusable(
            path,
            "this private key is encrypted in OpenSSL's old way, which is not supported",
        )
        .with_hint(format!(
            "`openssl pkcs8 -topk8 -in {} -out NEW_FILE` encrypts it in the new one",
            path.display()
        )));
    }
    PrivateKeyDer::from_pem_slice(&content).map_err(|_| missing(path, "private key", &content))
}

/// A key out of its encrypted PKCS#8 armour.
fn decrypted(
    path: &Path,
    pem: &str,
    password: Option<&KeyPassword>,
) -> Result<PrivateKeyDer<'static>, Error> {
    let Some(password) = password else {
        return Err(unusable(path, "this private key is encrypted")
            .with_hint("give its password with --key-password-file"));
    };
    let unsound = |error: &dyn std::fmt::Display| {
        unusable(path, &format!("this encrypted private key cannot be read: {error}")).with_hint(format!(
            "`openssl pkcs8 -topk8 -in {} -out NEW_FILE` encrypts it in a way that can",
            path.display()
        ))
    };
    let (_, document) = SecretDocument::from_pem(pem).map_err(|error| unsound(&error))?;
    let encrypted: EncryptedPrivateKeyInfoOwned = document.decode_msg().map_err(|error| unsound(&error))?;
    match encrypted.decrypt(password.as_bytes()) {
        Ok(key) => Ok(PrivatePkcs8KeyDer::from(key.to_bytes().to_vec()).into()),
        // A wrong password shows only in what comes out: wrong padding, or bytes that are no key.
        Err(Pkcs8Error::EncryptedPrivateKey(pkcs5::Error::DecryptFailed) | Pkcs8Error::Asn1(_)) => {
            Err(unusable(path, "the password given does not open this private key"))
        }
        Err(error) => Err(unsound(&error)),
    }
}

/// The PEM section of that label, armour included.
fn section<'a>(content: &'a [u8], label: &str) -> Option<&'a str> {
    let start = memchr::memmem::find(content, format!("-----BEGIN {label}-----").as_bytes())?;
    let end_line = format!("-----END {label}-----");
    let end = start + memchr::memmem::find(&content[start..], end_line.as_bytes())? + end_line.len();
    std::str::from_utf8(&content[start..end]).ok()
}

fn contains(content: &[u8], text: &str) -> bool {
    memchr::memmem::find(content, text.as_bytes()).is_some()
}

fn read(path: &Path, what: &str) -> Result<Vec<u8>, Error> {
    read_at_most(path, LONGEST_FILE_BYTES)
        .map_err(|error| Error::file(format!("{what} {}", path.display()), error))
}

/// A file that does not hold what it should, and what it seems to hold instead.
fn missing(path: &Path, what: &str, content: &[u8]) -> Error {
    let error = unusable(path, &format!("no {what} in this file (PEM)"));
    let holds = |label: &str| contains(content, label);
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
