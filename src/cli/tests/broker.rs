use super::{all_wrong, config, good};
use crate::command::broker::Config;
use crate::output::Verbosity;

fn listens_on(line: &[&str]) -> String {
    let config: Config = config(good(&[&["broker"], line].concat()));
    assert_eq!(config.verbosity, Verbosity::Normal);
    let addresses = config.listeners.iter().map(|listener| listener.address().unwrap().to_string());
    addresses.collect::<Vec<_>>().join(" ")
}

#[test]
fn addresses() {
    for (line, expected) in [
        (&[][..], "127.0.0.1:1883"),
        (&["-p", "0"], "127.0.0.1:0"),
        (&["--listen", "0.0.0.0", "--open"], "0.0.0.0:1883"),
        (&["--listen", "0.0.0.0", "-p", "1884", "--open"], "0.0.0.0:1884"),
        (&["--listen", "127.0.0.1:0"], "127.0.0.1:0"),
        (&["--listen", "localhost:7"], "127.0.0.1:7"),
        (&["--listen", "localhost"], "127.0.0.1:1883"),
        (&["--listen", "::", "--open"], "[::]:1883"),
        (&["--listen", "[::1]"], "[::1]:1883"),
        (&["--listen", "[::1]:99", "-p", "99"], "[::1]:99"),
        (&["--listen", "mqtt://127.0.0.1", "--listen", "ws://[::1]/"], "127.0.0.1:1883 [::1]:8083"),
        (&["--listen", "ws://localhost:0", "--listen", "127.0.0.1:0"], "127.0.0.1:0 127.0.0.1:0"),
    ] {
        assert_eq!(listens_on(line), expected, "{line:?}");
    }
}

#[test]
fn bad_addresses() {
    all_wrong(&[
        (&["broker", "--until-eof", "--", "true"], "--until-eof"),
        (&["broker", "--listen", "here"], "use an IP address"),
        (&["broker", "--listen", "127.0.0.1:99999"], "use an IP address"),
        (&["broker", "--listen", "localhost:x"], "port"),
        (&["broker", "--listen", "127.0.0.1:1", "-p", "2"], "different ports"),
        (&["broker", "-p", "65536"], "65536"),
        (&["broker", "-d"], "-d is called --log here"),
        (&["broker", "--log", "--json-events"], "cannot both be written to standard error"),
        (&["broker", "--listen", "0.0.0.0"], "--listen mqtt://0.0.0.0:1883: other machines can reach it"),
        (&["broker", "--listen", "tcp://127.0.0.1"], "mqtt://, mqtts://, ws://, wss://, or unix:PATH"),
        (&["broker", "--listen", "ws://127.0.0.1/mqtt"], "accepted at every path"),
        (&["broker", "--listen", "unix:"], "path of a socket"),
        (&["broker", "--listen", "unix:a", "-p", "1"], "has no port"),
        (&["broker", "--listen", "127.0.0.1", "--listen", "::1", "-p", "1"], "-p is for a single --listen"),
        (&["broker", "--listen", "127.0.0.1", "--listen", "mqtt://127.0.0.1:1883"], "the same place twice"),
        (&["broker", "--listen", "mqtts://127.0.0.1"], "need a certificate"),
        (&["broker", "--listen", "mqtts://127.0.0.1", "--cert", "a"], "--key"),
        (&["broker", "--tls-self-signed", "a"], "no listener has it"),
        (&["broker", "-h", "localhost"], "-h is called --listen here"),
    ]);
}
