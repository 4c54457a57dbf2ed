//! Certificates made for one test.

use std::path::{Path, PathBuf};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DistinguishedName,
    DnType, IsCa, KeyPair,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tempfile::TempDir;

/// Parameters for a certificate of that common name, good for those hosts.
pub(super) fn params(common_name: &str, hosts: &[&str]) -> CertificateParams {
    let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(hosts).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params
}

/// A certificate with its key, and what follows it in the chain.
pub(super) struct Identity {
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) key: KeyPair,
}

impl Identity {
    pub(super) fn key_der(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(self.key.serialize_der().into())
    }

    pub(super) fn chain_pem(&self) -> String {
        self.chain.iter().map(|der| pem("CERTIFICATE", der)).collect()
    }

    pub(super) fn self_signed(params: &CertificateParams) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        Self { chain: vec![certificate.der().clone()], key }
    }
}

/// A certificate authority, the root or below another.
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(super) fn root(common_name: &str) -> Self {
        Self::root_of(common_name, KeyPair::generate().unwrap())
    }

    pub(super) fn root_of(common_name: &str, key: KeyPair) -> Self {
        Self(CertifiedIssuer::self_signed(Self::params(common_name), key).unwrap())
    }

    pub(super) fn root_with(params: CertificateParams) -> Self {
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// An authority that this one vouches for.
    pub(super) fn intermediate(&self, params: CertificateParams) -> Self {
        self.intermediate_of(params, KeyPair::generate().unwrap())
    }

    pub(super) fn intermediate_of(&self, params: CertificateParams, key: KeyPair) -> Self {
        Self(CertifiedIssuer::signed_by(params, key, &self.0).unwrap())
    }

    pub(super) fn params(common_name: &str) -> CertificateParams {
        let mut params = params(common_name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign, rcgen::KeyUsagePurpose::CrlSign];
        params
    }

    pub(super) fn issue(&self, params: &CertificateParams) -> Identity {
        self.issue_for(params, KeyPair::generate().unwrap())
    }

    pub(super) fn issue_for(&self, params: &CertificateParams, key: KeyPair) -> Identity {
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Identity { chain: vec![certificate.der().clone()], key }
    }

    /// A revocation list in PEM.
    pub(super) fn revocation_list(&self, params: &CertificateRevocationListParams) -> String {
        params.signed_by(&self.0).unwrap().pem().unwrap()
    }

    pub(super) fn der(&self) -> &CertificateDer<'static> {
        self.0.der()
    }

    pub(super) fn pem(&self) -> String {
        self.0.pem()
    }
}

/// DER in PEM armour.
pub(super) fn pem(label: &str, der: &[u8]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text: String = der
        .chunks(3)
        .flat_map(|chunk| {
            let bits = chunk
                .iter()
                .enumerate()
                .fold(0_u32, |bits, (place, byte)| bits | u32::from(*byte) << (16 - 8 * place));
            (0..4).map(move |place| {
                if place > chunk.len() {
                    '='
                } else {
                    char::from(ALPHABET[(bits >> (18 - 6 * place)) as usize & 63])
                }
            })
        })
        .collect();
    let mut at = 64;
    while at < text.len() {
        text.insert(at, '\n');
        at += 65;
    }
    format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n")
}

/// A file of those that were made once by OpenSSL.
pub(super) fn key_file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/net/tests/keys").join(name)
}

/// A directory for the files of one test.
pub(super) struct Files(TempDir);

impl Files {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn write(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).unwrap();
        path
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}
