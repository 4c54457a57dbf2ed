//! What this machine is and what this process uses of it.

use super::summary::Host;

pub(super) fn facts() -> Host {
    let system = rustix::system::uname();
    let text = |name: &std::ffi::CStr| name.to_string_lossy().into_owned();
    Host {
        os: text(system.sysname()),
        architecture: text(system.machine()),
        kernel: text(system.release()),
        cpus: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        memory_bytes: memory("MemTotal:"),
    }
}

/// Bytes of memory that this process could still get; 0 where the system does not say.
pub(super) fn available_bytes() -> u64 {
    memory("MemAvailable:")
}

/// Bytes of memory this process has in use; 0 where the system does not say.
pub(super) fn resident_bytes() -> u64 {
    kibibytes(&std::fs::read_to_string("/proc/self/status").unwrap_or_default(), "VmRSS:")
}

fn memory(name: &str) -> u64 {
    kibibytes(&std::fs::read_to_string("/proc/meminfo").unwrap_or_default(), name)
}

fn kibibytes(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    number.unwrap_or(0) * 1024
}
