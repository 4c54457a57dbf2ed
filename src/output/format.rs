//! The forms in which messages are written.

use super::template::Template;

/// How a received message is written to standard output.
#[derive(Debug, Clone, PartialEq)]
pub enum MessageFormat {
    /// The payload, preceded by the topic (`-v`) and followed by a newline (not with `-N`).
    Text {
        /// Whether topic and a space precede the payload.
        verbose: bool,
        /// Whether a newline follows the payload.
        newline: bool,
    },
    /// One JSON object per line (`--json`), indented with `--pretty`.
    Json {
        /// Indented over several lines.
        pretty: bool,
    },
    /// The user's own format (`-F`).
    Template(Template),
}

impl MessageFormat {
    /// Whether messages are shown with their properties (MQTT 5).
    #[must_use]
    pub fn shows_properties(&self) -> bool {
        match self {
            Self::Text { .. } => false,
            Self::Json { .. } => true,
            Self::Template(template) => template.shows_properties(),
        }
    }

    /// The same format in the style of mosquitto's clients.
    #[must_use]
    pub fn in_style_of_mosquitto(self) -> Self {
        match self {
            Self::Template(template) => Self::Template(template.in_style_of_mosquitto()),
            other => other,
        }
    }
}
