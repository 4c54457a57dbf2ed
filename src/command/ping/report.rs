//! What `mqtt ping` has found out, as text and as one JSON object.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use serde::Serialize;
use serde_json::{Map, Value as Json};

use crate::client::{CertificateFacts, Connected, Step as Way, TlsFacts};
use crate::clock;
use crate::error::Error;
use crate::output::{counted, printable, put_json_line};
use crate::protocol::property::{Property, PropertyId, Value};

/// Of the form that `version` stands for.
const VERSION: u32 = 1;

/// A step that was taken.
#[derive(Debug, Serialize)]
#[serde(tag = "step", rename_all = "lowercase")]
pub(super) enum Step {
    Resolve {
        took_us: u64,
        addresses: Vec<String>,
    },
    Connect {
        took_us: u64,
        peer: String,
    },
    Proxy {
        took_us: u64,
        proxy: String,
    },
    Tls {
        took_us: u64,
        #[serde(flatten)]
        facts: Tls,
    },
    Upgrade {
        took_us: u64,
    },
    Connack {
        took_us: u64,
        #[serde(flatten)]
        answer: Answer,
    },
}

#[derive(Debug, Serialize)]
pub(super) struct Tls {
    #[serde(rename = "tls_version")]
    version: String,
    cipher_suite: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    alpn: Option<String>,
    resumed: bool,
    certificates: Vec<Certificate>,
}

#[derive(Debug, Serialize)]
struct Certificate {
    subject: String,
    issuer: String,
    names: Vec<String>,
    not_before: String,
    not_after: String,
    not_before_unix_s: i64,
    not_after_unix_s: i64,
    /// Whole days until its end, negative after it.
    days_left: i64,
    #[serde(skip)]
    ends: SystemTime,
}

#[derive(Debug, Serialize)]
pub(super) struct Answer {
    protocol: String,
    session_present: bool,
    keep_alive_s: u16,
    properties: Map<String, Json>,
    /// What the properties mean, for people.
    #[serde(skip)]
    notes: Vec<String>,
}

#[derive(Debug, Serialize)]
struct Failure {
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    exit_status: u8,
}

/// Round trips in numbers.
#[derive(Debug, Serialize)]
struct Statistics {
    count: usize,
    min_us: u64,
    avg_us: u64,
    max_us: u64,
    stddev_us: u64,
    times_us: Vec<u64>,
}

/// Everything that was found out.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) steps: Vec<Step>,
    pub(super) pings: Vec<Duration>,
    pub(super) messages: Vec<Duration>,
    /// Those of the client itself, which it shows where the server asks for them.
    client_certificates: Vec<Certificate>,
    failure: Option<Failure>,
    expiring: Vec<String>,
}

#[derive(Serialize)]
struct Record<'a> {
    r#type: &'static str,
    version: u32,
    ok: bool,
    steps: &'a [Step],
    #[serde(skip_serializing_if = "Option::is_none")]
    pings: Option<Statistics>,
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<Statistics>,
    #[serde(skip_serializing_if = "<[Certificate]>::is_empty")]
    client_certificates: &'a [Certificate],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    expiring: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a Failure>,
}

impl Report {
    /// The certificates that are no longer valid at that time, in words.
    pub(super) fn expiring(&self, at: SystemTime) -> Vec<String> {
        let tls = self.steps.iter().filter_map(|step| match step {
            Step::Tls { facts, .. } => Some(&facts.certificates),
            _ => None,
        });
        let server = tls.flatten().map(|certificate| ("", certificate));
        let own = self.client_certificates.iter().map(|certificate| ("client ", certificate));
        let ending = server.chain(own).filter(|(_, certificate)| certificate.ends <= at);
        ending.map(|(whose, certificate)| format!("{whose}{}", certificate.end())).collect()
    }

    pub(super) fn set_client_certificates(&mut self, certificates: &[CertificateFacts]) {
        self.client_certificates = certificates.iter().cloned().map(Certificate::of).collect();
    }

    pub(super) fn finish(&mut self, error: Option<&Error>, expiring: &[String]) {
        self.expiring = expiring.to_vec();
        self.failure = error.map(|error| Failure {
            message: error.to_string(),
            hint: error.hint().map(Into::into),
            exit_status: error.exit().code(),
        });
    }

    /// One line, with its line feed.
    pub(super) fn put_json(&self, out: &mut Vec<u8>) {
        let record = Record {
            r#type: "ping",
            version: VERSION,
            ok: self.failure.is_none() && self.expiring.is_empty(),
            steps: &self.steps,
            pings: Statistics::of(&self.pings),
            messages: Statistics::of(&self.messages),
            client_certificates: &self.client_certificates,
            expiring: &self.expiring,
            error: self.failure.as_ref(),
        };
        put_json_line(out, &record);
    }

    /// The statistics, as ping(8) ends with them.
    pub(super) fn put_summary(&self, out: &mut Vec<u8>) {
        for (name, times) in [("pings", &self.pings), ("messages", &self.messages)] {
            let Some(all) = Statistics::of(times).filter(|all| all.count > 1) else { continue };
            let numbers = [all.min_us, all.avg_us, all.max_us, all.stddev_us].map(millis);
            let text = format!("{} {name}, min/avg/max/stddev = {} ms\n", all.count, numbers.join("/"));
            out.extend_from_slice(text.as_bytes());
        }
    }
}

impl Statistics {
    #[allow(clippy::cast_precision_loss, reason = "microseconds of hours are exact")]
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a root is not negative")]
    fn of(times: &[Duration]) -> Option<Self> {
        let times_us: Vec<u64> = times.iter().copied().map(micros).collect();
        let (min_us, max_us) = (times_us.iter().copied().min()?, times_us.iter().copied().max()?);
        let count = times_us.len();
        let mean = times_us.iter().sum::<u64>() as f64 / count as f64;
        let squares: f64 = times_us.iter().map(|time| (*time as f64 - mean).powi(2)).sum();
        let stddev_us = (squares / count as f64).sqrt().round() as u64;
        Some(Self { count, min_us, avg_us: mean.round() as u64, max_us, stddev_us, times_us })
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

fn millis(micros: u64) -> String {
    format!("{}.{:03}", micros / 1000, micros % 1000)
}

/// `name      1.234 ms  text`
pub(super) fn line(name: &str, took: Duration, text: &str) -> String {
    let line = format!("{name:<10} {:>10} ms  {}", millis(micros(took)), printable(text));
    format!("{}\n", line.trim_end())
}

/// A further line of a step.
fn more(text: &str) -> String {
    format!("{:26}{}\n", "", printable(text))
}

impl Step {
    pub(super) fn of(step: Way) -> Self {
        match step {
            Way::Resolved { addresses, took } => Self::Resolve {
                took_us: micros(took),
                addresses: addresses.iter().map(ToString::to_string).collect(),
            },
            Way::Connected { peer, took } => Self::Connect { took_us: micros(took), peer },
            Way::Tunnelled { proxy, took } => Self::Proxy { took_us: micros(took), proxy },
            Way::Encrypted { facts, took } => Self::Tls { took_us: micros(took), facts: Tls::of(*facts) },
            Way::Upgraded { took } => Self::Upgrade { took_us: micros(took) },
        }
    }

    pub(super) fn connack(took: Duration, connected: &Connected, keep_alive: u16) -> Self {
        let mut properties = Map::new();
        let mut notes = Vec::new();
        for property in connected.properties.view().iter() {
            put(&mut properties, &property);
            notes.push(note(&property));
        }
        Self::Connack {
            took_us: micros(took),
            answer: Answer {
                protocol: connected.protocol.to_string(),
                session_present: connected.session_present,
                keep_alive_s: keep_alive,
                properties,
                notes,
            },
        }
    }

    /// Its lines for people.
    pub(super) fn text(&self) -> String {
        let show = |name, took_us: &u64, text: &str| line(name, Duration::from_micros(*took_us), text);
        match self {
            Self::Resolve { took_us, addresses } => show("resolve", took_us, &addresses.join(", ")),
            Self::Connect { took_us, peer } => show("connect", took_us, peer),
            Self::Proxy { took_us, proxy } => show("proxy", took_us, proxy),
            Self::Upgrade { took_us } => show("upgrade", took_us, "WebSocket"),
            Self::Tls { took_us, facts } => {
                let alpn = facts.alpn.as_ref().map_or_else(String::new, |alpn| format!(", ALPN {alpn}"));
                let text = format!("{}, {}{alpn}", facts.version, facts.cipher_suite);
                let mut lines = show("tls", took_us, &text);
                for certificate in &facts.certificates {
                    lines += &more(&certificate.end());
                }
                lines
            }
            Self::Connack { took_us, answer } => {
                let session = if answer.session_present { "session kept" } else { "new session" };
                let text =
                    format!("MQTT {}, {session}, keep-alive {} s", answer.protocol, answer.keep_alive_s);
                let mut lines = show("connack", took_us, &text);
                for note in &answer.notes {
                    lines += &more(note);
                }
                lines
            }
        }
    }
}

impl Tls {
    fn of(facts: TlsFacts) -> Self {
        Self {
            version: facts.version,
            cipher_suite: facts.cipher_suite,
            alpn: facts.alpn,
            resumed: facts.resumed,
            certificates: facts.certificates.into_iter().map(Certificate::of).collect(),
        }
    }
}

impl Certificate {
    fn of(facts: CertificateFacts) -> Self {
        Self {
            subject: facts.subject,
            issuer: facts.issuer,
            names: facts.names,
            not_before: clock::rfc3339_seconds(facts.not_before),
            not_after: clock::rfc3339_seconds(facts.not_after),
            not_before_unix_s: unix_seconds(facts.not_before),
            not_after_unix_s: unix_seconds(facts.not_after),
            days_left: (unix_seconds(facts.not_after) - unix_seconds(SystemTime::now())).div_euclid(86_400),
            ends: facts.not_after,
        }
    }

    /// Which it is, and how long it is still good.
    fn end(&self) -> String {
        let days = |time: Duration| match time.as_secs() / 86_400 {
            1 => "1 day".to_owned(),
            days => format!("{days} days"),
        };
        let when = match self.ends.duration_since(SystemTime::now()) {
            Ok(left) => format!("expires {}, in {}", self.not_after, days(left)),
            Err(past) => format!("expired {}, {} ago", self.not_after, days(past.duration())),
        };
        format!("certificate {} by {} {when}", self.subject, self.issuer)
    }
}

fn unix_seconds(moment: SystemTime) -> i64 {
    let seconds = |span: Duration| i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
    match moment.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => seconds(since),
        Err(before) => -seconds(before.duration()),
    }
}

/// Adds a property to the JSON object, user properties as in the record of a message.
fn put(object: &mut Map<String, Json>, property: &Property<'_>) {
    let value = match property.value {
        Value::Number(number) => number.into(),
        Value::Text(text) => text.into(),
        // Nobody but the client's code needs it, and it may be a secret.
        Value::Binary(bytes) => counted(bytes.len() as u64, "byte").into(),
        Value::Pair(name, value) => {
            let list = object.entry("user-properties").or_insert_with(|| Json::Array(Vec::new()));
            if let Json::Array(list) = list {
                list.push(serde_json::json!({ name: value }));
            }
            return;
        }
    };
    object.insert(property.id.name().into(), value);
}

/// A property with what it limits.
fn note(property: &Property<'_>) -> String {
    use PropertyId as Id;
    let mut text = match property.value {
        Value::Number(number) => format!("{} {number}", property.id.name()),
        Value::Text(text) => format!("{} {text}", property.id.name()),
        Value::Binary(bytes) => format!("{} ({})", property.id.name(), counted(bytes.len() as u64, "byte")),
        Value::Pair(name, value) => format!("{} {name}: {value}", property.id.name()),
    };
    let Value::Number(number) = property.value else { return text };
    let meaning = match (property.id, number) {
        (Id::ReceiveMaximum, n) => {
            format!("at most {} at QoS 1 and 2 unacknowledged", counted(n.into(), "message"))
        }
        (Id::MaximumQos, n) => format!("no message above QoS {n}"),
        (Id::RetainAvailable, 0) => "no retained messages".into(),
        (Id::MaximumPacketSize, n) => format!("no packet above {}", counted(n.into(), "byte")),
        (Id::TopicAliasMaximum, 0) => "no topic aliases".into(),
        (Id::TopicAliasMaximum, n) => format!("at most {n} topic aliases"),
        (Id::WildcardSubscriptionAvailable, 0) => "no wildcards in filters".into(),
        (Id::SubscriptionIdentifierAvailable, 0) => "no subscription identifiers".into(),
        (Id::SharedSubscriptionAvailable, 0) => "no shared subscriptions".into(),
        (Id::ServerKeepAlive, n) => format!("the server wants to hear something every {n} s"),
        (Id::SessionExpiryInterval, n) => format!("the session is kept for {n} s"),
        _ => return text,
    };
    let _ = write!(text, ": {meaning}");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics() {
        let times = [1000, 2000, 3000].map(Duration::from_micros);
        let all = Statistics::of(&times).unwrap();
        assert_eq!(
            (all.count, all.min_us, all.avg_us, all.max_us, all.stddev_us),
            (3, 1000, 2000, 3000, 816)
        );
        assert!(Statistics::of(&[]).is_none());
        assert_eq!(millis(1_234_567), "1234.567");
    }

    #[test]
    fn a_terminal_obeys_nothing_in_the_json() {
        let mut report = Report::default();
        report.finish(Some(&Error::usage("a\u{1b}\u{9b}31m\u{202e}b\u{7f}")), &[]);
        let mut line = Vec::new();
        report.put_json(&mut line);
        let line = String::from_utf8(line).unwrap();
        assert!(line.contains(r#""a\u001b\u009b31m\u202eb\u007f""#), "{line}");
    }

    #[test]
    fn a_property_says_what_it_limits() {
        let property = Property { id: PropertyId::MaximumQos, value: Value::Number(1) };
        assert_eq!(note(&property), "maximum-qos 1: no message above QoS 1");
        let property = Property { id: PropertyId::AssignedClientIdentifier, value: Value::Text("x") };
        assert_eq!(note(&property), "assigned-client-identifier x");
    }
}
