//! `mqtt pub`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueHint;

use super::connection::{ConnectionArgs, Purpose};
use super::manual::Manual;
use super::payload::{OperandArgs, PayloadArgs, one};
use super::property::{PropertyArgs, Publishing};
use super::subcommand::Subcommand;
use super::verbosity::ReportArgs;
use super::will::WillArgs;
use super::{text, value};
use crate::client::options::Reconnect;
use crate::command::input::Source;
use crate::command::publish::{Config, SpoolOptions};
use crate::error::Error;
use crate::protocol::QoS;
use crate::protocol::property::{PropertyBlock, PropertyId};
use crate::protocol::wire::TopicAlias;

/// Publish messages to a topic
///
/// Publishes one message, or one for each line of standard input, and waits until the broker has
/// taken over every one of them. The exit status is 0 only then.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct PublishArgs {
    #[command(flatten)]
    operands: OperandArgs,

    /// Topic to publish to
    #[arg(short = 't', long, value_name = "TOPIC")]
    topic: Vec<OsString>,

    /// QoS: 0 at most once, 1 at least once, 2 exactly once
    #[arg(short = 'q', long, value_name = "QOS", default_value = "0", value_parser = value::qos(),
          hide_possible_values = true)]
    qos: QoS,

    /// Have the broker keep the message for future subscribers
    #[arg(short = 'r', long)]
    retain: bool,

    /// Send the message this many times [default: 1]
    #[arg(long, value_name = "COUNT", value_parser = value::count)]
    repeat: Option<u64>,

    /// Pause before each repeat, once the last message is acknowledged [default: 0]
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    repeat_delay: Option<Duration>,

    /// Leave after this time, with exit status 27
    #[arg(short = 'W', value_name = "DURATION", value_parser = value::positive_duration)]
    timeout: Option<Duration>,

    /// Number for the topic, so that it is sent only once a connection (MQTT 5); auto takes one if the
    /// broker allows it
    #[arg(long, value_name = "NUMBER|auto", help_heading = "Properties", value_parser = value::topic_alias)]
    topic_alias: Option<TopicAlias>,

    #[command(flatten)]
    payload: PayloadArgs,

    /// Each line of standard input, as a message of its own
    ///
    /// The line feed at its end is no part of it.
    #[arg(short = 'l', long, help_heading = "Payload (one of)")]
    stdin_line: bool,

    /// Keep messages in FILE until the broker has acknowledged them. What a run has left there, the
    /// next one sends first, also if it has no message of its own. With -l the input is taken in whether
    /// there is a broker or not; needs QoS 1 or 2
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Spool")]
    spool: Option<PathBuf>,

    /// How long the spool may become before -l waits with its input and other messages are refused
    #[arg(long, value_name = "SIZE", default_value = "1GiB", requires = "spool",
          value_parser = value::size, help_heading = "Spool")]
    spool_max_size: u64,

    #[command(flatten)]
    properties: PropertyArgs<Publishing>,

    #[command(flatten)]
    pub(super) connection: ConnectionArgs,

    #[command(flatten)]
    will: WillArgs,

    #[command(flatten)]
    report: ReportArgs,
}

impl Subcommand for PublishArgs {
    type Config = Config;

    const MANUAL: &'static Manual = &Manual {
        common: &["topic", "message", "file", "stdin_line", "null_message", "qos", "retain", "debug"],
        examples: &[
            ("Publish a message", "mqtt pub -t home/kitchen/temperature -m 23.4"),
            ("Publish at QoS 1 a message that the broker retains", "mqtt pub -t home/door -m open -q 1 -r"),
            (
                "Publish each line of a program's output as a message, until the program ends",
                "sensors | mqtt pub -h broker.example -t site/1 -l -q 1",
            ),
            (
                "Publish a file over TLS; the topic is the path of the URL",
                "mqtt pub -L mqtts://user@broker.example/home/photo -f photo.jpg",
            ),
        ],
        bugs: &[
            "At QoS 0 a broker acknowledges nothing, and in MQTT 3.1 and 3.1.1 it cannot refuse a message: most \
             brokers acknowledge a message that they drop for lack of rights. The exit status is then 0.",
            "At QoS 1 a message may arrive twice after the connection was lost. At QoS 2 it arrives once, as long \
             as the broker keeps the session (-c and -i).",
            "-f and -s hold the whole message in memory, up to the largest packet of MQTT (268435460 bytes).",
            "The file of --spool is synchronised to the disk once a second and at the end: after a loss of power \
             the messages of the last second may be missing, or be sent twice. MQTT 5 properties in it are left out \
             on a 3.1.1 connection, with a warning.",
        ],
    };

    fn connection_mut(&mut self) -> Option<&mut ConnectionArgs> {
        Some(&mut self.connection)
    }
}

impl TryFrom<PublishArgs> for Config {
    type Error = Error;

    fn try_from(mut args: PublishArgs) -> Result<Self, Error> {
        let topics = args.operands.topics(&args.topic)?;
        let given = args.payload.clone().given().into_iter().chain(args.operands.given()).collect();
        let source = source(given, args.stdin_line, args.spool.is_some())?;
        let topic = if source == Source::Spool { String::new() } else { topic(&topics, &args.connection)? };
        let repeats = args.repeat.is_some() || args.repeat_delay.is_some();
        if args.spool.is_some() {
            if args.qos == QoS::AtMostOnce && source != Source::Spool {
                return Err(Error::usage("--spool keeps messages until they are acknowledged: -q 1 or -q 2"));
            }
            if repeats {
                return Err(Error::usage("--repeat and --repeat-delay cannot be used with --spool"));
            }
        }
        if repeats && source == Source::StdinLines {
            return Err(Error::usage("--repeat and --repeat-delay cannot be used with -l"));
        }
        let properties = args.properties.resolve()?;
        let topic_alias = topic_alias(args.topic_alias, &properties.publish)?;
        let lines = source == Source::StdinLines;
        let client = args.connection.resolve(Purpose {
            will: args.will.resolve(properties.will, properties.will_asked_by)?,
            properties: properties.connect,
            disconnect_properties: properties.disconnect,
            needs_v5: args.properties.needs_v5().or(args.topic_alias.map(|_| "--topic-alias")),
            reconnect: if lines { Reconnect::ALWAYS } else { Reconnect::NEVER },
            ..Purpose::default()
        })?;
        Ok(Self {
            client,
            topic,
            qos: args.qos,
            retain: args.retain,
            source,
            repeat: args.repeat.unwrap_or(1),
            repeat_delay: args.repeat_delay.unwrap_or_default(),
            properties: properties.publish.without(&[PropertyId::TopicAlias]),
            topic_alias,
            spool: args.spool.map(|path| SpoolOptions { path, most_bytes: args.spool_max_size }),
            timeout: args.timeout,
            needs_input: false,
            verbosity: args.report.resolve()?,
        })
    }
}

/// The topic of a message, from `-t` or the URL.
pub(super) fn topic(given: &[OsString], connection: &ConnectionArgs) -> Result<String, Error> {
    if given.len() > 1 {
        let count = given.len();
        return Err(Error::usage(format!("{count} topics given (-t), but a message goes to one"))
            .with_hint("run the command once for each topic"));
    }
    let topic = match (given.first(), connection.url_topic()?) {
        (Some(topic), Some(in_url)) if connection.url_is_typed() && topic != in_url => {
            return Err(Error::usage("-L and -t name different topics"));
        }
        (Some(topic), _) => topic.clone(),
        (None, Some(in_url)) => in_url.into(),
        (None, None) => {
            return Err(Error::usage("no topic to publish to").with_hint("mqtt pub TOPIC MESSAGE"));
        }
    };
    text::topic_name("topic", &topic)
}

/// The topic alias, from the option or the property.
pub(super) fn topic_alias(
    option: Option<TopicAlias>,
    properties: &PropertyBlock,
) -> Result<TopicAlias, Error> {
    let number =
        properties.view().number(PropertyId::TopicAlias).and_then(|number| u16::try_from(number).ok());
    match (option, number) {
        (Some(_), Some(_)) => Err(Error::usage("--topic-alias and -D both give the property topic-alias")),
        (option, number) => Ok(option.or(number.map(TopicAlias::Fixed)).unwrap_or_default()),
    }
}

fn source(mut given: Vec<(&'static str, Source)>, lines: bool, spool: bool) -> Result<Source, Error> {
    given.extend(lines.then_some(("-l", Source::StdinLines)));
    match one(given)? {
        Some(source) => Ok(source),
        None if spool => Ok(Source::Spool),
        None => Err(Error::usage("no message to publish").with_hint(
            "give one of -m TEXT, -f FILE, -s (standard input), -l (its lines) and -n (no payload)",
        )),
    }
}
