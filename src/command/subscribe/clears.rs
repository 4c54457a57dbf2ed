//! `--remove-retained`: clears each retained message after it was written out.

use std::collections::{HashMap, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::client::handler::OUTPUT_BYTES;
use crate::client::session::{AwaitedPacket, Session};
use crate::error::Error;
use crate::output::Diagnostics;
use crate::protocol::property::{Properties, PropertyBlock};
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{Publish, PublishTemplate};
use crate::protocol::{QoS, topic};
use crate::quantity::counted;
use crate::quotation::cut;

/// Maximum memory for topics waiting to be cleared, in bytes. A broker that sends retained messages faster
/// than it responds is not slowed down: its responses use the same connection.
const MOST_WAITING_BYTES: usize = 64 * 1024 * 1024;
/// The overhead of each topic in that limit.
const BYTES_EACH: usize = size_of::<Box<str>>();
/// The time a run has to complete its clears after it was told to end.
const HURRY_LIMIT: Duration = Duration::from_secs(5);

/// The topics to clear, and their outcomes.
///
/// When the link is lost, none of them is cleared on the next one: that may take any time, and other messages
/// may be retained by then.
pub(super) struct Clears {
    is_asked_for: bool,
    /// Shown, and not yet written out.
    unwritten: Vec<Box<str>>,
    /// Written out.
    due: VecDeque<Box<str>>,
    /// The memory of these two lists.
    waiting_bytes: usize,
    /// Sent and not yet answered, by token.
    sent: HashMap<u64, Box<str>>,
    next_token: u64,
    /// Whether the broker has answered a clear on this link.
    was_answered: bool,
    /// The topic of the oldest unanswered clear at the end of the last link.
    stuck_at: Option<Box<str>>,
    /// The number shown before the link was lost, and possibly not cleared.
    abandoned: u64,
    /// The number shown, and possibly not cleared.
    doubtful: u64,
    was_refused: bool,
    /// The maximum time between two responses of the broker, at the end.
    patience: Duration,
    waiting_since: Instant,
    hurry_until: Option<Instant>,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Clears {
    pub(super) fn new(is_asked_for: bool, patience: Duration) -> Self {
        Self {
            is_asked_for,
            unwritten: Vec::new(),
            due: VecDeque::new(),
            waiting_bytes: 0,
            sent: HashMap::new(),
            next_token: 0,
            was_answered: false,
            stuck_at: None,
            abandoned: 0,
            doubtful: 0,
            was_refused: false,
            patience,
            waiting_since: Instant::now(),
            hurry_until: None,
            timer: None,
        }
    }

    /// A message is being written out. The broker's own topics cannot be cleared, and come back immediately.
    pub(super) fn shown(&mut self, publish: &Publish<'_>) {
        if !self.is_asked_for
            || !publish.retain
            || publish.payload.is_empty()
            || topic::is_of_server(publish.topic)
        {
            return;
        }
        match topic::check_name(publish.topic) {
            Ok(name) if self.waiting_bytes + name.len() + BYTES_EACH <= MOST_WAITING_BYTES => {
                self.waiting_bytes += name.len() + BYTES_EACH;
                self.unwritten.push(name.into());
            }
            // An invalid topic name cannot be published to.
            Ok(_) | Err(_) => self.doubtful += 1,
        }
    }

    /// Whether the message is one of our clears, received through our own subscription.
    pub(super) fn is_echo(&self, publish: &Publish<'_>) -> bool {
        publish.payload.is_empty() && self.sent.values().any(|topic| topic.as_bytes() == publish.topic)
    }

    /// All messages shown so far are written out.
    pub(super) fn written(&mut self) {
        self.due.extend(self.unwritten.drain(..));
    }

    /// Whether no topic waits to be cleared, written out or not.
    pub(super) fn is_empty(&self) -> bool {
        self.unwritten.is_empty() && self.due.is_empty() && self.sent.is_empty()
    }

    /// Sends the clears that are due, as far as the window and the output allow.
    pub(super) fn fill(&mut self, session: &mut Session, out: &mut BytesMut, diagnostics: &Diagnostics) {
        while out.len() < OUTPUT_BYTES
            && session.can_publish(QoS::AtLeastOnce)
            && let Some(topic) = self.due.pop_front()
        {
            self.waiting_bytes -= topic.len() + BYTES_EACH;
            // [MQTT-3.3.1-6]: an empty payload removes the retained message.
            let template = PublishTemplate::new(
                session.protocol(),
                topic.as_bytes(),
                QoS::AtLeastOnce,
                true,
                &PropertyBlock::default(),
            );
            match session.publish(out, &Arc::new(template), b"", || None, self.next_token) {
                Ok(_) => {
                    if self.sent.is_empty() {
                        self.waiting_since = Instant::now();
                    }
                    self.sent.insert(self.next_token, topic);
                    self.next_token += 1;
                }
                Err(error) => self.refused(&topic, error, diagnostics),
            }
        }
    }

    /// The broker has responded.
    pub(super) fn answered(
        &mut self,
        token: u64,
        reason: ReasonCode,
        properties: &Properties<'_>,
        diagnostics: &Diagnostics,
    ) {
        let Some(topic) = self.sent.remove(&token) else { return };
        self.was_answered = true;
        self.waiting_since = Instant::now();
        if reason.is_failure() {
            self.refused(&topic, Error::refused(String::new(), reason, properties), diagnostics);
        }
    }

    fn refused(&mut self, topic: &str, mut why: Error, diagnostics: &Diagnostics) {
        if let Error::Refused { what, .. } = &mut why {
            *what = format!("what is retained on '{}' is not cleared", cut(topic));
        }
        self.was_refused = true;
        diagnostics.error(&why);
    }

    fn oldest(&self) -> Option<&str> {
        self.sent.iter().min_by_key(|(token, _)| **token).map(|(_, topic)| &**topic)
    }

    /// The oldest unanswered clear of a link without progress: no clear was answered, or the last link ended at
    /// the same topic. A broker may answer a clear and ignore it.
    pub(super) fn awaits(&self) -> Option<AwaitedPacket> {
        let oldest = self.oldest()?;
        let is_stuck = !self.was_answered || self.stuck_at.as_deref() == Some(oldest);
        is_stuck.then(|| AwaitedPacket {
            name: "PUBLISH (QoS 1) that clears a retained message",
            topic: Some(oldest.into()),
            hint: Some(
                "this client may not have the right to publish to that topic; without --remove-retained messages are \
                 shown and not cleared",
            ),
        })
    }

    /// The link has ended, with these clears unanswered.
    pub(super) fn link_has_ended(&mut self) {
        self.stuck_at = self.oldest().map(Box::from);
    }

    /// The link is lost: its remaining topics are not cleared.
    pub(super) fn link_is_lost(&mut self) {
        self.abandoned += (self.unwritten.len() + self.due.len() + self.sent.len()) as u64;
        self.unwritten.clear();
        self.due.clear();
        self.sent.clear();
        self.waiting_bytes = 0;
    }

    /// There is a new link. `comes_again`: retained messages are sent, and shown, again.
    pub(super) fn link_is_new(&mut self, comes_again: bool) {
        self.link_is_lost();
        self.was_answered = false;
        let abandoned = std::mem::take(&mut self.abandoned);
        if !comes_again {
            self.doubtful += abandoned;
        }
    }

    /// The run was told to end.
    pub(super) fn hurry(&mut self) {
        self.hurry_until.get_or_insert_with(|| Instant::now() + HURRY_LIMIT);
    }

    /// At the end: ready when no topic that was written out waits to be cleared, or when the time for that
    /// has passed.
    pub(super) fn poll_over(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.due.is_empty() && self.sent.is_empty() {
            return Poll::Ready(());
        }
        let patient_until = self.waiting_since + self.patience;
        let until = self.hurry_until.map_or(patient_until, |hurry| hurry.min(patient_until));
        let timer = self.timer.get_or_insert_with(|| Box::pin(sleep_until(until)));
        if timer.deadline() != until {
            timer.as_mut().reset(until);
        }
        timer.as_mut().poll(cx)
    }

    /// Reports messages that were shown and may still be there. Returns whether everything shown is cleared.
    pub(super) fn conclude(&self, diagnostics: &Diagnostics) -> bool {
        let doubtful = self.doubtful + self.abandoned + (self.due.len() + self.sent.len()) as u64;
        if doubtful > 0 {
            let messages = counted(doubtful, "retained message");
            diagnostics.error(&Error::Negative(format!("{messages} shown, and perhaps not cleared")));
        }
        doubtful == 0 && !self.was_refused
    }
}
