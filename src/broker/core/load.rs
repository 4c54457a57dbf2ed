//! Moving averages of the broker's counters in mosquitto's form: per minute, over 1, 5 and 15 minutes.

use std::time::Instant;

use crate::broker::statistics::Statistics;

/// The name below `load/`, and the counter.
type Counter = (&'static str, fn(&Statistics) -> u64);

const COUNTERS: [Counter; 9] = [
    ("messages/received", |counted| counted.packets_received),
    ("messages/sent", |counted| counted.packets_sent),
    ("publish/dropped", |counted| counted.messages_dropped),
    ("publish/received", |counted| counted.messages_received),
    ("publish/sent", |counted| counted.messages_sent),
    ("bytes/received", |counted| counted.bytes_received),
    ("bytes/sent", |counted| counted.bytes_sent),
    ("sockets", |counted| counted.connections_opened),
    ("connections", |counted| counted.connects_received),
];

/// The periods, and their lengths in seconds.
const SPANS: [(&str, f64); 3] = [("1min", 60.0), ("5min", 300.0), ("15min", 900.0)];

/// The averages of all counters.
#[derive(Default)]
pub(super) struct LoadAverages {
    /// When the averages were updated last, and the counters at that time.
    last: Option<(Instant, Statistics)>,
    averages: [[f64; SPANS.len()]; COUNTERS.len()],
}

impl LoadAverages {
    /// Updates the averages with the current counters.
    pub(super) fn update(&mut self, counted: &Statistics, now: Instant) {
        let Some((at, last)) = self.last.replace((now, *counted)) else { return };
        let seconds = now.saturating_duration_since(at).as_secs_f64();
        if seconds <= 0.0 {
            self.last = Some((at, last));
            return;
        }
        for ((_, count), averages) in COUNTERS.iter().zip(&mut self.averages) {
            #[expect(clippy::cast_precision_loss, reason = "an average of two decimals")]
            let per_minute = count(counted).saturating_sub(count(&last)) as f64 * 60.0 / seconds;
            for ((_, span), average) in SPANS.iter().zip(averages) {
                *average = per_minute + (-seconds / span).exp() * (*average - per_minute);
            }
        }
    }

    /// The averages with their topic names below `$SYS/broker/`.
    pub(super) fn topics(&self) -> impl Iterator<Item = (String, String)> {
        COUNTERS.iter().zip(&self.averages).flat_map(|((name, _), averages)| {
            let spans = SPANS.iter().zip(averages);
            spans.map(move |((span, _), average)| (format!("load/{name}/{span}"), format!("{average:.2}")))
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn of(load: &LoadAverages, topic: &str) -> String {
        load.topics().find(|(name, _)| name == topic).unwrap().1
    }

    /// 100 messages in 10 seconds are 600 per minute; the average over one minute takes `1 - exp(-10/60)` of
    /// it.
    #[test]
    fn averages_are_those_of_mosquitto() {
        let (mut load, start) = (LoadAverages::default(), Instant::now());
        let counted = |messages_received| Statistics { messages_received, ..Statistics::default() };
        load.update(&counted(1000), start);
        assert_eq!(of(&load, "load/publish/received/1min"), "0.00");
        load.update(&counted(1100), start + Duration::from_secs(10));
        assert_eq!(of(&load, "load/publish/received/1min"), "92.11");
        assert_eq!(of(&load, "load/publish/received/5min"), "19.67");
        assert_eq!(of(&load, "load/publish/received/15min"), "6.63");
        load.update(&counted(1100), start + Duration::from_secs(70));
        assert_eq!(of(&load, "load/publish/received/1min"), "33.89");
        assert_eq!(of(&load, "load/publish/sent/1min"), "0.00");
        assert_eq!(load.topics().count(), 27);
    }
}
