//! A line for every option of the three clients; options of all clients have a line for each. The list of
//! options is that of `--help`, which is made from the table of options.

use mqtt::protocol::Protocol;

use crate::compat::{ALL, PUB, RR, SUB};
use crate::compat_cases::{self, Case, Script, case, plain};
use crate::support::mqtt::Mqtt;
use crate::support::packets::Message;

/// Options of every client, on a plain connection, and the differences from the older clients.
const COMMON: &[(&str, &[&str])] = &[
    ("-A localhost", &[]),
    ("-A 127.0.0.1", &[]),
    ("--cafile CA --no-tls", &["2.1 options"]),
    ("--capath HOME --no-tls", &["2.1 options"]),
    ("--cert no --key no --keyform pem", &[]),
    ("--ciphers no", &[]),
    ("-c -i me", &[]),
    ("--disable-clean-session --id me", &[]),
    ("-d -i me", &[]),
    ("--debug --quiet", &[]),
    ("-D connect user-property k v", &[]),
    ("--property CONNECT Topic-Alias-Maximum 7", &[]),
    ("-h localhost", &[]),
    ("--host 127.0.0.1", &[]),
    ("--insecure", &[]),
    ("-i me -i you", &[]),
    ("-I pid-", &[]),
    ("--id-prefix pid-", &[]),
    ("-k 5", &[]),
    ("--keepalive ␣9x", &[]),
    ("-L mqtt://localhost:PORT/u", &[]),
    ("--url mqtt://me:pw@localhost:PORT/u", &[]),
    ("-M 3", &[]),
    ("--nodelay", &[]),
    ("-o HOME/no-such", &["2.1 options"]),
    ("-p PORTx", &[]),
    ("--port PORT", &[]),
    ("-u me -P pw", &[]),
    ("--username me --pw \"\"", &[]),
    ("--psk-identity me", &[]),
    ("-q 1", &[]),
    ("--qos 2", &[]),
    ("--quiet", &[]),
    ("-t u", &[]),
    ("--topic u", &[]),
    ("--tls-alpn mqtt", &[]),
    ("--tls-engine no --no-tls", &["2.1 options"]),
    (
        "--tls-engine no --tls-engine-kpass-sha1 no --keyform engine --key k --cert c --no-tls",
        &["2.1 options"],
    ),
    ("--tls-keylog HOME/log --no-tls", &["2.1 options"]),
    ("--tls-use-os-certs --no-tls", &["2.1 options"]),
    ("--tls-version tlsv1.3", &[]),
    ("-V 311", &[]),
    ("--protocol-version mqttv5", &[]),
    ("--will-topic w --will-payload gone --will-qos 2 --will-retain", &[]),
    ("-D will content-type x --will-topic w", &[]),
    ("-x 7", &["2.1 expiry"]),
];

/// The other options, each on its own line.
const OTHERS: &[(&str, &str, &[&str])] = &[
    (PUB, "--help", &["usage"]),
    (SUB, "-t a --help", &["usage"]),
    (RR, "--help --unknown", &["usage"]),
    (PUB, "--version", &["usage"]),
    (SUB, "--version -t", &["usage"]),
    (RR, "-e a --version", &["usage"]),
    (PUB, "-t a -m x --psk 00 --psk-identity me -p 1", &["psk"]),
    (SUB, "-t a --psk 00 --psk-identity me -p 1", &["psk"]),
    (RR, "-t a -e b -m x --psk 00 --psk-identity me -p 1", &["psk"]),
    (PUB, "-t a -m x --ws", &["2.1 options"]),
    (SUB, "-t a -E --ws -W 1", &["2.1 options"]),
    (RR, "-t a -e b -m x --ws -W 1", &["2.1 options"]),
    (PUB, "-t a -m x -S -h 127.0.0.1", &["2.1 options"]),
    (SUB, "-t a -S -h 127.0.0.1 -W 1", &["2.1 options"]),
    (RR, "-t a -e b -m x -S -h 127.0.0.1", &["2.1 options"]),
    (RR, "-t a -e b --file HOME/two -W 1", &["2.1 rr"]),
    (SUB, "-t a -w -W 1", &["2.1 options"]),
    (SUB, "-t a --watch -W 1", &["2.1 options"]),
    (SUB, "-t a --retained-only -E", &["retained-only"]),
    (SUB, "-t a --unsubscribe b -W 1", &[]),
];

/// Options of the output for `mosquitto_rr`.
const RECEIVING: &[(&str, &[&str])] = &[
    ("--latency", &["2.1 options"]),
    ("--pretty", &["rr-disconnect"]),
    ("--verbose", &["rr-disconnect"]),
    ("--retain-as-published", &["2.1 rr"]),
    ("--retain-handling never", &["2.1 options"]),
    ("-R", &["2.1 rr"]),
];

/// A request with an answer, in the version that the line selects.
fn request(line: &str, differs: &'static [&'static str]) -> Case {
    let protocol = if line.contains("-V 311") { Protocol::V3_1_1 } else { Protocol::V5 };
    let script = Script::accepts().replies(&Message::new("b", b"response"), protocol);
    case(RR, format!("-t a -e b -m x {line}"), script).differs(differs)
}

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for (line, differs) in COMMON {
        cases.push(plain(PUB, format!("-q 1 -t a -m x {line}")).differs(differs));
        cases.push(plain(SUB, format!("-t a -E {line}")).differs(differs));
        let for_rr: &[&str] = match *differs {
            // The older mosquitto_rr always uses MQTT 5.
            [] | ["2.1 expiry"] => &["rr-disconnect"],
            _ => differs,
        };
        cases.push(request(line, for_rr));
    }
    cases.extend(RECEIVING.iter().map(|(line, differs)| request(line, differs)));
    cases.extend(OTHERS.iter().map(|(program, line, differs)| plain(program, *line).differs(differs)));
    cases
}

/// The options in a client's usage: the names of each.
fn options(program: &'static str) -> Vec<Vec<String>> {
    let usage = Mqtt::new(["--help"]).called(program).env("HOME", "/nonexistent").run().exits(1);
    let usage = String::from_utf8(usage.stdout).unwrap();
    let lines = usage.lines().filter_map(|line| line.strip_prefix(" -"));
    let names = |line: &str| {
        let words = line.split(' ').map(|word| word.trim_end_matches(',').to_owned());
        let mut names: Vec<String> = Vec::new();
        for word in
            std::iter::once(format!("-{}", line.split(' ').next().unwrap_or_default())).chain(words.skip(1))
        {
            let name = word.trim_end_matches(',');
            if !name.starts_with('-') {
                break;
            }
            names.push(name.to_owned());
        }
        names
    };
    lines.map(names).collect()
}

#[test]
fn every_option_of_every_client_has_a_line() {
    let cases = cases_by_words();
    let mut missing = String::new();
    let mut count = 0;
    for program in ALL {
        for names in options(program) {
            count += 1;
            let has = |name: &String| cases.iter().any(|(of, words)| of == program && words.contains(name));
            if !names.iter().any(has) {
                missing += &format!("{program}: no line has {names:?}\n");
            }
            for name in &names {
                if !cases.iter().any(|(_, words)| words.contains(name)) {
                    missing += &format!("no line has {name}\n");
                }
            }
        }
    }
    assert!(missing.is_empty(), "{missing}");
    assert!(count > 150, "the usages list {count} options");
}

fn cases_by_words() -> Vec<(&'static str, Vec<String>)> {
    let words = |case: &Case| case.line.split(' ').map(str::to_owned).collect();
    compat_cases::cases().iter().map(|case| (case.program, words(case))).collect()
}

#[test]
fn there_are_more_than_two_hundred_lines_and_each_is_there_once() {
    let key = |case: &Case| {
        let Case { program, line, gate, script, stdin, options, homeless, .. } = case;
        format!("{program} {line} {gate:?} {stdin:?} {options:?} {homeless} {script:?}")
    };
    let lines: Vec<String> = compat_cases::cases().iter().map(key).collect();
    let mut once = lines.clone();
    once.sort_unstable();
    once.dedup();
    let repeated: Vec<&String> =
        lines.iter().filter(|line| lines.iter().filter(|other| other == line).count() > 1).collect();
    assert!(repeated.is_empty(), "{repeated:#?}");
    assert!(once.len() >= 200, "{} lines", once.len());
}
