use std::ffi::OsString;
use std::time::Duration;

use super::{all_wrong, config, from_environment, run, subscribe, usage_error, words, wrong};
use crate::client::options::{Reconnect, Version};
use crate::command::subscribe::{Config, Display, FilterOptions, MessageKind};
use crate::output::{MessageFormat, Template};
use crate::protocol::{Protocol, QoS};

fn plain(filter: &str, qos: QoS) -> FilterOptions {
    FilterOptions {
        filter: filter.into(),
        qos,
        no_local: false,
        retain_as_published: false,
        retain_handling: 0,
        identifier: None,
    }
}

#[test]
fn the_shortest_line() {
    let config = subscribe(&["-t", "home/#"]);
    assert_eq!(config.filters, [plain("home/#", QoS::AtMostOnce)]);
    assert!(config.unsubscribe.is_empty() && config.selection.filter_out.is_empty());
    assert_eq!((config.count, config.timeout), (None, None));
    assert!(!config.exit_after_subscribing && config.selection.kind == MessageKind::Any);
    assert_eq!(config.display, Display::Messages(MessageFormat::Text { verbose: false, newline: true }));
    assert_eq!(config.client.reconnect, Reconnect::ALWAYS);
    assert_eq!(config.client.version, Version::Auto);
}

#[test]
fn every_option() {
    let config = subscribe(&[
        "-t",
        "a",
        "-t",
        "b/+",
        "-q",
        "1",
        "-C",
        "10",
        "-W",
        "1m30s",
        "-E",
        "-R",
        "-T",
        "a/secret/#",
        "-T",
        "x",
        "-U",
        "old/#",
        "-v",
        "-N",
    ]);
    // -R asks for no retained messages if the MQTT version can express that; it does not require that
    // version.
    let never = |filter| FilterOptions { retain_handling: 2, ..plain(filter, QoS::AtLeastOnce) };
    assert_eq!(config.filters, [never("a"), never("b/+")]);
    assert_eq!(config.client.version, Version::Auto);
    assert_eq!((config.count, config.timeout), (Some(10), Some(Duration::from_secs(90))));
    assert!(config.exit_after_subscribing && config.selection.kind == MessageKind::Live);
    assert_eq!(config.selection.filter_out, ["a/secret/#", "x"]);
    assert_eq!(config.unsubscribe, ["old/#"]);
    assert_eq!(config.display, Display::Messages(MessageFormat::Text { verbose: true, newline: false }));
}

#[test]
fn filters_with_options_of_their_own() {
    let config = subscribe(&[
        "-t",
        "a",
        "-q",
        "1",
        "--subscribe",
        "qos=2,no-local:home/#",
        "--subscribe",
        "retain-as-published,retain-handling=new:x",
        "--subscribe",
        ":a:b,c=d",
    ]);
    assert_eq!(
        config.filters,
        [
            plain("a", QoS::AtLeastOnce),
            FilterOptions { no_local: true, ..plain("home/#", QoS::ExactlyOnce) },
            FilterOptions { retain_as_published: true, retain_handling: 1, ..plain("x", QoS::AtLeastOnce) },
            plain("a:b,c=d", QoS::AtLeastOnce),
        ]
    );
    let config = subscribe(&["-t", "a", "--no-local", "--retain-as-published", "--retain-handling", "never"]);
    let all = FilterOptions {
        no_local: true,
        retain_as_published: true,
        retain_handling: 2,
        ..plain("a", QoS::AtMostOnce)
    };
    assert_eq!(config.filters, [all]);
}

#[test]
fn bad_options_of_a_filter() {
    all_wrong(&[
        (&["sub", "--subscribe", "home/#"], "no colon"),
        (&["sub", "--subscribe", "qos=3:a"], "qos is 0, 1 or 2"),
        (&["sub", "--subscribe", "qos:a"], "unknown option 'qos'"),
        (&["sub", "--subscribe", "no-local=1:a"], "unknown option 'no-local=1'"),
        (&["sub", "--subscribe", "retain-handling=maybe:a"], "always, new or never"),
        (&["sub", "--subscribe", "qos=1:"], "topic filter is empty"),
        (&["sub", "--subscribe", "qos=1:a#"], "topic filter 'a#'"),
        (&["sub", "--no-local", "-t", "$share/g/a"], "shared subscription cannot have no-local"),
        (&["sub", "--subscribe", "no-local:$share/g/a"], "shared subscription cannot have no-local"),
    ]);
}

#[test]
fn mqtt_5_options_need_mqtt_5() {
    let v5 = Version::Only(Protocol::V5);
    assert_eq!(subscribe(&["-t", "a", "--no-local"]).client.version, v5);
    assert_eq!(subscribe(&["-t", "a", "--retain-handling", "always"]).client.version, v5);
    assert_eq!(subscribe(&["--subscribe", "retain-as-published:a"]).client.version, v5);
    assert_eq!(subscribe(&["--subscribe", "qos=1:a"]).client.version, Version::Auto);
    all_wrong(&[
        (
            &["sub", "-t", "a", "-V", "311", "--no-local"],
            "--no-local needs MQTT 5, and -V asks for MQTT 3.1.1",
        ),
        (&["sub", "-t", "a", "-V", "31", "--retain-handling", "new"], "--retain-handling needs MQTT 5"),
        (&["sub", "--subscribe", "retain-as-published:a", "-V", "mqttv311"], "--retain-as-published needs"),
    ]);
}

#[test]
fn filters() {
    all_wrong(&[
        (&["sub"], "nothing to subscribe to"),
        (&["sub", "-t", ""], "the topic filter is empty"),
        (&["sub", "-t", "a#"], "topic filter 'a#': '#' must be the last level"),
        (&["sub", "-t", "a/#/b"], "'#' must be the last level"),
        (&["sub", "-t", "a+/b"], "'+' must stand alone"),
        (&["sub", "-t", "$share/g"], "shared subscription"),
        (&["sub", "-t", "a", "-T", "b#"], "filter of -T 'b#'"),
        (&["sub", "-U", "b#"], "filter of -U 'b#'"),
        (&["sub", "-L", "mqtt://h/a#"], "topic filter 'a#'"),
    ]);
    assert!(wrong(&["sub", "-t", &"x".repeat(65_536)]).contains("longer than 65,535 bytes"));
    assert_eq!(subscribe(&["-U", "a/#"]).filters, []);
}

#[cfg(unix)]
#[test]
fn filters_must_be_utf8() {
    use std::os::unix::ffi::OsStringExt;
    for option in ["-t", "-T", "-U", "--subscribe"] {
        let mut line = words(&["sub", "-t", "a", option]);
        line.push(OsString::from_vec(b":\xff".to_vec()));
        assert!(usage_error(run(&line, &[]).map(|c| format!("{c:?}"))).contains("not UTF-8"), "{option}");
    }
}

/// Together with a typed `-t`, the URL's topic is one more filter; from `MQTT_URL` it is used only without
/// `-t`.
#[test]
fn the_urls_topic() {
    let url = "mqtt://h/a/#";
    let filters = |line: &[&str], ids: &[&str]| {
        let config: Config = config(from_environment(line, ids).unwrap());
        config.filters.into_iter().map(|filter| filter.filter).collect::<Vec<_>>()
    };
    assert_eq!(filters(&["sub", "-L", url], &[]), ["a/#"]);
    assert_eq!(filters(&["sub", "-L", url, "-t", "b"], &[]), ["b", "a/#"]);
    assert_eq!(filters(&["sub", "-L", url], &["url"]), ["a/#"]);
    assert_eq!(filters(&["sub", "-L", url, "-t", "b"], &["url"]), ["b"]);
}

#[test]
fn selection() {
    assert_eq!(subscribe(&["-t", "a", "--retained-only"]).selection.kind, MessageKind::Retained);
    assert_eq!(subscribe(&["-t", "a", "--random-filter", "12.5"]).selection.chance_percent, Some(12.5));
    assert_eq!(subscribe(&["-t", "a"]).selection.chance_percent, None);
    // One option with two names; the percent sign is optional.
    assert_eq!(subscribe(&["-t", "a", "--sample", "10%"]).selection.chance_percent, Some(10.0));
    for (rate, millis) in [("1/s", 1000), ("4", 250), ("0.5/s", 2000), ("10/min", 6000), ("2/h", 1_800_000)] {
        let interval = subscribe(&["-t", "a", "--max-rate", rate]).selection.least_interval;
        assert_eq!(interval, Some(Duration::from_millis(millis)), "{rate}");
    }
    let selection = subscribe(&["-t", "a", "--grep", "^on$", "--grep", "b", "--on-change"]).selection;
    let expressions: Vec<&str> = selection.grep.iter().map(regex::bytes::Regex::as_str).collect();
    assert!(selection.on_change && expressions == ["^on$", "b"], "{expressions:?}");
    assert_eq!(subscribe(&["-t", "a", "-W", "0.5"]).timeout, Some(Duration::from_millis(500)));
    // The messages that clear need not come back, if the MQTT version can express that.
    let config = subscribe(&["-t", "a", "-t", "$share/g/a", "--remove-retained"]);
    assert!(config.remove_retained && !subscribe(&["-t", "a"]).remove_retained);
    assert_eq!(
        config.filters,
        [
            FilterOptions { no_local: true, ..plain("a", QoS::AtMostOnce) },
            plain("$share/g/a", QoS::AtMostOnce)
        ]
    );
    assert_eq!(config.client.version, Version::Auto);
    all_wrong(&[
        (
            &["sub", "-t", "a", "-R", "--remove-retained"],
            "-R and --remove-retained cannot be used together: -R hides retained messages",
        ),
        (&["sub", "-t", "a", "--message-rate", "--remove-retained"], "with --message-rate"),
        (&["sub", "-t", "a", "--watch", "--remove-retained"], "cannot be used with --watch"),
        (
            &["sub", "-t", "a", "-R", "--retained-only"],
            "-R and --retained-only cannot be used together: -R hides retained messages",
        ),
        (&["sub", "-t", "a", "--random-filter", "0"], "0.1 to 100"),
        (&["sub", "-t", "a", "--random-filter", "-5"], "0.1 to 100"),
        (&["sub", "-t", "a", "--random-filter", "1000"], "0.1 to 100"),
        (&["sub", "-t", "a", "--sample", "10%%"], "0.1 to 100"),
        (&["sub", "-t", "a", "--grep", "a("], "'a(' for '--grep <REGEX>': unclosed group (at character 2)"),
        // Only URLs are cut at a question mark.
        (&["sub", "-t", "a", "--grep", "(?i)["], "'(?i)[' for '--grep <REGEX>': unclosed character class"),
        (&["retain-clear", "#", "--match", "x?["], "'x?[' for '--match <REGEX>': unclosed character class"),
        (&["sub", "-t", "a", "-q", "what?3"], "'what?3' for '--qos <QOS>'"),
        (&["sub", "-t", "a", "--jq", ".a", "--jq", ".b"], "--jq is given twice"),
        (&["sub", "-t", "a", "--until", "true", "--until", ".a"], "--until is given twice"),
        (&["sub", "-t", "a", "--max-rate", "fast"], "for example 1/s"),
        (&["sub", "-t", "a", "--max-rate", "1/fortnight"], "for example 1/s"),
        (&["sub", "-t", "a", "--max-rate", "0/s"], "between 1000000/s and once in 365 days"),
        (&["sub", "-t", "a", "--max-rate", "-1/s"], "between 1000000/s and once in 365 days"),
        (&["sub", "-t", "a", "--max-rate", "nan"], "between 1000000/s and once in 365 days"),
        (&["sub", "-t", "a", "-C", "0"], "-C"),
        (&["sub", "-t", "a", "-C", "-1"], "-C"),
        (&["sub", "-t", "a", "-W", "0"], "longer than 0"),
        (&["sub", "-t", "a", "-W", "soon"], "use seconds or units"),
        (&["sub", "-t", "a", "-q", "3"], "'3'"),
    ]);
}

#[test]
fn formats() {
    let display = |line: &[&str]| subscribe(&[&["-t", "a"], line].concat()).display;
    let format = |line: &[&str]| match display(line) {
        Display::Messages(format) => format,
        other => panic!("{line:?}: {other:?}"),
    };
    assert_eq!(format(&["--json"]), MessageFormat::Json { pretty: false });
    assert_eq!(format(&["--json", "--pretty"]), MessageFormat::Json { pretty: true });
    assert_eq!(format(&["--json", "-v"]), MessageFormat::Json { pretty: false });
    let template = Template::parse(b"%t -v").unwrap();
    assert_eq!(format(&["-F", "%t -v"]), MessageFormat::Template(template.clone()));
    assert_eq!(format(&["-v", "-F", "%t -v"]), MessageFormat::Template(template.clone()));
    assert_eq!(
        format(&["-N", "--pretty", "-F", "%t -v"]),
        MessageFormat::Template(template.without_newline().pretty())
    );
    assert_eq!(display(&["--message-rate", "-v"]), Display::Rate { json: false });
    assert_eq!(display(&["-w", "-v"]), Display::Watch(MessageFormat::Text { verbose: true, newline: true }));
    assert_eq!(display(&["--watch", "--json"]), Display::Watch(MessageFormat::Json { pretty: false }));
    assert_eq!(display(&["--message-rate", "--json"]), Display::Rate { json: true });
    all_wrong(&[
        (&["sub", "-t", "a", "--pretty"], "--pretty needs --json or -F"),
        (&["sub", "-t", "a", "--json", "-F", "%t"], "cannot be used together"),
        (&["sub", "-t", "a", "-F", "%"], "incomplete format specifier"),
        (&["sub", "-t", "a", "-F", "%!z"], "invalid format specifier"),
        (&["sub", "-t", "a", "--message-rate", "-F", "%p"], "--message-rate shows no messages"),
        (&["sub", "-t", "a", "--message-rate", "-N"], "--message-rate shows lines"),
        (&["sub", "-t", "a", "--message-rate", "--json", "--pretty"], "--message-rate shows lines"),
        (&["sub", "-t", "a", "-w", "-N"], "--watch shows lines"),
        (&["sub", "-t", "a", "--silence", "1", "--stats"], "--silence and --stats cannot be used together"),
        (&["sub", "-t", "a", "--silence", "0"], "longer than 0"),
        (&["sub", "-t", "a", "--silence", "1", "--retained-only"], "--retained-only cannot be used"),
        (&["sub", "--subscribe", "retain-as-published:a", "--silence", "1"], "cannot tell retained messages"),
        (&["sub", "-t", "a", "--silence", "1", "--exec", "x"], "options of View, Format and Output"),
        (&["sub", "-t", "a", "--fail"], "--fail needs --silence"),
        (&["sub", "-t", "a", "--stats", "-F", "%p"], "--stats shows no messages"),
        (&["sub", "-t", "a", "--stats-interval", "1"], "--stats-interval needs --stats"),
        (&["sub", "-t", "a", "--stats", "--stats-levels", "101"], "--stats-levels is 100 at most"),
        (&["sub", "-t", "a", "--file-per", "topic"], "--file-per needs --output-dir"),
        (&["sub", "-t", "a", "--output-dir", "d", "--output", "f"], "cannot be used together"),
        (
            &["sub", "-t", "a", "--stats", "--remove-retained"],
            "--remove-retained cannot be used with --stats",
        ),
        (&["sub", "-t", "a", "--idle", "0"], "longer than 0"),
        (&["sub", "-t", "a", "--count-per-topic", "0"], "1 to 4294967295"),
        (&["sub", "--exec-for", "a/#/b", "x"], "filter of --exec-for"),
        (&["sub", "--exec-for", "a", ""], "the command of --exec-for is empty"),
        (
            &["sub", "--exec-for", "a/+", "-W", "1"],
            "the command of --exec-for is missing: '-W' begins with a dash",
        ),
        (&["sub", "-t", "a", "--exec", "-N"], "the command of --exec is missing: '-N' begins with a dash"),
        (&["sub", "-t", "a", "-w", "--message-rate"], "cannot be used together"),
        (&["sub", "-t", "a", "--json", "-N"], "-N cannot be used with --json"),
    ]);
}

#[test]
fn operands_are_filters() {
    let filters: Vec<String> =
        subscribe(&["a/#", "b", "-v"]).filters.into_iter().map(|filter| filter.filter).collect();
    assert_eq!(filters, ["a/#", "b"]);
}

#[test]
fn commands_for_filters_subscribe_to_them() {
    let names = |line: &[&str]| -> Vec<String> {
        subscribe(line).filters.into_iter().map(|filter| filter.filter).collect()
    };
    let rules = ["--exec-for", "a/#", "one", "--exec-for", "b", "two", "--exec-for", "a/#", "three"];
    assert_eq!(names(&rules), ["a/#", "b"]);
    assert_eq!(names(&[&rules[..], &["-t", "#"]].concat()), ["#"]);
    let special_first =
        ["--exec-for", "a/b", "one", "--exec-for", "a/#", "two", "--exec-for", "+/c", "three"];
    assert_eq!(names(&special_first), ["a/#", "+/c"]);
}
