//! Writes a scenario as a file. Values equal to their defaults are left out.

use std::fmt::Write as _;
use std::time::Duration;

use super::description::{DescribedStage, Description, default_topic, pattern_name};
use crate::cli::value::NEVER_EXPIRES;
use crate::client::options::Version;
use crate::command::bench::config::{Arrivals, Payload, Rate, StopAfter};
use crate::command::bench::group::{
    ClientGroup, GroupConnection, GroupOperation, GroupPublish, GroupSubscription, MessageSource, SHARE_NAME,
};
use crate::command::bench::{Disturbance, Threshold};
use crate::error::Error;
use crate::protocol::{Protocol, QoS};

/// Lines with a key and a value.
#[derive(Default)]
struct FileLines(String);

impl FileLines {
    fn bare(&mut self, key: &str, value: Option<impl ToString>) {
        if let Some(value) = value {
            let _ = writeln!(self.0, "{key} = {}", value.to_string());
        }
    }

    fn text(&mut self, key: &str, value: Option<impl AsRef<str>>) {
        self.bare(key, value.map(|value| quoted(value.as_ref())));
    }

    fn texts<T: ToString>(&mut self, key: &str, values: &[T]) {
        let quoted: Vec<String> = values.iter().map(|value| quoted(&value.to_string())).collect();
        self.bare(key, (!quoted.is_empty()).then(|| format!("[{}]", quoted.join(", "))));
    }

    fn time(&mut self, key: &str, value: Option<Duration>) {
        self.text(key, value.map(|value| humantime::format_duration(value).to_string()));
    }

    fn expiry(&mut self, value: Option<u32>) {
        self.text(
            "session-expiry",
            value.map(|seconds| match seconds {
                NEVER_EXPIRES => "never".into(),
                seconds => format!("{seconds}s"),
            }),
        );
    }

    fn heading(&mut self, name: &str) {
        let _ = writeln!(self.0, "\n{name}");
    }
}

/// A TOML basic string: a JSON string in which one more character must be escaped.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

fn per_second(rate: f64) -> String {
    format!("{rate}/s")
}

fn rate_text(rate: Rate) -> String {
    match rate {
        Rate::PerSecond(rate) => per_second(rate),
        Rate::Max => "max".into(),
    }
}

fn arrivals_text(arrivals: Arrivals) -> Option<String> {
    match arrivals {
        Arrivals::Uniform => None,
        Arrivals::Poisson => Some("poisson".to_owned()),
        Arrivals::Burst(size) => Some(format!("burst:{size}")),
    }
}

/// The text of the file.
///
/// # Errors
/// A value that TOML cannot express.
pub(in crate::cli) fn write(scenario: &Description) -> Result<String, Error> {
    let mut lines = FileLines::default();
    lines.text("description", Some(&scenario.about).filter(|about| !about.is_empty()));
    lines.text("version", scenario.version.and_then(version));
    lines.bare("keep-alive", scenario.keep_alive);
    lines.expiry(scenario.session_expiry_interval);
    lines.bare("inflight", scenario.inflight);
    lines.text("ramp", scenario.ramp.map(per_second));
    let credentials = scenario.credentials.as_deref().map(path).transpose()?;
    lines.text("credentials", credentials);
    lines.texts("local-addresses", &scenario.local_addresses);
    match scenario.stop {
        Some(StopAfter::After(duration)) => lines.time("duration", Some(duration)),
        Some(StopAfter::Count(count)) => lines.bare("count", Some(count)),
        None => {}
    }
    lines.time("warmup", scenario.warmup.filter(|warmup| !warmup.is_zero()));
    lines.time("drain", scenario.drain);
    lines.bare("seed", scenario.seed.filter(|seed| *seed != 1));
    let limits: Vec<&str> = scenario.fail_if.iter().map(Threshold::text).collect();
    lines.texts("fail-if", &limits);
    lines.time("abort-on-fail", scenario.abort_after);
    let reconnect =
        |attempts: Option<u32>| attempts.map_or_else(|| "always".to_owned(), |most| most.to_string());
    lines.text("reconnect", scenario.reconnect.map(reconnect));
    let disturb: Vec<String> = scenario.disturb.iter().map(Disturbance::written).collect();
    lines.texts("disturb", &disturb);
    for DescribedStage { stage, fail_if } in &scenario.stages {
        lines.heading("[[stage]]");
        lines.text("load", Some(stage.to_string()));
        let limits: Vec<&str> = fail_if.iter().map(Threshold::text).collect();
        lines.texts("fail-if", &limits);
    }
    for group in &scenario.groups {
        put_group(&mut lines, group, &scenario.groups)?;
    }
    Ok(lines.0)
}

fn version(version: Version) -> Option<&'static str> {
    match version {
        Version::Auto => None,
        Version::Only(Protocol::V3_1) => Some("3.1"),
        Version::Only(Protocol::V3_1_1) => Some("3.1.1"),
        Version::Only(Protocol::V5) => Some("5"),
    }
}

fn path(path: &std::path::Path) -> Result<&str, Error> {
    path.to_str().ok_or_else(|| Error::usage(format!("'{}' is not UTF-8, as a scenario is", path.display())))
}

fn number(qos: QoS) -> Option<u8> {
    Some(qos as u8).filter(|qos| *qos != 0)
}

fn put_group(lines: &mut FileLines, group: &ClientGroup, all: &[ClientGroup]) -> Result<(), Error> {
    lines.heading("[[group]]");
    lines.text("name", Some(&group.name));
    lines.bare("clients", Some(group.clients));
    let default = format!("{}-{{client}}", group.name);
    lines.text("client-id", Some(&group.client_id).filter(|id| **id != default));
    lines.text("ramp", group.ramp.map(per_second));
    lines.text("credentials", group.credentials.as_deref().map(path).transpose()?);
    lines.texts("local-addresses", &group.local_addresses);
    lines.text("client-values", group.client_values.as_deref().map(path).transpose()?);
    let GroupConnection { keep_alive, clean_start, session_expiry_interval, will } = &group.connection;
    lines.bare("keep-alive", *keep_alive);
    lines.bare("clean-start", *clean_start);
    lines.expiry(*session_expiry_interval);
    let name = |place: usize| all.get(place).map(|group| group.name.as_str());
    lines.text("respond", group.respond.and_then(name));
    lines.text("starts-after", group.starts_after.and_then(name));
    lines.text("read-rate", group.read_rate.map(per_second));
    if let Some(will) = will {
        lines.heading("[group.will]");
        lines.text("topic", Some(&will.topic));
        lines.text("payload", Some(text(&will.payload)?).filter(|payload| !payload.is_empty()));
        lines.bare("qos", number(will.qos));
        lines.bare("retain", Some(true).filter(|_| will.retain));
    }
    if let Some(publish) = &group.publish {
        put_publish(lines, publish, &group.name)?;
    }
    if let Some(GroupOperation { kind, rate, arrivals }) = &group.operation {
        lines.heading("[group.operation]");
        lines.text("kind", Some(kind.name()));
        lines.text("rate", Some(rate_text(*rate)));
        lines.text("arrivals", arrivals_text(*arrivals));
    }
    for subscription in &group.subscribe {
        put_subscription(lines, subscription, name);
    }
    Ok(())
}

fn text(bytes: &[u8]) -> Result<&str, Error> {
    std::str::from_utf8(bytes).map_err(|_| Error::usage("a payload is not UTF-8, as a scenario is"))
}

fn put_publish(lines: &mut FileLines, publish: &GroupPublish, group: &str) -> Result<(), Error> {
    lines.heading("[group.publish]");
    lines.text("rate", Some(rate_text(publish.rate)));
    lines.text("arrivals", arrivals_text(publish.arrivals));
    lines.time("jitter", Some(publish.jitter).filter(|jitter| !jitter.is_zero()));
    lines.bare("per-write", Some(publish.per_write).filter(|most| *most < u32::MAX));
    lines.bare("inflight", publish.inflight);
    match &publish.payload {
        Payload::Size(size) => lines.bare("size", Some(size)),
        Payload::Template(payload) => lines.text("payload", Some(text(payload)?)),
        Payload::Fields(payload) => {
            lines.text("payload", Some(text(payload)?));
            lines.bare("template", Some(true));
        }
        Payload::File(file) => lines.text("payload-file", Some(path(file)?)),
        Payload::Lines(file) => lines.text("payload-lines", Some(path(file)?)),
    }
    lines.bare("topics", Some(publish.topics).filter(|topics| *topics > 1));
    lines.text("topic", Some(&publish.topic).filter(|topic| **topic != default_topic(group)));
    lines.bare("qos", number(publish.qos));
    lines.bare("retain", Some(true).filter(|_| publish.retain));
    lines.bare("topic-alias", Some(true).filter(|_| publish.alias));
    Ok(())
}

fn put_subscription<'a>(
    lines: &mut FileLines,
    subscription: &'a GroupSubscription,
    name: impl Fn(usize) -> Option<&'a str>,
) {
    lines.heading("[[group.subscribe]]");
    match &subscription.source {
        MessageSource::Group { group, pattern, filter } => {
            lines.text("from", name(*group));
            lines.text("pattern", Some(pattern_name(*pattern)));
            lines.text("filter", filter.as_ref());
        }
        MessageSource::Filter { filter, filters } => {
            lines.text("filter", Some(filter));
            lines.bare("filters", Some(filters).filter(|filters| **filters > 1));
        }
    }
    lines.bare("qos", number(subscription.qos));
    lines.bare("shared-groups", Some(subscription.shared_groups).filter(|groups| *groups > 0));
    lines.text("share-name", Some(&subscription.share_name).filter(|name| *name != SHARE_NAME));
}
