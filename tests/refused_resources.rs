//! The system refuses threads, timers and limits: a run ends with an error that says so, or goes on without; it
//! never panics.

use std::os::unix::fs::PermissionsExt as _;

use crate::support::Service as _;
use crate::support::broker::Broker;
use crate::support::mqtt::Mqtt;
use crate::support::{program, skip, skip_here};

/// A user without other processes: the limit counts all processes and threads of the user.
const USER: &str = "64321";

/// Command lines that start threads; `DIR` is a folder of the user.
const WITH_THREADS: &[&[&str]] = &[
    &["pub", "-t", "a", "-l", "-q", "1"],
    &["pub", "-t", "a", "-f", "DIR/lines", "-f", "DIR/lines"],
    &["pub", "--json"],
    &["pub", "-t", "a", "-l", "-q", "1", "--spool", "DIR/spool"],
    &["pub", "-t", "a", "-m", "x", "-u", "me", "--password-command", "echo x"],
    &["sub", "-t", "$SYS/nothing", "-W", "0.2", "--output", "DIR/log", "--rotate", "1k", "--compress"],
    &["sub", "-t", "$SYS/nothing", "-W", "0.2", "--output", "DIR/log", "--fsync", "1s"],
    &["sub", "-t", "$SYS/nothing", "-W", "0.2", "--jq", "."],
    &["sub", "-t", "$SYS/nothing", "-W", "0.2", "--log-time", "-d"],
    &["ping", "-C", "1"],
    &["retain-clear", "--restore", "/dev/stdin"],
    &["bench", "conn", "--clients", "2", "--threads", "2", "--hold", "1ms"],
    &["bench", "e2e", "--duration", "0.2", "--rate", "10/s", "--threads", "2"],
];
/// The same, with a broker of their own.
const ALONE: &[&[&str]] = &[
    &["bench", "conn", "--embedded", "--clients", "1", "--hold", "1ms"],
    &["bench", "calibrate", "--duration", "0.1"],
    &["broker", "--listen", "127.0.0.1:0", "--", "true"],
    &["broker", "--listen", "127.0.0.1:0", "--log", "--until-eof"],
    &["sub", "-h", "name.invalid", "-t", "a", "-E", "-W", "5"],
];

#[test]
fn refused_thread_is_an_error() {
    if !rustix::process::geteuid().is_root() {
        return skip_here("only root can run the program as another user");
    }
    let as_user = |limit: &str| {
        let words = ["--reuid", USER, "--regid", USER, "--clear-groups", "prlimit", limit];
        Mqtt::new(words).args([program()]).instead("setpriv")
    };
    if !as_user("--nproc=100").args(["--version"]).run().status.success() {
        return skip_here("another user cannot run the program, or setpriv or prlimit is missing");
    }
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    std::fs::write(folder.path().join("lines"), "x\n").unwrap();
    let directory = folder.path().to_str().unwrap();
    let port = broker.port().to_string();
    let here = ["-h", "127.0.0.1", "-p", &port];
    let mut refused = 0;
    for limit in ["--nproc=1", "--nproc=2", "--nproc=3"] {
        for (words, place) in WITH_THREADS
            .iter()
            .map(|words| (words, &here[..]))
            .chain(ALONE.iter().map(|words| (words, &[][..])))
        {
            let words = words.iter().map(|word| word.replace("DIR", directory));
            let run = as_user(limit).args(words).args(place).stdin("x\n").run();
            let shown = format!("{limit} {run:?}");
            assert!(run.status.code().is_some_and(|code| code != 101), "{shown}");
            assert!(!run.stderr.contains("panicked"), "{shown}");
            let says = run.stderr.contains("cannot start a thread: ");
            assert!(!says || run.stderr.contains("ulimit -u"), "{shown}");
            refused += u32::from(says);
        }
    }
    assert!(refused > 20, "{refused}");
}

/// A run of the program in which a system call fails.
fn without(call: &str, words: &[&str]) -> Mqtt {
    let inject = format!("inject={call}:when=1+");
    let strace = Mqtt::new(["-f", "-qq", "-o", "/dev/null", "-e", &inject]).instead("strace");
    strace.args([program()]).args(words).env("PATH", "/usr/bin:/bin")
}

/// No message of the failed thread is waited for.
#[test]
fn load_without_a_timer_ends_with_the_error() {
    if std::process::Command::new("strace").arg("-V").output().is_err() {
        return skip("strace is not installed");
    }
    let broker = Broker::start();
    let port = broker.port().to_string();
    for mode in [&["conn", "--clients", "2"][..], &["e2e"], &["retained"], &["wills"]] {
        let line = [&["bench"][..], mode, &["-h", "127.0.0.1", "-p", &port]].concat();
        let run = without("timerfd_create:error=EMFILE", &line).run();
        run.exits(1).mentions("mqtt: cannot make a timer: Too many open files");
    }
}

/// The limits of files are a help, and not needed.
#[test]
fn limits_of_files_that_cannot_be_read_are_left_as_they_are() {
    if std::process::Command::new("strace").arg("-V").output().is_err() {
        return skip("strace is not installed");
    }
    let broker = Broker::start();
    let port = broker.port().to_string();
    let load = ["bench", "conn", "--clients", "1", "--hold", "1ms", "-h", "127.0.0.1", "-p", &port];
    for line in [&["broker", "--listen", "127.0.0.1:0", "--", "true"][..], &load] {
        for call in ["prlimit64:error=EPERM", "uname:error=EFAULT"] {
            without(call, line).run().exits(0).does_not_mention("panicked");
        }
    }
}

/// Whichever descriptor is refused: the report names that, and not a run that was killed.
#[test]
fn report_names_the_descriptor_that_was_refused() {
    let broker = Broker::start();
    let (folder, port) = (tempfile::tempdir().unwrap(), broker.port().to_string());
    let report = folder.path().join("junit.xml");
    for words in
        [&["will-test", "--case", "reset"][..], &["bench", "conn", "--clients", "1", "--hold", "1ms"]]
    {
        let mut named = 0;
        for limit in 6..=20 {
            let _ = std::fs::remove_file(&report);
            let run = Mqtt::new([&format!("--nofile={limit}"), program()]).instead("prlimit").args(words);
            let run = run.args(["-h", "127.0.0.1", "-p", &port, "--json"]).arg_path("--junit", &report);
            let run = run.env("PATH", "/usr/bin:/bin").run();
            let Ok(xml) = std::fs::read_to_string(&report) else { continue };
            let cause = "oo many open files";
            if run.stderr.contains(cause) && !run.stderr.contains("cannot write") {
                assert!(xml.contains(cause), "{run:?}\n{xml}");
                assert!(
                    words[0] != "will-test" || String::from_utf8_lossy(&run.stdout).contains(cause),
                    "{run:?}"
                );
                named += 1;
            }
        }
        assert!(named > 0, "{words:?}");
    }
}

/// A report beyond the limit of a file's size is an error, and does not end the process by a signal.
#[test]
fn report_beyond_the_size_limit_is_an_error() {
    let broker = Broker::start();
    let (folder, port) = (tempfile::tempdir().unwrap(), broker.port().to_string());
    for (words, status) in [
        (&["will-test", "--case", "reset"][..], 1),
        (&["will-test", "--nonsense"], 2),
        (&["bench", "conn", "--nonsense"], 2),
        (&["bench", "conn", "--clients", "1", "--hold", "1ms"], 1),
    ] {
        let run = Mqtt::new(["--fsize=0", program()]).instead("prlimit").args(words);
        let run =
            run.args(["-h", "127.0.0.1", "-p", &port]).arg_path("--junit", &folder.path().join("junit.xml"));
        run.env("PATH", "/usr/bin:/bin").run().exits(status).mentions("junit.xml: File too large");
    }
}
