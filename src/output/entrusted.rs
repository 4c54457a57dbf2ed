//! Output that waits while the thread that writes it is busy with work that may never end. If it does not, another
//! thread writes the output before it ends the process.

use std::fs::File;
use std::io::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::stdout::LAST_FLUSH_LIMIT;
use crate::platform::standard_output::write_within;

/// Output in the care of another thread, from [`super::Stdout::entrust`] to [`super::Stdout::take_back`].
#[derive(Debug, Clone, Default)]
pub struct EntrustedOutput(Arc<Mutex<WaitingOutput>>);

#[derive(Debug, Default)]
struct WaitingOutput {
    bytes: Vec<u8>,
    /// How much of it was written.
    written: usize,
    /// The file that it is for, instead of standard output.
    file: Option<Arc<File>>,
}

impl EntrustedOutput {
    fn waiting(&self) -> MutexGuard<'_, WaitingOutput> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes care of output, of which the first `written` bytes were written.
    pub(super) fn put(&self, bytes: Vec<u8>, written: usize, file: Option<Arc<File>>) {
        *self.waiting() = WaitingOutput { bytes, written, file };
    }

    /// Gives the output back.
    pub(super) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.waiting()).bytes
    }

    /// Writes the output in a process that ends afterwards. Its owner can no longer take it back: a thread that
    /// tries to waits for the end.
    ///
    /// # Errors
    /// The system's error; [`io::ErrorKind::TimedOut`] if the reader of standard output stalls.
    pub fn write_at_end(&self) -> io::Result<()> {
        let waiting = self.waiting();
        let rest = waiting.bytes.get(waiting.written..).unwrap_or_default();
        let result = match &waiting.file {
            Some(file) => (&**file).write_all(rest),
            None => write_within(rest, LAST_FLUSH_LIMIT),
        };
        std::mem::forget(waiting);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Seek as _};

    #[test]
    fn rest_of_the_output_is_written() {
        let mut file = tempfile::tempfile().unwrap();
        let output = EntrustedOutput::default();
        let ours = Arc::new(file.try_clone().unwrap());
        output.put(b"one\n".to_vec(), 0, Some(Arc::clone(&ours)));
        assert_eq!(output.take(), b"one\n");
        output.put(b"one\ntwo\n".to_vec(), 4, Some(ours));
        output.clone().write_at_end().unwrap();
        assert!(output.0.try_lock().is_err(), "it is not written again");
        let mut written = String::new();
        file.rewind().unwrap();
        file.read_to_string(&mut written).unwrap();
        assert_eq!(written, "two\n");
    }
}
