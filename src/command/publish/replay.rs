//! `pub --json --timing recorded`: messages with the spacing of their recording, on an absolute schedule.

use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use crate::alarm::{Alarm, now};
use crate::error::Error;
use crate::quantity::{agree, counted, duration};

/// A step back in time of less than this is a message recorded out of order; a larger one means another
/// recording, or a clock that was set.
const OUT_OF_ORDER: Duration = Duration::from_secs(1);

/// A message that is less late than this is not counted as late.
const TOLERANCE_NANOS: u64 = 100_000_000;

/// The schedule of the messages. The first one is due immediately, and the others keep their distance from it
/// as recorded, divided by the speed. Slow sending does not move later messages.
pub(super) struct ReplaySchedule {
    speed: f64,
    recorded: RecordedSchedule,
    /// When the first message of this recording was due.
    start: u64,
    late: u64,
    latest_nanos: u64,
}

/// The schedule for a waiting task.
pub(super) struct ReplayClock {
    schedule: ReplaySchedule,
    alarm: Alarm,
    /// When the current message is due.
    due: Option<u64>,
    /// When the last message was received; taken when the first one is known.
    end: Option<SystemTime>,
    /// The time from the first to the last message, returned once.
    whole: Option<Duration>,
}

/// The time that has passed in a recording.
#[derive(Debug, Default)]
struct RecordedSchedule {
    /// The latest time of this round.
    latest: Option<SystemTime>,
    round: u64,
    passed: Duration,
}

impl RecordedSchedule {
    /// The time since the first message of this recording; `None` for the first.
    fn place(&mut self, time: SystemTime, round: u64) -> Option<Duration> {
        let goes_on = std::mem::replace(&mut self.round, round) == round;
        match self.latest.filter(|_| goes_on).map(|latest| time.duration_since(latest)) {
            Some(Ok(more)) => {
                self.passed = self.passed.saturating_add(more);
                self.latest = Some(time);
            }
            Some(Err(back)) if back.duration() <= OUT_OF_ORDER => {}
            None | Some(Err(_)) => {
                (self.latest, self.passed) = (Some(time), Duration::ZERO);
                return None;
            }
        }
        Some(self.passed)
    }
}

impl ReplaySchedule {
    pub(super) fn new(speed: f64) -> Self {
        Self { speed, recorded: RecordedSchedule::default(), start: 0, late: 0, latest_nanos: 0 }
    }

    /// When a message is due that was received at this time.
    pub(super) fn due(&mut self, time: SystemTime, round: u64) -> u64 {
        let Some(passed) = self.recorded.place(time, round) else {
            self.start = now();
            return self.start;
        };
        let passed = passed.div_f64(self.speed).as_nanos();
        self.start.saturating_add(u64::try_from(passed).unwrap_or(u64::MAX))
    }

    /// Records that a message is sent now that was due at `due`.
    pub(super) fn sent(&mut self, due: u64) {
        let late = now().saturating_sub(due);
        if late > TOLERANCE_NANOS {
            self.late += 1;
            self.latest_nanos = self.latest_nanos.max(late);
        }
    }

    /// The report about late messages, for the end of the run.
    pub(super) fn lateness(&self) -> Option<String> {
        (self.late > 0).then(|| {
            format!(
                "{} {} sent more than {} after the time of the recording, at most {} after it",
                counted(self.late, "message"),
                agree(self.late, "was", "were"),
                duration(Duration::from_nanos(TOLERANCE_NANOS)),
                duration(Duration::from_millis(self.latest_nanos / 1_000_000)),
            )
        })
    }
}

impl ReplayClock {
    pub(super) fn new(speed: f64) -> Result<Self, Error> {
        let alarm = Alarm::new().map_err(|error| Error::file("a timer", error))?;
        Ok(Self { schedule: ReplaySchedule::new(speed), alarm, due: None, end: None, whole: None })
    }

    /// Sets when the last message was received.
    pub(super) fn ends_at(&mut self, end: SystemTime) {
        self.end = Some(end);
    }

    /// The length of the recording; returned once, when it is known.
    pub(super) fn take_whole(&mut self) -> Option<Duration> {
        self.whole.take()
    }

    /// The part of the recording that has passed.
    pub(super) fn passed(&self) -> Duration {
        self.schedule.recorded.passed
    }

    /// Ready when the current message is due. `time` returns when it was received, and the round; `None` for
    /// a line that will not be sent.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        time: impl FnOnce() -> Option<(SystemTime, u64)>,
    ) -> Poll<()> {
        let due = if let Some(due) = self.due {
            due
        } else {
            let Some((time, round)) = time() else { return Poll::Ready(()) };
            let whole = self.end.take().and_then(|end| end.duration_since(time).ok());
            self.whole = whole.filter(|whole| !whole.is_zero());
            *self.due.insert(self.schedule.due(time, round))
        };
        ready!(self.alarm.poll_until(cx, due));
        self.due = None;
        self.schedule.sent(due);
        Poll::Ready(())
    }

    /// The report about late messages, for the end of the run.
    pub(super) fn lateness(&self) -> Option<String> {
        self.schedule.lateness()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    #[rstest]
    #[case::in_order(&[(0, 0), (500, 0), (700, 0)], &[None, Some(500), Some(700)])]
    #[case::out_of_order(&[(0, 0), (900, 0), (100, 0), (1000, 0)], &[None, Some(900), Some(900), Some(1000)])]
    #[case::another_recording(&[(5000, 0), (6000, 0), (2000, 0), (2300, 0)], &[None, Some(1000), None, Some(300)])]
    #[case::rounds(&[(5, 0), (105, 0), (5, 1), (105, 1)], &[None, Some(100), None, Some(100)])]
    #[case::rounds_of_one_record(&[(5, 0), (5, 1), (5, 2)], &[None, None, None])]
    fn messages_keep_their_spacing(#[case] times: &[(u64, u64)], #[case] expected: &[Option<u128>]) {
        let mut schedule = RecordedSchedule::default();
        let begin = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000);
        let places: Vec<_> = times
            .iter()
            .map(|(millis, round)| schedule.place(begin + Duration::from_millis(*millis), *round))
            .map(|place| place.map(|passed| passed.as_millis()))
            .collect();
        assert_eq!(places, expected);
    }

    #[tokio::test]
    async fn speed_divides_the_time_that_passes() {
        let mut replay = ReplayClock::new(10.0).unwrap();
        let begin = SystemTime::UNIX_EPOCH;
        let start = now();
        for millis in [0, 100, 250] {
            let time = begin + Duration::from_millis(millis);
            std::future::poll_fn(|cx| replay.poll(cx, || Some((time, 0)))).await;
            assert!(now() - start >= millis * 100_000);
        }
        std::future::poll_fn(|cx| replay.poll(cx, || None)).await;
    }
}
