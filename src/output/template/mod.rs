//! `-F`: the user's own format for messages, in mosquitto's language.
//!
//! `%` [`-` or `0`] [width] [`.` precision] [separator] letter stands for a part of the message, `@`
//! letter for the time of receipt as `strftime` has it (`@N`: nanoseconds), `\` letter for a
//! character; everything else stands for itself. The template is read once; writing a message only
//! walks over its segments.
//!
//! It differs from `mosquitto_sub` where that loses data: `%j` and `%J` write the record of `--json` (UTC,
//! base64 for payloads that are not UTF-8), and `%J` with a payload that is not JSON falls back to the
//! string form, where mosquitto writes an empty line. JSON within `%J` is passed on as it is, `1.0` and
//! 20-digit numbers included, only put on one line. Width and precision of text count characters, not
//! bytes, so that none is cut in half; integers are never negative.

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
