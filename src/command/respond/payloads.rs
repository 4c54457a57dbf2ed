//! The payloads of responses.

use bytes::{Bytes, BytesMut};

use super::config::ResponsePayload;
use super::skips::Skip;
use crate::command::attention::Attention;
use crate::command::computed::Computer;
use crate::command::input::{FieldValues, LookUp, Source, TextTemplate};
use crate::error::Error;
use crate::output::Diagnostics;
use crate::protocol::wire::Publish;
use crate::quotation::cut;

/// Makes the payloads of responses, except those computed by commands.
pub(super) enum ResponsePayloads<'a> {
    /// The payload of the request.
    Requests,
    /// One payload for all.
    Fixed(Bytes),
    /// A template filled in for each.
    Filled(Box<ResponseFiller>),
    /// A program computes each.
    Computed(Box<Computer<'a>>),
}

impl<'a> ResponsePayloads<'a> {
    /// Prepares the payloads.
    ///
    /// # Errors
    /// A payload that cannot be read, or is not a valid template; a signal or the timeout.
    pub(super) async fn new(
        answer: &ResponsePayload,
        attention: &mut Attention,
        diagnostics: &'a Diagnostics,
    ) -> Result<Self, Error> {
        let (source, environment) = match answer {
            ResponsePayload::Echo | ResponsePayload::Command(_) => return Ok(Self::Requests),
            ResponsePayload::Program(program) => {
                return Ok(Self::Computed(Box::new(Computer::new(program.clone(), diagnostics)?)));
            }
            ResponsePayload::Fixed(source) => (source, None),
            ResponsePayload::Filled(source, environment) => (source, Some(*environment)),
        };
        source.announce(diagnostics);
        let payload = source.payload_in_time(attention).await?.unwrap_or_default();
        Ok(match environment {
            None => Self::Fixed(payload.into()),
            Some(environment) => {
                // The author of standard input may not be allowed to read the environment.
                let environment = Some(environment).filter(|_| !matches!(source, Source::Stdin));
                Self::Filled(Box::new(ResponseFiller::new(&payload, environment)?))
            }
        })
    }

    /// The payload of the response to the request with this number in the run, or why there is none.
    /// `payload_error` tells why the request's payload was not decoded.
    pub(super) fn payload(
        &mut self,
        (number, request): (u64, &Publish<'_>),
        payload_error: Option<&str>,
    ) -> Result<Bytes, (Skip, String)> {
        match self {
            Self::Requests => Ok(Bytes::copy_from_slice(request.payload)),
            Self::Fixed(payload) => Ok(payload.clone()),
            Self::Filled(filler) => filler.next_payload().map_err(|why| (Skip::Unfilled, format!(": {why}"))),
            Self::Computed(computer) => match computer.payload((number, request), payload_error) {
                Ok(payload) => payload.ok_or((Skip::NoResult, String::new())),
                Err(why) => Err((Skip::Failed, format!(": {}", cut(&why.to_string())))),
            },
        }
    }

    /// Whether a program makes them, which also sees requests that cannot be decoded.
    pub(super) fn are_computed(&self) -> bool {
        matches!(self, Self::Computed(_))
    }

    /// Whether programs have run so long that signals and timeouts have to be checked.
    pub(super) fn is_turn_over(&self) -> bool {
        matches!(self, Self::Computed(computer) if computer.is_turn_over())
    }

    /// Starts a new turn after these checks.
    pub(super) fn begin_turn(&mut self) {
        if let Self::Computed(computer) = self {
            computer.begin_turn();
        }
    }
}

/// Fills in a text for each response (`--template`).
pub(super) struct ResponseFiller {
    template: TextTemplate,
    values: FieldValues,
    /// The number of responses so far.
    count: u64,
    /// Its memory is reused once no response refers to it.
    buffer: BytesMut,
}

impl ResponseFiller {
    fn new(text: &[u8], environment: Option<LookUp>) -> Result<Self, Error> {
        let template = TextTemplate::parse(text, environment)
            .map_err(|why| Error::Input(format!("--template: {why}")))?;
        Ok(Self { template, values: FieldValues::new(None), count: 0, buffer: BytesMut::new() })
    }

    /// The next payload.
    ///
    /// # Errors
    /// The payload would be larger than any packet.
    fn next_payload(&mut self) -> Result<Bytes, String> {
        self.count += 1;
        self.values.start(self.count);
        self.buffer.clear();
        self.template.fill(&mut self.values, &mut self.buffer)?;
        Ok(self.buffer.split().freeze())
    }
}
