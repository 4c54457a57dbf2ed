//! Texts with fields that are filled in for each message (`--template`): number, time, random values.

use std::ffi::OsString;
use std::fmt::{self, Write as _};
use std::sync::Arc;

use bytes::{BufMut as _, BytesMut};
use jiff::Timestamp;
use jiff::fmt::strtime::{BrokenDownTime, Config, PosixCustom};
use jiff::tz::TimeZone;

use crate::clock;
use crate::notation::braces::{Piece, pieces};
use crate::protocol::wire::LARGEST_PACKET_BYTES;
use crate::quotation::cut;

/// The available fields.
const FIELDS: &str =
    "{seq}, {now}, {now:FORMAT}, {unix}, {unix_ms}, {uuid}, {rand:0..100}, {rand:18.0..24.0:1}";

/// Maximum number of digits of `{hex:DIGITS}`.
const MOST_HEX_DIGITS: usize = 65_536;

/// Maximum number of decimals of `{rand:…}`.
const MOST_DECIMALS: usize = 9;

/// Looks up an environment variable. Texts from standard input get no variables: their author may not be
/// allowed to read the environment.
pub type LookUp = fn(&str) -> Option<OsString>;

/// Looks up a column of a load's CSV file: its index in a row.
pub type ColumnLookUp<'a> = &'a dyn Fn(&str) -> Option<usize>;

/// The fields that a text may have besides the common ones.
#[derive(Clone, Copy, Default)]
pub struct MoreFields<'a> {
    /// `{env:NAME}`.
    pub environment: Option<LookUp>,
    /// `{name}`, the name of the file that the message is made of.
    pub file_name: Option<&'a [u8]>,
    /// `{client}` and `{csv:NAME}`, of a load.
    pub columns: Option<ColumnLookUp<'a>>,
    /// `{stamp}`, which reserves this number of bytes, at most 64.
    pub stamp_bytes: Option<usize>,
}

impl MoreFields<'_> {
    /// The names of all fields.
    fn names(&self) -> String {
        let more = [
            (self.environment.is_some(), "{env:NAME}"),
            (self.file_name.is_some(), "{name}"),
            (self.columns.is_some(), "{client}"),
            (self.columns.is_some(), "{csv:NAME}"),
            (self.stamp_bytes.is_some(), "{stamp}"),
        ];
        let more: Vec<&str> =
            ["{hex:16}"].into_iter().chain(more.iter().filter(|one| one.0).map(|one| one.1)).collect();
        let (last, before) = more.split_last().unwrap_or((&"", &[]));
        let before = [&[FIELDS], before].concat().join(", ");
        format!("{before} and {last}")
    }
}

/// A parsed text with fields.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextTemplate {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(Vec<u8>),
    Blank(Blank),
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Blank {
    Sequence,
    Now,
    /// The time in this format, in the local time zone.
    NowIn(String),
    Unix,
    UnixMillis,
    Uuid,
    /// `least` to `least + span`, in units of the last decimal.
    Random {
        least: i64,
        span: u64,
        decimals: usize,
    },
    Hex(usize),
    Client,
    /// The value with this index in the client's row.
    Column(usize),
    /// This number of bytes, which the caller writes.
    Stamp(usize),
}

impl TextTemplate {
    /// Parses a text.
    ///
    /// # Errors
    /// The error, in one line.
    pub fn parse(text: &[u8], environment: Option<LookUp>) -> Result<Self, String> {
        Self::parse_with(text, MoreFields { environment, ..MoreFields::default() })
    }

    /// Parses a text that may have more fields.
    ///
    /// # Errors
    /// Like [`TextTemplate::parse`].
    pub fn parse_with(text: &[u8], more: MoreFields<'_>) -> Result<Self, String> {
        let mut parts = Vec::new();
        for piece in pieces(text) {
            match piece.map_err(|error| error.to_string())? {
                Piece::Text(text) => add_text(&mut parts, text),
                Piece::Field { name, argument } => match (name, argument, more) {
                    ("env", _, _) => add_text(&mut parts, &variable(argument, more.environment)?),
                    ("name", None, MoreFields { file_name: Some(file_name), .. }) => {
                        add_text(&mut parts, file_name);
                    }
                    ("client", None, MoreFields { columns: Some(_), .. }) => {
                        parts.push(Part::Blank(Blank::Client));
                    }
                    ("stamp", None, MoreFields { stamp_bytes: Some(bytes), .. }) => {
                        if parts.iter().any(|part| matches!(part, Part::Blank(Blank::Stamp(_)))) {
                            return Err("there are two {stamp}".into());
                        }
                        parts.push(Part::Blank(Blank::Stamp(bytes)));
                    }
                    ("csv", Some(column), MoreFields { columns: Some(place), .. }) => {
                        let unknown = || format!("{{csv:{}}}: there is no such column", cut(column));
                        parts.push(Part::Blank(Blank::Column(place(column).ok_or_else(unknown)?)));
                    }
                    _ => parts.push(Part::Blank(Blank::parse(name, argument, more)?)),
                },
            }
        }
        Ok(Self { parts })
    }

    /// The text, if it has no fields.
    #[must_use]
    pub fn literal(&self) -> Option<&[u8]> {
        match &self.parts[..] {
            [] => Some(&[]),
            [Part::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Writes the text for the message of `values`.
    ///
    /// # Errors
    /// The text would be larger than any packet.
    pub(crate) fn fill(&self, values: &mut FieldValues, out: &mut BytesMut) -> Result<(), String> {
        let mut out = values.limited(out);
        for part in &self.parts {
            match part {
                Part::Text(text) => out.put(text),
                Part::Blank(field) => values.put(field, &mut out),
            }
            out.check()?;
        }
        Ok(())
    }
}

fn add_text(parts: &mut Vec<Part>, text: &[u8]) {
    if let Some(Part::Text(before)) = parts.last_mut() {
        before.extend_from_slice(text);
    } else {
        parts.push(Part::Text(text.to_vec()));
    }
}

fn variable(name: Option<&str>, environment: Option<LookUp>) -> Result<Vec<u8>, String> {
    let name = name.filter(|name| !name.is_empty()).ok_or("{env:NAME} needs the name of a variable")?;
    let look_up = environment.ok_or("{env:NAME} is not filled in in this text")?;
    // `var_os` panics at such names.
    let is_name = !name.contains(['=', '\0']);
    let value = is_name.then(|| look_up(name)).flatten();
    value
        .map(OsString::into_encoded_bytes)
        .ok_or_else(|| format!("{{env:{}}}: there is no such variable", cut(name)))
}

impl Blank {
    fn parse(name: &str, argument: Option<&str>, more: MoreFields<'_>) -> Result<Self, String> {
        let shown = || {
            let field = argument.map_or(name.to_owned(), |argument| format!("{name}:{argument}"));
            format!("{{{}}}", cut(&field))
        };
        Ok(match (name, argument) {
            ("seq", None) => Self::Sequence,
            ("now", None) => Self::Now,
            ("now", Some(format)) => {
                let epoch = BrokenDownTime::from(&Timestamp::UNIX_EPOCH.to_zoned(TimeZone::UTC));
                let mut out = jiff::fmt::StdFmtWrite(Nowhere);
                epoch
                    .format_with_config(&Config::new().custom(PosixCustom::new()), format, &mut out)
                    .map_err(|error| format!("{}: {error}", shown()))?;
                Self::NowIn(format.to_owned())
            }
            ("unix", None) => Self::Unix,
            ("unix_ms", None) => Self::UnixMillis,
            ("uuid", None) => Self::Uuid,
            ("rand", Some(range)) => random(range).ok_or_else(|| {
                format!(
                    "{}: use {{rand:LEAST..MOST}} or {{rand:LEAST..MOST:DECIMALS}}, as {{rand:0..100}}",
                    shown()
                )
            })?,
            ("hex", Some(digits)) => {
                let digits = digits.parse().ok().filter(|digits| (1..=MOST_HEX_DIGITS).contains(digits));
                Self::Hex(digits.ok_or_else(|| format!("{}: use 1 to {MOST_HEX_DIGITS} digits", shown()))?)
            }
            ("seq" | "unix" | "unix_ms" | "uuid", Some(_)) => {
                return Err(format!("{}: {{{name}}} takes nothing after a colon", shown()));
            }
            ("rand" | "hex", None) => {
                return Err(format!("{}: it needs a colon and what to choose from", shown()));
            }
            _ => return Err(format!("unknown field {}; there are {}", shown(), more.names())),
        })
    }
}

/// `LEAST..MOST` or `LEAST..MOST:DECIMALS`, both ends included.
fn random(range: &str) -> Option<Blank> {
    let (ends, decimals) = match range.split_once(':') {
        Some((ends, decimals)) => (ends, Some(decimals.parse::<usize>().ok()?)),
        None => (range, None),
    };
    let (least, most) = ends.split_once("..")?;
    let given = |number: &str| number.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    let decimals = decimals.unwrap_or(given(least).max(given(most)));
    if decimals > MOST_DECIMALS {
        return None;
    }
    let (least, most) = (scaled(least, decimals)?, scaled(most, decimals)?);
    let span = u64::try_from(i128::from(most) - i128::from(least)).ok()?;
    Some(Blank::Random { least, span, decimals })
}

/// A decimal number in units of its last decimal.
fn scaled(number: &str, decimals: usize) -> Option<i64> {
    let (sign, digits) = match number.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, number),
    };
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() || !is_number(whole) || !is_number(fraction) || fraction.len() > decimals {
        return None;
    }
    let digits = format!("{whole}{fraction:0<decimals$}");
    Some(sign * digits.parse::<i64>().ok()?)
}

/// The values of the fields of one message.
#[derive(Debug, Clone)]
pub(crate) struct FieldValues {
    /// The number of the message's input, from 1.
    sequence: u64,
    /// The time of the message, read when it is first needed.
    now: Option<Timestamp>,
    zone: Option<TimeZone>,
    random: fastrand::Rng,
    /// The number of the client of a load.
    client: u32,
    /// The client's row of a CSV file.
    row: ClientRow,
    /// The offset of the stamp in the text.
    stamp_at: Option<usize>,
    /// Maximum length of a text: a short template with many fields would need unlimited memory.
    most_bytes: usize,
}

/// The values of a client, in the order of the columns.
pub(crate) type ClientRow = Option<Arc<[Box<str>]>>;

/// A buffer with a limit.
struct BoundedText<'a> {
    out: &'a mut BytesMut,
    most_bytes: usize,
    is_full: bool,
}

impl BoundedText<'_> {
    /// Whether this number of bytes fits.
    fn takes(&mut self, bytes: usize) -> bool {
        self.is_full |= self.most_bytes.saturating_sub(self.out.len()) < bytes;
        !self.is_full
    }

    fn put(&mut self, bytes: &[u8]) {
        if self.takes(bytes.len()) {
            self.out.put_slice(bytes);
        }
    }

    /// Checks that everything fitted; otherwise the memory is released.
    ///
    /// # Errors
    /// A part did not fit.
    fn check(&mut self) -> Result<(), String> {
        if !self.is_full {
            return Ok(());
        }
        *self.out = BytesMut::new();
        Err(format!("filled in it has more than the {} bytes of the largest MQTT packet", self.most_bytes))
    }
}

impl fmt::Write for BoundedText<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.put(text.as_bytes());
        if self.is_full { Err(fmt::Error) } else { Ok(()) }
    }
}

/// Discards text that is only formatted as a test.
struct Nowhere;

impl fmt::Write for Nowhere {
    fn write_str(&mut self, _: &str) -> fmt::Result {
        Ok(())
    }
}

impl FieldValues {
    /// With a `seed`, random values are the same in each run.
    pub(crate) fn new(seed: Option<u64>) -> Self {
        let random = seed.map_or_else(fastrand::Rng::new, fastrand::Rng::with_seed);
        Self {
            sequence: 0,
            now: None,
            zone: None,
            random,
            client: 0,
            row: None,
            stamp_at: None,
            most_bytes: LARGEST_PACKET_BYTES as usize,
        }
    }

    /// The offset of the stamp in the last text, if it has one.
    pub(crate) fn stamp_at(&self) -> Option<usize> {
        self.stamp_at
    }

    fn limited<'a>(&self, out: &'a mut BytesMut) -> BoundedText<'a> {
        BoundedText { out, most_bytes: self.most_bytes, is_full: false }
    }

    /// Starts the message of this input.
    pub(crate) fn start(&mut self, sequence: u64) {
        self.sequence = sequence;
        self.now = None;
    }

    /// Starts a message of this client, with this number and these random values.
    pub(crate) fn start_of_client(&mut self, client: u32, row: ClientRow, sequence: u64, seed: u64) {
        self.start(sequence);
        (self.client, self.row) = (client, row);
        self.random.seed(seed);
    }

    /// Parses and fills in a text in one step, as for lines.
    ///
    /// # Errors
    /// The error, in one line.
    pub(crate) fn fill_in(&mut self, text: &[u8], out: &mut BytesMut) -> Result<(), String> {
        let mut out = self.limited(out);
        for piece in pieces(text) {
            match piece.map_err(|error| error.to_string())? {
                Piece::Text(text) => out.put(text),
                Piece::Field { name: "env", argument } => drop(variable(argument, None)?),
                Piece::Field { name, argument } => {
                    self.put(&Blank::parse(name, argument, MoreFields::default())?, &mut out);
                }
            }
            out.check()?;
        }
        Ok(())
    }

    fn put(&mut self, field: &Blank, out: &mut BoundedText<'_>) {
        // A text that did not fit is detected afterwards.
        let _ = match field {
            Blank::Sequence => {
                out.put(itoa::Buffer::new().format(self.sequence).as_bytes());
                Ok(())
            }
            Blank::Client => {
                out.put(itoa::Buffer::new().format(self.client).as_bytes());
                Ok(())
            }
            Blank::Stamp(bytes) => {
                self.stamp_at = Some(out.out.len());
                out.put(&[b'0'; 64][..(*bytes).min(64)]);
                Ok(())
            }
            Blank::Column(place) => {
                let value = self.row.as_deref().and_then(|row| row.get(*place));
                out.put(value.map_or("", |value| value).as_bytes());
                Ok(())
            }
            Blank::Now => write!(out, "{:.6}", self.now()),
            Blank::NowIn(format) => {
                let zone = self.zone.get_or_insert_with(clock::local_zone).clone();
                let time = BrokenDownTime::from(&self.now().to_zoned(zone));
                let config = Config::new().custom(PosixCustom::new());
                let _ = time.format_with_config(&config, format, &mut jiff::fmt::StdFmtWrite(&mut *out));
                Ok(())
            }
            Blank::Unix => write!(out, "{}", self.now().as_second()),
            Blank::UnixMillis => write!(out, "{}", self.now().as_millisecond()),
            Blank::Uuid => {
                // Version 4, variant 1 (RFC 9562).
                let bits = self.random.u128(..) & !(0xf << 76) & !(0b11 << 62) | 4 << 76 | 0b10 << 62;
                let digits = [bits >> 96, bits >> 80 & 0xffff, bits >> 64 & 0xffff, bits >> 48 & 0xffff];
                let [first, second, third, fourth] = digits;
                let last = bits & 0xffff_ffff_ffff;
                write!(out, "{first:08x}-{second:04x}-{third:04x}-{fourth:04x}-{last:012x}")
            }
            Blank::Random { least, span, decimals: 0 } => {
                let number = least.wrapping_add_unsigned(self.random.u64(..=*span));
                out.put(itoa::Buffer::new().format(number).as_bytes());
                Ok(())
            }
            Blank::Random { least, span, decimals } => {
                let number = least.wrapping_add_unsigned(self.random.u64(..=*span));
                if number < 0 {
                    out.put(b"-");
                }
                // The digits of the fraction follow a 1, so that its zeros are kept.
                let unit = 10_u64.pow(u32::try_from(*decimals).unwrap_or_default());
                let number = number.unsigned_abs();
                out.put(itoa::Buffer::new().format(number / unit).as_bytes());
                out.put(b".");
                out.put(&itoa::Buffer::new().format(unit + number % unit).as_bytes()[1..]);
                Ok(())
            }
            Blank::Hex(digits) => {
                let count = if out.takes(*digits) { *digits } else { 0 };
                for _ in 0..count {
                    out.out.put_u8(b"0123456789abcdef"[self.random.usize(..16)]);
                }
                Ok(())
            }
        };
    }

    fn now(&mut self) -> Timestamp {
        *self.now.get_or_insert_with(clock::now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filled(text: &str) -> Result<String, String> {
        let template =
            TextTemplate::parse(text.as_bytes(), Some(|name| (name == "A").then(|| "{b}".into())))?;
        let mut values = FieldValues::new(Some(1));
        values.start(7);
        let mut out = BytesMut::new();
        template.fill(&mut values, &mut out)?;
        Ok(String::from_utf8(out.to_vec()).unwrap())
    }

    #[test]
    fn fields_have_their_values() {
        for (text, expected) in [
            ("", "^$"),
            ("a{seq}b", "^a7b$"),
            ("{{{seq}}}", "^\\{7\\}$"),
            ("{env:A}", "^\\{b\\}$"),
            ("{now}", r"^20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$"),
            ("{now:%Y %H:%M}", r"^20\d\d \d\d:\d\d$"),
            ("{unix}", r"^\d{10}$"),
            ("{unix_ms}", r"^\d{13}$"),
            ("{rand:5..5}", "^5$"),
            ("{rand:-1..-1}", "^-1$"),
            ("{rand:-0.5..-0.5}", "^-0\\.5$"),
            ("{rand:1..1.25:2}", r"^1\.[012]\d$"),
            ("{rand:0..1:3}", r"^[01]\.\d{3}$"),
            ("{rand:-9223372036854775807..9223372036854775807}", r"^-?\d+$"),
            ("{hex:3}", "^[0-9a-f]{3}$"),
            ("{uuid}", "^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"),
        ] {
            let shown = filled(text).unwrap();
            assert!(regex::Regex::new(expected).unwrap().is_match(&shown), "{text}: {shown}");
        }
    }

    #[test]
    fn other_fields_are_refused() {
        for (text, words) in [
            ("{sequence}", "unknown field {sequence}; there are {seq}, "),
            ("{}", "unknown field {}; there are"),
            ("{ seq}", "unknown field { seq}"),
            ("{seq:1}", "{seq} takes nothing after a colon"),
            ("{env}", "{env:NAME} needs the name"),
            ("{env:}", "{env:NAME} needs the name"),
            ("{env:B}", "{env:B}: there is no such variable"),
            ("{env:A=B}", "there is no such variable"),
            ("{now:%Q%}", "{now:%Q%}: "),
            ("{rand}", "it needs a colon"),
            ("{rand:1}", "use {rand:LEAST..MOST}"),
            ("{rand:2..1}", "use {rand:LEAST..MOST}"),
            ("{rand:1..x}", "use {rand:LEAST..MOST}"),
            ("{rand:1.25..2:1}", "use {rand:LEAST..MOST}"),
            ("{rand:1..2:10}", "use {rand:LEAST..MOST}"),
            ("{rand:1..99999999999999999999}", "use {rand:LEAST..MOST}"),
            ("{hex:0}", "use 1 to 65536 digits"),
            ("{hex:65537}", "use 1 to 65536 digits"),
            ("{", "is not closed"),
            ("}", "closes nothing"),
        ] {
            let error = filled(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn texts_from_standard_input_have_no_variables() {
        assert!(TextTemplate::parse(b"{env:HOME}", None).is_err());
        let mut out = BytesMut::new();
        FieldValues::new(None).fill_in(b"{env:HOME}", &mut out).unwrap_err();
        assert!(out.is_empty());
    }

    /// Both ways of filling stop at the largest packet, whichever field grows, and the next text is filled
    /// in.
    #[test]
    fn filling_ends_at_the_largest_packet() {
        assert_eq!(FieldValues::new(None).most_bytes, LARGEST_PACKET_BYTES as usize);
        let mut values = FieldValues { most_bytes: 100, ..FieldValues::new(Some(1)) };
        let mut out = BytesMut::new();
        for text in [
            "{hex:60}{hex:60}",
            "{hex:65536}",
            "{uuid}{uuid}{uuid}",
            "{now:%F%F%F%F%F%F%F%F%F%F%F}",
            &"a".repeat(101),
        ] {
            let template = TextTemplate::parse(text.as_bytes(), None).unwrap();
            let errors = [values.fill_in(text.as_bytes(), &mut out), template.fill(&mut values, &mut out)]
                .map(Result::unwrap_err);
            for error in errors {
                assert!(error.contains("more than the 100 bytes of the largest"), "{text}: {error}");
            }
            assert_eq!(out.capacity(), 0, "{text}");
        }
        values.fill_in("{hex:100}".as_bytes(), &mut out).unwrap();
        assert_eq!(out.len(), 100);
    }

    proptest! {
        #[test]
        fn random_numbers_are_between_their_ends(least in -1000_i64..1000, span in 0..1000_i64, decimals in 0..4_usize) {
            let unit = 10_i64.pow(u32::try_from(decimals).unwrap());
            let text = format!("{{rand:{least}..{}:{decimals}}}", least + span);
            let shown = filled(&text).unwrap();
            let digits: i64 = shown.replace('.', "").parse().unwrap();
            prop_assert!((least * unit..=(least + span) * unit).contains(&digits), "{text}: {shown}");
        }

        /// Parsing first and filling in one step give the same text; and no text causes a panic.
        #[test]
        fn both_ways_of_filling_agree(text in "(\\{|\\}|:|seq|now|rand|hex|[0-9.%a-z-]){0,8}") {
            let mut values = FieldValues::new(Some(3));
            let mut out = BytesMut::new();
            let direct = values.fill_in(text.as_bytes(), &mut out);
            let template = TextTemplate::parse(text.as_bytes(), None);
            prop_assert_eq!(direct.is_ok(), template.is_ok());
            if let (Ok(template), false) = (template, text.contains("now")) {
                let mut again = BytesMut::new();
                template.fill(&mut FieldValues::new(Some(3)), &mut again).unwrap();
                prop_assert_eq!(out, again);
            }
        }
    }
}
