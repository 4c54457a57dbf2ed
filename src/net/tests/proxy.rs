//! SOCKS5 and HTTP CONNECT.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::pki::{Authority, Files, params};
use super::server::{self, TlsServer};
use super::{assert_says, error_of, round_trip};
use crate::error::{Error, Layer, Retry};
use crate::net::{Endpoint, Proxy, Step, Stream, TlsConfig, TlsOptions, dial, dial_observed, speaks_tls};

/// The targets requested from a proxy, as it received them.
type Targets = Arc<Mutex<Vec<String>>>;

/// A SOCKS5 proxy (RFC 1928) that requires the given user name and password, if any. It resolves one name,
/// `broker.internal`, to this machine.
async fn socks5(credentials: Option<(&'static str, &'static str)>) -> (SocketAddr, Targets) {
    let targets = Targets::default();
    let asked = Arc::clone(&targets);
    let address = server::spawn(move |mut client| {
        let asked = Arc::clone(&asked);
        async move {
            if serve_socks5(&mut client, credentials, &asked).await.is_err() {
                let _ = client.shutdown().await;
            }
        }
    })
    .await;
    (address, targets)
}

async fn serve_socks5(
    client: &mut TcpStream,
    credentials: Option<(&str, &str)>,
    asked: &Targets,
) -> std::io::Result<()> {
    assert_eq!(client.read_u8().await?, 5);
    let methods = read_counted(client).await?;
    let method = if credentials.is_some() { 2 } else { 0 };
    if !methods.contains(&method) {
        return client.write_all(&[5, 0xff]).await;
    }
    client.write_all(&[5, method]).await?;
    if let Some((user, password)) = credentials {
        assert_eq!(client.read_u8().await?, 1);
        let given = (read_counted(client).await?, read_counted(client).await?);
        let right = given == (user.as_bytes().to_vec(), password.as_bytes().to_vec());
        client.write_all(&[1, u8::from(!right)]).await?;
        if !right {
            return Ok(());
        }
    }
    let mut head = [0; 4];
    client.read_exact(&mut head).await?;
    let host = match head[3] {
        1 => std::net::Ipv4Addr::from(client.read_u32().await?).to_string(),
        3 => String::from_utf8(read_counted(client).await?).unwrap(),
        4 => std::net::Ipv6Addr::from(client.read_u128().await?).to_string(),
        other => panic!("address type {other}"),
    };
    let port = client.read_u16().await?;
    asked.lock().unwrap().push(format!("{host} {port}"));
    let place = if host == "broker.internal" { "127.0.0.1" } else { &host };
    let target = TcpStream::connect((place, port)).await;
    let code = match &target {
        Ok(_) => 0,
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => 5,
        Err(_) => 4,
    };
    client.write_all(&[5, code, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    if let Ok(mut target) = target {
        tokio::io::copy_bidirectional(client, &mut target).await?;
    }
    Ok(())
}

async fn read_counted(client: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; client.read_u8().await?.into()];
    client.read_exact(&mut bytes).await?;
    Ok(bytes)
}

/// An HTTP proxy that requires this `Proxy-Authorization`, if any.
async fn http_proxy(authorization: Option<&'static str>) -> (SocketAddr, Targets) {
    let targets = Targets::default();
    let asked = Arc::clone(&targets);
    let address = server::spawn(move |mut client| {
        let asked = Arc::clone(&asked);
        async move {
            let mut request = Vec::new();
            while !request.ends_with(b"\r\n\r\n") {
                if client.read_buf(&mut request).await.unwrap() == 0 {
                    return;
                }
            }
            let request = String::from_utf8(request).unwrap();
            let target = request.split(' ').nth(1).unwrap().to_owned();
            assert!(request.starts_with(&format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n")));
            let given = request.lines().find_map(|line| line.strip_prefix("Proxy-Authorization: "));
            if given != authorization {
                // The proxy repeats the credentials it received.
                let refusal = format!(
                    "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n<h1>Who are you?</h1> {}",
                    given.unwrap_or_default()
                );
                client.write_all(refusal.as_bytes()).await.unwrap();
                return;
            }
            asked.lock().unwrap().push(target.clone());
            let place = target.replace("broker.internal", "127.0.0.1");
            match TcpStream::connect(place).await {
                Err(_) => {
                    client.write_all(b"HTTP/1.1 502 Bad Gateway\r\n\r\nno way there\n").await.unwrap();
                }
                Ok(mut target) => {
                    // In two pieces: the head ends only at the blank line.
                    client.write_all(b"HTTP/1.1 200 OK\r\nVia: te").await.unwrap();
                    client.flush().await.unwrap();
                    tokio::task::yield_now().await;
                    client.write_all(b"st\r\n\r\n").await.unwrap();
                    let _ = tokio::io::copy_bidirectional(&mut client, &mut target).await;
                }
            }
        }
    })
    .await;
    (address, targets)
}

fn through(proxy: &str, host: &str, port: u16) -> Endpoint {
    Endpoint { proxy: Some(Proxy::from_url(proxy).unwrap()), ..Endpoint::plain(host, port) }
}

async fn closed_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap()
}

fn proxy_error(outcome: Result<Stream, Error>) -> Error {
    error_of(Layer::Proxy, outcome)
}

#[tokio::test]
async fn socks5_with_the_name_looked_up_there() {
    let broker = server::spawn(server::echo).await;
    let (proxy, targets) = socks5(None).await;
    let endpoint = through(&format!("socks5h://{proxy}"), "broker.internal", broker.port());
    let mut steps = Vec::new();
    let mut stream = dial_observed(&endpoint, &mut |step| steps.push(step)).await.unwrap();
    round_trip(&mut stream).await.unwrap();
    assert_eq!(targets.lock().unwrap().as_slice(), [format!("broker.internal {}", broker.port())]);
    assert_eq!(stream.peer(), proxy.to_string());
    assert!(matches!(stream, Stream::Tcp(_)));
    assert!(stream.tcp().unwrap().nodelay().unwrap());
    let [Step::Resolved { .. }, Step::Connected { .. }, Step::Tunnelled { .. }] = steps.as_slice() else {
        panic!("{steps:?}");
    };
}

#[tokio::test]
async fn socks5_with_the_name_looked_up_here() {
    let broker = server::spawn(server::echo).await;
    let (proxy, targets) = socks5(None).await;
    let url = format!("socks5://{proxy}");
    let mut stream = dial(&through(&url, "127.0.0.1", broker.port())).await.unwrap();
    round_trip(&mut stream).await.unwrap();
    assert_eq!(targets.lock().unwrap().as_slice(), [format!("127.0.0.1 {}", broker.port())]);
    error_of(Layer::Resolve, dial(&through(&url, "nosuch.invalid", 1)).await);
    // A broker that listens only on the name's second address is found as well.
    let mut stream = dial(&through(&url, "localhost", broker.port())).await.unwrap();
    round_trip(&mut stream).await.unwrap();
}

#[tokio::test]
async fn socks5_with_a_password() {
    let broker = server::spawn(server::echo).await;
    let (proxy, _) = socks5(Some(("me", "a@b"))).await;
    let to_broker = |url: String| through(&url, "127.0.0.1", broker.port());
    let mut stream = dial(&to_broker(format!("socks5h://me:a%40b@{proxy}"))).await.unwrap();
    round_trip(&mut stream).await.unwrap();
    let error = proxy_error(dial(&to_broker(format!("socks5h://me:hush@{proxy}"))).await);
    assert_says(&error, &[&format!("proxy: {proxy} refused the user name or the password")]);
    assert!(!error.to_string().contains("hush"));
    let error = proxy_error(dial(&to_broker(format!("socks5h://{proxy}"))).await);
    assert_says(&error, &["does not accept a client that does not authenticate"]);
    assert_eq!(error.retry(), Retry::Never);
}

/// RFC 1929 has no empty password: the error names what is missing before any connection.
#[test]
fn socks5_with_an_empty_password_is_refused_by_name() {
    for (url, what) in [
        ("socks5h://me:@127.0.0.1:1", "a password of 1 to 255 bytes (RFC 1929), and this one has 0"),
        ("socks5h://me@127.0.0.1:1", "a password of 1 to 255 bytes (RFC 1929), and this one has 0"),
        ("socks5://:secret@127.0.0.1:1", "a user name of 1 to 255 bytes (RFC 1929), and this one has 0"),
    ] {
        let error = Proxy::from_url(url).unwrap_err();
        assert!(matches!(error, Error::Usage { .. }) && error.to_string().contains(what), "{url}: {error}");
        assert_eq!(error.hint(), Some("--proxy socks5h://USER:PASSWORD@HOST"));
    }
    let long = "x".repeat(256);
    let error = Proxy::from_url(&format!("socks5h://me:{long}@127.0.0.1:1")).unwrap_err();
    assert!(
        error.to_string().ends_with("and this one has 256") && !error.to_string().contains("xx"),
        "{error}"
    );
    // HTTP has one.
    assert!(Proxy::from_url("http://me:@127.0.0.1:1").is_ok());
}

/// Bytes that are not SOCKS5 are not reported as a refused password.
#[tokio::test]
async fn socks5_answers_that_were_not_asked_for_are_named() {
    const REPLY: &[u8] = &[5, 99, 0, 1, 0, 0, 0, 0, 0, 0];
    const UNKNOWN: &str = "sent the reply code 99, which SOCKS5 does not have";
    const ANSWERS: [(&str, &[&[u8]], &str); 8] = [
        ("", &[&[5, 1]], "chose to authenticate by GSSAPI, which was not offered"),
        ("", &[&[5, 0x80]], "chose method 128 to authenticate, which was not offered"),
        ("", &[&[5, 2]], "asks for user name and password"),
        ("", &[&[5, 0xff]], "does not accept a client that does not authenticate"),
        ("u:p@", &[&[5, 0xff]], "accepts neither user name and password nor a client without them"),
        ("", &[&[5, 0], REPLY], UNKNOWN),
        ("u:p@", &[&[5, 0], REPLY], UNKNOWN),
        ("u:p@", &[&[5, 2], &[1, 0], REPLY], UNKNOWN),
    ];
    for (credentials, answers, says) in ANSWERS {
        let proxy = server::spawn(move |mut client| async move {
            let mut block = [0; 512];
            for answer in answers {
                let _ = client.read(&mut block).await;
                let _ = client.write_all(answer).await;
            }
            let _ = client.read(&mut block).await;
        });
        let url = format!("socks5h://{credentials}{}", proxy.await);
        let error = proxy_error(dial(&through(&url, "127.0.0.1", 1)).await);
        assert_says(&error, &[says]);
    }
}

#[tokio::test]
async fn a_broker_that_socks5_cannot_reach_is_named() {
    let (proxy, _) = socks5(None).await;
    let closed = closed_port().await;
    let url = format!("socks5h://{proxy}");
    let error = proxy_error(dial(&through(&url, "127.0.0.1", closed.port())).await);
    assert_says(&error, &[&format!("{proxy} cannot reach {closed}: connection refused")]);
    assert_eq!(error.retry(), Retry::Later);
}

#[tokio::test]
async fn http_connect_with_and_without_a_password() {
    let broker = server::spawn(server::echo).await;
    let (proxy, targets) = http_proxy(None).await;
    let mut stream =
        dial(&through(&format!("http://{proxy}"), "broker.internal", broker.port())).await.unwrap();
    round_trip(&mut stream).await.unwrap();
    assert_eq!(targets.lock().unwrap().as_slice(), [format!("broker.internal:{}", broker.port())]);

    let (proxy, _) = http_proxy(Some("Basic bWU6c2VjcmV0")).await;
    let to_broker = |url: String| through(&url, "127.0.0.1", broker.port());
    let mut stream = dial(&to_broker(format!("http://me:secret@{proxy}"))).await.unwrap();
    round_trip(&mut stream).await.unwrap();
    let error = proxy_error(dial(&to_broker(format!("http://{proxy}"))).await);
    assert_says(&error, &["'HTTP 407 Proxy Authentication Required'", "Who are you?"]);
    assert!(error.hint().unwrap().contains("USER:PASSWORD"));
    let error = proxy_error(dial(&to_broker(format!("http://you:secret@{proxy}"))).await);
    assert_says(&error, &["Who are you? Basic …"]);
    assert!(error.hint().unwrap().contains("does not accept the user name and password"));
}

#[tokio::test]
async fn http_proxy_that_does_not_offer_basic_authentication_is_named() {
    for (offers, is_hint) in [
        (
            "Proxy-Authenticate: NTLM\r\nProxy-Authenticate: Negotiate\r\n",
            "wants NTLM or Negotiate authentication",
        ),
        ("Proxy-Authenticate: Digest realm=\"a, b\", nonce=\"x\"\r\n", "only Basic is supported"),
        ("Proxy-Authenticate: Negotiate, Basic realm=\"a\"\r\n", "USER:PASSWORD"),
        ("", "USER:PASSWORD"),
    ] {
        let proxy = server::spawn(move |mut client| async move {
            let mut request = [0; 1024];
            let _ = client.read(&mut request).await;
            let answer = format!("HTTP/1.1 407 No\r\n{offers}Content-Length: 0\r\n\r\n");
            let _ = client.write_all(answer.as_bytes()).await;
        });
        let error = proxy_error(dial(&through(&format!("http://{}", proxy.await), "b", 1)).await);
        assert!(error.hint().unwrap().contains(is_hint), "{offers}: {:?}", error.hint());
    }
}

#[tokio::test]
async fn a_broker_that_an_http_proxy_cannot_reach_gives_its_answer() {
    let (proxy, _) = http_proxy(None).await;
    let closed = closed_port().await;
    let error = proxy_error(dial(&through(&format!("http://{proxy}"), "127.0.0.1", closed.port())).await);
    assert_says(
        &error,
        &[&format!("'HTTP 502 Bad Gateway' to the request for a tunnel to {closed}: no way there")],
    );
    assert_eq!(error.retry(), Retry::Later);
}

/// A body without a length ends with the connection, or not at all: the cause is named nevertheless.
#[tokio::test(start_paused = true)]
async fn answers_of_an_http_proxy_without_a_length_are_named() {
    for (answer, closes, says) in [
        ("HTTP/1.1 502 Bad Gateway\r\n\r\nno way there\n", true, "'HTTP 502 Bad Gateway'|: no way there"),
        ("HTTP/1.1 502 Bad Gateway\r\n\r\nno way there\n", false, "'HTTP 502 Bad Gateway'|: no way there"),
        ("HTTP/1.0 503 Busy\r\n\r\n", false, "'HTTP 503 Busy' to the request for a tunnel to b:1"),
        ("HTTP/1.1 407 No\r\nContent-Length: nonsense\r\n\r\nwho?", false, "'HTTP 407 No'|: who?"),
        ("HTTP/1.1 403\r\n\r\n", true, "'HTTP 403' to the request for a tunnel to b:1"),
        ("HTTP/1.1 502 Bad Gateway\r\n", true, "closed the connection in the middle of its answer"),
        ("HTTP/1.1 200 OK\r\n\r\n<html>", false, "and sent data before a request to the broker"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = tokio::spawn(async move {
            let (mut client, _) = listener.accept().await.unwrap();
            let _ = client.read(&mut [0; 1024]).await;
            client.write_all(answer.as_bytes()).await.unwrap();
            if closes {
                return;
            }
            let _ = client.read_to_end(&mut Vec::new()).await;
        });
        let error = proxy_error(dial(&through(&format!("http://{address}"), "b", 1)).await);
        assert_says(&error, &says.split('|').collect::<Vec<_>>());
        serving.await.unwrap();
    }
}

#[tokio::test]
async fn tls_goes_through_a_proxy_to_the_brokers_name() {
    let authority = Authority::root("Test CA");
    let files = Files::new();
    let broker = TlsServer::new(authority.issue(&params("broker", &["broker.internal"]))).start().await;
    let options =
        TlsOptions { ca_files: vec![files.write("ca.pem", authority.pem())], ..TlsOptions::default() };
    let tls = Arc::new(TlsConfig::load(&options).unwrap());
    let (socks, _) = socks5(None).await;
    let (http, _) = http_proxy(None).await;
    for url in [format!("socks5h://{socks}"), format!("http://{http}")] {
        let endpoint = Endpoint {
            proxy: Some(Proxy::from_url(&url).unwrap()),
            ..Endpoint::tls("broker.internal", broker.port(), Arc::clone(&tls))
        };
        let mut stream = dial(&endpoint).await.unwrap();
        round_trip(&mut stream).await.unwrap();
        assert!(stream.tls().is_some());
    }
}

#[tokio::test]
async fn an_unreachable_proxy_is_an_error_of_the_proxys_layer() {
    let closed = closed_port().await;
    let error = proxy_error(dial(&through(&format!("http://{closed}"), "broker.internal", 1)).await);
    assert_eq!(error.to_string(), format!("proxy: connection: {closed}: connection refused"));
    assert_eq!(error.hint(), None);
    let error = proxy_error(dial(&through("http://nosuch.invalid", "broker.internal", 1)).await);
    assert_says(&error, &["proxy: name look-up: no address for 'nosuch.invalid'"]);
}

#[tokio::test]
async fn port_that_is_not_a_proxy_is_recognised() {
    let babbling = server::spawn(|mut stream| async move {
        let mut request = [0; 16];
        let _ = stream.read(&mut request).await;
        let _ = stream.write_all(b"220 mail.example ready\r\n").await;
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    })
    .await;
    let error = proxy_error(dial(&through(&format!("http://{babbling}"), "b", 1)).await);
    assert_says(&error, &["does not speak HTTP"]);
    let error = proxy_error(dial(&through(&format!("socks5h://{babbling}"), "b", 1)).await);
    assert_says(&error, &["does not speak SOCKS5"]);

    let closing = server::spawn(|mut stream| async move {
        let mut request = [0; 1024];
        let _ = stream.read(&mut request).await;
    })
    .await;
    let error = proxy_error(dial(&through(&format!("http://{closing}"), "b", 1)).await);
    assert_says(&error, &["closed the connection without an answer"]);
    let error = proxy_error(dial(&through(&format!("socks5h://{closing}"), "b", 1)).await);
    assert_says(&error, &["closed the connection"]);

    let silent = server::spawn(|mut stream| async move {
        let mut rest = Vec::new();
        let _ = stream.read_to_end(&mut rest).await;
    })
    .await;
    let mut endpoint = through(&format!("http://{silent}"), "b", 1);
    endpoint.connect_timeout = Duration::from_millis(100);
    let error = proxy_error(dial(&endpoint).await);
    assert_says(&error, &["did not open the tunnel within 100ms"]);
}

#[tokio::test]
async fn a_name_cannot_smuggle_headers_into_the_request() {
    let (proxy, targets) = http_proxy(None).await;
    let outcome = dial(&through(&format!("http://{proxy}"), "b\r\nX: y", 1)).await;
    error_of(Layer::Resolve, outcome);
    assert!(targets.lock().unwrap().is_empty());
}

/// The probe for TLS goes through the same proxy.
#[tokio::test]
async fn a_server_behind_a_proxy_is_asked_for_tls() {
    let authority = Authority::root("Test CA");
    let secure = TlsServer::new(authority.issue(&params("broker", &["broker.internal"]))).start().await;
    let plain = server::spawn(|mut stream| async move {
        stream.read_u8().await.unwrap();
    })
    .await;
    let (proxy, targets) = socks5(None).await;
    let proxy = format!("socks5h://{proxy}");
    assert!(speaks_tls(&through(&proxy, "broker.internal", secure.port())).await);
    assert!(!speaks_tls(&through(&proxy, "broker.internal", plain.port())).await);
    let asked = targets.lock().unwrap().clone();
    assert_eq!(asked, [secure, plain].map(|target| format!("broker.internal {}", target.port())));
}
