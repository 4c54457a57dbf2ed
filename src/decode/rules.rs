//! The rules that give payloads their format.

use std::sync::Arc;

use super::chain::{DecodedBytes, FormatChain};
#[cfg(feature = "decoders")]
use super::sparkplug::Sparkplug;
use crate::protocol::topic;

/// The format of payloads whose topic matches a filter.
#[derive(Debug, Clone)]
pub struct Rule {
    /// A checked topic filter.
    pub filter: String,
    /// The format.
    pub chain: FormatChain,
}

/// A payload to which a rule applies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded {
    /// The decoded payload, or why it cannot be decoded.
    pub payload: Result<Vec<u8>, String>,
    /// The formats from which it was decoded, if it is JSON.
    pub format: Option<Arc<str>>,
    /// The part of the payload that was omitted, if any.
    pub left_out: Option<String>,
}

/// Decodes payloads by rules, in the order of their messages.
#[derive(Debug)]
pub struct Decoder<'a> {
    rules: &'a [Rule],
    #[cfg(feature = "decoders")]
    memory: Option<Box<Memory<'a>>>,
}

/// The state from earlier messages, if a rule needs it.
#[cfg(feature = "decoders")]
#[derive(Debug, Default)]
struct Memory<'a> {
    sparkplug: Sparkplug,
    /// The topic filters subscribed to.
    subscriptions: Vec<&'a str>,
}

impl<'a> Decoder<'a> {
    /// A decoder with these rules; the first rule that matches applies.
    #[must_use]
    pub fn new(rules: &'a [Rule]) -> Self {
        Self {
            rules,
            #[cfg(feature = "decoders")]
            memory: rules.iter().any(|rule| rule.chain.remembers()).then(Box::default),
        }
    }

    /// Declares that these valid filters are subscribed to completely: a missing message can then be
    /// detected.
    #[must_use]
    #[cfg_attr(not(feature = "decoders"), expect(unused_mut, reason = "nothing is remembered"))]
    pub fn subscribed_to(mut self, filters: impl IntoIterator<Item = &'a str>) -> Self {
        #[cfg(feature = "decoders")]
        if let Some(memory) = &mut self.memory {
            memory.subscriptions.extend(filters);
        }
        #[cfg(not(feature = "decoders"))]
        let _ = filters;
        self
    }

    /// The decoded payload; `None` if no rule applies. An empty payload clears a retained message, and is
    /// decoded only if it is valid in the format.
    pub fn decode(&mut self, topic: &[u8], payload: &[u8]) -> Option<Decoded> {
        let rules = self.rules;
        let chain = &rule(rules, topic)?.chain;
        if payload.is_empty() && !chain.takes_empty() {
            return None;
        }
        #[cfg(feature = "decoders")]
        let decoded = match &mut self.memory {
            Some(memory) => memory.decode(rules, chain, topic, payload),
            None => chain.decode(payload),
        };
        #[cfg(not(feature = "decoders"))]
        let decoded = chain.decode(payload);
        Some(match decoded {
            Ok(DecodedBytes { bytes, left_out }) => {
                Decoded { payload: Ok(bytes), format: chain.value_format().cloned(), left_out }
            }
            Err(why) => Decoded { payload: Err(why), format: None, left_out: None },
        })
    }

    /// Processes a message that is not shown: it may describe the content of later ones.
    pub fn pass(&mut self, topic: &[u8], payload: &[u8]) {
        #[cfg(feature = "decoders")]
        if let Some(memory) = &mut self.memory
            && let Some(rule) = rule(self.rules, topic)
            && rule.chain.remembers()
        {
            memory.pass(self.rules, &rule.chain, topic, payload);
        }
        #[cfg(not(feature = "decoders"))]
        let _ = (topic, payload);
    }

    /// A warning about earlier messages, returned once.
    pub fn take_warning(&mut self) -> Option<String> {
        #[cfg(feature = "decoders")]
        return self.memory.as_mut()?.sparkplug.take_warning();
        #[cfg(not(feature = "decoders"))]
        None
    }
}

fn rule<'a>(rules: &'a [Rule], topic: &[u8]) -> Option<&'a Rule> {
    rules.iter().find(|rule| topic::matches(rule.filter.as_bytes(), topic))
}

#[cfg(feature = "decoders")]
impl Memory<'_> {
    fn decode(
        &mut self,
        rules: &[Rule],
        chain: &FormatChain,
        topic: &[u8],
        payload: &[u8],
    ) -> Result<DecodedBytes, String> {
        let Self { sparkplug, subscriptions } = self;
        chain.decode_with(payload, |format, bytes| {
            if format.remembers {
                sparkplug.decode(topic, bytes, &|topic| comes(rules, subscriptions, topic))
            } else {
                (format.decode)(bytes)
            }
        })
    }

    fn pass(&mut self, rules: &[Rule], chain: &FormatChain, topic: &[u8], payload: &[u8]) {
        let Self { sparkplug, subscriptions } = self;
        // A payload that cannot be decoded is ignored.
        let _ = chain.decode_with(payload, |format, bytes| {
            if format.remembers {
                sparkplug.learn(topic, bytes, &|topic| comes(rules, subscriptions, topic));
                Ok(Vec::new())
            } else {
                (format.decode)(bytes)
            }
        });
    }
}

/// Whether all messages on a topic arrive here and are decoded by a format with state. A shared subscription
/// delivers only a part.
#[cfg(feature = "decoders")]
fn comes(rules: &[Rule], subscriptions: &[&str], topic: &str) -> bool {
    rule(rules, topic.as_bytes()).is_some_and(|rule| rule.chain.remembers())
        && subscriptions.iter().any(|filter| {
            topic::shared(filter).is_none() && topic::matches(filter.as_bytes(), topic.as_bytes())
        })
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
