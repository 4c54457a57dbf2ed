//! The messages of `sparkplug_b.proto` as a generated reader has them, to compare ours with.

use prost::{Message, Oneof};

#[derive(Clone, PartialEq, Message)]
pub(super) struct Payload {
    #[prost(uint64, optional, tag = "1")]
    pub(super) timestamp: Option<u64>,
    #[prost(message, repeated, tag = "2")]
    pub(super) metrics: Vec<ProstMetric>,
    #[prost(uint64, optional, tag = "3")]
    pub(super) seq: Option<u64>,
    #[prost(string, optional, tag = "4")]
    pub(super) uuid: Option<String>,
    #[prost(bytes = "vec", optional, tag = "5")]
    pub(super) body: Option<Vec<u8>>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ProstMetric {
    #[prost(string, optional, tag = "1")]
    pub(super) name: Option<String>,
    #[prost(uint64, optional, tag = "2")]
    pub(super) alias: Option<u64>,
    #[prost(uint64, optional, tag = "3")]
    pub(super) timestamp: Option<u64>,
    #[prost(uint32, optional, tag = "4")]
    pub(super) datatype: Option<u32>,
    #[prost(bool, optional, tag = "5")]
    pub(super) is_historical: Option<bool>,
    #[prost(bool, optional, tag = "6")]
    pub(super) is_transient: Option<bool>,
    #[prost(bool, optional, tag = "7")]
    pub(super) is_null: Option<bool>,
    #[prost(message, optional, tag = "8")]
    pub(super) metadata: Option<ProstMetaData>,
    #[prost(message, optional, tag = "9")]
    pub(super) properties: Option<ProstProperties>,
    #[prost(oneof = "Value", tags = "10, 11, 12, 13, 14, 15, 16, 17, 18")]
    pub(super) value: Option<Value>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Value {
    #[prost(uint32, tag = "10")]
    Int(u32),
    #[prost(uint64, tag = "11")]
    Long(u64),
    #[prost(float, tag = "12")]
    Float(f32),
    #[prost(double, tag = "13")]
    Double(f64),
    #[prost(bool, tag = "14")]
    Boolean(bool),
    #[prost(string, tag = "15")]
    Text(String),
    #[prost(bytes, tag = "16")]
    Bytes(Vec<u8>),
    #[prost(message, tag = "17")]
    DataSet(ProstDataSet),
    #[prost(message, tag = "18")]
    Template(ProstTemplate),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ProstMetaData {
    #[prost(bool, optional, tag = "1")]
    pub(super) is_multi_part: Option<bool>,
    #[prost(string, optional, tag = "2")]
    pub(super) content_type: Option<String>,
    #[prost(uint64, optional, tag = "3")]
    pub(super) size: Option<u64>,
    #[prost(uint64, optional, tag = "4")]
    pub(super) seq: Option<u64>,
    #[prost(string, optional, tag = "5")]
    pub(super) file_name: Option<String>,
    #[prost(string, optional, tag = "6")]
    pub(super) file_type: Option<String>,
    #[prost(string, optional, tag = "7")]
    pub(super) md5: Option<String>,
    #[prost(string, optional, tag = "8")]
    pub(super) description: Option<String>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ProstProperties {
    #[prost(string, repeated, tag = "1")]
    pub(super) keys: Vec<String>,
    #[prost(message, repeated, tag = "2")]
    pub(super) values: Vec<ProstProperty>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ProstPropertyList {
    #[prost(message, repeated, tag = "1")]
    pub(super) sets: Vec<ProstProperties>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ProstProperty {
    #[prost(uint32, optional, tag = "1")]
    pub(super) data_type: Option<u32>,
    #[prost(bool, optional, tag = "2")]
    pub(super) is_null: Option<bool>,
    #[prost(oneof = "PropertyContent", tags = "3, 4, 5, 6, 7, 8, 9, 10")]
    pub(super) value: Option<PropertyContent>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum PropertyContent {
    #[prost(uint32, tag = "3")]
    Int(u32),
    #[prost(uint64, tag = "4")]
    Long(u64),
    #[prost(float, tag = "5")]
    Float(f32),
    #[prost(double, tag = "6")]
    Double(f64),
    #[prost(bool, tag = "7")]
    Boolean(bool),
    #[prost(string, tag = "8")]
    Text(String),
    #[prost(message, tag = "9")]
    Set(ProstProperties),
    #[prost(message, tag = "10")]
    List(ProstPropertyList),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ProstDataSet {
    #[prost(uint64, optional, tag = "1")]
    pub(super) num_of_columns: Option<u64>,
    #[prost(string, repeated, tag = "2")]
    pub(super) columns: Vec<String>,
    #[prost(uint32, repeated, packed = "false", tag = "3")]
    pub(super) types: Vec<u32>,
    #[prost(message, repeated, tag = "4")]
    pub(super) rows: Vec<ProstRow>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ProstRow {
    #[prost(message, repeated, tag = "1")]
    pub(super) elements: Vec<ProstCell>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ProstCell {
    #[prost(oneof = "Cell", tags = "1, 2, 3, 4, 5, 6")]
    pub(super) value: Option<Cell>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum Cell {
    #[prost(uint32, tag = "1")]
    Int(u32),
    #[prost(uint64, tag = "2")]
    Long(u64),
    #[prost(float, tag = "3")]
    Float(f32),
    #[prost(double, tag = "4")]
    Double(f64),
    #[prost(bool, tag = "5")]
    Boolean(bool),
    #[prost(string, tag = "6")]
    Text(String),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ProstTemplate {
    #[prost(string, optional, tag = "1")]
    pub(super) version: Option<String>,
    #[prost(message, repeated, tag = "2")]
    pub(super) metrics: Vec<ProstMetric>,
    #[prost(message, repeated, tag = "3")]
    pub(super) parameters: Vec<ProstParameter>,
    #[prost(string, optional, tag = "4")]
    pub(super) template_ref: Option<String>,
    #[prost(bool, optional, tag = "5")]
    pub(super) is_definition: Option<bool>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct ProstParameter {
    #[prost(string, optional, tag = "1")]
    pub(super) name: Option<String>,
    #[prost(uint32, optional, tag = "2")]
    pub(super) data_type: Option<u32>,
    #[prost(oneof = "ParameterContent", tags = "3, 4, 5, 6, 7, 8")]
    pub(super) value: Option<ParameterContent>,
}

#[derive(Clone, PartialEq, Oneof)]
pub(super) enum ParameterContent {
    #[prost(uint32, tag = "3")]
    Int(u32),
    #[prost(uint64, tag = "4")]
    Long(u64),
    #[prost(float, tag = "5")]
    Float(f32),
    #[prost(double, tag = "6")]
    Double(f64),
    #[prost(bool, tag = "7")]
    Boolean(bool),
    #[prost(string, tag = "8")]
    Text(String),
}
