//! Problems of a run, and notes on its figures: each has a stable code for programs and a text for users. No
//! decision depends on the text.

use std::fmt;
use std::time::Duration;

use super::super::shard::named::NamedShards;
use super::super::stamp;
use super::numbers::{count, time, whole};
use crate::net::page::PageFault;
use crate::quantity::{counted, duration};

/// Why the figures do not represent the broker under the requested load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Problem {
    /// Messages sent more than `limit_us` after their time.
    SentLate {
        late: u64,
        of: u64,
        limit_us: f64,
    },
    /// Operations started later than that.
    OperatedLate {
        late: u64,
        of: u64,
        limit_us: f64,
    },
    /// Connections started later than that.
    ConnectedLate {
        late: u64,
        of: u64,
        limit_us: f64,
    },
    /// A thread was busy for this share of the time.
    ThreadBusy {
        share: f64,
    },
    SubscribeUnanswered,
    /// The drain timed out after this time.
    Unanswered {
        drain: Duration,
    },
    NothingMeasured(Nothing),
    ConnectionsFailed {
        failed: u64,
        attempted: u64,
    },
    ConnectionsLost(u64),
    SubscriptionsRefused(u64),
    /// Commands of disturbances failed.
    CommandsFailed(u64),
    /// Shards without a report.
    ShardsMissing(NamedShards),
    /// Shards whose run failed.
    ShardsFailed(NamedShards),
    /// Shards that were interrupted.
    ShardsInterrupted(NamedShards),
    /// Shards whose generator was saturated.
    ShardsSaturated(NamedShards),
    /// Shards that did not start together, according to their machines' clocks.
    ShardsApart {
        apart_us: f64,
    },
}

/// Why nothing was measured, with the number of messages concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nothing {
    NoneDue,
    NoOperationDue,
    NoOperationDone(u64),
    NoneSubscribed(u64),
    NoneConnected(u64),
    StillWarmUp,
    NoneSent(u64),
    AllRefused(u64),
    NoneAcknowledged(u64),
    NoneArrived(u64),
    NoneReceived,
    NoneAnswered(u64),
    NotStored,
    NoRetained(u64),
    NoWill(u64),
}

impl Problem {
    /// A stable code for programs, independent of the text.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::SentLate { .. } => "sent-late",
            Self::OperatedLate { .. } => "operated-late",
            Self::ConnectedLate { .. } => "connected-late",
            Self::ThreadBusy { .. } => "thread-busy",
            Self::SubscribeUnanswered => "subscribe-unanswered",
            Self::Unanswered { .. } => "unanswered",
            Self::NothingMeasured(_) => "nothing-measured",
            Self::ConnectionsFailed { .. } => "connections-failed",
            Self::ConnectionsLost(_) => "connections-lost",
            Self::SubscriptionsRefused(_) => "subscriptions-refused",
            Self::CommandsFailed(_) => "commands-failed",
            Self::ShardsMissing(_) => "shards-missing",
            Self::ShardsFailed(_) => "shards-failed",
            Self::ShardsInterrupted(_) => "shards-interrupted",
            Self::ShardsSaturated(_) => "shards-saturated",
            Self::ShardsApart { .. } => "shards-apart",
        }
    }

    /// Whether the problem shows the limits of the generator instead of those of the broker.
    pub(crate) fn is_saturation(self) -> bool {
        SATURATION.contains(&self.code())
    }

    /// Whether a part of the load is missing.
    pub(crate) fn is_of_absent_shards(self) -> bool {
        matches!(self, Self::ShardsMissing(_) | Self::ShardsFailed(_) | Self::ShardsInterrupted(_))
    }
}

/// The advice for a saturated generator.
pub(crate) const SATURATION_HINT: &str = "ask for less with a lower rate (--rate, for conn --ramp), or take the figures \
                                          as they are with --allow-saturated";

/// Codes of the problems that show the limits of the generator instead of those of the broker.
pub(crate) const SATURATION: [&str; 5] =
    ["sent-late", "operated-late", "connected-late", "thread-busy", "shards-saturated"];

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::SentLate { late, of, limit_us } => {
                let (late, of, limit) = (whole(late), whole(of), time(limit_us));
                write!(f, "generator saturated: {late} of {of} messages were sent more than {limit} late")
            }
            Self::OperatedLate { late, of, limit_us } => {
                let (late, of, limit) = (whole(late), whole(of), time(limit_us));
                write!(f, "generator saturated: {late} of {of} operations were begun more than {limit} late")
            }
            Self::ConnectedLate { late, of, limit_us } => {
                let (late, of, limit) = (whole(late), whole(of), time(limit_us));
                write!(
                    f,
                    "generator saturated: {late} of {of} connections were started more than {limit} late"
                )
            }
            Self::ThreadBusy { share } => {
                write!(f, "generator saturated: a thread was busy for {:.0} % of the time", share * 100.0)
            }
            Self::SubscribeUnanswered => f.write_str("the broker did not answer every SUBSCRIBE in time"),
            Self::Unanswered { drain } => unanswered(f, drain),
            Self::NothingMeasured(why) => write!(f, "nothing was measured: {why}"),
            Self::ConnectionsFailed { failed, attempted } => {
                write!(f, "connections failed: {failed} of {attempted}")
            }
            Self::ConnectionsLost(lost) => write!(f, "connections lost: {lost}"),
            Self::SubscriptionsRefused(refused) => write!(f, "subscriptions refused: {refused}"),
            Self::CommandsFailed(failed) => write!(f, "commands of --disturb failed: {failed}"),
            Self::ShardsMissing(shards) => write!(f, "shards without a report: {shards}"),
            Self::ShardsFailed(shards) => write!(f, "shards that failed: {shards}"),
            Self::ShardsInterrupted(shards) => write!(f, "interrupted shards: {shards}"),
            Self::ShardsSaturated(shards) => write!(f, "generator saturated in shards: {shards}"),
            Self::ShardsApart { apart_us } => write!(
                f,
                "the shards started {} apart by their clocks; --barrier or --start-at starts them together",
                time(apart_us)
            ),
        }
    }
}

fn unanswered(f: &mut fmt::Formatter<'_>, drain: Duration) -> fmt::Result {
    let drain = duration(drain);
    write!(f, "the broker had unanswered messages when the drain timed out after {drain} (--drain)")
}

impl fmt::Display for Nothing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NoneDue => f.write_str("no message was due in the measurement"),
            Self::NoOperationDue => f.write_str("no operation was due in the measurement"),
            Self::NoOperationDone(operations) => {
                write!(f, "none of {} was done", counted(operations, "operation"))
            }
            Self::NoneSubscribed(of) => write!(f, "no SUBSCRIBE of {} was granted", whole(of)),
            Self::NoneConnected(of) => write!(f, "no new connection of {} was made", whole(of)),
            Self::StillWarmUp => {
                f.write_str("messages of the warm-up were still being sent when the measurement ended")
            }
            Self::NoneSent(of) => write!(f, "no message of {} could be sent while it lasted", whole(of)),
            Self::AllRefused(of) => write!(f, "the broker refused all messages ({})", whole(of)),
            Self::NoneAcknowledged(of) => write!(f, "no message of {} was acknowledged", whole(of)),
            // Brokers do not report this: they silently drop messages that a user may not read.
            Self::NoneArrived(of) => {
                write!(f, "no message of {} arrived; may this user both publish and subscribe there?", whole(of))
            }
            Self::NoneReceived => f.write_str(
                "no message arrived; was one published, does the topic filter match it, and may this user read it?",
            ),
            Self::NoneAnswered(of) => write!(
                f,
                "no request of {} had its response; may this user publish and subscribe to the topics of both?",
                whole(of)
            ),
            Self::NotStored => f.write_str(
                "the messages to be retained were not stored; does the broker retain messages, and may this user \
                 publish them?",
            ),
            Self::NoRetained(of) => write!(
                f,
                "no retained message of {} arrived; does the broker retain messages, and may this user read them?",
                whole(of)
            ),
            Self::NoWill(of) => {
                write!(f, "no will of {} arrived; may this user both publish and subscribe there?", whole(of))
            }
        }
    }
}

/// A note on the figures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Note {
    /// Messages that were due but not sent at the end of the run, and whether latencies include them.
    NotSent {
        messages: u64,
        timed: bool,
    },
    Unacknowledged(u64),
    NeverArrived(u64),
    /// Messages that had not arrived when the run was interrupted.
    NotYetArrived(u64),
    /// Messages of another run on the same topics.
    ForeignMessages(u64),
    /// Warm-up messages among those sent during the measurement.
    WarmUpInMeasurement {
        warmup: u64,
        of: u64,
    },
    /// The drain timed out after this time.
    Unanswered {
        drain: Duration,
    },
    StillArriving {
        drain: Duration,
    },
    /// The p99 of connecting was as long as a repeated SYN takes.
    ConnectRepeated {
        p99_us: f64,
    },
    /// All connections were lost before the end of the measurement.
    CutShort {
        measured_us: f64,
        asked_us: f64,
    },
    /// Messages per second.
    RateNotReached {
        asked: f64,
        sent: f64,
    },
    /// The broker's Receive Maximum is lower than the requested window.
    WindowLimited {
        window: u16,
        asked: u16,
    },
    NoStamp {
        payload_bytes: usize,
    },
    /// The stamp is too short for the actual send time.
    ShortStamp {
        payload_bytes: usize,
    },
    Unstamped(u64),
    /// The latencies compare the clocks of two processes.
    OtherClock,
    /// Clients that were disconnected at the end of the run.
    NotBack(u64),
    /// The broker still has messages that it was given to retain.
    RetainedLeft,
    /// Disturbances that were not started.
    NotDisturbed(u64),
    /// The process of --broker-pid ended this long after the start of the run.
    BrokerProcessEnded {
        after_us: f64,
    },
    BrokerDescriptorsUnread,
    /// How often the page of --broker-metrics could not be read.
    BrokerPageFailed {
        failed: u64,
        of: u64,
        why: PageFault,
    },
    /// The page contained no metrics.
    BrokerPageEmpty {
        empty: u64,
        of: u64,
    },
    BrokerNumbersLeftOut {
        left_out: u64,
        kept: u64,
    },
    BrokerMetricsMissing(u64),
    BrokerSysFailed,
    BrokerSysSilent,
    /// The figures are those of one of several shards.
    OneShard {
        number: u32,
        of: u32,
    },
    /// Messages went between machines, whose clocks differ.
    OneWayWithheld {
        machines: usize,
    },
    /// Messages went between machines whose clocks were compared.
    OneWayCorrected {
        machines: usize,
        error_us: f64,
    },
}

impl Note {
    /// A stable code for programs, independent of the text.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::NotSent { .. } => "not-sent",
            Self::Unacknowledged(_) => "unacknowledged",
            Self::NeverArrived(_) => "never-arrived",
            Self::NotYetArrived(_) => "not-yet-arrived",
            Self::ForeignMessages(_) => "foreign-messages",
            Self::WarmUpInMeasurement { .. } => "warm-up-in-measurement",
            Self::Unanswered { .. } => "unanswered",
            Self::StillArriving { .. } => "still-arriving",
            Self::ConnectRepeated { .. } => "connect-repeated",
            Self::CutShort { .. } => "cut-short",
            Self::RateNotReached { .. } => "rate-not-reached",
            Self::WindowLimited { .. } => "window-limited",
            Self::NoStamp { .. } => "no-stamp",
            Self::ShortStamp { .. } => "short-stamp",
            Self::Unstamped(_) => "unstamped",
            Self::OtherClock => "other-clock",
            Self::NotBack(_) => "not-back",
            Self::RetainedLeft => "retained-left",
            Self::NotDisturbed(_) => "not-disturbed",
            Self::BrokerProcessEnded { .. } => "broker-process-ended",
            Self::BrokerDescriptorsUnread => "broker-descriptors-unread",
            Self::BrokerPageFailed { .. } => "broker-page-failed",
            Self::BrokerPageEmpty { .. } => "broker-page-empty",
            Self::BrokerNumbersLeftOut { .. } => "broker-numbers-left-out",
            Self::BrokerMetricsMissing(_) => "broker-metrics-missing",
            Self::BrokerSysFailed => "broker-sys-failed",
            Self::BrokerSysSilent => "broker-sys-silent",
            Self::OneShard { .. } => "one-shard",
            Self::OneWayWithheld { .. } => "one-way-withheld",
            Self::OneWayCorrected { .. } => "one-way-corrected",
        }
    }
}

impl fmt::Display for Note {
    #[expect(clippy::too_many_lines, reason = "a sentence for each note")]
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const WAITED: &str = "; the latencies include them with the time they had waited";
        const LONGEST: &str =
            "; the latencies do not include them, and --fail-if counts them as longer than any limit";
        match *self {
            Self::NotSent { messages, timed } => {
                let waited = if timed { WAITED } else { "" };
                write!(f, "messages due and not sent when the run ended: {}{waited}", whole(messages))
            }
            Self::Unacknowledged(messages) => {
                write!(f, "messages without an answer when the run ended: {}{WAITED}", whole(messages))
            }
            Self::NeverArrived(messages) => {
                write!(f, "messages that never arrived: {}{LONGEST}", whole(messages))
            }
            Self::NotYetArrived(messages) => {
                let messages = whole(messages);
                write!(f, "messages that had not arrived when the run was interrupted: {messages}{LONGEST}")
            }
            Self::ForeignMessages(messages) => {
                let messages = whole(messages);
                write!(
                    f,
                    "messages of other publishers on the same topics: {messages}; is another load running? --topic gives this one its own topics"
                )
            }
            Self::WarmUpInMeasurement { warmup, of } => write!(
                f,
                "messages of the warm-up that were sent in the measurement: {} of {}; the load was too much for the warm-up",
                whole(warmup),
                whole(of)
            ),
            Self::Unanswered { drain } => unanswered(f, drain),
            Self::StillArriving { drain } => {
                let drain = duration(drain);
                write!(
                    f,
                    "messages were still arriving when the drain of {drain} was over: what counts as lost may only be late; --drain waits longer"
                )
            }
            Self::ConnectRepeated { p99_us } => {
                let p99 = time(p99_us);
                write!(
                    f,
                    "connecting took {p99} at p99: the broker's queue of new connections was probably full, and TCP tries again after a second; --ramp spreads the connections"
                )
            }
            Self::CutShort { measured_us, asked_us } => {
                let (measured, asked) = (time(measured_us), time(asked_us));
                write!(
                    f,
                    "the measurement ended after {measured} of {asked}, when no connection was left: all figures cover only that time"
                )
            }
            Self::RateNotReached { asked, sent } => {
                let (asked, sent) = (count(asked.round()), count(sent.round()));
                write!(
                    f,
                    "the rate was {sent}/s not {asked}/s as requested: the broker accepted no more messages"
                )
            }
            Self::WindowLimited { window, asked } => write!(
                f,
                "the window is {window}, not {asked}: the broker allows no more messages in flight per client (Receive Maximum)"
            ),
            Self::NoStamp { payload_bytes } => write!(
                f,
                "payloads of {} have no room for the stamp of {}: messages are counted but not timed, and duplicates are not detected",
                counted(payload_bytes as u64, "byte"),
                stamp::SHORT_BYTES
            ),
            Self::ShortStamp { payload_bytes } => write!(
                f,
                "payloads of {} have no room for the stamp of {}: latencies of deliveries count from the intended send time only",
                counted(payload_bytes as u64, "byte"),
                stamp::LONG_BYTES
            ),
            Self::Unstamped(messages) => write!(
                f,
                "messages without a stamp of mqtt bench, which are counted but not timed: {}",
                whole(messages)
            ),
            Self::OtherClock => f.write_str(
                "the messages come from other processes: their latencies are correct only if these run on this machine",
            ),
            Self::NotDisturbed(missed) => {
                write!(f, "disturbances not started before the end of the measurement: {}", whole(missed))
            }
            Self::BrokerProcessEnded { after_us } => {
                write!(f, "the process of --broker-pid ended {} after the run began", time(after_us))
            }
            Self::BrokerDescriptorsUnread => f.write_str(
                "the open descriptors of the process of --broker-pid cannot be counted: only its user and root may",
            ),
            Self::BrokerPageFailed { failed, of, why } => {
                let (failed, of) = (whole(failed), whole(of));
                write!(f, "the page of --broker-metrics could not be read {failed} of {of} times: {why}")
            }
            Self::BrokerPageEmpty { empty, of } => write!(
                f,
                "the page of --broker-metrics had no metrics in Prometheus's text format {} of {} times",
                whole(empty),
                whole(of)
            ),
            Self::BrokerNumbersLeftOut { left_out, kept } => write!(
                f,
                "broker metrics beyond the limit: {} (limit {}); --broker-metric names those to keep",
                whole(left_out),
                whole(kept)
            ),
            Self::BrokerMetricsMissing(missing) => {
                write!(f, "--broker-metric: not on the page: {}", whole(missing))
            }
            Self::BrokerSysFailed => f.write_str(
                "the client of --broker-sys could not connect or subscribe to $SYS/#, or lost its connection; may this user read it?",
            ),
            Self::BrokerSysSilent => {
                f.write_str("no numbers received below $SYS; the broker may not publish any")
            }
            Self::OneShard { number, of } => write!(
                f,
                "these are the figures of shard {number} of {of}, without the other shards; mqtt bench merge combines them"
            ),
            Self::OneWayWithheld { machines } => write!(
                f,
                "delivery latencies are omitted: messages crossed {machines} machines, whose clocks were not compared; \
                 --barrier compares them, and mqtt bench rr measures round trips on one clock"
            ),
            Self::OneWayCorrected { machines, error_us } => write!(
                f,
                "delivery latencies are times between the clocks of {machines} machines, with an error of up to {}: \
                 values of less than ten times that are omitted; mqtt bench rr measures round trips on one clock",
                time(error_us)
            ),
            Self::RetainedLeft => f.write_str(
                "the broker still retains messages of this run: it has not confirmed that they are cleared; \
                 mqtt retain-clear removes them",
            ),
            Self::NotBack(clients) => write!(
                f,
                "clients disconnected at the end of the run: {}; 'until back' includes their time away",
                whole(clients)
            ),
        }
    }
}

/// All problems and notes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Findings {
    pub(crate) problems: Vec<Problem>,
    pub(crate) notes: Vec<Note>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One of each variant. A missing variant makes schema and code differ for reports that contain it.
    fn one_of_each() -> (Vec<Problem>, Vec<Note>) {
        let shards = NamedShards::of(&[1, 3], 4).unwrap();
        let drain = Duration::from_secs(5);
        let problems = vec![
            Problem::SentLate { late: 10, of: 999, limit_us: 5000.0 },
            Problem::OperatedLate { late: 10, of: 999, limit_us: 5000.0 },
            Problem::ConnectedLate { late: 10, of: 999, limit_us: 5000.0 },
            Problem::ThreadBusy { share: 0.99 },
            Problem::SubscribeUnanswered,
            Problem::Unanswered { drain },
            Problem::NothingMeasured(Nothing::NoneDue),
            Problem::ConnectionsFailed { failed: 1, attempted: 2 },
            Problem::ConnectionsLost(1),
            Problem::SubscriptionsRefused(1),
            Problem::CommandsFailed(1),
            Problem::ShardsMissing(shards),
            Problem::ShardsFailed(shards),
            Problem::ShardsInterrupted(shards),
            Problem::ShardsSaturated(shards),
            Problem::ShardsApart { apart_us: 2e6 },
        ];
        let notes = vec![
            Note::NotSent { messages: 1, timed: true },
            Note::Unacknowledged(1),
            Note::NeverArrived(1),
            Note::NotYetArrived(1),
            Note::ForeignMessages(1),
            Note::WarmUpInMeasurement { warmup: 1, of: 2 },
            Note::Unanswered { drain },
            Note::StillArriving { drain },
            Note::ConnectRepeated { p99_us: 1e6 },
            Note::CutShort { measured_us: 1.0, asked_us: 2.0 },
            Note::RateNotReached { asked: 2.0, sent: 1.0 },
            Note::WindowLimited { window: 1, asked: 2 },
            Note::NoStamp { payload_bytes: 1 },
            Note::ShortStamp { payload_bytes: 16 },
            Note::Unstamped(1),
            Note::OtherClock,
            Note::NotBack(1),
            Note::RetainedLeft,
            Note::NotDisturbed(1),
            Note::BrokerProcessEnded { after_us: 1e6 },
            Note::BrokerDescriptorsUnread,
            Note::BrokerPageFailed { failed: 1, of: 2, why: PageFault::TimedOut },
            Note::BrokerPageEmpty { empty: 1, of: 2 },
            Note::BrokerNumbersLeftOut { left_out: 1, kept: 2 },
            Note::BrokerMetricsMissing(1),
            Note::BrokerSysFailed,
            Note::BrokerSysSilent,
            Note::OneShard { number: 1, of: 2 },
            Note::OneWayWithheld { machines: 2 },
            Note::OneWayCorrected { machines: 2, error_us: 90.0 },
        ];
        (problems, notes)
    }

    #[test]
    fn schema_has_every_code() {
        let schema: serde_json::Value =
            serde_json::from_str(include_str!("../../../../tests/schema/bench.schema.json")).unwrap();
        let (problems, notes) = one_of_each();
        let codes = |list: &str| schema["properties"][list]["items"]["enum"].clone();
        let found: Vec<_> = problems.iter().map(|problem| problem.code()).collect();
        assert_eq!(codes("problem_codes"), serde_json::json!(found));
        let found: Vec<_> = notes.iter().map(|note| note.code()).collect();
        assert_eq!(codes("note_codes"), serde_json::json!(found));
    }

    #[test]
    fn only_limits_of_the_generator_are_saturation() {
        for problem in one_of_each().0 {
            let says = problem.to_string().starts_with("generator saturated");
            assert_eq!(problem.is_saturation(), says, "{problem}");
        }
    }
}
