//! The page of a run's metrics: a small web server besides the load.

use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::task::{JoinHandle, JoinSet};

use super::metrics::RunMetrics;
use crate::error::Error;

/// Maximum number of concurrent connections; others wait.
const MOST_CONNECTIONS: usize = 8;
/// The pause after a failed accept.
const ACCEPT_PAUSE: Duration = Duration::from_millis(200);
/// Maximum size of a request's head.
const MOST_HEAD: usize = 8 * 1024;
/// The timeout of a connection.
const LIMIT: Duration = Duration::from_secs(5);
const PATH: &str = "/metrics";
const METRICS: &str = prometheus::TEXT_FORMAT;
const PLAIN: &str = "text/plain; charset=utf-8";

/// The page. It is served from before the first run until after the last, also between runs and while a run
/// starts.
pub(super) struct MetricsPage {
    url: String,
    pub(super) metrics: RunMetrics,
    server: JoinHandle<()>,
}

impl fmt::Debug for MetricsPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MetricsPage").finish_non_exhaustive()
    }
}

impl Drop for MetricsPage {
    fn drop(&mut self) {
        self.server.abort();
    }
}

impl MetricsPage {
    /// Listens on this address.
    ///
    /// # Errors
    /// The address cannot be used.
    pub(super) fn open(address: SocketAddr) -> Result<Self, Error> {
        let listen = || {
            let listener = TcpListener::bind(address)?;
            listener.set_nonblocking(true)?;
            let bound = listener.local_addr()?;
            Ok((tokio::net::TcpListener::from_std(listener)?, bound))
        };
        let (listener, bound) = listen()
            .map_err(|error| Error::file(format!("--prometheus: cannot listen on {address}"), error))?;
        let metrics = RunMetrics::default();
        let server = tokio::spawn(serve_all(listener, metrics.clone()));
        Ok(Self { url: format!("http://{bound}{PATH}"), metrics, server })
    }

    /// The URL of the page.
    pub(super) fn url(&self) -> &str {
        &self.url
    }
}

/// Accepts connections and answers requests, without end.
async fn serve_all(listener: tokio::net::TcpListener, metrics: RunMetrics) {
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        if connections.len() >= MOST_CONNECTIONS {
            connections.join_next().await;
            continue;
        }
        match listener.accept().await {
            Ok((stream, _)) => {
                let metrics = metrics.clone();
                connections.spawn(async move { serve(stream, &metrics).await });
            }
            // For example too many open files, of which some may be closed soon.
            Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
        }
    }
}

/// Answers one request. A client that is slow or hangs up does not affect other clients.
async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, metrics: &RunMetrics) {
    let _ = tokio::time::timeout(LIMIT, async {
        let mut head = Vec::new();
        while !head.windows(4).any(|end| end == b"\r\n\r\n") && head.len() < MOST_HEAD {
            if stream.read_buf(&mut head).await? == 0 {
                return Ok(());
            }
        }
        let (status, kind, body) = answer(&head, metrics);
        let length = body.len();
        let is_head = head.starts_with(b"HEAD ");
        let mut text = format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
        );
        if !is_head {
            text.push_str(&body);
        }
        stream.write_all(text.as_bytes()).await?;
        stream.shutdown().await
    })
    .await;
}

fn answer(head: &[u8], metrics: &RunMetrics) -> (&'static str, &'static str, String) {
    let mut headers = [httparse::EMPTY_HEADER; 64];
    let mut request = httparse::Request::new(&mut headers);
    if !matches!(request.parse(head), Ok(httparse::Status::Complete(_))) {
        return ("400 Bad Request", PLAIN, "not an HTTP request\n".into());
    }
    let path = request.path.unwrap_or_default().split('?').next().unwrap_or_default();
    match (request.method.unwrap_or_default(), path) {
        ("GET" | "HEAD", PATH) => ("200 OK", METRICS, metrics.page()),
        ("GET" | "HEAD", _) => ("404 Not Found", PLAIN, format!("the metrics are at {PATH}\n")),
        _ => ("405 Method Not Allowed", PLAIN, "only GET and HEAD are supported\n".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_page_is_answered() {
        let status = |head: &str| answer(head.as_bytes(), &RunMetrics::default()).0;
        assert_eq!(status("GET /metrics?x HTTP/1.1\r\nHost: a\r\n\r\n"), "200 OK");
        assert_eq!(status("GET / HTTP/1.1\r\n\r\n"), "404 Not Found");
        assert_eq!(status("POST /metrics HTTP/1.1\r\n\r\n"), "405 Method Not Allowed");
        for head in ["", "\r\n\r\n", "GET\r\n\r\n", &format!("GET /{} HTTP/1.1\r\n", "x".repeat(MOST_HEAD))] {
            assert_eq!(status(head), "400 Bad Request", "{head:?}");
        }
    }

    #[tokio::test]
    async fn endless_head_is_refused() {
        let metrics = RunMetrics::default();
        let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
        theirs.write_all(&vec![b'x'; MOST_HEAD]).await.unwrap();
        serve(ours, &metrics).await;
        let mut answer = String::new();
        theirs.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{answer}");
    }
}
