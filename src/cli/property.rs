//! MQTT 5 properties: as in mosquitto (`-D COMMAND NAME VALUE`) and as separate options (`property_flags`).
//! They are checked against the standard before anything is sent.

use std::ffi::{OsStr, OsString};
use std::marker::PhantomData;

use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};

use super::property_flags::{FLAGS, Flag};
use super::text::{self, shown};
use super::words::{self, OptionValue as Typed};
use crate::error::Error;
use crate::protocol::property::{Place, PropertyBlock, PropertyId, PropertyKind, Value, out_of_range};
use crate::protocol::topic;
use crate::protocol::wire::PacketType;

/// The clap identifier of `-D`.
pub(super) const ID: &str = "property";

/// The number of words after `-D` that belong to it: COMMAND, NAME and VALUE, and for a user property KEY and
/// VALUE. They are counted because any of them may begin with a hyphen.
pub(super) fn words(following: &[OsString]) -> usize {
    let is_pair =
        following.get(1).is_some_and(|name| name.eq_ignore_ascii_case(PropertyId::UserProperty.name()));
    if is_pair { 4 } else { 3 }
}

/// Marks the end of the words of one `-D` for clap, which cannot find it by itself.
const TERMINATOR: &str = "\u{1f}end of -D\u{1f}";

/// The line with a [`TERMINATOR`] after each `-D` that could take one more word.
pub(super) fn terminated(definition: &Command, names: usize, line: &[OsString]) -> Vec<OsString> {
    let mut terminated = Vec::with_capacity(line.len());
    let mut taken = 0;
    let is_last = |value: &Typed<'_>| value.arg.get_id() == ID && value.from == 0 && value.number == 2;
    let values =
        if line.iter().any(may_be_property) { words::values(definition, names, line) } else { Vec::new() };
    for value in values.iter().filter(|value| is_last(value)) {
        if self::words(&line[value.word - 2..]) == 3 {
            terminated.extend_from_slice(&line[taken..=value.word]);
            terminated.push(TERMINATOR.into());
            taken = value.word + 1;
        }
    }
    terminated.extend_from_slice(&line[taken..]);
    terminated
}

fn may_be_property(word: &OsString) -> bool {
    let word = word.as_encoded_bytes();
    word == b"--property" || word.starts_with(b"-") && word.ends_with(b"D")
}

/// The packets for `-D`, with mosquitto's names.
const COMMANDS: [(&str, Place); 6] = [
    ("connect", Place::Packet(PacketType::Connect)),
    ("publish", Place::Packet(PacketType::Publish)),
    ("will", Place::Will),
    ("subscribe", Place::Packet(PacketType::Subscribe)),
    ("unsubscribe", Place::Packet(PacketType::Unsubscribe)),
    ("disconnect", Place::Packet(PacketType::Disconnect)),
];

/// The packets with properties that a subcommand sends.
pub(super) trait Packets {
    const SENT: &'static [Place];
}

macro_rules! packets {
    ($($(#[$doc:meta])* $name:ident = [$($place:expr),*];)*) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy)]
            pub(super) struct $name;

            impl Packets for $name {
                const SENT: &'static [Place] = &[$($place),*];
            }
        )*
    };
}

packets! {
    /// Packets of `pub`.
    Publishing = [
        Place::Packet(PacketType::Connect),
        Place::Packet(PacketType::Publish),
        Place::Will,
        Place::Packet(PacketType::Disconnect)
    ];
    /// Packets of `sub`.
    Subscribing = [
        Place::Packet(PacketType::Connect),
        Place::Packet(PacketType::Subscribe),
        Place::Packet(PacketType::Unsubscribe),
        Place::Will,
        Place::Packet(PacketType::Disconnect)
    ];
    /// Packets of `rr`.
    Requesting = [
        Place::Packet(PacketType::Connect),
        Place::Packet(PacketType::Subscribe),
        Place::Packet(PacketType::Publish),
        Place::Will,
        Place::Packet(PacketType::Disconnect)
    ];
    /// Packets of `will-test`.
    WithWill = [Place::Packet(PacketType::Connect), Place::Will, Place::Packet(PacketType::Disconnect)];
    /// Packets of subcommands that only connect, or that send no messages of the user.
    Connecting = [Place::Packet(PacketType::Connect), Place::Packet(PacketType::Disconnect)];
}

/// The properties as typed.
///
/// `Args` is not derived: clap's derive cannot separate the words of two `-D`, and cannot read options from a
/// table.
#[derive(Debug, Clone)]
pub(super) struct PropertyArgs<P> {
    /// The words of each `-D`: three or four.
    given: Vec<Vec<OsString>>,
    /// Each option with its value, in the order of [`FLAGS`].
    flags: Vec<(&'static str, OsString)>,
    packets: PhantomData<P>,
}

impl<P: Packets> FromArgMatches for PropertyArgs<P> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let occurrences = matches.get_occurrences::<OsString>(ID).into_iter().flatten();
        let given = occurrences.map(|words| words.cloned().collect()).collect();
        let mut flags = Vec::new();
        for flag in FLAGS.iter().filter(|flag| flag.belongs_to::<P>()) {
            let values = matches.get_many::<OsString>(flag.name()).into_iter().flatten();
            flags.extend(values.map(|value| (flag.option, value.clone())));
        }
        Ok(Self { given, flags, packets: PhantomData })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl<P: Packets> Args for PropertyArgs<P> {
    fn augment_args(command: Command) -> Command {
        let property = Arg::new(ID)
            .short('D')
            .long("property")
            .help_heading("Properties")
            .help(
                "Add a property to a packet (MQTT 5); may be repeated. COMMAND is connect, publish, \
                 will, subscribe, unsubscribe or disconnect; NAME is the standard's, such as \
                 content-type; user-property takes a KEY and a VALUE",
            )
            .value_names(["COMMAND", "NAME", "VALUE"])
            .num_args(3..=4)
            .value_terminator(TERMINATOR)
            .action(ArgAction::Append)
            .value_parser(clap::value_parser!(OsString));
        let flag = |flag: &Flag| {
            Arg::new(flag.name())
                .long(flag.name())
                .help_heading(flag.help_heading())
                .help(flag.help)
                .value_name(flag.value_name)
                .action(if flag.repeats() { ArgAction::Append } else { ArgAction::Set })
                .value_parser(clap::value_parser!(OsString))
        };
        command.arg(property).args(FLAGS.iter().filter(|flag| flag.belongs_to::<P>()).map(flag))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// The packets of a subcommand, with mosquitto's names, as listed in its definition.
pub(super) fn packets(definition: &Command) -> Vec<&'static str> {
    let has = |flag: &Flag| definition.get_arguments().any(|arg| arg.get_id() == flag.name());
    let is_sent = |place: Place| FLAGS.iter().any(|flag| flag.place == place && has(flag));
    COMMANDS.iter().filter(|(_, place)| is_sent(*place)).map(|(name, _)| *name).collect()
}

/// The names (as in the standard) of the properties that a packet can have.
pub(super) fn properties_of(command: &str) -> Vec<&'static str> {
    let place = COMMANDS.iter().find(|(name, _)| name.eq_ignore_ascii_case(command)).map(|(_, place)| *place);
    let is_allowed = |id: &&PropertyId| place.is_some_and(|place| id.allowed_in(place));
    PropertyId::ALL.iter().filter(is_allowed).map(|id| id.name()).collect()
}

/// The packets of a subcommand, with mosquitto's names.
fn names<P: Packets>() -> Vec<&'static str> {
    COMMANDS.iter().filter(|(_, place)| P::SENT.contains(place)).map(|(name, _)| *name).collect()
}

/// The properties of each packet.
#[derive(Debug, Default)]
pub(super) struct PropertiesByPacket {
    pub(super) connect: PropertyBlock,
    pub(super) publish: PropertyBlock,
    pub(super) will: PropertyBlock,
    pub(super) subscribe: PropertyBlock,
    pub(super) unsubscribe: PropertyBlock,
    pub(super) disconnect: PropertyBlock,
    /// The option that set the first property of the will.
    pub(super) will_asked_by: &'static str,
}

impl PropertiesByPacket {
    fn block(&mut self, place: Place) -> Option<&mut PropertyBlock> {
        Some(match place {
            Place::Will => &mut self.will,
            Place::Packet(PacketType::Connect) => &mut self.connect,
            Place::Packet(PacketType::Publish) => &mut self.publish,
            Place::Packet(PacketType::Subscribe) => &mut self.subscribe,
            Place::Packet(PacketType::Unsubscribe) => &mut self.unsubscribe,
            Place::Packet(PacketType::Disconnect) => &mut self.disconnect,
            Place::Packet(_) => return None,
        })
    }
}

impl<P: Packets> PropertyArgs<P> {
    /// The first option that requires MQTT 5, if any.
    pub(super) fn needs_v5(&self) -> Option<&'static str> {
        if self.given.is_empty() { self.flags.first().map(|(option, _)| *option) } else { Some("-D") }
    }

    /// Checks the properties and sorts them by packet.
    pub(super) fn resolve(&self) -> Result<PropertiesByPacket, Error> {
        let mut properties = PropertiesByPacket { will_asked_by: "-D will", ..PropertiesByPacket::default() };
        for words in &self.given {
            let [command, name, value @ ..] = words.as_slice() else { continue };
            let (command, place) = place(command, &names::<P>())?;
            let id = property(name)?;
            // Valid in a PUBLISH, but a client must not send it ([MQTT-3.3.4-6]).
            let servers_own = command == "publish" && id == PropertyId::SubscriptionIdentifier;
            if !id.allowed_in(place) || servers_own {
                return Err(Error::usage(format!(
                    "-D {command}: property {} is not allowed in this packet",
                    id.name()
                )));
            }
            if let Some(block) = properties.block(place) {
                push(block, command, id, value)?;
            }
        }
        for flag in FLAGS.iter().filter(|flag| flag.belongs_to::<P>()) {
            for (_, value) in self.flags.iter().filter(|(option, _)| *option == flag.option) {
                let Some(block) = properties.block(flag.place) else { continue };
                if flag.id.kind() != PropertyKind::Pair
                    && block.view().iter().any(|other| other.id == flag.id)
                {
                    let (option, id) = (flag.option, flag.id.name());
                    return Err(Error::usage(format!("{option} and -D both give the property {id}")));
                }
                if flag.place == Place::Will && block.is_empty() {
                    properties.will_asked_by = flag.option;
                }
                if let Some(block) = properties.block(flag.place) {
                    flag.push(block, value)?;
                }
            }
        }
        for (command, place) in COMMANDS {
            let Some(block) = properties.block(place) else { continue };
            block.check(place).map_err(|broken| Error::usage(format!("-D {command}: {}", broken.what)))?;
        }
        let connect = properties.connect.view();
        if connect.binary(PropertyId::AuthenticationData).is_some()
            && connect.text(PropertyId::AuthenticationMethod).is_none()
        {
            // [MQTT-3.1.2.11.10]
            return Err(Error::usage("-D connect authentication-data needs authentication-method"));
        }
        Ok(properties)
    }
}

fn place(word: &OsStr, allowed: &[&str]) -> Result<(&'static str, Place), Error> {
    let known = COMMANDS.into_iter().find(|(name, _)| word.eq_ignore_ascii_case(name));
    match known {
        Some((name, place)) if allowed.contains(&name) => Ok((name, place)),
        Some((name, _)) => {
            Err(Error::usage(format!("-D {name}: this command sends no {}", name.to_uppercase()))
                .with_hint(format!("use one of {}", allowed.join(", "))))
        }
        None => Err(Error::usage(format!("-D: unknown packet '{}'", shown(word)))
            .with_hint(format!("use one of {}", allowed.join(", ")))),
    }
}

fn property(word: &OsStr) -> Result<PropertyId, Error> {
    PropertyId::ALL
        .iter()
        .copied()
        .find(|id| word.eq_ignore_ascii_case(id.name()))
        .ok_or_else(|| Error::usage(format!("-D: unknown property '{}'", shown(word))))
}

fn push(block: &mut PropertyBlock, command: &str, id: PropertyId, words: &[OsString]) -> Result<(), Error> {
    let what = format!("-D {command} {}", id.name());
    let value = match (id.kind(), words) {
        (PropertyKind::Pair, [key, value]) => {
            let (key, value) = (utf8(&what, key)?, utf8(&what, value)?);
            block.push(id, Value::Pair(&key, &value));
            return Ok(());
        }
        (PropertyKind::Pair, _) => return Err(Error::usage(format!("{what} takes two words: KEY VALUE"))),
        (_, [value]) => value,
        _ => return Err(Error::usage(format!("{what} takes one value"))),
    };
    match id.kind() {
        PropertyKind::Text => {
            let text = utf8(&what, value)?;
            if id == PropertyId::ResponseTopic {
                // [MQTT-3.3.2-14]
                topic::check_name(text.as_bytes())
                    .map_err(|why| Error::usage(format!("{what} '{}': {why}", shown(value))))?;
            }
            block.push(id, Value::Text(&text));
        }
        PropertyKind::Binary => {
            let bytes = value.as_encoded_bytes();
            if bytes.len() > usize::from(u16::MAX) {
                return Err(Error::usage(format!("{what} is {} bytes long; MQTT allows 65535", bytes.len())));
            }
            block.push(id, Value::Binary(bytes));
        }
        _ => {
            let number = value.to_str().and_then(|text| text.parse::<u32>().ok());
            let Some(number) = number else {
                return Err(Error::usage(format!("{what} '{}': it must be a number", shown(value))));
            };
            if let Some(range) = out_of_range(id, number) {
                return Err(Error::usage(format!("{what} {number}: it {range}")));
            }
            block.push(id, Value::Number(number));
        }
    }
    Ok(())
}

fn utf8(what: &str, word: &OsStr) -> Result<String, Error> {
    match word.to_str() {
        Some(text) => text::string(what, text.to_owned()),
        None => Err(Error::usage(format!("{what} '{}': it is not UTF-8", shown(word)))),
    }
}

/// The properties of CONNECT; those that other options also set are in fields of their own.
pub(super) struct ConnectProperties {
    pub(super) session_expiry_interval: Option<u32>,
    pub(super) maximum_packet_size: Option<u32>,
    pub(super) authentication_method: Option<String>,
    pub(super) authentication_data: Option<Vec<u8>>,
    pub(super) rest: PropertyBlock,
}

/// Splits the properties of CONNECT.
pub(super) fn take_apart(block: &PropertyBlock) -> ConnectProperties {
    ConnectProperties {
        session_expiry_interval: block.view().number(PropertyId::SessionExpiryInterval),
        maximum_packet_size: block.view().number(PropertyId::MaximumPacketSize),
        authentication_method: block.view().text(PropertyId::AuthenticationMethod).map(Into::into),
        authentication_data: block.view().binary(PropertyId::AuthenticationData).map(Into::into),
        rest: block.without(&[
            PropertyId::SessionExpiryInterval,
            PropertyId::MaximumPacketSize,
            PropertyId::AuthenticationMethod,
            PropertyId::AuthenticationData,
        ]),
    }
}
