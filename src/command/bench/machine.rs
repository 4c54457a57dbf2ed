//! This machine: its facts for the report, the checks of its limits before the first connection, and the
//! embedded broker as a separate process.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use serde::{Deserialize, Serialize};

use super::config::Load;
use super::stamp::hash;
use super::topology::GroupPlan;
use crate::error::Error;
use crate::memory::spare;
use crate::output::Diagnostics;
use crate::platform::machine::{OpenFilesLimit, SystemNames, allow_open_files};
use crate::platform::processes::lead_own_group;
use crate::quotation::shown;

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Host {
    pub(super) os: String,
    pub(super) architecture: String,
    pub(super) kernel: String,
    pub(super) cpus: usize,
    pub(super) memory_bytes: u64,
}

pub(super) fn facts() -> Host {
    let names = SystemNames::get();
    Host {
        os: names.os,
        architecture: names.architecture,
        kernel: names.release,
        cpus: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        memory_bytes: memory("MemTotal:"),
    }
}

/// A digest that identifies the monotonic clock of this machine; different for each process if the system
/// does not identify the clock.
pub(super) fn clock_identity() -> String {
    let text = match std::fs::read_to_string("/proc/sys/kernel/random/boot_id") {
        Ok(boot) => boot + &std::fs::read_to_string("/proc/self/timens_offsets").unwrap_or_default(),
        Err(_) => fastrand::u128(..).to_string(),
    };
    format!("{:016x}", hash(text.as_bytes()))
}

/// Bytes of memory that are available; 0 if the system does not tell.
pub(super) fn available_bytes() -> u64 {
    memory("MemAvailable:")
}

/// Bytes of memory in use by this process; 0 if the system does not tell.
pub(super) fn resident_bytes() -> u64 {
    kibibytes(&std::fs::read_to_string("/proc/self/status").unwrap_or_default(), "VmRSS:")
}

fn memory(name: &str) -> u64 {
    kibibytes(&std::fs::read_to_string("/proc/meminfo").unwrap_or_default(), name)
}

/// A value of the kernel's tables in /proc, in bytes.
pub(super) fn kibibytes(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    number.unwrap_or(0) * 1024
}

/// Descriptors besides those of connections: runtimes, timers, files, standard streams.
const OTHER_DESCRIPTORS: u64 = 64;
/// Bytes of memory per plain connection; the next constant is for TLS.
const PLAIN_BYTES: u64 = 2 * 1024;
const TLS_BYTES: u64 = 24 * 1024;
/// The file in which Linux provides the range of local ports.
const PORT_RANGE: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// Checks descriptors, ports and memory before the first connection. It raises the soft limit of descriptors;
/// for the other shortages the error names the commands.
///
/// # Errors
/// A shortage, with the commands that help.
pub(super) fn check_limits(load: &Load, diagnostics: &Diagnostics) -> Result<(), Error> {
    descriptors(u64::from(load.own_clients()) + OTHER_DESCRIPTORS)?;
    ports(load)?;
    check_memory(load, diagnostics)
}

fn descriptors(needed: u64) -> Result<(), Error> {
    allow_open_files(needed).map_err(|limit| match limit {
        OpenFilesLimit::Hard(most) => {
            short(format!("{needed} open files are needed, and the hard limit is {most}")).with_hint(format!(
                "as root: ulimit -Hn {needed} in the shell, or LimitNOFILE={needed} in the service"
            ))
        }
        OpenFilesLimit::Refused(error) => Error::file("cannot raise the limit of open files", error),
    })
}

/// Checks the ports: all connections go to one broker, so each needs its own port per source address.
fn ports(load: &Load) -> Result<(), Error> {
    let Ok(text) = std::fs::read_to_string(PORT_RANGE) else { return Ok(()) };
    let bounds: Vec<u64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [first, last] = bounds[..] else { return Ok(()) };
    let addresses = load.own_addresses(&load.local_addresses).len().max(1) as u64;
    let clients = u64::from(load.own_clients());
    let ports = (last.saturating_sub(first) + 1) * addresses;
    // The port of the first contact is not free again at once, and a broker on this machine may use another.
    let clients = clients + 2;
    if ports >= clients {
        return Ok(());
    }
    let hint = if (65_535 - 1_024) * addresses >= clients {
        "as root: sysctl -w net.ipv4.ip_local_port_range='1024 65535'".into()
    } else {
        let more = clients.div_ceil(last.saturating_sub(first) + 1);
        format!("connect from {more} addresses: --local-addr A,B,…")
    };
    let from = if addresses == 1 {
        "one source address has".into()
    } else {
        format!("{addresses} source addresses have")
    };
    Err(short(format!("{clients} ports are needed, and {from} {ports}")).with_hint(hint))
}

/// Checks the memory. A shortage is only a warning, because free memory changes during the run, and records of flows
/// without messages take none. But each thread reserves its records at once.
///
/// # Errors
/// The system does not give a thread as much.
fn check_memory(load: &Load, diagnostics: &Diagnostics) -> Result<(), Error> {
    let each = if load.client.endpoint.transport.is_secure() { TLS_BYTES } else { PLAIN_BYTES };
    let of_messages = message_bytes(load);
    let of_thread = usize::try_from(of_messages / (load.threads as u64).max(1)).unwrap_or(usize::MAX);
    let needed = (u64::from(load.own_clients()) * each).saturating_add(of_messages);
    let available = available_bytes();
    let mebibytes = |bytes: u64| bytes >> 20;
    if spare(of_thread).is_err() {
        let why =
            format!("about {} MiB of memory are needed, and the system refuses as much", mebibytes(needed));
        return Err(short(why).with_hint("fewer topics, retained messages or clients"));
    }
    if available > 0 && needed > available {
        diagnostics.warning(format_args!(
            "about {} MiB of memory are needed, and {} MiB are free",
            mebibytes(needed),
            mebibytes(available)
        ));
    }
    Ok(())
}

/// Maximum bytes of the packets of all topics, and of the records that tell messages apart.
fn message_bytes(load: &Load) -> u64 {
    let of = |plan: &GroupPlan| plan.flow_bytes().saturating_add(plan.topic_bytes(load.own_clients_of(plan)));
    GroupPlan::all(&load.groups()).iter().map(of).fold(0, u64::saturating_add)
}

fn short(what: String) -> Error {
    Error::usage(what)
}

/// The embedded broker as a target: a separate process, so that it does not share the generator's threads. It
/// ends when this value is dropped.
pub(super) struct EmbeddedTarget(Child);

impl EmbeddedTarget {
    pub(super) fn process_id(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for EmbeddedTarget {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the broker if the load asks for it, and sets its address in the load.
pub(super) fn start_target(load: &mut Load) -> Result<Option<EmbeddedTarget>, Error> {
    let Some(program) = &load.embedded else { return Ok(None) };
    let failed = |error| Error::file("cannot start the embedded broker", error);
    let mut command = Command::new(program);
    // The broker ends at the end of its standard input; the pipe is closed however this process ends.
    command.args(["broker", "--port", "0", "--quiet", "--until-eof"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    // Ctrl-C is for the generator, which still has to hear the broker out.
    lead_own_group(&mut command);
    let mut target = EmbeddedTarget(command.spawn().map_err(failed)?);
    let mut line = String::new();
    if let Some(stdout) = target.0.stdout.take() {
        BufReader::new(stdout).read_line(&mut line).map_err(failed)?;
    }
    let address = line.trim().rsplit(' ').next().and_then(|word| word.parse::<SocketAddr>().ok());
    let Some(address) = address else {
        return Err(failed(std::io::Error::other(format!("it printed '{}'", shown(line.trim_end())))));
    };
    load.client.aim(&address.ip().to_string(), address.port());
    Ok(Some(target))
}
