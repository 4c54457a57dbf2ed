//! Makes text from outside safe to show: control characters are shown, never executed.
//!
//! Used for terminals, standard error and reports, never for data that a program reads.

use super::hex;

/// The handling of line feeds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineFeed {
    /// Keep them: a payload may have several lines.
    Pass,
    /// Show them as `\n`: the text is part of a line.
    Show,
}

/// Whether a terminal could execute the character instead of showing it: C0, DEL and C1 controls, characters
/// that reorder the text around them and so change what is read, and line separators.
#[must_use]
pub fn is_obeyed(character: char) -> bool {
    character.is_control() || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Appends `bytes` with every control character but tab, and every byte that is not UTF-8, in the form of a
/// Rust or C escape: `\x1b`, `\r`, `\u{9b}`. A backslash is not escaped: the text is for people and not to be
/// parsed.
pub fn put_printable(out: &mut Vec<u8>, bytes: &[u8], line_feed: LineFeed) {
    for chunk in bytes.utf8_chunks() {
        let text = chunk.valid();
        let mut shown = 0;
        for (at, character) in text.char_indices() {
            let passes = character == '\t' || (character == '\n' && line_feed == LineFeed::Pass);
            if passes || !is_obeyed(character) {
                continue;
            }
            out.extend_from_slice(&text.as_bytes()[shown..at]);
            shown = at + character.len_utf8();
            put_escape(out, character);
        }
        out.extend_from_slice(&text.as_bytes()[shown..]);
        for byte in chunk.invalid() {
            put_hex(out, *byte);
        }
    }
}

/// One line of text, safe to show.
#[must_use]
pub fn printable<T: AsRef<[u8]> + ?Sized>(text: &T) -> String {
    let text = text.as_ref();
    let mut out = Vec::with_capacity(text.len());
    put_printable(&mut out, text, LineFeed::Show);
    String::from_utf8_lossy(&out).into_owned()
}

fn put_escape(out: &mut Vec<u8>, character: char) {
    match (character, u8::try_from(character)) {
        ('\n', _) => out.extend_from_slice(b"\\n"),
        ('\r', _) => out.extend_from_slice(b"\\r"),
        (_, Ok(byte)) if byte.is_ascii() => put_hex(out, byte),
        _ => out.extend(character.escape_unicode().map(|c| c as u8)),
    }
}

fn put_hex(out: &mut Vec<u8>, byte: u8) {
    out.extend_from_slice(b"\\x");
    out.extend_from_slice(&hex::pair(byte));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(bytes: &[u8], line_feed: LineFeed) -> String {
        let mut out = Vec::new();
        put_printable(&mut out, bytes, line_feed);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn controls_are_shown() {
        assert_eq!(shown(b"a\x1b[31mb\x07\x7f", LineFeed::Pass), "a\\x1b[31mb\\x07\\x7f");
        assert_eq!(shown("\u{9b}31m".as_bytes(), LineFeed::Pass), "\\u{9b}31m");
        assert_eq!(shown("a\u{202e}b\u{2028}".as_bytes(), LineFeed::Pass), "a\\u{202e}b\\u{2028}");
        assert_eq!(shown(b"a\r\nb\tc", LineFeed::Pass), "a\\r\nb\tc");
        assert_eq!(shown(b"a\r\nb\tc", LineFeed::Show), "a\\r\\nb\tc");
        assert_eq!(shown(b"\xc3\xa9\xff\xc3", LineFeed::Pass), "é\\xff\\xc3");
        assert_eq!(shown("grün ☃ C:\\x".as_bytes(), LineFeed::Pass), "grün ☃ C:\\x");
    }

    #[test]
    fn one_line_has_quotes_and_backslashes_as_they_are() {
        assert_eq!(printable("it's \"C:\\x\"\n\u{9b}"), "it's \"C:\\x\"\\n\\u{9b}");
        assert_eq!(printable(b"a/\xff"), "a/\\xff");
    }

    proptest! {
        #[test]
        fn no_control_character_is_left(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let text = shown(&bytes, LineFeed::Show);
            prop_assert!(!text.chars().any(|c| c != '\t' && is_obeyed(c)), "{text:?}");
        }
    }
}
