//! The limits of what a program does between two results.
//!
//! A program runs on the thread of the connection, which is the fastest, and where every other part of the run may
//! stay as it is. It cannot be interrupted there: `def f: f; f` never comes back. So a thread looks at the process
//! while one message is worked on. When that has taken too much processor time or memory, the thread says so and ends
//! the process. Recursion without end is memory too: the stack of the thread is larger than the limit.
//!
//! Elsewhere than on Linux memory is not measured, and time alone is the limit.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, Thread};
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

use crate::error::Error;
use crate::process;

/// How much processor time one message may take.
pub const MOST_PROCESSOR_TIME: Duration = Duration::from_secs(2);
/// How much more memory it may take than the process had before.
pub const MOST_MEMORY_BYTES: u64 = 128 * 1024 * 1024;
/// The stack of the thread that runs programs: pages that are not used cost nothing. It has room for what is used
/// between two looks.
pub const STACK_BYTES: usize = 384 * 1024 * 1024;

/// How often to look while a message is worked on.
const INTERVAL: Duration = Duration::from_millis(10);
/// After so many looks without work the thread sleeps until there is some.
const MOST_IDLE_LOOKS: u32 = 10;
/// The thread calls the system and writes one line.
const GUARD_STACK_BYTES: usize = 256 * 1024;

/// Watches the work on messages.
#[derive(Debug)]
pub struct Guard {
    shared: Arc<Shared>,
    thread: Thread,
    count: Cell<u64>,
}

#[derive(Debug, Default)]
struct Shared {
    /// The number of the message that is worked on; 0: none.
    current: AtomicU64,
    is_parked: AtomicBool,
}

/// What the process has used.
struct Usage {
    processor_time: Duration,
    memory_bytes: u64,
}

impl Guard {
    /// Starts to watch. When a limit is passed, `say` gets the reason, and the process ends.
    ///
    /// # Errors
    /// The system's, if it refuses a thread.
    pub fn start(say: impl FnOnce(&Error) + Send + 'static) -> Result<Self, Error> {
        let shared = Arc::<Shared>::default();
        let watched = Arc::clone(&shared);
        let watch = move || {
            let error = watched.wait_for_overrun();
            say(&error);
            process::end(error.exit().code());
        };
        let thread = thread::Builder::new().name("jq".into()).stack_size(GUARD_STACK_BYTES).spawn(watch);
        let thread = thread.map_err(|error| Error::file("cannot start a thread", error))?.thread().clone();
        Ok(Self { shared, thread, count: Cell::new(0) })
    }

    /// Does the work on one message.
    pub fn watch<T>(&self, work: impl FnOnce() -> T) -> T {
        let number = self.count.get() + 1;
        self.count.set(number);
        // Either this sees that the thread is parked, or the thread sees that there is work.
        self.shared.current.store(number, Ordering::SeqCst);
        if self.shared.is_parked.load(Ordering::SeqCst) {
            self.thread.unpark();
        }
        let result = work();
        self.shared.current.store(0, Ordering::Release);
        result
    }
}

impl Shared {
    fn wait_for_overrun(&self) -> Error {
        let mut seen: Option<(u64, Usage)> = None;
        let mut idle_looks = 0;
        loop {
            thread::sleep(INTERVAL);
            let current = self.current.load(Ordering::SeqCst);
            if current == 0 {
                seen = None;
                idle_looks += 1;
                if idle_looks > MOST_IDLE_LOOKS {
                    self.is_parked.store(true, Ordering::SeqCst);
                    if self.current.load(Ordering::SeqCst) == 0 {
                        thread::park();
                    }
                    self.is_parked.store(false, Ordering::SeqCst);
                    idle_looks = 0;
                }
                continue;
            }
            idle_looks = 0;
            match &seen {
                Some((number, before)) if *number == current => {
                    if let Some(error) = before.passed_limit() {
                        return error;
                    }
                }
                _ => seen = Some((current, Usage::now())),
            }
        }
    }
}

impl Usage {
    fn now() -> Self {
        let time = clock_gettime(ClockId::ProcessCPUTime);
        let processor_time = Duration::try_from(time).unwrap_or_default();
        Self { processor_time, memory_bytes: memory_bytes() }
    }

    /// The limit that was passed since this was taken.
    fn passed_limit(&self) -> Option<Error> {
        let now = Self::now();
        let what = if now.processor_time.saturating_sub(self.processor_time) > MOST_PROCESSOR_TIME {
            format!("{} seconds of processor time", MOST_PROCESSOR_TIME.as_secs())
        } else if now.memory_bytes.saturating_sub(self.memory_bytes) > MOST_MEMORY_BYTES {
            format!("{} MiB of memory", MOST_MEMORY_BYTES >> 20)
        } else {
            return None;
        };
        Some(Error::Input(format!("the jq program was ended: it took more than {what} for one message")))
    }
}

/// The resident memory of this process; 0 where the system does not say.
fn memory_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}
