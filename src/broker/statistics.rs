//! The counters of a broker.

/// Numbers of one moment; counters run from the start of the broker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Statistics {
    /// Open network connections.
    pub connections: usize,
    /// Sessions, with and without a connection.
    pub sessions: usize,
    /// Subscriptions of all sessions.
    pub subscriptions: usize,
    /// Retained messages.
    pub retained: usize,
    /// Messages waiting in sessions, those in flight not counted.
    pub queued: usize,
    /// PUBLISH packets taken from clients, repeated ones included.
    pub messages_received: u64,
    /// PUBLISH packets put out to clients, repeated ones included.
    pub messages_sent: u64,
    /// Messages that did not reach a subscriber entitled to them: queue full, larger than the
    /// client's Maximum Packet Size, or expired.
    pub messages_dropped: u64,
    /// Bytes read.
    pub bytes_received: u64,
    /// Bytes written.
    pub bytes_sent: u64,
}
