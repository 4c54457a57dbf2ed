//! The terminal that shows progress. Unlike indicatif's own, it leaves the cursor directly after the text.
//! What the terminal echoes there, such as `^C`, is then on the same line and is cleared with it; after a
//! line padded with spaces the echo would push the display up.

use std::io::{self, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::TermLike;

use super::terminal::{columns, is_in_foreground, rows};
use crate::platform::readiness::{to_write, wait};

/// The number of columns if the terminal does not report it.
const USUAL_COLUMNS: u16 = 80;
const USUAL_ROWS: u16 = 24;

/// Columns and rows of standard error.
pub(super) fn size() -> (u16, u16) {
    (columns(io::stderr()).unwrap_or(USUAL_COLUMNS), rows(io::stderr()).unwrap_or(USUAL_ROWS))
}

/// Whether standard error accepts output immediately. A run must not wait for a stopped reader (Ctrl-S, a
/// full pipe) only to show its progress.
pub(super) fn takes_drawing() -> bool {
    // Where the system cannot tell, the output is written.
    wait(&mut [to_write(&io::stderr())], Some(Duration::ZERO)).unwrap_or(true)
}

/// Standard error, with one write per drawing.
#[derive(Debug, Default)]
pub(super) struct Screen {
    drawing: Mutex<Drawing>,
}

#[derive(Debug, Default)]
struct Drawing {
    text: String,
    /// Whether a line is complete and none has followed.
    is_at_end: bool,
}

impl Screen {
    fn drawing(&self) -> MutexGuard<'_, Drawing> {
        self.drawing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn put(&self, text: &str) {
        let mut drawing = self.drawing();
        if std::mem::take(&mut drawing.is_at_end) {
            drawing.text.push('\n');
        }
        drawing.text.push_str(text);
    }

    /// Appends a control sequence with a number (ECMA-48); with 0 it would move by one, so nothing is
    /// appended.
    fn control(&self, number: usize, function: char) {
        if number > 0 {
            self.put(&format!("\x1b[{number}{function}"));
        }
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        size().0
    }

    fn height(&self) -> u16 {
        size().1
    }

    fn move_cursor_up(&self, lines: usize) -> io::Result<()> {
        self.control(lines, 'A');
        Ok(())
    }

    fn move_cursor_down(&self, lines: usize) -> io::Result<()> {
        self.control(lines, 'B');
        Ok(())
    }

    fn move_cursor_right(&self, columns: usize) -> io::Result<()> {
        self.control(columns, 'C');
        Ok(())
    }

    fn move_cursor_left(&self, columns: usize) -> io::Result<()> {
        self.control(columns, 'D');
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.write_str(text)?;
        self.put("\n");
        Ok(())
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        // indicatif sends spaces, or an empty text, to fill the line before the next. The rest of the line
        // was cleared before.
        if text.bytes().all(|byte| byte == b' ') {
            self.drawing().is_at_end = true;
        } else {
            self.put(text);
        }
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.put("\r\x1b[2K");
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        let drawing = std::mem::take(&mut *self.drawing()).text;
        // While this program runs in the background, the terminal belongs to another one.
        if is_in_foreground() && takes_drawing() {
            io::stderr().write_all(drawing.as_bytes())
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursor_stays_after_the_text() {
        let screen = Screen::default();
        screen.move_cursor_up(0).unwrap();
        screen.clear_line().unwrap();
        screen.write_str("1 of 2").unwrap();
        screen.write_str("      ").unwrap();
        assert_eq!(screen.drawing().text, "\r\x1b[2K1 of 2");
    }

    #[test]
    fn each_line_is_followed_by_one_line_end_but_the_last() {
        let screen = Screen::default();
        // As indicatif draws: a line, and spaces up to the width.
        for text in ["first", "   ", "as wide as the screen", "", "last", " "] {
            screen.write_str(text).unwrap();
        }
        assert_eq!(screen.drawing().text, "first\nas wide as the screen\nlast");
    }
}
