//! Manual pages and help texts are generated from the definition of the command line, and committed.
//! `UPDATE_EXPECT=1 cargo test generated` writes them again.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::support::words;

/// The width of help texts, on any terminal.
const HELP_WIDTH: usize = 80;
const HELP_LINES: usize = 40;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Compares the files of a folder with the expected ones, or writes them.
fn check(folder: &str, expected: &BTreeMap<String, String>) {
    let folder = root().join(folder);
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::create_dir_all(&folder).unwrap();
        for name in names(&folder).iter().filter(|name| !expected.contains_key(*name)) {
            fs::remove_file(folder.join(name)).unwrap();
        }
        for (name, text) in expected {
            fs::write(folder.join(name), text).unwrap();
        }
        return;
    }
    let advice = "run UPDATE_EXPECT=1 cargo test generated";
    assert_eq!(
        names(&folder),
        expected.keys().cloned().collect::<Vec<_>>(),
        "{}: {advice}",
        folder.display()
    );
    for (name, text) in expected {
        let path = folder.join(name);
        let committed = fs::read_to_string(&path).unwrap();
        let differs = committed.lines().zip(text.lines()).find(|(old, new)| old != new);
        assert!(committed == *text, "{} is not up to date: {advice}\n{differs:?}", path.display());
    }
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn manual_pages() {
    let mut command = mqtt::cli::command();
    command.build();
    let pages = with_all_below(&command).into_iter().map(|one| {
        let name = one.get_display_name().unwrap_or(one.get_name());
        (format!("{name}.1"), manual_page(&command, one))
    });
    check("man", &pages.collect());
}

/// The definition of the command line accepts every example.
#[test]
fn every_manual_page_has_valid_examples_and_bugs() {
    let mut command = mqtt::cli::command();
    command.build();
    for called in with_all_below(&command).iter().filter_map(|command| command.get_bin_name()) {
        let manual = mqtt::cli::manual(called);
        assert!(!manual.examples.is_empty() && !manual.bugs.is_empty(), "{called}");
        let in_help = manual.examples_in_help().lines().count() - 1;
        assert!(in_help == 3 || called == "mqtt", "{called}: {in_help} examples in its help");
        for (_, line) in manual.examples {
            let words = words(line).unwrap();
            assert_eq!(words[0], "mqtt", "{line}");
            assert!(command.clone().try_get_matches_from(&words).is_ok(), "{line}: {words:?}");
        }
    }
}

/// A command with all its subcommands.
fn with_all_below(command: &clap::Command) -> Vec<&clap::Command> {
    let below = command.get_subcommands().flat_map(with_all_below);
    std::iter::once(command).chain(below).collect()
}

/// A page with options in `clap_mangen`'s format, a section for each part at the end of the help, and the
/// examples and limits of the subcommand.
fn manual_page(program: &clap::Command, command: &clap::Command) -> String {
    let called = command.get_bin_name().unwrap_or(command.get_name());
    let manual = mqtt::cli::manual(called);
    let man = clap_mangen::Man::new(command.clone());
    let mut options = Vec::new();
    if command.has_subcommands() {
        man.render_subcommands_section(&mut options).unwrap();
    }
    man.render_options_section(&mut options).unwrap();
    let options = String::from_utf8(options).unwrap();
    let about = command.get_about().unwrap().to_string();
    let name = called.replace(' ', "-");
    let mut page = Roff::default();
    page.control(".ie \\n(.g .ds Aq \\(aq");
    page.control(".el .ds Aq '");
    let version = env!("CARGO_PKG_VERSION");
    page.control(&format!(".TH {} 1 \"\" \"mqtt {version}\" \"MQTT from the shell\"", name.to_uppercase()));
    // No hyphenation in the names of options and pages.
    page.control(".nh\n.ad l");
    page.section("NAME");
    page.control(&format!("{} \\- {}", escaped(&name), escaped(&about)));
    page.section("SYNOPSIS");
    let usage = command.clone().render_usage().to_string();
    for line in usage.trim_start_matches("Usage:").lines() {
        let (words, arguments) = line.trim().split_at(called.len());
        page.control(".br");
        page.control(&format!("\\fB{words}\\fR{}", escaped(arguments)));
    }
    page.section("DESCRIPTION");
    let description = command.get_long_about().map_or_else(|| about.clone(), ToString::to_string);
    // The first paragraph is the line of NAME.
    let description = description.strip_prefix(&about).map_or(&*description, str::trim_start);
    let description = if description.is_empty() { &about } else { description };
    description.split("\n\n").for_each(|paragraph| page.paragraph(paragraph));
    // Each part of clap_mangen's output starts with the two lines at the start of this page.
    for line in options.lines().filter(|line| !line.starts_with(".ie ") && !line.starts_with(".el ")) {
        match line.strip_prefix(".SH ") {
            Some(title) => page.section(title.trim_matches('"')),
            None => page.control(line),
        }
    }
    let whole =
        |command: &clap::Command| command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    let end = whole(command).replace(&manual.examples_in_help(), "");
    end.split("\n\n").for_each(|part| page.part(part));
    if called != program.get_name() {
        let of_program = whole(program);
        page.part(of_program.split("\n\n").find(|part| part.starts_with("Exit status:")).unwrap());
    }
    page.section("EXAMPLES");
    for (does, command) in manual.examples {
        page.paragraph(&format!("{does}:"));
        page.control(".PP\n.RS 4\n.nf");
        page.control(&folded(command).iter().map(|line| escaped(line)).collect::<Vec<_>>().join("\n"));
        page.control(".fi\n.RE");
    }
    page.section("BUGS");
    for limit in manual.bugs {
        page.control(".IP \\(bu 2");
        page.control(&escaped(limit));
    }
    page.section("SEE ALSO");
    if called == program.get_name() {
        let below = command
            .get_subcommands()
            .map(|command| format!("\\fBmqtt\\-{}\\fR(1)", escaped(command.get_name())));
        page.control(&below.collect::<Vec<_>>().join(",\n"));
    } else {
        let connects = command.get_arguments().any(|arg| arg.get_id() == "host");
        let why = if connects { ", also for the limits of all connections" } else { "" };
        page.control(&format!("\\fBmqtt\\fR(1){why}"));
    }
    page.0
}

/// A page under construction.
#[derive(Default)]
struct Roff(String);

impl Roff {
    /// A line in roff format.
    fn control(&mut self, line: &str) {
        self.0 += line;
        self.0 += "\n";
    }

    fn section(&mut self, title: &str) {
        self.control(&format!(".SH \"{}\"", escaped(&title.to_uppercase())));
    }

    fn paragraph(&mut self, text: &str) {
        self.control(".PP");
        text.lines().for_each(|line| self.control(&escaped(line.trim())));
    }

    /// A part at the end of the help: a title, and a table or paragraphs. A line of a table has two spaces
    /// between its columns; a line that is indented further than the first continues the previous one, and
    /// without such lines all lines are one paragraph.
    fn part(&mut self, part: &str) {
        let Some((title, text)) = part.split_once(":\n") else {
            assert!(part.trim().is_empty(), "{part}");
            return;
        };
        self.section(title);
        let columns = |line: &str| {
            let (first, second) = line.trim().split_once("  ")?;
            Some((first.to_owned(), second.trim().to_owned()))
        };
        if let Some(rows) = text.lines().map(columns).collect::<Option<Vec<_>>>() {
            for (first, second) in rows {
                self.control(&format!(".TP\n\\fB{}\\fR\n{}", escaped(&first), escaped(&second)));
            }
            return;
        }
        let continues = |line: &str| line.starts_with("    ");
        let has_paragraphs = text.lines().any(continues);
        for (number, line) in text.lines().enumerate() {
            if number == 0 || has_paragraphs && !continues(line) {
                self.control(".PP");
            }
            self.control(&escaped(line.trim()));
        }
    }
}

/// A shell command in lines that fit a terminal of 80 columns, broken before options and pipes.
fn folded(command: &str) -> Vec<String> {
    const MOST_COLUMNS: usize = 66;
    let mut pieces = vec![String::new()];
    let mut is_quoted = false;
    for (place, character) in command.char_indices() {
        is_quoted ^= character == '\'';
        if character == ' ' && !is_quoted && command[place + 1..].starts_with(['-', '|']) {
            pieces.push(String::new());
        }
        pieces.last_mut().unwrap().push(character);
    }
    let mut lines = vec![String::new()];
    for piece in pieces {
        let line = lines.last_mut().unwrap();
        if line.len() + piece.len() > MOST_COLUMNS {
            line.push_str(" \\");
            lines.push(format!("    {}", piece.trim_start()));
        } else {
            line.push_str(&piece);
        }
    }
    lines
}

/// Text escaped for roff.
fn escaped(text: &str) -> String {
    let escaped = text.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\*(Aq");
    let escaped =
        escaped.replace('^', "\\(ha").replace('~', "\\(ti").replace('`', "\\(ga").replace('"', "\\(dq");
    if escaped.starts_with('.') { format!("\\&{escaped}") } else { escaped }
}

/// The table of `-F` in `docs/formats.md`.
#[test]
fn page_of_formats() {
    let path = root().join("docs/formats.md");
    let page = fs::read_to_string(&path).unwrap();
    let (begin, end) = ("<!-- table -->\n", "<!-- end of table -->\n");
    let (before, rest) = page.split_once(begin).unwrap();
    let (_, after) = rest.split_once(end).unwrap();
    let cell = |text: &str| text.replace('|', "\\|");
    let rows = mqtt::output::SPECIFIERS
        .iter()
        .map(|specifier| format!("| `{}` | {} |\n", cell(specifier.written), cell(specifier.help)));
    let table = format!("| written | what it writes |\n|---|---|\n{}", rows.collect::<String>());
    let modifiers = mqtt::output::MODIFIERS;
    let expected = format!("{before}{begin}{table}\n```text\n{modifiers}\n```\n{end}{after}");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, expected).unwrap();
        return;
    }
    assert!(page == expected, "docs/formats.md: run UPDATE_EXPECT=1 cargo test generated");
}

/// The differences under the names of mosquitto's clients.
#[test]
fn page_of_differences() {
    let path = root().join("docs/mosquitto.md");
    let page = fs::read_to_string(&path).unwrap();
    let (begin, end) = ("<!-- differences -->\n", "<!-- end of differences -->\n");
    let (before, rest) = page.split_once(begin).unwrap();
    let (_, after) = rest.split_once(end).unwrap();
    // A pipe character would end the table cell.
    let rows = mqtt::cli::DIFFERENCES.iter().map(|difference| {
        let cells = [difference.mosquitto, difference.here, difference.reason];
        let [mosquitto, here, reason] = cells.map(|cell| cell.replace('|', "\\|"));
        format!("| {mosquitto} | {here} | {reason} |\n")
    });
    let table = format!(
        "| mosquitto's clients | mqtt under their names | reason |\n|---|---|---|\n{}",
        rows.collect::<String>()
    );
    let expected = format!("{before}{begin}{table}{end}{after}");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, expected).unwrap();
        return;
    }
    assert!(page == expected, "docs/mosquitto.md: run UPDATE_EXPECT=1 cargo test generated");
}

/// The program's answers to words of other tools.
#[test]
fn page_of_foreign_words() {
    let path = root().join("docs/migration.md");
    let page = fs::read_to_string(&path).unwrap();
    let (begin, end) = ("<!-- words -->\n", "<!-- end of words -->\n");
    let (before, rest) = page.split_once(begin).unwrap();
    let (_, after) = rest.split_once(end).unwrap();
    let row = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
    let commands: String = mqtt::cli::foreign_commands().iter().map(|cells| row(cells)).collect();
    let options: String = mqtt::cli::foreign_options().iter().map(|cells| row(cells)).collect();
    let tables = format!(
        "| their subcommand | ours | remark |\n|---|---|---|\n{commands}\n\
         | their option | in our subcommand | ours | remark |\n|---|---|---|---|\n{options}"
    );
    let expected = format!("{before}{begin}{tables}{end}{after}");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&path, expected).unwrap();
        return;
    }
    assert!(page == expected, "docs/migration.md: run UPDATE_EXPECT=1 cargo test generated");
}

/// The output of `--help` fits a screen.
#[test]
fn help_texts() {
    let mut command = mqtt::cli::command().term_width(HELP_WIDTH);
    command.build();
    let texts = with_all_below(&command).into_iter().map(|command| {
        let name = command.get_display_name().unwrap_or(command.get_name());
        let called = command.get_bin_name().unwrap_or_default();
        let called: Vec<&str> = called.split(' ').skip(1).collect();
        let text = mqtt::cli::help_of(&called, HELP_WIDTH).unwrap();
        let (lines, columns) = (text.lines().count(), text.lines().map(|line| line.chars().count()).max());
        assert!(lines <= HELP_LINES, "{name}: {lines} lines\n{text}");
        assert!(columns <= Some(HELP_WIDTH), "{name}: {columns:?} columns\n{text}");
        (format!("{name}.txt"), text)
    });
    check("tests/golden/help", &texts.collect());
}

/// Whoever reads about the embedded broker learns what to use in production.
#[test]
fn embedded_broker_names_brokers_for_production() {
    let read = |path: &str| fs::read_to_string(root().join(path)).unwrap();
    let readme = read("README.md");
    let (_, section) = readme.split_once("## A broker for tests: mqtt broker").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let help = |option: &str| {
        let program =
            std::process::Command::new(env!("CARGO_BIN_EXE_mqtt")).args(["broker", option]).output();
        String::from_utf8(program.unwrap().stdout).unwrap()
    };
    assert!(help("--help").contains("for development and tests (in production: Mosquitto, EMQX)"));
    for (place, text) in [
        ("--help-all", help("--help-all")),
        ("README.md", section.to_owned()),
        ("the manual page", read("man/mqtt-broker.1")),
        ("docs/broker.md", read("docs/broker.md")),
    ] {
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        for word in ["development and tests", "production", "Mosquitto", "EMQX", "HiveMQ", "NanoMQ"] {
            assert!(words.contains(word), "{place} does not say {word:?}");
        }
    }
}
