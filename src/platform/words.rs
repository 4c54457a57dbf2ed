//! Words of a command line and of the environment as bytes. On Unix these are any bytes. Elsewhere they are text: what
//! is not UTF-8 gets replacement characters.

use std::ffi::OsString;

/// A word with these bytes.
#[cfg(unix)]
pub(crate) fn from_bytes(bytes: Vec<u8>) -> OsString {
    std::os::unix::ffi::OsStringExt::from_vec(bytes)
}

/// A word with these bytes.
#[cfg(not(unix))]
pub(crate) fn from_bytes(bytes: Vec<u8>) -> OsString {
    String::from_utf8_lossy(&bytes).into_owned().into()
}
