//! How much is said on standard error.

/// What is said on standard error beside errors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Verbosity {
    /// Nothing but usage errors (`--quiet`).
    Quiet,
    /// Errors and changes of state.
    #[default]
    Normal,
    /// The events of [`Verbosity::Events`] that are no packets (`--json-events=state`).
    States,
    /// Every packet (`-d`).
    Debug,
    /// Everything as JSON: the first connection, the end of the last and every packet too
    /// (`--json-events`).
    Events,
}

impl Verbosity {
    /// Whether standard error is for a program.
    #[must_use]
    pub fn is_json(self) -> bool {
        matches!(self, Self::States | Self::Events)
    }
}
