//! Tests that cannot run. The tests of the network use this file too (`src/net/tests/mod.rs`).

/// With this variable set, a test that cannot run fails: for CI, which installs all that tests need.
const SKIP_NOTHING: &str = "TESTS_SKIP_NOTHING";

/// Leaves out the test at hand, as something is not installed.
pub(crate) fn skip(reason: &str) {
    assert!(std::env::var_os(SKIP_NOTHING).is_none(), "{SKIP_NOTHING} is set, and {reason}");
    skip_here(reason);
}

/// Leaves out the rest of the test at hand, as this machine cannot run it, whatever is installed. Written past the
/// test runner, which shows nothing that a passing test prints.
pub(crate) fn skip_here(reason: &str) {
    let thread = std::thread::current();
    let line = format!("SKIPPED {}: {reason}\n", thread.name().unwrap_or("a test"));
    std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes()).unwrap();
}
