//! A run: one session over as many links as it takes.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::mpsc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Instant;

use super::back_off::BackOff;
use super::brokers::{brokers, is_worth_another_broker};
use super::handler::{Change, Handler};
use super::handshake::{self, Connected, Opening};
use super::link::Link;
use super::options::{ClientOptions, Version};
use super::redirect::{self, MOST_REDIRECTS};
use super::session::Session;
use crate::error::{Error, Retry};
use crate::net::{self, Address, Endpoint, Stream};
use crate::protocol::property::PropertyBlock;
use crate::protocol::reason::ReasonCode;
use crate::protocol::{Direction, Protocol, wire};

/// Connects, lets `handler` work until it is done, and reconnects as the options say.
///
/// # Errors
/// Why the work could not be done, or the handler's own error.
pub async fn run<H: Handler>(options: &ClientOptions, handler: &mut H) -> Result<(), Error> {
    let mut run = Run::new(options);
    let started = Instant::now();
    let mut back_off = BackOff::new(options.reconnect.max_delay);
    // The last attempt was answered in a way that counts when it comes again.
    let mut doubtful = false;
    loop {
        let error = match run.connect_and_drive(handler).await {
            Ok(()) => return Ok(()),
            Err(Failure::Decided(error)) => return Err(error),
            Err(Failure::Link(error)) => error,
        };
        let Some(error) = run.follow(error, handler) else { continue };
        if let Some(up_since) = run.up_since.take() {
            back_off.lived(up_since.elapsed());
        }
        let failures = back_off.failures();
        let mut pause = back_off.pause();
        let patient = if run.was_connected {
            options.reconnect.attempts.is_none_or(|most| failures < most)
        } else {
            let left = options.reconnect.wait_for_server.saturating_sub(started.elapsed());
            if !left.is_zero() {
                // The last attempt is made when the time is over, and not a pause later.
                pause = pause.min(left);
            }
            !left.is_zero()
        };
        let works = !run.was_connected && handler.works_without_link();
        let is_second = std::mem::replace(&mut doubtful, error.retry() == Retry::Once);
        let is_final = match error.retry() {
            Retry::Later => false,
            Retry::Once => is_second,
            Retry::Never => true,
        };
        if is_final || !(patient || works) {
            return Err(error);
        }
        if patient {
            run.tell_lost(&error, handler);
        }
        if pause_between(handler, pause, !patient).await?.is_none() {
            return Ok(());
        }
        // Mostly such work is short, and over before there is anything to tell.
        if works && handler.works_without_link() {
            run.tell_lost(&error, handler);
        }
    }
}

/// Waits for `future`, unless the handler is interrupted: `None` then, or its error. What the last
/// link brought is written out meanwhile, however slow its reader.
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

/// Waits between two attempts, for no longer than the handler has work without a link if that is all
/// there is to wait for. `None` if it was interrupted, or its error.
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

/// What goes on while there is no link: `Some` ends the run.
fn poll_between<H: Handler>(handler: &mut H, cx: &mut Context<'_>) -> Option<Result<(), Error>> {
    match (handler.poll_interrupt(cx), handler.poll_flush(cx)) {
        (Poll::Ready(result), _) => Some(result),
        (_, Poll::Ready(Err(error))) => Some(Err(error)),
        _ => None,
    }
}

/// A stream past CONNACK, what the server said, and the bytes that came behind it.
type Opened = (Stream, Connected, Vec<u8>);

/// Goes the way to the broker, and tells the handler of each step if it wants to know. `None` if
/// the handler was interrupted.
async fn dial<H: Handler>(
    endpoint: &Endpoint,
    handler: &mut H,
) -> Result<Option<Result<Stream, Error>>, Error> {
    if !handler.observes() {
        return interruptible(handler, net::dial(endpoint)).await;
    }
    let (sender, steps) = mpsc::channel();
    let mut observer = move |step| {
        let _ = sender.send(step);
    };
    let mut way = pin!(net::dial_observed(endpoint, &mut observer));
    poll_fn(move |cx| {
        if let Some(over) = poll_between(handler, cx) {
            return Poll::Ready(over.map(|()| None));
        }
        let outcome = way.as_mut().poll(cx);
        for step in steps.try_iter() {
            handler.on_step(step);
        }
        outcome.map(|outcome| Ok(Some(outcome)))
    })
    .await
}

/// What outlives a link.
struct Run<'a> {
    options: &'a ClientOptions,
    protocol: Protocol,
    /// The version may still be lowered.
    negotiable: bool,
    client_identifier: String,
    connect_properties: PropertyBlock,
    session: Session,
    was_connected: bool,
    /// When the latest link came up, if this attempt made one.
    up_since: Option<Instant>,
    /// The user was told that there is no link.
    lost: bool,
    /// Where a server has sent us.
    elsewhere: Option<Elsewhere>,
    /// Redirects in a row.
    redirects: u32,
    /// Servers that hung up on us and were asked whether they want TLS.
    probed: Vec<Address>,
}

/// Why a link ended.
enum Failure {
    /// Another link may be better.
    Link(Error),
    /// The handler has ended the run, whatever the reason says of trying again.
    Decided(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Link(error)
    }
}

/// Brokers that another named.
struct Elsewhere {
    brokers: Vec<Endpoint>,
    is_permanent: bool,
}

/// A link that lived so long ends a row of redirects.
const SETTLED: Duration = Duration::from_secs(5);

impl<'a> Run<'a> {
    fn new(options: &'a ClientOptions) -> Self {
        let (protocol, negotiable) = match options.version {
            Version::Auto => (Protocol::V5, true),
            Version::Only(protocol) => (protocol, false),
        };
        let mut client_identifier = options.client_identifier.clone();
        if client_identifier.is_empty() && protocol == Protocol::V3_1 {
            // MQTT 3.1 has no empty client identifiers, and at most 23 characters.
            client_identifier =
                "mqtt-".chars().chain(std::iter::repeat_with(fastrand::alphanumeric).take(18)).collect();
        }
        let connect_properties = handshake::connect_properties(options);
        let session = Session::new(protocol, options.max_inflight, &connect_properties);
        Self {
            options,
            protocol,
            negotiable,
            client_identifier,
            connect_properties,
            session,
            was_connected: false,
            up_since: None,
            lost: false,
            elsewhere: None,
            redirects: 0,
            probed: Vec::new(),
        }
    }

    /// Tells the user, once, that there is no link.
    fn tell_lost<H: Handler>(&mut self, error: &Error, handler: &mut H) {
        if !std::mem::replace(&mut self.lost, true) {
            let change = if self.was_connected { Change::Lost } else { Change::NotYet };
            handler.on_change(change(error));
        }
    }

    async fn connect_and_drive<H: Handler>(&mut self, handler: &mut H) -> Result<(), Failure> {
        let Some((stream, connected, leftover)) = self.connect(handler).await? else { return Ok(()) };
        if let Some(assigned) = connected.assigned_client_identifier() {
            assigned.clone_into(&mut self.client_identifier);
        }
        let repeated = self.session.connected(self.protocol, connected.session_present, connected.limits());
        if repeated > 0 {
            handler.on_change(Change::MayRepeat(repeated));
        }
        self.up_since = Some(Instant::now());
        let again = std::mem::replace(&mut self.was_connected, true);
        if std::mem::take(&mut self.lost) {
            handler.on_change(if again { Change::Reconnected } else { Change::Connected });
        }
        if let Some(granted) = connected.shorter_session(self.options.session_expiry_interval)
            && !again
        {
            handler.on_change(Change::ShorterSession(granted));
        }
        handler.on_connected(&mut self.session, &connected)?;
        let mut link = Link::new(
            stream,
            self.protocol,
            connected.keep_alive(self.options.keep_alive),
            self.options.connect_timeout,
            self.options.max_packet_bytes,
            leftover,
            connected.disconnect_properties(&self.options.disconnect_properties),
        );
        if let Some(authentication) = &self.options.authentication {
            link.authenticate_again(authentication);
        }
        let result = poll_fn(|cx| link.poll(cx, &mut self.session, handler)).await;
        result.map_err(if link.is_decided() { Failure::Decided } else { Failure::Link })
    }

    /// Lets itself be sent to another server, if that is what the error says and the user wants: there
    /// is none then.
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
            return Some(error.with_hint(format!("{MOST_REDIRECTS} redirects in a row were followed")));
        }
        match redirect::endpoints(server_reference, &self.options.endpoint) {
            Ok(brokers) => {
                handler.on_change(Change::Redirected(&error));
                self.elsewhere = Some(Elsewhere { brokers, is_permanent: *is_permanent });
                self.up_since = None;
                None
            }
            Err(error) => Some(error),
        }
    }

    /// Connects to the first broker that lets us. `None` if the handler was interrupted.
    async fn connect<H: Handler>(&mut self, handler: &mut H) -> Result<Option<Opened>, Error> {
        let sent_to = match &self.elsewhere {
            Some(elsewhere) if elsewhere.is_permanent => Some(elsewhere.brokers.clone()),
            // For this time only; the next begins where the user said.
            _ => self.elsewhere.take().map(|elsewhere| elsewhere.brokers),
        };
        let brokers = if let Some(brokers) = sent_to {
            brokers
        } else {
            let resolving = brokers(self.options);
            let Some(brokers) = interruptible(handler, resolving).await? else { return Ok(None) };
            brokers?
        };
        let (protocol, negotiable) = (self.protocol, self.negotiable);
        let mut failures = Vec::new();
        for (number, endpoint) in brokers.iter().enumerate() {
            let error = match self.connect_to(endpoint, handler).await {
                Err(error) if is_worth_another_broker(&error) => error,
                outcome => return outcome,
            };
            let Some(error) = self.explained(error, endpoint, handler).await? else { return Ok(None) };
            if number + 1 < brokers.len() {
                handler.on_change(Change::NextBroker(&error));
                (self.protocol, self.negotiable) = (protocol, negotiable);
            }
            failures.push((endpoint.address.to_string(), error));
        }
        Err(net::none_answers(failures))
    }

    /// Finds out what is behind a hang-up of a server that never let us in, once for each. `None` if
    /// the handler was interrupted.
    async fn explained<H: Handler>(
        &mut self,
        error: Error,
        endpoint: &Endpoint,
        handler: &mut H,
    ) -> Result<Option<Error>, Error> {
        let address = &endpoint.address;
        if self.was_connected || !error.is_hang_up() || self.probed.contains(address) {
            return Ok(Some(error));
        }
        self.probed.push(address.clone());
        interruptible(handler, handshake::explained(error, endpoint)).await
    }

    /// Dials and shakes hands; once more with 3.1.1 if the server does not take 5. `None` if the
    /// handler was interrupted.
    async fn connect_to<H: Handler>(
        &mut self,
        endpoint: &Endpoint,
        handler: &mut H,
    ) -> Result<Option<Opened>, Error> {
        loop {
            let Some(stream) = dial(endpoint, handler).await? else { return Ok(None) };
            let mut stream = stream?;
            let mut opening = self.opening()?;
            self.trace(handler, Direction::Sent, opening.connect());
            let mut between = Vec::new();
            let observe = |direction, packet: &[u8]| between.push((direction, packet.to_vec()));
            let limit = pin!(tokio::time::sleep(self.options.connect_timeout));
            let exchange = async { net::within(pin!(opening.exchange(&mut stream, observe)), limit).await };
            let answer = interruptible(handler, exchange).await?;
            for (direction, packet) in &between {
                self.trace(handler, *direction, packet);
            }
            let Some(answer) = answer else { return Ok(None) };
            let answer = answer.ok_or_else(|| {
                handshake::unanswered(handshake::no_answer(self.options.connect_timeout), endpoint)
            })?;
            let refusal = match answer {
                Err(error) if error.is_hang_up() => handshake::unanswered(error, endpoint),
                Err(error) => return Err(handshake::unanswered(error, endpoint)),
                Ok((packet, leftover)) => {
                    self.trace(handler, Direction::Received, &packet);
                    match opening.accept(&mut stream, &packet).await {
                        Ok(connected) => return Ok(Some((stream, connected, leftover))),
                        Err(error) => error,
                    }
                }
            };
            if !self.lower_version(&refusal) {
                return Err(self.with_version_hint(refusal));
            }
        }
    }

    /// A server that refuses the one version it was asked for may take another.
    fn with_version_hint(&self, refusal: Error) -> Error {
        let version = matches!(&refusal,
            Error::Refused { reason, .. } if *reason == ReasonCode::UNSUPPORTED_PROTOCOL_VERSION);
        match (version, self.options.version) {
            (true, Version::Only(Protocol::V5)) => refusal.with_hint("-V 311 speaks MQTT 3.1.1 to it"),
            (true, Version::Only(_)) => refusal.with_hint("-V 5 speaks MQTT 5 to it"),
            _ => refusal,
        }
    }

    /// Whether to try again with 3.1.1: the server named the version as the reason, or is of the
    /// kind that just hangs up on one it does not know ([MQTT-3.1.2-2]).
    fn lower_version(&mut self, refusal: &Error) -> bool {
        let version = match refusal {
            Error::Refused { reason, .. } => *reason == ReasonCode::UNSUPPORTED_PROTOCOL_VERSION,
            Error::Link { .. } => true,
            _ => false,
        };
        let lower = version && self.negotiable && !self.was_connected;
        if lower {
            self.protocol = Protocol::V3_1_1;
            self.negotiable = false;
        }
        lower
    }

    fn opening(&self) -> Result<Opening, Error> {
        // In MQTT 5 a later link asks for the session of the earlier one: Clean Start is for the
        // first. In 3.x Clean Session also says what becomes of the session at the end, so it stays.
        let resumes = self.was_connected && self.protocol == Protocol::V5;
        let clean_start = self.options.clean_start && !resumes;
        Opening::new(
            self.options,
            self.protocol,
            &self.client_identifier,
            clean_start,
            &self.connect_properties,
        )
    }

    fn trace<H: Handler>(&self, handler: &mut H, direction: Direction, packet: &[u8]) {
        if handler.traces()
            && let Ok(packet) = wire::decode(self.protocol, packet)
        {
            handler.trace(direction, &packet);
        }
    }
}
