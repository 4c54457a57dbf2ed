//! Several brokers.

use crate::error::{Error, Layer, Retry};
use crate::net::{Endpoint, dial, none_answers};
use tokio::net::TcpListener;

async fn failure() -> (String, Error) {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let endpoint = Endpoint::plain("127.0.0.1", port);
    (endpoint.address.to_string(), dial(&endpoint).await.unwrap_err())
}

#[tokio::test]
async fn every_broker_is_named_when_none_answers() {
    let (one, two) = (failure().await, failure().await);
    let (first, second) = (one.0.clone(), two.0.clone());
    let error = none_answers(vec![one, two]);
    assert_eq!(
        error.to_string(),
        format!(
            "connection: none of 2 brokers answers: {first}: connection: {first}: connection refused; \
             {second}: connection: {second}: connection refused"
        )
    );
    assert!(error.hint().unwrap().contains("mqtt broker"));
    assert_eq!(error.retry(), Retry::Later);
}

#[test]
fn long_list_of_failed_brokers_is_shortened() {
    let failures = (1..=30).map(|number| (format!("b:{number}"), Error::link(Layer::Tls, "no"))).collect();
    let text = none_answers(failures).to_string();
    assert!(text.starts_with("TLS: none of 30 brokers answers: b:1: TLS: no; "), "{text}");
    assert!(text.ends_with("; b:5: TLS: no; and 25 more"), "{text}");
}

#[tokio::test]
async fn error_of_a_single_broker_is_its_own() {
    let one = failure().await;
    let expected = one.1.to_string();
    assert_eq!(none_answers(vec![one]).to_string(), expected);
    assert!(matches!(none_answers(Vec::new()), Error::Usage { .. }));
}

#[test]
fn failures_in_different_layers_name_their_layer() {
    let failures =
        vec![("a:1".into(), Error::fatal(Layer::Tls, "no")), ("b:1".into(), Error::fatal(Layer::Mqtt, "no"))];
    let error = none_answers(failures);
    assert_eq!(error.to_string(), "connection: none of 2 brokers answers: a:1: TLS: no; b:1: no");
    assert_eq!(error.retry(), Retry::Never);
}
