//! What commands read: payloads, lines of standard input, and records of messages.
//!
//! | file | holds |
//! |---|---|
//! | `source` | where a payload comes from, and how it is read |
//! | `lines` | standard input as lines, read ahead by a thread |
//! | `record` | the JSON record of a message |
//! | `records` | lines that name their topic, in a record or in front of the payload, as messages |
//! | `rewrite` | a change of topics |
//! | `template` | texts with fields that are filled in for each message |

mod lines;
mod record;
mod records;
mod rewrite;
mod source;
mod template;

pub(super) use lines::{Begun, GivenUp, Lines};
pub(super) use record::{NoRecord, Record};
pub(super) use records::{LineForm, Message, RecordReader};
pub use records::{RecordOptions, TopicLines};
pub use rewrite::Rewrite;
pub use source::Source;
pub(super) use source::stdin;
pub(super) use template::FieldValues;
pub use template::{LookUp, TextTemplate};
