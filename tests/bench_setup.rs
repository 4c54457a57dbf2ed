//! Common setup of tests of `mqtt bench`: a real broker, a scenario file, the clients of a scripted server.

use ::mqtt::protocol::Protocol;
use serde_json::Value;

use crate::bench::{report, watched};
use crate::support::Service;
use crate::support::broker::Broker;
use crate::support::mosquitto::{Mosquitto, Setup};
use crate::support::outcome::Outcome;
use crate::support::packets;
use crate::support::server::{Listener, Peer};

/// A broker that follows no script.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Real {
    Embedded,
    Mosquitto,
}

impl Real {
    /// Starts the broker; `None` if it is not installed.
    pub(crate) fn start(self) -> Option<Box<dyn Service>> {
        match self {
            Self::Embedded => Some(Box::new(Broker::start())),
            Self::Mosquitto => Some(Box::new(Mosquitto::start(&Setup::new())?)),
        }
    }
}

/// Runs the scenario with this text until it ends.
#[track_caller]
pub(crate) fn scenario(port: u16, text: &str, more: &[&str]) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let path = crate::support::write(folder.path(), "fleet.toml", text);
    watched(port, &["scenario", "run", &path]).args(more).run()
}

/// The report of a successful scenario.
#[track_caller]
pub(crate) fn scenario_report(port: u16, text: &str) -> Value {
    report(&scenario(port, text, &[]).exits(0))
}

/// Accepts `N` clients in any order; returns them sorted by the ends of their client identifiers.
pub(crate) fn accept_clients<const N: usize>(
    listener: &mut Listener,
    protocol: Protocol,
) -> [(String, Peer); N] {
    let mut all = [(); N].map(|()| {
        let mut peer = listener.accept();
        let connect = peer.expect_connect(protocol);
        peer.send(&packets::connack(protocol, false, 0));
        (client_name(&connect), peer)
    });
    all.sort_by(|one, other| one.0.cmp(&other.0));
    all
}

/// The part of the client identifier after `bench-` and the run, for example `s0`, in a CONNECT.
fn client_name(connect: &[u8]) -> String {
    let identifier = length_prefixed(connect).next().unwrap();
    String::from_utf8(identifier).unwrap().splitn(3, '-').nth(2).unwrap().to_owned()
}

/// The fields in the payload of a CONNECT with less than 128 bytes: client identifier, will topic, will payload; the
/// will of MQTT 3.1.1 only.
pub(crate) fn length_prefixed(connect: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    const PROPERTIES: usize = 12;
    assert!(connect[1] < 128, "a short CONNECT");
    let properties = if connect[8] == 5 { 1 + usize::from(connect[PROPERTIES]) } else { 0 };
    let mut rest = connect[PROPERTIES + properties..].to_vec();
    std::iter::from_fn(move || {
        let length = usize::from(*rest.first()?) << 8 | usize::from(*rest.get(1)?);
        let field = rest[2..2 + length].to_vec();
        rest.drain(..2 + length);
        Some(field)
    })
}
