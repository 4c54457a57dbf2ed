//! The settings of the connection that a run needs. Other settings in the environment and in files are not
//! checked.

use clap::{Arg, Command};

use super::headings::is_of_connection;
use super::sources::{NAMES_FILES, belongs_to_host};

/// How a run uses the options of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Needs {
    /// The broker of the run.
    broker: BrokerChoice,
    /// The groups of options without effect.
    without: &'static [&'static [&'static str]],
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum BrokerChoice {
    /// The run connects to no broker.
    None,
    /// A broker that the run starts itself.
    Own,
    /// The broker that the options name.
    Named,
}

/// Whether it resumes a session.
const CLEAN: &[&str] = &["disable_clean_session"];
/// How sessions begin and end.
const SESSION: &[&str] = &["disable_clean_session", "session_expiry"];
/// How connections are retried.
const LINK: &[&str] = &["reconnect", "wait_for_server", "reconnect_max_delay", "follow_redirect"];
/// How many messages are in flight.
const WINDOW: &[&str] = &["max_inflight"];

impl Needs {
    /// A run that uses all options.
    pub(super) const EVERYTHING: Self = Self { broker: BrokerChoice::Named, without: &[] };
    /// A run without a connection.
    pub(super) const NOTHING: Self = Self { broker: BrokerChoice::None, without: &[] };
    /// A run that starts its own broker.
    pub(super) const OWN_BROKER: Self = Self { broker: BrokerChoice::Own, without: &[CLEAN, LINK] };
    /// A run that begins and ends the sessions itself.
    pub(super) const OWN_SESSIONS: Self = Self { broker: BrokerChoice::Named, without: &[SESSION] };
    /// A run that makes each connection once, and sends one message on it.
    pub(super) const OWN_LINKS: Self = Self { broker: BrokerChoice::Named, without: &[LINK, WINDOW] };
    /// Both of these.
    pub(super) const OWN_SESSIONS_AND_LINKS: Self =
        Self { broker: BrokerChoice::Named, without: &[SESSION, LINK, WINDOW] };
    /// A new session, whose expiry options may set, on a connection that is made once.
    pub(super) const LOAD: Self = Self { broker: BrokerChoice::Named, without: &[CLEAN, LINK] };
    /// The same, without messages of its own.
    pub(super) const LOAD_RECEIVING: Self =
        Self { broker: BrokerChoice::Named, without: &[CLEAN, LINK, WINDOW] };
    /// A run that begins and ends the sessions itself, and sends no messages.
    pub(super) const OWN_SESSIONS_RECEIVING: Self =
        Self { broker: BrokerChoice::Named, without: &[SESSION, WINDOW] };
    /// A run that sends no messages, or one at a time.
    pub(super) const RECEIVING: Self = Self { broker: BrokerChoice::Named, without: &[WINDOW] };

    /// Whether the run uses an option.
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
