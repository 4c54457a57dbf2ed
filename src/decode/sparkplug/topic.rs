//! The topics of Sparkplug: `spBv1.0/GROUP/TYPE/NODE[/DEVICE]` and `spBv1.0/STATE/HOST`.

/// The first level of all Sparkplug B topics.
const NAMESPACE: &str = "spBv1.0";
/// Where a Sparkplug-aware broker keeps birth certificates, as retained messages.
const CERTIFICATES: &str = "$sparkplug/certificates/";

/// The type of a message, by its topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SparkplugType {
    NodeBirth,
    NodeDeath,
    NodeData,
    NodeCommand,
    DeviceBirth,
    DeviceDeath,
    DeviceData,
    DeviceCommand,
}

/// The types with their names, and whether a device name follows the edge node's.
const TYPES: &[(&str, SparkplugType, bool)] = &[
    ("NBIRTH", SparkplugType::NodeBirth, false),
    ("NDEATH", SparkplugType::NodeDeath, false),
    ("NDATA", SparkplugType::NodeData, false),
    ("NCMD", SparkplugType::NodeCommand, false),
    ("DBIRTH", SparkplugType::DeviceBirth, true),
    ("DDEATH", SparkplugType::DeviceDeath, true),
    ("DDATA", SparkplugType::DeviceData, true),
    ("DCMD", SparkplugType::DeviceCommand, true),
];

/// A topic of Sparkplug B.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum SparkplugTopic<'a> {
    /// A message from or to an edge node or a device.
    Node(NodeTopic<'a>),
    /// The state of a host application: in JSON since Sparkplug 3.0.
    State { is_json: bool },
}

/// The topic of a message from or to an edge node or a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NodeTopic<'a> {
    pub(super) message: SparkplugType,
    /// A prefix that a bridge has put before the namespace, with its trailing slash.
    prefix: &'a str,
    /// Whether it is a birth certificate that the broker keeps, not a live message.
    pub(super) is_certificate: bool,
    pub(super) group: &'a str,
    pub(super) edge_node: &'a str,
    /// Empty for the edge node itself.
    pub(super) device: &'a str,
}

impl<'a> SparkplugTopic<'a> {
    /// Parses a topic.
    ///
    /// # Errors
    /// Why the topic is not one of Sparkplug B.
    pub(super) fn parse(topic: &'a str) -> Result<Self, String> {
        let (is_certificate, topic) = match topic.strip_prefix(CERTIFICATES) {
            Some(rest) => (true, rest),
            None => (false, topic),
        };
        let mut begin = 0;
        let namespace = topic.split('/').find_map(|level| {
            let at = begin;
            begin += level.len() + 1;
            (level == NAMESPACE).then_some(at)
        });
        let Some(at) = namespace else {
            return match topic.strip_prefix("STATE/") {
                Some(host) if !host.is_empty() && !host.contains('/') => Ok(Self::State { is_json: false }),
                _ => Err(format!("the topic has no level '{NAMESPACE}', as those of Sparkplug B do")),
            };
        };
        let (prefix, rest) = topic.split_at(at);
        let levels: Vec<&str> = rest.split('/').skip(1).collect();
        if levels.iter().any(|level| level.is_empty()) {
            return Err("a level of the topic is empty".into());
        }
        let (group, name, edge_node, device) = match levels[..] {
            ["STATE", _] => return Ok(Self::State { is_json: true }),
            [group, name, edge_node] => (group, name, edge_node, ""),
            [group, name, edge_node, device] => (group, name, edge_node, device),
            _ => return Err(format!("the topic is not {NAMESPACE}/GROUP/TYPE/NODE[/DEVICE]")),
        };
        let Some((_, message, has_device)) = TYPES.iter().find(|(known, ..)| *known == name) else {
            return Err(format!("unknown message type '{name}' in the topic"));
        };
        if *has_device == device.is_empty() {
            let not = if *has_device { "needs a device" } else { "has no device" };
            return Err(format!("{name} {not} at the end of its topic"));
        }
        let message = *message;
        Ok(Self::Node(NodeTopic { message, prefix, is_certificate, group, edge_node, device }))
    }
}

impl NodeTopic<'_> {
    /// Writes the unique name of the edge node.
    pub(super) fn put_key(&self, key: &mut String) {
        key.clear();
        for part in [self.prefix, self.group, "/", self.edge_node] {
            key.push_str(part);
        }
    }

    /// The topic of another message of the same edge node.
    pub(super) fn of(&self, message: SparkplugType, device: &str) -> String {
        let Self { prefix, group, edge_node, .. } = self;
        let found = TYPES.iter().find(|(_, known, _)| *known == message);
        let (name, has_device) = found.map_or(("", false), |(name, _, has_device)| (*name, *has_device));
        let device = if has_device { format!("/{device}") } else { String::new() };
        format!("{prefix}{NAMESPACE}/{group}/{name}/{edge_node}{device}")
    }

    /// One topic for each type of message that the edge node counts in `seq`, with this device.
    pub(super) fn counted(&self, device: &str) -> impl Iterator<Item = String> {
        use SparkplugType as T;
        [T::NodeBirth, T::NodeData, T::DeviceBirth, T::DeviceData, T::DeviceDeath]
            .map(|message| self.of(message, device))
            .into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn topics_are_parsed() {
        for (topic, message, key) in [
            ("spBv1.0/G/NBIRTH/E", SparkplugType::NodeBirth, "G/E"),
            ("spBv1.0/G 1/DDATA/E/D/", SparkplugType::DeviceData, ""),
            ("spBv1.0/G/DDATA/E/D", SparkplugType::DeviceData, "G/E"),
            ("site/7/spBv1.0/G/DCMD/E/D", SparkplugType::DeviceCommand, "site/7/G/E"),
            ("spBv1.0/spBv1.0/NDATA/NDATA", SparkplugType::NodeData, "spBv1.0/NDATA"),
            ("spBv1.0/STATE/NDATA/E", SparkplugType::NodeData, "STATE/E"),
        ] {
            let parsed = SparkplugTopic::parse(topic);
            if key.is_empty() {
                assert_eq!(parsed, Err("a level of the topic is empty".into()));
                continue;
            }
            let Ok(SparkplugTopic::Node(parsed)) = parsed else { panic!("{topic}: {parsed:?}") };
            let mut found = String::new();
            parsed.put_key(&mut found);
            assert_eq!((parsed.message, found.as_str()), (message, key), "{topic}");
            assert_eq!(parsed.of(message, parsed.device), topic);
        }
        let certificate = SparkplugTopic::parse("$sparkplug/certificates/spBv1.0/G/DBIRTH/E/D");
        let Ok(SparkplugTopic::Node(certificate)) = certificate else { panic!("{certificate:?}") };
        assert!(certificate.is_certificate);
        assert_eq!(certificate.of(SparkplugType::NodeCommand, ""), "spBv1.0/G/NCMD/E");
        assert_eq!(SparkplugTopic::parse("spBv1.0/STATE/h"), Ok(SparkplugTopic::State { is_json: true }));
        assert_eq!(SparkplugTopic::parse("STATE/h"), Ok(SparkplugTopic::State { is_json: false }));
    }

    #[test]
    fn other_topics_are_refused() {
        for (topic, why) in [
            ("a/b", "the topic has no level 'spBv1.0', as those of Sparkplug B do"),
            ("STATE/a/b", "the topic has no level 'spBv1.0', as those of Sparkplug B do"),
            ("spAv1.0/G/NDATA/E", "the topic has no level 'spBv1.0', as those of Sparkplug B do"),
            ("spBv1.0", "the topic is not spBv1.0/GROUP/TYPE/NODE[/DEVICE]"),
            ("spBv1.0/G/NDATA", "the topic is not spBv1.0/GROUP/TYPE/NODE[/DEVICE]"),
            ("spBv1.0/G/DDATA/E/D/x", "the topic is not spBv1.0/GROUP/TYPE/NODE[/DEVICE]"),
            ("spBv1.0//NDATA/E", "a level of the topic is empty"),
            ("spBv1.0/G/ndata/E", "unknown message type 'ndata' in the topic"),
            ("spBv1.0/G/NDATA/E/D", "NDATA has no device at the end of its topic"),
            ("spBv1.0/G/DDATA/E", "DDATA needs a device at the end of its topic"),
        ] {
            assert_eq!(SparkplugTopic::parse(topic), Err(why.into()), "{topic}");
        }
    }
}
