//! Standard error for programs (`--json-events`): what people read as lines, one JSON object a line.
//! `tests/schema/events.schema.json` has every key.

use std::time::SystemTime;

use serde_json::{Map, Value, json};

use super::json::{put_json_line, put_properties_object};
use crate::error::Error;
use crate::protocol::Direction;
use crate::protocol::property::{Properties, PropertyId};
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{Ack, Connect, Packet, Publish, Subscription};

/// The version of the format: it changes when a key does.
const VERSION: u32 = 1;

type Object = Map<String, Value>;

/// What every event begins with.
fn opening(kind: &str) -> Object {
    let mut object = Object::new();
    object.insert("type".into(), kind.into());
    object.insert("version".into(), VERSION.into());
    object.insert("tst".into(), humantime::format_rfc3339_micros(SystemTime::now()).to_string().into());
    object
}

fn line(object: &Object) -> String {
    let mut line = Vec::new();
    put_json_line(&mut line, object);
    String::from_utf8_lossy(&line).into_owned()
}

/// Anything that is said in a sentence: a warning, a change of state, a line of a report.
pub(super) fn text(kind: &str, message: &str) -> String {
    let mut object = opening(kind);
    object.insert("message".into(), message.into());
    line(&object)
}

/// An error, with where it happened if only a part of the work failed.
pub(super) fn error(place: Option<&str>, error: &Error) -> String {
    let mut object = opening("error");
    object.insert("message".into(), error.to_string().into());
    if let Some(place) = place {
        object.insert("place".into(), place.into());
    }
    if let Error::Refused { reason, .. } = error {
        put_reason(&mut object, *reason);
    }
    if let Some(hint) = error.hint() {
        object.insert("hint".into(), hint.into());
    }
    line(&object)
}

/// A packet on its way.
pub(super) fn packet(direction: Direction, packet: &Packet<'_>) -> String {
    let mut object = opening("packet");
    let direction = match direction {
        Direction::Sent => "sent",
        Direction::Received => "received",
    };
    object.insert("direction".into(), direction.into());
    object.insert("packet".into(), packet.kind().name().into());
    match packet {
        Packet::Connect(connect) => put_connect(&mut object, connect),
        Packet::ConnAck { session_present, reason, properties } => {
            object.insert("session_present".into(), (*session_present).into());
            put_reason(&mut object, *reason);
            put_properties(&mut object, *properties);
        }
        Packet::Publish(publish) => put_publish(&mut object, publish),
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
            put_ack(&mut object, ack);
        }
        Packet::Subscribe { packet_identifier, properties, filters } => {
            object.insert("mid".into(), (*packet_identifier).into());
            object.insert("filters".into(), filters.iter().map(|filter| subscription(&filter)).collect());
            put_properties(&mut object, *properties);
        }
        Packet::Unsubscribe { packet_identifier, properties, filters } => {
            object.insert("mid".into(), (*packet_identifier).into());
            object.insert(
                "filters".into(),
                filters.iter().map(|one| json!({ "filter": one.filter })).collect(),
            );
            put_properties(&mut object, *properties);
        }
        Packet::SubAck { packet_identifier, properties, reasons }
        | Packet::UnsubAck { packet_identifier, properties, reasons } => {
            object.insert("mid".into(), (*packet_identifier).into());
            object.insert("reason_codes".into(), reasons.iter().copied().collect());
            put_properties(&mut object, *properties);
        }
        Packet::PingReq | Packet::PingResp => {}
        Packet::Disconnect { reason, properties } | Packet::Auth { reason, properties } => {
            put_reason(&mut object, *reason);
            put_properties(&mut object, *properties);
        }
    }
    line(&object)
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
        put_properties(&mut inner, will.properties);
        object.insert("will".into(), inner.into());
    }
    put_properties(object, connect.properties);
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
    put_properties(object, publish.properties);
}

fn put_ack(object: &mut Object, ack: &Ack<'_>) {
    object.insert("mid".into(), ack.packet_identifier.into());
    put_reason(object, ack.reason);
    put_properties(object, ack.properties);
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

/// The properties as in the record of a message; of authentication data the length only.
fn put_properties(object: &mut Object, properties: Properties<'_>) {
    if properties.is_empty() {
        return;
    }
    let mut text = Vec::new();
    put_properties_object(&mut text, properties);
    // It was written by ourselves; were it no JSON, there would be no properties to show.
    let mut shown: Object = serde_json::from_slice(&text).unwrap_or_default();
    if let Some(data) = properties.binary(PropertyId::AuthenticationData) {
        shown.shift_remove(PropertyId::AuthenticationData.name());
        shown.insert("authentication-data-length".into(), data.len().into());
    }
    object.insert("properties".into(), shown.into());
}
