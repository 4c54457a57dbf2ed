//! The options for subscriptions: filters, each with its Subscription Options ([MQTT-3.8.3.1]).
//!
//! `-t FILTER` takes the options given for all. `--subscribe OPTIONS:FILTER` has its own before the filter:
//! the first colon ends the options, which never contain one, and everything after it is the filter, which
//! may. If the options came last, they could be read as part of a valid filter.

use std::ffi::{OsStr, OsString};

use clap::ValueEnum;

use super::payload::given_once;
use super::text::{self, shown};
use super::value::{self, RetainHandling};
use crate::command::subscribe::FilterOptions;
use crate::error::Error;
use crate::protocol::property::{PropertyId, out_of_range};
use crate::protocol::{QoS, topic};
use crate::quotation::cut;

const FORM: &str = "use OPTIONS:FILTER, for example qos=1,no-local:home/#";

/// The options of subscriptions.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Subscriptions")]
pub(super) struct SubscriptionArgs {
    /// Topic filters to subscribe to, as -t
    #[arg(value_name = "FILTER", help_heading = None::<&str>)]
    filters: Vec<OsString>,

    /// Topic filter to subscribe to; may be repeated
    #[arg(short = 't', long, value_name = "FILTER")]
    topic: Vec<OsString>,

    /// Topic filter with its own options; may be repeated. OPTIONS are qos=0|1|2, no-local,
    /// retain-as-published, retain-handling=always|new|never and id=NUMBER, the subscription identifier,
    /// separated by commas; the first colon ends them. Options not named are as given for -t. Example:
    /// qos=2,no-local:home/#
    #[arg(long, value_name = "OPTIONS:FILTER")]
    subscribe: Vec<OsString>,

    /// Highest QoS to receive with: 0, 1 or 2
    #[arg(short = 'q', long, value_name = "QOS", default_value = "0", value_parser = value::qos(),
          hide_possible_values = true)]
    qos: QoS,

    /// Do not receive what this client published itself (MQTT 5)
    #[arg(long)]
    no_local: bool,

    /// Show live messages with the retain flag they were published with (MQTT 5)
    #[arg(long)]
    retain_as_published: bool,

    /// When the broker sends retained messages (MQTT 5) [default: always]
    #[arg(long, value_name = "WHEN")]
    retain_handling: Option<RetainHandling>,

    /// Topic filter to unsubscribe from; may be repeated
    #[arg(short = 'U', long, value_name = "FILTER")]
    unsubscribe: Vec<OsString>,
}

impl SubscriptionArgs {
    /// Whether there is no filter to subscribe to.
    pub(super) fn is_empty(&self) -> bool {
        self.filters.is_empty() && self.topic.is_empty() && self.subscribe.is_empty()
    }

    /// Adds filters to subscribe to.
    pub(super) fn add(&mut self, filters: Vec<OsString>) {
        self.filters.extend(filters);
    }

    /// Whether there is a filter to unsubscribe from.
    pub(super) fn unsubscribes(&self) -> bool {
        !self.unsubscribe.is_empty()
    }

    /// All filters to subscribe to, in the order of the flags: `-t` first, `--subscribe` next, the URL's
    /// last. `identifier` is for those without an identifier.
    pub(super) fn filters(
        &self,
        in_url: Option<&str>,
        identifier: Option<u32>,
    ) -> Result<Vec<FilterOptions>, Error> {
        let defaults = || FilterOptions { identifier, ..self.defaults() };
        let topics = given_once(self.filters.clone(), &self.topic, "FILTER")?;
        let for_all = topics.iter().map(OsString::as_os_str).chain(in_url.map(OsStr::new)).map(|filter| {
            let filter = text::topic_filter("topic filter", filter)?;
            checked(FilterOptions { filter, ..defaults() })
        });
        let own = self.subscribe.iter().map(|typed| {
            let (options, filter) = split(typed)?;
            let filter = text::topic_filter("topic filter", &filter)?;
            let mut subscription = FilterOptions { filter, ..defaults() };
            for option in options.split(',').filter(|option| !option.is_empty()) {
                apply(option, &mut subscription)?;
            }
            checked(subscription)
        });
        for_all.chain(own).collect()
    }

    /// All filters to unsubscribe from.
    pub(super) fn unsubscribe(&self) -> Result<Vec<String>, Error> {
        self.unsubscribe.iter().map(|filter| text::topic_filter("filter of -U", filter)).collect()
    }

    /// The first option that requires MQTT 5.
    pub(super) fn needs_v5(&self, filters: &[FilterOptions]) -> Option<&'static str> {
        if self.retain_handling.is_some() || filters.iter().any(|filter| filter.retain_handling != 0) {
            Some("--retain-handling")
        } else if filters.iter().any(|filter| filter.no_local) {
            Some("--no-local")
        } else if filters.iter().any(|filter| filter.retain_as_published) {
            Some("--retain-as-published")
        } else if filters.iter().any(|filter| filter.identifier.is_some()) {
            Some("a subscription identifier")
        } else {
            None
        }
    }

    fn defaults(&self) -> FilterOptions {
        FilterOptions {
            filter: String::new(),
            qos: self.qos,
            no_local: self.no_local,
            retain_as_published: self.retain_as_published,
            retain_handling: self.retain_handling.map_or(0, RetainHandling::number),
            identifier: None,
        }
    }
}

/// Checks the rules of the standard for a filter with its options.
fn checked(subscription: FilterOptions) -> Result<FilterOptions, Error> {
    // [MQTT-3.8.3-4]
    if subscription.no_local && topic::shared(&subscription.filter).is_some() {
        let filter = shown(OsStr::new(&subscription.filter));
        return Err(Error::usage(format!(
            "topic filter '{}': a shared subscription cannot have no-local",
            cut(&filter)
        )));
    }
    Ok(subscription)
}

/// Splits `OPTIONS:FILTER`. The bytes of the filter stay unchanged, so that a filter that is not UTF-8 is
/// reported as such.
fn split(typed: &OsStr) -> Result<(String, OsString), Error> {
    let error = || Error::usage(format!("--subscribe '{}': there is no colon", shown(typed))).with_hint(FORM);
    let Some(text) = typed.to_str() else {
        return Err(Error::usage(format!("--subscribe '{}': it is not UTF-8", shown(typed))));
    };
    let (options, filter) = text.split_once(':').ok_or_else(error)?;
    Ok((options.to_owned(), filter.into()))
}

fn apply(option: &str, subscription: &mut FilterOptions) -> Result<(), Error> {
    match option.split_once('=') {
        None if option == "no-local" => subscription.no_local = true,
        None if option == "retain-as-published" => subscription.retain_as_published = true,
        Some(("qos", level)) => {
            let level = level.parse().ok().and_then(QoS::from_bits);
            subscription.qos =
                level.ok_or_else(|| Error::usage("--subscribe: qos is 0, 1 or 2").with_hint(FORM))?;
        }
        Some(("retain-handling", when)) => {
            let when = RetainHandling::from_str(when, false).map_err(|_| {
                Error::usage("--subscribe: retain-handling is always, new or never").with_hint(FORM)
            })?;
            subscription.retain_handling = when.number();
        }
        Some(("id", number)) => {
            let fits = |number: &u32| out_of_range(PropertyId::SubscriptionIdentifier, *number).is_none();
            let number = number.parse().ok().filter(fits);
            let error = || Error::usage("--subscribe: id must be 1 to 268435455").with_hint(FORM);
            subscription.identifier = Some(number.ok_or_else(error)?);
        }
        _ => {
            let message = format!("--subscribe: unknown option '{}'", shown(OsStr::new(option)));
            return Err(Error::usage(message).with_hint(
                "the options are qos=0|1|2, no-local, retain-as-published, \
                 retain-handling=always|new|never and id=NUMBER",
            ));
        }
    }
    Ok(())
}
