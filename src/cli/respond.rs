//! `mqtt respond`.

use std::ffi::{OsStr, OsString};
use std::time::Duration;

use clap::{ArgMatches, ValueEnum};

use super::connection::{ConnectionArgs, Purpose};
use super::decode::DecodeArgs;
use super::exec::{CommandArgs, ENVIRONMENT};
use super::manual::Manual;
use super::payload::{ENVIRONMENT as LOOK_UP, PayloadArgs, given_once, one, text_template};
use super::program::compiled;
use super::property::{PropertyArgs, Requesting};
use super::subcommand::Subcommand;
use super::text::shown;
use super::verbosity::VerbosityArgs;
use super::will::WillArgs;
use super::{text, value};
use crate::client::options::{Reconnect, Version};
use crate::command::input::Source;
use crate::command::respond::{Config, MOST_RESPONSE_BYTES, ResponseCommand, ResponsePayload};
use crate::error::Error;
use crate::jq::Program;
use crate::output::stdout_is_file;
use crate::protocol::property::{PropertyBlock, PropertyId, Value};
use crate::protocol::{Protocol, QoS, topic};
use crate::quotation::cut;

/// The default Receive Maximum: QoS 1 and 2 requests that an MQTT 5 broker may send before earlier ones are
/// answered. Their payloads are kept in memory.
const RECEIVE_MAXIMUM: u32 = 1000;

/// Answer the requests that come on topics
///
/// Publishes a response to each request, on the response topic that the request names (MQTT 5) or on that of
/// -e, with the request's correlation data. Acknowledges a request only when the broker has acknowledged its
/// response (QoS 1 and 2). Reconnects and subscribes again when the connection is lost.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct RespondArgs {
    /// Topic filters to answer requests on, as -t
    #[arg(value_name = "FILTER")]
    filters: Vec<OsString>,

    /// Topic filter to answer requests on; may be repeated
    #[arg(short = 't', long, value_name = "FILTER")]
    topic: Vec<OsString>,

    /// Topic to respond on if the request names none (MQTT 3.x)
    #[arg(short = 'e', value_name = "TOPIC")]
    respond_on: Option<OsString>,

    /// Respond only on topics that match this filter; may be repeated [default: all but those that begin with
    /// $]
    ///
    /// Requests name the topics for their responses, and any publisher can choose them freely: the responder
    /// publishes there with its own rights.
    #[arg(long, value_name = "FILTER")]
    allow_response_topic: Vec<OsString>,

    /// QoS of the response, and the highest of the request: 0, 1 or 2
    #[arg(short = 'q', long, value_name = "QOS", default_value = "0", value_parser = value::qos(),
          hide_possible_values = true)]
    qos: QoS,

    /// Leave after this many responses
    #[arg(short = 'C', value_name = "COUNT", value_parser = value::count)]
    count: Option<u64>,

    /// Leave after this time, with exit status 27
    #[arg(short = 'W', value_name = "DURATION", value_parser = value::positive_duration)]
    timeout: Option<Duration>,

    /// Write the topic and the payload of each request, decoded if --decode is given
    #[arg(short = 'v', long)]
    verbose: bool,

    /// Payload: that of the request
    #[arg(long, help_heading = "Payload (one of)")]
    echo: bool,

    /// The results of this jq program, a line each: strings as text, everything else as JSON
    ///
    /// The input is the record that mqtt sub --json writes of the request, with .payload parsed if it is
    /// JSON. A request for which the program has no result, or fails, gets no response and is acknowledged; a
    /// failure gives exit status 3. mqtt sub --where says more about programs, and about their limits.
    #[arg(long, value_name = "EXPR", help_heading = "Payload (one of)")]
    jq: Option<String>,

    #[arg(long, value_name = "CMD", help_heading = "Payload (one of)",
          help = "What CMD writes to standard output; it is run with sh for each request", long_help = about_exec())]
    exec: Option<OsString>,

    #[command(flatten)]
    payload: PayloadArgs,

    /// Fill in the fields of the payload for each response: {seq}, {now}, {now:FORMAT}, {unix}, {unix_ms},
    /// {uuid}, {rand:0..100}, {hex:16} and {env:NAME}; {{ and }} are braces
    ///
    /// {seq} is the number of the response. The fields are those of mqtt pub --template, whose page says
    /// more. An environment variable is filled in in the text of -m and -f, and not in that of standard
    /// input.
    #[allow(clippy::doc_markdown, reason = "it is the text of the help")]
    #[arg(long, help_heading = "Payload (one of)")]
    template: bool,

    #[command(flatten)]
    command: CommandArgs,

    /// What to do when a command fails [default: skip]
    ///
    /// skip sends no response, and acknowledges the request; the exit status is 3 at the end (27 with -W). stop ends with
    /// exit status 1, and the request stays unacknowledged.
    #[arg(long, value_name = "WHAT", help_heading = "Commands")]
    exec_failure: Option<CommandFailure>,

    #[command(flatten)]
    decode: DecodeArgs,

    #[command(flatten)]
    properties: PropertyArgs<Requesting>,

    #[command(flatten)]
    pub(super) connection: ConnectionArgs,

    #[command(flatten)]
    will: WillArgs,

    #[command(flatten)]
    report: VerbosityArgs,
}

fn about_exec() -> String {
    format!(
        "What CMD writes to standard output; it is run with sh for each request\n\n{ENVIRONMENT} The response is every byte \
         that it writes, also a line feed at the end; nothing is an empty response. It is sent when CMD has ended with \
         status 0, and the request is acknowledged after it. A command fails with another status, after --exec-timeout, \
         and when it writes more than {} MiB. With --exec-jobs responses may come in another order than their requests. \
         Standard error is not redirected. At most 1000 requests or 16 MiB wait, and what one read brings beyond that; then \
         nothing is read from the broker. At a signal and at -W the commands that run are waited for, and their responses \
         are sent; the second signal ends them.",
        MOST_RESPONSE_BYTES >> 20
    )
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CommandFailure {
    /// Send no response
    Skip,
    /// End the run
    Stop,
}

impl Subcommand for RespondArgs {
    type Config = Config;

    const MANUAL: &'static Manual = &Manual {
        common: &["topic", "respond_on", "message", "file", "echo", "qos", "count", "verbose"],
        examples: &[
            ("Send each request back to its requester", "mqtt respond -t service/echo --echo -q 1"),
            ("Compute the answer with a jq program", "mqtt respond -t service/add --jq '.payload | add'"),
            ("Answer with what a command writes", "mqtt respond -t 'host/+/uptime' --exec uptime"),
            (
                "Answer with a file, on topics below answers only",
                "mqtt respond -t device/+/config -f config.json --allow-response-topic 'answers/#'",
            ),
            (
                "Answer over MQTT 3.1.1, where a request cannot name a topic",
                "mqtt respond -V 311 -t device/7/command -e device/7/answer -m ok -q 1",
            ),
        ],
        bugs: &[
            "A retained message is not answered: it may be an old request, and it comes with every subscription.",
            "At QoS 1 and 2 a request may be answered twice after the connection was lost. At QoS 0 requests that come \
             faster than their responses can be sent are kept up to 10000 or 16 MiB; more are not answered.",
            "Over MQTT 3.x, and where requests name no topic, a response cannot be told from a request: two responders \
             with -e, each of which listens where the other one responds, answer each other without end. A responder does \
             not answer itself: -e refuses a topic that a filter matches. In a kept session (-c) there may be filters of \
             earlier runs: a message on the topic of -e, or on a topic that no filter of this run matches, is acknowledged \
             and counted, and gets no response.",
            "A broker may close the connection at a response to a topic on which this user may not publish. After three times in \
             a row the responder ends: --allow-response-topic refuses such topics beforehand.",
        ],
    };

    fn connection_mut(&mut self) -> Option<&mut ConnectionArgs> {
        Some(&mut self.connection)
    }

    fn outlasts_hang_ups(_typed: &ArgMatches) -> bool {
        stdout_is_file()
    }

    fn is_for_reader(&self) -> bool {
        self.verbose
    }
}

impl TryFrom<RespondArgs> for Config {
    type Error = Error;

    fn try_from(mut args: RespondArgs) -> Result<Self, Error> {
        args.filters.append(&mut args.command.take_filters());
        let program = compiled("--jq", args.jq.as_deref(), Program::new)?;
        let command = args.response_command()?;
        let answer = match (one(args.payload.clone().given())?, args.echo, program, command) {
            (None, true, None, None) => ResponsePayload::Echo,
            (Some(source), false, None, None) if args.template => {
                if let Source::Message(text) = &source {
                    text_template("payload", text, None)?;
                }
                ResponsePayload::Filled(source, LOOK_UP)
            }
            (Some(source), false, None, None) => ResponsePayload::Fixed(source),
            (None, false, Some(program), None) => ResponsePayload::Program(program),
            (None, false, None, Some(command)) => ResponsePayload::Command(command),
            (None, false, None, None) => {
                let hint = match &args.filters[..] {
                    [_, .., last] => format!(
                        "'{}' is read as a topic filter; the response goes after -m, or give one of -f FILE, -s, -n, --jq, \
                         --exec and --echo",
                        shown(last)
                    ),
                    _ => {
                        "give one of -m TEXT, -f FILE, -s (standard input), -n (no payload), --jq, --exec and --echo"
                            .into()
                    }
                };
                return Err(Error::usage("no response to publish").with_hint(hint));
            }
            (_, true, ..) => {
                return Err(Error::usage(
                    "--echo sends the request's payload; give no other for the response",
                ));
            }
            (_, false, _, Some(_)) => {
                return Err(Error::usage("--exec computes the response; give no other payload for it"));
            }
            (Some(_), false, Some(_), None) => {
                return Err(Error::usage("--jq computes the response; give no other payload for it"));
            }
        };
        if args.template && !matches!(answer, ResponsePayload::Filled(..)) {
            return Err(Error::usage("--template needs the text of the response: -m, -f or -s"));
        }
        let filters = filters(&args)?;
        let allowed = args
            .allow_response_topic
            .iter()
            .map(|filter| text::topic_filter("filter of --allow-response-topic", filter))
            .collect::<Result<Vec<_>, _>>()?;
        let response_topic =
            args.respond_on.as_deref().map(|topic| text::topic_name("response topic", topic)).transpose()?;
        if let Some(topic) = &response_topic
            && let Some(filter) =
                filters.iter().find(|filter| topic::matches(filter.as_bytes(), topic.as_bytes()))
        {
            let (topic, filter) = (cut(topic), cut(filter));
            return Err(Error::usage(format!(
                "the response topic '{topic}' matches the filter '{filter}': the response would be taken for a request"
            )));
        }
        let mut properties = args.properties.resolve()?;
        for id in [PropertyId::CorrelationData, PropertyId::ResponseTopic, PropertyId::TopicAlias] {
            if properties.publish.view().iter().any(|property| property.id == id) {
                return Err(Error::usage(format!("{} cannot be set for responses", id.name()))
                    .with_hint("topic and correlation data of a response are those that the request names"));
            }
        }
        limit_requests(&mut properties.connect);
        let client = args.connection.resolve(Purpose {
            will: args.will.resolve(properties.will, properties.will_asked_by)?,
            properties: properties.connect,
            disconnect_properties: properties.disconnect,
            needs_v5: args.properties.needs_v5(),
            reconnect: Reconnect::ALWAYS,
            uses_properties: true,
            ..Purpose::default()
        })?;
        let is_v3 = matches!(client.version, Version::Only(version) if version != Protocol::V5);
        if is_v3 && response_topic.is_none() {
            return Err(Error::usage("a request of MQTT 3.x cannot name a response topic")
                .with_hint("name the topic to respond on: -e TOPIC"));
        }
        Ok(Self {
            client,
            filters,
            response_topic,
            allowed,
            qos: args.qos,
            answer,
            decode: args.decode.resolve()?,
            properties: properties.publish,
            subscribe_properties: properties.subscribe,
            count: args.count,
            timeout: args.timeout,
            shows_requests: args.verbose,
            verbosity: args.report.resolve()?,
        })
    }
}

impl RespondArgs {
    /// The command that computes responses, if given.
    fn response_command(&mut self) -> Result<Option<ResponseCommand>, Error> {
        if self.exec.is_none() && !self.command.has_words() {
            if self.command.has_options() || self.exec_failure.is_some() {
                let message = "--exec-jobs, --exec-timeout and --exec-failure need --exec or --exec-argv";
                return Err(Error::usage(message));
            }
            return Ok(None);
        }
        let example = "mqtt respond FILTER --exec-argv -- PROGRAM ARGUMENT...";
        let (options, command) = self.command.clone().resolve(self.exec.take(), example)?;
        let stops_at_failure = self.exec_failure == Some(CommandFailure::Stop);
        Ok(command.map(|command| ResponseCommand { command, options, stops_at_failure }))
    }
}

/// The filters from operands and `-t`, or from the URL.
fn filters(args: &RespondArgs) -> Result<Vec<String>, Error> {
    let typed = given_once(args.filters.clone(), &args.topic, "FILTER")?;
    let in_url = args.connection.url_topic()?.filter(|_| typed.is_empty() || args.connection.url_is_typed());
    let filters = typed.iter().map(OsString::as_os_str).chain(in_url.map(OsStr::new));
    let filters =
        filters.map(|filter| text::topic_filter("topic filter", filter)).collect::<Result<Vec<_>, _>>()?;
    if filters.is_empty() {
        return Err(
            Error::usage("no topic to answer requests on").with_hint("mqtt respond FILTER -m MESSAGE")
        );
    }
    Ok(filters)
}

fn limit_requests(connect: &mut PropertyBlock) {
    if connect.view().number(PropertyId::ReceiveMaximum).is_none() {
        connect.push(PropertyId::ReceiveMaximum, Value::Number(RECEIVE_MAXIMUM));
    }
}
