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
    /// The names of this machine.
    #[cfg(unix)]
    pub(crate) fn get() -> Self {
        let system = rustix::system::uname();
        let text = |name: &std::ffi::CStr| name.to_string_lossy().into_owned();
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
    #[cfg(unix)]
    inherited: rustix::process::Rlimit,
    #[cfg(unix)]
    own: rustix::process::Rlimit,
}

impl OpenFiles {
    /// Raises the soft limit to the hard limit. If the system refuses that, the limit stays as it is.
    pub(crate) fn raise() -> Self {
        #[cfg(unix)]
        {
            use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
            let inherited = getrlimit(Resource::Nofile);
            let most = inherited.maximum.map_or(MOST_OPEN_FILES, |most| most.min(MOST_OPEN_FILES));
            let own = Rlimit { current: Some(most), ..inherited };
            let is_enough = inherited.current.is_none_or(|current| current >= most);
            let is_raised = !is_enough && setrlimit(Resource::Nofile, own).is_ok();
            let own = if is_raised { own } else { inherited };
            Self { inherited, own }
        }
        #[cfg(not(unix))]
        Self {}
    }

    /// The number of files that may be open; `None` is any number.
    pub(crate) fn limit(&self) -> Option<u64> {
        #[cfg(unix)]
        {
            self.own.current
        }
        #[cfg(not(unix))]
        None
    }

    /// Starts a program with the limit that this one was started with: programs that use `select` fail with files
    /// beyond 1024.
    pub(crate) fn with_inherited<T>(&self, start: impl FnOnce() -> T) -> T {
        #[cfg(unix)]
        {
            use rustix::process::{Resource, setrlimit};
            // Files that are open stay so.
            let _ = setrlimit(Resource::Nofile, self.inherited);
            let started = start();
            let _ = setrlimit(Resource::Nofile, self.own);
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

/// Raises the limit of open files, if it is below this.
///
/// # Errors
/// It cannot be raised so far.
#[cfg(unix)]
pub(crate) fn allow_open_files(needed: u64) -> Result<(), OpenFilesLimit> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    if let Some(most) = limit.maximum.filter(|most| *most < needed) {
        return Err(OpenFilesLimit::Hard(most));
    }
    limit.current = limit.maximum.map_or(Some(needed), |most| Some(needed.max(most.min(MOST_OPEN_FILES))));
    setrlimit(Resource::Nofile, limit).map_err(|error| OpenFilesLimit::Refused(error.into()))
}

/// There is no limit to be raised on this system.
#[cfg(not(unix))]
pub(crate) fn allow_open_files(_: u64) -> Result<(), OpenFilesLimit> {
    Ok(())
}
