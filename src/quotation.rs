//! Text from outside in our own sentences. The text of a broker, a proxy, a certificate or a file may have
//! any length, and the sentence must stay readable. Values in JSON are not cut.

use std::borrow::Cow;

use crate::notation::printable;

/// Maximum number of characters of one text in a sentence.
pub const MOST_CHARS: usize = 200;

/// Maximum number of characters in a line on standard error: more than any sentence with several quotations
/// needs; it cuts long lists of a broker or a file.
pub const MOST_LINE_CHARS: usize = 4096;

/// Maximum number of elements of a collection that are named, each on its own line or in a list.
pub const MOST_ELEMENTS: usize = 5;

/// Maximum number of properties of a packet with a line each: more than the standard defines, plus some of
/// the user's.
pub const MOST_PROPERTIES: usize = 100;

/// A text as a sentence quotes it: whole, or its first [`MOST_CHARS`] characters, `…` and its total length.
#[must_use]
pub fn cut(text: &str) -> Cow<'_, str> {
    cut_after(text, MOST_CHARS)
}

/// An arbitrary text as a sentence quotes it: cut and on one line, with control characters shown.
#[must_use]
pub fn shown<T: AsRef<[u8]> + ?Sized>(text: &T) -> String {
    let text = text.as_ref();
    match (str::from_utf8(text), text.get(..MOST_CHARS)) {
        (Ok(text), _) => printable(&*cut(text)),
        (Err(_), None) => printable(text),
        (Err(_), Some(first)) => format!("{}… ({} bytes)", printable(first), text.len()),
    }
}

/// A line of text, cut in the same way after [`MOST_LINE_CHARS`].
#[must_use]
pub fn cut_line(line: &str) -> Cow<'_, str> {
    cut_after(line, MOST_LINE_CHARS)
}

fn cut_after(text: &str, most_chars: usize) -> Cow<'_, str> {
    // A character has at least one byte.
    if text.len() <= most_chars {
        return Cow::Borrowed(text);
    }
    match text.char_indices().nth(most_chars) {
        Some((end, _)) => Cow::Owned(format!("{}… ({} bytes)", &text[..end], text.len())),
        None => Cow::Borrowed(text),
    }
}

/// The names of a collection in a sentence: `'a', 'b'`, and the number of further ones.
#[must_use]
pub fn list<T: AsRef<str>>(names: &[T]) -> String {
    let (shown, others) = names.split_at(names.len().min(MOST_ELEMENTS));
    let quoted: Vec<String> = shown.iter().map(|name| format!("'{}'", cut(name.as_ref()))).collect();
    let more = if others.is_empty() { String::new() } else { format!(" and {} more", others.len()) };
    quoted.join(", ") + &more
}

/// Sentences about the elements of a collection: the first few, and the total number.
#[derive(Debug, Default)]
pub struct FirstFew {
    sentences: Vec<String>,
    count: usize,
}

impl FirstFew {
    /// Adds a sentence, which is only made if it is kept.
    pub fn push(&mut self, sentence: impl FnOnce() -> String) {
        self.count += 1;
        if self.sentences.len() < MOST_ELEMENTS {
            self.sentences.push(sentence());
        }
    }

    /// Inserts those of another collection before these.
    pub fn put_before(&mut self, mut first: Self) {
        first.count += self.count;
        first.sentences.append(&mut self.sentences);
        first.sentences.truncate(MOST_ELEMENTS);
        *self = first;
    }

    /// The total number, kept or not.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    /// The kept sentences.
    #[must_use]
    pub fn sentences(&self) -> &[String] {
        &self.sentences
    }

    /// The kept sentences, and a last one about the number of the others.
    #[must_use]
    pub fn with_others(mut self, others: impl FnOnce(usize) -> String) -> Vec<String> {
        match self.count - self.sentences.len() {
            0 => {}
            more => self.sentences.push(others(more)),
        }
        self.sentences
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_cut_with_its_length() {
        let long = "ü".repeat(MOST_CHARS);
        assert_eq!(cut(&long), long);
        assert_eq!(cut(&format!("{long}ü")), format!("{long}… (402 bytes)"));
        assert_eq!(cut(""), "");
        let line = "x".repeat(MOST_LINE_CHARS + 1);
        assert_eq!(cut_line(&line), format!("{}… (4097 bytes)", &line[1..]));
    }

    #[test]
    fn anything_is_shown_on_one_short_line() {
        assert_eq!(shown("it's\r\n\u{1b}[2J"), "it's\\r\\n\\x1b[2J");
        assert_eq!(shown(b"a\xff"), "a\\xff");
        let controls = shown(&"\u{9b}".repeat(300));
        assert!(
            controls.ends_with("\\u{9b}… (600 bytes)") && controls.len() < 6 * MOST_CHARS + 20,
            "{controls}"
        );
        assert!(shown(&[0xff; 300]).ends_with("\\xff… (300 bytes)"));
    }

    #[test]
    fn list_names_the_first_few_and_the_number_of_others() {
        assert_eq!(list(&["a", "b"]), "'a', 'b'");
        assert_eq!(list(&["a"; 7]), "'a', 'a', 'a', 'a', 'a' and 2 more");
        assert!(list(&["x".repeat(70_000)]).len() < 300);
    }
}
