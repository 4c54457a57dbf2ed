//! The cases, as data: how the connection ends, with which will, and what the watcher must receive.

use std::time::Duration;

use crate::protocol::property::{PropertyId, Value};
use crate::protocol::reason::ReasonCode;
use crate::protocol::{Protocol, QoS};

/// How a publisher's connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Death {
    /// TCP close (FIN) without DISCONNECT.
    Close,
    /// TCP reset (RST).
    Reset,
    /// The socket stays open, and nothing more is sent.
    Silence,
    /// Like silence, and TCP acknowledges nothing that the broker sends.
    BlackHole,
    /// Another connection with the same client identifier.
    TakeOver,
    /// DISCONNECT with this Reason Code.
    Disconnect(ReasonCode),
    /// A second CONNECT.
    SecondConnect,
    /// An invalid packet.
    Malformed,
}

impl Death {
    /// The client's action, for `-d`.
    pub(super) fn deed(self) -> &'static str {
        match self {
            Self::Close => "closes the connection without DISCONNECT (FIN)",
            Self::Reset => "resets the connection (RST)",
            Self::Silence => "falls silent",
            Self::BlackHole => "blocks its connection: nothing arrives any more, not even for TCP",
            Self::TakeOver => "loses its session to another client with its identifier",
            Self::Disconnect(_) => "disconnects",
            Self::SecondConnect => "sends a second CONNECT",
            Self::Malformed => "sends a PUBLISH with QoS 3",
        }
    }
}

/// Whether the will must be published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// Once, this long after the connection ended.
    After(Duration),
    /// Once, this long after the connection ended, and the broker has to detect by itself that the client is
    /// gone. Brokers check for silent clients only now and then, and the standard does not define how often.
    Noticed(Duration),
    /// Never; watched for this time and the tolerance.
    Never(Duration),
}

/// A reconnect of the publisher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Return {
    pub(super) after: Duration,
    pub(super) clean_start: bool,
}

/// What a later subscriber receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Later {
    /// Not checked.
    Any,
    /// The will, retained.
    Kept,
    /// Nothing, after this pause.
    Nothing(Duration),
}

/// The payload of a will.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum WillPayload {
    Text(&'static str),
    /// This number of bytes, each different from its neighbours.
    Bytes(usize),
}

impl WillPayload {
    pub(super) fn bytes(self) -> Vec<u8> {
        match self {
            Self::Text(text) => text.into(),
            Self::Bytes(count) => (0..count).map(|index| (index % 251).to_le_bytes()[0]).collect(),
        }
    }
}

/// One case.
#[derive(Debug, Clone, Copy)]
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) about: &'static str,
    /// The sections of the standards: MQTT 3.1.1, and MQTT 5.
    sections: [&'static str; 2],
    pub(super) v5_only: bool,
    /// Whether it is a corner case in which widely used brokers deviate from the standard (mosquitto 2.0 in
    /// each of them): run only on request.
    pub(super) strict: bool,
    pub(super) qos: QoS,
    pub(super) retain: bool,
    pub(super) payload: WillPayload,
    /// The end of the topic name.
    pub(super) topic: &'static str,
    pub(super) properties: &'static [(PropertyId, Value<'static>)],
    /// Session expiry in seconds; kept sessions are ended afterwards.
    pub(super) session_expiry: Option<u32>,
    /// Keep Alive in seconds.
    pub(super) keep_alive: u16,
    pub(super) death: Death,
    pub(super) returns: Option<Return>,
    pub(super) expected: Expected,
    pub(super) later: Later,
}

impl Case {
    /// The section of the standard; that of MQTT 5 if there is no other.
    pub(super) fn section(&self, protocol: Protocol) -> &'static str {
        self.sections[usize::from(protocol == Protocol::V5 || self.v5_only)]
    }

    pub(super) fn applies_to(&self, protocol: Protocol) -> bool {
        protocol == Protocol::V5 || !self.v5_only
    }
}

const fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const AT_ONCE: Expected = Expected::After(Duration::ZERO);

/// Keep Alive of the silent cases in seconds, and when a broker must have detected the silence: after one and
/// a half times that ([MQTT-3.1.2-22] in MQTT 5, [MQTT-3.1.2-24] in 3.1.1).
const KEEP_ALIVE: u16 = 2;
const SILENCE_NOTICED: Expected = Expected::Noticed(seconds(3));

/// A typical will, whose publisher closes its connection without DISCONNECT.
const USUAL: Case = Case {
    name: "",
    about: "",
    sections: ["[MQTT-3.1.2-8]", "[MQTT-3.1.2-8]"],
    v5_only: false,
    strict: false,
    qos: QoS::AtLeastOnce,
    retain: false,
    payload: WillPayload::Text("gone"),
    topic: "will",
    properties: &[],
    session_expiry: None,
    keep_alive: 60,
    death: Death::Close,
    returns: None,
    expected: AT_ONCE,
    later: Later::Any,
};

const V5: Case = Case { v5_only: true, ..USUAL };

/// Every case, in the order of running and reporting.
pub(super) const CASES: &[Case] = &[
    Case { name: "close", about: "the connection is closed (FIN) without DISCONNECT", ..USUAL },
    Case { name: "reset", about: "the connection is reset (RST)", death: Death::Reset, ..USUAL },
    Case {
        name: "keep-alive",
        about: "the client falls silent; due at 1.5 times its Keep Alive",
        sections: ["[MQTT-3.1.2-24]", "[MQTT-3.1.2-22]"],
        keep_alive: KEEP_ALIVE,
        death: Death::Silence,
        expected: SILENCE_NOTICED,
        ..USUAL
    },
    Case {
        name: "black-hole",
        about: "the network is cut in both directions; due at 1.5 times the Keep Alive",
        sections: ["[MQTT-3.1.2-24]", "[MQTT-3.1.2-22]"],
        keep_alive: KEEP_ALIVE,
        death: Death::BlackHole,
        expected: SILENCE_NOTICED,
        ..USUAL
    },
    Case {
        name: "take-over",
        about: "another connection with the same client identifier",
        sections: ["[MQTT-3.1.4-2], [MQTT-3.1.2-8]", "[MQTT-3.1.4-3]"],
        death: Death::TakeOver,
        ..USUAL
    },
    Case {
        name: "disconnect",
        about: "DISCONNECT: the will must not come",
        sections: ["[MQTT-3.1.2-10]", "[MQTT-3.1.2-10], [MQTT-3.14.4-3]"],
        death: Death::Disconnect(ReasonCode::SUCCESS),
        expected: Expected::Never(seconds(1)),
        ..USUAL
    },
    Case {
        name: "disconnect-with-will",
        about: "DISCONNECT 0x04: the will must come",
        sections: ["", "3.14.2.1"],
        death: Death::Disconnect(ReasonCode::DISCONNECT_WITH_WILL),
        ..V5
    },
    Case {
        name: "second-connect",
        strict: true,
        about: "a second CONNECT, which is a protocol error",
        sections: ["[MQTT-3.1.0-2]", "[MQTT-3.1.0-2]"],
        death: Death::SecondConnect,
        ..USUAL
    },
    Case {
        name: "malformed",
        about: "a malformed packet (QoS 3)",
        sections: ["[MQTT-3.3.1-4], [MQTT-4.8.0-1]", "[MQTT-3.3.1-4], [MQTT-4.13.1-1]"],
        death: Death::Malformed,
        ..USUAL
    },
    Case {
        name: "qos-0",
        about: "a will with QoS 0",
        sections: ["3.1.2.6", "3.1.2.6"],
        qos: QoS::AtMostOnce,
        ..USUAL
    },
    Case { name: "qos-1", about: "a will with QoS 1", sections: ["3.1.2.6", "3.1.2.6"], ..USUAL },
    Case {
        name: "qos-2",
        about: "a will with QoS 2",
        sections: ["3.1.2.6", "3.1.2.6"],
        qos: QoS::ExactlyOnce,
        ..USUAL
    },
    Case {
        name: "retained",
        about: "a retained will is kept, and a later subscriber gets it",
        sections: ["[MQTT-3.1.2-17]", "[MQTT-3.1.2-15]"],
        retain: true,
        later: Later::Kept,
        ..USUAL
    },
    Case {
        name: "not-retained",
        about: "a will that is not retained is not kept",
        sections: ["[MQTT-3.1.2-16]", "[MQTT-3.1.2-14]"],
        later: Later::Nothing(Duration::ZERO),
        ..USUAL
    },
    Case {
        name: "empty-payload",
        about: "a will without payload",
        sections: ["3.1.3.3", "3.1.3.4"],
        payload: WillPayload::Text(""),
        ..USUAL
    },
    Case {
        name: "large",
        about: "a will of 60,000 bytes",
        sections: ["3.1.3.3", "3.1.3.4"],
        payload: WillPayload::Bytes(60_000),
        ..USUAL
    },
    Case {
        name: "odd-topic",
        about: "a topic with a space, other scripts, $ and empty levels",
        sections: ["[MQTT-4.7.3-4], 4.7.3", "[MQTT-4.7.3-4], 4.7.3"],
        topic: " /Ünïcode 温度/$dollar//'\"\\/",
        ..USUAL
    },
    Case {
        name: "delay",
        about: "Will Delay Interval",
        sections: ["", "[MQTT-3.1.2-8], 3.1.3.2.2"],
        properties: &[(PropertyId::WillDelayInterval, Value::Number(3))],
        session_expiry: Some(30),
        expected: Expected::After(seconds(3)),
        ..V5
    },
    Case {
        name: "delay-session-end",
        about: "the session ends before the delay is over",
        sections: ["", "[MQTT-3.1.2-8], 3.1.3.2.2"],
        properties: &[(PropertyId::WillDelayInterval, Value::Number(60))],
        session_expiry: Some(3),
        expected: Expected::After(seconds(3)),
        ..V5
    },
    Case {
        name: "delay-no-session",
        strict: true,
        about: "a delay, but the session ends with the connection",
        sections: ["", "[MQTT-3.1.2-8], 3.1.3.2.2"],
        properties: &[(PropertyId::WillDelayInterval, Value::Number(60))],
        ..V5
    },
    Case {
        name: "delay-reconnect",
        about: "the client reconnects before the delay is over: the will must not come",
        sections: ["", "[MQTT-3.1.3-9]"],
        properties: &[(PropertyId::WillDelayInterval, Value::Number(3))],
        session_expiry: Some(30),
        returns: Some(Return { after: seconds(1), clean_start: false }),
        expected: Expected::Never(seconds(4)),
        ..V5
    },
    Case {
        name: "delay-clean-start",
        strict: true,
        about: "the client reconnects with Clean Start, which ends the old session",
        sections: ["", "[MQTT-3.1.2-8], 3.1.3.2.2"],
        properties: &[(PropertyId::WillDelayInterval, Value::Number(60))],
        session_expiry: Some(30),
        returns: Some(Return { after: seconds(2), clean_start: true }),
        expected: Expected::After(seconds(2)),
        ..V5
    },
    Case {
        name: "session-expiry",
        about: "a session that is kept does not delay a will without delay",
        sections: ["", "[MQTT-3.1.2-8], 3.1.3.2.2"],
        session_expiry: Some(30),
        ..V5
    },
    Case {
        name: "message-expiry",
        about: "Message Expiry Interval is passed on, less the time that has passed",
        sections: ["", "[MQTT-3.3.2-6]"],
        properties: &[(PropertyId::MessageExpiryInterval, Value::Number(60))],
        ..V5
    },
    Case {
        name: "message-expired",
        about: "a retained will is gone when its Message Expiry Interval is over",
        sections: ["", "[MQTT-3.3.2-5], 3.1.3.2.4"],
        retain: true,
        properties: &[(PropertyId::MessageExpiryInterval, Value::Number(1))],
        later: Later::Nothing(seconds(3)),
        ..V5
    },
    Case {
        name: "properties",
        about: "payload format, content type, correlation data and a user property are passed on",
        sections: ["", "[MQTT-3.3.2-4], [MQTT-3.3.2-20], [MQTT-3.3.2-16], [MQTT-3.3.2-17]"],
        properties: &[
            (PropertyId::PayloadFormatIndicator, Value::Number(1)),
            (PropertyId::ContentType, Value::Text("text/plain; charset=utf-8")),
            (PropertyId::CorrelationData, Value::Binary(&[0, 1, 0xFE, 0xFF])),
            (PropertyId::UserProperty, Value::Pair("key", "value")),
        ],
        ..V5
    },
    Case {
        name: "response-topic",
        about: "the Response Topic is passed on",
        sections: ["", "[MQTT-3.3.2-15]"],
        properties: &[(PropertyId::ResponseTopic, Value::Text("answers/will test"))],
        ..V5
    },
    Case {
        name: "user-property-order",
        about: "user properties keep their order and repeats",
        sections: ["", "[MQTT-3.1.3-10], [MQTT-3.3.2-18]"],
        properties: &[
            (PropertyId::UserProperty, Value::Pair("b", "1")),
            (PropertyId::UserProperty, Value::Pair("a", "2")),
            (PropertyId::UserProperty, Value::Pair("b", "3")),
            (PropertyId::UserProperty, Value::Pair("b", "1")),
            (PropertyId::UserProperty, Value::Pair("", "")),
        ],
        ..V5
    },
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::property::{Place, PropertyBlock};
    use crate::protocol::topic;

    #[test]
    fn table_of_cases_is_valid() {
        for (index, case) in CASES.iter().enumerate() {
            let name = case.name;
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'), "{name}");
            assert!(CASES[..index].iter().all(|other| other.name != name), "{name} twice");
            assert!(!case.about.is_empty() && !case.section(Protocol::V5).is_empty(), "{name}");
            assert_eq!(case.sections[0].is_empty(), case.v5_only, "{name}");
            assert!(!case.section(Protocol::V3_1_1).is_empty(), "{name}");
            assert!(topic::check_name(case.topic.as_bytes()).is_ok(), "{name}");
            assert!(case.payload.bytes().len() <= 65_535, "{name}");
            let mut block = PropertyBlock::default();
            case.properties.iter().for_each(|(id, value)| block.push(*id, *value));
            assert!(block.check(Place::Will).is_ok(), "{name}");
            // MQTT 3.1.1 has neither properties nor session expiry.
            assert!(case.v5_only || (case.properties.is_empty() && case.session_expiry.is_none()), "{name}");
        }
    }
}
