//! Access control: the clients that may connect, and the topics that each may publish to and receive, in the
//! formats of mosquitto's password and ACL files.

mod passwords;
mod permissions;

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::Arc;

pub(super) use self::passwords::StoredPassword;
use self::permissions::Permissions;
pub(super) use self::permissions::Rights;

/// Why a file cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// The number of the line, from 1.
    pub line: usize,
    /// The fault. The text contains no password.
    pub why: String,
}

/// The clients that may connect, and the rights of each. By default every client may connect and has all
/// rights.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// `None` if there are no users; then no client needs a user name.
    users: Option<HashMap<String, Arc<StoredPassword>>>,
    /// The most iterations of a password.
    slowest: Option<NonZeroU32>,
    permissions: Option<Permissions>,
    /// Whether a client without a user name may connect although there are users.
    anonymous: bool,
}

/// How a client's user name and password are handled.
#[derive(Debug)]
pub(super) enum Admission {
    /// The client may connect without a name.
    Anonymous,
    /// The client may connect under its own name, because there are no users.
    Unchecked,
    Refused,
    /// The password must be compared, which takes some time. For an unknown name it is compared with one that
    /// never matches, which takes as long as the slowest comparison.
    Compare(Arc<StoredPassword>),
}

impl Access {
    /// Adds a user, or replaces the user with this name. No client gets in with an empty password.
    pub fn add_user(&mut self, name: &str, password: &[u8]) {
        let users = self.users.get_or_insert_default();
        users.insert(name.to_owned(), Arc::new(StoredPassword::of(password)));
    }

    /// Adds the users of a password file in mosquitto's format: one per line, with name, colon and the hash
    /// of the password in the format `$7$` or `$6$`.
    ///
    /// # Errors
    /// An invalid line.
    pub fn add_password_file(&mut self, text: &[u8]) -> Result<(), BadLine> {
        let read = passwords::read(text)?;
        self.slowest = read.values().filter_map(|stored| stored.iterations()).chain(self.slowest).max();
        self.users.get_or_insert_default().extend(read);
        Ok(())
    }

    /// Sets the rights of clients from an ACL file in mosquitto's format.
    ///
    /// # Errors
    /// An invalid line.
    pub fn set_acl_file(&mut self, text: &[u8]) -> Result<(), BadLine> {
        self.permissions = Some(Permissions::read(text)?);
        Ok(())
    }

    /// Allows clients without a user name.
    pub fn allow_anonymous(&mut self) {
        self.anonymous = true;
    }

    /// Whether there are rules on clients' rights.
    pub(super) fn has_permissions(&self) -> bool {
        self.permissions.is_some()
    }

    /// As in mosquitto, an empty password is none: a client that has no password is not admitted as a user whose
    /// password is empty.
    pub(super) fn admit(&self, user_name: Option<&str>, password: &[u8]) -> Admission {
        match (&self.users, user_name) {
            (None, _) => Admission::Unchecked,
            (Some(_), None) if self.anonymous => Admission::Anonymous,
            (Some(_), None) => Admission::Refused,
            (Some(_), Some(_)) if password.is_empty() => Admission::Refused,
            (Some(users), Some(name)) => Admission::Compare(match users.get(name) {
                Some(stored) => Arc::clone(stored),
                None => Arc::new(StoredPassword::unmatched(self.slowest)),
            }),
        }
    }

    /// The rights of a client; `None` for all rights.
    pub(super) fn rights(&self, user_name: Option<&str>, client_identifier: &str) -> Option<Arc<Rights>> {
        self.permissions.as_ref().map(|permissions| Arc::new(permissions.of(user_name, client_identifier)))
    }

    /// Whether a client that `before` admitted under this name would be admitted in the same way. A hash with
    /// another salt counts as another password: it does not tell whether the password is the same.
    pub(super) fn still_admits(&self, before: &Self, user_name: Option<&str>) -> bool {
        let stored =
            |access: &Self, name: &str| access.users.as_ref().and_then(|users| users.get(name).cloned());
        match user_name {
            None => self.users.is_none() || self.anonymous,
            Some(name) => self.users.is_none() || stored(self, name) == stored(before, name),
        }
    }
}

/// The lines of a file with their numbers, without comments and empty lines.
fn lines(text: &[u8]) -> impl Iterator<Item = (usize, Result<&str, BadLine>)> {
    let numbered = text.split(|byte| *byte == b'\n').zip(1..);
    numbered.filter_map(|(bytes, line)| {
        let trimmed = bytes.trim_ascii_end();
        if trimmed.is_empty() || trimmed.starts_with(b"#") {
            return None;
        }
        let text = std::str::from_utf8(trimmed);
        Some((line, text.map_err(|_| BadLine { line, why: "it is not UTF-8".into() })))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The answer takes as long for an unknown name as for the user with the slowest hash.
    #[test]
    fn unknown_names_are_compared_like_the_slowest_user() {
        let hash = "A".repeat(86) + "==";
        let mut access = Access::default();
        let slowest = |access: &Access| match access.admit(Some("nobody"), b"x") {
            Admission::Compare(stored) => stored.iterations().map(NonZeroU32::get),
            other => panic!("{other:?}"),
        };
        access.add_user("anna", b"secret");
        assert_eq!(slowest(&access), None);
        let file = format!("a:$7$101$AA==${hash}\nb:$7$20000$AA==${hash}\nc:$6$AA==${hash}\n");
        access.add_password_file(file.as_bytes()).unwrap();
        assert_eq!(slowest(&access), Some(20_000));
    }

    #[test]
    fn reload_of_the_same_password_admits_as_before() {
        let access = |name: &str, password: &[u8]| {
            let mut access = Access::default();
            access.add_user(name, password);
            access
        };
        let before = access("anna", b"secret");
        assert!(access("anna", b"secret").still_admits(&before, Some("anna")));
        assert!(!access("anna", b"other").still_admits(&before, Some("anna")));
        assert!(!access("bert", b"secret").still_admits(&before, Some("anna")));
    }
}
