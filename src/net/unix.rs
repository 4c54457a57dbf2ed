//! Unix sockets.

use std::io;
use std::path::Path;

use tokio::net::UnixStream;

use super::fault;
use crate::error::{Error, Layer};

/// Connects to the socket at `path`.
///
/// # Errors
///
/// [`Layer::Connect`], naming the path.
pub(super) async fn connect(path: &Path) -> Result<UnixStream, Error> {
    UnixStream::connect(path).await.map_err(|error| {
        let cause = match error.kind() {
            io::ErrorKind::ConnectionRefused => "no program listens on this socket".to_owned(),
            _ => fault::words(&error),
        };
        Error::link(Layer::Connect, format!("{}: {cause}", path.display()))
    })
}
