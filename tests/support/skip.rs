//! Tests that cannot run. The tests of `net` use this file too (`src/net/tests/mod.rs`).

/// If this variable is set, a test that cannot run fails: for CI, where all programs for tests are installed.
const SKIP_NOTHING: &str = "TESTS_SKIP_NOTHING";

/// Skips the current test, because a program is not installed.
pub(crate) fn skip(reason: &str) {
    assert!(std::env::var_os(SKIP_NOTHING).is_none(), "{SKIP_NOTHING} is set, and {reason}");
    skip_here(reason);
}

/// Skips the rest of the current test, because this machine cannot run it, whatever is installed. Written
/// directly to standard error, since the test runner shows no output of a passing test.
pub(crate) fn skip_here(reason: &str) {
    let thread = std::thread::current();
    let line = format!("SKIPPED {}: {reason}\n", thread.name().unwrap_or("a test"));
    std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).unwrap();
}

/// Whether `strace` can trace a program; otherwise skips the current test.
#[allow(dead_code, reason = "the tests of `net` trace nothing")]
pub(crate) fn can_trace() -> bool {
    let mut strace = std::process::Command::new("strace");
    match strace.args(["-o", "/dev/null", "true"]).stderr(std::process::Stdio::null()).status() {
        Ok(status) if status.success() => return true,
        Ok(_) => skip_here("the system lets no program trace another"),
        Err(_) => skip("strace is not installed"),
    }
    false
}
