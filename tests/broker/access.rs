//! Users, passwords and access rights, in mosquitto's formats.

use std::process::Command;

use rustix::process::Signal;

use super::{Served, mosquitto};
use crate::support::mqtt::Mqtt;
use crate::support::write;

/// From `mosquitto_passwd` 2.0.11: `anna` has the password `pass word`, `bert` has `secret`.
const PASSWORDS: &str = "anna:$7$101$iB3JrzTF9OjNVJtK$Xt6t1ffjGRwalu7vfz26PsKHZNlICqUZher30R1h+jIkYYhOBsx5uOyjExt8N0Ub+lQ85IoCVUIIJBrw4KdYfA==\nbert:$6$mc+EMw/1llMsP6EG$t5GjO5BeMMxB2Y0SyOrG++AvP7xo+S6OUi89eMt7kQ4iSuUEW0XHG39wy78EhBiR7h9/1muXNeUlQP4QXKZ5KQ==\n";
const ACL: &str = "\
topic read public/#
user anna
topic readwrite house/#
topic deny house/safe
pattern write status/%u
";

fn files() -> (tempfile::TempDir, String, String) {
    let folder = tempfile::tempdir().unwrap();
    let passwords = write(folder.path(), "passwords", PASSWORDS);
    let acl = write(folder.path(), "acl", ACL);
    (folder, passwords, acl)
}

#[test]
fn users_of_a_mosquitto_password_file_are_let_in() {
    let (folder, passwords, _) = files();
    let own = write(folder.path(), "own", "of cleo\n");
    let broker = Served::start(&["--password-file", &passwords, "--user", &format!("cleo:{own}")]);
    let publish = |version: &str| broker.client("pub").args(["-V", version, "-t", "a", "-m", "1"]);
    for version in ["31", "311", "5"] {
        for (user, password) in [("anna", "pass word"), ("bert", "secret"), ("cleo", "of cleo")] {
            publish(version).args(["-u", user, "-P", password]).run().succeeds();
        }
        for user in [&["-u", "anna", "-P", "pass"][..], &["-u", "bert"], &["-u", "dora", "-P", "secret"], &[]]
        {
            publish(version).args(user).run().exits(0x87);
        }
    }
    let port = broker.port(0).to_string();
    let client = |password| {
        mosquitto("mosquitto_pub", &["-p", &port, "-u", "anna", "-P", password, "-t", "a", "-m", "1"])
    };
    if let (Some(good), Some(bad)) = (client("pass word"), client("wrong")) {
        assert_eq!(good.0, 0, "{}", good.2);
        assert_ne!(bad.0, 0);
    }
}

#[test]
fn hashes_made_by_mosquitto_passwd_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("passwords");
    let path = path.to_str().unwrap();
    for (kind, user) in [("sha512-pbkdf2", "new"), ("sha512", "old")] {
        let created: &[&str] = if user == "new" { &["-c"] } else { &[] };
        let line = [created, &["-H", kind, "-b", path, user, "p\u{e9}ss"]].concat();
        match mosquitto("mosquitto_passwd", &line) {
            Some(run) => assert_eq!(run.0, 0, "{}", run.2),
            None => return,
        }
    }
    let broker = Served::start(&["--password-file", path]);
    for user in ["new", "old"] {
        broker.client("pub").args(["-u", user, "-P", "p\u{e9}ss", "-t", "a", "-m", "1"]).run().succeeds();
        broker.client("pub").args(["-u", user, "-P", "pess", "-t", "a", "-m", "1"]).run().exits(0x87);
    }
}

#[test]
fn permissions_are_those_of_the_acl_file() {
    let (_folder, passwords, acl) = files();
    let broker = Served::start(&["--password-file", &passwords, "--acl-file", &acl, "--open"]);
    let anna = ["-u", "anna", "-P", "pass word"];
    let bert = ["-u", "bert", "-P", "secret"];
    let publish = |user: &[&str], topic: &str| {
        broker.client("pub").args(user).args(["-t", topic, "-q", "1", "-r", "-m", topic]).run()
    };
    publish(&anna, "house/a").succeeds();
    publish(&anna, "house/safe").exits(0x87);
    publish(&anna, "status/anna").succeeds();
    publish(&anna, "status/bert").exits(0x87);
    publish(&bert, "house/a").exits(0x87);
    publish(&[], "public/a").exits(0x87);
    let will = broker.client("pub").args(bert).args([
        "--will-topic",
        "house/w",
        "--will-payload",
        "x",
        "-t",
        "status/bert",
        "-m",
        "1",
    ]);
    will.run().exits(0x87);
    // Messages that may not be read are not delivered, neither live nor retained.
    let all =
        |user: &[&str]| broker.client("sub").args(user).args(["-t", "#", "-v", "--retained-only"]).run();
    all(&anna).succeeds().prints("house/a house/a\n");
    all(&bert).succeeds().prints("");
    let live = broker.client("sub").args(bert).args(["-t", "#", "-d", "-W", "60"]).spawn();
    live.wait_until_subscribed();
    let own = broker.client("sub").args(anna).args(["-t", "house/b", "-d", "-C", "1", "-W", "60"]).spawn();
    own.wait_until_subscribed();
    publish(&anna, "house/b").succeeds();
    own.wait_for_end().prints("house/b\n");
    assert_eq!(live.stdout(), b"");
    live.signal(Signal::INT);
    live.wait_for_end();
}

/// A removed user is disconnected, another is not; an invalid file changes nothing.
#[test]
fn hang_up_reloads_users_and_permissions() {
    let (folder, passwords, acl) = files();
    let broker = Served::start(&["--password-file", &passwords, "--acl-file", &acl]);
    let publish = |user: &[&str]| {
        broker.client("pub").args(user).args(["-t", "status/new", "-q", "1", "-m", "1"]).run()
    };
    let bert = ["-u", "bert", "-P", "secret"];
    let anna = ["-u", "anna", "-P", "pass word"];
    let stays =
        broker.client("sub").args(bert).args(["-t", "#", "-d", "-W", "60", "--reconnect", "never"]).spawn();
    let goes =
        broker.client("sub").args(anna).args(["-t", "#", "-d", "-W", "60", "--reconnect", "never"]).spawn();
    stays.wait_until_subscribed();
    goes.wait_until_subscribed();
    publish(&bert).exits(0x87);

    write(folder.path(), "acl", "topic nonsense a b\n");
    broker.running.signal(Signal::HUP);
    broker.running.wait_for_stderr("acl, line 1: invalid access; use read, write");
    publish(&bert).exits(0x87);

    write(folder.path(), "acl", "pattern write status/#\n");
    let bert_only = PASSWORDS.lines().find(|line| line.starts_with("bert")).unwrap();
    write(folder.path(), "passwords", bert_only);
    broker.running.signal(Signal::HUP);
    broker.running.wait_for_stderr("users and permissions were read again");
    publish(&bert).succeeds();
    publish(&anna).exits(0x87);
    goes.wait_for_end().exits(0x87);
    stays.signal(Signal::INT);
    stays.wait_for_end().exits(0);
}

#[test]
fn bad_files_are_named_with_their_line() {
    let folder = tempfile::tempdir().unwrap();
    let passwords = write(folder.path(), "passwords", "# mine\nanna:hunter2\n");
    let run = Mqtt::new(["broker", "-p", "0", "--password-file", &passwords]).run().exits(1);
    run.mentions("passwords, line 2: use a hash of mosquitto_passwd").does_not_mention("hunter2");
    let run = Mqtt::new(["broker", "-p", "0", "--user", "anna:/nonexistent"]).run();
    run.exits(1).mentions("--user anna: No such file");
    // With users, other machines are allowed too.
    let own = write(folder.path(), "own", "of cleo");
    let broker = Served::start(&["--listen", "0.0.0.0:0", "--user", &format!("cleo:{own}")]);
    broker.client("pub").args(["-t", "a", "-m", "1"]).run().exits(0x87);
    for empty in ["", "\n", "\r\n"] {
        let own = write(folder.path(), "empty", empty);
        let run = Mqtt::new(["broker", "-p", "0", "--user", &format!("cleo:{own}")]).run();
        run.exits(1).mentions("--user cleo: the password is empty");
    }
}

/// A pipe would block the broker's thread for ever, and have no content the second time.
#[test]
fn pipes_are_read_at_the_start_and_refused_at_hang_up() {
    let (folder, passwords, acl) = files();
    let pipe = folder.path().join("pipe").display().to_string();
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let writer = std::thread::spawn({
        let (pipe, passwords) = (pipe.clone(), passwords.clone());
        move || std::fs::write(pipe, std::fs::read(passwords).unwrap()).unwrap()
    });
    let broker = Served::start(&["--password-file", &pipe, "--acl-file", &acl]);
    writer.join().unwrap();
    let publish =
        || broker.client("pub").args(["-u", "bert", "-P", "secret"]).args(["-t", "a", "-m", "1"]).run();
    publish().succeeds();
    broker.running.signal(Signal::HUP);
    broker
        .running
        .wait_for_stderr("pipe: it is not an ordinary file; users and permissions stay as they were");
    publish().succeeds();
    // The broker does not wait for the pipe, and reads what is in its place at the next signal.
    std::fs::remove_file(&pipe).unwrap();
    std::fs::copy(&passwords, &pipe).unwrap();
    broker.running.signal(Signal::HUP);
    broker.running.wait_for_stderr("users and permissions were read again");
    publish().succeeds();
}

/// The file of `--user` that is read again holds the same password, which is not what a new salt may hide.
#[test]
fn hang_up_keeps_the_clients_of_an_unchanged_user() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| write(folder.path(), name, &format!("of {name}\n"));
    let (stays, goes) = (path("stays"), path("goes"));
    let users = [format!("stays:{stays}"), format!("goes:{goes}")];
    let broker = Served::start(&["--user", &users[0], "--user", &users[1]]);
    let [stays, goes] = ["stays", "goes"].map(|user| {
        let password = format!("of {user}");
        let line = ["-u", user, "-P", &password, "-t", "a", "-d", "-W", "60", "--reconnect", "never"];
        let run = broker.client("sub").args(line).spawn();
        run.wait_until_subscribed();
        run
    });
    write(folder.path(), "goes", "another\n");
    broker.running.signal(Signal::HUP);
    broker.running.wait_for_stderr("users and permissions were read again");
    goes.wait_for_end().exits(0x87);
    broker
        .client("pub")
        .args(["-u", "goes", "-P", "another", "-t", "a", "-m", "1", "-q", "1"])
        .run()
        .succeeds();
    stays.wait_for_stdout("1\n");
    stays.signal(Signal::INT);
    stays.wait_for_end().exits(0);
}
