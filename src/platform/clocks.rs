//! Clocks, in nanoseconds. Elsewhere than on Unix all of them are the time since the first look at one: processor time
//! is then as long as the run.

/// The monotonic clock. On Unix it is the same in all processes of this machine.
#[cfg(unix)]
pub(crate) fn monotonic() -> u64 {
    nanoseconds(rustix::time::ClockId::Monotonic)
}

/// The processor time that this thread has used.
#[cfg(unix)]
pub(crate) fn thread_cpu() -> u64 {
    nanoseconds(rustix::time::ClockId::ThreadCPUTime)
}

/// The processor time that this process has used.
#[cfg(unix)]
pub(crate) fn process_cpu() -> u64 {
    nanoseconds(rustix::time::ClockId::ProcessCPUTime)
}

#[cfg(unix)]
fn nanoseconds(clock: rustix::time::ClockId) -> u64 {
    let time = rustix::time::clock_gettime(clock);
    let (seconds, nanoseconds) = (u64::try_from(time.tv_sec), u64::try_from(time.tv_nsec));
    seconds.unwrap_or(0) * 1_000_000_000 + nanoseconds.unwrap_or(0)
}

#[cfg(not(unix))]
pub(crate) use self::since_start as monotonic;
#[cfg(not(unix))]
pub(crate) use self::since_start as process_cpu;
#[cfg(not(unix))]
pub(crate) use self::since_start as thread_cpu;

#[cfg(not(unix))]
pub(crate) fn since_start() -> u64 {
    static START: std::sync::OnceLock<std::time::Instant> = std::sync::OnceLock::new();
    let start = START.get_or_init(std::time::Instant::now);
    u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_grows() {
        let before = (monotonic(), thread_cpu(), process_cpu());
        let mut sum = 0_u64;
        for number in 0..2_000_000_u64 {
            sum = sum.wrapping_add(std::hint::black_box(number));
        }
        std::hint::black_box(sum);
        let after = (monotonic(), thread_cpu(), process_cpu());
        assert!(after.0 > before.0 && after.1 > before.1 && after.2 > before.2);
    }
}
