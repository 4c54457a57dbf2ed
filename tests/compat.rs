//! Command lines that mosquitto's clients refuse, and their error texts.

use tempfile::TempDir;

use crate::support::mqtt::{Mqtt, Outcome};

pub(crate) const PUB: &str = "mosquitto_pub";
pub(crate) const SUB: &str = "mosquitto_sub";
pub(crate) const RR: &str = "mosquitto_rr";
pub(crate) const ALL: &[&str] = &[PUB, SUB, RR];
const SENDING: &[&str] = &[PUB, RR];
const RECEIVING: &[&str] = &[SUB, RR];

/// Command lines that are refused, for these programs, and the first line of the error after `Error: `. After
/// a text that ends with `\n` follows an empty line.
pub(crate) const MISUSE: &[(&[&str], &str, &str)] = &[
    (ALL, "-A", "-A argument given but no address specified.\n"),
    (ALL, "--cafile", "--cafile argument given but no file specified.\n"),
    (ALL, "--capath", "--capath argument given but no directory specified.\n"),
    (ALL, "--cert", "--cert argument given but no file specified.\n"),
    (ALL, "--ciphers", "--ciphers argument given but no ciphers specified.\n"),
    (&[SUB], "-C", "-C argument given but no count specified.\n"),
    (&[SUB], "-C 0", "Invalid message count \"0\".\n"),
    (&[SUB], "-C many", "Invalid message count \"0\".\n"),
    (SENDING, "-C 1", "Unknown option '-C'."),
    (ALL, "-D", "--property argument given but not enough arguments specified.\n"),
    (ALL, "-D connect receive-maximum", "--property argument given but not enough arguments specified.\n"),
    (ALL, "-D connect user-property k", "--property argument given but not enough arguments specified.\n"),
    (ALL, "-D no content-type x", "Invalid command no given in --property argument.\n"),
    (ALL, "-D publish no x", "Invalid property name no given in --property argument.\n"),
    (
        ALL,
        "-D connect content-type x",
        "content-type property not allowed for connect in --property argument.\n",
    ),
    (
        ALL,
        "-D puback reason-string x",
        "reason-string property not supported for puback in --property argument.\n",
    ),
    (
        ALL,
        "-D publish subscription-identifier 1",
        "subscription-identifier property not supported for publish in --property argument.\n",
    ),
    (
        ALL,
        "-D subscribe topic-alias 1",
        "topic-alias property not allowed for subscribe in --property argument.\n",
    ),
    (
        ALL,
        "-D connect receive-maximum 65536",
        "Property value (65536) out of range for property receive-maximum.\n",
    ),
    (
        ALL,
        "-D connect receive-maximum -1",
        "Property value (-1) out of range for property receive-maximum.\n",
    ),
    (
        ALL,
        "-D connect session-expiry-interval 4294967296",
        "Property value (4294967296) out of range for property session-expiry-interval.\n",
    ),
    (
        ALL,
        "-D publish payload-format-indicator 256",
        "Property value (256) out of range for property payload-format-indicator.\n",
    ),
    (&[RR], "-e", "-e argument given but no response topic specified.\n"),
    (&[RR], "-e a/#", "Invalid response topic 'a/#', does it contain '+' or '#'?"),
    (&[PUB], "-e a", "Unknown option '-e'."),
    (SENDING, "-f", "-f argument given but no file specified.\n"),
    (&[SUB], "-f x", "Unknown option '-f'."),
    (RECEIVING, "-F", "-F argument given but no format specified.\n"),
    (&[PUB], "-F %p", "Unknown option '-F'."),
    (RECEIVING, "-F %", "Incomplete format specifier."),
    (RECEIVING, "-F %0", "Incomplete format specifier."),
    (RECEIVING, "-F %.1", "Incomplete format specifier."),
    (RECEIVING, "-F %Z", "Invalid format specifier 'Z'."),
    (RECEIVING, "-F @", "Incomplete format specifier."),
    (RECEIVING, "-F \\", "Incomplete escape specifier."),
    (RECEIVING, "-F \\q", "Invalid escape specifier 'q'."),
    (ALL, "-h", "-h argument given but no host specified.\n"),
    (ALL, "-i", "-i argument given but no id specified.\n"),
    (ALL, "-I", "-I argument given but no id prefix specified.\n"),
    (ALL, "-i a -I b", "-i and -I argument cannot be used together.\n"),
    (ALL, "-I a -i", "-i and -I argument cannot be used together.\n"),
    (ALL, "-k", "-k argument given but no keepalive specified.\n"),
    (ALL, "-k 4", "Invalid keepalive given, it must be between 5 and 65535 inclusive.\n"),
    (ALL, "-k 65536", "Invalid keepalive given, it must be between 5 and 65535 inclusive.\n"),
    (ALL, "-k -1", "Invalid keepalive given, it must be between 5 and 65535 inclusive.\n"),
    (ALL, "--key", "--key argument given but no file specified.\n"),
    (ALL, "--keyform", "--keyform argument given but no keyform specified.\n"),
    (ALL, "-L", "-L argument given but no URL specified.\n"),
    (ALL, "-L http://h/t", "Unsupported URL scheme.\n"),
    (ALL, "-L mqtt://h", "Invalid URL for -L argument specified - topic missing."),
    (SENDING, "-L mqtt://h/a+", "Invalid publish topic 'a+', does it contain '+' or '#'?"),
    (RECEIVING, "-l", "Unknown option '-l'."),
    (&[RR], "--latency=1", "Unknown option '--latency=1'."),
    (SENDING, "-m", "-m argument given but no message specified.\n"),
    (SENDING, "-m a -f b", "Only one type of message can be sent at once.\n"),
    (SENDING, "-n -m", "Only one type of message can be sent at once.\n"),
    (&[PUB], "-l -s", "Only one type of message can be sent at once.\n"),
    (ALL, "-M", "-M argument given but max_inflight not specified.\n"),
    (ALL, "-M 0", "Maximum inflight messages must be greater than 0.\n"),
    (&[PUB], "-N", "Unknown option '-N'."),
    (ALL, "-o", "-o argument given but no options file specified.\n"),
    (ALL, "-o x -o y", "Duplicate -o argument given.\n"),
    (ALL, "-p", "-p argument given but no port specified.\n"),
    (ALL, "-p -1", "Invalid port given: -1"),
    (ALL, "-p 65536", "Invalid port given: 65536"),
    (ALL, "-P", "-P argument given but no password specified.\n"),
    (ALL, "--proxy", "--proxy argument given but no proxy url specified.\n"),
    (ALL, "--proxy http://h", "Unsupported proxy protocol: http://h"),
    (ALL, "--proxy socks5h://", "Invalid proxy."),
    (ALL, "--proxy socks5h://h:0", "Invalid proxy port 0"),
    (ALL, "--proxy socks5h://u:p:q@h", "Username cannot contain ':'."),
    (ALL, "--proxy socks5h://[::1]:1[::2]", "Duplicate IPv6 address."),
    (ALL, "--psk", "--psk argument given but no key specified.\n"),
    (ALL, "--psk-identity", "--psk-identity argument given but no identity specified.\n"),
    (ALL, "-q", "-q argument given but no QoS specified.\n"),
    (ALL, "-q 3", "Invalid QoS given: 3"),
    (ALL, "-q -1", "Invalid QoS given: -1"),
    (RECEIVING, "-r", "Unknown option '-r'."),
    (&[PUB], "-R", "Unknown option '-R'."),
    (&[SUB], "--random-filter", "--random-filter argument given but no chance specified.\n"),
    (&[SUB], "--random-filter 0", "--random-filter chance must be between 0.1-100.0\n"),
    (&[SUB], "--random-filter 1001", "--random-filter chance must be between 0.1-100.0\n"),
    (&[PUB], "--repeat", "--repeat argument given but no count specified.\n"),
    (&[PUB], "--repeat 0", "--repeat argument must be >0.\n"),
    (&[PUB], "--repeat-delay", "--repeat-delay argument given but no time specified.\n"),
    (&[PUB], "--repeat-delay -0.5", "--repeat-delay argument must be >=0.0.\n"),
    (&[RR], "--repeat", "Unknown option '--repeat'."),
    (RECEIVING, "--retain-handling", "--retain-handling argument given but no option specified.\n"),
    (RECEIVING, "--retain-handling x", "Unknown value 'x' for --retain-handling.\n"),
    (ALL, "-t", "-t argument given but no topic specified.\n"),
    (SENDING, "-t a+", "Invalid publish topic 'a+', does it contain '+' or '#'?"),
    (&[SUB], "-t a/#/b", "Invalid subscription topic 'a/#/b', are all '+' and '#' wildcards correct?"),
    (ALL, "-t a\u{1}b", "Malformed UTF-8 in -t argument.\n"),
    (&[SUB], "-T", "-T argument given but no topic filter specified.\n"),
    (&[SUB], "-T #a", "Invalid filter topic '#a', are all '+' and '#' wildcards correct?"),
    (ALL, "--tls-alpn", "--tls-alpn argument given but no protocol specified.\n"),
    (ALL, "--tls-engine", "--tls-engine argument given but no engine_id specified.\n"),
    (ALL, "--tls-engine-kpass-sha1", "--tls-engine-kpass-sha1 argument given but no kpass sha1 specified.\n"),
    (ALL, "--tls-keylog", "--tls-keylog argument given but no file specified.\n"),
    (ALL, "--tls-version", "--tls-version argument given but no version specified.\n"),
    (&[SUB], "-U", "-U argument given but no unsubscribe topic specified.\n"),
    (&[SUB], "-U a#", "Invalid unsubscribe topic 'a#', are all '+' and '#' wildcards correct?"),
    (ALL, "-u", "-u argument given but no username specified.\n"),
    (ALL, "--unix", "--unix argument given but no socket path specified.\n"),
    (ALL, "-V", "--protocol-version argument given but no version specified.\n"),
    (ALL, "-V 4", "Invalid protocol version argument given.\n"),
    (&[PUB], "-v", "Unknown option '-v'."),
    (RECEIVING, "-W", "-W argument given but no timeout specified.\n"),
    (RECEIVING, "-W 0", "Invalid timeout \"0\".\n"),
    (&[PUB], "-W 1", "Unknown option '-W'."),
    (SENDING, "-w", "Unknown option '-w'."),
    (ALL, "--will-payload", "--will-payload argument given but no will payload specified.\n"),
    (ALL, "--will-payload x", "Will payload given, but no will topic given."),
    (ALL, "--will-retain", "Will retain given, but no will topic given."),
    (ALL, "--will-qos", "--will-qos argument given but no will QoS specified.\n"),
    (ALL, "--will-qos 3", "Invalid will QoS 3.\n"),
    (ALL, "--will-topic", "--will-topic argument given but no will topic specified.\n"),
    (ALL, "--will-topic +", "Invalid will topic '+', does it contain '+' or '#'?"),
    (ALL, "-x", "-x argument given but no session expiry interval specified.\n"),
    (ALL, "-x A", "session-expiry-interval not a number.\n"),
    (ALL, "-x -2", "session-expiry-interval out of range.\n"),
    (ALL, "-x 4294967296", "session-expiry-interval out of range.\n"),
    (ALL, "--cert x", "Both certfile and keyfile must be provided if one of them is set."),
    (ALL, "--key x", "Both certfile and keyfile must be provided if one of them is set."),
    (ALL, "--keyform pem", "If keyform is set, keyfile must be also specified."),
    (
        ALL,
        "--tls-engine-kpass-sha1 x",
        "when using tls-engine-kpass-sha1, both tls-engine and keyform must also be provided.",
    ),
    (ALL, "--psk 00", "--psk-identity required if --psk used."),
    (ALL, "--psk 00 --cafile x", "Only one of --psk or --cafile/--capath may be used at once."),
    (&[PUB, SUB], "-c", "You must provide a client id if you are using the -c option."),
    (&[PUB, SUB], "-c -I x", "You must provide a client id if you are using the -c option."),
    (ALL, "-V 5 -c", "You must provide a client id if you are using an infinite session expiry interval."),
    (
        &[PUB, SUB],
        "-x -1",
        "You must provide a client id if you are using an infinite session expiry interval.",
    ),
    (&[SUB], "", "You must specify a topic to subscribe to (-t) or unsubscribe from (-U)."),
    (&[RR], "-t a -m x", "All of topic, message, and response topic must be supplied."),
    (&[RR], "-t a -e b", "All of topic, message, and response topic must be supplied."),
    (ALL, "--unknown", "Unknown option '--unknown'."),
    (ALL, "-h=x", "Unknown option '-h=x'."),
    (ALL, "-qt a", "Unknown option '-qt'."),
    (ALL, "--", "Unknown option '--'."),
    (ALL, "x", "Unknown option 'x'."),
];

/// A client of mosquitto's with these words and an empty home directory.
fn client(name: &'static str, line: &str, home: &TempDir) -> Mqtt {
    Mqtt::new(line.split(' ').filter(|word| !word.is_empty())).called(name).env("HOME", home.path())
}

fn refused(outcome: &Outcome) -> (Option<i32>, String, String) {
    (outcome.status.code(), String::from_utf8_lossy(&outcome.stdout).into_owned(), outcome.stderr.clone())
}

#[test]
fn misuse_is_refused_in_the_words_of_mosquitto() {
    let home = tempfile::tempdir().unwrap();
    for (programs, line, text) in MISUSE {
        for name in *programs {
            let expected = format!("Error: {text}\n\nUse '{name} --help' to see usage.\n");
            let outcome = client(name, line, &home).run();
            assert_eq!(refused(&outcome), (Some(1), String::new(), expected), "{name} {line}");
        }
    }
}

/// Errors that mosquitto reports at run time have no hint, and `--quiet` silences them.
#[test]
fn errors_of_setting_up_have_no_hint() {
    let home = tempfile::tempdir().unwrap();
    for (name, line, text) in [
        (PUB, "-t a -n -i \"\"", "Error: Invalid id.\n"),
        (SUB, "-t a -i \"\"", "Error: Invalid id and/or clean_session.\n"),
        (PUB, "-t a -n -P x", "Error: Problem setting username and/or password.\n"),
        (SUB, "-t a --cafile /no/such", "Error: Problem setting TLS options: File not found.\n"),
        (SUB, "-t a --tls-version x", "Error: Problem setting TLS options, check the options are valid.\n"),
        (RR, "-t a -e b -n --psk xy --psk-identity me", "Error: Problem setting TLS-PSK options.\n"),
        (
            RR,
            "-t a -e b -n -D publish response-topic c",
            "Error in PUBLISH properties: Duplicate response topic.\n",
        ),
    ] {
        let words: Vec<&str> = line.split(' ').map(|word| if word == "\"\"" { "" } else { word }).collect();
        let run = |more: &[&str]| {
            Mqtt::new([&words[..], more].concat()).called(name).env("HOME", home.path()).run()
        };
        assert_eq!(refused(&run(&[])), (Some(1), String::new(), text.into()), "{name} {line}");
        assert_eq!(refused(&run(&["--quiet"])), (Some(1), String::new(), String::new()), "{name} {line}");
    }
    let both = client(SUB, "-t a -R --retained-only --quiet", &home).run();
    let text = "\nError: Combining '-R' and '--retained-only' makes no sense.\n";
    assert_eq!(refused(&both), (Some(1), String::new(), text.into()));
}

#[test]
fn usage_and_version_are_on_standard_output_with_status_1() {
    let home = tempfile::tempdir().unwrap();
    for name in ALL {
        let version = client(name, "--version", &home).run();
        let line = format!("{name} version 2.1.2 running on mqtt {}.\n", env!("CARGO_PKG_VERSION"));
        assert_eq!(refused(&version), (Some(1), line.clone(), String::new()));
        let usage = client(name, "-d --help --unknown", &home).run();
        assert_eq!((usage.status.code(), usage.stderr), (Some(1), String::new()));
        assert!(
            String::from_utf8_lossy(&usage.stdout).contains(&format!("\n{line}"))
                && String::from_utf8_lossy(&usage.stdout).contains(&format!("Usage: {name} "))
        );
        // The same by `mqtt compat`.
        let other = Mqtt::new(["compat", name, "--version"]).env("HOME", home.path()).run();
        assert_eq!(refused(&other), refused(&version));
    }
    for line in ["", "-t a", "-m x"] {
        let usage = client(PUB, line, &home).run();
        assert_eq!(usage.status.code(), Some(1));
        assert_eq!(usage.stderr, "Error: Both topic and message must be supplied.\n");
        assert!(String::from_utf8_lossy(&usage.stdout).contains("Usage: mosquitto_pub "));
    }
}
