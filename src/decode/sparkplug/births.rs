//! What edge nodes and devices have said of their metrics in their birth certificates, and the order of their messages.

use std::collections::HashMap;
use std::sync::Arc;

use super::structure::{Metric, PayloadHead, metrics};
use super::topic::{NodeTopic, SparkplugType};
use super::wire::{Read, WirePart};
use crate::notation::shell;

/// How many edge nodes are told apart.
pub const MOST_EDGE_NODES: usize = 10_000;
/// How many metrics of birth certificates are remembered, of all edge nodes.
pub const MOST_METRICS: usize = 1_000_000;
/// How long their names may be in all.
pub const MOST_NAME_BYTES: usize = 64 * 1024 * 1024;

/// The metric with the number of the session, which a death certificate has from the birth that it belongs to.
const SESSION_NUMBER: &str = "bdSeq";
/// The device of a topic that only a wildcard matches.
const ANY_DEVICE: &str = "\u{1}";

/// The metrics of one birth certificate.
#[derive(Debug, Default)]
pub(super) struct BirthCertificate {
    by_alias: HashMap<u64, (Arc<str>, Option<u32>)>,
    types: HashMap<Arc<str>, u32>,
    size: BirthSize,
}

/// What something takes of the limits.
#[derive(Debug, Clone, Copy, Default)]
struct BirthSize {
    metrics: usize,
    name_bytes: usize,
}

impl BirthCertificate {
    /// # Errors
    /// The payload is not one of Sparkplug.
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
                // No more than is needed to see that it is too large.
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

    /// Gives a metric the name and the data type that it has in the certificate.
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

/// What is known of an edge node.
#[derive(Debug, Default)]
struct EdgeNode {
    /// All of its messages come here, so that one that is missing was lost.
    is_complete: bool,
    /// A new birth was asked for.
    is_hinted: bool,
    session: Option<u64>,
    next_seq: Option<u64>,
    /// By the device; the edge node's own is that of no name.
    certificates: HashMap<Box<str>, BirthCertificate>,
}

/// What a message does not have itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct MessageNotes {
    /// The sequence number that was due, where another one came.
    pub(super) expected_seq: Option<u64>,
    /// The `bdSeq` of the last birth, where a death has another one: it is not the end of that session.
    pub(super) birth_session: Option<u64>,
    /// How many metrics a birth certificate would tell more of.
    pub(super) unresolved: u64,
}

/// All edge nodes.
#[derive(Debug, Default)]
pub(super) struct EdgeNodes {
    nodes: HashMap<String, EdgeNode>,
    size: BirthSize,
    /// The name of the edge node in hand.
    key: String,
    /// Something was left out for a limit, and that was said.
    is_full: bool,
    warning: Option<String>,
}

impl EdgeNodes {
    /// Takes in what a message says. `is_covered` is whether messages on a topic come here.
    ///
    /// # Errors
    /// The payload is not one of Sparkplug.
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

    /// Remembers a birth certificate, if there is room for it.
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

    /// What tells of the metrics of a message.
    pub(super) fn certificate(&self, topic: &NodeTopic<'_>) -> Option<&BirthCertificate> {
        self.nodes.get(&self.key)?.certificates.get(topic.device)
    }

    /// Says once of an edge node that metrics of the message in hand are not to be resolved.
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

    /// What there is to say, once.
    pub(super) fn take_warning(&mut self) -> Option<String> {
        self.warning.take()
    }
}

impl EdgeNode {
    /// Takes in a sequence number; the one that was due, if it is another.
    fn count(&mut self, seq: Option<u64>) -> Option<u64> {
        let expected = self.next_seq.filter(|expected| self.is_complete && seq != Some(*expected));
        self.next_seq = after(seq).or(self.next_seq);
        expected
    }

    /// The session is over.
    fn forget(&mut self, size: &mut BirthSize) {
        self.certificates.drain().for_each(|(_, old)| size.take(old.size));
        (self.session, self.next_seq) = (None, None);
    }
}

/// The sequence number after another: from 0 to 255, and 0 again.
fn after(seq: Option<u64>) -> Option<u64> {
    seq.map(|seq| seq.wrapping_add(1) % 256)
}
