//! Compiles the text of a program, or finds the position of its first error.

use jaq_core::data::JustLut;
use jaq_core::load::parse::Def;
use jaq_core::load::{self, Arena, File, Loader, lex, parse};
use jaq_core::{Compiler, compile};
use jaq_json::Val;

use super::guard::STACK_BYTES;
use super::product;
use crate::thread::{self, NoThread};

/// Names of jq that are not available here. They read the environment or further inputs, write to standard
/// error, or end the program.
const ABSENT: [&str; 14] = [
    "env",
    "$ENV",
    "input",
    "inputs",
    "input_filename",
    "input_line_number",
    "debug",
    "stderr",
    "debug_empty",
    "stderr_empty",
    "halt",
    "halt_error",
    "get_search_list",
    "modulemeta",
];

/// Filters that `jaq` leaves to other crates.
const OWN_DEFINITIONS: &str = r#"
def @csv: [.[] | if type == "string" then "\"" + (. / "\"" | join("\"\"")) + "\""
  elif . == null then "" elif isboolean or isnumber then tostring
  else error("\(type) is not valid in a csv row") end] | join(",");
def @tsv: [.[] | if type == "string" then (. / "\\" | join("\\\\")) / "\t" | join("\\t") | . / "\n" | join("\\n")
  | . / "\r" | join("\\r")
  elif . == null then "" elif isboolean or isnumber then tostring
  else error("\(type) is not valid in a tsv row") end] | join("\t");
"#;

/// The compiler recurses into nested expressions; the stack suffices for this size.
const MOST_PROGRAM_BYTES: usize = 16 * 1024;

/// A program up to this size is compiled without a thread of its own, as it cannot be nested deeply.
const MOST_BYTES_IN_PLACE: usize = 64;

/// The name of the definition that holds a rewritten program.
const MAIN: &str = "mqtt_main";

pub(super) type Filter = jaq_core::Filter<JustLut<Val>>;

/// An error in a program, with its position.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadProgram {
    /// The error.
    pub what: String,
    /// Line of the error, from 1.
    pub line: usize,
    /// Column of the error in characters, from 1.
    pub column: usize,
    /// The program's line with the error.
    pub excerpt: String,
    /// A possible remedy.
    pub hint: Option<&'static str>,
}

/// Why a program was not compiled.
#[derive(Debug)]
pub enum Uncompiled {
    /// It has an error.
    Bad(BadProgram),
    /// The system refused the thread that compiles it.
    NoThread(NoThread),
}

impl From<BadProgram> for Uncompiled {
    fn from(bad: BadProgram) -> Self {
        Self::Bad(bad)
    }
}

impl BadProgram {
    fn at(program: &str, offset: usize, what: String) -> Self {
        let before = &program[..offset];
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        Self {
            what,
            line: before.matches('\n').count() + 1,
            column: before[start..].chars().count() + 1,
            excerpt: program[start..].lines().next().unwrap_or_default().to_owned(),
            hint: None,
        }
    }

    /// An error at `part` of the program, or at the program's end if `part` lies outside.
    fn of(program: &str, part: &str, what: String) -> Self {
        let offset = (part.as_ptr() as usize).checked_sub(program.as_ptr() as usize);
        let offset = offset.filter(|offset| program.is_char_boundary(*offset));
        Self::at(program, offset.unwrap_or(program.trim_end().len()), what)
    }
}

/// Compiles a program, and evaluates its syntax tree with `look`; the tree exists only here.
pub(super) fn compile<T: Send>(
    program: &str,
    look: impl FnOnce(&parse::Term<&str>) -> Option<T> + Send,
) -> Result<(Filter, Option<T>), Uncompiled> {
    if program.len() > MOST_PROGRAM_BYTES {
        let what = format!("a program may have {MOST_PROGRAM_BYTES} bytes; this one has {}", program.len());
        return Err(BadProgram::at(program, 0, what).into());
    }
    let work = || {
        let filter = filter(program)?;
        let term = load::parse(program, |parser| parser.term());
        Ok((filter, term.as_ref().and_then(look)))
    };
    if program.len() <= MOST_BYTES_IN_PLACE {
        return work();
    }
    thread::on_stack(STACK_BYTES, work).unwrap_or_else(|refused| Err(Uncompiled::NoThread(refused)))
}

fn filter(program: &str) -> Result<Filter, BadProgram> {
    let plain = compiled(program, None)?;
    if !product::may_multiply(program) {
        return Ok(plain);
    }
    // The program was compiled unchanged first, so that errors have positions in the original text.
    let Some(term) = load::parse(program, |parser| parser.term()) else { return Ok(plain) };
    let main = Def { name: MAIN, args: Vec::new(), body: product::bounded(term) };
    compiled(MAIN, Some(main))
}

/// Shortens the lifetime of a definition.
fn as_short<'a>(definition: Def<&'static str>) -> Def<&'a str> {
    definition
}

/// Compiles a program; `main` is an additional definition that replaces its text.
fn compiled<'a>(program: &'a str, main: Option<Def<&'a str>>) -> Result<Filter, BadProgram> {
    let arena = Arena::default();
    let own = load::parse(OWN_DEFINITIONS, |parser| parser.defs()).unwrap_or_default();
    let bounds = load::parse(product::DEFINITION, |parser| parser.defs()).unwrap_or_default();
    let definitions = jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs());
    let definitions = definitions.chain(own).chain(bounds).map(as_short);
    let definitions = definitions.chain(main);
    let is_absent = |definition: &Def<&str>| ABSENT.contains(&definition.name);
    let loader = Loader::new(definitions.filter(|definition| !is_absent(definition)));
    let modules = loader
        .load(&arena, File { code: program, path: () })
        .map_err(|errors| first(program, errors, |error| loading(program, error)))?;
    load::import(&modules, |_| Err(String::new()))
        .map_err(|errors| first(program, errors, |error| loading(program, error)))?;
    let functions = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
    let functions = functions.filter(|(name, ..)| !ABSENT.contains(name));
    Compiler::default().with_funs(functions).compile(modules).map_err(|errors| {
        first(program, errors, |undefined| {
            undefined.into_iter().next().map(|(name, kind)| undefined_name(program, name, &kind))
        })
    })
}

/// The first error that has a position in the program.
fn first<E>(
    program: &str,
    errors: load::Errors<&str, (), E>,
    described: impl Fn(E) -> Option<BadProgram>,
) -> BadProgram {
    let mut described = errors.into_iter().filter_map(|(_, error)| described(error));
    described.next().unwrap_or_else(|| BadProgram::at(program, 0, "invalid program".into()))
}

fn loading(program: &str, error: load::Error<&str>) -> Option<BadProgram> {
    match error {
        load::Error::Io(paths) => paths
            .into_iter()
            .next()
            .map(|(path, _)| BadProgram::of(program, path, "modules and data files cannot be loaded".into())),
        load::Error::Lex(errors) => errors.into_iter().next().map(|(expected, found)| {
            let what = match expected {
                lex::Expect::Delim(open) => {
                    format!("{} is missing for '{open}'", lex::Expect::Delim(open).as_str())
                }
                lex::Expect::Token => "unexpected character".to_owned(),
                other => format!("expected {}", other.as_str()),
            };
            BadProgram::of(program, found, what)
        }),
        load::Error::Parse(errors) => errors.into_iter().next().map(|(expected, found)| {
            let expected = match expected {
                parse::Expect::Nothing => "end of the program",
                ref other => other.as_str(),
            };
            let found_text = if found.is_empty() {
                "the program ends".to_owned()
            } else {
                format!("found '{}'", found.chars().take(20).collect::<String>())
            };
            BadProgram::of(program, found, format!("expected {expected}, but {found_text}"))
        }),
    }
}

fn undefined_name(program: &str, name: &str, kind: &compile::Undefined) -> BadProgram {
    let shown = match kind {
        compile::Undefined::Filter(arity) => format!("{name}/{arity}"),
        _ => name.to_owned(),
    };
    let mut bad = BadProgram::of(program, name, format!("{} {shown} is not defined", kind.as_str()));
    if ABSENT.contains(&name) {
        bad.hint = Some(
            "a program sees one message and nothing else: it has no environment, no further input, no debug and no halt",
        );
    }
    bad
}
