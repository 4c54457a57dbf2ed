//! Files that block a run: a FIFO without a writer or a reader. The timeout, the end of the reader of
//! standard output and signals end the run. Also files that cannot be created.

use std::path::{Path, PathBuf};

use rstest::rstest;
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::Service as _;
use crate::support::broker::Broker;
use crate::support::mqtt::Mqtt;
use crate::support::wait_until;

fn pipe(folder: &TempDir) -> PathBuf {
    let path = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    path
}

/// Options of `sub` that name a file to read, with the options that they require.
const READ: &[(&str, &[&str])] = &[
    ("--cafile", &[]),
    ("--crl", &["--tls-use-os-certs"]),
    ("--cert", &["--tls-use-os-certs", "--key", "/dev/null"]),
    ("--password-file", &["-u", "me"]),
    ("--config", &[]),
    ("--options-file", &[]),
    ("--tls-keylog", &["--tls-use-os-certs"]),
];

/// Gives the program the default action of SIGINT. It would inherit that the tests ignore it, as a shell's job in the
/// background does.
const DEFAULT_INT: &str = "exec env --default-signal=INT \"$0\" \"$@\"";

fn subscribe(option: &str, path: &Path, more: &[&str]) -> Mqtt {
    Mqtt::new(["sub", "-t", "a", "-h", "127.0.0.1", "-p", "1"]).args(more).arg_path(option, path)
}

#[test]
fn file_without_a_writer_ends_at_the_time_limit() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = pipe(&folder);
    for (option, more) in READ {
        let run = subscribe(option, &pipe, more).args(["-W", "300ms"]).run().exits(27);
        run.mentions("timed out after 300ms, waiting for the file");
    }
}

/// The time of the command is part of the run, and its processes end with it.
#[test]
fn password_command_ends_at_the_time_limit_of_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = pipe(&folder);
    for words in [
        &["pub", "-t", "a", "-n"][..],
        &["sub", "-t", "a"],
        &["rr", "-t", "a", "-e", "b", "-n"],
        &["ping"],
        &["retain-clear", "a"],
    ] {
        let command = format!("exec 3<>{}; sleep 1000 & sleep 1000", pipe.display());
        let run = Mqtt::new(words).args(["-h", "127.0.0.1", "-p", "1", "-u", "me", "-W", "700ms"]);
        let run = run.args(["--password-command", &command]).run().exits(27);
        run.mentions("timed out after 700ms, waiting for --password-command");
        // No process has the pipe open any more: it has no reader.
        let writer = rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::NONBLOCK;
        let opened = rustix::fs::open(&pipe, writer, rustix::fs::Mode::empty());
        assert_eq!(opened.err(), Some(rustix::io::Errno::NXIO), "{words:?}");
    }
}

/// A writer that waits for its reader shows that the program waits for the file.
fn waits(pipe: &Path) -> std::fs::File {
    std::fs::File::options().write(true).open(pipe).unwrap()
}

#[test]
fn file_without_content_ends_with_the_reader_or_a_signal() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = pipe(&folder);
    for (option, more) in READ.iter().filter(|(option, _)| *option != "--tls-keylog") {
        let mut run = subscribe(option, &pipe, more).hold_stdout().spawn();
        let writer = waits(&pipe);
        run.close_stdout();
        run.wait_for_end().exits(0);
        drop(writer);
        for signal in [Signal::TERM, Signal::INT] {
            let run = subscribe(option, &pipe, more).behind(DEFAULT_INT).spawn();
            let writer = waits(&pipe);
            run.signal(signal);
            run.wait_for_end().dies_of(signal);
            drop(writer);
        }
    }
}

/// SIGHUP does not end a starting logger, whether it opens the file itself or the shell did.
#[rstest]
fn hang_up_does_not_end_a_logger_that_starts(
    #[values(false, true)] on_terminal: bool,
    #[values(false, true)] of_shell: bool,
) {
    let folder = tempfile::tempdir().unwrap();
    let (pipe, log) = (pipe(&folder), folder.path().join("log"));
    let broker = Broker::start();
    broker.publish().args(["-r", "-t", "a", "-m", "x"]).run().succeeds();
    let command = format!("cat '{}'", pipe.display());
    for (option, value) in [
        ("--password-file", pipe.to_str().unwrap()),
        ("--password-command", &command),
        ("--options-file", pipe.to_str().unwrap()),
    ] {
        let _ = std::fs::remove_file(&log);
        let run = broker.subscribe().args(["-t", "a", "-u", "me", "-C", "1", option, value]);
        let run = if on_terminal { run.on_a_terminal_of_its_own() } else { run };
        let run = if of_shell { run.stdout_file(&log) } else { run.arg_path("--output", &log) }.spawn();
        let mut writer = waits(&pipe);
        run.signal(Signal::HUP).signal(Signal::HUP);
        std::io::Write::write_all(&mut writer, b"-q 1\n").unwrap();
        drop(writer);
        run.wait_for_end().exits(0);
        assert_eq!(std::fs::read_to_string(&log).unwrap(), "x\n", "{option}");
    }
}

/// SIGHUP ends any other starting run.
#[test]
fn hang_up_ends_a_run_without_output_file_that_starts() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = pipe(&folder);
    for output in [&[][..], &["--output", "-"]] {
        let run = subscribe("--password-file", &pipe, &["-u", "me"]).args(output).spawn();
        let writer = waits(&pipe);
        run.signal(Signal::HUP);
        run.wait_for_end().dies_of(Signal::HUP);
        drop(writer);
    }
}

/// Outputs without a reader.
#[test]
fn file_to_write_without_a_reader_ends_at_the_time_limit() {
    let folder = tempfile::tempdir().unwrap();
    let path = pipe(&folder);
    for words in [&["a", "--yes", "--backup"][..], &["a", "--export"], &["--restore"]] {
        let line = ["retain-clear", "-h", "127.0.0.1", "-p", "1", "-W", "300ms"];
        let run = Mqtt::new(line).args(words).args([&path]).run();
        run.fails(27, "timed out after 300ms");
    }
}

/// Each pipe named by an option has this timeout, if it is given.
#[test]
fn pipe_of_an_option_ends_at_the_connect_timeout() {
    let folder = tempfile::tempdir().unwrap();
    let path = pipe(&folder);
    for words in [
        &["retain-clear", "a", "--yes", "--backup"][..],
        &["retain-clear", "a", "--export"],
        &["retain-clear", "--restore"],
        &["bench", "conn", "--clients", "1", "--credentials"],
    ] {
        let run = Mqtt::new(words).args([&path]).args(["-h", "127.0.0.1", "-p", "1"]);
        let run = run.args(["--connect-timeout", "300ms"]).run();
        run.fails(27, "timed out after 300ms, waiting for the file ");
    }
}

/// The variable names an endless device.
#[cfg(target_os = "linux")]
#[test]
fn time_zone_that_is_a_device_is_not_read() {
    let broker = Broker::start();
    broker.publish().args(["-r", "-t", "a", "-m", "x"]).run().succeeds();
    for zone in ["../../../../dev/zero", ":../../../dev/zero", "/dev/zero"] {
        let sub = broker.subscribe().args(["-t", "a", "-C", "1", "-F", "%I"]).env("TZ", zone);
        let lines = sub.run().exits(0).lines();
        assert!(lines[0].ends_with("+0000"), "{zone}: {lines:?}");
    }
}

/// A pipe whose reader has opened it but reads nothing: the write of a backup blocks in the middle.
#[test]
fn file_to_write_whose_reader_stalls_ends_at_the_time_limit() {
    let folder = tempfile::tempdir().unwrap();
    let path = pipe(&folder);
    let broker = Broker::start();
    let payload = "x".repeat(60_000);
    for topic in ["r/1", "r/2", "r/3", "r/4"] {
        broker.publish().args(["-t", topic, "-r", "-q", "1", "-s"]).stdin(payload.clone()).run().succeeds();
    }
    let reader = std::fs::File::options().read(true).write(true).open(&path).unwrap();
    let port = broker.port().to_string();
    for words in [&["r/#", "--yes", "--backup"][..], &["r/#", "--export"]] {
        let line = ["retain-clear", "-h", "127.0.0.1", "-p", &port, "-W", "1"];
        let run = Mqtt::new(line).args(words).args([&path]).run();
        run.exits(27).mentions("timed out after 1s, waiting for the file");
    }
    drop(reader);
}

/// A command without -W has the timeout of its connection, if that was given.
#[test]
fn file_is_waited_for_no_longer_than_a_connection() {
    let folder = tempfile::tempdir().unwrap();
    let path = pipe(&folder);
    // Opened, and stalled in the middle.
    let mut stalled = std::fs::File::options().read(true).write(true).open(&path).unwrap();
    std::io::Write::write_all(&mut stalled, b"-----BEGIN").unwrap();
    for words in [
        &["will-test", "--cafile"][..],
        &["bench", "pub", "--cafile"],
        &["bench", "pub", "--payload-file"],
        &["bench", "pub", "--tls-use-os-certs", "--cert"],
        &["sub", "-t", "a", "--options-file"],
    ] {
        let line = ["-h", "127.0.0.1", "-p", "1", "--connect-timeout", "300ms"];
        let run = Mqtt::new(words).args([&path]).args(line);
        let run = if words.contains(&"--cert") { run.args(["--key", "/dev/null"]) } else { run };
        run.run().fails(27, "timed out after 300ms, waiting for the file");
    }
}

/// These commands are only for their reader.
#[test]
fn commands_that_only_print_end_with_their_reader() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = pipe(&folder);
    for (words, files) in [
        (&["bench", "compare"][..], 2),
        (&["bench", "merge"], 1),
        (&["config", "show", "--config"], 1),
        (&["config", "list", "--config"], 1),
        (&["config", "check", "--config"], 1),
    ] {
        let mut run = Mqtt::new(words).args(std::iter::repeat_n(&pipe, files)).hold_stdout().spawn();
        let writer = waits(&pipe);
        run.close_stdout();
        run.wait_for_end().exits(0);
        drop(writer);
    }
}

/// The record on standard output has the reason, and no connection was made.
#[test]
fn file_that_cannot_be_made_is_in_the_json() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("none").join("file");
    for words in [
        &["will-test", "--json", "--junit"][..],
        &["bench", "--json", "--junit"],
        &["bench", "--json", "--html"],
        &["bench", "--json", "--csv"],
        &["bench", "pub", "--json", "--calibration"],
        &["retain-clear", "a", "--yes", "--json", "--backup"],
        &["retain-clear", "a", "--json", "--export"],
        &["retain-clear", "--json", "--restore"],
    ] {
        let run = Mqtt::new(words).args([&nowhere]).args(["-h", "127.0.0.1", "-p", "1"]).run().exits(1);
        let run = run.mentions("No such file or directory");
        let record: Value =
            serde_json::from_slice(&run.stdout).unwrap_or_else(|why| panic!("{words:?}: {why}"));
        let error = record["error"].as_str().unwrap();
        assert!(error.contains("none/file"), "{words:?}: {error}");
    }
}

/// An earlier report of the same name is replaced by one with the reason.
#[test]
fn junit_of_a_load_says_that_another_file_could_not_be_made() {
    let folder = tempfile::tempdir().unwrap();
    let (nowhere, junit) = (folder.path().join("none").join("file"), folder.path().join("junit.xml"));
    let line = ["bench", "-h", "127.0.0.1", "-p", "1"];
    let run = Mqtt::new(line).arg_path("--html", &nowhere).arg_path("--junit", &junit).run().exits(1);
    run.mentions("none/file");
    let text = std::fs::read_to_string(&junit).unwrap();
    assert!(text.contains("none/file"), "{text}");
}

/// The same for a run with an invalid configuration.
#[test]
fn reports_say_that_the_configuration_could_not_be_had() {
    let folder = tempfile::tempdir().unwrap();
    let (nowhere, junit) = (folder.path().join("none").join("file"), folder.path().join("junit.xml"));
    for words in [&["will-test"][..], &["bench"], &["bench", "conn"], &["bench", "pub"], &["bench", "rr"]] {
        for option in ["--cafile", "--password-file"] {
            std::fs::write(&junit, "an older report").unwrap();
            let line = ["--json", "-L", "mqtts://127.0.0.1:1", "-u", "me"];
            let run = Mqtt::new(words).args(line).arg_path(option, &nowhere).arg_path("--junit", &junit);
            let run = run.run().exits(1).mentions("none/file");
            let record: Value = serde_json::from_slice(&run.stdout).unwrap();
            assert!(record["error"].as_str().unwrap().contains("none/file"), "{words:?}: {record}");
            let text = std::fs::read_to_string(&junit).unwrap();
            assert!(text.starts_with("<?xml") && text.contains("none/file"), "{words:?}: {text}");
        }
    }
    // Contradictory options are another reason.
    let line = ["will-test", "-h", "127.0.0.1", "-c", "--json"];
    let run = Mqtt::new(line).arg_path("--junit", &junit).run().exits(2);
    assert!(run.stdout.is_empty());
    let text = std::fs::read_to_string(&junit).unwrap();
    assert!(text.contains("-c needs a client identifier"), "{text}");
}

/// An older report is replaced after errors of clap and after options of other programs.
#[test]
fn junit_says_that_the_command_line_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let junit = folder.path().join("junit.xml");
    let joined = format!("--junit={}", junit.display());
    for (words, why) in [
        (&["will-test", "--nonsense", &joined][..], "--nonsense"),
        (&["will-test", &joined, "--tolerance", "x"], "'x'"),
        (&["bench", &joined, "--nonsense"], "--nonsense"),
        (&["bench", "pub", "--json", &joined, "--rate", "x"], "'x'"),
        (&["bench", "conn", &joined, "--rate", "x"], "conn does not take --rate"),
        (&["bench", "--rate", "x", "rr", &joined], "'x'"),
        (&["bench", "pub", "-C", "5", &joined], "-C"),
    ] {
        std::fs::write(&junit, "an older report").unwrap();
        let run = Mqtt::new(words).run().exits(2).mentions(why);
        assert!(run.stdout.is_empty(), "{words:?}");
        let text = std::fs::read_to_string(&junit).unwrap();
        assert!(text.starts_with("<?xml") && text.contains(why), "{words:?}: {text}");
    }
    for words in [
        &["will-test", "--list", "--nonsense", &joined][..],
        &["will-test", "--nonsense", "--", &joined],
        &["will-test", "--nonsense", "-i", &joined],
        &["bench", "compare", "--nonsense", &joined],
    ] {
        std::fs::write(&junit, "an older report").unwrap();
        Mqtt::new(words).run().exits(2);
        assert_eq!(std::fs::read_to_string(&junit).unwrap(), "an older report", "{words:?}");
    }
}

/// Also if the options file that names the report has a mistake, or the line after it.
#[test]
fn junit_of_an_options_file_says_that_the_line_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let (junit, options) = (folder.path().join("junit.xml"), folder.path().join("options"));
    for (text, words, why) in [
        ("--junit JUNIT\n--bogus\n", &["will-test"][..], "--bogus"),
        ("--bogus\n--junit JUNIT\n", &["will-test"], "--bogus"),
        ("--junit JUNIT\n--case nonsense\n", &["will-test"], "nonsense"),
        ("--junit JUNIT\n", &["will-test", "--case", "nonsense"], "nonsense"),
        ("--junit JUNIT\n--rate x\n", &["bench", "pub"], "'x'"),
    ] {
        std::fs::write(&options, text.replace("JUNIT", &junit.display().to_string())).unwrap();
        let variable = options.to_str().unwrap();
        for run in
            [Mqtt::new(words).arg_path("-o", &options), Mqtt::new(words).env("MQTT_OPTIONS_FILE", variable)]
        {
            std::fs::write(&junit, "an older report").unwrap();
            run.run().exits(2).mentions(why);
            let report = std::fs::read_to_string(&junit).unwrap();
            assert!(report.starts_with("<?xml") && report.contains(why), "{text:?} {words:?}: {report}");
        }
    }
}

/// An option that takes its value only after `=`, with a space and a possible value.
#[test]
fn value_after_a_blank_names_the_right_form() {
    for (words, hint) in [
        (&["sub", "-t", "a", "--json-events", "state"][..], "--json-events=state"),
        (&["sub", "--json-events", "state"], "--json-events=state"),
        (&["pub", "--json-events", "all", "-t", "a", "-n"], "--json-events=all"),
        (&["ping", "--json-events", "state"], "--json-events=state"),
        (&["retain-clear", "a", "--until-clear", "5s", "--yes"], "--until-clear=5s"),
    ] {
        Mqtt::new(words).run().exits(2).mentions(&format!("hint: {hint};")).mentions("only after '='");
    }
    // Not a value of the option, but an operand. And a word that cannot be a value.
    let broker = Broker::start();
    for words in
        [&["--json-events", "a/b"][..], &["--json-events", "--", "state"], &["state", "--json-events"]]
    {
        let line = ["sub", "-E", "-h", "127.0.0.1", "-p", &broker.port().to_string()];
        Mqtt::new(line).args(words).run().exits(0);
    }
}

/// A file that would exceed its size limit (`ulimit -f`) is an error, or a lost line, but SIGXFSZ never ends
/// the program.
#[test]
fn file_size_limit_does_not_kill() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("out");
    let broker = Broker::start();
    // The log cannot be written, but the message is published.
    let into_file = format!("exec 2>{}; ulimit -f 0", file.display()).leak();
    broker.publish().args(["-t", "a", "-m", "x", "-d"]).behind(into_file).run().exits(0);
    let run = Mqtt::new(["pub", "-h", "127.0.0.1", "-p", "1", "-t", "a", "-m", "x"]).behind(into_file).run();
    run.exits(1);
    for words in [&["--help"][..], &["config", "show"], &["sub", "--help-all"]] {
        let run = Mqtt::new(words).stdout_file(&file).behind("ulimit -f 0").run();
        run.fails(1, "standard output: File too large");
    }
}

/// However the run ends, no older or empty file can be mistaken for its verdict.
#[test]
fn junit_report_of_a_killed_run_says_so() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port().to_string();
    let folder = tempfile::tempdir().unwrap();
    let junit = folder.path().join("wills.xml");
    std::fs::write(&junit, "an older and longer report ".repeat(200)).unwrap();
    let line = ["will-test", "-V", "5", "-h", "127.0.0.1", "--case", "close"];
    let run = Mqtt::new(line).args(["-p", &port]).arg_path("--junit", &junit).spawn();
    let content = || std::fs::read_to_string(&junit).unwrap();
    wait_until(|| content().contains("the run was killed, or has not ended"));
    run.signal(Signal::KILL);
    run.wait_for_end().dies_of(Signal::KILL);
    assert!(content().starts_with("<?xml") && content().ends_with("</testsuite>\n"), "{}", content());
}
