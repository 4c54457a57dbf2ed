//! Writes a message by a template.

use std::io::Write as _;
use std::time::SystemTime;

use super::segments::{Field, LetterCase, Segment, Shape, Template};
use crate::notation::hex;
use crate::notation::printable::LineFeed;
use crate::output::json::PayloadForm;
use crate::output::record::{Misfit, PayloadNote, RecordWriter};
use crate::output::terminal::{Style, put_bytes};
use crate::output::timestamp::{LocalTimes, since_epoch};
use crate::protocol::property::{Properties, PropertyId, Value};
use crate::protocol::wire::Publish;

/// Appends one message. Text from the network is made safe for a `terminal`; text of the template is not, as
/// it may contain colours.
pub(in crate::output) fn render(
    template: &Template,
    out: &mut Vec<u8>,
    publish: &Publish<'_>,
    received: SystemTime,
    note: &PayloadNote<'_>,
    records: &mut RecordWriter,
    times: &mut LocalTimes,
) -> Result<(), Misfit> {
    let mut result = Ok(());
    times.set(received);
    for segment in &template.segments {
        match segment {
            Segment::Literal(text) => out.extend_from_slice(text),
            Segment::Field(Field::JsonText, _) => {
                records.put(out, publish, received, note, PayloadForm::Text, template.pretty);
            }
            Segment::Field(Field::JsonValue, _) => {
                if !records.put(out, publish, received, note, PayloadForm::Json, template.pretty) {
                    result = result.and(Err(Misfit::Json));
                }
            }
            Segment::Field(Field::LocalTime(index), shape) => {
                put_text(out, shape, times.text(*index), false);
            }
            Segment::Field(field, shape) => {
                let style = match field {
                    Field::Topic => records.palette.topic,
                    Field::Qos => records.palette.qos,
                    Field::Retain => records.palette.retain,
                    _ => Style::PLAIN,
                };
                out.extend_from_slice(style.begin);
                let written = put_field(out, *field, shape, publish, received, records.terminal);
                out.extend_from_slice(style.end);
                result = result.and(written);
            }
        }
    }
    if template.newline {
        out.push(b'\n');
    }
    result
}

fn put_field(
    out: &mut Vec<u8>,
    field: Field,
    shape: &Shape,
    publish: &Publish<'_>,
    received: SystemTime,
    terminal: bool,
) -> Result<(), Misfit> {
    let properties = &publish.properties;
    match field {
        Field::TopicAlias => put_property(out, shape, properties, PropertyId::TopicAlias, terminal),
        Field::MessageExpiryInterval => {
            put_property(out, shape, properties, PropertyId::MessageExpiryInterval, terminal);
        }
        Field::PayloadFormatIndicator => {
            put_property(out, shape, properties, PropertyId::PayloadFormatIndicator, terminal);
        }
        Field::SubscriptionIdentifier => {
            put_property(out, shape, properties, PropertyId::SubscriptionIdentifier, terminal);
        }
        Field::ContentType => put_property(out, shape, properties, PropertyId::ContentType, terminal),
        Field::ResponseTopic => put_property(out, shape, properties, PropertyId::ResponseTopic, terminal),
        Field::CorrelationData => {
            let data = properties.binary(PropertyId::CorrelationData).unwrap_or_default();
            put_bytes(out, data, LineFeed::Show, terminal);
        }
        Field::UserProperties => put_user_properties(out, properties, terminal),
        Field::Double => return put_float(out, shape, publish.payload, "double"),
        Field::Float => return put_float(out, shape, publish.payload, "float"),
        Field::PayloadLength => put_integer(out, shape, publish.payload.len()),
        Field::PacketIdentifier => put_integer(out, shape, usize::from(publish.packet_identifier)),
        Field::Payload => put_payload(out, shape, publish.payload, terminal),
        Field::Hex(case) => put_hex(out, shape, publish.payload, case),
        Field::Qos => out.push(b'0' + publish.qos as u8),
        Field::Retain => out.push(b'0' + u8::from(publish.retain)),
        Field::Topic => match std::str::from_utf8(publish.topic) {
            Ok(topic) => put_text(out, shape, topic, terminal),
            Err(_) => put_bytes(out, publish.topic, LineFeed::Show, terminal),
        },
        Field::UnixTime => {
            let time = since_epoch(received);
            put_formatted(out, format_args!("{}.{:09}", time.as_secs(), time.subsec_nanos()));
        }
        Field::Nanoseconds => {
            put_formatted(out, format_args!("{:09}", since_epoch(received).subsec_nanos()));
        }
        // These fields need more than the message, and `render` has written them.
        Field::JsonText | Field::JsonValue | Field::LocalTime(_) => {}
    }
    Ok(())
}

/// Writing to a vector cannot fail.
fn put_formatted(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    let _ = out.write_fmt(text);
}

fn put_blanks(out: &mut Vec<u8>, count: usize) {
    out.resize(out.len() + count, b' ');
}

/// Writes a property, or blanks if it is absent.
fn put_property(
    out: &mut Vec<u8>,
    shape: &Shape,
    properties: &Properties<'_>,
    id: PropertyId,
    terminal: bool,
) {
    if let Some(number) = properties.number(id) {
        put_integer(out, shape, number as usize);
    } else if let Some(text) = properties.text(id) {
        put_text(out, shape, text, terminal);
    } else {
        put_blanks(out, shape.width);
    }
}

fn put_integer(out: &mut Vec<u8>, shape: &Shape, number: usize) {
    let width = shape.width;
    if shape.left {
        put_formatted(out, format_args!("{number:<width$}"));
    } else if shape.zeros {
        put_formatted(out, format_args!("{number:0>width$}"));
    } else {
        put_formatted(out, format_args!("{number:>width$}"));
    }
}

fn put_text(out: &mut Vec<u8>, shape: &Shape, text: &str, terminal: bool) {
    let end = shape.precision.and_then(|precision| text.char_indices().nth(precision));
    let text = end.map_or(text, |(at, _)| &text[..at]);
    // Counting characters costs time, and most templates have no width.
    let blanks = if shape.width == 0 { 0 } else { shape.width.saturating_sub(text.chars().count()) };
    if !shape.left {
        put_blanks(out, blanks);
    }
    put_bytes(out, text.as_bytes(), LineFeed::Show, terminal);
    if shape.left {
        put_blanks(out, blanks);
    }
}

fn put_user_properties(out: &mut Vec<u8>, properties: &Properties<'_>, terminal: bool) {
    let mut first = true;
    for property in properties.iter() {
        if let Value::Pair(name, value) = property.value {
            if !first {
                out.push(b' ');
            }
            first = false;
            put_bytes(out, name.as_bytes(), LineFeed::Show, terminal);
            out.push(b':');
            put_bytes(out, value.as_bytes(), LineFeed::Show, terminal);
        }
    }
}

/// Writes a payload: a width pads it, or cuts a longer one.
fn put_payload(out: &mut Vec<u8>, shape: &Shape, payload: &[u8], terminal: bool) {
    let payload = cut(shape, payload);
    let padding = shape.width.saturating_sub(payload.len());
    if !shape.left {
        out.resize(out.len() + padding, if shape.zeros { b'0' } else { b' ' });
    }
    put_bytes(out, payload, LineFeed::Pass, terminal);
    if shape.left {
        put_blanks(out, padding);
    }
}

fn cut<'a>(shape: &Shape, payload: &'a [u8]) -> &'a [u8] {
    if shape.width > 0 && payload.len() > shape.width { &payload[..shape.width] } else { payload }
}

/// Writes hexadecimal digits with a separator after every `precision` of them but the last. As in mosquitto
/// the width cuts at that number of bytes and pads to that number of digits, and padding counts for the
/// groups.
fn put_hex(out: &mut Vec<u8>, shape: &Shape, payload: &[u8], case: LetterCase) {
    let payload = cut(shape, payload);
    let padding = shape.width.saturating_sub(payload.len() * 2);
    let digits = match case {
        LetterCase::Lower => hex::DIGITS,
        LetterCase::Upper => hex::CAPITAL_DIGITS,
    };
    let group = shape.precision.unwrap_or(0);
    let mut position = 0;
    let mut put = |out: &mut Vec<u8>, digit: u8| {
        if group > 0 && position > 0 && position % group == 0 {
            out.push(shape.separator);
        }
        position += 1;
        out.push(digit);
    };
    if !shape.left {
        for _ in 0..padding {
            put(out, if shape.zeros { b'0' } else { b' ' });
        }
    }
    for byte in payload {
        put(out, digits[usize::from(byte >> 4)]);
        put(out, digits[usize::from(byte & 15)]);
    }
    if shape.left {
        put_blanks(out, padding);
    }
}

/// Writes the payload as a little-endian number, as on almost every machine that runs mosquitto.
fn put_float(out: &mut Vec<u8>, shape: &Shape, payload: &[u8], wanted: &'static str) -> Result<(), Misfit> {
    let number = match wanted {
        "double" => payload.try_into().ok().map(f64::from_le_bytes),
        _ => payload.try_into().ok().map(|bytes| f64::from(f32::from_le_bytes(bytes))),
    };
    let Some(number) = number else {
        put_blanks(out, shape.width);
        return Err(Misfit::Number { wanted, payload_bytes: payload.len() });
    };
    let width = shape.width;
    let precision = shape.precision.unwrap_or(6);
    if !number.is_finite() {
        // As C writes them; leading zeros would make another word of them.
        let text = match (number.is_nan(), number.is_sign_negative()) {
            (true, false) => "nan",
            (true, true) => "-nan",
            (false, false) => "inf",
            (false, true) => "-inf",
        };
        put_text(out, &Shape { precision: None, ..*shape }, text, false);
    } else if shape.left {
        put_formatted(out, format_args!("{number:<width$.precision$}"));
    } else if shape.zeros {
        put_formatted(out, format_args!("{number:0width$.precision$}"));
    } else {
        put_formatted(out, format_args!("{number:>width$.precision$}"));
    }
    Ok(())
}
