//! Masks secrets in the answers of brokers, proxies and web servers: an answer may repeat a secret, and
//! answers are shown in messages, logs and reports. Secrets are found plain, split by blanks or markup, escaped
//! (`escapes`), and inside Base64 and hexadecimal digits; always without regard to the case of ASCII letters.

mod escapes;
mod markup;

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::{OnceLock, PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::GeneralPurpose;
use base64::engine::general_purpose::{NO_PAD, STANDARD, URL_SAFE};

use self::escapes::{BEGINNINGS, MOST_LAYERS, View};
use self::markup::{ESCAPE, TagReading, without_markup};

/// The text shown instead of a secret.
const MASK: &str = "…";

/// Shorter texts are only masked as whole words: they would match anywhere in a text.
const SHORTEST_PART: usize = 4;

/// Base64 without padding, also if it was cut off inside a group.
const UNPADDED: GeneralPurpose =
    GeneralPurpose::new(&base64::alphabet::STANDARD, NO_PAD.with_decode_allow_trailing_bits(true));

/// Texts that must not be repeated.
#[derive(Clone, Default)]
pub struct Confidential {
    /// The texts of at least [`SHORTEST_PART`] bytes, without blanks, in lower case.
    texts: BTreeSet<Vec<u8>>,
    /// The shorter ones, in lower case.
    words: BTreeSet<String>,
}

/// The secrets of the whole process, from the command line, the environment and files.
static KNOWN: OnceLock<RwLock<Confidential>> = OnceLock::new();

/// Masks this secret in every answer from now on.
pub fn keep(secret: &[u8]) {
    let secret = String::from_utf8_lossy(secret);
    KNOWN.get_or_init(RwLock::default).write().unwrap_or_else(PoisonError::into_inner).add(&secret);
}

/// Masks a user name and password from now on, also in the encodings of HTTP (Basic, RFC 7617) and SASL
/// (PLAIN, RFC 4616).
pub fn keep_credentials(user_name: Option<&str>, password: &[u8]) {
    keep(password);
    let user_name = user_name.unwrap_or_default().as_bytes();
    for text in [
        password.to_vec(),
        [user_name, b":", password].concat(),
        [b"\0", user_name, b"\0", password].concat(),
    ] {
        for encoded in [STANDARD.encode(&text), URL_SAFE.encode(&text)] {
            // Some servers omit the padding.
            keep(encoded.trim_end_matches('=').as_bytes());
        }
    }
}

/// A server's text with all known secrets masked.
#[must_use]
pub fn masked(text: &str) -> Cow<'_, str> {
    match KNOWN.get() {
        None => Cow::Borrowed(text),
        Some(known) => Cow::Owned(known.read().unwrap_or_else(PoisonError::into_inner).masked(text)),
    }
}

impl Confidential {
    /// Adds a text, plain and as a JSON string, with and without escaped control characters, since many
    /// servers repeat it in JSON. Blanks in it are ignored.
    pub fn add(&mut self, secret: &str) {
        self.add_text(secret);
        let without_blanks: String = solid(secret).map(|(_, c)| c).collect();
        for text in [secret, &without_blanks] {
            let in_json = serde_json::Value::from(text).to_string();
            let in_json = &in_json[1..in_json.len() - 1];
            if in_json != text {
                self.add_text(in_json);
            }
        }
    }

    fn add_text(&mut self, text: &str) {
        let text = text.to_ascii_lowercase();
        let solid: Vec<u8> = solid(&text).map(|(_, c)| c).collect::<String>().into_bytes();
        if solid.len() >= SHORTEST_PART {
            self.texts.insert(solid);
        } else if !solid.is_empty() {
            self.words.insert(text.trim().to_owned());
        }
    }

    /// The length of the secret at the start of these bytes, in lower case; the longest if several match.
    fn length_at(&self, bytes: &[u8]) -> Option<usize> {
        let mut limit = bytes;
        loop {
            // A secret that is a prefix of these bytes sorts at or before them.
            let nearest =
                self.texts.range::<[u8], _>((Bound::Unbounded, Bound::Included(limit))).next_back()?;
            let common = limit.iter().zip(nearest).take_while(|(one, other)| one == other).count();
            if common == nearest.len() {
                return Some(common);
            }
            if common < SHORTEST_PART {
                return None;
            }
            limit = &limit[..common];
        }
    }

    /// Whether these bytes, in lower case, are the beginning of a secret.
    fn goes_on_after(&self, bytes: &[u8]) -> bool {
        let mut after = self.texts.range::<[u8], _>((Bound::Included(bytes), Bound::Unbounded));
        bytes.len() >= SHORTEST_PART && after.next().is_some_and(|secret| secret.starts_with(bytes))
    }

    /// Whether these bytes contain a secret, or end with the beginning of one. Short secrets would match any
    /// bytes and are ignored.
    fn is_in(&self, bytes: &[u8]) -> bool {
        let bytes = bytes.to_ascii_lowercase();
        (0..bytes.len()).any(|at| self.length_at(&bytes[at..]).is_some() || self.goes_on_after(&bytes[at..]))
    }

    /// The positions of secrets in this view of a text. The beginning of a secret at the end counts, as it may
    /// have been cut off there.
    fn places(&self, text: &str, view: &View) -> Vec<(usize, usize)> {
        let mut found: Vec<(usize, usize)> = Vec::new();
        let bytes = view.bytes.to_ascii_lowercase();
        let (mut at, mut last) = (0, 0);
        while at < bytes.len() {
            let end = self.length_at(&bytes[at..]).map(|length| at + length);
            found.extend(end.map(|end| view.place(at, end)));
            last = end.unwrap_or(last);
            at = end.unwrap_or(at + 1);
        }
        let cut = (last..bytes.len()).find(|at| self.goes_on_after(&bytes[*at..]));
        found.extend(cut.map(|at| (view.place(at, at + 1).0, text.len())));
        found
    }

    /// The positions of short secrets that are whole words, and of words that hold a secret in Base64 or
    /// hexadecimal digits.
    fn words_in(&self, text: &str) -> Vec<(usize, usize)> {
        let in_lower_case = text.to_ascii_lowercase();
        let words = self.words.iter();
        let mut found: Vec<(usize, usize)> = words.flat_map(|word| whole(&in_lower_case, word)).collect();
        let encoded = encoded(text).chain(hexadecimal(text));
        found.extend(encoded.filter(|(_, decoded)| self.is_in(decoded)).map(|(place, _)| place));
        found
    }

    /// The positions of secrets in a view whose escapes are decoded, and decoded again.
    fn escaped_in(&self, text: &str, view: &View) -> Vec<(usize, usize)> {
        let mut found = Vec::new();
        let mut layer = view.decoded();
        for _ in 0..MOST_LAYERS {
            let Some(view) = layer else { break };
            found.extend(self.places(text, &view.without(is_unseen)));
            if let Ok(decoded) = std::str::from_utf8(&view.bytes) {
                let words = self.words_in(decoded).into_iter();
                found.extend(words.map(|(begin, end)| view.place(begin, end)));
            }
            layer = view.decoded();
        }
        found
    }

    /// The text with all secrets masked, also if blanks, line feeds, tags or a terminal's escape sequences
    /// split them, and if they are escaped or encoded.
    #[must_use]
    pub fn masked(&self, text: &str) -> String {
        let mut found = self.places(text, &View::of(solid(text)));
        found.extend(self.words_in(text));
        let is_escaped = text.contains(BEGINNINGS);
        if is_escaped {
            found.extend(self.escaped_in(text, &View::of(text.char_indices())));
        }
        if text.contains(['<', ESCAPE]) {
            for reading in [TagReading::Short, TagReading::Browser] {
                let view = View::of(without_markup(text, reading));
                found.extend(self.places(text, &view));
                if is_escaped {
                    found.extend(self.escaped_in(text, &view));
                }
            }
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

/// Shows none of the texts.
impl std::fmt::Debug for Confidential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Confidential(…)")
    }
}

/// The visible characters, with their positions.
fn solid(text: &str) -> impl Iterator<Item = (usize, char)> {
    solid_or(text, |_| false)
}

/// The visible characters, and those for which `is_kept` holds.
fn solid_or(text: &str, is_kept: impl Fn(char) -> bool) -> impl Iterator<Item = (usize, char)> {
    text.char_indices().filter(move |(_, c)| is_kept(*c) || !is_unseen(*c))
}

/// Whether it is a blank, a control character, or a character without a width.
fn is_unseen(c: char) -> bool {
    c.is_whitespace()
        || c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
}

/// The hexadecimal digits in a text that are enough for a secret, with their positions, decoded. A letter before
/// them may be a digit as well, so they are read from the first and from the second digit.
fn hexadecimal(text: &str) -> impl Iterator<Item = ((usize, usize), Vec<u8>)> {
    let words = text.split(|c: char| !c.is_ascii_hexdigit());
    let words = words.map(|word| (word.as_ptr().addr() - text.as_ptr().addr(), word));
    words.filter(|(_, word)| word.len() >= 2 * SHORTEST_PART).flat_map(|(at, word)| {
        [0, 1].map(|from| {
            let digit = |byte: u8| char::from(byte).to_digit(16).unwrap_or_default();
            let byte = |pair: &[u8]| u8::try_from(digit(pair[0]) * 16 + digit(pair[1])).unwrap_or_default();
            ((at, at + word.len()), word.as_bytes()[from..].chunks_exact(2).map(byte).collect())
        })
    })
}

/// The words of a text that may be Base64, with their positions, decoded as far as possible.
fn encoded(text: &str) -> impl Iterator<Item = ((usize, usize), Vec<u8>)> {
    let is_other = |c: char| !(c.is_ascii_alphanumeric() || ['+', '/', '-', '_'].contains(&c));
    let words = text.split(is_other).map(|word| (word.as_ptr().addr() - text.as_ptr().addr(), word));
    words.filter(|(_, word)| word.len() > SHORTEST_PART).filter_map(|(at, word)| {
        let standard = word.replace('-', "+").replace('_', "/");
        let whole = standard.len() - usize::from(standard.len() % 4 == 1);
        let decoded = UNPADDED.decode(&standard[..whole]).ok()?;
        Some(((at, at + word.len()), decoded))
    })
}

/// The positions of a word in a text, without a letter or digit next to it.
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
        for text in ["HUNTER2", "Hunter2", "hUN<b>TEr2</b>", "HUNTER%32", "SFVOVEVSMg==", "48554E54455232"] {
            let shown = masked(&["hunTer2"], &format!("no: {text}"));
            assert!(shown.starts_with("no: …") && shown.len() <= 12, "{text}: {shown}");
        }
        assert_eq!(masked(&["aBc"], "ABC abcd"), "… abcd");
        assert_eq!(masked(&["hunter2"], "nothing"), "nothing");
        assert_eq!(masked(&[], "nothing"), "nothing");
    }

    #[test]
    fn secrets_are_left_out_where_markup_splits_them() {
        for text in [
            "hun<b>ter2",
            "hunter<!-- x -->2",
            "hun<!-- a > b -->ter2",
            "hun\u{1b}[0mter2",
            "<i>hun</i>ter2",
            "h\u{1b}[1;31mu\u{1b}[mnter2",
            "hun<i a=\">\">ter2",
            "hun<i a='\">' b=\"'>\">ter2",
            "hun<i title=it's>ter2",
            "hun<script>x</script>ter2",
            "h<SCRIPT src='a>b'>if (a > b) { c(\"<b>\") }</Script >un<i>ter2",
            "hun<style>b { }</style><template><i>no</i></template>ter2",
            "hun<scripted>ter2",
        ] {
            let masked = masked(&["hunter2"], &format!("no: {text}!"));
            assert!(
                masked.starts_with("no: ") && masked.ends_with("…!") && !masked.contains("ter"),
                "{masked:?}"
            );
        }
        assert_eq!(masked(&["a<bc>d"], "is a<bc>d"), "is …");
        assert_eq!(masked(&["hunter2"], "1 < 2, hunter2"), "1 < 2, …");
        // Unclosed tags do not cost quadratic time.
        for open in ["<", "<i a=\"", "<script>", "<style></script>", "<script></"] {
            let open = open.repeat(100_000);
            assert_eq!(masked(&["hunter2"], &open), open);
        }
    }

    /// Secrets with escapes, unchanged and as a server repeats them in JSON.
    #[test]
    fn secrets_with_escapes_are_left_out() {
        let secrets = [r#"hun"ter2"#, r"back\slash", "bell\u{7}bell"];
        for secret in secrets {
            assert_eq!(masked(&secrets, &format!("bad {secret}.")), "bad ….", "{secret:?}");
            let in_json = serde_json::json!({ "token": secret }).to_string();
            assert_eq!(masked(&secrets, &in_json), r#"{"token":"…"}"#, "{secret:?}");
        }
    }

    #[test]
    fn secrets_in_json_with_raw_control_characters_are_left_out() {
        assert_eq!(masked(&["pa\\ss\tword9"], "{\"tried\":\"pa\\\\ss\tword9\"}"), "{\"tried\":\"…\"}");
    }

    #[test]
    fn longest_of_secrets_that_begin_alike_is_left_out() {
        let all = ["pass", "pass1", "pass12", "pass2", "passage"];
        assert_eq!(masked(&all, "a pass12. pass13. passage. pas"), "a …. …3. …. pas");
        assert_eq!(masked(&all, "a passa"), "a …a", "what is whole is found before what may be cut off");
    }

    /// One secret per client, for a load with many clients.
    #[test]
    fn many_secrets_that_begin_alike() {
        let mut known = Confidential::default();
        for number in 0..200_000 {
            known.add(&format!("password-{number}"));
        }
        assert_eq!(known.masked("not password-199999, password-1x"), "not …, …x");
    }

    /// In each alphabet, with and without padding, next to data that only the server knows.
    #[test]
    fn encoded_secrets_are_left_out() {
        for text in ["hunter2", "me:hunter2", "\0me\0hunter2?>", "realm:me:hunter2"] {
            for encoded in [STANDARD.encode(text), URL_SAFE.encode(text)] {
                let bare = encoded.trim_end_matches('=');
                let shown = masked(&["hunter2"], &format!("bad token={encoded}, '{bare}'"));
                assert!(!shown.contains(&bare[bare.len() - 6..]), "{encoded}: {shown}");
                assert_eq!(shown.replace('=', ""), "bad token…, '…'", "{encoded}");
            }
        }
        let others = "bad aHVudGluZw==, sensors/kitchen/temperature";
        assert_eq!(masked(&["hunter2"], others), others);
    }

    #[test]
    fn short_secrets_are_whole_words() {
        assert_eq!(masked(&["abc"], "abc is no abcd, 'abc'"), "… is no abcd, '…'");
        assert_eq!(masked(&["", " ", "a"], "a bad password"), "… bad password");
    }

    /// A server may repeat what it received in the notation of its language, of its log or of its page.
    #[test]
    fn escaped_secrets_are_left_out() {
        const SECRET: &str = "p@s<w\"\u{f6}'&9";
        for text in [
            "p%40s%3Cw%22%C3%B6%27%269",
            "p%40s%3cw%22%c3%b6%27%269",
            "%70%40%73%3c%77%22%c3%b6%27%26%39",
            "p@s&lt;w&quot;\u{f6}'&amp;9",
            "p@s&lt;w&quot;&#246;&#39;&amp;9",
            "p&commat;s&#60;w&#x22;&#xF6;&apos;&amp;9",
            "p\\x40s<w\\\"\\u00f6'&9",
            r"p\u0040s\u003cw\u0022\u00f6\u0027\u00269",
            r"p\100s\074w\042\303\266\047\0469",
            r"p\x40s\x3cw\x22\xc3\xb6\x27\x269",
            "p%2540s%253Cw%2522%25C3%25B6%2527%25269",
            "p@s&amp;lt;w&amp;quot;\u{f6}'&amp;amp;9",
            r"p\\u0040s\\u003cw\\u0022\\u00f6\\u0027\\u00269",
            "p%40s%3C w%22\n%C3%B6%27%269",
            "p%40<b>s%3C</b>w%22%C3%B6%27%269",
            "7040733c7722c3b6272639",
            "7040733C7722C3B6272639",
            "p%40s%3Cw",
            "p%40s%3Cw%",
            "p%40s%3Cw%22%c3%b6%2",
            r"p\u0040s<w\u00",
        ] {
            let shown = masked(&[SECRET], &format!("bad user, {text}"));
            assert_eq!(shown, "bad user, …", "{text}");
        }
        let within = masked(&[SECRET], "tried p%40s%3Cw%22%C3%B6%27%269 100 % and a%20b");
        assert_eq!(within, "tried … 100 % and a%20b");
        // A short one, and Base64 whose characters are escaped.
        assert_eq!(masked(&["a@b"], "no a%40b, a%40bc"), "no …, a%40bc");
        let basic = STANDARD.encode("me:hunter2?>>?x");
        let escaped = basic.replace('+', "%2B");
        assert!(escaped.len() > basic.len());
        assert_eq!(masked(&["hunter2"], &format!("Basic {escaped}!")), "Basic …!");
        // What is no secret stays as the server wrote it.
        let others = r"50 % off, C:\temp\x, a&amp;b, %7B%22a%22%3A1%7D, 0123456789abcdef";
        assert_eq!(masked(&[SECRET, "hunter2"], others), others);
    }

    #[test]
    fn long_escaped_texts_are_masked() {
        for piece in ["%25", "&amp;", r"\\", "&#", "%", r"\u{", "<%3c"] {
            let text = piece.repeat(30_000);
            assert!(masked(&["hunter2"], &format!("{text} hunter%32")).ends_with('…'), "{piece}");
        }
    }
}
