//! One client of a load: a link, its session, and what it has to publish. The same session and the
//! same link that `mqtt pub` and `mqtt sub` run on; only the handler is another.

mod turn;

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;

use self::turn::InTurn;
use super::plan::Plan;
use super::shard::Shard;
use super::under_way::UnderWay;
use crate::client::OpenLink;
use crate::client::session::Session;
use crate::error::Error;
use crate::protocol::wire::PublishTemplate;

/// What a client is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    Idle,
    Publisher(u32),
    Subscriber(u32),
}

/// How far its subscriptions are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Subscribing {
    No,
    Wanted,
    /// Since this time; so many answers are awaited.
    Sent(u64, u32),
    Done,
}

/// A connected client.
#[derive(Debug)]
pub(super) struct Client {
    link: OpenLink,
    session: Session,
    state: State,
}

#[derive(Debug)]
struct State {
    role: Role,
    subscribing: Subscribing,
    leaving: bool,
    /// Publishes whenever there is room.
    pulling: bool,
    /// The server has read everything that was measured.
    fence: Fence,
    /// Intended times of messages that are due and not sent.
    backlog: VecDeque<u64>,
    /// Window or socket kept some of them from being sent when they were due.
    blocked: bool,
    /// What publishers have that others do not.
    publisher: Option<Box<Publisher>>,
    /// What those that answer have, from their first request on.
    responder: Option<Box<Responder>>,
    /// Its first flow among the thread's.
    flows: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fence {
    No,
    Wanted,
    Sent,
    Answered,
}

#[derive(Debug, Default)]
struct Publisher {
    /// Of the next message.
    sequence: u64,
    /// Which of the templates is its own.
    place: usize,
    /// One a topic, in the order of the messages; made when first used.
    templates: Vec<PublishTemplate>,
    under_way: UnderWay,
    /// Requests without a response.
    requests: u32,
}

#[derive(Debug, Default)]
struct Responder {
    /// Requests to be answered.
    requests: VecDeque<Bytes>,
    /// Templates of answers, by requester.
    answers: Vec<Option<Arc<PublishTemplate>>>,
}

impl State {
    fn has_requests(&self) -> bool {
        self.responder.as_ref().is_some_and(|responder| !responder.requests.is_empty())
    }
}

/// How a turn of a client ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Turn {
    /// It waits for its link.
    Waiting,
    /// It has more to do and let others go first.
    Unfinished,
    /// Its link has ended.
    Ended,
}

impl Client {
    pub(super) fn new(link: OpenLink, session: Session, role: Role, flows: usize) -> Self {
        let publisher = matches!(role, Role::Publisher(_)).then(Box::default);
        let state = State {
            role,
            subscribing: Subscribing::No,
            leaving: false,
            pulling: false,
            fence: Fence::No,
            backlog: VecDeque::new(),
            blocked: false,
            publisher,
            responder: None,
            flows,
        };
        Self { link, session, state }
    }

    pub(super) fn role(&self) -> Role {
        self.state.role
    }

    pub(super) fn publishes(&self) -> bool {
        matches!(self.state.role, Role::Publisher(_))
    }

    pub(super) fn subscribe(&mut self) {
        self.state.subscribing = Subscribing::Wanted;
    }

    pub(super) fn is_subscribing(&self) -> bool {
        matches!(self.state.subscribing, Subscribing::Wanted | Subscribing::Sent(..))
    }

    /// Since when answers to SUBSCRIBE are awaited, and how many.
    pub(super) fn unsubscribed(&self) -> Option<(u64, u32)> {
        match self.state.subscribing {
            Subscribing::Sent(since, requests) => Some((since, requests)),
            _ => None,
        }
    }

    /// A publisher publishes from now on as long as there is room.
    pub(super) fn pull(&mut self) {
        self.state.pulling = matches!(self.state.role, Role::Publisher(_));
    }

    pub(super) fn fence(&mut self) {
        self.state.pulling = false;
        self.state.fence = Fence::Wanted;
    }

    pub(super) fn leave(&mut self) {
        self.state.leaving = true;
        self.state.pulling = false;
    }

    /// A message is due.
    pub(super) fn push(&mut self, intended: u64) {
        self.state.backlog.push_back(intended);
    }

    pub(super) fn backlog(&self) -> usize {
        self.state.backlog.len()
    }

    /// Publishes without an answer.
    pub(super) fn in_flight(&self) -> usize {
        self.session.unacknowledged()
    }

    /// Messages without an answer, with the time when they were due, the time when they were sent, and
    /// how many they are.
    pub(super) fn unanswered(&self) -> impl Iterator<Item = (u64, u64, u64)> {
        let under_way = self.state.publisher.iter().flat_map(|publisher| publisher.under_way.unanswered());
        under_way.map(|(message, count)| (message.intended, message.sent, count))
    }

    /// Messages that are due and not sent, with the time when they were due and the number of
    /// subscribers they would go to.
    pub(super) fn unsent(&self, plan: &Plan) -> impl Iterator<Item = (u64, u64)> {
        let next = self.state.publisher.as_ref().map_or(0, |publisher| publisher.sequence);
        let number = match self.state.role {
            Role::Publisher(number) => number,
            _ => 0,
        };
        self.state
            .backlog
            .iter()
            .zip(next..)
            .map(move |(intended, sequence)| (*intended, plan.receivers(number, sequence)))
    }

    /// Whether nothing of it is under way.
    pub(super) fn is_idle(&self) -> bool {
        self.state.backlog.is_empty()
            && self.session.is_idle()
            && self.state.fence == Fence::No
            && !self.state.has_requests()
    }

    /// One turn: everything that can be done now.
    ///
    /// # Errors
    /// Why the link has ended.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, shard: &mut Shard) -> Result<Turn, Error> {
        let waited = !self.state.backlog.is_empty();
        let mut turn = InTurn::new(&mut self.state, shard);
        let ended = self.link.poll(cx, &mut self.session, &mut turn);
        let unfinished = turn.is_unfinished();
        if self.state.backlog.is_empty() {
            self.state.blocked = false;
        } else if waited && !self.state.blocked && !self.state.leaving {
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
