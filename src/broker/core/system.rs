//! `$SYS`: the broker's state as retained messages, under mosquitto's topic names.

use std::borrow::Cow;
use std::time::Instant;

use super::Core;
use super::deadlines::TimerOf;
use super::load::LoadAverages;
use super::message::{Routed, View};
use crate::protocol::QoS;
use crate::protocol::property::Properties;

/// The last published values, and the time of the next publication.
#[derive(Default)]
pub(super) struct System {
    /// When the first client arrived.
    started: Option<Instant>,
    timer: Option<Instant>,
    /// The payloads, in the order of the topics.
    published: Vec<String>,
    load: LoadAverages,
}

impl Core {
    /// Starts the publication, if an interval is set.
    pub(super) fn start_system(&mut self, now: Instant) {
        if self.options.system_interval.is_some() && self.system.started.is_none() {
            self.system.started = Some(now);
            self.publish_system(now);
        }
    }

    /// Publishes changed values, and sets the next time.
    pub(super) fn publish_system(&mut self, now: Instant) {
        let Some(interval) = self.options.system_interval else { return };
        self.system.timer = None;
        let next = now.checked_add(interval);
        self.deadlines.set(TimerOf::System, &mut self.system.timer, next);
        let counted = self.statistics();
        self.system.load.update(&counted, now);
        for (place, (name, payload)) in self.state_of_broker(now).into_iter().enumerate() {
            match self.system.published.get_mut(place) {
                Some(last) if *last == payload => continue,
                Some(last) => last.clone_from(&payload),
                None => self.system.published.push(payload.clone()),
            }
            let topic = format!("$SYS/broker/{name}");
            let view = View {
                topic: topic.as_bytes(),
                payload: payload.as_bytes(),
                properties: Properties::NONE,
                expires: None,
                qos: QoS::ExactlyOnce,
                retain: true,
                publisher: None,
                shared: None,
                large: None,
            };
            let mut routed = Routed::borrowed(view);
            // If it cannot be stored, subscribers still get it.
            if self.has_room(payload.len()) {
                self.retained.insert_own(routed.message());
            } else {
                self.retained.remove(topic.as_bytes());
            }
            self.route(&mut routed, &topic, None, now);
        }
    }

    /// Topic names below `$SYS/broker/`, always in the same order, and their payloads.
    fn state_of_broker(&self, now: Instant) -> Vec<(Cow<'static, str>, String)> {
        let counted = self.statistics();
        let uptime = self.system.started.map_or(0, |start| now.saturating_duration_since(start).as_secs());
        let away = counted.sessions.saturating_sub(counted.clients);
        let stored = counted.queued + counted.retained;
        let own = [
            ("version", self.options.software.to_owned()),
            ("uptime", format!("{uptime} seconds")),
            ("clients/total", counted.sessions.to_string()),
            ("clients/connected", counted.clients.to_string()),
            ("clients/active", counted.clients.to_string()),
            ("clients/disconnected", away.to_string()),
            ("clients/inactive", away.to_string()),
            ("clients/expired", counted.sessions_expired.to_string()),
            ("clients/maximum", counted.clients_maximum.to_string()),
            ("messages/received", counted.packets_received.to_string()),
            ("messages/sent", counted.packets_sent.to_string()),
            ("messages/stored", stored.to_string()),
            ("store/messages/count", stored.to_string()),
            ("store/messages/bytes", counted.stored_bytes.to_string()),
            ("subscriptions/count", counted.subscriptions.to_string()),
            ("shared_subscriptions/count", counted.shared_subscriptions.to_string()),
            ("retained messages/count", counted.retained.to_string()),
            ("publish/messages/received", counted.messages_received.to_string()),
            ("publish/messages/sent", counted.messages_sent.to_string()),
            ("publish/messages/dropped", counted.messages_dropped.to_string()),
            ("publish/bytes/received", counted.payload_bytes_received.to_string()),
            ("publish/bytes/sent", counted.payload_bytes_sent.to_string()),
            ("bytes/received", counted.bytes_received.to_string()),
            ("bytes/sent", counted.bytes_sent.to_string()),
        ];
        let own = own.into_iter().map(|(name, payload)| (Cow::Borrowed(name), payload));
        let load = self.system.load.topics().map(|(name, payload)| (Cow::Owned(name), payload));
        own.chain(load).collect()
    }
}
