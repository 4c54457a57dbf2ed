//! The rows of the series: seconds, with an additional cut at the end of each phase of the run.

use serde::{Deserialize, Serialize, Serializer};

use super::stamp::Timeline;

const SECOND: u64 = 1_000_000_000;

/// The phase of a run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Course {
    #[default]
    Connect,
    WarmUp,
    Measure,
    Drain,
}

impl Course {
    /// Its name in the report.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Connect => "connect",
            Self::WarmUp => "warmup",
            Self::Measure => "measure",
            Self::Drain => "drain",
        }
    }

    fn at(time: u64, timeline: Timeline) -> Self {
        match time {
            _ if time < timeline.start => Self::Connect,
            _ if time >= timeline.end => Self::Drain,
            _ if time < timeline.measure => Self::WarmUp,
            _ => Self::Measure,
        }
    }

    /// When the phase ends.
    fn end(self, timeline: Timeline) -> u64 {
        match self {
            Self::Connect => timeline.start,
            Self::WarmUp => timeline.measure.min(timeline.end),
            Self::Measure => timeline.end,
            Self::Drain => u64::MAX,
        }
    }
}

impl Serialize for Course {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.key())
    }
}

/// A row; it is the same in all threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Row {
    pub(super) course: Course,
    /// The number of the row in its phase.
    pub(super) number: u32,
}

/// The current row of a thread.
#[derive(Debug)]
pub(super) struct Rows {
    row: Row,
    /// Nanoseconds of the monotonic clock.
    begin: u64,
}

impl Rows {
    pub(super) fn new(began: u64) -> Self {
        Self { row: Row { course: Course::Connect, number: 0 }, begin: began }
    }

    /// When the current row ends.
    pub(super) fn end(&self, timeline: Timeline) -> u64 {
        (self.begin + SECOND).min(self.row.course.end(timeline)).max(self.begin)
    }

    /// If the current row has ended at this time, starts the next; returns the ended row, its start and its
    /// end.
    pub(super) fn cut(&mut self, time: u64, timeline: Timeline) -> Option<(Row, u64, u64)> {
        let end = self.end(timeline);
        (time >= end).then(|| {
            let done = (self.row, self.begin, end);
            let course = Course::at(end, timeline);
            let number = if course == self.row.course { self.row.number + 1 } else { 0 };
            (self.row, self.begin) = (Row { course, number }, end);
            done
        })
    }

    /// The last row, which ends with the run.
    pub(super) fn last(&self, time: u64) -> (Row, u64, u64) {
        (self.row, self.begin, time.max(self.begin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(course: Course, number: u32) -> Row {
        Row { course, number }
    }

    /// A row starts at the start of each phase, and ends at its end.
    #[test]
    fn rows_of_the_series_end_with_their_phase() {
        let never = Timeline::NEVER;
        let mut rows = Rows::new(100);
        assert_eq!(rows.cut(100 + SECOND - 1, never), None);
        assert_eq!(rows.cut(100 + SECOND, never), Some((row(Course::Connect, 0), 100, 100 + SECOND)));
        let (start, measure) = (3 * SECOND / 2, 4 * SECOND);
        let timeline = Timeline { start, measure, end: measure + 2 * SECOND };
        let mut found = Vec::new();
        while let Some(done) = rows.cut(7 * SECOND, timeline) {
            found.push(done);
        }
        let expected = [
            (row(Course::Connect, 1), 100 + SECOND, start),
            (row(Course::WarmUp, 0), start, start + SECOND),
            (row(Course::WarmUp, 1), start + SECOND, start + 2 * SECOND),
            (row(Course::WarmUp, 2), start + 2 * SECOND, measure),
            (row(Course::Measure, 0), measure, measure + SECOND),
            (row(Course::Measure, 1), measure + SECOND, measure + 2 * SECOND),
            (row(Course::Drain, 0), measure + 2 * SECOND, measure + 3 * SECOND),
        ];
        assert_eq!(found, expected);
        assert_eq!(rows.last(7 * SECOND + 5), (row(Course::Drain, 1), 7 * SECOND, 7 * SECOND + 5));
    }

    /// A delayed end, and one before the measurement.
    #[test]
    fn early_end_starts_the_drain() {
        let open = Timeline { start: 0, measure: 0, end: u64::MAX };
        let mut rows = Rows::new(0);
        while rows.cut(SECOND, open).is_some() {}
        let ended = Timeline { end: SECOND - 7, ..open };
        assert_eq!(rows.cut(SECOND, ended), Some((row(Course::Measure, 1), SECOND, SECOND)));
        assert_eq!(rows.last(SECOND + 1).0, row(Course::Drain, 0));
        let mut rows = Rows::new(0);
        let stopped = Timeline { start: 0, measure: 9 * SECOND, end: SECOND / 2 };
        rows.cut(0, stopped);
        assert_eq!(rows.cut(SECOND, stopped), Some((row(Course::WarmUp, 0), 0, SECOND / 2)));
        assert_eq!(rows.last(SECOND).0, row(Course::Drain, 0));
    }
}
