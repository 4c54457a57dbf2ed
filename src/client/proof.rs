//! Proves that a link carries packets before what ended the last one is sent on it again.

use std::pin::pin;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::sleep;

use crate::error::{Error, Layer, Sign};
use crate::net::{self, within};
use crate::protocol::wire::{self, PacketType};
use crate::quantity;

/// How much is read before PINGRESP. A broker that sends more than this is there.
const MOST_BYTES: usize = 64 * 1024;
const READ_BYTES: usize = 4 * 1024;

/// What the broker sent while it was asked.
#[derive(Debug)]
pub(super) struct Proof {
    /// It has answered: the link carries packets in both directions.
    pub(super) answered: bool,
    /// Everything but the PINGRESP, in its order.
    pub(super) received: Vec<u8>,
}

/// Sends PINGREQ and waits for PINGRESP ([MQTT-3.12.4-1]), or for anything that ends the wait: DISCONNECT, a packet
/// that is malformed, or many bytes. `received` is what has come behind CONNACK.
///
/// # Errors
/// The stream ends, or `limit` is over.
pub(super) async fn prove<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    received: Vec<u8>,
    limit: Duration,
) -> Result<Proof, Error> {
    within(pin!(ask(stream, received)), pin!(sleep(limit))).await.unwrap_or_else(|| {
        let cause = format!("the broker has not answered PINGREQ within {}", quantity::duration(limit));
        Err(Error::link(Layer::Mqtt, cause).signed(Sign::Silent))
    })
}

async fn ask<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut S,
    mut received: Vec<u8>,
) -> Result<Proof, Error> {
    let mut packet = BytesMut::new();
    wire::ping_request(&mut packet);
    stream.write_all(&packet).await.map_err(|error| net::broken(&error))?;
    stream.flush().await.map_err(|error| net::broken(&error))?;
    let mut buffer = [0; READ_BYTES];
    let mut looked_at = 0;
    loop {
        while let Ok(Some(length)) = wire::frame(&received[looked_at..], wire::LARGEST_PACKET_BYTES) {
            match PacketType::from_bits(received[looked_at] >> 4) {
                Some(PacketType::PingResp) => {
                    received.drain(looked_at..looked_at + length);
                    return Ok(Proof { answered: true, received });
                }
                Some(PacketType::Disconnect) | None => return Ok(Proof { answered: false, received }),
                Some(_) => looked_at += length,
            }
        }
        let is_malformed = wire::frame(&received[looked_at..], wire::LARGEST_PACKET_BYTES).is_err();
        if is_malformed || received.len() >= MOST_BYTES {
            return Ok(Proof { answered: !is_malformed, received });
        }
        match stream.read(&mut buffer).await {
            Ok(0) => return Err(Error::link(Layer::Stream, "the broker closed the connection")),
            Ok(count) => received.extend_from_slice(&buffer[..count]),
            Err(error) => return Err(net::broken(&error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);
    const PINGRESP: [u8; 2] = [0xd0, 0];
    const DISCONNECT: [u8; 2] = [0xe0, 0];
    const PUBACK: [u8; 4] = [0x40, 2, 0, 1];

    /// The proof of a link on which the broker answers PINGREQ with `answer`, and then closes it.
    async fn proof(received: &[u8], answer: &[u8]) -> Result<Proof, Error> {
        let (mut near, mut far) = tokio::io::duplex(1 << 20);
        let broker = async {
            let mut request = [0; 2];
            far.read_exact(&mut request).await.unwrap();
            assert_eq!(request, [0xc0, 0]);
            far.write_all(answer).await.unwrap();
            drop(far);
        };
        tokio::join!(prove(&mut near, received.to_vec(), LIMIT), broker).0
    }

    #[tokio::test]
    async fn all_but_the_answer_stays() {
        let answer = [&PUBACK[2..], &PINGRESP, &PUBACK].concat();
        let proof = proof(&PUBACK[..2], &answer).await.unwrap();
        assert!(proof.answered);
        assert_eq!(proof.received, [PUBACK, PUBACK].concat());
    }

    #[tokio::test]
    async fn disconnect_is_no_answer_and_is_left_to_the_link() {
        let proof = proof(&[], &DISCONNECT).await.unwrap();
        assert!(!proof.answered);
        assert_eq!(proof.received, DISCONNECT);
    }

    #[tokio::test]
    async fn malformed_packet_is_left_to_the_link() {
        let proof = proof(&[], &[0xd0, 0xff, 0xff, 0xff, 0xff, 0xff]).await.unwrap();
        assert!(!proof.answered);
    }

    #[tokio::test]
    async fn broker_that_sends_much_is_there() {
        let proof = proof(&[], &PUBACK.repeat(MOST_BYTES)).await.unwrap();
        assert!(proof.answered);
        assert!(proof.received.len() < MOST_BYTES + READ_BYTES);
    }

    #[tokio::test]
    async fn link_that_ends_proves_nothing() {
        let error = proof(&[], &PUBACK).await.unwrap_err();
        assert_eq!(error.to_string(), "connection: the broker closed the connection");
    }

    #[tokio::test(start_paused = true)]
    async fn silent_broker_is_given_up() {
        let (mut near, _far) = tokio::io::duplex(64);
        let error = prove(&mut near, Vec::new(), LIMIT).await.unwrap_err();
        assert_eq!(error.to_string(), "the broker has not answered PINGREQ within 10s");
    }
}
