//! From a checked command line to the subcommand that runs it.

use crate::cli::Invocation;
use crate::command::{bench, broker, ping, publish, request, retain_clear, subscribe, will_test};
use crate::error::Error;
use crate::exit::Exit;
use crate::output::Diagnostics;

/// Runs a subcommand to its end.
///
/// # Errors
/// Whatever kept it from its work.
pub async fn dispatch(invocation: Invocation, diagnostics: &Diagnostics) -> Result<Exit, Error> {
    match invocation {
        Invocation::Publish(config) => publish::run(*config, diagnostics).await,
        Invocation::Subscribe(config) => subscribe::run(*config, diagnostics).await,
        Invocation::Request(config) => request::run(*config, diagnostics).await,
        Invocation::Bench(config) => bench::run(*config, diagnostics).await,
        Invocation::RetainClear(config) => retain_clear::run(*config, diagnostics).await,
        Invocation::WillTest(config) => will_test::run(*config, diagnostics).await,
        Invocation::Ping(config) => ping::run(*config, diagnostics).await,
        Invocation::Broker(config) => broker::run(*config).await,
    }
}
