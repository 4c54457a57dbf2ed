//! What the tests stand on: the program as a child process, servers that follow a script, and two
//! real brokers. Nothing here waits without a limit, and nothing waits by sleeping.

pub(crate) mod broker;
pub(crate) mod collected;
pub(crate) mod mosquitto;
pub(crate) mod mqtt;
pub(crate) mod packets;
pub(crate) mod pki;
pub(crate) mod server;

use std::time::Duration;

use ::mqtt::protocol::Protocol;

/// The longest any one thing may take before the test is given up. Generous: a loaded machine is no
/// reason to fail, and only a test that hangs ever waits so long.
pub(crate) const LIMIT: Duration = Duration::from_secs(120);

/// The value of `-V` that asks for this version.
pub(crate) fn version(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::V3_1 => "31",
        Protocol::V3_1_1 => "311",
        Protocol::V5 => "5",
    }
}

/// A test for each version of the protocol: `for_versions! { fn name(protocol) { … } }` runs for
/// 3.1.1 and 5, with `all` in front for 3.1 too.
macro_rules! for_versions {
    ($(#[doc = $doc:literal])* fn $name:ident($protocol:ident) $body:block) => {
        $(#[doc = $doc])*
        mod $name {
            use super::*;
            use ::mqtt::protocol::Protocol;

            fn case($protocol: Protocol) $body

            #[test]
            fn v3_1_1() {
                case(Protocol::V3_1_1);
            }

            #[test]
            fn v5() {
                case(Protocol::V5);
            }
        }
    };
    ($(#[doc = $doc:literal])* all fn $name:ident($protocol:ident) $body:block) => {
        $(#[doc = $doc])*
        mod $name {
            use super::*;
            use ::mqtt::protocol::Protocol;

            fn case($protocol: Protocol) $body

            #[test]
            fn v3_1() {
                case(Protocol::V3_1);
            }

            #[test]
            fn v3_1_1() {
                case(Protocol::V3_1_1);
            }

            #[test]
            fn v5() {
                case(Protocol::V5);
            }
        }
    };
}
pub(crate) use for_versions;
