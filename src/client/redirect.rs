//! "Use another server" and "Server moved" ([MQTT-4.11]): the broker that a client is redirected to, for
//! --follow-redirect.

use crate::error::{Denial, Error, Layer};
use crate::masking::masked;
use crate::net::{Address, Endpoint};
use crate::notation::HostPort;
use crate::protocol::property::{Properties, PropertyId};
use crate::protocol::reason::ReasonCode;
use crate::quotation::cut;

/// Maximum number of consecutive redirects: two brokers may name each other.
pub(super) const MOST_REDIRECTS: u32 = 5;

/// Maximum number of brokers that the redirects of one run may name. It ends a chain of redirects to new
/// brokers however long each connection lasts.
pub(super) const MOST_SERVERS: usize = 20;

/// The brokers named so far.
#[derive(Debug, Default)]
pub(super) struct Named(Vec<Address>);

impl Named {
    /// Adds the brokers that a redirect names; false if there are too many.
    pub(super) fn add(&mut self, servers: &[Endpoint]) -> bool {
        for server in servers {
            if !self.0.contains(&server.address) {
                if self.0.len() == MOST_SERVERS {
                    return false;
                }
                self.0.push(server.address.clone());
            }
        }
        true
    }
}

/// A refusal with the broker's details besides the Reason Code: the Reason String and the Server Reference.
pub(super) fn refused(what: &str, reason: ReasonCode, properties: &Properties<'_>) -> Error {
    let text = properties.text(PropertyId::ReasonString).map(|text| cut(&masked(text)).into_owned());
    let moved = matches!(reason, ReasonCode::USE_ANOTHER_SERVER | ReasonCode::SERVER_MOVED);
    let reference = properties.text(PropertyId::ServerReference).filter(|_| moved);
    let Some(reference) = reference else {
        return Error::refused(what, reason, properties);
    };
    let named = format!("it names {}", cut(&masked(reference)));
    Error::Elsewhere {
        refusal: Box::new(Error::Refused {
            what: what.into(),
            denial: Denial::default(),
            reason,
            text: Some(text.map_or_else(|| named.clone(), |text| format!("{text}; {named}"))),
            hint: Some("--follow-redirect connects to it".into()),
        }),
        server_reference: reference.into(),
        is_permanent: reason == ReasonCode::SERVER_MOVED,
    }
}

/// The error for commands that test one broker and do not follow a redirect.
pub(super) fn not_followed(error: Error) -> Error {
    match error {
        Error::Elsewhere { .. } => {
            error.with_hint("connect to that broker: this command tests only the one it is given")
        }
        other => other,
    }
}

/// The brokers of a Server Reference, with the other settings of `endpoint`. A reference lists names or
/// addresses, each with or without a port, separated by spaces, with IPv6 literals in brackets.
///
/// # Errors
/// A reference that names no broker.
pub(super) fn endpoints(reference: &str, endpoint: &Endpoint) -> Result<Vec<Endpoint>, Error> {
    let servers: Option<Vec<HostPort>> = reference.split_whitespace().map(server).collect();
    let servers = servers.filter(|servers| !servers.is_empty()).ok_or_else(|| {
        Error::fatal(
            Layer::Mqtt,
            format!(
                "the broker redirects to '{}', which is not a valid list of brokers",
                cut(&masked(reference))
            ),
        )
    })?;
    let same = match &endpoint.address {
        Address::Tcp { port, .. } => *port,
        Address::Unix(_) => 1883,
    };
    let at = |HostPort { host, port }: HostPort| Endpoint {
        address: Address::Tcp { host, port: port.unwrap_or(same) },
        ..endpoint.clone()
    };
    Ok(servers.into_iter().map(at).collect())
}

/// The longest DNS name [RFC 1035, section 2.3.4].
const LONGEST_NAME_BYTES: usize = 255;

fn server(text: &str) -> Option<HostPort> {
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '.' | '-' | '_' | ':' | '%');
    let is_host = |host: &str| host.len() <= LONGEST_NAME_BYTES && host.chars().all(is_name);
    HostPort::from_authority(text).ok().filter(|server| is_host(&server.host))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses(reference: &str) -> Option<Vec<String>> {
        let endpoints = endpoints(reference, &Endpoint::plain("here", 1999)).ok()?;
        Some(endpoints.iter().map(|endpoint| endpoint.address.to_string()).collect())
    }

    #[test]
    fn redirect_targets_are_counted_once_over_a_run() {
        let server = |number: usize| Endpoint::plain(format!("server-{number}"), 1883);
        let mut named = Named::default();
        for number in 0..MOST_SERVERS {
            assert!(named.add(&[server(number), server(0)]));
        }
        assert!(!named.add(&[server(MOST_SERVERS)]));
        assert!(named.add(&[server(1)]), "it was named before");
        let many: Vec<Endpoint> = (0..=MOST_SERVERS).map(server).collect();
        assert!(!Named::default().add(&many));
    }

    /// The examples of [MQTT-4.11], and invalid references.
    #[test]
    fn server_references() {
        for (reference, found) in [
            ("myserver.xyz.org", &["myserver.xyz.org:1999"][..]),
            ("myserver.xyz.org:8883", &["myserver.xyz.org:8883"]),
            (
                "10.10.151.22:8883 [fe80::9610:3eff:fe1c]:1883",
                &["10.10.151.22:8883", "[fe80::9610:3eff:fe1c]:1883"],
            ),
            (" [::1] ", &["[::1]:1999"]),
        ] {
            assert_eq!(
                addresses(reference).as_deref(),
                Some(found).map(|f| f.iter().map(ToString::to_string).collect::<Vec<_>>()).as_deref(),
                "{reference}"
            );
        }
        for bad in [
            "",
            " ",
            "a:0",
            "a:x",
            "a:70000",
            ":1883",
            "[::1",
            "[x]:1",
            "[::1]1883",
            "a b:",
            "a/b",
            "mqtt://a",
        ] {
            assert_eq!(addresses(bad), None, "{bad}");
        }
    }
}
