use std::time::{Duration, Instant};

use regex::bytes::Regex;

use super::config::FilterOptions;
use super::selection::{Conditions, MessageKind, Selector, Topics};
use crate::protocol::QoS;
use crate::protocol::property::Properties;
use crate::protocol::wire::Publish;

const ALL: Conditions = Conditions {
    kind: MessageKind::Any,
    filter_out: Vec::new(),
    chance_percent: None,
    grep: Vec::new(),
    on_change: false,
    least_interval: None,
    count_per_topic: None,
};

fn message<'a>(topic: &'a str, payload: &'a [u8]) -> Publish<'a> {
    Publish {
        topic: topic.as_bytes(),
        payload,
        qos: QoS::AtMostOnce,
        retain: false,
        dup: false,
        packet_identifier: 0,
        properties: Properties::default(),
    }
}

/// The messages that are shown, as `topic payload`, all received at once.
fn shown(selection: &Conditions, messages: &[&str]) -> Vec<String> {
    let mut selector = Selector::new(selection, &[]);
    let is_shown = |text: &&&str| {
        let (topic, payload) = text.split_once(' ').unwrap();
        selector.takes(&message(topic, payload.as_bytes()))
    };
    messages.iter().filter(is_shown).map(ToString::to_string).collect()
}

#[test]
fn payloads_are_searched_as_bytes() {
    let grep = |pattern: &str, payload: &[u8]| {
        let selection = Conditions { grep: vec![Regex::new(pattern).unwrap()], ..ALL };
        Selector::new(&selection, &[]).takes(&message("a", payload))
    };
    assert!(grep("open", b"the door is open"));
    assert!(!grep("^open", b"the door is open"));
    assert!(!grep("open", b"OPEN") && grep("(?i)open", b"OPEN"));
    assert!(grep("^$", b"") && !grep(".", b""));
    assert!(grep("(?-u)\\xff$", b"\x00\xff") && !grep("x", b"\xff"));
    assert!(grep("x", b"\xff\xfex"));
    // The topic is not searched.
    assert!(!grep("a", b"b"));
}

#[test]
fn a_change_is_one_of_its_topic() {
    let selection = Conditions { on_change: true, ..ALL };
    let all = ["a 1", "b 1", "a 1", "a 2", "b 1", "a 1", "a ", "a ", "a 1"];
    assert_eq!(shown(&selection, &all), ["a 1", "b 1", "a 2", "a 1", "a ", "a 1"]);
}

/// A message excluded by another condition was not shown: an excluded payload can still count as a change.
#[test]
fn conditions_are_combined() {
    let grep = vec![Regex::new("[0-9]").unwrap()];
    let selection = Conditions { on_change: true, grep, filter_out: vec!["x/#".into()], ..ALL };
    let all = ["a 1", "a error", "a 1", "a 2", "x/1 7", "x/1 8", "b error", "b 3"];
    assert_eq!(shown(&selection, &all), ["a 1", "a 2", "b 3"]);

    let selection = Conditions { on_change: true, least_interval: Some(Duration::from_secs(10)), ..ALL };
    let mut topics = Topics::new(10);
    let begin = Instant::now();
    let mut at = |seconds, payload: &[u8]| {
        topics.takes(&selection, &message("a", payload), begin + Duration::from_secs(seconds)).is_some()
    };
    assert!(at(0, b"1"));
    assert!(!at(5, b"2"), "too early");
    assert!(at(11, b"2"), "the change was not shown before");
    assert!(!at(30, b"2"), "no change");
    assert!(at(31, b"3"), "the last one was shown 20 seconds ago");
}

#[test]
fn rates_are_those_of_a_topic() {
    let selection = Conditions { least_interval: Some(Duration::from_millis(500)), ..ALL };
    let mut topics = Topics::new(10);
    let begin = Instant::now();
    let mut at = |millis, topic| {
        topics.takes(&selection, &message(topic, b""), begin + Duration::from_millis(millis)).is_some()
    };
    let taken: Vec<u64> = (0..=20).map(|step| step * 100).filter(|millis| at(*millis, "a")).collect();
    assert_eq!(taken, [0, 500, 1000, 1500, 2000]);
    assert!(at(2100, "b") && !at(2100, "b") && !at(2100, "a"));
    // A quiet time does not allow a burst afterwards.
    assert!(at(60_000, "a") && !at(60_001, "a") && at(60_500, "a"));
}

/// Above the maximum, the topics without a message for the longest time are dropped first.
#[test]
fn topics_beyond_the_bound() {
    let selection = Conditions { on_change: true, ..ALL };
    let mut topics = Topics::new(100);
    let now = Instant::now();
    let mut takes = |topic: &str| topics.takes(&selection, &message(topic, b"same"), now).is_some();
    assert!(takes("busy"));
    for number in 0..1000 {
        assert!(takes(&format!("t/{number}")));
        assert!(!takes("busy"), "after {number}");
    }
    assert!(!takes("t/999") && !takes("t/950"));
    assert!(takes("t/0"), "it is forgotten");
}

fn filters(filters: &[&str]) -> Vec<FilterOptions> {
    let options = |filter: &&str| FilterOptions {
        filter: (*filter).into(),
        qos: QoS::AtMostOnce,
        no_local: false,
        retain_as_published: false,
        retain_handling: 0,
        identifier: None,
    };
    filters.iter().map(options).collect()
}

/// If the filters are topic names, it is known when each has reached its number, also for shared or refused
/// subscriptions.
#[test]
fn number_of_each_topic() {
    let selection = Conditions { count_per_topic: Some(2), filter_out: vec!["b".into()], ..ALL };
    let names = filters(&["a", "$share/group/c/d", "a", "refused"]);
    let mut selector = Selector::new(&selection, &names);
    let shown = ["a 1", "a 2", "a 3", "b 1", "c/d 1", "other 1", "other 2", "other 3", "c/d 2", "c/d 3"].map(
        |text| {
            let (topic, payload) = text.split_once(' ').unwrap();
            (selector.takes(&message(topic, payload.as_bytes())), selector.is_complete())
        },
    );
    let expected = [true, true, false, false, true, true, true, false, true, false];
    assert_eq!(shown, expected.map(|is_shown| (is_shown, false)));
    selector.is_refused("refused");
    assert!(selector.is_complete());
    for open in [&["a", "b/#"][..], &["$share/g/+"], &[]] {
        let names = filters(open);
        let mut selector = Selector::new(&selection, &names);
        assert!(selector.takes(&message("a", b"")) && selector.takes(&message("a", b"")));
        assert!(!selector.takes(&message("a", b"")) && !selector.is_complete(), "{open:?}");
    }
}

/// Messages excluded by other conditions are not counted.
#[test]
fn number_of_each_topic_is_of_those_shown() {
    let selection = Conditions { count_per_topic: Some(2), on_change: true, ..ALL };
    assert_eq!(shown(&selection, &["a 1", "a 1", "a 2", "a 3", "b 1"]), ["a 1", "a 2", "b 1"]);
}

/// For a known topic, a message costs no allocation.
#[test]
fn selecting_costs_no_allocation() {
    let every = Conditions {
        filter_out: vec!["x/#".into()],
        chance_percent: Some(99.0),
        grep: vec![Regex::new("[a-z]+[0-9]").unwrap()],
        on_change: true,
        least_interval: Some(Duration::from_micros(1)),
        count_per_topic: Some(1000),
        ..ALL
    };
    for selection in [ALL, every] {
        let mut selector = Selector::new(&selection, &[]);
        let mut run = || {
            for number in 0..100_u8 {
                selector.takes(&message("a/b", &[b'a', b'0' + number % 10]));
                selector.takes(&message("x/b", b"a1"));
                selector.batch_is_over();
            }
        };
        run();
        assert_eq!(allocation_counter::measure(run).count_total, 0, "{selection:?}");
    }
}
