//! Resolves names to addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs as _};

use tokio::sync::oneshot;

use super::service;
use crate::error::{Error, Layer};
use crate::quotation;
use crate::thread::start;

/// All addresses of `host`, in the order in which to try them; never empty.
///
/// IP literals and `localhost`, which is the loopback address by definition (RFC 6761, section 6.3), need no
/// look-up and so no thread. Any other name is looked up at `name_servers`, or by the system's resolver if
/// there are none.
///
/// # Errors
///
/// [`Layer::Resolve`] when the name does not exist or no name server answered.
pub(super) async fn resolve(
    host: &str,
    port: u16,
    name_servers: &[SocketAddr],
) -> Result<Vec<SocketAddr>, Error> {
    if let Some(known) = without_asking(host, port) {
        return Ok(known);
    }
    if !name_servers.is_empty() {
        let found = Box::pin(service::addresses_of(host, name_servers)).await?;
        return Ok(families_in_turn(found.into_iter().map(|ip| SocketAddr::new(ip, port)).collect()));
    }
    let found = match from_system(host, port).await {
        Ok(addresses) => addresses,
        Err(error) => return Err(failed(host, &error.to_string())),
    };
    let addresses = families_in_turn(found);
    if addresses.is_empty() {
        return Err(failed(host, "the name exists, but has none"));
    }
    Ok(addresses)
}

/// What the system's resolver finds. It blocks, so it has a thread; the runtime's pool panics where the system
/// refuses one.
async fn from_system(host: &str, port: u16) -> std::io::Result<Vec<SocketAddr>> {
    let (sender, found) = oneshot::channel();
    let host = host.to_owned();
    start("resolver", move || {
        // There is no receiver if the run has given up.
        let _ = sender.send((host.as_str(), port).to_socket_addrs().map(Iterator::collect));
    })?;
    found.await.unwrap_or_else(|_| Err(std::io::ErrorKind::Interrupted.into()))
}

/// The addresses of literals and of `localhost`.
fn without_asking(host: &str, port: u16) -> Option<Vec<SocketAddr>> {
    if let Ok(ip) = host.parse::<IpAddr>() {
        return Some(vec![SocketAddr::new(ip, port)]);
    }
    let name = host.strip_suffix('.').unwrap_or(host);
    let last_label = name.rsplit('.').next().unwrap_or(name);
    last_label.eq_ignore_ascii_case("localhost").then(|| {
        vec![SocketAddr::from((Ipv6Addr::LOCALHOST, port)), SocketAddr::from((Ipv4Addr::LOCALHOST, port))]
    })
}

/// The addresses with the two families alternating, each family in the resolver's order, starting with the
/// family of the resolver's first address (RFC 8305, section 4). An unreachable family then costs one attempt
/// instead of all its addresses.
fn families_in_turn(found: Vec<SocketAddr>) -> Vec<SocketAddr> {
    let Some(first) = found.first() else {
        return found;
    };
    let starts_with_ipv6 = first.is_ipv6();
    let count = found.len();
    let (leading, other): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|address| address.is_ipv6() == starts_with_ipv6);
    let (mut leading, mut other) = (leading.into_iter(), other.into_iter());
    let mut turns = Vec::with_capacity(count);
    while turns.len() < count {
        turns.extend(leading.next());
        turns.extend(other.next());
    }
    turns
}

/// Whether the address depends on the interface: link-local [RFC 4007, section 4], or multicast of link-local
/// or interface-local scope.
fn has_zones(address: Ipv6Addr) -> bool {
    let [_, scope, ..] = address.octets();
    address.is_unicast_link_local() || address.is_multicast() && matches!(scope & 0x0F, 1 | 2)
}

/// The error of a look-up without a result. `reason` is the system resolver's text.
fn failed(host: &str, reason: &str) -> Error {
    let reason = reason.strip_prefix("failed to lookup address information: ").unwrap_or(reason);
    let error = Error::link(Layer::Resolve, format!("no address for '{}': {reason}", quotation::shown(host)));
    if let Some((address, zone)) = host.split_once('%')
        && let Ok(address) = address.parse::<Ipv6Addr>()
    {
        let zone = quotation::shown(zone);
        if !has_zones(address) {
            return error.with_hint(format!("{address} takes no zone: leave out '%{zone}'"));
        }
        return error.with_hint(format!("this machine has no network interface '{zone}'"));
    }
    match host.rsplit_once(':') {
        Some((name, _)) if host.contains("://") || name.contains("//") => {
            error.with_hint("a URL goes after -L; -h takes only the host")
        }
        Some((_, port)) if port.parse::<u16>().is_ok() => {
            error.with_hint(format!("a port goes after -p: -p {port}"))
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[tokio::test]
    async fn literals_and_localhost_need_no_look_up() {
        assert_eq!(resolve("192.0.2.1", 1883, &[]).await.unwrap(), addresses(&["192.0.2.1:1883"]));
        assert_eq!(resolve("2001:db8::1", 1883, &[]).await.unwrap(), addresses(&["[2001:db8::1]:1883"]));
        for name in ["localhost", "LOCALHOST", "localhost.", "broker.localhost"] {
            let found = without_asking(name, 7).unwrap();
            assert_eq!(found, addresses(&["[::1]:7", "127.0.0.1:7"]), "{name}");
        }
        assert_eq!(without_asking("notlocalhost", 7), None);
        assert_eq!(without_asking("localhost.example", 7), None);
    }

    #[tokio::test]
    async fn an_unknown_name_says_so() {
        // `.invalid` never exists (RFC 6761, section 6.4).
        let error = resolve("nosuch.invalid", 1883, &[]).await.unwrap_err();
        let text = error.to_string();
        assert!(text.starts_with("name look-up: no address for 'nosuch.invalid': "), "{text}");
        assert!(!text.contains("failed to lookup"), "{text}");
    }

    #[test]
    fn a_port_or_url_in_the_host_gets_a_hint() {
        assert_eq!(failed("broker:1883", "x").hint(), Some("a port goes after -p: -p 1883"));
        let url = failed("mqtt://broker:1883", "x");
        assert!(url.hint().unwrap().contains("-L"));
        assert_eq!(failed("broker", "x").hint(), None);
        let zone = failed("fe80::1%nosuch", "x");
        assert_eq!(zone.hint(), Some("this machine has no network interface 'nosuch'"));
        let unscoped = failed("::1%lo", "x");
        assert_eq!(unscoped.hint(), Some("::1 takes no zone: leave out '%lo'"));
    }

    #[test]
    fn families_take_turns() {
        let found = addresses(&["[::1]:1", "[::2]:1", "[::3]:1", "10.0.0.1:1", "10.0.0.2:1"]);
        let expected = addresses(&["[::1]:1", "10.0.0.1:1", "[::2]:1", "10.0.0.2:1", "[::3]:1"]);
        assert_eq!(families_in_turn(found), expected);
        let found = addresses(&["10.0.0.1:1", "10.0.0.2:1", "[::1]:1"]);
        let expected = addresses(&["10.0.0.1:1", "[::1]:1", "10.0.0.2:1"]);
        assert_eq!(families_in_turn(found), expected);
        assert_eq!(families_in_turn(Vec::new()), Vec::new());
    }
}
