//! Empty histograms of nanoseconds, which grow with their largest value.

use hdrhistogram::{Counter, Histogram};

/// With three significant digits.
pub(super) fn histogram() -> Histogram<u64> {
    empty(3)
}

/// With two significant digits, where many histograms are needed.
pub(super) fn coarse_histogram() -> Histogram<u32> {
    empty(2)
}

fn empty<T: Counter>(digits: u8) -> Histogram<T> {
    // The library accepts up to 5 digits and has no other error.
    let made = Histogram::new(digits);
    #[allow(clippy::unwrap_used, reason = "3 and 2 digits are allowed, as tests show")]
    made.unwrap()
}
