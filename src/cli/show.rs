//! `mqtt config show`: what a connection would be made with, and where each value came from.

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches};

use super::connection::{ConnectionArgs, Purpose};
use super::manual::Manual;
use super::secret::{self, MASK};
use super::sources::{Given, LeftOut};
use super::subcommand::{Called, Line, Resolved};
use super::usage::without_secrets;
use crate::error::Error;
use crate::net::{Address, Endpoint, Transport};
use crate::notation::printable;

/// Show what a connection would be made with
///
/// Takes the connection options of every other command, and shows each value that is not the
/// default, and where it came from: a flag, the environment, the options file or a profile. Passwords
/// and other secrets are not shown.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ConfigArgs {
    /// What to do: show
    #[arg(value_parser = ["show"], value_name = "ACTION", hide_possible_values = true)]
    action: String,

    #[command(flatten)]
    pub(super) connection: ConnectionArgs,
}

pub(super) static MANUAL: Manual = Manual {
    common: &["profile"],
    examples: &[
        ("Show the settings in effect", "mqtt config show"),
        ("Show those of a profile, with another port", "mqtt config show --profile work -p 8884"),
    ],
    bugs: &[
        "The command connects to no broker and looks no host name up: a setting that is shown may still be \
         refused by the broker.",
        "Options that only some subcommands have (topics, payloads, output) are not shown.",
    ],
};

impl Called for ConfigArgs {
    fn connection_mut(&mut self) -> Option<&mut ConnectionArgs> {
        Some(&mut self.connection)
    }

    fn resolve(self: Box<Self>, line: &Line<'_>) -> Result<Resolved, Error> {
        let Line { definition, matches, given, left_out } = *line;
        let standing = self.connection.standing();
        let checked = self.connection.check(Purpose::default());
        let (client, problem) = match checked {
            Ok((client, _)) => (Some(client), None),
            // Nothing holds.
            Err(error @ Error::Usage { .. }) => return Err(error),
            Err(error) => (None, Some(error)),
        };
        let mut rows = Vec::new();
        let endpoints =
            client.iter().flat_map(|client| std::iter::once(&client.endpoint).chain(&client.fallbacks));
        for endpoint in endpoints {
            rows.push(("broker".into(), printable(&resolved(endpoint)), "resolved".into()));
        }
        for arg in definition.get_arguments() {
            let id = arg.get_id().as_str();
            let holds = match arg.get_help_heading() {
                Some("Connection") => !standing.overruled.contains(&id),
                // The options of TLS, or the one that turns it off.
                Some("TLS") => {
                    client.as_ref().is_none_or(|client| (id == "no_tls") == client.endpoint.tls.is_none())
                }
                _ => false,
            };
            if !holds || arg.is_hide_set() {
                continue;
            }
            let Some(row) = row(arg, matches, given) else { continue };
            if id == "url" {
                let source = format!("{}, in url", row.2);
                let user_name = standing.url_user_name.as_deref().map(|name| ("username", printable(name)));
                let password = standing.url_password.then(|| ("password", MASK.to_owned()));
                let in_url = user_name.into_iter().chain(password);
                rows.extend(in_url.map(|(name, value)| (name.to_owned(), value, source.clone())));
            }
            rows.push(row);
        }
        if let Some(LeftOut { profile, options, why }) = left_out {
            let profile = printable(profile);
            rows.push(("left out".into(), options.join(", "), format!("profile '{profile}': {why}")));
        }
        let width =
            |column: fn(&(String, String, String)) -> usize| rows.iter().map(column).max().unwrap_or(0);
        let (names, values) = (width(|row| row.0.len()), width(|row| row.1.chars().count()).min(60));
        let row_text = |(name, value, source): &(String, String, String)| {
            format!("{name:names$}  {value:values$}  {source}\n")
        };
        Ok(Resolved::Print { text: rows.iter().map(row_text).collect(), problem })
    }
}

/// The broker as a URL that -L takes, without secrets. A Unix socket has no URL.
fn resolved(endpoint: &Endpoint) -> String {
    let (scheme, path) = match &endpoint.transport {
        Transport::Plain => ("mqtt", ""),
        Transport::Tls => ("mqtts", ""),
        Transport::WebSocket(options) => ("ws", options.path.as_str()),
        Transport::SecureWebSocket(options) => ("wss", options.path.as_str()),
    };
    match (&endpoint.address, &endpoint.transport) {
        (Address::Unix(socket), Transport::Plain) => format!("Unix socket {}", socket.display()),
        (Address::Unix(socket), _) => format!("Unix socket {} ({scheme})", socket.display()),
        (address, _) => format!("{scheme}://{address}{}", without_secrets(path)),
    }
}

/// Name, value and source of an option that has a value.
fn row(arg: &Arg, matches: &ArgMatches, given: &[Given]) -> Option<(String, String, String)> {
    let id = arg.get_id().as_str();
    let source = match matches.value_source(id)? {
        ValueSource::CommandLine => match given.iter().find(|one| one.id == id) {
            Some(one) => one.place.to_string(),
            None => "flag".into(),
        },
        ValueSource::EnvVariable => format!("environment, {}", arg.get_env()?.to_string_lossy()),
        _ => "default".into(),
    };
    let masked = |value: &std::ffi::OsStr| {
        let value = value.to_string_lossy();
        secret::kind(arg).map_or_else(|| value.clone().into_owned(), |kind| kind.masked(&value))
    };
    let values: Vec<String> = matches.get_raw(id).into_iter().flatten().map(masked).collect();
    if !arg.get_action().takes_values() && !matches.get_flag(id) {
        return None;
    }
    let value = if arg.get_action().takes_values() { values.join(", ") } else { "true".into() };
    Some((arg.get_long()?.to_owned(), printable(&value), source))
}
