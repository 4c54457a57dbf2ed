//! An Application Message inside the broker: borrowed while it is passed on, and stored once if it must be
//! kept.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use super::bounds::SHARED_BYTES;
use super::shared::{LargePart, LargeParts};
use crate::protocol::QoS;
use crate::protocol::property::{Properties, PropertyBlock, PropertyId, Value};
use crate::protocol::wire::{Malformed, PacketType};

/// A stored message, shared by sessions, retained messages and wills.
#[derive(Debug)]
pub(super) struct SharedMessage {
    topic: Bytes,
    payload: Bytes,
    /// Empty if they are a large part.
    properties: PropertyBlock,
    large: LargeParts,
    expires: Option<Instant>,
    qos: QoS,
    retain: bool,
    publisher: Option<Arc<str>>,
}

impl SharedMessage {
    pub(super) fn view(&self) -> View<'_> {
        View {
            topic: &self.topic,
            payload: &self.payload,
            properties: self.properties(),
            expires: self.expires,
            qos: self.qos,
            retain: self.retain,
            publisher: self.publisher.as_ref(),
            shared: Some(&self.payload),
            large: Some(&self.large),
        }
    }

    fn properties(&self) -> Properties<'_> {
        let large = self.large.properties.as_ref();
        large.map_or_else(|| self.properties.view(), |part| Properties::of_block(part.bytes()))
    }

    /// The topic name, which can be shared.
    pub(super) fn topic(&self) -> &Bytes {
        &self.topic
    }

    /// Memory of the message, precise enough for limits.
    pub(super) fn bytes(&self) -> usize {
        // A large part shares the buffer of the bytes that were read with it.
        let around = if self.large.is_empty() { 0 } else { SHARED_BYTES };
        self.topic.len() + self.payload.len() + self.properties().block().len() + around + 320
    }
}

/// A message whose bytes may be borrowed or stored.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub(super) topic: &'a [u8],
    pub(super) payload: &'a [u8],
    /// Without Topic Alias, Message Expiry Interval and Subscription Identifiers, which are set for each
    /// receiver.
    pub(super) properties: Properties<'a>,
    pub(super) expires: Option<Instant>,
    pub(super) qos: QoS,
    pub(super) retain: bool,
    /// The client identifier of the publisher, for No Local with retained messages.
    pub(super) publisher: Option<&'a Arc<str>>,
    /// The payload, if it can be kept without copying.
    pub(super) shared: Option<&'a Bytes>,
    /// The parts that receivers share.
    pub(super) large: Option<&'a LargeParts>,
}

impl View<'_> {
    /// A stored copy: one allocation for the bytes, one for the rest. A shared payload is not copied.
    pub(super) fn store(&self) -> Arc<SharedMessage> {
        let large = self.large.cloned().unwrap_or_default();
        let shared = large.payload.as_ref().map(LargePart::bytes).or(self.shared);
        let (topic, payload) = if let Some(payload) = shared {
            (Bytes::copy_from_slice(self.topic), payload.clone())
        } else {
            let mut bytes = BytesMut::with_capacity(self.topic.len() + self.payload.len());
            bytes.extend_from_slice(self.topic);
            bytes.extend_from_slice(self.payload);
            let mut payload = bytes.freeze();
            (payload.split_to(self.topic.len()), payload)
        };
        Arc::new(SharedMessage {
            topic,
            payload,
            properties: match large.properties {
                Some(_) => PropertyBlock::default(),
                None => self.properties.to_owned_block(),
            },
            large,
            expires: self.expires,
            qos: self.qos,
            retain: self.retain,
            publisher: self.publisher.cloned(),
        })
    }

    /// Its bytes in a packet, without the head.
    pub(super) fn bytes(&self) -> usize {
        self.topic.len() + self.payload.len() + self.properties.block().len()
    }

    /// The bytes that are copied for each receiver.
    pub(super) fn copied_bytes(&self) -> usize {
        let parts = self.large.into_iter().flat_map(|large| [&large.payload, &large.properties]);
        self.bytes() - parts.flatten().map(|part| part.bytes().len()).sum::<usize>()
    }

    /// Whether the Message Expiry Interval has passed ([MQTT-3.3.2-5]).
    pub(super) fn is_expired(&self, now: Instant) -> bool {
        self.expires.is_some_and(|at| at < now)
    }

    /// The remaining Message Expiry Interval in whole seconds. It is rounded up, so that a message that is
    /// passed on at once keeps its value ([MQTT-3.3.2-6]).
    pub(super) fn remaining_seconds(&self, now: Instant) -> Option<u32> {
        let left = self.expires?.saturating_duration_since(now);
        let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
        Some(u32::try_from(seconds).unwrap_or(u32::MAX))
    }
}

/// A message that is stored when a receiver first needs it stored.
pub(super) struct Routed<'a> {
    pub(super) view: View<'a>,
    stored: Option<Arc<SharedMessage>>,
}

impl<'a> Routed<'a> {
    pub(super) fn borrowed(view: View<'a>) -> Self {
        Self { view, stored: None }
    }

    /// A message that is already stored.
    pub(super) fn stored(message: &'a Arc<SharedMessage>) -> Self {
        Self { view: message.view(), stored: Some(Arc::clone(message)) }
    }

    pub(super) fn message(&mut self) -> Arc<SharedMessage> {
        Arc::clone(self.stored.get_or_insert_with(|| self.view.store()))
    }
}

/// The properties of a PUBLISH or will: those to forward, and those for the broker.
pub(super) struct Sorted<'a> {
    kept: Properties<'a>,
    rebuilt: Option<PropertyBlock>,
    pub(super) topic_alias: Option<u16>,
    pub(super) expiry_seconds: Option<u32>,
    pub(super) will_delay_seconds: u32,
}

impl<'a> Sorted<'a> {
    /// Separates the properties. The order and repetition of forwarded ones stay ([MQTT-3.3.2-17],
    /// [MQTT-3.3.2-18]).
    ///
    /// # Errors
    /// A Subscription Identifier, which a client may not send ([MQTT-3.3.4-6]), or a Response Topic with
    /// wildcards ([MQTT-3.3.2-14]) or without a character ([MQTT-4.7.3-1]).
    pub(super) fn new(packet: PacketType, properties: Properties<'a>) -> Result<Self, Malformed> {
        let mut sorted = Self {
            kept: properties,
            rebuilt: None,
            topic_alias: None,
            expiry_seconds: None,
            will_delay_seconds: 0,
        };
        let mut own = false;
        for property in properties.iter() {
            match (property.id, property.value) {
                (PropertyId::TopicAlias, Value::Number(alias)) => {
                    sorted.topic_alias = u16::try_from(alias).ok();
                    own = true;
                }
                (PropertyId::MessageExpiryInterval, Value::Number(seconds)) => {
                    sorted.expiry_seconds = Some(seconds);
                    own = true;
                }
                (PropertyId::WillDelayInterval, Value::Number(seconds)) => {
                    sorted.will_delay_seconds = seconds;
                    own = true;
                }
                (PropertyId::SubscriptionIdentifier, _) => {
                    return Err(Malformed::protocol_error(packet, "Subscription Identifier from a client"));
                }
                (PropertyId::ResponseTopic, Value::Text(topic)) if topic.contains(['+', '#']) => {
                    return Err(Malformed::protocol_error(packet, "Response Topic with a wildcard"));
                }
                (PropertyId::ResponseTopic, Value::Text("")) => {
                    return Err(Malformed::protocol_error(packet, "empty Response Topic"));
                }
                _ => {}
            }
        }
        if own {
            let mut block = PropertyBlock::default();
            for property in properties.iter() {
                let own = matches!(
                    property.id,
                    PropertyId::TopicAlias
                        | PropertyId::MessageExpiryInterval
                        | PropertyId::WillDelayInterval
                );
                if !own {
                    block.push(property.id, property.value);
                }
            }
            sorted.rebuilt = Some(block);
        }
        Ok(sorted)
    }

    /// The properties to forward.
    pub(super) fn forwarded(&self) -> Properties<'_> {
        self.rebuilt.as_ref().map_or(self.kept, PropertyBlock::view)
    }

    /// When a message received now expires.
    pub(super) fn expires(&self, now: Instant) -> Option<Instant> {
        after(now, self.expiry_seconds?)
    }
}

/// The time this number of seconds from now; `None` if the clock cannot represent it.
pub(super) fn after(now: Instant, seconds: u32) -> Option<Instant> {
    now.checked_add(Duration::from_secs(u64::from(seconds)))
}
