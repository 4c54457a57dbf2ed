//! What each subcommand does: it reads payloads, runs a client, and passes the results to the output. One
//! file (or folder) a subcommand with its `Config`, its `Report` where there is one, and `run()`.

mod attention;
pub mod bench;
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

/// A subcommand on its way to its exit status.
pub type Running<'a> = Pin<Box<dyn Future<Output = Result<Exit, Error>> + 'a>>;

/// What is to be said on standard error, and the connection of a subcommand that makes one.
pub type Common<'a> = (Verbosity, Option<&'a ClientOptions>);

/// A subcommand with its checked configuration.
pub trait Invocation: Any + Debug + Send {
    /// What the program needs of any subcommand.
    fn common(&self) -> Common<'_>;

    /// Whether it runs programs of the jq language, which need a large stack.
    fn runs_programs(&self) -> bool {
        false
    }

    /// Runs it to its end.
    ///
    /// # Errors
    /// Whatever kept it from its work.
    fn run(self: Box<Self>, diagnostics: &Diagnostics) -> Running<'_>;
}
