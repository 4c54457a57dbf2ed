//! The course of a run: connect, subscribe, barrier, warm-up, measure, drain, disconnect. The director gives
//! orders to the threads, handles signals, and collects the records.

mod ending;
mod start;
mod storing;

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Poll;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};
use tokio::time::Instant;

use super::super::attention::Attention;
use super::super::exec::CommandOptions;
use super::super::stored;
use super::config::{Configuration, Load, Mode, StopAfter};
use super::disturber::Disturber;
use super::engine;
use super::engine::fleet::{Fleet, FleetGroup, Material};
use super::engine::shared::{Board, News, Order};
use super::group::waves;
use super::machine;
use super::operation::OperationKind;
use super::probe::{FirstClient, probe};
use super::recorder::{Recorder, Second};
use super::report::broker::BrokerReport;
use super::report::finding::Problem;
use super::report::group::GroupReport;
use super::report::{Aborted, Drained, Phases, RunOutcome, SeriesSecond};
use super::rows::Row;
use super::shard::barrier::ShardBarrier;
use super::shard::part::LoadShard;
use super::shard::record::{GroupRecord, ShardRecord};
use super::stamp::Timeline;
use super::threshold::RunLimits;
use super::topology::GroupPlan;
use super::watch::LimitWatch;
use super::watching::{Look, Stage, Watched, Watching};
use crate::alarm::now;
use crate::client::Opened;
use crate::clock;
use crate::error::Error;
use crate::output::Diagnostics;
use crate::platform::clocks::process_cpu;
use crate::protocol::Protocol;
use crate::thread::start;

/// The interval of checking the boards when the run waits for a change in them.
const TICK: u64 = 20_000_000;
/// The interval otherwise, when important changes are reported as news.
const SLOW_TICK: u64 = 200_000_000;
/// The time between the barrier and the first message.
const RUN_UP: u64 = 20_000_000;
/// The timeout of disconnecting, if clients still make progress; after an interruption it is shorter.
const LEAVE_LIMIT: Duration = Duration::from_secs(7);
const HASTY_LEAVE_LIMIT: Duration = Duration::from_secs(1);
/// If no client has disconnected for this time, the remaining ones are dropped: the drain is over, and
/// nothing more is owed to the broker.
const LEAVE_PAUSE: Duration = Duration::from_secs(1);
/// If nothing has arrived for this time, missing messages at the end count as lost.
const SILENCE: Duration = Duration::from_secs(2);
/// The same for retained messages: brokers send them when they come to it, also seconds after the answers to
/// later packets.
const SILENCE_OF_RETAINED: Duration = stored::LONGEST_QUIET;
/// If a message arrived in this time before the end of the drain, more were still arriving.
const STILL: u64 = 200_000_000;
const LONGEST_COMMAND: Duration = Duration::from_secs(60 * 60 * 24 * 365);
/// The timeout of killed commands, which get half a second to end by themselves.
const KILL_LIMIT: u64 = 2_000_000_000;

/// Deliveries according to the boards.
struct Deliveries {
    delivered: u64,
    /// When their number last increased.
    last: Option<u64>,
}

impl Deliveries {
    fn note(&mut self, delivered: u64) {
        if delivered != self.delivered {
            *self = Self { delivered, last: Some(now()) };
        }
    }
}

/// Runs a load until it ends.
///
/// # Errors
/// A broker that cannot be reached; files that cannot be read.
#[allow(clippy::too_many_lines, reason = "the steps of a run, one after the other")]
pub(super) async fn run(
    mut load: Load,
    (limits, watched): (&RunLimits, &Watched),
    attention: &mut Attention,
    diagnostics: &Diagnostics,
) -> Result<RunOutcome, Error> {
    let groups = load.groups();
    // A file may be a pipe and block the run.
    let (asked, whose) = (load.clone(), groups.clone());
    let materials = attention.blocking(move || Material::read(&asked, &whose)).await?;
    let plans = GroupPlan::with_values(&groups, materials.iter().map(|material| &material.values));
    let payload_bytes = materials.iter().map(|material| material.message.bytes.len()).max().unwrap_or(0);
    let started = clock::rfc3339_seconds(std::time::SystemTime::now());
    let mut broken_off = false;
    let named = load.client.endpoint.address.to_string();
    let run = load.shard.as_ref().map_or_else(|| fastrand::u32(..), LoadShard::run);
    let mut window = load.client.max_inflight;
    let (protocol, broker) = {
        let checked = |opened: &Opened| {
            window = opened.session.window_left();
            let publish = |(plan, material): (&GroupPlan, &Material)| {
                let Some(outlet) = &plan.outlet else { return Ok(()) };
                let template = outlet.template(opened.session.protocol(), run, 0, 0);
                opened.session.check_publish(&template, material.message.bytes.len())
            };
            plans.iter().zip(&materials).try_for_each(publish)
        };
        let first = FirstClient::of(&load, &groups, &plans, &materials);
        let mut probe = std::pin::pin!(probe(&mut load.client, load.resumes_tls, first, checked));
        let found = poll_fn(|cx| {
            if attention.poll(cx).is_ready() {
                return Poll::Ready(None);
            }
            probe.as_mut().poll(cx).map(Some)
        });
        if let Some(found) = found.await {
            found?
        } else {
            broken_off = true;
            (Protocol::V5, named)
        }
    };
    let configuration =
        |load: &Load| Configuration::of(load, broker.clone(), protocol.to_string(), payload_bytes);
    let mut barrier = ShardBarrier::of(&load, configuration).filter(|_| !broken_off);
    if let Some(barrier) = &mut barrier {
        broken_off = !start::enter(barrier, attention).await?;
    }
    let threads = u32::try_from(load.threads).unwrap_or(1).clamp(1, load.own_clients().max(1));
    let threads = threads.saturating_mul(load.shards());
    let began = now();
    let waves = waves(&groups).unwrap_or_else(|_| vec![0; groups.len()]); // circles are refused earlier
    let mut clients = vec![0; groups.len() + 1]; // by wave
    let groups = groups.into_iter().zip(plans).zip(materials).zip(&waves);
    let groups = groups.map(|(((group, plan), material), wave)| {
        let before = clients[*wave as usize];
        clients[*wave as usize] += group.clients;
        FleetGroup::new(&load, run, group, plan, material, (*wave, before))
    });
    let groups: Vec<FleetGroup> = groups.collect();
    let waves = waves.into_iter().max().unwrap_or(0) + 1;
    let cuts = {
        let clients = |plan: &GroupPlan| plan.first..plan.first + plan.clients;
        let named = |group: &FleetGroup| (group.group.name.clone(), clients(&group.plan));
        load.disturbances.cuts(&groups.iter().map(named).collect::<Vec<_>>(), load.seed)
    };
    let course = load.course().map(Arc::new);
    let has_wills = |group: &FleetGroup| group.group.does(OperationKind::End);
    let wills = groups.iter().filter(|group| has_wills(group));
    let wills = wills.map(|group| group.plan.first_publisher + group.plan.clients).max().unwrap_or(0);
    let ends = (0..wills).map(|_| AtomicU64::new(0)).collect();
    let clock = barrier.as_ref().map(ShardBarrier::clock);
    let fleet = Fleet { load, course, groups, waves, cuts, protocol, ends, run, clock, threads, began };
    let fleet = Arc::new(fleet);
    let foreign_variables = fleet.load.disturbances.foreign_variables.clone();
    let commands = CommandOptions { jobs: usize::MAX, limit: LONGEST_COMMAND, foreign_variables };
    let disturber = Disturber::new(&fleet.load, &commands, diagnostics);
    let watch = LimitWatch::new(&fleet.load, limits);
    let watching = Watching::new(&fleet, watched, diagnostics);
    let mut director = Director::start(&fleet, disturber, watch, attention, watching, broken_off)?;
    director.barrier = barrier;
    let timeline = director.conduct(&fleet).await;
    director.clear(&fleet.load).await;
    let finished = director.finish(&fleet, timeline).await;
    let clock = director.leave_barrier(finished.as_ref().err(), timeline).await;
    let (finished, groups, phases) = finished?;
    let mut outcome = RunOutcome {
        recorder: finished,
        groups,
        series: director.series(),
        beside: std::mem::take(&mut director.beside),
        disturbed: director.disturber.finish(),
        began,
        phases,
        timeline,
        window_s: phases.measure,
        stored_s: director.stored_s,
        retained_left: director.retained_left,
        interrupted: director.interrupted,
        aborted: director.aborted.take(),
        drained: director.drained,
        problems: std::mem::take(&mut director.problems),
        started,
        broker,
        protocol: protocol.to_string(),
        host: machine::facts(),
        payload_bytes,
        window,
        process_cpu_s: seconds(process_cpu()),
        memory_bytes: director.memory_bytes,
        shard: None,
    };
    let is_counted = matches!(fleet.load.stop, StopAfter::Count(_)) && !outcome.interrupted;
    let counted = is_counted && timeline != Timeline::NONE;
    if counted && outcome.recorder.last_event > timeline.measure {
        // The measurement ended with its last event, or at the end of the last message's interval: at 10 per
        // second, the first of 5 messages is sent at once, but all five take half a second.
        let last = seconds(outcome.recorder.last_event - timeline.measure);
        outcome.window_s = last.max(ending::scheduled_s(&fleet.load, &outcome.recorder));
        outcome.phases.measure = outcome.window_s;
    }
    let groups = (director.shard_groups, clock);
    outcome.shard = ShardRecord::of_run(&fleet.load, limits, &outcome, groups);
    Ok(outcome)
}

fn seconds(nanoseconds: u64) -> f64 {
    Duration::from_nanos(nanoseconds).as_secs_f64()
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

struct Director<'a> {
    watching: Watching<'a>,
    threads: Vec<JoinHandle<()>>,
    orders: Vec<UnboundedSender<Order>>,
    news: UnboundedReceiver<News>,
    boards: Vec<Arc<Board>>,
    attention: &'a mut Attention,
    disturber: Disturber<'a>,
    watch: Option<LimitWatch<'a>>,
    began: u64,
    /// The number of this process's clients that connect up to the current wave.
    clients: u32,
    /// The number of threads that have connected, subscribed, finished.
    connected: usize,
    subscribed: usize,
    /// The number of threads that have stored their retained messages, and that have cleared them.
    prepared: usize,
    cleared: usize,
    /// The time to store the retained messages; `None` if there were none.
    stored_s: Option<f64>,
    /// Whether the broker still retains some of them.
    retained_left: bool,
    finished: Vec<Vec<Recorder>>,
    failed: Option<Error>,
    /// Rows that not all threads have reported, with the number of those that have.
    seconds: BTreeMap<Row, (usize, Second)>,
    /// Complete rows, without their histograms: a run may take days.
    series: Vec<SeriesSecond>,
    interrupted: bool,
    aborted: Option<Aborted>,
    drained: Drained,
    problems: Vec<Problem>,
    memory_bytes: u64,
    /// Times of the monotonic clock.
    connected_at: u64,
    subscribed_at: u64,
    drained_at: u64,
    beside: BrokerReport,
    /// The records of groups, if other processes share the load.
    shard_groups: Vec<GroupRecord>,
    /// The connection to the other shards.
    barrier: Option<ShardBarrier>,
}

impl<'a> Director<'a> {
    fn start(
        fleet: &Arc<Fleet>,
        disturber: Disturber<'a>,
        watch: Option<LimitWatch<'a>>,
        attention: &'a mut Attention,
        watching: Watching<'a>,
        interrupted: bool,
    ) -> Result<Self, Error> {
        let (tell, news) = mpsc::unbounded_channel();
        let mut director = Self {
            watching,
            threads: Vec::new(),
            orders: Vec::new(),
            news,
            boards: Vec::new(),
            attention,
            disturber,
            watch,
            aborted: None,
            began: fleet.began,
            clients: 0,
            connected: 0,
            subscribed: 0,
            prepared: 0,
            cleared: 0,
            stored_s: None,
            retained_left: false,
            finished: Vec::new(),
            failed: None,
            seconds: BTreeMap::new(),
            series: Vec::new(),
            interrupted,
            drained: Drained::default(),
            problems: Vec::new(),
            memory_bytes: 0,
            connected_at: 0,
            subscribed_at: 0,
            drained_at: 0,
            beside: BrokerReport::default(),
            shard_groups: Vec::new(),
            barrier: None,
        };
        for thread in fleet.own_threads() {
            let (order, orders) = mpsc::unbounded_channel();
            if interrupted {
                // Sent before the threads connect, so that a failure is reported.
                let _ = order.send(Order::Leave(now()));
            }
            let board = Arc::new(Board::default());
            director.orders.push(order);
            director.boards.push(Arc::clone(&board));
            let (fleet, tell) = (Arc::clone(fleet), tell.clone());
            let run = move || engine::run(&fleet, thread, orders, &tell, board);
            director.threads.push(start(&format!("bench-{thread}"), run)?);
        }
        Ok(director)
    }

    fn order(&self, order: Order) {
        for thread in &self.orders {
            let _ = thread.send(order); // a thread that has ended has reported why
        }
    }

    fn sum(&self, field: impl Fn(&Board) -> &AtomicU64) -> u64 {
        self.boards.iter().map(|board| field(board).load(Ordering::Relaxed)).sum()
    }

    /// The sums of the boards.
    fn look(&self) -> Look {
        Look {
            connected: self.sum(|board| &board.connected),
            away: self.sum(|board| &board.away),
            failed: self.sum(|board| &board.failed),
            sent: self.sum(|board| &board.sent),
            acknowledged: self.sum(|board| &board.acknowledged),
            delivered: self.sum(|board| &board.delivered),
            operations: self.sum(|board| &board.operations),
        }
    }

    /// Conducts the run from the first connection to the end of the drain. Returns the actual timeline.
    async fn conduct(&mut self, fleet: &Fleet) -> Timeline {
        let load = &fleet.load;
        let never = u64::MAX;
        let all = self.orders.len();
        let nobody = Timeline::NONE;
        if self.interrupted {
            return nobody;
        }
        for wave in 0..fleet.waves {
            self.clients += fleet.own_clients_in(wave);
            if wave > 0 {
                self.connected = 0;
                self.order(Order::Connect(wave, now()));
            }
            // A thread that has failed does not connect any more.
            self.wait(never, SLOW_TICK, |this| this.connected == all || this.failed.is_some()).await;
            self.connected_at = now();
            self.subscribed_at = self.connected_at;
            if self.is_over() {
                return nobody;
            }
            if fleet.prepares(wave) && !self.store(load).await {
                return nobody;
            }
            if fleet.subscribes(wave) {
                self.subscribed = 0;
                self.order(Order::Subscribe);
                let limit = now().saturating_add(nanoseconds(load.client.connect_timeout));
                self.watching.enter(Stage::Subscribe(limit), now());
                if !self.wait(limit, SLOW_TICK, |this| this.subscribed == all).await && !self.is_over() {
                    self.problems.push(Problem::SubscribeUnanswered);
                }
                self.subscribed_at = now();
                if self.is_over() {
                    return nobody;
                }
            }
        }
        let Some(start) = self.agree_on_start(load).await else { return nobody };
        let measure = start.saturating_add(nanoseconds(load.warmup));
        let end = match load.stop {
            StopAfter::After(duration) => measure.saturating_add(nanoseconds(duration)),
            StopAfter::Count(_) => never,
        };
        let mut timeline = Timeline { start, measure, end };
        self.disturber.start(measure);
        self.watching.enter(Stage::Load(timeline), now());
        self.watch.iter_mut().for_each(|watch| watch.start(timeline));
        self.order(Order::Start(timeline));
        self.wait(measure, SLOW_TICK, |this| this.is_alone() || this.has_lost_shard()).await;
        let counted = matches!(load.stop, StopAfter::Count(_)) && load.mode.has_schedule();
        let received = match load.stop {
            StopAfter::Count(count) if load.mode == Mode::Subscribe => count,
            _ => never,
        };
        // After a signal or a loss during the warm-up there is nothing to wait for.
        let end = if self.is_over() { end.min(now()) } else { end };
        let tick = if counted || received != never { TICK } else { SLOW_TICK };
        self.wait(end, tick, |this| {
            this.is_alone()
                || this.aborted.is_some()
                || this.has_lost_shard()
                || (counted && this.all(|board| &board.ended))
                || this.sum(|board| &board.delivered) >= received
        })
        .await;
        self.end_of_load(measure);
        let limit = now().saturating_add(nanoseconds(load.drain));
        let mut arrivals = Deliveries { delivered: self.sum(|board| &board.delivered), last: None };
        if counted && !self.is_over() && self.aborted.is_none() {
            // The last answers belong to the measurement, if they arrive.
            self.wait(limit, TICK, |this| {
                arrivals.note(this.sum(|board| &board.delivered));
                this.is_alone() || this.aborted.is_some() || this.all(|board| &board.idle)
            })
            .await;
        }
        self.memory_bytes = machine::resident_bytes();
        timeline.end = end.min(now()).max(measure.min(now()));
        self.disturber.stop();
        self.watch = None;
        self.order(Order::End(timeline.end));
        self.drain(load, limit, arrivals).await;
        timeline
    }

    /// Whether this is set on the boards of all threads.
    fn all(&self, which: impl Fn(&Board) -> &AtomicU64) -> bool {
        self.boards.iter().all(|board| which(board).load(Ordering::Acquire) == 1)
    }

    /// Whether no more events are possible. A shard without clients of its own, so far or at all, ends with the others.
    fn is_alone(&self) -> bool {
        // A client that moves from one to the other between the looks is seen in the third.
        let connected = || self.sum(|board| &board.connected);
        let left = connected() + self.sum(|board| &board.away) + connected();
        self.failed.is_some() || (self.clients > 0 && left == 0)
    }

    fn is_over(&self) -> bool {
        self.interrupted || self.is_alone()
    }

    /// Disconnects all clients, and merges the records.
    async fn finish(
        &mut self,
        fleet: &Fleet,
        timeline: Timeline,
    ) -> Result<(Recorder, Vec<GroupReport>, Phases), Error> {
        if self.memory_bytes == 0 {
            self.memory_bytes = machine::resident_bytes();
        }
        // A broker that did not answer in the drain has had enough time.
        let hasty = self.interrupted || self.drained.is_unanswered;
        let limit = if hasty { HASTY_LEAVE_LIMIT } else { LEAVE_LIMIT };
        self.watching.enter(Stage::Leave, now());
        self.order(Order::Leave(now() + nanoseconds(limit)));
        let all = self.orders.len();
        let mut staying = self.sum(|board| &board.connected);
        loop {
            let over = |this: &Self| this.finished.len() == all || this.failed.is_some();
            let before = self.interrupted;
            // A signal during this wait only shortens it.
            self.interrupted = false;
            let done = self.wait(now() + nanoseconds(LEAVE_PAUSE), SLOW_TICK, over).await;
            let signalled = std::mem::replace(&mut self.interrupted, before);
            if done {
                break;
            }
            let earlier = std::mem::replace(&mut staying, self.sum(|board| &board.connected));
            if signalled || staying == earlier {
                self.order(Order::Leave(now()));
            }
        }
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
        // News sent before the threads ended.
        while let Ok(news) = self.news.try_recv() {
            self.hear(news);
        }
        self.beside = self.watching.finish();
        let (merged, groups) = self.sum_up(fleet, timeline);
        let subscribed_at = self.subscribed_at.max(self.connected_at);
        let drained_at = self.drained_at.max(timeline.end);
        let phases = Phases {
            connect: seconds(self.connected_at.saturating_sub(fleet.began)),
            subscribe: seconds(subscribed_at - self.connected_at),
            warmup: seconds(timeline.measure.min(timeline.end).saturating_sub(timeline.start)),
            measure: seconds(timeline.end.saturating_sub(timeline.measure)),
            drain: seconds(drained_at - timeline.end),
        };
        Ok((merged, groups, phases))
    }

    /// Waits until `done`, an interruption (once) or a time; returns whether it was `done`, which is checked
    /// at all news and every `tick` nanoseconds.
    async fn wait(&mut self, until: u64, tick: u64, mut done: impl FnMut(&Self) -> bool) -> bool {
        let mut sleep = std::pin::pin!(tokio::time::sleep(Duration::ZERO));
        poll_fn(|cx| {
            loop {
                while let Poll::Ready(Some(news)) = self.news.poll_recv(cx) {
                    self.hear(news);
                }
                self.watching.poll(cx);
                self.poll_barrier(cx);
                let next = self.disturber.poll(cx).unwrap_or(u64::MAX).min(self.look_at_limits());
                if done(self) {
                    return Poll::Ready(true);
                }
                if !self.interrupted && self.attention.poll(cx).is_ready() {
                    self.interrupted = true;
                    return Poll::Ready(false);
                }
                let time = now();
                if self.watching.is_due(time) {
                    let look = self.look();
                    self.watching.look(time, &look);
                }
                let left = until.saturating_sub(time);
                if left == 0 {
                    return Poll::Ready(false);
                }
                if sleep.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                sleep.as_mut().reset(
                    Instant::now() + Duration::from_nanos(left.min(tick).min(next.saturating_sub(time))),
                );
            }
        })
        .await
    }

    /// Asks for the records so far, if the limits must be checked; returns when the next check is due.
    fn look_at_limits(&mut self) -> u64 {
        let Some(watch) = &mut self.watch else { return u64::MAX };
        if watch.next() > now() {
            return watch.next();
        }
        watch.asks();
        self.order(Order::Snapshot);
        u64::MAX
    }

    fn hear(&mut self, news: News) {
        match news {
            News::Snapshot(recorders) => {
                let threads = self.orders.len();
                let found = self.watch.as_mut().and_then(|watch| watch.hear(recorders, threads, now()));
                self.aborted = self.aborted.take().or(found);
            }
            News::Connected => self.connected += 1,
            News::Prepared => self.prepared += 1,
            News::Cleared(is_whole) => {
                self.cleared += 1;
                self.retained_left |= !is_whole;
            }
            News::Subscribed => self.subscribed += 1,
            News::Finished(recorders) => self.finished.push(recorders),
            News::Failed(error) => self.failed = Some(error),
            // The boards show whether other threads still have connections.
            News::Alone => {}
            News::Second(row, second) => {
                let (threads, merged) = self.seconds.entry(row).or_default();
                *merged = std::mem::take(merged).plus(*second);
                *threads += 1;
                if *threads == self.orders.len() {
                    let shown = self.watching.second(row, merged);
                    self.seconds.remove(&row);
                    self.series.push(shown);
                }
            }
        }
    }
}
