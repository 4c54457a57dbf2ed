//! Events of a broker, passed to an observer at once: for logs, and for scripts that test clients.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use super::listener::Listener;
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{Connect, Packet, Publish};
use crate::protocol::{Direction, QoS};

/// An observer of the broker. It is called while the broker is locked, so it must neither block nor call the
/// broker.
#[derive(Clone)]
pub struct Journal(Arc<Observe>);

type Observe = dyn Fn(&BrokerEvent<'_>) + Send + Sync;

impl Journal {
    /// An observer that calls this function with each event.
    pub fn new(observe: impl Fn(&BrokerEvent<'_>) + Send + Sync + 'static) -> Self {
        Self(Arc::new(observe))
    }

    pub(super) fn tell(&self, event: &BrokerEvent<'_>) {
        (self.0)(event);
    }
}

impl fmt::Debug for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Journal")
    }
}

/// The origin of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientOrigin {
    /// The number of the connection in this broker, from 1.
    pub number: u64,
    /// The address of the client, if it has one.
    pub peer: Option<SocketAddr>,
    /// The listener; `None` for a stream inside this process.
    pub listener: Option<Arc<Listener>>,
}

/// An event.
#[derive(Debug)]
pub struct BrokerEvent<'a> {
    /// The connection; `None` for an event of a session without one.
    pub origin: Option<&'a ClientOrigin>,
    /// The client identifier, if known.
    pub client: Option<&'a str>,
    /// What happened.
    pub kind: EventKind<'a>,
}

/// The kind of an event.
#[derive(Debug)]
pub enum EventKind<'a> {
    /// A connection was accepted.
    Arrived,
    /// A client was accepted. Its packets are reported separately.
    Accepted {
        /// Its CONNECT.
        connect: &'a Connect<'a>,
        /// The effective Keep Alive in seconds.
        keep_alive: u16,
        /// Whether there was a session.
        session_present: bool,
    },
    /// A packet was received or sent.
    Packet(Direction, &'a Packet<'a>),
    /// A subscription was granted.
    Subscribed {
        /// The topic filter.
        filter: &'a str,
        /// The granted QoS.
        qos: QoS,
    },
    /// A message from the client is refused.
    Denied {
        /// The message.
        publish: &'a Publish<'a>,
        /// The topic name, also if the message has an alias.
        topic: &'a str,
        /// The Reason Code.
        reason: ReasonCode,
    },
    /// A message was not delivered to the client, although it subscribes to it.
    Dropped {
        /// The topic name.
        topic: &'a [u8],
        /// The QoS of the delivery.
        qos: QoS,
        /// The length of the payload.
        payload_bytes: usize,
        /// The cause.
        cause: DropCause,
    },
    /// The client reads nothing: publishers no longer wait for it.
    Stalled,
    /// The will of the client is published.
    Will {
        /// The topic name.
        topic: &'a [u8],
        /// The QoS of the will.
        qos: QoS,
        /// Whether the will is retained.
        retain: bool,
        /// The length of the payload.
        payload_bytes: usize,
    },
    /// The session of a disconnected client has expired.
    Expired,
    /// A simulated stall or downtime begins or ends.
    Interrupted {
        /// Whether everything is closed meanwhile, or only stands.
        is_down: bool,
        /// Whether it begins.
        begins: bool,
    },
    /// The connection has ended, or is being closed.
    Left(Leaving<'a>),
}

/// Why a message was not delivered to a subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropCause {
    /// A limit of the broker is reached.
    Limit,
    /// The message exceeds the client's Maximum Packet Size.
    TooLarge,
    /// The Message Expiry Interval has passed.
    Expired,
}

/// Why a connection ended.
#[derive(Debug)]
pub enum Leaving<'a> {
    /// The client sent DISCONNECT.
    Disconnected(ReasonCode),
    /// The client or the network closed the connection without DISCONNECT.
    Closed,
    /// No CONNECT arrived in time.
    Silent,
    /// The TLS or WebSocket handshake failed; `None` for a timeout.
    Handshake(Option<&'a io::Error>),
    /// CONNECT was refused.
    Refused(ReasonCode, &'a str),
    /// The broker ends the connection: a protocol error, a limit, or another reason.
    Ended(ReasonCode, &'a str),
    /// A simulated fault cuts the connection.
    Cut,
}
