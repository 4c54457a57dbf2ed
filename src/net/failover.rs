//! Several brokers, one of which has to accept the connection, and the error if none does.

use std::net::SocketAddr;

use super::address::Address;
use super::endpoint::Endpoint;
use super::service::brokers_of;
use crate::error::{Error, Layer, Retry, Sign};

/// Maximum number of brokers named in an error: DNS may return any number.
const MOST_NAMED: usize = 5;

impl Endpoint {
    /// The brokers in the host's service records. Each endpoint copies the other settings of this one.
    ///
    /// # Errors
    ///
    /// Like [`brokers_of`].
    pub async fn discover(&self, name_servers: &[SocketAddr]) -> Result<Vec<Self>, Error> {
        let Address::Tcp { host, .. } = &self.address else {
            return Err(Error::usage("a Unix socket has no service records"));
        };
        let secure = self.transport.is_secure();
        let found = brokers_of(host, secure, name_servers, self.connect_timeout).await?;
        // The name server that has the records also has their hosts; other name servers may not.
        let here = Self { name_servers: name_servers.to_vec(), ..self.clone() };
        Ok(found.into_iter().map(|address| Self { address, ..here.clone() }).collect())
    }
}

/// The error after all brokers failed; it names each broker with its cause. It can be retried if one of the
/// failures can. For a single broker it is that broker's own error.
#[must_use]
pub fn none_answers(mut failures: Vec<(String, Error)>) -> Error {
    if failures.len() == 1
        && let Some((_, only)) = failures.pop()
    {
        return only;
    }
    let named = failures.iter().take(MOST_NAMED).map(|(broker, error)| format!("{broker}: {error}"));
    let more = failures.len().saturating_sub(MOST_NAMED);
    let more = (more > 0).then(|| format!("and {more} more"));
    let causes: Vec<String> = named.chain(more).collect();
    let causes = causes.join("; ");
    let cause = match failures.len() {
        0 => return Error::usage("there is no broker to connect to"),
        count => format!("none of {count} brokers answers: {causes}"),
    };
    // The message starts with one layer; brokers that failed in another layer are named with theirs.
    let first = failures.first().map_or(Layer::Connect, |(_, error)| layer(error));
    let same = failures.iter().all(|(_, error)| layer(error) == first);
    let any = |retry| failures.iter().any(|(_, error)| error.retry() == retry);
    let retry = [Retry::Later, Retry::Once].into_iter().find(|retry| any(*retry)).unwrap_or(Retry::Never);
    let hint = failures.iter().find_map(|(_, error)| error.advice(|_| None));
    Error::Link { layer: if same { first } else { Layer::Connect }, cause, hint, retry, sign: Sign::None }
}

fn layer(error: &Error) -> Layer {
    match error {
        Error::Link { layer, .. } => *layer,
        Error::Refused { .. } | Error::Elsewhere { .. } | Error::Protocol(_) => Layer::Mqtt,
        _ => Layer::Connect,
    }
}
