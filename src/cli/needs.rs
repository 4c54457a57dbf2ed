//! Which settings of the connection a run needs. Other settings in the environment and in files are not
//! checked.

use clap::{Arg, Command};

use super::headings::is_of_connection;
use super::sources::{NAMES_FILES, belongs_to_host};

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
    /// It makes each connection once.
    OwnLinks,
    /// Both.
    OwnSessionsAndLinks,
    /// A session of its own, of a length that options may give, on a connection that is made once.
    Load,
}

impl Needs {
    /// Whether an option says something about the run.
    pub(super) fn has(self, definition: &Command, arg: &Arg) -> bool {
        const CLEAN: [&str; 1] = ["disable_clean_session"];
        const SESSION: [&str; 2] = ["disable_clean_session", "session_expiry"];
        const LINK: [&str; 4] = ["reconnect", "wait_for_server", "reconnect_max_delay", "follow_redirect"];
        if !is_of_connection(arg) {
            return true;
        }
        let id = arg.get_id().as_str();
        let is_any = |ids: [&[&str]; 2]| ids.iter().any(|ids| ids.contains(&id));
        match self {
            Self::Everything => true,
            Self::Nothing => false,
            Self::OwnSessions => !SESSION.contains(&id),
            Self::OwnLinks => !LINK.contains(&id),
            Self::OwnSessionsAndLinks => !is_any([&SESSION, &LINK]),
            Self::Load => !is_any([&CLEAN, &LINK]),
            Self::OwnBroker => {
                !(is_any([&CLEAN, &LINK]) || NAMES_FILES.contains(&id) || belongs_to_host(definition, arg))
            }
        }
    }
}
