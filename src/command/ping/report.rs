//! The report of `mqtt ping`, as text and as one JSON object.

use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::properties::{note, seconds, serialize_properties};
use crate::client::{CertificateFacts, Connected, Step as Way, TlsFacts};
use crate::clock;
use crate::error::Error;
use crate::notation::printable;
use crate::output::{put_json_line, wrapped};
use crate::protocol::Protocol;
use crate::protocol::property::PropertyBlock;
use crate::quantity::counted;
use crate::quotation::MOST_PROPERTIES;

/// The version of the report's format.
const VERSION: u32 = 1;

/// A completed step.
#[derive(Debug, Serialize)]
#[serde(tag = "step", rename_all = "lowercase")]
pub(super) enum TakenStep {
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
        facts: TlsReport,
    },
    /// The broker's certificates were refused.
    Refused {
        took_us: u64,
        certificates: Vec<Certificate>,
    },
    Upgrade {
        took_us: u64,
    },
    Connack {
        took_us: u64,
        #[serde(flatten)]
        answer: ConnackReport,
    },
}

#[derive(Debug, Serialize)]
pub(super) struct TlsReport {
    #[serde(rename = "tls_version")]
    version: String,
    cipher_suite: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    alpn: Option<String>,
    resumed: bool,
    certificates: Vec<Certificate>,
}

#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Certificate {
    subject: String,
    issuer: String,
    names: Vec<String>,
    not_before: String,
    not_after: String,
    not_before_unix_s: i64,
    not_after_unix_s: i64,
    /// Whole days until its expiry, negative after it.
    days_left: i64,
    #[serde(skip)]
    ends: SystemTime,
}

#[derive(Debug, Serialize)]
pub(super) struct ConnackReport {
    protocol: String,
    session_present: bool,
    keep_alive_s: u16,
    #[serde(serialize_with = "serialize_properties")]
    properties: PropertyBlock,
}

#[derive(Debug, Serialize)]
struct FailureReport {
    message: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<String>,
    exit_status: u8,
}

/// An attempt before the last one.
#[derive(Debug, Serialize)]
pub(super) struct EarlierAttempt {
    /// The version of its CONNECT, if that was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    protocol: Option<String>,
    /// The time from CONNECT to its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    took_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// The number of consecutive attempts that ended in this way.
    times: u64,
    steps: Vec<TakenStep>,
}

/// The end of an attempt.
#[derive(Debug, Default)]
pub(super) struct AttemptEnd {
    /// The version of its CONNECT, and how long the attempt took.
    pub(super) asked: Option<(Protocol, Duration)>,
    pub(super) error: Option<String>,
}

impl EarlierAttempt {
    fn is_like(&self, other: &Self) -> bool {
        let steps = || self.steps.iter().zip(&other.steps).all(|(one, other)| one.is_like(other));
        self.protocol == other.protocol
            && (other.error.is_none() || self.error == other.error)
            && self.steps.len() == other.steps.len()
            && steps()
    }
}

/// Statistics of round trips.
#[derive(Debug, Serialize)]
struct RoundTrips {
    count: usize,
    min_us: u64,
    avg_us: u64,
    max_us: u64,
    stddev_us: u64,
    times_us: Vec<u64>,
}

/// The report as far as it is complete.
#[derive(Debug, Default)]
pub(super) struct PingReport {
    pub(super) steps: Vec<TakenStep>,
    earlier: Vec<EarlierAttempt>,
    pub(super) pings: Vec<Duration>,
    pub(super) messages: Vec<Duration>,
    /// The client's own certificates, which it presents on request.
    client_certificates: Vec<Certificate>,
    failure: Option<FailureReport>,
    expiring: Vec<String>,
}

#[derive(Serialize)]
struct PingRecord<'a> {
    r#type: &'static str,
    version: u32,
    ok: bool,
    #[serde(skip_serializing_if = "<[EarlierAttempt]>::is_empty")]
    earlier_attempts: &'a [EarlierAttempt],
    steps: &'a [TakenStep],
    #[serde(skip_serializing_if = "Option::is_none")]
    pings: Option<RoundTrips>,
    #[serde(skip_serializing_if = "Option::is_none")]
    messages: Option<RoundTrips>,
    #[serde(skip_serializing_if = "<[Certificate]>::is_empty")]
    client_certificates: &'a [Certificate],
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    expiring: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a FailureReport>,
}

impl PingReport {
    /// Ends an attempt: the steps since the last one belong to it.
    pub(super) fn end_attempt(&mut self, AttemptEnd { asked, error }: AttemptEnd) {
        let attempt = EarlierAttempt {
            protocol: asked.map(|(protocol, _)| protocol.to_string()),
            took_us: asked.map(|(_, took)| micros(took)),
            error,
            times: 1,
            steps: std::mem::take(&mut self.steps),
        };
        match self.earlier.last_mut() {
            Some(last) if last.is_like(&attempt) => last.times += 1,
            _ => self.earlier.push(attempt),
        }
    }

    /// The earlier attempt has succeeded while this one was in progress.
    pub(super) fn return_to_earlier(&mut self, other: AttemptEnd) {
        if let Some(earlier) = self.earlier.pop() {
            self.end_attempt(other);
            self.steps = earlier.steps;
        }
    }

    /// Whether the same step was completed in an earlier attempt.
    pub(super) fn was_taken(&self, step: &TakenStep) -> bool {
        self.earlier.iter().flat_map(|attempt| &attempt.steps).any(|earlier| earlier.is_like(step))
    }

    /// The certificates that will have expired at this time, as text.
    pub(super) fn expiring(&self, at: SystemTime) -> Vec<String> {
        let tls = self.steps.iter().filter_map(|step| match step {
            TakenStep::Tls { facts, .. } => Some(&facts.certificates),
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
        self.failure = error.map(|error| FailureReport {
            message: error.to_string(),
            hint: error.advice(|_| None),
            exit_status: error.exit().code(),
        });
    }

    /// Appends one line with a line feed.
    pub(super) fn put_json(&self, out: &mut Vec<u8>) {
        let record = PingRecord {
            r#type: "ping",
            version: VERSION,
            ok: self.failure.is_none() && self.expiring.is_empty(),
            earlier_attempts: &self.earlier,
            steps: &self.steps,
            pings: RoundTrips::of(&self.pings),
            messages: RoundTrips::of(&self.messages),
            client_certificates: &self.client_certificates,
            expiring: &self.expiring,
            error: self.failure.as_ref(),
        };
        put_json_line(out, &record);
    }

    /// Appends the statistics in the form of ping(8).
    pub(super) fn put_summary(&self, out: &mut Vec<u8>, layout: Layout) {
        for (name, times) in [("pings", &self.pings), ("messages", &self.messages)] {
            let Some(all) = RoundTrips::of(times).filter(|all| all.count > 1) else { continue };
            let numbers = [all.min_us, all.avg_us, all.max_us, all.stddev_us].map(millis);
            let text = format!("{} {name}, min/avg/max/stddev = {} ms", all.count, numbers.join("/"));
            out.extend_from_slice(layout.summary(&text).as_bytes());
        }
    }
}

impl RoundTrips {
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

/// The layout of the text report.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    /// The columns of the terminal, if it is one.
    pub(super) width: Option<usize>,
}

/// The column where the text of a step begins.
const INDENT: usize = 26;
/// The same where fewer columns would be left than these; the text begins on a line of its own.
const NARROW_INDENT: usize = 2;
const LEAST_COLUMNS: usize = 20;

impl Layout {
    /// For example `name      1.234 ms  text`.
    pub(super) fn line(self, name: &str, took: Duration, text: &str) -> String {
        let head = format!("{name:<10} {:>10} ms", millis(micros(took)));
        if self.is_narrow() {
            let rest = if text.is_empty() { String::new() } else { self.more(text) };
            return format!("{head}\n{rest}");
        }
        let mut parts = self.parts(text).into_iter();
        let first = parts.next().unwrap_or_default();
        let rest: String = parts.map(|part| self.further(&part)).collect();
        format!("{}\n{rest}", format!("{head}  {first}").trim_end())
    }

    /// A line of the summary.
    fn summary(self, text: &str) -> String {
        let parts = match self.width {
            Some(width) if text.len() > width => wrapped(text, width.saturating_sub(NARROW_INDENT)),
            _ => vec![text.to_owned()],
        };
        parts.join(&format!("\n{:NARROW_INDENT$}", "")) + "\n"
    }

    /// Whether the terminal has no room for text beside the times.
    fn is_narrow(self) -> bool {
        self.width.is_some_and(|width| width < INDENT + LEAST_COLUMNS)
    }

    fn indent(self) -> usize {
        if self.is_narrow() { NARROW_INDENT } else { INDENT }
    }

    /// A further line of a step.
    fn more(self, text: &str) -> String {
        self.parts(text).iter().map(|part| self.further(part)).collect()
    }

    fn parts(self, text: &str) -> Vec<String> {
        let text = printable(text);
        match self.width.map(|width| width.saturating_sub(self.indent())) {
            Some(columns @ 1..) => wrapped(&text, columns),
            _ => vec![text],
        }
    }

    fn further(self, text: &str) -> String {
        let indent = self.indent();
        format!("{:indent$}{text}\n", "")
    }
}

impl TakenStep {
    pub(super) fn of(step: Way) -> Self {
        match step {
            Way::Resolved { addresses, took } => Self::Resolve {
                took_us: micros(took),
                addresses: addresses.iter().map(ToString::to_string).collect(),
            },
            Way::Connected { peer, took } => Self::Connect { took_us: micros(took), peer },
            Way::Tunnelled { proxy, took } => Self::Proxy { took_us: micros(took), proxy },
            Way::Encrypted { facts, took } => {
                Self::Tls { took_us: micros(took), facts: TlsReport::of(*facts) }
            }
            Way::Refused { certificates, took } => Self::Refused {
                took_us: micros(took),
                certificates: certificates.into_iter().map(Certificate::of).collect(),
            },
            Way::Upgraded { took } => Self::Upgrade { took_us: micros(took) },
        }
    }

    pub(super) fn connack(took: Duration, connected: &Connected, keep_alive: u16) -> Self {
        Self::Connack {
            took_us: micros(took),
            answer: ConnackReport {
                protocol: connected.protocol.to_string(),
                session_present: connected.session_present,
                keep_alive_s: keep_alive,
                properties: connected.properties.clone(),
            },
        }
    }

    /// The step's lines in the text report.
    pub(super) fn text(&self, layout: Layout) -> String {
        let show = |name, took_us: &u64, text: &str| layout.line(name, Duration::from_micros(*took_us), text);
        let ends = |certificates: &[Certificate]| -> String {
            certificates.iter().map(|certificate| layout.more(&certificate.end())).collect()
        };
        match self {
            Self::Resolve { took_us, addresses } => show("resolve", took_us, &addresses.join(", ")),
            Self::Connect { took_us, peer } => show("connect", took_us, peer),
            Self::Proxy { took_us, proxy } => show("proxy", took_us, proxy),
            Self::Upgrade { took_us } => show("upgrade", took_us, "WebSocket"),
            Self::Refused { took_us, certificates } => {
                show("tls", took_us, "refused; the broker presented") + &ends(certificates)
            }
            Self::Tls { took_us, facts } => {
                let alpn = facts.alpn.as_ref().map_or_else(String::new, |alpn| format!(", ALPN {alpn}"));
                let text = format!("{}, {}{alpn}", facts.version, facts.cipher_suite);
                show("tls", took_us, &text) + &ends(&facts.certificates)
            }
            Self::Connack { took_us, answer } => {
                let session = if answer.session_present { "session kept" } else { "new session" };
                let text = format!(
                    "MQTT {}, {session}, keep-alive {}",
                    answer.protocol,
                    seconds(answer.keep_alive_s)
                );
                let mut lines = show("connack", took_us, &text);
                let mut properties = answer.properties.view().iter();
                for property in properties.by_ref().take(MOST_PROPERTIES) {
                    lines += &layout.more(&note(&property));
                }
                let others = properties.count();
                if others > 0 {
                    lines += &layout.more(&format!("and {others} more properties"));
                }
                lines
            }
        }
    }

    /// Whether it has the same result, apart from the time.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Resolve { addresses: one, .. }, Self::Resolve { addresses: two, .. }) => one == two,
            (Self::Connect { peer: one, .. }, Self::Connect { peer: two, .. })
            | (Self::Proxy { proxy: one, .. }, Self::Proxy { proxy: two, .. }) => one == two,
            // A second handshake may resume the session of the first.
            (Self::Tls { facts: one, .. }, Self::Tls { facts: two, .. }) => {
                one.certificates == two.certificates && one.version == two.version && one.alpn == two.alpn
            }
            (Self::Refused { certificates: one, .. }, Self::Refused { certificates: two, .. }) => one == two,
            (Self::Upgrade { .. }, Self::Upgrade { .. }) => true,
            _ => false,
        }
    }
}

impl TlsReport {
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

    /// The certificate's name, and how long it is valid.
    fn end(&self) -> String {
        let when = expiry(self.ends, SystemTime::now());
        format!("certificate {} by {} {when} ({})", self.subject, self.issuer, self.not_after)
    }
}

fn unix_seconds(moment: SystemTime) -> i64 {
    let seconds = |span: Duration| i64::try_from(span.as_secs()).unwrap_or(i64::MAX);
    match moment.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => seconds(since),
        Err(before) => -seconds(before.duration()),
    }
}

/// `expires in 12 days`, `expired 3 days ago`; in hours or minutes for less than a day.
fn expiry(ends: SystemTime, now: SystemTime) -> String {
    let rough = |time: Duration| match time.as_secs() {
        seconds @ 86_400.. => counted(seconds / 86_400, "day"),
        seconds @ 3_600.. => counted(seconds / 3_600, "hour"),
        seconds => counted(seconds / 60, "minute"),
    };
    match ends.duration_since(now) {
        Ok(left) => format!("expires in {}", rough(left)),
        Err(past) => format!("expired {} ago", rough(past.duration())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statistics() {
        let times = [1000, 2000, 3000].map(Duration::from_micros);
        let all = RoundTrips::of(&times).unwrap();
        assert_eq!(
            (all.count, all.min_us, all.avg_us, all.max_us, all.stddev_us),
            (3, 1000, 2000, 3000, 816)
        );
        assert!(RoundTrips::of(&[]).is_none());
        assert_eq!(millis(1_234_567), "1234.567");
    }

    #[test]
    fn json_has_no_control_characters() {
        let mut report = PingReport::default();
        report.finish(Some(&Error::usage("a\u{1b}\u{9b}31m\u{202e}b\u{7f}")), &[]);
        let mut line = Vec::new();
        report.put_json(&mut line);
        let line = String::from_utf8(line).unwrap();
        assert!(line.contains(r#""a\u001b\u009b31m\u202eb\u007f""#), "{line}");
    }

    #[test]
    fn expiry_is_shown_in_whole_units() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let day = 86_400;
        for (seconds, text) in [
            (12 * day + 5, "expires in 12 days"),
            (day, "expires in 1 day"),
            (day - 1, "expires in 23 hours"),
            (3_599, "expires in 59 minutes"),
            (60, "expires in 1 minute"),
        ] {
            assert_eq!(expiry(now + Duration::from_secs(seconds), now), text);
        }
        for (seconds, text) in
            [(3 * day, "expired 3 days ago"), (day, "expired 1 day ago"), (7_200, "expired 2 hours ago")]
        {
            assert_eq!(expiry(now - Duration::from_secs(seconds), now), text);
        }
    }

    #[test]
    fn lines_fit_the_terminal() {
        let text = "certificate CN=broker by CN=An Authority expires in 12 days (2026-12-11T00:00:00Z)";
        let lines = Layout { width: Some(60) }.line("tls", Duration::from_millis(1), text);
        assert!(lines.lines().count() > 1 && lines.lines().all(|line| line.len() <= 60), "{lines}");
        assert!(lines.lines().skip(1).all(|line| line.starts_with(&" ".repeat(INDENT))), "{lines}");
        for width in [45, 40, 30, 26] {
            let lines = Layout { width: Some(width) }.line("tls", Duration::from_millis(1), text);
            assert!(lines.lines().count() > 2 && lines.lines().all(|line| line.len() <= width), "{lines}");
            assert!(lines.lines().skip(1).all(|line| line.starts_with("  ")), "{lines}");
            let bare = Layout { width: Some(width) }.line("upgrade", Duration::from_millis(1), "");
            assert_eq!(bare, "upgrade         1.000 ms\n");
        }
        let summary = "4 pings, min/avg/max/stddev = 0.046/0.071/0.094/0.018 ms";
        let lines = Layout { width: Some(40) }.summary(summary);
        assert_eq!(lines, "4 pings, min/avg/max/stddev =\n  0.046/0.071/0.094/0.018 ms\n");
        for width in [Some(80), None] {
            assert_eq!(Layout { width }.summary(summary).lines().collect::<Vec<_>>(), [summary]);
        }
        // Without a terminal lines are not wrapped.
        assert_eq!(Layout { width: None }.line("tls", Duration::from_millis(1), text).lines().count(), 1);
    }
}
