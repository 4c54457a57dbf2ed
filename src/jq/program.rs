//! A compiled program, and its results.

use std::fmt;
use std::sync::Arc;

use jaq_core::data::JustLut;
use jaq_core::load::parse::Term;
use jaq_core::{Ctx, ValT as _, Vars};
use jaq_json::Val;

use super::compile::{Filter, Uncompiled, compile};
use super::json::put_json;

/// Maximum number of results of a program for one message.
pub const MOST_RESULTS: usize = 1_000_000;
/// Maximum total size of these results as text, in bytes.
pub const MOST_RESULT_BYTES: usize = 16 * 1024 * 1024;

/// A compiled program.
#[derive(Clone)]
pub struct Program {
    filter: Arc<Filter>,
    text: Arc<str>,
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Program").field(&self.text).finish()
    }
}

/// Why a program has no result for a message.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The program raised an error, or used a value in a way that its type does not allow.
    #[error("{0}")]
    Program(String),
    /// Too many results.
    #[error("more than {MOST_RESULTS} results")]
    Results,
    /// Too many bytes in the results.
    #[error("results of more than 16 MiB")]
    Bytes,
}

/// The results for one message, as text.
#[derive(Debug, Default)]
pub struct ProgramResults {
    bytes: Vec<u8>,
    /// The end of each result, and whether it is JSON or the content of a string.
    ends: Vec<(usize, bool)>,
}

/// A buffer that grew beyond this size is not reused.
const KEPT_BYTES: usize = 1 << 20;

impl ProgramResults {
    /// Removes the results of the message before.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES);
        self.ends.clear();
        self.ends.shrink_to(KEPT_BYTES / 16);
    }

    /// Whether there are no results.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Each result, and whether it is JSON or the content of a string.
    pub fn iter(&self) -> impl Iterator<Item = (&[u8], bool)> {
        let mut start = 0;
        self.ends.iter().map(move |(end, is_json)| {
            let text = &self.bytes[start..*end];
            start = *end;
            (text, *is_json)
        })
    }
}

impl Program {
    /// Compiles a program.
    ///
    /// # Errors
    /// The error in the program, with its position; or no thread for the compiler.
    pub fn new(text: &str) -> Result<Self, Uncompiled> {
        Ok(Self::with(text, |_| None::<()>)?.0)
    }

    /// Compiles a program, and evaluates its syntax tree with `look`.
    pub(super) fn with<T: Send>(
        text: &str,
        look: impl FnOnce(&Term<&str>) -> Option<T> + Send,
    ) -> Result<(Self, Option<T>), Uncompiled> {
        let (filter, found) = compile(text, look)?;
        Ok((Self { filter: Arc::new(filter), text: text.into() }, found))
    }

    /// Whether one of the results is neither `false` nor `null`; the first such result ends the program.
    ///
    /// # Errors
    /// The program failed before that.
    pub fn is_true(&self, input: Val) -> Result<bool, Failure> {
        for (count, result) in self.run(input).enumerate() {
            if result?.as_bool() {
                return Ok(true);
            }
            if count >= MOST_RESULTS {
                return Err(Failure::Results);
            }
        }
        Ok(false)
    }

    /// Appends the results. With `raw`, strings are written as text; everything else is JSON.
    ///
    /// # Errors
    /// The program failed; the results before that were appended.
    pub fn put_results(&self, input: Val, raw: bool, results: &mut ProgramResults) -> Result<(), Failure> {
        for result in self.run(input) {
            if results.ends.len() >= MOST_RESULTS {
                return Err(Failure::Results);
            }
            let is_json = match result? {
                Val::TStr(text) | Val::BStr(text) if raw => {
                    results.bytes.extend_from_slice(&text);
                    false
                }
                value => {
                    put_json(&mut results.bytes, &value);
                    true
                }
            };
            if results.bytes.len() > MOST_RESULT_BYTES {
                return Err(Failure::Bytes);
            }
            results.ends.push((results.bytes.len(), is_json));
        }
        Ok(())
    }

    fn run(&self, input: Val) -> impl Iterator<Item = Result<Val, Failure>> {
        let context = Ctx::<JustLut<Val>>::new(&self.filter.lut, Vars::new([]));
        self.filter.id.run((context, input)).map(|result| {
            result.map_err(|exception| match exception.get_err() {
                Ok(error) => Failure::Program(error.to_string()),
                // There is no `halt`, and the compiler rejects a `break` outside its label.
                Err(_) => Failure::Program("the program ended itself".into()),
            })
        })
    }
}
