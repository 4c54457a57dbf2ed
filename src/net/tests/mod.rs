//! The room as its users see it, over loopback sockets with ports of the system's choice.

mod pki;
mod server;
mod tcp;
mod tls;
