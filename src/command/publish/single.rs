//! The intake of payloads other than lines into the spool.

use std::ops::Range;

use super::encoding::{Encoding, encoded};
use super::filled::Filler;
use super::intake::{not_taken, too_large};
use crate::command::input::{Source, read_file};
use crate::error::Error;
use crate::storage::spool::{Envelope, Intake};

/// The payloads of a source other than lines; `payload` is that of a single message.
pub(super) fn payloads(
    source: &Source,
    payload: Option<Vec<u8>>,
) -> Box<dyn Iterator<Item = Result<Vec<u8>, Error>> + '_> {
    match source {
        Source::Files(files) => Box::new(files.iter().map(|file| read_file(file))),
        Source::Generated(payloads) => Box::new(std::iter::once(payloads.clone().next_payload())),
        _ => Box::new(payload.into_iter().map(Ok)),
    }
}

/// The processing of a payload.
pub(super) struct Fill<'a> {
    pub(super) filler: Option<&'a mut Filler>,
    pub(super) encode: Option<&'a Encoding>,
}

/// Takes in the messages of one payload, for these topics.
pub(super) fn take_in_one(
    intake: &mut Intake,
    envelopes: &[Envelope],
    topics: Range<usize>,
    fill: Fill<'_>,
    number: u64,
    payload: &[u8],
) -> Result<(), Error> {
    let first = topics.start;
    let envelopes = envelopes.get(topics).unwrap_or_default();
    intake.check_memory(payload.len(), envelopes.len())?;
    let is_added = if let Some(filler) = fill.filler {
        filler.add_to_each(intake, envelopes, first, number, payload, fill.encode)?
    } else {
        let payload = encoded(fill.encode, payload)?;
        intake.is_possible(payload.len())
            && envelopes.iter().all(|envelope| intake.add_as(envelope, &payload))
    };
    if !is_added {
        return Err(too_large(intake.packet_bytes(payload.len())));
    }
    while intake.waiting() > 0 {
        let taken = if intake.is_full() { Err(intake.no_room()) } else { intake.take_in() };
        taken.map_err(|error| match (intake.waiting(), envelopes.len()) {
            (_, 0 | 1) => not_taken(error, "the message was"),
            (left, copies) => not_taken(error, &format!("{left} of {copies} messages were")),
        })?;
    }
    Ok(())
}
