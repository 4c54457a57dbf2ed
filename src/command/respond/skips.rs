//! Requests that get no response.

use crate::output::Diagnostics;
use crate::protocol::property::PropertyId;
use crate::protocol::wire::Publish;
use crate::quantity::counted;
use crate::quotation::cut;

/// Why a request gets no response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Skip {
    /// It names no response topic, and there is no `-e`.
    NoTopic,
    /// `--allow-response-topic` excludes its response topic, or the topic is one of the broker's.
    NotAllowed,
    /// The response would be a request to this responder.
    Loop,
    /// It is on the topic of `-e`: a response, of this responder or another one.
    OnResponseTopic,
    /// No filter matches its topic: the session has a subscription of an earlier run, and the message may be
    /// a response.
    NotRequested,
    /// Its response topic is not a valid topic name.
    Invalid,
    /// It is retained: it may be old, and comes again with each subscription.
    Retained,
    /// QoS 0 requests arrived faster than responses were sent.
    TooMany,
    /// Its payload does not have the format of `--decode`.
    Undecodable,
    /// The program has no result for it.
    NoResult,
    /// The program failed on it.
    Failed,
    /// The response of `--template` would be too large.
    Unfilled,
    /// The command failed on it.
    Command,
}

/// Each reason with its text in the summary, after `request`.
const SKIPPED: [(Skip, &str); 13] = [
    (Skip::NoTopic, "without a response topic"),
    (Skip::NotAllowed, "with a response topic that is not allowed"),
    (Skip::Loop, "with a response topic that is subscribed to"),
    (Skip::OnResponseTopic, "on the response topic of -e"),
    (Skip::NotRequested, "on a topic that no filter matches"),
    (Skip::Invalid, "with an invalid response topic"),
    (Skip::Retained, "retained"),
    (Skip::TooMany, "beyond the limit of waiting requests"),
    (Skip::Undecodable, "that cannot be decoded"),
    (Skip::NoResult, "for which --jq has no result"),
    (Skip::Failed, "on which --jq failed"),
    (Skip::Unfilled, "whose response would be larger than any packet"),
    (Skip::Command, "on which --exec failed"),
];

/// Why a message arrives that this run has not subscribed to.
const KEPT_FILTER: &str =
    ": the session has a subscription of an earlier run (mqtt sub -c -i ID -U FILTER -E removes it)";

/// The number of requests by reason.
#[derive(Debug, Default)]
pub(super) struct Skips([u64; SKIPPED.len()]);

impl Skips {
    /// Counts one; returns the new number.
    pub(super) fn add(&mut self, why: Skip) -> u64 {
        let place = SKIPPED.iter().position(|(skip, _)| *skip == why);
        let Some(count) = place.and_then(|place| self.0.get_mut(place)) else { return 0 };
        *count += 1;
        *count
    }

    /// Counts one, and reports it, with its number in the run, if it is the first for this reason.
    pub(super) fn tell(
        &mut self,
        why: Skip,
        reason: &str,
        (number, publish): (u64, &Publish<'_>),
        diagnostics: &Diagnostics,
    ) {
        if self.add(why) > 1 {
            return;
        }
        let reason =
            if matches!(why, Skip::OnResponseTopic | Skip::NotRequested) { KEPT_FILTER } else { reason };
        let words =
            SKIPPED.iter().find(|(skip, _)| *skip == why).map(|(_, words)| *words).unwrap_or_default();
        let topic = String::from_utf8_lossy(publish.topic);
        let named = publish.properties.text(PropertyId::ResponseTopic);
        let named = named.map(|named| format!(" ('{}')", cut(named))).unwrap_or_default();
        diagnostics.warning(format_args!(
            "no response to request {number} on '{}', {words}{named}{reason} (shown only once)",
            cut(&topic)
        ));
    }

    /// Whether requests failed that should have had a response.
    pub(super) fn have_failures(&self) -> bool {
        let fails = |skip| matches!(skip, Skip::Failed | Skip::Unfilled | Skip::Command | Skip::Undecodable);
        self.0.iter().zip(SKIPPED).any(|(count, (skip, _))| *count > 0 && fails(skip))
    }

    /// Reports the numbers.
    pub(super) fn report(&self, diagnostics: &Diagnostics) {
        let counts = self.0.iter().zip(SKIPPED).filter(|(count, _)| **count > 0);
        let parts: Vec<String> =
            counts.map(|(count, (_, words))| format!("{} {words}", counted(*count, "request"))).collect();
        if !parts.is_empty() {
            diagnostics.warning(format_args!("no response to {}", parts.join(", ")));
        }
    }
}
