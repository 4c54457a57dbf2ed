//! Reason Codes: the number as received, its name in the standard, and advice for the user.
//!
//! The number stays a raw `u8`: an unknown code of a broker can then still be reported, where an enum could
//! only fail.

/// A Reason Code of MQTT 5 ([MQTT-2.4]). Return codes of MQTT 3.x are mapped to it by
/// [`ReasonCode::from_return_code`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ReasonCode(pub u8);

impl ReasonCode {
    /// Success, or Normal disconnection, or Granted QoS 0.
    pub const SUCCESS: Self = Self(0x00);
    /// Disconnect with Will Message.
    pub const DISCONNECT_WITH_WILL: Self = Self(0x04);
    /// No matching subscribers.
    pub const NO_MATCHING_SUBSCRIBERS: Self = Self(0x10);
    /// No subscription existed.
    pub const NO_SUBSCRIPTION_EXISTED: Self = Self(0x11);
    /// Continue authentication.
    pub const CONTINUE_AUTHENTICATION: Self = Self(0x18);
    /// Re-authenticate.
    pub const RE_AUTHENTICATE: Self = Self(0x19);
    /// Unspecified error.
    pub const UNSPECIFIED: Self = Self(0x80);
    /// Malformed Packet.
    pub const MALFORMED_PACKET: Self = Self(0x81);
    /// Protocol Error.
    pub const PROTOCOL_ERROR: Self = Self(0x82);
    /// Unsupported Protocol Version.
    pub const UNSUPPORTED_PROTOCOL_VERSION: Self = Self(0x84);
    /// Client Identifier not valid.
    pub const CLIENT_IDENTIFIER_NOT_VALID: Self = Self(0x85);
    /// Bad User Name or Password.
    pub const BAD_USER_NAME_OR_PASSWORD: Self = Self(0x86);
    /// Not authorized.
    pub const NOT_AUTHORIZED: Self = Self(0x87);
    /// Server unavailable.
    pub const SERVER_UNAVAILABLE: Self = Self(0x88);
    /// Server shutting down.
    pub const SERVER_SHUTTING_DOWN: Self = Self(0x8B);
    /// Bad authentication method.
    pub const BAD_AUTHENTICATION_METHOD: Self = Self(0x8C);
    /// Keep Alive timeout.
    pub const KEEP_ALIVE_TIMEOUT: Self = Self(0x8D);
    /// Session taken over.
    pub const SESSION_TAKEN_OVER: Self = Self(0x8E);
    /// Topic Filter invalid.
    pub const TOPIC_FILTER_INVALID: Self = Self(0x8F);
    /// Topic Name invalid.
    pub const TOPIC_NAME_INVALID: Self = Self(0x90);
    /// Packet Identifier not found.
    pub const PACKET_IDENTIFIER_NOT_FOUND: Self = Self(0x92);
    /// Receive Maximum exceeded.
    pub const RECEIVE_MAXIMUM_EXCEEDED: Self = Self(0x93);
    /// Topic Alias invalid.
    pub const TOPIC_ALIAS_INVALID: Self = Self(0x94);
    /// Packet too large.
    pub const PACKET_TOO_LARGE: Self = Self(0x95);
    /// Quota exceeded.
    pub const QUOTA_EXCEEDED: Self = Self(0x97);
    /// Payload format invalid.
    pub const PAYLOAD_FORMAT_INVALID: Self = Self(0x99);
    /// Retain not supported.
    pub const RETAIN_NOT_SUPPORTED: Self = Self(0x9A);
    /// `QoS` not supported.
    pub const QOS_NOT_SUPPORTED: Self = Self(0x9B);
    /// Use another server.
    pub const USE_ANOTHER_SERVER: Self = Self(0x9C);
    /// Server moved.
    pub const SERVER_MOVED: Self = Self(0x9D);
    /// Shared Subscriptions not supported.
    pub const SHARED_SUBSCRIPTIONS_NOT_SUPPORTED: Self = Self(0x9E);
    /// Subscription Identifiers not supported.
    pub const SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED: Self = Self(0xA1);
    /// Wildcard Subscriptions not supported.
    pub const WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED: Self = Self(0xA2);

    /// Whether the code reports a failure ([MQTT-2.4]: 0x80 and above).
    #[must_use]
    pub fn is_failure(self) -> bool {
        self.0 >= 0x80
    }

    /// The Reason Code for a CONNACK return code of MQTT 3.x (1–5, section 3.2.2.3 of MQTT 3.1.1); "Unspecified
    /// error" for other values.
    #[must_use]
    pub fn from_return_code(code: u8) -> Self {
        match code {
            0 => Self::SUCCESS,
            1 => Self::UNSUPPORTED_PROTOCOL_VERSION,
            2 => Self::CLIENT_IDENTIFIER_NOT_VALID,
            3 => Self::SERVER_UNAVAILABLE,
            4 => Self::BAD_USER_NAME_OR_PASSWORD,
            5 => Self::NOT_AUTHORIZED,
            _ => Self::UNSPECIFIED,
        }
    }

    /// The nearest CONNACK return code of MQTT 3.x, for a broker that answers a client of that version.
    #[must_use]
    pub fn to_return_code(self) -> u8 {
        match self {
            Self::SUCCESS => 0,
            Self::UNSUPPORTED_PROTOCOL_VERSION => 1,
            Self::CLIENT_IDENTIFIER_NOT_VALID => 2,
            Self::BAD_USER_NAME_OR_PASSWORD => 4,
            Self::NOT_AUTHORIZED => 5,
            _ => 3,
        }
    }

    /// The name in the standard; `None` for a number that the standard does not define.
    #[must_use]
    pub fn name(self) -> Option<&'static str> {
        Some(match self.0 {
            0x00 => "Success",
            0x01 => "Granted QoS 1",
            0x02 => "Granted QoS 2",
            0x04 => "Disconnect with Will Message",
            0x10 => "No matching subscribers",
            0x11 => "No subscription existed",
            0x18 => "Continue authentication",
            0x19 => "Re-authenticate",
            0x80 => "Unspecified error",
            0x81 => "Malformed Packet",
            0x82 => "Protocol Error",
            0x83 => "Implementation specific error",
            0x84 => "Unsupported Protocol Version",
            0x85 => "Client Identifier not valid",
            0x86 => "Bad User Name or Password",
            0x87 => "Not authorized",
            0x88 => "Server unavailable",
            0x89 => "Server busy",
            0x8A => "Banned",
            0x8B => "Server shutting down",
            0x8C => "Bad authentication method",
            0x8D => "Keep Alive timeout",
            0x8E => "Session taken over",
            0x8F => "Topic Filter invalid",
            0x90 => "Topic Name invalid",
            0x91 => "Packet Identifier in use",
            0x92 => "Packet Identifier not found",
            0x93 => "Receive Maximum exceeded",
            0x94 => "Topic Alias invalid",
            0x95 => "Packet too large",
            0x96 => "Message rate too high",
            0x97 => "Quota exceeded",
            0x98 => "Administrative action",
            0x99 => "Payload format invalid",
            0x9A => "Retain not supported",
            0x9B => "QoS not supported",
            0x9C => "Use another server",
            0x9D => "Server moved",
            0x9E => "Shared Subscriptions not supported",
            0x9F => "Connection rate exceeded",
            0xA0 => "Maximum connect time",
            0xA1 => "Subscription Identifiers not supported",
            0xA2 => "Wildcard Subscriptions not supported",
            _ => return None,
        })
    }

    /// Advice for the user; `None` if there is no general advice.
    #[must_use]
    pub fn advice(self) -> Option<&'static str> {
        Some(match self.0 {
            0x85 => "give another client identifier with -i, or none",
            0x86 => "check the user name (-u) and the password (-P)",
            0x87 => "these credentials (-u, -P) are not allowed to do this",
            0x8C => {
                "the broker wants another authentication method, or one where none was given: --auth-method names it"
            }
            0x8E => "another client connected with the same client identifier (-i)",
            0x93 => "send fewer messages at once: -M",
            0x95 => "only smaller packets are accepted",
            0x97 => "the broker's limit for this client is used up",
            0x9A => "the broker does not support retained messages: leave out -r",
            0x9B => "ask for a lower QoS with -q",
            0x9E => "the broker does not support shared subscriptions: leave out $share/GROUP/",
            0xA1 => "the broker does not support subscription identifiers: leave them out",
            0xA2 => "the broker does not support wildcards: subscribe to each topic by its name",
            0x9C | 0x9D => "the broker asks clients to connect to another one",
            _ => return None,
        })
    }

    /// Whether the code refuses the client's identity or the rights of its credentials.
    #[must_use]
    pub fn is_about_credentials(self) -> bool {
        matches!(self.0, 0x86 | 0x87 | 0x8C)
    }

    /// Whether a retry can succeed. Refused credentials, identities and bans are final. A packet that the
    /// broker treats as a protocol error may have been garbled. A busy, restarting or full broker may
    /// recover, and a redirect to another broker may be temporary, as in clusters behind a load balancer.
    #[must_use]
    pub fn retry(self) -> Retry {
        match self.0 {
            0x80 | 0x83 | 0x88 | 0x89 | 0x8B | 0x8D | 0x96 | 0x97 | 0x98 | 0x9C | 0x9F | 0xA0 => Retry::Later,
            0x81 | 0x82 => Retry::Once,
            _ => Retry::Never,
        }
    }
}

/// Whether a retry can succeed. It decides between reconnecting and giving up. A first connection without
/// `--wait-for-server` is not retried, whatever the cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// A network or broker condition that may pass.
    Later,
    /// A response that may be temporary: the second one in a row is final.
    Once,
    /// A retry would fail in the same way.
    Never,
}

impl Retry {
    /// Whether no further attempt is made. `is_second`: the attempt before also ended with [`Retry::Once`].
    #[must_use]
    pub fn is_final(self, is_second: bool) -> bool {
        match self {
            Self::Later => false,
            Self::Once => is_second,
            Self::Never => true,
        }
    }
}

impl std::fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.name() {
            Some(name) => write!(f, "{name} (0x{:02X})", self.0),
            None => write!(f, "unknown Reason Code 0x{:02X}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn return_codes_map_to_the_exit_codes_of_the_design() {
        let mapped: Vec<u8> = (1..=5).map(|code| ReasonCode::from_return_code(code).0).collect();
        assert_eq!(mapped, [132, 133, 136, 134, 135]);
        for code in 0..=5 {
            assert_eq!(ReasonCode::from_return_code(code).to_return_code(), code);
        }
        assert_eq!(ReasonCode::from_return_code(77), ReasonCode::UNSPECIFIED);
    }

    #[test]
    fn unknown_numbers_are_named_as_such() {
        assert_eq!(ReasonCode(0x87).to_string(), "Not authorized (0x87)");
        assert_eq!(ReasonCode(0xEE).to_string(), "unknown Reason Code 0xEE");
        assert!(ReasonCode(0xEE).is_failure());
        assert!(!ReasonCode(0x11).is_failure());
    }
}
