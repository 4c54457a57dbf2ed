//! Settings of a profile that belong to its host are not used for another one, and the user is told.

use mqtt::protocol::Protocol::V5;

use crate::support::Service as _;
use crate::support::broker::Broker;
use crate::support::mqtt::{Mqtt, Outcome};
use crate::support::packets;
use crate::support::server::Server;
use crate::support::{skip, write};

/// A value for each option that belongs to a host.
const OF_HOST: &str = "host = 'home.example'\nport = 8883\nusername = 'me'\npassword = 'hunter2'\n\
                       auth-method = 'OWN'\nauth-data = 'hunter2'\ninsecure = true\ntls-use-os-certs = true\n\
                       tls-alpn = 'mqtt'\ntls-pin = 'no pin'\nws = true\nws-path = '/x'\n\
                       ws-header = 'Authorization: hunter2'\nproxy = 'http://me:hunter2@proxy.example'\n\
                       bind-address = '127.0.0.9'\n";

/// The profile `home` with these keys, and a setting for any host.
fn profile(keys: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let text = format!("default-profile = 'home'\n[profile.home]\n{keys}keepalive = 7\n");
    let config = write(folder.path(), "config.toml", &text);
    (folder, config)
}

fn show(config: &str, line: &[&str]) -> Outcome {
    Mqtt::new(["config", "show", "--config", config]).args(line).run().exits(0)
}

/// The names of the effective values, and the row of omitted ones.
fn rows(outcome: &Outcome) -> (Vec<String>, String) {
    let lines: Vec<String> =
        outcome.lines().iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    let left_out = lines.iter().find(|line| line.starts_with("left out ")).cloned().unwrap_or_default();
    let holds = lines.iter().filter(|line| !line.ends_with(" default") && !line.starts_with("left out "));
    (holds.filter_map(|line| Some(line.split_once(' ')?.0.to_owned())).collect(), left_out)
}

#[test]
fn nothing_of_the_host_is_used_for_another() {
    let (_folder, config) = profile(OF_HOST);
    for (line, named) in [
        (&["-h", "other.example"][..], "other.example"),
        (&["-h", "127.0.0.1", "--profile", "home"], "127.0.0.1"),
        (&["-L", "mqtt://other.example"], "other.example"),
        (&["-L", "mqtts://Other.Example:8883"], "other.example"),
        (&["-h", "home.example,other.example:1"], "home.example, other.example"),
        (&["--unix", "/run/x"], "unix:/run/x"),
    ] {
        let (holds, left_out) = rows(&show(&config, line));
        let kept = ["broker", "host", "url", "unix", "profile", "config", "keepalive"];
        assert!(holds.iter().all(|name| kept.contains(&name.as_str())), "{line:?}: {holds:?}");
        assert!(holds.contains(&"keepalive".to_owned()), "{line:?}: {holds:?}");
        let names: Vec<&str> =
            OF_HOST.lines().skip(1).map(|line| line.split_once(" = ").unwrap().0).collect();
        for name in names {
            assert!(left_out.contains(name), "{name}: {left_out}");
        }
        let why = format!("profile 'home': they belong to home.example, and the broker is {named}");
        assert!(left_out.ends_with(&why), "{left_out}");
    }
}

#[test]
fn a_host_has_several_spellings() {
    for (host, line) in [
        ("home.example", &["-h", "HOME.Example."][..]),
        ("::1", &["-h", "0:0:0:0:0:0:0:1"]),
        ("home.example", &["-L", "mqtts://home.example:1"]),
        ("a.example,home.example", &["-h", "home.example"]),
    ] {
        let (_folder, config) = profile(&format!("host = '{host}'\nusername = 'me'\n"));
        let (holds, left_out) = rows(&show(&config, line));
        assert!(holds.contains(&"username".to_owned()), "{line:?}: {holds:?}");
        assert_eq!(left_out, "", "{line:?}");
    }
}

/// The scheme means no TLS. An explicit option turns TLS on, and then the other TLS settings of the profile
/// apply.
#[test]
fn mqtt_url_is_plain() {
    let keys = "host = '127.0.0.1'\nport = 8883\nusername = 'me'\ntls-use-os-certs = true\ninsecure = true\n\
                tls-alpn = 'mqtt'\n";
    let (_folder, config) = profile(keys);
    for (url, broker) in [
        ("mqtt://127.0.0.1", "mqtt://127.0.0.1:1883"),
        ("MQTT://127.0.0.1:99/topic", "mqtt://127.0.0.1:99"),
        ("ws://127.0.0.1/x", "ws://127.0.0.1:80/x"),
    ] {
        let outcome = show(&config, &["-L", url]);
        assert!(outcome.lines()[0].contains(broker), "{url}: {:?}", outcome.lines());
        let (holds, left_out) = rows(&outcome);
        assert!(!holds.iter().any(|name| name.contains("tls") || name == "insecure"), "{holds:?}");
        assert!(!holds.contains(&"username".to_owned()) && left_out.contains("username"), "{holds:?}");
        assert!(left_out.ends_with(":// is a connection without TLS"), "{left_out}");
    }
    for line in [
        &["-L", "mqtts://127.0.0.1"][..],
        &["-L", "mqtt://127.0.0.1:8883"],
        &["-L", "mqtt://127.0.0.1", "--tls-use-os-certs"],
        &["-h", "127.0.0.1"],
    ] {
        let outcome = show(&config, line);
        assert!(outcome.lines()[0].contains("mqtts://127.0.0.1:8883"), "{line:?}: {:?}", outcome.lines());
        let (holds, left_out) = rows(&outcome);
        assert!(holds.contains(&"insecure".to_owned()) && left_out.is_empty(), "{line:?}: {left_out}");
    }
}

/// A profile whose connection uses TLS, and a run in which a setting of higher priority turns it off.
#[test]
fn credentials_of_a_tls_profile_are_not_sent_in_clear_text() {
    let secrets = "username = 'me'\npassword = 'hunter2'\nauth-method = 'OWN'\nauth-data = 'hunter2'\n";
    let plain: [(&str, &[&str]); 7] = [
        ("url = 'mqtts://127.0.0.1:8884'\ncafile = 'ca.pem'", &["-L", "mqtt://127.0.0.1:PORT"]),
        ("url = 'mqtts://127.0.0.1:8884'\ncafile = 'ca.pem'", &["--no-tls", "-p", "PORT"]),
        ("url = 'mqtts://127.0.0.1:8884'", &["-h", "127.0.0.1", "-p", "PORT"]),
        ("url = 'mqtts://other:hunter2@127.0.0.1:8884'", &["--no-tls", "-p", "PORT"]),
        ("host = '127.0.0.1'\nport = 8883", &["-p", "PORT"]),
        ("host = '127.0.0.1:8883'", &["-h", "127.0.0.1:PORT"]),
        ("cafile = 'ca.pem'", &["-L", "mqtt://127.0.0.1:PORT"]),
    ];
    let run = |keys: &str, line: &[&str], variable: Option<&str>| {
        let (_folder, config) = profile(&format!("{keys}\n{secrets}"));
        let server = Server::start(|server| {
            let mut peer = server.accept();
            let connect = String::from_utf8_lossy(&peer.expect_connect(V5)).into_owned();
            assert!(!connect.contains("hunter2") && !connect.contains("OWN"), "{connect:?}");
            peer.send(&packets::connack(V5, false, 0x87));
        });
        let port = server.port().to_string();
        let line: Vec<String> = line.iter().map(|word| word.replace("PORT", &port)).collect();
        let mqtt = Mqtt::new(["pub", "-t", "a", "-n", "-V", "5", "--config", &config]).args(&line);
        let mqtt = match variable {
            Some(name) => mqtt.env(name, format!("mqtt://127.0.0.1:{port}")),
            None => mqtt,
        };
        let outcome = mqtt.run().exits(0x87);
        server.finish();
        outcome.mentions("of the profile 'home', ").mentions("password").mentions("without TLS");
    };
    for (keys, line) in plain {
        run(keys, line, None);
    }
    run("url = 'mqtts://127.0.0.1:8884'\ncafile = 'ca.pem'", &[], Some("MQTT_URL"));
    // Still with TLS, or without TLS in the profile itself.
    for (keys, line) in [
        ("url = 'mqtts://127.0.0.1:8884'", &["-p", "1"][..]),
        ("host = '127.0.0.1'\nport = 8883", &["-h", "127.0.0.1"]),
        ("host = '127.0.0.1'\nport = 8883\nno-tls = true", &["-p", "1"]),
        ("host = '127.0.0.1'", &["--no-tls"]),
        ("host = '127.0.0.1'\ntls-use-os-certs = true", &["-p", "1"]),
    ] {
        let (_folder, config) = profile(&format!("{keys}\n{secrets}"));
        let (holds, left_out) = rows(&show(&config, line));
        assert!(holds.contains(&"password".to_owned()) && left_out.is_empty(), "{keys} {line:?}: {left_out}");
    }
}

/// The query of a WebSocket's path may contain tokens.
#[test]
fn query_of_a_tls_profile_is_not_sent_in_clear_text() {
    for (keys, named) in [
        (
            "host = '127.0.0.1'\ntls-use-os-certs = true\nws = true\nws-path = '/p?token=hunter2'\n",
            "query in ws-path",
        ),
        (
            "url = 'wss://me:hunter2@127.0.0.1:8884/p?token=hunter2'\n",
            "user name and password in url, query in url",
        ),
    ] {
        let (_folder, config) = profile(keys);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port().to_string();
        let request = std::thread::spawn(move || {
            let mut reader = std::io::BufReader::new(listener.accept().unwrap().0);
            let mut request = String::new();
            while !request.ends_with("\r\n\r\n") {
                assert!(std::io::BufRead::read_line(&mut reader, &mut request).unwrap() > 0, "{request}");
            }
            request
        });
        let line = ["pub", "-t", "a", "-n", "--no-tls", "-p", &port, "--config", &config, "-d"];
        Mqtt::new(line).run().exits(1).mentions(named);
        let request = request.join().unwrap();
        assert!(request.starts_with("GET /p HTTP/1.1\r\n") && !request.contains("hunter2"), "{request}");
        // With TLS the query is sent.
        let shown = show(&config, &[]);
        assert!(shown.lines()[0].contains("/p?…"), "{:?}", shown.lines());
    }
}

/// A URL without TLS has its own port, and no other setting is omitted for it.
#[test]
fn port_of_another_url_has_its_own_reason() {
    let (_folder, config) = profile("host = '127.0.0.1'\nport = 1884\n");
    let (_, left_out) = rows(&show(&config, &["-L", "mqtt://127.0.0.1:1885"]));
    assert_eq!(left_out, "left out port profile 'home': the port is the one of the mqtt:// URL");
}

#[test]
fn refusal_of_a_password_without_a_user_name_names_the_option() {
    for (credentials, named) in [(&["-P", "x"][..], true), (&["-P", "x", "-u", "me"], false), (&[], false)] {
        let server = Server::start(move |server| {
            let mut peer = server.accept();
            peer.expect_connect(V5);
            peer.send(&packets::connack(V5, false, 0x87));
        });
        let line = ["-t", "a", "-n", "-V", "5"];
        let run = Mqtt::publish(server.port()).args(line).args(credentials).run().exits(0x87);
        let hint = "the password was sent without a user name; -u gives one";
        if named {
            run.mentions(hint)
        } else {
            run.does_not_mention(hint)
        };
        server.finish();
    }
}

/// A broker that refuses gets no settings of the profile, also if it is given as an operand.
#[test]
fn refusal_names_what_was_left_out() {
    let keys = "host = 'home.example'\nusername = 'me'\npassword = 'hunter2'\n";
    let (_folder, config) = profile(keys);
    let refuses = |reason: u8, run: &dyn Fn(&str) -> Mqtt| {
        let server = Server::start(move |server| {
            let mut peer = server.accept();
            let connect = peer.expect_connect(V5);
            assert!(!String::from_utf8_lossy(&connect).contains("hunter2"), "{connect:?}");
            peer.send(&packets::connack(V5, false, reason));
        });
        let outcome =
            run(&server.port().to_string()).args(["--config", &config, "-V", "5"]).run().exits(reason.into());
        server.finish();
        outcome
    };
    let text = "of the profile 'home', password, username are left out: they belong to home.example, and the \
                broker is 127.0.0.1";
    let publish = |port: &str| Mqtt::new(["pub", "-t", "a", "-n", "-h", "127.0.0.1", "-p", port]);
    refuses(0x87, &publish).mentions(text).mentions("hint: ");
    refuses(0x86, &publish).mentions(text);
    refuses(0x87, &|port| publish(port).args(["--json-events=state"])).mentions(text);
    refuses(0x87, &|port| Mqtt::new(["ping", "127.0.0.1", "-p", port])).mentions(text);
    // The omitted settings are not the cause.
    refuses(0x89, &publish).does_not_mention("left out");
    // It is reported earlier with these options.
    let line = |port: &str| Mqtt::new(["sub", "-t", "a", "-h", "127.0.0.1", "-p", port]);
    for option in [&["-v"][..], &["-d"], &["--profile", "home"]] {
        refuses(0x89, &|port| line(port).args(option)).mentions(text);
    }
    refuses(0x89, &line).does_not_mention("left out");
    refuses(0x87, &|port| line(port).args(["--profile", "home", "--quiet"])).says("");
    // It is reported once.
    for option in [&["-v"][..], &["-d"], &["--profile", "home"]] {
        let outcome = refuses(0x87, &|port| line(port).args(option)).mentions(text);
        assert_eq!(outcome.stderr.matches("left out").count(), 1, "{}", outcome.stderr);
    }
}

/// The broker started for a command has no host settings, whatever its address is.
#[test]
fn command_of_the_broker_uses_nothing_of_a_host() {
    for host in ["", "host = '127.0.0.1'\n", "host = 'home.example'\n"] {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(home.path().join("mqtt")).unwrap();
        let keys = "username = 'me'\npassword = 'hunter2'\ntls-use-os-certs = true\nport = 8883\nws = true\n";
        let text = format!("default-profile = 'home'\n[profile.home]\n{host}{keys}");
        write(&home.path().join("mqtt"), "config.toml", &text);
        let line = ["broker", "-p", "0", "--", env!("CARGO_BIN_EXE_mqtt"), "sub", "-t", "a", "-E", "-d"];
        let run = Mqtt::new(line).env("XDG_CONFIG_HOME", home.path()).run().exits(0);
        run.mentions("username, ws are left out: the broker is the one that mqtt broker has started");
    }
}

/// Kubernetes sets these in each container for a service named mqtt.
#[test]
fn service_link_in_the_environment_is_ignored() {
    let server = Server::start(|server| {
        for _ in 0..2 {
            let mut peer = server.accept();
            peer.expect_connect(V5);
            peer.send(&packets::connack(V5, false, 0x89));
        }
    });
    let service = |mqtt: Mqtt| {
        [
            ("MQTT_PORT", "tcp://10.0.0.1:1883"),
            ("MQTT_PORT_1883_TCP", "tcp://10.0.0.1:1883"),
            ("MQTT_PORT_1883_TCP_ADDR", "10.0.0.1"),
            ("MQTT_PORT_1883_TCP_PORT", "1883"),
            ("MQTT_PORT_1883_TCP_PROTO", "tcp"),
            ("MQTT_SERVICE_HOST", "10.0.0.1"),
            ("MQTT_SERVICE_PORT", "1883"),
        ]
        .into_iter()
        .fold(mqtt, |mqtt, (name, value)| mqtt.env(name, value))
    };
    let port = server.port();
    let url = format!("mqtt://127.0.0.1:{port}");
    let run = service(Mqtt::new(["pub", "-V", "5", "-t", "a", "-n", "-L", &url])).run().exits(0x89);
    assert_eq!(run.stderr.matches("warning: ").count(), 1, "{}", run.stderr);
    run.mentions("MQTT_PORT=tcp://10.0.0.1:1883 is Kubernetes' or Docker's address of a service");
    // With an explicit port the variable is not mentioned.
    let line = ["pub", "-V", "5", "-t", "a", "-n", "-h", "127.0.0.1", "-p", &port.to_string()];
    service(Mqtt::new(line)).run().exits(0x89).does_not_mention("MQTT_PORT");
    server.finish();
    // Any other invalid port is still an error.
    for value in ["http://10.0.0.1", "tcp:1883", "many"] {
        let run = Mqtt::new(["pub", "-t", "a", "-n", "-h", "127.0.0.1"]).env("MQTT_PORT", value).run();
        run.fails(2, "(from the environment: MQTT_PORT)");
    }
}

/// An unreadable file: a warning if it is the default, otherwise an error.
#[test]
fn forbidden_file_is_a_warning_unless_it_is_named() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join("mqtt");
    std::fs::create_dir_all(&folder).unwrap();
    let config = write(&folder, "config.toml", "default-profile = 'home'\n[profile.home]\nhost = 'h'\n");
    // Root may read every file, unless it gives up that capability.
    let obeys = "setpriv --bounding-set=-dac_override,-dac_read_search";
    let program = env!("CARGO_BIN_EXE_mqtt");
    let is_root = rustix::process::geteuid().is_root();
    let run = |line: &[&str]| {
        let mqtt = if is_root {
            let words = obeys.split(' ').skip(1).chain([program]);
            Mqtt::new(words).instead("setpriv").args(line)
        } else {
            Mqtt::new(line)
        };
        mqtt.env("XDG_CONFIG_HOME", home.path()).env("PATH", "/usr/bin:/bin").run()
    };
    if is_root
        && !std::process::Command::new("sh")
            .args(["-c", &format!("{obeys} true")])
            .status()
            .is_ok_and(|status| status.success())
    {
        return skip("root cannot give its rights up");
    }
    for path in [std::path::Path::new(&config), &folder] {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o000)).unwrap();
        let line = ["pub", "-t", "a", "-n", "-h", "127.0.0.1", "-p", "1"];
        run(&["pub", "-t", "a", "-n", "-p", "1"])
            .exits(1)
            .mentions("warning: cannot read the configuration file")
            .mentions("no profile is used");
        run(&line).exits(1).does_not_mention("configuration file");
        run(&[&line[..], &["-d"]].concat()).exits(1).mentions("no profile is used");
        run(&["broker", "--help"]).exits(0).does_not_mention("config.toml");
        run(&[&line[..], &["--quiet"]].concat()).exits(1).says("");
        run(&[&line[..], &["--config", &config]].concat()).fails(1, "cannot read the configuration file");
        run(&[&line[..], &["--profile", "home"]].concat()).fails(2, "no profile 'home': cannot read");
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o700)).unwrap();
    }
}

/// A file at the usual place with a mistake is passed over with a warning, if nobody asked for it. The warning comes also where the broker is known: without the profile,
/// the run may be without TLS or a password.
#[test]
fn mistake_in_a_file_that_nobody_named_is_a_warning() {
    let broker = Broker::start();
    let home = tempfile::tempdir().unwrap();
    let folder = home.path().join(".config/mqtt");
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("config.toml");
    for (text, line, why) in [
        ("default-profile = 'x'\n", 1, "unknown profile 'x' (the file holds no profile, [profile.NAME])"),
        ("default-profile = 'a'\n[profile.a\n", 2, ""),
        ("nonsense = 1\n", 1, "unknown option 'nonsense'"),
        (
            "default-profile = 'a'\n[profile.a]\nhots = 'h'\n",
            3,
            "unknown option 'hots' (did you mean 'host'?)",
        ),
        ("default-profile = 'a'\n[profile]\na = 1\n", 3, "a profile is a table, [profile.NAME]"),
        (
            "default-profile = 'a'\n[profile.a]\npassword-command = 'touch x'\nx = 1\n",
            4,
            "unknown option 'x'",
        ),
    ] {
        write(&folder, "config.toml", text);
        let place = format!("mqtt: warning: {}, line {line}: {why}", path.display());
        for host in [&[][..], &["-h", "127.0.0.1"]] {
            let run = Mqtt::new(["pub", "-t", "a", "-n", "-p", &broker.port().to_string()]).args(host);
            let run = run.env("HOME", home.path()).run().exits(0);
            run.mentions(&place).mentions("; no profile is used\n");
        }
        for asked in [&["--profile", "a"][..], &["--config", path.to_str().unwrap()]] {
            let run = broker.publish().args(["-t", "a", "-n"]).args(asked).env("HOME", home.path()).run();
            run.exits(2).does_not_mention("no profile is used");
        }
        let run =
            broker.publish().args(["-t", "a", "-n"]).env("HOME", home.path()).env("MQTT_PROFILE", "a").run();
        run.exits(2).does_not_mention("no profile is used");
        // A command without profiles does not read the file.
        Mqtt::new(&["broker", "--help"]).env("HOME", home.path()).run().exits(0).says("");
    }
    // A value that the run needs is another matter: the profile is found, and the broker that it names.
    write(&folder, "config.toml", "default-profile = 'a'\n[profile.a]\nport = 'many'\n");
    let run = Mqtt::new(["pub", "-t", "a", "-n"]).env("HOME", home.path()).run();
    run.fails(2, &format!("{}, line 3: invalid value 'many'", path.display()));
}
