//! Where passwords are compared: a thread of its own, so that nobody waits for it but those who log in. A
//! connection has at most one password there.

use std::sync::mpsc::{self, Sender};

use super::core::Check;

/// The thread. It ends when this is dropped.
pub(super) struct PasswordThread {
    /// `None` if the system gives no thread: then every client is refused.
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
    let thread = std::thread::Builder::new().name("passwords".into()).spawn(run);
    PasswordThread { checks: thread.is_ok().then_some(checks) }
}

impl PasswordThread {
    /// Without a thread, the client waits until its time to connect is over.
    pub(super) fn send(&self, check: Check) {
        if let Some(checks) = &self.checks {
            // The thread ends only after this.
            let _ = checks.send(check);
        }
    }
}
