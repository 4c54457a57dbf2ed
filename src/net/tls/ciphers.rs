//! Cipher suites by IANA or OpenSSL name.

use tokio_rustls::rustls::{CipherSuite, SupportedCipherSuite};

use crate::error::Error;
use crate::quotation;

/// The suites of a list, in its order, chosen from `known`. Names are IANA's (`TLS_AES_128_GCM_SHA256`) or
/// OpenSSL's (`ECDHE-RSA-AES128-GCM-SHA256`), separated by colons, commas or spaces.
///
/// # Errors
///
/// [`Error::Usage`] for an unknown name, with a hint that lists the known ones.
pub(super) fn chosen(list: &str, known: &[SupportedCipherSuite]) -> Result<Vec<SupportedCipherSuite>, Error> {
    let hint = || {
        let names: Vec<String> = known.iter().map(|suite| iana_name(suite.suite())).collect();
        format!("there are {}", names.join(", "))
    };
    let mut suites: Vec<SupportedCipherSuite> = Vec::new();
    for name in list.split([':', ',', ' ']).filter(|name| !name.is_empty()) {
        let found = known.iter().find(|suite| is_name_of(name, suite.suite())).ok_or_else(|| {
            Error::usage(format!("--ciphers: unknown cipher suite '{}'", quotation::shown(name)))
                .with_hint(hint())
        })?;
        if !suites.contains(found) {
            suites.push(*found);
        }
    }
    if suites.is_empty() {
        return Err(Error::usage("--ciphers: the list of cipher suites is empty").with_hint(hint()));
    }
    Ok(suites)
}

fn is_name_of(name: &str, suite: CipherSuite) -> bool {
    let iana = iana_name(suite);
    name.eq_ignore_ascii_case(&iana) || name.eq_ignore_ascii_case(&openssl_name(&iana))
}

/// A cipher suite's IANA name. rustls writes `TLS13_` for the suites of TLS 1.3.
pub(super) fn iana_name(suite: CipherSuite) -> String {
    match suite.as_str() {
        Some(name) => name.replacen("TLS13_", "TLS_", 1),
        None => format!("{suite:?}"),
    }
}

/// OpenSSL's name, from IANA's: `TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256` is `ECDHE-RSA-AES128-GCM-SHA256`;
/// names with ChaCha20-Poly1305 omit the hash. Suites of TLS 1.3 have one name.
fn openssl_name(iana: &str) -> String {
    match iana.strip_prefix("TLS_").and_then(|rest| rest.split_once("_WITH_")) {
        Some((key_exchange, cipher)) => {
            let cipher = cipher
                .replace("AES_128", "AES128")
                .replace("AES_256", "AES256")
                .replace("CHACHA20_POLY1305_SHA256", "CHACHA20_POLY1305");
            format!("{key_exchange}_{cipher}").replace('_', "-")
        }
        None => iana.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use tokio_rustls::rustls::crypto::aws_lc_rs::ALL_CIPHER_SUITES;

    use super::*;

    fn names(list: &str) -> Vec<String> {
        let suites = chosen(list, ALL_CIPHER_SUITES).unwrap();
        suites.iter().map(|suite| iana_name(suite.suite())).collect()
    }

    #[test]
    fn both_kinds_of_names_are_known() {
        assert_eq!(
            names("ECDHE-RSA-AES128-GCM-SHA256:tls_aes_256_gcm_sha384, ECDHE-ECDSA-CHACHA20-POLY1305"),
            [
                "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
                "TLS_AES_256_GCM_SHA384",
                "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"
            ]
        );
        assert_eq!(
            names("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 ECDHE-RSA-AES128-GCM-SHA256"),
            ["TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"]
        );
        for suite in ALL_CIPHER_SUITES {
            let iana = iana_name(suite.suite());
            assert_eq!(names(&iana), [iana.as_str()]);
            assert_eq!(names(&openssl_name(&iana)), [iana.as_str()]);
        }
    }

    #[test]
    fn unknown_names_get_the_list() {
        for list in ["HIGH:!aNULL", "RC4-SHA", "", " : "] {
            let error = chosen(list, ALL_CIPHER_SUITES).unwrap_err();
            assert!(matches!(error, Error::Usage { .. }));
            assert!(error.hint().unwrap().contains("TLS_AES_128_GCM_SHA256"), "{error}");
        }
    }
}
