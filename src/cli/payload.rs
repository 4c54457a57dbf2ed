//! The sources of a message's payload: the sources that `pub` and `rr` share.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::ValueHint;

use super::value;
use crate::command::publish::Source;
use crate::error::Error;

/// The sources of one message.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Payload (one of)")]
pub(super) struct PayloadArgs {
    /// This text
    #[arg(short = 'm', long, value_name = "PAYLOAD")]
    message: Vec<OsString>,

    /// The content of this file
    ///
    /// At most 268435460 bytes, the largest packet.
    #[arg(short = 'f', long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    file: Vec<PathBuf>,

    /// All of standard input
    ///
    /// At most 268435460 bytes, the largest packet.
    #[arg(short = 's', long)]
    stdin_file: bool,

    /// No payload
    #[arg(short = 'n', long)]
    null_message: bool,
}

impl PayloadArgs {
    /// Every source that was given, under its flag's name; right is exactly one.
    pub(super) fn given(self) -> Vec<(&'static str, Source)> {
        let messages = self.message.into_iter().map(|text| ("-m", Source::Message(value::bytes(text))));
        let files = self.file.into_iter().map(|path| ("-f", Source::File(path)));
        let stdin = self.stdin_file.then_some(("-s", Source::Stdin));
        let null = self.null_message.then_some(("-n", Source::Null));
        messages.chain(files).chain(stdin).chain(null).collect()
    }
}

/// The one source that was given, if any was.
pub(super) fn one(mut given: Vec<(&'static str, Source)>) -> Result<Option<Source>, Error> {
    match (given.pop(), given.pop()) {
        (Some((one, _)), Some((other, _))) => {
            Err(Error::usage(format!("{other} and {one} are two sources for one message; give one")))
        }
        (source, _) => Ok(source.map(|(_, source)| source)),
    }
}
