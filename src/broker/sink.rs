//! A broker that acknowledges everything and forwards nothing. A load on it measures the capacity of the load
//! generator.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, mpsc};

use bytes::BytesMut;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;

use crate::error::{Error, Layer};
use crate::protocol::property::PropertyBlock;
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{self, Packet, PacketType};
use crate::protocol::{Protocol, QoS};
use crate::thread::start;

/// Maximum size of one read.
const INPUT_BYTES: usize = 256 * 1024;

/// A running sink, in its own thread. Dropping it ends it.
pub struct Sink {
    address: SocketAddr,
    stop: Arc<Notify>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.stop.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Sink {
    /// Listens on a free port of 127.0.0.1.
    ///
    /// # Errors
    /// The system has no free port or no thread.
    pub fn start() -> Result<Self, Error> {
        let failed = |error: std::io::Error| Error::fatal(Layer::Connect, format!("cannot listen: {error}"));
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let stop = Arc::new(Notify::new());
        let stopped = Arc::clone(&stop);
        // The thread makes its runtime: it cannot be dropped here if there is no thread.
        let (ready, is_ready) = mpsc::sync_channel(1);
        let serve = move || {
            let built = tokio::runtime::Builder::new_current_thread().enable_all().build();
            let (runtime, outcome) = match built {
                Ok(runtime) => (Some(runtime), Ok(())),
                Err(error) => (None, Err(error)),
            };
            let _ = ready.send(outcome);
            let Some(runtime) = runtime else { return };
            runtime.block_on(async {
                let Ok(listener) = TcpListener::from_std(listener) else { return };
                tokio::select! {
                    () = accept(listener) => {}
                    () = stopped.notified() => {}
                }
            });
        };
        let thread = Some(start("sink", serve)?);
        is_ready.recv().unwrap_or_else(|_| Err(std::io::ErrorKind::Interrupted.into())).map_err(failed)?;
        Ok(Self { address, stop, thread })
    }

    /// The listening address.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn accept(listener: TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        tokio::spawn(serve(stream));
    }
}

async fn serve(mut stream: TcpStream) {
    let mut protocol = Protocol::V5;
    let (mut input, mut output) = (BytesMut::new(), BytesMut::new());
    loop {
        // An idle connection holds no buffer.
        if stream.readable().await.is_err() {
            return;
        }
        input.reserve(INPUT_BYTES);
        match stream.try_read_buf(&mut input) {
            Ok(0) => return,
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => continue,
            Err(_) => return,
        }
        let mut used = 0;
        while let Ok(Some(length)) = wire::frame(&input[used..], wire::LARGEST_PACKET_BYTES) {
            if !answer(&mut protocol, &input[used..used + length], &mut output) {
                return;
            }
            used += length;
        }
        let rest = input.split_off(used);
        input = if rest.is_empty() { BytesMut::new() } else { BytesMut::from(&rest[..]) };
        if !output.is_empty() && stream.write_all(&output).await.is_err() {
            return;
        }
        output.clear();
        if output.capacity() > INPUT_BYTES {
            output = BytesMut::new();
        }
    }
}

/// Appends the answer to a packet; returns whether the connection continues.
fn answer(protocol: &mut Protocol, packet: &[u8], out: &mut BytesMut) -> bool {
    let Ok(packet) = wire::decode(*protocol, packet) else { return false };
    let success = ReasonCode::SUCCESS;
    match packet {
        Packet::Connect(connect) => {
            *protocol = connect.protocol;
            wire::connack(out, *protocol, false, success, &PropertyBlock::default());
        }
        Packet::Publish(publish) => {
            let kind = match publish.qos {
                QoS::AtMostOnce => return true,
                QoS::AtLeastOnce => PacketType::PubAck,
                QoS::ExactlyOnce => PacketType::PubRec,
            };
            wire::ack(out, *protocol, kind, publish.packet_identifier, success);
        }
        Packet::PubRel(ack) => wire::ack(out, *protocol, PacketType::PubComp, ack.packet_identifier, success),
        Packet::Subscribe { packet_identifier, filters, .. } => {
            let granted: Vec<ReasonCode> =
                filters.iter().map(|filter| ReasonCode(filter.qos as u8)).collect();
            wire::suback(out, *protocol, packet_identifier, &granted);
        }
        Packet::PingReq => wire::ping_response(out),
        _ => return false,
    }
    true
}
