//! Reads a password typed on the terminal without showing it.

use crate::error::Error;

/// Asks on the terminal itself, so that standard input and output remain free for data.
///
/// # Errors
/// There is no terminal, its input ends, or Ctrl-C was typed.
#[cfg(unix)]
pub fn read_password(question: &str) -> Result<Vec<u8>, Error> {
    use std::io::{Read as _, Write as _};

    use crate::platform::terminal::{EarlierKeys, KeyMode};
    use crate::signal::{Continuation, Interruption};

    const CANNOT_ASK: &str = "--password-prompt: cannot ask for the password";
    let failed = |error| Error::file(CANNOT_ASK, error);
    let mut terminal = std::fs::File::options().read(true).write(true).open("/dev/tty").map_err(failed)?;
    let before = KeyMode::of(&terminal).map_err(failed)?;
    // Ctrl-C arrives as a byte.
    let silent = before.clone().with_all_keys_unseen();
    // A signal must not end the program and leave the terminal without echo.
    let interruption = Interruption::catch().map_err(failed)?;
    let mut continuation = Continuation::catch().map_err(failed)?;
    silent.set(&terminal, EarlierKeys::Discarded).map_err(failed)?;
    let typed = terminal.write_all(question.as_bytes()).and_then(|()| {
        let mut line = TypedLine::default();
        loop {
            let has_key = wait(&terminal, &interruption, &continuation)?;
            if let Some(signal) = interruption.signal() {
                return Ok(Err(signal));
            }
            // After a stop the shell has used the terminal with its own modes.
            if continuation.happened() {
                silent.set(&terminal, EarlierKeys::Kept)?;
            }
            if !has_key {
                continue;
            }
            let mut byte = [0];
            if terminal.read(&mut byte)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(end) = line.typed(byte[0]) {
                return Ok(if end { Ok(line.text) } else { Err(signal_hook::consts::SIGINT) });
            }
        }
    });
    let restored = before.set(&terminal, EarlierKeys::Discarded);
    let _ = terminal.write_all(b"\n");
    restored.map_err(|error| Error::file("the terminal", error))?;
    typed.map_err(failed)?.map_err(Error::Signal)
}

/// Waits for a key or a signal; returns whether to read. Where the system cannot wait for a terminal, the
/// read blocks, and a signal is noticed after the next key.
#[cfg(unix)]
fn wait(
    terminal: &std::fs::File,
    interruption: &crate::signal::Interruption,
    continuation: &crate::signal::Continuation,
) -> std::io::Result<bool> {
    use crate::platform::readiness::{self, is_ready, to_read};

    let mut watched = [to_read(terminal), to_read(interruption.stream()), to_read(continuation.stream())];
    readiness::wait(&mut watched, None)?;
    Ok(is_ready(&watched[0]))
}

/// Asks on the terminal.
///
/// # Errors
/// Always: the terminal's echo cannot be disabled on this system.
#[cfg(not(unix))]
pub fn read_password(_: &str) -> Result<Vec<u8>, Error> {
    Err(Error::usage("--password-prompt is not supported on this system")
        .with_hint("--password-file, --password-command and MQTT_PASSWORD are"))
}

/// A line that is being typed.
#[cfg(unix)]
#[derive(Default)]
struct TypedLine {
    text: Vec<u8>,
}

#[cfg(unix)]
impl TypedLine {
    /// Processes a key. The end of the line is `Some(true)`, Ctrl-C `Some(false)`.
    fn typed(&mut self, byte: u8) -> Option<bool> {
        const INTERRUPT: u8 = 3;
        const END: u8 = 4;
        const BACKSPACE: u8 = 8;
        const CLEAR: u8 = 21;
        const DELETE: u8 = 127;
        match byte {
            b'\n' | b'\r' | END => return Some(true),
            INTERRUPT => return Some(false),
            BACKSPACE | DELETE => {
                // A character may have several bytes.
                while self.text.pop().is_some_and(|last| last & 0xc0 == 0x80) {}
            }
            CLEAR => self.text.clear(),
            byte => self.text.push(byte),
        }
        None
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use super::*;

    fn line(keys: &[u8]) -> (Option<bool>, String) {
        let mut line = TypedLine::default();
        let end = keys.iter().find_map(|key| line.typed(*key));
        (end, String::from_utf8(line.text).unwrap())
    }

    #[test]
    fn keys() {
        assert_eq!(line(b"secret\n"), (Some(true), "secret".into()));
        assert_eq!(line("abé\x7f\x08c\r".as_bytes()), (Some(true), "ac".into()));
        assert_eq!(line(b"wrong\x15right\n"), (Some(true), "right".into()));
        assert_eq!(line(b"ab\x03").0, Some(false));
        assert_eq!(line(b"\x7f\x7fa\x04"), (Some(true), "a".into()));
    }
}
