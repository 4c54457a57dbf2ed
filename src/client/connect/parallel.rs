//! A broker that is silent after a CONNECT of MQTT 5 is asked for older versions on a second connection, while
//! the first still waits.

use std::pin::{Pin, pin};
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::{Answer, At, ConnectRequest, ConnectWatch, Failure, Up, dismiss};
use crate::error::{Error, Layer};
use crate::net::{self, Stream};
use crate::protocol::Protocol;
use crate::quantity::duration;

/// How long a broker may be silent after a CONNECT of MQTT 5 before 3.1.1 is tried as well; half the timeout
/// if that is less.
const SILENCE: Duration = Duration::from_secs(3);

impl ConnectRequest<'_> {
    /// One attempt with MQTT 5 and, if the broker stays silent, a parallel one with older versions. Returns the
    /// version that decided, and its outcome.
    pub(super) async fn attempt_both(&self, watch: &ConnectWatch) -> (Protocol, Result<Up, Failure>) {
        let limit = self.options.connect_timeout;
        let patience = SILENCE.min(limit / 2);
        // One timer covers the connection and the silence. A second timer that fires earlier than the one the
        // runtime waits for would cost a system call.
        let mut silence = pin!(sleep(patience.min(self.endpoint.connect_timeout)));
        let mut stream = match self.dial(watch, silence.as_mut()).await {
            Ok(stream) => stream,
            Err(failure) => return (Protocol::V5, Err(failure)),
        };
        silence.as_mut().reset(Instant::now() + patience);
        let until = Instant::now() + limit;
        let mut rival = None;
        let (protocol, answer) = {
            let mut first = pin!(async {
                let timer = pin!(sleep_until(until));
                self.ask(&mut stream, Protocol::V5, timer, watch).await
            });
            let answer = net::within(first.as_mut(), silence).await;
            if answer.is_none() {
                watch.unaccepted(Protocol::V5, || {
                    format!("no answer to CONNECT within {}", duration(patience))
                });
            }
            match answer {
                Some(answer) => (Protocol::V5, answer),
                None if self.may_guess() => Box::pin(self.race(first, self, &mut rival, until, watch)).await,
                None => {
                    let options = self.bare_options(limit);
                    let bare = self.bare(&options);
                    let race = self.race(first, &bare, &mut rival, until, watch);
                    let (protocol, answer) = Box::pin(race).await;
                    (protocol, if protocol == Protocol::V5 { answer } else { Err(no_5(answer.err())) })
                }
            }
        };
        // Brokers read CONNECT before they notice that its connection is closed: a DISCONNECT after it keeps
        // them from publishing the will.
        let (winner, loser) =
            if protocol == Protocol::V5 { (Some(stream), rival) } else { (rival, Some(stream)) };
        let had_rival = loser.is_some();
        if let Some(loser) = loser {
            dismiss(loser).await;
        }
        let up = |answer| winner.map(|stream| Up { stream, answer, had_rival, guess: None });
        match answer.map(up) {
            Ok(Some(up)) => (protocol, Ok(up)),
            Ok(None) => {
                let error = Error::link(Layer::Connect, "the connection was lost");
                (protocol, Err(Failure { error, at: At::Way }))
            }
            Err(failure) => (protocol, Err(failure)),
        }
    }

    /// Asks for older versions on a second connection while `first` waits for a response to MQTT 5. The first response
    /// decides. After a refused version, a closed connection or a failed dial the other connection decides.
    async fn race(
        &self,
        mut first: Pin<&mut impl Future<Output = Result<Answer, Failure>>>,
        other: &ConnectRequest<'_>,
        rival: &mut Option<Stream>,
        until: Instant,
        watch: &ConnectWatch,
    ) -> (Protocol, Result<Answer, Failure>) {
        let mut second = pin!(self.ask_older(other, rival, until, watch));
        let (mut no_5, mut no_older) = (None, None);
        loop {
            tokio::select! {
                biased;
                answer = first.as_mut(), if no_5.is_none() => match answer {
                    Err(failure) if !failure.decides() => no_5 = Some(failure),
                    answer => return (Protocol::V5, answer),
                },
                (protocol, answer) = second.as_mut(), if no_older.is_none() => match answer {
                    Err(failure) if !failure.decides() => no_older = Some((protocol, failure)),
                    answer => return (protocol, answer),
                },
                else => {}
            }
            match (no_5.take(), no_older.take()) {
                // The response to the older version says more than a missing one to MQTT 5.
                (Some(_), Some((protocol, failure))) if failure.refuses_version() => {
                    return (protocol, Err(failure));
                }
                (Some(failure), Some((protocol, _))) => return (protocol, Err(failure)),
                (five, older) => (no_5, no_older) = (five, older),
            }
        }
    }

    /// Asks for 3.1.1 and, if the broker refuses that version and the run may use any, for 3.1. MQTT 5 is still
    /// waited for meanwhile: a broker of MQTT 5 alone that authenticates slowly refuses both of them at once.
    async fn ask_older(
        &self,
        other: &ConnectRequest<'_>,
        rival: &mut Option<Stream>,
        until: Instant,
        watch: &ConnectWatch,
    ) -> (Protocol, Result<Answer, Failure>) {
        let refusal = match other.ask_on(rival, Protocol::V3_1_1, until, watch).await {
            Err(refusal) if refusal.refuses_version() && self.may_guess() => refusal,
            answer => return (Protocol::V3_1_1, answer),
        };
        watch.unaccepted(Protocol::V3_1_1, || refusal.error.to_string());
        let answer = match other.ask_on(rival, Protocol::V3_1, until, watch).await {
            // The earlier refusal is more informative than a broker that fails to respond.
            Err(failure) if !failure.decides() => Err(refusal),
            answer => answer,
        };
        (Protocol::V3_1, answer)
    }

    /// Asks for this version on a connection of its own, which replaces `stream`.
    async fn ask_on(
        &self,
        stream: &mut Option<Stream>,
        protocol: Protocol,
        until: Instant,
        watch: &ConnectWatch,
    ) -> Result<Answer, Failure> {
        let mut timer = pin!(sleep(self.endpoint.connect_timeout));
        let stream = stream.insert(self.dial(watch, timer.as_mut()).await?);
        timer.as_mut().reset(until);
        self.ask(stream, protocol, timer, watch).await
    }
}

impl Failure {
    /// Whether the broker's response ends the attempts: it is not about the version.
    fn decides(&self) -> bool {
        self.at == At::Answer && !self.refuses_version()
    }
}

/// The failure of a broker that was silent to MQTT 5, after 3.1.1 was answered or failed as well.
fn no_5(failure: Option<Failure>) -> Failure {
    match failure {
        Some(failure) if failure.at != At::Answer || failure.refuses_version() => failure,
        _ => {
            let cause = "the broker answers CONNECT in MQTT 3.1.1, but not in MQTT 5";
            Failure { error: Error::link(Layer::Mqtt, cause), at: At::Older }
        }
    }
}
