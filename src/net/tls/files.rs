//! Reads certificates and keys from files. Every error names the file.

use std::io;
use std::path::Path;

use pkcs8::der::Decode as _;
use pkcs8::{EncryptedPrivateKeyInfoOwned, Error as Pkcs8Error, pkcs5};
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::options::KeyPassword;
use super::pem::{self, Block, PemKind};
use crate::error::{Error, Layer};
use crate::file::{mark, read_at_most};
use crate::quotation;

/// The kinds of private keys that can be used.
pub(super) const SUPPORTED_KEYS: &str =
    "supported are RSA from 2048 to 8192 bits, EC on P-256, P-384 and P-521, and Ed25519";

/// The longest file accepted: the revocation lists of large authorities are the longest files.
const LONGEST_FILE_BYTES: u64 = 64 << 20;

/// The same error, naming the option that gives the file.
pub(super) fn of_option(error: Error, option: &str) -> Error {
    match error {
        Error::File { what, source, hint } => Error::File { what: format!("{option}: {what}"), source, hint },
        other => other,
    }
}

/// All certificates of a PEM file, in order; at least one. The whole chain is presented, so a damaged block
/// is an error.
pub(super) fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, Error> {
    let wanted = |kind| matches!(kind, PemKind::Certificate | PemKind::TrustedCertificate);
    let found = contents(path, "certificate", wanted)?.into_iter().map(|mut der| {
        // OpenSSL's trust settings follow a certificate.
        der.truncate(pem::element_length(&der).unwrap_or(der.len()));
        der.into()
    });
    Ok(found.collect())
}

/// All revocation lists of a PEM file, at least one. A damaged list is an error: ignoring it would accept
/// certificates that it may revoke.
pub(super) fn revocation_lists(path: &Path) -> Result<Vec<CertificateRevocationListDer<'static>>, Error> {
    let found = contents(path, "certificate revocation list", |kind| kind == PemKind::RevocationList)?;
    Ok(found.into_iter().map(Into::into).collect())
}

/// The contents of all blocks of one kind; a damaged one is an error.
fn contents(path: &Path, what: &str, wanted: impl Fn(PemKind) -> bool) -> Result<Vec<Vec<u8>>, Error> {
    let file = read(path, what)?;
    let blocks = pem::blocks(&file).into_iter().filter(|block| wanted(block.kind));
    let found: Vec<Vec<u8>> = blocks.map(|block| content_of(path, block)).collect::<Result<_, _>>()?;
    if found.is_empty() { Err(missing(path, what, &file)) } else { Ok(found) }
}

fn content_of(path: &Path, block: Block) -> Result<Vec<u8>, Error> {
    let place = block.to_string();
    block.content.map_err(|damage| unusable(path, &format!("{place}: {damage}")))
}

/// The side that presents a certificate. Each has its own options, which the hints of errors name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presenter {
    Client,
    Broker,
}

/// The private key of a PEM file, decrypted with `password` if it is encrypted.
pub(super) fn private_key(
    path: &Path,
    password: Option<&KeyPassword>,
    presenter: Presenter,
) -> Result<PrivateKeyDer<'static>, Error> {
    let file = read(path, "private key")?;
    let is_key = |block: &Block| {
        use PemKind::{EcPrivateKey, EncryptedPrivateKey, PrivateKey, RsaPrivateKey};
        matches!(block.kind, PrivateKey | EncryptedPrivateKey | RsaPrivateKey | EcPrivateKey)
    };
    let blocks = pem::blocks(&file);
    // Old formats name the kind of key in the label. For OpenSSH keys another message explains how to convert
    // them.
    let of_another_kind =
        |block: &&Block| block.label.ends_with(" PRIVATE KEY") && block.label != pem::OPENSSH_KEY;
    let other = blocks.iter().find(of_another_kind).map(|block| block.label.clone());
    let Some(block) = blocks.into_iter().find(is_key) else {
        return Err(match other {
            Some(label) => unusable(
                path,
                &format!(
                    "the private key in this file ({}) is of a kind that is not supported",
                    quotation::shown(&label)
                ),
            )
            .with_hint(SUPPORTED_KEYS),
            None => missing(path, "private key", &file),
        });
    };
    if block.is_encrypted_by_headers {
        return Err(unusable(
            path,
            "this private key is encrypted in OpenSSL's old way, which is not supported",
        )
        .with_hint(format!(
            "`openssl pkcs8 -topk8 -in {} -out NEW_FILE` encrypts it in the current one",
            path.display()
        )));
    }
    let kind = block.kind;
    let content = content_of(path, block)?;
    match kind {
        PemKind::EncryptedPrivateKey => decrypted(path, &content, password, presenter),
        PemKind::RsaPrivateKey => Ok(PrivateKeyDer::Pkcs1(content.into())),
        PemKind::EcPrivateKey => Ok(PrivateKeyDer::Sec1(content.into())),
        _ => Ok(PrivateKeyDer::Pkcs8(content.into())),
    }
}

/// Decrypts a key in encrypted PKCS#8.
fn decrypted(
    path: &Path,
    content: &[u8],
    password: Option<&KeyPassword>,
    presenter: Presenter,
) -> Result<PrivateKeyDer<'static>, Error> {
    let Some(password) = password else {
        let hint = match presenter {
            Presenter::Client => "give its password with --key-password-file".to_owned(),
            Presenter::Broker => {
                let name = crate::notation::shell::quoted(&path.to_string_lossy());
                format!("`openssl pkey -in {name} -out NEW_FILE` writes it without its password")
            }
        };
        return Err(unusable(path, "this private key is encrypted").with_hint(hint));
    };
    // The library's own message is about ASN.1.
    let unsound = || {
        let why = "this private key is encrypted in a way that is not supported, or damaged";
        unusable(path, why).with_hint(format!(
            "`openssl pkcs8 -topk8 -in {} -out NEW_FILE` encrypts it in a way that can",
            path.display()
        ))
    };
    let encrypted = EncryptedPrivateKeyInfoOwned::from_der(content).map_err(|_| unsound())?;
    match encrypted.decrypt(password.as_bytes()) {
        Ok(key) => Ok(PrivatePkcs8KeyDer::from(key.to_bytes().to_vec()).into()),
        // A wrong password shows only in the decrypted bytes: invalid padding, or bytes that are not a key.
        Err(Pkcs8Error::EncryptedPrivateKey(pkcs5::Error::DecryptFailed) | Pkcs8Error::Asn1(_)) => {
            let error = unusable(path, "the given password does not decrypt this private key");
            Err(match mark(password.as_bytes()) {
                Ok(_) => error,
                Err(_) => error.with_hint("the file with the password is UTF-16; save it as UTF-8"),
            })
        }
        Err(_) => Err(unsound()),
    }
}

pub(super) fn read(path: &Path, what: &str) -> Result<Vec<u8>, Error> {
    content(path).map_err(|error| Error::file(format!("{what} {}", path.display()), error))
}

pub(super) fn content(path: &Path) -> io::Result<Vec<u8>> {
    read_at_most(path, LONGEST_FILE_BYTES)
}

/// The error for a file without the expected content; it names what the file seems to hold instead.
pub(super) fn missing(path: &Path, what: &str, content: &[u8]) -> Error {
    let error = unusable(path, &format!("no {what} in this file (PEM)"));
    if pem::is_pkcs12(content) {
        return error
            .with_hint("it holds PKCS#12: `openssl pkcs12 -nodes -in FILE` extracts certificate and key");
    }
    if pem::element_length(content).is_some() {
        return error.with_hint(
            "it looks like DER: `openssl x509 -inform der` (or `openssl pkey`, or `openssl crl`) converts it to PEM",
        );
    }
    let blocks = pem::blocks(content);
    let has = |wanted: fn(&str) -> bool| blocks.iter().any(|block| wanted(&block.label));
    if has(|label| label == pem::OPENSSH_KEY) {
        error.with_hint("it holds a key of OpenSSH: `ssh-keygen -p -m PKCS8 -f FILE` converts it")
    } else if has(|label| label.ends_with("PRIVATE KEY")) {
        error.with_hint("it holds a private key: that goes after --key")
    } else if has(|label| matches!(PemKind::of(label), PemKind::Certificate | PemKind::TrustedCertificate)) {
        error.with_hint("it holds a certificate: that goes after --cert or --cafile")
    } else if has(|label| label.ends_with("CERTIFICATE REQUEST")) {
        error.with_hint("it holds a request for a certificate, which the authority has to sign first")
    } else if has(|label| label == "PKCS7") {
        error.with_hint("it holds PKCS#7: `openssl pkcs7 -print_certs -in FILE` extracts the certificates")
    } else if has(|label| PemKind::of(label) == PemKind::RevocationList) {
        error.with_hint("it holds a revocation list: that goes after --crl")
    } else {
        error
    }
}

/// The error for a file with unusable content.
pub(super) fn unusable(path: &Path, why: &str) -> Error {
    Error::fatal(Layer::Tls, format!("{}: {why}", path.display()))
}
