//! Whether standard output and standard error are terminals, with their properties: decided once, kept as
//! data.

use std::io::IsTerminal as _;

use colored::{ColoredString, Colorize as _};

use crate::notation::printable::{LineFeed, put_printable};
use crate::platform::descriptors::AsDescriptor;
use crate::platform::terminal;

/// Appends bytes from the network: printable for a terminal, otherwise unchanged.
pub(super) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8], line_feed: LineFeed, terminal: bool) {
    if terminal {
        put_printable(out, bytes, line_feed);
    } else {
        out.extend_from_slice(bytes);
    }
}

/// Whether this process may draw on the terminal of standard error.
pub(super) fn is_in_foreground() -> bool {
    terminal::is_in_foreground(&std::io::stderr())
}

/// Wraps text at this number of characters, as far as its words allow.
#[must_use]
pub fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.into()),
        }
    }
    lines
}

/// Whether to use colour (`--color`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ColorChoice {
    /// On a terminal with colours, unless the environment disables them.
    #[default]
    Auto,
    /// Also into a pipe or file.
    Always,
    /// Nowhere.
    Never,
}

/// The environment's settings for colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Environment {
    /// `NO_COLOR` is set and not empty (no-color.org).
    pub no_color: bool,
    /// `CLICOLOR_FORCE` is set and neither empty nor `0`.
    pub force_color: bool,
    /// `TERM` is `dumb`.
    pub dumb: bool,
}

impl Environment {
    /// Reads the variables of this process.
    #[must_use]
    pub fn read() -> Self {
        let value = |name| std::env::var_os(name).unwrap_or_default();
        let force = value("CLICOLOR_FORCE");
        Self {
            no_color: !value("NO_COLOR").is_empty(),
            force_color: !force.is_empty() && force != "0",
            dumb: value("TERM") == "dumb",
        }
    }
}

/// The tone of a verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// Positive.
    Good,
    /// Negative.
    Bad,
    /// Undecided.
    Doubtful,
}

/// One of the two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StandardStream {
    /// Whether it is a terminal.
    pub is_terminal: bool,
    /// Whether it gets colours.
    pub color: bool,
}

impl StandardStream {
    fn decide(is_terminal: bool, choice: ColorChoice, environment: Environment) -> Self {
        let color = match choice {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto if environment.no_color => false,
            ColorChoice::Auto => environment.force_color || (is_terminal && !environment.dumb),
        };
        Self { is_terminal, color }
    }

    /// A verdict in its colour, if this stream has colours.
    #[must_use]
    pub fn verdict(self, text: &str, tone: Tone) -> String {
        self.paint(text, |text| match tone {
            Tone::Good => text.green(),
            Tone::Bad => text.red().bold(),
            Tone::Doubtful => text.yellow(),
        })
    }

    /// `text` in a style, if this stream has colours.
    #[must_use]
    pub fn paint(self, text: &str, style: impl FnOnce(ColoredString) -> ColoredString) -> String {
        if self.color { style(text.normal()).to_string() } else { text.to_owned() }
    }
}

/// The bytes before and after a coloured part of a message; empty without colour.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    pub(super) begin: &'static [u8],
    pub(super) end: &'static [u8],
}

impl Style {
    pub(super) const PLAIN: Self = Self { begin: b"", end: b"" };
}

/// The colours of messages, decided once, so that a message costs no decision and no allocation.
#[derive(Debug)]
pub(super) struct Palette {
    pub(super) topic: Style,
    pub(super) qos: Style,
    pub(super) retain: Style,
}

impl Palette {
    pub(super) const PLAIN: &'static Self =
        &Self { topic: Style::PLAIN, qos: Style::PLAIN, retain: Style::PLAIN };
    /// Cyan, yellow and magenta (ECMA-48).
    const COLORED: &'static Self = &Self {
        topic: Style { begin: b"\x1b[36m", end: b"\x1b[0m" },
        qos: Style { begin: b"\x1b[33m", end: b"\x1b[0m" },
        retain: Style { begin: b"\x1b[35m", end: b"\x1b[0m" },
    };

    pub(super) fn of(stream: StandardStream) -> &'static Self {
        if stream.color { Self::COLORED } else { Self::PLAIN }
    }

    pub(super) fn has_colors(&self) -> bool {
        !self.topic.begin.is_empty()
    }
}

/// Both streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Terminal {
    /// Standard output.
    pub stdout: StandardStream,
    /// Standard error.
    pub stderr: StandardStream,
    /// The width in columns, if one of the two is a terminal.
    pub width: Option<u16>,
}

impl Terminal {
    /// The width of standard output in columns, if it is a terminal.
    #[must_use]
    pub fn stdout_width(&self) -> Option<u16> {
        stdout_columns()
    }

    /// Examines the streams of this process.
    #[must_use]
    pub fn detect(choice: ColorChoice, environment: Environment) -> Self {
        let stdout = StandardStream::decide(std::io::stdout().is_terminal(), choice, environment);
        let stderr = StandardStream::decide(std::io::stderr().is_terminal(), choice, environment);
        // `colored` decides for the whole process by standard output. The decision is made here for each
        // stream, so `colored` only has to obey; it is never used for a stream without colours.
        if stdout.color || stderr.color {
            colored::control::set_override(true);
        }
        let width = if stderr.is_terminal {
            columns(std::io::stderr())
        } else if stdout.is_terminal {
            columns(std::io::stdout())
        } else {
            None
        };
        Self { stdout, stderr, width }
    }
}

/// The width of standard output in columns, if it is a terminal.
#[must_use]
pub fn stdout_columns() -> Option<u16> {
    std::io::stdout().is_terminal().then(|| columns(std::io::stdout())).flatten()
}

pub(super) fn columns(stream: impl AsDescriptor) -> Option<u16> {
    terminal::size(&stream).map(|(columns, _)| columns).filter(|columns| *columns > 0)
}

pub(super) fn rows(stream: impl AsDescriptor) -> Option<u16> {
    terminal::size(&stream).map(|(_, rows)| rows).filter(|rows| *rows > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn color(is_terminal: bool, choice: ColorChoice, environment: Environment) -> bool {
        StandardStream::decide(is_terminal, choice, environment).color
    }

    #[test]
    fn flag_overrides_environment_and_environment_overrides_terminal() {
        let plain = Environment::default();
        let no_color = Environment { no_color: true, force_color: true, dumb: false };
        let force = Environment { force_color: true, ..plain };
        let dumb = Environment { dumb: true, ..plain };
        for (is_terminal, choice, environment, expected) in [
            (true, ColorChoice::Auto, plain, true),
            (false, ColorChoice::Auto, plain, false),
            (true, ColorChoice::Auto, no_color, false),
            (false, ColorChoice::Auto, force, true),
            (true, ColorChoice::Auto, dumb, false),
            (true, ColorChoice::Never, force, false),
            (false, ColorChoice::Always, no_color, true),
        ] {
            let case = format!("{is_terminal} {choice:?} {environment:?}");
            assert_eq!(color(is_terminal, choice, environment), expected, "{case}");
        }
    }

    #[test]
    fn a_stream_without_color_gets_plain_text() {
        let red =
            |color| StandardStream { is_terminal: true, color }.paint("mqtt:", |text| text.red().bold());
        assert_eq!(red(false), "mqtt:");
        colored::control::set_override(true);
        assert_eq!(red(true), "\u{1b}[1;31mmqtt:\u{1b}[0m");
    }
}
