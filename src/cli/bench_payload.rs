//! The payload of a load's messages.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::ValueHint;

use super::value;
use crate::command::bench::TEXT_STAMP_BYTES;
use crate::command::bench::config::Payload;
use crate::command::bench::topic::has_columns;
use crate::command::input::{MoreFields, TextTemplate};
use crate::error::Error;
use crate::quotation::shown;

/// The options of the payload, except its size.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Load")]
#[allow(clippy::doc_markdown, reason = "help texts are no Markdown")]
pub(super) struct LoadPayloadArgs {
    /// Text after the stamp; {client} and {sequence} are filled in
    ///
    /// With --template it is a text with fields.
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["payload_file", "payload_lines"])]
    payload: Option<OsString>,

    /// Fill in the fields of --payload for each message, as mqtt pub --template does
    ///
    /// There are {client}, {csv:NAME}, {seq}, {now}, {now:FORMAT}, {unix}, {unix_ms}, {uuid}, {rand:0..100},
    /// {rand:18.0..24.0:1} and {hex:16}; {{ and }} are braces. {client} is the number of the publisher,
    /// from 0, and {seq} that of its message, from 1. Random values are the same in each run with the same
    /// --seed. {stamp} is a place for the stamp, as a text of 54 characters instead of the 32 bytes at the
    /// beginning: a payload of JSON stays valid. Each message is made separately, which takes the generator
    /// more processor time.
    #[arg(long, requires = "payload")]
    template: bool,

    /// CSV file with a heading and a line for each publisher, for {csv:NAME} in --payload and --topic
    ///
    /// {csv:NAME} in --payload needs --template. With fewer lines than publishers, the lines are reused in turn.
    /// The file has at most 64 columns and 256 MiB; only the lines of publishers are kept in memory.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    client_values: Option<PathBuf>,

    /// Content of this file after the stamp
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "payload_lines")]
    payload_file: Option<PathBuf>,

    /// A line of this file after the stamp, drawn for each message by --seed; at most 64 MiB
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    payload_lines: Option<PathBuf>,
}

impl LoadPayloadArgs {
    /// The file of client values.
    ///
    /// # Errors
    /// A topic that needs it, or a file that no field uses.
    pub(super) fn client_values(&self, topic: &str) -> Result<Option<PathBuf>, Error> {
        let has_columns = has_columns(topic);
        if self.client_values.is_some() && !has_columns && !self.template {
            return Err(Error::usage(
                "--client-values needs {csv:NAME} in --topic, or in --payload with --template",
            ));
        }
        if self.client_values.is_none() && has_columns {
            let why = format!("topic '{}': {{csv:NAME}} needs --client-values FILE", shown(topic.as_bytes()));
            return Err(Error::usage(why));
        }
        Ok(self.client_values.clone())
    }

    /// The requested payload, instead of this number of bytes.
    ///
    /// # Errors
    /// A text with an unknown field.
    pub(super) fn payload(self, size: usize) -> Result<Payload, Error> {
        Ok(match (self.payload, self.payload_file, self.payload_lines) {
            (Some(text), _, _) if self.template => {
                let text = value::bytes(text);
                check_fields(&text, self.client_values.is_some())?;
                Payload::Fields(text)
            }
            (Some(text), _, _) => Payload::Template(value::bytes(text)),
            (_, Some(path), _) => Payload::File(path),
            (_, _, Some(path)) => Payload::Lines(path),
            _ => Payload::Size(size),
        })
    }
}

/// Checks that a text has only known fields. The columns of a file are checked when it is read.
///
/// # Errors
/// The fault, in one line.
pub(super) fn parse_fields(text: &[u8], has_csv: bool) -> Result<(), String> {
    let any_column = |_: &str| has_csv.then_some(0);
    let stamp_bytes = Some(TEXT_STAMP_BYTES);
    let more = MoreFields { columns: Some(&any_column), stamp_bytes, ..MoreFields::default() };
    TextTemplate::parse_with(text, more).map(drop)
}

/// The same for the text of `--payload`.
fn check_fields(text: &[u8], has_csv: bool) -> Result<(), Error> {
    let wrong = |why| {
        let error = Error::usage(format!("--payload '{}': {why}", text.escape_ascii()));
        let is_missing_file = !has_csv && text.windows(5).any(|part| part == b"{csv:");
        error.with_hint(if is_missing_file {
            "{csv:NAME} needs --client-values FILE"
        } else {
            "{{ and }} stand for braces"
        })
    };
    parse_fields(text, has_csv).map_err(wrong)
}
