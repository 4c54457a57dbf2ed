//! Payloads of responses that a program computes from requests.

use std::time::{Duration, Instant, SystemTime};

use bytes::Bytes;

use crate::error::Error;
use crate::jq::{Failure, Guard, Program, ProgramInput, ProgramResults};
use crate::output::{Diagnostics, RecordHead};
use crate::protocol::wire::Publish;

/// How long programs may run before signals and time limits are looked at again.
const LONGEST_TURN: Duration = Duration::from_millis(50);

/// Runs a program on one request after the other.
pub(super) struct Computer {
    program: Program,
    guard: Guard,
    head: RecordHead,
    results: ProgramResults,
    /// When the first program of this turn began.
    turn: Option<Instant>,
    is_turn_over: bool,
}

impl Computer {
    pub(super) fn new(program: Program, diagnostics: &Diagnostics) -> Result<Self, Error> {
        let thread = diagnostics.for_thread();
        let guard = Guard::start(move |error| thread.error(error))?;
        let (head, results) = (RecordHead::default(), ProgramResults::default());
        Ok(Self { program, guard, head, results, turn: None, is_turn_over: false })
    }

    /// The results, a line each; nothing if there is none.
    /// `payload_error` is why the payload of the request was not decoded.
    pub(super) fn payload(
        &mut self,
        request: &Publish<'_>,
        payload_error: Option<&str>,
    ) -> Result<Option<Bytes>, Failure> {
        let turn = *self.turn.get_or_insert_with(Instant::now);
        let Self { program, guard, head, results, .. } = self;
        results.clear();
        let computed = guard.watch(|| {
            let record = head.of(request, SystemTime::now(), payload_error);
            program.put_results(ProgramInput::new(record, request.payload).value, true, results)
        });
        self.is_turn_over = turn.elapsed() > LONGEST_TURN;
        computed?;
        let lines: Vec<&[u8]> = self.results.iter().map(|(text, _)| text).collect();
        Ok((!lines.is_empty()).then(|| lines.join(&b'\n').into()))
    }

    /// Whether programs have run for so long that other things have to be looked at.
    pub(super) fn is_turn_over(&self) -> bool {
        self.is_turn_over
    }

    /// The other things were looked at.
    pub(super) fn begin_turn(&mut self) {
        self.turn = None;
        self.is_turn_over = false;
    }
}
