//! The number of messages received per second.

use std::io::Write as _;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Interval, interval_at};

use crate::error::Error;
use crate::output::{Stdout, put_json_line};

/// How often there is a line.
const SECOND: Duration = Duration::from_secs(1);

/// Counts, and writes a line each second.
pub(super) struct RateCounter {
    json: bool,
    /// Of the second under way.
    messages: u64,
    /// Ends of seconds, from the first connection on.
    seconds: Option<Interval>,
}

impl RateCounter {
    pub(super) fn new(json: bool) -> Self {
        Self { json, messages: 0, seconds: None }
    }

    /// The first second begins, unless it has begun.
    pub(super) fn start(&mut self) {
        self.seconds.get_or_insert_with(|| interval_at(Instant::now() + SECOND, SECOND));
    }

    pub(super) fn count(&mut self) {
        self.messages += 1;
    }

    /// Writes a line for each second that is over. While the reader stands still none is made, so that
    /// they do not pile up; they follow when it goes on. Ready only when standard output fails.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, stdout: &mut Stdout) -> Poll<Error> {
        let Some(seconds) = &mut self.seconds else { return Poll::Pending };
        loop {
            if let Err(error) = ready!(stdout.poll_flush(cx)) {
                return Poll::Ready(error);
            }
            ready!(seconds.poll_tick(cx));
            let messages = std::mem::take(&mut self.messages);
            put_line(stdout.buffer(), messages, self.json);
        }
    }
}

/// As `mosquitto_sub` writes it, or as an object.
fn put_line(out: &mut Vec<u8>, messages: u64, json: bool) {
    if json {
        let report = serde_json::json!({ "type": "message-rate", "version": 1, "messages_per_s": messages });
        return put_json_line(out, &report);
    }
    let _ = writeln!(out, "{messages} msgs/s"); // into memory: cannot fail
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms() {
        let mut out = Vec::new();
        put_line(&mut out, 0, false);
        put_line(&mut out, 7, true);
        let expected = "0 msgs/s\n{\"type\":\"message-rate\",\"version\":1,\"messages_per_s\":7}\n";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}
