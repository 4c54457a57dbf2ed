//! Words of other tools, and typing mistakes.

use std::ffi::OsString;

use super::super::foreign::table::{COMMANDS, OPTIONS};
use super::super::foreign::{ForeignAnswer, answer_misread};
use super::super::ready::translated;
use super::super::{command, words as in_line};
use super::{stage_one, words};
use crate::notation::shell::unquoted;

/// The message and hint for a wrong line.
fn answer(line: &str) -> (String, String) {
    let line: Vec<&str> = line.split(' ').collect();
    let error = stage_one(&words(&line[1..])).expect_err("a usage error");
    (error.to_string(), error.hint().unwrap_or_default().to_owned())
}

/// Lines with words of other tools, each with its message and the command to type.
const FOREIGN: &[(&str, &str, &str)] = &[
    ("mqtt publish -t a -m b", "publish is called pub here", "mqtt pub -t a -m b"),
    ("mqtt subscribe -t a/#", "subscribe is called sub here", "mqtt sub -t 'a/#'"),
    ("mqtt listen a", "listen is called sub here", "mqtt sub a"),
    ("mqtt request -t a", "request is called rr here", "mqtt rr -t a"),
    ("mqtt conn -h b --tls", "conn is called ping here", "mqtt ping -h b --tls-use-os-certs"),
    ("mqtt test --hostname b", "test is called ping here", "mqtt ping -h b"),
    ("mqtt simulate", "simulate is called bench pub here", "mqtt bench pub"),
    ("mqtt benchmark conn -c 5", "benchmark is called bench here", "mqtt bench conn --clients 5"),
    ("mqtt swarm", "swarm is called bench here", "mqtt bench"),
    (
        "mqtt mosquitto_sub -t a",
        "mosquitto_sub is called compat mosquitto_sub here",
        "mqtt compat mosquitto_sub -t a",
    ),
    (
        "mqtt mosquitto_pub -h b -u me -P x7x -t a -m -5 -i x",
        "mosquitto_pub is called compat mosquitto_pub here",
        "mqtt compat mosquitto_pub -h b -u me -P … -t a -m -5 -i x",
    ),
    ("mqtt retain-clear -t a/# -y", "-t is not needed: filters stand alone", "mqtt retain-clear 'a/#' --yes"),
    (
        "mqtt broker --host 0.0.0.0 -p 0",
        "--host is called --listen here",
        "mqtt broker --listen 0.0.0.0 -p 0",
    ),
    ("mqtt retain-clear a -n", "-n is called --dry-run here", "mqtt retain-clear a --dry-run"),
    ("mqtt retain-clear a -y", "-y is called --yes here", "mqtt retain-clear a --yes"),
    ("mqtt pub a b --cleansession", "--cleansession is not needed", "mqtt pub a b"),
    ("mqtt bench publish --count 5", "publish is called bench pub here", "mqtt bench pub --count 5"),
    ("mqtt bench connect", "connect is called bench conn here", "mqtt bench conn"),
    ("mqtt sub --count 3 -t a", "--count is called -C here", "mqtt sub -C 3 -t a"),
    ("mqtt sub -t a --count=3", "--count is called -C here", "mqtt sub -t a -C 3"),
    ("mqtt sub -n 3 a", "-n is called -C here", "mqtt sub -C 3 a"),
    ("mqtt sub -n3 a", "-n is called -C here", "mqtt sub -C 3 a"),
    ("mqtt ping -n 3", "-n is called -C here", "mqtt ping -C 3"),
    ("mqtt pub -t a -m b --count 3", "--count is called --repeat here", "mqtt pub -t a -m b --repeat 3"),
    ("mqtt bench conn --count 5", "--count is called --clients here", "mqtt bench conn --clients 5"),
    ("mqtt bench pub --limit 9", "--limit is called --count here", "mqtt bench pub --count 9"),
    (
        "mqtt bench pub --interval_of_msg 10",
        "--interval_of_msg is called --rate-per-client here",
        "mqtt bench pub --rate-per-client 100",
    ),
    ("mqtt bench conn --interval 10", "--interval is called --ramp here", "mqtt bench conn --ramp 100"),
    ("mqtt pub -t a --timeout 5 -n", "--timeout is called -W here", "mqtt pub -t a -W 5 -n"),
    ("mqtt sub a --timeout 5", "--timeout is called -W here", "mqtt sub a -W 5"),
    ("mqtt pub -t a --payload x", "--payload is called -m here", "mqtt pub -t a -m x"),
    ("mqtt bench pub --message x", "--message is called --payload here", "mqtt bench pub --payload x"),
    (
        "mqtt pub -t a -n --tls",
        "--tls is called --tls-use-os-certs here",
        "mqtt pub -t a -n --tls-use-os-certs",
    ),
    ("mqtt sub a --ssl true", "--ssl is called --tls-use-os-certs here", "mqtt sub a --tls-use-os-certs"),
    (
        "mqtt sub a --secure -v",
        "--secure is called --tls-use-os-certs here",
        "mqtt sub a --tls-use-os-certs -v",
    ),
    ("mqtt sub a --ca c.pem", "--ca is called --cafile here", "mqtt sub a --cafile c.pem"),
    ("mqtt sub a --cacertfile c.pem", "--cacertfile is called --cafile here", "mqtt sub a --cafile c.pem"),
    ("mqtt sub a --keyfile k", "--keyfile is called --key here", "mqtt sub a --key k"),
    ("mqtt sub a --hostname b", "--hostname is called -h here", "mqtt sub a -h b"),
    ("mqtt sub a --user me --pass x7x", "--user is called -u here", "mqtt sub a -u me -P …"),
    ("mqtt sub a --pass x7x", "--pass is called -P here", "mqtt sub a -P …"),
    (
        "mqtt sub a --pass x7x --strange x7x",
        "--pass is called -P here",
        "write -P …; --strange is unknown, too: see mqtt sub --help",
    ),
    ("mqtt sub a --client me", "--client is called -i here", "mqtt sub a -i me"),
    ("mqtt sub a --identifier me", "--identifier is called -i here", "mqtt sub a -i me"),
    ("mqtt sub a --identifierPrefix me", "--identifierPrefix is called -I here", "mqtt sub a -I me"),
    ("mqtt sub a --mqttVersion 3", "--mqttVersion is called -V here", "mqtt sub a -V 311"),
    ("mqtt sub a --mqtt-version 3.1.1", "--mqtt-version is called -V here", "mqtt sub a -V 3.1.1"),
    (
        "mqtt sub a --protocol mqtts",
        "--protocol is called --tls-use-os-certs here",
        "mqtt sub a --tls-use-os-certs",
    ),
    ("mqtt sub a -h b -p 1 --protocol mqtt", "--protocol is not needed", "mqtt sub a -h b -p 1"),
    ("mqtt sub a --cafile c --protocol ssl", "--protocol is not needed", "mqtt sub a --cafile c"),
    ("mqtt sub a --tls --ca c", "--tls is not needed: a file of authorities", "mqtt sub a --cafile c"),
    (
        "mqtt pub a b --user-properties k=v",
        "is called --user-property here",
        "mqtt pub a b --user-property k=v",
    ),
    ("mqtt sub a --no-clean -i me", "--no-clean is called -c -i here", "mqtt sub a -c -i me"),
    ("mqtt pub a b --no-color", "--no-color is called --color here", "mqtt pub a b --color never"),
    ("mqtt pub a b --retry 3", "--retry is called --reconnect here", "mqtt pub a b --reconnect 3"),
    ("mqtt sub a --output-mode clean", "--output-mode is called --json here", "mqtt sub a --json"),
    ("mqtt sub a --output-mode default", "--output-mode is not needed", "mqtt sub a"),
    ("mqtt retain-clear a -q", "-q is called --quiet here", "mqtt retain-clear a --quiet"),
    ("mqtt retain-clear a -q 1", "-q is not needed", "mqtt retain-clear a"),
    ("mqtt broker -h 127.0.0.1 -p 0", "-h is called --listen here", "mqtt broker --listen 127.0.0.1 -p 0"),
    ("mqtt broker --tls", "--tls is not available: --listen mqtts://127.0.0.1", "see mqtt broker --help"),
    ("mqtt broker -c m.conf", "-c is not available", "see mqtt broker --help"),
    ("mqtt broker -p 0 start", "start is called broker here", "mqtt broker -p 0"),
    ("mqtt reply svc/a x", "reply is called respond here", "mqtt respond svc/a -m x"),
    ("mqtt check -h b", "check is called ping here", "mqtt ping -h b"),
    ("mqtt sh", "sh is not available: each command connects by itself", "see mqtt --help"),
    ("mqtt config ls", "ls is called config list here", "mqtt config list"),
    ("mqtt config path", "path is called config list here", "mqtt config list"),
    ("mqtt config edit", "edit is not available", "see mqtt config --help"),
    ("mqtt config validate --json", "validate is called config check here", "mqtt config check --json"),
    ("mqtt sub a --protocol 5", "--protocol is called -V here", "mqtt sub a -V 5"),
    ("mqtt sub a -l wss", "-l is called --ws --tls-use-os-certs here", "mqtt sub a --ws --tls-use-os-certs"),
    (
        "mqtt sub a --will-message x",
        "--will-message is called --will-payload here",
        "mqtt sub a --will-payload x",
    ),
    (
        "mqtt sub a --willTopic x --willMessage y",
        "",
        "did you mean '--will-topic'? mqtt sub a --will-topic x --will-payload y",
    ),
    ("mqtt sub a --clientid x --clean", "", "did you mean '--client-id'? mqtt sub a --client-id x"),
    ("mqtt pbu a b -P x7x", "", "did you mean 'pub'? mqtt pub a b -P …"),
    ("mqtt pub -h mqtt://b:1 a b", "it is a URL, which -L takes", "mqtt pub -L mqtt://b:1 a b"),
    ("mqtt pub -rh tcp://b a c", "it is a URL, which -L takes", "mqtt pub -r -L mqtt://b a c"),
    ("mqtt sub a -L tcp://b", "tcp:// is called mqtt:// here", "mqtt sub a -L mqtt://b"),
    ("mqtt sub a --url=ssl://b/t", "ssl:// is called mqtts:// here", "mqtt sub a -L mqtts://b/t"),
    ("mqtt sub a -L b:1884", "use mqtt://HOST", "mqtt sub a -L mqtt://b:1884"),
    ("mqtt sub a -V 3", "invalid value '3'", "mqtt sub a -V 311"),
    ("mqtt sub a -V v5.0", "invalid value 'v5.0'", "mqtt sub a -V 5"),
    ("mqtt sub a --filter b", "--filter is called -t here", "see mqtt sub --help"),
    ("mqtt ping mqtts://b", "it is a URL, which -L takes", "mqtt ping -L mqtts://b"),
    ("mqtt sub a --tiemout 3", "unexpected argument '--tiemout' found", "mqtt sub a -W 3"),
    ("mqtt bench pub -n 10", "-n is called --count here", "mqtt bench pub --count 10"),
    ("mqtt pub a b -pw x7x", "-pw has one dash: did you mean --password?", "mqtt pub a b --password …"),
    (
        "mqtt pub a b -se 5",
        "-se has one dash: did you mean --session-expiry?",
        "mqtt pub a b --session-expiry 5",
    ),
    ("mqtt config show work", "unexpected argument 'work' found", "mqtt config show --profile work"),
    ("mqtt compat install x", "unexpected argument 'x' found", "mqtt compat install --dir x"),
    ("mqtt sub a --sessionExpiryInterval 5", "--sessionExpiryInterval is called -x here", "mqtt sub a -x 5"),
    ("mqtt sub a --no-clean", "--no-clean is called -c -i here", "mqtt sub a -c -i ID"),
    ("mqtt sub a --clean", "--clean is not needed: each run begins a new session without -c", "mqtt sub a"),
    ("mqtt sub a --jsonOutput", "--jsonOutput is called --json here", "mqtt sub a --json"),
    ("mqtt ping --format json", "--format is called --json here", "mqtt ping --json"),
    ("mqtt sub a --showTopics", "--showTopics is called -v here", "mqtt sub a -v"),
    ("mqtt pub a b --verbose", "--verbose is called -d here", "mqtt pub a b -d"),
    ("mqtt pub a --stdin", "--stdin is called -s here", "mqtt pub a -s"),
    ("mqtt pub a --dup -n", "--dup is not needed: a message that is sent again is marked", "mqtt pub a -n"),
    (
        "mqtt sub a --ws-headers X:y7y",
        "--ws-headers is called --ws-header here",
        "mqtt sub a --ws-header 'X: ********'",
    ),
    ("mqtt ping --deadline 3", "--deadline is called --timeout here", "mqtt ping --timeout 3"),
];

#[test]
fn words_of_other_tools_are_answered_with_the_command() {
    for (line, called, ready) in FOREIGN {
        let (message, hint) = answer(line);
        assert!(message.contains(called), "{line}: {message}");
        assert_eq!(hint, *ready, "{line}");
        assert!(!hint.contains("x7x") && !message.contains("x7x") && !hint.contains("y7y"), "{line}: {hint}");
    }
}

/// Typing mistakes with their hints, and unknown words.
const SLIPS: &[(&str, &str)] = &[
    ("mqtt pub --qso 1", "did you mean '--qos'?"),
    ("mqtt pub --tpoic x", "did you mean '--topic'?"),
    ("mqtt pub --topics x", "did you mean '--topic'?"),
    ("mqtt pub --mesage x", "did you mean '--message'?"),
    ("mqtt pub --retian", "did you mean '--retain'?"),
    ("mqtt pub --hots x", "did you mean '--host'?"),
    ("mqtt pub --potr 1", "did you mean '--port'?"),
    ("mqtt pub --keep-alive 5", "did you mean '--keepalive'?"),
    ("mqtt pub --keepAlive 5", "did you mean '--keepalive'?"),
    ("mqtt pub --clientid x", "did you mean '--client-id'?"),
    ("mqtt pub --client_id x", "did you mean '--client-id'?"),
    ("mqtt pub --userName x", "did you mean '--username'?"),
    ("mqtt pub --passwrd x", "did you mean '--password'?"),
    ("mqtt pub --contentType x", "did you mean '--content-type'?"),
    ("mqtt pub --will-payloda x", "did you mean '--will-payload'?"),
    ("mqtt pub --inscure", "did you mean '--insecure'?"),
    ("mqtt pub --cafle x", "did you mean '--cafile'?"),
    ("mqtt sub --ws:path x", "did you mean '--ws-path'?"),
    ("mqtt sub --no_local", "did you mean '--no-local'?"),
    ("mqtt sub --verbos", "did you mean '--verbose'?"),
    ("mqtt ping --cuont 3", "did you mean '--count'?"),
    ("mqtt pubs", "did you mean 'pub'?"),
    ("mqtt sbu", "did you mean 'sub'?"),
    ("mqtt brocker", "did you mean 'broker'?"),
    ("mqtt retain_clear", "did you mean 'retain-clear'?"),
    ("mqtt retainclear", "did you mean 'retain-clear'?"),
    ("mqtt verison", "did you mean 'version'?"),
    ("mqtt pub --color alwys", "did you mean 'always'?"),
    // No option has a similar name.
    ("mqtt pub --zzz", "see mqtt pub --help"),
    ("mqtt pub --frequency 3", "see mqtt pub --help"),
    ("mqtt pub --sort", "see mqtt pub --help"),
    ("mqtt pub --type x", "see mqtt pub --help"),
    ("mqtt pub --force", "see mqtt pub --help"),
    ("mqtt pub --tag x", "see mqtt pub --help"),
    ("mqtt pub --so", "see mqtt pub --help"),
    ("mqtt pub --nosuch", "see mqtt pub --help"),
    ("mqtt sub --encoding x", "see mqtt sub --help"),
    ("mqtt sub --mount x", "see mqtt sub --help"),
    ("mqtt sub --securely", "see mqtt sub --help"),
    ("mqtt broker --daemon", "see mqtt broker --help"),
    ("mqtt broker --timeout 3", "see mqtt broker --help"),
    ("mqtt retain-clear --larger x", "did you mean '--larger-than'?"),
    ("mqtt pub -z", "see mqtt pub --help"),
    ("mqtt nosuch", "see mqtt --help"),
    ("mqtt tls", "see mqtt --help"),
    ("mqtt zub", "see mqtt --help"),
    ("mqtt x", "see mqtt --help"),
    ("mqtt pub --color sometimes", "see mqtt pub --help"),
    // Letters that other programs use for help or the version.
    ("mqtt pub -t a -h", "-h takes the host of the broker; for help: mqtt pub --help"),
    (
        "mqtt pub -t a -V",
        "-V takes the version of MQTT, such as -V 5; for that of this program: mqtt version",
    ),
    ("mqtt -p 1884 pub", "options follow the command: mqtt COMMAND -p"),
    ("mqtt --json sub a", "options follow the command: mqtt sub --json"),
    ("mqtt -d sub", "options follow the command: mqtt sub -d"),
    ("mqtt --json bench pub", "options follow the command: mqtt bench pub --json"),
    ("mqtt --host x pub", "options follow the command: mqtt COMMAND --host"),
];

#[test]
fn slips_are_answered_with_the_name_and_other_words_with_none() {
    for (line, hint) in SLIPS {
        let (message, found) = answer(line);
        let rest = found.strip_prefix(hint).unwrap_or_else(|| panic!("{line}: {message}, {found}"));
        // After a question, the hint has the line to type, if nothing else is wrong with it.
        assert!(rest.is_empty() || hint.ends_with('?'), "{line}: {found}");
        if let Some(ready) = rest.strip_prefix(' ') {
            assert_runs(ready);
        } else {
            assert!(rest.is_empty(), "{line}: {found}");
        }
    }
}

/// A command that is printed must be valid.
fn assert_runs(ready: &str) {
    let line: Vec<String> = ready.split(' ').map(unquoted).collect();
    let line: Vec<&str> = line.iter().map(String::as_str).collect();
    assert_eq!(line[0], "mqtt", "{ready}");
    // Mosquitto's clients have a parser of their own, and no file with profiles exists.
    if line[1] != "compat" && !ready.contains("--profile") && !ready.contains("--config") {
        assert!(stage_one(&words(&line[1..])).is_ok(), "{ready}");
    }
}

#[test]
fn every_ready_command_can_be_typed() {
    for (_, _, ready) in FOREIGN {
        let ready = ready.split_once("? ").map_or(*ready, |(_, ready)| ready);
        if ready.starts_with("mqtt ") {
            assert_runs(ready);
        }
    }
    let mut program = command();
    program.build();
    let translated = |line: &str| {
        let line: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        translated(&program, &line).ok()
    };
    for row in OPTIONS.iter().filter(|row| !row.is_unavailable) {
        for theirs in row.theirs {
            let ours = row.ours.replace("{}", "");
            // In some subcommands the word of the other tool is an option of ours.
            let has_ours = |ready: &str| {
                ours.split_whitespace().all(|word| ready.contains(word))
                    && (row.is_misread || !ready.split(' ').any(|word| word == *theirs))
            };
            let ready = |called: &str| {
                const SAMPLES: &[&str] = &["7", "5", "1", "1000", "a=b", "127.0.0.1", "/x", "A:b"];
                let values = if row.values.is_empty() { SAMPLES } else { &row.values[..1] };
                let beside = row.beside.first().map_or_else(String::new, |option| format!(" {option} f"));
                let lines = ["", " a", " a b"].into_iter().flat_map(|operands| {
                    let beside = beside.clone();
                    values.iter().map(move |value| {
                        let value = if row.takes_value { format!(" {value}") } else { String::new() };
                        format!("mqtt {called}{operands} {theirs}{value}{beside}")
                    })
                });
                // Another row may apply in this subcommand.
                let found = |line: String| Some((translated(&line).filter(|ready| has_ours(ready))?, line));
                lines.into_iter().find_map(found)
            };
            let commands = ["pub", "sub", "rr", "ping", "bench conn", "bench pub", "bench", "config show"];
            let called = if row.on.is_empty() { &commands[..] } else { row.on };
            let (ready, line) = called.iter().find_map(|called| ready(called)).expect(theirs);
            assert_ne!(ready, line);
            if *theirs == row.theirs[0] {
                assert_runs(&ready);
            }
        }
    }
    for row in COMMANDS.iter().filter(|row| !row.ours.is_empty()) {
        let hint = answer(&format!("mqtt {} {}", row.below, row.theirs[0]).replace("  ", " ")).1;
        // Some subcommands need arguments.
        if hint != format!("see mqtt {} --help", row.ours) {
            assert_eq!(hint, format!("mqtt {}", row.ours));
            assert_runs(&hint);
        }
    }
}

/// `-c` is an option here too, and takes no number.
#[test]
fn count_of_ping_is_recognised() {
    let answer = |line: &str| {
        let line: Vec<OsString> = line.split(' ').map(OsString::from).collect();
        answer_misread(command, &line).map(|ForeignAnswer { message, hint }| (message, hint))
    };
    for (line, ready) in [
        ("mqtt ping -c 3", "mqtt ping -C 3"),
        ("mqtt ping -c 3 broker.example", "mqtt ping -C 3 broker.example"),
        ("mqtt ping broker.example -c3", "mqtt ping broker.example -C 3"),
        ("mqtt bench conn -c 5", "mqtt bench conn --clients 5"),
        ("mqtt bench pub -c 5 -s 9", "mqtt bench pub --publishers 5 --size 9"),
        ("mqtt bench -c5", "mqtt bench --publishers 5"),
        // Other errors are reported too.
        (
            "mqtt bench -c 10 --strange x",
            "write --publishers 10; --strange is unknown, too: see mqtt bench --help",
        ),
        ("mqtt bench -c 10 -t x", "mqtt bench --publishers 10 --topic x"),
        ("mqtt bench sub -c 5", "mqtt bench sub --subscribers 5"),
        ("mqtt ping -W 2 -c 3 -u me -P x", "mqtt ping -W 2 -C 3 -u me -P …"),
    ] {
        let (message, hint) = answer(line).expect(line);
        assert!(message.starts_with("-c with a number is called -"), "{message}");
        assert_eq!(hint, ready, "{line}");
    }
    for line in
        ["mqtt ping -c -i me", "mqtt ping -i -c 3", "mqtt ping -c broker", "mqtt sub -c 3", "mqtt ping -C 3"]
    {
        assert_eq!(answer(line), None, "{line}");
    }
}

/// Checks both tables against the definition of the command line.
#[test]
fn every_row_has_its_options_here_and_is_needed() {
    let mut program = command();
    program.build();
    let below = |command: &clap::Command| command.get_subcommands().cloned().collect::<Vec<_>>();
    let mut all = Vec::new();
    for subcommand in below(&program) {
        for mode in below(&subcommand) {
            all.push((format!("{} {}", subcommand.get_name(), mode.get_name()), mode));
        }
        all.push((subcommand.get_name().to_owned(), subcommand));
    }
    let has = |command: &clap::Command, option: &str| {
        command.get_arguments().any(|arg| in_line::is_called(arg, option))
    };
    for row in OPTIONS {
        let shown = format!("{row:?}");
        let on: Vec<_> = all
            .iter()
            .filter(|(name, command)| {
                let ours = row.ours.split(' ').filter(|word| word.starts_with('-'));
                let takes_all = ours.into_iter().all(|option| has(command, option));
                let is_named = row.on.contains(&&**name);
                assert!(!is_named || takes_all, "{shown} {name}");
                takes_all && (is_named || row.on.is_empty())
            })
            .collect();
        assert!(!on.is_empty(), "{shown}");
        for theirs in row.theirs {
            // The table is used only for unknown options, so the option must be unknown somewhere.
            let unknown = on.iter().any(|(_, command)| !has(command, theirs));
            assert!(unknown || row.is_misread, "{theirs}: {shown}");
            for (_, command) in on.iter().filter(|(_, command)| !has(command, theirs)) {
                for option in row.ours.split(' ').filter(|word| word.starts_with('-')) {
                    let arg = command.get_arguments().find(|arg| in_line::is_called(arg, option)).unwrap();
                    let is_optional = arg.get_num_args().is_some_and(|number| number.min_values() == 0);
                    let takes = arg.get_action().takes_values() && !is_optional;
                    let has_value = row.ours.contains(&format!("{option} "))
                        && !row.ours.contains(&format!("{option} -"));
                    assert_eq!(takes, has_value, "{option}: {shown}");
                }
            }
        }
    }
    for row in COMMANDS.iter().filter(|row| !row.ours.is_empty()) {
        let shown = format!("{row:?}");
        let names: Vec<&str> = row.ours.split(' ').collect();
        let exists =
            all.iter().any(|(name, _)| *name == names.join(" ") || *name == names[0] && names.len() == 2);
        assert!(exists, "{shown}");
        for theirs in row.theirs {
            assert!(all.iter().all(|(name, _)| name != theirs), "{theirs}: {shown}");
        }
    }
}
