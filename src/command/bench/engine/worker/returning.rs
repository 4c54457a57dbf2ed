//! Clients that have lost their link and come back, each after a pause of its own. What only they need is kept
//! here, beside the table of all clients, so that the others do not pay for it.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use super::super::client::Dialer;
use super::super::crew::{Crew, Slot};
use super::super::shared::News;
use super::Worker;
use crate::alarm::now;
use crate::client::options::Reconnect;
use crate::client::{Comeback, Opened};
use crate::command::bench::config::Load;
use crate::command::bench::recorder::LatencyKind;
use crate::error::Error;

/// The clients of a thread that have lost their links.
pub(super) struct Returning {
    reconnect: Reconnect,
    /// By the client's place.
    outages: HashMap<u32, Outage>,
    /// When pauses end, and whose.
    pauses: BinaryHeap<Reverse<(u64, u32)>>,
    comebacks: HashMap<u32, Attempts>,
    /// The groups of those that are not to come back, and when their links were lost.
    ended: Vec<(u16, u64)>,
}

/// From the loss of a link until its client can go on.
struct Outage {
    since: u64,
    step: OutageStep,
}

enum OutageStep {
    Pause,
    Connecting(Dialer),
    /// The broker has to confirm the subscriptions again.
    Subscribing,
}

struct Attempts {
    comeback: Comeback,
    /// When the latest link came up.
    up_since: Option<u64>,
}

impl Returning {
    pub(super) fn new(load: &Load) -> Self {
        Self {
            reconnect: load.client.reconnect,
            outages: HashMap::new(),
            pauses: BinaryHeap::new(),
            comebacks: HashMap::new(),
            ended: Vec::new(),
        }
    }

    /// Whether every client has a link.
    pub(super) fn is_empty(&self) -> bool {
        self.outages.is_empty()
    }

    /// When the next pause ends.
    pub(super) fn next(&self) -> Option<u64> {
        self.pauses.peek().map(|Reverse((time, _))| *time)
    }
}

impl Worker {
    /// A client has lost its link, or is cut off from here, and is to come back.
    pub(super) fn begin_outage(&mut self, index: u32, error: Option<&Error>) {
        let place = &mut self.places[index as usize];
        let Slot::Open(client) = &mut place.slot else { return };
        client.lose_link(&mut self.crews[usize::from(place.group)].shard);
        let time = now();
        let outage = self.returning.outages.entry(index);
        let is_new = matches!(outage, std::collections::hash_map::Entry::Vacant(_));
        // One that is lost before the client could go on is still the same outage.
        outage.or_insert(Outage { since: time, step: OutageStep::Pause }).step = OutageStep::Pause;
        if is_new {
            self.board.away.fetch_add(1, Ordering::Relaxed);
        }
        self.pause(index, error, time);
    }

    /// The pause before the next attempt, if there is to be one.
    fn pause(&mut self, index: u32, error: Option<&Error>, time: u64) {
        let Returning { reconnect, comebacks, .. } = &mut self.returning;
        let attempts = comebacks
            .entry(index)
            .or_insert_with(|| Attempts { comeback: Comeback::new(reconnect), up_since: None });
        let lived = attempts.up_since.take().map(|since| Duration::from_nanos(time.saturating_sub(since)));
        match attempts.comeback.pause(error, lived) {
            Some(pause) => {
                let pause = u64::try_from(pause.as_nanos()).unwrap_or(u64::MAX);
                self.returning.pauses.push(Reverse((time.saturating_add(pause), index)));
            }
            None => self.give_up(index),
        }
    }

    /// A client does not come back.
    fn give_up(&mut self, index: u32) {
        let place = &mut self.places[index as usize];
        if let Slot::Open(client) = std::mem::replace(&mut place.slot, Slot::Gone) {
            let Crew { shard, abandoned, .. } = &mut self.crews[usize::from(place.group)];
            abandoned.take(&client, shard);
        }
        let group = place.group;
        let outage = self.returning.outages.remove(&index);
        self.returning.ended.extend(outage.map(|outage| (group, outage.since)));
        self.board.away.fetch_sub(1, Ordering::Relaxed);
        self.say_if_alone();
        self.end_without_publishers();
    }

    /// The last client is gone.
    pub(super) fn say_if_alone(&self) {
        let left = [&self.board.connected, &self.board.away].map(|count| count.load(Ordering::Relaxed));
        if left == [0, 0] {
            let _ = self.news.send(News::Alone);
        }
    }

    /// Connects those whose pause is over.
    pub(super) fn connect_again(&mut self, time: u64) {
        while self.returning.next().is_some_and(|due| due <= time) {
            let Some(Reverse((_, index))) = self.returning.pauses.pop() else { return };
            let place = &self.places[index as usize];
            let Some(outage) = self.returning.outages.get_mut(&index) else { continue };
            outage.step =
                OutageStep::Connecting(Dialer::new(self.fleet.order(place.group, place.number, true)));
            self.poll_outage(index);
        }
    }

    /// A turn of a client without a link.
    pub(super) fn poll_outage(&mut self, index: u32) {
        let place = &mut self.places[index as usize];
        let Some(Outage { step: OutageStep::Connecting(dialer), .. }) =
            self.returning.outages.get_mut(&index)
        else {
            return;
        };
        let Poll::Ready(outcome) = dialer.poll(&mut Context::from_waker(&place.waker)) else { return };
        match outcome {
            Ok(opened) => self.take_link(index, opened),
            Err(error) => {
                let recorder = &mut self.crews[usize::from(place.group)].shard.recorder;
                recorder.counts.failed_reconnects += 1;
                recorder.error(error.to_string());
                if let Some(outage) = self.returning.outages.get_mut(&index) {
                    outage.step = OutageStep::Pause;
                }
                self.pause(index, Some(&error), now());
            }
        }
    }

    fn take_link(&mut self, index: u32, opened: Opened) {
        let place = &mut self.places[index as usize];
        let Slot::Open(client) = &mut place.slot else { return };
        let shard = &mut self.crews[usize::from(place.group)].shard;
        let recorder = &mut shard.recorder;
        recorder.times(&opened.times);
        let counts = &mut recorder.counts;
        let sessions = if opened.connected.session_present {
            &mut counts.sessions_present
        } else {
            &mut counts.sessions_lost
        };
        *sessions += 1;
        let resent = client.take_link(opened, shard);
        shard.recorder.counts.resent += resent as u64;
        self.board.connected.fetch_add(1, Ordering::Relaxed);
        if let Some(attempts) = self.returning.comebacks.get_mut(&index) {
            attempts.up_since = Some(now());
        }
        if let Some(outage) = self.returning.outages.get_mut(&index) {
            outage.step = OutageStep::Subscribing;
        }
        self.look_back(index);
        // Its first turn, while all of it is at hand.
        self.take_turn(index);
    }

    /// Whether a client that has a link again can go on.
    pub(super) fn look_back(&mut self, index: u32) {
        let place = &self.places[index as usize];
        let Slot::Open(client) = &place.slot else { return };
        if client.is_away() || client.is_subscribing() {
            return;
        }
        let Some(outage) = self.returning.outages.remove(&index) else { return };
        let time = now();
        let recorder = &mut self.crews[usize::from(place.group)].shard.recorder;
        recorder.counts.reconnected += 1;
        recorder.second.reconnected += 1;
        recorder.record(LatencyKind::Back, time.saturating_sub(outage.since));
        self.board.away.fetch_sub(1, Ordering::Relaxed);
    }

    /// The run ends at this time: who is not back until then, is not.
    pub(super) fn end_outages(&mut self, time: u64) {
        let outages = std::mem::take(&mut self.returning.outages);
        for index in outages.keys() {
            let place = &mut self.places[*index as usize];
            if matches!(&place.slot, Slot::Open(client) if client.is_away()) {
                place.slot = Slot::Gone;
            }
        }
        let ended = std::mem::take(&mut self.returning.ended);
        let away = outages.iter().map(|(index, outage)| (self.places[*index as usize].group, outage.since));
        for (group, since) in away.chain(ended) {
            let recorder = &mut self.crews[usize::from(group)].shard.recorder;
            recorder.counts.away += 1;
            recorder.wait(LatencyKind::Back, time.saturating_sub(since), 1);
        }
        self.returning.pauses.clear();
        self.board.away.store(0, Ordering::Relaxed);
    }
}
