//! The whole way to the broker, step by step, under one time limit.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;

use super::endpoint::{Address, Endpoint, Transport};
use super::stream::Stream;
use super::tls::{self, TlsFacts};
use super::{resolve, tcp};
use crate::error::{Error, Layer};

/// A step of the way that was taken, and how long it took.
#[derive(Debug, Clone)]
pub enum Step {
    /// The host's addresses are known.
    Resolved {
        /// In the order of the attempts.
        addresses: Vec<SocketAddr>,
        /// How long it took.
        took: Duration,
    },
    /// The socket is connected.
    Connected {
        /// To which address.
        peer: String,
        /// How long it took, failed attempts included.
        took: Duration,
    },
    /// The TLS handshake is done.
    Encrypted {
        /// What it agreed on.
        facts: Box<TlsFacts>,
        /// How long it took.
        took: Duration,
    },
}

/// Goes the whole way that `endpoint` describes: look-up, connection, TLS.
///
/// # Errors
///
/// [`Error::Link`] of the step that failed, or was under way when
/// [`Endpoint::connect_timeout`] was over.
pub async fn dial(endpoint: &Endpoint) -> Result<Stream, Error> {
    dial_within_limit(endpoint, None).await
}

/// As [`dial`], reporting each step to `observer` when it is done.
///
/// # Errors
///
/// As [`dial`]; the steps before the failing one have been reported.
pub async fn dial_observed(
    endpoint: &Endpoint,
    observer: &mut (dyn FnMut(Step) + Send),
) -> Result<Stream, Error> {
    dial_within_limit(endpoint, Some(observer)).await
}

type Observer<'a> = Option<&'a mut (dyn FnMut(Step) + Send)>;

async fn dial_within_limit(endpoint: &Endpoint, observer: Observer<'_>) -> Result<Stream, Error> {
    let mut way = Way { stage: Stage::Resolving, observer };
    match tokio::time::timeout(endpoint.connect_timeout, way.go(endpoint)).await {
        Ok(outcome) => outcome,
        Err(_) => Err(way.stage.timed_out(endpoint)),
    }
}

/// What is under way.
enum Stage {
    Resolving,
    Connecting(Vec<SocketAddr>),
    Encrypting(SocketAddr),
}

impl Stage {
    /// The error for a time limit that ended this stage.
    fn timed_out(&self, endpoint: &Endpoint) -> Error {
        let limit = humantime::format_duration(endpoint.connect_timeout);
        match self {
            Self::Resolving => {
                Error::link(Layer::Resolve, format!("{}: no answer within {limit}", endpoint.address))
            }
            Self::Connecting(addresses) => {
                let tried: Vec<String> = addresses.iter().map(ToString::to_string).collect();
                Error::link(Layer::Connect, format!("{}: timed out after {limit}", tried.join(", ")))
            }
            Self::Encrypting(peer) => {
                Error::link(Layer::Tls, format!("{peer}: the handshake timed out after {limit}"))
                    .with_hint("is this a port without TLS?")
            }
        }
    }
}

/// The way so far.
struct Way<'a> {
    stage: Stage,
    observer: Observer<'a>,
}

impl Way<'_> {
    async fn go(&mut self, endpoint: &Endpoint) -> Result<Stream, Error> {
        // Whatever can fail without a socket fails before there is one.
        let encryption = match endpoint.transport {
            Transport::Plain => None,
            Transport::Tls => Some(encryption(endpoint)?),
        };
        let Address::Tcp { host, port } = &endpoint.address else {
            return Err(Error::usage("Unix sockets are not supported yet"));
        };
        let (socket, peer) = self.connect(endpoint, host, *port).await?;
        let Some((config, name)) = encryption else {
            return Ok(Stream::Tcp(socket));
        };
        self.stage = Stage::Encrypting(peer);
        let start = Instant::now();
        let stream = Stream::Tls(Box::new(tls::handshake(config, name, socket).await?));
        if let (Some(observer), Some(facts)) = (&mut self.observer, stream.tls()) {
            observer(Step::Encrypted { facts: Box::new(facts), took: start.elapsed() });
        }
        Ok(stream)
    }

    /// Look-up and connection.
    async fn connect(
        &mut self,
        endpoint: &Endpoint,
        host: &str,
        port: u16,
    ) -> Result<(TcpStream, SocketAddr), Error> {
        self.stage = Stage::Resolving;
        let start = Instant::now();
        let addresses = resolve::resolve(host, port).await?;
        if let Some(observer) = &mut self.observer {
            observer(Step::Resolved { addresses: addresses.clone(), took: start.elapsed() });
        }
        let start = Instant::now();
        self.stage = Stage::Connecting(addresses.clone());
        let (socket, peer) = tcp::connect(host, &addresses, endpoint.bind).await?;
        if let Some(observer) = &mut self.observer {
            observer(Step::Connected { peer: peer.to_string(), took: start.elapsed() });
        }
        Ok((socket, peer))
    }
}

/// The configuration of an endpoint's TLS and the name to find in the server's certificate.
fn encryption(
    endpoint: &Endpoint,
) -> Result<(&tls::TlsConfig, rustls_pki_types::ServerName<'static>), Error> {
    let Some(config) = endpoint.tls.as_deref() else {
        return Err(Error::usage("TLS is asked for, but not configured"));
    };
    let name = match &endpoint.address {
        Address::Tcp { host, .. } => config.name_for(host)?,
        Address::Unix(_) => config.name_for("localhost")?,
    };
    Ok((config, name))
}
