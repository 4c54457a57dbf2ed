//! Processes: their groups, the signals passed on to them, and how they ended.

use std::process::{Child, Command, ExitStatus};

/// Makes a command the leader of a process group of its own, so that Ctrl-C is not for it. Elsewhere than on Unix it
/// stays in the group of this process.
pub(crate) fn lead_own_group(command: &mut Command) {
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(command, 0);
    #[cfg(not(unix))]
    let _ = command;
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
