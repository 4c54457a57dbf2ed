//! The TLS options: whether TLS is on, and its trust and credentials.

use std::path::PathBuf;
use std::sync::Arc;

use clap::ValueHint;
use clap::builder::BoolishValueParser;

use super::headings::TLS;
use super::password_file::from_file;
use super::sources::{Origin, Rank, TURNS_ON, counts};
use super::value;
use crate::client::options::Secret;
use crate::error::Error;
use crate::net::tls::{Unavailable, aws_iot_protocol, unavailable};
use crate::net::{KeyPassword, Pin, SystemStore, TlsConfig, TlsOptions, TlsVersion};
use crate::signal::outlive_file_limit;

pub(super) const TURN_ON: &str = "TLS is turned on by mqtts:// or wss:// in -L, -p 8883, --cafile, --capath, --cert or \
                       --tls-use-os-certs; --no-tls makes the connection ignore TLS options";

/// The options of TLS.
#[derive(Debug, Clone, clap::Args)]
#[group(id = "host::tls")]
#[command(next_help_heading = TLS)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct TlsArgs {
    /// Trust the certificate authorities in this PEM file; turns TLS on
    ///
    /// Certificates that cannot be used are reported, and the others are trusted. Unlike with OpenSSL, the
    /// dates and the key usage of a trusted authority are ignored.
    #[arg(long, env = "MQTT_CAFILE", value_name = "FILE", value_hint = ValueHint::FilePath)]
    cafile: Option<PathBuf>,

    /// Trust the certificate authorities in the PEM files of this directory; turns TLS on
    ///
    /// The files may have any names. Certificates that cannot be used are reported, and the others are
    /// trusted.
    #[arg(long, env = "MQTT_CAPATH", value_name = "DIRECTORY", value_hint = ValueHint::DirPath)]
    capath: Option<PathBuf>,

    /// Trust the operating system's certificate authorities, or those that SSL_CERT_FILE and
    /// SSL_CERT_DIR name; turns TLS on. The default where TLS is on without --cafile and --capath
    #[expect(clippy::doc_markdown, reason = "it is help for a terminal")]
    #[arg(long, env = "MQTT_TLS_USE_OS_CERTS", value_parser = BoolishValueParser::new())]
    tls_use_os_certs: bool,

    /// Client certificate to send, a PEM file with its chain; needs --key; turns TLS on
    #[arg(long, env = "MQTT_CERT", value_name = "FILE", value_hint = ValueHint::FilePath)]
    cert: Option<PathBuf>,

    /// Private key of the client certificate, a PEM file (PKCS#8, PKCS#1 or SEC1)
    #[arg(long, env = "MQTT_KEY", value_name = "FILE", value_hint = ValueHint::FilePath)]
    key: Option<PathBuf>,

    /// File that holds the password of an encrypted private key (PKCS#8)
    #[arg(long, env = "MQTT_KEY_PASSWORD_FILE", value_name = "FILE", value_hint = ValueHint::FilePath)]
    key_password_file: Option<PathBuf>,

    /// Accept any broker: neither certificate nor host name is verified, only --tls-pin if given
    #[arg(long, env = "MQTT_INSECURE", value_parser = BoolishValueParser::new())]
    insecure: bool,

    /// Ignore the names in the broker's certificate. Not an option: it is the meaning of --insecure for
    /// mosquitto's clients.
    #[arg(skip)]
    pub(super) any_name: bool,

    /// Application protocol to ask for (ALPN); several separated by commas, preferred first
    #[arg(long, env = "MQTT_TLS_ALPN", value_name = "PROTOCOL")]
    tls_alpn: Option<String>,

    /// Name to send (SNI) and to find in the broker's certificate, if it is not the host
    #[arg(long, env = "MQTT_TLS_SERVER_NAME", value_name = "NAME", value_hint = ValueHint::Hostname)]
    tls_server_name: Option<String>,

    /// Use only this version of TLS: tlsv1.2 or tlsv1.3 [default: the newest both know]
    #[arg(long, env = "MQTT_TLS_VERSION", value_name = "VERSION")]
    tls_version: Option<TlsVersion>,

    /// Cipher suites to allow, preferred first, by IANA's or OpenSSL's names, separated by colons
    #[arg(long, env = "MQTT_CIPHERS", value_name = "SUITES")]
    ciphers: Option<String>,

    /// Public key that the broker must have, in addition to a valid certificate: sha256: and the
    /// SHA-256 of the key in Base64 or hexadecimal; may be repeated, one of them must match
    #[arg(long, env = "MQTT_TLS_PIN", value_name = "PIN")]
    tls_pin: Vec<Pin>,

    /// Certificate revocation lists to apply, a PEM file; may be repeated. One that cannot be read is
    /// an error
    #[arg(long, env = "MQTT_CRL", value_name = "FILE", value_hint = ValueHint::FilePath)]
    crl: Vec<PathBuf>,

    /// Append the session keys to this file, for decrypting a capture of the traffic; env takes the name from
    /// SSLKEYLOGFILE
    #[arg(long, env = "MQTT_TLS_KEYLOG", value_name = "FILE", value_hint = ValueHint::FilePath)]
    tls_keylog: Option<PathBuf>,

    /// Not available: pre-shared keys
    #[arg(long, env = "MQTT_PSK", value_name = "KEY", hide = true, value_parser = value::secret())]
    psk: Option<Secret>,

    /// Not available: pre-shared keys
    #[arg(long, env = "MQTT_PSK_IDENTITY", value_name = "NAME", hide = true)]
    psk_identity: Option<String>,

    /// Not available: engines
    #[arg(long, env = "MQTT_TLS_ENGINE", value_name = "ENGINE", hide = true)]
    tls_engine: Option<String>,

    /// Not available: engines
    #[arg(long, env = "MQTT_TLS_ENGINE_KPASS_SHA1", value_name = "HASH", hide = true,
          value_parser = value::secret())]
    tls_engine_kpass_sha1: Option<Secret>,

    /// Only pem is available
    #[arg(long, env = "MQTT_KEYFORM", value_name = "FORM", hide = true, value_parser = ["pem", "engine"])]
    keyform: Option<String>,

    /// Connect without TLS, whatever other options say
    #[arg(long, env = "MQTT_NO_TLS", value_parser = BoolishValueParser::new())]
    no_tls: bool,
}

/// The identifiers of these options.
const IDS: [&str; 20] = [
    "cafile",
    "capath",
    "tls_use_os_certs",
    "cert",
    "key",
    "key_password_file",
    "insecure",
    "tls_alpn",
    "tls_server_name",
    "tls_version",
    "ciphers",
    "tls_pin",
    "crl",
    "tls_keylog",
    "psk",
    "psk_identity",
    "tls_engine",
    "tls_engine_kpass_sha1",
    "keyform",
    "no_tls",
];

/// The settings of the rest of the connection that decide about TLS.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) origin: &'a Origin,
    /// The rank of a URL whose scheme uses TLS.
    pub(super) url: Option<Rank>,
    /// The rank of a URL whose scheme does not use TLS.
    pub(super) plain_url: Option<Rank>,
    /// The rank of a requested port 8883.
    pub(super) port: Option<Rank>,
    /// The rank of the setting that names the broker.
    pub(super) broker: Rank,
    /// Whether the broker is behind a Unix socket.
    pub(super) is_unix: bool,
}

/// The requested TLS settings. Files are read when the first configuration is made.
#[derive(Debug)]
pub(super) struct Tls {
    options: TlsOptions,
    /// The configurations made so far, by the protocols they offer.
    made: Vec<(Vec<String>, Arc<TlsConfig>)>,
}

impl Tls {
    /// The configuration for one broker. Amazon's broker requires ALPN on the HTTPS port.
    pub(super) fn config(
        &mut self,
        host: &str,
        port: u16,
        web_socket: bool,
    ) -> Result<Arc<TlsConfig>, Error> {
        let mut alpn = self.options.alpn.clone();
        if alpn.is_empty() && !web_socket {
            let has_certificate = self.options.certificate.is_some();
            alpn.extend(aws_iot_protocol(host, port, has_certificate).map(str::to_owned));
        }
        if let Some((_, config)) = self.made.iter().find(|(offered, _)| *offered == alpn) {
            return Ok(Arc::clone(config));
        }
        let options = TlsOptions { alpn: alpn.clone(), ..self.options.clone() };
        let config = Arc::new(TlsConfig::load(&options)?);
        self.made.push((alpn, Arc::clone(&config)));
        Ok(config)
    }
}

impl TlsArgs {
    /// The TLS settings, or `None` if TLS is off.
    pub(super) fn resolve(self, context: Context<'_>) -> Result<Option<Tls>, Error> {
        self.refuse_unavailable(|id| context.origin.rank(id) == Rank::Flag)?;
        let Some(asked) = self.asked_by(context) else {
            self.warn_of_plain_url(context);
            return self.refuse_idle_options(context).map(|()| None);
        };
        if self.no_tls {
            let refusal = context.origin.rank("no_tls");
            if refusal == Rank::Flag && context.url == Some(Rank::Flag) {
                return Err(Error::usage("-L asks for TLS and --no-tls refuses it").about(["url", "no_tls"]));
            }
            if refusal >= asked {
                return Ok(None);
            }
        }
        if context.is_unix {
            if asked < context.broker {
                return Ok(None);
            }
            return Err(Error::usage("TLS over a Unix socket is not supported"));
        }
        self.refuse_unavailable(|_| true)?;
        if self.insecure
            && !self.crl.is_empty()
            && counts(context.origin.rank("crl"), context.origin.rank("insecure"))
        {
            let message = "--crl has no effect with --insecure, which verifies nothing";
            return Err(Error::usage(message).about(["crl", "insecure"]));
        }
        let overruled = self.overruled(context.origin);
        Ok(Some(Tls { options: self.without(&overruled).options(context.origin)?, made: Vec::new() }))
    }

    /// The trust options without effect, because one of higher rank makes them meaningless.
    fn overruled(&self, origin: &Origin) -> Vec<&'static str> {
        let rank = |id: &str| origin.rank(id);
        let files = [("cafile", self.cafile.is_some()), ("capath", self.capath.is_some())];
        let files = files.into_iter().filter(|(_, given)| *given).map(|(id, _)| id);
        let mut overruled = Vec::new();
        if self.insecure {
            overruled.extend(files.clone().chain(["crl"]).filter(|id| rank(id) < rank("insecure")));
        }
        if self.tls_use_os_certs {
            overruled.extend(files.clone().filter(|id| rank(id) < rank("tls_use_os_certs")));
        }
        let most = files.map(rank).max();
        overruled.extend(most.filter(|most| rank("tls_use_os_certs") < *most).map(|_| "tls_use_os_certs"));
        overruled
    }

    /// The options without these.
    fn without(mut self, overruled: &[&str]) -> Self {
        let is_out = |id: &str| overruled.contains(&id);
        self.cafile = self.cafile.filter(|_| !is_out("cafile"));
        self.capath = self.capath.filter(|_| !is_out("capath"));
        self.crl.retain(|_| !is_out("crl"));
        self.tls_use_os_certs &= !is_out("tls_use_os_certs");
        self
    }

    /// The options without effect for this connection.
    pub(super) fn unused(&self, context: Context<'_>) -> Vec<&'static str> {
        let refusal = context.origin.rank("no_tls");
        let asked = self.asked_by(context);
        let is_unix = context.is_unix && asked.is_none_or(|asked| asked < context.broker);
        let mut unused = Vec::new();
        match asked {
            Some(asked) if !(is_unix || self.no_tls && refusal >= asked) => {
                unused.extend((refusal < asked).then_some("no_tls"));
                unused.extend(self.key.is_none().then_some("key_password_file"));
                unused.extend(self.overruled(context.origin));
                let systems = "tls_use_os_certs";
                unused.extend((context.origin.rank(systems) < asked).then_some(systems));
            }
            // Whether TLS is turned on must be known.
            _ => {
                let may_turn_on = !is_unix && !self.no_tls;
                let turns_on = |id: &&str| matches!(*id, "tls_use_os_certs");
                unused.extend(IDS.into_iter().filter(|id| !(may_turn_on && turns_on(id))));
            }
        }
        unused
    }

    /// Refuses unavailable features, if their options matter.
    fn refuse_unavailable(&self, matters: impl Fn(&str) -> bool) -> Result<(), Error> {
        let engine = self.keyform.as_deref() == Some("engine");
        let asked = [
            (self.psk.is_some(), "psk", "--psk", Unavailable::PreSharedKey),
            (self.psk_identity.is_some(), "psk_identity", "--psk-identity", Unavailable::PreSharedKey),
            (self.tls_engine.is_some(), "tls_engine", "--tls-engine", Unavailable::Engine),
            (
                self.tls_engine_kpass_sha1.is_some(),
                "tls_engine_kpass_sha1",
                "--tls-engine-kpass-sha1",
                Unavailable::Engine,
            ),
            (engine, "keyform", "--keyform engine", Unavailable::Engine),
        ];
        match asked.into_iter().find(|(given, id, ..)| *given && matters(id)) {
            None => Ok(()),
            Some((_, id, flag, feature)) => Err(unavailable(flag, feature).about([id])),
        }
    }

    /// The highest rank of a setting that turns TLS on.
    fn asked_by(&self, context: Context<'_>) -> Option<Rank> {
        // As with mosquitto's clients, a pre-shared key too. It is not available, but must not lead to a
        // connection without TLS.
        let given = [
            self.cafile.is_some(),
            self.capath.is_some(),
            self.tls_use_os_certs,
            self.cert.is_some(),
            self.psk.is_some(),
        ];
        let options = TURNS_ON.into_iter().zip(given).filter(|(_, given)| *given);
        let ranks = options.map(|(id, _)| context.origin.rank(id));
        let strongest = [context.url, context.port].into_iter().flatten().chain(ranks).max();
        // Settings for many runs do not change the scheme of a typed mqtt:// URL.
        strongest.filter(|asked| context.plain_url.is_none_or(|plain| *asked >= plain))
    }

    /// Warns if a typed URL overrides TLS settings for many runs: the user may expect TLS everywhere.
    fn warn_of_plain_url(&self, context: Context<'_>) {
        let with_any_url = self.asked_by(Context { plain_url: None, ..context });
        if let Some(rank) = with_any_url.filter(|_| !self.no_tls && !context.is_unix) {
            let set = TURNS_ON.into_iter().find(|id| context.origin.rank(id) == rank);
            let option = set.unwrap_or_default().replace('_', "-");
            let by = rank.by();
            let text = format!("--{option}{by} has no effect: the URL asks for a connection without TLS");
            context.origin.warn(text);
        }
    }

    /// An option that has an effect only with TLS must not be ignored silently on a connection without TLS.
    fn refuse_idle_options(&self, context: Context<'_>) -> Result<(), Error> {
        let origin = context.origin;
        if self.no_tls {
            return Ok(());
        }
        let idle = [
            (self.insecure, "insecure", "--insecure"),
            (self.key.is_some(), "key", "--key"),
            (self.tls_alpn.is_some(), "tls_alpn", "--tls-alpn"),
            (self.tls_server_name.is_some(), "tls_server_name", "--tls-server-name"),
            (self.tls_version.is_some(), "tls_version", "--tls-version"),
            (self.key_password_file.is_some(), "key_password_file", "--key-password-file"),
            (self.ciphers.is_some(), "ciphers", "--ciphers"),
            (!self.tls_pin.is_empty(), "tls_pin", "--tls-pin"),
            (!self.crl.is_empty(), "crl", "--crl"),
            (self.tls_keylog.is_some(), "tls_keylog", "--tls-keylog"),
            (self.keyform.is_some(), "keyform", "--keyform"),
        ];
        let mut idle = idle.into_iter().filter(|(given, ..)| *given);
        if let Some((_, id, name)) = idle.clone().find(|(_, id, _)| counts(origin.rank(id), context.broker)) {
            return Err(Error::usage(format!("{name} has no effect: the connection is without TLS"))
                .about([id])
                .with_hint(TURN_ON));
        }
        // It was set at the same place as the broker, so most likely it was meant for it.
        let is_beside = |id| {
            origin.rank(id) == context.broker && matches!(context.broker, Rank::Profile | Rank::Environment)
        };
        if let Some((_, id, name)) = idle.find(|(_, id, _)| is_beside(*id)) {
            let by = origin.rank(id).by();
            origin.warn(format!("{name}{by} has no effect: the connection is without TLS"));
        }
        Ok(())
    }

    fn options(self, origin: &Origin) -> Result<TlsOptions, Error> {
        if self.tls_use_os_certs && (self.cafile.is_some() || self.capath.is_some()) {
            return Err(Error::usage("--tls-use-os-certs cannot be combined with --cafile or --capath")
                .about(["tls_use_os_certs", "cafile", "capath"])
                .with_hint("--cafile takes a file with several certificate authorities"));
        }
        let key_password = match self.key_password_file.filter(|_| self.key.is_some()) {
            Some(path) => Some(KeyPassword::new(from_file("--key-password-file", &path, origin)?.0)),
            None => None,
        };
        match (&self.cert, &self.key) {
            (Some(_), None) => {
                return Err(Error::usage("--cert needs its private key: --key FILE").about(["cert"]));
            }
            (None, Some(_)) => {
                return Err(Error::usage("--key needs its certificate: --cert FILE").about(["key"]));
            }
            _ => {}
        }
        let alpn: Vec<String> =
            self.tls_alpn.iter().flat_map(|list| list.split(',')).map(str::to_owned).collect();
        if alpn.iter().any(|protocol| protocol.is_empty() || protocol.len() > 255) {
            let message = "--tls-alpn: the name of a protocol is 1 to 255 bytes long";
            return Err(Error::usage(message).about(["tls_alpn"]));
        }
        Ok(TlsOptions {
            ca_files: self.cafile.into_iter().collect(),
            ca_paths: self.capath.into_iter().collect(),
            system_store: system_store(),
            certificate: self.cert,
            key: self.key,
            insecure: self.insecure,
            any_name: self.any_name,
            alpn,
            server_name: self.tls_server_name,
            min_version: self.tls_version,
            max_version: self.tls_version,
            key_password,
            ciphers: self.ciphers,
            pins: self.tls_pin,
            crl_files: self.crl,
            key_log: self.tls_keylog.map(key_log).transpose()?,
        })
    }
}

/// The authorities of the variables that OpenSSL reads too.
fn system_store() -> SystemStore {
    let given = |name| std::env::var_os(name).filter(|value| !value.is_empty());
    let directories = given("SSL_CERT_DIR").unwrap_or_default();
    SystemStore {
        file: given("SSL_CERT_FILE").map(Into::into),
        directories: std::env::split_paths(&directories)
            .filter(|path| !path.as_os_str().is_empty())
            .collect(),
    }
}

/// The file to log session keys to; the one from the environment only on request.
fn key_log(path: PathBuf) -> Result<PathBuf, Error> {
    outlive_file_limit();
    if path.as_os_str() != "env" {
        return Ok(path);
    }
    match std::env::var_os("SSLKEYLOGFILE").filter(|name| !name.is_empty()) {
        Some(name) => Ok(name.into()),
        None => Err(Error::usage("--tls-keylog env: SSLKEYLOGFILE is not set").about(["tls_keylog"])),
    }
}
