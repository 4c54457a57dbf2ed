//! The choice of a broker: from DNS service records, and the next one if the first does not answer.

use crate::support::broker::Broker;
use crate::support::mqtt::Mqtt;
use crate::support::pki::Authority;
use crate::support::{CONNECTING, Service as _, dns};

/// A port of 127.0.0.1 without a listener.
fn closed_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The broker with the lowest priority number is tried first, then the next. Every subcommand connects.
#[test]
fn service_records_lead_every_subcommand_to_a_broker() {
    let broker = Broker::start();
    let records = vec![(20, 0, broker.port(), "localhost."), (10, 0, closed_port(), "localhost.")];
    let name_server = dns::start("_mqtt._tcp.example.com", records);
    for subcommand in CONNECTING {
        Mqtt::new(subcommand).args(["-S", "-h", "example.com", "--name-server", &name_server]).run().exits(0);
    }
    let outcome =
        Mqtt::new(["ping", "-S", "-h", "example.com", "--name-server", &name_server]).run().exits(0);
    outcome.mentions("connection refused; trying the next broker");
}

/// The name server of the records is asked for their hosts too, which other servers may not know.
#[test]
fn the_name_server_is_asked_for_addresses_too() {
    let broker = Broker::start();
    let host = ("inner.example", std::net::Ipv4Addr::LOCALHOST);
    let records = vec![(0, 0, broker.port(), "inner.example.")];
    let name_server = dns::start_with_host("_mqtt._tcp.example.com", records, Some(host));
    for subcommand in CONNECTING {
        Mqtt::new(subcommand).args(["-S", "-h", "example.com", "--name-server", &name_server]).run().exits(0);
    }
    let records = vec![(0, 0, 1, "other.example.")];
    let name_server = dns::start_with_host("_mqtt._tcp.example.com", records, Some(host));
    Mqtt::new(["pub", "-t", "a", "-n", "-S", "-h", "example.com", "--name-server", &name_server])
        .run()
        .fails(1, &format!("name look-up: no address for 'other.example' at {name_server}"));
}

#[test]
fn service_records_without_a_broker_are_reported() {
    let name_server = dns::start("_mqtt._tcp.example.com", vec![(0, 0, 0, ".")]);
    let publish = |host: &str| {
        Mqtt::new(["pub", "-t", "a", "-n", "-S", "-h", host, "--name-server", &name_server]).run()
    };
    publish("example.com")
        .fails(1, "name look-up: _mqtt._tcp.example.com says that there is no such service");
    publish("example.org")
        .fails(1, "name look-up: there are no service records _mqtt._tcp.example.org")
        .mentions("hint: without -S");
    // With TLS the records of another service are requested.
    let authority = Authority::new("Test CA");
    Mqtt::new(["pub", "-t", "a", "-n", "-S", "-h", "example.com", "--name-server", &name_server])
        .args(["--cafile".as_ref(), authority.file().as_os_str()])
        .run()
        .fails(1, "_secure-mqtt._tcp.example.com");
    // A port without a name server.
    let no_broker = format!("127.0.0.1:{}", closed_port());
    Mqtt::new(["pub", "-t", "a", "-n", "-S", "-h", "example.com", "--name-server", &no_broker])
        .args(["--connect-timeout", "2"])
        .run()
        .fails(1, "name look-up: ");
    Mqtt::new(["pub", "-t", "a", "-n", "--name-server", "127.0.0.1"])
        .run()
        .fails(2, "--name-server has no effect without -S");
    for port in [&["-p", "1884"][..], &["-L", "mqtt://example.com:1884"], &["-h", "a,b:1884"]] {
        Mqtt::new(["pub", "-t", "a", "-n", "-S"]).args(port).run().fails(2, "a port has no effect with -S");
    }
    Mqtt::new(["pub", "-t", "a", "-n", "-S", "--name-server", "dns.example"])
        .run()
        .fails(2, "it must be an IP address, with or without :PORT");
}

/// Not only `pub` and `sub`: commands with many connections use the broker that answers for all of them.
#[test]
fn several_brokers_are_tried_by_every_subcommand() {
    let broker = Broker::start();
    let hosts = format!("127.0.0.1:{},127.0.0.1:{}", closed_port(), broker.port());
    for subcommand in CONNECTING {
        Mqtt::new(subcommand).args(["-h", &hosts]).run().exits(0);
    }
    let no_broker = format!("127.0.0.1:{},127.0.0.1:{}", closed_port(), closed_port());
    for subcommand in CONNECTING {
        Mqtt::new(subcommand).args(["-h", &no_broker]).run().exits(1).mentions("none of 2 brokers answers");
    }
}
