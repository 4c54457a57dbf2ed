//! `mqtt completions`: the scripts that complete command lines in shells. They are short, and call the
//! program (see `complete`).

use clap::ValueEnum;

use super::connection::ConnectionArgs;
use super::manual::Manual;
use super::subcommand::{Called, CommandLine, Resolved};
use crate::error::Error;

/// Print the script that completes command lines in a shell
///
/// The script asks mqtt itself what can follow: options, their values, profiles of the configuration file,
/// and topics. Topics are those of the retained messages of the broker that the line names, one level at a
/// time, as far as they arrive within a second; no password is asked for and no --password-command is run for
/// it.
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = WITHOUT_PACKAGE)]
pub(super) struct CompletionsArgs {
    /// Shell to print it for
    #[arg(value_name = "SHELL", value_enum)]
    shell: Shell,
}

/// The text before the examples in the help of `mqtt completions`.
const WITHOUT_PACKAGE: &str = "\
Without the package bash-completion, put this line into ~/.bashrc:
  source <(mqtt completions bash)";

/// A shell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Shell {
    Bash,
    Zsh,
    Fish,
    #[value(alias = "pwsh")]
    Powershell,
    Elvish,
}

pub(super) static MANUAL: Manual = Manual {
    common: &[],
    examples: &[
        (
            "Complete in every bash that reads such files",
            "mqtt completions bash > ~/.local/share/bash-completion/completions/mqtt",
        ),
        ("Complete in every zsh, where the folder is in fpath", "mqtt completions zsh > ~/.zfunc/_mqtt"),
        ("Complete in every fish", "mqtt completions fish > ~/.config/fish/completions/mqtt.fish"),
    ],
    bugs: &[
        "A broker that pauses for longer than 0.15 seconds between two retained messages is taken to have sent all. \
         It receives all messages under the levels that are typed, at most for a second.",
        "Topics with control characters are not offered.",
        "The script for PowerShell is not tested.",
    ],
};

impl Shell {
    /// The script, as packages install it.
    fn script(self) -> &'static str {
        match self {
            Self::Bash => include_str!("../../completions/mqtt.bash"),
            Self::Zsh => include_str!("../../completions/_mqtt"),
            Self::Fish => include_str!("../../completions/mqtt.fish"),
            Self::Powershell => include_str!("../../completions/_mqtt.ps1"),
            Self::Elvish => include_str!("../../completions/mqtt.elv"),
        }
    }
}

impl Called for CompletionsArgs {
    fn connection_mut(&mut self) -> Option<&mut ConnectionArgs> {
        None
    }

    fn resolve(self: Box<Self>, _: &CommandLine<'_>) -> Result<Resolved, Error> {
        Ok(Resolved::Print { text: self.shell.script().to_owned(), problem: None })
    }
}
