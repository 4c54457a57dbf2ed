//! `mqtt retain-clear`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgMatches, ValueHint};
use regex::Regex;

use super::connection::{ConnectionArgs, Purpose};
use super::manual::Manual;
use super::needs::Needs;
use super::property::{Connecting, PropertyArgs};
use super::sources::Rank;
use super::subcommand::Subcommand;
use super::verbosity::VerbosityArgs;
use super::{text, value};
use crate::client::options::Reconnect;
use crate::command::retain_clear::{
    Clear, ClearWork, Config, DEFAULT_UNTIL_CLEAR, SCAN_LIMIT, ScanOptions, Selection, TimeSource,
};
use crate::error::Error;
use crate::file::names_stdout;
use crate::protocol::topic;
use crate::quotation::cut;

/// Clear retained messages, and verify that they are gone
///
/// Lists the messages that are retained under the filters, asks on a terminal, clears them, and checks with a
/// new subscription. The exit status is 0 if no message is left, 3 if one is. $SYS is never touched. If the
/// reader of the list goes away, --dry-run and --export - end with status 0; a clearing goes on to its end.
///
/// MQTT does not say which retained message is the last. A scan sends a message to itself, on the topic
/// mqtt-marker/ID (ID: 16 random characters), and waits until it came back and nothing more came for 0.1 to 3
/// seconds, depending on how the broker sends. If the user may not publish or subscribe there, the scan ends
/// when nothing came for 3 to 5 seconds. A scan remembers at most 256 MiB of topics; if there is more, it
/// ends, and the next run clears the rest.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Selection")]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[allow(clippy::option_option, reason = "clap's form of an option whose value may be left out")]
#[allow(clippy::doc_markdown, reason = "help texts are no Markdown")]
pub(super) struct RetainClearArgs {
    /// Topic filter of the retained messages; several may be given
    #[arg(value_name = "FILTER")]
    filter: Vec<OsString>,

    /// Do not clear topics that match this filter; may be repeated
    #[arg(short = 'T', long, value_name = "FILTER")]
    filter_out: Vec<OsString>,

    /// Only topics in which this regular expression is found; may be repeated: each must be found
    #[arg(long = "match", value_name = "REGEX", value_parser = value::expression)]
    topic_match: Vec<Regex>,

    /// Only payloads in which this regular expression is found; may be repeated; (?-u) in front matches bytes
    #[arg(long, value_name = "REGEX", value_parser = value::bytes_expression)]
    payload_match: Vec<regex::bytes::Regex>,

    /// Only payloads larger than this, such as 500, 16k (16000) or 16Ki (16384 bytes)
    #[arg(long, value_name = "SIZE", value_parser = value::size)]
    larger_than: Option<u64>,

    /// Only messages made longer ago than this; needs --time-in
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    older_than: Option<Duration>,

    /// Where messages say when they were made, in RFC 3339 or since 1970: payload, payload:/POINTER
    /// for a member of JSON (RFC 6901), or property:NAME for a user property
    #[arg(long, value_name = "WHERE", value_parser = time_source)]
    time_in: Option<TimeSource>,

    /// Only list what would be cleared
    #[arg(long, help_heading = "Clearing")]
    dry_run: bool,

    /// Clear without asking
    #[arg(long, help_heading = "Clearing")]
    yes: bool,

    /// Also clear values that are published meanwhile, again and again, for at most this time [default: 60]
    #[arg(long, value_name = "DURATION", num_args = 0..=1, require_equals = true,
          value_parser = value::positive_duration, help_heading = "Clearing")]
    until_clear: Option<Option<Duration>>,

    /// At most this many messages a second
    #[arg(long, value_name = "RATE", value_parser = value::per_second, help_heading = "Clearing")]
    rate: Option<f64>,

    /// Leave after this time, with exit status 27; a list or export has what came up to then, and exit
    /// status 3. Without it a scan ends after 30 seconds
    #[arg(short = 'W', long, value_name = "DURATION", value_parser = value::positive_duration,
          help_heading = "Clearing")]
    timeout: Option<Duration>,

    /// Write what is to be cleared to this new file first, as JSON records
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Backup")]
    backup: Option<PathBuf>,

    /// Write it to this new file, or to standard output (-), and clear nothing
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Backup")]
    export: Option<PathBuf>,

    /// Publish the messages of a backup again; takes no FILTER
    ///
    /// A pipe may bring at most 256 MiB, and a line may have at most 512 MiB.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Backup")]
    restore: Option<PathBuf>,

    /// Write a report with the result for every topic, as one JSON object instead of text
    #[arg(long, help_heading = "Output")]
    json: bool,

    #[command(flatten)]
    properties: PropertyArgs<Connecting>,

    #[command(flatten)]
    pub(super) connection: ConnectionArgs,

    #[command(flatten)]
    report: VerbosityArgs,
}

/// The most unacknowledged messages if neither -M nor the broker sets a limit.
const MOST_IN_FLIGHT: u16 = 1000;

impl RetainClearArgs {
    fn filters(&self) -> Result<Vec<String>, Error> {
        let in_url = self.connection.url_topic()?.filter(|_| {
            // A typed topic overrides that of MQTT_URL; with a typed -L all are scanned.
            self.filter.is_empty() || self.connection.url_is_typed()
        });
        let typed = self.filter.iter().cloned().chain(in_url.map(OsString::from));
        let mut filters = Vec::new();
        for filter in typed {
            let filter = text::topic_filter("topic filter", &filter)?;
            if topic::shared(&filter).is_some() {
                return Err(Error::usage(format!(
                    "topic filter '{}': a shared subscription gets no retained messages",
                    cut(&filter)
                )));
            }
            if filter == "$SYS" || filter.starts_with("$SYS/") {
                return Err(Error::usage(format!(
                    "topic filter '{}': $SYS belongs to the broker",
                    cut(&filter)
                )));
            }
            if !filters.contains(&filter) {
                filters.push(filter);
            }
        }
        Ok(filters)
    }

    fn selection(&mut self) -> Result<Selection, Error> {
        let exclude = self.filter_out.iter().map(|filter| text::topic_filter("filter of -T", filter));
        Ok(Selection {
            exclude: exclude.collect::<Result<_, _>>()?,
            topic_match: std::mem::take(&mut self.topic_match),
            payload_match: std::mem::take(&mut self.payload_match),
            larger_than: self.larger_than,
            older_than: match (self.older_than, self.time_in.take()) {
                (None, None) => None,
                (Some(age), Some(source)) => Some((age, source)),
                (Some(_), None) => {
                    return Err(Error::usage(
                        "--older-than needs --time-in: MQTT does not say how old a message is",
                    )
                    .with_hint("for example --time-in payload:/time"));
                }
                (None, Some(_)) => return Err(Error::usage("--time-in needs --older-than")),
            },
        })
    }

    /// The first option that must not be combined with `--restore`, or with `--export`.
    fn stray(&self, export: bool) -> Option<&'static str> {
        let clearing = [
            (self.dry_run, "--dry-run"),
            (self.yes, "--yes"),
            (self.until_clear.is_some(), "--until-clear"),
            (self.backup.is_some(), "--backup"),
        ];
        let scanning = [
            (!self.filter_out.is_empty(), "-T"),
            (!self.topic_match.is_empty(), "--match"),
            (!self.payload_match.is_empty(), "--payload-match"),
            (self.larger_than.is_some(), "--larger-than"),
            (self.older_than.is_some(), "--older-than"),
            (self.time_in.is_some(), "--time-in"),
        ];
        let scanning = scanning.into_iter().filter(|_| !export);
        let rate = [(export && self.rate.is_some(), "--rate")];
        clearing.into_iter().chain(scanning).chain(rate).find(|(given, _)| *given).map(|(_, name)| name)
    }

    fn work(&mut self) -> Result<ClearWork, Error> {
        let filters = self.filters()?;
        if let Some(file) = self.restore.take() {
            let stray = if self.filter.is_empty() { self.stray(false) } else { Some("FILTER") };
            let stray = stray.or(self.export.is_some().then_some("--export"));
            return match stray {
                None => Ok(ClearWork::Restore { file }),
                Some(name) => Err(Error::usage(format!("{name} cannot be used with --restore"))),
            };
        }
        if filters.is_empty() {
            return Err(Error::usage("nothing to clear: no FILTER")
                .with_hint("for everything: mqtt retain-clear '#'"));
        }
        if let Some(name) = self.export.as_ref().and_then(|_| self.stray(true)) {
            return Err(Error::usage(format!("{name} cannot be used with --export")));
        }
        if self.dry_run && (self.backup.is_some() || self.until_clear.is_some()) {
            return Err(Error::usage("--dry-run clears nothing; --export writes a file without clearing"));
        }
        if self.backup.as_deref().is_some_and(names_stdout) {
            return Err(Error::usage("--backup needs a file: standard output has the list")
                .with_hint("--export - writes the messages to standard output and clears nothing"));
        }
        if self.json && self.export.as_deref().is_some_and(names_stdout) {
            return Err(Error::usage("--json and --export both write to standard output"));
        }
        let scan = ScanOptions {
            filters,
            selection: self.selection()?,
            timeout: self.timeout.unwrap_or(SCAN_LIMIT),
        };
        Ok(match self.export.take() {
            Some(file) => ClearWork::Export { scan, file },
            None => ClearWork::Clear(Clear {
                scan,
                dry_run: self.dry_run,
                yes: self.yes,
                backup: self.backup.take(),
                until_clear: self.until_clear.map(|limit| limit.unwrap_or(DEFAULT_UNTIL_CLEAR)),
            }),
        })
    }
}

/// `payload`, `payload:/POINTER` or `property:NAME`.
fn time_source(text: &str) -> Result<TimeSource, String> {
    match text.split_once(':') {
        None if text == "payload" => Ok(TimeSource::Payload),
        Some(("payload", pointer)) if pointer.starts_with('/') => Ok(TimeSource::Field(pointer.into())),
        Some(("property", name)) if !name.is_empty() => Ok(TimeSource::Property(name.into())),
        _ => Err("use payload, payload:/POINTER or property:NAME, for example payload:/meta/time".into()),
    }
}

impl Subcommand for RetainClearArgs {
    type Config = Config;

    const MANUAL: &'static Manual = &Manual {
        common: &["filter_out", "topic_match", "older_than", "dry_run", "yes", "backup", "restore", "json"],
        examples: &[
            ("List the retained messages below home", "mqtt retain-clear --dry-run 'home/#'"),
            (
                "Clear all but those below home/config, after a question; keep a backup",
                "mqtt retain-clear 'home/#' -T 'home/config/#' --backup home.jsonl",
            ),
            ("Undo it", "mqtt retain-clear --restore home.jsonl"),
            (
                "Clear topics that match a regular expression, without a question, with a report",
                "mqtt retain-clear '#' --match '^test-[0-9]+/' --yes --json",
            ),
            (
                "Clear messages older than 30 days, by the time in their JSON payload",
                "mqtt retain-clear 'site/+/state' --older-than 30d --time-in payload:/time",
            ),
        ],
        bugs: &[
            "MQTT has no conditional clear: a message that is published between the list and the deletion of its \
             topic is cleared too.",
            "Retained messages that the user may not read are neither listed nor cleared. In MQTT 3.1 and 3.1.1 a \
             broker cannot refuse a clear: the topic is then reported as still there.",
            "The end of the retained messages is inferred. A scan may miss messages of a broker that returns the \
             message to itself before it has sent them all, and pauses: for 2.5 seconds before the first, for 0.1 \
             seconds after fewer than 100, for 1.5 seconds after more. Without that message 3 seconds are too long.",
            "A scan remembers at most 256 MiB of topics, and --restore reads at most 256 MiB of a pipe.",
            "A broker that sends retained messages without end is scanned for 30 seconds, or up to -W, each time: \
             once before the clearing and once after each of at most two passes. The end may come up to half a \
             second late. --connect-timeout limits the wait for an acknowledgement.",
            "A scan that ends before it has seen everything writes less to --export and --backup than it lists: it \
             lists at QoS 0, and writes what it was sent with its own QoS before that or, of what it missed there, \
             after that. What is not written is counted in a warning, has the fate not-in-backup in the report, and \
             makes the exit status 3; it is not cleared.",
        ],
    };

    fn connection_mut(&mut self) -> Option<&mut ConnectionArgs> {
        Some(&mut self.connection)
    }

    fn is_for_reader(&self) -> bool {
        self.dry_run || self.export.as_deref().is_some_and(names_stdout)
    }

    fn needs(typed: &ArgMatches) -> Needs {
        if typed.get_flag("dry_run") || typed.contains_id("export") {
            Needs::OWN_SESSIONS_RECEIVING
        } else {
            Needs::OWN_SESSIONS
        }
    }
}

impl TryFrom<RetainClearArgs> for Config {
    type Error = Error;

    fn try_from(mut args: RetainClearArgs) -> Result<Self, Error> {
        let work = args.work()?;
        let properties = args.properties.resolve()?;
        let from_property = matches!(&work, ClearWork::Clear(Clear { scan, .. }) | ClearWork::Export { scan, .. }
            if matches!(scan.selection.older_than, Some((_, TimeSource::Property(_)))));
        let default_in_flight = args.connection.origin.rank("max_inflight") == Rank::Default;
        let mut client = args.connection.resolve(Purpose {
            properties: properties.connect,
            disconnect_properties: properties.disconnect,
            needs_v5: args.properties.needs_v5().or(from_property.then_some("--time-in property")),
            reconnect: Reconnect { attempts: Some(10), ..Reconnect::NEVER },
            uses_properties: true,
            ..Purpose::default()
        })?;
        if !client.clean_start || client.session_expiry_interval.is_some_and(|seconds| seconds > 0) {
            return Err(Error::usage("retain-clear keeps no session: -c and -x cannot be used"));
        }
        if default_in_flight {
            client.max_inflight = MOST_IN_FLIGHT;
        }
        Ok(Self {
            client,
            work,
            rate: args.rate,
            timeout: args.timeout,
            json: args.json,
            verbosity: args.report.resolve()?,
        })
    }
}
