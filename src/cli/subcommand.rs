//! The trait of the subcommands, and an entry of the table of subcommands.

use std::ffi::OsString;
use std::fmt::Debug;

use clap::{ArgMatches, Command};

use super::connection::ConnectionArgs;
use super::definition::{begin, finish};
use super::manual::Manual;
use super::needs::Needs;
use super::sources::{self, Given, LeftOut};
use crate::command::Invocation;
use crate::command::unmade::Reporter;
use crate::error::Error;

/// The options of a subcommand that is run.
pub(super) trait Subcommand: clap::Args + Debug + 'static {
    /// The configuration that stage two makes from them.
    type Config: Invocation + TryFrom<Self, Error = Error>;

    /// Its examples and known limits.
    const MANUAL: &'static Manual;

    /// The reports that the subcommand also writes if it cannot run.
    const REPORTER: Option<Reporter> = None;

    /// The options of its connection, if it has one.
    fn connection_mut(&mut self) -> Option<&mut ConnectionArgs> {
        None
    }

    /// The parts of the connection that a run with these typed options needs.
    fn needs(_typed: &ArgMatches) -> Needs {
        Needs::EVERYTHING
    }

    /// Whether the run ends when the reader of standard output goes away, even before it is connected.
    fn is_for_reader(&self) -> bool {
        false
    }

    /// Whether a run with these options survives SIGHUP, because its messages go to a file. This then also
    /// holds while the run starts.
    fn outlasts_hang_ups(_typed: &ArgMatches) -> bool {
        false
    }
}

/// A subcommand that was called: its options after stage one.
pub(super) trait Called: Debug {
    /// The options of its connection, if it has one.
    fn connection_mut(&mut self) -> Option<&mut ConnectionArgs>;

    /// Whether the run ends when the reader of standard output goes away.
    fn is_for_reader(&self) -> bool {
        false
    }

    /// Resolves the options (stage two).
    fn resolve(self: Box<Self>, line: &CommandLine<'_>) -> Result<Resolved, Error>;
}

/// The command line of a subcommand.
pub(super) struct CommandLine<'a> {
    /// The definition of its options.
    pub(super) definition: &'a Command,
    /// Their values.
    pub(super) matches: &'a ArgMatches,
    /// The settings from files.
    pub(super) given: &'a [Given],
    /// The settings of the profile that are not used, because they belong to another host.
    pub(super) left_out: Option<&'a LeftOut>,
}

impl CommandLine<'_> {
    /// The error with the places of the options that it is about.
    pub(super) fn with_places(&self, error: Error) -> Error {
        sources::with_places(error, self.definition, self.matches, self.given)
    }
}

/// The result of stage two.
#[derive(Debug)]
pub(super) enum Resolved {
    /// A run.
    Run(Box<dyn Invocation>),
    /// A text to print.
    Print {
        text: String,
        /// An error to report after the text.
        problem: Option<Error>,
    },
}

impl<S: Subcommand> Called for S {
    fn connection_mut(&mut self) -> Option<&mut ConnectionArgs> {
        Subcommand::connection_mut(self)
    }

    fn is_for_reader(&self) -> bool {
        Subcommand::is_for_reader(self)
    }

    fn resolve(self: Box<Self>, line: &CommandLine<'_>) -> Result<Resolved, Error> {
        let config = S::Config::try_from(*self).map_err(|error| line.with_places(error))?;
        Ok(Resolved::Run(Box::new(config)))
    }
}

/// An entry of the table.
pub(super) struct Entry {
    /// The name on the command line.
    pub(super) name: &'static str,
    pub(super) manual: &'static Manual,
    /// Its subcommands.
    modes: &'static [Entry],
    define: fn(Command) -> Command,
    pub(super) read: fn(&ArgMatches) -> Result<Box<dyn Called>, clap::Error>,
    /// The parts of the connection that a run with these typed options needs.
    pub(super) needs: fn(&ArgMatches) -> Needs,
    /// Whether the run survives SIGHUP.
    pub(super) outlasts_hang_ups: fn(&ArgMatches) -> bool,
    /// The reports that the subcommand also writes if it cannot run.
    pub(super) reporter: Option<Reporter>,
}

impl Entry {
    /// An entry for a subcommand that is run.
    pub(super) const fn run<S: Subcommand>(name: &'static str) -> Self {
        Self {
            needs: S::needs,
            outlasts_hang_ups: S::outlasts_hang_ups,
            reporter: S::REPORTER,
            ..Self::print::<S>(name, S::MANUAL)
        }
    }

    /// An entry for a subcommand that only prints a text.
    pub(super) const fn print<A: clap::Args + Called + 'static>(
        name: &'static str,
        manual: &'static Manual,
    ) -> Self {
        let read = |matches: &ArgMatches| -> Result<Box<dyn Called>, clap::Error> {
            Ok(Box::new(A::from_arg_matches(matches)?))
        };
        Self {
            name,
            manual,
            modes: &[],
            define: A::augment_args,
            read,
            needs: |_| Needs::EVERYTHING,
            outlasts_hang_ups: |_| false,
            reporter: None,
        }
    }

    /// Adds subcommands.
    pub(super) const fn with(self, modes: &'static [Entry]) -> Self {
        Self { modes, ..self }
    }

    /// The definition of its options, without its subcommands and without what only the help needs: this
    /// makes a `pub` of one message a fifth faster than the complete definition.
    pub(super) fn definition(&self) -> Command {
        begin((self.define)(Command::new(self.name)))
    }

    /// The complete definition.
    pub(super) fn whole(&self) -> Command {
        let definition = (self.define)(Command::new(self.name));
        let whole = definition.subcommands(self.modes.iter().map(Self::whole));
        finish(whole, Some(self.manual))
    }

    /// The subcommand that a line calls, and the number of words before its arguments.
    pub(super) fn called(table: &'static [Self], line: &[OsString]) -> Option<(&'static Self, usize)> {
        let (mut table, mut called) = (table, None);
        for (word, names) in line.iter().skip(1).zip(2..) {
            let Some(entry) = table.iter().find(|entry| word == entry.name) else { break };
            (table, called) = (entry.modes, Some((entry, names)));
        }
        called
    }
}
