//! The completion of command lines in shells. The scripts in `completions/` are short: they pass the words up
//! to the cursor to `mqtt __complete SHELL`, which answers from the definition of the command line, so that
//! there is no other list of options.
//!
//! The words are passed on standard input and not as arguments, which other users could read: a password may
//! be among them. The answer is a line with the kind of completion (`words`, or what the shell can complete
//! itself: `files`, `directories`, `hosts`, `commands`), a line with the text before the value in the word
//! (`--cafile=`), a line with the typed part of the value, and a line for each word, with a tab before its
//! description.
//!
//! | file | holds |
//! |---|---|
//! | `line` | the kind of the word being typed: a subcommand, an option, or the value of one |
//! | `offer` | the forms of a completion |
//! | `values` | the possible values of each option |
//! | `topics` | the query for the topics of the broker that the line names |

mod line;
mod offer;
mod topics;
mod values;

use std::ffi::OsString;
use std::io::Read as _;

use clap::ValueEnum;

use self::line::offer;
use self::offer::{Offer, Word};
use super::completions::Shell;
use super::parsed::Parsed;
use crate::notation::shell::unquoted;

/// The word after `mqtt` that the scripts use.
pub(super) const ASKING: &str = "__complete";

/// Answers a script. Errors are not reported: the user is typing.
pub(super) fn request(arguments: &[OsString]) -> Parsed {
    const MOST_BYTES: u64 = 1 << 20;
    let nothing = || Parsed::Print { text: String::new(), warnings: Vec::new(), problem: None };
    let shell = arguments.first().and_then(|name| Shell::from_str(name.to_str()?, false).ok());
    let mut typed = String::new();
    let (Some(shell), Ok(_)) = (shell, std::io::stdin().take(MOST_BYTES).read_to_string(&mut typed)) else {
        return nothing();
    };
    let line = words(shell, &typed);
    let Some(completion) = offer(&line) else { return nothing() };
    // A line feed in the text would break the answer.
    if [&completion.prefix, &completion.value].iter().any(|text| text.contains(char::is_control)) {
        return nothing();
    }
    let head = |kind: &str| format!("{kind}\n{}\n{}\n", completion.prefix, completion.value);
    let text = match &completion.offer {
        Offer::Words(words) => {
            let begins = |word: &&Word| word.text.starts_with(&completion.value);
            let row = |word: &Word| {
                let help = if word.help.is_empty() { String::new() } else { format!("\t{}", word.help) };
                format!("{}{}{help}\n", completion.prefix, word.text)
            };
            head("words") + &words.iter().filter(begins).map(row).collect::<String>()
        }
        Offer::Files => head("files"),
        Offer::Directories => head("directories"),
        Offer::Hosts => head("hosts"),
        Offer::Commands => head("commands"),
        Offer::Topics { options, is_filter } => {
            let query =
                topics::query(options, &completion.prefix, &completion.value, *is_filter, head("words"));
            return query.unwrap_or_else(nothing);
        }
    };
    Parsed::Print { text, warnings: Vec::new(), problem: None }
}

/// Words as the program would receive them. Some shells pass them on as they are typed.
fn words(shell: Shell, typed: &str) -> Vec<OsString> {
    let typed = match shell {
        // PowerShell ends piped text with a line feed.
        Shell::Powershell => typed.trim_end_matches(['\r', '\n']),
        _ => typed.strip_suffix('\0').unwrap_or(typed),
    };
    let words: Vec<&str> = typed.split('\0').collect();
    let last = words.len() - 1;
    let is_raw = |at: usize| shell == Shell::Bash || shell == Shell::Fish && at == last;
    let word = |(at, word): (usize, &str)| if is_raw(at) { unquoted(word) } else { word.to_owned() };
    words.into_iter().enumerate().map(word).map(OsString::from).collect()
}

#[cfg(test)]
mod tests;
