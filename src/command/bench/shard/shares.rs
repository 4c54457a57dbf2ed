//! The share of a shard in a load. Clients are assigned by their numbers, as they are to threads: a shard is
//! the threads of one process, so that all shards together do exactly what one process would do.

use std::borrow::Cow;
use std::net::IpAddr;

use super::super::config::{Load, Mode};
use super::super::pacer::share;
use super::super::topology::GroupPlan;

impl Load {
    /// The number of shards.
    pub(in crate::command::bench) fn shards(&self) -> u32 {
        self.shard.as_ref().map_or(1, |shard| shard.of)
    }

    /// The number of this shard, from 0.
    pub(in crate::command::bench) fn shard_number(&self) -> u32 {
        self.shard.as_ref().map_or(0, |shard| shard.number - 1)
    }

    /// Whether its messages go from shard to shard, and are timed on the way.
    pub(in crate::command::bench) fn needs_one_clock(&self) -> bool {
        matches!(self.mode, Mode::EndToEnd | Mode::Wills) && self.shards() > 1
    }

    /// The number of clients of this process.
    #[must_use]
    pub fn own_clients(&self) -> u32 {
        if self.shard.is_none() {
            return self.clients();
        }
        GroupPlan::all(&self.groups()).iter().map(|plan| self.own_clients_of(plan)).sum()
    }

    /// The number of clients of a group in this process.
    pub(in crate::command::bench) fn own_clients_of(&self, plan: &GroupPlan) -> u32 {
        let (shard, shards) = (self.shard_number(), self.shards());
        match plan.shared_groups() {
            0 => share(plan.clients, shard, shards),
            groups => {
                let members = |group| share(plan.clients, group, groups);
                (shard..groups).step_by(shards as usize).map(members).sum()
            }
        }
    }

    /// This process's share of these local addresses: every n-th of n shards, or one if there are fewer
    /// addresses than shards.
    pub(in crate::command::bench) fn own_addresses<'a>(&self, all: &'a [IpAddr]) -> Cow<'a, [IpAddr]> {
        let (shard, shards) = (self.shard_number() as usize, self.shards() as usize);
        if shards == 1 || all.is_empty() {
            return all.into();
        }
        if all.len() < shards {
            return vec![all[shard % all.len()]].into();
        }
        all.iter().skip(shard).step_by(shards).copied().collect::<Vec<_>>().into()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use proptest::prelude::*;

    use super::super::super::config::{Arrivals, Pattern, Payload, Rate, StopAfter};
    use super::super::super::engine::fleet::{Fleet, FleetGroup, Material};
    use super::super::super::group::{
        ClientGroup, GroupPublish, GroupSubscription, MessageSource, SHARE_NAME, Scenario,
    };
    use super::super::super::pacer::{Pacer, Schedule};
    use super::super::part::{LoadShard, SharedStart};
    use super::*;
    use crate::client::options::{ClientOptions, Reconnect, Version};
    use crate::net::Endpoint;
    use crate::protocol::property::PropertyBlock;
    use crate::protocol::reason::ReasonCode;
    use crate::protocol::{Protocol, QoS};

    /// A client of a plan, with its connection options, subscriptions and messages.
    #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
    struct PlannedClient {
        group: usize,
        number: u32,
        identifier: String,
        user: Option<String>,
        connect_at: u64,
        filters: Vec<String>,
        topics: Vec<String>,
        /// When its first messages are due.
        dues: Vec<u64>,
    }

    /// The clients, addresses and messages of these threads of a process.
    fn planned(load: &Load) -> (Vec<PlannedClient>, BTreeSet<IpAddr>, u64) {
        let groups = load.groups();
        let plans = GroupPlan::all(&groups);
        let materials = Material::read(load, &groups).unwrap();
        let threads =
            u32::try_from(load.threads).unwrap().clamp(1, load.own_clients().max(1)) * load.shards();
        let run = load.shard.as_ref().map_or(7, LoadShard::run);
        let own: u32 = plans.iter().map(|plan| load.own_clients_of(plan)).sum();
        let groups = groups.into_iter().zip(plans).zip(materials);
        let groups = groups.map(|((group, plan), material)| {
            let before = plan.first;
            FleetGroup::new(load, run, group, plan, material, (0, before))
        });
        let fleet = Fleet {
            load: load.clone(),
            course: None,
            groups: groups.collect(),
            waves: 1,
            cuts: Vec::new(),
            protocol: Protocol::V5,
            ends: Arc::new([]),
            run,
            clock: None,
            threads,
            began: 0,
        };
        let (mut found, mut addresses, mut quota) = (Vec::new(), BTreeSet::new(), 0);
        for thread in fleet.own_threads() {
            for (place, FleetGroup { group, plan, .. }) in fleet.groups.iter().enumerate() {
                let mut dues: Vec<Vec<u64>> = Vec::new();
                let numbers: Vec<u32> =
                    (0..plan.clients).filter(|number| plan.thread_of(*number, threads) == thread).collect();
                dues.resize(numbers.len(), Vec::new());
                if let Some(publish) = &group.publish {
                    quota += match publish.rate {
                        Rate::Max => fleet.quota(thread, group.clients, publish.rate),
                        Rate::PerSecond(_) => 0,
                    };
                    let rate = match publish.rate {
                        Rate::PerSecond(rate) => rate,
                        Rate::Max => 1.0,
                    };
                    let mut pacer = Pacer::new(Schedule {
                        start: 0,
                        measure: 0,
                        count: Some(50),
                        rate,
                        arrivals: publish.arrivals,
                        jitter: 1_000_000,
                        publishers: plan.clients,
                        thread,
                        threads,
                        seed: load.seed,
                        course: None,
                    });
                    while let Some(due) = pacer.peek() {
                        dues[due.publisher as usize].push(due.at);
                        pacer.advance();
                    }
                }
                for (number, dues) in numbers.into_iter().zip(dues) {
                    let order = fleet.order(u16::try_from(place).unwrap(), number, false);
                    addresses.extend(order.options.endpoint.bind);
                    let topic = |sequence| {
                        let outlet = plan.outlet.as_ref()?;
                        Some(format!("{:?}", outlet.template(Protocol::V5, run, number, sequence)))
                    };
                    found.push(PlannedClient {
                        group: place,
                        number,
                        identifier: order.client_identifier,
                        user: order.options.user_name.clone(),
                        connect_at: fleet.connect_time(0, u16::try_from(place).unwrap(), number),
                        filters: plan
                            .subscriptions
                            .iter()
                            .flat_map(|(plan, _)| plan.filters(number))
                            .collect(),
                        topics: (0..3).filter_map(topic).collect(),
                        dues,
                    });
                }
            }
        }
        assert_eq!(found.len(), own as usize, "the number of own clients is known");
        (found, addresses, quota)
    }

    fn options() -> ClientOptions {
        ClientOptions {
            endpoint: Endpoint::plain("127.0.0.1", 1883),
            fallbacks: Vec::new(),
            service_records: false,
            name_servers: Vec::new(),
            version: Version::Auto,
            needs_v5: None,
            prefers_v5: None,
            uses_properties: false,
            client_identifier: "fleet".into(),
            clean_start: true,
            keep_alive: 60,
            session_expiry_interval: None,
            properties: PropertyBlock::default(),
            disconnect_properties: PropertyBlock::default(),
            interrupted: ReasonCode(0),
            keeps_own_keep_alive: false,
            will: None,
            user_name: None,
            password: None,
            max_inflight: 20,
            max_packet_bytes: 1 << 20,
            authentication: None,
            follow_redirect: false,
            reconnect: Reconnect::NEVER,
            connect_timeout: std::time::Duration::from_secs(5),
            barrier_limit: std::time::Duration::from_secs(5),
        }
    }

    fn scenario(clients: [u32; 3], arrivals: Arrivals, rate: Rate, shared: u32, topic: &str) -> Scenario {
        let publish = |topic: String| GroupPublish {
            rate,
            arrivals,
            jitter: std::time::Duration::ZERO,
            per_write: u32::MAX,
            inflight: None,
            payload: Payload::Size(64),
            topics: 2,
            topic,
            qos: QoS::AtMostOnce,
            retain: false,
            alias: false,
        };
        let subscription = |group, pattern, shared_groups| GroupSubscription {
            source: MessageSource::Group { group, pattern, filter: None },
            qos: QoS::AtMostOnce,
            shared_groups,
            share_name: SHARE_NAME.into(),
        };
        let mut devices = ClientGroup::new("devices", clients[0], "d{client}");
        devices.publish = Some(publish(format!("a/{topic}")));
        devices.subscribe.push(subscription(1, Pattern::Pairs, 0));
        let mut service = ClientGroup::new("service", clients[1], "v{client}");
        service.publish = Some(publish("b/{client}/{topic}".into()));
        let mut readers = ClientGroup::new("readers", clients[2], "r{client}");
        readers.subscribe.push(subscription(0, Pattern::All, shared.min(clients[2])));
        Scenario {
            name: "test".into(),
            scale: 1.0,
            groups: vec![devices, service, readers],
            files: Vec::new(),
        }
    }

    fn shard(number: u32, of: u32) -> LoadShard {
        let (start, source, clock_shift) = (SharedStart::Unaligned, None, None);
        LoadShard { number, of, run_id: "test".into(), start, source, clock_shift }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// All shards together equal one process, for any load and any number of threads: every client is in
        /// one shard, with the same identifier, credentials, topics, filters and times as without shards.
        #[test]
        fn all_shards_together_equal_one_process(
            clients in [1_u32..20, 1_u32..8, 1_u32..20],
            shards in 1_u32..9,
            threads in proptest::collection::vec(1_usize..4, 9),
            arrivals in prop_oneof![
                Just(Arrivals::Uniform), Just(Arrivals::Poisson), (1_u32..5).prop_map(Arrivals::Burst)
            ],
            rate in prop_oneof![Just(Rate::Max), (1.0..1e4).prop_map(Rate::PerSecond)],
            shared in 0_u32..4,
            by_client in any::<bool>(),
            addresses in 0_u8..9,
        ) {
            let topic = if by_client { "{client}/{topic}" } else { "{topic}" };
            let scenario = scenario(clients, arrivals, rate, shared, topic);
            let folder = tempfile::tempdir().unwrap();
            let credentials = folder.path().join("users.csv");
            let users: Vec<String> = (0..60).map(|number| format!("u{number}")).collect();
            std::fs::write(&credentials, format!("username\n{}\n", users.join("\n"))).unwrap();
            let local: Vec<IpAddr> = (1..=addresses).map(|last| IpAddr::from([127, 0, 0, last])).collect();
            let load = Load {
                rate,
                ramp: Some(100.0),
                stop: StopAfter::Count(1000),
                scenario: Some(Arc::new(scenario)),
                local_addresses: local.clone(),
                credentials: Some(credentials),
                ..Load::new(Mode::EndToEnd, options(), clients[0] + clients[1], clients[2], 1)
            };
            let one = Load { shard: Some(shard(1, 1)), ..load.clone() };
            let (mut whole, all_addresses, quota) = planned(&one);
            whole.sort();
            let (mut union, mut union_addresses, mut union_quota) = (Vec::new(), Vec::new(), 0);
            for number in 1..=shards {
                let part = Load {
                    shard: Some(shard(number, shards)),
                    threads: threads[number as usize - 1],
                    ..load.clone()
                };
                let (clients, addresses, quota) = planned(&part);
                union.extend(clients);
                union_addresses.extend(addresses);
                union_quota += quota;
            }
            union.sort();
            prop_assert_eq!(union, whole);
            prop_assert_eq!(union_quota, quota);
            if local.len() >= shards as usize {
                let distinct: BTreeSet<_> = union_addresses.iter().copied().collect();
                prop_assert_eq!(distinct.len(), union_addresses.len(), "each address is of one shard");
                prop_assert!(distinct.is_subset(&local.iter().copied().collect()));
            }
            prop_assert!(all_addresses.len() <= local.len());
        }
    }

    /// Each address belongs to one shard, and each shard has some.
    #[test]
    fn addresses_are_dealt_out() {
        let local: Vec<IpAddr> = (1..=5).map(|last| IpAddr::from([127, 0, 0, last])).collect();
        let own = |number, of| {
            let load =
                Load { shard: Some(shard(number, of)), ..Load::new(Mode::Connect, options(), 9, 0, 1) };
            let last = |address: &IpAddr| address.to_string().rsplit('.').next().unwrap().to_owned();
            load.own_addresses(&local).iter().map(last).collect::<String>()
        };
        assert_eq!([own(1, 1), own(1, 2), own(2, 2)], ["12345", "135", "24"]);
        assert_eq!([own(1, 5), own(5, 5), own(6, 7)], ["1", "5", "1"]);
    }

    #[test]
    fn runs_have_different_numbers() {
        let run = |id: &str| LoadShard { run_id: id.into(), ..shard(1, 2) }.run();
        assert_eq!(run("a"), run("a"));
        assert_ne!(run("a"), run("b"));
    }
}
