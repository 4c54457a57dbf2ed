//! Effects of a run on this machine's network: retransmitted segments, and an interface at its full speed.
//! Both counters cover the whole machine and not only the run. Only on Linux.

use std::fmt;
use std::fs::read_to_string;

use crate::alarm::now;

/// Packet loss is assumed from this share of retransmitted segments on.
const RETRANSMITTED: f64 = 0.01;
/// Minimum number of segments for a conclusion.
const FEWEST_SEGMENTS: u64 = 100;
/// An interface counts as full from this share of its speed on; headers take part of the rest.
const FULL: f64 = 0.9;

/// The counters of the system.
#[derive(Debug, Clone, Default)]
pub(super) struct NetworkCounters {
    at: u64,
    segments: u64,
    retransmitted: u64,
    interfaces: Vec<Interface>,
}

#[derive(Debug, Clone, PartialEq)]
struct Interface {
    name: String,
    received: u64,
    sent: u64,
    /// The speed, if the system knows it; unknown for the loopback interface.
    bytes_per_s: Option<f64>,
}

/// Why the network was the limit.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum NetworkLimit {
    /// This share of all segments was retransmitted.
    Retransmitted(f64),
    /// The interface carried this share of its speed.
    Full { interface: String, share: f64 },
}

impl fmt::Display for NetworkLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retransmitted(share) => write!(f, "{:.1} % of segments were retransmitted", share * 100.0),
            Self::Full { interface, share } => {
                write!(f, "{interface} carried {:.0} % of its speed", share * 100.0)
            }
        }
    }
}

impl NetworkCounters {
    pub(super) fn read() -> Self {
        let text = |path: &str| read_to_string(path).unwrap_or_default();
        let speed = |name: &str| {
            let megabits: f64 = text(&format!("/sys/class/net/{name}/speed")).trim().parse().ok()?;
            (megabits > 0.0).then_some(megabits * 1e6 / 8.0)
        };
        Self::parsed(now(), &text("/proc/net/snmp"), &text("/proc/net/dev"), speed)
    }

    fn parsed(at: u64, snmp: &str, dev: &str, speed: impl Fn(&str) -> Option<f64>) -> Self {
        // One line of names and one of numbers.
        let mut tcp = snmp.lines().filter_map(|line| line.strip_prefix("Tcp:"));
        let (names, numbers) = (tcp.next().unwrap_or_default(), tcp.next().unwrap_or_default());
        let count = |wanted: &str| {
            let mut found = names.split_whitespace().zip(numbers.split_whitespace());
            found.find(|(name, _)| *name == wanted).and_then(|(_, number)| number.parse().ok()).unwrap_or(0)
        };
        let interface = |line: &str| {
            let (name, numbers) = line.split_once(':')?;
            let mut numbers = numbers.split_whitespace().map(|number| number.parse().unwrap_or(0));
            let name = name.trim();
            Some(Interface {
                name: name.to_owned(),
                received: numbers.next()?,
                // Seven more fields of received traffic come before it.
                sent: numbers.nth(7)?,
                bytes_per_s: speed(name),
            })
        };
        let interfaces = dev.lines().filter_map(interface).collect();
        Self { at, segments: count("OutSegs"), retransmitted: count("RetransSegs"), interfaces }
    }

    /// Why the network was the limit since `before`, if it was.
    #[allow(clippy::cast_precision_loss, reason = "shares need no 16 digits")]
    pub(super) fn limit_since(&self, before: &Self) -> Option<NetworkLimit> {
        let segments = self.segments.saturating_sub(before.segments);
        let again = self.retransmitted.saturating_sub(before.retransmitted) as f64 / segments.max(1) as f64;
        if segments >= FEWEST_SEGMENTS && again >= RETRANSMITTED {
            return Some(NetworkLimit::Retransmitted(again));
        }
        let seconds = self.at.saturating_sub(before.at) as f64 / 1e9;
        let full = self.interfaces.iter().filter_map(|now| {
            let before = before.interfaces.iter().find(|before| before.name == now.name)?;
            let bytes =
                now.received.saturating_sub(before.received).max(now.sent.saturating_sub(before.sent));
            let share = bytes as f64 / (now.bytes_per_s? * seconds).max(1.0);
            (share >= FULL).then(|| NetworkLimit::Full { interface: now.name.clone(), share })
        });
        full.into_iter().next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SNMP: &str =
        "Ip: Forwarding\nIp: 1\nTcp: ActiveOpens InSegs OutSegs RetransSegs\nTcp: 5 900 1000 7\n";
    const DEV: &str = "Inter-| Receive\n face |bytes packets\n    lo: 10 1 0 0 0 0 0 0 20 1 0 0 0 0 0 0\n  \
                       eth0: 1000 1 0 0 0 0 0 0 2000 1 0 0 0 0 0 0\n";

    fn counters(at: u64, snmp: &str, dev: &str) -> NetworkCounters {
        NetworkCounters::parsed(at, snmp, dev, |name| (name == "eth0").then_some(1000.0))
    }

    #[test]
    fn counters_are_read() {
        let found = counters(1, SNMP, DEV);
        assert_eq!((found.segments, found.retransmitted), (1000, 7));
        let eth0 = Interface { name: "eth0".into(), received: 1000, sent: 2000, bytes_per_s: Some(1000.0) };
        assert_eq!(found.interfaces[1..], [eth0]);
        assert!(counters(1, "", "").interfaces.is_empty());
        #[cfg(target_os = "linux")]
        assert!(NetworkCounters::read().interfaces.iter().any(|one| one.name == "lo"));
    }

    #[test]
    fn lost_packets_and_full_interfaces_are_limits() {
        let before = counters(0, SNMP, DEV);
        assert_eq!(counters(1_000_000_000, SNMP, DEV).limit_since(&before), None);
        let lossy = SNMP.replace("1000 7", "2000 37");
        let limit = counters(1_000_000_000, &lossy, DEV).limit_since(&before).unwrap();
        assert_eq!(limit.to_string(), "3.0 % of segments were retransmitted");
        let full = DEV.replace("2000", "2950");
        let limit = counters(1_000_000_000, SNMP, &full).limit_since(&before).unwrap();
        assert_eq!(limit.to_string(), "eth0 carried 95 % of its speed");
        assert_eq!(counters(2_000_000_000, SNMP, &full).limit_since(&before), None);
    }
}
