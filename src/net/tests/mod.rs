//! Tests of the public interface, over loopback sockets with free ports.

mod failover;
mod pki;
mod proxy;
mod server;
mod service;
#[path = "../../../tests/support/skip.rs"]
#[allow(dead_code, reason = "the tests of the program need all of it")]
mod skip;
mod tcp;
mod tls;
mod tls_algorithms;
mod tls_clients;
mod tls_extras;
mod tls_files;
mod tls_rejections;
#[cfg(unix)]
mod unix;
mod websocket;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::error::{Error, Layer};
use crate::net::Stream;

/// Sends bytes and expects the same bytes back.
async fn round_trip(stream: &mut Stream) -> std::io::Result<()> {
    stream.write_all(b"there and back").await?;
    stream.flush().await?;
    let mut answer = [0; 14];
    stream.read_exact(&mut answer).await?;
    assert_eq!(&answer, b"there and back");
    Ok(())
}

/// The error of this layer; it must be one line.
#[track_caller]
fn error_of<T: std::fmt::Debug>(layer: Layer, outcome: Result<T, Error>) -> Error {
    let error = outcome.unwrap_err();
    assert!(matches!(&error, Error::Link { layer: found, .. } if *found == layer), "{error:?}");
    assert!(!error.to_string().contains('\n'), "{error}");
    error
}

#[track_caller]
fn assert_says(error: &Error, parts: &[&str]) {
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "no {part:?} in {text:?}");
    }
}
