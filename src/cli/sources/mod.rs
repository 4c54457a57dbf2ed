//! Where the values of options come from: the command line, the environment, and files with options.
//!
//! | file | holds |
//! |---|---|
//! | `origin` | the origin of each value: command line, environment or file |
//! | `files` | the settings of files for options that the command line and the environment leave open |
//! | `given` | the content of such files |
//! | `host` | whether a run connects to the host of its profile |
//! | `left_out` | which options belong to a host, and which settings of a profile are left out |
//! | `look_alikes` | variables with names similar to those that are read |
//! | `places` | errors that name the places where values are set |
//! | `plain` | whether a connection is without TLS though its profile is for TLS |
//! | `profile`, `options_file` | options in files: profiles, and the options file of mosquitto's clients |

mod files;
mod given;
mod host;
mod left_out;
mod look_alikes;
mod options_file;
mod origin;
mod places;
mod plain;
pub(super) mod profile;

pub(super) use files::{FileArgs, found, refuse_command, refuse_commands, refused_command, warnings};
pub(super) use given::{FilePlace, Found, Given, LONGEST_TEXT_BYTES, NAMES_FILES};
#[cfg(feature = "broker")]
pub(super) use host::STARTED_BROKER;
pub(super) use host::{TLS_PORT, TURNS_ON};
pub(super) use left_out::{LeftOut, belongs as belongs_to_host};
pub(super) use look_alikes::{LookAlike, Unread, connection_variables, look_alikes, unread};
pub(super) use options_file::sound_words as sound_words_of_options_file;
pub(super) use origin::{BrokenSetting, Origin, Rank, counts, one_of};
pub(super) use places::{in_keys, with_places};
pub(super) use profile::names as profile_names;
