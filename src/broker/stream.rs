//! The transport of a connection.

use tokio::io::{AsyncRead, AsyncWrite};

/// A transport for MQTT.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}
