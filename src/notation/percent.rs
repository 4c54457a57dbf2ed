//! Percent-coding ([RFC 3986], section 2.1).

use percent_encoding::percent_decode_str;

/// Replaces each `%XX` by its byte.
///
/// # Errors
/// A `%` without two hexadecimal digits after it.
pub fn decode(text: &str) -> Result<Vec<u8>, &'static str> {
    let mut codes = text.as_bytes().split(|byte| *byte == b'%').skip(1);
    if codes.all(|code| code.len() >= 2 && code[..2].iter().all(u8::is_ascii_hexdigit)) {
        Ok(percent_decode_str(text).collect())
    } else {
        Err("'%' begins a two-digit hexadecimal code; write '%' itself as %25")
    }
}

/// Like [`decode`], for text that may not be percent-coded: invalid codes stay as they are.
#[must_use]
pub fn decode_lossy(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_decoded_and_half_codes_refused() {
        assert_eq!(decode("a%2Fb%2f%00%ff%25"), Ok(b"a/b/\0\xff%".to_vec()));
        for bad in ["%", "a%", "%2", "%%41", "%+1", "%g0", "%2é"] {
            assert!(decode(bad).is_err(), "{bad}");
            assert!(decode_lossy(bad).contains('%'), "{bad}");
        }
    }
}
