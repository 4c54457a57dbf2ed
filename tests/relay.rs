//! A relay of two programs, `mqtt sub --json | mqtt pub --json --spool`: messages received at QoS 1 arrive,
//! whichever of the two is killed, and whenever.

use std::collections::BTreeSet;
use std::io::PipeReader;
use std::path::Path;
use std::process::ExitStatus;

use rstest::rstest;
use rustix::process::Signal;

use crate::support::broker::Broker;
use crate::support::mqtt::{Mqtt, Running};
use crate::support::{Service as _, wait_until};

const KILLS: u64 = 50;
/// Messages between two kills.
const MESSAGES: u64 = 400;

/// The two running programs.
struct Relay {
    subscriber: Running,
    publisher: Running,
    /// The pipe between them, for inspection.
    pipe: PipeReader,
}

impl Relay {
    fn start(from: &Broker, to: &Broker, version: &str, spool: &Path) -> Self {
        let (reader, writer) = std::io::pipe().unwrap();
        let pipe = reader.try_clone().unwrap();
        let publisher = Mqtt::publish(to.port())
            .args(["-V", version, "--json", "-q", "1", "-i", "relay-pub", "--spool"])
            .args([spool])
            .stdin_pipe(reader)
            .spawn();
        let subscriber = Mqtt::subscribe(from.port())
            .args(["-V", version, "-c", "-i", "relay", "-q", "1", "-t", "#", "--json", "-d"])
            .stdout_pipe(writer)
            .spawn();
        Self { subscriber, publisher, pipe }
    }

    /// Stops the publisher with messages in the pipe. If some are in it already, the subscriber takes no more
    /// from the broker, so its received messages show nothing.
    fn stop_publisher(&self, feed: &mut Feed) {
        self.publisher.signal(Signal::STOP);
        feed.send(MESSAGES);
        wait_until(|| rustix::io::ioctl_fionread(&self.pipe).unwrap() > 0);
    }

    /// Kills one of them; the other ends by itself.
    fn kill(self, kills_subscriber: bool) {
        let Self { subscriber, publisher, pipe } = self;
        // The subscriber ends when its last reader, the publisher, has ended.
        drop(pipe);
        let victim = if kills_subscriber { &subscriber } else { &publisher };
        victim.signal(Signal::KILL);
        let ends = [subscriber.wait_for_end().status, publisher.wait_for_end().status];
        let killed = |status: &ExitStatus| status.code().is_none();
        assert_eq!(ends.iter().filter(|status| killed(status)).count(), 1, "{ends:?}");
    }
}

/// The numbers of the received messages.
fn numbers(stdout: &[u8]) -> BTreeSet<u64> {
    let text = std::str::from_utf8(stdout).unwrap();
    text.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')?.parse().ok()).collect()
}

/// Sends messages as numbered lines to a broker.
struct Feed {
    publisher: Running,
    sent: u64,
}

impl Feed {
    fn start(to: &Broker) -> Self {
        let publisher = Mqtt::publish(to.port()).args(["-q", "1", "-l", "-t", "n"]).open_stdin().spawn();
        Self { publisher, sent: 0 }
    }

    fn send(&mut self, count: u64) {
        let lines: String = (self.sent..self.sent + count).map(|number| format!("{number}\n")).collect();
        self.publisher.write(lines);
        self.sent += count;
    }
}

#[rstest]
fn a_relay_that_is_killed_loses_nothing(#[values("311", "5")] version: &str) {
    let (from, to) = (Broker::start(), Broker::start());
    let folder = tempfile::tempdir().unwrap();
    let spool = folder.path().join("spool");
    let receiver = Mqtt::subscribe(to.port()).args(["-d", "-q", "1", "-t", "n"]).spawn();
    receiver.wait_until_subscribed();
    // The session is created before the first message.
    Mqtt::subscribe(from.port())
        .args(["-V", version, "-c", "-i", "relay", "-q", "1", "-t", "#", "-E"])
        .run()
        .succeeds();
    let mut feed = Feed::start(&from);
    let mut random = fastrand::Rng::with_seed(17);
    for _ in 0..KILLS {
        feed.send(MESSAGES);
        let relay = Relay::start(&from, &to, version, &spool);
        let arrived = feed.sent - random.u64(1..=MESSAGES);
        receiver.wait_until("messages", |stdout| numbers(stdout).len() as u64 >= arrived);
        let kills_subscriber = random.bool();
        if !kills_subscriber {
            relay.stop_publisher(&mut feed);
        }
        relay.kill(kills_subscriber);
    }
    let Relay { subscriber, publisher, .. } = Relay::start(&from, &to, version, &spool);
    let all: BTreeSet<u64> = (0..feed.sent).collect();
    receiver.wait_until("all messages", |stdout| numbers(stdout) == all);
    // A signal ends the subscriber, the end of its input ends the publisher.
    subscriber.wait_until_subscribed().signal(Signal::TERM);
    let ends = [subscriber.wait_for_end().status, publisher.wait_for_end().status];
    assert!(ends.iter().all(ExitStatus::success), "{ends:?}");
    feed.publisher.finish().succeeds();
}

/// A program may read the output of a run after it has ended.
#[rstest]
fn run_that_ends_by_itself_does_not_wait_for_its_reader(#[values("311", "5")] version: &str) {
    let broker = Broker::start();
    let session = ["-V", version, "-c", "-i", "reader", "-q", "1", "-t", "n"];
    let subscribe = || Mqtt::subscribe(broker.port()).args(session);
    subscribe().args(["-E"]).run().succeeds();
    Mqtt::publish(broker.port()).args(["-q", "1", "-l", "-t", "n"]).stdin("1\n2\n").run().succeeds();
    subscribe().args(["-C", "1"]).leave_stdout_unread().run().succeeds();
    // The first message was acknowledged.
    subscribe().args(["-C", "1"]).run().succeeds().prints("2\n");
}

/// Messages that the reader leaves in the pipe are not acknowledged and arrive again in the next run, even
/// after a regular end of the subscriber.
#[rstest]
fn messages_left_in_the_pipe_come_again(#[values("311", "5")] version: &str) {
    let broker = Broker::start();
    let session = ["-V", version, "-c", "-i", "reader", "-q", "1", "-t", "n"];
    let subscribe = || Mqtt::subscribe(broker.port()).args(session);
    subscribe().args(["-E"]).run().succeeds();
    Mqtt::publish(broker.port()).args(["-q", "1", "-l", "-t", "n"]).stdin("1\n2\n").run().succeeds();
    let mut running = subscribe().args(["-d"]).hold_stdout().spawn();
    running.wait_for_stderr_times("received PUBLISH", 2);
    running.close_stdout();
    let outcome = running.wait_for_end();
    assert!(!outcome.stderr.contains("sending PUBACK"), "{}", outcome.stderr);
    subscribe().args(["-C", "2"]).run().succeeds().prints("1\n2\n");
    // These were read, and do not arrive again.
    subscribe().args(["-W", "1"]).run().exits(27).prints("");
}
