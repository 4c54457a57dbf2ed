//! Plain TCP, the timeout and the observer.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::server;
use super::skip::skip_here;
use crate::error::{Error, Layer, Retry};
use crate::net::{Address, Endpoint, Step, Stream, Transport, WebSocketOptions, dial, dial_observed};

#[tokio::test]
async fn plain_tcp_is_tokios_own_stream_and_carries_bytes() {
    let address = server::spawn(server::echo).await;
    let mut stream = dial(&Endpoint::plain("127.0.0.1", address.port())).await.unwrap();
    stream.write_all(b"there and back").await.unwrap();
    let mut answer = [0; 14];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"there and back");
    assert_eq!(stream.peer(), address.to_string());
    assert!(stream.tls().is_none());
    assert!(matches!(stream, Stream::Tcp(_)));
}

/// `mqtt broker` is suggested only for plain TCP.
#[tokio::test]
async fn a_broker_is_offered_where_a_plain_port_is_refused() {
    let closed = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let plain = Endpoint::plain("127.0.0.1", closed.port());
    let hint = format!("is a broker running? `mqtt broker -p {}` starts one", closed.port());
    assert_eq!(dial(&plain).await.unwrap_err().hint(), Some(&*hint));
    let options = WebSocketOptions::default();
    let web = Endpoint { transport: Transport::WebSocket(options), ..plain };
    assert_eq!(dial(&web).await.unwrap_err().hint(), None);
}

#[tokio::test]
async fn localhost_finds_a_server_of_either_family() {
    let address = server::spawn(server::echo).await;
    dial(&Endpoint::plain("localhost", address.port())).await.unwrap();
    let Ok(listener) = TcpListener::bind("[::1]:0").await else {
        return skip_here("this machine has no IPv6");
    };
    let port = listener.local_addr().unwrap().port();
    let stream = dial(&Endpoint::plain("localhost", port)).await.unwrap();
    assert_eq!(stream.peer(), format!("[::1]:{port}"));
}

#[tokio::test]
async fn the_steps_are_observed_in_their_order() {
    let address = server::spawn(server::echo).await;
    let mut steps = Vec::new();
    dial_observed(&Endpoint::plain("127.0.0.1", address.port()), &mut |step| steps.push(step)).await.unwrap();
    let [Step::Resolved { addresses, .. }, Step::Connected { peer, .. }] = steps.as_slice() else {
        panic!("{steps:?}");
    };
    assert_eq!(addresses, &[address]);
    assert_eq!(peer, &address.to_string());
}

#[tokio::test]
async fn a_silent_address_is_given_up_after_the_limit() {
    // A listener with a full queue does not answer further attempts.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let any: std::net::SocketAddr = "127.0.0.1:0".parse().unwrap();
    socket.bind(&any.into()).unwrap();
    socket.listen(0).unwrap();
    let address = socket.local_addr().unwrap().as_socket().unwrap();
    let _fills_the_queue = TcpStream::connect(address).await.unwrap();
    let mut endpoint = Endpoint::plain("127.0.0.1", address.port());
    endpoint.connect_timeout = Duration::from_millis(150);
    let error = dial(&endpoint).await.unwrap_err();
    assert_eq!(error.to_string(), format!("connection: {address}: timed out after 150ms"));
    assert_eq!(error.retry(), Retry::Later);
}

/// Connections to two brokers share a local port, so that a local address has all its ports for each broker.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_local_address_shares_its_ports_among_brokers() {
    let address = server::spawn(server::echo).await;
    for local in ["127.0.0.1", "127.0.0.3"] {
        let mut endpoint = Endpoint::plain("127.0.0.1", address.port());
        endpoint.bind = Some(local.parse().unwrap());
        let stream = dial(&endpoint).await.unwrap();
        let tcp = stream.tcp().unwrap();
        assert_eq!(tcp.local_addr().unwrap().ip(), endpoint.bind.unwrap());
        let late = nix::sys::socket::getsockopt(tcp, nix::sys::socket::sockopt::IpBindAddressNoPort);
        assert_eq!(late, Ok(true));
    }
}

#[tokio::test]
async fn an_unknown_host_fails_at_the_look_up() {
    let error = dial(&Endpoint::plain("nosuch.invalid", 1883)).await.unwrap_err();
    assert!(matches!(error, Error::Link { layer: Layer::Resolve, .. }));
}

#[test]
fn addresses_print_as_people_write_them() {
    let tcp = |host: &str| Address::Tcp { host: host.into(), port: 1883 };
    assert_eq!(tcp("broker.example").to_string(), "broker.example:1883");
    assert_eq!(tcp("::1").to_string(), "[::1]:1883");
    assert_eq!(tcp("127.0.0.1").to_string(), "127.0.0.1:1883");
    assert_eq!(Address::Unix("/run/broker".into()).to_string(), "/run/broker");
}

#[test]
fn a_dial_can_be_spawned() {
    fn is_send<T: Send>(_: &T) {}
    let endpoint = Endpoint::plain("127.0.0.1", 1);
    is_send(&dial(&endpoint));
    let mut observer = |_| {};
    is_send(&dial_observed(&endpoint, &mut observer));
}
