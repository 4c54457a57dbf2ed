//! The configuration of `mqtt pub`, and the properties its messages share.

use std::sync::Arc;
use std::time::Duration;

use super::SpoolOptions;
use super::encoding::Encoding;
use super::filled::{Filler, Filling, PayloadFilling};
use super::replay::ReplayClock;
use crate::client::options::ClientOptions;
use crate::command::input::{FieldValues, LineForm, RecordReader, Source, TextTemplate, last_line, stdin};
use crate::error::Error;
use crate::output::{Diagnostics, Verbosity};
use crate::protocol::property::PropertyBlock;
use crate::protocol::wire::{PublishTemplate, TopicAlias};
use crate::protocol::{Protocol, QoS};
use crate::storage::spool::Envelope;

/// As a number of repeats: more than can be sent.
pub const FOREVER: u64 = u64::MAX;

/// A checked command line of `mqtt pub`.
#[derive(Debug, Clone)]
pub struct Config {
    /// The connection.
    pub client: ClientOptions,
    /// Checked topic names. Each message is sent to all of them; with [`Source::Files`] each file has the
    /// same number of topics, in the order of the files. At least one, unless the source is [`Source::Spool`]
    /// or the lines name their topics.
    pub topics: Vec<String>,
    /// Whether the topic of records that have none is given by itself, and not as a part of the URL.
    pub has_topic_option: bool,
    /// With lines: an operand that is the name of a file, which was probably meant as the input.
    pub file_operand: Option<String>,
    /// The QoS of messages that do not set it.
    pub qos: QoS,
    /// RETAIN of messages that do not set it.
    pub retain: bool,
    /// The source of the payloads.
    pub source: Source,
    /// The byte that ends a line.
    pub terminator: u8,
    /// Whether the first line that cannot be sent ends the run (`--on-error stop`).
    pub stops_at_error: bool,
    /// Topics and payloads that are filled in for each message (`--template`).
    pub filling: Option<Filling>,
    /// The format in which payloads are encoded (`--encode`).
    pub encode: Option<Encoding>,
    /// How often the message is sent, at least once; 1 for lines, [`FOREVER`] without end.
    pub repeat: u64,
    /// The interval between repeats, on an absolute schedule.
    pub interval: Option<Duration>,
    /// The speed factor for records sent with the timing of the recording (`--timing recorded`, `--speed`);
    /// `None` for sending as fast as possible.
    pub speed: Option<f64>,
    /// The time between the acknowledgement of one repeat and the next.
    pub repeat_delay: Duration,
    /// PUBLISH properties (MQTT 5), checked, without a topic alias.
    pub properties: PropertyBlock,
    /// The topic alias of the messages (MQTT 5).
    pub topic_alias: TopicAlias,
    /// The file through which messages of QoS 1 and 2 pass.
    pub spool: Option<SpoolOptions>,
    /// The timeout of the whole run (`-W`).
    pub timeout: Option<Duration>,
    /// The verbosity on standard error.
    pub verbosity: Verbosity,
}

impl Config {
    /// Tells the user that standard input is read, if that shows nowhere else.
    pub(super) fn announce(&self, diagnostics: &Diagnostics) {
        if let Some(file) = &self.file_operand {
            diagnostics.warning(format_args!(
                "'{file}' is the name of a file, which is not read: messages come from standard input (< {file})"
            ));
        }
        self.source.announce(diagnostics);
    }

    /// Timeout for the broker's acknowledgement, unless the user has set one for the whole run. With a possibly
    /// endless source it counts from the end of the input.
    pub(super) fn answer_limit(&self) -> Option<Duration> {
        self.timeout.is_none().then_some(self.client.connect_timeout)
    }
}

impl Config {
    /// The reader that makes messages from lines with a topic.
    pub(super) fn reader(&self) -> Option<RecordReader> {
        let form = match &self.source {
            Source::Records(options) => LineForm::Record(options.clone()),
            Source::TopicLines(lines) => LineForm::Topic(lines.clone()),
            _ => return None,
        };
        let topic = self.topics.first().map(String::as_str).unwrap_or_default();
        let reader = RecordReader::new(form, self.envelope(topic), self.topic_alias);
        Some(match &self.filling {
            Some(filling) => {
                let (topic, payload) = (filling.topics.first().cloned(), filling.payload.clone());
                reader.filling(FieldValues::new(filling.seed), topic, payload)
            }
            None => reader,
        })
    }

    /// The filler of topics and payloads, unless lines name their topic.
    pub(super) fn filler(&self, payload: Option<&[u8]>) -> Result<Option<Filler>, Error> {
        let Some(filling) = &self.filling else { return Ok(None) };
        if let Source::Records(_) | Source::TopicLines(_) = self.source {
            return Ok(None);
        }
        let environment = (self.source != Source::Stdin).then_some(filling.environment);
        let payload = match (&self.source, payload) {
            (Source::Generated(_), _) => PayloadFilling::Plain,
            (Source::Files(_), None) => PayloadFilling::Input(environment),
            (_, None) => PayloadFilling::Input(None),
            (_, Some(payload)) => PayloadFilling::Known(
                TextTemplate::parse(payload, environment)
                    .map_err(|why| Error::usage(format!("--template: the payload: {why}")))?,
            ),
        };
        Ok(Some(Filler::new(filling, payload)))
    }

    /// The shared part of messages to `topic`, on a connection of this version.
    pub(super) fn template(&self, protocol: Protocol, topic: &str) -> Arc<PublishTemplate> {
        let template =
            PublishTemplate::new(protocol, topic.as_bytes(), self.qos, self.retain, &self.properties);
        Arc::new(template.with_topic_alias(self.topic_alias))
    }

    /// The shared part of messages to `topic`, as defaults.
    pub(super) fn envelope(&self, topic: &str) -> Envelope {
        Envelope {
            qos: self.qos,
            retain: self.retain,
            topic: topic.to_owned(),
            properties: self.properties.clone(),
        }
    }

    /// The number of messages made from each input.
    pub(super) fn copies(&self) -> usize {
        let files = if let Source::Files(files) = &self.source { files.len() } else { 1 };
        (self.topics.len() / files.max(1)).max(1)
    }

    /// The clock that sends records with the timing of the recording. A user at a terminal sees how much of
    /// it has passed.
    pub(super) fn replay(
        &self,
        reader: Option<&RecordReader>,
        diagnostics: &Diagnostics,
    ) -> Result<Option<ReplayClock>, Error> {
        let Some(mut replay) = self.speed.map(ReplayClock::new).transpose()? else { return Ok(None) };
        if let Some(reader) = reader.filter(|_| diagnostics.is_interactive())
            && let Some(last) = last_line(&stdin()?, self.terminator)
            && let Some(end) = reader.time(&last)
        {
            replay.ends_at(end);
        }
        Ok(Some(replay))
    }
}
