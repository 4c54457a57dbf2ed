//! HTML tags and the escape sequences of terminals, which a reader of a text does not see.

use super::solid_or;

/// The first character of a terminal's escape sequence.
pub(super) const ESCAPE: char = '\u{1b}';
/// Longer tags or sequences count as text.
const LONGEST_MARKUP_BYTES: usize = 256;
/// The elements whose content a browser does not show.
const HIDDEN_ELEMENTS: [&str; 7] =
    ["script", "style", "template", "noscript", "noframes", "noembed", "iframe"];

/// Where a tag ends. A server's text may have mistakes, so both ways are tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TagReading {
    /// At the first `>`.
    Short,
    /// As in a browser: a quoted value may hold `>`, and the content of some elements is not shown.
    Browser,
}

/// The characters of a text without HTML tags and terminal escape sequences.
pub(super) fn without_markup(text: &str, reading: TagReading) -> impl Iterator<Item = (usize, char)> {
    let mut hidden_to = 0;
    let mut unclosed = [false; HIDDEN_ELEMENTS.len()];
    solid_or(text, |c| c == ESCAPE).filter(move |(at, c)| {
        if *at < hidden_to {
            return false;
        }
        let rest = &text[*at..];
        let length = match *c {
            '<' if rest.starts_with("<!--") => {
                let window = rest.as_bytes().windows(3).take(LONGEST_MARKUP_BYTES);
                window.into_iter().position(|end| end == b"-->").map(|end| end + 3)
            }
            '<' if reading == TagReading::Browser => quoting_tag(rest)
                .map(|tag| hidden_content(rest, tag, &mut unclosed).map_or(tag, |content| tag + content)),
            '<' => beginning(rest).position(|byte| byte == b'>').map(|end| end + 1),
            // After ESC and `[` follow numbers, and one of these.
            ESCAPE => {
                let mut further = beginning(rest).skip(2);
                further.position(|byte| (b'@'..=b'~').contains(&byte)).map(|end| end + 3)
            }
            _ => None,
        };
        hidden_to = length.map_or(hidden_to, |length| at + length);
        length.is_none() && *c != ESCAPE
    })
}

/// The bytes that may belong to a tag or sequence at the beginning of a text.
fn beginning(text: &str) -> impl Iterator<Item = u8> {
    text.bytes().take(LONGEST_MARKUP_BYTES)
}

/// The length of the tag at the beginning of a text, whose quoted values may hold `>`.
fn quoting_tag(text: &str) -> Option<usize> {
    let mut quote = None;
    let end = beginning(text).position(|byte| {
        match quote {
            Some(open) if open == byte => quote = None,
            None if [b'"', b'\''].contains(&byte) => quote = Some(byte),
            _ => {}
        }
        quote.is_none() && byte == b'>'
    })?;
    Some(end + 1)
}

/// The length of what follows a tag up to the end of its element, with the closing tag, if the content of the
/// element is not shown. An element that is `unclosed` is not closed in the rest of the text either.
fn hidden_content(
    text: &str,
    tag_length: usize,
    unclosed: &mut [bool; HIDDEN_ELEMENTS.len()],
) -> Option<usize> {
    let tag = &text.as_bytes()[1..tag_length];
    let place = HIDDEN_ELEMENTS.iter().position(|name| is_named(tag, name))?;
    if unclosed[place] {
        return None;
    }
    let name = HIDDEN_ELEMENTS[place];
    let content = &text.as_bytes()[tag_length..];
    let closes = |at: &usize| content[*at..].starts_with(b"</") && is_named(&content[at + 2..], name);
    let Some(begin) = (0..content.len()).find(closes) else {
        unclosed[place] = true;
        return None;
    };
    Some(begin + content[begin..].iter().position(|byte| *byte == b'>').map_or(2 + name.len(), |end| end + 1))
}

/// Whether a tag, after `<` or `</`, has this name.
fn is_named(tag: &[u8], name: &str) -> bool {
    let (begin, rest) = tag.split_at(name.len().min(tag.len()));
    begin.eq_ignore_ascii_case(name.as_bytes())
        && rest.first().is_none_or(|next| !next.is_ascii_alphanumeric())
}
