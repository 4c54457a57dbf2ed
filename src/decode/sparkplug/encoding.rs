//! Encodes JSON of the form in which payloads are decoded.
//!
//! Two rules complete the JSON: a payload without `timestamp` gets the current time, and a value without a
//! data type gets that of its JSON: `Boolean`, `Int64` (`UInt64` above its range), `Double` or `String`.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::array;
use super::datatype::{DataType, WholeNumbers};
use super::wire::WireMessage;
use crate::decode::limits::Converted;
use crate::nearest::{did_you_mean, nearest};

type Encoded<T> = Result<T, String>;

/// A payload from its JSON text.
pub(in crate::decode) fn encode(json: &[u8]) -> Converted {
    let value: Value = serde_json::from_slice(json).map_err(|error| format!("not JSON: {error}"))?;
    let payload = object(&value)?;
    if payload.contains_key("online") {
        // The state of a host application is sent as JSON, too.
        return Ok(json.to_vec());
    }
    known(payload, &["timestamp", "seq", "uuid", "body", "metrics", "notes"])?;
    let mut out = WireMessage::default();
    match payload.get("timestamp") {
        None => out.unsigned(1, now()),
        Some(timestamp) => put_number(&mut out, 1, "timestamp", Some(timestamp))?,
    }
    for metric in list(payload, "metrics")? {
        out.message(2, &metric?);
    }
    put_number(&mut out, 3, "seq", payload.get("seq"))?;
    put_text(&mut out, 4, payload, "uuid")?;
    if let Some(body) = given(payload, "body") {
        out.bytes(5, &base64(body).map_err(|why| at("body", why))?);
    }
    Ok(out.0)
}

/// The current time in milliseconds.
fn now() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}

/// Prefixes an error with its place.
fn at(place: &str, why: impl std::fmt::Display) -> String {
    format!("{place}: {why}")
}

fn object(value: &Value) -> Encoded<&Map<String, Value>> {
    value.as_object().ok_or_else(|| "it must be an object".into())
}

fn array_of(value: &Value) -> Encoded<&[Value]> {
    value.as_array().map(Vec::as_slice).ok_or_else(|| "it must be an array".into())
}

/// A member that is present and not null.
fn given<'a>(map: &'a Map<String, Value>, key: &str) -> Option<&'a Value> {
    map.get(key).filter(|value| !value.is_null())
}

fn known(map: &Map<String, Value>, keys: &[&'static str]) -> Encoded<()> {
    let Some(unknown) = map.keys().find(|key| !keys.contains(&key.as_str())) else { return Ok(()) };
    let meant: Vec<String> = nearest(unknown, keys.iter().copied()).into_iter().map(str::to_owned).collect();
    let meant = did_you_mean(&meant).unwrap_or_else(|| format!("there are {}", keys.join(", ")));
    Err(format!("unknown key '{unknown}'; {meant}"))
}

/// A member that is an array of metrics or parameters.
fn list<'a>(
    map: &'a Map<String, Value>,
    key: &'static str,
) -> Encoded<impl Iterator<Item = Encoded<WireMessage>> + 'a> {
    let elements = given(map, key).map_or(Ok(&[][..]), array_of).map_err(|why| at(key, why))?;
    let encode = if key == "metrics" { metric } else { parameter };
    Ok(elements
        .iter()
        .enumerate()
        .map(move |(place, element)| encode(element).map_err(|why| at(&format!("{key}[{place}]"), why))))
}

fn whole(value: &Value) -> Option<i128> {
    match value {
        Value::Number(number) => number.as_u64().map(i128::from).or_else(|| number.as_i64().map(i128::from)),
        // Numbers that a double cannot represent are strings of digits.
        Value::String(digits) => digits.parse().ok(),
        _ => None,
    }
}

fn unsigned(value: &Value) -> Encoded<u64> {
    let number = whole(value).and_then(|number| u64::try_from(number).ok());
    number.ok_or_else(|| format!("{value} is not a whole number from 0 to 2^64 - 1"))
}

fn boolean(value: &Value) -> Encoded<bool> {
    value.as_bool().ok_or_else(|| format!("{value} is neither true nor false"))
}

fn text(value: &Value) -> Encoded<&str> {
    value.as_str().ok_or_else(|| format!("{value} is not a string"))
}

fn base64(value: &Value) -> Encoded<Vec<u8>> {
    STANDARD.decode(text(value)?).map_err(|error| format!("invalid base64: {error}"))
}

fn float(value: &Value) -> Encoded<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            _ => None,
        },
        _ => None,
    }
    .ok_or_else(|| format!("{value} is not a number"))
}

/// A number in the range of Float; it may lose precision.
fn short_float(value: &Value) -> Encoded<f32> {
    let double = float(value)?;
    #[allow(clippy::cast_possible_truncation, reason = "what is too large becomes infinite")]
    let number = double as f32;
    if number.is_infinite() && double.is_finite() {
        return Err(format!("{value} is out of the range of Float"));
    }
    Ok(number)
}

fn put_number(out: &mut WireMessage, number: u32, key: &str, value: Option<&Value>) -> Encoded<()> {
    if let Some(value) = value.filter(|value| !value.is_null()) {
        out.unsigned(number, unsigned(value).map_err(|why| at(key, why))?);
    }
    Ok(())
}

fn put_boolean(out: &mut WireMessage, number: u32, map: &Map<String, Value>, key: &str) -> Encoded<()> {
    if let Some(value) = given(map, key) {
        out.unsigned(number, boolean(value).map_err(|why| at(key, why))?.into());
    }
    Ok(())
}

fn put_text(out: &mut WireMessage, number: u32, map: &Map<String, Value>, key: &str) -> Encoded<()> {
    if let Some(value) = given(map, key) {
        out.bytes(number, text(value).map_err(|why| at(key, why))?.as_bytes());
    }
    Ok(())
}

/// The number of a data type, given by name or number.
fn type_number(value: &Value) -> Encoded<u32> {
    match value {
        Value::String(name) => DataType::number_of_name(name),
        _ => u32::try_from(unsigned(value)?).map_err(|_| format!("{value} is not a data type")),
    }
}

/// The message that contains a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ValueHolder {
    Metric,
    Property,
    Parameter,
    Cell,
}

impl ValueHolder {
    /// The number of the field `int_value`. The fields of the other simple values follow it.
    fn first(self) -> u32 {
        match self {
            Self::Metric => 10,
            Self::Property | Self::Parameter => 3,
            Self::Cell => 1,
        }
    }

    /// The number of the field for values that are not simple, if the message has it.
    fn field(self, data_type: DataType) -> Encoded<u32> {
        match (self, data_type) {
            (Self::Metric, DataType::DataSet) => Ok(17),
            (Self::Metric, DataType::Template) => Ok(18),
            (Self::Metric, DataType::Bytes | DataType::File) => Ok(16),
            (Self::Metric, _) if data_type.is_array() => Ok(16),
            (Self::Property, DataType::PropertySet) => Ok(9),
            (Self::Property, DataType::PropertySetList) => Ok(10),
            _ => Err(format!("there is no {} here", data_type.name())),
        }
    }
}

/// The data type derived from a value's JSON.
fn guessed(value: &Value) -> Encoded<Option<DataType>> {
    Ok(Some(match value {
        Value::Null => return Ok(None),
        Value::Bool(_) => DataType::Boolean,
        Value::Number(number) if number.is_i64() => DataType::Int64,
        Value::Number(number) if number.is_u64() => DataType::UInt64,
        Value::Number(_) => DataType::Double,
        Value::String(_) => DataType::String,
        Value::Array(_) | Value::Object(_) => return Err("its data type is missing".into()),
    }))
}

/// Writes the data type, the value and whether it is null; `type_field` and `null_field` are the numbers of
/// the fields.
fn put_typed(
    out: &mut WireMessage,
    map: &Map<String, Value>,
    type_key: &str,
    [type_field, null_field]: [Option<u32>; 2],
    holder: ValueHolder,
) -> Encoded<()> {
    let value = map.get("value").unwrap_or(&Value::Null);
    let in_value = |why| at("value", why);
    let number = given(map, type_key).map(type_number).transpose().map_err(|why| at(type_key, why))?;
    let named = number.and_then(DataType::of_number);
    let data_type = if named.is_some() { named } else { guessed(value).map_err(in_value)? };
    let number = number.or_else(|| data_type.map(DataType::number));
    if let (Some(field), Some(number)) = (type_field, number) {
        out.unsigned(field, number.into());
    }
    let mut is_null = map.contains_key("value") && value.is_null();
    if let Some(given) = given(map, "is_null") {
        is_null = boolean(given).map_err(|why| at("is_null", why))?;
    }
    if is_null && !value.is_null() {
        return Err("is_null is true, and there is a value".into());
    }
    if let Some(field) = null_field.filter(|_| is_null || given(map, "is_null").is_some()) {
        out.unsigned(field, is_null.into());
    }
    match data_type {
        Some(data_type) if !value.is_null() => put_value(out, value, data_type, holder).map_err(in_value),
        _ => Ok(()),
    }
}

fn put_value(out: &mut WireMessage, value: &Value, data_type: DataType, holder: ValueHolder) -> Encoded<()> {
    use DataType as T;
    let first = holder.first();
    match data_type {
        T::Float => out.float(first + 2, short_float(value)?),
        T::Double => out.double(first + 3, float(value)?),
        T::Boolean => out.unsigned(first + 4, boolean(value)?.into()),
        T::String | T::Text | T::Uuid => out.bytes(first + 5, text(value)?.as_bytes()),
        T::Bytes | T::File => out.bytes(holder.field(data_type)?, &base64(value)?),
        T::DataSet => out.message(holder.field(data_type)?, &data_set(value)?),
        T::Template => out.message(holder.field(data_type)?, &template(value)?),
        T::PropertySet => out.message(holder.field(data_type)?, &property_set(value)?),
        T::PropertySetList => {
            let mut sets = WireMessage::default();
            for set in array_of(value)? {
                sets.message(1, &property_set(set)?);
            }
            out.message(holder.field(data_type)?, &sets);
        }
        _ if data_type.is_array() => out.bytes(holder.field(data_type)?, &packed(value, data_type)?),
        _ => {
            let Some(numbers) = data_type.whole_numbers() else { return Ok(()) };
            let bits = in_range(value, data_type, numbers)?;
            if numbers.bits == 64 {
                out.unsigned(first + 1, bits);
            } else {
                // The sign is extended to all 32 bits of the field.
                out.unsigned(first, bits & 0xffff_ffff);
            }
        }
    }
    Ok(())
}

/// The number in two's complement of the type's width, if it is in range.
fn in_range(value: &Value, data_type: DataType, numbers: WholeNumbers) -> Encoded<u64> {
    let (least, most) = numbers.range();
    let number = whole(value).ok_or_else(|| format!("{value} is not a whole number"))?;
    if !(least..=most).contains(&number) {
        return Err(format!("{value} is out of the range of {}", data_type.name()));
    }
    let signed = i64::try_from(number).map(i64::cast_unsigned);
    signed.or_else(|_| u64::try_from(number)).map_err(|error| error.to_string())
}

fn packed(value: &Value, data_type: DataType) -> Encoded<Vec<u8>> {
    let elements = array_of(value)?;
    let mut out = Vec::new();
    match (data_type, data_type.whole_numbers()) {
        (_, Some(numbers)) => {
            for element in elements {
                array::put_number(&mut out, data_type, in_range(element, data_type, numbers)?);
            }
        }
        (DataType::FloatArray, _) => {
            for element in elements {
                out.extend(short_float(element)?.to_le_bytes());
            }
        }
        (DataType::DoubleArray, _) => {
            for element in elements {
                out.extend(float(element)?.to_le_bytes());
            }
        }
        (DataType::BooleanArray, _) => {
            let values = elements.iter().map(boolean).collect::<Encoded<Vec<bool>>>()?;
            out = array::booleans(&values);
        }
        _ => {
            for element in elements {
                let text = text(element)?;
                if text.contains('\0') {
                    return Err("a text of a StringArray has U+0000 in it, which ends it".into());
                }
                out.extend_from_slice(text.as_bytes());
                out.push(0);
            }
        }
    }
    Ok(out)
}

fn metric(value: &Value) -> Encoded<WireMessage> {
    let map = object(value)?;
    known(
        map,
        &[
            "name",
            "alias",
            "timestamp",
            "datatype",
            "value",
            "value_error",
            "is_historical",
            "is_transient",
            "is_null",
            "metadata",
            "properties",
        ],
    )?;
    let mut out = WireMessage::default();
    put_text(&mut out, 1, map, "name")?;
    put_number(&mut out, 2, "alias", map.get("alias"))?;
    put_number(&mut out, 3, "timestamp", map.get("timestamp"))?;
    put_boolean(&mut out, 5, map, "is_historical")?;
    put_boolean(&mut out, 6, map, "is_transient")?;
    if let Some(value) = given(map, "metadata") {
        out.message(8, &metadata(value).map_err(|why| at("metadata", why))?);
    }
    if let Some(value) = given(map, "properties") {
        out.message(9, &property_set(value).map_err(|why| at("properties", why))?);
    }
    put_typed(&mut out, map, "datatype", [Some(4), Some(7)], ValueHolder::Metric)?;
    Ok(out)
}

fn metadata(value: &Value) -> Encoded<WireMessage> {
    const KEYS: [&str; 8] =
        ["is_multi_part", "content_type", "size", "seq", "file_name", "file_type", "md5", "description"];
    let map = object(value)?;
    known(map, &KEYS)?;
    let mut out = WireMessage::default();
    for (number, key) in (1..).zip(KEYS) {
        match number {
            1 => put_boolean(&mut out, number, map, key)?,
            3 | 4 => put_number(&mut out, number, key, map.get(key))?,
            _ => put_text(&mut out, number, map, key)?,
        }
    }
    Ok(out)
}

fn property_set(value: &Value) -> Encoded<WireMessage> {
    let mut out = WireMessage::default();
    for (key, value) in object(value)? {
        out.bytes(1, key.as_bytes());
        out.message(2, &property(value).map_err(|why| at(key, why))?);
    }
    Ok(out)
}

fn property(value: &Value) -> Encoded<WireMessage> {
    let map = object(value)?;
    known(map, &["type", "value", "value_error", "is_null"])?;
    let mut out = WireMessage::default();
    put_typed(&mut out, map, "type", [Some(1), Some(2)], ValueHolder::Property)?;
    Ok(out)
}

fn parameter(value: &Value) -> Encoded<WireMessage> {
    let map = object(value)?;
    known(map, &["name", "type", "value", "value_error"])?;
    let mut out = WireMessage::default();
    put_text(&mut out, 1, map, "name")?;
    put_typed(&mut out, map, "type", [Some(2), None], ValueHolder::Parameter)?;
    Ok(out)
}

fn template(value: &Value) -> Encoded<WireMessage> {
    let map = object(value)?;
    known(map, &["version", "template_ref", "is_definition", "parameters", "metrics"])?;
    let mut out = WireMessage::default();
    put_text(&mut out, 1, map, "version")?;
    for (number, key) in [(2, "metrics"), (3, "parameters")] {
        for element in list(map, key)? {
            out.message(number, &element?);
        }
    }
    put_text(&mut out, 4, map, "template_ref")?;
    put_boolean(&mut out, 5, map, "is_definition")?;
    Ok(out)
}

fn data_set(value: &Value) -> Encoded<WireMessage> {
    let map = object(value)?;
    known(map, &["num_of_columns", "columns", "types", "rows"])?;
    let member = |key| given(map, key).map_or(Ok(&[][..]), array_of).map_err(|why| at(key, why));
    let (columns, types) = (member("columns")?, member("types")?);
    if columns.len() != types.len() {
        return Err(format!("there are {} columns and {} types", columns.len(), types.len()));
    }
    let types =
        types.iter().map(type_number).collect::<Encoded<Vec<u32>>>().map_err(|why| at("types", why))?;
    let mut out = WireMessage::default();
    match given(map, "num_of_columns") {
        None => out.unsigned(1, columns.len() as u64),
        count => put_number(&mut out, 1, "num_of_columns", count)?,
    }
    for column in columns {
        out.bytes(2, text(column).map_err(|why| at("columns", why))?.as_bytes());
    }
    for number in &types {
        out.unsigned(3, (*number).into());
    }
    for (place, cells) in member("rows")?.iter().enumerate() {
        out.message(4, &row(cells, &types).map_err(|why| at(&format!("rows[{place}]"), why))?);
    }
    Ok(out)
}

fn row(cells: &Value, types: &[u32]) -> Encoded<WireMessage> {
    let cells = array_of(cells)?;
    if cells.len() != types.len() {
        return Err(format!("there are {} values and {} columns", cells.len(), types.len()));
    }
    let mut out = WireMessage::default();
    for (cell, number) in cells.iter().zip(types) {
        let mut element = WireMessage::default();
        if !cell.is_null() {
            let named = DataType::of_number(*number);
            if let Some(data_type) = named.map_or_else(|| guessed(cell), |named| Ok(Some(named)))? {
                put_value(&mut element, cell, data_type, ValueHolder::Cell)?;
            }
        }
        out.message(1, &element);
    }
    Ok(out)
}
