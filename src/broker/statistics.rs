//! The counters of a broker.

/// The current values; counters start with the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Statistics {
    /// Open Network Connections.
    pub connections: usize,
    /// Connected clients.
    pub clients: usize,
    /// The maximum number of clients that were connected at the same time.
    pub clients_maximum: usize,
    /// Sessions, with and without a connection.
    pub sessions: usize,
    /// Subscriptions of all sessions.
    pub subscriptions: usize,
    /// The shared ones among them.
    pub shared_subscriptions: usize,
    /// Retained messages.
    pub retained: usize,
    /// Messages queued in sessions, without those in flight.
    pub queued: usize,
    /// Bytes of the messages in sessions and of retained ones.
    pub stored_bytes: usize,
    /// Connections since the start.
    pub connections_opened: u64,
    /// CONNECT packets.
    pub connects_received: u64,
    /// Packets received from clients.
    pub packets_received: u64,
    /// Packets sent to clients.
    pub packets_sent: u64,
    /// PUBLISH packets received from clients, including repeated ones.
    pub messages_received: u64,
    /// PUBLISH packets sent to clients, including repeated ones.
    pub messages_sent: u64,
    /// Payload bytes of messages received from clients.
    pub payload_bytes_received: u64,
    /// Payload bytes of messages sent to clients.
    pub payload_bytes_sent: u64,
    /// Messages that were not delivered to a subscriber: its queue was full, the message exceeded the
    /// client's Maximum Packet Size, or it had expired.
    pub messages_dropped: u64,
    /// Sessions that have expired.
    pub sessions_expired: u64,
    /// Bytes read.
    pub bytes_received: u64,
    /// Bytes written.
    pub bytes_sent: u64,
}
