//! The wakers of a thread: the list of its clients that have work.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
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
    /// Whether the task waits. While it runs, it looks at the list itself: a wake-up would only bring it back
    /// to an empty one.
    waits: bool,
}

impl Ready {
    fn list(&self) -> MutexGuard<'_, List> {
        self.list.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The task runs: until [`Self::wait`] it is not woken.
    pub(crate) fn run(&self) {
        self.list().waits = false;
    }

    /// Takes the list and leaves an empty one.
    pub(crate) fn take(&self, empty: &mut Vec<u32>) {
        std::mem::swap(&mut self.list().clients, empty);
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.list().clients.is_empty()
    }

    /// From now on the task is woken, unless the list has clients; returns whether it has none.
    pub(crate) fn wait(&self, task: &Waker) -> bool {
        let mut list = self.list();
        if list.task.as_ref().is_none_or(|known| !known.will_wake(task)) {
            list.task = Some(task.clone());
        }
        list.waits = list.clients.is_empty();
        list.waits
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
        let mut list = self.ready.list();
        list.clients.push(self.client);
        // Once is enough: the task goes through the whole list.
        if std::mem::take(&mut list.waits)
            && let Some(task) = &list.task
        {
            task.wake_by_ref();
        }
    }
}
