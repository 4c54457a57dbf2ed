//! A web page read over plain HTTP: the metrics of a broker.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::dial::dial;
use super::endpoint::Endpoint;
use super::http::{self, HeadError, dechunked};
use super::secrets::Secrets;
use crate::notation::HostPort;

const PORT: u16 = 80;
/// Number of bytes per read.
const PART: usize = 16 * 1024;

/// The address of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageAddress {
    host: HostPort,
    /// The path, with the query if there is one.
    path: String,
}

impl FromStr for PageAddress {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let example = "for example http://localhost:9100/metrics";
        let Some((scheme, rest)) = text.split_once("://") else {
            return Err(format!("a URL begins with http://, {example}"));
        };
        if !scheme.eq_ignore_ascii_case("http") {
            return Err(format!("only http:// is supported, {example}"));
        }
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        if authority.contains('@') {
            return Err("a user in the URL is not supported".into());
        }
        let host = HostPort::from_authority(authority).map_err(|why| format!("host: {why}"))?;
        let path = path.split('#').next().unwrap_or_default();
        if path.bytes().any(|byte| !byte.is_ascii_graphic()) {
            return Err("the path must be printable ASCII; write other characters as %XX".into());
        }
        let slash = if path.starts_with('/') { "" } else { "/" };
        Ok(Self { host, path: format!("{slash}{path}") })
    }
}

/// The address without the query, which may hold a secret.
impl fmt::Display for PageAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.split('?').next().unwrap_or_default();
        write!(f, "http://{}{path}", self.host)
    }
}

/// Why a page could not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[allow(missing_docs, reason = "each says what it is about")]
pub enum PageFault {
    #[error("the server cannot be reached")]
    Unreached,
    #[error("no answer in time")]
    TimedOut,
    #[error("the server answered with HTTP status {0}")]
    Status(u16),
    #[error("the answer is not HTTP")]
    NotHttp,
    #[error("the answer was cut off")]
    CutOff,
    #[error("the page is longer than {} KiB", .0 / 1024)]
    TooLong(usize),
}

impl PageAddress {
    /// Reads the page, if it is no longer than `most_bytes` and arrives within the timeout.
    ///
    /// # Errors
    /// [`PageFault`] names the reason.
    pub async fn read(&self, most_bytes: usize, within: Duration) -> Result<Vec<u8>, PageFault> {
        tokio::time::timeout(within, self.get(most_bytes, within)).await.unwrap_or(Err(PageFault::TimedOut))
    }

    async fn get(&self, most_bytes: usize, within: Duration) -> Result<Vec<u8>, PageFault> {
        let endpoint = Endpoint {
            connect_timeout: within,
            ..Endpoint::plain(self.host.host.clone(), self.host.port.unwrap_or(PORT))
        };
        let mut stream = dial(&endpoint).await.map_err(|_| PageFault::Unreached)?;
        // An HTTP/1.0 client takes the end of the connection as the end of the page, and servers know that.
        let request = format!(
            "GET {} HTTP/1.0\r\nHost: {}\r\nAccept: text/plain\r\nUser-Agent: mqtt\r\nConnection: close\r\n\r\n",
            self.path, self.host
        );
        stream.write_all(request.as_bytes()).await.map_err(|_| PageFault::CutOff)?;
        stream.flush().await.map_err(|_| PageFault::CutOff)?;
        let head = http::read_head(&mut stream, &Secrets::default()).await.map_err(|error| match error {
            HeadError::Io(_) | HeadError::Closed | HeadError::CutOff => PageFault::CutOff,
            HeadError::Endless | HeadError::NotHttp(_) => PageFault::NotHttp,
        })?;
        if head.status != 200 {
            return Err(PageFault::Status(head.status));
        }
        let length = head.header("content-length").map(|value| {
            std::str::from_utf8(value)
                .ok()
                .and_then(|value| value.parse::<usize>().ok())
                .unwrap_or(usize::MAX)
        });
        let is_chunked = head.has_word("transfer-encoding", "chunked");
        let mut body = head.behind;
        let is_whole = |body: &[u8]| match length {
            Some(length) => body.len() >= length,
            None => is_chunked && body.ends_with(b"0\r\n\r\n"),
        };
        while !is_whole(&body) {
            if body.len() > most_bytes || length.is_some_and(|length| length > most_bytes) {
                return Err(PageFault::TooLong(most_bytes));
            }
            body.reserve(PART);
            if stream.read_buf(&mut body).await.map_err(|_| PageFault::CutOff)? == 0 {
                break;
            }
        }
        if length.is_some_and(|length| body.len() < length) {
            return Err(PageFault::CutOff);
        }
        if body.len() > most_bytes {
            return Err(PageFault::TooLong(most_bytes));
        }
        body.truncate(length.unwrap_or(usize::MAX));
        Ok(if is_chunked { dechunked(&body) } else { body })
    }
}

#[cfg(test)]
mod tests {
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn addresses_of_pages_are_checked() {
        let read = |text: &str| text.parse::<PageAddress>();
        for (text, shown) in [
            ("http://localhost:9100/metrics?token=x#part", "http://localhost:9100/metrics"),
            ("HTTP://[::1]", "http://[::1]/"),
            ("http://broker?x=y", "http://broker/"),
        ] {
            assert_eq!(read(text).unwrap().to_string(), shown);
        }
        assert_eq!(read("http://a/b?c=d").unwrap().path, "/b?c=d");
        for text in [
            "localhost:9100",
            "https://a/",
            "http://",
            "http://u:p@a/",
            "http://a:0/",
            "http://a/b c",
            "http://a/ü",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    /// The page from a server that sends this answer.
    async fn page(answer: &'static str, most_bytes: usize) -> Result<String, PageFault> {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: PageAddress = format!("http://{}/m", server.local_addr().unwrap()).parse().unwrap();
        let serve = async {
            let (mut stream, _) = server.accept().await.unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                stream.read_buf(&mut request).await.unwrap();
            }
            assert!(request.starts_with(b"GET /m HTTP/1.0\r\nHost: 127.0.0.1:"));
            stream.write_all(answer.as_bytes()).await.unwrap();
        };
        let (page, ()) = tokio::join!(address.read(most_bytes, Duration::from_secs(20)), serve);
        page.map(|page| String::from_utf8(page).unwrap())
    }

    #[tokio::test]
    async fn pages_are_read_as_a_whole_or_not_at_all() {
        let good = Ok("a 1\n".to_owned());
        assert_eq!(page("HTTP/1.0 200 OK\r\n\r\na 1\n", 9).await, good);
        assert_eq!(page("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\na 1\nrest", 9).await, good);
        let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\na 1\n\r\n0\r\n\r\n";
        assert_eq!(page(chunked, 99).await, good);
        let long = Err(PageFault::TooLong(3));
        assert_eq!(page("HTTP/1.0 200 OK\r\n\r\na 1\n", 3).await, long);
        assert_eq!(page("HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\n", 3).await, long);
        assert_eq!(
            page("HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\na 1\n", 9).await,
            Err(PageFault::CutOff)
        );
        assert_eq!(page("HTTP/1.0 404 No\r\n\r\n", 9).await, Err(PageFault::Status(404)));
        assert_eq!(page("SSH-2.0\r\n\r\n", 9).await, Err(PageFault::NotHttp));
    }
}
