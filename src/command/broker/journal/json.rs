//! The events of the broker in JSON, one object per line, for scripts that test clients;
//! `tests/schema/events.schema.json` describes every key.

use serde_json::Value;

use crate::broker::{BrokerEvent, DropCause, EventKind, Leaving};
use crate::output::{EventSource, broker_event, broker_packet};
use crate::protocol::reason::ReasonCode;

type Member = (&'static str, Value);

/// A line with the number of missing lines.
pub(super) fn gap(count: u64) -> String {
    broker_event(EventSource { connection: None, client: None }, "gap", [("count", count.into())])
}

/// The line of an event; empty for packets that are not shown, and for events that are visible in a packet.
pub(super) fn line(event: &BrokerEvent<'_>, shows_packets: bool) -> String {
    let source = EventSource { connection: event.origin.map(|origin| origin.number), client: event.client };
    let (kind, members): (_, Vec<Member>) = match &event.kind {
        EventKind::Packet(direction, packet) if shows_packets => {
            return broker_packet(source, *direction, packet);
        }
        // SUBACK shows it.
        EventKind::Packet(..) | EventKind::Subscribed { .. } => return String::new(),
        EventKind::Arrived => ("arrived", arrived(event)),
        EventKind::Accepted { connect, keep_alive, session_present } => {
            let mut members = vec![("protocol", connect.protocol.to_string().into())];
            members.extend(connect.user_name.map(|name| ("user_name", name.into())));
            members.push(("clean_start", connect.clean_start.into()));
            members.push(("keep_alive", (*keep_alive).into()));
            members.push(("session_present", (*session_present).into()));
            ("accepted", members)
        }
        EventKind::Denied { publish, topic, reason } => {
            let mut members = vec![("topic", (*topic).into()), ("qos", (publish.qos as u8).into())];
            let identifier = Some(publish.packet_identifier).filter(|identifier| *identifier != 0);
            members.extend(identifier.map(|identifier| ("mid", identifier.into())));
            members.push(("payloadlen", publish.payload.len().into()));
            members.extend(reasons(*reason));
            ("refused_message", members)
        }
        EventKind::Dropped { topic, qos, payload_bytes, cause } => {
            let cause = match cause {
                DropCause::Limit => "limit",
                DropCause::TooLarge => "too-large",
                DropCause::Expired => "expired",
            };
            let members = vec![
                ("topic", String::from_utf8_lossy(topic).into()),
                ("qos", (*qos as u8).into()),
                ("payloadlen", (*payload_bytes).into()),
                ("cause", cause.into()),
            ];
            ("dropped", members)
        }
        EventKind::Stalled => ("stalled", Vec::new()),
        EventKind::Will { topic, qos, retain, payload_bytes } => {
            let members = vec![
                ("topic", String::from_utf8_lossy(topic).into()),
                ("qos", (*qos as u8).into()),
                ("retain", (*retain).into()),
                ("payloadlen", (*payload_bytes).into()),
            ];
            ("will", members)
        }
        EventKind::Expired => ("expired", Vec::new()),
        EventKind::Interrupted { is_down, begins } => {
            let fault = if *is_down { "down" } else { "stall" };
            ("fault", vec![("fault", fault.into()), ("begins", (*begins).into())])
        }
        EventKind::Left(leaving) => ("ended", left(leaving)),
    };
    broker_event(source, kind, members)
}

fn arrived(event: &BrokerEvent<'_>) -> Vec<Member> {
    let Some(origin) = event.origin else { return Vec::new() };
    let listener = origin.listener.as_ref().map(|listener| ("listener", listener.to_string().into()));
    let peer = origin.peer.map(|peer| ("address", peer.to_string().into()));
    listener.into_iter().chain(peer).collect()
}

fn left(leaving: &Leaving<'_>) -> Vec<Member> {
    let (cause, reason, message) = match leaving {
        Leaving::Disconnected(reason) => ("disconnect", Some(*reason), String::new()),
        Leaving::Closed => ("closed", None, String::new()),
        Leaving::Silent => ("no-connect", None, String::new()),
        Leaving::Handshake(Some(error)) => ("handshake", None, error.to_string()),
        Leaving::Handshake(None) => ("handshake", None, "it took too long".to_owned()),
        Leaving::Refused(reason, text) => ("refused", Some(*reason), (*text).to_owned()),
        Leaving::Ended(reason, text) => ("broker", Some(*reason), (*text).to_owned()),
        Leaving::Cut => ("cut", None, String::new()),
    };
    let mut members = vec![("cause", cause.into())];
    members.extend(reason.into_iter().flat_map(reasons));
    members.extend(Some(message).filter(|text| !text.is_empty()).map(|text| ("message", text.into())));
    members
}

fn reasons(reason: ReasonCode) -> Vec<Member> {
    let mut members = vec![("reason_code", reason.0.into())];
    members.extend(reason.name().map(|name| ("reason", name.into())));
    members
}
