//! Scheduled operations of a client instead of publishing, and the clearing at the end.

use std::sync::Arc;

use bytes::BytesMut;

use super::super::PingBarrier;
use super::{FILTERS_PER_REQUEST, InTurn, subscription};
use crate::alarm::now;
use crate::client::handler::OUTPUT_BYTES;
use crate::client::session::Session;
use crate::command::bench::operation::{OperationKind, OperationStep};
use crate::error::Error;
use crate::protocol::property::PropertyBlock;
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::Subscription;

impl InTurn<'_> {
    /// Starts due operations, unless the previous one is not answered.
    pub(super) fn operate(&mut self, kind: OperationKind, session: &mut Session, out: &mut BytesMut) {
        let number = self.state.number;
        let operating = &mut self.state.extra.get_or_insert_default().operating;
        // Operations on connections are started before the turn.
        if operating.awaited.is_some() || kind.is_of_links() || out.len() >= OUTPUT_BYTES {
            return;
        }
        let Some(due) = self.state.backlog.pop_front() else { return };
        if !self.state.blocked {
            self.shard.operates(due, now());
        }
        let filters = self.shard.filters(number);
        let unsubscribes = kind == OperationKind::Subscribe && operating.is_subscribed;
        // Only clients that fetch need retained messages.
        let retain_handling = if kind == OperationKind::Fetch { 0 } else { 2 };
        let mut requests = 0;
        for part in filters.chunks(FILTERS_PER_REQUEST) {
            requests += 1;
            if unsubscribes {
                let filters: Vec<&str> = part.iter().map(|(filter, _)| filter.as_str()).collect();
                session.unsubscribe(out, &filters, &PropertyBlock::default(), 0);
                continue;
            }
            let subscriptions: Vec<Subscription<'_>> = part
                .iter()
                .map(|(filter, qos)| Subscription { retain_handling, ..subscription(filter, *qos) })
                .collect();
            session.subscribe(out, &subscriptions, &PropertyBlock::default(), 0);
        }
        (operating.awaited, operating.is_refused) = (Some((due, requests)), false);
        if kind == OperationKind::Fetch {
            self.shard.fetch(number, due);
        }
    }

    /// Records the broker's answer to a part of an operation.
    pub(super) fn answered(&mut self, step: OperationStep, reasons: &[u8]) {
        let Some(extra) = &mut self.state.extra else { return };
        let operating = &mut extra.operating;
        let Some((due, left)) = operating.awaited else { return };
        for reason in reasons.iter().map(|reason| ReasonCode(*reason)).filter(|reason| reason.is_failure()) {
            operating.is_refused = true;
            let recorder = &mut self.shard.recorder;
            recorder.counts.refused_subscriptions += u64::from(step == OperationStep::Subscribe);
            recorder.error(if step == OperationStep::Subscribe {
                format!("subscription refused: {reason}")
            } else {
                format!("UNSUBSCRIBE refused: {reason}")
            });
        }
        operating.awaited = Some((due, left.saturating_sub(1))).filter(|(_, left)| *left > 0);
        if operating.awaited.is_none() {
            // After a partial refusal, the other filters are subscribed to.
            operating.is_subscribed = step == OperationStep::Subscribe;
            // Operations that became due meanwhile are late because of the broker.
            self.state.blocked = !self.state.backlog.is_empty();
            self.shard.operated(step, due, self.now, !operating.is_refused);
            // The next may already be due.
            self.unfinished |= !self.state.backlog.is_empty();
        }
    }

    /// Clears the retained messages of its topics, then sends PINGREQ to learn when the broker has read that.
    pub(super) fn clear(&mut self, session: &mut Session, out: &mut BytesMut) -> Result<(), Error> {
        let Some(extra) = &mut self.state.extra else { return Ok(()) };
        let Some(next) = &mut extra.operating.clearing else { return Ok(()) };
        while *next < self.shard.topics() {
            if out.len() >= OUTPUT_BYTES {
                self.unfinished = true;
                return Ok(());
            }
            if let Some(template) = self.shard.clearing(session.protocol(), self.state.number, *next) {
                session.publish(out, &Arc::new(template), &[], || None, 0)?;
            }
            *next += 1;
        }
        extra.operating.clearing = None;
        self.state.barrier = PingBarrier::Wanted;
        Ok(())
    }
}
