//! Who may connect, and what each client may publish and receive: in the formats of mosquitto's password and
//! ACL files.

mod passwords;
mod permissions;

use std::collections::HashMap;
use std::sync::Arc;

pub(super) use self::passwords::StoredPassword;
use self::permissions::Permissions;
pub(super) use self::permissions::Rights;

/// Why a file cannot be used, and in which line, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadLine {
    /// The line.
    pub line: usize,
    /// What is wrong with it. It repeats no password.
    pub why: String,
}

/// Which clients may connect, and what each of them may do. By default every client may connect and do everything.
#[derive(Debug, Clone, Default)]
pub struct Access {
    /// `None`: there are no users, and no client needs a user name.
    users: Option<HashMap<String, Arc<StoredPassword>>>,
    permissions: Option<Permissions>,
    /// Whether a client without a user name is let in where there are users.
    anonymous: bool,
}

/// What is to be done about a client's user name and password.
#[derive(Debug)]
pub(super) enum Admission {
    /// It is let in under no name.
    Anonymous,
    /// It is let in under the name that it gives, as there are no users.
    Unchecked,
    Refused,
    /// The password is to be compared, which takes its time. Nothing is stored for a name that does not exist,
    /// and the comparison takes as long.
    Compare(Option<Arc<StoredPassword>>),
}

impl Access {
    /// Adds a user, or replaces the one of that name.
    pub fn add_user(&mut self, name: &str, password: &[u8]) {
        let users = self.users.get_or_insert_default();
        users.insert(name.to_owned(), Arc::new(StoredPassword::of(password)));
    }

    /// Adds the users of a password file of mosquitto's: a line for each, a name, a colon, and the hash of its
    /// password in the format `$7$` or `$6$`.
    ///
    /// # Errors
    /// A line that has another form.
    pub fn add_password_file(&mut self, text: &[u8]) -> Result<(), BadLine> {
        let read = passwords::read(text)?;
        self.users.get_or_insert_default().extend(read);
        Ok(())
    }

    /// Takes what clients may do from an ACL file of mosquitto's.
    ///
    /// # Errors
    /// A line that has another form.
    pub fn set_acl_file(&mut self, text: &[u8]) -> Result<(), BadLine> {
        self.permissions = Some(Permissions::read(text)?);
        Ok(())
    }

    /// Lets clients without a user name in.
    pub fn allow_anonymous(&mut self) {
        self.anonymous = true;
    }

    /// Whether there are rules for what clients may do.
    pub(super) fn has_permissions(&self) -> bool {
        self.permissions.is_some()
    }

    pub(super) fn admit(&self, user_name: Option<&str>) -> Admission {
        match (&self.users, user_name) {
            (None, _) => Admission::Unchecked,
            (Some(_), None) if self.anonymous => Admission::Anonymous,
            (Some(_), None) => Admission::Refused,
            (Some(users), Some(name)) => Admission::Compare(users.get(name).cloned()),
        }
    }

    /// What a client may do; `None` is everything.
    pub(super) fn rights(&self, user_name: Option<&str>, client_identifier: &str) -> Option<Arc<Rights>> {
        self.permissions.as_ref().map(|permissions| Arc::new(permissions.of(user_name, client_identifier)))
    }

    /// Whether a client that `before` has let in under this name would be let in the same way.
    pub(super) fn still_admits(&self, before: &Self, user_name: Option<&str>) -> bool {
        let stored =
            |access: &Self, name: &str| access.users.as_ref().and_then(|users| users.get(name).cloned());
        match user_name {
            None => self.users.is_none() || self.anonymous,
            Some(name) => self.users.is_none() || stored(self, name) == stored(before, name),
        }
    }
}

/// The lines of a file with their numbers, without comments and empty ones.
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
