//! The settings of a profile that belong to its host: port, TLS, WebSocket, proxy, credentials.
//!
//! An option belongs to a host if it is defined in a clap group whose identifier begins with `host::`; there
//! is no other list.

use std::fmt;

use clap::{Arg, Command};

use crate::cli::text::shown;

/// The prefix of the groups of options that belong to a host.
const GROUP: &str = "host::";
/// The group of the TLS options.
const TLS: &str = "host::tls";
/// The groups of the options that authenticate the client to the broker.
const PROOFS: [&str; 2] = ["host::credentials", "host::authentication"];

/// Whether an option belongs to the host.
pub(crate) fn belongs(definition: &Command, arg: &Arg) -> bool {
    is_in_group(definition, arg.get_id().as_str(), GROUP)
}

fn is_in_group(definition: &Command, id: &str, group: &str) -> bool {
    let mut groups = definition.get_groups().filter(|one| one.get_id().as_str().starts_with(group));
    groups.any(|group| group.get_args().any(|member| member == id))
}

/// Options of a profile that are not used, because they belong to another host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LeftOut {
    /// The profile's name.
    pub(crate) profile: String,
    /// The names of the options.
    pub(crate) options: Vec<String>,
    pub(crate) why: Why,
}

/// Why options are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Why {
    /// The profile is for other hosts than the run.
    AnotherHost { of_profile: Vec<String>, named: Vec<String> },
    /// The run connects to the broker that `mqtt broker` has started for it.
    StartedBroker,
    /// The connection is without TLS.
    Plain {
        asked_by: PlainReason,
        /// Whether the profile's port is left out too, because a URL without TLS implies another port.
        port: bool,
        /// Whether the credentials are left out too: the profile alone would use TLS, so they must not be
        /// sent unencrypted.
        credentials: bool,
    },
}

/// The setting that asks for a connection without TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PlainReason {
    /// A URL of this scheme.
    Scheme(&'static str),
    /// `--no-tls`.
    NoTls,
    /// Host, port and socket together.
    Rest,
}

impl Why {
    /// Whether that option is left out for this reason.
    pub(crate) fn covers(&self, definition: &Command, id: &str) -> bool {
        match self {
            Self::AnotherHost { .. } | Self::StartedBroker => is_in_group(definition, id, GROUP),
            Self::Plain { port, credentials, .. } => {
                let is_proof =
                    || id == "ws_header" || PROOFS.iter().any(|group| is_in_group(definition, id, group));
                *port && id == "port" || is_in_group(definition, id, TLS) || *credentials && is_proof()
            }
        }
    }

    /// Whether only the secrets in this option are left out.
    pub(crate) fn covers_secrets_in(&self, id: &str) -> bool {
        matches!(self, Self::Plain { credentials: true, .. }) && ["url", "ws_path"].contains(&id)
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |hosts: &[String]| shown(hosts.join(", ").as_ref());
        match self {
            Self::AnotherHost { of_profile, named } => {
                write!(f, "they belong to {}, and the broker is {}", list(of_profile), list(named))
            }
            Self::StartedBroker => f.write_str("the broker is the one that mqtt broker has started"),
            Self::Plain { asked_by: PlainReason::Scheme(scheme), .. } => {
                write!(f, "{scheme}:// is a connection without TLS")
            }
            Self::Plain { asked_by: PlainReason::NoTls, .. } => {
                f.write_str("--no-tls makes the connection one without TLS")
            }
            Self::Plain { asked_by: PlainReason::Rest, .. } => f.write_str("the connection is without TLS"),
        }
    }
}

impl fmt::Display for LeftOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { profile, options, .. } = self;
        let profile = shown(profile.as_ref());
        write!(f, "of the profile '{profile}', {} left out: {}", were(options), self.reason())
    }
}

impl LeftOut {
    /// The reason as text.
    pub(crate) fn reason(&self) -> String {
        match &self.why {
            Why::Plain { asked_by: PlainReason::Scheme(scheme), .. } if self.options == ["port"] => {
                format!("the port is the one of the {scheme}:// URL")
            }
            why => why.to_string(),
        }
    }
}

fn were(options: &[String]) -> String {
    let verb = if options.len() == 1 { "is" } else { "are" };
    format!("{} {verb}", options.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::headings::is_of_connection;
    use crate::cli::secret;

    /// A new connection option must either belong to the host, or be listed here.
    const OF_ANY_HOST: [&str; 17] = [
        "client_id",
        "id_prefix",
        "protocol_version",
        "keepalive",
        "disable_clean_session",
        "session_expiry",
        "max_inflight",
        "max_packet_size",
        "connect_timeout",
        "reconnect",
        "reconnect_max_delay",
        "follow_redirect",
        "wait_for_server",
        "profile",
        "config",
        "options_file",
        "nodelay",
    ];

    #[test]
    fn every_option_of_the_connection_belongs_to_the_host_or_to_any() {
        let command = crate::cli::command();
        let modes = command.get_subcommands().flat_map(Command::get_subcommands);
        let mut count = 0;
        for definition in command.get_subcommands().chain(modes) {
            for arg in definition.get_arguments() {
                let id = arg.get_id().as_str();
                let is_of_connection = is_of_connection(arg);
                let of_host = is_of_connection && !OF_ANY_HOST.contains(&id);
                assert_eq!(belongs(definition, arg), of_host, "{} {id}", definition.get_name());
                let is_secret = is_of_connection && secret::kind(arg).is_some();
                assert!(of_host || !is_secret, "{} {id}", definition.get_name());
                count += usize::from(of_host);
            }
        }
        assert!(count > 100, "{count}");
    }
}
