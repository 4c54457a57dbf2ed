//! Warnings about messages that do not fit the format of the output.

use std::mem::{Discriminant, discriminant};

use super::Diagnostics;
use super::record::Misfit;
use crate::quotation::cut;

/// The kinds of misfit that were reported: each is reported once per run, since a format that does not fit one
/// message usually fits none.
#[derive(Debug, Default)]
pub struct MisfitWarnings(Vec<Discriminant<Misfit>>);

impl MisfitWarnings {
    /// Warns of a misfit of the message with this number in the run, to this topic, if it is the first of its kind.
    pub fn warn(&mut self, diagnostics: &Diagnostics, number: u64, topic: &[u8], misfit: &Misfit) {
        let kind = discriminant(misfit);
        if !self.0.contains(&kind) {
            self.0.push(kind);
            let topic = String::from_utf8_lossy(topic);
            let topic = cut(&topic);
            diagnostics.warning(format_args!("message {number} on '{topic}': {misfit} (shown only once)"));
        }
    }
}
