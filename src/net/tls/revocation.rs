//! The revocation lists of `--crl`.

use std::path::PathBuf;
use std::time::SystemTime;

use rustls_pki_types::CertificateRevocationListDer;
use x509_cert::der::asn1::AnyRef;
use x509_cert::der::{Decode as _, Header, SliceReader, Tag};
use x509_cert::time::Time;

use super::files;
use crate::clock;
use crate::error::Error;

/// The revocation lists given.
pub(super) struct Lists {
    pub(super) found: Vec<CertificateRevocationListDer<'static>>,
    /// All files, for messages.
    pub(super) place: String,
    /// Warnings: lists that are dated in the future.
    pub(super) warnings: Vec<String>,
}

impl Lists {
    /// Reads these files.
    pub(super) fn read(paths: &[PathBuf]) -> Result<Self, Error> {
        let now = SystemTime::now();
        let (mut found, mut warnings) = (Vec::new(), Vec::new());
        for path in paths {
            let lists = files::revocation_lists(path).map_err(|error| files::of_option(error, "--crl"))?;
            let dated = lists.iter().filter_map(|list| issued(list).filter(|issued| *issued > now));
            warnings.extend(dated.map(|issued| {
                format!(
                    "--crl: {}: the revocation list is dated {}, and this machine's clock is at {}; the list is used",
                    path.display(),
                    clock::rfc3339_seconds(issued),
                    clock::rfc3339_seconds(now)
                )
            }));
            found.extend(lists);
        }
        let places: Vec<String> = paths.iter().map(|path| path.display().to_string()).collect();
        Ok(Self { found, place: places.join(" or "), warnings })
    }
}

/// The date of a list (thisUpdate). Validation does not use it [RFC 5280, section 6.3.3], and the list may be
/// long, so the rest is not decoded.
fn issued(list: &[u8]) -> Option<SystemTime> {
    let mut reader = SliceReader::new(list).ok()?;
    for _ in ["CertificateList", "TBSCertList"] {
        Header::decode(&mut reader).ok()?;
    }
    if Tag::peek(&reader).ok()? == Tag::Integer {
        AnyRef::decode(&mut reader).ok()?; // version
    }
    for _ in ["signature", "issuer"] {
        AnyRef::decode(&mut reader).ok()?;
    }
    Some(Time::decode(&mut reader).ok()?.to_system_time())
}
