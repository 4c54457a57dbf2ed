//! Differences on a terminal: colours, and messages for the user.

use mqtt::protocol::Protocol::V5;
use rstest::rstest;

use crate::support::Service as _;
use crate::support::broker::Broker;
use crate::support::mqtt::Mqtt;
use crate::support::packets;
use crate::support::server::Server;

/// Ctrl-C and Ctrl-D.
const INTERRUPT: &str = "\x03";
const END: &str = "\x04";

#[test]
fn sub_says_once_what_it_is_subscribed_to() {
    let broker = Broker::start();
    let mut running =
        broker.subscribe().args(["-t", "a/#", "-t", "b", "-q", "1"]).on_a_terminal_of_its_own().spawn();
    running.wait_for_stderr("mqtt: subscribed to 'a/#', 'b'\r\n");
    broker.embedded().cut_connections();
    running.wait_for_stderr("connected again");
    broker.publish().args(["-t", "b", "-m", "x", "-q", "1", "--reconnect", "3"]).run().exits(0);
    running.wait_for_lines(1);
    running.write(INTERRUPT);
    let outcome = running.wait_for_end().exits(0);
    assert_eq!(outcome.stderr.matches("subscribed to").count(), 1, "{}", outcome.stderr);
    assert!(outcome.stderr.ends_with("^C\r\n"), "{:?}", outcome.stderr);
}

#[test]
fn sub_names_a_qos_that_is_lower_and_not_every_filter() {
    let server = Server::start(|server| {
        let mut peer = server.accept_session(V5);
        let (identifier, _) = peer.expect_subscribe(V5);
        peer.send(&packets::suback(V5, identifier, &[2, 0, 0x87, 2, 2, 2, 2]));
        peer.expect_disconnect(V5);
    });
    let filters = ["a", "b", "c", "d", "e", "f", "g"].map(|filter| ["-t", filter]).concat();
    let line = ["-V", "5", "-q", "2", "-E"];
    let run = Mqtt::subscribe(server.port()).args(filters).args(line).on_a_terminal().run();
    run.exits(3).mentions("mqtt: subscribed to 'a', 'b' (QoS 0), 'd', 'e', 'f' and 1 more\r\n");
    server.finish();
}

/// Not with a timeout, nor without a terminal.
#[test]
fn rr_without_a_limit_says_once_what_it_waits_for() {
    let broker = Broker::start();
    let port = broker.port().to_string();
    let place = ["-h", "127.0.0.1", "-p", &port];
    let asking = |line: &[&str]| Mqtt::new(["rr", "svc/a", "hi"]).args(place).args(line);
    for (line, text) in [(&[][..], "a response to 'svc/a'"), (&["-e", "back"], "the response on 'back'")] {
        let mut running = asking(line).on_a_terminal_of_its_own().spawn();
        running.wait_for_stderr(&format!("mqtt: waiting for {text}, without a time limit (-W sets one)\r\n"));
        running.write(INTERRUPT);
        let outcome = running.wait_for_end();
        assert_eq!(outcome.stderr.matches("waiting for").count(), 1, "{}", outcome.stderr);
    }
    asking(&["-W", "1.5"]).on_a_terminal().run().exits(27).does_not_mention("waiting for");
    asking(&["-W", "1.5"]).run().exits(27).does_not_mention("waiting for");
}

/// In pipes, with --quiet, and under the names of mosquitto's clients.
#[test]
fn sub_is_silent_where_nobody_looks() {
    let broker = Broker::start();
    broker.subscribe().args(["-t", "a", "-E"]).run().succeeds();
    broker.subscribe().args(["-t", "a", "-E", "--quiet"]).on_a_terminal().run().exits(0).says("");
    let port = broker.port().to_string();
    let line = ["-h", "127.0.0.1", "-p", &port, "-t", "a", "-E"];
    Mqtt::new(line).called("mosquitto_sub").on_a_terminal().run().exits(0).says("");
}

#[rstest]
fn typed_input_has_a_hint_how_to_end_it(
    #[values(&["pub", "-t", "a", "-l"], &["pub", "-t", "a", "-s"])] line: &[&str],
) {
    let broker = Broker::start();
    let subscriber = broker.subscribe().args(["-t", "a", "-C", "1", "-d"]).spawn();
    subscriber.wait_until_subscribed();
    let port = broker.port().to_string();
    let place = ["-h", "127.0.0.1", "-p", &port];
    let mut running = Mqtt::new(line).args(place).on_a_terminal_of_its_own().spawn();
    running.wait_for_stderr("Ctrl-D");
    running.write("typed\n").write(END);
    running.wait_for_end().exits(0);
    assert!(subscriber.finish().exits(0).stdout.starts_with(b"typed\n"));
    // Not if the input is a pipe, nor with --quiet, nor under the names of mosquitto's clients.
    let piped = Mqtt::new(line).args(place).stdin("x\n").run();
    piped.succeeds();
    for mqtt in [Mqtt::new(line).args(["--quiet"]), Mqtt::new(&line[1..]).called("mosquitto_pub")] {
        let mut running = mqtt.args(place).on_a_terminal().spawn();
        running.write("x\n").write(END);
        running.wait_for_end().exits(0).does_not_mention("Ctrl-D");
    }
}

/// Text, a record and a template, each with its colours.
const FORMS: [(&[&str], &str); 4] = [
    (&["-v"], "\x1b[36ma/b\x1b[0m x\n"),
    (&["-F", "%t %q%r %p"], "\x1b[36ma/b\x1b[0m \x1b[33m1\x1b[0m\x1b[35m1\x1b[0m x\n"),
    // The template has its own colours.
    (&["-F", "\\e[1m%t\\e[0m"], "\x1b[1ma/b\x1b[0m\n"),
    (&[], "x\n"),
];

/// Options, variables, and whether standard output is a terminal.
type Setting<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)], bool);

fn plain(text: &str) -> String {
    ["36", "33", "35"]
        .iter()
        .fold(text.to_owned(), |text, color| text.replace(&format!("\x1b[{color}m"), ""))
        .replace("b\x1b[0m ", "b ")
        .replace("1\x1b[0m", "1")
}

#[test]
fn messages_have_colors_on_a_terminal_that_wants_them() {
    let broker = Broker::start();
    broker.publish().args(["-t", "a/b", "-m", "x", "-r", "-q", "1"]).run().succeeds();
    let run = |options: &[&str], environment: &[(&str, &str)], terminal: bool| {
        let mqtt = broker.subscribe().args(["-t", "a/b", "-q", "1", "-C", "1"]).args(options);
        let mqtt = environment.iter().fold(mqtt, |mqtt, (name, value)| mqtt.env(name, value));
        let mqtt = if terminal { mqtt.stdout_on_a_terminal(80, 24) } else { mqtt };
        String::from_utf8(mqtt.run().exits(0).stdout).unwrap().replace("\r\n", "\n")
    };
    for (options, colored) in FORMS {
        let none: [Setting; 5] = [
            (&[], &[], false),
            (&[], &[("NO_COLOR", "1")], true),
            (&[], &[("TERM", "dumb")], true),
            (&["--color", "never"], &[("CLICOLOR_FORCE", "1")], true),
            (&[], &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")], false),
        ];
        for (color, environment, terminal) in none {
            assert_eq!(
                run(&[options, color].concat(), environment, terminal),
                plain(colored),
                "{environment:?}"
            );
        }
        let some: [Setting; 4] = [
            (&[], &[], true),
            (&[], &[("CLICOLOR_FORCE", "1")], false),
            (&["--color", "always"], &[("NO_COLOR", "1")], false),
            (&[], &[("NO_COLOR", ""), ("TERM", "xterm")], true),
        ];
        for (color, environment, terminal) in some {
            assert_eq!(run(&[options, color].concat(), environment, terminal), colored, "{environment:?}");
        }
    }
    for options in [&["--json"][..], &["--json", "--pretty"]] {
        let text = run(options, &[], true);
        for part in ["\x1b[36m\"a/b\"\x1b[0m,", "\x1b[33m1\x1b[0m,", "\x1b[35mtrue\x1b[0m,"] {
            assert!(text.contains(part), "{part:?}: {text:?}");
        }
        assert_eq!(text.matches('\x1b').count(), 6, "{text:?}");
    }
    // There are no colours under the names of mosquitto's clients.
    let port = broker.port().to_string();
    let line = ["-h", "127.0.0.1", "-p", &port, "-t", "a/b", "-C", "1", "-v"];
    let old = Mqtt::new(line).called("mosquitto_sub").env("CLICOLOR_FORCE", "1").stdout_on_a_terminal(80, 24);
    old.run().exits(0).prints("a/b x\r\n");
}

/// A topic cannot end its colour.
#[test]
fn topic_cannot_end_its_color() {
    let broker = Broker::start();
    broker.publish().args(["-t", "a\",\"qos\":b", "-m", "x", "-r"]).run().exits(0);
    let subscribe = |options: &[&str]| {
        let mqtt = broker.subscribe().args(["-t", "#", "-C", "1"]).args(options).stdout_on_a_terminal(80, 24);
        String::from_utf8(mqtt.run().exits(0).stdout).unwrap()
    };
    assert_eq!(subscribe(&["-v"]), "\x1b[36ma\",\"qos\":b\x1b[0m x\r\n");
    let record = subscribe(&["--json"]);
    assert_eq!(record.matches('\x1b').count(), 6, "{record:?}");
    assert!(record.contains("\\\"qos\\\":b\"\x1b[0m,\"qos\":\x1b[33m0\x1b[0m,"), "{record:?}");
}

#[test]
fn verdicts_have_colors() {
    let broker = Broker::start();
    let port = broker.port().to_string();
    let test = |options: &[&str]| {
        let line = ["will-test", "-h", "127.0.0.1", "-p", &port, "--case", "close"];
        String::from_utf8(Mqtt::new(line).args(options).run().exits(0).stdout).unwrap()
    };
    assert!(test(&["--color", "always"]).starts_with("\x1b[32mpass\x1b[0m          "));
    assert!(test(&[]).starts_with("pass          "));
    let bench = |options: &[&str], code| {
        let line = ["bench", "conn", "--embedded", "--clients", "1", "--hold", "1ms", "--quiet"];
        let run = Mqtt::new(line).args(["--allow-saturated"]).args(options).run().exits(code);
        String::from_utf8(run.stdout).unwrap()
    };
    let report = bench(&["--fail-if", "errors > 0", "--color", "always"], 0);
    assert!(report.contains("\n\x1b[32mpassed"), "{report:?}");
    let report = bench(&["--fail-if", "connected > 0", "--color", "always"], 3);
    assert!(report.contains("\n\x1b[1;31mFAILED"), "{report:?}");
    assert!(!bench(&["--fail-if", "errors > 0"], 0).contains('\x1b'));
}

/// The user types at the shell meanwhile.
#[test]
fn progress_is_not_drawn_from_the_background() {
    let broker = Broker::start();
    let line =
        format!("'{}' bench pub -p {} --rate 50 --warmup 0", env!("CARGO_BIN_EXE_mqtt"), broker.port());
    let shell = Mqtt::new(["--norc", "--noprofile", "-i"]).instead("bash").env("TERM", "xterm");
    let mut shell = shell.on_a_terminal_of_its_own().spawn();
    shell.write(format!("{line} --duration 1.5 &\nwait; echo fir''st done\n"));
    shell.wait_for_stdout("first done");
    shell.write(format!("{line} --duration 1.5; echo sec''ond done\nexit\n"));
    let outcome = shell.wait_for_end();
    let shown = format!("{}{}", String::from_utf8_lossy(&outcome.stdout), outcome.stderr);
    let (background, foreground) = shown.split_once("first done").expect("it was waited for");
    assert!(!background.contains("mqtt bench pub against"), "{background}");
    assert!(foreground.contains("mqtt bench pub against"), "{foreground}");
}

/// With colours if they are on, and as one line if the terminal cannot do more.
#[test]
fn display_of_a_load_is_drawn_in_its_place() {
    let broker = Broker::start();
    let port = broker.port().to_string();
    let line =
        ["bench", "-h", "127.0.0.1", "-p", &port, "--rate", "100", "--warmup", "1", "--duration", "1.5"];
    let shown = |name: &str, value: &str| {
        let run = Mqtt::new(line).args(["--allow-saturated"]).env("TERM", "xterm").env(name, value);
        run.on_a_terminal().run().exits(0).stderr
    };
    let panel = shown("TERM", "xterm");
    for part in ["warm-up ", "measure ", "s left", "\ndelivery      p50 ", "\nerrors        0"] {
        assert!(panel.contains(part), "{part} in {panel:?}");
    }
    assert!(panel.contains("\x1b[1mmqtt bench e2e against 127.0.0.1:"), "{panel:?}");
    // Ten lines, and the cursor is in the last of them.
    assert!(panel.contains("\x1b[9A\r\x1b[2K"), "{panel:?}");
    let plain = shown("NO_COLOR", "1");
    assert!(plain.contains("\x1b[9A\r") && !plain.contains("\x1b[1m"), "{plain:?}");
    let dumb = shown("TERM", "dumb");
    assert!(dumb.contains(" up, out ") && !dumb.contains("\x1b[9A"), "{dumb:?}");
}

/// For a program that a signal ends, the shell does that itself.
#[test]
fn interrupt_leaves_a_clean_line() {
    let broker = Broker::start();
    let mut ping = Mqtt::new(["ping", "-h", "127.0.0.1", "-p", &broker.port().to_string(), "-C", "9999"])
        .on_a_terminal_of_its_own()
        .spawn();
    ping.wait_for_lines(4);
    ping.write(INTERRUPT);
    let outcome = ping.wait_for_end();
    assert!(outcome.stderr.starts_with("^C\r\n"), "{:?}", outcome.stderr);
    broker.publish().args(["-t", "a", "-m", "x", "-r"]).run().succeeds();
    let mut quiet = broker.subscribe().args(["-t", "a", "--quiet"]).on_a_terminal_of_its_own().spawn();
    quiet.wait_for_lines(1);
    quiet.write(INTERRUPT);
    quiet.wait_for_end().exits(0).says("^C");
}
