//! TLS: reads and checks trust and credentials before any socket is opened, performs the handshake, and
//! explains its facts and failures.
//!
//! | file | holds |
//! |---|---|
//! | `options` | the options, as data |
//! | `config` | the options with the files they name, read and checked |
//! | `handshake` | the handshake |
//! | `provider` | the cryptographic algorithms |
//! | `ciphers` | cipher suites by name |
//! | `pin` | the public key that the broker must have |
//! | `key_log` | session keys in a file, for a packet analyser |
//! | `unavailable` | unsupported features, and what to use instead |
//! | `server` | the server's side, for the embedded broker |
//! | `pem` | the blocks of a PEM file |
//! | `files` | certificates and keys from files |
//! | `authorities` | the certificate authorities to trust |
//! | `revocation` | revocation lists from files |
//! | `verify` | verification of the broker's certificate |
//! | `insecure` | no verification |
//! | `certificate` | a certificate's subject, issuer, names and dates |
//! | `notes` | notes taken during a handshake |
//! | `facts` | what a handshake agreed on |
//! | `encrypted` | the stream after a handshake |
//! | `rejection` | why a certificate was refused |
//! | `explain` | other handshake failures |
//! | `words` | TLS alerts and errors in words |
//! | `client_words` | failed handshakes of clients in words, for the embedded broker |
//! | `probe` | whether a port that was used without TLS expects TLS |

mod authorities;
mod certificate;
mod ciphers;
#[cfg(feature = "broker")]
mod client_words;
mod config;
mod encrypted;
pub(super) mod explain;
mod facts;
mod files;
mod handshake;
mod insecure;
mod key_log;
mod notes;
mod options;
mod pem;
mod pin;
pub(super) mod probe;
mod provider;
mod rejection;
mod revocation;
#[cfg(feature = "broker")]
mod server;
mod unavailable;
mod verify;
pub(super) mod words;

pub use certificate::CertificateFacts;
pub use config::TlsConfig;
pub(super) use config::checkable_name;
pub use encrypted::Encrypted;
pub use facts::TlsFacts;
pub(super) use handshake::handshake;
pub use options::{KeyPassword, SystemStore, TlsOptions, TlsVersion, aws_iot_protocol};
pub use pin::Pin;
pub use probe::looks_like_tls;
#[cfg(feature = "broker")]
pub use server::{ServerTls, ThrowAway};
pub use unavailable::{Unavailable, unavailable};
