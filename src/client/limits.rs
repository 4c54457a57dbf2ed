//! The limits that the broker sets for a connection.

use crate::error::{Denial, Error};
use crate::protocol::property::{Properties, PropertyId};
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{self, PublishTemplate, Subscription, TopicAlias};
use crate::protocol::{QoS, topic};

/// The broker's limits from its CONNACK; the standard's defaults where CONNACK has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools, reason = "each is a property of its own")]
pub struct ServerLimits {
    /// Maximum number of QoS 1 and 2 publishes in flight.
    pub receive_maximum: u16,
    /// The highest QoS supported.
    pub maximum_qos: QoS,
    /// Whether retained messages are supported.
    pub retain_available: bool,
    /// The largest packet accepted, in bytes.
    pub maximum_packet_bytes: u32,
    /// The highest topic alias accepted.
    pub topic_alias_maximum: u16,
    /// Whether filters with `+` or `#` are supported.
    pub wildcard_subscriptions: bool,
    /// Whether `$share/GROUP/FILTER` is supported.
    pub shared_subscriptions: bool,
    /// Whether subscription identifiers are supported.
    pub subscription_identifiers: bool,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self {
            receive_maximum: u16::MAX,
            maximum_qos: QoS::ExactlyOnce,
            retain_available: true,
            maximum_packet_bytes: wire::LARGEST_PACKET_BYTES,
            topic_alias_maximum: 0,
            wildcard_subscriptions: true,
            shared_subscriptions: true,
            subscription_identifiers: true,
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
            wildcard_subscriptions: properties.number(PropertyId::WildcardSubscriptionAvailable) != Some(0),
            shared_subscriptions: properties.number(PropertyId::SharedSubscriptionAvailable) != Some(0),
            subscription_identifiers: properties.number(PropertyId::SubscriptionIdentifierAvailable)
                != Some(0),
        }
    }

    /// Checks a message against the limits.
    ///
    /// # Errors
    /// The limit that a message in a packet of this size violates: the standard's Reason Code for it, and a
    /// description.
    #[inline]
    pub(super) fn check_publish(
        &self,
        template: &PublishTemplate,
        packet_bytes: usize,
    ) -> Result<(), (ReasonCode, String)> {
        if template.qos() > self.maximum_qos {
            return Err(qos_too_high(self.maximum_qos)); // [MQTT-3.2.2-11]
        }
        if template.retain() && !self.retain_available {
            return Err(no_retain()); // [MQTT-3.2.2-14]
        }
        self.check_size(packet_bytes)
    }

    /// Checks the topic alias that the user chose ([MQTT-3.3.2-9]).
    pub(super) fn check_topic_alias(&self, template: &PublishTemplate) -> Result<(), (ReasonCode, String)> {
        match template.topic_alias() {
            TopicAlias::Fixed(alias) if alias > self.topic_alias_maximum => {
                let maximum = self.topic_alias_maximum;
                let text = format!("alias {alias} is above the broker's Topic Alias Maximum of {maximum}");
                Err((ReasonCode::TOPIC_ALIAS_INVALID, text))
            }
            _ => Ok(()),
        }
    }

    /// Checks the packet size ([MQTT-3.2.2-15]).
    #[inline]
    pub(super) fn check_size(&self, bytes: usize) -> Result<(), (ReasonCode, String)> {
        if bytes <= self.maximum_packet_bytes as usize {
            return Ok(());
        }
        let limit = self.maximum_packet_bytes;
        Err((ReasonCode::PACKET_TOO_LARGE, too_large(bytes, limit)))
    }

    /// Why the broker would refuse a subscription, by its CONNACK.
    pub(super) fn refusal(&self, subscription: &Subscription<'_>, identified: bool) -> Option<ReasonCode> {
        let shared = topic::shared(subscription.filter).is_some();
        if shared && !self.shared_subscriptions {
            Some(ReasonCode::SHARED_SUBSCRIPTIONS_NOT_SUPPORTED) // [MQTT-3.2.2.3.14]
        } else if identified && !self.subscription_identifiers {
            Some(ReasonCode::SUBSCRIPTION_IDENTIFIERS_NOT_SUPPORTED) // [MQTT-3.2.2.3.13]
        } else if !self.wildcard_subscriptions && topic::has_wildcard(subscription.filter) {
            Some(ReasonCode::WILDCARD_SUBSCRIPTIONS_NOT_SUPPORTED) // [MQTT-3.2.2.3.12]
        } else {
            None
        }
    }
}

#[cold]
fn qos_too_high(maximum: QoS) -> (ReasonCode, String) {
    (ReasonCode::QOS_NOT_SUPPORTED, format!("the broker's Maximum QoS is {maximum}"))
}

#[cold]
fn no_retain() -> (ReasonCode, String) {
    (ReasonCode::RETAIN_NOT_SUPPORTED, "the broker's CONNACK excludes it".into())
}

/// The text for a packet that exceeds the broker's limit, or MQTT's if the broker has none.
#[cold]
#[must_use]
pub fn too_large(bytes: usize, limit: u32) -> String {
    if limit < wire::LARGEST_PACKET_BYTES {
        format!("the packet has {bytes} bytes, the broker's Maximum Packet Size is {limit}")
    } else {
        format!("the packet has {bytes} bytes; MQTT allows at most {limit}")
    }
}

/// The error for a message that is not sent because the broker would refuse it.
pub(super) fn not_sent((reason, text): (ReasonCode, String)) -> Error {
    Error::Refused {
        what: "publish not sent".into(),
        denial: Denial::default(),
        reason,
        text: Some(text),
        hint: reason.advice().map(Into::into),
    }
}
