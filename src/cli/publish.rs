//! `mqtt pub`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueHint;

use super::connection::{ConnectionArgs, Purpose};
use super::decode::EncodeArgs;
use super::manual::Manual;
use super::payload::{ENVIRONMENT, NO_TOPIC, OperandArgs, PayloadArgs, no_message, one, text_template};
use super::property::{PropertyArgs, Publishing};
use super::replay::ReplayArgs;
use super::subcommand::Subcommand;
use super::verbosity::VerbosityArgs;
use super::will::WillArgs;
use super::{text, value};
use crate::client::options::Reconnect;
use crate::command::input::{GeneratedPayloads, RecordOptions, Rewrite, Source, TopicLines};
use crate::command::publish::{Config, Encoding, FOREVER, Filling, SpoolOptions};
use crate::error::Error;
use crate::protocol::property::{PropertyBlock, PropertyId};
use crate::protocol::wire::{LARGEST_PACKET_BYTES, TopicAlias};
use crate::protocol::{QoS, topic};

/// Publish messages to a topic
///
/// Publishes one message, or one for each line of standard input, and waits until the broker has
/// taken over every one of them. The exit status is 0 only then.
#[derive(Debug, Clone, clap::Args)]
pub(super) struct PublishArgs {
    #[command(flatten)]
    operands: OperandArgs,

    /// Topic to publish to; may be repeated: each message goes to each of them
    #[arg(short = 't', long, value_name = "TOPIC")]
    topic: Vec<OsString>,

    /// QoS: 0 at most once, 1 at least once, 2 exactly once
    #[arg(short = 'q', long, value_name = "QOS", default_value = "0", value_parser = value::qos(),
          hide_possible_values = true)]
    qos: QoS,

    /// Have the broker keep the message for future subscribers
    #[arg(short = 'r', long)]
    retain: bool,

    /// Send the message this many times, or forever [default: 1]
    #[arg(long, value_name = "COUNT|forever", value_parser = repeat)]
    repeat: Option<u64>,

    /// Send repeats at this interval, on a schedule that begins with the first one
    ///
    /// Message n, from 0, is due n intervals after the first one, however long sending takes. Times that pass
    /// while nothing can be sent, as on a lost connection, are skipped and counted in a warning at the end:
    /// late messages are not sent in a burst. At least 1ms.
    #[arg(long, value_name = "DURATION", requires = "repeat", conflicts_with = "repeat_delay", value_parser = interval)]
    interval: Option<Duration>,

    /// Pause before each repeat, once the last message is acknowledged [default: 0]
    #[arg(long, value_name = "DURATION", value_parser = value::duration)]
    repeat_delay: Option<Duration>,

    /// Leave after this time, with exit status 27
    #[arg(short = 'W', value_name = "DURATION", value_parser = value::positive_duration)]
    timeout: Option<Duration>,

    /// Number for the topic, so that it is sent only once a connection (MQTT 5); auto takes one if the
    /// broker allows it
    #[arg(long, value_name = "NUMBER|auto", help_heading = "Properties", value_parser = value::topic_alias)]
    topic_alias: Option<TopicAlias>,

    #[command(flatten)]
    payload: PayloadArgs,

    /// Publish each line of standard input as a separate message
    ///
    /// The line feed at its end is not part of the message.
    #[arg(short = 'l', long, help_heading = "Payload (one of)")]
    stdin_line: bool,

    /// Publish this many random bytes in each message
    ///
    /// Each message has different bytes; --seed makes them the same in each run. At most 268435460 bytes, the
    /// largest packet.
    #[arg(long, value_name = "SIZE", help_heading = "Payload (one of)", value_parser = generated_size)]
    size: Option<usize>,

    #[command(flatten)]
    lines: LineArgs,

    #[command(flatten)]
    records: RecordArgs,

    #[command(flatten)]
    replay: ReplayArgs,

    #[command(flatten)]
    template: TemplateArgs,

    #[command(flatten)]
    encode: EncodeArgs,

    /// `true` for mosquitto's clients: `{name}` in topics is plain text.
    #[arg(skip)]
    pub(super) plain_topics: bool,

    /// Keep messages in FILE until the broker has acknowledged them. What a run has left there, the
    /// next one sends first, also if it has no message of its own. With -l the input is taken in whether
    /// there is a broker or not; needs QoS 1 or 2
    ///
    /// A Message Expiry Interval counts down in FILE, in whole seconds by the clock of the machine: a message is
    /// sent with the seconds that are left, and not at all, with a warning, when none are. One with an interval
    /// of 0 is sent within the first second.
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Spool")]
    spool: Option<PathBuf>,

    /// How large the spool may become before -l stops reading its input and other messages are refused
    #[arg(long, value_name = "SIZE", default_value = "1GiB", requires = "spool",
          value_parser = value::size, help_heading = "Spool")]
    spool_max_size: u64,

    /// Move the message with this number out of the spool, to the file FILE.aside; may be repeated
    ///
    /// A run prints the number of a message that it keeps, and of one at which the broker ends the
    /// connection: the messages behind it cannot be sent otherwise. FILE.aside has a record for each message
    /// that was moved, which mqtt pub --json --keep-retain publishes. A message with text that is not valid
    /// in MQTT is moved there automatically.
    #[arg(long, value_name = "NUMBER", requires = "spool", help_heading = "Spool")]
    set_aside: Vec<u64>,

    #[command(flatten)]
    properties: PropertyArgs<Publishing>,

    #[command(flatten)]
    pub(super) connection: ConnectionArgs,

    #[command(flatten)]
    will: WillArgs,

    #[command(flatten)]
    report: VerbosityArgs,
}

/// The options for the format of lines of standard input.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Lines")]
struct LineArgs {
    /// With -l: each line has its topic, SEPARATOR and the payload
    ///
    /// The topic ends at the first SEPARATOR; \t means a tab. A line without it, or with a topic that cannot
    /// be published to, is reported on standard error and gives exit status 1.
    #[arg(long, value_name = "SEPARATOR", requires = "stdin_line")]
    topic_from_line: Option<OsString>,

    /// With -l or --json: a NUL byte ends each line, and a line feed is a part of it
    #[arg(short = '0', long)]
    null_data: bool,

    /// What to do at a line that cannot be sent: skip goes on with the next, stop ends the run once
    /// everything before it is acknowledged [default: skip]
    ///
    /// Such a line is not a record, has no topic, is too large, or cannot be filled in or encoded. It is named
    /// as soon as that is known, also if its end never comes. Both give exit status 1, or 149 if the line or
    /// its packet is too large. Needs -l or --json.
    #[arg(long, value_name = "skip|stop", hide_possible_values = true)]
    on_error: Option<OnError>,
}

impl LineArgs {
    fn terminator(&self) -> u8 {
        if self.null_data { 0 } else { b'\n' }
    }

    fn stops_at_error(&self) -> bool {
        self.on_error == Some(OnError::Stop)
    }

    /// The payload source for lines that are not records.
    fn source(&self) -> Result<Source, Error> {
        let Some(separator) = &self.topic_from_line else { return Ok(Source::StdinLines) };
        let separator = if separator == "\\t" { b"\t".to_vec() } else { value::bytes(separator.clone()) };
        let refused = |why| Err(Error::usage(format!("--topic-from-line: {why}")));
        if separator.is_empty() {
            return refused("the separator is empty");
        }
        if separator.contains(&self.terminator()) {
            return refused("the separator contains the byte that ends a line");
        }
        Ok(Source::TopicLines(TopicLines { separator }))
    }

    /// Refuses options for lines if the source has no lines.
    fn check(&self, source: &Source) -> Result<(), Error> {
        if self.null_data && !source.is_lines() {
            return Err(Error::usage("-0 needs -l or --json"));
        }
        if self.on_error.is_some() && !source.is_lines() {
            return Err(Error::usage("--on-error needs -l or --json"));
        }
        Ok(())
    }
}

/// The options for messages as records.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Records")]
struct RecordArgs {
    /// Each line of standard input is the record of a message: a JSON object such as mqtt sub --json writes
    ///
    /// Topic, QoS, RETAIN, payload and properties are taken from the record; what it lacks is taken from the
    /// options (the payload from -m or -n). A payload that is not a string is published as JSON. The time
    /// since the message was received is subtracted from its message-expiry-interval, and an expired message
    /// is not sent. Empty lines are skipped.
    #[arg(long, help_heading = "Payload (one of)")]
    json: bool,

    /// Retain the messages that were received with RETAIN
    ///
    /// In the record of a received message (one with tst) "retain": true says that the broker had stored it.
    /// Without this option such a message is published without RETAIN. Other records are published with the
    /// RETAIN that they have.
    #[arg(long, requires = "json")]
    keep_retain: bool,

    /// Change topics: replace what the regular expression matches; may be repeated
    ///
    /// Any character may be used instead of #; at the end, g replaces every match and i ignores case. The
    /// syntax is that of the Rust crate regex, with $1 and ${name} for groups.
    #[arg(long, value_name = "s#REGEX#TEXT#", requires = "json", value_parser = rewrite)]
    rewrite_topic: Vec<Rewrite>,
}

/// The options for templates.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Template")]
struct TemplateArgs {
    /// Fill in fields such as {seq} in topics and payloads, for each message
    ///
    /// {seq} is the number of the line or repeat, from 1; {now} the time in UTC (RFC 3339), {now:FORMAT} the
    /// local time as strftime(3) writes it, {unix} and {unix_ms} the seconds and milliseconds since 1970;
    /// {uuid} a random UUID; {rand:0..100} and {rand:18.0..24.0:1} a random number, both ends included, with
    /// as many decimals as are given; {hex:16} that many random hexadecimal digits; {env:NAME} an environment
    /// variable, not in texts from standard input; {name}, in topics, the name of the file of -f. {{ and }}
    /// are braces. With --json fields are filled in in strings, not in payloads that are JSON or
    /// encoded, and not in the record of a received message (one with tst, payload-decoded or payload-error),
    /// whose texts others have written; -t and -m are filled in for it. A line that cannot be filled in, and a
    /// topic that cannot be published to, is an error of that
    /// message and gives exit status 1.
    #[allow(clippy::doc_markdown, reason = "it is the text of the help")]
    #[arg(long)]
    template: bool,

    /// Make the random values of --template, but not its times, and the bytes of --size the same in each run
    #[arg(long, value_name = "NUMBER")]
    seed: Option<u64>,
}

impl TemplateArgs {
    /// Parses the texts that are known. Topics without fields are replaced by their final text.
    fn resolve(&self, topics: &mut [String], source: &Source) -> Result<Option<Filling>, Error> {
        if !self.template {
            return Ok(None);
        }
        let files = files(source);
        // Each file has the same number of topics.
        let of_each = topics.len().checked_div(files.len()).unwrap_or_default().max(1);
        let mut templates = Vec::new();
        for (place, topic) in topics.iter_mut().enumerate() {
            let file_name = files.get(place / of_each).map(|file| file_name(file));
            let template = text_template("topic", topic.as_bytes(), file_name)?;
            if let Some(name) = template.literal() {
                *topic = text::topic_name("topic", &value::os_string(name.to_vec()))?;
            }
            templates.push(template);
        }
        let mut payload = None;
        match source {
            Source::Message(text) => drop(text_template("payload", text, None)?),
            Source::Records(RecordOptions { payload: Some(text), .. }) => {
                payload = Some(text_template("payload", text, None)?);
            }
            _ => {}
        }
        Ok(Some(Filling { topics: templates, payload, environment: ENVIRONMENT, seed: self.seed }))
    }
}

/// What to do at a line that is not a valid message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum OnError {
    Skip,
    Stop,
}

fn generated_size(text: &str) -> Result<usize, String> {
    let bytes = usize::try_from(value::size(text)?).unwrap_or(usize::MAX);
    let most = LARGEST_PACKET_BYTES as usize;
    if bytes > most { Err(format!("the largest packet of MQTT has {most} bytes")) } else { Ok(bytes) }
}

/// The files whose contents are the payloads.
fn files(source: &Source) -> &[PathBuf] {
    match source {
        Source::File(file) => std::slice::from_ref(file),
        Source::Files(files) => files,
        _ => &[],
    }
}

/// The last component of a path.
fn file_name(path: &Path) -> &[u8] {
    path.file_name().unwrap_or_default().as_encoded_bytes()
}

/// The topics of each file. `{name}` is replaced by the file's name, unless it is plain text or a template
/// replaces it.
fn of_each_file(topics: Vec<String>, source: &Source, is_plain: bool) -> Result<Vec<String>, Error> {
    const FIELD: &str = "{name}";
    let files = files(source);
    if files.is_empty() {
        return Ok(topics);
    }
    let named = |file: &PathBuf, topic: &String| {
        if is_plain || !topic.contains(FIELD) {
            return Ok(topic.clone());
        }
        let mut parts = topic.split(FIELD);
        let mut name = parts.next().unwrap_or_default().as_bytes().to_vec();
        for part in parts {
            name.extend_from_slice(file_name(file));
            name.extend_from_slice(part.as_bytes());
        }
        text::topic_name("topic", &value::os_string(name))
    };
    let (named, topics) = (&named, &topics);
    files.iter().flat_map(|file| topics.iter().map(move |topic| named(file, topic))).collect()
}

/// Joins several files into one source.
fn join_files(given: &mut Vec<(&'static str, Source)>) {
    let is_file = |source: &Source| matches!(source, Source::File(_));
    if given.iter().filter(|(_, source)| is_file(source)).count() < 2 {
        return;
    }
    let all = given.iter().flat_map(|(_, source)| files(source)).cloned().collect();
    given.retain(|(_, source)| !is_file(source));
    given.push(("-f", Source::Files(all)));
}

pub(super) fn repeat(text: &str) -> Result<u64, String> {
    if text == "forever" {
        Ok(FOREVER)
    } else {
        value::count(text).map_err(|why| format!("{why}, or forever"))
    }
}

pub(super) fn interval(text: &str) -> Result<Duration, String> {
    let interval = value::positive_duration(text)?;
    if interval < Duration::from_millis(1) { Err("it must be at least 1ms".into()) } else { Ok(interval) }
}

fn rewrite(text: &str) -> Result<Rewrite, String> {
    Rewrite::parse(text)
}

impl RecordArgs {
    /// The source of the messages. Removes from `given` the payload for records that have none.
    fn source(
        self,
        given: &mut Vec<(&'static str, Source)>,
        replay: &ReplayArgs,
    ) -> Result<Option<(&'static str, Source)>, Error> {
        if !self.json {
            return Ok(None);
        }
        let payload = match given.as_slice() {
            [(_, Source::Message(payload))] => Some(payload.clone()),
            [(_, Source::Null)] => Some(Vec::new()),
            _ => None,
        };
        if payload.is_some() {
            given.clear();
        }
        let (keep_retain, rewrites) = (self.keep_retain, self.rewrite_topic);
        let (selection, is_replay, rounds) = (replay.selection()?, replay.is_timed(), replay.rounds());
        let options = RecordOptions { keep_retain, rewrites, payload, selection, is_replay, rounds };
        Ok(Some(("--json", Source::Records(options))))
    }
}

impl Subcommand for PublishArgs {
    type Config = Config;

    const MANUAL: &'static Manual = &Manual {
        common: &["topic", "message", "file", "stdin_line", "null_message", "qos", "retain", "debug"],
        examples: &[
            ("Publish a message", "mqtt pub -t home/kitchen/temperature -m 23.4"),
            ("Publish at QoS 1 a message that the broker retains", "mqtt pub -t home/door -m open -q 1 -r"),
            (
                "Publish each line of a program's output as a message, until the program ends",
                "sensors | mqtt pub -h broker.example -t site/1 -l -q 1",
            ),
            (
                "Publish a file over TLS; the topic is the path of the URL",
                "mqtt pub -L mqtts://user@broker.example/home/photo -f photo.jpg",
            ),
        ],
        bugs: &[
            "At QoS 0 a broker acknowledges nothing, and in MQTT 3.1 and 3.1.1 it cannot refuse a message: most \
             brokers acknowledge a message that they drop for lack of rights. The exit status is then 0.",
            "At QoS 1 a message may arrive twice after the connection was lost. At QoS 2 it arrives once, as long \
             as the broker keeps the session (-c and -i).",
            "-f and -s hold the whole message in memory, up to the largest packet of MQTT (268435460 bytes).",
            "The file of --spool is synchronised to the disk once a second and at the end: after a loss of power \
             the messages of the last second may be missing, or be sent twice. MQTT 5 properties in it are left out \
             on a 3.1.1 connection, with a warning. The Message Expiry Interval counts down in the spool by the \
             clock of the machine: after a change of the clock a message may expire too early or too late.",
        ],
    };

    fn connection_mut(&mut self) -> Option<&mut ConnectionArgs> {
        Some(&mut self.connection)
    }
}

impl TryFrom<PublishArgs> for Config {
    type Error = Error;

    fn try_from(mut args: PublishArgs) -> Result<Self, Error> {
        let reads_lines = args.stdin_line || args.records.json;
        let file_operand = if reads_lines { args.operands.file() } else { None };
        let topics = args.operands.topics(&args.topic)?;
        let has_topic_option = !topics.is_empty();
        let mut given: Vec<_> = args.payload.clone().given();
        given.extend(args.operands.given());
        join_files(&mut given);
        let generated = |bytes| Source::Generated(GeneratedPayloads::new(bytes, args.template.seed));
        given.extend(args.size.map(|bytes| ("--size", generated(bytes))));
        if args.template.seed.is_some() && args.size.is_none() && !args.template.template {
            return Err(Error::usage("--seed needs --template or --size"));
        }
        let records = args.records.source(&mut given, &args.replay)?;
        let lines = args.stdin_line.then(|| args.lines.source()).transpose()?;
        given.extend(records.into_iter().chain(lines.map(|lines| ("-l", lines))));
        let has_other = given.len() > 1 && given.iter().any(|(option, _)| *option == "-m");
        let source = source(given, args.spool.is_some())
            .map_err(|error| error.hinted(args.encode.hint_for_message().filter(|_| has_other)))?;
        args.lines.check(&source)?;
        let mut topics = match source {
            Source::Records(_) => topic_of_records(&topics, &args.connection)?.into_iter().collect(),
            Source::TopicLines(_) if !topics.is_empty() => {
                return Err(Error::usage("-t and --topic-from-line both give the topic"));
            }
            Source::Spool | Source::TopicLines(_) => Vec::new(),
            _ => {
                let is_plain = args.plain_topics || args.template.template;
                of_each_file(all_topics(&topics, &args.connection)?, &source, is_plain)?
            }
        };
        let filling = args.template.resolve(&mut topics, &source)?;
        let repeats = args.repeat.is_some() || args.repeat_delay.is_some();
        if args.spool.is_some() {
            if args.qos == QoS::AtMostOnce && source != Source::Spool {
                return Err(Error::usage("--spool keeps messages until they are acknowledged: -q 1 or -q 2"));
            }
            if repeats {
                return Err(Error::usage("--repeat and --repeat-delay cannot be used with --spool"));
            }
        }
        let lines = source.is_lines();
        if repeats && lines {
            return Err(Error::usage("--repeat and --repeat-delay cannot be used with -l or --json"));
        }
        let properties = args.properties.resolve()?;
        let topic_alias = topic_alias(args.topic_alias, &properties.publish)?;
        let client = args.connection.resolve(Purpose {
            will: args.will.resolve(properties.will, properties.will_asked_by)?,
            properties: properties.connect,
            disconnect_properties: properties.disconnect,
            needs_v5: args.properties.needs_v5().or(args.topic_alias.map(|_| "--topic-alias")),
            reconnect: if lines || args.repeat == Some(FOREVER) {
                Reconnect::ALWAYS
            } else {
                Reconnect::NEVER
            },
            uses_properties: matches!(source, Source::Records(_)),
            ..Purpose::default()
        })?;
        Ok(Self {
            client,
            topics,
            has_topic_option,
            file_operand,
            qos: args.qos,
            retain: args.retain,
            source,
            terminator: args.lines.terminator(),
            stops_at_error: args.lines.stops_at_error(),
            filling,
            encode: args.encode.resolve()?.map(Encoding),
            repeat: args.repeat.unwrap_or(1),
            interval: args.interval,
            speed: args.replay.speed(),
            repeat_delay: args.repeat_delay.unwrap_or_default(),
            properties: properties.publish.without(&[PropertyId::TopicAlias]),
            topic_alias,
            spool: args.spool.map(|path| SpoolOptions {
                path,
                most_bytes: args.spool_max_size,
                set_aside: args.set_aside,
            }),
            timeout: args.timeout,
            verbosity: args.report.resolve()?,
        })
    }
}

/// The topic of a message, from `-t` or the URL.
pub(super) fn topic(given: &[OsString], connection: &ConnectionArgs) -> Result<String, Error> {
    named_topic(given, connection)?.ok_or_else(|| {
        Error::usage("no topic to publish to")
            .about([NO_TOPIC])
            .with_hint("give it as the first operand or with -t")
    })
}

/// The topics that each message goes to.
fn all_topics(given: &[OsString], connection: &ConnectionArgs) -> Result<Vec<String>, Error> {
    if given.is_empty() {
        return Ok(vec![topic(given, connection)?]);
    }
    given.iter().map(|one| topic(std::slice::from_ref(one), connection)).collect()
}

/// The topic, if one is given.
fn named_topic(given: &[OsString], connection: &ConnectionArgs) -> Result<Option<String>, Error> {
    if given.len() > 1 {
        let count = given.len();
        return Err(Error::usage(format!("{count} topics given (-t), but a message goes to one"))
            .with_hint("run the command once for each topic"));
    }
    let topic = match (given.first(), connection.url_topic()?) {
        (Some(topic), Some(in_url)) if connection.url_is_typed() && topic != in_url => {
            return Err(Error::usage("-L and -t name different topics"));
        }
        (Some(topic), _) => topic.clone(),
        (None, Some(in_url)) => in_url.into(),
        (None, None) => return Ok(None),
    };
    text::topic_name("topic", &topic).map(Some)
}

/// The topic for records that have none.
fn topic_of_records(given: &[OsString], connection: &ConnectionArgs) -> Result<Option<String>, Error> {
    let has_wildcard = |topic: &OsString| topic.to_str().is_some_and(topic::has_wildcard);
    named_topic(given, connection).map_err(|error| match given.iter().find(|topic| has_wildcard(topic)) {
        Some(_) => error.with_hint("--topic-filter selects records; -t is the topic of those that have none"),
        None => error,
    })
}

/// The topic alias, from the option or the property.
pub(super) fn topic_alias(
    option: Option<TopicAlias>,
    properties: &PropertyBlock,
) -> Result<TopicAlias, Error> {
    let number =
        properties.view().number(PropertyId::TopicAlias).and_then(|number| u16::try_from(number).ok());
    match (option, number) {
        (Some(_), Some(_)) => Err(Error::usage("--topic-alias and -D both give the property topic-alias")),
        (option, number) => Ok(option.or(number.map(TopicAlias::Fixed)).unwrap_or_default()),
    }
}

fn source(given: Vec<(&'static str, Source)>, spool: bool) -> Result<Source, Error> {
    match one(given)? {
        Some(source) => Ok(source),
        None if spool => Ok(Source::Spool),
        None => Err(no_message()),
    }
}
