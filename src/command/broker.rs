//! `mqtt broker`: a scratch broker for development and tests.

use std::future::Future;
use std::net::SocketAddr;

use crate::broker::{Broker, Options};
use crate::error::Error;
use crate::exit::Exit;

/// A checked command line of `mqtt broker`.
#[derive(Debug, Clone)]
pub struct Config {
    /// Where to listen; port 0 lets the system choose.
    pub listen: SocketAddr,
    /// The only user name and password let in, or `None` to let everyone in.
    pub user: Option<(String, Vec<u8>)>,
}

/// Runs a broker until `until` resolves, then says goodbye to every client. `ready` is told the
/// address once connections are accepted.
///
/// # Errors
/// The address cannot be listened on.
pub async fn run(
    config: Config,
    ready: impl FnOnce(SocketAddr),
    until: impl Future<Output = ()>,
) -> Result<Exit, Error> {
    let options = Options { listen: config.listen, user: config.user, ..Options::default() };
    let broker = Broker::start(options).await?;
    ready(broker.address());
    until.await;
    broker.shutdown().await;
    Ok(Exit::Success)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_runs_until_it_is_told() {
        let config = Config { listen: ([127, 0, 0, 1], 0).into(), user: None };
        let (ready, address) = tokio::sync::oneshot::channel();
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let until = async { stopped.await.unwrap() };
        let running = tokio::spawn(run(config, |address| ready.send(address).unwrap(), until));
        let address = address.await.unwrap();
        assert_ne!(address.port(), 0);
        drop(std::net::TcpStream::connect(address).unwrap());
        stop.send(()).unwrap();
        assert_eq!(running.await.unwrap().unwrap(), Exit::Success);
        assert!(std::net::TcpStream::connect(address).is_err());
    }
}
