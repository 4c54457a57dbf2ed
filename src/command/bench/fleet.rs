//! What all threads know of the load: who the clients are, what each connects with and when.

use std::net::IpAddr;
use std::sync::Arc;

use super::client::Role;
use super::config::{Load, Rate, Stop};
use super::credentials::Credentials;
use super::pacer::share;
use super::plan::Plan;
use crate::client::options::ClientOptions;
use crate::protocol::Protocol;

/// What all threads know.
#[derive(Debug)]
pub(super) struct Fleet {
    pub(super) load: Load,
    pub(super) plan: Arc<Plan>,
    pub(super) protocol: Protocol,
    pub(super) run: u32,
    pub(super) threads: u32,
    pub(super) credentials: Option<Credentials>,
    /// What clients connect with, one for each local address.
    pub(super) options: Vec<Arc<ClientOptions>>,
    /// When the run began: the connections' ramp and the series count from here.
    pub(super) began: u64,
}

impl Fleet {
    /// A thread's part of the messages of the closed loop, if they are counted; a schedule counts
    /// its own.
    pub(super) fn quota(&self, thread: u32) -> u64 {
        let (Stop::Count(count), Rate::Max) = (self.load.stop, self.load.rate) else { return u64::MAX };
        let publishers = self.load.publishers;
        let before: u32 = (0..thread).map(|earlier| share(publishers, earlier, self.threads)).sum();
        let own = share(publishers, thread, self.threads);
        let up_to = |part: u32| {
            let part = u128::from(count) * u128::from(part) / u128::from(publishers.max(1));
            u64::try_from(part).unwrap_or(u64::MAX)
        };
        up_to(before + own) - up_to(before)
    }

    /// When a client is to connect.
    pub(super) fn connect_time(&self, number: u32) -> u64 {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "neither negative nor too long"
        )]
        let delay = self.load.ramp.map_or(0, |rate| (f64::from(number) / rate * 1e9) as u64);
        self.began + delay
    }

    /// What clients connect with who have no credentials of their own, one for each local address.
    pub(super) fn options(load: &Load, run: u32) -> Vec<Arc<ClientOptions>> {
        let mut options = load.client.clone();
        if options.client_identifier.is_empty() {
            options.client_identifier = format!("bench-{run:08x}");
        }
        if load.local_addresses.is_empty() {
            return vec![Arc::new(options)];
        }
        let from = |address: &IpAddr| {
            let mut options = options.clone();
            options.endpoint.bind = Some(*address);
            Arc::new(options)
        };
        load.local_addresses.iter().map(from).collect()
    }

    /// What a client connects with, and its client identifier.
    pub(super) fn options_of(&self, number: u32, role: Role) -> (Arc<ClientOptions>, String) {
        let options = &self.options[number as usize % self.options.len()];
        let (kind, own) = match role {
            Role::Idle => ("", number),
            Role::Publisher(n) => ("p", n),
            Role::Subscriber(n) => ("s", n),
        };
        let mut digits = itoa::Buffer::new();
        let identifier = [&options.client_identifier, "-", kind, digits.format(own)].concat();
        let Some(credentials) = &self.credentials else { return (Arc::clone(options), identifier) };
        let mut own = ClientOptions { client_identifier: identifier, ..ClientOptions::clone(options) };
        credentials.apply(number, &mut own);
        let identifier = own.client_identifier.clone();
        (Arc::new(own), identifier)
    }
}
