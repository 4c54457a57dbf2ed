//! The first connection of a run, which shows whether the broker takes its load.

use std::future::poll_fn;
use std::net::IpAddr;
use std::task::{Context, Poll};

use super::engine::fleet::Material;
use super::group::ClientGroup;
use crate::client::options::ClientOptions;
use crate::client::{self, Opened};
use crate::error::Error;
use crate::protocol::Protocol;

/// Makes one connection, to know that there is a broker, at which address, which version of the
/// protocol it speaks, and that it takes the load's messages: the version, and the broker by name.
pub(super) async fn probe(
    options: &mut ClientOptions,
    local_address: Option<IpAddr>,
    resumes_tls: bool,
    group: Option<(&ClientGroup, &Material)>,
    check: impl FnOnce(&Opened) -> Result<(), Error>,
) -> Result<(Protocol, String), Error> {
    options.settle(|_| ()).await?; // bench has no --wait-for-server
    if !resumes_tls {
        options.forget_tls_sessions(); // each client pays for a full handshake, and so does the server
    }
    let broker = options.endpoint.address.to_string();
    let mut first = options.clone();
    if let Some((group, _)) = group {
        group.adjust(&mut first);
    }
    // Its end is no loss, and its session is of no use.
    let (clean_start, expiry) = (options.clean_start, options.session_expiry_interval);
    (first.will, first.clean_start, first.session_expiry_interval) = (None, clean_start, expiry);
    first.endpoint.bind = local_address.or(first.endpoint.bind);
    if first.client_identifier.is_empty() {
        first.client_identifier = format!("bench-{:08x}", fastrand::u32(..));
    }
    let credentials = group.and_then(|(_, material)| material.credentials.as_ref());
    if let Some(credentials) = credentials {
        credentials.apply(0, &mut first);
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
    goodbye(opened).await;
    checked?;
    Ok((protocol, broker))
}

/// Disconnects in good order.
async fn goodbye(mut opened: Opened) {
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
