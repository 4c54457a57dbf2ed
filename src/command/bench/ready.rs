//! Which clients of a thread have something to do. Each client has a waker of its own that puts
//! its number on a list; the thread's one task goes through the list. That is what a runtime does
//! with tasks, but clients need no allocation for a task each, and can share what is the thread's.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

/// The list. Its lock is only ever taken by the one thread, and so is never waited for.
#[derive(Debug, Default)]
pub(super) struct Ready {
    list: Mutex<List>,
}

#[derive(Debug, Default)]
struct List {
    clients: Vec<u32>,
    /// Of the thread's task.
    task: Option<Waker>,
}

impl Ready {
    /// Who is woken for the next client.
    pub(super) fn register(&self, task: &Waker) {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        if list.task.as_ref().is_none_or(|known| !known.will_wake(task)) {
            list.task = Some(task.clone());
        }
    }

    /// Takes the list in exchange for an empty one.
    pub(super) fn take(&self, empty: &mut Vec<u32>) {
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut list.clients, empty);
    }
}

/// The waker of one client.
#[derive(Debug)]
pub(super) struct ClientWaker {
    client: u32,
    listed: AtomicBool,
    ready: Arc<Ready>,
}

impl ClientWaker {
    pub(super) fn new(client: u32, ready: &Arc<Ready>) -> Arc<Self> {
        Arc::new(Self { client, listed: AtomicBool::new(false), ready: Arc::clone(ready) })
    }

    /// To be called before the client's turn: what happens in it lists the client again.
    pub(super) fn unlist(&self) {
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
