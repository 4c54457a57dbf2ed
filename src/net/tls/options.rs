//! The TLS options, as plain data.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use tokio_rustls::rustls::{self, ProtocolVersion, SupportedProtocolVersion};

use super::pin::Pin;
use crate::error::Error;

/// Trust, credentials and limits for TLS. The default trusts the operating system's store, presents no
/// certificate and allows TLS 1.2 and 1.3.
#[derive(Debug, Clone, Default)]
pub struct TlsOptions {
    /// PEM files of the certificate authorities to trust instead of the operating system's. A server's own
    /// self-signed certificate is allowed.
    pub ca_files: Vec<PathBuf>,
    /// Directories of such PEM files.
    pub ca_paths: Vec<PathBuf>,
    /// Where the operating system keeps its authorities, if the environment overrides the usual place.
    pub system_store: SystemStore,
    /// PEM files of certificate revocation lists. If there are any, one must cover the server's own
    /// certificate, and none may be out of date.
    pub crl_files: Vec<PathBuf>,
    /// PEM file of the client certificate, followed by its intermediates.
    pub certificate: Option<PathBuf>,
    /// PEM file of that certificate's private key: PKCS#1, PKCS#8, SEC1 or encrypted PKCS#8.
    pub key: Option<PathBuf>,
    /// The password of an encrypted key.
    pub key_password: Option<KeyPassword>,
    /// Accept any server: issuer, name, dates and revocation are not checked. [`TlsOptions::pins`] are still
    /// checked.
    pub insecure: bool,
    /// Accept a valid certificate whatever names it contains.
    pub any_name: bool,
    /// The server's public key must be one of these, in addition to the checks of its certificate.
    pub pins: Vec<Pin>,
    /// Application protocols to offer (ALPN), the preferred one first; empty for none.
    pub alpn: Vec<String>,
    /// The name to request (SNI) and to check in the certificate, if it differs from the host.
    pub server_name: Option<String>,
    /// The oldest version allowed.
    pub min_version: Option<TlsVersion>,
    /// The newest version allowed.
    pub max_version: Option<TlsVersion>,
    /// The cipher suites allowed, the preferred one first: IANA or OpenSSL names, separated by colons, commas
    /// or spaces.
    pub ciphers: Option<String>,
    /// A file to which session keys are appended; they decrypt a capture of the traffic.
    pub key_log: Option<PathBuf>,
}

impl TlsOptions {
    /// The versions within the bounds.
    pub(super) fn protocol_versions(&self) -> Result<Vec<&'static SupportedProtocolVersion>, Error> {
        let min = self.min_version.unwrap_or(TlsVersion::Tls12);
        let max = self.max_version.unwrap_or(TlsVersion::Tls13);
        if min > max {
            return Err(Error::usage("the oldest TLS version asked for is newer than the newest"));
        }
        let known =
            [(TlsVersion::Tls12, &rustls::version::TLS12), (TlsVersion::Tls13, &rustls::version::TLS13)];
        let allowed = known.into_iter().filter(|(version, _)| (min..=max).contains(version));
        Ok(allowed.map(|(_, supported)| supported).collect())
    }
}

/// The authorities trusted unless [`TlsOptions::ca_files`] or [`TlsOptions::ca_paths`] name others.
#[derive(Debug, Clone, Default)]
pub struct SystemStore {
    /// A PEM file (`SSL_CERT_FILE`).
    pub file: Option<PathBuf>,
    /// Directories of PEM files (`SSL_CERT_DIR`).
    pub directories: Vec<PathBuf>,
}

/// Shows the environment variables that set it.
impl fmt::Display for SystemStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.iter().map(|path| format!("SSL_CERT_FILE ({})", path.display()));
        let directories = self.directories.iter().map(|path| format!("SSL_CERT_DIR ({})", path.display()));
        f.write_str(&file.chain(directories).collect::<Vec<_>>().join(" or "))
    }
}

impl SystemStore {
    /// Whether the environment overrides the usual store.
    pub(super) fn is_given(&self) -> bool {
        self.file.is_some() || !self.directories.is_empty()
    }
}

/// The password of a private key. `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyPassword(Vec<u8>);

impl KeyPassword {
    /// A password is bytes in any encoding.
    #[must_use]
    pub fn new(password: impl Into<Vec<u8>>) -> Self {
        Self(password.into())
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for KeyPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyPassword(…)")
    }
}

/// A version of TLS, ordered by age: the older is less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246).
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

/// Reads `tlsv1.2` and `tlsv1.3`, mosquitto's spelling, and `1.2` and `1.3`.
impl FromStr for TlsVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let lower = text.to_ascii_lowercase();
        let number = lower.strip_prefix("tls").unwrap_or(&lower);
        match number.strip_prefix('v').unwrap_or(number) {
            "1.2" => Ok(Self::Tls12),
            "1.3" => Ok(Self::Tls13),
            "1" | "1.0" | "1.1" => {
                Err(format!("'{text}' is obsolete (RFC 8996) and not supported; use tlsv1.2 or tlsv1.3"))
            }
            _ => Err(format!("unknown TLS version '{text}'; use tlsv1.2 or tlsv1.3")),
        }
    }
}

/// The name of a version.
pub(super) fn version_name(version: ProtocolVersion) -> String {
    match version {
        ProtocolVersion::TLSv1_2 => "TLS 1.2".into(),
        ProtocolVersion::TLSv1_3 => "TLS 1.3".into(),
        other => format!("{other:?}"),
    }
}

/// The application protocol that Amazon's broker (`iot`) requires for MQTT on port 443: one for client
/// certificates, another for custom authentication (user name and password). `None` for any other host or
/// port. It is the default of [`TlsOptions::alpn`].
#[must_use]
pub fn aws_iot_protocol(host: &str, port: u16, has_certificate: bool) -> Option<&'static str> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let is_aws = (host.ends_with(".amazonaws.com") || host.ends_with(".amazonaws.com.cn"))
        && host.split('.').any(|label| label == "iot");
    (is_aws && port == 443).then_some(if has_certificate { "x-amzn-mqtt-ca" } else { "mqtt" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_in_both_spellings() {
        assert_eq!("tlsv1.2".parse(), Ok(TlsVersion::Tls12));
        assert_eq!("TLSv1.3".parse(), Ok(TlsVersion::Tls13));
        assert_eq!("1.3".parse(), Ok(TlsVersion::Tls13));
        for old in ["tlsv1", "tlsv1.1"] {
            assert!(old.parse::<TlsVersion>().unwrap_err().contains("obsolete"));
        }
        assert!("ssl3".parse::<TlsVersion>().is_err());
    }

    #[test]
    fn bounds_that_cross_are_a_usage_error() {
        let options = TlsOptions {
            min_version: Some(TlsVersion::Tls13),
            max_version: Some(TlsVersion::Tls12),
            ..TlsOptions::default()
        };
        assert!(matches!(options.protocol_versions(), Err(Error::Usage { .. })));
    }

    #[test]
    fn debug_shows_no_password() {
        let options = TlsOptions { key_password: Some(KeyPassword::new("hush")), ..TlsOptions::default() };
        assert!(!format!("{options:?}").contains("hush"));
    }

    #[test]
    fn aws_gets_its_protocol_on_port_443_only() {
        let host = "a1b2c3-ats.iot.eu-central-1.amazonaws.com";
        assert_eq!(aws_iot_protocol(host, 443, true), Some("x-amzn-mqtt-ca"));
        assert_eq!(aws_iot_protocol(host, 443, false), Some("mqtt"));
        assert_eq!(aws_iot_protocol(host, 8883, true), None);
        assert_eq!(aws_iot_protocol("broker.example", 443, true), None);
        assert_eq!(aws_iot_protocol("bucket.s3.amazonaws.com", 443, true), None);
        assert_eq!(aws_iot_protocol("a1.iot.cn-north-1.amazonaws.com.cn", 443, true), Some("x-amzn-mqtt-ca"));
    }
}
