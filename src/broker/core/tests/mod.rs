//! The broker's rules, packet by packet: raw packets go in, and the output is compared as text.

mod arbitrary;
mod connecting;
mod faults;
mod limits;
mod quality;
mod retaining;
mod sessions;
mod sharing;
mod subscribing;
mod turns;
mod wills;

use std::time::{Duration, Instant};

use bytes::BytesMut;

use super::{ConnectionId, Core, Directive};
use crate::broker::access::Access;
use crate::broker::options::Options;
use crate::protocol::Protocol::{self, V3_1, V3_1_1, V5};
use crate::protocol::QoS;
use crate::protocol::property::{Properties, Property, PropertyBlock, PropertyId, Value};
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{
    self, Ack, Connect, LARGEST_PACKET_BYTES, Packet, PacketType, Publish, Subscription, Will,
};

/// A core, and the time.
pub(super) struct World {
    pub(super) core: Core,
    pub(super) now: Instant,
}

/// A connection, and its protocol version.
#[derive(Debug, Clone, Copy)]
pub(super) struct Client {
    id: ConnectionId,
    protocol: Protocol,
}

/// A CONNECT with a clean session and no other options.
pub(super) fn hello(protocol: Protocol, client_identifier: &str) -> Connect<'_> {
    Connect {
        protocol,
        clean_start: true,
        keep_alive: 0,
        properties: Properties::NONE,
        client_identifier,
        will: None,
        user_name: None,
        password: None,
    }
}

/// A block of numeric properties.
pub(super) fn numbers(pairs: &[(PropertyId, u32)]) -> PropertyBlock {
    let mut block = PropertyBlock::default();
    for (id, number) in pairs {
        block.push(*id, Value::Number(*number));
    }
    block
}

pub(super) fn will<'a>(topic: &'a str, payload: &'a str) -> Will<'a> {
    Will {
        qos: QoS::AtMostOnce,
        retain: false,
        properties: Properties::NONE,
        topic,
        payload: payload.as_bytes(),
    }
}

/// A subscription without options.
pub(super) fn filter(filter: &str, qos: u8) -> Subscription<'_> {
    let qos = QoS::from_bits(qos).unwrap();
    Subscription { filter, qos, no_local: false, retain_as_published: false, retain_handling: 0 }
}

/// A PUBLISH; `packet_identifier` is unused at QoS 0.
pub(super) fn message<'a>(topic: &'a str, qos: u8, packet_identifier: u16, payload: &'a str) -> Publish<'a> {
    Publish {
        dup: false,
        qos: QoS::from_bits(qos).unwrap(),
        retain: false,
        packet_identifier,
        topic: topic.as_bytes(),
        properties: Properties::NONE,
        payload: payload.as_bytes(),
    }
}

pub(super) fn connect_bytes(connect: &Connect<'_>) -> BytesMut {
    let mut out = BytesMut::new();
    wire::connect(&mut out, connect);
    out
}

pub(super) fn publish_bytes(protocol: Protocol, publish: &Publish<'_>) -> BytesMut {
    let mut out = BytesMut::new();
    wire::put_publish(&mut out, protocol, publish);
    out
}

impl World {
    pub(super) fn new() -> Self {
        Self::with(Options::default())
    }

    pub(super) fn with(options: Options) -> Self {
        Self { core: Core::new(options), now: Instant::now() }
    }

    /// Opens a connection that has sent no bytes.
    pub(super) fn open(&mut self, protocol: Protocol) -> Client {
        Client { id: self.core.open(None, false, self.now), protocol }
    }

    /// Opens a connection, sends CONNECT, and returns the answer.
    pub(super) fn try_connect(&mut self, connect: &Connect<'_>) -> (Client, Vec<String>) {
        let client = self.open(connect.protocol);
        self.send(client, &connect_bytes(connect));
        (client, self.take(client))
    }

    /// The same for a CONNECT that is accepted; omits packets after CONNACK.
    pub(super) fn join(&mut self, connect: &Connect<'_>) -> Client {
        let (client, answer) = self.try_connect(connect);
        assert!(answer[0].starts_with("CONNACK") && answer[0].contains("0x00"), "{answer:?}");
        client
    }

    pub(super) fn connect(&mut self, protocol: Protocol, name: &str) -> Client {
        self.join(&hello(protocol, name))
    }

    /// Connects a client whose session lasts for a day.
    pub(super) fn connect_kept(&mut self, protocol: Protocol, name: &str) -> (Client, Vec<String>) {
        let block = numbers(&[(PropertyId::SessionExpiryInterval, 86_400)]);
        let properties = if protocol == V5 { block.view() } else { Properties::NONE };
        self.try_connect(&Connect { clean_start: false, properties, ..hello(protocol, name) })
    }

    /// Passes bytes, all of which must be accepted. Returns the number of turns needed.
    pub(super) fn send(&mut self, client: Client, bytes: &[u8]) -> usize {
        let (taken, turns) = self.offer(client, bytes);
        assert_eq!(taken, bytes.len());
        turns
    }

    /// Passes bytes. Returns the number of accepted bytes, and of turns.
    pub(super) fn offer(&mut self, client: Client, bytes: &[u8]) -> (usize, usize) {
        let (mut taken, mut turns) = (0, 0);
        loop {
            turns += 1;
            self.core.resume(client.id, self.now);
            taken += self.core.receive(client.id, &bytes[taken..], self.now);
            while let Some(check) = self.core.take_check() {
                self.core.checked(&check, check.run(), self.now);
            }
            if !self.core.is_unfinished(client.id) {
                return (taken, turns);
            }
        }
    }

    pub(super) fn publish(&mut self, client: Client, publish: &Publish<'_>) {
        self.send(client, &publish_bytes(client.protocol, publish));
    }

    pub(super) fn subscribe(&mut self, client: Client, filters: &[Subscription<'_>]) -> Vec<String> {
        self.subscribe_with(client, filters, &PropertyBlock::default())
    }

    pub(super) fn subscribe_with(
        &mut self,
        client: Client,
        filters: &[Subscription<'_>],
        properties: &PropertyBlock,
    ) -> Vec<String> {
        let mut out = BytesMut::new();
        wire::subscribe(&mut out, client.protocol, 77, filters, properties);
        self.send(client, &out);
        self.take(client)
    }

    pub(super) fn unsubscribe(&mut self, client: Client, filters: &[&str]) -> Vec<String> {
        let mut out = BytesMut::new();
        wire::unsubscribe(&mut out, client.protocol, 78, filters, &PropertyBlock::default());
        self.send(client, &out);
        self.take(client)
    }

    pub(super) fn ack(&mut self, client: Client, packet: PacketType, packet_identifier: u16, reason: u8) {
        let mut out = BytesMut::new();
        wire::ack(&mut out, client.protocol, packet, packet_identifier, ReasonCode(reason));
        self.send(client, &out);
    }

    pub(super) fn disconnect(&mut self, client: Client, reason: u8, properties: &PropertyBlock) {
        let mut out = BytesMut::new();
        wire::disconnect(&mut out, client.protocol, ReasonCode(reason), properties);
        self.send(client, &out);
    }

    /// The transport fails.
    pub(super) fn lose(&mut self, client: Client) {
        self.core.close(client.id, self.now);
    }

    pub(super) fn state(&self, client: Client) -> Directive {
        self.core.state(client.id)
    }

    /// Advances the time, stopping at each deadline.
    pub(super) fn wait(&mut self, duration: Duration) {
        let end = self.now + duration;
        while let Some(at) = self.core.next_deadline().filter(|at| *at <= end) {
            self.now = self.now.max(at);
            self.core.advance(self.now);
        }
        self.now = end;
    }

    pub(super) fn wait_seconds(&mut self, seconds: u64) {
        self.wait(Duration::from_secs(seconds));
    }

    /// Takes the output of a client in pieces of at most this length.
    pub(super) fn take_in_pieces(&mut self, client: Client, most_bytes: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        loop {
            let piece = self.core.output(client.id);
            let piece = &piece[..piece.len().min(most_bytes)];
            if piece.is_empty() {
                return bytes;
            }
            bytes.extend_from_slice(piece);
            let length = piece.len();
            self.core.wrote(client.id, length, self.now);
        }
    }

    /// Takes all output for a client, as text.
    pub(super) fn take(&mut self, client: Client) -> Vec<String> {
        let mut bytes = Vec::new();
        loop {
            self.core.resume(client.id, self.now);
            let output = self.core.output(client.id);
            if output.is_empty() && !self.core.is_unfinished(client.id) {
                break;
            }
            bytes.extend_from_slice(output);
            let length = output.len();
            self.core.wrote(client.id, length, self.now);
        }
        let mut seen = Vec::new();
        let mut rest = &bytes[..];
        while !rest.is_empty() {
            let length = wire::frame(rest, LARGEST_PACKET_BYTES).unwrap().expect("whole packets");
            let (packet, after) = rest.split_at(length);
            seen.push(describe(&wire::decode(client.protocol, packet).expect("legal packets")));
            rest = after;
        }
        seen
    }
}

fn describe_property(text: &mut String, property: &Property<'_>) {
    use std::fmt::Write;
    // Values that are always announced, and texts.
    let constant = [PropertyId::MaximumPacketSize, PropertyId::TopicAliasMaximum, PropertyId::ReasonString];
    if constant.contains(&property.id) {
        return;
    }
    let name = property.id.name();
    let written = match property.value {
        Value::Number(number) => write!(text, " {name}={number}"),
        Value::Text(value) => write!(text, " {name}={value}"),
        Value::Binary(bytes) => write!(text, " {name}={bytes:?}"),
        Value::Pair(key, value) => write!(text, " {key}:{value}"),
    };
    written.unwrap();
}

fn describe_ack<'a>(kind: PacketType, ack: &Ack<'a>) -> (String, Properties<'a>) {
    let reason = if ack.reason.0 == 0 { String::new() } else { format!(" {:#04x}", ack.reason.0) };
    (format!("{} #{}{reason}", kind.name(), ack.packet_identifier), ack.properties)
}

/// A packet on one line, for example `PUBLISH a/b q1 #1 dup retain "payload" content-type=x`.
fn describe(packet: &Packet<'_>) -> String {
    let codes = |codes: &[u8]| codes.iter().fold(String::new(), |text, code| format!("{text} {code:02x}"));
    let (mut text, properties) = match packet {
        Packet::ConnAck { session_present, reason, properties } => {
            let present = if *session_present { " present" } else { "" };
            (format!("CONNACK{present} {:#04x}", reason.0), *properties)
        }
        Packet::Publish(publish) => {
            let identifier = match publish.qos {
                QoS::AtMostOnce => String::new(),
                _ => format!(" #{}", publish.packet_identifier),
            };
            let topic = String::from_utf8_lossy(publish.topic);
            let mut text = format!("PUBLISH {topic} q{}{identifier}", publish.qos);
            if publish.dup {
                text += " dup";
            }
            if publish.retain {
                text += " retain";
            }
            (text + &format!(" {:?}", String::from_utf8_lossy(publish.payload)), publish.properties)
        }
        Packet::PubAck(a) => describe_ack(PacketType::PubAck, a),
        Packet::PubRec(a) => describe_ack(PacketType::PubRec, a),
        Packet::PubRel(a) => describe_ack(PacketType::PubRel, a),
        Packet::PubComp(a) => describe_ack(PacketType::PubComp, a),
        Packet::SubAck { packet_identifier, properties, reasons } => {
            (format!("SUBACK #{packet_identifier}{}", codes(reasons)), *properties)
        }
        Packet::UnsubAck { packet_identifier, properties, reasons } => {
            (format!("UNSUBACK #{packet_identifier}{}", codes(reasons)), *properties)
        }
        Packet::PingResp => ("PINGRESP".to_owned(), Properties::NONE),
        Packet::Disconnect { reason, properties } => (format!("DISCONNECT {:#04x}", reason.0), *properties),
        other => panic!("not from a server: {other:?}"),
    };
    for property in properties.iter() {
        describe_property(&mut text, &property);
    }
    text
}
