//! The trusted certificate authorities, from files and directories. An unusable authority is reported and
//! skipped; the others are used.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use rustls_pki_types::CertificateDer;
use tokio_rustls::rustls::RootCertStore;
use x509_cert::der::asn1::AnyRef;
use x509_cert::der::{self, Decode, Reader, SliceReader, Tag, TagNumber, Tagged};

use super::certificate::CertificateFacts;
use super::files;
use super::options::{SystemStore, TlsOptions};
use super::pem::{self, Block, PemKind};
use crate::error::{Error, Layer};
use crate::platform::files::identity;
use crate::quotation::FirstFew;

/// The trusted authorities, and the entries that were skipped.
#[derive(Debug)]
pub(super) struct Authorities {
    pub(super) roots: RootCertStore,
    /// The certificates, byte for byte as given.
    pub(super) certificates: HashSet<CertificateDer<'static>>,
    /// The entries that could not be used, in words.
    pub(super) unusable: FirstFew,
    /// All files and directories, for messages.
    pub(super) place: String,
    pub(super) are_the_systems: bool,
    purpose: &'static [u8],
}

/// Why a certificate in a directory is not used.
const IS_DER: &str = "it is in DER, and PEM is expected: `openssl x509 -inform der` converts it";

impl Authorities {
    /// The authorities that `options` name, or else the operating system's.
    ///
    /// # Errors
    ///
    /// A given file or directory that cannot be read or holds nothing usable, and a system without
    /// authorities.
    pub(super) fn load(options: &TlsOptions) -> Result<Self, Error> {
        let given = Self::given(options)?;
        let authorities = given.unwrap_or_else(|| Self::of_the_system(&options.system_store));
        if authorities.roots.is_empty() {
            let first = authorities.unusable.sentences().first();
            let why = first.map_or_else(String::new, |first| format!(": {first}"));
            return Err(Error::fatal(
                Layer::Tls,
                format!("{} holds no usable certificate{why}", authorities.place),
            )
            .with_hint("give the certificate authority's certificate with --cafile"));
        }
        Ok(authorities)
    }

    fn none(place: String, are_the_systems: bool) -> Self {
        Self {
            roots: RootCertStore::empty(),
            certificates: HashSet::new(),
            unusable: FirstFew::default(),
            place,
            are_the_systems,
            purpose: SERVER_AUTHENTICATION,
        }
    }

    /// The authorities that `options` name, if any.
    pub(super) fn given(options: &TlsOptions) -> Result<Option<Self>, Error> {
        if options.ca_files.is_empty() && options.ca_paths.is_empty() {
            return Ok(None);
        }
        let places = options.ca_files.iter().chain(&options.ca_paths);
        let place = places.map(|path| path.display().to_string()).collect::<Vec<_>>().join(" or ");
        let mut this = Self::none(place, false);
        for path in &options.ca_files {
            this.add_given(path, "--cafile").map_err(|error| {
                if path.is_dir() { error.with_hint("--capath takes a directory") } else { error }
            })?;
        }
        let mut seen = SeenFiles::default();
        for path in &options.ca_paths {
            let before = std::mem::take(&mut this.unusable);
            let found = this.add_directory(path, &mut seen).map_err(|error| {
                let error = Error::file(format!("--capath: CA directory {}", path.display()), error);
                if path.is_file() { error.with_hint("--cafile takes a file") } else { error }
            })?;
            if found == 0 {
                let missing = files::unusable(path, "no certificate in this directory (PEM)");
                return Err(nothing_usable(path, &this.unusable).unwrap_or(missing));
            }
            this.unusable.put_before(before);
        }
        Ok(Some(this))
    }

    /// The authorities of clients, for a server.
    ///
    /// # Errors
    /// A file that cannot be read or holds nothing usable.
    pub(super) fn of_clients(path: &Path, option: &str) -> Result<Self, Error> {
        let mut this =
            Self { purpose: CLIENT_AUTHENTICATION, ..Self::none(path.display().to_string(), false) };
        this.add_given(path, option)?;
        Ok(this)
    }

    /// Adds the certificates of a file that an option names.
    fn add_given(&mut self, path: &Path, option: &str) -> Result<(), Error> {
        let content = files::read(path, "certificates").map_err(|error| files::of_option(error, option))?;
        let before = std::mem::take(&mut self.unusable);
        if self.add_blocks(path, &content) == 0 {
            let missing = files::missing(path, "certificate", &content);
            return Err(nothing_usable(path, &self.unusable).unwrap_or(missing));
        }
        self.unusable.put_before(before);
        Ok(())
    }

    fn of_the_system(store: &SystemStore) -> Self {
        let place =
            if store.is_given() { store.to_string() } else { "the operating system's trust store".into() };
        let mut this = Self::none(place, true);
        let (file, directories) = if store.is_given() {
            (store.file.clone(), store.directories.clone())
        } else {
            match usual_places() {
                Some(places) => places,
                None => return this.with_native_certificates(),
            }
        };
        let mut seen = SeenFiles::default();
        if let Some(path) = &file
            && this.add_file(path, &mut seen) == 0
            && let Err(error) = std::fs::metadata(path)
            && error.kind() == std::io::ErrorKind::NotFound
        {
            this.unusable.push(|| format!("{}: {error}", path.display()));
        }
        for path in &directories {
            if let Err(error) = this.add_directory(path, &mut seen) {
                this.unusable.push(|| format!("{}: {error}", path.display()));
            }
        }
        if !store.is_given() {
            // The system's authorities are many, and a server's own certificate is not among them.
            this.certificates = HashSet::new();
        }
        this
    }

    /// Adds the certificates of a system store that is not a file, such as that of macOS or Windows.
    fn with_native_certificates(mut self) -> Self {
        let system = rustls_native_certs::load_native_certs();
        for error in &system.errors {
            self.unusable.push(|| error.to_string());
        }
        for certificate in system.certs {
            let subject = CertificateFacts::read(&certificate);
            if let Err(why) = self.add(certificate) {
                let which = subject.map_or_else(|| "a certificate".into(), |facts| facts.subject);
                self.unusable.push(|| format!("{which}: {why}"));
            }
        }
        self
    }

    /// Adds the certificates of a directory. Files without certificates are skipped: such directories also
    /// hold revocation lists, notes and subdirectories. A file with several links is read once.
    fn add_directory(&mut self, path: &Path, seen: &mut SeenFiles) -> std::io::Result<usize> {
        let mut entries: Vec<PathBuf> =
            std::fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<std::io::Result<_>>()?;
        entries.sort_unstable();
        Ok(entries.iter().map(|file| self.add_file(file, seen)).sum())
    }

    /// Adds a directory entry; returns the number of certificates added.
    fn add_file(&mut self, path: &Path, seen: &mut SeenFiles) -> usize {
        let content = std::fs::metadata(path).and_then(|metadata| {
            if !metadata.is_file() && !metadata.is_dir() {
                return Err(std::io::Error::other("it is not an ordinary file"));
            }
            let is_new = metadata.is_file() && seen.is_first_visit(&metadata);
            is_new.then(|| files::content(path)).transpose()
        });
        let why = match content {
            Ok(Some(content)) if CertificateFacts::read(&content.as_slice().into()).is_some() => {
                IS_DER.to_owned()
            }
            Ok(Some(content)) => return self.add_blocks(path, &content),
            Ok(None) => return 0,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && path.is_symlink() => {
                "it is a link to a file that does not exist".to_owned()
            }
            // The file was removed after the directory was read.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return 0,
            Err(error) => error.to_string(),
        };
        self.unusable.push(|| format!("{}: {why}", path.display()));
        0
    }

    fn add_blocks(&mut self, path: &Path, content: &[u8]) -> usize {
        let mut added = 0;
        for mut block in pem::blocks(content) {
            if !matches!(block.kind, PemKind::Certificate | PemKind::TrustedCertificate) {
                continue;
            }
            match self.add_block(&mut block) {
                Ok(()) => added += 1,
                Err(why) => self.unusable.push(|| format!("{}: {block}: {why}", path.display())),
            }
        }
        added
    }

    fn add_block(&mut self, block: &mut Block) -> Result<(), String> {
        let content = block.content.as_mut().map_err(|damage| damage.to_string())?;
        let settings = content.split_off(pem::element_length(content).unwrap_or(content.len()));
        let certificate = CertificateDer::from(std::mem::take(content));
        if block.kind == PemKind::TrustedCertificate && !settings.is_empty() {
            match is_trusted(&settings, self.purpose) {
                Ok(true) => {}
                Ok(false) => return Err(self.not_allowed().into()),
                Err(_) => return Err("its trust settings cannot be read".into()),
            }
        }
        self.add(certificate)
    }

    fn not_allowed(&self) -> &'static str {
        if self.purpose == CLIENT_AUTHENTICATION {
            "its trust settings do not allow it for clients"
        } else {
            "its trust settings do not allow it for servers"
        }
    }

    fn add(&mut self, certificate: CertificateDer<'static>) -> Result<(), String> {
        if !self.certificates.contains(&certificate) {
            self.roots.add(certificate.clone()).map_err(|_| "it is not a valid X.509 certificate")?;
            self.certificates.insert(certificate);
        }
        Ok(())
    }
}

/// What is said of the authorities that are left out.
pub(super) fn ignored(unusable: FirstFew, place: &str) -> Vec<String> {
    let texts = unusable.with_others(|others| format!("{others} more, in {place}"));
    texts.into_iter().map(|what| format!("ignored as a certificate authority: {what}")).collect()
}

/// The error for a place without a usable certificate; it gives the reason for the first skipped entry.
fn nothing_usable(path: &Path, left_out: &FirstFew) -> Option<Error> {
    let first = left_out.sentences().first()?;
    // Each text begins with its file, which may be `path` itself.
    let shown = path.display().to_string();
    let first = first.strip_prefix(&format!("{shown}: ")).unwrap_or(first);
    let others = left_out.count() - 1;
    let more = if others == 0 { String::new() } else { format!(" (and {others} more)") };
    Some(files::unusable(path, &format!("no usable certificate: {first}{more}")))
}

/// Where the system keeps its authorities: a file and directories of PEM files. `None` where the store is not
/// a file.
#[allow(clippy::unnecessary_wraps, reason = "it depends on the system")]
fn usual_places() -> Option<(Option<PathBuf>, Vec<PathBuf>)> {
    #[cfg(all(unix, not(target_vendor = "apple")))]
    {
        let places = openssl_probe::probe();
        Some((places.cert_file, places.cert_dir))
    }
    #[cfg(not(all(unix, not(target_vendor = "apple"))))]
    None
}

/// The files read so far, identified independently of their names.
#[derive(Debug, Default)]
struct SeenFiles {
    identities: HashSet<(u64, u64)>,
}

impl SeenFiles {
    fn is_first_visit(&mut self, metadata: &std::fs::Metadata) -> bool {
        identity(metadata).is_none_or(|identity| self.identities.insert(identity))
    }
}

/// The purposes of a certificate, as object identifiers: 1.3.6.1.5.5.7.3.1 and 1.3.6.1.5.5.7.3.2.
const SERVER_AUTHENTICATION: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
const CLIENT_AUTHENTICATION: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 2];

/// Whether OpenSSL's trust settings (`X509_CERT_AUX`) accept the authority for a purpose: a list of trusted
/// purposes, if present, has to include it, and a list of rejected purposes must not.
fn is_trusted(settings: &[u8], purpose: &[u8]) -> der::Result<bool> {
    const REFUSALS: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber(0) };
    let mut is_trusted = true;
    for field in elements(AnyRef::from_der(settings)?.value())? {
        match field.tag() {
            Tag::Sequence => is_trusted &= names(field.value(), purpose)?,
            REFUSALS => is_trusted &= !names(field.value(), purpose)?,
            _ => {}
        }
    }
    Ok(is_trusted)
}

fn names(purposes: &[u8], purpose: &[u8]) -> der::Result<bool> {
    /// 2.5.29.37.0
    const ANY_PURPOSE: &[u8] = &[0x55, 0x1d, 0x25, 0];
    let purposes = elements(purposes)?;
    Ok(purposes.iter().any(|named| [purpose, ANY_PURPOSE].contains(&named.value())))
}

fn elements(content: &[u8]) -> der::Result<Vec<AnyRef<'_>>> {
    let mut reader = SliceReader::new(content)?;
    let mut found = Vec::new();
    while !reader.is_finished() {
        found.push(AnyRef::decode(&mut reader)?);
    }
    Ok(found)
}
