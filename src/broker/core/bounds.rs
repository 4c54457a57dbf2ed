//! Limits on the memory of a connection and on the work of a turn.

/// A connection with more unwritten bytes than this pauses its publishers and its queue.
pub(super) const OUTPUT_HIGH_BYTES: usize = 256 << 10;
/// Below this they continue.
pub(super) const OUTPUT_LOW_BYTES: usize = 64 << 10;
/// QoS 0 messages are dropped above this; a single packet may still be larger.
pub(super) const OUTPUT_MOST_BYTES: usize = 4 << 20;
/// A connection with more than this is not read. Only acknowledgements and other answers can exceed it: a
/// client that sends requests without reading the answers must stop.
pub(super) const OUTPUT_FULL_BYTES: usize = 8 << 20;
/// The limit on the work of one turn: packets handled, subscriptions matched, messages passed on. It takes a
/// few milliseconds.
pub(super) const TURN_WORK: usize = 64 << 10;
/// Bytes of a received message, or copied into output, that count as one unit of work.
pub(super) const BYTES_OF_WORK: usize = 128;
/// The work of one lookup of a retained message's name: many new subscribers to `#` take turns of 2 ms.
pub(super) const NAME_WORK: usize = 32;
/// Bytes of an incomplete packet that do not count against the limit, per connection.
pub(super) const FREE_PARTIAL_BYTES: usize = 128 << 10;
/// The largest packet that is not a PUBLISH, and the most bytes of a PUBLISH's properties. A packet is decoded at once,
/// and millions of empty properties would take seconds. CONNECT has at most five strings of 64 KiB besides.
pub(super) const LARGEST_HEAD_BYTES: u32 = 1 << 20;
/// The number of output buffers kept for reuse, and the size of the largest.
pub(super) const SPARE_BUFFERS: usize = 16;
pub(super) const SPARE_BUFFER_BYTES: usize = 1 << 20;
/// Payloads and properties from this length on are shared by all receivers. Shorter ones are copied, because many small
/// writes are slower.
pub(super) const SHARED_BYTES: usize = 64 << 10;
/// Memory of a topic alias besides its name.
pub(super) const ALIAS_BYTES: usize = 64;
/// Memory for a QoS 2 message until PUBREL.
pub(super) const RECEIVED_BYTES: usize = 16;
