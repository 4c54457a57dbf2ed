//! Text forms of values, each defined once for reading and writing: sizes, hosts with their ports,
//! hexadecimal and percent-coded bytes, shell words, fields in braces, regular expressions, and text with
//! characters that cannot be shown.

pub mod braces;
pub mod expression;
pub mod hex;
mod host_port;
pub mod percent;
pub mod printable;
pub mod shell;
mod size;

pub use host_port::{HostPort, HostPortError, port};
pub use printable::printable;
pub use size::Size;
