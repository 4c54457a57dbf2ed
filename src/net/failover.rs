//! Several brokers, of which one has to answer.

use super::dial::dial;
use super::endpoint::Endpoint;
use super::stream::Stream;
use crate::error::{Error, Layer, Retry};

/// Dials the endpoints in turn until one answers, and says which.
///
/// # Errors
///
/// Of a single endpoint its own error. Of several, one that names them all with their causes, to
/// be tried again if any of them is worth it. A usage error ends the search: it is no broker's
/// fault.
pub async fn dial_any(endpoints: &[Endpoint]) -> Result<(usize, Stream), Error> {
    let mut failures = Vec::new();
    for (number, endpoint) in endpoints.iter().enumerate() {
        match dial(endpoint).await {
            Ok(stream) => return Ok((number, stream)),
            Err(error @ Error::Link { .. }) => failures.push((endpoint, error)),
            Err(other) => return Err(other),
        }
    }
    Err(all_failed(failures))
}

fn all_failed(mut failures: Vec<(&Endpoint, Error)>) -> Error {
    if failures.len() == 1
        && let Some((_, only)) = failures.pop()
    {
        return only;
    }
    let causes: Vec<String> =
        failures.iter().map(|(endpoint, error)| format!("{}: {error}", endpoint.address)).collect();
    let cause = match causes.len() {
        0 => return Error::usage("there is no broker to connect to"),
        count => format!("none of {count} brokers answers: {}", causes.join("; ")),
    };
    // One layer has to open the message; the others are named with their brokers.
    let first = failures.first().map_or(Layer::Connect, |(_, error)| layer(error));
    let same = failures.iter().all(|(_, error)| layer(error) == first);
    let retry = failures.iter().any(|(_, error)| error.retry() == Retry::Later);
    let hint = failures.iter().find_map(|(_, error)| error.hint()).map(str::to_owned);
    Error::Link {
        layer: if same { first } else { Layer::Connect },
        cause,
        hint,
        retry: if retry { Retry::Later } else { Retry::Never },
    }
}

fn layer(error: &Error) -> Layer {
    match error {
        Error::Link { layer, .. } => *layer,
        _ => Layer::Connect,
    }
}
