//! Service records, from the test's own name server.

use std::net::SocketAddr;
use std::time::Duration;

use domain::base::iana::{Rcode, Rtype};
use domain::base::{Message, MessageBuilder, Name, ParsedName};
use domain::rdata::Srv;
use tokio::net::UdpSocket;

use super::{assert_says, error_of};
use crate::error::{Layer, Retry};
use crate::net::{Address, brokers_of};

const LIMIT: Duration = Duration::from_secs(20);

/// Priority, weight, port and target.
type Record = (u16, u16, u16, &'static str);

/// The name server's answer for a name.
#[derive(Clone, Copy)]
enum Says {
    Records(&'static [Record]),
    Code(Rcode),
}

/// A name server that knows only these names.
async fn name_server(known: &'static [(&'static str, Says)]) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut buffer = [0; 1500];
        while let Ok((length, client)) = socket.recv_from(&mut buffer).await {
            let query = Message::from_slice(&buffer[..length]).unwrap();
            socket.send_to(&answer(query, known), client).await.unwrap();
        }
    });
    address
}

fn answer(query: &Message<[u8]>, known: &[(&str, Says)]) -> Vec<u8> {
    let question = query.sole_question().unwrap();
    assert_eq!(question.qtype(), Rtype::SRV);
    let owner: ParsedName<_> = *question.qname();
    let says = known.iter().find(|(name, _)| owner.to_string() == *name);
    let (code, records) = match says {
        Some((_, Says::Records(records))) => (Rcode::NOERROR, *records),
        Some((_, Says::Code(code))) => (*code, &[][..]),
        None => (Rcode::NXDOMAIN, &[][..]),
    };
    let mut answer = MessageBuilder::new_vec().start_answer(query, code).unwrap();
    for (priority, weight, port, target) in records {
        let target: Name<Vec<u8>> = target.parse().unwrap();
        answer.push((owner, 60, Srv::new(*priority, *weight, *port, target))).unwrap();
    }
    answer.finish()
}

fn tcp(host: &str, port: u16) -> Address {
    Address::Tcp { host: host.into(), port }
}

#[tokio::test]
async fn all_records_come_in_their_order() {
    let server = name_server(&[
        (
            "_mqtt._tcp.example.com",
            Says::Records(&[
                (20, 0, 1884, "backup.example.com."),
                (10, 5, 1883, "a.example.com."),
                (10, 5, 1885, "b.example.com."),
            ]),
        ),
        ("_secure-mqtt._tcp.example.com", Says::Records(&[(1, 1, 8883, "tls.example.com.")])),
    ])
    .await;
    let mut brokers = brokers_of("example.com", false, &[server], LIMIT).await.unwrap();
    assert_eq!(brokers.pop(), Some(tcp("backup.example.com", 1884)));
    brokers.sort_by_key(ToString::to_string);
    assert_eq!(brokers, [tcp("a.example.com", 1883), tcp("b.example.com", 1885)]);
    let secure = brokers_of("example.com.", true, &[server], LIMIT).await.unwrap();
    assert_eq!(secure, [tcp("tls.example.com", 8883)]);
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let server = name_server(&[
        ("_mqtt._tcp.empty.example", Says::Records(&[])),
        ("_mqtt._tcp.none.example", Says::Records(&[(0, 0, 0, ".")])),
        ("_mqtt._tcp.broken.example", Says::Code(Rcode::SERVFAIL)),
    ])
    .await;
    for (domain, says) in [
        ("nosuch.example", "there are no service records _mqtt._tcp.nosuch.example"),
        ("empty.example", "there are no service records _mqtt._tcp.empty.example"),
        ("none.example", "_mqtt._tcp.none.example says that there is no such service"),
        ("broken.example", "the name server answered SERVFAIL when asked about _mqtt._tcp.broken.example"),
        ("a..b", "'a..b' is not a domain name"),
    ] {
        let error = error_of(Layer::Resolve, brokers_of(domain, false, &[server], LIMIT).await);
        assert_says(&error, &[says]);
    }
}

#[tokio::test]
async fn a_silent_name_server_is_given_up_within_the_limit() {
    let silent = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let server = silent.local_addr().unwrap();
    let limit = Duration::from_millis(100);
    let error = error_of(Layer::Resolve, brokers_of("example.com", false, &[server], limit).await);
    assert_says(&error, &["no answer about _mqtt._tcp.example.com within 100ms"]);
    assert_eq!(error.retry(), Retry::Later);
}

#[test]
fn a_look_up_can_be_spawned() {
    fn is_send<T: Send>(_: &T) {}
    is_send(&brokers_of("example.com", false, &[], LIMIT));
}
