//! An embedded broker for development and tests. It supports MQTT 3.1, 3.1.1 and 5 on one port and keeps all
//! state in memory; a process can run several.
//!
//! `core` has the rules of the standard, without a network; `driver` and `connection` have the network,
//! without rules; `listener`, `arrival` and `websocket` have the layers below MQTT. It is not a broker for
//! production: it has no persistence, and it pauses publishers rather than lose a message.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! use mqtt::broker::{Broker, Options};
//!
//! let broker = Broker::start(Options::default())?;
//! assert_ne!(broker.address().map_or(0, |address| address.port()), 0);
//! broker.shutdown().await;
//! # Ok::<(), mqtt::error::Error>(())
//! # }).unwrap();
//! ```

mod access;
mod arrival;
mod comparison;
mod connection;
mod core;
mod driver;
mod faults;
mod frames;
mod interruption;
mod journal;
mod listener;
mod options;
mod pace;
mod places;
mod sink;
mod statistics;
mod stream;
mod websocket;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

pub use self::access::{Access, BadLine};
use crate::error::Error;
pub use crate::net::{ServerTls, ThrowAway};
use driver::SharedBroker;
pub use faults::{Cut, Faults, Interval, RefusedTopics, Share, Withheld};
pub use journal::{BrokerEvent, ClientOrigin, DropCause, EventKind, Journal, Leaving};
use listener::OpenListener;
pub use listener::{Bind, Listener};
pub use options::{Feature, Limits, Options};
pub use sink::Sink;
pub use statistics::Statistics;
pub use stream::ByteStream;

/// A running broker. Dropping it ends it at once, like a crash: every connection is closed without
/// DISCONNECT. [`Broker::shutdown`] sends DISCONNECT first.
pub struct Broker {
    listeners: Vec<Listener>,
    shared: Arc<SharedBroker>,
    attach: mpsc::UnboundedSender<Box<dyn ByteStream>>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Broker {
    /// Starts a broker on the current tokio runtime; it runs until it is dropped or shut down.
    ///
    /// # Errors
    /// A listener cannot be opened, or uses TLS without a certificate.
    pub fn start(options: Options) -> Result<Self, Error> {
        if options.tls.is_none() && options.listeners.iter().any(|listener| listener.tls) {
            return Err(Error::usage("a listener with TLS needs a certificate"));
        }
        let opened = options.listeners.iter().map(OpenListener::open).collect::<Result<Vec<_>, _>>()?;
        let listeners = opened.iter().map(|open| Listener::clone(&open.listener)).collect();
        let shared = Arc::new(SharedBroker::new(options));
        let (attach, attached) = mpsc::unbounded_channel();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(driver::run(opened, Arc::clone(&shared), attached, stopped));
        Ok(Self { listeners, shared, attach, stop: Some(stop), task })
    }

    /// The listeners, with ports chosen by the system.
    #[must_use]
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// The address of the first network listener, if there is one.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        self.listeners.iter().find_map(Listener::address)
    }

    /// Serves one more connection over any stream, for example one end of an in-memory pipe.
    pub fn attach(&self, stream: impl ByteStream + 'static) {
        // If the receiver is gone, the broker has ended, and the stream is closed too.
        let _ = self.attach.send(Box::new(stream));
    }

    /// The current counters.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.shared.lock().core.statistics()
    }

    /// Replaces the faults while the broker runs. [`Faults::cut`] counts only later connections;
    /// [`Faults::stall`] and [`Faults::down`] keep their initial values.
    pub fn set_faults(&self, faults: Faults) {
        self.shared.lock().core.set_faults(faults);
    }

    /// Replaces users and rights while the broker runs. Clients that would not be admitted in the same way
    /// are disconnected.
    pub fn set_access(&self, access: Access) {
        self.shared.with(driver::now(), |core, now| core.set_access(access, now));
        self.shared.compare_waiting_passwords();
    }

    /// From now on, clients that connect wait for [`Broker::set_access`] or [`Broker::keep_access`]: they are
    /// admitted by the users and rights that come. They wait until their connect timeout at most.
    pub fn hold_connects(&self) {
        self.shared.lock().core.hold_connects();
    }

    /// Users and rights stay as they are; clients that connect no longer wait.
    pub fn keep_access(&self) {
        self.shared.with(driver::now(), core::Core::keep_access);
        self.shared.compare_waiting_passwords();
    }

    /// Closes every connection without DISCONNECT, like a network failure; sessions stay.
    pub fn cut_connections(&self) {
        self.shared.with(driver::now(), core::Core::cut_all);
    }

    /// Ends the broker: accepts no new connections, sends DISCONNECT 0x8B to clients of MQTT 5
    /// ([MQTT-3.14.2.1]), and closes all connections. Returns after the last connection has ended, which
    /// takes up to a second if a client does not close its side.
    pub async fn shutdown(mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        // An error would mean that the task panicked, and it has ended then too.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.task.abort();
    }
}
