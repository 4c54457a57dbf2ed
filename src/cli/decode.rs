//! Options with formats of payloads.

#[cfg(feature = "decoders")]
use std::path::PathBuf;

#[cfg(feature = "decoders")]
use clap::ValueHint;

use super::text;
#[cfg(feature = "decoders")]
use crate::decode::{
    BadSchema, MOST_EDGE_NODES, MOST_MEMORY_BYTES, MOST_METRICS, MOST_NAME_BYTES, MOST_SCHEMA_BYTES,
    MOST_SCHEMA_FILES, UnknownFormat, UnusedOption,
};
use crate::decode::{FormatChain, MOST_DECODED_BYTES, MOST_NESTING, Rule, Schemas};
use crate::error::Error;
use crate::quotation::cut;

/// The schema of `protobuf`.
#[derive(Debug, Clone, Default, clap::Args)]
#[command(next_help_heading = "Schema")]
struct SchemaArgs {
    #[cfg(feature = "decoders")]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath,
          help = "Schema of the format protobuf: a .proto file or a compiled descriptor set; may be repeated",
          long_help = about_schema())]
    proto: Vec<PathBuf>,

    /// Folder to look for imported .proto files in; may be repeated
    ///
    /// The first folder that has the file counts. After these come the folders of the files of --proto and the working
    /// directory. The files of google/protobuf are built in.
    #[cfg(feature = "decoders")]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    proto_path: Vec<PathBuf>,

    /// Message of formats that name none: with --message-type plant.Reading, protobuf is
    /// protobuf:plant.Reading
    #[cfg(feature = "decoders")]
    #[arg(long, value_name = "MESSAGE")]
    message_type: Option<String>,
}

#[cfg(feature = "decoders")]
fn about_schema() -> String {
    format!(
        "Schema of the format protobuf: a .proto file or a compiled descriptor set; may be repeated\n\n\
         protobuf:MESSAGE is a message of the schema, with its package: protobuf:plant.Reading. Its JSON is that of Protocol \
         Buffers: names in camel case, 64-bit numbers as strings, bytes as base64, enums by name, Timestamp as RFC 3339. \
         A field without presence that has its default value does not appear. An empty payload is the message {{}}. \
         Fields that the schema does not have are left out, with a warning. The values of a message may take about {} \
         MiB of memory. proto2 and proto3 are supported; a schema has at most {} MiB in {MOST_SCHEMA_FILES} files, \
         with its imports.",
        MOST_MEMORY_BYTES >> 20,
        MOST_SCHEMA_BYTES >> 20
    )
}

impl SchemaArgs {
    #[cfg(feature = "decoders")]
    fn schemas(self) -> Schemas {
        Schemas::new(self.proto, self.proto_path, self.message_type)
    }

    #[cfg(not(feature = "decoders"))]
    fn schemas(self) -> Schemas {
        Schemas::default()
    }
}

/// Refuses a schema that no format uses.
#[cfg(feature = "decoders")]
fn check_used(schemas: &Schemas, option: &str) -> Result<(), Error> {
    match schemas.unused() {
        Some(UnusedOption::Schema) => Err(Error::usage(format!(
            "--proto and --proto-path need the format protobuf: {option} protobuf:MESSAGE"
        ))),
        Some(UnusedOption::Message) => Err(Error::usage(format!(
            "--message-type needs a format protobuf that names no message: {option} protobuf"
        ))),
        None => Ok(()),
    }
}

#[cfg(not(feature = "decoders"))]
fn check_used(_: &Schemas, _: &str) -> Result<(), Error> {
    Ok(())
}

/// The formats from which payloads are decoded.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct DecodeArgs {
    #[arg(long, value_name = "FILTER=FORMAT", help_heading = "Decoding",
          help = "Decode payloads on topics that match FILTER, before anything else looks at them; may be repeated",
          long_help = about())]
    decode: Vec<String>,

    #[command(flatten)]
    schema: SchemaArgs,
}

fn about() -> String {
    format!(
        "Decode payloads on topics that match FILTER, before anything else looks at them; may be repeated\n\n\
         FORMAT is one of {}, or several in the order in which they are decoded: gzip+cbor. The first FILTER that \
         matches counts. protobuf:MESSAGE needs --proto. cbor, msgpack, sparkplug and protobuf give JSON, which is a value in \
         the record of --json and in programs, with the format as payload-decoded: mqtt pub --json --encode makes the same \
         value of it again; byte strings of cbor and msgpack are base64, NaN is null. sparkplug is \
         Sparkplug B: names and types of metrics come from the birth certificates that were received before, also from \
         those that other options leave out, if FILTER and the subscriptions have them. A payload that cannot be decoded \
         stays what it is, with the reason as payload-error in the record, and the exit status is 3 (--on-error of mqtt sub \
         says what else). In mqtt respond a request that cannot be decoded gets no response, but for --jq, whose program \
         sees payload-error. An empty payload is not decoded, but with protobuf. A payload may decode to {} MiB \
         and may be nested {MOST_NESTING} levels deep.{}",
        FormatChain::names().join(", "),
        MOST_DECODED_BYTES >> 20,
        about_memory()
    )
}

#[cfg(feature = "decoders")]
fn about_memory() -> String {
    format!(
        " sparkplug remembers {MOST_EDGE_NODES} edge nodes and {MOST_METRICS} metrics with {} MiB of names.",
        MOST_NAME_BYTES >> 20
    )
}

#[cfg(not(feature = "decoders"))]
fn about_memory() -> &'static str {
    ""
}

impl DecodeArgs {
    pub(super) fn resolve(self) -> Result<Vec<Rule>, Error> {
        let mut schemas = self.schema.schemas();
        let rules =
            self.decode.iter().map(|rule| self::rule(rule, &mut schemas)).collect::<Result<_, _>>()?;
        check_used(&schemas, "--decode FILTER=")?;
        Ok(rules)
    }
}

/// The format in which payloads are encoded.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct EncodeArgs {
    /// Encode each payload in this format, or in several: gzip+cbor
    ///
    /// The formats, and their order, are those of --decode of mqtt sub: sub --decode 'FILTER=FORMAT' gives
    /// the payload back. cbor, msgpack, sparkplug and protobuf are made from JSON. In sparkplug, a value
    /// without a data type becomes Boolean, Int64 (UInt64 above its range), Double or String, and a payload
    /// without a timestamp gets the current time. A payload that cannot be encoded is not published: it is
    /// named on standard error and gives exit status 1. With --template the filled-in payload is encoded. An
    /// empty payload stays empty.
    #[arg(long, value_name = "FORMAT", help_heading = "Payload (one of)")]
    encode: Option<String>,

    #[command(flatten)]
    schema: SchemaArgs,
}

impl EncodeArgs {
    /// The hint for a payload given twice: `--message` is `-m` here.
    pub(super) fn hint_for_message(&self) -> Option<String> {
        let is_open = self.encode.iter().flat_map(|names| names.split('+')).any(|name| name == "protobuf");
        is_open.then(|| "in mqtt pub --message is -m; --message-type names the message of protobuf".into())
    }

    pub(super) fn resolve(self) -> Result<Option<FormatChain>, Error> {
        let mut schemas = self.schema.schemas();
        let names = self.encode.as_deref();
        let formats = names.map(|names| chain("--encode", names, &mut schemas)).transpose()?;
        check_used(&schemas, "--encode")?;
        Ok(formats)
    }
}

/// Parses `FILTER=FORMAT`. A topic filter may contain `=`, the name of a format does not.
fn rule(given: &str, schemas: &mut Schemas) -> Result<Rule, Error> {
    let Some((filter, format)) = given.rsplit_once('=') else {
        let given = cut(given).into_owned();
        return Err(Error::usage(format!("--decode '{given}': the format is missing (FILTER=FORMAT)")));
    };
    let filter = text::topic_filter("filter of --decode", filter.as_ref())?;
    Ok(Rule { filter, chain: chain("--decode", format, schemas)? })
}

/// Parses the formats of an option.
fn chain(option: &str, names: &str, schemas: &mut Schemas) -> Result<FormatChain, Error> {
    FormatChain::parse(names, schemas).map_err(|why| match why {
        #[cfg(feature = "decoders")]
        UnknownFormat::Schema(BadSchema::Unreadable { path, error }) => {
            Error::file(format!("--proto {}", path.display()), error)
        }
        #[cfg(feature = "decoders")]
        UnknownFormat::Schema(bad @ BadSchema::Invalid { .. }) => {
            Error::usage(format!("--proto: {bad}")).hinted(bad.hint())
        }
        #[cfg(feature = "decoders")]
        UnknownFormat::Schema(bad) => Error::usage(format!("{option}: {bad}")).hinted(bad.hint()),
        why => Error::usage(format!("{option}: {why}")),
    })
}
