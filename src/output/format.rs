//! The forms in which messages are written.

use super::template::Template;

/// How a received message is written to standard output.
#[derive(Debug, Clone, PartialEq)]
pub enum MessageFormat {
    /// Payload, with the topic before it (`-v`) and a newline behind it (not with `-N`).
    Text {
        /// Topic and a space before the payload.
        verbose: bool,
        /// A newline behind the payload.
        newline: bool,
    },
    /// One JSON object a line (`--json`), indented with `--pretty`.
    Json {
        /// Indented over several lines.
        pretty: bool,
    },
    /// The user's own (`-F`).
    Template(Template),
}

impl MessageFormat {
    /// The same as mosquitto's clients write it.
    #[must_use]
    pub fn in_style_of_mosquitto(self) -> Self {
        match self {
            Self::Template(template) => Self::Template(template.in_style_of_mosquitto()),
            other => other,
        }
    }
}
