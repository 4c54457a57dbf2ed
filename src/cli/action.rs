//! The options of `sub` that run a command for each message instead of showing it.

use std::collections::HashSet;
use std::ffi::OsString;

use clap::{ArgAction, ValueEnum};

use super::exec::{CommandArgs, ENVIRONMENT, check_command};
use super::{text, value};
use crate::command::exec::ExecCommand;
use crate::command::subscribe::{Exec, ExecFailure, ExecRule};
use crate::error::Error;
use crate::protocol::topic;

/// The options of a command for each message.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Commands")]
#[allow(clippy::doc_markdown, reason = "help texts are no Markdown")]
pub(super) struct ActionArgs {
    #[arg(long, value_name = "CMD",
          help = "Run CMD with sh for each message, which is acknowledged when CMD ends with status 0",
          long_help = about())]
    exec: Option<OsString>,

    /// Run CMD with sh for each message whose topic matches FILTER; may be repeated
    ///
    /// The first --exec-for whose FILTER matches the topic gets the message, otherwise --exec or --exec-argv.
    /// A message without a command is acknowledged, and -C does not count it. Without -t and other filters,
    /// the FILTERs are subscribed to, except those that another one covers. The rest is as with --exec.
    #[arg(long, num_args = 2, value_names = ["FILTER", "CMD"], action = ArgAction::Append)]
    exec_for: Vec<OsString>,

    #[command(flatten)]
    command: CommandArgs,

    /// What to do when a command fails [default: retry]
    ///
    /// retry runs it again after 1 second, then 2, 4 and so on up to 30, and acts as skip after
    /// --exec-retries attempts; messages of other topics continue meanwhile, as far as the broker sends more
    /// messages before it gets the acknowledgement (-M). skip acknowledges the message, and the exit status
    /// is 3 at the end (27 with -W). stop ends with exit status 1, and the message stays unacknowledged.
    #[arg(long, value_name = "WHAT")]
    exec_failure: Option<FailureAction>,

    #[arg(help = format!("How often a command that failed is run again before its message is given up \
                          [default: {DEFAULT_RETRIES}]"),
          long_help = about_retries(), long, value_name = "COUNT|forever", value_parser = retries)]
    exec_retries: Option<Retries>,
}

/// With the pauses between them, these take three minutes.
const DEFAULT_RETRIES: u64 = 10;

/// The number of retries; `None` for no limit.
#[derive(Debug, Clone, Copy)]
struct Retries(Option<u64>);

fn retries(text: &str) -> Result<Retries, String> {
    if text == "forever" {
        return Ok(Retries(None));
    }
    value::count(text).map(|count| Retries(Some(count))).map_err(|why| format!("{why}, or forever"))
}

fn about_retries() -> String {
    format!(
        "How often a command that failed is run again before its message is given up [default: {DEFAULT_RETRIES}]\n\n\
         A message that is given up is named on standard error and acknowledged, and the exit status is 3 at the end: \
         acknowledgements keep the order of the messages, and so one that always fails would hold up all topics. With \
         the pauses between them {DEFAULT_RETRIES} retries take three minutes. forever never gives up, for commands \
         that fail when something else is out of order, and not for the message."
    )
}

fn about() -> String {
    format!(
        "Run CMD with sh for each message, which is acknowledged when CMD ends with status 0\n\n{ENVIRONMENT} \
         Where --decode could not decode the payload, MQTT_PAYLOAD_ERROR says why (--on-error skip leaves such messages \
         out). What the commands write goes to standard output, that of each as a whole. Where it cannot be written, the run ends, with \
         status 0 if the reader has left and else 1, and the message stays unacknowledged. Messages of one topic are given \
         to it in their order, one after the other. At most 1000 messages or 16 MiB wait, and what one read brings beyond \
         that; then nothing is read from the broker. At a signal and at -W the commands that run are waited for, and the \
         second signal ends them."
    )
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
    /// Whether a command is configured.
    pub(super) fn is_given(&self) -> bool {
        self.exec.is_some() || self.command.has_words() || !self.exec_for.is_empty()
    }

    /// The words after `--`, if they are topic filters and not a command.
    pub(super) fn take_filters(&mut self) -> Vec<OsString> {
        self.command.take_filters()
    }

    /// The filters of the commands, each once, without those that another covers: some brokers deliver a
    /// message once per matching subscription, and its command would run as often.
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

    pub(super) fn resolve(self) -> Result<Option<Exec>, Error> {
        if !self.is_given() {
            if self.command.has_options() || self.exec_failure.is_some() || self.exec_retries.is_some() {
                let message = "--exec-jobs, --exec-timeout, --exec-failure and --exec-retries need --exec, \
                               --exec-argv or --exec-for";
                return Err(Error::usage(message));
            }
            return Ok(None);
        }
        let mut rules = Vec::new();
        for pair in self.exec_for.chunks_exact(2) {
            let filter = text::topic_filter("filter of --exec-for", &pair[0])?;
            check_command("--exec-for", &pair[1])?;
            // Messages of a shared subscription have topics that match the filter in it.
            let filter = topic::shared(&filter).map_or(filter.clone(), |(_, filter)| filter.to_owned());
            rules.push(ExecRule { filter: Some(filter), command: ExecCommand::Shell(pair[1].clone()) });
        }
        let example = "mqtt sub -t FILTER --exec-argv -- PROGRAM ARGUMENT...";
        let (options, for_all) = self.command.resolve(self.exec, example)?;
        rules.extend(for_all.map(|command| ExecRule { filter: None, command }));
        let failure = match self.exec_failure.unwrap_or(FailureAction::Retry) {
            FailureAction::Retry => {
                let Retries(most) = self.exec_retries.unwrap_or(Retries(Some(DEFAULT_RETRIES)));
                ExecFailure::Retry { most }
            }
            FailureAction::Skip | FailureAction::Stop if self.exec_retries.is_some() => {
                return Err(Error::usage("--exec-retries needs --exec-failure retry"));
            }
            FailureAction::Skip => ExecFailure::Skip,
            FailureAction::Stop => ExecFailure::Stop,
        };
        Ok(Some(Exec { rules, options, failure }))
    }
}
