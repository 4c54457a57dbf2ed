//! The sources of options: flags, the environment, an options file, a profile.

use std::path::Path;

use mqtt::protocol::Protocol::V5;

use crate::support::broker::Broker;
use crate::support::mqtt::{Mqtt, Outcome};
use crate::support::pki::Authority;
use crate::support::server::Server;
use crate::support::{Service as _, write};

/// Flag, then environment, then profile, then default; each value has its origin.
#[test]
fn values_have_a_rank() {
    let folder = tempfile::tempdir().unwrap();
    let config = write(
        folder.path(),
        "config.toml",
        "default-profile = 'home'\n[profile.home]\nhost = 'home.example'\nport = 1\nkeepalive = 11\n\
         password = 'hunter2'\nusername = 'me'\n[profile.work]\nurl = 'wss://w:hunter3@work.example/x'\n",
    );
    let show = |options: &[&str]| {
        Mqtt::new(["config", "show", "--config", &config]).args(options).env("MQTT_PORT", "2").run().exits(0)
    };
    let text = |outcome: Outcome| {
        let lines = outcome.does_not_mention("hunter").lines();
        assert!(!lines.concat().contains("hunter"), "{lines:?}");
        let words = |line: &String| line.split_whitespace().collect::<Vec<_>>().join(" ");
        lines.iter().map(words).collect::<Vec<_>>()
    };
    let lines = text(show(&["-k", "12"]));
    for line in [
        "broker mqtt://home.example:2 resolved".to_owned(),
        format!("host home.example {config}, line 3"),
        "port 2 environment, MQTT_PORT".into(),
        "keepalive 12 flag".into(),
        format!("password ******** {config}, line 6"),
    ] {
        assert!(lines.contains(&line), "{line}: {lines:#?}");
    }
    let lines = text(show(&["--profile", "work"]));
    assert!(lines.iter().any(|line| line.starts_with("url wss://…@work.example/x ")), "{lines:#?}");
    Mqtt::new(["pub", "-t", "a", "-n", "--config", &config, "--profile", "wrk"])
        .run()
        .fails(2, "unknown profile 'wrk'")
        .mentions("hint: did you mean 'work'?");
    Mqtt::new(["pub", "-t", "a", "-n", "--config", &config, "--profile", "xyz"])
        .run()
        .fails(2, "unknown profile 'xyz'")
        .mentions("hint: there are 'home', 'work'");
}

/// The broker is shown in the form that -L accepts, unless it has no URL.
#[test]
fn resolved_broker_can_be_given_again() {
    let broker = |options: &[&str]| {
        let lines = Mqtt::new(["config", "show"]).args(options).run().exits(0).lines();
        let line =
            lines.into_iter().find_map(|line| line.strip_prefix("broker ").map(str::to_owned)).unwrap();
        line.trim_start().split_once("  resolved").unwrap().0.trim_end().to_owned()
    };
    assert_eq!(broker(&["--unix", "x.sock"]), "Unix socket x.sock");
    assert_eq!(broker(&["--unix", "x.sock", "--ws"]), "Unix socket x.sock (ws)");
    assert_eq!(broker(&["-L", "ws://h/p?token=hunter2"]), "ws://h:80/p?…");
    for (options, url) in [
        (&["-h", "::1"][..], "mqtt://[::1]:1883"),
        (&["-h", "h", "-p", "8883"], "mqtts://h:8883"),
        (&["-h", "h", "--ws", "--ws-path", "/a/b", "-p", "9001"], "ws://h:9001/a/b"),
    ] {
        assert_eq!(broker(options), url);
        assert_eq!(broker(&["-L", url]), url);
    }
}

/// Settings that a URL of higher priority overrides are not shown as effective.
#[test]
fn overridden_values_are_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let config = write(
        folder.path(),
        "config.toml",
        "default-profile = 'home'\n[profile.home]\nhost = 'home.example'\nport = 8883\nusername = 'me'\n\
         password-command = 'echo hunter2'\nid-prefix = 'home-'\n[profile.url]\nurl = 'mqtt://w:hunter3@work.example'\n",
    );
    let show = |options: &[&str]| {
        let outcome = Mqtt::new(["config", "show", "--config", &config]).args(options).run().exits(0);
        let rows = outcome.does_not_mention("hunter").lines().into_iter().map(|line| {
            assert!(!line.contains("hunter"), "{line}");
            line.split_whitespace().collect::<Vec<_>>().join(" ")
        });
        rows.filter(|row| !row.ends_with(" default") && !row.starts_with("config ")).collect::<Vec<_>>()
    };
    assert_eq!(
        show(&["-L", "mqtt://u:hunter1@127.0.0.1:28831", "-i", "me"]),
        [
            "broker mqtt://127.0.0.1:28831 resolved",
            "username u flag, in url",
            "password ******** flag, in url",
            "url mqtt://…@127.0.0.1:28831 flag",
            "client-id me flag",
            "left out password-command, port, username profile 'home': they belong to home.example, and the broker \
             is 127.0.0.1",
        ]
    );
    // A URL with the profile's host and without credentials uses those of the profile.
    assert_eq!(
        show(&["-L", "mqtts://home.example:28831"]),
        [
            "broker mqtts://home.example:28831 resolved".to_owned(),
            "url mqtts://home.example:28831 flag".into(),
            format!("username me {config}, line 5"),
            format!("password-command ******** {config}, line 6"),
            format!("id-prefix home- {config}, line 7"),
        ]
    );
    // The profile's port is that of TLS: without TLS, its credentials would be sent in clear text.
    assert_eq!(
        show(&["-L", "mqtt://home.example:28831"]),
        [
            "broker mqtt://home.example:28831 resolved".to_owned(),
            "url mqtt://home.example:28831 flag".into(),
            format!("id-prefix home- {config}, line 7"),
            "left out password-command, port, username profile 'home': mqtt:// is a connection without TLS"
                .into(),
        ]
    );
    let of_the_url = |rest: &[&str]| show(&[&["--profile", "url"], rest].concat());
    let url = format!("{config}, line 9");
    assert_eq!(
        of_the_url(&["-u", "x"]),
        [
            "broker mqtt://work.example:1883 resolved".to_owned(),
            format!("password ******** {url}, in url"),
            format!("url mqtt://…@work.example {url}"),
            "username x flag".into(),
            "profile url flag".into(),
        ]
    );
    assert_eq!(
        of_the_url(&["-h", "other.example"]),
        [
            "broker mqtt://other.example:1883 resolved",
            "host other.example flag",
            "profile url flag",
            "left out url profile 'url': they belong to work.example, and the broker is other.example",
        ]
    );
    assert_eq!(
        of_the_url(&["--unix", "/run/s"])[1..],
        [
            "unix /run/s flag",
            "profile url flag",
            "left out url profile 'url': they belong to work.example, and the broker is unix:/run/s",
        ]
    );
}

/// Settings that belong to a host are not used for another, even if the profile was requested.
#[test]
fn credentials_belong_to_a_host() {
    let folder = tempfile::tempdir().unwrap();
    let secrets = "username = 'me'\npassword = 'hunter2'\nws-header = 'Authorization: hunter2'\nws = true\n\
                   insecure = true\ntls-use-os-certs = true\n";
    let profile = |name: &str, place: &str| {
        let text = format!("default-profile = 'a'\n[profile.a]\n{place}\n{secrets}keepalive = 7\n");
        write(folder.path(), name, &text)
    };
    let host = profile("host.toml", "host = '127.0.0.1,Other.example'");
    let url = profile("url.toml", "url = 'mqtt://127.0.0.1'");
    let nowhere = profile("nowhere.toml", "");
    let options = write(folder.path(), "o", "-h localhost\n");
    let localhost = [("MQTT_HOST", "localhost")];
    for (config, line, environment, sent) in [
        (&host, &["-h", "127.0.0.1"][..], &[][..], true),
        (&host, &["-h", "127.0.0.1:1,other.example"], &[], true),
        (&host, &["-L", "mqtts://127.0.0.1:2"], &[], true),
        (&host, &["-p", "2"], &[], true),
        (&host, &["-h", "localhost"], &[], false),
        (&host, &["-h", "127.0.0.1,localhost"], &[], false),
        (&host, &["-L", "mqtt://localhost"], &[], false),
        (&host, &["--unix", "/run/mqtt"], &[], false),
        (&host, &["-o", &options], &[], false),
        (&host, &[], &localhost, false),
        (&host, &["-h", "127.0.0.1"], &localhost, true),
        (&host, &["-h", "localhost", "--profile", "a"], &[], false),
        (&host, &["-h", "localhost"], &[("MQTT_PROFILE", "a")], false),
        (&url, &["-h", "localhost"], &[], false),
        (&url, &["-h", "127.0.0.1"], &[], true),
        (&nowhere, &["-h", "localhost"], &[], true),
    ] {
        let show = Mqtt::new(["config", "show", "--config", config]).args(line);
        let show = environment.iter().fold(show, |show, (name, value)| show.env(name, value));
        let lines = show.run().exits(0).lines();
        let has = |option: &str| lines.iter().any(|line| line.split(' ').next() == Some(option));
        assert!(has("keepalive"), "{lines:#?}");
        for option in ["username", "password", "ws-header", "insecure"] {
            assert_eq!(has(option), sent, "{option} of {config} with {line:?} {environment:?}: {lines:#?}");
        }
    }
    // The shown values are those that are sent.
    let server = Server::start(|server| {
        let connect = server.accept().expect_connect(V5);
        let text = String::from_utf8_lossy(&connect);
        assert!(!text.contains("hunter2") && !text.contains("me"), "{connect:?}");
    });
    let port = server.port().to_string();
    Mqtt::new(["pub", "-t", "a", "-n", "--config", &host, "-h", "localhost", "-p", &port])
        .env("MQTT_WS", "false")
        .env("MQTT_NO_TLS", "true")
        .run()
        .exits(1);
    server.finish();
}

/// A missing file is an error of the connection; its origin is shown nevertheless.
#[test]
fn a_missing_file_is_shown_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("ca.pem").display().to_string();
    let text = format!("[profile.cloud]\nhost = 'h.example'\ncafile = '{missing}'\n");
    let config = write(folder.path(), "config.toml", &text);
    let outcome = Mqtt::new(["config", "show", "--config", &config, "--profile", "cloud"]).run();
    let outcome = outcome.exits(1).mentions(&missing);
    let rows = outcome.lines();
    for (name, line) in [("host", 2), ("cafile", 3)] {
        let end = format!("  {config}, line {line}");
        assert!(rows.iter().any(|row| row.starts_with(name) && row.ends_with(&end)), "{name}: {rows:#?}");
    }
}

/// A value for each connection option, none for switches, and the options that it requires.
const VALUES: &[(&str, &str, &[&str])] = &[
    ("host", "broker.example", &[]),
    ("port", "1884", &[]),
    ("url", "ws://broker.example/x", &[]),
    ("srv", "", &[]),
    ("name-server", "127.0.0.1:5353", &["-S"]),
    ("unix", "/run/broker.sock", &[]),
    ("ws", "", &[]),
    ("ws-path", "/path", &["--ws"]),
    ("ws-header", "A: b", &["--ws"]),
    ("proxy", "http://proxy.example", &[]),
    ("bind-address", "127.0.0.2", &[]),
    ("nodelay", "", &[]),
    ("username", "me", &[]),
    ("password", "x", &["-u", "me"]),
    ("password-file", "FOLDER/secret", &["-u", "me"]),
    ("password-command", "echo x", &["-u", "me"]),
    ("password-prompt", "", &["-u", "me"]),
    ("auth-method", "OWN", &[]),
    ("auth-data", "x", &["--auth-method", "OWN"]),
    ("reauthenticate", "5m", &["--auth-method", "OWN"]),
    ("follow-redirect", "", &[]),
    ("client-id", "me", &[]),
    ("id-prefix", "me-", &[]),
    ("protocol-version", "311", &[]),
    ("keepalive", "7", &[]),
    ("disable-clean-session", "", &["-i", "me"]),
    ("session-expiry", "1h", &[]),
    ("max-inflight", "5", &[]),
    ("max-packet-size", "5000", &[]),
    ("connect-timeout", "5s", &[]),
    ("reconnect", "3", &[]),
    ("reconnect-max-delay", "5s", &[]),
    ("wait-for-server", "5s", &[]),
    ("profile", "home", &["--config", "FOLDER/config.toml"]),
    ("config", "FOLDER/config.toml", &[]),
    ("options-file", "FOLDER/options", &[]),
    ("cafile", "FOLDER/ca.pem", &[]),
    ("capath", "FOLDER", &[]),
    ("tls-use-os-certs", "", &[]),
    ("cert", "FOLDER/own.pem", &["--key", "FOLDER/own.key", "--cafile", "FOLDER/ca.pem"]),
    ("key", "FOLDER/own.key", &["--cert", "FOLDER/own.pem", "--cafile", "FOLDER/ca.pem"]),
    ("key-password-file", "FOLDER/secret", &["--cafile", "FOLDER/ca.pem"]),
    ("insecure", "", &["--cafile", "FOLDER/ca.pem"]),
    ("tls-alpn", "mqtt", &["--cafile", "FOLDER/ca.pem"]),
    ("tls-server-name", "b.example", &["--cafile", "FOLDER/ca.pem"]),
    ("tls-version", "tlsv1.2", &["--cafile", "FOLDER/ca.pem"]),
    ("ciphers", "TLS_AES_128_GCM_SHA256", &["--cafile", "FOLDER/ca.pem"]),
    ("tls-pin", "sha256:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", &["--cafile", "FOLDER/ca.pem"]),
    ("crl", "FOLDER/revoked.crl", &["--cafile", "FOLDER/ca.pem"]),
    ("tls-keylog", "FOLDER/keys", &["--cafile", "FOLDER/ca.pem"]),
    ("no-tls", "", &[]),
];

/// Each connection option works wherever it is set: as a flag, a variable, in a profile and in an options
/// file; `config show` names the source.
#[test]
fn every_option_may_stand_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let authority = Authority::new("Test CA");
    let (identity, list) = authority.issue_revoked("own", &[]);
    let text = |file: &Path| std::fs::read_to_string(file).unwrap();
    for (name, file) in [
        ("ca.pem", &authority.file()),
        ("own.pem", &identity.certificate),
        ("own.key", &identity.key),
        ("revoked.crl", &list),
    ] {
        write(path, name, &text(file));
    }
    write(path, "secret", "x");
    write(path, "config.toml", "[profile.home]\nhost = 'home.example'\n");
    write(path, "options", "-h options.example\n");
    let here = |value: &str| value.replace("FOLDER", &path.display().to_string());
    let show = |extra: &[&str]| Mqtt::new(["config", "show"]).args(extra.iter().map(|word| here(word)));
    let source = |mqtt: Mqtt, long: &str| {
        let outcome = mqtt.run().exits(0);
        let row = outcome.lines().into_iter().find(|line| line.split_whitespace().next() == Some(long));
        row.unwrap_or_else(|| panic!("no {long} in {:?}", outcome.lines()))
    };
    for (long, value, extra) in VALUES {
        let value = here(value);
        let flag = if value.is_empty() { format!("--{long}") } else { format!("--{long}={value}") };
        let row = source(show(extra).args([flag]), long);
        assert!(row.ends_with("  flag"), "{row}");
        let variable = format!("MQTT_{}", long.to_uppercase().replace('-', "_"));
        let set = if value.is_empty() { "true" } else { &value };
        let row = source(show(extra).env(&variable, set), long);
        assert!(row.ends_with(&format!("  environment, {variable}")), "{row}");
        if ["profile", "config", "options-file"].contains(long) {
            continue; // These name the files.
        }
        let key = if value.is_empty() { "true".to_owned() } else { format!("'{value}'") };
        let profile = write(path, "one.toml", &format!("[profile.one]\n\n{long} = {key}\n"));
        let row = source(show(extra).args(["--config", &profile, "--profile", "one"]), long);
        assert!(row.ends_with(&format!("  {profile}, line 3")), "{row}");
        let line = if value.is_empty() { format!("--{long}") } else { format!("--{long} {value}") };
        let options = write(path, "one", &format!("# one\n{line}\n"));
        let row = source(show(extra).args(["-o", &options]), long);
        assert!(row.ends_with(&format!("  {options}, line 2")), "{row}");
    }
    // The table is complete.
    let command = mqtt::cli::command();
    let config = command.find_subcommand("config").unwrap();
    for arg in config.get_arguments().filter(|arg| !arg.is_hide_set()) {
        if let (Some(_), Some(long)) = (arg.get_env(), arg.get_long()) {
            assert!(VALUES.iter().any(|(known, ..)| *known == long), "--{long} is not in the table");
        }
    }
}

/// An error in a file names its line, before anything is sent.
#[test]
fn mistakes_in_files_have_a_place() {
    let folder = tempfile::tempdir().unwrap();
    for (text, place, words, hint) in [
        ("[profile.a]\ncafle = 'x'\n", "line 2", "unknown option 'cafle'", "did you mean 'cafile'?"),
        ("[profile.a]\nport = 'x'\n", "line 2", "it must be a whole number", ""),
        ("[profile.a]\nport = 1\nport = 2\n", "line 3", "duplicate key", ""),
        ("[profile.a\n", "line 1", "", ""),
        ("[profile.a]\ntopic = 't'\n", "line 2", "unknown option 'topic'", ""),
        (
            "defalt-profile = 'a'\n",
            "line 1",
            "unknown option 'defalt-profile'",
            "did you mean 'default-profile'?",
        ),
        ("[profile.a]\nkeepalive = [1]\n", "line 2", "it must be a text or a number", ""),
    ] {
        let config = write(folder.path(), "c.toml", text);
        let run = Mqtt::new(["pub", "-t", "a", "-n", "--config", &config, "--profile", "a"]).run();
        run.fails(2, &format!("{config}, {place}: ")).mentions(words).mentions(hint);
    }
    for (text, place, words) in [
        ("-h 127.0.0.1\n--potr 1\n", "line 2", "unknown option '--potr'\nhint: did you mean '--port'?"),
        ("\n\n-p\n", "line 3", "-p needs a value"),
        ("-c yes\n", "line 1", "-c takes no value"),
        ("-o other\n", "line 1", "cannot stand in an options file"),
        ("-D publish content-type x\n", "line 1", "takes several values"),
        ("port 1883\n", "line 1", "unknown option 'port'\nhint: did you mean '--port'?"),
        ("host x\n", "line 1", "unknown option 'host'\nhint: did you mean '--host'?"),
        ("t a\n", "line 1", "unknown option 't'\nhint: did you mean '-t'?"),
        ("topics a\n", "line 1", "unknown option 'topics'\nhint: did you mean '--topic'?"),
        ("-p 99999\n", "line 1", "it must be a whole number, 1 to 65535"),
    ] {
        let options = write(folder.path(), "options", text);
        let run = Mqtt::new(["pub", "-t", "a", "-n", "-o", &options]).run();
        run.fails(2, &format!("{options}, {place}: ")).mentions(words);
    }
}

/// A byte-order mark is not part of a text.
#[test]
fn files_with_a_byte_order_mark() {
    let broker = Broker::start();
    let folder = tempfile::tempdir().unwrap();
    let port = broker.port();
    let config =
        format!("\u{feff}default-profile = 'a'\r\n[profile.a]\r\nhost = '127.0.0.1'\r\nport = {port}\r\n");
    let config = write(folder.path(), "config.toml", &config);
    Mqtt::new(["pub", "-t", "a", "-n", "--config", &config]).run().succeeds();
    let users = write(folder.path(), "users.csv", "\u{feff}username,password\r\nme,x\r\n");
    let bench = [
        "bench",
        "conn",
        "--clients",
        "1",
        "--hold",
        "1ms",
        "--credentials",
        &users,
        "-h",
        "127.0.0.1",
        "-p",
    ];
    Mqtt::new(bench).args([port.to_string()]).run().exits(0);
    let backup = "\u{feff}{\"topic\":\"restored\",\"qos\":1,\"retain\":true,\"payload\":\"x\"}\r\n";
    let backup = write(folder.path(), "backup", backup);
    Mqtt::new(["retain-clear", "--restore", &backup, "-h", "127.0.0.1", "-p", &port.to_string()])
        .run()
        .exits(0);
    broker.subscribe().args(["-t", "restored", "-C", "1"]).run().exits(0).prints("x\n");
    // It is removed from a password, with a message.
    let password = write(folder.path(), "password", "\u{feff}hunter2\r\n");
    let command = format!("cat '{password}'");
    for source in [["--password-file", &password], ["--password-command", &command]] {
        let server = Server::start(|server| {
            let connect = server.accept().expect_connect(V5);
            assert!(connect.ends_with(b"\x00\x02me\x00\x07hunter2"), "{connect:?}");
        });
        Mqtt::publish(server.port())
            .args(["-t", "a", "-n", "-u", "me"])
            .args(source)
            .run()
            .exits(1)
            .mentions("begins with a byte-order mark, which is not part of the password");
        server.finish();
    }
    let run = |command: &str| {
        broker.publish().args(["-t", "a", "-n", "-u", "me", "--password-command", command]).run()
    };
    run(r"printf '\377\376m\000'").mentions("the output of --password-command is UTF-16");
}

/// A configuration file at the default place does not fail a run that does not need it. If there is one, a
/// warning reports that it is not read.
#[test]
fn missing_default_configuration_file_is_accepted() {
    use std::os::unix::fs::symlink;
    let broker = Broker::start();
    type Make = fn(&Path);
    let places: [(&str, Make); 9] = [
        ("a file in place of the folder", |home| write_all(home, ".config", "")),
        ("a link to itself", |home| symlink(".config", home.join(".config")).unwrap()),
        ("a file in place of the inner folder", |home| {
            std::fs::create_dir(home.join(".config")).unwrap();
            write_all(&home.join(".config"), "mqtt", "");
        }),
        ("a folder in place of the file", |home| std::fs::create_dir_all(home.join(PLACE)).unwrap()),
        ("a pipe in place of the file", |home| {
            std::fs::create_dir_all(home.join(".config/mqtt")).unwrap();
            let pipe = std::process::Command::new("mkfifo").arg(home.join(PLACE)).status().unwrap();
            assert!(pipe.success());
        }),
        ("a device in place of the file", |home| {
            std::fs::create_dir_all(home.join(".config/mqtt")).unwrap();
            symlink("/dev/zero", home.join(PLACE)).unwrap();
        }),
        ("a file that is no text", |home| {
            std::fs::create_dir_all(home.join(".config/mqtt")).unwrap();
            std::fs::write(home.join(PLACE), b"\xff\xfed\0").unwrap();
        }),
        ("a file of 20 MB", |home| {
            std::fs::create_dir_all(home.join(".config/mqtt")).unwrap();
            std::fs::File::create(home.join(PLACE)).unwrap().set_len(20 << 20).unwrap();
        }),
        ("a name that is too long", |_| ()),
    ];
    // No such file is possible, so no user can have meant it to be read.
    let silent =
        ["a file in place of the folder", "a file in place of the inner folder", "a name that is too long"];
    for (what, make) in places {
        let home = tempfile::tempdir().unwrap();
        make(home.path());
        let home =
            if what.contains("too long") { home.path().join("x".repeat(300)) } else { home.path().into() };
        for line in [&["pub", "-t", "a", "-n"][..], &["sub", "-t", "a", "-E"], &["ping"]] {
            let port = broker.port().to_string();
            let is_silent = silent.contains(&what);
            // The file might have named the broker; with -h it is known.
            for (host, expected) in [(&[][..], usize::from(!is_silent)), (&["-h", "127.0.0.1"], 0)] {
                let run = Mqtt::new(line).args(host).args(["-p", &port]).env("HOME", &home).run();
                let stderr = run.exits(0).stderr;
                assert_eq!(stderr.matches("; no profile is used").count(), expected, "{what} {host:?}");
            }
        }
        // `-d` shows it, and a run that asks for a profile fails.
        broker
            .publish()
            .args(["-t", "a", "-n", "-d"])
            .env("HOME", &home)
            .run()
            .exits(0)
            .mentions("no profile is used");
        broker
            .publish()
            .args(["-t", "a", "-n", "--profile", "x"])
            .env("HOME", &home)
            .run()
            .fails(2, "no profile 'x': cannot read the configuration file");
    }
}

/// The path of the file, below a home directory.
const PLACE: &str = ".config/mqtt/config.toml";

fn write_all(folder: &Path, name: &str, text: &str) {
    write(folder, name, text);
}

/// A profile is for many runs: keys that a run does not need are not checked.
#[test]
fn unused_keys_do_not_fail_a_run() {
    let folder = tempfile::tempdir().unwrap();
    for (options, keys) in [
        (&["-h", "127.0.0.1", "-p", "1"][..], "port = 'many'\nurl = 'nonsense'\nhost = 'a b'\n"),
        (&["-L", "mqtt://127.0.0.1:1"], "port = 'many'\nunix = '/x'\nws = true\nhost = 3\n"),
        (&["--unix", "/nowhere"], "port = 0\ncafile = '/no'\nproxy = 'x://'\nsrv = true\n"),
        (&["-h", "127.0.0.1", "-p", "1"], "tls-version = 'x'\ntls-pin = 'x'\nws-path = 'x'\nkeyform = 'x'\n"),
        (&["-h", "127.0.0.1", "-p", "1", "-k", "5"], "keepalive = [1]\n"),
        (&["-h", "127.0.0.1", "-p", "1", "-P", "x", "-u", "me"], "password-file = '/no'\n"),
        (&["-p", "1"], "host = '127.0.0.1'\ninsecure = true\n[profile.b]\nhots = 1\nport = 'x'\n"),
    ] {
        let config = write(folder.path(), "c.toml", &format!("default-profile = 'a'\n[profile.a]\n{keys}"));
        let run = Mqtt::new(["pub", "-t", "a", "-n", "--config", &config]).args(options).run();
        run.exits(1);
    }
    // An invalid key that is needed is named with its line.
    let config = write(folder.path(), "c.toml", "default-profile = 'a'\n[profile.a]\nport = 'many'\n");
    let run = Mqtt::new(["pub", "-t", "a", "-n", "--config", &config, "-h", "127.0.0.1"]).run();
    run.fails(2, &format!("{config}, line 3: invalid value 'many'"));
    // A setting next to the broker is probably intended, so there is a warning.
    let text = "default-profile = 'a'\n[profile.a]\nhost = '127.0.0.1'\nport = 1\nciphers = 'x'\n";
    let config = write(folder.path(), "c.toml", text);
    let run = Mqtt::new(["pub", "-t", "a", "-n", "--config", &config]).run();
    run.exits(1)
        .mentions("warning: --ciphers (from the profile) has no effect: the connection is without TLS");
}

/// Devices are endless.
#[cfg(unix)]
#[test]
fn a_file_without_an_end_is_refused() {
    for (option, limit) in [("--config", 16_384), ("-o", 16_384), ("--cafile", 65_536)] {
        let run = Mqtt::new(["pub", "-t", "a", "-n", option, "/dev/zero"]).run();
        run.fails(1, &format!("/dev/zero: it is longer than {limit} KiB"));
    }
}

/// The file that is read where none is named.
#[test]
fn the_configuration_file_has_its_place() {
    let broker = Broker::start();
    let home = tempfile::tempdir().unwrap();
    let text = format!("default-profile = 'a'\n[profile.a]\nhost = '127.0.0.1'\nport = {}\n", broker.port());
    for (variable, place) in [("HOME", ".config/mqtt"), ("XDG_CONFIG_HOME", "mqtt")] {
        std::fs::create_dir_all(home.path().join(place)).unwrap();
        write(&home.path().join(place), "config.toml", &text);
        Mqtt::new(["pub", "-t", "a", "-n"]).env(variable, home.path()).run().succeeds();
    }
    Mqtt::new(["pub", "-t", "a", "-n", "--profile", "a"]).run().fails(2, "no profile 'a': ");
}
