//! The terminal of the live view: its mode, the typed keys, and stopping the process.
//!
//! Output goes through [`Stdout`] like all other output, and not through a ratatui backend, which would block
//! on a terminal that does not accept output; the view needs few functions of a terminal.

use std::io::{self, IsTerminal as _, Read as _, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use ratatui::buffer::Buffer;
use ratatui::style::Modifier;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use unicode_width::UnicodeWidthStr as _;

use crate::error::Error;
use crate::output::Stdout;
use crate::platform::descriptors::stdout;
use crate::platform::processes::stop_this;
use crate::platform::standard_output;
use crate::platform::terminal::{self, EarlierKeys, HAS_KEY_MODES, KeyMode};
use crate::signal::Stops;
use crate::thread::start;

/// Columns and rows if the terminal does not report them.
const USUAL_SIZE: (u16, u16) = (80, 24);
/// Larger than any screen: a wrong size, as a serial line may report, must not exhaust the memory.
const LARGEST_SIZE: (u16, u16) = (1000, 1000);
/// Switches to the alternate screen without a cursor, and back (xterm's private modes).
const ENTER: &[u8] = b"\x1b[?1049h\x1b[?25l\x1b[2J";
const LEAVE: &[u8] = b"\x1b[?25h\x1b[?1049l";

/// The earlier mode of the terminal while a view has it, for a process that ends at once.
static TAKEN: Mutex<Option<KeyMode>> = Mutex::new(None);

fn taken() -> MutexGuard<'static, Option<KeyMode>> {
    TAKEN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Restores the terminal if a view has it. For a process that ends at once, from any thread.
pub fn give_terminal_back() {
    if let Some(before) = taken().take() {
        set(&before);
        let _ = standard_output::write(LEAVE);
    }
}

/// Whether the view is possible: standard input and output are a terminal with control sequences.
#[must_use]
pub fn is_possible() -> bool {
    let is_dumb = std::env::var_os("TERM").is_none_or(|term| term.is_empty() || term == "dumb");
    HAS_KEY_MODES && !is_dumb && io::stdin().is_terminal() && stdout().is_terminal()
}

pub(super) fn size() -> (u16, u16) {
    let size = terminal::size(&stdout()).filter(|(x, y)| *x > 0 && *y > 0);
    size.map_or(USUAL_SIZE, |(x, y)| (x.min(LARGEST_SIZE.0), y.min(LARGEST_SIZE.1)))
}

/// Appends the changes that make the terminal show `next` instead of `drawn` (ECMA-48).
pub(super) fn put_changes(out: &mut Vec<u8>, drawn: &Buffer, next: &Buffer, all_anew: bool) {
    if all_anew {
        out.extend_from_slice(b"\x1b[0m\x1b[2J");
    }
    let (mut cursor, mut modifier) = (None, Modifier::empty());
    for (x, y, cell) in drawn.diff(next) {
        if cursor != Some((x, y)) {
            let _ = write!(out, "\x1b[{};{}H", y + 1, x + 1); // writing to memory cannot fail
        }
        if cell.modifier != modifier {
            modifier = cell.modifier;
            out.extend_from_slice(b"\x1b[0");
            for (one, code) in [(Modifier::BOLD, b";1"), (Modifier::DIM, b";2"), (Modifier::REVERSED, b";7")]
            {
                if modifier.contains(one) {
                    out.extend_from_slice(code);
                }
            }
            out.push(b'm');
        }
        out.extend_from_slice(cell.symbol().as_bytes());
        let columns = u16::try_from(cell.symbol().width()).unwrap_or(1);
        cursor = Some((x + columns, y));
    }
    if !modifier.is_empty() {
        out.extend_from_slice(b"\x1b[0m");
    }
}

/// A terminal that delivers each key immediately and does not echo it.
#[derive(Debug)]
pub(super) struct ViewScreen {
    /// The earlier mode.
    before: KeyMode,
    typed: UnboundedReceiver<Vec<u8>>,
    stops: Stops,
    /// Whether the process will be stopped once the terminal is restored.
    is_stopping: bool,
}

impl ViewScreen {
    pub(super) fn enter(out: &mut Vec<u8>) -> Result<Self, Error> {
        let failed = |error: io::Error| Error::file("the terminal", error);
        let before = KeyMode::of(&io::stdin()).map_err(failed)?;
        let stops = Stops::catch()?;
        restore_on_panic();
        let (sender, typed) = unbounded_channel();
        let read = move || {
            let mut bytes = [0; 256];
            // The thread is blocked in the system call when the program ends.
            while let Ok(count @ 1..) = io::stdin().read(&mut bytes) {
                if sender.send(bytes[..count].to_vec()).is_err() {
                    return;
                }
            }
        };
        start("keys", read)?;
        let screen = Self { before, typed, stops, is_stopping: false };
        screen.take(out);
        Ok(screen)
    }

    fn take(&self, out: &mut Vec<u8>) {
        *taken() = Some(self.before.clone());
        set(&self.before.clone().with_keys_unseen());
        out.extend_from_slice(ENTER);
    }

    /// The typed bytes.
    pub(super) fn poll_typed(&mut self, cx: &mut Context<'_>) -> Poll<Vec<u8>> {
        match ready!(self.typed.poll_recv(cx)) {
            Some(bytes) => Poll::Ready(bytes),
            None => Poll::Pending,
        }
    }

    /// Stops the process on Ctrl-Z, with the terminal restored. Ready when it continues.
    pub(super) fn poll_stopped(
        &mut self,
        cx: &mut Context<'_>,
        stdout: &mut Stdout,
    ) -> Poll<Result<(), Error>> {
        if !self.is_stopping {
            ready!(self.stops.poll(cx));
            self.is_stopping = true;
            stdout.buffer().extend_from_slice(LEAVE);
        }
        ready!(stdout.poll_flush(cx))?;
        self.is_stopping = false;
        *taken() = None;
        set(&self.before);
        // Execution continues here after SIGCONT.
        stop_this();
        self.take(stdout.buffer());
        Poll::Ready(Ok(()))
    }

    /// Restores the terminal and its earlier content.
    pub(super) fn leave(self, out: &mut Vec<u8>) {
        *taken() = None;
        set(&self.before);
        out.extend_from_slice(LEAVE);
    }
}

/// Errors are ignored, as there is no remedy.
fn set(mode: &KeyMode) {
    let _ = mode.set(&io::stdin(), EarlierKeys::Kept);
}

/// A panic ends the process immediately: the terminal is restored before the panic message is shown.
fn restore_on_panic() {
    let others = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        give_terminal_back();
        others(panic);
    }));
}
