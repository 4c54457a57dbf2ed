//! CONTRIBUTING.md and docs/install.md list the features and dependencies of Cargo.toml.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The keys of the sections of Cargo.toml whose names end with `end`.
fn keys(end: &str) -> BTreeSet<String> {
    let text = read("Cargo.toml");
    let mut is_wanted = false;
    let mut found = BTreeSet::new();
    for line in text.lines() {
        if let Some(section) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            is_wanted = section.ends_with(end);
        } else if let Some((key, _)) = line.split_once(" = ").filter(|_| is_wanted) {
            found.insert(key.to_owned());
        }
    }
    found
}

/// The names in the first column of the tables in a section. Each row has a description.
fn rows(document: &str, section: &str) -> BTreeSet<String> {
    let text = read(document);
    let begin =
        text.find(&format!("\n## {section}\n")).unwrap_or_else(|| panic!("{document}: no section {section}"));
    let section = &text[begin + 1..];
    let section = section.find("\n## ").map_or(section, |end| &section[..end]);
    let mut found = BTreeSet::new();
    for row in section.lines().filter_map(|line| line.strip_prefix("| `")) {
        let (name, rest) = row.split_once("` | ").expect(row);
        assert!(rest.trim_end_matches(" |").len() > 2, "{document}: nothing is said of {name}");
        assert!(found.insert(name.to_owned()), "{document}: {name} has two rows");
    }
    found
}

#[test]
fn each_dependency_has_a_stated_use() {
    // Including those of a target, and of the tests.
    let expected = keys("dependencies");
    assert!(
        expected.contains("tokio") && expected.contains("openssl-probe") && expected.contains("tempfile")
    );
    assert_eq!(rows("CONTRIBUTING.md", "Dependencies"), expected);
}

#[test]
fn each_feature_is_documented() {
    let mut expected = keys("features");
    assert!(expected.remove("default"));
    assert_eq!(rows("CONTRIBUTING.md", "Features"), expected);
    assert_eq!(rows("docs/install.md", "Features"), expected);
}
