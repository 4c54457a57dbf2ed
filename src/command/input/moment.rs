//! A moment of a recording, as given by `--from` and `--to`.

use std::time::SystemTime;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

use crate::clock;

/// The notation of the end of a day (ISO 8601).
const END_OF_DAY: [&str; 2] = ["24:00", "24:00:00"];

/// A time of each day, or one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// A time of each day, in the local time zone.
    OfDay(Time),
    /// The end of each day, 24:00.
    EndOfDay,
    /// One moment.
    Once(SystemTime),
}

impl Moment {
    /// Reads `10:00`, `10:00:30.5`, `2026-11-20`, `2026-11-20T10:00`, all in the local time zone, or a time
    /// with a zone, such as `2026-11-20T10:00:00Z`. `24:00` is the end of the day.
    ///
    /// # Errors
    /// Why the text is invalid.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::parse_in(text, &clock::local_zone())
    }

    fn parse_in(text: &str, zone: &TimeZone) -> Result<Self, String> {
        const FORM: &str = "use a time of day, for example 10:00, or a time, for example 2026-11-20T10:00 or 2026-11-20T10:00:00Z";
        if let Ok(moment) = text.parse::<Timestamp>() {
            return Ok(Self::Once(moment.into()));
        }
        // A date alone would also parse as a time: the start of the day.
        if !text.contains('-')
            && let Ok(time) = text.parse::<Time>()
        {
            return Ok(Self::OfDay(time));
        }
        let day = END_OF_DAY.iter().find_map(|end| text.strip_suffix(end));
        if day == Some("") {
            return Ok(Self::EndOfDay);
        }
        let moment = match day.and_then(|day| day.strip_suffix(['T', 't', ' '])) {
            Some(day) => {
                let day = day.parse::<Date>().map_err(|_| FORM)?;
                day.tomorrow().map_err(|error| error.to_string())?.to_datetime(Time::midnight())
            }
            None => text.parse::<DateTime>().map_err(|_| FORM)?,
        };
        let moment = moment.to_zoned(zone.clone()).map_err(|error| error.to_string())?;
        Ok(Self::Once(moment.timestamp().into()))
    }
}

/// The part of a recording from one moment, included, to another, excluded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeRange {
    from: Option<Moment>,
    to: Option<Moment>,
    zone: TimeZone,
}

impl TimeRange {
    /// A range in the local time zone. If both ends are times of day and the first is the later one, the
    /// range spans midnight.
    #[must_use]
    pub fn new(from: Option<Moment>, to: Option<Moment>) -> Self {
        Self { from, to, zone: clock::local_zone() }
    }

    /// Whether the range is always empty.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        match (self.from, self.to) {
            (Some(Moment::Once(from)), Some(Moment::Once(to))) => to <= from,
            // If `to` is earlier, the range spans midnight.
            (Some(Moment::OfDay(from)), Some(Moment::OfDay(to))) => to == from,
            (Some(Moment::EndOfDay), _) => true,
            _ => false,
        }
    }

    /// The options that define the range.
    pub(super) fn options(&self) -> impl Iterator<Item = &'static str> {
        let (from, to) = (self.from.map(|_| "--from"), self.to.map(|_| "--to"));
        from.into_iter().chain(to)
    }

    /// Whether it selects everything.
    pub(super) fn is_all(&self) -> bool {
        self.from.is_none() && self.to.is_none()
    }

    pub(super) fn contains(&self, moment: SystemTime) -> bool {
        let time = || {
            let moment = Timestamp::try_from(moment).unwrap_or(Timestamp::MAX);
            moment.to_zoned(self.zone.clone()).time()
        };
        match (self.from, self.to) {
            (Some(Moment::OfDay(from)), Some(Moment::OfDay(to))) if from > to => {
                let time = time();
                time >= from || time < to
            }
            (from, to) => {
                let is_after = from.is_none_or(|from| match from {
                    Moment::OfDay(from) => time() >= from,
                    Moment::EndOfDay => false,
                    Moment::Once(from) => moment >= from,
                });
                is_after
                    && to.is_none_or(|to| match to {
                        Moment::OfDay(to) => time() < to,
                        Moment::EndOfDay => true,
                        Moment::Once(to) => moment < to,
                    })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;

    fn zone() -> TimeZone {
        TimeZone::posix("EST5").unwrap()
    }

    #[rstest]
    #[case("10:00", "10:05", "15:00:00", true)]
    #[case("10:00", "10:05", "14:59:59.9", false)]
    #[case("10:00", "10:05", "15:05:00", false)]
    #[case("10:00", "10:05", "10:01:00", false)]
    #[case("22:00", "06:00", "04:00:00", true)]
    #[case("22:00", "06:00", "10:59:59", true)]
    #[case("22:00", "06:00", "12:00:00", false)]
    #[case("22:00", "24:00", "04:59:59", true)]
    #[case("22:00", "24:00", "05:00:00", false)]
    #[case("00:00", "24:00:00", "05:00:00", true)]
    #[case("", "24:00", "12:00:00", true)]
    #[case("", "2026-11-19T24:00", "04:59:59", true)]
    #[case("2026-11-19 24:00:00", "", "04:59:59", false)]
    #[case("2026-11-19T24:00", "", "05:00:00", true)]
    #[case("10:00:00.5", "", "15:00:00.4", false)]
    #[case("10:00:00.5", "", "15:00:00.5", true)]
    #[case("2026-11-20T10:00", "", "15:00:00", true)]
    #[case("2026-11-20 10:00", "", "14:59:59", false)]
    #[case("2026-11-20", "2026-11-21", "05:00:00", true)]
    #[case("2026-11-20", "2026-11-21", "04:59:59", false)]
    #[case("2026-11-20T10:00:00Z", "10:00", "10:30:00", true)]
    #[case("2026-11-20T11:00:00+01:00", "", "09:59:59", false)]
    #[case("", "2026-11-20T10:00:00Z", "10:00:00", false)]
    fn a_window_is_in_local_time(
        #[case] from: &str,
        #[case] to: &str,
        #[case] time: &str,
        #[case] contains: bool,
    ) {
        let moment = |text: &str| (!text.is_empty()).then(|| Moment::parse_in(text, &zone()).unwrap());
        let window = TimeRange { from: moment(from), to: moment(to), zone: zone() };
        let time = clock::parse(&format!("2026-11-20T{time}Z")).unwrap();
        assert_eq!(window.contains(time), contains);
    }

    #[rstest]
    fn other_texts_are_refused(
        #[values(
            "",
            "noon",
            "25:00",
            "24:01",
            "x24:00",
            "2026-13-01",
            "2026-13-01T24:00",
            "-1s",
            "10:00:99"
        )]
        text: &str,
    ) {
        assert!(Moment::parse(text).unwrap_err().contains("use a time of day"), "{text}");
    }
}
