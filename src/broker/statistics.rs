//! The counters of a broker.

/// Numbers of one moment; counters run from the start of the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Statistics {
    /// Open network connections.
    pub connections: usize,
    /// Clients that are connected.
    pub clients: usize,
    /// The most that were at the same time.
    pub clients_maximum: usize,
    /// Sessions, with and without a connection.
    pub sessions: usize,
    /// Subscriptions of all sessions.
    pub subscriptions: usize,
    /// Those of them that are shared.
    pub shared_subscriptions: usize,
    /// Retained messages.
    pub retained: usize,
    /// Messages waiting in sessions, those in flight not counted.
    pub queued: usize,
    /// Bytes of the messages in sessions and of retained ones.
    pub stored_bytes: usize,
    /// Connections since the start.
    pub connections_opened: u64,
    /// CONNECT packets.
    pub connects_received: u64,
    /// Packets of any type taken from clients.
    pub packets_received: u64,
    /// Packets of any type put out to clients.
    pub packets_sent: u64,
    /// PUBLISH packets taken from clients, repeated ones included.
    pub messages_received: u64,
    /// PUBLISH packets put out to clients, repeated ones included.
    pub messages_sent: u64,
    /// Bytes of the payloads of messages taken from clients.
    pub payload_bytes_received: u64,
    /// Bytes of the payloads of messages put out to clients.
    pub payload_bytes_sent: u64,
    /// Messages that did not reach a subscriber entitled to them: queue full, larger than the
    /// client's Maximum Packet Size, or expired.
    pub messages_dropped: u64,
    /// Sessions that have expired.
    pub sessions_expired: u64,
    /// Bytes read.
    pub bytes_received: u64,
    /// Bytes written.
    pub bytes_sent: u64,
}
