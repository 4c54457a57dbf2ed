//! Makes one connection after the other in the same memory: what a connection needs while it is being
//! made is several times what it needs afterwards, and thousands are made.

use std::convert::Infallible;
use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use crate::client::options::ClientOptions;
use crate::client::{self, Opened};
use crate::error::Error;
use crate::protocol::Protocol;

/// Whom to connect: the options, and the client identifier.
pub(super) type Order = (Arc<ClientOptions>, String);

/// What goes between a dialer and its work.
#[derive(Debug, Default)]
struct Desk {
    order: Option<Order>,
    outcome: Option<Result<Opened, Error>>,
}

/// One connection at a time.
pub(super) struct Dialer {
    /// Only ever locked by the one thread that the dialer belongs to, and so never waited for.
    desk: Arc<Mutex<Desk>>,
    work: Pin<Box<dyn Future<Output = Infallible> + Send>>,
}

impl Dialer {
    pub(super) fn new(protocol: Protocol) -> Self {
        let desk = Arc::new(Mutex::new(Desk::default()));
        let work = Box::pin(work(Arc::clone(&desk), protocol));
        Self { desk, work }
    }

    /// Begins to connect this client, once it is polled. To be called when the last is connected.
    pub(super) fn start(&mut self, order: Order) {
        lock(&self.desk).order = Some(order);
    }

    /// The connection, when it is there.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Opened, Error>> {
        match self.work.as_mut().poll(cx) {
            Poll::Ready(never) => match never {},
            Poll::Pending => lock(&self.desk).outcome.take().map_or(Poll::Pending, Poll::Ready),
        }
    }
}

impl fmt::Debug for Dialer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dialer").field("desk", &self.desk).finish_non_exhaustive()
    }
}

fn lock(desk: &Mutex<Desk>) -> std::sync::MutexGuard<'_, Desk> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One order after the other.
async fn work(desk: Arc<Mutex<Desk>>, protocol: Protocol) -> Infallible {
    loop {
        let order = poll_fn(|_| lock(&desk).order.take().map_or(Poll::Pending, Poll::Ready));
        let (options, identifier) = order.await;
        let outcome = client::open(&options, &identifier, protocol).await;
        lock(&desk).outcome = Some(outcome);
    }
}
