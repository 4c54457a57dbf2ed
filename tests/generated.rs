//! Completions, manual pages and help texts are generated from the definition of the command line,
//! and committed. `UPDATE_EXPECT=1 cargo test generated` writes them anew.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use clap_complete::Shell;

/// Columns of the help texts, whatever the terminal.
const HELP_WIDTH: usize = 100;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Compares the files of a folder with what they should be, or writes them.
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
fn completions() {
    let shells = [Shell::Bash, Shell::Elvish, Shell::Fish, Shell::PowerShell, Shell::Zsh];
    let files = shells.map(|shell| {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut mqtt::cli::command(), "mqtt", &mut text);
        let name = clap_complete::Generator::file_name(&shell, "mqtt");
        (name, String::from_utf8(text).unwrap())
    });
    check("completions", &BTreeMap::from(files));
}

#[test]
fn manual_pages() {
    let mut command = mqtt::cli::command();
    command.build();
    let pages = with_all_below(&command).into_iter().map(|command| {
        let name = command.get_display_name().unwrap_or(command.get_name());
        (format!("{name}.1"), manual_page(name, command))
    });
    check("man", &pages.collect());
}

/// A command, its subcommands and theirs.
fn with_all_below(command: &clap::Command) -> Vec<&clap::Command> {
    let below = command.get_subcommands().flat_map(with_all_below);
    std::iter::once(command).chain(below).collect()
}

/// A page in `clap_mangen`'s words, but with a synopsis that does not repeat every option, and with
/// each part of the help's end as a section of its own.
fn manual_page(name: &str, command: &clap::Command) -> String {
    let man = clap_mangen::Man::new(command.clone())
        .title(name)
        .source(format!("mqtt {}", env!("CARGO_PKG_VERSION")))
        .manual("MQTT from the shell");
    let has_subcommands = command.has_subcommands();
    let mut page = Vec::new();
    man.render_title(&mut page).unwrap();
    man.render_name_section(&mut page).unwrap();
    let arguments = if has_subcommands { "\\fICOMMAND\\fR [\\fIOPTIONS\\fR]" } else { "[\\fIOPTIONS\\fR]" };
    page.extend(format!(".SH SYNOPSIS\n\\fB{}\\fR {arguments}\n", name.replace('-', " ")).bytes());
    man.render_description_section(&mut page).unwrap();
    if has_subcommands {
        man.render_subcommands_section(&mut page).unwrap();
    }
    man.render_options_section(&mut page).unwrap();
    let end = command.get_after_long_help().map(ToString::to_string).unwrap_or_default();
    for section in end.split("\n\n").filter(|section| !section.is_empty()) {
        let (title, lines) = section.split_once(":\n").unwrap();
        page.extend(format!(".SH {}\n.nf\n", title.to_uppercase()).bytes());
        page.extend(
            lines
                .lines()
                .map(|line| format!("{}\n", escaped(line.trim_start())))
                .flat_map(String::into_bytes),
        );
        page.extend(b".fi\n");
    }
    if !has_subcommands {
        page.extend(b".SH SEE ALSO\n\\fBmqtt\\fR(1), for exit statuses\n");
    }
    String::from_utf8(page).unwrap()
}

/// A line as roff prints it.
fn escaped(line: &str) -> String {
    let escaped = line.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\*(Aq");
    if escaped.starts_with('.') { format!("\\&{escaped}") } else { escaped }
}

/// `docs/formats.md`, as far as it is the table of `-F`.
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

#[test]
fn help_texts() {
    let mut command = mqtt::cli::command().term_width(HELP_WIDTH);
    command.build();
    let texts = with_all_below(&command).into_iter().map(|command| {
        let name = command.get_display_name().unwrap_or(command.get_name());
        (format!("{name}.txt"), command.clone().render_help().to_string())
    });
    check("tests/golden/help", &texts.collect());
}
