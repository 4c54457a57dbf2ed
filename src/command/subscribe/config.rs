//! What `mqtt sub` is asked to do.

use std::path::PathBuf;
use std::time::Duration;

use super::selection::{Conditions, MessageKind};
use crate::client::options::ClientOptions;
pub use crate::command::decoding::FailurePolicy;
use crate::command::exec::{CommandOptions, ExecCommand};
use crate::decode::Rule;
use crate::jq::{Condition, Program};
use crate::output::{FileOptions, MessageFormat, Verbosity};
use crate::protocol::QoS;
use crate::protocol::property::PropertyBlock;
use crate::protocol::wire::Subscription;

/// A checked command line of `mqtt sub`.
#[derive(Debug, Clone)]
pub struct Config {
    /// The connection.
    pub client: ClientOptions,
    /// What to subscribe to; may be empty if `unsubscribe` is not.
    pub filters: Vec<FilterOptions>,
    /// Properties of SUBSCRIBE (MQTT 5), checked, without a subscription identifier.
    pub subscribe_properties: PropertyBlock,
    /// Filters to unsubscribe from (`-U`).
    pub unsubscribe: Vec<String>,
    /// Properties of UNSUBSCRIBE (MQTT 5), checked.
    pub unsubscribe_properties: PropertyBlock,
    /// Which messages are shown.
    pub selection: Conditions,
    /// Which payloads are decoded, and from which format (`--decode`).
    pub decode: Vec<Rule>,
    /// What is computed from them (`--where`, `--jq`, `--until`).
    pub programs: Programs,
    /// What follows when that fails; each has a default of its own.
    pub on_error: Option<FailurePolicy>,
    /// Leave after that many messages shown (`-C`).
    pub count: Option<u64>,
    /// Leave after that long, whatever came (`-W`).
    pub timeout: Option<Duration>,
    /// Leave when no message was shown for that long (`--idle`).
    pub idle: Option<Duration>,
    /// Leave once the subscriptions are acknowledged (`-E`).
    pub exit_after_subscribing: bool,
    /// As `mosquitto_sub`: stay for the messages of a kept session where there is nothing to subscribe to, draw -w as
    /// lines, and leave SIGHUP to the system, which ends the process.
    pub as_mosquitto: bool,
    /// Clear on the broker what is retained and was shown (`--remove-retained`).
    pub remove_retained: bool,
    /// Where to keep the packet identifiers of QoS 2 messages that are not released.
    pub session_file: Option<PathBuf>,
    /// What is shown of them.
    pub display: Display,
    /// A command for each message, which is not shown then (`--exec`).
    pub exec: Option<Exec>,
    /// A file in place of standard output (`--output`).
    pub output: Option<PathBuf>,
    /// How that file is kept.
    pub output_options: FileOptions,
    /// What is said on standard error.
    pub verbosity: Verbosity,
}

impl Config {
    /// How long the broker may take for its next answer where the run ends by itself, unless the user has
    /// set a limit for all of it.
    pub(super) fn answer_limit(&self) -> Option<Duration> {
        // The time of --idle begins with the answer to SUBSCRIBE.
        let ends_by_itself = self.ends_with_answers()
            || self.selection.kind == MessageKind::Retained
            || self.idle.is_some()
            || self.count.is_some()
            || self.programs.until.is_some()
            // Nothing can be called silent before it.
            || matches!(self.display, Display::Silence(_));
        (ends_by_itself && self.timeout.is_none()).then_some(self.client.connect_timeout)
    }

    /// Whether the run ends without a signal.
    pub(super) fn ends_by_itself(&self) -> bool {
        self.ends_with_answers()
            || self.count.is_some()
            || self.timeout.is_some()
            || self.idle.is_some()
            || self.selection.kind == MessageKind::Retained
    }

    /// Whether all is done once everything that was asked is answered.
    pub(super) fn ends_with_answers(&self) -> bool {
        self.exit_after_subscribing || self.filters.is_empty() && !self.as_mosquitto
    }
}

/// Programs that are run on messages.
#[derive(Debug, Clone, Default)]
pub struct Programs {
    /// Only messages for which it is true are shown.
    pub keep: Option<Condition>,
    /// Its results are shown in place of the message.
    pub show: Option<Program>,
    /// The run ends at a message for which it is true.
    pub until: Option<Condition>,
}

impl Programs {
    /// Whether there is one.
    #[must_use]
    pub fn are_given(&self) -> bool {
        self.keep.is_some() || self.show.is_some() || self.until.is_some()
    }

    /// Whether there is one that cannot be decided from the header of a message.
    #[must_use]
    pub fn are_run(&self) -> bool {
        let is_program = |condition: &Option<Condition>| matches!(condition, Some(Condition::Program(_)));
        self.show.is_some() || is_program(&self.keep) || is_program(&self.until)
    }
}

/// A command that is run for each message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exec {
    /// What to run: the first whose filter matches.
    pub rules: Vec<ExecRule>,
    /// How it is run.
    pub options: CommandOptions,
    /// What follows when one fails.
    pub failure: ExecFailure,
}

/// Which messages a command is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecRule {
    /// A checked topic filter; without one it is for all.
    pub filter: Option<String>,
    /// What to run.
    pub command: ExecCommand,
}

/// What follows when a command fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecFailure {
    /// It is run again, after a pause, and the message is acknowledged when that has failed as well.
    Retry {
        /// So often; without a number, for as long as it takes.
        most: Option<u64>,
    },
    /// The message is acknowledged all the same.
    Skip,
    /// The run ends.
    Stop,
}

/// One filter to subscribe to, with its options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilterOptions {
    /// A checked topic filter.
    pub filter: String,
    /// The maximum QoS.
    pub qos: QoS,
    /// MQTT 5: do not send back what this client published.
    pub no_local: bool,
    /// MQTT 5: keep the RETAIN flag of live messages.
    pub retain_as_published: bool,
    /// MQTT 5: 0 always, 1 only if the subscription is new, 2 never.
    pub retain_handling: u8,
    /// MQTT 5: the subscription identifier, which comes with its messages.
    pub identifier: Option<u32>,
}

impl FilterOptions {
    pub(super) fn subscription(&self) -> Subscription<'_> {
        Subscription {
            filter: &self.filter,
            qos: self.qos,
            no_local: self.no_local,
            retain_as_published: self.retain_as_published,
            retain_handling: self.retain_handling,
        }
    }
}

/// What standard output shows of the messages.
#[derive(Debug, Clone, PartialEq)]
pub enum Display {
    /// Each, as it comes.
    Messages(MessageFormat),
    /// How many there are, second by second (`--message-rate`).
    Rate {
        /// As an object a line.
        json: bool,
    },
    /// The latest of each topic, in place, on a terminal (`--watch`).
    Watch(MessageFormat),
    /// Which topics had no live message for a while (`--silence`).
    Silence(SilenceOptions),
    /// How many of them each topic had (`--stats`).
    Stats(StatsOptions),
    /// Files, and standard output shows nothing (`--output-dir`).
    Files(FilesOptions),
}

/// When topics are silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SilenceOptions {
    /// After this time without a live message.
    pub limit: Duration,
    /// As an object a line.
    pub json: bool,
    /// The first one ends the run (`--fail`).
    pub fails: bool,
}

/// What is counted, and when it is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatsOptions {
    /// As an object a line.
    pub json: bool,
    /// How many levels of topics, at least one.
    pub levels: usize,
    /// Between regular reports.
    pub every: Option<Duration>,
}

/// What is written to files.
#[derive(Debug, Clone, PartialEq)]
pub struct FilesOptions {
    /// Where they are.
    pub folder: PathBuf,
    /// A file for each message, and not the latest of each topic.
    pub per_message: bool,
    /// How messages are written, if not as their payloads alone.
    pub format: Option<MessageFormat>,
}

impl Display {
    /// The same as mosquitto's clients write it.
    #[must_use]
    pub fn in_style_of_mosquitto(self) -> Self {
        match self {
            Self::Messages(format) => Self::Messages(format.in_style_of_mosquitto()),
            Self::Watch(format) => Self::Watch(format.in_style_of_mosquitto()),
            other @ (Self::Rate { .. } | Self::Silence(_) | Self::Stats(_) | Self::Files(_)) => other,
        }
    }
}
