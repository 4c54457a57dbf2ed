//! The public key that the broker must have (`--tls-pin`).

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{SHA256, SHA256_OUTPUT_LEN, digest};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use rustls_pki_types::CertificateDer;

use super::certificate;
use crate::error::KeyDigest;
use crate::notation::hex;
use crate::quotation;

/// The SHA-256 of a server's public key (`SubjectPublicKeyInfo`, DER). It stays the same when a certificate
/// is renewed with the same key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pin([u8; SHA256_OUTPUT_LEN]);

impl Pin {
    /// The pin of a certificate's key; `None` if the certificate cannot be read.
    pub(in crate::net) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let key = certificate::public_key(certificate)?;
        digest(&SHA256, &key).as_ref().try_into().ok().map(Self)
    }

    /// The pin in the form that errors use.
    pub(super) fn digest(self) -> KeyDigest {
        KeyDigest(self.0)
    }
}

/// As on the command line: `sha256:` and Base64.
impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.digest().fmt(f)
    }
}

/// Reads `sha256:` followed by Base64 or hexadecimal digits (with or without colons), and curl's `sha256//`.
impl FromStr for Pin {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "invalid pin '{}': expected sha256: and the SHA-256 of the public key in Base64 or hexadecimal",
                quotation::shown(text)
            )
        };
        let value = text.strip_prefix("sha256:").or(text.strip_prefix("sha256//")).ok_or_else(wrong)?;
        // OpenSSL writes a colon after each byte.
        hex::decode(value.replace(':', "").as_bytes())
            .and_then(|bytes| bytes.try_into().ok())
            .or_else(|| BASE64.decode(value).ok()?.try_into().ok())
            .map(Self)
            .ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pins_are_read_in_every_spelling() {
        let base64 = "sha256:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
        let pin: Pin = base64.parse().unwrap();
        assert_eq!(pin.to_string(), base64);
        assert_eq!(base64.replace(':', "//").parse(), Ok(pin));
        let hexadecimal = "000102030405060708090a0b0c0d0e0F101112131415161718191a1b1c1d1e1f";
        assert_eq!(format!("sha256:{hexadecimal}").parse(), Ok(pin));
        let pairs: Vec<&str> = (0..32).map(|at| &hexadecimal[2 * at..2 * at + 2]).collect();
        assert_eq!(format!("sha256:{}", pairs.join(":")).parse(), Ok(pin));
        for wrong in ["", "sha256:", "sha256:AAEC", "sha1:AAEC", hexadecimal, "sha256:zz"] {
            assert!(wrong.parse::<Pin>().is_err(), "{wrong}");
        }
    }
}
