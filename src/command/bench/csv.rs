//! The report's seconds as CSV (RFC 4180), one line each. No field needs quotes, so no crate is needed.

use serde_json::Value;

use super::summary::{Report, SeriesSecond};

pub(super) fn render(report: &Report) -> String {
    let columns = |second: &SeriesSecond| match serde_json::to_value(second) {
        Ok(Value::Object(columns)) => columns,
        _ => serde_json::Map::new(), // a struct of numbers and names is always an object
    };
    let heading = columns(&SeriesSecond::default()).keys().map(String::as_str).collect::<Vec<_>>().join(",");
    let rows = report.series.iter().map(|second| {
        let fields: Vec<String> = columns(second).values().map(field).collect();
        fields.join(",")
    });
    std::iter::once(heading).chain(rows).map(|line| line + "\r\n").collect()
}

fn field(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(name) => name.clone(),
        // 1 and not 1.0.
        Value::Number(number) if number.is_f64() => number.as_f64().unwrap_or_default().to_string(),
        other => other.to_string(),
    }
}
