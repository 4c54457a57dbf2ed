//! A digest of the settings that must be the same in all shards of a run.

use serde_json::Value;

use super::super::config::{Configuration, Load};
use super::super::stamp;
use crate::output;

/// Settings that may differ between shards, because they depend on the machine.
pub(super) const OF_ONE_SHARD: [&str; 4] = ["broker", "embedded", "threads", "local_addresses"];

/// A digest of the settings that all shards have in common.
pub(in crate::command::bench) fn digest(load: &Load, configuration: &Configuration) -> String {
    let mut groups = load.groups();
    for group in &mut groups {
        group.local_addresses.clear();
    }
    let text = format!("{} {} {groups:?}", output::VERSION, common(configuration));
    format!("{:016x}", stamp::hash(text.as_bytes()))
}

/// The settings that all shards have in common.
pub(super) fn common(configuration: &Configuration) -> Value {
    // A struct of numbers and texts always becomes an object.
    let mut value = serde_json::to_value(configuration).unwrap_or_default();
    if let Some(settings) = value.as_object_mut() {
        for name in OF_ONE_SHARD {
            settings.remove(name);
        }
    }
    value
}
