//! What the table and the page say in the same words: which figures matter to a mode, and how
//! numbers are written for people.

use std::fmt::Write as _;

use super::config::Mode;
use super::summary::Report;
use crate::output::counted;

/// A time in microseconds with three digits and a unit.
pub(super) fn time(microseconds: f64) -> String {
    with_unit(microseconds, " ")
}

/// The same without the space, for tables.
pub(super) fn short_time(microseconds: f64) -> String {
    with_unit(microseconds, "")
}

/// The bounds are where rounding leads to the next digit.
fn with_unit(microseconds: f64, space: &str) -> String {
    let (value, unit) = match microseconds {
        us if us < 999.5 => (us, "µs"),
        us if us < 999_500.0 => (us / 1_000.0, "ms"),
        us => (us / 1_000_000.0, "s"),
    };
    let digits = match value {
        value if value < 9.995 => 2,
        value if value < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.digits$}{space}{unit}")
}

/// A count with its thousands apart.
pub(super) fn count(value: f64) -> String {
    // Three digits behind a point look like thousands, but not behind a 0.
    match value {
        value if value.fract() == 0.0 => {}
        ..0.9995 => return format!("{value:.3}"),
        ..9.995 => return format!("{value:.2}"),
        ..99.95 => return format!("{value:.1}"),
        _ => {}
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) && digit.is_ascii_digit() {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[allow(clippy::cast_precision_loss, reason = "shown with far fewer digits")]
pub(super) fn whole(value: u64) -> String {
    count(value as f64)
}

/// A count in four digits or fewer.
#[allow(clippy::cast_precision_loss, reason = "shown with three digits")]
pub(super) fn short(count: u64) -> String {
    let (value, unit) = match count {
        0..10_000 => return count.to_string(),
        10_000..999_500 => (count as f64 / 1e3, "k"),
        _ => (count as f64 / 1e6, "M"),
    };
    let digits = match value {
        value if value < 9.995 => 2,
        value if value < 99.95 => 1,
        _ => 0,
    };
    format!("{value:.digits$}{unit}")
}

/// What was asked for, in a line.
pub(super) fn load(report: &Report) -> String {
    let c = &report.configuration;
    let (publisher, subscriber) =
        if report.mode == Mode::Request { ("requester", "responder") } else { ("publisher", "subscriber") };
    let clients = [
        c.clients.map(|number| (number, "client")),
        c.sending.as_ref().map(|sending| (sending.publishers, publisher)),
        c.receiving.as_ref().map(|receiving| (receiving.subscribers, subscriber)),
    ];
    let clients = clients.into_iter().flatten().map(|(number, what)| counted(number.into(), what));
    let mut parts: Vec<String> = clients.collect();
    if let Some(receiving) = &c.receiving {
        match receiving.shared_groups {
            0 if receiving.pattern == "all" => parts.push("all to all".into()),
            0 => {}
            groups => parts.push(counted(groups.into(), "shared group")),
        }
    }
    let qos = c.messages.as_ref().map_or(0, |messages| messages.qos);
    if let Some(sending) = &c.sending {
        parts.push(match sending.rate_per_s {
            Some(rate) => format!("{}/s {}", count(rate), sending.arrivals),
            None if qos == 0 && report.mode != Mode::Request => "closed loop".into(),
            None => format!("closed loop, window {}", sending.inflight),
        });
        if sending.jitter_s > 0.0 {
            parts.push(format!("jitter up to {}", short_time(sending.jitter_s * 1e6)));
        }
    }
    if c.messages.is_some() {
        parts.push(format!("QoS {qos}"));
    }
    if let Some(sending) = &c.sending {
        parts.push(counted(u64::try_from(sending.payload_bytes).unwrap_or(u64::MAX), "byte"));
    }
    parts.join(", ")
}

/// How the broker is spoken to, in brackets behind its name.
pub(super) fn protocol(report: &Report) -> String {
    let c = &report.configuration;
    let transport = match c.transport {
        "tls" => " over TLS",
        "ws" => " over WebSocket",
        "wss" => " over WebSocket with TLS",
        _ => "",
    };
    let embedded = if c.embedded { ", embedded broker" } else { "" };
    format!("MQTT {}{transport}{embedded}", c.protocol)
}

/// How long each phase took, in a line.
pub(super) fn phases(report: &Report) -> String {
    let p = &report.phases_s;
    format!(
        "connect {:.1} s, warm-up {:.1} s, measure {:.1} s, drain {:.1} s",
        p.connect + p.subscribe,
        p.warmup,
        p.measure,
        p.drain
    )
}

/// What became of the connections, in a line.
pub(super) fn connections(report: &Report) -> String {
    let c = &report.connections;
    let mut text =
        format!("{} of {} made, {}/s", whole(c.connected), whole(c.attempted), count(c.connected_per_s));
    for (number, what) in [(c.failed, "failed"), (c.lost, "lost")] {
        if number > 0 {
            let _ = write!(text, ", {} {what}", whole(number));
        }
    }
    text
}

/// Messages that went through a stage, with their rate.
pub(super) struct Stage {
    pub(super) name: &'static str,
    pub(super) number: Option<u64>,
    pub(super) per_s: f64,
}

/// The stages that the mode has.
pub(super) fn stages(report: &Report) -> Vec<Stage> {
    let (m, t) = (&report.messages, &report.throughput);
    let publishes = report.mode.publishes();
    let receives = report.mode.receives_its_own() || report.mode == Mode::Subscribe;
    let mut stages = Vec::new();
    let mut add = |applies: bool, name, number, per_s: Option<f64>| {
        stages.extend(per_s.filter(|_| applies).map(|per_s| Stage { name, number, per_s }));
    };
    add(publishes, "sent", Some(m.sent), Some(t.sent_per_s));
    add(publishes, "taken", None, t.taken_per_s);
    add(publishes && m.qos > 0, "acknowledged", Some(m.acknowledged), Some(t.acknowledged_per_s));
    add(receives, "delivered", Some(m.delivered), Some(t.delivered_per_s));
    stages
}

/// Lost, doubled and reordered messages, where the mode can tell: how many, if they are known.
pub(super) fn defects(report: &Report) -> Vec<(&'static str, String)> {
    if !report.mode.receives_its_own() {
        return Vec::new();
    }
    let m = &report.messages;
    let some = |number: Option<u64>| number.map_or("-".into(), whole);
    vec![("lost", whole(m.lost)), ("duplicates", some(m.duplicates)), ("reordered", some(m.reordered))]
}

/// What else became of messages, as far as it did.
pub(super) fn strays(report: &Report) -> Vec<(&'static str, u64)> {
    let m = &report.messages;
    let mut strays = vec![("corrupt", m.corrupt)];
    // Who only receives is a stranger to every message.
    if report.mode != Mode::Subscribe {
        strays.extend([
            ("refused", m.refused),
            ("unacknowledged", m.unacknowledged),
            ("not sent", m.not_sent),
            ("under way", m.under_way),
            ("foreign", m.foreign),
            ("too old to count", m.stale),
        ]);
    }
    strays.retain(|(_, number)| *number > 0);
    strays
}

/// The latencies by their keys, in the order in which they happen, with their names; those from
/// the actual send stand below the others.
pub(super) const LATENCIES: [(&str, &str); 11] = [
    ("connect", "connect"),
    ("tls_handshake", "TLS"),
    ("connack", "CONNACK"),
    ("connect_to_connack", "until CONNACK"),
    ("suback", "SUBACK"),
    ("acknowledge", "acknowledge"),
    ("acknowledge_from_send", "  from send"),
    ("delivery", "delivery"),
    ("delivery_from_send", "  from send"),
    ("round_trip", "round trip"),
    ("round_trip_from_send", "  from send"),
];

/// What the generator needed, in parts.
pub(super) fn generator(report: &Report) -> Vec<(&'static str, String)> {
    let g = &report.generator;
    let cpu: Vec<String> =
        g.thread_cpu_share.iter().take(8).map(|share| format!("{:.0} %", share * 100.0)).collect();
    #[allow(clippy::cast_precision_loss, reason = "shown with one digit")]
    let memory = g.memory_bytes as f64 / f64::from(1 << 20);
    let mut parts = Vec::new();
    if !cpu.is_empty() {
        parts.push(("CPU", format!("{} of a core", cpu.join(" + "))));
    }
    parts.push(("memory", format!("{memory:.1} MiB")));
    if let Some(lag) = report.latency_us.get("schedule_lag") {
        parts.push(("late", format!("{} (p99)", time(lag.p99))));
    }
    if let Some(share) = g.share_of_ceiling {
        parts.push(("share of ceiling", format!("{:.0} %", share * 100.0)));
    }
    parts
}

/// How often something was due and the broker was not ready for it, in a line.
pub(super) fn held_back(report: &Report) -> Option<String> {
    let g = &report.generator;
    (g.full_windows + g.blocked_sockets > 0).then(|| {
        let (windows, sockets) = (whole(g.full_windows), whole(g.blocked_sockets));
        format!("{windows} times a window was full, {sockets} times a socket")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_for_people() {
        for (value, shown) in
            [(0.0, "0"), (999.0, "999"), (1_000.0, "1,000"), (1_234_567.0, "1,234,567"), (0.25, "0.250")]
        {
            assert_eq!(count(value), shown);
        }
        for (value, shown) in
            [(1.499, "1.50"), (95.075, "95.1"), (99.96, "100"), (9.996, "10.0"), (1_234.5, "1,234")]
        {
            assert_eq!(count(value), shown);
        }
        for (us, shown) in [
            (0.5, "0.50 µs"),
            (12.34, "12.3 µs"),
            (99.97, "100 µs"),
            (999.0, "999 µs"),
            (999.9, "1.00 ms"),
            (20_000.0, "20.0 ms"),
            (1.5e6, "1.50 s"),
        ] {
            assert_eq!(time(us), shown);
        }
    }
}
