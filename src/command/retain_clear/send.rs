//! Publishes many messages to different topics: pipelined within the broker's Receive Maximum, each with its
//! own outcome, optionally at a limited rate.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::time::{Instant, Sleep};

use super::super::attention::{Attention, Supervisor};
use crate::client;
use crate::client::handler::{Change, Flow, Handler, OUTPUT_BYTES, Supervision};
use crate::client::options::ClientOptions;
use crate::client::session::{Event, Session};
use crate::error::{Error, Layer};
use crate::output::{Diagnostics, Progress};
use crate::protocol::QoS;
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::PublishTemplate;
use crate::quantity::{counted, duration};

/// A message to send.
pub(super) struct OutgoingMessage {
    pub(super) template: PublishTemplate,
    pub(super) payload: Bytes,
    /// Returned with the outcome.
    pub(super) token: u64,
}

/// Supplies messages, and receives their outcomes.
pub(super) trait SendWork {
    /// The next message, for the version and limits of the link; `None` at the end.
    fn next(&mut self, session: &Session) -> Result<Option<OutgoingMessage>, Error>;

    /// The broker has accepted or refused the message. At QoS 0: it was written.
    fn ended(&mut self, token: u64, outcome: Result<(), ReasonCode>);
}

/// Sends all messages and waits for every response. On an error, `work` knows the progress.
///
/// # Errors
/// A link that could not be made or kept, a signal, the work's own.
pub(super) async fn send(
    client: &ClientOptions,
    work: &mut impl SendWork,
    total: u64,
    limits: SendLimits,
    attention: &mut Attention,
    diagnostics: &Diagnostics,
) -> Result<(), Error> {
    let mut sender = Sender {
        work,
        supervisor: Supervisor::new(attention, diagnostics, client),
        diagnostics,
        progress: Progress::messages(diagnostics, total),
        pace: limits.rate.map(Pace::new),
        patience: AnswerPatience::new(limits.answer),
        outstanding: 0,
        held: None,
        exhausted: false,
        unconfirmed: 0,
    };
    client::run(client, &mut sender).await
}

/// The rate, and the timeout of responses.
#[derive(Debug, Clone, Copy)]
pub(super) struct SendLimits {
    /// Messages per second.
    pub(super) rate: Option<f64>,
    /// The maximum time between two responses, while one is due.
    pub(super) answer: Duration,
}

/// The timeout for a broker that answers only PINGREQ.
struct AnswerPatience {
    limit: Duration,
    since: Instant,
    timer: Pin<Box<Sleep>>,
}

impl AnswerPatience {
    fn new(limit: Duration) -> Self {
        let since = Instant::now();
        Self { limit, since, timer: Box::pin(tokio::time::sleep_until(since + limit)) }
    }

    /// Restarts the timeout after progress.
    fn renew(&mut self) {
        self.since = Instant::now();
    }

    /// `Ready` when there was no progress within the limit. The timer is not moved with every message.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        while self.timer.as_mut().poll(cx).is_ready() {
            let due = self.since + self.limit;
            if due <= Instant::now() {
                return Poll::Ready(());
            }
            self.timer.as_mut().reset(due);
        }
        Poll::Pending
    }
}

/// A limit on the rate, evenly spread.
struct Pace {
    interval: Duration,
    next: Instant,
    timer: Pin<Box<Sleep>>,
}

/// The time that may be made up for after a pause, so that a longer pause does not end in a burst.
const CATCH_UP: Duration = Duration::from_millis(100);

impl Pace {
    fn new(rate: f64) -> Self {
        let next = Instant::now();
        Self {
            interval: Duration::from_secs_f64(1.0 / rate),
            next,
            timer: Box::pin(tokio::time::sleep_until(next)),
        }
    }

    /// `Ready` when one more message may be sent; it then counts as sent.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let now = Instant::now();
        if self.next > now {
            self.timer.as_mut().reset(self.next);
            ready!(self.timer.as_mut().poll(cx));
        }
        self.next = (self.next + self.interval).max(now.checked_sub(CATCH_UP).unwrap_or(now));
        Poll::Ready(())
    }
}

struct Sender<'a, W> {
    work: &'a mut W,
    supervisor: Supervisor<'a>,
    diagnostics: &'a Diagnostics,
    progress: Progress,
    pace: Option<Pace>,
    patience: AnswerPatience,
    /// The number of messages sent at QoS 1 or 2 without a response.
    outstanding: u64,
    /// A message taken from the work and not sent yet.
    held: Option<OutgoingMessage>,
    exhausted: bool,
    /// The number of messages sent at QoS 0 on this link.
    unconfirmed: u64,
}

impl<W: SendWork> Sender<'_, W> {
    fn ended(&mut self, token: u64, outcome: Result<(), ReasonCode>) {
        self.work.ended(token, outcome);
        self.progress.add(1);
    }

    fn publish(&mut self, session: &mut Session, out: &mut BytesMut, message: OutgoingMessage) {
        let OutgoingMessage { template, payload, token } = message;
        let qos = template.qos();
        match session.publish(out, &Arc::new(template), &payload, || Some(payload.clone()), token) {
            Err(Error::Refused { reason, .. }) => self.ended(token, Err(reason)),
            Err(_) => self.ended(token, Err(ReasonCode::UNSPECIFIED)),
            Ok(_) if qos == QoS::AtMostOnce => {
                self.unconfirmed += 1;
                self.ended(token, Ok(()));
            }
            Ok(_) => self.outstanding += 1,
        }
    }
}

impl<W: SendWork> Handler for Sender<'_, W> {
    fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        session: &mut Session,
        out: &mut BytesMut,
    ) -> Poll<Result<(), Error>> {
        while out.len() < OUTPUT_BYTES {
            if self.held.is_none() && !self.exhausted {
                self.held = self.work.next(session)?;
                self.exhausted = self.held.is_none();
            }
            let Some(message) = self.held.take() else {
                return if session.is_idle() { Poll::Ready(Ok(())) } else { Poll::Pending };
            };
            let may = session.can_publish(message.template.qos())
                && self.pace.as_mut().is_none_or(|pace| pace.poll(cx).is_ready());
            if !may {
                self.held = Some(message);
                return Poll::Pending;
            }
            self.publish(session, out, message);
        }
        Poll::Pending // called again once this is written
    }

    fn on_event(&mut self, event: Event<'_>) -> Result<Flow, Error> {
        if let Event::Published { token, reason, .. } = event {
            self.outstanding = self.outstanding.saturating_sub(1);
            self.patience.renew();
            self.ended(token, if reason.is_failure() { Err(reason) } else { Ok(()) });
        }
        Ok(Flow::Continue)
    }

    fn poll_interrupt(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if let Poll::Ready(end) = self.supervisor.poll_interrupt(cx) {
            return Poll::Ready(end);
        }
        if self.outstanding == 0 {
            self.patience.renew();
        }
        ready!(self.patience.poll(cx));
        let limit = duration(self.patience.limit);
        Poll::Ready(Err(Error::fatal(Layer::Mqtt, format!("no message was acknowledged for {limit}"))))
    }

    fn on_change(&mut self, change: Change<'_>) {
        self.supervisor.on_change(change);
        if matches!(change, Change::Lost(..)) && self.unconfirmed > 0 {
            let count = std::mem::take(&mut self.unconfirmed);
            self.diagnostics.warning(format_args!(
                "some of the {} sent at QoS 0 may be lost with the connection: run it again to be sure",
                counted(count, "message")
            ));
        }
    }

    fn supervisor(&mut self) -> Option<&mut dyn Supervision> {
        Some(&mut self.supervisor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::task::Waker;

    #[tokio::test(start_paused = true)]
    async fn pace_is_kept_and_a_pause_is_not_caught_up() {
        let mut cx = Context::from_waker(Waker::noop());
        let mut pace = Pace::new(100.0);
        let mut due =
            |pace: &mut Pace| std::iter::from_fn(|| pace.poll(&mut cx).is_ready().then_some(())).count();
        assert_eq!(due(&mut pace), 1);
        tokio::time::advance(Duration::from_millis(51)).await;
        assert_eq!(due(&mut pace), 5);
        tokio::time::advance(Duration::from_secs(60)).await;
        let burst = due(&mut pace);
        assert!(burst <= 12, "{burst}");
    }
}
