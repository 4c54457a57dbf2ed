//! Payloads that are decoded before any other processing (`--decode`).

use crate::decode::{Decoded, Decoder, Rule};
use crate::error::Error;
use crate::output::Diagnostics;
use crate::protocol::wire::Publish;
use crate::quantity::{agree, counted};
use crate::quotation::cut;

/// The reaction when a payload cannot be decoded, or a program fails on a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailurePolicy {
    /// Omit the message.
    Skip,
    /// End the run.
    Stop,
    /// Show the message unchanged.
    Show,
}

/// Decodes payloads one after the other, and counts failures.
pub(super) struct Decoding<'a> {
    decoder: Decoder<'a>,
    has_rules: bool,
    on_error: FailurePolicy,
    diagnostics: &'a Diagnostics,
    failed: u64,
    omissions: Omissions<'a>,
}

impl<'a> Decoding<'a> {
    pub(super) fn new(
        rules: &'a [Rule],
        on_error: Option<FailurePolicy>,
        diagnostics: &'a Diagnostics,
    ) -> Self {
        Self {
            decoder: Decoder::new(rules),
            has_rules: !rules.is_empty(),
            on_error: on_error.unwrap_or(FailurePolicy::Show),
            diagnostics,
            failed: 0,
            omissions: Omissions::new(diagnostics),
        }
    }

    /// Declares that these valid filters are subscribed to completely.
    pub(super) fn subscribed_to(self, filters: impl IntoIterator<Item = &'a str>) -> Self {
        Self { decoder: self.decoder.subscribed_to(filters), ..self }
    }

    /// The decoded payload of the message with this number in the run, from 1; `None` if the payload is shown
    /// unchanged.
    ///
    /// # Errors
    /// The payload cannot be decoded, and the policy is to end the run.
    pub(super) fn decode(&mut self, number: u64, publish: &Publish<'_>) -> Result<Option<Decoded>, Error> {
        if !self.has_rules {
            return Ok(None);
        }
        let decoded = self.decoder.decode(publish.topic, publish.payload);
        self.omissions.note(number, publish.topic, decoded.as_ref());
        self.warn();
        if let Some(Decoded { payload: Err(why), .. }) = &decoded {
            self.failed += 1;
            let topic = String::from_utf8_lossy(publish.topic);
            let text = format!(
                "the payload of message {number} on '{}' cannot be decoded: {}",
                cut(&topic),
                cut(why)
            );
            if self.on_error == FailurePolicy::Stop {
                return Err(Error::Input(text));
            }
            if self.failed == 1 {
                self.diagnostics.warning(format_args!("{text} (shown only once)"));
            }
        }
        Ok(decoded)
    }

    /// Processes a message that is omitted before its payload is decoded.
    pub(super) fn pass(&mut self, publish: &Publish<'_>) {
        if self.has_rules {
            self.decoder.pass(publish.topic, publish.payload);
            self.warn();
        }
    }

    fn warn(&mut self) {
        if let Some(text) = self.decoder.take_warning() {
            self.diagnostics.warning(text);
        }
    }

    /// Whether messages that cannot be decoded are omitted.
    pub(super) fn skips_failures(&self) -> bool {
        self.on_error == FailurePolicy::Skip
    }

    /// The warning at the end, if payloads could not be decoded.
    pub(super) fn summary(&self) -> Option<String> {
        if self.failed == 0 || self.on_error == FailurePolicy::Stop {
            return None;
        }
        let payloads = counted(self.failed, "payload");
        let done = if self.skips_failures() {
            agree(self.failed, "the message was left out", "the messages were left out")
        } else {
            agree(self.failed, "it is shown as it is", "they are shown as they are")
        };
        Some(format!("{payloads} could not be decoded; {done}"))
    }

    /// Reports how many payloads had fields beyond their schema.
    pub(super) fn conclude(&self) {
        self.omissions.conclude();
    }
}

/// Payloads with fields that are omitted because their schema does not define them.
pub(super) struct Omissions<'a> {
    diagnostics: &'a Diagnostics,
    count: u64,
}

impl<'a> Omissions<'a> {
    pub(super) fn new(diagnostics: &'a Diagnostics) -> Self {
        Self { diagnostics, count: 0 }
    }

    pub(super) fn note(&mut self, number: u64, topic: &[u8], decoded: Option<&Decoded>) {
        let Some(left_out) = decoded.and_then(|decoded| decoded.left_out.as_deref()) else { return };
        self.count += 1;
        if self.count == 1 {
            self.diagnostics.warning(format_args!(
                "the payload of message {number} on '{}' has a field that its schema does not define, which is left out: {} \
                 (shown only once)",
                cut(&String::from_utf8_lossy(topic)),
                cut(left_out)
            ));
        }
    }

    /// Reports their number, unless that was done.
    pub(super) fn conclude(&self) {
        if self.count > 1 {
            self.diagnostics.warning(format_args!(
                "{} had fields that their schema does not define, which were left out",
                counted(self.count, "payload")
            ));
        }
    }
}

/// The outcome of a run in which parts may have failed without ending it.
pub(super) fn with_failures(
    outcome: Result<(), Error>,
    failures: impl IntoIterator<Item = Option<String>>,
    diagnostics: &Diagnostics,
) -> Result<(), Error> {
    let summary = failures.into_iter().flatten().reduce(|all, next| format!("{all}; {next}"));
    match (outcome, summary) {
        (Ok(()), Some(summary)) => Err(Error::Negative(summary)),
        (outcome, summary) => {
            if let Some(summary) = summary {
                diagnostics.warning(summary);
            }
            outcome
        }
    }
}
