//! The broker's process on this machine, from `/proc`. Only on Linux.

use std::fs;
use std::path::PathBuf;

use crate::error::Error;
use crate::notation::printable;

/// Keys of the auxiliary vector (getauxval(3)).
const AT_CLKTCK: usize = 17;
/// The fallback if the system does not tell: Linux has used 100 ticks per second for decades.
const USUAL_TICKS: usize = 100;

/// A process.
#[derive(Debug, Clone)]
pub(in super::super) struct BrokerProcess {
    pid: u32,
    /// Its command, without path.
    pub(in super::super) name: String,
    /// When it started, in ticks; detects that another process has got its identifier.
    began: u64,
    ticks_per_s: usize,
}

/// Resources used by a process.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in super::super) struct ProcessUse {
    /// User and system time of all threads, since its start.
    pub(in super::super) cpu_s: f64,
    pub(in super::super) resident_bytes: u64,
    /// Known only to the user of the process and to root.
    pub(in super::super) descriptors: Option<u64>,
}

/// The fields of `/proc/PID/stat`.
#[derive(Debug, PartialEq, Eq)]
struct Stat {
    name: String,
    state: char,
    ticks: u64,
    began: u64,
}

impl Stat {
    fn read(pid: u32) -> Option<Self> {
        Self::parsed(&fs::read(format!("/proc/{pid}/stat")).ok()?)
    }

    /// The name is in parentheses, and may contain parentheses itself.
    fn parsed(text: &[u8]) -> Option<Self> {
        let open = memchr::memchr(b'(', text)?;
        let close = memchr::memrchr(b')', text)?;
        let name = printable(text.get(open + 1..close)?);
        let rest = std::str::from_utf8(text.get(close + 1..)?).ok()?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        // Numbered from 3 on, as in proc(5).
        let number = |place: usize| fields.get(place - 3)?.parse::<u64>().ok();
        let state = fields.first()?.chars().next()?;
        Some(Self { name, state, ticks: number(14)? + number(15)?, began: number(22)? })
    }

    /// Whether it is running; an ended process may be a zombie until its parent waits for it.
    fn runs(&self) -> bool {
        !matches!(self.state, 'Z' | 'X')
    }
}

impl BrokerProcess {
    /// The process with this identifier.
    ///
    /// # Errors
    /// There is none.
    pub(in super::super) fn find(pid: u32) -> Result<Self, Error> {
        if !PathBuf::from("/proc/self/stat").exists() {
            return Err(Error::usage("--broker-pid needs /proc, which this system does not have"));
        }
        let stat = Stat::read(pid).filter(Stat::runs).ok_or_else(|| {
            Error::usage(format!("--broker-pid {pid}: there is no such process on this machine"))
                .with_hint("pgrep -a mosquitto, or systemctl show -p MainPID SERVICE, shows its number")
        })?;
        let ticks_per_s = ticks_per_s(&fs::read("/proc/self/auxv").unwrap_or_default());
        Ok(Self { pid, name: stat.name, began: stat.began, ticks_per_s })
    }

    /// The resources used so far; `None` if it has ended.
    #[allow(clippy::cast_precision_loss, reason = "hundredths of seconds")]
    pub(in super::super) fn read(&self) -> Option<ProcessUse> {
        let stat = Stat::read(self.pid).filter(|stat| stat.runs() && stat.began == self.began)?;
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        Some(ProcessUse {
            cpu_s: stat.ticks as f64 / self.ticks_per_s as f64,
            resident_bytes: super::super::machine::kibibytes(&status, "VmRSS:"),
            descriptors: self.descriptors(),
        })
    }

    fn descriptors(&self) -> Option<u64> {
        let folder = format!("/proc/{}/fd", self.pid);
        // From Linux 6.2 on, the size of the folder is the number of its entries, which avoids reading up to
        // a hundred thousand entries.
        let length = fs::metadata(&folder).map(|found| found.len()).unwrap_or_default();
        let entries = fs::read_dir(folder).ok()?;
        Some(if length > 0 { length } else { entries.count() as u64 })
    }
}

/// Ticks per second in the times of processes.
fn ticks_per_s(auxiliary: &[u8]) -> usize {
    const WORD: usize = size_of::<usize>();
    let word = |bytes: &[u8]| bytes.try_into().map(usize::from_ne_bytes).ok();
    let mut pairs = auxiliary.chunks_exact(2 * WORD).map(|pair| pair.split_at(WORD));
    let found = pairs.find(|(key, _)| word(key) == Some(AT_CLKTCK)).and_then(|(_, value)| word(value));
    found.filter(|ticks| *ticks > 0).unwrap_or(USUAL_TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_have_brackets_and_blanks() {
        let line = b"42 (a) b) S 1 2 3 4 5 6 7 8 9 10 150 50 1 2 3 4 5 6 777 8 9\n";
        let expected = Stat { name: "a) b".into(), state: 'S', ticks: 200, began: 777 };
        assert_eq!(Stat::parsed(line), Some(expected));
        for text in [
            &b""[..],
            b"42",
            b"42 (a",
            b")(",
            b"42 (a) S 1",
            b"42 (a) S x x x x x x x x x x x x x x x x x x x x",
        ] {
            assert_eq!(Stat::parsed(text), None, "{text:?}");
        }
    }

    #[test]
    fn ticks_are_those_of_the_kernel() {
        let pair = |key: usize, value: usize| [key.to_ne_bytes(), value.to_ne_bytes()].concat();
        assert_eq!(ticks_per_s(&[pair(6, 4096), pair(17, 250), pair(0, 0)].concat()), 250);
        assert_eq!(ticks_per_s(&pair(17, 0)), 100);
        assert_eq!(ticks_per_s(b"short"), 100);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn this_process_uses_memory_and_descriptors() {
        let process = BrokerProcess::find(std::process::id()).unwrap();
        let used = process.read().unwrap();
        assert!(
            used.resident_bytes > 1 << 20 && used.descriptors >= Some(3) && used.cpu_s >= 0.0,
            "{used:?}"
        );
        let other = BrokerProcess { began: process.began + 1, ..process };
        assert_eq!(other.read(), None, "another process has its number");
        assert!(BrokerProcess::find(u32::MAX).is_err());
    }
}
