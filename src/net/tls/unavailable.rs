//! Features of OpenSSL's clients that are not supported, and what to use instead.

use crate::error::Error;

/// A feature of other clients that rustls lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unavailable {
    /// `--psk`, `--psk-identity`.
    PreSharedKey,
    /// `--tls-engine`, `--keyform engine`, `--tls-engine-kpass-sha1`.
    Engine,
}

/// The usage error for `flag`, which asks for the feature.
#[must_use]
pub fn unavailable(flag: &str, feature: Unavailable) -> Error {
    let (what, instead) = match feature {
        Unavailable::PreSharedKey => (
            "pre-shared keys",
            "use certificates (--cafile, --cert, --key), or a local tunnel that speaks TLS-PSK (stunnel) \
             and connect to that",
        ),
        Unavailable::Engine => (
            "engines",
            "give the key as a file (--key), or let a local tunnel with the engine (stunnel) speak TLS and \
             connect to that",
        ),
    };
    Error::usage(format!("{flag}: the TLS library here (rustls) has no {what}")).with_hint(instead)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_error_names_the_flag_and_a_way_out() {
        let error = unavailable("--psk", Unavailable::PreSharedKey);
        assert_eq!(error.to_string(), "--psk: the TLS library here (rustls) has no pre-shared keys");
        assert!(error.hint().unwrap().contains("--cert"));
        let error = unavailable("--tls-engine", Unavailable::Engine);
        assert!(error.to_string().contains("no engines"));
    }
}
