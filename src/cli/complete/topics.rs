//! The query for topics: the connection that the line names, and the level that is being typed.

use std::ffi::OsString;
use std::path::Path;

use clap::{Arg, Command, ValueHint};

use crate::cli::connection::Purpose;
use crate::cli::headings::is_of_connection;
use crate::cli::parsed::Parsed;
use crate::cli::read::read;
use crate::cli::subcommand::Entry;
use crate::cli::words;
use crate::client::options::Reconnect;
use crate::command::topics::{Config, LIMIT};
use crate::manner::Manner;
use crate::output::ColorChoice;
use crate::protocol::topic;

/// Options that do not apply to the query: it has its own session, as the line's client identifier would end
/// a connection in use; and a file that would be written.
const OF_THE_RUN: [&str; 5] =
    ["client_id", "id_prefix", "disable_clean_session", "session_expiry", "tls_keylog"];

/// The options of the connection in a line without its last word, in long form.
pub(super) fn connection(definition: &Command, names: usize, line: &[OsString]) -> Vec<OsString> {
    let Some((_, line)) = line.split_last() else { return Vec::new() };
    let is_wanted = |arg: &Arg| is_of_connection(arg) && !OF_THE_RUN.contains(&arg.get_id().as_str());
    let values = words::values(definition, names, line);
    let mut options = Vec::new();
    for value in values.iter().filter(|value| is_wanted(value.arg)) {
        let Some(text) = line[value.word].to_str().and_then(|word| word.get(value.from..)) else { continue };
        let long = value.arg.get_long().unwrap_or_default();
        options.push(format!("--{long}={text}").into());
    }
    let is_value = |at: usize| values.iter().any(|value| value.word == at && value.from == 0);
    for at in
        (names..line.len()).take_while(|at| line[*at] != "--" || is_value(*at)).filter(|at| !is_value(*at))
    {
        let Some(word) = line[at].to_str() else { continue };
        let called = |arg: &&Arg| match (word.strip_prefix("--"), word.strip_prefix('-')) {
            (Some(_), _) => words::is_called(arg, word),
            (None, Some(letters)) => arg.get_short().is_some_and(|letter| letters.contains(letter)),
            (None, None) => false,
        };
        let flags =
            definition.get_arguments().filter(|arg| !arg.get_action().takes_values() && is_wanted(arg));
        options.extend(flags.filter(called).filter_map(|arg| Some(format!("--{}", arg.get_long()?).into())));
    }
    // The HOST of ping.
    let operand = definition.get_positionals().next();
    if operand.is_some_and(|arg| arg.get_value_hint() == ValueHint::Hostname) {
        let is_word = |at: &usize| !is_value(*at) && !line[*at].as_encoded_bytes().starts_with(b"-");
        let host = (names..line.len()).find(is_word).and_then(|at| line[at].to_str());
        options.extend(host.map(|host| format!("--host={host}").into()));
    }
    options
}

/// The query to the broker that these options name. `None` if it would need a password from a prompt or a
/// command, a file that might block, or anything else that fails.
pub(super) fn query(
    options: &[OsString],
    prefix: &str,
    typed: &str,
    is_filter: bool,
    head: String,
) -> Option<Parsed> {
    let (own, rest) = split_options(typed, is_filter);
    let levels: Vec<&str> = rest.split('/').collect();
    let (begins, above) = levels.split_last()?;
    let filter = match above {
        [] if begins.starts_with('$') => "$SYS/#".to_owned(),
        [] => "#".to_owned(),
        above => format!("{}/#", above.join("/")),
    };
    topic::check_filter(filter.as_bytes()).ok()?;
    let before = format!("{prefix}{own}{}", &rest[..rest.len() - begins.len()]);
    let program = ["mqtt", "config", "show"].into_iter().map(OsString::from);
    let line: Vec<OsString> = program.chain(options.iter().cloned()).collect();
    let mut read = read(&line, waits_for_no_file, |_, _| ()).ok()?.ok()?;
    let connection = read.subcommand.connection_mut()?.clone();
    let purpose = Purpose { keeps_no_session: true, reconnect: Reconnect::NEVER, ..Purpose::default() };
    let mut client = connection.resolve_silently(purpose)?;
    client.client_identifier = String::new();
    client.clean_start = true;
    client.session_expiry_interval = None;
    client.reconnect = Reconnect::NEVER;
    client.connect_timeout = LIMIT;
    client.endpoint.connect_timeout = LIMIT;
    let invocation =
        Config { client, filter, level: above.len(), begins: (*begins).to_owned(), before, head };
    Some(Parsed::run(Box::new(invocation), ColorChoice::Never, Manner::Own))
}

/// The text before the levels in a filter: the options of `--subscribe`, and the name of a shared
/// subscription.
fn split_options(typed: &str, is_filter: bool) -> (&str, &str) {
    let end = match typed.split_once(':') {
        Some((options, _)) if is_filter && options.contains('=') => options.len() + 1,
        _ => 0,
    };
    let rest = &typed[end..];
    match topic::shared(rest).filter(|_| is_filter) {
        Some((_, inner)) => typed.split_at(typed.len() - inner.len()),
        None => typed.split_at(end),
    }
}

/// The definition of a subcommand whose options accept only regular files, and no pipes, for example: their
/// content is for the run.
fn waits_for_no_file(entry: &Entry) -> Command {
    let ordinary = |text: &str| {
        let path = Path::new(text);
        if path.is_file() || path.is_dir() { Ok(path.to_owned()) } else { Err("not an ordinary file") }
    };
    entry.definition().mut_args(|arg| {
        let is_read = !["unix", "tls_keylog"].contains(&arg.get_id().as_str());
        if arg.get_value_hint() == ValueHint::FilePath && is_read { arg.value_parser(ordinary) } else { arg }
    })
}
