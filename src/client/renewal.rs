//! Re-authentication ([MQTT-4.12.1]): the same proof again while the link is up, and every AUTH that
//! comes on it.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use tokio::time::{Instant, Sleep};

use super::authentication::{Authentication, Exchange, Method, unasked};
use crate::error::{Error, Layer};
use crate::protocol::property::{Properties, PropertyBlock};
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{self, PacketType};

/// What a link does about authentication.
#[derive(Debug, Default)]
pub(super) struct Renewal {
    again: Option<Again>,
    /// Under way since our AUTH (Re-authenticate).
    exchange: Option<Exchange>,
}

#[derive(Debug)]
struct Again {
    method: Method,
    every: Duration,
    timer: Pin<Box<Sleep>>,
}

impl Renewal {
    /// For a link that began with this.
    pub(super) fn of(authentication: &Authentication) -> Self {
        let again = authentication.every.map(|every| Again {
            method: authentication.method.clone(),
            every,
            timer: Box::pin(tokio::time::sleep(every)),
        });
        Self { again, exchange: None }
    }

    /// Begins again when it is time to.
    ///
    /// # Errors
    /// The server has not answered since the last time.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>, out: &mut BytesMut) -> Result<(), Error> {
        let Some(Again { method, every, timer }) = &mut self.again else { return Ok(()) };
        while let Poll::Ready(()) = timer.as_mut().poll(cx) {
            if self.exchange.is_some() {
                let cause = "the server did not answer the re-authentication before the next was due";
                return Err(Error::link(Layer::Mqtt, cause));
            }
            let mut properties = PropertyBlock::default();
            self.exchange = Some(Exchange::begin(method, &mut properties)?);
            wire::auth(out, ReasonCode::RE_AUTHENTICATE, &properties);
            timer.as_mut().reset(Instant::now() + *every);
        }
        Ok(())
    }

    /// Takes an AUTH in, and appends the answer.
    ///
    /// # Errors
    /// An AUTH that belongs to no exchange, or breaks the one under way.
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
            // Only a client may ask for it ([MQTT-4.12.1-1]).
            (_, _) => Err(unasked(reason).into()),
        }
    }
}
