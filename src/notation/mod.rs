//! How values are written as text, each in one form that all rooms read and write: sizes, hosts with
//! their ports, hexadecimal and percent-coded bytes.

pub mod hex;
mod host_port;
pub mod percent;
mod size;

pub use host_port::{HostPort, HostPortError};
pub use size::Size;
