//! Times as text, for every value of the clock: a machine without a battery starts in 1970 or earlier, and a
//! typing error can set the clock to the far future.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use jiff::fmt::temporal::Pieces;
use jiff::tz::TimeZone;

use crate::quantity::counted;

/// The hint for the error of [`before_1970`].
pub const SET_IT: &str = "set the clock: certificates are dated, and no date is before 1970";

/// The last second with a four-digit year.
pub const LAST_SECOND: u64 = 253_402_300_799;

/// RFC 3339 in UTC, in whole seconds. The year has four digits: times before year 0 are shown as its
/// beginning, and times after 9999 as its last second.
#[must_use]
pub fn rfc3339_seconds(moment: SystemTime) -> String {
    match shown(moment) {
        Ok(moment) => humantime::format_rfc3339_seconds(moment).to_string(),
        Err(before) => format!("{before:.0}"),
    }
}

/// RFC 3339 in UTC, in milliseconds.
#[must_use]
pub fn rfc3339_millis(moment: SystemTime) -> String {
    match shown(moment) {
        Ok(moment) => humantime::format_rfc3339_millis(moment).to_string(),
        Err(before) => format!("{before:.3}"),
    }
}

/// RFC 3339 in UTC, in microseconds.
#[must_use]
pub fn rfc3339_micros(moment: SystemTime) -> String {
    match shown(moment) {
        Ok(moment) => humantime::format_rfc3339_micros(moment).to_string(),
        Err(before) => format!("{before:.6}"),
    }
}

/// The moment limited to a range that can be shown: from 1970 to 9999, or an earlier one, at which humantime
/// panics.
fn shown(moment: SystemTime) -> Result<SystemTime, Timestamp> {
    const YEAR_0: i64 = -62_167_219_200;
    match since_1970(moment) {
        Some(since) if since.as_secs() <= LAST_SECOND => Ok(moment),
        Some(_) => Ok(SystemTime::UNIX_EPOCH + Duration::from_secs(LAST_SECOND)),
        None => {
            let first = Timestamp::from_second(YEAR_0).unwrap_or(Timestamp::MIN);
            Err(Timestamp::try_from(moment).map_or(first, |moment| moment.max(first)))
        }
    }
}

/// The time zone of the environment or of the system. A `TZ` that names a device or a pipe would keep the
/// program reading; it counts as UTC, like a `TZ` that names no zone.
#[must_use]
pub fn local_zone() -> TimeZone {
    let named = std::env::var_os("TZ").unwrap_or_default();
    if names_special_file(&named) { TimeZone::UTC } else { TimeZone::system() }
}

fn names_special_file(zone: &OsStr) -> bool {
    let name = zone.to_str().map_or(zone, |name| OsStr::new(name.trim_start_matches(':')));
    let own = std::env::var_os("TZDIR").map(PathBuf::from);
    let folders = ["/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/etc/zoneinfo"].map(PathBuf::from);
    let is_special =
        |path: PathBuf| std::fs::metadata(path).is_ok_and(|found| !found.is_file() && !found.is_dir());
    !name.is_empty() && own.into_iter().chain(folders).any(|folder| is_special(folder.join(name)))
}

/// This machine's time, or the nearest representable one if its clock is out of range (jiff: about year -9999
/// to 9999).
#[must_use]
pub fn now() -> Timestamp {
    nearest(SystemTime::now())
}

fn nearest(moment: SystemTime) -> Timestamp {
    let limit = if moment < SystemTime::UNIX_EPOCH { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::try_from(moment).unwrap_or(limit)
}

/// Parses a moment in RFC 3339, in any zone; `None` if it is invalid.
#[must_use]
pub fn parse(text: &str) -> Option<SystemTime> {
    let moment = text.parse::<Timestamp>().ok().or_else(|| last_of_9999(text));
    moment.map(SystemTime::from)
}

/// The last representable moment, for a text in the last hours of the year 9999: the crate reserves these for
/// time zones.
fn last_of_9999(text: &str) -> Option<Timestamp> {
    let pieces = Pieces::parse(text).ok()?;
    let is_whole = pieces.time().is_some() && pieces.offset().is_some();
    (is_whole && pieces.date() > Timestamp::MAX.to_zoned(TimeZone::UTC).date()).then_some(Timestamp::MAX)
}

/// The time since 1970; `None` before.
#[must_use]
pub fn since_1970(moment: SystemTime) -> Option<Duration> {
    moment.duration_since(SystemTime::UNIX_EPOCH).ok()
}

/// The error text for a clock before 1970, where nothing can be dated.
#[must_use]
pub fn before_1970() -> String {
    format!("this machine's clock is at {}", rfc3339_seconds(SystemTime::now()))
}

/// A duration in years and days, or in hours and minutes if it is shorter than a day.
#[must_use]
pub fn rough(span: Duration) -> String {
    const MINUTE: u64 = 60;
    const DAY: u64 = 24 * 60 * MINUTE;
    let both = |large: u64, unit: &str, small: u64, small_unit: &str| match (large, small) {
        (0, small) => counted(small, small_unit),
        (large, 0) => counted(large, unit),
        (large, small) => format!("{} {}", counted(large, unit), counted(small, small_unit)),
    };
    match (span.as_secs() / DAY, span.as_secs() / MINUTE) {
        (0, 0) => "less than a minute".into(),
        (0, minutes) => both(minutes / 60, "hour", minutes % 60, "minute"),
        (days, _) => both(days / 365, "year", days % 365, "day"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_moment_has_a_text() {
        let after = |seconds| SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(seconds)).unwrap();
        let before = |seconds| SystemTime::UNIX_EPOCH.checked_sub(Duration::from_secs(seconds)).unwrap();
        for (moment, text) in [
            (after(0), "1970-01-01T00:00:00Z"),
            (before(1), "1969-12-31T23:59:59Z"),
            (before(62_167_219_200), "0000-01-01T00:00:00Z"),
            (before(62_167_219_201), "0000-01-01T00:00:00Z"),
            (before(1 << 40), "0000-01-01T00:00:00Z"),
            (before(i64::MAX.unsigned_abs()), "0000-01-01T00:00:00Z"),
            // The ends of the ranges of 32 bits, signed and unsigned.
            (after(1 << 31), "2038-01-19T03:14:08Z"),
            (after(1 << 32), "2106-02-07T06:28:16Z"),
            (after(253_402_300_799), "9999-12-31T23:59:59Z"),
            (after(253_402_300_800), "9999-12-31T23:59:59Z"),
            (after(i64::MAX.unsigned_abs()), "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc3339_seconds(moment), text);
            assert_eq!(rfc3339_micros(moment).len(), "1970-01-01T00:00:00.000000Z".len());
        }
        assert_eq!(rfc3339_micros(before(1) + Duration::from_micros(5)), "1969-12-31T23:59:59.000005Z");
    }

    #[test]
    fn times_of_the_last_year_are_times() {
        let last = SystemTime::from(Timestamp::MAX);
        assert_eq!(parse("9999-12-31T23:59:59Z"), Some(last));
        assert_eq!(parse("9999-12-31T23:59:59.5+05:00"), Some(last));
        assert!(parse("9999-12-30T00:00:00Z").unwrap() < last);
        for text in ["9999-12-31", "9999-12-31T23:59:59", "9999-12-32T00:00:00Z", "10000-01-01T00:00:00Z", ""]
        {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn clock_out_of_range_has_a_nearest_time() {
        let far = Duration::from_secs(i64::MAX.unsigned_abs());
        assert_eq!(nearest(SystemTime::UNIX_EPOCH + far), Timestamp::MAX);
        assert_eq!(nearest(SystemTime::UNIX_EPOCH - far), Timestamp::MIN);
        assert_eq!(nearest(SystemTime::UNIX_EPOCH), Timestamp::UNIX_EPOCH);
    }

    #[test]
    fn clock_before_1970_is_an_error() {
        let second = Duration::from_secs(1);
        assert_eq!(since_1970(SystemTime::UNIX_EPOCH + second), Some(second));
        assert_eq!(since_1970(SystemTime::UNIX_EPOCH - second), None);
    }

    #[test]
    fn spans_are_rounded() {
        for (seconds, text) in [
            (59, "less than a minute"),
            (60, "1 minute"),
            (3_725, "1 hour 2 minutes"),
            (86_400 + 5, "1 day"),
            (86_400 * 12 + 5, "12 days"),
            (86_400 * 2_160, "5 years 335 days"),
            (86_400 * 365, "1 year"),
        ] {
            assert_eq!(rough(Duration::from_secs(seconds)), text);
        }
    }
}
