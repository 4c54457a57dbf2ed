//! Why a certificate was refused: what was found, what was expected and what to do.

mod wrong_name;

use std::collections::HashSet;
use std::time::{Duration, SystemTime};

use rustls_pki_types::{CertificateDer, ServerName, SignatureVerificationAlgorithm, UnixTime};
use tokio_rustls::rustls::{CertificateError, Error as TlsError, OtherError};
use webpki::Error as PathError;

use self::wrong_name::wrong_name;
use super::certificate::{CertificateFacts, Details, has_explicit_curve};
use super::pin::Pin;
use super::words::{list_words, words};
use crate::clock;

/// Why a certificate was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rejection {
    pub(super) words: String,
    pub(super) hint: Option<String>,
    /// The broker's key, if pinning it would be a remedy.
    pub(super) key: Option<Pin>,
}

impl Rejection {
    fn new(words: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { words: words.into(), hint: Some(hint.into()), key: None }
    }

    fn bare(words: impl Into<String>) -> Self {
        Self { words: words.into(), hint: None, key: None }
    }

    /// The same rejection with the broker's key as a possible pin; for brokers that may be the right one.
    fn of_key(self, chain: &Chain<'_>) -> Self {
        Self { key: chain.links.first().and_then(|(_, own, _)| Pin::of(own)), ..self }
    }
}

/// The certificates that the server presented, and what they were checked against.
pub(super) struct Presented<'a> {
    pub(super) end_entity: &'a CertificateDer<'a>,
    pub(super) intermediates: &'a [CertificateDer<'a>],
    /// The requested name.
    pub(super) name: &'a ServerName<'a>,
    pub(super) now: UnixTime,
    /// The certificates given as authorities.
    pub(super) authorities: &'a HashSet<CertificateDer<'static>>,
    /// Where the authorities are from.
    pub(super) place: &'a str,
    /// Where the revocation lists are from.
    pub(super) lists_place: &'a str,
    /// Whether the server's own certificate is revoked, and not an authority's.
    pub(super) own_is_revoked: bool,
    /// The signature algorithms that can be verified.
    pub(super) algorithms: &'a [&'a dyn SignatureVerificationAlgorithm],
}

/// The readable certificates of the presented chain, the server's own first.
struct Chain<'a> {
    /// The certificates with their positions in the chain, from 1.
    links: Vec<(usize, &'a CertificateDer<'a>, Details)>,
}

const GIVE_CAFILE: &str = "if it is the one you expect, give its file with --cafile";
const OPERATOR: &str = "the broker's operator has to renew it";
const ALGORITHMS: &str = "supported are ECDSA on P-256, P-384 and P-521 and RSA from 2048 to 8192 bits (PKCS#1, \
                          or PSS with a salt as long as the hash), both with SHA-256, SHA-384 or SHA-512, and Ed25519";

impl<'a> Chain<'a> {
    fn of(presented: &Presented<'a>) -> Self {
        let all = std::iter::once(presented.end_entity).chain(presented.intermediates).enumerate();
        let links = all.filter_map(|(at, der)| Some((at + 1, der, Details::read(der)?))).collect();
        Self { links }
    }

    /// Names the first certificate that `about` matches, or else the server's own.
    fn which(&self, about: impl Fn(&Details) -> bool) -> String {
        let found = self.links.iter().find(|(_, _, details)| about(details)).or(self.links.first());
        found.map_or_else(
            || "the broker's certificate".into(),
            |(place, _, details)| named(*place, &details.facts),
        )
    }
}

fn named(place: usize, facts: &CertificateFacts) -> String {
    match place {
        1 => format!("the broker's certificate ({facts}, issued by {})", facts.issuer),
        place => format!("certificate {place} of the broker's chain, the authority {facts},"),
    }
}

/// Why no signature by the broker's own key can be verified, if that is known.
pub(super) fn unusable_key(certificate: &CertificateDer<'_>) -> Option<Rejection> {
    let own = Details::read(certificate)?;
    let (facts, key) = (&own.facts, own.key());
    if has_explicit_curve(certificate) {
        return Some(Rejection::new(
            format!(
                "the key of the broker's certificate ({facts}) describes its curve by parameters and not by name, \
                 which is not allowed (RFC 5480, section 2.1.1)"
            ),
            "the broker's operator has to make the key again with a named curve, and its certificate",
        ));
    }
    own.has_rsa_key_of_unsupported_length().then(|| {
        Rejection::new(
            format!(
                "the key of the broker's certificate ({facts}; {key}) is of a length that is not supported"
            ),
            ALGORITHMS,
        )
    })
}

/// Why a certificate is refused, naming the certificate.
pub(super) fn rejection(error: &TlsError, presented: &Presented<'_>) -> Rejection {
    use CertificateError as Cause;
    let lists = presented.lists_place;
    if let TlsError::InvalidCertRevocationList(cause) = error {
        return Rejection::bare(format!(
            "the revocation list ({lists}) cannot be used: {}",
            list_words(cause)
        ));
    }
    let TlsError::InvalidCertificate(cause) = error else {
        return Rejection::bare(words(error));
    };
    let chain = Chain::of(presented);
    let Some((1, _, own)) = chain.links.first() else {
        return unreadable(presented);
    };
    match cause {
        Cause::BadEncoding => unreadable(presented),
        Cause::Expired if chain.links.iter().any(|(_, _, one)| is_reversed(one)) => reversed(&chain),
        Cause::Expired | Cause::ExpiredContext { .. } => expired(&chain, system_time(presented.now)),
        Cause::NotValidYet | Cause::NotValidYetContext { .. } => {
            not_yet_valid(&chain, system_time(presented.now))
        }
        Cause::NotValidForName | Cause::NotValidForNameContext { .. } => {
            wrong_name(own, &chain, presented.name)
        }
        Cause::UnknownIssuer
        | Cause::BadSignature
        | Cause::UnsupportedSignatureAlgorithmContext { .. }
        | Cause::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => {
            not_trusted(cause, &chain, presented)
        }
        Cause::InvalidPurpose if !own.may_act_in_handshake() => wrong_usage(own),
        Cause::InvalidPurpose | Cause::InvalidPurposeContext { .. } => wrong_purpose(&chain),
        Cause::Revoked if presented.own_is_revoked => Rejection::new(
            format!("{} has been revoked according to {lists}", chain.which(|_| true)),
            OPERATOR,
        ),
        Cause::Revoked => Rejection::new(
            format!(
                "an authority above the broker's certificate ({}) has been revoked according to {lists}",
                own.facts
            ),
            "the broker needs a certificate of another authority",
        ),
        Cause::UnknownRevocationStatus => Rejection::new(
            format!(
                "whether {} has been revoked is unknown: {lists} holds no list of that issuer",
                chain.which(|_| true)
            ),
            "add that issuer's list with another --crl",
        ),
        Cause::ExpiredRevocationList => Rejection::new(
            format!("the revocation list ({lists}) is out of date"),
            "fetch the current one from the authority",
        ),
        Cause::ExpiredRevocationListContext { next_update, .. } => Rejection::new(
            format!(
                "the revocation list ({lists}) is out of date since {}",
                clock::rfc3339_seconds(system_time(*next_update))
            ),
            "fetch the current one from the authority",
        ),
        Cause::UnhandledCriticalExtension => unsupported_extension(&chain),
        Cause::InvalidOcspResponse => Rejection::bare("the broker's OCSP response is not valid"),
        Cause::ApplicationVerificationFailure => {
            Rejection::bare(format!("{} was not accepted", chain.which(|_| true)))
        }
        Cause::Other(OtherError(other)) => match other.downcast_ref::<PathError>() {
            Some(cause) => of_path(cause, &chain, presented),
            None => unspecified(&chain),
        },
        _ => unspecified(&chain),
    }
}

/// The rejection for causes that rustls passes on unchanged from the verifier.
fn of_path(cause: &PathError, chain: &Chain<'_>, presented: &Presented<'_>) -> Rejection {
    let own = chain.which(|_| true);
    match cause {
        PathError::CaUsedAsEndEntity => match chain.links.first() {
            Some((_, _, details)) if details.facts.is_self_issued() => {
                not_trusted(&CertificateError::UnknownIssuer, chain, presented)
            }
            _ => Rejection::new(
                format!("{own} belongs to a certificate authority, not to a server (CA:TRUE)"),
                GIVE_CAFILE,
            ),
        },
        PathError::EndEntityUsedAsCa => {
            // The broker's own certificate may stand in its chain twice.
            let mut others = chain.links.iter().filter(|(_, der, _)| *der != chain.links[0].1);
            let issuer = others.find(|(_, _, details)| !details.is_authority());
            let issuer = issuer.map_or_else(
                || format!("the issuer of {own}"),
                |(place, _, details)| named(*place, &details.facts),
            );
            Rejection::new(
                format!(
                    "{issuer} issued another certificate, but is not a certificate authority (no CA:TRUE)"
                ),
                "certificates can only be issued with one that has basicConstraints=CA:TRUE",
            )
        }
        PathError::PathLenConstraintViolated => Rejection::new(
            format!("an authority above {own} allows fewer authorities below it than there are"),
            "its pathLenConstraint has to be larger, or the chain shorter",
        ),
        PathError::NameConstraintViolation => Rejection::new(
            format!("{own} names a host that an authority above it may not issue for (name constraints)"),
            "the broker needs a certificate of another authority, or one for another name",
        ),
        PathError::InvalidNetworkMaskConstraint | PathError::MalformedNameConstraint => {
            Rejection::bare(format!("an authority above {own} has name constraints that are not valid"))
        }
        PathError::UnsupportedCertVersion => {
            let which = chain.which(|details| !details.is_version_3());
            Rejection::new(
                format!("{which} is of X.509 version 1, which names no hosts and cannot be checked"),
                "make one with a subjectAltName extension, which makes it version 3",
            )
            .of_key(chain)
        }
        PathError::UnsupportedCriticalExtension => unsupported_extension(chain),
        PathError::EmptyEkuExtension => Rejection::new(
            format!("{own} or an authority above it has an extended key usage that lists no purpose"),
            "make one with extendedKeyUsage=serverAuth, or without that extension",
        ),
        PathError::SignatureAlgorithmMismatch => Rejection::bare(format!(
            "{own} or an authority above it names two different algorithms for its one signature"
        )),
        PathError::InvalidSerialNumber => Rejection::new(
            format!("{own} or an authority above it has a serial number that is not valid"),
            "a serial number is positive and at most 20 bytes long",
        ),
        PathError::MalformedDnsIdentifier => {
            Rejection::bare(format!("{own} lists a host name that is not a valid one"))
        }
        PathError::ExtensionValueInvalid | PathError::MalformedExtensions => {
            Rejection::bare(format!("{own} or an authority above it has an extension that is not valid"))
        }
        PathError::CertDistrusted => Rejection::bare(format!("the key of {own} is distrusted")),
        PathError::MaximumPathDepthExceeded
        | PathError::MaximumPathBuildCallsExceeded
        | PathError::MaximumSignatureChecksExceeded
        | PathError::MaximumNameConstraintComparisonsExceeded => Rejection::new(
            format!("the chain of {own} is too long or too complex to be verified"),
            "the broker should send its own certificate and one chain of at most 6 authorities",
        ),
        _ => unspecified(chain),
    }
}

fn unspecified(chain: &Chain<'_>) -> Rejection {
    Rejection::new(
        format!("{} or an authority above it is not a valid X.509 certificate", chain.which(|_| true)),
        "`openssl x509 -in FILE -text` shows what is in it",
    )
}

fn unreadable(presented: &Presented<'_>) -> Rejection {
    let all = std::iter::once(presented.end_entity).chain(presented.intermediates);
    let damaged = all.map(Details::read).position(|details| details.is_none());
    let which = match damaged {
        Some(0) => "the broker's certificate".into(),
        Some(at) => format!("certificate {} of the broker's chain", at + 1),
        None => "a certificate of the broker's chain".to_owned(),
    };
    Rejection::new(
        format!("{which} is damaged: it is not valid X.509 (DER)"),
        "the broker's operator should look at the certificate's file",
    )
}

fn unsupported_extension(chain: &Chain<'_>) -> Rejection {
    let which = chain.which(|details| details.unsupported_extensions().is_some());
    let found = chain.links.iter().find_map(|(_, _, details)| details.unsupported_extensions());
    let found = found.map_or_else(String::new, |names| format!(": {names}"));
    Rejection::new(
        format!("{which} has a critical extension that is not supported here{found}"),
        "a certificate without it, or with it not marked critical, is accepted",
    )
}

/// The server's key is not one of the pins.
pub(super) fn wrong_key(found: Option<Pin>) -> Rejection {
    match found {
        Some(found) => Rejection::new(
            format!("the broker's public key is {found}, which is not pinned"),
            "if the broker has a new key that you trust, pin that",
        ),
        None => Rejection::bare("the broker's certificate cannot be read, so its key matches no pin"),
    }
}

/// The key usage of the server's own certificate does not allow this use.
fn wrong_usage(own: &Details) -> Rejection {
    Rejection::new(
        format!(
            "the broker's certificate ({}) is not made for servers: its key usage allows no signature",
            own.facts
        ),
        "make one with keyUsage=digitalSignature, or without key usage",
    )
}

fn expired(chain: &Chain<'_>, now: SystemTime) -> Rejection {
    let is_over = |details: &Details| details.facts.not_after < now;
    let which = chain.which(is_over);
    let over = chain.links.iter().map(|(_, _, details)| details).find(|details| is_over(details));
    let Some(end) = over.map(|details| details.facts.not_after) else {
        return Rejection::new(format!("{which} has expired"), OPERATOR);
    };
    let ago = clock::rough(now.duration_since(end).unwrap_or_default());
    Rejection::new(format!("{which} expired on {}, {ago} ago", clock::rfc3339_seconds(end)), OPERATOR)
}

fn not_yet_valid(chain: &Chain<'_>, now: SystemTime) -> Rejection {
    let is_early = |details: &Details| details.facts.not_before > now;
    let which = chain.which(is_early);
    let early = chain.links.iter().map(|(_, _, details)| details).find(|details| is_early(details));
    let start = early.map_or(now, |details| details.facts.not_before);
    let ahead = clock::rough(start.duration_since(now).unwrap_or_default());
    Rejection::new(
        format!("{which} is not valid before {}, {ahead} from now", clock::rfc3339_seconds(start)),
        format!("this machine's clock says {}: is it right?", clock::rfc3339_seconds(now)),
    )
}

fn is_reversed(details: &Details) -> bool {
    details.facts.not_before > details.facts.not_after
}

fn reversed(chain: &Chain<'_>) -> Rejection {
    Rejection::new(
        format!("{} is never valid: its validity ends before it begins", chain.which(is_reversed)),
        OPERATOR,
    )
}

fn wrong_purpose(chain: &Chain<'_>) -> Rejection {
    let which = chain.which(|details| details.other_purposes().is_some());
    let found = chain.links.iter().find_map(|(_, _, details)| details.other_purposes());
    Rejection::new(
        format!(
            "{which} is not made for servers: its purpose is {}",
            found.unwrap_or_else(|| "another".into())
        ),
        "make one with extendedKeyUsage=serverAuth, or without extended key usage",
    )
}

/// The rejection for a chain that does not reach a trusted authority whose key made the signature. It walks
/// the chain again from the server's certificate upwards to report where the chain ends and why.
fn not_trusted(cause: &CertificateError, chain: &Chain<'_>, presented: &Presented<'_>) -> Rejection {
    let given: Vec<Details> = presented.authorities.iter().filter_map(Details::read).collect();
    let rejection = not_signed_by(&given, cause, chain, presented);
    let is_authority = |one: &Details| one.is_authority() || one.facts.is_self_issued();
    match given.first().filter(|_| !given.iter().any(is_authority)) {
        Some(Details { facts, .. }) => Rejection::new(
            rejection.words,
            format!(
                "{} holds no authority, but the certificate of {facts}: that of a client goes after --cert",
                presented.place
            ),
        ),
        None => rejection,
    }
}

fn not_signed_by(
    given: &[Details],
    cause: &CertificateError,
    chain: &Chain<'_>,
    presented: &Presented<'_>,
) -> Rejection {
    let mut at = &chain.links[0];
    for _ in &chain.links {
        let (_, der, child) = at;
        if child.facts.is_self_issued() {
            break;
        }
        let issuer = &child.facts.issuer;
        let verdict = |candidate: &Details| child.is_signed_by(der, candidate, presented.algorithms);
        let namesakes: Vec<&Details> = given.iter().filter(|one| one.facts.subject == *issuer).collect();
        if let Some(namesake) = namesakes.first()
            && !namesakes.iter().any(|one| verdict(one) == Some(true))
        {
            return wrong_authority(at, namesake, verdict(namesake), presented.place);
        }
        let above = || chain.links.iter().filter(|(_, _, one)| one.facts.subject == *issuer);
        if let Some(link) = above().find(|(_, _, one)| verdict(one) == Some(true)) {
            if !link.2.may_sign_certificates() {
                return Rejection::new(
                    format!(
                        "{} may not issue certificates (no keyCertSign key usage), and issued {}",
                        named(link.0, &link.2.facts),
                        child.facts
                    ),
                    "its certificate has to have keyUsage=keyCertSign, or no key usage",
                );
            }
            at = link;
        } else if let Some((place, _, link)) = above().next() {
            let which = named(*place, &link.facts);
            return wrong_issuer(
                at,
                link,
                verdict(link),
                &format!("{which} sent with it"),
                "the broker's operator has to send the authorities that belong to it",
            );
        } else {
            break;
        }
    }
    let (place, _, child) = at;
    let which = named(*place, &child.facts);
    match cause {
        _ if child.facts.is_self_issued() => unknown_issuer(chain, at, presented),
        CertificateError::BadSignature => Rejection::new(
            format!(
                "{which} is not signed by the key of the authority {} in {}",
                child.facts.issuer, presented.place
            ),
            "it is forged or damaged, or that authority has a new key",
        ),
        CertificateError::UnknownIssuer => unknown_issuer(chain, at, presented),
        _ => Rejection::new(
            format!("{which} is signed with {}, which is not supported here", child.signature()),
            ALGORITHMS,
        ),
    }
}

type ChainLink<'a> = (usize, &'a CertificateDer<'a>, Details);

/// A trusted authority has the right name but did not make the signature.
fn wrong_authority(at: &ChainLink<'_>, namesake: &Details, verdict: Option<bool>, place: &str) -> Rejection {
    let issuer = format!("the one of that name in {place}");
    wrong_issuer(
        at,
        namesake,
        verdict,
        &issuer,
        "that authority may have a new key: its certificate and the broker's have to belong together",
    )
}

fn wrong_issuer(
    at: &ChainLink<'_>,
    issuer: &Details,
    verdict: Option<bool>,
    which: &str,
    hint: &str,
) -> Rejection {
    let (place, _, child) = at;
    let child_name = if *place == 1 {
        format!("the broker's certificate ({})", child.facts)
    } else {
        named(*place, &child.facts)
    };
    let (key, signature) = (issuer.key(), child.signature());
    let key_kind = key.split([',', ' ']).next().unwrap_or_default();
    // A signature algorithm without a name here is not supported with any key.
    let fits = match key_kind {
        _ if !child.has_named_signature() => true,
        "EC" => signature.starts_with("ECDSA"),
        kind => signature.starts_with(kind),
    };
    match verdict {
        _ if issuer.has_rsa_key_of_unsupported_length() => Rejection::new(
            format!(
                "the key of {which} ({key}) is of a length that is not supported, so that {child_name} cannot be verified"
            ),
            ALGORITHMS,
        ),
        None if fits => Rejection::new(
            format!("{child_name} is signed with {signature} and a key ({key}), which is not supported here"),
            ALGORITHMS,
        ),
        Some(false) if child.names_key_of(issuer) => Rejection::new(
            format!("the signature of {child_name} is not valid, although {which} has the key that it names"),
            "the certificate is damaged or forged",
        ),
        _ => {
            let kinds = if fits {
                String::new()
            } else {
                format!(": it is signed with {signature}, and that key is {key}")
            };
            Rejection::new(
                format!(
                    "{child_name} was issued by an authority {}, but not by {which}{kinds}",
                    issuer.facts
                ),
                hint,
            )
        }
    }
}

fn unknown_issuer(chain: &Chain<'_>, at: &ChainLink<'_>, presented: &Presented<'_>) -> Rejection {
    const GIVE_AUTHORITY: &str = "give that authority's certificate with --cafile; if it is an intermediate, the broker should send it";
    let (_, der, broker) = &chain.links[0];
    let (own, last, place) = (&broker.facts, &at.2.facts, presented.place);
    if own.is_self_issued() {
        // An authority may have the name of its only server.
        let is_of_another = broker.is_signed_by(der, broker, presented.algorithms) == Some(false);
        let (words, hint) = if is_of_another {
            (
                format!(
                    "the broker's certificate ({own}) was issued by an authority of the same name, which is not in {place}"
                ),
                GIVE_AUTHORITY,
            )
        } else {
            (format!("the broker's certificate ({own}) is self-signed and not in {place}"), GIVE_CAFILE)
        };
        return Rejection::new(words, hint).of_key(chain);
    }
    // A self-issued authority is named once.
    let whose = if at.0 == 1 || last.is_self_issued() {
        format!("the broker's certificate ({own})")
    } else {
        format!("the broker's certificate ({own}), through {last},")
    };
    let issuer = &last.issuer;
    Rejection::new(
        format!("{whose} was issued by {issuer}, which is unknown: it is not in {place}"),
        GIVE_AUTHORITY,
    )
    .of_key(chain)
}

fn system_time(moment: UnixTime) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(moment.as_secs())
}

#[cfg(test)]
#[path = "rejection_tests.rs"]
mod tests;
