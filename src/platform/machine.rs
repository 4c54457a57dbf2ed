//! This machine: its names, the user of this process, and how many files it may have open.

use std::io;

/// The names that the system reports.
#[derive(Debug, Clone, Default)]
pub(crate) struct SystemNames {
    /// The operating system.
    pub(crate) os: String,
    /// The release of its kernel; empty elsewhere than on Unix.
    pub(crate) release: String,
    /// The processor architecture.
    pub(crate) architecture: String,
    /// The host name; empty if there is none.
    pub(crate) host: String,
}

impl SystemNames {
    /// The names of this machine; empty if the system refuses them. Not by rustix, which takes its answer for
    /// granted.
    #[cfg(unix)]
    pub(crate) fn get() -> Self {
        let Ok(system) = nix::sys::utsname::uname() else { return Self::default() };
        let text = |name: &std::ffi::OsStr| name.to_string_lossy().into_owned();
        Self {
            os: text(system.sysname()),
            release: text(system.release()),
            architecture: text(system.machine()),
            host: text(system.nodename()),
        }
    }

    /// Those of this machine, as far as they are known without the system.
    #[cfg(not(unix))]
    pub(crate) fn get() -> Self {
        let (os, architecture) = (std::env::consts::OS.into(), std::env::consts::ARCH.into());
        Self { os, release: String::new(), architecture, host: String::new() }
    }
}

/// The number of the user whose rights this process has. Elsewhere than on Unix users have no numbers.
#[cfg_attr(unix, allow(clippy::unnecessary_wraps, reason = "elsewhere there is none"))]
pub(crate) fn user() -> Option<u32> {
    #[cfg(unix)]
    {
        Some(rustix::process::geteuid().as_raw())
    }
    #[cfg(not(unix))]
    {
        None
    }
}

/// The limit of open files of this process: the one it was started with, and a higher one if the system allows it.
/// Elsewhere than on Unix there is none.
#[derive(Debug, Clone)]
pub(crate) struct OpenFiles {
    /// `None` if the system does not report it.
    soft: Option<SoftLimits>,
    #[cfg(unix)]
    hard: u64,
}

/// Soft limits of open files.
#[derive(Debug, Clone, Copy)]
#[cfg_attr(not(unix), allow(dead_code, reason = "as on Unix"))]
struct SoftLimits {
    inherited: u64,
    own: u64,
}

impl OpenFiles {
    /// Raises the soft limit to the hard limit. If the system refuses that, the limit stays as it is.
    pub(crate) fn raise() -> Self {
        #[cfg(unix)]
        {
            // Not rustix's function, which ends the program where the system refuses to report the limit.
            use nix::sys::resource::{Resource::RLIMIT_NOFILE, getrlimit, setrlimit};
            let Ok((inherited, hard)) = getrlimit(RLIMIT_NOFILE) else { return Self { soft: None, hard: 0 } };
            // "No limit" is the largest number.
            let most = hard.min(MOST_OPEN_FILES);
            let is_raised = inherited < most && setrlimit(RLIMIT_NOFILE, most, hard).is_ok();
            let own = if is_raised { most } else { inherited };
            Self { soft: Some(SoftLimits { inherited, own }), hard }
        }
        #[cfg(not(unix))]
        Self { soft: None }
    }

    /// The number of files that may be open; `None` is any number, or one that the system does not report.
    pub(crate) fn limit(&self) -> Option<u64> {
        self.soft.map(|soft| soft.own).filter(|own| *own != u64::MAX)
    }

    /// Starts a program with the limit that this one was started with: programs that use `select` fail with files
    /// beyond 1024.
    pub(crate) fn with_inherited<T>(&self, start: impl FnOnce() -> T) -> T {
        #[cfg(unix)]
        {
            use nix::sys::resource::{Resource::RLIMIT_NOFILE, setrlimit};
            // Files that are open stay so.
            let set = |limit| setrlimit(RLIMIT_NOFILE, limit, self.hard);
            let _ = self.soft.map(|soft| set(soft.inherited));
            let started = start();
            let _ = self.soft.map(|soft| set(soft.own));
            started
        }
        #[cfg(not(unix))]
        start()
    }
}

/// Why a process cannot have so many files open.
#[derive(Debug)]
pub(crate) enum OpenFilesLimit {
    /// The hard limit, which only root can raise.
    Hard(u64),
    /// The system refuses to raise it.
    Refused(io::Error),
}

/// The highest limit of open files that is set without need: no load needs more.
#[cfg(unix)]
const MOST_OPEN_FILES: u64 = 1 << 20;

/// Raises the limit of open files, if it is below this. A limit that the system does not report is left as it is:
/// opening a file then fails, if need be.
///
/// # Errors
/// It cannot be raised so far.
#[cfg(unix)]
pub(crate) fn allow_open_files(needed: u64) -> Result<(), OpenFilesLimit> {
    use nix::sys::resource::{RLIM_INFINITY, Resource::RLIMIT_NOFILE, getrlimit, setrlimit};
    let Ok((soft, hard)) = getrlimit(RLIMIT_NOFILE) else { return Ok(()) };
    if soft >= needed {
        return Ok(());
    }
    if hard < needed {
        return Err(OpenFilesLimit::Hard(hard));
    }
    let most = if hard == RLIM_INFINITY { needed } else { needed.max(hard.min(MOST_OPEN_FILES)) };
    setrlimit(RLIMIT_NOFILE, most, hard).map_err(|error| OpenFilesLimit::Refused(error.into()))
}

/// There is no limit to be raised on this system.
#[cfg(not(unix))]
pub(crate) fn allow_open_files(_: u64) -> Result<(), OpenFilesLimit> {
    Ok(())
}
