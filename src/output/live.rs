//! The progress of a long run: on a terminal a few lines that are updated, otherwise a line from time to time
//! on standard error, and nothing with `--quiet`.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use unicode_width::UnicodeWidthChar as _;

use super::screen::{Screen, size, takes_drawing};
use super::terminal::Environment;
use super::{Diagnostics, StandardStream, Tone, Verbosity};

/// Lines about the work in progress. Dropping it clears them from the screen.
#[derive(Debug)]
pub struct Live {
    shown: Shown,
}

#[derive(Debug)]
enum Shown {
    Nothing,
    /// Consecutive lines.
    Lines,
    /// One line that is updated, on a terminal that may not move its cursor further.
    Bar(ProgressBar),
    /// Several lines that are updated.
    Panel(ProgressBar, StandardStream),
}

/// A line of the display.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveLine {
    /// The text, without control characters.
    pub text: String,
    /// Its colour, where there are colours.
    pub look: LiveLook,
}

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LiveLook {
    /// Normal text.
    Plain,
    /// A heading.
    Strong,
    /// A verdict.
    Tone(Tone),
}

impl Live {
    /// Shows nothing until the first line.
    #[must_use]
    pub fn start(diagnostics: &Diagnostics) -> Self {
        let shown = if diagnostics.verbosity() == Verbosity::Quiet {
            Shown::Nothing
        } else if diagnostics.is_interactive() {
            let bar = ProgressBar::with_draw_target(
                None,
                ProgressDrawTarget::term_like(Box::new(Screen::default())),
            );
            let is_panel = !Environment::read().dumb;
            let template = if is_panel { "{msg}" } else { "{wide_msg}" };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            diagnostics.make_room_for(bar.clone());
            if is_panel { Shown::Panel(bar, diagnostics.terminal().stderr) } else { Shown::Bar(bar) }
        } else {
            Shown::Lines
        };
        Self { shown }
    }

    /// Whether several lines are updated, instead of one from time to time.
    #[must_use]
    pub fn is_panel(&self) -> bool {
        matches!(self.shown, Shown::Panel(..))
    }

    /// Updates the line, where there is only one.
    pub fn show(&self, diagnostics: &Diagnostics, line: &str) {
        match &self.shown {
            // The report contains lines that are not shown now.
            Shown::Lines if takes_drawing() => diagnostics.plain(line),
            Shown::Nothing | Shown::Lines | Shown::Panel(..) => {}
            Shown::Bar(bar) => bar.set_message(line.to_owned()),
        }
    }

    /// Updates the lines, where there are several: with one write, and as many of them as fit on the screen.
    pub fn draw(&self, lines: &[LiveLine]) {
        if let Shown::Panel(bar, stream) = &self.shown {
            let (columns, rows) = size();
            // The last row stays empty, so that the screen does not scroll.
            let rows = usize::from(rows.saturating_sub(1).max(1));
            let lines: Vec<String> =
                lines.iter().take(rows).map(|line| line.shown(columns.into(), *stream)).collect();
            bar.set_message(lines.join("\n"));
        }
    }

    /// Clears the lines from the screen.
    pub fn finish(&self) {
        if let Shown::Bar(bar) | Shown::Panel(bar, _) = &self.shown {
            bar.finish_and_clear();
        }
    }
}

impl LiveLine {
    /// The text cut to this number of columns.
    fn shown(&self, columns: usize, stream: StandardStream) -> String {
        let mut width = 0;
        let fits = |letter: &char| {
            width += letter.width().unwrap_or(0);
            width <= columns
        };
        let text: String = self.text.chars().take_while(fits).collect();
        match self.look {
            LiveLook::Plain => text,
            LiveLook::Strong => stream.paint(&text, colored::Colorize::bold),
            LiveLook::Tone(tone) => stream.verdict(&text, tone),
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_at_the_last_column_and_colored_afterwards() {
        let line = LiveLine { text: "errors ▁▂▃ 漢字".into(), look: LiveLook::Tone(Tone::Bad) };
        let plain = StandardStream { is_terminal: true, color: false };
        assert_eq!(line.shown(8, plain), "errors ▁");
        assert_eq!(line.shown(12, plain), "errors ▁▂▃ ", "half a letter does not fit");
        colored::control::set_override(true);
        let colored = StandardStream { color: true, ..plain };
        assert_eq!(line.shown(6, colored), "\u{1b}[1;31merrors\u{1b}[0m");
    }
}
