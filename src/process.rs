//! Processes: the end of commands that the program runs, with their child processes; the end of the program itself,
//! and its limit of open files.

use std::process::Child;
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, Resource, Rlimit, Signal, getrlimit, kill_process_group, setrlimit, test_kill_process_group,
};

/// The interval of the checks on a process group that was asked to end.
const PAUSE: Duration = Duration::from_millis(5);
/// The time a process group has to end by itself.
const GRACE: Duration = Duration::from_millis(500);

/// Asks the process group of a command to end, then kills it. The command is the group's leader.
pub fn end_group(child: &mut Child, group: Pid) {
    let until = Instant::now() + GRACE;
    // Errors are ignored: the group may have ended already.
    let _ = kill_process_group(group, Signal::TERM);
    let _ = kill_process_group(group, Signal::CONT);
    let mut is_there = true;
    while is_there && Instant::now() < until {
        std::thread::sleep(PAUSE);
        let _ = child.try_wait();
        is_there = test_kill_process_group(group).is_ok();
    }
    if is_there {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.wait();
}

/// The highest limit of open files that is asked for: no load needs more.
const MOST_OPEN_FILES: u64 = 1 << 20;

/// The limit of open files of this process: the one it was started with, and a higher one if the system allows it.
#[derive(Debug, Clone)]
pub struct OpenFiles {
    inherited: Rlimit,
    own: Rlimit,
}

impl OpenFiles {
    /// Raises the soft limit to the hard limit. If the system refuses that, the limit stays as it is.
    #[must_use]
    pub fn raise() -> Self {
        let inherited = getrlimit(Resource::Nofile);
        let most = inherited.maximum.map_or(MOST_OPEN_FILES, |most| most.min(MOST_OPEN_FILES));
        let own = Rlimit { current: Some(most), ..inherited };
        let is_enough = inherited.current.is_none_or(|current| current >= most);
        let is_raised = !is_enough && setrlimit(Resource::Nofile, own).is_ok();
        let own = if is_raised { own } else { inherited };
        Self { inherited, own }
    }

    /// The number of files that may be open; `None` is any number.
    #[must_use]
    pub fn limit(&self) -> Option<u64> {
        self.own.current
    }

    /// Starts a program with the limit that this one was started with: programs that use `select` fail with files
    /// beyond 1024.
    pub fn with_inherited<T>(&self, start: impl FnOnce() -> T) -> T {
        // Files that are open stay so.
        let _ = setrlimit(Resource::Nofile, self.inherited);
        let started = start();
        let _ = setrlimit(Resource::Nofile, self.own);
        started
    }
}

/// Runs work on a thread with a stack of this size, and waits for it.
///
/// # Errors
/// The system's error, if it refuses the thread.
pub fn on_stack<T: Send>(bytes: usize, work: impl FnOnce() -> T + Send) -> std::io::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("mqtt".into()).stack_size(bytes);
        let running = thread.spawn_scoped(scope, work)?;
        Ok(running.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// Ends this process immediately, from any thread.
pub fn end(code: u8) -> ! {
    signal_hook::low_level::exit(code.into())
}
