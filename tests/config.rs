//! `mqtt config list` and `mqtt config check`, and the JSON of all three modes.

use serde_json::{Value, json};

use crate::support::mqtt::{Mqtt, Outcome};
use crate::support::{report, write};

const GOOD: &str = "default-profile = 'lab'\n\n[profile.work]\nurl = 'mqtts://me:hunter2@work.example/x'\n\n\
                    [profile.lab]\nhost = 'lab.example'\nport = 1884\nkeepalive = '5m'\n\n[profile.bare]\n\
                    connect-timeout = 5\n\n[profile.here]\nunix = '/run/broker'\n";

fn run(mode: &str, text: &str, options: &[&str]) -> (Outcome, String) {
    let folder = tempfile::tempdir().unwrap();
    let config = write(folder.path(), "config.toml", text);
    let outcome = Mqtt::new(["config", mode, "--config", &config]).args(options).run();
    (outcome, config)
}

fn json_of(outcome: &Outcome) -> Value {
    report("config", &outcome.stdout)
}

#[test]
fn list_shows_each_profile_with_its_broker() {
    let (outcome, config) = run("list", GOOD, &[]);
    let lines = outcome.exits(0).lines();
    let expected = [
        config.as_str(),
        "  work  mqtts://…@work.example/x",
        "  lab   lab.example:1884  default",
        "  bare  any broker",
        "  here  unix:/run/broker",
    ];
    assert_eq!(lines, expected);
    let (outcome, _) = run("list", GOOD, &["--json"]);
    let list = json_of(&outcome.exits(0).does_not_mention("hunter2"));
    assert_eq!(list["default_profile"], "lab");
    assert_eq!(
        list["profiles"][1],
        json!({ "name": "lab", "line": 6, "default": true, "broker": "lab.example:1884" })
    );
    assert_eq!(list["profiles"][2].get("broker"), None);
}

/// A default file may be missing.
#[test]
fn missing_file_is_no_mistake_unless_it_is_named() {
    let home = tempfile::tempdir().unwrap();
    let usual = home.path().join("mqtt/config.toml").display().to_string();
    for mode in ["list", "check"] {
        let mqtt = || Mqtt::new(["config", mode]).env("XDG_CONFIG_HOME", home.path());
        assert_eq!(mqtt().run().exits(0).lines(), [format!("{usual} does not exist")]);
        let json = json_of(&mqtt().args(["--json"]).run().exits(0));
        assert_eq!((&json["exists"], &json["file"]), (&json!(false), &json!(usual)));
        mqtt().args(["--config", "/no/such"]).run().fails(1, "/no/such");
        mqtt().env("MQTT_CONFIG", "/no/such").run().fails(1, "/no/such");
    }
}

#[test]
fn check_finds_every_mistake_with_its_line_and_key() {
    let text = "default-profile = 'no'\nnonsense = 1\nport = 1\n[profile.a]\nhots = 'x'\nport = 'many'\nws = 1\n\
                keepalive = [1]\n[profile.b]\nurl = 'http://me:hunter2@h'\n[profile.c]\ncert = '/dev/null'\n\
                [profile.d]\ncafile = '/no/such-ca.pem'\n";
    let (outcome, config) = run("check", text, &[]);
    let outcome = outcome.exits(2).says(&format!("mqtt: {config}: 10 mistakes\n"));
    let lines = outcome.lines();
    let expected = [
        "line 1: default-profile: unknown profile 'no'",
        "line 2: nonsense: unknown option 'nonsense'",
        "line 3: port: 'port' stands outside a profile: it belongs under [profile.NAME]",
        "line 5: [profile.a] hots: unknown option 'hots'; did you mean 'host'?",
        "line 6: [profile.a] port: invalid value 'many' for 'port'",
        "line 7: [profile.a] ws: it must be true or false",
        "line 8: [profile.a] keepalive: it must be a text or a number",
        "line 10: [profile.b] url: invalid value 'http://…@h' for 'url'",
        "line 12: [profile.c] cert: cert needs its private key: key FILE",
        "line 14: [profile.d] cafile: /no/such-ca.pem: No such file",
    ];
    assert_eq!(lines.len(), expected.len(), "{lines:#?}");
    for (line, expected) in lines.iter().zip(expected) {
        assert!(line.starts_with(&format!("{config}, {expected}")), "{line}\n{expected}");
    }
    let (outcome, _) = run("check", text, &["--json"]);
    let check = json_of(&outcome.exits(2));
    assert_eq!((&check["ok"], &check["profiles"]), (&json!(false), &json!(["a", "b", "c", "d"])));
    let finding = json!({
        "severity": "error", "line": 5, "profile": "a", "key": "hots", "hint": "did you mean 'host'?",
        "message": "unknown option 'hots'",
    });
    assert_eq!(check["findings"][3], finding);
}

#[test]
fn check_of_a_good_file_counts_its_profiles() {
    let (outcome, config) = run("check", GOOD, &[]);
    let outcome = outcome.exits(0);
    let lines = outcome.lines();
    assert_eq!(lines.last().unwrap(), &format!("{config}: 4 profiles, no mistakes"));
    let (outcome, _) = run("check", "", &["--json"]);
    let check = json_of(&outcome.exits(0));
    assert_eq!((&check["ok"], &check["profiles"]), (&json!(true), &json!([])));
    // A warning does not fail the check.
    let (outcome, _) = run("check", "[profile.a]\nhost = 'h'\nciphers = 'x'\n", &["--json"]);
    let check = json_of(&outcome.exits(0));
    assert_eq!((&check["ok"], &check["findings"][0]["severity"]), (&json!(true), &json!("warning")));
    // The environment has no effect on it.
    let folder = tempfile::tempdir().unwrap();
    let config = write(folder.path(), "config.toml", GOOD);
    let run = Mqtt::new(["config", "check", "--config", &config])
        .env("MQTT_PORT", "x")
        .env("MQTT_KEY", "/no")
        .run();
    run.exits(0);
}

#[test]
fn check_of_what_is_not_toml_names_the_lines() {
    let (outcome, config) = run("check", "[profile.a]\nhost = \n\n[profile.b\nport = 1\n", &[]);
    let lines = outcome.exits(2).lines();
    assert!(lines.iter().any(|line| line.starts_with(&format!("{config}, line 2: "))), "{lines:?}");
    assert!(lines.iter().any(|line| line.starts_with(&format!("{config}, line 4: "))), "{lines:?}");
    for text in ["default-profile = 3\n", "profile = 1\n", "[profile]\na = 1\n"] {
        run("check", text, &[]).0.exits(2);
        run("list", text, &[]).0.exits(2);
    }
}

#[test]
fn show_as_json_tells_the_source_of_each_value() {
    let folder = tempfile::tempdir().unwrap();
    let config = write(folder.path(), "config.toml", GOOD);
    let line = ["config", "show", "--json", "--config", &config, "-k", "7"];
    let show = json_of(&Mqtt::new(line).env("MQTT_CLIENT_ID", "me").run().exits(0));
    assert_eq!(show["brokers"], json!(["mqtt://lab.example:1884"]));
    let option = |name: &str| {
        let options = show["options"].as_array().unwrap();
        options
            .iter()
            .find(|option| option["name"] == name)
            .unwrap_or_else(|| panic!("{name}: {show:#}"))
            .clone()
    };
    assert_eq!(
        option("host"),
        json!({ "name": "host", "value": "lab.example", "source": "profile", "file": config, "line": 7 })
    );
    assert_eq!(option("keepalive"), json!({ "name": "keepalive", "value": "7", "source": "flag" }));
    assert_eq!(option("max-inflight"), json!({ "name": "max-inflight", "value": "20", "source": "default" }));
    assert_eq!(
        option("client-id"),
        json!({ "name": "client-id", "value": "me", "source": "environment", "variable": "MQTT_CLIENT_ID" })
    );
    let line = ["config", "show", "--json", "--config", &config, "--profile", "work"];
    let show = Mqtt::new(line).run().exits(0);
    let text = String::from_utf8(show.stdout.clone()).unwrap();
    assert!(!text.contains("hunter2"), "{text}");
    let show = json_of(&show);
    let password = json!({
        "name": "password", "value": "********", "source": "profile", "file": config, "line": 4, "in_url": true,
    });
    assert!(show["options"].as_array().unwrap().contains(&password), "{show:#}");
    let line = ["config", "show", "--json", "--config", &config, "-h", "other.example"];
    let show = json_of(&Mqtt::new(line).run().exits(0));
    assert_eq!(show["left_out"]["options"], json!(["port"]));
    let line = ["config", "show", "--json", "-h", "h", "--cafile", "/no/such"];
    assert_eq!(json_of(&Mqtt::new(line).run().exits(1))["error"]["exit_status"], 1);
}

#[test]
fn words_of_other_tools_are_named_in_the_file() {
    let text = "[lab]\nhost = 'h'\n[profile.a]\nhostname = 'h'\ntls = true\nprotocol = 'mqtts'\n[profile.b]\ncafile = '~/ca.pem'\n";
    let folder = tempfile::tempdir().unwrap();
    let config = write(folder.path(), "config.toml", text);
    let check = Mqtt::new(["config", "check", "--config", &config]).env("HOME", "/home/me").run().exits(2);
    let expected = [
        "line 1: lab: [lab] is not a profile; write [profile.lab]",
        "line 4: [profile.a] hostname: unknown option 'hostname'; it is called host here",
        "line 5: [profile.a] tls: unknown option 'tls'; it is called tls-use-os-certs here",
        "line 6: [profile.a] protocol: unknown option 'protocol'; it is called tls-use-os-certs here",
        "line 8: [profile.b] cafile: ~/ca.pem: No such file or directory (os error 2); ~ is not expanded here, write \
         /home/me/ca.pem",
    ];
    assert_eq!(check.lines(), expected.map(|line| format!("{config}, {line}")));
}

#[test]
fn default_profile_that_is_not_there_is_named_in_the_list() {
    let (outcome, config) = run("list", "default-profile = 'lba'\n[profile.lab]\nhost = 'h'\n", &[]);
    let outcome = outcome.exits(2).mentions(&format!("mqtt: {config}, line 1: unknown profile 'lba'"));
    let outcome = outcome.mentions("did you mean 'lab'?");
    assert_eq!(outcome.lines(), [config, "  lab  h".to_owned()]);
}

/// The variables may belong to another program.
#[test]
fn variables_that_look_like_ours_are_named_and_nothing_fails() {
    let set = |mqtt: Mqtt| mqtt.env("MQTT_USER", "me").env("MQTT_BROKER", "b").env("MQTT_PASS", "hunter2");
    let shown = set(Mqtt::new(["config", "show"])).run().exits(0).does_not_mention("hunter2");
    let lines = shown.lines().join("\n");
    assert!(
        lines.contains("MQTT_USER") && lines.contains("the variable is called MQTT_USERNAME here"),
        "{lines}"
    );
    let json = json_of(&set(Mqtt::new(["config", "show", "--json"])).run().exits(0));
    assert_eq!(json["not_read"][0], json!({ "variable": "MQTT_BROKER", "meant": "MQTT_HOST" }));
    let checked = set(Mqtt::new(["config", "check"])).run().exits(0).lines();
    let expected = "environment: warning: MQTT_USER is not read: the variable is called MQTT_USERNAME here";
    assert!(checked.iter().any(|line| line == expected), "{checked:?}");
    let json = json_of(&set(Mqtt::new(["config", "check", "--json"])).run().exits(0));
    assert_eq!(json["findings"][0]["variable"], "MQTT_BROKER");
}

/// One warning if the run would use this machine because no host is given; otherwise only after a refusal.
#[test]
fn run_warns_of_variables_that_are_not_read_only_without_a_broker() {
    let run = |line: &[&str]| {
        let mqtt = Mqtt::new(["pub", "a", "b"]).args(line).env("MQTT_USER", "me").env("MQTT_SERVER", "b");
        mqtt.args(["-p", "1"]).run().exits(1)
    };
    let warning = "mqtt: warning: MQTT_SERVER is not read: the variable is called MQTT_HOST here; MQTT_USER is not read";
    assert_eq!(run(&[]).mentions(warning).stderr.matches("warning").count(), 1);
    run(&["-h", "127.0.0.1"]).does_not_mention("warning");
    let old = Mqtt::new(["-t", "a", "-m", "b", "-p", "1"]).called("mosquitto_pub").env("MQTT_USER", "me");
    old.run().exits(1).does_not_mention("MQTT_USER");
}

/// The variable has priority over the profile, even if it is invalid.
#[test]
fn invalid_variable_beside_a_profile_has_one_origin() {
    let folder = tempfile::tempdir().unwrap();
    let text = "default-profile = 'a'\n[profile.a]\nhost = '127.0.0.1'\nport = 1\n";
    let config = write(folder.path(), "config.toml", text);
    let run = Mqtt::new(["pub", "a", "b", "--config", &config]).env("MQTT_PORT", "abc").run();
    run.fails(2, "(from the environment: MQTT_PORT)").does_not_mention("line 4");
    // If it is not used, the run does not fail.
    let line = ["pub", "a", "b", "-h", "127.0.0.1:1"];
    Mqtt::new(line).env("MQTT_PORT", "abc").run().fails(1, "connection refused");
    let run = Mqtt::new(["pub", "a", "b"]).env("MQTT_HOST", "tcp://me:hunter2@h").run();
    run.exits(2).mentions("hint: MQTT_URL=mqtt://…@h\n").does_not_mention("hunter2");
}

#[test]
fn mode_is_needed() {
    Mqtt::new(["config"]).run().fails(2, "show, list or check");
    Mqtt::new(["config", "nosuch"]).run().exits(2);
}

#[test]
fn file_with_a_secret_is_named_once_with_what_to_do() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let config = write(folder.path(), "config.toml", "[profile.a]\npassword = 'x'\n");
    std::fs::set_permissions(&config, std::fs::Permissions::from_mode(0o644)).unwrap();
    let lines = Mqtt::new(["config", "check", "--config", &config]).run().exits(0).lines();
    assert_eq!(lines[0].matches(&config).count(), 1, "{lines:?}");
    assert!(lines[0].ends_with("can read it; chmod 600 makes it private"), "{lines:?}");
}

#[test]
fn program_alone_shows_its_commands_as_misuse() {
    let outcome = Mqtt::new([""; 0]).run().exits(2);
    let shown = outcome.mentions("\n  retain-clear  Clear retained messages");
    assert_eq!(shown.lines(), [""; 0]);
    let help = Mqtt::new(["--help"]).run().exits(0).lines();
    assert!(help.len() <= 24, "{}", help.len());
    Mqtt::new(["sub", "a", "--format", "json", "-h", "127.0.0.1", "-p", "1"])
        .run()
        .exits(1)
        .mentions("for JSON: --json");
    Mqtt::new(["compat", "mosquitto_pub", "--help"])
        .run()
        .exits(1)
        .lines()
        .iter()
        .find(|line| *line == " -m, --message message : message to send")
        .unwrap();
}

#[test]
fn check_finds_all_mistakes_of_a_profile_at_once_and_names_its_keys() {
    let text = "[profile.a]\npassword = 'x'\npassword-file = '/no/such'\ncafile = '/no/such'\n\
                client-id = 'c'\nid-prefix = 'p'\n";
    let (outcome, config) = run("check", text, &[]);
    let lines = outcome.exits(2).lines();
    let mistakes: Vec<&String> = lines.iter().filter(|line| !line.contains("warning: ")).collect();
    let expected = [
        "line 2: [profile.a] password: password and password-file both give the password; give one",
        "line 3: [profile.a] password-file: /no/such: No such file",
        "line 4: [profile.a] cafile: /no/such: No such file",
        "line 5: [profile.a] client-id: client-id and id-prefix cannot be used together",
    ];
    assert_eq!(mistakes.len(), expected.len(), "{lines:#?}");
    for (line, expected) in mistakes.iter().zip(expected) {
        assert!(line.starts_with(&format!("{config}, {expected}")), "{line}\n{expected}");
    }
}

/// Several faults of one kind in a profile are listed with all their keys, without consequential faults.
#[test]
fn check_names_the_keys_of_mistakes_of_one_kind() {
    let folder = tempfile::tempdir().unwrap();
    let [cafile, crl, cert, key] =
        ["ca.pem", "crl.pem", "c.pem", "k.pem"].map(|name| write(folder.path(), name, "garbage\n"));
    let text = format!(
        "[profile.three]\npassword = 'x'\npassword-file = '{key}'\npassword-command = 'echo'\n\
         [profile.files]\nurl = 'mqtts://h'\ncafile = '{cafile}'\ncrl = '{crl}'\n\
         [profile.pair]\ncafile = '{cafile}'\ncert = '{cert}'\nkey = '{key}'\n\
         [profile.user]\nauth-method = 'SCRAM-SHA-256'\nusername = 'u'\npassword = 'p'\ntls-alpn = ','\ncafile = '{cafile}'\n\
         [profile.both]\nurl = 'mqtt://a:b@h'\nusername = 'x'\npassword = 'y'\n"
    );
    let (outcome, config) = run("check", &text, &[]);
    let lines = outcome.exits(2).lines();
    let mistakes: Vec<&str> = lines
        .iter()
        .filter(|line| !line.contains("warning: "))
        .map(|line| line.strip_prefix(&format!("{config}, ")).unwrap())
        .collect();
    let expected = [
        "line 2: [profile.three] password: password and password-file both give the password",
        "line 2: [profile.three] password: password and password-command both give the password",
        "line 7: [profile.files] cafile: ",
        "line 8: [profile.files] crl: ",
        "line 10: [profile.pair] cafile: ",
        "line 11: [profile.pair] cert: ",
        "line 17: [profile.user] tls-alpn: tls-alpn: the name of a protocol is 1 to 255 bytes long",
        "line 18: [profile.user] cafile: ",
        "line 20: [profile.both] url: url and username give different values",
        "line 20: [profile.both] url: url and password give different values",
    ];
    assert_eq!(mistakes.len(), expected.len(), "{lines:#?}");
    for (line, expected) in mistakes.iter().zip(expected) {
        assert!(line.starts_with(expected), "{line}\n{expected}");
    }
}
