//! The open requests of a client in the closed loop: those without a response that may still come.

/// A response's sequence number if its payload is too small for one: it is taken for one of the latest requests.
pub(crate) const UNKNOWN_SEQUENCE: u64 = u64::MAX;

/// The requests of a client without a response. A request or response may be lost with a connection, and its place would
/// stay taken: after a while, older requests are given up.
#[derive(Debug, Default)]
pub(crate) struct OpenRequests {
    /// Those sent since the last call of [`OpenRequests::give_up`], and the sequence number of their first.
    recent: u32,
    recent_from: u64,
    /// Those sent before, since the call before that.
    older: u32,
    older_from: u64,
}

impl OpenRequests {
    pub(crate) fn count(&self) -> u32 {
        self.recent + self.older
    }

    pub(crate) fn sent(&mut self, count: u32) {
        self.recent += count;
    }

    /// Closes the request with this sequence number, unless it was given up.
    pub(crate) fn close(&mut self, sequence: u64) {
        if sequence >= self.recent_from {
            self.recent = self.recent.saturating_sub(1);
        } else if sequence >= self.older_from {
            self.older = self.older.saturating_sub(1);
        }
    }

    /// Gives up the requests sent before the last call; returns whether there were any. `next` is the sequence number of
    /// the next request.
    pub(crate) fn give_up(&mut self, next: u64) -> bool {
        let given_up = self.older;
        (self.older, self.older_from) = (self.recent, self.recent_from);
        (self.recent, self.recent_from) = (0, next);
        given_up > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_given_up_when_they_are_old() {
        let mut requests = OpenRequests::default();
        requests.sent(5); // 0 to 4
        requests.close(0);
        assert!(!requests.give_up(5));
        requests.sent(2); // 5 and 6
        requests.close(6);
        requests.close(1);
        assert_eq!(requests.count(), 4); // 2, 3, 4 and 5
        assert!(requests.give_up(7));
        assert_eq!(requests.count(), 1);
        // A late response closes no other request.
        requests.close(2);
        assert_eq!(requests.count(), 1);
        requests.close(5);
        assert_eq!(requests.count(), 0);
        assert!(!requests.give_up(7));
        requests.sent(1);
        requests.close(UNKNOWN_SEQUENCE);
        assert_eq!(requests.count(), 0);
    }
}
