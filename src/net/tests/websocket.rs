//! WebSockets, plain and in TLS.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use futures_util::{SinkExt, StreamExt};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::pki::{Authority, Files, params};
use super::server::{self, TlsServer};
use super::{assert_says, error_of, round_trip};
use crate::error::{Error, Layer, Retry};
use crate::net::{
    Address, Endpoint, Step, Stream, TlsConfig, TlsOptions, Transport, WebSocketOptions, broken, dial,
    dial_observed,
};

fn endpoint(address: SocketAddr, options: WebSocketOptions) -> Endpoint {
    Endpoint {
        transport: Transport::WebSocket(options),
        ..Endpoint::plain(address.ip().to_string(), address.port())
    }
}

/// The server's side of the upgrade; it chooses the subprotocol `mqtt`.
async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    mut seen: impl FnMut(&Request) + Unpin,
) -> WebSocketStream<S> {
    #[expect(clippy::result_large_err, reason = "the library's own signature")]
    let choose = |request: &Request, mut response: Response| {
        seen(request);
        response.headers_mut().insert("Sec-WebSocket-Protocol", "mqtt".parse().unwrap());
        Ok(response)
    };
    tokio_tungstenite::accept_hdr_async(stream, choose).await.unwrap()
}

/// Sends every binary message back.
async fn echo<S: AsyncRead + AsyncWrite + Unpin>(mut socket: WebSocketStream<S>) {
    while let Some(Ok(message)) = socket.next().await {
        if message.is_binary() && socket.send(message).await.is_err() {
            return;
        }
    }
}

/// A server that sends these messages and then reads until the client closes.
async fn sending(messages: Vec<Message>) -> SocketAddr {
    server::spawn(move |stream| {
        let messages = messages.clone();
        async move {
            let mut socket = accept(stream, |_| {}).await;
            for message in messages {
                socket.send(message).await.unwrap();
            }
            while let Some(Ok(_)) = socket.next().await {}
        }
    })
    .await
}

/// A server that answers each request with these bytes.
async fn answering(answer: &'static str) -> SocketAddr {
    server::spawn(move |mut stream| async move {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut request).await.unwrap() == 0 {
                return;
            }
        }
        stream.write_all(answer.as_bytes()).await.unwrap();
        let _ = stream.shutdown().await;
    })
    .await
}

async fn dialled(address: SocketAddr) -> Result<Stream, Error> {
    dial(&endpoint(address, WebSocketOptions::default())).await
}

#[tokio::test]
async fn a_web_socket_carries_bytes_and_sends_what_was_asked_for() {
    let requests = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&requests);
    let address = server::spawn(move |stream| {
        let seen = Arc::clone(&seen);
        async move {
            let note = |request: &Request| {
                let header = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
                seen.lock().unwrap().push([
                    request.uri().to_string(),
                    header("host"),
                    header("sec-websocket-protocol"),
                    header("x-api-key"),
                ]);
            };
            echo(accept(stream, note).await).await;
        }
    })
    .await;
    let options = WebSocketOptions {
        path: "/broker/mqtt?tenant=a%20b".into(),
        headers: vec![("X-Api-Key".into(), "4711".into())],
        ..WebSocketOptions::default()
    };
    let mut steps = Vec::new();
    let mut stream = dial_observed(&endpoint(address, options), &mut |step| steps.push(step)).await.unwrap();
    round_trip(&mut stream).await.unwrap();
    let expected =
        ["/broker/mqtt?tenant=a%20b".to_owned(), address.to_string(), "mqtt".into(), "4711".into()];
    assert_eq!(requests.lock().unwrap().as_slice(), [expected]);
    assert!(matches!(steps.last(), Some(Step::Upgraded { .. })), "{steps:?}");
    assert_eq!(stream.peer(), address.to_string());
    assert!(stream.tcp().unwrap().nodelay().unwrap());
    assert!(stream.tls().is_none());
}

#[tokio::test]
async fn a_web_socket_goes_in_tls() {
    let authority = Authority::root("Test CA");
    let files = Files::new();
    let acceptor = TlsServer::new(authority.issue(&params("broker", &["localhost"]))).acceptor();
    let address = server::spawn(move |stream| {
        let acceptor = acceptor.clone();
        async move { echo(accept(acceptor.accept(stream).await.unwrap(), |_| {}).await).await }
    })
    .await;
    let tls = TlsConfig::load(&TlsOptions {
        ca_files: vec![files.write("ca.pem", authority.pem())],
        ..TlsOptions::default()
    });
    let secure = Endpoint {
        transport: Transport::SecureWebSocket(WebSocketOptions::default()),
        ..Endpoint::tls("localhost", address.port(), Arc::new(tls.unwrap()))
    };
    let mut stream = dial(&secure).await.unwrap();
    round_trip(&mut stream).await.unwrap();
    assert_eq!(stream.tls().unwrap().certificates[0].subject, "CN=broker");
}

#[tokio::test]
async fn packets_may_cross_message_boundaries() {
    // A packet in several messages, several packets in one message, empty messages and pings between them.
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let mut messages = vec![Message::Binary(Vec::new().into())];
    for (number, chunk) in bytes[..50_000].chunks(1_999).enumerate() {
        messages.push(Message::Binary(chunk.to_vec().into()));
        if number % 5 == 0 {
            messages.push(Message::Ping(b"?".to_vec().into()));
            messages.push(Message::Binary(Vec::new().into()));
        }
    }
    messages.push(Message::Binary(bytes[50_000..].to_vec().into()));
    messages.push(Message::Close(None));
    let address = sending(messages).await;
    let mut stream = dialled(address).await.unwrap();
    let mut received = Vec::new();
    // Portions of odd size leave messages partly read.
    let mut portion = [0; 777];
    loop {
        let length = stream.read(&mut portion).await.unwrap();
        if length == 0 {
            break;
        }
        received.extend_from_slice(&portion[..length]);
    }
    assert!(received == bytes);
    // A read after the end returns the end again.
    assert_eq!(stream.read(&mut portion).await.unwrap(), 0);
}

#[tokio::test]
async fn megabytes_go_out_under_back_pressure() {
    let address = server::spawn(|stream| async move { echo(accept(stream, |_| {}).await).await }).await;
    let stream = dialled(address).await.unwrap();
    let bytes: Vec<u8> = (0..=250).cycle().take(3_000_000).collect();
    let (mut reader, mut writer) = tokio::io::split(stream);
    let sent = bytes.clone();
    let writing = tokio::spawn(async move {
        writer.write_all(&sent).await.unwrap();
        writer.flush().await.unwrap();
        writer
    });
    let mut received = vec![0; bytes.len()];
    reader.read_exact(&mut received).await.unwrap();
    assert!(received == bytes);
    writing.await.unwrap();
}

#[tokio::test]
async fn shutdown_sends_a_close_frame() {
    let (told, closed) = tokio::sync::oneshot::channel();
    let told = Arc::new(Mutex::new(Some(told)));
    let address = server::spawn(move |stream| {
        let told = Arc::clone(&told);
        async move {
            let mut socket = accept(stream, |_| {}).await;
            while let Some(Ok(message)) = socket.next().await {
                if message.is_close() {
                    let told = told.lock().unwrap().take();
                    told.unwrap().send(()).unwrap();
                }
            }
        }
    })
    .await;
    let mut stream = dialled(address).await.unwrap();
    stream.shutdown().await.unwrap();
    closed.await.unwrap();
    assert_eq!(stream.read(&mut [0; 1]).await.unwrap(), 0);
}

#[tokio::test]
async fn close_of_the_broker_ends_the_stream() {
    // With a close frame and without one.
    let polite =
        sending(vec![Message::Close(Some(CloseFrame { code: CloseCode::Normal, reason: "bye".into() }))])
            .await;
    let rude = server::spawn(|stream| async move { drop(accept(stream, |_| {}).await) }).await;
    for address in [polite, rude] {
        let mut stream = dialled(address).await.unwrap();
        assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0);
    }
}

/// The error of the first read.
async fn read_error(address: SocketAddr) -> Error {
    let mut stream = dialled(address).await.unwrap();
    let error = broken(&stream.read(&mut [0; 8]).await.unwrap_err());
    error_of(Layer::WebSocket, Err::<(), _>(error))
}

#[tokio::test]
async fn close_reason_of_the_broker_is_shown() {
    let frame = CloseFrame { code: CloseCode::Policy, reason: "too\u{1b} many".into() };
    let error = read_error(sending(vec![Message::Close(Some(frame))]).await).await;
    assert_says(&error, &["closed the WebSocket with code 1008: too\\x1b many"]);
}

/// A server that answers with these lines and the correct `Sec-WebSocket-Accept`.
async fn switching(lines: &'static str) -> SocketAddr {
    server::spawn(move |mut stream| async move {
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut request).await.unwrap() == 0 {
                return;
            }
        }
        let request = String::from_utf8(request).unwrap();
        let is_key = |line: &&str| line.to_ascii_lowercase().starts_with("sec-websocket-key: ");
        let key = request.lines().find(is_key).unwrap().split_once(": ").unwrap().1;
        let accept = tokio_tungstenite::tungstenite::handshake::derive_accept_key(key.as_bytes());
        let answer = format!(
            "{lines}Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Protocol: mqtt\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n\u{82}"
        );
        // A first message, its first byte written as Latin-1.
        stream.write_all(&answer.chars().map(|c| c as u8).collect::<Vec<u8>>()).await.unwrap();
        stream.write_all(b"\x02ok").await.unwrap();
        let _ = stream.read(&mut [0; 64]).await;
    })
    .await
}

#[tokio::test]
async fn interim_answers_come_before_the_upgrade() {
    let address = switching(
        "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n\
         HTTP/1.1 101 Switching Protocols\r\n",
    )
    .await;
    let mut first = [0; 2];
    dialled(address).await.unwrap().read_exact(&mut first).await.unwrap();
    assert_eq!(&first, b"ok");
}

/// RFC 6455, section 4.1.
#[tokio::test]
async fn an_upgrade_with_an_extension_or_in_old_http_fails() {
    for (lines, expected) in [
        (
            "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Extensions: permessage-deflate\r\n",
            "'HTTP 101 Switching Protocols', but with a WebSocket extension, which is not supported",
        ),
        ("HTTP/1.0 101 Yes\r\n", "'HTTP 101 Yes', but in HTTP/1.0, which has no WebSockets"),
    ] {
        let error = error_of(Layer::WebSocket, dialled(switching(lines).await).await);
        assert_says(&error, &[expected]);
    }
}

/// The library uses 1002 for the invalid code; the server did not send it.
#[tokio::test]
async fn close_with_an_invalid_code_is_not_reported_as_1002() {
    for (frame, expected) in [
        (&b"\x88\x02\x03\xe7"[..], "closed the WebSocket with code 1002 or one that is not allowed"),
        (b"\x88\x04\x03\xe8\xff\xfe", "broke the WebSocket protocol: text that is not UTF-8"),
        (b"\x88\x05\x03\xeabad", "closed the WebSocket with code 1002: bad"),
    ] {
        let address = server::spawn(move |stream| async move {
            let mut socket = accept(stream, |_| {}).await;
            socket.get_mut().write_all(frame).await.unwrap();
            while let Some(Ok(_)) = socket.next().await {}
        })
        .await;
        assert_says(&read_error(address).await, &[expected]);
    }
}

/// A server that sends pings and reads nothing gets an answer only to the latest ping.
#[tokio::test]
async fn a_flood_of_pings_does_not_pile_up() {
    const PINGS: u32 = 200_000;
    let payload = |number: u32| [number.to_be_bytes().as_slice(), &[0; 121]].concat();
    let (report, reported) = tokio::sync::oneshot::channel();
    let report = Arc::new(Mutex::new(Some(report)));
    let address = server::spawn(move |stream| {
        let report = Arc::clone(&report);
        async move {
            let mut socket = accept(stream, |_| {}).await;
            for number in 0..PINGS {
                let ping = [&[0x89, 125][..], &payload(number)].concat();
                socket.get_mut().write_all(&ping).await.unwrap();
            }
            socket.send(Message::Binary(b"end".as_slice().into())).await.unwrap();
            let (mut pongs, mut latest) = (0, Vec::new());
            while let Some(Ok(message)) = socket.next().await {
                match message {
                    Message::Pong(payload) => (pongs, latest) = (pongs + 1, payload.to_vec()),
                    Message::Binary(bytes) => {
                        assert_eq!(bytes.as_ref(), b"more");
                        if latest == payload(PINGS - 1) {
                            break;
                        }
                    }
                    other => panic!("{other:?}"),
                }
            }
            report.lock().unwrap().take().unwrap().send((pongs, latest)).unwrap();
        }
    })
    .await;
    let mut stream = dialled(address).await.unwrap();
    let mut end = [0; 3];
    stream.read_exact(&mut end).await.unwrap();
    assert_eq!(&end, b"end");
    // Written data is sent between the answers to pings; the latest answer may follow it.
    for _ in 0..2 {
        stream.write_all(b"more").await.unwrap();
        stream.flush().await.unwrap();
    }
    let (pongs, latest) = reported.await.unwrap();
    assert_eq!(latest, payload(PINGS - 1));
    assert!(pongs < PINGS, "every one of {pongs} pings was kept");
}

#[tokio::test]
async fn a_text_message_is_an_error() {
    let error = read_error(sending(vec![Message::Text("hello".into())]).await).await;
    assert_says(&error, &["text message"]);
}

#[tokio::test]
async fn a_message_over_the_limit_is_an_error() {
    let address = sending(vec![Message::Binary(vec![0; 2_000].into())]).await;
    let options = WebSocketOptions { max_message_size: 1_000, ..WebSocketOptions::default() };
    let mut stream = dial(&endpoint(address, options)).await.unwrap();
    let error = broken(&stream.read(&mut [0; 8]).await.unwrap_err());
    assert_says(&error, &["WebSocket: ", "2000 bytes; the limit is 1000"]);
}

#[tokio::test]
async fn an_http_refusal_gives_status_and_first_line() {
    let address = answering("HTTP/1.1 404 Not Found\r\nContent-Length: 15\r\n\r\nNo broker here\n").await;
    let error = error_of(Layer::WebSocket, dialled(address).await);
    assert_says(&error, &["'HTTP 404 Not Found' to the upgrade of /mqtt: No broker here"]);
    assert!(error.hint().unwrap().contains("--ws-path"));
    assert_eq!(error.retry(), Retry::Once);

    let address = answering("HTTP/1.1 302 Found\r\nLocation: https://elsewhere/\r\n\r\n").await;
    assert_says(&error_of(Layer::WebSocket, dialled(address).await), &["pointing to https://elsewhere/"]);

    // Load balancers without a reachable server still answer in HTTP/1.0.
    let address = answering("HTTP/1.0 502 Bad Gateway\r\n\r\n<h1>no upstream</h1>").await;
    let error = error_of(Layer::WebSocket, dialled(address).await);
    assert_says(&error, &["'HTTP 502 Bad Gateway' to the upgrade of /mqtt: no upstream"]);

    let address = answering("HTTP/1.1 503 Service Unavailable\r\n\r\n").await;
    assert_eq!(error_of(Layer::WebSocket, dialled(address).await).retry(), Retry::Later);
}

/// The server repeats the request's secrets; the error does not.
#[tokio::test]
async fn an_http_refusal_gives_no_secret_away() {
    let path = "/mqtt?token=hunter2";
    for (answer, says) in [
        ("HTTP/1.1 302 Found\r\nLocation: /login?next=/mqtt?token=hunter2\r\n\r\n", "pointing to /login?…"),
        // The secret in another encoding.
        ("HTTP/1.1 301 Gone\r\nLocation: wss://h/mqtt?token=h%75nter2\r\n\r\n", "pointing to wss://h/mqtt?…"),
        (
            "HTTP/1.1 404 No hunter2\r\n\r\nCannot GET /mqtt?token=hunter2 with Bearer hunter3\n",
            "'HTTP 404 No …' to the upgrade of /mqtt: Cannot GET /mqtt?… with …",
        ),
    ] {
        let options = WebSocketOptions {
            path: path.into(),
            headers: vec![("Authorization".into(), "Bearer hunter3".into())],
            ..WebSocketOptions::default()
        };
        let error = error_of(Layer::WebSocket, dial(&endpoint(answering(answer).await, options)).await);
        assert_says(&error, &[says]);
        assert!(!error.to_string().contains("nter"), "{error}");
    }
}

#[tokio::test]
async fn another_subprotocol_is_refused() {
    let address = server::spawn(|stream| async move {
        #[expect(clippy::result_large_err, reason = "the library's own signature")]
        let choose = |_: &Request, mut response: Response| {
            response.headers_mut().insert("Sec-WebSocket-Protocol", "chat".parse().unwrap());
            Ok(response)
        };
        let _ = tokio_tungstenite::accept_hdr_async(stream, choose).await;
    })
    .await;
    let error = error_of(Layer::WebSocket, dialled(address).await);
    assert_says(&error, &["chose another subprotocol; MQTT needs 'mqtt'"]);
    let address = server::spawn(|stream| async move {
        let _ = tokio_tungstenite::accept_async(stream).await;
    })
    .await;
    assert_says(&error_of(Layer::WebSocket, dialled(address).await), &["chose no subprotocol"]);
}

#[tokio::test]
async fn port_without_websockets_is_recognised() {
    let address = answering("\u{15}\u{3}\u{1}\u{0}\u{2}\u{2}\u{46}").await;
    let error = error_of(Layer::WebSocket, dialled(address).await);
    assert_says(&error, &["the broker expects TLS on this port"]);
    assert!(error.hint().unwrap().contains("wss://"));
    let address = answering("220 mail.example\r\n").await;
    assert_says(&error_of(Layer::WebSocket, dialled(address).await), &["the broker's answer is not HTTP"]);
    // Not even a 101 response.
    let address = answering("HTTP/1.1 101 Yes\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n").await;
    let error = error_of(Layer::WebSocket, dialled(address).await);
    assert_says(&error, &["answered 'HTTP 101 Yes', but not as a WebSocket server must"]);
    let address = answering("").await;
    let error = error_of(Layer::WebSocket, dialled(address).await);
    assert_says(&error, &["closed the connection during the upgrade"]);
}

#[tokio::test]
async fn a_bad_path_is_found_before_the_connection() {
    let options = WebSocketOptions { path: "no slash".into(), ..WebSocketOptions::default() };
    let endpoint = Endpoint {
        address: Address::Tcp { host: "nosuch.invalid".into(), port: 80 },
        transport: Transport::WebSocket(options),
        ..Endpoint::plain("unused", 0)
    };
    assert!(matches!(dial(&endpoint).await, Err(Error::Usage { .. })));
}
