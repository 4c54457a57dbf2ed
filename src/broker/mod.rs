//! An embedded scratch broker, for development and tests: MQTT 3.1, 3.1.1 and 5 on one port, in
//! memory only, several in one process.
//!
//! `core` holds the rules of the standard, without a network; `driver` and `connection` hold its network,
//! without rules. It is not a broker for production: it has no persistence, no access control beyond one
//! user name and no TLS, and it pauses publishers rather than lose a message.
//!
//! ```
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! use mqtt::broker::{Broker, Options};
//!
//! let broker = Broker::start(Options::default())?;
//! assert_ne!(broker.address().port(), 0);
//! broker.shutdown().await;
//! # Ok::<(), mqtt::error::Error>(())
//! # }).unwrap();
//! ```

mod connection;
mod core;
mod driver;
mod options;
mod sink;
mod statistics;

#[cfg(test)]
mod tests;

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinHandle;

use crate::error::{Error, Layer};
use crate::net;
use driver::SharedBroker;
pub use options::{Cut, Faults, Feature, Limits, Options, RefusedTopics};
pub use sink::Sink;
pub use statistics::Statistics;

/// Something to speak MQTT over.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}

/// A running broker. Dropping it ends it at once, like a crash: every connection is closed without
/// a word. [`Broker::shutdown`] ends it with a farewell.
pub struct Broker {
    address: SocketAddr,
    shared: Arc<SharedBroker>,
    attach: mpsc::UnboundedSender<Box<dyn ByteStream>>,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

/// How many connections may wait to be accepted: a load makes thousands at once, and one that finds no room
/// asks again only after a second.
const BACKLOG: u32 = 4096;

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

impl Broker {
    /// Starts a broker on the current tokio runtime; it runs until it is dropped or shut down.
    ///
    /// # Errors
    /// The address cannot be listened on.
    pub fn start(options: Options) -> Result<Self, Error> {
        let listen = options.listen;
        let failed = |error: std::io::Error| {
            let busy = error.kind() == std::io::ErrorKind::AddrInUse;
            let cause = format!("cannot listen on {listen}: {}", net::explain(&error));
            let error = Error::fatal(Layer::Connect, cause);
            if busy {
                error.with_hint("is a broker already running there? -p 0 uses a free port")
            } else {
                error
            }
        };
        let listener = self::listen(listen).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let shared = Arc::new(SharedBroker::new(options));
        let (attach, attached) = mpsc::unbounded_channel();
        let (stop, stopped) = oneshot::channel();
        let task = tokio::spawn(driver::run(listener, Arc::clone(&shared), attached, stopped));
        Ok(Self { address, shared, attach, stop: Some(stop), task })
    }

    /// Where it listens, with the port the system chose if it was asked to.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves one more connection over any stream, for example one end of an in-memory pipe.
    pub fn attach(&self, stream: impl ByteStream + 'static) {
        // The other end is gone only when the broker is, and then so is the stream.
        let _ = self.attach.send(Box::new(stream));
    }

    /// What was counted so far.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.shared.lock().core.statistics()
    }

    /// Replaces the faults while the broker runs. [`Faults::cut`] counts the connections that come
    /// from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.shared.lock().core.set_faults(faults);
    }

    /// Cuts every connection without a word, as a broken network would; sessions stay.
    pub fn cut_connections(&self) {
        self.shared.with(driver::now(), core::Core::cut_all);
    }

    /// Ends the broker: no new connections, DISCONNECT 0x8B to clients of MQTT 5
    /// ([MQTT-3.14.2.1]), all connections closed. Returns when everything has ended, which takes up
    /// to a second if a client does not close its side.
    pub async fn shutdown(mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
        // It ends by itself; an error would say that it panicked, and then it has ended too.
        let _ = (&mut self.task).await;
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.task.abort();
    }
}
