//! The first line of a peer's text, for error messages.

use super::secrets::Secrets;
use crate::quotation;

/// The first non-blank line of a peer's text, for error messages: shortened, control characters made visible,
/// our own secrets masked, HTML tags removed.
pub(super) fn first_line(text: &[u8], secrets: &Secrets) -> Option<String> {
    // Secrets are masked before tags are removed, which leaves parts of them that split a secret, and before a line
    // is cut out or shortened: half a secret would not be found.
    let text = without_tags(&secrets.masked(&String::from_utf8_lossy(text)));
    let text = secrets.masked(&text);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty())?;
    Some(quotation::shown(line))
}

/// The text as a browser shows it: tags, which may span lines, are removed, and character references are
/// replaced. Text outside tags is kept, `a < b` for example.
fn without_tags(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find(['<', '&']) {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let is_tag = rest[1..].starts_with(|c: char| c.is_ascii_alphabetic() || "/!?".contains(c));
        let code = rest.strip_prefix('&').and_then(character);
        if let Some((c, behind)) = code {
            text.push(c);
            rest = behind;
        } else if rest.starts_with('<') && is_tag {
            rest = rest.split_once('>').map_or("", |(_, behind)| behind);
        } else {
            text.push_str(&rest[..1]);
            rest = &rest[1..];
        }
    }
    text + rest
}

/// The character of a numeric reference such as `#50;`, and the rest of the text.
fn character(code: &str) -> Option<(char, &str)> {
    const LONGEST: usize = 8;
    let end = code.find(';').filter(|end| *end <= LONGEST)?;
    let c = match &code[..end] {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        name => {
            let number = name.strip_prefix('#')?;
            let number = match number.strip_prefix(['x', 'X']) {
                Some(digits) => u32::from_str_radix(digits, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(number)?
        }
    };
    Some((c, &code[end + 1..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_is_short_and_harmless() {
        let first_line = |text: &[u8]| first_line(text, &Secrets::default());
        assert_eq!(first_line(b"\r\n  Not here\r\nmore"), Some("Not here".into()));
        assert_eq!(first_line(b"<html>\n<title>404 Not Found</title>"), Some("404 Not Found".into()));
        assert_eq!(first_line(b"a\x1b[2J"), Some("a\\x1b[2J".into()));
        assert_eq!(first_line(b" \n"), None);
        // No word that another test could have as its password, which is masked in the whole process.
        assert_eq!(first_line(b"<blockquote\nclass=x>1 < 2 &amp; 3"), Some("1 < 2 & 3".into()));
        let long = first_line(&[b'x'; 300]).unwrap();
        assert!(long.len() < 230 && long.ends_with("x… (300 bytes)"), "{long}");
    }

    /// Text may stand between the parts of a secret.
    #[test]
    fn a_secret_that_is_split_is_not_shown() {
        let options = crate::net::WebSocketOptions {
            headers: vec![("X-Key".into(), "hunter2".into())],
            ..crate::net::WebSocketOptions::default()
        };
        let secrets = Secrets::of_upgrade(&options);
        for text in [
            "key hunter2",
            "key hun<b>ter2</b>",
            "key hun<b\nid='x'>ter2",
            "key hunter&#50;",
            "key &#x68;unter2",
            "key hun\nter2",
            "key hun<!-- a -->ter2",
            "key hun<script>1 > 2</script>ter2",
            "key hun<i a=\">\">ter2",
            "key hun&shy;ter&#x200b;2",
            "key hunter",
        ] {
            assert_eq!(first_line(text.as_bytes(), &secrets), Some("key …".into()), "{text}");
        }
    }
}
