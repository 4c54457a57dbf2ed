//! The command lines of mosquitto's clients: called as `mosquitto_pub`, `mosquitto_sub` or `mosquitto_rr`, or
//! by these names after `mqtt compat`, the program accepts their options and prints their texts.
//!
//! A command line is read by mosquitto's rules (`settings`, by the `table` of options with the checks in
//! `value` and `property`), checked as a whole with mosquitto's messages (`check`), and translated into a
//! command line of `mqtt pub`, `sub` or `rr` (`translate`), which is read by the definition of that
//! subcommand and becomes its Config. Environment and profiles are ignored. The few differences of a run are
//! in the Config and the [`Manner`](crate::manner::Manner).

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
