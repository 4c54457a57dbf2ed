//! MQTT 5 properties: one table of names, types and the packets that may carry them; a borrowed reader that
//! keeps the order of the packet; an owned block, encoded once, for sending.
//!
//! `rumqttc`'s property structs are not used: its PUBLISH reader miscounts subscription identifiers (property
//! bytes leak into the payload), none of its readers notices a duplicate or misplaced property, each
//! allocates, and the order between kinds is lost. `wire` has the tests.

use super::topic;
use super::wire::{FieldReader, Malformed, PacketType, put_binary, put_variable_byte_integer};
use PacketType::{Auth, ConnAck, Connect, Disconnect, Publish, SubAck, Subscribe, UnsubAck, Unsubscribe};

/// How a property's value is encoded ([MQTT-2.2.2.2]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PropertyKind {
    /// One byte that may be any number.
    Byte,
    /// One byte that may be 0 or 1.
    Flag,
    /// Two bytes, big endian.
    Two,
    /// Two bytes that may not be 0.
    TwoNotZero,
    /// Four bytes, big endian.
    Four,
    /// Four bytes that may not be 0.
    FourNotZero,
    /// Variable Byte Integer that may not be 0.
    Variable,
    /// UTF-8 string.
    Text,
    /// Binary data.
    Binary,
    /// A pair of UTF-8 strings.
    Pair,
}

/// Where properties occur: a packet by its type, or the will in CONNECT.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The properties of a packet.
    Packet(PacketType),
    /// The Will Properties in the payload of CONNECT ([MQTT-3.1.3.2]).
    Will,
}

impl Place {
    fn bit(self) -> u32 {
        match self {
            Self::Packet(packet) => 1 << packet as u8,
            Self::Will => 1,
        }
    }
}

const WILL: u32 = 1;
const fn in_packets(packets: &[PacketType]) -> u32 {
    let mut bits = 0;
    let mut index = 0;
    while index < packets.len() {
        bits |= 1 << packets[index] as u8;
        index += 1;
    }
    bits
}
const ACKS: u32 =
    in_packets(&[PacketType::PubAck, PacketType::PubRec, PacketType::PubRel, PacketType::PubComp]);

macro_rules! properties {
    ($($name:ident = $number:literal, $key:literal, $kind:ident, $places:expr;)*) => {
        /// A property of the standard, by its identifier ([MQTT-2.2.2.2], table 2-4).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[repr(u8)]
        #[allow(missing_docs, reason = "the variants are the standard's own names")]
        pub enum PropertyId { $($name = $number,)* }

        impl PropertyId {
            /// All properties, in ascending order of identifier.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            fn from_number(number: u32) -> Option<Self> {
                match number { $($number => Some(Self::$name),)* _ => None }
            }

            /// The name in mosquitto's `-D`, in JSON and in messages, for example `content-type`.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $key,)* }
            }

            /// How the value is encoded.
            #[must_use]
            pub fn kind(self) -> PropertyKind {
                match self { $(Self::$name => PropertyKind::$kind,)* }
            }

            fn places(self) -> u32 {
                match self { $(Self::$name => $places,)* }
            }
        }
    };
}

properties! {
    PayloadFormatIndicator = 1, "payload-format-indicator", Flag, in_packets(&[Publish]) | WILL;
    MessageExpiryInterval = 2, "message-expiry-interval", Four, in_packets(&[Publish]) | WILL;
    ContentType = 3, "content-type", Text, in_packets(&[Publish]) | WILL;
    ResponseTopic = 8, "response-topic", Text, in_packets(&[Publish]) | WILL;
    CorrelationData = 9, "correlation-data", Binary, in_packets(&[Publish]) | WILL;
    SubscriptionIdentifier = 11, "subscription-identifier", Variable, in_packets(&[Publish, Subscribe]);
    SessionExpiryInterval = 17, "session-expiry-interval", Four, in_packets(&[Connect, ConnAck, Disconnect]);
    AssignedClientIdentifier = 18, "assigned-client-identifier", Text, in_packets(&[ConnAck]);
    ServerKeepAlive = 19, "server-keep-alive", Two, in_packets(&[ConnAck]);
    AuthenticationMethod = 21, "authentication-method", Text, in_packets(&[Connect, ConnAck, Auth]);
    AuthenticationData = 22, "authentication-data", Binary, in_packets(&[Connect, ConnAck, Auth]);
    RequestProblemInformation = 23, "request-problem-information", Flag, in_packets(&[Connect]);
    WillDelayInterval = 24, "will-delay-interval", Four, WILL;
    RequestResponseInformation = 25, "request-response-information", Flag, in_packets(&[Connect]);
    ResponseInformation = 26, "response-information", Text, in_packets(&[ConnAck]);
    ServerReference = 28, "server-reference", Text, in_packets(&[ConnAck, Disconnect]);
    ReasonString = 31, "reason-string", Text,
        in_packets(&[ConnAck, SubAck, UnsubAck, Disconnect, Auth]) | ACKS;
    ReceiveMaximum = 33, "receive-maximum", TwoNotZero, in_packets(&[Connect, ConnAck]);
    TopicAliasMaximum = 34, "topic-alias-maximum", Two, in_packets(&[Connect, ConnAck]);
    TopicAlias = 35, "topic-alias", TwoNotZero, in_packets(&[Publish]);
    MaximumQos = 36, "maximum-qos", Flag, in_packets(&[ConnAck]);
    RetainAvailable = 37, "retain-available", Flag, in_packets(&[ConnAck]);
    UserProperty = 38, "user-property", Pair,
        in_packets(&[Connect, ConnAck, Publish, Subscribe, SubAck, Unsubscribe, UnsubAck, Disconnect, Auth]) | ACKS | WILL;
    MaximumPacketSize = 39, "maximum-packet-size", FourNotZero, in_packets(&[Connect, ConnAck]);
    WildcardSubscriptionAvailable = 40, "wildcard-subscription-available", Flag, in_packets(&[ConnAck]);
    SubscriptionIdentifierAvailable = 41, "subscription-identifier-available", Flag, in_packets(&[ConnAck]);
    SharedSubscriptionAvailable = 42, "shared-subscription-available", Flag, in_packets(&[ConnAck]);
}

impl PropertyId {
    /// Whether the standard allows the property in this place ([MQTT-2.2.2.2], table 2-4).
    #[must_use]
    pub fn allowed_in(self, place: Place) -> bool {
        self.places() & place.bit() != 0
    }

    /// Whether the property may be repeated here: User Property anywhere, Subscription Identifier in a
    /// PUBLISH from the broker ([MQTT-3.3.2.3.8]).
    fn repeats_in(self, place: Place) -> bool {
        self == Self::UserProperty
            || (self == Self::SubscriptionIdentifier && place == Place::Packet(PacketType::Publish))
    }
}

/// The value of a property, borrowed from the packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value<'a> {
    /// Any of the numeric kinds.
    Number(u32),
    /// A UTF-8 string.
    Text(&'a str),
    /// Binary data.
    Binary(&'a [u8]),
    /// Name and value of a user property.
    Pair(&'a str, &'a str),
}

/// One property.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Property<'a> {
    /// Its identifier.
    pub id: PropertyId,
    /// The value, of the kind given by [`PropertyId::kind`].
    pub value: Value<'a>,
}

fn read_one<'a>(reader: &mut FieldReader<'a>) -> Result<Property<'a>, Malformed> {
    let number = reader.variable_byte_integer()?;
    let id = PropertyId::from_number(number)
        .ok_or_else(|| reader.malformed(format!("unknown property identifier {number}")))?;
    let value = match id.kind() {
        PropertyKind::Byte | PropertyKind::Flag => Value::Number(u32::from(reader.u8()?)),
        PropertyKind::Two | PropertyKind::TwoNotZero => Value::Number(u32::from(reader.u16()?)),
        PropertyKind::Four | PropertyKind::FourNotZero => Value::Number(reader.u32()?),
        PropertyKind::Variable => Value::Number(reader.variable_byte_integer()?),
        PropertyKind::Text => Value::Text(reader.text()?),
        PropertyKind::Binary => Value::Binary(reader.binary()?),
        PropertyKind::Pair => Value::Pair(reader.text()?, reader.text()?),
    };
    Ok(Property { id, value })
}

/// The reason why a value is invalid for this kind of property; `None` if it is valid.
#[must_use]
pub fn out_of_range(id: PropertyId, value: u32) -> Option<&'static str> {
    match id.kind() {
        PropertyKind::Flag if value > 1 => Some("must be 0 or 1"),
        PropertyKind::Byte if value > 255 => Some("must be 0 to 255"),
        PropertyKind::Two if value > 65_535 => Some("must be 0 to 65535"),
        PropertyKind::TwoNotZero if value == 0 || value > 65_535 => Some("must be 1 to 65535"),
        PropertyKind::FourNotZero if value == 0 => Some("must be 1 to 4294967295"),
        PropertyKind::Variable if value == 0 || value > 268_435_455 => Some("must be 1 to 268435455"),
        _ => None,
    }
}

/// The properties of a received packet. They are checked as a whole when the packet is decoded, and read one
/// by one, in the packet's order, without allocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Properties<'a> {
    block: &'a [u8],
}

impl<'a> Properties<'a> {
    /// No properties, as in every packet of MQTT 3.x.
    pub const NONE: Self = Self { block: &[] };

    /// Reads a length-prefixed block and checks every rule of [MQTT-2.2.2.2]: identifiers, types,
    /// ranges, place, and at most once.
    pub(super) fn read(reader: &mut FieldReader<'a>, place: Place) -> Result<Self, Malformed> {
        let length = reader.variable_byte_integer()?;
        if length == 0 {
            return Ok(Self::NONE);
        }
        let block = reader.take(length as usize)?;
        let mut inner = reader.over(block);
        let mut seen = 0_u64;
        while !inner.is_empty() {
            let property = read_one(&mut inner)?;
            // A Malformed Packet ([MQTT-2.2.2.2]). In other packets mosquitto 2.1 calls it a Protocol Error, and
            // its tests expect that.
            let is_for_filters = matches!(place, Place::Packet(packet) if packet.is_for_filters());
            let violation =
                |text| if is_for_filters { reader.malformed(text) } else { reader.protocol_error(text) };
            if !property.id.allowed_in(place) {
                return Err(violation(format!("property {} is not allowed here", property.id.name())));
            }
            let bit = 1 << property.id as u8;
            if seen & bit != 0 && !property.id.repeats_in(place) {
                return Err(reader.protocol_error(format!("property {} is given twice", property.id.name())));
            }
            seen |= bit;
            if let Value::Number(number) = property.value
                && let Some(range) = out_of_range(property.id, number)
            {
                let text = format!("property {} is {number} but {range}", property.id.name());
                return Err(violation(text));
            }
        }
        Ok(Self { block })
    }

    /// Whether the packet has no properties.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.block.is_empty()
    }

    /// The block as it was received, without its length.
    #[must_use]
    pub fn block(&self) -> &'a [u8] {
        self.block
    }

    /// The properties in the order of the packet.
    pub fn iter(&self) -> impl Iterator<Item = Property<'a>> + use<'a> {
        let mut reader = FieldReader::new(self.block, PacketType::Publish);
        // The block was checked when it was read, so no error is possible; an error would end the list.
        std::iter::from_fn(move || if reader.is_empty() { None } else { read_one(&mut reader).ok() })
    }

    /// The value of a numeric property; `None` if the packet does not have it.
    #[must_use]
    pub fn number(&self, id: PropertyId) -> Option<u32> {
        self.iter().find(|property| property.id == id).and_then(|property| match property.value {
            Value::Number(number) => Some(number),
            _ => None,
        })
    }

    /// The value of a string property; `None` if the packet does not have it.
    #[must_use]
    pub fn text(&self, id: PropertyId) -> Option<&'a str> {
        self.iter().find(|property| property.id == id).and_then(|property| match property.value {
            Value::Text(text) => Some(text),
            _ => None,
        })
    }

    /// The value of a binary property; `None` if the packet does not have it.
    #[must_use]
    pub fn binary(&self, id: PropertyId) -> Option<&'a [u8]> {
        self.iter().find(|property| property.id == id).and_then(|property| match property.value {
            Value::Binary(bytes) => Some(bytes),
            _ => None,
        })
    }

    /// The first property that brokers may treat as malformed although it is legal, and why.
    #[must_use]
    pub fn unwelcome(&self) -> Option<(PropertyId, &'static str)> {
        self.iter().find_map(|property| {
            let why = match property.value {
                Value::Text(text) => topic::unwelcome(text),
                Value::Pair(key, value) => topic::unwelcome(key).or_else(|| topic::unwelcome(value)),
                _ => None,
            };
            why.map(|why| (property.id, why))
        })
    }

    /// The properties in bytes of [`Properties::block`].
    #[must_use]
    pub fn of_block(block: &'a [u8]) -> Self {
        Self { block }
    }

    /// An owned copy, to be kept or forwarded.
    #[must_use]
    pub fn to_owned_block(&self) -> PropertyBlock {
        PropertyBlock { bytes: self.block.to_vec() }
    }
}

/// Properties to be sent, encoded as they are added.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PropertyBlock {
    bytes: Vec<u8>,
}

impl PropertyBlock {
    /// No properties.
    pub const EMPTY: Self = Self { bytes: Vec::new() };

    /// A block from the bytes of [`PropertyBlock::bytes`].
    ///
    /// # Errors
    /// Like [`PropertyBlock::check`].
    pub fn decode(bytes: &[u8], place: Place) -> Result<Self, Malformed> {
        let block = Self { bytes: bytes.to_vec() };
        block.check(place)?;
        Ok(block)
    }

    /// Adds a property. The value must be of the property's kind and its strings at most 65,535 bytes long;
    /// [`PropertyBlock::check`] tells whether a packet may carry the block.
    pub fn push(&mut self, id: PropertyId, value: Value<'_>) {
        self.bytes.push(id as u8);
        match (id.kind(), value) {
            (PropertyKind::Byte | PropertyKind::Flag, Value::Number(number)) => {
                self.bytes.push(number.to_be_bytes()[3]);
            }
            (PropertyKind::Two | PropertyKind::TwoNotZero, Value::Number(number)) => {
                self.bytes.extend_from_slice(&number.to_be_bytes()[2..]);
            }
            (PropertyKind::Variable, Value::Number(number)) => {
                put_variable_byte_integer(&mut self.bytes, number);
            }
            (_, Value::Number(number)) => self.bytes.extend_from_slice(&number.to_be_bytes()),
            (_, Value::Text(text)) => put_binary(&mut self.bytes, text.as_bytes()),
            (_, Value::Binary(binary)) => put_binary(&mut self.bytes, binary),
            (_, Value::Pair(name, value)) => {
                put_binary(&mut self.bytes, name.as_bytes());
                put_binary(&mut self.bytes, value.as_bytes());
            }
        }
    }

    /// Replaces the block by a copy of received properties. The memory is reused, so that copying the
    /// properties of each message costs no allocation.
    pub fn assign(&mut self, properties: Properties<'_>) {
        self.bytes.clear();
        self.bytes.extend_from_slice(properties.block);
    }

    /// The same block without these properties.
    #[must_use]
    pub fn without(&self, ids: &[PropertyId]) -> Self {
        let mut rest = Self::default();
        for property in self.view().iter().filter(|property| !ids.contains(&property.id)) {
            rest.push(property.id, property.value);
        }
        rest
    }

    /// The same block, completed with the properties of `defaults` that it lacks.
    #[must_use]
    pub fn or_from(&self, defaults: &Self) -> Self {
        let mut both = self.clone();
        let missing = |id| self.view().iter().all(|own| own.id != id);
        for property in defaults.view().iter().filter(|property| missing(property.id)) {
            both.push(property.id, property.value);
        }
        both
    }

    /// Whether the block has no properties.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The encoded block without its length.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Like [`Properties::unwelcome`].
    #[must_use]
    pub fn unwelcome(&self) -> Option<(PropertyId, &'static str)> {
        self.view().unwelcome()
    }

    /// The properties, for reading.
    #[must_use]
    pub fn view(&self) -> Properties<'_> {
        Properties { block: &self.bytes }
    }

    /// Checks the block against the standard's rules for a place: allowed there, in range, at most once.
    ///
    /// # Errors
    /// The violated rule, naming the property.
    pub fn check(&self, place: Place) -> Result<(), Malformed> {
        let mut framed = Vec::with_capacity(self.bytes.len() + 4);
        let length = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        put_variable_byte_integer(&mut framed, length);
        framed.extend_from_slice(&self.bytes);
        let packet = match place {
            Place::Packet(packet) => packet,
            Place::Will => PacketType::Connect,
        };
        Properties::read(&mut FieldReader::new(&framed, packet), place).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_keeps_order_and_repeats() {
        let mut block = PropertyBlock::default();
        block.push(PropertyId::UserProperty, Value::Pair("k", "1"));
        block.push(PropertyId::SubscriptionIdentifier, Value::Number(300));
        block.push(PropertyId::UserProperty, Value::Pair("k", "2"));
        block.push(PropertyId::SubscriptionIdentifier, Value::Number(1));
        block.push(PropertyId::ContentType, Value::Text("text/plain"));
        block.push(PropertyId::CorrelationData, Value::Binary(&[0, 255]));
        assert!(block.check(Place::Packet(PacketType::Publish)).is_ok());
        let names: Vec<&str> = block.view().iter().map(|property| property.id.name()).collect();
        assert_eq!(
            names,
            [
                "user-property",
                "subscription-identifier",
                "user-property",
                "subscription-identifier",
                "content-type",
                "correlation-data"
            ]
        );
        assert_eq!(block.view().number(PropertyId::SubscriptionIdentifier), Some(300));
        assert_eq!(block.view().binary(PropertyId::CorrelationData), Some(&[0, 255][..]));
    }

    #[test]
    fn assigning_replaces_and_keeps_the_memory() {
        let mut other = PropertyBlock::default();
        other.push(PropertyId::ContentType, Value::Text("a"));
        let mut block = PropertyBlock::default();
        block.push(PropertyId::ContentType, Value::Text("something longer"));
        let capacity = block.bytes.capacity();
        block.assign(other.view());
        assert_eq!((&block, block.bytes.capacity()), (&other, capacity));
        block.assign(Properties::NONE);
        assert!(block.is_empty());
    }

    #[test]
    fn each_rule_is_checked() {
        let broken = |fill: &dyn Fn(&mut PropertyBlock), place| {
            let mut block = PropertyBlock::default();
            fill(&mut block);
            block.check(place).unwrap_err().to_string()
        };
        let publish = Place::Packet(PacketType::Publish);
        let text = broken(&|b| b.push(PropertyId::PayloadFormatIndicator, Value::Number(7)), publish);
        assert!(text.contains("payload-format-indicator is 7 but must be 0 or 1"), "{text}");
        let text = broken(&|b| b.push(PropertyId::ReceiveMaximum, Value::Number(5)), publish);
        assert!(text.contains("receive-maximum is not allowed here"), "{text}");
        let twice = |b: &mut PropertyBlock| {
            b.push(PropertyId::ContentType, Value::Text("a"));
            b.push(PropertyId::ContentType, Value::Text("b"));
        };
        assert!(broken(&twice, publish).contains("content-type is given twice"));
        let text = broken(&|b| b.push(PropertyId::TopicAlias, Value::Number(0)), publish);
        assert!(text.contains("must be 1 to 65535"), "{text}");
    }

    #[test]
    fn the_table_has_no_name_or_number_twice() {
        let mut names: Vec<&str> = PropertyId::ALL.iter().map(|id| id.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), PropertyId::ALL.len());
        assert!(PropertyId::ALL.iter().all(|id| PropertyId::from_number(*id as u32) == Some(*id)));
    }
}
