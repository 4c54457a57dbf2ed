//! Finds the reports that an invalid line asks for. clap returns no values for a line with an error, so they
//! are found by the positions of the words.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Arg, Command};

use super::sources::sound_words_of_options_file;
use super::value::os_string;
use super::words::{self, OptionValue};
use crate::command::unmade::{Reporter, WantedReports};

/// The option that names a file with options.
const OPTIONS_FILE: &str = "options_file";

/// The words of the options files that a line or the environment names, without their mistakes: for a line that was not
/// read to its end.
fn sound_words(definition: &Command, typed: &[OsString]) -> Vec<OsString> {
    let values = words::values(definition, 0, typed);
    let files = values.iter().filter(|value| value.arg.get_id() == OPTIONS_FILE);
    let path = |value: &OptionValue<'_>| {
        let path = typed[value.word].as_encoded_bytes().get(value.from..).unwrap_or_default();
        PathBuf::from(os_string(path.to_vec()))
    };
    let mut paths: Vec<PathBuf> = files.map(path).collect();
    if paths.is_empty() {
        let option = definition.get_arguments().find(|arg| arg.get_id() == OPTIONS_FILE);
        let set = option.and_then(Arg::get_env).and_then(std::env::var_os);
        paths.extend(set.filter(|path| !path.is_empty()).map(PathBuf::from));
    }
    paths.iter().flat_map(|path| sound_words_of_options_file(definition, path)).collect()
}

/// The reports requested by the words of a subcommand, or by the files with options; the words override the
/// files. None if only a list is asked for.
pub(super) fn wanted(
    reporter: Reporter,
    definition: &Command,
    typed: &[OsString],
    from_files: &[OsString],
) -> Option<WantedReports> {
    let sound = if from_files.is_empty() { sound_words(definition, typed) } else { Vec::new() };
    let line = [from_files, &sound, typed].concat();
    let values = words::values(definition, 0, &line);
    let is_flag_given = |name: &str| {
        let is_value = |at: usize| values.iter().any(|value| value.word == at);
        let words = (0..line.len()).take_while(|at| line[*at] != "--" || is_value(*at));
        words.filter(|at| !is_value(*at)).any(|at| line[at] == name)
    };
    if is_flag_given("--list") {
        return None;
    }
    let junit = values.iter().rfind(|value| value.arg.get_id() == "junit");
    let junit = junit.and_then(|value| line[value.word].as_encoded_bytes().get(value.from..));
    let junit = junit.map(|path| os_string(path.to_vec()).into());
    Some(WantedReports { of: reporter, json: is_flag_given("--json"), junit })
}
