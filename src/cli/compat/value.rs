//! Single arguments of mosquitto's clients: their limits, and the errors outside them. Numbers are read as
//! C's `atoi` and `atof` read them, so text is 0.

use std::ffi::{OsStr, OsString};
use std::net::{IpAddr, Ipv6Addr, ToSocketAddrs as _};

use super::super::value::os_string;
use crate::notation::{HostPort, HostPortError};
use crate::output::Template;
use crate::protocol::topic;

/// The longest payload.
pub(super) const MOST_PAYLOAD_BYTES: usize = 268_435_455;
/// The maximum number of levels of a topic, minus one.
const MOST_SLASHES: usize = 200;

/// An error in a command line as it is written to standard error: a text that ends with one line feed, or
/// with two.
pub(super) type Misuse = String;

/// Accepts any argument.
#[expect(clippy::unnecessary_wraps, reason = "it is one of many, which can fail")]
pub(super) fn as_is(argument: &OsStr) -> Result<OsString, Misuse> {
    Ok(argument.to_owned())
}

/// The number at the start of a text.
pub(super) fn integer(argument: &OsStr) -> i32 {
    let number = long(argument);
    // Numbers out of range are undefined in C; its usual library keeps the low half.
    i32::try_from(number).unwrap_or(if number < 0 { i32::MIN } else { i32::MAX })
}

/// The number at the start of a text, in 64 bits.
pub(super) fn long(argument: &OsStr) -> i64 {
    let text = argument.as_encoded_bytes().trim_ascii_start();
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        rest => (false, rest.strip_prefix(b"+").unwrap_or(rest)),
    };
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    let add = |number: i64, digit: &u8| {
        let digit = i64::from(digit - b'0');
        number.saturating_mul(10).saturating_add(if negative { -digit } else { digit })
    };
    digits.fold(0, add)
}

/// The fraction at the start of a text.
fn float(argument: &OsStr) -> f64 {
    let text = argument.to_string_lossy();
    let text = text.trim_start();
    let mut ends = (0..=text.len()).rev().filter(|end| text.is_char_boundary(*end));
    ends.find_map(|end| text[..end].parse().ok()).unwrap_or(0.0)
}

/// The text of an error about an option, which an empty line follows.
fn wrong(text: impl std::fmt::Display) -> Misuse {
    format!("Error: {text}\n\n")
}

/// The text of an error without an empty line.
fn wrong_value(text: impl std::fmt::Display) -> Misuse {
    format!("Error: {text}\n")
}

fn within(
    argument: &OsStr,
    least: i32,
    most: i32,
    misuse: impl FnOnce(i32) -> Misuse,
) -> Result<OsString, Misuse> {
    let number = integer(argument);
    if (least..=most).contains(&number) { Ok(number.to_string().into()) } else { Err(misuse(number)) }
}

pub(super) fn count(argument: &OsStr) -> Result<OsString, Misuse> {
    within(argument, 1, i32::MAX, |number| wrong(format_args!("Invalid message count \"{number}\".")))
}

pub(super) fn keep_alive(argument: &OsStr) -> Result<OsString, Misuse> {
    within(argument, 5, u16::MAX.into(), |_| {
        wrong("Invalid keepalive given, it must be between 5 and 65535 inclusive.")
    })
}

/// A number above the standard's maximum becomes that maximum.
pub(super) fn max_inflight(argument: &OsStr) -> Result<OsString, Misuse> {
    within(argument, 1, i32::MAX, |_| wrong("Maximum inflight messages must be greater than 0."))?;
    Ok(integer(argument).min(u16::MAX.into()).to_string().into())
}

pub(super) fn message(argument: &OsStr) -> Result<OsString, Misuse> {
    if argument.len() > MOST_PAYLOAD_BYTES {
        return Err(wrong(format_args!("Message length must be less than {MOST_PAYLOAD_BYTES} bytes.")));
    }
    as_is(argument)
}

pub(super) fn port(argument: &OsStr) -> Result<OsString, Misuse> {
    within(argument, 0, u16::MAX.into(), |number| wrong_value(format_args!("Invalid port given: {number}")))
}

pub(super) fn qos(argument: &OsStr) -> Result<OsString, Misuse> {
    within(argument, 0, 2, |number| wrong_value(format_args!("Invalid QoS given: {number}")))
}

pub(super) fn will_qos(argument: &OsStr) -> Result<OsString, Misuse> {
    within(argument, 0, 2, |number| wrong(format_args!("Invalid will QoS {number}.")))
}

/// Percent. Numbers above 100 become 100: mosquitto accepts up to 1000, because of its wrong scale.
pub(super) fn chance(argument: &OsStr) -> Result<OsString, Misuse> {
    let percent = float(argument);
    if !(0.1..=1000.0).contains(&percent) {
        return Err(wrong("--random-filter chance must be between 0.1-100.0"));
    }
    Ok(percent.min(100.0).to_string().into())
}

pub(super) fn repeat(argument: &OsStr) -> Result<OsString, Misuse> {
    within(argument, 1, i32::MAX, |_| wrong("--repeat argument must be >0."))
}

pub(super) fn repeat_delay(argument: &OsStr) -> Result<OsString, Misuse> {
    let seconds = float(argument);
    if seconds < 0.0 {
        return Err(wrong("--repeat-delay argument must be >=0.0."));
    }
    Ok(seconds.to_string().into())
}

pub(super) fn retain_handling(argument: &OsStr) -> Result<OsString, Misuse> {
    if ["always", "new", "never"].iter().any(|when| argument == *when) {
        return as_is(argument);
    }
    Err(wrong(format_args!("Unknown value '{}' for --retain-handling.", argument.display())))
}

pub(super) fn timeout(argument: &OsStr) -> Result<OsString, Misuse> {
    within(argument, 1, i32::MAX, |number| wrong(format_args!("Invalid timeout \"{number}\".")))
}

/// A format as in `mqtt`, except that `mqtt` refuses time letters that `strftime` prints unchanged.
pub(super) fn format(argument: &OsStr) -> Result<OsString, Misuse> {
    let format = with_literal_times(argument.as_encoded_bytes());
    Template::parse(&format).map_err(|error| wrong_value(error.in_words_of_mosquitto()))?;
    Ok(os_string(format))
}

/// The format with `%%Q` instead of `@Q` for letters Q that `strftime` does not know.
fn with_literal_times(format: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = format;
    while let Some((first, behind)) = rest.split_first() {
        let whole = match first {
            b'%' => specifier_bytes(rest),
            b'@' | b'\\' => 2,
            _ => 1,
        };
        let (specifier, behind) = rest.split_at_checked(whole).unwrap_or((rest, &behind[behind.len()..]));
        rest = behind;
        match specifier {
            [b'@', b'%'] => out.extend_from_slice(b"%%"),
            [b'@', b'\\'] => out.extend_from_slice(br"%%\\"),
            [b'@', letter] if Template::parse(specifier).is_err() => {
                out.extend_from_slice(&[b'%', b'%', *letter]);
            }
            _ => out.extend_from_slice(specifier),
        }
    }
    out
}

/// The length of the specifier at the start: flag, width, precision, separator, letter.
fn specifier_bytes(text: &[u8]) -> usize {
    let digits = |from: usize| text[from..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut end = 1;
    end += usize::from(matches!(text.get(end), Some(b'-' | b'0')));
    end += digits(end);
    if text.get(end) == Some(&b'.') {
        end += 1;
        end += digits(end);
    }
    let is_separator = |byte: &u8| byte.is_ascii_punctuation() && *byte != b'%' || *byte == b' ';
    end += usize::from(text.get(end).is_some_and(is_separator) && text.len() > end + 1);
    end + 1
}

/// The local address of `-A`: a name means its first address.
pub(super) fn local_address(argument: &OsStr) -> Option<IpAddr> {
    let name = argument.to_str()?;
    name.parse().ok().or_else(|| Some((name, 0).to_socket_addrs().ok()?.next()?.ip()))
}

/// Whether it is one host to look up, and neither a list nor a host with a port, which `mqtt` accepts too.
pub(super) fn is_host(argument: &OsStr) -> bool {
    let Some(name) = argument.to_str().filter(|name| !name.is_empty()) else { return false };
    let address = name.split_once('%').map_or(name, |(address, _)| address);
    let is_name = |name: &str| !name.contains([',', ':', '[', ']', '/', ' ']);
    is_name(name) || address.parse::<Ipv6Addr>().is_ok()
}

/// Whether the text fits into a packet.
pub(super) fn is_short_text(argument: &OsStr) -> bool {
    is_text(argument) && u16::try_from(argument.len()).is_ok()
}

/// Whether mosquitto accepts the text in packets ([MQTT-1.5.4]): no control characters or noncharacters.
pub(super) fn is_text(argument: &OsStr) -> bool {
    argument.to_str().is_some_and(|text| topic::unwelcome(text).is_none())
}

fn checked(
    argument: &OsStr,
    option: &str,
    is_legal: impl Fn(&[u8]) -> bool,
    invalid: &str,
    question: &str,
) -> Result<OsString, Misuse> {
    if !is_text(argument) {
        return Err(wrong(format_args!("Malformed UTF-8 in {option} argument.")));
    }
    let bytes = argument.as_encoded_bytes();
    let slashes = bytes.split(|byte| *byte == b'/').count() - 1;
    if slashes > MOST_SLASHES || !is_legal(bytes) {
        let topic = argument.display();
        return Err(wrong_value(format_args!("Invalid {invalid} topic '{topic}', {question}?")));
    }
    as_is(argument)
}

fn name(argument: &OsStr, option: &str, invalid: &str) -> Result<OsString, Misuse> {
    let is_legal = |bytes: &[u8]| topic::check_name(bytes).is_ok();
    checked(argument, option, is_legal, invalid, "does it contain '+' or '#'")
}

fn filter(argument: &OsStr, option: &str, invalid: &str) -> Result<OsString, Misuse> {
    let is_legal = |bytes: &[u8]| topic::check_filter(bytes).is_ok();
    checked(argument, option, is_legal, invalid, "are all '+' and '#' wildcards correct")
}

pub(super) fn publish_topic(argument: &OsStr, option: &str) -> Result<OsString, Misuse> {
    name(argument, option, "publish")
}

pub(super) fn subscription(argument: &OsStr, option: &str) -> Result<OsString, Misuse> {
    filter(argument, option, "subscription")
}

pub(super) fn response_topic(argument: &OsStr) -> Result<OsString, Misuse> {
    name(argument, "-e", "response")
}

pub(super) fn will_topic(argument: &OsStr) -> Result<OsString, Misuse> {
    name(argument, "--will-topic", "will")
}

pub(super) fn filter_out(argument: &OsStr) -> Result<OsString, Misuse> {
    filter(argument, "-T", "filter")
}

pub(super) fn unsubscribe(argument: &OsStr) -> Result<OsString, Misuse> {
    filter(argument, "-U", "unsubscribe")
}

/// `socks5h://[USER[:PASSWORD]@]HOST[:PORT]`. `mqtt` decodes it in the way mosquitto intends: in mosquitto
/// `%40` becomes a colon.
pub(super) fn proxy(argument: &OsStr) -> Result<OsString, Misuse> {
    let url = argument.to_string_lossy();
    let Some(rest) = url.strip_prefix("socks5h://") else {
        return Err(wrong_value(format_args!("Unsupported proxy protocol: {url}")));
    };
    let (user, place) = rest.split_once('@').map_or((None, rest), |(user, place)| (Some(user), place));
    match user.map(|user| user.split(':').collect::<Vec<_>>()).as_deref() {
        // For a password without a user name mosquitto has no message.
        Some(["", _, ..]) => return Err(String::new()),
        Some([_, _, _, ..]) => return Err(wrong_value("Username cannot contain ':'.")),
        _ => {}
    }
    if place.matches('[').count() > 1 {
        return Err(wrong_value("Duplicate IPv6 address."));
    }
    match HostPort::from_authority(place) {
        Ok(_) => as_is(argument),
        Err(HostPortError::Port) => {
            let port = place.rsplit(':').next().unwrap_or_default();
            Err(wrong_value(format_args!("Invalid proxy port {}", integer(port.as_ref()))))
        }
        Err(_) => Err(wrong_value("Invalid proxy.")),
    }
}

/// Seconds, as C's `strtol` reads them with base 0; `-1`, `∞` and 4294967295 never expire.
pub(super) fn session_expiry(argument: &OsStr) -> Result<u32, Misuse> {
    if argument == "∞" {
        return Ok(u32::MAX);
    }
    let text = argument.to_str().unwrap_or_default().trim_ascii_start();
    let (negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (digits, base) = if let Some(hexadecimal) = digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        (hexadecimal, 16)
    } else if digits.len() > 1 && digits.starts_with('0') {
        (digits, 8)
    } else {
        (digits, 10)
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(base)) {
        return Err(wrong("session-expiry-interval not a number."));
    }
    let seconds = i64::from_str_radix(digits, base).unwrap_or(i64::MAX);
    match if negative { -seconds } else { seconds } {
        -1 => Ok(u32::MAX),
        seconds => u32::try_from(seconds).map_err(|_| wrong("session-expiry-interval out of range.")),
    }
}

/// An OpenSSL list of cipher suites as a list of names; `None` if it contains a class of suites, such as
/// `HIGH`. All suites supported here belong to the usual classes, and operators only remove or sort suites.
pub(super) fn ciphers(list: &OsStr) -> Option<OsString> {
    let Some(text) = list.to_str() else { return Some(list.to_owned()) };
    let names = text.split([':', ',', ' ']).filter_map(|name| name.split('@').next());
    let names: Vec<&str> =
        names.filter(|name| !name.is_empty() && !name.starts_with(['!', '-', '+'])).collect();
    if names.is_empty() {
        return Some(list.to_owned()); // `mqtt` refuses it.
    }
    let is_suite = |name: &&str| name.contains(['-', '_']);
    names.iter().all(is_suite).then(|| names.join(":").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_of_cipher_suites_allow_all() {
        for (list, expected) in [
            ("DEFAULT", None),
            ("HIGH:!aNULL", None),
            ("DEFAULT@SECLEVEL=0", None),
            ("ECDHE+AESGCM:ECDHE-RSA-AES256-GCM-SHA384", None),
            ("ECDHE-RSA-AES256-GCM-SHA384:!aNULL:@STRENGTH", Some("ECDHE-RSA-AES256-GCM-SHA384")),
            ("TLS_AES_128_GCM_SHA256", Some("TLS_AES_128_GCM_SHA256")),
            ("!aNULL", Some("!aNULL")),
        ] {
            assert_eq!(ciphers(list.as_ref()), expected.map(OsString::from), "{list}");
        }
    }

    #[test]
    fn time_letters_that_strftime_prints_are_literal() {
        for (format, literal) in [
            ("@Y-@m", "@Y-@m"),
            ("@Q@%@@Q", "%%Q%%@@Q"),
            ("@\\n", r"%%\\n"),
            (r"\@Y", r"\@Y"),
            ("%.2@x@!", "%.2@x%%!"),
            ("%-08.3@Q", "%-08.3@Q"),
            ("%@", "%@"),
            ("@ü", "%%ü"),
            ("@", "@"),
            ("%", "%"),
        ] {
            assert_eq!(with_literal_times(format.as_bytes()), literal.as_bytes(), "{format}");
        }
    }

    #[test]
    fn hosts_are_single_names_and_addresses() {
        for host in ["a", "a.b-c_d", "127.0.0.1", "::1", "fe80::1%eth0"] {
            assert!(is_host(host.as_ref()), "{host}");
        }
        for host in ["", "a,b", "a:1883", "[::1]", "mqtt://a", "a b"] {
            assert!(!is_host(host.as_ref()), "{host}");
        }
    }

    #[test]
    fn numbers_are_read_as_c_reads_them() {
        for (text, number) in
            [("7", 7), (" +7x", 7), ("-3", -3), ("abc", 0), ("", 0), ("99999999999999999999", i32::MAX)]
        {
            assert_eq!(integer(text.as_ref()), number, "{text}");
        }
        for (text, number) in [("0.5", 0.5), (".5s", 0.5), ("1e3", 1000.0), ("x", 0.0), ("2.", 2.0)] {
            assert!((float(text.as_ref()) - number).abs() < f64::EPSILON, "{text}");
        }
    }

    #[test]
    fn session_expiry_is_read_with_every_base() {
        for (text, seconds) in
            [("0", 0), ("60", 60), ("0x10", 16), ("010", 8), ("-1", u32::MAX), ("4294967295", u32::MAX)]
        {
            assert_eq!(session_expiry(text.as_ref()), Ok(seconds), "{text}");
        }
        for (text, why) in [
            ("", "not a number"),
            ("1s", "not a number"),
            ("-2", "out of range"),
            ("4294967296", "out of range"),
        ] {
            assert!(session_expiry(text.as_ref()).unwrap_err().contains(why), "{text}");
        }
    }
}
