//! `mqtt rr`.

use std::ffi::OsString;
use std::time::Duration;

use super::connection::{ConnectionArgs, Purpose};
use super::decode::DecodeArgs;
use super::format::FormatArgs;
use super::manual::Manual;
use super::payload::{OperandArgs, PayloadArgs, one};
use super::property::{PropertyArgs, Requesting};
use super::publish::{interval, repeat, topic, topic_alias};
use super::subcommand::Subcommand;
use super::verbosity::VerbosityArgs;
use super::will::WillArgs;
use super::{text, value};
use crate::client::options::Version;
use crate::command::request::{Config, NAME_ONE};
use crate::error::Error;
use crate::protocol::property::{PropertyBlock, PropertyId, Value};
use crate::protocol::topic::shared;
use crate::protocol::{Protocol, QoS};

/// Publish a request and write out the response
///
/// Subscribes to the response topic, publishes the request, and ends with the first message that
/// responds to it: one that comes after the request, is not retained, and does not name another
/// request in its correlation data. -C, --all and --idle wait for more, and --repeat asks again.
#[derive(Debug, Clone, clap::Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(super) struct RequestArgs {
    #[command(flatten)]
    operands: OperandArgs,

    /// Topic to publish the request to
    #[arg(short = 't', long, value_name = "TOPIC")]
    topic: Vec<OsString>,

    /// Topic to expect the response on [default: a new topic for each run (MQTT 5)]
    ///
    /// The new topic begins with mqtt-rr, or with the response information of the broker, and the request
    /// names it.
    #[arg(short = 'e', value_name = "TOPIC")]
    respond_on: Vec<OsString>,

    /// QoS of the request, and the highest of the response: 0, 1 or 2
    #[arg(short = 'q', long, value_name = "QOS", default_value = "0", value_parser = value::qos(),
          hide_possible_values = true)]
    qos: QoS,

    /// Leave after this time, with exit status 27
    #[arg(short = 'W', value_name = "DURATION", value_parser = value::positive_duration)]
    timeout: Option<Duration>,

    /// Wait for this many responses to a request [default: 1]
    #[arg(short = 'C', value_name = "COUNT", value_parser = value::count)]
    responses: Option<u64>,

    /// Write all responses that come until -W or --idle
    ///
    /// The exit status is 0 if there was one, and 27 if there was none.
    #[arg(long, conflicts_with = "responses")]
    all: bool,

    /// Stop waiting when no response came for this time; without -C and --repeat, write all until then
    ///
    /// The time begins with the request, and again with each response. The exit status is 0 if there was a
    /// response, and 27 if there was none. With --repeat it is the time limit of each request: then the next
    /// one is sent, and at the end the exit status is 27.
    #[arg(long = "idle", value_name = "DURATION", value_parser = value::positive_duration)]
    idle_time: Option<Duration>,

    /// Send the request this many times over one connection, each after the response to the one before
    ///
    /// Each has its own correlation data, unless -D sets it, so that a late response is not taken for that of
    /// the next. Without --idle, the response to a request is waited for without limit. At the end a line on
    /// standard error has the least, the greatest and percentiles of the time from a request to its first
    /// response; with --json it is an object on standard output (type "round-trips"). --repeat forever ends
    /// at -W or a signal.
    #[arg(long = "repeat", value_name = "COUNT|forever", value_parser = repeat)]
    requests: Option<u64>,

    /// With --repeat: send request n at least n intervals after the first one
    ///
    /// Times that pass while a response is awaited are skipped, and their number is printed at the end.
    #[arg(long = "interval", value_name = "DURATION", requires = "requests", value_parser = interval)]
    request_interval: Option<Duration>,

    /// Write how long the response took after the request, on a line of its own; with --json as an object
    #[arg(long)]
    latency: bool,

    /// No effect: a retained message is never taken for the response
    #[arg(short = 'R')]
    #[allow(dead_code, reason = "given or not, it is so")]
    no_retained: bool,

    /// Show the response with the retain flag it was published with (MQTT 5)
    #[arg(long)]
    retain_as_published: bool,

    /// Take the first message on the response topic, whatever it responds to, and add no correlation data to
    /// the request. Not an option: set for mosquitto's client, which does the same.
    #[arg(skip)]
    pub(super) any_response: bool,

    #[command(flatten)]
    payload: PayloadArgs,

    #[command(flatten)]
    decode: DecodeArgs,

    #[command(flatten)]
    format: FormatArgs,

    #[command(flatten)]
    properties: PropertyArgs<Requesting>,

    #[command(flatten)]
    pub(super) connection: ConnectionArgs,

    #[command(flatten)]
    will: WillArgs,

    #[command(flatten)]
    report: VerbosityArgs,
}

impl Subcommand for RequestArgs {
    type Config = Config;

    const MANUAL: &'static Manual = &Manual {
        common: &["topic", "respond_on", "message", "file", "qos", "json", "timeout", "debug"],
        examples: &[
            ("Send an empty request; wait at most 5 seconds", "mqtt rr -t service/time -n -W 5s"),
            (
                "Ask a responder that always responds on the same topic (also over MQTT 3.1.1)",
                "mqtt rr -t device/7/command -e device/7/answer -m reboot -q 1 -W 30s",
            ),
            ("Process the response as JSON", "mqtt rr -t service/add -m '[2,3]' --json | jq .payload"),
        ],
        bugs: &[
            "A response without correlation data is accepted: where several requesters wait on one topic for a \
             responder that returns none, they may get each other's responses.",
            "MQTT 3.1 and 3.1.1 need -e: a request cannot carry a response topic there.",
            "Without -W there is no time limit for the response.",
            "A request that is sent again after the connection was lost may be processed twice.",
        ],
    };

    fn connection_mut(&mut self) -> Option<&mut ConnectionArgs> {
        Some(&mut self.connection)
    }

    fn is_for_reader(&self) -> bool {
        true
    }
}

impl TryFrom<RequestArgs> for Config {
    type Error = Error;

    fn try_from(mut args: RequestArgs) -> Result<Self, Error> {
        let topics = args.operands.topics(&args.topic)?;
        let Some(source) = one(args.payload.given().into_iter().chain(args.operands.given()).collect())?
        else {
            return Err(Error::usage("no request to publish")
                .with_hint("give one of -m TEXT, -f FILE, -s (standard input) and -n (no payload)"));
        };
        let topic = topic(&topics, &args.connection)?;
        let mut properties = args.properties.resolve()?;
        let origin = args.connection.origin.clone();
        let response_topic = response_topic(&args.respond_on, &properties.publish)?;
        if response_topic.as_deref().is_some_and(|topic| shared(topic).is_some()) {
            return Err(Error::usage(
                "the response topic must not be a shared subscription: another client may get the response",
            ));
        }
        if response_topic.as_ref() == Some(&topic) && !args.any_response {
            return Err(Error::usage(
                "the response topic must differ from the topic: the request would be taken for the response",
            ));
        }
        let topic_alias = topic_alias(None, &properties.publish)?;
        if response_topic.is_none() {
            ask_for_response_information(&mut properties.connect);
        }
        let format = args.format.resolve(&origin)?;
        let client = args.connection.resolve(Purpose {
            will: args.will.resolve(properties.will, properties.will_asked_by)?,
            properties: properties.connect,
            disconnect_properties: properties.disconnect,
            needs_v5: args
                .properties
                .needs_v5()
                .or(args.retain_as_published.then_some("--retain-as-published")),
            prefers_v5: response_topic.is_none().then_some(NAME_ONE),
            uses_properties: format.shows_properties(),
            // The response topic is new in each run: a subscription to it must not be kept.
            keeps_no_session: response_topic.is_none(),
            ..Purpose::default()
        })?;
        if response_topic.is_none()
            && matches!(client.version, Version::Only(version) if version != Protocol::V5)
        {
            return Err(
                Error::usage("only a request of MQTT 5 can carry a response topic").with_hint(NAME_ONE)
            );
        }
        if response_topic.is_none() && !client.clean_start {
            return Err(Error::usage(
                "a session that is kept (-c) would collect a subscription to a new topic in every run",
            )
            .with_hint(NAME_ONE));
        }
        let requests = args.requests.unwrap_or(1);
        let takes_all = args.all || args.idle_time.is_some() && args.requests.is_none();
        if args.all && args.idle_time.is_none() && (args.timeout.is_none() || requests > 1) {
            let others =
                if requests > 1 { "--all with --repeat needs --idle" } else { "--all needs -W or --idle" };
            return Err(Error::usage(format!("{others}: nothing else says that no more responses come")));
        }
        Ok(Self {
            client,
            responses: args.responses.or((!takes_all).then_some(1)),
            idle: args.idle_time,
            requests,
            interval: args.request_interval,
            topic,
            response_topic,
            qos: args.qos,
            source,
            topic_alias,
            properties: properties.publish.without(&[PropertyId::ResponseTopic, PropertyId::TopicAlias]),
            subscribe_properties: properties.subscribe,
            retain_as_published: args.retain_as_published,
            // A message already retained there is not a response.
            retain_handling: 2,
            any_response: args.any_response,
            decode: args.decode.resolve()?,
            format,
            latency: args.latency,
            timeout: args.timeout,
            verbosity: args.report.resolve()?,
        })
    }
}

fn response_topic(typed: &[OsString], properties: &PropertyBlock) -> Result<Option<String>, Error> {
    let property = properties.view().text(PropertyId::ResponseTopic);
    match (typed, property) {
        ([_], Some(_)) => Err(Error::usage("-e and a property both give the response topic; give one")),
        ([typed], None) => text::topic_name("response topic", typed).map(Some),
        ([], property) => Ok(property.map(str::to_owned)),
        (many, _) => {
            let count = many.len();
            Err(Error::usage(format!("{count} topics given (-e), but the response comes on one")))
        }
    }
}

/// Asks for response information, unless the user has set it.
fn ask_for_response_information(connect: &mut PropertyBlock) {
    if connect.view().number(PropertyId::RequestResponseInformation).is_none() {
        connect.push(PropertyId::RequestResponseInformation, Value::Number(1));
    }
}
