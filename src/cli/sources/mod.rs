//! Where the values of options come from: the command line, the environment, and files with options.
//!
//! | file | holds |
//! |---|---|
//! | `origin` | the origin of each value: command line, environment or file |
//! | `files` | what the files hold that the command line and the environment leave open |
//! | `given` | what such files hold |
//! | `host` | whether a run goes to the host of its profile |
//! | `left_out` | which options belong to a host, and what of a profile is left out |
//! | `look_alikes` | variables that are not read, and look like those that are |
//! | `places` | errors that say where values are set |
//! | `plain` | whether a connection is without TLS, where a profile is for TLS |
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

pub(super) use files::{FileArgs, found, refuse_commands, refused_command, warnings};
pub(super) use given::{FilePlace, Found, Given, LONGEST_TEXT_BYTES, NAMES_FILES};
pub(super) use host::{STARTED_BROKER, TLS_PORT, TURNS_ON};
pub(super) use left_out::{LeftOut, belongs as belongs_to_host};
pub(super) use look_alikes::{LookAlike, Unread, look_alikes, unread};
pub(super) use origin::{BrokenSetting, Origin, Rank, counts, one_of};
pub(super) use places::{in_keys, with_places};
pub(super) use profile::names as profile_names;
