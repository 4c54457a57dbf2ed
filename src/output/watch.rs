//! One line per topic with its latest message, updated in place, on a terminal.

use std::collections::HashMap;
use std::io::Write as _;
use std::time::SystemTime;

use unicode_width::UnicodeWidthChar as _;

use super::MessageFormat;
use super::message::MessageWriter;
use super::record::{Misfit, PayloadNote};
use super::terminal;
use crate::notation::printable::{LineFeed, printable, put_printable};
use crate::protocol::wire::Publish;
use crate::quantity::counted;

/// Maximum number of topics: more than any terminal has lines.
const MOST_TOPICS: usize = 1000;
/// Maximum number of bytes kept of a line: more than fits into any terminal.
const MOST_LINE_BYTES: usize = 4096;
/// A buffer that one large message made larger than this is not kept.
const KEPT_BYTES: usize = 64 * 1024;
/// Columns and rows if the terminal does not report them.
const USUAL_SIZE: (u16, u16) = (80, 24);
/// Appended to the heading.
const CONNECTED_AGAIN: &str = " (connected again)";
/// Moves the cursor to the top left and clears the screen (ECMA-48).
const CLEAR: &[u8] = b"\x1b[H\x1b[2J";

/// The topics as a terminal shows them.
#[derive(Debug)]
pub struct Watch {
    writer: MessageWriter,
    heading: String,
    /// The index of each topic, in the order of appearance.
    places: HashMap<Box<[u8]>, usize>,
    lines: Vec<TopicLine>,
    /// Whether there were more topics than the maximum.
    has_others: bool,
    /// Columns and rows of the latest drawing; `None` requests a full redraw.
    drawn_for: Option<(u16, u16)>,
    /// The text below the lines: how many are not shown.
    below: String,
    message: Vec<u8>,
}

#[derive(Debug)]
struct TopicLine {
    text: String,
    is_drawn: bool,
}

impl Watch {
    /// Messages in this format; text is preceded by the topic.
    #[must_use]
    pub fn new(format: MessageFormat, heading: &str) -> Self {
        let format = match format {
            MessageFormat::Text { .. } => MessageFormat::Text { verbose: true, newline: true },
            other => other,
        };
        Self {
            writer: MessageWriter::new(format, true),
            heading: printable(heading),
            places: HashMap::new(),
            lines: Vec::new(),
            has_others: false,
            drawn_for: None,
            below: String::new(),
            message: Vec::new(),
        }
    }

    /// Stores a message for the next [`Watch::draw`].
    ///
    /// # Errors
    /// Like [`MessageWriter::write`].
    pub fn message(
        &mut self,
        publish: &Publish<'_>,
        received: SystemTime,
        note: &PayloadNote<'_>,
    ) -> Result<(), Misfit> {
        let place = match self.places.get(publish.topic) {
            Some(place) => *place,
            None if self.lines.len() < MOST_TOPICS => {
                self.places.insert(publish.topic.into(), self.lines.len());
                self.lines.push(TopicLine { text: String::new(), is_drawn: false });
                self.lines.len() - 1
            }
            None => {
                self.has_others = true;
                return Ok(());
            }
        };
        self.message.clear();
        let written = self.writer.write_decoded(&mut self.message, publish, received, note);
        if let Some(error) = note.error.filter(|_| !self.writer.has_records()) {
            let end = if self.message.ends_with(b"\n") { self.message.len() - 1 } else { self.message.len() };
            self.message.truncate(end);
            let _ = write!(self.message, " ({error})");
        }
        let text = self.message.strip_suffix(b"\n").unwrap_or(&self.message);
        let mut shown = Vec::new();
        put_printable(&mut shown, &text[..text.len().min(MOST_LINE_BYTES)], LineFeed::Show);
        let line = TopicLine { text: String::from_utf8_lossy(&shown).replace('\t', " "), is_drawn: false };
        self.lines[place] = line;
        self.message.shrink_to(KEPT_BYTES);
        written
    }

    /// Requests a full redraw, as a message about the lost connection may have overwritten the screen, and
    /// shows that the connection is back.
    pub fn connected_again(&mut self) {
        self.drawn_for = None;
        if !self.heading.ends_with(CONNECTED_AGAIN) {
            self.heading.push_str(CONNECTED_AGAIN);
        }
    }

    /// Appends the changes that update the terminal.
    pub fn draw(&mut self, out: &mut Vec<u8>) {
        self.draw_for(size().unwrap_or(USUAL_SIZE), out);
    }

    fn draw_for(&mut self, size: (u16, u16), out: &mut Vec<u8>) {
        let (columns, rows) = (usize::from(size.0), usize::from(size.1));
        // One row is for the heading, and one for the cursor.
        let visible = rows.saturating_sub(2).min(self.lines.len());
        let hidden = self.lines.len() - visible;
        let others = if self.has_others { ", and others" } else { "" };
        let below = match hidden {
            0 => String::new(),
            _ => format!("… {}{others}", counted(hidden as u64, "more topic")),
        };
        let anew = self.drawn_for != Some(size);
        if anew {
            out.extend_from_slice(CLEAR);
            out.extend_from_slice(cut(&self.heading, columns).as_bytes());
            self.drawn_for = Some(size);
        } else if below == self.below && self.lines.iter().all(|line| line.is_drawn) {
            return;
        }
        for (place, line) in self.lines.iter_mut().enumerate() {
            let was_drawn = std::mem::replace(&mut line.is_drawn, true);
            if place < visible && (anew || !was_drawn) {
                put_row(out, place + 2, &cut(&line.text, columns));
            }
        }
        put_row(out, visible + 2, &cut(&below, columns.saturating_sub(1)));
        self.below = below;
    }

    /// Appends the sequence that moves the cursor below all lines, where the shell continues.
    pub fn finish(&self, out: &mut Vec<u8>) {
        match self.drawn_for {
            Some((_, rows)) if self.lines.len() + 2 > usize::from(rows) => out.extend_from_slice(b"\n"),
            // Clears the terminal's echo of Ctrl-C.
            Some(_) => out.extend_from_slice(b"\r\x1b[K"),
            None => {}
        }
    }
}

/// Writes a text into a row. The row is cleared first: after a text as wide as the terminal, clearing would
/// delete its last character.
fn put_row(out: &mut Vec<u8>, row: usize, text: &str) {
    let _ = write!(out, "\x1b[{row};1H\x1b[2K{text}"); // writing to memory cannot fail
}

/// The text cut to this number of columns, with a mark if it was cut.
fn cut(text: &str, columns: usize) -> String {
    let mut width = 0;
    let mut fits = 0; // number of bytes that fit together with the mark
    for (at, character) in text.char_indices() {
        if width < columns {
            fits = at;
        }
        width += character.width().unwrap_or(0);
        if width > columns {
            return if columns == 0 { String::new() } else { format!("{}…", &text[..fits]) };
        }
    }
    text.into()
}

/// The columns and rows of standard output.
fn size() -> Option<(u16, u16)> {
    Some((terminal::columns(std::io::stdout())?, terminal::rows(std::io::stdout())?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::QoS;
    use crate::protocol::property::Properties;

    const TEXT: MessageFormat = MessageFormat::Text { verbose: false, newline: true };

    fn take(watch: &mut Watch, topic: &str, payload: &[u8]) {
        let publish = Publish {
            dup: false,
            qos: QoS::AtMostOnce,
            retain: false,
            packet_identifier: 0,
            topic: topic.as_bytes(),
            properties: Properties::NONE,
            payload,
        };
        watch.message(&publish, SystemTime::UNIX_EPOCH, &PayloadNote::PLAIN).unwrap();
    }

    fn drawn(watch: &mut Watch, size: (u16, u16)) -> String {
        let mut out = Vec::new();
        watch.draw_for(size, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_line_for_each_topic_in_place() {
        let mut watch = Watch::new(TEXT, "Broker: h");
        assert_eq!(drawn(&mut watch, (20, 5)), "\x1b[H\x1b[2JBroker: h\x1b[2;1H\x1b[2K");
        assert_eq!(drawn(&mut watch, (20, 5)), "");
        take(&mut watch, "a", b"1");
        take(&mut watch, "b", b"");
        take(&mut watch, "a", b"\x1b[2J\n\t\xff");
        let lines = "\x1b[2;1H\x1b[2Ka \\x1b[2J\\n \\xff\x1b[3;1H\x1b[2Kb (null)\x1b[4;1H\x1b[2K";
        assert_eq!(drawn(&mut watch, (20, 5)), lines);
        take(&mut watch, "b", b"2");
        assert_eq!(drawn(&mut watch, (20, 5)), "\x1b[3;1H\x1b[2Kb 2\x1b[4;1H\x1b[2K");
        // After output in between, and after a change of size, everything is drawn again.
        for _ in 0..2 {
            watch.connected_again();
            let start = "\x1b[H\x1b[2JBroker: h (connecte…\x1b[2;1H\x1b[2Ka ";
            assert!(drawn(&mut watch, (20, 5)).starts_with(start));
        }
        assert!(
            drawn(&mut watch, (8, 5))
                .ends_with("\x1b[2;1H\x1b[2Ka \\x1b[…\x1b[3;1H\x1b[2Kb 2\x1b[4;1H\x1b[2K")
        );
        let mut end = Vec::new();
        watch.finish(&mut end);
        assert_eq!(end, b"\r\x1b[K");
    }

    /// A record has a key for the reason, a text has it after the payload.
    #[test]
    fn payload_that_was_not_decoded_has_the_reason() {
        for (format, expected) in [
            (TEXT, "a \\xff (cbor: no)"),
            (MessageFormat::Json { pretty: false }, "\"payload-error\":\"cbor: no\""),
        ] {
            let mut watch = Watch::new(format, "Broker: h");
            let publish = Publish {
                dup: false,
                qos: QoS::AtMostOnce,
                retain: false,
                packet_identifier: 0,
                topic: b"a",
                properties: Properties::NONE,
                payload: b"\xff",
            };
            let note = PayloadNote { error: Some("cbor: no"), ..PayloadNote::PLAIN };
            watch.message(&publish, SystemTime::UNIX_EPOCH, &note).unwrap();
            let drawn = drawn(&mut watch, (500, 5));
            assert!(drawn.contains(expected), "{drawn}");
        }
    }

    #[test]
    fn more_topics_than_lines() {
        let mut watch = Watch::new(TEXT, "Broker: h");
        for number in 0..MOST_TOPICS {
            take(&mut watch, &number.to_string(), b"x");
        }
        let first = "\x1b[2;1H\x1b[2K0 x\x1b[3;1H\x1b[2K1 x\x1b[4;1H\x1b[2K… 998 more topics";
        assert!(drawn(&mut watch, (40, 4)).ends_with(first));
        take(&mut watch, "one more", b"x");
        take(&mut watch, "1", b"y");
        let second = "\x1b[3;1H\x1b[2K1 y\x1b[4;1H\x1b[2K… 998 more topics, and others";
        assert_eq!(drawn(&mut watch, (40, 4)), second);
        let mut end = Vec::new();
        watch.finish(&mut end);
        assert_eq!(end, b"\n");
        // A terminal without room for any line is not an error.
        for size in [(1, 1), (1, 2), (3, 3)] {
            drawn(&mut watch, size);
        }
    }

    #[test]
    fn lines_are_cut_by_columns() {
        for (text, columns, expected) in [
            ("abc", 3, "abc"),
            ("abcd", 3, "ab…"),
            ("日本", 4, "日本"),
            ("日本語", 4, "日…"),
            ("日本語", 5, "日本…"),
            ("e\u{301}e\u{301}", 2, "e\u{301}e\u{301}"),
            ("ab", 0, ""),
            ("ab", 1, "…"),
            ("", 0, ""),
        ] {
            assert_eq!(cut(text, columns), expected, "{text} {columns}");
        }
    }
}
