//! How much is written to standard error.

/// What is written to standard error besides errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Verbosity {
    /// Only usage errors (`--quiet`).
    Quiet,
    /// Errors and changes of state.
    #[default]
    Normal,
    /// The events of [`Verbosity::Events`] except packets (`--json-events=state`).
    States,
    /// Also every packet (`-d`).
    Debug,
    /// Everything as JSON, including the first connection, the end of the last and every packet
    /// (`--json-events`).
    Events,
}

impl Verbosity {
    /// Whether standard error is written for programs.
    #[must_use]
    pub fn is_json(self) -> bool {
        matches!(self, Self::States | Self::Events)
    }
}
