//! Payload formats other than text: `sub --decode FILTER=FORMAT` and `pub --encode FORMAT`.
//!
//! A format turns bytes into bytes (`gzip`), or bytes into JSON (`cbor`). Formats are joined with `+` in
//! decoding order: `gzip+cbor`. The table of [`plain`] has the formats that need only their name; `protobuf`
//! also needs a schema ([`Schemas`]). The user names the format of a payload; it is never guessed. With
//! `sparkplug` earlier messages describe the content of later ones, so a [`Decoder`] gets all messages in
//! order.
//!
//! The size of a decoded payload is limited ([`MOST_DECODED_BYTES`]), and so is its nesting
//! ([`MOST_NESTING`]).

mod chain;
mod compressed;
mod limits;
mod plain;
#[cfg(feature = "decoders")]
mod protobuf;
mod rules;
#[cfg(feature = "decoders")]
mod size;
#[cfg(feature = "decoders")]
mod sparkplug;
#[cfg(feature = "decoders")]
mod structured;

#[cfg(not(feature = "decoders"))]
pub use chain::NoSchemas as Schemas;
pub use chain::{DecodedBytes, FormatChain, UnknownFormat};
#[cfg(feature = "decoders")]
pub use limits::MOST_MEMORY_BYTES;
pub use limits::{MOST_DECODED_BYTES, MOST_NESTING, MOST_VALUES};
#[cfg(feature = "decoders")]
pub use protobuf::{BadSchema, MOST_SCHEMA_BYTES, MOST_SCHEMA_FILES, Schemas, UnusedOption};
pub use rules::{Decoded, Decoder, Rule};
#[cfg(feature = "decoders")]
pub use sparkplug::{MOST_EDGE_NODES, MOST_METRICS, MOST_NAME_BYTES};
