//! Packets as bytes: the only module that uses `rumqttc`.
//!
//! `rumqttc` is used for three things:
//!
//! * **framing**: its `check` reads the fixed header where [`frame`] needs more than the first two bytes;
//! * **encoding** the packets that it encodes correctly: acknowledgements of success, PINGREQ and PINGRESP,
//!   SUBSCRIBE, UNSUBSCRIBE and the DISCONNECT of two bytes;
//! * **as an oracle**: the tests in `oracle` compare our decoders and encoders with its, in all versions, and
//!   both agree byte for byte wherever `rumqttc` is correct.
//!
//! The rest is implemented here, because of defects that `defects` lists with our results:
//!
//! * **All decoders**: those of `rumqttc` allocate per packet, lose or refuse information that a client must
//!   report (unknown Reason Codes, short DISCONNECTs and CONNACKs), leak property bytes into payloads and
//!   accept duplicate or misplaced properties. Ours borrow from the input and check.
//! * **CONNECT, DISCONNECT with a reason, AUTH**: its CONNECT corrupts a non-empty buffer and does not
//!   support MQTT 3.1, its DISCONNECT is one byte too long, its AUTH cannot be constructed.
//! * **PUBLISH**: it has separate v4 and v5 types, which own their topic and would encode constant properties
//!   again for every message. [`PublishTemplate`] encodes them once.
//! * **Packets of a broker, and failing acknowledgements**: its enums of Reason Codes are incomplete.

#[cfg(test)]
pub(crate) mod corpus;
mod data;
mod decode;
mod encode;
mod frame;
mod malformed;
mod packet_type;

#[cfg(test)]
mod defects;
#[cfg(test)]
mod oracle;
#[cfg(test)]
mod tests;

pub(super) use data::{FieldReader, put_binary, put_variable_byte_integer};
pub use decode::{
    Ack, Connect, Packet, Publish, Subscription, SubscriptionList, Will, announced_property_bytes, decode,
};
pub use encode::{
    PublishTemplate, TopicAlias, ack, auth, connack, connect, disconnect, ping_request, ping_response,
    put_publish, put_publish_head, suback, subscribe, unsuback, unsubscribe,
};
pub use frame::{LARGEST_PACKET_BYTES, PUBACK_BYTES, announced, frame, plain_pubacks};
pub use malformed::Malformed;
pub use packet_type::PacketType;
