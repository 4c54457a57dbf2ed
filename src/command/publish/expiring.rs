//! Messages of the spool whose Message Expiry Interval counts down there.

use std::sync::Arc;

use crate::command::input::{Aged, aged, with_expiry};
use crate::protocol::property::PropertyBlock;
use crate::storage::spool::{Envelope, SpooledMessage};

/// The message with the rest of its Message Expiry Interval; `None` if that has passed.
pub(super) fn unexpired(message: &SpooledMessage) -> Option<SpooledMessage> {
    match message.taken_in.map_or(Aged::Same, |since| aged(&message.envelope.properties, since)) {
        Aged::Same => Some(message.clone()),
        Aged::Shorter(properties) => Some(with(message, properties)),
        Aged::Expired => None,
    }
}

/// The message with the rest of its Message Expiry Interval, and at least a second: a QoS 2 message that was
/// sent has to be sent again, because the broker may know its packet identifier ([MQTT-4.4.0-1]).
pub(super) fn for_another_second(message: &SpooledMessage) -> SpooledMessage {
    unexpired(message).unwrap_or_else(|| with(message, with_expiry(&message.envelope.properties, 1)))
}

fn with(message: &SpooledMessage, properties: PropertyBlock) -> SpooledMessage {
    let envelope = Arc::new(Envelope { properties, ..Envelope::clone(&message.envelope) });
    SpooledMessage { envelope, ..message.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::QoS;
    use crate::protocol::property::PropertyId;
    use bytes::Bytes;
    use std::time::{Duration, SystemTime};

    #[test]
    fn message_expires_unless_it_is_in_flight() {
        let message = |seconds| SpooledMessage {
            place: 24,
            envelope: Arc::new(Envelope {
                qos: QoS::ExactlyOnce,
                retain: true,
                topic: "a".into(),
                properties: with_expiry(&PropertyBlock::default(), seconds),
            }),
            payload: Bytes::from_static(b"x"),
            fault: None,
            taken_in: Some(SystemTime::now() - Duration::from_secs(1_000)),
        };
        let left = |message: &SpooledMessage| {
            message.envelope.properties.view().number(PropertyId::MessageExpiryInterval)
        };
        let long = unexpired(&message(5_000)).unwrap();
        assert!(left(&long).is_some_and(|left| (3_900..=4_000).contains(&left)), "{long:?}");
        assert_eq!((long.place, &*long.envelope.topic, &long.payload[..]), (24, "a", &b"x"[..]));
        assert!(unexpired(&message(1_000)).is_none());
        assert_eq!(left(&for_another_second(&message(1_000))), Some(1));
        assert!(unexpired(&message(0)).is_none());
        // The clock was set back.
        let new =
            SpooledMessage { taken_in: Some(SystemTime::now() + Duration::from_secs(1_000)), ..message(0) };
        assert_eq!(left(&unexpired(&new).unwrap()), Some(0), "no time has passed");
        let old = SpooledMessage { taken_in: None, ..message(1) };
        assert_eq!(left(&unexpired(&old).unwrap()), Some(1), "its time is unknown");
    }
}
