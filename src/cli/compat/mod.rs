//! The command lines of mosquitto's clients: called as `mosquitto_pub`, `mosquitto_sub` or `mosquitto_rr`,
//! or by these names behind `mqtt compat`, the program takes what they take and says what they say.
//!
//! A command line is read by mosquitto's rules (`settings`, by the `table` of options with the checks in
//! `value` and `property`), checked as a whole in mosquitto's words (`check`), and translated into a command
//! line of `mqtt pub`, `sub` or `rr` (`translate`), which is read by the definition of that subcommand and
//! ends in its Config. Neither the environment nor a profile has a say in it. The little that a run does
//! differently, the Config and the [`Manner`](crate::manner::Manner) say.

mod check;
mod differences;
mod install;
mod parse;
mod programs;
mod property;
mod settings;
mod table;
mod translate;
mod usage;
mod value;

pub use self::differences::{DIFFERENCES, Difference};
pub(super) use self::install::{CompatArgs, MANUAL, MODES};
pub(super) use self::parse::parse;
pub(super) use self::programs::{called, entry, names};
pub(super) use self::settings::{ClientWord, last_word, options, secrets};
