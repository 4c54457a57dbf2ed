//! The messages still to be published.

use std::path::PathBuf;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::sync::mpsc;

use super::config::Config;
use super::{FOREVER, LONG_PAYLOAD_BYTES};
use crate::command::input::{GeneratedPayloads, Lines, NextInput, Source, read_file, stdin};
use crate::error::Error;
use crate::output::{Diagnostics, Progress};
use crate::thread::{NoThread, start};

/// The source of messages, one input after the other.
pub(super) enum PublishWork {
    Repeat { payload: Bytes, left: u64 },
    Generated { payloads: GeneratedPayloads, left: u64 },
    Files(mpsc::Receiver<Result<Bytes, Error>>),
    Lines(Lines),
}

impl PublishWork {
    /// `payload` is that of a single message.
    pub(super) fn new(config: &Config, payload: Option<Vec<u8>>) -> Result<Self, Error> {
        config.source.check()?;
        let left = config.repeat;
        Ok(match (&config.source, payload) {
            (_, Some(payload)) => Self::Repeat { payload: payload.into(), left },
            (Source::Generated(payloads), None) => Self::Generated { payloads: payloads.clone(), left },
            (Source::Files(files), None) => Self::Files(read_files(files.clone(), left)?),
            (Source::Records(options), None) => {
                Self::Lines(Lines::read_records(&stdin()?, config.terminator, options.rounds)?)
            }
            (source, None) if source.is_lines() => Self::Lines(Lines::read(stdin()?, config.terminator)?),
            (_, None) => Self::Repeat { payload: Bytes::new(), left: 0 },
        })
    }

    /// The next input.
    #[inline]
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<NextInput> {
        Poll::Ready(match self {
            Self::Lines(lines) => return lines.poll_next(cx),
            Self::Files(files) => match ready!(files.poll_recv(cx)) {
                Some(payload) => payload.map_or_else(NextInput::invalid, NextInput::Payload),
                None => NextInput::End,
            },
            Self::Repeat { left: 0, .. } | Self::Generated { left: 0, .. } => NextInput::End,
            Self::Repeat { payload, left } => {
                *left -= 1;
                NextInput::Payload(payload.clone())
            }
            Self::Generated { payloads, left } => {
                *left -= 1;
                payloads
                    .next_payload()
                    .map_or_else(NextInput::invalid, |payload| NextInput::Payload(payload.into()))
            }
        })
    }

    /// The error that ended the input.
    pub(super) fn take_failure(&mut self) -> Option<Error> {
        if let Self::Lines(lines) = self { lines.take_failure() } else { None }
    }

    /// Whether the end of the input is known.
    pub(super) fn is_over(&self) -> bool {
        match self {
            Self::Repeat { left, .. } | Self::Generated { left, .. } => *left == 0,
            Self::Files(files) => files.is_closed() && files.is_empty(),
            Self::Lines(_) => false,
        }
    }

    /// Whether all input is read, so that its end is near: sources other than lines always have one.
    pub(super) fn is_read(&mut self, cx: &mut Context<'_>) -> bool {
        if let Self::Lines(lines) = self { lines.poll_read(cx).is_ready() } else { true }
    }

    /// Whether it is one short message, which is sent before a user can interrupt it.
    pub(super) fn is_one_short_message(&self) -> bool {
        matches!(self, Self::Repeat { left: 1, payload } if payload.len() <= LONG_PAYLOAD_BYTES)
    }

    /// The progress display, if the work may take long.
    pub(super) fn progress(&self, config: &Config, diagnostics: &Diagnostics) -> Option<Progress> {
        match self {
            Self::Lines(lines) => Some(match lines.total_bytes() {
                Some(total) => Progress::input(diagnostics, total),
                None => Progress::lines(diagnostics),
            }),
            Self::Repeat { payload, left: 1 } if payload.len() > LONG_PAYLOAD_BYTES => {
                Some(Progress::bytes(diagnostics, (payload.len() * config.copies()) as u64))
            }
            Self::Repeat { .. } | Self::Generated { .. } | Self::Files(_) => None,
        }
    }

    /// Shows the number of finished messages.
    pub(super) fn show(&self, progress: &Progress, ended: u64) {
        if let Self::Lines(lines) = self {
            progress.set(if lines.total_bytes().is_some() { lines.position() } else { ended });
        }
    }
}

/// Reads files in a thread, one ahead, as a file may be a pipe. `repeat`: how often to read all of them.
fn read_files(files: Vec<PathBuf>, repeat: u64) -> Result<mpsc::Receiver<Result<Bytes, Error>>, NoThread> {
    let (sender, payloads) = mpsc::channel(1);
    start("input", move || {
        let mut left = repeat;
        while left > 0 {
            for file in &files {
                if sender.blocking_send(read_file(file).map(Bytes::from)).is_err() {
                    return;
                }
            }
            left = if left == FOREVER { left } else { left - 1 };
        }
    })?;
    Ok(payloads)
}
