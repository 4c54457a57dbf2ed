//! The options of the connection, one group for every subcommand that connects to a broker; each option has
//! an environment variable named after its long name.

use std::time::Duration;

use clap::builder::BoolishValueParser;

use super::authentication::{self, AuthenticationArgs};
use super::credentials::{CredentialArgs, Credentials};
use super::headings::{CONNECTION, RECONNECTING, SESSION};
use super::property::{self, ConnectProperties};
use super::sources::{FileArgs, Origin, Rank};
use super::target::{self, TargetArgs};
use super::text;
use super::tls::TlsArgs;
use super::url;
use super::value::{self, Brokers, NEVER_EXPIRES, ProtocolVersion, ReconnectAttempts};
use crate::client::options::{ClientOptions, Reconnect, Version, Will};
use crate::error::Error;
use crate::protocol::property::{PropertyBlock, PropertyId};
use crate::protocol::reason::ReasonCode;
use crate::protocol::{Protocol, wire};

/// The notation of durations.
pub(super) const DURATIONS: &str = "\
Durations:
  A DURATION is in seconds or has units: 90, 0.5, 250ms, 30s, 1h30m, 7d.";

/// The end of the help of every subcommand with this group, after [`DURATIONS`].
pub(super) const NOTES: &str = "\
Environment:
  Each option from Connection to TLS has a variable, MQTT_ and its long name,
  such as MQTT_HOST and MQTT_TLS_ALPN. A flag beats its variable. What a run
  does not need is not looked at.

Files:
  ~/.config/mqtt/config.toml may hold tables such as [profile.home], whose keys
  are the long names of the options from Connection to TLS, and the line
  default-profile = 'home'. A variable beats a profile. mqtt config show tells
  what holds and why.";

/// The options of the connection.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = CONNECTION)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct ConnectionArgs {
    // Before every option: see `Origin`.
    #[command(flatten)]
    pub(super) origin: Origin,

    #[command(flatten)]
    target: TargetArgs,

    /// Send small packets at once; always on, and accepted for compatibility with mosquitto
    #[arg(long, env = "MQTT_NODELAY", value_parser = BoolishValueParser::new())]
    #[allow(dead_code, reason = "it says what is done anyway")]
    nodelay: bool,

    #[command(flatten)]
    credentials: CredentialArgs,

    #[command(flatten)]
    authentication: AuthenticationArgs,

    /// Client identifier [default: the broker assigns one]
    #[arg(short = 'i', long, visible_alias = "id", env = "MQTT_CLIENT_ID",
          help_heading = SESSION, value_name = "ID")]
    client_id: Option<String>,

    /// Client identifier of this prefix and the process identifier
    #[arg(short = 'I', long, env = "MQTT_ID_PREFIX",
          help_heading = SESSION, value_name = "PREFIX")]
    id_prefix: Option<String>,

    /// Version of MQTT; auto is 5, or 3.1.1 if the broker refuses 5 or has not answered it after 3 s, or
    /// 3.1 if it refuses 3.1.1 too. mqttv31, mqttv311 and mqttv5 mean the same as 31, 311 and 5
    #[arg(short = 'V', long, env = "MQTT_PROTOCOL_VERSION",
          help_heading = SESSION, value_name = "VERSION", default_value = "auto")]
    protocol_version: ProtocolVersion,

    /// Keep Alive interval, in whole seconds (0: off)
    #[arg(short = 'k', long, env = "MQTT_KEEPALIVE",
          help_heading = SESSION, value_name = "DURATION", default_value = "60", value_parser = value::keep_alive)]
    keepalive: u16,

    /// Continue the session of an earlier connection and keep it; needs -i
    ///
    /// The connection is made without Clean Start.
    #[arg(short = 'c', long, env = "MQTT_DISABLE_CLEAN_SESSION",
          help_heading = SESSION, value_parser = BoolishValueParser::new())]
    disable_clean_session: bool,

    /// How long the broker keeps the session after the connection ends, or never for ever (MQTT 5)
    /// [default: 0, with -c never]
    #[arg(short = 'x', long, env = "MQTT_SESSION_EXPIRY",
          help_heading = SESSION, value_name = "DURATION", value_parser = value::session_expiry)]
    session_expiry: Option<u32>,

    /// Most QoS 1 and 2 messages sent and not yet acknowledged
    #[arg(short = 'M', long, env = "MQTT_MAX_INFLIGHT",
          help_heading = SESSION, value_name = "COUNT", default_value = "20", value_parser = value::inflight)]
    max_inflight: u16,

    /// Largest packet accepted from the broker, such as 64k (64000) or 64Ki (65536 bytes); a message may
    /// take three times that in memory, and as JSON eight times
    #[arg(long, env = "MQTT_MAX_PACKET_SIZE",
          help_heading = SESSION, value_name = "SIZE", default_value = "268435460", value_parser = value::packet_bytes)]
    max_packet_size: u32,

    /// Limit for connecting, and again for the answer to CONNECT. Without -W also for each further answer: to
    /// a PUBLISH, to SUBSCRIBE, and to the PINGREQ after the last QoS 0 message. pub -l and pub --json
    /// wait without limit for answers to a PUBLISH until they have read the end of their input, and so does sub
    /// for that to SUBSCRIBE if it does not end by itself (--silence has the limit). If it is given, also for each pipe that an option names instead of a
    /// file, except the payload's (-f)
    #[arg(long, env = "MQTT_CONNECT_TIMEOUT",
          help_heading = RECONNECTING, value_name = "DURATION", default_value = "30",
          value_parser = value::positive_duration)]
    connect_timeout: Duration,

    /// When the connection is lost: never, always, or how many attempts in a row may fail. Refused
    /// credentials, an untrusted certificate, or a broker that disconnects three times on the same packet
    /// always end the run [default: always for sub and pub -l, 10 for retain-clear, else never]
    #[arg(long, env = "MQTT_RECONNECT",
          help_heading = RECONNECTING, value_name = "WHEN")]
    reconnect: Option<ReconnectAttempts>,

    /// Longest pause between two attempts to reconnect
    #[arg(long, env = "MQTT_RECONNECT_MAX_DELAY",
          help_heading = RECONNECTING, value_name = "DURATION", default_value = "30",
          value_parser = value::positive_duration)]
    reconnect_max_delay: Duration,

    /// Go where a broker sends its clients, with the same options and credentials (MQTT 5): at most 5 times
    /// in a row, and to at most 20 brokers
    #[arg(long, env = "MQTT_FOLLOW_REDIRECT",
          help_heading = RECONNECTING, value_parser = BoolishValueParser::new())]
    follow_redirect: bool,

    /// For how long to try to make the first connection; 0 is one attempt
    #[arg(long, env = "MQTT_WAIT_FOR_SERVER",
          help_heading = RECONNECTING, value_name = "DURATION", default_value = "0", value_parser = value::duration)]
    wait_for_server: Duration,

    #[command(flatten)]
    files: FileArgs,

    #[command(flatten)]
    tls: TlsArgs,
}

/// The parameters that a subcommand adds to the connection.
pub(super) struct Purpose {
    /// The Will Message.
    pub(super) will: Option<Will>,
    /// The properties of `-D connect`.
    pub(super) properties: PropertyBlock,
    /// The properties of `-D disconnect`.
    pub(super) disconnect_properties: PropertyBlock,
    /// The first requested feature that needs MQTT 5.
    pub(super) needs_v5: Option<&'static str>,
    /// The advice for a broker that does not support MQTT 5, if the run can do nothing over MQTT 3.x.
    pub(super) prefers_v5: Option<&'static str>,
    /// Whether the run shows, stores or sends properties.
    pub(super) uses_properties: bool,
    /// The default reaction to a lost connection.
    pub(super) reconnect: Reconnect,
    /// A session that outlives the run is useless; `-c` is an error only if it was typed.
    pub(super) keeps_no_session: bool,
}

impl Default for Purpose {
    /// No additions, and a lost connection ends the run.
    fn default() -> Self {
        Self {
            will: None,
            properties: PropertyBlock::default(),
            disconnect_properties: PropertyBlock::default(),
            needs_v5: None,
            prefers_v5: None,
            uses_properties: false,
            reconnect: Reconnect::NEVER,
            keeps_no_session: false,
        }
    }
}

/// Which of several options for the same setting apply.
pub(super) struct Standing {
    /// The options that do not apply.
    pub(super) overruled: Vec<&'static str>,
    /// The user name, if it comes from the URL.
    pub(super) url_user_name: Option<String>,
    /// Whether the password comes from the URL.
    pub(super) url_password: bool,
}

impl ConnectionArgs {
    /// Sets the host from an operand, which counts like `-h`.
    pub(super) fn name_host(&mut self, host: Brokers) -> Result<(), Error> {
        if self.origin.rank("host") == Rank::Flag {
            return Err(Error::usage("HOST and -h are both given; give one"));
        }
        self.target.name_host(host);
        self.origin.promote("host");
        Ok(())
    }

    /// The options that apply, for `config show`.
    pub(super) fn standing(&self) -> Standing {
        let origin = &self.origin;
        let url = self.target.counting_url(origin);
        let url_user_name = url
            .and_then(|url| url.user_name.clone())
            .filter(|_| origin.rank("username") <= origin.rank("url"));
        let has_password = url.is_some_and(|url| url.password.is_some());
        let mut credentials = self.credentials.overruled(origin, (url_user_name.is_some(), has_password));
        let url_password = has_password && !credentials.contains(&"url");
        // The rest of the URL applies.
        credentials.retain(|id| *id != "url");
        let mut overruled = self.target.overruled(origin);
        overruled.extend(credentials);
        let (id, prefix) = (origin.rank("client_id"), origin.rank("id_prefix"));
        overruled.extend((id > prefix).then_some("id_prefix").or((prefix > id).then_some("client_id")));
        Standing { overruled, url_user_name, url_password }
    }

    /// The topic in the URL, if it has one and the URL applies.
    pub(super) fn url_topic(&self) -> Result<Option<&str>, Error> {
        let overruled = self.target.overruled(&self.origin);
        self.origin.refuse_broken(|id| id == "url" && !overruled.contains(&id))?;
        Ok(self.target.counting_url(&self.origin).and_then(|url| url.topic.as_deref()))
    }

    /// The probable mistake in a URL whose host cannot be reached.
    pub(super) fn cut_url(&self) -> Option<String> {
        let end = self.target.counting_url(&self.origin)?.early_end?;
        Some(format!("the URL has an '@' after its first '{end}': {}", url::encoded_in_credentials(end)))
    }

    /// Whether to ask for a password.
    pub(super) fn asks_for_password(&self) -> bool {
        let overruled = self.standing().overruled;
        self.credentials.asks() && !overruled.contains(&"password_prompt")
    }

    /// Whether the URL was typed, and not set elsewhere.
    pub(super) fn url_is_typed(&self) -> bool {
        self.origin.rank("url") == Rank::Flag
    }

    /// Accepts a certificate whatever its names are.
    pub(super) fn accept_any_name(&mut self) {
        self.tls.any_name = true;
    }

    /// All options of a connection.
    pub(super) fn resolve(self, purpose: Purpose) -> Result<ClientOptions, Error> {
        let origin = self.origin.clone();
        let (mut options, credentials) = self.check(purpose)?;
        let password = credentials.fetch(&origin, options.connect_timeout)?;
        options.password = authentication::with_password(&mut options.authentication, password)?;
        Ok(options)
    }

    /// Like [`Self::resolve`], for callers that must not ask the user, run a command or wait for a file.
    /// `None` if that would be needed, or if there is an error.
    pub(super) fn resolve_silently(self, purpose: Purpose) -> Option<ClientOptions> {
        let origin = self.origin.clone();
        let (mut options, credentials) = self.check(purpose).ok()?;
        if !credentials.are_at_hand() {
            return None;
        }
        let password = credentials.fetch(&origin, options.connect_timeout).ok()?;
        options.password = authentication::with_password(&mut options.authentication, password).ok()?;
        Some(options)
    }

    /// Like [`Self::resolve`], without fetching the password.
    pub(super) fn check(mut self, purpose: Purpose) -> Result<(ClientOptions, Credentials), Error> {
        let ConnectProperties {
            session_expiry_interval,
            maximum_packet_size,
            authentication_method,
            authentication_data,
            rest: properties,
        } = property::take_apart(&purpose.properties);
        let Standing { mut overruled, .. } = self.standing();
        overruled.extend(self.target.unused(&self.origin));
        let is_target = |id: &str| target::IDS.contains(&id);
        self.origin.refuse_broken(|id| is_target(id) && !overruled.contains(&id))?;
        if purpose.keeps_no_session && self.origin.rank("disable_clean_session") < Rank::Flag {
            self.disable_clean_session = false;
            overruled.push("disable_clean_session");
        }
        if self.speaks_only_v3() {
            let version = self.origin.rank("protocol_version");
            if self.origin.rank("session_expiry") < version {
                self.session_expiry = None;
                overruled.push("session_expiry");
            }
            overruled.extend(self.authentication.leave_out_below(version, &self.origin));
        }
        let session_expiry_interval = self.session_expiry(session_expiry_interval)?;
        let max_packet_bytes = self.max_packet_bytes(maximum_packet_size)?;
        refuse_late_expiry(session_expiry_interval, &purpose.disconnect_properties)?;
        let mut target = self.target.clone().resolve(&self.origin, max_packet_bytes)?;
        let unused_tls = self.tls.unused(target.tls_context(&self.origin));
        let unused_authentication = AuthenticationArgs::unused(&self.origin, authentication_method.is_some());
        let attempts = self.reconnect.map_or(purpose.reconnect.attempts, |asked| asked.0);
        if attempts == Some(0) && self.wait_for_server.is_zero() {
            overruled.push("reconnect_max_delay");
        }
        // It has no effect, whatever its value.
        overruled.push("nodelay");
        self.origin.refuse_broken(|id| {
            ![&overruled, &unused_tls, &unused_authentication].iter().any(|unused| unused.contains(&id))
        })?;
        let in_url = (target.url_user_name.take(), target.url_password.take());
        let credentials = self.credentials.clone().resolve(&self.origin, in_url)?;
        let (version, needs_v5) = self.version(&credentials, purpose.needs_v5)?;
        let authentication = self.authentication.clone().resolve(
            &self.origin,
            (authentication_method, authentication_data),
            credentials.user_name.as_deref(),
            credentials.has_password(),
        )?;
        let client_identifier = self.client_identifier(session_expiry_interval)?;
        let tls = self.tls.clone().resolve(target.tls_context(&self.origin))?;
        let service_records = target.service_records;
        let name_servers = std::mem::take(&mut target.name_servers);
        let (endpoint, fallbacks) = target.endpoints(tls, self.connect_timeout)?;
        let options = ClientOptions {
            endpoint,
            fallbacks,
            service_records,
            name_servers,
            version,
            needs_v5,
            prefers_v5: purpose.prefers_v5,
            uses_properties: purpose.uses_properties,
            client_identifier,
            clean_start: !self.disable_clean_session,
            keep_alive: self.keepalive,
            session_expiry_interval,
            properties,
            disconnect_properties: purpose.disconnect_properties,
            interrupted: ReasonCode::SUCCESS,
            keeps_own_keep_alive: false,
            will: purpose.will,
            user_name: credentials.user_name.clone(),
            password: None,
            authentication,
            follow_redirect: self.follow_redirect,
            max_inflight: self.max_inflight,
            max_packet_bytes,
            reconnect: Reconnect {
                attempts,
                max_delay: self.reconnect_max_delay,
                wait_for_server: self.wait_for_server,
                from_first_hang_up: false,
            },
            connect_timeout: self.connect_timeout,
            barrier_limit: self.connect_timeout,
        };
        Ok((options, credentials))
    }

    fn speaks_only_v3(&self) -> bool {
        matches!(Version::from(self.protocol_version), Version::Only(protocol) if protocol != Protocol::V5)
    }

    /// The Session Expiry Interval of an option or of `-D connect`.
    fn session_expiry(&self, property: Option<u32>) -> Result<Option<u32>, Error> {
        match (self.session_expiry, property) {
            (Some(_), Some(_)) if self.origin.rank("session_expiry") == Rank::Flag => {
                Err(given_twice("-x", "session-expiry-interval"))
            }
            (_, Some(property)) => Ok(Some(property)),
            (None, None) if self.disable_clean_session => Ok(Some(NEVER_EXPIRES)),
            (option, None) => Ok(option),
        }
    }

    /// The Maximum Packet Size of an option or of `-D connect`.
    fn max_packet_bytes(&self, property: Option<u32>) -> Result<u32, Error> {
        match property {
            Some(_) if self.origin.rank("max_packet_size") == Rank::Flag => {
                Err(given_twice("--max-packet-size", "maximum-packet-size"))
            }
            Some(bytes) => Ok(bytes.min(wire::LARGEST_PACKET_BYTES)),
            None => Ok(self.max_packet_size),
        }
    }

    /// The protocol version. `auto` must not fall back to a version that lacks a requested feature; it is
    /// then MQTT 5, and the option that needs it is returned.
    fn version(
        &self,
        credentials: &Credentials,
        needs_v5: Option<&'static str>,
    ) -> Result<(Version, Option<&'static str>), Error> {
        let lone_password = credentials.has_password() && credentials.user_name.is_none();
        let needs_v5 = [
            self.session_expiry.is_some().then_some("-x"),
            needs_v5,
            self.authentication.needs_v5(),
            lone_password.then_some("a password without a user name"),
        ];
        match (Version::from(self.protocol_version), needs_v5.into_iter().flatten().next()) {
            (Version::Auto, Some(what)) => Ok((Version::Only(Protocol::V5), Some(what))),
            (Version::Only(protocol), Some(what)) if protocol != Protocol::V5 => {
                let error = Error::usage(format!("{what} needs MQTT 5, and -V asks for MQTT {protocol}"));
                let error = error.about(["protocol_version", "session_expiry", "auth_method"]);
                Err(if lone_password { error.with_hint("give the user name with -u") } else { error })
            }
            (version, what) => Ok((version, what)),
        }
    }

    fn client_identifier(&mut self, session_expiry_interval: Option<u32>) -> Result<String, Error> {
        let prefixed = self.id_prefix.take().map(|prefix| format!("{prefix}{}", std::process::id()));
        let (id_rank, prefix_rank) = (self.origin.rank("client_id"), self.origin.rank("id_prefix"));
        let typed = match (self.client_id.take(), prefixed) {
            (Some(_), Some(_)) if id_rank == prefix_rank => {
                let error = Error::usage("-i and -I cannot be used together");
                return Err(error.about(["client_id", "id_prefix"]));
            }
            (Some(id), Some(_)) if id_rank > prefix_rank => Some(id),
            (Some(id), None) => Some(id),
            (_, Some(prefixed)) => {
                self.refuse_unnamed_session(session_expiry_interval)?;
                return text::string_of("-I", "client identifier", prefixed);
            }
            (None, None) => None,
        };
        match typed {
            Some(id) if id.is_empty() => Err(Error::usage("the client identifier is empty")
                .about(["client_id"])
                .with_hint("leave -i out to let the broker assign one")),
            Some(id) => text::string_of("-i", "client identifier", id),
            None => self.refuse_unnamed_session(session_expiry_interval).map(|()| String::new()),
        }
    }

    /// A session that outlives the program can be resumed only by its client identifier.
    fn refuse_unnamed_session(&self, session_expiry_interval: Option<u32>) -> Result<(), Error> {
        let what = if self.disable_clean_session {
            "-c"
        } else if session_expiry_interval == Some(NEVER_EXPIRES) {
            "a session that never expires"
        } else {
            return Ok(());
        };
        let error = Error::usage(format!("{what} needs a client identifier: -i ID"));
        Err(error.about(["disable_clean_session", "session_expiry"]))
    }
}

/// The error for an option and a `-D` for the same property.
pub(super) fn given_twice(option: &str, name: &str) -> Error {
    Error::usage(format!("{option} and -D connect {name} both give the same property"))
}

/// A Session Expiry Interval of 0 in CONNECT cannot be raised in DISCONNECT ([MQTT-3.14.2.2.2]).
fn refuse_late_expiry(at_connect: Option<u32>, disconnect_properties: &PropertyBlock) -> Result<(), Error> {
    let at_the_end = disconnect_properties.view().number(PropertyId::SessionExpiryInterval).unwrap_or(0);
    if at_the_end == 0 || at_connect.unwrap_or(0) > 0 {
        return Ok(());
    }
    let message = "--disconnect-session-expiry needs a Session Expiry Interval above 0 in CONNECT";
    Err(Error::usage(message).with_hint("-x sets it"))
}
