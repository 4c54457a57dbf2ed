//! Where values came from. A flag beats the environment; where two options speak of the same thing
//! (`-L` and `-p`, `-i` and `-I`), that can only be decided by knowing which of them was typed.

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};

/// How much a value counts: what is typed beats what is set, which beats what is built in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Rank {
    /// The default, or nothing.
    Default,
    /// A profile of the configuration file.
    Profile,
    /// The options file of `-o`.
    OptionsFile,
    /// An environment variable.
    Environment,
    /// The command line.
    Flag,
}

impl Rank {
    /// To be put behind an option's name in an error: where an option comes from that was not typed.
    pub(super) fn by(self) -> &'static str {
        match self {
            Self::Environment => " (from the environment)",
            Self::OptionsFile => " (from the options file)",
            Self::Profile => " (from the profile)",
            Self::Default | Self::Flag => "",
        }
    }
}

/// The options that were given, and where. An argument group without arguments; it must be
/// flattened before the options it is asked about, because reading those takes them away.
#[derive(Debug, Clone, Default)]
pub(super) struct Origin {
    given: Vec<(String, Rank)>,
}

impl Origin {
    /// Where the option with this identifier (its field's name) came from.
    pub(super) fn rank(&self, id: &str) -> Rank {
        self.given.iter().find(|(given, _)| given == id).map_or(Rank::Default, |(_, rank)| *rank)
    }
}

impl Origin {
    /// These options did not come from the command line, as clap thinks, but from elsewhere.
    pub(super) fn demote<'a>(&mut self, ids: impl IntoIterator<Item = &'a str>, to: Rank) {
        for id in ids {
            for (_, rank) in self.given.iter_mut().filter(|(given, _)| given == id) {
                *rank = to;
            }
        }
    }
}

impl FromArgMatches for Origin {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = matches.ids().filter_map(|id| {
            let rank = match matches.value_source(id.as_str())? {
                ValueSource::CommandLine => Rank::Flag,
                ValueSource::EnvVariable => Rank::Environment,
                _ => return None,
            };
            Some((id.to_string(), rank))
        });
        Ok(Self { given: given.collect() })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl Args for Origin {
    fn augment_args(command: Command) -> Command {
        command
    }

    fn augment_args_for_update(command: Command) -> Command {
        command
    }
}
