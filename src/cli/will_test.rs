//! `mqtt will-test`.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{ArgMatches, ValueHint};

use super::connection::{ConnectionArgs, Purpose};
use super::manual::Manual;
use super::needs::Needs;
use super::property::{PropertyArgs, WithWill};
use super::subcommand::Subcommand;
use super::verbosity::VerbosityArgs;
use super::will::WillArgs;
use super::{credentials, text, value};
use crate::client::options::{Secret, Version};
use crate::command::unmade::Reporter;
use crate::command::will_test::{self, Config};
use crate::error::Error;
use crate::file::names_stdout;
use crate::protocol::Protocol;
use crate::quantity::agree;

/// Test that the broker publishes wills when it must, and only then
///
/// Runs cases, each with a client that disconnects in a certain way and another that watches, and gives a
/// verdict on each. With --will-topic it tests that one will instead, as the user and with the client
/// identifier given. The exit status is 0 if no case failed, 3 if one did, and 1 if one could not be decided,
/// or was not run because the reader of standard output went away. With --junit the run goes on without that
/// reader.
#[derive(Debug, Clone, clap::Args)]
#[command(next_help_heading = "Cases")]
#[allow(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
#[allow(clippy::doc_markdown, reason = "help texts are no Markdown")]
pub(super) struct WillTestArgs {
    /// Only this case; may be repeated
    #[arg(long = "case", value_name = "NAME", value_parser = PossibleValuesParser::new(will_test::names()),
          hide_possible_values = true)]
    cases: Vec<String>,

    /// Also run the cases that widely used brokers fail because they deviate from the standard
    #[arg(long)]
    strict: bool,

    /// List the cases, and run none
    #[arg(long)]
    list: bool,

    /// Run each case with MQTT 3.1.1 and with MQTT 5
    #[arg(long)]
    version_matrix: bool,

    /// Run all cases at once
    #[arg(long)]
    parallel: bool,

    /// How late a will may be
    #[arg(long, value_name = "DURATION", default_value = "2", value_parser = value::positive_duration)]
    tolerance: Duration,

    /// Prefix of the topics of all cases
    #[arg(long, value_name = "TOPIC", default_value = "mqtt-will-test")]
    prefix: OsString,

    /// User name of the client that watches [default: as -u]
    ///
    /// --password-prompt asks for its password as well.
    #[arg(long, value_name = "NAME")]
    watch_as: Option<String>,

    /// Password of the client that watches
    #[arg(long, value_name = "PASSWORD", value_parser = value::secret())]
    watch_password: Option<Secret>,

    /// Write a report with every verdict, as one JSON object instead of text
    #[arg(long, help_heading = "Output")]
    json: bool,

    /// Write a report to this file in JUnit format
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath, help_heading = "Output")]
    junit: Option<PathBuf>,

    #[command(flatten)]
    will: WillArgs,

    #[command(flatten)]
    properties: PropertyArgs<WithWill>,

    #[command(flatten)]
    pub(super) connection: ConnectionArgs,

    #[command(flatten)]
    report: VerbosityArgs,
}

/// The most bytes of a topic after its prefix.
const MOST_TOPIC_BYTES_BESIDE_PREFIX: usize = 1000;

impl Subcommand for WillTestArgs {
    type Config = Config;

    const REPORTER: Option<Reporter> = Some(Reporter::WillTest);

    const MANUAL: &'static Manual = &Manual {
        common: &["cases", "list", "strict", "version_matrix", "json", "junit"],
        examples: &[
            ("List the cases", "mqtt will-test --list"),
            (
                "Run all cases in all protocol versions, at the same time",
                "mqtt will-test -h broker.example --version-matrix --parallel",
            ),
            ("Run two cases over MQTT 5", "mqtt will-test --case take-over --case delay -V 5"),
            (
                "Test whether another user receives the will of user pump-7",
                "mqtt will-test -u pump-7 --will-topic site/7/state --will-payload lost --watch-as operator",
            ),
        ],
        bugs: &[
            "Verdicts depend on time. A case is inconclusive if this machine was too busy to time the will.",
            "The cases second-connect, delay-no-session and delay-clean-start run only with --strict, because \
             mosquitto 2.0 departs from the standard in them. The case black-hole needs Linux.",
            "--will-topic with -i takes over the session of the client that has this identifier.",
            "Access rules drop a will without a message: the test cannot tell a missing right from a broker that \
             publishes no wills.",
        ],
    };

    fn connection_mut(&mut self) -> Option<&mut ConnectionArgs> {
        Some(&mut self.connection)
    }

    fn needs(typed: &ArgMatches) -> Needs {
        if typed.get_flag("list") {
            Needs::NOTHING
        } else if typed.contains_id("will_topic") {
            // A will of the user's own has the session that the options ask for.
            Needs::OWN_LINKS
        } else {
            Needs::OWN_SESSIONS_AND_LINKS
        }
    }
}

impl TryFrom<WillTestArgs> for Config {
    type Error = Error;

    fn try_from(args: WillTestArgs) -> Result<Self, Error> {
        let prefix = text::topic_name("prefix", &args.prefix)?;
        if prefix.len() + MOST_TOPIC_BYTES_BESIDE_PREFIX > usize::from(u16::MAX) {
            return Err(Error::usage("the prefix leaves no room for topics"));
        }
        if args.watch_password.is_some() && args.watch_as.is_none() {
            return Err(Error::usage("--watch-password needs --watch-as"));
        }
        let watch_as = args.watch_as.map(|name| text::string("user name of --watch-as", name)).transpose()?;
        if args.junit.as_deref().is_some_and(names_stdout) {
            return Err(Error::usage("--junit needs a file: standard output has the report"));
        }
        let properties = args.properties.resolve()?;
        let asks = args.connection.asks_for_password();
        let client = args.connection.resolve(Purpose {
            will: args.will.resolve(properties.will, properties.will_asked_by)?,
            properties: properties.connect,
            disconnect_properties: properties.disconnect,
            needs_v5: args.properties.needs_v5(),
            uses_properties: true,
            ..Purpose::default()
        })?;
        let own = client.will.is_some();
        if own && !args.cases.is_empty() {
            return Err(Error::usage(
                "--case and --will-topic cannot be used together: --will-topic is a case of its own",
            ));
        }
        if !client.clean_start {
            return Err(Error::usage("will-test ends every session it makes: -c cannot be used"));
        }
        if args.version_matrix && client.version != Version::Auto {
            return Err(Error::usage(
                "--version-matrix tests both versions: leave out -V and options of MQTT 5",
            ));
        }
        if let Version::Only(protocol @ (Protocol::V3_1 | Protocol::V3_1_1)) = client.version
            && !args.cases.is_empty()
            && args.cases.iter().all(|name| will_test::needs_v5(name))
        {
            let names = args.cases.join(", ");
            let verb = agree(args.cases.len() as u64, "needs", "need");
            return Err(Error::usage(format!("{names} {verb} MQTT 5: no case is left for MQTT {protocol}")));
        }
        if !own && client.session_expiry_interval.is_some() {
            return Err(Error::usage("-x is for a will of your own; the cases have sessions of their own"));
        }
        let watch_as = match (watch_as, args.watch_password) {
            (Some(name), None) if asks && !args.list => {
                let password = credentials::ask(&format!(" for '{name}' (--watch-as)"))?;
                Some((name, Some(password)))
            }
            (Some(name), password) => Some((name, password)),
            (None, _) => None,
        };
        Ok(Self {
            client,
            watch_as,
            cases: args.cases,
            strict: args.strict,
            list: args.list,
            version_matrix: args.version_matrix,
            parallel: args.parallel,
            tolerance: args.tolerance,
            prefix,
            json: args.json,
            junit: args.junit,
            verbosity: args.report.resolve()?,
        })
    }
}
