//! The built-in scenarios, which are files of the source.

/// A built-in scenario.
pub(in crate::cli) struct BuiltIn {
    pub(in crate::cli) name: &'static str,
    pub(in crate::cli) text: &'static str,
}

macro_rules! built_in {
    ($($name:literal),* $(,)?) => {
        &[$(BuiltIn { name: $name, text: include_str!(concat!("built_in/", $name, ".toml")) }),*]
    };
}

/// All built-in scenarios.
pub(in crate::cli) static BUILT_IN: &[BuiltIn] = built_in![
    "omb-conn-10k",
    "omb-conn-1m",
    "omb-fanout-1-1k",
    "omb-fanout-5-1k-250k",
    "omb-p2p-1k",
    "omb-p2p-50k",
    "omb-sharedsub-1k-5",
    "omb-sharedsub-50k-500",
    "fanin-2k-100",
    "fanout-10-2k",
    "wildcard-100-3k",
    "p2p-200k-persistent",
    "offline-queue",
];

impl BuiltIn {
    /// The built-in scenario with this name.
    pub(in crate::cli) fn named(name: &str) -> Option<&'static Self> {
        BUILT_IN.iter().find(|one| one.name == name)
    }
}
