//! A request in the form this connection supports, and which messages respond to it.

use std::sync::Arc;
use std::time::Duration;

use super::Config;
use crate::client::Connected;
use crate::error::{Error, Layer};
use crate::output::{MessageFormat, put_json_line};
use crate::protocol::property::{PropertyId, Value};
use crate::protocol::wire::{Publish, PublishTemplate};
use crate::protocol::{Protocol, topic};
use crate::quantity::counted;

/// The parts that depend on the broker and on the protocol version.
pub(super) struct PreparedRequest {
    protocol: Protocol,
    pub(super) response_topic: String,
    /// The correlation data of the response (MQTT 5).
    pub(super) correlation_data: Option<Vec<u8>>,
    /// Whether the correlation data was generated, and not given by the user.
    is_made_up: bool,
    pub(super) request: Arc<PublishTemplate>,
}

/// The request, with this correlation data in addition to the user's properties.
fn template(
    config: &Config,
    protocol: Protocol,
    response_topic: &str,
    made_up: Option<&[u8]>,
) -> Arc<PublishTemplate> {
    let mut properties = config.properties.clone();
    if protocol == Protocol::V5 {
        if let Some(made_up) = made_up {
            properties.push(PropertyId::CorrelationData, Value::Binary(made_up));
        }
        properties.push(PropertyId::ResponseTopic, Value::Text(response_topic));
    }
    let name = config.topic.as_bytes();
    let template = PublishTemplate::new(protocol, name, config.qos, false, &properties);
    Arc::new(template.with_topic_alias(config.topic_alias))
}

/// The prefix of response topics if the broker sends no Response Information.
const PREFIX: &str = "mqtt-rr";
/// Number of random characters: enough to make duplicates very unlikely.
const RANDOM_CHARACTERS: usize = 16;

fn random() -> String {
    std::iter::repeat_with(fastrand::alphanumeric).take(RANDOM_CHARACTERS).collect()
}

impl PreparedRequest {
    pub(super) fn new(config: &Config, connected: &Connected) -> Result<Self, Error> {
        let is_v5 = connected.protocol == Protocol::V5;
        let response_topic = match &config.response_topic {
            Some(given) => given.clone(),
            None if is_v5 => own_topic(connected.properties.view().text(PropertyId::ResponseInformation))?,
            None => {
                let cause =
                    "this connection uses MQTT 3.1.1, in which a request cannot carry a response topic";
                return Err(Error::fatal(Layer::Mqtt, cause).with_hint(NAME_ONE));
            }
        };
        let is_known_by_data = is_v5 && !config.any_response;
        let given = config.properties.view().binary(PropertyId::CorrelationData).map(<[u8]>::to_vec);
        let is_made_up = is_known_by_data && given.is_none();
        let correlation_data = if is_made_up { Some(random().into_bytes()) } else { given };
        let correlation_data = correlation_data.filter(|_| is_known_by_data);
        let made_up = correlation_data.as_deref().filter(|_| is_made_up);
        let protocol = connected.protocol;
        let request = template(config, protocol, &response_topic, made_up);
        Ok(Self { protocol, response_topic, correlation_data, is_made_up, request })
    }

    /// Prepares another request to the same topic, with new correlation data.
    pub(super) fn renew(&mut self, config: &Config) {
        if self.is_made_up {
            let made_up = random().into_bytes();
            self.request = template(config, self.protocol, &self.response_topic, Some(&made_up));
            self.correlation_data = Some(made_up);
        }
    }

    /// Which request a message responds to, by its correlation data.
    pub(super) fn answers(&self, publish: &Publish<'_>) -> Answers {
        match (&self.correlation_data, publish.properties.binary(PropertyId::CorrelationData)) {
            (Some(asked), Some(answers)) if asked == answers => Answers::This,
            (Some(_), Some(_)) => Answers::Another,
            _ => Answers::Unsaid,
        }
    }
}

/// Which request a message responds to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Answers {
    This,
    Another,
    /// No correlation data: many responders send none, and MQTT 3.1.1 has none.
    Unsaid,
}

/// The advice for a responder that ignores the response topic.
pub(super) const FIXED_TOPIC: &str = "where the responder always responds on the same topic: -e TOPIC";
/// The advice if there is no response topic.
pub const NAME_ONE: &str = "name the topic that the responder responds on: -e TOPIC";

/// A response topic of this client only, below the broker's Response Information ([MQTT-4.10.1]).
fn own_topic(response_information: Option<&str>) -> Result<String, Error> {
    let base = response_information.filter(|base| !base.is_empty()).unwrap_or(PREFIX);
    let slash = if base.ends_with('/') { "" } else { "/" };
    let own = format!("{base}{slash}{}", random());
    let why = match topic::check_name(own.as_bytes()) {
        Err(why) => why.to_string(),
        Ok(_) if topic::shared(&own).is_some() => "it is a shared subscription".into(),
        Ok(_) => return Ok(own),
    };
    let cause = format!("the broker's Response Information is not valid in a topic: {why}");
    Err(Error::fatal(Layer::Mqtt, cause).with_hint(NAME_ONE))
}

/// Messages on the response topic that are not the response, by reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Others {
    pub(super) retained: u64,
    pub(super) early: u64,
    pub(super) foreign: u64,
}

impl std::fmt::Display for Others {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kinds = [
            (self.retained, "retained"),
            (self.early, "before the request"),
            (self.foreign, "with other correlation data"),
        ];
        let mut before = ", but ";
        for (count, what) in kinds.into_iter().filter(|(count, _)| *count > 0) {
            write!(f, "{before}{} {what}", counted(count, "message"))?;
            before = ", ";
        }
        Ok(())
    }
}

/// Microseconds, rounded to nanoseconds.
pub(super) fn micros(took: Duration) -> f64 {
    (took.as_secs_f64() * 1e9).round() / 1e3
}

/// Appends the latency in the form of `mosquitto_rr`, or as an object after that of the message.
pub(super) fn put_latency(out: &mut Vec<u8>, took: Duration, config: &Config) {
    let micros = micros(took);
    if matches!(config.format, MessageFormat::Json { .. }) {
        let report = serde_json::json!({ "type": "latency", "version": 1, "latency_us": micros });
        return put_json_line(out, &report);
    }
    // On its own line, even if the message does not end with one (-N).
    if !out.is_empty() && !out.ends_with(b"\n") {
        out.push(b'\n');
    }
    let text = match micros {
        // mosquitto's client omits this unit only.
        1e6.. if config.any_response => format!("Latency: {:.9}\n", took.as_secs_f64()),
        1e6.. => format!("Latency: {:.9}s\n", took.as_secs_f64()),
        1e3.. => format!("Latency: {:.6}ms\n", micros / 1e3),
        _ => format!("Latency: {micros:.6}µs\n"),
    };
    out.extend_from_slice(text.as_bytes());
}
