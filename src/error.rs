//! Errors: the layer, the cause, and what to try.
//!
//! One type for the whole program, so that one place turns an error into a line of text and an exit code.
//! The text is written where the cause is known; callers add nothing to it.
//!
//! This list has what ends the attempts to connect ([`Retry::Never`]);
//! everything else is tried again, on every way and in every command,
//! because a network, a proxy or a restarting broker can cause it, or somebody in between can forge it:
//!
//! | final | why | made by |
//! |---|---|---|
//! | a usage error; a file that cannot be read; a name, path or header that cannot be sent | the command line stays the same | [`Error::usage`], [`Error::file`], [`Error::fatal`] |
//! | a certificate that we do not trust | a server that is not the right one must not get the password at the second attempt | [`Error::fatal`] in `net::tls` |
//! | credentials refused by a proxy or by MQTT; SCRAM proof wrong | repeated attempts lock accounts | [`Error::fatal`], [`ReasonCode::retry`] |
//! | another refusal by Reason Code that is about this client: identifier, version, ban, session taken over, what it has sent | the client stays the same | [`ReasonCode::retry`] |
//! | a broker that has moved (0x9D), or redirects without end with `--follow-redirect` | only the user can say whether to follow | [`Error::Elsewhere`], `client::run` |
//! | HTTP 401, 403, 404 or 407, or a proxy's ruleset, twice in a row | once, it may come from a gateway that is being set up | [`Error::doubtful`] |
//! | TLS on a port that was to be plain, at the first contact | the command line stays the same | [`Error::fatal`] in `client::connect` |
//! | a packet that breaks the standard, or one of ours that the broker says does, twice in a row | once, it may come from a network that garbles bytes, or from somebody in between | [`Error::Protocol`], [`ReasonCode::retry`] |
//! | a subscription refused at first, or for good later; what may pass (0x80, 0x83, 0x97 …) after it was granted is asked for again | the filter and the client's rights stay the same | `command::resubscribing` |
//! | the same packet ends three links | it would end the next | `client::strikes` |

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::exit::Exit;
use crate::file::GaveUp;
use crate::masking::masked;
use crate::protocol::property::{Properties, PropertyId};
use crate::protocol::reason::ReasonCode;
use crate::quotation::cut;

pub use crate::protocol::reason::Retry;

/// The layer of the way to the broker that failed. Its name opens the message, but for MQTT itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// Name look-up.
    Resolve,
    /// TCP (or Unix socket) connection, while it is made.
    Connect,
    /// The same once it is there.
    Stream,
    /// SOCKS5 or HTTP CONNECT proxy.
    Proxy,
    /// TLS handshake or certificate.
    Tls,
    /// HTTP upgrade to a WebSocket, or a WebSocket frame.
    WebSocket,
    /// The MQTT conversation itself.
    Mqtt,
}

impl Layer {
    /// What stands before a cause. MQTT is what the whole program is about, and goes without saying.
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

/// What a failed layer says about its cause, for programs; most say nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sign {
    /// Nothing of the following.
    #[default]
    None,
    /// The broker ended the connection without a byte on it.
    HungUp,
    /// An open connection ended without a reason.
    Closed,
    /// The broker did not answer in time.
    Silent,
    /// Nothing listens on this port of this machine.
    RefusedHere,
    /// A link-local address was given without a zone.
    NoZone,
    /// A proxy failed, or does not speak its protocol.
    ProxyFailed,
    /// A proxy does not serve this user, or does not allow this connection.
    ProxyDenied,
    /// A proxy cannot reach the broker.
    ProxyCannotReach,
    /// The broker's certificate is refused, and this is its key: the user may know that it is the right one.
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

/// What a broker refuses, and with which packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Denial {
    /// The connection, with CONNACK.
    Connack,
    /// The connection, with DISCONNECT.
    Disconnect,
    /// A subscription, with SUBACK.
    Suback,
    /// A message or anything else; also what is not sent because the broker would refuse it.
    #[default]
    Message,
}

/// Everything that can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The command line, the environment or a profile asks for something impossible.
    #[error("{message}")]
    Usage {
        /// What is wrong, in one line.
        message: String,
        /// What to do instead.
        hint: Option<String>,
        /// The identifiers of the options that break a rule together; empty where only the message tells.
        about: Vec<String>,
    },
    /// A program in an option is invalid.
    #[error("{message}")]
    Program {
        /// What is wrong, in one line.
        message: String,
        /// The line of the program that is wrong.
        line: String,
        /// Where in this line, in characters from 1.
        column: usize,
        /// What to do instead.
        hint: Option<String>,
    },
    /// A layer between here and the broker failed.
    #[error("{}{cause}", .layer.prefix())]
    Link {
        /// Which layer.
        layer: Layer,
        /// The cause, in one line.
        cause: String,
        /// What to try.
        hint: Option<String>,
        /// Whether a new attempt can succeed.
        retry: Retry,
        /// What is known about the cause.
        sign: Sign,
    },
    /// The broker answered a request with a failing Reason Code.
    #[error("{what}: {reason}{}", .text.as_ref().map(|t| format!(": {t}")).unwrap_or_default())]
    Refused {
        /// Which request, for example `connection refused` or `publish refused`.
        what: String,
        /// The same for programs.
        denial: Denial,
        /// The Reason Code, with 3.1.1 return codes already mapped to it.
        reason: ReasonCode,
        /// The broker's Reason String, without our secrets and not too long.
        text: Option<String>,
        /// What to try.
        hint: Option<String>,
    },
    /// The broker sends its clients to another one ([MQTT-4.11]).
    #[error("{refusal}")]
    Elsewhere {
        /// The refusal that says so.
        refusal: Box<Error>,
        /// Where to, in the broker's words.
        server_reference: String,
        /// For good, not only for this time.
        is_permanent: bool,
    },
    /// The broker broke the standard.
    #[error("protocol error: {0}")]
    Protocol(#[from] crate::protocol::wire::Malformed),
    /// A time limit the user set was reached.
    #[error("timed out {when}")]
    TimedOut {
        /// After how long, and what was waited for.
        when: String,
        /// What to try.
        hint: Option<String>,
    },
    /// A file, standard input or standard output could not be used.
    #[error("{what}: {source}")]
    File {
        /// What was being done with which file.
        what: String,
        /// The system's reason.
        source: std::io::Error,
        /// What to try.
        hint: Option<String>,
    },
    /// A part of the input is no message.
    #[error("{0}")]
    Input(String),
    /// Standard output was closed by its reader. Not a failure: the work is over.
    #[error("standard output was closed")]
    OutputClosed,
    /// A signal asked the program to end.
    #[error("interrupted")]
    Signal(i32),
    /// Done, and the answer is no.
    #[error("{0}")]
    Negative(String),
}

impl Error {
    /// A usage error without a hint.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: None, about: Vec::new() }
    }

    /// The same usage error, about the options with these identifiers.
    #[must_use]
    pub fn about<I: Into<String>>(mut self, options: impl IntoIterator<Item = I>) -> Self {
        if let Self::Usage { about, .. } = &mut self {
            *about = options.into_iter().map(Into::into).collect();
        }
        self
    }

    /// The identifiers of the options that a usage error is about, as far as it says so.
    #[must_use]
    pub fn options(&self) -> &[String] {
        match self {
            Self::Usage { about, .. } => about,
            _ => &[],
        }
    }

    /// The same usage error with this hint, if there is one.
    #[must_use]
    pub fn hinted(self, hint: Option<String>) -> Self {
        match hint {
            Some(hint) => self.with_hint(hint),
            None => self,
        }
    }

    /// A failed layer worth another attempt later.
    pub fn link(layer: Layer, cause: impl Into<String>) -> Self {
        Self::Link { layer, cause: cause.into(), hint: None, retry: Retry::Later, sign: Sign::None }
    }

    /// A failed layer that would fail again in the same way.
    pub fn fatal(layer: Layer, cause: impl Into<String>) -> Self {
        Self::Link { layer, cause: cause.into(), hint: None, retry: Retry::Never, sign: Sign::None }
    }

    /// A failed layer, by an answer that counts when it comes twice in a row.
    pub fn doubtful(layer: Layer, cause: impl Into<String>) -> Self {
        Self::Link { layer, cause: cause.into(), hint: None, retry: Retry::Once, sign: Sign::None }
    }

    /// A request that the broker has answered with a failing Reason Code, and what it says beside that.
    pub fn refused(what: impl Into<String>, reason: ReasonCode, properties: &Properties<'_>) -> Self {
        Self::Refused {
            what: what.into(),
            denial: Denial::default(),
            reason,
            text: properties.text(PropertyId::ReasonString).map(|text| cut(&masked(text)).into_owned()),
            hint: reason.advice().map(Into::into),
        }
    }

    /// A time limit that was reached; `when` says after how long.
    pub fn timed_out(when: impl Into<String>) -> Self {
        Self::TimedOut { when: when.into(), hint: None }
    }

    /// A file operation that failed, `what` naming operation and file. A file that was not waited for is
    /// the end of the run that was to come.
    pub fn file(what: impl Into<String>, source: std::io::Error) -> Self {
        match GaveUp::of(&source) {
            None => Self::File { what: what.into(), source, hint: None },
            Some(GaveUp::OutputClosed) => Self::OutputClosed,
            Some(GaveUp::Interrupted(number)) => Self::Signal(*number),
            Some(late @ GaveUp::Late { .. }) => Self::timed_out(late.to_string()),
        }
    }

    /// The same error with advice for the user; errors that carry none are unchanged.
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

    /// The same error, whose message says behind its cause where that is set.
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

    /// The same refusal, of this.
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

    /// The same redirect, at which no further attempt is made.
    #[must_use]
    pub fn for_good(mut self) -> Self {
        if let Self::Elsewhere { is_permanent, .. } = &mut self {
            *is_permanent = true;
        }
        self
    }

    /// The same failed layer, with what is known about the cause.
    #[must_use]
    pub fn signed(mut self, of: Sign) -> Self {
        if let Self::Link { sign, .. } = &mut self {
            *sign = of;
        }
        self
    }

    /// Whether a broker hung up without a word, which may have many reasons.
    #[must_use]
    pub fn is_hang_up(&self) -> bool {
        matches!(self, Self::Link { sign: Sign::HungUp, .. })
    }

    /// Whether no connection to the broker came about, or to what stands in its place.
    #[must_use]
    pub fn is_unreached(&self) -> bool {
        matches!(self, Self::Link { layer: Layer::Resolve | Layer::Connect, .. })
    }

    /// Whether an open connection ended without a reason.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        matches!(self, Self::Link { sign: Sign::Closed, .. })
    }

    /// What the user may try, if anything is known to help.
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

    /// The hint, and how to accept a broker whose certificate is refused. The argument makes a line of a pin.
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

    /// The line of a program that is wrong, and where in it, in characters from 1.
    #[must_use]
    pub fn place(&self) -> Option<(&str, usize)> {
        match self {
            Self::Program { line, column, .. } => Some((line, *column)),
            _ => None,
        }
    }

    /// Whether the broker has refused who we are, or what somebody with our credentials may do.
    #[must_use]
    pub fn is_about_credentials(&self) -> bool {
        matches!(self, Self::Refused { reason, .. } if reason.is_about_credentials())
    }

    /// Whether another attempt can succeed.
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
            // A number the standard does not define could be anything in a shell, a signal for example.
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
