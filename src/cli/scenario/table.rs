//! Reads a table of a TOML file key by key. Values are parsed like those of options, and a key that was never
//! asked for is an error.

use std::cell::RefCell;
use std::fmt;

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::cli::text::shown;
use crate::error::Error;
use crate::nearest::{did_you_mean, nearest};
use crate::quotation::{cut, list};

/// The text of a file, and the name of the file.
#[derive(Clone, Copy)]
pub(in crate::cli) struct FileText<'t> {
    pub(in crate::cli) name: &'t str,
    pub(in crate::cli) text: &'t str,
}

impl<'t> FileText<'t> {
    /// A position of the text, and what is there.
    fn place(self, at: usize, what: impl fmt::Display) -> String {
        let line = self.text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1;
        format!("{}, line {line}: {what}", shown(self.name.as_ref()))
    }

    /// An error at a position of the text.
    pub(super) fn wrong(self, at: usize, why: impl fmt::Display) -> Error {
        Error::usage(self.place(at, why))
    }

    /// Parses the text as TOML.
    pub(super) fn parse(self) -> Result<Spanned<DeTable<'t>>, Error> {
        DeTable::parse(self.text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            self.wrong(at, cut(&error.message().replace('\n', " ")))
        })
    }
}

/// A table that is being read.
pub(super) struct Table<'t> {
    file: FileText<'t>,
    keys: &'t DeTable<'t>,
    /// The position of the table.
    at: usize,
    /// The keys that were asked for.
    known: RefCell<Vec<&'static str>>,
}

impl<'t> Table<'t> {
    pub(super) fn new(file: FileText<'t>, table: &'t DeTable<'t>, at: usize) -> Self {
        Self { file, keys: table, at, known: RefCell::default() }
    }

    fn get(&self, key: &'static str) -> Option<&'t Spanned<DeValue<'t>>> {
        let mut known = self.known.borrow_mut();
        if !known.contains(&key) {
            known.push(key);
        }
        self.keys.get(key)
    }

    /// An error at the position of a key, or of the table if it lacks the key.
    pub(super) fn wrong(&self, key: &str, why: impl fmt::Display) -> Error {
        let at = self.keys.get(key).map_or(self.at, |value| value.span().start);
        self.file.wrong(at, format_args!("{key}: {why}"))
    }

    /// The place of a key, for an error that is found later; `None` if the table lacks it.
    pub(super) fn place(&self, key: &'static str) -> Option<String> {
        let at = self.get(key)?.span().start;
        Some(self.file.place(at, key))
    }

    /// The value of a key, parsed as an option's value.
    pub(super) fn value<T>(
        &self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Option<T>, Error> {
        let Some(value) = self.get(key) else { return Ok(None) };
        let wrong = |why: String| self.wrong(key, why);
        scalar(value.get_ref()).and_then(|text| parse(&text)).map(Some).map_err(wrong)
    }

    /// The value of a required key.
    pub(super) fn needed<T>(
        &self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<T, Error> {
        let missing = || {
            let keys = self.keys.iter().map(|(other, _)| other.get_ref().as_ref());
            let near = nearest(key, keys);
            let hint = near.first().map(|near| format!("; '{near}' may be meant for it"));
            self.file.wrong(self.at, format_args!("{key} is missing{}", hint.unwrap_or_default()))
        };
        self.value(key, parse)?.ok_or_else(missing)
    }

    pub(super) fn text(&self, key: &'static str) -> Result<Option<String>, Error> {
        self.value(key, |text| Ok(text.to_owned()))
    }

    pub(super) fn flag(&self, key: &'static str) -> Result<Option<bool>, Error> {
        match self.get(key).map(Spanned::get_ref) {
            None => Ok(None),
            Some(DeValue::Boolean(on)) => Ok(Some(*on)),
            Some(_) => Err(self.wrong(key, "it must be true or false")),
        }
    }

    /// A list of values, or a single value.
    pub(super) fn values<T>(
        &self,
        key: &'static str,
        parse: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, Error> {
        let Some(value) = self.get(key) else { return Ok(Vec::new()) };
        let one = |value: &Spanned<DeValue<'_>>| {
            let parsed = scalar(value.get_ref()).and_then(|text| parse(&text));
            parsed.map_err(|why| self.file.wrong(value.span().start, format_args!("{key}: {why}")))
        };
        match value.get_ref() {
            DeValue::Array(values) => values.iter().map(one).collect(),
            _ => one(value).map(|value| vec![value]),
        }
    }

    /// A subtable.
    pub(super) fn table(&self, key: &'static str) -> Result<Option<Self>, Error> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match value.get_ref() {
            DeValue::Table(table) => Ok(Some(Self::new(self.file, table, value.span().start))),
            _ => Err(self.wrong(key, "it must be a table")),
        }
    }

    /// A list of subtables.
    pub(super) fn tables(&self, key: &'static str) -> Result<Vec<Self>, Error> {
        let Some(value) = self.get(key) else { return Ok(Vec::new()) };
        let wrong = || self.wrong(key, format_args!("it must be tables, [[{key}]]"));
        let DeValue::Array(values) = value.get_ref() else { return Err(wrong()) };
        let one = |value: &'t Spanned<DeValue<'t>>| match value.get_ref() {
            DeValue::Table(table) => Ok(Self::new(self.file, table, value.span().start)),
            _ => Err(wrong()),
        };
        values.iter().map(one).collect()
    }

    /// Fails if the table has a key that was never asked for.
    pub(super) fn finish(self) -> Result<(), Error> {
        let known = self.known.into_inner();
        let strange = self.keys.iter().find(|(key, _)| !known.contains(&key.get_ref().as_ref()));
        let Some((key, _)) = strange else { return Ok(()) };
        let name = key.get_ref().as_ref();
        let near: Vec<String> = nearest(name, known.iter().copied()).into_iter().map(str::to_owned).collect();
        let error = self.file.wrong(key.span().start, format_args!("unknown key '{}'", shown(name.as_ref())));
        Err(error.hinted(did_you_mean(&near).or_else(|| Some(format!("keys here: {}", list(&known))))))
    }
}

fn scalar(value: &DeValue<'_>) -> Result<String, String> {
    match value {
        DeValue::String(text) => Ok(DeString::clone(text).into_owned()),
        DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str().replace('_', "")),
        DeValue::Float(number) => Ok(number.as_str().replace('_', "")),
        _ => Err("it must be a text or a number".into()),
    }
}
