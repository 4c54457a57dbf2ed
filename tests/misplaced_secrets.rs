//! A secret that lands at the wrong place of a command line is shown nowhere.

use crate::support::mqtt::Mqtt;

/// A secret may be typed at a wrong place, and no error or warning repeats it.
#[test]
fn a_secret_at_the_wrong_place_is_not_repeated() {
    let no_broker = ["-h", "127.0.0.1", "-p", "1"];
    for (line, says) in [
        (&["ping", "me:hunter2@127.0.0.1"][..], "invalid value '…@127.0.0.1' for '[HOST]'"),
        (&["ping", "me:hunter2"], "invalid value '…' for '[HOST]'"),
        (&["ping", "-h", "me:hunter2"], "invalid value '…' for '--host"),
        (&["sub", "-t", "a", "-u", "-P", "hunter2"], "FILTER '…' and -t 'a' are both given"),
        (&["pub", "-t", "a", "-i", "--password", "hunter2"], "TOPIC '…' and -t 'a' are both given"),
        (&["pub", "-t", "a", "-i", "--pw=hunter2", "hunter2 x"], "are both given"),
        (&["sub", "-t", "a", "me:hunter2@h"], "FILTER '…@h' and -t 'a' are both given"),
        (&["sub", "-t", "a", "-q", "me:hunter2@h"], "invalid value '…@h' for '--qos"),
        (&["sub", "-t", "a", "--proxy", "socks5h://me:hunter2"], "invalid value 'socks5h://…' for '--proxy"),
        (&["sub", "-t", "a", "-u", "--proxy", "me:hunter2@h"], "FILTER '…@h' and -t 'a' are both given"),
        (&["sub", "-t", "a", "--bogus", "me:hunter2@h"], "--bogus"),
        (&["bench", "me:hunter2@h"], "unrecognized subcommand '…@h'"),
        (&["me:hunter2@h"], "unrecognized subcommand '…@h'"),
        (&["help", "me:hunter2@h"], "…@h"),
        (&["config", "show", "me:hunter2@h"], "…@h"),
        (&["sub", "-Pi", "hunter2", "-t", "a"], "FILTER '…' and -t 'a' are both given"),
        (&["pub", "-P", "my", "hunter2", "-t", "a", "-n"], "TOPIC '…' and -t 'a' are both given"),
        (&["config", "show", "-P", "my", "hunter2"], "unexpected argument '…'"),
        (&["sub", "-t", "a", "--key-password", "hunter2"], "did you mean '--key-password-file'?"),
    ] {
        Mqtt::new(line).run().exits(2).mentions(says).does_not_mention("hunter2");
    }
    for (line, says) in [
        (&["mosquitto_sub", "-t", "a", "-Phunter2"][..], "Unknown option '-P…'"),
        (&["mosquitto_sub", "-t", "a", "-P", "my", "hunter2"], "Unknown option '…'"),
        (&["mosquitto_pub", "-h", "mqtt://me:hunter2@h", "-t", "a", "-n"], "'mqtt://…@h'"),
    ] {
        Mqtt::new(["compat"]).args(line).run().exits(1).mentions(says).does_not_mention("hunter2");
    }
    let warned = Mqtt::new(["pub", "-t", "me:hunter2@h/*", "-n"]).args(no_broker).run();
    warned.exits(1).mentions("topic '…@h/*': '*' is an ordinary level").does_not_mention("hunter2");
    for (variable, value) in
        [("MQTT_PROXY", "me:hunter2"), ("MQTT_HOST", "me:hunter2"), ("MQTT_URL", "mqtt://me:hunter2")]
    {
        let outcome = Mqtt::new(["ping"]).env(variable, value).run();
        outcome.exits(2).mentions(&format!("from the environment: {variable}")).does_not_mention("hunter2");
    }
}
