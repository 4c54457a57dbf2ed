//! The head of an HTTP response and the first line of its body, from an untrusted peer: a proxy that was
//! asked for a tunnel, or a web server that was asked for an upgrade.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};

use super::excerpt::first_line;
use super::secrets::Secrets;

/// The longest head taken, in bytes.
const MAX_HEAD: usize = 16 * 1024;
/// How much of a body is read for its first line.
const MAX_BODY: usize = 4 * 1024;
/// How long to wait for it. Not longer: the status says most, and a server may keep the connection
/// open behind a body whose end cannot be told.
const BODY_LIMIT: Duration = Duration::from_secs(1);

/// The head of an answer.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: u16,
    /// The words behind the status, made printable; often none.
    pub(super) reason: String,
    /// Whether it is HTTP/1.0.
    pub(super) is_old: bool,
    headers: Vec<(String, Vec<u8>)>,
    /// What has come behind the head.
    pub(super) behind: Vec<u8>,
}

/// Why there is no head.
#[derive(Debug)]
pub(super) enum HeadError {
    /// The socket's error.
    Io(io::Error),
    /// It closed the connection in place of an answer.
    Closed,
    /// It closed the connection in its answer.
    CutOff,
    /// It is longer than the limit.
    Endless,
    /// It is not HTTP; these are its first bytes.
    NotHttp(Vec<u8>),
}

/// Reads the head of the final answer, which may repeat our secrets. Any number of interim ones may come
/// before it (RFC 9110, section 15.2), as long as all of them together are not longer than one may be.
pub(super) async fn read_head(
    stream: &mut (impl AsyncRead + Unpin),
    secrets: &Secrets,
) -> Result<Head, HeadError> {
    let mut answer = Vec::with_capacity(1024);
    let mut skipped = 0;
    loop {
        match parse(&answer, secrets)? {
            Some(head) if head.is_interim() => {
                skipped += answer.len() - head.behind.len();
                answer = head.behind;
                continue;
            }
            Some(head) => return Ok(head),
            None => {}
        }
        if skipped + answer.len() >= MAX_HEAD {
            return Err(HeadError::Endless);
        }
        if stream.read_buf(&mut answer).await.map_err(HeadError::Io)? == 0 {
            return Err(if answer.is_empty() { HeadError::Closed } else { HeadError::CutOff });
        }
    }
}

/// The head at the start of `answer`, if all of it is there.
fn parse(answer: &[u8], secrets: &Secrets) -> Result<Option<Head>, HeadError> {
    // No more than there are lines, which the length limits.
    let lines = memchr::memchr_iter(b'\n', answer).count();
    let mut headers = vec![httparse::EMPTY_HEADER; lines];
    let mut head = httparse::Response::new(&mut headers);
    let text = without_controls(answer);
    let end = match lenient().parse_response(&mut head, &text) {
        Ok(httparse::Status::Partial) => return Ok(None),
        Ok(httparse::Status::Complete(end)) => end,
        Err(_) => return Err(HeadError::NotHttp(answer.to_vec())),
    };
    let headers = head.headers.iter().map(|header| (header.name.to_owned(), unfolded(header.value)));
    Ok(Some(Head {
        status: head.code.unwrap_or_default(),
        reason: first_line(head.reason.unwrap_or_default().as_bytes(), secrets).unwrap_or_default(),
        is_old: head.version == Some(0),
        headers: headers.collect(),
        behind: answer[end..].to_vec(),
    }))
}

/// Status and headers that matter are read also where others are malformed, as browsers and curl do.
fn lenient() -> httparse::ParserConfig {
    let mut config = httparse::ParserConfig::default();
    config
        .allow_spaces_after_header_name_in_responses(true)
        .allow_multiple_spaces_in_response_status_delimiters(true)
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_space_before_first_header_name(true)
        .ignore_invalid_headers_in_responses(true);
    config
}

/// The same bytes with a blank for each NUL and each CR that ends no line (RFC 9110, section 5.5), and a question
/// mark for each other control character, so that a value with one does not equal the value without it.
fn without_controls(answer: &[u8]) -> Vec<u8> {
    let replaced = |(at, byte): (usize, &u8)| match byte {
        b'\t' | b'\n' => *byte,
        // At the end of what has come, the line feed may follow.
        b'\r' if answer.get(at + 1).is_none_or(|next| *next == b'\n') => *byte,
        b'\r' | 0 => b' ',
        byte if byte.is_ascii_control() => b'?',
        byte => *byte,
    };
    answer.iter().enumerate().map(replaced).collect()
}

/// A header's value with a blank for each line break in it (RFC 9112, section 5.2).
fn unfolded(value: &[u8]) -> Vec<u8> {
    let lines: Vec<&[u8]> = value.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).collect();
    lines.join(&b' ').trim_ascii().to_vec()
}

impl Head {
    /// Whether another answer follows. 101 is the last that is HTTP.
    fn is_interim(&self) -> bool {
        matches!(self.status, 100..200) && self.status != 101
    }

    /// Status and reason: `HTTP 404 Not Found`.
    pub(super) fn shown(&self) -> String {
        format!("HTTP {} {}", self.status, self.reason).trim_end().to_owned()
    }

    /// The value of a header, the first if there are several.
    pub(super) fn header(&self, name: &str) -> Option<&[u8]> {
        let found = self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_slice())
    }

    /// Whether a header has that word among those between its commas.
    pub(super) fn has_word(&self, name: &str, word: &str) -> bool {
        let same = |header: &(String, Vec<u8>)| header.0.eq_ignore_ascii_case(name);
        self.headers.iter().filter(|header| same(header)).any(|(_, value)| {
            value
                .split(|byte| *byte == b',')
                .any(|part| part.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
        })
    }

    /// The schemes of authentication that headers of this name offer (RFC 9110, section 11.6), as far as each begins
    /// one; what cannot be the name of one is passed over.
    pub(super) fn schemes(&self, name: &str) -> Vec<String> {
        const LONGEST: usize = 32;
        let same = self.headers.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name));
        let mut schemes: Vec<String> = Vec::new();
        for part in same.flat_map(|(_, value)| value.split(|byte| *byte == b',')) {
            let word = part.trim_ascii().split(u8::is_ascii_whitespace).next().unwrap_or_default();
            let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
            // Parameters have a '=', and follow after a comma as schemes do.
            if (1..=LONGEST).contains(&word.len()) && word.iter().all(is_name) {
                let scheme = String::from_utf8_lossy(word).into_owned();
                if !schemes.contains(&scheme) {
                    schemes.push(scheme);
                }
            }
        }
        schemes
    }

    /// The first line of the body that says anything, if it comes soon.
    pub(super) async fn first_line(
        mut self,
        stream: &mut (impl AsyncRead + Unpin),
        secrets: &Secrets,
    ) -> Option<String> {
        let length = self
            .header("content-length")
            .and_then(|value| std::str::from_utf8(value).ok()?.trim().parse::<usize>().ok());
        let is_chunked = self.has_word("transfer-encoding", "chunked");
        let most = length.unwrap_or(MAX_BODY).min(MAX_BODY);
        let reading = async {
            while self.behind.len() < most && !(is_chunked && self.behind.ends_with(b"\r\n0\r\n\r\n")) {
                // Whatever ends it, what has come is what there is.
                if !matches!(stream.read_buf(&mut self.behind).await, Ok(1..)) {
                    break;
                }
            }
        };
        let _ = tokio::time::timeout(BODY_LIMIT, reading).await;
        let body = if is_chunked { dechunked(&self.behind) } else { self.behind };
        first_line(&body, secrets)
    }
}

/// The content of chunks (RFC 9112, 7.1), as far as they have come.
pub(super) fn dechunked(mut chunks: &[u8]) -> Vec<u8> {
    let mut content = Vec::new();
    while let Some(end) = chunks.iter().position(|byte| *byte == b'\n') {
        let (line, rest) = chunks.split_at(end + 1);
        let size = line.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
        let size = std::str::from_utf8(size).ok().and_then(|size| usize::from_str_radix(size, 16).ok());
        let Some(size) = size.filter(|size| *size > 0) else { break };
        let (chunk, behind) = rest.split_at(rest.len().min(size));
        content.extend_from_slice(chunk);
        let line_end = behind.iter().take_while(|byte| b"\r\n".contains(byte)).take(2).count();
        chunks = &behind[line_end..];
    }
    content
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt;

    use super::*;

    /// The first line of an answer that comes in these pieces, the connection staying open.
    async fn line_of(pieces: Vec<&'static str>) -> Option<String> {
        let (mut ours, mut theirs) = tokio::io::duplex(64);
        let sending = tokio::spawn(async move {
            for piece in pieces {
                theirs.write_all(piece.as_bytes()).await.unwrap();
            }
            theirs
        });
        let head = read_head(&mut ours, &Secrets::default()).await.unwrap();
        let line = head.first_line(&mut ours, &Secrets::default()).await;
        drop(sending.await.unwrap());
        line
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_may_come_later() {
        let expected = Some("no such broker".to_owned());
        let head = "HTTP/1.1 404 Not Found\r\nContent-Length: 15\r\n\r\n";
        assert_eq!(line_of(vec![head, "no such", " broker\n"]).await, expected);
        let head = "HTTP/1.1 404 Not Found\r\nTransfer-Encoding: Chunked\r\n\r\n";
        assert_eq!(line_of(vec![head, "f\r\nno such broker\n\r\n", "0\r\n\r\n"]).await, expected);
        assert_eq!(
            line_of(vec![head, "3\r\nno \r\n", "c;x=y\r\nsuch broker\n\r\n0\r\n\r\n"]).await,
            expected
        );
        // Its end cannot be told: the time limit ends it.
        assert_eq!(line_of(vec!["HTTP/1.0 404 Not Found\r\n\r\n", "no such broker\n"]).await, expected);
        assert_eq!(line_of(vec!["HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"]).await, None);
    }

    #[tokio::test]
    async fn interim_answers_are_skipped() {
        let none = Secrets::default();
        let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n\
                    HTTP/1.1 101 Switching Protocols\r\n\r\nbehind";
        for piece in [1, 3, text.len()] {
            let (mut ours, mut theirs) = tokio::io::duplex(piece);
            let sending = tokio::spawn(async move { theirs.write_all(text.as_bytes()).await });
            let head = read_head(&mut ours, &none).await.unwrap();
            assert_eq!(head.status, 101, "{piece}");
            assert!(b"behind".starts_with(&head.behind), "{piece}: {:?}", head.behind);
            drop(ours);
            let _ = sending.await.unwrap();
        }
        let endless = "HTTP/1.1 102 Processing\r\n\r\n".repeat(MAX_HEAD);
        assert!(matches!(read_head(&mut endless.as_bytes(), &none).await, Err(HeadError::Endless)));
    }

    #[tokio::test]
    async fn invalid_heads_are_refused() {
        let none = Secrets::default();
        assert!(matches!(read_head(&mut &b"SSH-2.0-x\r\n"[..], &none).await, Err(HeadError::NotHttp(_))));
        assert!(matches!(read_head(&mut &b""[..], &none).await, Err(HeadError::Closed)));
        assert!(matches!(read_head(&mut &b"HTTP/1.1 200 OK\r\nA"[..], &none).await, Err(HeadError::CutOff)));
        let long = format!("HTTP/1.1 200 OK\r\nA: {}", "a".repeat(2 * MAX_HEAD));
        assert!(matches!(read_head(&mut long.as_bytes(), &none).await, Err(HeadError::Endless)));
    }

    /// A gateway may add some for each of its stages.
    #[tokio::test]
    async fn as_many_header_lines_are_read_as_the_length_allows() {
        for (line, count) in [("A: b\r\n", 2000), ("A:\n", 4000), ("\u{1}\n", 1000)] {
            let head = format!("HTTP/1.1 200 OK\r\n{}Last: x\r\n\r\nbehind", line.repeat(count));
            let parsed = read_head(&mut head.as_bytes(), &Secrets::default()).await.unwrap();
            assert_eq!(parsed.header("last"), Some(&b"x"[..]), "{line:?}");
        }
    }

    #[tokio::test]
    async fn status_and_headers_are_read_beside_malformed_lines() {
        for line in [
            "X: a\r\n b",
            "X: a\r\n\tb\r\n  c",
            "X:\r\n folded",
            "X : blank before the colon",
            "X: bell \u{7} escape \u{1b}[31m",
            "X: zero \0",
            "X: return \r in it",
            "X\u{1}: y",
            "no colon",
            ": no name",
            "X: \u{7f}\u{e4}",
        ] {
            for (before, behind) in [(true, false), (false, true), (true, true)] {
                let head = format!(
                    "HTTP/1.1 407 No\r\n{}Upgrade: a,\r\n b\r\n{}\r\nbody\0",
                    if before { format!("{line}\r\n") } else { String::new() },
                    if behind { format!("{line}\r\n") } else { String::new() },
                );
                for end in 0..head.find("\r\n\r\n").unwrap() + 4 {
                    assert!(
                        parse(&head.as_bytes()[..end], &Secrets::default()).unwrap().is_none(),
                        "{head:?}"
                    );
                }
                let parsed = read_head(&mut head.as_bytes(), &Secrets::default()).await.unwrap();
                assert_eq!((parsed.status, parsed.shown().as_str()), (407, "HTTP 407 No"), "{head:?}");
                assert_eq!(parsed.header("upgrade"), Some(&b"a, b"[..]), "{head:?}");
                assert_eq!(parsed.behind, b"body\0", "{head:?}");
            }
        }
    }

    #[tokio::test]
    async fn malformed_reason_does_not_hide_the_status() {
        for reason in [" Un\u{7}authorized", " \0", "  Unauthorized", "", " ", " \u{1b}[31mno", " n\u{f6}"] {
            let head = format!("HTTP/1.1 401{reason}\r\n\r\n");
            let parsed = read_head(&mut head.as_bytes(), &Secrets::default()).await.unwrap();
            assert_eq!(parsed.status, 401, "{head:?}");
            assert!(!parsed.shown().contains(char::is_control), "{head:?}");
        }
    }

    #[tokio::test]
    async fn control_character_in_a_value_is_not_left_out() {
        let head = "HTTP/1.1 101 x\r\nSec-WebSocket-Accept: ab\u{1}\r\n\r\n";
        let parsed = read_head(&mut head.as_bytes(), &Secrets::default()).await.unwrap();
        assert_eq!(parsed.header("sec-websocket-accept"), Some(&b"ab?"[..]));
    }

    #[test]
    fn words_between_commas() {
        let head = parse(b"HTTP/1.1 101 x\r\nConnection: keep-alive, Upgrade\r\n\r\n", &Secrets::default())
            .unwrap()
            .unwrap();
        assert!(head.has_word("connection", "upgrade") && !head.has_word("connection", "keep"));
        assert_eq!(head.shown(), "HTTP 101 x");
    }
}
