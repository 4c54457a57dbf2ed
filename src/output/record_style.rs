//! The style of JSON records.

/// How records are written (`%j`, `%J`, `--json`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum RecordStyle {
    /// Time in UTC; indented with blanks.
    #[default]
    Own,
    /// Like mosquitto's clients: local time, `null` for an empty payload; indented with tabs.
    Mosquitto,
}
