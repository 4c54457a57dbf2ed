//! Examples and known limits of `mqtt bench` and of its modes.

use super::manual::Manual;

/// The limits of every load.
macro_rules! of_every_load {
    ($($own:literal),* $(,)?) => {
        &[
            $($own,)*
            "Without --reconnect, a lost connection makes a run not valid. Before the load, one more connection is \
             made, to learn the broker's address and protocol version.",
            "TLS connections are full handshakes, unless --tls-resumption resume is given.",
            "On the broker's own machine both share the cores, and the figures describe that machine. A virtual \
             machine that is paused sends late; the report says so.",
            "SIGHUP ends a run without a report. A --credentials file needs about ten times its size in memory.",
        ]
    };
}

/// `mqtt bench` alone is the same as `mqtt bench e2e`, and its help also lists the modes.
pub(super) static WITHOUT_MODE: Manual = Manual { common: &["embedded"], ..END_TO_END };

pub(super) static END_TO_END: Manual = Manual {
    common: &[
        "publishers",
        "subscribers",
        "rate",
        "qos",
        "size",
        "pattern",
        "duration",
        "embedded",
        "json",
        "fail_if",
    ],
    examples: &[
        #[cfg(feature = "broker")]
        ("A first look, with the broker of this program", "mqtt bench --embedded"),
        (
            "Measure a constant load for a minute",
            "mqtt bench -h broker.example --rate 20k/s --publishers 100 --qos 1 --warmup 5s --duration 1m",
        ),
        (
            "Fail, with exit status 3, if one of a thousand subscribers misses a message",
            "mqtt bench --pattern fan-out --subscribers 1000 --fail-if 'loss > 0'",
        ),
        ("Keep the report, for bench compare", "mqtt bench --json > before.json"),
        (
            "Restart the broker meanwhile, and see what becomes of clients and messages",
            "mqtt bench --qos 1 -x 1h --reconnect always --duration 1m --disturb '20s: docker restart broker'",
        ),
    ],
    bugs: of_every_load![
        "Payloads below 16 bytes hold no stamp: such messages are counted, but losses, duplicates and \
         reorderings are not. Below 32 bytes the stamp does not tell when a message was actually sent, and \
         one damaged message in 65,536 goes unnoticed.",
        "A broker that delivers messages after it has refused them hides as many losses.",
    ],
};

pub(super) static CONNECT: Manual = Manual {
    common: &["clients", "hold", "ramp", "embedded", "json", "html", "fail_if"],
    examples: &[
        (
            "Open 500 connections a second, and hold 10,000 of them for a minute",
            "mqtt bench conn -h broker.example --clients 10000 --ramp 500/s --hold 1m",
        ),
        ("Fail, with exit status 3, on a slow connection", "mqtt bench conn --fail-if 'CONNACK p99 > 100ms'"),
        #[cfg(feature = "broker")]
        (
            "Fail, with exit status 3, on a failed or slow connection",
            "mqtt bench conn --embedded --fail-if 'failed > 0' --fail-if 'until CONNACK p99 > 100ms'",
        ),
        #[cfg(feature = "broker")]
        (
            "Cut off a fifth of the clients at once, and see how soon they are back",
            "mqtt bench conn --embedded --hold 10s --reconnect always --disturb '3s: drop 20%'",
        ),
        #[cfg(feature = "broker")]
        (
            "Hold a thousand connections to the broker of this program",
            "mqtt bench conn --embedded --clients 1000 --hold 10s",
        ),
    ],
    bugs: of_every_load![
        "A local address has about 28,000 ports on Linux by default. --local-addr gives further addresses.",
    ],
};

pub(super) static PUBLISH: Manual = Manual {
    common: &[
        "publishers",
        "rate",
        "qos",
        "size",
        "warmup",
        "duration",
        "embedded",
        "json",
        "html",
        "fail_if",
    ],
    examples: &[
        (
            "Find the highest rate, and fail below 100,000 messages a second",
            "mqtt bench pub --rate max --publishers 100 --fail-if 'rate < 100k/s'",
        ),
        (
            "Measure a constant load of messages of 1,000 bytes",
            "mqtt bench pub -h broker.example --qos 1 --rate 5k/s --size 1k --duration 1m",
        ),
        (
            "Measure three sizes at two QoS, for one table",
            "mqtt bench pub --size 16,256,4k --qos 0,1 --repeat 3",
        ),
    ],
    bugs: of_every_load![
        "At QoS 0 a broker acknowledges nothing: 'taken' says only that it has read the messages.",
        "--rate max is a closed loop without a schedule: a broker that stalls lowers its rate, and its latencies \
         do not show for how long messages would have waited.",
    ],
};

pub(super) static SUBSCRIBE: Manual = Manual {
    common: &[
        "subscribers",
        "topic",
        "qos",
        "warmup",
        "duration",
        "count",
        "embedded",
        "json",
        "html",
        "fail_if",
    ],
    examples: &[
        (
            "Measure for a minute what other programs publish",
            "mqtt bench sub -h broker.example --topic 'sensors/#' --duration 1m",
        ),
        (
            "Receive a million messages with 100 subscribers",
            "mqtt bench sub --subscribers 100 --count 1000000",
        ),
        (
            "Share the messages out to ten subscribers",
            "mqtt bench sub --subscribers 10 --shared-groups 1 --topic 'sensors/#'",
        ),
    ],
    bugs: of_every_load![
        "Latency is measured only of messages that mqtt bench sends on the same machine: their stamps are times of \
         the machine's clock. Messages from elsewhere have wrong latencies or none. Losses are not measured.",
    ],
};

pub(super) static REQUEST: Manual = Manual {
    common: &["publishers", "rate", "qos", "size", "inflight", "duration", "embedded", "json", "fail_if"],
    examples: &[
        (
            "Measure 2,000 requests a second, and report thresholds to CI",
            "mqtt bench rr --rate 2k/s --fail-if 'p99 > 20ms' --fail-if 'loss > 0' --junit bench.xml",
        ),
        ("Measure one request at a time", "mqtt bench rr --rate max --inflight 1"),
        #[cfg(feature = "broker")]
        ("Measure the broker of this program", "mqtt bench rr --embedded --duration 5s"),
        ("Fail, with exit status 3, on slow responses", "mqtt bench rr --rate 2k/s --fail-if 'p99 > 20ms'"),
    ],
    bugs: of_every_load![
        "At QoS 1 mosquitto responds some 40 ms late unless its configuration has set_tcp_nodelay true.",
        "--rate max is a closed loop without a schedule: a broker that stalls lowers its rate, and its latencies \
         do not show for how long requests would have waited.",
    ],
};

pub(super) static RETAINED: Manual = Manual {
    common: &["messages", "subscribers", "rate", "qos", "size", "embedded", "json", "fail_if"],
    examples: &[
        (
            "Let 100 new subscribers, ten a second, receive 10,000 retained messages each",
            "mqtt bench retained --messages 10000 --subscribers 100 --rate 10/s --qos 1",
        ),
        (
            "Fail, with exit status 3, if one of them waits for more than a second for the last",
            "mqtt bench retained --fail-if 'max > 1s' --fail-if 'loss > 0'",
        ),
        #[cfg(feature = "broker")]
        ("Measure the broker of this program", "mqtt bench retained --embedded"),
    ],
    bugs: of_every_load![
        "A run that is killed leaves its messages on the broker: mqtt retain-clear 'bench/retained/#' removes them.",
        "Retained messages that were below bench/retained before the run are counted as foreign.",
    ],
};

pub(super) static CHURN: Manual = Manual {
    common: &[
        "clients",
        "subscribe_rate",
        "connect_rate",
        "filters",
        "duration",
        "embedded",
        "json",
        "fail_if",
    ],
    examples: &[
        (
            "Subscribe and unsubscribe 2,000 times a second, and connect 500 times a second",
            "mqtt bench churn --clients 1000 --subscribe-rate 2k/s --connect-rate 500/s",
        ),
        (
            "Fail, with exit status 3, on slow answers to SUBSCRIBE",
            "mqtt bench churn --fail-if 'SUBACK p99 > 50ms'",
        ),
        #[cfg(feature = "broker")]
        (
            "Measure only the connections to the broker of this program",
            "mqtt bench churn --embedded --connect-rate 200/s --duration 2s",
        ),
    ],
    bugs: of_every_load![
        "A client has one operation at a time: what becomes due until the broker answers is done after it, and latency \
         counts from when it was due. More --clients allow more at the same time.",
    ],
};

pub(super) static WILLS: Manual = Manual {
    common: &["clients", "rate", "subscribers", "qos", "size", "embedded", "json", "fail_if"],
    examples: &[
        (
            "End 10,000 connections at once, and fail, with exit status 3, if a will is missing",
            "mqtt bench wills --clients 10000 --qos 1 --fail-if 'loss > 0'",
        ),
        (
            "End 200 connections a second",
            "mqtt bench wills --clients 2000 --rate 200/s --fail-if 'p99 > 100ms'",
        ),
        #[cfg(feature = "broker")]
        ("Measure the broker of this program", "mqtt bench wills --embedded"),
    ],
    bugs: of_every_load![
        "The connections are closed, so that the broker learns of it at once. A connection that breaks without a sign ends \
         after one and a half times the keep-alive; will-test measures that.",
        "Wills have no delay interval.",
    ],
};

/// For every load whose limit is searched.
pub(super) static FIND_LIMIT: Manual = Manual {
    common: &["slo", "over", "from", "to", "duration", "embedded", "json"],
    examples: &[
        (
            "Find the highest rate that holds two limits",
            "mqtt bench find-limit --slo 'p99 < 50ms' --slo 'loss = 0'",
        ),
        (
            "Find the largest payload that ten publishers may send at QoS 1",
            "mqtt bench find-limit pub --qos 1 --over size --slo 'p99 < 20ms'",
        ),
        (
            "Find the most connections, and draw the curve",
            "mqtt bench find-limit conn --slo 'CONNACK p99 < 1s' --html limit.html",
        ),
        (
            "Find how many devices of one message a second each hold",
            "mqtt bench find-limit pub -q 1 --over clients --rate-per-client 1 --slo 'p99 < 1s' --to 5000",
        ),
    ],
    bugs: of_every_load![
        "A limit is that of a machine and a moment. A search of a broker on the generator's machine mostly finds the \
         limit of both.",
        "The network is judged by what this machine counts: segments that were sent again, and interfaces that were \
         full. It is not told from a broker that is slow to answer.",
        "With --over clients and without --rate-per-client the rate of all clients together stays the same.",
    ],
};

pub(super) static SCENARIO: Manual = Manual {
    common: &["scale", "duration", "embedded", "json", "fail_if"],
    examples: &[
        ("Name the scenarios that are built in", "mqtt bench scenario list"),
        (
            "Run one on a small machine, with a hundredth of its clients, for half a minute",
            "mqtt bench scenario run omb-p2p-50k --scale 1% --duration 30s",
        ),
        ("Make one of your own", "mqtt bench scenario show omb-p2p-1k > fleet.toml"),
        ("Run it", "mqtt bench scenario run ./fleet.toml -h broker.example"),
        ("Begin with the options of another mode", "mqtt bench e2e --qos 1 --show-scenario > fleet.toml"),
    ],
    bugs: of_every_load![
        "A client publishes to one set of topics at one rate; topic aliases are not supported.",
        "A group that publishes cannot share its subscriptions.",
        "A session that a client of a scenario leaves on the broker stays there until it expires.",
    ],
};

pub(super) static MERGE: Manual = Manual {
    common: &["output", "json", "html", "fail_if"],
    examples: &[
        ("Merge the reports of all shards", "mqtt bench merge shard-1.json shard-2.json"),
        ("Keep the merged report, for bench compare", "mqtt bench merge shard-*.json -o whole.json"),
        (
            "Fail, with exit status 3, on the figures of all shards",
            "mqtt bench merge shard-*.json --fail-if 'p99 > 20ms'",
        ),
    ],
    bugs: &[
        "Latencies from publisher to subscriber have the error of the clocks if the shards ran on several machines: \
         --barrier compares the clocks, and values of less than ten times the error are left out. mqtt bench rr measures \
         round trips, on one clock.",
        "The percentiles of single seconds are left out: a report has histograms of the whole run only.",
    ],
};

pub(super) static COMPARE: Manual = Manual {
    common: &[],
    examples: &[
        ("Compare two runs", "mqtt bench compare before.json after.json"),
        (
            "Compare the medians of three runs each, and mark differences beyond the noise",
            "mqtt bench compare a1.json a2.json a3.json vs b1.json b2.json b3.json",
        ),
        (
            "Fail, with exit status 3, if latency has risen by more than a tenth",
            "mqtt bench compare before.json after.json --fail-if 'p99 +10%'",
        ),
    ],
    bugs: &[
        "Noise is judged from three runs a side on, by the ranges of the two sides. It is no statistical test.",
        "A latency is that of messages that were answered: a broker that loses the slow ones looks faster. \
         --fail-if 'lost +0%' beside it tells.",
    ],
};

#[cfg(feature = "broker")]
pub(super) static CALIBRATE: Manual = Manual {
    common: &["duration", "threads", "json"],
    examples: &[
        ("Measure what this machine can generate", "mqtt bench calibrate --json > ceiling.json"),
        ("Show what share of that a load is", "mqtt bench pub --rate max --calibration ceiling.json"),
        ("Measure a single thread", "mqtt bench calibrate --threads 1"),
    ],
    bugs: &[
        "The sink is on this machine and shares its cores: the network is not measured, and a generator with the \
         machine to itself may reach more.",
    ],
};
