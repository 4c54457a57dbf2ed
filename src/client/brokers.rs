//! Which brokers to try, if the command line or DNS names several.

use super::options::ClientOptions;
use crate::error::{Error, Retry};
use crate::net::{self, Endpoint};

/// The brokers to try, in this order.
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

/// Whether another broker may do better: this one cannot be reached, or has no room.
pub(super) fn is_worth_another_broker(error: &Error) -> bool {
    match error {
        Error::Link { .. } | Error::Protocol(_) => true,
        Error::Refused { .. } => error.retry() == Retry::Later,
        _ => false,
    }
}

impl ClientOptions {
    /// Chooses one broker for many connections that must go to the same: the first
    /// that can be reached. A single broker is not tried.
    ///
    /// # Errors
    /// None can be reached, each with its cause.
    pub async fn settle(&mut self) -> Result<(), Error> {
        if self.fallbacks.is_empty() && !self.service_records {
            return Ok(());
        }
        let mut failures = Vec::new();
        for endpoint in brokers(self).await? {
            match net::dial(&endpoint).await {
                Ok(_) => {
                    self.endpoint = endpoint;
                    self.fallbacks.clear();
                    self.service_records = false;
                    return Ok(());
                }
                Err(error) if is_worth_another_broker(&error) => {
                    failures.push((endpoint.address.to_string(), error));
                }
                Err(error) => return Err(error),
            }
        }
        Err(net::none_answers(failures))
    }
}
