//! What the server allows on a link.

use crate::protocol::QoS;
use crate::protocol::property::{Properties, PropertyId};
use crate::protocol::wire;

/// What the server allows, from its CONNACK; the standard's defaults where it is silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServerLimits {
    /// How many QoS 1 and 2 publishes it takes at once.
    pub receive_maximum: u16,
    /// The highest QoS it takes.
    pub maximum_qos: QoS,
    /// Whether it keeps retained messages.
    pub retain_available: bool,
    /// The largest packet it takes, in bytes.
    pub maximum_packet_bytes: u32,
    /// The highest topic alias it takes.
    pub topic_alias_maximum: u16,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            receive_maximum: u16::MAX,
            maximum_qos: QoS::ExactlyOnce,
            retain_available: true,
            maximum_packet_bytes: wire::LARGEST_PACKET_BYTES,
            topic_alias_maximum: 0,
        }
    }
}

impl ServerLimits {
    /// The limits in the properties of a CONNACK.
    #[must_use]
    pub fn from_connack(properties: &Properties<'_>) -> Self {
        let default = Self::default();
        let two = |id| properties.number(id).and_then(|number| u16::try_from(number).ok());
        Self {
            receive_maximum: two(PropertyId::ReceiveMaximum).unwrap_or(default.receive_maximum),
            maximum_qos: match properties.number(PropertyId::MaximumQos) {
                Some(0) => QoS::AtMostOnce,
                Some(_) => QoS::AtLeastOnce,
                None => QoS::ExactlyOnce,
            },
            retain_available: properties.number(PropertyId::RetainAvailable) != Some(0),
            maximum_packet_bytes: properties
                .number(PropertyId::MaximumPacketSize)
                .unwrap_or(default.maximum_packet_bytes),
            topic_alias_maximum: two(PropertyId::TopicAliasMaximum).unwrap_or(0),
        }
    }
}
