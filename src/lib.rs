//! The MQTT command line: from arguments to an exit status.

mod alarm;
#[cfg(feature = "broker")]
pub mod broker;
pub mod cli;
pub mod client;
pub mod clock;
pub mod command;
pub mod decode;
pub mod error;
pub mod exit;
pub mod file;
pub mod jq;
pub mod manner;
pub mod masking;
pub mod memory;
pub mod nearest;
pub mod net;
pub mod notation;
pub mod output;
mod platform;
pub mod process;
pub mod protocol;
pub mod quantity;
pub mod quotation;
pub mod signal;
pub mod storage;
pub mod thread;

use std::ffi::OsString;

use crate::cli::{Hidden, Parsed};
use crate::error::Error;
use crate::exit::Exit;
use crate::manner::Manner;
use crate::output::{ColorChoice, Diagnostics, Stdout, Verbosity};

/// Runs a command line, program name first. All output is written when it returns.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> Exit {
    let request = cli::parse(arguments, restart_hidden);
    let (verbosity, color, log_time, manner) = match &request {
        Ok(Parsed::Run { invocation, color, log_time, manner, .. }) => {
            (invocation.common().0, *color, *log_time, *manner)
        }
        Ok(Parsed::Failed { form, .. }) => (form.verbosity, form.color, form.log_time, Manner::Own),
        _ => (Verbosity::Normal, ColorChoice::Auto, false, Manner::Own),
    };
    let diagnostics = Diagnostics::new(verbosity, color).in_manner(manner);
    let diagnostics = if log_time { diagnostics.with_times() } else { diagnostics };
    let diagnostics = match &request {
        Ok(Parsed::Run { hints, .. }) => diagnostics.hinting(hints.clone()),
        _ => diagnostics,
    };
    let diagnostics = match &request {
        Ok(Parsed::Run { pinned, .. }) => diagnostics.pinning(pinned.clone()),
        _ => diagnostics,
    };
    let outcome = request.and_then(|request| match &request {
        Parsed::Run { invocation, .. } if invocation.runs_programs() => {
            thread::on_stack(jq::STACK_BYTES, || fulfil(request, &diagnostics))
                .unwrap_or_else(|refused| Err(refused.into()))
        }
        _ => fulfil(request, &diagnostics),
    });
    if let Err(error) = &outcome {
        diagnostics.error(error);
    }
    let exit = manner.exit(&outcome);
    // After a signal the shell does this itself.
    if !matches!(exit, Exit::Signal(_)) {
        diagnostics.end_interrupted_line();
    }
    exit
}

/// Replaces this process by one of the same program. Returns only on failure, with the error; on a system that cannot
/// replace it without one.
fn restart_hidden(hidden: &Hidden) -> Option<std::io::Error> {
    match std::env::current_exe() {
        Ok(program) => {
            let variables = hidden.variables.iter().map(|(name, value)| (name, value));
            platform::processes::replace_this(&program, &hidden.arguments, variables)
        }
        Err(error) => Some(error),
    }
}

fn fulfil(request: Parsed, diagnostics: &Diagnostics) -> Result<Exit, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::file("cannot start", error))?;
    let outcome = runtime.block_on(async {
        match request {
            Parsed::Print { text, problem, warnings } => {
                for warning in warnings {
                    diagnostics.warning(warning);
                }
                let exit = print(&text).await?;
                problem.map_or(Ok(exit), Err)
            }
            Parsed::Failed { error, .. } => Err(error),
            Parsed::Alone(text) => {
                diagnostics.raw(&text);
                Ok(Exit::Usage)
            }
            Parsed::Misuse { stdout, stderr } => {
                print(&stdout).await?;
                diagnostics.raw(&stderr);
                Ok(Exit::Failure)
            }
            Parsed::Run { invocation, warnings, details, .. } => {
                for warning in warnings {
                    diagnostics.warning(warning);
                }
                for detail in details {
                    diagnostics.debug(|| detail);
                }
                let tls = invocation.common().1.and_then(|client| client.endpoint.tls.clone());
                let outcome = invocation.run(diagnostics).await;
                if let Some(missing) = tls.and_then(|tls| tls.key_log_failure()) {
                    diagnostics.warning(missing);
                }
                outcome
            }
        }
    });
    // The process ends now, with a thread that may still wait for standard input. Shutting down the runtime
    // would only cost a one-shot `pub` time.
    std::mem::forget(runtime);
    outcome
}

async fn print(text: &str) -> Result<Exit, Error> {
    let mut stdout = Stdout::new();
    stdout.buffer().extend_from_slice(text.as_bytes());
    stdout.flush().await?;
    Ok(Exit::Success)
}
