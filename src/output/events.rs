//! Standard error for programs (`--json-events`): each line as a JSON object.
//! `tests/schema/events.schema.json` defines every key.

use std::time::SystemTime;

use serde_json::{Map, Value, json};

use super::json::{put_properties_object, put_safe};
use crate::clock;
use crate::error::Error;
use crate::masking::masked;
use crate::protocol::Direction;
use crate::protocol::property::Properties;
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{Connect, Packet, Publish, Subscription};

/// The version of the format; it changes when a key changes.
const VERSION: u32 = 1;

type Object = Map<String, Value>;

/// The first keys of every event.
fn opening(kind: &str) -> Object {
    let mut object = Object::new();
    object.insert("type".into(), kind.into());
    object.insert("version".into(), VERSION.into());
    object.insert("tst".into(), clock::rfc3339_micros(SystemTime::now()).into());
    object
}

fn line(object: &Object) -> String {
    line_with(object, &[], Properties::NONE)
}

/// The object with the parts that the peer may repeat without limit. These are written as text directly: a
/// tree of values would need fifty times the memory.
fn line_with(object: &Object, reasons: &[u8], properties: Properties<'_>) -> String {
    let mut text = Vec::new();
    // Writing to memory, with string keys only, cannot fail.
    let _ = serde_json::to_writer(&mut text, object);
    text.pop();
    put_further(&mut text, reasons, properties);
    let mut line = Vec::with_capacity(text.len() + 2);
    put_safe(&mut line, &text);
    line.extend_from_slice(b"}\n");
    String::from_utf8(line).unwrap_or_default()
}

/// Adds members to an object that is not closed yet.
fn put_further(text: &mut Vec<u8>, reasons: &[u8], properties: Properties<'_>) {
    for (index, reason) in reasons.iter().enumerate() {
        text.extend_from_slice(if index == 0 { b",\"reason_codes\":[" } else { b"," });
        text.extend_from_slice(reason.to_string().as_bytes());
    }
    if !reasons.is_empty() {
        text.push(b']');
    }
    if !properties.is_empty() {
        text.extend_from_slice(b",\"properties\":");
        put_properties_object(text, properties, masked);
    }
}

/// A text: a warning, a change of state, a line of a report.
pub(super) fn text(kind: &str, message: &str) -> String {
    let mut object = opening(kind);
    object.insert("message".into(), message.into());
    line(&object)
}

/// A change in the state of the connection, with a stable name.
pub(super) fn state(state: &str, message: &str) -> String {
    let mut object = opening("state");
    object.insert("state".into(), state.into());
    object.insert("message".into(), message.into());
    line(&object)
}

/// An error, with its place if only a part of the work failed.
pub(super) fn error(place: Option<&str>, error: &Error, hint: Option<&str>) -> String {
    let mut object = opening("error");
    object.insert("message".into(), error.to_string().into());
    if let Some(place) = place {
        object.insert("place".into(), place.into());
    }
    if let Error::Refused { reason, .. } = error {
        put_reason(&mut object, *reason);
    }
    if let Some(hint) = hint {
        object.insert("hint".into(), hint.into());
    }
    line(&object)
}

/// The client of an event of the embedded broker.
#[derive(Debug, Clone, Copy)]
pub struct EventSource<'a> {
    /// The number of the connection.
    pub connection: Option<u64>,
    /// The client identifier.
    pub client: Option<&'a str>,
}

impl EventSource<'_> {
    fn opening(self, kind: &str) -> Object {
        let mut object = opening(kind);
        if let Some(number) = self.connection {
            object.insert("connection".into(), number.into());
        }
        if let Some(client) = self.client {
            object.insert("client".into(), client.into());
        }
        object
    }
}

/// An event of the embedded broker that is not a packet. The members keep this order.
#[must_use]
pub fn broker_event(
    source: EventSource<'_>,
    kind: &str,
    members: impl IntoIterator<Item = (&'static str, Value)>,
) -> String {
    let mut object = source.opening(kind);
    object.extend(members.into_iter().map(|(key, value)| (key.to_owned(), value)));
    line(&object)
}

/// A packet of one of its clients.
#[must_use]
pub fn broker_packet(source: EventSource<'_>, direction: Direction, packet: &Packet<'_>) -> String {
    packet_in(source.opening("packet"), direction, packet)
}

/// A sent or received packet.
pub(super) fn packet(direction: Direction, packet: &Packet<'_>) -> String {
    packet_in(opening("packet"), direction, packet)
}

fn packet_in(mut object: Object, direction: Direction, packet: &Packet<'_>) -> String {
    let direction = match direction {
        Direction::Sent => "sent",
        Direction::Received => "received",
    };
    object.insert("direction".into(), direction.into());
    object.insert("packet".into(), packet.kind().name().into());
    let mut reason_codes: &[u8] = &[];
    match packet {
        Packet::Connect(connect) => put_connect(&mut object, connect),
        Packet::ConnAck { session_present, reason, .. } => {
            object.insert("session_present".into(), (*session_present).into());
            put_reason(&mut object, *reason);
        }
        Packet::Publish(publish) => put_publish(&mut object, publish),
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
            object.insert("mid".into(), ack.packet_identifier.into());
            put_reason(&mut object, ack.reason);
        }
        Packet::Subscribe { packet_identifier, filters, .. } => {
            object.insert("mid".into(), (*packet_identifier).into());
            object.insert("filters".into(), filters.iter().map(|filter| subscription(&filter)).collect());
        }
        Packet::Unsubscribe { packet_identifier, filters, .. } => {
            object.insert("mid".into(), (*packet_identifier).into());
            object.insert(
                "filters".into(),
                filters.iter().map(|one| json!({ "filter": one.filter })).collect(),
            );
        }
        Packet::SubAck { packet_identifier, reasons, .. }
        | Packet::UnsubAck { packet_identifier, reasons, .. } => {
            object.insert("mid".into(), (*packet_identifier).into());
            if reasons.is_empty() {
                object.insert("reason_codes".into(), json!([]));
            }
            reason_codes = reasons;
        }
        Packet::PingReq | Packet::PingResp => {}
        Packet::Disconnect { reason, .. } | Packet::Auth { reason, .. } => put_reason(&mut object, *reason),
    }
    line_with(&object, reason_codes, packet.properties())
}

fn put_reason(object: &mut Object, reason: ReasonCode) {
    object.insert("reason_code".into(), reason.0.into());
    if let Some(name) = reason.name() {
        object.insert("reason".into(), name.into());
    }
}

fn put_connect(object: &mut Object, connect: &Connect<'_>) {
    object.insert("protocol".into(), connect.protocol.to_string().into());
    object.insert("client_identifier".into(), connect.client_identifier.into());
    object.insert("clean_start".into(), connect.clean_start.into());
    object.insert("keep_alive".into(), connect.keep_alive.into());
    if let Some(user_name) = connect.user_name {
        object.insert("user_name".into(), user_name.into());
    }
    object.insert("password".into(), connect.password.is_some().into());
    if let Some(will) = &connect.will {
        let mut inner = Object::new();
        inner.insert("topic".into(), will.topic.into());
        inner.insert("qos".into(), (will.qos as u8).into());
        inner.insert("retain".into(), will.retain.into());
        inner.insert("payloadlen".into(), will.payload.len().into());
        if !will.properties.is_empty() {
            let mut text = Vec::new();
            put_properties_object(&mut text, will.properties, masked);
            // The text is our own JSON, so parsing it cannot fail.
            inner.insert("properties".into(), serde_json::from_slice(&text).unwrap_or_default());
        }
        object.insert("will".into(), inner.into());
    }
}

fn put_publish(object: &mut Object, publish: &Publish<'_>) {
    object.insert("topic".into(), String::from_utf8_lossy(publish.topic).into());
    object.insert("qos".into(), (publish.qos as u8).into());
    object.insert("retain".into(), publish.retain.into());
    object.insert("dup".into(), publish.dup.into());
    if publish.packet_identifier != 0 {
        object.insert("mid".into(), publish.packet_identifier.into());
    }
    object.insert("payloadlen".into(), publish.payload.len().into());
}

fn subscription(one: &Subscription<'_>) -> Value {
    json!({
        "filter": one.filter,
        "qos": one.qos as u8,
        "no_local": one.no_local,
        "retain_as_published": one.retain_as_published,
        "retain_handling": one.retain_handling,
    })
}
