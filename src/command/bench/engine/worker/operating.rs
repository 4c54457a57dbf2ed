//! Operations on connections: clients that disconnect and reconnect, and clients that end. Also the messages
//! that the broker is given to retain before the load, which are cleared afterwards.

use std::sync::atomic::Ordering;

use super::super::client::Dialer;
use super::super::crew::{Crew, Slot};
use super::super::shared::News;
use super::{ClientStage, Worker};
use crate::alarm::now;
use crate::command::bench::operation::OperationKind;

impl Worker {
    /// Starts the reconnect of a client after its scheduled DISCONNECT; returns whether one was scheduled.
    pub(super) fn begin_absence(&mut self, index: u32) -> bool {
        let ends = self.is_ending();
        let place = &mut self.places[index as usize];
        let is_of_links =
            self.crews[usize::from(place.group)].shard.operation == Some(OperationKind::Connect);
        let Slot::Open(client) = &mut place.slot else { return false };
        let Some(due) = client.awaited().filter(|_| is_of_links && !ends) else { return false };
        let mut dues = client.take_backlog();
        dues.push_front(due);
        self.absences.0.insert(index, dues);
        // In this order: otherwise there would be a moment without clients.
        self.board.away.fetch_add(1, Ordering::Relaxed);
        self.board.connected.fetch_sub(1, Ordering::Relaxed);
        place.slot = Slot::Gone;
        self.dial_absent(index);
        true
    }

    /// Connects a client that must be connected and is not connecting.
    pub(super) fn dial_absent(&mut self, index: u32) {
        let place = &mut self.places[index as usize];
        let is_due = self.absences.0.get(&index).is_some_and(|dues| !dues.is_empty());
        if is_due && matches!(place.slot, Slot::Gone) && !matches!(self.stage, ClientStage::Leaving(_)) {
            place.slot = Slot::Connecting(Dialer::new(self.fleet.order(place.group, place.number, false)));
            self.connecting += 1;
            place.waker.wake_by_ref();
        }
    }

    /// Handles operations that became due for clients without a connection.
    pub(super) fn take_absent(&mut self) {
        for group in 0..self.crews.len() {
            if self.crews[group].absent.is_empty() {
                continue;
            }
            for (index, due) in std::mem::take(&mut self.crews[group].absent) {
                if let Some(dues) = self.absences.0.get_mut(&index) {
                    dues.push_back(due);
                    self.dial_absent(index);
                } else {
                    let Crew { shard, abandoned, .. } = &mut self.crews[group];
                    abandoned.add(due, 0, shard);
                }
            }
        }
    }

    /// Records connections that are not made at the end of the run.
    pub(super) fn count_absent(&mut self, time: u64) {
        for (index, dues) in std::mem::take(&mut self.absences.0) {
            let shard = &mut self.crews[usize::from(self.places[index as usize].group)].shard;
            for due in dues {
                shard.undone(due, time, 1);
            }
        }
    }

    /// Ends a client's connection without DISCONNECT, as was due at this time.
    pub(super) fn end_connection(&mut self, index: u32, due: u64) {
        let place = &mut self.places[index as usize];
        // Recorded before the connection is closed, because its will may at once arrive on another thread.
        self.crews[usize::from(place.group)].shard.end(place.number, due, now());
        place.slot = Slot::Gone;
        self.board.connected.fetch_sub(1, Ordering::Relaxed);
        self.say_if_alone();
    }

    /// Whether the measurement is over and clients disconnect.
    pub(super) fn is_ending(&self) -> bool {
        matches!(self.stage, ClientStage::Leaving(_) | ClientStage::Clearing | ClientStage::Cleared)
    }

    /// Starts publishing the messages that the broker is to retain.
    pub(super) fn prepare(&mut self) {
        self.stage = ClientStage::Preparing;
        let time = now();
        self.each_open(|client, shard| {
            if shard.prepares {
                client.prepare(shard.topics(), time);
            }
        });
    }

    /// Starts clearing the retained messages. Their receivers disconnect first.
    pub(super) fn clear(&mut self) {
        self.stage = ClientStage::Clearing;
        self.unconnected.clear();
        self.crews.iter_mut().for_each(|crew| crew.pacer = None);
        self.each_open(|client, shard| {
            if shard.prepares {
                client.clear();
            } else {
                client.leave();
            }
        });
    }

    /// Reports that the broker has read all clearing messages.
    pub(super) fn say_if_cleared(&mut self) {
        let prepares = |group: u16| self.crews[usize::from(group)].shard.prepares;
        let mut own = self.places.iter().filter(|place| prepares(place.group));
        let is_done =
            |slot: &Slot| !matches!(slot, Slot::Open(client) if !client.is_away() && !client.is_idle());
        if own.clone().all(|place| is_done(&place.slot)) {
            let is_whole = own.all(|place| matches!(&place.slot, Slot::Open(client) if !client.is_away()));
            self.stage = ClientStage::Cleared;
            let _ = self.news.send(News::Cleared(is_whole));
        }
    }
}
