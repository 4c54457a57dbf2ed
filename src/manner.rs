//! The manner of a run: this program's own, or that of mosquitto's clients, by whose names it may be called.
//! It decides the text of an error on standard error and the exit status; the work is the same.
//!
//! | end of the run | status | as in mosquitto |
//! |---|---|---|
//! | invalid usage, an unusable file, no connection to the broker (name, TCP, proxy, TLS) | 1 | yes |
//! | the broker refused the connection | its code: 1 to 5 in MQTT 3.x, 128 and above in MQTT 5 | yes |
//! | the broker ended the connection with DISCONNECT | 4 | yes; `mosquitto_rr` has 0 |
//! | the connection was lost | 7 | yes |
//! | the broker does not answer | 19 | yes, for CONNECT; otherwise mosquitto waits without end |
//! | a proxy denies the connection, cannot make it, or fails | 11, 4, 16 | yes |
//! | the broker violated the standard | 2 | yes |
//! | the timeout of `-W` | 27 | yes; before CONNACK mosquitto has 255 |
//! | SIGINT or SIGTERM ends `mosquitto_sub` | 0; 255 before the first CONNACK | yes |
//! | another signal, or another program | the signal | yes |
//! | every filter, some filters or a message refused | 0 | yes |
//! | messages may be lost | 1 | no: mosquitto prints nothing and has 0 |

use crate::error::{Denial, Error, Layer, Sign};
use crate::exit::Exit;
use crate::protocol::Protocol;
use crate::protocol::reason::ReasonCode;

/// The manner of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Manner {
    /// This program's.
    #[default]
    Own,
    /// That of mosquitto's clients.
    Mosquitto(Mosquitto),
}

/// A mosquitto client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// `mosquitto_pub`.
    Publish,
    /// `mosquitto_sub`.
    Subscribe,
    /// `mosquitto_rr`.
    Request,
}

/// The manner of mosquitto's clients.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mosquitto {
    /// The client.
    pub program: Program,
    /// The protocol version, on which codes and texts depend.
    pub protocol: Protocol,
    /// Whether nothing is written to standard error.
    pub quiet: bool,
    /// Whether the messages are lines of standard input.
    pub lines: bool,
}

/// The statuses other than 0, 1 and the broker's codes.
const PROTOCOL: u8 = 2;
const NO_CONNECTION: u8 = 4;
const CONNECTION_LOST: u8 = 7;
const AUTHORISATION: u8 = 11;
const PROXY: u8 = 16;
const KEEP_ALIVE: u8 = 19;
const UNCONNECTED: u8 = 255;

impl Manner {
    /// Whether it is that of mosquitto's clients.
    #[must_use]
    pub fn is_mosquitto(self) -> bool {
        matches!(self, Self::Mosquitto(_))
    }

    /// The exit status of a run that ended in this way.
    #[must_use]
    pub fn exit(self, outcome: &Result<Exit, Error>) -> Exit {
        match (self, outcome) {
            (Self::Own, Err(error)) => error.exit(),
            (Self::Mosquitto(manner), Err(error)) => manner.exit(error),
            // The refusal was reported; the status of mosquitto's clients does not show it.
            (Self::Mosquitto(_), Ok(Exit::Reason(_) | Exit::Negative)) => Exit::Success,
            (Self::Mosquitto(_), Ok(Exit::Unconnected)) => Exit::Foreign(UNCONNECTED),
            (_, Ok(exit)) => *exit,
        }
    }
}

impl Mosquitto {
    fn exit(self, error: &Error) -> Exit {
        Exit::Foreign(match error {
            Error::Usage { .. }
            | Error::Program { .. }
            | Error::File { .. }
            | Error::Input(_)
            | Error::Refused { denial: Denial::Message, .. } => return Exit::Failure,
            Error::Link { layer, sign, .. } => match (sign, layer) {
                (Sign::Silent, _) => KEEP_ALIVE,
                (Sign::OldVersion, _) => PROTOCOL,
                (Sign::ProxyFailed, _) => PROXY,
                (Sign::ProxyDenied, _) => AUTHORISATION,
                (Sign::ProxyCannotReach, _) => NO_CONNECTION,
                (_, Layer::Resolve | Layer::Connect | Layer::Proxy | Layer::Tls) => return Exit::Failure,
                (_, Layer::Stream | Layer::WebSocket | Layer::Mqtt) => CONNECTION_LOST,
            },
            Error::Refused { denial: Denial::Connack, reason, .. } => self.code(*reason),
            Error::Refused { denial: Denial::Disconnect, .. } => NO_CONNECTION,
            Error::Refused { denial: Denial::Suback, .. } | Error::Negative(_) | Error::OutputClosed => {
                return Exit::Success;
            }
            Error::Elsewhere { refusal, .. } => return self.exit(refusal),
            Error::Protocol(_) => PROTOCOL,
            Error::TimedOut { .. } => return Exit::TimedOut,
            Error::Signal(number) => return Exit::Signal(*number),
        })
    }

    /// The code of a CONNACK as it was received.
    fn code(self, reason: ReasonCode) -> u8 {
        match self.protocol {
            Protocol::V5 => reason.0,
            Protocol::V3_1 | Protocol::V3_1_1 => reason.to_return_code(),
        }
    }

    /// The text for an error on standard error, without a line feed at its end; none for a closed standard
    /// output and a signal, which the user caused. It begins with mosquitto's text, which scripts look for,
    /// followed by the cause, which mosquitto does not tell. `accepting` makes a command line of `mqtt` with
    /// a pin.
    #[must_use]
    pub fn text(self, error: &Error, accepting: impl FnOnce(&str) -> Option<String>) -> Option<String> {
        Some(match error {
            Error::OutputClosed | Error::Signal(_) => return None,
            Error::TimedOut { .. } => "Timed out".into(),
            Error::Refused { denial: Denial::Connack, reason, text, .. } => {
                let said = text.as_ref().map(|text| format!(" ({text})")).unwrap_or_default();
                let more = if self.program == Program::Publish { self.after_connack() } else { "" };
                format!("Connection error: {}{said}{more}", self.connack(*reason))
            }
            Error::Refused { denial: Denial::Disconnect, .. } => {
                format!("Error: The client is not currently connected\nError: {error}")
            }
            Error::Refused { denial: Denial::Suback, reason, .. } if self.program == Program::Request => {
                format!("{}\nError: {error}", reason.name().unwrap_or("Unknown reason"))
            }
            Error::Refused { denial: Denial::Suback, .. } => {
                format!("All subscription requests were denied.\nError: {error}")
            }
            Error::Elsewhere { refusal, .. } => return self.text(refusal, accepting),
            Error::Link { layer: Layer::Resolve, .. } => {
                format!("Unable to connect (Lookup error).\nError: {error}")
            }
            Error::Link { layer: Layer::Tls, .. } => {
                // The remedy for a certificate is hard to find out otherwise.
                let hint = error
                    .advice(accepting)
                    .map(|hint| format!("\nFor mqtt pub, sub and rr: {hint}"))
                    .unwrap_or_default();
                format!("Unable to connect (A TLS error occurred).\nError: {error}{hint}")
            }
            Error::Link { layer, sign, .. } => {
                let named = match (sign, layer) {
                    (Sign::Silent, _) => "Error: Keepalive exceeded\n",
                    (Sign::OldVersion, _) => {
                        "Error: A network protocol error occurred when communicating with the broker.\n"
                    }
                    (Sign::ProxyFailed, _) => "Error: Proxy error\n",
                    (Sign::ProxyDenied, _) => "Error: Authorisation failed\n",
                    (Sign::ProxyCannotReach, _) => "Error: The client is not currently connected\n",
                    (_, Layer::Stream | Layer::Mqtt) => "Error: The connection was lost\n",
                    _ => "",
                };
                format!("{named}Error: {error}")
            }
            error => format!("Error: {error}"),
        })
    }

    /// The text for a message that is not delivered; mosquitto numbers messages by packet identifier.
    #[must_use]
    pub fn undelivered(self, number: u64, error: &Error) -> String {
        let Error::Refused { reason, text, .. } = error else {
            return format!("Warning: Publish {number} failed: {error}.");
        };
        let said = text.as_ref().map(|text| format!("\n{text}")).unwrap_or_default();
        format!("Warning: Publish {number} failed: {}.{said}", reason.name().unwrap_or("Unknown reason"))
    }

    /// What `mosquitto_pub` adds to a refused connection.
    fn after_connack(self) -> &'static str {
        if self.protocol == Protocol::V5 && !self.lines {
            "\nError: A network protocol error occurred when communicating with the broker"
        } else {
            "\nError: The connection was refused"
        }
    }

    fn connack(self, reason: ReasonCode) -> String {
        if self.protocol == Protocol::V5 {
            let name = reason.name().unwrap_or("Unknown reason");
            let asks_for_other = self.program != Program::Request;
            return if reason == ReasonCode::UNSUPPORTED_PROTOCOL_VERSION && asks_for_other {
                format!("{name}. Try connecting to an MQTT v5 broker, or use MQTT v3.x mode.")
            } else {
                name.into()
            };
        }
        let why = match reason.to_return_code() {
            1 => "unacceptable protocol version",
            2 => "identifier rejected",
            3 => "broker unavailable",
            4 => "bad user name or password",
            5 => "not authorised",
            _ => "unknown reason",
        };
        format!("Connection Refused: {why}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::property::Properties;

    fn code(protocol: Protocol, error: Error) -> u8 {
        Manner::Mosquitto(Mosquitto { program: Program::Subscribe, protocol, quiet: false, lines: false })
            .exit(&Err(error))
            .code()
    }

    #[test]
    fn statuses_are_those_of_mosquittos_clients() {
        let refused = |denial, reason| {
            Error::refused("connection refused", ReasonCode(reason), &Properties::NONE).of(denial)
        };
        for (protocol, error, status) in [
            (Protocol::V3_1_1, refused(Denial::Connack, 135), 5),
            (Protocol::V3_1, refused(Denial::Connack, 132), 1),
            (Protocol::V5, refused(Denial::Connack, 135), 135),
            (Protocol::V5, refused(Denial::Disconnect, 139), 4),
            (Protocol::V5, refused(Denial::Suback, 135), 0),
            (Protocol::V5, Error::link(Layer::Mqtt, "closed"), 7),
            (Protocol::V5, Error::link(Layer::Stream, "reset"), 7),
            (Protocol::V5, Error::link(Layer::Mqtt, "no answer").signed(Sign::Silent), 19),
            (Protocol::V5, Error::fatal(Layer::Mqtt, "old").signed(Sign::OldVersion), 2),
            (Protocol::V5, Error::link(Layer::Proxy, "no way").signed(Sign::ProxyDenied), 11),
            (Protocol::V5, Error::link(Layer::Proxy, "no way").signed(Sign::ProxyCannotReach), 4),
            (Protocol::V5, Error::link(Layer::Proxy, "no way").signed(Sign::ProxyFailed), 16),
            (Protocol::V5, Error::link(Layer::Proxy, "refused"), 1),
            (Protocol::V5, Error::link(Layer::Connect, "refused"), 1),
            (Protocol::V5, Error::timed_out("after 1s"), 27),
            (Protocol::V5, Error::usage("x"), 1),
            (Protocol::V5, Error::OutputClosed, 0),
        ] {
            let shown = error.to_string();
            assert_eq!(code(protocol, error), status, "{shown}");
        }
        let manner = Manner::Mosquitto(Mosquitto {
            program: Program::Subscribe,
            protocol: Protocol::V5,
            quiet: false,
            lines: false,
        });
        assert_eq!(manner.exit(&Ok(Exit::Reason(135))), Exit::Success);
        assert_eq!(manner.exit(&Ok(Exit::Unconnected)).code(), 255);
        assert_eq!(Manner::Own.exit(&Ok(Exit::Unconnected)).code(), 0);
        assert_eq!(Manner::Own.exit(&Ok(Exit::Reason(135))), Exit::Reason(135));
    }

    #[test]
    fn refused_connections_have_mosquittos_texts() {
        for (protocol, reason, words) in [
            (Protocol::V3_1_1, 135, "Connection error: Connection Refused: not authorised"),
            (Protocol::V5, 135, "Connection error: Not authorized"),
        ] {
            let error = Error::refused("x", ReasonCode(reason), &Properties::NONE).of(Denial::Connack);
            assert_eq!(
                Mosquitto { program: Program::Subscribe, protocol, quiet: false, lines: false }
                    .text(&error, |_| None)
                    .as_deref(),
                Some(words)
            );
        }
    }
}
