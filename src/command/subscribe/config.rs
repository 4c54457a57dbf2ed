//! The configuration of `mqtt sub`.

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
    /// The filters to subscribe to; may be empty if `unsubscribe` is not.
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
    /// The jq programs (`--where`, `--jq`, `--until`).
    pub programs: Programs,
    /// The reaction when decoding or a program fails; decoding and programs have different defaults.
    pub on_error: Option<FailurePolicy>,
    /// End after this number of messages shown (`-C`).
    pub count: Option<u64>,
    /// End after this time (`-W`).
    pub timeout: Option<Duration>,
    /// End when no message was shown for this time (`--idle`).
    pub idle: Option<Duration>,
    /// End once the subscriptions are acknowledged (`-E`).
    pub exit_after_subscribing: bool,
    /// Like `mosquitto_sub`: stay for the messages of a kept session without any subscription, print lines
    /// for -w, and let SIGHUP end the process.
    pub as_mosquitto: bool,
    /// Clear retained messages on the broker once they are shown (`--remove-retained`).
    pub remove_retained: bool,
    /// The file for the packet identifiers of unreleased QoS 2 messages.
    pub session_file: Option<PathBuf>,
    /// The form in which messages are shown.
    pub display: Display,
    /// A command for each message, which is then not shown (`--exec`).
    pub exec: Option<Exec>,
    /// A file instead of standard output (`--output`).
    pub output: Option<PathBuf>,
    /// The options of that file.
    pub output_options: FileOptions,
    /// The verbosity on standard error.
    pub verbosity: Verbosity,
}

impl Config {
    /// The timeout for the broker's next response in a run that ends by itself, unless the user has set one
    /// for the whole run.
    pub(super) fn answer_limit(&self) -> Option<Duration> {
        // The time of --idle begins with the response to SUBSCRIBE.
        let ends_by_itself = self.ends_with_answers()
            || self.selection.kind == MessageKind::Retained
            || self.idle.is_some()
            || self.count.is_some()
            || self.programs.until.is_some()
            || self.selection.count_per_topic.is_some()
            // Nothing can be reported as silent before it.
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

    /// Whether the run ends once all requests are answered.
    pub(super) fn ends_with_answers(&self) -> bool {
        self.exit_after_subscribing || self.filters.is_empty() && !self.as_mosquitto
    }
}

/// Programs that are run on messages.
#[derive(Debug, Clone, Default)]
pub struct Programs {
    /// A message is shown only if this is true.
    pub keep: Option<Condition>,
    /// The results are shown instead of the message.
    pub show: Option<Program>,
    /// The run ends at the first message for which this is true.
    pub until: Option<Condition>,
}

impl Programs {
    /// Whether there is any program.
    #[must_use]
    pub fn are_given(&self) -> bool {
        self.keep.is_some() || self.show.is_some() || self.until.is_some()
    }

    /// Whether any of them cannot be decided from the header of a message.
    #[must_use]
    pub fn are_run(&self) -> bool {
        let is_program = |condition: &Option<Condition>| matches!(condition, Some(Condition::Program(_)));
        self.show.is_some() || is_program(&self.keep) || is_program(&self.until)
    }
}

/// A command that is run for each message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exec {
    /// The commands; the first one whose filter matches is run.
    pub rules: Vec<ExecRule>,
    /// How commands are run.
    pub options: CommandOptions,
    /// The reaction when a command fails.
    pub failure: ExecFailure,
}

/// The messages for a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecRule {
    /// A checked topic filter; `None` for all messages.
    pub filter: Option<String>,
    /// The command.
    pub command: ExecCommand,
}

/// The reaction when a command fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecFailure {
    /// Run it again after a pause; acknowledge the message when all retries have failed.
    Retry {
        /// The number of retries; `None` for no limit.
        most: Option<u64>,
    },
    /// Acknowledge the message anyway.
    Skip,
    /// End the run.
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
    /// MQTT 5: 0 always, 1 only for a new subscription, 2 never.
    pub retain_handling: u8,
    /// MQTT 5: the subscription identifier, which the broker adds to the messages.
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

/// The form in which standard output shows messages.
#[derive(Debug, Clone, PartialEq)]
pub enum Display {
    /// Each message as it arrives.
    Messages(MessageFormat),
    /// The number of messages per second (`--message-rate`).
    Rate {
        /// Whether each line is a JSON object.
        json: bool,
    },
    /// The latest message of each topic, updated in place, on a terminal (`--watch`).
    Watch(MessageFormat),
    /// The topics without a live message for some time (`--silence`).
    Silence(SilenceOptions),
    /// The number of messages per topic (`--stats`).
    Stats(StatsOptions),
    /// Files; standard output shows nothing (`--output-dir`).
    Files(FilesOptions),
}

/// When topics count as silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SilenceOptions {
    /// After this time without a live message.
    pub limit: Duration,
    /// Whether each line is a JSON object.
    pub json: bool,
    /// Whether the first silent topic ends the run (`--fail`).
    pub fails: bool,
}

/// What is counted, and when it is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatsOptions {
    /// Whether each report is a JSON object.
    pub json: bool,
    /// The number of topic levels that are counted separately, at least one.
    pub levels: usize,
    /// The interval of regular reports.
    pub every: Option<Duration>,
}

/// The files written for messages.
#[derive(Debug, Clone, PartialEq)]
pub struct FilesOptions {
    /// The folder.
    pub folder: PathBuf,
    /// Whether each message has its own file, instead of the latest one of each topic.
    pub per_message: bool,
    /// The format of messages; `None` for their payloads alone.
    pub format: Option<MessageFormat>,
}

impl Display {
    /// The same display in the style of mosquitto's clients.
    #[must_use]
    pub fn in_style_of_mosquitto(self) -> Self {
        match self {
            Self::Messages(format) => Self::Messages(format.in_style_of_mosquitto()),
            Self::Watch(format) => Self::Watch(format.in_style_of_mosquitto()),
            other @ (Self::Rate { .. } | Self::Silence(_) | Self::Stats(_) | Self::Files(_)) => other,
        }
    }
}
