//! The options that select which received messages `sub` shows.

use std::ffi::OsString;
use std::time::Duration;

use regex::bytes::Regex;

use super::{text, value};
use crate::command::subscribe::{Conditions, MessageKind};
use crate::error::Error;

/// The options that leave out messages. Messages left out are acknowledged like those shown.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Selection")]
pub(super) struct SelectionArgs {
    /// Show no retained messages
    #[arg(short = 'R')]
    no_retained: bool,

    /// Show retained messages only, then leave
    ///
    /// MQTT does not say which retained message is the last. sub sends a message to itself, on the topic
    /// mqtt-marker/ID (ID: 16 random characters), and waits until it came back and nothing more came for 0.1
    /// to 3 seconds, depending on how the broker sends. If the user may not publish or subscribe there, and
    /// with a kept session (-c, -x), the run ends when nothing came for 3 to 5 seconds.
    #[arg(long)]
    retained_only: bool,

    /// Do not show messages whose topic matches this filter; may be repeated
    #[arg(short = 'T', long, value_name = "FILTER")]
    filter_out: Vec<OsString>,

    /// Show only payloads in which this regular expression is found; may be repeated: each must be found
    ///
    /// A|B finds either. The syntax is that of the Rust crate regex: (?i) in front ignores case, (?-u)
    /// matches bytes. A message is shown if all options of this group match. The others are acknowledged, and
    /// -C does not count them.
    #[arg(long, value_name = "REGEX", value_parser = value::bytes_expression)]
    grep: Vec<Regex>,

    /// Show a message only if its payload differs from the last one shown of its topic
    ///
    /// The first message of each topic is shown. The other options apply first: messages that they leave out
    /// are not compared.
    #[arg(long)]
    on_change: bool,

    /// Show each message with this probability only: 0.1 to 100, such as 10%
    ///
    /// Each message is decided on separately: of 1000 messages, 10% shows about 100. --random-filter is
    /// another name of this option.
    #[arg(long, visible_alias = "random-filter", value_name = "PERCENT", value_parser = value::percent)]
    sample: Option<f64>,

    /// Show at most this many messages of each topic, such as 1/s, 10/min or 4/h
    ///
    /// A number alone is a number a second: 2 is 2/s. The messages shown of a topic are at least 1/RATE apart:
    /// with 2/s, half a second. Messages in between
    /// are left out, even the last one.
    #[arg(long, value_name = "RATE", value_parser = value::interval_of_rate)]
    max_rate: Option<Duration>,

    /// Show at most this many messages of each topic
    ///
    /// The other options of this group apply first: messages that they leave out are not counted. If every
    /// filter is the name of a topic, the run ends with status 0 once each topic has reached its number. With
    /// wildcards it goes on, as a new topic may come at any time: -C, -W and --idle end it. In a kept session
    /// (-c), subscriptions of earlier runs may bring more topics; they are counted too, and not waited for.
    #[arg(long, value_name = "COUNT", value_parser = value::clients)]
    count_per_topic: Option<u32>,
}

impl SelectionArgs {
    pub(super) fn resolve(self) -> Result<Conditions, Error> {
        let kind = match (self.no_retained, self.retained_only) {
            (true, true) => {
                return Err(Error::usage(
                    "-R and --retained-only cannot be used together: -R hides retained messages",
                ));
            }
            (true, false) => MessageKind::Live,
            (false, true) => MessageKind::Retained,
            (false, false) => MessageKind::Any,
        };
        let filter_out = self.filter_out.iter().map(|filter| text::topic_filter("filter of -T", filter));
        Ok(Conditions {
            kind,
            filter_out: filter_out.collect::<Result<_, _>>()?,
            chance_percent: self.sample,
            grep: self.grep,
            on_change: self.on_change,
            least_interval: self.max_rate,
            count_per_topic: self.count_per_topic,
        })
    }
}
