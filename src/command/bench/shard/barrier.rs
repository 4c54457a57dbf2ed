//! The barrier: shards wait for each other at the broker, and learn of shards that fail. It is a further
//! client of each shard, which works while the director waits.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use serde::Serialize;

use super::super::config::{Configuration, Load};
use super::super::reference::ReferenceClock;
use super::assembly::Assembly;
use super::digest::digest;
use super::part::SharedStart;
use super::record::ShardClock;
use super::timing::{ClockKeeper, identity};
use super::word::{ShardDone, ShardFailure, ShardMessage, ShardPresence, TimeAnswer, TimeRequest, missed};
use crate::alarm::now;
use crate::client::handler::{Flow, Handler};
use crate::client::options::{ClientOptions, Reconnect, Will};
use crate::client::session::{Event, Session};
use crate::client::{self, Connected};
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
/// A machine that is gone is detected after 1.5 times this interval.
const KEEP_ALIVE_S: u16 = 10;
/// Maximum number of messages that wait for the broker.
const MOST_WAITING: usize = 1000;
/// Maximum size of a message that is read.
const MOST_BYTES: usize = 4096;

/// The results of the barrier so far.
#[derive(Debug, Default)]
struct BarrierResult {
    /// Shard 1 has admitted this shard, which may connect its clients.
    is_welcome: bool,
    /// When to start, in nanoseconds of the monotonic clock.
    start: Option<u64>,
    /// Why there is no start.
    refused: Option<Error>,
    /// The clients of all shards have received all messages.
    are_all_done: bool,
    /// The first shard that failed, before or after the start, and why.
    failed: Option<(u32, String)>,
    /// What is to be said: the shards that shard 1 waits for, as last reported, or that the others are no longer heard.
    waiting: String,
    said: String,
}

/// The director's requests to the barrier's client.
#[derive(Debug, Default)]
struct BarrierRequest {
    /// Since when the clients are connected and subscribed.
    ready_since: Option<u64>,
    /// The clients of this shard have received all messages.
    is_done: bool,
    /// The failure to report to the others.
    failure: Option<String>,
    is_over: bool,
}

#[derive(Debug, Default)]
struct BarrierState {
    heard: BarrierResult,
    wanted: BarrierRequest,
    /// Of a load whose stamps are in the clock of shard 1, and of the other shards.
    keeper: Option<ClockKeeper>,
}

impl BarrierState {
    /// The clients are connected and subscribed, and the clock is known.
    fn is_ready(&self, time: u64) -> bool {
        self.wanted.ready_since.is_some() && self.keeper.as_ref().is_none_or(|keeper| keeper.is_settled(time))
    }
}

/// The running client at the barrier.
type BarrierClient = Pin<Box<dyn Future<Output = Result<(), Error>>>>;

/// The connection to the other shards.
pub(in crate::command::bench) struct ShardBarrier {
    shared: Rc<RefCell<BarrierState>>,
    client: Option<BarrierClient>,
    /// The clock that stamps are in.
    clock: Arc<ReferenceClock>,
    number: u32,
    limit: Duration,
    stops: bool,
    /// Lost connections are part of the load's result.
    reconnects: bool,
    is_over: bool,
    is_shown: bool,
}

impl ShardBarrier {
    /// The barrier of a load whose shards wait for each other.
    pub(in crate::command::bench) fn of(
        load: &Load,
        configuration: impl FnOnce(&Load) -> Configuration,
    ) -> Option<Self> {
        let (own, options) = (load.shard.as_ref()?, &load.client);
        let SharedStart::Barrier { topic, limit, stops } = &own.start else { return None };
        let configuration = digest(load, &configuration(load));
        let base = format!("{topic}/{}", own.run_id);
        let token = fastrand::u64(..);
        let clock = Arc::new(ReferenceClock::new(own.clock_shift));
        let needs_clock = own.number > 1 && load.needs_one_clock();
        let keeper = needs_clock.then(|| ClockKeeper::new(Arc::clone(&clock), token, own.of));
        let shared = Rc::new(RefCell::new(BarrierState { keeper, ..BarrierState::default() }));
        let will = Will {
            topic: format!("{base}/failed/{}", own.number),
            payload: json(&ShardFailure::gone(token)),
            qos: QoS::AtLeastOnce,
            retain: false,
            properties: PropertyBlock::default(),
        };
        // Different in each process: two processes with the same shard number must not close each other's
        // connection before the error names them.
        let first = if options.client_identifier.is_empty() { "bench" } else { &*options.client_identifier };
        let identifier = format!("{first}-b{:010x}", token >> 24);
        let options = ClientOptions {
            client_identifier: identifier,
            clean_start: true,
            session_expiry_interval: None,
            will: Some(will),
            keep_alive: if options.keep_alive == 0 {
                KEEP_ALIVE_S
            } else {
                options.keep_alive.min(KEEP_ALIVE_S)
            },
            reconnect: Reconnect::NEVER,
            ..options.clone()
        };
        let mut link = BarrierLink {
            shared: Rc::clone(&shared),
            base,
            number: own.number,
            of: own.of,
            token,
            configuration: configuration.clone(),
            limit: *limit,
            reconnects: load.reconnects(),
            assembly: (own.number == 1).then(|| Assembly::new(own.of, configuration)),
            subscribing: BarrierSubscription::No,
            next_word: 0,
            has_said_ready: false,
            has_said_done: false,
            began: now(),
            outbox: VecDeque::new(),
            clock: Arc::clone(&clock),
            questions: VecDeque::new(),
        };
        let client = Some(Box::pin(async move { client::run(&options, &mut link).await }) as BarrierClient);
        let (number, limit, stops, is_over, is_shown) = (own.number, *limit, *stops, false, false);
        let reconnects = load.reconnects();
        Some(Self { shared, client, clock, number, limit, stops, reconnects, is_over, is_shown })
    }

    /// Continues its work.
    pub(in crate::command::bench) fn poll(&mut self, cx: &mut Context<'_>) {
        let Some(client) = &mut self.client else { return };
        let Poll::Ready(ended) = client.as_mut().poll(cx) else { return };
        self.client = None;
        let mut shared = self.shared.borrow_mut();
        if let (Err(error), false) = (ended, shared.wanted.is_over) {
            let why = format!("the connection for --barrier ended: {error}");
            if shared.heard.start.is_none() {
                shared.heard.refused.get_or_insert(error);
            } else if self.reconnects {
                shared.heard.waiting = format!("{why}; this shard no longer hears of the others");
            } else {
                shared.heard.failed.get_or_insert((self.number, why));
            }
        }
    }

    /// The clock that stamps are in.
    pub(in crate::command::bench) fn clock(&self) -> Arc<ReferenceClock> {
        Arc::clone(&self.clock)
    }

    /// The load is over, and the clocks are compared once more.
    pub(in crate::command::bench) fn load_is_over(&mut self) {
        self.is_over = true;
        // It has ended the load, and the report says so.
        self.is_shown |= self.stops && self.shared.borrow().heard.failed.is_some();
        if let Some(keeper) = &mut self.shared.borrow_mut().keeper {
            keeper.load_is_over();
        }
    }

    /// What is known of the clock, for a measurement between these times.
    pub(in crate::command::bench) fn clock_record(&self, measured: (u64, u64)) -> ShardClock {
        match &self.shared.borrow().keeper {
            Some(keeper) => keeper.record(measured),
            None if self.number == 1 => ShardClock::reference(identity(&self.clock)),
            None => ShardClock { identity: identity(&self.clock), ..ShardClock::default() },
        }
    }

    /// Records that the clients of this shard are connected and subscribed.
    pub(in crate::command::bench) fn ready(&self) {
        self.shared.borrow_mut().wanted.ready_since.get_or_insert_with(now);
    }

    /// Records that the clients of this shard have received all messages.
    pub(in crate::command::bench) fn done(&self) {
        self.shared.borrow_mut().wanted.is_done = true;
    }

    /// Whether the clients of no other shard still receive messages: all are done, or one has failed and will never be.
    pub(in crate::command::bench) fn are_others_done(&self) -> bool {
        let shared = self.shared.borrow();
        shared.heard.are_all_done || shared.heard.failed.is_some() || self.client.is_none()
    }

    /// Maximum wait for other shards.
    pub(in crate::command::bench) fn limit(&self) -> Duration {
        self.limit
    }

    /// Whether shard 1 has admitted this shard, which may then connect its clients.
    pub(in crate::command::bench) fn is_welcome(&self) -> bool {
        self.shared.borrow().heard.is_welcome
    }

    /// When all start, once that is known.
    pub(in crate::command::bench) fn start(&self) -> Option<u64> {
        self.shared.borrow().heard.start
    }

    /// Whether the start, or that there is none, has been decided.
    pub(in crate::command::bench) fn has_decided(&self) -> bool {
        let shared = self.shared.borrow();
        let heard = &shared.heard;
        heard.start.is_some() || heard.refused.is_some() || (self.stops && heard.failed.is_some())
    }

    /// Why there is no start.
    pub(in crate::command::bench) fn take_refusal(&self) -> Option<Error> {
        let mut shared = self.shared.borrow_mut();
        if let Some(error) = shared.heard.refused.take() {
            return Some(error);
        }
        let (number, why) = shared.heard.failed.clone().filter(|_| self.stops)?;
        shared.heard.start.is_none().then(|| failed_before(number, &why))
    }

    /// The shard that failed after the start, if that ends the run of this one.
    pub(in crate::command::bench) fn end(&self) -> Option<String> {
        if self.is_over {
            return None;
        }
        let (shard, why) = self.shared.borrow().heard.failed.clone().filter(|_| self.stops)?;
        Some(format!("shard {shard} failed: {why}"))
    }

    /// The shard that failed, if this one continues; returned once.
    pub(in crate::command::bench) fn take_warning(&mut self) -> Option<String> {
        let goes_on = !self.stops || self.is_over;
        let failed = self.shared.borrow().heard.failed.clone().filter(|_| goes_on && !self.is_shown)?;
        self.is_shown = true;
        let then = if self.is_over { "after the load" } else { "this shard continues" };
        Some(format!("shard {} failed: {}; {then}", failed.0, failed.1))
    }

    /// The shards that shard 1 waits for; returned once per change.
    pub(in crate::command::bench) fn take_waiting(&self) -> Option<String> {
        let heard = &mut self.shared.borrow_mut().heard;
        let is_said = heard.waiting.is_empty() || heard.waiting == heard.said;
        (!is_said).then(|| {
            heard.said.clone_from(&heard.waiting);
            if heard.start.is_some() {
                heard.waiting.clone()
            } else {
                format!("waiting for the other shards: {}", heard.waiting)
            }
        })
    }

    /// Ends the barrier, and tells the others why, if this shard has failed; ready when that is done.
    pub(in crate::command::bench) fn poll_close(
        &mut self,
        cx: &mut Context<'_>,
        failure: Option<&str>,
    ) -> bool {
        {
            let mut shared = self.shared.borrow_mut();
            shared.wanted.is_over = true;
            if let Some(why) = failure {
                shared.wanted.failure.get_or_insert_with(|| why.to_owned());
            }
        }
        self.poll(cx);
        self.client.is_none()
    }
}

fn failed_before(shard: u32, why: &str) -> Error {
    let cause = std::io::Error::other(format!("shard {shard} failed: {why}"));
    Error::file("the run was not started", cause)
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BarrierSubscription {
    No,
    Sent,
    Done,
}

/// The client of a shard at the barrier.
struct BarrierLink {
    shared: Rc<RefCell<BarrierState>>,
    /// The prefix of all topics of the run.
    base: String,
    number: u32,
    of: u32,
    token: u64,
    configuration: String,
    limit: Duration,
    /// Lost connections are part of the load's result, and a shard that lost its own may come back.
    reconnects: bool,
    /// Only in shard 1.
    assembly: Option<Assembly>,
    subscribing: BarrierSubscription,
    /// When to repeat the messages.
    next_word: u64,
    /// It has reported that its clients are connected.
    has_said_ready: bool,
    /// It has reported that its clients have received all messages.
    has_said_done: bool,
    /// When it started to wait for shard 1.
    began: u64,
    /// Topics and payloads to send.
    outbox: VecDeque<(String, Vec<u8>)>,
    clock: Arc<ReferenceClock>,
    /// What other shards have asked shard 1, and when it heard that.
    questions: VecDeque<(u32, TimeRequest, u64)>,
}

fn json(value: &impl Serialize) -> Vec<u8> {
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
