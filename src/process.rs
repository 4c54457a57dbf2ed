//! The end of processes: of commands that the program runs, with what they have started, and of itself.

use std::process::Child;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};

/// Between two looks at a group that was asked to end.
const PAUSE: Duration = Duration::from_millis(5);
/// What a group has to end by itself when it is asked to.
const GRACE: Duration = Duration::from_millis(500);

/// Asks the whole group of a command to end, and ends it. The command leads the group.
pub fn end_group(child: &mut Child, group: Pid) {
    let until = Instant::now() + GRACE;
    // It may have ended meanwhile; that it is over is all that is wanted.
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

/// Does work on a thread with a stack of this size, and waits for it.
///
/// # Errors
/// The system's, if it refuses the thread.
pub fn on_stack<T: Send>(bytes: usize, work: impl FnOnce() -> T + Send) -> std::io::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("mqtt".into()).stack_size(bytes);
        let running = thread.spawn_scoped(scope, work)?;
        Ok(running.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    })
}

/// Ends this process at once, from any thread.
pub fn end(code: u8) -> ! {
    signal_hook::low_level::exit(code.into())
}
