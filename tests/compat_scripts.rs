//! Command lines of home automation, devices, cloud services and containers, from their documentation and
//! scripts, under the old names: packets, output and exit status. The comparison with the real clients runs
//! the same lines.

use std::sync::{Arc, Mutex};

use mqtt::protocol::Protocol;
use mqtt::protocol::property::{Properties, Property, Value};
use mqtt::protocol::wire::{self, Packet, PacketType};

use crate::compat::{PUB, RR, SUB};
use crate::compat_cases::{Case, Script, case};
use crate::compat_differential::run;
use crate::support::packets::Message;
use crate::support::server::Server;

/// A line from a script.
pub(crate) struct Practice {
    /// Its origin.
    who: &'static str,
    program: &'static str,
    line: &'static str,
    stdin: &'static [u8],
    options: Option<&'static str>,
    /// The broker's messages after SUBACK, or, for `mosquitto_rr`, after the request.
    messages: &'static [(&'static str, &'static str)],
    are_retained: bool,
    /// The code of CONNACK.
    connack: u8,
    differs: &'static [&'static str],
    status: i32,
    stdout: &'static str,
    /// CONNECT, SUBSCRIBE, UNSUBSCRIBE and PUBLISH, as text.
    sends: &'static [&'static str],
}

const LINE: Practice = Practice {
    who: "",
    program: PUB,
    line: "",
    stdin: b"",
    options: None,
    messages: &[],
    are_retained: false,
    connack: 0,
    differs: &[],
    status: 0,
    stdout: "",
    sends: &[],
};
const READER: Practice = Practice { program: SUB, ..LINE };
const QOS_0: Practice = Practice { differs: &["barrier"], ..LINE };

pub(crate) const SCRIPTS: &[Practice] = &[
    Practice {
        who: "Home Assistant: the retained configuration of a sensor",
        line: "-h localhost -p PORT -u homeassistant -P secret -t homeassistant/sensor/kitchen/config -r -q 1 -m {\"name\":\"Kitchen\",\"state_topic\":\"home/kitchen\",\"unit_of_measurement\":\"°C\",\"device\":{\"identifiers\":[\"k1\"]}}",
        sends: &[
            "connect 3.1.1 user homeassistant password secret",
            "publish homeassistant/sensor/kitchen/config q1 r: {\"name\":\"Kitchen\",\"state_topic\":\"home/kitchen\",\"unit_of_measurement\":\"°C\",\"device\":{\"identifiers\":[\"k1\"]}}",
        ],
        ..LINE
    },
    Practice {
        who: "Home Assistant: the configuration removed",
        line: "-t homeassistant/climate/ir_server/config -n -r -d",
        stdout: "Client null sending CONNECT\nClient null received CONNACK (0)\nClient null sending PUBLISH (d0, q0, r1, m1, 'homeassistant/climate/ir_server/config', ... (0 bytes))\nClient null sending PINGREQ\nClient null received PINGRESP\nClient null sending DISCONNECT\n",
        sends: &["connect 3.1.1", "publish homeassistant/climate/ir_server/config q0 r: "],
        ..QOS_0
    },
    Practice {
        who: "Zigbee2MQTT: a lamp switched on",
        line: "-h localhost -t zigbee2mqtt/ampoule/set -m {\"state\":\"ON\",\"brightness\":␣120}",
        sends: &[
            "connect 3.1.1",
            "publish zigbee2mqtt/ampoule/set q0: {\"state\":\"ON\",\"brightness\": 120}",
        ],
        ..QOS_0
    },
    Practice {
        who: "Zigbee2MQTT: new devices allowed",
        line: "-t zigbee2mqtt/bridge/request/permit_join -m {\"value\":␣true}",
        sends: &["connect 3.1.1", "publish zigbee2mqtt/bridge/request/permit_join q0: {\"value\": true}"],
        ..QOS_0
    },
    Practice {
        who: "Zigbee2MQTT: devices watched, without the bridge",
        line: "-v -t zigbee2mqtt/# -T zigbee2mqtt/bridge/# -C 1",
        messages: &[("zigbee2mqtt/bridge/state", "online"), ("zigbee2mqtt/motion", "{\"occupancy\":true}")],
        stdout: "zigbee2mqtt/motion {\"occupancy\":true}\n",
        sends: &["connect 3.1.1", "subscribe zigbee2mqtt/# q0"],
        ..READER
    },
    Practice {
        who: "Zigbee2MQTT: the list of devices for jq",
        line: "-t zigbee2mqtt/bridge/devices -C 1 -W 5",
        messages: &[("zigbee2mqtt/bridge/devices", "[{\"ieee_address\":\"0x00\"}]")],
        are_retained: true,
        stdout: "[{\"ieee_address\":\"0x00\"}]\n",
        sends: &["connect 3.1.1", "subscribe zigbee2mqtt/bridge/devices q0"],
        ..READER
    },
    Practice {
        who: "Tasmota: a plug switched with the toggle word",
        line: "-h 127.0.0.1 -p PORT -t cmnd/tasmota/POWER -m TOGGLE",
        sends: &["connect 3.1.1", "publish cmnd/tasmota/POWER q0: TOGGLE"],
        ..QOS_0
    },
    Practice {
        who: "Tasmota: a command without a payload asks for the state",
        line: "-t cmnd/plug/STATUS -m \"\"",
        sends: &["connect 3.1.1", "publish cmnd/plug/STATUS q0: "],
        ..QOS_0
    },
    Practice {
        who: "Tasmota: its answers and telemetry",
        line: "-v -t stat/# -t tele/# -C 2",
        messages: &[("stat/plug/POWER", "ON"), ("tele/plug/LWT", "Online")],
        stdout: "stat/plug/POWER ON\ntele/plug/LWT Online\n",
        sends: &["connect 3.1.1", "subscribe stat/# q0 tele/# q0"],
        ..READER
    },
    Practice {
        who: "OwnTracks: locations as they come",
        line: "-v -t owntracks/# -C 1",
        messages: &[("owntracks/jane/nokia", "{\"_type\":\"location\",\"lat\":48.8}")],
        stdout: "owntracks/jane/nokia {\"_type\":\"location\",\"lat\":48.8}\n",
        sends: &["connect 3.1.1", "subscribe owntracks/# q0"],
        ..READER
    },
    Practice {
        who: "OwnTracks: a way point with QoS 2 for one device",
        line: "-q 2 -t owntracks/jane/phone/cmd -m {\"_type\":\"cmd\",\"action\":\"reportLocation\"}",
        sends: &[
            "connect 3.1.1",
            "publish owntracks/jane/phone/cmd q2: {\"_type\":\"cmd\",\"action\":\"reportLocation\"}",
        ],
        ..LINE
    },
    Practice {
        who: "ThingsBoard: telemetry with the access token",
        line: "-d -q 1 -h localhost -p PORT -t v1/devices/me/telemetry -u A1_TEST_TOKEN -m {\"temperature\":25}",
        stdout: "Client null sending CONNECT\nClient null received CONNACK (0)\nClient null sending PUBLISH (d0, q1, r0, m1, 'v1/devices/me/telemetry', ... (18 bytes))\nClient null received PUBACK (Mid: 1, RC:0)\nClient null sending DISCONNECT\n",
        sends: &[
            "connect 3.1.1 user A1_TEST_TOKEN",
            "publish v1/devices/me/telemetry q1: {\"temperature\":25}",
        ],
        ..LINE
    },
    Practice {
        who: "ThingsBoard: attributes from a file",
        line: "-q 1 -h localhost -t v1/devices/me/attributes -u TOKEN -f HOME/two",
        sends: &["connect 3.1.1 user TOKEN", "publish v1/devices/me/attributes q1: line1\nline2\n"],
        ..LINE
    },
    Practice {
        who: "ThingsBoard: client identifier, name and password",
        line: "-q 1 -t v2/t -i c-17 -u u-17 -P p-17 -m {t:25}",
        sends: &["connect 3.1.1 id c-17 user u-17 password p-17", "publish v2/t q1: {t:25}"],
        ..LINE
    },
    Practice {
        who: "ThingsBoard: a wrong token",
        line: "-q 1 -t v1/devices/me/telemetry -u wrong -m {}",
        connack: 5,
        status: 5,
        sends: &["connect 3.1.1 user wrong"],
        ..LINE
    },
    Practice {
        who: "AWS IoT: a custom authorizer on port 443, with a will and repeats",
        line: "-t wv/sample -m Hello␣World -i client -u name?x-amz-customauthorizer-name=Lambda -P pw --tls-alpn mqtt --will-payload Goodbye --will-topic wv/lastwill --will-qos 1 --repeat 2 --repeat-delay 0.01 -q 1",
        sends: &[
            "connect 3.1.1 id client user name?x-amz-customauthorizer-name=Lambda password pw will wv/lastwill q1: Goodbye",
            "publish wv/sample q1: Hello World",
            "publish wv/sample q1: Hello World",
        ],
        ..LINE
    },
    Practice {
        who: "AWS IoT: a shadow read with the x-amzn protocol",
        line: "-i thing1 -q 1 --tls-alpn x-amzn-mqtt-ca --tls-version tlsv1.2 -t $aws/things/thing1/shadow/get/accepted -C 1 -W 5",
        messages: &[("$aws/things/thing1/shadow/get/accepted", "{\"state\":{}}")],
        stdout: "{\"state\":{}}\n",
        sends: &["connect 3.1.1 id thing1", "subscribe $aws/things/thing1/shadow/get/accepted q1"],
        ..READER
    },
    Practice {
        who: "Azure IoT Hub: a message with a property bag in its topic",
        line: "-V mqttv311 -q 1 -i dev1 -u hub.azure-devices.net/dev1/?api-version=2021-04-12 -P SharedAccessSignature␣sr=hub&sig=a%2Bb%3D&se=1 -t devices/dev1/messages/events/$.ct=application%2Fjson&$.ce=utf-8 -m {\"t\":1}",
        sends: &[
            "connect 3.1.1 id dev1 user hub.azure-devices.net/dev1/?api-version=2021-04-12 password SharedAccessSignature sr=hub&sig=a%2Bb%3D&se=1",
            "publish devices/dev1/messages/events/$.ct=application%2Fjson&$.ce=utf-8 q1: {\"t\":1}",
        ],
        ..LINE
    },
    Practice {
        who: "Azure IoT Hub: commands from the cloud",
        line: "-V mqttv311 -i dev1 -u hub/dev1 -P s -t devices/dev1/messages/devicebound/# -q 1 -v -C 1",
        messages: &[("devices/dev1/messages/devicebound/%24.mid=1", "reboot")],
        stdout: "devices/dev1/messages/devicebound/%24.mid=1 reboot\n",
        sends: &[
            "connect 3.1.1 id dev1 user hub/dev1 password s",
            "subscribe devices/dev1/messages/devicebound/# q1",
        ],
        ..READER
    },
    Practice {
        who: "Azure Event Grid: MQTT 5 with user properties",
        line: "-V mqttv5 -q 1 -i s1 -u client1 -D CONNECT session-expiry-interval 20 -t samples/topic -D PUBLISH user-property region eu -D PUBLISH content-type application/json -m {}",
        sends: &[
            "connect 5 id s1 user client1 session-expiry-interval=20 receive-maximum=20",
            "publish samples/topic q1 user-property=region:eu content-type=application/json: {}",
        ],
        ..LINE
    },
    Practice {
        who: "rtl_433: its lines as events",
        line: "-l --id RTL_433 -t home/rtl_433 -q 1",
        stdin: b"{\"model\":\"A\",\"id\":1}\n{\"model\":\"B\",\"id\":2}\n",
        sends: &[
            "connect 3.1.1 id RTL_433",
            "publish home/rtl_433 q1: {\"model\":\"A\",\"id\":1}",
            "publish home/rtl_433 q1: {\"model\":\"B\",\"id\":2}",
        ],
        ..LINE
    },
    Practice {
        who: "rtl_433: the URL of a container, and the words of an empty variable",
        line: "-l --id RTL_433 --url mqtt://rtl:pw@localhost:PORT/home/rtl_433 \"\"",
        stdin: b"{}\n",
        status: 1,
        ..LINE
    },
    Practice {
        who: "a log followed into a topic with a dollar sign",
        line: "-l -t pioreactor/worker1/$experiment/logs/ui -q 1",
        stdin: b"{\"message\":\"a\",\"level\":\"DEBUG\"}\n",
        sends: &[
            "connect 3.1.1",
            "publish pioreactor/worker1/$experiment/logs/ui q1: {\"message\":\"a\",\"level\":\"DEBUG\"}",
        ],
        ..LINE
    },
    Practice {
        who: "a shell: echo into a line, to a topic that begins with a slash",
        line: "-l -t /toothbrush -h localhost -I pid-",
        stdin: b"{\"running\": 2}\n",
        differs: &["barrier"],
        sends: &["connect 3.1.1 id pid-…", "publish /toothbrush q0: {\"running\": 2}"],
        ..LINE
    },
    Practice {
        who: "thin-edge: a measurement",
        line: "-t te/device/main///m/environment -q 1 -m {\"temperature\":␣21.3}",
        sends: &["connect 3.1.1", "publish te/device/main///m/environment q1: {\"temperature\": 21.3}"],
        ..LINE
    },
    Practice {
        who: "thin-edge: the retained state of a service, and its will",
        line: "-t te/device/main/service/x/status/health -r -q 1 -i x --will-topic te/device/main/service/x/status/health --will-payload {\"status\":\"down\"} --will-retain --will-qos 1 -m {\"status\":\"up\"}",
        sends: &[
            "connect 3.1.1 id x will te/device/main/service/x/status/health q1 r: {\"status\":\"down\"}",
            "publish te/device/main/service/x/status/health q1 r: {\"status\":\"up\"}",
        ],
        ..LINE
    },
    Practice {
        who: "thin-edge: messages with their time",
        line: "-t te/# -F {\"topic\":\"%t\",\"retain\":%r,\"qos\":%q,\"len\":%l} -C 1",
        messages: &[("te/device/main///e/login", "{}")],
        stdout: "{\"topic\":\"te/device/main///e/login\",\"retain\":0,\"qos\":0,\"len\":2}\n",
        sends: &["connect 3.1.1", "subscribe te/# q0"],
        ..READER
    },
    Practice {
        who: "OpenWrt: broker and credentials in the file of every call",
        line: "-t openwrt/router/uptime -m 4711",
        options: Some("-u router\n-P sec ret\n-q 1\n-r\n"),
        sends: &["connect 3.1.1 user router password sec ret", "publish openwrt/router/uptime q1 r: 4711"],
        ..LINE
    },
    Practice {
        who: "OpenWrt: bandwidth for Home Assistant",
        line: "-t homeassistant/sensor/router/bw/rx/config -q 1 -m {\"unit_of_measurement\":\"kB/s\",\"icon\":\"mdi:signal\"}",
        sends: &[
            "connect 3.1.1",
            "publish homeassistant/sensor/router/bw/rx/config q1: {\"unit_of_measurement\":\"kB/s\",\"icon\":\"mdi:signal\"}",
        ],
        ..LINE
    },
    Practice {
        who: "Docker: a health check by a subscription to $SYS",
        line: "-t $SYS/# -C 1 -i healthcheck -W 3",
        messages: &[("$SYS/broker/version", "mosquitto version 2.0.18")],
        stdout: "mosquitto version 2.0.18\n",
        sends: &["connect 3.1.1 id healthcheck", "subscribe $SYS/# q0"],
        ..READER
    },
    Practice {
        who: "Docker: a health check that needs no message",
        line: "-h 127.0.0.1 -p PORT -t $SYS/broker/uptime -C 1 -W 3 -E -i probe",
        sends: &["connect 3.1.1 id probe", "subscribe $SYS/broker/uptime q0"],
        ..READER
    },
    Practice {
        who: "Docker: a health check with the password refused",
        line: "-u probe -P wrong -t $SYS/# -E",
        connack: 4,
        status: 4,
        sends: &["connect 3.1.1 user probe password wrong"],
        ..READER
    },
    Practice {
        who: "Docker: a health check on a topic without messages",
        line: "-t health/nothing -C 1 -W 1",
        status: 27,
        sends: &["connect 3.1.1", "subscribe health/nothing q0"],
        ..READER
    },
    Practice {
        who: "Frigate: snapshots without a line feed at their end",
        line: "-t frigate/+/person/snapshot -C 1 -N",
        messages: &[("frigate/door/person/snapshot", "JFIF")],
        stdout: "JFIF",
        sends: &["connect 3.1.1", "subscribe frigate/+/person/snapshot q0"],
        ..READER
    },
    Practice {
        who: "a script that waits for live messages only",
        line: "-R -t sensor/+/state -C 1 -q 1",
        messages: &[("sensor/a/state", "on")],
        stdout: "on\n",
        sends: &["connect 3.1.1", "subscribe sensor/+/state q1"],
        ..READER
    },
    Practice {
        who: "a durable subscription made by a cron job",
        line: "-c -i nightly -q 1 -t jobs/# -E",
        sends: &["connect 3.1.1 kept id nightly", "subscribe jobs/# q1"],
        ..READER
    },
    Practice {
        who: "a durable subscription taken back",
        line: "-c -i nightly -q 1 -t none -U jobs/# -W 1",
        status: 27,
        sends: &["connect 3.1.1 kept id nightly", "subscribe none q1", "unsubscribe jobs/#"],
        ..READER
    },
    Practice {
        who: "a retained tree cleared",
        line: "-t old/# --remove-retained -W 1",
        messages: &[("old/a", "1")],
        are_retained: true,
        status: 27,
        stdout: "1\n",
        sends: &["connect 3.1.1", "subscribe old/# q0", "publish old/a q1 r: "],
        ..READER
    },
    Practice {
        who: "a Shelly: hex of a binary payload",
        line: "-t shelly/blu -C 1 -F %t␣%x␣%X",
        messages: &[("shelly/blu", "\u{1}J")],
        stdout: "shelly/blu 014a 014A\n",
        sends: &["connect 3.1.1", "subscribe shelly/blu q0"],
        ..READER
    },
    Practice {
        who: "ESPHome: two lines a message",
        line: "-F %t\\n%p\\n -t esphome/control/+ -C 1",
        messages: &[("esphome/control/in", "version")],
        stdout: "esphome/control/in\nversion\n\n",
        sends: &["connect 3.1.1", "subscribe esphome/control/+ q0"],
        ..READER
    },
    Practice {
        who: "MQTT 3.1 for an old device",
        line: "-V mqttv31 -i dev-0001 -t old/device -m 1 -q 1",
        sends: &["connect 3.1 id dev-0001", "publish old/device q1: 1"],
        ..LINE
    },
    Practice {
        who: "a backup script: standard input as one message",
        line: "-s -t backup/report -q 1 -r",
        stdin: b"done\n3 files\n",
        sends: &["connect 3.1.1", "publish backup/report q1 r: done\n3 files\n"],
        ..LINE
    },
    Practice {
        who: "motion: an event from a hook that knows no broker",
        line: "-h localhost -p 1 -t homeassistant/camera/door/motion -m OFF --quiet",
        status: 1,
        ..LINE
    },
    Practice {
        who: "reCamera: a request and the topic and text of its response",
        program: RR,
        line: "-h localhost -p PORT -q 1 -v -W 3 -t sscma/v0/recamera/node/in/ -e sscma/v0/recamera/node/out/ -m {\"name\":\"health\",\"type\":3,\"data\":\"\"}",
        messages: &[("sscma/v0/recamera/node/out/", "{\"code\":0}")],
        differs: &["rr-disconnect"],
        stdout: "sscma/v0/recamera/node/out/ {\"code\":0}\n",
        sends: &[
            "connect 5 receive-maximum=1",
            "subscribe sscma/v0/recamera/node/out/ q1",
            "publish sscma/v0/recamera/node/in/ q1 response-topic=sscma/v0/recamera/node/out/: {\"name\":\"health\",\"type\":3,\"data\":\"\"}",
        ],
        ..LINE
    },
    Practice {
        who: "dynamic security: a command to the broker and its answer",
        program: RR,
        line: "-u admin -P pw -i sage-rr -t $CONTROL/dynamic-security/v1 -e $CONTROL/dynamic-security/v1/response -F %t␣-␣%p -m {\"commands\":[{\"command\":\"listClients\"}]}",
        messages: &[("$CONTROL/dynamic-security/v1/response", "{\"responses\":[]}")],
        differs: &["rr-disconnect"],
        stdout: "$CONTROL/dynamic-security/v1/response - {\"responses\":[]}\n",
        sends: &[
            "connect 5 id sage-rr user admin password pw receive-maximum=1",
            "subscribe $CONTROL/dynamic-security/v1/response q0",
            "publish $CONTROL/dynamic-security/v1 q0 response-topic=$CONTROL/dynamic-security/v1/response: {\"commands\":[{\"command\":\"listClients\"}]}",
        ],
        ..LINE
    },
];

impl Practice {
    /// The same for the comparison with the real clients.
    pub(crate) fn case(&self) -> Case {
        let protocol = match self.program {
            RR => Protocol::V5,
            _ => Protocol::V3_1_1,
        };
        let mut script = Script { connack: Some(self.connack), ..Script::accepts() };
        for (topic, payload) in self.messages {
            let message = Message::new(topic, payload.as_bytes());
            let message = if self.are_retained { message.retained() } else { message };
            script = match self.program {
                RR => script.replies(&message, protocol),
                _ => script.then(&message, protocol),
            };
        }
        let case = case(self.program, self.line, script).differs(self.differs).fed(self.stdin);
        Case { options: self.options, ..case }
    }
}

fn in_words(properties: &Properties<'_>) -> String {
    let word = |property: Property<'_>| {
        let name = property.id.name();
        match property.value {
            Value::Number(number) => format!(" {name}={number}"),
            Value::Text(text) => format!(" {name}={text}"),
            Value::Pair(key, value) => format!(" {name}={key}:{value}"),
            Value::Binary(bytes) => format!(" {name}={bytes:?}"),
        }
    };
    properties.iter().map(word).collect()
}

/// Packets as text, without uninteresting ones.
fn told(packets: &[Vec<u8>]) -> Vec<String> {
    let mut protocol = Protocol::V3_1_1;
    let mut lines = Vec::new();
    for bytes in packets {
        if bytes[0] == 0x10 {
            let name = bytes.windows(2).position(|window| window == b"MQ").unwrap();
            let level = bytes[name..].iter().copied().find(|byte| (3..=5).contains(byte));
            protocol = level.and_then(Protocol::from_level).unwrap();
        }
        lines.extend(match wire::decode(protocol, bytes).unwrap() {
            Packet::Connect(connect) => {
                let mut line = String::from(match protocol {
                    Protocol::V3_1 => "connect 3.1",
                    Protocol::V3_1_1 => "connect 3.1.1",
                    Protocol::V5 => "connect 5",
                });
                if !connect.clean_start {
                    line += " kept";
                }
                let id = connect.client_identifier;
                if !id.is_empty() {
                    // A client identifier with a prefix ends with a number.
                    let digits = id.trim_end_matches(|digit: char| digit.is_ascii_digit());
                    line += &if digits == "pid-" { format!(" id {digits}…") } else { format!(" id {id}") };
                }
                line.extend(connect.user_name.map(|name| format!(" user {name}")));
                line.extend(
                    connect
                        .password
                        .map(|password| format!(" password {}", String::from_utf8_lossy(password))),
                );
                line.extend(connect.will.map(|will| {
                    let retain = if will.retain { " r" } else { "" };
                    let payload = String::from_utf8_lossy(will.payload);
                    format!(" will {} q{}{retain}: {payload}", will.topic, will.qos as u8)
                }));
                Some(line + &in_words(&connect.properties))
            }
            Packet::Subscribe { filters, .. } => {
                let filters = filters.iter().map(|one| format!(" {} q{}", one.filter, one.qos as u8));
                Some(format!("subscribe{}", filters.collect::<String>()))
            }
            Packet::Unsubscribe { filters, .. } => Some(format!(
                "unsubscribe{}",
                filters.iter().map(|one| format!(" {}", one.filter)).collect::<String>()
            )),
            Packet::Publish(publish) => {
                let retain = if publish.retain { " r" } else { "" };
                let (topic, payload) =
                    (String::from_utf8_lossy(publish.topic), String::from_utf8_lossy(publish.payload));
                let properties = in_words(&publish.properties);
                Some(format!("publish {topic} q{}{retain}{properties}: {payload}", publish.qos as u8))
            }
            _ => None,
        });
    }
    lines
}

#[test]
fn scripts_of_others_do_what_they_did() {
    for practice in SCRIPTS {
        let home = tempfile::tempdir().unwrap();
        let case = practice.case();
        let collected = Arc::new(Mutex::new(Vec::new()));
        let (script, packets) = (case.script.clone(), Arc::clone(&collected));
        let server = Server::start(move |listener| script.serve(&mut listener.accept(), &packets));
        let outcome = run(&case, None, home.path(), server.port());
        server.finish_or_refuse();
        let packets: Vec<Vec<u8>> = std::mem::take(&mut *collected.lock().unwrap());
        let stdout = String::from_utf8_lossy(&outcome.stdout).replace("Client (null)", "Client null");
        let observed = (outcome.status.code(), stdout.as_str(), told(&packets));
        let sends: Vec<String> = practice.sends.iter().map(ToString::to_string).collect();
        assert_eq!(
            observed,
            (Some(practice.status), practice.stdout, sends),
            "{}: {}",
            practice.who,
            outcome.stderr
        );
        let ends = packets.iter().any(|packet| packet[0] == PacketType::Disconnect as u8 * 16);
        assert!(ends || practice.status != 0, "{}: no DISCONNECT", practice.who);
    }
}

#[test]
fn scripts_of_many_kinds_are_there() {
    // Scripts that need more than one line are in `compat_practice`.
    assert!(SCRIPTS.len() >= 34, "{}", SCRIPTS.len());
}
