//! How every command connects: the Network Connection, CONNECT, CONNACK, and the choice of the protocol
//! version. [`run`](super::run), [`open`](super::open) and [`raw`](super::raw) differ only in how they use
//! the connection.
//!
//! Without -V the first CONNECT is of MQTT 5. The broker's reaction decides the next step:
//!
//! | reaction to CONNECT of MQTT 5 | next step |
//! |---|---|
//! | refuses the version (0x84; return code 1) | 3.1.1, remembered |
//! | accepts in the form of 3.1.1 | 3.1.1, remembered: the broker has not read the CONNECT as MQTT 5 |
//! | refuses in the form of 3.1.1 for another reason | 3.1.1, whose response counts: the broker may have misread the CONNECT of MQTT 5 |
//! | closes or resets without a response | 5 once more, then 3.1.1, for this connection |
//! | is silent for three seconds ([`parallel`]) | 3.1.1 on a second parallel connection, and 3.1 if that is refused by its version, for this connection: the first response wins, the other connection is closed |
//! | refuses for another reason | no further attempt |
//! | refuses the version of a CONNECT of 3.1.1 as well | 3.1, remembered |
//!
//! Closing and silence do not prove that a broker is old, because a starting broker, or a forwarder without a
//! broker, does the same. The next connection therefore begins with MQTT 5 again, and once a broker has
//! accepted MQTT 5, these reactions no longer lead to 3.1.1. They never do in a run that can do nothing over
//! 3.1.1 ([`ClientOptions::prefers_v5`]): like a run with an option that needs MQTT 5, it asks for 5 again at its
//! next attempt.

mod parallel;

use std::pin::{Pin, pin};
use std::sync::mpsc::Sender;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, Sleep, sleep};

use super::handler::Guess;
use super::handshake::{Connected, Opening, wants_tls};
use super::options::{ClientOptions, Version};
use crate::error::{Error, Layer, Retry, Sign};
use crate::net::{self, Address, Endpoint, Step, Stream, Transport};
use crate::protocol::property::PropertyBlock;
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire;
use crate::protocol::{Direction, Protocol};
use crate::quantity::duration;

/// How long to wait for a broker's response to 3.1.1 if the attempt is made only to explain a failure.
const PROBE_LIMIT: Duration = Duration::from_secs(3);

/// Time limit for writing the DISCONNECT of a connection that is no longer needed.
const DISCONNECT_LIMIT: Duration = Duration::from_millis(100);

/// An event that is reported while a connection is made.
pub(super) enum Seen {
    Step(Step),
    Packet(Protocol, Direction, Vec<u8>),
    /// A version that did not lead to a connection, with the reason; another version is tried.
    Unaccepted(Protocol, String),
}

/// Receives the events of a connection attempt. They are queued because two attempts may run in parallel.
#[derive(Debug, Default)]
pub(super) struct ConnectWatch {
    pub(super) steps: Option<Sender<Seen>>,
    pub(super) packets: Option<Sender<Seen>>,
}

impl ConnectWatch {
    fn unaccepted(&self, protocol: Protocol, why: impl FnOnce() -> String) {
        if let Some(steps) = &self.steps {
            let _ = steps.send(Seen::Unaccepted(protocol, why()));
        }
    }

    fn packet(&self, protocol: Protocol, direction: Direction, packet: &[u8]) {
        if let Some(packets) = &self.packets {
            // There is no receiver if the attempt was abandoned.
            let _ = packets.send(Seen::Packet(protocol, direction, packet.to_vec()));
        }
    }
}

/// The broker's response to CONNECT.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) connected: Connected,
    /// The bytes after CONNACK.
    pub(super) leftover: Vec<u8>,
    /// The CONNECT packet as it was sent.
    pub(super) connect: Vec<u8>,
}

/// A stream after CONNACK.
#[derive(Debug)]
pub(super) struct Up {
    pub(super) stream: Stream,
    pub(super) answer: Answer,
    /// Whether a second connection with the same client identifier was made in parallel and then abandoned.
    pub(super) had_rival: bool,
    /// Whether the version is a guess, and from what.
    pub(super) guess: Option<Guess>,
}

/// Why an attempt with one version did not make a link.
pub(super) struct Failure {
    pub(super) error: Error,
    at: At,
}

/// Where an attempt failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// Before CONNECT was sent.
    Way,
    /// The broker closed the connection instead of responding.
    Closed,
    /// The broker did not respond in time.
    Silent,
    /// The broker responded, but not with an accepting CONNACK.
    Answer,
    /// The broker refused MQTT 5 in the form of 3.1.1: it may have misread the CONNECT.
    OldForm,
    /// The broker did not respond to MQTT 5, but did to 3.1.1.
    Older,
}

impl Failure {
    fn refuses_version(&self) -> bool {
        self.error.is_about_version()
    }
}

/// The known versions of brokers. They outlive connections.
#[derive(Debug, Default)]
pub(super) struct Versions(Vec<(Address, KnownVersions)>);

#[derive(Debug, Clone, Copy, Default)]
struct KnownVersions {
    /// The accepted version: MQTT 5, or an older one after the broker refused the newer ones.
    accepted: Option<Protocol>,
    /// Whether a failure was investigated.
    explained: bool,
}

impl Versions {
    fn of(&mut self, address: &Address) -> &mut KnownVersions {
        let index = self.0.iter().position(|(known, _)| known == address).unwrap_or(self.0.len());
        if index == self.0.len() {
            self.0.push((address.clone(), KnownVersions::default()));
        }
        &mut self.0[index].1
    }
}

/// The parameters of a connection attempt.
pub(super) struct ConnectRequest<'a> {
    pub(super) options: &'a ClientOptions,
    pub(super) endpoint: &'a Endpoint,
    pub(super) client_identifier: &'a str,
    /// Whether there was a link before, whose session the broker keeps. In MQTT 5 a later link requests that session:
    /// Clean Start applies to the first link only. If the session ended with the link, another one under the same
    /// client identifier would be that of another client. In 3.x Clean Session also decides what happens to the
    /// session at the end, so it stays as requested.
    pub(super) resumes: bool,
    /// The properties from [`connect_properties`](super::handshake::connect_properties).
    pub(super) properties: &'a PropertyBlock,
}

impl ConnectRequest<'_> {
    /// Connects with the requested version, or with the one that the policy finds.
    ///
    /// # Errors
    /// The step that failed, or the broker's refusal; a failure at the first contact is explained.
    pub(super) async fn negotiate(&self, versions: &mut Versions, watch: &ConnectWatch) -> Result<Up, Error> {
        let known = versions.of(&self.endpoint.address);
        let mut protocol = match self.options.version {
            Version::Only(protocol) => protocol,
            Version::Auto => known.accepted.unwrap_or(Protocol::V5),
        };
        let mut guess = None;
        let is_first_contact = known.accepted.is_none() && !known.explained;
        // A broker that restarts, or a forwarder without one, closes every connection.
        let mut was_asked_again = false;
        let mut tried = Vec::new();
        let mut refusal = None;
        // A version that the broker refused as not supported.
        let mut refused = None;
        loop {
            let is_unknown = protocol == Protocol::V5 && known.accepted != Some(Protocol::V5);
            let may_guess = is_unknown && self.may_guess();
            let outcome = if may_guess || (is_unknown && self.may_lack_v5()) {
                let (answered, outcome) = self.attempt_both(watch).await;
                if answered != protocol {
                    tried.push(protocol);
                    guess = Some(Guess::Silent);
                }
                if answered == Protocol::V3_1 {
                    tried.push(Protocol::V3_1_1);
                }
                protocol = answered;
                outcome
            } else {
                self.attempt(protocol, watch).await
            };
            tried.push(protocol);
            let failure = match outcome {
                Ok(up) => {
                    known.explained = true;
                    known.accepted = guess.is_none().then_some(protocol).or(known.accepted);
                    return Ok(Up { guess, ..up });
                }
                Err(failure) => failure,
            };
            let failure = match (failure.at, refusal.take()) {
                // The earlier refusal is more informative than a broker that fails to respond.
                (At::Way | At::Closed | At::Silent, Some(refusal)) if protocol == Protocol::V3_1 => refusal,
                _ => failure,
            };
            let next = match (self.options.version, protocol) {
                (_, Protocol::V5)
                    if failure.at == At::Closed
                        && (may_guess || is_first_contact)
                        && !std::mem::replace(&mut was_asked_again, true) =>
                {
                    tried.pop();
                    Some(Protocol::V5)
                }
                // The remembered version is refused: a newer broker has replaced the old one.
                (Version::Auto, Protocol::V3_1_1 | Protocol::V3_1)
                    if failure.refuses_version() && tried.len() == 1 =>
                {
                    known.accepted = None;
                    Some(Protocol::V5)
                }
                (Version::Auto, Protocol::V5) if failure.refuses_version() || failure.at == At::OldForm => {
                    Some(Protocol::V3_1_1)
                }
                (Version::Auto, Protocol::V5) if may_guess && failure.at == At::Closed => {
                    guess = Some(Guess::Closed);
                    Some(Protocol::V3_1_1)
                }
                (Version::Auto, Protocol::V3_1_1)
                    if failure.refuses_version() && !tried.contains(&Protocol::V3_1) =>
                {
                    Some(Protocol::V3_1)
                }
                _ => None,
            };
            let Some(next) = next else {
                let is_first = !std::mem::replace(&mut known.explained, true) && known.accepted.is_none();
                return Err(self.explained(failure, &tried, refused, is_first).await);
            };
            watch.unaccepted(protocol, || failure.error.to_string());
            if failure.refuses_version() {
                refusal = Some(failure);
                refused = Some(protocol);
            }
            protocol = next;
        }
    }

    /// One attempt with one version.
    ///
    /// # Errors
    /// Why there is no link.
    pub(super) async fn attempt(&self, protocol: Protocol, watch: &ConnectWatch) -> Result<Up, Failure> {
        let mut timer = pin!(sleep(self.endpoint.connect_timeout));
        let mut stream = self.dial(watch, timer.as_mut()).await?;
        timer.as_mut().reset(Instant::now() + self.options.connect_timeout);
        let answer = self.ask(&mut stream, protocol, timer, watch).await?;
        Ok(Up { stream, answer, had_rival: false, guess: None })
    }

    /// Opens the Network Connection, with a timer for [`net::dial_timed`].
    async fn dial(&self, watch: &ConnectWatch, timer: Pin<&mut Sleep>) -> Result<Stream, Failure> {
        let outcome = match &watch.steps {
            None => net::dial_timed(self.endpoint, None, timer).await,
            Some(steps) => {
                let mut observer = |step| {
                    let _ = steps.send(Seen::Step(step));
                };
                net::dial_timed(self.endpoint, Some(&mut observer), timer).await
            }
        };
        outcome.map_err(|error| Failure { error, at: At::Way })
    }

    /// Sends CONNECT and waits for the response until the timer fires, which is set to
    /// [`ClientOptions::connect_timeout`].
    ///
    /// # Errors
    /// Why there is no link.
    pub(super) async fn ask(
        &self,
        stream: &mut Stream,
        protocol: Protocol,
        timer: Pin<&mut Sleep>,
        watch: &ConnectWatch,
    ) -> Result<Answer, Failure> {
        let answered = |error| Failure { error, at: At::Answer };
        let clean_start = self.options.clean_start && !(self.resumes && protocol == Protocol::V5);
        let (options, properties) = (self.options, self.properties);
        let mut opening = Opening::new(options, protocol, self.client_identifier, clean_start, properties)
            .map_err(answered)?;
        watch.packet(protocol, Direction::Sent, opening.connect());
        let observe = |direction, packet: &[u8]| watch.packet(protocol, direction, packet);
        let outcome = net::within(pin!(opening.exchange(stream, observe)), timer).await;
        let Some(outcome) = outcome else {
            let limit = duration(options.connect_timeout);
            let cause = format!("the broker did not answer CONNECT within {limit}");
            let error = self.unanswered(Error::link(Layer::Mqtt, cause).signed(Sign::Silent));
            return Err(Failure { error, at: At::Silent });
        };
        let (packet, leftover) = outcome.map_err(|error| {
            // A TLS failure at the first read says nothing about MQTT.
            let is_tls = matches!(error, Error::Link { layer: Layer::Tls, .. });
            let at = if error.is_hang_up() && !is_tls { At::Closed } else { At::Answer };
            Failure { error: self.unanswered(error), at }
        })?;
        watch.packet(protocol, Direction::Received, &packet);
        let accepted = opening.accept(stream, &packet).await;
        let at = if opening.is_old_form(&packet) { At::OldForm } else { At::Answer };
        let connected = accepted.map_err(|error| Failure { error, at })?;
        Ok(Answer { connected, leftover, connect: opening.into_connect() })
    }

    /// The error to report, with its known cause and a possible remedy. At the first contact, further
    /// connections are made to find the cause.
    async fn explained(
        &self,
        Failure { error, at }: Failure,
        tried: &[Protocol],
        refused: Option<Protocol>,
        is_first: bool,
    ) -> Error {
        let wanted = self.options.version;
        let needed_for = self.options.needs_v5;
        let is_mute = matches!(at, At::Closed | At::Silent);
        if error.is_about_version() {
            return match (wanted, needed_for) {
                (Version::Auto, _) => error.with_hint(format!("{} were tried", listed(tried))),
                (Version::Only(_), Some(option)) => error.with_hint(lacks_v5(option)),
                (Version::Only(Protocol::V5), None) => error.with_hint("-V 311 uses MQTT 3.1.1"),
                (Version::Only(_), None) => error.with_hint("-V 5 uses MQTT 5"),
            };
        }
        let prefers = self.options.prefers_v5;
        if at == At::Older {
            return match (needed_for, prefers) {
                (Some(option), _) => error.with_hint(lacks_v5(option)),
                (None, Some(advice)) => error.with_hint(advice),
                (None, None) => error,
            };
        }
        // A port that responds in MQTT expects neither TLS nor WebSockets.
        if let (true, Some(refused)) = (is_mute, refused) {
            return error.with_hint(format!(
                "the broker refused MQTT {refused}; {} were tried; -V 31 uses MQTT 3.1",
                listed(tried)
            ));
        }
        let is_for_5 = wanted == Version::Only(Protocol::V5) || wanted == Version::Auto && !self.may_guess();
        if is_mute
            && is_first
            && is_for_5
            && let Some(takes) = self.speaks(Protocol::V3_1_1).await
        {
            return match (needed_for, prefers) {
                (Some(option), _) => error.with_hint(lacks_v5(option)),
                (None, _) if !takes => error.with_hint("it refuses MQTT 3.1.1; -V 31 uses MQTT 3.1"),
                (None, Some(advice)) => error.with_hint(format!("it answers MQTT 3.1.1: {advice}")),
                (None, None) => error.with_hint("it answers MQTT 3.1.1: use -V 311"),
            };
        }
        if error.is_hang_up() && is_first && net::speaks_tls(self.endpoint).await {
            return wants_tls(Error::fatal);
        }
        match (wanted, error.hint()) {
            (Version::Auto, Some(hint)) if is_mute && self.may_guess() => {
                let end = if hint.ends_with('?') { "" } else { "." };
                let hint = format!("{hint}{end} {} were tried; -V 31 uses MQTT 3.1", listed(tried));
                error.with_hint(hint)
            }
            (Version::Auto, None) if is_mute && self.may_guess() => {
                error.with_hint(format!("{} were tried; -V 31 uses MQTT 3.1", listed(tried)))
            }
            _ => error,
        }
    }

    /// Whether an older version may be used although the broker has not refused MQTT 5.
    fn may_guess(&self) -> bool {
        self.options.version == Version::Auto && self.options.prefers_v5.is_none()
    }

    /// Whether to test a silent broker for MQTT 5: the run needs it. Enhanced authentication may simply be slow.
    fn may_lack_v5(&self) -> bool {
        let needs = self.options.needs_v5.is_some() || self.options.prefers_v5.is_some();
        needs && self.options.authentication.is_none()
    }

    /// The options of a minimal CONNECT, which only tests whether the broker responds.
    fn bare_options(&self, limit: Duration) -> ClientOptions {
        ClientOptions {
            will: None,
            clean_start: true,
            authentication: None,
            version: Version::Only(Protocol::V3_1_1),
            connect_timeout: limit,
            ..self.options.clone()
        }
    }

    /// The minimal CONNECT, with a client identifier that the broker assigns, so that it takes over no
    /// session.
    fn bare<'b>(&'b self, options: &'b ClientOptions) -> ConnectRequest<'b> {
        const NONE: &PropertyBlock = &PropertyBlock::EMPTY;
        ConnectRequest {
            options,
            endpoint: self.endpoint,
            client_identifier: "",
            resumes: false,
            properties: NONE,
        }
    }

    /// Whether the broker accepts a CONNECT of this version; `None` if it does not respond.
    async fn speaks(&self, protocol: Protocol) -> Option<bool> {
        let limit = self.options.connect_timeout.min(PROBE_LIMIT);
        let options = ClientOptions { version: Version::Only(protocol), ..self.bare_options(limit) };
        let (bare, watch) = (self.bare(&options), ConnectWatch::default());
        match tokio::time::timeout(limit, Box::pin(bare.attempt(protocol, &watch))).await {
            Ok(Ok(up)) => {
                dismiss(up.stream).await;
                Some(true)
            }
            Ok(Err(failure)) => {
                matches!(failure.error, Error::Refused { .. }).then(|| !failure.refuses_version())
            }
            Err(_) => None,
        }
    }

    /// The error of a link that ended, or stayed silent, before the broker responded to CONNECT, with the
    /// usual cause.
    fn unanswered(&self, error: Error) -> Error {
        if let (Error::Link { hint: None, retry: Retry::Later, .. }, Some(proxy), false) =
            (&error, &self.endpoint.proxy, error.is_hang_up())
        {
            return error.with_hint(format!("the connection goes through {proxy}: is that a proxy?"));
        }
        let (Error::Link { hint: None, .. }, Transport::Plain, Address::Tcp { .. }) =
            (&error, &self.endpoint.transport, &self.endpoint.address)
        else {
            return error;
        };
        error.with_hint(
            "if this port expects TLS, use mqtts:// or --cafile; if it expects WebSockets, ws:// or --ws",
        )
    }
}

fn lacks_v5(option: &str) -> String {
    format!("the broker does not support MQTT 5, which {option} needs")
}

/// A list of versions for a sentence.
fn listed(protocols: &[Protocol]) -> String {
    let names: Vec<String> = protocols.iter().map(ToString::to_string).collect();
    match names.as_slice() {
        [one] => format!("MQTT {one}"),
        [others @ .., last] => format!("MQTT {} and {last}", others.join(", ")),
        [] => String::new(),
    }
}

/// Ends a connection that is no longer needed, however much the broker has read of it. DISCONNECT is the same
/// in every version.
async fn dismiss(mut stream: Stream) {
    let mut packet = bytes::BytesMut::new();
    wire::disconnect(&mut packet, Protocol::V3_1_1, ReasonCode::SUCCESS, &PropertyBlock::default());
    let said = async {
        stream.write_all(&packet).await?;
        stream.flush().await
    };
    // The connection is abandoned; whether the packet arrives does not matter.
    let _ = tokio::time::timeout(DISCONNECT_LIMIT, said).await;
}
