//! Reads passwords from files and from the output of commands.

use std::fmt;
use std::path::Path;

use super::sources::Origin;
use crate::client::options::Secret;
use crate::error::Error;
use crate::file::{mark, read_at_most};

/// The most bytes that are read for a password: more than MQTT allows.
pub(super) const LONGEST_PASSWORD_BYTES: u64 = 64 << 10;

/// The content of a file that holds one secret. A password may have any bytes, but a byte-order mark at the
/// beginning comes from an editor and is removed.
pub(super) fn from_file(path: &Path, origin: &Origin) -> Result<Secret, Error> {
    let content = read_at_most(path, LONGEST_PASSWORD_BYTES)
        .map_err(|error| Error::file(format!("cannot read the password in {}", path.display()), error))?;
    Ok(from_text(content, &path.display(), "save it as UTF-8", origin))
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
        let error = from_file(Path::new("/dev/zero"), &Origin::default()).unwrap_err().to_string();
        assert!(error.ends_with("/dev/zero: it is longer than 64 KiB"), "{error}");
    }
}
