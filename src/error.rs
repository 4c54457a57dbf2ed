//! Errors: the layer, the cause, and what to try.
//!
//! One type for the whole program, so that one place turns an error into a line of text and an exit code. The
//! text is written where the cause is known; callers add nothing to it.
//!
//! This table lists everything that ends the attempts to connect ([`Retry::Never`]). All other failures are
//! retried, on every transport and in every command, because a network, a proxy or a restarting broker can
//! cause them, or a host on the path can forge them:
//!
//! | final | why | made by |
//! |---|---|---|
//! | a usage error; a file that cannot be read; a name, path or header that cannot be sent | the command line stays the same | [`Error::usage`], [`Error::file`], [`Error::fatal`] |
//! | an untrusted certificate | a wrong server must not get the password at the second attempt | [`Error::fatal`] in `net::tls` |
//! | credentials refused by a proxy or by MQTT; SCRAM proof wrong | repeated attempts lock accounts | [`Error::fatal`], [`ReasonCode::retry`] |
//! | another refusal by Reason Code that concerns this client: identifier, version, ban, session taken over, its packets | the client stays the same | [`ReasonCode::retry`] |
//! | a broker that has moved (0x9D), or redirects without end with `--follow-redirect` | only the user can decide whether to follow | [`Error::Elsewhere`], `client::run` |
//! | HTTP 401, 403, 404 or 407, or a proxy's ruleset, twice in a row | the first may come from a gateway that is being set up | [`Error::doubtful`] |
//! | TLS on a port used without TLS, at the first contact | the command line stays the same | [`Error::fatal`] in `client::connect` |
//! | a packet that violates the standard, or one of ours that the broker reports as a violation, twice in a row | the first may come from a network that garbles bytes, or from a host on the path | [`Error::Protocol`], [`ReasonCode::retry`] |
//! | a subscription refused at first, or later for good; a refusal that may pass (0x80, 0x83, 0x97 …) after the subscription was granted is retried | the filter and the client's rights stay the same | `command::resubscribing` |
//! | the same packet, a message of QoS 0 or a refused message ends three links | it would end the next | `client::strikes` |

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::exit::Exit;
use crate::file::GaveUp;
use crate::masking::masked;
use crate::protocol::property::{Properties, PropertyId};
use crate::protocol::reason::ReasonCode;
use crate::quotation::cut;
use crate::thread::{self, NoThread};

pub use crate::protocol::reason::Retry;

/// The failed layer of the connection to the broker. The message begins with its name, except for MQTT
/// itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// Name look-up.
    Resolve,
    /// TCP (or Unix socket) connection, while it is being made.
    Connect,
    /// TCP (or Unix socket) connection, once it is open.
    Stream,
    /// SOCKS5 or HTTP CONNECT proxy.
    Proxy,
    /// TLS handshake or certificate.
    Tls,
    /// HTTP upgrade to a WebSocket, or a WebSocket frame.
    WebSocket,
    /// MQTT itself.
    Mqtt,
}

impl Layer {
    /// The text before a cause. MQTT has none, as the whole program is about MQTT.
    fn prefix(self) -> String {
        if self == Self::Mqtt { String::new() } else { format!("{self}: ") }
    }
}

impl std::fmt::Display for Layer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Resolve => "name look-up",
            Self::Connect | Self::Stream => "connection",
            Self::Proxy => "proxy",
            Self::Tls => "TLS",
            Self::WebSocket => "WebSocket",
            Self::Mqtt => "MQTT",
        })
    }
}

/// A machine-readable detail about the cause of a failed layer; most failures have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sign {
    /// None of the others.
    #[default]
    None,
    /// The broker closed the connection before sending a byte.
    HungUp,
    /// An open connection ended without a reason.
    Closed,
    /// The broker did not answer in time.
    Silent,
    /// The broker answered CONNECT in the form of an older version.
    OldVersion,
    /// No program listens on this port of this machine.
    RefusedHere,
    /// A link-local address was given without a zone.
    NoZone,
    /// A proxy failed, or does not speak its protocol.
    ProxyFailed,
    /// A proxy does not serve this user, or does not allow this connection.
    ProxyDenied,
    /// A proxy cannot reach the broker.
    ProxyCannotReach,
    /// The broker's certificate is refused; this is its key, which the user may recognise.
    Untrusted(KeyDigest),
}

/// The SHA-256 of a public key, shown as `--tls-pin` takes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyDigest(pub [u8; 32]);

impl std::fmt::Display for KeyDigest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "sha256:{}", BASE64.encode(self.0))
    }
}

/// The kind of request that a broker refuses, and the packet with the refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Denial {
    /// The connection, with CONNACK.
    Connack,
    /// The connection, with DISCONNECT.
    Disconnect,
    /// A subscription, with SUBACK.
    Suback,
    /// A message or any other request; also one that is not sent because the broker would refuse it.
    #[default]
    Message,
}

/// All errors of the program.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line, the environment or a profile asks for something impossible.
    #[error("{message}")]
    Usage {
        /// What is wrong, in one line.
        message: String,
        /// What to do instead.
        hint: Option<String>,
        /// The identifiers of the options that violate a rule together; empty if only the message names them.
        about: Vec<String>,
    },
    /// A program in an option is invalid.
    #[error("{message}")]
    Program {
        /// What is wrong, in one line.
        message: String,
        /// The program's line with the error.
        line: String,
        /// The column in this line, in characters from 1.
        column: usize,
        /// What to do instead.
        hint: Option<String>,
    },
    /// A layer between this client and the broker failed.
    #[error("{}{cause}", .layer.prefix())]
    Link {
        /// The failed layer.
        layer: Layer,
        /// The cause, in one line.
        cause: String,
        /// What to try.
        hint: Option<String>,
        /// Whether a retry can succeed.
        retry: Retry,
        /// A machine-readable detail about the cause.
        sign: Sign,
    },
    /// The broker answered a request with a failing Reason Code.
    #[error("{what}: {reason}{}", .text.as_ref().map(|t| format!(": {t}")).unwrap_or_default())]
    Refused {
        /// The refused request, for example `connection refused` or `publish refused`.
        what: String,
        /// The kind of request, for programs.
        denial: Denial,
        /// The Reason Code, with 3.1.1 return codes already mapped to it.
        reason: ReasonCode,
        /// The broker's Reason String, shortened and with our secrets masked.
        text: Option<String>,
        /// What to try.
        hint: Option<String>,
    },
    /// The broker redirects its clients to another one ([MQTT-4.11]).
    #[error("{refusal}")]
    Elsewhere {
        /// The refusal with the redirect.
        refusal: Box<Error>,
        /// The Server Reference as the broker sent it.
        server_reference: String,
        /// Whether the redirect is permanent.
        is_permanent: bool,
    },
    /// The broker violated the standard.
    #[error("protocol error: {0}")]
    Protocol(#[from] crate::protocol::wire::Malformed),
    /// A timeout set by the user expired.
    #[error("timed out {when}")]
    TimedOut {
        /// The timeout, and what was waited for.
        when: String,
        /// What to try.
        hint: Option<String>,
    },
    /// A file, standard input or standard output could not be used.
    #[error("{what}: {source}")]
    File {
        /// The operation and the file.
        what: String,
        /// The system's reason.
        source: std::io::Error,
        /// What to try.
        hint: Option<String>,
    },
    /// A part of the input is not a message.
    #[error("{0}")]
    Input(String),
    /// The reader of standard output closed it. Not a failure: the work is done.
    #[error("standard output was closed")]
    OutputClosed,
    /// A signal asked the program to end.
    #[error("interrupted")]
    Signal(i32),
    /// The command completed with a negative result.
    #[error("{0}")]
    Negative(String),
}

impl From<NoThread> for Error {
    fn from(NoThread(source): NoThread) -> Self {
        Self::file("cannot start a thread", source).with_hint(thread::LIMIT)
    }
}

impl Error {
    /// A usage error without a hint.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: None, about: Vec::new() }
    }

    /// Adds the identifiers of the options that a usage error is about.
    #[must_use]
    pub fn about<I: Into<String>>(mut self, options: impl IntoIterator<Item = I>) -> Self {
        if let Self::Usage { about, .. } = &mut self {
            *about = options.into_iter().map(Into::into).collect();
        }
        self
    }

    /// The identifiers of the options that a usage error is about, if it names them.
    #[must_use]
    pub fn options(&self) -> &[String] {
        match self {
            Self::Usage { about, .. } => about,
            _ => &[],
        }
    }

    /// Adds a hint to a usage error, if there is one.
    #[must_use]
    pub fn hinted(self, hint: Option<String>) -> Self {
        match hint {
            Some(hint) => self.with_hint(hint),
            None => self,
        }
    }

    /// A failed layer that can be retried later.
    pub fn link(layer: Layer, cause: impl Into<String>) -> Self {
        Self::Link { layer, cause: cause.into(), hint: None, retry: Retry::Later, sign: Sign::None }
    }

    /// A failed layer that would fail again in the same way.
    pub fn fatal(layer: Layer, cause: impl Into<String>) -> Self {
        Self::Link { layer, cause: cause.into(), hint: None, retry: Retry::Never, sign: Sign::None }
    }

    /// A failed layer whose failure is final if it occurs twice in a row.
    pub fn doubtful(layer: Layer, cause: impl Into<String>) -> Self {
        Self::Link { layer, cause: cause.into(), hint: None, retry: Retry::Once, sign: Sign::None }
    }

    /// A request that the broker answered with a failing Reason Code, and the broker's Reason String.
    pub fn refused(what: impl Into<String>, reason: ReasonCode, properties: &Properties<'_>) -> Self {
        Self::Refused {
            what: what.into(),
            denial: Denial::default(),
            reason,
            text: properties.text(PropertyId::ReasonString).map(|text| cut(&masked(text)).into_owned()),
            hint: reason.advice().map(Into::into),
        }
    }

    /// An expired timeout; `when` names it.
    pub fn timed_out(when: impl Into<String>) -> Self {
        Self::TimedOut { when: when.into(), hint: None }
    }

    /// A failed file operation; `what` names the operation and the file. A wait for a file that was given up
    /// becomes the error that ends the run.
    pub fn file(what: impl Into<String>, source: std::io::Error) -> Self {
        match GaveUp::of(&source) {
            None => Self::File { what: what.into(), source, hint: None },
            Some(GaveUp::OutputClosed) => Self::OutputClosed,
            Some(GaveUp::Interrupted(number)) => Self::Signal(*number),
            Some(late @ GaveUp::Late { .. }) => Self::timed_out(late.to_string()),
        }
    }

    /// Adds a hint; errors that cannot have one are unchanged.
    #[must_use]
    pub fn with_hint(mut self, text: impl Into<String>) -> Self {
        match &mut self {
            Self::Usage { hint, .. }
            | Self::Program { hint, .. }
            | Self::Link { hint, .. }
            | Self::Refused { hint, .. }
            | Self::TimedOut { hint, .. }
            | Self::File { hint, .. } => *hint = Some(text.into()),
            Self::Elsewhere { refusal, .. } => {
                **refusal = std::mem::replace(&mut **refusal, Self::OutputClosed).with_hint(text);
            }
            _ => {}
        }
        self
    }

    /// Adds to the message where its cause is set.
    #[must_use]
    pub fn with_place(mut self, place: &str) -> Self {
        if let Self::Usage { message: text, .. }
        | Self::Program { message: text, .. }
        | Self::Link { cause: text, .. }
        | Self::TimedOut { when: text, .. }
        | Self::File { what: text, .. }
        | Self::Input(text) = &mut self
        {
            text.push(' ');
            text.push_str(place);
        }
        self
    }

    /// Sets the kind of a refused request.
    #[must_use]
    pub fn of(mut self, of: Denial) -> Self {
        match &mut self {
            Self::Refused { denial, .. } => *denial = of,
            Self::Elsewhere { refusal, .. } => {
                **refusal = std::mem::replace(&mut **refusal, Self::OutputClosed).of(of);
            }
            _ => {}
        }
        self
    }

    /// Makes a redirect permanent, so that no further attempt is made.
    #[must_use]
    pub fn for_good(mut self) -> Self {
        if let Self::Elsewhere { is_permanent, .. } = &mut self {
            *is_permanent = true;
        }
        self
    }

    /// Adds a machine-readable detail about the cause to a failed layer.
    #[must_use]
    pub fn signed(mut self, of: Sign) -> Self {
        if let Self::Link { sign, .. } = &mut self {
            *sign = of;
        }
        self
    }

    /// Whether the broker closed the connection before sending a byte, which may have many reasons.
    #[must_use]
    pub fn is_hang_up(&self) -> bool {
        matches!(self, Self::Link { sign: Sign::HungUp, .. })
    }

    /// Whether no connection to the broker, or to its proxy, was made.
    #[must_use]
    pub fn is_unreached(&self) -> bool {
        matches!(self, Self::Link { layer: Layer::Resolve | Layer::Connect, .. })
    }

    /// Whether an open connection ended without a reason.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Link { sign: Sign::Closed, .. })
    }

    /// Advice for the user, if there is any.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Usage { hint, .. }
            | Self::Program { hint, .. }
            | Self::Link { hint, .. }
            | Self::Refused { hint, .. }
            | Self::TimedOut { hint, .. }
            | Self::File { hint, .. } => hint.as_deref(),
            Self::Elsewhere { refusal, .. } => refusal.hint(),
            _ => None,
        }
    }

    /// The key of a broker whose certificate is refused.
    #[must_use]
    pub fn untrusted_key(&self) -> Option<KeyDigest> {
        match self {
            Self::Link { sign: Sign::Untrusted(key), .. } => Some(*key),
            _ => None,
        }
    }

    /// The hint, and how to accept a broker whose certificate is refused. `accepting` makes a command line
    /// with a pin.
    #[must_use]
    pub fn advice(&self, accepting: impl FnOnce(&str) -> Option<String>) -> Option<String> {
        let key = self.untrusted_key().map(|key| key.to_string());
        let pinned = key.map(|key| match accepting(&key) {
            Some(line) => {
                format!("if this is the right broker, this line accepts its key and no other: {line}")
            }
            None => format!(
                "if this is the right broker, --insecure --tls-pin {key} accepts its key and no other"
            ),
        });
        let all: Vec<String> = self.hint().map(str::to_owned).into_iter().chain(pinned).collect();
        (!all.is_empty()).then(|| all.join("; "))
    }

    /// The invalid line of a program, and the column in it, in characters from 1.
    #[must_use]
    pub fn place(&self) -> Option<(&str, usize)> {
        match self {
            Self::Program { line, column, .. } => Some((line, *column)),
            _ => None,
        }
    }

    /// Whether the broker refused our identity, or the rights of our credentials.
    #[must_use]
    pub fn is_about_credentials(&self) -> bool {
        matches!(self, Self::Refused { reason, .. } if reason.is_about_credentials())
    }

    /// Whether the broker does not support the version of CONNECT.
    #[must_use]
    pub fn is_about_version(&self) -> bool {
        match self {
            Self::Refused { reason, .. } => *reason == ReasonCode::UNSUPPORTED_PROTOCOL_VERSION,
            Self::Link { sign, .. } => *sign == Sign::OldVersion,
            _ => false,
        }
    }

    /// Whether a retry can succeed.
    #[must_use]
    pub fn retry(&self) -> Retry {
        match self {
            Self::Link { retry, .. } => *retry,
            Self::Refused { reason, .. } => reason.retry(),
            Self::Elsewhere { is_permanent: false, .. } => Retry::Later,
            Self::Protocol(_) => Retry::Once,
            _ => Retry::Never,
        }
    }

    /// The exit status this error ends the program with.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Self::Usage { .. } | Self::Program { .. } => Exit::Usage,
            Self::Link { .. } | Self::Protocol(_) | Self::File { .. } | Self::Input(_) => Exit::Failure,
            // An undefined number could have another meaning in a shell, for example a signal.
            Self::Refused { reason, .. } if reason.name().is_none() => Exit::Failure,
            Self::Refused { reason, .. } => Exit::Reason(reason.0),
            Self::Elsewhere { refusal, .. } => refusal.exit(),
            Self::TimedOut { .. } => Exit::TimedOut,
            Self::OutputClosed => Exit::Success,
            Self::Signal(number) => Exit::Signal(*number),
            Self::Negative(_) => Exit::Negative,
        }
    }
}
