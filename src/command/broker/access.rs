//! The files with the access rules, read at the start and at each SIGHUP.

use std::convert::Infallible;
use std::future::poll_fn;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::journal::Logs;
use crate::broker::{Access, BadLine, Broker};
use crate::command::attention::in_background;
use crate::error::Error;
use crate::file::{mark, read_at_most, read_ordinary_at_most};
use crate::notation::printable;
use crate::output::Diagnostics;
use crate::signal::{HangUp, HangUps};

/// MQTT limits the length of a password.
const LONGEST_PASSWORD_BYTES: u64 = 64 << 10;
const LONGEST_FILE_BYTES: u64 = 64 << 20;

/// How long clients that connect wait for the files to be read again. Later ones get the previous rules.
const LONGEST_HOLD: Duration = Duration::from_secs(2);

/// When the files are read.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum AccessReading {
    /// At the start. A pipe of a shell is one of the files that are possible.
    First,
    /// At a SIGHUP. A pipe would block, or its content would be gone.
    Again,
}

/// The users who may connect, and the rights of each client.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessFiles {
    /// User names, and the files of their passwords.
    pub users: Vec<(String, PathBuf)>,
    /// A password file in mosquitto's format.
    pub password_file: Option<PathBuf>,
    /// An ACL file in mosquitto's format.
    pub acl_file: Option<PathBuf>,
    /// Whether clients without a user name may connect.
    pub open: bool,
}

impl AccessFiles {
    /// Whether there are users.
    #[must_use]
    pub fn has_users(&self) -> bool {
        !self.users.is_empty() || self.password_file.is_some()
    }

    /// Whether there is no file to read again.
    pub(super) fn are_none(&self) -> bool {
        !self.has_users() && self.acl_file.is_none()
    }

    /// Reads all files.
    ///
    /// # Errors
    /// A file that cannot be read, or an invalid line in it.
    pub(super) fn load(&self, reading: AccessReading) -> Result<Access, Error> {
        let content = |option: &str, shown: Option<&Path>, path: &Path, most_bytes| {
            content(reading, option, shown, path, most_bytes)
        };
        let mut access = Access::default();
        if let Some(path) = &self.password_file {
            let text = content("--password-file", Some(path), path, LONGEST_FILE_BYTES)?;
            access.add_password_file(&text).map_err(|bad| wrong("--password-file", path, &bad))?;
        }
        for (name, path) in &self.users {
            // The text after the name may be the password itself.
            let text =
                content(&format!("--user {}", printable(name.as_str())), None, path, LONGEST_PASSWORD_BYTES)
                    .map_err(|error| {
                        error.with_hint("NAME:FILE names a file that holds only the password")
                    })?;
            let password = text.strip_suffix(b"\n").unwrap_or(&text);
            let password = password.strip_suffix(b"\r").unwrap_or(password);
            if password.is_empty() {
                let empty = io::Error::new(io::ErrorKind::InvalidData, "the password is empty");
                return Err(Error::file(format!("--user {}", printable(name.as_str())), empty).with_hint(
                    "NAME:FILE names a file that holds the password, which has at least one character",
                ));
            }
            access.add_user(name, password);
        }
        if let Some(path) = &self.acl_file {
            let text = content("--acl-file", Some(path), path, LONGEST_FILE_BYTES)?;
            access.set_acl_file(&text).map_err(|bad| wrong("--acl-file", path, &bad))?;
        }
        if self.open {
            access.allow_anonymous();
        }
        Ok(access)
    }
}

/// `shown`: the path, if the error may name it.
fn content(
    reading: AccessReading,
    option: &str,
    shown: Option<&Path>,
    path: &Path,
    most_bytes: u64,
) -> Result<Vec<u8>, Error> {
    let what = shown.map_or_else(|| option.to_owned(), |path| format!("{option}: {}", path.display()));
    let failed = |error: io::Error| Error::file(what.clone(), error);
    let read = if reading == AccessReading::First { read_at_most } else { read_ordinary_at_most };
    let mut text = read(path, most_bytes).map_err(failed)?;
    let mark = mark(&text).map_err(failed)?;
    text.drain(..mark);
    Ok(text)
}

fn wrong(option: &str, path: &Path, bad: &BadLine) -> Error {
    let what = format!("{option}: {}, line {}", path.display(), bad.line);
    Error::file(what, io::Error::new(io::ErrorKind::InvalidData, bad.why.clone()))
}

/// At each SIGHUP, opens the log again and reads the files again. If one of them cannot be used, the previous
/// rules stay in effect.
pub(super) async fn reload(
    files: &AccessFiles,
    mut hang_ups: HangUps,
    broker: &Broker,
    logs: &Logs,
    diagnostics: &Diagnostics,
) -> Infallible {
    loop {
        if poll_fn(|cx| hang_ups.poll(cx)).await == HangUp::TerminalClosed {
            crate::signal::raise_hang_up();
        }
        if !files.are_none() {
            // A client that connects after the signal gets the new rules.
            broker.hold_connects();
        }
        match logs.reopen() {
            Ok(false) if files.are_none() => {
                diagnostics.warning("SIGHUP: there are no files to read or to open again");
            }
            Ok(true) => diagnostics.state("the log was opened again"),
            Ok(false) => {}
            Err(error) => {
                diagnostics.warning(format_args!(
                    "SIGHUP: {error}; the log still goes to the file that was open before"
                ));
            }
        }
        if files.are_none() {
            continue;
        }
        let files = files.clone();
        let loaded = match in_background(move || files.load(AccessReading::Again)) {
            Ok(mut load) => {
                if let Ok(loaded) = tokio::time::timeout(LONGEST_HOLD, &mut load).await {
                    loaded
                } else {
                    broker.keep_access();
                    load.await
                }
            }
            Err(refused) => Ok(Err(refused.into())),
        };
        match loaded {
            Ok(Ok(access)) => {
                broker.set_access(access);
                diagnostics.state("users and permissions were read again");
            }
            Ok(Err(error)) => {
                broker.keep_access();
                diagnostics.warning(format_args!("{error}; users and permissions stay as they were"));
            }
            // The thread has panicked, and has printed a message.
            Err(_) => broker.keep_access(),
        }
    }
}
