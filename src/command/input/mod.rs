//! What commands read: payloads, lines of standard input, and records of messages.
//!
//! | file | holds |
//! |---|---|
//! | `source` | where a payload comes from, and how it is read |
//! | `lines` | standard input as lines, read ahead by a thread |
//! | `record` | the JSON record of a message |

mod lines;
mod record;
mod source;

pub(super) use lines::{Begun, GivenUp, Lines};
pub(super) use record::Record;
pub use source::Source;
pub(super) use source::stdin;
