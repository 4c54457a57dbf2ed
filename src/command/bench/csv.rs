//! The report's seconds as CSV (RFC 4180), one line each.

use std::fmt::Write as _;

use super::summary::Report;

pub(super) fn render(report: &Report) -> String {
    let mut out = String::from(
        "second,phase,connected,sent,acknowledged,delivered,in_flight,errors,p50_us,p99_us,max_us,overdue,length_s\r\n",
    );
    for s in &report.series {
        let time = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
        let _ = write!(
            out,
            "{},{},{},{},{},{},{},{},{},{},{},{},{}\r\n",
            s.second,
            s.phase.key(),
            s.connected,
            s.sent,
            s.acknowledged,
            s.delivered,
            s.in_flight,
            s.errors,
            time(s.p50_us),
            time(s.p99_us),
            time(s.max_us),
            s.overdue,
            s.length_s
        );
    }
    out
}
