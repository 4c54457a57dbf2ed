//! The destination of the messages, and what happens when its reader leaves or at SIGHUP.
//!
//! | SIGHUP, and the messages go to | |
//! |---|---|
//! | the file of `--output` | the file is opened again by its name, as `logrotate` asks for it; if that fails, the old one is kept, with a warning |
//! | a file that the shell has opened | nothing, with a warning: its name is not known here |
//! | anything else, or the terminal was closed | the run ends, as by SIGTERM |
//!
//! A run that was started with SIGHUP ignored (`nohup`) is not ended by it. As `mosquitto_sub` the process is ended by it.

use super::super::attention::Attention;
use super::config::{Config, Display};
use crate::error::Error;
use crate::output::{Diagnostics, Reopened, Stdout};
use crate::signal::{HangUp, hang_up_is_ignored};

pub(super) fn open(config: &Config) -> Result<Stdout, Error> {
    if let Some(path) = &config.output {
        return Stdout::file(path, config.output_options);
    }
    // Where the broker keeps what is not acknowledged, messages wait there until the reader has them. In another
    // session they would be lost all the same. A program that reads only when this one has ended must find a run that
    // ends by itself ended.
    let waits = !config.client.clean_start
        && !config.ends_by_itself()
        && matches!(config.display, Display::Messages(_));
    Ok(if waits { Stdout::new().waiting_for_reader() } else { Stdout::new() })
}

/// What the run is to attend to.
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
    // Without messages to show, what is wanted is not what standard output gets.
    let shows_messages = !config.ends_with_answers() && !matches!(config.display, Display::Files(_));
    Ok(if shows_messages { attention.for_reader() } else { attention })
}

/// Deals with SIGHUP; whether it ends the run.
pub(super) fn ends(hang_up: HangUp, stdout: &mut Stdout, diagnostics: &Diagnostics) -> bool {
    if hang_up == HangUp::TerminalClosed {
        return true;
    }
    match stdout.reopen() {
        Ok(Reopened::Done) => false,
        Ok(Reopened::NoFile) => true,
        Ok(Reopened::Inherited) => {
            diagnostics.warning(
                "SIGHUP: standard output cannot be opened again (--output FILE can); messages still go to the same file",
            );
            false
        }
        Err(error) => {
            diagnostics.warning(format_args!(
                "SIGHUP: {error}; messages still go to the file that was open before, also if it was renamed \
                 or deleted"
            ));
            false
        }
    }
}
