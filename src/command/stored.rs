//! Decides when a broker has sent everything that it stored for a subscription: retained messages, or the
//! messages of a kept session.
//!
//! MQTT does not mark the end. PINGRESP is not the end: the standard does not order it after the messages of
//! a subscription, and several brokers answer PINGREQ first. Live messages do not mark it either, and a fixed
//! quiet time is a guess. So, after SUBACK, the client sends a message to itself (the marker) on a topic of
//! its own, and a PINGREQ. A broker that sends in order has nothing left once the marker is back. Then
//! follows a quiet time in which nothing may arrive: it depends on the broker's response times so far, short
//! if the marker came back last, long if it did not come back.
//!
//! If the client may not publish or subscribe to the marker's topic, the broker's pace alone decides.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::BytesMut;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::client::session::Session;
use crate::protocol::QoS;
use crate::protocol::property::PropertyBlock;
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{Publish, PublishTemplate};

/// The prefix of the topics of all markers.
const PREFIX: &str = "mqtt-marker";
/// A broker that limits the rate of retained messages sends at least this number before its first pause.
const FIRST_BATCH: u64 = 100;
/// Number of random characters in the topic: two runs must not take each other's markers for their own.
const ID_LENGTH: usize = 16;

/// How completeness is ensured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Care {
    /// The same connection subscribes once more, and receives late messages then.
    AskedAgain,
    /// No further check follows.
    Last,
}

/// Why a subscription counts as complete.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CompleteBy {
    /// The marker came back last.
    Marker,
    /// The marker did not come back last; nothing more arrived for a while.
    Quiet,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Marker {
    Awaited,
    /// The marker came back.
    Returned,
    /// The marker came back, followed by stored messages.
    Overtaken,
}

const LONGEST_QUIET_MS: u64 = 5000;
/// After this quiet time no broker is expected to send further retained messages, whatever its pace was.
pub(super) const LONGEST_QUIET: Duration = Duration::from_millis(LONGEST_QUIET_MS);

/// The behaviour of this broker in earlier subscriptions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BrokerHabit {
    /// No behaviour that shortens the wait.
    Nothing,
    /// It sent stored messages before the marker, and none after it.
    InOrder,
    /// The last subscription had the long wait, and received nothing.
    Empty,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum WaitState {
    Subscribing,
    /// Marker and PINGREQ have to be sent, for the first time or again.
    ToAsk,
    Asked,
}

/// The events of one subscription, with their times. Arithmetic on instants: no network, no clock.
#[derive(Debug)]
pub(super) struct Stored {
    care: Care,
    known: BrokerHabit,
    state: WaitState,
    /// When SUBSCRIBE, or later the PINGREQ, was sent.
    asked_at: Instant,
    round_trip: Duration,
    marker: Marker,
    is_answered: bool,
    /// When the last packet of the subscription arrived.
    last: Instant,
    /// The longest pause before a stored message.
    widest_gap: Duration,
    count: u64,
}

impl Stored {
    /// SUBSCRIBE was sent.
    pub(super) fn new(now: Instant, care: Care) -> Self {
        Self {
            care,
            known: BrokerHabit::Nothing,
            state: WaitState::Subscribing,
            asked_at: now,
            round_trip: Duration::ZERO,
            marker: Marker::Awaited,
            is_answered: false,
            last: now,
            widest_gap: Duration::ZERO,
            count: 0,
        }
    }

    /// SUBACK was received.
    pub(super) fn subscribed(&mut self, now: Instant) {
        self.round_trip = now - self.asked_at;
        self.last = now;
        self.state = WaitState::ToAsk;
    }

    /// The marker, if there is one, and PINGREQ were sent.
    pub(super) fn asked(&mut self, now: Instant) {
        self.asked_at = now;
        self.state = WaitState::Asked;
    }

    /// PINGRESP was received.
    pub(super) fn answered(&mut self, now: Instant) {
        if self.state == WaitState::Asked {
            self.is_answered = true;
            self.round_trip = self.round_trip.max(now - self.asked_at);
            self.last = now;
        }
    }

    /// A stored message was received.
    pub(super) fn came(&mut self, now: Instant) {
        self.widest_gap = self.widest_gap.max(now - self.last);
        self.count += 1;
        if self.marker == Marker::Returned {
            self.marker = Marker::Overtaken;
        }
        self.last = now;
    }

    fn returned(&mut self, now: Instant) {
        if self.marker == Marker::Awaited {
            self.marker = Marker::Returned;
            self.last = now;
            // After stored messages, the time would include theirs.
            if self.count == 0 {
                self.round_trip = self.round_trip.max(now - self.asked_at);
            }
        }
    }

    /// The marker of an earlier subscription was received: that subscription was ended too early.
    fn returned_late(&mut self, now: Instant) {
        self.last = now;
        if self.known == BrokerHabit::Empty {
            self.known = BrokerHabit::Nothing;
        }
    }

    /// A short wait relies on the broker's order or on another check, so one of two subscriptions waits long
    /// for the first message.
    fn care_now(&self) -> Care {
        match self.known {
            BrokerHabit::Nothing if self.count == 0 => Care::Last,
            BrokerHabit::Empty if self.count == 0 => Care::AskedAgain,
            _ => self.care,
        }
    }

    fn is_in_order(&self) -> bool {
        self.known == BrokerHabit::InOrder || self.count > 0
    }

    /// The conclusion from this subscription for the next one.
    fn teaches(&self) -> BrokerHabit {
        match self.marker {
            Marker::Returned if self.is_in_order() => BrokerHabit::InOrder,
            Marker::Returned | Marker::Awaited if self.count == 0 => BrokerHabit::Empty,
            _ => BrokerHabit::Nothing,
        }
    }

    /// The quiet time that ends the subscription: it depends on the broker's response time, and on the
    /// longest pause so far.
    fn quiet_time(&self) -> Duration {
        let by = |gaps: u32, trips: u32, least: u64, most: u64| {
            let pace = (self.widest_gap * gaps).max(self.round_trip * trips);
            pace.clamp(Duration::from_millis(least), Duration::from_millis(most))
        };
        match (self.marker, self.care_now()) {
            // After this time PINGREQ is sent again.
            (Marker::Awaited, _) if !self.is_answered => by(4, 10, 500, LONGEST_QUIET_MS),
            (Marker::Returned, Care::AskedAgain) => by(2, 2, 10, 1000),
            // With a rate limit for retained messages (EMQX has 1000 a second), the marker comes back in a
            // pause that is unrelated to the pace before it.
            (Marker::Returned, Care::Last) if self.count >= FIRST_BATCH => by(4, 4, 1500, 3000),
            (Marker::Returned, Care::Last) if self.is_in_order() => by(2, 2, 100, 1000),
            // Nothing was stored, or this broker sends live messages before stored ones.
            (Marker::Returned, Care::Last) => by(4, 10, 2500, 3000),
            (Marker::Overtaken, Care::AskedAgain) => by(4, 4, 100, 3000),
            (Marker::Overtaken, Care::Last) => by(4, 4, 1000, 3000),
            (Marker::Awaited, Care::AskedAgain) => by(4, 10, 500, LONGEST_QUIET_MS),
            (Marker::Awaited, Care::Last) => by(4, 10, 3000, LONGEST_QUIET_MS),
        }
    }

    /// When the subscription is complete if nothing more arrives; `None` before PINGREQ was sent.
    pub(super) fn over_at(&self) -> Option<Instant> {
        (self.state == WaitState::Asked).then(|| self.last.max(self.asked_at) + self.quiet_time())
    }

    /// The time of [`Self::over_at`] has come. `None`: an unanswered PINGREQ is sent again, as a broker that
    /// has dropped messages (mosquitto, with a thousand packets waiting) may have dropped its answer too.
    pub(super) fn end(&mut self) -> Option<CompleteBy> {
        if !self.is_answered {
            self.state = WaitState::ToAsk;
            return None;
        }
        Some(if self.marker == Marker::Returned { CompleteBy::Marker } else { CompleteBy::Quiet })
    }
}

/// Detects the end of consecutive subscriptions, for a [`crate::client::handler::Handler`].
pub(super) struct EndOfStored {
    topic: String,
    /// False if the broker forbids it: some close the connection because of a refused message.
    uses_marker: bool,
    /// The payload of the marker: it tells the markers of different subscriptions apart.
    number: u32,
    known: BrokerHabit,
    /// The longest pause of a subscription that the marker did not end: it may occur again in the next one.
    widest_gap: Duration,
    stored: Option<Stored>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl EndOfStored {
    /// `in_order` is the result of [`Self::is_in_order`] for this broker on another connection.
    pub(super) fn new(uses_marker: bool, in_order: bool) -> Self {
        let id: String = std::iter::repeat_with(fastrand::alphanumeric).take(ID_LENGTH).collect();
        Self {
            topic: format!("{PREFIX}/{id}"),
            uses_marker,
            number: 0,
            known: if in_order { BrokerHabit::InOrder } else { BrokerHabit::Nothing },
            widest_gap: Duration::ZERO,
            stored: None,
            timer: None,
        }
    }

    /// Whether this broker has sent stored messages before a marker, and none after one.
    pub(super) fn is_in_order(&self) -> bool {
        self.known == BrokerHabit::InOrder
    }

    /// There is a new link. If the last one was lost because of the marker, none is sent on this one.
    pub(super) fn link_is_new(&mut self) {
        let lost_over_marker = self.awaits_marker();
        self.stored = None;
        self.uses_marker &= !lost_over_marker;
    }

    /// Whether the marker, or its filter, was sent and did not come back. The next link goes without it.
    pub(super) fn awaits_marker(&self) -> bool {
        self.uses_marker && self.stored.as_ref().is_some_and(|stored| stored.marker == Marker::Awaited)
    }

    /// The filter to subscribe to with the others, before [`Self::begin`].
    pub(super) fn marker_filter(&self) -> Option<&str> {
        self.uses_marker.then_some(self.topic.as_str())
    }

    /// SUBSCRIBE was sent.
    pub(super) fn begin(&mut self, care: Care) {
        self.number += 1;
        let (known, widest_gap) = (self.known, self.widest_gap);
        self.stored = Some(Stored { known, widest_gap, ..Stored::new(Instant::now(), care) });
    }

    /// The broker's response to the marker's subscription.
    pub(super) fn marker_granted(&mut self, reason: ReasonCode) {
        self.uses_marker &= !reason.is_failure();
    }

    /// The other subscriptions are answered.
    pub(super) fn subscribed(&mut self) {
        if let Some(stored) = self.stored.as_mut().filter(|stored| stored.state == WaitState::Subscribing) {
            stored.subscribed(Instant::now());
        }
    }

    /// Whether the message is a marker of this run.
    pub(super) fn takes(&mut self, publish: &Publish<'_>) -> bool {
        if publish.topic != self.topic.as_bytes() {
            return false;
        }
        if let Some(stored) = &mut self.stored {
            if publish.payload == self.number.to_be_bytes() {
                stored.returned(Instant::now());
            } else {
                stored.returned_late(Instant::now());
            }
        }
        true
    }

    /// A stored message was received.
    pub(super) fn came(&mut self) {
        if let Some(stored) = &mut self.stored {
            stored.came(Instant::now());
        }
    }

    /// The number of stored messages received since [`Self::begin`].
    pub(super) fn count(&self) -> u64 {
        self.stored.as_ref().map_or(0, |stored| stored.count)
    }

    /// Whether SUBACK is awaited.
    pub(super) fn is_subscribing(&self) -> bool {
        self.stored.as_ref().is_some_and(|stored| stored.state == WaitState::Subscribing)
    }

    /// Whether PINGRESP is awaited.
    pub(super) fn is_unanswered(&self) -> bool {
        self.stored.as_ref().is_some_and(|stored| !stored.is_answered)
    }

    /// PINGRESP was received.
    pub(super) fn answered(&mut self) {
        if let Some(stored) = &mut self.stored {
            stored.answered(Instant::now());
        }
    }

    /// Sends the marker and PINGREQ when needed. Ready when everything was received.
    pub(super) fn poll(
        &mut self,
        cx: &mut Context<'_>,
        session: &mut Session,
        out: &mut BytesMut,
    ) -> Poll<CompleteBy> {
        loop {
            self.ask(session, out);
            let Some(stored) = &mut self.stored else { return Poll::Pending };
            let Some(over_at) = stored.over_at() else { return Poll::Pending };
            let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(over_at)));
            if timer.deadline() != over_at {
                timer.as_mut().reset(over_at);
            }
            ready!(timer.as_mut().poll(cx));
            if let Some(ended_by) = stored.end() {
                self.known = stored.teaches();
                if ended_by == CompleteBy::Quiet {
                    self.widest_gap = self.widest_gap.max(stored.widest_gap);
                }
                return Poll::Ready(ended_by);
            }
        }
    }

    fn ask(&mut self, session: &mut Session, out: &mut BytesMut) {
        let Some(stored) = self.stored.as_mut().filter(|stored| stored.state == WaitState::ToAsk) else {
            return;
        };
        if self.uses_marker {
            if !session.can_publish(QoS::AtMostOnce) {
                return;
            }
            let (topic, nothing) = (self.topic.as_bytes(), PropertyBlock::default());
            let template = PublishTemplate::new(session.protocol(), topic, QoS::AtMostOnce, false, &nothing);
            let was_unconfirmed = session.has_unconfirmed();
            // If the broker refuses the marker, the result is the same as for a marker that does not come
            // back.
            let _ = session.publish(out, &Arc::new(template), &self.number.to_be_bytes(), || None, 0);
            // The marker does not count as an unconfirmed message.
            if !was_unconfirmed {
                session.confirmed();
            }
        }
        session.ping(out);
        stored.asked(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::Protocol;
    use crate::protocol::wire::{self, Packet};
    use tokio::time::advance;

    const fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    /// A subscription that was granted, with PINGREQ answered immediately, and nothing else received.
    fn answered(care: Care) -> Stored {
        let mut stored = Stored::new(Instant::now(), care);
        stored.subscribed(Instant::now());
        stored.asked(Instant::now());
        stored.answered(Instant::now());
        stored
    }

    fn is_over(stored: &Stored) -> bool {
        stored.over_at().is_some_and(|at| at <= Instant::now())
    }

    #[tokio::test(start_paused = true)]
    async fn pingresp_is_not_the_end() {
        for held_back in [50, 2000] {
            let mut stored = answered(Care::Last);
            advance(ms(held_back)).await;
            assert!(!is_over(&stored), "{held_back}");
            stored.came(Instant::now());
            stored.returned(Instant::now());
            assert!(!is_over(&stored));
            advance(ms(3000)).await;
            assert!(is_over(&stored));
            assert_eq!(stored.end(), Some(CompleteBy::Marker));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn stored_messages_after_the_marker_are_waited_for() {
        let mut stored = answered(Care::Last);
        stored.returned(Instant::now());
        advance(ms(2400)).await;
        assert!(!is_over(&stored));
        stored.came(Instant::now());
        advance(ms(2500)).await;
        assert!(!is_over(&stored), "four times the longest pause, at most 3 s");
        advance(ms(600)).await;
        assert!(is_over(&stored));
        assert_eq!(stored.end(), Some(CompleteBy::Quiet));
    }

    #[tokio::test(start_paused = true)]
    async fn rate_limit_after_many_messages_is_waited_for() {
        for (count, least) in [(99, 100), (100, 1500)] {
            let mut stored = answered(Care::Last);
            for _ in 0..count {
                stored.came(Instant::now());
            }
            stored.returned(Instant::now());
            advance(ms(least - 1)).await;
            assert!(!is_over(&stored), "{count}");
            advance(ms(1)).await;
            assert!(is_over(&stored), "{count}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_marker_the_pace_decides() {
        let mut stored = answered(Care::Last);
        advance(ms(2900)).await;
        assert!(!is_over(&stored));
        stored.came(Instant::now());
        advance(ms(4900)).await;
        assert!(!is_over(&stored));
        advance(ms(101)).await;
        assert!(is_over(&stored));
        assert_eq!(stored.end(), Some(CompleteBy::Quiet));
    }

    #[tokio::test(start_paused = true)]
    async fn unanswered_pingreq_is_sent_again() {
        let mut stored = Stored::new(Instant::now(), Care::Last);
        stored.subscribed(Instant::now());
        assert!(stored.over_at().is_none());
        stored.asked(Instant::now());
        advance(ms(500)).await;
        assert!(is_over(&stored));
        assert_eq!(stored.end(), None);
        assert_eq!(stored.state, WaitState::ToAsk);
    }

    #[tokio::test(start_paused = true)]
    async fn link_lost_over_the_marker_does_without_it() {
        let mut end = EndOfStored::new(true, false);
        end.link_is_new();
        assert!(end.marker_filter().is_some(), "nothing was lost over it so far");
        end.begin(Care::Last);
        end.link_is_new();
        assert!(end.marker_filter().is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_marker_of_this_subscription_counts() {
        let mut end = EndOfStored::new(true, false);
        end.begin(Care::Last);
        let topic = end.topic.clone();
        let mut marker = |number: u8| {
            let length = u8::try_from(topic.len()).unwrap();
            let bytes = [&[0x30, length + 6, 0, length], topic.as_bytes(), &[0, 0, 0, number]].concat();
            let Ok(Packet::Publish(publish)) = wire::decode(Protocol::V3_1_1, &bytes) else { panic!() };
            assert!(end.takes(&publish));
            end.stored.as_ref().map(|stored| stored.marker)
        };
        assert_eq!(marker(0), Some(Marker::Awaited));
        assert_eq!(marker(1), Some(Marker::Returned));
    }
}
