//! Deliberate differences from mosquitto's clients under their names, with the reasons. The help, the manual
//! page and docs/mosquitto.md show this table, and the tests that compare both programs use it.

/// A deliberate difference.
#[derive(Debug)]
pub struct Difference {
    /// Its name in the tests.
    pub name: &'static str,
    /// The behaviour of mosquitto's clients.
    pub mosquitto: &'static str,
    /// The behaviour here.
    pub here: &'static str,
    /// The reason.
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

/// All differences.
pub const DIFFERENCES: &[Difference] = &[
    difference(
        "barrier",
        "after QoS 0 messages, DISCONNECT follows at once",
        "a PINGREQ goes before it, and its answer is waited for: 5 seconds after -m and -n, otherwise one and a half Keep \
         Alive intervals",
        "status 0 means that the broker has read the messages; if it does not answer, the status is 1, and if it closes \
         the connection, 7",
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
        "-w writes its control sequences to files and pipes too; its heading is Broker: HOST",
        "-w writes each message as a line there, with its topic; its heading names the port too",
        "they make no sense elsewhere; several brokers may run on one host",
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
        "a line of an options file is cut after 1,023 bytes and at a NUL",
        "lines may have any length and any bytes",
        "data must not be lost in silence",
    ),
    difference(
        "connect",
        "a connection that cannot be made is Error: Bad file descriptor, as errno is overwritten",
        "the error names the addresses and the reasons",
        "the cause is what the user needs",
    ),
    difference(
        "tls-failure",
        "the status and the text of a failed TLS handshake vary from run to run: 1, 7, 8 or 14",
        "the status is 1, and the text is that a TLS error occurred, with its cause",
        "one status for one thing",
    ),
    difference(
        "identifier",
        "a client identifier that is not UTF-8 ends the run without a text",
        "the text is that of other invalid client identifiers",
        "an error must not be silent",
    ),
    difference(
        "long",
        "the length of an identifier, a user name, a password, a will or a property over 65,535 bytes wraps around",
        "it is refused before connecting, with status 1",
        "the packet would carry bytes from beside the text",
    ),
    difference(
        "letters",
        "an invalid letter of -F beyond ASCII is named by its first byte",
        "it is named as a whole",
        "standard error stays valid UTF-8",
    ),
    difference(
        "time-digit",
        "a digit after @ in -F is printed with blanks before it",
        "it is printed as it is",
        "it is no letter of strftime",
    ),
    difference(
        "width",
        "a width or precision of -F may have any number of digits",
        "more than 65,535 is refused",
        "a slip of the finger must not fill the disk",
    ),
    difference(
        "pipe",
        "-f takes regular files only",
        "-f reads pipes and devices too, such as /dev/stdin",
        "2.0 did, and shells offer <(command)",
    ),
    difference(
        "shared",
        "-t $share/GROUP without a filter is sent",
        "it is refused as an invalid filter, with status 1",
        "[MQTT-4.8.2-1] asks for a filter, and brokers close the connection",
    ),
    difference(
        "expiry",
        "-c together with -D connect session-expiry-interval fails, as the property is there twice",
        "the given interval counts",
        "that is what was asked for",
    ),
    difference(
        "return-code",
        "a reserved return code of MQTT 3.x is the exit status",
        "it is treated as 3, server unavailable",
        "the standard does not define it",
    ),
    difference(
        "broken-packets",
        "packets that break MQTT 5 are accepted, such as a CONNACK without the authentication method asked for",
        "the connection is closed, with status 2",
        "what such a broker says cannot be relied on",
    ),
    difference(
        "reconnect",
        "sub and pub -l try again one second after a connection is lost",
        "the first attempts come sooner, then one each second",
        "fewer messages are missed",
    ),
    difference(
        "first-answer",
        "sub waits for ever, attempt after attempt, for a broker that does not answer CONNECT",
        "it ends with status 19, as pub does",
        "every wait has an end",
    ),
    difference(
        "rr-return-code",
        "mosquitto_rr names return codes of MQTT 3.x by the reason codes of MQTT 5: 1 is Granted QoS 1",
        "they have their own names, as in pub and sub",
        "the text must not be wrong",
    ),
    difference(
        "rr-refused",
        "mosquitto_rr waits for the response to a request that the broker has refused",
        "it ends with status 1 and the reason",
        "no one answers",
    ),
    difference(
        "rr-ended",
        "mosquitto_rr ends with status 0 and no text when the broker sends DISCONNECT",
        "it ends with status 4, as pub does",
        "there was no response",
    ),
    difference(
        "usage",
        "--version names libmosquitto, and --help describes each option",
        "--version names mqtt, and --help lists the options",
        "it is mqtt that runs",
    ),
    difference(
        "errors",
        "errors at run time are named by a general text; those of TLS have their cause with -d",
        "a second line names the cause",
        "the cause is what the user needs",
    ),
    difference(
        "tls",
        "OpenSSL accepts X.509 v1 certificates and a common name without a subject alternative name",
        "they are refused; the error prints the --tls-pin of mqtt for this broker",
        "rustls does not verify them",
    ),
    difference(
        "cipher-classes",
        "--ciphers takes the classes and operators of OpenSSL, such as HIGH:!aNULL and DEFAULT@SECLEVEL=1",
        "a list with a class allows every supported suite, and operators have no effect",
        "rustls has only suites that OpenSSL counts as HIGH",
    ),
    difference(
        "padding",
        "in -F an absent property is padded with zeros after 0, an absent %R not at all, and %-p and %-x add blanks",
        "absent values are padded with blanks, and - without a width adds none",
        "one rule for every field",
    ),
    difference(
        "float-length",
        "%f and %d of a payload of another length write nothing, and an error for each message",
        "they write blanks of the width, and one warning",
        "a message must not fill standard error",
    ),
    difference(
        "same-identifier",
        "clients with one identifier end each other's connections without a text",
        "a warning names the identifier",
        "otherwise nobody finds the cause",
    ),
    difference(
        "key-password",
        "for an encrypted --key the pass phrase is asked for",
        "it is refused, with status 1",
        "scripts have no terminal",
    ),
    difference(
        "capath",
        "files of --capath need names that openssl rehash makes",
        "every file is read",
        "one step less to forget",
    ),
    difference(
        "not-mqtt",
        "an answer that is not MQTT, such as one of HTTP, ends sub with status 2",
        "it ends with status 7 and the reason",
        "a connection without MQTT is a lost one",
    ),
    difference(
        "full-output",
        "output that cannot be written, as on a full disk, is no error",
        "the run ends with status 1 and the reason",
        "data must not be lost in silence",
    ),
    difference(
        "refused-later",
        "a refused connection ends the run also after a connection was lost",
        "sub and pub -l go on where the refusal may pass",
        "a broker that starts refuses connections",
    ),
    difference(
        "version-properties",
        "-D together with -V 311 sets properties that are not sent",
        "it is refused, with status 1",
        "an option without effect is a mistake",
    ),
    difference(
        "scram",
        "-D connect authentication-method SCRAM-SHA-1 is sent, and no SCRAM is done",
        "it is refused without a user name and a password, and done with them",
        "the broker expects the exchange",
    ),
    difference(
        "second-look",
        "where the broker closes the connection before CONNACK, pub and rr report it at once",
        "a further connection asks whether the port expects TLS",
        "the error names the cause",
    ),
    difference("psk", "--psk and --tls-engine", "they are refused", "rustls supports neither"),
    difference(
        "secrets",
        "-P, the password in -L and --proxy, and --psk stay visible to other users",
        "they are hidden from the list of processes",
        "passwords are secret",
    ),
    difference(
        "proxy",
        "%40 in --proxy becomes a colon, and a user name without a password ends the run with a signal",
        "every %XX is decoded, and such a URL is refused with status 1",
        "[RFC 1929] asks for a password",
    ),
];
