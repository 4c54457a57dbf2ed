//! The brokers to try, if the command line or DNS names several.

use super::first_attempts::FirstAttempts;
use super::handler::Change;
use super::options::ClientOptions;
use crate::error::{Error, Retry};
use crate::net::{self, Endpoint};

/// The brokers, in the order in which to try them.
pub(super) async fn brokers(options: &ClientOptions) -> Result<Vec<Endpoint>, Error> {
    let given = std::iter::once(&options.endpoint).chain(&options.fallbacks);
    if !options.service_records {
        return Ok(given.cloned().collect());
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for endpoint in given {
        match endpoint.discover(&options.name_servers).await {
            Ok(brokers) => found.extend(brokers),
            Err(error) => failures.push((endpoint.address.to_string(), error)),
        }
    }
    if found.is_empty() { Err(net::none_answers(failures)) } else { Ok(found) }
}

/// Whether another broker may succeed: this one cannot be reached, or does not accept further clients.
pub(super) fn is_worth_another_broker(error: &Error) -> bool {
    match error {
        Error::Link { .. } | Error::Protocol(_) => true,
        Error::Refused { .. } => error.retry() == Retry::Later,
        _ => false,
    }
}

impl ClientOptions {
    /// Chooses one broker for many connections that must all use the same one: the first that can be reached.
    /// The wait follows the options and is reported to `on_change`. A single broker is chosen without an
    /// attempt.
    ///
    /// # Errors
    /// No broker can be reached; each is named with its cause.
    pub async fn settle(&mut self, on_change: impl FnMut(Change<'_>)) -> Result<(), Error> {
        if self.fallbacks.is_empty() && !self.service_records {
            return Ok(());
        }
        let mut attempts = FirstAttempts::new(&self.reconnect, on_change);
        let endpoint = loop {
            match self.reachable().await {
                Ok(endpoint) => break endpoint,
                Err(error) => attempts.wait_after(error).await?,
            }
        };
        self.endpoint = endpoint;
        self.fallbacks.clear();
        self.service_records = false;
        self.reconnect.wait_for_server = attempts.left();
        attempts.succeeded();
        Ok(())
    }

    /// The first broker that can be reached.
    async fn reachable(&self) -> Result<Endpoint, Error> {
        let mut failures = Vec::new();
        for endpoint in brokers(self).await? {
            match net::dial(&endpoint).await {
                Ok(_) => return Ok(endpoint),
                Err(error) if is_worth_another_broker(&error) => {
                    failures.push((endpoint.address.to_string(), error));
                }
                Err(error) => return Err(error),
            }
        }
        Err(net::none_answers(failures))
    }
}
