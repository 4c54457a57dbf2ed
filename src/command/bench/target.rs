//! The embedded broker as a target: a process of its own, so that it does not share the generator's
//! threads, and ends with the run.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use super::config::Load;
use crate::error::Error;

/// A broker that ends when this is dropped.
pub(super) struct Target(Child);

impl Drop for Target {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts the broker if the load asks for it, and aims the load at it.
pub(super) fn start(load: &mut Load) -> Result<Option<Target>, Error> {
    let Some(program) = &load.embedded else { return Ok(None) };
    let failed = |error| Error::file("cannot start the embedded broker", error);
    let mut command = Command::new(program);
    // The pipe to it is closed however this process ends, and then it ends as well.
    command.args(["broker", "--port", "0", "--quiet", "--until-eof"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    // Ctrl-C is for the generator, which still has to hear the broker out.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut target = Target(command.spawn().map_err(failed)?);
    let mut line = String::new();
    if let Some(stdout) = target.0.stdout.take() {
        BufReader::new(stdout).read_line(&mut line).map_err(failed)?;
    }
    let address = line.trim().rsplit(' ').next().and_then(|word| word.parse::<SocketAddr>().ok());
    let Some(address) = address else {
        return Err(failed(std::io::Error::other(format!("it said {line:?}"))));
    };
    load.client.aim(&address.ip().to_string(), address.port());
    Ok(Some(target))
}
