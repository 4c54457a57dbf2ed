//! The destination of the messages, and the reaction to a reader that leaves and to SIGHUP.
//!
//! | destination of the messages | reaction to SIGHUP |
//! |---|---|
//! | the file of `--output` | the file is opened again by its name, as `logrotate` requires; if that fails, the old one stays open, with a warning |
//! | a file that the shell has opened | none, with a warning: its name is unknown |
//! | files below a folder | none: each file is opened for one message |
//! | anything else, or the terminal was closed | the run ends, as with SIGTERM |
//!
//! A run that was started with SIGHUP ignored (`nohup`) does not end. In the manner of `mosquitto_sub` SIGHUP
//! ends the process.

use super::super::attention::{Attention, hang_up_ends};
use super::config::{Config, Display};
use crate::error::Error;
use crate::output::{Diagnostics, Stdout};
use crate::signal::{HangUp, hang_up_is_ignored};

pub(super) fn open(config: &Config) -> Result<Stdout, Error> {
    if let Some(path) = &config.output {
        return Stdout::file(path, config.output_options);
    }
    // If the broker keeps unacknowledged messages, they wait there until the reader has taken them. In other
    // sessions they would be lost anyway. A run that ends by itself must not wait for a reader that
    // reads only after its end.
    let waits = !config.client.clean_start
        && !config.ends_by_itself()
        && matches!(config.display, Display::Messages(_));
    Ok(if waits { Stdout::new().waiting_for_reader() } else { Stdout::new() })
}

/// The signals, the timeout and the reader of the run.
pub(super) fn attention(config: &Config) -> Result<Attention, Error> {
    if config.exec.is_some() {
        let attention = Attention::over_commands(config.timeout)?;
        return if hang_up_is_ignored() { Ok(attention) } else { attention.for_hang_ups() };
    }
    let attention = Attention::start(config.timeout)?;
    if config.output.is_some() {
        return attention.for_hang_ups();
    }
    let is_left = config.as_mosquitto || hang_up_is_ignored();
    let attention = if is_left { attention } else { attention.for_hang_ups()? };
    // A run that shows no messages does not depend on its reader.
    let shows_messages = !config.ends_with_answers() && !matches!(config.display, Display::Files(_));
    Ok(if shows_messages { attention.for_reader() } else { attention })
}

/// Processes SIGHUP; returns whether it ends the run. `is_for_stdout`: messages go to standard output or one file.
pub(super) fn ends(
    hang_up: HangUp,
    is_for_stdout: bool,
    stdout: &mut Stdout,
    diagnostics: &Diagnostics,
) -> bool {
    if hang_up == HangUp::Asked && !is_for_stdout {
        return false;
    }
    hang_up_ends(hang_up, stdout, " (--output FILE can)", diagnostics)
}
