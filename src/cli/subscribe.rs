//! `mqtt sub`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{ArgMatches, ValueHint};

use super::action::ActionArgs;
use super::connection::{ConnectionArgs, Purpose};
use super::decode::DecodeArgs;
use super::format::FormatArgs;
use super::manual::Manual;
use super::needs::Needs;
use super::program::{self, ProgramArgs};
use super::property::{PropertyArgs, Subscribing};
use super::recording::RecordingArgs;
use super::selection::SelectionArgs;
use super::subcommand::Subcommand;
use super::subscription::SubscriptionArgs;
use super::value;
use super::value::RetainHandling;
use super::verbosity::VerbosityArgs;
use super::view::ViewArgs;
use super::will::WillArgs;
use crate::client::options::Reconnect;
use crate::command::subscribe::{Config, Display, MessageKind};
use crate::error::Error;
use crate::file::names_stdout;
use crate::output::{MessageFormat, stdout_is_file};
use crate::protocol::property::PropertyId;
use crate::protocol::topic;

/// Subscribe to topics and write out the messages that arrive
///
/// Writes each message to standard output, and acknowledges it only then. Ends after -C messages, after -W
/// seconds, after --idle seconds without a message, when it is interrupted, or when the reader of standard
/// output goes away (not with -E, -U without -t, or --output; with --exec once a command has written); reconnects
/// and subscribes again when the connection is lost.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Selection")]
// `-m` does not give a message here.
#[cfg_attr(feature = "decoders", command(mut_arg("message_type", |arg| arg.visible_alias("message"))))]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct SubscribeArgs {
    #[command(flatten)]
    subscriptions: SubscriptionArgs,

    /// Leave after this many messages
    #[arg(short = 'C', value_name = "COUNT", value_parser = value::count)]
    count: Option<u64>,

    /// Leave after this time, with exit status 27
    #[arg(short = 'W', value_name = "DURATION", value_parser = value::positive_duration)]
    timeout: Option<Duration>,

    /// Leave when no message was shown for this time
    ///
    /// The exit status is 0 if there were messages, and 27 if none came. The time begins when the broker has
    /// acknowledged the subscriptions, again after each message, and again after a reconnection. Messages
    /// that options of Selection leave out do not count. With --exec it counts only while no command runs.
    #[arg(long, value_name = "DURATION", value_parser = value::positive_duration)]
    idle: Option<Duration>,

    /// Leave once the broker has acknowledged the subscriptions
    #[arg(short = 'E')]
    exit_after_subscribing: bool,

    #[command(flatten)]
    selection: SelectionArgs,

    #[command(flatten)]
    decode: DecodeArgs,

    #[command(flatten)]
    programs: ProgramArgs,

    /// Clear each retained message on the broker once it is written out
    #[arg(long)]
    remove_retained: bool,

    #[command(flatten)]
    view: ViewArgs,

    #[command(flatten)]
    format: FormatArgs,

    /// Append the messages to FILE instead of writing them to standard output (-). On SIGHUP it opens FILE
    /// again, for programs that rename log files; a standard output that the shell has opened (> FILE) cannot
    /// be opened again, and SIGHUP changes nothing there. When its terminal is closed, mqtt sub ends, unless
    /// it was started with nohup
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Output")]
    output: Option<PathBuf>,

    #[command(flatten)]
    recording: RecordingArgs,

    #[command(flatten)]
    action: ActionArgs,

    /// Remember in FILE which QoS 2 messages were written out and not yet released, so that a run
    /// after a crash does not write them again; needs -c and -i
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Subscriptions")]
    session_file: Option<PathBuf>,

    #[command(flatten)]
    properties: PropertyArgs<Subscribing>,

    #[command(flatten)]
    pub(super) connection: ConnectionArgs,

    #[command(flatten)]
    will: WillArgs,

    #[command(flatten)]
    report: VerbosityArgs,
}

impl Subcommand for SubscribeArgs {
    type Config = Config;

    const MANUAL: &'static Manual = &Manual {
        common: &[
            "topic",
            "qos",
            "verbose",
            "format",
            "json",
            "count",
            "timeout",
            "retained_only",
            "client_id",
            "disable_clean_session",
        ],
        examples: &[
            ("Write out every message below home, with its topic", "mqtt sub -t 'home/#' -v"),
            (
                "Write out one value of the JSON in each payload, where it is above a limit",
                "mqtt sub -t 'meter/#' -v --where '.payload.power > 1000' --jq .payload.power",
            ),
            (
                "Keep a log: the broker stores what arrives while this program is not running",
                "mqtt sub -h broker.example -t site/1 -q 1 -c -i archive >> archive.log",
            ),
            (
                "Run a command for each message, with the payload as its standard input",
                "mqtt sub -t 'door/#' -q 1 -c -i bell --exec 'notify \"$MQTT_TOPIC\"'",
            ),
            (
                "Subscribe with options of its own for one filter; end after 10 messages or 30 seconds",
                "mqtt sub --subscribe 'qos=2,no-local:orders/#' -t '$SYS/broker/uptime' -C 10 -W 30s",
            ),
        ],
        bugs: &[
            "At QoS 0, and without -c and -i, the broker sends no message that was published while the connection \
             was lost. The number of such messages is not known.",
            "At QoS 1 a message may be written twice after the connection was lost. With --session-file a QoS 2 \
             message that was being written when the program was killed may be written twice. The file is not \
             synchronised to the disk: it is as safe as the output file.",
            "--retained-only infers the end of the retained messages. A broker that returns the message to itself before \
             it has sent them all is left too early when it pauses: for 2.5 seconds before the first, for 0.1 \
             seconds after fewer than 100, for 1.5 seconds after more. Without that message 3 seconds are too long. As \
             long as the broker sends one more retained message within these times, up to 5 seconds, the run goes on; -W \
             limits it.",
            "--on-change and --max-rate remember 400,000 topics or more, in at most 45 MB. Beyond that they forget \
             topics that had no message for the longest time, whose next message counts as the first. They compare \
             hashes of 64 bits: with a chance of 1 in 2^64 a message is taken for an older one and left out.",
            "With --exec a message may be given to the command twice: when the connection is lost, or the program ends, \
             before it was acknowledged. After a lost connection a QoS 2 message whose command still runs is \
             acknowledged at once. Commands are looked after until they end; what they leave running in the \
             background is not.",
            "--watch remembers 1000 topics, and the first 4096 bytes of each line; as a view 10,000 topics.",
            "--silence watches 200,000 topics, or 24 MiB of names, and --stats counts 100,000, or 16 MiB; --silence prints \
             a warning when there are more, and --stats counts the others together.",
            "The times of -F are in the local time zone of this machine. %d and %f read little-endian numbers only.",
        ],
    };

    fn needs(typed: &ArgMatches) -> Needs {
        // To remove a message, an empty one is sent.
        if typed.get_flag("remove_retained") { Needs::EVERYTHING } else { Needs::RECEIVING }
    }

    fn connection_mut(&mut self) -> Option<&mut ConnectionArgs> {
        Some(&mut self.connection)
    }

    fn outlasts_hang_ups(matches: &ArgMatches) -> bool {
        let has_file = matches.get_one::<PathBuf>("output").is_some_and(|path| !names_stdout(path));
        has_file || stdout_is_file()
    }

    fn is_for_reader(&self) -> bool {
        let unsubscribes = self.subscriptions.is_empty() && self.subscriptions.unsubscribes();
        !self.action.is_given()
            && self.output.as_deref().is_none_or(names_stdout)
            && !self.view.writes_files()
            && !self.exit_after_subscribing
            && !unsubscribes
    }
}

impl TryFrom<SubscribeArgs> for Config {
    type Error = Error;

    fn try_from(mut args: SubscribeArgs) -> Result<Self, Error> {
        args.subscriptions.add(args.action.take_filters());
        let selection = args.selection.resolve()?;
        let hides_retained = selection.kind == MessageKind::Live;
        if args.remove_retained && hides_retained {
            return Err(Error::usage(
                "-R and --remove-retained cannot be used together: -R hides retained messages",
            ));
        }
        let view = args.view.option()?;
        if let Some(view) = view.filter(|_| args.remove_retained && !args.view.writes_files()) {
            return Err(Error::usage(format!(
                "--remove-retained cannot be used with {view}, which does not write out every message"
            )));
        }
        let for_commands = args.action.filters();
        let exec = args.action.resolve()?;
        let decode = args.decode.resolve()?;
        let (programs, on_error) = args.programs.resolve(!decode.is_empty())?;
        let origin = args.connection.origin.clone();
        let format = args.format.resolve(&origin)?;
        if exec.is_some() {
            let has_output = view.is_some() || args.output.is_some();
            check_exec(&format, has_output, args.remove_retained || args.session_file.is_some())?;
        }
        let other = view.or_else(|| exec.is_some().then_some("--exec"));
        program::check_results(&programs, &format, other)?;
        let output = args.output.filter(|path| !names_stdout(path));
        if output.is_some() {
            args.view.check_output()?;
        } else {
            args.recording.check_stdout()?;
        }
        let is_lines = matches!(
            format,
            MessageFormat::Text { newline: true, .. } | MessageFormat::Json { pretty: false }
        );
        let in_url = args.connection.url_topic()?.filter(|_| {
            // A typed topic overrides that of MQTT_URL; with a typed -L all are subscribed to.
            args.subscriptions.is_empty() || args.connection.url_is_typed()
        });
        if args.subscriptions.is_empty() && in_url.is_none() {
            args.subscriptions.add(for_commands);
        }
        let properties = args.properties.resolve()?;
        let identifier = properties.subscribe.view().number(PropertyId::SubscriptionIdentifier);
        let mut filters = args.subscriptions.filters(in_url, identifier)?;
        let needs_v5 = args.subscriptions.needs_v5(&filters);
        args.view.check_selection(selection.kind, &filters)?;
        if hides_retained {
            // Messages that are not shown need not be sent, if the MQTT version can express that; mosquitto
            // does the same.
            for filter in filters.iter_mut().filter(|filter| filter.retain_handling == 0) {
                filter.retain_handling = RetainHandling::Never.number();
            }
        }
        if args.remove_retained {
            // Only clearing messages are published, and they need not come back, if the MQTT version can
            // express that. Forbidden with a shared subscription ([MQTT-3.8.3-4]).
            for filter in filters.iter_mut().filter(|filter| topic::shared(&filter.filter).is_none()) {
                filter.no_local = true;
            }
        }
        let unsubscribe = args.subscriptions.unsubscribe()?;
        if filters.is_empty() && unsubscribe.is_empty() {
            return Err(Error::usage("nothing to subscribe to")
                .with_hint("mqtt sub FILTER; for everything: mqtt sub '#'"));
        }
        let mut client = args.connection.resolve(Purpose {
            will: args.will.resolve(properties.will, properties.will_asked_by)?,
            properties: properties.connect,
            disconnect_properties: properties.disconnect,
            needs_v5: args.properties.needs_v5().or(needs_v5),
            reconnect: Reconnect::ALWAYS,
            // Commands and programs get whole messages.
            uses_properties: format.shows_properties() || exec.is_some() || programs.are_run(),
            ..Purpose::default()
        })?;
        if args.session_file.is_some() && client.clean_start {
            return Err(Error::usage("--session-file needs a session that outlives the program: -c -i ID"));
        }
        let display = args.view.resolve(format)?;
        client.keeps_own_keep_alive = matches!(display, Display::Silence(_));
        Ok(Self {
            client,
            filters,
            subscribe_properties: properties.subscribe.without(&[PropertyId::SubscriptionIdentifier]),
            unsubscribe,
            unsubscribe_properties: properties.unsubscribe,
            selection,
            decode,
            programs,
            on_error,
            count: args.count,
            timeout: args.timeout,
            idle: args.idle,
            exit_after_subscribing: args.exit_after_subscribing,
            as_mosquitto: false,
            remove_retained: args.remove_retained,
            session_file: args.session_file,
            output,
            output_options: args.recording.resolve(is_lines),
            exec,
            display,
            verbosity: args.report.resolve()?,
        })
    }
}

/// Refuses options of output, and those that depend on it, together with `--exec`.
fn check_exec(format: &MessageFormat, has_output: bool, goes_by_output: bool) -> Result<(), Error> {
    if has_output || *format != (MessageFormat::Text { verbose: false, newline: true }) {
        return Err(Error::usage(
            "--exec shows no messages: options of View, Format and Output cannot be used with it",
        ));
    }
    if goes_by_output {
        return Err(Error::usage(
            "--exec cannot be used with --remove-retained or --session-file, which go by what was written out",
        ));
    }
    Ok(())
}
