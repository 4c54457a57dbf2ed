//! The options file of mosquitto's clients: each line is one option, and the rest of the line is its value,
//! which may have any bytes. Quotes have no meaning; `#` at the beginning makes a comment.

use std::any::TypeId;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use clap::{Arg, Command};

use super::given::{FilePlace, Given, NAMES_FILES, SourceFile, unknown};
use super::origin::Rank;
use crate::cli::value::os_string;
use crate::client::options::Secret;
use crate::error::Error;
use crate::file::{Written, mark};
use crate::nearest::nearest;

/// Reads the file.
pub(crate) fn read(subcommand: &Command, path: &Path) -> Result<Vec<Given>, Error> {
    let (file, bytes) = SourceFile::read("options file", path, Written::read)?;
    parse(subcommand, &Rc::new(file), &bytes)
}

/// The options of the file that have no mistake, as words. A file that cannot be read again has none.
pub(crate) fn sound_words(subcommand: &Command, path: &Path) -> Vec<OsString> {
    let Ok((file, bytes)) = SourceFile::read("options file", path, Written::read_ordinary) else {
        return Vec::new();
    };
    lines(subcommand, &Rc::new(file), &bytes).filter_map(Result::ok).flat_map(|given| given.words).collect()
}

fn parse(subcommand: &Command, file: &Rc<SourceFile>, text: &[u8]) -> Result<Vec<Given>, Error> {
    lines(subcommand, file, text).collect()
}

/// The options in the lines of a file.
fn lines<'a>(
    subcommand: &'a Command,
    file: &'a Rc<SourceFile>,
    text: &'a [u8],
) -> impl Iterator<Item = Result<Given, Error>> + 'a {
    (1..).zip(text.split(|byte| *byte == b'\n')).filter_map(move |(line, text)| {
        let text = text.strip_suffix(b"\r").unwrap_or(text).trim_ascii_start();
        let is_option = !text.starts_with(b"#") && !text.is_empty();
        is_option.then(|| option(subcommand, FilePlace { file: Rc::clone(file), line }, text))
    })
}

/// The option in one line.
fn option(subcommand: &Command, place: FilePlace, text: &[u8]) -> Result<Given, Error> {
    // The one at the beginning of the file was removed. It is invisible, so an unknown option would be a riddle.
    if mark(text).is_ok_and(|length| length > 0) {
        let message = format!("{place}: this line begins with a byte-order mark");
        return Err(Error::usage(message).with_hint("only one, at the beginning of the file, is allowed"));
    }
    let (option, value) = split(text);
    let name = String::from_utf8_lossy(option);
    let Some(arg) = subcommand.get_arguments().find(|arg| is_called(arg, &name)) else {
        let name = name_alone(&name);
        // Names need their dashes, as on a command line.
        if !name.starts_with('-')
            && let Some(dashed) = dashed(subcommand, name)
        {
            return Err(
                unknown(&place, name, std::iter::empty()).with_hint(format!("did you mean '{dashed}'?"))
            );
        }
        // What stands there is perhaps a secret, in a file that was meant for another option.
        if !name.starts_with('-') {
            return Err(Error::usage(format!("{place}: this line is not an option"))
                .with_hint("each line is an option with its dashes, a comment (#), or empty"));
        }
        let joined = subcommand.get_arguments().find(|arg| option.len() > name.len() && is_called(arg, name));
        if let Some(arg) = joined {
            let (fault, hint) = if arg.get_action().takes_values() {
                ("and its value are one word", format!("a blank stands between them: {name} VALUE"))
            } else {
                ("and other letters are one word", "each option has a line of its own".into())
            };
            return Err(Error::usage(format!("{place}: {name} {fault}")).with_hint(hint));
        }
        let names = subcommand.get_arguments().filter_map(Arg::get_long);
        return Err(unknown(&place, name, names));
    };
    let refusal = |why: &str| Err(Error::usage(format!("{place}: {name} {why}")));
    if NAMES_FILES.contains(&arg.get_id().as_str()) {
        return refusal("cannot stand in an options file");
    }
    let several = arg.get_num_args().is_some_and(|count| count.min_values() > 1);
    let word = match (arg.get_action().takes_values(), value) {
        _ if several => return refusal("takes several values, which an options file cannot hold"),
        // Blanks at the end of a line are invisible.
        (false, Some(value)) if !value.trim_ascii().is_empty() => return refusal("takes no value"),
        (false, _) => typed(arg, None),
        (true, None) => return refusal("needs a value"),
        (true, Some(value)) if is_text(arg) => typed(arg, Some(value)),
        (true, Some(value)) => typed(arg, Some(value.trim_ascii())),
    };
    Ok(Given { id: arg.get_id().to_string(), words: vec![os_string(word)], rank: Rank::OptionsFile, place })
}

/// Splits a line into option and value. The value begins after one blank, after tabs and the blanks around
/// them, or after `=`. More blanks are part of the value, as in mosquitto's files.
fn split(line: &[u8]) -> (&[u8], Option<&[u8]>) {
    let Some(end) = line.iter().position(|byte| b" \t=".contains(byte)) else { return (line, None) };
    let (option, rest) = line.split_at(end);
    let blanks = rest.iter().take_while(|byte| b" \t".contains(byte)).count();
    let skipped = if rest[..blanks].contains(&b'\t') { blanks } else { 1 };
    (option, Some(&rest[skipped..]))
}

/// Whether blanks at the ends of an option's value may be part of it.
fn is_text(arg: &Arg) -> bool {
    let value = arg.get_value_parser().type_id();
    [TypeId::of::<OsString>(), TypeId::of::<String>(), TypeId::of::<PathBuf>(), TypeId::of::<Secret>()]
        .iter()
        .any(|text| value == *text)
}

/// The option with its value as one word.
fn typed(arg: &Arg, value: Option<&[u8]>) -> Vec<u8> {
    let option = match (arg.get_long(), arg.get_short()) {
        (Some(long), _) => format!("--{long}"),
        (None, letter) => format!("-{}", letter.map(String::from).unwrap_or_default()),
    };
    let value = value.map(|value| [b"=", value].concat());
    [option.into_bytes(), value.unwrap_or_default()].concat()
}

/// The part of an unknown option that errors may show: the line may hold an option with its value, as typed
/// on a command line, and the value may be a secret.
fn name_alone(option: &str) -> &str {
    let end = match option.strip_prefix('-') {
        Some(rest) if rest.starts_with('-') => option.find('='),
        Some(rest) => rest.chars().next().map(|letter| 1 + letter.len_utf8()),
        None => option.find(['=', ':', '@']),
    };
    &option[..end.unwrap_or(option.len())]
}

/// The option with this name after its dashes, or the one with the closest name.
fn dashed(subcommand: &Command, name: &str) -> Option<String> {
    let written = [format!("--{name}"), format!("-{name}")];
    let exact = |written: &&String| subcommand.get_arguments().any(|arg| is_called(arg, written));
    if let Some(exact) = written.iter().find(exact) {
        return Some(exact.clone());
    }
    let near = nearest(name, subcommand.get_arguments().filter_map(Arg::get_long));
    near.first().map(|near| format!("--{near}"))
}

fn is_called(arg: &Arg, option: &str) -> bool {
    if let Some(long) = option.strip_prefix("--") {
        return arg.get_long_and_visible_aliases().is_some_and(|names| names.contains(&long));
    }
    let Some(letter) = option.strip_prefix('-').filter(|letter| letter.chars().count() == 1) else {
        return false;
    };
    arg.get_short().is_some_and(|short| letter.starts_with(short))
}
