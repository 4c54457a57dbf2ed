//! Reads a scenario file: its keys and their allowed values.

use clap::ValueEnum as _;

use super::description::{DescribedStage, Description, default_topic, pattern_name};
use super::table::{FileText, Table};
use crate::cli::bench_payload::parse_fields;
use crate::cli::bench_values::{MOST_RATE, arrivals, bytes, rate};
use crate::cli::disturbance::disturbance;
use crate::cli::stages::{MOST_STAGES, stage};
use crate::cli::value::{self, ProtocolVersion, ReconnectAttempts};
use crate::client::options::{Version, Will};
use crate::command::bench::config::{Arrivals, Pattern, Payload, Rate, StopAfter};
use crate::command::bench::group::{
    ClientGroup, GroupConnection, GroupOperation, GroupPublish, GroupSubscription, MessageSource, NamedFile,
    SHARE_NAME,
};
use crate::command::bench::operation::OperationKind;
use crate::command::bench::topic::{check_filter_fields, check_topic, check_will_topic, has_columns};
use crate::command::bench::{Disturbance, GroupFault, Threshold, check_groups};
use crate::error::Error;
use crate::nearest::{did_you_mean, nearest};
use crate::protocol::property::PropertyBlock;
use crate::protocol::topic;
use crate::protocol::{Protocol, QoS};

/// The most groups that a scenario may have.
const MOST_GROUPS: usize = 1_000;

/// Parses the text of a scenario.
///
/// # Errors
/// The fault, with its line.
pub(in crate::cli) fn read(file: FileText<'_>) -> Result<Description, Error> {
    let document = file.parse()?;
    let top = Table::new(file, document.get_ref(), 0);
    let groups = top.tables("group")?;
    if groups.is_empty() || groups.len() > MOST_GROUPS {
        return Err(file.wrong(0, format_args!("a scenario has 1 to {MOST_GROUPS} groups, [[group]]")));
    }
    let mut names: Vec<String> = Vec::new();
    for group in &groups {
        let name = group.needed("name", |text| group_name(text, &names))?;
        names.push(name);
    }
    let (count, duration) =
        (top.value("count", value::count)?, top.value("duration", value::positive_duration)?);
    if count.is_some() && duration.is_some() {
        return Err(top.wrong("count", "there is a duration already"));
    }
    let scenario = Description {
        name: file.name.into(),
        about: top.text("description")?.unwrap_or_default(),
        version: top.value("version", version)?,
        keep_alive: top.value("keep-alive", value::keep_alive)?,
        session_expiry_interval: top.value("session-expiry", value::session_expiry)?,
        inflight: top.value("inflight", value::inflight)?,
        ramp: top.value("ramp", value::per_second)?,
        credentials: top.text("credentials")?.map(Into::into),
        local_addresses: top.values("local-addresses", value::ip_address)?,
        stop: count.map(StopAfter::Count).or(duration.map(StopAfter::After)),
        warmup: top.value("warmup", value::duration)?,
        drain: top.value("drain", value::duration)?,
        seed: top.value("seed", |text| text.parse().map_err(|_| "it must be a whole number".to_owned()))?,
        fail_if: top.values("fail-if", str::parse)?,
        abort_after: top.value("abort-on-fail", value::duration)?,
        reconnect: top.value("reconnect", |text| text.parse().map(|ReconnectAttempts(attempts)| attempts))?,
        disturb: top.values("disturb", |text| disturbance_of(text, &names))?,
        disturb_place: top.place("disturb"),
        stages: stages(&top)?,
        groups: groups.into_iter().map(|table| group(table, &names)).collect::<Result<_, _>>()?,
        files: files(&Table::new(file, document.get_ref(), 0))?,
        scale: None,
    };
    let again = Table::new(file, document.get_ref(), 0);
    check_columns(&scenario.groups).map_err(|fault| at_its_place(&again, &fault))?;
    check_version(&again, &scenario)?;
    check_course(&top, &scenario)?;
    let senders = scenario.groups.iter().filter(|group| group.publish.is_some()).count();
    if count.is_some() && senders > 1 {
        return Err(top.wrong("count", "only one group may publish then; use duration"));
    }
    top.finish()?;
    check_groups(&scenario.groups).map_err(|fault| at_its_place(&again, &fault))?;
    Ok(scenario)
}

/// An error at the key that it is about.
fn at_its_place(top: &Table<'_>, fault: &GroupFault) -> Error {
    let found = || {
        let table = top.tables("group")?.swap_remove(fault.group);
        // A subscription names one group or several.
        let mut left = fault.subscription;
        for one in if left.is_some() { table.tables("subscribe")? } else { Vec::new() } {
            let groups = one.values("from", |text| Ok(text.to_owned()))?.len().max(1);
            if left.is_some_and(|left| left < groups) {
                let key = if one.place("filter").is_some() { "filter" } else { "from" };
                return Ok(one.wrong(key, &fault.why));
            }
            left = left.map(|left| left - groups);
        }
        Ok(table.wrong(fault.key, &fault.why))
    };
    found().unwrap_or_else(|error| error)
}

/// The files that a scenario names.
fn files(top: &Table<'_>) -> Result<Vec<NamedFile>, Error> {
    let mut files = Vec::new();
    let mut add = |table: &Table<'_>, keys: &[&'static str]| -> Result<(), Error> {
        for key in keys {
            files.extend(
                table
                    .text(key)?
                    .zip(table.place(key))
                    .map(|(path, place)| NamedFile { path: path.into(), place }),
            );
        }
        Ok(())
    };
    add(top, &["credentials"])?;
    for group in top.tables("group")? {
        add(&group, &["credentials", "client-values"])?;
        if let Some(publish) = group.table("publish")? {
            add(&publish, &["payload-file", "payload-lines"])?;
        }
    }
    Ok(files)
}

/// Checks that the version of the file has what its groups use.
fn check_version(top: &Table<'_>, scenario: &Description) -> Result<(), Error> {
    let Some(Version::Only(protocol)) =
        scenario.version.filter(|version| *version != Version::Only(Protocol::V5))
    else {
        return Ok(());
    };
    let why = format!("it needs MQTT 5, and the version of the file is {protocol}");
    for (table, group) in top.tables("group")?.into_iter().zip(&scenario.groups) {
        if group.publish.as_ref().is_some_and(|publish| publish.alias)
            && let Some(publish) = table.table("publish")?
        {
            return Err(publish.wrong("topic-alias", why));
        }
        for subscription in table.tables("subscribe")? {
            if subscription.value("shared-groups", value::clients)?.is_some_and(|groups| groups > 0) {
                return Err(subscription.wrong("shared-groups", why));
            }
        }
    }
    Ok(())
}

/// A disturbance, of one of these groups or of all.
fn disturbance_of(text: &str, names: &[String]) -> Result<Disturbance, String> {
    let found = disturbance(text)?;
    if let Some(group) = found.what.share().and_then(|share| share.group.as_deref()) {
        place(group, names)?;
    }
    Ok(found)
}

/// Checks that groups have the files that filters take columns of.
fn check_columns(groups: &[ClientGroup]) -> Result<(), GroupFault> {
    for (number, group) in groups.iter().enumerate() {
        for (place, subscription) in group.subscribe.iter().enumerate() {
            let (filter, source) = match &subscription.source {
                MessageSource::Group { group, filter: Some(filter), .. } => (filter, groups.get(*group)),
                MessageSource::Filter { filter, .. } => (filter, Some(group)),
                MessageSource::Group { .. } => continue,
            };
            if let Some(source) = source.filter(|source| source.client_values.is_none())
                && has_columns(filter)
            {
                let why = format!(
                    "group '{}': the filter '{filter}' needs client-values in group '{}'",
                    group.name, source.name
                );
                return Err(GroupFault { group: number, key: "subscribe", subscription: Some(place), why });
            }
        }
    }
    Ok(())
}

fn stages(top: &Table<'_>) -> Result<Vec<DescribedStage>, Error> {
    let tables = top.tables("stage")?;
    if tables.len() > MOST_STAGES {
        return Err(top.wrong("stage", format_args!("a scenario has at most {MOST_STAGES} stages")));
    }
    let one = |table: Table<'_>| {
        let described = DescribedStage {
            stage: table.needed("load", stage)?,
            fail_if: table.values("fail-if", in_stage)?,
        };
        table.finish()?;
        Ok(described)
    };
    tables.into_iter().map(one).collect()
}

/// A limit that can be checked in a stage: for a part of the messages.
fn in_stage(text: &str) -> Result<Threshold, String> {
    let threshold: Threshold = text.parse()?;
    if threshold.is_of_messages() {
        Ok(threshold)
    } else {
        Err(format!("'{text}': a stage has figures of messages and their latencies only"))
    }
}

/// Checks that stages, times and limits fit together.
fn check_course(top: &Table<'_>, scenario: &Description) -> Result<(), Error> {
    let has_limit =
        !scenario.fail_if.is_empty() || scenario.stages.iter().any(|stage| !stage.fail_if.is_empty());
    if scenario.abort_after.is_some() && !has_limit {
        return Err(top.wrong("abort-on-fail", "it needs fail-if"));
    }
    if !scenario.stages.is_empty() {
        let publishes: Vec<_> = scenario.groups.iter().filter_map(|group| group.publish.as_ref()).collect();
        if publishes.is_empty() {
            return Err(top.wrong("stage", "no group publishes"));
        }
        if publishes.iter().any(|publish| publish.rate == Rate::Max) {
            return Err(top.wrong("stage", "stages need schedules, and a group has the rate max"));
        }
        if scenario.stop.is_some() {
            return Err(
                top.wrong("stage", "the stages say how long the run is: leave out duration and count")
            );
        }
    }
    Ok(())
}

/// A group name: valid as a level of a topic and as a part of a client identifier, and unique.
fn group_name(text: &str, others: &[String]) -> Result<String, String> {
    if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte)) {
        return Err("a name has letters, digits, - and _".into());
    }
    if others.iter().any(|other| other == text) {
        return Err(format!("there are two groups '{text}'"));
    }
    Ok(text.into())
}

fn version(text: &str) -> Result<Version, String> {
    let versions = "the versions are 5, 3.1.1 and 3.1";
    ProtocolVersion::from_str(text, false).map(Version::from).map_err(|_| versions.into())
}

fn qos(text: &str) -> Result<QoS, String> {
    match text {
        "0" => Ok(QoS::AtMostOnce),
        "1" => Ok(QoS::AtLeastOnce),
        "2" => Ok(QoS::ExactlyOnce),
        _ => Err("it must be 0, 1 or 2".into()),
    }
}

/// The index of the group with this name.
fn place(text: &str, names: &[String]) -> Result<usize, String> {
    let found = names.iter().position(|name| name == text);
    found.ok_or_else(|| {
        let near: Vec<String> =
            nearest(text, names.iter().map(String::as_str)).into_iter().map(str::to_owned).collect();
        let hint = did_you_mean(&near).map_or_else(String::new, |hint| format!("; {hint}"));
        format!("unknown group '{text}'{hint}")
    })
}

fn client_id(text: &str) -> Result<String, String> {
    if text.contains("{client}") { Ok(text.into()) } else { Err("it needs {client}".into()) }
}

fn group(table: Table<'_>, names: &[String]) -> Result<ClientGroup, Error> {
    let name = table.text("name")?.unwrap_or_default();
    let clients = table.needed("clients", value::clients)?;
    let respond = table.value("respond", |text| place(text, names))?;
    let client_values = table.text("client-values")?.map(std::path::PathBuf::from);
    let has_values = client_values.is_some();
    let publish = table.table("publish")?;
    let publish = publish.map(|publish| self::publish(publish, &name, clients, has_values)).transpose()?;
    let mut subscribe = Vec::new();
    for subscription in table.tables("subscribe")? {
        subscribe.extend(self::subscriptions(subscription, names, clients)?);
    }
    let group = ClientGroup {
        clients,
        client_id: table.value("client-id", client_id)?.unwrap_or_else(|| format!("{name}-{{client}}")),
        ramp: table.value("ramp", value::per_second)?,
        credentials: table.text("credentials")?.map(Into::into),
        local_addresses: table.values("local-addresses", value::ip_address)?,
        client_values,
        connection: GroupConnection {
            keep_alive: table.value("keep-alive", value::keep_alive)?,
            clean_start: table.flag("clean-start")?,
            session_expiry_interval: table.value("session-expiry", value::session_expiry)?,
            will: table.table("will")?.map(|table| will(table, has_values)).transpose()?,
        },
        starts_after: table.value("starts-after", |text| place(text, names))?,
        read_rate: table.value("read-rate", value::per_second)?,
        publish,
        operation: table.table("operation")?.map(operation).transpose()?,
        subscribe,
        respond,
        name,
    };
    table.finish()?;
    Ok(group)
}

/// What is missing for columns.
const NO_VALUES: &str = "{csv:NAME} needs client-values, a file, in the group";

/// Checks that there is a file if a topic takes columns of it.
fn check_values(text: &str, has_values: bool) -> Result<(), String> {
    if has_values || !has_columns(text) {
        return Ok(());
    }
    Err(NO_VALUES.into())
}

fn will(table: Table<'_>, has_values: bool) -> Result<Will, Error> {
    let topic = |text: &str| {
        check_will_topic(text)?;
        check_values(text, has_values).map(|()| text.to_owned())
    };
    let will = Will {
        topic: table.needed("topic", topic)?,
        payload: table.text("payload")?.unwrap_or_default().into_bytes(),
        qos: table.value("qos", qos)?.unwrap_or_default(),
        retain: table.flag("retain")?.unwrap_or_default(),
        properties: PropertyBlock::default(),
    };
    if will.payload.len() > usize::from(u16::MAX) {
        return Err(table.wrong("payload", "a will has at most 65535 bytes"));
    }
    table.finish()?;
    Ok(will)
}

/// The operations of clients instead of publishing.
fn operation(table: Table<'_>) -> Result<GroupOperation, Error> {
    let kind = table.needed("kind", |text| {
        let known = OperationKind::ALL.into_iter().find(|kind| kind.name() == text);
        known.ok_or_else(|| "it must be subscribe, connect, end or fetch".to_owned())
    })?;
    let rate = table.needed("rate", rate)?;
    let arrivals = table.value("arrivals", arrivals)?.unwrap_or(Arrivals::Uniform);
    if rate == Rate::Max && !kind.is_done_once() {
        return Err(
            table.wrong("rate", format_args!("{} needs a rate; end and fetch may have max", kind.name()))
        );
    }
    if rate == Rate::Max && arrivals != Arrivals::Uniform {
        return Err(table.wrong("arrivals", "with the rate max all clients do it at once"));
    }
    table.finish()?;
    Ok(GroupOperation { kind, rate, arrivals })
}

fn publish(table: Table<'_>, group: &str, clients: u32, has_values: bool) -> Result<GroupPublish, Error> {
    let each = table.value("rate-per-client", value::per_second)?;
    let all = table.value("rate", rate)?;
    let rate = match (all, each) {
        (Some(_), Some(_)) => return Err(table.wrong("rate", "there is a rate-per-client already")),
        (Some(rate), None) => rate,
        (None, Some(each)) => Rate::PerSecond(each * f64::from(clients)),
        (None, None) => return Err(table.wrong("rate", "it is missing, and so is rate-per-client")),
    };
    if matches!(rate, Rate::PerSecond(rate) if rate > MOST_RATE) {
        return Err(
            table.wrong("rate", format_args!("a group publishes at most {MOST_RATE} messages a second"))
        );
    }
    let payload = payload(&table, has_values)?;
    let topics = table.value("topics", value::clients)?.unwrap_or(1);
    let topic = table.text("topic")?.unwrap_or_else(|| default_topic(group));
    check_topic(&topic, topics)
        .and_then(|()| check_values(&topic, has_values))
        .map_err(|why| table.wrong("topic", why))?;
    let publish = GroupPublish {
        rate,
        arrivals: table.value("arrivals", arrivals)?.unwrap_or(Arrivals::Uniform),
        jitter: table.value("jitter", value::positive_duration)?.unwrap_or_default(),
        per_write: table.value("per-write", value::clients)?.unwrap_or(u32::MAX),
        inflight: table.value("inflight", value::inflight)?,
        payload,
        topics,
        topic,
        qos: table.value("qos", qos)?.unwrap_or_default(),
        retain: table.flag("retain")?.unwrap_or_default(),
        alias: table.flag("topic-alias")?.unwrap_or_default(),
    };
    if publish.rate == Rate::Max && (publish.arrivals != Arrivals::Uniform || !publish.jitter.is_zero()) {
        return Err(table.wrong("rate", "arrivals and jitter need a schedule, and max has none"));
    }
    if publish.per_write < u32::MAX && (publish.rate != Rate::Max || publish.qos != QoS::AtMostOnce) {
        return Err(table.wrong("per-write", "it needs the rate max and QoS 0"));
    }
    table.finish()?;
    Ok(publish)
}

/// The payload of a group: exactly one kind.
fn payload(table: &Table<'_>, has_values: bool) -> Result<Payload, Error> {
    let has_fields = table.flag("template")?.unwrap_or_default();
    let text = table.text("payload")?;
    let size = table.value("size", bytes)?.map(Payload::Size);
    let file = table.text("payload-file")?.map(|path| Payload::File(path.into()));
    let lines = table.text("payload-lines")?.map(|path| Payload::Lines(path.into()));
    if has_fields && text.is_none() {
        return Err(table.wrong("template", "it needs payload"));
    }
    let text = match text.map(String::into_bytes) {
        Some(text) if has_fields => {
            parse_fields(&text, has_values).map_err(|why| {
                let needs_values = !has_values && text.windows(5).any(|part| part == b"{csv:");
                if needs_values { table.wrong("payload", NO_VALUES) } else { table.wrong("payload", why) }
            })?;
            Some(Payload::Fields(text))
        }
        text => text.map(Payload::Template),
    };
    let mut payloads = [size, text, file, lines].into_iter().flatten();
    let payload = payloads.next().unwrap_or(Payload::Size(64));
    if payloads.next().is_some() {
        return Err(table.wrong("size", "use one of size, payload, payload-file and payload-lines"));
    }
    Ok(payload)
}

/// The subscriptions of a table: one for each group that it names.
fn subscriptions(table: Table<'_>, names: &[String], clients: u32) -> Result<Vec<GroupSubscription>, Error> {
    let from = table.values("from", |text| place(text, names))?;
    let pattern = table.value("pattern", |text| {
        let known = [Pattern::Pairs, Pattern::All].into_iter().find(|known| pattern_name(*known) == text);
        known.ok_or_else(|| "it must be pairs or all".to_owned())
    })?;
    let filter = table.value("filter", |text| {
        let sample = text.replace("{client}", "16777216").replace("{filter}", "0").replace("{topic}", "0");
        topic::check_filter(sample.as_bytes()).map_err(|why| why.to_string())?;
        if from.is_empty() {
            check_filter_fields(text)?;
        }
        Ok(text.to_owned())
    })?;
    let filters = table.value("filters", value::filters)?;
    let qos = table.value("qos", qos)?.unwrap_or_default();
    let shared_groups = table.value("shared-groups", value::clients)?.unwrap_or(0);
    let share_name = table.text("share-name")?.unwrap_or_else(|| SHARE_NAME.into());
    if shared_groups > clients {
        return Err(table.wrong("shared-groups", "it is more than there are clients"));
    }
    if shared_groups > 1 && !share_name.contains("{share}") {
        return Err(table.wrong("share-name", "it needs {share}, as there are several shared-groups"));
    }
    let one = |source| GroupSubscription { source, qos, shared_groups, share_name: share_name.clone() };
    let found = if from.is_empty() {
        if pattern.is_some() {
            return Err(table.wrong("pattern", "it needs from, a group that publishes"));
        }
        let Some(filter) = filter else {
            return Err(
                table.wrong("filter", "a subscription needs from, a group that publishes, or a filter")
            );
        };
        let filters = filters.unwrap_or(1);
        if filters > 1 && !filter.contains("{filter}") {
            return Err(table.wrong("filter", "it needs {filter}, as there are several filters"));
        }
        vec![one(MessageSource::Filter { filter, filters })]
    } else {
        if filters.is_some() {
            return Err(table.wrong("filters", "it is for a subscription without from"));
        }
        let pattern = pattern.unwrap_or(Pattern::Pairs);
        let source = |group| MessageSource::Group { group, pattern, filter: filter.clone() };
        from.into_iter().map(|group| one(source(group))).collect()
    };
    table.finish()?;
    Ok(found)
}
