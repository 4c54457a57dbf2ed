//! The retained messages, one per topic name.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;

use super::bounds::{NAME_WORK, TURN_WORK};
use super::message::SharedMessage;

/// The byte after `/`: a name with this byte appended sorts after all names below it.
const AFTER_SLASH: &[u8] = b"0";
/// The byte after `$`.
const AFTER_DOLLAR: &[u8] = b"%";
/// The lowest byte, which topic names do not contain: a name with this byte appended is the next possible
/// name.
const AFTER_NAME: &[u8] = b"\0";

/// Retained messages, ordered by topic name. The search for a filter jumps to the next name that may match,
/// as in a tree of levels: it skips names below a level that does not match.
#[derive(Default)]
pub(super) struct Retained {
    messages: BTreeMap<Bytes, RetainedMessage>,
    bytes: usize,
    /// The broker's own messages, which the limits do not count, and their bytes.
    own: (usize, usize),
}

/// A retained message.
struct RetainedMessage {
    message: Arc<SharedMessage>,
    /// The broker's own, about its state.
    is_own: bool,
}

/// The result of a search step.
pub(super) enum Search<'a> {
    Found(&'a Arc<SharedMessage>),
    End,
    /// The work of this turn is used up; the search continues from its cursor.
    Paused,
}

impl Retained {
    pub(super) fn len(&self) -> usize {
        self.messages.len()
    }

    /// The memory of all messages.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Stores a message in place of the topic's earlier one. Returns `false` if the limits do not allow it;
    /// the earlier message is removed even then, because it would be outdated.
    pub(super) fn insert(
        &mut self,
        message: Arc<SharedMessage>,
        most_messages: usize,
        most_bytes: usize,
    ) -> bool {
        self.remove(message.topic());
        let (own, own_bytes) = self.own;
        if self.messages.len() - own >= most_messages || self.bytes - own_bytes + message.bytes() > most_bytes
        {
            return false;
        }
        self.bytes += message.bytes();
        self.messages.insert(message.topic().clone(), RetainedMessage { message, is_own: false });
        true
    }

    /// Stores a message of the broker itself, in place of the topic's earlier one.
    pub(super) fn insert_own(&mut self, message: Arc<SharedMessage>) {
        self.remove(message.topic());
        self.bytes += message.bytes();
        self.own = (self.own.0 + 1, self.own.1 + message.bytes());
        self.messages.insert(message.topic().clone(), RetainedMessage { message, is_own: true });
    }

    pub(super) fn remove(&mut self, topic: &[u8]) {
        if let Some(RetainedMessage { message, is_own }) = self.messages.remove(topic) {
            self.bytes -= message.bytes();
            if is_own {
                self.own = (self.own.0 - 1, self.own.1 - message.bytes());
            }
        }
    }

    /// The first message in order of names that matches `filter` and whose name is not before `cursor`; moves
    /// the cursor after it. Each name that is checked counts as `work`.
    pub(super) fn next(&self, filter: &str, cursor: &mut Vec<u8>, work: &mut usize) -> Search<'_> {
        let filter = filter.as_bytes();
        if cursor.is_empty() {
            // `a/#` matches `a` as well, so the slash before `#` is not part of the literal prefix.
            let literal = match memchr::memchr2(b'+', b'#', filter) {
                Some(wildcard) if filter[wildcard] == b'#' => wildcard.saturating_sub(1),
                Some(wildcard) => wildcard,
                None => filter.len(),
            };
            cursor.extend_from_slice(&filter[..literal]);
        }
        while *work < TURN_WORK {
            *work += NAME_WORK;
            let from = (Bound::Included(&cursor[..]), Bound::Unbounded);
            let Some((name, RetainedMessage { message, .. })) = self.messages.range::<[u8], _>(from).next()
            else {
                return Search::End;
            };
            let (kept, then, found) = match compare(filter, name) {
                FilterFit::Matches => (name.len(), [AFTER_NAME, b""], true),
                FilterFit::Seek(kept, then) => (kept, then, false),
                FilterFit::NoMore => return Search::End,
            };
            cursor.clear();
            cursor.extend_from_slice(&name[..kept]);
            for bytes in then {
                cursor.extend_from_slice(bytes);
            }
            if found {
                return Search::Found(message);
            }
        }
        Search::Paused
    }
}

/// How a name compares with a filter.
#[derive(Debug, PartialEq, Eq)]
enum FilterFit<'a> {
    Matches,
    /// The next name that may match is not before this number of bytes of the name, followed by these bytes.
    Seek(usize, [&'a [u8]; 2]),
    /// No later name matches.
    NoMore,
}

fn compare<'a>(filter: &'a [u8], name: &[u8]) -> FilterFit<'a> {
    if name.first() == Some(&b'$') && matches!(filter.first(), Some(b'+' | b'#')) {
        return FilterFit::Seek(0, [AFTER_DOLLAR, b""]); // [MQTT-4.7.2-1]
    }
    let mut rest = filter;
    let mut start = 0;
    // The end of the last level that was matched by `+`: names with another level there may match.
    let mut other = None;
    let go_on = |other: Option<usize>| {
        other.map_or(FilterFit::NoMore, |end| FilterFit::Seek(end, [AFTER_SLASH, b""]))
    };
    loop {
        let (level, below) = match memchr::memchr(b'/', rest) {
            Some(slash) => (&rest[..slash], Some(&rest[slash + 1..])),
            None => (rest, None),
        };
        let tail = &name[start..];
        let end = memchr::memchr(b'/', tail).map_or(name.len(), |slash| start + slash);
        match level {
            b"#" => return FilterFit::Matches,
            b"+" => other = Some(end),
            _ if *level == name[start..end] => {}
            _ if level.cmp(tail) == Ordering::Greater => return FilterFit::Seek(start, [level, b""]),
            // Names such as `level!` sort between a level and the names below it.
            _ if below.is_some() && tail.starts_with(level) && tail[level.len()] < b'/' => {
                return FilterFit::Seek(start, [level, b"/"]);
            }
            _ => return go_on(other),
        }
        match (below, end == name.len()) {
            (None | Some(b"#"), true) => return FilterFit::Matches,
            (None, false) => return go_on(other),
            (Some(_), true) => return FilterFit::Seek(name.len(), [AFTER_NAME, b""]),
            (Some(below), false) => {
                rest = below;
                start = end + 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::broker::core::message::View;
    use crate::protocol::property::Properties;
    use crate::protocol::{QoS, topic};

    fn store(names: &[String]) -> Retained {
        let mut retained = Retained::default();
        for name in names {
            let view = View {
                topic: name.as_bytes(),
                payload: b"x",
                properties: Properties::NONE,
                expires: None,
                qos: QoS::AtMostOnce,
                retain: true,
                publisher: None,
                shared: None,
                large: None,
            };
            assert!(retained.insert(view.store(), usize::MAX, usize::MAX));
        }
        retained
    }

    /// All matching names, and the number of names checked.
    fn all(retained: &Retained, filter: &str) -> (Vec<String>, usize) {
        let (mut found, mut cursor, mut steps) = (Vec::new(), Vec::new(), 0);
        loop {
            let mut work = 0;
            match retained.next(filter, &mut cursor, &mut work) {
                Search::Found(message) => {
                    found.push(String::from_utf8(message.topic().to_vec()).unwrap());
                }
                Search::End => return (found, steps + work / NAME_WORK),
                Search::Paused => {}
            }
            steps += work / NAME_WORK;
        }
    }

    /// Names below a level that does not match are skipped, regardless of their number.
    #[test]
    fn names_that_cannot_match_are_skipped() {
        let names: Vec<String> =
            (0..50).flat_map(|room| (0..400).map(move |sensor| format!("house/{room}/s/{sensor}"))).collect();
        let retained = store(&names);
        for filter in ["+/x", "+/+", "+/+/x", "+/+/s", "house/+/t/#", "+/7/t", "garden/#"] {
            let (found, steps) = all(&retained, filter);
            assert_eq!((found.len(), steps < 200), (0, true), "{filter}: {steps}");
        }
        let (found, steps) = all(&retained, "+/+/s/17");
        assert_eq!((found.len(), steps < 300), (50, true), "{steps}");
    }

    #[test]
    fn search_pauses_after_the_work_of_a_turn() {
        let names: Vec<String> =
            (0..=3 * TURN_WORK / NAME_WORK).map(|number| format!("{number}/y")).collect();
        let (retained, mut cursor, mut pauses) = (store(&names), Vec::new(), 0);
        while matches!(retained.next("+/x", &mut cursor, &mut 0), Search::Paused) {
            pauses += 1;
        }
        assert!(pauses >= 3, "{pauses}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]
        /// The search returns the same names as matching each name, in order.
        #[test]
        fn agrees_with_matching_one_by_one(
            filter in "(\\+|[ab!0$]{0,2})(/(\\+|[ab!0]{0,2})){0,3}(/#)?|#",
            names in proptest::collection::btree_set("[ab!0$]{0,2}(/[ab!0]{0,2}){0,3}", 1..40),
        ) {
            let names: Vec<String> = names.into_iter().filter(|name| !name.is_empty()).collect();
            prop_assume!(!filter.is_empty());
            let expected: Vec<String> = names.iter()
                .filter(|name| topic::matches(filter.as_bytes(), name.as_bytes())).cloned().collect();
            prop_assert_eq!(all(&store(&names), &filter).0, expected);
        }
    }
}
