//! A certificate's subject, issuer, names and dates, for people.
//!
//! What is trusted is never decided here, only described; `rustls` decides. The one exception is
//! the validity of a certificate that the user handed us as trusted in itself (see `verify`).

use std::fmt;
use std::net::IpAddr;
use std::time::SystemTime;

use rustls_pki_types::CertificateDer;
use x509_cert::Certificate;
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::name::Name;

/// What a certificate says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// Whom it names, most specific part first: `CN=broker,O=Example`.
    pub subject: String,
    /// Who signed it.
    pub issuer: String,
    /// The host names and IP addresses it is good for (subject alternative names).
    pub names: Vec<String>,
    /// The first moment of its validity.
    pub not_before: SystemTime,
    /// The last moment of its validity.
    pub not_after: SystemTime,
}

impl CertificateFacts {
    /// Reads a certificate; `None` if it is not sound enough to be read.
    pub(super) fn read(der: &CertificateDer<'_>) -> Option<Self> {
        let certificate = Certificate::from_der(der).ok()?;
        let content = certificate.tbs_certificate();
        Some(Self {
            subject: name(content.subject()),
            issuer: name(content.issuer()),
            names: alternative_names(&certificate),
            not_before: content.validity().not_before.to_system_time(),
            not_after: content.validity().not_after.to_system_time(),
        })
    }

    /// Whether subject and issuer are one: a root, or a self-signed certificate.
    #[must_use]
    pub fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }
}

/// The subject, which is how people call a certificate.
impl fmt::Display for CertificateFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.subject)
    }
}

/// The public key as it stands in a certificate (`SubjectPublicKeyInfo`, DER).
pub(super) fn public_key(der: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let certificate = Certificate::from_der(der).ok()?;
    let key = certificate.tbs_certificate().subject_public_key_info();
    key.to_der().ok()
}

/// A distinguished name, printable whatever the certificate holds.
fn name(name: &Name) -> String {
    if name.is_empty() {
        return "(no subject)".into();
    }
    printable(&name.to_string())
}

fn alternative_names(certificate: &Certificate) -> Vec<String> {
    let found = certificate.tbs_certificate().get_extension::<SubjectAltName>();
    let Ok(Some((_, names))) = found else {
        return Vec::new();
    };
    names
        .0
        .iter()
        .filter_map(|name| match name {
            GeneralName::DnsName(name) => Some(printable(name.as_str())),
            GeneralName::IpAddress(bytes) => ip(bytes.as_bytes()).map(|ip| ip.to_string()),
            _ => None,
        })
        .collect()
}

fn ip(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

/// A stranger's text with its control characters made visible.
fn printable(text: &str) -> String {
    text.chars()
        .flat_map(|character| {
            let (plain, escaped) = if character.is_control() {
                (None, Some(character.escape_default()))
            } else {
                (Some(character), None)
            };
            plain.into_iter().chain(escaped.into_iter().flatten())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use rcgen::PublicKeyData;

    use super::*;

    #[test]
    fn a_certificate_describes_itself() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params =
            rcgen::CertificateParams::new(vec!["broker.example".into(), "192.0.2.1".into()]).unwrap();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(rcgen::DnType::CommonName, "bro\u{1b}ker");
        params.not_after = rcgen::date_time_ymd(2050, 1, 1);
        let certificate = params.self_signed(&key).unwrap();
        let facts = CertificateFacts::read(certificate.der()).unwrap();
        assert_eq!(facts.subject, "CN=bro\\1bker");
        assert!(facts.is_self_issued());
        assert_eq!(facts.names, ["broker.example", "192.0.2.1"]);
        let end = humantime::format_rfc3339_seconds(facts.not_after).to_string();
        assert_eq!(end, "2050-01-01T00:00:00Z");
        assert_eq!(public_key(certificate.der()).unwrap(), key.subject_public_key_info());
    }

    #[test]
    fn rubbish_is_not_described() {
        assert_eq!(CertificateFacts::read(&vec![0x30, 0x01, 0x00].into()), None);
    }

    #[test]
    fn control_characters_become_visible() {
        assert_eq!(printable("a\u{9b}b\nc ü"), "a\\u{9b}b\\nc ü");
    }
}
