//! What `sub` does with each message in place of showing it.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;
use std::time::Duration;

use clap::{ArgAction, ValueEnum};
use rustix::fs::{Access, access};
use rustix::io::Errno;

use super::broker::connection_variables;
use super::{text, value};
use crate::command::subscribe::{Exec, ExecCommand, ExecFailure, ExecRule};
use crate::error::Error;
use crate::protocol::topic;

const DEFAULT_LIMIT: Duration = Duration::from_secs(30);
/// Each has a thread.
const MOST_JOBS: u64 = 256;

/// The options of a command for each message.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Commands")]
#[allow(clippy::doc_markdown, reason = "help texts are no Markdown")]
pub(super) struct ActionArgs {
    /// Run CMD with sh for each message, which is acknowledged when CMD ends with status 0
    ///
    /// The payload is its standard input. In its environment are MQTT_TOPIC, MQTT_QOS, MQTT_RETAIN (0 or 1) and, if the
    /// message has them, MQTT_RESPONSE_TOPIC, MQTT_CORRELATION_DATA, MQTT_CONTENT_TYPE and the user properties: that
    /// called trace-id is MQTT_USER_TRACE_ID. A value that is not text is in MQTT_..._BASE64. No other variable
    /// MQTT_... of this program is there. Nothing of the message becomes part of CMD: write "$MQTT_TOPIC", with the
    /// quotes. What the commands write goes to standard output, that of each as a whole. Where it cannot be
    /// written, the run ends, with status 0 if the reader has left and else 1, and the message stays unacknowledged.
    /// Messages of one topic are given to it in their order, one after the other. At most 1000 messages or 16 MiB wait, and what one read brings
    /// beyond that; then nothing is read from the broker. At a signal and at -W the commands that run are
    /// waited for, and the second signal ends them.
    #[arg(long, value_name = "CMD")]
    exec: Option<OsString>,

    /// As --exec, without a shell: the words after -- are the program and its arguments
    ///
    /// {topic} in an argument stands for the topic. It may begin with a dash; where the program takes it for an option then,
    /// put an argument -- in front of it, or use MQTT_TOPIC.
    #[arg(long, conflicts_with = "exec")]
    exec_argv: bool,

    /// Run CMD with sh for each message whose topic matches FILTER; may be repeated
    ///
    /// A message is for the first --exec-for whose FILTER matches its topic, else for --exec or --exec-argv; where there
    /// is none of these, it is acknowledged and -C does not count it. Without -t and other filters, the FILTERs
    /// are subscribed to, but for those that another one covers. Everything else is as with --exec.
    #[arg(long, num_args = 2, value_names = ["FILTER", "CMD"], action = ArgAction::Append)]
    exec_for: Vec<OsString>,

    /// The most commands at a time, for messages of different topics: 1 to 256 [default: 1]
    #[arg(long, value_name = "COUNT", value_parser = value::count)]
    exec_jobs: Option<u64>,

    /// How long a command may take [default: 30]
    ///
    /// Then it has failed, and is ended with everything in its process group: with SIGTERM, and half a second later
    /// with SIGKILL.
    #[arg(long, value_name = "DURATION", value_parser = value::positive_duration)]
    exec_timeout: Option<Duration>,

    /// What to do when a command fails [default: retry]
    ///
    /// retry runs it again after 1 second, then 2, 4 and so on up to 30; messages of other topics go on meanwhile. skip
    /// acknowledges the message, and the exit status is 3 at the end (27 with -W). stop ends with exit status 1, and the message stays
    /// unacknowledged.
    #[arg(long, value_name = "WHAT")]
    exec_failure: Option<FailureAction>,

    /// With --exec-argv a program and its arguments; otherwise topic filters
    #[arg(last = true, value_name = "WORD", hide = true)]
    words: Vec<OsString>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum FailureAction {
    /// Run it again
    Retry,
    /// Acknowledge the message
    Skip,
    /// End
    Stop,
}

impl ActionArgs {
    /// Whether a command is to be run.
    pub(super) fn is_given(&self) -> bool {
        self.exec.is_some() || self.exec_argv || !self.exec_for.is_empty()
    }

    /// The filters of the commands, each once, without those that another covers: some brokers deliver a message once
    /// for each subscription it matches, and its command would run as often.
    pub(super) fn filters(&self) -> Vec<OsString> {
        let mut filters: Vec<OsString> = self.exec_for.iter().step_by(2).cloned().collect();
        let mut seen = HashSet::new();
        filters.retain(|filter| seen.insert(filter.clone()));
        let all = filters.clone();
        filters.retain(|filter| {
            let covers = |other: &OsString| {
                other != filter
                    && other
                        .to_str()
                        .zip(filter.to_str())
                        .is_some_and(|(wide, narrow)| topic::covers(wide, narrow))
            };
            !all.iter().any(covers)
        });
        filters
    }

    /// The words after `--`, if they are topic filters.
    pub(super) fn take_filters(&mut self) -> Vec<OsString> {
        if self.exec_argv { Vec::new() } else { std::mem::take(&mut self.words) }
    }

    pub(super) fn resolve(self) -> Result<Option<Exec>, Error> {
        if !self.is_given() {
            if self.exec_jobs.is_some() || self.exec_timeout.is_some() || self.exec_failure.is_some() {
                let message =
                    "--exec-jobs, --exec-timeout and --exec-failure need --exec, --exec-argv or --exec-for";
                return Err(Error::usage(message));
            }
            return Ok(None);
        }
        let mut rules = Vec::new();
        for pair in self.exec_for.chunks_exact(2) {
            let filter = text::topic_filter("filter of --exec-for", &pair[0])?;
            if pair[1].is_empty() {
                return Err(Error::usage("the command of --exec-for is empty"));
            }
            // What a shared subscription brings has the topics of its filter.
            let filter = topic::shared(&filter).map_or(filter.clone(), |(_, filter)| filter.to_owned());
            rules.push(ExecRule { filter: Some(filter), command: ExecCommand::Shell(pair[1].clone()) });
        }
        let for_all = match self.exec {
            Some(text) if text.is_empty() => return Err(Error::usage("the command of --exec is empty")),
            Some(text) => Some(ExecCommand::Shell(text)),
            None if !self.exec_argv => None,
            None if self.words.first().is_none_or(|program| program.is_empty()) => {
                return Err(Error::usage("--exec-argv needs a program")
                    .with_hint("mqtt sub -t FILTER --exec-argv -- PROGRAM ARGUMENT..."));
            }
            None => {
                if let Some(program) = self.words.first() {
                    let what = || format!("--exec-argv: cannot run '{}'", program.display());
                    find_program(program).map_err(|error| Error::file(what(), error))?;
                }
                Some(ExecCommand::Words(self.words))
            }
        };
        rules.extend(for_all.map(|command| ExecRule { filter: None, command }));
        let jobs = self.exec_jobs.unwrap_or(1);
        if jobs > MOST_JOBS {
            return Err(Error::usage(format!("--exec-jobs is {MOST_JOBS} at most")));
        }
        Ok(Some(Exec {
            rules,
            jobs: usize::try_from(jobs).unwrap_or(1),
            limit: self.exec_timeout.unwrap_or(DEFAULT_LIMIT),
            failure: match self.exec_failure.unwrap_or(FailureAction::Retry) {
                FailureAction::Retry => ExecFailure::Retry,
                FailureAction::Skip => ExecFailure::Skip,
                FailureAction::Stop => ExecFailure::Stop,
            },
            foreign_variables: connection_variables(),
        }))
    }
}

/// Looks for a program as the system does when it is started: in the folders of PATH, unless its name has a `/`.
///
/// # Errors
/// The system's; the last folder's, if it is in none.
fn find_program(name: &OsStr) -> io::Result<()> {
    let is_there = |path: &Path| access(path, Access::EXEC_OK).map_err(io::Error::from);
    if name.as_bytes().contains(&b'/') {
        return is_there(Path::new(name));
    }
    let folders = std::env::var_os("PATH").unwrap_or_else(|| "/usr/local/bin:/bin:/usr/bin".into());
    let mut last = Err(Errno::NOENT.into());
    for folder in std::env::split_paths(&folders) {
        last = is_there(&folder.join(name));
        if last.is_ok() {
            break;
        }
    }
    last
}
