//! The keys typed by the user, decoded from the terminal's bytes.

/// A key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TypedKey {
    Character(char),
    Up,
    Down,
    Left,
    Right,
    PageUp,
    PageDown,
    Home,
    End,
    Enter,
    Backspace,
    Escape,
}

/// The keys in the bytes of one read. Unknown control sequences are skipped completely.
pub(super) fn keys(bytes: &[u8]) -> Vec<TypedKey> {
    let text = String::from_utf8_lossy(bytes);
    let mut rest = text.as_ref();
    let mut keys = Vec::new();
    while let Some(first) = rest.chars().next() {
        if let Some(sequence) = rest.strip_prefix("\x1b[").or_else(|| rest.strip_prefix("\x1bO")) {
            // Parameters, and a final byte (ECMA-48).
            let end = sequence.find(|character: char| ('@'..='~').contains(&character));
            let end = end.unwrap_or(sequence.len());
            let key = match (&sequence[..end], sequence[end..].chars().next()) {
                (_, Some('A')) => Some(TypedKey::Up),
                (_, Some('B')) => Some(TypedKey::Down),
                (_, Some('C')) => Some(TypedKey::Right),
                (_, Some('D')) => Some(TypedKey::Left),
                (_, Some('H')) | ("1" | "7", Some('~')) => Some(TypedKey::Home),
                (_, Some('F')) | ("4" | "8", Some('~')) => Some(TypedKey::End),
                ("5", Some('~')) => Some(TypedKey::PageUp),
                ("6", Some('~')) => Some(TypedKey::PageDown),
                _ => None,
            };
            keys.extend(key);
            rest = sequence.get(end + 1..).unwrap_or_default();
            continue;
        }
        rest = &rest[first.len_utf8()..];
        keys.extend(match first {
            '\x1b' => Some(TypedKey::Escape),
            '\r' | '\n' => Some(TypedKey::Enter),
            '\x08' | '\x7f' => Some(TypedKey::Backspace),
            other if other.is_control() => None,
            other => Some(TypedKey::Character(other)),
        });
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_in_bytes() {
        let typed = b"a\xc3\xbc\x1b[A\x1bOB\x1b[5~\x1b[1;5C\x1b[3~\x1b[H\x1b[4~\r\x7f\x01\x1b";
        let expected = [
            TypedKey::Character('a'),
            TypedKey::Character('\u{fc}'),
            TypedKey::Up,
            TypedKey::Down,
            TypedKey::PageUp,
            TypedKey::Right,
            TypedKey::Home,
            TypedKey::End,
            TypedKey::Enter,
            TypedKey::Backspace,
            TypedKey::Escape,
        ];
        assert_eq!(keys(typed), expected);
        assert_eq!(keys(b"\x1b["), []);
        assert_eq!(keys(b""), []);
    }
}
