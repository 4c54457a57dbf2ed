//! The client of a shard at the barrier: what it tells the other shards and hears from them.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use serde::Serialize;

use super::super::reference::ReferenceClock;
use super::assembly::Assembly;
use super::timing::{ClockKeeper, identity};
use super::word::{ShardDone, ShardFailure, ShardMessage, ShardPresence, TimeAnswer, TimeRequest, missed};
use crate::alarm::now;
use crate::client::Connected;
use crate::client::handler::{Flow, Handler};
use crate::client::session::{Event, Session};
use crate::error::{Error, Layer};
use crate::notation::printable;
use crate::protocol::QoS;
use crate::protocol::property::PropertyBlock;
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{PublishTemplate, Subscription};
use crate::quantity::duration;

/// The interval of presence messages, and of shard 1's messages on missing shards.
const EVERY: u64 = 1_000_000_000;
/// The additional wait of a shard for shard 1, compared with shard 1's wait for it.
const GRACE: u64 = 5_000_000_000;
/// Maximum number of messages that wait for the broker.
const MOST_WAITING: usize = 1000;
/// Maximum size of a message that is read.
const MOST_BYTES: usize = 4096;

/// The results of the barrier so far.
#[derive(Debug, Default)]
pub(super) struct BarrierResult {
    /// Shard 1 has admitted this shard, which may connect its clients.
    pub(super) is_welcome: bool,
    /// When to start, in nanoseconds of the monotonic clock.
    pub(super) start: Option<u64>,
    /// Why there is no start.
    pub(super) refused: Option<Error>,
    /// The clients of all shards have received all messages.
    pub(super) are_all_done: bool,
    /// The first shard that failed, before or after the start, and why.
    pub(super) failed: Option<(u32, String)>,
    /// What is to be said: the shards that shard 1 waits for, as last reported, or that the others are no longer heard.
    pub(super) waiting: String,
    pub(super) said: String,
}

/// The director's requests to the barrier's client.
#[derive(Debug, Default)]
pub(super) struct BarrierRequest {
    /// Since when the clients are connected and subscribed.
    pub(super) ready_since: Option<u64>,
    /// The clients of this shard have received all messages.
    pub(super) is_done: bool,
    /// The failure to report to the others.
    pub(super) failure: Option<String>,
    pub(super) is_over: bool,
}

#[derive(Debug, Default)]
pub(super) struct BarrierState {
    pub(super) heard: BarrierResult,
    pub(super) wanted: BarrierRequest,
    /// Of a load whose stamps are in the clock of shard 1, and of the other shards.
    pub(super) keeper: Option<ClockKeeper>,
}

impl BarrierState {
    /// The clients are connected and subscribed, and the clock is known.
    fn is_ready(&self, time: u64) -> bool {
        self.wanted.ready_since.is_some() && self.keeper.as_ref().is_none_or(|keeper| keeper.is_settled(time))
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BarrierSubscription {
    No,
    Sent,
    Done,
}

/// The client of a shard at the barrier.
pub(super) struct BarrierLink {
    pub(super) shared: Rc<RefCell<BarrierState>>,
    /// The prefix of all topics of the run.
    pub(super) base: String,
    pub(super) number: u32,
    pub(super) of: u32,
    pub(super) token: u64,
    pub(super) configuration: String,
    pub(super) limit: Duration,
    /// Lost connections are part of the load's result, and a shard that lost its own may come back.
    pub(super) reconnects: bool,
    /// Only in shard 1.
    pub(super) assembly: Option<Assembly>,
    pub(super) subscribing: BarrierSubscription,
    /// When to repeat the messages.
    pub(super) next_word: u64,
    /// It has reported that its clients are connected.
    pub(super) has_said_ready: bool,
    /// It has reported that its clients have received all messages.
    pub(super) has_said_done: bool,
    /// When it started to wait for shard 1.
    pub(super) began: u64,
    /// Topics and payloads to send.
    pub(super) outbox: VecDeque<(String, Vec<u8>)>,
    pub(super) clock: Arc<ReferenceClock>,
    /// What other shards have asked shard 1, and when it heard that.
    pub(super) questions: VecDeque<(u32, TimeRequest, u64)>,
}

pub(super) fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default() // cannot fail for numbers and texts
}

impl BarrierLink {
    fn say(&mut self, topic: &str, value: &impl Serialize) {
        let message = (format!("{}/{topic}", self.base), json(value));
        // One message of each kind is enough, for any number of requests.
        if self.outbox.len() < MOST_WAITING && !self.outbox.contains(&message) {
            self.outbox.push_back(message);
        }
    }

    /// Sends messages, as far as the window allows.
    fn send(&mut self, session: &mut Session, out: &mut BytesMut) -> Result<(), Error> {
        while session.can_publish(QoS::AtLeastOnce) {
            let Some((topic, payload)) = self.outbox.pop_front() else { break };
            let none = PropertyBlock::default();
            let template =
                PublishTemplate::new(session.protocol(), topic.as_bytes(), QoS::AtLeastOnce, false, &none);
            session.publish(out, &Arc::new(template), &payload, || None, 0)?;
        }
        Ok(())
    }

    /// Asks shard 1 for the time, and as shard 1 answers. What is lost of that is asked again.
    fn tell_time(&mut self, session: &mut Session, out: &mut BytesMut) -> Result<(), Error> {
        let (base, protocol, none) = (&self.base, session.protocol(), PropertyBlock::default());
        let mut send = |topic: String, payload: Vec<u8>| {
            let topic = format!("{base}/{topic}");
            let template = PublishTemplate::new(protocol, topic.as_bytes(), QoS::AtMostOnce, false, &none);
            session.publish(out, &Arc::new(template), &payload, || None, 0).map(|_| ())
        };
        let mut shared = self.shared.borrow_mut();
        let is_welcome = shared.heard.is_welcome;
        if let Some(keeper) = shared.keeper.as_mut().filter(|_| is_welcome)
            && let Some(question) = keeper.due(now())
        {
            send(format!("ask/{}", self.number), json(&question))?;
        }
        for (shard, TimeRequest { token, number }, heard_ns) in self.questions.drain(..) {
            let clock = identity(&self.clock);
            let answered_ns = self.clock.own(now());
            let answer = TimeAnswer { token, number, heard_ns, answered_ns, clock };
            send(format!("time/{shard}"), json(&answer))?;
        }
        Ok(())
    }

    /// Sends periodic messages: this shard's presence, and in shard 1 the missing shards.
    fn say_what_is_due(&mut self) {
        let time = now();
        let (ready_since, is_started, is_ready, is_done) = {
            let shared = self.shared.borrow();
            let is_done = shared.wanted.is_done && !shared.heard.are_all_done;
            (shared.wanted.ready_since, shared.heard.start.is_some(), shared.is_ready(time), is_done)
        };
        if is_done {
            self.has_said_done = true;
            self.say(&format!("done/{}", self.number), &ShardDone { token: self.token });
        }
        if !is_started {
            self.has_said_ready = is_ready;
            let presence = ShardPresence {
                token: self.token,
                of: self.of,
                configuration: self.configuration.clone(),
                is_ready: self.has_said_ready,
            };
            self.say(&format!("present/{}", self.number), &presence);
        }
        let limit = u64::try_from(self.limit.as_nanos()).unwrap_or(u64::MAX);
        let is_welcome = self.shared.borrow().heard.is_welcome;
        let since = if is_welcome { ready_since } else { Some(self.began) };
        let waited = since.map_or(0, |since| time.saturating_sub(since));
        match self.assembly.as_mut().filter(|assembly| !assembly.is_started()) {
            Some(assembly) if !assembly.is_empty() => {
                let word = assembly.word(self.clock.own(time), waited > limit);
                self.say("all", &word);
            }
            Some(_) if waited > limit => self.refuse_unheard("this shard's own messages"),
            None if !is_started && self.number != 1 && waited > limit.saturating_add(GRACE) => {
                if is_welcome {
                    self.refuse_unheard("the start, which shard 1 publishes");
                } else {
                    self.hear(&ShardMessage::Expired { missing: vec![1], unready: Vec::new() });
                }
            }
            Some(_) | None => {}
        }
    }

    /// Ends the wait for messages that the broker does not deliver.
    fn refuse_unheard(&mut self, what: &str) {
        let limit = duration(self.limit);
        let error =
            Error::timed_out(format!("after {limit} at the barrier: the broker did not deliver {what}"))
                .with_hint(format!("may this user publish and subscribe below {}?", self.base));
        self.shared.borrow_mut().heard.refused.get_or_insert(error);
    }

    /// Handles a message from shard 1 to all.
    fn hear(&mut self, word: &ShardMessage) {
        let mut shared = self.shared.borrow_mut();
        let BarrierState { heard, keeper, .. } = &mut *shared;
        if matches!(word, ShardMessage::Done) {
            heard.are_all_done |= heard.start.is_some();
            return;
        }
        if heard.start.is_some() {
            return;
        }
        let other = |why: String| Error::file("the run was not started", std::io::Error::other(why));
        let refused = match word {
            ShardMessage::Waiting { ready, missing, unready } => {
                heard.waiting =
                    format!("{ready} of {} ready, {}", self.of, missed(missing, unready, self.of));
                return;
            }
            // It is meant for the shards that were admitted before.
            ShardMessage::Start { .. } if !heard.is_welcome => return,
            ShardMessage::Start { in_ms, at_ns } => {
                let is_known = self.number == 1 || keeper.as_ref().is_some_and(ClockKeeper::is_known);
                let time = now();
                let after = time.saturating_add(in_ms.saturating_mul(1_000_000));
                // With known clocks all start at the same instant, whenever this message arrives.
                heard.start =
                    Some(if is_known { self.clock.when(*at_ns).max(time).min(after) } else { after });
                return;
            }
            ShardMessage::Expired { missing, unready } => {
                let missed = missed(missing, unready, self.of);
                let limit = duration(self.limit);
                Error::timed_out(format!("after {limit} at the barrier: {missed}"))
                    .with_hint("--barrier-timeout waits longer")
            }
            ShardMessage::Late { token, after_ms } if *token == self.token => {
                let after = duration(Duration::from_millis(*after_ms));
                other(format!("shard {} is late: the others started {after} earlier", self.number))
            }
            ShardMessage::Welcome { token } => {
                heard.is_welcome |= *token == self.token;
                return;
            }
            ShardMessage::Late { .. } | ShardMessage::Done => return,
            ShardMessage::Doubled { shard } => other(format!("two processes are shard {shard}"))
                .with_hint("is the run identifier of an earlier run used again?"),
            ShardMessage::Foreign { shard } => {
                other(format!("shard {shard} has other options than shard 1, or another number of shards"))
            }
        };
        heard.refused.get_or_insert(refused);
    }

    fn message(&mut self, topic: &str, payload: &[u8]) {
        let Some(rest) = topic.strip_prefix(&*self.base).and_then(|rest| rest.strip_prefix('/')) else {
            return;
        };
        if payload.len() > MOST_BYTES {
            return;
        }
        let number = |text: &str| text.parse::<u32>().ok();
        if rest == "all" || rest.strip_prefix("to/").and_then(number) == Some(self.number) {
            if let Ok(word) = serde_json::from_slice::<ShardMessage>(payload) {
                self.hear(&word);
            }
        } else if let Some(shard) = rest.strip_prefix("present/").and_then(number) {
            if let (Some(assembly), Ok(presence)) = (&mut self.assembly, serde_json::from_slice(payload)) {
                let known = (assembly.count(), assembly.is_complete());
                let answer = assembly.present(shard, &presence, self.clock.own(now()));
                // At once, but not again for each message of this shard that comes back.
                let is_news = known != (assembly.count(), assembly.is_complete());
                if is_news && !assembly.is_started() && (assembly.is_complete() || shard == self.number) {
                    self.next_word = 0;
                }
                match answer {
                    Some(word @ (ShardMessage::Welcome { .. } | ShardMessage::Late { .. })) => {
                        self.say(&format!("to/{shard}"), &word);
                    }
                    Some(word) => self.say("all", &word),
                    None => {}
                }
            }
        } else if let Some(shard) = rest.strip_prefix("done/").and_then(number) {
            if let (Some(assembly), Ok(done)) = (&mut self.assembly, serde_json::from_slice(payload))
                && assembly.done(shard, done)
            {
                self.say("all", &ShardMessage::Done);
            }
        } else if let Some(shard) = rest.strip_prefix("ask/").and_then(number) {
            if let Ok(question) = serde_json::from_slice(payload)
                && self.questions.len() < MOST_WAITING
                && (1..=self.of).contains(&shard)
            {
                self.questions.push_back((shard, question, self.clock.own(now())));
            }
        } else if rest.strip_prefix("time/").and_then(number) == Some(self.number) {
            let time = now();
            let shared = &mut *self.shared.borrow_mut();
            if let (Some(keeper), Ok(answer)) = (&mut shared.keeper, serde_json::from_slice(payload)) {
                keeper.hear(&answer, time);
            }
        } else if let Some(shard) = rest.strip_prefix("failed/").and_then(number)
            && let Ok(failure) = serde_json::from_slice::<ShardFailure>(payload)
            && failure.token != self.token
        {
            if let Some(assembly) = &mut self.assembly {
                assembly.gone(shard, &failure);
            }
            let mut shared = self.shared.borrow_mut();
            if !failure.is_gone || shared.heard.start.is_some() && !self.reconnects {
                let why = ShardFailure::new(failure.token, &failure.why).why;
                shared.heard.failed.get_or_insert((shard, printable(&why)));
            }
        }
    }
}

impl Handler for BarrierLink {
    fn on_connected(&mut self, _: &mut Session, _: &Connected) -> Result<(), Error> {
        self.subscribing = BarrierSubscription::No;
        Ok(())
    }

    fn poll_fill(
        &mut self,
        _: &mut Context<'_>,
        session: &mut Session,
        out: &mut BytesMut,
    ) -> Poll<Result<(), Error>> {
        // The director polls often enough, and this is polled with it.
        let (failure, is_over, is_ready, is_done) = {
            let mut shared = self.shared.borrow_mut();
            let is_ready = shared.is_ready(now());
            (shared.wanted.failure.take(), shared.wanted.is_over, is_ready, shared.wanted.is_done)
        };
        if let Some(why) = failure {
            let failure = ShardFailure::new(self.token, &why);
            self.say(&format!("failed/{}", self.number), &failure);
        }
        if is_over {
            self.send(session, out)?;
            return if self.outbox.is_empty() { Poll::Ready(Ok(())) } else { Poll::Pending };
        }
        match self.subscribing {
            BarrierSubscription::No => {
                let [to, time] = ["to", "time"].map(|what| format!("{what}/{}", self.number));
                let last: &[&str] =
                    if self.number == 1 { &["present/+", "ask/+", "done/+"] } else { &[&time] };
                let own = ["all", "failed/+", &to];
                let own = own.iter().chain(last).map(|topic| format!("{}/{topic}", self.base));
                let own: Vec<String> = own.collect();
                let subscriptions: Vec<_> = own
                    .iter()
                    .map(|filter| Subscription {
                        filter,
                        qos: QoS::AtLeastOnce,
                        no_local: false,
                        retain_as_published: false,
                        retain_handling: 2,
                    })
                    .collect();
                session.subscribe(out, &subscriptions, &PropertyBlock::default(), 0);
                self.subscribing = BarrierSubscription::Sent;
            }
            BarrierSubscription::Sent => {}
            BarrierSubscription::Done => {
                let time = now();
                let has_news = is_ready && !self.has_said_ready || is_done && !self.has_said_done;
                if time >= self.next_word || has_news {
                    self.next_word = time + EVERY;
                    self.say_what_is_due();
                }
                self.send(session, out)?;
                self.tell_time(session, out)?;
            }
        }
        Poll::Pending
    }

    fn on_event(&mut self, event: Event<'_>) -> Result<Flow, Error> {
        match event {
            Event::Message(publish) => {
                if let Ok(topic) = std::str::from_utf8(publish.topic) {
                    self.message(topic, publish.payload);
                }
            }
            Event::Subscribed { reasons, .. } => {
                if let Some(refused) = reasons.iter().find(|reason| ReasonCode(**reason).is_failure()) {
                    let why = format!(
                        "the broker refused the subscription to {}/#, of --barrier: {}",
                        self.base,
                        ReasonCode(*refused)
                    );
                    return Err(Error::fatal(Layer::Mqtt, why));
                }
                self.subscribing = BarrierSubscription::Done;
            }
            Event::Published { reason, .. } if reason.is_failure() => {
                let why = format!("the broker refused a message below {}, of --barrier: {reason}", self.base);
                return Err(Error::fatal(Layer::Mqtt, why));
            }
            _ => {}
        }
        Ok(Flow::Continue)
    }
}
