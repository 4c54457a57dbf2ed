//! The figures in the help.

use super::figure::{FIGURES, Figure, Unit, WHOLES};
use super::latency::{LATENCIES, LatencyRow, STATISTICS, TimeFigure};

/// The list of figures in the help, wrapped to this width.
#[must_use]
pub fn help(width: usize) -> String {
    let list = |names: &mut dyn Iterator<Item = &'static str>| names.collect::<Vec<_>>().join(", ");
    let statistics = list(&mut STATISTICS.iter().map(|statistic| statistic.name));
    let (own, below): (Vec<&TimeFigure>, Vec<_>) =
        LATENCIES.iter().partition(|latency| latency.row != LatencyRow::Below);
    let [own, below] = [own, below].map(|latencies| list(&mut latencies.iter().map(|latency| latency.key)));
    let limited = || FIGURES.iter().filter(|figure| !figure.name.is_empty());
    let shares: Vec<_> =
        limited().filter(|figure| figure.unit == Unit::Share).map(|figure| figure.name).collect();
    let mut percent = vec![shares.join(", ")];
    for whole in WHOLES {
        let of = |figure: &&Figure| figure.whole.is_some_and(|found| found.name == whole.name);
        percent.push(format!("{}, of {}", list(&mut limited().filter(of).map(|f| f.name)), whole.name));
    }
    let paragraphs = [
        format!(
            "{statistics} of the mode's own latency; other latencies need their name: {own}; those from the actual send {below}"
        ),
        list(&mut limited().map(|figure| figure.name)),
        "Names in the report work too, in any case, joined by space, _ or -.".into(),
        format!("In percent: {}.", percent.join("; ")),
    ];
    // Continuation lines are indented further, so that the start of each paragraph is visible.
    let lines = paragraphs.iter().flat_map(|text| {
        let indents = std::iter::once("  ").chain(std::iter::repeat("    "));
        indents.zip(crate::output::wrapped(text, width - 4))
    });
    lines.flat_map(|(indent, line)| [indent.to_owned(), line, "\n".to_owned()]).collect()
}
