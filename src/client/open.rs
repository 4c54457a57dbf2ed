//! One attempt to connect: dial, send CONNECT, receive CONNACK. There is no retry and no other version: a
//! load generator reports the result of each of thousands of connections, and knows the version from the
//! first.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep_until;

use super::connect::{Answer, ConnectRequest, ConnectWatch, Versions};
use super::handshake::{self, Connected};
use super::link::Link;
use super::options::ClientOptions;
use super::redirect;
use super::session::Session;
use crate::error::Error;
use crate::net::{self, Address, Step, Stream, TlsConfig, Transport};
use crate::protocol::Protocol;
use crate::protocol::property::PropertyBlock;

/// How long the steps of a connection took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Times {
    /// Look-up, TCP, and a proxy if there is one; without TLS also a WebSocket upgrade.
    pub connect: Duration,
    /// The TLS handshake and the steps after it, before MQTT; `None` without TLS.
    pub tls: Option<Duration>,
    /// From CONNECT to CONNACK.
    pub connack: Duration,
}

impl Times {
    /// The total.
    #[must_use]
    pub fn all(&self) -> Duration {
        self.connect + self.tls.unwrap_or_default() + self.connack
    }
}

/// A link over any transport.
pub type OpenLink = Link<Stream>;

/// A connection after CONNACK.
#[derive(Debug)]
pub struct Opened {
    /// The link.
    pub link: OpenLink,
    /// A new session on it.
    pub session: Session,
    /// The broker's CONNACK.
    pub connected: Connected,
    /// The times of the steps.
    pub times: Times,
}

/// A client certificate with its key.
#[derive(Debug)]
pub struct Identity(Arc<TlsConfig>);

impl ClientOptions {
    /// Reads a certificate and its key.
    ///
    /// # Errors
    /// Files that cannot be read or do not belong together; a connection without TLS.
    pub fn identity(&self, certificate: PathBuf, key: PathBuf) -> Result<Identity, Error> {
        let Some(tls) = &self.endpoint.tls else {
            return Err(Error::usage("a client certificate needs TLS")
                .with_hint("use mqtts://, --cafile or --tls-use-os-certs"));
        };
        tls.with_certificate(certificate, key).map(|tls| Identity(Arc::new(tls)))
    }

    /// Presents this certificate from now on.
    pub fn show(&mut self, identity: &Identity) {
        self.endpoint.tls = Some(Arc::clone(&identity.0));
    }

    /// Makes every TLS handshake a full one: clients of different users cannot resume each other's sessions.
    pub fn forget_tls_sessions(&mut self) {
        if let Some(tls) = &mut self.endpoint.tls {
            *tls = Arc::new(tls.without_resumption());
        }
    }

    /// The transport in a word: `tcp`, `tls`, `ws`, `wss` or `unix`.
    #[must_use]
    pub fn transport_name(&self) -> &'static str {
        match (&self.endpoint.transport, &self.endpoint.address) {
            (Transport::Plain, Address::Tcp { .. }) => "tcp",
            (Transport::Plain, Address::Unix(_)) => "unix",
            (Transport::Tls, _) => "tls",
            (Transport::WebSocket(_), _) => "ws",
            (Transport::SecureWebSocket(_), _) => "wss",
        }
    }

    /// Sets the endpoint to this host and port, over plain TCP.
    pub fn aim(&mut self, host: &str, port: u16) {
        let endpoint = &mut self.endpoint;
        endpoint.address = Address::Tcp { host: host.to_owned(), port };
        endpoint.transport = Transport::Plain;
        endpoint.tls = None;
    }

    /// Sets the endpoint to the address that a first connection has reached, so that thousands more need no
    /// look-up. Not with TLS, whose certificates are for names.
    pub fn aim_at(&mut self, opened: &mut Opened) {
        let plain = matches!(self.endpoint.transport, Transport::Plain) && self.endpoint.proxy.is_none();
        if let (true, Address::Tcp { host, .. }, Some(peer)) =
            (plain, &mut self.endpoint.address, opened.link.stream_mut().tcp())
            && let Ok(peer) = peer.peer_addr()
        {
            *host = peer.ip().to_string();
        }
    }
}

/// Connects with exactly this protocol version, under this client identifier instead of that in the options.
/// A client that `resumes` had a link before, and asks for its session if that outlives a link.
///
/// # Errors
/// The step that failed, with its cause; a refusal, with its reason.
pub async fn open(
    options: &ClientOptions,
    client_identifier: &str,
    protocol: Protocol,
    resumes: bool,
) -> Result<Opened, Error> {
    let began = Instant::now();
    let mut connected_after = None;
    let mut observe = |step| match step {
        Step::Connected { .. } | Step::Tunnelled { .. } => connected_after = Some(began.elapsed()),
        _ => {}
    };
    let observer: net::Observer<'_> =
        if options.endpoint.transport.is_secure() { Some(&mut observe) } else { None };
    // One timer for the whole life of the connection: moving it to a later time costs almost nothing.
    let mut sleep = Box::pin(sleep_until((began + options.endpoint.connect_timeout).into()));
    let mut stream = net::dial_timed(&options.endpoint, observer, sleep.as_mut()).await?;
    let dialled = Instant::now();
    let properties = handshake::connect_properties(options);
    sleep.as_mut().reset((dialled + options.connect_timeout).into());
    let resumes = resumes && options.session_expiry_interval.is_some_and(|seconds| seconds > 0);
    let request = ConnectRequest { resumes, ..request(options, client_identifier, &properties) };
    let answer = request.ask(&mut stream, protocol, sleep.as_mut(), &ConnectWatch::default()).await;
    let answer = answer.map_err(|failure| redirect::not_followed(failure.error))?;
    let until_dialled = dialled - began;
    let times = Times {
        connect: connected_after.unwrap_or(until_dialled),
        tls: connected_after.map(|after| until_dialled.saturating_sub(after)),
        connack: dialled.elapsed(),
    };
    let mut opened = opened(options, &properties, stream, answer, times);
    opened.link.keep_time_with(sleep);
    Ok(opened)
}

/// Like [`open`], with the version that the options name or that the broker supports, and without times.
///
/// # Errors
/// Like [`open`].
pub async fn open_first(options: &ClientOptions, client_identifier: &str) -> Result<Opened, Error> {
    let properties = handshake::connect_properties(options);
    let request = request(options, client_identifier, &properties);
    let up = Box::pin(request.negotiate(&mut Versions::default(), &ConnectWatch::default())).await;
    let up = up.map_err(redirect::not_followed)?;
    Ok(opened(options, &properties, up.stream, up.answer, Times::default()))
}

fn request<'a>(
    options: &'a ClientOptions,
    client_identifier: &'a str,
    properties: &'a PropertyBlock,
) -> ConnectRequest<'a> {
    ConnectRequest { options, endpoint: &options.endpoint, client_identifier, resumes: false, properties }
}

fn opened(
    options: &ClientOptions,
    properties: &PropertyBlock,
    stream: Stream,
    answer: Answer,
    times: Times,
) -> Opened {
    let Answer { connected, leftover, .. } = answer;
    let protocol = connected.protocol;
    let mut session = Session::new(protocol, options.max_inflight, properties);
    session.connected(protocol, connected.session_present, connected.limits());
    let link = Link::past_connack(stream, options, &connected, leftover);
    Opened { link, session, connected, times }
}
