//! Retained messages of the load: stored on the broker before it, and cleared after it.

use super::super::engine::shared::Order;
use super::super::report::finding::Problem;
use super::super::watching::Stage;
use super::{Director, SLOW_TICK, TICK, nanoseconds, seconds};
use crate::alarm::now;
use crate::command::bench::config::Load;

impl Director<'_> {
    /// Stores the retained messages on the broker; returns whether it has all of them. The wait continues as
    /// long as the broker accepts some within the drain timeout.
    pub(super) async fn store(&mut self, load: &Load) -> bool {
        let (all, began) = (self.orders.len(), now());
        let groups = load.groups();
        let messages = groups.iter().filter_map(|group| {
            let publish = group.publish.as_ref().filter(|publish| publish.retain)?;
            Some(u64::from(group.clients) * u64::from(publish.topics))
        });
        self.watching.enter(Stage::Store(messages.sum()), began);
        self.retained_left = true;
        self.order(Order::Prepare);
        loop {
            let before = self.sum(|board| &board.sent) + self.sum(|board| &board.acknowledged);
            let limit = now().saturating_add(nanoseconds(load.drain));
            let over = |this: &Self| this.prepared == all || this.is_alone();
            if self.wait(limit, TICK, over).await {
                break;
            }
            if self.interrupted {
                return false;
            }
            if self.sum(|board| &board.sent) + self.sum(|board| &board.acknowledged) == before {
                self.problems.push(Problem::Unanswered { drain: load.drain });
                return false;
            }
        }
        let is_stored = self.prepared == all && !self.is_over();
        self.stored_s = is_stored.then(|| seconds(now() - began));
        is_stored
    }

    /// Clears the retained messages, if there are any, and waits for that up to the drain timeout.
    pub(super) async fn clear(&mut self, load: &Load) {
        if !self.retained_left || self.failed.is_some() {
            return;
        }
        self.retained_left = false;
        self.order(Order::ExpectClearing);
        self.await_others().await;
        self.watching.enter(Stage::Clear, now());
        self.order(Order::Clear);
        let all = self.orders.len();
        // A signal during this wait ends only the wait.
        let before = std::mem::replace(&mut self.interrupted, false);
        let limit = now().saturating_add(nanoseconds(load.drain));
        self.retained_left |= !self.wait(limit, SLOW_TICK, |this| this.cleared == all).await;
        self.interrupted |= before;
    }
}
