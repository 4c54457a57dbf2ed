//! The layers below MQTT on a new connection: TLS and the WebSocket upgrade.

use std::io;
use std::sync::Arc;

use tokio::io::{AsyncRead, AsyncWrite};

use super::connection::ConnectionTask;
use super::driver::SharedBroker;
use super::journal::{ClientOrigin, EventKind, Leaving};
use super::listener::Arrived;
use super::places::ListenerPlace;
use super::stream::ByteStream;
use super::websocket;
use crate::net::ServerTls;

/// The layers between the socket and MQTT.
#[derive(Clone)]
pub(super) struct Layers {
    pub(super) tls: Option<ServerTls>,
    pub(super) web_socket: bool,
}

impl Layers {
    /// Whether MQTT runs directly on the socket.
    pub(super) fn are_none(&self) -> bool {
        self.tls.is_none() && !self.web_socket
    }
}

/// Performs the handshakes within the connect timeout, and serves the connection until it ends.
pub(super) async fn serve(
    arrived: Arrived,
    layers: Layers,
    origin: Option<Box<ClientOrigin>>,
    place: ListenerPlace,
    shared: Arc<SharedBroker>,
) {
    let limit = shared.lock().core.options().connect_timeout;
    let opened = match arrived {
        Arrived::Tcp(stream) => tokio::time::timeout(limit, opened(stream, layers)).await,
        Arrived::Unix(stream) => tokio::time::timeout(limit, opened(stream, layers)).await,
    };
    // A client that fails here has not started MQTT, and is informed by TLS or HTTP.
    let failed = match opened {
        Ok(Ok(stream)) => return ConnectionTask::new(stream, origin, place, shared).await,
        Ok(Err(error)) => Some(error),
        Err(_) => None,
    };
    let kind = EventKind::Left(Leaving::Handshake(failed.as_ref()));
    shared.lock().core.tell_of(origin.as_deref(), None, kind);
}

/// The stream for MQTT, after the handshakes.
async fn opened(
    stream: impl AsyncRead + AsyncWrite + Send + Unpin + 'static,
    layers: Layers,
) -> io::Result<Box<dyn ByteStream>> {
    match (layers.tls, layers.web_socket) {
        (None, false) => Ok(Box::new(stream)),
        (Some(tls), false) => Ok(Box::new(tls.accept(stream).await?)),
        (None, true) => Ok(Box::new(websocket::upgrade(stream).await?)),
        (Some(tls), true) => Ok(Box::new(websocket::upgrade(tls.accept(stream).await?).await?)),
    }
}
