//! The first connection of a run, which shows whether the broker supports its load.

use std::future::poll_fn;
use std::net::IpAddr;
use std::task::{Context, Poll};

use super::config::Load;
use super::engine::fleet::Material;
use super::group::ClientGroup;
use super::topology::GroupPlan;
use crate::client::options::ClientOptions;
use crate::client::{self, Opened};
use crate::error::Error;
use crate::protocol::Protocol;

/// The client for the first connection.
pub(super) struct FirstClient<'a> {
    group: Option<(&'a ClientGroup, &'a Material)>,
    /// The line of its credentials, from 0.
    line: u32,
    local_address: Option<IpAddr>,
    /// Appended to its client identifier, if other processes connect as well.
    suffix: String,
}

impl<'a> FirstClient<'a> {
    /// The first client of this process.
    pub(super) fn of(
        load: &Load,
        groups: &'a [ClientGroup],
        plans: &[GroupPlan],
        materials: &'a [Material],
    ) -> Self {
        let all = groups.iter().zip(materials).zip(plans);
        let first = all.clone().find(|(_, plan)| load.own_clients_of(plan) > 0);
        let number = load.shard_number();
        let line = first.map_or(0, |((group, _), plan)| {
            number + if group.credentials.is_some() { 0 } else { plan.first }
        });
        Self {
            group: first.map(|(group, _)| group),
            line,
            local_address: load.own_addresses(&load.local_addresses).first().copied(),
            suffix: load.shard.as_ref().map_or_else(String::new, |shard| format!("-x{}", shard.number)),
        }
    }
}

/// Makes one connection, to check the broker's address, its protocol version, and whether it supports the
/// load's messages. Returns the version and the name of the broker.
pub(super) async fn probe(
    options: &mut ClientOptions,
    resumes_tls: bool,
    FirstClient { group, line, local_address, suffix }: FirstClient<'_>,
    check: impl FnOnce(&Opened) -> Result<(), Error>,
) -> Result<(Protocol, String), Error> {
    options.settle(|_| ()).await?; // bench has no --wait-for-server
    if !resumes_tls {
        options.forget_tls_sessions(); // so that each client makes a full handshake
    }
    let broker = options.endpoint.address.to_string();
    let mut first = options.clone();
    if let Some((group, _)) = group {
        group.adjust(&mut first);
    }
    // Its end must not publish a will, and its session is not needed.
    let (clean_start, expiry) = (options.clean_start, options.session_expiry_interval);
    (first.will, first.clean_start, first.session_expiry_interval) = (None, clean_start, expiry);
    first.endpoint.bind = local_address.or(first.endpoint.bind);
    if first.client_identifier.is_empty() {
        first.client_identifier = format!("bench-{:08x}", fastrand::u32(..));
    } else {
        first.client_identifier += &suffix;
    }
    let credentials = group.and_then(|(_, material)| material.credentials.as_ref());
    if let Some(credentials) = credentials {
        credentials.apply(line, &mut first);
    }
    let opened = client::open_first(&first, &first.client_identifier).await;
    let mut opened = match opened {
        Ok(opened) => opened,
        Err(error @ Error::Refused { .. }) if credentials.is_some() => {
            return Err(
                error.with_hint("the first line of --credentials was used, as the first client uses it")
            );
        }
        Err(error) => return Err(error),
    };
    options.aim_at(&mut opened);
    let (checked, protocol) = (check(&opened), opened.connected.protocol);
    send_disconnect(opened).await;
    checked?;
    Ok((protocol, broker))
}

/// Sends DISCONNECT.
async fn send_disconnect(mut opened: Opened) {
    struct Nothing;
    impl client::handler::Handler for Nothing {
        fn poll_fill(
            &mut self,
            _: &mut Context<'_>,
            _: &mut client::session::Session,
            _: &mut bytes::BytesMut,
        ) -> Poll<Result<(), Error>> {
            Poll::Ready(Ok(()))
        }
        fn on_event(&mut self, _: client::session::Event<'_>) -> Result<client::handler::Flow, Error> {
            Ok(client::handler::Flow::Continue)
        }
    }
    let _ = poll_fn(|cx| opened.link.poll(cx, &mut opened.session, &mut Nothing)).await;
}
