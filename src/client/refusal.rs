//! Responses to requests that were not sent because the broker's CONNACK excludes them. They take the path of
//! the broker's own responses, so that every subcommand handles both in one place.

use super::session::Event;
use crate::protocol::property::{PropertyBlock, PropertyId, Value};
use crate::protocol::reason::ReasonCode;

/// A request that was not sent.
#[derive(Debug)]
pub struct Refusal {
    request: RefusedRequest,
    reasons: Vec<u8>,
    /// Holds the Reason String that names the limit.
    properties: PropertyBlock,
}

#[derive(Debug, Clone, Copy)]
enum RefusedRequest {
    Publish { token: u64 },
    Subscribe { token: u64 },
    Unsubscribe { token: u64 },
}

impl Refusal {
    fn new(request: RefusedRequest, reasons: Vec<u8>, text: &str) -> Self {
        let mut properties = PropertyBlock::default();
        if !text.is_empty() {
            properties.push(PropertyId::ReasonString, Value::Text(text));
        }
        Self { request, reasons, properties }
    }

    pub(super) fn publish(token: u64, (reason, text): (ReasonCode, String)) -> Self {
        Self::new(RefusedRequest::Publish { token }, vec![reason.0], &format!("not sent again: {text}"))
    }

    pub(super) fn subscribe(token: u64, reasons: Vec<u8>, text: &str) -> Self {
        Self::new(RefusedRequest::Subscribe { token }, reasons, text)
    }

    pub(super) fn unsubscribe(token: u64, reasons: Vec<u8>, text: &str) -> Self {
        Self::new(RefusedRequest::Unsubscribe { token }, reasons, text)
    }

    /// The response.
    #[must_use]
    pub fn event(&self) -> Event<'_> {
        let (reasons, properties) = (self.reasons.as_slice(), self.properties.view());
        match self.request {
            RefusedRequest::Publish { token } => {
                let reason = self.reasons.first().copied().map_or(ReasonCode::UNSPECIFIED, ReasonCode);
                Event::Published { token, reason, properties }
            }
            RefusedRequest::Subscribe { token } => Event::Subscribed { token, reasons, properties },
            RefusedRequest::Unsubscribe { token } => Event::Unsubscribed { token, reasons, properties },
        }
    }
}
