//! Conditions: programs whose results are only tested for truth. A condition on topic, QoS and RETAIN alone
//! needs neither a record nor the payload, and is decided without an allocation.

use jaq_core::load::lex::StrPart;
use jaq_core::load::parse::{BinaryOp, Term};
use jaq_core::ops::Cmp;
use jaq_core::path::{Part, Path};

use super::compile::Uncompiled;
use super::program::Program;
use crate::protocol::wire::Publish;

/// A program whose results are only tested for truth.
#[derive(Debug, Clone)]
pub enum Condition {
    /// A test of topic, QoS and RETAIN.
    Header(HeaderTest),
    /// A program that has to be run.
    Program(Program),
}

impl Condition {
    /// Compiles a condition.
    ///
    /// # Errors
    /// The error in the program, with its position; or no thread for the compiler.
    pub fn new(source: &str) -> Result<Self, Uncompiled> {
        let (program, test) = Program::with(source, HeaderTest::of)?;
        Ok(test.map_or(Self::Program(program), Self::Header))
    }
}

/// A condition about topic, QoS and RETAIN.
#[derive(Debug, Clone)]
pub enum HeaderTest {
    /// The operand is neither `false` nor `null`.
    Is(Operand),
    /// A comparison.
    Compare(Operand, Cmp, Operand),
    /// The topic starts with this text.
    StartsWith(String),
    /// The topic ends with this text.
    EndsWith(String),
    /// Both tests hold.
    And(Box<HeaderTest>, Box<HeaderTest>),
    /// At least one test holds.
    Or(Box<HeaderTest>, Box<HeaderTest>),
    /// The test does not hold.
    Not(Box<HeaderTest>),
}

/// An operand of a comparison.
#[derive(Debug, Clone)]
pub enum Operand {
    /// `.topic`
    Topic,
    /// `.qos`
    Qos,
    /// `.retain`
    Retain,
    /// A literal.
    Bool(bool),
    /// A literal.
    Number(f64),
    /// A literal.
    Text(String),
}

/// A value; the variants are in jq's order of types.
#[derive(PartialEq, PartialOrd)]
enum Scalar<'a> {
    Bool(bool),
    Number(f64),
    Text(&'a [u8]),
}

impl HeaderTest {
    /// Whether the test holds for a message.
    #[must_use]
    pub fn holds(&self, publish: &Publish<'_>) -> bool {
        match self {
            Self::Is(operand) => operand.value(publish) != Scalar::Bool(false),
            Self::Compare(left, operator, right) => {
                let (left, right) = (left.value(publish), right.value(publish));
                match operator {
                    Cmp::Lt => left < right,
                    Cmp::Le => left <= right,
                    Cmp::Gt => left > right,
                    Cmp::Ge => left >= right,
                    Cmp::Eq => left == right,
                    Cmp::Ne => left != right,
                }
            }
            Self::StartsWith(text) => publish.topic.starts_with(text.as_bytes()),
            Self::EndsWith(text) => publish.topic.ends_with(text.as_bytes()),
            Self::And(left, right) => left.holds(publish) && right.holds(publish),
            Self::Or(left, right) => left.holds(publish) || right.holds(publish),
            Self::Not(test) => !test.holds(publish),
        }
    }

    /// The header test equivalent to a term, if there is one.
    fn of(term: &Term<&str>) -> Option<Self> {
        let both = |left, right| Some((Self::of(left)?.into(), Self::of(right)?.into()));
        match term {
            Term::BinOp(left, BinaryOp::And, right) => {
                both(left, right).map(|(left, right)| Self::And(left, right))
            }
            Term::BinOp(left, BinaryOp::Or, right) => {
                both(left, right).map(|(left, right)| Self::Or(left, right))
            }
            Term::BinOp(left, BinaryOp::Cmp(operator), right) => {
                Some(Self::Compare(Operand::of(left)?, *operator, Operand::of(right)?))
            }
            Term::BinOp(left, BinaryOp::Pipe(None), right) => match &**right {
                // The parser reads `a | b | c` as `a | (b | c)`.
                Term::BinOp(next, BinaryOp::Pipe(None), last) => {
                    let first = Term::BinOp(left.clone(), BinaryOp::Pipe(None), next.clone());
                    Self::of(&Term::BinOp(first.into(), BinaryOp::Pipe(None), last.clone()))
                }
                Term::Call("not", arguments) if arguments.is_empty() => {
                    Some(Self::Not(Self::of(left)?.into()))
                }
                Term::Call(name @ ("startswith" | "endswith"), arguments) => {
                    let ([argument], Some(Operand::Topic)) = (&arguments[..], Operand::of(left)) else {
                        return None;
                    };
                    let Some(Operand::Text(text)) = Operand::of(argument) else { return None };
                    Some(if *name == "startswith" { Self::StartsWith(text) } else { Self::EndsWith(text) })
                }
                _ => None,
            },
            other => Operand::of(other).map(Self::Is),
        }
    }
}

impl Operand {
    fn value<'a>(&'a self, publish: &Publish<'a>) -> Scalar<'a> {
        match self {
            Self::Topic => Scalar::Text(publish.topic),
            Self::Qos => Scalar::Number(f64::from(publish.qos as u8)),
            Self::Retain => Scalar::Bool(publish.retain),
            Self::Bool(is_true) => Scalar::Bool(*is_true),
            Self::Number(number) => Scalar::Number(*number),
            Self::Text(text) => Scalar::Text(text.as_bytes()),
        }
    }

    fn of(term: &Term<&str>) -> Option<Self> {
        match term {
            Term::Num(text) => text.parse().ok().map(Self::Number),
            Term::Call("true", arguments) if arguments.is_empty() => Some(Self::Bool(true)),
            Term::Call("false", arguments) if arguments.is_empty() => Some(Self::Bool(false)),
            Term::Str(..) => literal(term).map(Self::Text),
            Term::Path(of, Path(parts)) if matches!(**of, Term::Id) => match &parts[..] {
                [(Part::Index(name), _)] => match literal(name)?.as_str() {
                    "topic" => Some(Self::Topic),
                    "qos" => Some(Self::Qos),
                    "retain" => Some(Self::Retain),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        }
    }
}

/// The text of a string literal.
fn literal(term: &Term<&str>) -> Option<String> {
    let Term::Str(None, parts) = term else { return None };
    let mut text = String::new();
    for part in parts {
        match part {
            StrPart::Str(part) => text.push_str(part),
            StrPart::Char(character) => text.push(*character),
            StrPart::Term(_) => return None,
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jq::ProgramInput;
    use crate::protocol::QoS;
    use crate::protocol::property::Properties;

    fn message(topic: &str, qos: QoS, retain: bool) -> Publish<'_> {
        Publish {
            topic: topic.as_bytes(),
            payload: b"7",
            qos,
            retain,
            dup: false,
            packet_identifier: 1,
            properties: Properties::default(),
        }
    }

    /// A header test and the program on the record give the same result.
    #[test]
    fn header_tests_agree_with_programs() {
        let programs = [
            ".topic == \"a/b\"",
            ".topic != \"a/b\"",
            ".topic < \"b\"",
            "\"a/é\" == .topic",
            ".topic >= \"a\\u002fb\"",
            ".[\"topic\"] == \"c\"",
            ".qos == 1",
            ".qos >= 1.0 and .retain",
            ".qos < .topic",
            ".retain < .qos",
            ".retain == true or .topic == \"c\"",
            ".retain | not",
            "(.qos == 2 and .topic == \"c\") | not",
            ".topic | startswith(\"a/\")",
            ".topic | endswith(\"/b\") | not",
            "(.topic | startswith(\"a\")) and (.qos > 0 or .retain == false)",
            "true",
            "false or .retain",
            ".topic",
            ".qos",
        ];
        for source in programs {
            let condition = Condition::new(source).unwrap();
            let Condition::Header(test) = &condition else { panic!("{source} is run as a program") };
            let program = Program::new(source).unwrap();
            for topic in ["a/b", "a", "c", "a/é", "b/b"] {
                for qos in [QoS::AtMostOnce, QoS::AtLeastOnce, QoS::ExactlyOnce] {
                    for retain in [false, true] {
                        let publish = message(topic, qos, retain);
                        let record = format!(
                            r#"{{"topic":"{topic}","qos":{},"retain":{retain},"payloadlen":1}}"#,
                            qos as u8
                        );
                        let expected =
                            program.is_true(ProgramInput::new(record.as_bytes(), b"7").value).unwrap();
                        assert_eq!(test.holds(&publish), expected, "{source} on {record}");
                    }
                }
            }
        }
    }

    #[test]
    fn other_conditions_are_programs() {
        for text in [
            ".payload == 7",
            ".topic == .payload",
            ".topic | test(\"a\")",
            ".topic | startswith(.payload)",
            "select(.qos == 1)",
            ".topic == \"\\(.qos)\"",
            ".mid > 1",
            ".",
            "def f: .topic; f == \"a\"",
        ] {
            assert!(matches!(Condition::new(text).unwrap(), Condition::Program(_)), "{text}");
        }
    }

    /// Like the other conditions of `sub`.
    #[test]
    fn header_test_costs_no_allocation() {
        let source =
            "(.topic | startswith(\"a/\")) and (.qos >= 1 or .retain == false) and .topic != \"a/c\"";
        let Condition::Header(test) = Condition::new(source).unwrap() else { panic!("{source}") };
        let publish = message("a/b", QoS::AtLeastOnce, true);
        let measured = allocation_counter::measure(|| {
            for _ in 0..100 {
                assert!(test.holds(&publish));
            }
        });
        assert_eq!(measured.count_total, 0);
    }
}
