//! The number of messages received per second.

use std::io::Write as _;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::time::{Instant, Interval, interval_at};

use crate::error::Error;
use crate::output::{Stdout, put_json_line};

/// The interval of the lines.
const SECOND: Duration = Duration::from_secs(1);

/// Counts messages, and writes a line each second.
pub(super) struct RateCounter {
    json: bool,
    /// The number of messages in the current second.
    messages: u64,
    /// The ends of seconds, counted from the first connection.
    seconds: Option<Interval>,
}

impl RateCounter {
    pub(super) fn new(json: bool) -> Self {
        Self { json, messages: 0, seconds: None }
    }

    /// Starts the first second, unless it has started.
    pub(super) fn start(&mut self) {
        self.seconds.get_or_insert_with(|| interval_at(Instant::now() + SECOND, SECOND));
    }

    pub(super) fn count(&mut self) {
        self.messages += 1;
    }

    /// Writes a line for each second that has passed. While the reader stalls none is made, so that they do
    /// not accumulate; they follow later. Ready only when standard output fails.
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

/// Appends a line in the form of `mosquitto_sub`, or as an object.
fn put_line(out: &mut Vec<u8>, messages: u64, json: bool) {
    if json {
        let report = serde_json::json!({ "type": "message-rate", "version": 1, "messages_per_s": messages });
        return put_json_line(out, &report);
    }
    let _ = writeln!(out, "{messages} msgs/s"); // writing to memory cannot fail
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
