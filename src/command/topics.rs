//! The topics of a broker's retained messages, for the completion of a command line: one level, and only what
//! arrives within a second. Errors are not reported, as the user has not started a run.

use std::collections::BTreeMap;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use tokio::time::{Instant, Sleep, sleep_until, timeout};

use crate::client::handler::{Flow, Handler};
use crate::client::options::ClientOptions;
use crate::client::session::{Event, Session};
use crate::client::{self, Connected};
use crate::command::{Common, Invocation, Running};
use crate::exit::Exit;
use crate::output::{Diagnostics, Stdout, Verbosity};
use crate::protocol::property::PropertyBlock;
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::Subscription;
use crate::protocol::{QoS, topic};

/// The time limit for everything. The rest of the second is for the start of the program and for the shell.
pub const LIMIT: Duration = Duration::from_millis(900);

/// A broker that sends nothing for this time counts as finished. MQTT does not mark the last retained
/// message, and a missing topic can still be typed.
const QUIET: Duration = Duration::from_millis(150);

/// Maximum number of names; longer lists are not read.
const MOST_NAMES: usize = 5_000;

/// The level of topics to look for.
#[derive(Debug, Clone)]
pub struct Config {
    /// The connection.
    pub client: ClientOptions,
    /// A checked filter for topics that begin as typed.
    pub filter: String,
    /// The number of the level that is being typed.
    pub level: usize,
    /// The typed part of that level.
    pub begins: String,
    /// The text before it in each line.
    pub before: String,
    /// The lines before those of the names.
    pub head: String,
}

impl Invocation for Config {
    fn common(&self) -> Common<'_> {
        (Verbosity::Quiet, None)
    }

    fn run(self: Box<Self>, _: &Diagnostics) -> Running<'_> {
        Box::pin(async move {
            let mut collector = Collector {
                config: &self,
                is_subscribed: false,
                quiet: Box::pin(sleep_until(Instant::now() + LIMIT)),
                names: BTreeMap::new(),
            };
            // The topics received count, however the run ended.
            let _ = timeout(LIMIT, client::run(&self.client, &mut collector)).await;
            let mut stdout = Stdout::new();
            stdout.buffer().extend_from_slice(collector.lines().as_bytes());
            let _ = stdout.flush().await;
            Ok(Exit::Success)
        })
    }
}

/// The state of a name at the level.
#[derive(Debug, Clone, Copy, Default)]
struct Level {
    /// Whether a topic ends with it.
    is_topic: bool,
    /// Whether there are levels below it.
    has_more: bool,
}

struct Collector<'a> {
    config: &'a Config,
    is_subscribed: bool,
    /// The end, unless more topics arrive.
    quiet: Pin<Box<Sleep>>,
    names: BTreeMap<String, Level>,
}

impl Collector<'_> {
    /// Stores the name of the level in a topic. Names with characters that a terminal could execute, or with
    /// line feeds, are omitted.
    fn take(&mut self, topic: &[u8]) {
        let Ok(topic) = topic::check_name(topic) else { return };
        let mut levels = topic.split('/').skip(self.config.level);
        let Some(name) = levels.next().filter(|name| name.starts_with(&self.config.begins)) else { return };
        if name.chars().any(char::is_control) {
            return;
        }
        let has_more = levels.next().is_some();
        let known = self.names.entry(name.to_owned()).or_default();
        known.is_topic |= !has_more;
        known.has_more |= has_more;
    }

    fn lines(&self) -> String {
        let Config { head, before, .. } = self.config;
        let mut lines = head.clone();
        for (name, Level { is_topic, has_more }) in &self.names {
            for (_, end) in [(is_topic, ""), (has_more, "/")].into_iter().filter(|(is_so, _)| **is_so) {
                lines.extend([before.as_str(), name, end, "\n"]);
            }
        }
        lines
    }
}

impl Handler for Collector<'_> {
    fn on_connected(&mut self, _: &mut Session, _: &Connected) -> Result<(), crate::error::Error> {
        self.is_subscribed = false;
        Ok(())
    }

    fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        session: &mut Session,
        out: &mut BytesMut,
    ) -> Poll<Result<(), crate::error::Error>> {
        if !self.is_subscribed {
            self.is_subscribed = true;
            let subscription = Subscription {
                filter: &self.config.filter,
                qos: QoS::AtMostOnce,
                no_local: false,
                retain_as_published: false,
                retain_handling: 0,
            };
            session.subscribe(out, &[subscription], &PropertyBlock::default(), 0);
        }
        self.quiet.as_mut().poll(cx).map(Ok)
    }

    fn on_event(&mut self, event: Event<'_>) -> Result<Flow, crate::error::Error> {
        match event {
            Event::Message(publish) if publish.retain && !publish.payload.is_empty() => {
                self.take(publish.topic);
            }
            Event::Subscribed { reasons, .. } => {
                if reasons.iter().any(|reason| ReasonCode(*reason).is_failure()) {
                    return Ok(Flow::Stop);
                }
            }
            _ => return Ok(Flow::Continue),
        }
        self.quiet.as_mut().reset(Instant::now() + QUIET);
        Ok(if self.names.len() < MOST_NAMES { Flow::Continue } else { Flow::Stop })
    }
}
