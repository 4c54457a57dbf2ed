//! The information that a command gets about its message besides the payload: environment variables, and
//! `{topic}` in its arguments.
//!
//! | variable | |
//! |---|---|
//! | `MQTT_TOPIC` | the topic |
//! | `MQTT_QOS` | the QoS: 0, 1 or 2 |
//! | `MQTT_RETAIN` | 1 if the message was retained, or 0 |
//! | `MQTT_RESPONSE_TOPIC`, `MQTT_CORRELATION_DATA`, `MQTT_CONTENT_TYPE` | these properties, if the message has them |
//! | `MQTT_PAYLOAD_ERROR` | why the payload was not decoded (`--decode`) and is passed unchanged |
//! | `MQTT_USER_NAME` | the first user property called `name`: capital letters, and `_` for everything but ASCII letters and digits |
//! | `MQTT_OMITTED_USER_PROPERTIES` | the number of user properties omitted beyond 64 KiB |
//!
//! A value that is not UTF-8, or that contains U+0000, is not allowed in a variable: it is in `…_BASE64`
//! instead.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::process::Command;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::ExecCommand;
use crate::platform::words;
use crate::protocol::property::{PropertyId, Value};
use crate::protocol::wire::Publish;

/// Maximum total size of user properties. The system limits the whole environment.
const MOST_USER_BYTES: usize = 64 * 1024;
const TOPIC: &[u8] = b"{topic}";

/// The name and the value of each variable.
pub(in crate::command) type Variables = Vec<(String, String)>;

/// The variables of a message; `payload_error` tells why its payload was not decoded.
pub(in crate::command) fn of(publish: &Publish<'_>, payload_error: Option<&str>) -> Variables {
    let mut variables = vec![
        ("MQTT_QOS".to_owned(), (publish.qos as u8).to_string()),
        ("MQTT_RETAIN".to_owned(), u8::from(publish.retain).to_string()),
    ];
    put(&mut variables, "MQTT_TOPIC", publish.topic);
    if let Some(why) = payload_error {
        put(&mut variables, "MQTT_PAYLOAD_ERROR", why.as_bytes());
    }
    let mut names = HashSet::new();
    let (mut bytes, mut omitted) = (0, 0_u64);
    for property in publish.properties.iter() {
        match (property.id, property.value) {
            (PropertyId::ResponseTopic, Value::Text(text)) => {
                put(&mut variables, "MQTT_RESPONSE_TOPIC", text.as_bytes());
            }
            (PropertyId::ContentType, Value::Text(text)) => {
                put(&mut variables, "MQTT_CONTENT_TYPE", text.as_bytes());
            }
            (PropertyId::CorrelationData, Value::Binary(data)) => {
                put(&mut variables, "MQTT_CORRELATION_DATA", data);
            }
            (PropertyId::UserProperty, Value::Pair(name, value)) => {
                let name = format!("MQTT_USER_{}", safe(name));
                if names.contains(&name) {
                    continue;
                }
                bytes += name.len() + value.len();
                if bytes > MOST_USER_BYTES {
                    omitted += 1;
                    continue;
                }
                put(&mut variables, &name, value.as_bytes());
                names.insert(name);
            }
            _ => {}
        }
    }
    if omitted > 0 {
        variables.push(("MQTT_OMITTED_USER_PROPERTIES".to_owned(), omitted.to_string()));
    }
    variables
}

fn put(variables: &mut Variables, name: &str, value: &[u8]) {
    variables.push(match std::str::from_utf8(value) {
        Ok(text) if !value.contains(&0) => (name.to_owned(), text.to_owned()),
        _ => (format!("{name}_BASE64"), STANDARD.encode(value)),
    });
}

/// A name that every shell accepts as a variable.
fn safe(name: &str) -> String {
    name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect()
}

/// The command for a message.
pub(super) fn command(
    command: &ExecCommand,
    foreign_variables: &[OsString],
    topic: &[u8],
    variables: &Variables,
) -> Command {
    let mut command = match command {
        ExecCommand::Shell(text) => {
            let mut shell = Command::new("sh");
            shell.arg("-c").arg(text);
            shell
        }
        ExecCommand::Words(words) => {
            let (program, arguments) = words.split_first().map_or((None, &[][..]), |(a, b)| (Some(a), b));
            let mut command = Command::new(program.map_or(OsStr::new(""), OsString::as_os_str));
            command.args(arguments.iter().map(|word| filled(word, topic)));
            command
        }
    };
    for name in foreign_variables {
        command.env_remove(name);
    }
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    command
}

/// An argument with the topic inserted; a `{topic}` in the topic is not replaced again.
fn filled(word: &OsStr, topic: &[u8]) -> OsString {
    let mut rest = word.as_encoded_bytes();
    let mut filled = Vec::new();
    while let Some((first, behind)) = rest.split_first() {
        if let Some(behind) = rest.strip_prefix(TOPIC) {
            filled.extend_from_slice(topic);
            rest = behind;
        } else {
            filled.push(*first);
            rest = behind;
        }
    }
    words::from_bytes(filled)
}
