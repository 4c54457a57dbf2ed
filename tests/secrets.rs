//! Secrets reach the broker and nobody else: no output, no list of processes.

use crate::support::mqtt::Mqtt;
use crate::support::server::Server;
use crate::support::write;

/// Options and variables that hold one.
type Place<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)]);

/// The one of every test here.
const SECRET: &str = "hunter2";

/// Wherever it comes from, the password reaches the broker, and nobody else.
#[test]
fn passwords_from_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "password", "hunter2\n");
    let config = write(folder.path(), "c.toml", "[profile.a]\npassword = 'hunter2'\n");
    let options = write(folder.path(), "o", "# mosquitto's\n-P hunter2\n");
    for (arguments, variable) in [
        (vec!["-P", "hunter2"], None),
        (vec!["--password-file", &file], None),
        (vec!["--password-command", "echo hunter2"], None),
        (vec![], Some("MQTT_PASSWORD")),
        (vec!["--config", &config, "--profile", "a"], None),
        (vec!["-o", &options], None),
    ] {
        let server = Server::start(|listener| {
            let mut peer = listener.accept();
            let connect = peer.packet();
            assert!(connect.ends_with(b"\x00\x02me\x00\x07hunter2"), "{connect:?}");
            peer.send(&[0x20, 2, 0, 5]); // not authorized
        });
        let port = server.port().to_string();
        let line = ["pub", "-d", "-V", "311", "-t", "a", "-n", "-u", "me", "-h", "127.0.0.1", "-p", &port];
        let mut mqtt = Mqtt::new(line).args(&arguments).env("PATH", "/usr/bin:/bin");
        if let Some(variable) = variable {
            mqtt = mqtt.env(variable, "hunter2");
        }
        mqtt.run().exits(135).mentions("Not authorized").does_not_mention("hunter2");
        server.finish();
    }
}

/// What is typed at the question is the password, and not shown.
#[cfg(unix)]
#[test]
fn a_password_that_is_typed_is_not_shown() {
    let server = Server::start(|listener| {
        let connect = listener.accept().expect_connect(mqtt::protocol::Protocol::V5);
        assert!(connect.ends_with(b"\x00\x02me\x00\x07hunter2"), "{connect:?}");
    });
    let line = ["-t", "a", "-m", "x", "-u", "me", "--password-prompt"];
    let prompt = || Mqtt::publish(server.port()).args(line).on_a_terminal_of_its_own().spawn();
    // Ctrl-C is heeded where the terminal gives no signal for it.
    let mut running = prompt();
    running.wait_for_stderr("Password");
    running.write("hun\x03");
    running.wait_for_end().dies_of(rustix::process::Signal::INT).does_not_mention("hun");
    let mut running = prompt();
    running.wait_for_stderr("Password");
    running.write("hunter3\x7f2\n");
    running.wait_for_end().exits(1).does_not_mention("hunter");
    server.finish();
}

#[cfg(unix)]
#[test]
fn a_file_that_all_can_read_deserves_a_word() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "password", "hunter2");
    std::fs::set_permissions(&file, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    Mqtt::new(["pub", "-t", "a", "-n", "-h", "127.0.0.1", "-p", "1", "--password-file", &file])
        .run()
        .exits(1)
        .mentions("every user of this machine can read it")
        .does_not_mention("hunter2");
}

#[cfg(target_os = "linux")]
#[test]
fn a_typed_secret_is_not_in_the_list_of_processes() {
    for (options, shown) in [
        (
            &["-u", "me", "-Phunter2", "-L", "mqtt://127.0.0.1:1"][..],
            "-u me -P(hidden) -L mqtt://127.0.0.1:1",
        ),
        (&["-d", "--pw=hunter2", "-p", "1"], "-d --pw=(hidden) -p 1"),
        (&["-L", "mqtt://me:hunter2@127.0.0.1:1"], "-L (hidden)"),
        (&["--url=ws://127.0.0.1:1/?token=hunter2"], "--url=(hidden)"),
        (&["--ws", "-p", "1", "--ws-path", "/mqtt?token=hunter2"], "--ws-path (hidden)"),
        (&["--ws", "-p", "1", "--ws-header", "Authorization: hunter2"], "--ws-header (hidden)"),
        (&["--proxy", "socks5h://me:hunter2@127.0.0.1:1", "-p", "1"], "--proxy (hidden)"),
    ] {
        let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_mqtt"))
            .args(["pub", "-t", "a", "-s"])
            .args(options)
            .stdin(std::process::Stdio::piped())
            .stderr(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let path = format!("/proc/{}/cmdline", child.id());
        let deadline = std::time::Instant::now() + crate::support::LIMIT;
        let line = loop {
            let line = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).replace('\0', " ");
            if line.contains("(hidden)") || std::time::Instant::now() > deadline {
                break line;
            }
            std::thread::yield_now();
        };
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(line.contains(shown) && !line.contains(SECRET), "{line}");
    }
}

/// Hiding a password starts the program anew, which must not lose what a pipe has brought.
#[cfg(unix)]
#[test]
fn a_typed_password_beside_files_that_are_pipes() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = |name: &str, content: &'static str| {
        let path = folder.path().join(name);
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let place = path.display().to_string();
        (place, std::thread::spawn(move || std::fs::write(path, content).unwrap()))
    };
    let (options, first) = pipe("options", "-u me\n-i id\n");
    let (config, second) = pipe("config.toml", "[profile.a]\nprotocol-version = '311'\n");
    let server = Server::start(|listener| {
        let connect = listener.accept().expect_connect(mqtt::protocol::Protocol::V3_1_1);
        assert!(connect.ends_with(b"\x00\x02id\x00\x02me\x00\x07hunter2"), "{connect:?}");
    });
    let files = ["-o", &options, "--config", &config, "--profile", "a"];
    let run = Mqtt::publish(server.port()).args(["-t", "a", "-n", "-P", SECRET]).args(files).spawn();
    server.finish();
    drop(run);
    for writer in [first, second] {
        writer.join().unwrap();
    }
}

/// Wherever a secret stands, and whatever goes wrong with it: usage errors, a server that refuses, one
/// that speaks something else, packets shown, reports.
#[test]
fn no_output_shows_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| write(folder.path(), name, text);
    let profile = file("c.toml", "[profile.a]\nurl = 'wss://me:hunter2@h:x/?t=hunter2'\n");
    let header = file("h.toml", "[profile.a]\nws-header = 'hunter2'\n");
    let number = file("n.toml", "[profile.a]\npassword = [1, 'hunter2']\n");
    let options = file("o", "-L mqtt://me:hunter2@h:x\n");
    let places: &[Place<'_>] = &[
        (&["-u", "me", "-P", SECRET], &[]),
        (&["-L", "mqtt://me:hunter2@127.0.0.1:1"], &[]),
        (&["-L", "mqtt://me:hunter2@127.0.0.1:1x"], &[]),
        (&["-L", "mqtt://me:hunter2/x@127.0.0.1:1"], &[]),
        (&["-L", "mqtt://me:hunter2%@127.0.0.1"], &[]),
        (&["-L", "htp://me:hunter2@127.0.0.1"], &[]),
        (&["-L", "ws://me:hunter2@127.0.0.1:1/x?token=hunter2"], &[]),
        (&["-L", "ws://127.0.0.1:1/x?token=hunter2 "], &[]),
        (&["-L", "ws://127.0.0.1:1/", "--ws-path", "/x?token=hunter2"], &[]),
        (&["-L", "mqtt://127.0.0.1:1", "--ws-path", "/x?token=hunter2"], &[]),
        (&["--ws", "--ws-path", "x?token=hunter2"], &[]),
        (&["--ws", "-p", "1", "--ws-header", "Authorization: hunter2"], &[]),
        (&["--ws", "-p", "1", "--ws-header", "Authorization hunter2"], &[]),
        (&["--ws", "-p", "1", "--ws-header", "Authorization: hunter2\n"], &[]),
        (&["--ws", "-p", "1", "--ws-header", "Upgrade: hunter2"], &[]),
        (&["-p", "1", "--ws-header", "Authorization: hunter2"], &[]),
        (&["-p", "1", "--proxy", "http://me:hunter2@127.0.0.1:1"], &[]),
        (&["-p", "1", "--proxy", "http://me:hunter2@127.0.0.1:x"], &[]),
        (&["-p", "1", "--proxy", "ftp://me:hunter2@127.0.0.1"], &[]),
        (&["-p", "1", "--proxy", "env"], &[("ALL_PROXY", "http://me:hunter2@127.0.0.1:x")]),
        (&["-p", "1", "--proxy", "env"], &[("ALL_PROXY", "hunter2")]),
        (&["-p", "1", "--auth-method", "OWN", "--auth-data", SECRET], &[]),
        (&["-p", "1", "--auth-method", "OWN", "--auth-data", "hex:hunter2"], &[]),
        (&["-p", "1", "--auth-method", "SCRAM-SHA-256", "-u", "me", "-P", SECRET], &[]),
        (&["-p", "1"], &[("MQTT_PASSWORD", SECRET)]),
        (&["-p", "1"], &[("MQTT_URL", "mqtt://me:hunter2@127.0.0.1:x")]),
        (&["-p", "1"], &[("MQTT_WS_HEADER", "hunter2")]),
        (&["-p", "1", "--password-command", "echo hunter2; false"], &[("PATH", "/usr/bin:/bin")]),
        (&["--config", &profile, "--profile", "a"], &[]),
        (&["--config", &header, "--profile", "a"], &[]),
        (&["--config", &number, "--profile", "a"], &[]),
        (&["-o", &options], &[]),
    ];
    for (options, environment) in places {
        for subcommand in [
            &["pub", "-d", "-t", "a", "-n", "-q", "1"][..],
            &["sub", "-d", "-t", "a", "-E"],
            &["ping", "--json"],
            &["config", "show"],
        ] {
            let mqtt = Mqtt::new(subcommand).args(*options);
            let outcome = environment.iter().fold(mqtt, |mqtt, (name, value)| mqtt.env(name, value)).run();
            let printed = String::from_utf8_lossy(&outcome.stdout).into_owned() + &outcome.stderr;
            assert!(!printed.contains(SECRET), "{subcommand:?} {options:?} {environment:?}\n{printed}");
        }
    }
}
