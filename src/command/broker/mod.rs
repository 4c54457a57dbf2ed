//! `mqtt broker`: a scratch broker for development and tests, alone or around a command.

mod access;
mod certificates;
mod journal;

use std::ffi::OsString;
use std::future::{pending, poll_fn};
use std::io::{self, ErrorKind::Interrupted};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus};
use std::sync::mpsc;
use std::task::Poll;
use std::time::{Duration, SystemTime};

pub use self::access::AccessFiles;
use self::access::AccessReading;
use self::certificates::reachable;
pub use self::certificates::{Certificates, OwnCertificate};
pub use self::journal::LogPlace;
use self::journal::Logs;
use super::attention::{Attention, Stop, in_background};
use crate::broker::{Bind, Broker, Faults, Limits, Listener, Options, ServerTls};
use crate::command::{Common, Invocation, Running};
use crate::error::Error;
use crate::exit::Exit;
use crate::output::{Diagnostics, Stdout, Verbosity};
use crate::platform::machine::OpenFiles;
use crate::platform::processes::{SignalledProcess, ended_by};
use crate::signal::HangUps;

/// A checked command line of `mqtt broker`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The listening addresses; port 0 lets the system choose.
    pub listeners: Vec<Listener>,
    /// The certificate, if a listener uses TLS.
    pub certificates: Option<Certificates>,
    /// The users who may connect, and the rights of each client.
    pub access: AccessFiles,
    /// Limits on the broker's memory and its clients.
    pub limits: Limits,
    /// The interval of the messages below `$SYS` about the broker's state.
    pub system_interval: Option<Duration>,
    /// The broker's name and version in these messages.
    pub software: &'static str,
    /// Faults to simulate.
    pub faults: Faults,
    /// The seed of the random numbers for faults with a probability.
    pub seed: Option<u64>,
    /// A program and its arguments to run with the broker; the broker ends when the program does. May be
    /// empty.
    pub command: Vec<OsString>,
    /// The command's search path for programs, starting with this program's directory.
    pub command_path: Option<OsString>,
    /// Variables of this program's environment that are not passed to the command.
    pub foreign_variables: Vec<OsString>,
    /// The variable that tells runs of this program in the command which broker was started for them.
    pub marker: &'static str,
    /// Whether to end at the end of standard input.
    pub until_eof: bool,
    /// Where a log is written.
    pub log: Option<LogPlace>,
    /// The verbosity on standard error.
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

/// Runs a broker until a signal, or until its command or its input ends, then sends DISCONNECT to every
/// client.
///
/// # Errors
/// A listener cannot be opened, a file cannot be used, or the command cannot be started.
async fn run(config: Config, diagnostics: Diagnostics) -> Result<Exit, Error> {
    let mut attention = Attention::for_another()?;
    let open_files = OpenFiles::raise();
    let logs = Logs::open(config.log.as_ref(), config.verbosity, config.software)?;
    let diagnostics = logs.diagnostics(&diagnostics);
    let outcome = run_logged(config, &logs, &open_files, &mut attention, &diagnostics).await;
    logs.end(&diagnostics);
    outcome
}

async fn run_logged(
    config: Config,
    logs: &Logs,
    open_files: &OpenFiles,
    attention: &mut Attention,
    diagnostics: &Diagnostics,
) -> Result<Exit, Error> {
    let tls = config.certificates.as_ref().map(|own| own.load(&config.listeners)).transpose()?;
    let out_of_date = tls.as_ref().and_then(|tls| tls.out_of_date(SystemTime::now()));
    if let Some(when) = out_of_date {
        diagnostics.warning(format_args!("the certificate of --cert {when}: clients refuse it"));
    }
    tls.iter().flat_map(ServerTls::warnings).for_each(|warning| diagnostics.warning(warning));
    let access = config.access.load(AccessReading::First)?;
    let hang_ups = HangUps::catch()?;
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
        journal: logs.journal(),
        ..Options::default()
    };
    logs.starts();
    let broker = Broker::start(options)?;
    logs.listens(broker.listeners(), diagnostics);
    logs.bounds(open_files.limit(), config.limits.connections, diagnostics);
    let exit = tokio::select! {
    exit = serve(&config, &broker, open_files, attention, diagnostics) => exit?,
            never = access::reload(&config.access, hang_ups, &broker, logs, diagnostics) => match never {},
        };
    broker.shutdown().await;
    Ok(exit)
}

/// Serves until a signal, or until the command or the input ends.
async fn serve(
    config: &Config,
    broker: &Broker,
    open_files: &OpenFiles,
    attention: &mut Attention,
    diagnostics: &Diagnostics,
) -> Result<Exit, Error> {
    let certificates = config.certificates.as_ref();
    let Some((program, arguments)) = config.command.split_first() else {
        let run = async {
            announce(broker.listeners()).await?;
            let lines = broker.listeners().iter().filter_map(|listener| certificates?.client_line(listener));
            lines.for_each(|line| diagnostics.state(format_args!("for example: {line}")));
            until(config.until_eof).await
        };
        // A signal is the regular end.
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
    run_beside(command, open_files, attention).await
}

/// Writes the listeners to standard output, for the program that started the broker; for plain TCP only the
/// address.
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
        // A broker without a reader continues to serve its clients.
        Ok(()) | Err(Error::OutputClosed) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The listener that is announced to a command: plain TCP if there is one, otherwise the first.
fn primary(listeners: &[Listener]) -> Listener {
    let plain = listeners.iter().find(|listener| listener.is_plain_tcp());
    plain.or(listeners.first()).map(reachable).unwrap_or_default()
}

/// The variables that tell a command how to reach the broker.
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

/// Runs the command, and passes signals on to it.
async fn run_beside(
    mut command: Command,
    open_files: &OpenFiles,
    attention: &mut Attention,
) -> Result<Exit, Error> {
    let name = PathBuf::from(command.get_program());
    let failed = |error| {
        let error = Error::file(format!("cannot run {}", name.display()), error);
        // A quoted command line is taken as the name of one program.
        let has_blanks = name.to_string_lossy().contains(char::is_whitespace);
        if has_blanks {
            error.with_hint("without the quotes each word is one; for a shell: -- sh -c 'COMMAND'")
        } else {
            error
        }
    };
    // The thread comes first: without one, the command is not started.
    let (started, child) = mpsc::sync_channel::<Child>(1);
    let mut ended =
        in_background(move || child.recv().map_or(Err(Interrupted.into()), |mut child| child.wait()))?;
    let child = open_files.with_inherited(|| command.spawn()).map_err(failed)?;
    let process = SignalledProcess::of(&child);
    // The thread waits for the command.
    let _ = started.send(child);
    let status = loop {
        let stop = poll_fn(|cx| match std::pin::Pin::new(&mut ended).poll(cx) {
            Poll::Ready(status) => Poll::Ready(Ok(status)),
            Poll::Pending => attention.poll(cx).map(Err),
        });
        match stop.await {
            Ok(status) => break status,
            Err(Stop::Signal(number)) => process.send(number),
            Err(Stop::Limit(_) | Stop::OutputClosed) => {}
        }
    };
    let status = status.unwrap_or_else(|_| Err(Interrupted.into())).map_err(failed)?;
    Ok(exit_of(status))
}

/// Waits for the end of standard input, if `eof` is set; the input is ignored.
///
/// # Errors
/// The system refuses a thread.
async fn until(eof: bool) -> Result<(), Error> {
    if !eof {
        return pending().await;
    }
    let _ = in_background(|| io::copy(&mut io::stdin(), &mut io::sink()))?.await;
    Ok(())
}

/// The command's status becomes this program's status.
fn exit_of(status: ExitStatus) -> Exit {
    match (status.code(), ended_by(status)) {
        (Some(code), _) => Exit::Command(u8::try_from(code).unwrap_or(1)),
        (None, Some(number)) => Exit::Signal(number),
        (None, None) => Exit::Failure,
    }
}
