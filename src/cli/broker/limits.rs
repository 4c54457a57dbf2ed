//! The limits of `mqtt broker`.

use std::time::Duration;

use crate::broker::Limits;
use crate::cli::value;

/// Limits on the broker's memory and its clients.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Limits")]
pub(super) struct LimitArgs {
    /// Connections at once; further ones are refused with Quota exceeded (0x97) [default: 100000]
    #[arg(long, value_name = "COUNT", value_parser = value::clients)]
    max_connections: Option<u32>,

    /// Largest packet taken, in bytes; a larger one gets Packet too large (0x95) [default: 64Mi]
    #[arg(long, value_name = "SIZE", value_parser = value::packet_bytes)]
    max_packet_size: Option<u32>,

    /// QoS 1 and 2 messages in flight, to each client and from it; a client that sends more is disconnected
    /// [default: 1024 and 65535]
    #[arg(long, value_name = "COUNT", value_parser = value::inflight)]
    max_inflight: Option<u16>,

    /// Messages that wait for one client; further ones are dropped [default: 1000000]
    #[arg(long, value_name = "COUNT", value_parser = value::clients)]
    max_queued_messages: Option<u32>,

    /// Bytes that wait for one client, its will and its names; further messages are dropped [default: 128Mi]
    #[arg(long, value_name = "SIZE", value_parser = value::size)]
    max_queued_bytes: Option<u64>,

    /// Memory limit for all data of clients; messages may take three quarters of it [default: 512Mi]
    ///
    /// That is messages that wait or are retained, what clients have sent in part or not read yet, sessions,
    /// subscriptions and connections. Over it, messages to slow clients are dropped, a client that does not read its
    /// answers is closed, and other clients, messages and subscriptions are refused with Quota exceeded (0x97).
    #[arg(long, value_name = "SIZE", value_parser = value::size)]
    max_total_bytes: Option<u64>,

    /// Bytes of retained messages; a further one is refused with Quota exceeded [default: 256Mi]
    #[arg(long, value_name = "SIZE", value_parser = value::size)]
    max_retained_bytes: Option<u64>,

    /// Retained messages; a further one is refused with Quota exceeded [default: 1000000]
    #[arg(long, value_name = "COUNT", value_parser = value::clients)]
    max_retained_messages: Option<u32>,

    /// Sessions kept, those of connected clients included; a further client is refused with Quota exceeded [default:
    /// 100000]
    #[arg(long, value_name = "COUNT", value_parser = value::clients)]
    max_sessions: Option<u32>,

    /// Subscriptions of one client; a further one is refused with Quota exceeded [default: 10000]
    #[arg(long, value_name = "COUNT", value_parser = value::clients)]
    max_subscriptions: Option<u32>,

    /// Longest Keep Alive; MQTT 5 clients are told, MQTT 3.x clients with a longer one are refused [default: no
    /// limit]
    #[arg(long, value_name = "DURATION", value_parser = value::keep_alive)]
    max_keepalive: Option<u16>,

    /// Messages a second from one client, on average; the broker stops reading from a client that sends more
    /// [default: no limit]
    #[arg(long, value_name = "COUNT", value_parser = value::clients)]
    max_message_rate: Option<u32>,

    /// How long publishers wait for a connected subscriber that reads nothing, before its messages are
    /// dropped [default: 5s]
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    slow_consumer_wait: Option<Duration>,
}

impl LimitArgs {
    pub(super) fn resolve(&self) -> Limits {
        let default = Limits::default();
        let count = |given: Option<u32>, default: usize| given.map_or(default, |number| number as usize);
        let bytes = |given: Option<u64>, default: usize| {
            given.map_or(default, |number| usize::try_from(number).unwrap_or(usize::MAX))
        };
        let total_bytes = bytes(self.max_total_bytes, default.total_bytes);
        Limits {
            connections: count(self.max_connections, default.connections),
            maximum_packet_size: self.max_packet_size.unwrap_or(default.maximum_packet_size),
            in_flight: self.max_inflight.unwrap_or(default.in_flight),
            receive_maximum: self.max_inflight.unwrap_or(default.receive_maximum),
            queue_messages: count(self.max_queued_messages, default.queue_messages),
            session_bytes: bytes(self.max_queued_bytes, default.session_bytes),
            // Incomplete packets and waiting CONNECTs have a share of it.
            partial_bytes: default.partial_bytes.min(total_bytes / 4),
            all_sessions_bytes: total_bytes,
            total_bytes,
            sessions: count(self.max_sessions, default.sessions),
            retained_messages: count(self.max_retained_messages, default.retained_messages),
            retained_bytes: bytes(self.max_retained_bytes, default.retained_bytes),
            subscriptions: count(self.max_subscriptions, default.subscriptions),
            maximum_keep_alive: self.max_keepalive.filter(|seconds| *seconds > 0),
            message_rate: self.max_message_rate,
            patience: self.slow_consumer_wait.unwrap_or(default.patience),
            ..default
        }
    }
}
