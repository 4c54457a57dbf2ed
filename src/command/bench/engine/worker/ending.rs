//! Clients whose connections are lost, and unfinished messages of all clients at the end of the run.

use std::sync::atomic::Ordering;

use super::super::client::Client;
use super::super::crew::{Crew, Slot};
use super::{ClientStage, Worker};
use crate::alarm::now;
use crate::command::bench::config::StopAfter;
use crate::command::bench::stamp::Phase;
use crate::error::Error;

impl Worker {
    /// Handles the end of a client's connection.
    pub(super) fn lose(&mut self, index: u32, error: Option<&Error>) {
        if self.begin_absence(index) {
            return;
        }
        let is_ending = self.is_ending();
        let place = &mut self.places[index as usize];
        let comes_back = !is_ending && self.crews[usize::from(place.group)].shard.reconnects;
        if comes_back && !self.returning.is_away(index) {
            // First, so that the client counts at every moment.
            self.board.away.fetch_add(1, Ordering::Relaxed);
        }
        self.board.connected.fetch_sub(1, Ordering::Relaxed);
        if is_ending {
            place.slot = Slot::Gone;
            return;
        }
        let Crew { shard, abandoned, .. } = &mut self.crews[usize::from(place.group)];
        shard.recorder.counts.lost += 1;
        shard.recorder.second.lost += 1;
        if let Some(error) = error {
            shard.recorder.error(match error {
                Error::Refused { .. } => error.to_string(),
                Error::Link { cause, .. } => format!("connection lost: {cause}"),
                _ => format!("connection lost: {error}"),
            });
        }
        if shard.reconnects {
            return self.begin_outage(index, error);
        }
        if let Slot::Open(client) = std::mem::replace(&mut place.slot, Slot::Gone) {
            abandoned.take(&client, shard);
            shard.unsubscribed(client.unsubscribed(), now());
            client.awaited().into_iter().for_each(|due| shard.undone(due, now(), 1));
        }
        self.say_if_alone();
        self.end_without_publishers();
    }

    /// If no client is left, the rest of the requested number cannot be sent. With a schedule, each message
    /// is counted when it is due.
    pub(super) fn end_without_publishers(&mut self) {
        let counted = matches!(self.fleet.load.stop, StopAfter::Count(_))
            && self.crews.iter().all(|crew| crew.pacer.is_none());
        let publishes = self.fleet.load.mode.publishes();
        if counted && publishes && self.stage == ClientStage::Running && !self.open().any(Client::publishes) {
            for Crew { shard, .. } in &mut self.crews {
                shard.recorder.messages(Phase::Measure).not_sent += std::mem::take(&mut shard.quota);
            }
            self.end();
        }
    }

    /// Records unfinished messages at the end of the run.
    pub(super) fn count_unfinished(&mut self) {
        let time = now();
        for Crew { shard, abandoned, .. } in &mut self.crews {
            abandoned.count(shard, time);
            shard.count_unfetched(time);
        }
        self.count_absent(time);
        for place in &self.places {
            let Slot::Open(client) = &place.slot else { continue };
            let shard = &mut self.crews[usize::from(place.group)].shard;
            shard.unsubscribed(client.unsubscribed(), time);
            for (due, sent, count) in client.unanswered() {
                shard.unanswered(due, sent, time, count);
            }
            client.awaited().into_iter().for_each(|due| shard.undone(due, time, 1));
            let unsent: Vec<_> = client.unsent(shard).collect();
            for (due, receivers) in unsent {
                shard.unsent(due, time, 1, receivers);
            }
        }
    }
}
