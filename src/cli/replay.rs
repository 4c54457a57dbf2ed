//! The options of `pub --json` for replaying a recording.

use clap::ValueEnum;

use super::{text, value};
use crate::command::input::{Moment, RecordSelection, TimeRange};
use crate::command::publish::FOREVER;
use crate::error::Error;

/// The options that select records and their times.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Recording")]
pub(super) struct ReplayArgs {
    /// Send records at the times of the recording, which are those of tst
    ///
    /// The first message is sent at once, and each other one as long after it as it was received, on an
    /// absolute schedule: a delay of one message does not move the next. Messages that were recorded out of
    /// order are sent in the order of the lines; where times go back by more than a second, another recording
    /// begins. The message-expiry-interval is sent as it was recorded. Messages sent more than 100ms too late
    /// are counted in a warning at the end.
    #[arg(long, value_enum, value_name = "recorded", requires = "json", hide_possible_values = true)]
    timing: Option<Timing>,

    /// Send records this many times as fast as recorded, or as fast as the broker takes them (max) [default: 1]
    #[arg(long, value_name = "NUMBER|max", requires = "timing", value_parser = speed)]
    speed: Option<Speed>,

    /// Only records from this time on: 10:00 of each day, 2026-11-20T10:00 or 2026-11-20T10:00:00Z
    ///
    /// Times without a zone are local times. If --from, --to and --topic-filter match no record, the exit
    /// status is 3.
    #[arg(long, value_name = "TIME", requires = "json", value_parser = moment)]
    from: Option<Moment>,

    /// Only records before this time, in the same form; 24:00 is the end of the day. If --from is later in
    /// the day, the range crosses midnight
    #[arg(long, value_name = "TIME", requires = "json", value_parser = moment)]
    to: Option<Moment>,

    /// Only records with a topic that matches FILTER, before --rewrite-topic; may be repeated
    #[arg(long, value_name = "FILTER", requires = "json")]
    topic_filter: Vec<std::ffi::OsString>,

    /// Publish the file on standard input this many times, or forever [default: 1]
    #[arg(long = "loop", value_name = "COUNT|forever", requires = "json", value_parser = rounds)]
    rounds: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Timing {
    Recorded,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Speed {
    Times(f64),
    Max,
}

fn speed(text: &str) -> Result<Speed, String> {
    if text == "max" {
        return Ok(Speed::Max);
    }
    let number = text.strip_suffix('x').unwrap_or(text).parse::<f64>().ok();
    let number = number.filter(|number| (0.001..=1e6).contains(number));
    number.map(Speed::Times).ok_or_else(|| "use 0.001 to 1000000, or max".into())
}

fn moment(text: &str) -> Result<Moment, String> {
    Moment::parse(text)
}

fn rounds(text: &str) -> Result<u64, String> {
    if text == "forever" {
        Ok(FOREVER)
    } else {
        value::count(text).map_err(|why| format!("{why}, or forever"))
    }
}

impl ReplayArgs {
    pub(super) fn selection(&self) -> Result<RecordSelection, Error> {
        let filters = self.topic_filter.iter().map(|filter| text::topic_filter("topic filter", filter));
        let window = TimeRange::new(self.from, self.to);
        if window.is_empty() {
            return Err(Error::usage("--to must be after --from: no time is between them"));
        }
        Ok(RecordSelection { window, filters: filters.collect::<Result<_, _>>()? })
    }

    pub(super) fn is_timed(&self) -> bool {
        self.timing.is_some()
    }

    pub(super) fn rounds(&self) -> u64 {
        self.rounds.unwrap_or(1)
    }

    /// The speed factor; `None`: without the recorded times.
    pub(super) fn speed(&self) -> Option<f64> {
        let Timing::Recorded = self.timing?;
        match self.speed.unwrap_or(Speed::Times(1.0)) {
            Speed::Times(speed) => Some(speed),
            Speed::Max => None,
        }
    }
}
