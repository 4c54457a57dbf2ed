//! The options that take jq programs.

use std::fmt::Display;

use super::value;
use crate::command::subscribe::{FailurePolicy, Programs};
use crate::error::Error;
use crate::jq::{
    Condition, MOST_LEVELS, MOST_MEMORY_BYTES, MOST_PROCESSOR_TIME, MOST_VALUES, Program, Uncompiled,
};
use crate::output::MessageFormat;

/// The jq options of `sub`.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Programs")]
pub(super) struct ProgramArgs {
    #[arg(long = "where", value_name = "EXPR", help = "Show only messages for which this jq program is true; may \
          be repeated: each must be true", long_help = about_where())]
    condition: Vec<String>,

    /// Write the results of this jq program instead of each message
    ///
    /// Strings are written as text, everything else as JSON, each result on a line; with --json strings are
    /// JSON too, and with -v the topic is written before each result. A message without a result is left out:
    /// it is acknowledged, and -C does not count it. The input is that of --where.
    #[arg(long, value_name = "EXPR")]
    jq: Vec<String>,

    /// Leave at the first message for which this jq program is true, with exit status 0
    ///
    /// It looks at all messages, also at those that other options leave out. The input is that of --where.
    #[arg(long, value_name = "EXPR")]
    until: Vec<String>,

    /// What to do with a message on which a program fails, or whose payload --decode cannot decode: skip
    /// leaves it out, show shows it as it is, stop ends the run with exit status 1 [default: skip; with
    /// --decode show]
    ///
    /// The first such message is reported on standard error, and their number at the end; the exit status is
    /// then 3. --until does not match them. They are acknowledged. With show, payload-error in the record
    /// says why a payload was not decoded.
    #[arg(long, value_name = "skip|show|stop", value_parser = value::on_program_error(), hide_possible_values = true)]
    on_error: Option<FailurePolicy>,
}

fn about_where() -> String {
    format!(
        "Show only messages for which this jq program is true; may be repeated: each must be true\n\n\
         The language is that of jq, in the form of the Rust crate jaq. The input is the record that --json writes: \
         .topic, .qos, .retain, .payloadlen, .mid, .properties, .tst, and .payload, which is the value itself where \
         the payload is JSON of at most {MOST_LEVELS} levels and {MOST_VALUES} values. Any other payload is a string, in base64 with \
         \"payload-encoding\": \"base64\" if it is not UTF-8. A program is true if one of its results is neither false \
         nor null. What is left out is acknowledged, and -C does not count it. env, $ENV, input, inputs, debug, \
         stderr, halt and modules do not exist here. A program that takes more than {} seconds of processor time or {} \
         MiB of memory for one message ends the run with exit status 1.",
        MOST_PROCESSOR_TIME.as_secs(),
        MOST_MEMORY_BYTES >> 20
    )
}

impl ProgramArgs {
    /// The compiled programs, and the policy for messages on which a program or the decoding fails.
    pub(super) fn resolve(self, decodes: bool) -> Result<(Programs, Option<FailurePolicy>), Error> {
        let programs = Programs {
            keep: all_of(&self.condition)?,
            show: compiled("--jq", one("--jq", &self.jq, "A | B")?, Program::new)?,
            until: compiled("--until", one("--until", &self.until, "(A) or (B)")?, Condition::new)?,
        };
        if self.on_error.is_some() && !programs.are_given() && !decodes {
            return Err(Error::usage("--on-error needs --where, --jq, --until or --decode"));
        }
        Ok((programs, self.on_error))
    }
}

/// A condition that is true if all of these programs are true.
fn all_of(programs: &[String]) -> Result<Option<Condition>, Error> {
    let compile = |text: &str| compiled("--where", Some(text), Condition::new);
    let [first, others @ ..] = programs else { return Ok(None) };
    // Compiled alone first, so that an error names its own program.
    let only = compile(first)?;
    if others.is_empty() {
        return Ok(only);
    }
    for other in others {
        compile(other)?;
    }
    // Each on a line of its own: a comment in a program ends with its line.
    let joined: Vec<String> = programs.iter().map(|program| format!("({program}\n)")).collect();
    compile(&joined.join(" and "))
}

/// The program of an option that may be given only once; the error shows how to join two (`joined`).
fn one<'a>(option: &str, programs: &'a [String], joined: &str) -> Result<Option<&'a str>, Error> {
    match programs {
        [] => Ok(None),
        [only] => Ok(Some(only)),
        _ => Err(Error::usage(format!("{option} is given twice"))
            .with_hint(format!("two programs A and B are one as '{joined}'"))),
    }
}

/// Refuses `--jq` where its results cannot be written: together with `other`, or with a message format.
pub(super) fn check_results(
    programs: &Programs,
    format: &MessageFormat,
    other: Option<&str>,
) -> Result<(), Error> {
    if programs.show.is_none() {
        return Ok(());
    }
    if matches!(format, MessageFormat::Template(_)) {
        return Err(Error::usage("--jq and -F cannot be used together: the results are the format"));
    }
    match other {
        Some(other) => Err(Error::usage(format!("--jq writes results: it cannot be used with {other}"))),
        None => Ok(()),
    }
}

/// The compiled program of an option, if given.
pub(super) fn compiled<T>(
    option: impl Display,
    text: Option<&str>,
    compile: impl FnOnce(&str) -> Result<T, Uncompiled>,
) -> Result<Option<T>, Error> {
    text.map(compile).transpose().map_err(|why| match why {
        Uncompiled::Bad(bad) => Error::Program {
            message: format!("{option}: line {}, column {}: {}", bad.line, bad.column, bad.what),
            line: bad.excerpt,
            column: bad.column,
            hint: bad.hint.map(Into::into),
        },
        Uncompiled::NoThread(refused) => refused.into(),
    })
}
