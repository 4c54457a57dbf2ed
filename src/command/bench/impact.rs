//! Records of a thread around disturbances, in one window of time from each disturbance to the next. A
//! message belongs to the window in which it was due, a connection to that in which it was lost. The latency of a
//! message in flight at a disturbance belongs to the window of the disturbance.

use hdrhistogram::Histogram;

use super::histogram::{coarse_histogram, histogram};

/// The windows; the first is before the first disturbance.
#[derive(Debug, Clone)]
pub(super) struct Impact {
    /// The start of each disturbance, in nanoseconds of the monotonic clock.
    marks: Vec<u64>,
    pub(super) windows: Vec<Window>,
}

/// The time from one disturbance to the next.
#[derive(Debug, Clone, Default)]
pub(super) struct Window {
    /// The start of the disturbance.
    pub(super) began: u64,
    /// Connections that the disturbance closed.
    pub(super) cut: u64,
    /// Clients that lost their connection; a client counts each time.
    pub(super) lost: u64,
    /// The time from the disturbance to the first loss.
    pub(super) first_lost: Option<u64>,
    /// The times from the disturbance until clients were back.
    pub(super) back: Option<Histogram<u64>>,
    pub(super) sessions_present: u64,
    pub(super) sessions_lost: u64,
    /// Expected deliveries of the messages.
    pub(super) expected: u64,
    pub(super) delivered: u64,
    pub(super) duplicates: u64,
    /// Messages queued for clients that are kept away.
    pub(super) queue: Option<Queue>,
    /// Latencies by the time from the disturbance until messages were due.
    slots: Vec<Option<Latencies>>,
}

/// Messages that are due while clients are away.
#[derive(Debug, Clone, Copy)]
pub(super) struct Queue {
    /// When the clients reconnect.
    pub(super) until: u64,
    /// Messages that arrived after that, and the time of the last.
    pub(super) messages: u64,
    pub(super) last: u64,
}

/// Latencies of a slot, with two significant digits.
pub(super) type Latencies = Histogram<u32>;

/// The precision of the time stamp in small messages. Marks are rounded to it, so that sender and receiver
/// put a message into the same window.
const PRECISION: u64 = 256;
/// The length of the shortest slot is 2 to the power of this number, in nanoseconds.
const SHORTEST_BITS: u32 = 23;
/// The number of shortest slots. Later slots are an eighth of the time since the disturbance long.
const SHORT_SLOTS: u64 = 16;

/// The index of the slot for a time since the disturbance.
fn slot(since: u64) -> usize {
    let units = since >> SHORTEST_BITS;
    let slot = if units < SHORT_SLOTS {
        units
    } else {
        let octave = u64::from(units.ilog2());
        SHORT_SLOTS + (octave - 4) * 8 + (units >> (octave - 3) & 7)
    };
    usize::try_from(slot).unwrap_or(usize::MAX)
}

impl Impact {
    /// The start of a disturbance or stage that is due at this time: slightly earlier, so that messages due exactly then
    /// belong to it.
    pub(super) fn mark(due: u64) -> u64 {
        due.saturating_sub(PRECISION / 2) / PRECISION * PRECISION
    }

    /// `marks` has the start of each disturbance in order, `away` how long each keeps clients away; the
    /// measurement starts at `measure`.
    pub(super) fn new(measure: u64, marks: Vec<u64>, away: &[Option<u64>]) -> Self {
        let began = std::iter::once(measure).chain(marks.iter().copied());
        let away = std::iter::once(None).chain(away.iter().copied()).chain(std::iter::repeat(None));
        let window = |(began, away): (u64, Option<u64>)| {
            let queue = away.map(|away| Queue { until: began.saturating_add(away), messages: 0, last: 0 });
            Window { began, queue, ..Window::default() }
        };
        let windows = began.zip(away).map(window).collect();
        Self { marks, windows }
    }

    /// The index of the window of a time.
    pub(super) fn place(&self, time: u64) -> usize {
        self.marks.partition_point(|mark| *mark <= time)
    }

    /// Records the latency of messages that were due at this time.
    pub(super) fn time(&mut self, due: u64, took: u64, count: u64) {
        let place = self.place(due);
        let is_across = self.marks.get(place).is_some_and(|mark| due.saturating_add(took) >= *mark);
        self.windows[place].pass(due, took, count);
        self.windows[place + usize::from(is_across)].time(due, took, count);
    }

    /// The window of a time.
    #[inline(never)]
    pub(super) fn at(&mut self, time: u64) -> &mut Window {
        let place = self.place(time);
        &mut self.windows[place]
    }

    /// Records the loss of a client's connection; returns the index of the window.
    pub(super) fn lose(&mut self, time: u64) -> usize {
        let place = self.place(time);
        let window = &mut self.windows[place];
        window.lost += 1;
        let since = time.saturating_sub(window.began);
        window.first_lost = Some(window.first_lost.map_or(since, |first| first.min(since)));
        place
    }

    /// Records that a client which lost its connection in this window is back.
    pub(super) fn return_to(&mut self, window: usize, time: u64) {
        let Some(window) = self.windows.get_mut(window) else { return };
        let since = time.saturating_sub(window.began);
        let _ = window.back.get_or_insert_with(histogram).record(since); // auto-resizing
    }

    /// Adds another thread's records of the same disturbances.
    pub(super) fn merge(&mut self, other: Self) {
        for (mine, theirs) in self.windows.iter_mut().zip(other.windows) {
            mine.merge(theirs);
        }
    }
}

impl Window {
    /// Records messages that were due in it, if they waited for clients that were away.
    fn pass(&mut self, due: u64, took: u64, count: u64) {
        if let Some(queue) = &mut self.queue
            && due < queue.until
            && due + took >= queue.until
        {
            queue.messages += count;
            queue.last = queue.last.max(due + took);
        }
    }

    /// Records the latency of messages that were due at this time, in the first slot if it was before the disturbance.
    fn time(&mut self, due: u64, took: u64, count: u64) {
        let slot = slot(due.saturating_sub(self.began));
        if self.slots.len() <= slot {
            self.slots.resize_with(slot + 1, || None);
        }
        let count = u32::try_from(count).unwrap_or(u32::MAX);
        let _ = self.slots[slot].get_or_insert_with(coarse_histogram).record_n(took, count);
    }

    /// The slots that have latencies, by index.
    pub(super) fn slots(&self) -> impl Iterator<Item = (usize, &Latencies)> {
        self.slots.iter().enumerate().filter_map(|(slot, found)| Some((slot, found.as_ref()?)))
    }

    /// Sets the latencies of a slot; false if there is no such slot.
    pub(super) fn set_slot(&mut self, slot: usize, latencies: Latencies) -> bool {
        if slot > self::slot(u64::MAX) {
            return false;
        }
        if self.slots.len() <= slot {
            self.slots.resize_with(slot + 1, || None);
        }
        self.slots[slot] = Some(latencies);
        true
    }

    /// Removes the latencies.
    pub(super) fn forget_latencies(&mut self) {
        self.slots.clear();
    }

    /// Latencies of messages that were due up to `until` after the disturbance, and of later ones.
    pub(super) fn split(&self, until: Option<u64>) -> [Latencies; 2] {
        let mut parts = [coarse_histogram(), coarse_histogram()];
        for (place, found) in self.slots.iter().enumerate() {
            let part = usize::from(until.is_none_or(|until| place > slot(until)));
            if let Some(found) = found {
                let _ = parts[part].add(found); // auto-resizing
            }
        }
        parts
    }

    /// Names every field, so that the compiler reports a forgotten one.
    fn merge(&mut self, other: Self) {
        let Self {
            began: _,
            cut,
            lost,
            first_lost,
            back,
            sessions_present,
            sessions_lost,
            expected,
            delivered,
            duplicates,
            queue,
            slots,
        } = other;
        if let (Some(mine), Some(theirs)) = (&mut self.queue, queue) {
            mine.messages += theirs.messages;
            mine.last = mine.last.max(theirs.last);
        }
        self.cut += cut;
        self.lost += lost;
        self.first_lost = self.first_lost.into_iter().chain(first_lost).min();
        if let Some(back) = back {
            let _ = self.back.get_or_insert_with(histogram).add(back); // auto-resizing
        }
        self.sessions_present += sessions_present;
        self.sessions_lost += sessions_lost;
        self.expected += expected;
        self.delivered += delivered;
        self.duplicates += duplicates;
        if self.slots.len() < slots.len() {
            self.slots.resize_with(slots.len(), || None);
        }
        for (mine, theirs) in self.slots.iter_mut().zip(slots) {
            if let Some(theirs) = theirs {
                let _ = mine.get_or_insert_with(coarse_histogram).add(theirs); // auto-resizing
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn slots_grow_with_the_time_since_the_disturbance() {
        let mut last = 0;
        for ms in 0..200_000 {
            let found = slot(ms * MS);
            assert!(found == last || found == last + 1, "{ms}");
            last = found;
        }
        assert_eq!([slot(0), slot(9 * MS), slot(130 * MS)], [0, 1, 15]);
        assert!(slot(1000 * MS) < slot(1150 * MS) && slot(u64::MAX) < 400);
    }

    #[test]
    fn messages_belong_to_the_window_in_which_they_were_due() {
        let mut impact = Impact::new(0, vec![1000 * MS, 2000 * MS], &[]);
        for (due, place) in [(0, 0), (999 * MS, 0), (1000 * MS, 1), (1999 * MS, 1), (2000 * MS, 2)] {
            assert_eq!(impact.place(due), place, "{due}");
        }
        impact.time(1500 * MS, 7 * MS, 3);
        impact.time(1010 * MS, 90 * MS, 1);
        let [during, after] = impact.windows[1].split(Some(100 * MS));
        assert_eq!((during.len(), after.len()), (1, 3));
        assert!(during.max() >= 90 * MS && after.max() < 8 * MS);
        let [during, after] = impact.windows[1].split(None);
        assert_eq!((during.len(), after.len()), (0, 4));
    }

    #[test]
    fn messages_in_flight_at_a_disturbance_belong_to_it() {
        let mut impact = Impact::new(0, vec![1000 * MS, 2000 * MS], &[Some(500 * MS)]);
        impact.time(990 * MS, 9 * MS, 1); // it arrived before
        impact.time(990 * MS, 10 * MS, 1);
        impact.time(200 * MS, 2500 * MS, 1); // in flight at both; it belongs to the first
        impact.time(1400 * MS, 700 * MS, 1); // in flight at the second, and queued at the first
        let counts: Vec<_> = impact.windows.iter().map(|window| window.split(Some(0))).collect();
        let counts: Vec<_> = counts.iter().map(|[during, after]| (during.len(), after.len())).collect();
        assert_eq!(counts[0].0 + counts[0].1, 1);
        assert_eq!(counts[1..], [(2, 0), (1, 0)]);
        assert_eq!(impact.windows[1].queue.map(|queue| queue.messages), Some(1));
    }

    /// A message that is due at a mark is after it, also if its stamp contains only the highest bits of the time.
    #[test]
    fn marks_are_before_what_is_due_at_the_same_time() {
        for due in [256, 1000, 1023, 1024, 1025, 2_000_000_000] {
            let mark = Impact::mark(due);
            assert!(mark <= due / PRECISION * PRECISION && due - mark < 2 * PRECISION, "{due}: {mark}");
            assert_eq!(mark % PRECISION, 0);
        }
        assert_eq!(Impact::mark(0), 0);
    }

    #[test]
    fn windows_of_two_threads_are_merged() {
        let one = || {
            let mut impact = Impact::new(0, vec![10 * MS], &[]);
            let window = impact.lose(30 * MS);
            impact.return_to(window, 50 * MS);
            impact.time(30 * MS, MS, 1);
            impact
        };
        let mut both = one();
        both.merge(one());
        let window = &both.windows[1];
        assert_eq!((window.lost, window.first_lost), (2, Some(20 * MS)));
        assert_eq!(window.back.as_ref().map(Histogram::len), Some(2));
        assert_eq!(window.split(None)[1].len(), 2);
    }
}
