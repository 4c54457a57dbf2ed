//! The Session State of a client, connected or not ([MQTT-4.1]).

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use super::in_flight::InFlight;
use super::message::SharedMessage;
use super::slab::Slab;
use super::subscriptions::{Presence, ShareId};
use super::{ConnectionId, SessionId};
use crate::broker::access::Rights;
use crate::protocol::QoS;

/// A message for one client, as granted by its subscriptions.
pub(super) struct Pending {
    pub(super) message: Arc<SharedMessage>,
    pub(super) qos: QoS,
    pub(super) retain: bool,
    /// The Subscription Identifiers of the matching subscriptions.
    pub(super) identifiers: Box<[u32]>,
    /// The shared subscription it was selected from.
    pub(super) share: Option<ShareId>,
}

/// Retained messages still to be sent for a new subscription. A position instead of a list, so that many
/// subscriptions to `#` take little memory.
pub(super) struct Replay {
    pub(super) filter: Box<str>,
    pub(super) qos: QoS,
    pub(super) no_local: bool,
    /// The Subscription Identifier; 0 for none.
    pub(super) identifier: u32,
    /// Names before this were already checked.
    pub(super) cursor: Vec<u8>,
    /// Its number in `Session::filters`; a replay with another number is outdated.
    pub(super) number: u64,
}

/// A Will Message, published when its connection ends without DISCONNECT ([MQTT-3.1.2-8]).
pub(super) struct WillMessage {
    /// Without expiry time, which starts at the publication.
    pub(super) message: Arc<SharedMessage>,
    pub(super) expiry_seconds: Option<u32>,
    pub(super) delay_seconds: u32,
}

/// What is still to be done for an ended session.
pub(super) struct EndedSession {
    /// Subscriptions to remove from the tree.
    pub(super) filters: Vec<Box<str>>,
    /// Messages for other members of its shared subscriptions, in reverse order.
    pub(super) orphans: Vec<Pending>,
}

/// The state of one session.
pub(super) struct Session {
    pub(super) client_identifier: Arc<str>,
    pub(super) connection: Option<ConnectionId>,
    /// The user name of its client.
    pub(super) user: Option<Box<str>>,
    /// The rights of its client; `None` for all rights.
    pub(super) rights: Option<Arc<Rights>>,
    /// How long it outlives a connection; `u32::MAX` does not expire ([MQTT-3.1.2.11.2]).
    pub(super) expiry_seconds: u32,
    pub(super) will: Option<WillMessage>,
    /// When the will of the last connection is due.
    pub(super) will_at: Option<Instant>,
    /// When the session expires, while it has no connection.
    pub(super) ends_at: Option<Instant>,
    /// The deadline that is set: the earlier of the two above.
    pub(super) timer: Option<Instant>,
    /// The subscribed filters, with the number of each one's latest replay; options are in the tree.
    pub(super) filters: HashMap<Box<str>, u64>,
    /// What is still to be done for the session, if it has ended.
    pub(super) ended: Option<EndedSession>,
    /// QoS 1 and 2 messages not sent yet.
    pub(super) queue: VecDeque<Pending>,
    pub(super) queue_bytes: usize,
    /// All memory counted against the limits, including the queue.
    pub(super) held_bytes: usize,
    pub(super) replays: VecDeque<Replay>,
    pub(super) latest_replay: u64,
    pub(super) in_flight: InFlight,
    /// A message held back for reordering, to be sent after the next one.
    pub(super) late: Option<Box<Pending>>,
    /// Packet identifiers of QoS 2 messages received but not released ([MQTT-4.3.3-10]).
    pub(super) received: HashSet<u16>,
}

impl Session {
    pub(super) fn new(client_identifier: Arc<str>) -> Self {
        Self {
            client_identifier,
            connection: None,
            user: None,
            rights: None,
            expiry_seconds: 0,
            will: None,
            will_at: None,
            ends_at: None,
            timer: None,
            filters: HashMap::new(),
            ended: None,
            queue: VecDeque::new(),
            queue_bytes: 0,
            held_bytes: 0,
            replays: VecDeque::new(),
            latest_replay: 0,
            in_flight: InFlight::default(),
            late: None,
            received: HashSet::new(),
        }
    }

    /// Whether a new QoS 1 or 2 message may be sent at once: no message waits before it and the window has
    /// room.
    pub(super) fn is_open(&self, window: usize) -> bool {
        self.queue.is_empty() && self.replays.is_empty() && self.has_room(window)
    }

    /// Adds a replay in place of an earlier one for the same filter. The earlier one is skipped when its turn
    /// comes; searching for it here would take quadratic time in the number of filters.
    pub(super) fn replay(&mut self, replay: Replay) {
        if let Some(number) = self.filters.get_mut(&replay.filter) {
            self.latest_replay += 1;
            *number = self.latest_replay;
            self.replays.push_back(Replay { number: self.latest_replay, ..replay });
        }
        if self.replays.len() > 2 * self.filters.len() + 64 {
            let filters = &self.filters;
            self.replays.retain(|replay| filters.get(&replay.filter) == Some(&replay.number));
        }
    }

    /// Whether the window has room for a new message; retransmissions come first.
    pub(super) fn has_room(&self, window: usize) -> bool {
        self.in_flight.has_room(window)
    }
}

/// Whether a client with these rights may receive messages of this topic.
pub(super) fn may_read(rights: Option<&Arc<Rights>>, topic: &[u8]) -> bool {
    rights.is_none_or(|rights| std::str::from_utf8(topic).is_ok_and(|topic| rights.may_read(topic)))
}

/// Whether the client of a session is connected.
pub(super) fn presence(sessions: &Slab<SessionId, Session>, id: SessionId) -> Presence {
    match sessions.get(id) {
        Some(session) if session.ended.is_some() => Presence::Ended,
        Some(session) if session.connection.is_some() => Presence::Connected,
        _ => Presence::Away,
    }
}
