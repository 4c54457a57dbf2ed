//! `mqtt broker` as users run it: with this program's clients, and with mosquitto's where they are installed.

mod access;
mod faults;
mod journal;
mod limits;
mod listeners;

use std::process::{Command, Stdio};

use crate::support::mqtt::{Mqtt, Running};
use crate::support::skip;

/// A running `mqtt broker`, and its listeners.
struct Served {
    running: Running,
    /// The listeners from standard output, one for each `--listen`.
    places: Vec<String>,
}

impl Served {
    fn start(arguments: &[&str]) -> Self {
        let listeners = arguments.iter().filter(|argument| **argument == "--listen").count().max(1);
        let arguments = if arguments.contains(&"--listen") {
            arguments.to_vec()
        } else {
            [&["-p", "0"], arguments].concat()
        };
        Self::spawn(Mqtt::new(["broker"]).args(arguments), listeners)
    }

    fn spawn(broker: Mqtt, listeners: usize) -> Self {
        let running = broker.spawn();
        running.wait_for_lines(listeners);
        let lines = String::from_utf8(running.stdout()).unwrap();
        let places = lines.lines().map(|line| line.strip_prefix("listening on ").unwrap().to_owned());
        Self { places: places.collect(), running }
    }

    /// The port of a listener.
    fn port(&self, at: usize) -> u16 {
        self.places[at].rsplit(':').next().unwrap().parse().unwrap()
    }

    /// This program's client for the first listener, which is plain TCP.
    fn client(&self, command: &str) -> Mqtt {
        Mqtt::new([command, "-h", "127.0.0.1", "-p", &self.port(0).to_string()])
    }
}

/// The output of a mosquitto client, and its status; `None` if it is not installed.
fn mosquitto(program: &str, arguments: &[&str]) -> Option<(i32, String, String)> {
    let command = Command::new(program).args(arguments).stdin(Stdio::null()).output();
    match command {
        Ok(output) => Some((
            output.status.code().unwrap_or(-1),
            String::from_utf8_lossy(&output.stdout).into_owned(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )),
        Err(error) => {
            skip(&format!("{program}: {error}"));
            None
        }
    }
}
