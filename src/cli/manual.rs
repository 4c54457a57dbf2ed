//! The parts of a subcommand's manual page besides its options: examples and known limits. The commands of
//! the examples are also the end of its `--help`.

/// The identifiers of the connection's common options, after those of each subcommand.
const COMMON: &[&str] = &["host", "port", "url", "username", "password"];

/// Examples and known limits of a subcommand.
#[derive(Debug)]
pub struct Manual {
    /// The identifiers of the subcommand's own common options. `--help` shows them and those of [`COMMON`]
    /// that the subcommand has. Empty: all options.
    pub common: &'static [&'static str],
    /// The description and the command of each example.
    pub examples: &'static [(&'static str, &'static str)],
    /// Known limits, one paragraph each.
    pub bugs: &'static [&'static str],
}

impl Manual {
    /// Whether `--help` shows the option.
    #[must_use]
    pub fn is_common(&self, id: &str) -> bool {
        self.common.is_empty() || self.common.contains(&id) || COMMON.contains(&id)
    }

    /// The end of `--help`: only some commands, so that the help stays short.
    #[must_use]
    pub fn examples_in_help(&self) -> String {
        const MOST: usize = 3;
        const COLUMNS: usize = 80;
        let commands = self
            .examples
            .iter()
            .map(|(_, command)| format!("\n  {command}"))
            .filter(|line| line.len() <= COLUMNS)
            .take(MOST);
        let lines: Vec<String> = commands.collect();
        format!("Examples:{}", lines.concat())
    }
}

/// The program's own page. Its limits apply to every subcommand that connects.
pub(super) static PROGRAM: Manual = Manual {
    common: &[],
    examples: &[
        ("Publish a message", "mqtt pub -h broker.example -t home/kitchen/temperature -m 23.4"),
        ("Write out every message below home, with its topic", "mqtt sub -h broker.example -t 'home/#' -v"),
        #[cfg(feature = "broker")]
        (
            "Start a broker on a free port, run a command that finds it, and stop the broker",
            "mqtt broker -p 0 -- sh -c 'mqtt pub -r -t a -m 1; mqtt sub -t a -C 1'",
        ),
    ],
    bugs: &[
        "Only Unix systems are supported. The program is tested on Linux.",
        "TLS is 1.2 or 1.3, without pre-shared keys and OpenSSL engines. It is not available over Unix sockets. \
         A common name is never taken for the broker's name.",
        "With -S the certificate is checked against the host name that DNS returned. Without DNSSEC an attacker \
         who answers DNS queries chooses that name; --tls-server-name prevents that.",
        "A password after -P is hidden from ps by starting the program again. It stays in the program's \
         environment, where its owner and root can read it. Use --password-file.",
        "SCRAM works without channel binding, and does at most two million iterations.",
        "A packet that arrives at less than 1 KiB in half a Keep Alive interval is taken for a silent connection.",
    ],
};
