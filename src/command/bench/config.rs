//! What a load test is to do: everything resolved and checked, nothing opened yet.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Serialize, Serializer};

use super::threshold::Threshold;
use crate::client::options::ClientOptions;
use crate::output::Verbosity;
use crate::protocol::QoS;

/// A checked command line of `mqtt bench`.
#[derive(Debug, Clone)]
pub struct Config {
    /// What to do.
    pub task: Task,
    /// Where the results go.
    pub results: Results,
    /// What is said on standard error.
    pub verbosity: Verbosity,
}

/// What to do.
#[derive(Debug, Clone)]
pub enum Task {
    /// Put load on a broker.
    Load(Box<Load>),
    /// Put load on a server that throws everything away, to see what this machine can generate.
    Calibrate {
        /// Whose version and limits are used; the address is the server's own.
        client: Box<ClientOptions>,
        /// The threads to use.
        threads: usize,
        /// How long each part takes.
        duration: Duration,
    },
    /// Set reports side by side.
    Compare(Vec<PathBuf>),
}

/// Where the results go.
#[derive(Debug, Clone, Default)]
pub struct Results {
    /// One JSON object on standard output instead of the table.
    pub json: bool,
    /// Figures per second.
    pub csv: Option<PathBuf>,
    /// A page to look at.
    pub html: Option<PathBuf>,
    /// Thresholds as test cases.
    pub junit: Option<PathBuf>,
    /// What must not be.
    pub fail_if: Vec<Threshold>,
    /// A saturated generator is no failure.
    pub allow_saturated: bool,
    /// The report of an earlier `calibrate`, to compare the load with.
    pub calibration: Option<PathBuf>,
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Connections that do nothing.
    Connect,
    /// Publishers alone.
    Publish,
    /// Subscribers alone, to whatever others publish.
    Subscribe,
    /// From publisher to subscriber.
    EndToEnd,
    /// From requester to responder and back.
    Request,
}

impl Mode {
    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Connect => "conn",
            Self::Publish => "pub",
            Self::Subscribe => "sub",
            Self::EndToEnd => "e2e",
            Self::Request => "rr",
        }
    }

    /// Whether its messages arrive at subscribers or requesters of this program.
    #[must_use]
    pub fn receives_its_own(self) -> bool {
        matches!(self, Self::EndToEnd | Self::Request)
    }

    /// Whether this program publishes.
    #[must_use]
    pub fn publishes(self) -> bool {
        matches!(self, Self::Publish | Self::EndToEnd | Self::Request)
    }
}

impl Serialize for Mode {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// How fast messages are published, by all publishers together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Rate {
    /// Messages a second, on a schedule that does not wait for the broker (open loop).
    PerSecond(f64),
    /// As fast as the broker takes them (closed loop).
    Max,
}

/// How messages are spread over time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrivals {
    /// At even distances.
    Uniform,
    /// Independent of each other, as from many devices.
    Poisson,
    /// So many at once, at even distances.
    Burst(u32),
}

/// Who gets whose messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pattern {
    /// Each message goes to one subscriber; with more subscribers than publishers, to its share of
    /// them.
    Pairs,
    /// Every subscriber gets every message.
    All,
}

/// What a message carries behind its stamp.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// This many bytes in all, stamp included.
    Size(usize),
    /// A text with `{client}` and `{sequence}` in it.
    Template(Vec<u8>),
    /// The content of a file.
    File(PathBuf),
}

/// When publishing ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// After this time.
    After(Duration),
    /// After this many messages of all publishers together.
    Count(u64),
}

/// A load on a broker.
#[derive(Debug, Clone)]
pub struct Load {
    /// What is measured.
    pub mode: Mode,
    /// How to connect; identifier, credentials and local address differ from client to client.
    pub client: ClientOptions,
    /// Of clients that publish; in [`Mode::Connect`], of all clients.
    pub publishers: u32,
    /// Of clients that subscribe; in [`Mode::Request`], that answer.
    pub subscribers: u32,
    /// How fast.
    pub rate: Rate,
    /// How spread.
    pub arrivals: Arrivals,
    /// Each message is late on purpose by a random time up to this.
    pub jitter: Duration,
    /// Most QoS 0 messages in one write at [`Rate::Max`].
    pub per_write: u32,
    /// What is sent.
    pub payload: Payload,
    /// Topics of each publisher; of all, if the topic does not name the client.
    pub topics: u32,
    /// With `{client}` and `{topic}`.
    pub topic: String,
    /// Who gets what.
    pub pattern: Pattern,
    /// Shared-subscription groups, each of which gets every message once; 0 for no sharing.
    pub shared_groups: u32,
    /// Of messages and subscriptions.
    pub qos: QoS,
    /// When to stop; in [`Mode::Connect`], how long the connections are held.
    pub stop: Stop,
    /// Load that does not count, before.
    pub warmup: Duration,
    /// Longest wait, at the end, for what is still under way.
    pub drain: Duration,
    /// New connections a second; as fast as it goes if there is none.
    pub ramp: Option<f64>,
    /// A client's identifier, credentials and certificate in each line.
    pub credentials: Option<PathBuf>,
    /// Local addresses, used in turn.
    pub local_addresses: Vec<IpAddr>,
    /// Threads, each with its share of the clients.
    pub threads: usize,
    /// This program, to start the embedded broker with, if that is the target.
    pub embedded: Option<PathBuf>,
    /// Of everything random.
    pub seed: u64,
}

impl Load {
    /// All clients.
    #[must_use]
    pub fn clients(&self) -> u32 {
        self.publishers + self.subscribers
    }
}
