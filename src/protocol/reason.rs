//! Reason Codes.
use crate::error::Retry;

/// A Reason Code as it came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReasonCode(pub u8);

impl std::fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:#04x}", self.0)
    }
}
impl ReasonCode {
    /// Whether another attempt can succeed.
    #[must_use]
    pub fn retry(self) -> Retry {
        Retry::Never
    }
}
