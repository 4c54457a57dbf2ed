//! What can be asked of TLS, as plain data.

use std::path::PathBuf;
use std::str::FromStr;

use tokio_rustls::rustls::{ProtocolVersion, SupportedProtocolVersion};

use crate::error::Error;

/// Trust, credentials and limits for TLS. The default trusts the operating system's store, shows
/// no certificate and speaks TLS 1.2 and 1.3.
#[derive(Debug, Clone, Default)]
pub struct TlsOptions {
    /// PEM files of the certificate authorities to trust, instead of the operating system's. A
    /// server's own self-signed certificate may be among them.
    pub ca_files: Vec<PathBuf>,
    /// Directories of such files.
    pub ca_paths: Vec<PathBuf>,
    /// PEM file of the certificate to show a server that asks, its intermediates after it.
    pub certificate: Option<PathBuf>,
    /// PEM file of that certificate's private key: PKCS#1, PKCS#8 or SEC1.
    pub key: Option<PathBuf>,
    /// Accept any server: no check of issuer, name or dates.
    pub insecure: bool,
    /// Application protocols to offer (ALPN), the preferred one first; none is offered if empty.
    pub alpn: Vec<String>,
    /// The name to ask for (SNI) and to find in the certificate, when it is not the host.
    pub server_name: Option<String>,
    /// The oldest version to speak.
    pub min_version: Option<TlsVersion>,
    /// The newest version to speak.
    pub max_version: Option<TlsVersion>,
}

impl TlsOptions {
    /// The versions within the bounds.
    pub(super) fn protocol_versions(&self) -> Result<Vec<&'static SupportedProtocolVersion>, Error> {
        let min = self.min_version.unwrap_or(TlsVersion::Tls12);
        let max = self.max_version.unwrap_or(TlsVersion::Tls13);
        if min > max {
            return Err(Error::usage("the oldest TLS version asked for is newer than the newest"));
        }
        Ok(super::versions_between(min, max))
    }
}

/// A version of TLS, older ones less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TlsVersion {
    /// TLS 1.2 (RFC 5246).
    Tls12,
    /// TLS 1.3 (RFC 8446).
    Tls13,
}

/// Reads `tlsv1.2` and `tlsv1.3`, as mosquitto writes them, and `1.2` and `1.3`.
impl FromStr for TlsVersion {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let lower = text.to_ascii_lowercase();
        let number = lower.strip_prefix("tls").unwrap_or(&lower);
        match number.strip_prefix('v').unwrap_or(number) {
            "1.2" => Ok(Self::Tls12),
            "1.3" => Ok(Self::Tls13),
            "1" | "1.0" | "1.1" => {
                Err(format!("'{text}' is obsolete (RFC 8996) and not spoken here; use tlsv1.2 or tlsv1.3"))
            }
            _ => Err(format!("'{text}' is no TLS version; use tlsv1.2 or tlsv1.3")),
        }
    }
}

/// A version's name for people.
pub(super) fn version_name(version: ProtocolVersion) -> String {
    match version {
        ProtocolVersion::TLSv1_2 => "TLS 1.2".into(),
        ProtocolVersion::TLSv1_3 => "TLS 1.3".into(),
        other => format!("{other:?}"),
    }
}

/// A cipher suite's IANA name from the one in rustls, which writes `TLS13_` for 1.3's.
pub(super) fn iana_name(rustls_name: &str) -> String {
    rustls_name.replacen("TLS13_", "TLS_", 1)
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
}
