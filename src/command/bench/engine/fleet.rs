//! Data shared by all threads: the groups of clients, and the connection options and times of each client.

use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::super::client_values::ClientValues;
use super::super::config::{Load, Mode, Payload, Rate, StopAfter};
use super::super::course::RateCourse;
use super::super::credentials::ClientCredentials;
use super::super::disturbance::ClientCut;
use super::super::group::{ClientGroup, MessageSource, NamedFile};
use super::super::operation::OperationKind;
use super::super::pacer::{CourseShare, share};
use super::super::reference::ReferenceClock;
use super::super::stamp::{Phase, Stamp};
use super::super::topic::{LoadTopic, TopicValues};
use super::super::topology::GroupPlan;
use super::message::StampedMessage;
use crate::client::options::ClientOptions;
use crate::error::Error;
use crate::protocol::Protocol;

/// Data shared by all threads.
#[derive(Debug)]
pub(crate) struct Fleet {
    pub(crate) load: Load,
    /// The course of the rate, if it changes.
    pub(crate) course: Option<Arc<RateCourse>>,
    pub(crate) groups: Vec<FleetGroup>,
    /// The number of waves in which groups connect, one after the other.
    pub(crate) waves: u32,
    /// Clients to disconnect, in order of time.
    pub(crate) cuts: Vec<ClientCut>,
    pub(crate) protocol: Protocol,
    /// When the connections of will publishers ended, by publisher number in stamps; empty if there are none.
    pub(crate) ends: Ends,
    pub(crate) run: u32,
    /// The clock of the stamps; `None` if it is that of this process.
    pub(crate) clock: Option<Arc<ReferenceClock>>,
    /// Of all shards; those of this shard are [`Fleet::own_threads`].
    pub(crate) threads: u32,
    /// When the run started: the origin of the connection ramp and of the series.
    pub(crate) began: u64,
}

/// When connections ended, in nanoseconds of the monotonic clock; 0 if they have not.
pub(crate) type Ends = Arc<[AtomicU64]>;

/// Data of a group of clients that is shared by all threads.
#[derive(Debug)]
pub(crate) struct FleetGroup {
    pub(crate) group: ClientGroup,
    pub(crate) plan: GroupPlan,
    pub(crate) material: Material,
    /// The wave in which they connect, and the number of clients in other groups that connect before them.
    pub(crate) wave: u32,
    pub(crate) before: u32,
    /// Connection options, one for each local address.
    pub(crate) options: Vec<Arc<ClientOptions>>,
    /// The topic of their wills, if it has fields.
    will_topic: Option<LoadTopic>,
}

/// Data of a group from files.
#[derive(Debug)]
pub(crate) struct Material {
    pub(crate) credentials: Option<Arc<ClientCredentials>>,
    /// Of topics.
    pub(crate) values: TopicValues,
    /// Each thread has a copy: the file may be a pipe, which can be read only once.
    pub(crate) message: StampedMessage,
}

impl Material {
    /// Reads the data of every group.
    ///
    /// # Errors
    /// Files that cannot be read or have invalid content.
    pub(crate) fn read(load: &Load, groups: &[ClientGroup]) -> Result<Vec<Self>, Error> {
        if let Some(scenario) = &load.scenario {
            scenario.files.iter().try_for_each(NamedFile::check)?;
        }
        let credentials =
            |path: &Path, clients| ClientCredentials::read(path, &load.client, clients).map(Arc::new);
        let common = load.credentials.as_deref().map(|path| credentials(path, load.clients())).transpose()?;
        let of = |group: &ClientGroup| {
            let own =
                group.credentials.as_deref().map(|path| credentials(path, group.clients)).transpose()?;
            let values = TopicValues { rows: Self::rows(group, groups)?, seed: load.seed };
            let message = match (&group.publish, &group.connection.will) {
                (Some(publish), _) => StampedMessage::new(&publish.payload, values.rows.as_ref(), load.seed)?,
                (None, Some(will)) if group.does(OperationKind::End) => {
                    StampedMessage::new(&Payload::Template(will.payload.clone()), None, load.seed)?
                }
                _ => StampedMessage::default(),
            };
            Ok(Self { credentials: own.or_else(|| common.clone()), values, message })
        };
        groups.iter().map(of).collect()
    }

    /// Reads the values of a group's clients, and checks those of its topics and of the filters for them.
    fn rows(group: &ClientGroup, groups: &[ClientGroup]) -> Result<Option<Arc<ClientValues>>, Error> {
        let Some(path) = &group.client_values else { return Ok(None) };
        let rows = ClientValues::read(path, group.clients)?;
        let mut texts: Vec<&str> = Vec::new();
        texts.extend(group.publish.as_ref().map(|publish| &*publish.topic));
        texts.extend(group.connection.will.as_ref().map(|will| &*will.topic));
        for other in groups {
            for subscription in &other.subscribe {
                match &subscription.source {
                    MessageSource::Filter { filter, .. } if std::ptr::eq(other, group) => texts.push(filter),
                    MessageSource::Group { group: source, filter: Some(filter), .. }
                        if groups.get(*source).is_some_and(|source| std::ptr::eq(source, group)) =>
                    {
                        texts.push(filter);
                    }
                    _ => {}
                }
            }
        }
        for text in texts {
            let checked = LoadTopic::new(text, &TopicValues::default()).check_values(&rows);
            checked.map_err(|why| Error::usage(format!("{}: {why}", path.display())))?;
        }
        Ok(Some(Arc::new(rows)))
    }
}

impl FleetGroup {
    pub(crate) fn new(
        load: &Load,
        run: u32,
        group: ClientGroup,
        plan: GroupPlan,
        material: Material,
        (wave, before): (u32, u32),
    ) -> Self {
        let options = Self::options(load, run, &group);
        let will = options.first().and_then(|options| options.will.as_ref());
        let will_topic = will.map(|will| LoadTopic::new(&will.topic, &material.values));
        let will_topic = will_topic.filter(|topic| topic.names_client() || topic.has_columns());
        Self { group, plan, material, wave, before, options, will_topic }
    }

    /// Connection options of clients without their own credentials, one for each local address.
    fn options(load: &Load, run: u32, group: &ClientGroup) -> Vec<Arc<ClientOptions>> {
        let mut options = load.client.clone();
        if options.client_identifier.is_empty() {
            options.client_identifier = format!("bench-{run:08x}");
        }
        group.adjust(&mut options);
        let addresses =
            if group.local_addresses.is_empty() { &load.local_addresses } else { &group.local_addresses };
        let addresses = load.own_addresses(addresses);
        if addresses.is_empty() {
            return vec![Arc::new(options)];
        }
        let from = |address: &IpAddr| {
            let mut options = options.clone();
            options.endpoint.bind = Some(*address);
            Arc::new(options)
        };
        addresses.iter().map(from).collect()
    }

    /// The connection options and the client identifier of a client, by its number in the group.
    fn options_of(&self, run: u32, client: u32, shards: u32) -> (Arc<ClientOptions>, String) {
        let all = self.plan.first + client;
        let options = &self.options[(all / shards) as usize % self.options.len()];
        let mut digits = itoa::Buffer::new();
        let number = digits.format(client);
        let own = self.group.client_id.replace("{client}", number);
        let identifier = [&options.client_identifier, "-", &own].concat();
        let is_stamped = self.plan.operation == Some(OperationKind::End);
        let has_own_will = options.will.is_some() && is_stamped || self.will_topic.is_some();
        if self.material.credentials.is_none() && !has_own_will {
            return (Arc::clone(options), identifier);
        }
        let mut own = ClientOptions { client_identifier: identifier, ..ClientOptions::clone(options) };
        if let Some(will) = &mut own.will {
            if let Some(topic) = &self.will_topic {
                will.topic = topic.name(client, 0, 0);
            }
            if is_stamped {
                will.payload = self.stamped_will(run, client);
            }
        }
        if let Some(credentials) = &self.material.credentials {
            let line = if self.group.credentials.is_some() { client } else { all };
            credentials.apply(line, &mut own);
        }
        let identifier = own.client_identifier.clone();
        (Arc::new(own), identifier)
    }
}

impl FleetGroup {
    /// The payload of a client's will, with a stamp that identifies the client. The time of its end is known
    /// only to its thread.
    fn stamped_will(&self, run: u32, client: u32) -> Vec<u8> {
        let mut message = self.material.message.clone();
        let publisher = self.plan.first_publisher + client;
        let (phase, sequence, intended) = (Phase::Measure, 0, 0);
        let stamp = Stamp { run, phase, publisher, sequence, intended, sent: None };
        // A text with the client's number cannot exceed the maximum size of a packet.
        if message.fill(client, sequence).is_ok() {
            StampedMessage::write_stamp(&stamp, message.stamp_at, &mut message.bytes, message.rest_hash);
        }
        message.bytes
    }
}

impl Fleet {
    /// The numbers of this process's threads among those of all shards. A client belongs to the thread whose
    /// number is the client's number modulo the total, and so to the same shard for any number of threads.
    pub(crate) fn own_threads(&self) -> impl Iterator<Item = u32> {
        let (first, shards) = (self.load.shard_number(), self.load.shards());
        (first..self.threads).step_by(shards as usize)
    }

    /// A thread's share of the messages of a group's closed loop, if their number is limited; a schedule
    /// counts its own.
    pub(crate) fn quota(&self, thread: u32, publishers: u32, rate: Rate) -> u64 {
        let (StopAfter::Count(count), Rate::Max) = (self.load.stop, rate) else { return u64::MAX };
        // The publishers of earlier shards, for any number of their threads, and of earlier threads of this
        // one.
        let shards = self.load.shards();
        let shard = thread % shards;
        let of_shards: u32 = (0..shard).map(|earlier| share(publishers, earlier, shards)).sum();
        let earlier = (shard..thread).step_by(shards as usize);
        let before = of_shards + earlier.map(|earlier| share(publishers, earlier, self.threads)).sum::<u32>();
        let own = share(publishers, thread, self.threads);
        let up_to = |part: u32| {
            let part = u128::from(count) * u128::from(part) / u128::from(publishers.max(1));
            u64::try_from(part).unwrap_or(u64::MAX)
        };
        up_to(before + own) - up_to(before)
    }

    /// The share of the changing rate for a group with this rate, if the rate changes.
    pub(crate) fn course_of(&self, rate: f64) -> Option<CourseShare> {
        let Rate::PerSecond(all) = self.load.rate else { return None };
        self.course.as_ref().map(|course| CourseShare { course: Arc::clone(course), part: rate / all })
    }

    /// The connection options of a client; `resumes` if it was connected before.
    pub(crate) fn order(&self, group: u16, client: u32, resumes: bool) -> ConnectOrder {
        let (options, client_identifier) =
            self.groups[usize::from(group)].options_of(self.run, client, self.load.shards());
        ConnectOrder { options, client_identifier, protocol: self.protocol, resumes }
    }

    /// Whether a disturbance disconnects a client of a group.
    pub(crate) fn is_hit(&self, cut: &ClientCut, group: u16, client: u32) -> bool {
        cut.hits(self.groups[usize::from(group)].plan.first + client)
    }

    /// The number of this process's clients that connect in a wave.
    pub(crate) fn own_clients_in(&self, wave: u32) -> u32 {
        let groups = self.groups.iter().filter(|group| group.wave == wave);
        groups.map(|group| self.load.own_clients_of(&group.plan)).sum()
    }

    /// Whether connections are made on schedule instead of as fast as possible.
    pub(crate) fn has_ramp(&self) -> bool {
        self.load.ramp.is_some() || self.groups.iter().any(|group| group.group.ramp.is_some())
    }

    /// When a client of a group must connect, if its wave starts at `since`.
    pub(crate) fn connect_time(&self, since: u64, group: u16, client: u32) -> u64 {
        let FleetGroup { group, before, .. } = &self.groups[usize::from(group)];
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "neither negative nor too long"
        )]
        let after = |number: u32, rate: f64| (f64::from(number) / rate * 1e9) as u64;
        let delay = match (group.ramp, self.load.ramp) {
            (Some(own), _) => after(client, own),
            (None, Some(all)) => after(before + client, all),
            (None, None) => 0,
        };
        since + delay
    }

    /// Whether any client of a wave subscribes.
    pub(crate) fn subscribes(&self, wave: u32) -> bool {
        let mut groups = self.groups.iter().filter(|group| group.wave == wave);
        groups.any(|group| self.load.mode == Mode::Request || group.plan.subscribes())
    }

    /// Whether any client of a wave publishes messages for the broker to retain.
    pub(crate) fn prepares(&self, wave: u32) -> bool {
        self.groups.iter().any(|group| group.wave == wave && group.plan.prepares)
    }
}

/// A client to connect.
#[derive(Debug)]
pub(crate) struct ConnectOrder {
    pub(crate) options: Arc<ClientOptions>,
    pub(crate) client_identifier: String,
    pub(crate) protocol: Protocol,
    /// Whether it had a connection before.
    pub(crate) resumes: bool,
}
