//! The Will Message.

use std::ffi::OsString;

use super::text;
use super::value;
use crate::client::options::Will;
use crate::error::Error;
use crate::protocol::QoS;
use crate::protocol::property::PropertyBlock;

/// The options of the will.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Will")]
#[allow(clippy::struct_field_names, reason = "the names of the options")]
pub(super) struct WillArgs {
    /// Topic of the message that the broker publishes if this client is lost
    #[arg(long, value_name = "TOPIC")]
    will_topic: Option<OsString>,

    /// Payload of the will, at most 65,535 bytes [default: empty]
    #[arg(long, value_name = "PAYLOAD")]
    will_payload: Option<OsString>,

    /// QoS of the will [default: 0]
    #[arg(long, value_name = "QOS", value_parser = value::qos())]
    will_qos: Option<QoS>,

    /// Retain the will
    #[arg(long)]
    will_retain: bool,
}

impl WillArgs {
    /// The will with its properties, if any. `asked_by` is the option that set the first property.
    pub(super) fn resolve(
        self,
        properties: PropertyBlock,
        asked_by: &'static str,
    ) -> Result<Option<Will>, Error> {
        let Some(topic) = self.will_topic else {
            let stray = [
                (self.will_payload.is_some(), "--will-payload"),
                (self.will_qos.is_some(), "--will-qos"),
                (self.will_retain, "--will-retain"),
                (!properties.is_empty(), asked_by),
            ];
            return match stray.into_iter().find(|(given, _)| *given) {
                None => Ok(None),
                Some((_, name)) => Err(Error::usage(format!("{name} needs --will-topic"))),
            };
        };
        let payload = self.will_payload.map(value::bytes).unwrap_or_default();
        if payload.len() > usize::from(u16::MAX) {
            let message = format!("--will-payload is {} bytes long; a will has at most 65535", payload.len());
            return Err(Error::usage(message));
        }
        Ok(Some(Will {
            topic: text::topic_name("will topic", &topic)?,
            payload,
            qos: self.will_qos.unwrap_or_default(),
            retain: self.will_retain,
            properties,
        }))
    }
}
