//! What bounds the memory of a connection and the work of a turn.

/// A connection with more bytes than this to be written holds back its publishers and its queue.
pub(super) const OUTPUT_HIGH_BYTES: usize = 256 << 10;
/// With fewer than this it goes on.
pub(super) const OUTPUT_LOW_BYTES: usize = 64 << 10;
/// QoS 0 messages are dropped over this; a single packet may still be larger.
pub(super) const OUTPUT_MOST_BYTES: usize = 4 << 20;
/// With more than this, which only acknowledgements and the like can reach, it is not read from: a
/// client that asks and never reads the answers has to stop asking.
pub(super) const OUTPUT_FULL_BYTES: usize = 8 << 20;
/// What one turn may do: packets handled, subscriptions matched, messages handed on. A few milliseconds.
pub(super) const TURN_WORK: usize = 64 << 10;
/// What it costs to look for a retained message's name, in the same unit.
pub(super) const NAME_WORK: usize = 8;
/// What each connection may hold of a packet that is not whole without counting against the limit.
pub(super) const FREE_PARTIAL_BYTES: usize = 128 << 10;
/// A CONNECT has at most five strings of 64 KiB; what its properties add is bounded by this.
pub(super) const LARGEST_CONNECT_BYTES: u32 = 1 << 20;
/// Output buffers kept for the next connection that needs one, and the largest of them.
pub(super) const SPARE_BUFFERS: usize = 16;
pub(super) const SPARE_BUFFER_BYTES: usize = 1 << 20;
/// A payload of this length is written to its receivers from the one place where it is kept. Shorter ones
/// are copied: many small writes cost more.
pub(super) const SHARED_BYTES: usize = 64 << 10;
/// What a topic alias takes beside its name.
pub(super) const ALIAS_BYTES: usize = 64;
/// What is remembered of a QoS 2 message until PUBREL.
pub(super) const RECEIVED_BYTES: usize = 16;
