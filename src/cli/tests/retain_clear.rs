use std::path::Path;
use std::time::Duration;

use super::{all_wrong, good};
use crate::command::retain_clear::{Clear, ClearWork, Config, TimeSource};

fn config(line: &[&str]) -> Config {
    super::config(good(&[&["retain-clear"], line].concat()))
}

fn clear(line: &[&str]) -> Clear {
    match config(line).work {
        ClearWork::Clear(clear) => clear,
        other => panic!("{other:?}"),
    }
}

#[test]
fn selection() {
    let line = [
        "home/#",
        "a/+",
        "home/#",
        "-T",
        "home/keep/#",
        "--match",
        "^home",
        "--payload-match",
        "off$",
        "--larger-than",
        "1KiB",
        "--older-than",
        "30d",
        "--time-in",
        "payload:/meta/time",
    ];
    let scan = clear(&line).scan;
    assert_eq!(scan.filters, ["home/#", "a/+"]);
    assert_eq!(scan.timeout, Duration::from_secs(30));
    let selection = scan.selection;
    assert_eq!(selection.exclude, ["home/keep/#"]);
    assert_eq!(selection.larger_than, Some(1024));
    let age = Duration::from_secs(30 * 86_400);
    assert_eq!(selection.older_than, Some((age, TimeSource::Field("/meta/time".into()))));
    assert!(selection.topic_match.len() == 1 && selection.payload_match.len() == 1);
}

#[test]
fn modes_of_retain_clear() {
    let plain = clear(&["#"]);
    assert!(!plain.dry_run && !plain.yes && plain.until_clear.is_none() && plain.backup.is_none());
    assert_eq!(clear(&["#", "--until-clear"]).until_clear, Some(Duration::from_secs(60)));
    assert_eq!(clear(&["#", "--until-clear=5s", "b"]).until_clear, Some(Duration::from_secs(5)));
    assert_eq!(clear(&["#", "--backup", "f"]).backup.as_deref(), Some(Path::new("f")));
    assert!(matches!(config(&["--restore", "f"]).work, ClearWork::Restore { .. }));
    assert!(matches!(config(&["#", "--export", "f"]).work, ClearWork::Export { .. }));
    assert_eq!(config(&["#", "--rate", "100"]).rate, Some(100.0));
    assert_eq!(config(&["#", "--rate", "2k/s"]).rate, Some(2000.0));
}

#[test]
fn window_is_the_brokers_unless_given() {
    assert_eq!(config(&["#"]).client.max_inflight, 1000);
    assert_eq!(config(&["#", "-M", "20"]).client.max_inflight, 20);
}

#[test]
fn contradictory_options_are_refused() {
    all_wrong(&[
        (&["retain-clear"], "no FILTER"),
        (&["retain-clear", "a/#/b"], "'#' must be the last"),
        (&["retain-clear", "$SYS/#"], "$SYS belongs to the broker"),
        (&["retain-clear", "$share/g/a"], "shared subscription"),
        (&["retain-clear", "#", "--match", "("], "--match"),
        (&["retain-clear", "#", "--larger-than", "big"], "1KiB"),
        (&["retain-clear", "#", "--older-than", "1d"], "needs --time-in"),
        (&["retain-clear", "#", "--time-in", "payload"], "needs --older-than"),
        (&["retain-clear", "#", "--time-in", "payload:time"], "property:NAME"),
        (&["retain-clear", "#", "--restore", "f"], "FILTER cannot be used with --restore"),
        (&["retain-clear", "--restore", "f", "--yes"], "--yes cannot be used with --restore"),
        (&["retain-clear", "#", "--export", "f", "--backup", "g"], "--backup cannot be used with --export"),
        (&["retain-clear", "#", "--dry-run", "--backup", "g"], "clears nothing"),
        (&["retain-clear", "#", "-c", "-i", "me"], "keeps no session"),
        (&["retain-clear", "#", "--rate", "0"], "more than 0"),
    ]);
}
