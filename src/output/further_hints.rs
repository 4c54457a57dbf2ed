//! What a run knows beside its errors, for their hints.

use crate::error::Error;

/// What is known about a run, for the hints of errors that may come of it.
#[derive(Debug, Clone, Default)]
pub struct FurtherHints {
    /// Why the credentials may not be those that the broker wants.
    pub denied: Option<String>,
    /// Why the host may not be the one that was meant.
    pub unreached: Option<String>,
    /// Why the broker may have closed the connection.
    pub closed: Option<String>,
}

impl FurtherHints {
    pub(super) fn of(&self, error: &Error) -> Option<&str> {
        let hint = if error.is_about_credentials() {
            &self.denied
        } else if error.is_unreached() {
            &self.unreached
        } else if error.is_closed() {
            &self.closed
        } else {
            &None
        };
        hint.as_deref()
    }
}
