//! Acknowledgements that wait for responses.

use std::collections::VecDeque;

/// The messages of this link whose acknowledgement is deferred, in order.
#[derive(Default)]
pub(super) struct DeferredRequests {
    /// The number of the first one.
    first: u64,
    is_done: VecDeque<bool>,
}

impl DeferredRequests {
    pub(super) fn next_number(&self) -> u64 {
        self.first + self.is_done.len() as u64
    }

    /// Whether an acknowledgement can be sent.
    pub(super) fn has_done(&self) -> bool {
        self.is_done.front() == Some(&true)
    }

    pub(super) fn add(&mut self, is_done: bool) {
        self.is_done.push_back(is_done);
    }

    /// Marks a message as done; its acknowledgement is lost if it belongs to an earlier link.
    pub(super) fn done(&mut self, number: u64) {
        let place = number.checked_sub(self.first).and_then(|place| usize::try_from(place).ok());
        if let Some(is_done) = place.and_then(|place| self.is_done.get_mut(place)) {
            *is_done = true;
        }
    }

    /// Removes the finished messages at the front; returns their number.
    pub(super) fn settle(&mut self) -> usize {
        let count = self.is_done.iter().take_while(|is_done| **is_done).count();
        self.is_done.drain(..count);
        self.first += count as u64;
        count
    }

    /// Removes all: the link is lost, and with it all acknowledgements.
    pub(super) fn forget(&mut self) {
        self.first = self.next_number();
        self.is_done.clear();
    }
}
