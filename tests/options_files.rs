//! The options file of mosquitto's clients, and files with commands that others can change.

use crate::support::broker::Broker;
use crate::support::mqtt::Mqtt;
use crate::support::{Service as _, write};

/// The run waits for a pipe without a writer as long as `-W` allows.
#[cfg(unix)]
#[test]
fn options_file_without_a_writer_ends_at_the_time_limit() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let pipe = pipe.to_str().unwrap();
    for line in [&["pub", "-t", "a", "-n"][..], &["sub", "-t", "a"], &["rr", "-t", "a", "-n"], &["ping"]] {
        let run = Mqtt::new(line).args(["-o", pipe, "-W", "300ms"]).run();
        run.fails(27, "timed out after 300ms, waiting for the file");
    }
    // Commands in which -W has another meaning, or does not exist.
    for line in [&["retain-clear", "a", "--yes"][..], &["bench"]] {
        let writer = {
            let pipe = pipe.to_owned();
            std::thread::spawn(move || std::fs::write(pipe, "--unknown\n"))
        };
        Mqtt::new(line).args(["-o", pipe]).run().exits(2).mentions("--unknown");
        writer.join().unwrap().unwrap();
    }
}

/// A mosquitto options file with the line endings of another system. The files that it names are used, and no
/// others are read.
#[test]
fn an_options_file_of_mosquittos() {
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let text =
        format!("# comment\r\n-h 127.0.0.1\r\n-p {}\r\n\r\n--id me\r\n-t from/file\r\n", broker.port());
    let options = write(folder.path(), "options", &text);
    let subscriber = broker.subscribe().args(["-t", "#", "-v", "-C", "1", "-d"]).spawn();
    subscriber.wait_until_subscribed();
    Mqtt::new(["pub", "-o", &options, "-m", "x"]).run().succeeds();
    subscriber.finish().exits(0).prints("from/file x\n");
    write(folder.path(), "mosquitto_pub", "-h 192.0.2.1\n");
    broker.publish().args(["-t", "a", "-n"]).env("XDG_CONFIG_HOME", folder.path()).run().succeeds();
}

/// Lines as users and other systems write them: indented, with tabs, with `=`, after a byte-order mark; and
/// values of any bytes.
#[test]
fn an_options_file_as_people_write_it() {
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let subscriber = broker.subscribe().args(["-t", "#", "-F", "%t|%x", "-C", "4", "-d"]).spawn();
    subscriber.wait_until_subscribed();
    for text in [
        &b"\xef\xbb\xbf  -t a/b\r\n\t-m  x \r\n  # comment\n \t \n-q 1 \n"[..],
        b"-t\ta/b\n\t--message\t \t x \n\t\t-q=1\n-r\t\n",
        b"-t=a/b\n--message= x \n--qos=1\n",
        b"-t a/b\n-m \xff\xfe=\n--qos 1",
    ] {
        let path = folder.path().join("options");
        std::fs::write(&path, text).unwrap();
        broker.publish().arg_path("-o", &path).run().succeeds();
    }
    subscriber.finish().exits(0).prints("a/b|207820\na/b|7820\na/b|207820\na/b|fffe3d\n");
    let path = folder.path().join("options");
    std::fs::write(&path, b"-u \xff\n").unwrap();
    broker
        .publish()
        .args(["-t", "a", "-n"])
        .arg_path("-o", &path)
        .run()
        .fails(2, "options, line 1: invalid UTF-8");
    // The second mark of a file, and the one of a file that was appended to another.
    for (text, line) in [("\u{feff}\u{feff}-u me\n", 1), ("-u me\r\n  \u{feff}# more\r\n", 2)] {
        std::fs::write(&path, text).unwrap();
        let run = broker.publish().args(["-t", "a", "-n"]).arg_path("-o", &path).run();
        run.fails(2, &format!("options, line {line}: this line begins with a byte-order mark"));
    }
    std::fs::write(&path, b"\xff\xfe-\0u\0").unwrap();
    broker
        .publish()
        .args(["-t", "a", "-n"])
        .arg_path("-o", &path)
        .run()
        .fails(1, "it is UTF-16; save it as UTF-8");
}

/// Options that have a letter and no name.
#[test]
fn letters_in_an_options_file() {
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let options = write(folder.path(), "options", "-C 2\n-W 60\n-R\n-N\n");
    let subscriber = broker.subscribe().args(["-t", "a", "-d", "-o", &options]).spawn();
    subscriber.wait_until_subscribed();
    for payload in ["x", "y"] {
        broker.publish().args(["-t", "a", "-m", payload]).run().succeeds();
    }
    subscriber.finish().exits(0).prints("xy");
    let options = write(folder.path(), "options", "-E\n-W 60\n");
    broker.subscribe().args(["-t", "a", "-o", &options]).run().exits(0);
    let options = write(folder.path(), "options", "-R\n-C x\n");
    let run = broker.subscribe().args(["-t", "a", "-o", &options]).run();
    run.fails(2, &format!("{options}, line 2: invalid value 'x' for '-C"));
}

/// A line in the syntax of the command line is invalid here, and its value may be a secret.
#[test]
fn errors_of_options_files_give_no_secret_away() {
    let folder = tempfile::tempdir().unwrap();
    for (line, says) in [
        ("-Phunter2", "-P and its value are one word"),
        ("-rt hunter2", "-r and other letters are one word"),
        ("-Lmqtt://me:hunter2@h", "-L and its value are one word"),
        ("--passwort=hunter2", "unknown option '--passwort'"),
        ("--url=mqtt://me:hunter2@h:x", "invalid value 'mqtt://…@h:x'"),
        ("--proxy=ftp://me:hunter2@h", "invalid value 'ftp://…@h'"),
        ("mqtt://me:hunter2@h", "this line is not an option"),
        ("hunter2", "this line is not an option"),
        ("password=hunter2", "unknown option 'password'"),
        ("--url me:hunter2@h", "invalid value '…@h' for '--url"),
        ("-h me:hunter2@h", "invalid value '…@h' for '--host"),
        ("--proxy me:hunter2@h", "invalid value '…@h' for '--proxy"),
    ] {
        let options = write(folder.path(), "options", &format!("{line}\n"));
        let run = Mqtt::new(["pub", "-t", "a", "-n", "-o", &options]).run();
        run.fails(2, &format!("{options}, line 1: {says}")).does_not_mention("hunter2");
    }
    for key in ["url", "host", "proxy"] {
        let config = write(folder.path(), "c.toml", &format!("[profile.a]\n{key} = 'me:hunter2@h'\n"));
        let run = Mqtt::new(["pub", "-t", "a", "-n", "--config", &config, "--profile", "a"]).run();
        run.fails(2, "invalid value '…@h' for ").does_not_mention("hunter2");
        let variable = format!("MQTT_{}", key.to_uppercase());
        let run = Mqtt::new(["pub", "-t", "a", "-n"]).env(&variable, "me:hunter2@h").run();
        run.fails(2, "invalid value '…@h' for ").mentions(&variable).does_not_mention("hunter2");
    }
}

/// Another user must not be able to make this program run a command.
#[cfg(unix)]
#[test]
fn file_that_others_can_write_runs_no_command() {
    use std::os::unix::fs::PermissionsExt as _;
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let made = folder.path().join("made");
    let file = |line: &str| {
        let text = format!("{line}\n-h 127.0.0.1\n-p {}\n", broker.port());
        let path = write(folder.path(), "options", &text);
        let permissions = std::fs::Permissions::from_mode(0o666);
        std::fs::set_permissions(&path, permissions).unwrap();
        path
    };
    let touch = format!("touch {}", made.display());
    broker.publish().args(["-t", "a", "-m", "x", "-r"]).run().succeeds();
    for (words, line) in [
        (&["sub", "-t", "a", "-C", "1", "-W", "20"][..], format!("--exec {touch}")),
        (&["respond", "-t", "a", "-C", "1", "-W", "20"], format!("--exec {touch}")),
        (&["bench", "--duration", "100ms"], format!("--disturb 10ms: {touch}")),
    ] {
        let path = file(&line);
        let run = Mqtt::new(words).args(["-o"]).args([&path]).run().exits(2);
        run.mentions("runs no command, because every user of this machine can write this file");
    }
    assert!(!made.exists());
}

/// The commands of a scenario or a profile are not run, nor those of files in a folder where others can put another file in their
/// place.
#[cfg(unix)]
#[test]
fn a_command_in_a_file_that_others_can_replace_is_not_run() {
    use std::os::unix::fs::PermissionsExt;
    let broker = Broker::start();
    let port = broker.port().to_string();
    let own = tempfile::tempdir().unwrap();
    let above = own.path().join("above");
    let folder = above.join("folder");
    std::fs::create_dir_all(&folder).unwrap();
    let mark = own.path().join("ran");
    let disturb = format!("1ms: touch {}", mark.display());
    let line = ["bench", "pub", "--publishers", "1", "--rate", "5/s", "--duration", "200ms"];
    let shown = Mqtt::new(line).args(["--disturb", &disturb, "--show-scenario"]).run().succeeds();
    let scenario = write(&folder, "s.toml", &String::from_utf8_lossy(&shown.stdout));
    let command = format!("touch {}; echo x", mark.display());
    let config = write(&folder, "c.toml", &format!("[profile.a]\npassword-command = '{command}'\n"));
    let to = ["-h", "127.0.0.1", "-p", &port];
    let load = || Mqtt::new(["bench", "scenario", "run", &scenario]).args(to).run();
    let publish = || {
        let with = ["--config", &config, "--profile", "a", "-u", "me"];
        Mqtt::new(["pub", "-t", "a", "-n"]).args(with).args(to).env("PATH", "/usr/bin:/bin").run()
    };
    let set = |path: &std::path::Path, mode| {
        std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    };
    for (folder_mode, file_mode, why) in [
        (0o755, 0o602, "because every user of this machine can write this file"),
        (0o755, 0o620, "because its whole group can write this file"),
        (0o777, 0o600, "because every user of this machine can replace this file"),
    ] {
        set(&folder, folder_mode);
        set(scenario.as_ref(), file_mode);
        set(config.as_ref(), file_mode);
        load().fails(2, &format!("{scenario}: disturb runs no command, {why}"));
        publish().fails(2, "line 2: the password-command is not run").mentions(why);
        assert!(!mark.exists(), "{folder_mode:o} {file_mode:o}");
    }
    // Whoever can rename a folder can replace what is in it.
    set(&folder, 0o755);
    set(&above, 0o777);
    publish().fails(2, "because every user of this machine can replace this file");
    load().fails(2, "because every user of this machine can replace this file");
    assert!(!mark.exists());
    // In a sticky folder only the owner of a file can replace it.
    set(&above, 0o755);
    set(&folder, 0o1777);
    set(scenario.as_ref(), 0o600);
    set(config.as_ref(), 0o600);
    load().exits(0);
    std::fs::remove_file(&mark).unwrap();
    publish().succeeds();
    std::fs::remove_file(&mark).unwrap();
}
