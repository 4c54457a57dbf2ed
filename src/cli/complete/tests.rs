use std::ffi::OsString;

use clap::Arg;

use super::line::offer;
use super::offer::{Completion, Offer};
use super::words as words_of_shell;
use crate::cli::command;
use crate::cli::completions::Shell;

fn offered(line: &str) -> Option<Completion> {
    offer(&line.split(' ').map(OsString::from).collect::<Vec<_>>())
}

/// The completions of the last word of the line.
fn words(line: &str) -> Vec<String> {
    let Some(Completion { value, offer: Offer::Words(words), .. }) = offered(line) else { return Vec::new() };
    words.into_iter().map(|word| word.text).filter(|word| word.starts_with(&value)).collect()
}

#[test]
fn words_are_offered_where_they_stand() {
    for (line, expected) in [
        ("mqtt p", &["pub", "ping"][..]),
        ("mqtt ver", &["version"]),
        ("mqtt --he", &["--help", "--help-all"]),
        ("mqtt bench co", &["conn", "compare"]),
        ("mqtt compat mosquitto_", &["mosquitto_pub", "mosquitto_sub", "mosquitto_rr"]),
        ("mqtt compat mosquitto_sub --cap", &["--capath"]),
        ("mqtt compat mosquitto_sub -t a --retained-", &["--retained-only"]),
        ("mqtt compat mosquitto_pub --capath x --retained-", &[]),
        ("mqtt compat mosquitto_pub -V mqttv5 -q ", &["0", "1", "2"]),
        ("mqtt compat mosquitto_rr -D publish con", &["content-type"]),
        ("mqtt broker -p 0 -- mqtt pub --reta", &["--retain"]),
        ("mqtt broker -- /usr/bin/mqtt be", &["bench"]),
        ("mqtt sub a --exec-argv -- mqtt pub --reta", &["--retain"]),
        ("mqtt help pu", &["pub"]),
        ("mqtt help bench e", &["e2e"]),
        ("mqtt help pub tl", &["tls"]),
        ("mqtt pub --help tl", &["tls"]),
        ("mqtt pub -t a -? tl", &["tls"]),
        ("mqtt completions f", &["fish"]),
        ("mqtt config sh", &["show"]),
        ("mqtt pub --cap", &["--capath"]),
        ("mqtt sub -W", &["-W"]),
        ("mqtt pub --qos ", &["0", "1", "2"]),
        ("mqtt pub --qos=", &["0", "1", "2"]),
        ("mqtt pub -q", &[]),
        ("mqtt pub -rq1", &["1"]),
        ("mqtt pub --color a", &["auto", "always"]),
        ("mqtt pub --reconnect n", &["never"]),
        ("mqtt pub --topic-alias ", &["auto"]),
        ("mqtt pub --payload-format-indicator ", &["0", "1"]),
        ("mqtt pub -V ", &["auto", "31", "311", "5"]),
        ("mqtt pub -L m", &["mqtt://", "mqtts://"]),
        ("mqtt pub --auth-method ", &["SCRAM-SHA-1", "SCRAM-SHA-256", "SCRAM-SHA-512"]),
        ("mqtt pub -D ", &["connect", "publish", "will", "disconnect"]),
        ("mqtt ping --property ", &["connect", "disconnect"]),
        ("mqtt pub -D publish con", &["content-type"]),
        ("mqtt pub -D will w", &["will-delay-interval"]),
        ("mqtt pub -D connect content", &[]),
        ("mqtt pub -D publish content-type ", &[]),
        ("mqtt will-test --case cl", &["close"]),
        // The value of another option, and a value without a list.
        ("mqtt pub -P --ca", &[]),
        ("mqtt pub -m --ca", &[]),
        ("mqtt pub -p ", &[]),
        ("mqtt sub -C ", &[]),
        ("mqtt sub -W ", &[]),
        ("mqtt pub a ", &[]),
        ("mqtt pub a b ", &[]),
        ("mqtt nosuch ", &[]),
        ("mqtt help nosuch ", &[]),
    ] {
        assert_eq!(words(line), expected, "{line}");
    }
    let Completion { prefix, value, .. } = offered("mqtt pub --qos=1").unwrap();
    assert_eq!((&*prefix, &*value), ("--qos=", "1"));
}

#[test]
fn shells_find_files_hosts_and_commands_only_where_they_are_wanted() {
    for (line, expected) in [
        ("mqtt pub --cafile ", "Files"),
        ("mqtt pub --cafile=x", "Files"),
        ("mqtt pub -f ", "Files"),
        ("mqtt pub -fx", "Files"),
        ("mqtt bench compare ", "Files"),
        ("mqtt bench compare a b", "Files"),
        ("mqtt pub --capath ", "Directories"),
        ("mqtt compat install --dir ", "Directories"),
        ("mqtt pub -h ", "Hosts"),
        ("mqtt ping ", "Hosts"),
        ("mqtt pub --password-command ", "Commands"),
        ("mqtt broker -- ", "Commands"),
        ("mqtt broker -p 0 -- sh ", "Files"),
        ("mqtt sub a b --exec-argv -- l", "Commands"),
        ("mqtt sub a --exec-argv -- sh ", "Files"),
        ("mqtt compat mosquitto_pub --cafile ", "Files"),
        ("mqtt compat mosquitto_pub -h ", "Hosts"),
    ] {
        let offer = offered(line).expect(line).offer;
        assert_eq!(format!("{offer:?}"), expected, "{line}");
    }
    for line in ["mqtt pub -m ", "mqtt pub -u ", "mqtt pub -P ", "mqtt pub -i ", "mqtt broker "] {
        assert!(offered(line).is_none(), "{line}");
    }
}

/// The query uses the broker of the run, and a session of its own.
#[test]
fn topics_are_asked_of_the_broker_of_the_line() {
    for (line, expected, filter) in [
        ("mqtt pub ", &[][..], false),
        ("mqtt pub -t ho", &[], false),
        ("mqtt pub --will-topic=ho", &[], false),
        ("mqtt sub ", &[], true),
        ("mqtt sub a b -T ", &[], true),
        ("mqtt rr -e ", &[], false),
        ("mqtt retain-clear ", &[], true),
        ("mqtt sub --subscribe qos=1:ho", &[], true),
        (
            "mqtt sub -h b -p 1 -i me -c -x 5 --insecure -vS -u me -P x -t home/",
            &["--host=b", "--port=1", "--username=me", "--password=x", "--insecure", "--srv"],
            true,
        ),
        ("mqtt pub -m -h -L mqtts://b/ --profile=p -t ", &["--url=mqtts://b/", "--profile=p"], false),
        ("mqtt ping b --publish ", &["--host=b"], false),
        ("mqtt compat mosquitto_sub -h b -v -t ho", &["--host=b"], true),
    ] {
        let Some(Completion { offer: Offer::Topics { options, is_filter }, .. }) = offered(line) else {
            panic!("{line}: no topics")
        };
        assert_eq!(
            (&options[..], is_filter),
            (&expected.iter().map(OsString::from).collect::<Vec<_>>()[..], filter),
            "{line}"
        );
    }
}

/// Every option has a completion for its value: a new one needs a hint, a list, or one of these value names,
/// whose values cannot be known.
#[test]
fn values_of_every_option_are_offered_or_have_no_list() {
    const FREE: &[&str] = &[
        "ADDRESS",
        "ADDRESS[:PORT]",
        "[ADDRESS:]PORT",
        "CHANGE",
        "CONDITION",
        "COUNT",
        "DATA",
        "DISTURBANCE",
        "DURATION",
        "ENGINE",
        "FAULT",
        "FORM",
        "FORMAT",
        "GRACE",
        "HASH",
        "HEADER",
        "ID",
        "KEY",
        "KEY=VALUE",
        "MESSAGE",
        "NAME",
        "NUMBER",
        "PASSWORD",
        "PATH",
        "PAYLOAD",
        "PERCENT",
        "PID",
        "PORT",
        "PREFIX",
        "RATE",
        "SEPARATOR",
        "REGEX",
        "SIZE",
        "STAGES",
        "SIZE|DURATION",
        "SUITES",
        "TEXT",
        "TIME",
        "TYPE",
        "ARRIVALS",
        "IDENTITY",
        "VALUE",
        "NAMES",
        "VERSION",
        "CMD",
        "EXPR",
        "FILTER=FORMAT",
        "REGEX",
        "RATE",
        "s#REGEX#TEXT#",
        "URL",
    ];
    let mut program = command();
    program.build();
    let modes = program.get_subcommands().flat_map(clap::Command::get_subcommands);
    let mut seen = 0;
    let mut missing = Vec::new();
    for subcommand in program.get_subcommands().chain(modes) {
        let called = subcommand.get_bin_name().unwrap();
        let options =
            |arg: &&Arg| !arg.is_positional() && !arg.is_hide_set() && arg.get_action().takes_values();
        for arg in subcommand.get_arguments().filter(options) {
            let name = arg
                .get_long()
                .map_or_else(|| format!("-{}", arg.get_short().unwrap()), |long| format!("--{long}"));
            let line = if arg.is_require_equals_set() {
                format!("{called} {name}=")
            } else {
                format!("{called} {name} ")
            };
            let is_free = arg.get_value_names().is_some_and(|names| FREE.contains(&names[0].as_str()));
            if offered(&line).is_none() && !is_free {
                missing.push((line, arg.get_value_names().map(<[_]>::to_vec)));
            }
            seen += 1;
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
    assert!(seen > 500, "{seen}");
}

/// Shells pass words on as they are typed, or as the program receives them.
#[test]
fn words_of_shells_are_read() {
    assert_eq!(words_of_shell(Shell::Bash, "mqtt\0pub\0-t\0'a b\0"), ["mqtt", "pub", "-t", "a b"]);
    assert_eq!(words_of_shell(Shell::Fish, "mqtt\0-t\0a\\b\0\\$SYS\0"), ["mqtt", "-t", "a\\b", "$SYS"]);
    assert_eq!(words_of_shell(Shell::Zsh, "mqtt\0-t\0a\\b\0"), ["mqtt", "-t", "a\\b"]);
    assert_eq!(words_of_shell(Shell::Powershell, "mqtt\0\r\n"), ["mqtt", ""]);
}
