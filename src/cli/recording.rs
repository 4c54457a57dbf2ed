//! The options of `sub` for the file of `--output`.

use std::time::Duration;

use super::value;
use crate::error::Error;
use crate::output::{FileOptions, Rotation, Synchronisation};

/// The options for files of messages.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Output")]
pub(super) struct RecordingArgs {
    /// Begin a new file when FILE would become larger, or at multiples of this time in UTC (1d: at midnight)
    ///
    /// The old one is renamed: the time, as in FILE.20261121T000000.000000Z, follows its name, so that names
    /// sort by time. A new file begins with a message, and so an empty file is not rotated. Messages that
    /// arrive in one read from the broker (64 KiB or one longer message) stay together, even if the file
    /// becomes larger than SIZE.
    #[arg(long, value_name = "SIZE|DURATION", requires = "output", value_parser = rotation)]
    rotate: Option<Rotation>,

    /// Keep this many rotated files, and remove the oldest ones
    #[arg(long, value_name = "COUNT", requires = "rotate", value_parser = value::count)]
    keep: Option<u64>,

    /// Compress rotated files with zstd: FILE.20261121T000000.000000Z.zst
    ///
    /// mqtt pub --json reads them as they are. FILE itself is never compressed: if mqtt is killed, FILE has
    /// at most one incomplete line at its end.
    #[arg(long, requires = "rotate")]
    compress: bool,

    /// Synchronise FILE to the disk never, when it is rotated and at the end (rotate), also this long after a
    /// message, or before messages are acknowledged (always) [default: never]
    ///
    /// Without this option the system decides when to write to the disk: nothing is lost when mqtt is killed,
    /// but acknowledged messages may be lost if the power fails. always costs one synchronisation for each
    /// read from the broker.
    #[arg(long, value_name = "never|rotate|DURATION|always", requires = "output", value_parser = synchronisation)]
    fsync: Option<Synchronisation>,
}

fn rotation(text: &str) -> Result<Rotation, String> {
    const FORM: &str = "use a size or a time with its unit, for example 100MiB, 1h or 1d";
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(FORM.into());
    }
    if text.ends_with(|unit: char| unit.eq_ignore_ascii_case(&'m')) {
        return Err(format!("is it a size or a time? {FORM}, 30MB or 30min"));
    }
    if let Ok(bytes) = value::size(text) {
        return if bytes == 0 { Err(FORM.into()) } else { Ok(Rotation::Bytes(bytes)) };
    }
    match value::positive_duration(text) {
        Ok(time) if time < Duration::from_secs(1) => Err("it must be at least 1s".into()),
        Ok(time) => Ok(Rotation::Every(time)),
        Err(_) => Err(FORM.into()),
    }
}

fn synchronisation(text: &str) -> Result<Synchronisation, String> {
    Ok(match text {
        "never" => Synchronisation::Never,
        "rotate" => Synchronisation::Rotated,
        "always" => Synchronisation::Always,
        time => Synchronisation::Within(
            value::positive_duration(time)
                .map_err(|_| "use never, rotate, always or a time, for example 1s")?,
        ),
    })
}

impl RecordingArgs {
    /// `is_lines`: each message ends with a line feed.
    pub(super) fn resolve(&self, is_lines: bool) -> FileOptions {
        FileOptions {
            rotation: self.rotate,
            keep: self.keep.map(|keep| usize::try_from(keep).unwrap_or(usize::MAX)),
            compress: self.compress,
            synchronisation: self.fsync.unwrap_or_default(),
            is_lines,
        }
    }

    /// Refuses options that standard output does not support.
    pub(super) fn check_stdout(&self) -> Result<(), Error> {
        let option = match (self.rotate, self.fsync) {
            (Some(_), _) => "--rotate",
            (None, Some(_)) => "--fsync",
            (None, None) => return Ok(()),
        };
        Err(Error::usage(format!("{option} needs a file: --output FILE")))
    }
}
