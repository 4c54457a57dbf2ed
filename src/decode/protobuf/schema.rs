//! Schemas: `.proto` files with their imports, and compiled descriptor sets.
//!
//! They are read when a format needs them, before the first connection. The compiler's work is limited: the
//! number of bytes and files, the time, and the nesting of brackets, which the compiler reads by recursion.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use miette::Diagnostic as _;
use prost_reflect::prost::Message as _;
use prost_reflect::prost_types::{FileDescriptorProto, FileDescriptorSet};
use prost_reflect::{DescriptorPool, DynamicMessage, ReflectMessage as _, Value};
use protox::file::{File, FileResolver, GoogleFileResolver};
use protox::{Compiler, Error};

use super::super::limits::MOST_NESTING;
use super::MessageType;
use crate::file::{mark, read_at_most};
use crate::nearest::{did_you_mean, in_words, nearest};
use crate::quantity::duration;
use crate::quotation::{list, shown};
use crate::thread::start_with_stack;

/// Maximum total size of a schema's files, in bytes.
pub const MOST_SCHEMA_BYTES: u64 = 16 * 1024 * 1024;
/// Maximum number of files of a schema, imports included.
pub const MOST_SCHEMA_FILES: usize = 5000;
/// Maximum time to compile a schema.
pub(super) const MOST_SCHEMA_TIME: Duration = Duration::from_secs(60);

/// The compiler follows imports by recursion; this suffices for a chain of all files.
const STACK_BYTES: usize = 64 * 1024 * 1024;

/// The error after a panic of the schema compiler, where a panic does not end the process.
pub(super) const PANICKED: &str = "the compiler of schemas failed";

/// An error in a schema, or in its use.
#[derive(Debug, thiserror::Error)]
pub enum BadSchema {
    /// A format names a message, but there is no schema.
    #[error("protobuf needs a schema")]
    Missing,
    /// A format does not name a message.
    #[error("protobuf needs the name of a message")]
    NoMessage {
        /// The messages of the schema.
        defined: String,
    },
    /// The schema does not define the message.
    #[error("the schema has no message '{}'", shown(name))]
    UnknownMessage {
        /// The requested name.
        name: String,
        /// Similar names.
        near: Vec<String>,
        /// The messages of the schema.
        defined: String,
    },
    /// A file cannot be read.
    #[error("{path}: {error}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The reason.
        error: io::Error,
    },
    /// A file is invalid; the text starts with the position.
    #[error("{text}")]
    Invalid {
        /// `FILE:LINE:COLUMN: REASON`.
        text: String,
        /// Whether an imported file was not found.
        is_import: bool,
    },
}

impl BadSchema {
    /// A possible remedy.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Missing => Some("--proto FILE names a .proto file or a compiled descriptor set".into()),
            Self::NoMessage { defined } => {
                Some(format!("protobuf:MESSAGE or --message-type MESSAGE, which is one of {defined}"))
            }
            Self::UnknownMessage { near, defined, .. } => {
                did_you_mean(near).or_else(|| Some(format!("it defines {defined}")))
            }
            Self::Invalid { is_import: true, .. } => Some(
                "--proto-path DIR names a folder that imports begin in; protoc writes them into a descriptor set with \
                 --include_imports"
                    .into(),
            ),
            Self::Unreadable { .. } | Self::Invalid { .. } => None,
        }
    }
}

/// A schema option that had no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnusedOption {
    /// No format needs a schema.
    Schema,
    /// Each format names its own message.
    Message,
}

/// The schema of a command, read when a format needs it.
#[derive(Debug, Default)]
pub struct Schemas {
    files: Vec<PathBuf>,
    folders: Vec<PathBuf>,
    message: Option<String>,
    read: Option<Schema>,
    uses_message: bool,
}

impl Schemas {
    /// A schema of these files, with their imports in these folders; `message` is the default for formats
    /// that name none.
    #[must_use]
    pub fn new(files: Vec<PathBuf>, folders: Vec<PathBuf>, message: Option<String>) -> Self {
        Self { files, folders, message, read: None, uses_message: false }
    }

    /// The unused option, once all formats are known.
    #[must_use]
    pub fn unused(&self) -> Option<UnusedOption> {
        let is_given = !self.files.is_empty() || !self.folders.is_empty();
        if self.read.is_none() && is_given {
            Some(UnusedOption::Schema)
        } else if self.message.is_some() && !self.uses_message {
            Some(UnusedOption::Message)
        } else {
            None
        }
    }

    /// A message by its full name.
    pub(in crate::decode) fn message(&mut self, name: Option<&str>) -> Result<MessageType, BadSchema> {
        if self.files.is_empty() {
            return Err(BadSchema::Missing);
        }
        let schema = match self.read.take() {
            Some(schema) => schema,
            None => Schema::read(&self.files, &self.folders, MOST_SCHEMA_TIME)?,
        };
        let schema = self.read.insert(schema);
        self.uses_message |= name.is_none();
        match name.or(self.message.as_deref()) {
            Some(name) => schema.message(name),
            None => Err(BadSchema::NoMessage { defined: schema.defined() }),
        }
    }
}

#[derive(Debug)]
pub(super) struct Schema {
    pool: DescriptorPool,
    /// The messages of the given files, without those of their imports.
    messages: Vec<String>,
}

impl Schema {
    pub(super) fn read(files: &[PathBuf], folders: &[PathBuf], limit: Duration) -> Result<Self, BadSchema> {
        let mut most = MOST_SCHEMA_BYTES;
        let mut given = Vec::new();
        for path in files {
            let path = found(path, folders);
            let bytes = read_at_most(&path, most)
                .map_err(|error| BadSchema::Unreadable { path: path.clone(), error })?;
            most = most.saturating_sub(bytes.len() as u64);
            given.push((path, bytes));
        }
        let folders = folders.to_vec();
        // The library looks up each error in the whole text of the schema, which takes minutes for thousands
        // of errors.
        let (sender, done) = mpsc::sync_channel(1);
        start_with_stack("schemas", STACK_BYTES, move || sender.send(compile(given, folders, most)))
            .map_err(|refused| invalid(refused.to_string()))?;
        done.recv_timeout(limit).unwrap_or_else(|why| {
            Err(match why {
                RecvTimeoutError::Timeout => invalid(format!("not compiled after {}", duration(limit))),
                RecvTimeoutError::Disconnected => invalid(PANICKED),
            })
        })
    }

    fn message(&self, name: &str) -> Result<MessageType, BadSchema> {
        let name = name.strip_prefix('.').unwrap_or(name);
        let found = self.pool.get_message_by_name(name).filter(|found| !found.is_map_entry());
        match found {
            Some(descriptor) => Ok(MessageType { descriptor }),
            None => Err(BadSchema::UnknownMessage {
                name: name.to_owned(),
                near: self.near(name),
                defined: self.defined(),
            }),
        }
    }

    /// Names with a small spelling difference, or in another package.
    fn near(&self, name: &str) -> Vec<String> {
        let last = |name: &str| name.rsplit('.').next().map(str::to_owned).unwrap_or_default();
        let same: Vec<String> =
            self.messages.iter().filter(|known| last(known) == last(name)).cloned().collect();
        if (1..=2).contains(&same.len()) {
            return same;
        }
        let words: Vec<(String, &String)> =
            self.messages.iter().map(|known| (in_words(known), known)).collect();
        let near = nearest(name, words.iter().map(|(words, _)| words.as_str()));
        let name_of = |near: &&str| words.iter().find(|(words, _)| words == near);
        near.iter().filter_map(name_of).map(|(_, known)| (*known).clone()).collect()
    }

    fn defined(&self) -> String {
        if self.messages.is_empty() { "no message".into() } else { list(&self.messages) }
    }
}

fn invalid(text: impl Into<String>) -> BadSchema {
    BadSchema::Invalid { text: text.into(), is_import: false }
}

/// The file under its own name, or in a folder of imports.
fn found(path: &Path, folders: &[PathBuf]) -> PathBuf {
    if path.exists() {
        return path.to_owned();
    }
    let below = folders.iter().map(|folder| folder.join(path)).find(|below| below.exists());
    below.unwrap_or_else(|| path.to_owned())
}

/// Whether the file is text in the `.proto` language, which has no control characters. Every descriptor set
/// has some.
fn is_source(path: &Path, bytes: &[u8]) -> bool {
    let is_text = |text: &str| !text.chars().any(|c| c.is_ascii_control() && !c.is_ascii_whitespace());
    path.extension().is_some_and(|extension| extension == "proto") || str::from_utf8(bytes).is_ok_and(is_text)
}

fn compile(
    given: Vec<(PathBuf, Vec<u8>)>,
    folders: Vec<PathBuf>,
    most_bytes: u64,
) -> Result<Schema, BadSchema> {
    let mut files = SchemaFiles::new(folders, most_bytes);
    let mut names = Vec::new();
    for (path, bytes) in given {
        if is_source(&path, &bytes) {
            names.push(files.add_source(path, bytes)?);
        } else {
            names.extend(files.add_set(&path, &bytes)?);
        }
    }
    let files = Rc::new(files);
    let mut compiler = Compiler::with_file_resolver(Resolver(Rc::clone(&files)));
    for name in &names {
        compiler.open_file(name).map_err(|error| files.invalid(&error))?;
    }
    let pool = compiler.descriptor_pool();
    let is_given = |name: &str| names.iter().any(|given| given == name);
    let messages = pool.all_messages().filter(|message| !message.is_map_entry());
    let messages = messages.filter(|message| is_given(message.parent_file().name()));
    let messages = messages.map(|message| message.full_name().to_owned()).collect();
    Ok(Schema { pool, messages })
}

/// The files that the compiler may open.
struct SchemaFiles {
    folders: Vec<PathBuf>,
    /// The text of the given files, and of the files in descriptor sets, by import name.
    sources: HashMap<String, (PathBuf, String)>,
    compiled: HashMap<String, FileDescriptorProto>,
    google: GoogleFileResolver,
    /// The name under which each opened file was opened first: under another name it is the same file.
    opened: RefCell<HashMap<PathBuf, String>>,
    paths: RefCell<HashMap<String, PathBuf>>,
    /// The length of each opened file, in bytes, and whether it begins like a schema.
    texts: RefCell<HashMap<String, (usize, bool)>>,
    bytes_left: Cell<u64>,
    files_left: Cell<usize>,
}

impl SchemaFiles {
    fn new(folders: Vec<PathBuf>, most_bytes: u64) -> Self {
        Self {
            folders,
            sources: HashMap::new(),
            compiled: HashMap::new(),
            google: GoogleFileResolver::new(),
            opened: RefCell::default(),
            paths: RefCell::default(),
            texts: RefCell::default(),
            bytes_left: Cell::new(most_bytes),
            files_left: Cell::new(MOST_SCHEMA_FILES),
        }
    }

    /// Adds a given `.proto` file. Its imports are also searched in its own folder, and in the working
    /// directory.
    fn add_source(&mut self, path: PathBuf, bytes: Vec<u8>) -> Result<String, BadSchema> {
        let source = checked(bytes).map_err(|why| invalid(format!("{}: {why}", path.display())))?;
        let below = self.folders.iter().find_map(|folder| name_of(path.strip_prefix(folder).ok()?));
        let name = below
            .or_else(|| name_of(Path::new(path.file_name()?)))
            .filter(|name| !self.sources.contains_key(name))
            .or_else(|| name_of(&path.components().filter(is_name).collect::<PathBuf>()))
            .ok_or_else(|| invalid(format!("{}: its name is not UTF-8", path.display())))?;
        self.paths.get_mut().insert(name.clone(), path.clone());
        self.sources.insert(name.clone(), (path, source));
        Ok(name)
    }

    /// Adds a descriptor set; returns the names of its files.
    fn add_set(&mut self, path: &Path, bytes: &[u8]) -> Result<Vec<String>, BadSchema> {
        let bad = |why: &str| invalid(format!("{}: {why}", path.display()));
        let set = FileDescriptorSet::decode(bytes)
            .map_err(|why| bad(&format!("neither a .proto file nor a descriptor set: {why}")))?;
        if has_uninterpreted_option(&set.transcode_to_dynamic()) {
            return Err(bad("the descriptor set has options that were not compiled"));
        }
        // The library would panic.
        let syntax = |file: &FileDescriptorProto| file.syntax.clone().unwrap_or_else(|| "proto2".into());
        let other = set.file.iter().find(|file| !matches!(&*syntax(file), "proto2" | "proto3"));
        if let Some(file) = other {
            let (name, syntax) = (shown(file.name()), shown(&syntax(file)));
            return Err(bad(&format!("'{name}' has the syntax '{syntax}'; proto2 and proto3 are supported")));
        }
        let names: Vec<String> = set.file.iter().map(|file| file.name().to_owned()).collect();
        if names.is_empty() {
            return Err(bad("the descriptor set has no file"));
        }
        for file in set.file {
            self.paths.get_mut().insert(file.name().to_owned(), path.to_owned());
            self.compiled.insert(file.name().to_owned(), file);
        }
        Ok(names)
    }

    /// The folders searched for imports: the requested ones first, then those of the files.
    fn places(&self) -> impl Iterator<Item = &Path> {
        let own = self.sources.values().filter_map(|(path, _)| path.parent());
        self.folders.iter().map(PathBuf::as_path).chain(own).chain([Path::new("")])
    }

    fn open(&self, name: &str) -> Result<File, Error> {
        let left = self.files_left.get().checked_sub(1);
        let left = left.ok_or_else(|| {
            Error::new(io::Error::other(format!("the schema has more than {MOST_SCHEMA_FILES} files")))
        })?;
        self.files_left.set(left);
        if let Some((path, source)) = self.sources.get(name) {
            return self.source(name, path, |_| Ok(source.clone()));
        }
        if let Some(file) = self.compiled.get(name) {
            return Ok(File::from_file_descriptor_proto(file.clone()));
        }
        if name_of(Path::new(name)).is_some()
            && let Some(path) = self.places().map(|place| place.join(name)).find(|path| path.is_file())
        {
            self.paths.borrow_mut().insert(name.to_owned(), path.clone());
            return self.source(name, &path, |path| {
                let bytes = read_at_most(path, self.bytes_left.get())?;
                self.bytes_left.set(self.bytes_left.get().saturating_sub(bytes.len() as u64));
                checked(bytes).map_err(io::Error::other)
            });
        }
        self.google.open_file(name)
    }

    /// The file of this name. A file that was opened under another name is imported under that one, since its
    /// definitions are there.
    fn source(
        &self,
        name: &str,
        path: &Path,
        read: impl FnOnce(&Path) -> io::Result<String>,
    ) -> Result<File, Error> {
        let place = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let other = self.opened.borrow().get(&place).cloned();
        if let Some(other) = other {
            return File::from_source(name, &format!("syntax = \"proto3\"; import public \"{other}\";"));
        }
        self.opened.borrow_mut().insert(place, name.to_owned());
        let source = read(path).map_err(|error| {
            Error::new(io::Error::new(error.kind(), format!("{}: {error}", path.display())))
        })?;
        self.texts.borrow_mut().insert(name.to_owned(), (source.len(), begins_like_a_schema(&source)));
        File::from_source(name, &source)
    }

    /// The error with its position, and with the file's real path.
    fn invalid(&self, error: &Error) -> BadSchema {
        let paths = self.paths.borrow();
        let text = match error.file().and_then(|file| Some((file, paths.get(file)?))) {
            Some((file, path)) => {
                let place = self.position(file, error);
                let place = place.map_or_else(String::new, |(line, column)| format!("{line}:{column}:"));
                let is_other = self.texts.borrow().get(file).is_some_and(|(_, is_schema)| !is_schema);
                if is_other && error.is_parse() {
                    // The compiler's text has a word of the file, which may hold a secret.
                    format!(
                        "{}:{place} it does not begin like a .proto file, with syntax, package, message …",
                        path.display()
                    )
                } else {
                    format!("{}:{place} {}", path.display(), shown(&error.to_string()))
                }
            }
            None => shown(&error.to_string()),
        };
        BadSchema::Invalid { text, is_import: error.is_file_not_found() }
    }

    /// Line and column of an error, from 1. Of two definitions of the same thing, the second is the wrong one; a
    /// text that ends too early names no place, which is its end.
    fn position(&self, file: &str, error: &Error) -> Option<(usize, usize)> {
        let named = error.labels().and_then(|labels| labels.map(|label| label.offset()).max());
        let end = || self.texts.borrow().get(file).map(|(length, _)| *length).filter(|_| error.is_parse());
        let offset = named.or_else(end)?;
        let place = error.source_code()?.read_span(&(offset, 0).into(), 0, 0).ok()?;
        Some((place.line() + 1, place.column() + 1))
    }
}

struct Resolver(Rc<SchemaFiles>);

impl FileResolver for Resolver {
    /// Paths are the names of files.
    fn resolve_path(&self, path: &Path) -> Option<String> {
        path.to_str().map(str::to_owned)
    }

    fn open_file(&self, name: &str) -> Result<File, Error> {
        self.0.open(name)
    }
}

fn is_name(component: &Component<'_>) -> bool {
    matches!(component, Component::Normal(_))
}

/// The import name of a path; `None` if the path leaves its folder, or is not UTF-8.
fn name_of(path: &Path) -> Option<String> {
    let names: Option<Vec<&str>> = path
        .components()
        .map(|component| match component {
            Component::Normal(name) => name.to_str(),
            _ => None,
        })
        .collect();
    names.filter(|names| !names.is_empty()).map(|names| names.join("/"))
}

/// The text of a `.proto` file, if the compiler can read it without exhausting its stack.
fn checked(mut bytes: Vec<u8>) -> Result<String, String> {
    let mark = mark(&bytes).map_err(|error| error.to_string())?;
    bytes.drain(..mark);
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        format!("byte {valid} is not UTF-8")
    })?;
    match deep_line(&text) {
        Some(line) => Err(format!("line {line}: brackets are nested deeper than {MOST_NESTING} levels")),
        None => Ok(text),
    }
}

/// The words that can begin a statement of a schema.
const BEGINNINGS: [&str; 9] =
    ["syntax", "edition", "package", "import", "option", "message", "enum", "extend", "service"];

/// Whether a text begins like a schema, after blanks, comments and empty statements; an empty one does.
fn begins_like_a_schema(text: &str) -> bool {
    let mut rest = text.trim_start();
    loop {
        let skipped = match rest.as_bytes() {
            [b';', ..] => 1,
            [b'/', b'/', ..] => rest.find('\n').unwrap_or(rest.len()),
            [b'/', b'*', ..] => 1 + comment_bytes(&rest.as_bytes()[1..]),
            _ => break,
        };
        let Some(after) = rest.get(skipped..) else { return false };
        rest = after.trim_start();
    }
    let word = rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next().unwrap_or_default();
    rest.is_empty() || BEGINNINGS.contains(&word)
}

/// The line in which brackets are nested too deep, outside of strings and comments.
fn deep_line(text: &str) -> Option<usize> {
    let (mut depth, mut line) = (0_usize, 1);
    let mut rest = text.as_bytes();
    while let Some((&byte, after)) = rest.split_first() {
        let skipped = match (byte, after.first()) {
            (b'"' | b'\'', _) => quoted_bytes(byte, after),
            (b'#', _) | (b'/', Some(b'/')) => after.iter().take_while(|byte| **byte != b'\n').count(),
            (b'/', Some(b'*')) => comment_bytes(after),
            _ => 0,
        };
        match byte {
            b'{' | b'[' | b'(' | b'<' => depth += 1,
            b'}' | b']' | b')' | b'>' => depth = depth.saturating_sub(1),
            _ => {}
        }
        let (passed, next) = rest.split_at(1 + skipped);
        line += memchr::memchr_iter(b'\n', passed).count();
        if depth > MOST_NESTING {
            return Some(line);
        }
        rest = next;
    }
    None
}

/// The length of a comment after its first character.
fn comment_bytes(text: &[u8]) -> usize {
    let end = text.get(1..).and_then(|inside| memchr::memmem::find(inside, b"*/"));
    end.map_or(text.len(), |end| end + "**/".len())
}

/// The length of a string, with its closing quote. A string ends with its line.
fn quoted_bytes(quote: u8, text: &[u8]) -> usize {
    let mut is_escaped = false;
    let end = text.iter().position(|&byte| {
        let ends = !is_escaped && (byte == quote || byte == b'\n');
        is_escaped = !is_escaped && byte == b'\\';
        ends
    });
    end.map_or(text.len(), |end| end + 1)
}

/// Whether the descriptors contain an option as text, which the library would read by recursion.
fn has_uninterpreted_option(message: &DynamicMessage) -> bool {
    message.fields().any(|(field, value)| {
        if field.name() == "uninterpreted_option" {
            return true;
        }
        match value {
            Value::Message(message) => has_uninterpreted_option(message),
            Value::List(values) => values.iter().filter_map(Value::as_message).any(has_uninterpreted_option),
            _ => false,
        }
    })
}
