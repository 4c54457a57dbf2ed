//! The output stream of a child process, collected by a separate thread.

use std::io::Read;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

/// The bytes collected so far.
pub(crate) struct Collected(Arc<Stream>);

#[derive(Default)]
struct Stream {
    state: Mutex<State>,
    news: Condvar,
}

#[derive(Default)]
struct State {
    bytes: Vec<u8>,
    ended: bool,
}

impl Collected {
    /// Reads to the end, or until there are `most_lines` lines; then it closes the stream.
    pub(crate) fn from(mut source: impl Read + Send + 'static, most_lines: usize) -> Self {
        let stream = Arc::new(Stream::default());
        let ours = Arc::clone(&stream);
        std::thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            let mut lines = 0;
            while lines < most_lines {
                let Ok(count @ 1..) = source.read(&mut buffer) else { break };
                lines += buffer[..count].iter().filter(|byte| **byte == b'\n').count();
                ours.state.lock().unwrap().bytes.extend_from_slice(&buffer[..count]);
                ours.news.notify_all();
            }
            drop(source);
            ours.state.lock().unwrap().ended = true;
            ours.news.notify_all();
        });
        Self(stream)
    }

    /// Waits until `found` returns true for the collected bytes. `false`: the stream ended, or the wait timed
    /// out.
    pub(crate) fn wait(&self, deadline: Instant, mut found: impl FnMut(&[u8]) -> bool) -> bool {
        let mut state = self.0.state.lock().unwrap();
        loop {
            if found(&state.bytes) {
                return true;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if state.ended || left.is_zero() {
                return false;
            }
            state = self.0.news.wait_timeout(state, left).unwrap().0;
        }
    }

    /// Waits for the end of the stream; returns whether it ended.
    pub(crate) fn wait_for_end(&self, deadline: Instant) -> bool {
        self.wait(deadline, |_| false);
        self.0.state.lock().unwrap().ended
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.0.state.lock().unwrap().bytes.clone()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes()).into_owned()
    }
}
