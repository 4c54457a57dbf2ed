//! Clients connect wave by wave, and within a wave on schedule.

use super::super::client::Dialer;
use super::super::crew::Slot;
use super::{ClientStage, MOST_CONNECTING, Worker};
use crate::command::bench::config::Mode;
use crate::command::bench::recorder::LatencyKind;

impl Worker {
    /// Starts the connections of a wave at this time.
    pub(super) fn begin_wave(&mut self, wave: u32, since: u64) {
        (self.wave, self.connecting_since) = (wave, since);
        self.stage = ClientStage::Connecting;
        let fleet = &self.fleet;
        let place = |index: u32| &self.places[index as usize];
        let all = 0..u32::try_from(self.places.len()).unwrap_or(u32::MAX);
        let is_in_wave = |index: &u32| fleet.groups[usize::from(place(*index).group)].wave == wave;
        let mut unconnected: Vec<u32> = all.filter(is_in_wave).collect();
        // In order of time, so that all threads together follow one ramp.
        unconnected.sort_by_key(|index| fleet.connect_time(since, place(*index).group, place(*index).number));
        self.unconnected = unconnected.into();
    }

    /// Starts due connections.
    pub(super) fn connect_more(&mut self, time: u64) {
        // Limited, because connections that fail at once make room for others.
        for _ in 0..MOST_CONNECTING {
            if self.connecting >= self.most_connecting {
                return;
            }
            let Some(index) = self.unconnected.front().copied() else { return };
            let place = &mut self.places[index as usize];
            let group = usize::from(place.group);
            let recorder = &mut self.crews[group].shard.recorder;
            let due = self.fleet.connect_time(self.connecting_since, place.group, place.number);
            if due > time {
                return;
            }
            if self.fleet.load.mode == Mode::Connect && self.fleet.has_ramp() {
                recorder.record(LatencyKind::ScheduleLag, time - due);
            }
            self.unconnected.pop_front();
            self.connecting += 1;
            recorder.counts.attempted += 1;
            let order = self.fleet.order(place.group, place.number, false);
            let dialer = if let Some(mut dialer) = self.dialers.pop() {
                dialer.start(order);
                dialer
            } else {
                Dialer::new(order)
            };
            place.slot = Slot::Connecting(dialer);
            self.take_turn(index);
        }
    }
}
