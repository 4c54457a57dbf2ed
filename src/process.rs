//! Processes: the end of commands that the program runs, with their child processes, and the end of the program itself.

use std::process::Child;
use std::time::{Duration, Instant};

use crate::platform::processes::ProcessGroup;

/// The interval of the checks on a process group that was asked to end.
const PAUSE: Duration = Duration::from_millis(5);
/// The time a process group has to end by itself.
const GRACE: Duration = Duration::from_millis(500);

/// Asks the process group of a command to end, then kills it. The command is the group's leader.
pub(crate) fn end_group(child: &mut Child) {
    let until = Instant::now() + GRACE;
    let group = ProcessGroup::led_by(child);
    group.ask_to_end();
    let mut is_there = true;
    while is_there && Instant::now() < until {
        std::thread::sleep(PAUSE);
        is_there = group.exists(child);
    }
    if is_there {
        group.kill(child);
    }
    let _ = child.wait();
}

/// Ends this process immediately, from any thread.
pub fn end(code: u8) -> ! {
    signal_hook::low_level::exit(code.into())
}
