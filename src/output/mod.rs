//! The only room that writes to standard output and standard error.

/// What is said on standard error beside errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verbosity {
    /// Nothing but usage errors (`--quiet`).
    Quiet,
    /// Errors and changes of state.
    #[default]
    Normal,
    /// Every packet (`-d`).
    Debug,
}

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
}
