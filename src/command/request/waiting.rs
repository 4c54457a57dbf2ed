//! Texts about what a requester waits for.

use std::time::Duration;

use super::answer::{FIXED_TOPIC, Others};
use super::rounds::Rounds;
use super::{Handover, RequestStage, Requester};
use crate::command::attention::unanswered;
use crate::error::Error;
use crate::protocol::QoS;
use crate::quantity::counted;
use crate::quotation::cut;

impl Requester<'_> {
    /// The error that names what did not arrive.
    pub(super) fn timed_out(&self, when: &str) -> Error {
        let Rounds { sent, answered, .. } = self.rounds;
        if self.rounds.repeats() && sent > 0 {
            let requests = counted(sent, "request");
            return Error::timed_out(format!("{when}: {answered} of {requests} had a response"));
        }
        let what = match (self.stage, &self.exchange) {
            (RequestStage::Waiting, Some(exchange)) if self.rounds.of_this > 0 => {
                let count = self.rounds.of_this;
                let responses = counted(self.config.responses.unwrap_or(count), "response");
                let topic = cut(&exchange.response_topic);
                return Error::timed_out(format!("{when}: {count} of {responses} came on '{topic}'"));
            }
            (RequestStage::Waiting, Some(exchange)) => {
                let error = Error::timed_out(format!(
                    "{when}: no response came on '{}'{}",
                    cut(&exchange.response_topic),
                    self.others
                ));
                let own = self.config.response_topic.is_none() && self.others == Others::default();
                return if own { error.with_hint(FIXED_TOPIC) } else { error };
            }
            (_, None) => "there was no connection",
            (RequestStage::Subscribe | RequestStage::Subscribing, _) => {
                "the broker did not answer the SUBSCRIBE"
            }
            (RequestStage::Refused, _) => "the broker refuses the subscription",
            (RequestStage::Complete, _) => {
                "the response was not written: the reader of standard output is gone or stalls"
            }
            _ => "the request could not be sent",
        };
        Error::timed_out(format!("{when}: {what}"))
    }

    /// Tells the user why the run has not ended.
    pub(super) fn say_what_is_waited_for(&self) {
        let whose = match &self.config.response_topic {
            Some(topic) => format!("the response on '{}'", cut(topic)),
            None => format!("a response to '{}'", cut(&self.config.topic)),
        };
        self.diagnostics.state(format_args!("waiting for {whose}, without a time limit (-W sets one)"));
    }

    /// The error for the packet that the broker does not answer.
    pub(super) fn unanswered(&self, limit: Duration) -> Error {
        match (self.stage, self.config.qos) {
            (RequestStage::Waiting, QoS::ExactlyOnce) if self.handover == Handover::Received => {
                unanswered("PUBLISH", "PUBCOMP", limit)
            }
            (RequestStage::Waiting, QoS::ExactlyOnce) => unanswered("PUBLISH", "PUBREC", limit),
            (RequestStage::Waiting, _) => unanswered("PUBLISH", "PUBACK", limit),
            _ => unanswered("SUBSCRIBE", "SUBACK", limit),
        }
    }
}
