//! Several brokers.

use std::net::SocketAddr;

use tokio::net::TcpListener;

use super::{error_of, round_trip, server};
use crate::error::{Error, Layer, Retry};
use crate::net::{Endpoint, Transport, dial_any};

async fn closed() -> (SocketAddr, Endpoint) {
    let address = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    (address, Endpoint::plain("127.0.0.1", address.port()))
}

#[tokio::test]
async fn the_first_that_answers_is_taken() {
    let (_, closed) = closed().await;
    let open = server::spawn(server::echo).await;
    let open = Endpoint::plain("127.0.0.1", open.port());
    let (number, mut stream) = dial_any(&[closed, open.clone(), open]).await.unwrap();
    assert_eq!(number, 1);
    round_trip(&mut stream).await.unwrap();
}

#[tokio::test]
async fn all_are_named_when_none_answers() {
    let (one, two) = (closed().await, closed().await);
    let error = error_of(Layer::Connect, dial_any(&[one.1.clone(), two.1]).await);
    assert_eq!(
        error.to_string(),
        format!(
            "connection: none of 2 brokers answers: {0}: connection: {0}: connection refused; \
             {1}: connection: {1}: connection refused",
            one.0, two.0
        )
    );
    assert!(error.hint().unwrap().contains("mqtt broker"));
    assert_eq!(error.retry(), Retry::Later);
    let single = error_of(Layer::Connect, dial_any(&[one.1]).await);
    assert_eq!(single.to_string(), format!("connection: {}: connection refused", one.0));
}

#[tokio::test]
async fn a_usage_error_ends_the_search() {
    let unconfigured = Endpoint { transport: Transport::Tls, ..closed().await.1 };
    let open = server::spawn(server::echo).await;
    let outcome = dial_any(&[unconfigured, Endpoint::plain("127.0.0.1", open.port())]).await;
    assert!(matches!(outcome, Err(Error::Usage { .. })));
    assert!(matches!(dial_any(&[]).await, Err(Error::Usage { .. })));
}
