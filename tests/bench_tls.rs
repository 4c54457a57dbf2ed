//! `mqtt bench --tls-resumption`: full handshakes, or sessions that are resumed.

use crate::bench::{bench, number, report};
use crate::support::Service as _;
use crate::support::mosquitto::{Mosquitto, Setup};
use crate::support::pki::Authority;

/// Ten connections, one after the other: the first uses the ticket of the connection before the load, or
/// none.
#[test]
fn tls_sessions_are_resumed_on_request() {
    let authority = Authority::new("Brokers");
    let setup = Setup::new().tls(&authority.issue("broker", &["127.0.0.1"]));
    let Some(broker) = Mosquitto::start(&setup) else { return };
    let file = authority.file();
    let run = |more: &[&str]| {
        let line = [
            "conn",
            "--clients",
            "10",
            "--ramp",
            "20/s",
            "--hold",
            "100ms",
            "--cafile",
            file.to_str().unwrap(),
        ];
        report(&bench(broker.port(), &[&line[..], more].concat()).run().exits(0))
    };
    for more in [&[][..], &["--tls-resumption", "full"]] {
        let full = run(more);
        assert_eq!(number(&full, "/connections/tls_handshakes"), 10.0);
        assert_eq!(number(&full, "/connections/tls_resumed"), 0.0);
        assert_eq!(full["configuration"]["tls_resumption"], "full");
    }
    let resumed = run(&["--tls-resumption", "resume", "--fail-if", "resumed < 50%"]);
    assert_eq!(number(&resumed, "/connections/tls_handshakes"), 10.0);
    assert!(number(&resumed, "/connections/tls_resumed") >= 5.0, "{}", resumed["connections"]);
    assert!(number(&resumed, "/connections/tls_handshakes_per_s") > 1.0);
    assert_eq!(resumed["configuration"]["tls_resumption"], "resume");
}

/// Handshakes of clients that connect again are those of the measurement, and not of the first connections only.
#[test]
fn handshakes_of_connections_made_again_are_counted_in_the_measurement() {
    let authority = Authority::new("Brokers");
    let setup = Setup::new().tls(&authority.issue("broker", &["127.0.0.1"]));
    let Some(broker) = Mosquitto::start(&setup) else { return };
    let file = authority.file();
    let clients = ["churn", "--clients", "10", "--connect-rate", "20/s", "--duration", "2s"];
    let tls = ["--tls-resumption", "resume", "--cafile", file.to_str().unwrap()];
    let outcome = bench(broker.port(), &[&clients[..], &tls].concat()).run().exits(0);
    let report = report(&outcome);
    assert_eq!(number(&report, "/connections/tls_handshakes"), 50.0);
    let rates = ["/connections/tls_handshakes_per_s", "/operations/connects_per_s"];
    let [handshakes, connects] = rates.map(|path| number(&report, path));
    assert!(handshakes > 0.0 && (handshakes - connects).abs() < 1e-9, "{handshakes} {connects}");
    assert!(handshakes <= 21.0, "{handshakes}");
}

#[test]
fn resumption_needs_tls() {
    bench(1, &["conn", "--tls-resumption", "full"]).run().exits(2).mentions("--tls-resumption needs TLS");
}
