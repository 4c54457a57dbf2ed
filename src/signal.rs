//! Signals that ask the program to end: the first asks, the second ends it at once.
//!
//! Tokio's own signal driver is not used: it costs every run of the program a socket pair, and a
//! one-shot `pub` catches no signal at all.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::task::{Context, Poll};

use signal_hook::consts::{SIGINT, SIGTERM};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::UnixStream;

use crate::error::Error;

/// SIGINT and SIGTERM, caught from now on.
#[derive(Debug)]
pub struct Signals {
    /// A byte for every signal that came, by number.
    caught: [(i32, UnixStream); 2],
}

impl Signals {
    /// Starts to catch. The first signal is reported; the next one ends the process as if it were
    /// not caught.
    ///
    /// # Errors
    /// The system's, if it refuses a handler.
    pub fn catch() -> Result<Self, Error> {
        let one = |number| catch_one(number).map_err(|error| Error::file("cannot catch signals", error));
        Ok(Self { caught: [(SIGINT, one(SIGINT)?), (SIGTERM, one(SIGTERM)?)] })
    }

    /// Ready with the number of a signal that came.
    pub fn poll(&mut self, cx: &mut Context<'_>) -> Poll<i32> {
        for (number, stream) in &mut self.caught {
            let mut byte = [0];
            let mut buffer = ReadBuf::new(&mut byte);
            if std::pin::Pin::new(stream).poll_read(cx, &mut buffer).is_ready() {
                return Poll::Ready(*number);
            }
        }
        Poll::Pending
    }
}

fn catch_one(number: i32) -> std::io::Result<UnixStream> {
    // Handlers run in the order they were registered: armed by the first signal, this one takes
    // its default course at the second.
    let armed = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register_conditional_default(number, Arc::clone(&armed))?;
    signal_hook::flag::register(number, armed)?;
    let (ours, theirs) = UnixStream::pair()?;
    signal_hook::low_level::pipe::register(number, theirs.into_std()?)?;
    Ok(ours)
}

/// Ends the process by a signal that was caught, so that the caller sees how it ended. Returns only
/// if the system does not let it.
pub fn raise(number: i32) {
    let _ = signal_hook::low_level::emulate_default_handler(number);
}
