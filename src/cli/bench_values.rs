//! Values of options of `mqtt bench`, and of the keys of scenarios.

use super::value;
use crate::command::bench::config::{Arrivals, Rate};

/// A rate that no machine reaches, in messages per second: messages that are due and not sent need memory.
pub(super) const MOST_RATE: f64 = 2e7;

/// Parses a rate in messages per second, or `max`.
pub(super) fn rate(text: &str) -> Result<Rate, String> {
    if text == "max" { Ok(Rate::Max) } else { value::per_second(text).map(Rate::PerSecond) }
}

/// Parses the distribution of messages over time.
pub(super) fn arrivals(text: &str) -> Result<Arrivals, String> {
    match text.split_once(':') {
        None if text == "uniform" => Ok(Arrivals::Uniform),
        None if text == "poisson" => Ok(Arrivals::Poisson),
        Some(("burst", size)) => value::clients(size).map(Arrivals::Burst),
        _ => Err("use uniform, poisson or burst:COUNT".into()),
    }
}

/// The largest payload that fits into a packet.
pub(super) const MOST_BYTES: u64 = 256 << 20;

/// Parses the size of a payload.
pub(super) fn bytes(text: &str) -> Result<usize, String> {
    let size = value::size(text)?;
    usize::try_from(size).ok().filter(|_| size <= MOST_BYTES).ok_or_else(|| "it must be at most 256Mi".into())
}

/// Parses a number of new connections a second.
pub(super) fn ramp(text: &str) -> Result<f64, String> {
    if text == "max" {
        return Err("without --ramp clients connect as fast as they can".into());
    }
    value::per_second(text)
}
