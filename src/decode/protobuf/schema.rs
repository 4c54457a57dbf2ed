//! Schemas: `.proto` files with their imports, and compiled descriptor sets.
//!
//! They are read when a format needs them, before the first connection. What they may make the compiler do is bounded:
//! how much is read, from how many files, for how long, and how deep brackets are nested, for the compiler reads them by
//! recursion.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

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

/// How much all files of a schema have together.
pub const MOST_SCHEMA_BYTES: u64 = 16 * 1024 * 1024;
/// How many files a schema has, with imports.
pub const MOST_SCHEMA_FILES: usize = 5000;
/// How long a schema is compiled.
pub(super) const MOST_SCHEMA_TIME: Duration = Duration::from_secs(60);

/// Imports are followed by recursion: enough for a chain of all files.
const STACK_BYTES: usize = 64 * 1024 * 1024;

/// The error for a schema at which the compiler has panicked, where a panic does not end the process.
pub(super) const PANICKED: &str = "the compiler of schemas failed";

/// What is wrong with a schema, or with what is asked of it.
#[derive(Debug, thiserror::Error)]
pub enum BadSchema {
    /// A format has a message, and there is no schema.
    #[error("protobuf needs a schema")]
    Missing,
    /// A format has no message.
    #[error("protobuf needs the name of a message")]
    NoMessage {
        /// What the schema defines.
        defined: String,
    },
    /// The schema does not define the message.
    #[error("the schema has no message '{}'", shown(name))]
    UnknownMessage {
        /// What was asked for.
        name: String,
        /// Names that are near to it.
        near: Vec<String>,
        /// What the schema defines.
        defined: String,
    },
    /// A file cannot be read.
    #[error("{path}: {error}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// A file is invalid, at the place that stands first.
    #[error("{text}")]
    Invalid {
        /// `FILE:LINE:COLUMN: REASON`.
        text: String,
        /// A file that is imported was not found.
        is_import: bool,
    },
}

impl BadSchema {
    /// What helps.
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

/// An option of a schema that nothing has used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnusedOption {
    /// No format needs a schema.
    Schema,
    /// Each format has a message of its own.
    Message,
}

/// The schema of a command, which is read when a format needs it.
#[derive(Debug, Default)]
pub struct Schemas {
    files: Vec<PathBuf>,
    folders: Vec<PathBuf>,
    message: Option<String>,
    read: Option<Schema>,
    uses_message: bool,
}

impl Schemas {
    /// These files, whose imports begin in these folders; `message` is the one of formats that name none.
    #[must_use]
    pub fn new(files: Vec<PathBuf>, folders: Vec<PathBuf>, message: Option<String>) -> Self {
        Self { files, folders, message, read: None, uses_message: false }
    }

    /// What was given and not used, once all formats are known.
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
    /// The messages of the files that were given, without their imports.
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
        // Each error in a schema is looked up in its whole text, which takes minutes where there are thousands.
        let (sender, done) = mpsc::sync_channel(1);
        let thread = std::thread::Builder::new().stack_size(STACK_BYTES);
        thread
            .spawn(move || sender.send(compile(given, folders, most)))
            .map_err(|error| invalid(format!("no thread for the compiler of schemas: {error}")))?;
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

    /// Names that differ by a slip, or by the package.
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

/// A file as it is named, or in a folder of imports.
fn found(path: &Path, folders: &[PathBuf]) -> PathBuf {
    if path.exists() {
        return path.to_owned();
    }
    let below = folders.iter().map(|folder| folder.join(path)).find(|below| below.exists());
    below.unwrap_or_else(|| path.to_owned())
}

/// Whether it is text in the language of `.proto` files, which has no control characters. A descriptor set cannot do
/// without them.
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

/// What the compiler may open.
struct SchemaFiles {
    folders: Vec<PathBuf>,
    /// The text of files that were given, and of descriptor sets the files, by the name for imports.
    sources: HashMap<String, (PathBuf, String)>,
    compiled: HashMap<String, FileDescriptorProto>,
    google: GoogleFileResolver,
    /// Where each file that was opened is, and the name it was opened by: by another name it is the same file.
    opened: RefCell<HashMap<PathBuf, String>>,
    paths: RefCell<HashMap<String, PathBuf>>,
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
            bytes_left: Cell::new(most_bytes),
            files_left: Cell::new(MOST_SCHEMA_FILES),
        }
    }

    /// A `.proto` file that was given. Its imports also begin in its own folder, and in the working directory.
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

    /// A descriptor set: the names of its files.
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

    /// The folders that imports begin in: those that were asked for first, then the ones of the files.
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

    /// A file of this name. One that was opened by another name is imported as a whole, for what it defines is there.
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
        File::from_source(name, &source)
    }

    /// The place, which the library writes before the reason, with the file as it is found here.
    fn invalid(&self, error: &Error) -> BadSchema {
        // Those of reading have no place, and the file in their text.
        let text = if error.is_io() { error.to_string() } else { format!("{error:?}") };
        let paths = self.paths.borrow();
        let text = match error.file().and_then(|file| Some((file, paths.get(file)?))) {
            Some((file, path)) => {
                let place = text.strip_prefix(file).filter(|place| place.starts_with(':'));
                let reason = place.map_or_else(|| format!(": {text}"), str::to_owned);
                format!("{}{}", path.display(), shown(&reason))
            }
            None => shown(&text),
        };
        BadSchema::Invalid { text, is_import: error.is_file_not_found() }
    }
}

struct Resolver(Rc<SchemaFiles>);

impl FileResolver for Resolver {
    /// Files are opened by their names.
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

/// A path as imports name it; `None` if it leads out of its folder, or is not UTF-8.
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

/// The text of a `.proto` file, if the compiler can read it without end of its stack.
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

/// How long a comment is after its first character.
fn comment_bytes(text: &[u8]) -> usize {
    let end = text.get(1..).and_then(|inside| memchr::memmem::find(inside, b"*/"));
    end.map_or(text.len(), |end| end + "**/".len())
}

/// How long a string is, with the quote at its end. It does not go beyond its line.
fn quoted_bytes(quote: u8, text: &[u8]) -> usize {
    let mut is_escaped = false;
    let end = text.iter().position(|&byte| {
        let ends = !is_escaped && (byte == quote || byte == b'\n');
        is_escaped = !is_escaped && byte == b'\\';
        ends
    });
    end.map_or(text.len(), |end| end + 1)
}

/// Whether an option stands in the descriptors as text, which the library would read by recursion.
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
