//! From a checked command line to the subcommand that runs it.

use crate::cli::Invocation;
use crate::error::Error;
use crate::exit::Exit;
use crate::output::Diagnostics;

/// Runs a subcommand to its end.
///
/// # Errors
/// Whatever kept it from its work.
#[allow(clippy::unused_async, reason = "what it is to call is")]
pub async fn dispatch(invocation: Invocation, diagnostics: &Diagnostics) -> Result<Exit, Error> {
    let tls = invocation.client().and_then(|client| client.endpoint.tls.as_ref());
    if tls.is_some_and(|tls| tls.is_insecure()) {
        diagnostics.warning("--insecure: nobody checks who the server is");
    }
    // The connection point: each arm becomes `command::NAME::run(*config, diagnostics).await`.
    let name = match invocation {
        Invocation::Publish(_config) => "pub",
        Invocation::Subscribe(_config) => "sub",
        Invocation::Broker(_config) => "broker",
    };
    Err(Error::Negative(format!("{name} does not run yet")))
}
