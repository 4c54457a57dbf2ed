use super::{all_wrong, config, good};
use crate::command::broker::Config;
use crate::output::Verbosity;

fn listens_on(line: &[&str]) -> String {
    let config: Config = config(good(&[&["broker"], line].concat()));
    assert_eq!(config.verbosity, Verbosity::Normal);
    config.listen.to_string()
}

#[test]
fn addresses() {
    for (line, expected) in [
        (&[][..], "127.0.0.1:1883"),
        (&["-p", "0"], "127.0.0.1:0"),
        (&["--listen", "0.0.0.0"], "0.0.0.0:1883"),
        (&["--listen", "0.0.0.0", "-p", "1884"], "0.0.0.0:1884"),
        (&["--listen", "127.0.0.1:0"], "127.0.0.1:0"),
        (&["--listen", "localhost:7"], "127.0.0.1:7"),
        (&["--listen", "localhost"], "127.0.0.1:1883"),
        (&["--listen", "::"], "[::]:1883"),
        (&["--listen", "[::1]"], "[::1]:1883"),
        (&["--listen", "[::1]:99", "-p", "99"], "[::1]:99"),
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
        (&["broker", "-d"], "-d is not available: the embedded broker writes no log"),
        (&["broker", "-h", "localhost"], "-h is called --listen here"),
    ]);
}
