//! What a connection is served over.

use tokio::io::{AsyncRead, AsyncWrite};

/// Something to speak MQTT over.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for T {}
