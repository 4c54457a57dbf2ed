//! The refusal of the client that watches.

use crate::error::{Denial, Error};

/// What may be wrong where the broker refuses the user that watches.
pub(super) const WATCHER_CREDENTIALS: &str = "the user name (--watch-as) or the password (--watch-password) is wrong or missing, or this user has no right \
     to connect";

/// Whether the client that watches may not connect, by what it says of itself.
pub(super) fn is_refused_watcher(error: &Error) -> bool {
    matches!(error, Error::Refused { denial: Denial::Connack, .. }) && error.is_about_credentials()
}

/// The same behind an error, where the watcher is another user than the publisher.
pub(super) fn why(error: &Error, is_other_user: bool) -> String {
    let is_refused = is_other_user && is_refused_watcher(error);
    if is_refused { format!("; {WATCHER_CREDENTIALS}") } else { String::new() }
}
