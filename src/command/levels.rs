//! `mqtt levels`.

use crate::command::{Invocation, Running};
use crate::exit::Exit;
use crate::output::{Diagnostics, Stdout, Verbosity};

/// A checked command line of `mqtt levels`.
#[derive(Debug, Clone)]
pub struct Config {
    /// The topic.
    pub topic: String,
    /// What is said on standard error.
    pub verbosity: Verbosity,
}

impl Invocation for Config {
    fn verbosity(&self) -> Verbosity {
        self.verbosity
    }

    fn run(self: Box<Self>, _: &Diagnostics) -> Running<'_> {
        Box::pin(async move {
            let mut stdout = Stdout::new();
            let levels = self.topic.split('/').count();
            stdout.buffer().extend_from_slice(format!("{levels}\n").as_bytes());
            stdout.flush().await?;
            Ok(Exit::Success)
        })
    }
}
