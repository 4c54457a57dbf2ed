//! One thread of the load: a runtime, a share of the clients, and one loop that gives each its turns:
//! connect, send due messages, process arrivals. All modes use this loop.

mod connecting;
mod ending;
mod operating;
mod reading;
mod returning;

use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use self::reading::SlowReaders;
use self::returning::Returning;
use super::super::config::{Mode, StopAfter};
use super::super::recorder::{CpuTime, Recorder, Second};
use super::super::rows::{Row, Rows};
use super::super::stamp::Timeline;
use super::super::topology::GroupPlan;
use super::absences::Absences;
use super::client::{Client, Dialer, Turn, is_resumed};
use super::crew::{Crew, Seat, Slot, expect_ends_elsewhere};
use super::fleet::{Fleet, FleetGroup};
use super::shared::{Board, FlowPlaces, News, Order, Shard};
use super::wake::{ClientWaker, Ready};
use crate::alarm::{Alarm, now};
use crate::error::Error;
use crate::platform::clocks::thread_cpu;

/// Maximum number of connections that a thread opens at once, without a ramp.
const MOST_CONNECTING: usize = 128;
/// Number of turns between checks of the schedule.
const TURNS_PER_LOOK: usize = 32;
/// Number of schedule checks between polls of the network.
const LOOKS_PER_POLL: u32 = 16;
/// Minimum interval between checks of the schedule, in nanoseconds: at high rates several messages then share
/// a wake-up.
const SHORTEST_SLEEP: u64 = 50_000;

pub(crate) struct Worker {
    fleet: Arc<Fleet>,
    thread: u32,
    /// One for each group.
    crews: Vec<Crew>,
    timeline: Timeline,
    /// Group by group.
    places: Vec<Seat>,
    /// Indices in `places` of clients that must still connect.
    unconnected: VecDeque<u32>,
    connecting: usize,
    /// Idle dialers.
    dialers: Vec<Dialer>,
    /// Maximum number of concurrent connection attempts. With a ramp it is unlimited, as an open loop: a slow
    /// broker does not slow it down.
    most_connecting: usize,
    ready: Arc<Ready>,
    list: Vec<u32>,
    alarm: Alarm,
    /// When to look at the schedules again while the load runs; 0 is at once.
    next_look: u64,
    stage: ClientStage,
    rows: Rows,
    returning: Returning,
    slow: SlowReaders,
    absences: Absences,
    /// The wave that connects, and since when.
    wave: u32,
    connecting_since: u64,
    /// The CPU time of the thread, and the time, at the start of the CPU measurement.
    watched_since: Option<(u64, u64)>,
    cpu_counted: bool,
    orders: UnboundedReceiver<Order>,
    news: UnboundedSender<News>,
    board: Arc<Board>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ClientStage {
    Connecting,
    /// Waits for an order.
    Connected,
    Preparing,
    Subscribing,
    Subscribed,
    Running,
    /// Sends only messages that were already due.
    Draining,
    Clearing,
    /// Retained messages were cleared, as far as possible.
    Cleared,
    /// Until this time.
    Leaving(u64),
}

impl Worker {
    pub(crate) fn new(
        fleet: &Arc<Fleet>,
        thread: u32,
        orders: UnboundedReceiver<Order>,
        news: UnboundedSender<News>,
        board: Arc<Board>,
    ) -> Result<Self, Error> {
        let threads = fleet.threads;
        let ready = Arc::new(Ready::default());
        let mut crews = Vec::with_capacity(fleet.groups.len());
        // Allocated at once: growing would copy them.
        let own =
            |plan: &GroupPlan| (0..plan.clients).filter(|n| plan.thread_of(*n, threads) == thread).count();
        let mut places = Vec::with_capacity(fleet.groups.iter().map(|group| own(&group.plan)).sum());
        for (group, FleetGroup { plan, .. }) in fleet.groups.iter().enumerate() {
            let first = u32::try_from(places.len()).unwrap_or(u32::MAX);
            let mut flows = FlowPlaces::new(plan, thread, threads);
            for number in (0..plan.clients).filter(|number| plan.thread_of(*number, threads) == thread) {
                let handle = ClientWaker::new(u32::try_from(places.len()).unwrap_or(u32::MAX), &ready);
                places.push(Seat {
                    slot: Slot::Waiting,
                    group: u16::try_from(group).unwrap_or(u16::MAX),
                    number,
                    flows: flows.place(number),
                    waker: Waker::from(Arc::clone(&handle)),
                    handle,
                });
            }
            crews.push(Crew::new(Shard::new(fleet, thread, group, flows), first));
        }
        let alarm = Alarm::new().map_err(|error| Error::file("cannot make a timer", error))?;
        let mut worker = Self {
            fleet: Arc::clone(fleet),
            thread,
            crews,
            timeline: Timeline::NEVER,
            places,
            unconnected: VecDeque::new(),
            connecting: 0,
            dialers: Vec::new(),
            most_connecting: if fleet.has_ramp() { usize::MAX } else { MOST_CONNECTING },
            ready,
            list: Vec::new(),
            alarm,
            next_look: 0,
            stage: ClientStage::Connecting,
            rows: Rows::new(fleet.began),
            returning: Returning::new(&fleet.load),
            slow: SlowReaders::default(),
            absences: Absences::default(),
            wave: 0,
            connecting_since: fleet.began,
            // When connecting is measured, CPU time counts from here on.
            watched_since: (fleet.load.mode == Mode::Connect).then(|| (thread_cpu(), now())),
            cpu_counted: false,
            orders,
            news,
            board,
        };
        worker.begin_wave(0, fleet.began);
        Ok(worker)
    }

    /// Whether there is work left.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.ready.run();
        for _ in 0..LOOKS_PER_POLL {
            while let Poll::Ready(order) = self.orders.poll_recv(cx) {
                // The director is gone: the program ends.
                let Some(order) = order else { return Poll::Ready(()) };
                self.obey(order);
                self.next_look = 0;
            }
            let time = now();
            if time >= self.next_look || self.stage != ClientStage::Running {
                self.look(time);
            }
            self.take_turns();
            self.go_on();
            self.show();
            if self.is_over() {
                return Poll::Ready(());
            }
            if !self.ready.is_empty() {
                self.next_look = 0;
                continue;
            }
            // What the turns made due has a time that has passed.
            let (due, other) = (self.due().unwrap_or(u64::MAX), self.next_time());
            self.next_look = due.min(other);
            let wake = other.min(due.max(time + SHORTEST_SLEEP));
            if self.alarm.poll_until(cx, wake).is_pending() && self.ready.wait(cx.waker()) {
                return Poll::Pending;
            }
        }
        // There is more work, but the network must be polled first. Yielding makes the runtime do that;
        // waking this task would not.
        let _ = pin!(tokio::task::yield_now()).poll(cx);
        Poll::Pending
    }

    /// Does what is due without events.
    fn look(&mut self, time: u64) {
        self.connect_more(time);
        self.disturb(time);
        self.read_on(time);
        // First, so that messages due now do not make the ended row look late.
        while let Some(done) = self.rows.cut(time, self.timeline) {
            self.report(done);
        }
        self.hand_out(time);
        self.keep_time(time);
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Connect(wave, since) => self.begin_wave(wave, since),
            Order::Prepare => self.prepare(),
            Order::ExpectClearing => self.crews.iter_mut().for_each(|crew| crew.shard.clears = true),
            Order::Clear => self.clear(),
            Order::Subscribe => {
                self.stage = ClientStage::Subscribing;
                self.each_open(|client, shard| {
                    if shard.subscribes() {
                        client.subscribe();
                    }
                });
            }
            Order::Start(timeline) => self.start(timeline),
            Order::Snapshot => {
                let _ = self.news.send(News::Snapshot(self.so_far()));
            }
            Order::End(time) => {
                self.keep_to(Timeline { end: self.timeline.end.min(time), ..self.timeline });
                // Messages due before the end.
                while self.stage == ClientStage::Running && self.due().is_some_and(|due| due < time) {
                    self.hand_out(time);
                }
                if self.stage == ClientStage::Running {
                    self.end();
                }
                self.count_cpu();
            }
            Order::Leave(until) => {
                self.count_unfinished();
                self.end_outages(now());
                self.unconnected.clear();
                for place in &mut self.places {
                    if matches!(place.slot, Slot::Connecting(_)) {
                        place.slot = Slot::Gone;
                    }
                }
                self.connecting = 0;
                self.stage = ClientStage::Leaving(until);
                self.each_open(|client, _| client.leave());
            }
        }
    }

    /// Sets the timeline of the run, which may change.
    fn keep_to(&mut self, timeline: Timeline) {
        self.timeline = timeline;
        self.crews.iter_mut().for_each(|crew| crew.shard.timeline = timeline);
    }

    /// When the next message is due.
    fn due(&self) -> Option<u64> {
        let pacers = self.crews.iter().filter_map(|crew| crew.pacer.as_ref()?.peek());
        pacers.map(|due| due.at).min()
    }

    fn each_open(&mut self, mut act: impl FnMut(&mut Client, &Shard)) {
        for place in &mut self.places {
            if let Slot::Open(client) = &mut place.slot {
                act(client, &self.crews[usize::from(place.group)].shard);
                place.waker.wake_by_ref();
            }
        }
    }

    fn start(&mut self, timeline: Timeline) {
        self.stage = ClientStage::Running;
        for (crew, group) in self.crews.iter_mut().zip(&self.fleet.groups) {
            crew.start(timeline, group, &self.fleet, self.thread);
        }
        if self.thread == self.fleet.load.shard_number() {
            expect_ends_elsewhere(timeline, &self.fleet);
        }
        self.keep_to(timeline);
        self.prepare_beside();
        self.end_without_publishers();
    }

    /// Handles the start and the end of the measurement.
    fn keep_time(&mut self, time: u64) {
        let timeline = self.timeline;
        for group in 0..self.crews.len() {
            let begins = self.crews[group].pull_at.take_if(|start| *start <= time).is_some();
            if begins && self.stage == ClientStage::Running {
                self.pull(group);
            }
        }
        if self.watched_since.is_none() && time >= timeline.measure {
            self.watched_since = Some((thread_cpu(), time));
        }
        if time >= timeline.end {
            if self.stage == ClientStage::Running {
                self.end();
            }
            self.count_cpu();
        }
    }

    /// Starts the closed loop of a group.
    fn pull(&mut self, group: usize) {
        for place in self.places.iter_mut().filter(|place| usize::from(place.group) == group) {
            if let Slot::Open(client) = &mut place.slot {
                client.pull();
                place.waker.wake_by_ref();
            }
        }
    }

    fn report(&mut self, (row, begin, end): (Row, u64, u64)) {
        let seconds = self.crews.iter_mut().map(|crew| crew.shard.recorder.take_second());
        let mut done = seconds.reduce(Second::plus).unwrap_or_default();
        done.connected = self.board.connected.load(Ordering::Relaxed);
        done.in_flight = self.open().map(Client::in_flight).sum::<usize>() as u64;
        done.overdue = self.open().map(Client::backlog).sum::<usize>() as u64;
        (done.begin, done.end) = (begin, end);
        let _ = self.news.send(News::Second(row, Box::new(done)));
        self.give_up_requests(end);
    }

    fn open(&self) -> impl Iterator<Item = &Client> {
        self.places.iter().filter_map(|place| match &place.slot {
            Slot::Open(client) => Some(client),
            _ => None,
        })
    }

    fn end(&mut self) {
        self.stage = ClientStage::Draining;
        self.crews.iter_mut().for_each(|crew| crew.pacer = None);
        if self.fleet.load.mode.publishes() {
            self.each_open(|client, _| {
                if client.publishes() {
                    client.barrier();
                }
            });
        }
    }

    /// The recorder for values of the thread instead of a group.
    fn recorder(&mut self) -> Option<&mut Recorder> {
        self.crews.first_mut().map(|crew| &mut crew.shard.recorder)
    }

    fn count_cpu(&mut self) {
        if let (Some((busy, time)), false) = (self.watched_since, self.cpu_counted) {
            self.cpu_counted = true;
            let used = CpuTime { busy: thread_cpu() - busy, passed: now() - time };
            self.recorder().into_iter().for_each(|recorder| recorder.cpu.push(used));
        }
    }

    /// Hands due messages to publishers.
    fn hand_out(&mut self, time: u64) {
        let is_counted = matches!(self.fleet.load.stop, StopAfter::Count(_));
        let mut has_ended = false;
        for crew in &mut self.crews {
            has_ended |= crew.hand_out(time, &mut self.places, is_counted);
        }
        self.take_absent();
        // The requested number is reached: no further messages are sent.
        if has_ended && self.stage == ClientStage::Running && self.has_sent_all() {
            self.end();
        }
    }

    /// Whether all messages are handed out, if their number is limited.
    fn has_sent_all(&self) -> bool {
        self.fleet.load.mode.has_schedule() && self.crews.iter().all(Crew::has_sent_all)
    }

    /// Gives each client with work a turn.
    fn take_turns(&mut self) {
        let mut list = std::mem::take(&mut self.list);
        self.ready.take(&mut list);
        for (turn, index) in list.iter().copied().enumerate() {
            if turn % TURNS_PER_LOOK == TURNS_PER_LOOK - 1 && self.due().is_some() {
                self.hand_out(now());
            }
            self.take_turn(index);
        }
        list.clear();
        self.list = list;
    }

    fn take_turn(&mut self, index: u32) {
        let Some(place) = self.places.get_mut(index as usize) else { return };
        place.handle.unlist();
        let shard = &mut self.crews[usize::from(place.group)].shard;
        let mut cx = Context::from_waker(&place.waker);
        match &mut place.slot {
            Slot::Waiting | Slot::Gone => {}
            Slot::Connecting(dialer) => {
                let Poll::Ready(outcome) = dialer.poll(&mut cx) else { return };
                self.connecting -= 1;
                let slot = match outcome {
                    Ok(mut opened) => {
                        let is_resumed = is_resumed(&mut opened, self.fleet.load.resumes_tls);
                        self.board.connected.fetch_add(1, Ordering::Relaxed);
                        let due = if self.absences.is_empty() {
                            None
                        } else {
                            self.absences.end(index, shard, &self.board)
                        };
                        match due {
                            None => shard.recorder.connected(&opened.times, is_resumed),
                            Some(_) => shard.recorder.times(&opened.times, is_resumed),
                        }
                        let (number, flows) = (place.number, place.flows);
                        let mut client =
                            Client::new(opened.link, opened.session, number, flows, shard.publishes());
                        if shard.read_every > 0 {
                            client.read_slowly();
                        }
                        due.into_iter().flatten().for_each(|due| client.push(due));
                        Slot::Open(client)
                    }
                    Err(error) => {
                        shard.recorder.error(error.to_string());
                        if !self.absences.fail(index, shard) {
                            shard.recorder.counts.failed += 1;
                            self.board.failed.fetch_add(1, Ordering::Relaxed);
                        }
                        Slot::Gone
                    }
                };
                if let Slot::Connecting(dialer) = std::mem::replace(&mut place.slot, slot)
                    && !self.unconnected.is_empty()
                {
                    self.dialers.push(dialer);
                }
                // Its first turn, while its data is in the cache.
                self.take_turn(index);
                if !self.absences.is_empty() {
                    self.dial_absent(index);
                }
            }
            Slot::Open(client) if client.is_away() => self.poll_outage(index),
            Slot::Open(client) => {
                match client.poll(&mut cx, shard) {
                    Ok(Turn::Waiting) => {
                        if shard.read_every > 0
                            && let Some(time) = client.next_read()
                        {
                            self.slow.add(time, index);
                        }
                    }
                    Ok(Turn::Unfinished) => place.waker.wake_by_ref(),
                    Ok(Turn::Cut(due)) => self.end_connection(index, due),
                    Ok(Turn::Ended) => self.lose(index, None),
                    Err(error) => self.lose(index, Some(&error)),
                }
                if !self.returning.is_empty() {
                    self.check_resumed(index);
                }
            }
        }
    }

    /// Reports the end of a stage.
    fn go_on(&mut self) {
        match self.stage {
            ClientStage::Connecting if self.unconnected.is_empty() && self.connecting == 0 => {
                self.stage = ClientStage::Connected;
                self.dialers = Vec::new();
                if self.fleet.load.mode == Mode::Connect && self.wave + 1 == self.fleet.waves {
                    self.count_cpu();
                }
                let _ = self.news.send(News::Connected);
            }
            ClientStage::Subscribing if !self.open().any(Client::is_subscribing) => {
                self.stage = ClientStage::Subscribed;
                let _ = self.news.send(News::Subscribed);
            }
            ClientStage::Preparing if self.open().all(Client::is_idle) => {
                self.stage = ClientStage::Connected;
                let _ = self.news.send(News::Prepared);
            }
            ClientStage::Clearing => self.say_if_cleared(),
            ClientStage::Running if self.has_sent_all() => self.end(),
            _ => {}
        }
    }

    fn show(&self) {
        let (mut sent, mut acknowledged, mut expected, mut delivered, mut operations) = (0, 0, 0, 0, 0);
        for crew in &self.crews {
            let [warmup, measured] = &crew.shard.recorder.counts.messages;
            sent += warmup.sent + measured.sent;
            acknowledged += warmup.acknowledged + measured.acknowledged;
            expected += warmup.expected + measured.expected;
            // A run of subscribers does not count messages before the measurement, and they do not end a run
            // with a number of messages.
            let counts_warmup = self.fleet.load.mode != Mode::Subscribe;
            delivered += measured.delivered + if counts_warmup { warmup.delivered } else { 0 };
            operations += crew.shard.recorder.operations_done();
        }
        self.board.sent.store(sent, Ordering::Relaxed);
        self.board.acknowledged.store(acknowledged, Ordering::Relaxed);
        self.board.expected.store(expected, Ordering::Relaxed);
        self.board.delivered.store(delivered, Ordering::Relaxed);
        self.board.operations.store(operations, Ordering::Relaxed);
        if self.stage == ClientStage::Draining {
            let idle = self.open().all(Client::is_idle) && self.absences.is_idle();
            self.board.ended.store(1, Ordering::Release);
            self.board.idle.store(idle.into(), Ordering::Release);
        }
    }

    fn is_over(&self) -> bool {
        let ClientStage::Leaving(until) = self.stage else { return false };
        now() >= until || self.open().next().is_none()
    }

    /// When there is work even without events, other than messages.
    fn next_time(&self) -> u64 {
        let connect = self.unconnected.front().filter(|_| self.connecting < self.most_connecting);
        let connect = connect.map(|index| {
            let place = &self.places[*index as usize];
            self.fleet.connect_time(self.connecting_since, place.group, place.number)
        });
        let pull = self.crews.iter().filter_map(|crew| crew.pull_at).min();
        let mark = match self.stage {
            ClientStage::Running if pull.is_some() => pull,
            ClientStage::Running if self.watched_since.is_none() => Some(self.timeline.measure),
            ClientStage::Running => Some(self.timeline.end),
            ClientStage::Leaving(until) => Some(until),
            _ => None,
        };
        let times = [connect, self.returning.next(), self.slow.next(), mark];
        times.into_iter().flatten().fold(self.rows.end(self.timeline), u64::min)
    }
}

impl Worker {
    /// The records by group.
    pub(crate) fn finish(mut self) -> Vec<Recorder> {
        self.count_cpu();
        self.report(self.rows.last(now()));
        let of = (self.thread, self.fleet.threads);
        for ((place, group), crew) in self.fleet.groups.iter().enumerate().zip(&mut self.crews) {
            crew.shard.count_shares((place, &group.plan), of);
        }
        self.crews.into_iter().map(|crew| crew.shard.recorder).collect()
    }
}
