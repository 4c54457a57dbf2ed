//! What a run writes to standard output.

use super::super::attention::Attention;
use crate::error::Error;
use crate::output::{Diagnostics, Stdout};

/// Size of the parts in which the list is written, in bytes.
const LIST_BYTES: usize = 64 * 1024;

/// Writes to standard output. A reader that leaves does not end the run, whose purpose is the clearing and
/// its exit status.
#[derive(Default)]
pub(super) struct Listing {
    pub(super) stdout: Stdout,
    pub(super) is_closed: bool,
}

impl Listing {
    /// Adds a line; waits for the reader now and then.
    pub(super) async fn put(
        &mut self,
        line: &str,
        attention: &mut Attention,
        diagnostics: &Diagnostics,
    ) -> Result<(), Error> {
        self.stdout.buffer().extend_from_slice(line.as_bytes());
        self.stdout.buffer().push(b'\n');
        self.flush_if_large(attention, diagnostics).await
    }

    /// Waits for the reader if much is pending.
    pub(super) async fn flush_if_large(
        &mut self,
        attention: &mut Attention,
        diagnostics: &Diagnostics,
    ) -> Result<(), Error> {
        if self.stdout.waiting_bytes() > LIST_BYTES {
            self.flush(attention, diagnostics).await
        } else {
            Ok(())
        }
    }

    /// Waits until everything is written; only briefly once a signal was received.
    pub(super) async fn flush(
        &mut self,
        attention: &mut Attention,
        diagnostics: &Diagnostics,
    ) -> Result<(), Error> {
        if !self.is_closed {
            match attention.write_out(&mut self.stdout, diagnostics).await {
                Err(Error::OutputClosed) => self.is_closed = true,
                result => return result,
            }
        }
        self.stdout = Stdout::new(); // discards unread output
        Ok(())
    }
}
