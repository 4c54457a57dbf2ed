//! What the command line needs of each subcommand, and an entry of the table of subcommands.

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
    /// What stage two makes of them.
    type Config: Invocation + TryFrom<Self, Error = Error>;

    /// Its examples and known limits.
    const MANUAL: &'static Manual;

    /// Whose reports say so if there can be no run.
    const REPORTER: Option<Reporter> = None;

    /// The options of its connection, if it makes one.
    fn connection_mut(&mut self) -> Option<&mut ConnectionArgs> {
        None
    }

    /// What a run needs of the connection, for what was typed.
    fn needs(_typed: &ArgMatches) -> Needs {
        Needs::EVERYTHING
    }

    /// Whether the run ends when the reader of standard output leaves, also before it is connected.
    fn is_for_reader(&self) -> bool {
        false
    }

    /// Whether SIGHUP does not end a run with these options, as its messages go to a file: nor does it while the run
    /// starts.
    fn outlasts_hang_ups(_typed: &ArgMatches) -> bool {
        false
    }
}

/// A subcommand that was called: its options after stage one.
pub(super) trait Called: Debug {
    /// The options of its connection, if it makes one.
    fn connection_mut(&mut self) -> Option<&mut ConnectionArgs>;

    /// Whether the run ends when the reader of standard output leaves.
    fn is_for_reader(&self) -> bool {
        false
    }

    /// Stage two.
    fn resolve(self: Box<Self>, line: &CommandLine<'_>) -> Result<Resolved, Error>;
}

/// What a subcommand was called with.
pub(super) struct CommandLine<'a> {
    /// The definition of its options.
    pub(super) definition: &'a Command,
    /// Their values.
    pub(super) matches: &'a ArgMatches,
    /// Which of them stand in files.
    pub(super) given: &'a [Given],
    /// What of the profile is not used, as it belongs to another host.
    pub(super) left_out: Option<&'a LeftOut>,
}

impl CommandLine<'_> {
    /// The same error, with the places of the options that it is about.
    pub(super) fn with_places(&self, error: Error) -> Error {
        sources::with_places(error, self.definition, self.matches, self.given)
    }
}

/// What is to be done.
#[derive(Debug)]
pub(super) enum Resolved {
    /// This is run.
    Run(Box<dyn Invocation>),
    /// This is printed.
    Print {
        text: String,
        /// What is wrong with it all the same.
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

/// A line of the table.
pub(super) struct Entry {
    /// What it is called on the command line.
    pub(super) name: &'static str,
    pub(super) manual: &'static Manual,
    /// The subcommands below it.
    modes: &'static [Entry],
    define: fn(Command) -> Command,
    pub(super) read: fn(&ArgMatches) -> Result<Box<dyn Called>, clap::Error>,
    /// What a run needs of the connection, for what was typed.
    pub(super) needs: fn(&ArgMatches) -> Needs,
    /// Whether SIGHUP does not end the run.
    pub(super) outlasts_hang_ups: fn(&ArgMatches) -> bool,
    /// Whose reports say so if there can be no run.
    pub(super) reporter: Option<Reporter>,
}

impl Entry {
    /// A subcommand that is run.
    pub(super) const fn run<S: Subcommand>(name: &'static str) -> Self {
        Self {
            needs: S::needs,
            outlasts_hang_ups: S::outlasts_hang_ups,
            reporter: S::REPORTER,
            ..Self::print::<S>(name, S::MANUAL)
        }
    }

    /// One that does no more than print a text.
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

    /// With subcommands of its own.
    pub(super) const fn with(self, modes: &'static [Entry]) -> Self {
        Self { modes, ..self }
    }

    /// The definition of its options without those below it, and without what only help needs: a one-shot
    /// `pub` takes a fifth less time than with all that there is.
    pub(super) fn definition(&self) -> Command {
        begin((self.define)(Command::new(self.name)))
    }

    /// All of its definition.
    pub(super) fn whole(&self) -> Command {
        let definition = (self.define)(Command::new(self.name));
        let whole = definition.subcommands(self.modes.iter().map(Self::whole));
        finish(whole, Some(self.manual))
    }

    /// The subcommand that a line calls, and how many words name it.
    pub(super) fn called(table: &'static [Self], line: &[OsString]) -> Option<(&'static Self, usize)> {
        let (mut table, mut called) = (table, None);
        for (word, names) in line.iter().skip(1).zip(2..) {
            let Some(entry) = table.iter().find(|entry| word == entry.name) else { break };
            (table, called) = (entry.modes, Some((entry, names)));
        }
        called
    }
}
