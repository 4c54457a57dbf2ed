//! Makes one connection after the other in the same memory: what a connection needs while it is being
//! made is several times what it needs afterwards, and thousands are made.

use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio_util::sync::ReusableBoxFuture;

use crate::client::options::ClientOptions;
use crate::client::{self, Opened};
use crate::error::Error;
use crate::protocol::Protocol;

/// Whom to connect: the options, and the client identifier.
pub(super) type Order = (Arc<ClientOptions>, String);

/// One connection at a time.
pub(super) struct Dialer(ReusableBoxFuture<'static, Result<Opened, Error>>);

impl Dialer {
    /// Connects this client, once it is polled.
    pub(super) fn new(order: Order, protocol: Protocol) -> Self {
        Self(ReusableBoxFuture::new(connect(order, protocol)))
    }

    /// Connects this client next. To be called when the last is connected.
    pub(super) fn start(&mut self, order: Order, protocol: Protocol) {
        self.0.set(connect(order, protocol));
    }

    /// The connection, when it is there.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Opened, Error>> {
        self.0.poll(cx)
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialer").finish_non_exhaustive()
    }
}

async fn connect((options, identifier): Order, protocol: Protocol) -> Result<Opened, Error> {
    client::open(&options, &identifier, protocol).await
}
