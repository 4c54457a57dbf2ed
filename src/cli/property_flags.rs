//! Properties as plain long options, such as `--content-type`, for users who do not know the packets of the
//! standard. They are equivalent to `-D COMMAND NAME VALUE`, and some take units. One table lists them;
//! `property` puts them into the packets.

use std::ffi::OsString;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::property::Packets;
use super::text::{self, shown};
use super::value;
use crate::error::Error;
use crate::notation::hex;
use crate::protocol::property::{Place, PropertyBlock, PropertyId, PropertyKind, Value, out_of_range};
use crate::protocol::topic;
use crate::protocol::wire::PacketType;

/// An option for one property of one packet.
pub(super) struct Flag {
    /// The option as typed, with its dashes.
    pub(super) option: &'static str,
    pub(super) place: Place,
    pub(super) id: PropertyId,
    pub(super) value_name: &'static str,
    pub(super) help: &'static str,
}

const fn flag(
    option: &'static str,
    place: Place,
    id: PropertyId,
    value_name: &'static str,
    help: &'static str,
) -> Flag {
    Flag { option, place, id, value_name, help }
}

const CONNECT: Place = Place::Packet(PacketType::Connect);
const PUBLISH: Place = Place::Packet(PacketType::Publish);
const SUBSCRIBE: Place = Place::Packet(PacketType::Subscribe);
const UNSUBSCRIBE: Place = Place::Packet(PacketType::Unsubscribe);
const DISCONNECT: Place = Place::Packet(PacketType::Disconnect);

use PropertyId as Id;

/// All such options. The values a property may have are defined in `protocol`.
pub(super) const FLAGS: &[Flag] = &[
    flag(
        "--content-type",
        PUBLISH,
        Id::ContentType,
        "TYPE",
        "Content type of the message, such as text/plain",
    ),
    flag(
        "--payload-format-indicator",
        PUBLISH,
        Id::PayloadFormatIndicator,
        "0|1",
        "Whether the payload is bytes of any kind (0) or UTF-8 text (1)",
    ),
    flag(
        "--message-expiry",
        PUBLISH,
        Id::MessageExpiryInterval,
        "DURATION",
        "How long the broker may keep the message for those it has not reached yet, in whole seconds",
    ),
    flag("--response-topic", PUBLISH, Id::ResponseTopic, "TOPIC", "Topic that an answer is expected on"),
    flag(
        "--correlation-data",
        PUBLISH,
        Id::CorrelationData,
        "DATA",
        "What the answer is to be known by: text, or bytes as hex:… or base64:…",
    ),
    flag(
        "--user-property",
        PUBLISH,
        Id::UserProperty,
        "KEY=VALUE",
        "User property of the message; may be repeated",
    ),
    flag(
        "--subscription-identifier",
        SUBSCRIBE,
        Id::SubscriptionIdentifier,
        "NUMBER",
        "Number, 1 to 268435455, that the broker puts on each message it sends for these subscriptions; \
         --json and -F %S show it",
    ),
    flag(
        "--subscribe-user-property",
        SUBSCRIBE,
        Id::UserProperty,
        "KEY=VALUE",
        "User property of the SUBSCRIBE; may be repeated",
    ),
    flag(
        "--unsubscribe-user-property",
        UNSUBSCRIBE,
        Id::UserProperty,
        "KEY=VALUE",
        "User property of the UNSUBSCRIBE; may be repeated",
    ),
    flag(
        "--receive-maximum",
        CONNECT,
        Id::ReceiveMaximum,
        "COUNT",
        "Most QoS 1 and 2 messages the broker may send before they are acknowledged [default: 65535, 1000 for respond]",
    ),
    flag(
        "--topic-alias-maximum",
        CONNECT,
        Id::TopicAliasMaximum,
        "COUNT",
        "How many topic aliases the broker may use [default: 0]",
    ),
    flag(
        "--request-response-information",
        CONNECT,
        Id::RequestResponseInformation,
        "0|1",
        "Whether to ask the broker what response topics are to begin with (shown with -d)",
    ),
    flag(
        "--request-problem-information",
        CONNECT,
        Id::RequestProblemInformation,
        "0|1",
        "Whether the broker may send reason strings and user properties with its answers [default: 1]",
    ),
    flag(
        "--connect-user-property",
        CONNECT,
        Id::UserProperty,
        "KEY=VALUE",
        "User property of the CONNECT; may be repeated",
    ),
    flag(
        "--disconnect-session-expiry",
        DISCONNECT,
        Id::SessionExpiryInterval,
        "DURATION",
        "At the end, change how long the broker keeps the session, as with -x",
    ),
    flag("--disconnect-reason", DISCONNECT, Id::ReasonString, "TEXT", "Reason string of the DISCONNECT"),
    flag(
        "--disconnect-user-property",
        DISCONNECT,
        Id::UserProperty,
        "KEY=VALUE",
        "User property of the DISCONNECT; may be repeated",
    ),
    flag(
        "--will-delay",
        Place::Will,
        Id::WillDelayInterval,
        "DURATION",
        "How long the broker waits before it publishes the will, in whole seconds [default: 0]",
    ),
    flag("--will-content-type", Place::Will, Id::ContentType, "TYPE", "Content type of the will"),
    flag(
        "--will-payload-format-indicator",
        Place::Will,
        Id::PayloadFormatIndicator,
        "0|1",
        "Whether the will's payload is bytes of any kind (0) or UTF-8 text (1)",
    ),
    flag(
        "--will-message-expiry",
        Place::Will,
        Id::MessageExpiryInterval,
        "DURATION",
        "How long the broker may keep the will, once published, for those it has not reached yet",
    ),
    flag("--will-response-topic", Place::Will, Id::ResponseTopic, "TOPIC", "Response topic of the will"),
    flag(
        "--will-correlation-data",
        Place::Will,
        Id::CorrelationData,
        "DATA",
        "Correlation data of the will: text, or bytes as hex:… or base64:…",
    ),
    flag(
        "--will-user-property",
        Place::Will,
        Id::UserProperty,
        "KEY=VALUE",
        "User property of the will; may be repeated",
    ),
];

impl Flag {
    /// Whether a subcommand that sends these packets has the option.
    pub(super) fn belongs_to<P: Packets>(&self) -> bool {
        P::SENT.contains(&self.place)
    }

    /// The long name of the option, without dashes.
    pub(super) fn name(&self) -> &'static str {
        self.option.trim_start_matches('-')
    }

    pub(super) fn repeats(&self) -> bool {
        self.id.kind() == PropertyKind::Pair
    }

    pub(super) fn help_heading(&self) -> &'static str {
        match self.place {
            Place::Will => "Will",
            Place::Packet(PacketType::Connect | PacketType::Disconnect) => "CONNECT and DISCONNECT",
            Place::Packet(_) => "Properties",
        }
    }

    /// Appends the property with this value.
    pub(super) fn push(&self, block: &mut PropertyBlock, typed: &OsString) -> Result<(), Error> {
        let what = self.option;
        let wrong = |why: String| Error::usage(format!("{what} '{}': {why}", shown(typed)));
        let text = || typed.to_str().ok_or_else(|| wrong("it is not UTF-8".into()));
        match self.id.kind() {
            PropertyKind::Pair => {
                let (key, value) = text()?.split_once('=').ok_or_else(|| wrong("use KEY=VALUE".into()))?;
                let (key, value) = (text::string(what, key.into())?, text::string(what, value.into())?);
                block.push(self.id, Value::Pair(&key, &value));
            }
            PropertyKind::Text => {
                let text = text::string(what, text()?.to_owned())?;
                if self.id == Id::ResponseTopic {
                    // [MQTT-3.3.2-14]
                    topic::check_name(text.as_bytes()).map_err(|why| wrong(why.to_string()))?;
                }
                block.push(self.id, Value::Text(&text));
            }
            PropertyKind::Binary => {
                let bytes = binary(typed.as_encoded_bytes()).map_err(wrong)?;
                block.push(self.id, Value::Binary(&bytes));
            }
            _ => {
                let number = match self.id {
                    Id::SessionExpiryInterval => value::session_expiry(text()?).map_err(wrong)?,
                    Id::MessageExpiryInterval | Id::WillDelayInterval => {
                        value::seconds(text()?).map_err(wrong)?
                    }
                    _ => text()?.parse().map_err(|_| wrong("it must be a number".into()))?,
                };
                if let Some(range) = out_of_range(self.id, number) {
                    return Err(wrong(format!("it {range}")));
                }
                block.push(self.id, Value::Number(number));
            }
        }
        Ok(())
    }
}

/// The bytes of a value: after `hex:` or `base64:` decoded, after `text:` the rest as typed, otherwise the
/// whole value as typed.
pub(super) fn binary(raw: &[u8]) -> Result<Vec<u8>, String> {
    let bytes = if let Some(digits) = raw.strip_prefix(b"hex:") {
        hex::decode(digits).ok_or("hex: takes pairs of hexadecimal digits")?
    } else if let Some(encoded) = raw.strip_prefix(b"base64:") {
        STANDARD.decode(encoded).map_err(|_| "invalid base64")?
    } else {
        raw.strip_prefix(b"text:").unwrap_or(raw).to_vec()
    };
    if bytes.len() > usize::from(u16::MAX) {
        return Err(format!("it is {} bytes long; MQTT allows 65535", bytes.len()));
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_every_kind() {
        for (typed, bytes) in [
            ("abc", &b"abc"[..]),
            ("", b""),
            ("hex:", b""),
            ("hex:00fF", b"\x00\xff"),
            ("base64:AP8=", b"\x00\xff"),
            ("text:hex:00", b"hex:00"),
            ("Hex:00", b"Hex:00"),
        ] {
            assert_eq!(binary(typed.as_bytes()).as_deref(), Ok(bytes), "{typed}");
        }
        for bad in ["hex:0", "hex:0g", "hex:é", "base64:AP8", "base64:*"] {
            assert!(binary(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn each_option_is_for_a_property_of_its_packet() {
        for flag in FLAGS {
            assert!(flag.id.allowed_in(flag.place), "{}", flag.option);
        }
    }
}
