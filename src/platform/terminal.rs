//! Terminals: their size, how they deliver keys, and the process group that has them.

use std::io;

use super::descriptors::AsDescriptor;
use super::processes::ProcessGroup;

/// The columns and rows of a terminal; `None` if it does not report them, and elsewhere than on Unix.
pub(crate) fn size(terminal: &impl AsDescriptor) -> Option<(u16, u16)> {
    #[cfg(unix)]
    {
        rustix::termios::tcgetwinsize(terminal).ok().map(|size| (size.ws_col, size.ws_row))
    }
    #[cfg(not(unix))]
    {
        let _ = terminal;
        None
    }
}

/// Whether this process may draw on a terminal: it runs in the foreground of a shell. If the system cannot tell, as for
/// a terminal that controls no process, and elsewhere than on Unix, it may.
pub(crate) fn is_in_foreground(terminal: &impl AsDescriptor) -> bool {
    #[cfg(unix)]
    {
        let foreground = rustix::termios::tcgetpgrp(terminal);
        !matches!(foreground, Ok(group) if group != rustix::process::getpgrp())
    }
    #[cfg(not(unix))]
    {
        let _ = terminal;
        true
    }
}

/// Whether the way that terminals deliver keys can be changed on this system.
pub(crate) const HAS_KEY_MODES: bool = cfg!(unix);

/// How a terminal delivers keys. Elsewhere than on Unix that cannot be changed: there is none.
#[derive(Debug, Clone)]
pub(crate) struct KeyMode {
    #[cfg(unix)]
    mode: rustix::termios::Termios,
    #[cfg(not(unix))]
    mode: std::convert::Infallible,
}

/// What becomes of the keys that were typed before a mode is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EarlierKeys {
    Kept,
    Discarded,
}

#[cfg(unix)]
impl KeyMode {
    /// The present mode.
    ///
    /// # Errors
    /// It is not a terminal.
    pub(crate) fn of(terminal: &impl AsDescriptor) -> io::Result<Self> {
        Ok(Self { mode: rustix::termios::tcgetattr(terminal)? })
    }

    /// The same, with keys unseen and one by one, Ctrl-C among them.
    pub(crate) fn with_all_keys_unseen(mut self) -> Self {
        use rustix::termios::{LocalModes, SpecialCodeIndex};
        self.mode.local_modes -= LocalModes::ECHO | LocalModes::ISIG | LocalModes::ICANON;
        self.mode.special_codes[SpecialCodeIndex::VMIN] = 1;
        self.mode.special_codes[SpecialCodeIndex::VTIME] = 0;
        self
    }

    /// The same, with keys unseen and one by one. Ctrl-C and Ctrl-Z still send signals. Ctrl-\ does not: it would leave a
    /// core file, and the terminal in this mode.
    pub(crate) fn with_keys_unseen(mut self) -> Self {
        use rustix::termios::{LocalModes, SpecialCodeIndex};
        self.mode.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
        self.mode.special_codes[SpecialCodeIndex::VQUIT] = 0;
        self
    }

    /// Sets it.
    ///
    /// # Errors
    /// It is not a terminal any more.
    pub(crate) fn set(&self, terminal: &impl AsDescriptor, earlier: EarlierKeys) -> io::Result<()> {
        use rustix::termios::{OptionalActions, tcsetattr};
        let when = match earlier {
            EarlierKeys::Kept => OptionalActions::Now,
            EarlierKeys::Discarded => OptionalActions::Flush,
        };
        Ok(tcsetattr(terminal, when, &self.mode)?)
    }
}

#[cfg(not(unix))]
impl KeyMode {
    /// Not supported on this system.
    pub(crate) fn of(_: &impl AsDescriptor) -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn with_keys_unseen(self) -> Self {
        match self.mode {}
    }

    pub(crate) fn set(&self, _: &impl AsDescriptor, _: EarlierKeys) -> io::Result<()> {
        match self.mode {}
    }
}

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
