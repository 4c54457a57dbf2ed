//! The progress of a long run: on a terminal one line that changes, else a line from time to time on
//! standard error, and with `--quiet` nothing.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::screen::{Screen, takes_drawing};
use super::{Diagnostics, Verbosity};

/// A line about the work under way. Gone from the screen when it is dropped.
#[derive(Debug)]
pub struct Live {
    shown: Shown,
}

#[derive(Debug)]
enum Shown {
    Nothing,
    /// Lines, one below the other.
    Lines,
    Bar(ProgressBar),
}

impl Live {
    /// Nothing is shown until there is a line.
    #[must_use]
    pub fn start(diagnostics: &Diagnostics) -> Self {
        let shown = if diagnostics.verbosity() == Verbosity::Quiet {
            Shown::Nothing
        } else if diagnostics.is_interactive() {
            let bar = ProgressBar::with_draw_target(
                None,
                ProgressDrawTarget::term_like(Box::new(Screen::default())),
            );
            if let Ok(style) = ProgressStyle::with_template("{wide_msg}") {
                bar.set_style(style);
            }
            diagnostics.make_room_for(bar.clone());
            Shown::Bar(bar)
        } else {
            Shown::Lines
        };
        Self { shown }
    }

    /// The line as it is now.
    pub fn show(&self, diagnostics: &Diagnostics, line: &str) {
        match &self.shown {
            // The report has those that are not shown.
            Shown::Lines if takes_drawing() => diagnostics.plain(line),
            Shown::Nothing | Shown::Lines => {}
            Shown::Bar(bar) => {
                bar.set_message(line.to_owned());
                bar.tick();
            }
        }
    }

    /// Takes the line off the screen.
    pub fn finish(&self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.finish();
    }
}
