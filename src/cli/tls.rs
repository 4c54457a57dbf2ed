//! TLS: whether it is on, and with which trust and credentials.

use std::path::PathBuf;
use std::sync::Arc;

use clap::ValueHint;
use clap::builder::BoolishValueParser;

use super::origin::{Origin, Rank};
use crate::error::Error;
use crate::net::{TlsConfig, TlsOptions, TlsVersion};

/// The port on which TLS is expected ([IANA] secure-mqtt).
pub(super) const TLS_PORT: u16 = 8883;

const TURN_ON: &str = "TLS is turned on by mqtts:// in -L, -p 8883, --cafile, --capath, --cert or \
                       --tls-use-os-certs; --no-tls makes the connection ignore TLS options";

/// The options of TLS.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "TLS")]
pub(super) struct TlsArgs {
    /// Trust the certificate authorities in this PEM file; turns TLS on
    #[arg(long, env = "MQTT_CAFILE", value_name = "FILE", value_hint = ValueHint::FilePath)]
    cafile: Option<PathBuf>,

    /// Trust the certificate authorities in the PEM files of this directory; turns TLS on
    #[arg(long, env = "MQTT_CAPATH", value_name = "DIRECTORY", value_hint = ValueHint::DirPath)]
    capath: Option<PathBuf>,

    /// Trust the operating system's certificate authorities; turns TLS on. The default where TLS is
    /// on without --cafile and --capath
    #[arg(long, env = "MQTT_TLS_USE_OS_CERTS", value_parser = BoolishValueParser::new())]
    tls_use_os_certs: bool,

    /// Client certificate to show, a PEM file with its chain; needs --key; turns TLS on
    #[arg(long, env = "MQTT_CERT", value_name = "FILE", value_hint = ValueHint::FilePath)]
    cert: Option<PathBuf>,

    /// Private key of the client certificate, a PEM file (PKCS#8, PKCS#1 or SEC1)
    #[arg(long, env = "MQTT_KEY", value_name = "FILE", value_hint = ValueHint::FilePath)]
    key: Option<PathBuf>,

    /// Accept any server: neither certificate nor host name is verified
    #[arg(long, env = "MQTT_INSECURE", value_parser = BoolishValueParser::new())]
    insecure: bool,

    /// Application protocol to ask for (ALPN); several by commas, preferred first
    #[arg(long, env = "MQTT_TLS_ALPN", value_name = "PROTOCOL")]
    tls_alpn: Option<String>,

    /// Name to send (SNI) and to find in the server's certificate, where it is not the host
    #[arg(long, env = "MQTT_TLS_SERVER_NAME", value_name = "NAME", value_hint = ValueHint::Hostname)]
    tls_server_name: Option<String>,

    /// Speak only this version of TLS: tlsv1.2 or tlsv1.3 [default: the newest both know]
    #[arg(long, env = "MQTT_TLS_VERSION", value_name = "VERSION")]
    tls_version: Option<TlsVersion>,

    /// Connect without TLS, whatever other options say
    #[arg(long, env = "MQTT_NO_TLS", value_parser = BoolishValueParser::new())]
    no_tls: bool,
}

/// What the rest of the connection says about TLS.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) origin: &'a Origin,
    /// The rank of a URL whose scheme asks for TLS.
    pub(super) url: Option<Rank>,
    /// The rank of a port 8883 that was asked for.
    pub(super) port: Option<Rank>,
}

impl TlsArgs {
    /// Whether TLS is on, and how it is set up if so.
    pub(super) fn resolve(self, context: Context<'_>) -> Result<Option<Arc<TlsConfig>>, Error> {
        let Some(asked) = self.asked_by(context) else {
            return self.refuse_idle_options(context.origin).map(|()| None);
        };
        if self.no_tls {
            let refusal = context.origin.rank("no_tls");
            if refusal == Rank::Flag && context.url == Some(Rank::Flag) {
                return Err(Error::usage("-L mqtts:// asks for TLS and --no-tls refuses it"));
            }
            if refusal >= asked {
                return Ok(None);
            }
        }
        TlsConfig::load(&self.options()?).map(|config| Some(Arc::new(config)))
    }

    /// The strongest word that TLS is wanted.
    fn asked_by(&self, context: Context<'_>) -> Option<Rank> {
        let option = |given: bool, id| given.then(|| context.origin.rank(id));
        [
            context.url,
            context.port,
            option(self.cafile.is_some(), "cafile"),
            option(self.capath.is_some(), "capath"),
            option(self.tls_use_os_certs, "tls_use_os_certs"),
            option(self.cert.is_some(), "cert"),
        ]
        .into_iter()
        .flatten()
        .max()
    }

    /// An option that only means something with TLS must not be lost on a plain connection.
    fn refuse_idle_options(&self, origin: &Origin) -> Result<(), Error> {
        if self.no_tls {
            return Ok(());
        }
        let idle = [
            (self.insecure, "insecure", "--insecure"),
            (self.key.is_some(), "key", "--key"),
            (self.tls_alpn.is_some(), "tls_alpn", "--tls-alpn"),
            (self.tls_server_name.is_some(), "tls_server_name", "--tls-server-name"),
            (self.tls_version.is_some(), "tls_version", "--tls-version"),
        ];
        match idle.into_iter().find(|(given, ..)| *given) {
            None => Ok(()),
            Some((_, id, name)) => {
                let by = if origin.rank(id) == Rank::Environment { " (from the environment)" } else { "" };
                Err(Error::usage(format!("{name}{by} has no effect: the connection is without TLS"))
                    .with_hint(TURN_ON))
            }
        }
    }

    fn options(self) -> Result<TlsOptions, Error> {
        if self.tls_use_os_certs && (self.cafile.is_some() || self.capath.is_some()) {
            return Err(Error::usage("--tls-use-os-certs cannot be combined with --cafile or --capath")
                .with_hint("--cafile takes a file with several certificate authorities"));
        }
        match (&self.cert, &self.key) {
            (Some(_), None) => return Err(Error::usage("--cert needs its private key: --key FILE")),
            (None, Some(_)) => return Err(Error::usage("--key needs its certificate: --cert FILE")),
            _ => {}
        }
        let alpn: Vec<String> =
            self.tls_alpn.iter().flat_map(|list| list.split(',')).map(str::to_owned).collect();
        if alpn.iter().any(|protocol| protocol.is_empty() || protocol.len() > 255) {
            return Err(Error::usage("--tls-alpn: the name of a protocol is 1 to 255 bytes long"));
        }
        Ok(TlsOptions {
            ca_files: self.cafile.into_iter().collect(),
            ca_paths: self.capath.into_iter().collect(),
            certificate: self.cert,
            key: self.key,
            insecure: self.insecure,
            alpn,
            server_name: self.tls_server_name,
            min_version: self.tls_version,
            max_version: self.tls_version,
            ..TlsOptions::default()
        })
    }
}
