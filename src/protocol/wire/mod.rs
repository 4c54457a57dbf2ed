//! Packets as bytes: the only room that uses `rumqttc`.
//!
//! `rumqttc` is used for three things:
//!
//! * **framing**: its `check` reads the fixed header where [`frame`] needs more than the first two bytes;
//! * **writing** what it writes soundly: acknowledgements of success, PINGREQ and PINGRESP, SUBSCRIBE,
//!   UNSUBSCRIBE and the DISCONNECT of two bytes;
//! * **as an oracle**: the tests in `oracle` hold our readers and writers against its, in all versions,
//!   and both agree byte for byte wherever `rumqttc` is sound.
//!
//! The rest is written here, for defects that `defects` shows in one table, beside our result:
//!
//! * **Every reader**: those of `rumqttc` allocate per packet, lose or refuse what a client must
//!   report (unknown Reason Codes, short DISCONNECTs and CONNACKs), leak property bytes into
//!   payloads and accept duplicate or misplaced properties. Ours borrow from the input and check.
//! * **CONNECT, DISCONNECT with a reason, AUTH**: its CONNECT corrupts a non-empty buffer and has no
//!   MQTT 3.1, its DISCONNECT is one byte too long, its AUTH cannot be built.
//! * **PUBLISH**: its v4 and v5 types are two, own their topic, and would re-encode constant properties
//!   for every message. [`PublishTemplate`] encodes them once.
//! * **What a broker writes, and failing acknowledgements**: its enums of Reason Codes are incomplete.

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
pub use decode::{Ack, Connect, Packet, Publish, Subscription, SubscriptionList, Will, decode};
pub use encode::{
    PublishTemplate, TopicAlias, ack, auth, connack, connect, disconnect, ping_request, ping_response,
    put_publish, put_publish_head, suback, subscribe, unsuback, unsubscribe,
};
pub use frame::{LARGEST_PACKET_BYTES, PUBACK_BYTES, announced, frame, plain_pubacks};
pub use malformed::Malformed;
pub use packet_type::PacketType;
