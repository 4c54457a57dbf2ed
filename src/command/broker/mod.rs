//! `mqtt broker`: a scratch broker for development and tests, alone or around a command.

mod access;
mod certificates;

use std::ffi::OsString;
use std::future::{pending, poll_fn};
use std::io;
use std::path::PathBuf;
use std::process::{Command, ExitStatus};
use std::task::Poll;
use std::time::Duration;

pub use self::access::AccessFiles;
use self::certificates::reachable;
pub use self::certificates::{Certificates, OwnCertificate};
use super::attention::{Attention, Stop, in_background};
use crate::broker::{Bind, Broker, Faults, Limits, Listener, Options};
use crate::command::{Common, Invocation, Running};
use crate::error::Error;
use crate::exit::Exit;
use crate::output::{Diagnostics, Stdout, Verbosity};
use crate::signal::HangUps;

/// A checked command line of `mqtt broker`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// What to listen on; port 0 lets the system choose.
    pub listeners: Vec<Listener>,
    /// The certificate, where a listener has TLS.
    pub certificates: Option<Certificates>,
    /// Who may connect, and what each client may do.
    pub access: AccessFiles,
    /// What bounds the broker's memory and its clients.
    pub limits: Limits,
    /// How often the broker's state is published below `$SYS`.
    pub system_interval: Option<Duration>,
    /// What is published there as the broker's name and version.
    pub software: &'static str,
    /// Misbehaviour on request.
    pub faults: Faults,
    /// What faults with a share are drawn from.
    pub seed: Option<u64>,
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

    fn run(self: Box<Self>, diagnostics: &Diagnostics) -> Running<'_> {
        let diagnostics = diagnostics.for_thread();
        Box::pin(run(*self, diagnostics))
    }
}

/// Runs a broker until a signal asks it to end, until its command or its input has ended, then sends
/// DISCONNECT to every client.
///
/// # Errors
/// A listener cannot be opened, a file cannot be used, or the command cannot be started.
async fn run(config: Config, diagnostics: Diagnostics) -> Result<Exit, Error> {
    let mut attention = Attention::for_another()?;
    let tls = config.certificates.as_ref().map(|own| own.load(&config.listeners)).transpose()?;
    let access = config.access.load()?;
    let hang_ups = if config.access.are_none() { None } else { Some(HangUps::catch()?) };
    let listeners = config.listeners.clone();
    let (limits, faults) = (config.limits.clone(), config.faults.clone());
    let seed = config.seed.unwrap_or_else(|| fastrand::u64(..));
    if config.seed.is_none() && faults != Faults::default() {
        diagnostics.state(format_args!("faults are drawn from --seed {seed}"));
    }
    let (system_interval, software) = (config.system_interval, config.software);
    let options = Options {
        listeners,
        tls,
        access,
        limits,
        faults,
        system_interval,
        software,
        seed,
        ..Options::default()
    };
    let broker = Broker::start(options)?;
    let exit = tokio::select! {
        exit = serve(&config, &broker, &mut attention, &diagnostics) => exit?,
        never = access::reload(&config.access, hang_ups, &broker, &diagnostics) => match never {},
    };
    broker.shutdown().await;
    Ok(exit)
}

/// Until a signal asks for the end, or what the broker runs for has ended.
async fn serve(
    config: &Config,
    broker: &Broker,
    attention: &mut Attention,
    diagnostics: &Diagnostics,
) -> Result<Exit, Error> {
    let certificates = config.certificates.as_ref();
    let Some((program, arguments)) = config.command.split_first() else {
        let run = async {
            announce(broker.listeners()).await?;
            let lines = broker.listeners().iter().filter_map(|listener| certificates?.client_line(listener));
            lines.for_each(|line| diagnostics.state(format_args!("for example: {line}")));
            until(config.until_eof).await;
            Ok::<_, Error>(())
        };
        // A signal ends it as it is to end.
        attention.during(run).await.unwrap_or(Ok(()))?;
        return Ok(Exit::Success);
    };
    let mut command = Command::new(program);
    command.args(arguments);
    for name in &config.foreign_variables {
        command.env_remove(name);
    }
    command.envs(config.command_path.as_ref().map(|path| ("PATH", path)));
    let listener = primary(broker.listeners());
    command.envs(way_to(&listener, certificates)?);
    let host = listener.address().map_or_else(|| "localhost".to_owned(), |address| address.ip().to_string());
    command.envs([(config.marker, host)]);
    run_beside(command, attention).await
}

/// The listeners go to standard output, for the program that started the broker. Of plain TCP that is the
/// address alone.
async fn announce(listeners: &[Listener]) -> Result<(), Error> {
    let mut stdout = Stdout::new();
    for listener in listeners {
        let line = match listener.address() {
            Some(address) if listener.is_plain_tcp() => format!("listening on {address}\n"),
            _ => format!("listening on {listener}\n"),
        };
        stdout.buffer().extend_from_slice(line.as_bytes());
    }
    match stdout.flush().await {
        // A broker whose reader has gone still has its clients.
        Ok(()) | Err(Error::OutputClosed) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The listener that a command is told of: plain TCP if there is one, or else the first.
fn primary(listeners: &[Listener]) -> Listener {
    let plain = listeners.iter().find(|listener| listener.is_plain_tcp());
    plain.or(listeners.first()).map(reachable).unwrap_or_default()
}

/// The variables by which a command finds the broker.
fn way_to(
    listener: &Listener,
    certificates: Option<&Certificates>,
) -> Result<Vec<(&'static str, OsString)>, Error> {
    let mut variables = match &listener.place {
        Bind::Unix(path) => {
            let path =
                std::path::absolute(path).map_err(|error| Error::file(path.display().to_string(), error))?;
            vec![("MQTT_UNIX", path.into_os_string())]
        }
        Bind::Network(address) if listener.is_plain_tcp() => {
            let (host, port) = (address.ip().to_string(), address.port().to_string());
            vec![("MQTT_HOST", host.into()), ("MQTT_PORT", port.into())]
        }
        Bind::Network(_) => vec![("MQTT_URL", listener.to_string().into())],
    };
    if let Some(file) = certificates.and_then(Certificates::authority).filter(|_| listener.tls) {
        let file =
            std::path::absolute(file).map_err(|error| Error::file(file.display().to_string(), error))?;
        variables.push(("MQTT_CAFILE", file.into_os_string()));
    }
    Ok(variables)
}

/// Runs the command, to which a signal is passed on.
async fn run_beside(mut command: Command, attention: &mut Attention) -> Result<Exit, Error> {
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
