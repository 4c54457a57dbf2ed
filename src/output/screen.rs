//! The terminal that progress is drawn on. Other than indicatif's own it leaves the cursor right
//! behind the text: what the terminal shows by itself there, such as `^C`, stands on the same line and
//! goes with it, where behind a line filled up with spaces it would push the display up for good.

use std::io::{self, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};

use indicatif::TermLike;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::terminal::{columns, is_in_foreground, rows};

/// What is assumed where the terminal does not say.
const USUAL_COLUMNS: u16 = 80;
const USUAL_ROWS: u16 = 24;

/// Columns and rows of standard error.
pub(super) fn size() -> (u16, u16) {
    (columns(io::stderr()).unwrap_or(USUAL_COLUMNS), rows(io::stderr()).unwrap_or(USUAL_ROWS))
}

/// Whether standard error takes output at once. A run must not wait for a reader that has stopped reading
/// there (Ctrl-S, a pipe that is full) only to show how far it is.
pub(super) fn takes_drawing() -> bool {
    let stderr = io::stderr();
    let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
    // Where the system does not say, it is written to.
    !matches!(poll(&mut [PollFd::new(&stderr, PollFlags::OUT)], Some(&at_once)), Ok(0))
}

/// Standard error, written to once for each drawing.
#[derive(Debug, Default)]
pub(super) struct Screen {
    drawing: Mutex<Drawing>,
}

#[derive(Debug, Default)]
struct Drawing {
    text: String,
    /// A line is complete, and none has followed yet.
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

    /// A control sequence with a number (ECMA-48); none moves by nothing.
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
        // Spaces alone, or none, fill up a line, and so lead to the next. The rest of the line was cleared before.
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
        // The terminal belongs to another program while this one runs in the background.
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
