//! `-D COMMAND NAME VALUE` as mosquitto's clients read it, with their refusals and messages.

use std::ffi::OsString;

use super::super::secret::AUTHENTICATION_DATA;
use super::value::{self, Misuse};
use crate::protocol::property::{Place, PropertyId, PropertyKind};
use crate::protocol::wire::PacketType;

/// The packets by name.
const COMMANDS: [(&str, Place); 14] = [
    ("connect", Place::Packet(PacketType::Connect)),
    ("connack", Place::Packet(PacketType::ConnAck)),
    ("publish", Place::Packet(PacketType::Publish)),
    ("puback", Place::Packet(PacketType::PubAck)),
    ("pubrec", Place::Packet(PacketType::PubRec)),
    ("pubrel", Place::Packet(PacketType::PubRel)),
    ("pubcomp", Place::Packet(PacketType::PubComp)),
    ("subscribe", Place::Packet(PacketType::Subscribe)),
    ("suback", Place::Packet(PacketType::SubAck)),
    ("unsubscribe", Place::Packet(PacketType::Unsubscribe)),
    ("unsuback", Place::Packet(PacketType::UnsubAck)),
    ("disconnect", Place::Packet(PacketType::Disconnect)),
    ("auth", Place::Packet(PacketType::Auth)),
    ("will", Place::Will),
];

/// The largest Variable Byte Integer ([MQTT-1.5.5]).
const MOST_VARIABLE: i64 = 268_435_455;

/// The message for a value that MQTT cannot express, with mosquitto's number for the property's type.
fn not_added(name: impl std::fmt::Display, kind: u8) -> Misuse {
    format!("Error adding property {name} {kind}\n")
}

/// A property of the command line.
#[derive(Debug)]
pub(super) struct GivenProperty {
    pub(super) place: Place,
    pub(super) id: PropertyId,
    /// The words after `-D` of `mqtt`.
    pub(super) words: Vec<OsString>,
}

/// The number of words that belong to a `-D` before them.
pub(super) fn words(behind: &[OsString]) -> usize {
    super::super::property::words(behind).min(behind.len())
}

/// The index of the word among them that is a secret.
pub(super) fn secret(behind: &[OsString]) -> Option<usize> {
    let is_secret = behind.get(1).is_some_and(|name| name.eq_ignore_ascii_case(AUTHENTICATION_DATA));
    (is_secret && behind.len() > 2).then_some(2)
}

/// Reads the words after `-D`; returns also how many belong to it.
pub(super) fn read(behind: &[OsString]) -> Result<(GivenProperty, usize), Misuse> {
    let few = || "Error: --property argument given but not enough arguments specified.\n\n".to_owned();
    let [command, name, ..] = behind else { return Err(few()) };
    if behind.len() < 3 {
        return Err(few());
    }
    let (typed_command, typed_name) = (command.display(), name.display());
    let known = COMMANDS.into_iter().find(|(known, _)| command.eq_ignore_ascii_case(known));
    let Some((command, place)) = known else {
        return Err(format!("Error: Invalid command {typed_command} given in --property argument.\n\n"));
    };
    let Some(id) = PropertyId::ALL.iter().copied().find(|id| name.eq_ignore_ascii_case(id.name())) else {
        return Err(format!("Error: Invalid property name {typed_name} given in --property argument.\n\n"));
    };
    let refused =
        |why| format!("Error: {typed_name} property {why} for {typed_command} in --property argument.\n\n");
    if !id.allowed_in(place) {
        return Err(refused("not allowed"));
    }
    let count = words(behind);
    if id == PropertyId::UserProperty && behind.len() < 4 {
        return Err(few());
    }
    match place {
        // mosquitto has no message for this one.
        Place::Packet(PacketType::ConnAck) => return Err(String::new()),
        Place::Packet(PacketType::Publish) if id == PropertyId::SubscriptionIdentifier => {
            return Err(refused("not supported"));
        }
        Place::Will
        | Place::Packet(
            PacketType::Connect
            | PacketType::Publish
            | PacketType::Subscribe
            | PacketType::Unsubscribe
            | PacketType::Disconnect,
        ) => {}
        Place::Packet(_) => return Err(refused("not supported")),
    }
    let mut words = vec![command.into(), id.name().into()];
    let value = &behind[2];
    let most = match id.kind() {
        PropertyKind::Byte | PropertyKind::Flag => Some(i64::from(u8::MAX)),
        PropertyKind::Two | PropertyKind::TwoNotZero => Some(i64::from(u16::MAX)),
        PropertyKind::Four | PropertyKind::FourNotZero | PropertyKind::Variable => Some(i64::from(u32::MAX)),
        PropertyKind::Text | PropertyKind::Binary | PropertyKind::Pair => None,
    };
    if let Some(most) = most {
        let number = value::long(value);
        if !(0..=most).contains(&number) {
            return Err(format!(
                "Error: Property value ({number}) out of range for property {typed_name}.\n\n"
            ));
        }
        if id.kind() == PropertyKind::Variable && number > MOST_VARIABLE {
            return Err(not_added(typed_name, 4));
        }
        words.push(number.to_string().into());
    } else if id.kind() == PropertyKind::Text && !value::is_short_text(value) {
        return Err(not_added(typed_name, 6));
    } else if id.kind() == PropertyKind::Pair
        && !behind[2..count].iter().all(|word| value::is_short_text(word))
    {
        return Err(not_added(typed_name, 7));
    } else if id.kind() == PropertyKind::Binary && value.len() > usize::from(u16::MAX) {
        return Err(format!("Error: Property value too long for property {typed_name}.\n\n"));
    } else {
        words.extend_from_slice(&behind[2..count]);
    }
    Ok((GivenProperty { place, id, words }, count))
}
