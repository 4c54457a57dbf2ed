//! `mqtt broker`: a scratch broker for development and tests.

use std::future::poll_fn;
use std::net::SocketAddr;

use super::attention::Attention;
use crate::broker::{Broker, Options};
use crate::error::Error;
use crate::exit::Exit;
use crate::output::{Stdout, Verbosity};

/// A checked command line of `mqtt broker`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where to listen; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// What is said on standard error.
    pub verbosity: Verbosity,
}

/// Runs a broker until a signal asks it to end, then says goodbye to every client. The address goes
/// to standard output once connections are accepted, for whoever started it to read.
///
/// # Errors
/// The address cannot be listened on.
pub async fn run(config: Config) -> Result<Exit, Error> {
    let mut attention = Attention::start(None)?;
    let broker = Broker::start(Options { listen: config.listen, ..Options::default() }).await?;
    let mut stdout = Stdout::new();
    stdout.buffer().extend_from_slice(format!("listening on {}\n", broker.address()).as_bytes());
    match stdout.flush().await {
        // A broker whose reader has gone still has its clients.
        Ok(()) | Err(Error::OutputClosed) => {}
        Err(error) => return Err(error),
    }
    poll_fn(|cx| attention.poll(cx)).await;
    broker.shutdown().await;
    Ok(Exit::Success)
}
