//! The task of one connection: it moves bytes between its stream and the core.

use std::cell::RefCell;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use tokio::io::ReadBuf;

use super::core::{ConnectionId, Core, Directive};
use super::driver::{SharedBroker, now};
use super::journal::ClientOrigin;
use super::pace::OutputPace;
use super::places::ListenerPlace;
use super::stream::ByteStream;

/// Maximum size of one read.
const READ_BYTES: usize = 64 << 10;
/// Number of rounds of reading and writing before other tasks run. Two, because the second read registers the
/// task to be woken.
const TURNS: usize = 2;
thread_local! {
    /// The read buffer of all connections of a thread; a connection keeps only its incomplete packet.
    static SCRATCH: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// The task of one connection. It ends with the connection.
pub(super) struct ConnectionTask<S> {
    stream: S,
    id: ConnectionId,
    shared: Arc<SharedBroker>,
    /// Received bytes that the core has not processed.
    tail: Vec<u8>,
    /// The core did not process all of `tail`, because the connection was paused or its turn was over.
    held: bool,
    /// This side of the stream was shut down.
    write_ended: bool,
    /// The simulated delays of the output.
    pace: Option<Box<OutputPace>>,
    /// The connection's slot at its listener.
    _place: ListenerPlace,
}

/// The result of an attempt to move bytes.
enum Moved {
    Some,
    Nothing,
    /// The stream has ended.
    End,
}

impl<S: ByteStream> ConnectionTask<S> {
    /// `origin` is for the observer, if there is one.
    pub(super) fn new(
        stream: S,
        origin: Option<Box<ClientOrigin>>,
        place: ListenerPlace,
        shared: Arc<SharedBroker>,
    ) -> Self {
        let id = shared.with(now(), |core, now| core.open(origin, place.is_over, now));
        Self {
            stream,
            id,
            shared,
            tail: Vec::new(),
            held: false,
            write_ended: false,
            pace: None,
            _place: place,
        }
    }

    /// Writes the core's output for this connection.
    fn write(&mut self, core: &mut Core, cx: &mut Context<'_>, now: Instant) -> Moved {
        let (single, delay) = (core.options().faults.single_byte_writes, core.options().faults.delay);
        let mut most = usize::MAX;
        if single || delay.is_some() {
            let backlog = core.backlog(self.id);
            most = self.pace.get_or_insert_default().allowed(backlog, single, delay, now, cx);
        }
        let mut moved = Moved::Nothing;
        while let output @ [_, ..] = core.output(self.id)
            && most > 0
        {
            let output = &output[..output.len().min(most)];
            match Pin::new(&mut self.stream).poll_write(cx, output) {
                Poll::Ready(Ok(0) | Err(_)) => return Moved::End,
                Poll::Ready(Ok(bytes)) => {
                    core.wrote(self.id, bytes, now);
                    moved = Moved::Some;
                    if let Some(pace) = &mut self.pace {
                        pace.wrote(bytes, single, now, cx);
                        most = most.saturating_sub(bytes);
                    }
                }
                Poll::Pending => return moved,
            }
        }
        match Pin::new(&mut self.stream).poll_flush(cx) {
            Poll::Ready(Err(_)) => Moved::End,
            Poll::Ready(Ok(())) | Poll::Pending => moved,
        }
    }

    /// Reads once, and passes the bytes to the core.
    fn read(&mut self, core: &mut Core, cx: &mut Context<'_>, now: Instant) -> Moved {
        SCRATCH.with_borrow_mut(|scratch| {
            scratch.resize(READ_BYTES, 0);
            let mut buffer = ReadBuf::new(scratch);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                Poll::Pending => return Moved::Nothing,
                Poll::Ready(Err(_)) => return Moved::End,
                Poll::Ready(Ok(())) if buffer.filled().is_empty() => return Moved::End,
                Poll::Ready(Ok(())) => {}
            }
            if self.tail.is_empty() {
                let taken = core.receive(self.id, buffer.filled(), now);
                self.tail.extend_from_slice(buffer.filled().get(taken..).unwrap_or_default());
                self.note_held(core, now);
            } else {
                self.tail.extend_from_slice(buffer.filled());
                self.hand_over(core, now);
            }
            Moved::Some
        })
    }

    /// Passes the bytes that were received earlier to the core.
    fn hand_over(&mut self, core: &mut Core, now: Instant) {
        if core.is_large(&self.tail) {
            let input = Bytes::from(std::mem::take(&mut self.tail));
            let taken = core.receive_owned(self.id, &input, now);
            self.tail = input[taken..].to_vec();
            return self.note_held(core, now);
        }
        let taken = core.receive(self.id, &self.tail, now);
        if taken == self.tail.len() {
            self.tail = Vec::new();
        } else {
            self.tail.drain(..taken);
        }
        self.note_held(core, now);
    }

    /// Records why bytes are left in `tail`, and their number.
    fn note_held(&mut self, core: &mut Core, now: Instant) {
        core.holds_partial(self.id, self.tail.capacity(), now);
        let state = core.state(self.id);
        if matches!(state, Directive::Closing | Directive::Dead) {
            self.tail = Vec::new();
            core.holds_partial(self.id, 0, now);
        }
        self.held = state == Directive::Paused || core.turn_is_over();
    }

    /// Writes and reads. Returns whether the connection is over, or whether there may be more to do.
    fn turn(&mut self, core: &mut Core, cx: &mut Context<'_>, now: Instant) -> Moved {
        let state = core.state(self.id);
        if state == Directive::Dead {
            return Moved::End;
        }
        if state == Directive::Open && self.held {
            self.hand_over(core, now);
        }
        let wrote = self.write(core, cx, now);
        if matches!(wrote, Moved::End) {
            return wrote;
        }
        match core.state(self.id) {
            Directive::Dead => Moved::End,
            Directive::Paused => wrote,
            // The task is not yet woken for more input: the next turn looks for it.
            Directive::Open if core.turn_is_over() => Moved::Some,
            Directive::Open => match self.read(core, cx, now) {
                // The next turn hands over what was held.
                Moved::Nothing if self.held => wrote,
                // What was written needs no other turn: the task is woken for more input.
                read => read,
            },
            Directive::Closing => {
                if !core.output(self.id).is_empty() {
                    return wrote;
                }
                if !self.write_ended {
                    match Pin::new(&mut self.stream).poll_shutdown(cx) {
                        Poll::Pending => return wrote,
                        Poll::Ready(Err(_)) => return Moved::End,
                        Poll::Ready(Ok(())) => self.write_ended = true,
                    }
                }
                // The core ignores the input; only its end matters.
                self.read(core, cx, now)
            }
        }
    }
}

impl<S: ByteStream> Future for ConnectionTask<S> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        let shared = Arc::clone(&this.shared);
        let mut inner = shared.lock();
        inner.set_waker(this.id, cx.waker());
        if inner.stalled {
            return Poll::Pending;
        }
        let now = now();
        let mut result = Poll::Pending;
        let mut may_have_more = false;
        inner.core.resume(this.id, now);
        for turn in 0..TURNS {
            match this.turn(&mut inner.core, cx, now) {
                Moved::End => {
                    result = Poll::Ready(());
                    break;
                }
                Moved::Nothing => break,
                Moved::Some => may_have_more = turn + 1 == TURNS,
            }
        }
        if may_have_more || inner.core.is_unfinished(this.id) {
            // Wakes the task only after the runtime has checked the input and timers of other tasks: a client
            // that sends without a pause would otherwise get all turns until the runtime's next check.
            let _ = pin!(tokio::task::yield_now()).poll(cx);
        }
        shared.compare_passwords(&mut inner.core);
        inner.wake(Some(this.id));
        shared.note_deadline(&mut inner.core);
        result
    }
}

impl<S> Drop for ConnectionTask<S> {
    fn drop(&mut self) {
        let mut inner = self.shared.lock();
        inner.clear_waker(self.id);
        inner.core.close(self.id, now());
        inner.wake(None);
        self.shared.note_deadline(&mut inner.core);
    }
}
