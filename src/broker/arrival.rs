//! What comes before MQTT on a new connection: TLS and the upgrade to a WebSocket.

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

/// What is spoken between the socket and MQTT.
#[derive(Clone)]
pub(super) struct Layers {
    pub(super) tls: Option<ServerTls>,
    pub(super) web_socket: bool,
}

impl Layers {
    /// Whether MQTT is straight on the socket.
    pub(super) fn are_none(&self) -> bool {
        self.tls.is_none() && !self.web_socket
    }
}

/// Makes the handshakes, within the time that CONNECT has as well, and serves the connection to its end.
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
    // A client that fails here has not begun to speak MQTT, and learns of it by TLS or HTTP.
    let failed = match opened {
        Ok(Ok(stream)) => return ConnectionTask::new(stream, origin, place, shared).await,
        Ok(Err(error)) => Some(error),
        Err(_) => None,
    };
    let kind = EventKind::Left(Leaving::Handshake(failed.as_ref()));
    shared.lock().core.tell_of(origin.as_deref(), None, kind);
}

/// The stream that carries MQTT.
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
