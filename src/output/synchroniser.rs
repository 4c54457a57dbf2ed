//! Synchronises a file to the disk some time after a write, in a thread.

use std::fs::File;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::thread::{NoThread, start};

/// A thread that synchronises; it ends when this is dropped.
#[derive(Debug)]
pub(super) struct Synchroniser(Arc<SharedSynchroniser>);

#[derive(Debug, Default)]
struct SharedSynchroniser {
    state: Mutex<SynchroniserState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct SynchroniserState {
    /// The file with changes that are not synchronised.
    file: Option<Arc<File>>,
    failure: Option<io::Error>,
    is_over: bool,
}

impl SharedSynchroniser {
    fn state(&self) -> MutexGuard<'_, SynchroniserState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Synchroniser {
    /// Starts the thread; it synchronises changes of this age.
    ///
    /// # Errors
    /// The system refuses the thread.
    pub(super) fn start(age: Duration) -> Result<Self, NoThread> {
        let shared = Arc::<SharedSynchroniser>::default();
        let ours = Arc::clone(&shared);
        start("fsync", move || {
            loop {
                let state =
                    ours.changed.wait_while(ours.state(), |state| state.file.is_none() && !state.is_over);
                let state = state.unwrap_or_else(PoisonError::into_inner);
                let wait = ours.changed.wait_timeout_while(state, age, |state| !state.is_over);
                let mut state = wait.unwrap_or_else(PoisonError::into_inner).0;
                if state.is_over {
                    return;
                }
                let Some(file) = state.file.take() else { continue };
                drop(state);
                if let Err(error) = file.sync_data() {
                    ours.state().failure = Some(error);
                    ours.changed.notify_all();
                }
            }
        })?;
        Ok(Self(shared))
    }

    /// Reports a write to the file.
    ///
    /// # Errors
    /// An earlier change could not be synchronised.
    pub(super) fn written(&self, file: &Arc<File>) -> io::Result<()> {
        let mut state = self.0.state();
        if let Some(failure) = state.failure.take() {
            return Err(failure);
        }
        if state.file.is_none() {
            state.file = Some(Arc::clone(file));
            self.0.changed.notify_all();
        }
        Ok(())
    }
}

impl Drop for Synchroniser {
    fn drop(&mut self) {
        self.0.state().is_over = true;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::OwnedFd;

    /// A pipe cannot be synchronised.
    #[test]
    fn failure_is_reported_at_the_next_write() {
        let synchroniser = Synchroniser::start(Duration::from_millis(1)).unwrap();
        let (_reader, writer) = io::pipe().unwrap();
        let pipe = Arc::new(File::from(OwnedFd::from(writer)));
        synchroniser.written(&pipe).unwrap();
        let state = synchroniser.0.state();
        drop(synchroniser.0.changed.wait_while(state, |state| state.failure.is_none()).unwrap());
        assert_eq!(synchroniser.written(&pipe).unwrap_err().kind(), io::ErrorKind::InvalidInput);
        synchroniser.written(&Arc::new(tempfile::tempfile().unwrap())).unwrap();
    }
}
