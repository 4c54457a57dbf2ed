//! The configuration of `mqtt respond`.

use std::time::Duration;

use crate::client::options::ClientOptions;
use crate::command::exec::{CommandOptions, ExecCommand};
use crate::command::input::{LookUp, Source};
use crate::decode::Rule;
use crate::jq::Program;
use crate::output::Verbosity;
use crate::protocol::QoS;
use crate::protocol::property::PropertyBlock;

/// The payload of the response.
#[derive(Debug, Clone)]
pub enum ResponsePayload {
    /// The payload of the request.
    Echo,
    /// The same payload for all requests; read once.
    Fixed(Source),
    /// A template that is filled in for each response; read once. The function looks up environment
    /// variables.
    Filled(Source, LookUp),
    /// The results of a program whose input is the request as a record.
    Program(Program),
    /// The output of a command whose input is the payload of the request.
    Command(ResponseCommand),
}

/// A command that is run for each request.
#[derive(Debug, Clone)]
pub struct ResponseCommand {
    /// The command to run.
    pub command: ExecCommand,
    /// How it is run.
    pub options: CommandOptions,
    /// Whether a failed command ends the run; otherwise its request gets no response.
    pub stops_at_failure: bool,
}

/// A checked command line of `mqtt respond`.
#[derive(Debug, Clone)]
pub struct Config {
    /// The connection.
    pub client: ClientOptions,
    /// The topic filters of requests: checked, at least one.
    pub filters: Vec<String>,
    /// The response topic for requests without one: a checked topic name that no filter matches.
    pub response_topic: Option<String>,
    /// Filters for the response topics that requests may name; empty: all but those of the broker.
    pub allowed: Vec<String>,
    /// The QoS of the response, and the maximum QoS of the request.
    pub qos: QoS,
    /// The payload of the response.
    pub answer: ResponsePayload,
    /// Which requests are decoded, and from which format (`--decode`).
    pub decode: Vec<Rule>,
    /// Properties of the response (MQTT 5), checked, without correlation data.
    pub properties: PropertyBlock,
    /// Properties of SUBSCRIBE (MQTT 5), checked.
    pub subscribe_properties: PropertyBlock,
    /// End after this number of responses (`-C`).
    pub count: Option<u64>,
    /// End after this time (`-W`).
    pub timeout: Option<Duration>,
    /// Write each request to standard output, after its topic.
    pub shows_requests: bool,
    /// The verbosity on standard error.
    pub verbosity: Verbosity,
}

impl Config {
    /// The command that computes responses.
    pub(super) fn command(&self) -> Option<&ResponseCommand> {
        if let ResponsePayload::Command(command) = &self.answer { Some(command) } else { None }
    }
}
