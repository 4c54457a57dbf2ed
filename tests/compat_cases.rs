//! The command lines that are compared with mosquitto's real clients, and the server's script for each.

use std::sync::Mutex;

use mqtt::protocol::property::{PropertyId as Id, Value};
use mqtt::protocol::wire::{self, Packet, PacketType};
use mqtt::protocol::{Protocol, QoS};

use crate::compat::{PUB, RR, SUB};
use crate::support::packets::{self, Message};
use crate::support::server::Peer;
use crate::ways::Gate;
use crate::{compat_differences, compat_every_option, compat_hostile, compat_scripts};

/// The script of the server.
#[derive(Debug, Clone, Default)]
pub(crate) struct Script {
    /// The code of CONNACK; `None` for no answer.
    pub(crate) connack: Option<u8>,
    /// Refuse all subscriptions.
    pub(crate) denies: bool,
    /// The Reason Code in PUBACK and PUBREC, in MQTT 5.
    pub(crate) reason: u8,
    /// End each session of MQTT 5 with this Reason Code in a DISCONNECT, instead of an answer to SUBSCRIBE or
    /// PUBLISH.
    pub(crate) disconnects: Option<u8>,
    /// Announce no topic aliases.
    pub(crate) without_alias: bool,
    /// Messages after SUBACK.
    pub(crate) messages: Vec<Vec<u8>>,
    /// Messages after a PUBLISH.
    pub(crate) replies: Vec<Vec<u8>>,
    /// Bytes instead of CONNACK, before the connection is closed.
    pub(crate) answer: &'static [u8],
    /// Close the connection after this packet.
    pub(crate) closes_after: Option<PacketType>,
}

impl Script {
    pub(crate) fn accepts() -> Self {
        Self { connack: Some(0), ..Self::default() }
    }

    pub(crate) fn refuses(code: u8) -> Self {
        Self { connack: Some(code), ..Self::default() }
    }

    pub(crate) fn sends(messages: &[(&str, &[u8])]) -> Self {
        let message = |(topic, payload): &(&str, &[u8])| Message::new(topic, payload).bytes(Protocol::V3_1_1);
        Self { messages: messages.iter().map(message).collect(), ..Self::accepts() }
    }

    pub(crate) fn then(mut self, message: &Message<'_>, protocol: Protocol) -> Self {
        self.messages.push(message.bytes(protocol));
        self
    }

    pub(crate) fn replies(mut self, message: &Message<'_>, protocol: Protocol) -> Self {
        self.replies.push(message.bytes(protocol));
        self
    }

    pub(crate) fn closes_after(self, packet: PacketType) -> Self {
        Self { closes_after: Some(packet), ..self }
    }

    /// Serves one client until it ends, and collects its packets.
    pub(crate) fn serve(&self, peer: &mut Peer, packets: &Mutex<Vec<Vec<u8>>>) {
        let mut protocol = Protocol::V3_1_1;
        while let Some(bytes) = peer.next() {
            packets.lock().unwrap().push(bytes.clone());
            if let [0x10, rest @ ..] = &bytes[..] {
                let level = rest.iter().position(|byte| *byte == b'M').map(|at| &rest[at..]);
                let level = level.and_then(|name| name.iter().copied().find(|byte| (3..=5).contains(byte)));
                protocol = level.and_then(Protocol::from_level).unwrap();
            }
            // A broker closes the connection after a packet that it cannot read.
            let Ok(packet) = wire::decode(protocol, &bytes) else { return };
            if let (Some(reason), Packet::Subscribe { .. } | Packet::Publish(_)) = (self.disconnects, &packet)
            {
                return peer.send(&packets::disconnect(protocol, reason));
            }
            let answer = |kind, identifier| match self.reason {
                0 => packets::ack(kind, identifier),
                reason => packets::ack_with(kind, identifier, reason),
            };
            let kind = match &packet {
                Packet::Connect(_) => {
                    if !self.answer.is_empty() {
                        return peer.send(self.answer);
                    }
                    match self.connack {
                        None => {}
                        Some(0) if protocol == Protocol::V5 && !self.without_alias => {
                            peer.send(&packets::connack_with(&[(Id::TopicAliasMaximum, Value::Number(10))]));
                        }
                        Some(code) => peer.send(&packets::connack(protocol, false, code)),
                    }
                    if self.connack.is_some_and(|code| code > 0) {
                        return;
                    }
                    PacketType::Connect
                }
                Packet::Subscribe { packet_identifier, filters, .. } => {
                    let refusal = if protocol == Protocol::V5 { 135 } else { 128 };
                    let grant = |qos: QoS| if self.denies { refusal } else { qos as u8 };
                    let codes: Vec<u8> = filters.iter().map(|filter| grant(filter.qos)).collect();
                    peer.send(&packets::suback(protocol, *packet_identifier, &codes));
                    for message in &self.messages {
                        peer.send(message);
                    }
                    PacketType::Subscribe
                }
                Packet::Unsubscribe { packet_identifier, filters, .. } => {
                    let codes: Vec<u8> = filters.iter().map(|_| 0).collect();
                    peer.send(&packets::unsuback(protocol, *packet_identifier, &codes));
                    PacketType::Unsubscribe
                }
                Packet::Publish(publish) => {
                    match publish.qos {
                        QoS::AtMostOnce => {}
                        QoS::AtLeastOnce => {
                            peer.send(&answer(PacketType::PubAck, publish.packet_identifier));
                        }
                        QoS::ExactlyOnce => {
                            peer.send(&answer(PacketType::PubRec, publish.packet_identifier));
                        }
                    }
                    for message in &self.replies {
                        peer.send(message);
                    }
                    PacketType::Publish
                }
                Packet::PubRel(ack) => {
                    peer.send(&packets::ack(PacketType::PubComp, ack.packet_identifier));
                    PacketType::PubRel
                }
                Packet::PubRec(ack) => {
                    peer.send(&packets::ack(PacketType::PubRel, ack.packet_identifier));
                    PacketType::PubRec
                }
                Packet::PingReq => {
                    peer.send(&packets::pingresp());
                    PacketType::PingReq
                }
                _ => PacketType::PingResp,
            };
            if self.closes_after == Some(kind) {
                return;
            }
        }
    }
}

/// A command line. ␣ stands for a space, � for a byte that is not UTF-8, and `""` for an empty word. PORT,
/// SOCKET, BROKER, HOME, CA, STRANGER, LONG and DEEP are replaced: the port or the path to connect to, the
/// broker's port behind a proxy, a folder with the files `two`, `empty` and `large` and the folder
/// `authorities`, two authorities, a text of 65,536 bytes and a topic of 202 levels.
pub(crate) struct Case {
    pub(crate) program: &'static str,
    pub(crate) line: String,
    /// The connection between the program and the server.
    pub(crate) gate: Gate,
    pub(crate) script: Script,
    pub(crate) stdin: &'static [u8],
    /// The options file in the home directory; `None` for no home directory.
    pub(crate) options: Option<&'static str>,
    pub(crate) homeless: bool,
    /// The differences that it shows.
    pub(crate) differs: &'static [&'static str],
}

pub(crate) fn case(program: &'static str, line: impl Into<String>, script: Script) -> Case {
    let (line, gate) = (line.into(), Gate::Plain);
    Case { program, line, gate, script, stdin: b"", options: None, homeless: false, differs: &[] }
}

impl Case {
    pub(crate) fn fed(self, stdin: &'static [u8]) -> Self {
        Self { stdin, ..self }
    }

    pub(crate) fn with_options(self, options: &'static str) -> Self {
        Self { options: Some(options), ..self }
    }

    pub(crate) fn through(self, gate: Gate) -> Self {
        Self { gate, ..self }
    }

    fn without_home(self) -> Self {
        Self { homeless: true, ..self }
    }

    pub(crate) fn differs(self, differs: &'static [&'static str]) -> Self {
        Self { differs, ..self }
    }
}

pub(crate) fn plain(program: &'static str, line: impl Into<String>) -> Case {
    case(program, line, Script::accepts())
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = publishing();
    cases.extend(publishing_more());
    cases.extend(subscribing());
    cases.extend(formats());
    cases.extend(requesting());
    cases.extend(compat_every_option::cases());
    cases.extend(compat_hostile::cases());
    cases.extend(compat_differences::cases());
    cases.extend(compat_scripts::SCRIPTS.iter().map(compat_scripts::Practice::case));
    cases
}

fn publishing() -> Vec<Case> {
    vec![
        plain(PUB, "-t a -m x").differs(&["barrier"]),
        plain(PUB, "-t a -m x -q 0 -h localhost").differs(&["barrier"]),
        plain(PUB, "--topic a --message x --qos 1"),
        plain(PUB, "-t a -m x -q 2 -r"),
        plain(PUB, "-t a -n -q 1 --retain"),
        plain(PUB, "-t a --null-message -q 1"),
        plain(PUB, "-t a -t b -m x -q 1"),
        plain(PUB, "-t a -m \"\" -q 1"),
        plain(PUB, "-t a -m -x -q 1"),
        plain(PUB, "-t a -m --help -q 1"),
        plain(PUB, "-t -m -m -t -q 1"),
        plain(PUB, "-q 2 -t a -m x -q 1"),
        plain(PUB, "-q one -t a -m x").differs(&["barrier"]),
        plain(PUB, "-t $SYS/a -m x -q 1"),
        plain(PUB, "-t a -m x -q 1 -V 31"),
        plain(PUB, "-t a -m x -q 1 -V mqttv31 -i me"),
        plain(PUB, "-t a -m x -q 1 -V 311"),
        plain(PUB, "-t a -m x -q 1 -V mqttv5"),
        plain(PUB, "-t a -m x -q 1 -V 5 -V 311"),
        plain(PUB, "-t a -m x -q 1 -i me"),
        plain(PUB, "-t a -m x -q 1 --id me -c"),
        plain(PUB, "-t a -m x -q 1 -i me -c -V 5"),
        plain(PUB, "-t a -m x -q 1 -u me"),
        plain(PUB, "-t a -m x -q 1 -u me -P secret"),
        plain(PUB, "-t a -m x -q 1 --username me --pw secret"),
        plain(PUB, "-t a -m x -q 1 -V 5 -P secret"),
        plain(PUB, "-t a -m x -q 1 -u \"\" -P \"\""),
        plain(PUB, "-L mqtt://localhost:PORT/a/b -m x -q 1"),
        plain(PUB, "-L MQTT://localhost:PORT/a -m x -q 1"),
        plain(PUB, "-L mqtt://me:pw@localhost:PORT/a -m x -q 1"),
        plain(PUB, "-L mqtt://me@localhost:PORT/a -m x -q 1"),
        plain(PUB, "-L mqtt://me:p%40w@localhost:PORT/a%2fb -m x -q 1"),
        plain(PUB, "-L mqtt://localhost/a -m x -q 1 -p PORT"),
        plain(PUB, "-t b -L mqtt://localhost:PORT//a -m x -q 1"),
        plain(PUB, "-t a -m x -q 1 -k 10"),
        plain(PUB, "-t a -m x -q 1 --keepalive 65535"),
        plain(PUB, "-t a -m x -q 1 -A 127.0.0.1"),
        plain(PUB, "-t a -m x -q 1 --nodelay --quiet"),
        plain(PUB, "-t a -m x -q 1 --insecure"),
        plain(PUB, "-t a -m x -q 1 --ciphers no --tls-version tlsv1.2 --tls-alpn mqtt"),
        plain(PUB, "-t a -m x -q 1 --cert no --key no"),
        plain(PUB, "-t a -m x -q 1 -M 5"),
        plain(PUB, "-t a -m x -q 1 --will-topic w"),
        plain(PUB, "-t a -m x -q 1 --will-topic w --will-payload gone --will-qos 1 --will-retain"),
        plain(PUB, "-t a -m x -q 1 --will-qos 2"),
        plain(PUB, "-t a -m x -q 1 -D will content-type text/plain"),
        plain(PUB, "-t a -m x -q 1 --will-topic w -D will will-delay-interval 5 -D will user-property k v"),
    ]
}

fn publishing_more() -> Vec<Case> {
    vec![
        plain(PUB, "-t a -s -q 1").fed(b"two\nlines\n"),
        plain(PUB, "-t a --stdin-file -q 1").fed(b"\0\xff"),
        case(PUB, "-t a -s", Script::accepts()),
        plain(PUB, "-t a -l -q 1").fed(b"a\n\nb\r\nc"),
        plain(PUB, "-t a --stdin-line -q 2").fed(b"a\n"),
        plain(PUB, "-t a -l -q 1"),
        plain(PUB, "-t a -l -q 1 --repeat 3").fed(b"a\n"),
        plain(PUB, "-t a -l").fed(b"a\nb\n").differs(&["barrier"]),
        plain(PUB, "-t a -l -q 1").fed(b"a\0b\n").differs(&["nul"]),
        plain(PUB, "-t a -f /etc/hostname -q 1"),
        plain(PUB, "-t a --file /dev/null -q 1"),
        plain(PUB, "-t a -f /no/such").differs(&["2.1 texts"]),
        plain(PUB, "-t a -m x -q 1 --repeat 3"),
        plain(PUB, "-t a -n -q 1 --repeat 2 --repeat-delay 0.05"),
        plain(PUB, "-t a -m x -q 2 --repeat 2 --repeat-delay no"),
        plain(PUB, "-t a -m x -d").differs(&["barrier"]),
        plain(PUB, "-t a -m x -d -q 1 -i me"),
        plain(PUB, "-t a -m x --debug -q 2 -V 5"),
        plain(PUB, "-t a -m x -d -q 1 --repeat 2 -r"),
        plain(PUB, "-t a -m x -q 1 -D publish content-type text/plain -D publish user-property k v"),
        plain(PUB, "-t a -m x -q 1 -D PUBLISH User-Property k -v --property publish response-topic r"),
        plain(PUB, "-t a -m x -q 1 -D publish correlation-data abc -D publish message-expiry-interval 60"),
        plain(PUB, "-t a -m x -q 1 -D publish message-expiry-interval soon"),
        plain(PUB, "-t a -m x -q 1 -D publish payload-format-indicator 1"),
        plain(PUB, "-t a -m x -q 1 -D publish topic-alias 3 --repeat 2"),
        case(
            PUB,
            "-t a -m x -q 1 -D publish topic-alias 3",
            Script { without_alias: true, ..Script::accepts() },
        )
        .differs(&["topic-alias"]),
        plain(PUB, "-t a -m x -q 1 -D publish payload-format-indicator 7").differs(&["properties"]),
        plain(PUB, "-t a -m x -q 1 -D connect user-property k v -D connect receive-maximum 7"),
        plain(PUB, "-t a -m x -q 1 -D connect maximum-packet-size 1000 -D connect topic-alias-maximum 4"),
        plain(PUB, "-t a -m x -q 1 -D connect session-expiry-interval 20"),
        plain(PUB, "-t a -m x -q 1 -D connect request-problem-information 0"),
        plain(PUB, "-t a -m x -q 1 -D subscribe subscription-identifier 5"),
        plain(PUB, "-t a -m x -q 1 -D disconnect user-property k v -D disconnect reason-string bye"),
        plain(PUB, "-t a -m x -q 1 -V 5 -x 60"),
        plain(PUB, "-t a -m x -q 1 -V 5 -x 0x10"),
        plain(PUB, "-t a -m x -q 1 -V 5 -x 0"),
        plain(PUB, "-t a -m x -q 1 -V 5 -x ∞ -i me"),
        plain(PUB, "-t a -m x -q 1 -x 60").differs(&["2.1 expiry"]),
        case(PUB, "-t a -m x", Script::refuses(5)),
        case(PUB, "-t a -m x", Script::refuses(4)),
        case(PUB, "-t a -m x -i me", Script::refuses(2)),
        case(PUB, "-t a -m x -V 31", Script::refuses(1)),
        case(PUB, "-t a -m x -V 5", Script::refuses(135)),
        case(PUB, "-t a -m x -V 5", Script::refuses(132)),
        case(PUB, "-t a -m x -V 5 -d -q 1", Script::refuses(134)),
        case(PUB, "-t a -m x -q 1", Script::accepts().closes_after(PacketType::Publish)),
        case(PUB, "-t a -m x -q 2", Script::accepts().closes_after(PacketType::Publish)).differs(&["errors"]),
        plain(PUB, "-m x -q 1").with_options("-t a\n"),
        plain(PUB, "-q 1").with_options("# a comment\n-t a b\n\n  -m  two  blanks \r\n-r"),
        plain(PUB, "-t b -q 1").with_options("-t a\n-m x\n-q 2\n"),
        plain(PUB, "-t a").with_options("-m x\n--unknown\n"),
        plain(PUB, "-t a").with_options("-D publish content-type\n"),
        plain(PUB, "-t a").with_options("-m\n"),
        plain(PUB, "-t a -m x -q 1").without_home(),
        plain(PUB, "-q 1 -t a").with_options(LONG_LINE).differs(&["options-file"]),
        plain(PUB, "-t a -m x -q 1 -o /no/such").differs(&["2.1 options"]),
    ]
}

/// An options file with a message that exceeds mosquitto's limit on lines.
const LONG_LINE: &str = {
    static TEXT: [u8; 2003] = {
        let mut text = [b'x'; 2003];
        [text[0], text[1], text[2]] = *b"-m ";
        text
    };
    match std::str::from_utf8(&TEXT) {
        Ok(text) => text,
        Err(_) => "",
    }
};

fn messages() -> Script {
    Script::sends(&[("a", b"hello"), ("a/b", b"world")])
        .then(&Message::new("r", b"kept").retained(), Protocol::V3_1_1)
        .then(&Message::new("e", b""), Protocol::V3_1_1)
}

fn one(message: &Message<'_>) -> Script {
    Script::accepts().then(message, Protocol::V3_1_1)
}

fn subscribing() -> Vec<Case> {
    let v5 = || {
        Script::accepts()
            .then(&Message::new("a", b"one"), Protocol::V5)
            .then(&Message::new("b", b"two"), Protocol::V5)
    };
    vec![
        case(SUB, "-t a -C 4", messages()),
        case(SUB, "--topic a -C 4 -v", messages()),
        case(SUB, "-t a -C 4 --verbose -N", messages()),
        case(SUB, "-t a -C 4 -N", messages()),
        case(SUB, "-t a -t b/# -t +/c -q 1 -C 4", messages()),
        case(SUB, "-t $share/g/a -C 4", messages()),
        case(SUB, "-t # -C 3 -R", messages()),
        case(SUB, "-t # -C 3 -T a -v", messages()),
        case(SUB, "-t # -C 2 --filter-out a/# -v", messages()),
        case(SUB, "-t # -C 1 -T + -v", Script::sends(&[("a", b"x"), ("a/b", b"y")])),
        case(SUB, "-t a -C 4 -i me -c", messages()),
        case(SUB, "-t a -C 4 -d -i me", messages()),
        case(SUB, "-t a -C 4 -d", messages()),
        case(SUB, "-t a -C 4 --quiet", messages()),
        case(SUB, "-t a -C 1 -q 1", one(&Message::new("a", b"x").at(QoS::AtLeastOnce, 7))),
        case(SUB, "-t a -C 1 -q 1 -d", one(&Message::new("a", b"x").at(QoS::AtLeastOnce, 7)))
            .differs(&["acknowledgement"]),
        case(SUB, "-t a -C 1 -q 2", one(&Message::new("a", b"x").at(QoS::ExactlyOnce, 7)))
            .differs(&["barrier"]),
        case(SUB, "-t a -C 2 -V 5", v5()),
        case(SUB, "-t a -C 2 -V 5 -d -v", v5()),
        case(SUB, "-t a -C 2 -D connect receive-maximum 9", v5()),
        plain(SUB, "-t a -E"),
        plain(SUB, "-t a -E -d"),
        plain(SUB, "-t a -t b -q 2 -E -d"),
        plain(SUB, "-t a -E -V 31 -i me"),
        plain(SUB, "-t a -E -V 5"),
        plain(SUB, "-t a -E -V 5 -R"),
        plain(SUB, "-t a -E -V 5 --retain-as-published"),
        plain(SUB, "-t a -E --retain-as-published"),
        plain(SUB, "-t a -E -V 5 --retain-handling new").differs(&["2.1 options"]),
        plain(SUB, "-t a -E -V 5 --retain-handling never --retain-as-published").differs(&["2.1 options"]),
        plain(SUB, "-t a -E --message-rate").differs(&["2.1 options"]),
        plain(SUB, "-L mqtt://localhost:PORT/a/# -E"),
        plain(SUB, "-t b -L mqtt://me:pw@localhost:PORT/a -t c -E"),
        plain(SUB, "-t a -E -D subscribe subscription-identifier 5"),
        plain(SUB, "-t a -t b -E -D subscribe user-property k v"),
        plain(SUB, "-t a -E -D connect user-property k v -D publish content-type x"),
        plain(SUB, "-t a -E -D disconnect session-expiry-interval 0"),
        plain(SUB, "-t a -E -x 60 -V 5"),
        plain(SUB, "-t a -E -c -i me -V 5"),
        plain(SUB, "-t a -E --will-topic w --will-payload gone"),
        plain(SUB, "-t a -W 1"),
        plain(SUB, "-t a -W 1 -V 5"),
        case(SUB, "-t a -W 1 -C 9 -v", messages()),
        case(SUB, "-t a -W 1", Script::default()).differs(&["timeout"]),
        case(SUB, "-t a", Script::refuses(5)),
        case(SUB, "-t a -d", Script::refuses(5)).differs(&["refused"]),
        case(SUB, "-t a -V 5", Script::refuses(135)),
        case(SUB, "-t a -V 5 --quiet", Script::refuses(132)),
        case(SUB, "-t a", Script { denies: true, ..Script::accepts() }).differs(&["errors"]),
        case(SUB, "-t a -V 5", Script { denies: true, ..Script::accepts() }).differs(&["errors"]),
        case(SUB, "-t a -t b -V 5 -d", Script { denies: true, ..Script::accepts() }).differs(&["errors"]),
        plain(SUB, "-t a -E -U b -U c").differs(&["unsubscribe"]),
        plain(SUB, "-U a -W 1 -c -i me").differs(&["2.1 options"]),
        case(SUB, "-t a -W 1 --remove-retained", one(&Message::new("a", b"x").retained())),
        case(
            SUB,
            "-t a -W 1 --remove-retained -V 5",
            Script::accepts().then(&Message::new("a", b"x").retained(), Protocol::V5),
        )
        .differs(&["remove-retained"]),
        case(SUB, "-t a -C 1 --remove-retained -R", one(&Message::new("a", b"x"))),
        case(SUB, "-t a -C 4 --random-filter 1000", messages()),
        case(SUB, "-t a -C 1 --pretty", one(&Message::new("a", b"x"))),
        case(SUB, "-C 4", messages()).with_options("-t a\n-v\n"),
        case(SUB, "-t b -C 4", messages()).with_options("-t a\n-F %t|%p\n"),
    ]
}

fn formats() -> Vec<Case> {
    let full = || {
        let properties = [
            (Id::PayloadFormatIndicator, Value::Number(1)),
            (Id::MessageExpiryInterval, Value::Number(60)),
            (Id::ContentType, Value::Text("text/plain")),
            (Id::ResponseTopic, Value::Text("r/t")),
            (Id::CorrelationData, Value::Binary(b"cd")),
            (Id::SubscriptionIdentifier, Value::Number(5)),
            (Id::UserProperty, Value::Pair("k", "v")),
            (Id::UserProperty, Value::Pair("k2", "w")),
        ];
        let message = Message::new("a/b", b"{\"x\": [1, {\"y\": 2}], \"o\": {}}").at(QoS::AtLeastOnce, 9);
        Script::accepts().then(&message.with(&properties), Protocol::V5)
    };
    let plain_full = || one(&Message::new("a/b", b"hello").at(QoS::AtLeastOnce, 9));
    let mut cases = Vec::new();
    for line in [
        "-F %t:%p:%q:%r:%l:%m -t a -C 1",
        "-F %% -t a -C 1",
        "-F %x:%X -t a -C 1",
        "-F %3p|%-8p|%8p|%08p -t a -C 1",
        "-F %8t|%-8t|%.2t|%8.1t -t a -C 1",
        "-F %5l|%-5l|%05l|%5m -t a -C 1",
        "-F \\\\|\\a\\e\\n\\r\\t\\v\\0 -t a -C 1",
        "-F @@ -t a -C 1",
        "-F %p -N -t a -C 1",
        "-F %p -v -t a -C 1",
        "-F %5A|%C|%D|%5E|%F|%P|%R|%S -t a -C 1",
        "-F text -t a -C 1",
    ] {
        cases.push(case(SUB, line, plain_full()));
    }
    for line in
        ["-V 5 -F %A|%C|%D|%E|%F|%P|%R|%S -t a -C 1", "-V 5 -F %12C|%-12C|%.4C|%5E|%05E|%8R -t a -C 1"]
    {
        cases.push(case(SUB, line, full()));
    }
    cases.push(case(SUB, "-F %.2:X|%.4-x -t a -C 1", plain_full()).differs(&["2.1 format"]));
    for line in [
        "-V 5 -F %j -t a -C 1",
        "-V 5 -F %J -t a -C 1",
        "-V 5 -F %j --pretty -t a -C 1",
        "-V 5 -F %J --pretty -t a -C 1",
    ] {
        cases.push(case(SUB, line, full()).differs(&["2.1 json"]));
    }
    for (line, payload, differs) in [
        ("-F %j -t a -C 1", &b"x"[..], &["2.1 json"][..]),
        ("-F {\"m\":%j} -t a -C 1", b"\"q\\\n", &["2.1 json"]),
        ("-F %j -t a -C 1", b"", &["2.1 json"]),
        ("-F %J -t a -C 1", b"", &["2.1 json"]),
        ("-F %J -t a -C 1", b"true", &["2.1 json"]),
        ("-F %J -t a -C 1", b"2.50", &["json-numbers"]),
        ("-F %J -t a -C 1", b"no", &["json-invalid"]),
        ("-F %j -t a -C 1", b"\0\x01\xff", &["json-binary"]),
        ("-F %d|%8.2d|%-10d|%010d -t a -C 1", &1.5_f64.to_le_bytes(), &["2.1 format"]),
        ("-F %f|%.3f -t a -C 1", &2.5_f32.to_le_bytes(), &["2.1 format"]),
        ("-F %f -t a -C 1", b"text", &["2.1 format"]),
        ("-F %x -t a -C 1", b"\0\x01\xff", &[]),
        ("-t a -C 1", b"\0\x01\xff\n", &[]),
    ] {
        cases.push(case(SUB, line, one(&Message::new("a", payload))).differs(differs));
    }
    cases
}

fn requesting() -> Vec<Case> {
    let v5 = || Script::accepts().replies(&Message::new("b", b"response"), Protocol::V5);
    let v3 = || Script::accepts().replies(&Message::new("b", b"response"), Protocol::V3_1_1);
    let answered = |line| case(RR, line, v5()).differs(&["rr-disconnect"]);
    let correlated = Message::new("b", b"response").with(&[(Id::CorrelationData, Value::Binary(b"other"))]);
    vec![
        answered("-t a -e b -m x"),
        answered("-t a -e b -n -v"),
        answered("-t a -e b -m x -q 2 -i me"),
        answered("-t a -e b -f /etc/hostname -F %t|%p|%q").differs(&["rr-disconnect", "2.1 rr"]),
        answered("-t a -e b -s -N").fed(b"request").differs(&["rr-disconnect", "2.1 rr"]),
        answered("-t a -e b -m x -d"),
        answered("-t a -e b -m x -d -q 1"),
        answered("-t a -e b -m x -D publish correlation-data abc"),
        answered("-t a -e b -m x -D publish content-type x -D publish user-property k v"),
        answered("-t a -e b -m x -D subscribe user-property k v"),
        answered("-t a -e b -m x -k 30 -u me -P pw"),
        answered("-L mqtt://localhost:PORT/a -e b -m x"),
        answered("-t a -e b -m x -W 9"),
        answered("-t a -e b -m x --will-topic w"),
        answered("-e b").with_options("-t a\n-m x\n"),
        case(RR, "-t a -e b -m x -V 31 -q 1", v3()).differs(&["rr-disconnect"]),
        case(RR, "-t b -e b -m x", v5()).differs(&["rr-disconnect"]),
        case(
            RR,
            "-t a -e b -m x -D publish correlation-data abc",
            Script::accepts().replies(&correlated, Protocol::V5),
        )
        .differs(&["rr-disconnect"]),
        case(RR, "-t a -e b -m x", v5().then(&Message::new("b", b"old").retained(), Protocol::V5))
            .differs(&["rr-retained"]),
        plain(RR, "-t a -e b -m x -W 1"),
        plain(RR, "-t a -e b -m x -W 1 -V 311"),
        case(RR, "-t a -e b -m x", Script::refuses(135)),
        case(RR, "-t a -e b -m x -V 311", Script::refuses(5)).differs(&["rr-return-code"]),
        case(RR, "-t a -e b -m x -q 1", Script::accepts().closes_after(PacketType::Publish))
            .differs(&["errors"]),
    ]
}
