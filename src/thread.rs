//! Threads. The system may refuse one, which the standard library's `spawn` answers with a panic: every
//! thread is started here, and a refusal is an error.

use std::io;
use std::thread::{Builder, JoinHandle, Scope, ScopedJoinHandle};

/// What to look at after a refusal. The system gives one reason for both: the stack of a thread takes memory.
pub const LIMIT: &str = "`ulimit -u` shows how many processes and threads a user may have, and `ulimit -v` how much \
                         memory (in KiB) a process";

/// The system has refused a thread. As an [`io::Error`] it says so.
#[derive(Debug)]
pub struct NoThread(pub io::Error);

impl std::fmt::Display for NoThread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "cannot start a thread: {} ({LIMIT})", self.0)
    }
}

impl std::error::Error for NoThread {}

impl From<NoThread> for io::Error {
    fn from(refused: NoThread) -> Self {
        Self::new(refused.0.kind(), refused)
    }
}

/// Starts a thread.
///
/// # Errors
/// The system refuses it; `work` is dropped then, on this thread.
pub fn start<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, NoThread> {
    Builder::new().name(name.into()).spawn(work).map_err(NoThread)
}

/// Starts a thread with a stack of this size.
///
/// # Errors
/// Those of [`start`].
pub fn start_with_stack<T: Send + 'static>(
    name: &str,
    stack_bytes: usize,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<JoinHandle<T>, NoThread> {
    Builder::new().name(name.into()).stack_size(stack_bytes).spawn(work).map_err(NoThread)
}

/// Starts a thread that ends with a scope.
///
/// # Errors
/// Those of [`start`].
pub fn start_in<'scope, T: Send + 'scope>(
    scope: &'scope Scope<'scope, '_>,
    name: &str,
    work: impl FnOnce() -> T + Send + 'scope,
) -> Result<ScopedJoinHandle<'scope, T>, NoThread> {
    Builder::new().name(name.into()).spawn_scoped(scope, work).map_err(NoThread)
}

/// Runs work on a thread with a stack of this size, and waits for it.
///
/// # Errors
/// Those of [`start`].
pub fn on_stack<T: Send>(bytes: usize, work: impl FnOnce() -> T + Send) -> Result<T, NoThread> {
    std::thread::scope(|scope| {
        let thread = Builder::new().name("mqtt".into()).stack_size(bytes);
        let running = thread.spawn_scoped(scope, work).map_err(NoThread)?;
        Ok(running.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}
