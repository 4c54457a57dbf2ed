//! The topics that a broker holds retained messages of, for the completion of a command line: one level of them, and
//! only what comes within a second. Whatever is wrong, nothing is said: the user has not asked for a run.

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

/// How long all of it may take. The rest of a second is for the start of the program and for the shell.
pub const LIMIT: Duration = Duration::from_millis(900);

/// A broker that has sent nothing for so long has sent what it has. MQTT does not say which retained message is the
/// last, and a topic that is missing here can still be typed.
const QUIET: Duration = Duration::from_millis(150);

/// The most names that are kept. Nobody reads more.
const MOST_NAMES: usize = 5_000;

/// What to look for.
#[derive(Debug, Clone)]
pub struct Config {
    /// The connection.
    pub client: ClientOptions,
    /// A checked filter of the topics that begin as typed.
    pub filter: String,
    /// The number of the level that is being typed.
    pub level: usize,
    /// What is typed of it.
    pub begins: String,
    /// What stands before it in each line.
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
            // What has come counts, however the run has ended.
            let _ = timeout(LIMIT, client::run(&self.client, &mut collector)).await;
            let mut stdout = Stdout::new();
            stdout.buffer().extend_from_slice(collector.lines().as_bytes());
            let _ = stdout.flush().await;
            Ok(Exit::Success)
        })
    }
}

/// What is known of a name at the level.
#[derive(Debug, Clone, Copy, Default)]
struct Level {
    /// It ends a topic.
    is_topic: bool,
    /// There are levels below it.
    has_more: bool,
}

struct Collector<'a> {
    config: &'a Config,
    is_subscribed: bool,
    /// The end, unless something more comes.
    quiet: Pin<Box<Sleep>>,
    names: BTreeMap<String, Level>,
}

impl Collector<'_> {
    /// Remembers the name of the level in a topic. A name that a terminal would obey, or that would break the lines, is
    /// left out.
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
