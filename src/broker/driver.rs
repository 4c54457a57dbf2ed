//! The broker's main task: accepts connections, calls the core at its deadlines, and shuts down.
//!
//! There is one task per connection, and the core is behind one lock. On a current-thread runtime, as used by
//! the command, the lock is never contended, and it lets the same code run on any runtime. Reading and
//! writing happen under the lock, so that packets go from the socket through the core into output buffers
//! without a copy, a channel or an allocation.

use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinSet;

use super::arrival::{self, Layers};
use super::comparison::{self, PasswordThread};
use super::connection::ConnectionTask;
use super::core::{ConnectionId, Core};
use super::interruption::Interruption;
use super::journal::{ClientOrigin, EventKind};
use super::listener::{Arrived, Listener, OpenListener};
use super::options::Options;
use super::places::{ListenerPlace, Listeners};
use super::stream::ByteStream;

/// The pause after a failed `accept`: without free file descriptors it would fail again at once.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The pause before listeners are opened again.
const REOPEN_PAUSE: Duration = Duration::from_millis(10);

/// State shared by the tasks of one broker.
pub(super) struct SharedBroker {
    inner: Mutex<Inner>,
    /// Notified when an earlier deadline is set.
    deadline: Notify,
    /// The thread that compares passwords, once it is started.
    comparison: OnceLock<PasswordThread>,
}

pub(super) struct Inner {
    pub(super) core: Core,
    /// The wakers of the connections' tasks, by connection number.
    wakers: Vec<Option<Waker>>,
    /// Whether a simulated stall stops reading and writing.
    pub(super) stalled: bool,
}

impl Inner {
    /// Sets the waker of a connection's task.
    pub(super) fn set_waker(&mut self, id: ConnectionId, waker: &Waker) {
        let index = id.index();
        if index >= self.wakers.len() {
            self.wakers.resize(index + 1, None);
        }
        match &mut self.wakers[index] {
            Some(known) if known.will_wake(waker) => {}
            place => *place = Some(waker.clone()),
        }
    }

    pub(super) fn clear_waker(&mut self, id: ConnectionId) {
        if let Some(place) = self.wakers.get_mut(id.index()) {
            *place = None;
        }
    }

    /// Wakes the connections that have work, except `own`, which is running.
    pub(super) fn wake(&mut self, own: Option<ConnectionId>) {
        while let Some(id) = self.core.take_changed() {
            if Some(id) != own
                && let Some(Some(waker)) = self.wakers.get(id.index())
            {
                waker.wake_by_ref();
            }
        }
    }
}

impl SharedBroker {
    pub(super) fn new(options: Options) -> Self {
        let inner = Inner { core: Core::new(options), wakers: Vec::new(), stalled: false };
        Self { inner: Mutex::new(inner), deadline: Notify::new(), comparison: OnceLock::new() }
    }

    /// The core. It is usable after a panic elsewhere, because every call leaves it consistent.
    pub(super) fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls the core outside a connection's task, and wakes the affected tasks.
    pub(super) fn with<T>(&self, now: Instant, call: impl FnOnce(&mut Core, Instant) -> T) -> T {
        let mut inner = self.lock();
        let result = call(&mut inner.core, now);
        inner.wake(None);
        self.note_deadline(&mut inner.core);
        result
    }

    /// Starts or ends a simulated stall.
    fn set_stalled(&self, stalled: bool) {
        let mut inner = self.lock();
        inner.stalled = stalled;
        if !stalled {
            inner.core.forgive_silence(now());
            inner.wakers.iter().flatten().for_each(Waker::wake_by_ref);
        }
    }

    /// Has waiting passwords compared.
    pub(super) fn compare_passwords(self: &Arc<Self>, core: &mut Core) {
        while let Some(check) = core.take_check() {
            let shared = Arc::downgrade(self);
            let comparison = self.comparison.get_or_init(|| {
                comparison::start(move |check, is_right| {
                    if let Some(shared) = shared.upgrade() {
                        shared.with(now(), |core, now| core.checked(check, is_right, now));
                    }
                })
            });
            comparison.send(check);
        }
    }

    /// The same outside a connection's task.
    pub(super) fn compare_waiting_passwords(self: &Arc<Self>) {
        let mut inner = self.lock();
        self.compare_passwords(&mut inner.core);
    }

    /// Notifies the main task if its sleep is too long.
    pub(super) fn note_deadline(&self, core: &mut Core) {
        if core.take_earlier_deadline() {
            self.deadline.notify_one();
        }
    }
}

pub(super) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// Runs a broker until `stopped`, then until the last connection has ended. Dropping this future ends
/// everything at once: the connections' tasks belong to it.
pub(super) async fn run(
    listeners: Vec<OpenListener>,
    shared: Arc<SharedBroker>,
    mut attached: mpsc::UnboundedReceiver<Box<dyn ByteStream>>,
    mut stopped: oneshot::Receiver<()>,
) {
    let mut connections = JoinSet::new();
    let (tls, faults, limit) = {
        let inner = shared.lock();
        let options = inner.core.options();
        (options.tls.clone(), options.faults.clone(), options.limits.connections)
    };
    let places: Vec<Listener> = listeners.iter().map(|open| Listener::clone(&open.listener)).collect();
    let mut listeners = Listeners::new(listeners, limit);
    let mut is_ending = false;
    let mut stall = Interruption::new(faults.stall, now());
    let mut down = Interruption::new(faults.down, now());
    let mut accept_again = None;
    loop {
        let deadline = shared.lock().core.next_deadline().filter(|_| !stall.is_on());
        let interruption = [stall.next(), down.next()].into_iter().flatten().min();
        tokio::select! {
            accepted = accept(&mut listeners, accept_again), if !stall.is_on() => match accepted {
                Ok((arrived, listener, place)) => {
                    accept_again = None;
                    if !shared.lock().core.has_room_for_connection() {
                        // There is no memory to refuse it with a Reason Code.
                        continue;
                    }
                    let layers = Layers {
                        tls: tls.clone().filter(|_| listener.tls),
                        web_socket: listener.web_socket,
                    };
                    let origin = origin(&arrived, &listener, &shared);
                    welcome(&mut connections, arrived, layers, (origin, place), &shared);
                }
                Err(_) => accept_again = Some(tokio::time::Instant::now() + ACCEPT_PAUSE),
            },
            Some(stream) = attached.recv() => {
                let origin = unknown_origin(&shared);
                connections.spawn(ConnectionTask::new(stream, origin, ListenerPlace::default(), Arc::clone(&shared)));
            }
            () = until(deadline) => shared.with(now(), Core::advance),
            () = shared.deadline.notified() => {}
            () = until(interruption), if !is_ending => {
                if stall.turns(now()) {
                    tell_interruption(&shared, false, stall.is_on());
                    shared.set_stalled(stall.is_on());
                }
                if down.turns(now()) {
                    tell_interruption(&shared, true, down.is_on());
                    if down.is_on() {
                        listeners.clear();
                        shared.with(now(), Core::cut_all);
                    }
                }
            }
            () = tokio::time::sleep(REOPEN_PAUSE), if !is_ending && !down.is_on() && listeners.len() < places.len() => {
                // If another program took an address in the meantime, it is tried again.
                let missing = &places[listeners.len()..];
                let opened: Vec<_> = missing.iter().map_while(|place| OpenListener::open(place).ok()).collect();
                listeners.extend(opened);
            }
            Some(_) = connections.join_next() => {
                if is_ending && connections.is_empty() {
                    return;
                }
            }
            _ = &mut stopped, if !is_ending => {
                is_ending = true;
                listeners.clear();
                attached.close();
                if stall.is_on() {
                    stall = Interruption::new(None, now());
                    shared.set_stalled(false);
                }
                shared.with(now(), Core::shut_down);
                if connections.is_empty() {
                    return;
                }
            }
        }
    }
}

/// Reports the beginning or end of a simulated stall or downtime to the observer.
fn tell_interruption(shared: &SharedBroker, is_down: bool, begins: bool) {
    shared.lock().core.tell_of(None, None, EventKind::Interrupted { is_down, begins });
}

/// Serves a connection in its own task.
fn welcome(
    connections: &mut JoinSet<()>,
    arrived: Arrived,
    layers: Layers,
    (origin, place): (Option<Box<ClientOrigin>>, ListenerPlace),
    shared: &Arc<SharedBroker>,
) {
    if let Arrived::Tcp(stream) = &arrived {
        // Without this an acknowledgement may be delayed until the next. An error means that the socket is
        // closed.
        let _ = stream.set_nodelay(true);
    }
    match arrived {
        // The most common case avoids a box and dynamic calls.
        Arrived::Tcp(stream) if layers.are_none() => {
            connections.spawn(ConnectionTask::new(stream, origin, place, Arc::clone(shared)));
        }
        arrived => {
            connections.spawn(arrival::serve(arrived, layers, origin, place, Arc::clone(shared)));
        }
    }
}

/// Reports a new connection to the observer, if there is one.
fn origin(arrived: &Arrived, listener: &Arc<Listener>, shared: &SharedBroker) -> Option<Box<ClientOrigin>> {
    let mut inner = shared.lock();
    if !inner.core.is_watched() {
        return None;
    }
    let peer = match arrived {
        // A closed socket has no peer address.
        Arrived::Tcp(stream) => stream.peer_addr().ok(),
        Arrived::Unix(_) => None,
    };
    Some(Box::new(inner.core.arrived(ClientOrigin { number: 0, peer, listener: Some(Arc::clone(listener)) })))
}

/// The same for a stream inside this process.
fn unknown_origin(shared: &SharedBroker) -> Option<Box<ClientOrigin>> {
    let mut inner = shared.lock();
    let is_watched = inner.core.is_watched();
    is_watched.then(|| Box::new(inner.core.arrived(ClientOrigin { number: 0, peer: None, listener: None })))
}

/// The next connection, its listener, and its slot.
async fn accept(
    listeners: &mut Listeners,
    not_before: Option<tokio::time::Instant>,
) -> std::io::Result<(Arrived, Arc<Listener>, ListenerPlace)> {
    if let Some(at) = not_before {
        tokio::time::sleep_until(at).await;
    }
    poll_fn(|cx| listeners.poll_accept(cx)).await
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}
