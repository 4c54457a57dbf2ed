//! Facts about a run that improve the hints of its errors.

use crate::error::Error;

/// Facts about a run for the hints of possible errors.
#[derive(Debug, Clone, Default)]
pub struct FurtherHints {
    /// Why the credentials may not be those that the broker expects.
    pub denied: Option<String>,
    /// Why the host may not be the intended one.
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
