//! Tools of the tests: the program as a child process, scripted servers, and two real brokers. Every wait has
//! a limit, and no wait sleeps.

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
pub(crate) use self::skip::{can_trace, skip, skip_here};

/// Maximum time of any single step. It is generous, so that a busy machine does not fail a test: only a test
/// that hangs waits so long.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

/// The program: of this build, or of another build of the same source, such as a static one.
pub(crate) fn program() -> &'static str {
    static OTHER: LazyLock<Option<String>> = LazyLock::new(|| std::env::var("TESTS_PROGRAM").ok());
    OTHER.as_deref().unwrap_or(env!("CARGO_BIN_EXE_mqtt"))
}

/// A short run of each subcommand that connects to a broker, except `rr`, which needs a responder.
pub(crate) const CONNECTING: [&[&str]; 6] = [
    &["pub", "-t", "ways/a", "-m", "hello", "-q", "1"],
    &["sub", "-t", "ways/a", "-E"],
    &["ping", "--timeout", "60", "--publish", "ways/ping"],
    &["retain-clear", "ways/#", "--dry-run"],
    // mosquitto detects the end of a WebSocket over TLS after five seconds.
    &["will-test", "--case", "close", "--tolerance", "60"],
    &["bench", "conn", "--clients", "2", "--hold", "10ms"],
];

/// Standard output as one JSON report that conforms to the named schema.
#[track_caller]
pub(crate) fn report(schema: &str, stdout: &[u8]) -> serde_json::Value {
    let path = format!("{}/tests/schema/{schema}.schema.json", env!("CARGO_MANIFEST_DIR"));
    let schema: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let report: serde_json::Value = serde_json::from_slice(stdout).expect("one JSON object");
    // Schemas refer to each other by file name.
    let options = jsonschema::options().with_base_uri("json-schema:///schema/").with_retriever(Schemas);
    let validator = options.build(&schema).unwrap();
    let errors: Vec<String> =
        validator.iter_errors(&report).map(|error| format!("{}: {error}", error.instance_path())).collect();
    assert!(errors.is_empty(), "{errors:?}");
    report
}

/// The schemas that others refer to.
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

/// Waits for a condition without events, such as of a file.
#[track_caller]
pub(crate) fn wait_until(mut holds: impl FnMut() -> bool) {
    let deadline = std::time::Instant::now() + LIMIT;
    while !holds() {
        assert!(std::time::Instant::now() < deadline, "waited in vain");
        std::thread::yield_now();
    }
}

/// Creates a file that only its owner can read.
pub(crate) fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    path.display().to_string()
}

/// The words of the first call of `mqtt` in a shell line, if there is one.
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

/// The value of `-V` for this version.
pub(crate) fn version(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::V3_1 => "31",
        Protocol::V3_1_1 => "311",
        Protocol::V5 => "5",
    }
}

/// A broker that forwards messages.
pub(crate) trait Service {
    /// Its port on 127.0.0.1.
    fn port(&self) -> u16;

    fn publish(&self) -> Mqtt {
        Mqtt::publish(self.port())
    }

    fn subscribe(&self) -> Mqtt {
        Mqtt::subscribe(self.port())
    }
}

/// The brokers of a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Embedded,
    Mosquitto,
}

impl Kind {
    /// Starts the broker; `None` if it is not installed.
    pub(crate) fn start(self) -> Option<Box<dyn Service>> {
        match self {
            Self::Embedded => Some(Box::new(Broker::start())),
            Self::Mosquitto => Some(Box::new(Mosquitto::start(&Setup::new())?)),
        }
    }
}

/// The library that changes the clock (Debian's package `faketime`).
pub(crate) fn faketime() -> Option<std::path::PathBuf> {
    let folders = std::fs::read_dir("/usr/lib").into_iter().flatten().filter_map(Result::ok);
    let found =
        folders.map(|folder| folder.path().join("faketime/libfaketime.so.1")).find(|path| path.exists());
    if found.is_none() {
        skip("libfaketime is not installed");
    }
    found
}
