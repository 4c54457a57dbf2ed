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

/// Topics that are remembered. What is more begins anew.
const MOST_TOPICS: usize = 4096;

/// Texts that are filled in.
#[derive(Debug, Clone)]
pub struct Filling {
    /// In the order of the topics, whose names they are.
    pub topics: Vec<TextTemplate>,
    /// Looks up a variable of the environment.
    pub environment: LookUp,
    /// Of random values.
    pub seed: Option<u64>,
}

/// Fills in topics and payloads.
pub(super) struct Filler {
    values: FieldValues,
    topics: Vec<TextTemplate>,
    payload: PayloadFilling,
    /// Filled in and handed on; its memory is used again once nobody holds a part of it.
    buffer: BytesMut,
    name: BytesMut,
    /// By the topic as it was filled in.
    known: HashMap<Box<str>, Arc<PublishTemplate>>,
}

/// How payloads are filled in.
pub(super) enum PayloadFilling {
    /// All from this text.
    Known(TextTemplate),
    /// Each input is a text of its own, and variables of the environment are looked up so, if they are.
    Input(Option<LookUp>),
    /// Not at all.
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

    /// The payload of the input with this number, from 1; its topics follow.
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

    /// The topic at this place for that input.
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

    /// What messages to that topic share.
    pub(super) fn template(
        &mut self,
        place: usize,
        make: impl FnOnce(&str) -> Arc<PublishTemplate>,
    ) -> Result<Arc<PublishTemplate>, Error> {
        self.topic(place)?;
        // It was checked.
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

    /// A new link may speak another version.
    pub(super) fn forget(&mut self) {
        self.known.clear();
    }

    /// Adds a message to each topic to a spool, of which the first is at this place. `false`: no packet is that large.
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
