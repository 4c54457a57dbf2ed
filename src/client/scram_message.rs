//! The messages of a SCRAM broker (RFC 5802, section 7), checked before use: `rsasl` reports errors in them
//! in the terms of its parser.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;

use crate::error::{Error, Layer};
use crate::masking::masked;
use crate::quotation::shown;

/// Maximum number of SCRAM iterations: about a second. Brokers use from 4,096 (RFC 5802) to about a million.
const MOST_ITERATIONS: u32 = 2_000_000;

const CHECK_METHOD: &str = "check the method (--auth-method), and whether the broker supports it";
const CHECK_CREDENTIALS: &str = "check the user name (-u) and the password (-P)";

/// Checks `r=NONCE,s=SALT,i=ITERATIONS`; the nonce has to begin with the one at the end of the client's first
/// message.
pub(super) fn check_first(message: &[u8], client_first: &[u8]) -> Result<(), Error> {
    check_error(message)?;
    if message.starts_with(b"m=") {
        return Err(failed(&format!(
            "the broker asks for an extension of SCRAM that is not supported: {}",
            quoted(message)
        ))
        .with_hint("another --auth-method may do without it"));
    }
    let mut attributes = message.split(|byte| *byte == b',');
    let mut value = |name: &[u8]| attributes.next().and_then(|attribute| attribute.strip_prefix(name));
    let (Some(nonce), Some(salt), Some(iterations)) = (value(b"r="), value(b"s="), value(b"i=")) else {
        return Err(invalid(message));
    };
    let name = client_first.windows(3).rposition(|bytes| bytes == b",r=");
    let ours = name.map_or(client_first, |at| &client_first[at + 3..]);
    if nonce.strip_prefix(ours).is_none_or(<[u8]>::is_empty) {
        return Err(failed("the broker's nonce does not continue the client's").with_hint(
            "this is the answer to another client, or the broker does not implement SCRAM correctly",
        ));
    }
    if BASE64.decode(salt).is_err() {
        return Err(
            failed(&format!("the broker's salt is invalid base64: {}", quoted(salt))).with_hint(CHECK_METHOD)
        );
    }
    check_iterations(iterations)
}

/// Checks `v=SIGNATURE`.
pub(super) fn check_final(message: &[u8]) -> Result<(), Error> {
    check_error(message)?;
    let mut attributes = message.split(|byte| *byte == b',');
    let signature = attributes.next().and_then(|first| first.strip_prefix(b"v="));
    if signature.is_some_and(|signature| BASE64.decode(signature).is_ok()) {
        Ok(())
    } else {
        Err(invalid(message))
    }
}

/// The error for the broker's last message instead of its first.
pub(super) fn skipped() -> Error {
    failed("the broker sent its signature before it has sent salt and nonce").with_hint(CHECK_METHOD)
}

/// The error for a message that SCRAM does not allow at this point.
pub(super) fn invalid(message: &[u8]) -> Error {
    let cause = if message.is_empty() {
        "the broker's answer has no SCRAM message (authentication data)".to_owned()
    } else {
        format!("the broker's answer is not the SCRAM message that is expected: {}", quoted(message))
    };
    failed(&cause).with_hint(CHECK_METHOD)
}

/// Checks for `e=REASON`, which may replace any message. The registered reasons are words such as
/// `invalid-proof`.
fn check_error(message: &[u8]) -> Result<(), Error> {
    let Some(rest) = message.strip_prefix(b"e=") else { return Ok(()) };
    let why = rest.split(|byte| *byte == b',').next().unwrap_or_default();
    let hint = match why {
        b"unknown-user" | b"invalid-proof" | b"invalid-username-encoding" | b"other-error" => {
            CHECK_CREDENTIALS
        }
        _ => CHECK_METHOD,
    };
    Err(failed(&format!("the broker refuses it: {}", quoted(why))).with_hint(hint))
}

fn check_iterations(text: &[u8]) -> Result<(), Error> {
    let number = std::str::from_utf8(text).ok().and_then(|text| text.parse::<u64>().ok());
    match number {
        Some(number) if (1..=u64::from(MOST_ITERATIONS)).contains(&number) => Ok(()),
        Some(number) if number > 0 => {
            let cause = format!(
                "SCRAM: the broker asks for {number} iterations; at most {MOST_ITERATIONS} are supported"
            );
            Err(Error::fatal(Layer::Mqtt, cause)
                .with_hint("such a number stalls the client; check the broker"))
        }
        _ => Err(failed(&format!("the broker's number of SCRAM iterations is invalid: {}", quoted(text)))
            .with_hint(CHECK_METHOD)),
    }
}

fn failed(cause: &str) -> Error {
    Error::fatal(Layer::Mqtt, format!("authentication: {cause}"))
}

/// A text of the broker, with secrets masked, shortened and made printable.
fn quoted(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let masked = masked(&text);
    let shown = if masked == text { shown(bytes) } else { shown(&*masked) };
    format!("'{shown}'")
}
