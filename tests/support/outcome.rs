//! The result of a run, and checks of it.

use std::process::ExitStatus;

use rustix::process::Signal;

/// The result of a run.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(super) line: String,
    pub(crate) status: ExitStatus,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

impl Outcome {
    #[track_caller]
    pub(super) fn check(&self, good: bool, complaint: &str) {
        let streams = both_streams(&String::from_utf8_lossy(&self.stdout), &self.stderr);
        assert!(good, "{complaint}\n$ {}\n{}\n{streams}", self.line, self.status);
    }

    #[track_caller]
    pub(crate) fn exits(self, code: i32) -> Self {
        self.check(self.status.code() == Some(code), &format!("exit status {code} was expected"));
        self
    }

    /// Checks that this signal ended it, as the caller sees it.
    #[track_caller]
    pub(crate) fn dies_of(self, signal: Signal) -> Self {
        use std::os::unix::process::ExitStatusExt;
        let number = signal.as_raw();
        self.check(self.status.signal() == Some(number), &format!("an end by signal {number} was expected"));
        self
    }

    /// Checks for exit status 0 and an empty standard error.
    #[track_caller]
    pub(crate) fn succeeds(self) -> Self {
        self.exits(0).says("")
    }

    #[track_caller]
    pub(crate) fn prints(self, bytes: impl AsRef<[u8]>) -> Self {
        let expected = bytes.as_ref();
        let shown = String::from_utf8_lossy(&expected[..expected.len().min(2000)]).into_owned();
        self.check(self.stdout == expected, &format!("standard output was to be {shown:?}"));
        self
    }

    /// Checks standard error exactly.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Self {
        self.check(self.stderr == text, &format!("standard error was to be {text:?}"));
        self
    }

    #[track_caller]
    pub(crate) fn mentions(self, text: &str) -> Self {
        self.check(self.stderr.contains(text), &format!("standard error was to mention {text:?}"));
        self
    }

    #[track_caller]
    pub(crate) fn does_not_mention(self, text: &str) -> Self {
        self.check(!self.stderr.contains(text), &format!("standard error was not to mention {text:?}"));
        self
    }

    /// Checks that it fails with this status and one line with this text, perhaps with a hint after it, and
    /// without standard output.
    #[track_caller]
    pub(crate) fn fails(self, code: i32, text: &str) -> Self {
        let mut lines = self.stderr.lines();
        let first = lines.next().unwrap_or_default();
        self.check(
            first.starts_with("mqtt: ") && first.contains(text),
            &format!("the first line of standard error was to be an error that says {text:?}"),
        );
        let shape = lines.next().is_none_or(|hint| hint.starts_with("hint: ")) && lines.next().is_none();
        self.check(shape, "an error is one line, and a hint");
        self.exits(code).prints("")
    }

    /// Standard output as lines, of which the last must be complete.
    #[track_caller]
    pub(crate) fn lines(&self) -> Vec<String> {
        self.check(self.stdout.is_empty() || self.stdout.ends_with(b"\n"), "the last line has no line feed");
        String::from_utf8(self.stdout.clone()).unwrap().lines().map(str::to_owned).collect()
    }
}

/// Both outputs; of long ones only the end.
pub(super) fn both_streams(stdout: &str, stderr: &str) -> String {
    let tail = |text: &str| {
        let skipped = text.chars().count().saturating_sub(4000);
        let rest: String = text.chars().skip(skipped).collect();
        if skipped == 0 { rest } else { format!("… {skipped} characters …{rest}") }
    };
    format!("--- stdout\n{}\n--- stderr\n{}", tail(stdout), tail(stderr))
}

/// The state of a process that did not end, as the system shows it: whether it runs, and its signals.
pub(super) fn process_state(process: u32) -> String {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let names = ["State:", "Threads:", "SigPnd:", "ShdPnd:", "SigBlk:", "SigIgn:", "SigCgt:"];
    let lines = status.lines().filter(|line| names.iter().any(|name| line.starts_with(name)));
    lines.map(|line| format!("--- {line}\n")).collect()
}
