//! What can be known to be short before the first connection: descriptors, ports, memory. The soft
//! limit of descriptors is raised without asking; for the rest the commands are named.

use rustix::process::{Resource, getrlimit, setrlimit};

use super::config::{Load, Mode};
use super::flow::{Flows, PLAIN_WORDS, SHARED_WORDS};
use super::host;
use super::plan::Plan;
use crate::error::Error;
use crate::output::Diagnostics;

/// Descriptors beside those of the connections: the runtimes', timers, files, standard streams.
const OTHER_DESCRIPTORS: u64 = 64;
/// Bytes a plain connection takes here, and one with TLS.
const PLAIN_BYTES: u64 = 2 * 1024;
const TLS_BYTES: u64 = 24 * 1024;
/// Where Linux keeps the range of ports that connections start from.
const PORT_RANGE: &str = "/proc/sys/net/ipv4/ip_local_port_range";

/// Raises what can be raised.
///
/// # Errors
/// What is short, with the commands that help.
pub(super) fn check(load: &Load, diagnostics: &Diagnostics) -> Result<(), Error> {
    descriptors(u64::from(load.clients()) + OTHER_DESCRIPTORS)?;
    ports(load)?;
    memory(load, diagnostics);
    Ok(())
}

fn descriptors(needed: u64) -> Result<(), Error> {
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    if let Some(most) = limit.maximum.filter(|most| *most < needed) {
        return Err(short(format!("{needed} open files are needed, and the hard limit is {most}"))
            .with_hint(format!(
                "as root: ulimit -Hn {needed} in the shell, or LimitNOFILE={needed} in the service"
            )));
    }
    limit.current = limit.maximum.map_or(Some(needed), |most| Some(needed.max(most.min(1 << 20))));
    setrlimit(Resource::Nofile, limit)
        .map_err(|error| Error::file("cannot raise the limit of open files", error.into()))
}

/// A connection needs a port of its own for each source address, as all go to one broker.
fn ports(load: &Load) -> Result<(), Error> {
    let Ok(text) = std::fs::read_to_string(PORT_RANGE) else { return Ok(()) };
    let bounds: Vec<u64> = text.split_whitespace().filter_map(|word| word.parse().ok()).collect();
    let [first, last] = bounds[..] else { return Ok(()) };
    let (addresses, clients) = (load.local_addresses.len().max(1) as u64, u64::from(load.clients()));
    let ports = (last.saturating_sub(first) + 1) * addresses;
    // The port of the first contact is not free again at once, and a broker on this machine may
    // have one of them too.
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

/// Too little memory is a warning: nobody knows what will be free by then.
fn memory(load: &Load, diagnostics: &Diagnostics) {
    let each = if load.client.endpoint.transport.is_secure() { TLS_BYTES } else { PLAIN_BYTES };
    let needed = u64::from(load.clients()) * each + flow_bytes(load);
    let available = host::available_bytes();
    if available > 0 && needed > available {
        let mebibytes = |bytes: u64| bytes >> 20;
        diagnostics.warning(format_args!(
            "about {} MiB of memory are needed, and {} MiB are free",
            mebibytes(needed),
            mebibytes(available)
        ));
    }
}

/// What telling messages apart may take.
fn flow_bytes(load: &Load) -> u64 {
    if !matches!(load.mode, Mode::EndToEnd | Mode::Request) {
        return 0;
    }
    let plan = Plan::new(load);
    let words = if load.shared_groups > 0 { SHARED_WORDS } else { PLAIN_WORDS };
    (0..load.subscribers).map(|subscriber| Flows::bytes(plan.flows_of(subscriber), words)).sum()
}

fn short(what: String) -> Error {
    Error::Usage { message: what, hint: None }
}
