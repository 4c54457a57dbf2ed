//! Histograms and counters in the report of a shard.

use std::io::Cursor;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use hdrhistogram::serialization::{Deserializer as HistogramReader, Serializer as _, V2DeflateSerializer};
use hdrhistogram::{Counter, Histogram};

/// Maximum plausible count: sums over all shards fit into 64 bits.
const LARGEST_COUNT: u64 = 100_000_000_000_000;

/// The counter, if it is plausible.
pub(super) fn believed(count: u64) -> Result<u64, String> {
    (count <= LARGEST_COUNT).then_some(count).ok_or_else(|| format!("{count} is too large a count"))
}

/// The V2 compressed encoding in base64; none for an empty histogram.
pub(super) fn encode<T: Counter>(histogram: &Histogram<T>) -> Option<String> {
    if histogram.is_empty() {
        return None;
    }
    let mut bytes = Vec::new();
    // Cannot fail: it writes to memory, and the counts are plausible.
    V2DeflateSerializer::new().serialize(histogram, &mut bytes).ok()?;
    Some(BASE64.encode(bytes))
}

/// A histogram of nanoseconds whose counters have the precision of this program.
pub(super) trait EncodedCounter: Counter {
    /// The significant digits of its histograms.
    const DIGITS: u8;
}

impl EncodedCounter for u64 {
    const DIGITS: u8 = 3;
}

impl EncodedCounter for u32 {
    const DIGITS: u8 = 2;
}

pub(super) fn decode<T: EncodedCounter>(text: &str) -> Result<Histogram<T>, String> {
    let bytes = BASE64.decode(text).map_err(|_| "invalid base64")?;
    let read: Result<Histogram<T>, _> = HistogramReader::new().deserialize(&mut Cursor::new(bytes));
    let mut histogram = read.map_err(|_| "it is not an encoded histogram")?;
    if histogram.sigfig() != T::DIGITS || histogram.low() != 1 {
        return Err(format!(
            "it has {} digits from {}, and not {} from 1",
            histogram.sigfig(),
            histogram.low(),
            T::DIGITS
        ));
    }
    believed(histogram.len())?;
    histogram.auto(true); // so that values of other shards fit
    Ok(histogram)
}
