use super::{all_wrong, stage_one, words, wrong};

fn text(line: &[&str]) -> String {
    stage_one(&words(line)).expect("no error").expect_err("a text")
}

fn hint(line: &[&str]) -> String {
    let error = stage_one(&words(line)).expect_err("an error");
    error.hint().expect("a hint").to_owned()
}

#[test]
fn help_and_version_are_not_errors() {
    assert!(text(&["--help"]).contains("Usage: mqtt <COMMAND>"));
    for name in ["pub", "sub", "ping"] {
        assert!(text(&[name, "--help"]).contains(&format!("Usage: mqtt {name}")));
        assert!(text(&[name, "--version"]).contains(env!("CARGO_PKG_VERSION")));
    }
    assert!(text(&["--version"]).starts_with("mqtt "));
    // Help is shown whatever else is on the line.
    assert!(text(&["pub", "-t", "a", "--help"]).contains("Usage: mqtt pub"));
}

/// The long help of the subcommands with formats lists all parts of a format.
#[test]
fn formats_are_in_the_long_help() {
    for name in ["sub", "rr"] {
        let help = text(&[name, "--help-all"]);
        for one in crate::output::SPECIFIERS {
            let row = format!("  {}  {}", one.written, one.help);
            assert!(help.lines().any(|line| line == row), "{name}: {row}");
        }
        assert!(!text(&[name, "--help"]).contains("%.2:x"), "the short help is for what people use");
    }
    assert!(text(&["--help-all"]).contains("--help-all"));
}

#[test]
fn errors_are_one_line() {
    all_wrong(&[
        (&[], "'mqtt' requires a subcommand"),
        (&["publsih"], "unrecognized subcommand 'publsih'"),
        (&["pub", "--tpoic", "x"], "unexpected argument '--tpoic' found"),
        (&["pub", "-z"], "unexpected argument '-z' found"),
        (&["pub", "a", "b", "extra"], "unexpected argument 'extra' found"),
        (&["pub", "-t"], "a value is required for '--topic <TOPIC>' but none was supplied"),
    ]);
}

#[test]
fn hints() {
    assert!(hint(&["pub", "--tpoic", "x"]).contains("'--topic'"));
    assert_eq!(hint(&["pub", "-p", "x"]), "see mqtt pub --help");
    assert_eq!(hint(&[]), "see mqtt --help");
}

#[test]
fn word_without_an_option_has_the_cause_as_hint() {
    for (line, cause) in [
        (
            &["will-test", "-i", "--json", "1"][..],
            "-i has taken '--json' as its value: is the value of -i missing?",
        ),
        (
            &["will-test", "--prefix", "--case", "close"],
            "--prefix has taken '--case' as its value: is the value of --prefix missing?",
        ),
        (
            &["bench", "pub", "--topic", "--qos", "1"],
            "--topic has taken '--qos' as its value: is the value of --topic missing?",
        ),
        (&["will-test", "--json-events", "state"], "its value follows '=': --json-events=state"),
        // A word that is not the name of an option is a value, and so is the text after '='.
        (&["will-test", "--prefix", "-odd", "x"], "see mqtt will-test --help"),
        (&["will-test", "--prefix=--case", "x"], "see mqtt will-test --help"),
    ] {
        assert_eq!(hint(line), cause, "{line:?}");
    }
}

#[test]
fn errors_quote_no_password_and_no_long_text() {
    let message = wrong(&["pub", "-n", "-L", "mqtt://me:hunter2@h:x/t"]);
    assert!(!message.contains("hunter2") && message.contains("mqtt://…@h:x/t"), "{message}");
    assert!(!wrong(&["pub", "-n", "-L", "http://me:hunter2@h/t"]).contains("hunter2"));
    for line in [
        ["-L", "me:hunter2@h"],
        ["-L", "hunter2@h/t?x@y"],
        ["--proxy", "me:hunter2@h:1"],
        ["--proxy", "ftp://me:hunter2@h:1"],
        ["-h", "me:hunter2@h"],
        ["-h", "a,me:hunter2@h"],
        ["-h", "mqtt://me:hunter2@h"],
        ["-d", "mqtt://me:hunter2@h/t"],
        ["-d", "ws://h/?token=hunter2"],
    ] {
        let message = wrong(&[&["pub", "-n", "-t", "a"], &line[..]].concat());
        assert!(!message.contains("hunter2") && !message.contains("me:"), "{message}");
    }
    let message = wrong(&["pub", "-n", "-t", "a", "-h", &format!("a b{}", "x".repeat(10_000))]);
    assert!(message.len() < 300, "{message}");
}

#[test]
fn help_names_the_limit_of_the_end_after_a_signal() {
    let limit = format!("ended {} s after the first", crate::signal::END_LIMIT.as_secs());
    let statuses = crate::cli::table::EXIT_STATUSES;
    assert!(statuses.iter().any(|(_, meaning)| meaning.contains(&limit)), "{limit}");
}

/// A build without the broker has no command that needs it, and says so.
#[cfg(not(feature = "broker"))]
#[test]
fn commands_of_the_broker_say_that_it_is_left_out() {
    for (line, missing) in [
        (&["broker"][..], "broker"),
        (&["broker", "-p", "0", "--", "true"], "broker"),
        (&["server"], "server"),
        (&["bench", "calibrate"], "calibrate"),
        (&["bench", "--embedded"], "--embedded"),
        (&["bench", "conn", "--embedded"], "--embedded"),
    ] {
        let error = stage_one(&words(line)).expect_err("an error").to_string();
        assert!(error.contains(&format!("{missing} is not available")), "{line:?}: {error}");
        assert!(error.contains("built without its broker"), "{line:?}: {error}");
    }
    for line in [&["--help"][..], &["bench", "--help-all"]] {
        let help = text(line);
        assert!(
            !help.contains("mqtt broker") && !help.contains("calibrate ") && !help.contains("--embedded")
        );
    }
}
