//! The options of `sub` that write something else instead of each message.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ValueEnum, ValueHint};

use super::value;
use crate::command::subscribe::{
    Display, FilesOptions, FilterOptions, MessageKind, SilenceOptions, StatsOptions,
};
use crate::error::Error;
use crate::output::MessageFormat;

const DEFAULT_LEVELS: u64 = 3;
const MOST_LEVELS: u64 = 100;

/// The options of which only one may be given, and the options that need one of them.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "View")]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct ViewArgs {
    /// Write the number of messages, once a second, instead of the messages
    #[arg(long)]
    message_rate: bool,

    /// Show the latest message of each topic on a line of its own, in place, on a terminal
    ///
    /// If standard input is a terminal too, and TERM is not dumb, it is a view with a line for each topic:
    /// age of the latest message, count, messages a second, size, R for retained, topic and payload. Keys:
    /// arrows, Page Up, Page Down, Home and End move; Enter shows the message in full, with its properties
    /// and up to 5 earlier payloads, and Page Up and Page Down scroll it; / filters by a part of the topic
    /// (Esc shows all); s sorts by topic, rate, age or size; t shows the levels of topics as a tree (left and
    /// right close and open one); p or the space bar freezes the view, while messages go on being counted; q
    /// ends. It keeps 10,000 topics and the first 4096 bytes of each payload, and draws ten times a second at
    /// most. After -C, -W and the like the last view stays on the terminal. With --json and -F there are
    /// plain lines. If standard output is not a terminal, or TERM is dumb, each message is written as it
    /// comes, with its topic, as without -w.
    #[arg(short = 'w', long)]
    watch: bool,

    /// Write which topics had no live message for this time, instead of the messages
    ///
    /// A line "silent TOPIC" when a topic becomes silent, and "back TOPIC" with its next live message; with
    /// --json, objects (type "silence"). Retained messages do not count as live; they make a topic known,
    /// which is watched from then on. A filter that no message has matched is reported like a topic. Live
    /// messages that options of Selection leave out do not count: with --on-change a topic whose payload
    /// stays the same is silent. Before a topic is reported as silent the broker has to answer a PINGREQ. A
    /// line "unknown" says that the connection is lost, and "watching" that the topics are subscribed to
    /// again: times start again then. Topics that were silent before stay silent until they are back.
    #[arg(long, value_name = "DURATION", value_parser = value::positive_duration)]
    silence: Option<Duration>,

    /// With --silence: end with exit status 3 when something is silent
    ///
    /// Everything that is silent at that time is written first.
    #[arg(long)]
    fail: bool,

    /// Write the number of messages and bytes of each topic and each level above, instead of the messages
    ///
    /// At the end of the run, at SIGUSR1 and every --stats-interval. The columns are messages, live messages
    /// a second, bytes of payload, the share of retained messages, and the topic: those with the most
    /// messages first, 40 rows at most. With --json an object with all of them (type "stats").
    #[arg(long)]
    stats: bool,

    /// With --stats: report every DURATION; the rates are those of this time
    #[arg(long, value_name = "DURATION", value_parser = value::positive_duration)]
    stats_interval: Option<Duration>,

    #[arg(help = format!("With --stats: levels of topics that are told apart, 1 to {MOST_LEVELS} \
                          [default: {DEFAULT_LEVELS}]"),
          long, value_name = "COUNT", value_parser = value::count)]
    stats_levels: Option<u64>,

    /// Write each message to a file in DIR instead of standard output
    ///
    /// The file has only the payload, or with -v, -N, -F or --json the message in that format. It is replaced
    /// as a whole (written under another name and renamed), and the message is acknowledged then. Its name is
    /// the topic, with everything but small letters, digits, - _ and . as % and two hexadecimal digits:
    /// home/Door is home%2f%44oor. Dots at either end are encoded too, and a name of more than 180 characters
    /// ends in ~ and a hash of the topic. DIR is created if it does not exist. There are as many files as
    /// topics: -t and -T limit them.
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath, help_heading = "Output")]
    output_dir: Option<PathBuf>,

    /// With --output-dir: one file for each topic, with its latest message, or one for each message [default:
    /// topic]
    ///
    /// The names of files for messages begin with the time and a number, in the order in which the messages
    /// came.
    #[arg(long, value_name = "WHAT", help_heading = "Output")]
    file_per: Option<FilePer>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FilePer {
    /// The latest message of each topic
    Topic,
    /// Every message
    Message,
}

impl ViewArgs {
    /// The option that is given.
    pub(super) fn option(&self) -> Result<Option<&'static str>, Error> {
        let given = [
            (self.message_rate, "--message-rate"),
            (self.watch, "--watch"),
            (self.silence.is_some(), "--silence"),
            (self.stats, "--stats"),
            (self.output_dir.is_some(), "--output-dir"),
        ];
        let mut given = given.into_iter().filter(|(is_given, _)| *is_given).map(|(_, option)| option);
        let first = given.next();
        if let (Some(first), Some(second)) = (first, given.next()) {
            return Err(Error::usage(format!("{first} and {second} cannot be used together")));
        }
        for (is_given, option, needed) in [
            (self.fail && self.silence.is_none(), "--fail", "--silence"),
            (self.stats_interval.is_some() && !self.stats, "--stats-interval", "--stats"),
            (self.stats_levels.is_some() && !self.stats, "--stats-levels", "--stats"),
            (self.file_per.is_some() && self.output_dir.is_none(), "--file-per", "--output-dir"),
        ] {
            if is_given {
                return Err(Error::usage(format!("{option} needs {needed}")));
            }
        }
        Ok(first)
    }

    /// Whether each message goes to a file of its own.
    pub(super) fn writes_files(&self) -> bool {
        self.output_dir.is_some()
    }

    /// Checks the options together with `--output FILE`.
    pub(super) fn check_output(&self) -> Result<(), Error> {
        if self.watch {
            return Err(Error::usage("--watch needs a terminal: it cannot be used with --output"));
        }
        if self.writes_files() {
            return Err(Error::usage("--output-dir and --output cannot be used together"));
        }
        Ok(())
    }

    /// Checks the requirements of `--silence` for the selection.
    pub(super) fn check_selection(&self, kind: MessageKind, filters: &[FilterOptions]) -> Result<(), Error> {
        if self.silence.is_none() {
            return Ok(());
        }
        if kind == MessageKind::Retained {
            return Err(Error::usage(
                "--silence is about live messages: --retained-only cannot be used with it",
            ));
        }
        if filters.iter().any(|filter| filter.retain_as_published) {
            return Err(Error::usage(
                "--silence cannot tell retained messages from live ones with retain-as-published",
            ));
        }
        Ok(())
    }

    /// The display; `format` is that of messages that are shown.
    pub(super) fn resolve(self, format: MessageFormat) -> Result<Display, Error> {
        let Some(option) = self.option()? else { return Ok(Display::Messages(format)) };
        if let Some(folder) = self.output_dir {
            let is_payload = format == MessageFormat::Text { verbose: false, newline: true };
            let per_message = self.file_per == Some(FilePer::Message);
            let format = Some(format).filter(|_| !is_payload);
            return Ok(Display::Files(FilesOptions { folder, per_message, format }));
        }
        if matches!(format, MessageFormat::Text { newline: false, .. } | MessageFormat::Json { pretty: true })
        {
            let message = format!("{option} shows lines: -N and --pretty cannot be used with it");
            return Err(Error::usage(message));
        }
        if self.watch {
            return Ok(Display::Watch(format));
        }
        if matches!(format, MessageFormat::Template(_)) {
            let message = format!("{option} shows no messages: it cannot be used with -F");
            return Err(Error::usage(message));
        }
        let json = matches!(format, MessageFormat::Json { .. });
        if let Some(limit) = self.silence {
            return Ok(Display::Silence(SilenceOptions { limit, json, fails: self.fail }));
        }
        if self.stats {
            let levels = self.stats_levels.unwrap_or(DEFAULT_LEVELS);
            let levels = usize::try_from(levels).ok().filter(|_| levels <= MOST_LEVELS);
            let levels =
                levels.ok_or_else(|| Error::usage(format!("--stats-levels is {MOST_LEVELS} at most")))?;
            return Ok(Display::Stats(StatsOptions { json, levels, every: self.stats_interval }));
        }
        Ok(Display::Rate { json })
    }
}
