//! Which settings of the connection a run needs. Other settings in the environment and in files are not
//! checked.

use clap::Arg;

use super::sources::{CREDENTIALS, NAMES_FILES};
use super::{secret, target};

/// What a run does with the options of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// It connects with all of them.
    Everything,
    /// It makes no connection.
    Nothing,
    /// It brings the broker along.
    OwnBroker,
    /// It begins and ends the sessions itself.
    OwnSessions,
    /// The same, and it does not reconnect.
    Load,
}

impl Needs {
    /// Whether an option says something about the run.
    pub(super) fn has(self, arg: &Arg) -> bool {
        const SESSION: [&str; 2] = ["disable_clean_session", "session_expiry"];
        const LINK: [&str; 4] =
            ["disable_clean_session", "reconnect", "wait_for_server", "reconnect_max_delay"];
        if !matches!(arg.get_help_heading(), Some("Connection" | "TLS")) {
            return true;
        }
        let id = arg.get_id().as_str();
        match self {
            Self::Everything => true,
            Self::Nothing => false,
            Self::OwnSessions => !SESSION.contains(&id),
            Self::Load => !LINK.contains(&id),
            Self::OwnBroker => {
                let is_brokers = target::IDS.contains(&id) || arg.get_help_heading() == Some("TLS");
                let is_users = CREDENTIALS.contains(&id) || secret::kind(arg).is_some();
                !(LINK.contains(&id) || is_brokers || is_users || NAMES_FILES.contains(&id))
            }
        }
    }
}
