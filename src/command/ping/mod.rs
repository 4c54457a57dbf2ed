//! `mqtt ping`: checks the connection to a broker step by step, reports the time and the facts of each step,
//! and measures round trips.

mod properties;
mod report;

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant, SystemTime};

use bytes::{Bytes, BytesMut};
use tokio::time::Sleep;

use self::report::{AttemptEnd, Layout, PingReport, TakenStep as Taken};
use super::attention::{Attention, Stop, Supervisor};
use crate::client::handler::{Change, Flow, Handler, Supervision};
use crate::client::options::ClientOptions;
use crate::client::session::{Event, Session};
use crate::client::{self, Connected, Step};
use crate::command::{Common, Invocation, Running};
use crate::error::Error;
use crate::exit::Exit;
use crate::output::{Diagnostics, Stdout, Verbosity};
use crate::protocol::property::PropertyBlock;
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{PublishTemplate, Subscription};
use crate::protocol::{Protocol, QoS};
use crate::quantity::duration;

/// A checked command line of `mqtt ping`.
#[derive(Debug, Clone)]
pub struct Config {
    /// The connection.
    pub client: ClientOptions,
    /// The number of round trips.
    pub count: u64,
    /// The interval between two round trips.
    pub interval: Duration,
    /// The timeout of the whole run.
    pub timeout: Option<Duration>,
    /// A checked topic name; each round trip is a message to it and back.
    pub publish: Option<String>,
    /// Warn about certificates that expire within this time.
    pub warn_expiry: Option<Duration>,
    /// Whether to print one JSON object instead of text.
    pub json: bool,
    /// The verbosity on standard error; with [`Verbosity::Quiet`] standard output is silent as well.
    pub verbosity: Verbosity,
}

impl Invocation for Config {
    fn common(&self) -> Common<'_> {
        (self.verbosity, Some(&self.client))
    }

    fn run(self: Box<Self>, diagnostics: &Diagnostics) -> Running<'_> {
        Box::pin(run(*self, diagnostics))
    }
}

/// Connects, measures, disconnects, and reports.
///
/// # Errors
/// The failed step, the broker's refusal, or the timeout.
async fn run(config: Config, diagnostics: &Diagnostics) -> Result<Exit, Error> {
    let mut attention = Attention::start(config.timeout)?;
    let is_silent = !config.json && config.verbosity == Verbosity::Quiet;
    if !is_silent {
        attention = attention.for_reader();
    }
    let mut pinger = Pinger {
        config: &config,
        supervisor: Supervisor::new(&mut attention, diagnostics, &config.client),
        stdout: Stdout::new(),
        report: PingReport::default(),
        layout: Layout { width: diagnostics.terminal().stdout_width().map(usize::from) },
        since: Instant::now(),
        unanswered: None,
        stage: PingStage::Subscribe,
        sent: Instant::now(),
        payload: Bytes::new(),
        template: None,
        pause: None,
        answer_limit: None,
    };
    let result = client::run(&config.client, &mut pinger).await;
    let Pinger { mut report, mut stdout, layout, .. } = pinger;
    if let Some(tls) = &config.client.endpoint.tls {
        report.set_client_certificates(tls.own_certificates());
    }
    let end = config.warn_expiry.and_then(|within| SystemTime::now().checked_add(within));
    let expiring = end.map(|end| report.expiring(end)).unwrap_or_default();
    report.finish(result.as_ref().err(), &expiring);
    if config.json {
        report.put_json(stdout.buffer());
    } else if config.verbosity > Verbosity::Quiet {
        diagnostics.end_interrupted_line();
        report.put_summary(stdout.buffer(), layout);
    }
    let flushed = attention.write_out(&mut stdout, diagnostics).await;
    result?;
    flushed?;
    for certificate in &expiring {
        diagnostics.warning(certificate);
    }
    Ok(if expiring.is_empty() { Exit::Success } else { Exit::Negative })
}

/// The next stage of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PingStage {
    /// Subscribe to the topic of the messages, if there is one.
    Subscribe,
    Subscribing,
    Ping,
    AwaitPong,
    Publish,
    AwaitMessage,
    Pause,
    Done,
}

const LIMIT_OF_ANSWERS: &str = "--connect-timeout sets how long each answer may take";

const SUBSCRIBE_TOKEN: u64 = 1;
const PUBLISH_TOKEN: u64 = 2;

struct Pinger<'a> {
    config: &'a Config,
    supervisor: Supervisor<'a>,
    stdout: Stdout,
    report: PingReport,
    layout: Layout,
    /// When the last step was complete.
    since: Instant,
    /// The version of the previous attempt and its start, while the broker may still respond to it.
    unanswered: Option<(Protocol, Instant)>,
    stage: PingStage,
    /// When the last PINGREQ or PUBLISH was put into the output.
    sent: Instant,
    /// The payload of the message in flight.
    payload: Bytes,
    template: Option<Arc<PublishTemplate>>,
    pause: Option<Pin<Box<Sleep>>>,
    /// The timeout of the awaited response.
    answer_limit: Option<Pin<Box<Sleep>>>,
}

impl Pinger<'_> {
    /// Writes the text report, unless it is disabled.
    fn show(&mut self, lines: impl FnOnce() -> String) {
        if !self.config.json && self.config.verbosity > Verbosity::Quiet {
            let lines = lines();
            self.stdout.buffer().extend_from_slice(lines.as_bytes());
        }
    }

    fn take(&mut self, step: Taken) {
        // A step that is repeated, for another protocol version for example, is not shown again.
        if !self.report.was_taken(&step) {
            let layout = self.layout;
            self.show(|| step.text(layout));
        }
        self.report.steps.push(step);
        self.since = Instant::now();
    }

    /// The step that the run waits for.
    fn awaited(&self) -> &'static str {
        let transport = self.config.client.endpoint.way();
        let next = |candidates: &[(bool, &'static str)]| {
            let first = candidates.iter().find(|(on_the_way, _)| *on_the_way);
            first.map_or("CONNACK", |(_, name)| *name)
        };
        let upgrade = (transport.web_socket, "the WebSocket upgrade");
        let tls = (transport.tls, "the TLS handshake");
        match self.report.steps.last() {
            None => next(&[(transport.name, "the name look-up"), (true, "the connection")]),
            Some(Taken::Resolve { .. }) => "the connection",
            Some(Taken::Connect { .. }) => next(&[(transport.proxy, "the proxy"), tls, upgrade]),
            Some(Taken::Proxy { .. }) => next(&[tls, upgrade]),
            Some(Taken::Refused { .. }) => "the TLS handshake",
            Some(Taken::Tls { .. }) => next(&[upgrade]),
            Some(Taken::Upgrade { .. }) => next(&[]),
            Some(Taken::Connack { .. }) => match self.stage {
                PingStage::Subscribe | PingStage::Subscribing => "SUBACK",
                PingStage::Publish | PingStage::AwaitMessage => "the published message",
                PingStage::Ping | PingStage::AwaitPong => "PINGRESP",
                PingStage::Pause => "the time of the next round trip",
                PingStage::Done => "the end of the connection",
            },
        }
    }

    /// Starts the wait for a response, which is limited by the connect timeout: with keep-alive alone a ping
    /// could last minutes, or forever.
    fn asked(&mut self, stage: PingStage) {
        self.stage = stage;
        self.answer_limit = Some(Box::pin(tokio::time::sleep(self.config.client.connect_timeout)));
    }

    /// The error of a missing response.
    fn poll_late(&mut self, cx: &mut Context<'_>) -> Poll<Error> {
        let Some(limit) = &mut self.answer_limit else { return Poll::Pending };
        ready!(limit.as_mut().poll(cx));
        Poll::Ready(self.timed_out(self.config.client.connect_timeout).with_hint(LIMIT_OF_ANSWERS))
    }

    fn timed_out(&self, limit: Duration) -> Error {
        Error::timed_out(format!("after {}, waiting for {}", duration(limit), self.awaited()))
    }

    /// A round trip is complete.
    fn back(&mut self) {
        self.answer_limit = None;
        let took = self.sent.elapsed();
        let is_ping = self.stage == PingStage::AwaitPong;
        let times = if is_ping { &mut self.report.pings } else { &mut self.report.messages };
        times.push(took);
        let (name, number) = (if is_ping { "ping" } else { "message" }, times.len());
        let layout = self.layout;
        self.show(|| layout.line(&format!("{name} {number}"), took, ""));
        let enough = self.report.pings.len() as u64 >= self.config.count;
        self.stage = match (is_ping, &self.config.publish) {
            (true, Some(_)) => PingStage::Publish,
            _ if enough => PingStage::Done,
            _ => PingStage::Pause,
        };
    }
}

impl Handler for Pinger<'_> {
    fn on_connected(&mut self, _session: &mut Session, connected: &Connected) -> Result<(), Error> {
        let keep_alive = connected.keep_alive(self.config.client.keep_alive);
        self.template = None; // another link may use another version
        // What was asked on an earlier link has no answer on this one.
        self.stage = match self.stage {
            PingStage::AwaitPong => PingStage::Ping,
            PingStage::AwaitMessage => PingStage::Publish,
            other => other,
        };
        let mut asked = self.since;
        if let Some((protocol, since)) = self.unanswered.take().filter(|(one, _)| *one == connected.protocol)
        {
            let error = Some(format!("MQTT {protocol} was answered first"));
            self.report.return_to_earlier(AttemptEnd { asked: None, error });
            asked = since;
        }
        self.take(Taken::connack(asked.elapsed(), connected, keep_alive));
        Ok(())
    }

    fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        session: &mut Session,
        out: &mut BytesMut,
    ) -> Poll<Result<(), Error>> {
        loop {
            match self.stage {
                PingStage::Subscribe => {
                    let Some(topic) = &self.config.publish else {
                        self.stage = PingStage::Ping;
                        continue;
                    };
                    let subscription = Subscription {
                        filter: topic,
                        qos: QoS::AtMostOnce,
                        no_local: false,
                        retain_as_published: false,
                        retain_handling: 2,
                    };
                    session.subscribe(out, &[subscription], &PropertyBlock::default(), SUBSCRIBE_TOKEN);
                    self.asked(PingStage::Subscribing);
                }
                PingStage::Ping => {
                    self.sent = Instant::now();
                    session.ping(out);
                    self.asked(PingStage::AwaitPong);
                }
                PingStage::Publish => {
                    let Some(topic) = &self.config.publish else { return Poll::Ready(Ok(())) };
                    let (protocol, none) = (session.protocol(), PropertyBlock::default());
                    let template = self.template.get_or_insert_with(|| {
                        let qos = QoS::AtMostOnce;
                        Arc::new(PublishTemplate::new(protocol, topic.as_bytes(), qos, false, &none))
                    });
                    // The topic may be shared, so the message must be recognisable.
                    self.payload = format!("mqtt ping {:016x}", fastrand::u64(..)).into();
                    self.sent = Instant::now();
                    session.publish(out, template, &self.payload, || None, PUBLISH_TOKEN)?;
                    self.asked(PingStage::AwaitMessage);
                }
                PingStage::Pause => {
                    let interval = self.config.interval;
                    let pause = self.pause.get_or_insert_with(|| Box::pin(tokio::time::sleep(interval)));
                    ready!(pause.as_mut().poll(cx));
                    self.pause = None;
                    self.stage = PingStage::Ping;
                }
                PingStage::Subscribing | PingStage::AwaitPong | PingStage::AwaitMessage => {
                    return self.poll_late(cx).map(Err);
                }
                PingStage::Done => return Poll::Ready(Ok(())),
            }
        }
    }

    fn on_event(&mut self, event: Event<'_>) -> Result<Flow, Error> {
        match event {
            Event::Pong { .. } if self.stage == PingStage::AwaitPong => self.back(),
            Event::Message(publish)
                if self.stage == PingStage::AwaitMessage && publish.payload == self.payload.as_ref() =>
            {
                self.back();
            }
            Event::Subscribed { reasons, properties, .. } => {
                let reason = ReasonCode(reasons.first().copied().unwrap_or_default());
                if reason.is_failure() {
                    return Err(Error::refused("subscription refused", reason, &properties));
                }
                self.answer_limit = None;
                self.stage = PingStage::Ping;
            }
            _ => {}
        }
        Ok(Flow::Continue)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.stdout.poll_flush(cx)
    }

    fn poll_interrupt(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        // Results are shown while the next step is in progress.
        if let Poll::Ready(Err(error)) = self.stdout.poll_flush(cx) {
            return Poll::Ready(Err(error));
        }
        match self.supervisor.attention.poll(cx) {
            // Like ping(8): the measured round trips are shown, and the run succeeds.
            Poll::Ready(Stop::Signal(_)) if !self.report.pings.is_empty() => Poll::Ready(Ok(())),
            Poll::Ready(Stop::Limit(limit)) => Poll::Ready(Err(self.timed_out(limit))),
            Poll::Ready(stop) => Poll::Ready(Err(stop.error())),
            // If the broker does not read either, the output stays full and `poll_fill` is not called.
            Poll::Pending => self.poll_late(cx).map(Err),
        }
    }

    fn on_change(&mut self, change: Change<'_>) {
        if let Change::NextBroker(why) | Change::Redirected(why) | Change::Lost(why) | Change::NotYet(why) =
            change
        {
            self.report.end_attempt(AttemptEnd { error: Some(why.to_string()), ..AttemptEnd::default() });
        }
        self.supervisor.on_change(change);
    }

    fn observes(&self) -> bool {
        true
    }

    fn on_step(&mut self, step: Step) {
        let begins = match &step {
            Step::Resolved { .. } => true,
            Step::Connected { .. } => !matches!(self.report.steps.last(), Some(Taken::Resolve { .. })),
            _ => false,
        };
        if begins && !self.report.steps.is_empty() {
            // Another broker, or the same one again.
            self.report.end_attempt(AttemptEnd::default());
        }
        self.take(Taken::of(step));
    }

    fn on_unaccepted(&mut self, protocol: Protocol, why: String) {
        let (asked, layout) = (self.since, self.layout);
        self.show(|| layout.line("connack", asked.elapsed(), &format!("MQTT {protocol}: {why}")));
        self.report.end_attempt(AttemptEnd { asked: Some((protocol, asked.elapsed())), error: Some(why) });
        self.unanswered = Some((protocol, asked));
        self.since = Instant::now();
    }

    fn supervisor(&mut self) -> Option<&mut dyn Supervision> {
        Some(&mut self.supervisor)
    }
}
