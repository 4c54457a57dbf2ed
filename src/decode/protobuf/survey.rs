//! Surveys an encoded message before it is decoded: where it violates its schema, and how much memory it
//! would need.

use prost_reflect::{ExtensionDescriptor, FieldDescriptor, Kind, MessageDescriptor};

use super::super::limits::{MOST_MEMORY_BYTES, MOST_NESTING, too_deep};
use crate::memory;
use crate::quotation::shown;

/// The message type that can hold any other.
const ANY: &str = "google.protobuf.Any";

/// Approximate memory of a message's value, in bytes.
const VALUE_BYTES: usize = 64;
/// Approximate memory of a message with fields: a node of its map.
const MESSAGE_BYTES: usize = 768;

/// Approximate memory of an entry of a map field.
const ENTRY_BYTES: usize = 128;

/// Wire types.
const VARINT: u8 = 0;
const FIXED_64: u8 = 1;
const LENGTH: u8 = 2;
const GROUP: u8 = 3;
const GROUP_END: u8 = 4;
const FIXED_32: u8 = 5;

/// The name of the message in an `Any`, from its type URL.
pub(super) fn any_name(url: &str) -> Option<&str> {
    url.rsplit_once('/').map(|(_, name)| name)
}

pub(super) fn no_message_for(url: &str) -> String {
    format!("the schema has no message for '{}'", shown(url))
}

pub(super) struct Survey<'a> {
    payload: &'a [u8],
    at: usize,
    memory_left: usize,
    /// Whether required fields must be present.
    is_complete: bool,
    /// The first field that is not in the schema.
    left_out: Option<String>,
}

/// An error and its position.
struct Fault {
    at: usize,
    /// The names of the fields, the innermost first.
    path: Vec<String>,
    what: String,
}

type Checked<T> = Result<T, Fault>;

impl Fault {
    fn new(at: usize, what: impl Into<String>) -> Self {
        Self { at, path: Vec::new(), what: what.into() }
    }

    fn inside(mut self, field: &str) -> Self {
        self.path.push(field.to_owned());
        self
    }

    /// The error, with the path if there is one.
    fn without_byte(&self) -> String {
        let path: Vec<&str> = self.path.iter().rev().map(String::as_str).collect();
        if path.is_empty() { self.what.clone() } else { format!("field {}: {}", path.join("."), self.what) }
    }
}

impl<'a> Survey<'a> {
    /// Surveys a payload. Returns the first field that is not in the schema.
    ///
    /// # Errors
    /// The byte, the field, and the error there.
    pub(super) fn of_payload(
        descriptor: &MessageDescriptor,
        payload: &'a [u8],
    ) -> Result<Option<String>, String> {
        Self::new(payload, false).run(descriptor).map_err(|fault| {
            let between = if fault.path.is_empty() { ": " } else { ", " };
            format!("at byte {}{between}{}", fault.at, fault.without_byte())
        })
    }

    /// Surveys an encoded message, which must have its required fields.
    ///
    /// # Errors
    /// The field, and the error there.
    pub(super) fn of_encoded(descriptor: &MessageDescriptor, payload: &'a [u8]) -> Result<(), String> {
        Self::new(payload, true).run(descriptor).map(drop).map_err(|fault| fault.without_byte())
    }

    fn new(payload: &'a [u8], is_complete: bool) -> Self {
        Self { payload, at: 0, memory_left: MOST_MEMORY_BYTES, is_complete, left_out: None }
    }

    fn run(mut self, descriptor: &MessageDescriptor) -> Checked<Option<String>> {
        self.message(Some(descriptor), self.payload.len(), None, 0)?;
        let bytes = MOST_MEMORY_BYTES - self.memory_left;
        memory::spare(bytes).map_err(|error| Fault::new(0, format!("values of {bytes} bytes: {error}")))?;
        Ok(self.left_out)
    }

    /// Surveys the fields up to `end`, or to the end of the group with this number. Without a descriptor all
    /// are unknown.
    fn message(
        &mut self,
        descriptor: Option<&MessageDescriptor>,
        end: usize,
        group: Option<u32>,
        level: usize,
    ) -> Checked<()> {
        if level > MOST_NESTING {
            return Err(Fault::new(self.at, too_deep()));
        }
        let begin = self.at;
        if begin < end {
            let is_entry = descriptor.is_some_and(MessageDescriptor::is_map_entry);
            self.take_memory(if is_entry { ENTRY_BYTES } else { MESSAGE_BYTES })?;
        }
        let mut numbers = Vec::new();
        // The offsets of the type URL and the content of an Any.
        let mut parts = [None; 2];
        let is_any = descriptor.is_some_and(|descriptor| descriptor.full_name() == ANY);
        loop {
            if self.at >= end {
                let Some(number) = group else { break };
                return Err(Fault::new(self.at, format!("the group {number} has no end")));
            }
            let at = self.at;
            let (number, wire) = self.key(end)?;
            if wire == GROUP_END {
                if group == Some(number) {
                    break;
                }
                return Err(Fault::new(at, format!("the end of group {number}, which has not begun")));
            }
            let content = self.at;
            match (descriptor, descriptor.and_then(|descriptor| Field::of(descriptor, number))) {
                (_, Some(field)) => {
                    if self.is_complete {
                        numbers.push(number);
                    }
                    self.known(&field, (number, wire), end, level)
                        .map_err(|fault| fault.inside(field.name()))?;
                }
                (descriptor, None) => {
                    self.unknown((number, wire), end, level)
                        .map_err(|fault| fault.inside(&number.to_string()))?;
                    if let (Some(descriptor), None) = (descriptor, &self.left_out) {
                        self.left_out = Some(format!("field {number} of {}", descriptor.full_name()));
                    }
                }
            }
            if is_any && wire == LENGTH {
                match number {
                    1 => parts[0] = Some(content),
                    2 => parts[1] = Some(content),
                    _ => {}
                }
            }
        }
        if is_any {
            self.any(descriptor, parts, end, level)?;
        }
        match descriptor.filter(|_| self.is_complete) {
            Some(descriptor) => check_required(descriptor, &numbers, begin),
            None => Ok(()),
        }
    }

    fn known(&mut self, field: &Field, key: (u32, u8), end: usize, level: usize) -> Checked<()> {
        let (number, wire) = key;
        let (kind, is_list) = (field.kind(), field.is_list());
        let expected = if field.is_group() { GROUP } else { wire_of(&kind) };
        if wire == LENGTH && is_list && expected != LENGTH && expected != GROUP {
            // A packed list.
            let end = self.length(end)?;
            while self.at < end {
                self.take_memory(VALUE_BYTES)?;
                self.number(expected, end)?;
            }
            return Ok(());
        }
        if wire != expected {
            let what = format!(
                "the schema has {} here and the payload {}; it may be another message",
                wire_name(expected),
                wire_name(wire)
            );
            return Err(Fault::new(self.at, what));
        }
        self.take_memory(VALUE_BYTES)?;
        // In JSON a list is a level of its own.
        let below = level + 1 + usize::from(is_list);
        match kind {
            Kind::Message(message) if field.is_group() => {
                self.message(Some(&message), end, Some(number), below)
            }
            Kind::Message(message) => {
                let end = self.length(end)?;
                self.message(Some(&message), end, None, below)
            }
            Kind::String => {
                let text = self.content(end)?;
                match str::from_utf8(text) {
                    Ok(_) => Ok(()),
                    Err(error) => {
                        let at = self.at - text.len() + error.valid_up_to();
                        Err(Fault::new(at, "the text is not UTF-8"))
                    }
                }
            }
            Kind::Bytes => self.content(end).map(drop),
            _ => self.number(wire, end),
        }
    }

    fn unknown(&mut self, key: (u32, u8), end: usize, level: usize) -> Checked<()> {
        self.take_memory(VALUE_BYTES)?;
        match key {
            (_, LENGTH) => self.content(end).map(drop),
            (number, GROUP) => self.message(None, end, Some(number), level + 1),
            (_, wire) => self.number(wire, end),
        }
    }

    /// The message in an Any.
    fn any(
        &mut self,
        any: Option<&MessageDescriptor>,
        parts: [Option<usize>; 2],
        end: usize,
        level: usize,
    ) -> Checked<()> {
        let after = self.at;
        let mut part = |begin: Option<usize>| {
            let Some(begin) = begin else { return Ok((after, after)) };
            self.at = begin;
            let end = self.length(end)?;
            Ok((self.at, end))
        };
        let (url, content) = (part(parts[0])?, part(parts[1])?);
        let text = str::from_utf8(&self.payload[url.0..url.1]).unwrap_or_default();
        if !text.is_empty() || content.0 < content.1 {
            let message = any_name(text)
                .zip(any)
                .and_then(|(name, any)| any.parent_pool().get_message_by_name(name))
                .ok_or_else(|| Fault::new(url.0, no_message_for(text)))?;
            // The content is copied and decoded separately.
            self.take_memory(2 * (content.1 - content.0))?;
            self.at = content.0;
            self.message(Some(&message), content.1, None, level + 1)?;
        }
        self.at = after;
        Ok(())
    }

    /// The content of a text or byte field.
    fn content(&mut self, end: usize) -> Checked<&'a [u8]> {
        let end = self.length(end)?;
        let content = &self.payload[self.at..end];
        self.take_memory(content.len())?;
        self.at = end;
        Ok(content)
    }

    /// Skips a number of this wire type.
    fn number(&mut self, wire: u8, end: usize) -> Checked<()> {
        match wire {
            FIXED_64 => self.skip(8, end),
            FIXED_32 => self.skip(4, end),
            _ => self.varint(end).map(drop),
        }
    }

    fn skip(&mut self, bytes: usize, end: usize) -> Checked<()> {
        if end - self.at < bytes {
            return Err(self.cut(end));
        }
        self.at += bytes;
        Ok(())
    }

    /// The number of a field and its wire type.
    fn key(&mut self, end: usize) -> Checked<(u32, u8)> {
        let at = self.at;
        let key = self.varint(end)?;
        let wire = (key & 7) as u8;
        match u32::try_from(key >> 3) {
            Ok(number @ 1..=0x1fff_ffff) if wire <= FIXED_32 => Ok((number, wire)),
            Ok(1..=0x1fff_ffff) => Err(Fault::new(at, format!("no field has the wire type {wire}"))),
            _ => Err(Fault::new(at, format!("no field has the number {}", key >> 3))),
        }
    }

    /// Reads a length; returns where its content ends.
    fn length(&mut self, end: usize) -> Checked<usize> {
        let at = self.at;
        let length = self.varint(end)?;
        let left = end - self.at;
        match usize::try_from(length) {
            Ok(length) if length <= left => Ok(self.at + length),
            _ => Err(Fault::new(at, format!("a length of {length} bytes, of which {left} are there"))),
        }
    }

    fn varint(&mut self, end: usize) -> Checked<u64> {
        let begin = self.at;
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let Some(&byte) = self.payload[..end].get(self.at) else {
                return Err(self.cut(end));
            };
            self.at += 1;
            if shift == 63 && byte > 1 {
                break;
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(Fault::new(begin, "a number of more than 64 bits"))
    }

    fn cut(&self, end: usize) -> Fault {
        let what = if end == self.payload.len() { "the payload" } else { "the field" };
        Fault::new(self.at, format!("{what} ends inside a value"))
    }

    fn take_memory(&mut self, bytes: usize) -> Checked<()> {
        let left = self.memory_left.checked_sub(bytes);
        self.memory_left = left.ok_or_else(|| {
            let most = MOST_MEMORY_BYTES >> 20;
            Fault::new(self.at, format!("its values take more than {most} MiB of memory"))
        })?;
        Ok(())
    }
}

/// Checks that a message that begins at this byte has all required fields.
fn check_required(descriptor: &MessageDescriptor, numbers: &[u32], begin: usize) -> Checked<()> {
    let missing = descriptor.fields().find(|field| field.is_required() && !numbers.contains(&field.number()));
    match missing {
        Some(field) => Err(Fault::new(begin, format!("the required field '{}' is missing", field.name()))),
        None => Ok(()),
    }
}

/// A field of a message, or an extension.
enum Field {
    Own(FieldDescriptor),
    Extension(ExtensionDescriptor),
}

impl Field {
    fn of(message: &MessageDescriptor, number: u32) -> Option<Self> {
        let own = message.get_field(number).map(Self::Own);
        own.or_else(|| message.get_extension(number).map(Self::Extension))
    }

    fn name(&self) -> &str {
        match self {
            Self::Own(field) => field.json_name(),
            Self::Extension(field) => field.json_name(),
        }
    }

    fn kind(&self) -> Kind {
        match self {
            Self::Own(field) => field.kind(),
            Self::Extension(field) => field.kind(),
        }
    }

    fn is_list(&self) -> bool {
        match self {
            Self::Own(field) => field.is_list(),
            Self::Extension(field) => field.is_list(),
        }
    }

    fn is_group(&self) -> bool {
        match self {
            Self::Own(field) => field.is_group(),
            Self::Extension(field) => field.is_group(),
        }
    }
}

fn wire_of(kind: &Kind) -> u8 {
    match kind {
        Kind::Double | Kind::Fixed64 | Kind::Sfixed64 => FIXED_64,
        Kind::Float | Kind::Fixed32 | Kind::Sfixed32 => FIXED_32,
        Kind::String | Kind::Bytes | Kind::Message(_) => LENGTH,
        Kind::Int32
        | Kind::Int64
        | Kind::Uint32
        | Kind::Uint64
        | Kind::Sint32
        | Kind::Sint64
        | Kind::Bool
        | Kind::Enum(_) => VARINT,
    }
}

fn wire_name(wire: u8) -> &'static str {
    match wire {
        VARINT => "a varint",
        FIXED_64 => "64 bits",
        LENGTH => "a length and bytes",
        GROUP => "a group",
        _ => "32 bits",
    }
}
