//! A run: one session over as many Network Connections as needed.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::mpsc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use super::back_off::BackOff;
use super::brokers::{brokers, is_worth_another_broker};
use super::connect::{Answer, ConnectRequest, ConnectWatch, Seen, Up, Versions};
use super::handler::{Change, Handler};
use super::handshake;
use super::link::Link;
use super::options::ClientOptions;
use super::redirect::{self, MOST_REDIRECTS, MOST_SERVERS};
use super::session::{AwaitedPacket, Session, Unanswered};
use super::strikes::{self, EndPlace, Ended, StrikeVerdict, Strikes};
use crate::error::{Denial, Error, Retry};
use crate::net::{self, Endpoint};
use crate::protocol::property::PropertyBlock;
use crate::protocol::reason::ReasonCode;
use crate::protocol::{Protocol, wire};

/// Connects, drives `handler` until it is done, and reconnects as the options say.
///
/// # Errors
/// Why the work could not be done, or the handler's own error.
pub async fn run<H: Handler>(options: &ClientOptions, handler: &mut H) -> Result<(), Error> {
    let mut run = ClientRun::new(options);
    let started = Instant::now();
    let mut back_off = BackOff::new(options.reconnect.max_delay);
    // The last attempt ended in an error that is final if it occurs twice in a row.
    let mut doubtful = false;
    loop {
        let error = match run.connect_and_drive(handler).await {
            Ok(()) => {
                if run.was_connected {
                    handler.on_change(Change::Closed);
                }
                return Ok(());
            }
            Err(LinkFailure::Decided(error)) => return Err(error),
            Err(LinkFailure::Link(error)) => error,
        };
        let Some(error) = run.follow(error, handler) else { continue };
        if run.is_lost_to_rival(&error) {
            run.tell_lost(&error, handler);
            continue;
        }
        if let Some(up_since) = run.up_since.take() {
            back_off.lived(up_since.elapsed());
        }
        let failures = back_off.failures();
        let mut pause = back_off.pause();
        let counts_as_lost = options.reconnect.from_first_hang_up && error.is_hang_up();
        let patient = if run.was_connected || counts_as_lost {
            options.reconnect.attempts.is_none_or(|most| failures < most)
        } else {
            let left = options.reconnect.wait_for_server.saturating_sub(started.elapsed());
            if !left.is_zero() {
                // The last attempt is made when the time is over, not a pause later.
                pause = pause.min(left);
            }
            !left.is_zero()
        };
        let works = !run.was_connected && handler.works_without_link();
        // A link that lasted resets the count of failures.
        let is_second = std::mem::replace(&mut doubtful, error.retry() == Retry::Once) && failures > 0;
        let avoids = is_about_a_packet(&error) && handler.avoids_packet();
        if error.retry().is_final(is_second) && !avoids || !(patient || works) {
            return Err(error);
        }
        if patient {
            run.tell_lost(&error, handler);
        }
        if pause_between(handler, pause, !patient).await?.is_none() {
            return Ok(());
        }
        // Such work is usually short, and complete before a message would help.
        if works && handler.works_without_link() {
            run.tell_lost(&error, handler);
        }
    }
}

/// Waits for `future`; `None`, or an error, if the handler is interrupted. The output of the last link is
/// written out meanwhile, however slow its reader is.
async fn interruptible<H: Handler, F: Future>(
    handler: &mut H,
    future: F,
) -> Result<Option<F::Output>, Error> {
    let mut future = pin!(future);
    poll_fn(|cx| {
        if let Some(over) = poll_between(handler, cx) {
            return Poll::Ready(over.map(|()| None));
        }
        future.as_mut().poll(cx).map(|output| Ok(Some(output)))
    })
    .await
}

/// Waits between two attempts; if only the handler's work without a link justifies the wait, no longer than
/// that work continues. `None`, or an error, if the handler was interrupted.
async fn pause_between<H: Handler>(
    handler: &mut H,
    pause: Duration,
    while_it_works: bool,
) -> Result<Option<()>, Error> {
    let mut over = pin!(tokio::time::sleep(pause));
    poll_fn(|cx| {
        if let Some(over) = poll_between(handler, cx) {
            return Poll::Ready(over.map(|()| None));
        }
        if while_it_works && !handler.works_without_link() {
            return Poll::Ready(Ok(Some(())));
        }
        over.as_mut().poll(cx).map(|()| Ok(Some(())))
    })
    .await
}

/// The work done while there is no link: `Some` ends the run.
fn poll_between<H: Handler>(handler: &mut H, cx: &mut Context<'_>) -> Option<Result<(), Error>> {
    match (handler.poll_interrupt(cx), handler.poll_flush(cx)) {
        (Poll::Ready(result), _) => Some(result),
        (_, Poll::Ready(Err(error))) => Some(Err(error)),
        _ => None,
    }
}

/// Passes the events of a connection attempt to the handler.
fn show<H: Handler>(handler: &mut H, seen: Seen) {
    match seen {
        Seen::Step(step) => handler.on_step(step),
        Seen::Unaccepted(protocol, why) => handler.on_unaccepted(protocol, why),
        Seen::Packet(protocol, direction, packet) => {
            if let (Ok(packet), Some(supervisor)) = (wire::decode(protocol, &packet), handler.supervisor()) {
                supervisor.trace(direction, &packet);
            }
        }
    }
}

/// Whether the broker or the network closed a link for a reason that another attempt may not meet again.
fn is_closed(error: &Error) -> bool {
    match error {
        Error::Link { retry, .. } => *retry == Retry::Later,
        Error::Refused { .. } => error.retry() == Retry::Later,
        _ => false,
    }
}

/// Whether the broker says that it is unavailable. Then another client is not the cause, however short the
/// connections are; a packet may be, whatever the broker says.
fn is_unavailable(error: &Error) -> bool {
    let unavailable = [ReasonCode::SERVER_UNAVAILABLE, ReasonCode::SERVER_SHUTTING_DOWN];
    matches!(error, Error::Refused { reason, .. } if unavailable.contains(reason))
}

/// Whether the broker ended the connection because of a packet's content.
fn is_about_a_packet(error: &Error) -> bool {
    let about = [
        ReasonCode::MALFORMED_PACKET,
        ReasonCode::PROTOCOL_ERROR,
        ReasonCode::NOT_AUTHORIZED,
        ReasonCode::TOPIC_NAME_INVALID,
        ReasonCode::TOPIC_ALIAS_INVALID,
        ReasonCode::PACKET_TOO_LARGE,
        ReasonCode::QUOTA_EXCEEDED,
        ReasonCode::PAYLOAD_FORMAT_INVALID,
        ReasonCode::RETAIN_NOT_SUPPORTED,
        ReasonCode::QOS_NOT_SUPPORTED,
    ];
    matches!(error, Error::Refused { denial: Denial::Disconnect, reason, .. } if about.contains(reason))
}

/// The state that outlives a link.
#[allow(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
struct ClientRun<'a> {
    options: &'a ClientOptions,
    versions: Versions,
    client_identifier: String,
    connect_properties: PropertyBlock,
    session: Session,
    was_connected: bool,
    /// Whether the broker keeps the session of the latest link.
    keeps_session: bool,
    /// When the latest link came up, if this attempt made one.
    up_since: Option<Instant>,
    /// Whether the user was told that there is no link.
    lost: bool,
    /// The brokers of the latest redirect.
    elsewhere: Option<Elsewhere>,
    /// The number of consecutive redirects.
    redirects: u32,
    /// The brokers of all redirects.
    named: redirect::Named,
    /// Whether a second connection with the same client identifier was abandoned when this link came up.
    had_rival: bool,
    strikes: Strikes,
}

/// Why a link ended.
enum LinkFailure {
    /// Another link may succeed.
    Link(Error),
    /// The handler ended the run; there is no retry, whatever the error.
    Decided(Error),
}

impl From<Error> for LinkFailure {
    fn from(error: Error) -> Self {
        Self::Link(error)
    }
}

/// Brokers that a redirect named.
struct Elsewhere {
    brokers: Vec<Endpoint>,
    is_permanent: bool,
}

/// A connection that lasted this long resets the count of redirects.
const SETTLED: Duration = Duration::from_secs(5);

impl<'a> ClientRun<'a> {
    fn new(options: &'a ClientOptions) -> Self {
        let connect_properties = handshake::connect_properties(options);
        let session = Session::new(Protocol::V5, options.max_inflight, &connect_properties);
        Self {
            options,
            versions: Versions::default(),
            client_identifier: options.client_identifier.clone(),
            connect_properties,
            session,
            was_connected: false,
            keeps_session: false,
            up_since: None,
            lost: false,
            elsewhere: None,
            redirects: 0,
            named: redirect::Named::default(),
            had_rival: false,
            strikes: Strikes::default(),
        }
    }

    /// Tells the user, once, that there is no link.
    fn tell_lost<H: Handler>(&mut self, error: &Error, handler: &mut H) {
        if !std::mem::replace(&mut self.lost, true) {
            let change = if self.was_connected { Change::Lost } else { Change::NotYet };
            handler.on_change(change(error));
        }
    }

    async fn connect_and_drive<H: Handler>(&mut self, handler: &mut H) -> Result<(), LinkFailure> {
        let Some(Up { stream, answer, had_rival, guess }) = self.connect(handler).await? else {
            return Ok(());
        };
        let Answer { connected, leftover, .. } = answer;
        self.had_rival = had_rival;
        if let Some(assigned) = connected.assigned_client_identifier() {
            assigned.clone_into(&mut self.client_identifier);
        }
        let protocol = connected.protocol;
        let repeated = self.session.connected(protocol, connected.session_present, connected.limits());
        if repeated > 0 {
            handler.on_change(Change::MayRepeat(repeated));
        }
        self.up_since = Some(Instant::now());
        let again = std::mem::replace(&mut self.was_connected, true);
        self.keeps_session = connected.keeps_session(self.options);
        if std::mem::take(&mut self.lost) {
            handler.on_change(if again { Change::Reconnected } else { Change::Connected });
        } else if !again {
            handler.on_change(Change::ConnectedAtOnce);
        }
        if let Some(guess) = guess.filter(|_| self.options.uses_properties) {
            handler.on_change(Change::Guessed(guess, protocol));
        }
        if let Some(granted) = connected.shorter_session(self.options.session_expiry_interval)
            && !again
        {
            handler.on_change(Change::ShorterSession(granted));
        }
        handler.on_connected(&mut self.session, &connected)?;
        let mut link = Link::past_connack(stream, self.options, &connected, leftover);
        let answers = self.session.answers();
        let error = match poll_fn(|cx| link.poll(cx, &mut self.session, handler)).await {
            Ok(()) => return Ok(()),
            // A violation by the broker was answered with DISCONNECT, and may not recur on the next link.
            Err(error @ Error::Protocol(_)) => error,
            Err(error) if link.is_decided() => return Err(LinkFailure::Decided(error)),
            Err(error) => error,
        };
        let ended = Ended {
            closed: !link.timed_out() && is_closed(&error),
            unavailable: is_unavailable(&error),
            answers: self.session.answers().since(answers),
            session_present: connected.session_present,
            lived: self.up_since.map_or(Duration::ZERO, |since| since.elapsed()),
            since_sent: link.since_sent(),
            since_received: link.since_received(),
            since_unread: self.session.unread_since().map(|since| since.elapsed()),
        };
        let of_link = link.unanswered();
        Err(LinkFailure::Link(self.judged(error, ended, of_link, handler)))
    }

    /// The error of a link that ended, or of a run whose links end repeatedly.
    fn judged<H: Handler>(
        &mut self,
        error: Error,
        ended: Ended,
        of_link: Option<&'static str>,
        handler: &mut H,
    ) -> Error {
        // A refusal is an answer, but not progress: the next packet would be refused too.
        let refused = self.session.refused().filter(|_| ended.answers.publishes == 0).cloned();
        let awaited = handler.awaits();
        // The requests of the link are answered each time.
        let is_stuck = awaited.is_some() || refused.is_none() && ended.answers.publishes == 0;
        let is_at_it = ended.closed && !ended.unavailable && is_stuck;
        handler.on_ended(&self.session, is_at_it || is_about_a_packet(&error));
        let of_session = self.session.unanswered();
        // An acknowledgement needs no answer; it is only the last packet sent.
        let is_open =
            of_session.as_ref().is_some_and(|what| !matches!(what, Unanswered::Acknowledgement { .. }));
        let asked = awaited.or_else(|| of_link.filter(|_| !is_open).map(AwaitedPacket::from));
        let of_filter = || handler.refused_filter().cloned().map(Unanswered::DeniedFilter);
        let unanswered = refused
            .map(Unanswered::Refused)
            .or_else(|| asked.map(Unanswered::Other))
            .or(of_session)
            .or_else(of_filter);
        let place = unanswered.as_ref().map(|what| EndPlace::of(what, ended.answers));
        let identifier = &self.options.client_identifier;
        match (self.strikes.count(ended, place), unanswered) {
            (StrikeVerdict::Hopeless(links), Some(what)) => {
                return strikes::hopeless(links, &what, identifier);
            }
            (StrikeVerdict::Suspicious(count), _) => {
                let has_identifier = !identifier.is_empty();
                let has_published = self.session.has_unconfirmed() || self.session.unacknowledged() > 0;
                handler.on_change(Change::ShortLinks { count, has_identifier, has_published });
            }
            _ => {}
        }
        error
    }

    /// Follows a redirect, if the error is one and the options allow it; returns `None` then.
    fn follow<H: Handler>(&mut self, error: Error, handler: &mut H) -> Option<Error> {
        let Error::Elsewhere { server_reference, is_permanent, .. } = &error else { return Some(error) };
        if self.up_since.is_some_and(|since| since.elapsed() > SETTLED) {
            self.redirects = 0;
        }
        self.redirects += 1;
        if !self.options.follow_redirect {
            return Some(error);
        }
        if self.redirects > MOST_REDIRECTS {
            let hint = format!("{MOST_REDIRECTS} redirects in a row were followed");
            return Some(error.with_hint(hint).for_good());
        }
        match redirect::endpoints(server_reference, &self.options.endpoint) {
            Ok(brokers) if !self.named.add(&brokers) => {
                let hint = format!("{MOST_SERVERS} brokers were named in this run, and no more are tried");
                Some(error.with_hint(hint).for_good())
            }
            Ok(brokers) => {
                handler.on_change(Change::Redirected(&error));
                self.elsewhere = Some(Elsewhere { brokers, is_permanent: *is_permanent });
                self.up_since = None;
                None
            }
            Err(error) => Some(error),
        }
    }

    /// Connects to the first broker that accepts. `None` if the handler was interrupted.
    async fn connect<H: Handler>(&mut self, handler: &mut H) -> Result<Option<Up>, Error> {
        let sent_to = match &self.elsewhere {
            Some(elsewhere) if elsewhere.is_permanent => Some(elsewhere.brokers.clone()),
            // The redirect applies once; the next attempt starts with the user's brokers.
            _ => self.elsewhere.take().map(|elsewhere| elsewhere.brokers),
        };
        let brokers = if let Some(brokers) = sent_to {
            brokers
        } else {
            let resolving = brokers(self.options);
            let Some(brokers) = interruptible(handler, resolving).await? else { return Ok(None) };
            brokers?
        };
        let mut failures = Vec::new();
        for (number, endpoint) in brokers.iter().enumerate() {
            let error = match self.connect_to(endpoint, handler).await {
                Err(error) if is_worth_another_broker(&error) => error,
                outcome => return outcome,
            };
            if number + 1 < brokers.len() {
                handler.on_change(Change::NextBroker(&error));
            }
            failures.push((endpoint.address.to_string(), error));
        }
        Err(net::none_answers(failures))
    }

    /// Connects to this broker. `None` if the handler was interrupted.
    async fn connect_to<H: Handler>(
        &mut self,
        endpoint: &Endpoint,
        handler: &mut H,
    ) -> Result<Option<Up>, Error> {
        let (sender, seen) = mpsc::channel();
        let steps = handler.observes().then(|| sender.clone());
        let is_traced = handler.supervisor().is_some_and(|supervisor| supervisor.traces());
        let watch = ConnectWatch { steps, packets: is_traced.then_some(sender) };
        let request = ConnectRequest {
            options: self.options,
            endpoint,
            client_identifier: &self.client_identifier,
            resumes: self.keeps_session,
            properties: &self.connect_properties,
        };
        let mut connecting = pin!(request.negotiate(&mut self.versions, &watch));
        poll_fn(|cx| {
            if let Some(over) = poll_between(handler, cx) {
                return Poll::Ready(over.map(|()| None));
            }
            let outcome = connecting.as_mut().poll(cx);
            for seen in seen.try_iter() {
                show(handler, seen);
            }
            outcome.map(|outcome| outcome.map(Some))
        })
        .await
    }

    /// Whether an abandoned connection of our own took over the link: the broker processed its CONNECT after
    /// this link came up. True at most once per link.
    fn is_lost_to_rival(&mut self, error: &Error) -> bool {
        let is_closed = match error {
            Error::Refused { reason, .. } => *reason == ReasonCode::SESSION_TAKEN_OVER,
            Error::Link { retry, .. } => *retry == Retry::Later,
            _ => false,
        };
        let is_soon = self.up_since.is_some_and(|since| since.elapsed() < self.options.connect_timeout);
        is_closed && is_soon && std::mem::take(&mut self.had_rival)
    }
}
