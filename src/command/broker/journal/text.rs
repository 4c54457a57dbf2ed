//! The text log in mosquitto's format, which scripts know: the seconds since 1970, a colon, and the event.
//! Events that mosquitto does not log have the same form.

use std::fmt::Write as _;
use std::time::SystemTime;

use crate::broker::{BrokerEvent, ClientOrigin, DropCause, EventKind, Leaving, Listener};
use crate::clock;
use crate::notation::printable::{LineFeed, put_printable};
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{Ack, Connect, Packet, Publish};
use crate::protocol::{Direction, Protocol};
use crate::quotation::cut_line;

/// Mosquitto's name for a client without an identifier.
const UNKNOWN: &str = "<unknown>";

/// A line with its time, without control characters.
pub(super) fn line(text: &str) -> Vec<u8> {
    let mut out = Vec::new();
    put_line(&mut out, text);
    out
}

fn put_line(out: &mut Vec<u8>, text: &str) {
    // A clock before 1970 is shown as 0.
    let seconds = clock::since_1970(SystemTime::now()).unwrap_or_default().as_secs();
    out.extend_from_slice(format!("{seconds}: ").as_bytes());
    put_printable(out, cut_line(text).as_bytes(), LineFeed::Show);
    out.push(b'\n');
}

/// A line with the number of missing lines.
pub(super) fn gap(count: u64) -> String {
    let text = format!("Warning: {count} lines are missing here, as the reader of this log is slow.");
    String::from_utf8(line(&text)).unwrap_or_default()
}

/// The line for a listener.
pub(super) fn opening(listener: &Listener) -> String {
    let kind = match listener.address() {
        _ if listener.web_socket => "websockets",
        Some(address) if address.is_ipv4() => "ipv4",
        Some(_) => "ipv6",
        None => return format!("Opening unix listen socket on path {}.", place(listener)),
    };
    format!("Opening {kind} listen socket on port {}.", place(listener))
}

/// The port of a listener, or the path of its Unix socket.
fn place(listener: &Listener) -> String {
    match listener.address() {
        Some(address) => address.port().to_string(),
        None => listener.to_string().trim_start_matches("unix:").to_owned(),
    }
}

/// The lines for an event.
pub(super) fn lines(event: &BrokerEvent<'_>) -> Vec<u8> {
    let mut out = Vec::new();
    let client = event.client.unwrap_or(UNKNOWN);
    let mut say = |text: &str| put_line(&mut out, text);
    match &event.kind {
        EventKind::Arrived => say(&arrived(event.origin)),
        EventKind::Accepted { connect, keep_alive, .. } => {
            say(&accepted(client, connect, *keep_alive, event.origin));
            match &connect.will {
                None => say("No will message specified."),
                Some(will) => {
                    say(&format!(
                        "Will message specified ({} bytes) (r{}, q{}).",
                        will.payload.len(),
                        u8::from(will.retain),
                        will.qos as u8
                    ));
                    say(&format!("\t{}", will.topic));
                }
            }
        }
        // Before CONNECT is accepted, a client is known by its address.
        EventKind::Packet(Direction::Sent, packet @ Packet::ConnAck { reason, .. })
            if reason.is_failure() =>
        {
            let address = event.origin.and_then(|origin| origin.peer).map(|peer| peer.ip().to_string());
            packet_lines(address.as_deref().unwrap_or(client), Direction::Sent, packet, &mut say);
        }
        EventKind::Packet(direction, packet) => packet_lines(client, *direction, packet, &mut say),
        EventKind::Subscribed { filter, qos } => say(&format!("{client} {} {filter}", *qos as u8)),
        EventKind::Denied { publish, topic, .. } => {
            let denied = Publish { topic: topic.as_bytes(), ..**publish };
            say(&format!("Denied PUBLISH from {client} {}", message(&denied)));
        }
        EventKind::Dropped { topic, qos, payload_bytes, cause } => {
            let why = match cause {
                DropCause::Limit => "a limit is reached",
                DropCause::TooLarge => "it is larger than the client's Maximum Packet Size",
                DropCause::Expired => "it has expired",
            };
            let topic = String::from_utf8_lossy(topic);
            say(&format!(
                "Dropped PUBLISH to {client} (q{}, '{topic}', ... ({payload_bytes} bytes)): {why}.",
                *qos as u8
            ));
        }
        EventKind::Stalled => {
            say(&format!("Client {client} reads nothing; publishers do not wait for it any more."));
        }
        EventKind::Will { topic, qos, retain, payload_bytes } => say(&format!(
            "Publishing will of {client} (q{}, r{}, '{}', ... ({payload_bytes} bytes))",
            *qos as u8,
            u8::from(*retain),
            String::from_utf8_lossy(topic)
        )),
        EventKind::Expired => say(&format!("Expiring client {client} due to timeout.")),
        EventKind::Interrupted { is_down, begins } => {
            let fault = if *is_down { "down" } else { "stall" };
            say(&format!("Fault '{fault}' {}.", if *begins { "begins" } else { "ends" }));
        }
        EventKind::Left(leaving) => say(&left(client, leaving)),
    }
    out
}

fn arrived(origin: Option<&ClientOrigin>) -> String {
    let listener = origin.and_then(|origin| origin.listener.as_deref());
    match (origin.and_then(|origin| origin.peer), listener) {
        (Some(peer), Some(listener)) => {
            format!("New connection from {}:{} on port {}.", peer.ip(), peer.port(), place(listener))
        }
        (_, Some(listener)) => format!("New connection on {}.", place(listener)),
        (_, None) => "New connection of this process.".to_owned(),
    }
}

fn accepted(client: &str, connect: &Connect<'_>, keep_alive: u16, origin: Option<&ClientOrigin>) -> String {
    let level = match connect.protocol {
        Protocol::V3_1 => 1,
        Protocol::V3_1_1 => 2,
        Protocol::V5 => 5,
    };
    let mut text = "New client connected".to_owned();
    if let Some(peer) = origin.and_then(|origin| origin.peer) {
        // A write to a String does not fail.
        let _ = write!(text, " from {}:{}", peer.ip(), peer.port());
    }
    let clean = u8::from(connect.clean_start);
    let _ = write!(text, " as {client} (p{level}, c{clean}, k{keep_alive}");
    if let Some(user) = connect.user_name {
        let _ = write!(text, ", u'{user}'");
    }
    text + ")."
}

/// A summary of a message.
fn message(publish: &Publish<'_>) -> String {
    let Publish { dup, qos, retain, packet_identifier, topic, payload, .. } = publish;
    format!(
        "(d{}, q{}, r{}, m{packet_identifier}, '{}', ... ({} bytes))",
        u8::from(*dup),
        *qos as u8,
        u8::from(*retain),
        String::from_utf8_lossy(topic),
        payload.len()
    )
}

fn packet_lines(client: &str, direction: Direction, packet: &Packet<'_>, say: &mut dyn FnMut(&str)) {
    let (verb, way) = match direction {
        Direction::Sent => ("Sending", "to"),
        Direction::Received => ("Received", "from"),
    };
    let name = packet.kind().name();
    let mut one = |rest: String| say(&format!("{verb} {name} {way} {client}{rest}"));
    match packet {
        // Like mosquitto, log it only when it is accepted.
        Packet::Connect(_) => {}
        Packet::ConnAck { session_present, reason, .. } => {
            one(format!(" ({}, {})", u8::from(*session_present), reason.0));
        }
        Packet::Publish(publish) => one(format!(" {}", message(publish))),
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
            one(acknowledgement(direction, packet, ack));
        }
        Packet::Subscribe { filters, .. } => {
            one(String::new());
            filters.iter().for_each(|one| say(&format!("\t{} (QoS {})", one.filter, one.qos as u8)));
        }
        Packet::Unsubscribe { filters, .. } => {
            one(String::new());
            filters.iter().for_each(|one| say(&format!("\t{}", one.filter)));
        }
        Packet::Disconnect { reason, .. } if direction == Direction::Sent || reason.0 != 0 => {
            one(format!(" (rc{})", reason.0));
        }
        Packet::Auth { reason, .. } => one(format!(" (rc{})", reason.0)),
        Packet::SubAck { .. }
        | Packet::UnsubAck { .. }
        | Packet::PingReq
        | Packet::PingResp
        | Packet::Disconnect { .. } => one(String::new()),
    }
}

fn acknowledgement(direction: Direction, packet: &Packet<'_>, ack: &Ack<'_>) -> String {
    let (identifier, reason) = (ack.packet_identifier, ack.reason.0);
    match (direction, packet) {
        (Direction::Sent, Packet::PubAck(_) | Packet::PubRec(_)) => format!(" (m{identifier}, rc{reason})"),
        (Direction::Sent, _) => format!(" (m{identifier})"),
        (Direction::Received, Packet::PubAck(_) | Packet::PubComp(_)) => {
            format!(" (Mid: {identifier}, RC:{reason})")
        }
        (Direction::Received, _) => format!(" (Mid: {identifier})"),
    }
}

/// Why a connection ended: first in mosquitto's words, then the rest.
fn left(client: &str, leaving: &Leaving<'_>) -> String {
    match leaving {
        Leaving::Disconnected(_) => format!("Client {client} disconnected."),
        Leaving::Closed => format!("Client {client} closed its connection."),
        Leaving::Silent => format!("Client {client} has sent no CONNECT in time, disconnecting."),
        Leaving::Cut => format!("Client {client} disconnected: cut on request."),
        Leaving::Handshake(Some(error)) => {
            format!("Client {client} disconnected: the handshake of TLS or WebSocket failed: {error}.")
        }
        Leaving::Handshake(None) => {
            format!("Client {client} disconnected: the handshake of TLS or WebSocket took too long.")
        }
        Leaving::Refused(reason, text) | Leaving::Ended(reason, text) => ended(client, *reason, text),
    }
}

fn ended(client: &str, reason: ReasonCode, text: &str) -> String {
    let more = if text.is_empty() { String::new() } else { format!(": {text}") };
    match reason {
        ReasonCode::KEEP_ALIVE_TIMEOUT => format!("Client {client} has exceeded timeout, disconnecting."),
        ReasonCode::SESSION_TAKEN_OVER => {
            format!("Client {client} already connected, closing old connection.")
        }
        ReasonCode::NOT_AUTHORIZED | ReasonCode::BAD_USER_NAME_OR_PASSWORD => {
            format!("Client {client} disconnected, not authorised{more}.")
        }
        ReasonCode::MALFORMED_PACKET => {
            format!("Client {client} disconnected due to malformed packet{more}.")
        }
        ReasonCode::PROTOCOL_ERROR => format!("Client {client} disconnected due to protocol error{more}."),
        _ => {
            let name = reason.name().map_or_else(|| format!("0x{:02X}", reason.0), str::to_owned);
            format!("Client {client} disconnected: {name}{more}.")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::QoS;
    use crate::protocol::property::Properties;

    fn shown(client: Option<&str>, kind: EventKind<'_>) -> String {
        let text = String::from_utf8(lines(&BrokerEvent { origin: None, client, kind })).unwrap();
        let shown = text.lines().map(|line| line.split_once(": ").unwrap().1);
        shown.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn client_texts_are_escaped_to_one_line() {
        let topic = "a\n1764510000: New connection\u{1b}[2J";
        let kind = EventKind::Subscribed { filter: topic, qos: QoS::AtLeastOnce };
        let text = shown(Some("c\r"), kind);
        assert_eq!(text, "c\\r 1 a\\n1764510000: New connection\\x1b[2J");
    }

    #[test]
    fn ends_have_their_reasons() {
        for (leaving, text) in [
            (Leaving::Closed, "Client <unknown> closed its connection."),
            (
                Leaving::Ended(ReasonCode::PROTOCOL_ERROR, "a second one"),
                "Client <unknown> disconnected due to protocol error: a second one.",
            ),
            (
                Leaving::Refused(ReasonCode::QUOTA_EXCEEDED, "too many sessions"),
                "Client <unknown> disconnected: Quota exceeded: too many sessions.",
            ),
            (
                Leaving::Ended(ReasonCode::KEEP_ALIVE_TIMEOUT, ""),
                "Client <unknown> has exceeded timeout, disconnecting.",
            ),
        ] {
            assert_eq!(shown(None, EventKind::Left(leaving)), text);
        }
    }

    #[test]
    fn acknowledgements_are_logged_like_mosquitto() {
        let ack = || Ack { packet_identifier: 7, reason: ReasonCode(0x10), properties: Properties::NONE };
        for (direction, packet, text) in [
            (Direction::Sent, Packet::PubAck(ack()), "Sending PUBACK to c (m7, rc16)"),
            (Direction::Received, Packet::PubAck(ack()), "Received PUBACK from c (Mid: 7, RC:16)"),
            (Direction::Sent, Packet::PubRel(ack()), "Sending PUBREL to c (m7)"),
            (Direction::Received, Packet::PubRec(ack()), "Received PUBREC from c (Mid: 7)"),
            (Direction::Received, Packet::PingReq, "Received PINGREQ from c"),
        ] {
            assert_eq!(shown(Some("c"), EventKind::Packet(direction, &packet)), text);
        }
    }
}
