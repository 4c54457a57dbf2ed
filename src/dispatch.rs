//! From a checked command line to the subcommand that runs it.

use crate::cli::Invocation;
use crate::error::Error;
use crate::exit::Exit;

/// Runs a subcommand to its end.
///
/// # Errors
/// Whatever kept it from its work.
#[allow(clippy::unused_async, reason = "what it is to call is")]
pub async fn dispatch(invocation: Invocation) -> Result<Exit, Error> {
    // The connection point: each arm becomes `command::NAME::run(*config).await`.
    let name = match invocation {
        Invocation::Publish(_) => "pub",
        Invocation::Subscribe(_) => "sub",
        Invocation::Broker(_) => "broker",
    };
    Err(Error::Negative(format!("{name} does not run yet")))
}
