//! The common options of all modes of `mqtt bench` that generate load.

use std::fmt::Debug;

use clap::ArgMatches;

use super::bench_load::{CommonArgs, CourseArgs, SendArgs, needs_own_broker};
use super::connection::ConnectionArgs;
use super::manual::Manual;
use super::needs::Needs;
use super::subcommand::Subcommand;
use crate::command::bench::Config;
use crate::command::bench::config::Mode;
use crate::command::unmade::Reporter;
use crate::error::Error;

/// The options of a mode that generates load.
pub(super) trait LoadArgs {
    const MANUAL: &'static Manual;
    const MODE: Mode;
    /// The description of `find-limit` for this load.
    const FIND_LIMIT: &'static str;

    /// The options of every load.
    fn common(&self) -> &CommonArgs;

    fn common_mut(&mut self) -> &mut CommonArgs;

    /// The options of a load that sends messages.
    fn send(&self) -> Option<&SendArgs> {
        None
    }

    /// Whether there is a load, and not only a text.
    fn is_load(_typed: &ArgMatches) -> bool {
        true
    }

    /// The options of a load with messages.
    fn course(&self) -> Option<&CourseArgs> {
        None
    }
}

impl<A: LoadArgs + clap::Args + Debug + 'static> Subcommand for A
where
    Config: TryFrom<A, Error = Error>,
{
    type Config = Config;

    const MANUAL: &'static Manual = A::MANUAL;
    const REPORTER: Option<Reporter> = Some(Reporter::Bench(A::MODE));

    fn connection_mut(&mut self) -> Option<&mut ConnectionArgs> {
        Some(&mut self.common_mut().connection)
    }

    fn is_for_reader(&self) -> bool {
        self.common().is_for_reader()
    }

    fn needs(typed: &ArgMatches) -> Needs {
        match A::MODE {
            _ if !A::is_load(typed) => Needs::NOTHING,
            _ if needs_own_broker(typed) => Needs::OWN_BROKER,
            Mode::Connect | Mode::Subscribe => Needs::LOAD_RECEIVING,
            _ => Needs::LOAD,
        }
    }
}
