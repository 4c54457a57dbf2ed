//! Which settings of the connection a run needs. Other settings in the environment and in files are not
//! checked.

use clap::{Arg, Command};

use super::headings::is_of_connection;
use super::sources::{NAMES_FILES, belongs_to_host};

/// What a run does with the options of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Needs {
    /// Which broker it connects to.
    broker: BrokerChoice,
    /// The options that say nothing about it.
    without: &'static [&'static [&'static str]],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BrokerChoice {
    /// None.
    None,
    /// The one that it brings along.
    Own,
    /// The one that the options name.
    Named,
}

/// Whether it goes on with a session that it finds.
const CLEAN: &[&str] = &["disable_clean_session"];
/// How the sessions begin and end.
const SESSION: &[&str] = &["disable_clean_session", "session_expiry"];
/// How often a connection is made.
const LINK: &[&str] = &["reconnect", "wait_for_server", "reconnect_max_delay", "follow_redirect"];
/// How many messages it sends at once.
const WINDOW: &[&str] = &["max_inflight"];

impl Needs {
    /// It connects with all of them.
    pub(super) const EVERYTHING: Self = Self { broker: BrokerChoice::Named, without: &[] };
    /// It makes no connection.
    pub(super) const NOTHING: Self = Self { broker: BrokerChoice::None, without: &[] };
    /// It brings the broker along.
    pub(super) const OWN_BROKER: Self = Self { broker: BrokerChoice::Own, without: &[CLEAN, LINK] };
    /// It begins and ends the sessions itself.
    pub(super) const OWN_SESSIONS: Self = Self { broker: BrokerChoice::Named, without: &[SESSION] };
    /// It makes each connection once, and sends one message on it.
    pub(super) const OWN_LINKS: Self = Self { broker: BrokerChoice::Named, without: &[LINK, WINDOW] };
    /// Both.
    pub(super) const OWN_SESSIONS_AND_LINKS: Self =
        Self { broker: BrokerChoice::Named, without: &[SESSION, LINK, WINDOW] };
    /// A session of its own, of a length that options may give, on a connection that is made once.
    pub(super) const LOAD: Self = Self { broker: BrokerChoice::Named, without: &[CLEAN, LINK] };
    /// It sends no messages.
    pub(super) const RECEIVING: Self = Self { broker: BrokerChoice::Named, without: &[WINDOW] };

    /// Whether an option says something about the run.
    pub(super) fn has(self, definition: &Command, arg: &Arg) -> bool {
        if !is_of_connection(arg) {
            return true;
        }
        let id = arg.get_id().as_str();
        match self.broker {
            BrokerChoice::None => return false,
            BrokerChoice::Own if NAMES_FILES.contains(&id) || belongs_to_host(definition, arg) => {
                return false;
            }
            BrokerChoice::Own | BrokerChoice::Named => {}
        }
        !self.without.iter().any(|ids| ids.contains(&id))
    }
}
