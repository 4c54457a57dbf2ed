//! A real mosquitto for each test, on a free port of 127.0.0.1 and with its own files.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use super::collected::Collected;
use super::pki::{Authority, Identity};
use super::{LIMIT, Service, skip};

/// The common settings: nothing is dropped or delayed.
const BASE: &str = "\
log_dest stderr
allow_anonymous true
max_queued_messages 0
max_inflight_messages 0
sys_interval 1
";

/// The configuration of a mosquitto.
#[derive(Debug)]
pub(crate) struct Setup {
    log: &'static str,
    /// The options of its listener.
    listener: &'static str,
    lines: String,
    files: Vec<(&'static str, String)>,
}

impl Setup {
    pub(crate) fn new() -> Self {
        Self { log: "all", listener: "listener PORT 127.0.0.1", lines: String::new(), files: Vec::new() }
    }

    /// Logs the start and errors, but not each packet.
    pub(crate) fn quiet(self) -> Self {
        Self { log: "information", ..self }
    }

    fn line(mut self, line: &str) -> Self {
        self.lines.push_str(line);
        self.lines.push('\n');
        self
    }

    /// Keeps sessions and retained messages on disk, as of its last regular end.
    pub(crate) fn persistent(self) -> Self {
        self.line("persistence true").line("persistence_location DIR/").line("autosave_interval 0")
    }

    /// Queues at most this number of messages for a client, and drops the others.
    pub(crate) fn queue(self, messages: u32) -> Self {
        self.line(&format!("max_queued_messages {messages}")).line("max_inflight_messages 20")
    }

    /// Uses WebSockets. Such listeners take the name of an interface and ignore an address, and mosquitto 2.0
    /// does not start with WebSocket listeners only.
    pub(crate) fn web_sockets(self) -> Self {
        Self { listener: "listener 0 DIR/plain\nlistener PORT lo", ..self.line("protocol websockets") }
    }

    /// Has this number of messages in flight to a client, limited by the number of packet identifiers:
    /// mosquitto would assign them twice.
    pub(crate) fn window(self, messages: u32) -> Self {
        self.line(&format!("max_inflight_messages {messages}"))
    }

    /// Uses TLS with this certificate.
    pub(crate) fn tls(self, identity: &Identity) -> Self {
        self.line(&format!("certfile {}", identity.certificate.display()))
            .line(&format!("keyfile {}", identity.key.display()))
    }

    /// Requires client certificates of this authority.
    pub(crate) fn client_certificates(self, authority: &Authority) -> Self {
        self.line(&format!("cafile {}", authority.file().display())).line("require_certificate true")
    }

    /// The topics that may be read and written, in mosquitto's syntax; others are denied.
    pub(crate) fn access(mut self, rules: &str) -> Self {
        self.files.push(("access", format!("{rules}\n")));
        self.line("acl_file DIR/access")
    }
}

/// A line of a password file, made by mosquitto's program.
fn password_line(name: &str, password: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("passwords");
    std::fs::write(&file, format!("{name}:{password}\n")).unwrap();
    let program = program("mosquitto_passwd").expect("mosquitto_passwd comes with mosquitto");
    assert!(Command::new(program).arg("-U").arg(&file).status().unwrap().success());
    std::fs::read_to_string(file).unwrap()
}

/// A running mosquitto.
pub(crate) struct Mosquitto {
    program: PathBuf,
    folder: TempDir,
    port: u16,
    process: Option<Process>,
}

struct Process {
    child: Child,
    log: Collected,
}

impl Mosquitto {
    /// Starts a mosquitto; `None` if it is not installed.
    pub(crate) fn start(setup: &Setup) -> Option<Self> {
        let program = installed()?;
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in &setup.files {
            std::fs::write(folder.path().join(name), content).unwrap();
        }
        let mut this = Self { program, folder, port: 0, process: None };
        // Another program may take the free port before it is used.
        for _ in 0..20 {
            this.port = free_port();
            this.write_configuration(setup);
            if this.launch() {
                return Some(this);
            }
        }
        panic!("mosquitto does not start:\n{}", this.log());
    }

    fn write_configuration(&self, setup: &Setup) {
        // A mosquitto started by root changes to another user, who cannot read a test's files.
        let user = if rustix::process::geteuid().is_root() { "user root\n" } else { "" };
        let folder = self.folder.path().display().to_string();
        let listener = setup.listener.replace("PORT", &self.port.to_string());
        let lines = format!("{listener}\n{}", setup.lines).replace("DIR", &folder);
        let log = setup.log;
        let text = format!("{user}log_type {log}\n{BASE}{lines}");
        std::fs::write(self.folder.path().join("mosquitto.conf"), text).unwrap();
    }

    /// Starts the program; returns whether it is up.
    fn launch(&mut self) -> bool {
        let mut child = Command::new(&self.program)
            .arg("-c")
            .arg(self.folder.path().join("mosquitto.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Collected::from(child.stderr.take().unwrap(), usize::MAX);
        let running = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(" running");
        let up = log.wait(Instant::now() + LIMIT, running);
        self.process = Some(Process { child, log });
        up && self.try_connect()
    }

    /// Sends a CONNECT and waits for the reaction, which may be a refusal or the end of the connection by a
    /// TLS listener. Before that a signal may be lost: mosquitto logs that it is running too early.
    fn try_connect(&self) -> bool {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        stream.write_all(b"\x10\x0c\0\x04MQTT\x04\x02\0\0\0\0").unwrap();
        let silent =
            |error: std::io::Error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
        !stream.read(&mut [0; 4]).is_err_and(silent)
    }

    /// Its log since its last start.
    pub(crate) fn log(&self) -> String {
        self.process.as_ref().map(|process| process.log.text()).unwrap_or_default()
    }

    /// Waits until it has logged this text.
    #[track_caller]
    pub(crate) fn wait_for_log(&self, text: &str) {
        let process = self.process.as_ref().unwrap();
        let found = |bytes: &[u8]| String::from_utf8_lossy(bytes).contains(text);
        assert!(process.log.wait(Instant::now() + LIMIT, found), "no {text:?} in its log:\n{}", self.log());
    }

    /// Its process.
    pub(crate) fn process_id(&self) -> i32 {
        let process = self.process.as_ref().unwrap();
        Pid::from_child(&process.child).as_raw_nonzero().get()
    }

    /// The shell command that starts it again.
    pub(crate) fn start_command(&self) -> String {
        let configuration = self.folder.path().join("mosquitto.conf");
        format!("'{}' -c '{}'", self.program.display(), configuration.display())
    }

    /// Sends it a signal, for example to stop it.
    pub(crate) fn signal(&self, signal: Signal) {
        if let Some(Process { child, .. }) = &self.process {
            kill_process(Pid::from_child(child), signal).unwrap();
        }
    }

    /// Makes it save its state after it has processed all input so far, and waits for that.
    pub(crate) fn save(&self) {
        // In each round it reads a part of each connection, and answers one new connection.
        for _ in 0..200 {
            assert!(self.try_connect());
        }
        self.signal(Signal::USR1);
        self.wait_for_log("Saving in-memory database");
        assert!(self.try_connect()); // it says that it saves before it does
    }

    /// Kills it without a chance to save.
    pub(crate) fn kill(&mut self) {
        self.end(Signal::KILL);
    }

    /// Ends it regularly; persistent state is saved.
    pub(crate) fn stop(&mut self) {
        self.end(Signal::TERM);
    }

    fn end(&mut self, signal: Signal) {
        if let Some(Process { mut child, log }) = self.process.take() {
            let _ = kill_process(Pid::from_child(&child), signal);
            let ended = log.wait_for_end(Instant::now() + LIMIT);
            let _ = child.kill();
            let _ = child.wait();
            assert!(ended || std::thread::panicking(), "mosquitto does not end:\n{}", log.text());
        }
    }

    /// Starts it again on the same port.
    #[track_caller]
    pub(crate) fn start_again(&mut self) {
        assert!(self.process.is_none() && self.launch(), "mosquitto does not start again:\n{}", self.log());
    }
}

impl Service for Mosquitto {
    fn port(&self) -> u16 {
        self.port
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Finds a program like a shell, and where Debian installs servers.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders =
        std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin"), PathBuf::from("/usr/local/sbin")]);
    folders.map(|folder| folder.join(name)).find(|file| Path::is_file(file))
}

/// The program, or a note that a test is skipped.
pub(crate) fn installed() -> Option<PathBuf> {
    let program = program("mosquitto");
    if program.is_none() {
        skip("mosquitto is not installed");
    }
    program
}

/// A port that no program uses now; another one may take it.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
