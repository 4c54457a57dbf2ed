//! The way to the broker.

/// Where and how to connect.
#[derive(Debug, Clone)]
pub struct Endpoint {}
