//! The input of commands: payloads, lines of standard input, and records of messages.
//!
//! | file | holds |
//! |---|---|
//! | `source` | the sources of payloads, and how to read them |
//! | `lines` | standard input as lines, read ahead by a thread |
//! | `decompress` | compressed input |
//! | `record` | the JSON record of a message |
//! | `records` | messages from lines with a topic, in a record or before the payload |
//! | `rewrite` | a change of topics |
//! | `expiry` | the Message Expiry Interval of stored messages |
//! | `selection`, `moment` | which records are published |
//! | `generated` | generated payloads |
//! | `template` | texts with fields that are filled in for each message |

mod decompress;
mod expiry;
mod generated;
mod lines;
mod moment;
mod record;
mod record_filling;
mod records;
mod rewrite;
mod selection;
mod source;
mod template;

pub(super) use decompress::FirstBytes;
pub(super) use expiry::{Aged, aged, with_expiry};
pub use generated::GeneratedPayloads;
pub(super) use lines::{Begun, GivenUp, Lines, NextInput, check_rounds, decompressed_pipe, last_line};
pub use moment::{Moment, TimeRange};
pub(super) use record::{NoRecord, Record};
pub(super) use records::{Departure, Enveloped, LineForm, Message, RecordReader};
pub use records::{RecordOptions, TopicLines};
pub use rewrite::Rewrite;
pub use selection::RecordSelection;
pub use source::Source;
pub(super) use source::{read_file, stdin};
pub(super) use template::{ClientRow, FieldValues};
pub use template::{ColumnLookUp, LookUp, MoreFields, TextTemplate};
