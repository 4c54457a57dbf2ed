//! The rules between options of mosquitto's clients, in the order in which they check them.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use super::property::GivenProperty;
use super::settings::Settings;
use super::value::{self, MOST_PAYLOAD_BYTES};
use crate::command::input::Source;
use crate::error::Error;
use crate::manner::Program;
use crate::protocol::Protocol;
use crate::protocol::property::{Place, PropertyId};
use crate::protocol::wire::PacketType;

/// An error in a command line.
#[derive(Debug)]
pub(super) struct Wrong {
    /// The text for standard error, with its line feed.
    pub(super) text: Cow<'static, str>,
    /// The text that follows there, or on standard output.
    pub(super) then: Then,
}

/// The text after an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Then {
    /// A reference to the usage.
    Hint,
    /// The usage.
    Usage,
    /// Nothing.
    End,
    /// Nothing, and `--quiet` omits the error too: mosquitto detects it only at run time.
    EndUnlessQuiet,
}

type Rule = fn(&Settings) -> Result<(), Wrong>;

/// Checks a command line; returns the message of a file or of standard input, which is read before the
/// options of the connection are checked.
pub(super) fn check(settings: &Settings) -> Result<Option<Vec<u8>>, Wrong> {
    let of_line: [Rule; 4] = [with_will, with_tls_files, with_session, with_filters];
    of_line.into_iter().try_for_each(|rule| rule(settings))?;
    let message = message(settings)?;
    let of_run: [Rule; 5] = [with_program, with_identifier, with_user, with_tls, with_network];
    of_run.into_iter().try_for_each(|rule| rule(settings))?;
    Ok(message)
}

fn wrong<T>(text: impl Into<Cow<'static, str>>, then: Then) -> Result<T, Wrong> {
    Err(Wrong { text: text.into(), then })
}

/// Reads the message of `-f` or `-s`. An empty standard input is an error: the program writing to it has
/// failed.
fn message(settings: &Settings) -> Result<Option<Vec<u8>>, Wrong> {
    let path = settings.get("--file");
    let is_large =
        |path: &OsStr| std::fs::metadata(path).is_ok_and(|file| file.len() > MOST_PAYLOAD_BYTES as u64);
    if let Some(path) = path.filter(|path| is_large(path)) {
        let path = path.display();
        let text = format!(
            "Error: File must be less than {MOST_PAYLOAD_BYTES} bytes.\n\nError loading input file \"{path}\".\n"
        );
        return wrong(text, Then::EndUnlessQuiet);
    }
    let source = match settings.source() {
        Some("--file") => Source::File(PathBuf::from(path.unwrap_or_default())),
        Some("--stdin-file") => Source::Stdin,
        _ => return Ok(None),
    };
    let text = match (source.payload(), path) {
        (Ok(payload), None) if payload.as_ref().is_none_or(Vec::is_empty) => {
            "Error: Zero length input.\nError loading input from stdin.\n".into()
        }
        (Ok(payload), _) => return Ok(payload),
        (Err(error), None) => format!("Error: {error}.\nError loading input from stdin.\n"),
        (Err(error), Some(path)) => {
            let path = path.display();
            format!(
                "Error: Unable to read file \"{path}\": {}.\nError loading input file \"{path}\".\n",
                cause(&error)
            )
        }
    };
    wrong(text, Then::EndUnlessQuiet)
}

/// Why a file cannot be read, in the wording of the C library.
fn cause(error: &Error) -> String {
    let Error::File { source, .. } = error else { return error.to_string() };
    let text = source.to_string();
    match source.raw_os_error() {
        Some(number) => {
            text.strip_suffix(&format!(" (os error {number})")).map_or(text.clone(), str::to_owned)
        }
        None => text,
    }
}

fn with_will(settings: &Settings) -> Result<(), Wrong> {
    if settings.has("--will-topic") {
        return Ok(());
    }
    if settings.has("--will-payload") {
        return wrong("Error: Will payload given, but no will topic given.\n", Then::Hint);
    }
    if settings.has("--will-retain") {
        return wrong("Error: Will retain given, but no will topic given.\n", Then::Hint);
    }
    Ok(())
}

fn with_tls_files(settings: &Settings) -> Result<(), Wrong> {
    let has = |option| settings.has(option);
    let text = if has("--cert") != has("--key") {
        "Error: Both certfile and keyfile must be provided if one of them is set.\n"
    } else if has("--keyform") && !has("--key") {
        "Error: If keyform is set, keyfile must be also specified.\n"
    } else if has("--tls-engine-kpass-sha1") && !(has("--keyform") && has("--tls-engine")) {
        "Error: when using tls-engine-kpass-sha1, both tls-engine and keyform must also be provided.\n"
    } else if has("--psk") && (has("--cafile") || has("--capath")) {
        "Error: Only one of --psk or --cafile/--capath may be used at once.\n"
    } else if has("--psk") && !has("--psk-identity") {
        "Error: --psk-identity required if --psk used.\n"
    } else {
        return Ok(());
    };
    wrong(text, Then::Hint)
}

/// A session that outlives the program can be resumed only by its client identifier.
fn with_session(settings: &Settings) -> Result<(), Wrong> {
    let keeps = settings.has("--disable-clean-session");
    let is_named = settings.has("--client-id");
    if settings.protocol == Protocol::V5 {
        let expiry = settings.session_expiry.or(keeps.then_some(u32::MAX));
        if expiry == Some(u32::MAX) && !is_named {
            return wrong(
                "Error: You must provide a client id if you are using an infinite session expiry interval.\n",
                Then::Hint,
            );
        }
    } else if keeps && !is_named {
        return wrong("Error: You must provide a client id if you are using the -c option.\n", Then::Hint);
    }
    Ok(())
}

fn with_filters(settings: &Settings) -> Result<(), Wrong> {
    let has_none = !settings.has("--topic") && !settings.has("--unsubscribe");
    if settings.program == Program::Subscribe && has_none {
        let text = "Error: You must specify a topic to subscribe to (-t) or unsubscribe from (-U).\n";
        return wrong(text, Then::Hint);
    }
    Ok(())
}

fn with_program(settings: &Settings) -> Result<(), Wrong> {
    let has = |option| settings.has(option);
    match settings.program {
        Program::Publish if settings.source().is_none() || !has("--topic") => {
            wrong("Error: Both topic and message must be supplied.\n", Then::Usage)
        }
        Program::Request if settings.source().is_none() || !has("--topic") || !has("-e") => {
            let text = "Error: All of topic, message, and response topic must be supplied.\n";
            wrong(text, Then::Hint)
        }
        Program::Request if settings.properties.iter().any(is_response_topic) => {
            let text = "Error in PUBLISH properties: Duplicate response topic.\n";
            wrong(text, Then::EndUnlessQuiet)
        }
        Program::Subscribe if has("-R") && has("--retained-only") => {
            let text = "\nError: Combining '-R' and '--retained-only' makes no sense.\n";
            wrong(text, Then::End)
        }
        _ => Ok(()),
    }
}

/// Whether it is the property that `mosquitto_rr` adds itself.
fn is_response_topic(property: &GivenProperty) -> bool {
    property.id == PropertyId::ResponseTopic && property.place == Place::Packet(PacketType::Publish)
}

fn with_identifier(settings: &Settings) -> Result<(), Wrong> {
    let is_unfit = |id: &OsStr| id.is_empty() || !value::is_short_text(id);
    let is_wrong = settings.get("--client-id").is_some_and(is_unfit);
    let text = match settings.program {
        Program::Publish => "Error: Invalid id.\n",
        Program::Subscribe | Program::Request => "Error: Invalid id and/or clean_session.\n",
    };
    if is_wrong { wrong(text, Then::EndUnlessQuiet) } else { Ok(()) }
}

fn with_user(settings: &Settings) -> Result<(), Wrong> {
    let lone_password = settings.has("--password") && !settings.has("--username");
    let is_long = settings.get("--password").is_some_and(|password| password.len() > usize::from(u16::MAX));
    let is_no_text = settings.get("--username").is_some_and(|user| !value::is_short_text(user));
    if lone_password && settings.protocol != Protocol::V5 || is_long || is_no_text {
        return wrong("Error: Problem setting username and/or password.\n", Then::EndUnlessQuiet);
    }
    Ok(())
}

/// A pipe is not opened, because that would wait for its writer.
fn is_readable(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| !file.is_file() || std::fs::File::open(path).is_ok())
}

/// Checks TLS files before anything is connected; engines are not supported.
fn with_tls(settings: &Settings) -> Result<(), Wrong> {
    if settings.has("--no-tls") {
        return Ok(());
    }
    let is_unreadable =
        |option: &&str| settings.get(option).is_some_and(|path| !is_readable(Path::new(path)));
    let reads_files = settings.has("--cafile") || settings.has("--capath");
    let is_hexadecimal = |text: &OsStr| text.as_encoded_bytes().iter().all(u8::is_ascii_hexdigit);
    let is_unknown = |option, known: &[&str]| {
        settings.get(option).is_some_and(|value| known.iter().all(|known| value != *known))
    };
    let text = if reads_files && ["--cafile", "--cert", "--key"].iter().any(is_unreadable) {
        "Error: Problem setting TLS options: File not found.\n"
    } else if settings.get("--psk").is_some_and(|key| !is_hexadecimal(key)) {
        "Error: Problem setting TLS-PSK options.\n"
    } else if is_unknown("--keyform", &["pem", "engine"]) {
        "Error: Problem setting key form, it must be one of 'pem' or 'engine'.\n"
    } else if is_unknown("--tls-version", &["tlsv1.2", "tlsv1.3"]) {
        "Error: Problem setting TLS options, check the options are valid.\n"
    } else {
        return Ok(());
    };
    wrong(text, Then::EndUnlessQuiet)
}

/// mosquitto detects an invalid address only when it connects; here the cause is named too.
fn with_network(settings: &Settings) -> Result<(), Wrong> {
    let lookup = |cause: String| {
        wrong(format!("Unable to connect (Lookup error).\nError: {cause}\n"), Then::EndUnlessQuiet)
    };
    let host = settings.host();
    let is_port = settings.port().to_str().is_some_and(|port| port.parse::<u16>().is_ok());
    if !is_port || settings.is_unix() && host.is_empty() {
        return wrong("Unable to connect (Invalid input).\n", Then::EndUnlessQuiet);
    }
    if settings.is_unix() {
        return Ok(());
    }
    if !value::is_host(host) {
        return lookup(format!("'{}' is not the name of a host", host.display()));
    }
    match settings.get("--bind-address") {
        Some(address) if value::local_address(address).is_none() => {
            lookup(format!("'{}' is not a local address", address.display()))
        }
        _ => Ok(()),
    }
}
