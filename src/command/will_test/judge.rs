//! Computes the verdict from what the watcher received. Arithmetic on instants and messages: no network, no
//! clock.

use std::time::Duration;

use tokio::time::Instant;

use super::case::Expected;
use crate::client::options::Will;
use crate::client::raw::ReceivedMessage;
use crate::output::Tone;
use crate::protocol::QoS;
use crate::protocol::property::{Properties, PropertyBlock, PropertyId, Value};
use crate::quantity::{counted, duration};

/// The verdict on a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Pass,
    Fail,
    /// The broker lacks a feature that the case needs, and reports that.
    Skipped,
    /// The watcher lost its connection, or the case could not be set up.
    Inconclusive,
}

impl Verdict {
    pub(super) fn tone(self) -> Tone {
        match self {
            Self::Pass => Tone::Good,
            Self::Fail => Tone::Bad,
            Self::Skipped | Self::Inconclusive => Tone::Doubtful,
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Skipped => "skipped",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// The time in which a will may arrive, counted from the end of the connection. Brokers count whole seconds,
/// so a delayed will may arrive up to a second early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct WillWindow {
    pub(super) from: Duration,
    pub(super) to: Duration,
}

/// The error of counting in whole seconds.
const WHOLE_SECONDS: Duration = Duration::from_secs(1);

/// The interval in which a broker checks for silent clients: mosquitto every 5 seconds, counted in whole
/// seconds.
const ROUND: Duration = Duration::from_secs(6);

impl WillWindow {
    /// The window of an expectation; `None` for never.
    pub(super) fn of(expected: Expected, tolerance: Duration) -> Option<Self> {
        match expected {
            Expected::After(due) => {
                Some(Self { from: due.saturating_sub(WHOLE_SECONDS), to: due + tolerance })
            }
            Expected::Noticed(due) => {
                Some(Self { from: due.saturating_sub(WHOLE_SECONDS), to: due + tolerance + ROUND })
            }
            Expected::Never(_) => None,
        }
    }
}

/// The messages on the will's topic. Only the first is compared with the will, so only that one is kept: a
/// broker may send any number.
#[derive(Debug, Default)]
pub(super) struct WillArrivals {
    /// The first message, with its time.
    first: Option<(Instant, ReceivedMessage)>,
    count: u64,
}

impl WillArrivals {
    pub(super) fn add(&mut self, at: Instant, message: ReceivedMessage) {
        self.first.get_or_insert((at, message));
        self.count += 1;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.count == 0
    }
}

/// The expectation of a case.
pub(super) struct Expectation<'a> {
    pub(super) will: &'a Will,
    pub(super) window: Option<WillWindow>,
    /// The QoS granted to the watcher's subscription.
    pub(super) granted: QoS,
    pub(super) death: Instant,
    /// The number of messages before the end of the connection.
    pub(super) early: usize,
    /// How long this program was stopped between the end of the connection and the first arrival.
    pub(super) stopped_time: Duration,
}

impl Expectation<'_> {
    /// The verdict, the fault unless the case passed, and the delay of the first arrival.
    pub(super) fn judge(&self, arrivals: &WillArrivals) -> (Verdict, String, Option<Duration>) {
        let delay = arrivals.first.as_ref().map(|(at, _)| at.saturating_duration_since(self.death));
        if let Some(detail) = self.own_fault(delay) {
            return (Verdict::Inconclusive, detail, delay);
        }
        let (verdict, detail) = match self.fault(arrivals, delay) {
            Some(fault) => (Verdict::Fail, fault),
            None => (Verdict::Pass, String::new()),
        };
        (verdict, detail, delay)
    }

    /// The text for a will that was late only because this program was stopped.
    fn own_fault(&self, delay: Option<Duration>) -> Option<String> {
        let (delay, WillWindow { to, .. }) = (delay?, self.window?);
        let stopped_time = self.stopped_time;
        (delay > to && delay.saturating_sub(stopped_time) <= to).then(|| {
            let (delay, stopped_time) = (duration(delay), duration(stopped_time));
            format!("it came after {delay}, but this program was stopped for {stopped_time} of that time: is the machine busy?")
        })
    }

    fn fault(&self, arrivals: &WillArrivals, delay: Option<Duration>) -> Option<String> {
        if self.early > 0 {
            return Some("the will came while the client was still there".into());
        }
        let (Some((_, message)), Some(delay)) = (&arrivals.first, delay) else {
            return self.window.map(|window| format!("no will came within {}", duration(window.to)));
        };
        let Some(window) = self.window else {
            return Some(format!("the will came after {}", duration(delay)));
        };
        if delay < window.from {
            return Some(format!("it came too early, after {}", duration(delay)));
        }
        if delay > window.to {
            return Some(format!("it came too late, after {}", duration(delay)));
        }
        if arrivals.count > 1 {
            return Some(format!("it came {} times", arrivals.count));
        }
        differs(self.will, message, self.granted, delay)
    }
}

/// The difference between the received message and the will, if there is one.
fn differs(will: &Will, message: &ReceivedMessage, granted: QoS, delay: Duration) -> Option<String> {
    if message.payload != will.payload {
        let (got, sent) = (counted(message.payload.len() as u64, "byte"), will.payload.len());
        return Some(format!("the payload is not that of the will ({got} instead of {sent})"));
    }
    let qos = will.qos.min(granted);
    if message.qos != qos {
        return Some(format!("it came with QoS {}, not {qos}", message.qos));
    }
    if message.retain {
        // [MQTT-3.3.1-9] in 3.1.1, [MQTT-3.3.1-12] in 5
        return Some("it came with the RETAIN flag, although the watcher had subscribed before".into());
    }
    properties_differ(&will.properties, &message.properties, delay)
}

fn properties_differ(sent: &PropertyBlock, got: &PropertyBlock, delay: Duration) -> Option<String> {
    let (sent, got) = (sent.view(), got.view());
    for property in sent.iter() {
        let id = property.id;
        let name = id.name();
        let same = || got.iter().find(|other| other.id == id).map(|other| other.value);
        match (id, property.value, same()) {
            // A property of the will, not of the message ([MQTT-3.1.3.2.2]); the user properties are compared
            // below.
            (PropertyId::WillDelayInterval | PropertyId::UserProperty, ..) => {}
            (_, _, None) => return Some(format!("property {name} was dropped")),
            (PropertyId::MessageExpiryInterval, Value::Number(sent), Some(Value::Number(got))) => {
                // The remaining interval, in whole seconds, rounded in a way that the standard does not
                // define.
                let waited = u32::try_from(delay.as_secs()).unwrap_or(u32::MAX).saturating_add(2);
                if got > sent || got < sent.saturating_sub(waited) {
                    return Some(format!("property {name} is {got} instead of {sent}"));
                }
            }
            (_, value, Some(other)) if value != other => return Some(format!("property {name} was changed")),
            _ => {}
        }
    }
    let (sent, got) = (pairs(&sent), pairs(&got));
    if sent == got {
        return None;
    }
    let (mut one, mut other) = (sent.clone(), got.clone());
    one.sort_unstable();
    other.sort_unstable();
    Some(if one == other {
        "user properties came in another order".into()
    } else if got.is_empty() {
        "user properties were dropped".into()
    } else {
        "user properties were changed".into()
    })
}

fn pairs<'a>(properties: &Properties<'a>) -> Vec<(&'a str, &'a str)> {
    let pair = |value| match value {
        Value::Pair(key, value) => Some((key, value)),
        _ => None,
    };
    properties.iter().filter_map(|property| pair(property.value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn will() -> Will {
        let mut properties = PropertyBlock::default();
        properties.push(PropertyId::WillDelayInterval, Value::Number(3));
        properties.push(PropertyId::MessageExpiryInterval, Value::Number(60));
        properties.push(PropertyId::UserProperty, Value::Pair("a", "1"));
        properties.push(PropertyId::UserProperty, Value::Pair("b", "2"));
        Will { topic: "t".into(), payload: b"gone".into(), qos: QoS::AtLeastOnce, retain: false, properties }
    }

    fn message(will: &Will) -> ReceivedMessage {
        let mut properties = PropertyBlock::default();
        for property in will.properties.view().iter().filter(|p| p.id != PropertyId::WillDelayInterval) {
            properties.push(property.id, property.value);
        }
        ReceivedMessage {
            topic: b"t".into(),
            payload: will.payload.clone(),
            qos: will.qos,
            retain: false,
            properties,
        }
    }

    fn judged(expected: Expected, early: usize, arrivals: &[(u64, ReceivedMessage)]) -> (Verdict, String) {
        let (will, death) = (will(), Instant::now());
        let expectation = Expectation {
            will: &will,
            window: WillWindow::of(expected, Duration::from_secs(2)),
            granted: QoS::ExactlyOnce,
            death,
            early,
            stopped_time: Duration::from_millis(500),
        };
        let mut all = WillArrivals::default();
        for (millis, message) in arrivals {
            all.add(death + Duration::from_millis(*millis), message.clone());
        }
        let (verdict, detail, _) = expectation.judge(&all);
        (verdict, detail)
    }

    #[test]
    fn each_misbehaviour_has_its_text() {
        let good = message(&will());
        let due = Expected::After(Duration::from_secs(3));
        let never = Expected::Never(Duration::from_secs(1));
        let pass = (Verdict::Pass, String::new());
        assert_eq!(judged(due, 0, &[(3000, good.clone())]), pass);
        assert_eq!(judged(due, 0, &[(2001, good.clone())]), pass);
        assert_eq!(judged(never, 0, &[]), pass);
        // The program itself was stopped for half a second.
        let (verdict, detail) = judged(due, 0, &[(5400, good.clone())]);
        assert!(verdict == Verdict::Inconclusive && detail.contains("was stopped for 500ms"), "{detail}");
        for (expected, early, arrivals, words) in [
            (due, 0, vec![], "no will came within 5s"),
            (due, 0, vec![(1900, good.clone())], "too early"),
            (due, 0, vec![(5600, good.clone())], "too late"),
            (due, 0, vec![(3000, good.clone()), (3001, good.clone())], "2 times"),
            (due, 1, vec![(3000, good.clone())], "still there"),
            (never, 0, vec![(5, good.clone())], "came after 5ms"),
            (due, 0, vec![(3000, ReceivedMessage { payload: b"x".into(), ..good.clone() })], "payload"),
            (due, 0, vec![(3000, ReceivedMessage { qos: QoS::AtMostOnce, ..good.clone() })], "QoS 0, not 1"),
            (due, 0, vec![(3000, ReceivedMessage { retain: true, ..good.clone() })], "RETAIN"),
            (
                due,
                0,
                vec![(3000, ReceivedMessage { properties: PropertyBlock::default(), ..good.clone() })],
                "message-expiry-interval was dropped",
            ),
        ] {
            let (verdict, detail) = judged(expected, early, &arrivals);
            assert!(verdict == Verdict::Fail && detail.contains(words), "{detail} not {words}");
        }
    }

    #[test]
    fn user_properties_keep_their_order() {
        let block = |expiry, pairs: &[(&str, &str)]| {
            let mut block = PropertyBlock::default();
            block.push(PropertyId::MessageExpiryInterval, Value::Number(expiry));
            for (key, value) in pairs {
                block.push(PropertyId::UserProperty, Value::Pair(key, value));
            }
            block
        };
        let sent = block(60, &[("a", "1"), ("b", "2")]);
        let differ = |got| properties_differ(&sent, &got, Duration::from_secs(3)).unwrap_or_default();
        assert_eq!(differ(block(55, &[("a", "1"), ("b", "2")])), "");
        assert!(differ(block(54, &[("a", "1"), ("b", "2")])).contains("is 54 instead of 60"));
        assert!(differ(block(61, &[("a", "1"), ("b", "2")])).contains("is 61 instead of 60"));
        assert!(differ(block(57, &[("b", "2"), ("a", "1")])).contains("another order"));
        assert!(differ(block(57, &[])).contains("dropped"));
        assert!(differ(block(57, &[("a", "1")])).contains("changed"));
    }
}
