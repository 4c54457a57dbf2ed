//! Each reason to refuse a certificate, and its text. There is a case for each library error that a
//! certificate can cause.

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    KeyPair, KeyUsagePurpose, NameConstraints, PKCS_ECDSA_P384_SHA384, SanType, date_time_ymd,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio_rustls::rustls::version::{TLS12, TLS13};

use super::pki::{Authority, Files, Identity, key_file, params, pem};
use super::server::TlsServer;
use super::{error_of, round_trip};
use crate::error::{Error, Layer};
use crate::net::{Endpoint, Stream, TlsConfig, TlsOptions, dial};

/// Certificate parameters for the broker's host.
fn broker() -> CertificateParams {
    params("broker", &["localhost", "127.0.0.1"])
}

fn with(change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = broker();
    change(&mut params);
    params
}

fn authority_with(change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = Authority::params("Middle CA");
    change(&mut params);
    params
}

/// A server identity issued by one intermediate authority under `root`.
fn below(root: &Authority, middle: CertificateParams, own: &CertificateParams) -> Identity {
    let middle = root.intermediate(middle);
    let mut identity = middle.issue(own);
    identity.chain.push(middle.der().clone());
    identity
}

/// A certificate made by OpenSSL.
fn made_by_openssl(name: &str) -> (PathBuf, Identity) {
    let key = std::fs::read_to_string(key_file("ec-pkcs8.key")).unwrap();
    let certificate = CertificateDer::from_pem_file(key_file(&format!("{name}.crt"))).unwrap();
    let identity = Identity { chain: vec![certificate], key: KeyPair::from_pem(&key).unwrap() };
    (key_file(&format!("{name}-ca.crt")), identity)
}

async fn dial_trusting(host: &str, ca: PathBuf, identity: Identity) -> Result<Stream, Error> {
    let address = TlsServer::new(identity).start().await;
    let options = TlsOptions { ca_files: vec![ca], ..TlsOptions::default() };
    let config = Arc::new(TlsConfig::load(&options)?);
    dial(&Endpoint::tls(host, address.port(), config)).await
}

/// No library's type names and no dumped bytes.
fn assert_plain(text: &str) {
    let is_camel_case = |word: &str| {
        let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
        let known = ["serverAuth", "clientAuth", "keyCertSign", "digitalSignature", "basicConstraints"];
        let known = [
            &known[..],
            &["certificatePolicies", "pathLenConstraint", "subjectAltName", "secp256k1", "sha256:"],
        ]
        .concat();
        !known.iter().any(|known| word.contains(known))
            && !word.contains('/')
            && word
                .chars()
                .zip(word.chars().skip(1))
                .any(|(a, b)| a.is_ascii_lowercase() && b.is_ascii_uppercase())
    };
    assert!(!text.split_whitespace().any(is_camel_case), "{text}");
    assert!(!text.contains(['[', '{', '}', '\n']), "{text}");
}

struct Case {
    what: &'static str,
    identity: Identity,
    says: &'static [&'static str],
    hint: &'static str,
}

#[allow(clippy::too_many_lines, reason = "a table, to be read from top to bottom")]
fn cases(root: &Authority) -> Vec<Case> {
    let case = |what, identity, says, hint| Case { what, identity, says, hint };
    let mut garbled = root.issue(&broker());
    garbled.chain[0] = vec![0x30, 3, 2, 1, 5].into();
    let mut garbled_above = below(root, Authority::params("Middle CA"), &broker());
    garbled_above.chain[1] = vec![0x30, 3, 2, 1, 5].into();
    let mut forged = root.issue(&broker());
    let mut der = forged.chain[0].to_vec();
    *der.last_mut().unwrap() ^= 1;
    forged.chain[0] = der.into();
    let mut mixed = below(root, Authority::params("Middle CA"), &broker());
    mixed.chain[1] = root.intermediate(Authority::params("Middle CA")).der().clone();
    let mut deep = Vec::new();
    let mut last = root.intermediate(Authority::params("CA 0"));
    for number in 1..9 {
        deep.insert(0, last.der().clone());
        last = last.intermediate(Authority::params(&format!("CA {number}")));
    }
    let mut too_deep = last.issue(&broker());
    too_deep.chain.push(last.der().clone());
    too_deep.chain.extend(deep);
    let empty_purposes = CustomExtension::from_oid_content(&[2, 5, 29, 37], vec![0x30, 0]);
    let mut policies = CustomExtension::from_oid_content(&[2, 5, 29, 32], vec![0x30, 0]);
    policies.set_criticality(true);
    let mut unknown = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
    unknown.set_criticality(true);
    let limited = NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName("example.org".into())],
        excluded_subtrees: vec![],
    };
    vec![
        case(
            "validity the wrong way round",
            root.issue(&with(|params| {
                params.not_before = date_time_ymd(2030, 1, 1);
                params.not_after = date_time_ymd(2020, 1, 1);
            })),
            &["(CN=broker, issued by CN=Test CA) is never valid", "ends before it begins"],
            "renew",
        ),
        case(
            "for clients",
            root.issue(&with(|params| {
                params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
            })),
            &["(CN=broker, issued by CN=Test CA) is not made for servers: its purpose is clientAuth"],
            "serverAuth",
        ),
        case(
            "an authority for clients",
            below(
                root,
                authority_with(|params| {
                    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
                }),
                &broker(),
            ),
            &["certificate 2 of the broker's chain, the authority CN=Middle CA, is not made for servers"],
            "serverAuth",
        ),
        case(
            "no purpose",
            root.issue(&with(|params| params.custom_extensions = vec![empty_purposes])),
            &["lists no purpose"],
            "serverAuth",
        ),
        case(
            "critical policies",
            root.issue(&with(|params| params.custom_extensions = vec![policies])),
            &["CN=broker", "critical extension that is not supported here: certificatePolicies"],
            "not marked critical",
        ),
        case(
            "an unknown critical extension above",
            below(root, authority_with(|params| params.custom_extensions = vec![unknown]), &broker()),
            &["certificate 2", "CN=Middle CA", "not supported here: 1.2.3.4"],
            "not marked critical",
        ),
        case(
            "an authority",
            root.issue(&with(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained))),
            &[
                "(CN=broker, issued by CN=Test CA) belongs to a certificate authority, not to a server",
                "CA:TRUE",
            ],
            "--cafile",
        ),
        case(
            "issued by a server's certificate",
            below(root, authority_with(|params| params.is_ca = IsCa::ExplicitNoCa), &broker()),
            &["certificate 2", "CN=Middle CA", "is not a certificate authority (no CA:TRUE)"],
            "CA:TRUE",
        ),
        case(
            "path length",
            {
                let middle =
                    authority_with(|params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)));
                let middle = root.intermediate(middle);
                let lower = middle.intermediate(Authority::params("Lower CA"));
                let mut identity = lower.issue(&broker());
                identity.chain.extend([lower.der().clone(), middle.der().clone()]);
                identity
            },
            &["allows fewer authorities below it"],
            "pathLenConstraint",
        ),
        case(
            "name constraints",
            below(root, authority_with(|params| params.name_constraints = Some(limited)), &broker()),
            &["CN=broker", "may not issue for (name constraints)"],
            "another name",
        ),
        case(
            "an authority that may not issue",
            below(
                root,
                authority_with(|params| params.key_usages = vec![KeyUsagePurpose::CrlSign]),
                &broker(),
            ),
            &["certificate 2", "CN=Middle CA", "may not issue certificates (no keyCertSign key usage)"],
            "keyCertSign",
        ),
        case(
            "a key that may not be used",
            root.issue(&with(|params| params.key_usages = vec![KeyUsagePurpose::KeyCertSign])),
            &["CN=broker", "its key usage allows no signature"],
            "digitalSignature",
        ),
        case("damaged", garbled, &["the broker's certificate is damaged"], "operator"),
        case("damaged above", garbled_above, &["certificate 2 of the broker's chain is damaged"], "operator"),
        case(
            "forged",
            forged,
            &["CN=broker", "an authority CN=Test CA, but not by the one of that name"],
            "new key",
        ),
        case(
            "another authority of the name sent along",
            mixed,
            &["CN=broker", "not by certificate 2 of the broker's chain, the authority CN=Middle CA"],
            "has to send the authorities",
        ),
        case("a long chain", too_deep, &["too long or too complex"], "at most 6"),
        case(
            "no alternative name",
            root.issue(&with(|params| params.subject_alt_names = vec![])),
            &["names no host (it has no subject alternative name)", "'localhost'"],
            "subjectAltName=DNS:localhost",
        ),
        case(
            "a URI as its name",
            root.issue(&with(|params| {
                params.subject_alt_names = vec![SanType::URI("mqtts://localhost".try_into().unwrap())];
            })),
            &["neither DNS names nor IP addresses"],
            "subjectAltName=DNS:localhost",
        ),
    ]
}

#[tokio::test]
async fn each_fault_of_a_certificate_is_named() {
    let root = Authority::root("Test CA");
    let files = Files::new();
    let ca = files.write("ca.pem", root.pem());
    for Case { what, identity, says, hint } in cases(&root) {
        let error = error_of(Layer::Tls, dial_trusting("localhost", ca.clone(), identity).await);
        let text = error.to_string();
        for part in says {
            assert!(text.contains(part), "{what}: no {part:?} in {text:?}");
        }
        let shown = error.hint().unwrap_or_default();
        assert!(shown.contains(hint), "{what}: no {hint:?} in the hint {shown:?} of {text}");
        assert_plain(&text);
        assert_plain(shown);
    }
}

#[tokio::test]
async fn an_address_among_the_dns_names_is_named() {
    let root = Authority::root("Test CA");
    let files = Files::new();
    let identity = root.issue(&with(|params| {
        params.subject_alt_names = vec![SanType::DnsName("127.0.0.1".try_into().unwrap())];
    }));
    let ca = files.write("ca.pem", root.pem());
    let error = error_of(Layer::Tls, dial_trusting("127.0.0.1", ca, identity).await);
    assert!(error.to_string().contains("(CN=broker) lists '127.0.0.1' as a DNS name"), "{error}");
    assert_eq!(error.hint(), Some("make one with subjectAltName=IP:127.0.0.1"));
}

#[tokio::test]
async fn algorithms_that_are_not_supported_are_named() {
    for (name, says) in [
        ("rsa-1024", "(RSA, 1024 bits) is of a length that is not supported"),
        ("rsa-sha1", "is signed with RSA with SHA-1"),
        ("ec-sha3", "is signed with ECDSA with SHA3-256 and a key (EC, P-256), which is not supported"),
        (
            "ec-secp256k1",
            "is signed with ECDSA with SHA-256 and a key (EC, secp256k1), which is not supported",
        ),
    ] {
        let (ca, identity) = made_by_openssl(name);
        let error = error_of(Layer::Tls, dial_trusting("localhost", ca, identity).await);
        assert!(error.to_string().contains(says), "{name}: {error}");
        assert!(error.hint().unwrap().contains("P-521 and RSA from 2048 to 8192 bits"), "{error}");
    }
}

#[tokio::test]
async fn a_curve_without_a_name_is_named() {
    let own = key_file("ec-explicit.crt");
    for version in [&TLS12, &TLS13] {
        let address = TlsServer::new(made_by_openssl("ec-explicit").1).with_version(version).start().await;
        let options = TlsOptions { ca_files: vec![own.clone()], any_name: true, ..TlsOptions::default() };
        let config = Arc::new(TlsConfig::load(&options).unwrap());
        let error = error_of(Layer::Tls, dial(&Endpoint::tls("localhost", address.port(), config)).await);
        let says = "the key of the broker's certificate (CN=client) describes its curve by parameters";
        assert!(error.to_string().contains(says), "{error}");
        assert!(error.hint().unwrap().contains("a named curve"), "{error}");
    }
}

#[tokio::test]
async fn an_authority_of_the_name_with_another_kind_of_key_is_named() {
    let signed_by_p384 =
        Authority::root_of("Test CA", KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap());
    let files = Files::new();
    let rsa = KeyPair::from_pem(&std::fs::read_to_string(key_file("rsa-pkcs8.key")).unwrap()).unwrap();
    let ca = files.write("ca.pem", Authority::root_of("Test CA", rsa).pem());
    let error = error_of(Layer::Tls, dial_trusting("localhost", ca, signed_by_p384.issue(&broker())).await);
    let says = "it is signed with ECDSA with SHA-384, and that key is RSA, 2048 bits";
    assert!(error.to_string().contains(says), "{error}");
}

/// Only the name and the key of a trusted authority count [RFC 5280, section 6.1.1 (d)]. OpenSSL refuses the
/// first two.
#[tokio::test]
async fn dates_and_key_usage_of_a_trusted_authority_do_not_count() {
    let root_with = |change: fn(&mut CertificateParams)| {
        let mut params = Authority::params("Test CA");
        change(&mut params);
        Authority::root_with(params)
    };
    let roots = [
        root_with(|params| {
            params.not_before = date_time_ymd(2019, 1, 1);
            params.not_after = date_time_ymd(2020, 1, 1);
        }),
        root_with(|params| params.key_usages = vec![KeyUsagePurpose::CrlSign]),
        root_with(|params| params.key_usages = vec![]),
    ];
    for root in roots {
        let files = Files::new();
        let ca = files.write("ca.pem", root.pem());
        let mut stream = dial_trusting("localhost", ca, root.issue(&broker())).await.unwrap();
        round_trip(&mut stream).await.unwrap();
    }
}

/// A certificate given as an authority is trusted, root or not. OpenSSL requires its root as well.
#[tokio::test]
async fn an_intermediate_authority_is_trusted_without_its_root() {
    let middle = Authority::root("Test CA").intermediate(authority_with(|_| {}));
    let files = Files::new();
    let ca = files.write("ca.pem", middle.pem());
    let mut stream = dial_trusting("localhost", ca, middle.issue(&broker())).await.unwrap();
    round_trip(&mut stream).await.unwrap();
}

/// Key usage limits an authority or a server only where it is present. Old instructions for RSA key exchange
/// allow only encipherment.
#[tokio::test]
async fn certificates_with_usual_key_usage_are_accepted() {
    let root = Authority::root("Test CA");
    let files = Files::new();
    let ca = files.write("ca.pem", root.pem());
    let no_usage = authority_with(|params| params.key_usages = vec![]);
    let mut identities = vec![below(&root, no_usage, &broker())];
    for usage in
        [KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment, KeyUsagePurpose::KeyAgreement]
    {
        identities.push(root.issue(&with(|params| params.key_usages = vec![usage])));
    }
    // An authority that may not issue, and one with the same key that may.
    let key = KeyPair::generate().unwrap();
    let again = || KeyPair::from_pem(&key.serialize_pem()).unwrap();
    let unfit = authority_with(|params| params.key_usages = vec![KeyUsagePurpose::CrlSign]);
    let unfit = root.intermediate_of(unfit, again());
    let fit = root.intermediate_of(Authority::params("Middle CA"), again());
    let mut identity = fit.issue(&broker());
    identity.chain.extend([unfit.der().clone(), fit.der().clone()]);
    identities.push(identity);
    for identity in identities {
        dial_trusting("localhost", ca.clone(), identity).await.unwrap();
    }
}

#[test]
fn a_damaged_client_certificate_or_key_is_named() {
    let files = Files::new();
    let root = Authority::root("Test CA");
    let client = root.issue(&params("client", &[]));
    let key = client.key.serialize_pem();
    let load = |chain: &str, key: &str| {
        let options = TlsOptions {
            insecure: true,
            certificate: Some(files.write("client.pem", chain)),
            key: Some(files.write("client.key", key)),
            ..TlsOptions::default()
        };
        TlsConfig::load(&options).map(|_| ()).unwrap_err()
    };
    let chain = client.chain_pem();
    let half = &chain[..chain.len() / 2];
    let cut_off = pem("CERTIFICATE", &client.chain[0][..100]);
    let no_key = pem("PRIVATE KEY", &[0x30, 3, 2, 1, 5]);
    let dsa = pem("DSA PRIVATE KEY", &[0x30, 3, 2, 1, 5]);
    let star = chain.replacen("MII", "M*I", 1);
    // Kinds that TLS does not use, or that the library does not have, with contents that do not matter.
    let short =
        |tag: u8, content: &[u8]| [&[tag, u8::try_from(content.len()).unwrap()][..], content].concat();
    let of_kind = |algorithm: &[u8], content: &[u8]| {
        let fields = [&[2, 1, 0][..], &short(0x30, algorithm), &short(4, content)].concat();
        pem("PRIVATE KEY", &short(0x30, &fields))
    };
    let ed448 = of_kind(&[6, 3, 0x2b, 0x65, 0x71], &short(4, &[7; 57]));
    let modulus = [&[2, 65, 0][..], &[0xc1; 64]].concat();
    let rsa = [&[6, 9, 0x2a, 0x86, 0x48, 0x86, 0xf7, 13, 1, 1, 1, 5, 0][..]].concat();
    let rsa = of_kind(&rsa, &short(0x30, &[&[2, 1, 0][..], &modulus].concat()));
    let curve = short(0xa0, &[6, 5, 0x2b, 0x81, 4, 0, 10]);
    let secp256k1 =
        pem("EC PRIVATE KEY", &short(0x30, &[&[2, 1, 1][..], &short(4, &[7; 32]), &curve].concat()));
    for (chain, key, says) in [
        (half, &*key, "client.pem: block 1 (CERTIFICATE, line 1): it has no END line"),
        (&cut_off, &key, "client.pem: block 1 (CERTIFICATE, line 1): it is cut off after 100 of"),
        (&star, &key, "client.pem: block 1 (CERTIFICATE, line 1): invalid base64"),
        (&(chain.clone() + &cut_off), &key, "client.pem: block 2 (CERTIFICATE, line"),
        (&chain, &key[..60], "client.key: block 1 (PRIVATE KEY, line 1): it has no END line"),
        (&chain, &dsa, "client.key: the private key in this file (DSA PRIVATE KEY) is of a kind that is not"),
        (&chain, &no_key, "client.key: this private key is damaged, or of a kind that is not supported"),
        (&chain, &ed448, "this private key (Ed448) is damaged, or of a kind"),
        (&chain, &rsa, "this private key (RSA, 512 bits) is damaged, or of a kind"),
        (&chain, &secp256k1, "this private key (EC, secp256k1) is damaged, or of a kind"),
    ] {
        let error = load(chain, key).to_string();
        assert!(error.contains(says), "no {says:?} in {error:?}");
        assert!(error.len() < 300, "{error}");
    }
}
