//! The figures of a load in the help.

use super::definition::MAX_HELP_WIDTH;
use crate::command::bench::figures_help;

/// The figures in the help of a load.
pub(super) fn figures() -> String {
    figures_of("--fail-if")
}

/// The figures in the help of a load, as those of conditions of this option.
pub(super) fn figures_of(option: &str) -> String {
    format!("Figures of {option}:\n{}", figures_help(MAX_HELP_WIDTH).trim_end())
}
