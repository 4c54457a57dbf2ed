//! `mqtt rr`: publish a request, and write out the response ([MQTT-4.10]).

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant, SystemTime};

use bytes::BytesMut;

use super::attention::{Attention, report_change};
use super::publish::Source;
use crate::client::handler::{Change, Flow, Handler};
use crate::client::options::ClientOptions;
use crate::client::session::{Event, Session};
use crate::client::{self, Connected};
use crate::error::{Error, Layer};
use crate::exit::Exit;
use crate::output::{Diagnostics, MessageFormat, MessageWriter, Stdout, Verbosity, put_json_line};
use crate::protocol::property::{PropertyBlock, PropertyId, Value};
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{Packet, Publish, PublishTemplate, Subscription};
use crate::protocol::{Direction, Protocol, QoS, topic};

/// A checked command line of `mqtt rr`.
#[derive(Debug, Clone)]
pub struct Config {
    /// The connection.
    pub client: ClientOptions,
    /// Where the request goes: a checked topic name.
    pub topic: String,
    /// Where the response is expected: a checked topic name. `None`: a topic of this run's own.
    pub response_topic: Option<String>,
    /// Of the request, and the highest of the response.
    pub qos: QoS,
    /// The payload of the request.
    pub source: Source,
    /// PUBLISH properties (MQTT 5), checked, without a response topic.
    pub properties: PropertyBlock,
    /// Properties of SUBSCRIBE (MQTT 5), checked.
    pub subscribe_properties: PropertyBlock,
    /// MQTT 5: show the response with the RETAIN flag it was published with.
    pub retain_as_published: bool,
    /// How the response is written.
    pub format: MessageFormat,
    /// Say how long the response took (`--latency`).
    pub latency: bool,
    /// Give up after that long (`-W`).
    pub timeout: Option<Duration>,
    /// What is said on standard error.
    pub verbosity: Verbosity,
}

/// Sends the request, and leaves when the response is written out.
///
/// # Errors
/// A payload that cannot be read, a link that could not be made or kept, a refused subscription or
/// request, the time limit reached, or an output that cannot be written.
pub async fn run(config: Config, diagnostics: &Diagnostics) -> Result<Exit, Error> {
    let payload = config.source.payload()?.unwrap_or_default();
    let mut requester = Requester {
        config: &config,
        diagnostics,
        attention: Attention::start(config.timeout)?,
        writer: MessageWriter::new(config.format.clone(), diagnostics.terminal().stdout.is_terminal),
        stdout: Stdout::new(),
        payload,
        exchange: None,
        stage: Stage::Subscribe,
        over: false,
        others: 0,
    };
    let result = client::run(&config.client, &mut requester).await;
    let result = match result {
        // The response is there; only the farewell failed.
        Err(Error::Link { .. } | Error::Refused { .. }) if requester.stage == Stage::Complete => Ok(()),
        Err(Error::TimedOut(when)) => Err(Error::TimedOut(format!("{when}: {}", requester.state()))),
        result => result,
    };
    match (requester.stdout.finish(diagnostics).await, result) {
        (Err(Error::OutputClosed), _) | (Ok(_), Ok(())) => Ok(Exit::Success),
        (Err(error), _) | (Ok(_), Err(error)) => Err(error),
    }
}

/// How far it has come on this link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Subscribe,
    Subscribing,
    Request,
    /// The request was sent at this time.
    Waiting(Instant),
    /// The response is there.
    Complete,
}

/// What depends on the server and on the version of the protocol.
struct Exchange {
    response_topic: String,
    /// What the response is known by (MQTT 5).
    correlation_data: Option<Vec<u8>>,
    request: Arc<PublishTemplate>,
}

/// Characters of what is made up: as many as make two of the same most unlikely.
const RANDOM_CHARACTERS: usize = 16;

fn random() -> String {
    std::iter::repeat_with(fastrand::alphanumeric).take(RANDOM_CHARACTERS).collect()
}

impl Exchange {
    fn new(config: &Config, connected: &Connected) -> Result<Self, Error> {
        let is_v5 = connected.protocol == Protocol::V5;
        let response_topic = match &config.response_topic {
            Some(given) => given.clone(),
            None if is_v5 => own_topic(connected.properties.view().text(PropertyId::ResponseInformation))?,
            None => {
                let cause = "the server speaks MQTT 3.1.1, in which a request cannot say where to respond to";
                return Err(Error::fatal(Layer::Mqtt, cause).with_hint(NAME_ONE));
            }
        };
        let mut properties = config.properties.clone();
        let mut correlation_data = None;
        if is_v5 {
            let given = properties.view().binary(PropertyId::CorrelationData).map(<[u8]>::to_vec);
            if given.is_none() {
                let made_up = random();
                properties.push(PropertyId::CorrelationData, Value::Binary(made_up.as_bytes()));
                correlation_data = Some(made_up.into_bytes());
            } else {
                correlation_data = given;
            }
            properties.push(PropertyId::ResponseTopic, Value::Text(&response_topic));
        }
        let name = config.topic.as_bytes();
        let request = PublishTemplate::new(connected.protocol, name, config.qos, false, &properties);
        Ok(Self { response_topic, correlation_data, request: Arc::new(request) })
    }

    /// Whether a message that came after the request may be its response: one that answers another
    /// request says so. One that says nothing is taken at its word, as many responders do no better.
    fn is_response(&self, publish: &Publish<'_>) -> bool {
        let answers = publish.properties.binary(PropertyId::CorrelationData);
        match (&self.correlation_data, answers) {
            (Some(asked), Some(answers)) => asked == answers,
            _ => true,
        }
    }
}

/// What to do where there is no response topic.
pub const NAME_ONE: &str = "name the topic that the responder responds on: -e TOPIC";

/// A response topic that nobody else has, under what the server says they are to begin with
/// ([MQTT-4.10.1]).
fn own_topic(response_information: Option<&str>) -> Result<String, Error> {
    let base = response_information.unwrap_or("mqtt-rr");
    let own = format!("{}/{}", base.trim_end_matches('/'), random());
    topic::check_name(own.as_bytes()).map_err(|why| {
        let cause = format!("the server's Response Information makes no topic: {why}");
        Error::fatal(Layer::Mqtt, cause).with_hint(NAME_ONE)
    })?;
    Ok(own)
}

struct Requester<'a> {
    config: &'a Config,
    diagnostics: &'a Diagnostics,
    attention: Attention,
    writer: MessageWriter,
    stdout: Stdout,
    payload: Vec<u8>,
    /// Made when the server and its version are known.
    exchange: Option<Exchange>,
    stage: Stage,
    /// The link broke in the farewell: there is nothing to come back for.
    over: bool,
    /// Messages on the response topic that were no response to this request.
    others: u64,
}

impl Requester<'_> {
    /// What was waited for in vain.
    fn state(&self) -> String {
        let what = match self.stage {
            Stage::Subscribe if self.exchange.is_none() => "there was no connection",
            Stage::Subscribe | Stage::Subscribing => "the server did not answer the SUBSCRIBE",
            Stage::Request => "the request could not be sent",
            Stage::Waiting(_) => "no response came",
            Stage::Complete => "the response was not read",
        };
        let others = match self.others {
            0 => String::new(),
            1 => ", but a message that was retained, too early or for another request".into(),
            many => format!(", but {many} messages that were retained, too early or for other requests"),
        };
        format!("{what}{others}")
    }

    fn subscribe(&self, exchange: &Exchange, session: &mut Session, out: &mut BytesMut) {
        let subscription = Subscription {
            filter: &exchange.response_topic,
            qos: self.config.qos,
            no_local: false,
            retain_as_published: self.config.retain_as_published,
            retain_handling: 2, // what is retained there already responds to nothing
        };
        session.subscribe(out, &[subscription], &self.config.subscribe_properties, 0);
    }

    fn subscribed(&mut self, granted: ReasonCode) {
        let asked = self.config.qos;
        if granted.0 < asked as u8 {
            self.diagnostics.warning(format_args!(
                "the server grants QoS {} for the response topic, not QoS {asked}",
                granted.0
            ));
        }
        self.stage = Stage::Request;
    }

    fn message(&mut self, publish: &Publish<'_>) -> Flow {
        let Some(exchange) = &self.exchange else { return Flow::Continue };
        // A session that the server kept may have other subscriptions.
        if publish.topic != exchange.response_topic.as_bytes() {
            return Flow::Continue;
        }
        let is_stale = publish.retain && !self.config.retain_as_published;
        let sent = match self.stage {
            Stage::Waiting(sent) if !is_stale && exchange.is_response(publish) => sent,
            _ => {
                self.others += 1;
                return Flow::Continue;
            }
        };
        let took = sent.elapsed();
        if let Err(misfit) = self.writer.write(self.stdout.buffer(), publish, SystemTime::now()) {
            self.diagnostics.warning(misfit);
        }
        if self.config.latency {
            put_latency(self.stdout.buffer(), took, &self.config.format);
        }
        self.stage = Stage::Complete;
        Flow::Stop
    }
}

/// As `mosquitto_rr` writes it, or as an object behind that of the message.
fn put_latency(out: &mut Vec<u8>, took: Duration, format: &MessageFormat) {
    let micros = took.as_secs_f64() * 1e6;
    if matches!(format, MessageFormat::Json { .. }) {
        let report = serde_json::json!({ "type": "latency", "version": 1, "latency_us": micros });
        return put_json_line(out, &report);
    }
    let text = match micros {
        1e6.. => format!("Latency: {:.9}s\n", took.as_secs_f64()),
        1e3.. => format!("Latency: {:.6}ms\n", micros / 1e3),
        _ => format!("Latency: {micros:.6}µs\n"),
    };
    out.extend_from_slice(text.as_bytes());
}

impl Handler for Requester<'_> {
    fn on_connected(&mut self, _session: &mut Session, connected: &Connected) -> Result<(), Error> {
        if self.exchange.is_none() {
            self.exchange = Some(Exchange::new(self.config, connected)?);
        }
        if matches!(self.stage, Stage::Waiting(_)) {
            self.diagnostics
                .warning("the request is sent again: the response may be lost with the connection");
        }
        self.stage = Stage::Subscribe;
        Ok(())
    }

    fn poll_fill(
        &mut self,
        _cx: &mut Context<'_>,
        session: &mut Session,
        out: &mut BytesMut,
    ) -> Poll<Result<(), Error>> {
        let Some(exchange) = &self.exchange else { return Poll::Pending };
        match self.stage {
            Stage::Subscribe => {
                self.subscribe(exchange, session, out);
                self.stage = Stage::Subscribing;
            }
            Stage::Request if session.can_publish(self.config.qos) => {
                session.publish(out, &exchange.request, &self.payload, || None, 0)?;
                // The response says that the request was read; without one there is nothing to be sure of.
                session.fenced();
                self.stage = Stage::Waiting(Instant::now());
            }
            _ => {}
        }
        Poll::Pending
    }

    fn on_event(&mut self, event: Event<'_>) -> Result<Flow, Error> {
        match event {
            Event::Message(publish) => return Ok(self.message(&publish)),
            Event::Subscribed { reasons, properties, .. } => {
                let reason = ReasonCode(reasons.first().copied().unwrap_or_default());
                if reason.is_failure() {
                    let response_topic =
                        self.exchange.as_ref().map_or("", |exchange| &exchange.response_topic);
                    let what = format!("subscription to '{response_topic}' refused");
                    return Err(Error::refused(what, reason, &properties));
                }
                self.subscribed(reason);
            }
            Event::Published { reason, properties, .. } if reason.is_failure() => {
                return Err(Error::refused("request refused", reason, &properties));
            }
            Event::Published { reason: ReasonCode::NO_MATCHING_SUBSCRIBERS, .. } => {
                let topic = &self.config.topic;
                self.diagnostics
                    .warning(format_args!("the server says that nobody has subscribed to '{topic}'"));
            }
            _ => {}
        }
        Ok(Flow::Continue)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.stdout.poll_flush(cx)
    }

    fn poll_interrupt(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.over {
            return Poll::Ready(Ok(()));
        }
        self.attention.poll(cx).map(|stop| Err(stop.error()))
    }

    fn on_change(&mut self, change: Change<'_>) {
        if self.stage == Stage::Complete {
            self.over |= matches!(change, Change::Lost(_));
        } else {
            report_change(self.diagnostics, change);
        }
    }

    fn traces(&self) -> bool {
        self.diagnostics.shows_packets()
    }

    fn trace(&mut self, direction: Direction, packet: &Packet<'_>) {
        self.diagnostics.packet(&self.config.client.client_identifier, direction, packet);
    }
}
