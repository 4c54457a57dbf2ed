//! The limits on the work of a program between two results.
//!
//! A program runs on the connection's thread: that is the fastest way, and no other part has to change. It
//! cannot be interrupted there: `def f: f; f` never returns. So another thread watches the process while a
//! message is processed. When a program exceeds its limit of processor time or memory, that thread reports it
//! and ends the process. Endless recursion exceeds the memory limit: the stack of the connection's thread is
//! larger than that limit.
//!
//! Memory is measured on Linux only; elsewhere time is the only limit.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, Thread};
use std::time::Duration;

use crate::error::Error;
use crate::platform::clocks;
use crate::process;
use crate::quotation::shown;
use crate::thread::start_with_stack;

/// Maximum processor time for one message.
pub const MOST_PROCESSOR_TIME: Duration = Duration::from_secs(2);
/// Maximum growth of the process's memory for one message.
pub const MOST_MEMORY_BYTES: u64 = 128 * 1024 * 1024;
/// The stack of the thread that runs programs; unused pages cost nothing. It exceeds the memory that a
/// program may use between two checks.
pub const STACK_BYTES: usize = 384 * 1024 * 1024;

/// The interval of the checks while a message is processed.
const INTERVAL: Duration = Duration::from_millis(10);
/// After this number of checks without work the thread sleeps until there is work.
const MOST_IDLE_LOOKS: u32 = 10;
/// The watching thread only makes system calls and writes one line.
const GUARD_STACK_BYTES: usize = 256 * 1024;

/// What programs are called in the error of [`Guard::watch`].
pub const PROGRAM: &str = "the jq program";

/// Watches the processing of messages.
#[derive(Debug)]
pub struct Guard {
    shared: Arc<Shared>,
    thread: Thread,
    count: Cell<u64>,
}

#[derive(Debug, Default)]
struct Shared {
    /// The number of the work in progress; 0 for none.
    current: AtomicU64,
    message: Mutex<WatchedMessage>,
    is_parked: AtomicBool,
}

/// The latest message.
#[derive(Debug, Default)]
struct WatchedMessage {
    /// What is done with it.
    work: &'static str,
    /// Its number in the run.
    number: u64,
    topic: Vec<u8>,
}

/// The resources used by the process.
struct Usage {
    processor_time: Duration,
    memory_bytes: u64,
}

impl Guard {
    /// Starts to watch. If a limit is exceeded, `say` gets the reason, and the process ends.
    ///
    /// # Errors
    /// The system's error, if it refuses a thread.
    pub fn start(say: impl FnOnce(&Error) + Send + 'static) -> Result<Self, Error> {
        let shared = Arc::<Shared>::default();
        let watched = Arc::clone(&shared);
        let watch = move || {
            let error = watched.wait_for_overrun();
            say(&error);
            process::end(error.exit().code());
        };
        let thread = start_with_stack("jq", GUARD_STACK_BYTES, watch)?.thread().clone();
        Ok(Self { shared, thread, count: Cell::new(0) })
    }

    /// Runs the work on one message under the limits. The message's number in the run and its topic name it in
    /// the error.
    pub fn watch<T>(&self, what: &'static str, (number, topic): (u64, &[u8]), work: impl FnOnce() -> T) -> T {
        let mut latest = self.shared.message();
        (latest.work, latest.number) = (what, number);
        latest.topic.clear();
        latest.topic.extend_from_slice(topic);
        drop(latest);
        let number = self.count.get() + 1;
        self.count.set(number);
        // The order of both stores guarantees that this sees the parked thread, or that the thread sees the
        // work.
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
    fn message(&self) -> MutexGuard<'_, WatchedMessage> {
        self.message.lock().unwrap_or_else(PoisonError::into_inner)
    }

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
                    if let Some(limit) = before.passed_limit() {
                        let WatchedMessage { work, number, topic } = &*self.message();
                        let topic = shown(topic);
                        return Error::Input(format!(
                            "{work} was ended at message {number} on '{topic}': it took more than {limit} for it"
                        ));
                    }
                }
                _ => seen = Some((current, Usage::now())),
            }
        }
    }
}

impl Usage {
    fn now() -> Self {
        Self { processor_time: Duration::from_nanos(clocks::process_cpu()), memory_bytes: memory_bytes() }
    }

    /// The limit exceeded since this measurement.
    fn passed_limit(&self) -> Option<String> {
        let now = Self::now();
        if now.processor_time.saturating_sub(self.processor_time) > MOST_PROCESSOR_TIME {
            Some(format!("{} seconds of processor time", MOST_PROCESSOR_TIME.as_secs()))
        } else if now.memory_bytes.saturating_sub(self.memory_bytes) > MOST_MEMORY_BYTES {
            Some(format!("{} MiB of memory", MOST_MEMORY_BYTES >> 20))
        } else {
            None
        }
    }
}

/// The resident memory of this process; 0 if the system does not report it.
fn memory_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse::<u64>().ok());
    kibibytes.unwrap_or(0) * 1024
}
