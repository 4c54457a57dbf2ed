//! What happens in a broker, told to an observer at once: for logs, and for scripts that test clients.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use super::listener::Listener;
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{Connect, Packet, Publish};
use crate::protocol::{Direction, QoS};

/// An observer of the broker. It is called while the broker is locked: it must neither wait nor call the broker.
#[derive(Clone)]
pub struct Journal(Arc<Observe>);

type Observe = dyn Fn(&BrokerEvent<'_>) + Send + Sync;

impl Journal {
    /// One that calls this function with each event.
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

/// Where a connection comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientOrigin {
    /// Its number among the connections of the broker, from 1.
    pub number: u64,
    /// The address of the client, where it has one.
    pub peer: Option<SocketAddr>,
    /// What the client has connected to; nothing for a stream of this process.
    pub listener: Option<Arc<Listener>>,
}

/// Something that happened.
#[derive(Debug)]
pub struct BrokerEvent<'a> {
    /// The connection, unless a session without one is meant.
    pub origin: Option<&'a ClientOrigin>,
    /// The client identifier, if it is known.
    pub client: Option<&'a str>,
    /// What happened.
    pub kind: EventKind<'a>,
}

/// What happened.
#[derive(Debug)]
pub enum EventKind<'a> {
    /// A connection was accepted.
    Arrived,
    /// A client was let in. What the packets say is told besides.
    Accepted {
        /// Its CONNECT.
        connect: &'a Connect<'a>,
        /// The Keep Alive that holds, in seconds.
        keep_alive: u16,
        /// Whether it had a session.
        session_present: bool,
    },
    /// A packet was received or put out.
    Packet(Direction, &'a Packet<'a>),
    /// A subscription was granted.
    Subscribed {
        /// The topic filter.
        filter: &'a str,
        /// The granted QoS.
        qos: QoS,
    },
    /// A message of the client is refused.
    Denied {
        /// The message.
        publish: &'a Publish<'a>,
        /// Its topic name, also where an alias stands for it.
        topic: &'a str,
        /// Why.
        reason: ReasonCode,
    },
    /// A message did not reach the client, which is a subscriber of it.
    Dropped {
        /// The topic name.
        topic: &'a [u8],
        /// The QoS it would have had.
        qos: QoS,
        /// The length of its payload.
        payload_bytes: usize,
        /// Why.
        cause: DropCause,
    },
    /// The client reads nothing: publishers do not wait for it any more.
    Stalled,
    /// The will of the client is published.
    Will {
        /// The topic name.
        topic: &'a [u8],
        /// The QoS of the will.
        qos: QoS,
        /// Whether it is retained.
        retain: bool,
        /// The length of its payload.
        payload_bytes: usize,
    },
    /// The session of a client that is away has expired.
    Expired,
    /// The connection has ended, or is being closed.
    Left(Leaving<'a>),
}

/// Why a message did not reach a subscriber.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DropCause {
    /// A limit of the broker is reached.
    Limit,
    /// It is larger than the client's Maximum Packet Size.
    TooLarge,
    /// Its Message Expiry Interval has passed.
    Expired,
}

/// Why a connection ended.
#[derive(Debug)]
pub enum Leaving<'a> {
    /// The client has sent DISCONNECT.
    Disconnected(ReasonCode),
    /// The client has closed it without DISCONNECT, or the network has.
    Closed,
    /// No CONNECT came in time.
    Silent,
    /// The TLS or WebSocket handshake failed; nothing where it took too long.
    Handshake(Option<&'a io::Error>),
    /// CONNECT was refused.
    Refused(ReasonCode, &'a str),
    /// The broker ends it: for a broken rule, a limit, or another reason.
    Ended(ReasonCode, &'a str),
    /// The broker cuts it on request.
    Cut,
}
