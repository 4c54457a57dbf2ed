//! `--help` and `--version` in the form of mosquitto's clients.

use std::fmt::Write as _;

use super::programs::{VERSION, name};
use super::table::{OptionRow, ROWS, Sets};
use crate::manner::Program;

/// `NAME version N.N.N`, which scripts look for, followed by the real version.
pub(super) fn version(program: Program) -> String {
    let mqtt = env!("CARGO_PKG_VERSION");
    format!("{} version {VERSION} running on mqtt {mqtt}.\n", name(program))
}

/// The usage: description, version, and every option.
pub(super) fn usage(program: Program) -> String {
    let about = match program {
        Program::Publish => "is a simple mqtt client that will publish a message on a single topic and exit.",
        Program::Subscribe => {
            "is a simple mqtt client that will subscribe to a set of topics and print all messages it receives."
        }
        Program::Request => {
            "is an mqtt client that can be used to publish a request message and wait for a response."
        }
    };
    let needed = match program {
        Program::Publish => "-t topic {-f file | -l | -m message | -n | -s}",
        Program::Subscribe => "-t topic ... | -U topic ...",
        Program::Request => "-t topic -e response-topic {-f file | -m message | -n | -s}",
    };
    let name = name(program);
    let mut text = format!("{name} {about}\n{}\n", version(program));
    // Writing to a String cannot fail.
    let _ = writeln!(
        text,
        "Usage: {name} {{[-h host] [--unix path] [-p port] [-u username] [-P password] | -L URL}} {needed} [options]"
    );
    let _ = writeln!(text, "       {name} --help\n");
    for row in ROWS.iter().filter(|row| row.programs.contains(&program)) {
        let _ = writeln!(text, " {}{} : {}", row.names.join(", "), argument(row), row.help);
    }
    let _ = writeln!(
        text,
        "\nThe options mean what they mean for {name} {VERSION} of Eclipse Mosquitto; this is"
    );
    let _ = writeln!(
        text,
        "mqtt. See docs/mosquitto.md for the differences, and mqtt --help for what more it can do."
    );
    text
}

/// The argument of an option, as named in the table.
fn argument(row: &OptionRow) -> String {
    match (row.sets, row.missing) {
        (Sets::Property, _) => " command name value".into(),
        (_, None) => String::new(),
        (_, Some("max_inflight not")) => " max_inflight".into(),
        (_, Some(missing)) => {
            format!(" {}", missing.strip_prefix("no ").unwrap_or(missing).replace(' ', "-"))
        }
    }
}
