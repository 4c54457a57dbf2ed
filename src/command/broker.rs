//! `mqtt broker`: a scratch broker for development and tests.

use std::net::SocketAddr;

use crate::output::Verbosity;

/// A checked command line of `mqtt broker`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where to listen; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// What is said on standard error.
    pub verbosity: Verbosity,
}
