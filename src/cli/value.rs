//! Stage one: parsers of single values. A parser sees only its own value; the code that resolves the options
//! checks rules between them.

use std::ffi::OsString;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use clap::ValueEnum;
use clap::builder::{OsStringValueParser, PossibleValuesParser, TypedValueParser};

use crate::client::options::{Secret, Version};
use crate::command::subscribe::FailurePolicy;
use crate::net::Proxy;
use crate::notation::{HostPort, HostPortError, Size, expression};
use crate::output::ColorChoice;
pub(super) use crate::platform::words::from_bytes as os_string;
use crate::protocol::wire::{self, TopicAlias};
use crate::protocol::{Protocol, QoS};

/// Session Expiry Interval of a session that never expires ([MQTT-3.1.2.11.2]).
pub(super) const NEVER_EXPIRES: u32 = u32::MAX;

/// When to use colour.
pub(super) fn color() -> impl TypedValueParser<Value = ColorChoice> {
    PossibleValuesParser::new(["auto", "always", "never"]).map(|text| match text.as_str() {
        "always" => ColorChoice::Always,
        "never" => ColorChoice::Never,
        _ => ColorChoice::Auto,
    })
}

/// What to do when a program fails on a message.
pub(super) fn on_program_error() -> impl TypedValueParser<Value = FailurePolicy> {
    PossibleValuesParser::new(["skip", "show", "stop"]).map(|text| match text.as_str() {
        "show" => FailurePolicy::Show,
        "stop" => FailurePolicy::Stop,
        _ => FailurePolicy::Skip,
    })
}

/// Quality of service, `0`, `1` or `2`.
pub(super) fn qos() -> impl TypedValueParser<Value = QoS> {
    PossibleValuesParser::new(["0", "1", "2"]).map(|text| match text.as_str() {
        "2" => QoS::ExactlyOnce,
        "1" => QoS::AtLeastOnce,
        _ => QoS::AtMostOnce,
    })
}

/// The values of `-V`: mosquitto's spellings, `auto`, and the names of the versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ProtocolVersion {
    /// MQTT 5, and 3.1.1 if the broker refuses the version
    Auto,
    /// MQTT 3.1
    #[value(name = "31", alias = "mqttv31", alias = "3.1")]
    V31,
    /// MQTT 3.1.1
    #[value(name = "311", alias = "mqttv311", alias = "3.1.1")]
    V311,
    /// MQTT 5
    #[value(name = "5", alias = "mqttv5", alias = "5.0")]
    V5,
}

impl From<ProtocolVersion> for Version {
    fn from(version: ProtocolVersion) -> Self {
        match version {
            ProtocolVersion::Auto => Self::Auto,
            ProtocolVersion::V31 => Self::Only(Protocol::V3_1),
            ProtocolVersion::V311 => Self::Only(Protocol::V3_1_1),
            ProtocolVersion::V5 => Self::Only(Protocol::V5),
        }
    }
}

/// The values of `--retain-handling`, with the numbers of the standard ([MQTT-3.8.3.1]).
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum RetainHandling {
    /// At every subscribe
    #[value(alias = "0")]
    Always,
    /// Only if the subscription did not exist
    #[value(alias = "1")]
    New,
    /// Never
    #[value(alias = "2")]
    Never,
}

impl RetainHandling {
    /// The two bits in the Subscription Options.
    pub(super) fn number(self) -> u8 {
        match self {
            Self::Always => 0,
            Self::New => 1,
            Self::Never => 2,
        }
    }
}

/// The value of `--reconnect`: how many attempts in a row may fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ReconnectAttempts(pub(super) Option<u32>);

impl std::str::FromStr for ReconnectAttempts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "never" => Ok(Self(Some(0))),
            "always" => Ok(Self(None)),
            number => {
                let number = number.parse().map_err(|_| "use 'never', 'always' or a number of attempts")?;
                Ok(Self(Some(number)))
            }
        }
    }
}

/// A regular expression for text.
pub(super) fn expression(text: &str) -> Result<regex::Regex, String> {
    regex::Regex::new(text).map_err(|error| expression::wrong(&error))
}

/// A regular expression for bytes.
pub(super) fn bytes_expression(text: &str) -> Result<regex::bytes::Regex, String> {
    regex::bytes::Regex::new(text).map_err(|error| expression::wrong(&error))
}

/// A duration: seconds, with or without a fraction, or with units.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    const FORM: &str = "use seconds or units, for example 90, 0.5, 250ms or 1h30m";
    const TOO_LONG: &str = "it is too long";
    /// Ten thousand years: adding a duration to a clock must not overflow.
    const LONGEST: Duration = Duration::from_secs(60 * 60 * 24 * 365 * 10_000);
    let duration = if let Ok(seconds) = text.parse::<f64>() {
        Duration::try_from_secs_f64(seconds)
            .map_err(|_| if seconds < 0.0 { "it cannot be negative" } else { FORM })?
    } else {
        humantime::parse_duration(text).map_err(|error| match error {
            humantime::DurationError::NumberOverflow => TOO_LONG,
            _ => FORM,
        })?
    };
    if duration > LONGEST { Err(TOO_LONG.into()) } else { Ok(duration) }
}

/// A duration that is not zero.
pub(super) fn positive_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("it must be longer than 0".into()),
        duration => Ok(duration),
    }
}

/// Whole seconds within the limits of the standard.
fn whole_seconds<T: TryFrom<u64>>(text: &str, most: u32) -> Result<T, String> {
    let duration = duration(text)?;
    if duration.subsec_nanos() != 0 {
        return Err("MQTT counts it in whole seconds".into());
    }
    T::try_from(duration.as_secs()).map_err(|_| format!("it must be 0 to {most} seconds"))
}

/// Whole seconds in four bytes.
pub(super) fn seconds(text: &str) -> Result<u32, String> {
    whole_seconds(text, u32::MAX)
}

/// Keep Alive. mosquitto's clients refuse 1 to 4 and cannot turn it off; the standard has no such rule
/// ([MQTT-3.1.2.10]).
pub(super) fn keep_alive(text: &str) -> Result<u16, String> {
    whole_seconds(text, u16::MAX.into())
}

/// Session Expiry Interval in seconds; `-1`, `∞`, `infinite` and `never` for a session without end.
pub(super) fn session_expiry(text: &str) -> Result<u32, String> {
    match text {
        "-1" | "∞" | "infinite" | "never" => Ok(NEVER_EXPIRES),
        _ => whole_seconds(text, u32::MAX)
            .map_err(|why| format!("{why} (or 'never' for a session that does not expire)")),
    }
}

/// A whole number of 64 bits, such as a seed.
pub(super) fn any_number(text: &str) -> Result<u64, String> {
    number(text, 0, u64::MAX)
}

/// A whole number between two bounds, which the error names.
fn number<T: TryFrom<u64>>(text: &str, least: u64, most: u64) -> Result<T, String> {
    let number: Option<u64> = text.parse().ok().filter(|number| (least..=most).contains(number));
    number.and_then(|number| T::try_from(number).ok()).ok_or_else(|| {
        if most == u64::MAX {
            format!("it must be a whole number, at least {least}")
        } else {
            format!("it must be a whole number, {least} to {most}")
        }
    })
}

/// The value of `--topic-alias`.
pub(super) fn topic_alias(text: &str) -> Result<TopicAlias, String> {
    match text {
        "auto" => Ok(TopicAlias::Auto),
        _ => number(text, 1, u16::MAX.into()).map(TopicAlias::Fixed).map_err(|why| format!("{why}, or auto")),
    }
}

/// The port of a broker.
pub(super) fn port(text: &str) -> Result<u16, String> {
    number(text, 1, u16::MAX.into())
}

/// A port to listen on; 0 is any free one.
#[cfg(feature = "broker")]
pub(super) fn local_port(text: &str) -> Result<u16, String> {
    number(text, 0, u16::MAX.into())
}

/// A number of messages, at least one.
pub(super) fn count(text: &str) -> Result<u64, String> {
    number(text, 1, u64::MAX)
}

/// A number of clients, threads, messages of a topic and the like, at least one.
pub(super) fn clients(text: &str) -> Result<u32, String> {
    number(text, 1, u32::MAX.into())
}

/// A number of topic filters of a client, which are in one packet.
pub(super) fn filters(text: &str) -> Result<u32, String> {
    number(text, 1, 1_000_000)
}

/// A number of messages in flight, within the range of Receive Maximum ([MQTT-3.1.2.11.3]).
pub(super) fn inflight(text: &str) -> Result<u16, String> {
    number(text, 1, u16::MAX.into())
}

/// The size of a packet.
pub(super) fn packet_bytes(text: &str) -> Result<u32, String> {
    number(&size(text)?.to_string(), 1, wire::LARGEST_PACKET_BYTES.into())
}

/// A number of bytes.
pub(super) fn size(text: &str) -> Result<u64, String> {
    Ok(text.parse::<Size>()?.0)
}

/// A rate per second: a number, optionally in thousands or millions, optionally followed by `/s`; a fraction
/// means less than one per second.
pub(super) fn per_second(text: &str) -> Result<f64, String> {
    const FORM: &str = "use a number a second, for example 500, 2.5k or 50k/s";
    let bare = text.strip_suffix("/s").unwrap_or(text);
    let (digits, factor) = match bare.strip_suffix(['k', 'K']) {
        Some(digits) => (digits, 1e3),
        None => bare.strip_suffix('M').map_or((bare, 1.0), |digits| (digits, 1e6)),
    };
    let rate = digits.parse::<f64>().map_err(|_| FORM)? * factor;
    if (0.001..=1e9).contains(&rate) {
        Ok(rate)
    } else if rate <= 0.0 {
        Err("it must be more than 0".into())
    } else {
        Err("it must be 0.001 to 1000000000".into())
    }
}

/// The least interval for a maximum rate: a number per second, minute, hour or day.
pub(super) fn interval_of_rate(text: &str) -> Result<Duration, String> {
    const FORM: &str = "use a number and a time, for example 1/s, 10/min, 4/h or 1/d";
    let (number, unit) = text.split_once('/').unwrap_or((text, "s"));
    let unit = match unit {
        "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86400.0,
        _ => return Err(FORM.into()),
    };
    let seconds = unit / number.parse::<f64>().map_err(|_| FORM)?;
    if (1e-6..=86400.0 * 365.0).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err("it must be between 1000000/s and once in 365 days".into())
    }
}

/// A percentage; the percent sign is optional.
pub(super) fn percent(text: &str) -> Result<f64, String> {
    let number = text.strip_suffix('%').unwrap_or(text);
    let percent: Option<f64> = number.parse().ok().filter(|percent| (0.1..=100.0).contains(percent));
    percent.ok_or_else(|| "it must be a number, 0.1 to 100".into())
}

/// The value of `-h`: one or more brokers, separated by commas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Brokers(pub(super) Vec<HostPort>);

impl std::str::FromStr for Brokers {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        text.split(',').map(|part| broker(part.trim())).collect::<Result<_, _>>().map(Self)
    }
}

fn broker(text: &str) -> Result<HostPort, String> {
    if text.contains("://") {
        return Err("it is a URL, which -L takes".into());
    }
    if text.starts_with('-') {
        return Err("a host does not begin with a dash".into());
    }
    text.parse().map_err(|why| match why {
        HostPortError::NotIpv6 => format!("{why}; -p takes the port"),
        _ => why.to_string(),
    })
}

/// A header of an HTTP request, `NAME: VALUE`. Its `Debug` does not show the value.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct HttpHeader {
    pub(super) name: String,
    pub(super) value: String,
}

impl std::fmt::Debug for HttpHeader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: (hidden)", self.name)
    }
}

impl std::str::FromStr for HttpHeader {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.split_once(':') {
            Some((name, value)) if !name.trim().is_empty() => {
                Ok(Self { name: name.trim().into(), value: value.trim().into() })
            }
            _ => Err("use 'NAME: VALUE'"),
        }
    }
}

/// The value of `--proxy`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum ProxyChoice {
    /// The proxy that `ALL_PROXY` and `NO_PROXY` select.
    Environment,
    /// This proxy.
    Fixed(Proxy),
}

impl std::str::FromStr for ProxyChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "env" => Ok(Self::Environment),
            url => Proxy::from_url(url).map(Self::Fixed).map_err(|error| error.to_string()),
        }
    }
}

/// Path and query of a WebSocket. Its `Debug` shows neither.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct WsPath(pub(super) String);

impl std::fmt::Debug for WsPath {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(hidden)")
    }
}

impl std::str::FromStr for WsPath {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with('/') { Ok(Self(text.into())) } else { Err("it must begin with /") }
    }
}

/// A command for the shell, which may contain a secret. Its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct ShellCommand(pub(super) OsString);

impl std::fmt::Debug for ShellCommand {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("(hidden)")
    }
}

/// A command as typed.
pub(super) fn shell_command() -> impl TypedValueParser<Value = ShellCommand> {
    OsStringValueParser::new().map(ShellCommand)
}

/// A local IP address, with or without the brackets of an IPv6 literal.
pub(super) fn ip_address(text: &str) -> Result<IpAddr, String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().map_err(|_| "it must be an IP address".into())
}

/// A name server: an IP address, with a port or the default port of DNS.
pub(super) fn name_server(text: &str) -> Result<SocketAddr, String> {
    /// ([IANA] domain)
    const DNS_PORT: u16 = 53;
    let with_port = text.parse::<SocketAddr>().ok();
    with_port
        .or_else(|| ip_address(text).ok().map(|ip| SocketAddr::new(ip, DNS_PORT)))
        .ok_or_else(|| "it must be an IP address, with or without :PORT".into())
}

/// The bytes of an argument as typed. On Unix these are any bytes; elsewhere UTF-8.
pub(super) fn bytes(argument: OsString) -> Vec<u8> {
    argument.into_encoded_bytes()
}

/// Bytes that `Debug` does not show.
pub(super) fn secret() -> impl TypedValueParser<Value = Secret> {
    OsStringValueParser::new().map(|argument| Secret(bytes(argument)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::Ipv6Addr;

    #[test]
    fn durations() {
        for (text, expected) in [
            ("0", Duration::ZERO),
            ("60", Duration::from_secs(60)),
            ("0.25", Duration::from_millis(250)),
            (".5", Duration::from_millis(500)),
            ("60s", Duration::from_secs(60)),
            ("1m", Duration::from_secs(60)),
            ("1h30m", Duration::from_secs(5400)),
            ("1h 30m", Duration::from_secs(5400)),
            ("250ms", Duration::from_millis(250)),
            ("10us", Duration::from_micros(10)),
        ] {
            assert_eq!(duration(text), Ok(expected), "{text}");
        }
        for bad in [
            "",
            "-1",
            "-0.5",
            "NaN",
            "inf",
            "1e30",
            "soon",
            "5 parsecs",
            "99999999999999999999s",
            "10001y",
            "1e18",
        ] {
            assert!(duration(bad).is_err(), "{bad}");
        }
        assert!(positive_duration("0").is_err());
        assert!(positive_duration("0ms").is_err());
    }

    #[test]
    fn keep_alives() {
        assert_eq!(keep_alive("0"), Ok(0));
        assert_eq!(keep_alive("1"), Ok(1));
        assert_eq!(keep_alive("60s"), Ok(60));
        assert_eq!(keep_alive("65535"), Ok(65_535));
        for bad in ["65536", "1d", "0.5", "1500ms", "-1", "x"] {
            assert!(keep_alive(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn session_expiries() {
        assert_eq!(session_expiry("0"), Ok(0));
        assert_eq!(session_expiry("1h"), Ok(3600));
        assert_eq!(session_expiry("4294967295"), Ok(NEVER_EXPIRES));
        for never in ["-1", "∞", "never", "infinite"] {
            assert_eq!(session_expiry(never), Ok(NEVER_EXPIRES));
        }
        for bad in ["-2", "4294967296", "1.5", "ever"] {
            assert!(session_expiry(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_and_rates() {
        assert_eq!((packet_bytes("64Ki"), packet_bytes("268435460")), (Ok(65_536), Ok(268_435_460)));
        for bad in ["", "0", "268435461", "1G", "1.5k"] {
            assert!(packet_bytes(bad).is_err(), "{bad}");
        }
        assert_eq!(per_second("0.5"), Ok(0.5));
        for bad in ["", "0", "-1", "NaN", "inf", "fast"] {
            assert!(per_second(bad).is_err(), "{bad}");
        }
        assert_eq!((percent("0.1"), percent("33.3"), percent("100%")), (Ok(0.1), Ok(33.3), Ok(100.0)));
        for bad in ["", "0", "0.09", "100.1", "1000", "-1", "NaN", "inf", "50%%", "%", "half"] {
            assert!(percent(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn url_as_host_names_its_option() {
        assert!("mqtt://h".parse::<Brokers>().unwrap_err().contains("-L"));
    }

    #[test]
    fn several_brokers() {
        let brokers = |text: &str| text.parse().map(|Brokers(list)| list);
        let broker = |host: &str, port| HostPort { host: host.into(), port };
        assert_eq!(brokers("a").unwrap(), [broker("a", None)]);
        assert_eq!(brokers("a:1884").unwrap(), [broker("a", Some(1884))]);
        assert_eq!(brokers("::1").unwrap(), [broker("::1", None)]);
        assert_eq!(
            brokers("a, b:1884,[::1]:1885,::1,[::1]").unwrap(),
            [
                broker("a", None),
                broker("b", Some(1884)),
                broker("::1", Some(1885)),
                broker("::1", None),
                broker("::1", None)
            ]
        );
        for bad in ["a,", ",a", "a,b:0", "a,b:x", "a:", "a:x", ":1", "1:2:3"] {
            assert!(brokers(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn headers() {
        let header: HttpHeader = "X-Key:  a:b ".parse().unwrap();
        assert_eq!((header.name.as_str(), header.value.as_str()), ("X-Key", "a:b"));
        assert!(!format!("{header:?}").contains("a:b"));
        assert!("secret".parse::<HttpHeader>().is_err());
    }

    #[test]
    fn addresses() {
        assert_eq!(ip_address("[::1]"), Ok(IpAddr::V6(Ipv6Addr::LOCALHOST)));
        assert!(ip_address("127.0.0.1").is_ok());
        assert!(ip_address("eth0").is_err());
    }

    #[test]
    fn reconnect_attempts() {
        assert_eq!("never".parse(), Ok(ReconnectAttempts(Some(0))));
        assert_eq!("always".parse(), Ok(ReconnectAttempts(None)));
        assert_eq!("7".parse(), Ok(ReconnectAttempts(Some(7))));
        for bad in ["", "-1", "sometimes", "4294967296"] {
            assert!(bad.parse::<ReconnectAttempts>().is_err(), "{bad}");
        }
    }

    #[test]
    fn payloads_are_the_bytes_that_were_typed() {
        #[cfg(unix)]
        {
            use std::os::unix::ffi::OsStringExt;
            assert_eq!(bytes(OsString::from_vec(vec![0xff, 0, b'a'])), [0xff, 0, b'a']);
        }
        assert_eq!(bytes("é".into()), "é".as_bytes());
    }
}
