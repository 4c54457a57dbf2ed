//! The events that the session reports to its driver.

use crate::protocol::property::Properties;
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::Publish;

/// The meaning of a received packet.
#[derive(Debug)]
pub enum Event<'a> {
    /// A message to deliver, its topic alias resolved. Its acknowledgement is in the output buffer and must
    /// not be sent before the message is processed.
    Message(Publish<'a>),
    /// A QoS 1 or 2 publish has ended: acknowledged, or refused if the reason is a failure.
    Published {
        /// The token given to [`super::session::Session::publish`].
        token: u64,
        /// The Reason Code of PUBACK, of a failing PUBREC, or of PUBCOMP.
        reason: ReasonCode,
        /// The properties of that packet.
        properties: Properties<'a>,
    },
    /// The broker has received a QoS 2 publish (PUBREC). Its PUBREL is in the output buffer and must not be
    /// sent before a persistent record of the publish is updated.
    Received {
        /// The token given to [`super::session::Session::publish`].
        token: u64,
    },
    /// The broker has released a QoS 2 message (PUBREL). It may reuse the packet identifier once it has our
    /// PUBCOMP, which is in the output buffer.
    Released {
        /// The packet identifier of the message.
        packet_identifier: u16,
    },
    /// The response to a SUBSCRIBE, with one Reason Code per filter.
    Subscribed {
        /// The token given to [`super::session::Session::subscribe`].
        token: u64,
        /// Granted QoS or failure, in the order of the filters.
        reasons: &'a [u8],
        /// The properties of the SUBACK.
        properties: Properties<'a>,
    },
    /// The response to an UNSUBSCRIBE; MQTT 3.x has no Reason Codes.
    Unsubscribed {
        /// The token given to [`super::session::Session::unsubscribe`].
        token: u64,
        /// The Reason Codes in the order of the filters.
        reasons: &'a [u8],
        /// The properties of the UNSUBACK.
        properties: Properties<'a>,
    },
    /// PINGRESP.
    Pong {
        /// Whether it answers the latest PINGREQ: the broker has read everything sent before that.
        last: bool,
    },
    /// The broker's DISCONNECT (MQTT 5). Nothing follows it.
    Disconnected {
        /// The Reason Code.
        reason: ReasonCode,
        /// The properties of the DISCONNECT.
        properties: Properties<'a>,
    },
    /// AUTH (MQTT 5).
    Auth {
        /// Continue authentication or Re-authenticate.
        reason: ReasonCode,
        /// The properties of the AUTH.
        properties: Properties<'a>,
    },
}
