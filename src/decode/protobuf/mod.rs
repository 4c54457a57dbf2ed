//! Protocol Buffers: messages to and from JSON, by a schema.
//!
//! A payload is surveyed before it is decoded ([`survey`]), to name the byte and the field of an error, and
//! for the limits of nesting and memory, which the library lacks. The JSON is the mapping of the Protocol
//! Buffers language guide, with the members of a map in order ([`json`]).

mod json;
mod schema;
mod survey;
#[cfg(test)]
mod tests;

use prost_reflect::prost::Message as _;
use prost_reflect::{DynamicMessage, MessageDescriptor};

use super::chain::DecodedBytes;
use super::limits::Converted;
use survey::Survey;

pub use schema::{BadSchema, MOST_SCHEMA_BYTES, MOST_SCHEMA_FILES, Schemas, UnusedOption};

/// The name of the format.
pub(super) const NAME: &str = "protobuf";

/// A message type of a schema.
#[derive(Debug, Clone)]
pub(super) struct MessageType {
    descriptor: MessageDescriptor,
}

impl MessageType {
    pub(super) fn decode(&self, bytes: &[u8]) -> Result<DecodedBytes, String> {
        let left_out = Survey::of_payload(&self.descriptor, bytes)?;
        let message =
            DynamicMessage::decode(self.descriptor.clone(), bytes).map_err(|why| why.to_string())?;
        Ok(DecodedBytes { bytes: json::written(&message)?, left_out })
    }

    pub(super) fn encode(&self, bytes: &[u8]) -> Converted {
        let mut input = serde_json::Deserializer::from_slice(bytes);
        let message = DynamicMessage::deserialize(self.descriptor.clone(), &mut input)
            .and_then(|message| input.end().map(|()| message))
            .map_err(|error| format!("not a {}: {error}", self.descriptor.full_name()))?;
        let encoded = message.encode_to_vec();
        // An encoded message must be complete and decodable.
        Survey::of_encoded(&self.descriptor, &encoded)?;
        Ok(encoded)
    }
}
