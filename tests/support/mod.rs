//! What the tests stand on: the program as a child process, servers that follow a script, and two
//! real brokers. Nothing here waits without a limit, and nothing waits by sleeping.

pub(crate) mod broker;
pub(crate) mod collected;
pub(crate) mod dns;
pub(crate) mod middle;
pub(crate) mod mosquitto;
pub(crate) mod mqtt;
pub(crate) mod outcome;
pub(crate) mod packets;
pub(crate) mod pki;
pub(crate) mod proxy;
pub(crate) mod server;
mod skip;

use std::path::Path;
use std::sync::LazyLock;
use std::time::Duration;

use ::mqtt::protocol::Protocol;

use self::broker::Broker;
use self::mosquitto::{Mosquitto, Setup};
use self::mqtt::Mqtt;
pub(crate) use self::skip::{skip, skip_here};

/// The longest any one thing may take before the test is given up. Generous: a loaded machine is no
/// reason to fail, and only a test that hangs ever waits so long.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

/// The program: the one of this build, or another build of the same source, such as a static one.
pub(crate) fn program() -> &'static str {
    static OTHER: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("TESTS_PROGRAM").ok());
    OTHER.as_deref().unwrap_or(env!("CARGO_BIN_EXE_mqtt"))
}

/// A short run of each subcommand that connects to a broker, but for `rr`, which needs somebody who answers.
pub(crate) const CONNECTING: [&[&str]; 6] = [
    &["pub", "-t", "ways/a", "-m", "hello", "-q", "1"],
    &["sub", "-t", "ways/a", "-E"],
    &["ping", "--timeout", "60", "--publish", "ways/ping"],
    &["retain-clear", "ways/#", "--dry-run"],
    // mosquitto notices the end of a WebSocket in TLS after five seconds.
    &["will-test", "--case", "close", "--tolerance", "60"],
    &["bench", "conn", "--clients", "2", "--hold", "10ms"],
];

/// Standard output as one JSON report that the schema of that name allows.
#[track_caller]
pub(crate) fn report(schema: &str, stdout: &[u8]) -> serde_json::Value {
    let path = format!("{}/tests/schema/{schema}.schema.json", env!("CARGO_MANIFEST_DIR"));
    let schema: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let report: serde_json::Value = serde_json::from_slice(stdout).expect("one JSON object");
    // Another schema is named by its file.
    let options = jsonschema::options().with_base_uri("json-schema:///schema/").with_retriever(Schemas);
    let validator = options.build(&schema).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(&report).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:?}");
    report
}

/// The schemas that others name.
struct Schemas;

impl jsonschema::Retrieve for Schemas {
    fn retrieve(
        &self,
        uri: &jsonschema::Uri<String>,
    ) -> Result<serde_json::Value, Box<dyn std::error::Error + Send + Sync>> {
        let name = uri.as_str().rsplit('/').next().unwrap_or_default();
        let path = format!("{}/tests/schema/{name}", env!("CARGO_MANIFEST_DIR"));
        Ok(serde_json::from_str(&std::fs::read_to_string(path)?)?)
    }
}

/// Waits until a condition holds of something without events, such as a file.
#[track_caller]
pub(crate) fn wait_until(mut holds: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + LIMIT;
    while !holds() {
        assert!(std::time::Instant::now() < deadline, "waited in vain");
        std::thread::yield_now();
    }
}

/// A file that only its owner can read.
pub(crate) fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    path.display().to_string()
}

/// The words of the first call of `mqtt` in a line for the shell, if there is one.
pub(crate) fn words(line: &str) -> Option<Vec<String>> {
    let line = line.replace("cargo run --", "mqtt");
    let at =
        line.match_indices("mqtt ").map(|(at, _)| at).find(|at| *at == 0 || line[..*at].ends_with(' '))?;
    let mut words = vec![String::new()];
    let mut quote = None;
    for character in line[at..].chars() {
        let word = words.last_mut().unwrap();
        match character {
            _ if quote == Some(character) => quote = None,
            _ if quote.is_some() => word.push(character),
            '\'' | '"' => quote = Some(character),
            '>' if word == "2" => {
                words.pop();
                break;
            }
            '|' | '>' | '<' | ';' | '&' | '\n' => break,
            '#' if word.is_empty() => break,
            ' ' => words.push(String::new()),
            other => word.push(other),
        }
    }
    words.retain(|word| !word.is_empty());
    Some(words)
}

/// The value of `-V` that asks for this version.
pub(crate) fn version(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::V3_1 => "31",
        Protocol::V3_1_1 => "311",
        Protocol::V5 => "5",
    }
}

/// A broker that carries messages.
pub(crate) trait Service {
    /// Where it listens on 127.0.0.1.
    fn port(&self) -> u16;

    fn publish(&self) -> Mqtt {
        Mqtt::publish(self.port())
    }

    fn subscribe(&self) -> Mqtt {
        Mqtt::subscribe(self.port())
    }
}

/// The brokers that a test is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Embedded,
    Mosquitto,
}

impl Kind {
    /// Starts one; none if it is not installed.
    pub(crate) fn start(self) -> Option<Box<dyn Service>> {
        match self {
            Self::Embedded => Some(Box::new(Broker::start())),
            Self::Mosquitto => Some(Box::new(Mosquitto::start(&Setup::new())?)),
        }
    }
}
