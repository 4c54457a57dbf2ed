//! One thread of the load: a runtime, a share of the clients, and one loop that gives each its turns:
//! connect, send what is due, process what has arrived. All modes use this loop.

mod returning;

use std::collections::VecDeque;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, Waker};

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use self::returning::Returning;
use super::super::config::{Mode, Rate, StopAfter};
use super::super::pacer::{Pacer, Schedule};
use super::super::plan::Role;
use super::super::recorder::{CpuTime, LatencyKind, Recorder};
use super::super::rows::{Row, Rows};
use super::super::stamp::{Flows, PLAIN_WORDS, Phase, SHARED_WORDS, Timeline};
use super::client::{Abandoned, Client, Dialer, Turn};
use super::shared::{Board, Fleet, News, Order, Shard};
use super::wake::{ClientWaker, Ready, thread_cpu};
use crate::alarm::{Alarm, now};
use crate::error::Error;

/// Connections a thread is making at once where there is no ramp that says when each is due.
const MOST_CONNECTING: usize = 128;
/// Turns between two looks at the schedule.
const TURNS_PER_LOOK: usize = 32;
/// Messages handed out in one look, so that a load beyond all measure leaves time for orders.
const MOST_PER_LOOK: u32 = 1 << 16;
/// Looks between two looks at the network.
const LOOKS_PER_POLL: u32 = 16;
/// The schedule is not looked at more often than this, in nanoseconds: at high rates several
/// messages then share a wake-up.
const SHORTEST_SLEEP: u64 = 50_000;

#[allow(clippy::large_enum_variant, reason = "nearly all are open; a box each would cost an allocation each")]
enum Slot {
    /// Not connected yet.
    Waiting,
    Connecting(Dialer),
    Open(Client),
    Gone,
}

/// One client and its waker.
struct Seat {
    slot: Slot,
    /// Its number among all clients.
    number: u32,
    role: Role,
    /// Its first flow.
    flows: usize,
    handle: Arc<ClientWaker>,
    waker: Waker,
}

pub(crate) struct Worker {
    fleet: Arc<Fleet>,
    thread: u32,
    shard: Shard,
    /// Publishers first, then subscribers.
    places: Vec<Seat>,
    /// Of `places`, those still to be connected.
    unconnected: VecDeque<u32>,
    connecting: usize,
    /// Those that have nothing to do.
    dialers: Vec<Dialer>,
    /// A ramp is an open loop: a broker that takes long to answer does not slow it down.
    most_connecting: usize,
    ready: Arc<Ready>,
    list: Vec<u32>,
    pacer: Option<Pacer>,
    /// When the closed loop begins, if it has not yet.
    pull_at: Option<u64>,
    alarm: Alarm,
    stage: ClientStage,
    rows: Rows,
    abandoned: Abandoned,
    returning: Returning,
    /// CPU time of the thread, and the time, when it began to be watched.
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
    Subscribing,
    Subscribed,
    Running,
    /// Nothing more is sent but what was due.
    Draining,
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
        let (load, plan, threads) = (&fleet.load, &fleet.plan, fleet.threads);
        let ready = Arc::new(Ready::default());
        let publisher = |n| if load.mode == Mode::Connect { Role::Idle } else { Role::Publisher(n) };
        let publishers = (thread..load.publishers).step_by(threads as usize).map(|n| (n, publisher(n)));
        let own = |n: &u32| plan.thread_of_subscriber(*n, threads) == thread;
        let subscribers =
            (0..load.subscribers).filter(own).map(|n| (load.publishers + n, Role::Subscriber(n)));
        let mut flows = 0;
        let mut group_flows = std::collections::BTreeMap::new();
        let clients: Vec<_> = publishers.chain(subscribers).collect();
        // All at once: growing would copy them.
        let mut places = Vec::with_capacity(clients.len());
        for (index, (number, role)) in clients.into_iter().enumerate() {
            let handle = ClientWaker::new(u32::try_from(index).unwrap_or(u32::MAX), &ready);
            let waker = Waker::from(Arc::clone(&handle));
            let first = match role {
                Role::Subscriber(n) if plan.groups > 0 => {
                    *group_flows.entry(n % plan.groups).or_insert_with(|| {
                        let first = flows;
                        flows += plan.flows_of(n % plan.groups);
                        first
                    })
                }
                Role::Subscriber(n) => {
                    flows += plan.flows_of(n);
                    flows - plan.flows_of(n)
                }
                Role::Publisher(_) if load.mode == Mode::Request => {
                    flows += plan.topics() as usize;
                    flows - plan.topics() as usize
                }
                _ => 0,
            };
            places.push(Seat { slot: Slot::Waiting, number, role, flows: first, handle, waker });
        }
        // In the order of their numbers, so that a ramp is one over all threads.
        let mut unconnected: Vec<u32> = (0..u32::try_from(places.len()).unwrap_or(u32::MAX)).collect();
        unconnected.sort_by_key(|index| places[*index as usize].number);
        let words = if plan.groups > 0 { SHARED_WORDS } else { PLAIN_WORDS };
        let shard = Shard::new(fleet, thread, Flows::new(flows, words));
        let alarm = Alarm::new().map_err(|error| Error::file("cannot make a timer", error))?;
        Ok(Self {
            fleet: Arc::clone(fleet),
            thread,
            shard,
            places,
            unconnected: unconnected.into(),
            connecting: 0,
            dialers: Vec::new(),
            most_connecting: if load.ramp.is_some() { usize::MAX } else { MOST_CONNECTING },
            ready,
            list: Vec::new(),
            pacer: None,
            pull_at: None,
            alarm,
            stage: ClientStage::Connecting,
            rows: Rows::new(fleet.began),
            abandoned: Abandoned::default(),
            returning: Returning::new(load),
            // Where connecting is what is measured, it counts from here.
            watched_since: (load.mode == Mode::Connect).then(|| (thread_cpu(), now())),
            cpu_counted: false,
            orders,
            news,
            board,
        })
    }

    /// Whether anything is left to do.
    pub(crate) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.ready.register(cx.waker());
        for _ in 0..LOOKS_PER_POLL {
            while let Poll::Ready(order) = self.orders.poll_recv(cx) {
                // The director is gone: the program ends.
                let Some(order) = order else { return Poll::Ready(()) };
                self.obey(order);
            }
            let time = now();
            self.connect_more(time);
            self.connect_again(time);
            // Before what is due now makes the row that is over look late.
            while let Some(done) = self.rows.cut(time, self.shard.timeline) {
                self.report(done);
            }
            self.hand_out(time);
            self.keep_time(time);
            let busy = self.take_turns();
            self.go_on();
            self.show();
            if self.is_over(now()) {
                return Poll::Ready(());
            }
            if busy {
                continue;
            }
            let Some(wake) = self.next_time(time) else { return Poll::Pending };
            if self.alarm.poll_until(cx, wake).is_pending() {
                return Poll::Pending;
            }
        }
        // There is more, but the network has to be looked at. Yielding, unlike waking oneself,
        // makes the runtime do that first.
        let _ = pin!(tokio::task::yield_now()).poll(cx);
        Poll::Pending
    }

    fn obey(&mut self, order: Order) {
        match order {
            Order::Subscribe => {
                self.stage = ClientStage::Subscribing;
                let answers = self.fleet.load.mode == Mode::Request;
                self.each_open(|client| match client.role() {
                    Role::Subscriber(_) => client.subscribe(),
                    Role::Publisher(_) if answers => client.subscribe(),
                    _ => {}
                });
            }
            Order::Start(timeline) => self.start(timeline),
            Order::End(time) => {
                self.shard.timeline.end = self.shard.timeline.end.min(time);
                // What was due before the end.
                while self.stage == ClientStage::Running
                    && self.pacer.as_ref().and_then(Pacer::peek).is_some_and(|due| due.at < time)
                {
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
                self.each_open(Client::leave);
            }
        }
    }

    fn each_open(&mut self, mut act: impl FnMut(&mut Client)) {
        for place in &mut self.places {
            if let Slot::Open(client) = &mut place.slot {
                act(client);
                place.waker.wake_by_ref();
            }
        }
    }

    fn start(&mut self, timeline: Timeline) {
        let load = &self.fleet.load;
        self.stage = ClientStage::Running;
        self.shard.timeline = timeline;
        if let (true, Rate::PerSecond(rate)) = (load.mode.publishes(), load.rate) {
            self.pacer = Some(Pacer::new(Schedule {
                start: timeline.start,
                measure: timeline.measure,
                count: match load.stop {
                    StopAfter::Count(count) => Some(count),
                    StopAfter::After(_) => None,
                },
                rate,
                arrivals: load.arrivals,
                jitter: u64::try_from(load.jitter.as_nanos()).unwrap_or(u64::MAX),
                publishers: load.publishers,
                thread: self.thread,
                threads: self.fleet.threads,
                seed: load.seed,
            }));
        } else {
            self.pull_at = load.mode.publishes().then_some(timeline.start);
            self.end_without_publishers();
        }
    }

    /// Marks that have come: the measurement's begin and end.
    fn keep_time(&mut self, time: u64) {
        let timeline = self.shard.timeline;
        if self.pull_at.take_if(|start| *start <= time).is_some() && self.stage == ClientStage::Running {
            self.each_open(Client::pull);
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

    fn report(&mut self, (row, begin, end): (Row, u64, u64)) {
        let mut done = self.shard.recorder.take_second();
        done.connected = self.board.connected.load(Ordering::Relaxed);
        done.in_flight = self.open().map(Client::in_flight).sum::<usize>() as u64;
        done.overdue = self.open().map(Client::backlog).sum::<usize>() as u64;
        (done.begin, done.end) = (begin, end);
        let _ = self.news.send(News::Second(row, Box::new(done)));
    }

    fn open(&self) -> impl Iterator<Item = &Client> {
        self.places.iter().filter_map(|place| match &place.slot {
            Slot::Open(client) => Some(client),
            _ => None,
        })
    }

    fn end(&mut self) {
        self.stage = ClientStage::Draining;
        self.pacer = None;
        if self.fleet.load.mode.publishes() {
            self.each_open(|client| {
                if matches!(client.role(), Role::Publisher(_)) {
                    client.fence();
                }
            });
        }
    }

    fn count_cpu(&mut self) {
        if let (Some((busy, time)), false) = (self.watched_since, self.cpu_counted) {
            self.cpu_counted = true;
            self.shard.recorder.cpu.push(CpuTime { busy: thread_cpu() - busy, passed: now() - time });
        }
    }

    fn connect_more(&mut self, time: u64) {
        // Not without end, as those that fail at once make room for others.
        for _ in 0..MOST_CONNECTING {
            if self.connecting >= self.most_connecting {
                return;
            }
            let Some(index) = self.unconnected.front().copied() else { return };
            let place = &mut self.places[index as usize];
            let due = self.fleet.connect_time(place.number);
            if due > time {
                return;
            }
            if self.fleet.load.mode == Mode::Connect && self.fleet.load.ramp.is_some() {
                self.shard.recorder.record(LatencyKind::ScheduleLag, time - due);
            }
            self.unconnected.pop_front();
            self.connecting += 1;
            self.shard.recorder.counts.attempted += 1;
            let order = self.fleet.order(place.number, place.role, false);
            let dialer = if let Some(mut dialer) = self.dialers.pop() {
                dialer.start(order);
                dialer
            } else {
                Dialer::new(order)
            };
            place.slot = Slot::Connecting(dialer);
            self.take_turn(index);
        }
    }

    /// Gives what is due to its publishers.
    fn hand_out(&mut self, time: u64) {
        let Some(pacer) = &mut self.pacer else { return };
        let mut left = MOST_PER_LOOK;
        while let Some(due) = pacer.peek().filter(|due| due.at <= time && left > 0) {
            left -= 1;
            if self.shard.take(due.at, 1) == 0 {
                self.pacer = None;
                break;
            }
            pacer.advance();
            let place = &mut self.places[due.publisher as usize];
            if let Slot::Open(client) = &mut place.slot {
                client.push(due.at);
                place.waker.wake_by_ref();
            } else if let Role::Publisher(number) = place.role {
                self.abandoned.add(due.at, self.shard.plan.receivers(number, 0), &self.shard);
            }
        }
        if self.pacer.as_ref().is_some_and(|pacer| pacer.peek().is_none()) {
            self.pacer = None; // a thread without publishers, or all of a count is handed out
            if matches!(self.fleet.load.stop, StopAfter::Count(_)) {
                self.shard.quota = 0;
            }
        }
        // A count is reached: what is sent from here on is nothing.
        if self.pacer.is_none() && self.stage == ClientStage::Running && self.shard.quota == 0 {
            self.end();
        }
    }

    /// A turn for each client that has something to do. Whether some were left over.
    fn take_turns(&mut self) -> bool {
        let mut list = std::mem::take(&mut self.list);
        self.ready.take(&mut list);
        for (turn, index) in list.iter().copied().enumerate() {
            if turn % TURNS_PER_LOOK == TURNS_PER_LOOK - 1 && self.pacer.is_some() {
                self.hand_out(now());
            }
            self.take_turn(index);
        }
        let busy = !list.is_empty();
        list.clear();
        self.list = list;
        busy
    }

    fn take_turn(&mut self, index: u32) {
        let Some(place) = self.places.get_mut(index as usize) else { return };
        place.handle.unlist();
        let mut cx = Context::from_waker(&place.waker);
        match &mut place.slot {
            Slot::Waiting | Slot::Gone => {}
            Slot::Connecting(dialer) => {
                let Poll::Ready(outcome) = dialer.poll(&mut cx) else { return };
                self.connecting -= 1;
                let slot = match outcome {
                    Ok(opened) => {
                        self.shard.recorder.connected(&opened.times);
                        self.board.connected.fetch_add(1, Ordering::Relaxed);
                        Slot::Open(Client::new(opened.link, opened.session, place.role, place.flows))
                    }
                    Err(error) => {
                        self.shard.recorder.counts.failed += 1;
                        self.shard.recorder.error(error.to_string());
                        self.board.failed.fetch_add(1, Ordering::Relaxed);
                        Slot::Gone
                    }
                };
                if let Slot::Connecting(dialer) = std::mem::replace(&mut place.slot, slot)
                    && !self.unconnected.is_empty()
                {
                    self.dialers.push(dialer);
                }
                // Its first turn, while all of it is at hand.
                self.take_turn(index);
            }
            Slot::Open(client) if client.is_away() => self.poll_outage(index),
            Slot::Open(client) => {
                match client.poll(&mut cx, &mut self.shard) {
                    Ok(Turn::Waiting) => {}
                    Ok(Turn::Unfinished) => place.waker.wake_by_ref(),
                    Ok(Turn::Ended) => self.lose(index, None),
                    Err(error) => self.lose(index, Some(&error)),
                }
                if !self.returning.is_empty() {
                    self.look_back(index);
                }
            }
        }
    }

    fn lose(&mut self, index: u32, error: Option<&Error>) {
        self.board.connected.fetch_sub(1, Ordering::Relaxed);
        let place = &mut self.places[index as usize];
        if matches!(self.stage, ClientStage::Leaving(_)) {
            place.slot = Slot::Gone;
            return;
        }
        self.shard.recorder.counts.lost += 1;
        self.shard.recorder.second.lost += 1;
        if let Some(error) = error {
            self.shard.recorder.error(match error {
                Error::Refused { .. } => error.to_string(),
                Error::Link { cause, .. } => format!("connection lost: {cause}"),
                _ => format!("connection lost: {error}"),
            });
        }
        if self.shard.reconnects {
            return self.begin_outage(index, error);
        }
        if let Slot::Open(client) = std::mem::replace(&mut place.slot, Slot::Gone) {
            self.abandoned.take(&client, &self.shard);
            self.shard.unsubscribed(client.unsubscribed(), now());
        }
        self.say_if_alone();
        self.end_without_publishers();
    }

    /// The rest of a count has no client to send it. With a schedule each message is counted when it is due.
    fn end_without_publishers(&mut self) {
        let counted = self.pacer.is_none() && matches!(self.fleet.load.stop, StopAfter::Count(_));
        let publishes = self.fleet.load.mode.publishes();
        if counted && publishes && self.stage == ClientStage::Running && !self.open().any(Client::publishes) {
            self.shard.recorder.messages(Phase::Measure).not_sent += std::mem::take(&mut self.shard.quota);
            self.end();
        }
    }

    /// What is left when the run ends.
    fn count_unfinished(&mut self) {
        let time = now();
        self.abandoned.count(&mut self.shard, time);
        for place in &self.places {
            let Slot::Open(client) = &place.slot else { continue };
            self.shard.unsubscribed(client.unsubscribed(), time);
            for (due, sent, count) in client.unanswered() {
                self.shard.unanswered(due, sent, time, count);
            }
            let plan = Arc::clone(&self.shard.plan);
            for (due, receivers) in client.unsent(&plan) {
                self.shard.unsent(due, time, 1, receivers);
            }
        }
    }

    /// Says when a stage is over.
    fn go_on(&mut self) {
        match self.stage {
            ClientStage::Connecting if self.unconnected.is_empty() && self.connecting == 0 => {
                self.stage = ClientStage::Connected;
                self.dialers = Vec::new();
                if self.fleet.load.mode == Mode::Connect {
                    self.count_cpu();
                }
                let _ = self.news.send(News::Connected);
            }
            ClientStage::Subscribing if !self.open().any(Client::is_subscribing) => {
                self.stage = ClientStage::Subscribed;
                let _ = self.news.send(News::Subscribed);
            }
            ClientStage::Running
                if self.shard.quota == 0 && self.pacer.is_none() && self.fleet.load.mode.publishes() =>
            {
                self.end();
            }
            _ => {}
        }
    }

    fn show(&self) {
        let counts = &self.shard.recorder.counts;
        let sum = |count: fn(&super::super::recorder::MessageCounts) -> u64| {
            counts.messages.iter().map(count).sum::<u64>()
        };
        self.board.sent.store(sum(|m| m.sent), Ordering::Relaxed);
        self.board.acknowledged.store(sum(|m| m.acknowledged), Ordering::Relaxed);
        self.board.expected.store(sum(|m| m.expected), Ordering::Relaxed);
        let delivered = match self.fleet.load.mode {
            // What comes before the measurement is not counted, nor does a run of so many end by it.
            Mode::Subscribe => counts.messages[Phase::Measure as usize].delivered,
            _ => sum(|m| m.delivered),
        };
        self.board.delivered.store(delivered, Ordering::Relaxed);
        if self.stage == ClientStage::Draining {
            let idle = self.open().all(Client::is_idle);
            self.board.ended.store(1, Ordering::Release);
            self.board.idle.store(idle.into(), Ordering::Release);
        }
    }

    fn is_over(&self, time: u64) -> bool {
        let ClientStage::Leaving(until) = self.stage else { return false };
        time >= until || self.open().next().is_none()
    }

    /// When there is something to do even if nothing happens.
    fn next_time(&self, time: u64) -> Option<u64> {
        let due = self.pacer.as_ref().and_then(Pacer::peek).map(|due| due.at.max(time + SHORTEST_SLEEP));
        let connect = self.unconnected.front().filter(|_| self.connecting < self.most_connecting);
        let connect = connect.map(|index| self.fleet.connect_time(self.places[*index as usize].number));
        let mark = match self.stage {
            ClientStage::Running if self.pull_at.is_some() => self.pull_at,
            ClientStage::Running if self.watched_since.is_none() => Some(self.shard.timeline.measure),
            ClientStage::Running => Some(self.shard.timeline.end),
            ClientStage::Leaving(until) => Some(until),
            _ => None,
        };
        let row = Some(self.rows.end(self.shard.timeline));
        [due, connect, self.returning.next(), mark, row].into_iter().flatten().min()
    }
}

impl Worker {
    /// What it has recorded.
    pub(crate) fn finish(mut self) -> Recorder {
        self.count_cpu();
        self.report(self.rows.last(now()));
        self.shard.recorder
    }
}
