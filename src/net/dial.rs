//! Opens the Network Connection to the broker step by step, under one timeout.

use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::time::{Duration, Instant};

use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::time::Sleep;
use tokio_tungstenite::tungstenite::handshake::client::Request;

use super::address::{Address, Transport, WebSocketOptions};
use super::endpoint::Endpoint;
use super::stream::Stream;
use super::tls::{self, CertificateFacts, TlsConfig, TlsFacts};
use super::{resolve, tcp, websocket, within};
use crate::error::{Error, Layer, Retry, Sign};
use crate::quantity::duration;
use crate::quotation::cut;

/// A completed step of the connection, and how long it took.
#[derive(Debug, Clone)]
pub enum Step {
    /// The host's addresses are known.
    Resolved {
        /// The addresses, in the order of the attempts.
        addresses: Vec<SocketAddr>,
        /// How long it took.
        took: Duration,
    },
    /// The socket is connected.
    Connected {
        /// The address connected to.
        peer: String,
        /// How long it took, failed attempts included.
        took: Duration,
    },
    /// The proxy has opened the tunnel.
    Tunnelled {
        /// The proxy's address.
        proxy: String,
        /// How long it took.
        took: Duration,
    },
    /// The TLS handshake is done.
    Encrypted {
        /// What the handshake agreed on.
        facts: Box<TlsFacts>,
        /// How long it took.
        took: Duration,
    },
    /// The broker's certificates were refused. The connection attempt fails with an error that gives the
    /// reason.
    Refused {
        /// The certificates that the server presented, its own first.
        certificates: Vec<CertificateFacts>,
        /// How long it took.
        took: Duration,
    },
    /// The WebSocket is open.
    Upgraded {
        /// How long it took.
        took: Duration,
    },
}

/// Opens the connection that `endpoint` describes: look-up, TCP connection, proxy, TLS, WebSocket upgrade.
///
/// # Errors
///
/// [`Error::Link`] of the step that failed, or that was in progress when [`Endpoint::connect_timeout`]
/// expired.
pub async fn dial(endpoint: &Endpoint) -> Result<Stream, Error> {
    dial_timed(endpoint, None, pin!(tokio::time::sleep(endpoint.connect_timeout))).await
}

/// Like [`dial`], and reports each completed step to `observer`.
///
/// # Errors
///
/// Like [`dial`]; the steps before the failed one have been reported.
pub async fn dial_observed(
    endpoint: &Endpoint,
    observer: &mut (dyn FnMut(Step) + Send),
) -> Result<Stream, Error> {
    dial_timed(endpoint, Some(observer), pin!(tokio::time::sleep(endpoint.connect_timeout))).await
}

/// A callback that receives each completed step.
pub type Observer<'a> = Option<&'a mut (dyn FnMut(Step) + Send)>;

/// Like [`dial_observed`], with a timer that the caller reuses. The timer must be set to at most
/// [`Endpoint::connect_timeout`]; if it fires earlier, it is set to that timeout.
///
/// # Errors
///
/// Like [`dial_observed`].
pub async fn dial_timed(
    endpoint: &Endpoint,
    observer: Observer<'_>,
    timer: Pin<&mut Sleep>,
) -> Result<Stream, Error> {
    let mut way = DialProgress::new(observer);
    let until = tokio::time::Instant::now() + endpoint.connect_timeout;
    let outcome = within::within_until(pin!(way.go(endpoint)), timer, until).await;
    outcome.unwrap_or_else(|| Err(way.timed_out(endpoint.connect_timeout)))
}

/// Timeout for a server's reply to a TLS greeting.
const PROBE_LIMIT: Duration = Duration::from_secs(2);

/// Whether a broker that was contacted without TLS expects TLS. The probe opens a second connection through
/// the same proxy and from the same local address. Any failure counts as no.
pub async fn speaks_tls(endpoint: &Endpoint) -> bool {
    let Address::Tcp { host, port } = &endpoint.address else { return false };
    let Ok(name) = tls::checkable_name(host) else { return false };
    let probe = async {
        let mut way = DialProgress::new(None);
        match way.reach(endpoint, host, *port).await {
            Ok((socket, _)) => tls::probe::answers_with_tls(socket, name).await,
            Err(_) => false,
        }
    };
    let limit = PROBE_LIMIT.min(endpoint.connect_timeout);
    !endpoint.transport.is_secure() && tokio::time::timeout(limit, probe).await.unwrap_or(false)
}

/// The step in progress, and its peer.
enum DialStage<'a> {
    Resolving(&'a str),
    Connecting,
    Tunnelling(String),
    Encrypting(String),
    Upgrading(String),
}

/// The state of the connection attempt.
struct DialProgress<'e, 'o> {
    stage: DialStage<'e>,
    /// The addresses to try.
    addresses: Vec<SocketAddr>,
    /// When the stage began; `None` without an observer.
    since: Option<Instant>,
    /// Whether the stage concerns the proxy and not the broker.
    to_proxy: bool,
    observer: Observer<'o>,
}

impl<'e, 'o> DialProgress<'e, 'o> {
    fn new(observer: Observer<'o>) -> Self {
        Self {
            stage: DialStage::Resolving(""),
            addresses: Vec::new(),
            since: None,
            to_proxy: false,
            observer,
        }
    }

    /// Rarely used parts are boxed: thousands of attempts may be in progress, and each future is as large as
    /// its largest part.
    async fn go(&mut self, endpoint: &'e Endpoint) -> Result<Stream, Error> {
        // Everything that can fail without a socket is done before a socket is opened.
        let plan = DialPlan::of(endpoint)?;
        let mut stream = match &endpoint.address {
            Address::Tcp { host, port } => {
                let (socket, peer) = self.reach(endpoint, host, *port).await?;
                match plan.encryption {
                    None => Stream::Tcp(socket),
                    Some((config, name)) => {
                        let peer = peer.map_or_else(|| endpoint.address.to_string(), |peer| peer.to_string());
                        self.encrypt(config, name, socket, peer).await?
                    }
                }
            }
            #[cfg(unix)]
            Address::Unix(path) => {
                self.begin(DialStage::Connecting);
                let socket = super::unix::connect(path).await?;
                self.report(|took| Step::Connected { peer: endpoint.address.to_string(), took });
                Stream::Unix(socket)
            }
            #[cfg(not(unix))]
            Address::Unix(_) => return Err(Error::usage("this system has no Unix sockets")),
        };
        if let Some((request, options)) = plan.upgrade {
            self.begin(DialStage::Upgrading(endpoint.address.to_string()));
            let upgraded = Box::pin(websocket::upgrade(stream, request, options)).await?;
            stream = Stream::WebSocket(Box::new(upgraded));
            self.report(|took| Step::Upgraded { took });
        }
        Ok(stream)
    }

    /// Opens a TCP connection to the broker, through the proxy if there is one. Without a proxy it also
    /// returns the address connected to.
    async fn reach(
        &mut self,
        endpoint: &'e Endpoint,
        host: &'e str,
        port: u16,
    ) -> Result<(TcpStream, Option<SocketAddr>), Error> {
        let Some(proxy) = &endpoint.proxy else {
            let reached = self.connect((host, port), &endpoint.name_servers, endpoint.bind).await;
            let (socket, peer) = reached.map_err(|error| offering_a_broker(error, endpoint, port))?;
            return Ok((socket, Some(peer)));
        };
        self.stage = DialStage::Resolving(host);
        let targets = proxy.targets(host, port, &endpoint.name_servers).await?;
        let mut failure = None;
        for target in targets {
            self.to_proxy = true;
            let (socket, _) =
                self.connect((&proxy.host, proxy.port), &[], endpoint.bind).await.map_err(about_proxy)?;
            self.to_proxy = false;
            self.begin(DialStage::Tunnelling(proxy.to_string()));
            match Box::pin(proxy.tunnel(socket, &target, port)).await {
                Ok(socket) => {
                    self.report(|took| Step::Tunnelled { proxy: proxy.to_string(), took });
                    return Ok((socket, None));
                }
                // A proxy without IPv6 may still reach the broker's other addresses.
                Err(error) if error.retry() != Retry::Never => failure = Some(error),
                Err(error) => return Err(error),
            }
        }
        Err(failure.unwrap_or_else(|| Error::link(Layer::Proxy, "there is nothing to ask it for")))
    }

    /// Name look-up and TCP connection.
    async fn connect(
        &mut self,
        (host, port): (&'e str, u16),
        name_servers: &[SocketAddr],
        bind: Option<IpAddr>,
    ) -> Result<(TcpStream, SocketAddr), Error> {
        self.begin(DialStage::Resolving(host));
        let addresses = resolve::resolve(host, port, name_servers).await?;
        self.report(|took| Step::Resolved { addresses: addresses.clone(), took });
        self.addresses = addresses;
        self.begin(DialStage::Connecting);
        let (socket, peer) = tcp::connect(host, &self.addresses, bind).await?;
        self.report(|took| Step::Connected { peer: peer.to_string(), took });
        Ok((socket, peer))
    }

    async fn encrypt(
        &mut self,
        config: &TlsConfig,
        name: ServerName<'static>,
        socket: TcpStream,
        peer: String,
    ) -> Result<Stream, Error> {
        self.begin(DialStage::Encrypting(peer));
        let mut certificates = Vec::new();
        let outcome = Box::pin(tls::handshake(config, name, socket, &mut certificates)).await;
        if !certificates.is_empty() {
            self.report(|took| Step::Refused { certificates, took });
        }
        let stream = outcome?;
        self.report(|took| Step::Encrypted { facts: Box::new(stream.facts()), took });
        Ok(Stream::Tls(Box::new(stream)))
    }

    /// Starts a step.
    fn begin(&mut self, stage: DialStage<'e>) {
        self.stage = stage;
        self.since = self.observer.is_some().then(Instant::now);
    }

    /// Reports a completed step to the observer. Without an observer the step is not constructed.
    fn report(&mut self, step: impl FnOnce(Duration) -> Step) {
        if let (Some(observer), Some(since)) = (&mut self.observer, self.since) {
            observer(step(since.elapsed()));
        }
    }

    /// The timeout error for the stage in progress.
    fn timed_out(&self, limit: Duration) -> Error {
        let limit = duration(limit);
        let error = match &self.stage {
            DialStage::Resolving(host) => {
                Error::link(Layer::Resolve, format!("no answer for '{}' within {limit}", cut(host)))
            }
            DialStage::Connecting => {
                let tried: Vec<String> = self.addresses.iter().map(ToString::to_string).collect();
                Error::link(Layer::Connect, format!("{}: timed out after {limit}", tried.join(", ")))
            }
            DialStage::Tunnelling(proxy) => {
                Error::link(Layer::Proxy, format!("{proxy} did not open the tunnel within {limit}"))
            }
            DialStage::Encrypting(peer) => {
                Error::link(Layer::Tls, format!("{peer}: the handshake timed out after {limit}"))
                    .with_hint("is this a port without TLS?")
            }
            DialStage::Upgrading(peer) => {
                Error::link(Layer::WebSocket, format!("{peer}: the upgrade timed out after {limit}"))
                    .with_hint("is this a WebSocket port?")
            }
        };
        if self.to_proxy { about_proxy(error) } else { error }
    }
}

/// Adds a hint to start `mqtt broker` if no program listens on a local port; not with TLS or WebSockets.
fn offering_a_broker(error: Error, endpoint: &Endpoint, port: u16) -> Error {
    const USUAL_PORT: u16 = 1883;
    let is_refused_here = matches!(error, Error::Link { sign: Sign::RefusedHere, .. });
    if !is_refused_here || !matches!(endpoint.transport, Transport::Plain) {
        return error;
    }
    let options = if port == USUAL_PORT { String::new() } else { format!(" -p {port}") };
    if cfg!(feature = "broker") {
        error.with_hint(format!("is a broker running? `mqtt broker{options}` starts one"))
    } else {
        error.with_hint("is a broker running?")
    }
}

/// Marks a failure to reach the proxy: the message keeps its layer and loses a hint about brokers.
fn about_proxy(error: Error) -> Error {
    match error {
        Error::Link { layer, cause, retry, hint, sign } => {
            let cause = format!("{layer}: {cause}");
            let hint = hint.filter(|_| sign == Sign::NoZone);
            Error::Link { layer: Layer::Proxy, cause, hint, retry, sign: Sign::None }
        }
        other => other,
    }
}

/// The parts of an endpoint beyond the socket.
struct DialPlan<'a> {
    encryption: Option<(&'a TlsConfig, ServerName<'static>)>,
    upgrade: Option<(Request, &'a WebSocketOptions)>,
}

impl<'a> DialPlan<'a> {
    fn of(endpoint: &'a Endpoint) -> Result<Self, Error> {
        let secure = endpoint.transport.is_secure();
        let encryption = match (&endpoint.address, endpoint.tls.as_deref()) {
            _ if !secure => None,
            (Address::Unix(_), _) => return Err(Error::usage("TLS over a Unix socket is not supported")),
            (_, None) => return Err(Error::usage("TLS is asked for, but not configured")),
            (Address::Tcp { host, .. }, Some(config)) => Some((config, config.name_for(host)?)),
        };
        if let (Address::Unix(_), Some(_)) = (&endpoint.address, &endpoint.proxy) {
            return Err(Error::usage("a Unix socket cannot be reached through a proxy"));
        }
        Ok(Self { encryption, upgrade: upgrade(endpoint)? })
    }
}

/// The WebSocket upgrade request, if the transport has one.
fn upgrade(endpoint: &Endpoint) -> Result<Option<(Request, &WebSocketOptions)>, Error> {
    let secure = endpoint.transport.is_secure();
    Ok(match &endpoint.transport {
        Transport::Plain | Transport::Tls => None,
        Transport::WebSocket(options) | Transport::SecureWebSocket(options) => {
            Some((websocket::request(options, &endpoint.address, secure)?, options))
        }
    })
}

/// Checks that the path and the headers of a WebSocket can be sent.
///
/// # Errors
/// [`Error::Usage`] names the invalid one.
pub fn check_upgrade(endpoint: &Endpoint) -> Result<(), Error> {
    upgrade(endpoint).map(|_| ())
}
