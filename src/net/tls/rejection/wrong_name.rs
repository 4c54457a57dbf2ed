//! A certificate for another name than the one asked for.

use std::net::IpAddr;

use rustls_pki_types::ServerName;

use super::super::certificate::Details;
use super::{Chain, Rejection};
use crate::quotation::list;

pub(super) fn wrong_name(own: &Details, chain: &Chain<'_>, asked: &ServerName<'_>) -> Rejection {
    let facts = &own.facts;
    let address = match asked {
        ServerName::IpAddress(address) => Some(IpAddr::from(*address)),
        _ => None,
    };
    let asked = asked.to_str();
    let kind = if address.is_some() { "IP" } else { "DNS" };
    if address.is_some_and(|address| own.lists_as_dns_name(address)) {
        return Rejection::new(
            format!(
                "the broker's certificate ({facts}) lists '{asked}' as a DNS name, where an IP address does not count"
            ),
            format!("make one with subjectAltName=IP:{asked}"),
        );
    }
    if facts.names.is_empty() {
        let why = if own.has_alternative_names() {
            "its subject alternative names are neither DNS names nor IP addresses"
        } else {
            "it has no subject alternative name"
        };
        return Rejection::new(
            format!("the broker's certificate ({facts}) names no host ({why}), so it is not for '{asked}'"),
            format!("make one that does, for example with subjectAltName={kind}:{asked}"),
        )
        .of_key(chain);
    }
    let is_for = list(&facts.names);
    if facts.names.iter().any(|name| is_too_short_a_wildcard(name, &asked)) {
        return Rejection::new(
            format!(
                "the broker's certificate ({facts}) is for {is_for}, which is not valid for '{asked}': a wildcard \
                 needs two labels after it"
            ),
            format!("make one with subjectAltName={kind}:{asked}"),
        );
    }
    let bare = asked.trim_end_matches('.');
    if facts
        .names
        .iter()
        .any(|name| name.strip_suffix('.').is_some_and(|name| name.eq_ignore_ascii_case(bare)))
    {
        return Rejection::new(
            format!(
                "the broker's certificate ({facts}) is for {is_for}, but a DNS name in a certificate must not end in a \
                 dot (RFC 5280, section 4.2.1.6)"
            ),
            format!("make one with subjectAltName={kind}:{bare}"),
        );
    }
    Rejection::new(
        format!("the broker's certificate ({facts}) is for {is_for}, not for '{asked}'"),
        "connect by a name it is for, or give that name with --tls-server-name",
    )
}

/// Whether a name would match the host if wildcards covered whole top-level domains.
pub(super) fn is_too_short_a_wildcard(name: &str, host: &str) -> bool {
    let Some((_, parent)) = host.split_once('.').filter(|_| host.parse::<IpAddr>().is_err()) else {
        return false;
    };
    let parent = parent.trim_end_matches('.');
    !parent.contains('.') && name.strip_prefix("*.").is_some_and(|rest| rest.eq_ignore_ascii_case(parent))
}
