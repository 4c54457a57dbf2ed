//! Values of metrics, properties, parameters and cells, by data type.
//!
//! A value is in one of several fields, and only its data type gives the meaning: an Int16 of -1 is
//! 4294967295 in `int_value`, or 65535 from publishers in Python. A number that a double cannot represent
//! exactly is a string of digits in JSON.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::ser::{Error as _, Serialize, SerializeSeq as _, Serializer};

use super::datatype::DataType;
use super::structure::{DataSetJson, PropertyListJson, PropertySetJson, TemplateJson};
use super::wire::{Read, WireField, WirePart};

/// Up to this number, a double represents every integer exactly.
pub(super) const MOST_EXACT: u64 = (1 << 53) - 1;

/// A value as encoded in the payload.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum MetricValue<'a> {
    Int(u32),
    Long(u64),
    Float(f32),
    Double(f64),
    Boolean(bool),
    Text(WirePart<'a>),
    Bytes(WirePart<'a>),
    DataSet(WirePart<'a>),
    Template(WirePart<'a>),
    PropertySet(WirePart<'a>),
    PropertySetList(WirePart<'a>),
}

/// Constructs a value from a nested message.
pub(super) type PartKind<'a> = fn(WirePart<'a>) -> MetricValue<'a>;

impl<'a> MetricValue<'a> {
    /// Reads a field of a value. `first` is the number of the message's `int_value`. The fields after it have
    /// the same order in all messages up to `string_value`; the kinds in `parts` follow it.
    pub(super) fn read(field: WireField<'a>, first: u64, parts: &[PartKind<'a>]) -> Read<Option<Self>> {
        let Some(place) = field.number.checked_sub(first) else { return Ok(None) };
        Ok(Some(match place {
            0 => Self::Int(field.unsigned_32()?),
            1 => Self::Long(field.unsigned()?),
            2 => Self::Float(field.float()?),
            3 => Self::Double(field.double()?),
            4 => Self::Boolean(field.boolean()?),
            5 => Self::Text(field.part()?),
            other => {
                let kind = usize::try_from(other - 6).ok().and_then(|place| parts.get(place));
                let Some(kind) = kind else { return Ok(None) };
                kind(field.part()?)
            }
        }))
    }

    /// Whether the meaning depends on the data type.
    pub(super) fn needs_type(self) -> bool {
        matches!(self, Self::Int(_) | Self::Long(_) | Self::Bytes(_))
    }

    fn field_name(self) -> &'static str {
        match self {
            Self::Int(_) => "int_value",
            Self::Long(_) => "long_value",
            Self::Float(_) => "float_value",
            Self::Double(_) => "double_value",
            Self::Boolean(_) => "boolean_value",
            Self::Text(_) => "string_value",
            Self::Bytes(_) => "bytes_value",
            Self::DataSet(_) => "dataset_value",
            Self::Template(_) => "template_value",
            Self::PropertySet(_) => "propertyset_value",
            Self::PropertySetList(_) => "propertysets_value",
        }
    }

    /// The value interpreted by its data type, and why it does not fit the type. A value that does not fit is
    /// interpreted by its field.
    pub(super) fn typed(self, data_type: Option<DataType>) -> (TypedValue<'a>, Option<String>) {
        let plain = self.plain();
        if let (TypedValue::Text(Cow::Owned(_)), Self::Text(_)) = (&plain, self) {
            return (plain, Some("it is not UTF-8".into()));
        }
        let Some(data_type) = data_type else { return (plain, None) };
        match self.fitting(data_type) {
            Ok(Some(value)) => (value, None),
            Ok(None) => (plain, None),
            Err(why) => (plain, Some(why)),
        }
    }

    fn plain(self) -> TypedValue<'a> {
        match self {
            Self::Int(number) => TypedValue::Unsigned(number.into()),
            Self::Long(number) => TypedValue::Unsigned(number),
            Self::Float(number) => TypedValue::Float(number),
            Self::Double(number) => TypedValue::Double(number),
            Self::Boolean(is_true) => TypedValue::Boolean(is_true),
            Self::Text(part) => TypedValue::Text(String::from_utf8_lossy(part.bytes)),
            Self::Bytes(part) => TypedValue::Base64(part.bytes),
            Self::DataSet(part) => TypedValue::DataSet(part),
            Self::Template(part) => TypedValue::Template(part),
            Self::PropertySet(part) => TypedValue::PropertySet(part),
            Self::PropertySetList(part) => TypedValue::PropertySetList(part),
        }
    }

    /// The value interpreted by its data type; `None` if its field already gives the meaning.
    fn fitting(self, data_type: DataType) -> Result<Option<TypedValue<'a>>, String> {
        use DataType as T;
        if data_type.is_array() {
            let Self::Bytes(part) = self else { return self.misplaced(data_type) };
            super::array::check(data_type, part.bytes)?;
            return Ok(Some(TypedValue::Array(data_type, part.bytes)));
        }
        if let Some(numbers) = data_type.whole_numbers() {
            let (number, field_bits) = match self {
                Self::Int(number) => (u64::from(number), 32),
                Self::Long(number) => (number, 64),
                _ => return self.misplaced(data_type),
            };
            let (least, most) = numbers.range();
            // The number with the field's sign, or else the bits of the type's width.
            let with_sign = signed(number, field_bits);
            return if !numbers.is_signed && i128::from(number) <= most {
                Ok(Some(TypedValue::Unsigned(number)))
            } else if numbers.is_signed && (least..=most).contains(&i128::from(with_sign)) {
                Ok(Some(TypedValue::Signed(with_sign)))
            } else if numbers.is_signed && number >> numbers.bits.min(63) == 0 {
                Ok(Some(TypedValue::Signed(signed(number, numbers.bits))))
            } else {
                Err(format!("it is out of the range of {}", data_type.name()))
            };
        }
        let fits = match self {
            Self::Float(_) | Self::Double(_) => matches!(data_type, T::Float | T::Double),
            Self::Boolean(_) => data_type == T::Boolean,
            Self::Text(_) => matches!(data_type, T::String | T::Text | T::Uuid),
            Self::Bytes(_) => matches!(data_type, T::Bytes | T::File),
            Self::DataSet(_) => data_type == T::DataSet,
            Self::Template(_) => data_type == T::Template,
            Self::PropertySet(_) => data_type == T::PropertySet,
            Self::PropertySetList(_) => data_type == T::PropertySetList,
            Self::Int(_) | Self::Long(_) => false,
        };
        if fits { Ok(None) } else { self.misplaced(data_type) }
    }

    fn misplaced<T>(self, data_type: DataType) -> Result<T, String> {
        Err(format!("{} does not have the {}", self.field_name(), data_type.name()))
    }
}

/// The lower bits of the number, as two's complement.
pub(super) fn signed(number: u64, bits: u32) -> i64 {
    let unused = 64 - bits.min(64);
    number.wrapping_shl(unused).cast_signed().wrapping_shr(unused)
}

/// A value interpreted by its data type.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum TypedValue<'a> {
    Signed(i64),
    Unsigned(u64),
    Float(f32),
    Double(f64),
    Boolean(bool),
    Text(Cow<'a, str>),
    Base64(&'a [u8]),
    /// Checked bytes.
    Array(DataType, &'a [u8]),
    DataSet(WirePart<'a>),
    Template(WirePart<'a>),
    PropertySet(WirePart<'a>),
    PropertySetList(WirePart<'a>),
}

/// Writes a value; the number is its nesting in the JSON text.
pub(super) struct ValueJson<'a>(pub(super) TypedValue<'a>, pub(super) usize);

impl Serialize for ValueJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let depth = self.1;
        match &self.0 {
            TypedValue::Signed(number) => SignedJson(*number).serialize(serializer),
            TypedValue::Unsigned(number) => UnsignedJson(*number).serialize(serializer),
            TypedValue::Float(number) if number.is_finite() => serializer.serialize_f32(*number),
            TypedValue::Float(number) => serializer.serialize_str(not_finite(f64::from(*number))),
            TypedValue::Double(number) if number.is_finite() => serializer.serialize_f64(*number),
            TypedValue::Double(number) => serializer.serialize_str(not_finite(*number)),
            TypedValue::Boolean(is_true) => serializer.serialize_bool(*is_true),
            TypedValue::Text(text) => serializer.serialize_str(text),
            TypedValue::Base64(bytes) => serializer.serialize_str(&STANDARD.encode(bytes)),
            TypedValue::Array(data_type, bytes) => {
                let mut elements = serializer.serialize_seq(None)?;
                super::array::each(*data_type, bytes, |element| {
                    elements.serialize_element(&ValueJson(element, depth + 1))
                })?;
                elements.end()
            }
            TypedValue::DataSet(part) => {
                DataSetJson::read(*part, depth).map_err(S::Error::custom)?.serialize(serializer)
            }
            TypedValue::Template(part) => {
                TemplateJson::read(*part, depth).map_err(S::Error::custom)?.serialize(serializer)
            }
            TypedValue::PropertySet(part) => PropertySetJson(*part, depth).serialize(serializer),
            TypedValue::PropertySetList(part) => PropertyListJson(*part, depth).serialize(serializer),
        }
    }
}

/// An integer of 64 bits: a string if a double cannot represent it exactly.
pub(super) struct UnsignedJson(pub(super) u64);

impl Serialize for UnsignedJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0 <= MOST_EXACT { serializer.serialize_u64(self.0) } else { serializer.collect_str(&self.0) }
    }
}

struct SignedJson(i64);

impl Serialize for SignedJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.unsigned_abs() <= MOST_EXACT {
            serializer.serialize_i64(self.0)
        } else {
            serializer.collect_str(&self.0)
        }
    }
}

/// The names that Protocol Buffers JSON uses, so that null only means `is_null`.
fn not_finite(number: f64) -> &'static str {
    if number.is_nan() {
        "NaN"
    } else if number > 0.0 {
        "Infinity"
    } else {
        "-Infinity"
    }
}
