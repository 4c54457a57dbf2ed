//! Escapes in which a server may repeat a text: those of programs and JSON (`\x40`, `\u0040`, `\100`), of URLs
//! (`%40`) and of HTML (`&#64;`, `&commat;`).

/// How often a text is decoded: gateways escape what is escaped already.
pub(super) const MOST_LAYERS: usize = 3;

/// The characters that begin an escape.
pub(super) const BEGINNINGS: [char; 3] = ['\\', '%', '&'];

/// A text in which parts are left out or decoded, with the positions of the original characters.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) bytes: Vec<u8>,
    /// The start and end of the characters that each byte stands for.
    places: Vec<(usize, usize)>,
}

impl View {
    /// The view of these characters of a text.
    pub(super) fn of(characters: impl Iterator<Item = (usize, char)>) -> Self {
        let mut view = Self::default();
        for (at, c) in characters {
            view.push(c.encode_utf8(&mut [0; 4]).as_bytes(), (at, at + c.len_utf8()));
        }
        view
    }

    fn push(&mut self, bytes: &[u8], place: (usize, usize)) {
        self.bytes.extend_from_slice(bytes);
        self.places.resize(self.bytes.len(), place);
    }

    /// The place in the text of bytes from `begin` to before `end`, at least one.
    pub(super) fn place(&self, begin: usize, end: usize) -> (usize, usize) {
        (self.places[begin].0, self.places[end - 1].1)
    }

    /// The view with each escape decoded once; `None` without one. An escape that is cut off at the end is left
    /// out.
    pub(super) fn decoded(&self) -> Option<Self> {
        let mut view = Self::default();
        let (mut at, mut has_any) = (0, false);
        while at < self.bytes.len() {
            let Some((escape, length)) = escape(&self.bytes[at..]) else {
                view.push(&self.bytes[at..=at], self.places[at]);
                at += 1;
                continue;
            };
            has_any = true;
            let place = self.place(at, at + length);
            match escape {
                Escape::Byte(byte) => view.push(&[byte], place),
                Escape::Char(c) => view.push(c.encode_utf8(&mut [0; 4]).as_bytes(), place),
                Escape::Cut => {}
            }
            at += length;
        }
        has_any.then_some(view)
    }

    /// The view without the characters for which `is_unseen` holds.
    pub(super) fn without(&self, is_unseen: impl Fn(char) -> bool) -> Self {
        let mut view = Self::default();
        let mut at = 0;
        for chunk in self.bytes.utf8_chunks() {
            for c in chunk.valid().chars() {
                let end = at + c.len_utf8();
                if !is_unseen(c) {
                    (at..end).for_each(|at| view.push(&self.bytes[at..=at], self.places[at]));
                }
                at = end;
            }
            let end = at + chunk.invalid().len();
            (at..end).for_each(|at| view.push(&self.bytes[at..=at], self.places[at]));
            at = end;
        }
        view
    }
}

/// What an escape stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escape {
    Byte(u8),
    Char(char),
    /// It is not complete, and the text ends.
    Cut,
}

/// The escape at the start of these bytes, and its length.
fn escape(bytes: &[u8]) -> Option<(Escape, usize)> {
    let (first, rest) = bytes.split_first()?;
    let (escape, length) = match first {
        b'%' if matches!(rest, [b'u' | b'U', ..]) => counted(rest, 4)?,
        b'%' => number(rest, 2).map(|(escape, length)| (as_byte(escape), length))?,
        b'&' => reference(rest)?,
        b'\\' => backslash(rest)?,
        _ => return None,
    };
    Some((escape, length + 1))
}

fn as_byte(escape: Escape) -> Escape {
    match escape {
        Escape::Char(c) => u8::try_from(c).map_or(escape, Escape::Byte),
        other => other,
    }
}

/// This number of hexadecimal digits.
fn number(bytes: &[u8], digits: usize) -> Option<(Escape, usize)> {
    let there = bytes.iter().take(digits).take_while(|byte| byte.is_ascii_hexdigit()).count();
    if there < digits {
        return (there == bytes.len()).then_some((Escape::Cut, there));
    }
    Some((Escape::Char(char::from_u32(value(&bytes[..digits], 16)?)?), digits))
}

/// The value of these digits; `None` if there is none, or a huge one.
fn value(digits: &[u8], radix: u32) -> Option<u32> {
    u32::from_str_radix(std::str::from_utf8(digits).ok()?, radix).ok()
}

/// A letter, and this number of hexadecimal digits after it; two halves of a pair (UTF-16) are one character.
fn counted(bytes: &[u8], digits: usize) -> Option<(Escape, usize)> {
    let rest = &bytes[1..];
    let half = |bytes: &[u8]| bytes.get(..4).and_then(|digits| value(digits, 16));
    let (Some(high @ 0xD800..=0xDBFF), 4) = (half(rest), digits) else {
        return number(rest, digits).map(|(escape, length)| (escape, length + 1));
    };
    let low = rest.get(6..).filter(|_| rest[4..6].eq_ignore_ascii_case(b"\\u")).and_then(half);
    let pair = low.filter(|low| (0xDC00..=0xDFFF).contains(low));
    let code = pair.map(|low| 0x1_0000 + ((high - 0xD800) << 10) + (low - 0xDC00));
    Some((Escape::Char(code.and_then(char::from_u32)?), 11))
}

/// Digits in braces.
fn braced(bytes: &[u8]) -> Option<(Escape, usize)> {
    const MOST_DIGITS: usize = 8;
    let digits = bytes.strip_prefix(b"{")?;
    let length = digits.iter().take(MOST_DIGITS + 1).take_while(|byte| byte.is_ascii_hexdigit()).count();
    match digits.get(length) {
        None => Some((Escape::Cut, bytes.len())),
        Some(b'}') => Some((Escape::Char(char::from_u32(value(&digits[..length], 16)?)?), length + 2)),
        Some(_) => None,
    }
}

/// What follows a backslash.
fn backslash(bytes: &[u8]) -> Option<(Escape, usize)> {
    let in_braces = || braced(&bytes[1..]).map(|(escape, length)| (escape, length + 1));
    let control = |c: char| Some((Escape::Char(c), 1));
    match bytes {
        [] => Some((Escape::Cut, 0)),
        [b'x', ..] => {
            in_braces().or_else(|| counted(bytes, 2).map(|(escape, length)| (as_byte(escape), length)))
        }
        [b'u', ..] => in_braces().or_else(|| counted(bytes, 4)),
        [b'U', ..] => counted(bytes, 8),
        [b'0'..=b'7', ..] => {
            let length = bytes.iter().take(3).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
            Some((Escape::Byte(u8::try_from(value(&bytes[..length], 8)?).ok()?), length))
        }
        [b'n', ..] => control('\n'),
        [b't', ..] => control('\t'),
        [b'r', ..] => control('\r'),
        [b'a' | b'b' | b'e' | b'f' | b'v', ..] => control('\u{1}'),
        [mark, ..] if mark.is_ascii_punctuation() => Some((Escape::Byte(*mark), 1)),
        _ => None,
    }
}

/// What follows `&`: a numeric reference, or the name of a character that ASCII has.
fn reference(bytes: &[u8]) -> Option<(Escape, usize)> {
    const LONGEST_NAME: usize = 8;
    let is_name = |byte: &&u8| byte.is_ascii_alphanumeric();
    if let Some(rest) = bytes.strip_prefix(b"#") {
        let (digits, radix, before) = match rest {
            [b'x' | b'X', digits @ ..] => (digits, 16, 2),
            digits => (digits, 10, 1),
        };
        let is_digit = |byte: &&u8| char::from(**byte).is_digit(radix);
        let length = digits.iter().take(LONGEST_NAME).take_while(is_digit).count();
        let all = before + length;
        if all == bytes.len() {
            // The number may have more digits, which would be another character.
            return Some((Escape::Cut, all));
        }
        let c = char::from_u32(value(&digits[..length], radix)?)?;
        // Browsers do not insist on the semicolon.
        return Some((Escape::Char(c), all + usize::from(digits.get(length) == Some(&b';'))));
    }
    let length = bytes.iter().take(LONGEST_NAME).take_while(is_name).count();
    match bytes.get(length) {
        None => Some((Escape::Cut, length)),
        Some(b';') => Some((Escape::Char(named(&bytes[..length])?), length + 1)),
        Some(_) => None,
    }
}

fn named(name: &[u8]) -> Option<char> {
    Some(match name {
        b"amp" | b"AMP" => '&',
        b"lt" | b"LT" => '<',
        b"gt" | b"GT" => '>',
        b"quot" | b"QUOT" => '"',
        b"apos" => '\'',
        b"nbsp" => '\u{a0}',
        b"shy" => '\u{ad}',
        b"zwnj" => '\u{200c}',
        b"zwj" => '\u{200d}',
        b"excl" => '!',
        b"num" => '#',
        b"dollar" => '$',
        b"percnt" => '%',
        b"lpar" => '(',
        b"rpar" => ')',
        b"ast" | b"midast" => '*',
        b"plus" => '+',
        b"comma" => ',',
        b"period" => '.',
        b"sol" => '/',
        b"colon" => ':',
        b"semi" => ';',
        b"equals" => '=',
        b"quest" => '?',
        b"commat" => '@',
        b"lsqb" | b"lbrack" => '[',
        b"bsol" => '\\',
        b"rsqb" | b"rbrack" => ']',
        b"Hat" => '^',
        b"lowbar" | b"UnderBar" => '_',
        b"grave" => '`',
        b"lcub" | b"lbrace" => '{',
        b"verbar" | b"vert" => '|',
        b"rcub" | b"rbrace" => '}',
        b"Tab" => '\t',
        b"NewLine" => '\n',
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(text: &str) -> Option<String> {
        let view = View::of(text.char_indices()).decoded()?;
        assert_eq!(view.bytes.len(), view.places.len());
        Some(String::from_utf8(view.bytes).unwrap())
    }

    #[test]
    fn escapes_of_servers_are_decoded() {
        for (text, plain) in [
            (r"p\x40s", "p@s"),
            (r"p\x{40}s", "p@s"),
            (r"p\u0040s", "p@s"),
            (r"p\u{40}s", "p@s"),
            (r"p\U00000040s", "p@s"),
            (r"p\100s", "p@s"),
            (r"p\@s", "p@s"),
            (r#"p\\\"\/s"#, r#"p\"/s"#),
            ("p%40s", "p@s"),
            ("p%u0040s", "p@s"),
            ("%c3%B6", "\u{f6}"),
            (r"\xc3\xb6", "\u{f6}"),
            (r"\ud83d\ude00!", "\u{1f600}!"),
            ("p&#64;s", "p@s"),
            ("p&#064;s", "p@s"),
            ("p&#64s", "p@s"),
            ("p&#x40;s", "p@s"),
            ("p&#X40;s", "p@s"),
            ("p&commat;s&lt;&amp;", "p@s<&"),
            ("p%2540s", "p%40s"),
            ("p&amp;#64;s", "p&#64;s"),
            ("cut%4", "cut"),
            ("cut\\", "cut"),
            (r"cut\u00", "cut"),
            ("cut&#6", "cut"),
            ("cut&comm", "cut"),
        ] {
            assert_eq!(decoded(text).as_deref(), Some(plain), "{text}");
        }
    }

    #[test]
    fn other_text_is_left_alone() {
        for text in
            ["", "plain", "100 % of it", "%4x", "a & b", "&unknown;", "&;", r"\q", r"\ud83d alone", "&#;"]
        {
            assert_eq!(decoded(text), None, "{text}");
        }
    }
}
