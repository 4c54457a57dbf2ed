//! `pub --template`: topics and payloads that are filled in for each message.

use std::collections::HashMap;
use std::fmt::Display;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};

use super::encoding::Encoding;
use crate::command::input::{FieldValues, LookUp, TextTemplate};
use crate::error::Error;
use crate::protocol::topic;
use crate::protocol::wire::PublishTemplate;
use crate::quotation::shown;
use crate::storage::spool::{Envelope, Intake};

/// Maximum number of cached topics. When the cache is full it is cleared.
const MOST_TOPICS: usize = 4096;

/// Texts that are filled in.
#[derive(Debug, Clone)]
pub struct Filling {
    /// The templates of the topics, in order.
    pub topics: Vec<TextTemplate>,
    /// The template of the payload of records that have none.
    pub payload: Option<TextTemplate>,
    /// Looks up an environment variable.
    pub environment: LookUp,
    /// The seed of random values.
    pub seed: Option<u64>,
}

/// Fills in topics and payloads.
pub(super) struct Filler {
    values: FieldValues,
    topics: Vec<TextTemplate>,
    payload: PayloadFilling,
    /// Filled in and handed on; its memory is reused once no payload refers to it.
    buffer: BytesMut,
    name: BytesMut,
    /// The cache, by the filled-in topic.
    known: HashMap<Box<str>, Arc<PublishTemplate>>,
}

/// The filling of payloads.
pub(super) enum PayloadFilling {
    /// All payloads are made from this text.
    Known(TextTemplate),
    /// Each input is a template of its own, with this look-up of environment variables, if any.
    Input(Option<LookUp>),
    /// Payloads are not filled in.
    Plain,
}

impl Filler {
    pub(super) fn new(filling: &Filling, payload: PayloadFilling) -> Self {
        Self {
            values: FieldValues::new(filling.seed),
            topics: filling.topics.clone(),
            payload,
            buffer: BytesMut::new(),
            name: BytesMut::new(),
            known: HashMap::new(),
        }
    }

    /// The payload of the input with this number, from 1; its topics are filled in afterwards.
    pub(super) fn payload(&mut self, number: u64, input: &[u8]) -> Result<Bytes, Error> {
        self.values.start(number);
        self.buffer.clear();
        let wrong = |why| Error::Input(format!("--template: {why}"));
        match &self.payload {
            PayloadFilling::Known(payload) => {
                payload.fill(&mut self.values, &mut self.buffer).map_err(wrong)?;
            }
            PayloadFilling::Input(None) => {
                self.values.fill_in(input, &mut self.buffer).map_err(wrong)?;
            }
            PayloadFilling::Input(environment) => {
                TextTemplate::parse(input, *environment)
                    .map_err(wrong)?
                    .fill(&mut self.values, &mut self.buffer)
                    .map_err(wrong)?;
            }
            PayloadFilling::Plain => self.buffer.extend_from_slice(input),
        }
        Ok(self.buffer.split().freeze())
    }

    /// The topic at this index for the current input.
    fn topic(&mut self, place: usize) -> Result<&str, Error> {
        self.name.clear();
        if let Some(topic) = self.topics.get(place) {
            topic
                .fill(&mut self.values, &mut self.name)
                .map_err(|why| Error::Input(format!("--template: {why}")))?;
        }
        let wrong =
            |why: &dyn Display| Error::Input(format!("topic '{}' (--template): {why}", shown(&self.name)));
        let name = topic::check_name(&self.name).map_err(|why| wrong(&why))?;
        match topic::unwelcome(name) {
            Some(why) => Err(wrong(&why)),
            None => Ok(name),
        }
    }

    /// The shared part of messages to this topic.
    pub(super) fn template(
        &mut self,
        place: usize,
        make: impl FnOnce(&str) -> Arc<PublishTemplate>,
    ) -> Result<Arc<PublishTemplate>, Error> {
        self.topic(place)?;
        // The name was checked.
        let name = std::str::from_utf8(&self.name).unwrap_or_default();
        if let Some(template) = self.known.get(name) {
            return Ok(Arc::clone(template));
        }
        if self.known.len() == MOST_TOPICS {
            self.known.clear();
        }
        let template = make(name);
        self.known.insert(name.into(), Arc::clone(&template));
        Ok(template)
    }

    /// Clears the cache: a new link may use another version.
    pub(super) fn forget(&mut self) {
        self.known.clear();
    }

    /// Adds a message for each topic, from this index on, to a spool. `false`: a packet would be too large.
    pub(super) fn add_to_each(
        &mut self,
        intake: &mut Intake,
        envelopes: &[Envelope],
        first: usize,
        number: u64,
        input: &[u8],
        encode: Option<&Encoding>,
    ) -> Result<bool, Error> {
        let payload = self.payload(number, input)?;
        let payload =
            encode.map_or(Ok(payload.clone()), |encode| encode.encoded(&payload).map(Bytes::from))?;
        for (place, envelope) in envelopes.iter().enumerate() {
            let envelope = Envelope { topic: self.topic(first + place)?.to_owned(), ..envelope.clone() };
            if !intake.add_as(&envelope, &payload) {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
