//! Packets as text, for `-d`: the lines of mosquitto's clients, which users and their scripts know. What
//! mosquitto does not show follows on indented lines: properties, and the name of a Reason Code that reports
//! a failure.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::manner::{Mosquitto, Program};
use crate::masking::masked;
use crate::notation::hex::Hex;
use crate::protocol::property::{Properties, Property, PropertyId, Value};
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{Ack, Connect, Packet};
use crate::protocol::{Direction, Protocol};
use crate::quotation::{MOST_PROPERTIES, cut};

/// Calls `line` for each line about the packet.
pub(super) fn describe(
    client_identifier: &str,
    direction: Direction,
    packet: &Packet<'_>,
    line: &mut dyn FnMut(&str),
) {
    match packet {
        Packet::Connect(connect) => {
            let client = named(client_identifier);
            line(&format!("Client {client} sending CONNECT ({})", connect_fields(connect)));
        }
        _ => describe_as_mosquitto(&named(client_identifier), direction, packet, None, line),
    }
    describe_further(packet, line);
}

/// State for differences of mosquitto's own clients: a CONNACK is received before the client has a name, and
/// a QoS 0 message has a number too.
#[derive(Debug, Default)]
pub(super) struct Counted {
    latest: u16,
}

impl Counted {
    /// Calls `line` for each line about the packet. Only `mosquitto_sub` shows the granted QoS, and not with
    /// `--quiet`.
    pub(super) fn describe(
        &mut self,
        client_identifier: &str,
        direction: Direction,
        packet: &Packet<'_>,
        mosquitto: Mosquitto,
        line: &mut dyn FnMut(&str),
    ) {
        let (mut client, mut number) = (named(client_identifier), None);
        match packet {
            Packet::ConnAck { .. } if client_identifier.is_empty() => client = "(null)".into(),
            Packet::Publish(publish) if direction == Direction::Sent => {
                let next = self.latest.wrapping_add(1);
                self.latest = if publish.packet_identifier == 0 { next } else { publish.packet_identifier };
                number = Some(self.latest);
            }
            Packet::Subscribe { packet_identifier, .. } | Packet::Unsubscribe { packet_identifier, .. } => {
                self.latest = *packet_identifier;
            }
            _ => {}
        }
        if let Packet::ConnAck { reason, .. } = packet
            && mosquitto.protocol != Protocol::V5
        {
            return line(&format!("Client {client} received CONNACK ({})", reason.to_return_code()));
        }
        let tells_granted = mosquitto.program == Program::Subscribe && !mosquitto.quiet;
        let is_answer = matches!(packet, Packet::SubAck { .. });
        let mut said = 0;
        describe_as_mosquitto(&client, direction, packet, number, &mut |text| {
            said += 1;
            if tells_granted || !is_answer || said == 1 {
                line(text);
            }
        });
    }
}

fn named(client_identifier: &str) -> Cow<'_, str> {
    if client_identifier.is_empty() { Cow::Borrowed("null") } else { cut(client_identifier) }
}

/// The lines of mosquitto alone. A message may be given a number.
fn describe_as_mosquitto(
    client: &str,
    direction: Direction,
    packet: &Packet<'_>,
    number: Option<u16>,
    line: &mut dyn FnMut(&str),
) {
    let sending = direction == Direction::Sent;
    let verb = if sending { "sending" } else { "received" };
    let mut say = |what: std::fmt::Arguments<'_>| line(&format!("Client {client} {verb} {what}"));
    let identifier = |ack: &Ack<'_>| {
        if sending {
            format!("m{}", ack.packet_identifier)
        } else {
            format!("Mid: {}", ack.packet_identifier)
        }
    };
    let with_reason = |ack: &Ack<'_>| {
        let label = if sending { " rc" } else { " RC:" };
        format!("{},{label}{}", identifier(ack), ack.reason.0)
    };
    match packet {
        Packet::Connect(_) => say(format_args!("CONNECT")),
        Packet::ConnAck { reason, .. } => say(format_args!("CONNACK ({})", reason.0)),
        Packet::Publish(publish) => say(format_args!(
            "PUBLISH (d{}, q{}, r{}, m{}, '{}', ... ({} bytes))",
            u8::from(publish.dup),
            publish.qos,
            u8::from(publish.retain),
            number.unwrap_or(publish.packet_identifier),
            cut(&String::from_utf8_lossy(publish.topic)),
            publish.payload.len()
        )),
        // Like mosquitto these arms omit the Reason Code; a failure is shown on another line.
        Packet::PubRec(ack) if !sending && !ack.reason.is_failure() => {
            say(format_args!("PUBREC ({})", identifier(ack)));
        }
        Packet::PubRel(ack) if !ack.reason.is_failure() => say(format_args!("PUBREL ({})", identifier(ack))),
        Packet::PubComp(ack) if sending && !ack.reason.is_failure() => {
            say(format_args!("PUBCOMP ({})", identifier(ack)));
        }
        Packet::PubAck(ack) => say(format_args!("PUBACK ({})", with_reason(ack))),
        Packet::PubRec(ack) => say(format_args!("PUBREC ({})", with_reason(ack))),
        Packet::PubRel(ack) => say(format_args!("PUBREL ({})", with_reason(ack))),
        Packet::PubComp(ack) => say(format_args!("PUBCOMP ({})", with_reason(ack))),
        Packet::Subscribe { packet_identifier, filters, .. } => {
            for filter in filters.iter() {
                let options = u8::from(filter.no_local) << 2
                    | u8::from(filter.retain_as_published) << 3
                    | filter.retain_handling << 4;
                say(format_args!(
                    "SUBSCRIBE (Mid: {packet_identifier}, Topic: {}, QoS: {}, Options: 0x{options:02x})",
                    cut(filter.filter),
                    filter.qos
                ));
            }
        }
        Packet::SubAck { packet_identifier, reasons, .. } => {
            say(format_args!("SUBACK"));
            let mut granted = format!("Subscribed (mid: {packet_identifier})");
            for (index, reason) in reasons.iter().enumerate() {
                // Writing to a String cannot fail.
                let _ = write!(granted, "{} {reason}", if index == 0 { ":" } else { "," });
            }
            line(&granted);
        }
        Packet::Unsubscribe { packet_identifier, filters, .. } => {
            for filter in filters.iter() {
                say(format_args!("UNSUBSCRIBE (Mid: {packet_identifier}, Topic: {})", cut(filter.filter)));
            }
        }
        Packet::UnsubAck { .. } => say(format_args!("UNSUBACK")),
        Packet::PingReq => say(format_args!("PINGREQ")),
        Packet::PingResp => say(format_args!("PINGRESP")),
        Packet::Disconnect { .. } if sending => say(format_args!("DISCONNECT")),
        Packet::Disconnect { reason, .. } => line(&format!("Received DISCONNECT ({})", reason.0)),
        Packet::Auth { reason, .. } => say(format_args!("AUTH (rc{})", reason.0)),
    }
}

/// The content of a CONNECT, in the letters of the log of mosquitto's broker. Of a password only the presence
/// is shown.
fn connect_fields(connect: &Connect<'_>) -> String {
    let Connect { protocol, clean_start, keep_alive, .. } = connect;
    let mut fields = format!("v{protocol}, c{}, k{keep_alive}", u8::from(*clean_start));
    // Writing to a String cannot fail.
    if let Some(user_name) = connect.user_name {
        let _ = write!(fields, ", u'{}'", cut(user_name));
    }
    if connect.password.is_some() {
        fields.push_str(", password");
    }
    if let Some(will) = &connect.will {
        let (retain, bytes) = (u8::from(will.retain), will.payload.len());
        let topic = cut(will.topic);
        let _ = write!(fields, ", will (q{}, r{retain}, '{topic}', ... ({bytes} bytes))", will.qos);
    }
    fields
}

fn describe_further(packet: &Packet<'_>, line: &mut dyn FnMut(&str)) {
    let (reason, many): (Option<ReasonCode>, &[u8]) = match packet {
        Packet::PubAck(ack) | Packet::PubRec(ack) | Packet::PubRel(ack) | Packet::PubComp(ack) => {
            (Some(ack.reason), &[])
        }
        Packet::ConnAck { session_present, reason, .. } => {
            if *session_present {
                line("    session present");
            }
            (Some(*reason), &[])
        }
        Packet::Disconnect { reason, .. } | Packet::Auth { reason, .. } => (Some(*reason), &[]),
        Packet::SubAck { reasons, .. } | Packet::UnsubAck { reasons, .. } => (None, *reasons),
        _ => (None, &[]),
    };
    // Each reason once: the peer may repeat the same for any number of filters.
    let mut said = [false; 256];
    for reason in reason.into_iter().chain(many.iter().copied().map(ReasonCode)) {
        if reason.is_failure() && !std::mem::replace(&mut said[usize::from(reason.0)], true) {
            line(&format!("    {reason}"));
        }
    }
    properties("", packet.properties(), line);
    if let Packet::Connect(connect) = packet
        && let Some(will) = &connect.will
    {
        properties("will ", will.properties, line);
    }
}

fn properties(whose: &str, properties: Properties<'_>, line: &mut dyn FnMut(&str)) {
    let mut all = properties.iter();
    for Property { id, value } in all.by_ref().take(MOST_PROPERTIES) {
        let name = id.name();
        line(&match value {
            // Authentication data may be as secret as a password.
            Value::Binary(bytes) if id == PropertyId::AuthenticationData => {
                format!("    {whose}{name}: ... ({} bytes)", bytes.len())
            }
            Value::Binary(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => format!("    {whose}{name}: {}", told(text)),
                Err(_) => format!("    {whose}{name}: hex:{}", cut(&Hex(bytes).to_string())),
            },
            Value::Number(number) => format!("    {whose}{name}: {number}"),
            Value::Text(text) => format!("    {whose}{name}: {}", told(text)),
            Value::Pair(key, value) => format!("    {whose}{name}: {}={}", told(key), told(value)),
        });
    }
    let others = all.count();
    if others > 0 {
        line(&format!("    and {others} more properties"));
    }
}

/// A text of the peer, shortened and with our secrets masked.
fn told(text: &str) -> String {
    cut(&masked(text)).into_owned()
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::Direction::{Received, Sent};
    use super::*;
    use crate::protocol::QoS;
    use crate::protocol::property::PropertyBlock;
    use crate::protocol::reason::ReasonCode;
    use crate::protocol::wire::{self, PacketType, Subscription};

    fn lines(direction: Direction, put: impl FnOnce(&mut BytesMut)) -> Vec<String> {
        let mut bytes = BytesMut::new();
        put(&mut bytes);
        let mut lines = Vec::new();
        let packet = wire::decode(Protocol::V5, &bytes).unwrap();
        describe("", direction, &packet, &mut |line| lines.push(line.to_owned()));
        lines
    }

    #[test]
    fn the_lines_of_mosquitto() {
        let none = PropertyBlock::default();
        let v5 = Protocol::V5;
        let ack = |direction, packet, reason| {
            lines(direction, |out| wire::ack(out, v5, packet, 1, reason)).concat()
        };
        let ok = ReasonCode::SUCCESS;
        assert_eq!(
            lines(Received, |out| wire::connack(out, v5, false, ok, &none)),
            ["Client null received CONNACK (0)"]
        );
        assert_eq!(ack(Sent, PacketType::PubAck, ok), "Client null sending PUBACK (m1, rc0)");
        assert_eq!(ack(Received, PacketType::PubAck, ok), "Client null received PUBACK (Mid: 1, RC:0)");
        assert_eq!(ack(Sent, PacketType::PubRec, ok), "Client null sending PUBREC (m1, rc0)");
        assert_eq!(ack(Received, PacketType::PubRec, ok), "Client null received PUBREC (Mid: 1)");
        assert_eq!(
            ack(Received, PacketType::PubRec, ReasonCode(135)),
            "Client null received PUBREC (Mid: 1, RC:135)    Not authorized (0x87)"
        );
        assert_eq!(ack(Sent, PacketType::PubRel, ok), "Client null sending PUBREL (m1)");
        assert_eq!(ack(Received, PacketType::PubRel, ok), "Client null received PUBREL (Mid: 1)");
        assert_eq!(ack(Sent, PacketType::PubComp, ok), "Client null sending PUBCOMP (m1)");
        assert_eq!(ack(Received, PacketType::PubComp, ok), "Client null received PUBCOMP (Mid: 1, RC:0)");
        assert_eq!(lines(Sent, wire::ping_request), ["Client null sending PINGREQ"]);
        assert_eq!(
            lines(Received, |out| wire::disconnect(out, v5, ReasonCode(139), &none)),
            ["Received DISCONNECT (139)", "    Server shutting down (0x8B)"]
        );
        assert_eq!(
            lines(Sent, |out| wire::disconnect(out, v5, ok, &none)),
            ["Client null sending DISCONNECT"]
        );
    }

    #[test]
    fn publish_and_subscribe_say_what_they_carry() {
        let none = PropertyBlock::default();
        let v5 = Protocol::V5;
        let template = wire::PublishTemplate::new(v5, b"x/a", QoS::ExactlyOnce, true, &none);
        assert_eq!(
            lines(Sent, |out| template.put(out, 1, false, b"x")),
            ["Client null sending PUBLISH (d0, q2, r1, m1, 'x/a', ... (1 bytes))"]
        );
        let filter = |filter, qos| Subscription {
            filter,
            qos,
            no_local: true,
            retain_as_published: false,
            retain_handling: 2,
        };
        let filters = [filter("a", QoS::AtMostOnce), filter("b/#", QoS::AtLeastOnce)];
        assert_eq!(
            lines(Sent, |out| wire::subscribe(out, v5, 1, &filters, &none)),
            [
                "Client null sending SUBSCRIBE (Mid: 1, Topic: a, QoS: 0, Options: 0x24)",
                "Client null sending SUBSCRIBE (Mid: 1, Topic: b/#, QoS: 1, Options: 0x24)"
            ]
        );
        assert_eq!(
            lines(Received, |out| wire::suback(out, v5, 1, &[ReasonCode(2), ReasonCode(135)])),
            ["Client null received SUBACK", "Subscribed (mid: 1): 2, 135", "    Not authorized (0x87)"]
        );
        assert_eq!(
            lines(Sent, |out| wire::unsubscribe(out, v5, 2, &["z"], &none)),
            ["Client null sending UNSUBSCRIBE (Mid: 2, Topic: z)"]
        );
    }

    /// Properties, which mosquitto omits, are on lines of their own, without secrets.
    #[test]
    fn properties_have_lines_of_their_own() {
        let mut block = PropertyBlock::default();
        block.push(PropertyId::SessionExpiryInterval, Value::Number(60));
        block.push(PropertyId::UserProperty, Value::Pair("k", "v"));
        block.push(PropertyId::AuthenticationMethod, Value::Text("X"));
        block.push(PropertyId::AuthenticationData, Value::Binary(b"secret"));
        let mut will = PropertyBlock::default();
        will.push(PropertyId::CorrelationData, Value::Binary(&[0xff, 0]));
        let connect = Connect {
            protocol: Protocol::V5,
            clean_start: true,
            keep_alive: 60,
            properties: block.view(),
            client_identifier: "me",
            will: Some(wire::Will {
                qos: QoS::AtLeastOnce,
                retain: true,
                properties: will.view(),
                topic: "w",
                payload: b"gone",
            }),
            user_name: Some("name"),
            password: Some(b"secret"),
        };
        assert_eq!(
            lines(Sent, |out| wire::connect(out, &connect)),
            [
                "Client null sending CONNECT (v5, c1, k60, u'name', password, will (q1, r1, 'w', ... (4 bytes)))",
                "    session-expiry-interval: 60",
                "    user-property: k=v",
                "    authentication-method: X",
                "    authentication-data: ... (6 bytes)",
                "    will correlation-data: hex:ff00",
            ]
        );
    }
}
