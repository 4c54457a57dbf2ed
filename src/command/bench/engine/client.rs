//! One client of a load: a connection, its session, and the messages that it must publish. Session and
//! connection are those of `mqtt pub` and `mqtt sub`; only the handler differs.

mod turn;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio_util::sync::ReusableBoxFuture;

use self::turn::InTurn;
use super::fleet::ConnectOrder;
use super::in_flight::MessagesInFlight;
use super::requests::OpenRequests;
use super::shared::Shard;
use crate::client::session::Session;
use crate::client::{self, OpenLink, Opened};
use crate::command::bench::operation::OperationKind;
use crate::error::Error;
use crate::protocol::wire::PublishTemplate;

/// The state of its subscriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subscribing {
    No,
    Wanted,
    /// SUBSCRIBE was sent at this time; this number of answers is missing.
    Sent(u64, u32),
    Done,
}

/// A client that has been connected.
#[derive(Debug)]
pub(crate) struct Client {
    /// `None` after a loss, until the reconnect.
    link: Option<OpenLink>,
    session: Session,
    state: ClientState,
}

#[derive(Debug)]
struct ClientState {
    /// Its number in its group.
    number: u32,
    subscribing: Subscribing,
    leaving: bool,
    /// Whether it publishes whenever there is room.
    pulling: bool,
    /// The state of the barrier after the measurement: whether the broker has read all messages.
    barrier: PingBarrier,
    /// Intended times of messages that are due but not sent.
    backlog: VecDeque<u64>,
    /// Whether the window or the socket delayed any of them.
    blocked: bool,
    /// State of publishers only.
    publisher: Option<Box<PublishingClient>>,
    /// State that few clients need: responders from their first request on, slow readers, and clients with
    /// operations instead of publishing.
    extra: Option<Box<Extra>>,
    /// The index of its first flow in the thread.
    flows: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PingBarrier {
    No,
    Wanted,
    Sent,
    Answered,
}

#[derive(Debug, Default)]
struct PublishingClient {
    /// The sequence number of the next message.
    sequence: u64,
    /// The index of its own template.
    place: usize,
    /// One per topic, in the order of the messages; made on first use.
    templates: Vec<Arc<PublishTemplate>>,
    in_flight: MessagesInFlight,
    requests: OpenRequests,
}

#[derive(Debug, Default)]
struct Extra {
    /// Requests to answer.
    requests: VecDeque<Bytes>,
    /// Templates of responses, by requester.
    answers: Vec<Option<Arc<PublishTemplate>>>,
    reading: NextRead,
    operating: Operating,
}

/// The state of a client's operations instead of publishing.
#[derive(Debug, Default)]
struct Operating {
    /// The due time of the operation that is in progress, and the number of missing answers.
    awaited: Option<(u64, u32)>,
    /// Whether the broker refused a part of it.
    is_refused: bool,
    is_subscribed: bool,
    /// The next topic whose retained message is to be cleared.
    clearing: Option<u32>,
}

/// When a client that reads slowly may read again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum NextRead {
    #[default]
    Now,
    /// Not before this time, which its thread does not know yet.
    From(u64),
    /// When its thread tells it.
    WhenTold,
}

impl ClientState {
    fn has_requests(&self) -> bool {
        self.extra.as_ref().is_some_and(|extra| !extra.requests.is_empty())
    }

    /// The state of its operations, if it has any.
    fn operating(&self) -> Option<&Operating> {
        self.extra.as_ref().map(|extra| &extra.operating)
    }
}

impl ClientState {
    /// If an operation on the connection is due, starts it in this turn; returns how the turn ends, if it
    /// ends at once.
    fn turn_to_links(&mut self, operation: Option<OperationKind>) -> Option<Turn> {
        match operation? {
            OperationKind::End if !self.leaving => self.backlog.pop_front().map(Turn::Cut),
            OperationKind::Connect if !self.leaving => {
                let due = self.backlog.pop_front()?;
                self.extra.get_or_insert_default().operating.awaited = Some((due, 1));
                self.leaving = true;
                None
            }
            _ => None,
        }
    }
}

/// How a turn of a client ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// The client waits for its connection.
    Waiting,
    /// The client has more to do, and lets others run first.
    Unfinished,
    /// The connection must be closed without DISCONNECT, as was due at this time.
    Cut(u64),
    /// The connection has ended.
    Ended,
}

impl Client {
    pub(crate) fn new(link: OpenLink, session: Session, number: u32, flows: usize, publishes: bool) -> Self {
        let state = ClientState {
            number,
            subscribing: Subscribing::No,
            leaving: false,
            pulling: false,
            barrier: PingBarrier::No,
            backlog: VecDeque::new(),
            blocked: false,
            publisher: publishes.then(Box::default),
            extra: None,
            flows,
        };
        Self { link: Some(link), session, state }
    }

    /// Whether it has no connection.
    pub(crate) fn is_away(&self) -> bool {
        self.link.is_none()
    }

    /// Handles the loss of its connection, or its closing without DISCONNECT. Unacknowledged messages are
    /// kept for retransmission after the reconnect.
    pub(crate) fn lose_link(&mut self, shard: &mut Shard) {
        self.link = None;
        if let Some((due, _)) = self.state.extra.as_mut().and_then(|extra| extra.operating.awaited.take()) {
            self.state.backlog.push_front(due);
        }
        let ClientState { publisher, subscribing, barrier, number, .. } = &mut self.state;
        if matches!(subscribing, Subscribing::Sent(..)) {
            *subscribing = Subscribing::Wanted;
        }
        if *barrier == PingBarrier::Sent {
            *barrier = PingBarrier::Wanted;
        }
        self.session.keep_others(|token| {
            let publisher = publisher.as_deref()?;
            let message = publisher.in_flight.message(token)?;
            let topics = u64::from(shard.topics());
            let template = publisher.templates.get(usize::try_from(message.sequence % topics).ok()?)?;
            Some((Arc::clone(template), shard.payload_of(*number, message)?))
        });
    }

    /// Sets its new connection. Subscriptions that the broker lost with the session, or never confirmed, are
    /// renewed. Returns the number of messages to retransmit.
    pub(crate) fn take_link(&mut self, opened: Opened, shard: &mut Shard) -> usize {
        let Opened { link, connected, .. } = opened;
        self.link = Some(link);
        self.session.connected(connected.protocol, connected.session_present, connected.limits());
        if self.state.subscribing == Subscribing::Done && !connected.session_present {
            shard.recorder.counts.subscribed -= 1;
            self.state.subscribing = Subscribing::Wanted;
        }
        if !connected.session_present
            && let Some(extra) = &mut self.state.extra
        {
            extra.operating.is_subscribed = false;
        }
        // Messages that became due meanwhile are not late because of the generator.
        self.state.blocked = !self.state.backlog.is_empty();
        self.session.unacknowledged()
    }

    /// Pauses reading after each message.
    pub(crate) fn read_slowly(&mut self) {
        self.state.extra.get_or_insert_default();
    }

    /// When it must resume reading, if it is paused and was not asked before.
    pub(crate) fn next_read(&mut self) -> Option<u64> {
        let reading = &mut self.state.extra.as_mut()?.reading;
        let NextRead::From(time) = *reading else { return None };
        *reading = NextRead::WhenTold;
        Some(time)
    }

    /// Resumes reading.
    pub(crate) fn read_on(&mut self) {
        if let Some(own) = &mut self.state.extra {
            own.reading = NextRead::Now;
        }
    }

    pub(crate) fn publishes(&self) -> bool {
        self.state.publisher.is_some()
    }

    /// Subscribes, unless it has already.
    pub(crate) fn subscribe(&mut self) {
        if self.state.subscribing == Subscribing::No {
            self.state.subscribing = Subscribing::Wanted;
        }
    }

    pub(crate) fn is_subscribing(&self) -> bool {
        matches!(self.state.subscribing, Subscribing::Wanted | Subscribing::Sent(..))
    }

    /// Since when answers to SUBSCRIBE are missing, and how many.
    pub(crate) fn unsubscribed(&self) -> Option<(u64, u32)> {
        match self.state.subscribing {
            Subscribing::Sent(since, requests) => Some((since, requests)),
            _ => None,
        }
    }

    /// Since when the answer to an operation is missing.
    pub(crate) fn awaited(&self) -> Option<u64> {
        self.state.operating().and_then(|operating| operating.awaited).map(|(due, _)| due)
    }

    /// Starts publishing of retained messages, one to each of the client's topics.
    pub(crate) fn prepare(&mut self, topics: u32, time: u64) {
        self.state.backlog.extend((0..topics).map(|_| time));
        self.barrier();
    }

    /// Starts clearing the retained message of each of its topics.
    pub(crate) fn clear(&mut self) {
        self.state.backlog.clear();
        self.state.extra.get_or_insert_default().operating.clearing = Some(0);
    }

    /// Starts publishing whenever there is room.
    pub(crate) fn pull(&mut self) {
        self.state.pulling = self.publishes();
    }

    /// Gives up old requests of the closed loop, whose responses were lost; returns whether there were any.
    pub(crate) fn give_up_requests(&mut self) -> bool {
        let Some(own) = self.state.publisher.as_mut().filter(|_| self.state.pulling) else { return false };
        own.requests.give_up(own.sequence)
    }

    pub(crate) fn barrier(&mut self) {
        self.state.pulling = false;
        self.state.barrier = PingBarrier::Wanted;
    }

    pub(crate) fn leave(&mut self) {
        self.state.leaving = true;
        self.state.pulling = false;
    }

    /// Adds a message that is due.
    pub(crate) fn push(&mut self, intended: u64) {
        self.state.backlog.push_back(intended);
    }

    /// Takes messages that are due but not sent, for another client.
    pub(crate) fn take_backlog(&mut self) -> VecDeque<u64> {
        std::mem::take(&mut self.state.backlog)
    }

    pub(crate) fn backlog(&self) -> usize {
        self.state.backlog.len()
    }

    /// The due times of messages that are not sent.
    pub(crate) fn overdue(&self) -> impl Iterator<Item = u64> {
        self.state.backlog.iter().copied()
    }

    /// Unacknowledged messages.
    pub(crate) fn in_flight(&self) -> usize {
        self.session.unacknowledged()
    }

    /// Unacknowledged messages: due time, send time and number.
    pub(crate) fn unanswered(&self) -> impl Iterator<Item = (u64, u64, u64)> {
        let in_flight = self.state.publisher.iter().flat_map(|publisher| publisher.in_flight.unanswered());
        in_flight.map(|(message, count)| (message.intended, message.sent, count))
    }

    /// Messages that are due but not sent: due time, and number of subscribers.
    pub(crate) fn unsent(&self, shard: &Shard) -> impl Iterator<Item = (u64, u64)> {
        let next = self.state.publisher.as_ref().map_or(0, |publisher| publisher.sequence);
        let receivers = |sequence| shard.receivers(self.state.number, sequence);
        self.state
            .backlog
            .iter()
            .zip(next..)
            .map(move |(intended, sequence)| (*intended, receivers(sequence)))
    }

    /// Whether it has no messages in flight.
    pub(crate) fn is_idle(&self) -> bool {
        self.state.backlog.is_empty()
            && self.session.is_idle()
            && self.state.barrier == PingBarrier::No
            && !self.state.has_requests()
            && self
                .state
                .operating()
                .is_none_or(|operating| operating.awaited.is_none() && operating.clearing.is_none())
    }

    /// One turn: everything that can be done now.
    ///
    /// # Errors
    /// The reason for the end of the connection.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>, shard: &mut Shard) -> Result<Turn, Error> {
        let Some(link) = &mut self.link else { return Ok(Turn::Waiting) };
        let waited = !self.state.backlog.is_empty();
        if waited && let Some(cut) = self.state.turn_to_links(shard.operation) {
            return Ok(cut);
        }
        let mut turn = InTurn::new(&mut self.state, shard);
        let ended = link.poll(cx, &mut self.session, &mut turn);
        let unfinished = turn.is_unfinished();
        if self.state.backlog.is_empty() {
            self.state.blocked = false;
        } else if waited && !self.state.blocked && !self.state.leaving && shard.operation.is_none() {
            self.state.blocked = true;
            if self.session.can_publish(shard.qos) {
                shard.recorder.counts.blocked_sockets += 1;
            } else {
                shard.recorder.counts.full_windows += 1;
            }
        }
        match ended {
            Poll::Pending if unfinished => Ok(Turn::Unfinished),
            Poll::Pending => Ok(Turn::Waiting),
            Poll::Ready(Ok(())) => Ok(Turn::Ended),
            Poll::Ready(Err(error)) => Err(error),
        }
    }
}

/// Whether the TLS handshake resumed a session, if that is allowed.
pub(crate) fn is_resumed(opened: &mut Opened, may_be: bool) -> bool {
    may_be && opened.link.stream_mut().tls().is_some_and(|facts| facts.resumed)
}

/// Opens one connection at a time.
pub(crate) struct Dialer(ReusableBoxFuture<'static, Result<Opened, Error>>);

impl Dialer {
    /// Connects this client when polled.
    pub(crate) fn new(order: ConnectOrder) -> Self {
        Self(ReusableBoxFuture::new(connect(order)))
    }

    /// Starts to connect this client; must be called only after the last connection is complete.
    pub(crate) fn start(&mut self, order: ConnectOrder) {
        self.0.set(connect(order));
    }

    /// The connection, when it is complete.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Opened, Error>> {
        self.0.poll(cx)
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialer").finish_non_exhaustive()
    }
}

async fn connect(order: ConnectOrder) -> Result<Opened, Error> {
    let ConnectOrder { options, client_identifier, protocol, resumes } = order;
    client::open(&options, &client_identifier, protocol, resumes).await
}

/// Messages due within this number of nanoseconds are recorded together, with the end of the period: a
/// schedule may run for hours, and memory must not grow with every message.
const TOGETHER: u64 = 10_000_000;

/// Messages of lost connections. They have no answer at the end of the run, so their waiting time is known
/// only then.
#[derive(Debug, Default)]
pub(crate) struct Abandoned {
    /// Sent messages: due time, send time and number.
    unanswered: Vec<(u64, u64, u64)>,
    /// Messages that were not sent, by due time: their number and their number of deliveries.
    unsent: BTreeMap<u64, (u64, u64)>,
}

impl Abandoned {
    /// Takes over the messages of a lost client.
    pub(crate) fn take(&mut self, client: &Client, shard: &Shard) {
        self.unanswered.extend(client.unanswered());
        for (due, receivers) in client.unsent(shard) {
            self.add(due, receivers, shard);
        }
    }

    /// Adds a message that is due for a lost client.
    pub(crate) fn add(&mut self, due: u64, receivers: u64, shard: &Shard) {
        let measure = shard.timeline.measure;
        let together = due.next_multiple_of(TOGETHER);
        let together = if due < measure { together.min(measure - 1) } else { together };
        let (count, deliveries) = self.unsent.entry(together).or_default();
        *count += 1;
        *deliveries += receivers;
    }

    /// Records the messages at the end of the run.
    pub(crate) fn count(&mut self, shard: &mut Shard, time: u64) {
        for (due, sent, count) in self.unanswered.drain(..) {
            shard.unanswered(due, sent, time, count);
        }
        for (due, (count, deliveries)) in std::mem::take(&mut self.unsent) {
            shard.unsent(due, time, count, deliveries);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A load may have a million clients.
    #[test]
    fn client_is_no_larger_with_reconnect() {
        assert_eq!(size_of::<Option<OpenLink>>(), size_of::<OpenLink>());
    }
}
