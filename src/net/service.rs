//! A domain's brokers, from its DNS service records (RFC 2782).

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use domain::base::iana::{Rcode, Rtype};
use domain::base::{Message, Name};
use domain::rdata::Srv;
use domain::resolv::lookup::lookup_host;
use domain::resolv::stub::StubResolver;
use domain::resolv::stub::conf::{ResolvConf, ServerConf, Transport};

use super::address::Address;
use super::fault;
use crate::error::{Error, Layer};
use crate::quantity::duration;
use crate::quotation;

/// The brokers of `domain`, in the order in which to try them: by priority, and within one priority at random
/// by weight. They come from the records of `_mqtt._tcp`, or with `secure` of `_secure-mqtt._tcp`.
///
/// `name_servers` are queried, or the system's if there are none. `limit` is the timeout.
///
/// # Errors
///
/// [`Layer::Resolve`]: no name server answered, the domain has no such records, or it declares that it does
/// not offer the service.
pub async fn brokers_of(
    domain: &str,
    secure: bool,
    name_servers: &[SocketAddr],
    limit: Duration,
) -> Result<Vec<Address>, Error> {
    let service = if secure { "_secure-mqtt._tcp" } else { "_mqtt._tcp" };
    let full_name = format!("{service}.{}", domain.trim_end_matches('.'));
    let name: Name<Vec<u8>> = full_name.parse().map_err(|_| {
        Error::fatal(Layer::Resolve, format!("'{}' is not a domain name", quotation::shown(domain)))
    })?;
    let resolver = resolver(name_servers);
    let no_answer = || {
        let limit = duration(limit);
        Error::link(Layer::Resolve, format!("no answer about {full_name} within {limit}"))
    };
    let answer = match tokio::time::timeout(limit, resolver.query((name, Rtype::SRV))).await {
        Err(_) => return Err(no_answer()),
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::TimedOut => {
            return Err(Error::link(Layer::Resolve, format!("no answer about {full_name}")));
        }
        Ok(Err(error)) => {
            return Err(unasked(&full_name, name_servers, &error));
        }
        Ok(Ok(answer)) => answer.into_message(),
    };
    read_answer(answer.for_slice(), &full_name)
}

fn resolver(name_servers: &[SocketAddr]) -> StubResolver {
    if name_servers.is_empty() {
        return StubResolver::new();
    }
    let mut configuration = ResolvConf::new();
    configuration.servers =
        name_servers.iter().map(|server| ServerConf::new(*server, Transport::UdpTcp)).collect();
    configuration.finalize();
    StubResolver::from_conf(configuration)
}

/// The error for a query that could not be sent to the name servers.
fn unasked(about: &str, name_servers: &[SocketAddr], error: &std::io::Error) -> Error {
    let cause = format!("the name server cannot be asked about {about}: {}", fault::words(error));
    let error = Error::link(Layer::Resolve, cause);
    let lacks_zone = name_servers.iter().find_map(|server| match server {
        SocketAddr::V6(v6) if v6.ip().is_unicast_link_local() && v6.scope_id() == 0 => Some(v6),
        _ => None,
    });
    match lacks_zone {
        Some(server) => error.with_hint(format!(
            "a link-local address needs the interface's number as its zone, for example --name-server [{}%2]:{}",
            server.ip(),
            server.port()
        )),
        None => error,
    }
}

/// The addresses of `host` from these name servers; at least one.
///
/// # Errors
///
/// [`Layer::Resolve`]: no name server answered, or the host has no address there.
pub(super) async fn addresses_of(host: &str, name_servers: &[SocketAddr]) -> Result<Vec<IpAddr>, Error> {
    let shown = quotation::shown(host);
    let name: Name<Vec<u8>> =
        host.parse().map_err(|_| Error::fatal(Layer::Resolve, format!("'{shown}' is not a domain name")))?;
    let found = lookup_host(&resolver(name_servers), &name).await;
    let found = found.map_err(|error| unasked(&shown, name_servers, &error))?;
    let addresses: Vec<IpAddr> = found.iter().collect();
    if addresses.is_empty() {
        let asked = name_servers.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and ");
        return Err(Error::link(Layer::Resolve, format!("no address for '{shown}' at {asked}")));
    }
    Ok(addresses)
}

/// The brokers in an answer about `full_name`.
fn read_answer(answer: &Message<[u8]>, full_name: &str) -> Result<Vec<Address>, Error> {
    let none = || {
        Error::link(Layer::Resolve, format!("there are no service records {full_name}"))
            .with_hint("without -S the host is asked for its address instead")
    };
    match answer.header().rcode() {
        Rcode::NOERROR => {}
        Rcode::NXDOMAIN => return Err(none()),
        other => {
            return Err(Error::link(
                Layer::Resolve,
                format!("the name server answered {other} when asked about {full_name}"),
            ));
        }
    }
    let unsound = || Error::link(Layer::Resolve, format!("the answer about {full_name} is not valid"));
    let owner = answer.canonical_name().ok_or_else(unsound)?;
    let mut records = Vec::new();
    for record in answer.answer().map_err(|_| unsound())?.limit_to_in::<Srv<_>>() {
        let record = record.map_err(|_| unsound())?;
        if *record.owner() == owner {
            let data = record.data();
            records.push(ServiceRecord {
                priority: data.priority(),
                weight: data.weight(),
                host: data.target().to_string().trim_end_matches('.').to_owned(),
                port: data.port(),
            });
        }
    }
    if records.is_empty() {
        return Err(none());
    }
    // The root as target means "decidedly not available at this domain" (RFC 2782).
    records.retain(|record| !record.host.is_empty());
    if records.is_empty() {
        return Err(Error::link(Layer::Resolve, format!("{full_name} says that there is no such service")));
    }
    let ordered = in_order(records, |end| fastrand::u64(..end));
    Ok(ordered.into_iter().map(|record| Address::Tcp { host: record.host, port: record.port }).collect())
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct ServiceRecord {
    priority: u16,
    weight: u16,
    host: String,
    port: u16,
}

/// The records in the order in which to try them (RFC 2782, "Weight"). `pick` returns a random number below
/// its argument.
fn in_order(mut records: Vec<ServiceRecord>, mut pick: impl FnMut(u64) -> u64) -> Vec<ServiceRecord> {
    // Records of weight 0 come first within a priority, which leaves them a small chance.
    records.sort_by_key(|record| (record.priority, record.weight != 0));
    let mut ordered = Vec::with_capacity(records.len());
    while let Some(first) = records.first() {
        let equals = records.iter().take_while(|record| record.priority == first.priority).count();
        let total: u64 = records[..equals].iter().map(|record| u64::from(record.weight)).sum();
        let chosen = pick(total + 1);
        let mut sum = 0;
        let position = records[..equals].iter().position(|record| {
            sum += u64::from(record.weight);
            sum >= chosen
        });
        ordered.push(records.remove(position.unwrap_or(0)));
    }
    ordered
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(priority: u16, weight: u16, host: &str) -> ServiceRecord {
        ServiceRecord { priority, weight, host: host.into(), port: 1883 }
    }

    fn hosts(records: Vec<ServiceRecord>, pick: impl FnMut(u64) -> u64) -> Vec<String> {
        in_order(records, pick).into_iter().map(|record| record.host).collect()
    }

    #[test]
    fn zone_that_a_name_server_lacks_is_named() {
        let invalid = std::io::ErrorKind::InvalidInput.into();
        let hint =
            |server: &str| unasked("x", &[server.parse().unwrap()], &invalid).hint().map(str::to_owned);
        let says = "a link-local address needs the interface's number as its zone, for example --name-server [fe80::1%2]:53";
        assert_eq!(hint("[fe80::1]:53").as_deref(), Some(says));
        assert_eq!(hint("[fe80::1%7]:53"), None);
        assert_eq!(hint("127.0.0.1:53"), None);
    }

    #[test]
    fn priorities_come_before_weights() {
        let records =
            vec![record(20, 100, "last"), record(10, 1, "b"), record(10, 9, "a"), record(5, 0, "first")];
        assert_eq!(hosts(records.clone(), |_| 0), ["first", "b", "a", "last"]);
        assert_eq!(hosts(records, |end| end - 1), ["first", "a", "b", "last"]);
    }

    #[test]
    fn weights_are_probabilities() {
        let records = vec![record(1, 30, "a"), record(1, 10, "b"), record(1, 0, "zero")];
        let mut first = std::collections::HashMap::new();
        for number in 0..41 {
            let mut number = Some(number);
            let ordered = hosts(records.clone(), |_| number.take().unwrap_or(0));
            assert_eq!(ordered.len(), 3);
            *first.entry(ordered[0].clone()).or_insert(0) += 1;
        }
        assert_eq!((first["a"], first["b"], first["zero"]), (30, 10, 1));
    }
}
