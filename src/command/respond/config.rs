//! What `mqtt respond` is asked to do.

use std::time::Duration;

use crate::client::options::ClientOptions;
use crate::command::exec::{CommandOptions, ExecCommand};
use crate::command::input::{LookUp, Source};
use crate::decode::Rule;
use crate::jq::Program;
use crate::output::Verbosity;
use crate::protocol::QoS;
use crate::protocol::property::PropertyBlock;

/// What the response says.
#[derive(Debug, Clone)]
pub enum ResponsePayload {
    /// The payload of the request.
    Echo,
    /// The same for all requests; read once.
    Fixed(Source),
    /// A text with fields, which are filled in for each response; read once. Variables are looked up so.
    Filled(Source, LookUp),
    /// The results of a program, which gets the request as a record.
    Program(Program),
    /// What a command writes, which gets the payload of the request.
    Command(ResponseCommand),
}

/// A command that is run for each request.
#[derive(Debug, Clone)]
pub struct ResponseCommand {
    /// What to run.
    pub command: ExecCommand,
    /// How it is run.
    pub options: CommandOptions,
    /// One that fails ends the run; otherwise its request gets no response.
    pub stops_at_failure: bool,
}

/// A checked command line of `mqtt respond`.
#[derive(Debug, Clone)]
pub struct Config {
    /// The connection.
    pub client: ClientOptions,
    /// Where requests come: checked topic filters, one at least.
    pub filters: Vec<String>,
    /// Where the response goes to if the request does not say: a checked topic name that no filter matches.
    pub response_topic: Option<String>,
    /// Filters for the response topics that requests may name; empty: all that are not the broker's own.
    pub allowed: Vec<String>,
    /// Of the response, and the highest of the request.
    pub qos: QoS,
    /// The payload of the response.
    pub answer: ResponsePayload,
    /// Which requests are decoded, and from which format (`--decode`).
    pub decode: Vec<Rule>,
    /// Properties of the response (MQTT 5), checked, without correlation data.
    pub properties: PropertyBlock,
    /// Properties of SUBSCRIBE (MQTT 5), checked.
    pub subscribe_properties: PropertyBlock,
    /// Leave after that many responses (`-C`).
    pub count: Option<u64>,
    /// Leave after that long (`-W`).
    pub timeout: Option<Duration>,
    /// Write each request to standard output, its topic before it.
    pub shows_requests: bool,
    /// What is said on standard error.
    pub verbosity: Verbosity,
}

impl Config {
    /// The command that computes responses.
    pub(super) fn command(&self) -> Option<&ResponseCommand> {
        if let ResponsePayload::Command(command) = &self.answer { Some(command) } else { None }
    }
}
