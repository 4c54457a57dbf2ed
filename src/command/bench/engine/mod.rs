//! A thread of the load: its runtime, with the worker as its one task, and the final report, which it always
//! sends.
//!
//! | file | contents |
//! |---|---|
//! | `fleet` | data shared by all threads: groups of clients, and their connection options |
//! | `message` | the payload of a message |
//! | `shared` | the state of all threads, the messages between them, and the common data of a group's clients
//! on a thread |
//! | `absences` | clients between their DISCONNECT and their next connection |
//! | `worker`, `crew`, `wake` | one thread: its loop; its clients by group, and their send times; its wakers
//! |
//! | `client`, `in_flight`, `requests` | one client, from CONNECT to the end of its connection; its turns; its
//! unacknowledged messages; its requests without a response |

mod absences;
mod client;
mod crew;
pub(super) mod fleet;
mod in_flight;
pub(super) mod message;
mod requests;
pub(super) mod shared;
pub(super) mod wake;
mod worker;

use std::sync::Arc;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender};

use self::fleet::Fleet;
use self::shared::{Board, News, Order};
use self::worker::Worker;
use crate::error::Error;

/// Runs a thread's part until it ends.
pub(crate) fn run(
    fleet: &Arc<Fleet>,
    thread: u32,
    orders: UnboundedReceiver<Order>,
    news: &UnboundedSender<News>,
    board: Arc<Board>,
) {
    let mut final_report = FinalReport { news: news.clone(), said: false };
    let outcome = runtime().and_then(|runtime| {
        let entered = runtime.enter();
        let mut worker = Worker::new(fleet, thread, orders, news.clone(), board)?;
        drop(entered);
        // As a task instead of the runtime's main future: a task is woken without a system call.
        let task = runtime.spawn(async move {
            let work = std::future::poll_fn(|cx| worker.poll(cx));
            // The loop itself limits its work; the runtime must not interrupt its reads.
            tokio::task::unconstrained(work).await;
            worker.finish()
        });
        runtime.block_on(task).map_err(|error| Error::file("a thread failed", error.into()))
    });
    final_report.say(match outcome {
        Ok(recorders) => News::Finished(recorders),
        Err(error) => News::Failed(error),
    });
}

fn runtime() -> Result<tokio::runtime::Runtime, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Error::file("cannot start a runtime", error))
}

/// Sends the final report even if the thread panics: the director must not wait for a thread that is gone.
struct FinalReport {
    news: UnboundedSender<News>,
    said: bool,
}

impl FinalReport {
    fn say(&mut self, news: News) {
        self.said = true;
        let _ = self.news.send(news);
    }
}

impl Drop for FinalReport {
    fn drop(&mut self) {
        if !self.said {
            self.say(News::Failed(Error::file("a thread failed", std::io::Error::other("it panicked"))));
        }
    }
}
