//! Files of certificates and keys in the forms found in practice, and collections with invalid entries.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::pki::{Authority, Files, params, pem};
use super::server::TlsServer;
use super::{assert_says, error_of, round_trip};
use crate::error::{Error, Layer};
use crate::net::{Endpoint, Stream, SystemStore, TlsConfig, TlsOptions, dial};

async fn dial_with(address: SocketAddr, options: &TlsOptions) -> Result<Stream, Error> {
    let config = TlsConfig::load(options)?;
    dial(&Endpoint::tls("localhost", address.port(), Arc::new(config))).await
}

fn trusting(file: PathBuf) -> TlsOptions {
    TlsOptions { ca_files: vec![file], ..TlsOptions::default() }
}

async fn server_of(authority: &Authority) -> SocketAddr {
    TlsServer::new(authority.issue(&params("broker", &["localhost"]))).start().await
}

/// DER elements in sequence, in a SEQUENCE or under another tag.
fn element(tag: u8, contents: &[&[u8]]) -> Vec<u8> {
    let content = contents.concat();
    [&[tag, u8::try_from(content.len()).unwrap()][..], &content].concat()
}

/// Converts a text to the bytes that some system writes.
type Shape = fn(String) -> Vec<u8>;

#[tokio::test]
async fn pem_is_read_in_every_form_for_every_option() {
    let files = Files::new();
    let authority = Authority::root("Test CA");
    let server = authority.issue(&params("broker", &["localhost"]));
    let address = TlsServer::new(server).with_client_authority(&authority).start().await;
    let client = authority.issue(&params("client", &[]));
    let forms: [(&str, Shape); 7] = [
        ("plain", String::into_bytes),
        ("byte-order mark", |text| format!("\u{feff}{text}").into_bytes()),
        ("CRLF", |text| text.replace('\n', "\r\n").into_bytes()),
        ("UTF-16", |text| format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect()),
        ("text around", |text| format!("Bag Attributes\n    friendlyName: x\n{text}# end").into_bytes()),
        ("indented", |text| text.replace('\n', "\n  ").into_bytes()),
        ("in one line", |text| text.replace('\n', "").into_bytes()),
    ];
    for (form, shaped) in forms {
        let write = |name: &str, text: String| files.write(name, shaped(text));
        let options = TlsOptions {
            certificate: Some(write("client.pem", client.chain_pem())),
            key: Some(write("client.key", client.key.serialize_pem())),
            crl_files: vec![write("lists.pem", authority.revocation_list(&[], true))],
            ..trusting(write("ca.pem", authority.pem()))
        };
        let mut stream = dial_with(address, &options).await.unwrap_or_else(|error| panic!("{form}: {error}"));
        round_trip(&mut stream).await.unwrap_or_else(|error| panic!("{form}: {error}"));
    }
}

#[tokio::test]
async fn old_and_trusted_labels_are_certificates() {
    let files = Files::new();
    let authority = Authority::root("Test CA");
    let address = server_of(&authority).await;
    let der = authority.der().to_vec();
    let server = element(6, &[&[0x2b, 6, 1, 5, 5, 7, 3, 1]]);
    let client = element(6, &[&[0x2b, 6, 1, 5, 5, 7, 3, 2]]);
    let alias = element(12, &[b"name"]);
    let settings = [
        vec![],
        element(0x30, &[]),
        element(0x30, &[&alias]),
        element(0x30, &[&element(0x30, &[&client, &server]), &alias]),
        element(0x30, &[&element(0xa0, &[&client])]),
    ];
    let mut good = vec![pem("X509 CERTIFICATE", &der)];
    good.extend(settings.iter().map(|one| pem("TRUSTED CERTIFICATE", &[&der[..], one].concat())));
    for text in good {
        dial_with(address, &trusting(files.write("ca.pem", &text)))
            .await
            .unwrap_or_else(|e| panic!("{e}: {text}"));
    }
    // OpenSSL's settings may also reject an authority.
    for one in [
        element(0x30, &[&element(0x30, &[&client])]),
        element(0x30, &[&element(0xa0, &[&server])]),
        element(0x30, &[&element(0xa0, &[&element(6, &[&[0x55, 0x1d, 0x25, 0]])]), &alias]),
    ] {
        let text = pem("TRUSTED CERTIFICATE", &[&der[..], &one].concat());
        let error = error_of(Layer::Tls, dial_with(address, &trusting(files.write("ca.pem", text))).await);
        assert_says(&error, &["ca.pem: no usable certificate: block 1", "do not allow it for servers"]);
    }
}

#[tokio::test]
async fn a_bad_certificate_in_a_bundle_is_named_and_the_others_are_used() {
    let files = Files::new();
    let authority = Authority::root("Test CA");
    let other = Authority::root("Other CA");
    let address = server_of(&authority).await;
    let good = authority.pem();
    let not_a_certificate = pem("CERTIFICATE", &[0x30, 3, 2, 1, 5]);
    for (bad, what) in [
        (not_a_certificate, "it is not a valid X.509 certificate"),
        (other.pem().replacen("MII", "M*I", 1), "invalid base64"),
        (other.pem().split("-----END").next().unwrap().to_owned(), "it has no END line"),
        (pem("CERTIFICATE", &other.der()[..90]), "it is cut off after 90 of"),
    ] {
        for bundle in [format!("{bad}{good}"), format!("{good}{bad}")] {
            let path = files.write("bundle.pem", &bundle);
            let config = TlsConfig::load(&trusting(path)).unwrap();
            let [warning] = config.warnings() else { panic!("{:?}", config.warnings()) };
            assert!(warning.contains("bundle.pem: block ") && warning.contains(what), "{warning}");
            dial(&Endpoint::tls("localhost", address.port(), Arc::new(config))).await.unwrap();
        }
        let error = error_of(Layer::Tls, TlsConfig::load(&trusting(files.write("bundle.pem", &bad))));
        assert_says(&error, &["bundle.pem: no usable certificate: block 1 (CERTIFICATE, line 1): ", what]);
    }
}

#[tokio::test]
async fn a_bad_file_in_a_directory_is_named_and_the_others_are_used() {
    let files = Files::new();
    let authority = Authority::root("Test CA");
    let address = server_of(&authority).await;
    let directory = files.path("authorities");
    std::fs::create_dir(&directory).unwrap();
    std::fs::create_dir(directory.join("more")).unwrap();
    std::fs::write(directory.join("bad.pem"), authority.pem().replacen("MII", "M*I", 1)).unwrap();
    std::fs::write(directory.join("notes.txt"), "nothing").unwrap();
    let options = TlsOptions { ca_paths: vec![directory.clone()], ..TlsOptions::default() };
    let error = error_of(Layer::Tls, TlsConfig::load(&options));
    assert_says(&error, &["authorities: no usable certificate: ", "bad.pem: block 1", "invalid base64"]);
    std::fs::write(directory.join("good.pem"), authority.pem()).unwrap();
    #[cfg(unix)]
    {
        std::os::unix::fs::symlink("good.pem", directory.join("0a1b2c3d.0")).unwrap();
        std::os::unix::fs::symlink("nowhere", directory.join("0a1b2c3d.1")).unwrap();
        std::os::unix::fs::symlink("circle", directory.join("circle")).unwrap();
        std::os::unix::fs::symlink("/dev/zero", directory.join("zeros.pem")).unwrap();
    }
    std::fs::write(directory.join("other.crt"), Authority::root("Other CA").der()).unwrap();
    let config = TlsConfig::load(&options).unwrap();
    let warnings = config.warnings();
    let names = |file: &str, what: &str| {
        let is_named = warnings.iter().any(|one| one.contains(&format!("{file}: ")) && one.contains(what));
        assert!(is_named, "{file}: {warnings:?}");
    };
    names("bad.pem", "block 1");
    names("other.crt", "it is in DER, and PEM is expected");
    #[cfg(unix)]
    {
        names("0a1b2c3d.1", "it is a link to a file that does not exist");
        names("circle", "");
        names("zeros.pem", "it is not an ordinary file");
    }
    let silent = ["good.pem", "0a1b2c3d.0", "notes.txt", "more"];
    assert!(
        !warnings.iter().any(|one| silent.iter().any(|file| one.contains(&format!("{file}: ")))),
        "{warnings:?}"
    );
    dial(&Endpoint::tls("localhost", address.port(), Arc::new(config))).await.unwrap();
}

#[tokio::test]
async fn a_bad_certificate_of_the_system_is_a_detail() {
    let files = Files::new();
    let authority = Authority::root("Test CA");
    let address = server_of(&authority).await;
    let bad = authority.pem().replacen("MII", "M*I", 1);
    let file = files.write("system.pem", format!("\u{feff}{bad}{}", authority.pem()));
    let system_store = SystemStore { file: Some(file), directories: vec![files.path("nowhere")] };
    let config = TlsConfig::load(&TlsOptions { system_store, ..TlsOptions::default() }).unwrap();
    assert!(config.warnings().is_empty());
    let details = config.details().concat();
    assert!(details.contains("system.pem: block 1 (CERTIFICATE, line 1): invalid base64"), "{details}");
    assert!(details.contains("nowhere: "), "{details}");
    dial(&Endpoint::tls("localhost", address.port(), Arc::new(config))).await.unwrap();
    let system_store = SystemStore { file: Some(files.write("empty.pem", "")), directories: vec![] };
    let error = TlsConfig::load(&TlsOptions { system_store, ..TlsOptions::default() });
    assert_says(&error_of(Layer::Tls, error), &["SSL_CERT_FILE (", "empty.pem) holds no usable certificate"]);
    let system_store = SystemStore { file: Some(files.path("nowhere.pem")), directories: vec![] };
    let error = TlsConfig::load(&TlsOptions { system_store, ..TlsOptions::default() });
    assert_says(&error_of(Layer::Tls, error), &["holds no usable certificate: ", "nowhere.pem: "]);
}

#[tokio::test]
async fn a_clock_before_1970_is_an_error_where_dates_are_checked() {
    let files = Files::new();
    let authority = Authority::root("Test CA");
    let address = server_of(&authority).await;
    let checked = TlsConfig::load(&trusting(files.write("ca.pem", authority.pem()))).unwrap();
    let unchecked = TlsConfig::load(&TlsOptions { insecure: true, ..TlsOptions::default() }).unwrap();
    let dial_at = |config: &TlsConfig, now: fn() -> SystemTime| {
        let endpoint = Endpoint::tls("localhost", address.port(), Arc::new(config.at(now)));
        async move { dial(&endpoint).await }
    };
    let before = || SystemTime::UNIX_EPOCH - Duration::from_secs(86_400);
    let error = error_of(Layer::Tls, dial_at(&checked, before).await);
    assert_says(&error, &["this machine's clock is at "]);
    assert!(error.hint().unwrap().contains("set the clock"));
    dial_at(&unchecked, before).await.unwrap();
    let start = error_of(Layer::Tls, dial_at(&checked, || SystemTime::UNIX_EPOCH).await);
    assert_says(&start, &["not valid before 1975-01-01"]);
    // After the range of 32 bits, and at the last date of four-digit years: these certificates expire in
    // 4096.
    dial_at(&checked, || SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 31)).await.unwrap();
    dial_at(&checked, || SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 32)).await.unwrap();
    let end = || SystemTime::UNIX_EPOCH + Duration::from_secs(253_402_300_799);
    let error = error_of(Layer::Tls, dial_at(&checked, end).await);
    assert_says(&error, &["expired on 4096-01-01", "years"]);
}
