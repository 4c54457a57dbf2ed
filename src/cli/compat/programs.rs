//! Mosquitto's clients, and their names.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use crate::manner::Program;

/// The version of mosquitto whose clients these are.
pub(super) const VERSION: &str = "2.1.2";

/// The clients and their names.
pub(super) const PROGRAMS: [(Program, &str); 3] = [
    (Program::Publish, "mosquitto_pub"),
    (Program::Subscribe, "mosquitto_sub"),
    (Program::Request, "mosquitto_rr"),
];

/// The names of the clients.
pub(in crate::cli) fn names() -> impl Iterator<Item = &'static str> {
    PROGRAMS.iter().map(|(_, name)| *name)
}

pub(super) fn name(program: Program) -> &'static str {
    PROGRAMS.iter().find(|(other, _)| *other == program).map_or("", |(_, name)| name)
}

/// The subcommand that implements a client.
pub(in crate::cli) fn entry(program: Program) -> &'static str {
    match program {
        Program::Publish => "pub",
        Program::Subscribe => "sub",
        Program::Request => "rr",
    }
}

fn named(name: &OsStr) -> Option<Program> {
    PROGRAMS.iter().find(|(_, known)| name == *known).map(|(program, _)| *program)
}

/// The client that a command line calls, and the number of words that name it.
pub(in crate::cli) fn called(line: &[OsString]) -> Option<(Program, usize)> {
    let program = Path::new(line.first()?).file_stem()?;
    if let Some(program) = named(program) {
        return Some((program, 1));
    }
    let name = line.get(2).filter(|_| line[1] == "compat")?;
    named(name).map(|program| (program, 3))
}
