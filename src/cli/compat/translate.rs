//! Translates settings of mosquitto's clients to a command line of `mqtt`. Options that mosquitto silently
//! ignores are omitted, because `mqtt` refuses options without effect.

use std::ffi::OsString;

use super::settings::Settings;
use super::value;
use crate::manner::Program;
use crate::protocol::Protocol;
use crate::protocol::property::{Place, PropertyId};
use crate::protocol::wire::PacketType;

/// The number of QoS 1 and 2 messages that mosquitto's clients accept at a time.
const RECEIVE_MAXIMUM: i64 = 20;
/// The prefix of generated client identifiers of MQTT 3.1, and the number of characters after it.
const PREFIX: &str = "mosq-";
const RANDOM_CHARACTERS: usize = 18;

/// Options without effect without TLS.
const OF_TLS: [&str; 10] = [
    "--cafile",
    "--capath",
    "--cert",
    "--key",
    "--keyform",
    "--ciphers",
    "--insecure",
    "--tls-alpn",
    "--tls-keylog",
    "--tls-version",
];
/// Options of connections over a network.
const OF_NETWORK: [&str; 5] = ["--host", "--port", "--bind-address", "--proxy", "--srv"];

/// The words after the name of the subcommand.
pub(super) fn words(settings: &Settings) -> Vec<OsString> {
    let mut words = Vec::new();
    let mut add = |option: &str, value: &str| words.extend([OsString::from(option), value.into()]);
    add("--protocol-version", version(settings.protocol));
    // The maximum time of silence on the link: mosquitto waits this long for CONNACK.
    let keep_alive = settings.get("--keepalive").map_or(60, value::long);
    add("--connect-timeout", &(keep_alive * 3 / 2).to_string());
    if settings.source() == Some("--stdin-line") || settings.program == Program::Subscribe {
        add("--reconnect-max-delay", "1");
    }
    if settings.is_unix() {
        words.extend(["--unix".into(), settings.host().to_owned()]);
    } else if !settings.has("--srv") {
        add("--port", &settings.port().to_string_lossy());
    }
    if settings.has("--repeat") {
        words.extend(["--max-inflight".into(), "1".into()]);
    }
    let mut add = |option: &str, value: &str| words.extend([OsString::from(option), value.into()]);
    if settings.protocol == Protocol::V3_1 && !settings.has("--client-id") && !settings.has("--id-prefix") {
        let random = std::iter::repeat_with(fastrand::alphanumeric).take(RANDOM_CHARACTERS);
        add("--client-id", &format!("{PREFIX}{}", random.collect::<String>()));
    }
    if settings.protocol == Protocol::V5 {
        // 0 is not sent, as it is the default; -c alone requests a session without expiry.
        let expiry = settings.session_expiry;
        if let Some(seconds) =
            expiry.filter(|seconds| *seconds > 0 || settings.has("--disable-clean-session"))
        {
            add("--session-expiry", &seconds.to_string());
        }
        let is_given = |property: &super::property::GivenProperty| {
            property.id == PropertyId::ReceiveMaximum && property.place == Place::Packet(PacketType::Connect)
        };
        if !settings.properties.iter().any(is_given) {
            let count = settings.get("-C").map_or(RECEIVE_MAXIMUM, value::long);
            // mosquitto_rr waits for one message, and accepts no more.
            let most = if settings.program == Program::Request { 1 } else { RECEIVE_MAXIMUM };
            add("--receive-maximum", &count.min(most).to_string());
        }
    }
    for (option, value) in settings.given().filter(|(option, _)| has_effect(settings, option)) {
        if option == "--ciphers" {
            words.extend(value::ciphers(value).into_iter().flat_map(|list| ["--ciphers".into(), list]));
            continue;
        }
        words.push(sent_as(option).into());
        match option {
            // The message was read already.
            "--file" | "--stdin-file" => {}
            "--bind-address" => {
                words.extend(value::local_address(value).map(|address| address.to_string().into()));
            }
            _ if is_flag(option) => {}
            _ => words.push(value.into()),
        }
    }
    for property in settings.properties.iter().filter(|property| is_sent(settings, property.place)) {
        words.push("-D".into());
        words.extend_from_slice(&property.words);
    }
    words
}

fn version(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::V3_1 => "31",
        Protocol::V3_1_1 => "311",
        Protocol::V5 => "5",
    }
}

/// Whether an option takes no value.
fn is_flag(option: &str) -> bool {
    let sets = |row: &&super::table::OptionRow| match row.sets {
        super::table::Sets::Flag(flag) => flag == option,
        super::table::Sets::Source(source, _) => source == option && row.missing.is_none(),
        _ => false,
    };
    super::table::ROWS.iter().any(|row| sets(&row))
}

/// The option of `mqtt`: a message that was read is sent as if there were none.
fn sent_as(option: &'static str) -> &'static str {
    match option {
        "--file" | "--stdin-file" => "--null-message",
        _ => option,
    }
}

/// Whether an option has an effect together with the others.
fn has_effect(settings: &Settings, option: &str) -> bool {
    let has = |option| settings.has(option);
    let only_rate = has("--message-rate");
    match option {
        // Handled elsewhere.
        "--port" | "--quiet" => false,
        _ if OF_NETWORK.contains(&option) => !settings.is_unix(),
        "--insecure" if accepts_any_name(settings) => false,
        "--tls-use-os-certs" => settings.is_tls() && !has("--cafile") && !has("--capath"),
        _ if OF_TLS.contains(&option) => settings.is_tls(),
        "--repeat" | "--repeat-delay" => settings.source() != Some("--stdin-line"),
        // Each repeat waits for the acknowledgement of the message before.
        "--max-inflight" => !has("--repeat"),
        "--psk-identity" => settings.is_tls() && has("--psk"),
        "--psk" => settings.is_tls(),
        "--tls-engine" | "--tls-engine-kpass-sha1" => !has("--no-tls"),
        "--will-qos" => has("--will-topic"),
        "--remove-retained" => !has("-R") && !only_rate && !has("--watch"),
        "--format" | "-v" | "--watch" if only_rate => false,
        "-N" => !only_rate && !has("--watch"),
        "--pretty" => has("--format") && !only_rate && !has("--watch"),
        "--retain-handling" => settings.protocol == Protocol::V5 && settings.program == Program::Subscribe,
        "--retain-as-published" => settings.protocol == Protocol::V5,
        _ => true,
    }
}

/// Whether `--insecure` ignores only the names in the broker's certificate: mosquitto still verifies the
/// chain, unless another of these options is given as well.
pub(super) fn accepts_any_name(settings: &Settings) -> bool {
    let has = |option| settings.has(option);
    has("--insecure") && !has("--tls-version") && !has("--ciphers")
}

/// Whether the packet is sent at all.
fn is_sent(settings: &Settings, place: Place) -> bool {
    match place {
        Place::Will => settings.has("--will-topic"),
        Place::Packet(PacketType::Publish) => settings.program != Program::Subscribe,
        Place::Packet(PacketType::Subscribe) => settings.program != Program::Publish,
        Place::Packet(PacketType::Unsubscribe) => settings.program == Program::Subscribe,
        Place::Packet(_) => true,
    }
}
