//! Secrets reach only the broker: no output and no list of processes shows them.

use std::io::{BufRead as _, BufReader, Write as _};

use mqtt::protocol::Protocol::V5;
use mqtt::protocol::property::{PropertyId, Value};
use mqtt::protocol::reason::ReasonCode;
use mqtt::protocol::wire;

use crate::support::broker::Broker;
use crate::support::mqtt::Mqtt;
use crate::support::server::Server;
use crate::support::{Service as _, packets, write};

/// Options and variables that contain a secret.
type Place<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)]);

/// The secret of all tests here.
const SECRET: &str = "hunter2";

/// Three of these are longer than an environment variable can be.
const LONG: &str = {
    static BYTES: [u8; 60_000] = [b'='; 60_000];
    match std::str::from_utf8(&BYTES) {
        Ok(text) => text,
        Err(_) => "",
    }
};

/// The password reaches only the broker, from every source.
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

/// The typed answer is the password, and is not shown.
#[cfg(unix)]
#[test]
fn a_password_that_is_typed_is_not_shown() {
    let server = Server::start(|listener| {
        let connect = listener.accept().expect_connect(mqtt::protocol::Protocol::V5);
        assert!(connect.ends_with(b"\x00\x02me\x00\x07hunter2"), "{connect:?}");
    });
    let line = ["-t", "a", "-m", "x", "-u", "me", "--password-prompt"];
    let prompt = || Mqtt::publish(server.port()).args(line).on_a_terminal_of_its_own().spawn();
    // Ctrl-C ends the prompt where the terminal sends no signal for it.
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
fn echoes(terminal: &std::fs::File) -> bool {
    use rustix::termios::{LocalModes, tcgetattr};
    tcgetattr(terminal).unwrap().local_modes.contains(LocalModes::ECHO)
}

/// A signal from outside restores the terminal.
#[cfg(unix)]
#[test]
fn signal_at_the_password_prompt_restores_the_terminal() {
    use rustix::process::Signal;
    let line = ["-t", "a", "-m", "x", "-u", "me", "--password-prompt"];
    for signal in [Signal::TERM, Signal::INT, Signal::HUP] {
        let running = Mqtt::publish(1).args(line).on_a_terminal_of_its_own().spawn();
        running.wait_for_stderr("Password");
        let terminal = running.terminal();
        assert!(!echoes(&terminal));
        running.signal(signal);
        running.wait_for_end().dies_of(signal);
        assert!(echoes(&terminal), "{signal:?}");
    }
}

/// A shell takes the terminal when the program is stopped, and leaves it in its own modes.
#[cfg(unix)]
#[test]
fn terminal_is_silent_again_after_a_stop() {
    use rustix::process::Signal;
    use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
    let line = ["-t", "a", "-m", "x", "-u", "me", "--password-prompt"];
    let mut running = Mqtt::publish(1).args(line).on_a_terminal_of_its_own().spawn();
    running.wait_for_stderr("Password");
    let terminal = running.terminal();
    running.signal(Signal::STOP);
    let mut modes = tcgetattr(&terminal).unwrap();
    modes.local_modes |= LocalModes::ECHO | LocalModes::ICANON;
    tcsetattr(&terminal, OptionalActions::Now, &modes).unwrap();
    running.signal(Signal::CONT);
    let until = std::time::Instant::now() + crate::support::LIMIT;
    while echoes(&terminal) {
        assert!(std::time::Instant::now() < until, "it still echoes");
        std::thread::yield_now();
    }
    running.write("\x03");
    running.wait_for_end().dies_of(Signal::INT);
}

#[cfg(unix)]
#[test]
fn file_that_all_can_read_has_a_warning() {
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
        (&["--auth-method", "X", "--auth-data", "hunter2", "-p", "1"], "--auth-data (hidden)"),
        (
            &[
                "-D",
                "connect",
                "authentication-method",
                "X",
                "-D",
                "connect",
                "authentication-data",
                "hunter2",
            ],
            "authentication-data (hidden)",
        ),
        (&["--content-type", "\u{1f}", "-P", "hunter2", "-p", "1"], "-P (hidden)"),
        (
            &[
                "--user-property",
                LONG,
                "--user-property",
                LONG,
                "--user-property",
                LONG,
                "-P",
                "hunter2",
                "-p",
                "1",
            ],
            "-P (hidden)",
        ),
    ] {
        let publish = [&["pub", "-t", "a", "-s"], options].concat();
        is_hidden(&publish, shown);
    }
    // The outer process shows the arguments of the inner one.
    let inner = ["pub", "-t", "a", "-s", "-u", "me", "-P", SECRET];
    let outer = [&["broker", "-p", "0", "--", env!("CARGO_BIN_EXE_mqtt")], &inner[..]].concat();
    is_hidden(&outer, "pub -t a -s -u me -P (hidden)");
}

/// A run that waits for standard input is shown like this in the list of processes.
#[cfg(target_os = "linux")]
fn is_hidden(words: &[&str], shown: &str) {
    let mut child = std::process::Command::new(env!("CARGO_BIN_EXE_mqtt"))
        .args(words)
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

/// The neighbours of a secret may be any bytes, and the secrets of every subcommand are hidden.
#[cfg(target_os = "linux")]
#[test]
fn a_secret_is_hidden_beside_anything() {
    use std::os::unix::ffi::OsStrExt as _;
    let odd = std::ffi::OsStr::from_bytes(b"\xff\xfe").to_owned();
    let (arrived, is_there) = std::sync::mpsc::channel();
    let (end, over) = std::sync::mpsc::channel();
    let server = Server::start(move |server| {
        let mut peer = server.accept_session(V5);
        // The SUBSCRIBE is not answered, so the program waits.
        peer.packet();
        arrived.send(()).unwrap();
        over.recv().unwrap();
    });
    let run = Mqtt::subscribe(server.port())
        .args(["-V", "5", "-t", "a", "-d", "-u", "me", "-P", SECRET, "--will-topic", "w", "--will-payload"])
        .args([&odd])
        .spawn();
    is_there.recv_timeout(crate::support::LIMIT).unwrap();
    let line = run.command_line();
    assert!(line.contains("-P (hidden)") && !line.contains(SECRET), "{line}");
    end.send(()).unwrap();
    drop(run);
    server.finish();
    let (arrived, is_there) = std::sync::mpsc::channel();
    let (end, over) = std::sync::mpsc::channel();
    let server = Server::start(move |server| {
        server.accept().packet();
        arrived.send(()).unwrap();
        over.recv().unwrap();
    });
    let port = server.port().to_string();
    let run = Mqtt::new(["will-test", "--case", "close", "-h", "127.0.0.1", "-p", &port])
        .args(["--watch-as", "me", "--watch-password", SECRET])
        .spawn();
    is_there.recv_timeout(crate::support::LIMIT).unwrap();
    let line = run.command_line();
    assert!(line.contains("--watch-password (hidden)") && !line.contains(SECRET), "{line}");
    end.send(()).unwrap();
    drop(run);
    server.finish();
}

/// A gateway may repeat user name and password in the encodings of HTTP and SASL.
#[test]
fn encoded_credentials_are_masked() {
    for repeated in
        ["Basic bWU6aHVudGVyMg==", "Basic bWU6aHVudGVyMg", "PLAIN AG1lAGh1bnRlcjI=", "password aHVudGVyMg=="]
    {
        let (word, secret) = repeated.split_once(' ').unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = std::thread::spawn(move || {
            let (stream, _) = listener.accept().unwrap();
            let mut lines = BufReader::new(&stream).lines();
            while !lines.next().unwrap().unwrap().is_empty() {}
            write!(&stream, "HTTP/1.1 403 refused {repeated}\r\nContent-Length: 0\r\n\r\n").unwrap();
        });
        let run = Mqtt::publish(port).args(["--ws", "-t", "a", "-n", "-u", "me", "-P", SECRET]).run();
        run.exits(1).mentions(&format!("refused {word} …")).does_not_mention(secret.trim_end_matches('='));
        server.join().unwrap();
    }
}

/// Secrets in a broker's texts are masked.
#[test]
fn what_a_broker_repeats_is_masked() {
    let folder = tempfile::tempdir().unwrap();
    let file = write(folder.path(), "password", SECRET);
    let connack = |text: &str| {
        let mut out = bytes::BytesMut::new();
        let properties = packets::properties(&[
            (PropertyId::ReasonString, Value::Text(text)),
            (PropertyId::UserProperty, Value::Pair("seen", text)),
        ]);
        wire::connack(&mut out, V5, false, ReasonCode(0x86), &properties);
        out.to_vec()
    };
    for (options, variables) in [
        (&["-u", "me", "-P", SECRET][..], &[][..]),
        (&["-u", "me", "--password-file", &file], &[]),
        (&["-u", "me", "--password-command", "printf hunter2"], &[("PATH", "/usr/bin:/bin")]),
        (&["-u", "me"], &[("MQTT_PASSWORD", SECRET)]),
        (&["--auth-method", "X", "--auth-data", "hex:68756e74657232"], &[]),
        (
            &["-D", "connect", "authentication-method", "X", "-D", "connect", "authentication-data", SECRET],
            &[],
        ),
    ] {
        for subcommand in [
            &["pub", "-t", "a", "-n"][..],
            &["pub", "-t", "a", "-n", "-d"],
            &["sub", "-t", "a", "--json-events"],
            &["ping", "--json"],
        ] {
            let answer = connack("user me, password hunter2 or hun ter2");
            let server = Server::start(move |server| {
                let mut peer = server.accept();
                peer.expect_connect(V5);
                peer.send(&answer);
            });
            let port = server.port().to_string();
            let mqtt = Mqtt::new(subcommand).args(["-V", "5", "-h", "127.0.0.1", "-p", &port]).args(options);
            let outcome = variables.iter().fold(mqtt, |mqtt, (name, value)| mqtt.env(name, value)).run();
            let printed = String::from_utf8_lossy(&outcome.stdout).into_owned() + &outcome.stderr;
            assert!(printed.contains("user me, password …"), "{subcommand:?} {options:?}\n{printed}");
            assert!(
                !printed.contains(SECRET) && !printed.contains("ter2"),
                "{subcommand:?} {options:?}\n{printed}"
            );
            server.finish();
        }
    }
}

/// Such characters are escaped in JSON, and shown as codes in text: secrets are masked before that. A broker
/// may also repeat a secret inside JSON.
#[test]
fn secrets_with_characters_that_are_escaped_are_masked() {
    for secret in [r#"hun"ter2"#, r"hun\ter2", "hun\u{7}ter2", "hun\nter2", "hün\"\\ter2"] {
        for text in [secret.to_owned(), serde_json::json!({ "tried": secret }).to_string()] {
            for subcommand in [
                &["pub", "-t", "a", "-n"][..],
                &["pub", "-t", "a", "-n", "-d"],
                &["pub", "-t", "a", "-n", "--json-events=state"],
                &["sub", "-t", "a", "--json-events"],
                &["ping"],
                &["ping", "--json"],
                &["bench", "conn", "--clients", "1", "--json"],
            ] {
                let answer = text.clone();
                let server = Server::start(move |server| {
                    let mut peer = server.accept();
                    peer.expect_connect(V5);
                    let properties = packets::properties(&[
                        (PropertyId::AssignedClientIdentifier, Value::Text(&answer)),
                        (PropertyId::ReasonString, Value::Text(&answer)),
                        (PropertyId::UserProperty, Value::Pair(&answer, &answer)),
                    ]);
                    let mut out = bytes::BytesMut::new();
                    wire::connack(&mut out, V5, false, ReasonCode(0x86), &properties);
                    peer.send(&out);
                });
                let port = server.port().to_string();
                let line = ["-V", "5", "-h", "127.0.0.1", "-p", &port, "-u", "me", "-P", secret];
                let outcome = Mqtt::new(subcommand).args(line).run();
                let printed = String::from_utf8_lossy(&outcome.stdout).into_owned() + &outcome.stderr;
                assert!(
                    printed.contains('…') && !printed.contains("ter2"),
                    "{subcommand:?} {secret:?}\n{printed}"
                );
                server.finish();
            }
        }
    }
}

/// Files that others can write must not run a command.
#[cfg(unix)]
#[test]
fn a_command_in_a_file_that_others_can_write_is_not_run() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let mark = folder.path().join("ran").display().to_string();
    let command = format!("touch {mark}; echo x");
    let config = write(folder.path(), "c.toml", &format!("[profile.a]\npassword-command = '{command}'\n"));
    let options = write(folder.path(), "o", &format!("--password-command {command}\n"));
    let run = |files: &[&str], more: &[&str]| {
        let line = ["pub", "-t", "a", "-n", "-u", "me", "-h", "127.0.0.1", "-p", "1"];
        Mqtt::new(line).args(files).args(more).env("PATH", "/usr/bin:/bin").run()
    };
    let places = [(&config, vec!["--config", &config, "--profile", "a"]), (&options, vec!["-o", &options])];
    for (path, files) in places {
        for (mode, whom) in [(0o602, "every user of this machine"), (0o620, "its whole group")] {
            std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
            run(&files, &[])
                .fails(
                    2,
                    &format!("line {}: the password-command is not run", if path == &config { 2 } else { 1 }),
                )
                .mentions(&format!("because {whom} can write this file"));
            // It is not run either if another password has priority; the rest only causes warnings.
            run(&files, &["-P", "y"])
                .exits(1)
                .mentions(&format!("warning: {whom} can change what {path} makes"));
            assert!(!std::path::Path::new(&mark).exists());
        }
        std::fs::set_permissions(path, PermissionsExt::from_mode(0o600)).unwrap();
        run(&files, &[]).exits(1).does_not_mention("warning");
        std::fs::remove_file(&mark).unwrap();
    }
}

/// Backups and spools contain payloads, so only their owner can read them.
#[cfg(unix)]
#[test]
fn backups_and_spools_are_for_their_owner() {
    use std::os::unix::fs::PermissionsExt;
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (backup, spool, port) = (path("backup"), path("spool"), broker.port().to_string());
    broker.publish().args(["-t", "a", "-m", "x", "-r"]).run().succeeds();
    Mqtt::new(["retain-clear", "a", "--yes", "--backup", &backup, "-h", "127.0.0.1", "-p", &port])
        .behind("umask 0")
        .run()
        .exits(0);
    broker
        .publish()
        .args(["-t", "a", "-m", "x", "-q", "1", "--spool", &spool])
        .behind("umask 0")
        .run()
        .exits(0);
    for file in [&backup, &spool] {
        let mode = std::fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{file}");
    }
    std::fs::set_permissions(&spool, PermissionsExt::from_mode(0o606)).unwrap();
    let again = broker.publish().args(["-t", "a", "-m", "x", "-q", "1", "--spool", &spool]).run();
    again.exits(0).mentions("warning: every user of this machine can change what");
}

/// The prompt names the user of the password.
#[cfg(unix)]
#[test]
fn the_watchers_password_is_asked_for_by_name() {
    let server = Server::start(|server| {
        let mut peer = server.accept();
        let connect = peer.expect_connect(V5);
        assert!(connect.ends_with(b"\x00\x04pump\x00\x03one"), "{connect:?}");
        peer.send(&packets::connack(V5, false, 0x86));
        peer.expect_end();
    });
    let port = server.port().to_string();
    let mut run = Mqtt::new(["will-test", "-V", "5", "--case", "close", "-h", "127.0.0.1", "-p", &port])
        .args(["-u", "pump", "--password-prompt", "--watch-as", "operator"])
        .on_a_terminal_of_its_own()
        .spawn();
    run.wait_for_stderr("Password for 'pump': ");
    run.write("one\n");
    run.wait_for_stderr("Password for 'operator' (--watch-as): ");
    run.write("two\n");
    run.wait_for_end().exits(134);
    server.finish();
}

/// An interrupted run ends the command, with all processes that it has started.
#[cfg(target_os = "linux")]
#[test]
fn an_interrupted_run_leaves_no_command_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pid");
    let command = format!(
        "sh -c 'echo $$ $PPID > {0}.new; mv {0}.new {0}; exec sleep 1000' & exec sleep 1000",
        path.display()
    );
    for (signal, terminal) in [
        (rustix::process::Signal::TERM, false),
        (rustix::process::Signal::INT, false),
        (rustix::process::Signal::HUP, false),
        (rustix::process::Signal::INT, true),
    ] {
        let _ = std::fs::remove_file(&path);
        let line = ["pub", "-t", "a", "-n", "-u", "me", "--password-command", &command, "-p", "1"];
        let mqtt = Mqtt::new(line).env("PATH", "/usr/bin:/bin");
        let mut run = if terminal { mqtt.on_a_terminal_of_its_own().spawn() } else { mqtt.spawn() };
        let deadline = std::time::Instant::now() + crate::support::LIMIT;
        let (process, leader) = loop {
            assert!(std::time::Instant::now() < deadline);
            if let Some((process, leader)) =
                std::fs::read_to_string(&path).ok().as_deref().and_then(|text| text.trim().split_once(' '))
            {
                break (process.to_owned(), leader.to_owned());
            }
            std::thread::yield_now();
        };
        // Until then it is a shell, which may lose an interruption while it starts a program.
        while std::fs::read_to_string(format!("/proc/{leader}/comm")).unwrap() != "sleep\n" {
            assert!(std::time::Instant::now() < deadline, "the shell goes on");
            std::thread::yield_now();
        }
        if terminal {
            run.write("\x03");
        } else {
            run.signal(signal);
        }
        run.wait_for_end().dies_of(signal);
        let state = || std::fs::read_to_string(format!("/proc/{process}/stat"));
        while state().is_ok_and(|state| !state.contains(") Z ")) {
            assert!(std::time::Instant::now() < deadline, "{signal:?}: it goes on");
            std::thread::yield_now();
        }
    }
}

/// To hide a password the program starts itself again, which must not lose input from a pipe.
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

/// For any position of a secret, and any failure: usage errors, a server that refuses, one with another
/// protocol, packets shown, reports.
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
