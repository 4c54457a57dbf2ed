//! The records of a shard around disturbances, in its report. Times are nanoseconds, since the start of the measurement
//! or of the disturbance.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::disturber::Disturbed;
use super::super::impact::{Impact, Window};
use super::super::report::asked::AskedDisturbance;
use super::encoding::{believed, decode, encode};

/// The outcome of each disturbance that was started, and the records before the first and after each.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct ImpactRecord {
    disturbed: Vec<DisturbedRecord>,
    windows: Vec<WindowRecord>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct DisturbedRecord {
    /// When its command ended, since the start of the measurement.
    ended_ns: Option<u64>,
    failure: Option<String>,
}

/// The records from a disturbance to the next.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct WindowRecord {
    cut: u64,
    lost: u64,
    first_lost_ns: Option<u64>,
    /// The times until clients were back, encoded like other histograms.
    back_ns: Option<String>,
    sessions_present: u64,
    sessions_lost: u64,
    expected: u64,
    delivered: u64,
    duplicates: u64,
    queued: u64,
    /// When the last queued message arrived, since the start of the measurement.
    last_queued_ns: Option<u64>,
    /// Latencies with two digits, by the slot of time since the disturbance in which messages were due.
    latencies_ns: BTreeMap<usize, String>,
}

impl ImpactRecord {
    /// The records of a measurement that started at this time of the monotonic clock.
    pub(super) fn of(impact: &Impact, disturbed: &[Disturbed], measure: u64) -> Self {
        let disturbed = disturbed.iter().map(|disturbed| DisturbedRecord {
            ended_ns: disturbed.ended.map(|ended| ended.saturating_sub(measure)),
            failure: disturbed.failure.clone(),
        });
        let windows = impact.windows.iter().map(|window| WindowRecord {
            cut: window.cut,
            lost: window.lost,
            first_lost_ns: window.first_lost,
            back_ns: window.back.as_ref().and_then(encode),
            sessions_present: window.sessions_present,
            sessions_lost: window.sessions_lost,
            expected: window.expected,
            delivered: window.delivered,
            duplicates: window.duplicates,
            queued: window.queue.map_or(0, |queue| queue.messages),
            last_queued_ns: window
                .queue
                .filter(|queue| queue.messages > 0)
                .map(|queue| queue.last.saturating_sub(measure)),
            latencies_ns: window
                .slots()
                .filter_map(|(slot, latencies)| Some((slot, encode(latencies)?)))
                .collect(),
        });
        Self { disturbed: disturbed.collect(), windows: windows.collect() }
    }

    /// Adds all records to those of other shards.
    ///
    /// # Errors
    /// Invalid records.
    pub(super) fn add_to(self, whole: &mut MergedImpact) -> Result<(), String> {
        let (asked, found) = (whole.impact.windows.len(), self.windows.len());
        if found != asked || self.disturbed.len() >= asked {
            return Err(format!("it has {found} records around disturbances, and not {asked}"));
        }
        let mut impact = whole.empty();
        for (window, record) in impact.windows.iter_mut().zip(self.windows) {
            record.fill(window, whole.measure)?;
        }
        whole.impact.merge(impact);
        for (place, DisturbedRecord { ended_ns, failure }) in self.disturbed.into_iter().enumerate() {
            if place == whole.disturbed.len() {
                whole.disturbed.push(Disturbed::default());
            }
            let disturbed = &mut whole.disturbed[place];
            let ended = ended_ns.map(|ended| whole.measure.saturating_add(ended));
            disturbed.ended = disturbed.ended.max(ended);
            disturbed.failure = disturbed.failure.take().or(failure);
        }
        Ok(())
    }
}

impl WindowRecord {
    fn fill(self, window: &mut Window, measure: u64) -> Result<(), String> {
        let Self {
            cut,
            lost,
            first_lost_ns,
            back_ns,
            sessions_present,
            sessions_lost,
            expected,
            delivered,
            duplicates,
            queued,
            last_queued_ns,
            latencies_ns,
        } = self;
        window.cut = believed(cut)?;
        window.lost = believed(lost)?;
        window.first_lost = first_lost_ns;
        let wrong = |why: String| format!("its histogram around a disturbance: {why}");
        window.back = back_ns.as_deref().map(decode).transpose().map_err(wrong)?;
        window.sessions_present = believed(sessions_present)?;
        window.sessions_lost = believed(sessions_lost)?;
        window.expected = believed(expected)?;
        window.delivered = believed(delivered)?;
        window.duplicates = believed(duplicates)?;
        if let Some(queue) = &mut window.queue {
            queue.messages = believed(queued)?;
            queue.last = last_queued_ns.map_or(0, |last| measure.saturating_add(last));
        }
        for (slot, text) in latencies_ns {
            if !window.set_slot(slot, decode(&text).map_err(wrong)?) {
                return Err(format!("there is no slot {slot} of latencies"));
            }
        }
        Ok(())
    }
}

/// The records of all shards around disturbances.
#[derive(Debug)]
pub(super) struct MergedImpact {
    measure: u64,
    asked: Vec<AskedDisturbance>,
    pub(super) impact: Impact,
    disturbed: Vec<Disturbed>,
}

impl MergedImpact {
    /// Without records, for a measurement that started at this time.
    pub(super) fn new(asked: &[AskedDisturbance], measure: u64) -> Self {
        let impact = empty(asked, measure);
        Self { measure, asked: asked.to_vec(), impact, disturbed: Vec::new() }
    }

    /// The records, and the outcome of each disturbance that was started.
    pub(super) fn into_parts(self) -> (Option<Impact>, Vec<Disturbed>) {
        (Some(self.impact), self.disturbed)
    }

    fn empty(&self) -> Impact {
        empty(&self.asked, self.measure)
    }
}

fn empty(asked: &[AskedDisturbance], measure: u64) -> Impact {
    let marks = asked.iter().map(|asked| Impact::mark(measure.saturating_add(asked.at_ns))).collect();
    let away: Vec<Option<u64>> = asked.iter().map(|asked| asked.away_ns).collect();
    Impact::new(measure, marks, &away)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    fn asked() -> Vec<AskedDisturbance> {
        [(1000 * MS, true, None), (2000 * MS, false, Some(300 * MS))]
            .map(|(at_ns, is_command, away_ns)| AskedDisturbance {
                what: "x".into(),
                at_ns,
                is_command,
                away_ns,
            })
            .into()
    }

    fn record(measure: u64, ms: u64, ended: Option<u64>) -> ImpactRecord {
        let mut impact = empty(&asked(), measure);
        let window = impact.lose(measure + (1000 + ms) * MS);
        impact.return_to(window, measure + (1100 + ms) * MS);
        impact.at(measure + 1500 * MS).expected += ms;
        impact.time(measure + 500 * MS, ms * MS, 3);
        impact.time(measure + 2010 * MS, (400 + ms) * MS, 2);
        let disturbed = Disturbed { ended: ended.map(|ended| measure + ended), failure: None };
        ImpactRecord::of(&impact, &[disturbed, Disturbed::default()], measure)
    }

    /// Two shards, whose monotonic clocks have nothing in common.
    #[test]
    fn records_of_two_shards_are_added() {
        let mut whole = MergedImpact::new(&asked(), 1 << 62);
        for record in [record(256 * MS, 10, Some(1300 * MS)), record(1 << 50, 30, None)] {
            let text = serde_json::to_string(&record).unwrap();
            serde_json::from_str::<ImpactRecord>(&text).unwrap().add_to(&mut whole).unwrap();
        }
        let [before, command, away] = &whole.impact.windows[..] else { panic!("three windows") };
        assert_eq!(
            (command.lost, command.first_lost.map(|time| time / MS), command.expected),
            (2, Some(10), 40)
        );
        let back = command.back.as_ref().unwrap();
        assert_eq!((back.len(), back.max() / MS), (2, 130));
        assert_eq!(before.split(None)[1].len(), 6);
        assert_eq!(away.split(None)[1].len(), 4);
        let queue = away.queue.unwrap();
        assert_eq!((queue.messages, (queue.last - queue.until) / MS), (4, 140));
        let ended: Vec<_> = whole.disturbed.iter().map(|disturbed| disturbed.ended).collect();
        assert_eq!(ended, [Some((1 << 62) + 1300 * MS), None]);
    }

    #[test]
    fn implausible_records_are_refused() {
        let good = serde_json::to_value(record(0, 10, None)).unwrap();
        let refused = |path: &str, value: serde_json::Value| {
            let mut bad = good.clone();
            *bad.pointer_mut(path).unwrap_or_else(|| panic!("{path} in {good}")) = value;
            let read: ImpactRecord = serde_json::from_value(bad).unwrap();
            read.add_to(&mut MergedImpact::new(&asked(), 1 << 62)).unwrap_err()
        };
        assert!(refused("/windows/0/cut", u64::MAX.into()).contains("too large"));
        assert!(refused("/windows/1/back_ns", "AAAA".into()).contains("not an encoded histogram"));
        assert!(
            refused("/windows", serde_json::json!([])).contains("0 records around disturbances, and not 3")
        );
        let wrong_digits = good["windows"][1]["back_ns"].clone();
        let other = serde_json::json!({"0": wrong_digits});
        assert!(refused("/windows/0/latencies_ns", other).contains("it has 3 digits"));
        let far = serde_json::json!({"9999": good["windows"][0]["latencies_ns"].as_object().unwrap().values().next().unwrap()});
        assert!(refused("/windows/0/latencies_ns", far).contains("no slot 9999"));
    }
}
