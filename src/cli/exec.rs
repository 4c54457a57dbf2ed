//! Options of `sub` and `respond` for commands that are run for messages.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::time::Duration;

use clap::ValueHint;

use super::sources::connection_variables;
use super::text::shown;
use super::value;
use crate::command::exec::{CommandOptions, ExecCommand};
use crate::error::Error;
use crate::platform::files::check_executable;

const DEFAULT_LIMIT: Duration = Duration::from_secs(30);
/// Each command has a thread.
const MOST_JOBS: u64 = 256;

/// The information that a command gets about its message.
pub(super) const ENVIRONMENT: &str = "The payload is its standard input. In its environment are MQTT_TOPIC, MQTT_QOS, \
    MQTT_RETAIN (0 or 1) and, if the message has them, MQTT_RESPONSE_TOPIC, MQTT_CORRELATION_DATA, MQTT_CONTENT_TYPE \
    and the user properties: that called trace-id is MQTT_USER_TRACE_ID. A value that is not text is in \
    MQTT_..._BASE64. No other variable MQTT_... of this program is there. Nothing of the message becomes part of CMD: \
    write \"$MQTT_TOPIC\", with the quotes.";

/// The options common to all such commands.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Commands")]
#[allow(clippy::doc_markdown, reason = "help texts are no Markdown")]
pub(super) struct CommandArgs {
    /// As --exec, without a shell: the words after -- are the program and its arguments
    ///
    /// {topic} in an argument is replaced by the topic. A topic may begin with a dash: if the program would
    /// read it as an option, put an argument -- before it, or use MQTT_TOPIC.
    #[arg(long, conflicts_with = "exec")]
    exec_argv: bool,

    /// The most commands at a time: 1 to 256 [default: 1]
    ///
    /// With mqtt sub they are for messages of different topics: those of one topic run one after the other.
    #[arg(long, value_name = "COUNT", value_parser = value::count)]
    exec_jobs: Option<u64>,

    /// How long a command may take [default: 30]
    ///
    /// Then it counts as failed, and is ended with everything in its process group: with SIGTERM, and half a
    /// second later with SIGKILL.
    #[arg(long, value_name = "DURATION", value_parser = value::positive_duration)]
    exec_timeout: Option<Duration>,

    /// With --exec-argv a program and its arguments; otherwise topic filters
    #[arg(last = true, value_name = "WORD", value_hint = ValueHint::CommandWithArguments, hide = true)]
    words: Vec<OsString>,
}

impl CommandArgs {
    /// Whether the command is given after `--`.
    pub(super) fn has_words(&self) -> bool {
        self.exec_argv
    }

    /// Whether an option is given that needs a command.
    pub(super) fn has_options(&self) -> bool {
        self.exec_jobs.is_some() || self.exec_timeout.is_some()
    }

    /// The words after `--`, if they are topic filters and not a command.
    pub(super) fn take_filters(&mut self) -> Vec<OsString> {
        if self.exec_argv { Vec::new() } else { std::mem::take(&mut self.words) }
    }

    /// The options of commands, and the command of `--exec` or `--exec-argv`, if there is one; `example`
    /// shows the latter.
    pub(super) fn resolve(
        self,
        exec: Option<OsString>,
        example: &'static str,
    ) -> Result<(CommandOptions, Option<ExecCommand>), Error> {
        let jobs = self.exec_jobs.unwrap_or(1);
        if jobs > MOST_JOBS {
            return Err(Error::usage(format!("--exec-jobs is {MOST_JOBS} at most")));
        }
        let command = match exec {
            Some(text) => {
                check_command("--exec", &text)?;
                Some(ExecCommand::Shell(text))
            }
            None if !self.exec_argv => None,
            None => match self.words.first() {
                Some(program) if !program.is_empty() => {
                    let what = || format!("--exec-argv: cannot run '{}'", program.display());
                    find_program(program).map_err(|error| Error::file(what(), error))?;
                    Some(ExecCommand::Words(self.words))
                }
                _ => return Err(Error::usage("--exec-argv needs a program").with_hint(example)),
            },
        };
        let options = CommandOptions {
            jobs: usize::try_from(jobs).unwrap_or(1),
            limit: self.exec_timeout.unwrap_or(DEFAULT_LIMIT),
            foreign_variables: connection_variables(),
        };
        Ok((options, command))
    }
}

/// Checks a command for `sh`. One that begins with a dash would be an option of `sh`, and is the next option
/// of a line that lacks the command.
pub(super) fn check_command(option: &str, text: &OsStr) -> Result<(), Error> {
    if text.is_empty() {
        return Err(Error::usage(format!("the command of {option} is empty")));
    }
    if text.as_encoded_bytes().starts_with(b"-") {
        return Err(Error::usage(format!(
            "the command of {option} is missing: '{}' begins with a dash, as an option does",
            shown(text)
        )));
    }
    Ok(())
}

/// Looks for a program as the system does: in the folders of PATH, unless its name contains a `/`.
///
/// # Errors
/// The system's error; that of the last folder, if the program is in none.
fn find_program(name: &OsStr) -> io::Result<()> {
    if name.as_encoded_bytes().contains(&b'/') {
        return check_executable(Path::new(name));
    }
    let folders = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/bin:/usr/bin".into());
    let mut last = Err(io::ErrorKind::NotFound.into());
    for folder in std::env::split_paths(&folders) {
        last = check_executable(&folder.join(name));
        if last.is_ok() {
            break;
        }
    }
    last
}
