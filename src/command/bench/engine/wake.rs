//! The wakers of a thread: the list of its clients that have work.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

/// The clients of a thread that have work. Each client has its own waker, which adds its number to a list;
/// the thread's one task goes through the list. A runtime does the same with tasks, but here clients need no
/// allocation for a task, and can share the data of their thread. Only this thread takes the lock, so it
/// never waits for it.
#[derive(Debug, Default)]
pub(crate) struct Ready {
    list: Mutex<List>,
}

#[derive(Debug, Default)]
struct List {
    clients: Vec<u32>,
    /// The waker of the thread's task.
    task: Option<Waker>,
}

impl Ready {
    /// The waker of the next client.
    pub(crate) fn register(&self, task: &Waker) {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        if list.task.as_ref().is_none_or(|known| !known.will_wake(task)) {
            list.task = Some(task.clone());
        }
    }

    /// Takes the list and leaves an empty one.
    pub(crate) fn take(&self, empty: &mut Vec<u32>) {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut list.clients, empty);
    }
}

/// The waker of one client.
#[derive(Debug)]
pub(crate) struct ClientWaker {
    client: u32,
    listed: AtomicBool,
    ready: Arc<Ready>,
}

impl ClientWaker {
    pub(crate) fn new(client: u32, ready: &Arc<Ready>) -> Arc<Self> {
        Arc::new(Self { client, listed: AtomicBool::new(false), ready: Arc::clone(ready) })
    }

    /// Must be called before the client's turn, so that events during it list the client again.
    pub(crate) fn unlist(&self) {
        self.listed.store(false, Ordering::Relaxed);
    }
}

impl Wake for ClientWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.listed.swap(true, Ordering::Relaxed) {
            return;
        }
        let mut list = self.ready.list.lock().unwrap_or_else(PoisonError::into_inner);
        list.clients.push(self.client);
        // Once is enough: the task goes through the whole list.
        if list.clients.len() == 1
            && let Some(task) = &list.task
        {
            task.wake_by_ref();
        }
    }
}
