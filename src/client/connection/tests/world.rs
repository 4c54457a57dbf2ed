//! A connection without sockets: its command, its broker, the stream between them and the clock.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;

use crate::client::connection::*;
use crate::client::limits::ServerLimits;
use crate::client::scratch::INPUT_BYTES;
use crate::client::session::Event;
use crate::protocol::QoS;
use crate::protocol::wire::{Packet, PublishTemplate};

pub(super) const KEEP_ALIVE: Duration = Duration::from_secs(10);
pub(super) const BARRIER_LIMIT: Duration = Duration::from_secs(30);
const LARGEST_PACKET_BYTES: u32 = 300_000;
/// The largest publish, which may exceed what the stream takes in one write.
pub(super) const LARGEST_PUBLISH: usize = 400_000;
const PONG: [u8; 2] = [0xD0, 0];

/// The command: it publishes, receives, and stops on request.
#[derive(Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is a wish of its own")]
pub(super) struct Recorder {
    /// Numbers of the messages received.
    pub(super) delivered: Vec<u32>,
    /// Packet identifiers that the command has to acknowledge.
    pub(super) to_acknowledge: Vec<u16>,
    /// How many of these messages are written out.
    pub(super) written_out: usize,
    pub(super) is_blocked: bool,
    /// Sizes of the messages to publish at QoS 0.
    pub(super) to_publish: VecDeque<usize>,
    pub(super) leaves: bool,
    /// Whether the command leaves because it has what it needs.
    pub(super) is_satisfied: bool,
    pub(super) is_interrupted: bool,
    pub(super) unconfirmed: u32,
}

impl Handler for Recorder {
    fn poll_fill(
        &mut self,
        _cx: &mut Context<'_>,
        session: &mut Session,
        out: &mut BytesMut,
    ) -> Poll<Result<(), Error>> {
        while out.len() < OUTPUT_BYTES
            && let Some(size) = self.to_publish.pop_front()
        {
            let template = PublishTemplate::new(
                session.protocol(),
                b"out",
                QoS::AtMostOnce,
                false,
                &PropertyBlock::default(),
            );
            session.publish(out, &Arc::new(template), &vec![b'o'; size], || None::<Bytes>, 0)?;
        }
        if self.leaves && self.to_publish.is_empty() { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn on_event(&mut self, event: Event<'_>) -> Result<Flow, Error> {
        if let Event::Message(publish) = event {
            // Arbitrary bytes can begin with a valid PUBLISH whose payload is too short for a number.
            let number = publish.payload.first_chunk();
            self.delivered.push(number.map_or(u32::MAX, |number| u32::from_be_bytes(*number)));
            if publish.qos != QoS::AtMostOnce {
                self.to_acknowledge.push(publish.packet_identifier);
            }
        }
        Ok(Flow::Continue)
    }

    fn poll_flush(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.is_blocked {
            return Poll::Pending;
        }
        self.written_out = self.to_acknowledge.len();
        Poll::Ready(Ok(()))
    }

    fn poll_interrupt(&mut self, _cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        if self.is_interrupted { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn awaits_close(&self) -> bool {
        !self.is_satisfied
    }

    fn on_change(&mut self, change: Change<'_>) {
        self.unconfirmed += u32::from(matches!(change, Change::Unconfirmed(_)));
    }
}

/// A connection, its broker, the stream between them, and the clock.
pub(super) struct World {
    pub(super) connection: Connection,
    pub(super) session: Session,
    pub(super) handler: Recorder,
    pub(super) protocol: Protocol,
    pub(super) now: Instant,
    /// Bytes sent by the broker and not yet read.
    pub(super) arriving: VecDeque<u8>,
    /// Whether the broker has closed its side.
    pub(super) is_half_closed: bool,
    /// Maximum number of bytes per read.
    pub(super) piece: usize,
    /// Number of bytes that the stream still takes.
    pub(super) room: usize,
    /// Whether the stream takes nothing and returns an error.
    pub(super) is_broken: bool,
    /// Whether the process was stopped: the runtime has not yet noticed the bytes that arrived meanwhile.
    pub(super) is_unaware: bool,
    /// Total time stopped.
    pub(super) stopped: Duration,
    /// The broker's response time to PINGREQ; `None` for no response.
    pub(super) answers_after: Option<Duration>,
    pub(super) answers: VecDeque<Instant>,
    /// The number of the next message.
    pub(super) number: u32,
    /// The bytes that the stream has taken, and how many of them are complete packets.
    pub(super) taken: Vec<u8>,
    pub(super) whole: usize,
    /// Names of the packets taken, with the time.
    pub(super) packets: Vec<(Instant, &'static str)>,
    pub(super) acknowledged: usize,
    pub(super) timer_wake_ups: u32,
    pub(super) outcome: Option<(Instant, Result<(), Error>)>,
    pub(super) input: Box<[u8]>,
}

impl World {
    pub(super) fn new(protocol: Protocol) -> Self {
        Self::with_leftover(protocol, Vec::new())
    }

    pub(super) fn with_leftover(protocol: Protocol, leftover: Vec<u8>) -> Self {
        let mut session = Session::new(protocol, 20, &PropertyBlock::default());
        session.connected(protocol, false, ServerLimits::default());
        let (now, nothing) = (Instant::now(), PropertyBlock::default());
        let seconds = u16::try_from(KEEP_ALIVE.as_secs()).unwrap();
        let connection =
            Connection::new(protocol, seconds, BARRIER_LIMIT, LARGEST_PACKET_BYTES, leftover, nothing, now);
        Self {
            connection,
            session,
            handler: Recorder::default(),
            protocol,
            now,
            arriving: VecDeque::new(),
            is_half_closed: false,
            piece: usize::MAX,
            room: usize::MAX,
            is_broken: false,
            is_unaware: false,
            stopped: Duration::ZERO,
            answers_after: None,
            answers: VecDeque::new(),
            number: 0,
            taken: Vec::new(),
            whole: 0,
            packets: Vec::new(),
            acknowledged: 0,
            timer_wake_ups: 0,
            outcome: None,
            input: vec![0; INPUT_BYTES].into(),
        }
    }

    /// The next message of the broker.
    pub(super) fn message(&mut self, qos: QoS, size: usize) -> Vec<u8> {
        let mut payload = self.number.to_be_bytes().to_vec();
        payload.resize(4 + size, b'i');
        self.number += 1;
        let mut out = BytesMut::new();
        let identifier = u16::try_from(self.number % 60_000 + 1).unwrap();
        PublishTemplate::new(self.protocol, b"in", qos, false, &PropertyBlock::default())
            .put(&mut out, identifier, false, &payload);
        out.to_vec()
    }

    pub(super) fn send(&mut self, qos: QoS, size: usize) {
        let message = self.message(qos, size);
        self.arriving.extend(message);
    }

    /// Runs one wake-up, and those it requests.
    pub(super) fn wake_up(&mut self) {
        while self.wake_up_once() {}
        self.check_memory();
    }

    fn wake_up_once(&mut self) -> bool {
        if self.outcome.is_some() {
            return false;
        }
        while self.answers.front().is_some_and(|at| *at <= self.now) {
            self.answers.pop_front();
            self.arriving.extend(PONG);
        }
        let is_unaware = mem::take(&mut self.is_unaware);
        let mut input = mem::take(&mut self.input);
        let mut handler = mem::take(&mut self.handler);
        let mut output = BytesMut::new();
        let mut session =
            mem::replace(&mut self.session, Session::new(self.protocol, 1, &PropertyBlock::default()));
        let mut wake_up = WakeUp::new(self.now, Waker::noop(), &mut session, &mut handler, &mut output);
        let mut actions = 0;
        let is_to_go_on = loop {
            actions += 1;
            assert!(actions < 1000, "a wake-up without end");
            match self.connection.next(&mut wake_up) {
                Action::Write => {
                    let bytes = self.connection.output(wake_up.handler, wake_up.output);
                    let count = if self.is_broken { 0 } else { bytes.len().min(self.room) };
                    let outcome = match () {
                        () if self.is_broken => Poll::Ready(Err(io::ErrorKind::BrokenPipe.into())),
                        () if count < bytes.len() => Poll::Pending,
                        () => Poll::Ready(Ok(())),
                    };
                    self.room -= if self.room == usize::MAX { 0 } else { count };
                    self.taken.extend_from_slice(&bytes[..count]);
                    self.connection.wrote(&mut wake_up, count, outcome);
                    self.check_packets(wake_up.handler);
                }
                Action::Read if is_unaware => {}
                Action::Read if self.arriving.is_empty() => {
                    if self.is_half_closed {
                        self.connection.received(&mut wake_up, &mut input, Ok(0));
                    }
                }
                Action::Read => {
                    let space = self.connection.space(&mut input);
                    let count = self.piece.min(space.len()).min(self.arriving.len());
                    space.iter_mut().zip(self.arriving.drain(..count)).for_each(|(to, byte)| *to = byte);
                    self.connection.received(&mut wake_up, &mut input, Ok(count));
                }
                Action::ShutDown if self.room > 0 => self.connection.was_shut_down(&wake_up),
                Action::ShutDown => {}
                Action::Wait | Action::Yield
                    if self.connection.next_deadline().is_some_and(|deadline| deadline <= self.now) =>
                {
                    self.timer_wake_ups += 1;
                    self.connection.advance(&mut wake_up, self.now);
                }
                Action::Wait => break false,
                Action::Yield => break true,
                Action::Done(result) => {
                    self.outcome = Some((self.now, result));
                    break false;
                }
            }
        };
        (self.input, self.handler, self.session) = (input, handler, session);
        if is_unaware {
            self.now += Duration::from_millis(1);
        }
        is_to_go_on || is_unaware
    }

    /// Checks that the bytes taken by the stream are MQTT, in order and in time.
    fn check_packets(&mut self, handler: &Recorder) {
        while let Some(length) = wire::frame(&self.taken[self.whole..], wire::LARGEST_PACKET_BYTES).unwrap() {
            let packet = wire::decode(self.protocol, &self.taken[self.whole..self.whole + length]).unwrap();
            self.whole += length;
            assert!(self.packets.last().is_none_or(|(_, last)| *last != "DISCONNECT"), "{packet:?}");
            let kind = match packet {
                Packet::Publish(_) => "PUBLISH",
                Packet::PubAck(ack) | Packet::PubRec(ack) => {
                    assert!(
                        self.acknowledged < handler.written_out,
                        "acknowledged before it was written out"
                    );
                    assert_eq!(ack.packet_identifier, handler.to_acknowledge[self.acknowledged]);
                    self.acknowledged += 1;
                    "ACK"
                }
                Packet::PubComp(_) => "PUBCOMP",
                Packet::PingReq => {
                    self.answers.extend(self.answers_after.map(|after| self.now + after));
                    "PINGREQ"
                }
                Packet::Disconnect { .. } => "DISCONNECT",
                other => panic!("{other:?}"),
            };
            self.packets.push((self.now, kind));
        }
    }

    fn check_memory(&self) {
        let most = LARGEST_PACKET_BYTES as usize + INPUT_BYTES;
        assert!(self.connection.partial.len() <= most, "{}", self.connection.partial.len());
        let unwritten = self.connection.unwritten.len();
        // A publish that fills the output, the bytes that may be added, and the answers to one read.
        let most = OUTPUT_BYTES + LARGEST_PUBLISH + (1 << 20) + 4 * INPUT_BYTES;
        assert!(unwritten <= most, "{unwritten}");
    }

    /// Lets time pass while the process runs.
    pub(super) fn wait(&mut self, time: Duration) {
        let until = self.now + time;
        loop {
            self.wake_up();
            let next = [self.connection.next_deadline(), self.answers.front().copied()];
            match next.into_iter().flatten().min() {
                Some(at) if at <= until && self.outcome.is_none() => self.now = self.now.max(at),
                _ => break,
            }
        }
        self.now = self.now.max(until);
    }

    /// Lets time pass while the process is stopped.
    pub(super) fn stop(&mut self, time: Duration) {
        self.now += time;
        self.stopped += time;
        self.is_unaware = true;
    }

    pub(super) fn is_over(&self) -> bool {
        self.outcome.is_some()
    }

    pub(super) fn error(&self) -> String {
        match &self.outcome {
            Some((_, Err(error))) => error.to_string(),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn count(&self, kind: &str) -> usize {
        self.packets.iter().filter(|(_, other)| *other == kind).count()
    }
}
