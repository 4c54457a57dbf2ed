//! One case from beginning to end: a watcher, a publisher whose connection ends, and the messages that the
//! watcher received.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until, timeout};

use super::super::stored::{Care, Stored};
use super::case::{Death, Expected, Later, Return};
use super::judge::{Expectation, Verdict, WillArrivals, WillWindow};
use super::pulse::Pulse;
use crate::client::options::{ClientOptions, Will};
use crate::client::raw::{Incoming, RawLink, ReceivedMessage, Trace};
use crate::error::Error;
use crate::output::{Diagnostics, Verbosity};
use crate::protocol::property::{PropertyBlock, PropertyId};
use crate::protocol::reason::ReasonCode;
use crate::protocol::{Protocol, QoS};
use crate::quantity::duration;

/// A case ready to run.
#[derive(Debug, Clone)]
pub(super) struct CasePlan {
    pub(super) name: String,
    pub(super) section: String,
    pub(super) protocol: Protocol,
    /// The publisher's options, with the will.
    pub(super) publisher: ClientOptions,
    pub(super) watcher: ClientOptions,
    pub(super) will: Will,
    pub(super) death: Death,
    pub(super) returns: Option<Return>,
    pub(super) expected: Expected,
    pub(super) later: Later,
    /// Why it is skipped, if it is.
    pub(super) skipped: Option<&'static str>,
    /// Whether the topic is the user's: a message that was retained there before is restored.
    pub(super) is_own: bool,
    /// A note for a failed case.
    pub(super) note: &'static str,
    /// A note for a will that was not received.
    pub(super) if_none_came: String,
}

/// The common parameters of all cases of a run.
pub(super) struct TestSetting<'a> {
    /// How late a will may be.
    pub(super) tolerance: Duration,
    /// Becomes true when the run is to end: running cases are cancelled and cleaned up.
    pub(super) stop: watch::Receiver<bool>,
    pub(super) pulse: Pulse,
    pub(super) diagnostics: &'a Diagnostics,
}

/// The outcome of a case.
#[derive(Debug, Clone)]
pub(super) struct CaseOutcome {
    pub(super) verdict: Verdict,
    /// The reason, unless it passed.
    pub(super) detail: String,
    /// From the end of the connection to the first arrival.
    pub(super) delay: Option<Duration>,
    /// How late the will was allowed to be, including the time that its size needs on this link.
    pub(super) tolerance: Duration,
    pub(super) took: Duration,
}

/// A case that ends before it can be judged.
struct CaseStop(Verdict, String);

/// Time limit for cleaning up after the run was interrupted.
const TIDY_LIMIT: Duration = Duration::from_secs(2);
/// How long to wait for a second will after the first one.
const SECOND_ONE: Duration = Duration::from_millis(300);
/// How long a partly received message may stall.
const STANDSTILL: Duration = Duration::from_secs(1);
/// How long messages from before a deadline are read after it, if this program was late.
const BACKLOG: Duration = Duration::from_millis(500);
/// A larger will may take a noticeable time.
const LARGE_BYTES: usize = 1024;
/// How long the watcher waits after PINGRESP for messages from before the end of the connection: a broker may
/// answer PINGREQ before it sends pending messages.
const BEFORE_DEATH: Duration = Duration::from_millis(50);
/// The interval of the watcher's PINGREQs, well below its Keep Alive.
const PING_EVERY: Duration = Duration::from_secs(20);

/// Reading after a deadline of messages from before it, with an end: a broker that sends continuously always
/// has something to read.
#[derive(Default)]
struct Backlog {
    ends_at: Option<Instant>,
}

impl Backlog {
    fn is_over(&mut self, deadline: Instant) -> bool {
        let now = Instant::now();
        if now < deadline {
            self.ends_at = None;
            return false;
        }
        now >= *self.ends_at.get_or_insert(now + BACKLOG)
    }
}

impl CasePlan {
    pub(super) fn window(&self, tolerance: Duration) -> Option<WillWindow> {
        WillWindow::of(self.expected, tolerance)
    }

    /// Runs the case; `None` if it was cancelled.
    pub(super) async fn run(&self, setting: &TestSetting<'_>) -> Option<CaseOutcome> {
        let started = Instant::now();
        let mut tidying = Tidying::default();
        let mut stop = setting.stop.clone();
        let result = tokio::select! {
            result = self.try_run(setting, &mut tidying) => Some(result),
            // An error: the sender is gone.
            _ = stop.wait_for(|stop| *stop) => None,
        };
        // The other connections of the session are closed first, so that cleaning up has the last effect.
        let Tidying { started: to_be_tidied, before, publishers } = tidying;
        drop(publishers);
        let tidy = async { if to_be_tidied { self.tidy(setting, before.as_ref()).await } else { Ok(()) } };
        let Some(result) = result else {
            // If the broker has gone as well, cleaning up fails.
            let _ = timeout(TIDY_LIMIT, tidy).await;
            return None;
        };
        let mut outcome = match result {
            Ok(outcome) => outcome,
            Err(CaseStop(verdict, detail)) => {
                let tolerance = setting.tolerance;
                CaseOutcome { verdict, detail, delay: None, tolerance, took: Duration::ZERO }
            }
        };
        if outcome.verdict == Verdict::Fail {
            outcome.detail.push_str(self.note);
        }
        if let Err(error) = tidy.await
            && outcome.verdict == Verdict::Pass
        {
            outcome.verdict = Verdict::Inconclusive;
            outcome.detail = format!("could not clean up: {error}");
        }
        outcome.took = started.elapsed();
        Some(outcome)
    }

    /// Opens one of the case's links, named by its `role`.
    async fn open<'a>(
        &self,
        setting: &TestSetting<'a>,
        role: &str,
        options: &ClientOptions,
    ) -> Result<RawLink<'a>, Error> {
        RawLink::open(options, self.protocol, trace(setting.diagnostics, &self.label(role))).await
    }

    fn label(&self, role: &str) -> String {
        format!("{}/{}/{role}", self.name, self.protocol)
    }

    async fn try_run<'a>(
        &self,
        setting: &TestSetting<'a>,
        tidying: &mut Tidying<'a>,
    ) -> Result<CaseOutcome, CaseStop> {
        if let Some(why) = self.skipped {
            return Err(CaseStop(Verdict::Skipped, why.into()));
        }
        let mut watch = WillSubscriber::open(self, setting, "watcher").await?;
        self.check_features(&watch.link)?;
        tidying.before.clone_from(&watch.before);
        tidying.started = true;
        let began = Instant::now();
        let publisher = self.open(setting, "publisher", &self.publisher).await;
        let mut publisher = publisher.map_err(|error| refused(&error))?;
        // The publisher's CONNECT contains the will; the watcher's did not.
        let is_large = self.will.payload.len() > LARGE_BYTES;
        let transfer = began.elapsed().saturating_sub(watch.opened_in);
        let tolerance = setting.tolerance + if is_large { transfer } else { Duration::ZERO };
        self.check_terms(&publisher)?;
        // The last packet of a client that will fall silent: Keep Alive counts from it.
        let last_packet = Instant::now();
        pong(&mut publisher, "publisher").await?;
        let early = watch.catch_up(BEFORE_DEATH).await?;
        let death = match self.death {
            Death::Silence | Death::BlackHole => last_packet,
            _ => Instant::now(),
        };
        self.die(setting, publisher, tidying).await?;
        let window = self.window(tolerance);
        let (arrivals, stopped_time) = self.watch(setting, tolerance, &mut watch, death, tidying).await?;
        let granted = watch.granted;
        let expectation = Expectation { will: &self.will, window, granted, death, early, stopped_time };
        let (verdict, mut detail, delay) = expectation.judge(&arrivals);
        if verdict == Verdict::Fail && early == 0 && arrivals.is_empty() {
            detail.push_str(&self.if_none_came);
        }
        if verdict == Verdict::Pass {
            self.look_later(setting).await?;
        }
        Ok(CaseOutcome { verdict, detail, delay, tolerance, took: Duration::ZERO })
    }

    /// Skips the case if the broker reports that a feature is missing.
    fn check_features(&self, link: &RawLink<'_>) -> Result<(), CaseStop> {
        let limits = link.connected().limits();
        let skip = |why: String| Err(CaseStop(Verdict::Skipped, why));
        if self.will.qos > limits.maximum_qos {
            return skip(format!("the broker's Maximum QoS is {}", limits.maximum_qos)); // [MQTT-3.2.2-12]
        }
        if self.will.retain && !limits.retain_available {
            return skip("the broker does not support retained messages".into()); // [MQTT-3.2.2-13]
        }
        // CONNECT is the largest packet; the rest of it is smaller than this.
        let bytes = self.will.payload.len() + self.will.properties.bytes().len() + 1024;
        if bytes > limits.maximum_packet_bytes as usize && self.will.payload.len() > 1024 {
            return skip(format!("the broker's Maximum Packet Size is {}", limits.maximum_packet_bytes));
        }
        Ok(())
    }

    /// Skips the case if the broker grants this client other values than requested.
    fn check_terms(&self, link: &RawLink<'_>) -> Result<(), CaseStop> {
        let skip = |why: String| Err(CaseStop(Verdict::Skipped, why));
        let asked = self.publisher.keep_alive;
        let keep_alive = link.connected().keep_alive(asked);
        if matches!(self.death, Death::Silence | Death::BlackHole) && keep_alive != asked {
            return skip(format!(
                "the broker sets Keep Alive to {}",
                duration(Duration::from_secs(keep_alive.into()))
            ));
        }
        let granted = link.connected().properties.view().number(PropertyId::SessionExpiryInterval);
        match (granted, self.publisher.session_expiry_interval) {
            (Some(granted), Some(asked)) if granted < asked => skip(format!(
                "the broker keeps a session for {} only",
                duration(Duration::from_secs(granted.into()))
            )),
            _ => Ok(()),
        }
    }

    async fn die<'a>(
        &self,
        setting: &TestSetting<'a>,
        mut publisher: RawLink<'a>,
        tidying: &mut Tidying<'a>,
    ) -> Result<(), CaseStop> {
        let unable = |error: Error| CaseStop(Verdict::Inconclusive, format!("the publisher: {error}"));
        setting.diagnostics.debug(|| format!("Client {} {}", self.label("publisher"), self.death.deed()));
        match self.death {
            Death::Reset => {
                return publisher.reset().map_err(|error| CaseStop(Verdict::Skipped, error.to_string()));
            }
            Death::BlackHole => {
                publisher.black_hole().map_err(|error| CaseStop(Verdict::Skipped, error.to_string()))?;
            }
            Death::Silence => {}
            Death::Close => publisher.close().await.map_err(unable)?,
            Death::Disconnect(reason) => publisher.disconnect(reason).await.map_err(unable)?,
            Death::SecondConnect => publisher.connect_again().await.map_err(unable)?,
            Death::Malformed => publisher.send_malformed().await.map_err(unable)?,
            Death::TakeOver => {
                let other = self.open(setting, "successor", &without_will(&self.publisher)).await;
                tidying.publishers.push(other.map_err(unable)?);
            }
        }
        tidying.publishers.push(publisher);
        Ok(())
    }

    /// Watches until the case is decided. Also returns how long this program was stopped before the first
    /// arrival.
    async fn watch<'a>(
        &self,
        setting: &TestSetting<'a>,
        tolerance: Duration,
        watch: &mut WillSubscriber<'a>,
        death: Instant,
        tidying: &mut Tidying<'a>,
    ) -> Result<(WillArrivals, Duration), CaseStop> {
        let mut arrivals = WillArrivals::default();
        let (stopped_time, mut meanwhile) = (setting.pulse.stopped_time(), Duration::ZERO);
        let mut returns = self.returns;
        let mut until = match (self.window(tolerance), self.expected) {
            // Longer than the window: a will that arrives too late is another fault than a missing one.
            (Some(window), _) => death + window.to.max(self.longest_delay()) + tolerance,
            (None, Expected::Never(watched) | Expected::After(watched) | Expected::Noticed(watched)) => {
                death + watched + tolerance
            }
        };
        let mut ping_at = Instant::now() + PING_EVERY;
        let mut unfinished = 0;
        let mut backlog = Backlog::default();
        loop {
            if backlog.is_over(until) {
                return Ok((arrivals, meanwhile));
            }
            let return_at = returns.map_or(until, |returns| death + returns.after);
            tokio::select! {
                biased;
                () = sleep_until(return_at), if returns.is_some() => {
                    let clean_start = returns.take().is_some_and(|returns| returns.clean_start);
                    let back = ClientOptions { clean_start, ..without_will(&self.publisher) };
                    let link = self.open(setting, "publisher", &back).await.map_err(|error| {
                        CaseStop(Verdict::Inconclusive, format!("the publisher could not reconnect: {error}"))
                    })?;
                    tidying.publishers.push(link);
                }
                () = sleep_until(ping_at) => {
                    watch.link.ping();
                    ping_at += PING_EVERY;
                }
                // Arrived messages count, however late this task is woken.
                incoming = watch.next() => {
                    if let Incoming::Message(message) = incoming.map_err(|error| lost(&error))? {
                        if arrivals.is_empty() {
                            meanwhile = setting.pulse.stopped_time().saturating_sub(stopped_time);
                        }
                        arrivals.add(watch.link.began(), message);
                        until = until.min(Instant::now() + SECOND_ONE);
                    }
                }
                () = sleep_until(until) => {
                    // A message that is being received may complete, as long as it progresses.
                    let there = watch.link.unfinished_bytes();
                    if there <= unfinished {
                        return Ok((arrivals, meanwhile));
                    }
                    unfinished = there;
                    until = Instant::now() + STANDSTILL;
                }
            }
        }
    }

    /// How long the user's will may take with a broker that counts its delay, correctly or not.
    fn longest_delay(&self) -> Duration {
        let delay = self.will.properties.view().number(PropertyId::WillDelayInterval);
        Duration::from_secs(delay.filter(|_| self.is_own).unwrap_or(0).into())
    }

    /// Checks what a later subscriber receives.
    async fn look_later(&self, setting: &TestSetting<'_>) -> Result<(), CaseStop> {
        let fail = |text: String| Err(CaseStop(Verdict::Fail, text));
        match self.later {
            Later::Any => Ok(()),
            Later::Kept => {
                let mut later = WillSubscriber::open(self, setting, "later watcher").await?;
                if later.before.is_none() {
                    // A broker may be slow to send its retained message.
                    let _ = timeout(setting.tolerance, later.first_retained()).await;
                }
                match later.before {
                    None => fail("it was not kept for a later subscriber".into()),
                    Some(kept) if kept.payload != self.will.payload => {
                        fail("another message was kept".into())
                    }
                    Some(_) => Ok(()),
                }
            }
            Later::Nothing(pause) => {
                tokio::time::sleep(pause).await;
                let mut later = WillSubscriber::open(self, setting, "later watcher").await?;
                later.take_retained().await?;
                if later.before.is_some() {
                    return fail("it is still kept for a later subscriber".into());
                }
                Ok(())
            }
        }
    }

    /// Cleans up: no session is left, and the retained message is the one from before.
    async fn tidy(&self, setting: &TestSetting<'_>, before: Option<&ReceivedMessage>) -> Result<(), Error> {
        // A broker may keep a session only because of a delayed will.
        let is_delayed = self.will.properties.view().number(PropertyId::WillDelayInterval).is_some();
        if !self.will.retain && !is_delayed && self.publisher.session_expiry_interval.is_none() {
            return Ok(());
        }
        let options = ClientOptions { session_expiry_interval: None, ..without_will(&self.publisher) };
        let mut link = self.open(setting, "tidy", &options).await?;
        if self.will.retain {
            let nothing = PropertyBlock::default();
            let (payload, qos, properties) = match before.filter(|_| self.is_own) {
                Some(before) => (before.payload.as_slice(), before.qos, &before.properties),
                None => (&b""[..], QoS::AtMostOnce, &nothing),
            };
            link.publish(&self.will.topic, qos, true, payload, properties)?;
            link.ping();
            let limit = link.answer_limit();
            // After its answer the broker has read the message.
            let answered = async {
                while link.next().await? != Incoming::Pong {}
                Ok::<(), Error>(())
            };
            timeout(limit, answered).await.unwrap_or(Ok(()))?;
        }
        link.disconnect(ReasonCode::SUCCESS).await
    }
}

/// The items to clean up after a case.
#[derive(Default)]
struct Tidying<'a> {
    started: bool,
    /// The message that was retained on the topic before.
    before: Option<ReceivedMessage>,
    /// Connections that must stay open during the case.
    publishers: Vec<RawLink<'a>>,
}

/// Shows the packets of a link with `-d`.
pub(super) fn trace<'a>(diagnostics: &'a Diagnostics, label: &str) -> Option<Trace<'a>> {
    let label = label.to_owned();
    (diagnostics.verbosity() == Verbosity::Debug).then(|| {
        let show: Trace<'a> =
            Box::new(move |direction, packet| diagnostics.packet(&label, direction, packet));
        show
    })
}

pub(super) fn without_will(options: &ClientOptions) -> ClientOptions {
    ClientOptions { will: None, clean_start: true, ..options.clone() }
}

/// A subscriber to the will's topic.
struct WillSubscriber<'a> {
    topic: Vec<u8>,
    link: RawLink<'a>,
    /// The time it took to open the link.
    opened_in: Duration,
    granted: QoS,
    /// The message that was retained there.
    before: Option<ReceivedMessage>,
}

impl<'a> WillSubscriber<'a> {
    async fn open(plan: &CasePlan, setting: &TestSetting<'a>, role: &str) -> Result<Self, CaseStop> {
        let watcher = match &plan.watcher.user_name {
            Some(name) => format!("the watcher (user '{name}')"),
            None => "the watcher".to_owned(),
        };
        let unable = |error: Error| {
            let why = super::refused_watcher::why(&error, plan.watcher.user_name != plan.publisher.user_name);
            CaseStop(Verdict::Inconclusive, format!("{watcher}: {error}{why}"))
        };
        let began = Instant::now();
        let mut link = plan.open(setting, role, &plan.watcher).await.map_err(|error| match error {
            error if error.is_about_version() => {
                CaseStop(Verdict::Skipped, format!("the broker does not support MQTT {}", plan.protocol))
            }
            error => unable(error),
        })?;
        let opened_in = began.elapsed();
        link.subscribe(&plan.will.topic, QoS::ExactlyOnce);
        let topic = plan.will.topic.clone().into();
        let mut watch = Self { topic, link, opened_in, granted: QoS::AtMostOnce, before: None };
        let limit = watch.link.answer_limit();
        let subscribed = async {
            loop {
                match watch.next().await.map_err(unable)? {
                    Incoming::Subscribed(reasons) => return Ok(reasons.first().copied()),
                    Incoming::Message(message) => watch.before = Some(message),
                    _ => {}
                }
            }
        };
        let reason = timeout(limit, subscribed).await.map_err(|_| unanswered("watcher", "SUBSCRIBE"))??;
        let reason = reason.unwrap_or(ReasonCode::UNSPECIFIED);
        watch.granted = QoS::from_bits(reason.0).ok_or_else(|| {
            CaseStop(
                Verdict::Inconclusive,
                format!("{watcher} has no right to subscribe to the will's topic: {reason}"),
            )
        })?;
        if plan.is_own {
            watch.take_retained().await?;
        } else {
            watch.catch_up(Duration::ZERO).await?; // nothing is retained on a new topic
        }
        Ok(watch)
    }

    /// The next packet. A message on another topic is not the will and is ignored.
    async fn next(&mut self) -> Result<Incoming, Error> {
        Ok(match self.link.next().await? {
            Incoming::Message(message) if message.topic != self.topic => Incoming::Other,
            incoming => incoming,
        })
    }

    /// Receives the messages up to now and within this time, which are retained or too early; returns the
    /// number of early ones.
    async fn catch_up(&mut self, linger: Duration) -> Result<usize, CaseStop> {
        self.link.ping();
        let (mut live, mut until, limit) = (0, None, self.link.answer_limit());
        let answered = async {
            loop {
                let incoming = tokio::select! {
                    incoming = self.next() => incoming.map_err(|error| lost(&error))?,
                    () = sleep_until(until.unwrap_or_else(Instant::now)), if until.is_some() => return Ok(live),
                };
                match incoming {
                    Incoming::Pong => until = Some(Instant::now() + linger),
                    Incoming::Message(message) if message.retain => self.before = Some(message),
                    Incoming::Message(_) => live += 1,
                    _ => {}
                }
            }
        };
        timeout(limit, answered).await.map_err(|_| unanswered("watcher", "PINGREQ"))?
    }

    /// Receives the retained message, or finds that there is none, by the broker's pace alone: the watcher
    /// may have no right to publish.
    async fn take_retained(&mut self) -> Result<(), CaseStop> {
        let mut stored = Stored::new(Instant::now(), Care::Last);
        stored.subscribed(Instant::now());
        let mut backlog = Backlog::default();
        let limit = self.link.answer_limit();
        let all = async {
            while self.before.is_none() {
                let Some(over_at) = stored.over_at() else {
                    self.link.ping();
                    stored.asked(Instant::now());
                    continue;
                };
                if backlog.is_over(over_at) {
                    if stored.end().is_some() {
                        break;
                    }
                    continue;
                }
                tokio::select! {
                    biased;
                    incoming = self.next() => match incoming.map_err(|error| lost(&error))? {
                        Incoming::Pong => stored.answered(Instant::now()),
                        Incoming::Message(message) if message.retain => self.before = Some(message),
                        _ => {}
                    },
                    () = sleep_until(over_at) => if stored.end().is_some() { break },
                }
            }
            Ok(())
        };
        timeout(limit, all).await.map_err(|_| unanswered("watcher", "PINGREQ"))?
    }

    async fn first_retained(&mut self) -> Result<(), Error> {
        while self.before.is_none() {
            if let Incoming::Message(message) = self.next().await? {
                self.before = Some(message).filter(|message| message.retain);
            }
        }
        Ok(())
    }
}

async fn pong(link: &mut RawLink<'_>, who: &str) -> Result<(), CaseStop> {
    link.ping();
    let limit = link.answer_limit();
    let answered = async {
        while link.next().await? != Incoming::Pong {}
        Ok::<(), Error>(())
    };
    timeout(limit, answered)
        .await
        .map_err(|_| unanswered(who, "PINGREQ"))?
        .map_err(|error| CaseStop(Verdict::Inconclusive, format!("the {who}: {error}")))
}

fn unanswered(who: &str, packet: &str) -> CaseStop {
    CaseStop(Verdict::Inconclusive, format!("the {who} got no answer to {packet} from the broker"))
}

fn lost(error: &Error) -> CaseStop {
    CaseStop(Verdict::Inconclusive, format!("the watcher lost its connection: {error}"))
}

/// The outcome for a refused CONNECT of the publisher: a missing feature, or another reason.
fn refused(error: &Error) -> CaseStop {
    let lacks =
        [ReasonCode::RETAIN_NOT_SUPPORTED, ReasonCode::QOS_NOT_SUPPORTED, ReasonCode::PACKET_TOO_LARGE];
    match error {
        _ if error.is_about_version() => CaseStop(Verdict::Skipped, error.to_string()),
        Error::Refused { reason, .. } if lacks.contains(reason) => {
            CaseStop(Verdict::Skipped, error.to_string())
        }
        // The watcher was accepted, so the refusal concerns this will.
        Error::Refused { .. } => CaseStop(Verdict::Fail, format!("the broker refused this will: {error}")),
        _ => CaseStop(Verdict::Inconclusive, format!("the publisher: {error}")),
    }
}
