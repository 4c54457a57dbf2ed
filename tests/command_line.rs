//! The command line of the process: environment, streams and exit status. Everything that needs no process is
//! tested next to the code.

use std::process::{Command, Output};

use crate::support::report;

/// The part of a URL's password is not shown, and the wrong host gets a hint.
#[test]
fn url_that_ends_in_its_password_is_explained() {
    for url in [
        "mqtt://127.0.0.1:1/hunter2@h/t",
        "mqtt://nosuch.invalid/n:hunter2@h/t",
        "mqtt://nosuch.invalid:1/hunter2@h",
    ] {
        let stderr = failure(1, &["pub", "-n", "-L", url], &[]);
        assert!(
            stderr
                .contains("has an '@' after its first '/': a '/' in a user name or password is written %2F"),
            "{stderr}"
        );
        assert!(!stderr.contains("hunter2"), "{stderr}");
    }
    let stderr = failure(1, &["pub", "-n", "-L", "mqtt://me:1@127.0.0.1:1/a@b"], &[]);
    assert!(!stderr.contains("%2F"), "{stderr}");
}

/// Runs `mqtt` with only these environment variables.
fn mqtt(line: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mqtt"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("MQTT_") {
            command.env_remove(name);
        }
    }
    command.args(line).envs(variables.iter().copied()).output().unwrap()
}

/// The lines on standard error of a run that must end with this status and write nothing to standard output.
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

/// `version`, and letters that take a value after an option and ask for help when they are alone.
#[test]
fn version_and_help_are_found_by_the_words_of_other_programs() {
    let text = |line: &[&str]| {
        let output = mqtt(line, &[]);
        assert_eq!(output.status.code(), Some(0), "{line:?}");
        assert!(output.stderr.is_empty(), "{line:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let version = text(&["--version"]);
    for line in [&["version"][..], &["-V"], &["version", "--json"]] {
        assert_eq!(text(line), version, "{line:?}");
    }
    for line in [&["pub", "-V"][..], &["broker", "-V"], &["bench", "conn", "-V"]] {
        assert!(text(line).contains(env!("CARGO_PKG_VERSION")), "{line:?}");
    }
    assert_eq!(text(&["-h"]), text(&["--help"]));
    assert_eq!(text(&["sub", "-h"]), text(&["sub", "--help"]));
    assert_eq!(text(&["help"]), text(&["--help"]));
    assert_eq!(text(&["help", "bench", "conn"]), text(&["bench", "conn", "--help"]));
    assert_eq!(text(&["help", "pub", "TLS"]), text(&["pub", "--help", "tls"]));
    assert_eq!(text(&["help", "pub", "--help-all"]), text(&["pub", "--help-all"]));
    let tls = text(&["help", "tls"]);
    assert!(tls.contains("--cafile") && !tls.contains("--will-topic"), "{tls}");
    assert!(tls.contains("\nOthers with this group: sub, rr, "), "{tls}");
}

/// Unknown words have a hint only if they are similar to a known one.
#[test]
fn unknown_words_are_refused_with_the_command_that_is_meant() {
    for (line, message, hint) in [
        (&["help", "nosuch"][..], "unrecognized subcommand 'nosuch'", "see mqtt --help"),
        (&["help", "brokr"], "unrecognized subcommand 'brokr'", "did you mean 'broker'?"),
        (&["help", "publish"], "publish is called pub here", "mqtt pub"),
        (&["help", "pub", "nosuch"], "mqtt pub: unknown group of options 'nosuch'", "there are "),
        (&["nosuch"], "unrecognized subcommand 'nosuch'", "see mqtt --help"),
        (&["bench", "publish"], "publish is called bench pub here", "mqtt bench pub"),
        (&["ping", "-c", "3"], "-c with a number is called -C here", "mqtt ping -C 3"),
        (&["sub", "-t", "a", "--count", "3"], "--count is called -C here", "mqtt sub -t a -C 3"),
        (&["pub", "--timeout", "3"], "--timeout is called -W here", "mqtt pub -W 3"),
    ] {
        let stderr = failure(2, line, &[]);
        assert!(stderr.starts_with(&format!("mqtt: {message}\nhint: {hint}")), "{line:?}: {stderr}");
    }
    // Neither the message nor the suggested command shows the secret.
    let stderr = failure(2, &["sub", "a", "--tls", "--pass", "hunter2", "-P", "hunter3"], &[]);
    assert!(!stderr.contains("hunter"), "{stderr}");
}

#[test]
fn a_usage_error_is_one_line_and_a_hint() {
    let stderr = failure(2, &["pub", "-t", "home/#", "-m", "x"], &[]);
    let lines: Vec<&str> = stderr.lines().collect();
    assert_eq!(lines.len(), 2, "{stderr}");
    assert!(lines[0].starts_with("mqtt: topic 'home/#': "), "{stderr}");
    assert!(lines[1].starts_with("hint: "), "{stderr}");
    // `--quiet` does not silence it.
    assert!(failure(2, &["pub", "--quiet", "-t", "home/#", "-m", "x"], &[]).starts_with("mqtt: "));
}

/// Hints for files of another kind.
#[test]
fn files_of_another_kind_have_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let (directory, file) = (folder.path().display().to_string(), folder.path().join("ca.pem"));
    std::fs::write(&file, "").unwrap();
    let file = file.to_str().unwrap();
    let publish = ["pub", "-t", "a", "-h", "127.0.0.1", "-p", "1"];
    for (options, hint) in [
        (&["-f", "-"][..], "hint: -s reads the payload from standard input"),
        (&["-n", "--cafile", &directory], "hint: --capath takes a directory"),
        (&["-n", "--capath", file], "hint: --cafile takes a file"),
        (&["-n", "-u", "me", "--password-command", "exit 127"], "the shell has not found the command"),
        (&["-n", "-u", "me", "--password-command", "exit 3"], "this is the status of the command itself"),
    ] {
        let stderr = failure(1, &[&publish, options].concat(), &[]);
        assert!(stderr.contains(hint), "{options:?}: {stderr}");
    }
    let backup = ["retain-clear", "a", "-h", "127.0.0.1", "-p", "1", "--yes", "--backup", file];
    assert!(failure(1, &backup, &[]).contains("hint: an existing backup is not overwritten"));
}

#[test]
fn a_flag_beats_its_variable_and_that_the_default() {
    // No server listens on port 1, and the error names the address of the attempt.
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
    let stderr = failure(2, &["sub", "-t", "a", "--tls-use-os-certs"], &[("MQTT_INSECURE", "maybe")]);
    assert!(stderr.contains("MQTT_INSECURE"), "{stderr}");
    let stderr = failure(2, &["sub", "-t", "a"], &[("MQTT_URL", "mqtt://me:hunter2@h:x")]);
    assert!(stderr.contains("MQTT_URL") && !stderr.contains("hunter2"), "{stderr}");
}

/// A variable is read only if it matters: not if a flag replaces it, and not if the connection does not need
/// it.
#[allow(clippy::too_many_lines, reason = "a table")]
#[test]
fn unused_variables_do_not_fail_a_run() {
    let here = ["-h", "127.0.0.1", "-p", "1"];
    let url = ["-L", "mqtt://127.0.0.1:1"];
    let unix = ["--unix", "/nowhere/socket"];
    let tls_without_files = ["-h", "127.0.0.1", "-p", "1", "--tls-use-os-certs"];
    let insecure = ["-L", "mqtts://127.0.0.1:1", "--insecure"];
    for (options, variables) in [
        (&here[..], &[("MQTT_PORT", "many"), ("MQTT_HOST", "a b"), ("MQTT_URL", "nonsense")][..]),
        (&here, &[("MQTT_TLS_VERSION", "tls9"), ("MQTT_TLS_PIN", "no"), ("MQTT_INSECURE", "maybe")]),
        (&here, &[("MQTT_INSECURE", "true"), ("MQTT_CIPHERS", "x"), ("MQTT_KEY", "/no"), ("MQTT_CERT", "")]),
        (&here, &[("MQTT_CRL", "/no"), ("MQTT_TLS_ALPN", ","), ("MQTT_KEYFORM", "x"), ("MQTT_NO_TLS", "x")]),
        (&here, &[("MQTT_WS_PATH", "x"), ("MQTT_WS_HEADER", "x"), ("MQTT_NAME_SERVER", "x")]),
        (&here, &[("MQTT_WS_PATH", "/x"), ("MQTT_WS_HEADER", "A: b"), ("MQTT_NAME_SERVER", "::1")]),
        (&here, &[("MQTT_AUTH_DATA", "hex:x"), ("MQTT_REAUTHENTICATE", "x")]),
        (&here, &[("MQTT_AUTH_DATA", "x"), ("MQTT_REAUTHENTICATE", "5m")]),
        (&here, &[("MQTT_NODELAY", "%bad")]),
        (
            &["-D", "connect", "session-expiry-interval", "5", "-p", "1", "-h", "127.0.0.1"],
            &[("MQTT_SESSION_EXPIRY", "1h")],
        ),
        (&url, &[("MQTT_PORT", "many"), ("MQTT_HOST", ""), ("MQTT_UNIX", "/x"), ("MQTT_WS", "maybe")]),
        (&url, &[("MQTT_HOST", "a b"), ("MQTT_PORT", "0")]),
        (&["-L", "mqtt://u:p@127.0.0.1:1"], &[("MQTT_PASSWORD_PROMPT", "x"), ("MQTT_PASSWORD_FILE", "/no")]),
        (&["-L", "ws://127.0.0.1:1/x"], &[("MQTT_WS_PATH", "no slash"), ("MQTT_WS", "x")]),
        (&unix, &[("MQTT_PORT", "x"), ("MQTT_SRV", "x"), ("MQTT_PROXY", "x://"), ("MQTT_CAFILE", "/no")]),
        (&unix, &[("MQTT_BIND_ADDRESS", "x"), ("MQTT_TLS_USE_OS_CERTS", "x"), ("MQTT_NAME_SERVER", "x")]),
        (&["-h", "127.0.0.1", "-p", "1", "-u", "me", "-P", "x"], &[("MQTT_PASSWORD_COMMAND", "exit 1")]),
        (&["-h", "127.0.0.1", "-p", "1", "-i", "me"], &[("MQTT_ID_PREFIX", "x")]),
        (&["-h", "127.0.0.1", "-p", "1", "-V", "311"], &[("MQTT_SESSION_EXPIRY", "1h")]),
        (&["-h", "127.0.0.1", "-p", "1", "-V", "311"], &[("MQTT_SESSION_EXPIRY", "x")]),
        (
            &["-h", "127.0.0.1", "-p", "1", "-V", "311"],
            &[("MQTT_AUTH_METHOD", "SCRAM-SHA-1"), ("MQTT_REAUTHENTICATE", "x"), ("MQTT_AUTH_DATA", "hex:z")],
        ),
        (&here, &[("MQTT_SRV", "x")]),
        (&url, &[("MQTT_SRV", "x"), ("MQTT_NAME_SERVER", "x")]),
        (&tls_without_files, &[("MQTT_CAFILE", "/no"), ("MQTT_CAPATH", "/no")]),
        (&insecure, &[("MQTT_CAFILE", "/no"), ("MQTT_CAPATH", "/no"), ("MQTT_CRL", "/no")]),
        (&insecure, &[("MQTT_TLS_USE_OS_CERTS", "x")]),
        (&["-h", "127.0.0.1", "-p", "1", "-k", "5"], &[("MQTT_KEEPALIVE", "x")]),
        (&["-S", "-h", "x.invalid", "--name-server", "127.0.0.1:1"], &[("MQTT_PORT", "1884")]),
        (&["-h", "127.0.0.1", "-p", "1", "--no-tls"], &[("MQTT_CAFILE", "/no"), ("MQTT_TLS_VERSION", "x")]),
    ] {
        for subcommand in [&["pub", "-t", "a", "-n"][..], &["sub", "-t", "a", "-E"], &["ping"]] {
            let line = [subcommand, &["--connect-timeout", "5"], options].concat();
            let output = mqtt(&line, variables);
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(1), "{line:?} {variables:?}: {stderr}");
        }
    }
    // Runs without messages of their own have none in flight.
    for command in [&["ping"][..], &["bench", "conn", "--clients", "1"], &["retain-clear", "a", "--dry-run"]]
    {
        let line = [command, &here, &["--connect-timeout", "5"]].concat();
        let output = mqtt(&line, &[("MQTT_MAX_INFLIGHT", "x")]);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{line:?}: {stderr}");
    }
    // A pre-shared key requires TLS, and must not lead to a connection without TLS.
    let line = [&["pub", "-t", "a", "-n"], &here[..]].concat();
    assert!(failure(2, &line, &[("MQTT_PSK", "00")]).contains("has no pre-shared keys"));
    // A single attempt has no pauses.
    let line = [&["pub", "-t", "a", "-n"], &here[..]].concat();
    failure(1, &line, &[("MQTT_RECONNECT_MAX_DELAY", "x")]);
    failure(2, &[&line[..], &["--reconnect", "2"]].concat(), &[("MQTT_RECONNECT_MAX_DELAY", "x")]);
    // A run without a broker, and one with its own.
    let everything =
        [("MQTT_URL", "x"), ("MQTT_KEEPALIVE", "x"), ("MQTT_CONFIG", "/no"), ("MQTT_PASSWORD_FILE", "/")];
    for line in [
        &["will-test", "--list"][..],
        &["bench", "scenario", "list"],
        &["bench", "scenario", "show", "fanin-2k-100"],
    ] {
        for variables in [&everything[..], &[("MQTT_PROFILE", "no"), ("MQTT_OPTIONS_FILE", "/no")]] {
            let run = mqtt(line, variables);
            let stderr = String::from_utf8_lossy(&run.stderr);
            assert!(run.status.success() && stderr.is_empty(), "{line:?} {variables:?}: {stderr}");
        }
    }
    failure(1, &["bench", "compare", "/no", "/nothing"], &everything);
    let broker =
        [("MQTT_URL", "x"), ("MQTT_CAFILE", "/no"), ("MQTT_WS", "true"), ("MQTT_PASSWORD_COMMAND", "false")];
    let line = ["bench", "conn", "--embedded", "--clients", "1", "--hold", "1ms"];
    let output = mqtt(&line, &broker);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    // Settings that a subcommand handles in its own way.
    let session = [("MQTT_DISABLE_CLEAN_SESSION", "true"), ("MQTT_CLIENT_ID", "me"), ("MQTT_RECONNECT", "x")];
    failure(1, &[&["bench", "conn", "--clients", "1"], &here[..]].concat(), &session);
    for subcommand in [&["retain-clear", "a/#", "--dry-run"][..], &["will-test", "--case", "close"]] {
        failure(1, &[subcommand, &here[..]].concat(), &session[..2]);
    }
    // Commands that send at most one message have no window.
    for subcommand in [&["sub", "-t", "a", "-E"][..], &["will-test", "--case", "close"]] {
        failure(1, &[subcommand, &here[..]].concat(), &[("MQTT_MAX_INFLIGHT", "x")]);
    }
    // The same for the keys of a profile.
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("config.toml");
    let config = config.to_str().unwrap();
    for (options, keys) in [
        (&insecure[..], "cafile = '/no'\ncrl = '/no'\ntls-use-os-certs = 'x'"),
        (&tls_without_files, "capath = '/no'"),
        (&["-h", "127.0.0.1", "-p", "1", "-V", "311"], "session-expiry = 'x'\nauth-method = 'SCRAM-SHA-1'"),
        (&here, "srv = 'x'\nmax-inflight = 'x'"),
    ] {
        std::fs::write(config, format!("[profile.a]\n{keys}\n")).unwrap();
        failure(1, &[&["sub", "-t", "a", "-E", "--config", config, "--profile", "a"], options].concat(), &[]);
    }
    // Each connection of will-test is made only once.
    let once = [("MQTT_RECONNECT", "x"), ("MQTT_WAIT_FOR_SERVER", "x"), ("MQTT_FOLLOW_REDIRECT", "x")];
    for options in [&["--case", "close"][..], &["--will-topic", "a"]] {
        failure(1, &[&["will-test"], options, &here[..]].concat(), &once);
    }
}

/// An invalid value that matters is an error, with the variable's name.
#[test]
fn variables_that_matter_are_named() {
    let (here, tls) = (["-h", "127.0.0.1"], ["-h", "127.0.0.1", "-p", "8883"]);
    for (options, variable, value) in [
        (&here[..], "MQTT_PORT", "many"),
        (&here, "MQTT_KEEPALIVE", "x"),
        (&here, "MQTT_WS", "maybe"),
        (&here, "MQTT_SRV", "maybe"),
        (&here, "MQTT_PROXY", "ftp://x"),
        (&here, "MQTT_TLS_USE_OS_CERTS", "maybe"),
        (&["--ws", "-h", "127.0.0.1"], "MQTT_WS_PATH", "x"),
        (&["-S"], "MQTT_NAME_SERVER", "x"),
        (&tls, "MQTT_TLS_VERSION", "tls9"),
        (&tls, "MQTT_INSECURE", "maybe"),
        (&["-L", "mqtts://127.0.0.1"], "MQTT_TLS_PIN", "x"),
        (&["--auth-method", "X", "-h", "127.0.0.1"], "MQTT_REAUTHENTICATE", "x"),
        (&["-u", "me", "-h", "127.0.0.1"], "MQTT_PASSWORD_PROMPT", "maybe"),
        (&[], "MQTT_URL", "nonsense"),
        (&[], "MQTT_HOST", "a b"),
    ] {
        let line = [&["pub", "-t", "a", "-n"], options].concat();
        // Together with another invalid variable that does not matter.
        let stderr =
            failure(2, &line, &[(variable, value), ("MQTT_OPTIONS", "x"), ("MQTT_CONNECT_TIMEOUT", "5")]);
        assert!(stderr.contains(&format!("(from the environment: {variable})")), "{stderr}");
    }
    let stderr = failure(1, &["pub", "-t", "a", "-n", "-h", "127.0.0.1"], &[("MQTT_CONFIG", "zz")]);
    assert!(stderr.contains("file zz (from the environment: MQTT_CONFIG)"), "{stderr}");
    let stderr = failure(2, &["sub"], &[("MQTT_URL", "nonsense")]);
    assert!(stderr.contains("MQTT_URL"), "not a missing topic: {stderr}");
}

type Variables = &'static [(&'static str, &'static str)];
/// Valid values that do not fit the other options, or the files.
const UNFIT: &[(&[&str], Variables)] = &[
    (&["-L", "mqtts://127.0.0.1"], &[("MQTT_CAFILE", "/no/such")]),
    (TLS, &[("MQTT_CAPATH", "/no/such")]),
    (TLS, &[("MQTT_CRL", "/no/such")]),
    (TLS, &[("MQTT_CERT", "/no/such")]),
    (TLS, &[("MQTT_KEY", "/no/such")]),
    (TLS, &[("MQTT_CERT", "/no/such"), ("MQTT_KEY", "/dev/null")]),
    (&["-p", "8883", "--cert", "a", "--key", "b"], &[("MQTT_KEY_PASSWORD_FILE", "/no/such")]),
    (TLS, &[("MQTT_CIPHERS", "zz")]),
    (TLS, &[("MQTT_CIPHERS", "ECDHE-RSA-AES128-GCM-SHA256"), ("MQTT_TLS_VERSION", "tlsv1.3")]),
    (TLS, &[("MQTT_TLS_ALPN", "a,,b")]),
    (TLS, &[("MQTT_TLS_SERVER_NAME", "a b")]),
    (TLS, &[("MQTT_TLS_USE_OS_CERTS", "1"), ("MQTT_CAFILE", "/dev/null")]),
    (TLS, &[("MQTT_TLS_KEYLOG", "/no/such")]),
    (TLS, &[("MQTT_TLS_KEYLOG", "env")]),
    (&["-p", "8883", "--crl", "/dev/null"], &[("MQTT_INSECURE", "1")]),
    (TLS, &[("MQTT_PSK", "00")]),
    (TLS, &[("MQTT_PSK_IDENTITY", "me")]),
    (TLS, &[("MQTT_TLS_ENGINE", "x")]),
    (TLS, &[("MQTT_TLS_ENGINE_KPASS_SHA1", "x")]),
    (TLS, &[("MQTT_KEYFORM", "engine")]),
    (&["--ws"], &[("MQTT_WS_HEADER", "A: b\r\nX: y")]),
    (&["--ws"], &[("MQTT_WS_HEADER", "Upgrade: x")]),
    (&["--ws"], &[("MQTT_WS_PATH", "/a b")]),
    (&[], &[("MQTT_URL", "ws://127.0.0.1/x"), ("MQTT_WS_PATH", "/y")]),
    (&[], &[("MQTT_URL", "mqtt://a"), ("MQTT_HOST", "b")]),
    (&[], &[("MQTT_URL", "mqtt://a:1"), ("MQTT_PORT", "2")]),
    (&[], &[("MQTT_HOST", "a"), ("MQTT_UNIX", "/no/such")]),
    (&["-h", "a"], &[("MQTT_SRV", "1"), ("MQTT_PORT", "2")]),
    (&[], &[("MQTT_DISABLE_CLEAN_SESSION", "1")]),
    (&[], &[("MQTT_CLIENT_ID", "a"), ("MQTT_ID_PREFIX", "b")]),
    (&[], &[("MQTT_CLIENT_ID", LONG)]),
    (&[], &[("MQTT_ID_PREFIX", LONG)]),
    (&[], &[("MQTT_USERNAME", LONG)]),
    (&["-u", "me"], &[("MQTT_PASSWORD", LONG)]),
    (&["-u", "me"], &[("MQTT_PASSWORD", "x"), ("MQTT_PASSWORD_FILE", "/dev/null")]),
    (&["-u", "me"], &[("MQTT_PASSWORD_FILE", "/no/such")]),
    (&["-u", "me"], &[("MQTT_PASSWORD_COMMAND", "exit 1")]),
    (&["-u", "me"], &[("MQTT_PASSWORD_PROMPT", "1"), ("MQTT_PASSWORD", "x")]),
    (&[], &[("MQTT_AUTH_METHOD", "SCRAM-SHA-1")]),
    (&["--auth-method", "x"], &[("MQTT_AUTH_DATA", "hex:z")]),
    (&[], &[("MQTT_SESSION_EXPIRY", "5"), ("MQTT_PROTOCOL_VERSION", "311")]),
    (&[], &[("MQTT_CONFIG", "/no/such")]),
    (&["--config", "/dev/null"], &[("MQTT_PROFILE", "home")]),
    (&[], &[("MQTT_OPTIONS_FILE", "/no/such")]),
];
const TLS: &[&str] = &["-h", "127.0.0.1", "-p", "8883"];
/// Stands for a text longer than MQTT allows.
const LONG: &str = "LONG";

/// Variables whose values are always valid, or refused when they are read.
const ALWAYS_FIT: &[&str] = &[
    "MQTT_BIND_ADDRESS",
    "MQTT_CONNECT_TIMEOUT",
    "MQTT_FOLLOW_REDIRECT",
    "MQTT_KEEPALIVE",
    "MQTT_MAX_INFLIGHT",
    "MQTT_MAX_PACKET_SIZE",
    "MQTT_NAME_SERVER",
    "MQTT_NODELAY",
    "MQTT_NO_TLS",
    "MQTT_PROXY",
    "MQTT_REAUTHENTICATE",
    "MQTT_RECONNECT",
    "MQTT_RECONNECT_MAX_DELAY",
    "MQTT_TLS_PIN",
    "MQTT_WAIT_FOR_SERVER",
    "MQTT_WS",
];

#[test]
fn variables_that_do_not_fit_are_named() {
    let long = "x".repeat(65_536);
    let value = |value: &'static str| if value == LONG { &long[..] } else { value };
    for (options, unfit) in UNFIT {
        let variables: Vec<_> = unfit.iter().map(|(name, text)| (*name, value(text))).collect();
        let line = [&["pub", "-t", "a", "-n"], *options].concat();
        let output = mqtt(&line, &variables);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(matches!(output.status.code(), Some(1 | 2)), "{line:?} {unfit:?}: {stderr}");
        // The variable that only makes it matter is not always named.
        let (first, _) = unfit[0];
        let place = stderr.split_once("(from the environment: ").map(|(_, place)| place);
        let place = place.and_then(|place| place.split_once(')')).map(|(place, _)| place);
        let named: Vec<&str> = place.unwrap_or_default().split(", ").collect();
        assert!(named.contains(&first), "{line:?} {unfit:?}: {stderr}");
    }
    // A file is named with its line.
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("c.toml");
    std::fs::write(&config, "[profile.home]\nkeepalive = 5\nciphers = 'zz'\n").unwrap();
    let line =
        ["pub", "-t", "a", "-n", "-p", "8883", "--config", config.to_str().unwrap(), "--profile", "home"];
    let stderr = failure(2, &line, &[]);
    assert!(stderr.contains(&format!("'zz' (from {}, line 3)", config.display())), "{stderr}");
    // The origin of a typed value is not named.
    let line = ["pub", "-t", "a", "-n", "-p", "8883", "--ciphers", "zz"];
    assert!(!failure(2, &line, &[("MQTT_CIPHERS", "x")]).contains("(from"));
}

#[test]
fn each_variable_is_known_to_fit_or_not() {
    let mut command = ::mqtt::cli::command();
    command.build();
    let publish = command.find_subcommand("pub").unwrap();
    let variables = publish.get_arguments().filter_map(|arg| arg.get_env()?.to_str());
    let mut count = 0;
    for variable in variables {
        let is_unfit = UNFIT.iter().any(|(_, unfit)| unfit.iter().any(|(name, _)| *name == variable));
        assert_ne!(is_unfit, ALWAYS_FIT.contains(&variable), "{variable}");
        count += 1;
    }
    assert!(count > 50, "{count}");
}

/// Container files may set empty variables.
#[test]
fn an_empty_variable_is_not_set() {
    let empty = ["MQTT_HOST", "MQTT_PORT", "MQTT_USERNAME", "MQTT_PASSWORD", "MQTT_CAFILE", "MQTT_NO_TLS"];
    let variables: Vec<(&str, &str)> = empty.iter().map(|name| (*name, "")).collect();
    let stderr = failure(1, &["pub", "-t", "a", "-n", "-h", "127.0.0.1", "-p", "1"], &variables);
    assert!(stderr.contains("127.0.0.1:1"), "{stderr}");
}

/// Help must not show a password.
#[test]
fn help_does_not_show_the_environment() {
    let plain = mqtt(&["pub", "--help"], &[]).stdout;
    let with = mqtt(&["pub", "--help"], &[("MQTT_PASSWORD", "hunter2"), ("MQTT_HOST", "secret.example")]);
    assert_eq!(with.stdout, plain);
}

/// As many programs have it.
#[test]
fn help_subcommand() {
    for (word, option) in [(&["help"][..], &["--help"][..]), (&["help", "rr"], &["rr", "--help"])] {
        let [word, option] = [word, option].map(|line| mqtt(line, &[]).stdout);
        assert!(word == option && !word.is_empty());
    }
    let stderr = failure(2, &["help", "nothing"], &[]);
    assert!(stderr.contains("unrecognized subcommand 'nothing'"), "{stderr}");
}

/// Options that a mode of `bench` does not support, and modes that do; a port in use.
#[test]
fn errors_suggest_an_alternative() {
    let stderr = failure(2, &["bench", "sub", "--rate", "5"], &[]);
    assert!(
        stderr.contains("sub does not take --rate\nhint: --rate is allowed with pub, e2e, rr, retained, wills and find-limit"),
        "{stderr}"
    );
    let stderr = failure(2, &["bench", "conn", "--pattern", "fanin-2k-100"], &[]);
    assert!(stderr.contains("conn does not take --pattern\nhint: --pattern is allowed with e2e"), "{stderr}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let stderr = failure(1, &["broker", "-p", &port], &[]);
    let words = format!(
        "cannot listen on 127.0.0.1:{port}: address in use\nhint: is a broker already running there?"
    );
    assert!(stderr.contains(&words), "{stderr}");
}

#[test]
fn help_as_json_agrees_with_its_schema() {
    let commands = |line: &[&str]| {
        let output = mqtt(line, &[]);
        assert_eq!(output.status.code(), Some(0));
        report("reference", &output.stdout)["commands"].as_array().unwrap().clone()
    };
    let names: Vec<_> = commands(&["help", "--json"]).iter().map(|command| command["name"].clone()).collect();
    assert!(names.contains(&"mqtt bench".into()), "{names:?}");
    let one = commands(&["help", "bench", "pub", "--json"]);
    assert_eq!((one.len(), &one[0]["name"]), (1, &"mqtt bench pub".into()));
}
