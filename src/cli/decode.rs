//! Formats of payloads in options.

use super::text;
use crate::decode::{FormatChain, MOST_DECODED_BYTES, MOST_NESTING, Rule};
use crate::error::Error;
use crate::quotation::cut;

/// Formats that payloads are decoded from.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct DecodeArgs {
    #[arg(long, value_name = "FILTER=FORMAT", help_heading = "Decoding",
          help = "Decode payloads on topics that match FILTER, before anything else looks at them; may be repeated",
          long_help = about())]
    decode: Vec<String>,
}

fn about() -> String {
    format!(
        "Decode payloads on topics that match FILTER, before anything else looks at them; may be repeated\n\n\
         FORMAT is one of {}, or several in the order in which they are decoded: gzip+cbor. The first FILTER that \
         matches counts. cbor and msgpack give JSON, which is a value in the record of --json and in programs; byte \
         strings in it are base64, NaN is null. A payload that cannot be decoded stays what it is, with the reason as \
         payload-error in the record, and the exit status is 3 (--on-error of mqtt sub says what else). In mqtt respond a \
         request that cannot be decoded gets no response, but for --jq, whose program sees payload-error. An empty payload is not decoded. A payload may decode to {} MiB \
         and may be nested {MOST_NESTING} levels deep.",
        FormatChain::names().join(", "),
        MOST_DECODED_BYTES >> 20
    )
}

impl DecodeArgs {
    pub(super) fn resolve(self) -> Result<Vec<Rule>, Error> {
        self.decode.iter().map(|rule| self::rule(rule)).collect()
    }
}

/// The format that payloads are encoded in.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct EncodeArgs {
    /// Encode each payload in this format, or in several: gzip+cbor
    ///
    /// The formats, and their order, are those of --decode of mqtt sub: sub --decode 'FILTER=FORMAT' gives the payload
    /// back. cbor and msgpack are made from JSON. A payload that cannot be encoded is not published: it is named on standard
    /// error and gives exit status 1. With --template the filled-in payload is encoded. An empty payload stays empty.
    #[arg(long, value_name = "FORMAT", help_heading = "Payload (one of)")]
    encode: Option<String>,
}

impl EncodeArgs {
    pub(super) fn is_given(&self) -> bool {
        self.encode.is_some()
    }

    pub(super) fn resolve(self) -> Result<Option<FormatChain>, Error> {
        self.encode.as_deref().map(|names| chain("--encode", names)).transpose()
    }
}

/// A topic filter may have `=` in it, the name of a format has none.
fn rule(given: &str) -> Result<Rule, Error> {
    let Some((filter, format)) = given.rsplit_once('=') else {
        let given = cut(given).into_owned();
        return Err(Error::usage(format!("--decode '{given}': the format is missing (FILTER=FORMAT)")));
    };
    let filter = text::topic_filter("filter of --decode", filter.as_ref())?;
    Ok(Rule { filter, chain: chain("--decode", format)? })
}

/// The formats that an option names.
fn chain(option: &str, names: &str) -> Result<FormatChain, Error> {
    FormatChain::parse(names).map_err(|why| Error::usage(format!("{option}: {why}")))
}
