//! The live view as cells of a screen. It uses only bold, dim and reversed text, which every terminal
//! supports.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use super::ViewState;
use super::topics::{ListRow, MOST_PAYLOAD_BYTES, ViewedTopic};
use crate::notation::printable::printable;
use crate::quantity::{agree, counted};

const DETAIL_HELP: &str =
    "q quit  \u{2191}\u{2193} move  enter back  PgUp PgDn scroll the message  / filter  p pause";
const HELP: &str = "q quit  \u{2191}\u{2193} move  enter message  / filter  s sort  t tree  p pause";
const HEAD: &str = "   AGE    COUNT     /S    SIZE R ";
/// The width of the numbers before the topic.
const HEAD_COLUMNS: u16 = 33;
/// The rows of the title, the list's heading, and the help.
const OTHER_ROWS: u16 = 3;

/// Draws the whole view.
pub(super) fn draw(state: &mut ViewState, buffer: &mut Buffer, now: Instant) {
    let (columns, rows) = (buffer.area.width, buffer.area.height);
    if rows < 2 || columns == 0 {
        return;
    }
    // On a small screen the message takes all rows of the list.
    let detail_rows = match (state.has_detail, rows > 8) {
        (true, true) => rows / 2,
        (true, false) => rows.saturating_sub(OTHER_ROWS),
        (false, _) => 0,
    };
    let list_rows = rows.saturating_sub(OTHER_ROWS + detail_rows);
    state.make_rows(usize::from(list_rows));
    let bold = Style::new().add_modifier(Modifier::BOLD);
    put(buffer, 0, 0, columns, &title(state, usize::from(columns)), bold);
    let reversed = Style::new().add_modifier(Modifier::REVERSED);
    let topic_columns = topic_columns(state, columns);
    let head = format!("{HEAD}{:<width$} VALUE", "TOPIC", width = usize::from(topic_columns));
    put(buffer, 0, 1, columns, &format!("{head:<width$}", width = usize::from(columns)), reversed);
    let cursor = state.place();
    for (line, place) in (state.top..state.rows.len()).take(usize::from(list_rows)).enumerate() {
        let y = 2 + u16::try_from(line).unwrap_or(u16::MAX);
        let is_chosen = state.cursor.is_some() && place == cursor;
        let style = if is_chosen { reversed } else { Style::new() };
        if is_chosen {
            put(buffer, 0, y, columns, &" ".repeat(usize::from(columns)), style);
        }
        put_list_row(state, buffer, y, &state.rows[place], topic_columns, style, now);
    }
    if detail_rows > 0 {
        put_detail(state, buffer, 2 + list_rows, detail_rows, now);
    }
    let (last, modifier) = last_row(state, usize::from(columns));
    put(buffer, 0, rows - 1, columns, &last, Style::new().add_modifier(modifier));
}

/// The last row: the text being typed, the filter, or the keys.
fn last_row(state: &ViewState, columns: usize) -> (String, Modifier) {
    let found = counted(state.rows.len() as u64, "row");
    let filter = printable(&state.filter);
    if state.is_typing {
        // The end of a long text is the part being typed.
        let space = columns.saturating_sub(found.len() + 5);
        return (format!("/{}\u{2588}  {found}", end_of(&filter, space)), Modifier::BOLD);
    }
    if !state.filter.is_empty() {
        return (format!("q quit  / change  Esc show all  filter '{filter}': {found}"), Modifier::BOLD);
    }
    let help = if state.has_detail { DETAIL_HELP } else { HELP };
    (help.to_owned(), Modifier::DIM)
}

/// The longest end of a text that fits into this number of columns.
fn end_of(text: &str, columns: usize) -> &str {
    let mut width = 0;
    let fits = text.char_indices().rev().take_while(|(_, character)| {
        width += character.width().unwrap_or(0);
        width <= columns
    });
    fits.last().map_or("", |(at, _)| &text[at..])
}

/// The title: the state of the view, which always fits, the number of messages, and the broker if there is
/// space.
fn title(state: &ViewState, columns: usize) -> String {
    let shown = state.shown();
    let more = if shown.has_others { "+" } else { "" };
    let order = if state.is_tree { "tree" } else { state.order.name() };
    let mut title = String::new();
    if !state.is_connected {
        title += "CONNECTION LOST  ";
    }
    if state.frozen.is_some() {
        title += "PAUSED  ";
    }
    let _ = write!(
        title,
        "{}{more} {}  {}  {:.1}/s  by {order}",
        shown.all.len(),
        agree(shown.all.len() as u64, "topic", "topics"),
        counted(shown.messages, "message"),
        shown.rate
    );
    let space = columns.saturating_sub(title.width() + 2);
    let mut broker = state.broker.as_str();
    while broker.width() > space {
        broker = broker.char_indices().next_back().map_or("", |(last, _)| &broker[..last]);
    }
    if broker.is_empty() { title } else { format!("{title}  {broker}") }
}

/// The width of the topics: that of the widest shown, up to half of the columns.
fn topic_columns(state: &ViewState, columns: u16) -> u16 {
    let shown = state.rows.iter().skip(state.top).take(state.height);
    let width = |row: &ListRow| match row {
        ListRow::Topic(place) if !state.is_tree => state.shown().all[*place].name.width(),
        row => label(state, row).width(),
    };
    let widest = shown.map(width).max().unwrap_or(0).max(10);
    u16::try_from(widest).unwrap_or(u16::MAX).min(columns.saturating_sub(HEAD_COLUMNS) / 2)
}

/// The label of a row: a topic, or in the tree its last level.
fn label(state: &ViewState, row: &ListRow) -> String {
    match row {
        ListRow::Topic(place) => {
            let name = &state.shown().all[*place].name;
            if !state.is_tree {
                return name.clone();
            }
            let depth = name.matches('/').count();
            format!("{}  {}", "  ".repeat(depth), name.rsplit('/').next().unwrap_or_default())
        }
        ListRow::Level { prefix, depth, is_open, .. } => {
            let sign = if *is_open { '-' } else { '+' };
            let name = prefix.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
            format!("{}{sign} {name}/", "  ".repeat(*depth))
        }
    }
}

fn put_list_row(
    state: &ViewState,
    buffer: &mut Buffer,
    y: u16,
    row: &ListRow,
    topic_columns: u16,
    style: Style,
    now: Instant,
) {
    let columns = buffer.area.width;
    let (numbers, value) = match row {
        ListRow::Topic(place) => {
            let topic = &state.shown().all[*place];
            let retained = if topic.retain { 'R' } else { ' ' };
            let ViewedTopic { count, rate, size, at, .. } = topic;
            let age = age(now.saturating_duration_since(*at));
            (format!("{age:>6} {count:>8} {rate:>6.1} {size:>7} {retained} "), value_of(topic))
        }
        ListRow::Level { topics, count, rate, .. } => (
            format!("{:>6} {count:>8} {rate:>6.1} {:>7}   ", "", ""),
            format!("({})", counted(*topics as u64, "topic")),
        ),
    };
    let value_x = HEAD_COLUMNS + topic_columns + 1;
    put(buffer, 0, y, columns.min(HEAD_COLUMNS), &numbers, style);
    put(buffer, HEAD_COLUMNS, y, topic_columns, &label(state, row), style);
    put(buffer, value_x, y, columns.saturating_sub(value_x), &value, style);
}

/// Draws the message at the cursor: its properties, its payload, and earlier ones. Long lines are wrapped.
fn put_detail(state: &mut ViewState, buffer: &mut Buffer, y: u16, rows: u16, now: Instant) {
    let columns = buffer.area.width;
    let space = usize::from(rows.saturating_sub(1));
    (state.detail_height, state.has_more_detail) = (space.max(1), false);
    let Some(ListRow::Topic(place)) = state.rows.get(state.place()) else { return };
    let topic = &state.shown().all[*place];
    let retained = if topic.retain { ", retained" } else { "" };
    let age_now = age(now.saturating_duration_since(topic.at));
    let head = format!("{}  QoS {}{retained}, {} bytes, {age_now} ago", topic.name, topic.qos, topic.size);
    let mut lines = Vec::new();
    if !topic.error.is_empty() {
        lines.push(format!("payload-error: {}", printable(&topic.error)));
    }
    if !topic.properties.is_empty() {
        lines.extend(pretty(&topic.properties));
    }
    lines.extend(pretty(&topic.payload));
    if topic.size > MOST_PAYLOAD_BYTES {
        lines.push(format!("\u{2026} {} more bytes", topic.size - MOST_PAYLOAD_BYTES));
    }
    let mut lines: Vec<String> =
        lines.iter().flat_map(|line| wrapped(line, usize::from(columns))).map(str::to_owned).collect();
    // Earlier messages are at the bottom, in the remaining space.
    let earlier = topic.earlier.iter().rev().map(|earlier| {
        let age = age(now.saturating_duration_since(earlier.at));
        format!("{age:>6} ago  {}", value(&earlier.payload))
    });
    let earlier: Vec<String> = earlier.take(space / 2).collect();
    let name = topic.name.clone();
    if std::mem::replace(&mut state.detail_of, name.clone()) != name {
        state.detail_top = 0;
    }
    let all = lines.len();
    let shown = space - earlier.len();
    state.detail_height = shown.max(1);
    // The message may have become shorter.
    state.detail_top = state.detail_top.min(all.saturating_sub(shown));
    state.has_more_detail = state.detail_top + shown < all;
    lines.drain(..state.detail_top);
    lines.truncate(shown);
    let head = if all > shown {
        let (first, last) = (state.detail_top + 1, state.detail_top + lines.len());
        format!("lines {first}-{last} of {all}  {head}")
    } else {
        head
    };
    let line = Style::new().add_modifier(Modifier::REVERSED);
    put(buffer, 0, y, columns, &format!("{head:<width$}", width = usize::from(columns)), line);
    lines.extend(earlier);
    for (line, text) in lines.iter().enumerate() {
        let y = y + 1 + u16::try_from(line).unwrap_or(u16::MAX);
        put(buffer, 0, y, columns, text, Style::new());
    }
}

/// JSON over several lines, other text unchanged.
fn pretty(bytes: &[u8]) -> Vec<String> {
    let json = serde_json::from_slice::<serde_json::Value>(bytes)
        .ok()
        .filter(|json| json.is_object() || json.is_array());
    let text = json.and_then(|json| serde_json::to_string_pretty(&json).ok());
    let text = text.map_or_else(|| bytes.to_vec(), String::into_bytes);
    let line = |line: &[u8]| printable(line.strip_suffix(b"\r").unwrap_or(line)).replace('\t', " ");
    text.split(|byte| *byte == b'\n').map(line).collect()
}

/// A line split into parts of this number of columns.
fn wrapped(line: &str, columns: usize) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut width) = (0, 0);
    for (at, character) in line.char_indices() {
        let more = character.width().unwrap_or(0);
        if width + more > columns && at > start {
            parts.push(&line[start..at]);
            (start, width) = (at, 0);
        }
        width += more;
    }
    parts.push(&line[start..]);
    parts
}

/// The final list as lines for the terminal after the view, without the cursor, the message detail and the
/// keys.
pub(super) fn last_picture(state: &mut ViewState, size: (u16, u16), now: Instant) -> Vec<String> {
    (state.has_detail, state.is_typing, state.cursor) = (false, false, None);
    // Two lines are left for an error and the shell's prompt.
    let rows = size.1.saturating_sub(2).max(OTHER_ROWS);
    let mut buffer = Buffer::empty(Rect::new(0, 0, size.0, rows));
    draw(state, &mut buffer, now);
    let topics = usize::from(rows - OTHER_ROWS).min(state.rows.len().saturating_sub(state.top));
    let mut lines = lines_of(&buffer);
    lines.truncate(2 + topics);
    let others = state.rows.len() - topics;
    if others > 0 {
        lines.push(format!("\u{2026} {}", counted(others as u64, "more row")));
    }
    lines
}

fn lines_of(buffer: &Buffer) -> Vec<String> {
    let Rect { width, height, .. } = buffer.area;
    let line = |y| {
        let mut line = String::new();
        let mut x = 0;
        while x < width {
            let symbol = buffer[(x, y)].symbol();
            line.push_str(symbol);
            // A wide character also occupies the next cell.
            x += u16::try_from(symbol.width()).unwrap_or(1).max(1);
        }
        line.truncate(line.trim_end().len());
        line
    };
    (0..height).map(line).collect()
}

/// The latest payload of a topic in one line, and why it was not decoded.
fn value_of(topic: &ViewedTopic) -> String {
    let shown = value(&topic.payload);
    if topic.error.is_empty() { shown } else { format!("{shown} ({})", printable(&topic.error)) }
}

/// A payload in one line.
fn value(payload: &[u8]) -> String {
    // No line has room for more.
    printable(&payload[..payload.len().min(1024)]).replace('\t', " ")
}

/// An age in about four characters.
fn age(age: Duration) -> String {
    match age.as_secs() {
        seconds @ 0..100 => format!("{seconds}s"),
        seconds @ 100..6000 => format!("{}m", seconds / 60),
        seconds @ 6000..360_000 => format!("{}h", seconds / 3600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

fn put(buffer: &mut Buffer, x: u16, y: u16, columns: u16, text: &str, style: Style) {
    if x < buffer.area.width && y < buffer.area.height {
        buffer.set_stringn(x, y, text, usize::from(columns), style);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::view::keys::TypedKey;
    use crate::protocol::QoS;
    use crate::protocol::property::Properties;
    use crate::protocol::wire::Publish;

    struct Shown {
        state: ViewState,
        error: Option<&'static str>,
        begin: Instant,
    }

    impl Shown {
        fn new(messages: &[(&str, &str)]) -> Self {
            let begin = Instant::now();
            let mut this = Self { state: ViewState::new("Broker: h", begin), error: None, begin };
            for (topic, payload) in messages {
                this.take(topic, payload);
            }
            this
        }

        fn take(&mut self, topic: &str, payload: &str) {
            let publish = Publish {
                topic: topic.as_bytes(),
                payload: payload.as_bytes(),
                qos: QoS::AtMostOnce,
                retain: payload == "retained",
                dup: false,
                packet_identifier: 0,
                properties: Properties::NONE,
            };
            self.state.topics.take(&publish, self.error, self.begin);
        }

        fn typed(&mut self, keys: &[TypedKey]) {
            self.lines(80, 24);
            for key in keys {
                assert!(!self.state.key(*key));
                self.lines(80, 24);
            }
        }

        fn lines(&mut self, columns: u16, rows: u16) -> Vec<String> {
            let mut buffer = Buffer::empty(Rect::new(0, 0, columns, rows));
            draw(&mut self.state, &mut buffer, self.begin + Duration::from_secs(5));
            lines_of(&buffer)
        }

        /// The topics of the list, in order.
        fn topics(&mut self) -> Vec<String> {
            let lines = self.lines(80, 24);
            let topic = |line: &String| {
                line.get(33..).and_then(|line| line.split_whitespace().next()).map(str::to_owned)
            };
            lines[2..23].iter().filter_map(topic).collect()
        }
    }

    #[test]
    fn payload_that_was_not_decoded_has_the_reason() {
        let mut shown = Shown::new(&[]);
        shown.error = Some("cbor: it ends inside a value");
        shown.take("a", "x");
        assert!(shown.lines(80, 24)[2].ends_with("x (cbor: it ends inside a value)"));
        shown.typed(&[TypedKey::Down, TypedKey::Enter]);
        assert!(shown.lines(80, 24).iter().any(|line| line == "payload-error: cbor: it ends inside a value"));
        shown.error = None;
        shown.take("a", "y");
        assert!(!shown.lines(80, 24).concat().contains("cbor"));
    }

    #[test]
    fn a_line_for_each_topic() {
        let mut shown =
            Shown::new(&[("home/hall", "20.5"), ("home/attic", "retained"), ("home/hall", "21\x1b[2J\n")]);
        let lines = shown.lines(80, 6);
        assert_eq!(lines[0], "2 topics  3 messages  0.0/s  by topic  Broker: h");
        assert_eq!(lines[1], "   AGE    COUNT     /S    SIZE R TOPIC      VALUE");
        assert_eq!(lines[2], "    5s        1    0.0       8 R home/attic retained");
        assert_eq!(lines[3], "    5s        2    0.0       7   home/hall  21\\x1b[2J\\n");
        assert!(lines[5].starts_with("q quit"), "{lines:?}");
        for size in [(1, 1), (1, 50), (33, 9), (34, 3), (200, 2)] {
            shown.state.has_detail = true;
            shown.lines(size.0, size.1);
        }
    }

    /// The widths of characters count, not their number.
    #[test]
    fn wide_topics_are_shown_in_full() {
        let names = [
            "kk/\u{6e29}\u{5ea6}\u{30bb}\u{30f3}\u{30b5}\u{30fc}\u{4e00}",
            "kk/e\u{301}",
            "kk/\u{1f321}\u{fe0f}x",
        ];
        let mut shown = Shown::new(&names.map(|name| (name, "1")));
        let lines = shown.lines(80, 24);
        let columns = names[0].width();
        assert_eq!(lines[1].find("VALUE"), Some(usize::from(HEAD_COLUMNS) + columns + 1));
        for name in names {
            let row = format!(" {name}{} 1", " ".repeat(columns - name.width()));
            assert!(lines.iter().any(|line| line.ends_with(&row)), "{row:?} {lines:?}");
        }
        shown.typed(&[TypedKey::Character('t')]);
        let lines = shown.lines(80, 24);
        assert!(lines.iter().any(|line| line.contains(&names[0]["kk/".len()..])), "{lines:?}");
        // A wide character that does not fit is left out as a whole.
        let lines = shown.lines(62, 24);
        assert!(lines.iter().all(|line| line.width() <= 62), "{lines:?}");
    }

    #[test]
    fn rows_are_sorted_filtered_and_followed_by_the_cursor() {
        let mut shown = Shown::new(&[("b", "1"), ("a", "12345"), ("c", "123"), ("Ab", "")]);
        assert_eq!(shown.topics(), ["Ab", "a", "b", "c"]);
        shown.typed(&[TypedKey::Down, TypedKey::Down]);
        shown.typed(&[TypedKey::Character('s'); 3]);
        assert_eq!(shown.topics(), ["a", "c", "b", "Ab"]);
        assert_eq!(shown.state.cursor.as_deref(), Some("a"));
        shown.typed(&[TypedKey::Character('/'), TypedKey::Character('B')]);
        assert_eq!(shown.topics(), ["b", "Ab"]);
        shown.typed(&[TypedKey::Backspace, TypedKey::Character('q'), TypedKey::Enter]);
        assert!(shown.topics().is_empty() && shown.lines(80, 24)[23].ends_with("filter 'q': 0 rows"));
        shown.typed(&[TypedKey::Escape]);
        assert_eq!(shown.topics().len(), 4);
        assert!(shown.state.key(TypedKey::Character('q')));
    }

    #[test]
    fn list_scrolls_with_the_cursor() {
        let topics: Vec<String> = (0..100).map(|number| format!("t/{number:03}")).collect();
        let mut shown = Shown::new(&topics.iter().map(|topic| (topic.as_str(), "x")).collect::<Vec<_>>());
        shown.typed(&[TypedKey::End]);
        assert_eq!(shown.topics().last().map(String::as_str), Some("t/099"));
        shown.typed(&[TypedKey::PageUp, TypedKey::PageUp]);
        assert_eq!(shown.topics()[0], "t/057");
        shown.typed(&[TypedKey::Home]);
        assert_eq!(shown.topics()[0], "t/000");
    }

    #[test]
    fn tree_has_the_sums_of_its_levels() {
        let mut shown = Shown::new(&[
            ("a/b/c", "1"),
            ("a/b/d", "1"),
            ("a/e", "1"),
            ("a", "1"),
            ("a/b/c", "1"),
            ("a-b/x", "1"),
        ]);
        shown.typed(&[TypedKey::Character('t')]);
        let names = |shown: &mut Shown| -> Vec<String> {
            let lines = shown.lines(80, 24);
            let rows = lines[2..23].iter().filter(|line| !line.is_empty());
            rows.map(|line| format!("{}{}", line[7..15].trim_start(), line[33..].trim_end())).collect()
        };
        let all = [
            "1  a",
            "4- a/        (3 topics)",
            "3  - b/      (2 topics)",
            "2      c       1",
            "1      d       1",
            "1    e         1",
            "1- a-b/      (1 topic)",
            "1    x         1",
        ];
        let squeezed = |rows: &[String]| {
            rows.iter().map(|row| row.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<_>>()
        };
        let found = squeezed(&names(&mut shown));
        assert_eq!(found.len(), all.len(), "{found:?}");
        assert!(found.iter().any(|row| row.contains("4- a/ (3 topics)")), "{found:?}");
        assert!(found.iter().any(|row| row.contains("3 - b/ (2 topics)")), "{found:?}");
        // A closed level hides the rows below it.
        shown.state.cursor = Some("a/".into());
        shown.typed(&[TypedKey::Left]);
        let found = squeezed(&names(&mut shown));
        assert!(found.iter().any(|row| row.contains("4+ a/ (3 topics)")) && found.len() == 4, "{found:?}");
        shown.typed(&[TypedKey::Enter]);
        assert_eq!(names(&mut shown).len(), 8);
    }

    #[test]
    fn message_is_shown_in_full_with_earlier_ones() {
        let mut shown = Shown::new(&[("a", "first"), ("a", "{\"n\":[1],\"text\":\"x\"}")]);
        shown.typed(&[TypedKey::Down, TypedKey::Enter]);
        let lines = shown.lines(80, 24);
        assert!(lines[11].starts_with("a  QoS 0, 20 bytes, 5s ago"), "{lines:?}");
        assert_eq!(lines[12..16], ["{", "  \"n\": [", "    1", "  ],"]);
        assert!(lines.iter().any(|line| line.trim() == "5s ago  first"), "{lines:?}");
    }

    #[test]
    fn paused_view_stays_as_it_is() {
        let mut shown = Shown::new(&[("a", "1")]);
        shown.typed(&[TypedKey::Character('p')]);
        shown.take("a", "2");
        shown.take("b", "2");
        assert_eq!(shown.topics(), ["a"]);
        assert!(shown.lines(80, 24)[0].starts_with("PAUSED  1 topic  1 message"));
        shown.typed(&[TypedKey::Character('p')]);
        assert_eq!(shown.topics(), ["a", "b"]);
    }

    /// The filter and the state are visible even on narrow screens.
    #[test]
    fn filter_and_state_are_seen_in_80_columns() {
        let mut shown = Shown::new(&[("a", "1")]);
        shown.state.broker = format!("Broker: {}", "long.".repeat(40));
        shown.state.is_connected = false;
        shown.typed(&[TypedKey::Character('p'), TypedKey::Character('/')]);
        shown.typed(&[TypedKey::Character('x'); 100]);
        shown.typed(&[TypedKey::Character('y')]);
        let lines = shown.lines(80, 24);
        assert!(lines[0].starts_with("CONNECTION LOST  PAUSED  1 topic"), "{lines:?}");
        assert_eq!(lines[0].len(), 80);
        assert!(lines[23].starts_with("/xxx") && lines[23].ends_with("xy\u{2588}  0 rows"), "{lines:?}");
        shown.typed(&[TypedKey::Escape]);
        assert!(shown.lines(80, 24)[23].starts_with("q quit"));
    }

    #[test]
    fn message_in_full_is_wrapped_and_scrolled() {
        let long: String = (b'a'..=b'z').map(char::from).cycle().take(2000).collect();
        let mut shown = Shown::new(&[("a", &long), ("b", "short")]);
        shown.typed(&[TypedKey::Down, TypedKey::Enter]);
        let lines = shown.lines(80, 24);
        assert!(lines[11].starts_with("lines 1-11 of 25  a  QoS 0, 2000 bytes"), "{lines:?}");
        let seen = lines[12..23].concat();
        for _ in 0..5 {
            shown.typed(&[TypedKey::PageDown]);
        }
        let lines = shown.lines(80, 24);
        assert!(lines[11].starts_with("lines 15-25 of 25"), "{lines:?}");
        assert!(long.starts_with(&seen) && long.ends_with(&lines[12..23].concat()), "{lines:?}");
        shown.typed(&[TypedKey::PageUp, TypedKey::PageUp]);
        assert!(shown.lines(80, 24)[11].starts_with("lines 1-11 of 25"));
        // A newly selected message is shown from its first line.
        shown.typed(&[TypedKey::PageDown, TypedKey::Down]);
        assert!(shown.lines(80, 24)[12] == "short");
        // A small screen shows only the message.
        let lines = shown.lines(20, 6);
        assert_eq!(lines[3], "short");
    }

    #[test]
    fn last_picture_is_the_list_alone() {
        let mut shown = Shown::new(&[("a", "1"), ("b", "2"), ("c", "3")]);
        shown.typed(&[TypedKey::Down, TypedKey::Enter]);
        let now = shown.begin + Duration::from_secs(5);
        let lines = last_picture(&mut shown.state, (80, 24), now);
        assert_eq!(lines.len(), 5, "{lines:?}");
        assert!(lines[0].starts_with("3 topics") && lines[4].ends_with('3'), "{lines:?}");
        let lines = last_picture(&mut shown.state, (80, 7), now);
        assert_eq!(lines[4], "\u{2026} 1 more row", "{lines:?}");
        assert_eq!(wrapped("\u{65e5}\u{672c}x", 3), ["\u{65e5}", "\u{672c}x"]);
        assert_eq!(wrapped("", 3), [""]);
    }

    #[test]
    fn ages_take_few_columns() {
        for (seconds, expected) in
            [(0, "0s"), (99, "99s"), (100, "1m"), (5999, "99m"), (6000, "1h"), (360_000, "4d")]
        {
            assert_eq!(age(Duration::from_secs(seconds)), expected);
        }
    }
}
