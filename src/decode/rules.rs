//! Which payloads have which format.

use super::chain::{DecodedBytes, FormatChain};
use crate::protocol::topic;

/// Payloads on topics that match the filter have this format.
#[derive(Debug, Clone)]
pub struct Rule {
    /// A checked topic filter.
    pub filter: String,
    /// The format.
    pub chain: FormatChain,
}

/// A payload that a rule is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// What it decodes to, or why it does not.
    pub payload: Result<Vec<u8>, String>,
    /// It is JSON.
    pub is_value: bool,
    /// What it does not have of the payload, if anything.
    pub left_out: Option<String>,
}

/// Decodes payloads by rules.
#[derive(Debug)]
pub struct Decoder<'a> {
    rules: &'a [Rule],
}

impl<'a> Decoder<'a> {
    /// By these rules, of which the first that matches counts.
    #[must_use]
    pub fn new(rules: &'a [Rule]) -> Self {
        Self { rules }
    }

    /// The payload, decoded; `None` if no rule is about it. An empty payload clears a retained message, and is decoded
    /// only where the format has a value for it.
    pub fn decode(&mut self, topic: &[u8], payload: &[u8]) -> Option<Decoded> {
        let rule = self.rules.iter().find(|rule| topic::matches(rule.filter.as_bytes(), topic))?;
        if payload.is_empty() && !rule.chain.takes_empty() {
            return None;
        }
        Some(match rule.chain.decode(payload) {
            Ok(DecodedBytes { bytes, left_out }) => {
                Decoded { payload: Ok(bytes), is_value: rule.chain.gives_value(), left_out }
            }
            Err(why) => Decoded { payload: Err(why), is_value: false, left_out: None },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decode::Schemas;

    fn rule(text: &str) -> Rule {
        let (filter, format) = text.split_once('=').unwrap();
        Rule { filter: filter.into(), chain: FormatChain::parse(format, &mut Schemas::default()).unwrap() }
    }

    #[test]
    fn first_rule_that_matches_counts() {
        let rules = [rule("a/+=hex"), rule("#=base64")];
        let mut decoder = Decoder::new(&rules);
        let mut decode = |topic: &str, payload: &str| {
            decoder.decode(topic.as_bytes(), payload.as_bytes()).map(|decoded| decoded.payload)
        };
        assert_eq!(decode("a/b", "4f 4B"), Some(Ok(b"OK".to_vec())));
        assert_eq!(decode("b", "T0s="), Some(Ok(b"OK".to_vec())));
        assert_eq!(decode("b", "T0s"), Some(Ok(b"OK".to_vec())));
        assert_eq!(decode("a/b", ""), None);
        assert_eq!(decode("a/b", "4f4"), Some(Err("hex: it is not pairs of hexadecimal digits".into())));
        assert_eq!(decode("$SYS/x", "T0s="), None);
    }
}
