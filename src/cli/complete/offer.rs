//! What can be offered for a word.

use std::ffi::OsString;

/// What can stand in the last word of a line.
#[derive(Debug)]
pub(super) struct Completion {
    /// What stands before the value in the word.
    pub(super) prefix: String,
    /// What is typed of the value.
    pub(super) value: String,
    pub(super) offer: Offer,
}

/// What can be offered.
#[derive(Debug)]
pub(super) enum Offer {
    Words(Vec<Word>),
    Files,
    Directories,
    Hosts,
    Commands,
    /// Topics of the broker that these options of the connection name.
    Topics {
        options: Vec<OsString>,
        is_filter: bool,
    },
}

/// A word, and what it means.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) help: String,
}

impl Word {
    pub(super) fn new(text: impl Into<String>, help: &str) -> Self {
        let first = help.lines().next().unwrap_or_default();
        Self { text: text.into(), help: first.replace('\t', " ") }
    }

    /// Words that explain themselves.
    pub(super) fn plain<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<Self> {
        texts.into_iter().map(|text| Self::new(text, "")).collect()
    }
}
