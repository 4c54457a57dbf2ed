//! Compares passwords in a separate thread, so that only the clients that log in wait for it. Each connection
//! has at most one password there.

use std::sync::mpsc::{self, Sender};

use super::core::Check;

/// The thread. It ends when this value is dropped.
pub(super) struct PasswordThread {
    /// `None` if the system cannot start a thread: then every client is refused.
    checks: Option<Sender<Check>>,
}

/// Starts the thread; it calls `done` with each result.
pub(super) fn start(done: impl Fn(&Check, bool) + Send + 'static) -> PasswordThread {
    let (checks, received) = mpsc::channel::<Check>();
    let run = move || {
        for check in received {
            done(&check, check.run());
        }
    };
    let thread = crate::thread::start("passwords", run);
    PasswordThread { checks: thread.is_ok().then_some(checks) }
}

impl PasswordThread {
    /// Without a thread, the client waits until its connect timeout.
    pub(super) fn send(&self, check: Check) {
        if let Some(checks) = &self.checks {
            // The thread runs as long as this sender exists.
            let _ = checks.send(check);
        }
    }
}
