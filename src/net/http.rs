//! The head of an HTTP response and the first line of its body, from an untrusted peer: a proxy that received
//! CONNECT, or a web server that received an upgrade request.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};

use super::excerpt::first_line;
use super::secrets::Secrets;

/// The longest head accepted, in bytes.
const MAX_HEAD: usize = 16 * 1024;
/// Maximum number of bytes read of a body to find its first line.
const MAX_BODY: usize = 4 * 1024;
/// Timeout for the first line of a body. It is short because the status is what matters, and a server may
/// keep the connection open after a body of unknown length.
const BODY_LIMIT: Duration = Duration::from_secs(1);

/// The head of a response.
#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: u16,
    /// The reason phrase, made printable; often empty.
    pub(super) reason: String,
    /// Whether the response is HTTP/1.0.
    pub(super) is_old: bool,
    headers: Vec<(String, Vec<u8>)>,
    /// The bytes received after the head.
    pub(super) behind: Vec<u8>,
}

/// Why a head could not be read.
#[derive(Debug)]
pub(super) enum HeadError {
    /// The socket's error.
    Io(io::Error),
    /// The peer closed the connection before answering.
    Closed,
    /// The peer closed the connection in the middle of the answer.
    CutOff,
    /// The head exceeds the limit.
    Endless,
    /// The answer is not HTTP; these are its first bytes.
    NotHttp(Vec<u8>),
}

/// Reads the head of the final response; it may repeat our secrets. Interim responses may come first (RFC
/// 9110, section 15.2), as long as together they do not exceed the limit for one head.
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

/// The head at the start of `answer`, if it is complete.
fn parse(answer: &[u8], secrets: &Secrets) -> Result<Option<Head>, HeadError> {
    // There are at most as many headers as lines, and the length of the head limits the lines.
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

/// Malformed headers do not prevent reading the status and the other headers; browsers and curl do the same.
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

/// Replaces each NUL and each CR that does not end a line by a blank (RFC 9110, section 5.5), and each other
/// control character by a question mark, so that a value with a control character differs from the same value
/// without it.
fn without_controls(answer: &[u8]) -> Vec<u8> {
    let replaced = |(at, byte): (usize, &u8)| match byte {
        b'\t' | b'\n' => *byte,
        // A CR at the end of the input may be followed by its line feed.
        b'\r' if answer.get(at + 1).is_none_or(|next| *next == b'\n') => *byte,
        b'\r' | 0 => b' ',
        byte if byte.is_ascii_control() => b'?',
        byte => *byte,
    };
    answer.iter().enumerate().map(replaced).collect()
}

/// A header value with line breaks replaced by blanks (RFC 9112, section 5.2).
fn unfolded(value: &[u8]) -> Vec<u8> {
    let lines: Vec<&[u8]> = value.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).collect();
    lines.join(&b' ').trim_ascii().to_vec()
}

impl Head {
    /// Whether another response follows. After 101 the connection is no longer HTTP.
    fn is_interim(&self) -> bool {
        matches!(self.status, 100..200) && self.status != 101
    }

    /// Status and reason: `HTTP 404 Not Found`.
    pub(super) fn shown(&self) -> String {
        format!("HTTP {} {}", self.status, self.reason).trim_end().to_owned()
    }

    /// The value of a header; the first if it is repeated.
    pub(super) fn header(&self, name: &str) -> Option<&[u8]> {
        let found = self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_slice())
    }

    /// Whether a header's comma-separated list contains `word`.
    pub(super) fn has_word(&self, name: &str, word: &str) -> bool {
        let same = |header: &(String, Vec<u8>)| header.0.eq_ignore_ascii_case(name);
        self.headers.iter().filter(|header| same(header)).any(|(_, value)| {
            value
                .split(|byte| *byte == b',')
                .any(|part| part.trim_ascii().eq_ignore_ascii_case(word.as_bytes()))
        })
    }

    /// The authentication schemes that headers of this name offer (RFC 9110, section 11.6). Words that cannot
    /// be the name of a scheme are skipped.
    pub(super) fn schemes(&self, name: &str) -> Vec<String> {
        const LONGEST: usize = 32;
        let same = self.headers.iter().filter(|(found, _)| found.eq_ignore_ascii_case(name));
        let mut schemes: Vec<String> = Vec::new();
        for part in same.flat_map(|(_, value)| value.split(|byte| *byte == b',')) {
            let word = part.trim_ascii().split(u8::is_ascii_whitespace).next().unwrap_or_default();
            let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'-';
            // Parameters contain '=' and follow a comma, as schemes do.
            if (1..=LONGEST).contains(&word.len()) && word.iter().all(is_name) {
                let scheme = String::from_utf8_lossy(word).into_owned();
                if !schemes.contains(&scheme) {
                    schemes.push(scheme);
                }
            }
        }
        schemes
    }

    /// The first non-blank line of the body, if it arrives before the timeout.
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
                // However the reading ends, the bytes received until then are used.
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

/// The content of the chunks received so far (RFC 9112, section 7.1).
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

    /// The first line of a response that arrives in these pieces on a connection that stays open.
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
        // The length of the body is unknown: the timeout ends the reading.
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

    /// Gateways may add a header for each of their stages.
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
    fn word_is_found_in_a_comma_separated_list() {
        let head = parse(b"HTTP/1.1 101 x\r\nConnection: keep-alive, Upgrade\r\n\r\n", &Secrets::default())
            .unwrap()
            .unwrap();
        assert!(head.has_word("connection", "upgrade") && !head.has_word("connection", "keep"));
        assert_eq!(head.shown(), "HTTP 101 x");
    }
}
