//! The refusal of the watching client.

use crate::error::{Denial, Error};

/// The hint if the broker refuses the watching user.
pub(super) const WATCHER_CREDENTIALS: &str = "the user name (--watch-as) or the password (--watch-password) is wrong or missing, or this user has no right \
     to connect";

/// Whether the error is that the watching client may not connect.
pub(super) fn is_refused_watcher(error: &Error) -> bool {
    matches!(error, Error::Refused { denial: Denial::Connack, .. }) && error.is_about_credentials()
}

/// The hint for such an error, if the watcher's user differs from the publisher's.
pub(super) fn why(error: &Error, is_other_user: bool) -> String {
    let is_refused = is_other_user && is_refused_watcher(error);
    if is_refused { format!("; {WATCHER_CREDENTIALS}") } else { String::new() }
}
