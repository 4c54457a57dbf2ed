//! The terminal that controls this process, and the process group that it belongs to.

use super::processes::ProcessGroup;

/// The terminal, given to a process group so that it can ask there. It is taken back when this is dropped.
#[derive(Debug)]
pub(crate) struct LentTerminal {
    #[cfg(unix)]
    terminal: std::fs::File,
    #[cfg(unix)]
    ours: rustix::process::Pid,
}

impl LentTerminal {
    /// `None` if there is no terminal, or if this program's group is not in the foreground: only the foreground group
    /// can give the terminal away. Elsewhere than on Unix all processes have the terminal.
    pub(crate) fn give_to(group: ProcessGroup) -> Option<Self> {
        #[cfg(unix)]
        {
            use rustix::process::getpgrp;
            use rustix::termios::{tcgetpgrp, tcsetpgrp};
            let terminal = std::fs::File::options().read(true).write(true).open("/dev/tty").ok()?;
            let ours = tcgetpgrp(&terminal).ok().filter(|owner| *owner == getpgrp())?;
            tcsetpgrp(&terminal, group.leader()).ok()?;
            // A process may have been stopped because it read from the terminal too early.
            group.resume();
            Some(Self { terminal, ours })
        }
        #[cfg(not(unix))]
        {
            let _ = group;
            None
        }
    }
}

#[cfg(unix)]
impl Drop for LentTerminal {
    fn drop(&mut self) {
        use nix::sys::signal::{SigSet, Signal};
        // In a background process, SIGTTOU would stop the program.
        let mut stop = SigSet::empty();
        stop.add(Signal::SIGTTOU);
        let is_blocked = stop.thread_block().is_ok();
        if is_blocked {
            let _ = rustix::termios::tcsetpgrp(&self.terminal, self.ours);
            let _ = stop.thread_unblock();
        }
    }
}
