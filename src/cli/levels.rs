//! `mqtt levels`.

use std::ffi::OsString;

use super::report::QuietArgs;
use super::subcommand::Subcommand;
use super::text;
use crate::command::levels::Config;
use crate::error::Error;

/// Count the levels of a topic
///
/// A toy that shows what a new subcommand takes.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct LevelsArgs {
    /// The topic
    topic: OsString,

    #[command(flatten)]
    quiet: QuietArgs,
}

impl Subcommand for LevelsArgs {
    type Config = Config;
}

impl TryFrom<LevelsArgs> for Config {
    type Error = Error;

    fn try_from(LevelsArgs { topic, quiet }: LevelsArgs) -> Result<Self, Error> {
        Ok(Self { topic: text::topic_name("topic", &topic)?, verbosity: quiet.resolve() })
    }
}
