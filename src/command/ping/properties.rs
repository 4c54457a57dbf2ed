//! The properties of CONNACK, for programs and for people.

use std::fmt::Write as _;
use std::time::Duration;

use serde::ser::SerializeMap as _;
use serde::{Serialize, Serializer};

use crate::masking::masked;
use crate::protocol::property::{Property, PropertyBlock, PropertyId, Value};
use crate::quantity::{counted, duration};
use crate::quotation::cut;

/// The properties as a JSON object, with user properties as in the record of a message. It is written while
/// reading: there may be as many as fit into a packet.
pub(super) fn serialize_properties<S: Serializer>(
    block: &PropertyBlock,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut object = serializer.serialize_map(None)?;
    let mut has_pairs = false;
    for property in block.view().iter() {
        let name = property.id.name();
        match property.value {
            Value::Number(number) => object.serialize_entry(name, &number)?,
            Value::Text(text) => object.serialize_entry(name, &masked(text))?,
            // Authentication data is only for the client's code, and may be secret.
            Value::Binary(bytes) => object.serialize_entry(name, &counted(bytes.len() as u64, "byte"))?,
            Value::Pair(..) if std::mem::replace(&mut has_pairs, true) => {}
            Value::Pair(..) => object.serialize_entry("user-properties", &Pairs(block))?,
        }
    }
    object.end()
}

/// The user properties, one object each.
struct Pairs<'a>(&'a PropertyBlock);

impl Serialize for Pairs<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.view().iter().filter_map(|property| match property.value {
            Value::Pair(name, value) => Some(Pair(name, value)),
            _ => None,
        }))
    }
}

struct Pair<'a>(&'a str, &'a str);

impl Serialize for Pair<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map([(masked(self.0), masked(self.1))])
    }
}

/// A property with its meaning as a limit.
pub(super) fn note(property: &Property<'_>) -> String {
    use PropertyId as Id;
    let mut text = match property.value {
        Value::Number(number) => format!("{} {number}", property.id.name()),
        Value::Text(text) => format!("{} {}", property.id.name(), cut(&masked(text))),
        Value::Binary(bytes) => format!("{} ({})", property.id.name(), counted(bytes.len() as u64, "byte")),
        Value::Pair(name, value) => {
            format!("{} {}: {}", property.id.name(), cut(&masked(name)), cut(&masked(value)))
        }
    };
    let Value::Number(number) = property.value else { return text };
    let meaning = match (property.id, number) {
        (Id::ReceiveMaximum, n) => {
            format!("at most {} in flight at QoS 1 and 2", counted(n.into(), "message"))
        }
        (Id::MaximumQos, n) => format!("no message above QoS {n}"),
        (Id::RetainAvailable, 0) => "no retained messages".into(),
        (Id::MaximumPacketSize, n) => format!("no packet above {}", counted(n.into(), "byte")),
        (Id::TopicAliasMaximum, 0) => "no topic aliases".into(),
        (Id::TopicAliasMaximum, n) => format!("at most {}", counted(n.into(), "topic alias")),
        (Id::WildcardSubscriptionAvailable, 0) => "no wildcards in filters".into(),
        (Id::SubscriptionIdentifierAvailable, 0) => "no subscription identifiers".into(),
        (Id::SharedSubscriptionAvailable, 0) => "no shared subscriptions".into(),
        (Id::ServerKeepAlive, n) => format!("the Keep Alive interval is {}", seconds(n)),
        (Id::SessionExpiryInterval, u32::MAX) => "the session does not expire".into(),
        (Id::SessionExpiryInterval, n) => format!("the session is kept for {}", seconds(n)),
        _ => return text,
    };
    let _ = write!(text, ": {meaning}");
    text
}

pub(super) fn seconds(count: impl Into<u64>) -> String {
    duration(Duration::from_secs(count.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn property_is_shown_with_its_meaning() {
        let property = Property { id: PropertyId::MaximumQos, value: Value::Number(1) };
        assert_eq!(note(&property), "maximum-qos 1: no message above QoS 1");
        let property = Property { id: PropertyId::AssignedClientIdentifier, value: Value::Text("x") };
        assert_eq!(note(&property), "assigned-client-identifier x");
    }
}
