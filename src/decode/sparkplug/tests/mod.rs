//! Payloads of all kinds, compared with a generated reader; sequences of messages; hostile payloads.

mod oracle;
mod properties;

use prost::Message as _;
use serde_json::{Value as Json, json};

use self::oracle::{Payload, ProstMetric, Value};
use super::births::MOST_EDGE_NODES;
use super::datatype::DATA_TYPES;
use super::{Sparkplug, decode, encode, wire};

/// Covers all topics.
fn everything(_: &str) -> bool {
    true
}

fn decoded(sparkplug: &mut Sparkplug, topic: &str, payload: &[u8]) -> Result<Json, String> {
    let json = sparkplug.decode(topic.as_bytes(), payload, &everything)?;
    Ok(serde_json::from_slice(&json).unwrap())
}

fn encoded(json: &Json) -> Vec<u8> {
    encode(json.to_string().as_bytes()).unwrap()
}

fn alone(payload: &Payload) -> Json {
    serde_json::from_slice(&decode(&payload.encode_to_vec()).unwrap()).unwrap()
}

fn valued(datatype: u32, value: Value) -> Payload {
    let metric = ProstMetric { datatype: Some(datatype), value: Some(value), ..ProstMetric::default() };
    Payload { timestamp: Some(1), metrics: vec![metric], ..Payload::default() }
}

#[test]
fn values_have_the_type_of_their_metric() {
    for (datatype, value, expected) in [
        (1, Value::Int(0xffff_ffff), json!(-1)),
        // The values as tahu's Python client sends them.
        (1, Value::Int(255), json!(-1)),
        (2, Value::Int(0xffff_8000), json!(-32768)),
        (2, Value::Int(0x8000), json!(-32768)),
        (3, Value::Int(0x8000_0000), json!(i32::MIN)),
        (3, Value::Long(u64::MAX), json!(-1)),
        (4, Value::Long(u64::MAX), json!(-1)),
        (4, Value::Long(1 << 63), json!("-9223372036854775808")),
        (4, Value::Int(7), json!(7)),
        (5, Value::Int(255), json!(255)),
        (7, Value::Long(4_294_967_295), json!(4_294_967_295_u32)),
        (8, Value::Long(9_007_199_254_740_991), json!(9_007_199_254_740_991_u64)),
        (8, Value::Long(9_007_199_254_740_992), json!("9007199254740992")),
        (8, Value::Long(u64::MAX), json!("18446744073709551615")),
        (9, Value::Float(20.1), json!(20.1)),
        (9, Value::Float(f32::NAN), json!("NaN")),
        (10, Value::Double(f64::NEG_INFINITY), json!("-Infinity")),
        (10, Value::Double(1e300), json!(1e300)),
        (11, Value::Boolean(true), json!(true)),
        (12, Value::Text("é".into()), json!("é")),
        (13, Value::Long(1_486_144_502_122), json!(1_486_144_502_122_u64)),
        (15, Value::Text("a".into()), json!("a")),
        (17, Value::Bytes(vec![0, 255]), json!("AP8=")),
        (24, Value::Bytes(vec![0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0]), json!([-1, 1])),
        (32, Value::Bytes(vec![3, 0, 0, 0, 0xa0]), json!([true, false, true])),
        (33, Value::Bytes(b"a\0b\0".to_vec()), json!(["a", "b"])),
    ] {
        let metric = alone(&valued(datatype, value.clone()))["metrics"][0].clone();
        assert_eq!(metric["value"], expected, "{datatype} {value:?}");
        assert_eq!(metric["datatype"], DATA_TYPES[datatype as usize - 1].1);
        assert_eq!(metric.get("value_error"), None, "{datatype} {value:?}");
    }
}

#[test]
fn value_that_does_not_fit_its_type_is_shown_as_it_is() {
    for (datatype, value, expected, why) in [
        (1, Value::Int(300), json!(300), "it is out of the range of Int8"),
        (5, Value::Int(0xffff_ffff), json!(4_294_967_295_u32), "it is out of the range of UInt8"),
        (3, Value::Text("x".into()), json!("x"), "string_value does not have the Int32"),
        (11, Value::Int(1), json!(1), "int_value does not have the Boolean"),
        (25, Value::Bytes(vec![1]), json!("AQ=="), "1 bytes are not elements of Int64Array"),
        (30, Value::Float(1.5), json!(1.5), "float_value does not have the FloatArray"),
    ] {
        let metric = alone(&valued(datatype, value))["metrics"][0].clone();
        assert_eq!((&metric["value"], metric["value_error"].as_str()), (&expected, Some(why)));
    }
    // field 2: a metric with string_value, which is not UTF-8.
    let payload = b"\x12\x05\x20\x0c\x7a\x01\xff";
    let json: Json = serde_json::from_slice(&decode(payload).unwrap()).unwrap();
    assert_eq!(json["metrics"][0]["value"], "\u{fffd}");
    assert_eq!(json["metrics"][0]["value_error"], "it is not UTF-8");
}

/// A payload with every possible field.
#[test]
fn all_parts_of_a_payload_come_back() {
    let json = json!({
        "timestamp": 1_486_144_502_122_u64,
        "seq": 2,
        "uuid": "u",
        "body": "AQI=",
        "metrics": [
            {
                "name": "a", "alias": "18446744073709551615", "timestamp": 5, "datatype": "Int16", "value": -5,
                "is_historical": true, "is_transient": false,
                "metadata": {
                    "is_multi_part": true, "content_type": "c", "size": 1, "seq": 2, "file_name": "f",
                    "file_type": "t", "md5": "m", "description": "d"
                },
                "properties": {
                    "Quality": {"type": "Int32", "value": 192},
                    "none": {"type": "String", "value": null, "is_null": true},
                    "set": {"type": "PropertySet", "value": {"x": {"type": "Float", "value": 0.1}}},
                    "list": {"type": "PropertySetList", "value": [{}, {"y": {"type": "UInt64", "value": 1}}]}
                }
            },
            {"name": "n", "datatype": "Double", "value": null, "is_null": true},
            {"name": "t", "datatype": "DataSet", "value": {
                "num_of_columns": 2, "columns": ["i", "s"], "types": ["Int8", "String"],
                "rows": [[-1, "x"], [2, null]]
            }},
            {"name": "T", "datatype": "Template", "value": {
                "version": "1", "template_ref": "r", "is_definition": false,
                "parameters": [{"name": "p", "type": "UInt32", "value": 7}],
                "metrics": [{"name": "in", "datatype": "Template", "value": {"parameters": [], "metrics": []}}]
            }},
            {"name": "arrays", "datatype": "DateTimeArray", "value": [1, "18446744073709551615"]},
            {"datatype": 99, "value": true}
        ]
    });
    let back: Json = serde_json::from_slice(&decode(&encoded(&json)).unwrap()).unwrap();
    assert_eq!(back, json);
}

#[test]
fn type_is_guessed_by_the_stated_rule() {
    let json = json!({"metrics": [
        {"value": true}, {"value": -1}, {"value": u64::MAX}, {"value": 1.0}, {"value": "5"}, {"value": null}
    ], "notes": {"expected_seq": 1}});
    let payload = Payload::decode(&*encoded(&json)).unwrap();
    assert!(payload.timestamp.unwrap() > 1_700_000_000_000);
    let metrics: Vec<_> = payload.metrics.into_iter().map(|metric| (metric.datatype, metric.value)).collect();
    assert_eq!(
        metrics,
        [
            (Some(11), Some(Value::Boolean(true))),
            (Some(4), Some(Value::Long(u64::MAX))),
            (Some(8), Some(Value::Long(u64::MAX))),
            (Some(10), Some(Value::Double(1.0))),
            (Some(12), Some(Value::Text("5".into()))),
            (None, None),
        ]
    );
    let payload = Payload::decode(&*encoded(&json!({"timestamp": null}))).unwrap();
    assert_eq!(payload, Payload::default());
}

#[test]
fn json_that_is_not_a_payload_is_refused() {
    for (json, why) in [
        ("no", "not JSON: "),
        ("[]", "it must be an object"),
        (r#"{"metric":[]}"#, "unknown key 'metric'; did you mean 'metrics'?"),
        (r#"{"metrics":{}}"#, "metrics: it must be an array"),
        (r#"{"seq":-1}"#, "seq: -1 is not a whole number from 0 to 2^64 - 1"),
        (
            r#"{"metrics":[{},{"dataType":"Int8"}]}"#,
            "metrics[1]: unknown key 'dataType'; did you mean 'datatype'?",
        ),
        (
            r#"{"metrics":[{"datatype":"int8"}]}"#,
            "metrics[0]: datatype: unknown datatype 'int8'; did you mean 'Int8'?",
        ),
        (
            r#"{"metrics":[{"datatype":"Int8","value":128}]}"#,
            "metrics[0]: value: 128 is out of the range of Int8",
        ),
        (
            r#"{"metrics":[{"datatype":"UInt64","value":-1}]}"#,
            "metrics[0]: value: -1 is out of the range of UInt64",
        ),
        (r#"{"metrics":[{"datatype":"Int8","value":1.5}]}"#, "metrics[0]: value: 1.5 is not a whole number"),
        (r#"{"metrics":[{"datatype":"Float","value":1e300}]}"#, "is out of the range of Float"),
        (
            r#"{"metrics":[{"datatype":"Boolean","value":1}]}"#,
            "metrics[0]: value: 1 is neither true nor false",
        ),
        (r#"{"metrics":[{"value":[1]}]}"#, "metrics[0]: value: its data type is missing"),
        (r#"{"metrics":[{"value":1,"is_null":true}]}"#, "metrics[0]: is_null is true, and there is a value"),
        (r#"{"metrics":[{"datatype":"StringArray","value":["a\u0000"]}]}"#, "has U+0000 in it"),
        (r#"{"metrics":[{"datatype":"PropertySet","value":{}}]}"#, "there is no PropertySet here"),
        (
            r#"{"metrics":[{"datatype":"DataSet","value":{"columns":["a"],"types":["Int8"],"rows":[[1,2]]}}]}"#,
            "metrics[0]: value: rows[0]: there are 2 values and 1 columns",
        ),
    ] {
        let found = encode(json.as_bytes()).unwrap_err();
        assert!(found.contains(why), "{json}: {found}");
    }
}

#[test]
fn states_of_host_applications() {
    let mut sparkplug = Sparkplug::default();
    let mut state = |topic: &str, payload: &str| decoded(&mut sparkplug, topic, payload.as_bytes());
    let json = r#"{"online":true,"timestamp":5}"#;
    assert_eq!(state("spBv1.0/STATE/h", json), Ok(json!({"online": true, "timestamp": 5})));
    assert_eq!(state("STATE/h", "OFFLINE"), Ok(json!({"online": false})));
    assert_eq!(state("STATE/h", json), Ok(json!({"online": true, "timestamp": 5})));
    assert!(state("spBv1.0/STATE/h", "ONLINE").unwrap_err().starts_with("the payload of STATE is not JSON"));
    assert!(state("spBv1.0/STATE/h", "{}").unwrap_err().contains("'online'"));
    assert!(state("spBv1.0/STATE/h", r#"{"online":true}"#).unwrap_err().contains("'timestamp'"));
    assert_eq!(encode(json.as_bytes()).unwrap(), json.as_bytes());
}

/// A scripted session of an edge node: the decoded messages and the warnings.
struct Script {
    sparkplug: Sparkplug,
}

impl Script {
    fn new() -> Self {
        Self { sparkplug: Sparkplug::default() }
    }

    fn birth(&mut self, topic: &str, seq: u64, metrics: &Json) -> Json {
        self.json(topic, &json!({"timestamp": 1, "seq": seq, "metrics": metrics}))
    }

    fn json(&mut self, topic: &str, json: &Json) -> Json {
        decoded(&mut self.sparkplug, topic, &encoded(json)).unwrap()
    }

    /// Metrics by alias without a type, as in data messages.
    fn data(&mut self, topic: &str, seq: u64, metrics: &[(u64, Value)]) -> Json {
        let metrics = metrics
            .iter()
            .map(|(alias, value)| ProstMetric {
                alias: Some(*alias),
                value: Some(value.clone()),
                ..ProstMetric::default()
            })
            .collect();
        let payload = Payload { seq: Some(seq), metrics, ..Payload::default() };
        decoded(&mut self.sparkplug, topic, &payload.encode_to_vec()).unwrap()
    }

    fn warning(&mut self) -> Option<String> {
        self.sparkplug.take_warning()
    }
}

fn node_metrics(session: u64) -> Json {
    json!([
        {"name": "bdSeq", "datatype": "Int64", "value": session},
        {"name": "level", "alias": 1, "datatype": "Int32", "value": 0}
    ])
}

#[test]
fn aliases_are_resolved_from_births() {
    let mut script = Script::new();
    script.birth("spBv1.0/G/NBIRTH/E", 0, &node_metrics(3));
    let device = json!([{"name": "speed", "alias": 1, "datatype": "Int16", "value": 0}]);
    script.birth("spBv1.0/G/DBIRTH/E/D", 1, &device);
    let minus = || [(1, Value::Int((-5_i32).cast_unsigned()))];
    assert_eq!(
        script.data("spBv1.0/G/NDATA/E", 2, &minus()),
        json!({"seq": 2, "metrics": [{"name": "level", "alias": 1, "datatype": "Int32", "value": -5}]})
    );
    assert_eq!(
        script.data("spBv1.0/G/DDATA/E/D", 3, &minus()),
        json!({"seq": 3, "metrics": [{"name": "speed", "alias": 1, "datatype": "Int16", "value": -5}]})
    );
    // A metric found by its name.
    let payload = b"\x18\x04\x12\x0b\x0a\x05level\x50\x80\x80\x80\x80\x08";
    let payload = &payload[..2].iter().chain(b"\x12\x0d").chain(&payload[4..]).copied().collect::<Vec<u8>>();
    assert_eq!(
        decoded(&mut script.sparkplug, "spBv1.0/G/NDATA/E", payload).unwrap()["metrics"][0],
        json!({"name": "level", "datatype": "Int32", "value": i32::MIN})
    );
    assert_eq!(script.warning(), None);
    // Edge nodes with the same name in other groups have other aliases.
    let other = script.data("spBv1.0/H/NDATA/E", 0, &minus());
    assert_eq!(other["notes"], json!({"unresolved": 1}));
    assert!(script.warning().unwrap().contains("spBv1.0/H/NCMD/E"));
    // A new birth replaces the old one and those of the devices.
    script.birth(
        "spBv1.0/G/NBIRTH/E",
        0,
        &json!([{"name": "new", "alias": 2, "datatype": "Int32", "value": 0}]),
    );
    assert_eq!(script.data("spBv1.0/G/NDATA/E", 1, &minus())["notes"]["unresolved"], 1);
    assert_eq!(script.data("spBv1.0/G/DDATA/E/D", 2, &minus())["notes"]["unresolved"], 1);
}

#[test]
fn missing_birth_gives_one_hint() {
    let mut script = Script::new();
    let topic = "spBv1.0/it's/DDATA/E 1/D";
    assert_eq!(
        script.data(topic, 7, &[(9, Value::Int(5)), (8, Value::Boolean(true))]),
        json!({"seq": 7, "metrics": [{"alias": 9, "value": 5}, {"alias": 8, "value": true}], "notes": {"unresolved": 2}})
    );
    assert_eq!(
        script.warning().unwrap(),
        "edge node it's/E 1: metrics without name or datatype, and no DBIRTH that has them. For a rebirth: \
         mqtt pub -t 'spBv1.0/it'\\''s/NCMD/E 1' --encode sparkplug \
         -m '{\"metrics\":[{\"name\":\"Node Control/Rebirth\",\"value\":true}]}'"
    );
    script.data(topic, 8, &[(9, Value::Int(5))]);
    assert_eq!(script.warning(), None);
    // A message that needs no birth does not ask for one.
    let payload = json!({"metrics": [{"name": "a", "value": 5}]});
    assert_eq!(script.json("spBv1.0/G/NDATA/F", &payload).get("notes"), None);
    assert_eq!(script.warning(), None);
}

#[test]
fn gaps_in_the_sequence_are_noted() {
    let mut script = Script::new();
    script.birth("spBv1.0/G/NBIRTH/E", 0, &node_metrics(0));
    script.birth("spBv1.0/G/DBIRTH/E/D", 1, &json!([]));
    assert_eq!(script.data("spBv1.0/G/NDATA/E", 2, &[]).get("notes"), None);
    assert_eq!(script.data("spBv1.0/G/DDATA/E/D", 5, &[])["notes"], json!({"expected_seq": 3}));
    assert!(
        script.warning().unwrap().starts_with("edge node G/E: seq 3 was due, and 5 came. For a rebirth: ")
    );
    assert_eq!(script.data("spBv1.0/G/NDATA/E", 6, &[]).get("notes"), None);
    assert_eq!(script.data("spBv1.0/G/NDATA/E", 255, &[])["notes"], json!({"expected_seq": 7}));
    assert_eq!(script.json("spBv1.0/G/DDEATH/E/D", &json!({"seq": 0})).get("notes"), None);
    // Commands are not counted; messages that are not shown are.
    script.json("spBv1.0/G/NCMD/E", &json!({"metrics": []}));
    script.sparkplug.learn(b"spBv1.0/G/NDATA/E", &encoded(&json!({"seq": 1})), &everything);
    assert_eq!(script.data("spBv1.0/G/NDATA/E", 2, &[]).get("notes"), None);
    assert_eq!(script.warning(), None, "it was said of this edge node");
}

/// If only some of an edge node's messages are subscribed to, missing numbers are not reported.
#[test]
fn sequence_is_not_checked_where_messages_are_missing() {
    for filter in ["spBv1.0/+/NDATA/#", "spBv1.0/G/+/E", "spBv1.0/G/+/E/D"] {
        let mut sparkplug = Sparkplug::default();
        let is_covered = |topic: &str| crate::protocol::topic::matches(filter.as_bytes(), topic.as_bytes());
        for seq in [0, 7] {
            let payload = encoded(&json!({"seq": seq}));
            let json = sparkplug.decode(b"spBv1.0/G/NDATA/E", &payload, &is_covered).unwrap();
            assert!(!String::from_utf8(json).unwrap().contains("notes"), "{filter}");
        }
        assert_eq!(sparkplug.take_warning(), None);
    }
}

#[test]
fn death_ends_the_session_that_it_belongs_to() {
    let mut script = Script::new();
    let death = |session: u64| json!({"timestamp": 1, "metrics": [{"name": "bdSeq", "value": session}]});
    script.birth("spBv1.0/G/NBIRTH/E", 0, &node_metrics(3));
    let late = script.json("spBv1.0/G/NDEATH/E", &death(2));
    assert_eq!(late["notes"], json!({"birth_bdSeq": 3}));
    assert_eq!(script.data("spBv1.0/G/NDATA/E", 1, &[(1, Value::Int(1))])["metrics"][0]["name"], "level");
    assert_eq!(script.json("spBv1.0/G/NDEATH/E", &death(3)).get("notes"), None);
    let after = script.data("spBv1.0/G/NDATA/E", 9, &[(1, Value::Int(1))]);
    assert_eq!(after["notes"], json!({"unresolved": 1}));
    // The death of a device leaves the others.
    script.birth("spBv1.0/G/NBIRTH/E", 0, &node_metrics(4));
    script.birth(
        "spBv1.0/G/DBIRTH/E/D",
        1,
        &json!([{"name": "x", "alias": 5, "datatype": "Int8", "value": 1}]),
    );
    script.json("spBv1.0/G/DDEATH/E/D", &json!({"seq": 2}));
    assert_eq!(script.data("spBv1.0/G/DDATA/E/D", 3, &[(5, Value::Int(1))])["notes"]["unresolved"], 1);
    assert_eq!(script.data("spBv1.0/G/NDATA/E", 4, &[(1, Value::Int(1))])["metrics"][0]["name"], "level");
}

/// Retained certificates are not part of the sequence.
#[test]
fn certificates_that_the_broker_keeps_are_read() {
    let mut script = Script::new();
    script.birth("$sparkplug/certificates/spBv1.0/G/NBIRTH/E", 0, &node_metrics(3));
    let data = script.data("spBv1.0/G/NDATA/E", 77, &[(1, Value::Int(1))]);
    assert_eq!((data["metrics"][0]["name"].as_str(), data.get("notes")), (Some("level"), None));
    assert_eq!(script.data("spBv1.0/G/NDATA/E", 79, &[])["notes"]["expected_seq"], 78);
}

#[test]
fn damaged_birth_leaves_the_old_one() {
    let mut script = Script::new();
    script.birth("spBv1.0/G/NBIRTH/E", 0, &node_metrics(3));
    let mut damaged = encoded(&json!({"seq": 0, "metrics": [{"name": "other", "alias": 1, "value": 1}]}));
    damaged.pop();
    assert!(decoded(&mut script.sparkplug, "spBv1.0/G/NBIRTH/E", &damaged).is_err());
    assert_eq!(script.data("spBv1.0/G/NDATA/E", 1, &[(1, Value::Int(1))])["metrics"][0]["name"], "level");
}

#[test]
fn damaged_payloads_are_refused() {
    for (payload, why) in [
        (&b"\xff"[..], "the field at byte 1 is cut off"),
        (b"\x0a", "the field at byte 1 is cut off"),
        (b"\x0b", "invalid wire type 3 at byte 0"),
        (b"\x00\x00", "invalid field number 0 at byte 0"),
        (b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f", "the number at byte 1 is too long"),
        (b"\x09\0\0\0\0\0\0\0\0", "field 1 at byte 0 has the wrong wire type"),
        (b"\x12\xff\xff\xff\xff\x0f", "the field at byte 6 is cut off"),
        (b"\x12\x03\x0a\x01\xff", "the text at byte 4 is not UTF-8"),
        (b"\x12\x04\x4a\x02\x0a\x00", "a property has no value"),
    ] {
        assert_eq!(decode(payload).unwrap_err(), why, "{payload:x?}");
    }
}

#[test]
fn bombs_are_refused() {
    // Templates in templates, built from the innermost.
    let mut nested = Vec::new();
    for _ in 0..2_000 {
        let mut template = wire::WireMessage::default();
        template.bytes(18, &nested);
        let mut list = wire::WireMessage::default();
        list.bytes(2, &template.0);
        nested = list.0;
    }
    assert_eq!(decode(&nested).unwrap_err(), "nested deeper than 100 levels");
    // One bit becomes five bytes of JSON.
    let mut array = u32::to_le_bytes(16 * 1024 * 1024).to_vec();
    array.resize(4 + 2 * 1024 * 1024, 0);
    let bomb = valued(32, Value::Bytes(array)).encode_to_vec();
    assert_eq!(decode(&bomb).unwrap_err(), "it decodes to more than 64 MiB");
}

#[test]
fn what_is_remembered_is_bounded() {
    let mut sparkplug = Sparkplug::default();
    let data = encoded(&json!({"seq": 1, "metrics": []}));
    for number in 0..MOST_EDGE_NODES {
        sparkplug.learn(format!("spBv1.0/G/NDATA/{number}").as_bytes(), &data, &everything);
    }
    assert_eq!(sparkplug.take_warning(), None);
    for number in 0..2 {
        sparkplug.learn(format!("spBv1.0/H/NDATA/{number}").as_bytes(), &data, &everything);
        assert_eq!(sparkplug.take_warning().is_some(), number == 0);
    }
    // Limit of names: one birth per device, with a name of 1 MiB.
    let mut sparkplug = Sparkplug::default();
    let birth = encoded(&json!({"metrics": [{"name": "x".repeat(1 << 20), "alias": 1, "datatype": "Int8"}]}));
    let topic = |number: usize| format!("spBv1.0/G/DBIRTH/E/{number}");
    for number in 0..63 {
        sparkplug.learn(topic(number).as_bytes(), &birth, &everything);
    }
    // Repeating a birth needs no further space.
    sparkplug.learn(topic(1).as_bytes(), &birth, &everything);
    assert_eq!(sparkplug.take_warning(), None);
    sparkplug.learn(topic(63).as_bytes(), &birth, &everything);
    assert!(sparkplug.take_warning().unwrap().contains("64 MiB of names"));
    let find = |sparkplug: &mut Sparkplug, number: usize| {
        let data = Payload {
            metrics: vec![ProstMetric { alias: Some(1), ..ProstMetric::default() }],
            ..Payload::default()
        };
        decoded(sparkplug, &format!("spBv1.0/G/DDATA/E/{number}"), &data.encode_to_vec()).unwrap()
    };
    assert!(find(&mut sparkplug, 62)["metrics"][0].get("name").is_some());
    assert!(find(&mut sparkplug, 63)["metrics"][0].get("name").is_none());
    // A new birth of the edge node frees space.
    sparkplug.learn(b"spBv1.0/G/NBIRTH/E", &encoded(&json!({"metrics": []})), &everything);
    sparkplug.learn(topic(63).as_bytes(), &birth, &everything);
    assert!(find(&mut sparkplug, 63)["metrics"][0].get("name").is_some());
}
