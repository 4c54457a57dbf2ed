//! Passwords as mosquitto's `mosquitto_passwd` stores them.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::{Arc, LazyLock};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{self, SHA512, SHA512_OUTPUT_LEN};
use aws_lc_rs::{pbkdf2, rand};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::{BadLine, lines};

/// A larger number would take minutes of CPU time.
const MOST_ITERATIONS: u32 = 10_000_000;
const SALT_BYTES: usize = 12;

/// The salt of all passwords that are known. With the same salt, the same password has the same hash: a reload
/// of an unchanged password changes nothing. The salt protects only against a leaked hash, and these hashes are
/// never written anywhere.
static OWN_SALT: LazyLock<[u8; SALT_BYTES]> = LazyLock::new(|| {
    let mut salt = [0; SALT_BYTES];
    let _ = rand::fill(&mut salt);
    salt
});

/// A password that can be compared but not read.
#[derive(PartialEq, Eq)]
pub(in crate::broker) struct StoredPassword {
    /// The iterations of PBKDF2; `None` stands for one SHA-512 of password and salt.
    iterations: Option<NonZeroU32>,
    salt: Vec<u8>,
    hash: [u8; SHA512_OUTPUT_LEN],
}

impl StoredPassword {
    /// Hashes a known password.
    pub(super) fn of(password: &[u8]) -> Self {
        let salt = OWN_SALT.to_vec();
        let hash = salted(password, &salt);
        Self { iterations: None, salt, hash }
    }

    /// A password that no text matches. To compare with it takes as long as with one of so many iterations.
    pub(super) fn unmatched(iterations: Option<NonZeroU32>) -> Self {
        let mut hash = [0; SHA512_OUTPUT_LEN];
        // Even if the system gives no random numbers, no text with this hash is known.
        let _ = rand::fill(&mut hash);
        Self { iterations, salt: OWN_SALT.to_vec(), hash }
    }

    /// The iterations of PBKDF2; `None` if it is not used.
    pub(super) fn iterations(&self) -> Option<NonZeroU32> {
        self.iterations
    }

    /// Whether the password matches, compared in constant time.
    pub(in crate::broker) fn is(&self, password: &[u8]) -> bool {
        match self.iterations {
            None => verify_slices_are_equal(&salted(password, &self.salt), &self.hash).is_ok(),
            Some(iterations) => {
                // HMAC fills a key up with zeros: the hash of a password is also that of the password and a zero byte,
                // which no password of `mosquitto_passwd` has.
                pbkdf2::verify(pbkdf2::PBKDF2_HMAC_SHA512, iterations, &self.salt, password, &self.hash)
                    .is_ok()
                    && !password.ends_with(b"\0")
            }
        }
    }

    fn read(text: &str) -> Result<Self, &'static str> {
        const FORM: &str = "use a hash of mosquitto_passwd, which begins with $7$ or $6$; `mosquitto_passwd -U FILE` \
                            hashes passwords in plain text";
        let mut parts = text.strip_prefix('$').ok_or(FORM)?.split('$');
        let iterations = match parts.next() {
            Some("7") => {
                let number = parts.next().and_then(|number| number.parse().ok()).and_then(NonZeroU32::new);
                let number = number.filter(|number| number.get() <= MOST_ITERATIONS);
                Some(number.ok_or("the number of iterations has to be 1 to 10,000,000")?)
            }
            Some("6") => None,
            Some("argon2id") => {
                return Err(
                    "argon2id is not supported; `mosquitto_passwd -H sha512-pbkdf2` makes a hash that is",
                );
            }
            _ => return Err(FORM),
        };
        let (Some(salt), Some(hash), None) = (parts.next(), parts.next(), parts.next()) else {
            return Err(FORM);
        };
        let decode = |text: &str| STANDARD.decode(text).map_err(|_| "invalid base64");
        let hash = decode(hash)?.try_into().map_err(|_| "the hash has to have 64 bytes")?;
        Ok(Self { iterations, salt: decode(salt)?, hash })
    }
}

fn salted(password: &[u8], salt: &[u8]) -> [u8; SHA512_OUTPUT_LEN] {
    let mut context = digest::Context::new(&SHA512);
    context.update(password);
    context.update(salt);
    let mut hash = [0; SHA512_OUTPUT_LEN];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// Shows neither hash nor salt.
impl fmt::Debug for StoredPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoredPassword").field("iterations", &self.iterations).finish_non_exhaustive()
    }
}

/// The users of a password file.
pub(super) fn read(text: &[u8]) -> Result<HashMap<String, Arc<StoredPassword>>, BadLine> {
    let mut users = HashMap::new();
    for (line, text) in lines(text) {
        let text = text?;
        let bad = |why: &str| BadLine { line, why: why.to_owned() };
        let (name, stored) = text.split_once(':').ok_or_else(|| bad("use NAME:HASH"))?;
        if name.is_empty() {
            return Err(bad("the user name is empty"));
        }
        let stored = StoredPassword::read(stored).map_err(bad)?;
        if users.insert(name.to_owned(), Arc::new(stored)).is_some() {
            return Err(bad("duplicate user name"));
        }
    }
    Ok(users)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by `mosquitto_passwd` 2.0.11 with `-H sha512-pbkdf2` and `-H sha512`.
    const FILE: &str = "# users\n\nanna:$7$101$iB3JrzTF9OjNVJtK$Xt6t1ffjGRwalu7vfz26PsKHZNlICqUZher30R1h+jIkYYhOBsx5uOyjExt8N0Ub+lQ85IoCVUIIJBrw4KdYfA==\r\n\
        bert:$6$mc+EMw/1llMsP6EG$t5GjO5BeMMxB2Y0SyOrG++AvP7xo+S6OUi89eMt7kQ4iSuUEW0XHG39wy78EhBiR7h9/1muXNeUlQP4QXKZ5KQ==\n";

    #[test]
    fn hashes_of_mosquitto_passwd_are_compared() {
        let users = read(FILE.as_bytes()).unwrap();
        assert_eq!(users.len(), 2);
        for (name, password) in [("anna", "pass word"), ("bert", "secret")] {
            assert!(users[name].is(password.as_bytes()), "{name}");
            assert!(!users[name].is(b"other"), "{name}");
            assert!(!users[name].is(format!("{password}\0").as_bytes()), "{name}");
        }
    }

    #[test]
    fn own_passwords_are_compared() {
        let stored = StoredPassword::of(b"secret");
        assert!(stored.is(b"secret"));
        assert!(!stored.is(b"secreT"));
        assert!(!stored.is(b""));
        assert!(!format!("{stored:?}").contains("hash"));
        // So that a reload recognizes it.
        assert!(stored == StoredPassword::of(b"secret") && stored != StoredPassword::of(b"secreT"));
    }

    #[test]
    fn bad_lines_are_named() {
        let hash = STANDARD.encode([0; 64]);
        for (line, why) in [
            ("anna", "use NAME:HASH"),
            (":$6$AA==$AA==", "the user name is empty"),
            ("anna:secret", "mosquitto_passwd -U"),
            ("anna:$5$AA==$AA==", "begins with $7$ or $6$"),
            ("anna:$argon2id$v=19$x$y", "argon2id is not supported"),
            ("anna:$7$0$AA==$AA==", "1 to 10,000,000"),
            ("anna:$7$10000001$AA==$AA==", "1 to 10,000,000"),
            ("anna:$6$AA==", "begins with $7$ or $6$"),
            ("anna:$6$AA==$A", "invalid base64"),
            ("anna:$6$AA==$AA==", "64 bytes"),
        ] {
            let text = format!("bert:$6$AA==${hash}\n#\n{line}\n");
            let bad = read(text.as_bytes()).unwrap_err();
            assert!(bad.line == 3 && bad.why.contains(why), "{line}: {bad:?}");
            assert!(!bad.why.contains("secret"));
        }
        let twice = format!("a:$6$AA==${hash}\na:$6$AA==${hash}");
        assert_eq!(read(twice.as_bytes()).unwrap_err().line, 2);
    }
}
