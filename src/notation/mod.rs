//! How values are written as text, each in one form that all rooms read and write: sizes, hosts with
//! their ports, hexadecimal and percent-coded bytes, words of a shell, fields in braces, regular expressions, and text
//! of which some cannot be shown.

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
