//! The time of receipt as text. There are many messages per second, often several per read, so the text is
//! kept and only changed parts are written again.

use std::time::{Duration, SystemTime};

use jiff::fmt::strtime::{BrokenDownTime, Config, PosixCustom};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::record_style::RecordStyle;
use crate::clock;

/// Time since 1970. A clock before 1970 is shown as 1970, as the message must be written in any case.
pub(super) fn since_epoch(time: SystemTime) -> Duration {
    time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default()
}

/// The start of a JSON record up to the topic, with the time in RFC 3339 with microseconds: in UTC, or in the
/// local zone as mosquitto's clients write it.
#[derive(Debug)]
pub(super) struct RecordOpening {
    /// `None` for UTC.
    zone: Option<TimeZone>,
    text: Vec<u8>,
    /// The end of the fraction of the second.
    fraction_end: usize,
    time: Duration,
}

impl RecordOpening {
    const BEFORE_TIME: &'static [u8] = b"{\"tst\":\"";
    const AFTER_TIME: &'static [u8] = b"\",\"topic\":\"";
    const FRACTION_DIGITS: usize = 6;

    pub(super) fn new(style: RecordStyle) -> Self {
        let zone = (style == RecordStyle::Mosquitto).then(clock::local_zone);
        Self { zone, text: Vec::new(), fraction_end: 0, time: Duration::ZERO }
    }

    /// For example `{"tst":"2026-11-20T09:38:06.123456Z","topic":"`.
    pub(super) fn at(&mut self, time: SystemTime) -> &[u8] {
        let time = since_epoch(time);
        if time != self.time || self.text.is_empty() {
            if time.as_secs() != self.time.as_secs() || self.text.is_empty() {
                self.set_second(time.as_secs());
            }
            self.set_fraction(time.subsec_micros());
            self.time = time;
        }
        &self.text
    }

    fn set_second(&mut self, second: u64) {
        let (shown, zone) = if let Some(zone) = &self.zone {
            // Later times are shown as the last second, which may have no local time of this form.
            let second = second.min(clock::LAST_SECOND);
            let both = |zone: &TimeZone| {
                Some((formatted("%Y-%m-%dT%H:%M:%S", second, zone)?, formatted("%z", second, zone)?))
            };
            both(zone).or_else(|| both(&TimeZone::UTC)).unwrap_or_default()
        } else {
            let time = SystemTime::UNIX_EPOCH.checked_add(Duration::from_secs(second));
            let shown = clock::rfc3339_seconds(time.unwrap_or(SystemTime::UNIX_EPOCH));
            (shown.trim_end_matches('Z').to_owned(), "Z".to_owned())
        };
        self.text.clear();
        self.text.extend_from_slice(Self::BEFORE_TIME);
        self.text.extend_from_slice(shown.as_bytes());
        self.text.push(b'.');
        self.text.extend_from_slice(&[b'0'; Self::FRACTION_DIGITS]);
        self.fraction_end = self.text.len();
        self.text.extend_from_slice(zone.as_bytes());
        self.text.extend_from_slice(Self::AFTER_TIME);
    }

    fn set_fraction(&mut self, mut micros: u32) {
        let end = self.fraction_end;
        for digit in self.text[end - Self::FRACTION_DIGITS..end].iter_mut().rev() {
            *digit = b'0' + (micros % 10).to_be_bytes()[3];
            micros /= 10;
        }
    }
}

/// Local time in the formats of `strftime`.
#[derive(Debug)]
pub(super) struct LocalTimes {
    zone: TimeZone,
    second: Option<u64>,
    /// Each format, and its text for the current second.
    texts: Vec<(String, String)>,
}

impl LocalTimes {
    /// Looks up the system's time zone only if there are formats.
    pub(super) fn new(formats: &[String]) -> Self {
        let zone = if formats.is_empty() { TimeZone::UTC } else { clock::local_zone() };
        Self::in_zone(zone, formats)
    }

    fn in_zone(zone: TimeZone, formats: &[String]) -> Self {
        let texts = formats.iter().map(|format| (format.clone(), String::new())).collect();
        Self { zone, second: None, texts }
    }

    /// Updates all texts to this time.
    pub(super) fn set(&mut self, time: SystemTime) {
        let second = since_epoch(time).as_secs();
        if self.second == Some(second) || self.texts.is_empty() {
            return;
        }
        self.second = Some(second);
        for (format, text) in &mut self.texts {
            *text = formatted(format, second, &self.zone).unwrap_or_else(|| UNKNOWN.into());
        }
    }

    /// The time in the format with this index.
    pub(super) fn text(&self, index: usize) -> &str {
        self.texts.get(index).map_or("", |(_, text)| text)
    }
}

/// The text for a time after the year 9999, which cannot be formatted.
const UNKNOWN: &str = "?";

/// Formats like `strftime` in the C locale, whatever the system's locale is: output is for programs first.
fn formatted(format: &str, second: u64, zone: &TimeZone) -> Option<String> {
    let second = i64::try_from(second).ok()?;
    let time = match Timestamp::from_second(second) {
        Ok(timestamp) => BrokenDownTime::from(&timestamp.to_zoned(zone.clone())),
        Err(_) => in_last_hours(second, zone)?,
    };
    let mut text = String::new();
    time.format_with_config(&Config::new().custom(PosixCustom::new()), format, &mut text).ok()?;
    Some(text)
}

/// A time in the last hours of the year 9999, which the library's timestamps do not cover.
fn in_last_hours(second: i64, zone: &TimeZone) -> Option<BrokenDownTime> {
    let last = Timestamp::MAX;
    let offset = zone.to_offset(last);
    let after = SignedDuration::from_secs(second.checked_sub(last.as_second())?);
    let mut time = BrokenDownTime::from(offset.to_datetime(last).checked_add(after).ok()?);
    time.set_offset(Some(offset));
    Some(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_time_is_what_strftime_says() {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        // `TZ=… date -d @1795167486 '+%…'` for each letter.
        for (letter, expected) in [
            ('A', "Friday"),
            ('a', "Fri"),
            ('B', "November"),
            ('b', "Nov"),
            ('C', "20"),
            ('c', "Fri Nov 20 10:38:06 2026"),
            ('D', "11/20/26"),
            ('d', "20"),
            ('e', "20"),
            ('F', "2026-11-20"),
            ('G', "2026"),
            ('g', "26"),
            ('H', "10"),
            ('h', "Nov"),
            ('I', "10"),
            ('j', "324"),
            ('k', "10"),
            ('l', "10"),
            ('M', "38"),
            ('m', "11"),
            ('n', "\n"),
            ('P', "am"),
            ('p', "AM"),
            ('R', "10:38"),
            ('r', "10:38:06 AM"),
            ('S', "06"),
            ('s', "1795167486"),
            ('T', "10:38:06"),
            ('t', "\t"),
            ('U', "46"),
            ('u', "5"),
            ('V', "47"),
            ('W', "46"),
            ('w', "5"),
            ('X', "10:38:06"),
            ('x', "11/20/26"),
            ('Y', "2026"),
            ('y', "26"),
            ('Z', "CET"),
            ('z', "+0100"),
        ] {
            let text = formatted(&format!("%{letter}"), 1_795_167_486, &zone);
            assert_eq!(text.as_deref(), Some(expected), "%{letter}");
        }
        assert_eq!(formatted("%T%z", 1_782_000_000, &zone).unwrap(), "02:00:00+0200");
        assert_eq!(formatted("%d%e%D", 1_783_000_000, &zone).unwrap(), "02 207/02/26");
    }

    #[test]
    fn times_after_the_last_day_are_marked() {
        let zone = TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        let noon = 253_402_257_600; // date -ud '9999-12-31 12:00' +%s
        assert_eq!(formatted("%FT%T%z", noon, &zone).unwrap(), "9999-12-31T13:00:00+0100");
        assert_eq!(formatted("%c", noon, &TimeZone::UTC).unwrap(), "Fri Dec 31 12:00:00 9999");
        let mut times = LocalTimes::in_zone(TimeZone::UTC, &["%F".to_owned()]);
        times.set(SystemTime::UNIX_EPOCH + Duration::from_secs(noon + 24 * 3600));
        assert_eq!(times.text(0), "?");
    }

    /// A record has a time whatever the clock shows.
    #[test]
    fn records_after_the_year_9999_have_its_last_second() {
        let year_10021 = SystemTime::UNIX_EPOCH + Duration::from_micros(254_100_000_000_565_866);
        let zone = || TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        for (zone, text) in [(None, "Z"), (Some(zone()), "+0000"), (Some(TimeZone::UTC), "+0000")] {
            let mut opening = RecordOpening { zone, ..RecordOpening::new(RecordStyle::Own) };
            let expected = format!("{{\"tst\":\"9999-12-31T23:59:59.565866{text}\",\"topic\":\"");
            assert_eq!(std::str::from_utf8(opening.at(year_10021)).unwrap(), expected);
        }
    }

    #[test]
    fn cached_texts_follow_the_second() {
        let formats = ["%T".to_owned(), "%s".to_owned()];
        let mut times = LocalTimes::in_zone(TimeZone::UTC, &formats);
        times.set(SystemTime::UNIX_EPOCH + Duration::from_millis(1500));
        assert_eq!((times.text(0), times.text(1)), ("00:00:01", "1"));
        times.set(SystemTime::UNIX_EPOCH + Duration::from_millis(61_999));
        assert_eq!((times.text(0), times.text(1)), ("00:01:01", "61"));
    }
}
