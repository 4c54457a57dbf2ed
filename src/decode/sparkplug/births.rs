//! The metrics that edge nodes and devices have declared in their birth certificates, and the order of their
//! messages.

use std::collections::HashMap;
use std::sync::Arc;

use super::structure::{Metric, PayloadHead, metrics};
use super::topic::{NodeTopic, SparkplugType};
use super::wire::{Read, WirePart};
use crate::notation::shell;

/// Maximum number of edge nodes.
pub const MOST_EDGE_NODES: usize = 10_000;
/// Maximum number of remembered metrics from birth certificates, of all edge nodes together.
pub const MOST_METRICS: usize = 1_000_000;
/// Maximum total length of their names, in bytes.
pub const MOST_NAME_BYTES: usize = 64 * 1024 * 1024;

/// The metric with the session number; a death certificate repeats the number of its birth certificate.
const SESSION_NUMBER: &str = "bdSeq";
/// The device name of a topic that only a wildcard matches.
const ANY_DEVICE: &str = "\u{1}";

/// The metrics of one birth certificate.
#[derive(Debug, Default)]
pub(super) struct BirthCertificate {
    by_alias: HashMap<u64, (Arc<str>, Option<u32>)>,
    types: HashMap<Arc<str>, u32>,
    size: BirthSize,
}

/// The share of an item in the limits.
#[derive(Debug, Clone, Copy, Default)]
struct BirthSize {
    metrics: usize,
    name_bytes: usize,
}

impl BirthCertificate {
    /// Reads a birth certificate, and its session number.
    ///
    /// # Errors
    /// The payload is not Sparkplug.
    fn read(payload: WirePart<'_>, device: &str) -> Read<(Self, Option<u64>)> {
        let mut found = Self { size: BirthSize { metrics: 1, name_bytes: device.len() }, ..Self::default() };
        let mut session = None;
        for metric in metrics(payload) {
            let metric = metric?;
            let Some(name) = metric.name else { continue };
            if name == SESSION_NUMBER {
                session = metric.whole_number();
            }
            found.size.metrics += 1;
            found.size.name_bytes += name.len();
            if !found.size.fits() {
                // Reading stops once the certificate is known to be too large.
                break;
            }
            let name = Arc::<str>::from(name);
            if let Some(alias) = metric.alias {
                found.by_alias.insert(alias, (Arc::clone(&name), metric.datatype));
            }
            if let Some(number) = metric.datatype {
                found.types.insert(name, number);
            }
        }
        Ok((found, session))
    }

    /// Completes a metric with its name and data type from the certificate.
    pub(super) fn resolve<'a>(&'a self, metric: &mut Metric<'a>) {
        if metric.name.is_none()
            && let Some((name, number)) = metric.alias.and_then(|alias| self.by_alias.get(&alias))
        {
            metric.name = Some(name);
            metric.datatype = metric.datatype.or(*number);
        }
        if metric.datatype.is_none() {
            metric.datatype = metric.name.and_then(|name| self.types.get(name)).copied();
        }
    }
}

impl BirthSize {
    fn fits(self) -> bool {
        self.metrics <= MOST_METRICS && self.name_bytes <= MOST_NAME_BYTES
    }

    fn add(&mut self, other: Self) {
        self.metrics += other.metrics;
        self.name_bytes += other.name_bytes;
    }

    fn take(&mut self, other: Self) {
        self.metrics -= other.metrics;
        self.name_bytes -= other.name_bytes;
    }
}

/// The state of an edge node.
#[derive(Debug, Default)]
struct EdgeNode {
    /// Whether all of its messages arrive here, so that a missing one was lost.
    is_complete: bool,
    /// Whether the user was advised to request a new birth.
    is_hinted: bool,
    session: Option<u64>,
    next_seq: Option<u64>,
    /// By device; the edge node's own certificate has an empty name.
    certificates: HashMap<Box<str>, BirthCertificate>,
}

/// Notes that are added to a message.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct MessageNotes {
    /// The expected sequence number, if another one was received.
    pub(super) expected_seq: Option<u64>,
    /// The `bdSeq` of the last birth, if a death has another one: the death does not end that session.
    pub(super) birth_session: Option<u64>,
    /// The number of metrics that a birth certificate would complete.
    pub(super) unresolved: u64,
}

/// All edge nodes.
#[derive(Debug, Default)]
pub(super) struct EdgeNodes {
    nodes: HashMap<String, EdgeNode>,
    size: BirthSize,
    /// The name of the current edge node.
    key: String,
    /// Whether the limit was reached and reported.
    is_full: bool,
    warning: Option<String>,
}

impl EdgeNodes {
    /// Processes a message. `is_covered` tells whether all messages on a topic arrive here.
    ///
    /// # Errors
    /// The payload is not Sparkplug.
    pub(super) fn learn(
        &mut self,
        topic: &NodeTopic<'_>,
        payload: WirePart<'_>,
        head: &PayloadHead<'_>,
        is_covered: &dyn Fn(&str) -> bool,
    ) -> Read<MessageNotes> {
        use SparkplugType as T;
        let mut notes = MessageNotes::default();
        let certificate = match topic.message {
            T::NodeBirth | T::DeviceBirth => Some(BirthCertificate::read(payload, topic.device)?),
            T::NodeDeath => Some(BirthCertificate::read(payload, "")?),
            _ => None,
        };
        topic.put_key(&mut self.key);
        if !self.nodes.contains_key(&self.key) {
            if matches!(topic.message, T::NodeCommand | T::DeviceCommand) {
                return Ok(notes);
            }
            if self.nodes.len() >= MOST_EDGE_NODES {
                self.is_full();
                return Ok(notes);
            }
            let is_complete = topic.counted(ANY_DEVICE).all(|topic| is_covered(&topic));
            self.nodes.insert(self.key.clone(), EdgeNode { is_complete, ..EdgeNode::default() });
        }
        let Some(node) = self.nodes.get_mut(&self.key) else { return Ok(notes) };
        match (topic.message, certificate) {
            (T::NodeBirth, Some((certificate, session))) => {
                node.certificates.drain().for_each(|(_, old)| self.size.take(old.size));
                node.session = session;
                node.next_seq = (!topic.is_certificate).then(|| after(head.seq)).flatten();
                self.keep(topic, certificate);
            }
            (T::NodeDeath, Some((_, session))) => {
                let (Some(death), Some(birth)) = (session, node.session) else {
                    node.forget(&mut self.size);
                    return Ok(notes);
                };
                if death == birth {
                    node.forget(&mut self.size);
                } else {
                    notes.birth_session = Some(birth);
                }
            }
            (T::DeviceBirth, Some((certificate, _))) => {
                if !topic.is_certificate {
                    notes.expected_seq = node.count(head.seq);
                }
                if let Some(old) = node.certificates.remove(topic.device) {
                    self.size.take(old.size);
                }
                self.keep(topic, certificate);
            }
            (T::DeviceDeath, _) => {
                notes.expected_seq = node.count(head.seq);
                if let Some(old) = node.certificates.remove(topic.device) {
                    self.size.take(old.size);
                }
            }
            (T::NodeData | T::DeviceData, _) => notes.expected_seq = node.count(head.seq),
            _ => {}
        }
        if let Some(expected) = notes.expected_seq {
            let came = head.seq.map_or_else(|| "none".to_owned(), |seq| seq.to_string());
            self.hint(topic, &format!("seq {expected} was due, and {came} came"));
        }
        Ok(notes)
    }

    /// Remembers a birth certificate, if it is within the limits.
    fn keep(&mut self, topic: &NodeTopic<'_>, certificate: BirthCertificate) {
        let mut size = self.size;
        size.add(certificate.size);
        if !size.fits() {
            return self.is_full();
        }
        self.size = size;
        if let Some(node) = self.nodes.get_mut(&self.key) {
            node.certificates.insert(topic.device.into(), certificate);
        }
    }

    fn is_full(&mut self) {
        if !self.is_full {
            self.is_full = true;
            self.warning = Some(format!(
                "further births are not remembered, and their aliases not resolved: the limit is {MOST_EDGE_NODES} edge \
                 nodes, {MOST_METRICS} metrics and {} MiB of names",
                MOST_NAME_BYTES >> 20
            ));
        }
    }

    /// The certificate that describes the metrics of the current message.
    pub(super) fn certificate(&self, topic: &NodeTopic<'_>) -> Option<&BirthCertificate> {
        self.nodes.get(&self.key)?.certificates.get(topic.device)
    }

    /// Warns, once per edge node, that metrics of the current message cannot be resolved.
    pub(super) fn misses_birth(&mut self, topic: &NodeTopic<'_>) {
        let birth = match topic.message {
            SparkplugType::NodeData => "NBIRTH",
            SparkplugType::DeviceData => "DBIRTH",
            _ => return,
        };
        self.hint(topic, &format!("metrics without name or datatype, and no {birth} that has them"));
    }

    fn hint(&mut self, topic: &NodeTopic<'_>, why: &str) {
        let Some(node) = self.nodes.get_mut(&self.key) else { return };
        if node.is_hinted || self.warning.is_some() {
            return;
        }
        node.is_hinted = true;
        let command = shell::quoted(&topic.of(SparkplugType::NodeCommand, ""));
        self.warning = Some(format!(
            "edge node {}: {why}. For a rebirth: mqtt pub -t {command} --encode sparkplug \
             -m '{{\"metrics\":[{{\"name\":\"Node Control/Rebirth\",\"value\":true}}]}}'",
            self.key
        ));
    }

    /// A warning, returned once.
    pub(super) fn take_warning(&mut self) -> Option<String> {
        self.warning.take()
    }
}

impl EdgeNode {
    /// Processes a sequence number; returns the expected one if it differs.
    fn count(&mut self, seq: Option<u64>) -> Option<u64> {
        let expected = self.next_seq.filter(|expected| self.is_complete && seq != Some(*expected));
        self.next_seq = after(seq).or(self.next_seq);
        expected
    }

    /// Ends the session.
    fn forget(&mut self, size: &mut BirthSize) {
        self.certificates.drain().for_each(|(_, old)| size.take(old.size));
        (self.session, self.next_seq) = (None, None);
    }
}

/// The next sequence number: after 255 comes 0.
fn after(seq: Option<u64>) -> Option<u64> {
    seq.map(|seq| seq.wrapping_add(1) % 256)
}
