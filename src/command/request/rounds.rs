//! `rr --repeat`: consecutive requests, and the latency of their responses.

use std::fmt::Write as _;
use std::task::{Context, Poll};
use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

use super::answer::micros;
use crate::command::schedule::RepeatSchedule;
use crate::quantity::{counted, duration};

/// Longer round trips count as this long.
const LONGEST: Duration = Duration::from_secs(3600);
/// The percentiles of a summary.
const PERCENTILES: [u8; 3] = [50, 90, 99];

/// The number of requests, and their outcomes.
pub(super) struct Rounds {
    most: u64,
    schedule: Option<RepeatSchedule>,
    pub(super) sent: u64,
    /// The number of requests with at least one response.
    pub(super) answered: u64,
    responses: u64,
    /// The number of responses to the latest request.
    pub(super) of_this: u64,
    /// The latency of the first response to each request in nanoseconds, for several requests.
    times: Option<Histogram<u64>>,
}

impl Rounds {
    pub(super) fn new(most: u64, interval: Option<Duration>) -> Self {
        let longest = u64::try_from(LONGEST.as_nanos()).unwrap_or(u64::MAX);
        let times = || Histogram::new_with_bounds(1, longest, 3).ok();
        Self {
            most,
            schedule: interval.map(RepeatSchedule::new),
            sent: 0,
            answered: 0,
            responses: 0,
            of_this: 0,
            times: (most > 1).then(times).flatten(),
        }
    }

    /// Ready when it is time for the next request.
    pub(super) fn poll_due(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.schedule.as_mut().map_or(Poll::Ready(()), |schedule| schedule.poll(cx))
    }

    pub(super) fn request_sent(&mut self) {
        self.sent += 1;
        self.of_this = 0;
    }

    pub(super) fn response(&mut self, took: Duration) {
        self.responses += 1;
        self.of_this += 1;
        if self.of_this == 1 {
            self.answered += 1;
            if let Some(times) = &mut self.times {
                times.saturating_record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX).max(1));
            }
        }
    }

    /// Whether the latest request is the last one.
    pub(super) fn is_last(&self) -> bool {
        self.sent >= self.most
    }

    pub(super) fn repeats(&self) -> bool {
        self.most > 1
    }

    /// The summary in one sentence.
    // Writing to memory cannot fail.
    pub(super) fn text(&self) -> String {
        let mut text = format!(
            "{}, {} answered, {}",
            counted(self.sent, "request"),
            self.answered,
            counted(self.responses, "response")
        );
        if let Some(times) = self.times.as_ref().filter(|times| !times.is_empty()) {
            let time = |nanos| duration(Duration::from_nanos(nanos));
            let _ = write!(text, "; round trip min {}", time(times.min()));
            for percentile in PERCENTILES {
                let value = times.value_at_quantile(f64::from(percentile) / 100.0);
                let _ = write!(text, ", p{percentile} {}", time(value.min(times.max())));
            }
            let _ = write!(text, ", max {}", time(times.max()));
        }
        if let Some(left_out) =
            self.schedule.as_ref().map(|schedule| schedule.left_out).filter(|count| *count > 0)
        {
            let _ = write!(
                text,
                "; {} of the schedule left out: responses took longer",
                counted(left_out, "time")
            );
        }
        text
    }

    pub(super) fn object(&self) -> Value {
        let mut object = json!({
            "type": "round-trips",
            "version": 1,
            "requests": self.sent,
            "answered": self.answered,
            "responses": self.responses,
            "left_out": self.schedule.as_ref().map_or(0, |schedule| schedule.left_out),
        });
        if let Some(times) = self.times.as_ref().filter(|times| !times.is_empty()) {
            let percentiles = PERCENTILES.map(|percentile| {
                let value = times.value_at_quantile(f64::from(percentile) / 100.0);
                (format!("p{percentile}_us"), value.min(times.max()))
            });
            let ends = [("min_us".to_owned(), times.min()), ("max_us".to_owned(), times.max())];
            for (key, nanos) in ends.into_iter().chain(percentiles) {
                object[key] = micros(Duration::from_nanos(nanos)).into();
            }
        }
        object
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_responses_are_measured() {
        let mut rounds = Rounds::new(3, None);
        for (millis, more) in [(10, 1), (20, 0), (0, 0)] {
            rounds.request_sent();
            if millis > 0 {
                rounds.response(Duration::from_millis(millis));
            }
            for _ in 0..more {
                rounds.response(Duration::from_secs(9));
            }
        }
        assert!(rounds.is_last());
        let text = rounds.text();
        assert!(text.starts_with("3 requests, 2 answered, 3 responses; round trip min "), "{text}");
        let object = rounds.object();
        assert_eq!(
            (&object["requests"], &object["answered"], &object["responses"]),
            (&3.into(), &2.into(), &3.into())
        );
        for (key, millis) in [("min_us", 10.0), ("p50_us", 10.0), ("p99_us", 20.0), ("max_us", 20.0)] {
            let found = object[key].as_f64().unwrap();
            assert!((found / 1000.0 - millis).abs() < millis / 500.0, "{key} {found}");
        }
        // Without a response there is nothing to measure.
        let mut none = Rounds::new(2, None);
        none.request_sent();
        assert_eq!(
            (none.text().as_str(), &none.object()["min_us"]),
            ("1 request, 0 answered, 0 responses", &Value::Null)
        );
    }
}
