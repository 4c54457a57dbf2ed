//! The forms in which received messages are written: the options that `sub` and `rr` share.

use std::ffi::OsString;

use super::sources::Origin;
use super::value;
use crate::error::Error;
use crate::output::{MODIFIERS, MOST_INDENTED_LEVELS, MessageFormat, SPECIFIERS, Template};
use crate::quotation::cut;

/// The options of standard output.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Format")]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct FormatArgs {
    /// Write the topic and a space before each payload
    ///
    /// --json and -F name the topic themselves.
    #[arg(short = 'v', long)]
    verbose: bool,

    /// Write no line feed after a message
    #[arg(short = 'N')]
    no_newline: bool,

    /// Write each message in this format: %t topic, %p payload, %j JSON, \n line feed
    ///
    /// It is the language of mosquitto's clients. Also %q QoS, %r retain, %l payload length, %x
    /// hexadecimal, %I time, and all that is listed below.
    #[arg(short = 'F', long, value_name = "FORMAT")]
    format: Option<OsString>,

    /// Write each message as a JSON object on a line of its own
    #[arg(long)]
    json: bool,

    #[arg(help = format!("Indent the JSON of --json or -F over several lines, down to \
                          {MOST_INDENTED_LEVELS} levels of nesting; deeper values stay on one line"), long)]
    pretty: bool,
}

/// The specifiers that begin with this sign.
fn rows(title: &str, sign: char) -> String {
    let rows = SPECIFIERS.iter().filter(|specifier| specifier.written.starts_with(sign));
    let rows: Vec<String> =
        rows.map(|specifier| format!("  {}  {}\n", specifier.written, specifier.help)).collect();
    format!("{title}:\n{}\n", rows.concat())
}

/// The specifiers for parts of a message.
pub(super) fn parts() -> String {
    rows("Formats of -F: parts of the message", '%').trim_end().to_owned()
}

/// All specifiers, for `--help-all`.
pub(super) fn reference() -> String {
    let indented = |text: &str| format!("  {}\n", text.replace('\n', "\n  "));
    [
        parts() + "\n\n",
        format!("Formats of -F: width and precision:\n{}\n", indented(MODIFIERS)),
        rows("Formats of -F: local time of receipt", '@'),
        rows("Formats of -F: characters", '\\'),
    ]
    .concat()
    .trim_end()
    .to_owned()
}

impl FormatArgs {
    pub(super) fn resolve(self, origin: &Origin) -> Result<MessageFormat, Error> {
        if let Some(format) = self.format {
            if self.json {
                return Err(Error::usage("--json and -F cannot be used together"));
            }
            let written = value::bytes(format);
            if !written.iter().any(|byte| b"%@\\".contains(byte)) {
                let text = cut(&String::from_utf8_lossy(&written)).into_owned();
                origin.warn(format!(
                    "-F '{text}' names no part of the message, and writes these words for each (%p is the payload; \
                     for JSON: --json)"
                ));
            }
            let template = Template::parse(&written)?;
            let template = if self.no_newline { template.without_newline() } else { template };
            return Ok(MessageFormat::Template(if self.pretty { template.pretty() } else { template }));
        }
        if self.json && self.no_newline {
            return Err(Error::usage("-N cannot be used with --json, whose records are lines"));
        }
        if self.pretty && !self.json {
            return Err(Error::usage("--pretty needs --json or -F"));
        }
        Ok(if self.json {
            MessageFormat::Json { pretty: self.pretty }
        } else {
            MessageFormat::Text { verbose: self.verbose, newline: !self.no_newline }
        })
    }
}
