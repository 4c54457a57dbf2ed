//! The values of `bench --disturb`: a time of the measurement, and the disturbance.

use super::sources::connection_variables;
use super::value;
use crate::command::bench::config::{Load, StopAfter};
use crate::command::bench::{ClientShare, Disturbance, Disturbances, Disturbing};
use crate::error::Error;
use crate::quantity::duration;
use crate::quotation::list;

const FORM: &str =
    "use TIME: COMMAND, TIME: drop SHARE%, TIME: flap SHARE% for DURATION or TIME: away SHARE% for DURATION";

/// The value of one `--disturb`.
pub(super) fn disturbance(text: &str) -> Result<Disturbance, String> {
    let (at, what) = text.split_once(':').ok_or(FORM)?;
    let (at, what) = (at.trim(), what.trim());
    let at = value::duration(at).map_err(|why| format!("the time '{at}': {why}"))?;
    let words: Vec<&str> = what.split_whitespace().collect();
    let time = |length: &str| value::positive_duration(length).map_err(|why| format!("'{length}': {why}"));
    let what = match words[..] {
        [] => return Err(FORM.into()),
        ["drop", part] => Disturbing::Drop(share(part, None)?),
        ["drop", part, "of", group] => Disturbing::Drop(share(part, Some(group))?),
        ["flap", part, "for", length] => Disturbing::Flap(share(part, None)?, time(length)?),
        ["flap", part, "of", group, "for", length] => {
            Disturbing::Flap(share(part, Some(group))?, time(length)?)
        }
        ["away", part, "for", length] => Disturbing::Away(share(part, None)?, time(length)?),
        ["away", part, "of", group, "for", length] => {
            Disturbing::Away(share(part, Some(group))?, time(length)?)
        }
        ["drop", ..] => return Err("drop takes a share of the clients: drop 20%".into()),
        ["flap", ..] => return Err("flap takes a share of the clients and a time: flap 5% for 60s".into()),
        ["away", ..] => return Err("away takes a share of the clients and a time: away 100% for 30s".into()),
        _ => Disturbing::Command(what.to_owned()),
    };
    Ok(Disturbance { at, what })
}

/// A share of the clients, or of those of a group.
fn share(text: &str, group: Option<&str>) -> Result<ClientShare, String> {
    let percent = text.strip_suffix('%').and_then(|number| number.parse::<f64>().ok());
    let percent = percent.ok_or_else(|| format!("'{text}' is not a share; use for example 20%"))?;
    if percent > 0.0 && percent <= 100.0 {
        Ok(ClientShare { part: percent / 100.0, group: group.map(str::to_owned) })
    } else {
        Err(format!("'{text}': a share is more than 0% and at most 100%"))
    }
}

/// All disturbances of a load, in order.
pub(super) fn disturbances(mut all: Vec<Disturbance>) -> Disturbances {
    all.sort_by_key(|disturbance| disturbance.at);
    let foreign_variables = if all.is_empty() { Vec::new() } else { connection_variables() };
    Disturbances { all, foreign_variables }
}

/// Checks that a load supports its disturbances.
pub(super) fn check(load: &Load) -> Result<(), Error> {
    for Disturbance { at, what } in &load.disturbances.all {
        if !matches!(what, Disturbing::Command(_)) && !load.reconnects() {
            let why = format!("--disturb '{what}' needs clients that reconnect");
            return Err(Error::usage(why).with_hint("--reconnect always"));
        }
        if let Some(name) = what.share().and_then(|share| share.group.as_ref()) {
            let groups = load.groups();
            let names: Vec<&str> = groups.iter().map(|group| group.name.as_str()).collect();
            if !names.contains(&name.as_str()) {
                let why =
                    format!("--disturb '{what}': unknown group '{name}'; the groups are {}", list(&names));
                return Err(Error::usage(why));
            }
        }
        if let StopAfter::After(length) = load.stop
            && *at >= length
        {
            let [at, length] = [*at, length].map(duration);
            let why = format!("--disturb at {at}: the measurement ends after {length}");
            return Err(Error::usage(why));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn disturbances_are_read() {
        let second = Duration::from_secs(1);
        for (text, at, what) in [
            ("30s: drop 20%", 30 * second, Disturbing::Drop(0.2.into())),
            ("1.5:drop 100%", second * 3 / 2, Disturbing::Drop(1.0.into())),
            (" 2m : flap 0.5% for 1m ", 120 * second, Disturbing::Flap(0.005.into(), 60 * second)),
            (
                "1s: drop 50% of devices",
                second,
                Disturbing::Drop(ClientShare { part: 0.5, group: Some("devices".into()) }),
            ),
            ("1s: away 50% for 3s", second, Disturbing::Away(0.5.into(), 3 * second)),
            ("0: docker restart a:b", Duration::ZERO, Disturbing::Command("docker restart a:b".into())),
            ("3: ./drop 20%", 3 * second, Disturbing::Command("./drop 20%".into())),
            ("3: dropped 1", 3 * second, Disturbing::Command("dropped 1".into())),
        ] {
            assert_eq!(disturbance(text), Ok(Disturbance { at, what }), "{text}");
        }
    }

    #[test]
    fn errors_of_disturbances_name_the_fault() {
        for (text, words) in [
            ("restart", "TIME: COMMAND"),
            ("3s:", "TIME: COMMAND"),
            ("soon: restart", "the time 'soon': use seconds or units"),
            ("-1: restart", "the time '-1': it cannot be negative"),
            ("3s: drop", "drop takes a share of the clients: drop 20%"),
            ("3s: drop 20", "'20' is not a share; use for example 20%"),
            ("3s: drop 0%", "more than 0% and at most 100%"),
            ("3s: drop 101%", "more than 0% and at most 100%"),
            ("3s: drop 5% now", "drop takes a share"),
            ("3s: away 5%", "away takes a share of the clients and a time: away 100% for 30s"),
            ("3s: flap 5%", "flap takes a share of the clients and a time: flap 5% for 60s"),
            ("3s: flap 5% for ever", "'ever': use seconds or units"),
            ("3s: flap 5% for 0s", "'0s': it must be longer than 0"),
            ("3s: flap NaN% for 1s", "more than 0%"),
        ] {
            let error = disturbance(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
