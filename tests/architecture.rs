//! Checks the modules of the program and their imports against the source. Data goes one way: a module
//! imports the modules below it and none above.

mod circles;
mod names;

use std::fs;
use std::path::{Path, PathBuf};

/// The imports allowed for each module. `lib` connects all modules and may import all.
const IMPORTS: &[(&str, &[&str])] = &[
    ("main", &[]),
    // Signals, to end the program of --password-command; threads, to read it.
    (
        "cli",
        &[
            "command",
            "broker",
            "output",
            "client",
            "net",
            "protocol",
            "jq",
            "decode",
            "file",
            "platform",
            "process",
            "signal",
            "error",
            "manner",
            "masking",
            "nearest",
            "quotation",
            "quantity",
            "notation",
            "thread",
        ],
    ),
    (
        "command",
        &[
            "output",
            "client",
            "broker",
            // A web page besides a load; not used to reach a broker.
            "net::page",
            "storage",
            "protocol",
            "jq",
            "decode",
            "file",
            "clock",
            "alarm",
            "platform",
            "process",
            "signal",
            "error",
            "exit",
            "masking",
            "memory",
            "nearest",
            "quotation",
            "quantity",
            "notation",
            "thread",
        ],
    ),
    (
        "output",
        &[
            "protocol",
            "file",
            "clock",
            "alarm",
            "platform",
            "signal",
            "error",
            "manner",
            "masking",
            "memory",
            "quotation",
            "quantity",
            "notation",
            "thread",
        ],
    ),
    ("client", &["net", "protocol", "error", "masking", "memory", "quotation", "quantity", "notation"]),
    // The session's rules, but not the client's driver.
    ("broker", &["client::session", "client::inflight", "net", "protocol", "platform", "error", "thread"]),
    // Files that outlive a run. They hold messages, not packets, and know no links.
    ("storage", &["protocol", "file", "platform", "error", "memory", "quotation", "quantity", "thread"]),
    (
        "net",
        &["file", "platform", "clock", "error", "masking", "quotation", "quantity", "notation", "thread"],
    ),
    ("protocol", &["quantity"]),
    // Schemas are files, and define messages.
    ("decode", &["protocol", "file", "nearest", "memory", "quotation", "quantity", "notation", "thread"]),
    // To end the process, where a program does not come to its end.
    ("jq", &["protocol", "platform", "process", "error", "quotation", "thread"]),
    ("process", &["platform"]),
    ("signal", &["error", "thread"]),
    ("error", &["protocol", "exit", "file", "masking", "quotation", "thread"]),
    ("manner", &["protocol", "error", "exit"]),
    ("exit", &[]),
    ("clock", &["quantity"]),
    ("alarm", &["platform"]),
    // What differs between systems: it knows nothing of the program.
    ("platform", &[]),
    // How long to wait for a file.
    ("file", &["platform", "quantity", "thread"]),
    ("masking", &[]),
    ("memory", &[]),
    ("nearest", &[]),
    ("quotation", &["notation"]),
    ("quantity", &[]),
    ("notation", &[]),
    ("thread", &[]),
];

/// The modules that a port to another system must change (CONTRIBUTING.md, "Portability"). None may be added: code
/// that differs between systems belongs behind a function of the platform.
const UNIX: &[&str] = &["platform", "signal.rs"];

/// Names that only some modules may use.
const NAMES: &[(&str, &[&str])] = &[
    ("rumqttc", &["protocol/wire"]),
    ("clap", &["cli"]),
    // The platform: for its descriptor.
    ("stdout()", &["output", "platform"]),
    ("stderr()", &["output"]),
    // The clock: for the time zone. The platform: for the name of a machine that is not Unix.
    ("env", &["cli", "output", "platform", "clock.rs", "lib.rs", "main.rs"]),
    ("tokio", &["client", "net", "broker", "command", "output", "platform", "signal.rs", "lib.rs"]),
    ("TcpStream", &["net", "broker"]),
    ("ratatui", &["output/view"]),
    // They panic where the system refuses a thread; and the runtime looks up names in a thread of its own.
    ("thread::spawn", &["thread.rs"]),
    ("thread::Builder", &["thread.rs"]),
    ("scope.spawn", &["thread.rs"]),
    ("spawn_blocking", &[]),
    ("net::lookup_host", &[]),
    ("tokio::fs", &[]),
    ("prost_reflect", &["decode/protobuf"]),
    ("protox", &["decode/protobuf"]),
    ("miette", &["decode/protobuf"]),
    ("rustix", UNIX),
    ("nix", UNIX),
    ("os::unix", UNIX),
    ("os::fd", UNIX),
];

struct Source {
    /// Below `src`, for example `net/tls/mod.rs`.
    path: String,
    /// Its code, without comments and unit tests.
    code: String,
}

impl Source {
    fn room(&self) -> &str {
        let first = self.path.split('/').next().unwrap_or_default();
        first.strip_suffix(".rs").unwrap_or(first)
    }

    /// The number of modules in its path: 1 for a module's own file.
    fn depth(&self) -> usize {
        let names = self.path.split('/').filter(|name| *name != "mod.rs");
        names.count()
    }
}

fn sources() -> Vec<Source> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    collect(&root, &root, &mut found);
    assert!(found.len() > 20, "the source is found");
    found
}

fn collect(root: &Path, folder: &Path, found: &mut Vec<Source>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap();
        // Tests may import everything.
        let is_test = name == "tests" || name == "tests.rs" || name.ends_with("_tests.rs");
        if is_test {
            continue;
        }
        if path.is_dir() {
            collect(root, &path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let relative = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            found.push(Source { path: relative, code: code(&fs::read_to_string(&path).unwrap()) });
        }
    }
}

/// The code of a file up to its unit tests, without line comments.
fn code(text: &str) -> String {
    let mut lines = Vec::new();
    let mut rest = text.lines().peekable();
    while let Some(line) = rest.next() {
        let opens_tests = |next: &&str| next.starts_with("mod ") && next.ends_with('{');
        if line == "#[cfg(test)]" && rest.peek().is_some_and(opens_tests) {
            break;
        }
        lines.push(line.split("//").next().unwrap_or_default());
    }
    lines.join("\n")
}

/// Every path that starts at the crate's root: its first two names, for example `client::session`.
fn imports(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (position, _) in code.match_indices("crate::") {
        let before = code[..position].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_') {
            continue;
        }
        let path = &code[position + "crate::".len()..];
        assert!(!path.starts_with('{'), "one use for each room, so that the rule can be checked");
        let mut names = path.split("::").map(|name| {
            let end = name.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(name.len());
            (&name[..end], end == name.len())
        });
        let (first, more) = names.next().unwrap();
        match names.next() {
            Some((second, _)) if more && !second.is_empty() => found.push(format!("{first}::{second}")),
            _ => found.push(first.to_owned()),
        }
    }
    found
}

#[test]
fn rooms_import_only_what_is_below_them() {
    for source in sources() {
        let room = source.room();
        if room == "lib" {
            continue;
        }
        let (_, allowed) = IMPORTS
            .iter()
            .find(|(name, _)| *name == room)
            .unwrap_or_else(|| panic!("{}: the room is not in the table", source.path));
        for import in imports(&source.code) {
            let first = import.split("::").next().unwrap_or_default();
            let fits = first == room || allowed.iter().any(|allowed| *allowed == first || *allowed == import);
            assert!(fits, "{}: {room} may not import crate::{import}", source.path);
        }
    }
}

/// `super::super::…` must not bypass the table.
#[test]
fn no_relative_path_leaves_its_room() {
    for source in sources().iter().filter(|source| !matches!(source.room(), "lib" | "main")) {
        for steps in 1..=source.depth() + 1 {
            let path = "super::".repeat(steps);
            let leaves = steps >= source.depth() && source.code.contains(&path);
            assert!(!leaves, "{}: {path} leaves the room", source.path);
        }
    }
}

#[test]
fn restricted_names_are_used_only_in_their_rooms() {
    for source in sources() {
        for (name, rooms) in NAMES {
            let at_home =
                rooms.iter().any(|room| source.path == *room || source.path.starts_with(&format!("{room}/")));
            assert!(at_home || !speaks(&source.code, name), "{}: {name} does not belong here", source.path);
        }
    }
}

/// Whether a name occurs in the code as a word, outside strings.
fn speaks(code: &str, name: &str) -> bool {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    code.match_indices(name).any(|(position, _)| {
        let before = code[..position].chars().next_back();
        let after = code[position + name.len()..].chars().next();
        let line = code[..position].rsplit('\n').next().unwrap_or_default();
        let in_text = line.matches('"').count() % 2 == 1;
        let begins = !before.is_some_and(is_word);
        let ends = name.ends_with(')') || !after.is_some_and(is_word);
        !in_text && begins && ends
    })
}

/// A module that no longer needs to be in the list must be removed from it.
#[test]
fn list_of_unix_modules_has_no_other_modules() {
    let sources = sources();
    for room in UNIX {
        let is_of_unix = |source: &Source| {
            let is_in_room = source.path == *room || source.path.starts_with(&format!("{room}/"));
            is_in_room
                && ["rustix", "nix", "os::unix", "os::fd"].iter().any(|name| speaks(&source.code, name))
        };
        assert!(sources.iter().any(is_of_unix), "{room} is of every system now: take it off the list");
    }
}

/// A file must be short enough to be read as a whole.
#[test]
fn no_file_has_more_than_600_lines() {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut open = vec![root.join("src"), root.join("tests")];
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let lines = fs::read_to_string(&path).unwrap().lines().count();
            assert!(lines <= 600, "{} has {lines} lines: split it by topic", path.display());
        }
    }
}

/// The checks detect violations.
#[test]
fn checks_find_violations() {
    assert_eq!(
        imports("use crate::client::session::Session;\ncrate::error::Error"),
        ["client::session", "error::Error"]
    );
    assert_eq!(imports("pub(crate) fn a() { my_crate::b() }"), Vec::<String>::new());
    assert!(speaks("use clap::Arg;", "clap"));
    assert!(!speaks("let clapped = \"clap\";", "clap"));
    assert!(speaks("io::stdout().lock()", "stdout()"));
    assert_eq!(code("a // b\n#[cfg(test)]\nmod tests {\nuse clap;"), "a ");
}
