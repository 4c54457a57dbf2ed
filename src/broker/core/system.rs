//! `$SYS`: the broker's state as retained messages, under mosquitto's topic names.

use std::time::Instant;

use super::Core;
use super::deadlines::TimerOf;
use super::message::{Routed, View};
use crate::protocol::QoS;
use crate::protocol::property::Properties;

/// What was published last, and when the next time is.
#[derive(Default)]
pub(super) struct System {
    /// The first client came then.
    started: Option<Instant>,
    timer: Option<Instant>,
    /// The payloads, in the order of the topics.
    published: Vec<String>,
}

impl Core {
    /// Begins to publish the state, if that is asked for.
    pub(super) fn start_system(&mut self, now: Instant) {
        if self.options.system_interval.is_some() && self.system.started.is_none() {
            self.system.started = Some(now);
            self.publish_system(now);
        }
    }

    /// Publishes what has changed, and sets the next time.
    pub(super) fn publish_system(&mut self, now: Instant) {
        let Some(interval) = self.options.system_interval else { return };
        self.system.timer = None;
        let next = now.checked_add(interval);
        self.deadlines.set(TimerOf::System, &mut self.system.timer, next);
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
            };
            let mut routed = Routed::borrowed(view);
            // Without room for it, subscribers still get it.
            self.retain(&mut routed);
            self.route(&mut routed, &topic, None, now);
        }
    }

    fn state_of_broker(&self, now: Instant) -> Vec<(&'static str, String)> {
        let statistics = self.statistics();
        let uptime = self.system.started.map_or(0, |start| now.saturating_duration_since(start).as_secs());
        let connected = self.sessions.iter().filter(|(_, session)| session.connection.is_some()).count();
        let away = statistics.sessions.saturating_sub(connected);
        vec![
            ("version", self.options.software.to_owned()),
            ("uptime", format!("{uptime} seconds")),
            ("clients/total", statistics.sessions.to_string()),
            ("clients/connected", connected.to_string()),
            ("clients/active", connected.to_string()),
            ("clients/disconnected", away.to_string()),
            ("clients/inactive", away.to_string()),
            ("subscriptions/count", statistics.subscriptions.to_string()),
            ("store/messages/count", (statistics.queued + statistics.retained).to_string()),
            ("publish/messages/received", statistics.messages_received.to_string()),
            ("publish/messages/sent", statistics.messages_sent.to_string()),
            ("publish/messages/dropped", statistics.messages_dropped.to_string()),
            ("bytes/received", statistics.bytes_received.to_string()),
            ("bytes/sent", statistics.bytes_sent.to_string()),
        ]
    }
}
