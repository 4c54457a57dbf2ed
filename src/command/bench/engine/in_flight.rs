//! A publisher's messages in flight, by token, with intended and actual send time.

/// Bits of a token that number the messages of a batch.
const BATCH_BITS: u32 = 17;
/// Maximum number of messages per batch. The token after its last is not used, so that consecutive tokens are
/// always of one batch.
const MOST_MESSAGES: u32 = (1 << BATCH_BITS) - 1;

/// One message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct MessageInFlight {
    /// The publisher's sequence number.
    pub(crate) sequence: u64,
    /// Nanoseconds of the monotonic clock.
    pub(crate) intended: u64,
    /// Nanoseconds of the monotonic clock.
    pub(crate) sent: u64,
}

/// Consecutive messages with the same times: in the closed loop, all messages of one write.
#[derive(Debug)]
struct Batch {
    first: MessageInFlight,
    messages: u32,
    /// The number of unacknowledged messages.
    open: u32,
}

impl Batch {
    #[inline]
    fn message(&self, token: u64) -> MessageInFlight {
        let sequence = self.first.sequence + (token & ((1 << BATCH_BITS) - 1));
        MessageInFlight { sequence, ..self.first }
    }
}

/// The index of a token's batch.
#[inline]
fn slot(token: u64) -> usize {
    usize::try_from(token >> BATCH_BITS).unwrap_or(usize::MAX)
}

/// All messages in flight. There are never more batches than messages in the window.
#[derive(Debug, Default)]
pub(crate) struct MessagesInFlight {
    batches: Vec<Batch>,
    free: Vec<usize>,
    /// The batch that may grow.
    current: usize,
}

impl MessagesInFlight {
    /// The token for the next message, and for up to `most` following ones with the same times: their tokens
    /// are consecutive.
    #[inline]
    pub(crate) fn token(&mut self, message: MessageInFlight, most: u32) -> u64 {
        let fits = self.batches.get(self.current).is_some_and(|batch| {
            (batch.first.intended, batch.first.sent) == (message.intended, message.sent)
                && batch.first.sequence + u64::from(batch.messages) == message.sequence
                && batch.messages + most <= MOST_MESSAGES
        });
        if !fits {
            self.begin(message);
        }
        let messages = self.batches.get(self.current).map_or(0, |batch| batch.messages);
        (self.current as u64) << BATCH_BITS | u64::from(messages)
    }

    /// Records that this number of messages got the tokens from the last [`MessagesInFlight::token`] on.
    #[inline]
    pub(crate) fn opened(&mut self, count: u32) {
        if let Some(batch) = self.batches.get_mut(self.current) {
            batch.messages += count;
            batch.open += count;
        }
    }

    /// Unacknowledged messages, as the first of each batch and their number.
    pub(crate) fn unanswered(&self) -> impl Iterator<Item = (MessageInFlight, u64)> {
        self.batches.iter().filter(|batch| batch.open > 0).map(|batch| (batch.first, batch.open.into()))
    }

    fn begin(&mut self, first: MessageInFlight) {
        if self.batches.get(self.current).is_some_and(|batch| batch.open == 0) {
            self.free.push(self.current);
        }
        let batch = Batch { first, messages: 0, open: 0 };
        self.current = self.free.pop().unwrap_or(self.batches.len());
        match self.batches.get_mut(self.current) {
            Some(place) => *place = batch,
            None => self.batches.push(batch),
        }
    }

    /// The message of a token, if it is unacknowledged.
    pub(crate) fn message(&self, token: u64) -> Option<MessageInFlight> {
        self.batches.get(slot(token)).map(|batch| batch.message(token))
    }

    /// Removes the messages of consecutive tokens, all of which are acknowledged; returns the first.
    #[inline]
    pub(crate) fn close(&mut self, token: u64, count: u32) -> MessageInFlight {
        let slot = slot(token);
        let Some(batch) = self.batches.get_mut(slot) else { return MessageInFlight::default() };
        batch.open = batch.open.saturating_sub(count);
        let message = batch.message(token);
        if batch.open == 0 && slot != self.current {
            self.free.push(slot);
        }
        message
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Compared with a plain list: every token finds its message, and the window limits memory.
        #[test]
        fn every_token_finds_its_message(
            steps in proptest::collection::vec((any::<bool>(), 0_u64..3, any::<prop::sample::Index>()), 1..600),
        ) {
            let mut in_flight = MessagesInFlight::default();
            let mut open: Vec<(u64, MessageInFlight)> = Vec::new();
            let (mut sequence, mut time) = (0, 0);
            for (add, later, index) in steps {
                if open.len() < 20 && (add || open.is_empty()) {
                    time += later / 2;
                    let message = MessageInFlight { sequence, intended: time, sent: time + 5 };
                    let token = in_flight.token(message, 1);
                    in_flight.opened(1);
                    prop_assert!(open.iter().all(|(other, _)| *other != token));
                    open.push((token, message));
                    sequence += 1;
                } else {
                    let (token, message) = open.remove(index.index(open.len()));
                    prop_assert_eq!(in_flight.message(token), Some(message));
                    prop_assert_eq!(in_flight.close(token, 1), message);
                }
                prop_assert!(in_flight.batches.len() <= 21);
            }
        }

        /// A batch ends when the bits of its tokens are used up.
        #[test]
        fn a_long_batch_is_split(extra in 1_u64..100) {
            let mut in_flight = MessagesInFlight::default();
            for sequence in 0..u64::from(MOST_MESSAGES) + extra {
                let message = MessageInFlight { sequence, intended: 1, sent: 1 };
                let token = in_flight.token(message, 1);
                in_flight.opened(1);
                if sequence % 997 == 0 {
                    prop_assert_eq!(in_flight.close(token, 1), message);
                }
            }
            prop_assert_eq!(in_flight.batches.len(), 2);
        }
    }
}
