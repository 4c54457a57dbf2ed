//! The whole command line as JSON, for programs: `mqtt help --json`.

use clap::{Arg, ArgAction, Command};
use serde::Serialize;
use serde_json::value::RawValue;

use super::group::group_of;
use super::headings::HELP;
use super::manual;
use super::table::{EXIT_STATUSES, command};

/// The JSON schemas of input and output, each with the options that use it.
static SCHEMAS: &[(&str, &[&str], &str)] = &[
    (
        "message",
        &[
            "sub --json",
            "rr --json",
            "sub --output (--json)",
            "pub --json (input)",
            "retain-clear --backup, --export",
        ],
        include_str!("../../tests/schema/message.schema.json"),
    ),
    ("events", &["--json-events"], include_str!("../../tests/schema/events.schema.json")),
    ("reference", &["help --json"], include_str!("../../tests/schema/reference.schema.json")),
    ("latency", &["sub --latency --json"], include_str!("../../tests/schema/latency.schema.json")),
    (
        "message-rate",
        &["sub --message-rate --json"],
        include_str!("../../tests/schema/message-rate.schema.json"),
    ),
    ("stats", &["sub --stats --json"], include_str!("../../tests/schema/stats.schema.json")),
    ("silence", &["sub --silence --json"], include_str!("../../tests/schema/silence.schema.json")),
    ("round-trips", &["rr --repeat --json"], include_str!("../../tests/schema/round-trips.schema.json")),
    ("retain-clear", &["retain-clear --json"], include_str!("../../tests/schema/retain-clear.schema.json")),
    ("will-test", &["will-test --json"], include_str!("../../tests/schema/will-test.schema.json")),
    ("ping", &["ping --json"], include_str!("../../tests/schema/ping.schema.json")),
    ("config", &["config show --json"], include_str!("../../tests/schema/config.schema.json")),
    ("bench", &["bench --json"], include_str!("../../tests/schema/bench.schema.json")),
    (
        "bench-matrix",
        &["bench --json (several loads)"],
        include_str!("../../tests/schema/bench-matrix.schema.json"),
    ),
    ("bench-limit", &["bench find-limit --json"], include_str!("../../tests/schema/bench-limit.schema.json")),
    (
        "bench-comparison",
        &["bench compare --json"],
        include_str!("../../tests/schema/bench-comparison.schema.json"),
    ),
];

#[derive(Serialize)]
struct Reference {
    program: &'static str,
    version: &'static str,
    about: String,
    exit_statuses: Vec<ExitStatus>,
    commands: Vec<CommandReference>,
    schemas: Vec<NamedSchema>,
}

#[derive(Serialize)]
struct ExitStatus {
    status: &'static str,
    meaning: &'static str,
}

/// A subcommand and its subcommands.
#[derive(Serialize)]
struct CommandReference {
    /// The name as typed, such as `mqtt bench pub`.
    name: String,
    about: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    usage: String,
    options: Vec<OptionReference>,
    examples: Vec<Example>,
    limits: &'static [&'static str],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    commands: Vec<CommandReference>,
}

/// An option or a positional argument.
#[derive(Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "each is a key of the JSON")]
struct OptionReference {
    /// `--topic`, or the value name of the positional argument.
    name: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    aliases: Vec<String>,
    /// The group that `--help GROUP` shows.
    group: String,
    /// Whether `--help` shows it.
    is_common: bool,
    is_positional: bool,
    is_required: bool,
    is_repeatable: bool,
    /// The name of the value; null if the option takes none.
    value: Option<String>,
    is_value_optional: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    values: Vec<String>,
    default: Option<String>,
    environment: Option<String>,
    help: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<String>,
}

#[derive(Serialize)]
struct Example {
    does: &'static str,
    command: &'static str,
}

#[derive(Serialize)]
struct NamedSchema {
    name: &'static str,
    /// The options that write or read this format.
    of: &'static [&'static str],
    schema: Box<RawValue>,
}

/// The reference of the program, or of the subcommand with these names, with a line end.
pub(super) fn json(called: &[&str]) -> String {
    let mut program = command();
    program.build();
    let mut definition = &program;
    for name in called {
        let Some(subcommand) = definition.find_subcommand(name) else { break };
        definition = subcommand;
    }
    let commands = if called.is_empty() {
        program.get_subcommands().map(command_reference).collect()
    } else {
        vec![command_reference(definition)]
    };
    let reference = Reference {
        program: "mqtt",
        version: env!("CARGO_PKG_VERSION"),
        about: program.get_about().map(ToString::to_string).unwrap_or_default(),
        exit_statuses: EXIT_STATUSES.iter().map(|(status, meaning)| ExitStatus { status, meaning }).collect(),
        commands,
        schemas: SCHEMAS.iter().filter_map(schema).collect(),
    };
    serde_json::to_string_pretty(&reference).map(|text| text + "\n").unwrap_or_default()
}

/// `None` only if the file is not JSON, which a test excludes.
fn schema((name, of, text): &(&'static str, &'static [&'static str], &str)) -> Option<NamedSchema> {
    let schema = serde_json::from_str(text).ok()?;
    Some(NamedSchema { name, of, schema })
}

fn command_reference(definition: &Command) -> CommandReference {
    let name = definition.get_bin_name().unwrap_or_default().to_owned();
    let manual = manual(&name);
    let about = definition.get_about().map(ToString::to_string).unwrap_or_default();
    let long = definition.get_long_about().map(ToString::to_string);
    let usage = definition.clone().render_usage().to_string();
    let options = definition.get_arguments().filter(|arg| !arg.is_hide_set()).map(|arg| OptionReference {
        is_common: (manual.is_common(arg.get_id().as_str()) && arg.get_help_heading() != Some(HELP))
            || arg.is_positional(),
        ..option_reference(arg)
    });
    CommandReference {
        description: long.and_then(|long| details(&long, &about)),
        usage: usage.trim_start_matches("Usage:").trim().to_owned(),
        options: options.collect(),
        examples: manual.examples.iter().map(|(does, command)| Example { does, command }).collect(),
        limits: manual.bugs,
        commands: definition.get_subcommands().map(command_reference).collect(),
        name,
        about,
    }
}

fn option_reference(arg: &Arg) -> OptionReference {
    let value = arg.get_action().takes_values().then(|| {
        let names = arg.get_value_names().unwrap_or_default();
        names.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
    });
    let long = arg.get_long().map(|long| format!("--{long}"));
    let short = arg.get_short().map(|short| format!("-{short}"));
    let mut names = long.into_iter().chain(short).chain(value.clone());
    let name = names.next().unwrap_or_default();
    let mut aliases: Vec<String> = if arg.get_long().is_some() && arg.get_short().is_some() {
        names.take(1).collect()
    } else {
        Vec::new()
    };
    aliases.extend(arg.get_visible_aliases().unwrap_or_default().iter().map(|alias| format!("--{alias}")));
    aliases
        .extend(arg.get_visible_short_aliases().unwrap_or_default().iter().map(|alias| format!("-{alias}")));
    let text = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let (help, noted) = without_default(&text);
    let long_help = arg.get_long_help().map(ToString::to_string);
    let given: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    let given = (value.is_some() && !given.is_empty()).then(|| given.join(","));
    let values = arg.get_possible_values();
    let is_value_listed = value.is_some();
    OptionReference {
        name,
        aliases,
        group: group_of(arg),
        is_common: false,
        is_positional: arg.is_positional(),
        is_required: arg.is_required_set(),
        is_repeatable: matches!(arg.get_action(), ArgAction::Append | ArgAction::Count),
        is_value_optional: value.is_some() && arg.get_num_args().is_some_and(|count| count.min_values() == 0),
        value,
        values: values
            .iter()
            .filter(|value| is_value_listed && !value.is_hide_set())
            .map(|value| value.get_name().to_owned())
            .collect(),
        default: given.or(noted),
        environment: arg.get_env().map(|name| name.to_string_lossy().into_owned()),
        details: long_help.and_then(|long| details(&long, &text)),
        help,
    }
}

/// The paragraphs of a long text after the first one.
fn details(long: &str, first: &str) -> Option<String> {
    let rest = long.strip_prefix(first).map_or(long, str::trim_start);
    (!rest.is_empty()).then(|| rest.to_owned())
}

/// Splits off the default at the end of a text, in brackets, which texts have where clap knows no default.
fn without_default(text: &str) -> (String, Option<String>) {
    match text.strip_suffix(']').and_then(|text| text.rsplit_once(" [default: ")) {
        Some((text, default)) => (text.to_owned(), Some(default.to_owned())),
        None => (text.to_owned(), None),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn every_schema_is_in_the_reference() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/schema");
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter_map(|name| name.strip_suffix(".schema.json").map(str::to_owned))
            .collect();
        let mut names: Vec<String> =
            SCHEMAS.iter().filter_map(schema).map(|one| one.name.to_owned()).collect();
        files.sort();
        names.sort();
        assert_eq!(names, files);
    }

    #[test]
    fn every_option_of_every_command_is_in_the_reference() {
        fn options(command: &Command) -> usize {
            let own = command.get_arguments().filter(|arg| !arg.is_hide_set()).count();
            own + command.get_subcommands().map(options).sum::<usize>()
        }
        fn listed(command: &Value, check: &mut dyn FnMut(&Value)) -> usize {
            let own = command["options"].as_array().unwrap();
            own.iter().for_each(&mut *check);
            let below = command["commands"].as_array().into_iter().flatten();
            own.len() + below.map(|command| listed(command, check)).sum::<usize>()
        }
        let mut program = command();
        program.build();
        let reference: Value = serde_json::from_str(&json(&[])).unwrap();
        let check = &mut |option: &Value| {
            let help = option["help"].as_str().unwrap();
            assert!(!help.is_empty() && !help.contains("[default"), "{option}");
            assert!(option["name"] != "" && option["value"] != "", "{option}");
        };
        let commands = reference["commands"].as_array().unwrap();
        let listed: usize = commands.iter().map(|command| listed(command, check)).sum();
        assert_eq!(listed, program.get_subcommands().map(options).sum::<usize>());
    }

    #[test]
    fn names_values_and_defaults_stand_apart() {
        let reference: Value = serde_json::from_str(&json(&["pub"])).unwrap();
        let commands = reference["commands"].as_array().unwrap();
        assert_eq!((commands.len(), &commands[0]["name"]), (1, &"mqtt pub".into()));
        let options = commands[0]["options"].as_array().unwrap();
        let find = |name: &str| options.iter().find(|option| option["name"] == name).unwrap();
        let port = find("--port");
        assert_eq!((&port["aliases"][0], &port["value"]), (&"-p".into(), &"PORT".into()));
        assert_eq!((&port["environment"], &port["group"]), (&"MQTT_PORT".into(), &"connection".into()));
        assert_eq!(
            (&find("--retain")["value"], &find("--retain")["is_repeatable"]),
            (&Value::Null, &false.into())
        );
        assert_eq!(find("--max-packet-size")["default"], "268435460");
    }
}
