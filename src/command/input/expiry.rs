//! The Message Expiry Interval of stored messages, which keeps counting down ([MQTT-3.3.2-6]).

use std::time::SystemTime;

use crate::protocol::property::{PropertyBlock, PropertyId, Value};

/// The effect of the time in a store on the properties of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Aged {
    /// They stay the same.
    Same,
    /// The Message Expiry Interval is shorter.
    Shorter(PropertyBlock),
    /// The Message Expiry Interval has passed: the message must not be sent ([MQTT-3.3.2-5]).
    Expired,
}

/// The properties of a message that has been stored since this time. The interval is one of whole seconds: it
/// has passed when as many, and at least one, are over. A message whose interval is 0 is sent as it is within
/// the first second, as it would be without a store.
pub(crate) fn aged(properties: &PropertyBlock, since: SystemTime) -> Aged {
    let Some(seconds) = properties.view().number(PropertyId::MessageExpiryInterval) else {
        return Aged::Same;
    };
    // The clock of the storing machine may be ahead of ours.
    let passed = SystemTime::now().duration_since(since).unwrap_or_default().as_secs();
    let passed = u32::try_from(passed).unwrap_or(u32::MAX);
    match seconds.checked_sub(passed) {
        _ if passed == 0 => Aged::Same,
        Some(left @ 1..) => Aged::Shorter(with_expiry(properties, left)),
        _ => Aged::Expired,
    }
}

/// The properties with this Message Expiry Interval in seconds.
pub(crate) fn with_expiry(properties: &PropertyBlock, seconds: u32) -> PropertyBlock {
    let mut changed = properties.without(&[PropertyId::MessageExpiryInterval]);
    changed.push(PropertyId::MessageExpiryInterval, Value::Number(seconds));
    changed
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn stored_time_is_taken_off() {
        let none = PropertyBlock::default();
        let before = |seconds| SystemTime::now() - Duration::from_secs(seconds);
        assert_eq!(aged(&none, before(1_000)), Aged::Same);
        let hour = with_expiry(&none, 3_600);
        // The clock of the other machine is ahead.
        assert_eq!(aged(&hour, SystemTime::now() + Duration::from_secs(1_000)), Aged::Same);
        assert_eq!(aged(&hour, before(3_600)), Aged::Expired);
        let none_left = with_expiry(&none, 0);
        assert_eq!(aged(&none_left, SystemTime::now()), Aged::Same);
        assert_eq!(aged(&none_left, before(1)), Aged::Expired);
        let Aged::Shorter(shorter) = aged(&hour, before(600)) else { panic!("it is shorter") };
        let left = shorter.view().number(PropertyId::MessageExpiryInterval).unwrap();
        assert!((2_900..=3_000).contains(&left), "{left}");
    }
}
