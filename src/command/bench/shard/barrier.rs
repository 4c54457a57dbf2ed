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

use super::super::config::{Configuration, Load};
use super::super::reference::ReferenceClock;
use super::assembly::Assembly;
use super::digest::digest;
use super::link::{BarrierLink, BarrierState, BarrierSubscription, json};
use super::part::SharedStart;
use super::record::ShardClock;
use super::timing::{ClockKeeper, identity};
use super::word::ShardFailure;
use crate::alarm::now;
use crate::client;
use crate::client::options::{ClientOptions, Reconnect, Will};
use crate::error::Error;
use crate::protocol::QoS;
use crate::protocol::property::PropertyBlock;

/// A machine that is gone is detected after 1.5 times this interval.
const KEEP_ALIVE_S: u16 = 10;
/// The running client at the barrier.
type BarrierClient = Pin<Box<dyn Future<Output = Result<(), Error>>>>;

/// The connection to the other shards.
#[allow(clippy::struct_excessive_bools, reason = "each is a state or a setting of its own")]
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
