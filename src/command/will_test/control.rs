//! An ordinary message before the cases: if the watcher does not receive it, it cannot receive a will either,
//! and the verdict would blame the wrong part.

use std::time::Duration;

use tokio::time::timeout;

use super::refused_watcher::{WATCHER_CREDENTIALS, is_refused_watcher};
use super::run::{trace, without_will};
use super::{Config, identified, watcher};
use crate::client::raw::{Incoming, RawLink};
use crate::error::{Denial, Error, Layer};
use crate::output::Diagnostics;
use crate::protocol::property::PropertyBlock;
use crate::protocol::reason::ReasonCode;
use crate::protocol::{Protocol, QoS};
use crate::quantity::duration;

/// Sends a message below the prefix from the publisher's user to the watcher's.
///
/// # Errors
/// The message does not arrive, or one of the users may not connect, publish or subscribe.
pub(super) async fn run(config: &Config, protocol: Protocol, diagnostics: &Diagnostics) -> Result<(), Error> {
    let show = |role: &str| trace(diagnostics, &format!("control/{protocol}/{role}"));
    let options = without_will(&identified(&config.client));
    let topic = format!("{}/{}/control", config.prefix, options.client_identifier);
    let of_user =
        |error, user: Option<&str>| if config.watch_as.is_some() { named(error, user) } else { error };
    let watching_user = config.watch_as.as_ref().map(|(name, _)| name.as_str());
    let of_watcher = |error: Error| match of_user(error, watching_user) {
        error if watching_user.is_some() && is_refused_watcher(&error) => {
            error.with_hint(WATCHER_CREDENTIALS)
        }
        error => error,
    };
    let publishing_user = options.user_name.as_deref();
    let opened = RawLink::open(&watcher(config), protocol, show("watcher")).await;
    let mut watcher = opened.map_err(of_watcher)?;
    let opened = RawLink::open(&options, protocol, show("publisher")).await;
    let mut publisher = opened.map_err(|error| of_user(error, publishing_user))?;
    // For the response to SUBSCRIBE, and then for the message.
    let limit = watcher.answer_limit();
    watcher.subscribe(&topic, QoS::AtLeastOnce);
    let subscribed = async {
        loop {
            if let Incoming::Subscribed(reasons) = watcher.next().await? {
                return Ok::<_, Error>(reasons.first().copied());
            }
        }
    };
    let reason = timeout(limit, subscribed).await.map_err(|_| unanswered("SUBSCRIBE", limit))??;
    refused("subscription", &topic, reason).map_err(|error| of_user(error, watching_user))?;
    let qos = QoS::AtLeastOnce.min(publisher.connected().limits().maximum_qos);
    publisher.publish(&topic, qos, false, b"control", &PropertyBlock::default())?;
    let mut is_answered = qos == QoS::AtMostOnce;
    let delivered = async {
        loop {
            tokio::select! {
                incoming = watcher.next() => if let Incoming::Message(_) = incoming? { return Ok::<_, Error>(()) },
                incoming = publisher.next() => if let Incoming::Published(reason) = incoming? {
                    is_answered = true;
                    refused("message", &topic, Some(reason)).map_err(|error| of_user(error, publishing_user))?;
                },
            }
        }
    };
    match timeout(limit, delivered).await {
        Ok(result) => result?,
        Err(_) if !is_answered => return Err(unanswered("PUBLISH", limit)),
        Err(_) => {
            let cause = format!("an ordinary message to '{topic}' does not reach the watching client");
            return Err(Error::link(Layer::Mqtt, cause).with_hint(
                "does this user have the right to publish and subscribe there? --prefix chooses other topics, --watch-as another user",
            ));
        }
    }
    watcher.disconnect(ReasonCode::SUCCESS).await?;
    publisher.disconnect(ReasonCode::SUCCESS).await
}

/// Adds the refused user to an error, if there are two.
fn named(mut error: Error, user: Option<&str>) -> Error {
    if let Error::Refused { what, .. } = &mut error {
        *what = user.map_or_else(|| "no user name".into(), |name| format!("user '{name}'")) + ": " + what;
    }
    error
}

/// The error for a broker that accepted CONNECT and then stayed silent.
fn unanswered(packet: &str, limit: Duration) -> Error {
    let limit = duration(limit);
    Error::link(Layer::Mqtt, format!("the broker did not answer {packet} within {limit}"))
        .with_hint("it did answer CONNECT: does a proxy in between block the rest?")
}

fn refused(what: &str, topic: &str, reason: Option<ReasonCode>) -> Result<(), Error> {
    match reason.filter(|reason| reason.is_failure()) {
        None => Ok(()),
        Some(reason) => Err(Error::Refused {
            what: format!("{what} to '{topic}' refused"),
            denial: Denial::default(),
            reason,
            text: None,
            hint: Some("--prefix chooses other topics".into()),
        }),
    }
}
