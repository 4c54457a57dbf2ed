//! The command line as a process sees it: environment, streams and exit status. What needs no
//! process is tested beside the code.

use std::process::{Command, Output};

/// Runs `mqtt` with these variables and no other of ours.
fn mqtt(line: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mqtt"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MQTT_") {
            command.env_remove(name);
        }
    }
    command.args(line).envs(variables.iter().copied()).output().unwrap()
}

/// The lines on standard error of a run that must end with this status and write nothing.
fn failure(status: i32, line: &[&str], variables: &[(&str, &str)]) -> String {
    let output = mqtt(line, variables);
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(status), "{line:?} {variables:?}: {stderr}");
    assert!(output.stdout.is_empty(), "{line:?}");
    stderr
}

#[test]
fn help_and_version_go_to_standard_output() {
    for line in [&["--help"][..], &["--version"], &["pub", "--help"], &["sub", "--version"]] {
        let output = mqtt(line, &[]);
        assert_eq!(output.status.code(), Some(0), "{line:?}");
        assert!(!output.stdout.is_empty() && output.stderr.is_empty(), "{line:?}");
    }
}

#[test]
fn a_usage_error_is_one_line_and_a_hint() {
    let stderr = failure(2, &["pub", "-t", "home/#", "-m", "x"], &[]);
    let lines: Vec<&str> = stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{stderr}");
    assert!(lines[0].starts_with("mqtt: topic 'home/#': "), "{stderr}");
    assert!(lines[1].starts_with("hint: "), "{stderr}");
    // Not even --quiet silences it.
    assert!(failure(2, &["pub", "--quiet", "-t", "home/#", "-m", "x"], &[]).starts_with("mqtt: "));
}

#[test]
fn a_flag_beats_its_variable_and_that_the_default() {
    // Nothing listens on port 1, and the error says where the attempt went.
    let line = ["pub", "-t", "a", "-n", "-p", "1", "-h", "127.0.0.1"];
    assert!(failure(1, &line, &[("MQTT_PORT", "2")]).contains("127.0.0.1:1"));
    assert!(failure(1, &line[..6], &[("MQTT_HOST", "127.0.0.2")]).contains("127.0.0.2:1"));
    assert!(failure(1, &line[..4], &[("MQTT_URL", "mqtt://127.0.0.3:1")]).contains("127.0.0.3:1"));
    assert!(failure(1, &line, &[("MQTT_URL", "mqtt://127.0.0.3:2")]).contains("127.0.0.1:1"));
}

#[test]
fn a_bad_variable_is_named() {
    let stderr = failure(2, &["pub", "-t", "a", "-n"], &[("MQTT_PORT", "many")]);
    assert!(stderr.contains("'many'") && stderr.contains("from the environment: MQTT_PORT"), "{stderr}");
    let stderr = failure(2, &["sub", "-t", "a"], &[("MQTT_INSECURE", "maybe")]);
    assert!(stderr.contains("MQTT_INSECURE"), "{stderr}");
    let stderr = failure(2, &["sub", "-t", "a"], &[("MQTT_URL", "mqtt://me:hunter2@h:x")]);
    assert!(stderr.contains("MQTT_URL") && !stderr.contains("hunter2"), "{stderr}");
}

/// As container files leave them.
#[test]
fn an_empty_variable_is_not_set() {
    let empty = ["MQTT_HOST", "MQTT_PORT", "MQTT_USERNAME", "MQTT_PASSWORD", "MQTT_CAFILE", "MQTT_NO_TLS"];
    let variables: Vec<(&str, &str)> = empty.iter().map(|name| (*name, "")).collect();
    let stderr = failure(1, &["pub", "-t", "a", "-n", "-h", "127.0.0.1", "-p", "1"], &variables);
    assert!(stderr.contains("127.0.0.1:1"), "{stderr}");
}

/// Help must not tell a password to whoever looks over a shoulder.
#[test]
fn help_does_not_show_the_environment() {
    let plain = mqtt(&["pub", "--help"], &[]).stdout;
    let with = mqtt(&["pub", "--help"], &[("MQTT_PASSWORD", "hunter2"), ("MQTT_HOST", "secret.example")]);
    assert_eq!(with.stdout, plain);
}

/// As many programs have it.
#[test]
fn help_as_a_word() {
    for (word, option) in [(&["help"][..], &["--help"][..]), (&["help", "rr"], &["rr", "--help"])] {
        let [word, option] = [word, option].map(|line| mqtt(line, &[]).stdout);
        assert!(word == option && !word.is_empty());
    }
    let stderr = failure(2, &["help", "nothing"], &[]);
    assert!(stderr.contains("unrecognized subcommand 'nothing'"), "{stderr}");
}

/// What a mode of `bench` does not take, and which does; a port that is taken already.
#[test]
fn errors_that_say_what_to_do_instead() {
    let stderr = failure(2, &["bench", "sub", "--rate", "5"], &[]);
    assert!(stderr.contains("sub does not take --rate\nhint: --rate goes with pub, e2e and rr"), "{stderr}");
    let stderr = failure(2, &["bench", "conn", "--pattern", "fan-in"], &[]);
    assert!(stderr.contains("conn does not take --pattern\nhint: --pattern goes with e2e"), "{stderr}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let stderr = failure(1, &["broker", "-p", &port], &[]);
    let words =
        format!("cannot listen on 127.0.0.1:{port}: address in use\nhint: is a broker running there?");
    assert!(stderr.contains(&words), "{stderr}");
}
