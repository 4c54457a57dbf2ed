//! A certificate's subject, issuer, names and dates as text.
//!
//! This module describes certificates; `rustls` decides about trust. The one exception: for a certificate
//! that the user trusts directly, its dates are checked here (see `verify`).

use std::fmt;
use std::net::IpAddr;
use std::time::SystemTime;

use pkcs8::PrivateKeyInfoRef;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, SignatureVerificationAlgorithm};
use x509_cert::certificate::{Certificate, Version};
use x509_cert::der::asn1::{Any, AnyRef, ObjectIdentifier};
use x509_cert::der::oid::AssociatedOid;
use x509_cert::der::{Decode, Encode, SliceReader, Tag, Tagged as _};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, SubjectAltName,
    SubjectKeyIdentifier,
};
use x509_cert::name::{Name, RdnSequence, RelativeDistinguishedName};
use x509_cert::spki::AlgorithmIdentifierOwned;

use super::pem;
use crate::notation::printable;
use crate::quotation::cut;

/// The contents of a certificate that a user sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFacts {
    /// The subject, most specific part first: `CN=broker,O=Example`.
    pub subject: String,
    /// The issuer.
    pub issuer: String,
    /// The host names and IP addresses the certificate is valid for (subject alternative names).
    pub names: Vec<String>,
    /// The start of its validity.
    pub not_before: SystemTime,
    /// The end of its validity.
    pub not_after: SystemTime,
}

impl CertificateFacts {
    /// Reads a certificate; `None` if it cannot be decoded.
    pub(super) fn read(der: &CertificateDer<'_>) -> Option<Self> {
        Details::read(der).map(|details| details.facts)
    }

    /// Whether subject and issuer are equal: a root, or a self-signed certificate.
    #[must_use]
    pub fn is_self_issued(&self) -> bool {
        self.subject == self.issuer
    }
}

/// Shows the subject.
impl fmt::Display for CertificateFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&cut(&self.subject))
    }
}

/// A certificate with everything that decides whether it is accepted.
#[derive(Debug)]
pub(super) struct Details {
    pub(super) facts: CertificateFacts,
    certificate: Certificate,
}

impl Details {
    pub(super) fn read(der: &CertificateDer<'_>) -> Option<Self> {
        let certificate = Certificate::from_der(der).ok()?;
        let content = certificate.tbs_certificate();
        let facts = CertificateFacts {
            subject: name(content.subject()),
            issuer: name(content.issuer()),
            names: alternative_names(&certificate),
            not_before: content.validity().not_before.to_system_time(),
            not_after: content.validity().not_after.to_system_time(),
        };
        Some(Self { facts, certificate })
    }

    fn extension<'a, T: Decode<'a> + AssociatedOid>(&'a self) -> Option<T> {
        self.certificate.tbs_certificate().get_extension().ok()?.map(|(_, value)| value)
    }

    /// Whether the key usage is absent or allows what `allows` tests.
    fn key_usage_allows(&self, allows: impl FnOnce(KeyUsage) -> bool) -> bool {
        self.extension().is_none_or(allows)
    }

    /// Whether an authority with this certificate may issue others [RFC 5280, section 6.1.4 (n)].
    pub(super) fn may_sign_certificates(&self) -> bool {
        self.key_usage_allows(|usage| usage.key_cert_sign())
    }

    /// Whether the key may be used in a handshake [RFC 5280, section 4.2.1.3]. TLS needs a signature, but old
    /// instructions for RSA key exchange allow only encipherment, and such certificates are accepted
    /// everywhere.
    pub(super) fn may_act_in_handshake(&self) -> bool {
        self.key_usage_allows(|usage| {
            usage.digital_signature() || usage.key_encipherment() || usage.key_agreement()
        })
    }

    /// Whether the certificate declares itself an authority (CA:TRUE).
    pub(super) fn is_authority(&self) -> bool {
        self.extension().is_some_and(|constraints: BasicConstraints| constraints.ca)
    }

    /// The purposes the certificate is limited to, in words, if they do not include servers.
    pub(super) fn other_purposes(&self) -> Option<String> {
        let ExtendedKeyUsage(purposes) = self.extension()?;
        let is_for_servers = purposes.contains(&SERVER_AUTHENTICATION);
        (!is_for_servers).then(|| listed(purposes.iter().map(|purpose| named(purpose, PURPOSES))))
    }

    /// The critical extensions that the verifier does not support, in words.
    pub(super) fn unsupported_extensions(&self) -> Option<String> {
        let all = self.certificate.tbs_certificate().extensions()?;
        let unsupported =
            all.iter().filter(|one| one.critical && !SUPPORTED_EXTENSIONS.contains(&one.extn_id));
        let named: Vec<String> = unsupported.map(|one| named(&one.extn_id, EXTENSIONS)).collect();
        (!named.is_empty()).then(|| listed(named.into_iter()))
    }

    /// Whether the certificate lists this IP address as a DNS name, where it has no effect.
    pub(super) fn lists_as_dns_name(&self, address: IpAddr) -> bool {
        self.extension().is_some_and(|SubjectAltName(names)| {
            names.iter().any(|name| match name {
                GeneralName::DnsName(name) => name.as_str().parse() == Ok(address),
                _ => false,
            })
        })
    }

    /// Whether the certificate has subject alternative names of any kind.
    pub(super) fn has_alternative_names(&self) -> bool {
        self.extension().is_some_and(|SubjectAltName(names)| !names.is_empty())
    }

    pub(super) fn is_version_3(&self) -> bool {
        self.certificate.tbs_certificate().version() == Version::V3
    }

    /// The signature algorithm: `ECDSA with SHA-256`.
    pub(super) fn signature(&self) -> String {
        named(&self.certificate.signature_algorithm().oid, SIGNATURES)
    }

    /// Whether the signature algorithm has a name here, not only a number.
    pub(super) fn has_named_signature(&self) -> bool {
        let number = self.certificate.signature_algorithm().oid.to_string();
        SIGNATURES.iter().any(|(known, _)| *known == number)
    }

    /// The type of the key: `RSA, 2048 bits` or `EC, P-256`.
    pub(super) fn key(&self) -> String {
        let key = self.certificate.tbs_certificate().subject_public_key_info();
        let kind = named(&key.algorithm.oid, KEYS);
        let curve = || key.algorithm.parameters.as_ref()?.decode_as::<ObjectIdentifier>().ok();
        match self.rsa_bits() {
            Some(bits) => format!("{kind}, {bits} bits"),
            None => match curve() {
                Some(curve) => format!("{kind}, {}", named(&curve, CURVES)),
                None if is_explicit_curve(&key.algorithm) => format!("{kind}, a curve without a name"),
                None => kind,
            },
        }
    }

    /// Whether the certificate says, by a key identifier, that this authority's key signed it.
    pub(super) fn names_key_of(&self, issuer: &Self) -> bool {
        let named = self.extension().and_then(|AuthorityKeyIdentifier { key_identifier, .. }| key_identifier);
        let key = issuer.extension().map(|SubjectKeyIdentifier(key)| key);
        named.is_some() && named == key
    }

    /// The length of the RSA key, if it is one.
    fn rsa_bits(&self) -> Option<usize> {
        let key = self.certificate.tbs_certificate().subject_public_key_info();
        if key.algorithm.oid != RSA {
            return None;
        }
        // RSAPublicKey: the modulus is the first of two numbers [RFC 8017, appendix A.1.1].
        bits(element(key.subject_public_key.raw_bytes(), 0)?.value())
    }

    /// Whether the key is RSA and shorter or longer than the verifier supports.
    pub(super) fn has_rsa_key_of_unsupported_length(&self) -> bool {
        self.rsa_bits().is_some_and(|bits| !(2048..=8192).contains(&bits))
    }

    /// Whether the key of `issuer` signed `der`, which is this certificate; `None` where no algorithm fits
    /// both signature and key.
    pub(super) fn is_signed_by(
        &self,
        der: &[u8],
        issuer: &Self,
        algorithms: &[&dyn SignatureVerificationAlgorithm],
    ) -> Option<bool> {
        let key = issuer.certificate.tbs_certificate().subject_public_key_info();
        let key_algorithm = key.algorithm.to_der().ok()?;
        let signature_algorithm = self.certificate.signature_algorithm().to_der().ok()?;
        let key_algorithm = AnyRef::from_der(&key_algorithm).ok()?.value();
        let signature_algorithm = AnyRef::from_der(&signature_algorithm).ok()?.value();
        let content = AnyRef::from_der(der).ok()?.value();
        let signed = content.get(..pem::element_length(content)?)?;
        algorithms
            .iter()
            .filter(|algorithm| {
                algorithm.public_key_alg_id().as_ref() == key_algorithm
                    && algorithm.signature_alg_id().as_ref() == signature_algorithm
            })
            .map(|algorithm| {
                let key = key.subject_public_key.raw_bytes();
                algorithm.verify_signature(key, signed, self.certificate.signature().raw_bytes()).is_ok()
            })
            .reduce(|one, other| one || other)
    }
}

/// The type of a private key, as [`Details::key`] gives it; `None` if it cannot be decoded.
pub(super) fn private_key_type(key: &PrivateKeyDer<'_>) -> Option<String> {
    match key {
        // RSAPrivateKey: the modulus follows the version [RFC 8017, appendix A.1.2].
        PrivateKeyDer::Pkcs1(key) => {
            Some(format!("RSA, {} bits", bits(element(key.secret_pkcs1_der(), 1)?.value())?))
        }
        // ECPrivateKey: version, key, and the curve in an element of its own [RFC 5915, section 3].
        PrivateKeyDer::Sec1(key) => {
            let curve = ObjectIdentifier::from_der(element(key.secret_sec1_der(), 2)?.value()).ok()?;
            Some(format!("EC, {}", named(&curve, CURVES)))
        }
        PrivateKeyDer::Pkcs8(key) => {
            let info = PrivateKeyInfoRef::from_der(key.secret_pkcs8_der()).ok()?;
            let kind = named(&info.algorithm.oid, KEYS);
            let curve = info.algorithm.parameters.and_then(|it| it.decode_as::<ObjectIdentifier>().ok());
            if info.algorithm.oid == RSA {
                let modulus = element(info.private_key.as_bytes(), 1)?;
                return Some(format!("{kind}, {} bits", bits(modulus.value())?));
            }
            Some(match curve {
                Some(curve) => format!("{kind}, {}", named(&curve, CURVES)),
                None => kind,
            })
        }
        _ => None,
    }
}

/// The element at this index of a sequence.
fn element(sequence: &[u8], index: usize) -> Option<AnyRef<'_>> {
    let mut reader = SliceReader::new(AnyRef::from_der(sequence).ok()?.value()).ok()?;
    for _ in 0..index {
        AnyRef::decode(&mut reader).ok()?;
    }
    AnyRef::decode(&mut reader).ok()
}

/// The length of a number in bits.
fn bits(number: &[u8]) -> Option<usize> {
    let leading = number.iter().take_while(|byte| **byte == 0).count();
    let first = number.get(leading)?;
    Some((number.len() - leading) * 8 - first.leading_zeros() as usize)
}

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

const RSA: ObjectIdentifier = oid("1.2.840.113549.1.1.1");
const SERVER_AUTHENTICATION: ObjectIdentifier = oid("1.3.6.1.5.5.7.3.1");

/// The extensions that the verifier supports. It ignores policies.
const SUPPORTED_EXTENSIONS: &[ObjectIdentifier] = &[
    oid("2.5.29.15"),
    oid("2.5.29.17"),
    oid("2.5.29.19"),
    oid("2.5.29.30"),
    oid("2.5.29.31"),
    oid("2.5.29.37"),
];

const EXTENSIONS: &[(&str, &str)] = &[
    ("2.5.29.32", "certificatePolicies"),
    ("2.5.29.33", "policyMappings"),
    ("2.5.29.36", "policyConstraints"),
    ("2.5.29.54", "inhibitAnyPolicy"),
    ("1.3.6.1.5.5.7.1.24", "tlsfeature"),
    ("1.3.6.1.4.1.11129.2.4.3", "precertificate poison"),
];

const PURPOSES: &[(&str, &str)] = &[
    ("1.3.6.1.5.5.7.3.2", "clientAuth"),
    ("1.3.6.1.5.5.7.3.3", "codeSigning"),
    ("1.3.6.1.5.5.7.3.4", "emailProtection"),
    ("1.3.6.1.5.5.7.3.8", "timeStamping"),
    ("1.3.6.1.5.5.7.3.9", "OCSPSigning"),
    ("2.5.29.37.0", "anyExtendedKeyUsage"),
];

const SIGNATURES: &[(&str, &str)] = &[
    ("1.2.840.113549.1.1.4", "RSA with MD5"),
    ("1.2.840.113549.1.1.5", "RSA with SHA-1"),
    ("1.2.840.113549.1.1.10", "RSA-PSS"),
    ("1.2.840.113549.1.1.11", "RSA with SHA-256"),
    ("1.2.840.113549.1.1.12", "RSA with SHA-384"),
    ("1.2.840.113549.1.1.13", "RSA with SHA-512"),
    ("1.2.840.113549.1.1.14", "RSA with SHA-224"),
    ("1.2.840.10040.4.3", "DSA with SHA-1"),
    ("2.16.840.1.101.3.4.3.2", "DSA with SHA-256"),
    ("2.16.840.1.101.3.4.3.9", "ECDSA with SHA3-224"),
    ("2.16.840.1.101.3.4.3.10", "ECDSA with SHA3-256"),
    ("2.16.840.1.101.3.4.3.11", "ECDSA with SHA3-384"),
    ("2.16.840.1.101.3.4.3.12", "ECDSA with SHA3-512"),
    ("2.16.840.1.101.3.4.3.13", "RSA with SHA3-224"),
    ("2.16.840.1.101.3.4.3.14", "RSA with SHA3-256"),
    ("2.16.840.1.101.3.4.3.15", "RSA with SHA3-384"),
    ("2.16.840.1.101.3.4.3.16", "RSA with SHA3-512"),
    ("2.16.840.1.101.3.4.3.17", "ML-DSA-44"),
    ("2.16.840.1.101.3.4.3.18", "ML-DSA-65"),
    ("2.16.840.1.101.3.4.3.19", "ML-DSA-87"),
    ("1.2.840.10045.4.1", "ECDSA with SHA-1"),
    ("1.2.840.10045.4.3.1", "ECDSA with SHA-224"),
    ("1.2.840.10045.4.3.2", "ECDSA with SHA-256"),
    ("1.2.840.10045.4.3.3", "ECDSA with SHA-384"),
    ("1.2.840.10045.4.3.4", "ECDSA with SHA-512"),
    ("1.3.101.112", "Ed25519"),
    ("1.3.101.113", "Ed448"),
];

const KEYS: &[(&str, &str)] = &[
    ("1.2.840.113549.1.1.1", "RSA"),
    ("1.2.840.113549.1.1.10", "RSA-PSS"),
    ("1.2.840.10040.4.1", "DSA"),
    ("1.2.840.10045.2.1", "EC"),
    ("2.16.840.1.101.3.4.3.17", "ML-DSA-44"),
    ("2.16.840.1.101.3.4.3.18", "ML-DSA-65"),
    ("2.16.840.1.101.3.4.3.19", "ML-DSA-87"),
    ("1.3.101.112", "Ed25519"),
    ("1.3.101.113", "Ed448"),
];

const CURVES: &[(&str, &str)] = &[
    ("1.2.840.10045.3.1.1", "P-192"),
    ("1.3.132.0.33", "P-224"),
    ("1.2.840.10045.3.1.7", "P-256"),
    ("1.3.132.0.34", "P-384"),
    ("1.3.132.0.35", "P-521"),
    ("1.3.132.0.10", "secp256k1"),
    ("1.3.36.3.3.2.8.1.1.7", "brainpoolP256r1"),
    ("1.3.36.3.3.2.8.1.1.11", "brainpoolP384r1"),
    ("1.3.36.3.3.2.8.1.1.13", "brainpoolP512r1"),
];

/// The name of an object identifier, if `names` has one.
fn named(identifier: &ObjectIdentifier, names: &[(&str, &str)]) -> String {
    let number = identifier.to_string();
    match names.iter().find(|(known, _)| *known == number) {
        Some((_, name)) => (*name).to_owned(),
        None => number,
    }
}

fn listed(names: impl Iterator<Item = String>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

/// The public key as encoded in a certificate (`SubjectPublicKeyInfo`, DER).
pub(super) fn public_key(der: &CertificateDer<'_>) -> Option<Vec<u8>> {
    let certificate = Certificate::from_der(der).ok()?;
    let key = certificate.tbs_certificate().subject_public_key_info();
    key.to_der().ok()
}

/// Whether the key is on an elliptic curve given by parameters instead of by name.
pub(super) fn has_explicit_curve(der: &CertificateDer<'_>) -> bool {
    Certificate::from_der(der).is_ok_and(|certificate| {
        is_explicit_curve(&certificate.tbs_certificate().subject_public_key_info().algorithm)
    })
}

fn is_explicit_curve(algorithm: &AlgorithmIdentifierOwned) -> bool {
    const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
    let parameters = algorithm.parameters.as_ref();
    algorithm.oid == EC_PUBLIC_KEY && parameters.is_some_and(|given| given.tag() == Tag::Sequence)
}

/// A distinguished name, made printable.
fn name(name: &Name) -> String {
    if name.is_empty() {
        return "(no subject)".into();
    }
    printable(&in_utf8(name))
}

/// The same name with old Windows texts (`BMPString`) converted to UTF-8; the library would write them in
/// hexadecimal.
fn in_utf8(name: &Name) -> String {
    let parts = name.iter_rdn().map(|part| {
        let attributes = part.as_ref().iter().cloned().map(|mut attribute| {
            if attribute.value.tag() == Tag::BmpString {
                let units = attribute.value.value().chunks_exact(2);
                let units = units.map(|unit| u16::from_be_bytes([unit[0], unit[1]]));
                let text: String = char::decode_utf16(units).map(|c| c.unwrap_or('\u{fffd}')).collect();
                if let Ok(value) = Any::new(Tag::Utf8String, text.into_bytes()) {
                    attribute.value = value;
                }
            }
            attribute
        });
        RelativeDistinguishedName::try_from(attributes.collect::<Vec<_>>()).unwrap_or_else(|_| part.clone())
    });
    RdnSequence::from(parts.collect::<Vec<_>>()).to_string()
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

#[cfg(test)]
mod tests {
    use rcgen::PublicKeyData;

    use super::*;

    #[test]
    fn any_certificate_is_described_without_a_panic() {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::new(vec!["x".into(), "192.0.2.1".into()]).unwrap();
        params
            .distinguished_name
            .push(rcgen::DnType::OrganizationName, rcgen::DnValue::BmpString("Bär".try_into().unwrap()));
        params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign];
        params.extended_key_usages = vec![rcgen::ExtendedKeyUsagePurpose::ClientAuth];
        let der = params.self_signed(&key).unwrap().der().to_vec();
        let describe = |der: &[u8]| {
            let details = Details::read(&CertificateDer::from(der))?;
            let described = [details.key(), details.signature(), details.facts.subject.clone()];
            let _ = (details.other_purposes(), details.unsupported_extensions(), details.rsa_bits());
            let _ = (details.may_act_in_handshake(), details.may_sign_certificates(), details.is_authority());
            let _ = (details.lists_as_dns_name([192, 0, 2, 1].into()), details.has_alternative_names());
            details.is_signed_by(der, &details, &[]);
            Some(described)
        };
        assert!(describe(&der).unwrap()[2].contains("O=Bär"), "{:?}", describe(&der));
        proptest::proptest!(|(changes: Vec<(proptest::sample::Index, u8)>)| {
            let mut der = der.clone();
            for (at, byte) in changes.iter().take(4) {
                let at = at.index(der.len());
                der[at] = *byte;
            }
            describe(&der);
        });
    }

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
    fn invalid_certificate_is_not_described() {
        assert_eq!(CertificateFacts::read(&vec![0x30, 0x01, 0x00].into()), None);
    }
}
