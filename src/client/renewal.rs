//! Re-authentication ([MQTT-4.12.1]) on an open connection, and every AUTH packet received on it.

use std::time::{Duration, Instant};

use bytes::BytesMut;

use super::authentication::{Authentication, Exchange, Method, unasked};
use crate::error::{Error, Layer};
use crate::net::LAST_LOOK;
use crate::protocol::property::{Properties, PropertyBlock};
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{self, PacketType};

/// The state of a link's re-authentication.
#[derive(Debug, Default)]
pub(super) struct Renewal {
    again: Option<Again>,
    /// The exchange since the client's AUTH (Re-authenticate).
    exchange: Option<Exchange>,
}

#[derive(Debug)]
struct Again {
    method: Method,
    every: Duration,
    due: Instant,
    /// Whether `due` is the end of the last read for the answer.
    is_last_look: bool,
}

impl Renewal {
    /// For a link that began with this authentication.
    pub(super) fn of(authentication: &Authentication, now: Instant) -> Self {
        let again = authentication.every.map(|every| Again {
            method: authentication.method.clone(),
            every,
            due: now + every,
            is_last_look: false,
        });
        Self { again, exchange: None }
    }

    /// Whether an answer of the broker is awaited.
    pub(super) fn is_under_way(&self) -> bool {
        self.exchange.is_some()
    }

    /// When to call [`Self::advance`].
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.again.as_ref().map(|again| again.due)
    }

    /// Re-authenticates if that is due. While reading is paused, an exchange in progress may continue.
    ///
    /// # Errors
    /// The broker has not answered since the last time.
    pub(super) fn advance(
        &mut self,
        now: Instant,
        is_reading: bool,
        out: &mut BytesMut,
    ) -> Result<(), Error> {
        let Some(again) = self.again.as_mut().filter(|again| now >= again.due) else { return Ok(()) };
        if self.exchange.is_some() && is_reading && again.is_last_look {
            let cause = "the broker did not answer the re-authentication before the next was due";
            return Err(Error::link(Layer::Mqtt, cause));
        }
        again.is_last_look = self.exchange.is_some() && is_reading;
        again.due = now + if again.is_last_look { LAST_LOOK } else { again.every };
        if self.exchange.is_none() {
            let mut properties = PropertyBlock::default();
            self.exchange = Some(Exchange::begin(&again.method, &mut properties)?);
            wire::auth(out, ReasonCode::RE_AUTHENTICATE, &properties);
        }
        Ok(())
    }

    /// Processes an AUTH, and appends the answer.
    ///
    /// # Errors
    /// An AUTH outside an exchange, or one that violates the exchange in progress.
    pub(super) fn receive(
        &mut self,
        reason: ReasonCode,
        properties: &Properties<'_>,
        out: &mut BytesMut,
    ) -> Result<(), Error> {
        match (reason, &mut self.exchange) {
            (ReasonCode::CONTINUE_AUTHENTICATION, Some(exchange)) => {
                let answer = exchange.answer(PacketType::Auth, properties)?;
                wire::auth(out, ReasonCode::CONTINUE_AUTHENTICATION, &answer);
                Ok(())
            }
            (ReasonCode::SUCCESS, exchange) => match exchange.take() {
                Some(mut exchange) => exchange.finish(PacketType::Auth, properties),
                None => Err(unasked(reason).into()),
            },
            // Only a client may start re-authentication ([MQTT-4.12.1-1]).
            (_, _) => Err(unasked(reason).into()),
        }
    }
}
