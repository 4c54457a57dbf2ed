//! One topic with the remembered part of its retained message, and its fate.

use std::hash::{DefaultHasher, Hasher as _};

use crate::notation::printable;
use crate::protocol::QoS;
use crate::protocol::property::{PropertyId, Value};
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::Publish;
use crate::quantity::counted;

/// The fate of a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Received, and not cleared.
    Kept,
    /// Received, but the scan ended before it was written to the backup.
    NotInBackup,
    /// Selected, but the run ended before anything was sent.
    NotSent,
    /// Sent, but not acknowledged before the run ended.
    Unconfirmed,
    /// Acknowledged by the broker.
    Acknowledged,
    /// Refused by the broker, or excluded by its limits.
    Refused(ReasonCode),
    /// Acknowledged, and no longer there.
    Cleared,
    /// Acknowledged, but the same message is still there.
    StillThere,
    /// Another message was published to the topic meanwhile.
    Republished,
    /// Not on the list: it is new, or the broker did not send it before.
    Appeared,
    /// The backup's message is retained again.
    Restored,
    /// The message has properties, which need MQTT 5.
    NeedsV5,
}

impl Fate {
    /// Its name in the JSON report.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::NotInBackup => "not-in-backup",
            Self::NotSent => "not-sent",
            Self::Unconfirmed => "unconfirmed",
            Self::Acknowledged => "acknowledged",
            Self::Refused(_) => "refused",
            Self::Cleared => "cleared",
            Self::StillThere => "still-there",
            Self::Republished => "republished",
            Self::Appeared => "appeared",
            Self::Restored => "restored",
            Self::NeedsV5 => "needs-mqtt-5",
        }
    }

    /// The reason shown for a topic that was not processed as requested; `None` if it was.
    pub(super) fn why_left(self) -> Option<String> {
        Some(match self {
            Self::Kept | Self::Cleared | Self::Restored => return None,
            Self::NotInBackup => "left alone: the scan ended before it was written to the backup".into(),
            Self::NotSent => "not done".into(),
            Self::Unconfirmed => "sent, but not acknowledged".into(),
            Self::Acknowledged => "acknowledged, but not verified".into(),
            Self::Refused(reason) => format!("refused: {reason}"),
            Self::StillThere => {
                "acknowledged, but still there: the broker does not let this user clear it or takes longer, or the \
                 same message was published again"
                    .into()
            }
            Self::Republished => "a new message was published meanwhile".into(),
            Self::Appeared => "not on the list: it is new, or the broker did not send it before".into(),
            Self::NeedsV5 => "not restored: its properties need MQTT 5".into(),
        })
    }
}

/// A topic. The payload is not kept: there may be a hundred thousand of any size.
#[derive(Debug, Clone)]
pub(super) struct RetainedTopic {
    pub(super) topic: Box<str>,
    pub(super) payload_bytes: u64,
    /// A hash that distinguishes payloads.
    pub(super) fingerprint: u64,
    pub(super) qos: QoS,
    pub(super) fate: Fate,
    /// The beginning of the payload and the properties, printable; empty if it is not shown.
    pub(super) preview: Box<str>,
}

/// Maximum number of payload bytes shown.
const PREVIEW_BYTES: usize = 40;
/// Maximum number of characters shown of the properties.
const PREVIEW_PROPERTY_CHARS: usize = 60;

/// Approximate overhead of an entry in a map, with its allocations.
const OVERHEAD_BYTES: usize = 100;

impl RetainedTopic {
    pub(super) fn of(topic: &str, message: &Publish<'_>, with_preview: bool, fate: Fate) -> Self {
        Self {
            topic: topic.into(),
            payload_bytes: message.payload.len() as u64,
            fingerprint: fingerprint(message.payload),
            qos: message.qos,
            fate,
            preview: if with_preview { preview(message) } else { Box::default() },
        }
    }

    /// The approximate memory of the entry, with its place in a map.
    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>() + self.topic.len() + self.preview.len() + OVERHEAD_BYTES
    }

    /// The line of the list.
    pub(super) fn line(&self) -> String {
        let Self { payload_bytes, qos, preview, .. } = self;
        format!("{}  QoS {qos}, {}{preview}", printable(&*self.topic), counted(*payload_bytes, "byte"))
    }
}

pub(super) fn fingerprint(payload: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(payload);
    hasher.finish()
}

fn preview(message: &Publish<'_>) -> Box<str> {
    let payload = message.payload;
    let shown = &payload[..payload.len().min(PREVIEW_BYTES)];
    let shown = match std::str::from_utf8(shown) {
        Ok(_) => shown,
        // Cut in the middle of a character, but valid before it.
        Err(error) if error.error_len().is_none() && shown.len() < payload.len() => {
            &shown[..error.valid_up_to()]
        }
        // Bytes that are not text take more space when shown.
        Err(_) => &shown[..shown.len().min(PREVIEW_BYTES / 2)],
    };
    let mut text = format!(": {}", printable(shown));
    if shown.len() < payload.len() {
        text.push('…');
    }
    let properties: Vec<String> = message.properties.iter().map(|p| described(p.id, p.value)).collect();
    if !properties.is_empty() {
        let all = properties.join(", ");
        let mut cut: String = all.chars().take(PREVIEW_PROPERTY_CHARS).collect();
        if cut.len() < all.len() {
            cut.push('…');
        }
        text.push_str("  (");
        text.push_str(&cut);
        text.push(')');
    }
    text.into()
}

fn described(id: PropertyId, value: Value<'_>) -> String {
    match value {
        Value::Number(number) => format!("{}={number}", id.name()),
        Value::Text(text) => format!("{}={}", id.name(), printable(text)),
        Value::Binary(bytes) => format!("{}={}", id.name(), printable(bytes)),
        Value::Pair(key, value) => format!("{}={}", printable(key), printable(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::property::PropertyBlock;

    fn line(payload: &[u8], properties: &PropertyBlock) -> String {
        let message = Publish {
            dup: false,
            qos: QoS::AtLeastOnce,
            retain: true,
            packet_identifier: 1,
            topic: b"a\nb",
            properties: properties.view(),
            payload,
        };
        RetainedTopic::of("a\nb", &message, true, Fate::Kept).line()
    }

    #[test]
    fn line_shows_control_characters_escaped() {
        let mut properties = PropertyBlock::default();
        assert_eq!(line(b"23.4", &properties), "a\\nb  QoS 1, 4 bytes: 23.4");
        assert_eq!(line(b"\x1b[2J", &properties), "a\\nb  QoS 1, 4 bytes: \\x1b[2J");
        assert_eq!(line(b"\xff\x00", &properties), "a\\nb  QoS 1, 2 bytes: \\xff\\x00");
        assert!(line(&[0xfe; 21], &properties).ends_with("\\xfe…"));
        assert_eq!(line(b"a\xc3", &properties), "a\\nb  QoS 1, 2 bytes: a\\xc3");
        let long = line("é".repeat(30).as_bytes(), &properties);
        assert!(long.ends_with(&format!(": {}…", "é".repeat(20))), "{long}");
        properties.push(PropertyId::ContentType, Value::Text("text/plain"));
        properties.push(PropertyId::UserProperty, Value::Pair("k", "v"));
        assert!(line(b"", &properties).ends_with("0 bytes:   (content-type=text/plain, k=v)"));
    }

    #[test]
    fn a_fingerprint_tells_payloads_apart() {
        assert_eq!(fingerprint(b"a"), fingerprint(b"a"));
        assert_ne!(fingerprint(b"a"), fingerprint(b"b"));
    }
}
