//! Certificates made for one test.

use std::path::PathBuf;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, CertifiedIssuer, DistinguishedName,
    DnType, IsCa, KeyIdMethod, KeyPair, RevokedCertParams, SerialNumber, SignatureAlgorithm,
};
use tempfile::TempDir;

/// A certificate authority with a folder for its files.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

/// A certificate and its private key, as PEM files.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) certificate: PathBuf,
    pub(crate) key: PathBuf,
}

impl Authority {
    pub(crate) fn new(common_name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        Self::of(CertifiedIssuer::self_signed(authority_params(common_name), key).unwrap())
    }

    /// One with such a key, which vouches for the same kind.
    pub(crate) fn with_keys_of(common_name: &str, algorithm: &'static SignatureAlgorithm) -> Self {
        let key = KeyPair::generate_for(algorithm).unwrap();
        Self::of(CertifiedIssuer::self_signed(authority_params(common_name), key).unwrap())
    }

    /// One that this one vouches for.
    pub(crate) fn intermediate(&self, common_name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        Self::of(CertifiedIssuer::signed_by(authority_params(common_name), key, &self.issuer).unwrap())
    }

    fn of(issuer: CertifiedIssuer<'static, KeyPair>) -> Self {
        let this = Self { issuer, folder: tempfile::tempdir().unwrap() };
        std::fs::write(this.file(), this.issuer.pem()).unwrap();
        this
    }

    /// Its certificate.
    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }

    /// A certificate good for those hosts.
    pub(crate) fn issue(&self, common_name: &str, hosts: &[&str]) -> Identity {
        self.issue_as(common_name, &params(common_name, hosts))
    }

    /// A certificate whose time is over.
    pub(crate) fn issue_expired(&self, common_name: &str, hosts: &[&str]) -> Identity {
        let mut params = params(common_name, hosts);
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(2021, 1, 1);
        self.issue_as(common_name, &params)
    }

    /// A certificate whose time has not come.
    pub(crate) fn issue_early(&self, common_name: &str, hosts: &[&str]) -> Identity {
        let mut params = params(common_name, hosts);
        params.not_before = rcgen::date_time_ymd(2100, 1, 1);
        params.not_after = rcgen::date_time_ymd(2101, 1, 1);
        self.issue_as(common_name, &params)
    }

    /// A certificate, and the list that revokes it.
    pub(crate) fn issue_revoked(&self, common_name: &str, hosts: &[&str]) -> (Identity, PathBuf) {
        let mut params = params(common_name, hosts);
        let number = SerialNumber::from(4711);
        params.serial_number = Some(number.clone());
        let revoked = RevokedCertParams {
            serial_number: number,
            revocation_time: rcgen::date_time_ymd(2024, 1, 1),
            reason_code: None,
            invalidity_date: None,
        };
        let list = CertificateRevocationListParams {
            this_update: rcgen::date_time_ymd(2024, 1, 1),
            next_update: rcgen::date_time_ymd(2100, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: vec![revoked],
            key_identifier_method: KeyIdMethod::Sha256,
        };
        let file = self.folder.path().join("revoked.crl");
        std::fs::write(&file, list.signed_by(&self.issuer).unwrap().pem().unwrap()).unwrap();
        (self.issue_as(common_name, &params), file)
    }

    /// Its own certificate and key, as `openssl req -x509` makes one for a server.
    pub(crate) fn self_signed(common_name: &str, hosts: &[&str]) -> Self {
        let mut params = authority_params(common_name);
        params.subject_alt_names = self::params(common_name, hosts).subject_alt_names;
        params.key_usages.clear();
        Self::of(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    /// What a server shows that uses its certificate itself.
    pub(crate) fn identity(&self) -> Identity {
        self.write("own", &self.issuer.pem(), self.issuer.key())
    }

    /// A client's certificate for a key that is there, in PEM.
    pub(crate) fn certify(&self, common_name: &str, key: &str) -> PathBuf {
        let key = KeyPair::from_pem(key).unwrap();
        let certificate = params(common_name, &[]).signed_by(&key, &self.issuer).unwrap();
        self.write(common_name, &certificate.pem(), &key).certificate
    }

    fn issue_as(&self, name: &str, params: &CertificateParams) -> Identity {
        let key = KeyPair::generate_for(self.issuer.key().algorithm()).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        self.write(name, &certificate.pem(), &key)
    }

    fn write(&self, name: &str, certificate: &str, key: &KeyPair) -> Identity {
        let identity = Identity {
            certificate: self.folder.path().join(format!("{name}.pem")),
            key: self.folder.path().join(format!("{name}.key")),
        };
        std::fs::write(&identity.certificate, certificate).unwrap();
        std::fs::write(&identity.key, key.serialize_pem()).unwrap();
        // As a key should be; the program warns of others.
        std::fs::set_permissions(&identity.key, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        identity
    }
}

impl Identity {
    /// Shows that authority's certificate as well.
    pub(crate) fn with_chain(self, authority: &Authority) -> Self {
        let own = std::fs::read_to_string(&self.certificate).unwrap();
        std::fs::write(&self.certificate, own + &authority.issuer.pem()).unwrap();
        self
    }

    /// The options that show it to a server.
    pub(crate) fn options(&self) -> [std::ffi::OsString; 4] {
        ["--cert".into(), self.certificate.clone().into(), "--key".into(), self.key.clone().into()]
    }
}

fn authority_params(common_name: &str) -> CertificateParams {
    let mut params = params(common_name, &[]);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign, rcgen::KeyUsagePurpose::CrlSign];
    params
}

/// Parameters for a certificate of that common name, good for those hosts.
fn params(common_name: &str, hosts: &[&str]) -> CertificateParams {
    let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(hosts).unwrap();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, common_name);
    params
}
