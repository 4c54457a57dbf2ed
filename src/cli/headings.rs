//! The headings of options that the program itself refers to. The first word of a heading is the group that
//! `--help GROUP` shows.

use clap::Arg;

/// The options that print help; they are not a group of their own.
pub(super) const HELP: &str = "Help";
/// How to reach the broker.
pub(super) const CONNECTION: &str = "Connection";
/// Identity and password.
pub(super) const CREDENTIALS: &str = "Credentials";
/// Session parameters agreed with the broker.
pub(super) const SESSION: &str = "Session";
/// Timeouts and retries.
pub(super) const RECONNECTING: &str = "Reconnecting";
/// Files with options.
pub(super) const PROFILES: &str = "Profiles";
/// Encryption.
pub(super) const TLS: &str = "TLS";

/// Whether it is an option of the connection: each of them has a variable and, except those that name files
/// with options, may be in a profile.
pub(super) fn is_of_connection(arg: &Arg) -> bool {
    let of_connection = [CONNECTION, CREDENTIALS, SESSION, RECONNECTING, PROFILES, TLS];
    arg.get_help_heading().is_some_and(|heading| of_connection.contains(&heading))
}
