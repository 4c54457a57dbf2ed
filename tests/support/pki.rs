//! Certificates for one test, as files.

use std::path::PathBuf;

use rcgen::{CertificateParams, KeyPair, SerialNumber, SignatureAlgorithm};

use self::kit::{Files, between, params};

/// The module that makes certificates.
#[path = "../../src/net/tests/pki.rs"]
mod kit;

/// A certificate authority with a folder for its files.
pub(crate) struct Authority {
    issuer: kit::Authority,
    files: Files,
}

/// A certificate and its private key, as PEM files.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Authority {
    pub(crate) fn new(common_name: &str) -> Self {
        Self::of(kit::Authority::root(common_name))
    }

    /// An authority with this kind of key, which issues certificates of the same kind.
    pub(crate) fn with_keys_of(common_name: &str, algorithm: &'static SignatureAlgorithm) -> Self {
        Self::of(kit::Authority::root_of(common_name, KeyPair::generate_for(algorithm).unwrap()))
    }

    /// An authority certified by this one.
    pub(crate) fn intermediate(&self, common_name: &str) -> Self {
        Self::of(self.issuer.intermediate(kit::Authority::params(common_name)))
    }

    fn of(issuer: kit::Authority) -> Self {
        let files = Files::new();
        files.write("ca.pem", issuer.pem());
        Self { issuer, files }
    }

    /// Its certificate.
    pub(crate) fn file(&self) -> PathBuf {
        self.files.path("ca.pem")
    }

    /// A certificate for these hosts.
    pub(crate) fn issue(&self, common_name: &str, hosts: &[&str]) -> Identity {
        self.issue_as(common_name, &params(common_name, hosts))
    }

    /// A certificate that has expired.
    pub(crate) fn issue_expired(&self, common_name: &str, hosts: &[&str]) -> Identity {
        self.issue_as(common_name, &between(2020, 2021, params(common_name, hosts)))
    }

    /// A certificate that is not yet valid.
    pub(crate) fn issue_early(&self, common_name: &str, hosts: &[&str]) -> Identity {
        self.issue_as(common_name, &between(2100, 2101, params(common_name, hosts)))
    }

    /// A certificate, and the list that revokes it.
    pub(crate) fn issue_revoked(&self, common_name: &str, hosts: &[&str]) -> (Identity, PathBuf) {
        let number = SerialNumber::from(4711);
        let mut params = params(common_name, hosts);
        params.serial_number = Some(number.clone());
        let list = self.files.write("revoked.crl", self.issuer.revocation_list(&[&number], true));
        (self.issue_as(common_name, &params), list)
    }

    /// A certificate that names its authority's key, and has another signature than that key made.
    pub(crate) fn issue_damaged(&self, common_name: &str, hosts: &[&str]) -> Identity {
        let mut params = params(common_name, hosts);
        params.use_authority_key_identifier_extension = true;
        let mut issued = self.issuer.issue_for(&params, KeyPair::generate().unwrap());
        let mut der = issued.chain[0].to_vec();
        *der.last_mut().unwrap() ^= 1;
        issued.chain = vec![der.into()];
        self.write(common_name, &issued.chain_pem(), &issued.key)
    }

    /// A self-signed certificate and its key, as `openssl req -x509` makes them for a server.
    pub(crate) fn self_signed(common_name: &str, hosts: &[&str]) -> Self {
        let mut params = kit::Authority::params(common_name);
        params.subject_alt_names = kit::params(common_name, hosts).subject_alt_names;
        params.key_usages.clear();
        Self::of(kit::Authority::root_with(params))
    }

    /// The identity of a server that uses the authority's own certificate.
    pub(crate) fn identity(&self) -> Identity {
        self.write("own", &self.issuer.pem(), self.issuer.key())
    }

    /// A client's certificate for an existing key in PEM.
    pub(crate) fn certify(&self, common_name: &str, key: &str) -> PathBuf {
        let key = KeyPair::from_pem(key).unwrap();
        self.write_issued(common_name, &params(common_name, &[]), key).certificate
    }

    fn issue_as(&self, name: &str, params: &CertificateParams) -> Identity {
        self.write_issued(name, params, KeyPair::generate_for(self.issuer.key().algorithm()).unwrap())
    }

    fn write_issued(&self, name: &str, params: &CertificateParams, key: KeyPair) -> Identity {
        let issued = self.issuer.issue_for(params, key);
        self.write(name, &issued.chain_pem(), &issued.key)
    }

    fn write(&self, name: &str, certificate: &str, key: &KeyPair) -> Identity {
        let certificate = self.files.write(&format!("{name}.pem"), certificate);
        let key = self.files.write(&format!("{name}.key"), key.serialize_pem());
        // The program warns about other file modes.
        std::fs::set_permissions(&key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        Identity { certificate, key }
    }
}

impl Identity {
    /// Appends this authority's certificate to the chain.
    pub(crate) fn with_chain(self, authority: &Authority) -> Self {
        let own = std::fs::read_to_string(&self.certificate).unwrap();
        std::fs::write(&self.certificate, own + &authority.issuer.pem()).unwrap();
        self
    }

    /// The options that present it to a server.
    pub(crate) fn options(&self) -> [std::ffi::OsString; 4] {
        ["--cert".into(), self.certificate.clone().into(), "--key".into(), self.key.clone().into()]
    }
}
