//! The values of `mqtt broker --fault`. One table describes the notation of each fault, its effect and its
//! parsing; help and manual page are made from it.

use std::fmt::Write as _;

use crate::broker::{Cut, Faults, Interval, RefusedTopics, Share, Withheld};
use crate::cli::value;
use crate::protocol::reason::ReasonCode;
use crate::protocol::topic;
use crate::protocol::wire::PacketType;

/// Adds a fault with these words after its name.
type Read = fn(&[&str], &mut Faults) -> Result<(), String>;

/// A fault.
struct FaultRow {
    name: &'static str,
    /// The notation after the name.
    form: &'static str,
    meaning: &'static str,
    pub(super) example: &'static str,
    read: Read,
}

const FAULTS: &[FaultRow] = &[
    FaultRow {
        name: "drop-connection",
        form: "every N",
        meaning: "close a connection at its Nth packet, which is handled and not answered",
        example: "drop-connection every 1000",
        read: drop_connection,
    },
    FaultRow {
        name: "delay",
        form: "TIME",
        meaning: "send everything that much later",
        example: "delay 200ms",
        read: delay,
    },
    FaultRow {
        name: "refuse",
        form: "CODE [SHARE%] [first N]",
        meaning: "refuse CONNECT with this Reason Code, all, a share or the first",
        example: "refuse 0x97 first 3",
        read: refuse,
    },
    FaultRow {
        name: "no-puback",
        form: "[SHARE%]",
        meaning: "do not send PUBACK; so, too, no-connack, no-pubrec, no-pubrel, no-pubcomp, no-suback, no-unsuback, \
                  no-pingresp",
        example: "no-puback 1%",
        read: |words, faults| withhold(PacketType::PubAck, words, faults),
    },
    FaultRow {
        name: "duplicate",
        form: "[SHARE%]",
        meaning: "send a message to a client twice, at QoS 1 and 2 with DUP and the same packet identifier",
        example: "duplicate 1%",
        read: |words, faults| set(&mut faults.duplicate, share_or_all(words)?),
    },
    FaultRow {
        name: "reorder",
        form: "[SHARE%]",
        meaning: "send a message to a client after the next one, or 100 ms later",
        example: "reorder 10%",
        read: |words, faults| set(&mut faults.reorder, share_or_all(words)?),
    },
    FaultRow {
        name: "stall",
        form: "TIME every TIME",
        meaning: "read, write and accept nothing for a time, again and again",
        example: "stall 5s every 60s",
        read: |words, faults| set(&mut faults.stall, interval(words)?),
    },
    FaultRow {
        name: "down",
        form: "TIME every TIME",
        meaning: "close listeners and connections for a time, again and again; sessions and retained messages stay",
        example: "down 5s every 60s",
        read: |words, faults| set(&mut faults.down, interval(words)?),
    },
    FaultRow {
        name: "split-writes",
        form: "",
        meaning: "write every byte by itself, a millisecond apart",
        example: "split-writes",
        read: split_writes,
    },
    FaultRow {
        name: "reason-code",
        form: "PACKET CODE [TOPIC] [SHARE%]",
        meaning: "answer PUBLISH or SUBSCRIBE with this Reason Code, for topics that match, or this very filter",
        example: "reason-code PUBLISH 0x87 'secret/#'",
        read: reason_code,
    },
];

/// The packets that `no-PACKET` withholds.
const WITHHELD: [(&str, PacketType); 8] = [
    ("no-connack", PacketType::ConnAck),
    ("no-puback", PacketType::PubAck),
    ("no-pubrec", PacketType::PubRec),
    ("no-pubrel", PacketType::PubRel),
    ("no-pubcomp", PacketType::PubComp),
    ("no-suback", PacketType::SubAck),
    ("no-unsuback", PacketType::UnsubAck),
    ("no-pingresp", PacketType::PingResp),
];

/// A valid fault.
#[derive(Debug, Clone)]
pub(super) struct FaultText(String);

impl std::str::FromStr for FaultText {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        add(text, &mut Faults::default())?;
        Ok(Self(text.to_owned()))
    }
}

/// Combines all faults.
pub(super) fn faults(texts: &[FaultText]) -> Result<Faults, String> {
    let mut faults = Faults::default();
    for FaultText(text) in texts {
        add(text, &mut faults).map_err(|why| format!("'{text}': {why}"))?;
    }
    Ok(faults)
}

/// The table as text for help.
pub(super) fn help() -> String {
    let mut text = String::from(
        "Misbehave, for tests of clients (repeatable). A share is drawn for each packet, from --seed. The faults \
         are:\n",
    );
    for FaultRow { name, form, meaning, example, .. } in FAULTS {
        let form = if form.is_empty() { String::new() } else { format!(" {form}") };
        // Writing to a String cannot fail.
        let _ = write!(text, "\n{name}{form}: {meaning}. Example: --fault {}\n", quoted(example));
    }
    text
}

fn quoted(example: &str) -> String {
    if example.contains('\'') { format!("\"{example}\"") } else { format!("'{example}'") }
}

fn add(text: &str, faults: &mut Faults) -> Result<(), String> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let Some((name, rest)) = words.split_first() else { return Err(unknown("")) };
    if let Some((_, packet)) = WITHHELD.iter().find(|(word, _)| word == name) {
        return withhold(*packet, rest, faults);
    }
    let row = FAULTS.iter().find(|row| row.name == *name).ok_or_else(|| unknown(name))?;
    (row.read)(rest, faults).map_err(|why| {
        if why.is_empty() {
            format!("use {} {}, for example {}", row.name, row.form, quoted(row.example))
        } else {
            why
        }
    })
}

fn unknown(name: &str) -> String {
    let names: Vec<&str> = FAULTS.iter().map(|row| row.name).collect();
    let what = if name.is_empty() { "it is empty".to_owned() } else { "unknown fault".to_owned() };
    format!("{what}; the faults are {}", names.join(", "))
}

/// An error; the caller names the row's notation.
fn form<T>() -> Result<T, String> {
    Err(String::new())
}

/// Sets a fault, which may be given once.
fn set<T>(place: &mut Option<T>, value: T) -> Result<(), String> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err("this fault is given twice".into()),
    }
}

fn drop_connection(words: &[&str], faults: &mut Faults) -> Result<(), String> {
    let ["every", number] = words else { return form() };
    let Ok(after_packets @ 2..) = number.parse() else {
        return Err("the number of packets has to be 2 or more, as CONNECT is the first".into());
    };
    set(&mut faults.cut, Cut { after_packets, answer_last: false, connections: u32::MAX })
}

fn delay(words: &[&str], faults: &mut Faults) -> Result<(), String> {
    let [time] = words else { return form() };
    set(&mut faults.delay, value::positive_duration(time)?)
}

fn refuse(words: &[&str], faults: &mut Faults) -> Result<(), String> {
    let [code, rest @ ..] = words else { return form() };
    let (share, rest) = match rest {
        [share, rest @ ..] if share.ends_with('%') => (Some(self::share(share)?), rest),
        rest => (None, rest),
    };
    let times = match rest {
        [] => None,
        ["first", number] => Some(value::clients(number)?),
        _ => return form(),
    };
    set(&mut faults.refuse_connect, code_of(code)?)?;
    (faults.refuse_connect_share, faults.refuse_connect_times) = (share, times);
    Ok(())
}

fn withhold(packet: PacketType, words: &[&str], faults: &mut Faults) -> Result<(), String> {
    let share = share_or_all(words)?;
    faults.withhold.push(Withheld { packet, share });
    Ok(())
}

fn split_writes(words: &[&str], faults: &mut Faults) -> Result<(), String> {
    if !words.is_empty() {
        return form();
    }
    faults.single_byte_writes = true;
    Ok(())
}

fn reason_code(words: &[&str], faults: &mut Faults) -> Result<(), String> {
    let [packet, code, rest @ ..] = words else { return form() };
    let (rest, share) = match rest {
        [rest @ .., last] if last.ends_with('%') => (rest, share(last)?),
        rest => (rest, Share::ALL),
    };
    let topic_filter = match rest {
        [] => "#",
        [filter] => filter.trim_matches('\''),
        _ => return form(),
    };
    topic::check_filter(topic_filter.as_bytes()).map_err(|error| format!("the topic filter: {error}"))?;
    let refused = RefusedTopics { topic_filter: topic_filter.to_owned(), reason_code: code_of(code)?, share };
    match packet.to_ascii_uppercase().as_str() {
        "PUBLISH" => faults.refuse_publish.push(refused),
        "SUBSCRIBE" => faults.refuse_subscribe.push(refused),
        "CONNECT" => return Err("for CONNECT there is refuse CODE".into()),
        _ => return Err("the packet has to be PUBLISH or SUBSCRIBE".into()),
    }
    Ok(())
}

/// Parses a failing Reason Code.
fn code_of(text: &str) -> Result<ReasonCode, String> {
    let code = match text.strip_prefix("0x") {
        Some(digits) => u8::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    };
    match code {
        Some(code @ 0x80..) => Ok(ReasonCode(code)),
        _ => Err(format!("'{text}': a Reason Code that refuses is 0x80 to 0xFF")),
    }
}

fn share_or_all(words: &[&str]) -> Result<Share, String> {
    match words {
        [] => Ok(Share::ALL),
        [text] => share(text),
        _ => form(),
    }
}

fn share(text: &str) -> Result<Share, String> {
    let percent = text.strip_suffix('%').and_then(|number| number.parse::<f64>().ok());
    match percent {
        Some(percent @ 0.0001..=100.0) => {
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "1 to 1,000,000")]
            let millionths = (percent * 1e4).round() as u32;
            Ok(Share(millionths))
        }
        _ => Err(format!("'{text}': a share is 0.0001% to 100%")),
    }
}

fn interval(words: &[&str]) -> Result<Interval, String> {
    let [length, "every", every] = words else { return form() };
    let (length, every) = (value::positive_duration(length)?, value::positive_duration(every)?);
    if length >= every {
        return Err("it has to be shorter than the time from one to the next".into());
    }
    Ok(Interval { length, every })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn one(text: &str) -> Faults {
        faults(&[text.parse().unwrap()]).unwrap()
    }

    #[test]
    fn every_example_is_a_fault() {
        for row in FAULTS {
            assert_ne!(one(row.example), Faults::default(), "{}", row.example);
            assert!(row.example.starts_with(row.name) && help().contains(row.example));
        }
    }

    #[test]
    fn words_of_faults_are_read() {
        let second = Duration::from_secs(1);
        assert_eq!(one("stall 5s every 60").stall, Some(Interval { length: 5 * second, every: 60 * second }));
        assert_eq!(
            one("no-pingresp 0.5%").withhold,
            [Withheld { packet: PacketType::PingResp, share: Share(5000) }]
        );
        let refuse = one("refuse 151 50% first 2");
        assert_eq!(refuse.refuse_connect, Some(ReasonCode(0x97)));
        assert_eq!(
            (refuse.refuse_connect_share, refuse.refuse_connect_times),
            (Some(Share(500_000)), Some(2))
        );
        let secret = &one("reason-code publish 0x87 a/# 1%").refuse_publish[0];
        assert_eq!((secret.topic_filter.as_str(), secret.share), ("a/#", Share(10_000)));
    }

    #[test]
    fn wrong_faults_are_explained() {
        for (text, why) in [
            ("", "the faults are drop-connection, delay"),
            ("explode", "unknown fault; the faults are"),
            ("drop-connection", "use drop-connection every N, for example 'drop-connection every 1000'"),
            ("drop-connection every 1", "2 or more"),
            ("delay", "use delay TIME"),
            ("delay soon", "use seconds or units"),
            ("refuse 0x00", "0x80 to 0xFF"),
            ("refuse 0x97 often", "use refuse CODE"),
            ("no-puback 101%", "a share is"),
            ("no-puback nan%", "a share is"),
            ("stall 5s", "use stall TIME every TIME"),
            ("down 60s every 60s", "shorter"),
            ("split-writes 3", "use split-writes"),
            ("reason-code CONNECT 0x87", "refuse CODE"),
            ("reason-code PINGREQ 0x87", "PUBLISH or SUBSCRIBE"),
            ("reason-code PUBLISH 0x87 a/#/b", "the topic filter"),
        ] {
            let error = text.parse::<FaultText>().unwrap_err();
            assert!(error.contains(why), "{text}: {error}");
        }
        let twice = ["delay 1s", "delay 2s"].map(|text| text.parse().unwrap());
        assert_eq!(faults(&twice).unwrap_err(), "'delay 2s': this fault is given twice");
    }
}
