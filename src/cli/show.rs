//! `mqtt config show`: the settings of a connection, and where each value came from.

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches};
use serde_json::{Value, json};

use super::connection::{ConnectionArgs, Purpose};
use super::headings::{TLS, is_of_connection};
use super::manual::Manual;
use super::secret::{self, MASK};
use super::sources::{self, FilePlace, Given, LeftOut, LookAlike, Rank};
use super::subcommand::{Called, CommandLine, Resolved};
use super::url::{host_alone, without_secrets};
use crate::error::Error;
use crate::net::{Address, Endpoint, Transport};
use crate::notation::printable;
use crate::output::stdout_columns;

/// Show the settings that a connection would use
///
/// Takes the connection options of every other command, and shows each value that is not the default, and
/// where it came from: a flag, the environment, the options file or a profile. Settings of a profile that are
/// not used, because they belong to another host, are listed. Passwords and other secrets are not shown; the paths
/// of files that hold them are.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct ShowArgs {
    /// Write one JSON object instead of text
    #[arg(long, help_heading = "Output")]
    json: bool,

    #[command(flatten)]
    pub(super) connection: ConnectionArgs,
}

pub(super) static MANUAL: Manual = Manual {
    common: &["json", "profile", "config"],
    examples: &[
        ("Show the settings in effect", "mqtt config show"),
        ("Show those of a profile, with another port", "mqtt config show --profile work -p 8884"),
        ("Print the URL of the broker alone", "mqtt config show --json | jq -r '.brokers[0]'"),
    ],
    bugs: &[
        "The command connects to no broker and looks no host name up: a setting that is shown may still be \
         refused by the broker.",
        "Options that only some subcommands have (topics, payloads, output) are not shown.",
    ],
};

/// A value and its origin.
struct ShownValue {
    name: String,
    value: String,
    source: ValueOrigin,
    /// Whether the value is part of the URL.
    in_url: bool,
}

enum ValueOrigin {
    Flag,
    Variable(String),
    File(FilePlace, Rank),
    Default,
}

impl ShownValue {
    fn source(&self) -> String {
        let source = match &self.source {
            ValueOrigin::Flag => "flag".to_owned(),
            ValueOrigin::Variable(name) => format!("environment, {name}"),
            ValueOrigin::File(place, _) => place.to_string(),
            ValueOrigin::Default => "default".to_owned(),
        };
        if self.in_url { source + ", in url" } else { source }
    }

    fn json(&self) -> Value {
        let mut row = json!({ "name": self.name, "value": self.value });
        let mut put = |key: &str, value: Value| row[key] = value;
        match &self.source {
            ValueOrigin::Flag => put("source", "flag".into()),
            ValueOrigin::Default => put("source", "default".into()),
            ValueOrigin::Variable(name) => {
                put("source", "environment".into());
                put("variable", name.as_str().into());
            }
            ValueOrigin::File(place, rank) => {
                let is_profile = *rank == Rank::Profile;
                put("source", if is_profile { "profile" } else { "options-file" }.into());
                put("file", place.file.path.display().to_string().into());
                put("line", place.line.into());
            }
        }
        if self.in_url {
            put("in_url", true.into());
        }
        row
    }
}

impl Called for ShowArgs {
    fn connection_mut(&mut self) -> Option<&mut ConnectionArgs> {
        Some(&mut self.connection)
    }

    fn is_for_reader(&self) -> bool {
        true
    }

    fn resolve(self: Box<Self>, line: &CommandLine<'_>) -> Result<Resolved, Error> {
        let CommandLine { definition, matches, given, left_out } = *line;
        let standing = self.connection.standing();
        let checked = self.connection.check(Purpose::default());
        let (client, problem) = match checked {
            Ok((client, _)) => (Some(client), None),
            // The options contradict each other, so no value can be shown.
            Err(error @ Error::Usage { .. }) => return Err(line.with_places(error)),
            Err(error) => (None, Some(line.with_places(error))),
        };
        let endpoints =
            client.iter().flat_map(|client| std::iter::once(&client.endpoint).chain(&client.fallbacks));
        let brokers: Vec<String> = endpoints.map(|endpoint| printable(&resolved(endpoint))).collect();
        let mut rows = Vec::new();
        for arg in definition.get_arguments() {
            let id = arg.get_id().as_str();
            let holds = if arg.get_help_heading() == Some(TLS) {
                // Either the options of TLS, or the one that turns it off.
                client.as_ref().is_none_or(|client| (id == "no_tls") == client.endpoint.tls.is_none())
            } else {
                is_of_connection(arg) && !standing.overruled.contains(&id)
            };
            if !holds || arg.is_hide_set() {
                continue;
            }
            let Some(row) = row(arg, matches, given) else { continue };
            if id == "url" {
                let user_name = standing.url_user_name.as_deref().map(|name| ("username", printable(name)));
                let password = standing.url_password.then(|| ("password", MASK.to_owned()));
                for (name, value) in user_name.into_iter().chain(password) {
                    let source = source(arg, matches, given);
                    rows.extend(source.map(|source| ShownValue {
                        name: name.into(),
                        value,
                        source,
                        in_url: true,
                    }));
                }
            }
            rows.push(row);
        }
        let unread = sources::look_alikes(|| <Self as clap::Args>::augment_args(clap::Command::new("show")));
        let text = if self.json {
            json_text(&brokers, &rows, left_out, &unread, problem.as_ref())
        } else {
            text(&brokers, &rows, left_out, &unread, stdout_columns().map(usize::from))
        };
        Ok(Resolved::Print { text, problem })
    }
}

/// A table whose rows fit 80 columns if possible. On a terminal, the origin is put on the next line if a row
/// is too long.
fn text(
    brokers: &[String],
    rows: &[ShownValue],
    left_out: Option<&LeftOut>,
    unread: &[LookAlike],
    screen: Option<usize>,
) -> String {
    const USUAL_COLUMNS: usize = 80;
    const GAPS: usize = 4;
    let brokers = brokers.iter().map(|broker| ["broker".to_owned(), broker.clone(), "resolved".to_owned()]);
    let values = rows.iter().map(|row| [row.name.clone(), row.value.clone(), row.source()]);
    let all: Vec<[String; 3]> = brokers.chain(values).collect();
    let width = |column: usize| all.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let columns = screen.unwrap_or(USUAL_COLUMNS);
    let names = width(0);
    let values = width(1).min(columns.saturating_sub(names + width(2) + GAPS));
    let left_out = left_out.map(|left_out| {
        let reason = format!("profile '{}': {}", printable(&left_out.profile), left_out.reason());
        ["left out".to_owned(), left_out.options.join(", "), reason]
    });
    let unread: Vec<_> = unread
        .iter()
        .map(|one| {
            ["not read".to_owned(), one.name.clone(), format!("the variable is called {} here", one.meant)]
        })
        .collect();
    let rows = all.iter().chain(&left_out).chain(&unread);
    let lines = rows.map(|[name, value, source]| {
        let taken = names + value.chars().count().max(values) + source.chars().count() + GAPS;
        if screen.is_some_and(|columns| taken > columns) {
            return format!("{name:names$}  {value}\n{:names$}  {source}\n", "");
        }
        format!("{name:names$}  {value:values$}  {source}\n")
    });
    lines.collect::<Vec<_>>().concat()
}

fn json_text(
    brokers: &[String],
    rows: &[ShownValue],
    left_out: Option<&LeftOut>,
    unread: &[LookAlike],
    problem: Option<&Error>,
) -> String {
    let options: Vec<Value> = rows.iter().map(ShownValue::json).collect();
    let mut report = json!({ "type": "config", "version": 1, "brokers": brokers, "options": options });
    if let Some(left_out @ LeftOut { profile, options, .. }) = left_out {
        report["left_out"] = json!({ "profile": profile, "options": options, "reason": left_out.reason() });
    }
    if !unread.is_empty() {
        let rows = unread.iter().map(|one| json!({ "variable": one.name, "meant": one.meant }));
        report["not_read"] = rows.collect();
    }
    if let Some(error) = problem {
        report["error"] = json!({ "message": error.to_string(), "exit_status": error.exit().code() });
        if let Some(hint) = error.hint() {
            report["error"]["hint"] = hint.into();
        }
    }
    report.to_string() + "\n"
}

/// The broker as a URL for -L, without secrets. A Unix socket has no URL.
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

/// Name, value and origin of an option that has a value.
fn row(arg: &Arg, matches: &ArgMatches, given: &[Given]) -> Option<ShownValue> {
    let id = arg.get_id().as_str();
    let source = source(arg, matches, given)?;
    let masked = |value: &std::ffi::OsStr| {
        let value = value.to_string_lossy();
        match secret::kind(arg) {
            Some(kind) => kind.masked(&value),
            // It may have been meant as a URL.
            None if id == "host" => host_alone(&value),
            None => value.into_owned(),
        }
    };
    let values: Vec<String> = matches.get_raw(id).into_iter().flatten().map(masked).collect();
    if !arg.get_action().takes_values() && !matches.get_flag(id) {
        return None;
    }
    let value = if arg.get_action().takes_values() { values.join(", ") } else { "true".into() };
    Some(ShownValue { name: arg.get_long()?.to_owned(), value: printable(&value), source, in_url: false })
}

fn source(arg: &Arg, matches: &ArgMatches, given: &[Given]) -> Option<ValueOrigin> {
    let id = arg.get_id().as_str();
    Some(match matches.value_source(id)? {
        ValueSource::CommandLine => match given.iter().find(|one| one.id == id) {
            Some(one) => ValueOrigin::File(one.place.clone(), one.rank),
            None => ValueOrigin::Flag,
        },
        ValueSource::EnvVariable => ValueOrigin::Variable(arg.get_env()?.to_string_lossy().into_owned()),
        _ => ValueOrigin::Default,
    })
}
