//! The messages of a payload, read from bytes and written directly as JSON.
//!
//! Keys are the field names of `sparkplug_b.proto`. Extensions, which the specification does not define, are
//! omitted.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::ser::{Error as _, Serialize, SerializeMap, SerializeSeq as _, Serializer};

use super::datatype::DataType;
use super::value::{MetricValue, PartKind, UnsignedJson, ValueJson};
use super::wire::{Read, WireField, WirePart};
use crate::decode::limits::{MOST_NESTING, too_deep};

/// The payload's fields besides its metrics.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct PayloadHead<'a> {
    pub(super) timestamp: Option<u64>,
    pub(super) seq: Option<u64>,
    pub(super) uuid: Option<&'a str>,
    pub(super) body: Option<WirePart<'a>>,
}

impl<'a> PayloadHead<'a> {
    pub(super) fn read(payload: WirePart<'a>) -> Read<Self> {
        let mut head = Self::default();
        for field in payload.fields() {
            let field = field?;
            match field.number {
                1 => head.timestamp = Some(field.unsigned()?),
                3 => head.seq = Some(field.unsigned()?),
                4 => head.uuid = Some(field.text()?),
                5 => head.body = Some(field.part()?),
                _ => {}
            }
        }
        Ok(head)
    }

    pub(super) fn put<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        put_number(map, "timestamp", self.timestamp)?;
        put_number(map, "seq", self.seq)?;
        put(map, "uuid", self.uuid)?;
        put(map, "body", self.body.map(|body| STANDARD.encode(body.bytes)))
    }
}

/// One metric.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Metric<'a> {
    pub(super) name: Option<&'a str>,
    pub(super) alias: Option<u64>,
    timestamp: Option<u64>,
    pub(super) datatype: Option<u32>,
    is_historical: Option<bool>,
    is_transient: Option<bool>,
    is_null: Option<bool>,
    metadata: Option<WirePart<'a>>,
    properties: Option<WirePart<'a>>,
    pub(super) value: Option<MetricValue<'a>>,
}

impl<'a> Metric<'a> {
    pub(super) fn read(part: WirePart<'a>) -> Read<Self> {
        let mut metric = Self::default();
        for field in part.fields() {
            let field = field?;
            match field.number {
                1 => metric.name = Some(field.text()?),
                2 => metric.alias = Some(field.unsigned()?),
                3 => metric.timestamp = Some(field.unsigned()?),
                4 => metric.datatype = Some(field.unsigned_32()?),
                5 => metric.is_historical = Some(field.boolean()?),
                6 => metric.is_transient = Some(field.boolean()?),
                7 => metric.is_null = Some(field.boolean()?),
                8 => metric.metadata = Some(field.part()?),
                9 => metric.properties = Some(field.part()?),
                _ => {
                    let parts: &[PartKind<'a>] =
                        &[MetricValue::Bytes, MetricValue::DataSet, MetricValue::Template];
                    let value = MetricValue::read(field, 10, parts)?;
                    metric.value = value.or(metric.value);
                }
            }
        }
        Ok(metric)
    }

    /// The integer value, if it has one.
    pub(super) fn whole_number(&self) -> Option<u64> {
        match self.value {
            Some(MetricValue::Int(number)) => Some(number.into()),
            Some(MetricValue::Long(number)) => Some(number),
            _ => None,
        }
    }

    /// Whether it lacks a part that a birth certificate has.
    pub(super) fn is_unresolved(&self) -> bool {
        let is_ambiguous = self.value.is_some_and(MetricValue::needs_type) && self.is_null != Some(true);
        self.alias.is_some() && self.name.is_none() || self.datatype.is_none() && is_ambiguous
    }
}

/// The metrics of a payload.
pub(super) fn metrics(payload: WirePart<'_>) -> impl Iterator<Item = Read<Metric<'_>>> {
    parts(payload, 2).map(|part| Metric::read(part?))
}

/// The elements of a repeated message field.
fn parts<'a>(part: WirePart<'a>, number: u64) -> impl Iterator<Item = Read<WirePart<'a>>> {
    let is_wanted =
        move |field: &Read<WireField<'a>>| field.as_ref().map_or(true, |field| field.number == number);
    part.fields().filter(is_wanted).map(|field| field?.part())
}

fn put<M: SerializeMap, T: Serialize>(map: &mut M, key: &str, value: Option<T>) -> Result<(), M::Error> {
    value.map_or(Ok(()), |value| map.serialize_entry(key, &value))
}

fn put_number<M: SerializeMap>(map: &mut M, key: &str, number: Option<u64>) -> Result<(), M::Error> {
    put(map, key, number.map(UnsignedJson))
}

/// Writes a data type: its name, or its number if it has no name.
fn put_type<M: SerializeMap>(map: &mut M, key: &str, number: Option<u32>) -> Result<(), M::Error> {
    put(map, key, number.map(TypeJson))
}

/// Writes the value, and why it does not fit its type.
fn put_value<M: SerializeMap>(
    map: &mut M,
    value: Option<MetricValue<'_>>,
    data_type: Option<u32>,
    is_null: Option<bool>,
    depth: usize,
) -> Result<(), M::Error> {
    if is_null == Some(true) {
        return map.serialize_entry("value", &());
    }
    let Some(value) = value else { return Ok(()) };
    let (value, why) = value.typed(data_type.and_then(DataType::of_number));
    map.serialize_entry("value", &ValueJson(value, depth + 1))?;
    put(map, "value_error", why)
}

fn check<S: Serializer>(depth: usize) -> Result<(), S::Error> {
    if depth > MOST_NESTING { Err(S::Error::custom(too_deep())) } else { Ok(()) }
}

struct TypeJson(u32);

impl Serialize for TypeJson {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match DataType::of_number(self.0) {
            Some(data_type) => serializer.serialize_str(data_type.name()),
            None => serializer.serialize_u32(self.0),
        }
    }
}

/// The elements of a repeated message field as a JSON array.
pub(super) struct ListJson<'a, F> {
    pub(super) part: WirePart<'a>,
    pub(super) number: u64,
    pub(super) make: F,
}

impl<'a, T: Serialize, F: Fn(WirePart<'a>) -> Read<T>> Serialize for ListJson<'a, F> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut list = serializer.serialize_seq(None)?;
        for part in parts(self.part, self.number) {
            let element = part.and_then(&self.make).map_err(S::Error::custom)?;
            list.serialize_element(&element)?;
        }
        list.end()
    }
}

/// A metric, and its nesting in the JSON text.
pub(super) struct MetricJson<'a>(pub(super) Metric<'a>, pub(super) usize);

impl Serialize for MetricJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(metric, depth) = self;
        check::<S>(*depth)?;
        let mut map = serializer.serialize_map(None)?;
        put(&mut map, "name", metric.name)?;
        put_number(&mut map, "alias", metric.alias)?;
        put_number(&mut map, "timestamp", metric.timestamp)?;
        put_type(&mut map, "datatype", metric.datatype)?;
        put_value(&mut map, metric.value, metric.datatype, metric.is_null, *depth)?;
        put(&mut map, "is_historical", metric.is_historical)?;
        put(&mut map, "is_transient", metric.is_transient)?;
        put(&mut map, "is_null", metric.is_null)?;
        put(&mut map, "metadata", metric.metadata.map(MetaDataJson))?;
        put(&mut map, "properties", metric.properties.map(|part| PropertySetJson(part, depth + 1)))?;
        map.end()
    }
}

struct MetaDataJson<'a>(WirePart<'a>);

impl Serialize for MetaDataJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for field in self.0.fields() {
            let field = field.map_err(S::Error::custom)?;
            let text = || field.text().map(Some).map_err(S::Error::custom);
            let number = || field.unsigned().map(Some).map_err(S::Error::custom);
            match field.number {
                1 => map.serialize_entry("is_multi_part", &field.boolean().map_err(S::Error::custom)?)?,
                2 => put(&mut map, "content_type", text()?)?,
                3 => put_number(&mut map, "size", number()?)?,
                4 => put_number(&mut map, "seq", number()?)?,
                5 => put(&mut map, "file_name", text()?)?,
                6 => put(&mut map, "file_type", text()?)?,
                7 => put(&mut map, "md5", text()?)?,
                8 => put(&mut map, "description", text()?)?,
                _ => {}
            }
        }
        map.end()
    }
}

/// A property, or a parameter of a template, which have the same structure.
struct PropertyJson<'a> {
    name: Option<&'a str>,
    data_type: Option<u32>,
    is_null: Option<bool>,
    value: Option<MetricValue<'a>>,
    depth: usize,
}

impl<'a> PropertyJson<'a> {
    fn property(part: WirePart<'a>, depth: usize) -> Read<Self> {
        let mut property = Self { name: None, data_type: None, is_null: None, value: None, depth };
        for field in part.fields() {
            let field = field?;
            match field.number {
                1 => property.data_type = Some(field.unsigned_32()?),
                2 => property.is_null = Some(field.boolean()?),
                _ => {
                    let parts: &[PartKind<'a>] = &[MetricValue::PropertySet, MetricValue::PropertySetList];
                    property.value = MetricValue::read(field, 3, parts)?.or(property.value);
                }
            }
        }
        Ok(property)
    }

    fn parameter(part: WirePart<'a>, depth: usize) -> Read<Self> {
        let mut parameter = Self { name: None, data_type: None, is_null: None, value: None, depth };
        for field in part.fields() {
            let field = field?;
            match field.number {
                1 => parameter.name = Some(field.text()?),
                2 => parameter.data_type = Some(field.unsigned_32()?),
                _ => {
                    let value = MetricValue::read(field, 3, &[])?;
                    parameter.value = value.or(parameter.value);
                }
            }
        }
        Ok(parameter)
    }
}

impl Serialize for PropertyJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        check::<S>(self.depth)?;
        let mut map = serializer.serialize_map(None)?;
        put(&mut map, "name", self.name)?;
        put_type(&mut map, "type", self.data_type)?;
        put_value(&mut map, self.value, self.data_type, self.is_null, self.depth)?;
        put(&mut map, "is_null", self.is_null)?;
        map.end()
    }
}

/// Properties as an object of their names, and its nesting in the JSON text.
pub(super) struct PropertySetJson<'a>(pub(super) WirePart<'a>, pub(super) usize);

impl Serialize for PropertySetJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self(part, depth) = self;
        check::<S>(*depth)?;
        let mut map = serializer.serialize_map(None)?;
        let mut keys = parts(*part, 1);
        for value in parts(*part, 2) {
            let key = keys.next().ok_or_else(|| S::Error::custom("a property has no key"))?;
            let key = key.and_then(WirePart::text).map_err(S::Error::custom)?;
            let property = PropertyJson::property(value.map_err(S::Error::custom)?, depth + 1);
            map.serialize_entry(key, &property.map_err(S::Error::custom)?)?;
        }
        if keys.next().is_some() {
            return Err(S::Error::custom("a property has no value"));
        }
        map.end()
    }
}

pub(super) struct PropertyListJson<'a>(pub(super) WirePart<'a>, pub(super) usize);

impl Serialize for PropertyListJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let make = |part| Ok(PropertySetJson(part, self.1 + 1));
        ListJson { part: self.0, number: 1, make }.serialize(serializer)
    }
}

/// A template, or an instance of one, with its nesting in the JSON text.
pub(super) struct TemplateJson<'a> {
    part: WirePart<'a>,
    version: Option<&'a str>,
    reference: Option<&'a str>,
    is_definition: Option<bool>,
    depth: usize,
}

impl<'a> TemplateJson<'a> {
    pub(super) fn read(part: WirePart<'a>, depth: usize) -> Read<Self> {
        let mut template = Self { part, version: None, reference: None, is_definition: None, depth };
        for field in part.fields() {
            let field = field?;
            match field.number {
                1 => template.version = Some(field.text()?),
                4 => template.reference = Some(field.text()?),
                5 => template.is_definition = Some(field.boolean()?),
                _ => {}
            }
        }
        Ok(template)
    }
}

impl Serialize for TemplateJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let (part, depth) = (self.part, self.depth);
        check::<S>(depth)?;
        let mut map = serializer.serialize_map(None)?;
        put(&mut map, "version", self.version)?;
        put(&mut map, "template_ref", self.reference)?;
        put(&mut map, "is_definition", self.is_definition)?;
        let make = |part| PropertyJson::parameter(part, depth + 2);
        map.serialize_entry("parameters", &ListJson { part, number: 3, make })?;
        let make = |part| Ok(MetricJson(Metric::read(part)?, depth + 2));
        map.serialize_entry("metrics", &ListJson { part, number: 2, make })?;
        map.end()
    }
}

/// A table, with its nesting in the JSON text.
pub(super) struct DataSetJson<'a> {
    part: WirePart<'a>,
    num_of_columns: Option<u64>,
    /// The types by column.
    types: Vec<u32>,
    depth: usize,
}

impl<'a> DataSetJson<'a> {
    pub(super) fn read(part: WirePart<'a>, depth: usize) -> Read<Self> {
        let mut set = Self { part, num_of_columns: None, types: Vec::new(), depth };
        for field in part.fields() {
            let field = field?;
            match field.number {
                1 => set.num_of_columns = Some(field.unsigned()?),
                3 => field.numbers(|number| set.types.push(number))?,
                _ => {}
            }
        }
        Ok(set)
    }
}

impl Serialize for DataSetJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let part = self.part;
        check::<S>(self.depth)?;
        let mut map = serializer.serialize_map(None)?;
        put_number(&mut map, "num_of_columns", self.num_of_columns)?;
        map.serialize_entry("columns", &ListJson { part, number: 2, make: WirePart::text })?;
        map.serialize_entry("types", &TypesJson(&self.types))?;
        let make = |part| Ok(RowJson { part, types: &self.types, depth: self.depth + 2 });
        map.serialize_entry("rows", &ListJson { part, number: 4, make })?;
        map.end()
    }
}

struct TypesJson<'a>(&'a [u32]);

impl Serialize for TypesJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(|number| TypeJson(*number)))
    }
}

struct RowJson<'a> {
    part: WirePart<'a>,
    types: &'a [u32],
    depth: usize,
}

impl Serialize for RowJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = serializer.serialize_seq(None)?;
        let mut types = self.types.iter();
        for element in parts(self.part, 1) {
            let mut value = None;
            for field in element.map_err(S::Error::custom)?.fields() {
                let field = field.map_err(S::Error::custom)?;
                let read = MetricValue::read(field, 1, &[]);
                value = read.map_err(S::Error::custom)?.or(value);
            }
            let data_type = types.next().and_then(|number| DataType::of_number(*number));
            let value = value.map(|value| ValueJson(value.typed(data_type).0, self.depth + 1));
            row.serialize_element(&value)?;
        }
        row.end()
    }
}
