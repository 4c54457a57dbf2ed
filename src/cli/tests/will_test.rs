use std::time::Duration;

use super::{all_wrong, good};
use crate::command::will_test::Config;

fn config(line: &[&str]) -> Config {
    super::config(good(&[&["will-test"], line].concat()))
}

#[test]
fn defaults_and_every_option() {
    let plain = config(&[]);
    assert!(!plain.list && !plain.version_matrix && !plain.parallel && !plain.json);
    assert!(plain.cases.is_empty() && plain.watch_as.is_none() && plain.client.will.is_none());
    assert_eq!((plain.tolerance, plain.prefix.as_str()), (Duration::from_secs(2), "mqtt-will-test"));
    let cases = config(&["--case", "close", "--case", "delay", "--prefix", "a/b", "--tolerance", "500ms"]);
    assert_eq!(cases.cases, ["close", "delay"]);
    assert_eq!((cases.tolerance, cases.prefix.as_str()), (Duration::from_millis(500), "a/b"));
    let own =
        config(&["--will-topic", "t", "--will-payload", "p", "--watch-as", "w", "--watch-password", "s"]);
    assert_eq!(own.client.will.unwrap().payload, b"p");
    assert_eq!(own.watch_as.unwrap().0, "w");
}

#[test]
fn contradictory_options_are_refused() {
    all_wrong(&[
        (&["will-test", "--case", "sudden"], "'sudden'"),
        (&["will-test", "--case", "close", "--will-topic", "t"], "a case of its own"),
        (&["will-test", "--will-payload", "p"], "needs --will-topic"),
        (&["will-test", "--watch-password", "p"], "needs --watch-as"),
        (&["will-test", "--prefix", "a/#"], "wildcard"),
        (&["will-test", "--version-matrix", "-V", "5"], "both versions"),
        (&["will-test", "-x", "60"], "a will of your own"),
        (&["will-test", "-c", "-i", "me"], "-c cannot be used"),
        (&["will-test", "--tolerance", "0"], "longer than 0"),
    ]);
}
