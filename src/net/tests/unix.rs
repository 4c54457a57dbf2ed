//! Unix sockets.

use tokio::net::UnixListener;

use super::pki::Files;
use super::{assert_says, error_of, round_trip, server};
use crate::error::{Error, Layer};
use crate::net::{Address, Endpoint, Proxy, Step, Transport, dial, dial_observed};

fn endpoint(path: std::path::PathBuf) -> Endpoint {
    Endpoint { address: Address::Unix(path), ..Endpoint::plain("unused", 0) }
}

#[tokio::test]
async fn a_unix_socket_carries_bytes() {
    let files = Files::new();
    let path = files.path("broker.sock");
    let listener = UnixListener::bind(&path).unwrap();
    tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        server::echo(stream).await;
    });
    let mut steps = Vec::new();
    let mut stream = dial_observed(&endpoint(path.clone()), &mut |step| steps.push(step)).await.unwrap();
    round_trip(&mut stream).await.unwrap();
    assert_eq!(stream.peer(), path.display().to_string());
    assert!(stream.tcp().is_none());
    assert!(stream.tls().is_none());
    assert!(matches!(steps.as_slice(), [Step::Connected { .. }]), "{steps:?}");
}

#[tokio::test]
async fn errors_of_unix_sockets_name_the_cause() {
    let files = Files::new();
    let missing = error_of(Layer::Connect, dial(&endpoint(files.path("nosuch.sock"))).await);
    assert_says(&missing, &["nosuch.sock: no such file"]);
    let path = files.path("left.sock");
    drop(UnixListener::bind(&path).unwrap());
    let left = error_of(Layer::Connect, dial(&endpoint(path)).await);
    assert_says(&left, &["left.sock: no program listens on this socket"]);
}

#[tokio::test]
async fn tls_and_proxies_are_refused_with_a_unix_socket() {
    let tls = Endpoint { transport: Transport::Tls, ..endpoint("/x".into()) };
    assert!(matches!(dial(&tls).await, Err(Error::Usage { .. })));
    let proxy = Some(Proxy::from_url("http://127.0.0.1").unwrap());
    let proxied = Endpoint { proxy, ..endpoint("/x".into()) };
    assert!(matches!(dial(&proxied).await, Err(Error::Usage { .. })));
}
