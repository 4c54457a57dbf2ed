//! CONNECT and the end of connections: accepted and refused clients, and the Reason Codes.

use super::*;

#[test]
fn pings_are_answered() {
    for protocol in [V3_1, V3_1_1, V5] {
        let mut world = World::new();
        let client = world.connect(protocol, "c");
        world.send(client, &[0xC0, 0]);
        assert_eq!(world.take(client), ["PINGRESP"]);
    }
}

#[test]
fn packets_may_come_in_any_pieces() {
    let mut world = World::new();
    let client = world.open(V5);
    let mut bytes = connect_bytes(&hello(V5, "c"));
    wire::ping_request(&mut bytes);
    let mut start = 0;
    for end in 1..=bytes.len() {
        start += world.core.receive(client.id, &bytes[start..end], world.now);
    }
    assert_eq!(start, bytes.len());
    assert_eq!(world.take(client), ["CONNACK 0x00", "PINGRESP"]);
}

#[test]
fn client_identifiers_are_assigned_where_they_may_be() {
    let mut world = World::new();
    let (_, answer) = world.try_connect(&hello(V5, ""));
    let assigned = answer[0].strip_prefix("CONNACK 0x00 assigned-client-identifier=auto-").unwrap();
    let groups: Vec<usize> = assigned.split('-').map(str::len).collect();
    assert_eq!(groups, [8, 4, 4, 4, 12], "{answer:?}");
    assert_eq!(world.try_connect(&hello(V3_1_1, "")).1, ["CONNACK 0x00"]);
    // [MQTT-3.1.3-8] of 3.1.1; 3.1 does not allow an empty one.
    let kept = Connect { clean_start: false, ..hello(V3_1_1, "") };
    assert_eq!(world.try_connect(&kept).1, ["CONNACK 0x85"]);
    assert_eq!(world.try_connect(&hello(V3_1, "")).1, ["CONNACK 0x85"]);
    let kept = Connect { clean_start: false, ..hello(V5, "") };
    assert!(world.try_connect(&kept).1[0].contains("assigned-client-identifier"));
}

#[test]
fn user_name_and_password_are_checked() {
    let mut access = Access::default();
    access.add_user("anna", b"secret\xff");
    let mut world = World::with(Options { access, ..Options::default() });
    for protocol in [V3_1, V3_1_1, V5] {
        let right =
            Connect { user_name: Some("anna"), password: Some(b"secret\xff"), ..hello(protocol, "c") };
        assert_eq!(world.try_connect(&right).1, ["CONNACK 0x00"]);
        for wrong in [
            hello(protocol, "d"),
            Connect { user_name: Some("bert"), ..right.clone() },
            Connect { password: Some(b"secret"), ..right.clone() },
            Connect { password: None, ..right },
        ] {
            let (client, answer) = world.try_connect(&wrong);
            assert_eq!(answer, ["CONNACK 0x87"]);
            assert_eq!(world.state(client), Directive::Closing);
        }
    }
}

/// As in mosquitto 2.1, even where the stored password is empty.
#[test]
fn client_without_a_password_is_refused() {
    let mut access = Access::default();
    access.add_user("anna", b"");
    let mut world = World::with(Options { access, ..Options::default() });
    for password in [None, Some(&b""[..])] {
        let connect = Connect { user_name: Some("anna"), password, ..hello(V5, "c") };
        assert_eq!(world.try_connect(&connect).1, ["CONNACK 0x87"], "{password:?}");
    }
}

/// A client that connects after the request for new users and rights is judged by the new ones.
#[test]
fn connects_wait_while_users_and_rights_change() {
    let access = |password: &[u8], acl: &str| {
        let mut access = Access::default();
        access.add_user("anna", password);
        access.set_acl_file(acl.as_bytes()).unwrap();
        access
    };
    let old = || access(b"old", "user anna\ntopic a\n");
    let with = |password: &'static [u8]| Connect {
        user_name: Some("anna"),
        password: Some(password),
        ..hello(V5, "c")
    };
    let mut world = World::with(Options { access: old(), ..Options::default() });
    let check = |world: &mut World| {
        while let Some(check) = world.core.take_check() {
            world.core.checked(&check, check.run(), world.now);
        }
    };
    world.core.hold_connects();
    let (client, answer) = world.try_connect(&with(b"new"));
    assert!(answer.is_empty(), "{answer:?}");
    let (other, answer) = world.try_connect(&with(b"old"));
    assert!(answer.is_empty(), "{answer:?}");
    world.core.set_access(access(b"new", "user anna\ntopic b\n"), world.now);
    check(&mut world);
    assert_eq!(world.take(other), ["CONNACK 0x87"]);
    assert_eq!(world.take(client), ["CONNACK 0x00"]);
    world.publish(client, &message("a", 1, 1, ""));
    world.publish(client, &message("b", 1, 2, ""));
    assert_eq!(world.take(client), ["PUBACK #1 0x87", "PUBACK #2 0x10"]);

    // The rules stay if the new ones cannot be used, and a wait ends at the connect timeout.
    world.core.hold_connects();
    let (client, _) = world.try_connect(&with(b"new"));
    world.core.keep_access(world.now);
    check(&mut world);
    assert_eq!(world.take(client), ["CONNACK 0x00"]);
    world.core.hold_connects();
    let (client, _) = world.try_connect(&with(b"new"));
    world.wait_seconds(10);
    assert_eq!(world.state(client), Directive::Dead);

    // A password that is being compared with the old one is compared with the new one.
    let mut world = World::with(Options { access: old(), ..Options::default() });
    let client = world.open(V5);
    world.core.receive(client.id, &connect_bytes(&with(b"old")), world.now);
    let stale = world.core.take_check().unwrap();
    world.core.set_access(access(b"new", ""), world.now);
    world.core.checked(&stale, stale.run(), world.now);
    assert!(world.take(client).is_empty());
    check(&mut world);
    assert_eq!(world.take(client), ["CONNACK 0x87"]);
}

/// Clients whose password is the same stay connected; those of another password or without a user do not.
#[test]
fn reload_disconnects_only_clients_of_changed_users() {
    let access = |users: &[(&str, &[u8])]| {
        let mut access = Access::default();
        for (name, password) in users {
            access.add_user(name, password);
        }
        access
    };
    let before = access(&[("anna", b"a"), ("bert", b"b"), ("cleo", b"c")]);
    let mut world = World::with(Options { access: before, ..Options::default() });
    let [anna, bert, cleo] = [("anna", "a"), ("bert", "b"), ("cleo", "c")].map(|(name, password)| {
        let password = Some(password.as_bytes());
        world.join(&Connect { user_name: Some(name), password, ..hello(V5, name) })
    });
    world.core.set_access(access(&[("anna", b"a"), ("bert", b"other")]), world.now);
    assert!(world.take(anna).is_empty());
    for gone in [bert, cleo] {
        assert_eq!(world.take(gone), ["DISCONNECT 0x87"]);
    }
}

/// As in mosquitto 2.1: it is not answered, and the connection is closed.
#[test]
fn wills_to_topics_of_the_broker_are_refused() {
    let options = Options { system_interval: Some(Duration::from_secs(10)), ..Options::default() };
    let mut world = World::with(options);
    for protocol in [V3_1_1, V5] {
        let with = |topic| Connect { will: Some(will(topic, "x")), ..hello(protocol, "c") };
        let (client, answer) = world.try_connect(&with("$CONTROL/dynamic-security/v1"));
        assert!(answer.is_empty(), "{answer:?}");
        assert_eq!(world.state(client), Directive::Closing);
        for topic in ["$SYS/broker/version", "$share/g/a"] {
            assert_eq!(world.try_connect(&with(topic)).1, ["CONNACK 0x87"], "{topic}");
        }
    }
}

#[test]
fn a_server_without_mqtt_5_answers_in_its_own_format() {
    let mut world = World::with(Options { protocols: vec![V3_1_1], ..Options::default() });
    let client = world.open(V5);
    world.send(client, &connect_bytes(&hello(V5, "c")));
    assert_eq!(world.core.output(client.id), [0x20, 2, 0, 1]);
    let client = world.open(V5);
    let mut later = connect_bytes(&hello(V5, "c"));
    later[8] = 6;
    world.send(client, &later);
    assert_eq!(world.core.output(client.id), [0x20, 2, 0, 1]);
    world.connect(V3_1_1, "c");
}

#[test]
fn unknown_versions_and_packets_other_than_connect_are_refused() {
    let level = |level| {
        let mut bytes = connect_bytes(&hello(V3_1_1, "c"));
        bytes[8] = level;
        bytes
    };
    let mut reserved = connect_bytes(&hello(V5, "c"));
    reserved[9] |= 1;
    for (bytes, answer) in [
        (&level(9)[..], &[0x20, 3, 0, 0x84, 0][..]),
        (&level(2), &[0x20, 3, 0, 0x84, 0]),
        (&[0xC0, 0], &[]),
        (b"GET / HTTP/1.1\r\n\r\n", &[]),
        (b"\x16\x03\x01\x00\xa5\x01\x00", &[]),
        (&[0x10, 0xFF, 0xFF, 0xFF, 0x7F], &[]),
    ] {
        let mut world = World::new();
        let client = world.open(V3_1_1);
        world.send(client, bytes);
        assert_eq!(world.core.output(client.id), answer, "{bytes:?}");
        assert_eq!(world.state(client), Directive::Closing);
        // Further input is ignored, and the connection ends even if the peer sends nothing.
        world.send(client, &connect_bytes(&hello(V5, "c")));
        world.wait_seconds(1);
        assert_eq!(world.state(client), Directive::Dead);
        assert_eq!(world.core.statistics().sessions, 0);
    }
    let mut world = World::new();
    let client = world.open(V5);
    world.send(client, &reserved);
    assert_eq!(world.take(client), Vec::<String>::new());
}

#[test]
fn enhanced_authentication_is_refused() {
    let mut world = World::new();
    let mut block = PropertyBlock::default();
    block.push(PropertyId::AuthenticationMethod, Value::Text("SCRAM"));
    let connect = Connect { properties: block.view(), ..hello(V5, "c") };
    assert_eq!(world.try_connect(&connect).1, ["CONNACK 0x8c"]);
}

#[test]
fn connection_without_connect_is_closed_at_the_timeout() {
    let mut world = World::new();
    let client = world.open(V5);
    world.wait(Duration::from_millis(9_999));
    assert_eq!(world.state(client), Directive::Open);
    world.wait(Duration::from_millis(1));
    assert_eq!(world.state(client), Directive::Dead);
}

/// [MQTT-3.1.2-22]: 1.5 times the Keep Alive.
#[test]
fn keep_alive() {
    for protocol in [V3_1_1, V5] {
        let mut world = World::new();
        let client = world.join(&Connect { keep_alive: 10, ..hello(protocol, "c") });
        let expected: &[&str] = if protocol == V5 { &["DISCONNECT 0x8d"] } else { &[] };
        for _ in 0..5 {
            world.wait_seconds(14);
            assert_eq!(world.state(client), Directive::Open);
            world.send(client, &[0xC0, 0]);
            world.take(client);
        }
        world.wait_seconds(15);
        assert_eq!(world.take(client), expected);
        assert_eq!(world.state(client), Directive::Closing);
        let patient = world.connect(protocol, "patient");
        world.wait_seconds(1_000_000);
        assert_eq!(world.state(patient), Directive::Open);
    }
}

#[test]
fn protocol_errors_are_answered_with_their_reason_code() {
    let alias_zero = [0x30, 7, 0, 1, b't', 3, 35, 0, 0];
    for (bytes, reason) in [
        (&[0x00, 0][..], "0x82"),                  // no packet type
        (&[0xC1, 0], "0x81"),                      // reserved flags
        (&[0x36, 3, 0, 1, b't'], "0x81"),          // QoS 3
        (&[0x30, 4, 0, 0, 0, b'x'], "0x81"),       // no topic, no alias
        (&[0x30, 4, 0, 1, b'#', 0], "0x81"),       // wildcard in a name
        (&[0x30, 4, 0, 1, 0xFF, 0], "0x81"),       // not UTF-8
        (&[0x32, 6, 0, 1, b't', 0, 0, 0], "0x82"), // packet identifier 0
        (&alias_zero, "0x82"),
        (&[0x30, 6, 0, 1, b't', 2, 11, 1], "0x82"), // Subscription Identifier from a client
        (&[0x30, 8, 0, 1, b't', 4, 8, 0, 1, b'#'], "0x82"), // Response Topic with a wildcard
        (&[0x30, 7, 0, 1, b't', 3, 8, 0, 0], "0x82"), // empty Response Topic
        (&[0x82, 3, 0, 1, 0], "0x81"),              // no filter
        (&[0xA2, 3, 0, 1, 0], "0x81"),
        (&[0x82, 7, 0, 1, 0, 0, 1, b't', 0x30], "0x81"), // Retain Handling 3
        (&[0x82, 9, 0, 1, 2, 11, 0, 0, 1, b't', 0], "0x81"), // Subscription Identifier 0
        (&[0x82, 7, 0, 0, 0, 0, 1, b't', 0], "0x81"),    // packet identifier 0
        (&[0x82, 9, 0, 1, 2, 1, 0, 0, 1, b't', 0], "0x81"), // a property of PUBLISH [MQTT-2.2.2.2]
        (&[0xA2, 6, 0, 0, 0, 0, 1, b't'], "0x81"),
        (&[0xA2, 8, 0, 1, 2, 1, 0, 0, 1, b't'], "0x81"),
        (&[0x82, 7, 0, 1, 0, 0, 1, b't', 3], "0x81"), // QoS 3
        (&[0x90, 4, 0, 1, 0, 0], "0x82"),             // a server's packet
        (&[0xD0, 0], "0x82"),
        (&[0xF0, 0], "0x82"),
        (&[0x20, 3, 0, 0, 0], "0x82"),
        (&[0x20, 1, 0], "0x82"), // and a malformed one
        (&[0xB1, 0], "0x81"),
        (&[0xF1, 0], "0x82"),
        (&connect_bytes(&hello(V5, "c")), "0x82"), // a second CONNECT
        (&[0x30, 0xFF, 0xFF, 0xFF, 0x7F], "0x95"), // over the Maximum Packet Size
    ] {
        let mut world = World::new();
        let client = world.connect(V5, "c");
        world.send(client, bytes);
        assert_eq!(world.take(client), [format!("DISCONNECT {reason}")], "{bytes:?}");
        assert_eq!(world.state(client), Directive::Closing);
        assert_eq!(world.core.statistics().sessions, 0);
    }
}

#[test]
fn mqtt_3_gets_no_disconnect() {
    let mut world = World::new();
    let client = world.connect(V3_1_1, "c");
    world.send(client, &[0x30, 3, 0, 1, b'#']);
    assert!(world.take(client).is_empty());
    assert_eq!(world.state(client), Directive::Closing);
}

/// Reason Strings are omitted on request, and if the packet would be too large ([MQTT-3.1.2-29],
/// [MQTT-3.2.2-19]).
#[test]
fn reason_strings() {
    let disconnect = |pairs: &[(PropertyId, u32)]| {
        let mut world = World::new();
        let block = numbers(pairs);
        let client = world.join(&Connect { properties: block.view(), ..hello(V5, "c") });
        world.send(client, &[0xD0, 0]);
        world.core.output(client.id).to_vec()
    };
    assert!(disconnect(&[]).len() > 10);
    assert_eq!(disconnect(&[(PropertyId::RequestProblemInformation, 0)]), [0xE0, 1, 0x82]);
    assert_eq!(disconnect(&[(PropertyId::MaximumPacketSize, 20)]), [0xE0, 1, 0x82]);
}

#[test]
fn shutdown_sends_its_reason_code() {
    let mut world = World::new();
    let new = world.connect(V5, "new");
    let old = world.connect(V3_1_1, "old");
    let silent = world.open(V5);
    world.core.shut_down(world.now);
    assert_eq!(world.take(new), ["DISCONNECT 0x8b"]);
    assert!(world.take(old).is_empty() && world.take(silent).is_empty());
    world.wait_seconds(1);
    for client in [new, old, silent] {
        assert_eq!(world.state(client), Directive::Dead);
    }
}

/// MQTT 3.x has no return code for it [MQTT-4.8.0-1]. MQTT 5 has a Reason Code; as in mosquitto 2.1, only an empty topic
/// gets it.
#[test]
fn invalid_will_topic_closes_the_connection() {
    let deep = "/".repeat(201);
    for (topic, answer) in [("", &["CONNACK 0x82"][..]), ("a/#", &[]), ("+", &[]), (&deep, &[])] {
        for (protocol, answer) in [(V3_1, &[][..]), (V3_1_1, &[]), (V5, answer)] {
            let mut world = World::new();
            let (client, seen) =
                world.try_connect(&Connect { will: Some(will(topic, "x")), ..hello(protocol, "c") });
            assert_eq!(seen, answer, "{protocol:?} {topic}");
            assert_eq!(world.state(client), Directive::Closing);
        }
    }
}

/// As in mosquitto 2.1; [MQTT-3.1.4-1] leaves the choice.
#[test]
fn malformed_connects_are_answered_where_mosquitto_does() {
    let head = b"\x00\x04MQTT\x05";
    let unanswered: [&[u8]; 9] = [
        b"",                                          // no flags
        b"\x02\x00",                                  // no keep-alive
        b"\x03\x00\x0a\x00\x00\x01p",                 // the reserved flag
        b"\x02\x00\x0a\x00",                          // no client identifier
        b"\x0a\x00\x0a\x00\x00\x01p",                 // will QoS without a will
        b"\x82\x00\x0a\x00\x00\x01p",                 // no user name
        b"\xC2\x00\x0a\x00\x00\x01p\x00\x01u",        // no password
        b"\x82\x00\x0a\x00\x00\x01p\x00\x02\xED\xA0", // not UTF-8
        b"\x82\x00\x0a\x00\x00\x01p\x00\x03a\x01b",   // a control character
    ];
    let answered: [(&[u8], &[&str]); 5] = [
        (b"\x02\x00\x0a", &["CONNACK 0x81"]),                      // no properties
        (b"\x02\x00\x0a\x02\x24\x00\x00\x01p", &["CONNACK 0x82"]), // a property of CONNACK
        (b"\x1e\x00\x0a\x00\x00\x01p\x00\x00\x01p", &["CONNACK 0x81"]), // will QoS 3
        (b"\x06\x00\x0a\x00\x00\x01p\x00", &["CONNACK 0x81"]),     // no will topic
        (b"\x02\x00\x0a\x00\x00\x01p\x00", &["CONNACK 0x81"]),     // a byte too many
    ];
    for (fields, answer) in unanswered.map(|fields| (fields, &[][..])).into_iter().chain(answered) {
        let mut packet = vec![0x10, u8::try_from(head.len() + fields.len()).unwrap()];
        packet.extend([&head[..], fields].concat());
        let mut world = World::new();
        let client = world.open(V5);
        world.send(client, &packet);
        assert_eq!(world.take(client), answer, "{fields:?}");
        assert_eq!(world.state(client), Directive::Closing);
    }
}

/// Section 3.1.2.11.10.
#[test]
fn authentication_data_without_a_method_closes_the_connection() {
    let mut properties = PropertyBlock::default();
    properties.push(PropertyId::AuthenticationData, Value::Binary(b"x"));
    let mut world = World::new();
    let (client, seen) = world.try_connect(&Connect { properties: properties.view(), ..hello(V5, "c") });
    assert_eq!(seen, ["CONNACK 0x82"]);
    assert_eq!(world.state(client), Directive::Closing);
}

/// MQTT 3.1 does not use the lower half of a fixed header of CONNECT, nor the last bit of the connect flags.
#[test]
fn bits_that_mqtt_3_1_does_not_use_are_ignored() {
    let v3_1 =
        |first: u8, flags: u8| [&[first, 15, 0, 6][..], b"MQIsdp", &[3, flags, 0, 10, 0, 1, b'p']].concat();
    let others = |level: u8, properties: &[u8], first: u8, flags: u8| {
        let length = 13 + u8::try_from(properties.len()).unwrap();
        [&[first, length, 0, 4][..], b"MQTT", &[level, flags, 0, 10], properties, &[0, 1, b'p']].concat()
    };
    for (protocol, bytes, accepted) in [
        (V3_1, v3_1(0x10, 3), true),
        (V3_1, v3_1(0x1E, 2), true),
        (V3_1_1, others(4, &[], 0x10, 2), true),
        (V3_1_1, others(4, &[], 0x10, 3), false), // [MQTT-3.1.2-3]
        (V3_1_1, others(4, &[], 0x12, 2), false), // [MQTT-2.2.2-2]
        (V5, others(5, &[0], 0x10, 2), true),
        (V5, others(5, &[0], 0x10, 3), false),
        (V5, others(5, &[0], 0x11, 2), false),
    ] {
        let mut world = World::new();
        let client = world.open(protocol);
        world.send(client, &bytes);
        let answer = world.take(client);
        let expected: &[&str] = if accepted { &["CONNACK 0x00"] } else { &[] };
        assert_eq!(answer, expected, "{protocol:?} {bytes:x?}");
    }
}

/// A name that is not MQTT's is not answered: no format of an answer is known.
#[test]
fn unknown_protocol_names_are_not_answered() {
    for (name, level) in [("MQT", 4), ("MQTU", 4), ("", 5), ("MQTTT", 5)] {
        let mut world = World::new();
        let client = world.open(V3_1_1);
        let length = u8::try_from(name.len()).unwrap();
        let head = [0x10, length + 9, 0, length];
        world.send(client, &[&head[..], name.as_bytes(), &[level, 2, 0, 10, 0, 1, b'p']].concat());
        assert!(world.take(client).is_empty(), "{name}");
        assert_eq!(world.state(client), Directive::Closing, "{name}");
    }
}

/// Control characters and noncharacters, which mosquitto refuses as well ([MQTT-1.5.4] allows it).
#[test]
fn control_characters_in_texts_end_the_connection() {
    for bad in ["a\u{1}", "a\u{1f}b", "\u{7f}", "\u{9f}", "\u{ffff}"] {
        let mut property = PropertyBlock::default();
        property.push(PropertyId::UserProperty, Value::Pair("k", bad));
        for protocol in [V3_1, V3_1_1, V5] {
            let answer = |reason: &str| if protocol == V5 { vec![reason.to_owned()] } else { vec![] };
            let mut world = World::new();
            let (client, seen) = world.try_connect(&hello(protocol, bad));
            assert_eq!((seen, world.state(client)), (answer("CONNACK 0x85"), Directive::Closing), "{bad:?}");
            let connect = Connect { user_name: Some(bad), ..hello(protocol, "c") };
            let (client, seen) = world.try_connect(&connect);
            assert_eq!((seen, world.state(client)), (vec![], Directive::Closing), "{bad:?}");
            let connect = Connect { will: Some(will(bad, "x")), ..hello(protocol, "c") };
            let (client, seen) = world.try_connect(&connect);
            assert_eq!((seen, world.state(client)), (vec![], Directive::Closing), "{bad:?}");
            let client = world.connect(protocol, "c");
            world.publish(client, &message(bad, 0, 0, "x"));
            let seen = world.take(client);
            assert_eq!(
                (seen, world.state(client)),
                (answer("DISCONNECT 0x81"), Directive::Closing),
                "{bad:?}"
            );
            let client = world.connect(protocol, "c");
            let seen = world.subscribe(client, &[filter(bad, 0)]);
            assert_eq!(
                (seen, world.state(client)),
                (answer("DISCONNECT 0x81"), Directive::Closing),
                "{bad:?}"
            );
            let client = world.connect(protocol, "c");
            let seen = world.unsubscribe(client, &[bad]);
            assert_eq!(
                (seen, world.state(client)),
                (answer("DISCONNECT 0x81"), Directive::Closing),
                "{bad:?}"
            );
        }
        let mut world = World::new();
        let client = world.connect(V5, "c");
        world.publish(client, &Publish { properties: property.view(), ..message("t", 0, 0, "x") });
        assert_eq!(world.take(client), ["DISCONNECT 0x81"]);
    }
}
