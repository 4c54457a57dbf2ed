//! TCP: the socket, and connection attempts to several addresses in parallel (RFC 8305).

use std::borrow::Cow;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use socket2::Domain;
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::fault;
use crate::error::{Error, Layer, Sign};
use crate::platform::sockets::{choose_port_at_connect, goes_on, non_blocking_socket};

/// How long one attempt runs alone before that of the next address starts
/// ("Connection Attempt Delay", RFC 8305, section 5).
const STAGGER: Duration = Duration::from_millis(250);

/// The first of `addresses` that accepts a connection, by Happy Eyeballs (RFC 8305). They are tried in order,
/// each 250 ms after the previous one or as soon as one fails. The first success drops the other attempts.
///
/// # Errors
///
/// [`Layer::Connect`], naming every address with its own cause. `host` is the name of the addresses, if there
/// was one.
pub(super) async fn connect(
    host: &str,
    addresses: &[SocketAddr],
    bind: Option<IpAddr>,
) -> Result<(TcpStream, SocketAddr), Error> {
    let fits = |address: &SocketAddr| bind.is_none_or(|local| local.is_ipv4() == address.is_ipv4());
    let reachable: Cow<'_, [SocketAddr]> = if addresses.iter().all(fits) {
        addresses.into()
    } else {
        addresses.iter().copied().filter(fits).collect()
    };
    if let (true, Some(local)) = (reachable.is_empty(), bind) {
        let family = if local.is_ipv4() { "IPv4" } else { "IPv6" };
        return Err(Error::fatal(
            Layer::Connect,
            format!("{host} has no {family} address to reach from {local}"),
        ));
    }
    let failures = match &*reachable {
        // The most common case by far, and the one whose cost matters for a one-shot command.
        [only] => match open(*only, bind).await {
            Ok(stream) => return Ok((stream, *only)),
            Err(error) => vec![(*only, error)],
        },
        _ => match Box::pin(race(reachable.into_owned(), bind)).await {
            Ok(winner) => return Ok(winner),
            Err(failures) => failures,
        },
    };
    Err(failed(host, bind, &failures))
}

/// An attempt that failed.
type FailedAttempt = (SocketAddr, io::Error);

/// Tries the addresses as [`connect`] describes.
async fn race(
    addresses: Vec<SocketAddr>,
    bind: Option<IpAddr>,
) -> Result<(TcpStream, SocketAddr), Vec<FailedAttempt>> {
    let mut waiting = addresses.into_iter();
    let mut attempts = JoinSet::new();
    let mut failures = Vec::new();
    loop {
        match waiting.next() {
            Some(address) => {
                attempts.spawn(async move { (address, open(address, bind).await) });
            }
            None if attempts.is_empty() => return Err(failures),
            None => {}
        }
        let more = waiting.len() > 0;
        tokio::select! {
            Some(finished) = attempts.join_next() => match finished {
                Ok((address, Ok(stream))) => return Ok((stream, address)),
                Ok((address, Err(error))) => failures.push((address, error)),
                // An attempt neither panics nor is cancelled while the set is alive.
                Err(_) => {}
            },
            () = tokio::time::sleep(STAGGER), if more => {}
        }
    }
}

/// Opens one connection with `TCP_NODELAY`.
///
/// Tokio's `TcpStream::connect` reads the socket's error (`getsockopt`) after every attempt. The readiness
/// event already tells success from failure, so the error is read only after a failure: an attempt costs
/// socket, setsockopt, connect and the registration.
async fn open(address: SocketAddr, bind: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = non_blocking_socket(Domain::for_address(address))?;
    // Without it a QoS 1 exchange waits for delayed acknowledgements: measured, 100 times slower.
    socket.set_tcp_nodelay(true)?;
    if let Some(local) = bind {
        choose_port_at_connect(&socket)?;
        socket.bind(&SocketAddr::new(local, 0).into())?;
    }
    match socket.connect(&address.into()) {
        Ok(()) => {}
        Err(error) if goes_on(&error) => {}
        Err(error) => return Err(error),
    }
    let stream = TcpStream::from_std(socket.into())?;
    let ready = stream.ready(Interest::WRITABLE | Interest::ERROR).await?;
    if (ready.is_error() || ready.is_write_closed())
        && let Some(error) = stream.take_error()?
    {
        return Err(error);
    }
    Ok(stream)
}

/// The error after all attempts failed: every address with its cause, after the name if there is one.
fn failed(host: &str, bind: Option<IpAddr>, failures: &[FailedAttempt]) -> Error {
    let causes: Vec<String> = failures
        .iter()
        .map(|(address, error)| match (error.kind(), bind) {
            (io::ErrorKind::AddrNotAvailable, Some(local)) => {
                format!("{address}: this machine has no address {local} to connect from")
            }
            _ => format!("{address}: {}", fault::words(error)),
        })
        .collect();
    let causes = causes.join("; ");
    let cause = if host.parse::<IpAddr>().is_ok() { causes } else { format!("{host}: {causes}") };
    let error = Error::link(Layer::Connect, cause);
    let refused_here = failures.iter().all(|(address, error)| {
        address.ip().is_loopback() && error.kind() == io::ErrorKind::ConnectionRefused
    });
    let lacks_zone = failures.iter().find_map(|(address, _)| match address {
        SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() && v6.scope_id() == 0 => Some(v6.ip()),
        _ => None,
    });
    if let Some(address) = lacks_zone {
        let hint =
            format!("a link-local address needs the interface as its zone, for example {address}%eth0");
        return error.with_hint(hint).signed(Sign::NoZone);
    }
    let is_invalid = |(_, error): &FailedAttempt| error.kind() == io::ErrorKind::InvalidInput;
    if let Some(IpAddr::V6(local)) = bind
        && local.is_unicast_link_local()
        && failures.iter().any(is_invalid)
    {
        return error.with_hint(format!(
            "{local} is a link-local address and needs a zone, which a local address to connect from cannot have \
             here: give another one of this machine, or none"
        ));
    }
    if refused_here { error.signed(Sign::RefusedHere) } else { error }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use socket2::{Socket, Type};
    use tokio::net::TcpListener;

    use super::*;

    /// A local address without a listener.
    async fn closed_port() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        listener.local_addr().unwrap()
    }

    #[tokio::test]
    async fn a_connection_has_nodelay_and_carries_bytes() {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (mut ours, peer) = connect("127.0.0.1", &[address], None).await.unwrap();
        let (mut theirs, _) = listener.accept().await.unwrap();
        assert_eq!(peer, address);
        assert!(ours.nodelay().unwrap());
        ours.write_all(b"ping").await.unwrap();
        let mut buffer = [0; 4];
        theirs.read_exact(&mut buffer).await.unwrap();
        assert_eq!(&buffer, b"ping");
    }

    #[tokio::test]
    async fn refused_names_the_address_and_is_marked() {
        let address = closed_port().await;
        let error = connect("127.0.0.1", &[address], None).await.unwrap_err();
        assert_eq!(error.to_string(), format!("connection: {address}: connection refused"));
        assert!(matches!(error, Error::Link { sign: Sign::RefusedHere, .. }));
    }

    #[test]
    fn zone_that_is_missing_is_named() {
        let invalid = |address: &str| (address.parse().unwrap(), io::ErrorKind::InvalidInput.into());
        let hint = |bind: Option<&str>, to| {
            let error = failed("x", bind.map(|local| local.parse().unwrap()), &[invalid(to)]);
            error.hint().map(str::to_owned).unwrap_or_default()
        };
        assert!(hint(None, "[fe80::1]:1883").contains("for example fe80::1%eth0"));
        assert!(
            hint(Some("fe80::2"), "[::1]:1883").contains("fe80::2 is a link-local address and needs a zone")
        );
        assert_eq!(hint(Some("::2"), "[::1]:1883"), "");
        assert_eq!(hint(None, "[fe80::1%2]:1883"), "");
    }

    #[tokio::test]
    async fn every_address_is_named_when_all_fail() {
        let (one, two) = (closed_port().await, closed_port().await);
        let error = connect("broker.example", &[one, two], None).await;
        assert_eq!(
            error.unwrap_err().to_string(),
            format!("connection: broker.example: {one}: connection refused; {two}: connection refused")
        );
    }

    #[tokio::test(start_paused = true)]
    async fn the_next_address_follows_a_failure_at_once() {
        let refusing = closed_port().await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (_, peer) = connect("localhost", &[refusing, address], None).await.unwrap();
        assert_eq!(peer, address);
    }

    #[tokio::test]
    async fn the_next_address_joins_while_the_first_is_silent() {
        // A listener with a full queue does not answer further attempts.
        let full = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        full.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into()).unwrap();
        full.listen(0).unwrap();
        let silent = full.local_addr().unwrap().as_socket().unwrap();
        let _fills_the_queue = TcpStream::connect(silent).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (_, peer) = connect("broker.example", &[silent, address], None).await.unwrap();
        assert_eq!(peer, address);
    }

    #[tokio::test]
    async fn the_local_address_can_be_chosen() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let local = "127.0.0.2".parse().unwrap();
        let (ours, _) = connect("127.0.0.1", &[address], Some(local)).await.unwrap();
        assert_eq!(ours.local_addr().unwrap().ip(), local);
    }

    #[tokio::test]
    async fn a_foreign_local_address_is_named() {
        let address = closed_port().await;
        let foreign = "192.0.2.7".parse().unwrap();
        let error = connect("127.0.0.1", &[address], Some(foreign)).await;
        let text = error.unwrap_err().to_string();
        assert!(text.contains("no address 192.0.2.7"), "{text}");
    }

    #[tokio::test]
    async fn a_local_address_of_the_other_family_is_named() {
        let address = closed_port().await;
        let error = connect("127.0.0.1", &[address], Some("::1".parse().unwrap())).await;
        assert_eq!(
            error.unwrap_err().to_string(),
            "connection: 127.0.0.1 has no IPv6 address to reach from ::1"
        );
    }
}
