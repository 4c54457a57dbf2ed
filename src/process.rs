//! The end of processes: of commands that the program runs, with their child processes, and of the program
//! itself.

use std::process::Child;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

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
