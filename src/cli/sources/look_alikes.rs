//! Variables of the environment with names similar to those of this program, which are not read: `MQTT_USER`
//! beside `MQTT_USERNAME`.
//!
//! They may be for another program. So `mqtt config show` and `check` list all of them, but a run warns only
//! if no setting names its broker: then it would connect to this machine, which is hardly meant. If a broker
//! refuses the credentials, the hint names them.

use std::ffi::{OsStr, OsString};

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

use crate::cli::foreign::in_every_command;
use crate::nearest::nearest;

const PREFIX: &str = "MQTT_";

/// `sub --exec` sets both for its commands, and others for the properties of a message.
const OF_A_MESSAGE: [&str; 2] = ["MQTT_TOPIC", "MQTT_QOS"];

/// A variable that another tool would read for one of our options.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LookAlike {
    /// The name of the variable.
    pub(crate) name: String,
    /// The variable that this program reads.
    pub(crate) meant: String,
    /// The identifier of its option.
    pub(crate) id: String,
}

impl LookAlike {
    /// The warning text.
    pub(crate) fn text(&self) -> String {
        format!("{} is not read: the variable is called {} here", self.name, self.meant)
    }
}

/// The message about such variables for a run.
pub(crate) enum Unread {
    /// Written before the run.
    Warning(String),
    /// Added to the error if the broker refuses the credentials.
    OnDenial(String),
}

/// The message about variables whose options are not set otherwise. `define` makes the definition with
/// variables.
pub(crate) fn unread(
    matches: &ArgMatches,
    definition: &Command,
    define: impl FnOnce() -> Command,
) -> Option<Unread> {
    // The definition with variables costs more than the rest of reading a command line.
    if std::env::vars_os().all(|(name, _)| is_spelt_as_here(definition, &name)) {
        return None;
    }
    let source = |id: &str| matches.try_get_raw(id).ok().and_then(|_| matches.value_source(id));
    let is_open = |id: &str| source(id).is_none_or(|source| source == ValueSource::DefaultValue);
    let open: Vec<LookAlike> = look_alikes(define).into_iter().filter(|one| is_open(&one.id)).collect();
    if open.is_empty() {
        return None;
    }
    let text = open.iter().map(LookAlike::text).collect::<Vec<_>>().join("; ");
    let names_broker = ["host", "host_operand", "url", "unix", "embedded"].iter().any(|id| !is_open(id));
    let is_set = |arg: &Arg| source(arg.get_id().as_str()) == Some(ValueSource::EnvVariable);
    let uses_ours = definition.get_arguments().any(is_set);
    Some(if names_broker || uses_ours { Unread::OnDenial(text) } else { Unread::Warning(text) })
}

/// Whether a variable cannot be a look-alike: it has no `MQTT_` prefix, or the exact name of an option here.
fn is_spelt_as_here(definition: &Command, name: &OsStr) -> bool {
    let option = name.to_str().and_then(|name| name.strip_prefix(PREFIX)).map(|name| {
        name.bytes().map(|letter| if letter == b'_' { b'-' } else { letter.to_ascii_lowercase() })
    });
    option.is_none_or(|option| {
        definition
            .get_arguments()
            .any(|arg| arg.get_long().is_some_and(|long| long.bytes().eq(option.clone())))
    })
}

/// The variables with options of the connection and their secrets; a command that is run gets others.
pub(crate) fn connection_variables() -> Vec<OsString> {
    let names = std::env::vars_os().map(|(name, _)| name);
    names.filter(|name| name.as_encoded_bytes().starts_with(PREFIX.as_bytes())).collect()
}

/// The look-alikes that are set. `define` is called only if there may be one.
pub(crate) fn look_alikes(define: impl FnOnce() -> Command) -> Vec<LookAlike> {
    let is_set = |name: &str| std::env::var_os(name).is_some();
    let set: Vec<(String, OsString)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value)))
        .filter(|(name, value)| name.starts_with(PREFIX) && !value.is_empty())
        .collect();
    if set.is_empty() || OF_A_MESSAGE.iter().all(|name| is_set(name)) {
        return Vec::new();
    }
    let definition = define();
    let mut found: Vec<LookAlike> =
        set.iter().filter_map(|(name, value)| look_alike(&definition, name, value)).collect();
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found
}

fn look_alike(definition: &Command, name: &str, value: &OsStr) -> Option<LookAlike> {
    let with_variable = || definition.get_arguments().filter(|arg| variable(arg).is_some());
    if with_variable().any(|arg| variable(arg) == Some(name)) {
        return None;
    }
    let option = name.strip_prefix(PREFIX)?.to_lowercase().replace('_', "-");
    let value = value.to_string_lossy().to_lowercase();
    if ["0", "false", "no", "off"].contains(&&*value) {
        return None;
    }
    let is_called =
        |arg: &&Arg| arg.get_long_and_visible_aliases().is_some_and(|names| names.contains(&&*option));
    let row = || in_every_command(definition, &format!("--{option}"), &value);
    let near = || {
        let near = nearest(&option, with_variable().filter_map(Arg::get_long));
        let [near] = near[..] else { return None };
        with_variable().find(|arg| arg.get_long() == Some(near))
    };
    let arg = match (with_variable().find(is_called), row()) {
        (Some(arg), _) => Some(arg),
        // Such an option may have no equivalent here.
        (None, Some(row)) => row.argument(definition, |arg| variable(arg).is_some()),
        (None, None) => near(),
    };
    let arg = arg.filter(|arg| !arg.is_hide_set())?;
    let is_url = arg.get_id() == "host" && value.contains("://");
    let arg = if is_url { definition.get_arguments().find(|arg| arg.get_id() == "url")? } else { arg };
    Some(LookAlike { name: name.to_owned(), meant: variable(arg)?.to_owned(), id: arg.get_id().to_string() })
}

fn variable(arg: &Arg) -> Option<&str> {
    arg.get_env().and_then(OsStr::to_str)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_other_names_need_the_definition_with_variables() {
        let mut program = crate::cli::command();
        program.build();
        let definition = program.find_subcommand("pub").unwrap();
        for (name, spelt) in [
            ("MQTT_HOST", true),
            ("MQTT_TLS_ALPN", true),
            ("HOME", true),
            ("MQTT_USER", false),
            ("MQTT_BROKER", false),
            ("MQTT_HOSTS", false),
        ] {
            assert_eq!(is_spelt_as_here(definition, OsStr::new(name)), spelt, "{name}");
        }
    }

    #[test]
    fn words_of_other_tools_and_slips_are_found() {
        let mut program = crate::cli::command();
        program.build();
        let definition = program.find_subcommand("pub").unwrap();
        let meant = |name: &str, value: &str| {
            look_alike(definition, name, OsStr::new(value)).map(|found| found.meant)
        };
        for (name, value, expected) in [
            ("MQTT_USER", "me", "MQTT_USERNAME"),
            ("MQTT_PASS", "x", "MQTT_PASSWORD"),
            ("MQTT_PASSWD", "x", "MQTT_PASSWORD"),
            ("MQTT_BROKER", "b", "MQTT_HOST"),
            ("MQTT_SERVER", "b", "MQTT_HOST"),
            ("MQTT_BROKER", "tcp://b:1883", "MQTT_URL"),
            ("MQTT_BROKER_URL", "mqtt://b", "MQTT_URL"),
            ("MQTT_BROKER_HOST", "b", "MQTT_HOST"),
            ("MQTT_BROKER_PORT", "1884", "MQTT_PORT"),
            ("MQTT_TLS", "1", "MQTT_TLS_USE_OS_CERTS"),
            ("MQTT_USE_TLS", "true", "MQTT_TLS_USE_OS_CERTS"),
            ("MQTT_ID", "x", "MQTT_CLIENT_ID"),
            ("MQTT_CLIENTID", "x", "MQTT_CLIENT_ID"),
            ("MQTT_CA_CERT", "f", "MQTT_CAFILE"),
            ("MQTT_HOSTNAME", "b", "MQTT_HOST"),
            ("MQTT_PASSWROD", "x", "MQTT_PASSWORD"),
        ] {
            assert_eq!(meant(name, value).as_deref(), Some(expected), "{name}");
        }
        for (name, value) in [
            ("MQTT_HOST", "b"),
            ("MQTT_TLS", "0"),
            ("MQTT_TOPIC", "a"),
            ("MQTT_QOS", "1"),
            ("MQTT_BASE_TOPIC", "a"),
            ("MQTT_STARTED_BROKER", "b"),
            ("MQTT_HIDDEN_ARGUMENT_3_0", "x"),
            ("MQTT_SERVICE_HOST", "10.0.0.1"),
            ("MQTT_SERVICE_PORT", "1883"),
            ("MQTT_PORT_1883_TCP", "tcp://10.0.0.1:1883"),
            ("MQTT_PORT_1883_TCP_ADDR", "10.0.0.1"),
            ("MQTT_PROTOCOL", "mqtt"),
        ] {
            assert_eq!(meant(name, value), None, "{name}");
        }
    }
}
