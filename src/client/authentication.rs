//! Enhanced authentication ([MQTT-4.12]): SCRAM, or a method whose data the user supplies. No I/O: the
//! broker's data goes in, the response comes out.
//!
//! SCRAM comes from `rsasl`. Of the crates with SCRAM-SHA-1, -256 and -512 it is the one that tests both
//! sides of the exchange against each other and has the fewest further dependencies (`scram` has SHA-256
//! only, `sasl` has no SHA-512, `scram-rs` adds a C interface and further hashes). Two parts are left to its
//! callers and done here: `SASLprep`, and a limit on the iteration count, without which a broker could keep a
//! client busy for hours.

use std::sync::Arc;
use std::time::Duration;

use rsasl::callback::{Context, Request, SessionCallback, SessionData};
use rsasl::config::SASLConfig;
use rsasl::mechname::Mechname;
use rsasl::prelude::{SASLClient, Session, SessionError, State};
use rsasl::property::{AuthId, Password};
use rsasl::validate::NoValidation;

use super::options::Secret;
use super::scram_message;
use crate::error::{Error, Layer};
use crate::protocol::property::{Properties, PropertyBlock, PropertyId, Value};
use crate::protocol::reason::ReasonCode;
use crate::protocol::wire::{Malformed, PacketType};
use crate::quotation::shown;

/// The authentication of the client, in addition to or instead of a password in CONNECT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authentication {
    /// The authentication method.
    pub method: Method,
    /// The interval of re-authentication; `None` for no re-authentication.
    pub every: Option<Duration>,
}

/// An authentication method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Method {
    /// SCRAM (RFC 5802, RFC 7677).
    Scram {
        /// The SCRAM mechanism.
        mechanism: ScramMechanism,
        /// The user name, prepared by [`prepare`] like the password.
        user_name: String,
        /// The password; never sent.
        password: Secret,
    },
    /// A method whose data the user supplies.
    Data {
        /// The method's name.
        name: String,
        /// The first entry goes into CONNECT; each further entry answers an AUTH.
        data: Vec<Secret>,
    },
}

/// The SCRAM mechanisms, by their hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "the variants are the mechanisms' own names")]
pub enum ScramMechanism {
    Sha1,
    Sha256,
    Sha512,
}

impl ScramMechanism {
    /// All mechanisms.
    pub const ALL: [Self; 3] = [Self::Sha1, Self::Sha256, Self::Sha512];

    /// The mechanism with this name, which is also the name of the authentication method.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|mechanism| mechanism.name() == name)
    }

    /// The registered name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Sha1 => "SCRAM-SHA-1",
            Self::Sha256 => "SCRAM-SHA-256",
            Self::Sha512 => "SCRAM-SHA-512",
        }
    }
}

/// A user name or password as SCRAM compares it (`SASLprep`, RFC 4013).
///
/// # Errors
/// The character or sequence that is not allowed.
pub fn prepare(text: &str) -> Result<String, String> {
    match stringprep::saslprep(text) {
        Ok(prepared) if prepared.is_empty() => Err("it is empty".into()),
        Ok(prepared) => Ok(prepared.into_owned()),
        Err(error) => Err(format!("SASLprep does not allow it: {error}")),
    }
}

impl Method {
    /// The authentication method's name; all packets of the exchange carry it.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Scram { mechanism, .. } => mechanism.name(),
            Self::Data { name, .. } => name,
        }
    }
}

/// One exchange, from CONNECT or AUTH (Re-authenticate) to CONNACK or AUTH (Success).
pub(super) struct Exchange {
    method: String,
    side: ExchangeState,
}

enum ExchangeState {
    Scram {
        session: Box<Session<NoValidation>>,
        /// The client's first message, which ends with its nonce; kept until the broker has answered it.
        first: Option<Vec<u8>>,
        /// Whether the broker has proved that it knows the password.
        is_proved: bool,
    },
    Data(std::vec::IntoIter<Secret>),
}

impl std::fmt::Debug for Exchange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Exchange").field("method", &self.method).finish_non_exhaustive()
    }
}

impl Exchange {
    /// Begins an exchange, and appends the properties of its first packet.
    ///
    /// # Errors
    /// A mechanism that cannot begin.
    pub(super) fn begin(method: &Method, properties: &mut PropertyBlock) -> Result<Self, Error> {
        let (side, data) = match method {
            Method::Scram { mechanism, user_name, password } => {
                let (mut session, mut first) = (scram(*mechanism, user_name, password)?, Vec::new());
                session.step(None, &mut first).map_err(|error| failed(&error))?;
                let (session, sent) = (Box::new(session), Some(first.clone()));
                (ExchangeState::Scram { session, first: sent, is_proved: false }, Some(first))
            }
            Method::Data { data, .. } => {
                let mut data = data.clone().into_iter();
                let first = data.next().map(|Secret(bytes)| bytes);
                (ExchangeState::Data(data), first)
            }
        };
        let method = method.name().to_owned();
        put(properties, &method, data.as_deref());
        Ok(Self { method, side })
    }

    /// The properties of the AUTH that answers the broker's AUTH (Continue authentication).
    ///
    /// # Errors
    /// The broker changed the method, or does not know the password.
    pub(super) fn answer(
        &mut self,
        packet: PacketType,
        properties: &Properties<'_>,
    ) -> Result<PropertyBlock, Error> {
        self.check_method(packet, properties)?;
        let challenge = properties.binary(PropertyId::AuthenticationData).unwrap_or_default();
        let data = match &mut self.side {
            ExchangeState::Scram { is_proved: true, .. } => {
                return Err(Malformed::protocol_error(packet, "SCRAM is already complete").into());
            }
            ExchangeState::Scram { session, first, is_proved } => {
                match first.take() {
                    Some(first) => scram_message::check_first(challenge, &first)?,
                    None => scram_message::check_final(challenge)?,
                }
                let mut answer = Vec::new();
                // The broker's proof may come in an AUTH; the answer to that AUTH has no data.
                *is_proved = step(session, challenge, &mut answer)?;
                (!*is_proved).then_some(answer)
            }
            ExchangeState::Data(data) => {
                let Some(Secret(bytes)) = data.next() else {
                    let cause = format!(
                        "the broker asks for more authentication data ({}) than was given",
                        self.method
                    );
                    return Err(Error::fatal(Layer::Mqtt, cause)
                        .with_hint("repeat --auth-data: each further one answers one AUTH of the broker"));
                };
                Some(bytes)
            }
        };
        let mut answer = PropertyBlock::default();
        put(&mut answer, &self.method, data.as_deref());
        Ok(answer)
    }

    /// Checks, after the broker has accepted the client, that the broker has proved itself.
    ///
    /// # Errors
    /// The broker has not proved that it knows the password, or names another method.
    pub(super) fn finish(&mut self, packet: PacketType, properties: &Properties<'_>) -> Result<(), Error> {
        self.check_method(packet, properties)?;
        let ExchangeState::Scram { session, is_proved, first } = &mut self.side else { return Ok(()) };
        if !*is_proved {
            let data = properties.binary(PropertyId::AuthenticationData).unwrap_or_default();
            // A broker that skips the exchange has proved nothing, whatever its data. Only data that begins
            // with "v=" is read as a proof.
            if data.starts_with(b"v=") {
                scram_message::check_final(data)?;
                if first.is_some() {
                    return Err(scram_message::skipped());
                }
                *is_proved = step(session, data, &mut Vec::new())?;
            }
        }
        if *is_proved { Ok(()) } else { Err(not_proved()) }
    }

    /// [MQTT-4.12.0-5]
    fn check_method(&self, packet: PacketType, properties: &Properties<'_>) -> Result<(), Error> {
        match properties.text(PropertyId::AuthenticationMethod) {
            Some(method) if method == self.method => Ok(()),
            Some(method) => {
                let what = format!("authentication method '{}' instead of '{}'", shown(method), self.method);
                Err(Malformed::protocol_error(packet, what).into())
            }
            None => Err(Malformed::protocol_error(packet, "no authentication method").into()),
        }
    }
}

/// The error for an AUTH outside an exchange ([MQTT-4.12.0-6], [MQTT-4.12.1-1]).
pub(super) fn unasked(reason: ReasonCode) -> Malformed {
    Malformed::protocol_error(PacketType::Auth, format!("{reason}, but no authentication is in progress"))
}

fn put(properties: &mut PropertyBlock, method: &str, data: Option<&[u8]>) {
    properties.push(PropertyId::AuthenticationMethod, Value::Text(method));
    if let Some(data) = data {
        properties.push(PropertyId::AuthenticationData, Value::Binary(data));
    }
}

struct ScramCredentials {
    user_name: String,
    password: Secret,
}

impl SessionCallback for ScramCredentials {
    fn callback(
        &self,
        _session: &SessionData,
        _context: &Context<'_>,
        request: &mut Request<'_>,
    ) -> Result<(), SessionError> {
        request.satisfy::<AuthId>(&self.user_name)?.satisfy::<Password>(&self.password.0)?;
        Ok(())
    }
}

fn scram(
    mechanism: ScramMechanism,
    user_name: &str,
    password: &Secret,
) -> Result<Session<NoValidation>, Error> {
    let credentials = ScramCredentials { user_name: user_name.to_owned(), password: password.clone() };
    let config =
        SASLConfig::builder().with_defaults().with_callback(credentials).map_err(|error| failed(&error))?;
    let name = Mechname::parse(mechanism.name().as_bytes()).map_err(|error| failed(&error))?;
    SASLClient::new(Arc::clone(&config)).start_suggested(&[name]).map_err(|error| failed(&error))
}

/// Processes a message of the broker. Returns whether the broker has proved itself.
fn step(session: &mut Session<NoValidation>, input: &[u8], answer: &mut Vec<u8>) -> Result<bool, Error> {
    match session.step(Some(input), answer) {
        Ok(State::Running) => Ok(false),
        Ok(State::Finished(_)) => Ok(true),
        Err(SessionError::MutualAuthenticationFailed) => Err(not_proved()),
        Err(_) => Err(scram_message::invalid(input)),
    }
}

fn failed(error: &dyn std::fmt::Display) -> Error {
    Error::fatal(Layer::Mqtt, format!("authentication: {error}"))
        .with_hint("check the method (--auth-method), the user name (-u) and the password (-P)")
}

fn not_proved() -> Error {
    Error::fatal(Layer::Mqtt, "SCRAM: the broker did not prove that it knows the password")
        .with_hint("this may not be the broker that you mean")
}
