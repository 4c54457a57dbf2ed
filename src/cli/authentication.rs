//! Enhanced authentication (MQTT 5): SCRAM with user name and password, or the data of another method, sent
//! unchanged.

use std::time::Duration;

use super::connection::given_twice;
use super::headings::CREDENTIALS;
use super::property_flags::binary;
use super::sources::{Origin, Rank};
use super::text::{self, shown};
use super::value;
use crate::client::authentication::{Authentication, Method, ScramMechanism, prepare};
use crate::client::options::Secret;
use crate::error::Error;

/// The options of enhanced authentication.
#[derive(Debug, Clone, clap::Args)]
#[group(id = "host::authentication")]
#[command(next_help_heading = CREDENTIALS)]
pub(super) struct AuthenticationArgs {
    /// Authentication method (MQTT 5): SCRAM-SHA-1, SCRAM-SHA-256 or SCRAM-SHA-512 with -u and a
    /// password, which is never sent; or any other with --auth-data
    #[arg(long, env = "MQTT_AUTH_METHOD", value_name = "METHOD")]
    auth_method: Option<String>,

    /// Authentication data (MQTT 5): text, or bytes as hex:… or base64:…; may be repeated: each further one
    /// answers one AUTH of the broker
    #[arg(long, env = "MQTT_AUTH_DATA", value_name = "DATA", value_parser = value::secret())]
    auth_data: Vec<Secret>,

    /// Re-authenticate at this interval, on the same connection (MQTT 5)
    #[arg(long, env = "MQTT_REAUTHENTICATE", value_name = "DURATION", value_parser = value::positive_duration)]
    reauthenticate: Option<Duration>,
}

impl AuthenticationArgs {
    /// The first option that needs MQTT 5. The other options need a method.
    pub(super) fn needs_v5(&self) -> Option<&'static str> {
        self.auth_method.as_ref().map(|_| "--auth-method")
    }

    /// Removes options of lower rank than this: a version of MQTT that does not support them was requested.
    pub(super) fn leave_out_below(&mut self, rank: Rank, origin: &Origin) -> Vec<&'static str> {
        let ids = ["auth_method", "auth_data", "reauthenticate"];
        let below: Vec<_> = ids.into_iter().filter(|id| origin.rank(id) < rank).collect();
        self.auth_method = self.auth_method.take().filter(|_| !below.contains(&"auth_method"));
        self.auth_data.retain(|_| !below.contains(&"auth_data"));
        self.reauthenticate = self.reauthenticate.filter(|_| !below.contains(&"reauthenticate"));
        below
    }

    /// The options without effect if `-D connect` gives no method either.
    pub(super) fn unused(origin: &Origin, in_property: bool) -> Vec<&'static str> {
        let has_method = in_property || origin.rank("auth_method") > Rank::Default;
        if has_method { Vec::new() } else { vec!["auth_data", "reauthenticate"] }
    }

    /// The authentication of the connection. `property` has the method and the data of `-D connect`. SCRAM
    /// gets its password by [`with_password`].
    pub(super) fn resolve(
        self,
        origin: &Origin,
        (method_property, data_property): (Option<String>, Option<Vec<u8>>),
        user_name: Option<&str>,
        has_password: bool,
    ) -> Result<Option<Authentication>, Error> {
        let is_typed = |id| origin.rank(id) == Rank::Flag;
        let name = match (self.auth_method, method_property) {
            (Some(_), Some(_)) if is_typed("auth_method") => {
                return Err(given_twice("--auth-method", "authentication-method"));
            }
            (_, Some(property)) => Some(property),
            (option, None) => option,
        };
        let Some(name) = name else {
            let mut stray =
                [("auth_data", "--auth-data"), ("reauthenticate", "--reauthenticate")].into_iter();
            return match stray.find(|(id, _)| is_typed(id)) {
                None => Ok(None),
                Some((id, name)) => Err(Error::usage(format!("{name} needs --auth-method")).about([id])),
            };
        };
        let mut data = Vec::new();
        match data_property {
            Some(_) if !self.auth_data.is_empty() && is_typed("auth_data") => {
                return Err(given_twice("--auth-data", "authentication-data"));
            }
            Some(property) => data.push(Secret(property)),
            None => {
                for typed in &self.auth_data {
                    let wrong = |why| Error::usage(format!("--auth-data: {why}")).about(["auth_data"]);
                    let bytes = binary(&typed.0).map_err(wrong)?;
                    data.push(Secret(bytes));
                }
            }
        }
        let name = text::string("authentication method", name)?;
        let method = match ScramMechanism::from_name(&name) {
            Some(mechanism) if data.is_empty() => scram(mechanism, user_name, has_password)?,
            None if data.is_empty() && name.to_ascii_uppercase().starts_with("SCRAM-") => {
                let name = shown(name.as_ref());
                return Err(Error::usage(format!("--auth-method '{name}': unknown SCRAM mechanism"))
                    .about(["auth_method"])
                    .with_hint(
                        "use SCRAM-SHA-1, SCRAM-SHA-256 or SCRAM-SHA-512, or give the data with --auth-data",
                    ));
            }
            _ => Method::Data { name, data },
        };
        Ok(Some(Authentication { method, every: self.reauthenticate }))
    }
}

fn scram(mechanism: ScramMechanism, user_name: Option<&str>, has_password: bool) -> Result<Method, Error> {
    let name = mechanism.name();
    let (Some(user_name), true) = (user_name, has_password) else {
        let needed = "needs a user name (-u) and a password (-P and others)";
        return Err(Error::usage(format!("--auth-method {name} {needed}")).about(["auth_method"]));
    };
    let wrong = |why| Error::usage(format!("user name for {name}: {why}")).about(["username", "auth_method"]);
    let user_name = prepare(user_name).map_err(wrong)?;
    Ok(Method::Scram { mechanism, user_name, password: Secret(Vec::new()) })
}

/// Passes the password to SCRAM, which does not send it; otherwise returns it.
pub(super) fn with_password(
    authentication: &mut Option<Authentication>,
    given: Option<Secret>,
) -> Result<Option<Secret>, Error> {
    let Some(Authentication { method: Method::Scram { mechanism, password, .. }, .. }) = authentication
    else {
        return Ok(given);
    };
    let Secret(bytes) = given.unwrap_or(Secret(Vec::new()));
    let wrong = |why: String| Error::usage(format!("password for {}: {why}", mechanism.name()));
    let text = String::from_utf8(bytes).map_err(|_| wrong("it is not UTF-8".into()))?;
    *password = Secret(prepare(&text).map_err(wrong)?.into_bytes());
    Ok(None)
}
