//! Reads passwords from files and from the output of commands.

use std::fmt;
use std::io::{self, ErrorKind};
use std::path::Path;

use super::sources::Origin;
use crate::client::options::Secret;
use crate::error::Error;
use crate::file::{mark, read_at_most};

/// The most bytes that are read for a password: more than MQTT allows.
pub(super) const LONGEST_PASSWORD_BYTES: u64 = 64 << 10;

/// The content of the file of this option, which holds one secret. A password may have any bytes, but a
/// byte-order mark at the beginning comes from an editor and is removed.
pub(super) fn from_file(option: &str, path: &Path, origin: &Origin) -> Result<Secret, Error> {
    let content = read_at_most(path, LONGEST_PASSWORD_BYTES).map_err(|error| {
        if may_be_a_secret(path, &error) {
            let hint = "the value is the name of a file with the password, not the password; it is not shown";
            return Error::file(format!("cannot read the file of {option}"), error).with_hint(hint);
        }
        Error::file(format!("cannot read the password in {}", path.display()), error)
    })?;
    Ok(from_text(content, &path.display(), "save it as UTF-8", origin))
}

/// Whether a path that cannot be read may be the secret itself: there is no such file, and none of the folders
/// in the path exists.
fn may_be_a_secret(path: &Path, error: &io::Error) -> bool {
    let kinds =
        [ErrorKind::NotFound, ErrorKind::NotADirectory, ErrorKind::InvalidFilename, ErrorKind::InvalidInput];
    let is_folder = |folder: &Path| folder.file_name().is_some() && folder.is_dir();
    kinds.contains(&error.kind()) && !path.ancestors().skip(1).any(is_folder)
}

/// The secret in a text from this place, without a byte-order mark at its beginning and a line feed at its
/// end. The warning for a text in UTF-16 says what to do.
pub(super) fn from_text(
    mut text: Vec<u8>,
    place: &dyn fmt::Display,
    remedy: &str,
    origin: &Origin,
) -> Secret {
    match mark(&text) {
        Ok(0) => {}
        Ok(length) => {
            text.drain(..length);
            origin.warn(format!("{place} begins with a byte-order mark, which is not part of the password"));
        }
        Err(_) => origin.warn(format!("{place} is UTF-16, and the password is taken as it is; {remedy}")),
    }
    without_line_feed(text)
}

fn without_line_feed(mut text: Vec<u8>) -> Secret {
    if text.last() == Some(&b'\n') {
        text.pop();
        if text.last() == Some(&b'\r') {
            text.pop();
        }
    }
    Secret(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_feed_at_the_end_is_not_part_of_a_password() {
        for (text, password) in
            [("a", "a"), ("a\n", "a"), ("a\r\n", "a"), ("a\n\n", "a\n"), (" a ", " a "), ("", "")]
        {
            assert_eq!(without_line_feed(text.into()), Secret(password.into()), "{text:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn endless_file_is_refused() {
        let error = from_file("-x", Path::new("/dev/zero"), &Origin::default()).unwrap_err().to_string();
        assert!(error.ends_with("/dev/zero: it is longer than 64 KiB"), "{error}");
    }

    /// The value may be the password.
    #[cfg(unix)]
    #[test]
    fn value_that_is_not_a_path_is_not_shown() {
        let long = "hunter2".repeat(100);
        let error = |value: &str| from_file("--x", Path::new(value), &Origin::default()).unwrap_err();
        for value in ["hunter2", "hunter2/x+/y==", "/hunter2", "/hunter2/x", &long, "hun\0ter2"] {
            let error = error(value);
            assert!(error.to_string().starts_with("cannot read the file of --x: "), "{value}: {error}");
            assert!(error.hint().is_some_and(|hint| hint.contains("not the password")), "{value}");
            assert!(!error.to_string().contains("ter2"), "{error}");
        }
        for value in ["/dev/no-such", "/dev/no/such", "/dev"] {
            assert!(error(value).to_string().starts_with(&format!("cannot read the password in {value}: ")));
        }
    }
}
