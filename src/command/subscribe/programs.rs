//! The programs of `mqtt sub`: `--where`, `--jq` and `--until`.

use std::time::{Duration, Instant, SystemTime};

use super::config::{Config, FailurePolicy, Programs};
use crate::command::computed::LargePayloads;
use crate::error::Error;
use crate::jq::{self, Condition, Failure, Guard, ProgramInput, ProgramPayload, ProgramResults, Val};
#[cfg(feature = "tui")]
use crate::output::give_terminal_back;
use crate::output::{Diagnostics, EntrustedOutput, PayloadNote, RecordHead, Stdout};
use crate::protocol::wire::Publish;
use crate::quantity::{agree, counted};
use crate::quotation::cut;

/// How long programs may run before signals and timeouts are checked again.
const LONGEST_TURN: Duration = Duration::from_millis(50);

/// The decision of the programs on a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ProgramVerdict {
    /// Whether it is shown.
    pub(super) is_shown: bool,
    /// Whether it is the last one.
    pub(super) is_last: bool,
}

/// The length of a payload from which its search is watched.
const WATCHED_BYTES: usize = 4096;

/// Runs the programs on messages, one after the other.
pub(super) struct Evaluator<'a> {
    programs: &'a Programs,
    on_error: FailurePolicy,
    diagnostics: &'a Diagnostics,
    large: LargePayloads<'a>,
    /// Whether string results are shown as plain text.
    raw: bool,
    head: RecordHead,
    guard: Option<Guard>,
    /// The output of earlier messages while a program runs, which may not come to its end.
    output: EntrustedOutput,
    results: ProgramResults,
    /// Whether results are shown instead of the current message.
    has_results: bool,
    /// The number of messages on which a program has failed.
    failed: u64,
    /// The number of those whose payload is not JSON, or too large to be parsed.
    failed_without_json: u64,
    /// The number of the current message in the run.
    number: u64,
    /// When the first program of this turn started.
    turn: Option<Instant>,
    is_turn_over: bool,
}

impl<'a> Evaluator<'a> {
    pub(super) fn new(config: &'a Config, raw: bool, diagnostics: &'a Diagnostics) -> Result<Self, Error> {
        let programs = &config.programs;
        let output = EntrustedOutput::default();
        let guard = if programs.are_run() || !config.selection.grep.is_empty() {
            let (thread, output) = (diagnostics.for_thread(), output.clone());
            Some(Guard::start(move |error| {
                if let Err(why) = output.write_at_end() {
                    thread.warning(format_args!("the output of earlier messages is not complete: {why}"));
                }
                #[cfg(feature = "tui")]
                give_terminal_back();
                thread.error(error);
            })?)
        } else {
            None
        };
        Ok(Self {
            programs,
            on_error: config.on_error.unwrap_or(FailurePolicy::Skip),
            diagnostics,
            large: LargePayloads::new(diagnostics),
            raw,
            head: RecordHead::default(),
            guard,
            output,
            results: ProgramResults::default(),
            has_results: false,
            failed: 0,
            failed_without_json: 0,
            number: 0,
            turn: None,
            is_turn_over: false,
        })
    }

    /// Whether the payload of a message has what is searched for: the result of `finds`, which may take long for a long
    /// payload. Its limit is that of a program.
    pub(super) fn search(
        &mut self,
        (number, publish): (u64, &Publish<'_>),
        stdout: &mut Stdout,
        finds: impl FnOnce() -> bool,
    ) -> bool {
        let is_long = publish.payload.len() >= WATCHED_BYTES;
        let Some(guard) = self.guard.take_if(|_| is_long) else { return finds() };
        stdout.entrust(&self.output);
        let found = guard.watch("the search of --grep", (number, publish.topic), finds);
        stdout.take_back(&self.output);
        self.guard = Some(guard);
        found
    }

    /// The decision of the programs on a message with this number in the run; `passes` tells whether it meets
    /// the other conditions. If a program has to be ended, the process ends, and before it what `stdout` holds
    /// of earlier messages is written.
    ///
    /// # Errors
    /// A program failed, and the policy is to end the run.
    pub(super) fn judge(
        &mut self,
        (number, publish): (u64, &Publish<'_>),
        received: SystemTime,
        note: &PayloadNote<'_>,
        passes: bool,
        stdout: &mut Stdout,
    ) -> Result<ProgramVerdict, Error> {
        self.has_results = false;
        let Some(guard) = self.guard.take_if(|_| self.programs.are_run()) else {
            return Ok(self.judge_by_header(publish, passes));
        };
        self.number = number;
        let turn = *self.turn.get_or_insert_with(Instant::now);
        stdout.entrust(&self.output);
        let verdict = guard
            .watch(jq::PROGRAM, (number, publish.topic), || self.evaluate(publish, received, note, passes));
        stdout.take_back(&self.output);
        self.guard = Some(guard);
        self.is_turn_over = turn.elapsed() > LONGEST_TURN;
        verdict
    }

    /// The fast path: no program has to be run.
    fn judge_by_header(&self, publish: &Publish<'_>, passes: bool) -> ProgramVerdict {
        let holds = |condition: &Option<Condition>| match condition {
            Some(Condition::Header(test)) => Some(test.holds(publish)),
            _ => None,
        };
        ProgramVerdict {
            is_shown: passes && holds(&self.programs.keep).unwrap_or(true),
            is_last: holds(&self.programs.until).unwrap_or(false),
        }
    }

    fn evaluate(
        &mut self,
        publish: &Publish<'_>,
        received: SystemTime,
        note: &PayloadNote<'_>,
        passes: bool,
    ) -> Result<ProgramVerdict, Error> {
        let mut input = None;
        let head = &mut self.head;
        let mut record = || {
            let input: &mut Option<ProgramInput> = &mut input;
            let make = || ProgramInput::new(head.of(publish, received, note), publish.payload);
            input.get_or_insert_with(make).value.clone()
        };
        let mut failure = None;
        let mut is_shown = passes;
        if is_shown && let Some(condition) = &self.programs.keep {
            is_shown = match holds(condition, publish, &mut record) {
                Ok(holds) => holds,
                Err(why) => {
                    failure = Some(("--where", why));
                    self.on_error == FailurePolicy::Show
                }
            };
        }
        if is_shown && let Some(program) = &self.programs.show {
            self.results.clear();
            match program.put_results(record(), self.raw, &mut self.results) {
                Ok(()) => {
                    self.has_results = true;
                    is_shown = !self.results.is_empty();
                }
                Err(why) => {
                    failure.get_or_insert(("--jq", why));
                    is_shown = self.on_error == FailurePolicy::Show;
                }
            }
        }
        let mut is_last = false;
        if let Some(condition) = &self.programs.until {
            match holds(condition, publish, &mut record) {
                Ok(holds) => is_last = holds,
                Err(why) => {
                    failure.get_or_insert(("--until", why));
                }
            }
        }
        let form = input.map_or(ProgramPayload::Json, |input| input.form);
        self.large.note(publish, form);
        if let Some((option, why)) = failure {
            self.failed(option, &why, publish, form)?;
        }
        Ok(ProgramVerdict { is_shown, is_last })
    }

    /// Processes a failure: reports the first one and counts it, or ends the run.
    fn failed(
        &mut self,
        option: &str,
        why: &Failure,
        publish: &Publish<'_>,
        form: ProgramPayload,
    ) -> Result<(), Error> {
        self.failed += 1;
        self.failed_without_json += u64::from(form != ProgramPayload::Json);
        let topic = String::from_utf8_lossy(publish.topic);
        let why = why.to_string();
        let form = match form {
            ProgramPayload::Json => "",
            ProgramPayload::Text => " (the payload is not JSON)",
            ProgramPayload::TooLarge => " (the payload is too large to be taken as JSON)",
        };
        let text =
            format!("{option} failed on message {} on '{}': {}{form}", self.number, cut(&topic), cut(&why));
        if self.on_error == FailurePolicy::Stop {
            return Err(Error::Input(text));
        }
        if self.failed == 1 {
            self.diagnostics.warning(format_args!("{text} (shown only once)"));
        }
        Ok(())
    }

    /// The results shown instead of the latest message.
    pub(super) fn results(&self) -> Option<&ProgramResults> {
        self.has_results.then_some(&self.results)
    }

    /// Whether messages that are not shown are evaluated as well.
    pub(super) fn looks_at_all(&self) -> bool {
        self.programs.until.is_some()
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

    /// The warning at the end, if a program has failed.
    pub(super) fn summary(&self) -> Option<String> {
        if self.failed == 0 || self.on_error == FailurePolicy::Stop {
            return None;
        }
        let messages = counted(self.failed, "message");
        let them = agree(self.failed, "it was", "they were");
        let forms = match self.failed_without_json {
            0 => String::new(),
            count if self.large.were_there() => {
                format!(", {count} of them with a payload that is not JSON or too large")
            }
            count => format!(", {count} of them with a payload that is not JSON"),
        };
        let done = match self.on_error {
            FailurePolicy::Show => agree(self.failed, "shown as it is", "shown as they are"),
            FailurePolicy::Skip | FailurePolicy::Stop => "left out",
        };
        Some(format!("programs failed on {messages}{forms}; {them} {done}"))
    }
}

/// Whether a condition is true for a message, which is converted to a value if needed.
fn holds(
    condition: &Condition,
    publish: &Publish<'_>,
    record: &mut impl FnMut() -> Val,
) -> Result<bool, Failure> {
    match condition {
        Condition::Header(test) => Ok(test.holds(publish)),
        Condition::Program(program) => program.is_true(record()),
    }
}
