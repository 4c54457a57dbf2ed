//! Connection slots of each listener: a flood of connections on one listener leaves others their turn and
//! some slots.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll};

use super::listener::{Arrived, Listener, OpenListener};

/// Slots reserved for each listener, if there are several.
const OWN_PLACES: usize = 64;
/// Number of connections above the limit that a listener accepts in order to refuse them with a Reason Code.
const REFUSABLE: usize = 16;

/// The slot of a connection. It is free when this value is dropped.
#[derive(Debug, Default, Clone)]
pub(super) struct ListenerPlace {
    _counted: Arc<()>,
    /// The connection exceeds the limit and must be refused.
    pub(super) is_over: bool,
}

/// The open listeners.
pub(super) struct Listeners {
    open: Vec<OpenListener>,
    /// One per listener: its connections hold copies, which are counted.
    taken: Vec<Arc<()>>,
    /// The listener to start with.
    next: usize,
    /// Maximum number of connections of all listeners together.
    limit: usize,
}

impl Listeners {
    pub(super) fn new(open: Vec<OpenListener>, limit: usize) -> Self {
        let mut listeners = Self { open: Vec::new(), taken: Vec::new(), next: 0, limit };
        listeners.extend(open);
        listeners
    }

    pub(super) fn len(&self) -> usize {
        self.open.len()
    }

    pub(super) fn extend(&mut self, more: Vec<OpenListener>) {
        self.taken.extend(more.iter().map(|_| Arc::default()));
        self.open.extend(more);
    }

    /// Closes all listeners.
    pub(super) fn clear(&mut self) {
        self.open.clear();
        self.taken.clear();
    }

    /// The number of connections of one listener.
    fn connections(&self, at: usize) -> usize {
        self.taken.get(at).map_or(0, |taken| Arc::strong_count(taken) - 1)
    }

    /// The current limit on one listener's connections.
    fn share(&self, at: usize) -> usize {
        let own = OWN_PLACES.min(self.limit / self.open.len().max(1));
        let others = (0..self.open.len()).filter(|other| *other != at);
        // Another listener's connections above its own limit are being refused.
        let most = self.limit.saturating_sub(own * (self.open.len().max(1) - 1));
        let taken: usize = others.map(|other| self.connections(other).max(own).min(most)).sum();
        self.limit.saturating_sub(taken)
    }

    /// The next connection, its listener, and its slot.
    pub(super) fn poll_accept(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<(Arrived, Arc<Listener>, ListenerPlace)>> {
        let count = self.open.len();
        for step in 0..count {
            let at = (self.next + step) % count;
            let (share, connections) = (self.share(at), self.connections(at));
            if connections >= share + REFUSABLE {
                continue;
            }
            if let Poll::Ready(accepted) = self.open[at].poll_accept(cx) {
                self.next = at + 1;
                let listener = Arc::clone(&self.open[at].listener);
                let place =
                    ListenerPlace { _counted: Arc::clone(&self.taken[at]), is_over: connections >= share };
                return Poll::Ready(accepted.map(|arrived| (arrived, listener, place)));
            }
        }
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::net::TcpStream;

    use super::*;

    #[allow(clippy::unused_async, reason = "listeners are opened inside a runtime")]
    async fn listeners(count: usize, limit: usize) -> Listeners {
        let open = (0..count).map(|_| OpenListener::open(&Listener::default()).unwrap());
        Listeners::new(open.collect(), limit)
    }

    /// Opens connections that wait at a listener.
    async fn connect(listeners: &Listeners, at: usize, count: usize) -> Vec<TcpStream> {
        let mut streams = Vec::new();
        for _ in 0..count {
            let address = listeners.open[at].listener.address().unwrap();
            streams.push(TcpStream::connect(address).await.unwrap());
        }
        streams
    }

    async fn accept(listeners: &mut Listeners) -> (usize, ListenerPlace) {
        let (_, listener, place) = poll_fn(|cx| listeners.poll_accept(cx)).await.unwrap();
        let at = listeners.open.iter().position(|open| open.listener == listener).unwrap();
        (at, place)
    }

    #[tokio::test]
    async fn listeners_accept_in_turn() {
        let mut listeners = listeners(3, 1000).await;
        let _first = connect(&listeners, 0, 10).await;
        let _last = connect(&listeners, 2, 3).await;
        let mut order = Vec::new();
        for _ in 0..8 {
            order.push(accept(&mut listeners).await.0);
        }
        assert_eq!(order, [0, 2, 0, 2, 0, 2, 0, 0]);
    }

    #[tokio::test]
    async fn flood_on_one_listener_leaves_places_to_the_other() {
        let mut listeners = listeners(2, 20).await;
        let _flood = connect(&listeners, 0, 50).await;
        let mut places = Vec::new();
        for _ in 0..10 + REFUSABLE {
            places.push(accept(&mut listeners).await);
        }
        assert!(places.iter().all(|(at, _)| *at == 0));
        assert_eq!(places.iter().filter(|(_, place)| place.is_over).count(), REFUSABLE);
        // The flood waits, and the other listener has its slots.
        let _other = connect(&listeners, 1, 3).await;
        for _ in 0..3 {
            let (at, place) = accept(&mut listeners).await;
            assert_eq!((at, place.is_over), (1, false));
            places.push((at, place));
        }
        // A freed slot is used again.
        places.remove(0);
        assert_eq!(accept(&mut listeners).await.0, 0);
    }
}
