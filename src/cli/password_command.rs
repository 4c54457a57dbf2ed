//! Runs the command of `--password-command`. The command may ask on the terminal and start other programs. It
//! has a process group of its own. The whole group is killed at the command's time limit, at the time limit
//! of the run, and when the run is interrupted.

use std::ffi::OsStr;
use std::io;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use super::hidden;
use super::password_file::{LONGEST_PASSWORD_BYTES, from_text};
use super::sources::Origin;
use crate::client::options::Secret;
use crate::error::Error;
use crate::file::{GaveUp, Patience};

/// The output of the command. It may hold a secret, so errors do not show the command.
pub(super) fn password(command: &OsStr, limit: Duration, origin: &Origin) -> Result<Secret, Error> {
    let failed = |error| Error::file("--password-command failed", error);
    let (shell, option) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
    let mut shell = Command::new(shell);
    shell.arg(option).arg(command).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    for variable in hidden::variables() {
        shell.env_remove(variable);
    }
    match run(shell, limit).map_err(failed)? {
        CommandOutcome::Ended(status, _) if !status.success() => {
            let hint = match status.code() {
                Some(126) => "status 126 means that the command cannot be executed",
                Some(127) => "status 127 means that the shell has not found the command",
                _ => "this is the status of the command itself, whose standard error is not redirected",
            };
            Err(failed(io::Error::other(format!("it ended with {status}"))).with_hint(hint))
        }
        CommandOutcome::Ended(_, text) if text.is_empty() => {
            Err(failed(io::Error::other("it wrote nothing to its standard output")))
        }
        CommandOutcome::Ended(_, text) => {
            let place = "the output of --password-command";
            Ok(from_text(text, &place, "the command has to write UTF-8", origin))
        }
        CommandOutcome::GivenUp(why) => Err(failed(io::Error::other(why))),
        CommandOutcome::Interrupted(signal) => Err(Error::Signal(signal)),
    }
}

/// The outcome of the command.
enum CommandOutcome {
    /// The exit status of the command and its output.
    Ended(ExitStatus, Vec<u8>),
    /// The command was killed: it exceeded its time limit or that of the run, or the reader of the run is
    /// gone.
    GivenUp(GaveUp),
    /// This signal came, and the command was killed.
    #[cfg_attr(not(unix), allow(dead_code, reason = "signals are Unix's"))]
    Interrupted(i32),
}

/// `Some` if the wait for the command is over.
fn is_over(patience: Patience) -> Option<CommandOutcome> {
    patience.is_over(|| "--password-command".to_owned()).map(CommandOutcome::GivenUp)
}

fn too_long() -> io::Error {
    io::Error::other(format!("it wrote more than {} KiB", LONGEST_PASSWORD_BYTES / 1024))
}

#[cfg(unix)]
use self::unix::run;

#[cfg(unix)]
mod unix {
    use std::io::{self, Read as _};
    use std::process::{Child, ChildStdout, Command};
    use std::time::Duration;

    use super::{CommandOutcome, LONGEST_PASSWORD_BYTES, is_over, too_long};
    use crate::file::Patience;
    use crate::platform::processes::{ProcessGroup, ended_by, lead_own_group};
    use crate::platform::readiness::{is_ready, to_read, wait};
    use crate::platform::terminal::LentTerminal;
    use crate::process::end_group;
    use crate::signal::Interruption;

    /// The time between two checks of a command that has closed its output and still runs.
    const PAUSE: Duration = Duration::from_millis(5);
    /// The longest time without a check of whether the command has ended (other processes may keep its output
    /// open) and whether the wait is over.
    const LOOK: Duration = Duration::from_millis(50);

    /// Runs the command in a process group of its own. Kills the whole group unless the command ends by
    /// itself.
    pub(super) fn run(mut command: Command, limit: Duration) -> io::Result<CommandOutcome> {
        let patience = Patience::held().at_most(limit);
        let interruption = Interruption::catch()?;
        lead_own_group(&mut command);
        let mut child = command.spawn()?;
        let lent = LentTerminal::give_to(ProcessGroup::led_by(&child));
        let outcome = watch(&mut child, patience, &interruption).map(|outcome| match outcome {
            // A signal from the terminal, such as Ctrl-C: the command's group was in the foreground.
            CommandOutcome::Ended(status, text) if lent.is_some() => {
                ended_by(status).map_or(CommandOutcome::Ended(status, text), CommandOutcome::Interrupted)
            }
            outcome => outcome,
        });
        if !matches!(outcome, Ok(CommandOutcome::Ended(..))) {
            end_group(&mut child);
        }
        outcome
    }

    fn watch(
        child: &mut Child,
        patience: Patience,
        interruption: &Interruption,
    ) -> io::Result<CommandOutcome> {
        let mut text = Vec::new();
        let mut stdout = child.stdout.take();
        loop {
            if let Some(signal) = interruption.signal() {
                return Ok(CommandOutcome::Interrupted(signal));
            }
            if let Some(outcome) = is_over(patience) {
                return Ok(outcome);
            }
            if let Some(pipe) = &mut stdout {
                if is_readable(pipe, interruption)? {
                    let mut bytes = [0; 4096];
                    match pipe.read(&mut bytes)? {
                        0 => stdout = None,
                        count => text.extend_from_slice(&bytes[..count]),
                    }
                    if text.len() as u64 > LONGEST_PASSWORD_BYTES {
                        return Err(too_long());
                    }
                    continue;
                }
                match child.try_wait()? {
                    Some(status) if ended_by(status).is_some() => {
                        return Ok(CommandOutcome::Ended(status, text));
                    }
                    _ => continue,
                }
            }
            if let Some(status) = child.try_wait()? {
                return Ok(CommandOutcome::Ended(status, text));
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Waits for output, the end of output, or a signal, at most [`LOOK`].
    fn is_readable(pipe: &ChildStdout, interruption: &Interruption) -> io::Result<bool> {
        let mut watched = [to_read(pipe), to_read(interruption.stream())];
        Ok(wait(&mut watched, Some(LOOK))? && is_ready(&watched[0]))
    }
}

/// Runs the command. The time limit kills only the command itself, not the processes it started.
#[cfg(not(unix))]
fn run(mut command: Command, limit: Duration) -> io::Result<CommandOutcome> {
    use std::io::Read as _;
    use std::sync::mpsc;

    const PAUSE: Duration = Duration::from_millis(5);
    let patience = Patience::held().at_most(limit);
    let mut child = command.spawn()?;
    let (sender, receiver) = mpsc::channel();
    if let Some(stdout) = child.stdout.take() {
        crate::thread::start("password", move || {
            let mut text = Vec::new();
            let read = stdout.take(LONGEST_PASSWORD_BYTES + 1).read_to_end(&mut text);
            let _ = sender.send(read.map(|_| text));
        })?;
    }
    let mut text: Option<Vec<u8>> = None;
    let outcome = loop {
        if let Some(outcome) = is_over(patience) {
            break outcome;
        }
        match &text {
            None => text = receiver.recv_timeout(PAUSE).ok().transpose()?,
            Some(text) if text.len() as u64 > LONGEST_PASSWORD_BYTES => {
                let _ = child.kill();
                return Err(too_long());
            }
            Some(text) => match child.try_wait()? {
                Some(status) => return Ok(CommandOutcome::Ended(status, text.clone())),
                None => std::thread::sleep(PAUSE),
            },
        }
    };
    let _ = child.kill();
    let _ = child.wait();
    Ok(outcome)
}

#[cfg(unix)]
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_gives_a_password_or_says_why_not() {
        let password =
            |command: &str| password(command.as_ref(), Duration::from_secs(60), &Origin::default());
        assert_eq!(password("printf 'a b\\n'").unwrap(), Secret(b"a b".to_vec()));
        let error = password("exit 3 # hunter2").unwrap_err().to_string();
        assert!(error.contains("exit status: 3") && !error.contains("hunter2"), "{error}");
        assert!(password("true").unwrap_err().to_string().contains("nothing"));
        let error = password("yes hunter2").unwrap_err().to_string();
        assert!(error.ends_with("it wrote more than 64 KiB"), "{error}");
    }

    #[test]
    fn a_command_has_a_time_limit() {
        for command in ["exec sleep 1000", "echo hunter2; exec sleep 1000", "exec >&-; exec sleep 1000"] {
            let limit = Duration::from_millis(200);
            let error = password(command.as_ref(), limit, &Origin::default()).unwrap_err();
            assert_eq!(error.to_string(), "timed out after 200ms, waiting for --password-command");
        }
    }

    /// All processes that the command started are killed with it, also those that ignore SIGTERM.
    #[test]
    fn nothing_of_a_command_outlives_its_time_limit() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pids").display().to_string();
        for command in [
            format!("sleep 1000 & echo $! > {path}; sleep 1000"),
            format!("(trap '' TERM HUP INT; sh -c 'echo $$ > {path}; sleep 1000; sleep 1000') & wait"),
            format!("sh -c 'echo $$ > {path}; kill -STOP $$' & sleep 1000"),
        ] {
            let limit = Duration::from_millis(500);
            let error = password(command.as_ref(), limit, &Origin::default()).unwrap_err();
            assert!(error.to_string().starts_with("timed out"), "{error}");
            let process = std::fs::read_to_string(&path).unwrap().trim().parse().unwrap();
            let process = rustix::process::Pid::from_raw(process).unwrap();
            // A killed process stays visible until its parent has reaped it.
            let state = || std::fs::read_to_string(format!("/proc/{}/stat", process.as_raw_nonzero()));
            let deadline = std::time::Instant::now() + Duration::from_secs(60);
            while state().is_ok_and(|state| !state.contains(") Z ")) {
                assert!(std::time::Instant::now() < deadline, "{command}");
                std::thread::yield_now();
            }
        }
    }
}
