//! Masks secrets in the answers of brokers, proxies and web servers: an answer may repeat a secret, and
//! answers are shown in messages, logs and reports.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{OnceLock, PoisonError, RwLock};

/// What stands for a secret.
const MASK: &str = "…";

/// A shorter text is looked for as a whole word only: it would be found in any text.
const SHORTEST_PART: usize = 4;

/// Texts that are not to be repeated.
#[derive(Clone, Default)]
pub struct Confidential {
    /// By their first bytes, the longest first.
    texts: HashMap<[u8; SHORTEST_PART], Vec<Vec<u8>>>,
    words: Vec<String>,
}

/// Those of the whole process: the secrets of the command line, the environment and files.
static KNOWN: OnceLock<RwLock<Confidential>> = OnceLock::new();

/// From now on this is left out of every answer.
pub fn keep(secret: &[u8]) {
    let Ok(secret) = std::str::from_utf8(secret) else { return };
    KNOWN.get_or_init(RwLock::default).write().unwrap_or_else(PoisonError::into_inner).add(secret);
}

/// A text of a server, without what was told to it in confidence.
#[must_use]
pub fn masked(text: &str) -> Cow<'_, str> {
    match KNOWN.get() {
        None => Cow::Borrowed(text),
        Some(known) => Cow::Owned(known.read().unwrap_or_else(PoisonError::into_inner).masked(text)),
    }
}

impl Confidential {
    /// Adds a text. Blanks in it do not count.
    pub fn add(&mut self, secret: &str) {
        let solid: Vec<u8> = solid(secret).map(|(_, c)| c).collect::<String>().into_bytes();
        match solid.first_chunk() {
            Some(first) => {
                let same = self.texts.entry(*first).or_default();
                if !same.contains(&solid) {
                    same.push(solid);
                    same.sort_by_key(|text| std::cmp::Reverse(text.len()));
                }
            }
            None if !solid.is_empty() => self.words.push(secret.trim().to_owned()),
            None => {}
        }
    }

    /// A text without them, wherever blanks or line feeds stand in them. What ends in the beginning of one
    /// may have been cut off there.
    #[must_use]
    pub fn masked(&self, text: &str) -> String {
        let mut found: Vec<(usize, usize)> = Vec::new();
        let mut bytes = Vec::with_capacity(text.len());
        // Where each byte's character begins and ends in the text.
        let mut places = Vec::with_capacity(text.len());
        for (at, c) in solid(text) {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            places.resize(bytes.len(), (at, at + c.len_utf8()));
        }
        let secret_at = |at: usize, is_here: &dyn Fn(&[u8], &[u8]) -> bool| {
            let rest = bytes.get(at..)?;
            let same = self.texts.get(rest.first_chunk()?)?;
            same.iter().find(|secret| is_here(rest, secret)).map(|secret| bytes.len().min(at + secret.len()))
        };
        let mut at = 0;
        while at < bytes.len() {
            let end = secret_at(at, &|rest, secret| rest.starts_with(secret));
            found.extend(end.map(|end| (places[at].0, places[end - 1].1)));
            at = end.unwrap_or(at + 1);
        }
        let last = found.last().map_or(0, |(_, end)| *end);
        let cut = (0..bytes.len()).find(|at| {
            places[*at].0 >= last && secret_at(*at, &|rest, secret| secret.starts_with(rest)).is_some()
        });
        found.extend(cut.map(|at| (places[at].0, text.len())));
        for word in &self.words {
            found.extend(whole(text, word));
        }
        found.sort_unstable();
        let mut masked = String::with_capacity(text.len());
        let mut shown = 0;
        for (begin, end) in found {
            if begin >= shown {
                masked.push_str(&text[shown..begin]);
                masked.push_str(MASK);
            }
            shown = shown.max(end);
        }
        masked.push_str(&text[shown..]);
        masked
    }
}

/// Shows nothing.
impl std::fmt::Debug for Confidential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Confidential(…)")
    }
}

/// The characters that can be seen, with their places.
fn solid(text: &str) -> impl Iterator<Item = (usize, char)> {
    let is_unseen = |c: char| {
        c.is_whitespace()
            || c.is_control()
            || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
    };
    text.char_indices().filter(move |(_, c)| !is_unseen(*c))
}

/// Where a text has this word, with no letter or digit beside it.
fn whole(text: &str, word: &str) -> Vec<(usize, usize)> {
    let is_apart = |(at, _): &(usize, &str)| {
        let before = text[..*at].chars().next_back();
        let behind = text[at + word.len()..].chars().next();
        !before.into_iter().chain(behind).any(char::is_alphanumeric)
    };
    text.match_indices(word).filter(is_apart).map(|(at, word)| (at, at + word.len())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(secrets: &[&str], text: &str) -> String {
        let mut known = Confidential::default();
        for secret in secrets {
            known.add(secret);
        }
        known.masked(text)
    }

    #[test]
    fn secrets_are_left_out_however_they_are_split() {
        for text in ["hunter2", "hun ter2", "h\nu\nn\nt\ne\nr\n2", "hun\u{200b}ter2", "hunt"] {
            assert_eq!(masked(&["hunter2"], text), "…", "{text:?}");
            assert!(masked(&["hunter2"], &format!("user me, {text}")).ends_with("user me, …"), "{text:?}");
        }
        assert_eq!(masked(&["hunter2"], "hunting is not hunter2: no"), "hunting is not …: no");
        assert_eq!(masked(&["hunter2", "hunter22"], "hunter22 hunter2"), "… …");
        assert_eq!(masked(&["pass word"], "password pass\tword"), "… …");
        assert_eq!(masked(&["pässwörd"], "ein pässwörd"), "ein …");
        assert_eq!(masked(&["hunter2"], "nothing"), "nothing");
        assert_eq!(masked(&[], "nothing"), "nothing");
    }

    #[test]
    fn short_secrets_are_whole_words() {
        assert_eq!(masked(&["abc"], "abc is no abcd, 'abc'"), "… is no abcd, '…'");
        assert_eq!(masked(&["", " ", "a"], "a bad password"), "… bad password");
    }
}
