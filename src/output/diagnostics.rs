//! Standard error: errors with their hint, warnings, changes of state, and packets for `-d`.
//!
//! Each is one line, written with one call. Text from the network is made safe to show. A closed or full
//! standard error does not end the run, because there is no other place to report it.

use std::fmt::Display;
use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::SystemTime;

use colored::{ColoredString, Colorize as _};
use indicatif::ProgressBar;
use unicode_width::UnicodeWidthStr;

use super::events;
use super::further_hints::FurtherHints;
use super::packet_log;
use super::terminal::{ColorChoice, Environment, StandardStream};
use super::{Terminal, Verbosity};
use crate::clock;
use crate::error::Error;
use crate::manner::{Manner, Program};
use crate::masking::masked;
use crate::notation::printable::{LineFeed, printable, put_printable};
use crate::protocol::Direction;
use crate::protocol::property::PropertyId;
use crate::protocol::wire::Packet;
use crate::quotation::cut_line;
use crate::signal::{outlive_file_limit, take_interrupt};

/// The lines of a run on standard error.
pub struct Diagnostics {
    verbosity: Verbosity,
    color: ColorChoice,
    /// Whether lines begin with the time (`--log-time`).
    has_times: bool,
    /// Whether lines have our own wording or that of mosquitto's clients.
    manner: Manner,
    /// Additional texts for the hints of some errors.
    further: FurtherHints,
    /// Makes the typed command line with a pin added.
    pinned: Option<PinnedLine>,
    /// Determined when the first line is written: most runs write none.
    terminal: OnceLock<Terminal>,
    /// A lock, because a load test has many threads; each of them rarely writes a line.
    out: Mutex<Out>,
}

/// Makes the typed command line with a pin added.
#[derive(Clone)]
pub struct PinnedLine(Arc<MakesLine>);

type MakesLine = dyn Fn(&str) -> Option<String> + Send + Sync;

impl PinnedLine {
    /// `line` makes the command line, or `None` if it is too long to be readable.
    pub fn new(line: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(line))
    }
}

impl std::fmt::Debug for PinnedLine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PinnedLine")
    }
}

struct Out {
    writer: Box<dyn Write + Send>,
    /// The progress display, which may occupy the place of the next line.
    bar: Option<ProgressBar>,
    /// The identifier that the broker assigned to a client without one.
    assigned_client_identifier: String,
    counted: packet_log::Counted,
    held: HeldLines,
    said_once: std::collections::BTreeSet<String>,
}

impl std::fmt::Debug for Diagnostics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Diagnostics").field("verbosity", &self.verbosity).finish_non_exhaustive()
    }
}

impl Diagnostics {
    /// Lines for the standard error of this process.
    #[must_use]
    pub fn new(verbosity: Verbosity, color: ColorChoice) -> Self {
        Self { color, ..Self::with(verbosity, OnceLock::new(), std::io::stderr()) }
    }

    /// Lines for another writer, such as in a test. Each write gets one complete line.
    pub fn into_writer(
        verbosity: Verbosity,
        stream: StandardStream,
        out: impl Write + Send + 'static,
    ) -> Self {
        let terminal = Terminal { stderr: stream, ..Terminal::default() };
        Self::with(verbosity, terminal.into(), out)
    }

    /// Puts the time before each line. JSON events have a key for it.
    #[must_use]
    pub fn with_times(self) -> Self {
        let has_times = !self.verbosity.is_json();
        Self { has_times, ..self }
    }

    /// Adds texts to the hints of some errors.
    #[must_use]
    pub fn hinting(self, further: FurtherHints) -> Self {
        Self { further, ..self }
    }

    /// Adds to the hint for a refused certificate how to accept the broker's key.
    #[must_use]
    pub fn pinning(self, pinned: Option<PinnedLine>) -> Self {
        Self { pinned, ..self }
    }

    /// Sets the wording. With that of mosquitto's clients there are neither hints nor changes of state, and
    /// packets are shown on standard output.
    #[must_use]
    pub fn in_manner(self, manner: Manner) -> Self {
        Self { manner, ..self }
    }

    /// A copy for a thread that outlives the borrow.
    #[must_use]
    pub fn for_thread(&self) -> Self {
        let terminal = self.terminal.clone();
        Self {
            color: self.color,
            has_times: self.has_times,
            manner: self.manner,
            pinned: self.pinned.clone(),
            ..Self::with(self.verbosity, terminal, std::io::stderr())
        }
    }

    /// The same lines, written to another place.
    #[must_use]
    pub fn for_writer(&self, out: impl Write + Send + 'static) -> Self {
        let own = self.for_thread();
        own.out().writer = Box::new(out);
        own
    }

    /// Writes a text unchanged.
    pub fn raw(&self, text: &str) {
        if !text.is_empty() {
            self.put(text);
        }
    }

    fn with(verbosity: Verbosity, terminal: OnceLock<Terminal>, out: impl Write + Send + 'static) -> Self {
        Self {
            verbosity,
            color: ColorChoice::Auto,
            has_times: false,
            manner: Manner::Own,
            further: FurtherHints::default(),
            pinned: None,
            terminal,
            out: Mutex::new(Out {
                writer: Box::new(out),
                bar: None,
                assigned_client_identifier: String::new(),
                counted: packet_log::Counted::default(),
                held: HeldLines::default(),
                said_once: std::collections::BTreeSet::new(),
            }),
        }
    }

    /// What the standard streams are attached to.
    pub fn terminal(&self) -> Terminal {
        *self.terminal.get_or_init(|| Terminal::detect(self.color, Environment::read()))
    }

    /// Which lines are written.
    #[must_use]
    pub fn verbosity(&self) -> Verbosity {
        self.verbosity
    }

    /// Reports why the run ended, with a hint. A closed standard output and a signal are not reported, as the
    /// user caused them; `--quiet` leaves only usage errors.
    pub fn error(&self, error: &Error) {
        if let Manner::Mosquitto(mosquitto) = self.manner {
            return self.foreign(mosquitto.text(error, |pin| self.accepting(pin)).as_deref());
        }
        let quiet = self.verbosity == Verbosity::Quiet
            && !matches!(error, Error::Usage { .. } | Error::Program { .. });
        if quiet || matches!(error, Error::OutputClosed | Error::Signal(_)) {
            return;
        }
        if self.verbosity.is_json() {
            return self.line(&events::error(None, error, self.hint(error).as_deref()));
        }
        let name = self.terminal().stderr.paint("mqtt:", bold_red);
        let place = error.place().map_or_else(String::new, |(line, column)| marked(line, column));
        self.line(&format!("{name} {}\n{place}{}", sentence(error), self.hint_line(error)));
    }

    /// Reports that one part of the work, named by `place`, failed while the run continues.
    pub fn error_in(&self, place: impl Display, error: &Error) {
        if self.manner.is_mosquitto() {
            return self.foreign(Some(&format!("Warning: {place}: {error}")));
        }
        if self.verbosity.is_json() {
            self.line(&events::error(Some(&place.to_string()), error, self.hint(error).as_deref()));
        } else if self.verbosity > Verbosity::Quiet {
            let name = self.terminal().stderr.paint("mqtt:", bold_red);
            self.line(&format!("{name} {}\n", sentence(format_args!("{place}: {error}"))));
        }
    }

    /// Reports that the message with this number, which may be a line of the input, was not delivered while
    /// the run continues.
    pub fn undelivered(&self, number: u64, is_line: bool, error: &Error) {
        if let Manner::Mosquitto(mosquitto) = self.manner {
            self.foreign(Some(&mosquitto.undelivered(number, error)));
        } else if is_line {
            self.error_in(format_args!("line {number}"), error);
        } else {
            self.error(error);
        }
    }

    /// Reports a condition that does not stop the run.
    pub fn warning(&self, text: impl Display) {
        if self.manner.is_mosquitto() {
            return self.foreign(Some(&format!("Warning: {text}")));
        }
        if self.verbosity.is_json() {
            self.line(&events::text("warning", &text.to_string()));
        } else if self.verbosity > Verbosity::Quiet {
            let name = self.terminal().stderr.paint("mqtt: warning:", |text| text.yellow().bold());
            self.line(&format!("{name} {}\n", sentence(text)));
        }
    }

    /// Like [`Self::warning`], but only once in the run for each text. For texts of which there are few.
    pub fn warning_once(&self, text: impl Display) {
        let text = text.to_string();
        if self.out().said_once.insert(text.clone()) {
            self.warning(text);
        }
    }

    /// Reports a change in the state of the connection, with its name for programs.
    pub fn change(&self, state: &'static str, text: impl Display) {
        if self.verbosity.is_json() {
            self.line(&events::state(state, &text.to_string()));
        } else {
            self.state(text);
        }
    }

    /// Reports a change of state only to programs that watch the run.
    pub fn change_event(&self, state: &'static str, text: impl Display) {
        if self.verbosity.is_json() {
            self.change(state, text);
        }
    }

    /// Reports a change of state, for example `connected again`.
    pub fn state(&self, text: impl Display) {
        if self.manner.is_mosquitto() {
            return;
        }
        if self.verbosity.is_json() {
            self.line(&events::text("state", &text.to_string()));
        } else if self.verbosity > Verbosity::Quiet {
            self.line(&format!("mqtt: {}\n", sentence(text)));
        }
    }

    /// Writes a line without the program's name.
    pub fn plain(&self, text: &str) {
        match self.verbosity {
            Verbosity::Events | Verbosity::States => self.line(&events::text("text", text)),
            _ => self.line(&format!("{}\n", sentence(text))),
        }
    }

    /// Reports that there is no connection and that connecting continues; `what` describes the state.
    pub fn no_connection(&self, state: &'static str, what: &str, why: &Error) {
        match why {
            Error::Link { cause, .. } => self.change(state, format_args!("{what}: {cause}; trying again")),
            other => self.change(state, format_args!("{what}: {other}; trying again")),
        }
    }

    /// Writes a line for `-d`. The text is only made if it is shown.
    pub fn debug<T: Display>(&self, text: impl FnOnce() -> T) {
        if self.manner.is_mosquitto() {
            return;
        }
        match self.verbosity {
            Verbosity::Events => self.line(&events::text("text", &text().to_string())),
            Verbosity::Debug => self.line(&format!("{}\n", sentence(text()))),
            Verbosity::Quiet | Verbosity::Normal | Verbosity::States => {}
        }
    }

    /// Whether [`Diagnostics::packet`] writes anything.
    #[must_use]
    pub fn shows_packets(&self) -> bool {
        self.verbosity >= Verbosity::Debug
    }

    /// Writes a packet for `-d`, in the wording of mosquitto's clients, or for `--json-events`.
    pub fn packet(&self, client_identifier: &str, direction: Direction, packet: &Packet<'_>) {
        if self.verbosity == Verbosity::Events {
            self.line(&events::packet(direction, packet));
        } else if self.verbosity == Verbosity::Debug {
            let assigned = self.assigned_client_identifier(packet);
            let name = if client_identifier.is_empty() { &assigned } else { client_identifier };
            let mut lines = Vec::new();
            let mut put = |line: &str| {
                put_printable(&mut lines, cut_line(line).as_bytes(), LineFeed::Show);
                lines.push(b'\n');
            };
            if let Manner::Mosquitto(mosquitto) = self.manner {
                let out = &mut *self.out();
                out.counted.describe(name, direction, packet, mosquitto, &mut put);
                let is_message = direction == Direction::Received && matches!(packet, Packet::Publish(_));
                out.held.put(&lines, is_message && mosquitto.program == Program::Subscribe);
            } else {
                packet_log::describe(name, direction, packet, &mut put);
                self.line(&String::from_utf8(lines).unwrap_or_default());
            }
        }
    }

    /// Appends the lines about packets that belong before the next write to standard output. With `all`,
    /// everything is about to be written out.
    pub fn put_held_packets(&self, out: &mut Vec<u8>, all: bool) {
        if self.manner.is_mosquitto() && self.shows_packets() {
            let held = &mut self.out().held;
            out.append(&mut held.lines);
            held.waits &= !all;
        }
    }

    /// The identifier that the broker assigned to a client without one, also if it is in this packet
    /// ([MQTT-3.2.2-16]). After a reconnect the client has it in its CONNECT.
    fn assigned_client_identifier(&self, packet: &Packet<'_>) -> String {
        let assigned = &mut self.out().assigned_client_identifier;
        match packet {
            Packet::Connect(connect) => connect.client_identifier.clone_into(assigned),
            Packet::ConnAck { properties, .. } => {
                if let Some(identifier) = properties.text(PropertyId::AssignedClientIdentifier) {
                    *assigned = masked(identifier).into_owned();
                }
            }
            _ => {}
        }
        assigned.clone()
    }

    /// Writes a question to be answered on the same line, whatever the verbosity, since the run waits for the
    /// answer.
    pub(super) fn ask(&self, question: &str) {
        self.line(&printable(question));
    }

    fn hint_line(&self, error: &Error) -> String {
        self.hint(error).map_or_else(String::new, |hint| {
            format!("{} {}\n", self.terminal().stderr.paint("hint:", ColoredString::bold), sentence(hint))
        })
    }

    /// The hint for an error, with additional texts.
    fn hint(&self, error: &Error) -> Option<String> {
        let own = error.advice(|pin| self.accepting(pin));
        let more = self.further.of(error).map(str::to_owned);
        let both: Vec<String> = own.into_iter().chain(more).collect();
        (!both.is_empty()).then(|| both.join("; "))
    }

    /// The typed command line with this pin.
    fn accepting(&self, pin: &str) -> Option<String> {
        self.pinned.as_ref().and_then(|PinnedLine(line)| line(pin))
    }

    /// Whether standard error is a terminal where progress is wanted.
    pub fn is_interactive(&self) -> bool {
        !self.manner.is_mosquitto()
            && self.terminal().stderr.is_terminal
            && self.verbosity == Verbosity::Normal
    }

    /// Ends the line in which a terminal shows `^C`, if there was one.
    pub fn end_interrupted_line(&self) {
        if let Some(line_feed) = self.after_interrupt() {
            self.write(line_feed);
        }
    }

    /// The text needed before the next line.
    fn after_interrupt(&self) -> Option<&'static str> {
        let is_shown = take_interrupt()
            && self.verbosity > Verbosity::Quiet
            && !self.verbosity.is_json()
            && !self.manner.is_mosquitto()
            && self.terminal().stderr.is_terminal;
        is_shown.then_some("\n")
    }

    /// Writes further lines above this bar while it is shown.
    pub(super) fn make_room_for(&self, bar: ProgressBar) {
        self.out().bar = Some(bar);
    }

    fn out(&self) -> MutexGuard<'_, Out> {
        self.out.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes a text of mosquitto's clients, line by line.
    fn foreign(&self, text: Option<&str>) {
        let is_quiet = matches!(self.manner, Manner::Mosquitto(mosquitto) if mosquitto.quiet);
        for line in text.iter().filter(|_| !is_quiet).flat_map(|text| text.lines()) {
            self.put(&format!("{}\n", printable(line)));
        }
    }

    fn line(&self, text: &str) {
        if self.has_times {
            let now = clock::rfc3339_millis(SystemTime::now());
            let lines: Vec<String> = text.split_inclusive('\n').map(|line| format!("{now} {line}")).collect();
            return self.put(&lines.concat());
        }
        self.put(text);
    }

    fn put(&self, text: &str) {
        match self.after_interrupt() {
            Some(line_feed) => self.write(&[line_feed, text].concat()),
            None => self.write(text),
        }
    }

    fn write(&self, text: &str) {
        outlive_file_limit();
        let Out { writer, bar, .. } = &mut *self.out();
        let _ = match bar.as_ref().filter(|bar| !bar.is_finished()) {
            Some(bar) => bar.suspend(|| writer.write_all(text.as_bytes())),
            None => writer.write_all(text.as_bytes()),
        };
    }
}

/// Lines about packets on standard output, where mosquitto's clients show them between messages.
#[derive(Debug, Default)]
struct HeldLines {
    lines: Vec<u8>,
    /// Whether a message was announced and is not written out yet: later lines wait for it.
    waits: bool,
}

impl HeldLines {
    /// A closed standard output is noticed when messages are written.
    fn put(&mut self, lines: &[u8], announces_message: bool) {
        self.waits |= announces_message;
        if self.waits {
            self.lines.extend_from_slice(lines);
        } else {
            let _ = std::io::stdout().write_all(lines).and_then(|()| std::io::stdout().flush());
        }
    }
}

/// A text as one line: safe to show, and of readable length.
fn sentence(text: impl Display) -> String {
    printable(&*cut_line(&text.to_string()))
}

/// The line of a program with a mark below the error. Of a long line, the part around the error is shown.
fn marked(line: &str, column: usize) -> String {
    const BEFORE: usize = 60;
    const ALL: usize = 100;
    let skipped = column.saturating_sub(BEFORE);
    let shown: String =
        line.chars().skip(skipped).take(ALL).map(|c| if c == '\t' { ' ' } else { c }).collect();
    let before: String = shown.chars().take(column.saturating_sub(1 + skipped)).collect();
    let width = UnicodeWidthStr::width(printable(&before).as_str());
    format!("    {}\n    {}^\n", printable(&shown), " ".repeat(width))
}

fn bold_red(text: ColoredString) -> ColoredString {
    text.red().bold()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Layer;
    use std::sync::Arc;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn said(verbosity: Verbosity, say: impl FnOnce(&Diagnostics)) -> String {
        let kept = Kept::default();
        say(&Diagnostics::into_writer(verbosity, StandardStream::default(), kept.clone()));
        String::from_utf8(kept.0.lock().unwrap().clone()).unwrap()
    }

    fn refused() -> Error {
        Error::link(Layer::Connect, "connection refused by 127.0.0.1:1883").with_hint("is a broker there?")
    }

    /// Each line has the time, the hint too; events have a key for it.
    #[test]
    fn time_begins_each_line_on_request() {
        let kept = Kept::default();
        for verbosity in [Verbosity::Debug, Verbosity::States] {
            Diagnostics::into_writer(verbosity, StandardStream::default(), kept.clone())
                .with_times()
                .error(&refused());
        }
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for (line, rest) in lines.iter().zip(["mqtt: connection: connection refused", "hint: is a broker"]) {
            let (time, line) = line.split_once(' ').unwrap();
            humantime::parse_rfc3339(time).unwrap();
            assert!(line.starts_with(rest), "{text}");
        }
        assert!(lines[2].starts_with("{\"type\":\"error\","), "{text}");
    }

    #[test]
    fn an_error_is_a_line_and_a_hint() {
        let text = said(Verbosity::Normal, |d| d.error(&refused()));
        assert_eq!(
            text,
            "mqtt: connection: connection refused by 127.0.0.1:1883\nhint: is a broker there?\n"
        );
    }

    #[test]
    fn quiet_leaves_usage_errors_only() {
        let text = said(Verbosity::Quiet, |d| {
            d.error(&refused());
            d.warning("careful");
            d.state("connected");
            d.debug(|| "packet");
            d.error(&Error::usage("-q takes 0, 1 or 2"));
        });
        assert_eq!(text, "mqtt: -q takes 0, 1 or 2\n");
    }

    #[test]
    fn requested_end_is_not_reported() {
        let text = said(Verbosity::Debug, |d| {
            d.error(&Error::OutputClosed);
            d.error(&Error::Signal(2));
        });
        assert_eq!(text, "");
    }

    #[test]
    fn text_of_a_peer_cannot_write_lines_or_colours() {
        let text = said(Verbosity::Normal, |d| d.warning("topic a\x1b[2J\nmqtt: all is well"));
        assert_eq!(text, "mqtt: warning: topic a\\x1b[2J\\nmqtt: all is well\n");
    }

    #[test]
    fn a_reconnect_says_why_and_when() {
        let text = said(Verbosity::Normal, |d| d.no_connection("lost", "connection lost", &refused()));
        assert_eq!(text, "mqtt: connection lost: connection refused by 127.0.0.1:1883; trying again\n");
    }

    #[test]
    fn a_closed_standard_error_is_ignored() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        Diagnostics::into_writer(Verbosity::Normal, StandardStream::default(), Closed).error(&refused());
    }
}
