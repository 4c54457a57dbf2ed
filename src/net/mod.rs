//! The way to the broker.
