//! The JSON record of a message, written without `serde`: it is the hot path of `sub --json`, where a tree of
//! values or `serde` would cost more than receiving the message.
//!
//! Blocks of 16 bytes that need no escaping are copied unchanged (the test compiles to a few vector
//! instructions). Other blocks go through a table with the replacement of every byte, so that neither plain
//! text nor text full of quotes branches on single bytes.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::record_style::RecordStyle;
use super::terminal::Palette;
use crate::notation::hex::{self, DIGITS};
use crate::notation::printable::is_obeyed;
use crate::protocol::QoS;
use crate::protocol::property::{Properties, Property, PropertyId, Value};
use crate::protocol::wire::Publish;

/// The form of the payload in the record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PayloadForm {
    /// As a string; base64 if it is not UTF-8.
    Text,
    /// As parsed JSON, otherwise as a string.
    Json,
}

/// The replacement of each byte inside a string: up to six bytes of text, and their number at the end.
const ESCAPES: [[u8; 8]; 256] = {
    let mut table = [[0; 8]; 256];
    let mut byte = 0_u8;
    loop {
        let short = match byte {
            b'"' | b'\\' => byte,
            0x08 => b'b',
            b'\t' => b't',
            b'\n' => b'n',
            0x0c => b'f',
            b'\r' => b'r',
            _ => 0,
        };
        table[byte as usize] = if short != 0 {
            [b'\\', short, 0, 0, 0, 0, 0, 2]
        } else if byte < 0x20 {
            [b'\\', b'u', b'0', b'0', DIGITS[(byte >> 4) as usize], DIGITS[(byte & 15) as usize], 0, 6]
        } else {
            [byte, 0, 0, 0, 0, 0, 0, 1]
        };
        if byte == u8::MAX {
            break table;
        }
        byte += 1;
    }
};

const BLOCK_BYTES: usize = 16;

/// Whether no byte of the block needs an escape.
#[allow(clippy::needless_bitwise_bool, reason = "without early exits this becomes vector code")]
fn is_plain(block: &[u8; BLOCK_BYTES]) -> bool {
    !block.iter().fold(false, |found, byte| found | (*byte < 0x20) | (*byte == b'"') | (*byte == b'\\'))
}

/// Appends at most one block through the table.
fn put_block_escaped(out: &mut Vec<u8>, block: &[u8]) {
    // Every table entry is copied whole, so the last one needs two spare bytes.
    let mut escaped = [0; BLOCK_BYTES * 6 + 2];
    let mut length = 0;
    for byte in block {
        let entry = ESCAPES[usize::from(*byte)];
        escaped[length..length + 8].copy_from_slice(&entry);
        length += usize::from(entry[7]);
    }
    out.extend_from_slice(&escaped[..length]);
}

/// Appends the content of a JSON string.
fn put_escaped(out: &mut Vec<u8>, text: &str) {
    let text = text.as_bytes();
    let (blocks, tail) = text.as_chunks::<BLOCK_BYTES>();
    let mut written = 0;
    for (index, block) in blocks.iter().enumerate() {
        if !is_plain(block) {
            out.extend_from_slice(&text[written..index * BLOCK_BYTES]);
            put_block_escaped(out, block);
            written = (index + 1) * BLOCK_BYTES;
        }
    }
    out.extend_from_slice(&text[written..text.len() - tail.len()]);
    put_block_escaped(out, tail);
}

fn put_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    put_escaped(out, text);
    out.push(b'"');
}

fn put_number(out: &mut Vec<u8>, number: impl itoa::Integer) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

fn put_base64(out: &mut Vec<u8>, bytes: &[u8]) {
    let start = out.len();
    out.resize(start + bytes.len().div_ceil(3) * 4, 0);
    // The space is exact, so this cannot fail; if it were too small, an empty string would be shown.
    let length = STANDARD.encode_slice(bytes, &mut out[start..]).unwrap_or(0);
    out.truncate(start + length);
}

/// Appends `"name":"text"`, or for bytes that are not UTF-8 `"name":"<base64>","name-encoding":"base64"`.
fn put_binary(out: &mut Vec<u8>, name: &str, bytes: &[u8]) {
    out.push(b'"');
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\":\"");
    if let Ok(text) = std::str::from_utf8(bytes) {
        put_escaped(out, text);
        out.push(b'"');
    } else {
        put_base64(out, bytes);
        out.extend_from_slice(b"\",\"");
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(b"-encoding\":\"base64\"");
    }
}

/// Appends the record, without a newline. `opening` is `{"tst":"…","topic":"`, which the caller keeps,
/// because most messages share it. `false`: JSON was requested, but the payload is not JSON.
pub(super) fn put_record(
    out: &mut Vec<u8>,
    opening: &[u8],
    publish: &Publish<'_>,
    form: PayloadForm,
    style: RecordStyle,
) -> bool {
    put_head(out, opening, publish);
    out.push(b',');
    let as_json = form == PayloadForm::Json && is_json(publish.payload);
    if publish.payload.is_empty() && style == RecordStyle::Mosquitto {
        out.extend_from_slice(b"\"payload\":null");
    } else if as_json {
        out.extend_from_slice(b"\"payload\":");
        match style {
            RecordStyle::Own => put_json(out, publish.payload),
            RecordStyle::Mosquitto => put_compact(out, publish.payload),
        }
    } else {
        put_binary(out, "payload", publish.payload);
    }
    out.push(b'}');
    as_json || form == PayloadForm::Text || publish.payload.is_empty()
}

/// Appends the record up to the payload, without the comma before it.
pub(super) fn put_head(out: &mut Vec<u8>, opening: &[u8], publish: &Publish<'_>) {
    out.extend_from_slice(opening);
    match std::str::from_utf8(publish.topic) {
        Ok(topic) => put_escaped(out, topic),
        Err(_) => put_escaped(out, &String::from_utf8_lossy(publish.topic)),
    }
    out.extend_from_slice(match (publish.qos, publish.retain) {
        (QoS::AtMostOnce, false) => b"\",\"qos\":0,\"retain\":false,\"payloadlen\":".as_slice(),
        (QoS::AtMostOnce, true) => b"\",\"qos\":0,\"retain\":true,\"payloadlen\":",
        (QoS::AtLeastOnce, false) => b"\",\"qos\":1,\"retain\":false,\"payloadlen\":",
        (QoS::AtLeastOnce, true) => b"\",\"qos\":1,\"retain\":true,\"payloadlen\":",
        (QoS::ExactlyOnce, false) => b"\",\"qos\":2,\"retain\":false,\"payloadlen\":",
        (QoS::ExactlyOnce, true) => b"\",\"qos\":2,\"retain\":true,\"payloadlen\":",
    });
    put_number(out, publish.payload.len());
    if publish.qos != QoS::AtMostOnce {
        out.extend_from_slice(b",\"mid\":");
        put_number(out, publish.packet_identifier);
    }
    if !publish.properties.is_empty() {
        out.extend_from_slice(b",\"properties\":");
        put_properties_object(out, publish.properties, Cow::Borrowed);
    }
}

/// Appends `,"name":"text"`.
pub(super) fn put_member(out: &mut Vec<u8>, name: &str, text: &str) {
    out.push(b',');
    put_string(out, name);
    out.push(b':');
    put_string(out, text);
}

/// Colours topic, QoS and retain in the record that begins at `start`. These are the first keys of the
/// record, in this order, compact or indented.
pub(super) fn color(out: &mut Vec<u8>, start: usize, palette: &Palette) {
    let mut from = start;
    for (key, style) in
        [(&b"\"topic\":"[..], palette.topic), (b"\"qos\":", palette.qos), (b"\"retain\":", palette.retain)]
    {
        let Some(at) = memchr::memmem::find(&out[from..], key) else { return };
        let value = from + at + key.len();
        let value = value + usize::from(out.get(value) == Some(&b' '));
        let end = value + value_length(&out[value..]);
        out.splice(end..end, style.end.iter().copied());
        out.splice(value..value, style.begin.iter().copied());
        from = end + style.begin.len() + style.end.len();
    }
}

/// The length of the string, number or word at the start.
fn value_length(json: &[u8]) -> usize {
    if json.first() != Some(&b'"') {
        return json.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
    }
    let mut at = 1;
    while let Some(byte) = json.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    json.len()
}

/// Appends the properties as an object. `view` chooses the part of each text to show, before the text is
/// escaped.
pub(super) fn put_properties_object<'a>(
    out: &mut Vec<u8>,
    properties: Properties<'a>,
    view: impl Fn(&'a str) -> Cow<'a, str>,
) {
    out.push(b'{');
    put_properties(out, properties, &view);
    out.push(b'}');
}

/// The properties in the order of the packet, each key once: repeated properties form an array at the
/// position of the first.
fn put_properties<'a>(
    out: &mut Vec<u8>,
    properties: Properties<'a>,
    view: &impl Fn(&'a str) -> Cow<'a, str>,
) {
    let mut seen = 0_u64;
    for property in properties.iter() {
        let bit = 1 << property.id as u8;
        if seen & bit != 0 {
            continue;
        }
        if seen != 0 {
            out.push(b',');
        }
        seen |= bit;
        let name = property.id.name();
        match (property.id, property.value) {
            (PropertyId::CorrelationData, Value::Binary(bytes)) => {
                match std::str::from_utf8(bytes) {
                    Ok(text) => put_binary(out, name, view(text).as_bytes()),
                    Err(_) => put_binary(out, name, bytes),
                }
                continue;
            }
            // Authentication data may be as secret as a password.
            (PropertyId::AuthenticationData, Value::Binary(bytes)) => {
                out.extend_from_slice(b"\"authentication-data-length\":");
                put_number(out, bytes.len());
                continue;
            }
            _ => {}
        }
        let same = || properties.iter().filter(|other| other.id == property.id);
        let array = match property.id {
            PropertyId::UserProperty => true,
            PropertyId::SubscriptionIdentifier => same().nth(1).is_some(),
            _ => false,
        };
        put_string(out, if property.id == PropertyId::UserProperty { "user-properties" } else { name });
        out.push(b':');
        if array {
            for (index, item) in same().enumerate() {
                out.push(if index == 0 { b'[' } else { b',' });
                put_value(out, &item, view);
            }
            out.push(b']');
        } else {
            put_value(out, &property, view);
        }
    }
}

fn put_value<'a>(out: &mut Vec<u8>, property: &Property<'a>, view: &impl Fn(&'a str) -> Cow<'a, str>) {
    match property.value {
        Value::Number(number) => put_number(out, number),
        Value::Text(text) => put_string(out, &view(text)),
        Value::Pair(name, value) => {
            out.push(b'{');
            put_string(out, &view(name));
            out.push(b':');
            put_string(out, &view(value));
            out.push(b'}');
        }
        // The caller writes binary properties.
        Value::Binary(bytes) => put_string(out, &String::from_utf8_lossy(bytes)),
    }
}

/// Whether the payload is one JSON value. It is only checked, not parsed: numbers stay as they were sent.
fn is_json(payload: &[u8]) -> bool {
    std::str::from_utf8(payload).is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok())
}

/// Appends JSON unchanged, but on one line. In JSON, line ends occur only between tokens, so they can be
/// removed.
fn put_json(out: &mut Vec<u8>, json: &[u8]) {
    let mut rest = json.trim_ascii();
    while let Some(at) = memchr::memchr2(b'\n', b'\r', rest) {
        out.extend_from_slice(&rest[..at]);
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

/// Appends valid JSON without the white space between its tokens.
fn put_compact(out: &mut Vec<u8>, json: &[u8]) {
    let mut at = 0;
    while let Some(byte) = json.get(at) {
        let length = if *byte == b'"' { 1 + string_length(&json[at + 1..]) } else { 1 };
        if !byte.is_ascii_whitespace() {
            out.extend_from_slice(&json[at..at + length]);
        }
        at += length;
    }
}

/// Appends `json` for a terminal: characters that a terminal could execute become `\u009b`, which is the same
/// value to a parser. Such characters occur only inside strings; C0 controls are escaped already.
pub(super) fn put_safe(out: &mut Vec<u8>, json: &[u8]) {
    for chunk in json.utf8_chunks() {
        let text = chunk.valid();
        let mut shown = 0;
        let obeyed = |(_, character): &(usize, char)| *character >= '\u{7f}' && is_obeyed(*character);
        for (at, character) in text.char_indices().filter(obeyed) {
            out.extend_from_slice(&text.as_bytes()[shown..at]);
            shown = at + character.len_utf8();
            let code = u32::from(character).to_be_bytes();
            out.extend_from_slice(b"\\u");
            code[2..].iter().for_each(|byte| out.extend_from_slice(&hex::pair(*byte)));
        }
        out.extend_from_slice(&text.as_bytes()[shown..]);
    }
}

/// Appends a value as one line without characters that a terminal could execute: JSON itself escapes the C0
/// controls.
pub fn put_json_line(out: &mut Vec<u8>, value: &impl serde::Serialize) {
    put_json_text(out, value);
    out.push(b'\n');
}

/// Appends a value as JSON in one line, without a line feed.
pub fn put_json_text(out: &mut Vec<u8>, value: &impl serde::Serialize) {
    let mut json = Vec::new();
    // Writing to memory, with string keys only, cannot fail.
    let _ = serde_json::to_writer(&mut json, value);
    put_safe(out, &json);
}

/// Values nested deeper than this stay on one line with the value that holds them.
pub const MOST_INDENTED_LEVELS: usize = 32;
/// The size that indentation may add per byte of the JSON, and a constant. Above both, the rest stays on one
/// line: readable JSON needs far less, and a peer's JSON must not fill the memory with blanks.
const MOST_ADDED_PER_BYTE: usize = 8;
const ADDED_FOR_ANY: usize = 64 * 1024;

/// Appends valid JSON indented by two spaces per level. Only tokens are moved, so the value and its numbers
/// are unchanged. Time and memory are proportional to the length, whatever the nesting. Mosquitto's clients
/// indent by tabs, add one after each colon, and keep the elements of an array on one line.
pub(super) fn put_indented(out: &mut Vec<u8>, json: &[u8], style: RecordStyle) {
    let by_tabs = style == RecordStyle::Mosquitto;
    let mut indentation = Indentation {
        by_tabs,
        arrays: Vec::new(),
        depth: 0,
        left: ADDED_FOR_ANY.saturating_add(json.len().saturating_mul(MOST_ADDED_PER_BYTE)),
    };
    let mut at = 0;
    while let Some(byte) = json.get(at) {
        at += 1;
        match byte {
            b'"' => {
                let length = string_length(&json[at..]);
                out.push(b'"');
                out.extend_from_slice(&json[at..at + length]);
                at += length;
            }
            b'{' | b'[' => {
                out.push(*byte);
                let inside = json[at..].trim_ascii_start();
                if let Some(closing @ (b'}' | b']')) = inside.first() {
                    if by_tabs && *closing == b'}' {
                        indentation.start_line(out);
                    }
                    out.push(*closing);
                    at = json.len() - inside.len() + 1;
                } else {
                    indentation.depth += 1;
                    indentation.arrays.push(*byte == b'[');
                    if !(by_tabs && *byte == b'[') {
                        indentation.start_line(out);
                    }
                }
            }
            b'}' | b']' => {
                // The end of a value is on a line of its own if its start began a new line.
                let was_split = indentation.splits();
                indentation.depth -= 1;
                indentation.arrays.pop();
                if was_split && !(by_tabs && *byte == b']') {
                    indentation.start_line(out);
                }
                out.push(*byte);
            }
            b',' => {
                out.push(b',');
                if by_tabs && indentation.arrays.last() == Some(&true) {
                    out.push(b' ');
                } else {
                    indentation.start_line(out);
                }
            }
            b':' => out.extend_from_slice(if by_tabs { b":\t" } else { b": " }),
            b' ' | b'\t' | b'\n' | b'\r' => {}
            _ => out.push(*byte),
        }
    }
}

/// The indentation of the next line, and the size that may still be added.
struct Indentation {
    /// Whether a level is one tab instead of two blanks.
    by_tabs: bool,
    /// For each open value, outermost first, whether it is an array.
    arrays: Vec<bool>,
    depth: usize,
    left: usize,
}

impl Indentation {
    fn splits(&self) -> bool {
        self.depth <= MOST_INDENTED_LEVELS
    }

    fn start_line(&mut self, out: &mut Vec<u8>) {
        let (blank, blanks) = if self.by_tabs { (b'\t', self.depth) } else { (b' ', 2 * self.depth) };
        let added = 1 + blanks;
        if self.splits() && added <= self.left {
            self.left -= added;
            out.push(b'\n');
            out.resize(out.len() + blanks, blank);
        }
    }
}

/// The length of the rest of a string, closing quote included.
fn string_length(rest: &[u8]) -> usize {
    let mut at = 0;
    while let Some(found) = memchr::memchr2(b'"', b'\\', &rest[at..]) {
        at += found + 1;
        if rest[at - 1] == b'"' {
            return at;
        }
        at = (at + 1).min(rest.len());
    }
    rest.len()
}
