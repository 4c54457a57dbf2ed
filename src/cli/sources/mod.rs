//! Where the values of options come from: the command line, the environment, and files with options.
//!
//! | file | holds |
//! |---|---|
//! | `origin` | the origin of each value: command line, environment or file |
//! | `files` | what the files hold that the command line and the environment leave open |
//! | `given` | what such files hold |
//! | `profile`, `options_file` | options in files: profiles, and the options file of mosquitto's clients |

mod files;
mod given;
mod options_file;
mod origin;
mod profile;

pub(super) use files::{FileArgs, found, refused_command, warnings};
pub(super) use given::{CREDENTIALS, Found, Given, LONGEST_TEXT_BYTES, NAMES_FILES};
pub(super) use origin::{Broken, Origin, Rank, counts, one_of};
