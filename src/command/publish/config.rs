//! What `mqtt pub` is to do, and what its messages share.

use std::sync::Arc;
use std::time::Duration;

use super::SpoolOptions;
use super::encoding::Encoding;
use super::filled::{Filler, Filling, PayloadFilling};
use super::replay::ReplayClock;
use crate::client::options::ClientOptions;
use crate::command::input::{FieldValues, LineForm, RecordReader, Source, TextTemplate, last_line, stdin};
use crate::error::Error;
use crate::output::Verbosity;
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
    /// Checked topic names: each message goes to each of them, or with [`Source::Files`] to those of its file, which
    /// are as many for each file and stand in the order of the files. At least one, unless the source is
    /// [`Source::Spool`] or its lines name their topics.
    pub topics: Vec<String>,
    /// Of every message that does not say it itself.
    pub qos: QoS,
    /// RETAIN of every message that does not say it itself.
    pub retain: bool,
    /// Where the payloads come from.
    pub source: Source,
    /// The byte that ends a line.
    pub terminator: u8,
    /// Topics and payloads are filled in for each message (`--template`).
    pub filling: Option<Filling>,
    /// The format that payloads are encoded in (`--encode`).
    pub encode: Option<Encoding>,
    /// How often the message is sent, at least once; 1 where each line is one, [`FOREVER`] without end.
    pub repeat: u64,
    /// The time from one repeat to the next, on an absolute schedule.
    pub interval: Option<Duration>,
    /// Records are sent at the times of the recording, so many times as fast (`--timing recorded`, `--speed`); `None`:
    /// as fast as they are taken.
    pub speed: Option<f64>,
    /// The time between the acknowledgement of one repeat and the next.
    pub repeat_delay: Duration,
    /// PUBLISH properties (MQTT 5), checked, without a topic alias.
    pub properties: PropertyBlock,
    /// Whether the topic gets an alias (MQTT 5).
    pub topic_alias: TopicAlias,
    /// The file through which messages go, at QoS 1 and 2.
    pub spool: Option<SpoolOptions>,
    /// Give up after that long, whatever is acknowledged (`-W`).
    pub timeout: Option<Duration>,
    /// What is said on standard error.
    pub verbosity: Verbosity,
}

impl Config {
    /// How long the broker may take to acknowledge, unless the user has set a limit for all of it, or the
    /// messages come from a source that may have no end.
    pub(super) fn answer_limit(&self) -> Option<Duration> {
        let unlimited = self.timeout.is_some() || self.source.is_lines();
        (!unlimited).then_some(self.client.connect_timeout)
    }
}

impl Config {
    /// What makes messages of lines that name their topic.
    pub(super) fn reader(&self) -> Option<RecordReader> {
        let form = match &self.source {
            Source::Records(options) => LineForm::Record(options.clone()),
            Source::TopicLines(lines) => LineForm::Topic(lines.clone()),
            _ => return None,
        };
        let topic = self.topics.first().map(String::as_str).unwrap_or_default();
        let reader = RecordReader::new(form, self.envelope(topic), self.topic_alias);
        Some(match &self.filling {
            Some(filling) => reader.filling(FieldValues::new(filling.seed), filling.topics.first().cloned()),
            None => reader,
        })
    }

    /// What fills in topics and payloads, where lines do not name their topic.
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

    /// What messages to `topic` share, on a connection of that version.
    pub(super) fn template(&self, protocol: Protocol, topic: &str) -> Arc<PublishTemplate> {
        let template =
            PublishTemplate::new(protocol, topic.as_bytes(), self.qos, self.retain, &self.properties);
        Arc::new(template.with_topic_alias(self.topic_alias))
    }

    /// What messages to `topic` share that do not say it themselves.
    pub(super) fn envelope(&self, topic: &str) -> Envelope {
        Envelope {
            qos: self.qos,
            retain: self.retain,
            topic: topic.to_owned(),
            properties: self.properties.clone(),
        }
    }

    /// How many messages an input becomes.
    pub(super) fn copies(&self) -> usize {
        let files = if let Source::Files(files) = &self.source { files.len() } else { 1 };
        (self.topics.len() / files.max(1)).max(1)
    }

    /// What sends records at the times of the recording. `is_shown`: a person sees how much of it has passed.
    pub(super) fn replay(
        &self,
        reader: Option<&RecordReader>,
        is_shown: bool,
    ) -> Result<Option<ReplayClock>, Error> {
        let Some(mut replay) = self.speed.map(ReplayClock::new).transpose()? else { return Ok(None) };
        if let Some(reader) = reader.filter(|_| is_shown)
            && let Some(last) = last_line(&stdin()?, self.terminator)
            && let Some(end) = reader.time(&last)
        {
            replay.ends_at(end);
        }
        Ok(Some(replay))
    }
}
