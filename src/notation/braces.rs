//! Text with fields in braces, `{name}` or `{name:argument}`; `{{` and `}}` mean literal braces. The caller
//! defines the fields.

/// A part of such a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Piece<'a> {
    /// Literal bytes.
    Text(&'a [u8]),
    /// A field.
    Field {
        /// Its name.
        name: &'a str,
        /// The text after the first colon.
        argument: Option<&'a str>,
    },
}

/// Why braces are invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BraceError {
    /// `{` without `}`.
    #[error("a '{{' is not closed")]
    NotClosed,
    /// `}` without `{`.
    #[error("a '}}' closes nothing")]
    NotOpened,
}

/// The parts of a text, in order.
#[must_use]
pub fn pieces(text: &[u8]) -> Pieces<'_> {
    Pieces { rest: text }
}

/// An iterator over the parts of a text.
#[derive(Debug, Clone)]
pub struct Pieces<'a> {
    rest: &'a [u8],
}

impl<'a> Pieces<'a> {
    fn text(&mut self, end: usize, next: usize) -> Piece<'a> {
        let text = &self.rest[..end];
        self.rest = &self.rest[next..];
        Piece::Text(text)
    }

    fn field(&mut self) -> Result<Piece<'a>, BraceError> {
        let end = memchr::memchr2(b'{', b'}', &self.rest[1..]).ok_or(BraceError::NotClosed)? + 1;
        let inner = std::str::from_utf8(&self.rest[1..end]).map_err(|_| BraceError::NotClosed)?;
        if self.rest[end] == b'{' {
            return Err(BraceError::NotClosed);
        }
        self.rest = &self.rest[end + 1..];
        let (name, argument) = match inner.split_once(':') {
            Some((name, argument)) => (name, Some(argument)),
            None => (inner, None),
        };
        Ok(Piece::Field { name, argument })
    }
}

impl<'a> Iterator for Pieces<'a> {
    type Item = Result<Piece<'a>, BraceError>;

    fn next(&mut self) -> Option<Self::Item> {
        let first = *self.rest.first()?;
        match memchr::memchr2(b'{', b'}', self.rest) {
            None => Some(Ok(self.text(self.rest.len(), self.rest.len()))),
            Some(0) if self.rest.get(1) == Some(&first) => Some(Ok(self.text(1, 2))),
            Some(0) => {
                let piece = if first == b'{' { self.field() } else { Err(BraceError::NotOpened) };
                if piece.is_err() {
                    self.rest = &[];
                }
                Some(piece)
            }
            Some(end) => Some(Ok(self.text(end, end))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(text: &str) -> Result<String, BraceError> {
        let shown = |piece| match piece {
            Piece::Text(text) => String::from_utf8_lossy(text).into_owned(),
            Piece::Field { name, argument: None } => format!("<{name}>"),
            Piece::Field { name, argument: Some(argument) } => format!("<{name}|{argument}>"),
        };
        pieces(text.as_bytes()).map(|piece| piece.map(shown)).collect()
    }

    #[test]
    fn fields_and_doubled_braces() {
        for (text, expected) in [
            ("", ""),
            ("plain", "plain"),
            ("{seq}", "<seq>"),
            ("a{seq}b{now:%H:%M}c", "a<seq>b<now|%H:%M>c"),
            ("{{seq}}", "{seq}"),
            ("{{{seq}}}", "{<seq>}"),
            ("{{\"t\":{seq}}}", "{\"t\":<seq>}"),
            ("{}", "<>"),
            ("{:}", "<|>"),
        ] {
            assert_eq!(shown(text).as_deref(), Ok(expected), "{text}");
        }
        for (text, why) in [
            ("{", BraceError::NotClosed),
            ("{a", BraceError::NotClosed),
            ("{a{b}", BraceError::NotClosed),
            ("}", BraceError::NotOpened),
            ("{a}}", BraceError::NotOpened),
            ("a}b", BraceError::NotOpened),
        ] {
            assert_eq!(shown(text), Err(why), "{text}");
        }
        assert!(pieces(b"{\xff}").any(|piece| piece.is_err()));
    }

    proptest! {
        /// Any text can be expressed by doubling its braces.
        #[test]
        fn any_text_can_be_written(text in proptest::collection::vec(prop_oneof![
            Just(b'{'), Just(b'}'), Just(b':'), any::<u8>()], 0..40)) {
            let doubled: Vec<u8> = text.iter().flat_map(|byte| {
                let is_brace = matches!(byte, b'{' | b'}');
                std::iter::repeat_n(*byte, if is_brace { 2 } else { 1 })
            }).collect();
            let mut read = Vec::new();
            for piece in pieces(&doubled) {
                let Ok(Piece::Text(part)) = piece else { panic!("{piece:?}") };
                read.extend_from_slice(part);
            }
            prop_assert_eq!(read, text);
        }

        /// Parsing any text ends, without a panic.
        #[test]
        fn every_text_ends(text in proptest::collection::vec(prop_oneof![
            Just(b'{'), Just(b'}'), Just(b':'), any::<u8>()], 0..40)) {
            prop_assert!(pieces(&text).count() <= text.len());
        }
    }
}
