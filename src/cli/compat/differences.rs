//! What is deliberately different from mosquitto's clients under their names, and why. The help, the manual
//! page and docs/mosquitto.md show this table, and the tests that compare the two hold it against them.

/// A deliberate difference.
#[derive(Debug)]
pub struct Difference {
    /// What the tests call it.
    pub name: &'static str,
    /// What mosquitto's clients do.
    pub mosquitto: &'static str,
    /// What is done here.
    pub here: &'static str,
    /// Why.
    pub reason: &'static str,
}

const fn difference(
    name: &'static str,
    mosquitto: &'static str,
    here: &'static str,
    reason: &'static str,
) -> Difference {
    Difference { name, mosquitto, here, reason }
}

/// Every one of them.
pub const DIFFERENCES: &[Difference] = &[
    difference(
        "barrier",
        "after QoS 0 messages, DISCONNECT follows at once",
        "a PINGREQ goes before it, and its answer is waited for",
        "status 0 means that the broker has read the messages; if it closes the connection, the status is 7",
    ),
    difference(
        "bulk",
        "pub -l loses lines beyond 65,535 in flight and, at QoS 0, those read while there is no connection",
        "the input waits, and nothing is lost; possible losses at QoS 0 are reported, with status 1",
        "data must not be lost in silence",
    ),
    difference(
        "nul",
        "pub -l cuts a line at its first NUL",
        "the line is sent whole",
        "data must not be lost in silence",
    ),
    difference(
        "rr-disconnect",
        "mosquitto_rr closes the connection without DISCONNECT, so that its will is published",
        "it sends DISCONNECT",
        "the run went well",
    ),
    difference(
        "rr-retained",
        "mosquitto_rr takes a retained message for the response",
        "a retained message is ignored",
        "it was there before the request",
    ),
    difference(
        "refused",
        "after a refused connection DISCONNECT is sent",
        "nothing is sent",
        "the broker closes the connection [MQTT-3.1.4-5]",
    ),
    difference(
        "acknowledgement",
        "a message is acknowledged before it is written out; a QoS 2 message is written out at PUBREL",
        "it is acknowledged once it is written out; with -d the lines have this order",
        "a message must not be lost if the output cannot be written",
    ),
    difference(
        "json-binary",
        "%j cuts a payload at its first NUL and writes bytes that are not UTF-8 as they are",
        "such a payload is in Base64, and \"payload-encoding\":\"base64\" follows; correlation data likewise",
        "the output stays valid JSON, and nothing is lost",
    ),
    difference(
        "json-numbers",
        "%J rewrites numbers: 2.50 becomes 2.5, and 20 digits lose their end",
        "numbers are passed on as they came",
        "values must not change",
    ),
    difference(
        "json-invalid",
        "%J writes an empty line for a payload that is not JSON",
        "the payload is a string, and a warning is written once",
        "every message gets its line",
    ),
    difference(
        "timeout",
        "-W before CONNACK ends with status 255 and no text",
        "it ends with status 27 and Timed out, as after CONNACK",
        "one status for one thing",
    ),
    difference(
        "waiting",
        "pub waits for ever for an acknowledgement that does not come",
        "it gives up after one and a half Keep Alive intervals",
        "every wait has an end",
    ),
    difference(
        "unsubscribe",
        "each -U has an UNSUBSCRIBE of its own; with -U alone, -E never leaves",
        "all filters are in one UNSUBSCRIBE; -E leaves after its answer",
        "one request is enough, and every wait has an end",
    ),
    difference(
        "remove-retained",
        "--remove-retained receives its own clearing messages in MQTT 5",
        "it subscribes with No Local",
        "they are the client's own, and carry no data",
    ),
    difference(
        "retained-only",
        "--retained-only ends with the first live message, and waits for ever if none comes",
        "it ends after the last retained message, which it finds by a message to itself on mqtt-marker/…",
        "every wait has an end",
    ),
    difference(
        "random-filter",
        "--random-filter 100 shows 10 % of the messages, because of a wrong scale",
        "it shows 100 %; more than 100 is 100",
        "100 % means every message",
    ),
    difference(
        "reader",
        "sub | head ends with the next message after its reader has gone",
        "it ends when its reader goes",
        "otherwise a pipeline hangs",
    ),
    difference(
        "watch",
        "-w writes its control sequences to files and pipes too",
        "-w needs a terminal",
        "they make no sense elsewhere",
    ),
    difference(
        "terminal",
        "control characters of a payload are obeyed by the terminal",
        "on a terminal they are shown; files and pipes get the exact bytes",
        "a message from outside must not control the terminal",
    ),
    difference(
        "properties",
        "-D with values or combinations that MQTT 5 forbids is sent, and the broker closes the connection",
        "it is refused before connecting, with status 1",
        "the error says what is wrong",
    ),
    difference(
        "topic-alias",
        "-D publish topic-alias is sent whatever the broker allows",
        "the message is refused if the broker does not allow the alias, with a warning",
        "the broker would close the connection",
    ),
    difference(
        "options-file",
        "a line of an options file is cut after 1,023 bytes",
        "lines may have any length",
        "data must not be lost in silence",
    ),
    difference(
        "errors",
        "errors of connecting and of TLS are named by a general text; -d has the cause",
        "a second line names the cause",
        "the cause is what the user needs",
    ),
    difference(
        "tls",
        "OpenSSL accepts X.509 v1 certificates and a common name without a subject alternative name",
        "they are refused; the error prints the --tls-pin of mqtt for this broker",
        "rustls does not verify them",
    ),
    difference("psk", "--psk and --tls-engine", "they are refused", "rustls supports neither"),
    difference(
        "secrets",
        "-P, the password in -L and --proxy, and --psk stay visible to other users",
        "they are hidden from the list of processes",
        "passwords are secret",
    ),
    difference("proxy", "%40 in --proxy becomes a colon", "every %XX is decoded", "that is what it means"),
];
