//! Finds the reports that an invalid line asks for. clap returns no values for a line with an error, so they
//! are found by the positions of the words.

use std::ffi::OsString;

use clap::Command;

use super::value::os_string;
use super::words;
use crate::command::unmade::{Reporter, WantedReports};

/// The reports requested by the words of a subcommand, or by the files with options; the words override the
/// files. None if only a list is asked for.
pub(super) fn wanted(
    reporter: Reporter,
    definition: &Command,
    typed: &[OsString],
    from_files: &[OsString],
) -> Option<WantedReports> {
    let line = [from_files, typed].concat();
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
