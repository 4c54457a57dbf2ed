//! Each type name has one meaning in neighbouring modules.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use regex::Regex;

use super::{IMPORTS, sources};

/// Names that several types of neighbouring modules have.
const SHARED: &[(&str, &str)] = &[
    ("Config", "each command has one, and is named with it: publish::Config"),
    ("Connection", "the standard's term: the Network Connection, seen from each side"),
    ("Session", "the standard's term: the Session, seen from each side"),
    ("Will", "the standard's term: the Will Message, as given and as read from a CONNECT"),
];

static TYPE: LazyLock<Regex> =
    LazyLock::new(|| Regex::new(r"(?m)^(?:pub(?:\([^)]*\))? )?(?:struct|enum|union|trait) (\w+)").unwrap());

/// Whether they are the same module, or one may import from the other.
fn are_neighbours(one: &str, other: &str) -> bool {
    let imports = |room: &str, from: &str| {
        let allowed = IMPORTS.iter().find(|(name, _)| *name == room).map_or(&[][..], |(_, allowed)| allowed);
        allowed.iter().any(|path| path.split("::").next() == Some(from))
    };
    one == other || imports(one, other) || imports(other, one)
}

#[test]
fn types_of_neighbouring_rooms_have_names_of_their_own() {
    let sources = sources();
    let mut types = BTreeMap::<&str, Vec<(&str, &str)>>::new();
    for source in &sources {
        for found in TYPE.captures_iter(&source.code) {
            let files = types.entry(found.get(1).unwrap().as_str()).or_default();
            // Two types in one file are the two variants of a condition.
            if !files.contains(&(source.room(), &source.path)) {
                files.push((source.room(), &source.path));
            }
        }
    }
    let has_namesakes = |files: &[(&str, &str)]| {
        let pairs =
            files.iter().enumerate().flat_map(|(at, one)| files[at + 1..].iter().map(move |o| (one, o)));
        pairs.into_iter().any(|((one, _), (other, _))| are_neighbours(one, other))
    };
    types.retain(|_, files| has_namesakes(files));
    for (name, reason) in SHARED {
        assert!(types.remove(name).is_some(), "{name} ({reason}) is no longer shared: take it off the list");
    }
    assert!(types.is_empty(), "one name for different things:\n{types:#?}");
}
