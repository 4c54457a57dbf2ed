//! `mqtt sub`: receive messages and write them out.

use std::path::PathBuf;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use bytes::BytesMut;

mod display;
mod filters;
mod rate;

pub use self::display::Display;
use self::display::Shower;
pub use self::filters::FilterOptions;
use self::filters::{Group, groups};
use super::attention::{Attention, Stop, report_change};
use crate::client::handler::{Change, Flow, Handler};
use crate::client::options::ClientOptions;
use crate::client::session::{Event, Session};
use crate::client::{self, Connected};
use crate::error::Error;
use crate::exit::Exit;
use crate::output::{Diagnostics, Stdout, Verbosity};
use crate::protocol::property::{Properties, PropertyBlock};
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{Packet, Publish, Subscription};
use crate::protocol::{Direction, QoS, topic};
use crate::storage::unreleased::Unreleased;

/// A checked command line of `mqtt sub`.
#[derive(Debug, Clone)]
pub struct Config {
    /// The connection.
    pub client: ClientOptions,
    /// What to subscribe to; may be empty if `unsubscribe` is not.
    pub filters: Vec<FilterOptions>,
    /// Properties of SUBSCRIBE (MQTT 5), checked, without a subscription identifier.
    pub subscribe_properties: PropertyBlock,
    /// Filters to unsubscribe from (`-U`).
    pub unsubscribe: Vec<String>,
    /// Properties of UNSUBSCRIBE (MQTT 5), checked.
    pub unsubscribe_properties: PropertyBlock,
    /// Messages on topics that match one of these are not shown (`-T`).
    pub filter_out: Vec<String>,
    /// Each message is shown with this chance in percent (`--random-filter`).
    pub chance_percent: Option<f64>,
    /// Leave after that many messages shown (`-C`).
    pub count: Option<u64>,
    /// Leave after that long, whatever came (`-W`).
    pub timeout: Option<Duration>,
    /// Leave once the subscriptions are acknowledged (`-E`).
    pub exit_after_subscribing: bool,
    /// Do not show retained messages (`-R`).
    pub skip_retained: bool,
    /// Show retained messages only, and leave when they are through (`--retained-only`).
    pub retained_only: bool,
    /// Where to keep the packet identifiers of QoS 2 messages that are not released.
    pub session_file: Option<PathBuf>,
    /// What is shown of them.
    pub display: Display,
    /// What is said on standard error.
    pub verbosity: Verbosity,
}

/// Subscribes, writes out what comes, and leaves when the configuration says so.
///
/// # Errors
/// A link that could not be made or kept, all subscriptions refused, the time limit reached, or an
/// output that cannot be written.
pub async fn run(config: Config, diagnostics: &Diagnostics) -> Result<Exit, Error> {
    let identifier = &config.client.client_identifier;
    let unreleased =
        config.session_file.as_ref().map(|path| Unreleased::open(path, identifier)).transpose()?;
    let mut subscriber = Subscriber {
        config: &config,
        diagnostics,
        attention: Attention::start(config.timeout)?,
        shower: Shower::new(&config.display, diagnostics.terminal().stdout.is_terminal),
        stdout: Stdout::new(),
        unreleased,
        restored: false,
        received: None,
        requests: Requests::ToSend,
        shown: 0,
        groups: groups(&config),
        count_refused: 0,
        refused: None,
        some_refused: false,
        all_refused: None,
        work: Work::Unfinished,
        scan: Scan::default(),
    };
    let result = client::run(&config.client, &mut subscriber).await;
    let some_refused = subscriber.some_refused;
    let result = match result {
        Err(Error::Link { .. } | Error::Refused { .. }) if subscriber.work != Work::Unfinished => Ok(()),
        result => result,
    };
    let result = result.and_then(|()| subscriber.all_refused.take().map_or(Ok(()), Err));
    // What was received before the end is written, whatever the end was.
    let flushed = match subscriber.stdout.finish(diagnostics).await {
        // It was not acknowledged, but a session file knows of it.
        Ok(true) => subscriber.unreleased.as_mut().map_or(Ok(()), Unreleased::write),
        Ok(false) => Ok(()),
        Err(error) => Err(error),
    };
    match (flushed, result) {
        (Err(Error::OutputClosed), _) => Ok(Exit::Success),
        (Err(error), _) | (Ok(()), Err(error)) => Err(error),
        (Ok(()), Ok(())) if some_refused => Ok(Exit::Negative),
        (Ok(()), Ok(())) => Ok(Exit::Success),
    }
}

/// How far SUBSCRIBE and UNSUBSCRIBE have come on this link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Requests {
    ToSend,
    /// Answers are awaited.
    Sent,
    Answered,
}

/// How far what was asked for is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    Unfinished,
    /// Everything is there, and only the farewell is left.
    Complete,
    /// The link broke in the farewell: to come back would only bring more than was asked for.
    Over,
}

/// `--retained-only` knows that it has seen all retained messages when a PINGREQ is answered and
/// nothing came since it was sent: brokers send them before they go on with the client's packets,
/// except what a full QoS 1 or 2 window holds back, which then comes in the next round.
#[derive(Debug, Default)]
struct Scan {
    asked: bool,
    /// Retained messages since the last PINGREQ.
    fresh: bool,
    complete: bool,
}

/// A SUBSCRIBE's token is the place of its group.
const UNSUBSCRIBE_TOKEN: u64 = u64::MAX;

struct Subscriber<'a> {
    config: &'a Config,
    diagnostics: &'a Diagnostics,
    attention: Attention,
    shower: Shower,
    stdout: Stdout,
    unreleased: Option<Unreleased>,
    /// What an earlier run has left in `unreleased` was taken up or given up.
    restored: bool,
    /// When the messages of the batch in hand were received.
    received: Option<SystemTime>,
    requests: Requests,
    /// Messages written out.
    shown: u64,
    /// What goes into one SUBSCRIBE each.
    groups: Vec<Group<'a>>,
    /// Filters refused on this link.
    count_refused: usize,
    /// The latest refusal, not yet said.
    refused: Option<Error>,
    some_refused: bool,
    all_refused: Option<Error>,
    work: Work,
    scan: Scan,
}

impl Subscriber<'_> {
    fn send_requests(&mut self, session: &mut Session, out: &mut BytesMut) {
        self.count_refused = 0;
        for (token, group) in self.groups.iter().enumerate() {
            let subscriptions: Vec<Subscription<'_>> =
                group.filters.iter().map(|options| options.subscription()).collect();
            session.subscribe(out, &subscriptions, &group.properties, token as u64);
        }
        let filters: Vec<&str> = self.config.unsubscribe.iter().map(String::as_str).collect();
        if !filters.is_empty() {
            session.unsubscribe(out, &filters, &self.config.unsubscribe_properties, UNSUBSCRIBE_TOKEN);
        }
        self.requests = Requests::Sent;
    }

    /// Takes up what an earlier run has delivered, if the server still knows of it.
    fn restore(&mut self, session: &mut Session, session_present: bool) -> Result<(), Error> {
        let Some(unreleased) = &mut self.unreleased else { return Ok(()) };
        if !session_present {
            unreleased.forget_all()?;
        } else if !self.restored {
            session.restore_unreleased(unreleased.identifiers());
        }
        self.restored = true;
        Ok(())
    }

    /// Says which filters were refused; there is nothing to stay for if all of them were.
    fn subscribed(&mut self, token: u64, reasons: &[u8], properties: &Properties<'_>) -> Flow {
        let Some(group) = usize::try_from(token).ok().and_then(|index| self.groups.get(index)) else {
            return Flow::Continue;
        };
        for (options, reason) in group.filters.iter().zip(reasons) {
            let FilterOptions { filter, qos, .. } = options;
            let reason = ReasonCode(*reason);
            if reason.is_failure() {
                let what = format!("subscription to '{filter}' refused");
                let error = Error::refused(what, reason, properties);
                // The last one is said when it is known whether it is the reason to leave.
                if let Some(earlier) = self.refused.replace(error) {
                    self.diagnostics.error(&earlier);
                }
                self.count_refused += 1;
            } else if reason.0 < *qos as u8 {
                let granted = reason.0;
                self.diagnostics
                    .warning(format_args!("the server grants QoS {granted} for '{filter}', not QoS {qos}"));
            }
        }
        if self.count_refused == self.config.filters.len() {
            self.all_refused = self.refused.take();
            return Flow::Stop;
        }
        if let Some(error) = self.refused.take() {
            self.diagnostics.error(&error);
            self.some_refused = true;
        }
        Flow::Continue
    }

    /// Says which filters stay subscribed to; if all of them do and that was all there was to do, it
    /// failed.
    fn unsubscribed(&mut self, reasons: &[u8], properties: &Properties<'_>) {
        let filters = self.config.unsubscribe.iter();
        let mut refused: Vec<Error> = filters
            .zip(reasons.iter().map(|reason| ReasonCode(*reason)))
            .filter(|(_, reason)| reason.is_failure())
            .map(|(filter, reason)| {
                Error::refused(format!("unsubscription from '{filter}' refused"), reason, properties)
            })
            .collect();
        if refused.len() == self.config.unsubscribe.len() && self.config.filters.is_empty() {
            self.all_refused = refused.pop();
        }
        self.some_refused |= !refused.is_empty();
        for error in &refused {
            self.diagnostics.error(error);
        }
    }

    fn wants(&self, publish: &Publish<'_>) -> bool {
        let unwanted = if publish.retain { self.config.skip_retained } else { self.config.retained_only };
        !unwanted
            && !self.config.filter_out.iter().any(|filter| topic::matches(filter.as_bytes(), publish.topic))
            && self.config.chance_percent.is_none_or(|percent| fastrand::f64() * 100.0 < percent)
    }

    fn message(&mut self, publish: &Publish<'_>) -> Flow {
        self.scan.fresh |= publish.retain;
        if !self.wants(publish) {
            return Flow::Continue;
        }
        // One clock reading a batch: what is read together was received together.
        let received = *self.received.get_or_insert_with(SystemTime::now);
        if let Err(misfit) = self.shower.message(&mut self.stdout, publish, received) {
            self.diagnostics.warning(misfit);
        }
        self.shown += 1;
        if self.config.count.is_some_and(|count| self.shown >= count) {
            self.work = Work::Complete;
            return Flow::Stop;
        }
        Flow::Continue
    }

    /// Whether there is nothing more to wait for.
    fn is_done(&mut self, session: &mut Session, out: &mut BytesMut) -> bool {
        if self.requests != Requests::Answered {
            return false;
        }
        if self.config.exit_after_subscribing || self.config.filters.is_empty() {
            return true;
        }
        if self.config.retained_only && !self.scan.asked {
            session.ping(out);
            self.scan = Scan { asked: true, ..Scan::default() };
        }
        self.config.retained_only && self.scan.complete
    }
}

impl Handler for Subscriber<'_> {
    fn on_connected(&mut self, session: &mut Session, connected: &Connected) -> Result<(), Error> {
        self.restore(session, connected.session_present)?;
        self.shower.connected();
        // A session the server kept has its subscriptions; to make them again would bring the
        // retained messages again. At the first connection they may be others than asked for now.
        let again = self.requests == Requests::Answered;
        if again && !connected.session_present && !self.config.client.clean_start {
            self.diagnostics.warning(
                "the server has lost the session: messages sent while there was no connection may be missing",
            );
        }
        if !(connected.session_present && again) {
            self.requests = Requests::ToSend;
        }
        self.scan = Scan::default();
        Ok(())
    }

    fn poll_fill(
        &mut self,
        _cx: &mut Context<'_>,
        session: &mut Session,
        out: &mut BytesMut,
    ) -> Poll<Result<(), Error>> {
        if self.requests == Requests::ToSend {
            self.send_requests(session, out);
        }
        if self.requests == Requests::Sent && session.is_idle() {
            self.requests = Requests::Answered;
        }
        if !self.is_done(session, out) {
            return Poll::Pending;
        }
        self.work = Work::Complete;
        Poll::Ready(Ok(()))
    }

    fn on_event(&mut self, event: Event<'_>) -> Result<Flow, Error> {
        match event {
            Event::Message(publish) => {
                if let (Some(unreleased), QoS::ExactlyOnce) = (&mut self.unreleased, publish.qos) {
                    unreleased.delivered(publish.packet_identifier);
                }
                return Ok(self.message(&publish));
            }
            Event::Released { packet_identifier } => {
                if let Some(unreleased) = &mut self.unreleased {
                    unreleased.released(packet_identifier);
                }
            }
            Event::Subscribed { token, reasons, properties } => {
                return Ok(self.subscribed(token, reasons, &properties));
            }
            Event::Unsubscribed { reasons, properties, .. } => self.unsubscribed(reasons, &properties),
            Event::Pong { .. } if self.scan.asked => {
                self.scan.complete = !self.scan.fresh;
                self.scan.asked = self.scan.complete;
            }
            _ => {}
        }
        Ok(Flow::Continue)
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.received = None;
        ready!(self.stdout.poll_flush(cx))?;
        // Behind the write-out and before the acknowledgements.
        Poll::Ready(self.unreleased.as_mut().map_or(Ok(()), Unreleased::write))
    }

    fn poll_interrupt(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.shown > 0 && self.stdout.poll_closed(cx).is_ready() {
            return Poll::Ready(Err(Error::OutputClosed));
        }
        if self.work == Work::Over {
            return Poll::Ready(Ok(()));
        }
        if let Poll::Ready(error) = self.shower.poll(cx, &mut self.stdout) {
            return Poll::Ready(Err(error));
        }
        self.attention.poll(cx).map(|stop| match stop {
            Stop::Signal(_) => Ok(()),
            Stop::Limit(_) => Err(stop.error()),
        })
    }

    fn on_change(&mut self, change: Change<'_>) {
        if self.work == Work::Complete && matches!(change, Change::Lost(_)) {
            self.work = Work::Over;
        }
        if self.work == Work::Unfinished {
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
