//! The program as users run it: a child process with arguments, a clean environment, standard input, and two
//! outputs that are collected.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{PipeReader, PipeWriter, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::time::Instant;

use nix::pty::{Winsize, openpty};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};

use super::collected::Collected;
pub(crate) use super::outcome::Outcome;
use super::outcome::{both_streams, process_state};
use super::{LIMIT, program};

/// A command line of the program to run.
#[derive(Debug)]
pub(crate) struct Mqtt {
    arguments: Vec<OsString>,
    environment: Vec<(OsString, OsString)>,
    limits: Option<&'static str>,
    /// The name by which the program is called, if it is another one.
    called: Option<&'static str>,
    /// Another program to run instead.
    other: Option<PathBuf>,
    stdin: Input,
    stdout: Output,
    /// Whether standard error is a full pipe without a reader.
    stderr_is_full: bool,
    /// The pipe from another program.
    pipe_in: Option<PipeReader>,
    /// The pipe to another program.
    pipe_out: Option<PipeWriter>,
}

#[derive(Debug)]
enum Input {
    /// Empty.
    Null,
    /// These bytes, followed by the end.
    Bytes(Vec<u8>),
    /// This file.
    File(PathBuf),
    /// A pipe that the test writes to.
    Open,
    /// A terminal that the test types at. Standard error goes there too.
    Terminal,
    /// The same, as the process's controlling terminal, where passwords are asked for.
    OwnTerminal,
}

#[derive(Debug, Clone)]
enum Output {
    Collected,
    /// The reader closes it after this number of lines.
    ClosedAfter(usize),
    /// A pipe that stays open and is never read.
    Unread,
    /// The same, and it is full.
    Full,
    /// A pipe that is not read until the test closes it.
    HeldPipe,
    /// A socket that is not read until the test closes it.
    HeldSocket,
    File(PathBuf),
    /// A terminal with this number of columns and rows, whose bytes are collected.
    Terminal(u16, u16),
}

impl Mqtt {
    pub(crate) fn new<I>(arguments: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        let this = Self {
            arguments: Vec::new(),
            environment: Vec::new(),
            limits: None,
            called: None,
            other: None,
            stdin: Input::Null,
            stdout: Output::Collected,
            stderr_is_full: false,
            pipe_in: None,
            pipe_out: None,
        };
        this.args(arguments)
    }

    /// `mqtt pub` to a port of 127.0.0.1.
    pub(crate) fn publish(port: u16) -> Self {
        Self::new(["pub", "-h", "127.0.0.1", "-p", &port.to_string()])
    }

    /// `mqtt sub` from a port of 127.0.0.1.
    pub(crate) fn subscribe(port: u16) -> Self {
        Self::new(["sub", "-h", "127.0.0.1", "-p", &port.to_string()])
    }

    pub(crate) fn args<I>(mut self, arguments: I) -> Self
    where
        I: IntoIterator,
        I::Item: AsRef<OsStr>,
    {
        self.arguments.extend(arguments.into_iter().map(|argument| argument.as_ref().to_owned()));
        self
    }

    /// An option whose value is a path.
    pub(crate) fn arg_path(self, option: &str, path: &std::path::Path) -> Self {
        self.args([OsStr::new(option), path.as_os_str()])
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.environment.push((name.into(), value.as_ref().to_owned()));
        self
    }

    /// Calls the program by this name, as by a link.
    pub(crate) fn called(self, name: &'static str) -> Self {
        Self { called: Some(name), ..self }
    }

    /// Runs this program instead.
    pub(crate) fn instead(self, program: impl Into<PathBuf>) -> Self {
        Self { other: Some(program.into()), ..self }
    }

    /// Runs it in a shell after these commands, such as `ulimit`.
    pub(crate) fn behind(mut self, commands: &'static str) -> Self {
        self.limits = Some(commands);
        self
    }

    /// Sets standard input to these bytes.
    pub(crate) fn stdin(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.stdin = Input::Bytes(bytes.into());
        self
    }

    /// Sets standard input to this file.
    pub(crate) fn stdin_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.stdin = Input::File(path.into());
        self
    }

    /// Sets standard input to the output of another program.
    pub(crate) fn stdin_pipe(mut self, pipe: PipeReader) -> Self {
        self.pipe_in = Some(pipe);
        self
    }

    /// Sends standard output to another program; it is not collected.
    pub(crate) fn stdout_pipe(mut self, pipe: PipeWriter) -> Self {
        self.pipe_out = Some(pipe);
        self
    }

    /// Leaves standard input open; see [`Running::write`].
    pub(crate) fn open_stdin(mut self) -> Self {
        self.stdin = Input::Open;
        self
    }

    /// Makes standard input and standard error a terminal, which echoes what is typed; see [`Running::write`].
    pub(crate) fn on_a_terminal(mut self) -> Self {
        self.stdin = Input::Terminal;
        self
    }

    /// Like [`Mqtt::on_a_terminal`], with the controlling terminal of a session.
    pub(crate) fn on_a_terminal_of_its_own(mut self) -> Self {
        self.stdin = Input::OwnTerminal;
        self
    }

    /// Closes standard output after this number of lines.
    pub(crate) fn close_stdout_after(mut self, lines: usize) -> Self {
        self.stdout = Output::ClosedAfter(lines);
        self
    }

    /// Makes standard output a pipe that stays open and is never read.
    pub(crate) fn leave_stdout_unread(mut self) -> Self {
        self.stdout = Output::Unread;
        self
    }

    /// Makes standard output a full pipe without a reader.
    pub(crate) fn full_stdout(mut self) -> Self {
        self.stdout = Output::Full;
        self
    }

    /// Makes standard error a full pipe without a reader.
    pub(crate) fn full_stderr(mut self) -> Self {
        self.stderr_is_full = true;
        self
    }

    /// Redirects standard output to this file, opened by the shell for appending.
    pub(crate) fn stdout_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.stdout = Output::File(path.into());
        self
    }

    /// Makes standard output a pipe that is not read; see [`Running::close_stdout`].
    pub(crate) fn hold_stdout(mut self) -> Self {
        self.stdout = Output::HeldPipe;
        self
    }

    /// Makes standard output a socket that is not read; see [`Running::close_stdout`].
    pub(crate) fn hold_stdout_socket(mut self) -> Self {
        self.stdout = Output::HeldSocket;
        self
    }

    /// Makes standard output a terminal of this size.
    pub(crate) fn stdout_on_a_terminal(mut self, columns: u16, rows: u16) -> Self {
        self.stdout = Output::Terminal(columns, rows);
        self
    }

    /// Runs it until it ends.
    #[track_caller]
    pub(crate) fn run(self) -> Outcome {
        self.spawn().finish()
    }

    #[track_caller]
    pub(crate) fn spawn(self) -> Running {
        let program = program();
        let mut command = match (self.limits, &self.stdin) {
            (Some(limits), _) => {
                let mut shell = Command::new("/bin/sh");
                shell.args(["-c", &format!("{limits}; exec \"$0\" \"$@\""), program]);
                shell
            }
            // Replaced by the program, with standard input as its terminal.
            (None, Input::OwnTerminal) => {
                let mut session = Command::new("setsid");
                session.arg("--ctty").arg(self.other.as_deref().unwrap_or(Path::new(program)));
                session
            }
            (None, _) => match &self.other {
                Some(other) => Command::new(other),
                None => Command::new(program),
            },
        };
        if let Some(name) = self.called {
            command.arg0(name);
        }
        command.args(&self.arguments).env_clear().envs(self.environment.iter().cloned());
        command.stdin(match &self.stdin {
            Input::Null => Stdio::null(),
            Input::File(path) => File::open(path).unwrap().into(),
            Input::Bytes(_) | Input::Open | Input::Terminal | Input::OwnTerminal => Stdio::piped(),
        });
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let terminal = matches!(self.stdin, Input::Terminal | Input::OwnTerminal).then(|| {
            let terminal = openpty(None, None).unwrap();
            command.stdin(terminal.slave.try_clone().unwrap()).stderr(terminal.slave);
            File::from(terminal.master)
        });
        let screen = match self.stdout {
            Output::Terminal(ws_col, ws_row) => {
                let size = Winsize { ws_col, ws_row, ws_xpixel: 0, ws_ypixel: 0 };
                let terminal = openpty(Some(&size), None).unwrap();
                command.stdout(terminal.slave);
                Some(File::from(terminal.master))
            }
            _ => None,
        };
        let held = held(&self.stdout, &mut command);
        let unread = self.stderr_is_full.then(|| {
            let (reader, writer) = full_pipe();
            command.stderr(writer);
            reader
        });
        if let Some(pipe) = self.pipe_in {
            command.stdin(pipe);
        }
        let goes_on = self.pipe_out.is_some();
        if let Some(pipe) = self.pipe_out {
            command.stdout(pipe);
        }
        let mut child = command.spawn().unwrap();
        // Only the child keeps the other side of the terminal, which ends with the child.
        drop(command);
        let stdin = child.stdin.take().map(feed);
        let stdin = match self.stdin {
            Input::Bytes(bytes) => {
                stdin.unwrap().send(bytes).unwrap();
                None
            }
            Input::Null | Input::Open | Input::File(_) => stdin,
            Input::Terminal | Input::OwnTerminal => {
                terminal.as_ref().map(|terminal| feed(terminal.try_clone().unwrap()))
            }
        };
        let stdout = match self.stdout {
            _ if goes_on => Collected::from(std::io::empty(), usize::MAX),
            Output::Terminal(..) => Collected::from(screen.unwrap(), usize::MAX),
            Output::Collected => Collected::from(child.stdout.take().unwrap(), usize::MAX),
            Output::ClosedAfter(lines) => Collected::from(child.stdout.take().unwrap(), lines),
            Output::Full | Output::HeldPipe | Output::HeldSocket | Output::File(_) => {
                Collected::from(std::io::empty(), usize::MAX)
            }
            Output::Unread => Collected::from(std::io::empty(), usize::MAX), // the child's handle keeps it open
        };
        let modes = terminal.as_ref().map(|terminal| terminal.try_clone().unwrap());
        let stderr = match terminal {
            Some(terminal) => Collected::from(terminal, usize::MAX),
            None if self.stderr_is_full => Collected::from(std::io::empty(), usize::MAX),
            None => Collected::from(child.stderr.take().unwrap(), usize::MAX),
        };
        Running {
            line: shown(&self.arguments),
            child,
            stdin,
            stdout,
            held,
            stderr,
            modes,
            _unread: unread,
            ended: false,
        }
    }
}

/// Gives a command a standard output whose other side the test keeps, or a file.
fn held(stdout: &Output, command: &mut Command) -> Option<OwnedFd> {
    match stdout {
        Output::Full => {
            let (reader, writer) = full_pipe();
            command.stdout(writer);
            Some(reader.into())
        }
        Output::HeldPipe => {
            let (reader, writer) = std::io::pipe().unwrap();
            command.stdout(writer);
            Some(reader.into())
        }
        Output::HeldSocket => {
            let (ours, theirs) = UnixStream::pair().unwrap();
            command.stdout(OwnedFd::from(theirs));
            Some(ours.into())
        }
        Output::File(path) => {
            command.stdout(File::options().create(true).append(true).open(path).unwrap());
            None
        }
        _ => None,
    }
}

/// A full pipe.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, mut writer) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    while writer.write(&[b'x'; 512]).is_ok() {}
    rustix::io::ioctl_fionbio(&writer, false).unwrap();
    (reader, writer)
}

/// Writes to a child's standard input in a separate thread, so that a child that does not read does not block
/// the test. The input ends when the sender is dropped.
fn feed(mut stdin: impl Write + Send + 'static) -> Sender<Vec<u8>> {
    let (sender, chunks) = channel::<Vec<u8>>();
    std::thread::spawn(move || {
        for chunk in chunks {
            // A child may end without reading all input.
            if stdin.write_all(&chunk).is_err() {
                return;
            }
        }
    });
    sender
}

/// A command line as one line, for messages.
fn shown(arguments: &[OsString]) -> String {
    let mut line = "mqtt".to_owned();
    for argument in arguments {
        let text = argument.to_string_lossy();
        line.push(' ');
        if text.chars().count() > 200 {
            line.push_str(&format!("<{} bytes>", argument.len()));
        } else if text.is_empty() || text.contains(|c: char| c.is_whitespace() || c.is_control()) {
            line.push_str(&format!("{text:?}"));
        } else {
            line.push_str(&text);
        }
    }
    line
}

/// The running program. It is killed if this is dropped before its end.
pub(crate) struct Running {
    line: String,
    pub(crate) child: Child,
    stdin: Option<Sender<Vec<u8>>>,
    stdout: Collected,
    /// The other side of standard output.
    held: Option<OwnedFd>,
    stderr: Collected,
    /// The terminal that the test types at.
    modes: Option<File>,
    /// The other side of standard error, if it is not read.
    _unread: Option<PipeReader>,
    ended: bool,
}

impl Running {
    /// Waits until standard output has this number of complete lines.
    #[track_caller]
    pub(crate) fn wait_for_lines(&self, lines: usize) -> &Self {
        let enough = |bytes: &[u8]| bytes.iter().filter(|byte| **byte == b'\n').count() >= lines;
        if !self.stdout.wait(Instant::now() + LIMIT, enough) {
            self.give_up(&format!("{lines} lines on standard output"));
        }
        self
    }

    /// Waits for this text on standard output.
    #[track_caller]
    pub(crate) fn wait_for_stdout(&self, text: &str) -> &Self {
        let found = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(text);
        if !self.stdout.wait(Instant::now() + LIMIT, found) {
            self.give_up(&format!("{text:?} on standard output"));
        }
        self
    }

    /// Waits until its subscriptions are granted, which `-d` shows.
    #[track_caller]
    pub(crate) fn wait_until_subscribed(&self) -> &Self {
        self.wait_for_stderr("Subscribed (mid: ")
    }

    /// Waits for this text on standard error.
    #[track_caller]
    pub(crate) fn wait_for_stderr(&self, text: &str) -> &Self {
        self.wait_for_stderr_times(text, 1)
    }

    /// Waits until this text occurs this number of times on standard error.
    #[track_caller]
    pub(crate) fn wait_for_stderr_times(&self, text: &str, times: usize) -> &Self {
        let enough = |bytes: &[u8]| String::from_utf8_lossy(bytes).matches(text).count() >= times;
        if !self.stderr.wait(Instant::now() + LIMIT, enough) {
            self.give_up(&format!("{text:?} on standard error {times} times"));
        }
        self
    }

    /// The terminal that the test types at, to check its modes, also after the end.
    pub(crate) fn terminal(&self) -> File {
        self.modes.as_ref().unwrap().try_clone().unwrap()
    }

    #[track_caller]
    fn give_up(&self, what: &str) -> ! {
        let streams = both_streams(&self.stdout.text(), &self.stderr.text());
        panic!("waited in vain for {what}\n$ {}\n{}{streams}", self.line, process_state(self.child.id()));
    }

    /// Standard output so far.
    pub(crate) fn stdout(&self) -> Vec<u8> {
        self.stdout.bytes()
    }

    /// Standard error so far.
    pub(crate) fn stderr(&self) -> String {
        self.stderr.text()
    }

    /// Writes to an open standard input.
    #[track_caller]
    pub(crate) fn write(&mut self, bytes: impl AsRef<[u8]>) -> &mut Self {
        // An error means that the child has ended, which other checks detect.
        let _ = self.stdin.as_ref().unwrap().send(bytes.as_ref().to_vec());
        self
    }

    /// Ends standard input.
    pub(crate) fn close_stdin(&mut self) -> &mut Self {
        self.stdin = None;
        self
    }

    /// The other side of a held standard output.
    pub(crate) fn held_stdout(&self) -> &OwnedFd {
        self.held.as_ref().unwrap()
    }

    /// Closes a held standard output, like a reader that ends.
    #[track_caller]
    pub(crate) fn close_stdout(&mut self) -> &mut Self {
        drop(self.held.take().unwrap());
        self
    }

    /// Sends it a signal.
    #[track_caller]
    pub(crate) fn signal(&self, signal: Signal) -> &Self {
        // The child has not been waited for, so the process identifier is still valid.
        kill_process(Pid::from_child(&self.child), signal).unwrap();
        self
    }

    /// Its arguments as other processes see them.
    #[cfg(target_os = "linux")]
    pub(crate) fn command_line(&self) -> String {
        let line = std::fs::read(format!("/proc/{}/cmdline", self.child.id())).unwrap();
        String::from_utf8_lossy(&line).replace('\0', " ")
    }

    /// Whether its main thread is blocked in a system call for this descriptor.
    #[cfg(target_os = "linux")]
    pub(crate) fn is_in_a_call_for(&self, descriptor: u32) -> bool {
        let call = std::fs::read_to_string(format!("/proc/{}/syscall", self.child.id())).unwrap();
        call.split(' ').nth(1) == Some(&format!("{descriptor:#x}"))
    }

    /// The processes that it has started.
    #[cfg(target_os = "linux")]
    pub(crate) fn children(&self) -> Vec<Pid> {
        let id = self.child.id();
        let list = std::fs::read_to_string(format!("/proc/{id}/task/{id}/children")).unwrap();
        list.split_whitespace().map(|id| Pid::from_raw(id.parse().unwrap()).unwrap()).collect()
    }

    /// Waits until this condition holds for standard output.
    #[track_caller]
    pub(crate) fn wait_until(&self, what: &str, holds: impl FnMut(&[u8]) -> bool) -> &Self {
        if !self.stdout.wait(Instant::now() + LIMIT, holds) {
            self.give_up(what);
        }
        self
    }

    /// Ends standard input and waits for the program's end.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Outcome {
        self.stdin = None;
        self.wait_for_end()
    }

    /// Waits for the program's end, without changing standard input.
    #[track_caller]
    pub(crate) fn wait_for_end(mut self) -> Outcome {
        let deadline = Instant::now() + LIMIT;
        if !self.stderr.wait_for_end(deadline) || !self.stdout.wait_for_end(deadline) {
            self.give_up("its end");
        }
        // If its outputs are not read, their ends do not show its end.
        let process = Pid::from_child(&self.child);
        let (tell, ended) = channel();
        std::thread::spawn(move || {
            let end = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
            let _ = waitid(WaitId::Pid(process), end);
            let _ = tell.send(());
        });
        if ended.recv_timeout(deadline.saturating_duration_since(Instant::now())).is_err() {
            self.give_up("its end");
        }
        let status = self.child.wait().unwrap();
        self.ended = true;
        let outcome = Outcome {
            line: self.line.clone(),
            status,
            stdout: self.stdout.bytes(),
            stderr: self.stderr.text(),
        };
        outcome.check(!outcome.stderr.contains("panicked at"), "it panicked");
        outcome
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.ended {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}
