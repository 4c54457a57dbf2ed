//! What was asked for, as the report holds it: all that shapes the load, so that it can be put on
//! again. Users, passwords and keys are not in it: reports are shown to others.

use serde::Serialize;

use super::config::{Arrivals, Load, Mode, Pattern, Payload, Rate, Stop};

#[derive(Debug, Clone, Serialize)]
pub(super) struct Configuration {
    pub(super) broker: String,
    /// `tcp`, `tls`, `ws`, `wss` or `unix`.
    pub(super) transport: &'static str,
    pub(super) protocol: String,
    pub(super) proxy: bool,
    pub(super) embedded: bool,
    /// Empty: the server assigned one.
    pub(super) client_id: String,
    pub(super) clean_start: bool,
    pub(super) session_expiry_s: Option<u32>,
    pub(super) max_packet_bytes: u32,
    /// Of connections that do nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) clients: Option<u32>,
    #[serde(flatten)]
    pub(super) sending: Option<Sending>,
    #[serde(flatten)]
    pub(super) receiving: Option<Receiving>,
    #[serde(flatten)]
    pub(super) messages: Option<Messages>,
    pub(super) duration_s: Option<f64>,
    pub(super) count: Option<u64>,
    pub(super) ramp_per_s: Option<f64>,
    pub(super) keep_alive_s: u16,
    pub(super) connect_timeout_s: f64,
    pub(super) credentials: Option<String>,
    pub(super) local_addresses: Vec<String>,
    pub(super) threads: usize,
    pub(super) seed: u64,
}

/// What only a load with messages of its own has.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Sending {
    pub(super) publishers: u32,
    /// Messages a second; null in the closed loop.
    pub(super) rate_per_s: Option<f64>,
    pub(super) arrivals: String,
    pub(super) jitter_s: f64,
    pub(super) inflight: u16,
    /// Most QoS 0 messages in a write of the closed loop; null for as many as fit.
    pub(super) per_write: Option<u32>,
    /// `size`, `template` or `file`.
    pub(super) payload: &'static str,
    pub(super) payload_text: Option<String>,
    pub(super) payload_file: Option<String>,
    /// With the stamp; of a template, before it is filled in.
    pub(super) payload_bytes: usize,
    pub(super) topics: u32,
    pub(super) drain_s: f64,
}

/// What only a load with subscribers has.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Receiving {
    pub(super) subscribers: u32,
    pub(super) pattern: &'static str,
    pub(super) shared_groups: u32,
}

/// What only a load with messages has, of whomever they are.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Messages {
    pub(super) topic: String,
    pub(super) qos: u8,
    pub(super) warmup_s: f64,
}

impl Configuration {
    pub(super) fn of(load: &Load, broker: String, protocol: String, payload_bytes: usize) -> Self {
        let client = &load.client;
        Self {
            broker,
            transport: client.transport_name(),
            protocol,
            proxy: client.endpoint.proxy.is_some(),
            embedded: load.embedded.is_some(),
            client_id: client.client_identifier.clone(),
            clean_start: client.clean_start,
            session_expiry_s: client.session_expiry_interval,
            max_packet_bytes: client.max_packet_bytes,
            clients: (load.mode == Mode::Connect).then_some(load.publishers),
            sending: load.mode.publishes().then(|| Sending::of(load, payload_bytes)),
            receiving: matches!(load.mode, Mode::Subscribe | Mode::EndToEnd | Mode::Request).then(|| {
                Receiving {
                    subscribers: load.subscribers,
                    pattern: match load.pattern {
                        Pattern::Pairs => "pairs",
                        Pattern::All => "all",
                    },
                    shared_groups: load.shared_groups,
                }
            }),
            messages: (load.mode != Mode::Connect).then(|| Messages {
                topic: load.topic.clone(),
                qos: load.qos as u8,
                warmup_s: load.warmup.as_secs_f64(),
            }),
            duration_s: match load.stop {
                Stop::After(duration) => Some(duration.as_secs_f64()),
                Stop::Count(_) => None,
            },
            count: match load.stop {
                Stop::After(_) => None,
                Stop::Count(count) => Some(count),
            },
            ramp_per_s: load.ramp,
            keep_alive_s: client.keep_alive,
            connect_timeout_s: client.connect_timeout.as_secs_f64(),
            credentials: load.credentials.as_ref().map(|path| path.display().to_string()),
            local_addresses: load.local_addresses.iter().map(ToString::to_string).collect(),
            threads: load.threads,
            seed: load.seed,
        }
    }
}

impl Sending {
    fn of(load: &Load, payload_bytes: usize) -> Self {
        Self {
            publishers: load.publishers,
            rate_per_s: match load.rate {
                Rate::PerSecond(rate) => Some(rate),
                Rate::Max => None,
            },
            arrivals: match load.arrivals {
                Arrivals::Uniform => "uniform".into(),
                Arrivals::Poisson => "poisson".into(),
                Arrivals::Burst(size) => format!("burst:{size}"),
            },
            jitter_s: load.jitter.as_secs_f64(),
            inflight: load.client.max_inflight,
            per_write: Some(load.per_write).filter(|most| *most < u32::MAX),
            payload_text: match &load.payload {
                Payload::Template(text) => Some(String::from_utf8_lossy(text).into_owned()),
                Payload::Size(_) | Payload::File(_) => None,
            },
            payload_file: match &load.payload {
                Payload::File(path) => Some(path.display().to_string()),
                Payload::Size(_) | Payload::Template(_) => None,
            },
            payload: match load.payload {
                Payload::Size(_) => "size",
                Payload::Template(_) => "template",
                Payload::File(_) => "file",
            },
            payload_bytes,
            topics: load.topics,
            drain_s: load.drain.as_secs_f64(),
        }
    }
}
