//! The embedded broker in this process: its faults can be set and its connections cut.

use ::mqtt::broker::{Broker as Embedded, Faults, Options};
use tokio::runtime::Runtime;

use super::Service;

/// A running broker on a free port of 127.0.0.1.
pub(crate) struct Broker {
    broker: Option<Embedded>,
    runtime: Option<Runtime>,
}

impl Broker {
    pub(crate) fn start() -> Self {
        Self::with(Options::default())
    }

    pub(crate) fn with_faults(faults: Faults) -> Self {
        Self::with(Options { faults, ..Options::default() })
    }

    pub(crate) fn with(options: Options) -> Self {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        let runtime = builder.worker_threads(1).enable_all().build().unwrap();
        let broker = runtime.block_on(async { Embedded::start(options) }).unwrap();
        Self { broker: Some(broker), runtime: Some(runtime) }
    }

    pub(crate) fn embedded(&self) -> &Embedded {
        self.broker.as_ref().unwrap()
    }
}

impl Service for Broker {
    fn port(&self) -> u16 {
        self.embedded().address().unwrap().port()
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.broker = None;
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
