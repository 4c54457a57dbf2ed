//! What the session reports to its driver.

use crate::protocol::property::Properties;
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::Publish;

/// What a received packet means to whoever drives the session.
#[derive(Debug)]
pub enum Event<'a> {
    /// A message to deliver, its topic alias already resolved. Its acknowledgement is in the output
    /// buffer and must not be sent before the message is dealt with.
    Message(Publish<'a>),
    /// A QoS 1 or 2 publish has ended: acknowledged, or refused if the reason is a failure.
    Published {
        /// What [`super::session::Session::publish`] was given.
        token: u64,
        /// Of PUBACK, of a failing PUBREC, or of PUBCOMP.
        reason: ReasonCode,
        /// Of that packet.
        properties: Properties<'a>,
    },
    /// The broker has a QoS 2 publish (PUBREC). Its PUBREL is in the output buffer and must not be
    /// sent before whoever keeps account of it on disk has done so.
    Received {
        /// What [`super::session::Session::publish`] was given.
        token: u64,
    },
    /// The broker has released a QoS 2 message (PUBREL) and may use its packet identifier anew once
    /// it has our PUBCOMP, which is in the output buffer.
    Released {
        /// Of the message.
        packet_identifier: u16,
    },
    /// The answer to a SUBSCRIBE, one Reason Code a filter.
    Subscribed {
        /// What [`super::session::Session::subscribe`] was given.
        token: u64,
        /// Granted QoS or failure, in the order of the filters.
        reasons: &'a [u8],
        /// Of the SUBACK.
        properties: Properties<'a>,
    },
    /// The answer to an UNSUBSCRIBE; no reasons in MQTT 3.x.
    Unsubscribed {
        /// What [`super::session::Session::unsubscribe`] was given.
        token: u64,
        /// In the order of the filters.
        reasons: &'a [u8],
        /// Of the UNSUBACK.
        properties: Properties<'a>,
    },
    /// PINGRESP.
    Pong {
        /// It answers the latest PINGREQ: the broker has read everything before that.
        last: bool,
    },
    /// The broker's DISCONNECT (MQTT 5). Nothing follows it.
    Disconnected {
        /// Why.
        reason: ReasonCode,
        /// Of the DISCONNECT.
        properties: Properties<'a>,
    },
    /// AUTH (MQTT 5).
    Auth {
        /// Continue or re-authenticate.
        reason: ReasonCode,
        /// Of the AUTH.
        properties: Properties<'a>,
    },
}
