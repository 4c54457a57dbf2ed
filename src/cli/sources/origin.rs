//! The origin of values. A flag overrides the environment. Where two options set the same thing (`-L` and
//! `-p`, `-i` and `-I`), the program has to know which of them was typed.

use std::cell::RefCell;
use std::rc::Rc;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, Command, FromArgMatches};

use crate::error::Error;

/// The precedence of a value: typed values override those from files and the environment, which override
/// defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Rank {
    /// The default, or no value.
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
    /// The origin of an option that was not typed, as a suffix of its name in warnings.
    pub(crate) fn by(self) -> &'static str {
        match self {
            Self::Environment => " (from the environment)",
            Self::OptionsFile => " (from the options file)",
            Self::Profile => " (from the profile)",
            Self::Default | Self::Flag => "",
        }
    }
}

/// A setting with an invalid value: an error if the option matters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BrokenSetting {
    /// The option's identifier.
    pub(crate) id: String,
    pub(crate) rank: Rank,
    message: String,
    hint: Option<String>,
}

impl BrokenSetting {
    /// A broken setting with its error.
    pub(crate) fn new(id: &str, rank: Rank, message: String, hint: Option<String>) -> Self {
        Self { id: id.to_owned(), rank, message, hint }
    }

    fn error(&self) -> Error {
        Error::usage(self.message.clone()).hinted(self.hint.clone()).about([self.id.as_str()])
    }
}

/// The options that were given, and where. A clap argument group without arguments. It must be flattened
/// before the options whose origin it returns, because parsing those removes them from the matches.
#[derive(Debug, Clone, Default)]
pub(crate) struct Origin {
    given: Vec<(String, Rank)>,
    broken: Vec<BrokenSetting>,
    /// Why a command that is set in a file is not run.
    command_refused: Option<String>,
    /// Shared by all copies.
    warnings: Rc<RefCell<Vec<String>>>,
}

impl Origin {
    /// The origin of the option with this identifier (the name of its field).
    pub(crate) fn rank(&self, id: &str) -> Rank {
        self.given.iter().find(|(given, _)| given == id).map_or(Rank::Default, |(_, rank)| *rank)
    }

    /// Adds settings with invalid values. They count as given, but have no value.
    pub(crate) fn set_aside(&mut self, broken: Vec<BrokenSetting>) {
        self.given.extend(broken.iter().map(|one| (one.id.clone(), one.rank)));
        self.broken.extend(broken);
    }

    /// The error of the first invalid setting among the options that matter.
    pub(crate) fn refuse_broken(&self, matters: impl Fn(&str) -> bool) -> Result<(), Error> {
        match self.broken.iter().find(|one| matters(&one.id)) {
            Some(one) => Err(one.error()),
            None => Ok(()),
        }
    }

    /// Whether the setting of this option is invalid.
    pub(crate) fn is_broken(&self, id: &str) -> bool {
        self.broken.iter().any(|one| one.id == id)
    }

    /// Records why a command that is set in a file must not be run.
    pub(crate) fn refuse_command(&mut self, why: String) {
        self.command_refused = Some(why);
    }

    /// Why the command of `--password-command` must not be run, if it is set in a file.
    pub(crate) fn refused_command(&self) -> Option<&str> {
        self.command_refused.as_deref()
    }

    /// Adds a warning to write before the run.
    pub(crate) fn warn(&self, text: String) {
        self.warnings.borrow_mut().push(text);
    }

    /// The warnings, including those added later.
    pub(crate) fn warnings(&self) -> Rc<RefCell<Vec<String>>> {
        Rc::clone(&self.warnings)
    }

    /// Records that this option was typed in the form of an operand.
    pub(crate) fn promote(&mut self, id: &str) {
        self.given.retain(|(given, _)| given != id);
        self.broken.retain(|broken| broken.id != id);
        self.given.push((id.to_owned(), Rank::Flag));
    }

    /// Records that these options came from `to`, although clap reports the command line.
    pub(crate) fn demote<'a>(&mut self, ids: impl IntoIterator<Item = &'a str>, to: Rank) {
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
        Ok(Self { given: given.collect(), ..Self::default() })
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

/// Whether an option without effect is a mistake. Settings of the environment or of a profile apply to many
/// runs, and those of an options file to the broker that it names.
pub(crate) fn counts(option: Rank, named_by: Rank) -> bool {
    option == Rank::Flag || option == Rank::OptionsFile && option >= named_by
}

/// The value of the higher rank; two different values of the same rank are a mistake.
pub(crate) fn one_of<T: PartialEq>(
    (id, option): (&str, &str),
    (typed, rank): (Option<T>, Rank),
    (in_url, url_rank): (Option<T>, Rank),
) -> Result<Option<T>, Error> {
    match (typed, in_url) {
        (Some(typed), Some(in_url)) if rank == url_rank => {
            if typed != in_url {
                let message = format!("-L and {option} give different values");
                return Err(Error::usage(message).about(["url", id]));
            }
            Ok(Some(in_url))
        }
        (Some(typed), Some(_)) if rank > url_rank => Ok(Some(typed)),
        (_, Some(in_url)) => Ok(Some(in_url)),
        (typed, None) => Ok(typed),
    }
}
