//! Processes: their groups, the signals passed on to them, how they ended, and another program in place of this one.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::Path;
use std::process::{Child, Command, ExitStatus};

/// Makes a command the leader of a process group of its own, so that Ctrl-C is not for it. Elsewhere than on Unix it
/// stays in the group of this process.
pub(crate) fn lead_own_group(command: &mut Command) {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    #[cfg(not(unix))]
    let _ = command;
}

/// The process group that a child leads. Elsewhere than on Unix it is the child alone.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ProcessGroup {
    #[cfg(unix)]
    leader: rustix::process::Pid,
}

/// Errors are ignored: the group may have ended already.
impl ProcessGroup {
    /// The group of a child that was started with [`lead_own_group`].
    pub(crate) fn led_by(child: &Child) -> Self {
        #[cfg(not(unix))]
        let _ = child;
        Self {
            #[cfg(unix)]
            leader: rustix::process::Pid::from_child(child),
        }
    }

    /// Asks all its processes to end, those that are stopped as well. Elsewhere than on Unix there is no way to ask.
    pub(crate) fn ask_to_end(self) {
        #[cfg(unix)]
        let _ = rustix::process::kill_process_group(self.leader, rustix::process::Signal::TERM);
        self.resume();
    }

    /// Has its processes that are stopped go on. Elsewhere than on Unix none is.
    pub(crate) fn resume(self) {
        #[cfg(unix)]
        let _ = rustix::process::kill_process_group(self.leader, rustix::process::Signal::CONT);
    }

    /// Whether it has a process. Elsewhere than on Unix: whether its leader, which is `child`, runs.
    pub(crate) fn exists(self, child: &mut Child) -> bool {
        #[cfg(unix)]
        {
            // A leader that has ended belongs to it until it is waited for.
            let _ = child.try_wait();
            rustix::process::test_kill_process_group(self.leader).is_ok()
        }
        #[cfg(not(unix))]
        {
            child.try_wait().is_ok_and(|status| status.is_none())
        }
    }

    /// Ends all its processes. Elsewhere than on Unix: its leader, which is `child`.
    pub(crate) fn kill(self, child: &mut Child) {
        #[cfg(unix)]
        {
            let _ = child;
            let _ = rustix::process::kill_process_group(self.leader, rustix::process::Signal::KILL);
        }
        #[cfg(not(unix))]
        let _ = child.kill();
    }

    /// The number of its leader's process.
    #[cfg(unix)]
    pub(super) fn leader(self) -> rustix::process::Pid {
        self.leader
    }
}

/// Runs another program in place of this one, with these arguments, of which the first is its name, and with these
/// variables besides those of this one. Returns only if that fails, with the error; elsewhere than on Unix always, without
/// one.
pub(crate) fn replace_this(
    program: &Path,
    arguments: &[OsString],
    variables: impl IntoIterator<Item = (impl AsRef<OsStr>, impl AsRef<OsStr>)>,
) -> Option<io::Error> {
    #[cfg(unix)]
    {
        use std::os::unix::process::CommandExt as _;
        let (name, rest) = arguments.split_first()?;
        Some(Command::new(program).arg0(name).args(rest).envs(variables).exec())
    }
    #[cfg(not(unix))]
    {
        let _ = (program, arguments, variables.into_iter());
        None
    }
}

/// A process that signals can be passed on to.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SignalledProcess {
    #[cfg(unix)]
    process: rustix::process::Pid,
}

impl SignalledProcess {
    /// That of a child.
    pub(crate) fn of(child: &Child) -> Self {
        #[cfg(not(unix))]
        let _ = child;
        Self {
            #[cfg(unix)]
            process: rustix::process::Pid::from_child(child),
        }
    }

    /// Sends it this signal. It may have ended already. Elsewhere than on Unix there are no signals, and Ctrl-C reaches
    /// it by itself.
    pub(crate) fn send(self, number: i32) {
        #[cfg(unix)]
        if let Some(signal) = rustix::process::Signal::from_named_raw(number) {
            let _ = rustix::process::kill_process(self.process, signal);
        }
        #[cfg(not(unix))]
        let _ = number;
    }
}

/// Stops this process, as Ctrl-Z does, until it is told to go on. Elsewhere than on Unix it just goes on.
pub(crate) fn stop_this() {
    #[cfg(unix)]
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP);
}

/// The signal that has ended a process, if one has; elsewhere than on Unix none does.
pub(crate) fn ended_by(status: ExitStatus) -> Option<i32> {
    #[cfg(unix)]
    {
        std::os::unix::process::ExitStatusExt::signal(&status)
    }
    #[cfg(not(unix))]
    {
        let _ = status;
        None
    }
}
