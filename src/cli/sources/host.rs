//! Decides whether a run connects to the host of its profile. If not, settings that belong to the host are
//! left out.

use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Command};

use super::given::{Found, Given};
use super::left_out::{LeftOut, PlainReason, Why};
use super::origin::Rank;
use super::plain::AllGiven;
use crate::cli::url::{BrokerUrl, without_query, without_user_info};
use crate::cli::value::Brokers;

/// The default port for TLS ([IANA] secure-mqtt).
pub(crate) const TLS_PORT: u16 = 8883;

/// The identifiers of the options that turn TLS on.
pub(crate) const TURNS_ON: [&str; 5] = ["cafile", "capath", "tls_use_os_certs", "cert", "psk"];

/// Set by `mqtt broker` for its command: the address of the broker that was started for it. Profiles never
/// apply to that broker, whatever its address is.
pub(crate) const STARTED_BROKER: &str = "MQTT_STARTED_BROKER";

/// Removes the settings that are left out.
pub(crate) fn leave_out(definition: &Command, found: &mut Found, why: Why) {
    let covers = |id: &str| why.covers(definition, id);
    let mut names = Vec::new();
    let ids = found.given.iter().map(|one| &one.id).chain(found.broken.iter().map(|one| &one.id));
    for id in ids.filter(|id| covers(id)) {
        let long = find(definition, id).and_then(Arg::get_long).unwrap_or(id);
        // The user replaced the host: no need to report that.
        if !["host", "unix"].contains(&id.as_str()) && !names.iter().any(|name| name == long) {
            names.push(long.to_owned());
        }
    }
    names.sort();
    found.given.retain(|one| !covers(&one.id));
    for one in found.given.iter_mut().filter(|one| why.covers_secrets_in(&one.id)) {
        let is_url = one.id == "url";
        for word in &mut one.words {
            if let Some(without) = word.to_str().filter(|_| is_url).and_then(without_user_info) {
                *word = without.into();
                names.push("user name and password in url".to_owned());
            }
            if let Some(without) = word.to_str().and_then(|word| without_query(word, is_url)) {
                *word = without.into();
                names.push(format!("query in {}", if is_url { "url" } else { "ws-path" }));
            }
        }
    }
    found.broken.retain(|one| !covers(&one.id));
    if let Some(profile) = found.profile.clone().filter(|_| !names.is_empty()) {
        found.left_out = Some(LeftOut { profile, options: names, why });
    }
}

/// The options and operands that name the broker, each with the option that parses it.
const NAMES_BROKER: [(&str, &str); 4] =
    [("host", "host"), ("host_operand", "host"), ("url", "url"), ("unix", "unix")];

/// Whether the command line, the environment or the options file names the broker.
pub(crate) fn names_broker(matches: &ArgMatches, options: &[Given]) -> bool {
    let is_set = |id: &str| {
        let source = matches.try_contains_id(id).is_ok_and(|given| given).then(|| matches.value_source(id));
        matches!(source.flatten(), Some(ValueSource::CommandLine | ValueSource::EnvVariable))
    };
    NAMES_BROKER.into_iter().any(|(id, _)| is_set(id) || options.iter().any(|one| one.id == id))
}

/// Why settings of the profile's host are left out, if they are. The source with the highest rank decides:
/// the command line, then the environment, then the options file. Ports are ignored: as in curl's netrc,
/// settings belong to a host. A profile that names no broker is for any, except the one that was started for
/// the run.
pub(crate) fn why_left_out(
    definition: &Command,
    matches: &ArgMatches,
    options: &[Given],
    profile: &[Given],
) -> Option<Why> {
    let given_as = |source| -> Vec<(&str, String)> {
        let there = NAMES_BROKER.into_iter().filter(|(id, _)| find(definition, id).is_some());
        let given = there.filter(|(id, _)| matches.value_source(id) == Some(source));
        given
            .flat_map(|(id, as_id)| {
                let values = matches.get_raw(id).into_iter().flatten();
                values.map(move |value| (as_id, value.to_string_lossy().into_owned()))
            })
            .collect()
    };
    let (of_profile, _) = places(&in_file(profile));
    let all = [given_as(ValueSource::CommandLine), given_as(ValueSource::EnvVariable), in_file(options)];
    let named = all.iter().map(|given| places(given)).find(|(named, _)| !named.is_empty());
    if let Some((named, _)) = &named {
        let started = std::env::var(STARTED_BROKER).ok();
        if started.is_some_and(|host| named.iter().all(|place| *place == normal(&host))) {
            return Some(Why::StartedBroker);
        }
        if !of_profile.is_empty() && !named.iter().all(|place| of_profile.contains(place)) {
            return Some(Why::AnotherHost { of_profile, named: named.clone() });
        }
    }
    let alone = AllGiven { definition, matches: None, options: &[], profile };
    let run = AllGiven { definition, matches: Some(matches), options, profile };
    let url = named.and_then(|(_, url)| url);
    if let Some(scheme) = url.as_ref().and_then(|url| plain_scheme(url, &run, matches)) {
        let asked_by = PlainReason::Scheme(scheme);
        return Some(Why::Plain { asked_by, port: true, credentials: alone.uses_tls() });
    }
    let asked_by = if run.is_on("no_tls") { PlainReason::NoTls } else { PlainReason::Rest };
    (alone.uses_tls() && !run.uses_tls()).then_some(Why::Plain { asked_by, port: false, credentials: true })
}

/// The scheme of a URL for a connection without TLS, unless something that overrides the profile turns TLS
/// on.
fn plain_scheme(url: &BrokerUrl, run: &AllGiven<'_>, matches: &ArgMatches) -> Option<&'static str> {
    if url.tls || url.port == Some(TLS_PORT) {
        return None;
    }
    let (url_rank, _) = run.best("url");
    let counts = |id: &str| {
        let (rank, _) = run.best(id);
        rank > Rank::Profile && rank >= url_rank
    };
    let turns_on = TURNS_ON.iter().any(|id| counts(id))
        || matches.try_get_one::<u16>("port").ok().flatten() == Some(&TLS_PORT);
    (!turns_on).then_some(if url.web_socket { "ws" } else { "mqtt" })
}

/// The options of a file that name the broker, with their values.
fn in_file(given: &[Given]) -> Vec<(&str, String)> {
    let naming = given.iter().filter(|one| NAMES_BROKER.iter().any(|(id, _)| one.id == *id));
    let words = naming.flat_map(|one| one.words.iter().map(move |word| (one, word.to_string_lossy())));
    let value = |word: &str| word.split_once('=').map_or(String::new(), |(_, value)| value.to_owned());
    words.map(|(one, word)| (one.id.as_str(), value(&word))).collect()
}

/// Normalised hosts or the paths of Unix sockets, and the URL among them. Invalid values are skipped; they
/// are refused elsewhere.
fn places(given: &[(&str, String)]) -> (Vec<String>, Option<BrokerUrl>) {
    let (mut places, mut in_url) = (Vec::new(), None);
    for (id, value) in given {
        match *id {
            "host" => {
                let brokers =
                    value.parse::<Brokers>().map_or_else(|_| Vec::new(), |Brokers(brokers)| brokers);
                places.extend(brokers.iter().map(|broker| normal(&broker.host)));
            }
            "url" => {
                if let Ok(url) = value.parse::<BrokerUrl>() {
                    places.push(normal(&url.host));
                    in_url = Some(url);
                }
            }
            _ => places.push(format!("unix:{value}")),
        }
    }
    (places, in_url)
}

/// The normal form of a host's name or address.
fn normal(host: &str) -> String {
    match host.parse::<std::net::IpAddr>() {
        Ok(address) => address.to_string(),
        Err(_) => host.strip_suffix('.').unwrap_or(host).to_ascii_lowercase(),
    }
}

fn find<'a>(definition: &'a Command, id: &str) -> Option<&'a Arg> {
    definition.get_arguments().find(|arg| arg.get_id() == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_a_host() {
        for (one, other) in [("Example.ORG.", "example.org"), ("0:0::1", "::1"), ("10.0.0.1", "10.0.0.1")] {
            assert_eq!(normal(one), normal(other));
        }
    }
}
