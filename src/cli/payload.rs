//! The payload sources that `pub` and `rr` share.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::ValueHint;

use super::text::shown;
use super::url::without_secrets;
use super::value;
use crate::command::input::{LookUp, MoreFields, Source, TextTemplate};
use crate::error::Error;

/// The name of the topic operand.
const TOPIC: &str = "TOPIC";
/// The name of the payload operand.
const MESSAGE: &str = "MESSAGE";

/// The subject of the error for a missing topic.
pub(super) const NO_TOPIC: &str = "topic_operand";

/// Topic and payload as operands.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct OperandArgs {
    /// Topic to publish to, as -t
    #[arg(value_name = "TOPIC")]
    topic_operand: Option<OsString>,

    /// Payload, as -m
    #[arg(value_name = "MESSAGE")]
    message_operand: Option<OsString>,
}

impl OperandArgs {
    /// The topics from the operand or from `-t`.
    pub(super) fn topics(&mut self, given: &[OsString]) -> Result<Vec<OsString>, Error> {
        given_once(self.topic_operand.take().into_iter().collect(), given, TOPIC)
    }

    /// The first operand that is the name of a file.
    pub(super) fn file(&self) -> Option<String> {
        let operands = self.topic_operand.iter().chain(&self.message_operand);
        operands.into_iter().find(|operand| Path::new(operand).is_file()).map(|operand| shown(operand))
    }

    /// The payload operand, if given, with its name.
    pub(super) fn given(&mut self) -> Option<(&'static str, Source)> {
        self.message_operand.take().map(|text| (MESSAGE, Source::Message(value::bytes(text))))
    }
}

/// The value from the operand or from `-t`; an error if both are given.
pub(super) fn given_once(
    operands: Vec<OsString>,
    options: &[OsString],
    name: &str,
) -> Result<Vec<OsString>, Error> {
    let is_url = |operand: &&OsString| operand.to_string_lossy().contains("://");
    if let Some(url) = operands.iter().find(is_url) {
        return Err(operand_is_url(name, url)
            .with_hint("-L takes the broker's URL, and -t a topic that looks like one"));
    }
    match (operands.first(), options.first()) {
        (Some(operand), Some(option)) => Err(both_given(name, operand, option)),
        (Some(_), None) => Ok(operands),
        (None, _) => Ok(options.to_vec()),
    }
}

/// The error for an operand that is a broker's URL.
pub(super) fn operand_is_url(name: &str, url: &OsStr) -> Error {
    let url = without_secrets(&url.to_string_lossy());
    Error::usage(format!("{name} '{}' is a URL", shown(url.as_ref())))
}

/// The error for a value given both as an operand and with `-t`.
pub(super) fn both_given(name: &str, operand: &OsStr, option: &OsStr) -> Error {
    let text = format!("{name} '{}' and -t '{}' are both given; give one", shown(operand), shown(option));
    let hint = if option.as_encoded_bytes().starts_with(b"-") {
        format!("-t has taken '{}' as its value: is the value of -t missing?", shown(option))
    } else if name == TOPIC && Path::new(operand).is_file() {
        let file = shown(operand);
        format!("'{file}' is a file: -f sends its content, and -l and --json read its lines with < {file}")
    } else {
        "quote a text that has blanks".into()
    };
    Error::usage(text).with_hint(hint)
}

/// The error for a message without a payload.
pub(super) fn no_message() -> Error {
    Error::usage("no message to publish").with_hint(
        "give one of -m TEXT, -f FILE, -s (standard input), -l (its lines), --json (its lines as records), --size SIZE (random \
         bytes) and -n (no payload)",
    )
}

/// The options that give the payload.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Payload (one of)")]
pub(super) struct PayloadArgs {
    /// Payload: this text
    #[arg(short = 'm', long, value_name = "PAYLOAD")]
    message: Vec<OsString>,

    /// Payload: the content of this file
    ///
    /// At most 268435460 bytes, the largest packet.
    #[arg(short = 'f', long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: Vec<PathBuf>,

    /// Payload: all of standard input
    ///
    /// At most 268435460 bytes, the largest packet.
    #[arg(short = 's', long)]
    stdin_file: bool,

    /// Payload: none, zero bytes
    #[arg(short = 'n', long)]
    null_message: bool,
}

impl PayloadArgs {
    /// All sources that were given, each with the name of its flag. Exactly one is valid.
    pub(super) fn given(self) -> Vec<(&'static str, Source)> {
        let messages = self.message.into_iter().map(|text| ("-m", Source::Message(value::bytes(text))));
        let files = self.file.into_iter().map(|path| ("-f", Source::File(path)));
        let stdin = self.stdin_file.then_some(("-s", Source::Stdin));
        let null = self.null_message.then_some(("-n", Source::Null));
        messages.chain(files).chain(stdin).chain(null).collect()
    }
}

/// The variable look-up of templates.
pub(super) const ENVIRONMENT: LookUp = |name| std::env::var_os(name);

/// A text of `--template` with its fields parsed; errors name it as `what`.
pub(super) fn text_template(
    what: &str,
    text: &[u8],
    file_name: Option<&[u8]>,
) -> Result<TextTemplate, Error> {
    let more = MoreFields { environment: Some(ENVIRONMENT), file_name, ..MoreFields::default() };
    TextTemplate::parse_with(text, more).map_err(|why| {
        Error::usage(format!("--template: {what} '{}': {why}", text.escape_ascii()))
            .with_hint("{{ and }} stand for braces")
    })
}

/// The one source that was given, if any.
pub(super) fn one(mut given: Vec<(&'static str, Source)>) -> Result<Option<Source>, Error> {
    match (given.pop(), given.pop()) {
        (Some((one, _)), Some((other, _))) => {
            let error = Error::usage(format!("{other} and {one} are two sources for one message; give one"));
            Err(if [one, other].contains(&MESSAGE) {
                error.with_hint("MESSAGE is the second word; a topic that has blanks is quoted")
            } else {
                error
            })
        }
        (source, _) => Ok(source.map(|(_, source)| source)),
    }
}
