//! Tells whether a connection is without TLS, before the options of the profile are applied: the credentials
//! of a profile for TLS must not be sent unencrypted.

use clap::parser::ValueSource;
use clap::{ArgMatches, Command};

use super::given::Given;
use super::host::{TLS_PORT, TURNS_ON};
use super::origin::Rank;
use crate::cli::url::BrokerUrl;
use crate::cli::value::Brokers;

/// The settings of the command line, the environment and files, before one overrides another.
pub(super) struct AllGiven<'a> {
    pub(super) definition: &'a Command,
    pub(super) matches: Option<&'a ArgMatches>,
    pub(super) options: &'a [Given],
    pub(super) profile: &'a [Given],
}

impl AllGiven<'_> {
    /// Whether the connection uses TLS. The ranks decide as they do when all options are resolved.
    pub(super) fn uses_tls(&self) -> bool {
        let (host_rank, hosts) = [self.best("host"), self.best("host_operand")]
            .into_iter()
            .max_by_key(|(rank, _)| *rank)
            .unwrap_or((Rank::Default, None));
        let (url_rank, url) = self.best("url");
        let url_counts = url_rank > Rank::Default && url_rank >= host_rank;
        let url = url.filter(|_| url_counts).and_then(|text| text.parse::<BrokerUrl>().ok());
        let named_by = if url_counts { url_rank } else { Rank::Default };
        if self.best("unix").0 > named_by.max(host_rank) {
            return false;
        }
        let (port_rank, port) = self.best("port");
        let option = port.filter(|_| port_rank >= named_by).and_then(|port| port.parse::<u16>().ok());
        let ports_of_hosts = || {
            let brokers = hosts.and_then(|hosts| hosts.parse::<Brokers>().ok());
            brokers.map(|Brokers(all)| all.iter().map(|broker| broker.port).collect())
        };
        let in_url = url.as_ref().map(|url| vec![url.port]);
        let own_ports: Vec<Option<u16>> = in_url.or_else(ports_of_hosts).unwrap_or_else(|| vec![None]);
        let owner = if url_counts { url_rank } else { host_rank };
        let option_first = url_counts && port_rank > owner;
        let port_of = |own: &Option<u16>| if option_first { option.or(*own) } else { own.or(option) };
        let any_port = if own_ports.iter().any(Option::is_some) { port_rank.max(owner) } else { port_rank };
        let tls_port = own_ports.iter().any(|own| port_of(own) == Some(TLS_PORT)).then_some(any_port);
        // Service records determine the port.
        let tls_port = tls_port.filter(|_| !self.is_on("srv") || self.best("srv").0 <= any_port);
        let turns_on = TURNS_ON.into_iter().filter(|id| self.is_on(id)).map(|id| self.best(id).0);
        let is_plain_url = url.as_ref().is_some_and(|url| !url.tls);
        let in_url = url.filter(|url| url.tls).map(|_| url_rank);
        let asked = turns_on.chain(in_url).chain(tls_port).max();
        let asked = asked.filter(|asked| !is_plain_url || *asked >= url_rank);
        asked.is_some_and(|asked| !self.is_on("no_tls") || self.best("no_tls").0 < asked)
    }

    /// Whether an option is given, and is not a flag set to false.
    pub(super) fn is_on(&self, id: &str) -> bool {
        let (rank, _) = self.best(id);
        let is_set = self.matches.filter(|_| matches!(rank, Rank::Environment | Rank::Flag));
        let value = is_set.and_then(|matches| matches.try_get_one::<bool>(id).ok().flatten());
        rank > Rank::Default && value != Some(&false)
    }

    /// The value with the highest rank, and its rank.
    pub(super) fn best(&self, id: &str) -> (Rank, Option<String>) {
        if !self.definition.get_arguments().any(|arg| arg.get_id() == id) {
            return (Rank::Default, None);
        }
        if let Some(matches) = self.matches {
            let rank = match matches.value_source(id) {
                Some(ValueSource::CommandLine) => Rank::Flag,
                Some(ValueSource::EnvVariable) => Rank::Environment,
                _ => Rank::Default,
            };
            if rank > Rank::Default {
                let value = matches.get_raw(id).and_then(Iterator::last);
                return (rank, value.map(|value| value.to_string_lossy().into_owned()));
            }
        }
        let given =
            [self.options, self.profile].into_iter().find_map(|all| all.iter().rfind(|one| one.id == id));
        given.map_or((Rank::Default, None), |one| {
            let word = one.words.last().map(|word| word.to_string_lossy());
            (one.rank, word.and_then(|word| Some(word.split_once('=')?.1.to_owned())))
        })
    }
}
