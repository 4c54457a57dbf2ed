//! The forms of a completion.

use std::ffi::OsString;

/// The completion of the last word of a line.
#[derive(Debug)]
pub(super) struct Completion {
    /// The text before the value in the word.
    pub(super) prefix: String,
    /// The typed part of the value.
    pub(super) value: String,
    pub(super) offer: Offer,
}

/// The kind of completion.
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

/// A word with its description.
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

    /// Words without a description.
    pub(super) fn plain<'a>(texts: impl IntoIterator<Item = &'a str>) -> Vec<Self> {
        texts.into_iter().map(|text| Self::new(text, "")).collect()
    }
}
