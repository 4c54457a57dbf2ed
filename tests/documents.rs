//! Compares the console blocks of README.md and docs/ with the program and its embedded broker. A command
//! that shows output is run and must print that output; any other `mqtt` command line must be valid.
//!
//! Comments directly above a block set its requirements: `<!-- example: before COMMAND -->` runs the command
//! first, `beside COMMAND` while the block runs, `with profile` uses the document's last TOML block as
//! configuration and no broker in the environment, `with responder` starts a client that answers
//! `service/echo`, `needs PROGRAM` skips the block where the program is not installed, and `not run, REASON`
//! only checks for valid command lines. Shell blocks (`sh`) show no output; the `mqtt` command lines in them must
//! be valid, and those of the way to TLS are run.

use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use regex::Regex;
use rustix::process::{Pid, Signal, kill_process_group};
use tempfile::TempDir;

use super::support::broker::Broker;
use super::support::{Service as _, mosquitto, program, skip, words, write};

/// The number of blocks that are not run, and of commands that are run, in all documents. A new example
/// changes one of them.
const NOT_RUN: usize = 17;
const RUN: usize = 36;

fn documents() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found: Vec<PathBuf> =
        std::fs::read_dir(root.join("docs")).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.retain(|path| path.extension().is_some_and(|extension| extension == "md"));
    found.push(root.join("README.md"));
    found.sort();
    found
}

/// A console block.
#[derive(Debug, Default)]
struct Block {
    /// The document and the line of its first command.
    place: String,
    /// The comments above it.
    needs: Vec<String>,
    commands: Vec<Example>,
    /// The TOML block above it.
    profile: String,
}

#[derive(Debug)]
struct Example {
    command: String,
    output: Vec<String>,
}

impl Block {
    fn need(&self, kind: &str) -> Option<&str> {
        self.needs.iter().find_map(|need| need.strip_prefix(kind)).map(str::trim)
    }
}

/// The blocks of a document.
fn blocks(path: &Path) -> Vec<Block> {
    let text = std::fs::read_to_string(path).unwrap();
    let name = path.file_name().unwrap().display();
    let (mut found, mut needs, mut profile) = (Vec::new(), Vec::new(), String::new());
    let mut lines = text.lines().enumerate();
    while let Some((number, line)) = lines.next() {
        if let Some(need) = line.strip_prefix("<!-- example: ") {
            needs.push(need.strip_suffix(" -->").expect(line).to_owned());
        } else if let Some(language) = line.strip_prefix("```") {
            let content: Vec<&str> =
                lines.by_ref().map(|(_, line)| line).take_while(|line| *line != "```").collect();
            let needs = std::mem::take(&mut needs);
            match language {
                "toml" => profile = content.join("\n"),
                "console" => found.push(Block {
                    place: format!("{name}:{}", number + 2),
                    needs,
                    commands: examples(&content),
                    profile: profile.clone(),
                }),
                _ => assert!(needs.is_empty(), "{name}:{number}: it is not an example"),
            }
        } else {
            assert!(needs.is_empty(), "{name}:{number}: the comment is not above a block");
        }
    }
    found
}

fn examples(lines: &[&str]) -> Vec<Example> {
    let mut found: Vec<Example> = Vec::new();
    for line in lines {
        let command = line.strip_prefix("$ ").or(line.strip_prefix("# "));
        match (command, found.last_mut()) {
            (Some(command), _) => found.push(Example { command: command.to_owned(), output: Vec::new() }),
            (None, Some(example))
                if line.starts_with("> ")
                    || example.command.ends_with('\\')
                    || is_inside_here_document(&example.command) =>
            {
                example.command += "\n";
                example.command += line.strip_prefix("> ").unwrap_or(line);
            }
            (None, Some(example)) => example.output.push((*line).to_owned()),
            (None, None) => panic!("output without a command: {line}"),
        }
    }
    found
}

/// Whether the command continues until the line `END`.
fn is_inside_here_document(command: &str) -> bool {
    command.contains("<<'END'") && !command.ends_with("\nEND")
}

/// The environment of a block's commands: a home directory without settings, and a broker that they find.
pub(super) struct Place {
    folder: TempDir,
    broker: Broker,
    has_profile: bool,
}

impl Place {
    /// Without settings.
    pub(super) fn without_profile() -> Self {
        Self::new(&Block::default())
    }

    fn new(block: &Block) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("bin")).unwrap();
        std::os::unix::fs::symlink(program(), folder.path().join("bin/mqtt")).unwrap();
        let has_profile = block.need("with profile").is_some();
        if has_profile {
            let configuration = folder.path().join(".config/mqtt");
            std::fs::create_dir_all(&configuration).unwrap();
            write(&configuration, "config.toml", &block.profile);
        }
        Self { folder, broker: Broker::start(), has_profile }
    }

    /// A command in its own process group, with both outputs in one pipe.
    pub(super) fn start(&self, command: &str) -> (Child, impl Iterator<Item = String> + use<>) {
        let (reader, writer) = std::io::pipe().unwrap();
        // A slow machine must not fail will-test.
        let command = command.replace("cargo run --", "mqtt").replace("will-test", "will-test --tolerance 5");
        let mut shell = Command::new("bash");
        shell.args(["-c", &command]).current_dir(self.folder.path()).stdin(Stdio::null());
        shell.stdout(writer.try_clone().unwrap()).stderr(writer).process_group(0);
        let programs = std::env::var("PATH").unwrap_or_default();
        shell.env_clear().env("HOME", self.folder.path()).env("TZ", "UTC");
        shell.env("PATH", format!("{}:{programs}", self.folder.path().join("bin").display()));
        if !self.has_profile {
            shell.env("MQTT_HOST", "127.0.0.1").env("MQTT_PORT", self.broker.port().to_string());
        }
        (shell.spawn().unwrap(), BufReader::new(reader).lines().map(Result::unwrap))
    }

    /// The output of a command; of an endless command, the number of lines in the example.
    fn output(&self, example: &Example) -> Vec<String> {
        let (mut child, lines) = self.start(&example.command);
        if !is_endless(&example.command) {
            let output = lines.collect();
            child.wait().unwrap();
            return output;
        }
        let output = lines.take(example.output.len()).collect();
        end(&mut child);
        output
    }
}

/// Ends a command and all processes that it has started.
pub(super) fn end(child: &mut Child) {
    // It may have ended by itself.
    let _ = kill_process_group(Pid::from_child(child), Signal::TERM);
    child.wait().unwrap();
}

/// Whether a command continues until it is interrupted.
fn is_endless(command: &str) -> bool {
    let ends = [" -C ", " -W ", " -E", "--retained-only"];
    command.starts_with("mqtt sub ") && !ends.iter().any(|option| command.contains(option))
}

/// The user's home directory in the examples.
const EXAMPLE_HOME: &str = "/home/me";

/// Output without parts that differ between runs: times, durations, ports, identifiers, columns, and line
/// breaks of a terminal.
fn lasting(lines: &[String], home: &Path) -> String {
    let mut text = lines.join("\n").replace(&home.display().to_string(), EXAMPLE_HOME);
    for (pattern, name) in [
        (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d{4})?", "TIME"),
        (r"auto(-[0-9A-F]+){5}", "auto-ID"),
        (r"mqtt-rr/\w+", "mqtt-rr/ID"),
        (r#""mid":\d+"#, r#""mid":MID"#),
        (r"127\.0\.0\.1:\d+", "ADDRESS"),
        (r"\b\d+(\.\d+)? ?(ms|µs|s)\b", "DURATION"),
        (r"\n {40,}", " "),
        (r"[ \t]+", " "),
    ] {
        text = Regex::new(pattern).unwrap().replace_all(&text, name).into_owned();
    }
    text
}

/// Runs the commands that show output; returns their number, and those with different output.
fn run(block: &Block) -> (usize, Vec<String>) {
    let place = Place::new(block);
    if let Some(before) = block.need("before ") {
        let (mut child, lines) = place.start(before);
        let printed: Vec<String> = lines.collect();
        assert!(child.wait().unwrap().success() && printed.is_empty(), "{}: {printed:?}", block.place);
    }
    let mut beside = block.need("beside ").map(|beside| place.start(beside).0);
    let responder = block.need("with responder").map(|_| {
        let running = place.broker.subscribe().args(["-t", "service/echo", "-F", "%R %p", "-d"]).spawn();
        running.wait_until_subscribed();
        running
    });
    let (mut ran, mut wrong) = (0, Vec::new());
    for example in block.commands.iter().filter(|example| !example.output.is_empty()) {
        let responder = responder.as_ref().filter(|_| example.command.contains("service/echo"));
        let found = std::thread::scope(|scope| {
            let output = scope.spawn(|| place.output(example));
            if let Some(responder) = responder {
                responder.wait_for_lines(1);
                let request = String::from_utf8(responder.stdout()).unwrap();
                let (topic, payload) = request.trim_end().split_once(' ').unwrap();
                let response = format!("you said {payload}");
                place.broker.publish().args(["-t", topic, "-m", &response]).run().succeeds();
            }
            output.join().unwrap()
        });
        let home = place.folder.path();
        if lasting(&found, home) != lasting(&example.output, home) {
            wrong.push(format!("{}: $ {}\n{}\n", block.place, example.command, found.join("\n")));
        }
        ran += 1;
    }
    if let Some(beside) = &mut beside {
        end(beside);
    }
    (ran, wrong)
}

fn is_installed(program: &str) -> bool {
    std::env::split_paths(&std::env::var_os("PATH").unwrap()).any(|path| path.join(program).exists())
}

#[test]
fn examples_print_what_the_documents_say() {
    let (mut not_run, mut skipped) = (0, 0);
    let mut runnable = Vec::new();
    for block in documents().iter().flat_map(|document| blocks(document)) {
        let shown = block.commands.iter().filter(|example| !example.output.is_empty()).count();
        let missing = block.need("needs ").filter(|program| !is_installed(program));
        match (block.need("not run, "), missing) {
            (Some(reason), _) => {
                assert!(!reason.is_empty() && shown > 0, "{}", block.place);
                not_run += 1;
            }
            (None, Some(program)) => {
                skip(&format!("{}: {program} is not installed", block.place));
                skipped += shown;
            }
            (None, None) if shown > 0 => runnable.push(block),
            (None, None) => assert!(block.needs.is_empty(), "{}: nothing is run", block.place),
        }
    }
    let (mut ran, mut wrong) = (0, Vec::new());
    std::thread::scope(|scope| {
        let running: Vec<_> = runnable.iter().map(|block| scope.spawn(|| run(block))).collect();
        for outcome in running {
            let (count, found) = outcome.join().unwrap();
            ran += count;
            wrong.extend(found);
        }
    });
    assert!(wrong.is_empty(), "these print something else:\n{}", wrong.join("\n"));
    assert_eq!((ran + skipped, not_run), (RUN, NOT_RUN), "commands that are run, and blocks that are not");
}

/// The shell blocks of a document, without the indentation of a list.
fn scripts(path: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(path).unwrap();
    let (mut found, mut lines) = (Vec::new(), text.lines());
    while let Some(line) = lines.next() {
        let Some(indent) = line.strip_suffix("```sh") else { continue };
        let inside = lines.by_ref().take_while(|line| line.trim_start() != "```");
        found.push(inside.map(|line| line.strip_prefix(indent).unwrap_or(line).to_owned() + "\n").collect());
    }
    found
}

/// The command lines of a shell block that begin with `mqtt`, with values for its variables.
fn calls(script: &str) -> Vec<String> {
    let variable = Regex::new(r"\$\(\(.*?\)\)|\$(i|RUN)\b").unwrap();
    let script = script.replace("\\\n", " ").replace("$START", "2026-12-01T10:00:00Z");
    let lines = script.lines().map(str::trim).filter(|line| line.starts_with("mqtt "));
    lines.map(|line| variable.replace_all(line, "1").into_owned()).collect()
}

/// Authority, keys, certificates, mosquitto and each command, as a reader of the guide runs them one after the
/// other.
#[test]
fn way_to_tls_works_as_written() {
    const START: &str = "mosquitto -c mosquitto.conf -d";
    let Some(mosquitto) = mosquitto::installed() else { return };
    if !is_installed("openssl") {
        return skip("openssl is not installed");
    }
    let place = Place::without_profile();
    let steps = scripts(&Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/tls.md"));
    assert_eq!(steps.len(), 6, "from the authority to the warning of an expiry");
    let port = mosquitto::free_port().to_string();
    // mosquitto has to end with the test, and as root it needs another user, as the guide says.
    let wait = format!("until (exec 3<>/dev/tcp/127.0.0.1/{port}) 2>/dev/null; do kill -0 $!; done");
    let start = format!("{} -c mosquitto.conf 2>/dev/null &\n{wait}", mosquitto.display());
    let script = steps.concat();
    assert!(script.contains(START), "{script}");
    let script =
        script.replace("8883", &port).replace("require_certificate", "user root\nrequire_certificate");
    let (mut child, lines) = place.start(&format!("set -e\n{}echo done\n", script.replace(START, &start)));
    let printed: Vec<String> = lines.take_while(|line| line != "done").collect();
    end(&mut child);
    let printed = printed.join("\n");
    assert!(printed.contains("\nattic/temperature 23.4") && !printed.contains("mqtt: "), "{printed}");
}

#[test]
fn command_lines_of_the_documents_are_valid() {
    let mut command = ::mqtt::cli::command();
    command.build();
    let mut checked = 0;
    for block in documents().iter().flat_map(|document| blocks(document)) {
        for example in block.commands.iter().filter(|example| !is_refused(example)) {
            let Some(words) = words(&example.command) else { continue };
            let place = format!("{}: {}", block.place, example.command);
            assert!(command.clone().try_get_matches_from(&words).is_ok(), "{place}: {words:?}");
            checked += 1;
        }
    }
    for document in documents() {
        for call in scripts(&document).iter().flat_map(|script| calls(script)) {
            let words = words(&call).unwrap();
            let matches = command.clone().try_get_matches_from(&words);
            assert!(matches.is_ok(), "{}: {call}: {:?}", document.display(), matches.err());
            checked += 1;
        }
    }
    assert!(checked > 60, "{checked} command lines were found");
}

/// Whether the document shows it as wrong usage.
fn is_refused(example: &Example) -> bool {
    example.output.iter().any(|line| line.starts_with("mqtt: --"))
}
