//! The headings over options that the program itself asks for. The first word of a heading is the group that
//! `--help GROUP` shows.

use clap::Arg;

/// The options that print help, which are no group to ask for.
pub(super) const HELP: &str = "Help";
/// The way to the broker.
pub(super) const CONNECTION: &str = "Connection";
/// Who connects.
pub(super) const CREDENTIALS: &str = "Credentials";
/// What is agreed on with the broker.
pub(super) const SESSION: &str = "Session";
/// How long and how often to try.
pub(super) const RECONNECTING: &str = "Reconnecting";
/// Files with options.
pub(super) const PROFILES: &str = "Profiles";
/// Encryption.
pub(super) const TLS: &str = "TLS";

/// Whether it is an option of the connection: each of them has a variable and, but for those that name the files,
/// may stand in a profile.
pub(super) fn is_of_connection(arg: &Arg) -> bool {
    let of_connection = [CONNECTION, CREDENTIALS, SESSION, RECONNECTING, PROFILES, TLS];
    arg.get_help_heading().is_some_and(|heading| of_connection.contains(&heading))
}
