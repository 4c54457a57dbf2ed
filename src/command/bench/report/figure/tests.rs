//! Compares the table of figures with the help and the schema.

use super::super::SeriesSecond;
use super::super::help::help;
use super::super::latency::{LATENCIES, STATISTICS};
use super::*;
use serde_json::{Value, json};
use std::collections::HashSet;

#[test]
fn figure_names_are_unique() {
    let mut seen = HashSet::new();
    let names = FIGURES.iter().map(|figure| figure.name).filter(|name| !name.is_empty());
    for name in names.chain(LATENCIES.iter().map(|latency| latency.key)) {
        assert!(seen.insert(name), "{name}");
    }
}

#[test]
fn figures_missing_in_a_report_are_derived() {
    for figure in FIGURES.iter().filter(|figure| !figure.name.is_empty()) {
        assert_eq!(figure.derive.is_some(), figure.section == Derived, "{}", figure.name);
    }
}

#[test]
fn help_lists_every_figure() {
    let help = help(100);
    let words: Vec<&str> = help.split([' ', ',', ';', '\n']).collect();
    let figures = FIGURES.iter().map(|figure| figure.name).filter(|name| !name.is_empty());
    let latencies = LATENCIES.iter().map(|latency| latency.key);
    for name in figures.chain(latencies).chain(STATISTICS.iter().map(|statistic| statistic.name)) {
        assert!(words.contains(&name), "{name}");
    }
    assert!(help.lines().all(|line| line.len() <= 100), "{help}");
}

/// Sets the properties of an object in the schema to these names and types; descriptions and other content
/// stay.
fn set(object: &mut Value, wanted: Vec<(String, Value)>) {
    object["required"] = wanted.iter().map(|(name, _)| name.clone()).collect();
    let before = object["properties"].take();
    let property = |(name, kind): (String, Value)| {
        let mut property = before.get(&name).cloned().unwrap_or_else(|| json!({}));
        if property.get("type").is_none_or(|found| *found != kind) && property.get("enum").is_none() {
            property["type"] = kind;
            property["minimum"] = 0.into();
        }
        (name, property)
    };
    object["properties"] = Value::Object(wanted.into_iter().map(property).collect());
}

/// The schema has the figures of the table. `UPDATE_EXPECT=1` writes them to it.
#[test]
fn schema_has_every_figure() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/schema/bench.schema.json");
    let found: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut schema = found.clone();
    for section in Section::ALL {
        let figures = FIGURES.iter().filter(|figure| figure.section == section).map(|figure| {
            let kind = match figure.read {
                Reading::Count(_) => json!("integer"),
                Reading::Real(_) => json!("number"),
                Reading::CountIfKnown(_) => json!(["integer", "null"]),
                Reading::RealIfKnown(_) => json!(["number", "null"]),
            };
            (figure.key.to_owned(), kind)
        });
        let others: &[(&str, &str)] = match section {
            Section::Messages => &[("qos", "integer")],
            Section::Generator => &[("saturated", "boolean"), ("thread_cpu_share", "array")],
            _ => &[],
        };
        let others = others.iter().map(|(name, kind)| ((*name).to_owned(), json!(kind)));
        set(&mut schema["properties"][section.key()], others.chain(figures).collect());
    }
    let counts = ["count", "unanswered"].map(|name| (name.to_owned(), json!("integer")));
    let statistics = STATISTICS.iter().map(|statistic| (statistic.key.to_owned(), json!(["number", "null"])));
    set(&mut schema["$defs"]["latency"], counts.into_iter().chain(statistics).collect());
    let columns = serde_json::to_value(SeriesSecond::default()).unwrap();
    let kind = |value: &Value| match value {
        Value::Null => json!(["number", "null"]),
        Value::Number(number) if number.is_f64() => json!("number"),
        Value::Number(_) => json!("integer"),
        _ => json!("string"),
    };
    let columns = columns.as_object().unwrap().iter().map(|(name, value)| (name.clone(), kind(value)));
    set(&mut schema["properties"]["series"]["items"], columns.collect());
    let units = [Unit::Microseconds, Unit::Count, Unit::PerSecond, Unit::Share, Unit::Bytes];
    schema["properties"]["thresholds"]["items"]["properties"]["unit"]["enum"] =
        units.map(Unit::key).into_iter().collect();
    for figure in FIGURES.iter().filter(|figure| !figure.name.is_empty()) {
        assert!(units.contains(&figure.unit), "{}", figure.name);
    }
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(path, format!("{schema:#}\n")).unwrap();
    } else {
        let text = |schema: &Value| format!("{schema:#}");
        assert_eq!(text(&found), text(&schema), "UPDATE_EXPECT=1 cargo test --lib bench");
    }
}
