//! Response payloads computed by a program from requests, and warnings about payloads that programs do not
//! see as JSON.

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;

use crate::error::Error;
use crate::jq::{
    self, Failure, Guard, MOST_PAYLOAD_BYTES, MOST_VALUES, Program, ProgramInput, ProgramPayload,
    ProgramResults,
};
use crate::output::{Diagnostics, PayloadNote, RecordHead};
use crate::protocol::wire::Publish;
use crate::quotation::shown;

/// How long programs may run before signals and timeouts are checked again.
const LONGEST_TURN: Duration = Duration::from_millis(50);

/// Warns about payloads that are too large to be parsed as JSON.
pub(super) struct LargePayloads<'a> {
    diagnostics: &'a Diagnostics,
    is_said: bool,
}

impl<'a> LargePayloads<'a> {
    pub(super) fn new(diagnostics: &'a Diagnostics) -> Self {
        Self { diagnostics, is_said: false }
    }

    /// Whether there were any.
    pub(super) fn were_there(&self) -> bool {
        self.is_said
    }

    /// Records that a program has seen this payload in this form.
    pub(super) fn note(&mut self, publish: &Publish<'_>, form: ProgramPayload) {
        if form != ProgramPayload::TooLarge || std::mem::replace(&mut self.is_said, true) {
            return;
        }
        let (topic, bytes) = (shown(publish.topic), publish.payload.len());
        let why = if bytes > MOST_PAYLOAD_BYTES {
            format!("has more than {} MiB: programs see it as null", MOST_PAYLOAD_BYTES >> 20)
        } else {
            format!("has more than {MOST_VALUES} values: programs see it as text and not as JSON")
        };
        self.diagnostics.warning(format_args!(
            "the payload of a message on '{topic}', of {bytes} bytes, {why} (shown only once)"
        ));
    }
}

/// Runs a program on requests, one after the other.
pub(super) struct Computer<'a> {
    program: Program,
    guard: Guard,
    large: LargePayloads<'a>,
    head: RecordHead,
    results: ProgramResults,
    /// When the first program of this turn started.
    turn: Option<Instant>,
    is_turn_over: bool,
}

impl<'a> Computer<'a> {
    pub(super) fn new(program: Program, diagnostics: &'a Diagnostics) -> Result<Self, Error> {
        let thread = diagnostics.for_thread();
        let guard = Guard::start(move |error| thread.error(error))?;
        let (head, results) = (RecordHead::default(), ProgramResults::default());
        let large = LargePayloads::new(diagnostics);
        Ok(Self { program, guard, large, head, results, turn: None, is_turn_over: false })
    }

    /// The results for the request with this number in the run, one per line; empty if there is none.
    /// `payload_error` tells why the payload of the request was not decoded.
    pub(super) fn payload(
        &mut self,
        (number, request): (u64, &Publish<'_>),
        payload_error: Option<&str>,
    ) -> Result<Option<Bytes>, Failure> {
        let turn = *self.turn.get_or_insert_with(Instant::now);
        let Self { program, guard, large, head, results, .. } = self;
        results.clear();
        let computed = guard.watch(jq::PROGRAM, (number, request.topic), || {
            let note = PayloadNote { decoded: None, error: payload_error };
            let record = head.of(request, SystemTime::now(), &note);
            let ProgramInput { value, form } = ProgramInput::new(record, request.payload);
            large.note(request, form);
            program.put_results(value, true, results)
        });
        self.is_turn_over = turn.elapsed() > LONGEST_TURN;
        computed?;
        let lines: Vec<&[u8]> = self.results.iter().map(|(text, _)| text).collect();
        Ok((!lines.is_empty()).then(|| lines.join(&b'\n').into()))
    }

    /// Whether programs have run so long that signals and timeouts have to be checked.
    pub(super) fn is_turn_over(&self) -> bool {
        self.is_turn_over
    }

    /// Starts a new turn after these checks.
    pub(super) fn begin_turn(&mut self) {
        self.turn = None;
        self.is_turn_over = false;
    }
}
