//! The implementation of the subcommands: each reads payloads, runs a client, and passes the results to the
//! output. One file (or folder) per subcommand with its `Config`, its `Report` if there is one, and `run()`.

mod attention;
pub mod bench;
#[cfg(feature = "broker")]
pub mod broker;
pub mod compat;
mod computed;
mod decoding;
mod deferred;
pub mod exec;
pub mod input;
pub mod ping;
pub mod publish;
pub mod request;
pub mod respond;
mod resubscribing;
pub mod retain_clear;
mod schedule;
mod stored;
pub mod subscribe;
pub mod topics;
pub mod unmade;
pub mod will_test;

use std::any::Any;
use std::fmt::Debug;
use std::pin::Pin;

use crate::client::options::ClientOptions;
use crate::error::Error;
use crate::exit::Exit;
use crate::output::{Diagnostics, Verbosity};

/// A running subcommand, which yields its exit status.
pub type Running<'a> = Pin<Box<dyn Future<Output = Result<Exit, Error>> + 'a>>;

/// The verbosity on standard error, and the connection options of subcommands that connect.
pub type Common<'a> = (Verbosity, Option<&'a ClientOptions>);

/// A subcommand with its checked configuration.
pub trait Invocation: Any + Debug + Send {
    /// The part that the program needs of any subcommand.
    fn common(&self) -> Common<'_>;

    /// Whether it runs jq programs, which need a large stack.
    fn runs_programs(&self) -> bool {
        false
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// Why the work could not be done.
    fn run(self: Box<Self>, diagnostics: &Diagnostics) -> Running<'_>;
}
