//! The confirmation that a run asks for on a terminal.

use std::io::{BufRead as _, IsTerminal as _};

use tokio::sync::oneshot;

use super::Diagnostics;
use crate::error::Error;
use crate::thread::start;

/// Whether the user can be asked: both standard input and standard error are a terminal.
#[must_use]
pub fn can_ask(diagnostics: &Diagnostics) -> bool {
    diagnostics.terminal().stderr.is_terminal && std::io::stdin().is_terminal()
}

/// Asks on standard error and waits for a line. Any answer but `y` or `yes` is a no, and so is the end of the
/// input. If the future is dropped, the reading thread still takes the line: use it once, before the end of a
/// run.
///
/// # Errors
/// The system refuses a thread.
pub async fn confirm(diagnostics: &Diagnostics, question: &str) -> Result<bool, Error> {
    let (answer, answered) = oneshot::channel();
    diagnostics.ask(&format!("{question} [y/N] "));
    let mut line = OpenLine(Some(diagnostics));
    // A separate thread, so that a signal ends the run while the question is open.
    start("answer", move || {
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line).is_ok();
        // There is no receiver if the run was interrupted.
        let _ = answer.send(if read { line } else { String::new() });
    })?;
    let answer = answered.await.unwrap_or_default();
    if answer.ends_with('\n') {
        line.0 = None;
    }
    Ok(is_yes(&answer))
}

/// The line of a question. Without an answer it is not ended, and the next output would continue it.
struct OpenLine<'a>(Option<&'a Diagnostics>);

impl Drop for OpenLine<'_> {
    fn drop(&mut self) {
        if let Some(diagnostics) = self.0 {
            diagnostics.plain("");
        }
    }
}

fn is_yes(line: &str) -> bool {
    matches!(line.trim().to_ascii_lowercase().as_str(), "y" | "yes")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_yes_is_yes() {
        for line in ["y\n", "Y", " yes \r\n", "YES\n"] {
            assert!(is_yes(line), "{line:?}");
        }
        for line in ["", "\n", "n\n", "yes please\n", "yy\n", "1\n"] {
            assert!(!is_yes(line), "{line:?}");
        }
    }
}
