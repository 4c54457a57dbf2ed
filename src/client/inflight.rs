//! Packets that were sent and are not yet acknowledged, by packet identifier.
//!
//! Identifiers are assigned in order, from 1 to 65,535 and again from 1, so the open ones form a ring: an
//! identifier's place is its distance from the oldest. The ring replaces a bitmap and a map, allocates
//! nothing in steady state, holds memory only for open identifiers, and keeps the original order that
//! resending needs ([MQTT-4.6.0-1]). Identifiers are shared by PUBLISH, SUBSCRIBE and UNSUBSCRIBE
//! ([MQTT-2.2.1-5]) and never reassigned while open ([MQTT-2.2.1-3]).

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use crate::protocol::QoS;
use crate::protocol::wire::PublishTemplate;

/// From this length on the ring must not consist mostly of closed entries: open entries that keep it from
/// shrinking are set aside.
const LONG_RING: usize = 4096;
/// Maximum number of open QoS 1 and 2 publishes, whatever the broker allows: identifiers for other requests
/// remain.
pub(super) const MOST_PUBLISHES: u16 = 65_000;
/// The maximum length of the ring: one less than the number of identifiers, so that one is always free.
const LONGEST_RING: usize = 65_534;

/// The stage of a QoS 1 or 2 publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PublishStage {
    /// PUBLISH sent; PUBACK or PUBREC is awaited.
    Published,
    /// PUBREC received, PUBREL sent; PUBCOMP is awaited.
    Released,
}

/// The data needed to send a message again.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) template: Arc<PublishTemplate>,
    pub(super) payload: Bytes,
}

/// One open identifier. Small, because a load has thousands in flight.
#[derive(Debug)]
pub(super) enum OpenIdentifier {
    /// Closed; waits only for older entries to close.
    Closed,
    Publish {
        qos: QoS,
        stage: PublishStage,
        token: u64,
    },
    Request(Box<OpenRequest>),
}

#[derive(Debug)]
pub(super) enum OpenRequest {
    Subscribe {
        token: u64,
        /// For each filter 0, or the Reason Code for which it was omitted.
        refused: Box<[u8]>,
    },
    Unsubscribe {
        token: u64,
        filters: usize,
    },
}

#[derive(Debug)]
struct Straggler {
    identifier: u16,
    entry: OpenIdentifier,
    kept: Option<Kept>,
}

/// The open identifiers, oldest first.
#[derive(Debug)]
pub(super) struct Inflight {
    ring: VecDeque<OpenIdentifier>,
    /// The data for sending them again, up to the last entry that has any. Messages that end with the link
    /// have none.
    kept: VecDeque<Option<Kept>>,
    /// The number of entries that are not closed.
    open: usize,
    /// The identifier of the ring's front; the next one to assign if the ring is empty.
    first: u16,
    /// Open entries that were moved out of the ring, oldest first. They occur only if a broker leaves one
    /// message unanswered while it answers thousands after it.
    stragglers: Vec<Straggler>,
}

fn after(identifier: u16) -> u16 {
    if identifier == u16::MAX { 1 } else { identifier + 1 }
}

impl Inflight {
    pub(super) fn new() -> Self {
        Self { ring: VecDeque::new(), kept: VecDeque::new(), open: 0, first: 1, stragglers: Vec::new() }
    }

    /// The distance from the front's identifier, over 65,535 values without 0.
    fn distance(&self, identifier: u16) -> usize {
        let (identifier, first) = (usize::from(identifier), usize::from(self.first));
        if identifier >= first { identifier - first } else { identifier + 65_535 - first }
    }

    fn identifier_at(&self, index: usize) -> u16 {
        let wrapped = (usize::from(self.first) - 1 + index) % 65_535 + 1;
        u16::try_from(wrapped).unwrap_or(1)
    }

    /// Opens the next free identifier for a publish, which can be sent again from `kept`.
    #[inline]
    pub(super) fn open_publish(&mut self, kept: Option<Kept>, qos: QoS, token: u64) -> u16 {
        let identifier = self.open(published(qos, token));
        if kept.is_some() {
            let place = self.ring.len() - 1;
            // Only after messages that are not kept; the comparison saves a call for each message.
            if self.kept.len() != place {
                self.kept.resize_with(place, || None);
            }
            self.kept.push_back(kept);
        }
        identifier
    }

    /// Opens the next free identifier for a request.
    pub(super) fn open_request(&mut self, request: OpenRequest) -> u16 {
        self.open(OpenIdentifier::Request(Box::new(request)))
    }

    #[inline]
    fn open(&mut self, entry: OpenIdentifier) -> u16 {
        if self.ring.len() >= LONG_RING
            && (self.open < self.ring.len() / 2 || self.ring.len() >= LONGEST_RING)
        {
            self.set_oldest_aside();
        }
        self.open += 1;
        loop {
            let identifier = self.identifier_at(self.ring.len());
            if self.stragglers.iter().any(|straggler| straggler.identifier == identifier) {
                self.ring.push_back(OpenIdentifier::Closed);
                self.trim();
                continue;
            }
            self.ring.push_back(entry);
            return identifier;
        }
    }

    /// Opens up to `most` consecutive identifiers for QoS 1 or 2 publishes that are not kept; their tokens
    /// count up from `token`. Returns the first identifier and the number of identifiers, at least one.
    #[inline]
    pub(super) fn open_run(&mut self, qos: QoS, token: u64, most: u16) -> (u16, u16) {
        let first = self.open(published(qos, token));
        // Up to the wrap, or to an identifier that may be open.
        let room = u16::try_from(LONGEST_RING.saturating_sub(self.ring.len())).unwrap_or(u16::MAX);
        let more = most.saturating_sub(1).min(u16::MAX - first).min(room);
        let more = if self.stragglers.is_empty() { more } else { 0 };
        self.open += usize::from(more);
        self.ring.extend((token + 1..token + 1 + u64::from(more)).map(|token| published(qos, token)));
        (first, more + 1)
    }

    #[cold]
    fn set_oldest_aside(&mut self) {
        if let Some(entry) = self.ring.pop_front() {
            let kept = self.kept.pop_front().flatten();
            self.stragglers.push(Straggler { identifier: self.first, entry, kept });
            self.first = after(self.first);
            self.open -= 1; // the front is never closed
        }
        self.trim();
    }

    /// Opens an identifier of an earlier run for a publish. Must be called in the order the identifiers were
    /// assigned, before any other is opened.
    pub(super) fn restore(&mut self, identifier: u16, kept: Kept, stage: PublishStage, token: u64) {
        let entry = OpenIdentifier::Publish { qos: kept.template.qos(), stage, token };
        self.stragglers.push(Straggler { identifier, entry, kept: Some(kept) });
        self.first = after(identifier);
    }

    /// The position of an open identifier in the ring, if it is there.
    fn place(&self, identifier: u16) -> Option<usize> {
        let index = self.distance(identifier);
        self.ring.get(index).is_some_and(|entry| !matches!(entry, OpenIdentifier::Closed)).then_some(index)
    }

    /// The open entry of an identifier.
    pub(super) fn get(&mut self, identifier: u16) -> Option<&mut OpenIdentifier> {
        if let Some(index) = self.place(identifier) {
            return self.ring.get_mut(index);
        }
        let straggler = self.stragglers.iter_mut().find(|straggler| straggler.identifier == identifier);
        straggler.map(|straggler| &mut straggler.entry)
    }

    /// The open request of an identifier.
    pub(super) fn request(&mut self, identifier: u16) -> Option<&mut OpenRequest> {
        match self.get(identifier) {
            Some(OpenIdentifier::Request(request)) => Some(request),
            _ => None,
        }
    }

    /// The data for sending the publish of an open identifier again, if it is kept.
    pub(super) fn kept(&self, identifier: u16) -> Option<&Kept> {
        if let Some(index) = self.place(identifier) {
            return self.kept.get(index)?.as_ref();
        }
        let straggler = self.stragglers.iter().find(|straggler| straggler.identifier == identifier);
        straggler?.kept.as_ref()
    }

    /// Keeps the data for sending the other open publishes again; `make` returns it for a token.
    pub(super) fn keep_others(&mut self, mut make: impl FnMut(u64) -> Option<Kept>) {
        self.kept.resize_with(self.ring.len(), || None);
        let stragglers = self.stragglers.iter_mut().map(|straggler| (&straggler.entry, &mut straggler.kept));
        for (entry, kept) in stragglers.chain(self.ring.iter().zip(&mut self.kept)) {
            if let (OpenIdentifier::Publish { token, .. }, None) = (entry, &kept) {
                *kept = make(*token);
            }
        }
    }

    /// The kept data of all publishes that have any.
    pub(super) fn all_kept(&mut self) -> impl Iterator<Item = &mut Kept> {
        let stragglers = self.stragglers.iter_mut().filter_map(|straggler| straggler.kept.as_mut());
        stragglers.chain(self.kept.iter_mut().flatten())
    }

    /// Closes the oldest identifiers while they match `identifiers` in order and belong to QoS 1 publishes
    /// with consecutive tokens: brokers usually answer in order. Returns their tokens.
    #[inline]
    pub(super) fn close_oldest(&mut self, identifiers: impl Iterator<Item = u16>) -> Range<u64> {
        let mut tokens = 0..0;
        let mut closed = 0;
        for (identifier, entry) in identifiers.zip(&self.ring) {
            let OpenIdentifier::Publish { qos: QoS::AtLeastOnce, token, .. } = *entry else { break };
            let follows = closed == 0 || token == tokens.end;
            if identifier != self.first || !follows || token == u64::MAX {
                break;
            }
            if closed == 0 {
                tokens.start = token;
            }
            tokens.end = token + 1;
            self.first = after(self.first);
            closed += 1;
        }
        self.ring.drain(..closed);
        self.kept.drain(..closed.min(self.kept.len()));
        self.open -= closed;
        self.trim();
        tokens
    }

    /// Closes an identifier, which can then be assigned again.
    pub(super) fn close(&mut self, identifier: u16) {
        let Some(index) = self.place(identifier) else {
            return self.stragglers.retain(|straggler| straggler.identifier != identifier);
        };
        self.ring[index] = OpenIdentifier::Closed;
        if let Some(kept) = self.kept.get_mut(index) {
            *kept = None;
        }
        self.open -= 1;
        self.trim();
    }

    fn trim(&mut self) {
        while matches!(self.ring.front(), Some(OpenIdentifier::Closed)) {
            self.ring.pop_front();
            self.kept.pop_front();
            self.first = after(self.first);
        }
    }

    /// The open entries, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (u16, &OpenIdentifier)> {
        let stragglers = self.stragglers.iter().map(|straggler| (straggler.identifier, &straggler.entry));
        let ring = self.ring.iter().enumerate().map(|(index, entry)| (self.identifier_at(index), entry));
        stragglers.chain(ring).filter(|(_, entry)| !matches!(entry, OpenIdentifier::Closed))
    }

    /// Removes all entries, oldest first, and frees all identifiers.
    pub(super) fn take_all(&mut self) -> Vec<(OpenIdentifier, Option<Kept>)> {
        let newest = self.identifier_at(self.ring.len());
        let stragglers = self.stragglers.drain(..).map(|straggler| (straggler.entry, straggler.kept));
        let kept = self.kept.drain(..).chain(std::iter::repeat_with(|| None));
        let all = stragglers.chain(self.ring.drain(..).zip(kept)).collect();
        self.open = 0;
        self.first = newest;
        all
    }
}

fn published(qos: QoS, token: u64) -> OpenIdentifier {
    OpenIdentifier::Publish { qos, stage: PublishStage::Published, token }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    use crate::protocol::Protocol;
    use crate::protocol::property::PropertyBlock;

    fn request(inflight: &mut Inflight, token: u64) -> u16 {
        inflight.open_request(OpenRequest::Subscribe { token, refused: [0].into() })
    }

    #[test]
    fn identifiers_wrap_without_zero() {
        let mut inflight = Inflight::new();
        for round in 0..200_000_u64 {
            let identifier = request(&mut inflight, round);
            assert_eq!(u64::from(identifier), round % 65_535 + 1);
            inflight.close(identifier);
        }
    }

    /// The broker never answers the first message while it answers 200,000 others.
    #[test]
    fn open_identifier_is_skipped() {
        let mut inflight = Inflight::new();
        let stuck = request(&mut inflight, 0);
        for token in 1..200_000 {
            let identifier = request(&mut inflight, token);
            assert_ne!(identifier, stuck);
            inflight.close(identifier);
            assert!(inflight.ring.len() <= LONG_RING);
        }
        assert!(inflight.get(stuck).is_some());
        assert_eq!(inflight.iter().next().map(|(identifier, _)| identifier), Some(stuck));
        inflight.close(stuck);
        assert!(inflight.get(stuck).is_none());
        assert!(inflight.take_all().is_empty());
    }

    /// Thousands of publishes in flight must not be set aside: each would have to be searched for.
    #[test]
    fn a_large_window_stays_in_the_ring() {
        let mut inflight = Inflight::new();
        for token in 0..u64::from(MOST_PUBLISHES) {
            request(&mut inflight, token);
        }
        assert!(inflight.stragglers.is_empty());
        let requests = usize::from(u16::MAX - MOST_PUBLISHES);
        let more: HashSet<u16> = (0..requests).map(|token| request(&mut inflight, token as u64)).collect();
        assert_eq!(more.len(), requests);
        assert_eq!(inflight.iter().count(), usize::from(u16::MAX));
    }

    /// Consecutive identifiers end at the wrap or at an open one.
    #[test]
    fn run_of_identifiers_ends_at_an_open_one_or_the_wrap() {
        let mut inflight = Inflight::new();
        inflight.first = u16::MAX - 2;
        assert_eq!(inflight.open_run(QoS::AtLeastOnce, 10, 9), (u16::MAX - 2, 3));
        assert_eq!(inflight.open_run(QoS::AtLeastOnce, 20, 9), (1, 9));
        assert_eq!(inflight.close_oldest([65_533, 65_534].into_iter()), 10..12);
        assert_eq!(inflight.close_oldest([1].into_iter()), 0..0, "the last one is still open");
        // A run ends where the tokens are not consecutive.
        assert_eq!(inflight.close_oldest([65_535, 1, 2].into_iter()), 12..13);
        assert_eq!(inflight.close_oldest([1, 3].into_iter()), 20..21);
        assert_eq!(inflight.open_run(QoS::ExactlyOnce, 40, 2), (10, 2));
        assert_eq!(inflight.close_oldest(2..=10), 21..29, "QoS 2 ends otherwise");
        inflight.restore(60, kept(60), PublishStage::Published, 1);
        assert_eq!(inflight.open_run(QoS::AtLeastOnce, 50, 4).1, 1);
    }

    fn kept(token: u64) -> Kept {
        let properties = PropertyBlock::default();
        let template = PublishTemplate::new(Protocol::V5, b"t", QoS::AtLeastOnce, false, &properties);
        Kept { template: Arc::new(template), payload: Bytes::copy_from_slice(&token.to_be_bytes()) }
    }

    fn token(entry: &OpenIdentifier) -> Option<u64> {
        match entry {
            OpenIdentifier::Closed => None,
            OpenIdentifier::Publish { token, .. } => Some(*token),
            OpenIdentifier::Request(request) => match **request {
                OpenRequest::Subscribe { token, .. } | OpenRequest::Unsubscribe { token, .. } => Some(token),
            },
        }
    }

    fn kept_token(kept: Option<&Kept>) -> Option<u64> {
        kept.map(|kept| u64::from_be_bytes(kept.payload[..].try_into().expect("eight bytes")))
    }

    /// The entries that are read for each acknowledgement of a load must fit the caches.
    #[test]
    fn an_entry_is_small() {
        assert_eq!(size_of::<OpenIdentifier>(), 16);
    }

    proptest! {
        /// Compared with a plain set: no identifier is assigned twice, every open one is found with its kept
        /// data, and the order is kept.
        #[test]
        fn identifiers_behave_as_a_set(start: u16, steps in proptest::collection::vec((0..6, any::<prop::sample::Index>()), 1..400)) {
            let mut inflight = Inflight::new();
            inflight.first = start.max(1);
            let mut open: Vec<(u16, u64, bool)> = Vec::new();
            let mut next = 0;
            for (step, index) in steps {
                let mut opened = 1;
                let (first, is_kept) = match step {
                    0 => (inflight.open_publish(None, QoS::AtLeastOnce, next), false),
                    1 => (inflight.open_publish(Some(kept(next)), QoS::AtLeastOnce, next), true),
                    2 => (request(&mut inflight, next), false),
                    3 => {
                        let (first, count) = inflight.open_run(QoS::AtLeastOnce, next, [1, 2, 9][index.index(3)]);
                        opened = count;
                        (first, false)
                    }
                    4 if !open.is_empty() => {
                        let (identifier, ..) = open.remove(index.index(open.len()));
                        inflight.close(identifier);
                        prop_assert!(inflight.get(identifier).is_none());
                        prop_assert!(inflight.kept(identifier).is_none());
                        continue;
                    }
                    _ => {
                        let most = index.index(open.len() + 1);
                        let asked: Vec<u16> = open.iter().take(most).map(|one| one.0).collect();
                        let closed = inflight.close_oldest(asked.into_iter());
                        let closed: Vec<u64> = closed.collect();
                        let expected: Vec<u64> = open.drain(..closed.len()).map(|one| one.1).collect();
                        prop_assert_eq!(closed, expected);
                        continue;
                    }
                };
                for identifier in (0..opened).map(|ahead| first + ahead) {
                    prop_assert!(open.iter().all(|(other, ..)| *other != identifier));
                    open.push((identifier, next, is_kept));
                    next += 1;
                }
            }
            for (identifier, number, is_kept) in &open {
                prop_assert_eq!(inflight.get(*identifier).and_then(|entry| token(entry)), Some(*number));
                prop_assert_eq!(kept_token(inflight.kept(*identifier)), is_kept.then_some(*number));
            }
            let listed: Vec<_> = inflight.iter().map(|(identifier, entry)| (identifier, token(entry))).collect();
            prop_assert_eq!(listed, open.iter().map(|one| (one.0, Some(one.1))).collect::<Vec<_>>());
            let all = inflight.take_all();
            let all = all.iter().filter_map(|(entry, kept)| Some((token(entry)?, kept_token(kept.as_ref()))));
            let expected = open.iter().map(|one| (one.1, one.2.then_some(one.1)));
            prop_assert_eq!(all.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
            let unique: HashSet<u16> = open.iter().map(|one| one.0).collect();
            prop_assert_eq!(unique.len(), open.len());
        }
    }
}
