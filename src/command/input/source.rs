//! Sources of payloads: the command line, a file or standard input.

use std::fs::File;
use std::io::{ErrorKind, IsTerminal as _, Stdin};
use std::path::{Path, PathBuf};

use super::generated::GeneratedPayloads;
use super::records::{RecordOptions, TopicLines};
use crate::command::attention::Attention;
use crate::error::{Denial, Error};
use crate::file::read_all;
use crate::output::Diagnostics;
use crate::platform::files::{check_readable, stdin_was_closed};
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::LARGEST_PACKET_BYTES;

/// A source of payloads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// One message with this payload (`-m`).
    Message(Vec<u8>),
    /// One message with the content of a file (`-f`).
    File(PathBuf),
    /// One message with the content of each of several files (`-f`, repeated).
    Files(Vec<PathBuf>),
    /// Messages with random bytes (`--size`).
    Generated(GeneratedPayloads),
    /// One message with all of standard input (`-s`).
    Stdin,
    /// One message per line of standard input (`-l`).
    StdinLines,
    /// One message per line of standard input, to the topic at the start of the line (`--topic-from-line`).
    TopicLines(TopicLines),
    /// One message per line of standard input, each the record of a message (`--json`).
    Records(RecordOptions),
    /// One message without a payload (`-n`).
    Null,
    /// No new messages, only those in the spool (`--spool` alone).
    Spool,
}

impl Source {
    /// Whether each line of standard input is a message.
    #[must_use]
    pub fn is_lines(&self) -> bool {
        matches!(self, Self::StdinLines | Self::TopicLines(_) | Self::Records(_))
    }

    /// Whether each line of standard input is the record of a message.
    #[must_use]
    pub fn is_records(&self) -> bool {
        matches!(self, Self::Records(_))
    }

    /// Tells the user how to end typed input: on a terminal nothing else shows that the program waits for it.
    pub(in crate::command) fn announce(&self, diagnostics: &Diagnostics) {
        let text = match self {
            Self::Stdin => "reading the message from the terminal; Ctrl-D on an empty line ends it",
            Self::StdinLines | Self::TopicLines(_) | Self::Records(_) => {
                "reading a message a line from the terminal; Ctrl-D on an empty line ends"
            }
            Self::Message(_)
            | Self::Null
            | Self::File(_)
            | Self::Files(_)
            | Self::Generated(_)
            | Self::Spool => return,
        };
        if diagnostics.is_interactive() && std::io::stdin().is_terminal() {
            diagnostics.state(text);
        }
    }

    /// Checks files that will be read later.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub(in crate::command) fn check(&self) -> Result<(), Error> {
        let Self::Files(files) = self else { return Ok(()) };
        for file in files {
            let is_readable = check_readable(file)
                .and_then(|()| if file.is_dir() { Err(ErrorKind::IsADirectory.into()) } else { Ok(()) });
            is_readable.map_err(|error| cannot_read(file, error))?;
        }
        Ok(())
    }

    /// The payload, if the source is a single message.
    ///
    /// # Errors
    /// A file or standard input that cannot be read.
    pub(crate) fn payload(&self) -> Result<Option<Vec<u8>>, Error> {
        Ok(match self {
            Self::Message(payload) => Some(payload.clone()),
            Self::Null => Some(Vec::new()),
            Self::File(path) => Some(read_file(path)?),
            Self::Stdin => Some(read_stdin()?),
            Self::Files(_)
            | Self::Generated(_)
            | Self::StdinLines
            | Self::TopicLines(_)
            | Self::Records(_)
            | Self::Spool => None,
        })
    }

    /// Like [`Source::payload`], until a signal or the timeout: a file may be a pipe.
    ///
    /// # Errors
    /// Also a signal or the timeout.
    pub(in crate::command) async fn payload_in_time(
        &self,
        attention: &mut Attention,
    ) -> Result<Option<Vec<u8>>, Error> {
        if matches!(self, Self::Message(_) | Self::Null | Self::Files(_) | Self::Generated(_)) {
            return self.payload();
        }
        let source = self.clone();
        attention.blocking(move || source.payload()).await
    }
}

/// Reads the payload of a message.
///
/// # Errors
/// The file cannot be read, or is larger than any packet.
pub(in crate::command) fn read_file(path: &Path) -> Result<Vec<u8>, Error> {
    let read = || {
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let expected = if metadata.is_file() { metadata.len() } else { 0 };
        if expected > u64::from(LARGEST_PACKET_BYTES) {
            return Ok(None);
        }
        read_all(file, LARGEST_PACKET_BYTES as usize, usize::try_from(expected).unwrap_or(0))
    };
    match read() {
        Ok(payload) => payload.ok_or_else(|| too_long(&path.display().to_string())),
        Err(error) => Err(cannot_read(path, error)),
    }
}

fn cannot_read(path: &Path, error: std::io::Error) -> Error {
    let error = Error::file(format!("cannot read {}", path.display()), error);
    let is_dash = path == Path::new("-");
    if is_dash { error.with_hint("-s reads the payload from standard input") } else { error }
}

/// The error for a source larger than any packet.
fn too_long(source: &str) -> Error {
    Error::Refused {
        what: "publish not sent".into(),
        denial: Denial::default(),
        reason: ReasonCode::PACKET_TOO_LARGE,
        text: Some(format!(
            "{source} is larger than the largest packet of MQTT, {LARGEST_PACKET_BYTES} bytes"
        )),
        hint: None,
    }
}

/// Standard input, if the program was given one. A closed input must not become an empty message.
pub(in crate::command) fn stdin() -> Result<Stdin, Error> {
    if stdin_was_closed().map_err(|error| Error::file("standard input", error))? {
        let closed = std::io::Error::new(ErrorKind::NotFound, "it is closed");
        return Err(Error::file("cannot read standard input", closed)
            .with_hint("-n publishes an empty message, and so does -s </dev/null"));
    }
    Ok(std::io::stdin())
}

fn read_stdin() -> Result<Vec<u8>, Error> {
    match read_all(stdin()?.lock(), LARGEST_PACKET_BYTES as usize, 0) {
        Ok(payload) => payload.ok_or_else(|| too_long("standard input")),
        Err(error) => Err(Error::file("cannot read standard input", error)),
    }
}
