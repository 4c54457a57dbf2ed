//! The intake of standard input into the spool.

use std::io::{ErrorKind, Seek as _, SeekFrom, Stdin};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use super::encoding::{Encoding, encoded};
use super::filled::Filler;
use super::replay::ReplaySchedule;
use crate::alarm::now;
use crate::client;
use crate::command::input::{Begun, Enveloped, FirstBytes, GivenUp, RecordReader, decompressed_pipe};
use crate::error::{Denial, Error};
use crate::platform::descriptors::{AsDescriptor, DescriptorKind, duplicate, kind};
use crate::platform::held::HeldInput;
use crate::platform::readiness::RunEnd;
use crate::protocol::QoS;
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::LARGEST_PACKET_BYTES;
use crate::storage::spool::{Envelope, Intake};

/// Maximum number of bytes per read of standard input.
const BLOCK_BYTES: usize = 64 * 1024;

/// The message about a file that is not read again.
pub(super) const NOT_AGAIN: &str = "no record of standard input was sent, and it is not read again";

/// The message about truncated compressed input.
pub(super) const TORN: &str = "standard input ends within compressed data; the rest of it is missing";

/// The first and the longest pause between two looks for the rest of a line.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// A pipe with fewer bytes than half a page has room for more.
const NEVER_FULL_BYTES: usize = 2048;

/// After this time without more, the pipe may be full of the beginning of a line; its writer waits for room.
const STALLED: Duration = Duration::from_secs(1);

/// What a wait for input found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum InputState {
    /// There is more input, or the end of it.
    More,
    /// The writer may wait for room in the pipe.
    Stalled,
    /// The writer is gone, and the beginning of a line is all that is left.
    Ended,
    /// The run ends.
    Over,
}

/// Waits for more than the beginning of a line, which stays in its pipe; the pipe is ready all the time.
/// `held`: the length of that beginning, in bytes.
fn rest_of_line(
    input: &HeldInput<impl AsDescriptor>,
    over: &RunEnd,
    held: usize,
) -> std::io::Result<InputState> {
    let begin = Instant::now();
    let mut pause = FIRST_PAUSE;
    loop {
        let state = input.state()?;
        if state.bytes > held as u64 {
            return Ok(InputState::More);
        }
        if state.is_last {
            return Ok(InputState::Ended);
        }
        if held >= NEVER_FULL_BYTES && begin.elapsed() >= STALLED {
            return Ok(InputState::Stalled);
        }
        if over.is_within(pause)? {
            return Ok(InputState::Over);
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}

/// Waits until `due`, or for the end of the run. Returns whether the time has come.
fn is_due(due: u64, over: &RunEnd) -> std::io::Result<bool> {
    loop {
        let left = due.saturating_sub(now());
        if left == 0 {
            return Ok(true);
        }
        if over.is_within(Duration::from_nanos(left))? {
            return Ok(false);
        }
    }
}

/// Takes in the lines of standard input.
pub(super) struct LineIntake<'a> {
    pub(super) intake: Intake,
    /// The envelopes of the messages made from a line, one per topic.
    pub(super) envelopes: Vec<Envelope>,
    /// Fills in topics and payloads, unless lines name their topic.
    pub(super) filler: Option<Filler>,
    /// Reads lines that name their topic.
    pub(super) reader: Option<RecordReader>,
    /// The format in which payloads are encoded.
    pub(super) encode: Option<Encoding>,
    /// The schedule of the records.
    pub(super) replay: Option<ReplaySchedule>,
    /// How often standard input is read.
    pub(super) rounds: u64,
    /// How often its end was reached.
    pub(super) round: u64,
    /// The QoS of records that request QoS 0, in which nothing would be acknowledged.
    pub(super) qos: QoS,
    /// The byte that ends a line.
    pub(super) terminator: u8,
    /// Whether the first line that is not taken in ends the intake.
    pub(super) stops_at_error: bool,
    pub(super) notes: &'a mpsc::Sender<IntakeNote>,
    /// The number of lines so far.
    pub(super) number: u64,
}

impl LineIntake<'_> {
    /// Takes in standard input, as often as requested.
    pub(super) fn take_in_rounds(&mut self, stdin: &Stdin, over: &RunEnd) -> Result<(), Error> {
        let failed = |error: std::io::Error| Error::file("standard input", error);
        let mut file = duplicate(stdin).map_err(failed)?;
        let start = if self.rounds > 1 { file.stream_position().map_err(failed)? } else { 0 };
        while self.take_in_stdin(stdin, over)? {
            self.round += 1;
            if self.round >= self.rounds {
                return self.reader.as_ref().map_or(Ok(()), RecordReader::check_selection);
            }
            if let Some(reader) = &mut self.reader
                && !reader.goes_on(self.round)
            {
                reader.check_selection()?;
                let _ = self.notes.blocking_send(IntakeNote::Warning(NOT_AGAIN.into()));
                return Ok(());
            }
            file.seek(SeekFrom::Start(start)).map_err(failed)?;
        }
        Ok(())
    }

    /// Takes in standard input like [`Self::take_in_all`], compressed or not.
    fn take_in_stdin(&mut self, stdin: &Stdin, over: &RunEnd) -> Result<bool, Error> {
        let failed = |error: std::io::Error| Error::file("standard input", error);
        let may_be_compressed = self.reads_records();
        let is_file = || kind(stdin).is_ok_and(|kind| kind == DescriptorKind::File);
        // A pipe must keep its content, so it is decompressed only if it begins with compressed data.
        let is_compressed = may_be_compressed
            && (is_file()
                || over.or_input(stdin).map_err(failed)?
                    && matches!(
                        FirstBytes::of(
                            HeldInput::new(stdin)
                                .and_then(|input| input.first_bytes(&mut [0; 4]).map(<[u8]>::to_vec))
                                .map_err(failed)?
                                .as_slice()
                        ),
                        FirstBytes::Compressed(_)
                    ));
        if !is_compressed {
            return self.take_in_all(stdin, over);
        }
        let file = duplicate(stdin).map_err(failed)?;
        let notes = self.notes.clone();
        let pipe = decompressed_pipe(file, move |error| {
            let note = if error.kind() == ErrorKind::UnexpectedEof {
                IntakeNote::Warning(TORN.into())
            } else {
                IntakeNote::Failed(Error::file(
                    "standard input",
                    std::io::Error::new(error.kind(), error.to_string()),
                ))
            };
            let _ = notes.blocking_send(note);
        });
        self.take_in_all(pipe.map_err(failed)?, over)
    }

    /// Takes in lines as they arrive: the lines of one read are in the file before the next, and no more is
    /// read than fits. An incomplete line is not a message yet. Ends with the input, or, when no input is
    /// available, once `over` is closed at the other end. Returns whether the input ended.
    ///
    /// A pipe keeps its content until the messages are in the file: then killing this program loses nothing
    /// that the writer believes to be stored. It also keeps the beginning of a line, since its rest alone would
    /// be taken for a line.
    fn take_in_all(&mut self, input: impl AsDescriptor, over: &RunEnd) -> Result<bool, Error> {
        let failed = |error: std::io::Error| Error::file("standard input", error);
        let input = HeldInput::new(input).map_err(failed)?;
        let mut block = vec![0; BLOCK_BYTES];
        let mut begun = Begun::new(LARGEST_PACKET_BYTES.into());
        // The bytes of an incomplete line in the pipe.
        let mut held = 0;
        loop {
            // A short file that is to be truncated is truncated before more arrives.
            self.intake.take_in()?;
            let wait = if held > 0 {
                rest_of_line(&input, over, held).map_err(failed)?
            } else {
                let has_input = over.or_input(input.input()).map_err(failed)?;
                if has_input { InputState::More } else { InputState::Over }
            };
            if wait == InputState::Over {
                return Ok(false);
            }
            let is_last = wait == InputState::Ended;
            let may_hold = input.is_held() && begun.is_empty() && wait == InputState::More;
            let room = self.intake.wait_for_room(begun.kept_bytes());
            let most = self.bytes_for(room);
            let looked_at = if may_hold { BLOCK_BYTES } else { most };
            let count = match input.look(&mut block[..looked_at]) {
                Ok(count) => count,
                Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => {
                    continue;
                }
                Err(error) => return Err(failed(error)),
            };
            let block = &mut block[..count];
            let taken = if count > most { self.room_for_first_line(block, most) } else { Some(count) };
            let Some(taken) = taken.filter(|_| room.is_some() || count == 0) else {
                let number = self.number + 1;
                return Err(not_taken(
                    self.intake.no_room(),
                    &format!("line {number} and those after it were"),
                ));
            };
            let mut rest = &block[..taken];
            while let Some(end) = memchr::memchr(self.terminator, rest) {
                let goes_on = if begun.is_empty() {
                    self.add(Ok(&rest[..end]), false, over)?
                } else {
                    begun.extend(&rest[..end]);
                    self.add_begun(&mut begun, false, over)?
                };
                if !goes_on {
                    return Ok(false);
                }
                rest = &rest[end + 1..];
            }
            let whole_lines = taken - rest.len();
            let left = &block[whole_lines..];
            let release = if may_hold && left.len() < BLOCK_BYTES {
                let is_incomplete = memchr::memchr(self.terminator, left).is_none();
                held = if is_incomplete { left.len() } else { 0 };
                whole_lines
            } else {
                held = 0;
                begun.extend(rest);
                if let Some(given_up) = begun.give_up()
                    && !self.add(Err(given_up.error(self.reads_records())), false, over)?
                {
                    return Ok(false);
                }
                if (count == 0 || is_last && taken == count) && !begun.is_empty() {
                    self.add_begun(&mut begun, true, over)?;
                }
                taken
            };
            self.take_in_waiting()?;
            if count == 0 {
                return Ok(true);
            }
            input.release(&mut block[..release]).map_err(failed)?;
        }
    }

    /// The number of bytes to take in at once. Without room, one byte tells a further line from the end of the
    /// input.
    fn bytes_for(&self, room: Option<usize>) -> usize {
        (room.unwrap_or(1) / self.copies()).clamp(1, BLOCK_BYTES)
    }

    /// The number of bytes of `block` to take in where only `most` fit for certain: the first line, once it has
    /// room, if it is longer. `None`: it will never have room.
    fn room_for_first_line(&mut self, block: &[u8], most: usize) -> Option<usize> {
        match memchr::memchr(self.terminator, block) {
            Some(end) if end >= most => self.intake.wait_for_room(end * self.copies()).map(|_| end + 1),
            _ => Some(most),
        }
    }

    /// Adds a line longer than one read, or the last line.
    fn add_begun(&mut self, begun: &mut Begun, is_cut: bool, over: &RunEnd) -> Result<bool, Error> {
        let Some(line) = begun.end() else { return Ok(true) };
        let line = line.as_ref().map(Vec::as_slice).map_err(|why| why.error(self.reads_records()));
        self.add(line, is_cut, over)
    }

    /// Whether each line is the record of a message.
    fn reads_records(&self) -> bool {
        self.reader.as_ref().is_some_and(RecordReader::reads_records)
    }

    /// The number of messages made from a line.
    fn copies(&self) -> usize {
        self.envelopes.len().max(1)
    }

    /// Adds a line, if it is a valid message. `is_cut`: it ends with the input. `false` if intake is to stop.
    fn add(&mut self, line: Result<&[u8], Error>, is_cut: bool, over: &RunEnd) -> Result<bool, Error> {
        if let Ok(line) = &line
            && !self.wait_until_due(line, over)?
        {
            return Ok(false);
        }
        let (is_added, note) = match line.and_then(|line| self.read(line, is_cut)) {
            Ok((is_added, warning)) => {
                let line = self.number + 1;
                (is_added, warning.map(|text| IntakeNote::Warning(format!("line {line}: {text}"))))
            }
            Err(error) => (false, Some(IntakeNote::GivenUp(self.number + 1, error))),
        };
        if !is_added {
            // Waiting messages are counted back from the latest line.
            self.take_in_waiting()?;
        }
        self.number += 1;
        let is_error = matches!(note, Some(IntakeNote::GivenUp(..)));
        if let Some(note) = note {
            let _ = self.notes.blocking_send(note);
        }
        let lacks_times = || self.reader.as_ref().is_some_and(RecordReader::lacks_times);
        Ok(!(is_error && (self.stops_at_error || lacks_times())))
    }

    /// Waits until a record is due. `false`: the run ended before.
    fn wait_until_due(&mut self, line: &[u8], over: &RunEnd) -> Result<bool, Error> {
        let (Some(replay), Some(reader)) = (&mut self.replay, &self.reader) else { return Ok(true) };
        let Some(time) = reader.time(line) else { return Ok(true) };
        let due = replay.due(time, self.round);
        if due > now() {
            // Earlier messages are sent meanwhile.
            self.take_in_waiting()?;
            if !is_due(due, over).map_err(|error| Error::file("standard input", error))? {
                return Ok(false);
            }
        }
        if let Some(replay) = &mut self.replay {
            replay.sent(due);
        }
        Ok(true)
    }

    /// Adds the message of a line, if it has one to send; returns whether it did, and a warning.
    fn read(&mut self, line: &[u8], is_cut: bool) -> Result<(bool, Option<String>), Error> {
        let too_long = || GivenUp::too_long(line.len() as u64).error(false);
        let Some(reader) = &mut self.reader else {
            let is_added = match &mut self.filler {
                Some(filler) => filler.add_to_each(
                    &mut self.intake,
                    &self.envelopes,
                    0,
                    self.number + 1,
                    line,
                    self.encode.as_ref(),
                )?,
                None => add_to_each(&mut self.intake, &self.envelopes, &encoded(self.encode.as_ref(), line)?),
            };
            return if is_added { Ok((true, None)) } else { Err(too_long()) };
        };
        let read = reader.envelope(line);
        let departure = reader.departure().map(|departure| departure.to_string());
        match read {
            Ok(Some(Enveloped { mut envelope, payload, is_encoded })) => {
                if envelope.qos == QoS::AtMostOnce {
                    envelope.qos = self.qos;
                }
                let payload = encoded(self.encode.as_ref().filter(|_| !is_encoded), &payload)?;
                if self.intake.add_as(&envelope, &payload) {
                    Ok((true, departure))
                } else {
                    Err(too_large(envelope.packet_bytes(payload.len())))
                }
            }
            Ok(None) => Ok((false, departure)),
            Err(error) if error.is_cut && is_cut => Ok((false, Some(error.cut_short()))),
            Err(error) => Err(Error::Input(error.why)),
        }
    }

    /// Takes in the added messages, up to the latest line.
    fn take_in_waiting(&mut self) -> Result<(), Error> {
        while self.intake.waiting() > 0 {
            if let Err(error) = self.intake.take_in() {
                let first = self.number + 1 - self.intake.waiting().div_ceil(self.copies()) as u64;
                return Err(not_taken(error, &format!("line {first} and those after it were")));
            }
            // One waiting note is enough: its receiver looks for all new input.
            let _ = self.notes.try_send(IntakeNote::More);
        }
        Ok(())
    }
}

/// Adds a message for each topic, if all of them are possible.
fn add_to_each(intake: &mut Intake, envelopes: &[Envelope], payload: &[u8]) -> bool {
    if !intake.is_possible(payload.len()) {
        return false;
    }
    match envelopes {
        [] | [_] => intake.add(payload),
        envelopes => {
            for envelope in envelopes {
                intake.add_as(envelope, payload);
            }
        }
    }
    true
}

/// The error for a message whose packet would have this size, more than MQTT allows.
pub(super) fn too_large(packet_bytes: usize) -> Error {
    Error::Refused {
        what: "publish not sent".into(),
        denial: Denial::default(),
        reason: ReasonCode::PACKET_TOO_LARGE,
        text: Some(client::too_large(packet_bytes, LARGEST_PACKET_BYTES)),
        hint: None,
    }
}

/// The error for messages that were not stored; it names them.
pub(super) fn not_taken(error: Error, which: &str) -> Error {
    match error {
        Error::File { what, source, .. } => Error::file(format!("{which} not taken: {what}"), source),
        other => other,
    }
}

/// A note from the intake.
pub(super) enum IntakeNote {
    /// More messages were taken in.
    More,
    /// The line with this number is not a valid message.
    GivenUp(u64, Error),
    /// A warning.
    Warning(String),
    /// Intake has stopped.
    Failed(Error),
}
