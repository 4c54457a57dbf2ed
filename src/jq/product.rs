//! Multiplication within a limit.
//!
//! `"x" * 100000000000` requests all of that memory at once: the process would be aborted before the guard
//! could act. A product in a program is therefore rewritten to a call of a function that checks the length
//! first.

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Def, Pattern, Term};
use jaq_core::ops::Math;
use jaq_core::path::{Part, Path};

/// The name of the function.
const TIMES: &str = "mqtt_times";
/// The variable with the factor of `*=`.
const FACTOR: &str = "$mqtt_factor";

/// The definition of the function. Its limit is that of a result.
pub(super) const DEFINITION: &str = r#"
def mqtt_times(l; r): l as $l | r as $r |
  ([$l, $r] | map(strings | utf8bytelength)[0] // 0) as $bytes | ([$l, $r] | map(numbers)[0] // 0) as $count |
  if $bytes * $count > 16777216 then error("a text of more than 16 MiB") else $l * $r end;
"#;

/// Whether a program may contain a multiplication.
pub(super) fn may_multiply(program: &str) -> bool {
    program.contains('*')
}

/// The program with its products replaced by calls.
pub(super) fn bounded(term: Term<&str>) -> Term<&str> {
    let boxed = |term: Box<Term<_>>| Box::new(bounded(*term));
    match term {
        Term::BinOp(left, BinaryOp::Math(Math::Mul), right) => {
            Term::Call(TIMES, vec![bounded(*left), bounded(*right)])
        }
        Term::BinOp(left, BinaryOp::UpdateMath(Math::Mul), right) => {
            let product = Term::Call(TIMES, vec![Term::Id, Term::Var(FACTOR)]);
            let update = Term::BinOp(boxed(left), BinaryOp::Update, Box::new(product));
            let bound = BinaryOp::Pipe(Some(Pattern::Var(FACTOR)));
            Term::BinOp(boxed(right), bound, Box::new(update))
        }
        Term::BinOp(left, operator, right) => {
            let operator = match operator {
                BinaryOp::Pipe(pattern) => BinaryOp::Pipe(pattern.map(in_pattern)),
                other => other,
            };
            Term::BinOp(boxed(left), operator, boxed(right))
        }
        Term::Str(format, parts) => Term::Str(format, parts.into_iter().map(in_text).collect()),
        Term::Arr(inner) => Term::Arr(inner.map(boxed)),
        Term::Obj(members) => {
            Term::Obj(members.into_iter().map(|(key, value)| (bounded(key), value.map(bounded))).collect())
        }
        Term::Neg(inner) => Term::Neg(boxed(inner)),
        Term::Label(name, inner) => Term::Label(name, boxed(inner)),
        Term::Fold(name, values, pattern, steps) => {
            Term::Fold(name, boxed(values), in_pattern(pattern), steps.into_iter().map(bounded).collect())
        }
        Term::TryCatch(inner, caught) => Term::TryCatch(boxed(inner), caught.map(boxed)),
        Term::IfThenElse(branches, other) => {
            let branches = branches.into_iter().map(|(test, then)| (bounded(test), bounded(then)));
            Term::IfThenElse(branches.collect(), other.map(boxed))
        }
        Term::Def(definitions, inner) => {
            let definitions = definitions.into_iter().map(|Def { name, args, body }| Def {
                name,
                args,
                body: bounded(body),
            });
            Term::Def(definitions.collect(), boxed(inner))
        }
        Term::Call(name, arguments) => Term::Call(name, arguments.into_iter().map(bounded).collect()),
        Term::Path(inner, Path(parts)) => {
            let parts = parts.into_iter().map(|(part, optional)| (in_part(part), optional));
            Term::Path(boxed(inner), Path(parts.collect()))
        }
        leaf @ (Term::Id | Term::Recurse | Term::Num(_) | Term::Break(_) | Term::Var(_)) => leaf,
    }
}

fn in_text<'a>(part: StrPart<&'a str, Term<&'a str>>) -> StrPart<&'a str, Term<&'a str>> {
    match part {
        StrPart::Term(term) => StrPart::Term(bounded(term)),
        other => other,
    }
}

fn in_part(part: Part<Term<&str>>) -> Part<Term<&str>> {
    match part {
        Part::Index(index) => Part::Index(bounded(index)),
        Part::Range(from, to) => Part::Range(from.map(bounded), to.map(bounded)),
    }
}

fn in_pattern(pattern: Pattern<&str>) -> Pattern<&str> {
    match pattern {
        Pattern::Arr(patterns) => Pattern::Arr(patterns.into_iter().map(in_pattern).collect()),
        Pattern::Obj(members) => {
            Pattern::Obj(members.into_iter().map(|(key, value)| (bounded(key), in_pattern(value))).collect())
        }
        variable @ Pattern::Var(_) => variable,
    }
}
