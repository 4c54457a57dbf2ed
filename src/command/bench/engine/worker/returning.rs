//! Clients that lost their connection, or are disconnected on purpose, and reconnect, each after its own
//! pause. Their state is kept here, separate from the table of all clients, so that others have no cost.

use std::cmp::Reverse;
use std::collections::hash_map::Entry;
use std::collections::{BinaryHeap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll};
use std::time::Duration;

use super::super::client::{Dialer, is_resumed};
use super::super::crew::{Crew, Slot};
use super::super::shared::News;
use super::{ClientStage, Worker};
use crate::alarm::now;
use crate::client::options::Reconnect;
use crate::client::{Opened, ReconnectDecision};
use crate::command::bench::beside::{Beside, Ledger, StageRecords};
use crate::command::bench::config::{Load, Mode};
use crate::command::bench::impact::Impact;
use crate::command::bench::recorder::LatencyKind;
use crate::error::Error;

/// The clients of a thread that lost their connections.
pub(super) struct Returning {
    reconnect: Reconnect,
    /// By client index.
    outages: HashMap<u32, Outage>,
    /// When pauses end, and of which client.
    pauses: BinaryHeap<Reverse<(u64, u32)>>,
    comebacks: HashMap<u32, Attempts>,
    /// The groups of clients that will not reconnect, and when their connections were lost.
    ended: Vec<(u16, u64)>,
    /// The next disturbance that disconnects clients, and its time.
    next_cut: Option<(usize, u64)>,
    /// Disturbances that disconnect clients again after each reconnect, until these times.
    flapping: Vec<(usize, u64)>,
    /// Clients that are being disconnected stay away until this time.
    away_until: Option<u64>,
    /// When old requests of the closed loop were last given up.
    gave_up_at: u64,
}

/// The time from the loss of a connection until its client can resume.
struct Outage {
    since: u64,
    /// The window of the disturbance.
    window: usize,
    step: OutageStep,
}

enum OutageStep {
    Pause,
    Connecting(Dialer),
    /// The broker must confirm the renewed subscriptions.
    Subscribing,
}

struct Attempts {
    decision: ReconnectDecision,
    /// When the latest connection was made.
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
            next_cut: None,
            flapping: Vec::new(),
            away_until: None,
            gave_up_at: 0,
        }
    }

    /// Whether every client has a connection.
    pub(super) fn is_empty(&self) -> bool {
        self.outages.is_empty()
    }

    /// Whether a client has lost its connection and is not back.
    pub(super) fn is_away(&self, index: u32) -> bool {
        self.outages.contains_key(&index)
    }

    /// When there is work next.
    pub(super) fn next(&self) -> Option<u64> {
        self.next_pause().into_iter().chain(self.next_cut.map(|(_, time)| time)).min()
    }

    /// When the next pause ends.
    fn next_pause(&self) -> Option<u64> {
        self.pauses.peek().map(|Reverse((time, _))| *time)
    }
}

impl Worker {
    /// Handles the loss of a client's connection, or its disconnection on purpose, if it will reconnect.
    pub(super) fn begin_outage(&mut self, index: u32, error: Option<&Error>) {
        let place = &mut self.places[index as usize];
        let Slot::Open(client) = &mut place.slot else { return };
        let group = usize::from(place.group);
        client.lose_link(&mut self.crews[group].shard);
        let time = now();
        match self.returning.outages.entry(index) {
            // A connection that is lost before the client could resume belongs to the same outage.
            Entry::Occupied(outage) => outage.into_mut().step = OutageStep::Pause,
            Entry::Vacant(place) => {
                let impact = self.crews[group].shard.recorder.impact();
                let window = impact.map_or(0, |impact| impact.lose(time));
                place.insert(Outage { since: time, window, step: OutageStep::Pause });
            }
        }
        self.pause(index, error, time);
    }

    /// The pause before the next attempt, if there is one.
    fn pause(&mut self, index: u32, error: Option<&Error>, time: u64) {
        let Returning { reconnect, comebacks, away_until, pauses, .. } = &mut self.returning;
        if let Some(until) = *away_until {
            return pauses.push(Reverse((until, index)));
        }
        let attempts = comebacks
            .entry(index)
            .or_insert_with(|| Attempts { decision: ReconnectDecision::new(reconnect), up_since: None });
        let lived = attempts.up_since.take().map(|since| Duration::from_nanos(time.saturating_sub(since)));
        match attempts.decision.pause(error, lived) {
            Some(pause) => {
                let pause = u64::try_from(pause.as_nanos()).unwrap_or(u64::MAX);
                self.returning.pauses.push(Reverse((time.saturating_add(pause), index)));
            }
            None => self.give_up(index),
        }
    }

    /// Gives up the reconnects of a client.
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

    /// Reports the loss of the last client.
    pub(super) fn say_if_alone(&self) {
        let left = [&self.board.connected, &self.board.away].map(|count| count.load(Ordering::Relaxed));
        if left == [0, 0] {
            let _ = self.news.send(News::Alone);
        }
    }

    /// Prepares the disturbances and the optional records, when the timeline is known.
    pub(super) fn prepare_beside(&mut self) {
        let load = &self.fleet.load;
        let (disturbances, measure) = (&load.disturbances, self.timeline.measure);
        let is_disturbed = !disturbances.all.is_empty();
        let beside = Beside {
            impact: is_disturbed
                .then(|| Impact::new(measure, disturbances.marks(measure), &disturbances.away())),
            stages: (!load.stages.is_empty()).then(|| StageRecords::new(load.stage_marks(measure))),
            ledger: load.abort_after.map(|_| Ledger::new(measure)),
        };
        if !beside.is_empty() {
            for crew in &mut self.crews {
                crew.shard.recorder.beside = Some(Box::new(beside.clone()));
            }
            self.returning.next_cut = self.cut_at(0);
        }
    }

    /// When the disturbance with this number disconnects clients.
    fn cut_at(&self, number: usize) -> Option<(usize, u64)> {
        let cut = self.fleet.cuts.get(number)?;
        let impact = self.crews.first()?.shard.recorder.beside.as_ref()?.impact.as_ref()?;
        Some((number, impact.windows.get(cut.place + 1)?.began))
    }

    /// Disconnects clients when it is due, and reconnects those whose pause is over.
    pub(super) fn disturb(&mut self, time: u64) {
        while let Some((number, _)) = self.returning.next_cut.filter(|(_, due)| *due <= time) {
            self.returning.next_cut = self.cut_at(number + 1);
            self.begin_cut(number, time);
        }
        self.connect_again(time);
    }

    fn begin_cut(&mut self, number: usize, time: u64) {
        let fleet = Arc::clone(&self.fleet);
        let Some(cut) = fleet.cuts.get(number).filter(|_| self.stage == ClientStage::Running) else { return };
        if cut.length > 0 {
            self.returning.flapping.push((number, time.saturating_add(cut.length)));
        }
        self.returning.away_until = (cut.away > 0).then(|| time.saturating_add(cut.away));
        for index in 0..u32::try_from(self.places.len()).unwrap_or(u32::MAX) {
            let place = &self.places[index as usize];
            let is_hit = fleet.is_hit(cut, place.group, place.number);
            if is_hit && matches!(&place.slot, Slot::Open(client) if !client.is_away()) {
                self.cut_off(index);
            }
        }
        self.returning.away_until = None;
    }

    /// Closes a client's connection without DISCONNECT.
    fn cut_off(&mut self, index: u32) {
        let group = usize::from(self.places[index as usize].group);
        if let Some(impact) = self.crews[group].shard.recorder.impact() {
            impact.at(now()).cut += 1;
        }
        self.lose(index, None);
    }

    /// Whether a client is disconnected after each reconnect.
    fn is_flapping(&self, index: u32, time: u64) -> bool {
        let place = &self.places[index as usize];
        let mut flapping = self.returning.flapping.iter();
        self.stage == ClientStage::Running
            && flapping.any(|(number, until)| {
                let cut = self.fleet.cuts.get(*number).filter(|_| time < *until);
                cut.is_some_and(|cut| self.fleet.is_hit(cut, place.group, place.number))
            })
    }

    /// Reconnects clients whose pause is over.
    fn connect_again(&mut self, time: u64) {
        while self.returning.next_pause().is_some_and(|due| due <= time) {
            let Some(Reverse((_, index))) = self.returning.pauses.pop() else { return };
            let place = &self.places[index as usize];
            let Some(outage) = self.returning.outages.get_mut(&index) else { continue };
            outage.step =
                OutageStep::Connecting(Dialer::new(self.fleet.order(place.group, place.number, true)));
            self.poll_outage(index);
        }
    }

    /// A turn of a client without a connection.
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

    fn take_link(&mut self, index: u32, mut opened: Opened) {
        let place = &mut self.places[index as usize];
        let Slot::Open(client) = &mut place.slot else { return };
        let shard = &mut self.crews[usize::from(place.group)].shard;
        let is_resumed = is_resumed(&mut opened, self.fleet.load.resumes_tls);
        shard.recorder.times(&opened.times, is_resumed);
        let took = u64::try_from(opened.times.all().as_nanos()).unwrap_or(u64::MAX);
        shard.time_connection(now(), took);
        let window = self.returning.outages.get(&index).map_or(0, |outage| outage.window);
        let is_present = opened.connected.session_present;
        if let Some(window) = shard.recorder.impact().and_then(|impact| impact.windows.get_mut(window)) {
            let sessions = if is_present { &mut window.sessions_present } else { &mut window.sessions_lost };
            *sessions += 1;
        }
        let counts = &mut shard.recorder.counts;
        let sessions = if is_present { &mut counts.sessions_present } else { &mut counts.sessions_lost };
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
        self.check_resumed(index);
        // Its first turn, while its data is in the cache.
        self.take_turn(index);
    }

    /// Checks whether a reconnected client can resume.
    pub(super) fn check_resumed(&mut self, index: u32) {
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
        if let Some(impact) = recorder.impact() {
            impact.return_to(outage.window, time);
        }
        self.board.away.fetch_sub(1, Ordering::Relaxed);
        if self.is_flapping(index, time) {
            self.cut_off(index);
        }
    }

    /// Gives up requests that have waited for as long as the drain timeout, at most twice as long: a connection may have
    /// been lost with the request or its response, and the closed loop would wait for ever.
    pub(super) fn give_up_requests(&mut self, time: u64) {
        let load = &self.fleet.load;
        let wait = u64::try_from(load.drain.as_nanos()).unwrap_or(u64::MAX);
        if load.mode != Mode::Request
            || !load.reconnects()
            || time < self.returning.gave_up_at.saturating_add(wait)
        {
            return;
        }
        self.returning.gave_up_at = time;
        for place in &mut self.places {
            if let Slot::Open(client) = &mut place.slot
                && client.give_up_requests()
            {
                place.waker.wake_by_ref();
            }
        }
    }

    /// Records the clients that are not back at the end of the run.
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
        self.returning.next_cut = None;
        self.board.away.store(0, Ordering::Relaxed);
    }
}
