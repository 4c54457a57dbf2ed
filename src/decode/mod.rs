//! Payloads in other formats than text: `sub --decode FILTER=FORMAT` and `pub --encode FORMAT`.
//!
//! A format turns bytes into bytes (`gzip`), or bytes into JSON (`cbor`). Formats are joined with `+` in the order in
//! which they are decoded: `gzip+cbor`. The table of [`plain`] has those that need nothing but their name. Which format
//! a payload has is said by the user and never guessed.
//!
//! What a payload can grow to is limited ([`MOST_DECODED_BYTES`]), and how deep it may be nested ([`MOST_NESTING`]).

mod chain;
mod limits;
mod plain;
mod rules;
#[cfg(feature = "decoders")]
mod structured;

pub use chain::{FormatChain, UnknownFormat};
pub use limits::{MOST_DECODED_BYTES, MOST_NESTING};
pub use rules::{Decoded, Decoder, Rule};
