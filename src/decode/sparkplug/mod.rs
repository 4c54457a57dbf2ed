//! Sparkplug B, version 3.0 of the specification (and 2.2): payloads to and from JSON.
//!
//! A metric's name and type may be only in a birth certificate, so messages are decoded in order. Messages
//! that are not shown describe metrics as well ([`Sparkplug::learn`]).

mod array;
mod births;
mod datatype;
mod encoding;
mod structure;
#[cfg(test)]
mod tests;
mod topic;
mod value;
mod wire;

use std::cell::Cell;
use std::io::{self, Write};

use serde::ser::{Serialize, SerializeMap as _, Serializer};
use serde_json::Value;

use self::births::{BirthCertificate, EdgeNodes, MessageNotes};
pub use self::births::{MOST_EDGE_NODES, MOST_METRICS, MOST_NAME_BYTES};
pub(super) use self::encoding::encode;
use self::structure::{ListJson, Metric, MetricJson, PayloadHead};
use self::topic::SparkplugTopic;
use self::wire::WirePart;
use super::limits::{Converted, MOST_DECODED_BYTES, within_limit};

/// The nesting of a metric in the JSON text: payload object, array, metric.
const METRIC_DEPTH: usize = 3;

/// Decodes messages in order.
#[derive(Debug, Default)]
pub(super) struct Sparkplug {
    nodes: EdgeNodes,
}

impl Sparkplug {
    /// The payload as JSON. `is_covered` tells whether all messages on a topic arrive here.
    pub(super) fn decode(
        &mut self,
        topic: &[u8],
        payload: &[u8],
        is_covered: &dyn Fn(&str) -> bool,
    ) -> Converted {
        let topic = match parse(topic)? {
            SparkplugTopic::State { is_json } => return decode_state(payload, is_json),
            SparkplugTopic::Node(topic) => topic,
        };
        let payload = WirePart::whole(payload);
        let head = PayloadHead::read(payload)?;
        let notes = self.nodes.learn(&topic, payload, &head, is_covered)?;
        let unresolved = Cell::new(0);
        let certificate = self.nodes.certificate(&topic);
        let json = written(&PayloadJson { payload, head, certificate, notes, unresolved: &unresolved })?;
        if unresolved.get() > 0 {
            self.nodes.misses_birth(&topic);
        }
        Ok(json)
    }

    /// Processes a message that is not shown. Messages other than Sparkplug are ignored.
    pub(super) fn learn(&mut self, topic: &[u8], payload: &[u8], is_covered: &dyn Fn(&str) -> bool) {
        let payload = WirePart::whole(payload);
        if let Ok(SparkplugTopic::Node(topic)) = parse(topic)
            && let Ok(head) = PayloadHead::read(payload)
        {
            let _ = self.nodes.learn(&topic, payload, &head, is_covered);
        }
    }

    /// A warning about an edge node, returned once.
    pub(super) fn take_warning(&mut self) -> Option<String> {
        self.nodes.take_warning()
    }
}

/// Decodes one message on its own, without its topic.
pub(super) fn decode(payload: &[u8]) -> Converted {
    let payload = WirePart::whole(payload);
    let head = PayloadHead::read(payload)?;
    let notes = MessageNotes::default();
    written(&PayloadJson { payload, head, certificate: None, notes, unresolved: &Cell::new(0) })
}

fn parse(topic: &[u8]) -> Result<SparkplugTopic<'_>, String> {
    SparkplugTopic::parse(std::str::from_utf8(topic).map_err(|_| "the topic is not UTF-8")?)
}

/// The state of a host application. Up to Sparkplug 2.2 it is a word on the topic `STATE/HOST`.
fn decode_state(payload: &[u8], is_json: bool) -> Converted {
    match payload {
        b"ONLINE" if !is_json => return Ok(br#"{"online":true}"#.to_vec()),
        b"OFFLINE" if !is_json => return Ok(br#"{"online":false}"#.to_vec()),
        _ => {}
    }
    let state = serde_json::from_slice::<Value>(payload);
    let state = state.map_err(|error| format!("the payload of STATE is not JSON: {error}"))?;
    if !state.get("online").is_some_and(Value::is_boolean) {
        return Err("the payload of STATE does not have 'online', true or false".into());
    }
    if !state.get("timestamp").is_some_and(Value::is_u64) {
        return Err("the payload of STATE does not have 'timestamp', a whole number".into());
    }
    within_limit(serde_json::to_vec(&state).map_err(|error| error.to_string())?)
}

/// A payload with the notes about it.
struct PayloadJson<'a> {
    payload: WirePart<'a>,
    head: PayloadHead<'a>,
    certificate: Option<&'a BirthCertificate>,
    notes: MessageNotes,
    unresolved: &'a Cell<u64>,
}

impl PayloadJson<'_> {
    fn resolved<'a>(&'a self, part: WirePart<'a>) -> Result<MetricJson<'a>, String> {
        let mut metric = Metric::read(part)?;
        if let Some(certificate) = self.certificate {
            certificate.resolve(&mut metric);
        }
        self.unresolved.set(self.unresolved.get() + u64::from(metric.is_unresolved()));
        Ok(MetricJson(metric, METRIC_DEPTH))
    }
}

impl Serialize for PayloadJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        self.head.put(&mut map)?;
        let make = |part| self.resolved(part);
        map.serialize_entry("metrics", &ListJson { part: self.payload, number: 2, make })?;
        let notes = MessageNotes { unresolved: self.unresolved.get(), ..self.notes };
        if notes != MessageNotes::default() {
            map.serialize_entry("notes", &NotesJson(notes))?;
        }
        map.end()
    }
}

struct NotesJson(MessageNotes);

impl Serialize for NotesJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let MessageNotes { expected_seq, birth_session, unresolved } = self.0;
        let mut map = serializer.serialize_map(None)?;
        for (key, number) in [("expected_seq", expected_seq), ("birth_bdSeq", birth_session)] {
            if let Some(number) = number {
                map.serialize_entry(key, &number)?;
            }
        }
        if unresolved > 0 {
            map.serialize_entry("unresolved", &unresolved)?;
        }
        map.end()
    }
}

/// The JSON text, within the limit.
fn written(payload: &PayloadJson<'_>) -> Converted {
    let mut out = BoundedJson(Vec::new());
    serde_json::to_writer(&mut out, payload).map_err(|error| error.to_string())?;
    Ok(out.0)
}

/// A buffer that ends at the limit, so that a large payload is not written completely.
struct BoundedJson(Vec<u8>);

impl Write for BoundedJson {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.extend_from_slice(bytes);
        if self.0.len() > MOST_DECODED_BYTES {
            return Err(io::Error::other(format!(
                "it decodes to more than {} MiB",
                MOST_DECODED_BYTES >> 20
            )));
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
