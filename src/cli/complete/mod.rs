//! The completion of command lines in shells. The scripts in `completions/` are short: they hand the words up to
//! the cursor to `mqtt __complete SHELL`, which answers from the definition of the command line, so that no
//! list of options is kept anywhere else.
//!
//! The words come by standard input and not as arguments, which other users could read: a password may be among
//! them. The answer is a line with what is offered (`words`, or what the shell knows to find: `files`,
//! `directories`, `hosts`, `commands`), a line with what stands before the value in the word (`--cafile=`), a
//! line with what is typed of the value, and a line for each word, with a tab before its explanation.
//!
//! | file | holds |
//! |---|---|
//! | `line` | what is being typed: a subcommand, an option, or the value of one |
//! | `offer` | what can be offered |
//! | `values` | what each option's values can be |
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

/// The word behind `mqtt` by which the scripts ask.
pub(super) const ASKING: &str = "__complete";

/// What a script asks for. It is never told what is wrong: the user is typing.
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
    // What has a line feed in it would break the answer.
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

/// Words as the program would get them. Some shells hand them on as they are typed.
fn words(shell: Shell, typed: &str) -> Vec<OsString> {
    let typed = match shell {
        // A pipe of PowerShell ends in a line feed.
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
