//! Arbitrary payloads, compared with the generated reader.

use proptest::collection::{hash_map, vec};
use proptest::option;
use proptest::prelude::*;
use prost::Message as _;

use super::oracle::*;
use super::{Sparkplug, decode, encode, everything};

fn text() -> impl Strategy<Value = String> {
    "\\PC{0,6}"
}

/// A data type with a value of it, as this program writes it.
fn simple() -> impl Strategy<Value = (u32, Cell)> {
    prop_oneof![
        any::<i8>().prop_map(|number| (1, Cell::Int(i32::from(number).cast_unsigned()))),
        any::<i16>().prop_map(|number| (2, Cell::Int(i32::from(number).cast_unsigned()))),
        any::<i32>().prop_map(|number| (3, Cell::Int(number.cast_unsigned()))),
        any::<i64>().prop_map(|number| (4, Cell::Long(number.cast_unsigned()))),
        any::<u8>().prop_map(|number| (5, Cell::Int(number.into()))),
        any::<u16>().prop_map(|number| (6, Cell::Int(number.into()))),
        any::<u32>().prop_map(|number| (7, Cell::Int(number))),
        (prop_oneof![Just(8_u32), Just(13)], any::<u64>())
            .prop_map(|(datatype, number)| (datatype, Cell::Long(number))),
        prop_oneof![any::<f32>(), Just(f32::INFINITY), Just(0.1), Just(f32::MAX), Just(-0.0)]
            .prop_map(|number| (9, Cell::Float(number))),
        prop_oneof![any::<f64>(), Just(f64::NEG_INFINITY), Just(0.1)]
            .prop_map(|number| (10, Cell::Double(number))),
        any::<bool>().prop_map(|is_true| (11, Cell::Boolean(is_true))),
        (prop_oneof![Just(12_u32), Just(14), Just(15)], text())
            .prop_map(|(datatype, text)| (datatype, Cell::Text(text))),
    ]
}

fn packed() -> impl Strategy<Value = (u32, Vec<u8>)> {
    prop_oneof![
        (prop_oneof![Just(17_u32), Just(18), Just(22), Just(26)], vec(any::<u8>(), 0..9)),
        (prop_oneof![Just(23_u32), Just(27)], vec(any::<[u8; 2]>(), 0..5))
            .prop_map(|(datatype, elements)| (datatype, elements.concat())),
        (prop_oneof![Just(24_u32), Just(28)], vec(any::<[u8; 4]>(), 0..5))
            .prop_map(|(datatype, elements)| (datatype, elements.concat())),
        (prop_oneof![Just(25_u32), Just(29), Just(34)], vec(any::<[u8; 8]>(), 0..5))
            .prop_map(|(datatype, elements)| (datatype, elements.concat())),
        vec(any::<f32>(), 0..5)
            .prop_map(|all| (30, all.iter().flat_map(|number| number.to_le_bytes()).collect())),
        vec(any::<f64>(), 0..5)
            .prop_map(|all| (31, all.iter().flat_map(|number| number.to_le_bytes()).collect())),
        vec(any::<bool>(), 0..20).prop_map(|all| (32, super::super::array::booleans(&all))),
        vec(text(), 0..4)
            .prop_map(|all| (33, all.iter().flat_map(|text| format!("{text}\0").into_bytes()).collect())),
    ]
}

fn data_set() -> impl Strategy<Value = ProstDataSet> {
    let column = (text(), vec(simple(), 3));
    (vec(column, 0..4), 0..3_usize, option::of(any::<u64>())).prop_map(|(columns, rows, count)| {
        // All cells of a column have the type of the first one.
        let cell = |cells: &[(u32, Cell)], row: usize| {
            let (datatype, value) = &cells[row];
            ProstCell { value: (*datatype == cells[0].0).then(|| value.clone()) }
        };
        ProstDataSet {
            num_of_columns: Some(count.unwrap_or(columns.len() as u64)),
            columns: columns.iter().map(|(name, _)| name.clone()).collect(),
            types: columns.iter().map(|(_, cells)| cells[0].0).collect(),
            rows: (0..rows)
                .map(|row| ProstRow { elements: columns.iter().map(|(_, cells)| cell(cells, row)).collect() })
                .collect(),
        }
    })
}

fn properties() -> impl Strategy<Value = ProstProperties> {
    let of_cell = |cell| match cell {
        Cell::Int(number) => PropertyContent::Int(number),
        Cell::Long(number) => PropertyContent::Long(number),
        Cell::Float(number) => PropertyContent::Float(number),
        Cell::Double(number) => PropertyContent::Double(number),
        Cell::Boolean(is_true) => PropertyContent::Boolean(is_true),
        Cell::Text(text) => PropertyContent::Text(text),
    };
    let set = |values: std::collections::HashMap<String, ProstProperty>| {
        let (keys, values) = values.into_iter().unzip();
        ProstProperties { keys, values }
    };
    let property = |datatype, value: Option<PropertyContent>| ProstProperty {
        data_type: Some(datatype),
        is_null: value.is_none().then_some(true),
        value,
    };
    let simple = simple().prop_map(move |(datatype, cell)| property(datatype, Some(of_cell(cell))));
    let leaf = prop_oneof![4 => simple, 1 => Just(property(3, None)), 1 => Just(ProstProperty::default())];
    leaf.prop_recursive(3, 12, 3, move |inner| {
        let sets = || hash_map(text(), inner.clone(), 0..3).prop_map(set);
        prop_oneof![
            sets().prop_map(move |set| property(20, Some(PropertyContent::Set(set)))),
            vec(sets(), 0..3)
                .prop_map(move |sets| property(21, Some(PropertyContent::List(ProstPropertyList { sets })))),
        ]
    })
    .prop_flat_map(move |property| hash_map(text(), Just(property), 0..3).prop_map(set))
}

fn parameter() -> impl Strategy<Value = ProstParameter> {
    (option::of(text()), simple()).prop_map(|(name, (datatype, cell))| ProstParameter {
        name,
        data_type: Some(datatype),
        value: Some(match cell {
            Cell::Int(number) => ParameterContent::Int(number),
            Cell::Long(number) => ParameterContent::Long(number),
            Cell::Float(number) => ParameterContent::Float(number),
            Cell::Double(number) => ParameterContent::Double(number),
            Cell::Boolean(is_true) => ParameterContent::Boolean(is_true),
            Cell::Text(text) => ParameterContent::Text(text),
        }),
    })
}

fn metadata() -> impl Strategy<Value = ProstMetaData> {
    (any::<[Option<bool>; 1]>(), any::<[Option<u64>; 2]>(), vec(option::of(text()), 5)).prop_map(
        |([is_multi_part], [size, seq], texts)| {
            let mut texts = texts.into_iter().map(Option::unwrap_or_default).map(Some);
            let mut text = || texts.next().flatten();
            ProstMetaData {
                is_multi_part,
                content_type: text(),
                size,
                seq,
                file_name: text(),
                file_type: text(),
                md5: text(),
                description: text(),
            }
        },
    )
}

fn metric() -> impl Strategy<Value = ProstMetric> {
    let of_cell = |cell| match cell {
        Cell::Int(number) => Value::Int(number),
        Cell::Long(number) => Value::Long(number),
        Cell::Float(number) => Value::Float(number),
        Cell::Double(number) => Value::Double(number),
        Cell::Boolean(is_true) => Value::Boolean(is_true),
        Cell::Text(text) => Value::Text(text),
    };
    let with = move |value: BoxedStrategy<(Option<u32>, Option<Value>)>| {
        let head = (option::of(text()), any::<[Option<u64>; 2]>(), any::<[Option<bool>; 3]>());
        (head, option::of(metadata()), option::of(properties()), value).prop_map(
            |((name, numbers, flags), metadata, properties, (datatype, value))| {
                let ([alias, timestamp], [is_historical, is_transient, is_null]) = (numbers, flags);
                let is_null = is_null.filter(|_| value.is_none());
                ProstMetric {
                    name,
                    alias,
                    timestamp,
                    datatype,
                    is_historical,
                    is_transient,
                    is_null,
                    metadata,
                    properties,
                    value,
                }
            },
        )
    };
    let value = prop_oneof![
        6 => simple().prop_map(move |(datatype, cell)| (Some(datatype), Some(of_cell(cell)))),
        2 => packed().prop_map(|(datatype, bytes)| (Some(datatype), Some(Value::Bytes(bytes)))),
        1 => data_set().prop_map(|set| (Some(16), Some(Value::DataSet(set)))),
        1 => option::of(0..40_u32).prop_map(|datatype| (datatype, None)),
    ];
    with(value.boxed()).prop_recursive(3, 12, 3, move |inner| {
        let template = (any::<Option<bool>>(), option::of(text()), vec(inner, 0..3), vec(parameter(), 0..3));
        let template = template.prop_map(|(is_definition, text, metrics, parameters)| {
            let (version, template_ref) = (text.clone(), text);
            let template = ProstTemplate { version, metrics, parameters, template_ref, is_definition };
            (Some(19), Some(Value::Template(template)))
        });
        with(template.boxed())
    })
}

fn payload() -> impl Strategy<Value = Payload> {
    let head = (any::<u64>(), option::of(any::<u64>()), option::of(text()));
    (head, vec(metric(), 0..4), option::of(vec(any::<u8>(), 0..9))).prop_map(
        |((timestamp, seq, uuid), metrics, body)| Payload {
            timestamp: Some(timestamp),
            metrics,
            seq,
            uuid,
            body,
        },
    )
}

const TOPICS: [&str; 9] = [
    "spBv1.0/G/NBIRTH/E",
    "spBv1.0/G/NDATA/E",
    "spBv1.0/G/NDEATH/E",
    "spBv1.0/G/NCMD/E",
    "spBv1.0/G/DBIRTH/E/D",
    "spBv1.0/G/DDATA/E/D",
    "spBv1.0/G/DDEATH/E/D",
    "spBv1.0/STATE/h",
    "a",
];

proptest! {
    /// A payload from a generated writer is unchanged after it is decoded and encoded.
    #[test]
    fn payload_comes_back(payload in payload()) {
        let json = decode(&payload.encode_to_vec()).unwrap();
        prop_assert!(!String::from_utf8_lossy(&json).contains("value_error"), "{}", String::from_utf8_lossy(&json));
        let encoded = encode(&json).unwrap_or_else(|why| panic!("{why}: {}", String::from_utf8_lossy(&json)));
        prop_assert_eq!(Payload::decode(&*encoded).unwrap(), payload, "{}", String::from_utf8_lossy(&json));
        // Its JSON is also unchanged, except for the order of members.
        prop_assert_eq!(decode(&encoded).unwrap(), json);
    }

    /// A damaged payload is decoded to JSON or refused, and whatever the generated reader accepts is decoded.
    #[test]
    fn damaged_payloads_are_decoded_or_refused(payload in payload(), flips in vec((any::<usize>(), any::<u8>()), 0..4)) {
        let mut bytes = payload.encode_to_vec();
        for (place, bits) in flips {
            let length = bytes.len().max(1);
            if let Some(byte) = bytes.get_mut(place % length) {
                *byte ^= bits;
            }
        }
        match decode(&bytes) {
            Ok(json) => {
                let value = serde_json::from_slice::<serde_json::Value>(&json);
                prop_assert!(value.is_ok(), "{value:?}");
            }
            Err(why) => {
                let is_stricter = why.starts_with("invalid wire type") || why.starts_with("a property has no");
                prop_assert!(is_stricter || Payload::decode(&*bytes).is_err(), "{why}: {bytes:x?}");
            }
        }
    }

    /// Any messages in any order.
    #[test]
    fn any_messages_are_decoded_or_refused(
        messages in vec((0..TOPICS.len(), prop_oneof![
            payload().prop_map(|payload| payload.encode_to_vec()),
            vec(any::<u8>(), 0..40),
        ]), 0..12)
    ) {
        let mut sparkplug = Sparkplug::default();
        for (topic, bytes) in messages {
            if let Ok(json) = sparkplug.decode(TOPICS[topic].as_bytes(), &bytes, &everything) {
                let value = serde_json::from_slice::<serde_json::Value>(&json);
                prop_assert!(value.is_ok(), "{value:?}");
            }
            sparkplug.learn(TOPICS[topic].as_bytes(), &bytes, &everything);
        }
    }
}
