//! `mqtt broker`: a scratch broker for development and tests, alone or around a command.

use std::ffi::OsString;
use std::future::{pending, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::task::Poll;

use super::attention::{Attention, Stop, in_background};
use crate::broker::{Broker, Options};
use crate::command::{Common, Invocation, Running};
use crate::error::Error;
use crate::exit::Exit;
use crate::output::{Diagnostics, Stdout, Verbosity};

/// A checked command line of `mqtt broker`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where to listen; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// A program and its arguments to run beside the broker, which ends with it; may be empty.
    pub command: Vec<OsString>,
    /// The command's search path for programs, with this program's own directory in front.
    pub command_path: Option<OsString>,
    /// Variables of this program's environment that the command does not get.
    pub foreign_variables: Vec<OsString>,
    /// The variable that tells the command's own runs of this program which broker was started for them.
    pub marker: &'static str,
    /// End when standard input does.
    pub until_eof: bool,
    /// What is said on standard error.
    pub verbosity: Verbosity,
}

impl Invocation for Config {
    fn common(&self) -> Common<'_> {
        (self.verbosity, None)
    }

    fn run(self: Box<Self>, _: &Diagnostics) -> Running<'_> {
        Box::pin(run(*self))
    }
}

/// Runs a broker until a signal asks it to end, until its command or its input has ended, then sends
/// DISCONNECT to every client.
///
/// # Errors
/// The address cannot be listened on, or the command cannot be started.
async fn run(config: Config) -> Result<Exit, Error> {
    let mut attention = Attention::for_another()?;
    let broker = Broker::start(Options { listen: config.listen, ..Options::default() })?;
    let exit = match config.command.split_first() {
        None => {
            let run = async {
                announce(broker.address()).await?;
                until(config.until_eof).await;
                Ok::<_, Error>(())
            };
            // A signal ends it as it is to end.
            attention.during(run).await.unwrap_or(Ok(()))?;
            Exit::Success
        }
        Some((program, arguments)) => {
            let mut command = Command::new(program);
            command.args(arguments);
            for name in &config.foreign_variables {
                command.env_remove(name);
            }
            command.envs(config.command_path.map(|path| ("PATH", path)));
            command.envs([(config.marker, broker.address().ip().to_string())]);
            run_beside(&broker, command, &mut attention).await?
        }
    };
    broker.shutdown().await;
    Ok(exit)
}

/// The address goes to standard output, for the program that started the broker.
async fn announce(address: SocketAddr) -> Result<(), Error> {
    let mut stdout = Stdout::new();
    stdout.buffer().extend_from_slice(format!("listening on {address}\n").as_bytes());
    match stdout.flush().await {
        // A broker whose reader has gone still has its clients.
        Ok(()) | Err(Error::OutputClosed) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Runs the command with the broker's address in its environment; a signal is passed on to it.
async fn run_beside(broker: &Broker, mut command: Command, attention: &mut Attention) -> Result<Exit, Error> {
    let name = PathBuf::from(command.get_program());
    let failed = |error| {
        let error = Error::file(format!("cannot run {}", name.display()), error);
        // A whole command line in quotes is the name of one program.
        let has_blanks = name.to_string_lossy().contains(char::is_whitespace);
        if has_blanks {
            error.with_hint("without the quotes each word is one; for a shell: -- sh -c 'COMMAND'")
        } else {
            error
        }
    };
    let address = broker.address();
    command.envs([("MQTT_HOST", address.ip().to_string()), ("MQTT_PORT", address.port().to_string())]);
    let mut child = command.spawn().map_err(failed)?;
    let process = rustix::process::Pid::from_child(&child);
    let mut ended = in_background(move || child.wait());
    let status = loop {
        let stop = poll_fn(|cx| match std::pin::Pin::new(&mut ended).poll(cx) {
            Poll::Ready(status) => Poll::Ready(Ok(status)),
            Poll::Pending => attention.poll(cx).map(Err),
        });
        match stop.await {
            Ok(status) => break status,
            Err(Stop::Signal(number)) => {
                if let Some(signal) = rustix::process::Signal::from_named_raw(number) {
                    let _ = rustix::process::kill_process(process, signal);
                }
            }
            Err(Stop::Limit(_) | Stop::OutputClosed) => {}
        }
    };
    let status = status.unwrap_or_else(|_| Err(io::ErrorKind::Interrupted.into())).map_err(failed)?;
    Ok(exit_of(status))
}

/// The end of standard input, if that matters; what comes before it is not looked at.
async fn until(eof: bool) {
    if !eof {
        return pending().await;
    }
    let _ = in_background(|| io::copy(&mut io::stdin(), &mut io::sink())).await;
}

/// The command's status becomes this program's own.
fn exit_of(status: ExitStatus) -> Exit {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Command(u8::try_from(code).unwrap_or(1)),
        (None, Some(number)) => Exit::Signal(number),
        (None, None) => Exit::Failure,
    }
}
