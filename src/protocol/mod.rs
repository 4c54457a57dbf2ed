//! The standard's vocabulary: versions, quality of service, topics, reason codes, properties, and
//! the packets themselves (`wire`). Pure functions over bytes: no I/O, no clock, no runtime.

pub mod reason;
pub mod wire;
