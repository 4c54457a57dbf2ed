//! `-F`: the user's own format for messages, in mosquitto's language.
//!
//! `%` [`-` or `0`] [width] [`.` precision] [separator] letter is a part of the message, `@` letter the time
//! of receipt as in `strftime` (`@N`: nanoseconds), `\` letter a character; everything else is literal. The
//! template is parsed once; writing a message only walks over its segments.
//!
//! It differs from `mosquitto_sub` where that loses data: `%j` and `%J` write the record of `--json` (UTC,
//! base64 for payloads that are not UTF-8), and `%J` with a payload that is not JSON falls back to the string
//! form, where mosquitto writes an empty line. JSON within `%J` is passed on unchanged, including `1.0` and
//! 20-digit numbers, except that it is put on one line. Width and precision of text count characters, not
//! bytes, so that no character is cut; integers are never negative.

mod parse;
mod render;
mod segments;
mod specifiers;

#[cfg(test)]
mod tests;

pub use parse::FormatError;
pub(super) use render::render;
pub use segments::Template;
pub use specifiers::{MODIFIERS, SPECIFIERS, Specifier};
