//! Tests of the option table itself.

use std::collections::HashMap;
use std::ffi::OsString;

use clap::Arg;

use super::super::command;
use super::super::headings::is_of_connection;

/// All subcommands, and the modes of `bench`.
fn subcommands() -> Vec<clap::Command> {
    let command = command();
    let with_modes = |command: &clap::Command| -> Vec<clap::Command> {
        std::iter::once(command).chain(command.get_subcommands()).cloned().collect()
    };
    command.get_subcommands().flat_map(with_modes).collect()
}

fn arguments(name: &str) -> Vec<Arg> {
    let mut command = command();
    command.build();
    let subcommand = command.find_subcommand(name).expect(name);
    subcommand.get_arguments().cloned().collect()
}

/// clap's own checks, for example no letter and no name twice in a subcommand.
#[test]
fn definition_of_options_is_valid() {
    command().debug_assert();
}

#[test]
fn no_letter_and_no_name_twice() {
    for subcommand in subcommands() {
        let mut seen: HashMap<String, String> = HashMap::new();
        for arg in subcommand.get_arguments() {
            let shorts = arg.get_short_and_visible_aliases().unwrap_or_default();
            let longs = arg.get_long_and_visible_aliases().unwrap_or_default();
            let names = shorts.iter().map(|c| format!("-{c}")).chain(longs.iter().map(|l| format!("--{l}")));
            for name in names {
                let other = seen.insert(name.clone(), arg.get_id().to_string());
                assert_eq!(other, None, "{} {name}", subcommand.get_name());
            }
        }
    }
}

/// mosquitto 2.1's letters: each has the same meaning here as there, and no other letter is used.
#[test]
fn mosquittos_letters() {
    let connection: &[(char, &str)] = &[
        ('A', "bind_address"),
        ('c', "disable_clean_session"),
        ('d', "debug"),
        ('D', "property"),
        ('h', "host"),
        ('i', "client_id"),
        ('I', "id_prefix"),
        ('k', "keepalive"),
        ('L', "url"),
        ('M', "max_inflight"),
        ('o', "options_file"),
        ('p', "port"),
        ('P', "password"),
        ('q', "qos"),
        ('S', "srv"),
        ('t', "topic"),
        ('u', "username"),
        ('V', "protocol_version"),
        ('x', "session_expiry"),
    ];
    let publish: &[(char, &str)] = &[
        // As in find(1) and xargs(1); mosquitto's clients have no digits.
        ('0', "null_data"),
        ('f', "file"),
        ('l', "stdin_line"),
        ('m', "message"),
        ('n', "null_message"),
        ('r', "retain"),
        ('s', "stdin_file"),
    ];
    let subscribe: &[(char, &str)] = &[
        ('C', "count"),
        ('E', "exit_after_subscribing"),
        ('F', "format"),
        ('N', "no_newline"),
        ('R', "no_retained"),
        ('T', "filter_out"),
        ('U', "unsubscribe"),
        ('v', "verbose"),
        ('w', "watch"),
        ('W', "timeout"),
    ];
    let request: &[(char, &str)] = &[
        ('C', "responses"),
        ('e', "respond_on"),
        ('f', "file"),
        ('F', "format"),
        ('m', "message"),
        ('n', "null_message"),
        ('N', "no_newline"),
        ('R', "no_retained"),
        ('s', "stdin_file"),
        ('v', "verbose"),
        ('W', "timeout"),
    ];
    let respond: &[(char, &str)] = &[
        ('C', "count"),
        ('e', "respond_on"),
        ('f', "file"),
        ('m', "message"),
        ('n', "null_message"),
        ('s', "stdin_file"),
        ('v', "verbose"),
        ('W', "timeout"),
    ];
    // Its own options are long only, except -q: -t and -D are for one message.
    let bench: Vec<(char, &str)> = connection.iter().copied().filter(|(c, _)| !"dDt".contains(*c)).collect();
    let broker: &[(char, &str)] = &[('p', "port")];
    // No topic to publish or subscribe to, and no QoS.
    let tool =
        || connection.iter().copied().filter(|(letter, _)| !"tq".contains(*letter)).collect::<Vec<_>>();
    let retain_clear = [tool(), vec![('T', "filter_out"), ('W', "timeout")]].concat();
    for (name, expected) in [
        // mosquitto_pub has no time limit; -W is the letter of ours.
        ("pub", [connection, publish, &[('W', "timeout")]].concat()),
        ("sub", [connection, subscribe].concat()),
        ("rr", [connection, request].concat()),
        ("respond", [connection, respond].concat()),
        ("bench", bench),
        (
            "ping",
            [
                &connection.iter().copied().filter(|(letter, _)| !"qt".contains(*letter)).collect::<Vec<_>>()
                    [..],
                &[('C', "count"), ('W', "timeout")],
            ]
            .concat(),
        ),
        #[cfg(feature = "broker")]
        ("broker", broker.to_vec()),
        ("retain-clear", retain_clear),
        ("will-test", tool()),
    ] {
        let mut expected: Vec<(char, String)> = expected.into_iter().map(|(c, id)| (c, id.into())).collect();
        let mut actual: Vec<(char, String)> = arguments(name)
            .iter()
            .filter_map(|arg| Some((arg.get_short()?, arg.get_id().to_string())))
            .collect();
        expected.sort();
        actual.sort();
        assert_eq!(actual, expected, "{name}");
    }
}

/// mosquitto's long names, which scripts use too.
#[test]
fn mosquittos_long_names() {
    let both = [
        "cafile",
        "capath",
        "cert",
        "ciphers",
        "debug",
        "disable-clean-session",
        "help",
        "host",
        "id",
        "id-prefix",
        "insecure",
        "keepalive",
        "key",
        "keyform",
        "no-tls",
        "nodelay",
        "port",
        "property",
        "protocol-version",
        "proxy",
        "psk",
        "psk-identity",
        "pw",
        "qos",
        "quiet",
        "tls-alpn",
        "tls-engine",
        "tls-engine-kpass-sha1",
        "tls-keylog",
        "tls-use-os-certs",
        "tls-version",
        "topic",
        "unix",
        "url",
        "username",
        "version",
        "will-payload",
        "will-qos",
        "will-retain",
        "will-topic",
        "ws",
    ];
    let publish =
        ["file", "message", "null-message", "repeat", "repeat-delay", "retain", "stdin-file", "stdin-line"];
    let subscribe = [
        "filter-out",
        "message-rate",
        "pretty",
        "random-filter",
        "remove-retained",
        "retain-as-published",
        "retain-handling",
        "retained-only",
        "unsubscribe",
        "verbose",
        "watch",
    ];
    // Without --retain-handling: a retained message is never the response, and is not asked for.
    let request = [
        "file",
        "format",
        "latency",
        "message",
        "null-message",
        "pretty",
        "retain-as-published",
        "stdin-file",
        "verbose",
    ];
    for (name, own) in [("pub", &publish[..]), ("sub", &subscribe[..]), ("rr", &request[..])] {
        let arguments = arguments(name);
        let names: Vec<&str> =
            arguments.iter().flat_map(|arg| arg.get_long_and_visible_aliases().unwrap_or_default()).collect();
        for long in both.iter().chain(own) {
            assert!(names.contains(long), "{name} --{long}");
        }
    }
}

#[test]
fn every_option_has_a_help_text_of_one_paragraph() {
    for subcommand in subcommands() {
        for arg in subcommand.get_arguments() {
            let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
            let name = format!("{} {}", subcommand.get_name(), arg.get_id());
            assert!(help.starts_with(|c: char| c.is_uppercase()), "{name}: {help:?}");
            assert!(!help.ends_with('.') && !help.contains('\n'), "{name}: {help:?}");
        }
    }
}

/// The word after an option that takes a value is the value, whatever it begins with; `--` ends the options.
#[test]
fn values_may_begin_with_a_hyphen_in_every_subcommand() {
    let mut seen = 0;
    for subcommand in subcommands() {
        let names = |arg: &Arg| {
            let long = arg.get_long().map(|long| format!("--{long}"));
            long.into_iter().chain(arg.get_short().map(|short| format!("-{short}"))).collect::<Vec<_>>()
        };
        let takes_one = |arg: &&Arg| {
            arg.get_action().takes_values()
                && !arg.is_positional()
                && arg.get_num_args().is_none_or(|count| count.max_values() == 1)
        };
        for arg in subcommand.get_arguments().filter(takes_one) {
            let id = arg.get_id().as_str();
            for name in names(arg) {
                for value in ["-odd", "-1", "-t", "--topic", "--", "--help", "-"] {
                    let line = if arg.is_require_equals_set() {
                        vec!["mqtt".to_owned(), format!("{name}={value}")]
                    } else {
                        vec!["mqtt".to_owned(), name.clone(), value.to_owned()]
                    };
                    let plain = |arg: Arg| {
                        let takes = arg.get_action().takes_values();
                        let arg = arg.required(false).env(None::<&str>);
                        if takes { arg.value_parser(clap::value_parser!(OsString)) } else { arg }
                    };
                    // Other options that the option needs are ignored.
                    let parser = subcommand.clone().mut_args(plain).ignore_errors(true);
                    let matches = parser.try_get_matches_from(&line);
                    let matches = matches.unwrap_or_else(|error| panic!("{line:?}: {error}"));
                    let raw: Vec<_> = matches.get_raw(id).into_iter().flatten().collect();
                    assert_eq!(raw, [value], "{} {line:?}", subcommand.get_name());
                    seen += 1;
                }
            }
        }
    }
    assert!(seen > 1000, "{seen}");
}

/// The rule at the end of the help, without exceptions: each connection option has a variable, MQTT_ and its
/// long name, and no other option has one.
#[test]
fn environment_variables_are_named_after_their_options() {
    for subcommand in subcommands() {
        for arg in subcommand.get_arguments() {
            let has_one = is_of_connection(arg);
            let long = arg.get_long().unwrap_or_default();
            let expected = has_one.then(|| format!("MQTT_{}", long.to_uppercase().replace('-', "_")));
            let actual = arg.get_env().map(|name| name.to_string_lossy().into_owned());
            assert_eq!(actual, expected, "{} --{long}", subcommand.get_name());
        }
    }
}

/// Help, manual pages and completions must not show values that happen to be set, such as a password.
#[test]
fn values_of_the_environment_are_hidden() {
    for subcommand in subcommands() {
        for arg in subcommand.get_arguments().filter(|arg| arg.get_env().is_some()) {
            assert!(arg.is_hide_env_values_set(), "{} {}", subcommand.get_name(), arg.get_id());
        }
    }
}

/// An option of two subcommands has one declaration and the same help text in both.
#[test]
fn options_of_one_name_are_one_option() {
    let own = ["topic", "qos", "no_retained", "retain_as_published", "json", "on_error"];
    for (one, other) in [("pub", "sub"), ("pub", "rr"), ("sub", "rr")] {
        let others = arguments(other);
        for arg in arguments(one).iter().filter(|arg| !own.contains(&arg.get_id().as_str())) {
            if let Some(other) = others.iter().find(|other| other.get_id() == arg.get_id()) {
                let help = |arg: &Arg| arg.get_help().map(ToString::to_string);
                assert_eq!(help(arg), help(other));
                assert_eq!(arg.to_string(), other.to_string());
            }
        }
    }
}

/// All options that take a size, found by their names and by the values they accept.
#[test]
fn sizes_count_in_thousands_and_in_1024() {
    let mut found = Vec::new();
    for arg in subcommands().iter().flat_map(clap::Command::get_arguments) {
        let read = |value: &str| {
            let alone = Arg::new("value").value_parser(arg.get_value_parser().clone());
            let matches = clap::Command::new("mqtt").arg(alone).try_get_matches_from(["mqtt", value]).ok()?;
            let as_u64 = matches.try_get_one::<u64>("value").ok().flatten().copied();
            let as_u32 = matches.try_get_one::<u32>("value").ok().flatten().copied().map(u64::from);
            let as_usize = matches.try_get_one::<usize>("value").ok().flatten().map(|size| *size as u64);
            as_u64.or(as_u32).or(as_usize)
        };
        let is_called_size =
            arg.get_value_names().is_some_and(|names| names.iter().any(|name| name == "SIZE"));
        let reads_units = ["2k", "2Ki", "2KB"].iter().any(|value| read(value).is_some());
        if !is_called_size && !reads_units {
            continue;
        }
        for (value, bytes) in [
            ("2000", Some(2_000)),
            ("2k", Some(2_000)),
            ("2KB", Some(2_000)),
            ("2Ki", Some(2_048)),
            ("2kib", Some(2_048)),
            ("2M", Some(2_000_000)),
            ("2MiB", Some(2 << 20)),
            ("2.5k", None),
            ("2x", None),
            ("-2", None),
        ] {
            assert_eq!(read(value), bytes, "{} {value}", arg.get_id());
        }
        found.push(arg.get_id().as_str().to_owned());
    }
    found.sort_unstable();
    found.dedup();
    assert_eq!(
        found,
        [
            "larger_than",
            "max_packet_size",
            "max_queued_bytes",
            "max_retained_bytes",
            "max_total_bytes",
            "size",
            "spool_max_size",
        ]
    );
}
