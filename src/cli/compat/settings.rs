//! A command line of mosquitto's clients, read by their rules: an option is a whole word, the next word is
//! its argument whatever it begins with, and the last of several counts. The lines of the options file come
//! first, each of them a command line of its own with at most one argument.

use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use super::super::sources::LONGEST_TEXT_BYTES;
use super::super::value::os_string;
use super::programs::name;
use super::property::{self, GivenProperty};
use super::table::{OptionRow, ROWS, Sets};
use super::value::{self, Misuse};
use crate::file::read_at_most;
use crate::manner::Program;
use crate::protocol::Protocol;

/// The port that turns on TLS.
pub(super) const TLS_PORT: &str = "8883";
const PLAIN_PORT: &str = "1883";
/// Stands for no port: the host is the path of a Unix socket.
const NO_PORT: &str = "0";

/// All settings of a command line.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) program: Program,
    /// Options of `mqtt`, with their values.
    given: Vec<(&'static str, OsString)>,
    pub(super) protocol: Protocol,
    /// Seconds, if given; may be 0.
    pub(super) session_expiry: Option<u32>,
    pub(super) properties: Vec<GivenProperty>,
    /// Whether an options file was read.
    pub(super) has_file: bool,
}

/// Why a command line is not run.
#[derive(Debug)]
pub(super) enum ReadingStop {
    Help,
    Version,
    Misuse(Misuse),
}

impl From<Misuse> for ReadingStop {
    fn from(misuse: Misuse) -> Self {
        Self::Misuse(misuse)
    }
}

/// The options that are sources of a message.
const SOURCES: [&str; 5] = ["--message", "--file", "--stdin-file", "--stdin-line", "--null-message"];

impl Settings {
    /// Reads the options file and the words after the program's name.
    pub(super) fn read(program: Program, words: &[OsString]) -> Result<Self, ReadingStop> {
        let protocol = if program == Program::Request { Protocol::V5 } else { Protocol::V3_1_1 };
        let mut settings = Self {
            program,
            given: Vec::new(),
            protocol,
            session_expiry: None,
            properties: Vec::new(),
            has_file: false,
        };
        // As in mosquitto an unreadable file is ignored.
        if let Some(content) =
            options_file(program, words)?.and_then(|path| read_at_most(&path, LONGEST_TEXT_BYTES).ok())
        {
            settings.has_file = true;
            for line in content.split(|byte| *byte == b'\n') {
                settings.take(&words_of(line))?;
            }
        }
        settings.take(words)?;
        Ok(settings)
    }

    fn take(&mut self, words: &[OsString]) -> Result<(), ReadingStop> {
        let mut rest = words;
        while let Some((word, behind)) = rest.split_first() {
            let Some(row) = OptionRow::of(self.program, word) else {
                let word = unknown(self.program, &words[..words.len() - rest.len()], word);
                return Err(ReadingStop::Misuse(format!("Error: Unknown option '{word}'.\n")));
            };
            self.refuse_second(row)?;
            rest = match (row.missing, behind.split_first()) {
                (None, _) => {
                    let taken = self.set(row, OsStr::new(""), behind)?;
                    &behind[taken..]
                }
                (Some(_), Some((argument, behind))) => {
                    self.set(row, argument, &[])?;
                    behind
                }
                (Some(_), None) => return Err(row.missing_argument().into()),
            };
        }
        Ok(())
    }

    /// Refuses an option that contradicts an earlier one; this is reported before a missing argument.
    fn refuse_second(&self, row: &OptionRow) -> Result<(), Misuse> {
        match row.sets {
            Sets::Source(..) if self.source().is_some() => {
                Err("Error: Only one type of message can be sent at once.\n\n".into())
            }
            Sets::Identifier(_, other) if self.has(other) => {
                Err("Error: -i and -I argument cannot be used together.\n\n".into())
            }
            _ => Ok(()),
        }
    }

    /// Applies a row of the table; returns how many more words belong to it.
    fn set(&mut self, row: &OptionRow, argument: &OsStr, behind: &[OsString]) -> Result<usize, ReadingStop> {
        match row.sets {
            Sets::Flag(option) => self.put(option, OsString::new()),
            Sets::Value(option, convert) | Sets::Source(option, convert) => {
                self.put(option, convert(argument)?);
            }
            Sets::Several(option, convert) => self.add(option, convert(argument)?),
            Sets::Identifier(option, _) => self.put(option, argument.to_owned()),
            Sets::Other(set) => set(self, argument)?,
            Sets::Property => {
                let (property, taken) = property::read(behind)?;
                self.properties.push(property);
                self.protocol = Protocol::V5;
                return Ok(taken);
            }
            Sets::OptionsFile => {}
            Sets::Help => return Err(ReadingStop::Help),
            Sets::Version => return Err(ReadingStop::Version),
        }
        Ok(0)
    }

    /// Sets an option; an earlier value is discarded.
    fn put(&mut self, option: &'static str, value: OsString) {
        self.given.retain(|(other, _)| *other != option);
        self.add(option, value);
    }

    fn add(&mut self, option: &'static str, value: OsString) {
        self.given.push((option, value));
    }

    pub(super) fn has(&self, option: &str) -> bool {
        self.get(option).is_some()
    }

    pub(super) fn get(&self, option: &str) -> Option<&OsStr> {
        self.given.iter().find(|(given, _)| *given == option).map(|(_, value)| value.as_os_str())
    }

    pub(super) fn given(&self) -> impl Iterator<Item = (&'static str, &OsStr)> {
        self.given.iter().map(|(option, value)| (*option, value.as_os_str()))
    }

    /// The option that is the source of the message.
    pub(super) fn source(&self) -> Option<&'static str> {
        SOURCES.into_iter().find(|source| self.has(source))
    }

    /// Whether the message is on the command line.
    pub(super) fn is_typed_message(&self) -> bool {
        matches!(self.source(), Some("--message" | "--null-message"))
    }

    /// The port, by mosquitto's rules.
    pub(super) fn port(&self) -> &OsStr {
        let with_tls = ["--cafile", "--capath", "--psk"].iter().any(|option| self.has(option));
        let default = if with_tls { TLS_PORT } else { PLAIN_PORT };
        self.get("--port").unwrap_or(default.as_ref())
    }

    /// Whether the connection uses TLS, by mosquitto's rules.
    pub(super) fn is_tls(&self) -> bool {
        let asks = ["--cafile", "--capath", "--psk", "--tls-use-os-certs"];
        let is_asked = asks.iter().any(|option| self.has(option))
            || self.get("--port").is_some_and(|port| port == TLS_PORT);
        is_asked && !self.has("--no-tls")
    }

    /// When to request retained messages: always, for a new subscription, never.
    pub(super) fn retain_handling(&self) -> u8 {
        match self.get("--retain-handling").and_then(OsStr::to_str) {
            Some("new") => 1,
            Some("never") => 2,
            None if self.has("-R") => 2,
            _ => 0,
        }
    }

    /// The host, or the path of a Unix socket.
    pub(super) fn host(&self) -> &OsStr {
        self.get("--host").unwrap_or("localhost".as_ref())
    }

    /// Whether the host is the path of a Unix socket.
    pub(super) fn is_unix(&self) -> bool {
        self.port() == NO_PORT && !self.has("--srv")
    }

    /// `--unix`; later options for host and port override it.
    pub(super) fn set_unix(&mut self, path: &OsStr) -> Result<(), Misuse> {
        self.put("--host", value::as_is(path)?);
        self.put("--port", NO_PORT.into());
        Ok(())
    }

    pub(super) fn set_topic(&mut self, topic: &OsStr) -> Result<(), Misuse> {
        self.topic(topic, "-t")
    }

    fn topic(&mut self, topic: &OsStr, option: &str) -> Result<(), Misuse> {
        if self.program == Program::Subscribe {
            self.add("--topic", value::subscription(topic, option)?);
        } else {
            self.put("--topic", value::publish_topic(topic, option)?);
        }
        Ok(())
    }

    pub(super) fn set_protocol(&mut self, version: &OsStr) -> Result<(), Misuse> {
        self.protocol = match version.to_str() {
            Some("31" | "mqttv31") => Protocol::V3_1,
            Some("311" | "mqttv311") => Protocol::V3_1_1,
            Some("5" | "mqttv5") => Protocol::V5,
            _ => return Err("Error: Invalid protocol version argument given.\n\n".into()),
        };
        Ok(())
    }

    pub(super) fn set_session_expiry(&mut self, seconds: &OsStr) -> Result<(), Misuse> {
        self.session_expiry = Some(value::session_expiry(seconds)?);
        self.protocol = Protocol::V5;
        Ok(())
    }

    /// `-L`: everything after the first slash is the topic, nothing before it is decoded, and the first colon
    /// ends a name.
    pub(super) fn set_url(&mut self, url: &OsStr) -> Result<(), Misuse> {
        const SCHEMES: [(&str, &str, bool, bool); 4] = [
            ("mqtt://", PLAIN_PORT, false, false),
            ("mqtts://", TLS_PORT, true, false),
            ("ws://", PLAIN_PORT, false, true),
            ("wss://", TLS_PORT, true, true),
        ];
        let bytes = url.as_encoded_bytes();
        let is_scheme = |scheme: &str| {
            bytes.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme.as_bytes()))
        };
        let Some((scheme, port, is_tls, is_web_socket)) =
            SCHEMES.into_iter().find(|(scheme, ..)| is_scheme(scheme))
        else {
            return Err("Error: Unsupported URL scheme.\n\n".into());
        };
        let Some((place, topic)) = split_once(&bytes[scheme.len()..], b'/') else {
            return Err("Error: Invalid URL for -L argument specified - topic missing.\n".into());
        };
        self.topic(&os_string(topic.to_vec()), "-L topic")?;
        self.put("--port", port.into());
        if is_tls {
            self.put("--tls-use-os-certs", OsString::new());
        }
        if is_web_socket {
            self.put("--ws", OsString::new());
        }
        let place = match split_once(place, b'@') {
            None => place,
            Some((user, place)) => {
                let (name, password) =
                    split_once(user, b':').map_or((user, None), |(name, password)| (name, Some(password)));
                self.put("--username", os_string(name.to_vec()));
                if let Some(password) = password {
                    self.put("--password", os_string(password.to_vec()));
                }
                place
            }
        };
        let (host, port) = split_once(place, b':').map_or((place, None), |(host, port)| (host, Some(port)));
        if let Some(port) = port {
            self.put("--port", value::integer(&os_string(port.to_vec())).to_string().into());
        }
        self.put("--host", os_string(host.to_vec()));
        Ok(())
    }
}

fn split_once(bytes: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = bytes.iter().position(|byte| *byte == at)?;
    Some((&bytes[..place], &bytes[place + 1..]))
}

/// The options file: that of `-o`, or the default one. Every `-o` counts, even as the argument of another
/// option.
fn options_file(program: Program, words: &[OsString]) -> Result<Option<PathBuf>, Misuse> {
    let mut found = None;
    for (place, _) in words.iter().enumerate().filter(|(_, word)| *word == "-o") {
        if found.is_some() {
            return Err("Error: Duplicate -o argument given.\n\n".into());
        }
        let Some(path) = words.get(place + 1) else {
            return Err("Error: -o argument given but no options file specified.\n\n".into());
        };
        found = Some(PathBuf::from(path));
    }
    let in_folder = |variable, below: &str| {
        let folder = std::env::var_os(variable)?;
        Some(PathBuf::from(folder).join(below).join(name(program)))
    };
    if found.is_some() {
        return Ok(found);
    }
    let default = in_folder("XDG_CONFIG_HOME", "").or_else(|| in_folder("HOME", ".config"));
    // A default file must be a regular file: opening a FIFO would wait for a writer.
    Ok(default.filter(|path| path.is_file()))
}

/// The words of a line: an option and, after one blank, its argument with all further blanks.
fn words_of(line: &[u8]) -> Vec<OsString> {
    let end = line.iter().rposition(|byte| *byte != b'\r').map_or(0, |last| last + 1);
    let line = &line[..end];
    if line.starts_with(b"#") {
        return Vec::new();
    }
    let start = line.iter().position(|byte| *byte != b' ').unwrap_or(line.len());
    let (option, argument) = split_once(&line[start..], b' ').unwrap_or((&line[start..], b""));
    [option, argument]
        .into_iter()
        .filter(|word| !word.is_empty())
        .map(|word| os_string(word.to_vec()))
        .collect()
}

/// The indices of the secret words in a command line whose first `names` words name the program.
pub(in crate::cli) fn secrets(program: Program, names: usize, words: &[OsString]) -> Vec<usize> {
    let mut found = Vec::new();
    let mut next = names;
    while let Some(word) = words.get(next) {
        next += 1;
        let Some(row) = OptionRow::of(program, word) else { continue };
        if let Sets::Property = row.sets {
            let taken = property::words(&words[next..]);
            found.extend(property::secret(&words[next..]).map(|place| next + place));
            next += taken;
        } else if row.missing.is_some() {
            found.extend(
                (row.is_secret && words.get(next).is_some_and(|word| !word.is_empty())).then_some(next),
            );
            next += 1;
        }
    }
    found
}

/// An unknown word for an error, without probable secrets: one that is joined to its option, or that follows
/// such an option or its value.
fn unknown(program: Program, before: &[OsString], word: &OsStr) -> String {
    let is_secret = |word: &OsString| OptionRow::of(program, word).is_some_and(|row| row.is_secret);
    let word = word.to_string_lossy();
    if !word.is_empty() && !word.starts_with('-') && before.iter().rev().take(2).any(is_secret) {
        return MASK.to_owned();
    }
    let names = ROWS.iter().filter(|row| row.is_secret).flat_map(|row| row.names);
    let is_joined = |name: &str| match word.strip_prefix(name) {
        Some(rest) => !name.starts_with("--") || rest.starts_with('='),
        None => false,
    };
    match names.copied().find(|name| is_joined(name)) {
        Some(name) => format!("{name}{MASK}"),
        None => word.into_owned(),
    }
}

/// The text shown instead of a secret in an error.
const MASK: &str = "…";

/// The kind of the last word of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum ClientWord {
    /// An option.
    Option,
    /// A value of this option, by its number among the option's values.
    Value { option: &'static str, number: usize },
}

/// The kind of the last word. The words before it are read as mosquitto reads them.
pub(in crate::cli) fn last_word(program: Program, names: usize, line: &[OsString]) -> ClientWord {
    let last = line.len() - 1;
    let mut next = names;
    while next < last {
        let row = OptionRow::of(program, &line[next]);
        next += 1;
        let count = match row {
            Some(OptionRow { sets: Sets::Property, .. }) => property::words(&line[next..]),
            Some(row) => usize::from(row.missing.is_some()),
            None => 0,
        };
        if let Some(row) = row.filter(|_| (next..next + count).contains(&last)) {
            return ClientWord::Value { option: row.names[0], number: last - next };
        }
        next += count;
    }
    ClientWord::Option
}

/// The options, each by its longest name, with their descriptions.
pub(in crate::cli) fn options(program: Program) -> impl Iterator<Item = (&'static str, &'static str)> {
    let rows = super::table::ROWS.iter().filter(move |row| row.programs.contains(&program));
    rows.filter_map(|row| Some((*row.names.iter().max_by_key(|name| name.len())?, row.help)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_an_option_and_its_value() {
        for (line, words) in [
            ("-h example\r", &["-h", "example"][..]),
            ("  -m  two  words ", &["-m", " two  words "]),
            ("-d", &["-d"]),
            ("-d ", &["-d"]),
            ("# -d", &[]),
            ("", &[]),
            ("   ", &[]),
        ] {
            assert_eq!(words_of(line.as_bytes()), words, "{line:?}");
        }
    }

    #[test]
    fn last_word_is_an_option_or_a_value() {
        let value = |option, number| ClientWord::Value { option, number };
        for (line, expected) in [
            ("-", ClientWord::Option),
            ("-t a -", ClientWord::Option),
            ("-t ", value("-t", 0)),
            ("-c -h x -t -C ", ClientWord::Option),
            ("--cafile ", value("--cafile", 0)),
            ("-D connect ", value("-D", 1)),
            ("nosuch -q ", value("-q", 0)),
        ] {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            assert_eq!(last_word(Program::Subscribe, 0, &words), expected, "{line}");
        }
    }

    #[test]
    fn secrets_are_left_out_of_unknown_words() {
        for (line, shown) in [
            ("-t a -Ps3cret", "-P…"),
            ("-t a --pw=s3cret", "--pw…"),
            ("-t a -P my s3cret", "…"),
            ("-u -P s3cret", "…"),
            ("-P x -t a what", "what"),
            ("-P x ", ""),
            ("-P x --nonsense", "--nonsense"),
        ] {
            let words: Vec<OsString> = line.split(' ').map(OsString::from).collect();
            let Err(ReadingStop::Misuse(text)) = Settings::read(Program::Subscribe, &words) else {
                panic!("{line}")
            };
            assert_eq!(text, format!("Error: Unknown option '{shown}'.\n"), "{line}");
        }
    }

    #[test]
    fn secrets_are_found_at_their_place() {
        let line =
            ["-t", "-P", "-P", "x", "-D", "connect", "authentication-data", "y", "-L", "mqtt://u:p@h/t"];
        let words: Vec<OsString> = line.iter().map(OsString::from).collect();
        assert_eq!(secrets(Program::Publish, 0, &words), [3, 7, 9]);
    }
}
