//! The content of a scenario file, for reading and writing: the values of its keys, converted to and from a
//! load.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use crate::cli::disturbance;
use crate::cli::stages;
use crate::client::options::Version;
use crate::command::bench::config::{Load, Pattern, Rate, StopAfter};
use crate::command::bench::group::{ClientGroup, MessageSource, NamedFile, Scenario};
use crate::command::bench::stage::RateStage;
use crate::command::bench::{Disturbance, Results, Threshold};
use crate::error::Error;
use crate::protocol::{Protocol, QoS};

/// The topic of a group for which the file names none.
pub(super) fn default_topic(group: &str) -> String {
    format!("bench/{group}/{{client}}/{{topic}}")
}

/// The name of a pattern in a file.
pub(super) fn pattern_name(pattern: Pattern) -> &'static str {
    match pattern {
        Pattern::Pairs => "pairs",
        Pattern::All => "all",
    }
}

/// A scenario, as its file describes it.
#[derive(Debug, Clone, Default)]
pub(in crate::cli) struct Description {
    pub(in crate::cli) name: String,
    pub(in crate::cli) about: String,
    pub(in crate::cli) version: Option<Version>,
    pub(in crate::cli) keep_alive: Option<u16>,
    pub(in crate::cli) session_expiry_interval: Option<u32>,
    pub(in crate::cli) inflight: Option<u16>,
    pub(in crate::cli) ramp: Option<f64>,
    pub(in crate::cli) credentials: Option<PathBuf>,
    pub(in crate::cli) local_addresses: Vec<IpAddr>,
    pub(in crate::cli) stop: Option<StopAfter>,
    pub(in crate::cli) warmup: Option<Duration>,
    pub(in crate::cli) drain: Option<Duration>,
    pub(in crate::cli) seed: Option<u64>,
    pub(in crate::cli) fail_if: Vec<Threshold>,
    pub(in crate::cli) abort_after: Option<Duration>,
    /// How many attempts in a row to reconnect may fail; the inner `None`: no limit.
    #[expect(clippy::option_option, reason = "they are the key and its number")]
    pub(in crate::cli) reconnect: Option<Option<u32>>,
    pub(in crate::cli) disturb: Vec<Disturbance>,
    /// The line and the key of the disturbances.
    pub(in crate::cli) disturb_place: Option<String>,
    pub(in crate::cli) stages: Vec<DescribedStage>,
    pub(in crate::cli) groups: Vec<ClientGroup>,
    /// The files that the scenario names.
    pub(in crate::cli) files: Vec<NamedFile>,
    /// The factor by which its counts were reduced.
    pub(in crate::cli) scale: Option<f64>,
}

/// A stage with limits of its own.
#[derive(Debug, Clone)]
pub(in crate::cli) struct DescribedStage {
    pub(in crate::cli) stage: RateStage,
    pub(in crate::cli) fail_if: Vec<Threshold>,
}

/// The connection options that a file sets too, unless they are typed.
pub(in crate::cli) const SET_BY_FILES: [&str; 5] =
    ["protocol_version", "keepalive", "session_expiry", "max_inflight", "reconnect"];

impl Description {
    /// The description of a load.
    pub(in crate::cli) fn of(load: &Load, results: &Results) -> Self {
        let client = &load.client;
        Self {
            name: load.mode.name().into(),
            about: String::new(),
            version: Some(client.version).filter(|version| *version != Version::Auto),
            keep_alive: Some(client.keep_alive),
            session_expiry_interval: client.session_expiry_interval,
            inflight: Some(client.max_inflight),
            ramp: load.ramp,
            credentials: load.credentials.clone(),
            local_addresses: load.local_addresses.clone(),
            stop: Some(load.stop).filter(|_| load.stages.is_empty()),
            warmup: Some(load.warmup),
            drain: Some(load.drain),
            seed: Some(load.seed),
            fail_if: results.limits.whole.clone(),
            abort_after: load.abort_after,
            reconnect: load.reconnects().then_some(client.reconnect.attempts),
            disturb: load.disturbances.all.clone(),
            disturb_place: None,
            stages: load
                .stages
                .iter()
                .map(|stage| DescribedStage { stage: *stage, fail_if: Vec::new() })
                .collect(),
            groups: load.groups(),
            files: Vec::new(),
            scale: None,
        }
    }

    /// Reduces the number of clients to this part of each group, but at least one. What each client does
    /// stays the same.
    pub(in crate::cli) fn shrink(&mut self, part: f64) {
        self.scale = Some(part);
        let before = sum_of_rates(&self.groups);
        for group in &mut self.groups {
            let before = f64::from(group.clients);
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a part of a number of clients, and not less than 1"
            )]
            let clients = (before * part).round().max(1.0) as u32;
            group.clients = clients;
            if let Some(publish) = &mut group.publish
                && let Rate::PerSecond(rate) = &mut publish.rate
            {
                *rate *= f64::from(clients) / before;
            }
            if let Some(operation) = &mut group.operation
                && let Rate::PerSecond(rate) = &mut operation.rate
            {
                *rate *= f64::from(clients) / before;
            }
            for subscription in &mut group.subscribe {
                subscription.shared_groups = subscription.shared_groups.min(clients);
            }
        }
        if let Some((before, after)) = before.zip(sum_of_rates(&self.groups)) {
            for stage in &mut self.stages {
                stage.stage = stage.stage.scaled(after / before);
            }
        }
    }

    /// Fills in a load, whose report sums up all groups. `typed` are those of [`SET_BY_FILES`] that were
    /// typed.
    ///
    /// # Errors
    /// The load cannot have these stages.
    pub(in crate::cli) fn apply(self, load: &mut Load, typed: &[&str]) -> Result<(), Error> {
        let is_open = |id: &str| !typed.contains(&id);
        let uses_aliases = self.groups.iter().filter_map(|group| group.publish.as_ref()).any(|one| one.alias);
        let client = &mut load.client;
        let shares = self.groups.iter().flat_map(|group| &group.subscribe).any(|one| one.shared_groups > 0);
        if let Some(version) = self.version.filter(|_| is_open("protocol_version")) {
            client.version = version;
        } else if (shares || uses_aliases) && client.version == Version::Auto {
            client.version = Version::Only(Protocol::V5);
            client.needs_v5 = Some(if shares { "shared-groups" } else { "topic-alias" });
        }
        if let Version::Only(protocol) = client.version
            && protocol != Protocol::V5
            && (shares || uses_aliases)
        {
            let key = if shares { "shared-groups" } else { "topic-alias" };
            let error = Error::usage(format!(
                "-V: {key} of the scenario '{}' needs MQTT 5, not {protocol}",
                self.name
            ));
            return Err(error.with_hint("-V 5"));
        }
        client.keep_alive = self.keep_alive.filter(|_| is_open("keepalive")).unwrap_or(client.keep_alive);
        if is_open("session_expiry") {
            client.session_expiry_interval = self.session_expiry_interval.or(client.session_expiry_interval);
        }
        client.max_inflight =
            self.inflight.filter(|_| is_open("max_inflight")).unwrap_or(client.max_inflight);
        if let Some(attempts) = self.reconnect.filter(|_| is_open("reconnect")) {
            client.reconnect.attempts = attempts;
        }
        if load.disturbances.all.is_empty() {
            if let (Some(place), Some(cut)) =
                (self.disturb_place, self.disturb.iter().find(|one| one.what.share().is_some()))
                && !load.reconnects()
            {
                let error = Error::usage(format!("{place}: '{}' needs clients that reconnect", cut.what));
                return Err(error.with_hint("reconnect = \"always\" in the file, or --reconnect always"));
            }
            load.disturbances = disturbance::disturbances(self.disturb);
        }
        load.abort_after = load.abort_after.or(self.abort_after);
        load.ramp = load.ramp.or(self.ramp);
        let mut files = self.files;
        if load.credentials.is_some() {
            // It replaces the file's own.
            files.retain(|file| Some(&file.path) != self.credentials.as_ref());
        }
        load.credentials = load.credentials.take().or(self.credentials);
        if load.local_addresses.is_empty() {
            load.local_addresses = self.local_addresses;
        }
        load.stop = self.stop.unwrap_or(load.stop);
        load.warmup = self.warmup.unwrap_or(load.warmup);
        load.drain = self.drain.unwrap_or(load.drain);
        load.seed = self.seed.unwrap_or(load.seed);
        sum_up(load, &self.groups);
        let scale = self.scale.unwrap_or(1.0);
        load.scenario = Some(Scenario { name: self.name, scale, groups: self.groups, files }.into());
        stages::apply(self.stages.iter().map(|described| described.stage).collect(), load)
    }
}

/// Messages per second of all groups, if all have a rate.
fn sum_of_rates(groups: &[ClientGroup]) -> Option<f64> {
    let rates = groups.iter().filter_map(|group| group.publish.as_ref());
    let rates = rates.map(|publish| match publish.rate {
        Rate::PerSecond(rate) => Some(rate),
        Rate::Max => None,
    });
    rates.sum()
}

/// Fills in what the report says about all groups together.
fn sum_up(load: &mut Load, groups: &[ClientGroup]) {
    let publishing = groups.iter().filter_map(|group| Some((group.clients, group.publish.as_ref()?)));
    let subscriptions = || groups.iter().flat_map(|group| &group.subscribe);
    load.rate = sum_of_rates(groups).map_or(Rate::Max, Rate::PerSecond);
    let published = publishing.clone().map(|(_, publish)| publish.qos).max();
    let subscribed = subscriptions().map(|subscription| subscription.qos).max();
    load.qos = published.or(subscribed).unwrap_or(QoS::AtMostOnce);
    if let Some((_, first)) = publishing.clone().next() {
        (load.arrivals, load.jitter, load.per_write) = (first.arrivals, first.jitter, first.per_write);
        (load.payload, load.topics, load.topic) = (first.payload.clone(), first.topics, first.topic.clone());
    }
    if let Some(first) = subscriptions().next() {
        load.shared_groups = first.shared_groups;
        match &first.source {
            MessageSource::Group { pattern, .. } => load.pattern = *pattern,
            MessageSource::Filter { filter, .. } => {
                load.pattern = Pattern::All;
                if published.is_none() {
                    load.topic.clone_from(filter);
                }
            }
        }
    }
}
