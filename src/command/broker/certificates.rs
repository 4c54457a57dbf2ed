//! The certificate of the broker: from files, or made for this run.

use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};

use crate::broker::{Bind, Listener, ServerTls};
use crate::error::Error;
use crate::file::{patiently, read_at_most};
use crate::platform::machine::SystemNames;

/// The source of the broker's certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Certificates {
    /// The certificate itself.
    pub own: OwnCertificate,
    /// The authorities, one of which must have issued each client's certificate.
    pub client_authorities: Option<PathBuf>,
}

/// The certificate itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OwnCertificate {
    /// From files.
    Files {
        /// The chain, the broker's own certificate first.
        certificate: PathBuf,
        /// Its private key.
        key: PathBuf,
    },
    /// Made for this run; the certificate of its authority is written to this file, for clients.
    ThrowAway(PathBuf),
}

const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
/// Larger than any file that is written here.
const LONGEST_BYTES: u64 = 64 << 10;

impl Certificates {
    /// Reads or makes the certificate.
    ///
    /// # Errors
    /// A file cannot be read or is invalid.
    pub(super) fn load(&self, listeners: &[Listener]) -> Result<ServerTls, Error> {
        let authorities = self.client_authorities.as_deref();
        match &self.own {
            OwnCertificate::Files { certificate, key } => ServerTls::load(certificate, key, authorities),
            OwnCertificate::ThrowAway(file) => {
                let addresses: Vec<IpAddr> = listeners
                    .iter()
                    .filter_map(Listener::address)
                    .map(|address| address.ip())
                    .filter(|ip| !ip.is_unspecified() && !ip.is_loopback())
                    .collect();
                let host = SystemNames::get().host;
                let host = Some(&*host).filter(|name| !name.is_empty() && name.is_ascii());
                let made = ServerTls::throw_away(&addresses, host, authorities)?;
                write(file, made.authority.into_bytes())?;
                Ok(made.server)
            }
        }
    }

    /// The file of the authority made for this run.
    pub(super) fn authority(&self) -> Option<&Path> {
        match &self.own {
            OwnCertificate::ThrowAway(file) => Some(file),
            OwnCertificate::Files { .. } => None,
        }
    }

    /// A client's command line that subscribes over TLS, for a certificate made for this run.
    pub(super) fn client_line(&self, listener: &Listener) -> Option<String> {
        let file = self.authority().filter(|_| listener.tls)?;
        let own = if self.client_authorities.is_some() { " --cert FILE --key FILE" } else { "" };
        let file = crate::notation::shell::quoted(&file.to_string_lossy());
        Some(format!("mqtt sub -L {} --cafile {file}{own} -t '#' -v", reachable(listener)))
    }
}

/// The address by which a client on this machine reaches a listener.
pub(super) fn reachable(listener: &Listener) -> Listener {
    let mut listener = listener.clone();
    if let Bind::Network(address) = &mut listener.place
        && address.ip().is_unspecified()
    {
        address.set_ip(match address.ip() {
            IpAddr::V4(_) => IpAddr::from([127, 0, 0, 1]),
            IpAddr::V6(_) => IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
        });
    }
    listener
}

/// Writes the authority's certificate. A file with other content is not overwritten.
fn write(file: &Path, authority: Vec<u8>) -> Result<(), Error> {
    let failed = |error| Error::file(format!("--tls-self-signed: {}", file.display()), error);
    match read_at_most(file, LONGEST_BYTES) {
        Ok(found) if !found.is_empty() && !found.starts_with(BEGIN) => {
            let other = io::Error::new(
                io::ErrorKind::AlreadyExists,
                "the file holds something else than a certificate",
            );
            return Err(failed(other).with_hint("name a file that may be replaced"));
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    patiently(file, move |file| std::fs::write(file, &authority)).map_err(failed)
}
